"""Reading a ledger's tables on a PostgreSQL server: what a writer may look up, and what only a whole store gives."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

from psycopg import ServerCursor

from ledger.store.base import AnyBody, EncryptedBody, Head, SealedBody, StoredRow
from ledger.store.postgres.recorder import HEAD, LAST_POSITION, hashes_asked, standing
from ledger.store.postgres.wire import Rows

ROW = "e.notification_id, e.originator_id, e.originator_version, e.topic, e.state, e.leaf_hash"
LAST = 2**63 - 1  # the largest bigint: a position beyond it cannot be asked for
_AT_ONCE = 500
_FETCHED = 5_000  # rows that a cursor on the server gives at a time


class Reads(ABC):
    """The ``Reader`` protocol, over one way to ask."""

    where: str

    @abstractmethod
    def _ask(self, sql: str, *parameters: Any) -> Rows:
        """All rows of a query."""

    def head(self) -> Head:
        """See ``Reader.head``."""
        return standing(self._ask(HEAD), self.where).head

    def row(self, position: int) -> StoredRow | None:
        if not 1 <= position <= LAST:
            return None
        found = self._ask(f"SELECT {ROW} FROM stored_events e WHERE e.notification_id = $1::bigint", position)
        return StoredRow._make(found[0]) if found else None

    def stream(self, stream: str) -> list[StoredRow]:
        if not storable(stream):
            return []
        order = "WHERE e.originator_id = $1::text ORDER BY e.originator_version"
        return list(map(StoredRow._make, self._ask(f"SELECT {ROW} FROM stored_events e {order}", stream)))

    def first_positions(self, streams: Sequence[str]) -> dict[str, int]:
        wanted = list(filter(storable, streams))
        sql = (
            "SELECT originator_id, notification_id FROM stored_events "
            "WHERE originator_version = 1 AND originator_id = ANY ($1::text[])"
        )
        return dict(cast("list[tuple[str, int]]", self._ask(sql, wanted))) if wanted else {}

    def position_of_key(self, key: str) -> int | None:
        if not storable(key):
            return None
        found = self._ask("SELECT position FROM ledger_key WHERE key = $1::text", key)
        return found[0][0] if found else None

    def marked(self, mark: int) -> list[int]:
        sql = "SELECT position FROM ledger_mark WHERE mark = $1::bigint ORDER BY 1"
        return [at for (at,) in self._ask(sql, mark)]

    def positions_of_keys(self, keys: Sequence[str]) -> dict[str, int]:
        """See ``Reader.positions_of_keys``."""
        wanted = list(filter(storable, keys))
        sql = "SELECT key, position FROM ledger_key WHERE key = ANY ($1::text[])"
        return dict(cast("list[tuple[str, int]]", self._ask(sql, wanted))) if wanted else {}

    def positions_marked(self, marks: Sequence[int]) -> dict[int, list[int]]:
        """See ``Reader.positions_marked``."""
        found: dict[int, list[int]] = {}
        if marks:
            sql = "SELECT mark, position FROM ledger_mark WHERE mark = ANY ($1::bigint[]) ORDER BY position"
            for mark, position in self._ask(sql, list(marks)):
                found.setdefault(mark, []).append(position)
        return found

    def body(self, position: int) -> AnyBody | None:
        if not 1 <= position <= LAST:
            return None
        sql = (
            "SELECT salt, body, NULL, NULL FROM ledger_body WHERE position = $1::bigint "
            "UNION ALL SELECT NULL, NULL, key, sealed FROM ledger_cipher WHERE position = $1::bigint"
        )
        found = self._ask(sql, position)
        return _either(*found[0]) if found else None

    def hashes(self, height: int, first: int, stop: int) -> list[bytes]:
        """See ``Reader.hashes``."""
        sql, parameters = hashes_asked(height, first, stop)
        return [one for (one,) in self._ask(sql, *parameters)]

    def setting(self, name: str) -> str | None:
        """See ``Reader.setting``."""
        found = self._ask("SELECT value FROM ledger_setting WHERE name = $1::text", name)
        return str(found[0][0]) if found else None


def storable(text: str) -> bool:
    """Whether the server could hold it: no lone surrogate, and no NUL."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _either(salt: bytes | None, body: bytes | None, key: str | None, sealed: bytes | None) -> AnyBody | None:
    if salt is not None and body is not None:
        return SealedBody(salt, body)
    return EncryptedBody(key, sealed) if key is not None and sealed is not None else None


