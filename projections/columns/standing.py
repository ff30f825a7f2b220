"""What was made of a spot earlier and stands, as arrays: its knots and sightings from before a day.

What becomes known on a day moves no belief known before it. So of a spot about which something more was recorded,
only the tail is made anew, from that day on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from projections import blobs


class Knots(NamedTuple):
    """Knots in order: ``whole`` (knots, 5), ``beliefs`` and ``rates`` (knots, states), as ``Judged`` has them."""

    whole: Any
    beliefs: Any
    rates: Any


@dataclass(frozen=True, slots=True)
class Standing:
    """A spot as it was judged earlier. Nothing known before day ``until`` is new, or acts otherwise by now."""

    kept: blobs.Kept
    until: int

    def fits(self, shown_by: list[str], states: int) -> bool:
        """Whether it was made of the same states, and of displays that can be told apart among those there are
        by now: of a source's that was known to show something there are as many as then."""
        before = {name: self.kept.names.count(name) for name in self.kept.names}
        same = all(shown_by.count(name) == many for name, many in before.items())
        return same and self.kept.beliefs.shape[1] == states

    def heard_on(self, days: Any) -> bool:
        """Whether it was made with something arriving on each of some days: a knot begins on every such day. What is
        new may bring old things along that say nothing yet, as do looks at a map that shows the place only now."""
        return bool(np.isin(days, self.kept.whole[:, 0]).all())

    def before(self, day: int, shown_by: list[str]) -> tuple[Knots, Any]:
        """Knots and sightings (n, 3) from before a day; ``shown_by`` are the sources of the displays by now."""
        kept = self.kept
        many = int(np.searchsorted(kept.whole[:, 0], day))
        knots = Knots(kept.whole[:many], kept.beliefs[:many], kept.rates[:many])
        rows, first = np.unique(kept.row[:many], return_index=True)
        first, rows = first[rows >= 0], rows[rows >= 0]
        shown = np.vstack([np.zeros((1, len(kept.names)), np.int64), kept.shown[rows]])
        at, display = np.nonzero(shown[1:] != shown[:-1])
        # Kept by the name of the source; those of one source keep their order.
        number = np.argsort(np.array(shown_by), kind="stable")
        known = np.isin(np.array(shown_by)[number], kept.names) if shown_by else np.empty(0, bool)
        number = number[known]
        sightings = np.stack([number[display], knots.whole[first[at], 0], shown[at + 1, display]], axis=1)
        return knots, sightings.astype(np.int64)


def nothing(states: int) -> tuple[Knots, Any]:
    """No knots and no sightings."""
    whole, numbers = np.empty((0, 5), np.int64), np.empty((0, states))
    return Knots(whole, numbers, numbers), np.empty((0, 3), np.int64)


def last_seen(sightings: Any, displays: int) -> Any:
    """For each display the day on which it was last observed by the last of some sightings, in order of day."""
    seen = np.zeros(displays, np.int64)
    seen[sightings[:, 0]] = sightings[:, 2]  # the last of several counts
    return seen
