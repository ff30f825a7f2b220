"""The doors of the ledger that the campaigns use, in one place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from unittest import mock

from ledger.book import Ledger
from ledger.errors import Unverified
from ledger.integrity import verifying
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.journal import Journal
from ledger.integrity.note import Note
from ledger.store.sqlite import durability as sqlite_durability
from ledger.store.sqlite.durability import Durability


def create(db: Path, *, encrypted: bool = False) -> None:
    """A new ledger, signed as ``claims init`` makes it."""
    Ledger.create(db, ledger="faults", encrypted=encrypted).close()


def checkpoints(db: Path) -> Path:
    """The file of checkpoints beside a ledger."""
    return Journal(db).path


def verify(db: Path) -> None:
    """What ``claims verify`` does, in this process. Raises ``LedgerError`` where it would not end with 0."""
    with Ledger.open(db, readonly=True) as ledger:
        for check in verifying.verify(ledger, db):
            if check.ok is False:
                raise Unverified(f"{check.name}: {check.detail}", where=str(db))


def covered(db: Path) -> int:
    """How many events the last whole checkpoint in the file beside the ledger covers."""
    note = Journal(db).tail().note
    return Checkpoint.read(Note.parse(note).text).size if note else 0


def content(db: Path) -> str:
    """A digest of all that can be read from a ledger: every table by its rows, every lookup by its answers.

    The lookups are part of it because an index can be damaged while the rows below it are whole.
    """
    digest = sha256()
    with closing(sqlite3.connect(f"{db.absolute().as_uri()}?mode=ro", uri=True)) as raw:
        tables = sorted(raw.execute("SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'trigger')"))
        for line in tables:
            digest.update(repr(line).encode())
        for name, sql in tables:
            if sql is not None and sql.startswith("CREATE TABLE"):
                for row in raw.execute(f"SELECT * FROM {name} NOT INDEXED"):
                    digest.update(repr(row).encode())
        for pragma in ("application_id", "user_version"):
            digest.update(repr(raw.execute(f"PRAGMA {pragma}").fetchall()).encode())
        keys = raw.execute("SELECT key, position FROM ledger_key").fetchall()
        marks = raw.execute("SELECT DISTINCT mark FROM ledger_mark").fetchall()
    with Ledger.open(db, readonly=True) as ledger:
        for recorded in ledger.events():
            digest.update(repr((recorded.position, recorded.stream, recorded.data)).encode())
            digest.update(repr([one.position for one in ledger.store.stream(recorded.stream)]).encode())
            digest.update(repr(ledger.store.find_streams(recorded.stream)).encode())
        digest.update(repr([(key, ledger.store.position_of_key(key)) for key, _ in keys]).encode())
        digest.update(repr([ledger.store.marked(mark) for (mark,) in marks]).encode())
        digest.update(repr([(at, sealed) for at, sealed in ledger.store.bodies()]).encode())
    return digest.hexdigest()


@contextmanager
def forced(journal: str | None, synchronous: str | None = None) -> Iterator[None]:
    """Commits reach the disk as said here, whatever this SQLite would get: for these campaigns alone.

    Without a journal mode nothing is forced.
    """
    if journal is None or synchronous is None:
        yield
        return
    chosen = Durability(journal, synchronous, "forced by a campaign of faults")
    with mock.patch.object(sqlite_durability, "durability_for", return_value=chosen):
        yield
