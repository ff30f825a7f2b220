"""When estimates are made: on every n-th day of known time, once enough more was heard than for the last.

Whether a day is one of them hangs on nothing that became known on it or later, so that the estimate in force at
a moment is the same for ever, whatever is recorded of later times.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from projections.belief.params import Params
from projections.belief.tally import DAY_US, EPOCH, end_of

Arrivals = Counter[int]
"""Day (an ordinal) → how many claims, pieces of evidence and displays became known on it. Adds up."""


def arrivals(known: Any) -> Arrivals:
    """By day, what became known at some moments (n,), in microseconds since 1970."""
    days, counts = np.unique(np.asarray(known) // DAY_US + EPOCH, return_counts=True)
    return Counter(dict(zip(days.tolist(), counts.tolist(), strict=True)))


def turns(known: Any, params: Params) -> list[int]:
    """``due`` of single moments (n,), in any order."""
    return due(arrivals(known), params)


def due(known: Arrivals, params: Params) -> list[int]:
    """The moments (microseconds since 1970) at which an estimate comes into force, ascending.

    The last moment may lie some days behind all that became known: it would be the same if nothing more came.
    """
    if not known:
        return []
    every, found, heard = params.learning_days, list[int](), 0
    days = np.array(sorted(known), np.int64)
    by_then = np.concatenate([[0], np.cumsum([known[day] for day in days.tolist()])])
    first, last = int(days[0]), int(days[-1]) + every
    for day in range((first // every + 1) * every, last + 1, every):
        count = int(by_then[np.searchsorted(days, day)])
        if count > heard and count >= max(params.learning_least, heard * params.learning_growth):
            found.append(end_of(day - 1) + 1)
            heard = count
    return found
