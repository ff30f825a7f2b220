"""Backtests: what logics believed of places, held against known truth (schema ``backtest/1``).

Every logic is scored in two modes on the same days: as *filter*, each day from what was known by its end, and in
*hindsight*, every day from what is known by one moment. ``measures`` says what is measured, ``truth`` what
truth is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ledger.clocks import iso
from ledger.errors import Usage
from projections import intervals, measures
from projections.belief.base import jsonable
from projections.belief.tally import DAY_US, EPOCH
from projections.desk import Clocks, Desk
from projections.intervals import MEASURES, Bin, Estimate, Measured, Sheet
from projections.panels import Progress, unheard
from projections.registry import Loaded
from projections.truth import Truth
from projections.viewpoint import Viewpoint

FILTER, HINDSIGHT = "filter", "hindsight"
MODES = (FILTER, HINDSIGHT)
#: With fewer places an interval says little (an assumption).
FEW_PLACES = 10


@dataclass(frozen=True)
class Result:
    """One logic in one mode."""

    loaded: Loaded
    mode: str
    sheet: Sheet
    measured: Measured

    @property
    def bins(self) -> list[Bin]:
        return intervals.reliability(self.sheet, self.measured)


@dataclass(frozen=True)
class Backtest:
    """All results, logics in the order given, the filter of each before its hindsight."""

    truth: Truth
    states: tuple[str, ...]
    known: int
    results: tuple[Result, ...]

    def differences(self) -> list[tuple[Result, Result]]:
        """(later, first): every further logic beside the first one, mode by mode."""
        first = {one.mode: one for one in self.results if one.loaded is self.results[0].loaded}
        return [(one, first[one.mode]) for one in self.results if one is not first[one.mode]]


def check_names(logics: Sequence[Loaded]) -> None:
    """Raises ``Usage`` where two logics could not be told apart."""
    names = [one.logic.id for one in logics]
    for name in names:
        if names.count(name) > 1:
            raise Usage(
                f"two logics are called {name}", remedy="name each once, or give one another name or version"
            )


def backtest(
    desk: Desk,
    logics: Sequence[Loaded],
    truth: Truth,
    question: str,
    known: int,
    progress: Progress = unheard,
) -> Backtest:
    """Score every logic on every row of the truth; ``known`` is the moment of hindsight.

    Between a place's first and last row its beliefs are asked for on every day, for what changes from day to
    day. Raises ``ReplayDue`` where a logic's view was made by other code.
    """
    points = [Viewpoint(desk, loaded, question) for loaded in logics]
    states = points[0].states
    marks: dict[tuple[int, str], list[measures.Marks]] = {
        (n, mode): [] for n in range(len(points)) for mode in MODES
    }
    for done, (place, days) in enumerate(truth.places.items()):
        progress("backtest", done, len(truth.places))
        dates, said = list(days), [states.index(state) for state in days.values()]
        span = range(dates[0], dates[-1] + 1)
        for n, point in enumerate(points):
            then, later = point.then(place, span), point.known(place, span, known)
            marks[n, FILTER].append(measures.mark(then, dates, said))
            marks[n, HINDSIGHT].append(measures.mark(later, dates, said, detecting=False))
    progress("backtest", len(truth.places), len(truth.places))
    sheets = [Sheet(one) for one in marks.values()]
    results = (
        Result(logics[n], mode, sheet, measured)
        for (n, mode), sheet, measured in zip(marks, sheets, intervals.measure(sheets), strict=True)
    )
    return Backtest(truth, states.names, known, tuple(results))


# -- the answer --------------------------------------------------------------------------------------------


def answer(desk: Desk, done: Backtest, question: str) -> dict[str, Any]:
    """A backtest as plain values (schema ``backtest/1``)."""
    today = desk.known(None) // DAY_US + EPOCH
    header = desk.header("backtest/1", Clocks(today, done.known, desk.head, diagonal=False))
    del header["as_of"], header["logic"]  # of many days, and of several logics
    logics = {id(one.loaded): one.loaded.to_dict() for one in done.results}
    return {
        **header,
        "question": question,
        "states": list(done.states),
        "logics": list(logics.values()),
        "truth": _truth(done),
        "assumptions": {
            "bins": measures.BINS,
            "log_floor": measures.LOG_FLOOR,
            "detected_at": measures.DETECTED_AT,
            "flip_tolerance": measures.FLIP_TOLERANCE,
            "resamples": intervals.RESAMPLES,
            "seed": intervals.SEED,
            "level": intervals.LEVEL,
        },
        "results": [_result(one) for one in done.results],
        "differences": [_difference(*pair) for pair in done.differences()],
        "notes": _notes(done),
    }


def _truth(done: Backtest) -> dict[str, Any]:
    truth, sheet = done.truth, done.results[0].sheet
    first, last = truth.days
    return {
        "rows": truth.rows,
        "places": len(truth.places),
        "first_day": iso(first),
        "last_day": iso(last),
        "states": dict(zip(done.states, map(int, sheet.total("of_state")), strict=True)),
        "changes": int(sheet.total("changes")[0]),
        "place_years": jsonable(float(sheet.total("years")[0])),
        "repeated": truth.repeated,
        "skipped": truth.skipped,
    }


def _result(one: Result) -> dict[str, Any]:
    rows, known = (int(one.sheet.total(name)[0]) for name in ("rows", "known"))
    return {
        "logic": one.loaded.to_dict(),
        "mode": one.mode,
        "rows": rows,
        "places": len(one.sheet.sums["rows"]),
        "unknown": rows - known,
        **{name: _estimate(one.measured.estimate(name)) for name in MEASURES},
        "changes_detected": int(one.sheet.total("detected")[0]) if one.mode == FILTER else None,
        "flips": int(one.sheet.total("flips")[0]),
        "flips_false": int(one.sheet.total("false_flips")[0]),
        "bins": [_bin(one) for one in one.bins],
    }


def _difference(second: Result, first: Result) -> dict[str, Any]:
    found = {name: intervals.difference(second.measured, first.measured, name) for name in MEASURES}
    return {
        "logic": second.loaded.to_dict(),
        "against": first.loaded.to_dict(),
        "mode": second.mode,
        **{name: _estimate(one) | {"clear": one.clear} for name, one in found.items()},
    }


def _estimate(one: Estimate) -> dict[str, Any]:
    return {"value": jsonable(one.value), "low": jsonable(one.low), "high": jsonable(one.high)}


def _bin(one: Bin) -> dict[str, Any]:
    return {
        "over": one.over,
        "to": one.to,
        "rows": one.rows,
        "confidence": jsonable(one.confidence),
        "accuracy": _estimate(one.right),
    }


def _notes(done: Backtest) -> list[str]:
    """What somebody who cites a figure should know of it."""
    truth, notes = done.truth, []
    if len(truth.places) == 1:
        notes.append("one place only: there are no intervals, they come from drawing places")
    elif len(truth.places) < FEW_PLACES:
        notes.append(f"{len(truth.places)} places only: the intervals are rough")
    if done.results[0].sheet.total("changes")[0] == 0:
        notes.append("the truth never changes: nothing can be detected")
    ahead = sum(day > done.known // DAY_US + EPOCH for days in truth.places.values() for day in days)
    if ahead:
        notes.append(
            f"{ahead:,} of {truth.rows:,} days lie after the moment of hindsight: it foresees them, like a forecast"
        )
    silent = [one for one in done.results if one.sheet.total("known")[0] == 0]
    notes += [f"{one.loaded.logic.id} believes nothing of any of these days ({one.mode})" for one in silent]
    return notes
