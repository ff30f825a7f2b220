"""Anchored EM: what the states were, and how each voice speaks under them, learnt from each other.

Expectation: one pass of forward-backward over all spots under what is known of the voices (``expectation``).
Maximisation: counts and prior in closed form (``pooling`` for what is said, copied and prevalent, a Gamma for
how often displays are redrawn). This is Dawid & Skene (1979) by the EM of Dempster, Laird & Rubin (1977), with a
prior, copying, displays and motion. The objective is the log posterior over log-shares and log-rates; no iteration
lowers it. Learning starts from the prior rows, never from saturated beliefs. Only expectation asks for the spots,
which may lie elsewhere (``notes``): maximisation needs nothing but what it counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from projections.learning.corpus import Corpus
from projections.learning.evidence import Floats
from projections.learning.expectation import Counts, believe, expect, read
from projections.learning.gaps import Gaps
from projections.learning.model import Fit, Model
from projections.learning.pooling import best_logs, group_shares, likeness

ITERATIONS = 25
"""At most so many iterations (an assumption)."""
SETTLED = 1e-4
"""Learning ends when an iteration raised the objective by less than this per spot (an assumption)."""


class Belief(NamedTuple):
    """``filtered`` and ``smoothed`` (steps, K): P(state | evidence up to the step; all of the spot's)."""

    filtered: Floats
    smoothed: Floats
    loglik: float


def fit(corpus: Corpus, model: Model, start: Fit | None = None, iterations: int = ITERATIONS) -> Fit:
    """Learn from a corpus, beginning with ``start`` or, without one, with the prior rows.

    ``start`` may know fewer voices than the model: the others begin as their groups. Raises ``ValueError`` where
    corpus, model and start do not belong together.
    """
    model.check(corpus)
    gaps = Gaps.of(corpus, model.motion)
    return learn(lambda fit: expect(corpus, gaps, fit), model, corpus.spots, start, iterations)


def learn(
    expected_under: Callable[[Fit], Counts],
    model: Model,
    spots: int,
    start: Fit | None = None,
    iterations: int = ITERATIONS,
) -> Fit:
    """``fit`` from so many spots that are elsewhere: all that is asked of them is what to expect under a fit."""
    fitted = expected(model) if start is None else start.grown(model)
    trace: list[float] = []
    done = 0
    while done < iterations:
        counts = expected_under(fitted)
        trace.append(counts.loglik + _log_prior(model, fitted))
        if len(trace) > 1 and trace[-1] - trace[-2] < SETTLED * spots:
            break
        fitted = _maximise(model, counts, fitted)
        done += 1
    return replace(fitted, trace=tuple(trace), iterations=done, temperature=model.temperature_prior[0])


def infer(
    corpus: Corpus,
    model: Model,
    fit: Fit,
    temperature: float | None = None,
    gaps: Gaps | None = None,
    *,
    smooth: bool = True,
) -> Belief:
    """Beliefs under what was learnt, its evidence tempered; ``temperature`` is the fit's own where None.

    Divided by it are the logs of observations and displays and of what was learnt of the prevalence; not the
    motion, the prior and rulings. The fit may know fewer voices than the model. Without ``smooth`` both beliefs are
    the filtered ones. ``gaps`` spares sorting those of the corpus again. Raises ``ValueError`` where corpus, model and
    fit do not belong together.
    """
    model.check(corpus)
    fit = fit.grown(model)
    power = 1 / (fit.temperature if temperature is None else temperature)
    prior_logs = np.log(model.prior)
    prior = np.exp(prior_logs + power * (fit.prior_logs - prior_logs))
    gaps = gaps or Gaps.of(corpus, model.motion)
    found = believe(corpus, gaps, read(corpus, fit), prior / prior.sum(), power, smooth=smooth)
    return Belief(found.filtered, found.smoothed, float(found.log_scale.sum()))


def expected(model: Model) -> Fit:
    """What is known before anything is learnt: every voice speaks as its group is expected to."""
    voices, groups = len(model.group), len(model.rows)
    with np.errstate(divide="ignore"):
        rows = np.log(model.rows)
    return Fit(
        logs=rows[model.group],
        group_logs=rows,
        copy_logs=np.tile(np.log(model.copying), (voices, 1)),
        group_copy=np.full(groups, model.copying[0]),
        refresh=np.full(voices, model.refresh_prior[0]),
        prior_logs=np.log(model.prior),
        temperature=model.temperature_prior[0],
    )


def _maximise(model: Model, counts: Counts, before: Fit) -> Fit:
    """What is best after the counts; the groups' shares take one step up from ``before``."""
    worth = sum(model.copy_prior)
    copied = np.stack([before.group_copy, 1 - before.group_copy], axis=1)
    copying = np.broadcast_to(model.copying, copied.shape)
    copied = group_shares(counts.copies, model.group, copied, worth, copying, model.copy_group_strength)
    shares = group_shares(
        counts.labels,
        model.group,
        np.exp(before.group_logs),
        model.strength,
        model.rows,
        model.group_strength,
    )
    prior_logs = before.prior_logs
    if np.isfinite(model.prevalence_strength):
        prior_logs = best_logs(model.prevalence_strength * model.prior, counts.opening)
    mean, redrawings = model.refresh_prior
    with np.errstate(divide="ignore"):
        group_logs = np.log(shares)
    return Fit(
        logs=best_logs(model.strength * shares[model.group], counts.labels),
        group_logs=group_logs,
        copy_logs=best_logs(worth * copied[model.group], counts.copies),
        group_copy=copied[:, 0],
        refresh=(redrawings + counts.redrawn) / (redrawings / mean + counts.exposure),
        prior_logs=prior_logs,
    )


def _log_prior(model: Model, fit: Fit) -> float:
    """The log density of what is known, up to a constant."""
    copied = np.stack([fit.group_copy, 1 - fit.group_copy], axis=1)
    with np.errstate(divide="ignore"):
        copied_logs = np.log(copied)
    mean, redrawings = model.refresh_prior
    refreshed = redrawings * (np.log(fit.refresh / mean) - fit.refresh / mean)
    return (
        likeness(model.strength, np.exp(fit.group_logs)[model.group], fit.logs)
        + likeness(model.group_strength, model.rows, fit.group_logs)
        + likeness(sum(model.copy_prior), copied[model.group], fit.copy_logs)
        + likeness(model.copy_group_strength, model.copying, copied_logs)
        + likeness(model.prevalence_strength, model.prior, fit.prior_logs)
        + float(refreshed.sum())
    )
