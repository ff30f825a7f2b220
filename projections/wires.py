"""Wire copies nobody declared: the same statement printed without attribution, right after another printed it.

An outlet or agency that prints what another had printed within ``WITHIN`` days, of the same place, state and
day said, and names nobody it has it from, is taken for a witness of its own. It is suspected of copying where
the two texts (title or quote) are nearly the same, or, where there are no texts to compare, where it happened
``OFTEN`` and never the other way round. Belief never reads texts; this report for an analyst does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from projections.case import Case, Testimony
from projections.copying import Meeting, Pair, meetings

# Assumptions.
KINDS = ("agency", "outlet")  # who prints what came over the wire
WITHIN = 2  # days after which a repeat is no wire copy any more
ALIKE = 85.0  # from which similarity on (0 to 100) texts are nearly the same
OFTEN = 3  # times that make a suspicion without texts
_LONG = 20  # characters below which a text says too little
_COMPARED = 20  # texts of a pair that are compared

Texts = Callable[[Testimony], dict[str, str]]
"""The title and quote of the first report of an utterance, as far as there are any."""


@dataclass
class _Line:
    """What one outlet printed after another."""

    times: int = 0
    compared: int = 0
    alike: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


class Wires:
    """Suspected wire copies, fed case by case."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._lines: dict[Pair, _Line] = {}

    def take(self, case: Case, known: int) -> None:
        for one in meetings(case, known):
            if not one.same or one.later.said_day - one.earlier.said_day > WITHIN or not _printed(case, one):
                continue
            line = self._lines.setdefault(one.pair, _Line())
            alike = self._alike(one) if line.compared < _COMPARED else None
            line.times += 1
            line.compared += alike is not None
            line.alike += alike is not None and alike >= ALIKE
            example = {
                "place": case.place,
                "state": one.later.state,
                "utterances": [one.earlier.id, one.later.id],
                "hours_later": one.hours,
                "similarity": alike,
            }
            line.examples = sorted((*line.examples, example), key=lambda row: -(row["similarity"] or 0.0))[:3]

    def _alike(self, one: Meeting) -> float | None:
        """How alike two texts are, 0 to 100; None where there are none."""
        from rapidfuzz import fuzz, utils

        mine, theirs = self._texts(one.later), self._texts(one.earlier)
        found = [
            fuzz.token_sort_ratio(mine[name], theirs[name], processor=utils.default_process)
            for name in mine.keys() & theirs.keys()
            if min(len(mine[name]), len(theirs[name])) >= _LONG
        ]
        return max(found, default=None)

    def found(self) -> list[dict[str, Any]]:
        """The pairs that are suspected, those first with most texts alike."""
        rows = []
        for (outlet, source), line in self._lines.items():
            silent = not line.compared and line.times >= OFTEN and (source, outlet) not in self._lines
            if line.alike or silent:
                counts = {"times": line.times, "compared": line.compared, "alike": line.alike}
                rows.append({"outlet": outlet, "source": source, **counts, "examples": line.examples})
        return sorted(rows, key=lambda row: (-row["alike"], -row["times"], row["outlet"], row["source"]))


def _printed(case: Case, one: Meeting) -> bool:
    """Whether the later one was printed as the printer's own, and not by one who speaks with the same voice."""
    later, earlier = one.later, one.earlier
    named = any(report.via for report in later.reports)
    linked = earlier.source in case.directory.linked(later.source, later.said_day)
    return later.kind == "claim" and case.source(later.source).kind in KINDS and not named and not linked
