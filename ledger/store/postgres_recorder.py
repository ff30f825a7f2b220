"""eventsourcing's PostgreSQL application recorder, made to write the tree in the events' own transaction.

Of the library's way of inserting nothing is left but the call: it locks the table (which takes more rights than to
insert), counts positions by a sequence (which has gaps), and tries again by itself after a lost connection (by which
what was committed comes back as a conflict). Reading is the library's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from struct import Struct
from typing import Any

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder

from ledger.errors import Unverified
from ledger.integrity.proof import new_nodes
from ledger.integrity.tree import Frontier, leaf_hash
from ledger.store.base import EncryptedBody, Head, NewRow, SealedBody
from ledger.store.postgres_pool import SAFE, LedgerDatastore, ask

Connection = psycopg.Connection[Any]

NO_MARKS = "0 0 0 0"
MARK_SUMS = "SELECT concat_ws(' ', count(*), {}) FROM ledger_mark".format(
    ", ".join(f"coalesce(sum({part}), 0)" for part in ("mark >> 32", "mark & 4294967295", "position"))
)
LAST_POSITION = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
_IN_HEAD = "size, frontier, recorded, marks"
HEAD = f"SELECT {_IN_HEAD} FROM ledger_head"
#: The same for a writer, and whether commits are safe.
FIRST = f"SELECT {_IN_HEAD}, {SAFE} FROM ledger_head"
_SET_HEAD = (
    "UPDATE ledger_head SET size = %b::bigint, frontier = %b::bytea, recorded = %b::text, marks = %b::text "
    f"WHERE size = %b::bigint AND size = ({LAST_POSITION})"
)
_COPY_HEADER, _COPY_TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_FIELDS, _LENGTH, _BIGINT, _SMALLINT = Struct(">h"), Struct(">i"), Struct(">iq"), Struct(">ih")
_COPIED = 100  # rows from which a COPY is faster than arrays in a statement

#: Table → its columns and their types.
_COLUMNS = {
    "stored_events": (
        *(("notification_id", "bigint"), ("originator_id", "text"), ("originator_version", "bigint")),
        *(("topic", "text"), ("state", "bytea"), ("leaf_hash", "bytea")),
    ),
    "ledger_node": (("height", "smallint"), ("number", "bigint"), ("hash", "bytea")),
    "ledger_body": (("position", "bigint"), ("salt", "bytea"), ("body", "bytea")),
    "ledger_cipher": (("position", "bigint"), ("key", "text"), ("sealed", "bytea")),
    "ledger_key": (("key", "text"), ("position", "bigint")),
    "ledger_mark": (("mark", "bigint"), ("position", "bigint")),
    "ledger_registry": (("position", "bigint"),),
}
_Table = list[tuple[Any, ...]]


class LedgerRecorder(PostgresApplicationRecorder):
    """The library's recorder, which also keeps the tree: it refuses to write behind a head that lies."""

    datastore: LedgerDatastore

    def __init__(self, datastore: LedgerDatastore) -> None:
        super().__init__(datastore)
        self.where = datastore.where
        self.sql_create_statements = []  # the schema is made once, by ``PostgresStore.create``

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: Any) -> Sequence[int]:
        """Events and the new head, in a transaction of their own."""
        with self.datastore.locked(FIRST) as (connection, found):
            head = standing(found, self.where)
            insert(connection, self.where, head, stored_events, recorded=head.head.recorded)
            connection.execute("COMMIT")
        return range(head.head.size + 1, head.head.size + len(stored_events) + 1)


class Standing:
    """The head as it stands in the database, and what only a writer needs of it."""

    def __init__(self, head: Head, marks: str) -> None:
        self.head = head
        self.marks = marks


def standing(found: list[tuple[Any, ...]], where: str) -> Standing:
    """What ``HEAD`` gave. Raises ``Unverified``."""
    if len(found) != 1:
        raise Unverified("the tree head is missing or damaged", where=where)
    [(size, frontier, recorded, marks, *_)] = found
    return Standing(Head(size, Frontier.from_bytes(size, frontier), recorded), marks)


def insert(
    connection: Connection,
    where: str,
    before: Standing,
    events: Sequence[StoredEvent],
    *,
    rows: Sequence[NewRow] = (),
    recorded: str | None,
) -> Standing:
    """Events, what the ledger keeps beside each (``rows``, in the same order), and the new head, which is returned.

    Inside a transaction that holds the write lock, and behind a savepoint named batch: all of it, or none. psycopg's
    errors leave as they are.
    """
    head = before.head
    leaves = [leaf_hash(event.state) for event in events]
    frontier = head.frontier.extend(leaves)
    positions = range(head.size + 1, frontier.size + 1)
    nodes = new_nodes(head.size, leaves, lambda *run: hashes(connection, *run))
    tables: dict[str, _Table] = {
        "stored_events": [
            (at, event.originator_id, event.originator_version, event.topic, event.state, leaf)
            for at, event, leaf in zip(positions, events, leaves, strict=True)
        ],
        "ledger_node": nodes,
        **_beside(positions, rows),
    }
    marks = _added(before.marks, tables.get("ledger_mark", []))
    new = Head(frontier.size, frontier, recorded)
    if not _write(connection, tables, (new.size, frontier.to_bytes(), recorded, marks, head.size)):
        expect_last(connection, where, head.size)
        raise Unverified("the tree head was changed by somebody who does not hold the lock", where=where)
    return Standing(new, marks)


