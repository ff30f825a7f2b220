"""A ledger in one SQLite file, written through eventsourcing's application recorder.

The recorder's table ``stored_events`` is the record. Leaf hashes, bodies, keys, marks, the list of registry
rows and the tree head are written beside it in the same transaction. Nothing here resolves a topic or imports
what a row names; the library's factory is left out because it does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from os import PathLike
from pathlib import Path
from typing import Any, Self, cast

from eventsourcing.persistence import StoredEvent

from ledger.errors import Conflict, LedgerError, Unverified, WriteFailed
from ledger.store import sqlite_durability, sqlite_schema
from ledger.store.base import Head, NewRow, SealedBody, StoredRow
from ledger.store.sqlite_pool import LedgerCursor, LedgerDatastore
from ledger.store.sqlite_recorder import LAST_POSITION, LedgerRecorder, read_head

_ROW = "e.rowid, e.originator_id, e.originator_version, e.topic, e.state, e.leaf_hash"
_LAST = 2**63 - 1  # SQLite's largest integer: a position beyond it cannot be asked for
_AT_ONCE = 500  # ids in one query, far below SQLite's limit of parameters


class _Reads(ABC):
    """The ``Reader`` protocol, over one way to get a cursor."""

    where: str

    @abstractmethod
    def _reading(self) -> AbstractContextManager[LedgerCursor]:
        """The cursor to ask, for as long as the block lasts."""

    def _ask(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._reading() as cursor:
            return cursor.ask(sql, parameters)

    def _stored(self, sql: str, *parameters: Any) -> Iterator[StoredRow]:
        return _typed(self._ask(sql, *parameters))

    def head(self) -> Head:
        with self._reading() as cursor:
            return read_head(cursor, self.where)

    def row(self, position: int) -> StoredRow | None:
        if not 1 <= position <= _LAST:
            return None
        return next(self._stored(f"SELECT {_ROW} FROM stored_events e WHERE e.rowid = ?", position), None)

    def stream(self, stream: str) -> list[StoredRow]:
        if not _storable(stream):
            return []
        order = "WHERE e.originator_id = ? ORDER BY e.originator_version"
        return list(self._stored(f"SELECT {_ROW} FROM stored_events e {order}", stream))

    def first_positions(self, streams: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        wanted = list(filter(_storable, streams))
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            places = ",".join("?" * len(some))
            sql = (
                "SELECT originator_id, rowid FROM stored_events "
                f"WHERE originator_version = 1 AND originator_id IN ({places})"
            )
            found.update(cast("list[tuple[str, int]]", self._ask(sql, *some)))
        return found

    def position_of_key(self, key: str) -> int | None:
        if not _storable(key):
            return None
        found = self._ask("SELECT position FROM ledger_key WHERE key = ?", key)
        return found[0][0] if found else None

    def marked(self, mark: int) -> list[int]:
        return [at for (at,) in self._ask("SELECT position FROM ledger_mark WHERE mark = ? ORDER BY 1", mark)]

    def body(self, position: int) -> SealedBody | None:
        if not 1 <= position <= _LAST:
            return None
        found = self._ask("SELECT salt, body FROM ledger_body WHERE position = ?", position)
        return _sealed(position, *found[0]) if found else None


def _typed(found: Iterable[tuple[Any, ...]]) -> Iterator[StoredRow]:
    """Rows as they are, except that a column of another type than was written is damage."""
    make = StoredRow._make
    for columns in found:
        position, stream, version, topic, state, leaf = columns
        if (
            type(state) is not bytes
            or type(leaf) is not bytes
            or type(stream) is not str
            or type(topic) is not str
            or type(version) is not int
        ):
            raise Unverified("its columns have other types than were written", where=f"#{position}")
        yield make(columns)


def _storable(text: str) -> bool:
    """Whether SQLite could hold it: what cannot be encoded (a lone surrogate) was never recorded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sealed(position: int, salt: object, body: object) -> SealedBody:
    if type(salt) is not bytes or type(body) is not bytes:
        raise Unverified("the body has other types than were written", where=f"#{position}")
    return SealedBody(salt, body)


