"""Measures against values worked out by hand, and against their definitions written out the slow way."""

from __future__ import annotations

import math
from statistics import fmean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.belief.labels import States
from projections.belief.tally import believed, names_of
from projections.intervals import MEASURES, SEED, Estimate, Sheet, difference, draws, measure, reliability
from projections.measures import (
    DETECTED_AT,
    FLIP_TOLERANCE,
    LOG_FLOOR,
    YEAR,
    Change,
    bins,
    changes,
    delays,
    flips,
    mark,
    squared_errors,
    surprises,
    unexcused,
)
from projections.viewpoint import top
from tests.projections.worlds import laws

NAN = math.nan
UNKNOWN = [NAN, NAN, NAN]
A, B, C = range(3)


def array(*rows: list[float]) -> np.ndarray:
    return np.array(rows, dtype=float)


def sure(state: int, p: float = 0.9) -> list[float]:
    """A belief of ``p`` in one of three states, the rest even."""
    return [p if one == state else (1 - p) / 2 for one in range(3)]


def figures(*places: tuple[np.ndarray, list[int], list[int]], **told) -> dict[str, float]:
    (found,) = measure([Sheet([mark(*place, **told) for place in places])])
    return found.point


# -- by hand -----------------------------------------------------------------------------------------------

FOUR = array([0.7, 0.2, 0.1], [0.1, 0.8, 0.1], UNKNOWN, [0.25, 0.5, 0.25])
ON_FOUR = [A, A, B, B]


def test_four_days_worked_out_by_hand() -> None:
    found = figures((FOUR, [0, 1, 2, 3], ON_FOUR))
    assert found["coverage"] == 0.75
    assert found["accuracy"] == 0.5
    assert found["accuracy_believed"] == pytest.approx(2 / 3)
    assert found["balanced_accuracy"] == 0.5
    assert found["brier"] == pytest.approx((0.14 + 1.46 + 2 / 3 + 0.375) / 4)
    assert found["log_loss"] == pytest.approx(-(math.log(0.7 * 0.1 * 0.5) - math.log(3)) / 4)
    assert found["ece"] == pytest.approx((0.3 + 0.8 + 0.5) / 3)


def test_the_brier_score_of_each_day_by_hand() -> None:
    found = squared_errors(FOUR, np.array(ON_FOUR))
    assert found == pytest.approx([0.14, 1.46, 2 / 3, 0.375])


def test_an_impossible_truth_costs_what_the_floor_says() -> None:
    found = surprises(array([1.0, 0.0, 0.0], [1e-300, 1.0, 0.0]), np.array([B, A]))
    assert found == pytest.approx([-math.log(LOG_FLOOR)] * 2)


def test_recall_is_balanced_over_the_states_that_occur_only() -> None:
    beliefs = array(*[sure(A)] * 4)
    assert figures((beliefs, [0, 1, 2, 3], [A, A, A, B]))["balanced_accuracy"] == 0.5
    assert figures((beliefs, [0, 1, 2, 3], [A, A, A, A]))["balanced_accuracy"] == 1.0


@pytest.mark.parametrize(
    ("confidence", "expected"),
    [(0.05, 0), (0.1, 0), (0.1000001, 1), (0.3, 2), (1 / 3, 3), (0.7, 6), (0.70001, 7), (0.9, 8), (1.0, 9)],
)
def test_an_edge_belongs_to_the_bin_under_it(confidence: float, expected: int) -> None:
    assert bins(np.array([confidence]))[0] == expected


def test_days_of_one_bin_are_averaged_before_they_are_compared() -> None:
    """Two days at .75 and .65 are in two bins; two at .75 of which one is right are off by .25 together."""
    beliefs = array(sure(A, 0.75), sure(A, 0.75))
    assert figures((beliefs, [0, 1], [A, B]))["ece"] == pytest.approx(0.25)
    apart = array(sure(A, 0.75), sure(A, 0.65))
    assert figures((apart, [0, 1], [A, B]))["ece"] == pytest.approx((0.25 + 0.65) / 2)


