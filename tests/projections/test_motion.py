"""The motion of states, against scipy's matrix exponential."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from projections.belief.labels import States
from projections.belief.motion import Motion, generator, motion
from projections.belief.params import Params

PARAMS = Params()
QUESTIONS = [
    States.control(("UA", "RU")),
    States.control(("A", "B", "C")),
    States.control(("A", "B", "C", "D")),
    States.control(("A",)),
    States(("standing", "destroyed")),
    States(("a", "b", "c", "d", "e")),
]
CYCLE = np.array([[-0.1, 0.1, 0.0], [0.0, -0.2, 0.2], [0.3, 0.0, -0.3]])

questions = st.sampled_from(QUESTIONS)
spans = st.integers(0, 4000)


@st.composite
def movers(draw):
    """A motion of a question or of any generator, with rates that fit it."""
    if draw(st.booleans()):
        moving = motion(draw(questions), PARAMS)
    else:
        n = draw(st.integers(2, 5))
        off = np.array(draw(st.lists(st.floats(1e-3, 1), min_size=n * n, max_size=n * n))).reshape(n, n)
        np.fill_diagonal(off, 0)
        moving = Motion(off - np.diag(off.sum(axis=1)))
    size = moving.size
    rates = draw(st.just(()) | st.lists(st.floats(0, 0.5), min_size=size, max_size=size).map(tuple))
    return moving, rates


def oracle(moving: Motion, dt: int, rates=()) -> np.ndarray:
    return expm((moving.generator - (np.diag(rates) if rates else 0.0)) * dt)


@pytest.mark.parametrize("states", QUESTIONS, ids=str)
def test_a_generator_keeps_probability_and_the_declared_sojourns(states):
    q = generator(states, PARAMS)
    np.testing.assert_allclose(q.sum(axis=1), 0, atol=1e-15)
    expected = [1 / 200] * len(states)
    if states.contested:
        expected[-1] = 1 / 21
    np.testing.assert_allclose(-np.diag(q), expected)


def test_a_partys_hold_ends_in_a_contest_four_times_out_of_five():
    q = generator(QUESTIONS[1], PARAMS)
    np.testing.assert_allclose(q[0], [-1 / 200, 0.1 / 200, 0.1 / 200, 0.8 / 200])
    np.testing.assert_allclose(q[3], [1 / 63, 1 / 63, 1 / 63, -1 / 21])


@pytest.mark.parametrize("states", QUESTIONS, ids=str)
def test_the_motion_of_every_question_is_reversible(states):
    assert motion(states, PARAMS).reversible


@settings(deadline=None)
@given(questions, spans)
def test_transitions_are_the_matrix_exponential(states, dt):
    moving = motion(states, PARAMS)
    np.testing.assert_allclose(moving.A(dt), oracle(moving, dt), rtol=0, atol=1e-12)
    np.testing.assert_allclose(moving.A(dt).sum(axis=1), 1, atol=1e-12)


# Where there is no detailed balance, scipy and we both square many times; over long spans both lose digits.
@settings(deadline=None)
@given(movers(), st.integers(0, 150))
def test_transitions_under_displays_are_the_matrix_exponential(mover, dt):
    moving, rates = mover
    np.testing.assert_allclose(moving.A(dt, rates), oracle(moving, dt, rates), rtol=0, atol=1e-12)


@settings(deadline=None)
@given(movers(), st.integers(0, 150), st.data())
def test_a_single_belief_moves_as_the_matrix_says(mover, dt, data):
    moving, rates = mover
    weights = st.lists(st.floats(0.01, 1), min_size=moving.size, max_size=moving.size)
    belief = np.array(data.draw(weights))
    belief /= belief.sum()
    matrix = moving.scaled(dt, rates)[0]
    for moved, expected in (
        (moving.forward(belief.tolist(), dt, rates), belief @ matrix),
        (moving.backward(belief.tolist(), dt, rates), matrix @ belief),
    ):
        np.testing.assert_allclose(moved, expected / expected.sum(), rtol=0, atol=1e-12)


@given(questions, st.integers(0, 300), st.integers(0, 300))
def test_two_stretches_of_time_are_one(states, first, second):
    moving = motion(states, PARAMS)
    np.testing.assert_allclose(moving.A(first) @ moving.A(second), moving.A(first + second), atol=1e-12)


def test_no_time_changes_nothing():
    for moving in (motion(QUESTIONS[0], PARAMS), Motion(CYCLE)):
        assert (moving.A(0) == np.eye(3)).all()


def test_centuries_under_a_wrong_display_stay_finite():
    moving = motion(QUESTIONS[0], PARAMS)
    matrix, log_scale = moving.scaled(365 * 300, (0.2, 2.0, 2.0))
    assert np.isfinite(matrix).all()
    assert (matrix > 0).all()
    assert log_scale < -1000
    assert moving.forward([0.0, 1.0, 0.0], 365 * 300, (0.2, 2.0, 2.0))[0] > 0.9


def test_a_cycle_is_not_reversible_and_moves_all_the_same():
    moving = Motion(CYCLE)
    assert not moving.reversible
    for dt in (1, 7, 500):
        np.testing.assert_allclose(
            moving.A(dt, (0.1, 0.0, 0.3)), oracle(moving, dt, (0.1, 0.0, 0.3)), atol=1e-12
        )
    log_rates = (2.0, 2.5, 3.0)
    matrix, log_scale = moving.scaled(1000, log_rates)
    assert np.isfinite(matrix).all()
    assert log_scale == -2000


def test_one_way_streets_and_islands_are_allowed():
    one_way = Motion(np.array([[-0.1, 0.1], [0.0, 0.0]]))
    np.testing.assert_allclose(one_way.A(10), oracle(one_way, 10), atol=1e-12)
    islands = np.zeros((4, 4))
    islands[:2, :2] = [[-0.1, 0.1], [0.3, -0.3]]
    islands[2:, 2:] = [[-0.2, 0.2], [0.2, -0.2]]
    moving = Motion(islands)
    assert moving.reversible
    np.testing.assert_allclose(moving.A(10), oracle(moving, 10), atol=1e-12)


def test_sojourns_without_end_stand_still():
    still = motion(QUESTIONS[0], PARAMS.replace(sojourn_held=math.inf, sojourn_contested=math.inf))
    assert still.static
    np.testing.assert_allclose(still.A(10_000), np.eye(3), atol=0)


def test_one_state_alone_stays():
    alone = motion(States(("only",)), PARAMS)
    assert alone.A(5) == pytest.approx(np.eye(1))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 3)),
        np.zeros((0, 0)),
        np.array([[-1.0, 2.0], [0.0, 0.0]]),
        np.array([[1.0, -1.0], [0.0, 0.0]]),
        np.array([[math.nan, 0.0], [0.0, 0.0]]),
    ],
)
def test_what_is_no_generator_is_refused(wrong):
    with pytest.raises(ValueError, match="a generator"):
        Motion(wrong)


def test_rates_that_cannot_be_are_refused():
    for moving in (motion(QUESTIONS[0], PARAMS), Motion(CYCLE)):
        for rates in ((0.1, 0.1), (0.1, 0.1, -0.1), (0.1, 0.1, math.inf)):
            with pytest.raises(ValueError, match="finite rates"):
                moving.A(3, rates)


def test_time_does_not_run_backwards():
    with pytest.raises(ValueError, match="backwards"):
        motion(QUESTIONS[0], PARAMS).A(-1)
