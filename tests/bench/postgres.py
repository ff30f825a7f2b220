"""A ledger on a PostgreSQL server: single appends, bulk, and reading, each beside the bare work on the same server.

The server is one of our own (``tests.servers``), or the one that ``CLAIMS_TEST_POSTGRES`` names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

import psycopg

from ledger import moving
from ledger.book import Ledger
from ledger.moving import rows_of
from ledger.places import Server as Place
from ledger.places import location
from ledger.store.base import NewRow, SealedBody
from ledger.store.postgres.store import PostgresStore
from tests.bench import append, stage
from tests.bench.figures import Figure, figure, forget_peak, peak_rss_mb, timed
from tests.bench.generator import WRITTEN, entries
from tests.bench.postgres_writers import PLAIN_EVENTS, RECORDED, appended, inserted, race, samples
from tests.bench.stage import Stage
from tests.servers import Server, running

DEFAULT = 20_000
_ROUNDS = 5
_SINGLES = 300
# Many short turns, so that what others do to disk and processors meanwhile falls on both alike.
_TURNS, _EACH = 300, 5
# Turns of eight are long: how they set out together would be much of a short one.
_WRITERS, _TURNS_TOGETHER, _EACH_TOGETHER = 8, 5, 150
_BATCH = 10_000
_IMPORTED = 2_000
_PLAIN = "CREATE TABLE bench_plain (id bigint PRIMARY KEY, state bytea, body bytea)"


def run(on: Stage, claims: int) -> list[Figure]:
    """``claims`` is the size of the ledger that is copied to the server, and read there."""
    path = on.ledger(claims)
    with running() as server, Ledger.open(path, readonly=True) as ledger:
        place = Place.parse(server.schema())
        with PostgresStore.create(place) as store, _plain(server) as raw:
            bulk = _bulk(ledger, store, raw, claims)
            figures = [stage.sizes(path, claims, "postgres"), bulk, _read(store, raw, claims)]
            figures += [_single(path, store, raw, claims), _eight(path, store, server, claims)]
            return [*figures, _import(on, server, raw, claims), _signed(on, server, claims)]


@contextmanager
def _plain(server: Server) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the same server, with two plain tables."""
    with server.connect() as raw:
        raw.execute("DROP TABLE IF EXISTS bench_plain, bench_event")
        raw.execute(_PLAIN)
        raw.execute(PLAIN_EVENTS)
        yield raw
        raw.execute("DROP TABLE bench_plain, bench_event")


def _bytes(row: NewRow) -> tuple[bytes, bytes | None]:
    body = row.body
    return row.state, body.salt + body.text if isinstance(body, SealedBody) else None


def _bulk(ledger: Ledger, store: PostgresStore, raw: psycopg.Connection[Any], claims: int) -> Figure:
    """Finished rows in batches, ours and bare in turn, each batch a transaction."""
    ours = bare = 0.0
    forget_peak()
    stream = rows_of(ledger.store, ledger.store.head().size)
    done = 0
    while some := list(islice(stream, _BATCH)):
        start = perf_counter()
        with store.writer() as writer:
            writer.insert(some, RECORDED)
        ours += perf_counter() - start
        plain = [(done + at, *_bytes(row)) for at, row in enumerate(some)]
        bare += timed(lambda plain=plain: _copy(raw, plain))  # type: ignore[misc]
        done += len(some)
    assert store.head().root == ledger.store.head().root
    what = (
        f"{done:,} finished events, {_BATCH:,} a transaction, with leaf hashes, tree, bodies and marks; floor: a bare"
        " COPY of the same bytes under the same lock"
    )
    return figure("postgres", "postgres-bulk", what, claims, [ours], [bare], count=done, peak=peak_rss_mb())


def _copy(raw: psycopg.Connection[Any], rows: Sequence[tuple[int, bytes, bytes | None]]) -> None:
    with raw.transaction(), raw.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(1)")
        with cursor.copy("COPY bench_plain FROM STDIN (FORMAT BINARY)") as copy:
            copy.set_types(["bigint", "bytea", "bytea"])
            for row in rows:
                copy.write_row(row)


def _read(store: PostgresStore, raw: psycopg.Connection[Any], claims: int) -> Figure:
    """Every event's bytes, in order."""
    size = store.head().size
    schema = store.place.schema
    ours, bare = [], []
    forget_peak()
    for _ in range(_ROUNDS):
        ours.append(timed(lambda: _exhaust(store.leaves())))
        bare.append(
            timed(lambda: _fetched(raw, f"SELECT notification_id, state FROM {schema}.stored_events"))
        )
    what = (
        f"{size:,} envelopes read in order; floor: a bare cursor on the server over the same rows, without an order;"
        f" median of {_ROUNDS} interleaved rounds"
    )
    return figure("postgres", "postgres-read", what, claims, ours, bare, count=size, peak=peak_rss_mb())


