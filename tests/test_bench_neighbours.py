"""The ablation of neighbours: what it does to a belief by hand, and how it chooses without seeing what it is scored on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ledger.errors import Usage
from tests.bench import neighbours, warmap
from tests.bench.neighbours import Choice, Field, after, chosen, compare, coupled, halves
from tests.bench.simulation.ground import CONTESTED, distances, near

UNSURE, SURE = [1 / 3] * 3, [0.9, 0.05, 0.05]

MAP = """qid,name,place_type,lon,lat,from_snapshot,last_snapshot,status
Q1,one,village,37.60,49.70,2024-07-01,2024-10-08,not_occupied
Q1,one,village,37.60,49.70,2024-10-09,2024-12-31,occupied_RU
Q2,two,village,37.60,49.80,2024-07-01,2024-12-31,occupied_RU
Q3,three,town,37.70,49.70,2024-07-01,2024-12-31,not_occupied
"""


def field(seed: int = 0, truth: list[int] | None = None, days: int = 30) -> Field:
    """Four places: two that hear nothing, each beside one of which all is known."""
    states = np.repeat(np.array(truth or [0, 0, 1, 1])[:, None], days, axis=1)
    beliefs = np.tile(np.array(UNSURE), (4, days, 1))
    for place in (1, 3):
        beliefs[place] = np.eye(3)[states[place]] * 0.85 + 0.05
    x, y = np.array([0.0, 4.0, 100.0, 104.0]), np.zeros(4)
    return Field(beliefs, states, x, y, np.arange(4))


def test_without_strength_nothing_changes_and_without_neighbours_neither() -> None:
    beliefs = np.random.default_rng(1).dirichlet(np.ones(3), (4, 5))
    weights = near(distances(np.arange(4.0), np.zeros(4)), 2.5)
    assert coupled(beliefs, weights, 0.0) == pytest.approx(beliefs)
    assert coupled(beliefs, np.zeros((4, 4)), 5.0) == pytest.approx(beliefs)


def test_one_step_is_what_the_formula_says() -> None:
    beliefs = np.array([[UNSURE], [SURE]])
    p = coupled(beliefs, np.array([[0.0, 1.0], [0.0, 0.0]]), 2.0)
    weights = np.exp(2.0 * (np.array(SURE) - 1 / 3))
    assert p[0, 0] == pytest.approx(weights / weights.sum())
    assert p[1, 0] == pytest.approx(SURE)


def test_weights_sum_to_one_fall_with_distance_and_end_at_the_reach() -> None:
    weights = near(distances(np.array([0.0, 1.0, 3.0, 50.0]), np.zeros(4)), 6.0)
    assert weights.sum(axis=1) == pytest.approx([1, 1, 1, 0])
    assert weights[0, 1] > weights[0, 2] > weights[0, 3] == 0
    assert not weights.diagonal().any()


def test_neighbours_that_agree_are_listened_to_and_those_that_do_not_are_left_alone() -> None:
    agreeing, strange = field(), field(truth=[1, 0, 0, 1])
    assert chosen([agreeing]).strength == max(neighbours.STRENGTHS)
    assert chosen([strange]) == Choice(0.0, neighbours.REACHES[0])


def test_strangers_are_others_but_as_many_and_as_near() -> None:
    choice, some = Choice(2.0, 6.0), field()
    assert (after(some, choice)[0].argmax(axis=1) == 0).all()
    apart = [after(some, choice, shuffled=seed)[0, 0] for seed in range(6)]
    assert any(np.allclose(p, UNSURE) or p.argmax() == 1 for p in apart)


def test_nothing_is_scored_by_what_was_chosen_on_it() -> None:
    worlds = [field() for _ in range(4)]
    for choosing, scored in halves(worlds):
        assert {*map(id, choosing)}.isdisjoint(map(id, scored))
        assert len(choosing) + len(scored) == 4
    one = [field()._replace(binary=True)]
    parts = [(a[0].scored.tolist(), b[0].scored.tolist()) for a, b in halves(one)]
    assert sorted(parts[0][0] + parts[0][1]) == [0, 1, 2, 3]
    assert parts[1] == parts[0][::-1]


def test_the_comparison_says_what_was_chosen_and_how_far_it_moved() -> None:
    rows = compare([field() for _ in range(4)], "some", "m@1", "filter")
    assert [one["method"] for one in rows] == [f"m@1{how}" for how in neighbours.WAYS]
    plain, neighbouring, *_ = rows
    assert "what" not in plain
    assert neighbouring["log_loss"] < plain["log_loss"]
    assert neighbouring["moved"]["log_loss"][0] == pytest.approx(neighbouring["log_loss"] - plain["log_loss"])
    assert "log loss -" in neighbouring["what"]


# -- the war map ---------------------------------------------------------------------------------------------


@pytest.fixture
def polygons(tmp_path: Path) -> Path:
    path = tmp_path / "map.csv"
    path.write_text(MAP, encoding="utf-8")
    return path


def test_a_war_map_is_read_day_by_day_and_sources_see_a_struggle_before_a_change(polygons: Path) -> None:
    known = warmap.read(polygons)
    assert known.occupied.shape == (3, 184)
    assert known.occupied[0].tolist() == [0] * 100 + [1] * 84
    assert known.ground.states[0].tolist() == [0] * 80 + [CONTESTED] * 20 + [1] * 84
    apart = distances(known.ground.x, known.ground.y)
    assert apart[0, 1] == pytest.approx(11.1, abs=0.1)
    assert apart[0, 2] == pytest.approx(7.2, abs=0.1)
    assert known.world(1).entries == known.world(1).entries


def test_a_war_map_that_leaves_out_a_day_is_refused(polygons: Path) -> None:
    polygons.write_text(MAP.replace("2024-10-09", "2024-10-11"), encoding="utf-8")
    with pytest.raises(Usage, match="every day"):
        warmap.read(polygons)
    polygons.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(Usage, match="no column 'qid'"):
        warmap.read(polygons)


def test_contested_is_not_occupied() -> None:
    assert warmap.collapsed(np.array([0.2, 0.5, 0.3])).tolist() == pytest.approx([0.5, 0.5])
