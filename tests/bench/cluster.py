"""Replaying by many: an export by bucket, and the same replay out of it by one worker and by two, on this machine.

The bytes of the views are compared, so that nobody is fast by making something else.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

from ledger.book import Ledger
from ledger.buckets import writing
from ledger.buckets.folder import Folder
from ledger.buckets.manifest import total
from projections.cluster.engines import Dask, Engine, Processes
from projections.cluster.hearing import Range
from projections.cluster.rebuild import Cluster
from projections.cluster.tasks import Order, Result, Task
from projections.lessons import Ask
from projections.registry import load
from projections.view import file_name
from projections.views import Views
from tests.bench import stage
from tests.bench.figures import Figure, figure, rounds_for, timed
from tests.bench.replay import SMALL, warm_up
from tests.bench.stage import Stage, talk

DEFAULT = 50_000
_HEAVY = 500_000


@dataclass
class Watched:
    """An engine, and the most memory that any of its workers had (MiB)."""

    engine: Engine
    peak: float = 0.0
    tasks: int = 0
    seconds: float = 0.0
    longest: float = 0.0
    name: str = field(default="watched")

    @property
    def workers(self) -> int:
        return self.engine.workers

    def run(self, order: Order, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        self.tasks = len(tasks)
        for task, result in self.engine.run(order, tasks):
            self.peak = max(self.peak, result.peak_mb * 1e6 / (1 << 20))
            self.seconds += result.seconds
            self.longest = max(self.longest, result.seconds)
            yield task, result

    def pupils(self, order: Order, ranges: Sequence[Range]) -> AbstractContextManager[Ask]:
        return self.engine.pupils(order, ranges)


@dataclass
class _Run:
    """Replays in one way: seconds on the clock; on the processor the coordinator's own, those of all tasks and of the
    longest; and what came of them."""

    seconds: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    longest: float = 0.0
    peak: float = 0.0
    view: str = ""
    tasks: int = 0


def run(on: Stage, claims: int) -> list[Figure]:
    """Replays of a ledger with ``claims`` claims, by workers that read it from an export."""
    path = on.ledger(claims)
    if claims >= SMALL:
        warm_up(on)
    rounds = rounds_for(claims, _HEAVY) if claims >= SMALL else 1
    with Ledger.open(path, readonly=True) as ledger:
        head = ledger.store.head().size
        parts, exported = _exported(on, ledger, claims, head)
        one, two = (_replays(on, path, ledger, parts, Processes(workers), rounds) for workers in (1, 2))
        with _scheduler(2) as address:
            far = _replays(on, path, ledger, parts, Dask(address), rounds)
    if len({one.view, two.view, far.view}) != 1:
        raise RuntimeError("the views differ")
    figures = [stage.sizes(path, claims, "cluster"), exported]
    for row, what, of, beside in (
        ("cluster-two", "replay by two worker processes", two, None),
        ("cluster-one", "by one; floor: by two (a ratio of 2: two are twice as fast)", one, two),
        ("cluster-dask", "by two Dask workers; floor: by two processes", far, two),
    ):
        floor = beside.seconds if beside else []
        what = f"{what}; {rounds} round{'s' if rounds > 1 else ''}; {_told(of)}"
        peak = round(of.peak, 1)
        figures.append(figure("cluster", row, what, claims, of.seconds, floor, count=head, peak=peak))
    return figures


def _told(of: _Run) -> str:
    """What a run took of the processor, which says more where others are at work on the same machine."""
    return (
        f"{of.tasks} tasks took {median(of.worked):.1f} s of the processor, the longest {of.longest:.1f} s, and who asked"
        f" for them {median(of.own):.1f} s"
    )


def _exported(on: Stage, ledger: Ledger, claims: int, head: int) -> tuple[Folder, Figure]:
    folder = Folder(str(on.path("parts")))
    bare = timed(lambda: sum(len(leaf) for _, leaf in ledger.store.leaves(1, head)))
    start = perf_counter()
    found, _ = writing.export(ledger.store, "bench", folder)
    taken = perf_counter() - start
    _, size = total(found.parts)
    what = (
        f"export as Parquet into {found.buckets} buckets: {len(found.parts)} parts, {size / head:.0f} bytes an event;"
        " floor: the same leaves read; one round"
    )
    return folder, figure("cluster", "cluster-export", what, claims, [taken], [bare], count=head)


def _replays(on: Stage, path: Path, ledger: Ledger, parts: Folder, engine: Engine, rounds: int) -> _Run:
    found = _Run()
    for _ in range(rounds):
        watched, folder = Watched(engine), on.path("views-by-many")
        gc.collect()
        start, own = perf_counter(), process_time()
        views = Views(ledger, folder, cluster=Cluster(watched, path, parts))
        views.beliefs(load("tally"), ledger.store.head().size, ledger.directory(), replay=True)
        views.close()
        found.seconds.append(perf_counter() - start)
        found.own.append(process_time() - own)
        found.worked.append(watched.seconds)
        found.longest = watched.longest
        found.peak, found.tasks = max(found.peak, watched.peak), watched.tasks
        with (folder / file_name(load("tally"))).open("rb") as file:
            digest = sha256()
            while some := file.read(1 << 22):
                digest.update(some)
        found.view = digest.hexdigest()
        shutil.rmtree(folder)
    talk(f"{engine}: {median(found.seconds):.1f} s, {found.peak:.0f} MiB a worker")
    return found


@contextmanager
def _scheduler(workers: int) -> Iterator[str]:
    """The address of a scheduler with so many workers, for the block."""
    import logging

    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",
        memory_limit=0,
        silence_logs=logging.CRITICAL,
    ) as cluster:
        yield str(cluster.scheduler_address)
