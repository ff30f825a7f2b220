"""Scores that a view was left without when it caught up.

What became of a claim is judged in hindsight, by all that is known by now: one more claim may change the scores of
all who ever spoke of its place, and finding them takes longer than making the tail of its beliefs. Few questions
ask for them. So a view that catches up only notes of which families the scores are older than itself; they are made
when somebody asks, as of where the view then stands, and are those of a view made from nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from projections.making import Maker

TABLE = "CREATE TABLE IF NOT EXISTS unscored (root TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;"


def roots(db: sqlite3.Connection) -> set[str]:
    """Families of which the scores are older than the view, by their roots."""
    return {root for (root,) in db.execute("SELECT root FROM unscored")}


def note(db: sqlite3.Connection, touched: Iterable[str], maker: Maker) -> None:
    """Note families that were touched, and those of which scores are due, inside whoever's transaction."""
    due = db.execute("SELECT DISTINCT place FROM spot WHERE due <= ?", (maker.known,)).fetchall()
    unscored = {*touched, *(maker.families.root(place) for (place,) in due)}
    db.executemany("INSERT OR IGNORE INTO unscored VALUES (?)", ((root,) for root in sorted(unscored)))


def make(db: sqlite3.Connection, maker: Maker) -> None:
    """Make what is missing, inside whoever's transaction; the maker stands where the view does."""
    missing = roots(db)
    for root in missing:
        for place in maker.families.members(root):
            db.execute("DELETE FROM score WHERE place = ?", (place,))
    for some in maker.jobs({root: count for root, count in maker.roots().items() if root in missing}):
        made = maker.score(some)
        db.executemany("INSERT INTO score VALUES (?, ?, ?, ?)", made.scores)
        due = [(due, place, question) for place, question, _, _, due, _ in made.spots]
        db.executemany("UPDATE spot SET due = ? WHERE place = ? AND question = ?", due)
    db.execute("DELETE FROM unscored")
