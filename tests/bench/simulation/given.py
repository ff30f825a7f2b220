"""Every number of the simulated world, declared once, and the scenarios that are made of it.

None is taken from the belief logics, and the world is not theirs with other numbers: sources differ from each
other far more than a logic assumes, some lie or lag, some keep quiet about what hurts their side, some stick to
what they said, news come late and in bursts, dates are left out, and how long a place is held differs from
place to place.

The numbers are chosen, not measured. Shares and probabilities have the unit "share"; a range is drawn from
evenly, once for each place or source.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Reported = tuple[float, float, float]


class Kind(NamedTuple):
    """A kind of source. ``each`` per party, ``neutral`` without a side; ``talk`` is how often one is heard,
    ``covers`` the share of places it speaks of, ``late`` the mean days from seeing to publishing.

    ``own``, ``other``, ``contested``: what it reports (own, other, contested) while its own side, the other
    side or nobody holds a place. A neutral source takes the party that holds the place for its own.
    """

    name: str
    each: int
    neutral: int
    talk: float
    covers: float
    late: float
    own: Reported
    other: Reported
    contested: Reported


class Row(NamedTuple):
    """One number as the documentation shows it."""

    name: str
    value: str
    unit: str
    meaning: str


KINDS = (
    Kind("official", 3, 0, 3.0, 1.0, 1.5, (0.94, 0.01, 0.05), (0.38, 0.27, 0.35), (0.62, 0.04, 0.34)),
    Kind("military-unit", 8, 0, 1.2, 0.3, 0.7, (0.91, 0.02, 0.07), (0.25, 0.35, 0.40), (0.46, 0.09, 0.45)),
    Kind("milblogger", 6, 0, 2.0, 0.7, 0.5, (0.85, 0.06, 0.09), (0.12, 0.58, 0.30), (0.36, 0.12, 0.52)),
    Kind("osint", 0, 6, 1.5, 0.6, 2.5, (0.86, 0.03, 0.11), (0.03, 0.86, 0.11), (0.08, 0.08, 0.84)),
    Kind("eyewitness", 2, 4, 0.6, 0.1, 0.3, (0.68, 0.12, 0.20), (0.12, 0.68, 0.20), (0.17, 0.17, 0.66)),
    Kind("outlet", 2, 4, 0.8, 1.0, 1.0, (0.76, 0.08, 0.16), (0.08, 0.76, 0.16), (0.25, 0.15, 0.60)),
)


def _given(default: Any, unit: str, meaning: str) -> Any:
    return field(default=default, metadata={"unit": unit, "meaning": meaning})


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a world is made with. Frozen; change a copy with ``dataclasses.replace``."""

    places: int = _given(80, "places", "how many places there are")
    days: int = _given(540, "days", "how long the world lasts")
    warm_up: int = _given(60, "days", "first days, on which nothing is scored")
    length: float = _given(120.0, "km", "the length of the front, along x")
    depth: float = _given(24.0, "km", "places lie up to so far on either side of it")
    front: float = _given(12.0, "km", "a place no farther from the line is at the front, else in the rear")

    held_front: tuple[float, float] = _given(
        (100.0, 500.0), "days", "mean time that a party holds a place at the front"
    )
    held_rear: tuple[float, float] = _given((500.0, 2_000.0), "days", "the same in the rear")
    contested: tuple[float, float] = _given((15.0, 30.0), "days", "mean time that a place stays contested")
    to_contested: float = _given(0.85, "share", "how often a hold ends in a contest and not at once")
    advance: float = _given(0.55, "share", "how often a contest ends well for party B, all else equal")
    coherence: float = _given(
        0.0, "0 to 1", "how much neighbours decide: 0 leaves every place to itself, 1 is one line that moves"
    )
    pull: float = _given(4.0, "nats", "at coherence 1: between no neighbour and all neighbours hostile")
    reach: float = _given(12.0, "km", "how far neighbours matter")

    volume: float = _given(
        14.0, "claims a year", "own observations of the median place while nothing happens"
    )
    volume_spread: float = _given(0.6, "ln", "how much places differ in it")
    busy_contested: float = _given(3.0, "factor", "how much more is said while a place is contested")
    busy_change: float = _given(2.0, "factor", "how much more in the week after a change")

    sharpness: float = _given(12.0, "pseudo-counts", "how near a source's rows are to those of its kind")
    reticence: tuple[float, float] = _given(
        (0.0, 0.3), "share", "how often a source keeps quiet about its side's losses"
    )
    stubborn: tuple[float, float] = _given(
        (0.0, 0.5), "share", "how often it says again what it last said, unseen"
    )
    memory: int = _given(30, "days", "for so long a source remembers what it said")
    hostile: float = _given(
        0.0, "share", "sources that deceive: half of them always lie, half report the past"
    )
    lie: float = _given(0.9, "share", "how often one that lies says what is false and suits its side")
    lag: tuple[float, float] = _given(
        (20.0, 70.0), "days", "how old the truth is that a lagging source reports as today's"
    )

    copies: float = _given(0.3, "claims", "mean number of undeclared repeats of a claim by its side")
    copy_late: float = _given(2.0, "days", "mean delay of a repeat")
    copy_anew: float = _given(0.5, "share", "repeats that are told as today's, the others keep the day")
    wire: float = _given(0.25, "share", "claims that an outlet carries on with attribution")

    as_denial: float = _given(0.10, "share", "reports of a hold that deny the other side's instead")
    as_part: float = _given(0.12, "share", "reports of a hold that speak of a part of the place")
    contest_in_parts: float = _given(0.45, "share", "reports of a contest worded as a part or a denial")
    answers: float = _given(0.5, "share", "denials that name the claim they deny")
    doubts: float = _given(0.04, "share", "claims by the other side that are doubted")
    predicts: float = _given(0.04, "share", "claims that foretell a success of one's own side")
    concedes: float = _given(0.5, "share", "admissions of a loss that are recorded as a concession")

    undated: float = _given(0.25, "share", "claims that do not say of which day they speak")
    vague: float = _given(0.25, "share", "claims that speak of about a day, or of some days")

    maps: int = _given(0, "sources", "standing map services: the first sides with A, the second with B")
    map_covers: float = _given(0.6, "share", "places that a map shows")
    map_redraws: tuple[float, float] = _given(
        (0.05, 0.2), "per day", "how often a map looks at a place again"
    )
    map_late: tuple[float, float] = _given((0.0, 5.0), "days", "how old what it then sees is")
    map_right: tuple[float, float] = _given((0.85, 0.96), "share", "how often it then sees what is so")
    map_rethinks: float = _given(
        0.1, "share", "redrawings that look afresh though nothing changed; the others keep what was drawn"
    )
    map_lean: float = _given(0.7, "share", "of its errors, how many suit its side")
    map_withdraws: float = _given(0.03, "share", "redrawings that show nothing")
    map_looks: int = _given(7, "days", "how often somebody records that a map was looked at")

    ruled: float = _given(0.001, "share", "place-days that an analyst rules on")
    ruled_late: tuple[float, float] = _given((15.0, 60.0), "days", "how much later")
    ruled_wrong: float = _given(0.02, "share", "rulings that are wrong")

    def describe(self) -> list[Row]:
        """The table for a reader, in the order of declaration."""
        return [
            Row(one.name, str(getattr(self, one.name)), one.metadata["unit"], one.metadata["meaning"])
            for one in dataclasses.fields(self)
        ]


#: Name → what is special about it. "domain" has all of it at once.
SCENARIOS: dict[str, Given] = {
    "sparse": Given(volume=10.0, copies=0.0, wire=0.1),
    "copies": Given(volume=10.0, copies=1.5),
    "hostile": Given(hostile=0.35),
    "domain": Given(volume=10.0, hostile=0.2, copies=0.6, maps=3, coherence=0.5, ruled=0.002),
}
