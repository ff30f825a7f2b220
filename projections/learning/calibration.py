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
from collections.abc import Callable
from dataclasses import replace
from functools import partial, reduce
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from projections.learning.corpus import Corpus
from projections.learning.em import infer
from projections.learning.gaps import Gaps
from projections.learning.model import Fit, Model
from projections.learning.slots import added

RANGE = (0.2, 20.0)
"""Temperatures that are considered."""
LEAST = 1e-6
"""A ruled-out probability under it counts as it: one astonishing ruling must not decide alone."""


class Ruled(NamedTuple):
    """The spots of a corpus that were ruled on, without what was ruled."""

    corpus: Corpus
    gaps: Gaps

    @classmethod
    def of(cls, corpus: Corpus, model: Model) -> Ruled:
        part = corpus.part(np.unique(corpus.spot[corpus.judged_step]))
        part = replace(part, fixed=np.zeros_like(part.fixed))
        return cls(part, Gaps.of(part, model.motion))

    def surprise(self, model: Model, fit: Fit, temperature: float) -> float:
        """−Σ ln P(what was ruled is so) under a temperature: a sum over slots, as counts are."""
        corpus = self.corpus
        beliefs = infer(corpus, model, fit, temperature, self.gaps).smoothed[corpus.judged_step]
        p = reduce(np.add, (beliefs * corpus.judged_states).T)
        slot = corpus.slot[corpus.spot[corpus.judged_step]]
        return added(np.bincount(slot, -np.log(np.maximum(p, LEAST)), corpus.slots).astype(np.float64))


def calibrated(corpus: Corpus, model: Model, fit: Fit) -> Fit:
    """``fit`` with the temperature that the rulings of the corpus ask for; the model's default without any.

    Rulings are scored in hindsight (smoothed). ``ValueError`` where corpus and model do not belong together.
    """
    ruled = Ruled.of(corpus, model) if len(corpus.judged_step) else None
    return tempered(model, fit, partial(ruled.surprise, model, fit) if ruled else None)


def tempered(model: Model, fit: Fit, surprise: Callable[[float], float] | None) -> Fit:
    """``calibrated`` by rulings that are elsewhere: all that is asked is how surprising they are under a temperature.
    None: nothing was ruled."""
    default, worth = model.temperature_prior
    if surprise is None:
        return replace(fit, temperature=default)

    def loss(log_temperature: float) -> float:
        held = worth / 2 * (log_temperature - math.log(default)) ** 2
        return surprise(math.exp(log_temperature)) + held

    lo, hi = map(math.log, RANGE)
    found = minimize_scalar(loss, bounds=(lo, hi), method="bounded", options={"xatol": 0.01})
    return replace(fit, temperature=float(math.exp(found.x)))
