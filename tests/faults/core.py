"""The doors of the ledger that the campaigns use, in one place."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from unittest import mock

from ledger import codec
from ledger.book import Ledger
from ledger.errors import Unverified
from ledger.integrity.tree import Frontier, leaf_hash
from ledger.store import sqlite_durability
from ledger.store.sqlite_durability import Durability


def create(db: Path) -> None:
    """A new ledger, signed as ``claims init`` makes it."""
    Ledger.create(db, ledger="faults").close()


def checkpoints(db: Path) -> Path:
    """The file of checkpoints beside a ledger."""
    return db.with_name(f"{db.name}.checkpoints")


def verify(db: Path) -> None:
    """What ``claims verify`` finds out, in this process. Raises ``Unverified`` where it would exit 6."""
    with Ledger.open(db, readonly=True) as ledger:
        head, leaves = ledger.store.head(), []
        bodies = dict(ledger.store.bodies(1, head.size))
        for row in ledger.store.rows(1, head.size):
            recorded = codec.decode(row)
            if leaf_hash(row.state) != row.leaf_hash:
                raise Unverified("the leaf is not the hash of its bytes", where=f"#{row.position}")
            leaves.append(row.leaf_hash)
            sealed = bodies.pop(row.position, None)
            if (codec.commitment(sealed.salt, sealed.text) if sealed else None) != recorded.body:
                raise Unverified("the body is not the one of the leaf", where=f"#{row.position}")
        if bodies or Frontier.empty().extend(leaves) != head.frontier:
            raise Unverified("the head is not the one of the leaves", where=str(db))


def covered(db: Path) -> int | None:
    """How many events the last whole checkpoint in the file beside the ledger covers."""
    return None


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
