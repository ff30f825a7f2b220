"""The shape of an answer about one place, as a value and as a line of a table. Light: a look-up needs it."""

from __future__ import annotations

from datetime import date

from projections.wording import UNKNOWN, confidence, jsonable, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

COLUMNS = ("place", "believed", "words", "p", "confidence", "origins", "claims", "newest_claim", "age_days")

#: A judgement whose newest claim is older than this many days says so (an assumption).
STALE_DAYS = 60
#: A display not looked at for this many days is said to be so.
UNSEEN_DAYS = 14


def verdict_shape(
    place: dict[str, str],
    question: str,
    believed: str,
    probabilities: dict[str, float],
    origins: int,
    claims: int,
    newest: int | None,
    day: int,
    notes: list[str],
) -> dict[str, Any]:
    """A verdict on ``day`` as plain values; days are ordinals."""
    age = None if newest is None else max(0, day - newest)
    known = believed != UNKNOWN
    likely = words(probabilities[believed]) if known else UNKNOWN
    sure = confidence(origins, age)
    said = date.fromordinal(newest).isoformat() if newest else None
    rounded = jsonable(probabilities) if known else {}
    return shape(place, question, believed, likely, rounded, sure, origins, claims, said, age, notes)


def shape(
    place: dict[str, str],
    question: str,
    believed: str,
    words: str,
    probabilities: dict[str, float],
    confidence: str,
    origins: int,
    claims: int,
    newest: str | None,
    age: int | None,
    notes: list[str],
) -> dict[str, Any]:
    """The same of what is in words already; ``age`` is that of the newest claim on the day asked about."""
    return {
        "place": place,
        "question": question,
        "believed": believed,
        "words": words,
        "probabilities": probabilities,
        "confidence": confidence,
        "origins": origins,
        "claims": claims,
        "newest_claim": newest,
        "age_days": age,
        "notes": notes,
    }


def stale_notes(newest: int | None, day: int) -> list[str]:
    """One line where the newest claim is old."""
    if newest is None or day - newest <= STALE_DAYS:
        return []
    return [f"the newest claim is {day - newest} days old"]


def unseen_notes(displays: Iterable[tuple[str, int]], day: int, name_of: Callable[[str], str]) -> list[str]:
    """A line for each display that nobody has looked at for a while."""
    return [
        f"{name_of(source)}'s display was last observed {date.fromordinal(seen).isoformat()},"
        f" {day - seen} days before"
        for source, seen in displays
        if day - seen > UNSEEN_DAYS
    ]


def as_row(one: dict[str, Any]) -> dict[str, Any]:
    """One answer as a line of a table."""
    row = {**one, "place": one["place"]["name"], "p": " ".join(percent(one["probabilities"]))}
    if "change" in one:
        row["change"] = " ".join(f"{state} {delta:+.3f}" for state, delta in one["change"].items())
    return row


def percent(probabilities: dict[str, float]) -> list[str]:
    return [f"{state} {p:.3f}" for state, p in probabilities.items()]


def heading(answer: dict[str, Any]) -> list[str]:
    """The line that makes a table citable."""
    logic = answer["logic"]
    parts = [
        f"as of {answer['as_of']}",
        f"known by {answer['known_by'][:19]}Z",
        f"ledger #{answer['position']} root {answer['root'][:12]}",
        f"logic {logic['name']}@{logic['version']} {logic['fingerprint'][:8]}",
    ]
    if "learnt" in logic:
        learnt = logic["learnt"]
        parts.append(
            f"learnt from {learnt['heard']} known before {learnt['known_by'][:10]}, at #{learnt['position']}"
            if learnt
            else "nothing learnt by then"
        )
    if answer["without"]:
        parts.append(f"without {', '.join(answer['without'])}")
    return [" | ".join(parts)]


def footing(answer: dict[str, Any]) -> list[str]:
    """The notes below a table."""
    return [f"{one['place']['name']}: {note}" for one in answer["answers"] for note in one["notes"]]
