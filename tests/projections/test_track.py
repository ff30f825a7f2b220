"""``claims sources``: the track record by question, as of any moment, the same from the view and from scratch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections import track
from projections.credibility import Score, score
from projections.desk import Desk
from tests.conftest import CommandLine
from tests.projections.worlds import ALL, Scribe, World, claim, date, end, laws, moment, registry, worlds

Rows = dict[str, dict[str, Any]]


def rows(claims: CommandLine, db: Path, *more: object) -> Rows:
    return {row["source"]: row for row in claims("sources", *more, db=db)}


def undated(found: Rows) -> Rows:
    return {name: {key: one for key, one in row.items() if key != "as_of"} for name, row in found.items()}


# -- by the command line, on the real reports ------------------------------------------------------------------


def test_a_record_says_what_became_of_everything_a_source_said(script: CommandLine, demo: Path) -> None:
    [row] = script("sources", "Gerasimov", db=demo)
    assert row["utterances"] == row["confirmed"] + row["refuted"] + row["open"]
    assert row["settled"] == row["confirmed"] + row["refuted"]
    assert row["own_reliability"]["mean"] < row["against_reliability"]["mean"]
    assert row["lead"] == {"days": 2.0, "claims": 1}
    assert row["prematurity"] == {"days": None, "claims": 0}
    assert 0.4 < row["brier"] < 0.6
    assert (row["grade"], row["grade_needs"]["A"], row["grade_needs"]["C"]) == ("F", 20, 5)
    assert "error" not in row


def test_as_of_now_is_what_is_said_without_a_moment(claims: CommandLine, demo: Path) -> None:
    now = rows(claims, demo)
    moment_ = next(iter(now.values()))["as_of"]
    assert undated(rows(claims, demo, "--as-of", moment_)) == undated(now)


def test_nobody_has_a_record_before_anything_was_said(claims: CommandLine, demo: Path) -> None:
    assert rows(claims, demo, "--as-of", "2021-01-01") == {}
    [row] = claims("sources", "Gerasimov", "--as-of", "2021-01-01", db=demo)
    assert (row["utterances"], row["brier"], row["lead"]["days"]) == (0, None, None)


@pytest.mark.parametrize("when", [(), ("--as-of", "2025-12-28")])
def test_a_record_is_of_one_question_only(claims: CommandLine, copied: Path, when: tuple[str, ...]) -> None:
    before = rows(claims, copied, *when)
    claims.run("question", "bridge", "--state", "standing", "--state", "destroyed", db=copied)
    said = ("--question", "bridge", "--said", "2025-12-20", "--published", "2025-12-20")
    claims("append", "Kupyansk", "destroyed", "--by", "Gerasimov", *said, db=copied)
    for other in ("DeepState", "ISW", "AMK Mapping"):
        claims("append", "Kupyansk", "standing", "--by", other, *said, db=copied)
    of_the_bridge = rows(claims, copied, "--question", "bridge", *when)
    assert set(of_the_bridge) == {"gerasimov", "deepstate", "isw", "amk-mapping"}
    assert of_the_bridge["gerasimov"]["refuted"] == of_the_bridge["gerasimov"]["utterances"] == 1
    assert of_the_bridge["gerasimov"]["own_interest"] == 0
    assert {row["question"] for row in of_the_bridge.values()} == {"bridge"}
    after = rows(claims, copied, *when)
    changing = ("as_of", "position", "root")
    assert [{k: v for k, v in row.items() if k not in changing} for row in after.values()] == [
        {k: v for k, v in row.items() if k not in changing} for row in before.values()
    ]


def test_a_question_nobody_opened_is_refused(claims: CommandLine, demo: Path) -> None:
    assert "bridge" in claims.run("sources", "--question", "bridge", db=demo, ok=3).err


def test_a_moment_to_come_is_refused(claims: CommandLine, demo: Path) -> None:
    assert claims.run("sources", "--as-of", "2999-01-01", db=demo, ok=2).out == ""


def test_a_table_says_how_often_each_interest_was_borne_out_and_what_a_letter_needs(
    claims: CommandLine, demo: Path
) -> None:
    table = claims.run("sources", "Russian Ministry of Defence", db=demo).out
    assert "5: 0 of 4" in table
    assert "A 20, B 10, C 5" in table


def test_a_spreadsheet_gets_numbers(claims: CommandLine, demo: Path) -> None:
    head, line = claims.run("sources", "Gerasimov", "--format", "csv", db=demo).out.splitlines()
    cells = dict(zip(head.split(","), line.split(","), strict=True))
    assert (cells["own_interest"], cells["own_refuted"], cells["lead_days"]) == ("1", "1", "2")


# -- the view and the reference ------------------------------------------------------------------------------


def summed(desk: Desk, question: str, known: int) -> dict[str, Score]:
    """By the definition: every place scored by the reference, also where only a named part was spoken of."""
    totals: dict[str, Score] = {}
    for place in {desk.directory.place_id(place) for place in desk.directory.places}:
        for name, one in score(desk.case(place, question), desk.loaded.logic, known).items():
            totals.setdefault(name, Score()).__iadd__(one)
    return dict(sorted(totals.items()))


@laws(0.3)
@given(worlds(ALL, least=4), st.integers(0, 70), st.sampled_from(("control", "bridge")))
def test_records_are_the_sum_over_places_at_every_moment(
    tmp_path_factory: pytest.TempPathFactory, world: World, day: int, question: str
) -> None:
    path = tmp_path_factory.mktemp("world") / "made-up.db"
    with Scribe(path) as scribe:
        scribe.tell(world.told)
    with Desk(path, now=moment(75)) as desk:
        for known in (end(day), desk.known(None)):
            assert track.scores(desk, question, known) == summed(desk, question, known)


def test_a_prediction_is_judged_once_its_time_has_come_although_nothing_was_recorded_since(
    tmp_path: Path,
) -> None:
    world = World.of(
        claim("ministry", "RU", 1, "f", at=moment(10), act="predicts", valid=date(20)),
        *(claim(who, "RU", 9, f"{who}9", at=moment(10), valid=date(20)) for who in ("witness", "monitor")),
    )
    with Scribe(tmp_path / "w.db") as scribe:
        scribe.tell(world.told)
    kept = []
    for day in (15, 25):
        with Desk(tmp_path / "w.db", now=moment(day)) as desk:
            found = track.scores(desk, "control", desk.known(None))
            assert found == summed(desk, "control", desk.known(None))
            kept.append(found["ministry"].kept)
    assert kept == [0, 1]


def test_an_empty_registry_has_no_records(tmp_path: Path) -> None:
    with Scribe(tmp_path / "w.db") as scribe:
        scribe.tell(registry())
    with Desk(tmp_path / "w.db", now=moment(5)) as desk:
        assert track.scores(desk, "control", desk.known(None)) == {}
        assert track.scores(desk, "control", end(-5)) == {}
