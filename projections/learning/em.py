"""Anchored EM: what the states were, and how each voice speaks under them, learnt from each other.

Expectation: one pass of forward-backward over all spots (``scan``) under what is known of the voices. Where a
voice may have copied an earlier utterance l₀,

    p(l | k) = ρ·1[l₀ implies l] + (1 − ρ)·C[k, l],

and what was copied, r = ρ·1[…]/p(l | k), says nothing of C. A display that stays up is redrawn silently at the
rate μ·C[k, l]; how often is expected from the time spent in each state (``gaps``). Maximisation: counts and
the prior in closed form (``pooling`` for C and ρ, a Gamma for μ). This is Dawid & Skene (1979) by the EM of
Dempster, Laird & Rubin (1977), with a prior, copying, displays and motion; the objective is the log posterior over
log-shares and log-rates. Learning starts from the prior rows, never from saturated beliefs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from projections.learning.corpus import FRESH, IMPLIED, Corpus, Floats, Ints
from projections.learning.gaps import Gaps
from projections.learning.model import Fit, Model
from projections.learning.pooling import group_shares, likeness
from projections.learning.pooling import shares as best_shares
from projections.learning.scan import Scan, gather, scan

ITERATIONS = 50
"""At most so many iterations (an assumption)."""
SETTLED = 1e-4
"""Learning ends when an iteration raises the objective by less than this per spot (an assumption)."""


class Belief(NamedTuple):
    """``filtered`` and ``smoothed`` (steps, K): P(state | evidence up to the step; all of the spot's)."""

    filtered: Floats
    smoothed: Floats
    loglik: float


class _Counts(NamedTuple):
    """What was expected to happen: (voices, K, L), (voices, 2), (voices,), (voices,) and (K,)."""

    labels: Floats
    copies: Floats
    redrawn: Floats
    exposure: Floats
    opening: Floats


class _Reading(NamedTuple):
    """How the cells weigh under what is known: all (cells, K)."""

    said: Floats
    fresh: Floats  # how likely an utterance was its speaker's own
    hidden: Floats  # rates of silent redrawing
    rates: Floats  # rates at which displays give themselves away, (combinations, K)


def fit(corpus: Corpus, model: Model, start: Fit | None = None, iterations: int = ITERATIONS) -> Fit:
    """Learn from a corpus, from ``start`` (whose groups and voices are the model's) or from the prior rows.

    Raises ``ValueError`` where corpus and model do not belong together.
    """
    model.check(corpus)
    gaps = Gaps.of(corpus, model.motion)
    fitted = start or prior_fit(model)
    shares = np.exp(fitted.group_logs)
    copying = np.stack([fitted.group_copy, 1 - fitted.group_copy], axis=1)
    trace: list[float] = []
    log_prior = 0.0
    power = model.seed if start is None else 1.0
    for done in range(iterations):
        reading = _read(corpus, fitted)
        beliefs = _believe(corpus, gaps, reading, np.exp(fitted.prior_logs), power)
        if done and power == 1.0:
            trace.append(float(beliefs.log_scale.sum()) + log_prior + _drawn(corpus, fitted))
            if len(trace) > 1 and trace[-1] - trace[-2] < SETTLED * corpus.spots:
                break
        counts = _count(corpus, gaps, model, reading, beliefs)
        shares = group_shares(
            counts.labels, model.group, shares, model.strength, model.rows, model.group_strength
        )
        a, b = model.copy_prior
        mean = np.broadcast_to(np.array([a, b]) / (a + b), copying.shape)
        copying = group_shares(counts.copies, model.group, copying, a + b, mean, model.copy_group_strength)
        fitted, log_prior = _maximise(model, counts, shares, copying)
        power = 1.0
        fitted = _with(fitted, tuple(trace), done + 1)
    return _with(fitted, tuple(trace), fitted.iterations)


def infer(corpus: Corpus, model: Model, fit: Fit, temperature: float | None = None) -> Belief:
    """Beliefs under what was learnt, its evidence tempered; ``temperature`` is the fit's own where None.

    Divided by it are the logs of observations and displays and of what was learnt of the prevalence; not the
    motion, the prior and rulings. Raises ``ValueError`` where corpus and model do not belong together.
    """
    model.check(corpus)
    power = 1 / (fit.temperature if temperature is None else temperature)
    gaps = Gaps.of(corpus, model.motion)
    found = _believe(corpus, gaps, _read(corpus, fit), _prior(model, fit, power), power)
    return Belief(found.filtered, found.smoothed, float(found.log_scale.sum()))


def prior_fit(model: Model) -> Fit:
    """What is known before anything is learnt: every voice speaks as its group is expected to."""
    voices, groups = len(model.group), len(model.rows)
    with np.errstate(divide="ignore"):
        rows = np.log(model.rows)
    a, b = model.copy_prior
    mean, _ = model.refresh_prior
    return Fit(
        logs=rows[model.group],
        group_logs=rows,
        copy_logs=np.tile(np.log([a / (a + b), b / (a + b)]), (voices, 1)),
        group_copy=np.full(groups, a / (a + b)),
        refresh=np.full(voices, mean),
        prior_logs=np.log(model.prior),
        temperature=model.temperature_prior[0],
    )


def _read(corpus: Corpus, fit: Fit) -> _Reading:
    cells = corpus.evidence
    said = fit.logs[cells.voice, :, cells.label]
    fresh = np.ones_like(said)
    repeats = np.flatnonzero(cells.copied != FRESH)
    if len(repeats):
        copied, own = fit.copy_logs[cells.voice[repeats]].T[:, :, None]
        own = own + said[repeats]
        implied = (cells.copied[repeats] == IMPLIED)[:, None]
        whole = np.where(implied, np.logaddexp(copied, own), own)
        said[repeats], fresh[repeats] = whole, np.exp(own - whole)
    voice = cells.held_voice
    hidden = fit.refresh[voice, None] * np.exp(fit.logs[voice, :, cells.held_label])
    rates = cells.shown @ np.maximum(fit.refresh[voice, None] - hidden, 0.0)
    return _Reading(said, fresh, hidden, rates)


def _believe(corpus: Corpus, gaps: Gaps, reading: _Reading, prior: Floats, power: float) -> Scan:
    evidence = corpus.evidence.said @ (reading.said * power) + corpus.fixed
    rates = reading.rates * power
    if not gaps.motion.static:
        return scan(evidence, gaps.moves(rates, prior))
    if len(gaps.shown):
        evidence += gaps.quiet(rates)
    return gather(evidence, corpus.first, prior)


def _prior(model: Model, fit: Fit, power: float) -> Floats:
    """The model's prior with what was learnt of the prevalence tempered."""
    expected = np.log(model.prior)
    prior = np.exp(expected + power * (fit.prior_logs - expected))
    return np.asarray(prior / prior.sum())


def _count(corpus: Corpus, gaps: Gaps, model: Model, reading: _Reading, beliefs: Scan) -> _Counts:
    cells = corpus.evidence
    voices, labels = len(model.group), model.rows.shape[2]
    spoken = cells.said_t @ beliefs.smoothed
    own = spoken * reading.fresh
    table = _tabled(cells.voice * labels + cells.label, own, voices * labels)
    repeats = cells.copied != FRESH
    voice = cells.voice[repeats]
    copies = np.zeros((voices, 2))
    copies[:, 0] = np.bincount(voice, (spoken - own)[repeats].sum(axis=1), voices)
    copies[:, 1] = np.bincount(voice, own[repeats].sum(axis=1), voices)
    redrawn: Floats = np.zeros(voices)
    exposure: Floats = np.zeros(voices)
    if len(gaps.shown):
        time = cells.shown.T @ _occupied(corpus, gaps, reading, beliefs)
        silent = time * reading.hidden
        table += _tabled(cells.held_voice * labels + cells.held_label, silent, voices * labels)
        redrawn += np.bincount(cells.held_voice, silent.sum(axis=1), voices)
        redrawn[: len(cells.redrawn)] += cells.redrawn
        exposure += np.bincount(cells.held_voice, time.sum(axis=1), voices)
    opening = corpus.first[:-1][np.diff(corpus.first) > 0]
    counts = np.ascontiguousarray(table.reshape(voices, labels, -1).transpose(0, 2, 1))
    return _Counts(counts, copies, redrawn, exposure, beliefs.smoothed[opening].sum(axis=0))


def _tabled(places: Ints, rows: Floats, size: int) -> Floats:
    """The sum of the rows that fall on each place, (size, K)."""
    return np.stack([np.bincount(places, column, size) for column in rows.T], axis=1)


def _occupied(corpus: Corpus, gaps: Gaps, reading: _Reading, beliefs: Scan) -> Floats:
    """Expected time in each state while each combination of displays was in force, (combinations, K)."""
    after = gaps.shown
    if gaps.motion.static:
        time = beliefs.smoothed[after] * corpus.gap[after, None]
    else:
        time = gaps.occupied(reading.rates, beliefs.filtered[after - 1], beliefs.ahead[after])
    return _tabled(corpus.evidence.combination[after], time, len(reading.rates))


def _maximise(model: Model, counts: _Counts, shares: Floats, copying: Floats) -> tuple[Fit, float]:
    """What is best after the counts, about the groups' ``shares`` and ``copying``; and its log prior."""
    a, b = model.copy_prior
    rows, copies = shares[model.group], copying[model.group]
    logs = best_shares(model.strength * rows, counts.labels)
    copy_logs = best_shares((a + b) * copies, counts.copies)
    prior_logs = np.log(model.prior)
    if np.isfinite(model.prevalence_strength):
        prior_logs = best_shares(model.prevalence_strength * model.prior, counts.opening)
    mean, worth = model.refresh_prior
    refresh = (worth + counts.redrawn) / (worth / mean + counts.exposure)
    with np.errstate(divide="ignore"):
        group_logs, group_copy_logs = np.log(shares), np.log(copying)
    log_prior = (
        likeness(model.strength, rows, logs)
        + likeness(model.group_strength, model.rows, group_logs)
        + likeness(a + b, copies, copy_logs)
        + likeness(model.copy_group_strength, np.array([[a, b]]) / (a + b), group_copy_logs)
        + likeness(model.prevalence_strength, model.prior, prior_logs)
        + float((worth * np.log(refresh) - worth / mean * refresh).sum())
    )
    learnt = Fit(
        logs=logs,
        group_logs=group_logs,
        copy_logs=copy_logs,
        group_copy=copying[:, 0],
        refresh=refresh,
        prior_logs=prior_logs,
        temperature=model.temperature_prior[0],
    )
    return learnt, log_prior


def _drawn(corpus: Corpus, fit: Fit) -> float:
    """The log-likelihood of how often displays were redrawn, which is the same under every state."""
    redrawn = corpus.evidence.redrawn
    return float((redrawn * np.log(fit.refresh[: len(redrawn)])).sum())


def _with(fit: Fit, trace: tuple[float, ...], iterations: int) -> Fit:
    return replace(fit, trace=trace, iterations=iterations)
