"""Connections to a ledger's SQLite file: how they queue, commit, and report what went wrong.

What differs from the library's own pool: a write transaction begins with BEGIN IMMEDIATE and queues for the
lock; the journal mode follows the SQLite version instead of always being WAL; a file is recognised before
anything is set in it; every SQLite error leaves as one of ``ledger.errors``.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from eventsourcing.persistence import ConnectionUnavailableError
from eventsourcing.sqlite import (
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteCursor,
    SQLiteDatastore,
)

from ledger.errors import Conflict, LedgerError, Locked, Unverified, WriteFailed
from ledger.store.sqlite import durability as sqlite_durability
from ledger.store.sqlite import schema as sqlite_schema

_CACHE_KIB = 65_536  # a batch that outgrows the cache would lock readers out before its commit
_LONGEST_PAUSE = 0.01


def translate(error: sqlite3.Error, where: str, *, writing: bool) -> Exception:
    """The error of ours for one of SQLite's; misuse of the API stays what it is."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        if isinstance(error, sqlite3.OperationalError):  # a text column whose bytes are no UTF-8
            return _damaged(error, where)
        return error
    match code & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Locked("another process is using it", where=where, remedy="Wait for it, then try again")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_FORMAT:
            return _damaged(error, where)
        case sqlite3.SQLITE_CONSTRAINT:
            if code in _TAKEN:
                return Conflict(f"already recorded ({error})", where=where)
            return WriteFailed(f"a row does not fit the table ({error})", where=where)
        case _ if writing:
            return WriteFailed(f"could not write: {error}", where=where, remedy=_remedy(code & 0xFF))
        case _:
            return LedgerError(f"could not read: {error}", where=where, remedy=_remedy(code & 0xFF))


_TAKEN = {
    sqlite3.SQLITE_CONSTRAINT_UNIQUE,
    sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
    sqlite3.SQLITE_CONSTRAINT_ROWID,
    sqlite3.SQLITE_CONSTRAINT_TRIGGER,
}


def _damaged(error: sqlite3.Error | UnicodeDecodeError, where: str) -> Unverified:
    remedy = "Keep this file as evidence, and restore a backup or an export"
    return Unverified(f"the file is damaged ({error})", where=where, remedy=remedy)


def _remedy(code: int) -> str:
    if code == sqlite3.SQLITE_FULL:
        return "Free some space, then do the same again: what is already recorded is recognised"
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return "Check the rights of the file and of its folder"
    return "Check the disk, then do the same again: what is already recorded is recognised"


