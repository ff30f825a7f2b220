"""How states change by themselves: a continuous-time Markov chain with a fixed generator.

``Q[i, j]`` is the rate (per day) of going from state i to j, rows sum to 0, and over ``dt`` days the
transition matrix is ``A(dt) = expm(Q·dt)``. Beliefs are row vectors: ``next = now @ A(dt)``. While standing
sources display something, ``Q − diag(rates)`` takes Q's place (the "sticky display": looked at again and not
redrawn is evidence); its matrix no longer conserves probability, what is lost is the display's likelihood.

The generator built from ``Params`` is reversible (detailed balance), so a diagonal scaling makes it
symmetric, subtracting a diagonal keeps it so, and one symmetric eigendecomposition serves every ``dt``. A
generator that is not reversible is accepted and goes through scaling and squaring instead (both are among
the methods in Moler & Van Loan 2003).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from operator import mul
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.belief.labels import States
from projections.belief.params import Params

Matrix = NDArray[np.float64]
Rates = tuple[float, ...]
"""A rate per day for each state, finite and not negative; ``()`` where no display is in force."""

TINY = 1e-300
"""Stands in for a probability that rounding has made 0 or negative, so that logs stay finite."""

_CACHED = 1 << 14
_SHORT = 64


def generator(states: States, params: Params) -> Matrix:
    """Q for the states of a question, shape (states, states), per day. The sojourns are assumptions.

    A party holds for ``sojourn_held`` days on average and then gives way to a contest with probability
    ``leaves_to_contested``, else to another party (each alike); a contest ends with any party alike. In a
    question without parties every state holds for ``sojourn_held`` and gives way to any other alike.
    """
    n, parties = len(states), len(states.parties)
    jumps = np.ones((n, n))
    leaving = np.full((n, 1), 1 / params.sojourn_held)
    if states.contested is not None:
        leaving[-1] = 1 / params.sojourn_contested
        if parties > 1:
            jumps[:parties, :parties] = (1 - params.leaves_to_contested) / (parties - 1)
            jumps[:parties, -1] = params.leaves_to_contested
    np.fill_diagonal(jumps, 0.0)
    total = jumps.sum(axis=1, keepdims=True)
    flow = leaving * np.divide(jumps, total, out=np.zeros_like(jumps), where=total > 0)
    return np.asarray(flow - np.diag(flow.sum(axis=1)))


@lru_cache(maxsize=256)
def motion(states: States, params: Params) -> Motion:
    """The motion of a question's states; shared, since its caches are worth sharing."""
    return Motion(generator(states, params))


class _Basis(NamedTuple):
    """Q − diag(rates) = U·diag(values + shift)·W, as columns and rows for sums in plain Python."""

    values: tuple[float, ...]
    shift: float
    u: Matrix
    w: Matrix
    u_rows: tuple[tuple[float, ...], ...]
    u_columns: tuple[tuple[float, ...], ...]
    w_rows: tuple[tuple[float, ...], ...]
    w_columns: tuple[tuple[float, ...], ...]


