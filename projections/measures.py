"""How good beliefs were, measured against known truth. Pure: arrays in, numbers out.

*Beliefs* have the shape (days, states), each row sums to 1 or is NaN throughout (unknown). *Truth* is an index
into the states. n is the number of days with a truth, K the number of states, and sums are over them:

=================== ==================================================================================
coverage            share of the n days on which anything is believed
accuracy            share of the n days whose most probable state is the true one
accuracy believed   the same share of the days on which anything is believed: accuracy / coverage
balanced accuracy   mean of the shares of each true state's days that were right (mean recall; Brodersen et
                    al. 2010), over the states that occur in the truth
Brier               Σ Σ (p − [state is true])² / n, from 0 to 2 (Brier 1950)
log loss            −Σ ln max(p of the true state, ``LOG_FLOOR``) / n, in nats
ECE                 Σ over ``BINS`` bins of (days in bin / n) · |share right − mean p|, where p is the
                    probability of the most probable state and bin m is ((m−1)/BINS, m/BINS] (Naeini et al.
                    2015; Guo et al. 2017, eq. 3); of the days on which anything is believed
detected            share of the true changes after which P(new state) reached ``DETECTED_AT``
days to detect      days from the first true day of the new state until then, of the detected ones
false flips         changes of the believed state that no true change excuses, a year and place
=================== ==================================================================================

An unknown day counts as wrong, and as 1/K for each state under Brier and log loss: saying nothing is no way to
score. It is left out of ECE, for there is no probability to calibrate.

``mark`` adds up a place; ``intervals`` makes figures of the sums, and says how far to trust them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.belief.paths import Rows
from projections.viewpoint import Indices, top

Vector = NDArray[np.float64]

#: Bins of confidence, of equal width.
BINS = 10
#: A probability under it counts as it: one impossible day must not outweigh a year (an assumption).
LOG_FLOOR = 1e-6
#: A change is detected when the new state has this probability (an assumption).
DETECTED_AT = 0.7
#: So many days before a true change, or after it is over, a flip to its state is still its own (an assumption).
FLIP_TOLERANCE = 7
#: Days of a year.
YEAR = 365.25

_EDGES = np.arange(1, BINS + 1) / BINS


# -- a row a day -----------------------------------------------------------------------------------------


def filled(beliefs: Rows) -> Rows:
    """Beliefs with every unknown row made uniform."""
    return np.where(np.isnan(beliefs), 1 / beliefs.shape[1], beliefs)


def squared_errors(beliefs: Rows, truth: Indices) -> Vector:
    """The Brier score of each day, 0 to 2."""
    errors = filled(beliefs)
    errors[np.arange(len(truth)), truth] -= 1.0
    return np.asarray((errors**2).sum(axis=1))


def surprises(beliefs: Rows, truth: Indices) -> Vector:
    """The log loss of each day in nats, 0 to −ln ``LOG_FLOOR``."""
    p = filled(beliefs)[np.arange(len(truth)), truth]
    return np.asarray(-np.log(np.clip(p, LOG_FLOOR, 1.0)))


def confidences(beliefs: Rows) -> Vector:
    """The probability of the believed state of each day; NaN where unknown."""
    return np.asarray(np.minimum(beliefs.max(axis=1), 1.0))


def bins(confidence: Vector) -> Indices:
    """The bin of each confidence, 0 to ``BINS`` − 1; an edge belongs to the bin under it."""
    return np.minimum(np.searchsorted(_EDGES, confidence), BINS - 1)


# -- changes ---------------------------------------------------------------------------------------------


class Change(NamedTuple):
    """A change of the truth. It was seen on ``day``, may have happened since ``since`` (the day after the
    last one known to have the old state), and its ``state`` lasted until ``until``: the day before the truth
    changes again, or the last day of the truth."""

    state: int
    since: int
    day: int
    until: int


def changes(days: Sequence[int], truth: Sequence[int]) -> list[Change]:
    """The changes in a place's truth; ``days`` ascending, ``truth`` the states on them."""
    turns = [i for i in range(1, len(days)) if truth[i] != truth[i - 1]]
    ends = [*(days[i] - 1 for i in turns[1:]), days[-1]]
    return [Change(truth[i], days[i - 1] + 1, days[i], end) for i, end in zip(turns, ends, strict=False)]