class LedgerCursor(SQLiteCursor):
    """The library's cursor, with our errors."""

    def __init__(self, raw: sqlite3.Cursor, where: str, *, writing: bool) -> None:
        super().__init__(raw)
        self._where = where
        self._writing = writing

    def execute(self, *args: Any, **kwargs: Any) -> None:
        try:
            self.sqlite_cursor.execute(*args, **kwargs)
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def executemany(self, *args: Any, **kwargs: Any) -> None:
        try:
            self.sqlite_cursor.executemany(*args, **kwargs)
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def fetchall(self) -> Any:
        try:
            return self.sqlite_cursor.fetchall()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def fetchone(self) -> Any:
        try:
            return self.sqlite_cursor.fetchone()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def ask(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query, as plain tuples (the library's own methods want ``sqlite3.Row``)."""
        self.sqlite_cursor.row_factory = None
        try:
            return self.sqlite_cursor.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise self._translated(error) from error

    def close(self) -> None:
        self.sqlite_cursor.close()

    def _translated(self, error: sqlite3.Error) -> Exception:
        return translate(error, self._where, writing=self._writing)


class LedgerConnection(SQLiteConnection):
    """A connection whose write transactions queue for the lock and never end half done."""

    def __init__(self, raw: sqlite3.Connection, where: str, timeout: float, max_age: float | None) -> None:
        super().__init__(raw, max_age)
        self._where = where
        self._timeout = timeout
        self._writing = False

    def cursor(self) -> LedgerCursor:
        return LedgerCursor(self._sqlite_conn.cursor(), self._where, writing=self._writing)

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[LedgerCursor]:
        """A read transaction, or with ``commit`` the write lock from the first statement on."""
        self._writing = commit
        cursor = self.cursor()
        try:
            if commit:
                self._begin_immediate()
            else:
                self._run("BEGIN")
            yield cursor
            self._run("COMMIT" if commit else "ROLLBACK")
        finally:
            cursor.close()
            self._abandon()
            self._writing = False

    def _run(self, statement: str) -> None:
        try:
            self._sqlite_conn.execute(statement)
        except sqlite3.Error as error:
            raise translate(error, self._where, writing=self._writing) from error

    def _begin_immediate(self) -> None:
        """Queue for the write lock, in short naps.

        SQLite's own busy handler naps up to 100 ms while others come and go, and cannot be interrupted from
        the keyboard; with these naps the longest wait of several writers is a fraction of that.
        """
        deadline = time.monotonic() + self._timeout
        pause = 0.0005
        self._sqlite_conn.execute("PRAGMA busy_timeout = 0")
        try:
            while True:
                try:
                    self._run("BEGIN IMMEDIATE")
                    return
                except Locked:
                    if time.monotonic() >= deadline:
                        raise locked(self._where, self._timeout) from None
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        finally:
            self._sqlite_conn.execute(f"PRAGMA busy_timeout = {int(min(self._timeout, 2e6) * 1000)}")

    def _abandon(self) -> None:
        """Roll back what is still open; a connection that cannot is not used again."""
        if self._sqlite_conn.in_transaction:
            try:
                self._sqlite_conn.rollback()
            except sqlite3.Error:
                self.close()


def locked(where: str, timeout: float) -> Locked:
    """Waited in vain."""
    return Locked(
        f"somebody else has been writing for {timeout:g} s; nothing was recorded",
        where=where,
        remedy="Wait for it, then try again",
    )


class LedgerPool(SQLiteConnectionPool):
    """Connections to one ledger file, checked and set up before anybody uses them."""

    def __init__(self, path: Path, *, readonly: bool, timeout: float) -> None:
        super().__init__(db_name=sqlite_schema.uri(path, "ro" if readonly else "rw"), pool_timeout=timeout)
        # A plain file even when its name holds ":memory:", which the library looks for.
        self._mutually_exclusive_read_write = self.is_sqlite_memory_mode = False
        self.path = path
        self.readonly = readonly
        self.timeout = timeout
        self.durability: sqlite_durability.Durability | None = None
        self._recognised = False
        self._helped = False
        self._immutable = False

    def _create_connection(self) -> SQLiteConnection:
        try:
            return self._connect()
        except UnicodeDecodeError as error:  # SQLite quotes what stands in the schema
            raise _damaged(error, str(self.path)) from error
        except sqlite3.Error as error:
            if self._made_readable(error):
                return self._create_connection()
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_NOTADB and not self._recognised:
                raise sqlite_schema.no_ledger(self.path, "is not an SQLite database, so no ledger") from error
            raise translate(error, str(self.path), writing=False) from error

    def _connect(self) -> LedgerConnection:
        raw = sqlite3.connect(
            self.db_name, uri=True, isolation_level=None, check_same_thread=False, timeout=self.timeout
        )
        try:
            for pragma in (
                *("trusted_schema = OFF", "cell_size_check = ON", "secure_delete = ON"),
                f"cache_size = -{_CACHE_KIB}",
            ):
                raw.execute(f"PRAGMA {pragma}")
            if not self._recognised:  # before anything is set: a stranger's database stays as it is
                sqlite_schema.recognise(raw, self.path)
                self._recognised = True
            self.durability = sqlite_durability.settle(raw, self.path, readonly=self.readonly)
        except BaseException:
            raw.close()
            raise
        raw.row_factory = sqlite3.Row
        return LedgerConnection(raw, str(self.path), self.timeout, self.max_age)

    def _made_readable(self, error: sqlite3.Error) -> bool:
        """Two states in which a file can be read, though not at the first attempt to open it for reading."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        refused = code in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)
        if not (self.readonly and refused) or self._helped:
            return False
        self._helped = True
        if any(os.path.exists(f"{self.path}{suffix}") for suffix in ("-journal", "-wal", "-shm")):
            # A writer was killed, and what it left must be rolled back by someone who may write.
            with suppress(sqlite3.Error):
                raw = sqlite3.connect(sqlite_schema.uri(self.path, "rw"), uri=True, timeout=self.timeout)
                with closing(raw):
                    raw.execute("SELECT count(*) FROM sqlite_schema")
        else:
            # A database with a log, closed, in a folder we may not write to. Opened as immutable it is read
            # without locks: right as long as nobody writes, and whoever did would keep files beside it.
            self._immutable = True
            self.db_name = self.reading_uri()
        return True

    def reading_uri(self) -> str:
        """The address under which the file is opened for reading, once a connection was made."""
        return sqlite_schema.uri(self.path, "ro", immutable=self._immutable)


class LedgerDatastore(SQLiteDatastore):
    """The library's datastore over our pool; ids are text."""

    pool: LedgerPool

    def __init__(self, path: Path, *, readonly: bool, timeout: float) -> None:
        self.pool = LedgerPool(path, readonly=readonly, timeout=timeout)
        self.single_row_tracking = True
        self.originator_id_type = "text"

        self._turn = threading.Lock()

    @contextmanager
    def get_connection(self, *, commit: bool) -> Iterator[SQLiteConnection]:
        """A connection; with ``commit`` the only one of this process that may write.

        Writers queue here, because one that waits inside the pool keeps readers out of it as well.
        """
        pool = self.pool
        if commit and not self._turn.acquire(timeout=min(pool.timeout, threading.TIMEOUT_MAX)):
            raise locked(str(pool.path), pool.timeout)
        try:
            try:
                connection = pool.get_connection(is_writer=commit)
            except ConnectionUnavailableError:
                raise Locked(
                    "too many readers at once", where=str(pool.path), remedy="Wait for them, then try again"
                ) from None
            try:
                yield connection
            finally:
                pool.put_connection(connection)
        finally:
            if commit:
                self._turn.release()

    @contextmanager
    def reading(self) -> Iterator[LedgerCursor]:
        """A cursor for single queries; each sees the last commit and holds no lock when it is answered."""
        with self.get_connection(commit=False) as connection:
            assert isinstance(connection, LedgerConnection)
            cursor = connection.cursor()
            try:
                yield cursor
            finally:
                cursor.close()
