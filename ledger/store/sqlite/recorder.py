"""eventsourcing's SQLite application recorder, made to write the tree in the events' own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor

from ledger.errors import Unverified
from ledger.integrity.proof import STEP
from ledger.integrity.tree import Frontier, leaf_hash
from ledger.store.base import EncryptedBody, Head, NewRow, SealedBody
from ledger.store.sqlite.pool import LedgerCursor, LedgerDatastore

LAST_POSITION = "SELECT coalesce(max(rowid), 0) FROM stored_events"
_HEAD = "SELECT size, frontier, recorded FROM ledger_head"
REMEMBER = (
    "INSERT INTO ledger_setting (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value"
)
SETTING = "SELECT value FROM ledger_setting WHERE name = ?"
MARKS = "marks"
MARK_SUMS = ", ".join(
    ("count(*)", *(f"coalesce(sum({part}), 0)" for part in ("mark >> 32", "mark & 4294967295", "position")))
)
NO_MARKS = "0 0 0 0"
_SET_HEAD = "UPDATE ledger_head SET size = ?, frontier = ?, recorded = ?"


class LedgerRecorder(SQLiteApplicationRecorder):
    """The library's recorder, which also keeps the tree: it refuses to write behind a head that lies."""

    def __init__(self, datastore: LedgerDatastore) -> None:
        super().__init__(datastore)
        self.where = str(datastore.pool.path)
        self.insert_events_statement = (
            "INSERT INTO stored_events (originator_id, originator_version, topic, state, leaf_hash) "
            "VALUES (?, ?, ?, ?, ?)"
        )

    def construct_create_table_statements(self) -> list[str]:
        """None: the schema is made once, by ``SqliteStore.create``."""
        return []

    def _insert_events(
        self,
        c: SQLiteCursor,
        stored_events: Sequence[StoredEvent],
        *,
        rows: Sequence[NewRow] = (),
        recorded: str | None = None,
        **_: Any,
    ) -> range:
        """Events, what the ledger keeps beside each (``rows``, in the same order), and the new head."""
        assert isinstance(c, LedgerCursor)
        head = read_head(c, self.where)
        self._expect_last(c, head.size)
        leaves = [leaf_hash(event.state) for event in stored_events]
        c.executemany(
            self.insert_events_statement,
            (
                (event.originator_id, event.originator_version, event.topic, event.state, leaf)
                for event, leaf in zip(stored_events, leaves, strict=True)
            ),
        )
        frontier, made = head.frontier.grown(leaves, STEP)
        self._expect_last(c, frontier.size)
        positions = range(head.size + 1, frontier.size + 1)
        keep_nodes(c, made)
        _insert_beside(c, positions, rows)
        c.execute(_SET_HEAD, (frontier.size, frontier.to_bytes(), recorded or head.recorded))
        return positions

    def _expect_last(self, c: LedgerCursor, size: int) -> None:
        """Positions are dense: as many rows as leaves, since ids only ever go up by one or more."""
        [(last,)] = c.ask(LAST_POSITION)
        if last != size:
            raise Unverified(
                f"the head counts {size} events, the last one is #{last}",
                where=self.where,
                remedy="Nothing was recorded; keep this file as evidence, and restore a backup or an export",
            )


def _insert_beside(c: LedgerCursor, positions: range, rows: Sequence[NewRow]) -> None:
    """Bodies, keys, marks and the list of registry rows; an empty list costs nothing."""
    placed = list(zip(positions, rows, strict=False))
    plain = [(at, row.body.salt, row.body.text) for at, row in placed if isinstance(row.body, SealedBody)]
    ciphers = [
        (at, row.body.key, row.body.sealed) for at, row in placed if isinstance(row.body, EncryptedBody)
    ]
    keys = [(row.key, at) for at, row in placed if row.key is not None]
    marks = [(mark, at) for at, row in placed for mark in set(row.marks)]
    registry = [(at,) for at, row in placed if row.registry]
    for statement, parameters in (
        ("INSERT INTO ledger_body (position, salt, body) VALUES (?, ?, ?)", plain),
        ("INSERT INTO ledger_cipher (position, key, sealed) VALUES (?, ?, ?)", ciphers),
        ("INSERT INTO ledger_key (key, position) VALUES (?, ?)", keys),
        ("INSERT INTO ledger_mark (mark, position) VALUES (?, ?)", marks),
        ("INSERT INTO ledger_registry (position) VALUES (?)", registry),
    ):
        if parameters:
            c.executemany(statement, parameters)
    if marks:
        before = setting(c, MARKS) or NO_MARKS
        try:
            sums = tuple(old + new for old, new in zip(map(int, before.split()), _sums(marks), strict=True))
        except ValueError:
            raise Unverified("the sums over the marks by which twins are found are damaged") from None
        c.execute(REMEMBER, (MARKS, " ".join(map(str, sums))))


def _sums(marks: Sequence[tuple[int, int]]) -> tuple[int, int, int, int]:
    """Their number, the sums of their upper and lower 32 bits, and that of their positions: no single change of a
    mark leaves all four as they were, and SQLite can add them up."""
    return (
        len(marks),
        sum(mark >> 32 for mark, _ in marks),
        sum(mark & 0xFFFFFFFF for mark, _ in marks),
        sum(at for _, at in marks),
    )


def mark_sums(c: LedgerCursor) -> str:
    """The same sums over the marks that are there, as they are remembered."""
    [found] = c.ask(f"SELECT {MARK_SUMS} FROM ledger_mark")
    return " ".join(map(str, found))


def keep_nodes(c: LedgerCursor, made: Sequence[tuple[int, int, bytes]]) -> None:
    """Keep inner nodes of the tree (``Frontier.grown``)."""
    if made:
        c.executemany("INSERT INTO ledger_node (height, number, hash) VALUES (?, ?, ?)", made)


def hashes(c: LedgerCursor, height: int, first: int, stop: int) -> list[bytes]:
    """See ``Reader.hashes``."""
    if height:
        sql = "SELECT hash FROM ledger_node WHERE height = ? AND number >= ? AND number < ? ORDER BY number"
        found = c.ask(sql, (height, first, stop))
    else:
        sql = "SELECT leaf_hash FROM stored_events WHERE rowid > ? AND rowid <= ? ORDER BY rowid"
        found = c.ask(sql, (first, stop))
    if any(type(one) is not bytes for (one,) in found):
        raise Unverified("a hash of the tree is of another type than was written")
    return [one for (one,) in found]


def setting(c: LedgerCursor, name: str) -> str | None:
    """See ``Reader.setting``."""
    found = c.ask(SETTING, (name,))
    return str(found[0][0]) if found else None


def read_head(c: LedgerCursor, where: str) -> Head:
    """The one head there is. Raises ``Unverified`` where there is none or it contradicts itself."""
    found = c.ask(_HEAD)
    if len(found) != 1 or tuple(map(type, found[0]))[:2] != (int, bytes):
        raise Unverified("the tree head is missing or damaged", where=where)
    [(size, frontier, recorded)] = found
    return Head(size, Frontier.from_bytes(size, frontier), recorded)
