"""A ledger in one SQLite file, written through eventsourcing's application recorder.

The recorder's table ``stored_events`` is the record. Leaf hashes, bodies, keys, marks, the list of registry
rows and the tree head are written beside it in the same transaction. Nothing here resolves a topic or imports
what a row names; the library's factory is left out because it does.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from operator import itemgetter, lt
from os import PathLike
from pathlib import Path
from typing import Any, Self, cast

from eventsourcing.persistence import StoredEvent

from ledger.errors import Conflict, LedgerError, Unverified, WriteFailed
from ledger.integrity.proof import STEP
from ledger.store import sqlite_durability, sqlite_schema
from ledger.store.base import AnyBody, EncryptedBody, Head, NewRow, SealedBody, StoredRow
from ledger.store.sqlite_pool import LedgerCursor, LedgerDatastore
from ledger.store.sqlite_recorder import (
    LAST_POSITION,
    MARK_SUMS,
    MARKS,
    NO_MARKS,
    REMEMBER,
    SETTING,
    LedgerRecorder,
    hashes,
    keep_nodes,
    mark_sums,
    read_head,
    setting,
)

_ROW = "e.rowid, e.originator_id, e.originator_version, e.topic, e.state, e.leaf_hash"
_LAST = 2**63 - 1  # SQLite's largest integer: a position beyond it cannot be asked for
_AT_A_STROKE = 1 << 16  # leaves hashed at a time when the tree is made anew
_POSITIONS = {
    "stored_events": "rowid",
    **dict.fromkeys(
        ("ledger_body", "ledger_cipher", "ledger_key", "ledger_mark", "ledger_registry"), "position"
    ),
}
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

    def positions_of_keys(self, keys: Sequence[str]) -> dict[str, int]:
        """See ``Reader.positions_of_keys``."""
        found: dict[str, int] = {}
        wanted = list(filter(_storable, keys))
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            sql = f"SELECT key, position FROM ledger_key WHERE key IN ({','.join('?' * len(some))})"
            found.update(cast("list[tuple[str, int]]", self._ask(sql, *some)))
        return found

    def positions_marked(self, marks: Sequence[int]) -> dict[int, list[int]]:
        """See ``Reader.positions_marked``."""
        found: dict[int, list[int]] = {}
        wanted = list(marks)
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            sql = f"SELECT mark, position FROM ledger_mark WHERE mark IN ({','.join('?' * len(some))}) ORDER BY position"
            for mark, position in self._ask(sql, *some):
                found.setdefault(mark, []).append(position)
        return found

    def body(self, position: int) -> AnyBody | None:
        if not 1 <= position <= _LAST:
            return None
        found = self._ask("SELECT salt, body FROM ledger_body WHERE position = ?", position)
        if found:
            return _sealed(position, *found[0])
        found = self._ask("SELECT key, sealed FROM ledger_cipher WHERE position = ?", position)
        return _encrypted(position, *found[0]) if found else None

    def hashes(self, height: int, first: int, stop: int) -> list[bytes]:
        """See ``Reader.hashes``."""
        with self._reading() as cursor:
            return hashes(cursor, height, first, stop)

    def setting(self, name: str) -> str | None:
        """See ``Reader.setting``."""
        with self._reading() as cursor:
            return setting(cursor, name)


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


def _encrypted(position: int, key: object, sealed: object) -> EncryptedBody:
    if type(key) is not str or type(sealed) is not bytes:
        raise Unverified("the encrypted body has other types than were written", where=f"#{position}")
    return EncryptedBody(key, sealed)


class SqliteWriter(_Reads):
    """The holder of the write lock; made by ``SqliteStore.writer`` and dead when its block ends."""

    def __init__(self, recorder: LedgerRecorder, cursor: LedgerCursor) -> None:
        self.where = recorder.where
        self._recorder = recorder
        self._cursor: LedgerCursor | None = cursor
        self._head: Head | None = None  # nobody else writes while this one lives

    def head(self) -> Head:
        """See ``Reader.head``."""
        if self._head is None:
            self._head = super().head()
        return self._head

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
            self._head = None
            return positions

    def erase(self, positions: Sequence[int]) -> None:
        """See ``Writer.erase``."""
        with self._reading() as cursor:
            for table in ("ledger_body", "ledger_cipher"):
                cursor.executemany(f"DELETE FROM {table} WHERE position = ?", [(one,) for one in positions])

    def reseal(self, bodies: Sequence[tuple[int, EncryptedBody]]) -> None:
        """See ``Writer.reseal``."""
        with self._reading() as cursor:
            cursor.executemany(
                "UPDATE ledger_cipher SET key = ?, sealed = ? WHERE position = ?",
                [(body.key, body.sealed, at) for at, body in bodies],
            )

    def remember(self, name: str, value: str) -> None:
        """See ``Writer.remember``."""
        with self._reading() as cursor:
            cursor.execute(REMEMBER, (name, value))

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

    def registry_rows(self, after: int = 0) -> Iterator[tuple[StoredRow, AnyBody | None]]:
        # CROSS JOIN keeps the short list of positions the outer loop.
        some = (
            f"SELECT b.salt, b.body, c.key, c.sealed, {_ROW} FROM ledger_registry g "
            "CROSS JOIN stored_events e ON e.rowid = g.position "
            "LEFT JOIN ledger_body b ON b.position = g.position "
            "LEFT JOIN ledger_cipher c ON c.position = g.position "
            f"WHERE g.position > ? ORDER BY g.position LIMIT {_AT_ONCE}"
        )
        while found := self._ask(some, min(after, _LAST)):
            for columns, row in zip(found, _typed(each[4:] for each in found), strict=True):
                after = row.position
                yield row, _either(after, *columns[:4])

    def bodies(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, AnyBody]]:
        at, last = max(start, 1), min(_LAST if stop is None else stop, _LAST)
        window = (
            "SELECT position, salt, body, NULL, NULL FROM ledger_body WHERE position BETWEEN ?1 AND ?2 UNION ALL "
            "SELECT position, NULL, NULL, key, sealed FROM ledger_cipher WHERE position BETWEEN ?1 AND ?2"
        )
        while at <= last:
            found = self._ask(f"{window} ORDER BY position LIMIT {_AT_ONCE}", at, last)
            if not found:
                return
            for position, *columns in found:
                body = _either(position, *columns)
                assert body is not None
                yield position, body
            at = found[-1][0] + 1

    def raw_rows(self, first: int, last: int) -> list[tuple[Any, ...]]:
        """See ``Store.raw_rows``."""
        columns, ciphers = f"{_ROW}, b.salt, b.body, NULL, NULL", ""
        if self._has_ciphers:
            columns = f"{_ROW}, b.salt, b.body, c.key, c.sealed"
            ciphers = "LEFT JOIN ledger_cipher c ON c.position = e.rowid "
        return self._ask(
            f"SELECT {columns} FROM stored_events e LEFT JOIN ledger_body b ON b.position = e.rowid {ciphers}"
            "WHERE e.rowid BETWEEN ? AND ? ORDER BY e.rowid",
            *(first, min(last, _LAST)),
        )

    @cached_property
    def _has_ciphers(self) -> bool:
        """Whether bodies are encrypted here, which is settled when a ledger is made; or some are there all the same."""
        return bool(self._ask("SELECT 1 FROM ledger_cipher LIMIT 1")) or self.setting("bodies") is not None

    def key_count(self, last: int | None = None) -> int:
        """See ``Store.key_count``."""
        upto = _LAST if last is None else last
        return int(self._ask("SELECT count(*) FROM ledger_key WHERE position <= ?", upto)[0][0])

    def marks(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:
        """See ``Store.marks``."""
        sql = "SELECT position, mark FROM ledger_mark WHERE position BETWEEN ? AND ? ORDER BY position, mark"
        yield from self._ask(sql, first, _LAST if last is None else last)

    def registered(self, first: int = 1, last: int | None = None) -> Iterator[int]:
        """See ``Store.registered``."""
        sql = "SELECT position FROM ledger_registry WHERE position BETWEEN ? AND ? ORDER BY position"
        yield from (at for (at,) in self._ask(sql, first, _LAST if last is None else last))

    def named(self, last: int) -> int | None:
        """See ``Store.named``."""
        some = (
            "SELECT originator_id, originator_version, rowid FROM stored_events INDEXED BY"
            " sqlite_autoindex_stored_events_1 WHERE (originator_id, originator_version) > (?, ?)"
            " ORDER BY originator_id, originator_version LIMIT 20000"
        )
        total = 0
        before: tuple[Any, ...] = ("", 0, 0)
        while found := self._ask(some, *before[:2]):
            try:
                if not found[0] > before or not all(map(lt, found, found[1:])):
                    return None
            except TypeError:  # a column of another type than was written
                return None
            before = found[-1]
            if max(map(itemgetter(2), found)) > last:
                found = [row for row in found if row[2] <= last]
            total += sum(map(hash, found))
        return total

    def faults(self, *, index: bool = True) -> Iterator[str]:
        """See ``Store.faults``."""
        for (found,) in self._ask(f"PRAGMA {'integrity' if index else 'quick'}_check(10)"):
            if found != "ok":
                yield f"SQLite finds the file damaged: {found}"
        with self._reading() as cursor:
            cut = self._cut(cursor) and self._cut(cursor)  # twice: somebody may be rewriting it
        if cut:
            yield cut
        # One statement each: what it sees is one moment, whoever appends meanwhile.
        [(promised, *sums)] = self._ask(f"SELECT ({SETTING}), {MARK_SUMS} FROM ledger_mark", MARKS)
        if " ".join(map(str, sums)) != (promised or NO_MARKS):
            yield "the marks by which twins are found are not those that were written"
        counter = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'stored_events'"
        [(ids, last)] = self._ask(f"SELECT ({counter}), ({LAST_POSITION})")
        if ids != last:
            yield f"the counter of positions stands at {ids}, the last event is #{last}"
        for table, column in _POSITIONS.items():
            for (at,) in self._ask(f"SELECT min({column}) FROM {table}"):
                if at is not None and at < 1:
                    yield f"{table} has a row at #{at}, before the first event"
        [(size, nodes)] = self._ask("SELECT (SELECT size FROM ledger_head), count(*) FROM ledger_node")
        if type(size) is int:  # else the head itself is at fault
            due = sum(size >> height for height in range(STEP, size.bit_length(), STEP))
            if nodes != due:
                yield f"{nodes:,} nodes of the tree are kept where {size:,} events make {due:,}"

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

    def find_streams(self, prefix: str, limit: int = 10) -> list[str]:
        if not _storable(prefix):
            return []
        # Whatever begins with the prefix follows it without a gap in the order of the index.
        following = "SELECT DISTINCT originator_id FROM stored_events WHERE originator_id >= ?"
        found = self._ask(f"{following} ORDER BY originator_id LIMIT ?", prefix, max(limit, 0))
        return [stream for (stream,) in found if type(stream) is str and stream.startswith(prefix)]


def _either(position: int, salt: object, body: object, key: object, sealed: object) -> AnyBody | None:
    if salt is not None:
        return _sealed(position, salt, body)
    return None if key is None else _encrypted(position, key, sealed)


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
        for first in range(0, size, _AT_A_STROKE):
            keep_nodes(cursor, first, hashes(cursor, 0, first, min(first + _AT_A_STROKE, size)))
        cursor.execute(REMEMBER, (MARKS, mark_sums(cursor)))