def delays(beliefs: Rows, first: int, found: Iterable[Change]) -> list[int | None]:
    """For each change, after how many days its state first had the probability ``DETECTED_AT`` (0: on its
    first day); None where it had not by the end. ``beliefs`` has a row for every day from ``first`` on."""
    out: list[int | None] = []
    for change in found:
        p = beliefs[change.day - first : change.until - first + 1, change.state]
        reached = np.flatnonzero(p >= DETECTED_AT)
        out.append(int(reached[0]) if len(reached) else None)
    return out


def flips(beliefs: Rows, first: int) -> list[tuple[int, int]]:
    """(day, new state) whenever the believed state is another than it last was; unknown days are passed over."""
    believed = top(beliefs)
    known = np.flatnonzero(believed >= 0)
    states = believed[known]
    turned = np.flatnonzero(states[1:] != states[:-1]) + 1
    return [(first + int(known[i]), int(states[i])) for i in turned]


def unexcused(found: Sequence[tuple[int, int]], true: Sequence[Change]) -> int:
    """How many flips no true change excuses.

    A change excuses one flip, the first to its own state that no earlier change took, from
    ``FLIP_TOLERANCE`` days before it may have happened until the truth changes again, or that many days after
    it was seen if that is later. So a late flip is no false one (it is late: see days to detect); one to and
    fro is two.
    """
    left = list(found)
    for change in true:
        lo = change.since - FLIP_TOLERANCE
        hi = max(change.until, change.day + FLIP_TOLERANCE)
        own = next((flip for flip in left if flip[1] == change.state and lo <= flip[0] <= hi), None)
        if own is not None:
            left.remove(own)
    return len(left)


# -- a place -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Marks:
    """What one place adds to every measure: sums, so that places can be drawn again and again.

    ``sums`` has vectors by name; ``waits`` the days to detect of the changes that were detected.
    """

    sums: Mapping[str, Vector]
    waits: tuple[int, ...]


def mark(beliefs: Rows, days: Sequence[int], truth: Sequence[int], *, detecting: bool = True) -> Marks:
    """Score one place. ``days`` ascend, no day twice; ``beliefs`` has a row for every day from the first to
    the last of them, those between included. ``detecting``: whether days to detect make sense."""
    first = days[0]
    states = np.asarray(truth, dtype=np.intp)
    p = beliefs[np.asarray(days) - first]
    believed = top(p)
    right = believed == states
    known = believed >= 0
    true_changes = changes(days, truth)
    waits = delays(beliefs, first, true_changes) if detecting else []
    detected = tuple(wait for wait in waits if wait is not None)
    found = flips(beliefs, first)
    k = beliefs.shape[1]
    confidence = confidences(p[known])
    bin_of = bins(confidence)
    sums = {
        "rows": np.array([len(days)]),
        "known": np.array([known.sum()]),
        "right": np.array([right.sum()]),
        "of_state": np.bincount(states, minlength=k),
        "right_of_state": np.bincount(states[right], minlength=k),
        "squared": np.array([squared_errors(p, states).sum()]),
        "surprise": np.array([surprises(p, states).sum()]),
        "bin_rows": np.bincount(bin_of, minlength=BINS),
        "bin_confidence": np.bincount(bin_of, confidence, minlength=BINS),
        "bin_right": np.bincount(bin_of, right[known], minlength=BINS),
        "changes": np.array([len(waits)]),
        "detected": np.array([len(detected)]),
        "false_flips": np.array([unexcused(found, true_changes)]),
        "flips": np.array([len(found)]),
        "years": np.array([(days[-1] - first) / YEAR]),
    }
    return Marks({name: value.astype(np.float64) for name, value in sums.items()}, detected)
