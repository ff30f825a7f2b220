"""Materialised views: the same however they came about, and never trusted over the ledger."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clocks import instant_key
from ledger.codec import encode
from ledger.errors import ReplayDue, WriteFailed
from ledger.events import BY_TYPE
from ledger.store.base import NewRow
from projections.belief.tally import judge, read_knot
from projections.credibility import score
from projections.desk import Desk, views_folder
from projections.record import TYPES
from projections.registry import load
from projections.view import file_name
from tests.copies import copy_ledger
from tests.projections.worlds import (
    DAYS,
    TIGHT,
    ZERO,
    Paper,
    Scribe,
    Shelf,
    World,
    claim,
    close,
    date,
    end,
    laws,
    moment,
    scores_in,
    told,
    told_by,
    worlds,
)

TALLY = load()
VIEW = file_name(TALLY)
dense = st.one_of(worlds(least=4), worlds(TIGHT, least=6))


def built(shelf: Shelf, root: Path, stops: list[int] | None = None) -> Path:
    """The view of a shelf, caught up at every stop; its scores asked for in the end."""
    for stop in [*(stops or []), len(shelf.events)]:
        views = Paper(shelf, stop).views(root)
        beliefs = views.beliefs(TALLY, stop, shelf.directory(stop))
        if stop == len(shelf.events):
            beliefs.score()
        views.close()
    return root / VIEW


# -- laws ---------------------------------------------------------------------------------------------------


@laws(0.4)
@given(dense, st.data())
def test_a_view_caught_up_bit_by_bit_is_the_view_built_at_once(world: World, data) -> None:
    shelf = world.shelf(hashed=True)
    first = len(world.told) - len(world.entries)
    stops = data.draw(st.lists(st.integers(first, len(world.told)), min_size=1, max_size=6, unique=True))
    with tempfile.TemporaryDirectory() as folder:
        bit_by_bit = built(shelf, Path(folder, "one"), sorted(stops))
        at_once = built(shelf, Path(folder, "two"))
        assert told_by(bit_by_bit) == told_by(at_once)


@laws(0.2)
@given(dense)
def test_two_replays_make_the_same_bytes(world: World) -> None:
    shelf = world.shelf(hashed=True)
    with tempfile.TemporaryDirectory() as folder:
        one, other = (built(shelf, Path(folder, name)) for name in ("one", "two"))
        assert one.read_bytes() == other.read_bytes()
        assert (one.parent / "envelopes@1.db").read_bytes() == (other.parent / "envelopes@1.db").read_bytes()


@laws(0.2)
@given(dense, st.integers(-2, DAYS + 20))
def test_what_a_view_says_is_what_is_judged_and_scored_from_scratch(world: World, day: int) -> None:
    shelf = world.shelf(hashed=True)
    known = instant_key(shelf.events[-1].recorded)
    with tempfile.TemporaryDirectory() as folder:
        scores = scores_in(built(shelf, Path(folder)))
        views = Paper(shelf).views(Path(folder))
        beliefs = views.beliefs(TALLY, len(shelf.events), shelf.directory())
        for place, question in shelf.spots():
            case = shelf.case(place, question)
            expected = score(case, TALLY.logic, known)
            assert scores.get((place, question), {}) == {
                source: list(one.to_dict().values()) for source, one in expected.items()
            }
            knot = beliefs.knot(place, question, ZERO + day)
            judged = judge(case, TALLY.logic, ZERO + day, end(day))
            if knot is None:
                assert judged.believed == "unknown"
            else:
                assert close(read_knot(knot, ZERO + day, case.states, TALLY.logic), judged)
        views.close()


# -- what a view must notice -----------------------------------------------------------------------------


def test_a_prediction_is_scored_when_its_time_has_come_though_only_other_places_are_told_of(tmp_path) -> None:
    world = World.of(
        claim("ministry", "RU", 0, act="predicts", valid=date(10), at=moment(0)),
        claim("witness", "UA", 12, at=moment(12)),
        claim("monitor", "UA", 12, at=moment(12)),
        claim("army", "UA", 30, place="village", at=moment(30)),
    )
    shelf = world.shelf(hashed=True)
    known_then = len(shelf.events) - 3
    bit_by_bit, at_once = built(shelf, tmp_path / "one", [known_then]), built(shelf, tmp_path / "two")
    assert told_by(bit_by_bit) == told_by(at_once)


def test_a_part_named_late_hears_what_was_said_of_the_whole(tmp_path) -> None:
    part = {"place": "town/east", "names": ["East"], "kind": "part", "parent": "town"}
    world = World.of(
        claim("witness", "UA", 1, at=moment(2)),
        told("place-registered", "east", moment(3), **part),
    )
    shelf = world.shelf(hashed=True)
    views = Paper(shelf, len(shelf.events) - 1).views(tmp_path)
    views.beliefs(TALLY, len(shelf.events) - 1, shelf.directory(len(shelf.events) - 1))
    views.close()
    views = Paper(shelf).views(tmp_path)
    beliefs = views.beliefs(TALLY, len(shelf.events), shelf.directory())
    assert beliefs.knot("town/east", "control", ZERO + 5) is not None
    views.close()


def test_a_third_party_named_late_reshapes_every_view(tmp_path) -> None:
    world = World.of(
        claim("witness", "UA", 1, at=moment(2)), told("party-named", "third", moment(3), party="PMC")
    )
    shelf = world.shelf(hashed=True)
    first = len(shelf.events) - 1
    assert told_by(built(shelf, tmp_path / "one", [first])) == told_by(built(shelf, tmp_path / "two"))
    assert list(shelf.judge(2).probabilities) == ["UA", "RU", "PMC", "contested"]
    assert list(shelf.judge(2, position=first).probabilities) == ["UA", "RU", "contested"]


def test_a_claim_moved_to_a_place_nobody_spoke_of_is_looked_up_there(tmp_path) -> None:
    world = World.of(
        claim("witness", "UA", 1, "moved", at=moment(2)),
        told("entry-corrected", "fix", moment(3), target="#moved", changes={"place": "village"}),
    )
    shelf = world.shelf(hashed=True)
    built(shelf, tmp_path)
    views = Paper(shelf).views(tmp_path)
    beliefs = views.beliefs(TALLY, len(shelf.events), shelf.directory())
    assert beliefs.knot("village", "control", ZERO + 5).claims == 1
    assert beliefs.knot("town", "control", ZERO + 5) is None
    views.close()


def test_a_look_at_a_map_reaches_what_its_merged_namesake_displays(tmp_path) -> None:
    world = World.of(
        claim("chart", "UA", 1, standing=True, at=moment(2)),
        told("source-merged", "merged", moment(3), source="chart", into="map"),
        told("display-observed", "look", moment(9), source="map", said=date(9)),
    )
    shelf = world.shelf(hashed=True)
    stops = [len(shelf.events) - 1]
    assert told_by(built(shelf, tmp_path / "one", stops)) == told_by(built(shelf, tmp_path / "two"))


def test_the_record_reads_the_closed_set_of_events() -> None:
    assert set(BY_TYPE) == TYPES


# -- poison ------------------------------------------------------------------------------------------------


def smuggle(scribe: Scribe, topic: str, data: dict, stream: str, version: int = 1) -> int:
    """Write a row that the ledger itself would have refused; returns its position."""
    recorded = "2026-01-01T00:00:00.000000Z"
    state = encode(stream=stream, version=version, topic=topic, recorded=recorded, data=data)
    with scribe.book.store.writer() as writer:
        return writer.insert([NewRow(stream, version, topic, state)], recorded)[0]


POISON = {
    "of an unknown type": ("place-bombed/1", {"place": "town"}),
    "of a type from the future": ("claim-reported/9", {"claimant": "witness", "place": "town"}),
    "without a claimant": ("claim-reported/1", {"place": "town", "state": "UA", "said": date(3)}),
    "with a date that is none": (
        "claim-reported/1",
        {"claimant": "witness", "place": "town", "state": "UA", "said": "soon"},
    ),
    "on a question nobody opened": (
        "claim-reported/1",
        {"claimant": "witness", "place": "town", "state": "UA", "question": "weather", "said": date(3)},
    ),
}


@pytest.mark.parametrize("name", POISON)
def test_a_poison_event_stops_nothing_and_is_quarantined_with_its_position(tmp_path, name) -> None:
    topic, data = POISON[name]
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(World.of(claim("witness", "UA", 1)).told)
        with scribe.desk() as desk:
            before = desk.beliefs.knot("town", "control", ZERO + 5)
        position = smuggle(scribe, topic, data, "c-poison")
        scribe.tell([claim("monitor", "UA", 4, at=moment(90))])
        for _ in range(2):
            with scribe.desk() as desk:
                after = desk.beliefs.knot("town", "control", ZERO + 5)
                bad = [*desk.views.quarantined(), *desk.beliefs.quarantined()]
            assert [one.position for one in bad] == [position]
            assert after.claims == before.claims + 1
        shutil.rmtree(scribe.path.with_name("book.db.views"))
        with scribe.desk() as desk:
            assert desk.beliefs.knot("town", "control", ZERO + 5) == after
            bad = [*desk.views.quarantined(), *desk.beliefs.quarantined()]
            assert [one.position for one in bad] == [position]


def test_a_correction_that_makes_nonsense_is_quarantined_and_takes_only_its_target_along(tmp_path) -> None:
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(World.of(claim("witness", "UA", 1, "kept"), claim("monitor", "RU", 1, "spoilt")).told)
        target = scribe.ids["spoilt"]
        changes = {"target": target, "changes": {"said": "sometime"}}
        smuggle(scribe, "entry-corrected/1", changes, target, 2)
        ruled = {"target": scribe.ids["kept"], "verdict": "true", "ruled": "never"}
        smuggle(scribe, "claim-adjudicated/1", ruled, scribe.ids["kept"], 2)
        with scribe.desk() as desk:
            assert desk.beliefs.knot("town", "control", ZERO + 5).claims == 1
            entries = {one.entry for one in desk.beliefs.quarantined()}
        assert entries == {target, f"{scribe.ids['kept']}@2"}


# -- whose view it is ----------------------------------------------------------------------------------------


@pytest.fixture
def scribe(tmp_path):
    with Scribe(tmp_path / "book.db") as scribe:
        yield scribe.tell(World.of(claim("witness", "UA", 1), claim("ministry", "RU", 2)).told)


def view_of(scribe: Scribe, name: str = VIEW) -> Path:
    return scribe.path.with_name("book.db.views") / name


def asked(scribe: Scribe, day: int = 5):
    with scribe.desk() as desk:
        return desk.beliefs.knot("town", "control", ZERO + day)


def test_a_view_made_by_other_logic_is_not_used(scribe) -> None:
    asked(scribe)
    with sqlite3.connect(view_of(scribe)) as db:
        db.execute("UPDATE meta SET value = 'f00d' WHERE name = 'fingerprint'")
    with pytest.raises(ReplayDue, match="claims replay"):
        asked(scribe)
    with scribe.desk() as desk:
        desk.views.beliefs(desk.loaded, desk.head, desk.directory, replay=True)
    assert asked(scribe) is not None


def test_a_view_of_another_ledger_is_built_anew(tmp_path, scribe) -> None:
    expected = asked(scribe)
    with Scribe(tmp_path / "other.db", "another") as other:
        other.tell(World.of(*(claim("army", "UA", n) for n in range(9))).told)
        asked_of_other = other.desk()
        asked_of_other.beliefs.spots()
        asked_of_other.close()
    shutil.rmtree(view_of(scribe).parent)
    shutil.copytree(tmp_path / "other.db.views", view_of(scribe).parent)
    assert asked(scribe) == expected


def test_a_view_of_a_longer_ledger_is_built_anew(tmp_path, scribe) -> None:
    expected = asked(scribe)
    shutil.copyfile(scribe.path, tmp_path / "short.db")
    scribe.tell([claim("army", "RU", 3, at=moment(80))])
    assert asked(scribe) != expected
    shutil.copytree(view_of(scribe).parent, tmp_path / "short.db.views")
    with Desk(tmp_path / "short.db", now=moment(120)) as desk:
        assert desk.beliefs.knot("town", "control", ZERO + 5) == expected


def test_a_ledger_that_took_another_turn_is_read_anew(tmp_path, scribe) -> None:
    copy_ledger(scribe.path, tmp_path / "fork.db")
    scribe.tell([claim("army", "RU", 3, at=moment(80))])
    asked(scribe)
    shutil.copytree(view_of(scribe).parent, tmp_path / "fork.db.views")
    from ledger.book import Draft, Ledger

    with Ledger.open(tmp_path / "fork.db", clock=lambda: moment(81)) as fork:
        data = {"claimant": "army", "place": "village", "state": "UA", "said": date(3)}
        fork.append([Draft.of("claim-reported", data)])
    with Desk(tmp_path / "fork.db", now=moment(120)) as desk:
        assert desk.beliefs.knot("town", "control", ZERO + 5).claims == 2
        assert desk.beliefs.knot("village", "control", ZERO + 5).claims == 1


def garbage(path: Path) -> None:
    path.write_bytes(b"this was never a database, whatever its name may say" * 100)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def scribbled(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 : 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["envelopes@1.db", VIEW])
@pytest.mark.parametrize("damage", [garbage, truncated, emptied, scribbled])
def test_a_damaged_view_is_built_anew(scribe, damage, name) -> None:
    expected = asked(scribe)
    damage(view_of(scribe, name))
    assert asked(scribe) == expected


def test_views_lie_where_the_environment_says(tmp_path, scribe, monkeypatch) -> None:
    monkeypatch.setenv("CLAIMS_VIEWS", str(tmp_path / "elsewhere"))
    assert asked(scribe) is not None
    assert (tmp_path / "elsewhere" / "book.db" / VIEW).is_file()
    assert not view_of(scribe).exists()


def test_views_of_a_ledger_in_a_read_only_folder_lie_in_the_cache(tmp_path, scribe, monkeypatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert views_folder(scribe.path).is_relative_to(tmp_path / "cache")
    assert asked(scribe) is not None
    assert not view_of(scribe).exists()


def test_a_folder_that_takes_no_views_is_an_error_with_a_remedy(tmp_path, scribe, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CLAIMS_VIEWS", str(tmp_path / "file"))
    with pytest.raises(WriteFailed, match="CLAIMS_VIEWS"):
        asked(scribe)


_ASK = """
import sys
from pathlib import Path
from projections.desk import Desk
from tests.projections.worlds import ZERO, moment
for _ in range(5):
    with Desk(Path(sys.argv[1]), now=moment(120)) as desk:
        knot = desk.beliefs.knot("town", "control", ZERO + 5)
print(knot.claims, knot.belief)
"""


def test_processes_that_catch_up_at_once_agree(scribe) -> None:
    asked(scribe)
    scribe.tell([claim("army", "UA", n, at=moment(80 + n)) for n in range(12)])
    command = [sys.executable, "-c", _ASK, str(scribe.path)]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    scribe.tell([claim("brigade", "UA", 4, at=moment(95))])
    said = [one.communicate(timeout=60) for one in running]
    assert [error for _, error in said] == ["", "", ""]
    expected = asked(scribe)
    told_last = f"{expected.claims} {expected.belief}"
    assert all(int(out.split()[0]) in (expected.claims - 1, expected.claims) for out, _ in said)
    with scribe.desk() as desk:
        desk.beliefs.score()
    one = told_by(view_of(scribe))
    shutil.rmtree(view_of(scribe).parent)
    asked(scribe)
    assert told_by(view_of(scribe)) == one
    assert told_last
