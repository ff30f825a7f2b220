"""Panels: the believed state of places on a grid of days, streamed a place at a time."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

import numpy as np
import orjson

from ledger.clocks import as_of, instant_text, iso, resolve_relative, span, utc_text
from ledger.errors import BadDate, Usage
from ledger.text import csv_safe, visible
from projections.belief.base import UNKNOWN
from projections.belief.labels import States
from projections.belief.paths import Rows
from projections.belief.tally import end_of
from projections.desk import Desk, day_range
from projections.files import replacing
from projections.viewpoint import Viewpoint, top

if TYPE_CHECKING:
    import pyarrow

#: Digits after the point, as in every other answer.
_DIGITS = 10
_NUMBER = re.compile("[0-9]{1,7}")
#: Rows of a Parquet file are written in groups of at least so many.
_GROUP = 50_000

Progress = Callable[[str, int, int], None]


def unheard(what: str, done: int, of: int) -> None:
    """Progress that nobody asked for."""


class Block(NamedTuple):
    """A place's part of a panel, a value a day in every column. ``probabilities`` has a row a day, None
    throughout where ``believed`` is ``unknown``."""

    place: str
    name: str
    days: list[str]
    known_by: list[str]
    probabilities: list[list[float] | list[None]]
    believed: list[str]

    def rows(self, text: Callable[[str], str] = str) -> Iterator[tuple[Any, ...]]:
        """The values in the order of ``Panel.columns``; ``text`` is what is done to those that are words."""
        place, name = text(self.place), text(self.name)
        words = {state: text(state) for state in set(self.believed)}
        days = zip(self.days, self.known_by, self.probabilities, self.believed, strict=True)
        for day, known, p, state in days:
            yield (place, name, day, known, *p, words[state])


@dataclass(frozen=True)
class Panel:
    """``columns`` in order, and the blocks, made as they are asked for: once."""

    columns: tuple[str, ...]
    states: States
    blocks: Iterator[Block]

    @property
    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows one by one, with None for the probabilities of what is unknown."""
        for block in self.blocks:
            for row in block.rows():
                yield dict(zip(self.columns, row, strict=True))


def every_place(desk: Desk) -> list[str]:
    """Canonical ids of all registered places, in order of name: what a panel is about unless told otherwise."""
    places = desk.directory.places
    known = {desk.directory.place_id(place) for place in places}
    return sorted(known & places.keys(), key=lambda place: (places[place].name, place))


def panel(
    desk: Desk,
    places: Sequence[str],
    question: str,
    days: str,
    every: str,
    known_by: str,
    progress: Progress = unheard,
) -> Panel:
    """Rows ``place, name, day, known_by, p_STATE …, believed``, places in the order given, days ascending.

    ``days`` is ``FROM..TO``; months and years are taken whole, one that has not ended up to today.
    ``known_by`` is ``then`` (each day as known by its end) or a moment for all days. Days after today are
    refused with ``BadDate``, steps that are none with ``Usage``.
    """
    grid = _grid(*_ends(desk, days), every)
    known = None if known_by == "then" else desk.known(known_by)
    point = Viewpoint(desk, desk.loaded, question)
    columns = ("place", "name", "day", "known_by", *(f"p_{name}" for name in point.states.names), "believed")
    return Panel(columns, point.states, _blocks(point, places, grid, known, progress))


def _ends(desk: Desk, text: str) -> tuple[int, int]:
    """The first and last day of ``FROM..TO``."""
    first, last = day_range(text)
    today = as_of("now", now=desk.now).day
    lo, hi = _period(desk, first)[0], _period(desk, last)[1]
    for word, begins in ((first, lo), (last, _period(desk, last)[0])):
        if begins > today:
            raise BadDate(
                f"{word} is yet to come: it is {iso(today)}", remedy="end the range today or earlier"
            )
    if lo > hi:
        raise BadDate(f"{first} lies after {last}", remedy="write the earlier day first")
    return lo, min(hi, today)


def _period(desk: Desk, text: str) -> tuple[int, int]:
    """The first and last day of the day, month or year that a user names."""
    last = as_of(text, now=desk.now).day  # refuses what is no one date
    if text.strip().casefold() == "now":
        return last, last
    try:
        named = span(text)
    except BadDate:  # words such as "last month"
        named = span(resolve_relative(text, against=utc_text(desk.now)[:10])[0])
    return last if named.lo is None else named.lo, last


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
    step = steps.get(every) or (int(every) if _NUMBER.fullmatch(every) else 0)
    if step < 1:
        raise Usage(f"--every {every!r} is no step", remedy="give day, week, month or a number of days")
    return list(range(lo, hi + 1, step))


