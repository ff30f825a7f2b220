"""When what became known: the order in which an assembly hears a case, and the counting of who spoke."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

from projections.case import Case, Testimony


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that became known: at ``known``, to ``what``."""

    known: int
    rank: int
    position: int
    act: str
    what: Any


def happenings(case: Case) -> list[Happening]:
    """Everything that becomes known about a case, in order of knowledge, then of the ledger."""
    found: list[Happening] = []
    for piece in case.testimony:
        found.append(Happening(piece.known, 0, piece.position, "heard", piece))
        if piece.retracted is not None:
            found.append(Happening(piece.retracted, 1, piece.position, "retracted", piece))
        for known, position, verdict, _ in piece.verdicts:
            found.append(Happening(known, 1, position, "adjudicated", (piece, verdict)))
    for piece in [*(p for p in case.testimony if p.kind == "evidence"), *case.beside.values()]:
        for known, _, doubt in piece.doubts:
            found.append(Happening(known, 1, piece.position, "doubted", (piece, doubt)))
        for known, doubt in piece.dispelled:
            found.append(Happening(known, 2, piece.position, "dispelled", (piece, doubt)))
        if piece.voided is not None:
            found.append(Happening(piece.voided, 1, piece.position, "voided", piece))
    for ruling in case.rulings:
        found.append(Happening(ruling.known, 1, ruling.position, "ruled", ruling))
        if ruling.retracted is not None:
            found.append(Happening(ruling.retracted, 2, ruling.position, "unruled", ruling))
    found.sort(key=lambda one: (one.known, one.rank, one.position))
    return found


@dataclass(slots=True)
class Counts:
    """How many voices and utterances speak of days up to a day that only moves forward; kept while hearing,
    so that the diagonal needs no second look at everything heard."""

    day: int = 0
    voices: Counter[str] = field(default_factory=Counter)
    days: Counter[int] = field(default_factory=Counter)
    later: list[tuple[int, str, str, int]] = field(default_factory=list)

    def add(self, piece: Testimony, voice: str) -> None:
        if piece.lo > self.day:
            heappush(self.later, (piece.lo, piece.id, voice, piece.said_day))
        else:
            self._count(voice, piece.said_day, 1)

    def remove(self, piece: Testimony, voice: str) -> None:
        if piece.lo > self.day:
            self.later = [one for one in self.later if one[1] != piece.id]
            heapify(self.later)
        else:
            self._count(voice, piece.said_day, -1)

    def _count(self, voice: str, day: int, by: int) -> None:
        _change(self.voices, voice, by)
        _change(self.days, day, by)

    def at(self, day: int) -> tuple[int, int, int | None]:
        """What ``Assembly.origins`` says of ``day``, which must not lie before an earlier call's."""
        self.day = day
        while self.later and self.later[0][0] <= day:
            _, _, voice, said = heappop(self.later)
            self._count(voice, said, 1)
        return len(self.voices), self.days.total(), max(self.days, default=None)


def _change(counter: Counter[Any], name: Any, by: int) -> None:
    counter[name] += by
    if not counter[name]:
        del counter[name]
