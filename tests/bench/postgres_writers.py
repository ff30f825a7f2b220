"""Eight processes that append to one ledger on a server, one event at a time, and the same by bare inserts.

Every writer has connections of its own and keeps them; both ways take an advisory lock in a transaction, write, and commit.
Afterwards everything acknowledged must be where it was said to be, and the positions dense.
"""

from __future__ import annotations

import multiprocessing
from itertools import islice
from multiprocessing.synchronize import Barrier as Gate
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from ledger.book import Ledger
from ledger.moving import rows_of
from ledger.places import Server as Place
from ledger.store.base import NewRow, SealedBody
from ledger.store.postgres.store import PostgresStore
from tests.servers import Server

RECORDED = "2025-11-22T09:00:00.000000Z"
#: What a program would write that keeps nothing but the events: their columns, both keys, and the body beside.
PLAIN_EVENTS = (
    "CREATE TABLE bench_event (id bigint PRIMARY KEY, stream text, version bigint, topic text, state bytea, leaf bytea,"
    " body bytea, UNIQUE (stream, version))"
)
_PATIENCE = 300.0  # seconds


def samples(path: Path, count: int, name: str) -> list[NewRow]:
    """Events of a ledger under streams that nobody else uses."""
    with Ledger.open(path, readonly=True) as ledger:
        size = min(count, ledger.store.head().size)
        found = list(islice(rows_of(ledger.store, size), size))
    return [
        NewRow(f"{name}-{at}", 1, row.topic, row.state, row.body, None, row.marks, row.registry)
        for at, row in enumerate(found)
    ]


def appended(store: PostgresStore, row: NewRow) -> int:
    """One event in a transaction of its own; its position."""
    with store.writer() as writer:
        return writer.insert([row], RECORDED, last=True)[0]


def inserted(raw: psycopg.Connection[Any], at: int, row: NewRow) -> None:
    """The same bytes, bare: lock, insert, commit."""
    body = row.body.salt + row.body.text if isinstance(row.body, SealedBody) else None
    with raw.transaction():
        raw.execute("SELECT pg_advisory_xact_lock(1)")
        raw.execute(
            "INSERT INTO bench_event VALUES (%s, %s, %s, %s, %s, %s, %s)",
            (at, row.stream, row.version, row.topic, row.state, row.state[:32], body),
        )


def race(
    path: Path, place: Place, server: Server, *, writers: int, each: int, rounds: int
) -> tuple[list[float], list[float]]:
    """Seconds of each round, ours and bare in turn. Raises ``AssertionError`` where anything was lost."""
    spawn = multiprocessing.get_context("spawn")
    gate, said = spawn.Barrier(writers + 1), spawn.Queue()
    with PostgresStore.open(place, readonly=True) as store:
        before = store.head().size
        children = [
            spawn.Process(
                target=_write, args=(gate, said, path, place, server.url, (number, each, rounds)), daemon=True
            )
            for number in range(writers)
        ]
        for child in children:
            child.start()
        ours, bare = [], []
        try:
            for _ in range(rounds):
                ours.append(_timed(gate))
                bare.append(_timed(gate))
            known: dict[int, str] = {}
            for _ in children:
                known.update(said.get(timeout=_PATIENCE))
        finally:
            for child in children:
                child.join(_PATIENCE)
        found = {row.position: row.stream for row in store.rows(before + 1)}
        assert known == found, "something acknowledged is not where it was said to be"
        assert list(found) == list(range(before + 1, before + writers * each * rounds + 1)), "there is a gap"
        assert not list(store.faults())
    return ours, bare


def _timed(gate: Gate) -> float:
    gate.wait(_PATIENCE)
    start = perf_counter()
    gate.wait(_PATIENCE)
    return perf_counter() - start


def _write(gate: Gate, said: Any, path: Path, place: Place, url: str, what: tuple[int, int, int]) -> None:
    number, each, rounds = what
    known: dict[int, str] = {}
    with PostgresStore.open(place) as store, psycopg.connect(url, autocommit=True) as raw:
        for turn in range(rounds):
            rows = samples(path, each, f"w{number}-{turn}")
            first = 20_000_000 + (turn * 1_000 + number) * 10_000
            gate.wait(_PATIENCE)
            known.update((appended(store, row), row.stream) for row in rows)
            gate.wait(_PATIENCE)
            gate.wait(_PATIENCE)
            for at, row in enumerate(rows, first):
                inserted(raw, at, row)
            gate.wait(_PATIENCE)
    said.put(known)
