"""Reading a ledger's file: what a writer may look up, and what only a whole store gives.

Types are looked at as well: SQLite keeps whatever a hand that changed the file put there.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

from ledger.errors import Unverified
from ledger.store.base import AnyBody, EncryptedBody, Head, SealedBody, StoredRow
from ledger.store.sqlite.pool import LedgerCursor
from ledger.store.sqlite.recorder import LAST_POSITION, hashes, read_head, setting

ROW = "e.rowid, e.originator_id, e.originator_version, e.topic, e.state, e.leaf_hash"
LAST = 2**63 - 1  # SQLite's largest integer: a position beyond it cannot be asked for
_AT_ONCE = 500  # ids in one query, far below SQLite's limit of parameters


class Reads(ABC):
    """The ``Reader`` protocol, over one way to get a cursor."""

    where: str

    @abstractmethod
    def _reading(self) -> AbstractContextManager[LedgerCursor]:
        """The cursor to ask, for as long as the block lasts."""

    def _ask(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with self._reading() as cursor:
            return cursor.ask(sql, parameters)

    def _stored(self, sql: str, *parameters: Any) -> Iterator[StoredRow]:
        return _typed(self._ask(sql, *parameters))

    def head(self) -> Head:
        with self._reading() as cursor:
            return read_head(cursor, self.where)

    def row(self, position: int) -> StoredRow | None:
        if not 1 <= position <= LAST:
            return None
        return next(self._stored(f"SELECT {ROW} FROM stored_events e WHERE e.rowid = ?", position), None)

    def stream(self, stream: str) -> list[StoredRow]:
        if not storable(stream):
            return []
        order = "WHERE e.originator_id = ? ORDER BY e.originator_version"
        return list(self._stored(f"SELECT {ROW} FROM stored_events e {order}", stream))

    def first_positions(self, streams: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        wanted = list(filter(storable, streams))
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            places = ",".join("?" * len(some))
            sql = (
                "SELECT originator_id, rowid FROM stored_events "
                f"WHERE originator_version = 1 AND originator_id IN ({places})"
            )
            found.update(cast("list[tuple[str, int]]", self._ask(sql, *some)))
        return found

    def position_of_key(self, key: str) -> int | None:
        if not storable(key):
            return None
        found = self._ask("SELECT position FROM ledger_key WHERE key = ?", key)
        return found[0][0] if found else None

    def marked(self, mark: int) -> list[int]:
        return [at for (at,) in self._ask("SELECT position FROM ledger_mark WHERE mark = ? ORDER BY 1", mark)]

    def positions_of_keys(self, keys: Sequence[str]) -> dict[str, int]:
        """See ``Reader.positions_of_keys``."""
        found: dict[str, int] = {}
        wanted = list(filter(storable, keys))
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            sql = f"SELECT key, position FROM ledger_key WHERE key IN ({','.join('?' * len(some))})"
            found.update(cast("list[tuple[str, int]]", self._ask(sql, *some)))
        return found

    def positions_marked(self, marks: Sequence[int]) -> dict[int, list[int]]:
        """See ``Reader.positions_marked``."""
        found: dict[int, list[int]] = {}
        wanted = list(marks)
        for at in range(0, len(wanted), _AT_ONCE):
            some = wanted[at : at + _AT_ONCE]
            sql = f"SELECT mark, position FROM ledger_mark WHERE mark IN ({','.join('?' * len(some))}) ORDER BY position"
            for mark, position in self._ask(sql, *some):
                found.setdefault(mark, []).append(position)
        return found

    def body(self, position: int) -> AnyBody | None:
        if not 1 <= position <= LAST:
            return None
        found = self._ask("SELECT salt, body FROM ledger_body WHERE position = ?", position)
        if found:
            return _sealed(position, *found[0])
        found = self._ask("SELECT key, sealed FROM ledger_cipher WHERE position = ?", position)
        return _encrypted(position, *found[0]) if found else None

    def hashes(self, height: int, first: int, stop: int) -> list[bytes]:
        """See ``Reader.hashes``."""
        with self._reading() as cursor:
            return hashes(cursor, height, first, stop)

    def setting(self, name: str) -> str | None:
        """See ``Reader.setting``."""
        with self._reading() as cursor:
            return setting(cursor, name)


def _typed(found: Iterable[tuple[Any, ...]]) -> Iterator[StoredRow]:
    """Rows as they are, except that a column of another type than was written is damage."""
    make = StoredRow._make
    for columns in found:
        position, stream, version, topic, state, leaf = columns
        if (
            type(state) is not bytes
            or type(leaf) is not bytes
            or type(stream) is not str
            or type(topic) is not str
            or type(version) is not int
        ):
            raise Unverified("its columns have other types than were written", where=f"#{position}")
        yield make(columns)


def storable(text: str) -> bool:
    """Whether SQLite could hold it: what cannot be encoded (a lone surrogate) was never recorded."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _sealed(position: int, salt: object, body: object) -> SealedBody:
    if type(salt) is not bytes or type(body) is not bytes:
        raise Unverified("the body has other types than were written", where=f"#{position}")
    return SealedBody(salt, body)


