"""The belief benches on sets small enough to make up here."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench import crowd, weather
from tests.bench.believing import CLIP, Names, dawid_skene, score, shares

MEASURES = {"bench", "set", "method", "accuracy", "log_loss", "brier", "ece"}


def write(path, header, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n", "utf-8")


@pytest.fixture
def sets(tmp_path):
    """Two crowd sets of a hundred objects and a weather set of five places, with sources that are mostly right."""
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        truth = rng.integers(0, 3, 100)
        claims = [
            (f"s{s}", o, truth[o] if rng.random() < 0.7 else rng.integers(0, 3))
            for o in range(99)
            for s in rng.choice(8, 4, replace=False)
        ]
        write(tmp_path / "crowd" / name / "claims.csv", "source,object,value", claims)
        write(tmp_path / "crowd" / name / "truth.csv", "object,value", list(enumerate(truth)))
    claims, truths = [], []
    for place in range(5):
        state = 0
        for hour in range(40):
            state = state if rng.random() < 0.9 else int(rng.integers(0, 3))
            time = f"2010-01-{1 + hour // 24:02}T{hour % 24:02}:00:00"
            truths.append((place, time, f"V{state}"))
            claims += [(f"s{s}", place, time, f"V{state}") for s in range(6) if rng.random() < 0.7]
    write(tmp_path / "weather" / "claims.csv", "source,place,time,state", claims)
    write(tmp_path / "weather" / "truth.csv", "place,time,state", truths)
    return tmp_path


def test_crowd_figures_have_a_row_for_every_set_and_method_and_their_mean(sets):
    rows = crowd.figures(sets / "crowd")
    found = {(row["set"], row["method"]): row for row in rows}
    for method in ("vote", "dawid-skene", "hmm@1", "hmm@1 left-out", "hmm@1 ruled", "dawid-skene unruled"):
        each = [found[f"crowd/{name}", method] for name in ("one", "two")]
        both = found["crowd/mean", method]
        assert both["accuracy"] == pytest.approx(np.mean([row["accuracy"] for row in each]), abs=1e-4)
        assert set(both) >= MEASURES
    assert found["crowd/mean", "hmm@1"]["accuracy"] > 0.7


def test_weather_figures_have_a_row_for_every_share_kept_and_method(sets):
    rows = weather.figures(sets / "weather")
    methods = ("vote", "dawid-skene", "hmm@1 smooth", "hmm@1 filter")
    assert [(row["set"], row["method"]) for row in rows] == [
        (f"weather/{kept}", method) for kept in ("10%", "2%") for method in methods
    ]
    assert all(set(row) >= MEASURES | {"seconds", "accuracy_sd", "log_loss_sd"} for row in rows)


def test_figures_are_the_same_in_every_run(sets):
    first, again = (
        [
            {**row, "seconds": 0}
            for row in (*crowd.figures(sets / "crowd"), *weather.figures(sets / "weather"))
        ]
        for _ in range(2)
    )
    assert first == again


def test_an_object_that_nobody_called_is_believed_to_be_anything(sets):
    one = crowd.Crowd.of(sets / "crowd" / "one")
    assert 99 not in one.thing
    beliefs = crowd.believed(one, crowd.ASSUMED["crowd"])
    np.testing.assert_allclose(beliefs[99].sum(), 1.0)
    assert beliefs[99].max() < 0.6


def test_being_sure_and_wrong_costs_as_much_as_the_stated_clip():
    found = score(np.array([[1.0, 0.0]]), np.array([1]))
    assert found == (0.0, -np.log(CLIP), 2.0, 1.0)


def test_names_are_ordered_as_numbers_and_ties_go_to_the_first():
    assert Names(["10", "9", "2"]).names == ["2", "9", "10"]
    assert score(np.array([[0.5, 0.5]]), np.array([0])).accuracy == 1.0


def test_dawid_and_skene_begins_from_the_shares_of_the_vote():
    thing, voice, label = np.array([[0, 0, 1], [0, 0, 0], [0, 1, 0], [1, 0, 1]]).T
    np.testing.assert_array_equal(shares(thing, label, 3, 2), [[2 / 3, 1 / 3], [0, 1], [0.5, 0.5]])
    np.testing.assert_allclose(dawid_skene(thing, voice, label, 3, 2).sum(axis=1), 1.0)
