"""The tail of a place: from which day on what was believed of it then may differ, once something more is recorded.

No event that is known later moves an earlier answer, but for those that act at every moment. So knots from before the
first day on which anything new was known stand, and only those from it on are made anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from ledger.codec import Recorded
from projections import blobs
from projections.belief.tally import day_of
from projections.case import known_at, ruled_at
from projections.envelopes.reading import ENTRIES, FATES

if TYPE_CHECKING:
    from projections.columns.standing import Standing

WHOLE = 0
"""Earlier than any day: nothing of what was made of a place stands."""

_RULED = frozenset(("state-ruled", "claim-adjudicated", "evidence-voided"))


def tail_of(recorded: Recorded) -> int:
    """The first day (an ordinal) on which an event can move what was believed then; ``WHOLE`` for what acts
    at every moment: corrections, what befalls a ruling, and everything about places and sources."""
    if recorded.name not in ENTRIES | FATES or recorded.name == "entry-corrected":
        return WHOLE
    if recorded.name in FATES and "@" in str(recorded.data.get("target")):
        return WHOLE
    try:
        known = ruled_at if recorded.name in _RULED else known_at
        return day_of(known(recorded.data, recorded.recorded))
    except Exception:
        return WHOLE  # what cannot be read is quarantined, whatever it says of when it was known


class Kept:
    """What a view holds of some places, of which the tail is made anew: looked up by place and question."""

    def __init__(self, db: sqlite3.Connection, tails: Mapping[str, int]) -> None:
        """``tails``: place → the first day that may differ."""
        self._db, self._tails = db, tails

    def __call__(self, place: str, question: str) -> Standing | None:
        from projections.columns.standing import Standing

        until = self._tails.get(place, WHOLE)
        if until == WHOLE:
            return None
        sql = "SELECT data FROM spot WHERE place = ? AND question = ?"
        found = self._db.execute(sql, (place, question)).fetchone()
        return Standing(blobs.unpack(found[0]), until) if found else None


def earliest(tails: dict[str, int], roots: Collection[str], day: int) -> None:
    """Note a day for some families, where none was or a later one."""
    for root in roots:
        tails[root] = min(day, tails.get(root, day))
