"""Filter and smoother over all spots at once: forward-backward (Rabiner 1989), made for arrays.

Every spot is cut into chunks of at most ``CHUNK`` steps, and all chunks of all spots take their next step together
(a blocked parallel scan; Särkkä & García-Fernández 2021 for hidden Markov models):

1. the product of the matrices of every chunk of spots that have several, all chunks abreast;
2. the belief that enters each chunk and the likelihood that comes back into it, from chunk to chunk;
3. beliefs forward and likelihoods backward inside the chunks, all chunks abreast.

Nothing is done across spots but side by side, element by element: what is believed of a spot is the same to the last
bit whichever others are there (sums over states are written out, since numpy adds along an axis in an order of its
own).

Every step is scaled, so chains of any length and weights of any size stay finite: a state whose evidence on
one step is worse than ``FLOOR`` times the best counts as that. Where nothing ever moves, logs are summed and
nothing is floored.
"""

from __future__ import annotations

from functools import reduce
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.learning.evidence import Floats, Ints

FLOOR = 1e-200
"""The least evidence for a state on one step, relative to the best one's; keeps products above 0."""

CHUNK = 128
"""Steps of a chunk: fewer make more products of matrices, more make longer loops."""


class Moves(NamedTuple):
    """How beliefs move into each step.

    ``kind`` (steps,): which matrix; 0 is the first step of a spot. ``matrices`` (kinds, states, states): entries
    above 0, the prior in every row of number 0; ``scale`` (kinds,): the log of what they are to be multiplied with.
    """

    kind: Ints
    matrices: Floats
    scale: Floats


class Scan(NamedTuple):
    """Beliefs on every step: ``filtered`` and ``smoothed`` (steps, states), rows sum to 1.

    ``ahead`` (steps, states): the likelihood of the step and all later ones of its spot, up to a factor for each.
    ``log_scale`` (steps,): ln p(evidence on the step | evidence before it); its sum is the log-likelihood.
    """

    filtered: Floats
    smoothed: Floats
    ahead: Floats
    log_scale: Floats


class Abreast(NamedTuple):
    """Chunks side by side, the longest first, and their steps level by level: all first ones, all second ones.

    ``at`` (steps of the chunks,): where each step lies; ``edges`` (levels + 1,): where each level begins.
    ``column`` (chunks,): where each chunk lies in a level that it reaches.
    """

    at: Ints
    edges: list[int]
    column: Ints

    @classmethod
    def of(cls, size: Ints) -> Abreast:
        """Chunks of some sizes above 0, one after the other."""
        order = np.argsort(-size, kind="stable")
        column = np.empty_like(order)
        column[order] = np.arange(len(order))
        reached = len(size) - np.cumsum(np.bincount(size))[:-1]
        edges = np.concatenate([[0], np.cumsum(reached)])
        level = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        return cls(edges[level] + np.repeat(column, size), edges.tolist(), column)

    def levels(self) -> list[tuple[int, int]]:
        return list(zip(self.edges[:-1], self.edges[1:], strict=True))


