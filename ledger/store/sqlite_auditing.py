"""What an audit asks of a ledger's file: the rows as they lie there, and what only the file tells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from operator import itemgetter, lt
from typing import Any

from ledger.integrity.proof import STEP
from ledger.store.sqlite_pool import LedgerCursor
from ledger.store.sqlite_reading import LAST, ROW, Scans
from ledger.store.sqlite_recorder import LAST_POSITION, MARK_SUMS, MARKS, NO_MARKS, SETTING

_POSITIONS = {
    "stored_events": "rowid",
    **dict.fromkeys(
        ("ledger_body", "ledger_cipher", "ledger_key", "ledger_mark", "ledger_registry"), "position"
    ),
}


class Audits(Scans):
    """A store that can be audited."""

    @abstractmethod
    def _cut(self, cursor: LedgerCursor) -> str | None:
        """What is to be said of a file that is shorter than what it says of itself; None where it is not."""

    def raw_rows(self, first: int, last: int) -> list[tuple[Any, ...]]:
        """See ``Store.raw_rows``."""
        columns, ciphers = f"{ROW}, b.salt, b.body, NULL, NULL", ""
        if self._has_ciphers:
            columns = f"{ROW}, b.salt, b.body, c.key, c.sealed"
            ciphers = "LEFT JOIN ledger_cipher c ON c.position = e.rowid "
        return self._ask(
            f"SELECT {columns} FROM stored_events e LEFT JOIN ledger_body b ON b.position = e.rowid {ciphers}"
            "WHERE e.rowid BETWEEN ? AND ? ORDER BY e.rowid",
            *(first, min(last, LAST)),
        )

    @cached_property
    def _has_ciphers(self) -> bool:
        """Whether bodies are encrypted here, which is settled when a ledger is made; or some are there all the same."""
        return bool(self._ask("SELECT 1 FROM ledger_cipher LIMIT 1")) or self.setting("bodies") is not None

    def key_count(self, last: int | None = None) -> int:
        """See ``Store.key_count``."""
        upto = LAST if last is None else last
        return int(self._ask("SELECT count(*) FROM ledger_key WHERE position <= ?", upto)[0][0])

    def marks(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:
        """See ``Store.marks``."""
        sql = "SELECT position, mark FROM ledger_mark WHERE position BETWEEN ? AND ? ORDER BY position, mark"
        yield from self._ask(sql, first, LAST if last is None else last)

    def registered(self, first: int = 1, last: int | None = None) -> Iterator[int]:
        """See ``Store.registered``."""
        sql = "SELECT position FROM ledger_registry WHERE position BETWEEN ? AND ? ORDER BY position"
        yield from (at for (at,) in self._ask(sql, first, LAST if last is None else last))

    def named(self, last: int) -> int | None:
        """See ``Store.named``."""
        some = (
            "SELECT originator_id, originator_version, rowid FROM stored_events INDEXED BY"
            " sqlite_autoindex_stored_events_1 WHERE (originator_id, originator_version) > (?, ?)"
            " ORDER BY originator_id, originator_version LIMIT 20000"
        )
        total = 0
        before: tuple[Any, ...] = ("", 0, 0)
        while found := self._ask(some, *before[:2]):
            try:
                if not found[0] > before or not all(map(lt, found, found[1:])):
                    return None
            except TypeError:  # a column of another type than was written
                return None
            before = found[-1]
            if max(map(itemgetter(2), found)) > last:
                found = [row for row in found if row[2] <= last]
            total += sum(map(hash, found))
        return total

    def faults(self, *, index: bool = True) -> Iterator[str]:
        """See ``Store.faults``."""
        for (found,) in self._ask(f"PRAGMA {'integrity' if index else 'quick'}_check(10)"):
            if found != "ok":
                yield f"SQLite finds the file damaged: {found}"
        with self._reading() as cursor:
            cut = self._cut(cursor) and self._cut(cursor)  # twice: somebody may be rewriting it
        if cut:
            yield cut
        # One statement each: what it sees is one moment, whoever appends meanwhile.
        [(promised, *sums)] = self._ask(f"SELECT ({SETTING}), {MARK_SUMS} FROM ledger_mark", MARKS)
        if " ".join(map(str, sums)) != (promised or NO_MARKS):
            yield "the marks by which twins are found are not those that were written"
        counter = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'stored_events'"
        [(ids, last)] = self._ask(f"SELECT ({counter}), ({LAST_POSITION})")
        if ids != last:
            yield f"the counter of positions stands at {ids}, the last event is #{last}"
        for table, column in _POSITIONS.items():
            for (at,) in self._ask(f"SELECT min({column}) FROM {table}"):
                if at is not None and at < 1:
                    yield f"{table} has a row at #{at}, before the first event"
        [(size, nodes)] = self._ask("SELECT (SELECT size FROM ledger_head), count(*) FROM ledger_node")
        if type(size) is int:  # else the head itself is at fault
            due = sum(size >> height for height in range(STEP, size.bit_length(), STEP))
            if nodes != due:
                yield f"{nodes:,} nodes of the tree are kept where {size:,} events make {due:,}"
