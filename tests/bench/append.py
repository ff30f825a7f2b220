"""Appending: one acknowledged event at a time, batches, and four processes at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from itertools import islice
from multiprocessing.synchronize import Barrier as Gate
from pathlib import Path
from time import perf_counter
from typing import Any

from ledger.book import Draft, Ledger
from tests.bench import stage
from tests.bench.figures import Figure, figure, forget_peak, peak_rss_mb, rounds_for, timed
from tests.bench.generator import WRITTEN, Entry, entries, places_for
from tests.bench.stage import Stage

DEFAULT = 2_000
_ROUNDS = 5
_HEAVY = 10_000_000
_SINGLE = 500
_PROCESSES = 4
_EACH = 500


def run(on: Stage, claims: int) -> list[Figure]:
    """``claims`` is the size of the ledger that is appended to."""
    path = on.copy(claims)
    with Ledger.open(path, clock=lambda: WRITTEN) as ledger:
        measured_on = stage.sizes(path, claims, "append")
        durable = "/".join(ledger.store.durability())  # type: ignore[attr-defined]
        with stage.bare(on.path("bare.db"), ledger) as raw:
            singles = min(_SINGLE, max(20, claims // 2))
            forget_peak()
            ours, bare = _interleaved(ledger, raw, claims, singles, 1)
            single = figure(
                "append",
                "append-one",
                f"one event an append, acknowledged ({durable}); floor: bare INSERT and COMMIT of the same"
                f" bytes; {_ROUNDS} interleaved rounds of {singles}",
                claims,
                ours,
                bare,
                count=singles,
                peak=peak_rss_mb(),
            )
            size = min(stage.BATCH, claims)
            forget_peak()
            ours, bare = _interleaved(ledger, raw, claims, size, size)
            batches = figure(
                "append",
                "append-batch",
                f"{size} events an append ({durable}); floor: bare executemany and COMMIT of the same bytes;"
                f" {_ROUNDS} interleaved rounds",
                claims,
                ours,
                bare,
                count=size,
                peak=peak_rss_mb(),
            )
    return [measured_on, single, batches, _together(on, path, claims)]


def _interleaved(
    ledger: Ledger, raw: Any, claims: int, count: int, size: int
) -> tuple[list[float], list[float]]:
    """Rounds of ``count`` events, ``size`` an append, ours and bare in turn."""
    ours, bare = [], []
    for _ in range(_ROUNDS):
        start = ledger.store.head().size
        batches = list(stage.batched(_more(count, claims, start), size))
        ours.append(timed(lambda batches=batches: [ledger.append(some) for some in batches]))  # type: ignore[misc]
        rows = list(stage.batched(stage.written(ledger, start + 1, start + count), size))
        assert sum(map(len, rows)) == count
        bare.append(timed(lambda rows=rows: _insert(raw, rows)))  # type: ignore[misc]
    return ours, bare


def _insert(raw: Any, batches: Sequence[Sequence[tuple[bytes, bytes | None]]]) -> None:
    for some in batches:
        stage.bare_insert(raw, some)


def _more(count: int, claims: int, seed: int) -> list[Draft]:
    """Fresh claims of the usual kind for the end of a ledger with ``claims`` claims."""
    drawn = entries(count * 2, places=places_for(claims), seed=seed)
    plain = (entry for entry in drawn if entry.name == "claim-reported" and _leans_on_nothing(entry))
    return [
        Draft.of(entry.name, {**entry.data, "key": f"more-{seed}-{n}"}, entry.body)
        for n, entry in enumerate(islice(plain, count))
    ]


def _leans_on_nothing(entry: Entry) -> bool:
    return not entry.data.get("target") and not entry.data.get("based_on")


# -- several processes --------------------------------------------------------------------------------


def _together(on: Stage, path: Path, claims: int) -> Figure:
    """Four processes appending single events to one ledger, against four doing the bare work."""
    each = min(_EACH, max(5, claims // 4))
    with Ledger.open(path) as ledger:
        before = ledger.store.head().size
        durability = ledger.store.durability()  # type: ignore[attr-defined]
    ours, bare, errors, peak = [], [], 0, 0.0
    rounds = rounds_for(claims, _HEAVY)
    for n in range(rounds):
        seconds, failed, used = _race(_append_many, path, each, (n,))
        ours.append(seconds)
        errors += failed
        peak = max(peak, used)
        bare.append(_race(_insert_many, on.path("race.db"), each, durability)[0])
    with Ledger.open(path) as ledger:
        missing = before + rounds * _PROCESSES * each - errors - ledger.store.head().size
    return figure(
        "append",
        "append-together",
        f"{_PROCESSES} processes, {_PROCESSES * each} single appends together, {errors} errors, {missing}"
        f" lost; floor: as many processes and bare commits; median of {rounds} interleaved rounds;"
        " memory of the largest process",
        claims,
        ours,
        bare,
        count=_PROCESSES * each,
        peak=peak,
    )


def _race(work: Any, path: Path, each: int, extra: Sequence[Any]) -> tuple[float, int, float]:
    """(seconds from the common start to the last end, errors, peak memory of the largest process)."""
    context = multiprocessing.get_context("spawn")
    gate, results = context.Barrier(_PROCESSES), context.Queue()
    workers = [
        context.Process(target=work, args=(gate, results, str(path), each, n, *extra))
        for n in range(_PROCESSES)
    ]
    for worker in workers:
        worker.start()
    found = [results.get(timeout=300) for _ in workers]
    for worker in workers:
        worker.join()
    begun, ended = min(one[0] for one in found), max(one[1] for one in found)
    return ended - begun, sum(one[2] for one in found), max(one[3] for one in found)


def _append_many(gate: Gate, results: Any, path: str, each: int, number: int, round_: int) -> None:
    drafts = _more(each, each, 1_000_000 * (1 + number) + round_)
    failed = 0
    with Ledger.open(path) as ledger:
        ledger.directory()
        gate.wait(60)
        begun = perf_counter()
        for draft in drafts:
            try:
                ledger.append([draft])
            except Exception as error:
                stage.talk(f"append: {type(error).__name__}: {error}")
                failed += 1
        results.put((begun, perf_counter(), failed, peak_rss_mb()))


def _insert_many(
    gate: Gate, results: Any, path: str, each: int, number: int, journal: str, synchronous: str
) -> None:
    raw = None
    if number == 0:
        raw = stage.bare_as(Path(path), journal, synchronous)
    gate.wait(60)
    raw = raw or stage.bare_as(Path(path), journal, synchronous)
    gate.wait(60)
    state, body = b"s" * 330, b"b" * 200
    begun = perf_counter()
    for _ in range(each):
        stage.bare_insert(raw, [(state, body)])
    results.put((begun, perf_counter(), 0, peak_rss_mb()))
