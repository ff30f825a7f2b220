"""eventsourcing's SQLite application recorder, made to write the tree in the events' own transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteCursor

from ledger.errors import Unverified
from ledger.integrity.tree import Frontier, leaf_hash
from ledger.store.base import Head, NewRow
from ledger.store.sqlite_pool import LedgerCursor, LedgerDatastore

LAST_POSITION = "SELECT coalesce(max(rowid), 0) FROM stored_events"
_HEAD = "SELECT size, frontier, recorded FROM ledger_head"
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
        frontier = head.frontier.extend(leaves)
        self._expect_last(c, frontier.size)
        positions = range(head.size + 1, frontier.size + 1)
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
    bodies = [(at, row.body.salt, row.body.text) for at, row in placed if row.body is not None]
    keys = [(row.key, at) for at, row in placed if row.key is not None]
    marks = [(mark, at) for at, row in placed for mark in set(row.marks)]
    registry = [(at,) for at, row in placed if row.registry]
    for statement, parameters in (
        ("INSERT INTO ledger_body (position, salt, body) VALUES (?, ?, ?)", bodies),
        ("INSERT INTO ledger_key (key, position) VALUES (?, ?)", keys),
        ("INSERT INTO ledger_mark (mark, position) VALUES (?, ?)", marks),
        ("INSERT INTO ledger_registry (position) VALUES (?)", registry),
    ):
        if parameters:
            c.executemany(statement, parameters)


def read_head(c: LedgerCursor, where: str) -> Head:
    """The one head there is. Raises ``Unverified`` where there is none or it contradicts itself."""
    found = c.ask(_HEAD)
    if len(found) != 1 or tuple(map(type, found[0]))[:2] != (int, bytes):
        raise Unverified("the tree head is missing or damaged", where=where)
    [(size, frontier, recorded)] = found
    return Head(size, Frontier.from_bytes(size, frontier), recorded)
