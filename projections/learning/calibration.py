"""How far to trust the evidence: one temperature, fitted on what analysts ruled.

After learning, the logs of all evidence (observations and displays, not the motion and not rulings) are divided
by a temperature T: above 1 it softens beliefs, below 1 it sharpens them ("temperature scaling", Guo et al. 2017,
here on evidence rather than on finished beliefs, so that a filter stays a filter). Tempering while learning does
harm, so it comes after.

A ruling scores the belief that there would be without the rulings on its spot. T minimises

    −Σ ln P(what was ruled is so) + worth/2 · (ln T − ln default)²,

so a few rulings hardly move it from its declared default.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from projections.learning.corpus import Corpus
from projections.learning.em import infer
from projections.learning.model import Fit, Model

DEFAULT = 1.0
"""The temperature where nothing was ruled (an assumption)."""
WORTH = 20.0
"""How strongly ln T is held at ``DEFAULT``: the precision of a normal prior (an assumption)."""
RANGE = (0.2, 20.0)
"""Temperatures that are considered."""
LEAST = 1e-6
"""A ruled-out probability under it counts as it: one astonishing ruling must not decide alone."""


def calibrated(corpus: Corpus, model: Model, fit: Fit, default: float = DEFAULT, worth: float = WORTH) -> Fit:
    """``fit`` with the temperature that the rulings ask for; ``default`` where there are none."""
    if not len(corpus.judged_step):
        return replace(fit, temperature=default)
    unruled = _without_rulings(corpus)

    def loss(log_temperature: float) -> float:
        beliefs = infer(unruled, model, fit, math.exp(log_temperature)).smoothed[corpus.judged_step]
        p = np.maximum((beliefs * corpus.judged_states).sum(axis=1), LEAST)
        return float(-np.log(p).sum() + worth / 2 * (log_temperature - math.log(default)) ** 2)

    found = minimize_scalar(
        loss, bounds=tuple(map(math.log, RANGE)), method="bounded", options={"xatol": 0.01}
    )
    return replace(fit, temperature=float(math.exp(found.x)))


def _without_rulings(corpus: Corpus) -> Corpus:
    """The spots that were ruled on, without what was ruled."""
    fixed = corpus.fixed.copy()
    fixed[np.isin(corpus.spot, corpus.spot[corpus.judged_step])] = 0.0
    return replace(corpus, fixed=fixed)