class Cut(NamedTuple):
    """How the steps of some spots are cut into chunks; the same for every reading of them.

    ``spot`` and ``turn`` (chunks,): whose chunk it is, and the how manieth. ``long`` (n,): the chunks of spots with
    several, ``of_long`` (steps,) whether a step is in one of these, ``product`` how they lie while multiplied.
    """

    whole: Abreast
    long: Ints
    of_long: NDArray[np.bool_]
    product: Abreast
    rounds: list[Ints]

    @classmethod
    def of(cls, kind: Ints) -> Cut:
        """Spots begin where ``kind`` is 0."""
        steps = len(kind)
        first = np.flatnonzero(kind == 0)
        length = np.diff(np.append(first, steps))
        many = -(-length // CHUNK)
        spot = np.repeat(np.arange(len(first)), many)
        turn = np.arange(len(spot)) - np.repeat(np.cumsum(many) - many, many)
        size = np.minimum(CHUNK, length[spot] - turn * CHUNK)
        long = np.flatnonzero(many[spot] > 1)
        # In every round a spot gives its next chunk; the spots with most of them come first.
        order = np.lexsort((spot[long], -many[spot[long]], turn[long]))
        ends = np.cumsum(np.bincount(turn[long])) if len(long) else np.zeros(0, np.int64)
        of_long = np.repeat(many[spot] > 1, size)
        return cls(Abreast.of(size), long, of_long, Abreast.of(size[long]), np.split(order, ends[:-1]))


def scan(evidence: Floats, moves: Moves, cut: Cut | None = None, *, smooth: bool = True) -> Scan:
    """Beliefs under log-likelihoods ``evidence`` (steps, states); without ``smooth`` only the filtered ones.

    Every row of ``evidence`` has a finite number. What is not smoothed has ``smoothed`` = ``filtered``. ``cut`` spares
    working it out again.
    """
    steps, size = evidence.shape
    if not steps:
        return Scan(evidence, evidence, evidence, np.zeros(0))
    cut = cut or Cut.of(moves.kind)
    best = _across(np.maximum, evidence)
    likely = np.exp(evidence - best[:, None])
    np.maximum(likely, FLOOR, out=likely)
    table = np.ascontiguousarray(moves.matrices.transpose(1, 2, 0))
    e, kind = _abreast(likely, cut.whole), np.empty_like(moves.kind)
    kind[cut.whole.at] = moves.kind

    entering = np.full((size, len(cut.whole.column)), 1 / size)
    returning = np.ones_like(entering)
    if len(cut.long):
        among = np.empty(len(cut.product.at), np.int64)
        among[cut.product.at] = moves.kind[cut.of_long]
        products = _products(table, among, _abreast(likely[cut.of_long], cut.product), cut.product)
        products = np.ascontiguousarray(products[:, :, cut.product.column])
        columns = cut.whole.column[cut.long]
        _enter(products, cut.rounds, columns, entering)
        if smooth:
            _return(products, cut.rounds, columns, returning)
    alpha, total = _forward(table, kind, e, cut.whole, entering)
    filtered = _in_order(alpha, cut.whole)
    log_scale = np.log(total)[cut.whole.at] + best + moves.scale[moves.kind]
    if not smooth:
        return Scan(filtered, filtered, likely, log_scale)
    back = _in_order(_backward(table, kind, e, cut.whole, returning), cut.whole)
    smoothed = filtered * back
    smoothed /= _across(np.add, smoothed)[:, None]
    return Scan(filtered, smoothed, likely * back, log_scale)


def gather(evidence: Floats, first: Ints, prior: Floats, *, smooth: bool = True) -> Scan:
    """``scan`` where the state of a spot never changes: ``prior`` (states,) are probabilities.

    Nothing is lost by underflow, since logs are summed; ``ahead`` is ``smoothed``.
    """
    steps = len(evidence)
    if not steps:
        return Scan(evidence, evidence, evidence, np.zeros(0))
    opening = first[:-1][np.diff(first) > 0]
    logs = evidence.copy()
    logs[opening] += np.log(prior)
    if len(opening) < steps:
        _running_sums(logs, first)
    best = _across(np.maximum, logs)
    filtered = np.exp(logs - best[:, None])
    total = _across(np.add, filtered)
    filtered /= total[:, None]
    log_sum = best + np.log(total)
    log_scale = log_sum.copy()
    log_scale[1:] -= log_sum[:-1]
    log_scale[opening] = log_sum[opening]
    smoothed = filtered
    if smooth and len(opening) < steps:
        smoothed = filtered[np.repeat(first[1:] - 1, np.diff(first))]
    return Scan(filtered, smoothed, smoothed, log_scale)


def _across(operation: np.ufunc, rows: Floats) -> Floats:
    """Reduce over the states, column by column: many times faster than along rows of a few numbers."""
    return np.asarray(reduce(operation, rows.T))


def _running_sums(logs: Floats, first: Ints) -> None:
    """Sum up within each spot, in place, by doubling: exact to rounding however long the spots are."""
    steps, shift = len(logs), 1
    place = np.arange(steps) - np.repeat(first[:-1], np.diff(first))
    longest = int(place.max()) + 1
    while shift < longest:
        reached = np.flatnonzero(place >= shift)
        logs[reached] += logs[reached - shift]
        shift *= 2


# -- chunks abreast: arrays are (states, steps level by level) --------------------------------------------


def _abreast(rows: Floats, lie: Abreast) -> Floats:
    laid = np.empty((rows.shape[1], len(rows)))
    for state, column in enumerate(rows.T):
        laid[state, lie.at] = column
    return laid


def _in_order(laid: Floats, lie: Abreast) -> Floats:
    rows = np.empty(laid.shape[::-1])
    for state, column in enumerate(laid):
        rows[:, state] = column[lie.at]
    return rows


def _products(table: Floats, kind: Ints, e: Floats, lie: Abreast) -> Floats:
    """The product of matrix and evidence over each chunk, up to a factor: (states, states, chunks)."""
    size = len(e)
    whole = np.empty((size, size, len(lie.column)))
    for lo, hi in lie.levels():
        step = table.take(kind[lo:hi], axis=2)
        step *= e[:, lo:hi]
        product = whole[:, :, : hi - lo]
        if not lo:
            product[:] = step
            continue
        new = product[:, 0, None] * step[0]
        for j in range(1, size):
            new += product[:, j, None] * step[j]
        # Scaled on every step: two in a row with evidence at the floor would underflow.
        np.divide(new, new.max(axis=(0, 1)), out=product)
    return whole


def _enter(products: Floats, rounds: list[Ints], columns: Ints, entering: Floats) -> None:
    """Write down the belief before each chunk but a spot's first: that matters to nothing, since a spot begins there."""
    size = len(entering)
    belief = np.full((size, len(rounds[0])), 1 / size)
    for chunks, later in pairwise(rounds):
        matrix, belief = products[:, :, chunks[: len(later)]], belief[:, : len(later)]
        belief = reduce(np.add, belief[:, None] * matrix)
        belief = belief / reduce(np.add, belief)
        entering[:, columns[later]] = belief


def _return(products: Floats, rounds: list[Ints], columns: Ints, returning: Floats) -> None:
    """Write down the likelihood of all that follows each chunk but a spot's last, up to a factor."""
    likelihood = np.ones((len(returning), len(rounds[0])))
    for chunks, earlier in zip(rounds[:0:-1], rounds[-2::-1], strict=True):
        many = len(chunks)
        terms = products[:, :, chunks] * likelihood[:, :many]
        found = reduce(np.add, terms.transpose(1, 0, 2))
        likelihood[:, :many] = found / found.max(axis=0)
        returning[:, columns[earlier[:many]]] = likelihood[:, :many]


def _forward(table: Floats, kind: Ints, e: Floats, lie: Abreast, belief: Floats) -> tuple[Floats, Floats]:
    """Beliefs after each step, and what they summed to before they were scaled (steps,)."""
    alpha, total = np.empty_like(e), np.empty(e.shape[1])
    for lo, hi in lie.levels():
        step = table.take(kind[lo:hi], axis=2)
        step *= belief[:, None, : hi - lo]
        belief = alpha[:, lo:hi]
        np.multiply(reduce(np.add, step), e[:, lo:hi], out=belief)
        total[lo:hi] = reduce(np.add, belief)
        belief /= total[lo:hi]
    return alpha, total


def _backward(table: Floats, kind: Ints, e: Floats, lie: Abreast, likelihood: Floats) -> Floats:
    """The likelihood of all later steps, on each step, up to a factor. ``likelihood`` is written over."""
    back = np.empty_like(e)
    turned = np.ascontiguousarray(table.transpose(1, 0, 2))
    for lo, hi in reversed(lie.levels()):
        now = likelihood[:, : hi - lo]
        back[:, lo:hi] = now
        step = turned.take(kind[lo:hi], axis=2)
        step *= (now * e[:, lo:hi])[:, None]
        found = reduce(np.add, step)
        np.divide(found, found.max(axis=0), out=now)
    return back
