"""What happens between the steps of a spot: the state moves, and displays stay up.

While displays that give themselves away at ``rates`` (one for each state) are in force, time passes by
G = Q − diag(rates) ("sticky display"), and A(dt) = expm(G·dt). A reversible Q (detailed balance) makes G similar
to a symmetric matrix, so one batched eigendecomposition serves all distinct sets of displays and every dt; any
other Q goes through ``scipy.linalg.expm``.

The expected time that the state spends in z during a gap, given what is known on both sides of it, is

    E[T_z] = Σ_ij α_i [∫ expm(G·s)_iz expm(G·(dt − s))_zj ds] b_j / (α A b)

(Hobolth & Jensen 2005, with their eigenvalue integrals); it is what tells how often a display was silently redrawn.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import expm

from projections.belief.motion import Motion
from projections.learning.corpus import Corpus
from projections.learning.evidence import Floats, Ints
from projections.learning.scan import Cut, Moves

TINY = 1e-100
"""Stands in for a probability of change that rounding has made 0 or negative."""


class Gaps(NamedTuple):
    """The gaps of a corpus, sorted into kinds: number 0 is no gap but the first step of a spot.

    ``kind`` (steps,); ``combination`` and ``dt`` (kinds − 1,): what is displayed in a kind of gap, and how long.
    ``shown`` (n,): the steps before which something is displayed; ``used`` the kinds of these, and ``at`` (n,) which of
    them each is. ``cut``: how a scan goes about the steps.
    """

    motion: Motion
    kind: Ints
    combination: Ints
    dt: Floats
    shown: Ints
    used: Ints
    at: Ints
    cut: Cut | None

    @classmethod
    def of(cls, corpus: Corpus, motion: Motion) -> Gaps:
        dt, combination = corpus.gap, corpus.evidence.combination
        many = int(combination.max(initial=0)) + 1
        found, kind = np.unique(dt * many + combination, return_inverse=True)
        kind = kind.reshape(-1)
        if not len(found) or found[0] != 0:
            found, kind = np.concatenate([[0], found]), kind + 1
        shown = np.flatnonzero(combination)
        # A gap is days long, so kind 0 is the first steps of spots and nothing else.
        cut = None if motion.static else Cut.of(kind)
        used, at = np.unique(kind[shown] - 1, return_inverse=True)
        days = (found[1:] // many).astype(np.float64)
        return cls(motion, kind, found[1:] % many, days, shown, used, at.reshape(-1), cut)

    def moves(self, rates: Floats, prior: Floats) -> Moves:
        """The matrices of all kinds; ``rates`` (combinations, states): how fast displays give themselves away."""
        size = self.motion.size
        matrices, scale = np.empty((len(self.dt) + 1, size, size)), np.zeros(len(self.dt) + 1)
        matrices[0] = prior
        if len(self.dt):
            matrices[1:], scale[1:] = self._matrices(rates)
        return Moves(self.kind, np.maximum(matrices, TINY), scale)

    def quiet(self, rates: Floats) -> Floats:
        """Where nothing ever moves: the log-likelihood that displays stayed up until each step, (steps, states)."""
        log = np.zeros((len(self.dt) + 1, self.motion.size))
        log[1:] = -rates[self.combination] * self.dt[:, None]
        return np.asarray(log[self.kind])

    def occupied(self, rates: Floats, entering: Floats, leaving: Floats) -> Floats:
        """The expected time in each state during each of the gaps before ``shown``, shape (n, states).

        ``entering`` (n, states): beliefs at the start of the gap; ``leaving``: likelihoods at its end.
        """
        kind = self.kind[self.shown] - 1
        dt, combination = self.dt[kind], self.combination[kind]
        if not self.motion.reversible:
            return self._occupied_by_blocks(rates, entering, leaving)
        values, u, w = self._bases(rates)
        values = values - values.max(axis=1, keepdims=True)
        integral = _integrals(values[self.combination[self.used]], self.dt[self.used])
        u, w, integral = (
            np.ascontiguousarray(one.transpose(1, 2, 0)).take(where, axis=2)
            for one, where in ((u, combination), (w, combination), (integral, self.at))
        )
        return _scaled(_spent(entering, u, integral, w, leaving), dt)

    def _matrices(self, rates: Floats) -> tuple[Floats, Floats]:
        """expm((Q − diag(rates))·dt) for every kind, as (kinds, states, states) and the log of a factor."""
        if self.motion.reversible:
            values, u, w = self._bases(rates)
            top = values.max(axis=1)
            powers = np.exp((values - top[:, None])[self.combination] * self.dt[:, None])
            left, right = u[self.combination] * powers[:, None, :], w[self.combination]
            matrices = _summed(left[:, :, a, None] * right[:, a, None, :] for a in range(self.motion.size))
            scale = np.where(self.combination > 0, top[self.combination] * self.dt, 0.0)
        else:
            least = rates.min(axis=1)
            left = rates - least[:, None]
            generators = self.motion.generator - left[:, :, None] * np.eye(self.motion.size)
            matrices = expm(generators[self.combination] * self.dt[:, None, None])
            scale = -least[self.combination] * self.dt
        plain = self.combination == 0
        matrices[plain] /= matrices[plain].sum(axis=2, keepdims=True)
        return matrices, scale

    def _bases(self, rates: Floats) -> tuple[Floats, Floats, Floats]:
        """Q − diag(rates) = U·diag(values)·W of every combination, through the symmetric D½·Q·D⁻½."""
        assert self.motion.weights is not None
        root = np.sqrt(self.motion.weights)
        symmetric = self.motion.generator * root[:, None] / root
        symmetric = (symmetric + symmetric.T) / 2 - rates[:, :, None] * np.eye(self.motion.size)
        values, vectors = np.linalg.eigh(symmetric)
        return values, vectors / root[:, None], np.swapaxes(vectors, 1, 2) * root

    def _occupied_by_blocks(self, rates: Floats, entering: Floats, leaving: Floats) -> Floats:
        """The same for a Q without detailed balance: Van Loan's (1978) block exponential, state by state."""
        size, kind = self.motion.size, self.kind[self.shown] - 1
        used, at = self.used, self.at
        left = (rates - rates.min(axis=1, keepdims=True))[self.combination[used]]
        generators = self.motion.generator - left[:, :, None] * np.eye(size)
        time = np.empty_like(entering)
        for z in range(size):
            block = np.zeros((len(used), 2 * size, 2 * size))
            block[:, :size, :size] = block[:, size:, size:] = generators
            block[:, z, size + z] = 1.0
            integral = expm(block * self.dt[used, None, None])[:, :size, size:]
            terms = entering[:, :, None] * integral[at] * leaving[:, None, :]
            time[:, z] = _summed(terms.reshape(len(terms), -1).T)
        return _scaled(time, self.dt[kind])


