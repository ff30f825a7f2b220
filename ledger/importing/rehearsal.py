"""A store to rehearse on: it reads a real one and writes beside it, into a file that is gone when closed.

A dry run of an import must see what its own earlier rows would have recorded, must take no lock from those
who write in earnest, and must not grow with the file. The layer below is seen as it stood when the rehearsal
began; what others append meanwhile is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ledger.errors import Conflict
from ledger.integrity.tree import leaf_hash
from ledger.store.base import (
    AnyBody,
    Columns,
    EncryptedBody,
    Head,
    Names,
    NewRow,
    SealedBody,
    Store,
    StoredRow,
    Writer,
)

_SCHEMA = """
CREATE TABLE rehearsed (
  position INTEGER PRIMARY KEY, stream TEXT NOT NULL, version INTEGER NOT NULL, topic TEXT NOT NULL,
  state BLOB NOT NULL, leaf_hash BLOB NOT NULL, salt BLOB, body BLOB, cipher_key TEXT, key TEXT UNIQUE,
  registry INTEGER,
  UNIQUE (stream, version)
) STRICT;
CREATE TABLE mark (mark INTEGER NOT NULL, position INTEGER NOT NULL) STRICT;
CREATE INDEX by_mark ON mark (mark, position);
"""
_ROW = "position, stream, version, topic, state, leaf_hash"


class RehearsalStore:
    """A ``Store`` over another that is never written to. Close it to forget what was rehearsed."""

    def __init__(self, below: Store) -> None:
        self._below = below
        self._head = below.head()
        self._size = self._head.size
        # A database without a name lives in a temporary file that SQLite removes.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.executescript(_SCHEMA)

    # -- reading -----------------------------------------------------------------------------------

    def head(self) -> Head:
        return self._head

    def row(self, position: int) -> StoredRow | None:
        if position <= self._size:
            return self._below.row(position)
        return next(self._rows("position = ?", position), None)

    def stream(self, stream: str) -> list[StoredRow]:
        below = [row for row in self._below.stream(stream) if row.position <= self._size]
        return [*below, *self._rows("stream = ? ORDER BY version", stream)]

    def first_positions(self, streams: Sequence[str]) -> dict[str, int]:
        below = self._below.first_positions(streams)
        found = {stream: position for stream, position in below.items() if position <= self._size}
        for stream in streams:
            for row in self._rows("stream = ? AND version = 1", stream):
                found[stream] = row.position
        return found

    def position_of_key(self, key: str) -> int | None:
        below = self._below.position_of_key(key)
        if below is not None and below <= self._size:
            return below
        return next((row.position for row in self._rows("key = ?", key)), None)

    def marked(self, mark: int) -> list[int]:
        below = [position for position in self._below.marked(mark) if position <= self._size]
        own = self._db.execute("SELECT position FROM mark WHERE mark = ? ORDER BY position", (mark,))
        return [*below, *(position for (position,) in own)]

    def body(self, position: int) -> AnyBody | None:
        if position <= self._size:
            return self._below.body(position)
        query = "SELECT cipher_key, salt, body FROM rehearsed WHERE position = ?"
        found = self._db.execute(query, (position,)).fetchone()
        return _body(*found) if found else None

    def hashes(self, height: int, first: int, stop: int) -> Sequence[bytes]:
        return self._below.hashes(height, first, stop)  # of the layer below: nobody proves a rehearsal

    def setting(self, name: str) -> str | None:
        return self._below.setting(name)

    def positions_of_keys(self, keys: Sequence[str]) -> dict[str, int]:
        found = {key: self.position_of_key(key) for key in keys}
        return {key: position for key, position in found.items() if position is not None}

    def positions_marked(self, marks: Sequence[int]) -> dict[int, list[int]]:
        found = {mark: self.marked(mark) for mark in marks}
        return {mark: positions for mark, positions in found.items() if positions}

    def key_count(self, last: int | None = None) -> int:
        stop = self._head.size if last is None else last
        [(own,)] = self._db.execute("SELECT count(key) FROM rehearsed WHERE position <= ?", (stop,))
        return self._below.key_count(min(stop, self._size)) + int(own)

    def raw_rows(self, first: int, last: int) -> Sequence[tuple[Any, ...]]:
        found = self.rows(first, last)
        return [(*row, *_raw(self.body(row.position))) for row in found]

    def marks(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:
        stop = self._head.size if last is None else last
        yield from self._below.marks(first, min(stop, self._size))
        sql = "SELECT position, mark FROM mark WHERE position BETWEEN ? AND ? ORDER BY position, mark"
        yield from self._db.execute(sql, (first, stop))

    def registered(self, first: int = 1, last: int | None = None) -> Iterator[int]:
        stop = self._head.size if last is None else last
        yield from self._below.registered(first, min(stop, self._size))
        yield from (
            row.position
            for row in self._rows("registry AND position BETWEEN ? AND ? ORDER BY 1", first, stop)
        )

    def faults(self) -> Iterator[str]:
        return self._below.faults()

    def read_through(self) -> None:
        self._below.read_through()

    def raw_columns(self, first: int, last: int) -> Columns | None:
        return None

    def raw_index(self, *, fast: bool) -> Iterator[Names]:
        return self._below.raw_index(fast=fast)  # of the layer below: nobody audits a rehearsal

    def rows(self, start: int = 1, stop: int | None = None, *, batch: int = 2_000) -> Iterator[StoredRow]:
        last = self._head.size if stop is None else stop
        yield from self._below.rows(start, min(last, self._size), batch=batch)
        yield from self._rows("position BETWEEN ? AND ? ORDER BY position", start, last)

    def leaves(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        last = self._head.size if stop is None else stop
        yield from self._below.leaves(start, min(last, self._size))
        for row in self._rows("position BETWEEN ? AND ? ORDER BY position", start, last):
            yield row.position, row.state

    def leaves_at(self, positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        yield from self._below.leaves_at([one for one in positions if one <= self._size])
        for position in positions:
            if self._size < position <= self._head.size and (row := self.row(position)) is not None:
                yield position, row.state

    def registry_rows(self, after: int = 0) -> Iterator[tuple[StoredRow, AnyBody | None]]:
        for row, sealed in self._below.registry_rows(after):
            if row.position <= self._size:
                yield row, sealed
        for row in self._rows("registry AND position > ? ORDER BY position", after):
            yield row, self.body(row.position)

    def bodies(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, AnyBody]]:
        last = self._head.size if stop is None else stop
        yield from self._below.bodies(start, min(last, self._size))
        for row in self._rows("body IS NOT NULL AND position BETWEEN ? AND ? ORDER BY position", start, last):
            sealed = self.body(row.position)
            assert sealed is not None
            yield row.position, sealed

    def find_streams(self, prefix: str, limit: int = 10) -> list[str]:
        own = self._db.execute(
            "SELECT DISTINCT stream FROM rehearsed WHERE substr(stream, 1, ?) = ? ORDER BY stream LIMIT ?",
            (len(prefix), prefix, limit),
        )
        return sorted({*self._below.find_streams(prefix, limit), *(stream for (stream,) in own)})[:limit]

    # -- writing -----------------------------------------------------------------------------------

    @contextmanager
    def writer(self) -> Iterator[Writer]:
        before = self._head
        self._db.execute("BEGIN")
        try:
            yield self
        except BaseException:
            self._db.execute("ROLLBACK")
            self._head = before
            raise
        self._db.execute("COMMIT")

    def insert(self, rows: Sequence[NewRow], recorded: str, *, last: bool = False) -> range:
        first = self._head.size + 1
        hashes = [leaf_hash(row.state) for row in rows]
        try:
            for position, (row, leaf) in enumerate(zip(rows, hashes, strict=True), first):
                self._insert(position, row, leaf)
        except sqlite3.IntegrityError as error:
            raise Conflict(f"already recorded ({error})") from None
        if rows:
            self._head = Head(first - 1 + len(rows), self._head.frontier.extend(hashes), recorded)
        return range(first, first + len(rows))

    def _insert(self, position: int, row: NewRow, leaf: bytes) -> None:
        key, salt, body = _columns(row.body)
        values: tuple[Any, ...] = (position, row.stream, row.version, row.topic, row.state, leaf)
        values += (salt, body, key, row.key, row.registry)
        self._db.execute("INSERT INTO rehearsed VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
        self._db.executemany("INSERT INTO mark VALUES (?, ?)", [(mark, position) for mark in set(row.marks)])

    def erase(self, positions: Sequence[int]) -> None:
        raise NotImplementedError("nothing is erased in a rehearsal")

    def reseal(self, bodies: Sequence[tuple[int, EncryptedBody]]) -> None:
        raise NotImplementedError("nothing is erased in a rehearsal")

    def remember(self, name: str, value: str) -> None:
        raise NotImplementedError("a rehearsal is forgotten")

    def compact(self) -> None:
        """There is nothing to do: what was rehearsed goes when the file does."""

    def close(self) -> None:
        """Forget what was rehearsed. The store below stays open."""
        self._db.close()

    def _rows(self, where: str, *values: Any) -> Iterator[StoredRow]:
        try:
            found = self._db.execute(f"SELECT {_ROW} FROM rehearsed WHERE {where}", values)
        except UnicodeEncodeError:
            return  # what cannot be encoded (a lone surrogate) was never rehearsed
        for row in found:
            yield StoredRow(*row)


def _columns(body: AnyBody | None) -> tuple[str | None, bytes | None, bytes | None]:
    """(key, salt, text) of a body; of an encrypted one the key's name and what it seals."""
    match body:
        case SealedBody(salt, text):
            return None, salt, text
        case EncryptedBody(key, sealed):
            return key, None, sealed
    return None, None, None


def _raw(body: AnyBody | None) -> tuple[object, ...]:
    """Salt and text of a body, then key and seal of an encrypted one."""
    match body:
        case SealedBody(salt, text):
            return salt, text, None, None
        case EncryptedBody(key, sealed):
            return None, None, key, sealed
    return None, None, None, None


def _body(key: str | None, salt: bytes | None, body: bytes | None) -> AnyBody | None:
    if body is None:
        return None
    if key is not None:
        return EncryptedBody(key, body)
    assert salt is not None
    return SealedBody(salt, body)
