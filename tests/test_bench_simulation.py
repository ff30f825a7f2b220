"""The simulated world: the same for the same seed, taken by the ledger, and true to what it declares."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.bench.simulation import SCENARIOS, START, STATES, Given, World, simulate
from tests.bench.simulation.ground import distances, ground, near
from tests.bench.simulation.voices import voices
from tests.conftest import CommandLine

SMALL = replace(SCENARIOS["domain"], places=12, days=150, warm_up=30, volume=40.0, ruled=0.01)


@pytest.fixture(scope="module")
def world() -> World:
    return simulate(SMALL, 1)


def test_the_same_seed_gives_the_same_world_and_another_seed_another(world: World) -> None:
    again = simulate(SMALL, 1)
    assert again.entries == world.entries
    assert (again.ground.states == world.ground.states).all()
    assert simulate(SMALL, 2).entries != world.entries


def test_what_is_told_does_not_change_what_is_so() -> None:
    grounds = [simulate(given, 5).ground for given in (Given(), Given(volume=3.0, hostile=1.0, copies=2.0))]
    assert (grounds[0].states == grounds[1].states).all()


def test_its_events_are_imported_without_a_reject(claims: CommandLine, world: World, tmp_path: Path) -> None:
    events, truth = world.write(tmp_path)
    db = tmp_path / "world.db"
    tally = claims("import", events, "--create", db=db)
    assert (tally["rejected"], tally["conflicting"], tally["already"]) == (0, 0, 0)
    assert tally["new"] == len(world.entries)
    scored = claims("backtest", truth, db=db)
    assert scored["truth"]["rows"] == SMALL.places * (SMALL.days - SMALL.warm_up)


def test_it_tells_everything_that_it_declares(world: World) -> None:
    names = Counter(entry.name for entry in world.entries)
    assert {"claim-reported", "claim-withdrawn", "display-observed", "state-ruled"} <= names.keys()
    told = [entry.data for entry in world.entries if entry.name == "claim-reported"]
    assert {one.get("act", "asserts") for one in told} == {
        *("asserts", "denies", "doubts", "concedes", "predicts"),
    }
    for field in ("via", "target", "extent", "standing", "valid"):
        assert any(field in one for one in told), field
    assert {"~", "/"} <= {mark for one in told for mark in one.get("valid", "")}


def test_events_stand_in_the_order_of_publication_within_the_world(world: World) -> None:
    days = [one.data.get("published") or one.data.get("ruled") for one in world.entries]
    told = [day for day in days if day]
    assert told == sorted(told)
    assert told[0] >= START.isoformat()
    assert (date.fromisoformat(told[-1]) - START).days < SMALL.days


def test_the_truth_has_every_place_on_every_day_once(world: World, tmp_path: Path) -> None:
    _, truth = world.write(tmp_path)
    with truth.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({(row["place"], row["day"]) for row in rows}) == len(rows)
    assert len(rows) == SMALL.places * (SMALL.days - SMALL.warm_up)
    assert {row["state"] for row in rows} <= {*STATES}
    registered = {one.data["place"] for one in world.entries if one.name == "place-registered"}
    assert {row["place"] for row in rows} == registered


def test_places_are_held_about_as_long_as_declared() -> None:
    given = Given(places=400, days=2_000, depth=12.0, contested=(15.0, 30.0), held_front=(100.0, 500.0))
    states = ground(given, np.random.default_rng(1)).states
    lengths: dict[bool, list[int]] = {True: [], False: []}
    for row in states:
        turns = np.flatnonzero(row[1:] != row[:-1]) + 1
        for begin, end in pairwise(turns.tolist()):
            lengths[bool(row[begin] == 2)].append(end - begin)
    assert 15 < np.mean(lengths[True]) < 30
    assert 100 < np.mean(lengths[False]) < 500


def test_neighbours_agree_where_the_front_is_coherent_and_not_more_than_strangers_where_it_is_not() -> None:
    agreeing = {}
    for coherence in (0.0, 1.0):
        drawn = ground(Given(places=150, coherence=coherence), np.random.default_rng(3))
        same = (drawn.states[:, None] == drawn.states[None]).mean(axis=2)
        beside = near(distances(drawn.x, drawn.y), 12.0)
        agreeing[coherence] = (beside * same).sum() / beside.sum() - same.mean()
    assert abs(agreeing[0.0]) < 0.05
    assert agreeing[1.0] > 0.2


def test_sources_differ_and_hostile_ones_deceive() -> None:
    honest = voices(Given(), 5, np.random.default_rng(1))
    for voice in honest:
        assert voice.rows.sum(axis=1) == pytest.approx(1.0)
    assert not any(voice.lag for voice in honest)
    right = {voice.id: voice.rows.diagonal().mean() for voice in honest if voice.kind == "osint"}
    assert len({*right.values()}) == len(right)
    deceiving = voices(Given(hostile=1.0), 5, np.random.default_rng(1))
    assert any(voice.lag for voice in deceiving)
    for voice in deceiving:
        if not voice.lag:
            held_by_other = 1 - voice.side if voice.side is not None else 0
            assert voice.rows[held_by_other, held_by_other] < 0.1


def test_a_sided_source_speaks_for_its_side_alike_whichever_it_is() -> None:
    exact = voices(Given(sharpness=1e6), 5, np.random.default_rng(1))
    one, other = (next(v for v in exact if v.kind == "official" and v.side == side) for side in (0, 1))
    assert one.rows == pytest.approx(other.rows[[1, 0, 2]][:, [1, 0, 2]], abs=0.01)


def test_every_number_is_declared_with_its_unit_and_meaning() -> None:
    table = Given().describe()
    assert len({row.name for row in table}) == len(table) > 40
    assert all(row.unit and row.meaning and row.value for row in table)
