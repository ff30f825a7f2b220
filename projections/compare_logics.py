"""Two ways to believe "known then", side by side: two logics, or one with and without some sources."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ledger.clocks import instant_key
from projections import compare_grades as grades
from projections.belief.attribution import (
    Account,
    Ask,
    Difference,
    beside,
    difference,
    known_then,
    pieces_of,
    unexplained,
)
from projections.belief.happenings import happenings
from projections.belief.labels import States
from projections.belief.motion import TINY
from projections.belief.paths import Days, Diagonal, Rows, judged, parting
from projections.belief.tally import diagonal, end_of
from projections.beliefs import Beliefs
from projections.blobs import Knot
from projections.case import Case, day_of, states_of
from projections.compare_intervals import Found, Interval, differing
from projections.desk import Desk, Without
from projections.neighbours import Around, Kept
from projections.registry import Loaded

#: Knots of neighbours that are kept at once, for the next place.
_KNOTS = 500_000


class Leaving:
    """What is left out of every case: nothing, some sources, or whole kinds of them."""

    def __init__(self, desk: Desk, without: Sequence[Without]) -> None:
        self.texts = [one.text for one in without]
        self.sources = {
            source.id
            for source in desk.directory.sources.values()
            if any(source.id == one.source or source.kind == one.kind for one in without)
        }
        self._excluded = desk.excludes(without)

    def __bool__(self) -> bool:
        return bool(self.texts)

    def of(self, case: Case) -> Case:
        """The case without it; the very same one where nothing in it goes."""
        if not self or not any(map(self._excluded, (*case.testimony, *case.beside.values()))):
            return case
        return case.without(self._excluded)


class Side:
    """One way to believe: a logic, its view, and what is left out. ``replaced`` is a view that its code can no
    longer make, to be read in place of the logic's own."""

    def __init__(
        self,
        desk: Desk,
        loaded: Loaded,
        question: str,
        without: Sequence[Without] = (),
        replaced: Beliefs | None = None,
    ) -> None:
        self.desk = desk
        self.question = question
        self.replaced = replaced is not None
        own = desk.beliefs if loaded is desk.loaded else None
        self.view = replaced or own or desk.views.beliefs(loaded, desk.head, desk.directory)
        self.logic = self.view.logic
        self.leaving = Leaving(desk, without)
        self.diagonal = Diagonal(states_of(desk.directory, question), self.logic)
        self.now = desk.known(None)
        self.around = Around(desk.directory, self.logic.params)
        self._knots = Kept[list[Knot]](_KNOTS)

    @property
    def judges(self) -> bool:
        """Whether the logic judges by itself, and has no knots."""
        return self.logic.believe is not None

    def knots(self, place: str, case: Case | None) -> list[Knot]:
        """The knots of a place; looked up unless something of its case is left out."""
        if case is not None and not self.judges:
            seen = self.leaving.of(case)
            if seen is not case:
                return diagonal(seen, self.logic)[0]
        return self.view.knots(place, self.question)

    def rows(self, knots: list[Knot], days: Days, case: Case | None) -> Rows:
        if not self.judges:
            return self.diagonal.rows(knots, days)
        assert case is not None
        return judged(self.leaving.of(case), self.logic, days, lambda day: min(end_of(day), self.now))

    def coupled(self, place: str, own: Rows, days: Days) -> Rows:
        """A place's own beliefs with its neighbours' part."""
        return self.around.lift(place, own, days.tobytes(), lambda one: self._alone(one, days))

    def nearby(self, place: str, interval: Interval, states: States, *, after: bool) -> float:
        """What the neighbours add to the log-odds by which an interval is explained."""
        if not self.around:
            return 0.0
        day = np.array([interval.day], dtype=np.int64)
        key, shape = day.tobytes(), (1, len(states))
        nats = self.around.nats(place, shape, key, lambda one: self._alone(one, day))
        return interval.nearby(states, nats, after=after)

    def last_near(self, place: str) -> int:
        """The last day on which something arrived or begins to count of a neighbour; 0 where none counts."""
        near = [one.place for one in self.around.near(place)]
        if self.judges:
            told = (one for other in near for one in happenings(self.desk.case(other, self.question)))
            return max((day_of(one.known) for one in told), default=0)
        return max((knot.since for other in near for knot in self._near(other)[-1:]), default=0)

    def _alone(self, place: str, days: Days) -> Rows:
        if self.judges:
            return self.rows([], days, self.desk.case(place, self.question))
        return self.rows(self._near(place), days, None)

    def _near(self, place: str) -> list[Knot]:
        """A neighbour's knots."""

        def find() -> list[Knot]:
            case = self.desk.case(place, self.question) if self.leaving else None
            return self.knots(place, case)

        return self._knots.get(place, find, len)

    def accounts(self, case: Case, asked: Sequence[Ask]) -> list[Account]:
        return known_then(self.leaving.of(case), self.logic, asked, self.now)

    def standing(self) -> grades.Standing:
        """The settled utterances of every source, over all places and questions."""
        standing = grades.Standing(self.view.scores())
        if not self.leaving:
            return standing
        known = recorded(self.desk)
        for place, question in grades.spots(self.desk):
            case = self.desk.case(place, question)
            seen = self.leaving.of(case)
            if seen is not case:
                old, new = (grades.Scores(one, self.logic).at(known) for one in (case, seen))
                standing.replace(old, new)
        return standing


