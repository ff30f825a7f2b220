"""Corrections that may have taken an entry out of an answer or brought it in: worked out once for a place.

Whether one did depends on the day asked about and on what was known; what it did to the entry does not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ledger.directory import Directory
from projections.case import Correction, days_of, known_at
from projections.record import Record

Start = tuple[int, int]
"""When an entry was known (microseconds since 1970), and the first day (ordinal) that it speaks of."""


class Redated(NamedTuple):
    """A correction after which an entry counts from another moment or day on. ``words`` name the entry and
    what was changed; ``unread`` is the correction itself where one of its dates cannot be read."""

    position: int
    words: str
    before: Start
    after: Start
    unread: Correction | None = None

    def moved(self, known: int, day: int) -> str | None:
        """``removed`` or ``added`` where it took the entry out of an answer or brought it in. Raises for dates
        that cannot be read, where one of them would have to be."""
        if self.unread is not None:
            return self._moved_unread(self.unread, known, day)
        before = self.before[0] <= known and self.before[1] <= day
        after = self.after[0] <= known and self.after[1] <= day
        return None if before == after else "removed" if before else "added"

    def _moved_unread(self, one: Correction, known: int, day: int) -> str | None:
        def counts(data: dict[str, Any]) -> bool:
            since = known_at(data, one.recorded)
            return since <= known and days_of(data, since)[0] <= day

        before = counts(one.before)
        return None if before == counts(one.after) else "removed" if before else "added"


def redated(
    record: Record, place: str, question: str, directory: Directory, position: int
) -> tuple[Redated, ...]:
    """What corrections recorded by a position did to when the entries of a place count."""
    found = []
    for one in record.corrections(place, question, directory, position):
        words = f"{one.entry[:14]} here: {_changes(one.before, one.after)}"
        try:
            before, after = _start(one.before, one.recorded), _start(one.after, one.recorded)
        except Exception:  # as it may be raised again, or not, for a question
            found.append(Redated(one.position, words, (0, 0), (0, 0), one))
            continue
        if before != after:
            found.append(Redated(one.position, words, before, after))
    return tuple(found)


def _start(data: dict[str, Any], recorded: str) -> Start:
    known = known_at(data, recorded)
    return known, days_of(data, known)[0]


def _changes(before: dict[str, Any], after: dict[str, Any]) -> str:
    names = sorted(n for n in before.keys() | after.keys() if before.get(n) != after.get(n))
    return ", ".join(f"{name} {before.get(name, '-')} → {after.get(name, '-')}" for name in names)


def corrected(record: Record, directory: Directory) -> frozenset[str]:
    """Ids of all places of which entries were ever corrected, or moved there, and of those they are now."""
    cache = record._cache
    codes = {one for (one,) in cache.db.execute("SELECT place FROM fate WHERE name = 'entry-corrected'")}
    codes |= {place for place, _, _ in cache.every_move()}
    names = [cache.codes.names[code] for code in codes]
    return frozenset((*names, *map(directory.place_id, names)))
