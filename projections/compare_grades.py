"""Which sources are graded otherwise after a change than before it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from projections.belief.assembly import Assembly
from projections.belief.base import Logic, jsonable
from projections.belief.happenings import happenings
from projections.case import Case
from projections.credibility import Score, grade, reliability, score
from projections.desk import Desk

Settled = tuple[int, int]
"""(confirmed, refuted)."""


class Standing:
    """How many utterances of each source are settled, and how: what its grade follows from."""

    def __init__(self, scores: Mapping[str, Score]) -> None:
        self._settled = {name: (one.confirmed, one.refuted) for name, one in scores.items()}

    def __getitem__(self, source: str) -> Settled:
        return self._settled.get(source, (0, 0))

    def __iter__(self) -> Iterator[str]:
        return iter(self._settled)

    def drop(self, sources: Collection[str]) -> None:
        """Count some sources no longer."""
        for name in sources:
            self._settled.pop(name, None)

    def replace(self, old: Mapping[str, Score], new: Mapping[str, Score]) -> None:
        """Count one case as ``new`` has it, and no longer as ``old`` had it."""
        for sign, scores in ((-1, old), (1, new)):
            for name, one in scores.items():
                confirmed, refuted = self[name]
                self._settled[name] = (confirmed + sign * one.confirmed, refuted + sign * one.refuted)


class Scores:
    """The scores of one case at several moments; worked out anew only where something became known between."""

    def __init__(self, case: Case, logic: Logic) -> None:
        self.case, self.logic = case, logic
        self._known = [one.known for one in happenings(case)]
        self._found: dict[int, dict[str, Score]] = {}

    def at(self, known: int, heard: Assembly | None = None) -> dict[str, Score]:
        heard_of = sum(one <= known for one in self._known)
        if heard_of not in self._found:
            self._found[heard_of] = score(self.case, self.logic, known, heard)
        return self._found[heard_of]


def spots(desk: Desk) -> Iterator[tuple[str, str]]:
    """Every place and question that utterances are scored on."""
    found = [(place, question) for question in desk.directory.questions for place in desk.places(question)]
    for done, spot in enumerate(found):
        desk.views.progress("grading", done, len(found))
        yield spot
    desk.views.progress("grading", len(found), len(found))


def moved(before: Standing, after: Standing) -> list[dict[str, Any]]:
    """The sources whose suggested grade differs, the one whose reliability moved most first."""
    found = []
    for source in sorted({*before, *after}):
        letters = [grade(*standing[source]) for standing in (before, after)]
        if letters[0] != letters[1]:
            old, new = (reliability(*standing[source]) for standing in (before, after))
            found.append((-round(abs(new[0] - old[0]), 9), source, letters, old, new))
    return [
        {
            "source": source,
            "from": letters[0],
            "to": letters[1],
            "before": _shape(old),
            "after": _shape(new),
        }
        for _, source, letters, old, new in sorted(found)
    ]


def _shape(interval: tuple[float, float, float]) -> Any:
    return jsonable(dict(zip(("mean", "low", "high"), interval, strict=True)))
