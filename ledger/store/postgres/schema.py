"""The tables of a ledger in a schema of a PostgreSQL database: how they are made, and how they are recognised.

All is made by one transaction. The table of the head carries the schema's version in its comment, and opening compares
columns, constraints, indexes, triggers and functions with what was made: a trigger that somebody dropped or disabled is
found before the first row is read. The triggers guard against accidents; what makes the record trustworthy are the hashes.

A ledger has a schema of its own, and everybody who writes to it holds one advisory lock (``lock_key``) while they do.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import tuple_row

from ledger.errors import LedgerError, NoLedger, Unverified
from ledger.store.postgres.errors import translate
from ledger.store.postgres.expected import EXPECTED

if TYPE_CHECKING:
    from ledger.places import Server

SCHEMA_VERSION = 2
_COMMENT = "claim-ledger schema "
OLDEST_SERVER = 140000

#: Tables whose rows are never changed. ``ledger_body`` and ``ledger_cipher`` can be erased, settings change.
RECORD = ("stored_events", "ledger_node", "ledger_key", "ledger_mark", "ledger_registry")
TABLES = (*RECORD, "ledger_head", "ledger_body", "ledger_cipher", "ledger_setting")

_MADE = (
    # No CHECK where every append inserts: the server reads each anew for each statement, and an audit finds what it would.
    # The position is the library's notification_id; it is given by us, dense, and no sequence is asked.
    """CREATE TABLE stored_events (
  notification_id bigint PRIMARY KEY,
  originator_id text COLLATE "C" NOT NULL,
  originator_version bigint NOT NULL,
  topic text COLLATE "C" NOT NULL,
  state bytea NOT NULL,
  leaf_hash bytea NOT NULL,
  UNIQUE (originator_id, originator_version)
)""",
    # One row, changed by every append: room in its page keeps that cheap. marks: their number and three sums.
    """CREATE TABLE ledger_head (
  id integer PRIMARY KEY,
  size bigint NOT NULL,
  frontier bytea NOT NULL,
  recorded text COLLATE "C",
  marks text COLLATE "C" NOT NULL
) WITH (fillfactor = 10)""",
    """CREATE TABLE ledger_body (
  position bigint PRIMARY KEY,
  salt bytea NOT NULL,
  body bytea NOT NULL
)""",
    """CREATE TABLE ledger_cipher (
  position bigint PRIMARY KEY,
  key text COLLATE "C" NOT NULL,
  sealed bytea NOT NULL
)""",
    """CREATE TABLE ledger_key (
  key text COLLATE "C" PRIMARY KEY,
  position bigint NOT NULL
)""",
    """CREATE TABLE ledger_mark (
  mark bigint NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (mark, position)
)""",
    "CREATE TABLE ledger_registry (position bigint PRIMARY KEY)",
    """CREATE TABLE ledger_node (
  height smallint NOT NULL CHECK (height >= 4 AND height % 4 = 0),
  number bigint NOT NULL CHECK (number >= 0),
  hash bytea NOT NULL CHECK (octet_length(hash) = 32),
  PRIMARY KEY (height, number)
)""",
    """CREATE TABLE ledger_setting (
  name text COLLATE "C" PRIMARY KEY,
  value text COLLATE "C" NOT NULL
)""",
    """CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'what is recorded is never changed or deleted: append another event'; END$$""",
    """CREATE FUNCTION ledger_grow() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN RAISE EXCEPTION 'there is one head of a ledger, and it never goes back'; END$$""",
    "INSERT INTO ledger_head (id, size, frontier, recorded, marks) VALUES (1, 0, '', NULL, '0 0 0 0')",
    *(
        f"CREATE TRIGGER {table}_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} EXECUTE FUNCTION ledger_refuse()"
        for table in RECORD
    ),
    "CREATE TRIGGER ledger_head_refuse BEFORE DELETE OR TRUNCATE ON ledger_head EXECUTE FUNCTION ledger_refuse()",
    # Asked by the server itself, which a function in its own language would cost an append five times as much.
    """CREATE TRIGGER ledger_head_grow BEFORE UPDATE ON ledger_head FOR EACH ROW
  WHEN (NEW.id <> OLD.id OR NEW.size < OLD.size) EXECUTE FUNCTION ledger_grow()""",
    "CREATE TRIGGER ledger_head_one BEFORE INSERT ON ledger_head EXECUTE FUNCTION ledger_grow()",
    # Even for a session that replays somebody else's changes, where other triggers rest.
    *(
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"
        for table, trigger in (
            *((table, f"{table}_refuse") for table in (*RECORD, "ledger_head")),
            ("ledger_head", "ledger_head_grow"),
            ("ledger_head", "ledger_head_one"),
        )
    ),
    f"COMMENT ON TABLE ledger_head IS '{_COMMENT}{SCHEMA_VERSION}'",
)

#: What there is in a schema, a line each; the same on every server version, whatever it is called.
_FOUND = """
SELECT 'table ' || c.relname || CASE WHEN c.relkind = 'r' THEN '' ELSE ' of kind ' || c.relkind::text END
    || CASE WHEN c.relrowsecurity OR c.relhasrules OR c.relhassubclass OR c.relpersistence <> 'p' THEN ' altered' ELSE '' END
  FROM pg_class c WHERE c.relnamespace = %(schema)s AND c.relkind <> 'i'
