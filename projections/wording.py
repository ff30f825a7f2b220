"""How a belief is put into words, and into numbers that are the same on every machine. Imports nothing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

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


def all_words() -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Upper bounds in per cent, and the term below each."""
    return tuple(bound for bound, _ in _BANDS), tuple(term for _, term in _BANDS)


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
