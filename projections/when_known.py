"""When did we know? What is now believed of the past, beside what was believed at the time.

Two paths of beliefs over the same days: *now*, from everything known by one moment, and *then*, each day from
what was known by its end. They run from the first day that anything speaks of to the last on which something
became known or begins to count; after it nothing but time acts. Their last days agree where nothing is known
of days to come.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ledger.clocks import iso
from projections.belief.assembly import Assembly
from projections.belief.base import UNKNOWN, Logic, jsonable
from projections.belief.chain import Chain
from projections.belief.paths import Days, Diagonal, Rows, known_by
from projections.belief.tally import diagonal
from projections.blobs import Knot
from projections.case import Case, day_of
from projections.neighbours import Around
from projections.viewpoint import top


@dataclass(frozen=True)
class Paths:
    """The days, ascending without gaps, and the beliefs of each: shape (days, states), NaN where unknown.
    ``heard`` is the index of the first day on which anything was known."""

    days: Days
    now: Rows
    then: Rows
    heard: int

    @classmethod
    def of(
        cls,
        case: Case,
        logic: Logic,
        known: int,
        around: Around | None = None,
        case_of: Callable[[str], Case] | None = None,
    ) -> Paths | None:
        """The paths of a case as known by a moment; None where nothing was. For logics with a filter only.

        Where the neighbours ``around`` it count, ``case_of`` has their cases, and the days go on to the last on
        which something became known of any of them.
        """
        own = _Heard.of(case, logic, known)
        if not own.knots:
            return None
        near = around.near(case.place) if around is not None and case_of is not None else ()
        heard = {one.place: _Heard.of(case_of(one.place), logic, known) for one in near if case_of}
        first = min([own.knots[0].since, *own.chain.days[:1]])
        last = max(knot.since for one in (own, *heard.values()) for knot in one.knots[-1:])
        days = np.arange(first, last + 1)
        now, then = own.now(days), own.then(days)
        if around is not None and heard:
            now = around.lift(case.place, now, "now", lambda one: heard[one].now(days))
            then = around.lift(case.place, then, "then", lambda one: heard[one].then(days))
        return cls(days, now, then, own.knots[0].since - first)


@dataclass(frozen=True)
class _Heard:
    """What was heard of one place by a moment, and what was believed of it on the way."""

    case: Case
    logic: Logic
    known: int
    knots: Sequence[Knot]
    chain: Chain

    @classmethod
    def of(cls, case: Case, logic: Logic, known: int) -> _Heard:
        knots = [knot for knot in diagonal(case, logic)[0] if knot.since <= day_of(known)]
        return cls(case, logic, known, knots, Assembly.known_by(case, logic, known).chain)

    def now(self, days: Days) -> Rows:
        return known_by(self.chain, days, self.known)

    def then(self, days: Days) -> Rows:
        rows = Diagonal(self.case.states, self.logic).rows(self.knots, days)
        if days[-1] == day_of(self.known):
            rows[-1] = self.now(days[-1:])[0]  # the day is not over: nothing of its rest counts
        return rows


@dataclass(frozen=True, slots=True)
class Run:
    """A maximal stretch of days, by index, with one believed state; −1 is unknown."""

    state: int
    first: int
    last: int


def runs(believed: NDArray[np.intp]) -> list[Run]:
    """The stretches of a path of believed states, in order."""
    starts = [0, *(np.flatnonzero(np.diff(believed)) + 1).tolist()] if len(believed) else []
    ends = [*(start - 1 for start in starts[1:]), len(believed) - 1]
    return [Run(int(believed[a]), a, b) for a, b in zip(starts, ends, strict=False)]


def when_did_we_know(case: Case, paths: Paths | None) -> dict[str, Any]:
    """How late we were, in days: for the state believed at the end, and for each earlier one.

    ``so_since``: the first day of the run of days, up to the last, of which the state is now believed.
    ``believed_since``: the first day of the run over which it was believed then, without a break up to the
    last day. ``lag_days`` is how many days the second lies after the first; below 0 we believed it before it
    is now believed to have been so. ``known_first``: the first day since ``so_since`` on which it was believed
    then, whether or not that lasted. ``changes``: every run that is now believed, with the first day of it on
    which it was believed then and how far into it; None where it was over before anybody here believed it.
    """
    answer: dict[str, Any] = dict.fromkeys(
        ("state", "so_since", "believed_since", "known_first", "lag_days"), None
    ) | {"changes": []}
    if paths is None:
        return answer
    now, then = top(paths.now), top(paths.then)
    seen, held = runs(now), runs(then)
    answer["changes"] = [_change(run, then, paths.days, case) for run in seen if run.state >= 0]
    last = seen[-1]
    if last.state < 0:
        return answer
    answer["state"] = case.states.names[last.state]
    answer["so_since"] = answer["changes"][-1]["from"]
    answer["known_first"] = answer["changes"][-1]["known_first"]
    if held[-1].state == last.state:
        answer["believed_since"] = iso(int(paths.days[held[-1].first]))
        answer["lag_days"] = held[-1].first - last.first
    return answer


def _change(run: Run, then: NDArray[np.intp], days: Days, case: Case) -> dict[str, Any]:
    noticed = np.flatnonzero(then[run.first : run.last + 1] == run.state)
    lag = int(noticed[0]) if len(noticed) else None
    return {
        "state": case.states.names[run.state],
        "from": iso(int(days[run.first])),
        "to": iso(int(days[run.last])),
        "known_first": None if lag is None else iso(int(days[run.first]) + lag),
        "lag_days": lag,
    }


def believed_then(case: Case, paths: Paths | None) -> list[dict[str, Any]]:
    """Stretches of days over which the same state was believed then, from the first day on which anything was
    known, with its probability on their first and last day."""
    if paths is None:
        return []
    days, rows = paths.days[paths.heard :], paths.then[paths.heard :]
    names = (*case.states.names, UNKNOWN)
    return [
        {
            "from": iso(int(days[run.first])),
            "to": iso(int(days[run.last])),
            "believed": names[run.state],
            "p_first": _p(rows[run.first], run.state),
            "p_last": _p(rows[run.last], run.state),
        }
        for run in runs(top(rows))
    ]


def _p(row: Rows, state: int) -> Any:
    return None if state < 0 else jsonable(float(row[state]))
