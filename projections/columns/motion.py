"""The filter of one spot: breakpoints in order, and beliefs moved from one to the next.

The same recursion as ``belief.chain``, over arrays:  α ∝ (α·A) ∘ exp(evidence of the day). What displays
change is the generator between breakpoints; its eigenbasis is found once for each combination of displays
(cyclic Jacobi rotations, Golub & Van Loan, *Matrix Computations*, section 8.5) and kept.

Executed twice, plain and compiled (see ``modes``).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from projections.columns.shapes import (
    C_BEGUN,
    C_COMBINATION,
    C_DAY,
    C_EVIDENCE,
    C_HELD,
    C_SPEAKING,
    C_STALE,
    MORE,
    SCALE,
    Chain,
    Motions,
)

inner: Any = globals().get("inner", lambda function: function)
entry: Any = globals().get("entry", inner)

TINY = 1e-300
_SWEEPS = 40


@inner
def eigen(matrix, values, vectors):
    """Eigenvalues and orthonormal eigenvectors (columns) of a symmetric matrix, which is used up."""
    n = matrix.shape[0]
    for i in range(n):
        for j in range(n):
            vectors[i, j] = 1.0 if i == j else 0.0
    for _ in range(_SWEEPS):
        off = 0.0
        for i in range(n):
            for j in range(i):
                off += matrix[i, j] * matrix[i, j]
        if off < 1e-300:
            break
        for p in range(n - 1):
            for q in range(p + 1, n):
                if matrix[p, q] == 0.0:
                    continue
                theta = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
                sign = 1.0 if theta >= 0.0 else -1.0
                t = sign / (abs(theta) + math.sqrt(theta * theta + 1.0))
                c = 1.0 / math.sqrt(t * t + 1.0)
                s = t * c
                for k in range(n):
                    a, b = matrix[k, p], matrix[k, q]
                    matrix[k, p], matrix[k, q] = c * a - s * b, s * a + c * b
                for k in range(n):
                    a, b = matrix[p, k], matrix[q, k]
                    matrix[p, k], matrix[q, k] = c * a - s * b, s * a + c * b
                for k in range(n):
                    a, b = vectors[k, p], vectors[k, q]
                    vectors[k, p], vectors[k, q] = c * a - s * b, s * a + c * b
    for i in range(n):
        values[i] = matrix[i, i]


@entry
def combination(m, rates):
    """The number of a combination of displays; found anew where it was never met. −1 where there is no room."""
    size = rates.shape[0]
    slot = np.int64(0)
    for s in range(size):
        slot = (slot ^ rates[s]) * np.int64(1099511628211)
        slot ^= slot >> np.int64(29)
    slots = m.slots.shape[0] - 1
    slot &= slots - 1
    while m.slots[slot] >= 0:
        known = m.slots[slot]
        same = True
        for s in range(size):
            if m.keys[known, s] != rates[s]:
                same = False
                break
        if same:
            return known
        slot = (slot + 1) & (slots - 1)
    made = m.slots[m.slots.shape[0] - 1]
    if made >= m.keys.shape[0]:
        return np.int64(-1)
    matrix, vectors, values = m.scratch[:size], m.scratch[size : 2 * size], m.scratch[2 * size]
    for s in range(size):
        m.keys[made, s] = rates[s]
        for k in range(size):
            matrix[s, k] = m.shape[1 + s, k]
        matrix[s, s] -= rates[s] / SCALE
    eigen(matrix, values, vectors)
    most = values[0]
    for k in range(1, size):
        most = max(most, values[k])
    for k in range(size):
        m.bases[made, 0, k] = values[k] - most
        for i in range(size):
            m.bases[made, 1 + i, k] = vectors[i, k] / m.shape[0, i]
            m.bases[made, 1 + size + k, i] = vectors[i, k] * m.shape[0, i]
    m.slots[slot] = made
    m.slots[m.slots.shape[0] - 1] = made + 1
    return made


@inner
def step(m, dt, which):
    """The slot that holds A(dt) under a combination of displays; filled where it held another."""
    key = (np.int64(which) << np.int64(24)) | np.int64(dt)
    slot = (np.int64(which) * np.int64(1031) + np.int64(dt)) & np.int64(m.step_keys.shape[0] - 1)
    if m.step_keys[slot] != key:
        m.step_keys[slot] = key
        size = m.keys.shape[1]
        for i in range(size):
            for j in range(size):
                m.steps[slot, i, j] = 0.0
        for k in range(size):
            decay = math.exp(m.bases[which, 0, k] * dt)
            for i in range(size):
                left = m.bases[which, 1 + i, k] * decay
                for j in range(size):
                    m.steps[slot, i, j] += left * m.bases[which, 1 + size + k, j]
        for i in range(size):
            for j in range(size):
                if not m.steps[slot, i, j] > TINY:
                    m.steps[slot, i, j] = TINY
    return slot


@inner
def forward(m, vector, dt, which, out):
    """``out`` ∝ ``vector`` · A(dt) under a combination of displays, summing to 1."""
    size = vector.shape[0]
    slot = step(m, dt, which)
    whole = 0.0
    for j in range(size):
        total = 0.0
        for i in range(size):
            total += vector[i] * m.steps[slot, i, j]
        out[j] = total if total > TINY else TINY
        whole += out[j]
    whole = 1.0 / whole
    for j in range(size):
        out[j] *= whole


@inner
def backward(m, vector, dt, which, out):
    """``out`` ∝ A(dt) · ``vector``: what is seen later, as it speaks about now; sums to 1."""
    size = vector.shape[0]
    slot = step(m, dt, which)
    whole = 0.0
    for i in range(size):
        total = 0.0
        for j in range(size):
            total += m.steps[slot, i, j] * vector[j]
        out[i] = total if total > TINY else TINY
        whole += out[i]
    whole = 1.0 / whole
    for i in range(size):
        out[i] *= whole


@inner
def scaled(vector):
    """Make a vector sum to 1, every number above 0."""
    total = 0.0
    for s in range(vector.shape[0]):
        if not vector[s] > TINY:
            vector[s] = TINY
        total += vector[s]
    total = 1.0 / total
    for s in range(vector.shape[0]):
        vector[s] *= total


@inner
def weighed(before, evidence, out):
    """``out`` ∝ ``before`` ∘ exp(``evidence``), summing to 1. Evidence is in fixed point."""
    size = before.shape[0]
    most = evidence[0]
    for s in range(1, size):
        if evidence[s] > most:
            most = evidence[s]
    total = 0.0
    for s in range(size):
        out[s] = before[s] * math.exp((evidence[s] - most) / SCALE)
        total += out[s]
    if total < 1e-200:
        # Evidence against all that was left: through logs, where nothing vanishes.
        top = -math.inf
        for s in range(size):
            out[s] = math.log(before[s] if before[s] > TINY else TINY) + (evidence[s] - most) / SCALE
            if out[s] > top:
                top = out[s]
        total = 0.0
        for s in range(size):
            out[s] = math.exp(out[s] - top)
            total += out[s]
    for s in range(size):
        out[s] /= total


@inner
def refresh(c, i):
    """Make valid how likely a breakpoint's evidence is."""
    if c.ints[i, C_STALE]:
        size = (c.ints.shape[1] - C_EVIDENCE) // 2
        most = c.ints[i, C_EVIDENCE]
        for s in range(1, size):
            if c.ints[i, C_EVIDENCE + s] > most:
                most = c.ints[i, C_EVIDENCE + s]
        for s in range(size):
            c.reals[i, 2 * size + s] = math.exp((c.ints[i, C_EVIDENCE + s] - most) / SCALE)
        c.ints[i, C_STALE] = 0


