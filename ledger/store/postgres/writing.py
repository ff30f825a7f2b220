"""The holder of a PostgreSQL ledger's write lock."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg

from ledger.errors import WriteFailed
from ledger.store.base import EncryptedBody, Head, NewRow
from ledger.store.conflicts import conflict
from ledger.store.postgres.errors import translate
from ledger.store.postgres.pool import LedgerDatastore, Texts
from ledger.store.postgres.reading import Reads
from ledger.store.postgres.recorder import (
    FIRST,
    Prepared,
    Standing,
    changed,
    expect_last,
    few,
    insert,
    prepared,
    standing_locked,
)
from ledger.store.postgres.wire import LedgerConnection, Rows, ask


class PostgresWriter(Reads):
    """The holder of the write lock; made by ``PostgresStore.writer`` and dead when its block ends."""

    def __init__(self, datastore: LedgerDatastore, connection: LedgerConnection, head: Texts) -> None:
        self.where = datastore.where
        self._datastore = datastore
        self.written: Head | None = None  # where the head stands by what this transaction inserted
        self._connection: LedgerConnection | None = connection
        self._found = head  # what the query for the head gave when the lock was got
        self._standing: Standing | None = None  # nobody else writes while this one lives
        self._untouched = True  # whether nothing was written yet
        self._pending: tuple[Prepared, Sequence[NewRow]] | None = None  # to be written with the commit

    @property
    def _open(self) -> LedgerConnection:
        if self._connection is None:  # what follows would run outside any transaction
            raise WriteFailed("the write transaction is over", where=self.where)
        if self._pending is not None:
            raise WriteFailed("the last rows were inserted already", where=self.where)
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
        assert self._pending is not None or self._open
        return self._stands().head

    def _stands(self) -> Standing:
        if self._standing is None:
            self._standing = standing_locked(self._found, self.where)
        return self._standing

    def insert(self, rows: Sequence[NewRow], recorded: str, *, last: bool = False) -> range:
        """See ``Writer.insert``."""
        connection, before = self._open, self._stands()
        size = before.head.size
        if not rows:
            return range(size + 1, size + 1)
        if last and self._untouched and few(rows):
            made = prepared(before, rows, recorded)
            self._standing, self._pending = made.after, (made, rows)
            self.written = made.after.head
            return range(size + 1, made.after.head.size + 1)
        try:
            after = insert(connection, self.where, before, rows, recorded)
        except psycopg.errors.UniqueViolation as error:
            expect_last(connection, self.where, size)
            raise conflict(self, rows, self.where) or translate(error, self.where, writing=True) from error
        except psycopg.Error as error:
            raise translate(error, self.where, writing=True) from error
        self._standing, self._untouched = after, False
        self.written = after.head
        return range(size + 1, after.head.size + 1)

    def commit(self) -> None:
        """Commit, with the rows that were left for it. psycopg's errors leave as they are where the connection is lost."""
        pending, self._pending = self._pending, None
        connection = self._open
        if pending is None:
            connection.run_plain(b"COMMIT")
            return
        made, rows = pending
        try:
            connection.run_all([*made.statements, ("COMMIT", ())])
        except (psycopg.errors.UniqueViolation, psycopg.errors.DivisionByZero) as error:
            connection.run_plain(b"ROLLBACK")
            found = self._datastore.begin(connection, FIRST)  # under the lock again, to see what it was
            size = standing_locked(found, self.where).head.size
            if isinstance(error, psycopg.errors.DivisionByZero):
                raise changed(connection, self.where, size) from error
            expect_last(connection, self.where, size)
            raise conflict(self, rows, self.where) or translate(error, self.where, writing=True) from error

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
        connection, self._untouched = self._open, False
        try:
            connection.execute(sql, parameters)
        except psycopg.Error as error:
            raise translate(error, self.where, writing=True) from error
