"""A ledger in a schema of a PostgreSQL database, written through eventsourcing's application recorder.

The recorder's table ``stored_events`` is the record. Leaf hashes, bodies, keys, marks, the list of registry rows and the
tree head are written beside it in the same transaction, under an advisory lock that every writer takes. Needs the
extra ``postgres``; ``ledger.book`` imports this module only for an address of a server.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from operator import lt
from typing import Any, Self, cast

import orjson
import psycopg
from eventsourcing.persistence import StoredEvent
from psycopg.rows import DictRow

from ledger.errors import Conflict, LedgerError, WriteFailed
from ledger.integrity.proof import STEP
from ledger.places import Server
from ledger.store import postgres_schema
from ledger.store.base import AnyBody, EncryptedBody, Head, NewRow, SealedBody, StoredRow
from ledger.store.postgres_errors import lost, not_allowed, translate
from ledger.store.postgres_pool import SETTINGS, LedgerDatastore, Rows, ask
from ledger.store.postgres_recorder import (
    FIRST,
    HEAD,
    LAST_POSITION,
    MARK_SUMS,
    LedgerRecorder,
    Standing,
    expect_last,
    hashes_asked,
    insert,
    standing,
)

_ROW = "e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.leaf_hash"
_LAST = 2**63 - 1  # the largest bigint: a position beyond it cannot be asked for
_AT_ONCE = 500
_FETCHED = 5_000  # rows that a cursor on the server gives at a time
_MENDED = 20.0  # seconds in which a server that broke off may come back and say what became of a commit


class _Reads(ABC):
    """The ``Reader`` protocol, over one way to ask."""

    where: str

    @abstractmethod
    def _ask(self, sql: str, *parameters: Any) -> Rows:
        """All rows of a query."""

    def head(self) -> Head:
        """See ``Reader.head``."""
        return standing(self._ask(HEAD), self.where).head

    def row(self, position: int) -> StoredRow | None:
        if not 1 <= position <= _LAST:
            return None
        found = self._ask(
            f"SELECT {_ROW} FROM stored_events e WHERE e.notification_id = %s::bigint", position
        )
        return StoredRow._make(found[0]) if found else None

    def stream(self, stream: str) -> list[StoredRow]:
        if not _storable(stream):
            return []
        order = "WHERE e.originator_id = %s::text ORDER BY e.originator_version"
        return list(map(StoredRow._make, self._ask(f"SELECT {_ROW} FROM stored_events e {order}", stream)))

    def first_positions(self, streams: Sequence[str]) -> dict[str, int]:
        wanted = list(filter(_storable, streams))
        sql = (
            "SELECT originator_id, notification_id FROM stored_events "
            "WHERE originator_version = 1 AND originator_id = ANY (%s::text[])"
        )
        return dict(cast("list[tuple[str, int]]", self._ask(sql, wanted))) if wanted else {}

    def position_of_key(self, key: str) -> int | None:
        if not _storable(key):
            return None
        found = self._ask("SELECT position FROM ledger_key WHERE key = %s::text", key)
        return found[0][0] if found else None

    def marked(self, mark: int) -> list[int]:
        sql = "SELECT position FROM ledger_mark WHERE mark = %s::bigint ORDER BY 1"
        return [at for (at,) in self._ask(sql, mark)]

    def body(self, position: int) -> AnyBody | None:
        if not 1 <= position <= _LAST:
            return None
        sql = (
            "SELECT salt, body, NULL, NULL FROM ledger_body WHERE position = %s::bigint "
            "UNION ALL SELECT NULL, NULL, key, sealed FROM ledger_cipher WHERE position = %s::bigint"
        )
        found = self._ask(sql, position, position)
        return _either(*found[0]) if found else None

    def hashes(self, height: int, first: int, stop: int) -> list[bytes]:
        """See ``Reader.hashes``."""
        sql, parameters = hashes_asked(height, first, stop)
        return [one for (one,) in self._ask(sql, *parameters)]

    def setting(self, name: str) -> str | None:
        """See ``Reader.setting``."""
        found = self._ask("SELECT value FROM ledger_setting WHERE name = %s::text", name)
        return str(found[0][0]) if found else None


def _storable(text: str) -> bool:
    """Whether the server could hold it: no lone surrogate, and no NUL."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _either(salt: bytes | None, body: bytes | None, key: str | None, sealed: bytes | None) -> AnyBody | None:
    if salt is not None and body is not None:
        return SealedBody(salt, body)
    return EncryptedBody(key, sealed) if key is not None and sealed is not None else None


