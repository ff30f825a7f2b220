"""What an assembly has heard, as rows to learn from: the definition that ``columns.gathering`` is held to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from projections.belief.assembly import Assembly
from projections.belief.labels import NOTHING
from projections.learning.transcript import Rows

#: Days between two looks at what was ruled throughout an interval (an assumption).
RULED_EVERY = 10


def rows_of(assembly: Assembly, codes: Mapping[str, int]) -> Rows:
    """The rows of one spot. ``codes`` numbers the sources."""
    labels = {label: n for n, label in enumerate((*assembly.states.labels(), NOTHING))}
    said: list[tuple[int, int, int, int]] = []
    loud: list[float] = []
    held: list[tuple[int, int, int, int]] = []
    firm: list[float] = []
    for one in assembly.utterances():
        piece, label, voice = one.piece, labels[one.label], 2 * codes[one.piece.source]
        if one.copy_rate < 1.0:
            said += [(day, voice, label, one.copied) for day in one.days]
            loud += [one.weight / len(one.days)] * len(one.days)
            if one.lasts and piece.hi > piece.lo:
                held.append((piece.lo, piece.hi, voice, label))
                firm.append(one.weight)
    for run, weight in assembly.drawn():
        voice, label = 2 * codes[run.piece.source] + 1, labels[run.label]
        said.append((run.start, voice, label, 0))
        loud.append(weight)
        if run.end > run.start:
            held.append((run.start, run.end, voice, label))
            firm.append(weight)
    ruled = [(day, logs) for lo, hi, by_day in assembly.ruled() for day, logs in _looked_at(lo, hi, by_day)]
    return Rows(
        np.array(said, np.int64).reshape(-1, 4),
        np.array(loud),
        np.array(held, np.int64).reshape(-1, 4),
        np.array(firm),
        np.array([day for day, _ in ruled], np.int64),
        np.array([logs for _, logs in ruled]).reshape(-1, len(assembly.states)),
    )


def _looked_at(
    lo: int, hi: int, by_day: Mapping[int, tuple[float, ...]]
) -> list[tuple[int, tuple[float, ...]]]:
    """The days of a ruling; one throughout an interval (``hi`` after ``lo``) every so many days of it."""
    if hi == lo:
        return list(by_day.items())
    days = [min(hi, lo + RULED_EVERY * k) for k in range(-(-(hi - lo) // RULED_EVERY) + 1)]
    return [(day, by_day[lo]) for day in days]
