"""Beliefs over many days at once are those of the days one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.belief.assembly import Assembly
from projections.belief.base import UNKNOWN, Logic
from projections.belief.params import Params
from projections.belief.paths import Diagonal, apart, judged, known_by, parting
from projections.belief.tally import TALLY, Knot, diagonal, judge, names_of, series
from projections.viewpoint import top
from tests.projections.worlds import DAYS, TIGHT, ZERO, World, claim, end, laws, worlds

dense = st.one_of(worlds(least=4), worlds(TIGHT, least=6))
DEAF = Logic("deaf", 1, weigh=lambda piece, source: 0.0 if source.side == "RU" else 1.0)
STILL = Logic("still", 1, params=Params().replace(sojourn_held=math.inf, sojourn_contested=math.inf))
SPAN = np.arange(ZERO - 3, ZERO + DAYS + 120)


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool(np.allclose(one, other, rtol=0, atol=1e-12, equal_nan=True))


@laws()
@given(dense, st.sampled_from((TALLY, DEAF, STILL)))
def test_the_diagonal_at_once_is_the_diagonal_day_by_day(world: World, logic: Logic) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        knots = diagonal(case, logic)[0]
        reader = Diagonal(case.states, logic)
        rows = reader.rows(knots, SPAN)
        assert same(rows, series(knots, SPAN.tolist(), case.states, logic))
        assert same(reader.rows(knots, SPAN[40:41]), rows[40:41])


@laws()
@given(dense, st.integers(-2, DAYS + 20), st.sampled_from((TALLY, DEAF, STILL)))
def test_one_moments_beliefs_at_once_are_those_day_by_day(world: World, known: int, logic: Logic) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        chain = Assembly.known_by(case, logic, end(known)).chain
        rows = known_by(chain, SPAN[::9], end(known))
        for day, row in zip(SPAN[::9].tolist(), rows, strict=True):
            verdict = judge(case, logic, day, end(known))
            if verdict.believed == UNKNOWN:
                assert np.isnan(row).all()
            else:
                assert row.tolist() == pytest.approx(list(verdict.probabilities.values()), abs=1e-12)


@laws()
@given(dense, st.sampled_from(("army", "ministry", "map", "witness")))
def test_on_days_that_are_not_parted_two_paths_are_the_same(world: World, source: str) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        sides = [diagonal(one, TALLY)[0] for one in (case, case.without(lambda it: it.source == source))]
        reader = Diagonal(case.states, TALLY)
        one, other = (reader.rows(knots, SPAN) for knots in sides)
        parted = set(parting(sides[0], sides[1], int(SPAN[0]), int(SPAN[-1])).tolist())
        alike = [n for n, day in enumerate(SPAN.tolist()) if day not in parted]
        assert same(one[alike], other[alike])


@laws(0.5)
@given(dense)
def test_a_path_never_parts_from_itself(world: World) -> None:
    knots = diagonal(world.shelf().case(), TALLY)[0]
    assert not len(parting(knots, list(knots), int(SPAN[0]), int(SPAN[-1])))


def test_the_days_outside_of_what_was_asked_are_never_parted() -> None:
    one, other = (
        diagonal(World.of(claim("witness", state, 3)).shelf().case(), TALLY)[0] for state in ("UA", "RU")
    )
    assert parting(one, other, ZERO + 5, ZERO + 8).tolist() == [ZERO + n for n in (5, 6, 7, 8)]
    assert parting(one, other, ZERO, ZERO + 2).tolist() == []
    assert parting(one, [], ZERO + 2, ZERO + 4).tolist() == [ZERO + 3, ZERO + 4]


def test_where_nothing_is_believed_it_does_not_matter_since_when() -> None:
    silent = [Knot(ZERO, ZERO, (), (), 0, 0, None)]
    later = [Knot(ZERO + 4, ZERO + 4, (), (), 0, 0, None)]
    assert parting(silent, later, ZERO, ZERO + 9).tolist() == []
    case = World.of().shelf().case()
    assert np.isnan(Diagonal(case.states, TALLY).rows(silent, SPAN)).all()
    assert np.isnan(Diagonal(case.states, TALLY).rows([], SPAN)).all()


def test_the_motion_is_that_of_the_logic_asked() -> None:
    brisk = Logic("brisk", 1, params=Params().replace(sojourn_held=40.0))
    case = World.of(claim("witness", "UA", 3)).shelf().case()
    knots = diagonal(case, TALLY)[0]
    slow, quick = (Diagonal(case.states, logic).rows(knots, SPAN) for logic in (TALLY, brisk))
    assert not same(slow, quick)
    assert same(quick, series(knots, SPAN.tolist(), case.states, brisk))


def test_a_logic_that_judges_by_itself_is_asked_with_what_was_known_of_each_day() -> None:
    asked = []

    def believe(case, day, known):
        asked.append((day, known, len(case.testimony)))
        return {"RU": 1.0}

    case = World.of(claim("witness", "UA", 3), claim("army", "UA", 5)).shelf().case()
    days = np.arange(ZERO + 2, ZERO + 6)
    rows = judged(case, Logic("own", 1, believe=believe), days, lambda day: end(day - ZERO))
    assert names_of(rows, case.states) == [UNKNOWN, "RU", "RU", "RU"]
    assert asked == [(ZERO + 3, end(3), 1), (ZERO + 4, end(4), 1), (ZERO + 5, end(5), 2)]


@laws(0.5)
@given(dense)
def test_the_believed_state_of_a_row_is_that_of_the_answer(world: World) -> None:
    case = world.shelf().case()
    rows = Diagonal(case.states, TALLY).rows(diagonal(case, TALLY)[0], SPAN)
    names = (*case.states.names, UNKNOWN)
    assert [names[n] for n in top(rows)] == names_of(rows, case.states)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ((0.2, 0.3, 0.5), (0.2, 0.3, 0.5), 0.0),
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), 1.0),
        ((0.5, 0.5, 0.0), (0.5, 0.25, 0.25), 0.25),
        ((np.nan,) * 3, (np.nan,) * 3, 0.0),
        ((np.nan,) * 3, (1.0, 0.0, 0.0), 2 / 3),
    ],
)
def test_who_believes_nothing_is_as_far_from_a_belief_as_even_odds_are(one, other, expected) -> None:
    rows = np.array([one]), np.array([other])
    assert apart(*rows).tolist() == pytest.approx([expected])
    assert apart(rows[1], rows[0]).tolist() == pytest.approx([expected])
