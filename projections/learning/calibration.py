"""How far to trust the evidence: one temperature, fitted on what analysts ruled.

After learning, the logs of all evidence (see ``infer``) are divided by a temperature T: above 1 it softens
beliefs, below 1 it sharpens them ("temperature scaling", Guo et al. 2017, here of evidence rather than of finished
beliefs, so that a filter stays a filter). Tempering while learning does harm, so it comes after.

A ruling scores the belief that there would be without the rulings on its spot. T minimises

    −Σ ln P(what was ruled is so) + worth/2 · (ln T − ln default)²,

so a few rulings hardly move it from its declared default (``Model.temperature_prior``).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize_scalar

from projections.learning.corpus import Corpus
from projections.learning.em import infer
from projections.learning.model import Fit, Model

RANGE = (0.2, 20.0)
"""Temperatures that are considered."""
LEAST = 1e-6
"""A ruled-out probability under it counts as it: one astonishing ruling must not decide alone."""


def calibrated(corpus: Corpus, model: Model, fit: Fit) -> Fit:
    """``fit`` with the temperature that the rulings of the corpus ask for; the model's default without any.

    Rulings are scored in hindsight (smoothed). ``ValueError`` where corpus and model do not belong together.
    """
    default, worth = model.temperature_prior
    if not len(corpus.judged_step):
        return replace(fit, temperature=default)
    unruled = _ruled_spots(corpus)

    def loss(log_temperature: float) -> float:
        beliefs = infer(unruled, model, fit, math.exp(log_temperature)).smoothed[unruled.judged_step]
        p = np.maximum((beliefs * unruled.judged_states).sum(axis=1), LEAST)
        return float(-np.log(p).sum() + worth / 2 * (log_temperature - math.log(default)) ** 2)

    lo, hi = map(math.log, RANGE)
    found = minimize_scalar(loss, bounds=(lo, hi), method="bounded", options={"xatol": 0.01})
    return replace(fit, temperature=float(math.exp(found.x)))


def _ruled_spots(corpus: Corpus) -> Corpus:
    """The spots that were ruled on, without what was ruled."""
    ruled = corpus.part(np.unique(corpus.spot[corpus.judged_step]))
    return replace(ruled, fixed=np.zeros_like(ruled.fixed))