def test_where_nothing_is_ever_believed_calibration_has_no_value() -> None:
    found = figures((array(UNKNOWN, UNKNOWN), [0, 1], [A, A]))
    assert math.isnan(found["ece"])
    assert math.isnan(found["accuracy_believed"])
    assert (found["coverage"], found["accuracy"], found["brier"]) == (0.0, 0.0, pytest.approx(2 / 3))


# -- ties and unknown days -----------------------------------------------------------------------------------

STATES = States.control(("UA", "RU"))
probabilities = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.3, 0.5, 1 / 3, 1.0]), min_size=3, max_size=3)


@laws()
@given(st.lists(st.one_of(st.just(UNKNOWN), probabilities), min_size=1, max_size=8))
def test_the_believed_state_is_the_one_that_answers_name(rows: list[list[float]]) -> None:
    beliefs = array(*rows)
    names = (*STATES.names, "unknown")
    assert [names[i] for i in top(beliefs)] == names_of(beliefs, STATES)
    for row, index in zip(rows, top(beliefs), strict=True):
        assert index == -1 or names[index] == believed(STATES, np.array(row))


def test_of_no_days_no_state_is_believed() -> None:
    assert len(top(np.zeros((0, 3)))) == 0


# -- changes of the truth ------------------------------------------------------------------------------------


def test_a_change_lasts_until_the_next_one_and_the_last_until_the_end() -> None:
    assert changes([10, 11, 12, 13, 14], [A, B, B, C, C]) == [Change(B, 11, 11, 12), Change(C, 13, 13, 14)]


def test_a_change_between_days_apart_may_have_happened_since_the_day_after_the_old_state() -> None:
    assert changes([10, 20, 40], [A, B, B]) == [Change(B, 11, 20, 40)]


@pytest.mark.parametrize("truth", [[A], [A, A], [C, C, C]])
def test_a_truth_that_stays_has_no_changes(truth: list[int]) -> None:
    assert changes(list(range(len(truth))), truth) == []


def waits(beliefs: np.ndarray, truth: list[int]) -> list[int | None]:
    return delays(beliefs, 0, changes(list(range(len(truth))), truth))


def test_a_change_is_detected_on_the_first_day_of_enough_probability() -> None:
    beliefs = array(sure(A), sure(A), sure(B, 0.69), sure(B, 0.7), sure(B))
    assert waits(beliefs, [A, B, B, B, B]) == [2]


def test_a_change_that_was_believed_before_it_came_is_detected_on_its_day() -> None:
    assert waits(array(sure(B), sure(B)), [A, B]) == [0]


def test_a_change_is_not_detected_by_what_is_believed_after_the_next_one() -> None:
    beliefs = array(sure(A), sure(A), sure(A), sure(B), sure(B))
    assert waits(beliefs, [A, B, B, A, A]) == [None, None]


def test_a_change_is_looked_for_on_the_days_between_the_rows() -> None:
    beliefs = array(sure(A), sure(A), sure(A), sure(A), sure(B), sure(B), sure(B))
    assert delays(beliefs, 0, changes([0, 2, 6], [A, B, B])) == [2]


def test_unknown_days_detect_nothing() -> None:
    assert waits(array(UNKNOWN, UNKNOWN, UNKNOWN), [A, B, B]) == [None]


def test_the_median_of_an_even_number_lies_half_way() -> None:
    slow = array(sure(A), sure(A), sure(A), sure(A), sure(B))
    fast = array(sure(A), sure(B), sure(B), sure(B), sure(B))
    truth = [A, B, B, B, B]
    found = figures((slow, [0, 1, 2, 3, 4], truth), (fast, [0, 1, 2, 3, 4], truth))
    assert (found["days_to_detect_median"], found["days_to_detect_mean"]) == (1.5, 1.5)


def test_the_undetected_lower_the_share_and_not_the_days() -> None:
    never = array(sure(A), sure(A), sure(A))
    once = array(sure(A), sure(A), sure(B))
    found = figures((never, [0, 1, 2], [A, B, B]), (once, [0, 1, 2], [A, B, B]))
    assert (found["detected"], found["days_to_detect_mean"]) == (0.5, 1.0)


def test_in_hindsight_nothing_is_detected_late_or_early() -> None:
    found = figures((array(sure(A), sure(B)), [0, 1], [A, B]), detecting=False)
    assert math.isnan(found["detected"])
    assert math.isnan(found["days_to_detect_mean"])


