"""The bench of beliefs: baselines that are right where one can tell by hand, and a table that says what it should."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from projections.registry import load
from tests.bench import aims, belief, scoring
from tests.bench.baselines import SPREAD, Votes, blocks, last_claim, majority
from tests.bench.dawid_skene import dawid_skene
from tests.bench.simulation import SCENARIOS, simulate
from tests.bench.stage import Stage
from tests.test_bench import bench

A, B, C = np.eye(3)
NOT_A = np.array([0.0, 0.5, 0.5])


def cast(*told: tuple[int, np.ndarray, int, int]) -> dict[str, Votes]:
    """(source, share of each state, day, day on which it was known)."""
    sources, shares, days, known = zip(*sorted(told, key=lambda one: one[2]), strict=True)
    return {"town": Votes(np.array(sources), np.array(shares), np.array(days), np.array(known))}


def sure(share: float) -> float:
    return (1 - SPREAD) * share + SPREAD / 3


# -- baselines ---------------------------------------------------------------------------------------------


def test_the_last_claim_is_the_last_that_was_known() -> None:
    on = cast((0, A, 1, 1), (1, B, 4, 9), (2, C, 6, 6))
    then, later = (last_claim(on, range(12), mode)["town"] for mode in (True, False))
    assert np.isnan(then[0]).all()
    assert then[[1, 5, 6, 11]].argmax(axis=1).tolist() == [0, 0, 2, 2]
    assert later[[1, 4, 5, 6]].argmax(axis=1).tolist() == [0, 1, 1, 2]
    assert then[1].tolist() == pytest.approx([sure(1), sure(0), sure(0)])


def test_a_majority_counts_fourteen_days_and_then_falls_back_on_the_last_claim() -> None:
    on = cast((0, A, 1, 1), (1, A, 2, 2), (2, B, 10, 10))
    then = majority(on, range(40), True)["town"]
    assert then[12].tolist() == pytest.approx([sure(2 / 3), sure(1 / 3), sure(0)], abs=1e-5)
    assert then[15, 0] == pytest.approx(then[15, 1], abs=1e-5), "the first claim is fourteen days old"
    assert then[15].argmax() == 1, "among equals the one said last"
    assert then[30].tolist() == pytest.approx([sure(0), sure(1), sure(0)], abs=1e-5)


def test_in_hindsight_a_majority_looks_ahead() -> None:
    on = cast((0, A, 1, 1), (1, B, 20, 20), (2, B, 21, 21))
    assert majority(on, [15], True)["town"].argmax() == 0
    assert majority(on, [15], False)["town"].argmax() == 1


def test_a_denial_is_divided_among_the_other_states() -> None:
    believed = majority(cast((0, NOT_A, 1, 1), (1, B, 1, 1)), [1], True)["town"]
    assert believed[0].tolist() == pytest.approx([sure(0), sure(0.75), sure(0.25)], abs=1e-5)


def test_blocks_know_only_what_was_known_and_carry_on_what_was_believed() -> None:
    on = cast(*((source, B, day, day + 20) for source in range(3) for day in (0, 1, 2)))
    then = blocks(on, range(60), True)["town"]
    assert np.isnan(then[19]).all()
    assert then[59].argmax() == 1
    later = blocks(on, range(60), False)["town"]
    assert later[0].argmax() == 1
    assert later[59].tolist() == later[20].tolist()


# -- Dawid and Skene -------------------------------------------------------------------------------------------


def by_definition(
    claims: list[tuple[int, int, int]], shape: tuple[int, int, int], rounds: int, smoothing: float
):
    """The same estimator, claim by claim, as its equations are written."""
    objects, sources, states = shape
    posterior = np.zeros((objects, states))
    for i, _, said in claims:
        posterior[i, said] += 1
    posterior = (posterior + 1e-9) / (posterior + 1e-9).sum(axis=1, keepdims=True)
    for _ in range(rounds):
        confusion = np.full((sources, states, states), smoothing)
        for i, j, said in claims:
            for k in range(states):
                confusion[j, k, said] += posterior[i, k]
        confusion /= confusion.sum(axis=2, keepdims=True)
        prior = posterior.sum(axis=0) + smoothing
        prior /= prior.sum()
        posterior = np.tile(prior, (objects, 1))
        for i, j, said in claims:
            posterior[i] *= confusion[j, :, said]
        posterior /= posterior.sum(axis=1, keepdims=True)
    return posterior


def drawn(seed: int, liar: bool = False) -> tuple[list[tuple[int, int, int]], np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, 60)
    claims = []
    for i, state in enumerate(truth):
        for j in range(6):
            wrong = (state + 1) % 3
            right = rng.random() < 0.8
            claims.append((i, j, int(wrong if (liar and j < 2) or not right else state)))
    return claims, truth


def fitted(claims: list[tuple[int, int, int]], smoothing: float = 0.01):
    objects, sources, said = np.array(claims).T
    return dawid_skene(objects, sources, said, (60, 6, 3), smoothing)


def test_it_is_what_its_equations_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.bench.dawid_skene.ROUNDS", 7)
    monkeypatch.setattr("tests.bench.dawid_skene.STILL", -1.0)
    for seed in range(3):
        claims, _ = drawn(seed)
        slow = by_definition(claims, (60, 6, 3), 7, 0.01)
        assert fitted(claims).posterior == pytest.approx(slow, abs=1e-12)


def test_it_finds_out_who_always_errs_the_same_way() -> None:
    claims, truth = drawn(1, liar=True)
    fit = fitted(claims)
    assert (fit.posterior.argmax(axis=1) == truth).mean() > 0.95
    assert fit.confusion[0].diagonal().max() < 0.1 < fit.confusion[5].diagonal().min()


def test_one_object_is_believed_as_in_the_fit() -> None:
    claims, _ = drawn(2)
    fit = fitted(claims)
    own = [(j, said) for i, j, said in claims if i == 7]
    sources, said = np.array(own).T
    assert fit.believe(sources, said) == pytest.approx(fit.posterior[7], abs=1e-4)


# -- scores ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> list[scoring.Row]:
    folder = tmp_path_factory.mktemp("scores")
    world = simulate(replace(SCENARIOS["sparse"], places=10, days=160, volume=30.0), 1)
    path = scoring.book(folder / "world.db", world)
    return scoring.scores(path, scoring.truth_of(world), [load("tally")], "small")


def test_logics_and_baselines_are_scored_in_both_modes_on_the_same_days(rows: list[scoring.Row]) -> None:
    found = [(one["method"], one["mode"]) for one in rows]
    assert len(found) == len({*found}) == 8
    assert {one["set"] for one in rows} == {"small"}
    for one in rows:
        assert 0 <= one["accuracy"] <= one["coverage"] <= 1
        assert 0 <= one["ece"] <= 1 and 0 <= one["brier"] <= 2 and one["log_loss"] > 0
        assert (one["detected"] is None) == (one["mode"] == "hindsight")


def test_means_are_taken_of_what_was_measured() -> None:
    some = [
        {"set": "x", "mode": "filter", "method": "m", "accuracy": 0.5, "detected": None},
        {"set": "x", "mode": "filter", "method": "m", "accuracy": 0.7, "detected": 0.2},
        {"set": "y", "mode": "filter", "method": "m", "accuracy": 0.1, "detected": 0.1},
    ]
    first, second = scoring.averaged(some)
    assert (first["accuracy"], first["detected"], first["runs"]) == (pytest.approx(0.6), 0.2, 2)
    assert (first["accuracy_sd"], first["detected_sd"]) == (pytest.approx(0.1 * 2**0.5), None)
    assert second == some[2]


def test_a_logic_aims_at_the_best_baseline_of_the_same_set_and_mode(rows: list[scoring.Row]) -> None:
    told = aims.aimed(rows)
    [logic] = [one for one in told if one["method"] == "tally@1" and one["mode"] == "filter"]
    beside = [one for one in rows if one["mode"] == "filter" and one["method"] != "tally@1"]
    assert logic["aim"]["accuracy"] == max(one["accuracy"] for one in beside)
    assert logic["aim"]["brier"] == min(one["brier"] for one in beside)
    assert all(one["aim"] == {} for one in told if one["method"] != "tally@1")


def test_an_ablation_aims_at_what_the_logic_reached_without_and_learning_at_the_first_logic() -> None:
    def some(name: str, method: str, accuracy: float) -> scoring.Row:
        return {"set": name, "mode": "filter", "method": method, "accuracy": accuracy}

    told = aims.aimed(
        [
            some("neighbours/x", "a@1", 0.7),
            some("neighbours/x", "a@1 + neighbours", 0.6),
            some("learning/x", "a@1", 0.8),
            some("learning/x", "b@1", 0.9),
        ]
    )
    assert [one["aim"] for one in told] == [{}, {"accuracy": 0.7}, {}, {"accuracy": 0.8}]


def test_the_table_shows_what_is_aimed_at_and_what_falls_short() -> None:
    one = {"set": "x", "mode": "filter", "method": "m@1", "accuracy": 0.5, "brier": 0.25, "ece": None}
    shown = aims.table([{**one, "aim": {"accuracy": 0.6, "brier": 0.3}}])
    assert shown.splitlines()[0].split() == ["set", "mode", "method", "accuracy", "Brier"]
    assert "0.500 (≥0.600)!" in shown
    assert shown.endswith("0.250 (≤0.300)")


def test_public_figures_are_taken_from_their_own_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def figures(folder: Path) -> list[scoring.Row]:
        assert folder == tmp_path / "crowd"
        return [{"bench": "belief", "set": "crowd/mean", "method": "hmm@1", "accuracy": 0.9}]

    monkeypatch.setitem(sys.modules, "tests.bench.crowd", SimpleNamespace(figures=figures))
    asked = Stage(tmp_path), "crowd", tmp_path
    assert belief.run(*asked, names=["tally"]) == []
    assert "left out, for there is no folder crowd" in capsys.readouterr().err
    (tmp_path / "crowd").mkdir()
    [told] = belief.run(*asked, names=["tally"])
    assert told["aim"] == aims.PUBLISHED["crowd/mean", "hmm@1"]


def test_a_logic_that_is_not_installed_is_left_out_with_a_reason() -> None:
    found, missing = scoring.installed(["tally", "nobody"])
    assert [one.logic.id for one in found] == ["tally@1"]
    assert len(missing) == 1 and missing[0].startswith("nobody is left out: ")


def test_a_public_part_without_its_data_says_so_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert belief.run(Stage(tmp_path), "crowd", names=["tally"]) == []
    assert capsys.readouterr().err.splitlines() == ["crowd: left out, for no folder was given as --data"]


def test_the_command_prints_a_list_of_rows(tmp_path: Path) -> None:
    done = bench(tmp_path, "belief", "--only", "weather", "--json")
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr
    assert not list(tmp_path.iterdir()), "temporary files were left behind"


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--data", "/nowhere"], ["--maps", "/nowhere"]])
def test_what_cannot_be_meant_is_refused_in_one_line(arguments: list[str], tmp_path: Path) -> None:
    done = bench(tmp_path, "belief", *arguments)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
