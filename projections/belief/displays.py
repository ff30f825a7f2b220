"""Standing sources: what each displayed of a place, in the order in which it was published.

A display is a sequence of *runs*: stretches over which it did not change. A look that finds it unchanged makes
the last run longer; a redrawing or a withdrawal ends it and begins another. What is displayed is displayed as of
the day it speaks of, but neither later than it was seen nor earlier than what was displayed before.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from projections.belief.labels import NOTHING, Label
from projections.case import Testimony, day_of


@dataclass(slots=True)
class Run:
    """A stretch over which a display did not change: its label, first and last day, and what began it."""

    label: Label
    start: int
    end: int
    piece: Testimony


class Step(NamedTuple):
    """What one item did to a display: the run it made longer, from which day on, and the run it began."""

    longer: Run | None
    since: int
    begun: Run | None


@dataclass(slots=True)
class Display:
    """One source's display of one place, taken in item by item in the order of knowledge."""

    items: list[Testimony] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    last_observed: int = 0

    def take(self, piece: Testimony, label: Label | None) -> Step:
        """Take in the next item. ``label`` is what a display reads; withdrawals and looks need none."""
        self.items.append(piece)
        on = max(min(piece.hi, day_of(piece.known)), self.last_observed)
        shown = self.runs[-1] if self.runs else None
        if piece.kind == "withdrawal":
            label = NOTHING
        elif piece.kind == "observation":
            label = shown.label if shown else None
        if shown is None and label in (None, NOTHING):
            return Step(None, on, None)  # looked at, or withdrawn, before anything was shown
        self.last_observed = on
        since = on
        if shown is not None:
            since, shown.end = shown.end, on
            if label == shown.label:
                return Step(shown, since, None)
        assert label is not None
        begun = Run(label, on, on, piece)
        self.runs.append(begun)
        return Step(shown, since, begun)

    def replaced(self, piece: Testimony) -> Run | None:
        """The run that took the place of the one that a piece began; None where none did."""
        began = [run.piece.id == piece.id for run in self.runs]
        after = began.index(True) + 1 if True in began else len(began)
        return self.runs[after] if after < len(began) else None

    @property
    def shows(self) -> Testimony | None:
        """What is displayed now; None where nothing is."""
        if not self.runs or self.runs[-1].label == NOTHING:
            return None
        return self.runs[-1].piece
