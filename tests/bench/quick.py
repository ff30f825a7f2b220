"""A generated ledger written straight into its tables, many times faster than by appending.

What is written is what ``Ledger.append`` would have recorded, byte for byte (a test compares the two). What is
left out are its decisions: entries of the generator are valid, refer to what is there and never repeat
themselves, and nobody else writes. Commits are not made durable either; a crash costs the file.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson

from ledger import codec, twins
from ledger.clocks import utc_text
from ledger.drafts import stream_of
from ledger.events import BY_NAME
from ledger.integrity.proof import STEP
from ledger.integrity.tree import Frontier, leaf_hash
from ledger.store.sqlite import schema as sqlite_schema
from ledger.store.sqlite.recorder import MARKS, REMEMBER
from tests.bench import generator
from tests.bench.generator import Entry

_BATCH = 50_000
_CACHE_KIB = 4_194_304  # the indexes are hit at random: what of them is not in memory is read again and again
_STATEMENTS = (
    "INSERT INTO stored_events (originator_id, originator_version, topic, state, leaf_hash) VALUES (?, ?, ?, ?, ?)",
    "INSERT INTO ledger_body (position, salt, body) VALUES (?, ?, ?)",
    "INSERT INTO ledger_key (key, position) VALUES (?, ?)",
    "INSERT INTO ledger_mark (mark, position) VALUES (?, ?)",
    "INSERT INTO ledger_registry (position) VALUES (?)",
)
_REPLACED = "stored_events_no_replace"


class _Kind(NamedTuple):
    model: Any
    topic: str
    opens: bool
    registry: bool


@cache
def _kind(name: str) -> _Kind:
    model = BY_NAME[name]
    return _Kind(model, model.TYPE, model.OPENS, model.REGISTRY)


def lay_down(path: Path, entries: Iterable[Entry], salts: Random) -> None:
    """Write ``entries`` behind the one event of a ledger that was just made."""
    raw = sqlite3.connect(path, isolation_level=None)
    raw.executescript(
        f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -{_CACHE_KIB};"
        f"DROP TRIGGER {_REPLACED};"
    )
    [(size, roots)] = raw.execute("SELECT size, frontier FROM ledger_head")
    frontier, recorded = Frontier.from_bytes(size, roots), utc_text(generator.WRITTEN)
    laying = _Laying(size, recorded, salts)
    stream = iter(entries)
    while some := list(islice(stream, _BATCH)):
        leaves = laying.batch(raw, some)
        frontier, made = frontier.grown(leaves, STEP)
        raw.executemany("INSERT INTO ledger_node (height, number, hash) VALUES (?, ?, ?)", made)
    raw.execute("UPDATE ledger_head SET size = ?, frontier = ?", (frontier.size, frontier.to_bytes()))
    _lay_sums(raw)
    raw.execute(sqlite_schema._TRIGGERS[_REPLACED])
    raw.close()


def _lay_sums(raw: sqlite3.Connection) -> None:
    """The sums over the marks."""
    parts = ("mark >> 32", "mark & 4294967295", "position")
    sums = ", ".join(f"coalesce(sum({part}), 0)" for part in parts)
    [found] = raw.execute(f"SELECT count(*), {sums} FROM ledger_mark")
    raw.execute(REMEMBER, (MARKS, " ".join(map(str, found))))


class _Laying:
    """Where the writing stands: the last position, and how long the streams are that something befell."""

    def __init__(self, size: int, recorded: str, salts: Random) -> None:
        self.size, self.recorded, self.salts = size, recorded, salts
        self._lengths: defaultdict[str, int] = defaultdict(lambda: 1)

    def batch(self, raw: sqlite3.Connection, entries: Iterable[Entry]) -> list[bytes]:
        """One transaction; the leaves' hashes."""
        rows = list(self._rows(entries))
        raw.execute("BEGIN")
        for n, statement in enumerate(_STATEMENTS):
            raw.executemany(statement, (one for row in rows for one in row[n]))
        raw.execute("COMMIT")
        return [row[0][0][4] for row in rows]

    def _rows(self, entries: Iterable[Entry]) -> Iterator[tuple[list[tuple[object, ...]], ...]]:
        """For each event its rows in each of the tables."""
        for entry in entries:
            self.size += 1
            at, kind, data = self.size, _kind(entry.name), entry.stored()
            stream, bodies, commitment = stream_of(kind.model, data), [], None
            version = 1 if kind.opens else self._next(stream)
            if entry.body:
                salt, text = self.salts.randbytes(32), orjson.dumps(entry.body, option=orjson.OPT_SORT_KEYS)
                commitment = codec.commitment(salt, text)
                bodies = [(at, salt, text)]
            state = codec.encode(
                stream=stream,
                version=version,
                topic=kind.topic,
                recorded=self.recorded,
                data=data,
                body=commitment,
            )
            events = [(stream, version, kind.topic, state, leaf_hash(state))]
            keys = [(data["key"], at)] if "key" in data else []
            marks = [(mark, at) for mark in set(twins.marks_of(entry.name, data))]
            yield events, bodies, keys, marks, [(at,)] if kind.registry else []

    def _next(self, stream: str) -> int:
        self._lengths[stream] += 1
        return self._lengths[stream]