# -- false flips ---------------------------------------------------------------------------------------------


def believing(*runs: tuple[int | None, int]) -> np.ndarray:
    """Beliefs that hold each state for some days; None is unknown."""
    return array(*(UNKNOWN if state is None else sure(state) for state, days in runs for _ in range(days)))


def false_flips(beliefs: np.ndarray, days: list[int], truth: list[int]) -> int:
    return unexcused(flips(beliefs, days[0]), changes(days, truth))


def test_to_and_fro_without_a_change_is_two_false_flips() -> None:
    beliefs = believing((A, 3), (B, 3), (A, 3))
    assert flips(beliefs, 100) == [(103, B), (106, A)]
    assert false_flips(beliefs, [0, 8], [A, A]) == 2


def test_a_belief_that_follows_the_truth_late_is_no_false_flip() -> None:
    assert false_flips(believing((A, 90), (B, 10)), [0, 5, 99], [A, B, B]) == 0


def test_a_belief_that_follows_a_truth_that_is_over_is_false_beyond_the_tolerance() -> None:
    truth = ([0, 10, 12, 99], [A, B, A, A])
    assert false_flips(believing((A, 10 + FLIP_TOLERANCE), (B, 83 - FLIP_TOLERANCE), (A, 7)), *truth) == 0
    assert false_flips(believing((A, 11 + FLIP_TOLERANCE), (B, 82 - FLIP_TOLERANCE), (A, 7)), *truth) == 1


@pytest.mark.parametrize(("early", "false"), [(FLIP_TOLERANCE, 0), (FLIP_TOLERANCE + 1, 1)])
def test_a_belief_may_be_early_by_the_tolerance(early: int, false: int) -> None:
    beliefs = believing((A, 50 - early), (B, 50 + early))
    assert false_flips(beliefs, [0, 49, 50, 99], [A, A, B, B]) == false


def test_a_change_between_days_apart_excuses_a_flip_between_them() -> None:
    assert false_flips(believing((A, 20), (B, 80)), [0, 90, 99], [A, B, B]) == 0


def test_a_change_excuses_one_flip_only() -> None:
    beliefs = believing((A, 10), (B, 5), (A, 5), (B, 10))
    assert false_flips(beliefs, [0, 10, 29], [A, B, B]) == 2


def test_a_flip_to_another_state_is_not_excused() -> None:
    assert false_flips(believing((A, 10), (C, 10)), [0, 10, 19], [A, B, B]) == 1


def test_each_change_excuses_a_flip_of_its_own() -> None:
    beliefs = believing((A, 10), (B, 10), (A, 10), (B, 10))
    assert false_flips(beliefs, [0, 10, 20, 30, 39], [A, B, A, B, B]) == 0


def test_unknown_days_are_no_flip_and_hide_none() -> None:
    assert flips(believing((None, 3), (A, 2), (None, 2), (A, 1)), 0) == []
    assert flips(believing((A, 2), (None, 2), (B, 1)), 0) == [(4, B)]


def test_flips_are_counted_by_the_year_and_place() -> None:
    beliefs = believing((A, 100), (B, 1), (A, 100))
    found = figures((beliefs, [0, 200], [A, A]), (beliefs, [0, 200], [A, A]))
    assert found["false_flips"] == pytest.approx(4 / (400 / YEAR))


def test_of_a_single_day_a_rate_of_flips_has_no_value() -> None:
    assert math.isnan(figures((array(sure(A)), [5], [A]))["false_flips"])


# -- laws ----------------------------------------------------------------------------------------------------


@st.composite
def belief(draw: st.DrawFn) -> list[float]:
    if draw(st.integers(0, 5)) == 0:
        return UNKNOWN
    weights = draw(st.lists(st.integers(0, 20), min_size=3, max_size=3).filter(any))
    return [one / sum(weights) for one in weights]


@st.composite
def place(draw: st.DrawFn) -> tuple[np.ndarray, list[int], list[int]]:
    first = draw(st.integers(700_000, 700_005))
    days = sorted(draw(st.sets(st.integers(0, 24), min_size=1, max_size=12)))
    truth = draw(st.lists(st.integers(0, 2), min_size=len(days), max_size=len(days)))
    span = days[-1] - days[0] + 1
    rows = draw(st.lists(belief(), min_size=span, max_size=span))
    return array(*rows), [first + day for day in days], truth


