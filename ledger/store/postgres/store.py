"""A ledger in a schema of a PostgreSQL database, written through eventsourcing's application recorder.

The recorder's table ``stored_events`` is the record. Leaf hashes, bodies, keys, marks, the list of registry rows and the
tree head are written beside it in the same transaction, under an advisory lock that every writer takes. Needs the
extra ``postgres``; ``ledger.book`` imports this module only for an address of a server.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from typing import Any, Self

import orjson
import psycopg

from ledger.errors import LedgerError, WriteFailed
from ledger.places import Server
from ledger.store.base import Head
from ledger.store.postgres import schema as postgres_schema
from ledger.store.postgres.auditing import Audits
from ledger.store.postgres.errors import lost, not_allowed
from ledger.store.postgres.pool import SETTINGS, LedgerDatastore
from ledger.store.postgres.recorder import FIRST, LedgerRecorder
from ledger.store.postgres.wire import Rows, ask
from ledger.store.postgres.writing import PostgresWriter

_MENDED = 20.0  # seconds in which a server that broke off may come back and say what became of a commit


class PostgresStore(Audits):
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
            except BaseException:
                connection.close()
                raise
            datastore.keep(connection)
        except BaseException:
            datastore.close()
            raise
        return cls(datastore)

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

    def _streaming(
        self, sql: str, parameters: Sequence[Any]
    ) -> AbstractContextManager[psycopg.ServerCursor[tuple[Any, ...]]]:
        return self._datastore.streaming(sql, parameters)

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
            writer = PostgresWriter(self._datastore, connection, head)
            try:
                yield writer
                self._commit(writer)
            finally:
                writer.end()

    def _commit(self, writer: PostgresWriter) -> None:
        """Commit. Where the connection is lost over it, look what became of it: it may well have been done."""
        try:
            writer.commit()
        except psycopg.Error as error:
            if not lost(error) or not self._is_there(writer.written):
                raise

    def _is_there(self, written: Head | None) -> bool:
        """Whether what a lost transaction inserted is in the record, byte for byte: the tree over all rows up to its
        last one has the root it had then. The lock is taken for it, so that a commit which still goes on is waited for."""
        if written is None:
            return False
        from ledger.integrity.proof import Tree

        deadline = time.monotonic() + _MENDED
        while True:
            try:
                with self._datastore.locked(FIRST) as (connection, found):
                    writer = PostgresWriter(self._datastore, connection, found)
                    size = writer.head().size
                    return (
                        size >= written.size and Tree(size, writer.hashes).root(written.size) == written.root
                    )
            except LedgerError:
                if time.monotonic() >= deadline:
                    return False
            time.sleep(0.2)

    def discard(self, ledger: str | None, head: Head | None = None) -> None:
        """Drop the tables while they hold nothing, only the opening of a ledger of that name, or just what ``head``
        stands for."""
        with self._datastore.locked(FIRST) as (connection, found):
            writer = PostgresWriter(self._datastore, connection, found)
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
                before = ask(connection, "SELECT pg_relation_filenode($1::text::regclass)", (table,))
                connection.execute(f"VACUUM (FULL) {table}")
                if ask(connection, "SELECT pg_relation_filenode($1::text::regclass)", (table,)) == before:
                    raise not_allowed(f"{table} can be rewritten by its owner alone", self.where)
