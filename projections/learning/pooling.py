"""Shares of a few labels, learnt for many voices that resemble their group: hierarchical Dirichlet pooling.

    shares of the group ~ Dir(G0·prior),     shares of a voice ~ Dir(κ·shares of its group)

Given counts n of a voice, its shares are Dir(κ·c + n) about the group's c. The voices' shares integrate out, and
the group's rise by Minka's (2000, "Estimating a Dirichlet distribution") fixed point for a Dirichlet-multinomial of
known strength, a lower bound that touches, so no step ever lowers the objective: a voice's counts speak for the
group as far as κ lets them, n·(ψ(κc + n) − ψ(κc)) → n for few counts, growing with ln n for many.
"""

from __future__ import annotations

import numpy as np
from scipy.special import digamma, gammaln

from projections.learning.corpus import Floats, Ints


def group_shares(
    counts: Floats, group: Ints, shares: Floats, strength: float, prior: Floats, prior_strength: float
) -> Floats:
    """The groups' shares (groups, ..., labels) after one step up from ``shares``.

    ``counts`` (voices, ..., labels), ``prior`` like ``shares``. ``prior_strength`` = inf keeps the prior.
    """
    if np.isinf(prior_strength):
        return prior
    base = strength * shares[group]
    with np.errstate(invalid="ignore"):
        spoken = base * (digamma(base + counts) - digamma(base))
    spoken[base == 0] = 0.0
    total = prior_strength * prior
    np.add.at(total, group, spoken)
    return np.asarray(total / total.sum(axis=-1, keepdims=True))


def mean_log(alpha: Floats) -> Floats:
    """E ln of shares ~ Dir(alpha) over the last axis; −inf for a share that cannot be."""
    with np.errstate(divide="ignore"):
        return np.asarray(digamma(alpha) - digamma(alpha.sum(axis=-1, keepdims=True)))


def divergence(alpha: Floats, counts: Floats, logs: Floats) -> float:
    """Σ KL(Dir(alpha + counts) ‖ Dir(alpha)), where ``logs`` are E ln under the former."""
    with np.errstate(invalid="ignore"):
        cross = np.where(counts > 0, counts * logs, 0.0).sum()
    return float(cross + _log_beta(alpha) - _log_beta(alpha + counts))


def _log_beta(alpha: Floats) -> float:
    with np.errstate(invalid="ignore"):
        each = np.where(alpha > 0, gammaln(alpha), 0.0)
    return float(each.sum() - gammaln(alpha.sum(axis=-1)).sum())