def _spent(entering: Floats, u: Floats, integral: Floats, w: Floats, leaving: Floats) -> Floats:
    """Σ α_i·U_ia·W_az·I_ab·U_zb·W_bj·b_j, (n, states) by z; ``u``, ``w``, ``integral`` (states, states, n)."""
    states = range(entering.shape[1])
    into, out = np.ascontiguousarray(entering.T), np.ascontiguousarray(leaving.T)
    left = [_summed(into[i] * u[i, a] for i in states) for a in states]
    right = [_summed(w[b, j] * out[j] for j in states) for b in states]
    core = [[left[a] * integral[a, b] * right[b] for b in states] for a in states]
    return np.stack(
        [_summed(w[a, z] * _summed(core[a][b] * u[z, b] for b in states) for a in states) for z in states],
        axis=1,
    )


def _scaled(time: Floats, dt: Floats) -> Floats:
    """Shares made days; rounding may have left some below 0."""
    time = np.maximum(time, 0.0)
    return np.asarray(time * (dt / _summed(time.T))[:, None])


def _summed(terms: Iterable[Floats]) -> Floats:
    """One after the other: numpy's own sums along an axis hang on how many rows there are."""
    return reduce(np.add, terms)


def _integrals(values: Floats, dt: Floats) -> NDArray[np.float64]:
    """∫ exp(a·s)·exp(b·(dt − s)) ds over 0..dt for all pairs of eigenvalues: (n, states, states)."""
    a, b = values[:, :, None] * dt[:, None, None], values[:, None, :] * dt[:, None, None]
    # (exp(a) − exp(b)) / (a − b), written from the larger exponent so that nothing overflows or cancels.
    apart = np.abs(a - b)
    close = apart < 1e-6
    share = np.where(close, 1 - apart / 2 + apart**2 / 6, -np.expm1(-apart) / np.where(close, 1.0, apart))
    return np.asarray(np.exp(np.maximum(a, b)) * share * dt[:, None, None])
