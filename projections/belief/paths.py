"""Beliefs over many days at once: arrays of shape (days, states), NaN where nothing is believed.

What ``read_knot`` and ``judge`` say of one day, for a stretch of them, and where two such stretches part.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from projections.belief.base import UNKNOWN, Logic
from projections.belief.chain import Chain
from projections.belief.labels import States
from projections.belief.motion import Motion, Rates, motion
from projections.belief.tally import end_of, judge
from projections.blobs import Knot
from projections.case import Case

Rows = NDArray[np.float64]
Days = NDArray[np.int64]

#: Sets of displays whose motion is kept at once.
_KEPT = 1_000


class Diagonal:
    """Reads "known then" off knots, for every place of a question under one logic."""

    def __init__(self, states: States, logic: Logic) -> None:
        self.motion = motion(states, logic.params)

    def rows(self, knots: Sequence[Knot], days: Days) -> Rows:
        """The beliefs on ``days``, ascending."""
        out = np.full((len(days), self.motion.size), np.nan)
        at = np.searchsorted([knot.since for knot in knots], days, side="right") - 1
        told = {n: knots[n] for n in np.unique(at).tolist() if n >= 0 and knots[n].belief}
        for rates, asked in _alike({n: knot.rates for n, knot in told.items()}, at):
            here = at[asked].tolist()
            belief = np.array([told[n].belief for n in here])
            moved = _moved(self.motion).over(rates, days[asked] - [told[n].at for n in here])
            out[asked] = np.einsum("di,dij->dj", belief, moved)
        return np.asarray(out / out.sum(axis=1, keepdims=True))


def known_by(chain: Chain, days: Days, known: int) -> Rows:
    """The beliefs on ``days``, ascending, from one moment's knowledge, all of which the chain has and no more:
    hindsight for days over by then, else what was foreseen."""
    over = known > np.array([end_of(day) for day in days.tolist()], dtype=np.int64)
    if chain.motion.static:
        return _one_by_one(chain, days, over)
    out = np.full((len(days), chain.motion.size), np.nan)
    turns = np.array(chain.days, dtype=np.int64)
    at = np.searchsorted(turns, days, side="right") - 1
    points = {n: chain.point(n) for n in np.unique(at).tolist() if n >= 0}
    seen = {n: chain.seen(n + 1) for n in np.unique(at[over]).tolist() if 0 <= n < len(turns) - 1}
    for rates, asked in _alike({n: point.rates for n, point in points.items()}, at):
        after = np.exp([points[n].after for n in at[asked].tolist()])
        moved = _moved(chain.motion).over(rates, days[asked] - turns[at[asked]])
        out[asked] = np.einsum("di,dij->dj", after, moved)
        back = asked[over[asked] & (at[asked] < len(turns) - 1)]
        likely = np.exp([seen[n] for n in at[back].tolist()]).reshape(-1, chain.motion.size)
        moved = _moved(chain.motion).over(rates, turns[(at[back] + 1)] - days[back])
        out[back] *= np.einsum("dij,dj->di", moved, likely)
    return np.asarray(out / out.sum(axis=1, keepdims=True))


class _Moved:
    """What stretches of days do to beliefs: matrices of motion, kept by displays and length."""

    def __init__(self, motion: Motion) -> None:
        self.motion = motion
        self._found: dict[Rates, Rows] = {}

    def over(self, rates: Rates, lengths: Days) -> Rows:
        """The matrices for stretches of so many days each, up to a factor; shape (stretches, states, states)."""
        longest = int(lengths.max(initial=0))
        found = self._found.get(rates)
        if found is None or len(found) <= longest:
            if len(self._found) >= _KEPT:
                self._found.clear()
            size = max(longest + 1, 2 * len(found) if found is not None else 0)
            found = np.array([self.motion.scaled(days, rates)[0] for days in range(size)])
            self._found[rates] = found
        return np.asarray(found[lengths])


@lru_cache(maxsize=16)
def _moved(motion: Motion) -> _Moved:
    """Shared by every place of a question."""
    return _Moved(motion)


def _alike(rates: Mapping[int, Rates], at: Days) -> Iterator[tuple[Rates, Days]]:
    """The indices of the days that stand under numbers of the same rates."""
    alike: dict[Rates, list[int]] = {}
    for n, one in rates.items():
        alike.setdefault(one, []).append(n)
    for one, numbers in alike.items():
        yield one, np.flatnonzero(np.isin(at, numbers))


def _one_by_one(chain: Chain, days: Days, over: NDArray[np.bool_]) -> Rows:
    """Where nothing moves, evidence adds up without bound; the chain's own logs bear that."""
    out = np.full((len(days), chain.motion.size), np.nan)
    for row, day in enumerate(days.tolist()):
        if not chain.empty(day):
            out[row] = chain.smoothed(day) if over[row] else chain.filtered(day)
    return out


def parting(one: Sequence[Knot], other: Sequence[Knot], first: int, last: int) -> Days:
    """The days from ``first`` to ``last`` on which two paths of knots under one motion need not be the same."""
    if [_path(knot) for knot in one] == [_path(knot) for knot in other]:
        return np.array([], dtype=np.int64)
    sinces = [[knot.since for knot in knots] for knots in (one, other)]
    turns = sorted({day for since in sinces for day in since if first < day <= last} | {first})
    parted = []
    for turn, following in zip(turns, [*turns[1:], last + 1], strict=True):
        here = [bisect_right(since, turn) - 1 for since in sinces]
        mine, theirs = (
            _path(knots[n])[1:] if n >= 0 else _NOTHING for knots, n in zip((one, other), here, strict=True)
        )
        if mine != theirs:
            parted.append(np.arange(turn, following))
    return np.concatenate(parted) if parted else np.array([], dtype=np.int64)


_NOTHING: tuple[int, tuple[float, ...], Rates] = (0, (), ())


def _path(knot: Knot) -> tuple[int, int, tuple[float, ...], Rates]:
    """What a knot says of the days to come, and from when on; one that says nothing is alike at any time."""
    return (knot.since, knot.at if knot.belief else 0, knot.belief, knot.rates)


def judged(case: Case, logic: Logic, days: Days, known: Callable[[int], int]) -> Rows:
    """A logic that judges by itself, asked on every day from what was ``known(day)``."""
    out = np.full((len(days), len(case.states)), np.nan)
    for row, day in enumerate(days.tolist()):
        verdict = judge(case, logic, day, known(day))
        if verdict.believed != UNKNOWN:
            out[row] = list(verdict.probabilities.values())
    return out


def apart(one: Rows, other: Rows) -> NDArray[np.float64]:
    """The total variation distance of each pair of rows, from 0 to 1. Who believes nothing holds every state
    equally likely."""
    even = 1 / one.shape[1]
    filled = [np.where(np.isnan(rows), even, rows) for rows in (one, other)]
    return np.asarray(np.abs(filled[0] - filled[1]).sum(axis=1) / 2)
