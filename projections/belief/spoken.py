"""What speaks about one place and question, by day: the evidence that a chain filters.

Two kinds of thing speak, each under a key by which the caller can take it back:

* a *contribution*: on a day, ln p(what was said | state) for each state;
* a *display*: from one day to another, the rate at which it would have given itself away under each state.

Whatever says the same under every state says nothing: it is remembered, but no breakpoint of the chain.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from projections.belief.labels import Vector
from projections.belief.motion import Rates

Key = Hashable
"""Names an utterance, a ruling, a piece of evidence or a display: whatever the caller can take back."""

Logs = tuple[float, ...]
"""Natural logs, one for each state."""

Contributions = Iterable[tuple[int, Sequence[float] | Vector]]
"""(day, ln p(what was said | state) for each state), any number of days."""

Span = tuple[int, int] | None
"""The first and last day that a change concerns; None when it concerns none."""


class Display(NamedTuple):
    """In force from day ``lo`` to day ``hi``; it acts on the time between them."""

    lo: int
    hi: int
    rates: Rates

    @property
    def acts(self) -> bool:
        return self.lo < self.hi and speaks(self.rates)


class Spoken:
    """Contributions and displays of ``size`` states, and the days on which something begins or ends.

    Every change returns the span of days it concerns. ``ValueError`` is raised for vectors of the wrong
    length or not finite, and for displays that end before they begin or have negative rates.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.contributions: dict[Key, dict[int, Logs]] = {}
        self.displays: dict[Key, Display] = {}
        self.on: dict[int, dict[Key, Logs]] = {}
        self.starting: dict[int, dict[Key, None]] = {}
        self.ending: dict[int, dict[Key, None]] = {}
        self.days: list[int] = []
        """The breakpoints, ascending."""

    def set(self, key: Key, contributions: Contributions) -> Span:
        """Put a key's contributions in place of those it had; several a day add up, none removes them."""
        by_day = self.by_day(contributions)
        span = self.unset(key)
        if by_day:
            self.contributions[key] = by_day
        for day, logs in by_day.items():
            if speaks(logs):
                self._put(self.on, day, key, logs)
                span = _wider(span, day, day)
        return span

    def unset(self, key: Key) -> Span:
        """Take a key's contributions away."""
        span = None
        for day, logs in self.contributions.pop(key, {}).items():
            if speaks(logs):
                self._take(self.on, day, key)
                span = _wider(span, day, day)
        return span

    def hold(self, key: Key, lo: int, hi: int, rates: Sequence[float] | Vector) -> Span:
        """Put a display in place of the one that the key had."""
        display = Display(lo, hi, self.vector(rates))
        if hi < lo or min(display.rates) < 0:
            raise ValueError(f"a display from day {lo} to {hi} with rates {display.rates} cannot be")
        span = self.release(key)
        self.displays[key] = display
        if display.acts:
            self._put(self.starting, lo, key, None)
            self._put(self.ending, hi, key, None)
            span = _wider(span, lo, hi)
        return span

    def release(self, key: Key) -> Span:
        """Take a key's display away."""
        display = self.displays.pop(key, None)
        if display is None or not display.acts:
            return None
        self._take(self.starting, display.lo, key)
        self._take(self.ending, display.hi, key)
        return display.lo, display.hi

    def evidence(self, day: int) -> Logs:
        """The sum of a day's contributions."""
        said = self.on.get(day)
        return summed(said.values(), self.size) if said else (0.0,) * self.size

    def active_from(self, day: int, active: tuple[Key, ...]) -> tuple[Key, ...]:
        """The displays in force from ``day`` on, given those in force just before it."""
        ending = self.ending.get(day, ())
        return (*(key for key in active if key not in ending), *self.starting.get(day, ()))

    def rates(self, keys: Collection[Key]) -> Rates:
        """The rates of several displays added up; ``()`` for none."""
        return summed([self.displays[key].rates for key in keys], self.size) if keys else ()

    def by_day(self, contributions: Contributions) -> dict[int, Logs]:
        """Checked contributions, those of one day added up."""
        by_day: dict[int, Logs] = {}
        for day, values in contributions:
            logs = self.vector(values)
            by_day[day] = summed([by_day[day], logs], self.size) if day in by_day else logs
        return by_day

    def vector(self, values: Sequence[float] | Vector) -> Logs:
        """Checked numbers, one for each state."""
        numbers = tuple(map(float, values.tolist() if isinstance(values, np.ndarray) else values))
        if len(numbers) != self.size or not all(map(math.isfinite, numbers)):
            raise ValueError(f"expected {self.size} finite numbers, one for each state, not {numbers}")
        return numbers

    def _put(self, where: dict[int, dict[Key, Any]], day: int, key: Key, what: Any) -> None:
        where.setdefault(day, {})[key] = what
        index = bisect_left(self.days, day)
        if index == len(self.days) or self.days[index] != day:
            self.days.insert(index, day)

    def _take(self, where: dict[int, dict[Key, Any]], day: int, key: Key) -> None:
        del where[day][key]
        if not where[day]:
            del where[day]
        if not (day in self.on or day in self.starting or day in self.ending):
            del self.days[bisect_left(self.days, day)]


def speaks(values: Sequence[float]) -> bool:
    """Whether a vector tells any state from another."""
    return min(values) != max(values)


def summed(vectors: Collection[Logs], size: int) -> Logs:
    """The sum, rounded once, so that it does not depend on the order of the vectors."""
    if len(vectors) == 1:
        return next(iter(vectors))
    return tuple(map(math.fsum, zip(*vectors, strict=True))) if vectors else (0.0,) * size


def first_day(
    spoken: Spoken, without: Collection[Key], instead: Mapping[Key, Mapping[int, Logs]]
) -> int | None:
    """The first day that anything speaks, were some keys left out and others replaced; None if never."""
    new = [day for by_day in instead.values() for day, logs in by_day.items() if speaks(logs)]
    for day in spoken.days:
        if any(key not in without and key not in instead for key in spoken.on.get(day, ())) or any(
            key not in without for key in spoken.starting.get(day, ())
        ):
            return min(day, *new) if new else day
    return min(new, default=None)


def _wider(span: Span, lo: int, hi: int) -> tuple[int, int]:
    return (lo, hi) if span is None else (min(span[0], lo), max(span[1], hi))
