"""Sources heard by what was learnt of them: the kernel, the reference, and what is written down to learn from."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ReplayDue
from projections.belief.assembly import Assembly
from projections.belief.base import Logic
from projections.belief.labels import States
from projections.belief.odds import Explanation
from projections.belief.params import Params
from projections.belief.tally import TALLY, diagonal, judge, read_knot
from projections.belief.voices import Estimate, Learnt, assumed
from projections.case import states_of
from projections.columns.judging import Judge
from projections.columns.modes import kernel
from projections.columns.testimony import Builder
from projections.commands.common import open_desk
from projections.envelopes.cache import Envelopes
from projections.learning.reference import rows_of
from projections.learning.transcript import Rows
from tests.conftest import CommandLine
from tests.projections.test_columns import assert_same
from tests.projections.test_laws import carried
from tests.projections.worlds import DAYS, TIGHT, ZERO, Paper, Shelf, World, claim, close, end, laws, worlds

SOURCES = ("army", "brigade", "corps", "ministry", "witness", "map", "monitor", "agency")


def estimate(states: States, day: int, seed: int, temperature: float = 1.0) -> Estimate:
    """Made-up tables: any numbers will do."""
    rng = np.random.default_rng(100 + seed)
    groups, labels, size = len(states.parties) + 1, len(states.labels()) + 1, len(states)
    tables = 2 * groups + len(SOURCES)
    logs = np.log(rng.dirichlet(np.ones(labels), (tables, size))).transpose(0, 2, 1)
    rates = np.stack([rng.uniform(0.05, 0.9, tables), rng.uniform(0.01, 0.4, tables)], axis=1)
    own = {source: 2 * groups + n for n, source in enumerate(SOURCES)}
    spoken = {source: n for source, n in own.items() if rng.random() < 0.6}
    shown = {source: n for source, n in own.items() if rng.random() < 0.6}
    return Estimate(end(day - 1) + 1, 1, 10, np.maximum(logs, -9.0), rates, spoken, shown, temperature)


def learner(shelf: Shelf, days: list[int], temperature: float = 1.0) -> Logic:
    directory = shelf.directory()
    estimates = {
        question: tuple(estimate(states_of(directory, question), day, day, temperature) for day in days)
        for question in directory.questions
    }
    return Logic("learner", 1, learns=True, learnt=Learnt(estimates))


turns = st.lists(st.integers(-2, DAYS + 5), min_size=1, max_size=3, unique=True).map(sorted)


@laws(0.5)
@given(worlds(), turns)
def test_the_kernel_hears_learnt_voices_as_the_reference_does(world: World, days: list[int]) -> None:
    shelf = world.shelf(hashed=True)
    assert_same(shelf, learner(shelf, days, temperature=1.5))


@laws(0.3)
@given(worlds(), turns)
def test_scores_are_made_with_what_was_learnt_by_then(world: World, days: list[int]) -> None:
    shelf = world.shelf(hashed=True)
    assert_same(shelf, learner(shelf, days), known=end(20))


@laws(0.5)
@given(worlds(), turns)
def test_a_knot_says_what_judging_that_day_says(world: World, days: list[int]) -> None:
    shelf = world.shelf()
    logic = learner(shelf, days)
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        knots = diagonal(case, logic)[0]
        for day in (ZERO, ZERO + 9, ZERO + 10, ZERO + 31, ZERO + 60):
            told = [knot for knot in knots if knot.since <= day]
            then = judge(case, logic, day, end(day - ZERO))
            if told and told[-1].belief:
                looked_up = read_knot(told[-1], day, case.states, logic).probabilities
                assert looked_up == pytest.approx(then.probabilities, abs=1e-9)
            else:
                assert then.believed == "unknown"


@laws(0.3)
@given(worlds(), st.integers(0, DAYS))
def test_reasons_add_up_to_the_log_odds(world: World, day: int) -> None:
    shelf = world.shelf()
    logic = learner(shelf, [5, 20], temperature=2.0)
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        chain = Assembly.known_by(case, logic, end(day)).chain
        told: Explanation = chain.explain(ZERO + day, 0, 1)
        parts = [nats for _, nats in (*told.terms, *told.display_terms)]
        assert told.prior + sum(parts) + told.staleness == pytest.approx(told.total, abs=1e-8)


@laws(0.3)
@given(worlds(), st.integers(1, DAYS))
def test_what_is_learnt_later_moves_no_earlier_answer(world: World, turn: int) -> None:
    shelf = world.shelf()
    before, after = learner(shelf, [0]), learner(shelf, [0, turn])
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        for day in (0, turn - 1):
            one, other = (judge(case, logic, ZERO + day, end(turn - 1)) for logic in (before, after))
            assert one == other


def test_a_voice_of_which_nothing_was_learnt_is_heard_as_its_group() -> None:
    states = States.control(("UA", "RU"))
    found = estimate(states, 0, 0)
    voice = found.voice(states, "stranger", 1)
    assert np.array_equal(np.array([*voice.spoken.values()]), found.logs[2, :-1])
    assert np.array_equal(np.array([*voice.shown.values()]), found.logs[5])
    assert voice.standing_rate == found.rates[5, 1]


@laws(0.3)
@given(worlds(replace(TIGHT, exact=True).but("correction"), least=4), st.integers(1, 3))
def test_carriers_that_name_their_source_change_nothing(world: World, times: int) -> None:
    spoken = [one for one in world.entries if one.name in ("claim-reported", "evidence-reported")]
    repeats = [carried(one, n) for one in spoken for n in range(times)]
    alone, echoed = world.shelf(), (world + repeats).shelf()
    logic = learner(alone, [0, 20])
    for place, question in alone.spots():
        for day in (5, 25, DAYS):
            one, other = (
                judge(shelf.case(place, question), logic, ZERO + day, end(DAYS + 60))
                for shelf in (alone, echoed)
            )
            assert close(one, other)


@laws(0.3)
@given(worlds(TIGHT, least=6), st.integers(0, DAYS + 5))
def test_hindsight_on_the_last_day_spoken_of_is_the_filter(world: World, known: int) -> None:
    shelf = world.shelf()
    logic = learner(shelf, [0, 20])
    for place, question in shelf.spots():
        chain = Assembly.known_by(shelf.case(place, question), logic, end(known)).chain
        if chain.days:
            assert chain.smoothed(chain.days[-1]) == pytest.approx(chain.filtered(chain.days[-1]), abs=1e-12)


def test_before_the_first_estimate_everybody_is_heard_as_assumed() -> None:
    shelf = World.of(claim("witness", "UA", 3)).shelf()
    late = learner(shelf, [9])
    case = shelf.case()
    assert judge(case, late, ZERO + 5, end(5)) == judge(case, TALLY, ZERO + 5, end(5))
    assert judge(case, late, ZERO + 5, end(9)) != judge(case, TALLY, ZERO + 5, end(9))


def test_a_higher_temperature_says_the_same_less_surely() -> None:
    shelf = World.of(claim("witness", "UA", 3), claim("army", "RU", 3)).shelf()
    sure, unsure = (learner(shelf, [0], temperature) for temperature in (1.0, 3.0))
    a, b = (judge(shelf.case(), logic, ZERO + 3, end(3)).probabilities for logic in (sure, unsure))
    assert max(b.values()) < max(a.values())
    assert sorted(a, key=a.__getitem__) == sorted(b, key=b.__getitem__)


def test_a_table_cannot_be_written_to() -> None:
    voice = assumed(States.control(("UA", "RU")), None, Params())
    with pytest.raises(ValueError, match="read-only"):
        next(iter(voice.unsaid.values()))[0] = 1.0


# -- what is learnt from ---------------------------------------------------------------------------------------


def in_order(rows: Rows) -> list[Any]:
    return [
        sorted(
            (*one, round(weight, 9))
            for one, weight in zip(rows.said.tolist(), rows.loud.tolist(), strict=True)
        ),
        sorted(
            (*one, round(weight, 9))
            for one, weight in zip(rows.held.tolist(), rows.firm.tolist(), strict=True)
        ),
        sorted(
            (day, *(round(nats, 6) + 0.0 for nats in logs))
            for day, logs in zip(rows.ruled.tolist(), rows.weighed.tolist(), strict=True)
        ),
    ]


@laws()
@given(worlds())
def test_the_kernel_writes_down_what_the_reference_has_heard(world: World) -> None:
    shelf = world.shelf(hashed=True)
    paper, cache = Paper(shelf), Envelopes(":memory:")
    cache.catch_up(paper, len(shelf.events), "code", "made-up")  # type: ignore[arg-type]
    builder = Builder(cache, shelf.directory(), paper.event, shelf._first)
    moments = [end(day) + 1 for day in (5, 20, 60)]
    with np.errstate(over="ignore"):
        testimony = builder.testimony(list(builder.roots()), kernel(False))
        teller = Judge(testimony, shelf.directory(), TALLY, end(200), kernel(False))
        for spot in testimony.spots:
            case = shelf.case(spot.place, spot.question)
            for moment, mine in zip(moments, teller.heard_before(spot, moments), strict=True):
                theirs = rows_of(Assembly.known_by(case, TALLY, moment - 1), builder.codes)
                assert in_order(mine) == in_order(theirs), (spot.place, spot.question, moment)
    cache.close()


def test_a_linked_voice_that_repeats_is_nothing_to_learn_from() -> None:
    from tests.projections.worlds import told

    link = told("sources-linked", "link", sources=["brigade", "corps"])
    shelf = World.of(link, claim("brigade", "UA", 3), claim("corps", "UA", 4)).shelf()
    codes = {source: n for n, source in enumerate(SOURCES)}
    rows = rows_of(Assembly.known_by(shelf.case(), replace(TALLY), end(9)), codes)
    assert rows.said[:, 1].tolist() == [2 * codes["brigade"]]


# -- asked through the command line --------------------------------------------------------------------------


def test_how_a_source_is_heard_can_be_asked(claims: CommandLine, demo: Path) -> None:
    answer = claims("logic", "voices", "Sharov", db=demo)
    (sharov,) = answer["voices"]
    assert (answer["schema"], sharov["source"], sharov["side"]) == ("voices/1", "sharov", "RU")
    assert sharov["learnt"] == {"says": False, "shows": False}
    for state in ("RU", "UA", "contested"):
        said = [shares[state] for label, shares in sharov["says"].items() if label != "not-contested"]
        assert sum(said) == pytest.approx(1.0, abs=1e-6)
    assert sharov["says"]["RU"]["RU"] > sharov["says"]["RU"]["contested"] > sharov["says"]["RU"]["UA"]


def test_what_was_learnt_of_a_source_is_told_apart_by_the_moment(claims: CommandLine, copied: Path) -> None:
    early = claims("logic", "voices", "Sharov", "--logic", "hmm", "--as-of", "2025-12-16", db=copied)
    late = claims("logic", "voices", "Sharov", "--logic", "hmm", "--as-of", "2026-02-01", db=copied)
    assert early["learnt_before"] is None
    assert late["learnt_before"] is not None and late["learnt_at"] == late["position"]
    assert [one["voices"][0]["learnt"]["says"] for one in (early, late)] == [False, True]
    assert early["voices"][0]["says"] != late["voices"][0]["says"]


def test_parameters_of_a_file_change_the_answer_and_the_fingerprint(
    claims: CommandLine, copied: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("aligned_own = [0.6, 0.2, 0.2]\n", encoding="utf-8")
    plain = claims("as-of", "2025-12-16", "Kupyansk", db=copied)
    asked = claims("as-of", "2025-12-16", "Kupyansk", "--params", mine, db=copied)
    assert asked["logic"]["fingerprint"] != plain["logic"]["fingerprint"]
    assert asked["answers"][0]["probabilities"] != plain["answers"][0]["probabilities"]
    again = claims("as-of", "2025-12-16", "Kupyansk", db=copied)
    assert again["answers"] == plain["answers"]


def test_a_logic_promoted_with_parameters_answers_when_their_file_is_gone(
    claims: CommandLine, copied: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("copy_rate = 0.9\n", encoding="utf-8")
    claims("replay", "--logic", "hmm", "--params", mine, "--promote", db=copied)
    before = claims("as-of", "2025-12-16", "Kupyansk", db=copied)
    mine.unlink()
    after = claims("as-of", "2025-12-16", "Kupyansk", db=copied)
    assert before["logic"]["name"] == "hmm"
    assert (after["logic"], after["answers"]) == (before["logic"], before["answers"])


def test_logics_are_compared_under_other_parameters(
    claims: CommandLine, copied: Path, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text("sojourn_contested = 5\n", encoding="utf-8")
    answer = claims("diff", "--logic", f"tally..tally:{mine}", db=copied, ok=5)
    assert answer["totals"]["intervals"] > 0


def test_asking_under_other_parameters_first_leaves_the_logic_as_it_was(
    claims: CommandLine, copied: Path, tmp_path: Path
) -> None:
    shutil.rmtree(f"{copied}.views")
    mine = tmp_path / "mine.toml"
    mine.write_text("sojourn_held = 120\n", encoding="utf-8")
    for options in (("--params", mine), (), ("--params", mine), ("--logic", f"tally:{mine}")):
        claims("as-of", "2025-12-16", "Kupyansk", *options, db=copied)
    listed = claims("logic", "list", db=copied)["logics"]
    assert {(one["view"], one["code"]) for one in listed if one["logic"] == "tally@1"} == {
        ("fresh", "installed"),
        ("fresh", "kept"),
    }


def test_a_view_found_damaged_while_it_is_read_costs_one_line(demo: Path) -> None:
    with pytest.raises(ReplayDue, match="a view is damaged") as caught, open_desk(demo, "tally"):
        raise sqlite3.DatabaseError("database disk image is malformed")
    assert "claims replay --logic tally@1" in str(caught.value)


def test_a_merged_source_is_no_voice_of_its_own(claims: CommandLine, copied: Path) -> None:
    before = {one["source"] for one in claims("logic", "voices", db=copied)["voices"]}
    claims("source", "khartiia-brigade", "--merge-into", "khartiia", db=copied)
    after = {one["source"] for one in claims("logic", "voices", db=copied)["voices"]}
    assert before - after == {"khartiia-brigade"}
