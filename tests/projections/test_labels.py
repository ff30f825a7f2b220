"""The assumptions and the table of what is said under which truth."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Usage
from projections.belief.labels import (
    NOTHING,
    Label,
    States,
    display_rates,
    emissions,
    implies,
    repeated,
    ruled,
    ruled_out,
    standing,
    tempered,
)
from projections.belief.params import Params

PARAMS = Params()
TWO = States.control(("UA", "RU"))
BRIDGE = States(("standing", "damaged", "destroyed"))
UA, RU, CONTESTED = range(3)


def control(parties: int) -> States:
    return States.control(tuple(f"P{i}" for i in range(parties)))


def shares(table, *, without=()) -> np.ndarray:
    return np.exp([row for label, row in table.items() if label not in without]).sum(axis=0)


# -- parameters


@pytest.mark.parametrize(
    "change",
    [
        {"aligned_own": [0.9, 0.05, 0.07]},
        {"aligned_own": [0.9, 0.1]},
        {"neutral_held": [1.0, 0.0, 0.0]},
        {"said_held": "often"},
        {"copy_rate": 1.1},
        {"ruled": 1},
        {"sojourn_held": 0},
        {"sojourn_held": math.nan},
        {"standing_rate": math.inf},
        {"imprecise_points": 0},
        {"copy_window": 3.5},
        {"copy_window": True},
        {"settled_true": 0.1},
        {"ruled_out": 0.99},
    ],
)
def test_an_impossible_assumption_is_refused_by_name(change):
    with pytest.raises(Usage) as caught:
        PARAMS.replace(**change)
    assert next(iter(change)) in str(caught.value)


def test_an_unknown_assumption_is_answered_with_the_nearest_one():
    with pytest.raises(Usage) as caught:
        PARAMS.replace(copy_rat=0.5)
    assert str(caught.value).endswith("there is no parameter 'copy_rat'. Did you mean copy_rate?")


def test_assumptions_survive_json_and_keep_their_order():
    changed = PARAMS.replace(sojourn_held=math.inf, aligned_own=[0.8, 0.1, 0.1], copy_window=7.0)
    values = changed.to_dict()
    assert list(values) == sorted(values)
    assert Params.from_dict(json.loads(json.dumps(values, allow_nan=False))) == changed
    assert changed.copy_window == 7
    assert isinstance(changed.copy_window, int)


def test_every_assumption_is_described():
    rows = PARAMS.describe()
    assert {row.name for row in rows} == set(PARAMS.to_dict())
    assert all(row.unit and row.meaning and row.value for row in rows)


# -- states


@pytest.mark.parametrize(
    "arguments",
    [
        ((),),
        (("a", "a"),),
        (("RU", "UA", "contested"), ("UA", "RU"), "contested"),
        (("UA", "RU"), ("UA", "RU")),
        (("UA", "RU", "contested", "x"), ("UA", "RU"), "contested"),
    ],
)
def test_states_that_do_not_fit_their_question_are_refused(arguments):
    with pytest.raises(Usage):
        States(*arguments)


def test_a_state_is_found_by_its_name():
    assert [TWO.index(name) for name in TWO.names] == [0, 1, 2]
    assert "RU" in TWO
    assert "XX" not in TWO
    with pytest.raises(KeyError):
        TWO.index("XX")


# -- implication


def test_saying_x_says_part_x_and_no_other_state():
    assert implies(Label("is", UA), Label("part", UA), TWO)
    assert implies(Label("is", UA), Label("not", RU), TWO)
    assert implies(Label("is", UA), Label("not", CONTESTED), TWO)
    assert implies(Label("is", CONTESTED), Label("not", UA), TWO)
    assert not implies(Label("is", UA), Label("not", UA), TWO)
    assert not implies(Label("is", UA), Label("part", RU), TWO)
    assert not implies(Label("is", UA), Label("is", RU), TWO)


@pytest.mark.parametrize("weak", [Label("not", UA), Label("part", UA), NOTHING])
def test_denials_parts_and_silence_imply_only_themselves(weak):
    assert [label for label in (*TWO.labels(), NOTHING) if implies(weak, label, TWO)] == [weak]


@given(st.integers(0, 4))
def test_implication_is_reflexive_and_transitive(parties):
    states = control(parties)
    labels = (*states.labels(), NOTHING)
    assert all(implies(a, a, states) for a in labels)
    for a, b, c in itertools.product(labels, repeat=3):
        if implies(a, b, states) and implies(b, c, states):
            assert implies(a, c, states)


# -- emissions


def test_a_claim_for_ones_own_side_weighs_as_the_table_says():
    own = emissions(TWO, UA, PARAMS)[Label("is", UA)]
    assert own[UA] - own[CONTESTED] == pytest.approx(math.log(0.90 / 0.50))
    assert own[UA] - own[RU] == pytest.approx(math.log(0.90 / 0.20))


def test_a_claim_for_the_other_side_weighs_more_than_one_for_ones_own():
    against = emissions(TWO, RU, PARAMS)[Label("is", UA)]
    own = emissions(TWO, UA, PARAMS)[Label("is", UA)]
    assert against[UA] - against[RU] == pytest.approx(math.log(0.40 / 0.03))
    assert against[UA] - against[RU] > own[UA] - own[RU]


def test_a_neutral_part_claim_points_to_a_contest_first_and_to_its_party_second():
    part = np.exp(emissions(TWO, None, PARAMS)[Label("part", RU)])
    np.testing.assert_allclose(part / part.sum(), [0.05, 0.35, 0.60], atol=0.05)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (Label("is", UA), [0.85 * 0.75, 0.05 * 0.75, 0.10 * 0.75]),
        (Label("is", CONTESTED), [0.10 * 0.40, 0.10 * 0.40, 0.80 * 0.40]),
        (Label("not", RU), [0.85 * 0.15 + 0.10 * 0.10, 0.05 * 0.15 + 0.10 * 0.10, 0.10 * 0.15 + 0.80 * 0.10]),
        (
            Label("part", UA),
            [0.85 * 0.10 + 0.10 * 0.20, 0.05 * 0.10 + 0.10 * 0.20, 0.10 * 0.10 + 0.80 * 0.20],
        ),
    ],
)
def test_the_neutral_table_is_perceived_times_said(label, expected):
    np.testing.assert_allclose(np.exp(emissions(TWO, None, PARAMS)[label]), expected, rtol=1e-12)


def test_denying_a_contest_reads_as_some_party_holding_all_of_it():
    table = {label: np.exp(row) for label, row in emissions(TWO, RU, PARAMS).items()}
    np.testing.assert_allclose(
        table[Label("not", CONTESTED)], table[Label("is", UA)] + table[Label("is", RU)], rtol=1e-12
    )


@given(st.integers(0, 5), st.data())
def test_what_is_said_under_each_truth_sums_to_one(parties, data):
    states = control(parties)
    relation = data.draw(st.sampled_from([None, *range(parties)]))
    coarse = [Label("not", parties)]
    np.testing.assert_allclose(shares(emissions(states, relation, PARAMS), without=coarse), 1, rtol=1e-12)
    np.testing.assert_allclose(shares(standing(states, relation, PARAMS), without=coarse), 1, rtol=1e-12)


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_a_question_without_parties_has_one_symmetric_table(count):
    states = States(tuple("abcde"[:count]))
    table = emissions(states, None, PARAMS)
    np.testing.assert_allclose(shares(table), 1, rtol=1e-12)
    assert not any(label.kind == "part" for label in table)
    for i in range(count):
        said = np.exp(table[Label("is", i)])
        assert said[i] == pytest.approx(0.85 * 0.75)
        np.testing.assert_allclose(np.delete(said, i), 0.15 * 0.75 / (count - 1))
        assert np.argmin(table[Label("not", i)]) == i


def test_one_state_alone_is_never_in_doubt():
    for states in (States(("only",)), control(0)):
        table = emissions(states, None, PARAMS)
        assert all(np.isfinite(row).all() for row in table.values())


@given(st.permutations(range(4)), st.sampled_from([None, 0, 1, 2, 3]))
def test_permuting_the_parties_permutes_the_table(order, relation):
    states = control(4)
    place = [order.index(i) for i in range(4)] + [4]  # old index of a state -> its new one
    plain = emissions(states, relation, PARAMS)
    moved = emissions(states, None if relation is None else place[relation], PARAMS)
    for label, row in plain.items():
        there = moved[Label(label.kind, place[label.state])]
        np.testing.assert_allclose(there[place], row, rtol=1e-12)


def test_among_three_parties_the_one_that_holds_is_named_before_a_third():
    table = emissions(control(3), 0, PARAMS)
    truth = 1
    assert table[Label("is", 1)][truth] > table[Label("is", 2)][truth]
    others = np.exp(table[Label("is", 1)][truth]) + np.exp(table[Label("is", 2)][truth])
    assert others == pytest.approx(0.40 * 0.75)


def test_a_source_cannot_side_with_a_party_of_another_question():
    with pytest.raises(ValueError, match="no party"):
        emissions(BRIDGE, 0, PARAMS)
    with pytest.raises(ValueError, match="no party"):
        emissions(TWO, 2, PARAMS)


def test_a_table_cannot_be_changed_by_its_reader():
    with pytest.raises(ValueError, match="read-only"):
        emissions(TWO, None, PARAMS)[Label("is", UA)][0] = 0.0


# -- what is made of a row


def test_showing_nothing_speaks_for_a_contest():
    nothing = standing(TWO, UA, PARAMS)[NOTHING]
    np.testing.assert_allclose(np.exp(nothing), [0.04, 0.04, 0.20])


def test_a_doubt_is_a_denial_with_part_of_its_weight():
    denial = emissions(TWO, RU, PARAMS)[Label("not", RU)]
    doubt = tempered(denial, 0.5)
    assert doubt[UA] - doubt[RU] == pytest.approx((denial[UA] - denial[RU]) / 2)


@pytest.mark.parametrize("rate", [0.0, 1 / 3, 0.9, 1.0])
def test_a_repeat_is_a_mixture_of_copying_and_seeing(rate):
    row = emissions(TWO, RU, PARAMS)[Label("is", RU)]
    np.testing.assert_allclose(np.exp(repeated(row, rate)), rate + (1 - rate) * np.exp(row), rtol=1e-12)


def test_a_repeat_that_is_always_copied_says_nothing():
    assert not repeated(emissions(TWO, RU, PARAMS)[Label("is", RU)], 1.0).any()


def test_a_ruling_is_strong_evidence_and_no_more():
    assert np.exp(ruled(TWO, RU, PARAMS)) == pytest.approx([0.01, 0.98, 0.01])
    assert np.exp(ruled_out(TWO, RU, PARAMS)) == pytest.approx([1, 0.01, 1])


def test_a_display_gives_itself_away_where_it_would_not_have_been_drawn():
    row = standing(TWO, None, PARAMS)[Label("is", UA)]
    rates = display_rates(row, 0.1)
    np.testing.assert_allclose(rates, 0.1 * (1 - np.exp(row)))
    assert np.argmin(rates) == UA
