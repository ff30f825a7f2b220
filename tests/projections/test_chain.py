"""The chain of beliefs, against hmmlearn, against enumeration and against a dense daily chain."""

from __future__ import annotations

import itertools
import math
import random
from typing import NamedTuple

import numpy as np
import pytest
from hmmlearn import _hmmc
from hmmlearn.base import BaseHMM
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from projections.belief.chain import Chain
from projections.belief.labels import Label, States, display_rates, emissions, repeated, ruled, standing
from projections.belief.motion import Motion, motion
from projections.belief.params import Params

PARAMS = Params()
TWO = States.control(("UA", "RU"))
UA, RU, CONTESTED = range(3)
QUESTIONS = {
    2: States(("standing", "destroyed")),
    3: TWO,
    4: States.control(("A", "B", "C")),
    5: States.control(("A", "B", "C", "D")),
}
START = 738_000
EXACT = {"rtol": 0, "atol": 1e-12}


class Story(NamedTuple):
    """Everything that is set on a chain, in order."""

    motion: Motion
    said: dict[str, list[tuple[int, np.ndarray]]]
    shown: dict[str, tuple[int, int, np.ndarray]]

    def chain(self, *, without=(), instead=None, seed=None) -> Chain:
        """The chain of the story, perhaps without some keys, perhaps told in another order."""
        said = {key: what for key, what in self.said.items() if key not in without} | (instead or {})
        tellings = [(Chain.set, key, (what,)) for key, what in said.items()]
        tellings += [(Chain.hold, key, what) for key, what in self.shown.items() if key not in without]
        if seed is not None:
            random.Random(seed).shuffle(tellings)
        chain = Chain(self.motion)
        for act, key, what in tellings:
            act(chain, key, *what)
        return chain

    def days(self) -> range:
        """From a little before the first day of the story to a little after the last."""
        days = [day for what in self.said.values() for day, _ in what]
        days += [day for lo, hi, _ in self.shown.values() for day in (lo, hi)]
        return range(min(days) - 2, max(days) + 4)

    def names(self) -> list[str]:
        return sorted(self.said.keys() | self.shown.keys())


def vectors(size, low, high):
    return st.lists(st.floats(low, high), min_size=size, max_size=size).map(np.array)


@st.composite
def stories(draw, *, displays=3, claims=8, span=60, sizes=(2, 3, 4, 5)):
    """Claims on one or several days and displays over some, on any of the questions."""
    moving = motion(QUESTIONS[draw(st.sampled_from(sizes))], PARAMS)
    days = st.integers(START, START + span)
    said = {}
    for i in range(draw(st.integers(1, claims))):
        vector = draw(vectors(moving.size, -6, 0))
        on = draw(st.lists(days, min_size=1, max_size=3, unique=True))
        said[f"claim {i}"] = [(day, vector / len(on)) for day in on]
    shown = {}
    for i in range(draw(st.integers(0, displays))):
        lo, hi = sorted((draw(days), draw(days)))
        shown[f"map {i}"] = (lo, hi, draw(vectors(moving.size, 0, 0.2)))
    return Story(moving, said, shown)


def dense(story: Story, days, *, hindsight: bool) -> np.ndarray:
    """The definition: one step a day, scipy's exponential, plain forward-backward over all days."""
    size = story.motion.size
    spoken = [day for what in story.said.values() for day, v in what if np.ptp(v)]
    spoken += [lo for lo, hi, rates in story.shown.values() if hi > lo and np.ptp(rates)]
    out = np.full((len(days), size), 1 / size)
    if not spoken:
        return out
    grid = range(min(spoken), days[-1] + 1)
    likelihood = {day: np.zeros(size) for day in grid}
    for what in story.said.values():
        for day, vector in what:
            if day in likelihood:
                likelihood[day] = likelihood[day] + vector
    steps = {}
    for day in grid:
        rates = sum((r for lo, hi, r in story.shown.values() if lo <= day < hi), np.zeros(size))
        steps[day] = expm(story.motion.generator - np.diag(rates))
    alpha, beta = {}, {grid[-1]: np.ones(size)}
    for day in grid:
        before = np.full(size, 1 / size) if day == grid[0] else alpha[day - 1] @ steps[day - 1]
        alpha[day] = before * np.exp(likelihood[day])
        alpha[day] /= alpha[day].sum()
    for day in reversed(grid[:-1]):
        beta[day] = steps[day] @ (np.exp(likelihood[day + 1]) * beta[day + 1])
        beta[day] /= beta[day].sum()
    for i, day in enumerate(days):
        if day in alpha:
            both = alpha[day] * beta[day] if hindsight else alpha[day]
            out[i] = both / both.sum()
    return out


