"""One view: a file that says how far it has come and what made it, and stays a candidate until it is whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.errors import Locked
from projections import overdue
from projections.anchor import Anchor
from projections.engine import Quarantined
from projections.making import Made
from projections.registry import Loaded

if TYPE_CHECKING:
    from projections.belief.voices import Learnt

_META = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
  position INTEGER NOT NULL, entry TEXT NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (position, entry)) STRICT, WITHOUT ROWID;
"""

#: The tables of a view that holds what a logic believes.
BELIEFS = (
    """
CREATE TABLE IF NOT EXISTS spot (
  n INTEGER PRIMARY KEY, place TEXT NOT NULL, question TEXT NOT NULL, knots INTEGER NOT NULL,
  first INTEGER, due INTEGER, data BLOB NOT NULL, UNIQUE (place, question)) STRICT;
CREATE INDEX IF NOT EXISTS spot_due ON spot (due) WHERE due IS NOT NULL;
CREATE TABLE IF NOT EXISTS score (
  place TEXT NOT NULL, question TEXT NOT NULL, sources TEXT NOT NULL, counts BLOB NOT NULL,
  PRIMARY KEY (place, question)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS estimate (
  question TEXT NOT NULL, known INTEGER NOT NULL, position INTEGER NOT NULL, heard INTEGER NOT NULL,
  temperature REAL NOT NULL, voices TEXT NOT NULL, shape TEXT NOT NULL, logs BLOB NOT NULL, rates BLOB NOT NULL,
  PRIMARY KEY (question, known)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS choked (
  place TEXT NOT NULL, question TEXT NOT NULL,
  position INTEGER NOT NULL, entry TEXT NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (place, question, position, entry)) STRICT, WITHOUT ROWID;
"""
    + overdue.TABLE
)


@dataclass(frozen=True, slots=True)
class Stamp:
    """How far a view has come in whose ledger, and the fingerprint of the logic that made it; ``given`` marks
    parameters of a user's own."""

    anchor: Anchor
    fingerprint: str
    path: Path = Path()
    given: str = ""

    @property
    def position(self) -> int:
        return self.anchor.position

    @property
    def logic(self) -> str:
        """``NAME@VERSION`` of the logic that made it."""
        return self.path.name.partition("+")[0]


