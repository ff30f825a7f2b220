"""Panels: the believed state of places on a grid of days, streamed a place at a time."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import orjson

from ledger.clocks import as_of, instant_key, instant_text, iso, utc_text
from ledger.errors import BadDate, Usage, WriteFailed
from ledger.text import csv_safe, visible
from projections.belief.assembly import Assembly
from projections.belief.base import UNKNOWN, jsonable
from projections.belief.labels import States
from projections.belief.tally import end_of, judge, names_of, series
from projections.case import states_of
from projections.desk import Desk, day_range


@dataclass(frozen=True)
class Panel:
    """``columns`` in order, and the rows, made as they are asked for."""

    columns: tuple[str, ...]
    states: States
    rows: Iterator[dict[str, Any]]


def panel(desk: Desk, places: Sequence[str], question: str, days: str, every: str, known_by: str) -> Panel:
    """Rows ``place, day, known_by, p_STATE …, believed``, places in order, days ascending.

    ``known_by`` is ``then`` (each day as known by its end) or a moment for all days. Days after today are
    refused with ``BadDate``, steps that are none with ``Usage``.
    """
    first, last = day_range(days)
    lo, hi = as_of(first, now=desk.now).day, as_of(last, now=desk.now).day
    if lo > hi:
        raise BadDate(f"{first} lies after {last}", remedy="write the earlier day first")
    grid = _grid(lo, hi, every)
    states = states_of(desk.directory, question)
    columns = ("place", "name", "day", "known_by", *(f"p_{name}" for name in states.names), "believed")
    known = None if known_by == "then" else desk.known(known_by)
    return Panel(columns, states, _rows(desk, places, question, grid, known, states))


def _grid(lo: int, hi: int, every: str) -> list[int]:
    steps = {"day": 1, "week": 7}
    if every == "month":
        day, days = date.fromordinal(lo), []
        while day.toordinal() <= hi:
            days.append(day.toordinal())
            if (day.year, day.month) == (9999, 12):
                break
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return days
    step = steps.get(every) or (int(every) if every.isdigit() else 0)
    if step < 1:
        raise Usage(f"--every {every!r} is no step", remedy="day, week, month or a number of days")
    return list(range(lo, hi + 1, step))


def _rows(
    desk: Desk,
    places: Sequence[str],
    question: str,
    days: list[int],
    known: int | None,
    states: States,
) -> Iterator[dict[str, Any]]:
    now = instant_key(utc_text(desk.now))
    for place in places:
        name = desk.directory.places[place].name
        beliefs = _beliefs(desk, place, question, days, known, states, now)
        for day, row, believed in zip(days, beliefs, names_of(beliefs, states), strict=True):
            p = ["" if believed == UNKNOWN else jsonable(float(one)) for one in row]
            moment = min(end_of(day), now) if known is None else known
            yield {
                "place": place,
                "name": name,
                "day": iso(day),
                "known_by": instant_text(moment),
                **{f"p_{state}": one for state, one in zip(states.names, p, strict=True)},
                "believed": believed,
            }


def _beliefs(
    desk: Desk, place: str, question: str, days: list[int], known: int | None, states: States, now: int
) -> np.ndarray:
    logic = desk.loaded.logic
    if known is None and logic.believe is None:
        return series(desk.beliefs.knots(place, question), days, states, logic)
    case = desk.case(place, question)
    out = np.full((len(days), len(states)), np.nan)
    if logic.believe is not None:
        for row, day in enumerate(days):
            verdict = judge(case, logic, day, min(end_of(day), now) if known is None else known)
            if verdict.believed != UNKNOWN:
                out[row] = list(verdict.probabilities.values())
        return out
    assert known is not None
    chain = Assembly.known_by(case, logic, known).chain
    for row, day in enumerate(days):
        if not chain.empty(day):
            out[row] = chain.smoothed(day) if known > end_of(day) else chain.filtered(day)
    return out


def write(table: Panel, form: str, out: Path | None) -> None:
    """Write a panel as ``csv``, ``jsonl`` or ``parquet``; to stdout where no file is given."""
    if form == "parquet":
        assert out is not None
        _parquet(table, out)
        return
    with _target(out) as file:
        if form == "jsonl":
            for row in table.rows:
                safe = {name: visible(v) if isinstance(v, str) else v for name, v in row.items()}
                file.write(orjson.dumps(safe).decode() + "\n")
            return
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        for row in table.rows:
            writer.writerow([csv_safe(visible(str(row[c]), keep_newlines=False)) for c in table.columns])


@contextmanager
def _target(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    try:
        with out.open("w", encoding="utf-8", newline="") as file:
            yield file
    except OSError as error:
        raise WriteFailed(f"cannot be written ({error.strerror})", where=str(out)) from None


def _parquet(table: Panel, out: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise Usage("Parquet needs pyarrow", remedy="pip install 'claim-ledger[parquet]'") from None
    number, text = pa.float64(), pa.string()
    schema = pa.schema([(name, number if name.startswith("p_") else text) for name in table.columns])
    try:
        with pq.ParquetWriter(out, schema) as writer:
            batch: list[dict[str, Any]] = []
            for row in table.rows:
                batch.append({name: None if value == "" else value for name, value in row.items()})
                if len(batch) >= 50_000:
                    writer.write_table(pa.Table.from_pylist(batch, schema=schema))
                    batch.clear()
            writer.write_table(pa.Table.from_pylist(batch, schema=schema))
    except OSError as error:
        raise WriteFailed(f"cannot be written ({error})", where=str(out)) from None
