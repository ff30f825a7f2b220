"""Everything that speaks of many spots, as arrays: what the learning engine reads, and nothing else.

A *spot* is one question at one place, a *step* a moment of a spot at which something speaks. Steps of all
spots lie one after the other; an observation falls on a step, a display acts on the time between two steps of
one spot. Ledger, names and dates are left behind: voices and labels are numbers here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from projections.learning.evidence import Evidence, Flags, Floats, Ints

FRESH, IMPLIED, UNIMPLIED = 0, 1, 2
"""``Corpus.copied``: nothing earlier to copy from; something that implies this label; something that does not."""


def _ints() -> Ints:
    return np.zeros(0, np.int64)


def _floats() -> Floats:
    return np.zeros(0)


def _kinds() -> NDArray[np.int8]:
    return np.zeros(0, np.int8)


def _flags() -> Flags:
    return np.zeros(0, np.bool_)


@dataclass(frozen=True, kw_only=True, eq=False)
class Corpus:
    """Many spots with the same ``size`` states. Arrays are taken over as they are; do not change them.

    ================= ============== =========================================================================
    first             (spots + 1,)   steps of spot i are first[i] up to first[i + 1]; a spot may have none
    day               (steps,)       when, a whole number in any unit, ascending strictly within a spot
    step              (n,)           the step that an observation falls on
    voice, label      (n,)           who says which label, numbered from 0
    weight            (n,)           exponent of its likelihood, above 0 (a doubt, a share of a vague date)
    copied            (n,)           ``FRESH``, ``IMPLIED`` or ``UNIMPLIED``; none given: all are fresh
    fixed             (steps, size)  log-likelihoods that are added as they are (rulings); none given: 0
    held_from/_to     (m,)           a display acts from one step to a later one of the same spot
    held_voice/_label (m,)           who displays what; its drawing is an observation of its own
    held_weight       (m,)           factor of its rate
    judged_step       (j,)           a step of which somebody ruled
    judged_states     (j, size)      under which states what was ruled is so
    slot              (spots,)       which of ``slots`` counts a spot, ascending; none given: all are in the first
    ================= ============== =========================================================================

    Raises ``ValueError`` for arrays that do not belong together or values out of range.
    """

    size: int
    first: Ints
    day: Ints
    step: Ints = field(default_factory=_ints)
    voice: Ints = field(default_factory=_ints)
    label: Ints = field(default_factory=_ints)
    weight: Floats = field(default_factory=_floats)
    copied: NDArray[np.int8] = field(default_factory=_kinds)
    fixed: Floats = field(default_factory=_floats)
    held_voice: Ints = field(default_factory=_ints)
    held_label: Ints = field(default_factory=_ints)
    held_weight: Floats = field(default_factory=_floats)
    held_from: Ints = field(default_factory=_ints)
    held_to: Ints = field(default_factory=_ints)
    judged_step: Ints = field(default_factory=_ints)
    judged_states: Flags = field(default_factory=_flags)
    slot: Ints = field(default_factory=_ints)
    slots: int = 1

    def __post_init__(self) -> None:
        n, m, steps = len(self.step), len(self.held_from), len(self.day)
        if self.size < 1:
            raise ValueError("a question has at least one state")
        for name in ("copied", "fixed", "judged_states"):
            if not getattr(self, name).size:
                rows = {"copied": (n,), "fixed": (steps, self.size), "judged_states": (0, self.size)}[name]
                object.__setattr__(self, name, np.zeros(rows, getattr(self, name).dtype))
        if not len(self.slot):
            object.__setattr__(self, "slot", np.zeros(self.spots, np.int64))
        _shaped((n,), step=self.step, voice=self.voice, label=self.label, weight=self.weight)
        _shaped((n,), copied=self.copied)
        _shaped((m,), held_voice=self.held_voice, held_label=self.held_label, held_weight=self.held_weight)
        _shaped((m,), held_to=self.held_to)
        _shaped((steps, self.size), fixed=self.fixed)
        _shaped((len(self.judged_step), self.size), judged_states=self.judged_states)
        first = self.first
        if (
            first.ndim != 1
            or not len(first)
            or first[0] != 0
            or first[-1] != steps
            or (np.diff(first) < 0).any()
        ):
            raise ValueError("first: offsets of the spots ascend from 0 to the number of steps")
        _shaped((self.spots,), slot=self.slot)
        _within("slot", self.slot, self.slots)
        if (np.diff(self.slot) < 0).any():
            raise ValueError("slot: spots of a slot lie together")
        if (np.diff(self.day)[self._within[1:]] <= 0).any():
            raise ValueError("day: steps of a spot ascend strictly")
        _within("step", self.step, steps)
        _within("judged_step", self.judged_step, steps)
        _within("copied", self.copied, 3)
        for name in ("voice", "label", "held_voice", "held_label", "held_from"):
            _within(name, getattr(self, name), np.iinfo(np.int64).max)
        if not ((self.weight > 0) & np.isfinite(self.weight)).all() or not (self.held_weight > 0).all():
            raise ValueError("weight: finite numbers above 0")
        if not np.isfinite(self.fixed).all():
            raise ValueError("fixed: log-likelihoods are finite")
        _within("held_to", self.held_to, steps)
        if (self.held_from >= self.held_to).any() or (
            m and (self.spot[self.held_from] != self.spot[self.held_to]).any()
        ):
            raise ValueError("held_from, held_to: a display acts between two steps of one spot")

    @property
    def spots(self) -> int:
        """How many spots there are."""
        return len(self.first) - 1

    @cached_property
    def spot(self) -> Ints:
        """The spot of each step, shape (steps,)."""
        return np.repeat(np.arange(self.spots), np.diff(self.first))

    @cached_property
    def opening(self) -> Ints:
        """The first step of every spot that has any."""
        return self.first[:-1][np.diff(self.first) > 0]

    @cached_property
    def gap(self) -> Ints:
        """Time since the spot's step before, shape (steps,); 0 on the first step of a spot."""
        gap = np.diff(self.day, prepend=0)
        gap[~self._within] = 0
        return gap

    @cached_property
    def evidence(self) -> Evidence:
        """The corpus as sparse matrices; made once."""
        return Evidence.of(self)

    def part(self, spots: Ints) -> Corpus:
        """The corpus of some of the spots alone, ascending without repeats; their steps keep their order."""
        length = np.diff(self.first)[spots]
        chosen = np.zeros(self.spots, np.bool_)
        chosen[spots] = True
        steps = chosen[self.spot]
        said, judged = steps[self.step], steps[self.judged_step]
        held = steps[self.held_from]
        place = np.cumsum(steps) - 1
        return replace(
            self,
            first=np.concatenate([[0], np.cumsum(length)]),
            day=self.day[steps],
            fixed=self.fixed[steps],
            step=place[self.step[said]],
            **{name: getattr(self, name)[said] for name in ("voice", "label", "weight", "copied")},
            **{f"held_{name}": getattr(self, f"held_{name}")[held] for name in ("voice", "label", "weight")},
            held_from=place[self.held_from[held]],
            held_to=place[self.held_to[held]],
            judged_step=place[self.judged_step[judged]],
            judged_states=self.judged_states[judged],
            slot=self.slot[spots],
        )

    @cached_property
    def _within(self) -> Flags:
        """Whether a step has one before it in its spot, shape (steps,)."""
        within = np.ones(len(self.day), np.bool_)
        within[self.opening] = False
        return within


def _shaped(shape: tuple[int, ...], **arrays: NDArray[Any]) -> None:
    for name, array in arrays.items():
        if array.shape != shape:
            raise ValueError(f"{name}: shape {array.shape} where {shape} is due")


def _within(name: str, values: ArrayLike, top: int) -> None:
    numbers = np.asarray(values)
    if numbers.size and (numbers.min() < 0 or numbers.max() >= top):
        raise ValueError(f"{name}: numbers from 0 to {top - 1}")
