"""Connections to a ledger's PostgreSQL schema: how they are made, wait for the lock, and report what went wrong.

What differs from the library's own datastore: connections are made when they are needed and no thread keeps them, so
that a wrong address is told at once; a schema is recognised before anything is done in it; a server that would lose
commits is not written to; writers queue for an advisory lock; every error leaves as one of ``ledger.errors``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from eventsourcing.postgres import PostgresDatastore
from psycopg.rows import dict_row, tuple_row

from ledger.errors import LedgerError, Locked, WriteFailed
from ledger.places import Server
from ledger.store.postgres import schema as postgres_schema
from ledger.store.postgres.errors import lost, translate, unreached
from ledger.store.postgres.wire import LedgerConnection, Rows, ask

Texts = list[tuple[str, ...]]

_PATIENCE = 10  # seconds to wait for an answer to the first word
_KEPT = 4  # idle connections
_SAFE = ("fsync", "synchronous_commit")  # settings without which a commit can be lost
SAFE = ", ".join(f"current_setting('{name}')" for name in _SAFE)
SETTINGS = f"SELECT {SAFE}"
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"


class LedgerDatastore(PostgresDatastore):
    """The library's datastore over connections of our own; ids are text."""

    def __init__(self, server: Server, *, readonly: bool, timeout: float) -> None:
        self.server = server
        self.where = str(server)
        self.readonly = readonly
        self.timeout = timeout
        self.schema = server.schema
        self.lock_key = postgres_schema.lock_key(server.schema)
        self._begin = [(_BEGIN, ()), (f"SELECT pg_advisory_xact_lock({self.lock_key})", ())]
        # What the library's recorders look at.
        self.originator_id_type = "text"
        self.single_row_tracking = True
        self.enable_db_functions = False
        self.lock_timeout = 0
        self.db_type_names = set[str]()
        self.psycopg_type_adapters = {}
        self.psycopg_python_types = {}

        self._idle: list[LedgerConnection] = []
        self._guard = threading.Lock()
        self._owner = os.getpid()
        self._closed = self._recognised = False

    def register_type_adapters(self) -> None:
        """Nothing: no composite types are used."""

    # -- connections ---------------------------------------------------------------------------------

    def connect(self) -> LedgerConnection:
        """A new connection, set up and not yet looked at. Raises ``LedgerError`` where none can be made."""
        try:
            connection = LedgerConnection.connect(
                self.server.conninfo,
                autocommit=True,
                row_factory=dict_row,
                connect_timeout=_PATIENCE,
                client_encoding="utf8",
                fallback_application_name="claims",
            )
        except psycopg.Error as error:
            raise unreached(error, self.where) from None  # what it was given holds a password
        try:
            # Our schema first, temporary tables last: nobody's table comes before ours.
            settings = {"search_path": f'"{self.schema}", pg_temp', "lock_timeout": f"{self._milliseconds}ms"}
            if self.readonly:
                settings["default_transaction_read_only"] = "on"
            asked = ", ".join(["set_config(%s, %s, false)"] * len(settings))
            connection.execute(f"SELECT {asked}", [text for pair in settings.items() for text in pair])
        except psycopg.Error as error:
            connection.close()
            raise translate(error, self.where, writing=False) from error
        return connection

    @property
    def _milliseconds(self) -> int:
        return max(1, min(int(self.timeout * 1000), 2**31 - 1))

    def keep(self, connection: LedgerConnection) -> None:
        """Take over a connection on which a ledger was just made; it is looked at like any other."""
        self._recognise(connection)
        self._put(connection)

    def _recognise(self, connection: LedgerConnection) -> None:
        if self._recognised:
            return
        try:
            postgres_schema.recognise(connection, self.server)
        except psycopg.Error as error:
            connection.close()
            raise translate(error, self.where, writing=False) from error
        except BaseException:
            connection.close()
            raise
        self._recognised = True

    def _checked(self) -> LedgerConnection:
        connection = self.connect()
        self._recognise(connection)
        return connection

    def _taken(self) -> tuple[LedgerConnection, bool]:
        """A connection, and whether it lay idle: then the server may have gone away meanwhile."""
        with self._guard:
            if self._closed:
                raise LedgerError("the ledger is closed", where=self.where)
            if self._owner != os.getpid():  # a fork: those belong to the other process
                self._idle, self._owner = [], os.getpid()
            if self._idle:
                return self._idle.pop(), True
        return self._checked(), False

    def _put(self, connection: LedgerConnection) -> None:
        """Keep a connection for the next one, unless something is open on it."""
        usable = connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.IDLE
        with self._guard:
            if usable and not self._closed and len(self._idle) < _KEPT:
                self._idle.append(connection)
                return
        with suppress(psycopg.Error):
            connection.close()

    def close(self) -> None:
        with self._guard:
            idle, self._idle, self._closed = self._idle, [], True
        if self._owner == os.getpid():
            for connection in idle:
                with suppress(psycopg.Error):
                    connection.close()

    @contextmanager
    def get_connection(self) -> Iterator[LedgerConnection]:
        """A connection in autocommit, as the library's own reading methods want it."""
        connection, _ = self._taken()
        try:
            yield connection
        except psycopg.Error as error:
            raise translate(error, self.where, writing=False) from error
        finally:
            self._put(connection)

    # -- reading -------------------------------------------------------------------------------------

    def ask(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        """All rows of a query on what was last committed. One that lay idle while the server was started anew is not
        noticed."""
        while True:
            connection, idle = self._taken()
            try:
                return ask(connection, sql, parameters)
            except psycopg.Error as error:
                if idle and lost(error):
                    continue  # each time with one idle connection less
                raise translate(error, self.where, writing=False) from error
            finally:
                self._put(connection)

    @contextmanager
    def streaming(
        self, sql: str, parameters: Sequence[Any] = ()
    ) -> Iterator[psycopg.ServerCursor[tuple[Any, ...]]]:
        """A cursor on the server, in a transaction that only reads: it keeps no writer waiting."""
        self.ask("SELECT 1")  # the connection that is kept is a living one
        connection, _ = self._taken()
        try:
            connection.execute("BEGIN READ ONLY")
            with connection.cursor("ledger_rows", row_factory=tuple_row) as cursor:
                cursor.execute(sql, parameters, binary=True)
                yield cursor
        except psycopg.Error as error:
            raise translate(error, self.where, writing=False) from error
        finally:
            with suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            self._put(connection)

    # -- writing -------------------------------------------------------------------------------------

    @contextmanager
    def locked(self, first: str = SETTINGS) -> Iterator[tuple[LedgerConnection, Texts]]:
        """A connection in a transaction that holds the write lock, and what ``first`` gave there, as texts; whoever gets
        it commits. Its last columns are ``SAFE``.

        What is not committed is rolled back. Raises ``Locked`` where somebody else had it for too long, ``WriteFailed``
        where commits would not be safe.
        """
        connection, found = self._begun(first)
        try:
            yield connection, found
        except psycopg.Error as error:
            raise translate(error, self.where, writing=True) from error
        finally:
            self._abandon(connection)

    def _begun(self, first: str) -> tuple[LedgerConnection, Texts]:
        while True:
            connection, idle = self._taken()
            try:
                return connection, self.begin(connection, first)
            except psycopg.errors.LockNotAvailable:
                self._abandon(connection)
                raise Locked(
                    f"somebody else has been writing for {self.timeout:g} s; nothing was recorded",
                    where=self.where,
                    remedy="Wait for it, then try again",
                ) from None
            except psycopg.Error as error:
                self._abandon(connection)
                if idle and lost(error):
                    continue
                raise translate(error, self.where, writing=True) from error
            except BaseException:
                self._abandon(connection)
                raise

    def begin(self, connection: LedgerConnection, first: str) -> Texts:
        """Begin a transaction that holds the write lock, and ask in it. Raises psycopg's errors, and ``WriteFailed``."""
        # One turn with the server. Each statement sees what was committed while the lock was waited for.
        found = _texts(connection.run_all([*self._begin, (first, ())], binary=False)[2])
        for row in found:
            self.refuse_unsafe(row[-len(_SAFE) :])
        return found

    def refuse_unsafe(self, found: Sequence[str]) -> None:
        """Raise ``WriteFailed`` where the server would lose commits; ``found`` is what ``SETTINGS`` gave."""
        for name, value in zip(_SAFE, found, strict=True):
            if value == "off":
                raise WriteFailed(
                    f"commits would not be safe here: the server runs with {name}=off; nothing was recorded",
                    where=self.where,
                    remedy=f"Have its owner set {name} to on",
                )

    def durability(self) -> tuple[str, ...]:
        """What the server says of itself, as ``name=value``."""
        [found] = self.ask(SETTINGS)
        return tuple(f"{name}={value}" for name, value in zip(_SAFE, found, strict=True))

    def _abandon(self, connection: LedgerConnection) -> None:
        """Roll back what is still open; a connection that cannot is not used again."""
        try:
            if connection.pgconn.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                connection.execute("ROLLBACK")
        except psycopg.Error:
            connection.close()
        self._put(connection)


def _texts(answer: psycopg.pq.abc.PGresult) -> Texts:
    """The rows of an answer in text form; NULL is an empty text."""
    columns = range(answer.nfields)
    return [
        tuple([(answer.get_value(row, column) or b"").decode() for column in columns])
        for row in range(answer.ntuples)
    ]
