"""Importing: plain values in, validated, hashed and durable; in batches."""

from __future__ import annotations

import gc
from pathlib import Path
from time import perf_counter

from tests.bench import stage
from tests.bench.figures import Figure, figure, forget_peak, peak_rss_mb, rounds_for
from tests.bench.generator import entries
from tests.bench.stage import Stage

DEFAULT = 20_000
_HEAVY = 100_000


def run(on: Stage, claims: int) -> list[Figure]:
    """The whole generated ledger with ``claims`` claims into an empty file."""
    rounds = rounds_for(claims, _HEAVY)
    ours, bare = [], []
    forget_peak()
    for _ in range(rounds):
        path = on.path("import.db")
        mine, floor, events = _once(on, path, claims)
        ours.append(mine)
        bare.append(floor)
    import_ = figure(
        "import",
        "import",
        f"{events:,} events from plain values: validated, hashed, durable, {stage.BATCH} an append;"
        f" floor: bare executemany and COMMIT of the same bytes, batch for batch; {_rounds(rounds)}",
        claims,
        ours,
        bare,
        count=events,
        peak=peak_rss_mb(),
    )
    return [stage.sizes(path, claims, "import"), import_]


def _rounds(rounds: int) -> str:
    return f"median of {rounds} rounds" if rounds > 1 else "one round"


def _once(on: Stage, path: Path, claims: int) -> tuple[float, float, int]:
    mine = floor = 0.0
    with stage.empty(path) as ledger, stage.bare(on.path("bare.db"), ledger) as raw:
        for batch in stage.batched(entries(claims)):
            begin = ledger.store.head().size
            gc.collect()
            start = perf_counter()
            receipts = ledger.append([entry.draft() for entry in batch])
            mine += perf_counter() - start
            end = ledger.store.head().size
            assert end - begin == len(receipts), "the generator repeats itself"
            rows = stage.written(ledger, begin + 1, end)
            start = perf_counter()
            stage.bare_insert(raw, rows)
            floor += perf_counter() - start
        return mine, floor, end