class Motion:
    """A generator with its transition matrices; immutable but for its caches.

    Raises ``ValueError`` when ``generator`` is not a square matrix of finite rates whose rows sum to 0.
    """

    def __init__(self, generator: Matrix) -> None:
        q = np.array(generator, dtype=np.float64)
        if q.ndim != 2 or q.shape[0] != q.shape[1] or not q.size or not np.isfinite(q).all():
            raise ValueError("a generator is a square matrix of finite rates")
        off = q - np.diag(np.diag(q))
        if (off < 0).any() or not np.allclose(q.sum(axis=1), 0.0, atol=1e-9 * max(1.0, np.abs(q).max())):
            raise ValueError("a generator has rates of 0 or more off its diagonal, and rows that sum to 0")
        q.setflags(write=False)
        self.generator = q
        self.size = len(q)
        self.static = not off.any()
        """Nothing ever changes: logs of beliefs then need no matrix, and no precision is lost."""
        self._weights = _detailed_balance(q)
        self._bases: dict[Rates, _Basis] = {}
        self._matrices: dict[tuple[Rates, int], tuple[Matrix, float]] = {}
        self._columns: dict[tuple[Rates, int, bool], tuple[tuple[float, ...], ...]] = {}

    @property
    def weights(self) -> Matrix | None:
        """The weights of detailed balance, shape (states,); None where there are none."""
        return self._weights

    @property
    def reversible(self) -> bool:
        """Whether detailed balance holds, so that the eigendecomposition is used."""
        return self._weights is not None

    def A(self, dt: int, rates: Rates = ()) -> Matrix:  # noqa: N802 - the name it has in the literature
        """expm((Q − diag(rates))·dt), shape (states, states). ``dt`` in days, 0 or more.

        Underflows where a display has been wrong for very long; ``scaled`` does not.
        """
        matrix, log_scale = self.scaled(dt, rates)
        return matrix if log_scale == 0.0 else matrix * math.exp(log_scale)

    def scaled(self, dt: int, rates: Rates = ()) -> tuple[Matrix, float]:
        """``(M, c)`` with ``A(dt, rates) = M·exp(c)`` and M of ordinary size, read-only, entries above 0."""
        found = self._matrices.get((rates, dt))
        if found is None:
            if dt < 0:
                raise ValueError("time does not run backwards")
            if len(self._matrices) >= _CACHED:
                self._matrices.clear()
            found = self._matrices[rates, dt] = self._scaled(dt, rates)
        return found

    def forward(self, belief: Sequence[float], dt: int, rates: Rates = ()) -> list[float]:
        """``belief @ A(dt, rates)`` made to sum to 1: one look-up's motion, a few microseconds."""
        return _distribution(self.carry(belief, dt, rates))

    def backward(self, likelihood: Sequence[float], dt: int, rates: Rates = ()) -> list[float]:
        """``A(dt, rates) @ likelihood`` made to sum to 1: what is seen later, as it speaks about now."""
        return _distribution(self.carry(likelihood, dt, rates, back=True))

    def carry(self, vector: Sequence[float], dt: int, rates: Rates, *, back: bool = False) -> list[float]:
        """``vector @ A`` or, ``back``, ``A @ vector``, up to a factor; above 0, in plain Python for speed.

        Short steps recur, so their matrices are kept; a long one goes through the eigenvectors without one.
        """
        values = self._carried(vector, dt, rates, back)
        return values if min(values) > 0.0 else [max(v, TINY) for v in values]

    def forward_each(self, beliefs: Matrix, days: NDArray[np.int64]) -> Matrix:
        """``forward`` of many beliefs, shape (many, states), each by its own days and without displays: the same
        numbers to the last bit, since they are added up in the same order."""
        out = np.empty_like(beliefs)
        for dt in np.unique(days).tolist():
            some = days == dt
            values = np.array(self._carried(list(beliefs[some].T), dt, (), back=False))
            low = values.min(axis=0) <= 0.0
            values[:, low] = np.maximum(values[:, low], TINY)
            out[some] = (values / sum(values[1:], values[0])).T
        return out

    def _carried(self, vector: Sequence[Any], dt: int, rates: Rates, back: bool) -> list[Any]:
        """``carry`` before rounding is made good; of one vector, or of many at once, an array for each state."""
        if dt <= _SHORT or self._weights is None:
            found = self._columns.get((rates, dt, back))
            if found is None:
                matrix = self.scaled(dt, rates)[0]
                if len(self._columns) >= _CACHED:
                    self._columns.clear()
                found = self._columns[rates, dt, back] = _rows(matrix if back else matrix.T)
            return _dots(vector, found)
        basis = self._basis(rates)
        into, out_of = (basis.w_rows, basis.u_rows) if back else (basis.u_columns, basis.w_columns)
        decays = [math.exp(value * dt) for value in basis.values]
        return _dots(list(map(mul, decays, _dots(vector, into))), out_of)

    def _scaled(self, dt: int, rates: Rates) -> tuple[Matrix, float]:
        if dt == 0:
            matrix, log_scale = np.eye(self.size), 0.0
        elif self._weights is None:
            # Taking the smallest rate out first keeps the exponential from underflowing altogether.
            self._check(rates)
            least = min(rates, default=0.0)
            left = np.subtract(rates, least) if rates else np.zeros(self.size)
            matrix, log_scale = _expm((self.generator - np.diag(left)) * dt), -least * dt
            if not left.any():
                matrix = matrix / matrix.sum(axis=1, keepdims=True)  # squaring doubles what rounding has lost
        else:
            basis = self._basis(rates)
            matrix = (basis.u * np.exp(np.asarray(basis.values) * dt)) @ basis.w
            log_scale = basis.shift * dt
        if dt and not self.static:
            matrix = np.maximum(matrix, TINY)
        matrix.setflags(write=False)
        return matrix, log_scale

    def _check(self, rates: Rates) -> None:
        if len(rates) not in (0, self.size) or not all(0 <= r < math.inf for r in rates):
            raise ValueError(f"a display has {self.size} finite rates of 0 or more, not {rates}")

    def _basis(self, rates: Rates) -> _Basis:
        """The eigendecomposition for these rates, through the symmetric D½·Q·D⁻½."""
        known = self._bases.get(rates)
        if known is not None:
            return known
        assert self._weights is not None
        self._check(rates)
        root = np.sqrt(self._weights)
        symmetric = self.generator * root[:, None] / root[None, :]
        symmetric = (symmetric + symmetric.T) / 2
        if rates:
            symmetric -= np.diag(rates)
        values, vectors = np.linalg.eigh(symmetric)
        # Without displays the largest eigenvalue is 0 but for rounding, and the rows sum to 1 as they are.
        shift = float(values[-1]) if rates else 0.0
        u, w = vectors / root[:, None], vectors.T * root[None, :]
        if len(self._bases) >= _CACHED:
            self._bases.clear()
        basis = _Basis(
            tuple((values - shift).tolist()), shift, u, w, _rows(u), _rows(u.T), _rows(w), _rows(w.T)
        )
        self._bases[rates] = basis
        return basis


