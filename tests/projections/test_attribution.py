"""Whose doing a difference is: in every ledger the parts add up to the whole, and nobody is blamed for nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.belief.attribution import (
    Account,
    Ask,
    Difference,
    arrived,
    difference,
    known_then,
    pieces_of,
    unexplained,
)
from projections.belief.base import UNKNOWN, Logic
from projections.belief.happenings import happenings
from projections.belief.params import Params
from projections.belief.tally import TALLY, explain, judge
from projections.case import Case
from tests.projections.worlds import (
    DAYS,
    TIGHT,
    ZERO,
    World,
    claim,
    date,
    end,
    laws,
    told,
    worlds,
)

NOW = end(DAYS + 200)
days = st.integers(-2, DAYS + 20)
dense = st.one_of(worlds(least=4), worlds(TIGHT, least=6))
pairs = st.sampled_from([(0, 1), (1, 0), (0, 2), (2, 1), (1, 2), (2, 0)])

DEAF = Logic("deaf", 1, weigh=lambda piece, source: 0.0 if source.side == "RU" else 1.0)
LOUD = Logic("loud", 1, weigh=lambda piece, source: 1.0 + piece.position % 4 / 2)
SHY = Logic("shy", 1, weigh=lambda piece, source: 0.3 if piece.kind == "display" else 1.0)
BRISK = Logic("brisk", 1, params=Params().replace(sojourn_held=60.0, sojourn_contested=9.0))
CREDULOUS = Logic("credulous", 1, params=Params().replace(copy_rate=0.0, standing_rate=0.4))
STILL = Logic("still", 1, params=Params().replace(sojourn_held=math.inf, sojourn_contested=math.inf))
OTHERS = (DEAF, LOUD, SHY, BRISK, CREDULOUS, STILL)


def own(case: Case, day: int, known: int) -> dict[str, float]:
    """Believes whatever was said last."""
    said = [piece for piece in case.testimony if piece.state in case.states and piece.lo <= day]
    last = max(said, key=lambda piece: piece.order, default=None)
    even = dict.fromkeys(case.states.names, 0.0)
    return even | {last.state if last else case.states.names[0]: 1.0}


OWN = Logic("own", 1, believe=own)


def odds(case: Case, logic: Logic, ask: Ask, known: int) -> float:
    """What the answer itself says, 0 where it says nothing."""
    verdict = judge(case, logic, ask.day, known)
    if verdict.believed == UNKNOWN:
        return 0.0
    a, b = (verdict.probabilities[case.states.names[i]] or 1e-12 for i in (ask.a, ask.b))
    return math.log(a) - math.log(b)


def adds_up(found: Difference) -> bool:
    parts = [found.prior, found.staleness, found.remainder, *(share.change for share in found.shares)]
    return math.isclose(math.fsum(parts), found.after - found.before, rel_tol=0, abs_tol=1e-9)


def apart(case: Case, one: Logic, other: Logic, ask: Ask, left: Case | None = None) -> Difference:
    (before,), (after,) = known_then(case, one, [ask], NOW), known_then(left or case, other, [ask], NOW)
    return difference(before, after, pieces_of(case))


# -- two logics -------------------------------------------------------------------------------------------


@laws()
@given(dense, days, pairs, st.sampled_from(OTHERS))
def test_between_two_logics_the_parts_add_up_to_the_change_in_log_odds(
    world: World, day: int, pair: tuple[int, int], other: Logic
) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case, ask = shelf.case(place, question), Ask(ZERO + day, *pair)
        found = apart(case, TALLY, other, ask)
        assert found.additive and found.remainder == 0
        assert found.before == pytest.approx(odds(case, TALLY, ask, end(day)), abs=1e-9)
        assert found.after == pytest.approx(odds(case, other, ask, end(day)), abs=1e-9)
        assert adds_up(found)


@laws(0.5)
@given(dense, days, pairs)
def test_a_logic_differs_from_itself_by_nothing_and_through_nobody(
    world: World, day: int, pair: tuple[int, int]
) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        found = apart(shelf.case(place, question), TALLY, TALLY, Ask(ZERO + day, *pair))
        assert {found.change, found.prior, found.staleness, *(one.change for one in found.shares)} == {0.0}


@laws(0.5)
@given(dense, st.lists(days, min_size=2, max_size=5), st.sampled_from(OTHERS))
def test_days_asked_together_are_answered_as_one_by_one(world: World, asked: list[int], logic: Logic) -> None:
    case = world.shelf().case()
    asks = [Ask(ZERO + day, 0, 1) for day in asked]
    assert known_then(case, logic, asks, NOW) == [known_then(case, logic, [ask], NOW)[0] for ask in asks]


@laws(0.5)
@given(dense, days)
def test_an_account_weighs_every_piece_as_why_does(world: World, day: int) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        why = explain(case, TALLY, ZERO + day, end(day))
        if why.verdict.believed == UNKNOWN:
            continue
        ask = Ask(ZERO + day, case.states.index(why.state), case.states.index(why.against))
        (found,) = known_then(case, TALLY, [ask], NOW)
        weights: dict[str, float] = {}
        for one in why.heard:
            weights[one.piece.id] = weights.get(one.piece.id, 0.0) + one.weight
        assert dict(found.weights) == pytest.approx(weights, abs=1e-12)
        assert (found.total, found.staleness) == pytest.approx((why.total, why.staleness), abs=1e-12)


def test_what_nobody_has_spoken_of_yet_has_an_empty_account() -> None:
    case = World.of(claim("witness", "UA", 5)).shelf().case()
    assert known_then(case, TALLY, [Ask(ZERO + 4, 0, 1)], NOW) == [Account()]
    assert known_then(World.of().shelf().case(), TALLY, [Ask(ZERO, 0, 1)], NOW) == [Account()]


def test_what_became_known_later_has_no_part_in_what_was_believed_then() -> None:
    case = World.of(claim("witness", "UA", 3), claim("army", "UA", 2, published=date(9))).shelf().case()
    (found,) = known_then(case, TALLY, [Ask(ZERO + 5, 0, 2)], NOW)
    assert [pieces_of(case)[name].source for name in found.weights] == ["witness"]


def test_a_ruling_on_a_claim_and_the_claim_are_one_piece() -> None:
    ruled = told("claim-adjudicated", "ruled", target="#said", verdict="true", ruled=date(4))
    case = World.of(claim("witness", "UA", 3, "said"), ruled).shelf().case()
    (before,) = known_then(case, TALLY, [Ask(ZERO + 3, 0, 1)], NOW)
    (after,) = known_then(case, TALLY, [Ask(ZERO + 4, 0, 1)], NOW)
    (share,) = difference(before, after, pieces_of(case)).shares
    assert share.after > share.before > 0


# -- with and without some sources ---------------------------------------------------------------------------


@laws()
@given(dense, days, pairs, st.sampled_from(("army", "ministry", "witness", "map", "brigade")))
def test_who_is_left_out_weighs_nothing_afterwards_and_the_parts_still_add_up(
    world: World, day: int, pair: tuple[int, int], source: str
) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case, ask = shelf.case(place, question), Ask(ZERO + day, *pair)
        left = case.without(lambda piece: piece.source == source)
        found = apart(case, TALLY, TALLY, ask, left)
        assert found.after == pytest.approx(odds(left, TALLY, ask, end(day)), abs=1e-9)
        assert adds_up(found)
        gone = [one for one in found.shares if getattr(one.piece, "source", None) == source]
        assert all(one.after == 0 for one in gone)


def test_whose_words_are_repeated_makes_the_repeat_weigh_more_by_going() -> None:
    case = World.of(claim("army", "UA", 3), claim("brigade", "UA", 4)).shelf().case()
    left = case.without(lambda piece: piece.source == "army")
    found = apart(case, TALLY, TALLY, Ask(ZERO + 5, 0, 1), left)
    moved = {one.piece.source: one.change for one in found.shares}
    assert moved["army"] < 0 < moved["brigade"]
    assert adds_up(found)


# -- two moments ------------------------------------------------------------------------------------------------


@laws()
@given(dense, st.lists(days, min_size=1, max_size=3), pairs, days, days, st.sampled_from((TALLY, *OTHERS)))
def test_between_two_moments_the_parts_add_up_to_the_change_in_log_odds(
    world: World, asked: list[int], pair: tuple[int, int], one: int, other: int, logic: Logic
) -> None:
    first, second = end(min(one, other)), end(max(one, other))
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        asks = [Ask(ZERO + day, *pair) for day in asked]
        for ask, found in zip(asks, arrived(case, logic, first, second, asks), strict=True):
            assert found.additive and (found.prior, found.remainder) == (0, 0)
            assert found.before == pytest.approx(odds(case, logic, ask, first), abs=1e-9)
            assert found.after == pytest.approx(odds(case, logic, ask, second), abs=1e-9)
            assert adds_up(found)


@laws(0.5)
@given(dense, days, days, days)
def test_only_what_became_known_in_between_is_credited(world: World, day: int, one: int, other: int) -> None:
    first, second = end(min(one, other)), end(max(one, other))
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        news = set()
        for happening in happenings(case):
            if first < happening.known <= second:
                what = happening.what
                news |= {what[0].id, what[1]} if isinstance(what, tuple) else {what.id}
        (found,) = arrived(case, TALLY, first, second, [Ask(ZERO + day, 0, 1)])
        assert {share.piece.id for share in found.shares} <= news


def between(world: World, day: int, first: int, second: int, logic: Logic = TALLY) -> Difference:
    case = world.shelf().case()
    return arrived(case, logic, end(first), end(second), [Ask(ZERO + day, 0, 1)])[0]


def test_from_a_moment_to_itself_nothing_changes() -> None:
    found = between(World.of(claim("witness", "UA", 3)), 3, 8, 8)
    assert (found.change, found.staleness, found.shares) == (0.0, 0.0, ())


def test_what_arrives_twice_over_is_credited_once_with_both() -> None:
    world = World.of(
        claim("witness", "UA", 3, "said"),
        told("entry-retracted", "back", target="#said", source="witness", said=date(6)),
        claim("army", "UA", 4),
    )
    found = between(world, 5, 1, 8)
    shares = {share.piece.source: share.change for share in found.shares}
    assert shares["army"] > 0
    assert shares["witness"] == pytest.approx(found.after - shares["army"], abs=1e-9)


def test_a_doubt_is_credited_to_the_doubter_and_not_to_the_evidence() -> None:
    world = World.of(
        told("evidence-reported", "film", source="witness", place="town", state="UA", said=date(3)),
        told("claim-reported", "doubt", claimant="monitor", place="town", act="doubts", target="#film",
             said=date(6)),
    )  # fmt: skip
    (share,) = between(world, 3, 4, 8).shares
    assert (share.piece.source, share.before) == ("monitor", 0.0)
    assert share.change < 0


def test_that_a_day_is_over_is_nobodys_doing() -> None:
    """Until a day is over, what is said of later days does not count for it."""
    world = World.of(claim("witness", "UA", 3), claim("army", "RU", 4, valid=date(12)))
    found = between(world, 8, 6, 9)
    assert found.shares == ()
    assert found.staleness == found.change != 0


# -- logics that judge by themselves ----------------------------------------------------------------------------


@laws(0.5)
@given(worlds(replace(TIGHT, most=7), least=3), days, days, days)
def test_a_logic_that_judges_by_itself_has_a_remainder_with_which_it_adds_up(
    world: World, day: int, one: int, other: int
) -> None:
    first, second = end(min(one, other)), end(max(one, other))
    case, ask = world.shelf().case(), Ask(ZERO + day, 0, 1)
    (moments,) = arrived(case, OWN, first, second, [ask])
    for found in (apart(case, TALLY, OWN, ask), apart(case, OWN, DEAF, ask), moments):
        assert not found.additive
        assert adds_up(found)
    assert moments.before == pytest.approx(odds(case, OWN, ask, first), abs=1e-9)
    assert moments.after == pytest.approx(odds(case, OWN, ask, second), abs=1e-9)


def test_of_what_is_unexplained_all_is_remainder() -> None:
    found = unexplained(0.5, -1.0)
    assert (found.remainder, found.shares, found.additive) == (-1.5, (), False)
    assert adds_up(found)
