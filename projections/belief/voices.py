"""How a source speaks: its tables and rates, as assumed of its kind or as learnt of itself.

A logic that learns keeps *estimates*: each was made from what was known before a moment and is in force from
then on, until the next. A belief known by K hears every source by the last estimate not later than K, so that
no answer hangs on what became known after it. Before the first one, everybody is heard as assumed.

What is heard is tempered after learning, never inside it: all log-likelihoods and the rates of displays are
divided by the estimate's temperature, the motion of the states is not.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.belief.labels import NOTHING, Label, States, Table, emissions, frozen, standing
from projections.belief.params import Params

Numbers = NDArray[np.float64]


class Voice(NamedTuple):
    """One source as it is heard. ``unsaid`` and ``unshown`` are, by label, how likely something else would have
    been said or shown under each state (times 1/temperature): what a display gives itself away by."""

    spoken: Table
    unsaid: Table
    shown: Table
    unshown: Table
    copy_rate: float
    standing_rate: float


@lru_cache(maxsize=1024)
def assumed(states: States, relation: int | None, params: Params) -> Voice:
    """A source of which nothing was learnt: the rows of its kind."""
    spoken, shown = emissions(states, relation, params), standing(states, relation, params)
    return Voice(spoken, _missed(spoken), shown, _missed(shown), params.copy_rate, params.standing_rate)


def _missed(table: Table) -> Table:
    return frozen({label: -np.expm1(logs) for label, logs in table.items()})


@dataclass(frozen=True)
class Estimate:
    """What was learnt of the sources of one question, in force from ``known`` on (microseconds since 1970).

    ``logs`` (tables, labels + 1, states): ln p(said or shown | state), the last label being "nothing". The
    first tables are what groups say: those without a side, then each party's; then what they show; then what
    single sources say and show, which ``spoken`` and ``shown`` tell by source. ``rates`` (tables, 2): how much
    of a repeat is copied, and how often a standing source looks again (per day). ``position`` is where the
    ledger stood, ``heard`` how many utterances were learnt from.
    """

    known: int
    position: int
    heard: int
    logs: Numbers
    rates: Numbers
    spoken: Mapping[str, int]
    shown: Mapping[str, int]
    temperature: float = 1.0

    def table_of(self, source: str, relation: int | None, parties: int) -> tuple[int, int]:
        """Which tables a source speaks and shows by: its own, else those of its group."""
        group = 0 if relation is None else relation + 1
        return self.spoken.get(source, group), self.shown.get(source, parties + 1 + group)

    def voice(self, states: States, source: str, relation: int | None) -> Voice:
        """A source as this estimate hears it."""
        spoken, shown = self.table_of(source, relation, len(states.parties))
        if (spoken, shown) not in self._voices:
            self._voices[spoken, shown] = self._voice(states, spoken, shown)
        return self._voices[spoken, shown]

    @cached_property
    def _voices(self) -> dict[tuple[int, int], Voice]:
        return {}

    @cached_property
    def heard_as(self) -> tuple[Numbers, Numbers]:
        """The tables as they are heard, tempered: log-likelihoods, and how likely something else was."""
        return self.logs / self.temperature, -np.expm1(self.logs) / self.temperature

    def _voice(self, states: States, spoken: int, shown: int) -> Voice:
        labels = (*states.labels(), NOTHING)
        logs, missed = self.heard_as
        return Voice(
            _table(labels[:-1], logs[spoken]),
            _table(labels[:-1], missed[spoken]),
            _table(labels, logs[shown]),
            _table(labels, missed[shown]),
            float(self.rates[spoken, 0]),
            float(self.rates[shown, 1]),
        )


def _table(labels: tuple[Label, ...], rows: Numbers) -> Table:
    return frozen({label: row.copy() for label, row in zip(labels, rows, strict=False)})


@dataclass(frozen=True)
class Learnt:
    """Question → estimates in the order in which they came into force."""

    estimates: Mapping[str, tuple[Estimate, ...]] = field(default_factory=dict)

    def by(self, question: str, known: int) -> Estimate | None:
        """The last estimate not later than a moment; None before the first."""
        found = self.estimates.get(question, ())
        at = bisect_right(found, known, key=lambda one: one.known)
        return found[at - 1] if at else None

    def turns(self, question: str) -> list[int]:
        """The moments from which another estimate is in force, ascending."""
        return [one.known for one in self.estimates.get(question, ())]
