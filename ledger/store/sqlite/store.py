"""A ledger in one SQLite file, written through eventsourcing's application recorder.

The recorder's table ``stored_events`` is the record. Leaf hashes, bodies, keys, marks, the list of registry
rows and the tree head are written beside it in the same transaction. Nothing here resolves a topic or imports
what a row names; the library's factory is left out because it does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from ledger.errors import Unverified, WriteFailed
from ledger.integrity.proof import STEP
from ledger.integrity.tree import Frontier
from ledger.store.sqlite import durability as sqlite_durability
from ledger.store.sqlite import schema as sqlite_schema
from ledger.store.sqlite.auditing import Audits
from ledger.store.sqlite.pool import LedgerCursor, LedgerDatastore
from ledger.store.sqlite.recorder import (
    MARKS,
    REMEMBER,
    LedgerRecorder,
    hashes,
    keep_nodes,
    mark_sums,
    read_head,
)
from ledger.store.sqlite.writing import SqliteWriter

if TYPE_CHECKING:
    from ledger.store.sqlite.stepping import Stepper

_AT_A_STROKE = 1 << 16  # leaves hashed at a time when the tree is made anew


class SqliteStore(Audits):
    """A ledger's storage in one SQLite file. Made by ``create``, found by ``open``; never made by reading."""

    def __init__(self, recorder: LedgerRecorder, datastore: LedgerDatastore) -> None:
        self.recorder = recorder
        self.where = recorder.where
        self._datastore = datastore
        self._whole = False  # whether the file was seen to be as long as it says

    @classmethod
    def create(cls, path: str | PathLike[str], *, timeout: float = 60.0) -> Self:
        """Make an empty ledger and open it.

        Raises ``LedgerError`` when there is already something, or no folder to put it in; ``WriteFailed``
        when it cannot be written. A crash leaves a whole ledger or an empty file, over which it can be made.
        """
        sqlite_schema.make(Path(path), timeout)
        return cls.open(path, timeout=timeout)

    @classmethod
    def open(cls, path: str | PathLike[str], *, readonly: bool = False, timeout: float = 60.0) -> Self:
        """Open what is there; ``timeout`` is the longest wait for a lock, in seconds.

        Raises ``NoLedger`` for anything but a ledger, ``Unverified`` for one with altered tables or triggers.
        """
        path = Path(path)
        sqlite_schema.check_file(path)
        datastore = LedgerDatastore(path, readonly=readonly, timeout=timeout)
        try:
            with datastore.reading() as cursor:
                [(version,)] = cursor.ask("PRAGMA user_version")
            if version < sqlite_schema.SCHEMA_VERSION:
                _bring_up(datastore, readonly=readonly)
            return cls(LedgerRecorder(datastore), datastore)
        except BaseException:
            datastore.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if stepper := self.__dict__.pop("_stepper", None):
            stepper.close()
        self._datastore.close()

    def _reading(self) -> AbstractContextManager[LedgerCursor]:
        return self._datastore.reading()

    @cached_property
    def _stepper(self) -> Stepper | None:
        with suppress(ImportError, OSError):
            from ledger.store.sqlite.stepping import Stepper

            return Stepper(self._datastore.pool.reading_uri(), mapped=self._mapped)
        return None

    def durability(self) -> tuple[str, str]:
        """Journal mode and synchronous level, in small letters, as SQLite reports them now."""
        with self._reading() as cursor:
            return sqlite_durability.read_back(cursor.sqlite_cursor.connection)

    @property
    def durability_reason(self) -> str:
        """Why these were chosen, for people."""
        chosen = self._datastore.pool.durability
        return chosen.reason if chosen else ""

    @contextmanager
    def writer(self) -> Iterator[SqliteWriter]:
        """See ``Store.writer``. Raises ``WriteFailed`` on a store that was opened for reading."""
        if self._datastore.pool.readonly:
            raise WriteFailed("opened for reading only", where=self.where)
        with self._datastore.transaction(commit=True) as cursor:
            if not self._whole:
                self._refuse_cut(cast(LedgerCursor, cursor))
                self._whole = True
            writer = SqliteWriter(self.recorder, cast(LedgerCursor, cursor))
            try:
                yield writer
            finally:
                writer.end()

    def _refuse_cut(self, cursor: LedgerCursor) -> None:
        """Raise ``Unverified`` for a file that is shorter than what it says of itself."""
        cut = self._cut(cursor)
        if cut:
            raise Unverified(
                cut,
                where=self.where,
                remedy="Nothing was recorded; keep this file as evidence, and restore a backup or an export",
            )

    def _cut(self, cursor: LedgerCursor) -> str | None:
        """What is to be said of a file that is shorter than what it says of itself; None where it is not. With a
        write-ahead log it may be shorter: then the rest lies in the log."""
        if cursor.ask("PRAGMA journal_mode") == [("wal",)]:
            return None
        [(pages,)], [(size,)] = cursor.ask("PRAGMA page_count"), cursor.ask("PRAGMA page_size")
        there = os.stat(self._datastore.pool.path).st_size
        if there >= pages * size:
            return None
        return f"the file was cut off: it has {there:,} bytes and says that it has {pages * size:,}"

    def compact(self) -> None:
        """See ``Store.compact``."""
        with self._datastore.get_connection(commit=True) as connection:
            cursor = cast(LedgerCursor, connection.cursor())
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            cursor.close()

    def copy_to(self, target: Path) -> None:
        """Write all of it into a new file, as of now. Raises ``WriteFailed`` where that cannot be done."""
        with self._datastore.get_connection(commit=False) as connection:
            cursor = cast(LedgerCursor, connection.cursor())
            try:
                cursor.execute("VACUUM INTO ?", (str(target),))
            finally:
                cursor.close()


def _bring_up(datastore: LedgerDatastore, *, readonly: bool) -> None:
    """Give a ledger of schema version 1 what version 2 keeps beside the rows; what is recorded stays as it is.

    Raises ``NoLedger`` where it was opened for reading, which never writes.
    """
    path = datastore.pool.path
    if readonly:
        raise sqlite_schema.older(path)
    with datastore.transaction(commit=True) as cursor:
        assert isinstance(cursor, LedgerCursor)
        raw = cursor.sqlite_cursor.connection
        if cursor.ask("PRAGMA user_version") != [(1,)]:
            return  # somebody else was faster
        sqlite_schema.add_since_2(raw)
        size = read_head(cursor, str(path)).size
        frontier = Frontier.empty()
        while leaves := hashes(cursor, 0, frontier.size, min(frontier.size + _AT_A_STROKE, size)):
            frontier, made = frontier.grown(leaves, STEP)
            keep_nodes(cursor, made)
        cursor.execute(REMEMBER, (MARKS, mark_sums(cursor)))
