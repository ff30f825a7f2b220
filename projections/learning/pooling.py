"""Shares of a few labels, learnt for many voices that resemble their group.

A voice's shares C (how often it says each label under one state) resemble those of its group, c, and these what
was expected, π. Likeness is measured in utterances: the log prior is, up to a constant,

    −κ·KL(c ‖ C) for every voice,   −G0·KL(π ‖ c) for every group,

which is a Dirichlet(κ·c) as a density over log-shares, with Stirling's formula for its normalising constant. After
counts n a voice's best shares are C = (κ·c + n) / (κ + Σn). With these put in, the objective in c is a sum of
h(x) = (x + n)·ln(x + n) − x·ln x at x = κ·c; h is convex in ln x, so its tangent there is a lower bound, and

    c ∝ G0·π + Σ κc·ln(1 + n/κc)

never lowers the objective. (The same bound, with ln for digamma, as Minka's (2000, "Estimating a Dirichlet
distribution") for a Dirichlet-multinomial of known strength.) So a voice's few counts speak for its group one by
one, its many only as much as ln n: who says much does not drown the others.
"""

from __future__ import annotations

import numpy as np

from projections.learning.evidence import Floats, Ints


def group_shares(
    counts: Floats, group: Ints, shares: Floats, strength: float, prior: Floats, prior_strength: float
) -> Floats:
    """The groups' shares (groups, ..., labels) after one step up from ``shares``.

    ``counts`` (voices, ..., labels) ≥ 0; ``group`` (voices,); ``prior`` like ``shares``, both 0 at most where no
    voice of the group has counts. ``prior_strength`` = inf keeps the prior.
    """
    if np.isinf(prior_strength):
        return prior
    base = strength * shares[group]
    spoken = base * np.log1p(np.divide(counts, base, out=np.zeros_like(base), where=base > 0))
    order = np.argsort(group, kind="stable")
    present, start = np.unique(group[order], return_index=True)
    total = prior_strength * prior
    if len(present):
        total[present] += np.add.reduceat(spoken[order], start, axis=0)
    return np.asarray(total / total.sum(axis=-1, keepdims=True))


def best_logs(prior: Floats, counts: Floats) -> Floats:
    """ln of the best shares over the last axis; ``prior`` is κ·c. −inf for a share that cannot be."""
    alpha = prior + counts
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(alpha / alpha.sum(axis=-1, keepdims=True)))


def likeness(strength: float, prior: Floats, logs: Floats) -> float:
    """−strength·Σ KL(prior ‖ exp(logs)) over the last axis, summed over all others; 0 for fixed shares."""
    if np.isinf(strength):
        return 0.0
    prior = np.broadcast_to(prior, logs.shape)
    likely = prior > 0
    apart = np.log(prior, out=np.zeros(logs.shape), where=likely) - np.where(likely, logs, 0.0)
    return float(-strength * (prior * apart).sum())
