"""Every number the belief logic assumes, declared once.

None of these is a fact. They are defaults that behaved sensibly when tried, kept in one frozen table so that
an answer can name the assumptions it rests on (the table is part of a logic's fingerprint), a user can change
one without reading code, and the documentation can print all of them.

Rates and shares are dimensionless unless their unit says otherwise; times are in days.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ledger.errors import Usage

SUM_TOLERANCE = 1e-9
"""How far a row of shares may be from 1, to allow for decimals written by hand."""


class Row(NamedTuple):
    """One assumption as the documentation shows it."""

    name: str
    value: str
    unit: str
    meaning: str


def _assume(default: Any, unit: str, check: str, meaning: str) -> Any:
    """A field with what the table says about it; ``check`` names the rule in ``_RULES`` that it obeys."""
    return field(default=default, metadata={"unit": unit, "check": check, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Params:
    """The assumptions of the belief logic. Frozen and hashable; change a copy with ``replace``.

    A row ("own / other / contested") says what a source *perceives and is willing to report*, given the
    truth. Rows are written from the source's point of view, never for a named party, so that swapping the
    parties mirrors every belief. ``Usage`` is raised for a value out of its range or a row that does not sum
    to 1.
    """

    aligned_own: tuple[float, ...] = _assume(
        (0.90, 0.03, 0.07),
        "own / other / contested",
        "row",
        "what a source with a side reports while its own side holds the place",
    )
    aligned_other: tuple[float, ...] = _assume(
        (0.20, 0.40, 0.40),
        "own / other / contested",
        "row",
        "the same while another side holds it: the first share is the own-side overclaim",
    )
    aligned_contested: tuple[float, ...] = _assume(
        (0.50, 0.07, 0.43),
        "own / other / contested",
        "row",
        "the same while the place is contested",
    )
    other_named: float = _assume(
        0.90,
        "share",
        "open",
        "with three or more parties: how much of 'other' names the other side that really holds the place",
    )
    neutral_held: tuple[float, ...] = _assume(
        (0.85, 0.05, 0.10),
        "true / other / contested",
        "row",
        "what a source without a side reports while a party holds the place",
    )
    neutral_contested: tuple[float, ...] = _assume(
        (0.20, 0.80),
        "any party / contested",
        "row",
        "the same while the place is contested; the first share is divided among the parties",
    )
    neutral_state: float = _assume(
        0.85,
        "share",
        "open",
        "questions without parties: how often the true state is reported; the rest is divided evenly",
    )

    said_held: tuple[float, ...] = _assume(
        (0.75, 0.15, 0.10),
        "is X / not the other / part X",
        "row",
        "how somebody who perceives that X holds the place puts it",
    )
    said_contested: tuple[float, ...] = _assume(
        (0.40, 0.20, 0.40),
        "contested / not X / part X",
        "row",
        "how somebody who perceives a contest puts it; the last two are divided among the parties",
    )

    sojourn_held: float = _assume(200.0, "days", "time", "how long a party, or a state, holds on average")
    sojourn_contested: float = _assume(21.0, "days", "time", "how long a place stays contested on average")
    leaves_to_contested: float = _assume(
        0.80,
        "share",
        "closed",
        "how often a party's hold ends in a contest and not at once with another party",
    )

    copy_rate: float = _assume(
        1 / 3, "share", "closed", "how often a repeat by the same side is copied and not seen for oneself"
    )
    copy_window: int = _assume(30, "days", "whole", "how far back an earlier utterance may be copied from")
    doubt_exponent: float = _assume(0.5, "factor", "closed", "a doubt is a denial with its weight times this")
    doubted_evidence: float = _assume(
        0.25, "factor", "closed", "evidence that somebody has doubted keeps this much of its weight"
    )

    standing_rate: float = _assume(
        0.10, "per day", "rate", "how often a standing source looks again at what it displays"
    )
    throughout_rate: float = _assume(
        0.05, "per day", "rate", "the same for a claim that something was so throughout an interval"
    )
    nothing_held: float = _assume(
        0.04, "share", "open", "how often a standing source shows nothing while a party holds the place"
    )
    nothing_contested: float = _assume(
        0.20, "share", "open", "how often a standing source shows nothing while the place is contested"
    )

    ruled: float = _assume(
        0.98, "likelihood", "open", "a ruling's weight on what was ruled: evidence, never a certainty"
    )
    ruled_out: float = _assume(0.01, "likelihood", "open", "a ruling's weight on everything else")

    coupling: float = _assume(
        0.0,
        "factor",
        "weak",
        "how much what is believed of neighbouring places counts for a place; 0: not at all",
    )
    coupling_reach: float = _assume(12.0, "km", "near", "how far away a neighbour may lie")

    imprecise_points: int = _assume(
        64, "days", "positive", "an imprecise date is spread over at most this many days"
    )
    settled_true: float = _assume(
        0.80, "probability", "open", "from this belief on a claim counts as confirmed by later events"
    )
    settled_false: float = _assume(
        0.20, "probability", "open", "up to this belief a claim counts as refuted by later events"
    )

    source_strength: float = _assume(
        30.0,
        "utterances",
        "strength",
        "learning: what a source's group tells of how it speaks is worth so many of its own utterances",
    )
    group_strength: float = _assume(
        300.0, "utterances", "strength", "learning: the same of these rows against what the group said"
    )
    copy_strength: float = _assume(
        6.0, "repeats", "strength", "learning: what copy_rate is worth against a source's own repeats"
    )
    copy_group_strength: float = _assume(
        60.0, "repeats", "strength", "learning: and against the repeats of all of its group"
    )
    standing_strength: float = _assume(
        5.0, "redrawings", "strength", "learning: what standing_rate is worth against a source's own displays"
    )
    temperature: float = _assume(
        1.0,
        "factor",
        "strength",
        "learning: what all evidence is divided by where no ruling says how sure to be",
    )
    temperature_worth: float = _assume(
        20.0,
        "1 / nats²",
        "strength",
        "learning: how firmly that is held against rulings: the precision of its logarithm",
    )
    learning_days: int = _assume(30, "days", "positive", "learning: how often it is done, in known time")
    learning_growth: float = _assume(
        1.2, "factor", "growth", "learning: and only when this much more was heard than for the last estimate"
    )
    learning_least: int = _assume(
        50, "utterances", "positive", "learning: nothing is learnt from fewer than these"
    )
    learning_rounds: int = _assume(8, "rounds", "positive", "learning: at most so many of EM")

    def __post_init__(self) -> None:
        for each in _fields():
            object.__setattr__(self, each.name, _checked(each, getattr(self, each.name)))
        if self.settled_false >= self.settled_true:
            raise Usage("settled_false must be below settled_true", where="belief parameters")
        if self.ruled_out >= self.ruled:
            raise Usage("ruled_out must be below ruled", where="belief parameters")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Params:
        """The defaults with ``values`` put in their place, as read from TOML or JSON (arrays become rows)."""
        return cls().replace(**values)

    def replace(self, **overrides: Any) -> Params:
        """A copy with some assumptions changed. ``Usage`` for an unknown name or an impossible value."""
        known = [each.name for each in _fields()]
        for name in overrides:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                remedy = f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}."
                raise Usage(f"there is no parameter {name!r}", where="belief parameters", remedy=remedy)
        return dataclasses.replace(self, **overrides)

    def to_dict(self) -> dict[str, Any]:
        """Name → value in order of name, rows as lists, infinity as "inf": equal tables make equal JSON."""
        return {name: _plain(getattr(self, name)) for name in sorted(each.name for each in _fields())}

    def describe(self) -> list[Row]:
        """The table for a reader, in the order of declaration."""
        return [
            Row(each.name, _shown(getattr(self, each.name)), each.metadata["unit"], each.metadata["meaning"])
            for each in _fields()
        ]


def _fields() -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(Params)


# Shares of 0 and 1 are refused where a likelihood is made of them: one report could then never be outweighed.
_RULES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "row": ("shares above 0 that sum to 1", lambda v: 0 < v < 1),
    "open": ("a number above 0 and below 1", lambda v: 0 < v < 1),
    "closed": ("a number from 0 to 1", lambda v: 0 <= v <= 1),
    "weak": ("a number from 0 to 100", lambda v: 0 <= v <= 100),
    "near": ("a number above 0, at most 20040", lambda v: 0 < v <= 20_040),
    "rate": ("a finite number of 0 or more", lambda v: 0 <= v < math.inf),
    "strength": ("a finite number above 0", lambda v: 0 < v < math.inf),
    "growth": ("a number of 1 or more", lambda v: 1 <= v < math.inf),
    "time": ("a number above 0 (inf: for ever)", lambda v: v > 0),
    "whole": ("a whole number of 0 or more", lambda v: v >= 0),
    "positive": ("a whole number of 1 or more", lambda v: v >= 1),
}


def _checked(each: dataclasses.Field[Any], value: Any) -> Any:
    """``value`` in the field's type, or ``Usage`` saying what it should have been."""
    if value == "inf":
        value = math.inf
    rule, holds = _RULES[each.metadata["check"]]
    wanted = rule
    if isinstance(each.default, tuple):
        wanted = f"{len(each.default)} {rule}"
        if isinstance(value, list | tuple) and len(value) == len(each.default):
            row = tuple(float(v) if _is_number(v) else math.nan for v in value)
            if all(map(holds, row)) and abs(math.fsum(row) - 1) <= SUM_TOLERANCE:
                return row
    elif _is_number(value) and holds(value):
        if not isinstance(each.default, int):
            return float(value)
        if float(value).is_integer():
            return int(value)
    remedy = f"Give {wanted} ({each.metadata['unit']})."
    raise Usage(f"{each.name} = {value!r} is not possible", where="belief parameters", remedy=remedy)


#: Whole numbers from here on have no place in a float.
_HUGE = 10**300


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < _HUGE if isinstance(value, int) else not math.isnan(value)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return "inf" if value == math.inf else value


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " / ".join(_shown(v) for v in value)
    return str(value) if isinstance(value, int) else f"{value:.4g}"
