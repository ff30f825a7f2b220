"""What a belief logic is, and what its answers carry.

A logic turns a case into beliefs. Ours and a user's come through the same door: a ``Logic`` has a name, a
version, a parameter table, and optionally two functions of its own:

``weigh(piece, source) -> float``
    a factor on what the filter hears from one piece of testimony: 1 as it is, 0 ignored, 2 heard twice
``believe(case, day, known) -> {state: probability}``
    the whole judgement, in place of the filter; ``case`` holds only what was known by ``known``

Both are pure: same input, same answer; no clock, no randomness, no files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from projections.belief.params import Params
from projections.wording import UNKNOWN as UNKNOWN
from projections.wording import confidence as confidence
from projections.wording import jsonable as jsonable
from projections.wording import words as words

if TYPE_CHECKING:
    from ledger.directory import Source
    from projections.belief.voices import Learnt
    from projections.case import Case, Ruling, Testimony

TIE = 1e-12
"""Probabilities that differ by no more are equal."""

Weigh = Callable[["Testimony", "Source"], float]
Believe = Callable[["Case", int, int], Mapping[str, float]]


@dataclass(frozen=True)
class Logic:
    """A named, versioned way to believe. ``name@version`` and the fingerprint identify its views.

    ``learns``: it estimates from the ledger how each source speaks; ``learnt`` is what it has learnt, kept in its
    view. Without that it hears everybody as its parameters assume.
    """

    name: str
    version: int
    params: Params = field(default_factory=Params)
    weigh: Weigh | None = None
    believe: Believe | None = None
    summary: str = ""
    learns: bool = False
    learnt: Learnt | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class Heard:
    """One line of a verdict's reasons. ``weight`` is in nats for the believed state against the runner-up;
    ``reason`` says why it was ignored, or what was done to it."""

    piece: Testimony | Ruling
    weight: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is believed of one place and question on one day, known by one moment.

    ``probabilities`` sums to 1 in the order of the states. ``believed`` is ``unknown`` where nothing known
    speaks of the day or an earlier one. ``origins`` counts independent voices, ``claims`` utterances,
    ``newest`` is the day of the newest one (ordinal).
    """

    believed: str
    probabilities: dict[str, float]
    origins: int
    claims: int
    newest: int | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Why:
    """A verdict taken apart, as ln(P(state)/P(against)): ``prior + Σ weights of heard + staleness = total`` nats, exactly, under
    filtering. In hindsight each weight is what leaving the piece out would take away. ``neighbours`` is one more term
    where those of the place count."""

    verdict: Verdict
    state: str
    against: str
    heard: tuple[Heard, ...]
    ignored: tuple[Heard, ...]
    prior: float
    staleness: float
    total: float
    additive: bool
    neighbours: float = 0.0
