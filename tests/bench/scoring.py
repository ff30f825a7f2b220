"""Scores of logics and of baselines on one ledger with a known truth, as rows for the table of beliefs.

Logics go the way of ``claims backtest``: replayed views, known-then and hindsight beliefs, the same measures.
Baselines are scored by the same measures on the same days.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from time import perf_counter
from typing import Any

import numpy as np

from ledger.book import Draft
from ledger.errors import UnknownName
from projections import measures
from projections.backtest import FILTER, HINDSIGHT, backtest
from projections.case import states_of
from projections.desk import Desk
from projections.intervals import Sheet
from projections.registry import Loaded, load
from projections.truth import Truth
from tests.bench import generator, stage
from tests.bench.baselines import BASELINES, votes
from tests.bench.simulation import World

QUESTION = "control"
#: What a row holds of each measure, and its name in ``projections.intervals``; all but accuracy, detected and
#: coverage are better when less.
MEASURES = {
    "accuracy": "accuracy",
    "brier": "brier",
    "log_loss": "log_loss",
    "ece": "ece",
    "detected": "detected",
    "days_to_detect": "days_to_detect_median",
    "false_flips": "false_flips",
    "coverage": "coverage",
}
Row = dict[str, Any]


def installed(names: Sequence[str]) -> tuple[list[Loaded], list[str]]:
    """The logics of these names, and in words why some are left out."""
    found, missing = [], []
    for name in names:
        try:
            found.append(load(name))
        except UnknownName as error:
            missing.append(f"{name} is left out: {error}")
    return found, missing


def book(path: Path, world: World) -> Path:
    """A ledger of all that is told in a world. Raises ``RuntimeError`` where it refuses anything."""
    with stage.empty(path) as ledger:
        for batch in stage.batched(world.entries):
            receipts = ledger.append([Draft.of(entry.name, entry.data, entry.body) for entry in batch])
            for receipt in receipts:
                if receipt.status != "new":
                    raise RuntimeError(f"the simulated ledger is not taken: {receipt.words}")
    return path


def truth_of(world: World) -> Truth:
    """The truth as a backtest reads it."""
    truth = Truth()
    for place, day, state in world.ground.rows():
        truth.places.setdefault(place, {})[dt.date.fromisoformat(day).toordinal()] = state
    truth.places = dict(sorted(truth.places.items()))
    return truth


def scores(
    path: Path, truth: Truth, logics: Sequence[Loaded], name: str, *, baselines: bool = True
) -> list[Row]:
    """A row for each logic and each baseline, in both modes, on the set of that name. The seconds of a logic
    are those of replaying it, asking and scoring it in both modes."""
    rows = []
    with Desk(path, logic="tally", now=generator.WRITTEN) as desk:
        for loaded in logics:
            start = perf_counter()
            done = backtest(desk, [loaded], truth, QUESTION, desk.known(None))
            seconds = perf_counter() - start
            for one in done.results:
                rows.append(row(name, loaded.logic.id, one.mode, one.measured.point, seconds))
        return rows + (_baselines(desk, truth, name) if baselines else [])


def _baselines(desk: Desk, truth: Truth, name: str) -> list[Row]:
    states = states_of(desk.directory, QUESTION)
    first, last = truth.days
    days = range(first, last + 1)
    cast = votes([desk.case(place, QUESTION) for place in truth.places])
    rows = []
    for method, baseline in BASELINES.items():
        for mode in (FILTER, HINDSIGHT):
            start = perf_counter()
            beliefs = baseline(cast, days, mode == FILTER)
            seconds = perf_counter() - start
            marks = []
            for place, known in truth.places.items():
                dates, said = list(known), [states.index(state) for state in known.values()]
                own = beliefs[place][dates[0] - first : dates[-1] - first + 1]
                marks.append(measures.mark(own, dates, said, detecting=mode == FILTER))
            found = Sheet(marks).figures(np.ones((1, len(marks))))
            point = {measure: float(value[0]) for measure, value in found.items()}
            rows.append(row(name, method, mode, point, seconds))
    return rows


def row(name: str, method: str, mode: str, point: dict[str, float], seconds: float | None = None) -> Row:
    """One line of figures; None where there is nothing to measure."""
    found = {shown: _number(point[measure]) for shown, measure in MEASURES.items()}
    return {"bench": "belief", "set": name, "method": method, "mode": mode, **found, "seconds": seconds}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def averaged(rows: Iterable[Row]) -> list[Row]:
    """Rows of one set, mode and method as one: means of the figures, their standard deviations as
    ``accuracy_sd`` and so on where there are two or more, ``runs`` for how many rows they were. What is None in
    some is left out of the mean."""
    alike: defaultdict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for one in rows:
        alike[one["set"], one["mode"], one["method"]].append(one)
    return [_average(some) if len(some) > 1 else some[0] for some in alike.values()]


def _average(rows: Sequence[Row]) -> Row:
    out = dict(rows[0])
    for name in (*MEASURES, "seconds"):
        found = [one[name] for one in rows if one.get(name) is not None]
        out[name] = fmean(found) if found else None
        out[f"{name}_sd"] = stdev(found) if len(found) > 1 else None
    return {**out, "runs": len(rows)}