class Logics:
    """Where two sides differ, and whose doing it is."""

    def __init__(self, before: Side, after: Side) -> None:
        self.sides = (before, after)
        self.desk, self.question = before.desk, before.question
        self.states = states_of(self.desk.directory, self.question)
        self.judged = any(side.judges for side in self.sides)
        self._folds = self.judged or any(side.leaving for side in self.sides)
        one, other = (side.diagonal.motion.generator for side in self.sides)
        # Where neighbours count, a day may differ though the place's own knots do not.
        self.coupled = any(side.around for side in self.sides)
        self._steady = not self.judged and not self.coupled and np.array_equal(one, other)

    def cases(self, place: str) -> tuple[Case, Case]:
        """What either side has of a place: the same record."""
        case = self.desk.case(place, self.question)
        return case, case

    def compare(self, place: str) -> Found:
        """Both sides on every day from the first to the last on which something arrived or begins to count;
        where their knots are the same, so are they."""
        cases = self.cases(place) if self._folds else (None, None)
        paths = [side.knots(place, case) for side, case in zip(self.sides, cases, strict=True)]
        turns = [knot.since for path in paths for knot in path]
        if self.judged:
            turns += [day_of(one.known) for case in cases if case is not None for one in happenings(case)]
        until = max(turns, default=0)
        if turns:
            until = max(until, *(side.last_near(place) for side in self.sides))
        last = min(until, day_of(self.sides[0].now))
        first = min(turns, default=last + 1)
        if first > last:
            return Found(0, [])
        days = parting(paths[0], paths[1], first, last) if self._steady else np.arange(first, last + 1)
        sides = zip(self.sides, paths, cases, strict=True)
        old, new = (side.coupled(place, side.rows(path, days, case), days) for side, path, case in sides)
        return Found(last - first + 1, differing(place, days, old, new, self.states))

    def differences(self, place: str, intervals: Sequence[Interval]) -> list[Difference]:
        """What makes the difference on the day of each interval, all of one place."""
        if any(side.replaced for side in self.sides):
            return [self._unexplained(one) for one in intervals]
        return [
            beside(own, *self._nearby(one))
            for own, one in zip(self._own(place, intervals), intervals, strict=True)
        ]

    def _nearby(self, one: Interval) -> tuple[float, float]:
        """What the neighbours add to the log-odds of an interval, before and after."""
        before, after = self.sides
        return (
            before.nearby(one.place, one, self.states, after=False),
            after.nearby(one.place, one, self.states, after=True),
        )

    def _own(self, place: str, intervals: Sequence[Interval]) -> list[Difference]:
        """The differences that come from the place's own claims."""
        cases = self.cases(place)
        asked = [one.ask(self.states) for one in intervals]
        sides = zip(self.sides, cases, strict=True)
        accounts = zip(*(side.accounts(case, asked) for side, case in sides), strict=True)
        pieces = pieces_of(*cases)
        return [difference(one, other, pieces) for one, other in accounts]

    def _unexplained(self, one: Interval) -> Difference:
        _, a, b = one.ask(self.states)

        def odds(p: tuple[float, ...] | None) -> float:
            return math.log(max(p[a], TINY)) - math.log(max(p[b], TINY)) if p else 0.0

        before, after = self._nearby(one)
        return beside(unexplained(odds(one.before) - before, odds(one.after) - after), before, after)

    def standings(self) -> tuple[grades.Standing, grades.Standing]:
        """The settled utterances of every source on either side; none of those left out on the second."""
        before, after = (side.standing() for side in self.sides)
        for standing in (before, after):
            standing.drop(self.sides[1].leaving.sources)
        return before, after


def recorded(desk: Desk) -> int:
    """The moment up to which the views of a desk have scored what was said: that of the last event."""
    event = desk.ledger.event(desk.head)
    return instant_key(event.recorded) if event else 0
