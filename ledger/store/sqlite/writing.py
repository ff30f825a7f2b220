"""The holder of a ledger file's write lock."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

from eventsourcing.persistence import StoredEvent

from ledger.errors import Conflict, LedgerError, WriteFailed
from ledger.store.base import EncryptedBody, Head, NewRow
from ledger.store.conflicts import conflict
from ledger.store.sqlite.pool import LedgerCursor
from ledger.store.sqlite.reading import Reads
from ledger.store.sqlite.recorder import REMEMBER, LedgerRecorder


class SqliteWriter(Reads):
    """The holder of the write lock; made by ``SqliteStore.writer`` and dead when its block ends."""

    def __init__(self, recorder: LedgerRecorder, cursor: LedgerCursor) -> None:
        self.where = recorder.where
        self._recorder = recorder
        self._cursor: LedgerCursor | None = cursor
        self._head: Head | None = None  # nobody else writes while this one lives

    def head(self) -> Head:
        """See ``Reader.head``."""
        if self._head is None:
            self._head = super().head()
        return self._head

    def _reading(self) -> AbstractContextManager[LedgerCursor]:
        if self._cursor is None:  # SQLite would run what follows outside any transaction
            raise WriteFailed("the write transaction is over", where=self.where)
        return nullcontext(self._cursor)

    def end(self) -> None:
        """Take the cursor away."""
        self._cursor = None

    def insert(self, rows: Sequence[NewRow], recorded: str, *, last: bool = False) -> range:
        """See ``Writer.insert``."""
        with self._reading() as cursor:
            if not rows:
                size = self.head().size
                return range(size + 1, size + 1)
            cursor.execute("SAVEPOINT batch")
            try:
                events = [StoredEvent(row.stream, row.version, row.topic, row.state) for row in rows]
                positions = self._recorder._insert_events(cursor, events, rows=rows, recorded=recorded)
            except BaseException as error:
                self._undo(cursor)
                if isinstance(error, Conflict):
                    raise conflict(self, rows, self.where) or error from error
                raise
            cursor.execute("RELEASE batch")
            self._head = None
            return positions

    def erase(self, positions: Sequence[int]) -> None:
        """See ``Writer.erase``."""
        with self._reading() as cursor:
            for table in ("ledger_body", "ledger_cipher"):
                cursor.executemany(f"DELETE FROM {table} WHERE position = ?", [(one,) for one in positions])

    def reseal(self, bodies: Sequence[tuple[int, EncryptedBody]]) -> None:
        """See ``Writer.reseal``."""
        with self._reading() as cursor:
            cursor.executemany(
                "UPDATE ledger_cipher SET key = ?, sealed = ? WHERE position = ?",
                [(body.key, body.sealed, at) for at, body in bodies],
            )

    def remember(self, name: str, value: str) -> None:
        """See ``Writer.remember``."""
        with self._reading() as cursor:
            cursor.execute(REMEMBER, (name, value))

    def _undo(self, cursor: LedgerCursor) -> None:
        try:
            cursor.execute("ROLLBACK TO batch")
            cursor.execute("RELEASE batch")
        except LedgerError:  # SQLite has rolled back everything already, as it does on a full disk
            self.end()
