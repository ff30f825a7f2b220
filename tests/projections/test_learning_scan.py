"""Beliefs over all spots at once, against hmmlearn, enumeration, a dense daily chain and plain loops."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hmmlearn import _hmmc
from hmmlearn.base import BaseHMM
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.special import logsumexp

from projections.learning.corpus import Corpus
from projections.learning.em import infer
from projections.learning.scan import Moves, gather, scan
from tests.projections.learning_worlds import (
    EXACT,
    VOICES,
    World,
    believed,
    generator,
    likelihoods,
    moves,
    world,
    worlds,
)


class Prepared(BaseHMM):
    """hmmlearn with log-likelihoods handed to it in place of data."""

    def _compute_log_likelihood(self, X):  # noqa: N803 - hmmlearn's name
        return X

    def _check(self):
        self.n_features = self.n_components


@given(st.integers(2, 12), st.integers(1, 300), st.integers(0, 2**32 - 1))
def test_a_daily_chain_is_filtered_and_smoothed_as_hmmlearn_does_it(size, length, seed):
    rng = np.random.default_rng(seed)
    said = rng.uniform(-6, 0, (length, size))
    transition, prior = expm(generator(rng, size, reversible=False)), rng.dirichlet(np.ones(size))
    peer = Prepared(n_components=size, init_params="", algorithm="map")
    peer.startprob_, peer.transmat_ = prior, transition
    kind = np.minimum(np.arange(length), 1)
    found = scan(said, Moves(kind, np.stack([np.tile(prior, (size, 1)), transition]), np.zeros(2)))
    loglik, lattice = _hmmc.forward_log(prior, transition, said)
    ahead = np.exp(lattice - logsumexp(lattice, axis=1, keepdims=True))
    np.testing.assert_allclose(found.filtered, ahead, **EXACT)
    np.testing.assert_allclose(found.smoothed, peer.predict_proba(said), **EXACT)
    assert found.log_scale.sum() == pytest.approx(loglik, rel=1e-12)


@given(worlds(sizes=(1, 2, 3), displays=4))
def test_beliefs_are_sums_over_all_that_can_have_happened(told):
    corpus = told.corpus
    spot = next((i for i in range(corpus.spots) if 0 < corpus.first[i + 1] - corpus.first[i] <= 5), None)
    if spot is None:
        return
    lo, hi = corpus.first[spot : spot + 2]
    likely = np.exp(likelihoods(told))
    sums = np.zeros((hi - lo, corpus.size))
    for path in itertools.product(range(corpus.size), repeat=int(hi - lo)):
        p = np.exp(told.fit.prior_logs[path[0]]) * likely[lo, path[0]]
        for i in range(1, len(path)):
            p *= moves(told, lo + i)[path[i - 1], path[i]] * likely[lo + i, path[i]]
        sums[range(len(path)), path] += p
    belief = infer(corpus, told.model, told.fit)
    np.testing.assert_allclose(belief.smoothed[lo:hi], sums / sums.sum(axis=1, keepdims=True), **EXACT)


@given(worlds(), st.sampled_from([1.0, 0.4, 2.5]))
def test_all_spots_at_once_are_believed_as_one_by_one(told, temperature):
    filtered, smoothed, loglik = believed(told, 1 / temperature)
    belief = infer(told.corpus, told.model, told.fit, temperature)
    np.testing.assert_allclose(belief.filtered, filtered, **EXACT)
    np.testing.assert_allclose(belief.smoothed, smoothed, **EXACT)
    assert belief.loglik == pytest.approx(loglik, rel=1e-11, abs=1e-10)


@given(worlds())
def test_a_chain_of_events_is_a_chain_of_days(told):
    """Steps on which nothing speaks, put in on every day between, change nothing."""
    corpus = told.corpus
    days = [np.arange(*corpus.day[[lo, hi - 1]] + [0, 1]) if lo < hi else [] for lo, hi in _ranges(corpus)]
    first = np.concatenate([[0], np.cumsum([len(each) for each in days])])
    place = first[corpus.spot] + corpus.day - corpus.day[corpus.first[corpus.spot]]
    dense = np.zeros((first[-1], corpus.size))
    dense[place] = corpus.fixed
    daily = replace(
        corpus,
        first=first,
        day=np.concatenate([np.zeros(0), *days]).astype(np.int64),
        step=place[corpus.step] if len(place) else corpus.step,
        fixed=dense,
        held_from=place[corpus.held_from] if len(place) else corpus.held_from,
        held_to=place[corpus.held_to] if len(place) else corpus.held_to,
    )
    a, b = infer(corpus, told.model, told.fit), infer(daily, told.model, told.fit)
    np.testing.assert_allclose(b.filtered[place], a.filtered, **EXACT)
    np.testing.assert_allclose(b.smoothed[place], a.smoothed, **EXACT)
    assert b.loglik == pytest.approx(a.loglik, rel=1e-11, abs=1e-10)


@given(worlds())
def test_spots_are_independent_given_the_tables(told):
    whole = infer(told.corpus, told.model, told.fit)
    for spot, (lo, hi) in enumerate(_ranges(told.corpus)):
        alone = infer(told.corpus.part(np.array([spot])), told.model, told.fit)
        np.testing.assert_allclose(alone.filtered, whole.filtered[lo:hi], **EXACT)
        np.testing.assert_allclose(alone.smoothed, whole.smoothed[lo:hi], **EXACT)


@given(worlds(), st.randoms(use_true_random=False))
def test_permuting_the_states_permutes_the_beliefs(told, random):
    order = list(range(told.corpus.size))
    random.shuffle(order)
    corpus = replace(told.corpus, fixed=told.corpus.fixed[:, order])
    q, prior = told.model.generator[np.ix_(order, order)], told.model.prior[order]
    model = replace(told.model, rows=told.model.rows[:, order], generator=q, prior=prior)
    fit = replace(
        told.fit,
        logs=told.fit.logs[:, order],
        group_logs=told.fit.group_logs[:, order],
        prior_logs=told.fit.prior_logs[order],
    )
    a, b = infer(told.corpus, told.model, told.fit), infer(corpus, model, fit)
    np.testing.assert_allclose(b.smoothed, a.smoothed[:, order], **EXACT)
    np.testing.assert_allclose(b.filtered, a.filtered[:, order], **EXACT)


@given(worlds(), st.randoms(use_true_random=False))
def test_the_order_of_what_is_said_does_not_matter_not_even_in_the_last_bit(told, random):
    order = list(range(len(told.corpus.step)))
    random.shuffle(order)
    shuffled = {
        name: getattr(told.corpus, name)[order] for name in ("step", "voice", "label", "weight", "copied")
    }
    a = infer(told.corpus, told.model, told.fit)
    b = infer(replace(told.corpus, **shuffled), told.model, told.fit)
    assert (a.smoothed == b.smoothed).all()


@given(worlds())
def test_a_filter_alone_is_the_filter(told):
    both = infer(told.corpus, told.model, told.fit)
    alone = infer(told.corpus, told.model, told.fit, smooth=False)
    assert (alone.filtered == both.filtered).all()
    assert alone.smoothed is alone.filtered


@given(worlds(motions=("reversible", "still")), st.sampled_from([1e3, 1e6]))
def test_weights_of_any_size_stay_finite(told, weight):
    corpus = replace(told.corpus, weight=told.corpus.weight * weight)
    belief = infer(corpus, told.model, told.fit)
    for rows in (belief.filtered, belief.smoothed):
        np.testing.assert_allclose(rows.sum(axis=1), 1.0, **EXACT)
    assert np.isfinite(belief.loglik)


def test_a_thousand_against_and_a_thousand_and_one_for_leave_a_state_that_never_changes_open():
    q, prior = np.zeros((2, 2)), np.array([0.5, 0.5])
    said = np.array([[-1000.0, 0.0], [0.0, -1001.0]])
    found = gather(said, np.array([0, 2]), prior)
    odds = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(found.smoothed, [[odds, 1 - odds]] * 2, **EXACT)
    assert not q.any()


@pytest.mark.parametrize("size", [1, 3])
def test_an_empty_corpus_believes_nothing(size):
    told = world(1, size)
    empty = Corpus(size=size, first=np.zeros(1, np.int64), day=np.zeros(0, np.int64))
    belief = infer(empty, told.model, told.fit)
    assert belief.smoothed.shape == (0, size)
    assert belief.loglik == 0.0


def test_with_one_state_there_is_nothing_to_doubt():
    told = world(2, 1)
    assert (infer(told.corpus, told.model, told.fit).smoothed == 1.0).all()


@given(worlds(displays=0))
def test_a_repeat_that_is_surely_copied_says_nothing(told):
    """ρ = 1: a repeat of what was implied before has a log-likelihood ratio of exactly 0."""
    sure = np.tile([0.0, -np.inf], (VOICES, 1))
    fit = replace(told.fit, copy_logs=sure)
    repeats = told.corpus.copied == 1
    said = replace(told.corpus, copied=np.where(repeats, 1, 0).astype(np.int8))
    unsaid = {name: getattr(said, name)[~repeats] for name in ("step", "voice", "label", "weight", "copied")}
    a = infer(said, told.model, fit)
    b = infer(replace(said, **unsaid), told.model, fit)
    np.testing.assert_allclose(a.smoothed, b.smoothed, **EXACT)


def _ranges(corpus: Corpus) -> list[tuple[int, int]]:
    return list(itertools.pairwise(corpus.first.tolist()))


def test_long_chains_are_cut_into_chunks_without_a_trace():
    """Some thousand steps in a few spots, against plain loops."""
    told = _long(7)
    filtered, smoothed, loglik = believed(told)
    belief = infer(told.corpus, told.model, told.fit)
    np.testing.assert_allclose(belief.filtered, filtered, **EXACT)
    np.testing.assert_allclose(belief.smoothed, smoothed, **EXACT)
    assert belief.loglik == pytest.approx(loglik, rel=1e-12)


def _long(seed: int) -> World:
    rng = np.random.default_rng(seed)
    told = world(seed, 3)
    lengths = [300, 1, 0, 40, 7, 250]
    first = np.concatenate([[0], np.cumsum(lengths)])
    n = 2 * first[-1]
    corpus = Corpus(
        size=3,
        first=first,
        day=np.concatenate([np.sort(rng.choice(900, length, replace=False)) for length in lengths]),
        step=rng.integers(0, first[-1], n),
        voice=rng.integers(0, VOICES, n),
        label=rng.integers(0, 4, n),
        weight=np.ones(n),
    )
    return told._replace(corpus=corpus)
