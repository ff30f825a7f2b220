"""From the marks of places to figures, and to how far they can be trusted.

Days of one place resemble each other, so intervals come from a bootstrap that draws whole places (a cluster
bootstrap: Efron 1979; Field & Welsh 2007): percentiles over ``RESAMPLES`` draws of as many places as there
are. Two logics are drawn alike, so that the interval of their difference is that of a paired comparison. Where
fewer than two places have anything to measure there is no interval. Pure: arrays in, numbers out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from projections.measures import BINS, Marks, Vector

#: Draws of the bootstrap, where they begin, and the share of them that an interval holds.
RESAMPLES = 1_000
SEED = 20251216
LEVEL = 0.95
#: Every measure, in the order in which they are shown; more is better for some, less for others.
MEASURES = (
    "coverage",
    "accuracy",
    "accuracy_believed",
    "balanced_accuracy",
    "brier",
    "log_loss",
    "ece",
    "detected",
    "days_to_detect_median",
    "days_to_detect_mean",
    "false_flips",
)

#: What a measure divides by: a place where it is 0 has no say in it.
_DIVISORS = {
    "accuracy_believed": "known",
    "ece": "known",
    "detected": "changes",
    "days_to_detect_median": "detected",
    "days_to_detect_mean": "detected",
    "false_flips": "years",
}
#: Numbers held at once while drawing.
_HELD = 4_000_000


# -- figures ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Estimate:
    """A measure with its interval; None where there is nothing to measure, or too few places to draw from."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def clear(self) -> bool | None:
        """Of a difference: whether the interval leaves 0 out."""
        if self.low is None or self.high is None:
            return None
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Bin:
    """One bin of the reliability diagram: days whose confidence lies in (``over``, ``to``]."""

    over: float
    to: float
    rows: int
    confidence: float | None
    right: Estimate


class Sheet:
    """The marks of every place under one logic and mode, and what follows from them."""

    def __init__(self, marks: Sequence[Marks]) -> None:
        names = marks[0].sums
        self.sums = {name: np.array([one.sums[name] for one in marks]) for name in names}
        waits = np.array([wait for one in marks for wait in one.waits], dtype=np.float64)
        place = np.array([n for n, one in enumerate(marks) for _ in one.waits], dtype=np.intp)
        # Every wait that occurs, ascending; and how often it does at each place, shape (places, waits).
        self.waits, which = np.unique(waits, return_inverse=True)
        shape = (len(marks), len(self.waits))
        self.waited = csr_array((np.ones(len(waits)), (place, which)), shape=shape)

    def figures(self, weights: Vector) -> dict[str, Vector]:
        """Every measure, for each row of ``weights`` (draws, places): how often each place counts. And, of
        each bin, the share that was right, as ``bin_0`` and so on. NaN where there is nothing to measure."""
        of = {name: weights @ values for name, values in self.sums.items()}
        waited = np.asarray(weights @ self.waited)
        rows = of["rows"][:, 0]
        detected = of["detected"][:, 0]
        recalls = _ratio(of["right_of_state"], of["of_state"])
        occurring = (of["of_state"] > 0).sum(axis=1)
        gaps = np.abs(of["bin_right"] - of["bin_confidence"]).sum(axis=1)
        shares = _ratio(of["bin_right"], of["bin_rows"])
        return {
            "coverage": _ratio(of["known"][:, 0], rows),
            "accuracy": _ratio(of["right"][:, 0], rows),
            "accuracy_believed": _ratio(of["right"][:, 0], of["known"][:, 0]),
            "balanced_accuracy": _ratio(np.nansum(recalls, axis=1), occurring),
            "brier": _ratio(of["squared"][:, 0], rows),
            "log_loss": _ratio(of["surprise"][:, 0], rows),
            "ece": _ratio(gaps, of["known"][:, 0]),
            "detected": _ratio(detected, of["changes"][:, 0]),
            "days_to_detect_median": _medians(self.waits, waited),
            "days_to_detect_mean": _ratio(waited @ self.waits, detected),
            "false_flips": _ratio(of["false_flips"][:, 0], of["years"][:, 0]),
            **{f"bin_{n}": shares[:, n] for n in range(BINS)},
        }

    def total(self, name: str) -> Vector:
        """A sum over all places."""
        return np.asarray(self.sums[name].sum(axis=0))

    def contributing(self, name: str) -> int:
        """How many places have a say in a figure."""
        if name.startswith("bin_"):
            return int(np.count_nonzero(self.sums["bin_rows"][:, int(name[4:])]))
        return int(np.count_nonzero(self.sums[_DIVISORS.get(name, "rows")][:, 0]))


