"""eventsourcing's PostgreSQL application recorder, made to write the tree in the events' own transaction.

Of the library's way of inserting nothing is left but the call: it locks the table (which takes more rights than to
insert), counts positions by a sequence (which has gaps), and tries again by itself after a lost connection (by which
what was committed comes back as a conflict). Reading is the library's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import psycopg
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder

from ledger.errors import Unverified
from ledger.integrity.proof import STEP
from ledger.integrity.tree import Frontier, leaf_hash
from ledger.store.base import Head, NewRow
from ledger.store.postgres import rows as postgres_rows
from ledger.store.postgres.pool import SAFE, LedgerDatastore, Texts
from ledger.store.postgres.wire import LedgerConnection, Rows, Statement, ask, bigint

T = TypeVar("T")

MARK_SUMS = "SELECT concat_ws(' ', count(*), {}) FROM ledger_mark".format(
    ", ".join(f"coalesce(sum({part}), 0)" for part in ("mark >> 32", "mark & 4294967295", "position"))
)
LAST_POSITION = "SELECT coalesce(max(notification_id), 0) FROM stored_events"
_IN_HEAD = "size, frontier, recorded, marks"
HEAD = f"SELECT {_IN_HEAD} FROM ledger_head"
#: The same for a writer, as texts, and whether commits are safe.
FIRST = f"SELECT size, encode(frontier, 'hex'), recorded, marks, {SAFE} FROM ledger_head"
#: Behind the rows; it changes none where the head is not what it was thought to be.
_SET_HEAD = "UPDATE ledger_head SET size = $1, frontier = $2, recorded = $3, marks = $4 WHERE size = $5"
#: Before them; it divides by zero where the head, or the last row, is not what it was thought to be.
_MOVE_HEAD = (
    f"UPDATE ledger_head SET size = $1::bigint / (size = $5 AND size = ({LAST_POSITION}))::integer, "
    "frontier = $2, recorded = $3, marks = $4"
)
_COPIED = 100  # rows from which a COPY is faster than arrays in a statement
_PIECE = 500  # rows that are made at a time


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
            head = standing_locked(found, self.where)
            rows = [
                NewRow(str(one.originator_id), one.originator_version, one.topic, one.state)
                for one in stored_events
            ]
            insert(connection, self.where, head, rows, head.head.recorded)
            connection.execute("COMMIT")
        return range(head.head.size + 1, head.head.size + len(stored_events) + 1)


class Standing:
    """The head as it stands in the database, and what only a writer needs of it."""

    def __init__(self, head: Head, marks: str) -> None:
        self.head = head
        self.marks = marks


def standing(found: Rows, where: str) -> Standing:
    """What ``HEAD`` gave. Raises ``Unverified``."""
    if len(found) != 1:
        raise Unverified("the tree head is missing or damaged", where=where)
    [(size, frontier, recorded, marks)] = found
    return Standing(Head(size, Frontier.from_bytes(size, frontier), recorded), marks)


def standing_locked(found: Texts, where: str) -> Standing:
    """What ``FIRST`` gave. Raises ``Unverified``."""
    return standing(
        [(int(one[0]), bytes.fromhex(one[1]), one[2] or None, one[3]) for one in found],
        where,
    )


def insert(
    connection: LedgerConnection, where: str, before: Standing, rows: Sequence[NewRow], recorded: str | None
) -> Standing:
    """Events, what the ledger keeps beside each, and the new head, which is returned.

    Inside a transaction that holds the write lock: all of it, or none, and the transaction can go on. psycopg's errors
    leave as they are.
    """
    if not rows:
        return before
    connection.run_plain(b"SAVEPOINT batch")
    try:
        after = (_insert_all if few(rows) else _copy_all)(connection, where, before, rows, recorded)
        connection.run_plain(b"RELEASE batch")
        return after
    except BaseException:
        with suppress(psycopg.Error):  # where the connection is gone there is nothing to undo
            connection.run_plain(b"ROLLBACK TO batch; RELEASE batch")
        raise


class Prepared(NamedTuple):
    """The statements that write a few rows, and how the head stands after them."""

    after: Standing
    statements: list[Statement]


def prepared(before: Standing, rows: Sequence[NewRow], recorded: str | None) -> Prepared:
    """A few rows. The head is moved first, which fails with a division by zero where it, or the last row, is not what it
    was thought to be."""
    head, first = before.head, before.head.size + 1
    leaves = [leaf_hash(row.state) for row in rows]
    frontier, made = head.frontier.grown(leaves, STEP)
    marks = postgres_rows.marks(first, rows)
    tables = {
        "stored_events": postgres_rows.events(first, rows, leaves),
        "ledger_node": postgres_rows.nodes(made),
        "ledger_mark": postgres_rows.marked(marks.found),
        **postgres_rows.beside(first, rows),
    }
    after = Standing(Head(frontier.size, frontier, recorded), _added(before.marks, marks))
    return Prepared(after, [(_MOVE_HEAD, _heads(before, after)), *postgres_rows.inserting(tables)])


def few(rows: Sequence[NewRow]) -> bool:
    """Whether so many rows are written by one statement."""
    return len(rows) < _COPIED


def _insert_all(
    connection: LedgerConnection, where: str, before: Standing, rows: Sequence[NewRow], recorded: str | None
) -> Standing:
    made = prepared(before, rows, recorded)
    try:
        connection.run_all(made.statements)
    except psycopg.errors.DivisionByZero as error:
        connection.run_plain(b"ROLLBACK TO batch")
        raise changed(connection, where, before.head.size) from error
    return made.after


def _copy_all(
    connection: LedgerConnection, where: str, before: Standing, rows: Sequence[NewRow], recorded: str | None
) -> Standing:
    """Many rows, by COPY. While the server takes in a piece of the events, all is made that goes with it, and the next."""
    frontier, nodes, found = before.head.frontier, [], []
    bodies: list[bytes] = []
    tables: postgres_rows.Rows = {}
    expect_last(connection, where, frontier.size)
    with _copying(connection, "stored_events") as copy:
        for some in _pieces(rows):
            first = frontier.size + 1
            leaves = [leaf_hash(row.state) for row in some]
            copy.write(postgres_rows.copied_events(first, some, leaves))
            frontier, made = frontier.grown(leaves, STEP)
            nodes += made
            found += postgres_rows.marks(first, some).found
            beside = postgres_rows.beside(first, some)
            bodies.append(postgres_rows.copied_bodies(beside.pop("ledger_body")))
            for table, few in beside.items():
                tables.setdefault(table, []).extend(few)
    found.sort()
    marks = postgres_rows.Marks(found)
    with _copying(connection, "ledger_mark") as copy:
        for run in _pieces(found):
            copy.write(postgres_rows.copied_marks(run))
    with _copying(connection, "ledger_body") as copy:
        for packed in bodies:
            copy.write(packed)
    tables["ledger_node"] = postgres_rows.nodes(nodes)
    for table in [table for table, some in tables.items() if len(some) >= _COPIED]:
        with _copying(connection, table) as copy:
            for piece in _pieces(tables.pop(table)):
                copy.write(postgres_rows.copied(piece))
    after = Standing(Head(frontier.size, frontier, recorded), _added(before.marks, marks))
    moved = connection.run_all([*postgres_rows.inserting(tables), (_SET_HEAD, _heads(before, after))])[-1]
    if moved.command_tuples != 1:
        raise changed(connection, where, after.head.size)
    return after


def _heads(before: Standing, after: Standing) -> list[bytes | None]:
    """What the statement that moves the head takes."""
    head = after.head
    return [
        bigint(head.size),
        head.frontier.to_bytes(),
        head.recorded.encode() if head.recorded is not None else None,
        after.marks.encode(),
        bigint(before.head.size),
    ]


def changed(connection: LedgerConnection, where: str, size: int) -> Unverified:
    """What is to be said where the head, or the last row, is not what it was thought to be: somebody wrote without the
    lock."""
    expect_last(connection, where, size)
    return Unverified("the tree head was changed by somebody who does not hold the lock", where=where)


def _pieces(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    return (rows[at : at + _PIECE] for at in range(0, len(rows), _PIECE))


@contextmanager
def _copying(connection: LedgerConnection, table: str) -> Iterator[psycopg.Copy]:
    into = f"COPY {table} ({postgres_rows.names(table)}) FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(into.encode()) as copy:
        copy.write(postgres_rows.COPY_HEADER)
        yield copy
        copy.write(postgres_rows.COPY_TRAILER)


def expect_last(connection: LedgerConnection, where: str, size: int) -> None:
    """Positions are dense: as many rows as leaves. Raises ``Unverified``."""
    [(last,)] = ask(connection, LAST_POSITION)
    if last != size:
        raise Unverified(
            f"the head counts {size} events, the last one is #{last}",
            where=where,
            remedy="Nothing was recorded; keep the database as evidence, and restore a backup or an export",
        )


def _added(before: str, marks: postgres_rows.Marks) -> str:
    """The sums over the marks with some more: no single change of a mark leaves all as they were."""
    try:
        count, upper, lower, at = map(int, before.split())
    except ValueError:
        raise Unverified("the sums over the marks by which twins are found are damaged") from None
    more = marks.sums()
    return f"{count + more[0]} {upper + more[1]} {lower + more[2]} {at + more[3]}"


def hashes_asked(height: int, first: int, stop: int) -> tuple[str, tuple[int, ...]]:
    """The query for them, and its parameters."""
    if height:
        sql = (
            "SELECT hash FROM ledger_node WHERE height = $1::bigint AND number >= $2::bigint "
            "AND number < $3::bigint ORDER BY number"
        )
        return sql, (height, first, stop)
    sql = (
        "SELECT leaf_hash FROM stored_events WHERE notification_id > $1::bigint AND notification_id <= $2::bigint "
        "ORDER BY notification_id"
    )
    return sql, (first, stop)
