"""Filter and smoother over all spots at once: forward-backward (Rabiner 1989), made for arrays.

All spots are one long chain in which the first step of a spot forgets what went before (its matrix has the
prior in every row). The chain is cut into about √n chunks of about √n steps, and all chunks take their next
step together (a blocked parallel scan; Särkkä & García-Fernández 2021 for hidden Markov models):

1. the product of the matrices of every chunk, all chunks abreast;
2. the belief that enters each chunk and the likelihood that comes back into it, from chunk to chunk;
3. beliefs forward and likelihoods backward inside the chunks, all chunks abreast.

Every step is scaled, so chains of any length and weights of any size stay finite: a state whose evidence on
one step is worse than ``FLOOR`` times the best counts as that. Where nothing ever moves, logs are summed and
nothing is floored.
"""

from __future__ import annotations

from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.learning.evidence import Floats, Ints

FLOOR = 1e-200
"""The least evidence for a state on one step, relative to the best one's; keeps products above 0."""


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


def scan(evidence: Floats, moves: Moves, *, smooth: bool = True) -> Scan:
    """Beliefs under log-likelihoods ``evidence`` (steps, states); without ``smooth`` only the filtered ones.

    Every row of ``evidence`` has a finite number. What is not smoothed has ``smoothed`` = ``filtered``.
    """
    steps, size = evidence.shape
    if not steps:
        return Scan(evidence, evidence, evidence, np.zeros(0))
    length = max(1, round((steps * 0.8) ** 0.5))
    chunks = -(-steps // length)
    best = _across(np.maximum, evidence)
    likely = np.exp(evidence - best[:, None])
    np.maximum(likely, FLOOR, out=likely)
    e = _abreast(likely, chunks, length, 1.0)
    # Steps of padding move nothing: after the last step comes only the identity.
    kind = np.full(chunks * length, len(moves.matrices), np.intp)
    kind[:steps] = moves.kind
    kind = np.ascontiguousarray(kind.reshape(chunks, length).T)
    table = np.concatenate([moves.matrices, np.eye(size)[None]]).transpose(1, 2, 0).copy()

    products = _products(table, kind, e)
    alpha, total = _forward(table, kind, e, _entering(products))
    filtered = _in_order(alpha, steps)
    log_scale = np.log(total.T.reshape(-1)[:steps]) + best + moves.scale[moves.kind]
    if not smooth:
        return Scan(filtered, filtered, likely, log_scale)
    back = _in_order(_backward(table, kind, e, _returning(products)), steps)
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


# -- chunks abreast: arrays are (place in the chunk, states, chunks) --------------------------------------


def _abreast(rows: Floats, chunks: int, length: int, pad: float) -> Floats:
    padded = np.full((chunks * length, rows.shape[1]), pad)
    padded[: len(rows)] = rows
    return np.ascontiguousarray(padded.reshape(chunks, length, -1).transpose(1, 2, 0))


def _in_order(abreast: Floats, steps: int) -> Floats:
    length, size, chunks = abreast.shape
    return np.ascontiguousarray(abreast.transpose(2, 0, 1)).reshape(chunks * length, size)[:steps]


def _products(table: Floats, kind: NDArray[np.intp], e: Floats) -> Floats:
    """The product of matrix and evidence over each chunk, up to a factor: (states, states, chunks)."""
    length, size, _ = e.shape
    product = np.take(table, kind[0], axis=2) * e[0]
    step, term = np.empty_like(product), np.empty_like(product)
    for i in range(1, length):
        np.take(table, kind[i], axis=2, out=step, mode="clip")
        step *= e[i]
        new = product[:, 0, None] * step[0]
        for j in range(1, size):
            np.multiply(product[:, j, None], step[j], out=term)
            new += term
        # Scaled on every step: two in a row with evidence at the floor would underflow.
        new /= new.sum(axis=(0, 1))
        product = new
    return np.asarray(product)


def _entering(products: Floats) -> Floats:
    """The belief before each chunk, (states, chunks). The first one matters to nothing: a spot begins there."""
    size, _, chunks = products.shape
    entering = np.empty((size, chunks))
    belief = np.full(size, 1 / size)
    matrices = np.ascontiguousarray(products.transpose(2, 0, 1))
    for i in range(chunks):
        entering[:, i] = belief
        belief = belief @ matrices[i]
        belief /= belief.sum()
    return entering


def _returning(products: Floats) -> Floats:
    """The likelihood of all that follows each chunk, (states, chunks), up to a factor."""
    size, _, chunks = products.shape
    returning = np.empty((size, chunks))
    likelihood = np.ones(size)
    matrices = np.ascontiguousarray(products.transpose(2, 0, 1))
    for i in range(chunks - 1, -1, -1):
        returning[:, i] = likelihood
        likelihood = matrices[i] @ likelihood
        likelihood /= likelihood.max()
    return returning


def _forward(table: Floats, kind: NDArray[np.intp], e: Floats, belief: Floats) -> tuple[Floats, Floats]:
    """Beliefs after each step, and what they summed to before they were scaled (length, chunks)."""
    length, size, chunks = e.shape
    alpha, total = np.empty_like(e), np.empty((length, chunks))
    step = np.empty((size, size, chunks))
    for i in range(length):
        np.take(table, kind[i], axis=2, out=step, mode="clip")
        step *= belief[:, None]
        belief = alpha[i]
        np.add.reduce(step, axis=0, out=belief)
        belief *= e[i]
        np.add.reduce(belief, axis=0, out=total[i])
        belief /= total[i]
    return alpha, total


def _backward(table: Floats, kind: NDArray[np.intp], e: Floats, likelihood: Floats) -> Floats:
    """The likelihood of all later steps, on each step, up to a factor."""
    length, size, chunks = e.shape
    back = np.empty_like(e)
    step = np.empty((size, size, chunks))
    for i in range(length - 1, -1, -1):
        back[i] = likelihood
        np.take(table, kind[i], axis=2, out=step, mode="clip")
        step *= likelihood * e[i]
        likelihood = np.add.reduce(step, axis=1)
        likelihood /= likelihood.max(axis=0)
    return back