def _encrypted(position: int, key: object, sealed: object) -> EncryptedBody:
    if type(key) is not str or type(sealed) is not bytes:
        raise Unverified("the encrypted body has other types than were written", where=f"#{position}")
    return EncryptedBody(key, sealed)


def _either(position: int, salt: object, body: object, key: object, sealed: object) -> AnyBody | None:
    if salt is not None:
        return _sealed(position, salt, body)
    return None if key is None else _encrypted(position, key, sealed)


class Scans(Reads):
    """What a store reads of itself from one end to the other."""

    def rows(self, start: int = 1, stop: int | None = None, *, batch: int = 2_000) -> Iterator[StoredRow]:
        """See ``Store.rows``. ``batch`` is the number of rows held in memory."""
        if batch < 1:
            raise ValueError("a batch holds one row or more")
        at = max(start, 1)
        last = min(self._ask(LAST_POSITION)[0][0] if stop is None else stop, LAST)
        window = f"SELECT {ROW} FROM stored_events e WHERE e.rowid BETWEEN ? AND ? ORDER BY e.rowid LIMIT ?"
        while at <= last:
            row = None
            for row in self._stored(window, at, last, batch):
                yield row
            if row is None:
                return
            at = row.position + 1

    def leaves(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """See ``Store.leaves``."""
        at = max(start, 1)
        last = min(self._ask(LAST_POSITION)[0][0] if stop is None else stop, LAST)
        window = (
            "SELECT rowid, state FROM stored_events WHERE rowid BETWEEN ? AND ? ORDER BY rowid LIMIT 4000"
        )
        while at <= last:
            found = self._ask(window, at, last)
            if not found:
                return
            for position, state in found:
                if type(state) is not bytes:
                    raise Unverified("its bytes are of another type than was written", where=f"#{position}")
            yield from found
            at = found[-1][0] + 1

    def leaves_at(self, positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """See ``Store.leaves_at``."""
        sql = "SELECT rowid, state FROM stored_events WHERE rowid IN (SELECT value FROM json_each(?)) ORDER BY rowid"
        for begin in range(0, len(positions), 4_000):
            some = [one for one in positions[begin : begin + 4_000] if 0 < one <= LAST]
            for position, state in self._ask(sql, f"[{','.join(map(str, some))}]"):
                if type(state) is not bytes:
                    raise Unverified("its bytes are of another type than was written", where=f"#{position}")
                yield position, state

    def registry_rows(self, after: int = 0) -> Iterator[tuple[StoredRow, AnyBody | None]]:
        # CROSS JOIN keeps the short list of positions the outer loop.
        some = (
            f"SELECT b.salt, b.body, c.key, c.sealed, {ROW} FROM ledger_registry g "
            "CROSS JOIN stored_events e ON e.rowid = g.position "
            "LEFT JOIN ledger_body b ON b.position = g.position "
            "LEFT JOIN ledger_cipher c ON c.position = g.position "
            f"WHERE g.position > ? ORDER BY g.position LIMIT {_AT_ONCE}"
        )
        while found := self._ask(some, min(after, LAST)):
            for columns, row in zip(found, _typed(each[4:] for each in found), strict=True):
                after = row.position
                yield row, _either(after, *columns[:4])

    def bodies(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, AnyBody]]:
        at, last = max(start, 1), min(LAST if stop is None else stop, LAST)
        window = (
            "SELECT position, salt, body, NULL, NULL FROM ledger_body WHERE position BETWEEN ?1 AND ?2 UNION ALL "
            "SELECT position, NULL, NULL, key, sealed FROM ledger_cipher WHERE position BETWEEN ?1 AND ?2"
        )
        while at <= last:
            found = self._ask(f"{window} ORDER BY position LIMIT {_AT_ONCE}", at, last)
            if not found:
                return
            for position, *columns in found:
                body = _either(position, *columns)
                assert body is not None
                yield position, body
            at = found[-1][0] + 1

    def find_streams(self, prefix: str, limit: int = 10) -> list[str]:
        if not storable(prefix):
            return []
        # Whatever begins with the prefix follows it without a gap in the order of the index.
        following = "SELECT DISTINCT originator_id FROM stored_events WHERE originator_id >= ?"
        found = self._ask(f"{following} ORDER BY originator_id LIMIT ?", prefix, max(limit, 0))
        return [stream for (stream,) in found if type(stream) is str and stream.startswith(prefix)]
