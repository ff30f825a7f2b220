"""The SQLite file of a ledger: its tables, how it is made, and how it is recognised.

A file is made by one transaction, so that a crash leaves either nothing or a whole ledger. It carries an
application id and a schema version, and opening compares every table and trigger with the text below: a
trigger that somebody dropped is found before the first row is read. The triggers guard against accidents;
what makes the record trustworthy are the hashes.

Never look into the file with ``open()`` here: closing it would drop every lock that this process holds on it
through SQLite (POSIX locks belong to the process, not to the handle).
"""

from __future__ import annotations

import os
import re
import sqlite3
import stat

from ledger.errors import LedgerError, Locked, NoLedger, Unverified, WriteFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

APPLICATION_ID = 0x434C4C47  # "CLLG"
SCHEMA_VERSION = 2
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables
_SMALLEST = 512  # bytes of the smallest page

_TABLES = {
    # The id column must be called rowid, or the library's recorder cannot read it.
    "stored_events": """CREATE TABLE stored_events (
  rowid INTEGER PRIMARY KEY AUTOINCREMENT,
  originator_id TEXT NOT NULL,
  originator_version INTEGER NOT NULL CHECK (originator_version >= 1),
  topic TEXT NOT NULL,
  state BLOB NOT NULL,
  leaf_hash BLOB NOT NULL CHECK (length(leaf_hash) = 32),
  UNIQUE (originator_id, originator_version)
) STRICT""",
    "ledger_head": """CREATE TABLE ledger_head (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  size INTEGER NOT NULL CHECK (size >= 0),
  frontier BLOB NOT NULL,
  recorded TEXT
) STRICT""",
    "ledger_body": """CREATE TABLE ledger_body (
  position INTEGER PRIMARY KEY,
  salt BLOB NOT NULL CHECK (length(salt) = 32),
  body BLOB NOT NULL
) STRICT""",
    "ledger_key": """CREATE TABLE ledger_key (
  key TEXT PRIMARY KEY,
  position INTEGER NOT NULL
) STRICT, WITHOUT ROWID""",
    "ledger_mark": """CREATE TABLE ledger_mark (
  mark INTEGER NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (mark, position)
) STRICT, WITHOUT ROWID""",
    "ledger_registry": "CREATE TABLE ledger_registry (position INTEGER PRIMARY KEY) STRICT",
}

#: What version 2 added: the tree's inner nodes at every fourth height, encrypted bodies, and what the file says of
#: itself (who signs it, whether it is sealed, sums over its marks).
_SINCE_2 = {
    "ledger_node": """CREATE TABLE ledger_node (
  height INTEGER NOT NULL CHECK (height >= 4 AND height % 4 = 0),
  number INTEGER NOT NULL CHECK (number >= 0),
  hash BLOB NOT NULL CHECK (length(hash) = 32),
  PRIMARY KEY (height, number)
) STRICT, WITHOUT ROWID""",
    "ledger_cipher": """CREATE TABLE ledger_cipher (
  position INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  sealed BLOB NOT NULL
) STRICT""",
    "ledger_setting": """CREATE TABLE ledger_setting (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID""",
}

_TRIGGERS = {
    "stored_events_no_update": """CREATE TRIGGER stored_events_no_update BEFORE UPDATE ON stored_events
BEGIN SELECT RAISE(ABORT, 'a recorded event is never changed: append a correction'); END""",
    "stored_events_no_delete": """CREATE TRIGGER stored_events_no_delete BEFORE DELETE ON stored_events
BEGIN SELECT RAISE(ABORT, 'a recorded event is never deleted: append a retraction'); END""",
    # INSERT OR REPLACE deletes without waking the trigger above.
    "stored_events_no_replace": """CREATE TRIGGER stored_events_no_replace BEFORE INSERT ON stored_events
WHEN EXISTS (SELECT 1 FROM stored_events
    WHERE originator_id = NEW.originator_id AND originator_version = NEW.originator_version)
  OR EXISTS (SELECT 1 FROM stored_events WHERE rowid = NEW.rowid)
BEGIN SELECT RAISE(ABORT, 'a recorded event is never replaced: append another'); END""",
}

