"""How early a source spoke: before what it said was so, or before anybody else said it.

*Premature* is a statement that was refuted of the day it speaks of, and became true later: so many days after
the last day it speaks of as it took until the others (see ``credibility``) hold it settled. Every seventh day
is looked at; on which day between two looks it came true is found by halving. What did not come true within
``PREMATURE_WITHIN`` days, or not by the day of the moment asked about, was not premature but wrong. Denials
are left out: who denies long enough is right in the end.

A *lead* is a confirmed statement that nobody had made within ``LEAD_WITHIN`` days before (neither the source
itself, nor anybody else on the same day) and that somebody else made within as many days after: so many days
before them. Somebody else is no linked source, and nobody who carried it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from projections.case import Testimony

#: How many days later something may become so and what was said of it still was premature (an assumption).
PREMATURE_WITHIN = 365
#: How many days lie between two looks (an assumption): what is held for less may be missed.
LOOK = 7
#: How many days apart statements of the same are held to be of one occasion (an assumption).
LEAD_WITHIN = 30

Proposition = tuple[str, str, int]
"""What is said, without when: of which part (``""``: the whole), how (is, not, part), which state (index)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days among which something comes true: not yet on ``lo``, by ``hi``."""

    piece: Testimony
    lo: int
    hi: int


def looked_at(piece: Testimony, first: int, today: int) -> Sequence[int]:
    """The days on which it is seen whether a refuted statement came true; ``first`` is the first day of which
    others speak."""
    last = min(piece.hi + PREMATURE_WITHIN, today)
    begin = max(piece.hi, first - 1)
    return sorted({*range(begin + LOOK, last, LOOK), last}) if begin < last else ()


def came_true(piece: Testimony, days: Sequence[int], first: int, so: Callable[[int], bool]) -> Stretch | None:
    """Where a refuted statement came true; ``so``: whether it is held true on a day. None where it never is,
    or was all the time (and is refuted by a ruling alone)."""
    if piece.hi >= first and so(piece.hi):
        return None
    before = max(piece.hi, first - 1)
    for day in days:
        if so(day):
            return Stretch(piece, before, day)
        before = day
    return None


def days_early(stretch: Stretch, so: Callable[[int], bool]) -> int:
    """Days from the last day that a statement speaks of to the one on which it came true, at least 1."""
    lo, hi = stretch.lo, stretch.hi
    while hi - lo > 1:
        middle = (lo + hi) // 2
        if so(middle):
            hi = middle
        else:
            lo = middle
    return hi - stretch.piece.hi


class Voices:
    """Who said what on which day, to see who was first."""

    def __init__(self, spoken: Iterable[tuple[Proposition, Testimony]]) -> None:
        self._said: dict[Proposition, list[tuple[int, str]]] = {}
        for proposition, piece in spoken:
            self._said.setdefault(proposition, []).append((piece.said_day, piece.source))
        for days in self._said.values():
            days.sort()

    def lead(self, proposition: Proposition, day: int, own: Collection[str]) -> int | None:
        """Days by which what was said on a day was ahead of everybody but ``own``; None where it was not."""
        days = self._said[proposition]
        at = bisect_left(days, (day, ""))
        if at and days[at - 1][0] >= day - LEAD_WITHIN:
            return None
        others = (said for said, source in days[at:] if source not in own)
        follower = next(others, None)
        if follower is None or not day < follower <= day + LEAD_WITHIN:
            return None
        return follower - day
