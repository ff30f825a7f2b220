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
from typing import TYPE_CHECKING, Any

from projections.belief.params import Params

if TYPE_CHECKING:
    from ledger.directory import Source
    from projections.case import Case, Ruling, Testimony

Weigh = Callable[["Testimony", "Source"], float]
Believe = Callable[["Case", int, int], Mapping[str, float]]


@dataclass(frozen=True)
class Logic:
    """A named, versioned way to believe. ``name@version`` and the fingerprint identify its views."""

    name: str
    version: int
    params: Params = field(default_factory=Params)
    weigh: Weigh | None = None
    believe: Believe | None = None
    summary: str = ""

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
    filtering. In hindsight each weight is what leaving the piece out would take away."""

    verdict: Verdict
    state: str
    against: str
    heard: tuple[Heard, ...]
    ignored: tuple[Heard, ...]
    prior: float
    staleness: float
    total: float
    additive: bool


UNKNOWN = "unknown"

#: ICD 203 (Intelligence Community Directive 203, 2015, section D.6.e.2.a): upper bounds in per cent.
_BANDS = (
    (5, "almost no chance"),
    (20, "very unlikely"),
    (45, "unlikely"),
    (55, "roughly even chance"),
    (80, "likely"),
    (95, "very likely"),
    (101, "almost certain"),
)


def words(probability: float) -> str:
    """The ICD 203 likelihood term for a probability from 0 to 1."""
    return next(term for bound, term in _BANDS if probability * 100 < bound)


def confidence(origins: int, age: int | None) -> str:
    """``high``, ``moderate`` or ``low``: how well founded a judgement is, apart from how likely.

    Three independent voices and news of a fortnight make it high, two and six weeks moderate (assumptions).
    """
    if age is None or origins == 0:
        return "none"
    if origins >= 3 and age <= 14:
        return "high"
    if origins >= 2 and age <= 45:
        return "moderate"
    return "low"


def jsonable(value: Any) -> Any:
    """Numbers rounded to ten digits, so that the same answer is the same bytes on every machine."""
    if isinstance(value, float):
        return round(value, 10) + 0.0
    if isinstance(value, dict):
        return {name: jsonable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(inner) for inner in value]
    return value