def _exhaust(rows: Iterator[Any]) -> None:
    for _ in rows:
        pass


def _fetched(raw: psycopg.Connection[Any], query: str) -> None:
    with raw.transaction(), raw.cursor("bench", binary=True) as cursor:
        cursor.execute(query.encode())
        while cursor.fetchmany(5_000):
            pass


def _single(path: Path, store: PostgresStore, raw: psycopg.Connection[Any], claims: int) -> Figure:
    """One event an append, in the store alone."""
    count, turns = min(_EACH, claims // 2), min(_TURNS, max(3, claims // 20))
    ours, bare = [], []
    for number, rows in enumerate(stage.batched(samples(path, count * turns, "bench"), count)):
        ours.append(timed(lambda rows=rows: [appended(store, row) for row in rows]))  # type: ignore[misc]
        plain = list(enumerate(rows, 10_000_000 + number * count))
        bare.append(timed(lambda plain=plain: [inserted(raw, *one) for one in plain]))  # type: ignore[misc]
    what = (
        f"one event an append, by the store ({'/'.join(store.durability())}), with leaf hash, tree, body and marks; floor: a"
        " bare INSERT of the same event and body into one table with the same two keys, and COMMIT, under the same lock;"
        f" {len(ours)} interleaved rounds of {count}"
    )
    return figure("postgres", "postgres-append", what, claims, ours, bare, count=count)


def _eight(path: Path, store: PostgresStore, server: Server, claims: int) -> Figure:
    """The same by eight processes at once."""
    each, turns = min(_EACH_TOGETHER, max(20, claims // 100)), min(_TURNS_TOGETHER, max(3, claims // 100))
    ours, bare = race(path, store.place, server, writers=_WRITERS, each=each, rounds=turns)
    what = (
        f"the same by {_WRITERS} processes at once: 0 lost, 0 gaps in {_WRITERS * each * turns:,} events; floor: as many"
        f" processes that insert bare; {turns} interleaved rounds of {_WRITERS} x {each}"
    )
    return figure("postgres", "postgres-append-eight", what, claims, ours, bare, count=_WRITERS * each)


def _import(on: Stage, server: Server, raw: psycopg.Connection[Any], claims: int) -> Figure:
    """Plain values in, as an import appends them: validated, decided, recorded and signed."""
    ours = bare = 0.0
    at, count = 30_000_000, min(claims, DEFAULT)
    with (
        mock.patch.dict(os.environ, XDG_DATA_HOME=str(on.folder)),
        Ledger.create(server.schema(), ledger="bench", clock=lambda: WRITTEN) as ledger,
    ):
        for batch in stage.batched(entries(count), _IMPORTED):
            drafts = [entry.draft() for entry in batch]
            begin = ledger.store.head().size
            ours += timed(lambda drafts=drafts: ledger.append(drafts))  # type: ignore[misc]
            end = ledger.store.head().size
            plain = [(at + n, *one) for n, one in enumerate(stage.written(ledger, begin + 1, end), begin)]
            bare += timed(lambda plain=plain: _copy(raw, plain))  # type: ignore[misc]
    what = (
        f"{end:,} events from plain values: validated, hashed, durable, {_IMPORTED:,} an append, each signed; floor: a bare"
        " COPY of the same bytes, batch for batch"
    )
    return figure("postgres", "postgres-import", what, count, [ours], [bare], count=end)


def _signed(on: Stage, server: Server, claims: int) -> Figure:
    """One claim an append, decided, recorded and signed; beside it the same in a file."""
    count = min(_SINGLES, claims // 2)
    ours, files = [], []
    file, url = on.copy(claims), server.schema()
    with mock.patch.dict(os.environ, XDG_DATA_HOME=str(on.folder)):
        moving.move(file, location(url))
        there = Ledger.open(url, clock=lambda: WRITTEN)
    with there, Ledger.open(file, clock=lambda: WRITTEN) as here:
        for number in range(3):
            batches = list(stage.batched(append._more(count, claims, number * count + 1), 1))
            ours.append(timed(lambda batches=batches: [there.append(one) for one in batches]))  # type: ignore[misc]
            files.append(timed(lambda batches=batches: [here.append(one) for one in batches]))  # type: ignore[misc]
    what = (
        "one claim an append, validated, recorded, its checkpoint signed and synced; floor: the same in a file on the same"
        f" disk; 3 interleaved rounds of {count}"
    )
    return figure("postgres", "postgres-append-signed", what, claims, ours, files, count=count)