class SqliteWriter(_Reads):
    """The holder of the write lock; made by ``SqliteStore.writer`` and dead when its block ends."""

    def __init__(self, recorder: LedgerRecorder, cursor: LedgerCursor) -> None:
        self.where = recorder.where
        self._recorder = recorder
        self._cursor: LedgerCursor | None = cursor

    def _reading(self) -> AbstractContextManager[LedgerCursor]:
        if self._cursor is None:  # SQLite would run what follows outside any transaction
            raise WriteFailed("the write transaction is over", where=self.where)
        return nullcontext(self._cursor)

    def end(self) -> None:
        """Take the cursor away."""
        self._cursor = None

    def insert(self, rows: Sequence[NewRow], recorded: str) -> range:
        """See ``Writer.insert``."""
        with self._reading() as cursor:
            if not rows:
                size = self.head().size
                return range(size + 1, size + 1)
            cursor.execute("SAVEPOINT batch")
            try:
                events = [StoredEvent(row.stream, row.version, row.topic, row.state) for row in rows]
                positions = self._recorder._insert_events(cursor, events, rows=rows, recorded=recorded)
            except BaseException as error:
                self._undo(cursor)
                if isinstance(error, Conflict):
                    raise self._conflict(rows) or error from error
                raise
            cursor.execute("RELEASE batch")
            return positions

    def _undo(self, cursor: LedgerCursor) -> None:
        try:
            cursor.execute("ROLLBACK TO batch")
            cursor.execute("RELEASE batch")
        except LedgerError:  # SQLite has rolled back everything already, as it does on a full disk
            self.end()

    def _conflict(self, rows: Sequence[NewRow]) -> Conflict | None:
        """Which of the rows stood in the way; the database only says that one did."""
        seen: set[object] = set()
        for row in rows:
            name = (row.stream, row.version)
            at = next((old.position for old in self.stream(row.stream) if old.version == row.version), None)
            if at or name in seen:
                return self._taken(f"{row.stream} version {row.version}", at)
            seen.add(name)
            if row.key is None:
                continue
            at = self.position_of_key(row.key)
            if at or row.key in seen:
                return self._taken(f"the key {row.key!r}", at)
            seen.add(row.key)
        return None

    def _taken(self, what: str, at: int | None) -> Conflict:
        where = f"recorded at #{at}" if at else "taken by another row of the same batch"
        return Conflict(f"{what} is already {where}", where=self.where)


class SqliteStore(_Reads):
    """A ledger's storage in one SQLite file. Made by ``create``, found by ``open``; never made by reading."""

    def __init__(self, recorder: LedgerRecorder, datastore: LedgerDatastore) -> None:
        self.recorder = recorder
        self.where = recorder.where
        self._datastore = datastore

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
            with datastore.reading():
                return cls(LedgerRecorder(datastore), datastore)
        except BaseException:
            datastore.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._datastore.close()

    def _reading(self) -> AbstractContextManager[LedgerCursor]:
        return self._datastore.reading()

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
            writer = SqliteWriter(self.recorder, cast(LedgerCursor, cursor))
            try:
                yield writer
            finally:
                writer.end()

    def rows(self, start: int = 1, stop: int | None = None, *, batch: int = 2_000) -> Iterator[StoredRow]:
        """See ``Store.rows``. ``batch`` is the number of rows held in memory."""
        if batch < 1:
            raise ValueError("a batch holds one row or more")
        at = max(start, 1)
        last = min(self._ask(LAST_POSITION)[0][0] if stop is None else stop, _LAST)
        window = f"SELECT {_ROW} FROM stored_events e WHERE e.rowid BETWEEN ? AND ? ORDER BY e.rowid LIMIT ?"
        while at <= last:
            row = None
            for row in self._stored(window, at, last, batch):
                yield row
            if row is None:
                return
            at = row.position + 1

    def leaves(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See ``Store.leaves``."""
        at = max(start, 1)
        last = min(self._ask(LAST_POSITION)[0][0] if stop is None else stop, _LAST)
        window = (
            "SELECT rowid, state FROM stored_events WHERE rowid BETWEEN ? AND ? ORDER BY rowid LIMIT 4000"
        )
        while at <= last:
            found = self._ask(window, at, last)
            if not found:
                return
            for position, state in found:
                if type(state) is not bytes:
                    raise Unverified("its bytes are of another type than was written", where=f"#{position}")
            yield from found
            at = found[-1][0] + 1

    def registry_rows(self, after: int = 0) -> Iterator[tuple[StoredRow, SealedBody | None]]:
        # CROSS JOIN keeps the short list of positions the outer loop.
        some = (
            f"SELECT b.salt, b.body, {_ROW} FROM ledger_registry g "
            "CROSS JOIN stored_events e ON e.rowid = g.position "
            "LEFT JOIN ledger_body b ON b.position = g.position "
            f"WHERE g.position > ? ORDER BY g.position LIMIT {_AT_ONCE}"
        )
        while found := self._ask(some, min(after, _LAST)):
            for (salt, body, *_), row in zip(found, _typed(each[2:] for each in found), strict=True):
                after = row.position
                yield row, None if salt is None else _sealed(after, salt, body)

    def bodies(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, SealedBody]]:
        at, last = max(start, 1), min(_LAST if stop is None else stop, _LAST)
        window = "SELECT position, salt, body FROM ledger_body WHERE position BETWEEN ? AND ?"
        while at <= last:
            found = self._ask(f"{window} ORDER BY position LIMIT {_AT_ONCE}", at, last)
            if not found:
                return
            for position, salt, body in found:
                yield position, _sealed(position, salt, body)
            at = found[-1][0] + 1

    def find_streams(self, prefix: str, limit: int = 10) -> list[str]:
        if not _storable(prefix):
            return []
        # Whatever begins with the prefix follows it without a gap in the order of the index.
        following = "SELECT DISTINCT originator_id FROM stored_events WHERE originator_id >= ?"
        found = self._ask(f"{following} ORDER BY originator_id LIMIT ?", prefix, max(limit, 0))
        return [stream for (stream,) in found if type(stream) is str and stream.startswith(prefix)]