class Prepared(BaseHMM):
    """hmmlearn with log-likelihoods handed to it in place of data."""

    def _compute_log_likelihood(self, X):  # noqa: N803 - hmmlearn's name
        return X

    def _check(self):
        self.n_features = self.n_components


# -- other people's filters


@settings(deadline=None, max_examples=40)
@given(st.sampled_from([2, 3, 4, 5]), st.integers(2, 60), st.integers(0, 2**32 - 1))
def test_a_daily_chain_believes_what_hmmlearn_believes(size, length, seed):
    said = np.random.default_rng(seed).uniform(-5, 0, (length, size))
    chain = Chain(motion(QUESTIONS[size], PARAMS))
    for i, row in enumerate(said):
        chain.set(i, [(START + i, row)])
    model = Prepared(n_components=size)
    model.startprob_ = np.full(size, 1 / size)
    model.transmat_ = expm(chain.motion.generator)
    smooth = model.predict_proba(said)
    _, lattice = _hmmc.forward_log(model.startprob_, model.transmat_, said)
    ahead = np.exp(lattice - np.logaddexp.reduce(lattice, axis=1, keepdims=True))
    np.testing.assert_allclose([chain.filtered(START + i) for i in range(length)], ahead, **EXACT)
    np.testing.assert_allclose([chain.smoothed(START + i) for i in range(length)], smooth, **EXACT)


