"""A ledger's rows in PostgreSQL's binary form: as the parameters of one statement, or as the data of a COPY.

Every value is made into bytes once; what follows is joining them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from struct import Struct
from typing import NamedTuple

from ledger.errors import WriteFailed
from ledger.store.base import NewRow, SealedBody
from ledger.store.postgres.wire import Statement, array, bigint, length

#: Values of one row, in the order of the table's columns.
Row = tuple[bytes, ...]
Rows = dict[str, list[Row]]

#: Table → its columns and their types.
COLUMNS = {
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

COPY_HEADER, COPY_TRAILER = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
_smallint = Struct(">h").pack
_EVENT, _VERSION = Struct(">hiqi").pack, Struct(">iqi").pack
SALT = 32  # bytes of a body's salt
_MARK = Struct(">hiqiq").pack
_HASH = length(32)
_BODY = _smallint(3) + length(8)


class Marks(NamedTuple):
    """(mark, position) in the order of their index, which then grows page by page."""

    found: list[tuple[int, int]]

    def sums(self) -> tuple[int, int, int, int]:
        """Their number, the sums of their upper and lower 32 bits, and that of their positions."""
        upper = lower = positions = 0
        for mark, at in self.found:
            upper += mark >> 32
            lower += mark & 0xFFFFFFFF
            positions += at
        return len(self.found), upper, lower, positions


def marks(first: int, rows: Sequence[NewRow]) -> Marks:
    """The marks of events at positions from ``first`` on, each once."""
    found = [(mark, at) for at, row in enumerate(rows, first) if row.marks for mark in set(row.marks)]
    found.sort()
    return Marks(found)


def beside(first: int, rows: Sequence[NewRow]) -> Rows:
    """Bodies, keys and the list of registry rows. Raises ``WriteFailed`` for a row that no table should hold; the server
    would ask that anew for each statement."""
    found: Rows = {"ledger_body": [], "ledger_cipher": [], "ledger_key": [], "ledger_registry": []}
    for at, row in enumerate(rows, first):
        body = row.body
        if row.version < 1:
            raise WriteFailed(f"there is no version {row.version} of anything")
        if isinstance(body, SealedBody):
            if len(body.salt) != SALT:
                raise WriteFailed(f"a salt has {SALT} bytes, not {len(body.salt)}")
            found["ledger_body"].append((bigint(at), body.salt, body.text))
        elif body is not None:
            found["ledger_cipher"].append((bigint(at), body.key.encode(), body.sealed))
        if row.key is not None:
            found["ledger_key"].append((row.key.encode(), bigint(at)))
        if row.registry:
            found["ledger_registry"].append((bigint(at),))
    return found


def marked(found: Sequence[tuple[int, int]]) -> list[Row]:
    """The marks as rows."""
    return [(bigint(mark), bigint(at)) for mark, at in found]


def events(first: int, rows: Iterable[NewRow], leaves: Iterable[bytes]) -> list[Row]:
    """The events themselves."""
    return [
        (bigint(at), row.stream.encode(), bigint(row.version), row.topic.encode(), row.state, leaf)
        for at, (row, leaf) in enumerate(zip(rows, leaves, strict=True), first)
    ]


def nodes(made: Iterable[tuple[int, int, bytes]]) -> list[Row]:
    """Inner nodes of the tree."""
    return [(_smallint(height), bigint(number), node) for height, number, node in made]


# -- as statements ---------------------------------------------------------------------------------------


def inserting(tables: Rows) -> list[Statement]:
    """A statement for each table that has any rows: one of its own costs the server less than all of them together."""
    made: list[Statement] = []
    for table, rows in tables.items():
        if len(rows) == 1:
            made.append((_statement(table, single=True), rows[0]))
        elif rows:
            kinds = [kind for _, kind in COLUMNS[table]]
            made.append((_statement(table, single=False), [*map(array, kinds, zip(*rows, strict=True))]))
    return made


@cache
def _statement(table: str, *, single: bool) -> str:
    kinds = enumerate((kind for _, kind in COLUMNS[table]), 1)
    places = ", ".join(f"${n}::{kind}{'' if single else '[]'}" for n, kind in kinds)
    values = f"VALUES ({places})" if single else f"SELECT * FROM unnest({places})"
    return f"INSERT INTO {table} ({names(table)}) {values}"


def names(table: str) -> str:
    """The columns of a table, as SQL lists them."""
    return ", ".join(name for name, _ in COLUMNS[table])


# -- as a COPY -------------------------------------------------------------------------------------------


def copied(rows: Sequence[Row]) -> bytes:
    """For each row its number of fields, for each field its length and bytes."""
    start = _smallint(len(rows[0]))
    return b"".join([start + b"".join([length(len(value)) + value for value in row]) for row in rows])


def copied_events(first: int, rows: Sequence[NewRow], leaves: Sequence[bytes]) -> bytes:
    """The same for events. Of these, bodies and marks there are the most: what is short is packed at once."""
    known: dict[tuple[int, str], bytes] = {}  # few versions of few topics make nearly all
    pieces: list[bytes] = []
    for at, (row, leaf) in enumerate(zip(rows, leaves, strict=True), first):
        stream, kind = row.stream.encode(), (row.version, row.topic)
        middle = known.get(kind)
        if middle is None:
            topic = row.topic.encode()
            middle = known[kind] = _VERSION(8, row.version, len(topic)) + topic
        state = row.state
        pieces += (_EVENT(6, 8, at, len(stream)), stream, middle, length(len(state)), state, _HASH, leaf)
    return b"".join(pieces)


def copied_bodies(rows: Sequence[Row]) -> bytes:
    """The same for bodies."""
    return b"".join(
        [
            part
            for at, salt, body in rows
            for part in (_BODY, at, length(len(salt)), salt, length(len(body)), body)
        ]
    )


def copied_marks(found: Sequence[tuple[int, int]]) -> bytes:
    """The same for marks."""
    return b"".join([_MARK(2, 8, mark, 8, at) for mark, at in found])