UNION ALL
SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || CASE WHEN a.atthasdef THEN ' with default' ELSE '' END
    || coalesce(' collate ' || nullif(l.collname, 'default'), '')
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_collation l ON l.oid = a.attcollation
  WHERE c.relnamespace = %(schema)s AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint ' || c.relname || ' ' || CASE WHEN k.contype = 'c' THEN pg_get_constraintdef(k.oid) ELSE
    k.contype::text || ' ' || (SELECT string_agg(a.attname, ', ' ORDER BY u.n) FROM unnest(k.conkey) WITH ORDINALITY u (at, n)
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.at) END || CASE WHEN k.convalidated THEN '' ELSE ' ?' END
  FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = %(schema)s AND k.contype <> 'n'
UNION ALL
SELECT 'index ' || c.relname || ' ' || i.relname || CASE WHEN x.indisunique THEN ' unique' ELSE '' END
    || CASE WHEN x.indisvalid AND x.indisready AND x.indpred IS NULL THEN '' ELSE ' invalid' END
  FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
  WHERE c.relnamespace = %(schema)s
UNION ALL
SELECT 'trigger ' || t.tgname || ' on ' || c.relname || ' ' || t.tgtype || ' ' || t.tgenabled::text || ' '
    || CASE WHEN p.pronamespace = %(schema)s THEN p.proname ELSE 'of a stranger' END
    || coalesce(' when ' || substring(pg_get_triggerdef(t.oid) FROM ' WHEN (.*) EXECUTE '), '')
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
  WHERE c.relnamespace = %(schema)s AND NOT t.tgisinternal
UNION ALL
SELECT 'function ' || p.proname || ' ' || encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex')
  FROM pg_proc p WHERE p.pronamespace = %(schema)s
"""


def lock_key(schema: str) -> int:
    """The advisory lock of a ledger: 63 bits of its schema's name, since such locks belong to one database."""
    return int.from_bytes(sha256(f"claim-ledger/lock/v1\n{schema}".encode()).digest()[:8]) >> 1