@inner
def weighed_at(c, i, before, out):
    """``weighed`` with the evidence of a breakpoint."""
    size = before.shape[0]
    refresh(c, i)
    total = 0.0
    for s in range(size):
        out[s] = before[s] * c.reals[i, 2 * size + s]
        total += out[s]
    if total < 1e-200:
        weighed(before, c.ints[i, C_EVIDENCE : C_EVIDENCE + size], out)
        return
    total = 1.0 / total
    for s in range(size):
        out[s] *= total


# -- breakpoints ---------------------------------------------------------------------------------------


@inner
def find(c, day):
    """The first breakpoint on ``day`` or after it; the number of them where there is none."""
    low, high = np.int64(0), c.at[0]
    while low < high:
        middle = (low + high) >> 1
        if c.ints[middle, C_DAY] < day:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def shift(c, a, b):
    """Move a breakpoint to another place, but for its beliefs: they are found anew from there on."""
    for s in range(c.ints.shape[1]):
        c.ints[b, s] = c.ints[a, s]
    for s in range(2 * (c.reals.shape[1] // 3), c.reals.shape[1]):
        c.reals[b, s] = c.reals[a, s]


@inner
def ensure(c, day):
    """The breakpoint on a day, made where there is none."""
    i = find(c, day)
    n = c.at[0]
    if i < n and c.ints[i, C_DAY] == day:
        return i
    width = c.ints.shape[1]
    size = (width - C_EVIDENCE) // 2
    for k in range(n, i, -1):
        shift(c, k - 1, k)
    for s in range(C_COMBINATION):
        c.ints[i, s] = 0
    c.ints[i, C_STALE] = 1
    for s in range(C_EVIDENCE, C_EVIDENCE + size):
        c.ints[i, s] = 0
    c.ints[i, C_DAY] = day
    c.ints[i, C_COMBINATION] = c.ints[i - 1, C_COMBINATION] if i else 0
    for s in range(C_EVIDENCE + size, width):
        c.ints[i, s] = c.ints[i - 1, s] if i else 0
    c.at[0] = n + 1
    if c.at[1] > i:
        c.at[1] = i
    return i


@inner
def release(c, i):
    """Take a breakpoint away where nothing needs it any more."""
    if c.ints[i, C_HELD] > 0:
        return
    n = c.at[0] - 1
    for k in range(i, n):
        shift(c, k + 1, k)
    c.at[0] = n
    if c.at[1] > i:
        c.at[1] = i


@inner
def speaks(vector):
    """Whether a vector tells any state from another."""
    for s in range(1, vector.shape[0]):
        if vector[s] != vector[0]:
            return True
    return False


@inner
def contribute(c, day, vector, sign):
    """Add (1) or take back (−1) what is said on a day."""
    i = ensure(c, day)
    for s in range(vector.shape[0]):
        c.ints[i, C_EVIDENCE + s] += sign * vector[s]
    c.ints[i, C_STALE] = 1
    c.ints[i, C_HELD] += sign
    if speaks(vector):
        c.ints[i, C_SPEAKING] += sign
    if c.at[1] > i:
        c.at[1] = i
    release(c, i)


@inner
def hold(c, lo, hi, rates, sign):
    """Put a display in force from ``lo`` to ``hi`` (1), or take it back (−1)."""
    i = ensure(c, lo)
    j = ensure(c, hi)
    for k in range(i, j):
        for s in range(rates.shape[0]):
            c.ints[k, C_EVIDENCE + rates.shape[0] + s] += sign * rates[s]
        c.ints[k, C_COMBINATION] = -1
    c.ints[i, C_HELD] += sign
    c.ints[j, C_HELD] += sign
    if speaks(rates):
        c.ints[i, C_BEGUN] += sign
    if c.at[1] > i:
        c.at[1] = i
    release(c, j)
    release(c, i)


@inner
def lengthen(c, begin, since, to, rates):
    """A display that began on ``begin`` and was in force to ``since`` goes on to ``to``."""
    if since == begin:
        hold(c, since, to, rates, MORE)
        return
    i = ensure(c, since)
    j = ensure(c, to)
    for k in range(i, j):
        for s in range(rates.shape[0]):
            c.ints[k, C_EVIDENCE + rates.shape[0] + s] += rates[s]
        c.ints[k, C_COMBINATION] = -1
    c.ints[i, C_HELD] -= 1
    c.ints[j, C_HELD] += 1
    if c.at[1] > i:
        c.at[1] = i
    release(c, i)


@inner
def used(c, m, i):
    """The combination of displays in force behind a breakpoint."""
    if c.ints[i, C_COMBINATION] < 0:
        size = m.keys.shape[1]
        c.ints[i, C_COMBINATION] = combination(m, c.ints[i, C_EVIDENCE + size : C_EVIDENCE + 2 * size])
    return c.ints[i, C_COMBINATION]


@entry
def opening(c):
    """The first breakpoint at which anything speaks; the number of breakpoints where nothing does."""
    n = c.at[0]
    for i in range(n):
        if c.ints[i, C_SPEAKING] > 0 or c.ints[i, C_BEGUN] > 0:
            return np.int64(i)
    return n


@inner
def refilter(c, m, last):
    """Make the beliefs up to breakpoint ``last`` valid. False where there is no room for more displays."""
    size = (c.ints.shape[1] - C_EVIDENCE) // 2
    i = c.at[1]
    if i > last:
        return True
    first = opening(c)
    c.at[2] = first
    if i <= first:
        i = first
        if i > last:
            c.at[1] = last + 1
            return True
        for s in range(size):
            c.reals[i, s] = 1.0 / size
        weighed_at(c, i, c.reals[i, :size], c.reals[i, size : 2 * size])
        i += 1
    while i <= last:
        which = used(c, m, i - 1)
        if which < 0:
            c.at[1] = (
                i  # so far it is done: whoever makes room goes on from here, however much a stretch needs
            )
            return False
        forward(
            m,
            c.reals[i - 1, size : 2 * size],
            c.ints[i, C_DAY] - c.ints[i - 1, C_DAY],
            which,
            c.reals[i, :size],
        )
        weighed_at(c, i, c.reals[i, :size], c.reals[i, size : 2 * size])
        i += 1
    c.at[1] = last + 1
    return True


def new_chain(points: int, states: int) -> Chain:
    """Room for a number of breakpoints."""
    return Chain(
        ints=np.zeros((points, C_EVIDENCE + 2 * states), np.int64),
        reals=np.zeros((points, 3 * states)),
        at=np.zeros(3, np.int64),
    )


def new_motions(generator: Any, weights: Any, room: int = 1 << 15) -> Motions:
    """Tables for a reversible generator (states, states) with its weights of detailed balance. Combination 0
    is no display."""
    size = len(generator)
    root = np.sqrt(weights)
    symmetric = generator * root[:, None] / root[None, :]
    slots = np.full(4 * room + 1, -1, np.int64)
    slots[-1] = 0
    return Motions(
        shape=np.vstack([root, (symmetric + symmetric.T) / 2]),
        keys=np.zeros((room, size), np.int64),
        slots=slots,
        bases=np.zeros((room, 2 * size + 1, size)),
        steps=np.zeros((1 << 13, size, size)),
        step_keys=np.full(1 << 13, -1, np.int64),
        scratch=np.zeros((2 * size + 1, size)),
    )
