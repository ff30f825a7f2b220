"""How commits reach the disk: which journal mode and synchronous level, and why."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import WriteFailed


@dataclass(frozen=True, slots=True)
class Durability:
    """How commits reach the disk: SQLite's journal mode and synchronous level, and why these."""

    journal: str
    synchronous: str
    reason: str


ROLLBACK = ("delete", "extra")
"""A rollback journal whose removal is synced too: slower, and safe on every SQLite."""

_LEVELS = {0: "off", 1: "normal", 2: "full", 3: "extra"}


def durability_for(version: tuple[int, ...], spelled: str | None = None) -> Durability:
    """What to choose on an SQLite ``version``: a commit must have reached the disk, and nothing be damaged.

    Before 3.51.3 two connections that write and checkpoint at the same moment can corrupt a WAL database; the
    fix was also put into 3.50.7 and 3.44.6.
    """
    name = spelled or ".".join(map(str, version))
    if version >= (3, 51, 3) or (3, 50, 7) <= version < (3, 51) or (3, 44, 6) <= version < (3, 45):
        return Durability("wal", "full", f"SQLite {name} is safe with a write-ahead log and several writers")
    return Durability(
        *ROLLBACK,
        f"SQLite {name} can damage a write-ahead log when two connections write and checkpoint at once "
        "(mended in 3.44.6, 3.50.7 and 3.51.3), so a rollback journal is used: slower, and safe",
    )


def settle(raw: sqlite3.Connection, path: Path, *, readonly: bool) -> Durability:
    """Set journal mode and synchronous level, and read back what they became."""
    wanted = durability_for(sqlite3.sqlite_version_info, sqlite3.sqlite_version)
    found = _pragma(raw, "journal_mode")
    if readonly:  # the journal mode belongs to the file
        raw.execute(f"PRAGMA synchronous = {wanted.synchronous}")
        return Durability(found, wanted.synchronous, f"opened for reading only; {wanted.reason}")
    if found != wanted.journal:
        found = _pragma(raw, f"journal_mode = {wanted.journal}")
    if found != wanted.journal:
        if wanted.journal != "wal" or found != ROLLBACK[0]:
            raise _unsafe(path, f"journal mode {wanted.journal} is refused, it stays {found}")
        wanted = Durability(*ROLLBACK, "this file system cannot hold a write-ahead log")
    raw.execute(f"PRAGMA synchronous = {wanted.synchronous}")
    with suppress(sqlite3.Error):  # on macOS only these make a sync reach the disk; elsewhere they do nothing
        raw.execute("PRAGMA fullfsync = ON")
        raw.execute("PRAGMA checkpoint_fullfsync = ON")
    level = read_back(raw)
    if level != (wanted.journal, wanted.synchronous):
        raise _unsafe(path, f"{wanted.journal}/{wanted.synchronous} was set, {'/'.join(level)} is read back")
    return wanted


def _unsafe(path: Path, what: str) -> WriteFailed:
    return WriteFailed(
        f"commits would not be safe here: {what}", where=str(path), remedy="Use another folder"
    )


def read_back(raw: sqlite3.Connection) -> tuple[str, str]:
    """Journal mode and synchronous level as this connection reports them."""
    return _pragma(raw, "journal_mode"), _LEVELS[raw.execute("PRAGMA synchronous").fetchone()[0]]


def _pragma(raw: sqlite3.Connection, text: str) -> str:
    return str(raw.execute(f"PRAGMA {text}").fetchone()[0]).lower()