def make(connection: psycopg.Connection[Any], server: Server) -> None:
    """Make an empty ledger in a schema that is free, in one transaction.

    Raises ``LedgerError`` where the schema holds something, the role may not make it, or the database cannot hold one.
    """
    where = str(server)
    if connection.info.server_version < OLDEST_SERVER:
        raise LedgerError(
            f"the server is PostgreSQL {connection.info.server_version // 10000}, too old for a ledger",
            where=where,
            remedy=f"Use version {OLDEST_SERVER // 10000} or newer",
        )
    try:
        with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s::bigint)", (lock_key(server.schema),))
            _check_encoding(cursor, where)
            oid = _oid(cursor, server.schema)
            if oid is None:
                cursor.execute(f'CREATE SCHEMA "{server.schema}"')
            elif next(_lines(cursor, oid), None) is not None:
                raise LedgerError(
                    f"the schema {server.schema!r} already exists and is not empty",
                    where=where,
                    remedy="Choose another one: ?schema=NAME behind the address",
                )
            cursor.execute("; ".join(_MADE).encode())  # in one turn with the server
    except psycopg.Error as error:
        raise translate(error, where, writing=True) from error


def _check_encoding(cursor: psycopg.Cursor[Any], where: str) -> None:
    [(encoding,)] = cursor.execute("SELECT current_setting('server_encoding')").fetchall()
    if encoding != "UTF8":
        raise LedgerError(
            f"the database is encoded in {encoding}, which cannot hold every text",
            where=where,
            remedy="Make one in UTF8: createdb --encoding UTF8 --template template0",
        )


def drop(connection: psycopg.Connection[Any], server: Server) -> None:
    """Take a ledger away that was never acknowledged to anybody: its tables, and the schema if nothing else is in it."""
    with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
        for table in TABLES:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
        for function in ("ledger_refuse", "ledger_grow"):
            cursor.execute(f"DROP FUNCTION IF EXISTS {function}()")
        oid = _oid(cursor, server.schema)
        if oid is not None and next(_lines(cursor, oid), None) is None:
            cursor.execute(f'DROP SCHEMA "{server.schema}"')


def recognise(connection: psycopg.Connection[Any], server: Server) -> None:
    """Refuse a schema that holds no ledger of ours. Raises ``NoLedger`` for none or a newer one, ``Unverified`` for one
    whose tables, triggers or functions are not as we made them."""
    where = str(server)
    with connection.cursor(row_factory=tuple_row) as cursor:
        oid = _oid(cursor, server.schema)
        if oid is None:
            raise _none(where, f"there is no schema {server.schema!r}, so no ledger")
        said = cursor.execute(
            "SELECT obj_description(c.oid) FROM pg_class c WHERE c.relnamespace = %s AND c.relname = 'ledger_head'",
            (oid,),
        ).fetchone()
        comment = str(said[0]) if said else ""
        version = comment.removeprefix(_COMMENT)
        if said is None or version == comment or not version.isdecimal():
            raise _none(where, f"the schema {server.schema!r} holds no ledger")
        if int(version) not in EXPECTED:
            raise NoLedger(
                f"has schema version {version}, this program knows {SCHEMA_VERSION}",
                where=where,
                remedy="Use a newer claim-ledger",
            )
        found = sorted(_lines(cursor, oid))
    if found != (expected := sorted(EXPECTED[int(version)])):
        raise Unverified(
            f"this is not the schema that was made here: {_difference(found, expected)}",
            where=where,
            remedy="Keep the database as evidence, and restore a backup or an export",
        )


def _none(where: str, what: str) -> NoLedger:
    import shlex

    return NoLedger(what, where=where, remedy=f"Make a ledger: `claims init {shlex.quote(where)}`")


def _difference(found: list[str], expected: list[str]) -> str:
    missing = [one for one in expected if one not in found]
    more = [one for one in found if one not in expected]
    if missing:
        return f"{' '.join(missing[0].split()[:3])} is {'altered' if more else 'missing'}"
    return f"{' '.join(more[0].split()[:3])} is none of the ledger's" if more else "something is there twice"


def _oid(cursor: psycopg.Cursor[Any], schema: str) -> int | None:
    found = cursor.execute("SELECT oid FROM pg_namespace WHERE nspname = %s", (schema,)).fetchone()
    return found[0] if found else None


def _lines(cursor: psycopg.Cursor[Any], oid: int) -> Iterator[str]:
    for (line,) in cursor.execute(_FOUND, {"schema": oid}).fetchall():
        yield " ".join(line.split())
