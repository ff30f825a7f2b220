"""Finding an entry again by what it says: misdated twins, and what a display showed before.

Marks are 63-bit integers kept by the store beside the rows. They lead to candidates only; the decision is
always made on the decoded entries. A collision costs one look, never a wrong answer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from ledger.clocks import day, iso, off_by_years, span
from ledger.codec import Recorded


def _mark(*parts: str) -> int:
    digest = hashlib.blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def display_mark(source: str, place: str, question: str) -> int:
    """The mark of everything a standing source showed of a place on a question."""
    return _mark("display", source, place, question)


def twin_marks(data: dict[str, Any]) -> tuple[int, ...]:
    """Marks under which a claim with the same proposition on the same day of another year is found."""
    proposition = [str(data.get(name, "")) for name in ("claimant", "place", "state", "negated")]
    proposition += [data.get("question", "control"), data.get("act", "asserts")]
    dates = [data[clock] for clock in ("said", "valid") if data.get(clock)]
    days = {exact for exact in map(day, dates) if exact is not None}
    return tuple(sorted(_mark("twin", *proposition, iso(exact)[5:]) for exact in days))


def marks_of(name: str, data: dict[str, Any], twins: tuple[int, ...] | None = None) -> tuple[int, ...]:
    """All marks of a new entry; ``twins`` are its ``twin_marks`` where they are known already."""
    question = data.get("question", "control")
    if name == "claim-reported":
        twins = twin_marks(data) if twins is None else twins
        if data.get("standing"):
            return (*twins, display_mark(data["claimant"], data["place"], question))
        return twins
    if name in ("claim-withdrawn", "display-observed") and data.get("place"):
        return (display_mark(data["source"], data["place"], question),)
    return ()


@dataclass(frozen=True, slots=True)
class YearDoubt:
    """Two claims that agree in everything but the year. ``changes`` would repair ``wrong``."""

    wrong: str
    right: str
    changes: dict[str, str]

    def __str__(self) -> str:
        said = ", ".join(f"{clock} {value}" for clock, value in self.changes.items())
        return f"{self.wrong} and {self.right} differ by the year only; perhaps {said} is meant"

    @property
    def remedy(self) -> str:
        """The command that would record the correction."""
        sets = " ".join(f"--set {clock}={value}" for clock, value in self.changes.items())
        return f'claims correct {self.wrong[:14]} {sets} --reason "year misprinted"'


def _lag(data: dict[str, Any]) -> int:
    """Days between what was said and the world's knowing of it: a misprinted year makes this large."""
    said = span(data["said"]).lo if data.get("said") else None
    published = span(data["published"]).lo if data.get("published") else None
    return abs(published - said) if said is not None and published is not None else 0


def year_doubt(entry: str, data: dict[str, Any], other: Recorded) -> YearDoubt | None:
    """The off-by-a-year check: same claimant, act and proposition, same day and month, other year.

    The one printed further from its own publication is taken for the wrong one; where that does not tell,
    the one whose year stands further from the years of both publications, else the newly given one.
    """
    if other.name != "claim-reported":
        return None
    same = ("claimant", "place", "state", "negated", "question", "act", "extent")
    if any(data.get(name) != other.data.get(name) for name in same):
        return None
    shifts = {}
    for clock in ("said", "valid"):
        mine, theirs = data.get(clock), other.data.get(clock)
        if mine and theirs and off_by_years(mine, theirs):
            shifts[clock] = (mine, theirs)
    if not shifts:
        return None
    newly_wrong = _suspicion(data, other.data) >= _suspicion(other.data, data)
    wrong, right = (entry, other.entry) if newly_wrong else (other.entry, entry)
    changes = {clock: pair[1] if newly_wrong else pair[0] for clock, pair in shifts.items()}
    return YearDoubt(wrong, right, changes)


def _suspicion(data: dict[str, Any], other: dict[str, Any]) -> int:
    """How badly a claim's own dates fit its publication, or failing that the other's publication."""
    if data.get("published"):
        return _lag(data)
    return _lag({"said": data.get("said"), "published": other.get("published")})