class Scans(Reads):
    """What a store reads of itself from one end to the other."""

    @abstractmethod
    def _streaming(
        self, sql: str, parameters: Sequence[Any]
    ) -> AbstractContextManager[ServerCursor[tuple[Any, ...]]]:
        """A cursor on the server over a query."""

    def rows(self, start: int = 1, stop: int | None = None, *, batch: int = 2_000) -> Iterator[StoredRow]:
        """See ``Store.rows``. ``batch`` is the number of rows held in memory."""
        if batch < 1:
            raise ValueError("a batch holds one row or more")
        at, last = self._window(start, stop)
        window = (
            f"SELECT {ROW} FROM stored_events e WHERE e.notification_id BETWEEN $1::bigint AND $2::bigint "
            "ORDER BY e.notification_id LIMIT $3::bigint"
        )
        while at <= last:
            found = self._ask(window, at, last, batch)
            yield from map(StoredRow._make, found)
            if len(found) < batch:
                return
            at = found[-1][0] + 1

    def leaves(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See ``Store.leaves``. A cursor on the server: what it sees is one moment, and no writer waits for it."""
        at, last = self._window(start, stop)
        if at > last:
            return
        sql = (
            "SELECT notification_id, state FROM stored_events "
            "WHERE notification_id BETWEEN %s::bigint AND %s::bigint ORDER BY notification_id"
        )
        with self._streaming(sql, (at, last)) as cursor:
            while found := cursor.fetchmany(_FETCHED):
                yield from cast("list[tuple[int, bytes]]", found)

    def leaves_at(self, positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """See ``Store.leaves_at``."""
        sql = (
            "SELECT notification_id, state FROM stored_events "
            "WHERE notification_id = ANY($1::bigint[]) ORDER BY notification_id"
        )
        for begin in range(0, len(positions), _FETCHED):
            if some := [one for one in positions[begin : begin + _FETCHED] if 0 < one <= LAST]:
                yield from cast("list[tuple[int, bytes]]", self._ask(sql, some))

    def _window(self, start: int, stop: int | None) -> tuple[int, int]:
        last = self._ask(LAST_POSITION)[0][0] if stop is None else stop
        return max(start, 1), min(last, LAST)

    def registry_rows(self, after: int = 0) -> Iterator[tuple[StoredRow, AnyBody | None]]:
        some = (
            f"SELECT {ROW}, b.salt, b.body, c.key, c.sealed FROM "
            f"(SELECT position FROM ledger_registry WHERE position > $1::bigint ORDER BY position LIMIT {_AT_ONCE}) g "
            "JOIN stored_events e ON e.notification_id = g.position "
            "LEFT JOIN ledger_body b ON b.position = g.position "
            "LEFT JOIN ledger_cipher c ON c.position = g.position ORDER BY g.position"
        )
        while found := self._ask(some, min(after, LAST)):
            for columns in found:
                row = StoredRow._make(columns[:6])
                after = row.position
                yield row, _either(*columns[6:])

    def bodies(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, AnyBody]]:
        at, last = max(start, 1), min(LAST if stop is None else stop, LAST)
        within = "position BETWEEN $1::bigint AND $2::bigint ORDER BY position LIMIT $3::bigint"
        window = (
            f"(SELECT position, salt, body, NULL, NULL FROM ledger_body WHERE {within}) UNION ALL "
            f"(SELECT position, NULL, NULL, key, sealed FROM ledger_cipher WHERE {within}) ORDER BY 1 LIMIT $3::bigint"
        )
        while at <= last:
            found = self._ask(window, at, last, _AT_ONCE)
            for position, *columns in found:
                body = _either(*columns)
                assert body is not None
                yield position, body
            if len(found) < _AT_ONCE:
                return
            at = found[-1][0] + 1

    def find_streams(self, prefix: str, limit: int = 10) -> list[str]:
        if not storable(prefix):
            return []
        # Whatever begins with the prefix follows it without a gap in the order of the index.
        found = self._ask(
            "SELECT DISTINCT originator_id FROM stored_events WHERE originator_id >= $1::text "
            "ORDER BY originator_id LIMIT $2::bigint",
            *(prefix, max(limit, 0)),
        )
        return [stream for (stream,) in found if stream.startswith(prefix)]
