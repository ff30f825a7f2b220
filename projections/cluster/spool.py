"""What workers made, kept until all of it is there: then it is written into the view in the order and in the transactions
of a local replay, so that both make the same file. It outlives an interruption, like the candidate beside it.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path

import orjson

from projections.cluster.tasks import Result, Task
from projections.making import Made

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS done (task TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS family (root TEXT PRIMARY KEY, records INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spot (
  n INTEGER PRIMARY KEY, place TEXT NOT NULL, question TEXT NOT NULL, knots INTEGER NOT NULL,
  first INTEGER, due INTEGER, data BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS score (
  n INTEGER PRIMARY KEY, place TEXT NOT NULL, question TEXT NOT NULL,
  sources TEXT NOT NULL, counts BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS bad (
  n INTEGER PRIMARY KEY, place TEXT NOT NULL, question TEXT NOT NULL,
  position INTEGER NOT NULL, entry TEXT NOT NULL, error TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS strange (
  place TEXT NOT NULL, question TEXT NOT NULL, position INTEGER NOT NULL, entry TEXT NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (place, question, position, entry)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS redated (place TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS spot_place ON spot (place);
CREATE INDEX IF NOT EXISTS score_place ON score (place);
CREATE INDEX IF NOT EXISTS bad_place ON bad (place);
"""
_PLACES_AT_ONCE = 500


class Spool:
    """One open spool. ``pinned`` says for what replay; what was kept for another, or for other tasks, is thrown away."""

    def __init__(self, path: Path, pinned: str, tasks: Sequence[Task]) -> None:
        self.path = path
        plan = sha256(orjson.dumps(sorted(one.key for one in tasks))).hexdigest()
        self.db = self._opened()
        if self._meta() not in ({}, {"pinned": pinned, "plan": plan}):
            self.db.close()
            discard(path)
            self.db = self._opened()
        with self.db:
            self.db.executemany(
                "INSERT OR IGNORE INTO meta VALUES (?, ?)", [("pinned", pinned), ("plan", plan)]
            )

    def _opened(self) -> sqlite3.Connection:
        try:
            db = sqlite3.connect(self.path)
            db.executescript("PRAGMA synchronous = OFF; PRAGMA journal_mode = DELETE;" + _SCHEMA)
        except sqlite3.DatabaseError:
            discard(self.path)
            db = sqlite3.connect(self.path)
            db.executescript("PRAGMA synchronous = OFF;" + _SCHEMA)
        return db

    def _meta(self) -> dict[str, str]:
        return dict(self.db.execute("SELECT name, value FROM meta"))

    def close(self) -> None:
        self.db.close()

    def done(self) -> set[str]:
        """The keys of tasks that are done."""
        return {key for (key,) in self.db.execute("SELECT task FROM done")}

    def put(self, task: Task, result: Result) -> None:
        """Keep what a task came to, whole or not at all; a second time changes nothing."""
        made, key = result.made, task.key
        with self.db:
            if self.db.execute("SELECT 1 FROM done WHERE task = ?", (key,)).fetchone():
                return
            self.db.execute("INSERT INTO done VALUES (?)", (key,))
            self.db.executemany("INSERT OR REPLACE INTO family VALUES (?, ?)", result.records.items())
            self.db.executemany("INSERT INTO spot VALUES (NULL, ?, ?, ?, ?, ?, ?)", made.spots)
            self.db.executemany("INSERT INTO score VALUES (NULL, ?, ?, ?, ?)", made.scores)
            self.db.executemany("INSERT INTO bad VALUES (NULL, ?, ?, ?, ?, ?)", made.bad)
            self.db.executemany("INSERT OR IGNORE INTO strange VALUES (?, ?, ?, ?, ?)", result.strange)
            self.db.executemany(
                "INSERT OR IGNORE INTO redated VALUES (?)", [(one,) for one in result.redated]
            )

    def roots(self) -> dict[str, int]:
        """Every family, in order, with how many records it has."""
        return dict(self.db.execute("SELECT root, records FROM family ORDER BY root"))

    def made(self, places: Sequence[str]) -> Made:
        """What was made of some places, as a local replay would have made it of them together."""
        found: dict[str, list[tuple[object, ...]]] = defaultdict(list)
        for table, columns in (
            ("spot", "place, question, knots, first, due, data"),
            ("score", "place, question, sources, counts"),
            ("bad", "place, question, position, entry, error"),
        ):
            for begin in range(0, len(places), _PLACES_AT_ONCE):
                some = places[begin : begin + _PLACES_AT_ONCE]
                marks = ",".join("?" * len(some))
                sql = f"SELECT {columns} FROM {table} WHERE place IN ({marks})"
                found[table] += self.db.execute(sql, some).fetchall()
        spots = sorted(found["spot"], key=lambda one: one[:2])
        scores = sorted(found["score"], key=lambda one: one[:2])
        bad = sorted(set(found["bad"]))
        return Made(spots, scores, bad)  # type: ignore[arg-type]

    def strange(self) -> list[tuple[str, str, int, str, str]]:
        found: Iterable[tuple[str, str, int, str, str]] = self.db.execute("SELECT * FROM strange")
        return sorted(found)

    def redated(self) -> list[str]:
        return [place for (place,) in self.db.execute("SELECT place FROM redated ORDER BY place")]


def discard(path: Path) -> None:
    """Take a spool away, if there is one."""
    for name in (path, path.with_name(f"{path.name}-journal")):
        name.unlink(missing_ok=True)