worlds = st.lists(place(), min_size=1, max_size=5)
World = list[tuple[np.ndarray, list[int], list[int]]]


def slowly(world: World) -> dict[str, float]:
    """Every measure as its definition reads, a day at a time."""
    scored = [
        (list(rows[day - days[0]]), state)
        for rows, days, truth in world
        for day, state in zip(days, truth, strict=True)
    ]
    known = [(p, state) for p, state in scored if not math.isnan(p[0])]
    right = [not math.isnan(p[0]) and p.index(max(p)) == state for p, state in scored]
    guessed = [([1 / 3] * 3 if math.isnan(p[0]) else p, state) for p, state in scored]
    recalls = [
        fmean(good for good, (_, state) in zip(right, scored, strict=True) if state == one)
        for one in {state for _, state in scored}
    ]
    gap = 0.0
    for n in range(10):
        members = [(p, state) for p, state in known if n / 10 < max(p) <= (n + 1) / 10]
        if members:
            share = fmean(p.index(max(p)) == state for p, state in members)
            gap += len(members) / len(known) * abs(share - fmean(max(p) for p, _ in members))
    return {
        "coverage": len(known) / len(scored),
        "accuracy": fmean(right),
        "accuracy_believed": sum(right) / len(known) if known else NAN,
        "balanced_accuracy": fmean(recalls),
        "brier": fmean(sum((p[k] - (k == state)) ** 2 for k in range(3)) for p, state in guessed),
        "log_loss": fmean(-math.log(max(p[state], LOG_FLOOR)) for p, state in guessed),
        "ece": gap if known else NAN,
        **slow_changes(world),
    }


def slow_changes(world: World) -> dict[str, float]:
    waited: list[int] = []
    missed, false, years = 0, 0, 0.0
    for rows, days, truth in world:
        years += (days[-1] - days[0]) / 365.25
        turned, last = [], None
        for n, row in enumerate(rows.tolist()):
            state = None if math.isnan(row[0]) else row.index(max(row))
            if state is not None and last is not None and state != last:
                turned.append((days[0] + n, state))
            last = last if state is None else state
        for i in range(1, len(days)):
            if truth[i] == truth[i - 1]:
                continue
            ends = [days[j] - 1 for j in range(i + 1, len(days)) if truth[j] != truth[i]]
            until = ends[0] if ends else days[-1]
            found = [d for d in range(days[i], until + 1) if rows[d - days[0]][truth[i]] >= DETECTED_AT]
            waited += [found[0] - days[i]] if found else []
            missed += not found
            window = range(days[i - 1] + 1 - 7, max(until, days[i] + 7) + 1)
            own = [flip for flip in turned if flip[1] == truth[i] and flip[0] in window]
            turned = [flip for flip in turned if flip not in own[:1]]
        false += len(turned)
    total = len(waited) + missed
    return {
        "detected": len(waited) / total if total else NAN,
        "days_to_detect_median": median(waited) if waited else NAN,
        "days_to_detect_mean": fmean(waited) if waited else NAN,
        "false_flips": false / years if years else NAN,
    }


@laws(3)
@given(worlds)
def test_every_measure_is_what_its_definition_says(world: World) -> None:
    expected, found = slowly(world), figures(*world)
    for name in MEASURES:
        assert found[name] == pytest.approx(expected[name], abs=1e-12, nan_ok=True), name


@laws()
@given(worlds)
def test_measures_stay_within_their_bounds(world: World) -> None:
    found = figures(*world)
    for name in ("coverage", "accuracy", "accuracy_believed", "balanced_accuracy", "ece", "detected"):
        assert math.isnan(found[name]) or 0 <= found[name] <= 1 + 1e-12
    assert 0 <= found["brier"] <= 2 + 1e-12
    assert 0 <= found["log_loss"] <= -math.log(LOG_FLOOR) + 1e-12


