"""Standing sources: what each displayed of a place, in the order of the days it speaks of."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from projections.belief.labels import NOTHING, Label
from projections.case import Testimony, day_of

ShownKey = tuple[str, str, int]
"""``("shown", source, n)``: the n-th stretch of a source's display."""


class Run(NamedTuple):
    """A stretch over which a display did not change: its label, its first and last day, and what began it."""

    label: Label
    start: int
    end: int
    piece: Testimony


@dataclass(slots=True)
class Display:
    """One source's display: its items as (day, known, position, piece), and the runs now in the chain."""

    items: list[tuple[int, int, int, Testimony]] = field(default_factory=list)
    owner: dict[ShownKey, Testimony] = field(default_factory=dict)

    def add(self, piece: Testimony) -> None:
        """What is displayed is displayed as of the day it speaks of, but never later than it was seen."""
        on = min(piece.hi, day_of(piece.known))
        insort(self.items, (on, piece.known, piece.position, piece), key=lambda item: item[:3])

    def remove(self, piece: Testimony) -> None:
        self.items = [item for item in self.items if item[3].id != piece.id]

    @property
    def last_observed(self) -> int:
        return self.items[-1][0]

    @property
    def shows(self) -> Testimony | None:
        """What is displayed now; None where nothing is."""
        standing = [piece for _, _, _, piece in self.items if piece.kind != "observation"]
        return standing[-1] if standing and standing[-1].kind == "display" else None

    def runs(self, label_of: Callable[[Testimony], Label | None], goes_on: list[Testimony]) -> Iterator[Run]:
        """The runs in order. Items that change nothing are put into ``goes_on``, also those before the first
        display, which showed nothing."""
        current: Run | None = None
        for on, _, _, piece in self.items:
            label = NOTHING if piece.kind == "withdrawal" else None
            if piece.kind == "display":
                label = label_of(piece)
            if current is None:
                if label is None or label == NOTHING:
                    goes_on.append(piece)
                    continue
            elif label is None or label == current.label:
                current = current._replace(end=on)
                goes_on.append(piece)
                continue
            else:
                yield current._replace(end=on)
            current = Run(label, on, on, piece)
        if current is not None:
            yield current
