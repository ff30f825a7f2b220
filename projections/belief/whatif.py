"""What would be believed had some of it never been said: many variants of one chain, side by side.

Every variant is a row of the same matrices, so fifty of them cost little more than one. They share a grid of
days (all breakpoints, all days asked about); a variant that lacks a breakpoint passes it unmoved, since
motion over two parts of a stretch is motion over the whole of it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.belief.motion import Matrix, Motion, Rates
from projections.belief.spoken import Contributions, Display, Key, Logs, first_day, summed

if TYPE_CHECKING:
    from projections.belief.chain import Chain

_AT_ONCE = 4_000_000
"""How many likelihoods are held at once (32 MB); more scenarios than that take turns."""


class _Change(NamedTuple):
    """What one scenario does otherwise than the chain."""

    without: frozenset[Key]
    instead: dict[Key, dict[int, Logs]]
    held: dict[Key, Display]


def leave_out(
    chain: Chain,
    exclusions: Sequence[Collection[Key]],
    days: Sequence[int],
    hindsight: bool,
    alternates: Mapping[int, Mapping[Key, Contributions]],
    held: Mapping[int, Mapping[Key, Display]],
) -> NDArray[np.float64]:
    """See ``Chain.leave_out``."""
    size = chain.motion.size
    out = np.empty((len(exclusions), len(days), size))
    if not out.size:
        return out
    at_once = max(1, _AT_ONCE // ((len(chain.spoken.days) + len(days)) * size))
    for first in range(0, len(exclusions), at_once):
        part = range(first, min(first + at_once, len(exclusions)))
        changes = [_change(chain, exclusions[s], alternates.get(s, {}), held.get(s, {})) for s in part]
        out[part.start : part.stop] = _Scenarios(chain, changes, days, hindsight).run()
    return out


def _change(
    chain: Chain,
    without: Collection[Key],
    alternates: Mapping[Key, Contributions],
    held: Mapping[Key, Display],
) -> _Change:
    instead = {key: chain.spoken.by_day(new) for key, new in alternates.items()}
    return _Change(frozenset(without), instead, dict(held))


class _Step:
    """The motion over one stretch of the grid; rows whose displays differ have matrices of their own."""

    def __init__(
        self, motion: Motion, dt: int, rates: Rates, groups: Sequence[tuple[list[int], Rates]]
    ) -> None:
        self.all = motion.scaled(dt, rates)[0]
        self.groups = [(rows, motion.scaled(dt, own)[0]) for rows, own in groups]

    def forward(self, belief: Matrix) -> Matrix:
        moved = belief @ self.all
        for rows, matrix in self.groups:
            moved[rows] = belief[rows] @ matrix
        return moved

    def backward(self, later: Matrix) -> Matrix:
        moved = later @ self.all.T
        for rows, matrix in self.groups:
            moved[rows] = later[rows] @ matrix.T
        return moved


class _Scenarios:
    """One run: all passes over arrays of shape (scenarios, states)."""

    def __init__(
        self, chain: Chain, changes: Sequence[_Change], days: Sequence[int], hindsight: bool
    ) -> None:
        self.chain, self.changes, self.days, self.hindsight = chain, changes, days, hindsight
        horizon = math.inf if hindsight else max(days)
        grid = {*chain.spoken.days, *days}
        grid.update(day for each in changes for by_day in each.instead.values() for day in by_day)
        ends = {day for each in changes for new in each.held.values() if new.acts for day in (new.lo, new.hi)}
        grid |= ends
        self.turns = {*chain.spoken.starting, *chain.spoken.ending, *ends}
        self.grid = sorted(day for day in grid if day <= horizon)
        self.at = {day: i for i, day in enumerate(self.grid)}
        self.asked = {self.at[day] for day in days}
        self.starts = np.array([self._start(each) for each in changes])
        self.shape = (len(changes), chain.motion.size)

    def run(self) -> NDArray[np.float64]:
        """Beliefs, shape (scenarios, days, states)."""
        logs = self._evidence()
        if self.chain.motion.static:
            kept = self._added_up(logs)
        else:
            logs -= logs.max(axis=2, keepdims=True)
            likelihood = np.exp(logs, out=logs)
            steps = [_Step(self.chain.motion, *stretch) for stretch in self._stretches()]
            kept = self._forward(likelihood, steps)
            if self.hindsight:
                self._backward(likelihood, steps, kept)
        for i, belief in kept.items():
            belief /= belief.sum(axis=1, keepdims=True)
            belief[self.starts > i] = 1 / self.shape[1]
        return np.stack([kept[self.at[day]] for day in self.days], axis=1)

    def _forward(self, likelihood: NDArray[np.float64], steps: list[_Step]) -> dict[int, Matrix]:
        """α by place in the grid, for the days asked about."""
        uniform, latest, kept = 1 / self.shape[1], int(self.starts.max()), {}
        belief = np.full(self.shape, uniform)
        for i in range(max(self.asked) + 1):
            if i:
                belief = steps[i - 1].forward(belief)
            if i <= latest:
                # The prior of a scenario that begins here, or has not begun yet.
                belief[self.starts >= i] = uniform
            belief *= likelihood[i]
            belief /= np.add.reduce(belief, axis=1, keepdims=True)
            if i in self.asked:
                kept[i] = belief.copy()
        return kept

    def _backward(self, likelihood: NDArray[np.float64], steps: list[_Step], kept: dict[int, Matrix]) -> None:
        """Multiply what was kept by β."""
        later = np.ones(self.shape)
        for i in range(len(self.grid) - 2, min(self.asked) - 1, -1):
            later = steps[i].backward(later * likelihood[i + 1])
            later /= np.add.reduce(later, axis=1, keepdims=True)
            if i in self.asked:
                kept[i] *= later

    def _added_up(self, logs: NDArray[np.float64]) -> dict[int, Matrix]:
        """Where nothing moves, evidence only adds up: as logs, since no motion renews what has vanished."""
        for i, (dt, rates, groups) in enumerate(self._stretches(), start=1):
            if rates:
                logs[i] -= np.multiply(rates, dt)
            for rows, own in groups:
                logs[i, rows] += np.multiply(np.subtract(rates, own or 0.0), dt)
        total = logs.cumsum(axis=0)
        total -= total.max(axis=2, keepdims=True)
        return {i: np.exp(total[-1 if self.hindsight else i]) for i in self.asked}

    def _start(self, change: _Change) -> int:
        """The place in the grid where a scenario begins; past its end when it has nothing."""
        day = first_day(self.chain.spoken, change.without | change.held.keys(), change.instead)
        begun = [new.lo for new in change.held.values() if new.acts] + ([] if day is None else [day])
        return self.at.get(min(begun), len(self.grid)) if begun else len(self.grid)

    def _evidence(self) -> NDArray[np.float64]:
        """What is said on every day of the grid in every scenario, shape (days, scenarios, states)."""
        spoken = self.chain.spoken
        logs = np.empty((len(self.grid), *self.shape))
        logs[:] = np.array([spoken.evidence(day) for day in self.grid])[:, None, :]
        for s, change in enumerate(self.changes):
            for key in change.without | change.instead.keys():
                for day, own in spoken.contributions.get(key, {}).items():
                    if day in self.at:
                        logs[self.at[day], s] -= own
            for by_day in change.instead.values():
                for day, new in by_day.items():
                    if day in self.at:
                        logs[self.at[day], s] += new
        return logs

    def _stretches(self) -> list[tuple[int, Rates, list[tuple[list[int], Rates]]]]:
        """(days, rates, rows with other rates) between neighbouring days of the grid."""
        spoken = self.chain.spoken
        lacking: dict[Key, list[int]] = {}
        for s, change in enumerate(self.changes):
            for key in (change.without | change.held.keys()) & spoken.displays.keys():
                lacking.setdefault(key, []).append(s)
        stretches = []
        active: tuple[Key, ...] = ()
        rates, groups = spoken.rates(active), self._groups(active, lacking, self.grid[0])
        for day, following in zip(self.grid, self.grid[1:], strict=False):
            if day in self.turns:
                active = spoken.active_from(day, active)
                rates, groups = spoken.rates(active), self._groups(active, lacking, day)
            stretches.append((following - day, rates, groups))
        return stretches

    def _groups(
        self, active: tuple[Key, ...], lacking: Mapping[Key, list[int]], day: int
    ) -> list[tuple[list[int], Rates]]:
        """Scenarios that lack some active displays or have others, put together by which, with their rates."""
        missing: dict[int, set[Key]] = {}
        for key in active:
            for s in lacking.get(key, ()):
                missing.setdefault(s, set()).add(key)
        others: dict[int, tuple[Rates, ...]] = {}
        for s, change in enumerate(self.changes):
            acting = tuple(new.rates for new in change.held.values() if new.acts and new.lo <= day < new.hi)
            if acting:
                others[s] = acting
        alike: dict[tuple[frozenset[Key], tuple[Rates, ...]], list[int]] = {}
        for s in sorted({*missing, *others}):
            alike.setdefault((frozenset(missing.get(s, ())), others.get(s, ())), []).append(s)
        return [(rows, self._rates(active, gone, own)) for (gone, own), rows in alike.items()]

    def _rates(self, active: tuple[Key, ...], gone: frozenset[Key], own: tuple[Rates, ...]) -> Rates:
        displays = self.chain.spoken.displays
        left = [displays[key].rates for key in active if key not in gone]
        return summed([*left, *own], self.chain.motion.size) if left or own else ()