def _blocks(
    point: Viewpoint, places: Sequence[str], days: list[int], known: int | None, progress: Progress
) -> Iterator[Block]:
    # The days and the moments are those of every place: their texts are made once.
    texts = [iso(day) for day in days]
    moments = [instant_text(min(end_of(day), point.now) if known is None else known) for day in days]
    for n, place in enumerate(places):
        progress("panel", n, len(places))
        beliefs = point.then(place, days) if known is None else point.known(place, days, known)
        registered = point.desk.directory.places.get(place)
        name = registered.name if registered else place
        yield Block(place, name, texts, moments, *_told(beliefs, point.states))
    progress("panel", len(places), len(places))


def _told(beliefs: Rows, states: States) -> tuple[list[list[float] | list[None]], list[str]]:
    """Probabilities in ten digits, and the believed states."""
    nothing: list[None] = [None] * len(states)
    names = (*states.names, UNKNOWN)  # the index −1 is the last
    indices = top(beliefs).tolist()
    numbers: list[list[float] | list[None]] = [
        nothing if index < 0 else [round(p, _DIGITS) + 0.0 for p in row]
        for index, row in zip(indices, beliefs.tolist(), strict=True)
    ]
    return numbers, [names[index] for index in indices]


# -- files ---------------------------------------------------------------------------------------------


def write(table: Panel, form: str, out: Path | None) -> None:
    """Write a panel as ``csv``, ``jsonl`` or ``parquet``; to stdout where no file is given.

    A file is there whole when all is written, and not before.
    """
    if form == "parquet":
        assert out is not None
        with replacing(out) as path:
            _parquet(table, path)
        return
    with _target(out) as file:
        if form == "jsonl":
            _jsonl(table, file)
        else:
            _csv(table, file)


@contextmanager
def _target(out: Path | None) -> Iterator[TextIO]:
    if out is None:
        yield sys.stdout
        return
    with replacing(out) as path, path.open("w", encoding="utf-8", newline="") as file:
        yield file


def _csv(table: Panel, file: TextIO) -> None:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(_cell(column) for column in table.columns)
    for block in table.blocks:
        writer.writerows(block.rows(_cell))


def _cell(text: str) -> str:
    return csv_safe(visible(text, keep_newlines=False))


def _jsonl(table: Panel, file: TextIO) -> None:
    columns = [visible(column) for column in table.columns]
    for block in table.blocks:
        lines = (orjson.dumps(dict(zip(columns, row, strict=True))) for row in block.rows(visible))
        file.writelines(line.decode() + "\n" for line in lines)


def _parquet(table: Panel, path: Path) -> None:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise Usage("Parquet needs pyarrow", remedy="pip install 'claim-ledger[parquet]'") from None
    number, text = pa.float64(), pa.string()
    schema = pa.schema([(name, number if name.startswith("p_") else text) for name in table.columns])
    with pq.ParquetWriter(path, schema) as writer:
        for group in _groups(table.blocks):
            batches = [_batch(block, schema) for block in group]
            writer.write_table(pa.Table.from_batches(batches, schema))


def _groups(blocks: Iterable[Block]) -> Iterator[list[Block]]:
    """Blocks together that make a row group."""
    group: list[Block] = []
    size = 0
    for block in blocks:
        group.append(block)
        size += len(block.days)
        if size >= _GROUP:
            yield group
            group, size = [], 0
    if group:
        yield group


def _batch(block: Block, schema: pyarrow.Schema) -> pyarrow.RecordBatch:
    import pyarrow as pa

    known = np.array([row[0] is not None for row in block.probabilities], dtype=bool)
    numbers = np.array(block.probabilities, dtype=np.float64)  # None becomes NaN
    columns = [
        pa.repeat(block.place, len(block.days)),
        pa.repeat(block.name, len(block.days)),
        pa.array(block.days, pa.string()),
        pa.array(block.known_by, pa.string()),
        *(pa.array(column, pa.float64(), mask=~known) for column in numbers.T),
        pa.array(block.believed, pa.string()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)