class PostgresWriter(_Reads):
    """The holder of the write lock; made by ``PostgresStore.writer`` and dead when its block ends."""

    def __init__(self, where: str, connection: psycopg.Connection[DictRow], head: Rows) -> None:
        self.where = where
        self.written: list[tuple[int, bytes]] = []  # position and leaf hash of what this transaction inserted
        self._connection: psycopg.Connection[DictRow] | None = connection
        self._found = head  # what the query for the head gave when the lock was got
        self._standing: Standing | None = None  # nobody else writes while this one lives
        self._behind = True  # whether the savepoint is behind all that was done

    @property
    def _open(self) -> psycopg.Connection[DictRow]:
        if self._connection is None:  # what follows would run outside any transaction
            raise WriteFailed("the write transaction is over", where=self.where)
        return self._connection

    def _ask(self, sql: str, *parameters: Any) -> Rows:
        connection = self._open
        try:
            return ask(connection, sql, parameters)
        except psycopg.Error as error:
            raise translate(error, self.where, writing=True) from error

    def end(self) -> None:
        """Take the connection away."""
        self._connection = None

    def head(self) -> Head:
        """See ``Reader.head``."""
        assert self._open
        return self._stands().head

    def _stands(self) -> Standing:
        if self._standing is None:
            self._standing = standing(self._found, self.where)
        return self._standing

    def insert(self, rows: Sequence[NewRow], recorded: str) -> range:
        """See ``Writer.insert``."""
        connection, before = self._open, self._stands()
        size = before.head.size
        if not rows:
            return range(size + 1, size + 1)
        events = [StoredEvent(row.stream, row.version, row.topic, row.state) for row in rows]
        try:
            if not self._behind:
                connection.execute("RELEASE batch; SAVEPOINT batch")
                self._behind = True
            after = insert(connection, self.where, before, events, rows=rows, recorded=recorded)
        except psycopg.errors.UniqueViolation as error:
            expect_last(connection, self.where, size)
            raise self._conflict(rows) or translate(error, self.where, writing=True) from error
        except psycopg.Error as error:
            raise translate(error, self.where, writing=True) from error
        self._standing, self._behind = after, False
        self.written.append((after.head.size, after.head.root))
        return range(size + 1, after.head.size + 1)

    def erase(self, positions: Sequence[int]) -> None:
        """See ``Writer.erase``."""
        for table in ("ledger_body", "ledger_cipher"):
            self._run(f"DELETE FROM {table} WHERE position = ANY (%s::bigint[])", list(positions))

    def reseal(self, bodies: Sequence[tuple[int, EncryptedBody]]) -> None:
        """See ``Writer.reseal``."""
        self._run(
            "UPDATE ledger_cipher c SET key = n.key, sealed = n.sealed "
            "FROM unnest(%s::bigint[], %s::text[], %s::bytea[]) n (position, key, sealed) "
            "WHERE c.position = n.position",
            [at for at, _ in bodies],
            [body.key for _, body in bodies],
            [body.sealed for _, body in bodies],
        )

    def remember(self, name: str, value: str) -> None:
        """See ``Writer.remember``."""
        self._run(
            "INSERT INTO ledger_setting (name, value) VALUES (%s, %s) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            *(name, value),
        )

    def _run(self, sql: str, *parameters: Any) -> None:
        connection, self._behind = self._open, False
        try:
            connection.execute(sql, parameters)
        except psycopg.Error as error:
            raise translate(error, self.where, writing=True) from error

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


