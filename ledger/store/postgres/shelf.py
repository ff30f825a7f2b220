"""Tables that were made from a ledger, kept beside it on the server: each set in a schema of its own.

A set is put there whole or not at all, by the ledger's owner, and whoever may read the ledger may read it. It is taken
only from a schema that belongs to the ledger's owner and says whose it is: what anybody else puts under that name is
passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from typing import Any, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from ledger.errors import LedgerError, NoLedger
from ledger.places import Server
from ledger.settings import lock_timeout
from ledger.store.postgres.errors import not_allowed, translate
from ledger.store.postgres.pool import LedgerDatastore
from ledger.store.postgres.schema import lock_key
from ledger.store.postgres.wire import LedgerConnection

_TYPES = {"INTEGER": "bigint", "TEXT": "text", "BLOB": "bytea", "REAL": "double precision"}
_AT_ONCE = 200
_NUL = "a text with a zero byte in it cannot be kept on a server"

_OWNER = (
    "SELECT pg_get_userbyid(nspowner), pg_has_role(nspowner, 'MEMBER'), has_database_privilege(current_database(), 'CREATE') "
    "FROM pg_namespace WHERE nspname = %s"
)
_THERE = "SELECT pg_has_role(nspowner, 'MEMBER'), obj_description(oid, 'pg_namespace') FROM pg_namespace WHERE nspname = %s"
_LABEL = (
    "SELECT obj_description(oid, 'pg_namespace') FROM pg_namespace n WHERE nspname = %s AND nspowner = "
    "(SELECT nspowner FROM pg_namespace WHERE nspname = %s)"
)
#: Who may read the ledger; 0 is everybody.
_READERS = (
    "SELECT DISTINCT CASE WHEN a.grantee = 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END "
    "FROM pg_class c CROSS JOIN aclexplode(c.relacl) a "
    "WHERE c.oid = 'stored_events'::regclass AND a.privilege_type = 'SELECT'"
)
#: Schemas of the ledger's owner by their names, and their tables.
_KEPT = (
    "SELECT n.nspname, c.relname FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r' "
    "WHERE n.nspowner = (SELECT nspowner FROM pg_namespace WHERE nspname = %s) AND n.nspname ~ %s "
    "AND obj_description(n.oid, 'pg_namespace') IS NOT NULL"
)
_COLUMNS = (
    "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = "
    "c.relnamespace WHERE n.nspname = %s AND c.relname = %s AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped "
    "ORDER BY a.attnum"
)


class Table(NamedTuple):
    """A table to be kept: its columns as (name, SQLite type), how many of them its key begins with, and its rows."""

    name: str
    columns: Sequence[tuple[str, str]]
    rows: Iterable[Sequence[Any]]


def schema_of(server: Server, mark: str) -> str:
    """The name of a schema beside a ledger's for what ``mark`` stands for: at most 63 bytes."""
    digest = sha256(f"{server.schema}\n{mark}".encode()).hexdigest()[:12]
    return f"{server.schema[:44]}_view_{digest}"


def check(server: Server) -> None:
    """Raise ``LedgerError`` for a role that may not keep anything beside a ledger."""
    datastore = LedgerDatastore(server, readonly=True, timeout=lock_timeout())
    with closing(datastore), _asked(datastore) as connection:
        _owner(connection.cursor(row_factory=tuple_row), server, datastore.where)


def put(server: Server, mark: str, label: str, tables: Iterable[Table]) -> str:
    """Keep tables under a mark, in the place of those that were there; the name of their schema.

    Raises ``LedgerError`` for a role that is not the ledger's owner, and where the schema is somebody else's.
    """
    name = schema_of(server, mark)
    datastore = LedgerDatastore(server, readonly=False, timeout=lock_timeout())
    with closing(datastore), _asked(datastore) as connection, connection.transaction():
        cursor = connection.cursor(row_factory=tuple_row)
        cursor.execute("SELECT pg_advisory_xact_lock(%s::bigint)", (lock_key(name),))
        owner = _owner(cursor, server, datastore.where)
        there = cursor.execute(_THERE, (name,)).fetchall()
        if there and there != [(True, label)]:
            raise LedgerError(
                f"the schema {name!r} is somebody else's",
                where=datastore.where,
                remedy="Drop it, if nobody needs it",
            )
        schema = sql.Identifier(name)
        if there:
            cursor.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(schema))
        cursor.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(schema, sql.Identifier(owner)))
        cursor.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(owner)))
        cursor.execute(sql.SQL("COMMENT ON SCHEMA {} IS {}").format(schema, sql.Literal(label)))
        for table in tables:
            _fill(connection, sql.Identifier(name, table.name), table, datastore.where)
        for (reader,) in cursor.execute(_READERS).fetchall():
            who = sql.SQL("PUBLIC") if reader is None else sql.Identifier(reader)
            cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(schema, who))
            cursor.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(schema, who))
    return name


