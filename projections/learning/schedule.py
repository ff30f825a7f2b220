"""When estimates are made: on every n-th day of known time, once enough more was heard than for the last.

Whether a day is one of them hangs on nothing that became known on it or later, so that the estimate in force at
a moment is the same for ever, whatever is recorded of later times.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from projections.belief.params import Params
from projections.belief.tally import day_of, end_of


def turns(known: Any, params: Params) -> list[int]:
    """The moments (microseconds since 1970) at which an estimate comes into force, ascending.

    ``known`` (n,): when each claim, piece of evidence or display became known. The last moment may lie some days
    behind all of them: it would be the same if nothing more came.
    """
    known = np.sort(known)
    if not len(known):
        return []
    every, found, heard = params.learning_days, list[int](), 0
    first, last = day_of(int(known[0])), day_of(int(known[-1])) + every
    for day in range((first // every + 1) * every, last + 1, every):
        moment = end_of(day - 1) + 1
        count = int(np.searchsorted(known, moment))
        if count > heard and count >= max(params.learning_least, heard * params.learning_growth):
            found.append(moment)
            heard = count
    return found
