"""The belief about one place and question: an incremental forward-backward filter over days.

The hidden state moves by ``Motion``; contributions weigh in on days, displays act between days (``spoken``).
With α the belief after a day's evidence and A the motion from one breakpoint to the next,

    α ∝ (α · A) ∘ exp(contributions of the day),      β = A · (exp(contributions of the next day) ∘ β),

``filtered`` is α and ``smoothed`` is α∘β: forward-backward (Rabiner 1989), here with steps of any length in
continuous time. Rules:

* The prior is uniform on the first day that anything speaks (an assumption); before it nothing is believed.
* A day's contributions multiply after the motion into that day. The order in which they were set never
  matters, not even in the last bit.
* A display acts on the time from its first to its last day. What it showed when it was drawn is a
  contribution on its first day. Several at once add their rates.
* Whatever says the same under every state neither starts a chain nor moves it.
* Beliefs are kept as logs after every day's evidence, so thousands of claims on one day stay finite.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.belief import odds, whatif
from projections.belief.labels import Vector
from projections.belief.motion import Motion, Rates
from projections.belief.odds import Explanation
from projections.belief.spoken import Contributions, Display, Key, Logs, Span, Spoken

__all__ = ["Chain", "Contributions", "Display", "Explanation", "Key", "Point", "Snapshot"]


class Snapshot(NamedTuple):
    """A belief that can be carried forward without the chain, until something new is known.

    On any later day before ``until`` (None: for ever) the filtered belief is
    ``Motion.forward(belief, later - day, rates)``.
    """

    day: int
    belief: tuple[float, ...]
    rates: Rates
    until: int | None


class Point(NamedTuple):
    """A breakpoint of the forward pass: ln α before and after its evidence, and what is displayed from it on.

    ``before`` is up to a constant, ``after`` is normalised.
    """

    before: Logs
    after: Logs
    active: tuple[Key, ...]
    rates: Rates


class Chain:
    """The evidence on one place and question, and the beliefs that follow from it on any day.

    Days are ordinals (``date.toordinal``), vectors have one number for each state. Changing something on a
    day refilters only from that day on, and only when a belief is asked for. ``ValueError`` is raised for
    vectors of the wrong length or not finite, and for displays that cannot be.
    """

    def __init__(self, motion: Motion) -> None:
        self.motion = motion
        self.spoken = Spoken(motion.size)
        self._uniform: Logs = (-math.log(motion.size),) * motion.size
        self._ahead: list[Point] = []
        self._behind: list[Logs] = []  # ln β, from the last breakpoint backward

    def set(self, key: Key, contributions: Contributions) -> None:
        """Put a key's ``(day, log-likelihoods)`` in place of those it had.

        Several on one day add up; an empty list removes them.
        """
        self._forget(self.spoken.set(key, contributions))

    def hold(self, key: Key, lo: int, hi: int, rates: Sequence[float] | Vector) -> None:
        """Put a display in force from day ``lo`` to day ``hi`` in place of the one that the key had.

        ``rates``: under each state, how fast the display would give itself away, μ·(1 − p(label | state)) per
        day. A display of no length is remembered, but shows nothing.
        """
        self._forget(self.spoken.hold(key, lo, hi, rates))

    def drop(self, key: Key) -> None:
        """Take away a key's contributions and its display; nothing happens when it has none."""
        self._forget(self.spoken.unset(key))
        self._forget(self.spoken.release(key))

    def __contains__(self, key: object) -> bool:
        return key in self.spoken.contributions or key in self.spoken.displays

    @property
    def days(self) -> tuple[int, ...]:
        """The breakpoints in order: days of contributions, first and last days of displays."""
        return tuple(self.spoken.days)

    def empty(self, day: int) -> bool:
        """Whether nothing speaks on ``day`` or before it. Beliefs are then uniform, and mean nothing."""
        return self._index(day) < 0

    def later(self, day: int) -> list[int]:
        """The breakpoints after ``day``, in order."""
        return list(self.days[bisect_right(self.days, day) :])

    def filtered(self, day: int) -> Vector:
        """P(state on ``day`` | what speaks up to ``day``), shape (states,), sums to 1."""
        return _probabilities(self.alpha(day))

    def smoothed(self, day: int) -> Vector:
        """P(state on ``day`` | everything, later days included), shape (states,), sums to 1."""
        if self.empty(day):
            return _probabilities(self._uniform)
        return _probabilities(_normalised(map(float.__add__, self.alpha(day), self.beta(day))))

    def snapshot(self, day: int) -> Snapshot | None:
        """The belief at the last breakpoint up to ``day``, ready to be stored; None when ``empty``."""
        index = self._index(day)
        if index < 0:
            return None
        days, point = self.spoken.days, self.point(index)
        until = days[index + 1] if index + 1 < len(days) else None
        return Snapshot(days[index], tuple(_probabilities(point.after).tolist()), point.rates, until)

    def explain(self, day: int, a: int, b: int, *, hindsight: bool = False) -> Explanation:
        """Take ln(P(a)/P(b)) on ``day`` apart: of ``filtered`` or, with ``hindsight``, of ``smoothed``."""
        return odds.explain(self, day, a, b, hindsight)

    def leave_out(
        self,
        exclusions: Sequence[Collection[Key]],
        days: Sequence[int],
        *,
        hindsight: bool = False,
        alternates: Mapping[int, Mapping[Key, Contributions]] | None = None,
        held: Mapping[int, Mapping[Key, Display]] | None = None,
    ) -> NDArray[np.float64]:
        """The beliefs had some keys never spoken: shape (scenarios, days, states), each row sums to 1.

        ``exclusions[s]``: keys whose contributions and displays scenario ``s`` does without.
        ``alternates[s]``: contributions that scenario ``s`` has under a key, old or new, in place of the
        key's own (when a claim goes, its later repeat becomes the first); ``held[s]`` the same for displays.
        On days when nothing speaks yet in
        a scenario, its row is uniform. Compare with a scenario that excludes nothing: both are rounded alike.
        """
        return whatif.leave_out(self, exclusions, days, hindsight, alternates or {}, held or {})

    # The passes, for ``odds`` and ``whatif`` to walk along.

    def point(self, index: int) -> Point:
        """The forward pass at a breakpoint; filters from where it is still valid."""
        days, spoken = self.spoken.days, self.spoken
        while len(self._ahead) <= index:
            i = len(self._ahead)
            day = days[i]
            if i:
                _, after, active, rates = self._ahead[-1]
                before = self.move(after, day - days[i - 1], rates)
            else:
                before, active, rates = self._uniform, (), ()
            if day in spoken.starting or day in spoken.ending:
                active = spoken.active_from(day, active)
                rates = spoken.rates(active)
            evidence = map(float.__add__, before, spoken.evidence(day)) if day in spoken.on else before
            self._ahead.append(Point(before, _normalised(evidence), active, rates))
        return self._ahead[index]

    def alpha(self, day: int) -> Logs:
        """ln α on any day, up to a constant."""
        index = self._index(day)
        if index < 0:
            return self._uniform
        point = self.point(index)
        return self.move(point.after, day - self.spoken.days[index], point.rates)

    def beta(self, day: int) -> Logs:
        """ln β on any day that is not empty: what all later days say about it, up to a constant."""
        index, days = self._index(day), self.spoken.days
        if days[index] == day or index + 1 == len(days):
            return self._beta(index)
        return self.move(self.seen(index + 1), days[index + 1] - day, self.point(index).rates, back=True)

    def seen(self, index: int) -> Logs:
        """ln (evidence ∘ β) at a breakpoint: what it and all later days say, up to a constant."""
        evidence = self.spoken.evidence(self.spoken.days[index])
        return _normalised(map(float.__add__, self._beta(index), evidence))

    def move(self, logs: Logs, dt: int, rates: Rates, *, back: bool = False) -> Logs:
        """Logs of a belief (or, ``back``, of a likelihood) carried over ``dt`` days, up to a constant."""
        if dt == 0:
            return logs
        if self.motion.static:
            return tuple(x - r * dt for x, r in zip(logs, rates, strict=True)) if rates else logs
        return tuple(map(math.log, self.motion.carry(list(map(math.exp, logs)), dt, rates, back=back)))

    def _beta(self, index: int) -> Logs:
        """ln β at a breakpoint."""
        days = self.spoken.days
        last = len(days) - 1
        self.point(last)
        if not self._behind:
            self._behind.append(self._uniform)
        while len(self._behind) <= last - index:
            i = last - len(self._behind)
            span, rates = days[i + 1] - days[i], self._ahead[i].rates
            self._behind.append(self.move(self.seen(i + 1), span, rates, back=True))
        return self._behind[last - index]

    def _index(self, day: int) -> int:
        """The last breakpoint up to ``day``; −1 when there is none."""
        return bisect_right(self.spoken.days, day) - 1

    def _forget(self, span: Span) -> None:
        """Drop what followed from a span of days: α from its first day on, β up to its last.

        How many breakpoints lie before the span, and how many behind it, no change within it alters.
        """
        if span is not None:
            days = self.spoken.days
            del self._ahead[bisect_left(days, span[0]) :]
            del self._behind[len(days) - bisect_right(days, span[1]) :]


def _normalised(logs: Iterable[float]) -> Logs:
    """Logs of numbers that sum to 1."""
    values = list(logs)
    most = max(values)
    scale = most + math.log(sum([math.exp(x - most) for x in values]))
    return tuple([x - scale for x in values])


def _probabilities(logs: Logs) -> Vector:
    numbers = np.array([math.exp(x) for x in logs])
    return np.asarray(numbers / numbers.sum())