class PostgresStore(_Reads):
    """A ledger's storage in one schema. Made by ``create``, found by ``open``; never made by reading."""

    def __init__(self, datastore: LedgerDatastore) -> None:
        self.where = datastore.where
        self.place = datastore.server
        self._datastore = datastore

    @cached_property
    def recorder(self) -> LedgerRecorder:
        """The library's recorder over the same tables."""
        return LedgerRecorder(self._datastore)

    @classmethod
    def create(cls, server: Server, *, timeout: float = 60.0) -> Self:
        """Make an empty ledger and open it. Raises ``LedgerError`` where the schema is not free, the server cannot be
        reached or would lose commits. A crash leaves a whole ledger or none."""
        datastore = LedgerDatastore(server, readonly=False, timeout=timeout)
        try:
            connection = datastore.connect()
            try:
                datastore.refuse_unsafe(ask(connection, SETTINGS)[0])
                postgres_schema.make(connection, server)
            finally:
                connection.close()
        finally:
            datastore.close()
        return cls.open(server, timeout=timeout)

    @classmethod
    def open(cls, server: Server, *, readonly: bool = False, timeout: float = 60.0) -> Self:
        """Open what is there; ``timeout`` is the longest wait for a lock, in seconds.

        Raises ``NoLedger`` for anything but a ledger, ``Unverified`` for one with altered tables or triggers,
        ``WriteFailed`` where it is to be written and the server would lose commits.
        """
        datastore = LedgerDatastore(server, readonly=readonly, timeout=timeout)
        try:
            [found] = datastore.ask(SETTINGS)
            if not readonly:
                datastore.refuse_unsafe(found)
        except BaseException:
            datastore.close()
            raise
        return cls(datastore)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._datastore.close()

    def _ask(self, sql: str, *parameters: Any) -> Rows:
        return self._datastore.ask(sql, parameters)

    def durability(self) -> tuple[str, ...]:
        """``fsync=…`` and ``synchronous_commit=…`` as the server reports them now."""
        return self._datastore.durability()

    @property
    def durability_reason(self) -> str:
        """What is asked of them, for people."""
        return "a server with either of them off is not written to"

    # -- writing -------------------------------------------------------------------------------------

    @contextmanager
    def writer(self) -> Iterator[PostgresWriter]:
        """See ``Store.writer``. Raises ``WriteFailed`` on a store that was opened for reading."""
        if self._datastore.readonly:
            raise WriteFailed("opened for reading only", where=self.where)
        with self._datastore.locked(FIRST) as (connection, head):
            writer = PostgresWriter(self.where, connection, head)
            try:
                yield writer
            finally:
                writer.end()
            self._commit(connection, writer)

    def _commit(self, connection: psycopg.Connection[DictRow], writer: PostgresWriter) -> None:
        """Commit. Where the connection is lost over it, look what became of it: it may well have been done."""
        try:
            connection.execute("COMMIT")
        except psycopg.Error as error:
            if not lost(error) or not self._is_there(writer.written):
                raise

    def _is_there(self, written: Sequence[tuple[int, bytes]]) -> bool:
        """Whether what a lost transaction inserted is in the record, byte for byte: the tree over all rows up to its
        last one has the root it had then. The lock is taken for it, so that a commit which still goes on is waited for."""
        if not written:
            return False
        from ledger.integrity.proof import Tree

        size, root = written[-1]
        deadline = time.monotonic() + _MENDED
        while True:
            try:
                with self._datastore.locked(FIRST) as (connection, found):
                    writer = PostgresWriter(self.where, connection, found)
                    head = writer.head()
                    return head.size >= size and Tree(head.size, writer.hashes).root(size) == root
            except LedgerError:
                if time.monotonic() >= deadline:
                    return False
            time.sleep(0.2)

    def discard(self, ledger: str | None, head: Head | None = None) -> None:
        """Drop the tables while they hold nothing, only the opening of a ledger of that name, or just what ``head``
        stands for."""
        with self._datastore.locked(FIRST) as (connection, found):
            writer = PostgresWriter(self.where, connection, found)
            size, opening = writer.head().size, writer.row(1)
            named = orjson.loads(opening.state)["data"].get("ledger") if opening else None
            ours = size == 1 and ledger is not None and named == ledger
            if size == 0 or ours or writer.head() == head:
                postgres_schema.drop(connection, self._datastore.server)
                connection.execute("COMMIT")

    def compact(self) -> None:
        """See ``Store.compact``. The server's log, its replicas and its archives keep what they have."""
        with self._datastore.get_connection() as connection:
            for table in ("ledger_body", "ledger_cipher"):
                before = ask(connection, "SELECT pg_relation_filenode(%s::regclass)", (table,))
                connection.execute(f"VACUUM (FULL) {table}")
                if ask(connection, "SELECT pg_relation_filenode(%s::regclass)", (table,)) == before:
                    raise not_allowed(f"{table} can be rewritten by its owner alone", self.where)

    # -- reading -------------------------------------------------------------------------------------

    def rows(self, start: int = 1, stop: int | None = None, *, batch: int = 2_000) -> Iterator[StoredRow]:
        """See ``Store.rows``. ``batch`` is the number of rows held in memory."""
        if batch < 1:
            raise ValueError("a batch holds one row or more")
        at, last = self._window(start, stop)
        window = (
            f"SELECT {_ROW} FROM stored_events e WHERE e.notification_id BETWEEN %s::bigint AND %s::bigint "
            "ORDER BY e.notification_id LIMIT %s"
        )
        while at <= last:
            found = self._ask(window, at, last, batch)
            yield from map(StoredRow._make, found)
            if len(found) < batch:
                return
            at = found[-1][0] + 1

    def leaves(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See ``Store.leaves``. A cursor on the server: what it sees is one moment, and no writer waits for it."""
        at, last = self._window(start, stop)
        if at > last:
            return
        sql = (
            "SELECT notification_id, state FROM stored_events "
            "WHERE notification_id BETWEEN %s::bigint AND %s::bigint ORDER BY notification_id"
        )
        with self._datastore.streaming(sql, (at, last)) as cursor:
            while found := cursor.fetchmany(_FETCHED):
                yield from cast("list[tuple[int, bytes]]", found)

    def _window(self, start: int, stop: int | None) -> tuple[int, int]:
        last = self._ask(LAST_POSITION)[0][0] if stop is None else stop
        return max(start, 1), min(last, _LAST)

    def registry_rows(self, after: int = 0) -> Iterator[tuple[StoredRow, AnyBody | None]]:
        some = (
            f"SELECT {_ROW}, b.salt, b.body, c.key, c.sealed FROM "
            f"(SELECT position FROM ledger_registry WHERE position > %s::bigint ORDER BY position LIMIT {_AT_ONCE}) g "
            "JOIN stored_events e ON e.notification_id = g.position "
            "LEFT JOIN ledger_body b ON b.position = g.position "
            "LEFT JOIN ledger_cipher c ON c.position = g.position ORDER BY g.position"
        )
        while found := self._ask(some, min(after, _LAST)):
            for columns in found:
                row = StoredRow._make(columns[:6])
                after = row.position
                yield row, _either(*columns[6:])

    def bodies(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, AnyBody]]:
        at, last = max(start, 1), min(_LAST if stop is None else stop, _LAST)
        within = "position BETWEEN %s::bigint AND %s::bigint ORDER BY position LIMIT %s"
        window = (
            f"(SELECT position, salt, body, NULL, NULL FROM ledger_body WHERE {within}) UNION ALL "
            f"(SELECT position, NULL, NULL, key, sealed FROM ledger_cipher WHERE {within}) ORDER BY 1 LIMIT %s"
        )
        while at <= last:
            found = self._ask(window, at, last, _AT_ONCE, at, last, _AT_ONCE, _AT_ONCE)
            for position, *columns in found:
                body = _either(*columns)
                assert body is not None
                yield position, body
            if len(found) < _AT_ONCE:
                return
            at = found[-1][0] + 1

    def raw_rows(self, first: int, last: int) -> Rows:
        """See ``Store.raw_rows``."""
        return self._ask(
            f"SELECT {_ROW}, b.salt, b.body, c.key, c.sealed FROM stored_events e "
            "LEFT JOIN ledger_body b ON b.position = e.notification_id "
            "LEFT JOIN ledger_cipher c ON c.position = e.notification_id "
            "WHERE e.notification_id BETWEEN %s::bigint AND %s::bigint ORDER BY e.notification_id",
            *(first, min(last, _LAST)),
        )

    def positions_of_keys(self, keys: Sequence[str]) -> dict[str, int]:
        """See ``Store.positions_of_keys``."""
        wanted = list(filter(_storable, keys))
        sql = "SELECT key, position FROM ledger_key WHERE key = ANY (%s::text[])"
        return dict(cast("list[tuple[str, int]]", self._ask(sql, wanted))) if wanted else {}

    def key_count(self, last: int | None = None) -> int:
        """See ``Store.key_count``."""
        sql = "SELECT count(*) FROM ledger_key WHERE position <= %s::bigint"
        return int(self._ask(sql, _LAST if last is None else last)[0][0])

    def marks(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:
        """See ``Store.marks``."""
        sql = (
            "SELECT position, mark FROM ledger_mark WHERE position BETWEEN %s::bigint AND %s::bigint "
            "ORDER BY position, mark"
        )
        yield from cast("list[tuple[int, int]]", self._ask(sql, first, _LAST if last is None else last))

    def registered(self, first: int = 1, last: int | None = None) -> Iterator[int]:
        """See ``Store.registered``."""
        sql = "SELECT position FROM ledger_registry WHERE position BETWEEN %s::bigint AND %s::bigint ORDER BY position"
        yield from (at for (at,) in self._ask(sql, first, _LAST if last is None else last))

    def find_streams(self, prefix: str, limit: int = 10) -> list[str]:
        if not _storable(prefix):
            return []
        # Whatever begins with the prefix follows it without a gap in the order of the index.
        found = self._ask(
            "SELECT DISTINCT originator_id FROM stored_events WHERE originator_id >= %s::text "
            "ORDER BY originator_id LIMIT %s",
            *(prefix, max(limit, 0)),
        )
        return [stream for (stream,) in found if stream.startswith(prefix)]

    def named(self, last: int) -> int | None:
        """See ``Store.named``."""
        some = (
            "SELECT originator_id, originator_version, notification_id FROM stored_events "
            "WHERE (originator_id, originator_version) > (%s::text, %s::bigint) "
            "ORDER BY originator_id, originator_version LIMIT 20000"
        )
        total = 0
        before: tuple[Any, ...] = ("", 0, 0)
        while found := self._ask(some, *before[:2]):
            if not found[0] > before or not all(map(lt, found, found[1:])):
                return None
            before = found[-1]
            total += sum(hash(row) for row in found if row[2] <= last)
        return total

    def faults(self, *, index: bool = True) -> Iterator[str]:
        """See ``Store.faults``."""
        # One statement each: what it sees is one moment, whoever appends meanwhile.
        [(promised, sums)] = self._ask(f"SELECT marks, ({MARK_SUMS}) FROM ledger_head")
        if sums != promised:
            yield "the marks by which twins are found are not those that were written"
        [(size, count, last)] = self._ask(
            f"SELECT size, (SELECT count(*) FROM stored_events), ({LAST_POSITION}) FROM ledger_head"
        )
        if count != last or last != size:
            yield f"the head counts {size} events, there are {count}, and the last one is #{last}"
        if index and self.named(last) != self._by_rows(last):
            yield "the index of streams does not lead to the rows"
        for table in ("ledger_body", "ledger_cipher", "ledger_key", "ledger_mark", "ledger_registry"):
            for (at,) in self._ask(f"SELECT min(position) FROM {table}"):
                if at is not None and at < 1:
                    yield f"{table} has a row at #{at}, before the first event"
        [(size, nodes)] = self._ask("SELECT size, (SELECT count(*) FROM ledger_node) FROM ledger_head")
        due = sum(size >> height for height in range(STEP, size.bit_length(), STEP))
        if nodes != due:
            yield f"{nodes:,} nodes of the tree are kept where {size:,} events make {due:,}"

    def _by_rows(self, last: int) -> int:
        """What ``named`` must give, by the rows themselves."""
        return sum(hash((row.stream, row.version, row.position)) for row in self.rows(1, last))
