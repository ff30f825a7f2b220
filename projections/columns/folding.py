"""Reports folded into utterances: the rule of ``case.fold`` over arrays.

Executed twice, plain and compiled (see ``modes``).
"""

from __future__ import annotations

from typing import Any

import numpy as np

jit: Any = globals().get("jit", lambda function: function)
entry: Any = globals().get("entry", jit)


@entry
def fold_reports(marks, known, lo, hi, position, carried):
    """(leader of each report, reports in the order in which they are joined).

    ``marks`` are equal for what may be one utterance; those that speak of different times stay apart.
    ``carried`` is 1 for claims and evidence, 2 for items of a display that came with attribution, else 0: a
    standing source may show the same twice in a day, only those who carry it repeat it.
    """
    n = marks.shape[0]
    order = np.argsort(marks, kind="mergesort")
    leader = np.empty(n, np.int64)
    begin = np.int64(0)
    while begin < n:
        end = begin + 1
        while end < n and marks[order[end]] == marks[order[begin]]:
            end += 1
        for k in range(begin + 1, end):
            one = order[k]
            j = k - 1
            while j >= begin and later(known, lo, hi, position, order[j], one):
                order[j + 1] = order[j]
                j -= 1
            order[j + 1] = one
        for k in range(begin, end):
            one = order[k]
            leader[one] = one
            for j in range(begin, k):
                first = order[j]
                if leader[first] != first:
                    continue
                if (carried[one] or carried[first]) and lo[one] <= hi[first] and lo[first] <= hi[one]:
                    leader[one] = first
                    break
        begin = end
    return leader, order


@jit
def later(known, lo, hi, position, a, b):
    """Whether report ``a`` is joined after report ``b``."""
    if known[a] != known[b]:
        return known[a] > known[b]
    if lo[a] != lo[b]:
        return lo[a] > lo[b]
    if hi[a] != hi[b]:
        return hi[a] > hi[b]
    return position[a] > position[b]
