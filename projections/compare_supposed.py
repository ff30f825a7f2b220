"""The live logic on the record as it is, and on one to which something hypothetical was added."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.errors import Usage
from projections import compare_grades as grades
from projections.beliefs import Beliefs
from projections.case import Case, states_of
from projections.compare_logics import Logics, Side, recorded
from projections.desk import Without
from projections.hypothetical import Supposing


class Supposition(Logics):
    """Where the two differ, and whose doing it is. ``before`` and ``after`` are desks over the same ledger, with
    views of their own; ``without`` is left out on both sides."""

    def __init__(
        self, before: Supposing, after: Supposing, question: str, without: Sequence[Without] = ()
    ) -> None:
        for one in before.directory.questions:
            if states_of(before.directory, one) != states_of(after.directory, one):
                raise Usage(
                    f"what is supposed changes the states that {one} can have, so that nothing can be compared",
                    remedy="leave the parties out; `claims as-of DATE PLACE --with FILE` answers with them",
                )
        super().__init__(
            Side(before, before.loaded, question, without), Side(after, after.loaded, question, without)
        )
        self._known = recorded(before), recorded(after)

    def cases(self, place: str) -> tuple[Case, Case]:
        """What either side has of a place."""
        before, after = (side.desk.case(place, self.question) for side in self.sides)
        return before, after

    def standings(self) -> tuple[grades.Standing, grades.Standing]:
        """Both as scored at the same moment, so that nothing but what is supposed makes a difference."""
        before, after = super().standings()
        side = self.sides[0]
        for place, question in _due(side.view, *self._known):
            case = side.leaving.of(side.desk.case(place, question))
            scores = grades.Scores(case, side.logic)
            before.replace(scores.at(self._known[0]), scores.at(self._known[1]))
        return before, after


def _due(view: Beliefs, since: int, until: int) -> list[tuple[str, str]]:
    """Places and questions whose scores changed by time alone: what was predicted for then has come or not."""
    found = view._view.db.execute(
        "SELECT place, question FROM spot WHERE due > ? AND due <= ? ORDER BY 1, 2", (since, until)
    )
    return [(place, question) for place, question in found]