def expect_last(connection: Connection, where: str, size: int) -> None:
    """Positions are dense: as many rows as leaves. Raises ``Unverified``."""
    [(last,)] = ask(connection, LAST_POSITION)
    if last != size:
        raise Unverified(
            f"the head counts {size} events, the last one is #{last}",
            where=where,
            remedy="Nothing was recorded; keep the database as evidence, and restore a backup or an export",
        )


def _write(connection: Connection, tables: dict[str, _Table], head: tuple[Any, ...]) -> bool:
    """All rows and the head; small tables and the head in one statement. False, and nothing is written, where the head
    or the last row is not what it was thought to be: somebody wrote without the lock."""
    parts: list[str] = []
    parameters: list[Any] = []
    large = {name: rows for name, rows in tables.items() if len(rows) >= _COPIED}
    for name, rows in tables.items():
        if len(rows) == 1:
            parts.append(_one_row(name))
            parameters += rows[0]
        elif rows and name not in large:
            parts.append(_some_rows(name))
            parameters += [list(column) for column in zip(*rows, strict=True)]
    statement = f"WITH {', '.join(parts)} {_SET_HEAD}" if parts else _SET_HEAD
    done = False
    try:
        if connection.execute(statement, (*parameters, *head)).rowcount == 1:
            for name, rows in large.items():
                _copy(connection, name, rows)
            done = True
        return done
    finally:
        if not done:
            with suppress(psycopg.Error):  # where the connection is gone there is nothing to undo
                connection.execute("ROLLBACK TO batch")


@cache
def _one_row(table: str) -> str:
    values = ", ".join(f"%b::{kind}" for _, kind in _COLUMNS[table])
    return f"{table}_ AS (INSERT INTO {table} ({_names(table)}) VALUES ({values}))"


@cache
def _some_rows(table: str) -> str:
    arrays = ", ".join(f"%b::{kind}[]" for _, kind in _COLUMNS[table])
    return f"{table}_ AS (INSERT INTO {table} ({_names(table)}) SELECT * FROM unnest({arrays}))"


def _names(table: str) -> str:
    return ", ".join(name for name, _ in _COLUMNS[table])


def _copy(connection: Connection, table: str, rows: _Table) -> None:
    """Rows in PostgreSQL's binary form of a COPY: for each its number of fields, for each field its length and bytes."""
    columns = [
        _packed(kind, column)
        for (_, kind), column in zip(_COLUMNS[table], zip(*rows, strict=True), strict=True)
    ]
    start = _FIELDS.pack(len(columns))
    data = b"".join([start + b"".join(fields) for fields in zip(*columns, strict=True)])
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({_names(table)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.write(_COPY_HEADER)
        copy.write(data)
        copy.write(_COPY_TRAILER)


def _packed(kind: str, column: Sequence[Any]) -> list[bytes]:
    if kind == "bigint":
        return [_BIGINT.pack(8, value) for value in column]
    if kind == "smallint":
        return [_SMALLINT.pack(2, value) for value in column]
    texts = [value.encode() for value in column] if kind == "text" else column
    return [_LENGTH.pack(len(text)) + text for text in texts]


def _beside(positions: Iterable[int], rows: Sequence[NewRow]) -> dict[str, _Table]:
    """Bodies, keys, marks and the list of registry rows."""
    tables: dict[str, _Table] = {name: [] for name in list(_COLUMNS)[2:]}
    for at, row in zip(positions, rows, strict=False):
        match row.body:
            case SealedBody(salt, text):
                tables["ledger_body"].append((at, salt, text))
            case EncryptedBody(key, sealed):
                tables["ledger_cipher"].append((at, key, sealed))
        if row.key is not None:
            tables["ledger_key"].append((row.key, at))
        tables["ledger_mark"] += [(mark, at) for mark in set(row.marks)]
        if row.registry:
            tables["ledger_registry"].append((at,))
    return tables


def _added(before: str, marks: _Table) -> str:
    """The number of marks, the sums of their upper and lower 32 bits, and that of their positions: no single change of
    a mark leaves all four as they were."""
    more = (
        len(marks),
        sum(mark >> 32 for mark, _ in marks),
        sum(mark & 0xFFFFFFFF for mark, _ in marks),
        sum(at for _, at in marks),
    )
    try:
        return " ".join(str(old + new) for old, new in zip(map(int, before.split()), more, strict=True))
    except ValueError:
        raise Unverified("the sums over the marks by which twins are found are damaged") from None


def hashes(connection: Connection, height: int, first: int, stop: int) -> list[bytes]:
    """See ``Reader.hashes``."""
    return [one for (one,) in ask(connection, *hashes_asked(height, first, stop))]


def hashes_asked(height: int, first: int, stop: int) -> tuple[str, tuple[int, ...]]:
    """The query for them, and its parameters."""
    if height:
        sql = (
            "SELECT hash FROM ledger_node WHERE height = %s::smallint AND number >= %s::bigint "
            "AND number < %s::bigint ORDER BY number"
        )
        return sql, (height, first, stop)
    sql = (
        "SELECT leaf_hash FROM stored_events WHERE notification_id > %s::bigint AND notification_id <= %s::bigint "
        "ORDER BY notification_id"
    )
    return sql, (first, stop)