def _dots(vector: Sequence[Any], rows: tuple[tuple[float, ...], ...]) -> list[Any]:
    """The product of a vector with each row; written out for two parties, where nearly all time is spent."""
    if len(rows) == 3:
        x, y, z = vector
        return [x * a + y * b + z * c for a, b, c in rows]
    return [sum(map(mul, vector, row)) for row in rows]


def _distribution(values: list[float]) -> list[float]:
    total = sum(values)
    return [v / total for v in values]


def _rows(matrix: Matrix) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def _detailed_balance(q: Matrix) -> Matrix | None:
    """Weights w with w[i]·Q[i, j] = w[j]·Q[j, i] for all i, j; None when there are none."""
    if ((q > 0) != (q.T > 0)).any():
        return None
    weights = np.zeros(len(q))
    for root in range(len(q)):
        if weights[root]:
            continue
        weights[root], reached = 1.0, [root]
        for i in reached:
            for j in np.flatnonzero(q[i] > 0):
                if not weights[j]:
                    weights[j] = weights[i] * q[i, j] / q[j, i]
                    reached.append(int(j))
    flow = weights[:, None] * q
    return weights if np.allclose(flow, flow.T, rtol=1e-12, atol=0.0) else None


def _expm(m: Matrix) -> Matrix:
    """The matrix exponential: a Taylor series of M/2^k, whose norm is at most ½, squared k times."""
    norm = float(np.abs(m).sum(axis=1).max())
    squarings = max(0, math.ceil(math.log2(norm / 0.5))) if norm > 0.5 else 0
    small = m / 2.0**squarings
    term = result = np.eye(len(m))
    for order in range(1, 19):
        term = term @ small / order
        result = result + term
    for _ in range(squarings):
        result = result @ result
    return result