# What SQLite makes by itself for the counter of positions.
_COUNTER, _COUNTER_SQL = "sqlite_sequence", "CREATE TABLE sqlite_sequence(name,seq)"
# Of a stranger's: tables, indexes on them, and what ANALYZE writes.
_HARMLESS = re.compile(r"CREATE (TABLE|INDEX|UNIQUE INDEX) ")

_OBJECTS = {1: _TABLES | _TRIGGERS, 2: _TABLES | _SINCE_2 | _TRIGGERS}


def uri(path: Path, mode: Literal["ro", "rw", "rwc"], *, immutable: bool = False) -> str:
    """The address under which SQLite opens a file of any name, in one mode only."""
    return f"{path.absolute().as_uri()}?mode={mode}{'&immutable=1' if immutable else ''}"


def make(path: Path, timeout: float) -> None:
    """Make an empty ledger at ``path``, which must be free (or an empty file) in an existing folder.

    Raises ``LedgerError`` where that is not so, ``WriteFailed`` where the file cannot be written.
    """
    check_library(path)
    where = str(path)
    if not os.path.isdir(path.parent):
        folder = _quoted(str(path.parent))
        raise LedgerError(
            "its folder does not exist", where=where, remedy=f"Make it first: `mkdir -p {folder}`"
        )
    there = os.path.exists(path) and (not os.path.isfile(path) or os.path.getsize(path))
    if there and not _never_made(path, timeout):
        raise _taken(where)
    try:
        raw = sqlite3.connect(uri(path, "rwc"), uri=True, isolation_level=None, timeout=timeout)
        try:
            _write_schema(raw, where)
        finally:
            raw.close()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            raise Locked("somebody else is making it", where=where, remedy="Try again in a moment") from error
        raise WriteFailed(
            f"cannot be made ({error})", where=where, remedy="Check the folder's rights and free space"
        ) from error


def _never_made(path: Path, timeout: float) -> bool:
    """Whether somebody was killed while making a ledger here, so that nothing is in it once that is rolled back."""
    if not os.path.isfile(path) or not os.path.exists(f"{path}-journal"):
        return False
    try:
        raw = sqlite3.connect(uri(path, "rw"), uri=True, timeout=timeout)
        try:
            return bool(raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0)
        finally:
            raw.close()
    except sqlite3.Error:
        return False


def _write_schema(raw: sqlite3.Connection, where: str) -> None:
    raw.execute("PRAGMA synchronous = EXTRA")
    raw.execute("BEGIN IMMEDIATE")
    if raw.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise _taken(where)  # another process was faster
    for statement in _OBJECTS[SCHEMA_VERSION].values():
        raw.execute(statement)
    raw.execute("INSERT INTO ledger_head (id, size, frontier, recorded) VALUES (1, 0, x'', NULL)")
    raw.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    raw.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    raw.execute("COMMIT")


def _taken(where: str) -> LedgerError:
    return LedgerError(
        "already exists and is not empty",
        where=where,
        remedy="Choose another path, or move it out of the way",
    )


def check_library(path: Path) -> None:
    """Refuse an SQLite library that cannot read our tables."""
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise LedgerError(
            f"Python's SQLite is {sqlite3.sqlite_version}, too old for a ledger",
            where=str(path),
            remedy=f"Use a Python built with SQLite {'.'.join(map(str, OLDEST_SQLITE))} or newer",
        )


def check_file(path: Path) -> None:
    """Refuse what cannot be a ledger before SQLite sees it. Raises ``NoLedger``; touches nothing."""
    check_library(path)
    try:
        found = path.stat()
    except FileNotFoundError:
        near = _similar(path)
        hint = f"Did you mean {_quoted(str(near))}? Otherwise make" if near else "Make"
        raise no_ledger(path, "there is no such file", make_here=True, hint=hint) from None
    except (OSError, ValueError) as error:
        raise no_ledger(path, f"cannot be looked at ({getattr(error, 'strerror', error)})") from None
    if stat.S_ISDIR(found.st_mode):
        raise no_ledger(path, "is a folder, not a ledger")
    if not stat.S_ISREG(found.st_mode):
        raise no_ledger(path, "is not a regular file")
    if not found.st_size:
        raise no_ledger(path, "is an empty file, not a ledger yet", make_here=True)
    if found.st_size < _SMALLEST:  # SQLite would take it for an empty database
        raise no_ledger(path, "is not an SQLite database, so no ledger")