@laws()
@given(worlds)
def test_whoever_knows_the_truth_is_perfect(world: World) -> None:
    knowing = []
    for _, days, truth in world:
        told = dict(zip(days, truth, strict=True))
        rows, state = [], truth[0]
        for day in range(days[0], days[-1] + 1):
            state = told.get(day, state)
            rows.append([float(one == state) for one in range(3)])
        knowing.append((array(*rows), days, truth))
    found = figures(*knowing)
    assert (found["coverage"], found["accuracy"], found["balanced_accuracy"]) == (1, 1, 1)
    assert (found["brier"], found["log_loss"], found["ece"]) == (0, 0, 0)
    assert found["detected"] == 1 or math.isnan(found["detected"])
    assert found["days_to_detect_mean"] == 0 or math.isnan(found["days_to_detect_mean"])
    assert found["false_flips"] == 0 or math.isnan(found["false_flips"])


@laws()
@given(worlds, st.randoms(use_true_random=False))
def test_the_order_of_places_does_not_matter(world: World, random) -> None:
    turned = list(world)
    random.shuffle(turned)
    one, other = figures(*world), figures(*turned)
    assert [one[name] for name in MEASURES] == pytest.approx([other[name] for name in MEASURES], nan_ok=True)


@laws()
@given(worlds)
def test_renaming_the_states_does_not_matter(world: World) -> None:
    """But for ties, which the order of the states decides: here there are none."""
    untied = [((rows + np.array([0, 1e-4, 3e-4])) / 1.0004, days, truth) for rows, days, truth in world]
    turned = [
        (rows[:, [2, 0, 1]], days, [(state + 1) % 3 for state in truth]) for rows, days, truth in untied
    ]
    one, other = figures(*untied), figures(*turned)
    assert [one[name] for name in MEASURES] == pytest.approx([other[name] for name in MEASURES], nan_ok=True)


# -- intervals -----------------------------------------------------------------------------------------------


def sheet(world: World) -> Sheet:
    return Sheet([mark(*one) for one in world])


def simple(shares: list[float], days: int = 10) -> World:
    """Places that are right on a share of their days."""
    found = []
    for share in shares:
        good = round(share * days)
        rows = array(*[sure(A)] * good, *[sure(B)] * (days - good))
        found.append((rows, list(range(days)), [A] * days))
    return found


@laws(0.3)
@given(worlds)
def test_drawing_twice_gives_the_same_intervals(world: World) -> None:
    (one,), (other,) = (measure([sheet(world)], resamples=60) for _ in range(2))
    assert [one.estimate(name) for name in MEASURES] == [other.estimate(name) for name in MEASURES]


@laws(0.3)
@given(st.lists(place(), min_size=2, max_size=5))
def test_a_draw_is_measured_as_if_its_places_had_been_given(world: World) -> None:
    """A place drawn twice counts as two places."""
    (found,) = measure([sheet(world)], resamples=5)
    weights = np.concatenate(list(draws(len(world), 5, SEED, 5)))
    for n, row in enumerate(weights.astype(int)):
        drawn = [one for one, times in zip(world, row, strict=True) for _ in range(times)]
        expected = figures(*drawn)
        for name, values in found.draws.items():
            assert values[n] == pytest.approx(expected[name], nan_ok=True), name


@pytest.mark.parametrize("at_once", [1, 7, 50, 1000])
def test_draws_are_the_same_however_many_are_held_at_once(at_once: int) -> None:
    whole = np.concatenate(list(draws(9, 50, 1, 50)))
    assert (np.concatenate(list(draws(9, 50, 1, at_once))) == whole).all()
    assert (whole.sum(axis=1) == 9).all()


def test_draws_take_every_place_alike() -> None:
    weights = np.concatenate(list(draws(8, 4000, 3, 4000)))
    assert weights.mean(axis=0) == pytest.approx([1.0] * 8, abs=0.06)
    assert weights.var(axis=0) == pytest.approx([7 / 8] * 8, abs=0.1)


def test_an_interval_is_about_as_wide_as_theory_says() -> None:
    """Of 100 places half of which are right, 1.96 · √(.25/100) to either side."""
    found = measure([sheet(simple([0.0, 1.0] * 50, days=1))])[0].estimate("accuracy")
    assert found.value == 0.5
    assert (found.low, found.high) == (pytest.approx(0.402, abs=0.02), pytest.approx(0.598, abs=0.02))


