"""What an audit asks of a ledger on a PostgreSQL server: the rows as they lie there, and what only the tables tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from ledger.integrity.proof import STEP
from ledger.store.base import Columns, Names
from ledger.store.postgres.reading import LAST, ROW, Scans
from ledger.store.postgres.recorder import LAST_POSITION, MARK_SUMS
from ledger.store.postgres.wire import Rows


class Audits(Scans):
    """A store that can be audited."""

    def raw_rows(self, first: int, last: int) -> Rows:
        """See ``Store.raw_rows``."""
        return self._ask(
            f"SELECT {ROW}, b.salt, b.body, c.key, c.sealed FROM stored_events e "
            "LEFT JOIN ledger_body b ON b.position = e.notification_id "
            "LEFT JOIN ledger_cipher c ON c.position = e.notification_id "
            "WHERE e.notification_id BETWEEN $1::bigint AND $2::bigint ORDER BY e.notification_id",
            *(first, min(last, LAST)),
        )

    def key_count(self, last: int | None = None) -> int:
        """See ``Store.key_count``."""
        sql = "SELECT count(*) FROM ledger_key WHERE position <= $1::bigint"
        return int(self._ask(sql, LAST if last is None else last)[0][0])

    def marks(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:
        """See ``Store.marks``."""
        sql = (
            "SELECT position, mark FROM ledger_mark WHERE position BETWEEN $1::bigint AND $2::bigint "
            "ORDER BY position, mark"
        )
        yield from cast("list[tuple[int, int]]", self._ask(sql, first, LAST if last is None else last))

    def registered(self, first: int = 1, last: int | None = None) -> Iterator[int]:
        """See ``Store.registered``."""
        sql = "SELECT position FROM ledger_registry WHERE position BETWEEN $1::bigint AND $2::bigint ORDER BY position"
        yield from (at for (at,) in self._ask(sql, first, LAST if last is None else last))

    def read_through(self) -> None:
        """See ``Store.read_through``."""

    def raw_columns(self, first: int, last: int) -> Columns | None:
        """See ``Store.raw_columns``."""
        return None  # the server hands over rows as fast as columns

    def raw_index(self, *, fast: bool) -> Iterator[Names]:
        """See ``Store.raw_index``."""
        some = (
            "SELECT originator_id, originator_version, notification_id FROM stored_events "
            "WHERE (originator_id, originator_version) > ($1::text, $2::bigint) "
            "ORDER BY originator_id, originator_version LIMIT 20000"
        )
        before: tuple[Any, ...] = ("", 0)
        while found := self._ask(some, *before):
            yield Names.of(found)
            before = tuple(found[-1][:2])

    def faults(self) -> Iterator[str]:
        """See ``Store.faults``."""
        # One statement each: what it sees is one moment, whoever appends meanwhile.
        [(promised, sums)] = self._ask(f"SELECT marks, ({MARK_SUMS}) FROM ledger_head")
        if sums != promised:
            yield "the marks by which twins are found are not those that were written"
        [(size, count, last)] = self._ask(
            f"SELECT size, (SELECT count(*) FROM stored_events), ({LAST_POSITION}) FROM ledger_head"
        )
        if count != last or last != size:
            yield f"the head counts {size} events, there are {count}, and the last one is #{last}"
        for table in ("ledger_body", "ledger_cipher", "ledger_key", "ledger_mark", "ledger_registry"):
            for (at,) in self._ask(f"SELECT min(position) FROM {table}"):
                if at is not None and at < 1:
                    yield f"{table} has a row at #{at}, before the first event"
        [(size, nodes)] = self._ask("SELECT size, (SELECT count(*) FROM ledger_node) FROM ledger_head")
        due = sum(size >> height for height in range(STEP, size.bit_length(), STEP))
        if nodes != due:
            yield f"{nodes:,} nodes of the tree are kept where {size:,} events make {due:,}"
