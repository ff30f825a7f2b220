"""One logic's beliefs about places, many days at a time: what panels are made of and backtests are scored on.

Arrays have the shape (days, states) in the order of the days and of ``Viewpoint.states``. A row sums to 1, or
is NaN throughout where nothing known speaks of the day or an earlier one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from projections.belief.assembly import Assembly
from projections.belief.paths import Days, Diagonal, Rows, judged, known_by
from projections.belief.tally import end_of
from projections.beliefs import Beliefs
from projections.case import states_of
from projections.desk import Desk
from projections.neighbours import Around
from projections.registry import Loaded

Indices = NDArray[np.intp]

#: Probabilities that differ by less are equal: they differ by rounding.
_TIE = 1e-12


def top(beliefs: Rows) -> Indices:
    """The index of the believed state of each row: the most probable, among equals the first; −1 unknown."""
    if not beliefs.size:
        return np.zeros(len(beliefs), dtype=np.intp)
    unknown = np.isnan(beliefs[:, 0])
    filled = np.where(unknown[:, None], 0.0, beliefs)
    first = np.argmax(filled >= filled.max(axis=1, keepdims=True) - _TIE, axis=1)
    return np.where(unknown, -1, first)


class Viewpoint:
    """A logic and a question, at a desk. ``days`` are ordinals in ascending order."""

    def __init__(self, desk: Desk, loaded: Loaded, question: str) -> None:
        self.desk = desk
        self.loaded = loaded = desk.taught(loaded)
        self.question = question
        self.states = states_of(desk.directory, question)
        self.now = desk.known(None)
        self._diagonal = Diagonal(self.states, loaded.logic)
        self._around = Around(desk.directory, loaded.logic.params)

    @cached_property
    def view(self) -> Beliefs:
        """The logic's materialised view, caught up. Raises ``ReplayDue``."""
        desk = self.desk
        if self.loaded is desk.loaded:
            return desk.beliefs
        return desk.views.beliefs(self.loaded, desk.head, desk.directory)

    def then(self, place: str, days: Sequence[int]) -> Rows:
        """Each day as known by its end (the filter); today as known by now."""
        numbers = np.array(days, dtype=np.int64)
        return self._around.rows(place, (None, numbers.tobytes()), lambda one: self._then(one, numbers))

    def _then(self, place: str, numbers: Days) -> Rows:
        if self.loaded.logic.believe is not None:
            case = self.desk.case(place, self.question)
            return judged(case, self.loaded.logic, numbers, lambda day: min(end_of(day), self.now))
        return self._diagonal.rows(self.view.knots(place, self.question), numbers)

    def known(self, place: str, days: Sequence[int], known: int) -> Rows:
        """All days as known by one moment: days before it in hindsight, days after it as they were foreseen."""
        numbers = np.array(days, dtype=np.int64)
        asked = known, numbers.tobytes()
        return self._around.rows(place, asked, lambda one: self._known(one, numbers, known))

    def _known(self, place: str, numbers: Days, known: int) -> Rows:
        logic, case = self.loaded.logic, self.desk.case(place, self.question)
        if logic.believe is not None:
            return judged(case, logic, numbers, lambda _: known)
        return known_by(Assembly.known_by(case, logic, known).chain, numbers, known)