class View:
    """One view file: its connection, stamp and quarantine."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None, timeout=60.0)
        self.db.execute("PRAGMA cache_size = -65536")
        self.db.execute("PRAGMA synchronous = OFF")  # what a power cut damages is made again
        self.db.executescript(_META + schema)
        self._file = file_at(path)

    def in_place(self) -> bool:
        """Whether the open file is still the one of that name: others may have moved a newer one there."""
        return file_at(self.path) == self._file

    def close(self) -> None:
        self.db.close()

    def stamp(self) -> Stamp | None:
        meta = dict(self.db.execute("SELECT name, value FROM meta"))
        if "position" not in meta:
            return None
        at = Anchor(meta["ledger"], int(meta["position"]), meta["leaf"], meta.get("roots", ""))
        return Stamp(at, meta["fingerprint"], self.path, meta.get("given", ""))

    def put_stamp(self, stamp: Stamp) -> None:
        values = {
            "ledger": stamp.anchor.ledger,
            "position": str(stamp.position),
            "leaf": stamp.anchor.leaf,
            "roots": stamp.anchor.roots,
            "fingerprint": stamp.fingerprint,
            "given": stamp.given,
        }
        self.db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", sorted(values.items()))

    def begun(self, stamp: Stamp) -> bool:
        """Whether a candidate was begun for just this stamp, so that its making can go on."""
        meta = dict(self.db.execute("SELECT name, value FROM meta"))
        return meta.get("building") == pinned(stamp)

    def begin(self, stamp: Stamp) -> None:
        """Note what a candidate is made for."""
        with self.transaction():
            self.db.execute("INSERT OR REPLACE INTO meta VALUES ('building', ?)", (pinned(stamp),))
            self.finish(0)

    def finished(self) -> int:
        """How many jobs of a candidate are done."""
        row = self.db.execute("SELECT value FROM meta WHERE name = 'finished'").fetchone()
        return int(row[0]) if row else 0

    def finish(self, jobs: int | None) -> None:
        """Note how many jobs are done; None: all of them, and it is no candidate any more."""
        if jobs is None:
            self.db.execute("DELETE FROM meta WHERE name IN ('building', 'finished')")
        else:
            self.db.execute("INSERT OR REPLACE INTO meta VALUES ('finished', ?)", (str(jobs),))

    def put(self, made: Made) -> None:
        """Rows that were made, in order, inside whoever's transaction."""
        self.db.executemany(
            "INSERT INTO spot (place, question, knots, first, due, data) VALUES (?, ?, ?, ?, ?, ?)",
            made.spots,
        )
        self.db.executemany("INSERT INTO score VALUES (?, ?, ?, ?)", made.scores)
        self.choke(made.bad)

    def choke(self, bad: Iterable[tuple[str, str, int, str, str]]) -> None:
        """Quarantine entries of places."""
        self.db.executemany("INSERT OR REPLACE INTO choked VALUES (?, ?, ?, ?, ?)", bad)

    def seal(self, strange: Iterable[tuple[str, str, int, str, str]], stamp: Stamp) -> None:
        """A candidate is whole: what there is no place for, and its stamp."""
        self.choke(strange)
        self.finish(None)
        self.put_stamp(stamp)

    @cached_property
    def learnt(self) -> Learnt:
        """The estimates it was judged by. Read once: they never change, and tables made of them are known by them."""
        from projections import lessons

        return lessons.load(self.db)

    def quarantine(self, bad: Iterable[Quarantined]) -> None:
        self.db.executemany(
            "INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)",
            [(one.position, one.entry, one.error) for one in bad],
        )

    def quarantined(self) -> list[Quarantined]:
        return [Quarantined(*row) for row in self.db.execute("SELECT * FROM quarantine ORDER BY 1, 2")]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Locked(
                f"the view is being rebuilt by another process ({error})",
                where=str(self.path),
                remedy="try again when it is done",
            ) from None
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise


def taught(loaded: Loaded, view: View) -> Loaded:
    """A logic with what its view has learnt; any other as it is."""
    if not loaded.logic.learns:
        return loaded
    return replace(loaded, logic=replace(loaded.logic, learnt=view.learnt))


def file_name(loaded: Loaded) -> str:
    """The file of a logic's view: versions stand side by side under name, version and fingerprint."""
    return f"{loaded.logic.id}+{loaded.fingerprint[:12]}.db"


def pinned(stamp: Stamp) -> str:
    """The ledger, the position and leaf in it, and the fingerprint: what a candidate is made for, in a line."""
    at = stamp.anchor
    return f"{at.ledger} {at.position} {at.leaf} {stamp.fingerprint}"


def candidate_at(path: Path, stamp: Stamp) -> View:
    """A view under construction: the one left behind for the same stamp, else an empty one."""
    try:
        view = View(path, BELIEFS)
        if view.begun(stamp):
            return view
        view.close()
    except sqlite3.DatabaseError:
        pass
    path.unlink(missing_ok=True)
    path.with_name(f"{path.name}-journal").unlink(missing_ok=True)
    view = View(path, BELIEFS)
    view.begin(stamp)
    return view


def spool_of(candidate: Path) -> Path:
    """Where a cluster keeps what its workers made until all of it is there."""
    return candidate.with_name(f"{candidate.name}.spool")


def file_at(path: Path) -> tuple[int, int] | None:
    """Which file stands under a name; None: no file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


@contextmanager
def alone_at(path: Path) -> Iterator[bool]:
    """Whether no other process is at it; it is ours until the block ends. Where a lock cannot be had at all
    (no such locks on the system) we are taken not to be alone, and nothing is gone on with."""
    try:
        import fcntl
    except ImportError:
        yield False
        return
    with open(path, "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield False
            return
        yield True
