"""A check from outside: the demo ledger against a map that nobody here drew, and against our own sympathies.

The map's daily polygons are not part of the project. Where ``CLAIMS_SHARED`` names a folder that holds
``data/deepstate_kupiansk.csv``, the beliefs are compared with them; the counter-check runs everywhere.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from tests.conftest import CommandLine

SHARED = os.environ.get("CLAIMS_SHARED")
MAP = Path(SHARED) / "data" / "deepstate_kupiansk.csv" if SHARED else None
outside = pytest.mark.skipif(
    MAP is None or not MAP.is_file(), reason="CLAIMS_SHARED names no folder with data/deepstate_kupiansk.csv"
)

#: The map's name of a place → ours.
PLACES = {
    "kupiansk": "Kupyansk",
    "kindrashivka": "Kindrashivka",
    "radkivka": "Radkivka, Kharkiv oblast",
    "myrnohrad": "Myrnohrad",
    "huliaipole": "Huliaipole, Zaporizhzhia",
}


@dataclass(frozen=True)
class Polygons:
    """From the first to the last snapshot the map showed one status of a place."""

    place: str
    first: date
    last: date
    occupied: bool

    def speaks_of(self, day: date) -> bool:
        return self.first <= day <= self.last


@pytest.fixture(scope="module")
def polygons() -> list[Polygons]:
    assert MAP is not None
    with MAP.open(encoding="utf-8", newline="") as lines:
        return [
            Polygons(
                PLACES[row["name"]],
                date.fromisoformat(row["from_snapshot"]),
                date.fromisoformat(row["last_snapshot"]),
                row["status"].strip() == "occupied_RU",
            )
            for row in csv.DictReader(lines)
            if row["name"] in PLACES
        ]


@dataclass(frozen=True)
class Believed:
    place: str
    day: date
    state: str
    russian: float


def believed(claims: CommandLine, db: Path, place: str, first: str, last: str) -> Iterator[Believed]:
    """What was believed of a place on each day of a stretch, as known on that day."""
    said = claims.run("panel", f"{first}..{last}", place, db=db)
    for row in csv.DictReader(said.out.splitlines()):
        if row["believed"] != "unknown":
            yield Believed(place, date.fromisoformat(row["day"]), row["believed"], float(row["p_RU"]))


#: The days on which our reports speak of each place: from the first one until two weeks after the last.
SPOKEN = {
    "Kupyansk": ("2025-09-03", "2026-01-11"),
    "Kindrashivka": ("2025-12-12", "2025-12-31"),
    "Radkivka, Kharkiv oblast": ("2025-12-12", "2025-12-30"),
    "Myrnohrad": ("2025-12-27", "2026-01-10"),
    "Huliaipole, Zaporizhzhia": ("2025-12-27", "2026-01-10"),
}


def disagreements(
    claims: CommandLine, db: Path, place: str, polygons: list[Polygons]
) -> tuple[list[date], int]:
    """The days on which ledger and map say otherwise of a place (Russian or not), and how many both speak of."""
    days = list(believed(claims, db, place, *SPOKEN[place]))
    compared = [
        (one.day, (one.state == "RU") != shown.occupied)
        for one in days
        for shown in polygons
        if shown.place == place and shown.speaks_of(one.day)
    ]
    assert compared, "the two never speak of the same day"
    return [day for day, differs in compared if differs], len(compared)


@outside
@pytest.mark.parametrize("place", ["Kupyansk", "Kindrashivka"])
def test_where_the_map_never_showed_an_occupation_the_ledger_never_believed_one(
    claims: CommandLine, demo: Path, polygons: list[Polygons], place: str
) -> None:
    assert not any(shown.occupied for shown in polygons if shown.place == place)
    differing, days = disagreements(claims, demo, place, polygons)
    assert differing == []
    assert days >= 20


@outside
def test_radkivka_was_believed_retaken_on_the_eve_of_the_snapshot_that_cleared_it(
    claims: CommandLine, demo: Path, polygons: list[Polygons]
) -> None:
    differing, days = disagreements(claims, demo, "Radkivka, Kharkiv oblast", polygons)
    assert differing == [date(2025, 12, 12)]
    assert days >= 15


@outside
def test_huliaipole_was_not_believed_fallen_while_the_map_did_not_show_it_so(
    claims: CommandLine, demo: Path, polygons: list[Polygons]
) -> None:
    differing, _ = disagreements(claims, demo, "Huliaipole, Zaporizhzhia", polygons)
    assert differing == []


@outside
def test_myrnohrad_was_believed_held_too_long_until_the_ruling(
    claims: CommandLine, demo: Path, polygons: list[Polygons]
) -> None:
    """Nothing but a denial was in the ledger: it was wrong from the map's first day until the desk ruled."""
    differing, _ = disagreements(claims, demo, "Myrnohrad", polygons)
    assert (differing[0], differing[-1]) == (date(2025, 12, 30), date(2026, 1, 9))
    after = list(believed(claims, demo, "Myrnohrad", "2026-01-10", "2026-01-15"))
    assert {one.state for one in after} == {"RU"}


@outside
def test_on_days_of_dispute_the_ledger_gives_occupied_places_more_russian_weight(
    claims: CommandLine, demo: Path, polygons: list[Polygons]
) -> None:
    """Brier score against the map over every day both speak of: far better than a coin's quarter."""
    errors = [
        (one.russian - shown.occupied) ** 2
        for place in SPOKEN
        for one in believed(claims, demo, place, *SPOKEN[place])
        for shown in polygons
        if shown.place == place and shown.speaks_of(one.day)
    ]
    assert len(errors) > 150
    assert sum(errors) / len(errors) < 0.15


# -- the counter-check: either side can be marked down -----------------------------------------------------


def test_the_ukrainian_denial_that_myrnohrad_fell_is_refuted_once_ruled(
    claims: CommandLine, demo: Path
) -> None:
    before, after = (
        claims("sources", "CCD", "--as-of", day, db=demo)[0] for day in ("2026-01-09", "2026-01-11")
    )
    assert before["side"] == "UA"
    assert (before["refuted"], before["open"]) == (0, 2)
    assert (after["refuted"], after["open"]) == (1, 1)
    assert after["reliability"]["mean"] < before["reliability"]["mean"]
    assert after["own_refuted"] == 1


def test_it_is_refuted_by_later_belief_as_well_without_any_ruling_on_it(
    claims: CommandLine, copied: Path
) -> None:
    """What others report of Huliaipole settles that denial; nobody judges it."""
    told = ("--by", "DeepState", "--standing", "--valid", "2025-12-27", "--published", "2025-12-30")
    claims("append", "Huliaipole, Zaporizhzhia", "RU", *told, db=copied)
    for source in ("AMK Mapping", "ISW", "CIT"):
        said = ("--by", source, "--valid", "2025-12-27", "--published", "2025-12-30")
        claims("append", "Huliaipole, Zaporizhzhia", "RU", *said, db=copied)
    record = claims("sources", "CCD", "--as-of", "2026-01-09", db=copied)[0]
    assert (record["refuted"], record["open"]) == (1, 1)


def test_one_ruling_went_against_each_side(claims: CommandLine, demo: Path) -> None:
    ranked = {row["source"]: row for row in claims("sources", "--as-of", "2026-01-11", db=demo)}
    refuted = {row["side"] for row in ranked.values() if row["refuted"]}
    assert {"RU", "UA"} <= refuted
    assert ranked["gerasimov"]["refuted"] >= 1
    assert ranked["ccd"]["refuted"] >= 1
