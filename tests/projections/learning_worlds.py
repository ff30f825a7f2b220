"""Small worlds to learn from, drawn at random, and what to believe of them worked out the slow way."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from scipy.linalg import expm

from projections.learning.corpus import Corpus
from projections.learning.em import expected
from projections.learning.model import Fit, Model

LABELS, VOICES, GROUPS = 4, 5, 2
EXACT = {"rtol": 0, "atol": 1e-12}


class World(NamedTuple):
    corpus: Corpus
    model: Model
    fit: Fit
    """Tables as if learnt: every voice speaks and copies in its own way."""


def generator(rng, size: int, *, reversible: bool = True) -> np.ndarray:
    """Any Q, or one in detailed balance with stationary shares drawn at random."""
    q = rng.uniform(0.001, 0.2, (size, size))
    if reversible:
        q = (q + q.T) * rng.dirichlet(np.full(size, 3.0))
    np.fill_diagonal(q, 0.0)
    return q - np.diag(q.sum(axis=1))


def rows(rng, *shape: int) -> np.ndarray:
    return 0.9 * rng.dirichlet(np.ones(shape[-1]), shape[:-1]) + 0.1 / shape[-1]


def world(
    seed: int, size: int = 3, *, spots: int = 4, displays: int = 6, motion: str = "reversible"
) -> World:
    """Some spots (one without steps), voices of two groups, repeats, doubts, rulings and displays."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, spots)
    lengths[rng.integers(spots)] = 0
    first = np.concatenate([[0], np.cumsum(lengths)])
    days = [np.sort(rng.choice(60, length, replace=False)) for length in lengths]
    steps = int(first[-1])
    n = int(rng.integers(0, 3 * steps + 1))
    spot = np.repeat(np.arange(spots), lengths)
    start = rng.integers(0, max(steps, 1), displays if steps else 0)
    end = rng.integers(0, max(steps, 1), len(start))
    held = (start < end) & (spot[start] == spot[end]) if len(start) else np.zeros(0, bool)
    m = int(held.sum())
    fixed = np.where(rng.random((steps, 1)) < 0.1, rng.uniform(-4, 0, (steps, size)), 0.0)
    corpus = Corpus(
        size=size,
        first=first,
        day=np.concatenate([np.zeros(0, np.int64), *days]),
        step=rng.integers(0, max(steps, 1), n),
        voice=rng.integers(0, VOICES, n),
        label=rng.integers(0, LABELS, n),
        weight=rng.choice([0.25, 0.5, 1.0], n),
        copied=rng.integers(0, 3, n).astype(np.int8),
        fixed=fixed,
        held_voice=rng.integers(0, VOICES, m),
        held_label=rng.integers(0, LABELS, m),
        held_weight=rng.choice([0.5, 1.0], m),
        held_from=start[held],
        held_to=end[held],
    )
    q = (
        np.zeros((size, size))
        if motion == "still"
        else generator(rng, size, reversible=motion == "reversible")
    )
    model = Model(
        rows=rows(rng, GROUPS, size, LABELS),
        group=np.arange(VOICES) % GROUPS,
        generator=q,
        prior=rng.dirichlet(np.full(size, 5.0)),
        strength=float(rng.choice([0.5, 4.0, 30.0])),
        group_strength=float(rng.choice([2.0, 300.0, np.inf])),
        copy_group_strength=float(rng.choice([5.0, np.inf])),
        prevalence_strength=float(rng.choice([2.0, np.inf])),
    )
    rate = rng.uniform(0.1, 0.9, VOICES)
    prior = rng.dirichlet(np.full(size, 5.0))
    learnt = Fit(
        logs=np.log(rows(rng, VOICES, size, LABELS)),
        group_logs=expected(model).group_logs,
        copy_logs=np.log(np.stack([rate, 1 - rate], axis=1)),
        group_copy=np.full(GROUPS, 0.3),
        refresh=rng.uniform(0.02, 0.3, VOICES),
        prior_logs=np.log(prior),
    )
    return World(corpus, model, learnt)


def worlds(*, sizes=(1, 2, 3, 5), motions=("reversible", "any", "still"), displays: int = 6):
    return st.builds(
        world,
        st.integers(0, 2**32 - 1),
        st.sampled_from(sizes),
        spots=st.integers(1, 6),
        displays=st.integers(0, displays),
        motion=st.sampled_from(motions),
    )


def likelihoods(told: World, power: float = 1.0) -> np.ndarray:
    """ln p(what is said on each step | state), by definition: (steps, states)."""
    corpus, fit = told.corpus, told.fit
    logs = corpus.fixed.copy()
    for i, step in enumerate(corpus.step):
        voice = corpus.voice[i]
        p = np.exp(fit.logs[voice, :, corpus.label[i]])
        if corpus.copied[i]:
            copies, own = np.exp(fit.copy_logs[voice])
            p = copies * (corpus.copied[i] == 1) + own * p
        logs[step] += power * corpus.weight[i] * np.log(p)
    return logs


def moves(told: World, step: int, power: float = 1.0) -> np.ndarray:
    """expm((Q − diag(rates))·dt) into a step that is not the first of its spot, by definition."""
    corpus, fit = told.corpus, told.fit
    rates = np.zeros(corpus.size)
    for i in range(len(corpus.held_from)):
        if corpus.held_from[i] < step <= corpus.held_to[i]:
            voice = corpus.held_voice[i]
            shown = np.exp(fit.logs[voice, :, corpus.held_label[i]])
            rates += power * corpus.held_weight[i] * fit.refresh[voice] * (1 - shown)
    dt = int(corpus.day[step] - corpus.day[step - 1])
    return expm((told.model.generator - np.diag(rates)) * dt)


def believed(told: World, power: float = 1.0) -> tuple[np.ndarray, np.ndarray, float]:
    """Forward-backward spot by spot, step by step: filtered, smoothed and the log-likelihood."""
    corpus = told.corpus
    likely = np.exp(likelihoods(told, power))
    filtered, smoothed = np.zeros_like(likely), np.zeros_like(likely)
    prior = told.model.prior * np.exp(power * (told.fit.prior_logs - np.log(told.model.prior)))
    loglik = 0.0
    for lo, hi in zip(corpus.first, corpus.first[1:], strict=False):
        if lo == hi:
            continue
        ahead = prior / prior.sum()
        for step in range(lo, hi):
            ahead = (ahead @ moves(told, step, power) if step > lo else ahead) * likely[step]
            loglik += np.log(ahead.sum())
            ahead = filtered[step] = ahead / ahead.sum()
        back = np.ones(corpus.size)
        for step in range(hi - 1, lo - 1, -1):
            smoothed[step] = filtered[step] * back
            if step > lo:
                back = moves(told, step, power) @ (likely[step] * back)
                back /= back.max()
    smoothed /= smoothed.sum(axis=1, keepdims=True)
    return filtered, smoothed, loglik