@settings(deadline=None, max_examples=40)
@given(
    st.sampled_from([2, 3, 4, 5]),
    st.lists(st.integers(1, 900), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
)
def test_beliefs_are_sums_over_all_that_can_have_happened(size, gaps, seed):
    days = [START, *itertools.accumulate(gaps, initial=START)][1:]
    said = np.random.default_rng(seed).uniform(-4, 0, (len(days), size))
    chain = Chain(motion(QUESTIONS[size], PARAMS))
    chain.set("all", zip(days, said, strict=True))
    steps = [expm(chain.motion.generator * gap) for gap in gaps]
    joint, upto = np.zeros((len(days), size)), np.zeros((len(days), size))
    for path in itertools.product(range(size), repeat=len(days)):
        weights = np.exp([said[i, z] for i, z in enumerate(path)])
        moves = [steps[i][path[i], path[i + 1]] for i in range(len(gaps))]
        for i, z in enumerate(path):
            joint[i, z] += weights.prod() * np.prod(moves)
            # Paths are counted once for each ending; the endings' moves then sum to 1.
            upto[i, z] += weights[: i + 1].prod() * np.prod(moves)
    np.testing.assert_allclose(
        [chain.smoothed(day) for day in days], joint / joint.sum(axis=1, keepdims=True), **EXACT
    )
    np.testing.assert_allclose(
        [chain.filtered(day) for day in days], upto / upto.sum(axis=1, keepdims=True), **EXACT
    )


@settings(deadline=None)
@given(stories())
def test_steps_from_event_to_event_equal_steps_from_day_to_day(story):
    chain, days = story.chain(), story.days()
    np.testing.assert_allclose(
        [chain.filtered(d) for d in days], dense(story, days, hindsight=False), **EXACT
    )
    np.testing.assert_allclose([chain.smoothed(d) for d in days], dense(story, days, hindsight=True), **EXACT)


def test_a_motion_without_detailed_balance_is_filtered_all_the_same():
    cycle = Motion(np.array([[-0.1, 0.1, 0.0], [0.0, -0.2, 0.2], [0.3, 0.0, -0.3]]))
    story = Story(
        cycle,
        {"a": [(START, np.array([0.0, -1.0, -2.0]))], "b": [(START + 90, np.array([-3.0, 0.0, -1.0]))]},
        {"map": (START + 5, START + 80, np.array([0.01, 0.1, 0.08]))},
    )
    chain, days = story.chain(), story.days()
    np.testing.assert_allclose([chain.smoothed(d) for d in days], dense(story, days, hindsight=True), **EXACT)


# -- laws


@given(stories(), st.integers(0, 1000))
def test_the_order_of_telling_never_matters(story, seed):
    told, retold = story.chain(), story.chain(seed=seed)
    for day in story.days():
        assert (told.filtered(day) == retold.filtered(day)).all()
        assert (told.smoothed(day) == retold.smoothed(day)).all()


@given(stories(sizes=[3]), stories(sizes=[3]), st.randoms(use_true_random=False))
def test_changing_a_chain_equals_building_it_anew(first, second, rng):
    chain = first.chain()
    names = sorted({*first.names(), *second.names()})
    rng.shuffle(names)
    for name in names:
        # Beliefs asked for in between are what might wrongly be remembered.
        chain.smoothed(rng.choice(first.days()))
        chain.filtered(rng.choice(first.days()))
        if name not in second.said or name not in second.shown:
            chain.drop(name)
        if name in second.said:
            chain.set(name, second.said[name])
        if name in second.shown:
            chain.hold(name, *second.shown[name])
    anew = second.chain()
    assert chain.days == anew.days
    for day in second.days():
        assert (chain.filtered(day) == anew.filtered(day)).all()
        assert (chain.smoothed(day) == anew.smoothed(day)).all()


@given(stories())
def test_what_has_been_told_can_be_taken_back(story):
    chain = story.chain()
    chain.smoothed(story.days()[0])
    for key in story.names():
        assert key in chain
        chain.drop(key)
        chain.drop(key)
        assert key not in chain
    assert chain.days == ()
    assert all(chain.empty(day) for day in story.days())


@given(stories())
def test_hindsight_and_knowledge_agree_once_everything_has_happened(story):
    chain = story.chain()
    assume(chain.days)
    for day in (chain.days[-1], chain.days[-1] + 100):
        np.testing.assert_allclose(chain.filtered(day), chain.smoothed(day), **EXACT)


@given(stories(), st.integers(0, 60))
def test_nothing_said_later_moves_what_was_believed_then(story, length):
    chain = story.chain()
    day = START + length
    before = chain.filtered(day)
    chain.set("later", [(day + 1, np.arange(float(story.motion.size)))])
    chain.hold("later map", day, day + 30, np.arange(float(story.motion.size)))
    assume(not story.chain().empty(day))
    np.testing.assert_allclose(chain.filtered(day), before, **EXACT)


@given(stories(), st.integers(-70, 130), st.floats(-50, 0), st.floats(0, 3))
def test_what_speaks_for_every_state_alike_changes_nothing(story, offset, level, rate):
    plain, chain = story.chain(), story.chain()
    size = story.motion.size
    chain.set("empty words", [(START + offset, np.full(size, level))])
    chain.hold("blank map", START + offset, START + offset + 40, np.full(size, rate))
    for day in story.days():
        assert (chain.smoothed(day) == plain.smoothed(day)).all()
        assert chain.empty(day) == plain.empty(day)


@given(stories(sizes=[3]))
def test_swapping_the_parties_mirrors_every_belief(story):
    swap = [RU, UA, CONTESTED]
    mirrored = story._replace(
        said={key: [(day, v[swap]) for day, v in what] for key, what in story.said.items()},
        shown={key: (lo, hi, rates[swap]) for key, (lo, hi, rates) in story.shown.items()},
    )
    one, other = story.chain(), mirrored.chain()
    for day in story.days():
        np.testing.assert_allclose(one.filtered(day)[swap], other.filtered(day), **EXACT)
        np.testing.assert_allclose(one.smoothed(day)[swap], other.smoothed(day), **EXACT)


def test_a_repeat_that_is_always_copied_changes_nothing():
    claim = emissions(TWO, RU, PARAMS)[Label("is", RU)]
    once, twice = Chain(motion(TWO, PARAMS)), Chain(motion(TWO, PARAMS))
    for chain in (once, twice):
        chain.set("first", [(START, claim)])
    twice.set("repeat", [(START + 9, repeated(claim, 1.0))])
    assert (once.filtered(START + 30) == twice.filtered(START + 30)).all()
    assert twice.explain(START + 30, RU, UA).terms[1] == ("repeat", 0.0)


def test_a_chain_is_empty_and_even_before_anything_speaks():
    chain = Chain(motion(TWO, PARAMS))
    assert chain.empty(START)
    assert chain.snapshot(START) is None
    assert chain.filtered(START) == pytest.approx([1 / 3] * 3)
    chain.set("claim", [(START, np.array([0.0, -2.0, -1.0]))])
    assert chain.empty(START - 1)
    assert not chain.empty(START)
    assert chain.smoothed(START - 1) == pytest.approx([1 / 3] * 3)
    assert chain.explain(START - 1, UA, RU, hindsight=True).total == 0.0


def test_a_place_nobody_speaks_of_any_more_grows_uncertain_but_not_under_a_map():
    row = standing(TWO, None, PARAMS)[Label("is", UA)]
    chain = Chain(motion(TWO, PARAMS))
    chain.set("map", [(START, row)])
    assert chain.filtered(START + 365)[UA] < 0.6
    chain.hold("map", START, START + 365, display_rates(row, PARAMS.standing_rate))
    assert chain.filtered(START + 365)[UA] > 0.9
    assert chain.filtered(START + 365 + 400)[UA] < 0.6


def test_a_snapshot_carries_the_belief_to_the_next_breakpoint():
    story = Story(
        motion(TWO, PARAMS),
        {"a": [(START, np.array([0.0, -3.0, -1.0]))], "b": [(START + 50, np.array([-1.0, 0.0, -1.0]))]},
        {"map": (START + 10, START + 40, np.array([0.01, 0.09, 0.08]))},
    )
    chain = story.chain()
    for day in range(START, START + 400, 7):
        shot = chain.snapshot(day)
        assert shot.day <= day
        assert shot.until is None or day < shot.until
        np.testing.assert_allclose(
            story.motion.forward(shot.belief, day - shot.day, shot.rates), chain.filtered(day), **EXACT
        )
    assert chain.snapshot(START + 45).rates == ()
    assert chain.snapshot(START + 20).until == START + 40


@pytest.mark.parametrize("vector", [[0.0, 0.0], [0.0, math.nan, 0.0], [0.0, -math.inf, 0.0]])
def test_evidence_of_the_wrong_shape_is_refused_and_changes_nothing(vector):
    chain = Chain(motion(TWO, PARAMS))
    chain.set("claim", [(START, [0.0, -1.0, -1.0])])
    with pytest.raises(ValueError, match="3 finite numbers"):
        chain.set("claim", [(START, vector)])
    with pytest.raises(ValueError, match="3 finite numbers"):
        chain.hold("claim", START, START + 1, vector)
    assert chain.days == (START,)


def test_a_display_that_cannot_be_is_refused():
    chain = Chain(motion(TWO, PARAMS))
    for lo, hi, rates in ((START, START - 1, [0.0, 0.1, 0.1]), (START, START + 1, [-0.1, 0.1, 0.1])):
        with pytest.raises(ValueError, match="cannot be"):
            chain.hold("map", lo, hi, rates)


# -- extremes


def test_ten_years_of_silence_and_thousands_of_claims_stay_finite():
    chain = Chain(motion(TWO, PARAMS))
    for i in range(3000):
        chain.set(("UA", i), [(START, [0.0, -3.0, -2.0])])
        chain.set(("RU", i), [(START + 3650 + i % 2, [-3.0, 0.0, -2.0])])
    for day in (START, START + 3649, START + 3650, START + 3651, START + 40_000):
        for belief in (chain.filtered(day), chain.smoothed(day)):
            assert np.isfinite(belief).all()
            assert belief.sum() == pytest.approx(1)
    why = chain.explain(START, UA, RU)
    assert why.total == pytest.approx(9000)
    later = chain.explain(START + 3651, UA, RU, hindsight=True)
    assert later.total == pytest.approx(_sum(later), abs=1e-9)
    rows = chain.leave_out([(), [("RU", i) for i in range(3000)]], [START + 3651])
    assert rows[0, 0, RU] > 0.999
    np.testing.assert_allclose(rows[1, 0], motion(TWO, PARAMS).A(3651)[UA], **EXACT)


def test_a_map_that_was_wrong_for_a_century_stays_finite():
    chain = Chain(motion(TWO, PARAMS))
    chain.set("claim", [(START, [-2000.0, 0.0, -2000.0])])
    for i in range(40):
        chain.hold(i, START + i, START + 36_500, [0.001, 0.09, 0.09])
    assert chain.filtered(START + 36_500)[UA] > 0.99
    assert chain.smoothed(START + 1)[RU] >= 0
    why = chain.explain(START + 36_500, UA, RU)
    assert why.total == pytest.approx(_sum(why), abs=1e-9)


def test_where_nothing_ever_changes_evidence_only_adds_up():
    still = motion(TWO, PARAMS.replace(sojourn_held=math.inf, sojourn_contested=math.inf))
    rng = np.random.default_rng(7)
    story = Story(
        still,
        {f"claim {i}": [(START + 3 * i, rng.uniform(-900, 0, 3))] for i in range(8)},
        {"map": (START + 2, START + 12, np.array([0.0, 0.3, 5.0]))},
    )
    total = np.sum([what[0][1] for what in story.said.values()], axis=0) - 10 * story.shown["map"][2]
    expected = np.exp(total - np.logaddexp.reduce(total))
    chain = story.chain()
    np.testing.assert_allclose(chain.filtered(START + 99), expected, **EXACT)
    np.testing.assert_allclose(chain.smoothed(START), expected, **EXACT)
    _compare_leave_out(story, [(), ["claim 3"], ["map", "claim 0"]], [START, START + 7, START + 99])


# -- explanations


def _sum(why) -> float:
    return math.fsum(
        [why.prior, why.staleness, *(n for _, n in why.terms), *(n for _, n in why.display_terms)]
    )


@given(stories(), st.integers(-2, 80), st.booleans(), st.data())
def test_an_explanation_adds_up_to_the_odds(story, offset, hindsight, data):
    chain, day = story.chain(), START + offset
    a, b = data.draw(st.permutations(range(story.motion.size)))[:2]
    why = chain.explain(day, a, b, hindsight=hindsight)
    belief = chain.smoothed(day) if hindsight else chain.filtered(day)
    assert why.total == pytest.approx(math.log(belief[a] / belief[b]), abs=1e-9)
    assert why.total == pytest.approx(_sum(why), abs=1e-9)
    turned = chain.explain(day, b, a, hindsight=hindsight)
    assert turned.staleness == pytest.approx(-why.staleness, abs=1e-9)
    mirrored = {key: -nats for key, nats in turned.display_terms}
    assert mirrored == pytest.approx(dict(why.display_terms), abs=1e-9)


def test_a_term_is_the_log_likelihood_ratio_of_what_was_said_up_to_the_day():
    vector = np.array([0.0, -3.0, -1.0])
    chain = Chain(motion(TWO, PARAMS))
    chain.set("vague", [(START, vector / 2), (START + 10, vector / 2)])
    chain.set("late", [(START + 20, vector)])
    assert chain.explain(START + 5, UA, RU).terms == (("vague", 1.5),)
    assert chain.explain(START + 15, UA, RU).terms == (("vague", 3.0),)
    assert chain.explain(START + 5, UA, RU, hindsight=True).terms == (("vague", 3.0), ("late", 3.0))


def test_time_alone_is_booked_as_staleness():
    chain = Chain(motion(TWO, PARAMS))
    chain.set("claim", [(START, [0.0, -3.0, -1.0])])
    fresh, old = chain.explain(START, UA, RU), chain.explain(START + 300, UA, RU)
    assert fresh.staleness == 0.0
    assert -3 < old.staleness < -1


def test_maps_that_agree_share_what_they_add_by_how_sharply_they_tell():
    chain = Chain(motion(TWO, PARAMS))
    chain.set("claim", [(START, [-1.0, 0.0, -1.0])])
    chain.hold("sharp", START, START + 60, [0.00, 0.09, 0.08])
    chain.hold("blunt", START, START + 60, [0.06, 0.09, 0.08])
    shares = dict(chain.explain(START + 60, UA, RU).display_terms)
    assert shares["sharp"] == pytest.approx(3 * shares["blunt"])
    assert shares["blunt"] > 0


def test_maps_that_disagree_each_speak_for_their_own_side():
    chain = Chain(motion(TWO, PARAMS))
    chain.set("claim", [(START, [-1.0, -1.0, 0.0])])
    chain.hold("for UA", START, START + 60, [0.0, 0.09, 0.08])
    chain.hold("for RU", START, START + 60, [0.09, 0.0, 0.08])
    for hindsight, day in ((False, START + 60), (True, START)):
        shares = dict(chain.explain(day, UA, RU, hindsight=hindsight).display_terms)
        assert shares["for UA"] == pytest.approx(-shares["for RU"])
        assert shares["for UA"] > 0.5


def test_maps_that_tell_neither_state_share_evenly():
    chain = Chain(motion(TWO, PARAMS))
    chain.set("claim", [(START, [0.0, -2.0, -1.0])])
    for key in ("one", "two"):
        chain.hold(key, START, START + 60, [0.09, 0.09, 0.01])
    shares = dict(chain.explain(START + 60, UA, RU).display_terms)
    assert shares["one"] == shares["two"] != 0


# -- leaving out


def _compare_leave_out(story, exclusions, days, alternates=None):
    chain = story.chain()
    for hindsight in (False, True):
        rows = chain.leave_out(exclusions, days, hindsight=hindsight, alternates=alternates)
        assert rows.shape == (len(exclusions), len(days), story.motion.size)
        for s, without in enumerate(exclusions):
            rebuilt = story.chain(without=without, instead=(alternates or {}).get(s))
            ask = rebuilt.smoothed if hindsight else rebuilt.filtered
            np.testing.assert_allclose(rows[s], [ask(day) for day in days], **EXACT)


@settings(deadline=None)
@given(stories(), st.data())
def test_leaving_out_equals_never_having_been_told(story, data):
    some = st.sets(st.sampled_from(story.names()))
    exclusions = data.draw(st.lists(some, min_size=1, max_size=5))
    days = data.draw(st.lists(st.sampled_from(story.days()), min_size=1, max_size=4))
    alternates = {}
    for s in range(len(exclusions)):
        if data.draw(st.booleans()):
            vector = data.draw(vectors(story.motion.size, -6, 0))
            key = data.draw(st.sampled_from([*story.said, "new"]))
            alternates[s] = {key: [(data.draw(st.integers(START - 20, START + 90)), vector)]}
    _compare_leave_out(story, exclusions, days, alternates)


def test_nothing_left_is_even():
    chain = Chain(motion(TWO, PARAMS))
    chain.set("claim", [(START, [0.0, -3.0, -1.0])])
    rows = chain.leave_out([["claim"], []], [START, START + 9])
    assert rows[0] == pytest.approx(np.full((2, 3), 1 / 3))
    assert rows[1, 0] == pytest.approx(chain.filtered(START))


def test_leaving_out_nothing_at_all_gives_nothing():
    chain = Chain(motion(TWO, PARAMS))
    assert chain.leave_out([], [START]).shape == (0, 1, 3)
    assert chain.leave_out([()], []).shape == (1, 0, 3)
    assert chain.leave_out([()], [START]) == pytest.approx(np.full((1, 1, 3), 1 / 3))


def test_when_a_claim_goes_its_repeat_becomes_the_first():
    claim = emissions(TWO, RU, PARAMS)[Label("is", RU)]
    echo = repeated(claim, PARAMS.copy_rate)
    story = Story(motion(TWO, PARAMS), {"first": [(START, claim)], "again": [(START + 9, echo)]}, {})
    _compare_leave_out(story, [["first"]], [START + 20], {0: {"again": [(START + 9, claim)]}})


def test_scenarios_that_do_not_fit_in_memory_at_once_take_turns(monkeypatch):
    monkeypatch.setattr("projections.belief.whatif._AT_ONCE", 20)
    rng = np.random.default_rng(3)
    said = {f"claim {i}": [(START + 2 * i, rng.uniform(-3, 0, 3))] for i in range(6)}
    story = Story(motion(TWO, PARAMS), said, {"map": (START, START + 9, np.array([0.0, 0.1, 0.1]))})
    _compare_leave_out(story, [(), *([key] for key in story.names())], [START + 5, START + 20], {2: {}})


def test_a_ruling_outweighs_a_claim_and_a_reversal_outweighs_a_ruling():
    chain = Chain(motion(TWO, PARAMS))
    chain.set("claim", [(START, emissions(TWO, RU, PARAMS)[Label("is", RU)])])
    chain.set("ruling", [(START, ruled(TWO, UA, PARAMS))])
    assert chain.filtered(START)[UA] > 0.9
    chain.set("ruling", [(START, ruled(TWO, RU, PARAMS))])
    assert chain.filtered(START)[RU] > 0.9