def _medians(values: Vector, counts: Vector) -> Vector:
    """The median of ascending values that occur so often, for each row of counts: of an even number of them
    half way between the middle two."""
    if not len(values):
        return np.full(len(counts), np.nan)
    passed = np.cumsum(counts, axis=1)
    half = passed[:, -1:] / 2
    middle = (values[np.argmax(passed >= half, axis=1)] + values[np.argmax(passed > half, axis=1)]) / 2
    return np.where(half[:, 0] > 0, middle, np.nan)


def _ratio(part: Vector, whole: Vector) -> Vector:
    out = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    return np.asarray(np.divide(part, whole, out=out, where=whole > 0))


# -- intervals -----------------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """Of one sheet: each figure as it is; and in each draw, where two places or more have a say in it."""

    point: dict[str, float]
    draws: dict[str, Vector]

    def estimate(self, name: str) -> Estimate:
        return _estimate(self.point[name], self.draws.get(name))


def measure(sheets: Sequence[Sheet], resamples: int = RESAMPLES, seed: int = SEED) -> list[Measured]:
    """Every figure of sheets over the same places in the same order, with the same draws for all of them."""
    places = len(sheets[0].sums["rows"])
    widest = max(places, *(len(sheet.waits) for sheet in sheets))
    drawn: list[list[dict[str, Vector]]] = [[] for _ in sheets]
    for weights in draws(places, resamples, seed, at_once=max(1, _HELD // widest)):
        for sheet, found in zip(sheets, drawn, strict=True):
            found.append(sheet.figures(weights))
    return [_measured(sheet, parts) for sheet, parts in zip(sheets, drawn, strict=True)]


def _measured(sheet: Sheet, parts: Sequence[dict[str, Vector]]) -> Measured:
    point = sheet.figures(np.ones((1, len(sheet.sums["rows"]))))
    shared = [name for name in point if sheet.contributing(name) > 1]
    return Measured(
        {name: float(value[0]) for name, value in point.items()},
        {name: np.concatenate([part[name] for part in parts]) for name in shared},
    )


def draws(places: int, resamples: int, seed: int, at_once: int) -> Iterator[Vector]:
    """How often each place is drawn: shape (draws, places), rows sum to ``places``, ``at_once`` at a time.

    From the raw stream of PCG64, which is the same in every version of numpy.
    """
    stream = np.random.PCG64(seed)
    for begin in range(0, resamples, at_once):
        count = min(at_once, resamples - begin)
        raw = stream.random_raw(count * places).reshape(count, places) % places
        flat = raw.astype(np.intp) + np.arange(count)[:, None] * places
        yield np.bincount(flat.ravel(), minlength=count * places).reshape(count, places).astype(np.float64)


def difference(second: Measured, first: Measured, name: str) -> Estimate:
    """How much greater a figure is under the second, draw by draw."""
    both = name in second.draws and name in first.draws
    drawn = second.draws[name] - first.draws[name] if both else None
    return _estimate(second.point[name] - first.point[name], drawn)


def reliability(sheet: Sheet, measured: Measured) -> list[Bin]:
    """The bins of a reliability diagram."""
    rows, confidence = sheet.total("bin_rows"), sheet.total("bin_confidence")
    return [
        Bin(
            n / BINS,
            (n + 1) / BINS,
            int(rows[n]),
            float(confidence[n] / rows[n]) if rows[n] else None,
            measured.estimate(f"bin_{n}"),
        )
        for n in range(BINS)
    ]


def _estimate(value: float, drawn: Vector | None) -> Estimate:
    """A figure with the middle ``LEVEL`` of its draws; those with nothing to measure are passed over."""
    if np.isnan(value):
        return Estimate(None)
    found = np.zeros(0) if drawn is None else drawn[~np.isnan(drawn)]
    if not len(found):
        return Estimate(value)
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))
