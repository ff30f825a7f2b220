"""Dawid and Skene's estimator of who is right and how reliable everybody is, for claims on static objects.

A. P. Dawid and A. M. Skene, "Maximum likelihood estimation of observer error-rates using the EM algorithm",
Applied Statistics 28 (1979), 20–28. Written over arrays: a round of EM takes two scattered sums.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

ROUNDS = 50
#: EM ends when no posterior moved by more.
STILL = 1e-6


class Fit(NamedTuple):
    """``posterior`` (objects, states); ``confusion`` (sources, true state, said state); ``prior`` (states,)."""

    posterior: Floats
    confusion: Floats
    prior: Floats

    def believe(self, sources: Indices, said: Indices) -> Floats:
        """The posterior of one object from its claims, shape (states,)."""
        return normalised(np.log(self.prior) + np.log(self.confusion[sources, :, said]).sum(axis=0))


def dawid_skene(
    objects: Indices, sources: Indices, said: Indices, shape: tuple[int, int, int], smoothing: float = 0.01
) -> Fit:
    """Fit to claims given as three arrays of the same length: claim n is that object ``objects[n]`` is in state
    ``said[n]``, by ``sources[n]``. ``shape`` counts (objects, sources, states).

    It begins with the shares of the votes, as Dawid and Skene do; an object without a claim is given the prior.
    ``smoothing`` pseudo-counts are added to every cell (0: maximum likelihood, which can divide by 0).
    """
    many, voices, states = shape
    votes = np.zeros((many, states))
    np.add.at(votes, (objects, said), 1.0)
    posterior = (votes + 1e-9) / (votes + 1e-9).sum(axis=1, keepdims=True)
    told = np.bincount(objects, minlength=many) > 0
    cell, fit = sources * states + said, None
    for _ in range(ROUNDS):
        counts = np.stack(
            [np.bincount(cell, posterior[objects, k], minlength=voices * states) for k in range(states)]
        )
        confusion = counts.reshape(states, voices, states).transpose(1, 0, 2) + smoothing
        confusion = confusion / confusion.sum(axis=2, keepdims=True)
        prior = posterior[told].sum(axis=0) + smoothing
        prior = prior / prior.sum()
        logs = np.log(confusion)[sources, :, said]
        summed = [np.bincount(objects, logs[:, k], minlength=many) for k in range(states)]
        after = normalised(np.log(prior) + np.stack(summed, axis=1))
        moved, posterior = np.abs(after - posterior).max(initial=0.0), after
        fit = Fit(posterior, confusion, prior)
        if moved <= STILL:
            break
    assert fit is not None
    return fit


def normalised(logs: Floats) -> Floats:
    """Rows of logarithms as probabilities."""
    p = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(p / p.sum(axis=-1, keepdims=True))
