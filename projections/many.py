"""Answers about many places at once: what is the same for all is done once, and arithmetic over arrays.

They are those that each place would be given by itself, to the last digit; a test compares them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np

from projections.belief.base import UNKNOWN
from projections.belief.motion import motion
from projections.belief.tally import TIE, carried
from projections.blobs import Knot, Sweep
from projections.case import states_of
from projections.desk import Clocks, Desk
from projections.shapes import STALE_DAYS, shape, stale_notes, unseen_notes, verdict_shape
from projections.wording import all_words, confidence

_confidence = lru_cache(maxsize=4_096)(confidence)


@lru_cache(maxsize=4_096)
def _iso(day: int) -> str:
    return date.fromordinal(day).isoformat()


class Shapes:
    """Makes answers about one question on one day of what is known then, places some at a time.

    ``more`` is the note that hindsight knows more, for places of which nothing was known; None where it may not.
    """

    def __init__(self, desk: Desk, clocks: Clocks, question: str, more: str | None) -> None:
        self._sources, self._places = desk.directory.sources, desk.directory.places
        self._question, self._day, self._more = question, clocks.day, more
        self._states = states_of(desk.directory, question).names
        self._motion = motion(states_of(desk.directory, question), desk.loaded.logic.params)

    def of(
        self, places: list[str], firsts: list[int | None], swept: Sweep, alone: dict[int, Knot | None]
    ) -> dict[str, dict[str, Any]]:
        """Place → answer, for what ``Beliefs.sweep`` gives."""
        _, at, origins, claims, newest, *_ = swept.ints.T
        known = at > 0
        known[swept.alone] = False
        p = self._carried(swept.beliefs, at, known)
        chosen = np.argmax(p >= p.max(axis=1)[:, None] - TIE, axis=1)
        bounds, terms = all_words()
        likely = np.searchsorted(bounds, p[np.arange(len(p)), chosen] * 100, "right")
        columns = (chosen, likely, origins, claims, newest, p)
        rows: Iterator[tuple[Any, ...]] = zip(*(column.tolist() for column in columns), strict=True)
        found = {}
        for n, (place, plain, row) in enumerate(zip(places, known.tolist(), rows, strict=True)):
            if plain:
                found[place] = self._plain(place, terms, swept.displays.get(n), *row)
            else:
                found[place] = self._alone(place, firsts[n], alone.get(n))
        return found

    def _plain(
        self,
        place: str,
        terms: tuple[str, ...],
        displays: tuple[tuple[str, int], ...] | None,
        chosen: int,
        likely: int,
        origins: int,
        claims: int,
        newest: int,
        p: list[float],
    ) -> dict[str, Any]:
        day, names = self._day, self._states
        rounded = {name: round(one, 10) + 0.0 for name, one in zip(names, p, strict=True)}
        age = max(0, day - newest) if newest else None
        sure = _confidence(origins, age)
        said = _iso(newest) if newest else None
        notes = stale_notes(newest, day) if newest and day - newest > STALE_DAYS else []
        if displays:
            notes += unseen_notes(displays, day, self._name_of)
        found = self._places.get(place)
        named = {"id": place, "name": found.name if found else place}
        believed = names[chosen], terms[likely], rounded, sure
        return shape(named, self._question, *believed, origins, claims, said, age, notes)

    def _carried(self, beliefs: Any, at: Any, known: Any) -> Any:
        """Probabilities (places, states) on the day; even where nothing is known."""
        p = np.full(beliefs.shape, 1 / len(self._states))
        if beliefs.shape[1] == len(self._states):
            days = (self._day - at[known]).astype(np.int64)
            carried = self._motion.forward_each(beliefs[known], days)
            p[known] = carried / sum(carried.T[1:], carried.T[0])[:, None]
        return p

    def _alone(self, place: str, first: int | None, knot: Knot | None) -> dict[str, Any]:
        """The answer about a place of which nothing was known, or that has to be looked at by itself."""
        if knot is None or not knot.belief:
            return self.unknown(place, first)
        notes = stale_notes(knot.newest, self._day)
        notes += unseen_notes(knot.displays, self._day, self._name_of)
        believed, p = carried(knot, self._day, self._states, self._motion)
        counts = knot.origins, knot.claims, knot.newest
        return verdict_shape(self._named(place), self._question, believed, p, *counts, self._day, notes)

    def unknown(self, place: str, first: int | None = None) -> dict[str, Any]:
        """The answer where nothing was known; ``first`` is the first day that anything speaks of."""
        notes = [self._more] if self._more and first is not None and first <= self._day else []
        return verdict_shape(self._named(place), self._question, UNKNOWN, {}, 0, 0, None, self._day, notes)

    def _named(self, place: str) -> dict[str, str]:
        found = self._places.get(place)
        return {"id": place, "name": found.name if found else place}

    def _name_of(self, source: str) -> str:
        return self._sources[source].name if source in self._sources else source
