"""The stage on which benches play: temporary folders, generated ledgers, and bare SQLite to compare with."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from statistics import median
from typing import TypeVar

from ledger.book import Ledger
from ledger.store.sqlite.schema import SCHEMA_VERSION
from tests.bench import generator, quick
from tests.bench.figures import Figure
from tests.copies import copy_ledger, move_ledger

T = TypeVar("T")
BATCH = 1_000


def talk(text: str) -> None:
    """One line on stderr."""
    print(text, file=sys.stderr, flush=True)


def batched(things: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Lists of ``size`` things, the last one shorter."""
    stream = iter(things)
    while some := list(islice(stream, size)):
        yield some


class Stage:
    """One folder for all of a run; ledgers are built once a size and then shared, so nobody appends to them.

    ``kept`` is a folder in which they stay from one run to the next; else they go with ``folder``.
    """

    def __init__(self, folder: Path, kept: Path | None = None) -> None:
        self.folder = folder
        self.kept = kept or folder
        self.views = folder / "views"
        self._fresh = 0

    @contextmanager
    def set(self) -> Iterator[None]:
        """Views go into the folder, since a kept ledger's would be another program's; keys stay with the ledgers that
        they sign, never among the user's own."""
        mine = {"CLAIMS_VIEWS": str(self.views), "CLAIMS_KEYS": str(self.kept / "keys")}
        before = {name: os.environ.get(name) for name in mine}
        os.environ.update(mine)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def path(self, name: str) -> Path:
        """A path of its own in the folder."""
        self._fresh += 1
        return self.folder / f"{self._fresh}-{name}"

    def ledger(self, claims: int) -> Path:
        """A generated ledger, the same bytes in every run."""
        path = self.kept / f"{claims}-claims-{_made_by()}.db"
        if not path.exists():
            talk(f"building a ledger of {claims:,} claims (seed {generator.SEED})")
            part = path.with_suffix(f".part-{os.getpid()}")
            empty(part).close()
            quick.lay_down(part, generator.entries(claims), Random(generator.SEED))
            with Ledger.open(
                part
            ) as ledger:  # laid down beside the ledger's own way, so that nothing signed it
                assert ledger.notary is not None
                ledger.notary.acknowledge(ledger.store)
            move_ledger(part, path)
        return path

    def copy(self, claims: int) -> Path:
        """The same ledger to be appended to."""
        path = self.path(f"{claims}.db")
        return copy_ledger(self.ledger(claims), path)


def _made_by() -> str:
    """Eight hex digits of the code that makes a ledger: another generator's is never taken for ours."""
    digest = sha256(f"schema {SCHEMA_VERSION}, signed".encode())
    for module in (generator, quick):
        digest.update(Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()[:8]


def empty(path: Path) -> Ledger:
    """A new ledger whose clock stands still and whose salts are a seeded sequence."""
    salts = Random(generator.SEED)
    return Ledger.create(path, ledger="bench", clock=lambda: generator.WRITTEN, salt=salts.randbytes)


def bare(path: Path, like: Ledger) -> sqlite3.Connection:
    """A plain table on the same disk, committed as durably as the ledger commits."""
    journal, synchronous = like.store.durability()  # type: ignore[attr-defined]
    return bare_as(path, journal, synchronous)


def bare_as(path: Path, journal: str, synchronous: str) -> sqlite3.Connection:
    """The same with the settings given."""
    raw = sqlite3.connect(path, isolation_level=None, timeout=60.0)
    raw.execute(f"PRAGMA journal_mode = {journal}")
    raw.execute(f"PRAGMA synchronous = {synchronous}")
    raw.execute("CREATE TABLE IF NOT EXISTS plain (id INTEGER PRIMARY KEY, state BLOB, body BLOB)")
    return raw


def bare_insert(raw: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
    """One durable transaction of plain rows."""
    raw.execute("BEGIN IMMEDIATE")
    raw.executemany("INSERT INTO plain (state, body) VALUES (?, ?)", rows)
    raw.execute("COMMIT")


def written(ledger: Ledger, start: int, stop: int) -> list[tuple[bytes, bytes | None]]:
    """The bytes that the ledger keeps for some positions: each leaf and its body."""
    bodies = {at: sealed.salt + sealed.text for at, sealed in ledger.store.bodies(start, stop)}
    return [(row.state, bodies.get(row.position)) for row in ledger.store.rows(start, stop)]


def sizes(path: Path, claims: int, bench: str) -> Figure:
    """What was measured on: the generator, its seed, and how large an event is."""
    with Ledger.open(path, readonly=True) as ledger:
        head = ledger.store.head().size
        leaves = [len(row.state) for row in ledger.store.rows(max(1, head - 20_000), head)]
        bodies = [len(sealed.text) for _, sealed in ledger.store.bodies(max(1, head - 20_000), head)]
    return Figure(bench, None, _sizes(claims, head, leaves, bodies), claims)


def _sizes(claims: int, events: int, leaves: Sequence[int], bodies: Sequence[int]) -> str:
    body = f"{median(bodies):.0f}" if bodies else "0"
    return (
        f"generator, seed {generator.SEED}: {events:,} events with {claims:,} claims on"
        f" {generator.places_for(claims):,} places, hottest {generator.HOT_SHARE:.0%};"
        f" median event {median(leaves):.0f} bytes, median body {body} bytes"
    )
