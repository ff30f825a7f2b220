"""One logic at two moments of knowledge: what became known between them, and what it changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from functools import partial

import numpy as np

from projections import compare_grades as grades
from projections.belief.assembly import Assembly
from projections.belief.attribution import Difference, arrived, beside
from projections.belief.happenings import happenings
from projections.belief.paths import Days, Rows, judged, known_by
from projections.case import Case, day_of
from projections.compare_intervals import Found, Interval, differing
from projections.compare_logics import Leaving, recorded
from projections.desk import Desk, Without
from projections.neighbours import Around

_LAST_DAY = date.max.toordinal()


class Times:
    """Where the answers of two moments differ, and whose doing it is. The first moment is the earlier one.
    Cases are scored while they are at hand where sources are to be graded."""

    def __init__(
        self,
        desk: Desk,
        known: tuple[int, int],
        question: str,
        without: Sequence[Without] = (),
        *,
        graded: bool = True,
    ) -> None:
        self.graded = graded
        self.desk, self.known, self.question = desk, known, question
        self.logic = desk.loaded.logic
        self.leaving = Leaving(desk, without)
        self.around = Around(desk.directory, self.logic.params)
        self.coupled = bool(self.around)
        self._scored = recorded(desk)
        scores = desk.beliefs.scores() if graded else {}
        self._standings = grades.Standing(scores), grades.Standing(scores)
        self._graded: set[tuple[str, str]] = set()

    def compare(self, place: str) -> Found:
        """Both moments on every day from the first spoken of to the last on which something arrived or is spoken
        of, up to the second moment. Where there is no such day from the first moment on, nothing differs."""
        heard_of = [place, *(one.place for one in self.around.near(place))]
        if all(self._quiet(one, self.question, self.known[0]) for one in heard_of):
            return Found(self._days_of_quiet(heard_of), [])
        whole = self.desk.case(place, self.question)
        case = self.leaving.of(whole)
        if self.logic.believe is not None:
            spoken = [piece.lo for piece in case.testimony if piece.known <= self.known[1]]
            days = self._days(case, spoken, heard_of[1:])
            rows = [judged(case, self.logic, days, partial(_always, by)) for by in self.known]
            self._grade(self.question, whole, case)
        else:
            heard = [Assembly.known_by(case, self.logic, by) for by in self.known]
            spoken = [day for one in heard for day in (*one.chain.days[:1], *one.chain.days[-1:])]
            days = self._days(case, spoken, heard_of[1:])
            rows = [known_by(one.chain, days, by) for one, by in zip(heard, self.known, strict=True)]
            self._grade(self.question, whole, case, heard)
        old, new = (self._coupled(place, own, days, by) for own, by in zip(rows, self.known, strict=True))
        return Found(len(days), differing(place, days, old, new, case.states))

    def _coupled(self, place: str, own: Rows, days: Days, by: int) -> Rows:
        """A place's own beliefs with its neighbours' part."""
        asked = by, days.tobytes()
        return self.around.lift(place, own, asked, lambda one: self._alone(one, days, by))

    def _alone(self, place: str, days: Days, by: int) -> Rows:
        case = self.leaving.of(self.desk.case(place, self.question))
        if self.logic.believe is not None:
            return judged(case, self.logic, days, partial(_always, by))
        return known_by(Assembly.known_by(case, self.logic, by).chain, days, by)

    def differences(self, place: str, intervals: Sequence[Interval]) -> list[Difference]:
        """What made the difference on the day of each interval, all of one place."""
        case = self.leaving.of(self.desk.case(place, self.question))
        asked = [one.ask(case.states) for one in intervals]
        own = arrived(case, self.logic, *self.known, asked)
        if not self.around:
            return own
        return [
            beside(difference, self._nearby(one, case, after=False), self._nearby(one, case, after=True))
            for difference, one in zip(own, intervals, strict=True)
        ]

    def _nearby(self, one: Interval, case: Case, *, after: bool) -> float:
        """What the neighbours add to the log-odds by which an interval is explained."""
        day, by = np.array([one.day], dtype=np.int64), self.known[after]
        asked, shape = (by, day.tobytes()), (1, len(case.states))
        nats = self.around.nats(one.place, shape, asked, lambda near: self._alone(near, day, by))
        return one.nearby(case.states, nats, after=after)

    def standings(self) -> tuple[grades.Standing, grades.Standing]:
        """The settled utterances of every source at both moments, over all places and questions."""
        since = min(*self.known, self._scored)
        for place, question in grades.spots(self.desk):
            quiet = not self.leaving and self._quiet(place, question, since)
            if (place, question) not in self._graded and not quiet:
                case = self.desk.case(place, question)
                self._grade(question, case, self.leaving.of(case))
        return self._standings

    def _quiet(self, place: str, question: str, since: int) -> bool:
        """Whether nothing became known, and nothing is spoken of, from the day of a moment on."""
        if self.logic.believe is not None:
            return False
        newest = self.desk.beliefs.knot(place, question, _LAST_DAY)
        return newest is None or newest.since < day_of(since)

    def _days_of_quiet(self, heard_of: Sequence[str]) -> int:
        first = self.desk.beliefs.first_day(heard_of[0], self.question)
        return 0 if first is None else max(0, self._last(heard_of) - first + 1)

    def _last(self, places: Sequence[str]) -> int:
        """The last day on which something arrived or is spoken of at some places; 0 where there is none."""
        if self.logic.believe is not None:
            told = [one for place in places for one in happenings(self.desk.case(place, self.question))]
            return max((day_of(one.known) for one in told), default=0)
        newest = (self.desk.beliefs.knot(place, self.question, _LAST_DAY) for place in places)
        return max((knot.since for knot in newest if knot is not None), default=0)

    def _days(self, case: Case, spoken: Sequence[int], near: Sequence[str]) -> Days:
        arrivals = [day_of(one.known) for one in happenings(case)]
        if not spoken or not arrivals:
            return np.arange(0)
        return np.arange(
            min(spoken), min(max(*arrivals, *spoken, self._last(near)), day_of(self.known[1])) + 1
        )

    def _grade(
        self, question: str, whole: Case, case: Case, heard: Sequence[Assembly | None] = (None, None)
    ) -> None:
        """Count a case as it was at the two moments, and no longer as it was when it was scored last."""
        if not self.graded:
            return
        self._graded.add((whole.place, question))
        last = grades.Scores(whole, self.logic)
        scores = last if case is whole else grades.Scores(case, self.logic)
        for standing, by, assembly in zip(self._standings, self.known, heard, strict=True):
            standing.replace(last.at(self._scored), scores.at(by, assembly))


def _always(known: int, _: int) -> int:
    return known
