"""The intervals over which two ways of believing differ about a place, and their totals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from projections.belief.attribution import Ask
from projections.belief.base import UNKNOWN, jsonable
from projections.belief.labels import States
from projections.belief.paths import Days, Rows, apart
from projections.viewpoint import top

#: Distances closer than this are alike: which is greater would be a matter of rounding.
_ALIKE = 1e-9


@dataclass(frozen=True, slots=True)
class Interval:
    """A maximal run of days on which ``old`` is believed on one side and ``new``, another state, on the other.

    ``day`` is the day on which the two are furthest apart (the first such); ``before`` and ``after`` are the
    probabilities on it, None where nothing is believed. ``difference`` is the total variation distance summed
    over the days.
    """

    place: str
    first: int
    last: int
    old: str
    new: str
    day: int
    before: tuple[float, ...] | None
    after: tuple[float, ...] | None
    difference: float

    @property
    def days(self) -> int:
        return self.last - self.first + 1

    def ask(self, states: States) -> Ask:
        """Which two states to explain the difference by: what is believed after against what was before. Where
        one side believes nothing, the other's state against its strongest rival."""
        state = states.index(self.old if self.new == UNKNOWN else self.new)
        if UNKNOWN not in (self.old, self.new):
            return Ask(self.day, state, states.index(self.old))
        known = self.before or self.after or ()
        others = [i for i in range(len(known)) if i != state]
        return Ask(self.day, state, max(others, key=lambda i: known[i], default=state))

    def nearby(self, states: States, nats: Rows, *, after: bool) -> float:
        """What ``nats``, those that neighbours add to the logs of the states on its day, shape (1, states), make
        of the log-odds asked for; 0 where nothing is believed on that side."""
        if (self.after if after else self.before) is None:
            return 0.0
        _, a, b = self.ask(states)
        return float(nats[0, a] - nats[0, b])


class Found(NamedTuple):
    """What comparing one place came to: how many days were compared, and the intervals that differ."""

    days: int
    intervals: list[Interval]


def differing(place: str, days: Days, old: Rows, new: Rows, states: States) -> list[Interval]:
    """The intervals of one place; ``days`` ascend, those left out are believed alike."""
    mine, theirs = top(old), top(new)
    changed = np.flatnonzero(mine != theirs)
    if not len(changed):
        return []
    distance = apart(old, new)
    goes_on = (
        (np.diff(days[changed]) == 1)
        & (mine[changed[1:]] == mine[changed[:-1]])
        & (theirs[changed[1:]] == theirs[changed[:-1]])
    )
    names = (*states.names, UNKNOWN)  # −1 is the last
    found = []
    for run in np.split(changed, np.flatnonzero(~goes_on) + 1):
        most = run[int(np.argmax(distance[run] >= distance[run].max() - _ALIKE))]
        found.append(
            Interval(
                place,
                int(days[run[0]]),
                int(days[run[-1]]),
                names[mine[run[0]]],
                names[theirs[run[0]]],
                int(days[most]),
                _row(old[most]),
                _row(new[most]),
                float(distance[run].sum()),
            )
        )
    return found


def _row(row: Rows) -> tuple[float, ...] | None:
    return None if np.isnan(row[0]) else tuple(row.tolist())


def by_size(intervals: Sequence[Interval]) -> list[Interval]:
    """The greatest difference first, then by place and day."""
    return sorted(intervals, key=lambda one: (-jsonable(one.difference), one.place, one.first))


def totals(intervals: Sequence[Interval], places: int, place_days: int) -> dict[str, Any]:
    """Everything counted, however few intervals are listed."""
    days = sum(one.days for one in intervals)
    pairs: Counter[tuple[str, str]] = Counter()
    lasting: Counter[tuple[str, str]] = Counter()
    for one in intervals:
        pairs[one.old, one.new] += 1
        lasting[one.old, one.new] += one.days
    return {
        "places": places,
        "places_changed": len({one.place for one in intervals}),
        "intervals": len(intervals),
        "days_changed": days,
        "place_days": place_days,
        "share_changed": jsonable(days / place_days if place_days else 0.0),
        "pairs": [
            {"from": old, "to": new, "intervals": pairs[old, new], "days": lasting[old, new]}
            for old, new in sorted(pairs, key=lambda pair: (-lasting[pair], pair))
        ],
    }
