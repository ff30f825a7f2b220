"""Growing: a replay of a ledger and of one ten times as large, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from math import log
from pathlib import Path
from time import process_time
from typing import Any

from ledger.book import Ledger
from projections.desk import views_folder
from projections.registry import load
from projections.views import Views
from tests.bench import stage
from tests.bench.figures import Figure, figure, peak_rss_mb, rounds_for
from tests.bench.replay import SMALL, warm_up
from tests.bench.stage import Stage

DEFAULT = 10_000
MEMORY = 50_000
TIMES = 10
_HEAVY = 500_000


def run(on: Stage, claims: int) -> list[Figure]:
    """Replays of a ledger with ``claims`` claims and of one with ten times as many."""
    sizes = (claims, TIMES * claims)
    if sizes[1] >= SMALL:
        warm_up(on)
    taken = [_replays(on, size, min(rounds_for(claims, _HEAVY), rounds_for(size, _HEAVY))) for size in sizes]
    seconds = [min(one[0] for one in rounds) for rounds in taken]
    peaks = [min(one[1] for one in rounds) for rounds in taken]
    between = f"from {sizes[0]:,} to {sizes[1]:,} claims: the exponent, 1 where it grows as the ledger does"
    found = [stage.sizes(on.ledger(sizes[1]), sizes[1], "growth")]
    for row, what, values in (
        ("growth-time", "growth of a replay's time of the processor", seconds),
        ("growth-memory", "growth of a replay's peak memory", peaks),
    ):
        one = figure("growth", row, f"{what} {between}", claims, [seconds[1]], peak=peaks[1])
        exponent = round(log(values[1] / values[0]) / log(TIMES), 2)
        found.append(Figure(**(one.to_dict() | {"claims": sizes[1], "ratio": exponent})))
    return found


def memory(on: Stage, claims: int) -> list[Figure]:
    """What a replay takes of memory."""
    if claims >= SMALL:
        warm_up(on)
    rounds = _replays(on, claims, 1)
    what = "a replay from nothing in a process of its own: time of the processor, and the most memory it had"
    one = figure("memory", "peak", what, claims, [rounds[0][0]], peak=rounds[0][1])
    return [stage.sizes(on.ledger(claims), claims, "memory"), one]


def _replays(on: Stage, claims: int, rounds: int) -> list[tuple[float, float]]:
    """(seconds of the processor, peak MiB) of each of some replays."""
    path = on.ledger(claims)
    context = multiprocessing.get_context("spawn")
    found = []
    for _ in range(rounds):
        results = context.Queue()
        process = context.Process(target=_replay, args=(results, str(path)))
        process.start()
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a replay of {claims:,} claims ended with {process.exitcode}")
        found.append(results.get())
    return found


def _replay(results: Any, path: str) -> None:
    folder = views_folder(Path(path))
    shutil.rmtree(folder, ignore_errors=True)
    with Ledger.open(Path(path), readonly=True) as ledger:
        head = ledger.store.head().size
        if head >= SMALL:
            os.environ["CLAIMS_KERNEL"] = "compiled"
        start = process_time()
        views = Views(ledger, folder)
        views.beliefs(load("tally"), head, ledger.directory(), replay=True)
        views.close()
        results.put((process_time() - start, peak_rss_mb()))
