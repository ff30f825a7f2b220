"""What is learnt, against Dawid & Skene written out in loops, and the laws of learning."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from projections.learning.corpus import Corpus
from projections.learning.em import expected, fit, infer
from projections.learning.model import Model
from tests.projections.learning_worlds import EXACT, worlds

# -- Dawid & Skene (1979), by definition -----------------------------------------------------------------


def dawid_skene(said, voices, size, start, rounds):
    """``said``: (object, voice, label) triples. From ``start`` (objects, size), ``rounds`` times maximise, expect."""
    belief = start.copy()
    for _ in range(rounds):
        confusion = np.zeros((voices, size, size))
        for thing, voice, label in said:
            for state in range(size):
                confusion[voice, state, label] += belief[thing, state]
        for voice in range(voices):
            for state in range(size):
                total = confusion[voice, state].sum()
                if total:
                    confusion[voice, state] /= total
        prevalence = belief.mean(axis=0)
        belief = np.tile(prevalence, (len(belief), 1))
        for thing, voice, label in said:
            belief[thing] *= confusion[voice, :, label]
        belief /= belief.sum(axis=1, keepdims=True)
    return belief


def static(said, things, size, voices, **assumed):
    """A corpus of things that never change, and a model of one group that is right seven times in ten."""
    said = np.array(said)
    corpus = Corpus(
        size=size,
        first=np.arange(things + 1),
        day=np.zeros(things, np.int64),
        step=said[:, 0],
        voice=said[:, 1],
        label=said[:, 2],
        weight=np.ones(len(said)),
    )
    even = np.full((size, size), 0.3 / (size - 1))
    np.fill_diagonal(even, 0.7)
    model = Model(
        rows=even[None],
        group=np.zeros(voices, np.int64),
        generator=np.zeros((size, size)),
        prior=np.full(size, 1 / size),
        **assumed,
    )
    return corpus, model


def crowd(seed, things=40, size=3, voices=6, each=4):
    """Every thing is called by some voices, each right in its own share of cases. Also: the truth."""
    rng = np.random.default_rng(seed)
    skill, truth = rng.uniform(0.4, 0.95, voices), rng.integers(0, size, things)
    said = []
    for thing in range(things):
        for voice in rng.choice(voices, each, replace=False):
            right = rng.random() < skill[voice]
            said.append((thing, voice, truth[thing] if right else rng.integers(0, size)))
    return said, truth


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_with_hardly_any_prior_it_is_dawid_and_skene(seed, rounds):
    said, _ = crowd(seed)
    weak = {"strength": 1e-12, "group_strength": np.inf, "prevalence_strength": 1e-12}
    corpus, model = static(said, 40, 3, 6, **weak)
    begun = infer(corpus, model, expected(model)).smoothed
    learnt = fit(corpus, model, iterations=rounds)
    assume(learnt.iterations == rounds)
    np.testing.assert_allclose(
        infer(corpus, model, learnt).smoothed, dawid_skene(said, 6, 3, begun, rounds), rtol=0, atol=1e-9
    )


def test_the_dawid_and_skene_of_this_test_is_crowd_kits():
    aggregation = pytest.importorskip("crowdkit.aggregation")
    pandas = pytest.importorskip("pandas")
    said, _ = crowd(5)
    table = pandas.DataFrame(said, columns=["task", "worker", "label"])
    peer = aggregation.DawidSkene(n_iter=12, tol=0.0).fit(table)
    shares = np.zeros((40, 3))
    for thing, _, label in said:
        shares[thing, label] += 1
    shares /= shares.sum(axis=1, keepdims=True)
    ours = dawid_skene(said, 6, 3, shares, 12)
    np.testing.assert_allclose(ours, peer.probas_.sort_index()[[0, 1, 2]].to_numpy(), rtol=0, atol=1e-9)


def test_learning_who_is_right_beats_counting_heads():
    ours, heads = [], []
    for seed in range(5):
        said, truth = crowd(seed, things=200, voices=12, each=5)
        corpus, model = static(said, 200, 3, 12, strength=4.0, group_strength=10.0)
        ours.append((infer(corpus, model, fit(corpus, model)).smoothed.argmax(axis=1) == truth).mean())
        votes = np.zeros((200, 3))
        np.add.at(votes, tuple(np.array(said)[:, [0, 2]].T), 1)
        heads.append((votes.argmax(axis=1) == truth).mean())
    assert np.mean(ours) > np.mean(heads)


# -- laws -------------------------------------------------------------------------------------------------


@given(worlds())
def test_learning_never_lowers_its_objective(told):
    learnt = fit(told.corpus, told.model, told.fit, iterations=8)
    gains = np.diff(learnt.trace)
    assert (gains > -1e-9 * np.abs(learnt.trace[:-1]).max(initial=1.0)).all()


@given(worlds())
def test_a_fit_taken_up_again_goes_on_where_it_was(told):
    once = fit(told.corpus, told.model, iterations=4)
    assume(once.iterations == 4)
    again = fit(told.corpus, told.model, fit(told.corpus, told.model, iterations=2), iterations=2)
    np.testing.assert_allclose(again.logs, once.logs, rtol=0, atol=1e-9)
    np.testing.assert_allclose(again.refresh, once.refresh, rtol=0, atol=1e-9)


@given(worlds())
def test_what_is_learnt_are_probabilities(told):
    learnt = fit(told.corpus, told.model, iterations=3)
    for logs in (learnt.logs, learnt.group_logs, learnt.copy_logs, learnt.prior_logs):
        np.testing.assert_allclose(np.exp(logs).sum(axis=-1), 1.0, **EXACT)
    assert ((learnt.copy_rate > 0) & (learnt.copy_rate < 1)).all()
    assert (learnt.refresh > 0).all()


@given(worlds(), st.randoms(use_true_random=False))
def test_permuting_the_states_permutes_what_is_learnt(told, random):
    order = list(range(told.corpus.size))
    random.shuffle(order)
    corpus = replace(told.corpus, fixed=told.corpus.fixed[:, order])
    q, prior = told.model.generator[np.ix_(order, order)], told.model.prior[order]
    model = replace(told.model, rows=told.model.rows[:, order], generator=q, prior=prior)
    a, b = fit(told.corpus, told.model, iterations=3), fit(corpus, model, iterations=3)
    assume(a.iterations == b.iterations)
    np.testing.assert_allclose(b.logs, a.logs[:, order], rtol=0, atol=1e-9)
    np.testing.assert_allclose(b.refresh, a.refresh, rtol=0, atol=1e-9)


@given(worlds())
def test_a_voice_without_utterances_speaks_as_its_group(told):
    model = replace(told.model, group=np.append(told.model.group, 1))
    learnt = fit(told.corpus, model, iterations=3)
    np.testing.assert_allclose(learnt.logs[-1], learnt.group_logs[1], **EXACT)
    assert learnt.copy_rate[-1] == pytest.approx(learnt.group_copy[1])
    assert learnt.refresh[-1] == pytest.approx(model.refresh_prior[0])


@given(worlds())
def test_a_fit_may_know_fewer_voices(told):
    learnt = fit(told.corpus, told.model, iterations=2)
    more = replace(told.model, group=np.append(told.model.group, 0))
    grown = learnt.grown(more)
    np.testing.assert_array_equal(grown.logs[-1], learnt.group_logs[0])
    a = infer(told.corpus, told.model, learnt)
    b = infer(told.corpus, more, learnt)
    assert (a.smoothed == b.smoothed).all()


def test_a_strong_prior_is_hardly_moved_and_a_weak_one_is():
    said, _ = crowd(3)
    moved = []
    for strength in (1e6, 1.0):
        corpus, model = static(said, 40, 3, 6, strength=strength, group_strength=np.inf)
        learnt = fit(corpus, model)
        moved.append(np.abs(np.exp(learnt.logs) - model.rows[0]).max())
    assert moved[0] < 1e-3 < 0.1 < moved[1]


def test_a_voice_that_only_repeats_is_learnt_to_copy():
    """Twenty spots: voice 0 says something at random, voice 1 the same right after."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 60)
    for copied, seen in ((np.ones(60), True), (2 - (rng.random(60) < 0.5), False)):
        copying = np.stack([np.zeros(60), copied], axis=1).ravel().astype(np.int8)
        corpus = Corpus(
            size=2,
            first=np.arange(61),
            day=np.zeros(60, np.int64),
            step=np.repeat(np.arange(60), 2),
            voice=np.tile([0, 1], 60),
            label=np.repeat(labels, 2),
            weight=np.ones(120),
            copied=copying,
        )
        model = Model(
            rows=np.full((1, 2, 2), 0.5),
            group=np.zeros(2, np.int64),
            generator=np.zeros((2, 2)),
            prior=np.full(2, 0.5),
        )
        rate = fit(corpus, model).copy_rate[1]
        assert (rate > 0.6) if seen else (rate < 0.4)