def _owner(cursor: psycopg.Cursor[Any], server: Server, where: str) -> str:
    """The ledger's owner, if we are it, or of it, and may make schemas."""
    found = cursor.execute(_OWNER, (server.schema,)).fetchall()
    if not found:
        raise NoLedger(f"there is no schema {server.schema!r}", where=where)
    [(owner, ours, may)] = found
    if not ours:
        raise not_allowed(f"what is shared belongs to {owner}, who owns the ledger", where)
    if not may:
        raise not_allowed("no right to make a schema in this database", where)
    return str(owner)


def _fill(connection: LedgerConnection, name: sql.Identifier, table: Table, where: str) -> None:
    kinds = [_TYPES[kind] for _, kind in table.columns]
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind + (' COLLATE "C"' if kind == "text" else "")))
        for (column, _), kind in zip(table.columns, kinds, strict=True)
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(columns)))
        with cursor.copy(sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(name)) as copy:
            copy.set_types(kinds)
            for row in table.rows:
                if any(isinstance(value, str) and "\0" in value for value in row):
                    raise LedgerError(_NUL, where=where, remedy="It stays on this machine")
                copy.write_row(row)


def hand_over(connection: LedgerConnection, schema: str, owner: str, readers: Sequence[str]) -> None:
    """Give what a ledger's owner keeps beside it to another owner, who is about to get the ledger, and let ``readers`` read
    it. Where the ledger's name is too long to be told by theirs, they stay as they are, and are passed over until they are
    put there again."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        found = cursor.execute(_KEPT, (schema, f"^{re.escape(schema)}_view_[0-9a-f]{{12}}$")).fetchall()
        for name in {name for name, _ in found}:
            whom = [sql.Identifier(one) for one in (name, owner)]
            cursor.execute(sql.SQL("ALTER SCHEMA {} OWNER TO {}").format(*whom))
            for table in (table for where, table in found if where == name and table is not None):
                cursor.execute(
                    sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(name, table), whom[1])
                )
            who = sql.SQL(", ").join(map(sql.Identifier, readers))
            cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(whom[0], who))
            cursor.execute(sql.SQL("GRANT SELECT ON ALL TABLES IN SCHEMA {} TO {}").format(whom[0], who))


class Shelf:
    """What is kept under a mark, as it was when it was asked for."""

    def __init__(self, connection: LedgerConnection, name: str, label: str) -> None:
        self.label = label
        self._connection, self._name = connection, name

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[list[tuple[Any, ...]]]:
        """The rows of a table, some at a time; none where there is no table with just these columns that may be read."""
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            found = [one for (one,) in cursor.execute(_COLUMNS, (self._name, table)).fetchall()]
        if found != list(columns):
            return
        query = sql.SQL("SELECT {} FROM {}").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(self._name, table)
        )
        with self._connection.cursor("ledger_shelf", row_factory=tuple_row) as rows:
            try:
                rows.execute(query, binary=True)
            except psycopg.errors.InsufficientPrivilege:
                return
            while some := rows.fetchmany(_AT_ONCE):
                yield some


@contextmanager
def kept(server: Server, mark: str) -> Iterator[Shelf | None]:
    """What the ledger's owner keeps under a mark; None where that is nothing, or may not be read."""
    datastore = LedgerDatastore(server, readonly=True, timeout=lock_timeout())
    with closing(datastore), _asked(datastore) as connection:
        name = schema_of(server, mark)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with connection.cursor(row_factory=tuple_row) as cursor:
            label = _label(cursor, server, name)
            [(may,)] = cursor.execute(
                "SELECT coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = %s), false)",
                (name,),
            ).fetchall()
        yield Shelf(connection, name, label) if label and may else None


def _label(cursor: psycopg.Cursor[Any], server: Server, name: str) -> str:
    """What the ledger's owner says is in a schema; "" where there is none, or it is not that owner's."""
    found = cursor.execute(_LABEL, (name, server.schema)).fetchall()
    return str(found[0][0] or "") if found else ""


@contextmanager
def _asked(datastore: LedgerDatastore) -> Iterator[LedgerConnection]:
    connection = datastore.connect()
    try:
        yield connection
    except psycopg.Error as error:
        raise translate(error, datastore.where, writing=not datastore.readonly) from error
    finally:
        connection.close()
