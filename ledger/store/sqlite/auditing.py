"""What an audit asks of a ledger's file: the rows as they lie there, and what only the file tells."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ledger.integrity.proof import STEP
from ledger.store.base import Columns, Names
from ledger.store.sqlite.pool import LedgerCursor
from ledger.store.sqlite.reading import LAST, ROW, Scans
from ledger.store.sqlite.recorder import LAST_POSITION, MARK_SUMS, MARKS, NO_MARKS, SETTING

if TYPE_CHECKING:
    from ledger.store.sqlite.stepping import Stepper

_EVENTS = (
    "SELECT rowid, originator_version, leaf_hash, originator_id, topic, state"
    " FROM stored_events WHERE rowid BETWEEN ?1 AND ?2"
)
_BODIES = "SELECT position, salt, body FROM ledger_body WHERE position BETWEEN ?1 AND ?2"
_INDEX = """SELECT originator_id, originator_version, rowid FROM stored_events
  INDEXED BY sqlite_autoindex_stored_events_1 WHERE (originator_id, originator_version) > (?1, ?2)
  ORDER BY originator_id, originator_version LIMIT 8192"""
_PIECE = 8192
_POSITIONS = {
    "stored_events": "rowid",
    **dict.fromkeys(
        ("ledger_body", "ledger_cipher", "ledger_key", "ledger_mark", "ledger_registry"), "position"
    ),
}


class Audits(Scans):
    """A store that can be audited."""

    _mapped = False  # whether pages may be read where they lie

    @property
    @abstractmethod
    def _stepper(self) -> Stepper | None:
        """Reads rows into arrays; None where there is no such thing."""

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

    def read_through(self) -> None:
        """See ``Store.read_through``."""
        self._mapped = True
        with self._reading() as cursor:
            # Pages are read where they lie. Should the file fail under that, the process gets SIGBUS and not an error.
            cursor.ask(f"PRAGMA mmap_size = {LAST}", ())
            cursor.ask(
                "PRAGMA cache_size = -2048", ()
            )  # none is read twice, and these stay near the processor

    def raw_columns(self, first: int, last: int) -> Columns | None:
        """See ``Store.raw_columns``."""
        if self._has_ciphers or self._stepper is None:
            return None
        many, last = last - first + 1, min(last, LAST)
        events = self._stepper.take(_EVENTS, "nnbtt0b", first, last, most=many)
        bodies = self._stepper.take(_BODIES, "nbb", first, last, most=many)
        if events is None or bodies is None or events.numbers.shape[1] != many:
            return None
        positions, versions = events.numbers
        if positions[0] != first or (positions[1:] - positions[:-1] != 1).any():
            return None
        hashes, streams, topics, states = events.spans
        sealed = bodies.spans[0]
        sealed[:, 1] = bodies.spans[1, :, 1]  # the text lies behind its salt
        return Columns(
            *(events.texts, hashes, streams, topics, states, versions),
            *(bodies.texts, sealed, bodies.numbers[0]),
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

    def raw_index(self, *, fast: bool) -> Iterator[Names]:
        """See ``Store.raw_index``."""
        before: tuple[str, int] | None = ("", 0)
        while before is not None:
            names = self._names(before) if fast else None
            if names is None:
                names = Names.of(self._ask(_INDEX, *before))
            before = None
            if len(names.versions):
                yield names
                begin, end = names.streams[-1]
                with suppress(UnicodeDecodeError):  # who asks finds that nothing can be gone on from
                    before = names.texts[begin:end].tobytes().decode(), int(names.versions[-1])

    def _names(self, before: tuple[str, int]) -> Names | None:
        """The rows of the index behind one, taken down; None where that cannot be done."""
        found = self._stepper.take(_INDEX, "tnn", *before, most=_PIECE) if self._stepper else None
        return found and Names(found.texts, found.spans[0], *found.numbers)

    def faults(self) -> Iterator[str]:
        """See ``Store.faults``."""
        for (found,) in self._ask("PRAGMA quick_check(10)"):
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