def test_more_days_of_the_same_places_do_not_make_an_interval_narrower() -> None:
    few, many = (measure([sheet(simple([0, 1, 1, 0.5], days))])[0].estimate("accuracy") for days in (2, 200))
    assert few == many


def test_one_place_has_no_interval() -> None:
    found = measure([sheet(simple([0.5]))])[0]
    assert found.estimate("accuracy") == Estimate(0.5, None, None)


def test_where_one_place_alone_has_a_say_there_is_no_interval() -> None:
    quick = array(sure(A), sure(B), sure(B))
    world = [(quick, [0, 1, 2], [A, B, B]), *simple([1.0, 1.0])]
    found = measure([sheet(world)])[0]
    assert found.estimate("days_to_detect_mean") == Estimate(0.0, None, None)
    assert found.estimate("accuracy").low is not None


def test_what_cannot_be_measured_has_neither_value_nor_interval() -> None:
    assert measure([sheet(simple([1.0, 1.0]))])[0].estimate("detected") == Estimate(None, None, None)


def test_draws_with_nothing_to_measure_are_passed_over() -> None:
    """Two of four places change: one draw in sixteen has neither of them."""
    quick = (array(sure(A), sure(B)), [0, 1], [A, B])
    (found,) = measure([sheet([quick, quick, *simple([1.0, 1.0])])])
    assert 20 < np.isnan(found.draws["detected"]).sum() < 120
    assert found.estimate("detected") == Estimate(1.0, 1.0, 1.0)


def test_a_logic_against_itself_differs_by_nothing() -> None:
    one, other = measure([sheet(simple([0.1, 0.5, 0.9])), sheet(simple([0.1, 0.5, 0.9]))])
    assert difference(other, one, "brier") == Estimate(0.0, 0.0, 0.0)
    assert difference(other, one, "brier").clear is False


def test_a_paired_difference_is_clear_where_the_two_intervals_overlap() -> None:
    """Places differ much from each other, but one logic is a little better on each of them."""
    worse, better = measure([sheet(simple([0.0, 0.2, 0.5, 0.9])), sheet(simple([0.1, 0.3, 0.6, 1.0]))])
    assert worse.estimate("accuracy").high > better.estimate("accuracy").low
    found = difference(better, worse, "accuracy")
    assert found.value == pytest.approx(0.1)
    assert found.clear is True
    turned = difference(worse, better, "accuracy")
    assert (turned.low, turned.high) == (-found.high, -found.low)


def test_a_difference_that_chance_makes_is_not_clear() -> None:
    one, other = measure([sheet(simple([0.0, 1.0, 0.5, 0.4])), sheet(simple([1.0, 0.0, 0.6, 0.4]))])
    assert difference(other, one, "accuracy").clear is False


def test_a_difference_with_what_cannot_be_measured_has_no_value() -> None:
    blind = [(array(*[UNKNOWN] * 10), list(range(10)), [A] * 10)] * 3
    one, other = measure([sheet(simple([0.0, 1.0, 0.5])), sheet(blind)])
    assert difference(other, one, "ece") == Estimate(None, None, None)
    assert difference(other, one, "ece").clear is None


# -- reliability ---------------------------------------------------------------------------------------------


def test_bins_hold_every_believed_day_and_give_the_ece_back() -> None:
    world = [(FOUR, [0, 1, 2, 3], ON_FOUR), *simple([0.3, 0.8])]
    one = sheet(world)
    (found,) = measure([one])
    bars = reliability(one, found)
    assert [(bar.over, bar.to) for bar in bars] == [(n / 10, (n + 1) / 10) for n in range(10)]
    assert sum(bar.rows for bar in bars) == 23
    gaps = [bar.rows * abs(bar.right.value - bar.confidence) for bar in bars if bar.rows]
    assert sum(gaps) / 23 == pytest.approx(found.point["ece"])


def test_an_empty_bin_has_neither_confidence_nor_share() -> None:
    one = sheet(simple([1.0]))
    bars = reliability(one, measure([one])[0])
    assert [bar.rows for bar in bars] == [0] * 8 + [10, 0]
    assert (bars[0].confidence, bars[0].right) == (None, Estimate(None))