def recognise(raw: sqlite3.Connection, path: Path) -> None:
    """Refuse an SQLite database that is not a ledger of ours.

    Raises ``NoLedger`` for a stranger's or a newer one, ``Unverified`` for one whose tables or triggers are
    not as we made them.
    """
    application = raw.execute("PRAGMA application_id").fetchone()[0]
    version = raw.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID or version < 1:
        raise no_ledger(path, "is an SQLite database, but not a ledger")
    if version > SCHEMA_VERSION:
        raise NoLedger(
            f"has schema version {version}, this program knows {SCHEMA_VERSION}",
            where=str(path),
            remedy="Use a newer claim-ledger",
        )
    _compare(raw, path, _OBJECTS[version])


def version_of(raw: sqlite3.Connection) -> int:
    """The schema version of a ledger that was recognised."""
    return int(raw.execute("PRAGMA user_version").fetchone()[0])


def older(path: Path) -> NoLedger:
    """The refusal to read a file of an earlier schema, which only a writing command can bring up to date."""
    return NoLedger(
        f"has an earlier schema than version {SCHEMA_VERSION}",
        where=str(path),
        remedy="Bring it up to date, which changes no event: `claims checkpoint --new-origin`",
    )


def add_since_2(raw: sqlite3.Connection) -> None:
    """Make what version 2 added, inside the caller's transaction; filling it is the caller's."""
    for statement in _SINCE_2.values():
        raw.execute(statement)
    raw.execute("PRAGMA user_version = 2")


def _compare(raw: sqlite3.Connection, path: Path, objects: dict[str, str]) -> None:
    """Every object of ours is there, word for word, and nothing of a stranger's hangs on our tables. What runs when it
    is read or looked through (views, triggers, virtual tables) is refused wherever it hangs; what kind a thing is,
    is told by its SQL, as SQLite does, and not by the columns beside it, which anybody can write."""
    found: dict[str, str] = {}
    for kind, name, table, sql in raw.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema"):
        if name in objects:
            found[name] = sql
        elif sql is None and str(name).startswith("sqlite_autoindex_"):
            continue
        elif table in objects or (name == _COUNTER) != (sql == _COUNTER_SQL) or not _HARMLESS.match(str(sql)):
            raise _tampered(path, f"{kind} {name} is none of the ledger's")
    for name, sql in objects.items():
        if found.get(name) != sql:
            kind = "trigger" if name in _TRIGGERS else "table"
            raise _tampered(path, f"{kind} {name} is {'altered' if name in found else 'missing'}")


def _tampered(path: Path, what: str) -> Unverified:
    return Unverified(
        f"this is not the schema that was made here: {what}",
        where=str(path),
        remedy="Keep this file as evidence, and restore a backup or an export",
    )


def no_ledger(path: Path, what: str, *, make_here: bool = False, hint: str = "Make") -> NoLedger:
    """The refusal, with what to type next: at this path where it is free, beside it where it is not."""
    free = path if make_here else path / "claims.db" if os.path.isdir(path) else path.with_name("claims.db")
    name = _quoted(str(free)) if make_here or not os.path.exists(free) else "PATH"
    return NoLedger(
        what, where=str(path), remedy=f"{hint} a ledger: `claims init {name}` or `claims demo {name}`"
    )


def _similar(path: Path) -> Path | None:
    """A database in the same folder that is spelled almost like the one asked for."""
    try:
        names = sorted(entry.name for entry in path.parent.iterdir() if entry.suffix == ".db")
    except OSError:
        return None
    import difflib

    close = difflib.get_close_matches(path.name, names, n=1)
    return path.with_name(close[0]) if close else None


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
