"""Who does the tasks: processes on this machine, or the workers of a Dask scheduler. Both give results as they come.

A worker that is killed costs its task, which another does again. Whoever stops taking results stops the work.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, Protocol, TypeVar

from ledger.errors import LedgerError, Usage
from projections.cluster import hearing, knocking
from projections.cluster.hearing import Range
from projections.cluster.pools import Pool, Room
from projections.cluster.tasks import Order, Result, Task, judge, shared
from projections.lessons import Ask

T = TypeVar("T")

#: How often workers may die before it is taken for the work's own fault.
_DEATHS = 4
#: Seconds to wait for a scheduler, for its first worker, and for one to come back.
_REACHED, _FIRST, _BACK = 5, 10, 60


Results = Generator[tuple[Task, Result], None, None]
"""Results as they come; closing it stops the work."""


class Engine(Protocol):
    """Does tasks somewhere else."""

    @property
    def name(self) -> str: ...

    @property
    def workers(self) -> int:
        """How many work at once."""
        ...

    def run(self, order: Order, tasks: Sequence[Task]) -> Results:
        """The result of every task, in any order. Raises ``LedgerError`` where the work cannot be done."""
        ...

    def pupils(self, order: Order, ranges: Sequence[Range]) -> AbstractContextManager[Ask]:
        """A way to ask whoever hears and counts in some ranges, each of them kept by a worker while the block lasts.
        Asking raises as ``run`` does."""
        ...


@dataclass(frozen=True)
class Processes:
    """So many processes on this machine."""

    workers: int
    name: str = "processes"

    def run(self, order: Order, tasks: Sequence[Task]) -> Results:
        deaths, left = 0, list(tasks)
        with TemporaryDirectory(prefix="claims-workers-") as scratch:
            order = replace(order, scratch=scratch)
            while left:
                try:
                    for task, result in self._pool(order, left):
                        left.remove(task)
                        yield task, result
                except BrokenProcessPool:
                    deaths += 1
                    if deaths == _DEATHS:
                        raise _killed(deaths, f"{len(left)} tasks were left") from None

    @contextmanager
    def pupils(self, order: Order, ranges: Sequence[Range]) -> Iterator[Ask]:
        deaths = 0

        def died(left: int) -> None:
            nonlocal deaths
            deaths += 1
            if deaths == _DEATHS:
                raise _killed(deaths, f"{left} ranges of what is learnt from had not answered") from None

        with (
            TemporaryDirectory(prefix="claims-workers-") as scratch,
            Room(self.workers, replace(order, scratch=scratch), ranges, died) as room,
        ):
            yield room.ask

    def _pool(self, order: Order, tasks: Sequence[Task]) -> Results:
        """Tasks done by one pool, as long as none of its processes dies. Two for each process are under way, so that
        no results pile up."""
        rest = iter(tuple(tasks))
        with Pool(min(self.workers, len(tasks))) as pool:
            under_way: dict[Future[Result], Task] = {}
            while True:
                for task in rest:
                    under_way[pool.submit(judge, order, task)] = task
                    if len(under_way) >= 2 * self.workers:
                        break
                if not under_way:
                    return
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                broken = None
                for future in done:
                    task = under_way.pop(future)
                    try:
                        yield task, future.result()
                    except BrokenProcessPool as error:
                        broken = error  # what others had finished by then is taken first
                if broken is not None:
                    raise broken


def _killed(times: int, left: str) -> LedgerError:
    return LedgerError(
        f"workers were killed {times} times, {left}",
        remedy="perhaps memory ran out: give fewer --workers; what was done is kept, the same command goes on from there",
    )


@dataclass(frozen=True)
class Dask:
    """The workers of a scheduler, by its address (``tcp://host:8786``)."""

    scheduler: str
    name: str = "dask"

    @property
    def workers(self) -> int:
        with self._connected() as (_, client):
            return max(1, sum(map(int, client.nthreads().values())))

    def run(self, order: Order, tasks: Sequence[Task]) -> Results:
        with self._connected() as (distributed, client):
            common = client.submit(shared, order, pure=False)
            futures: dict[Any, Task] = {}
            try:
                for n, task in enumerate(tasks):
                    futures[client.submit(judge, common, task, pure=False, priority=-n)] = task
                for task, result in self._results(distributed, client, futures):
                    assert isinstance(result, Result)
                    yield task, result
            finally:
                with suppress(Exception):
                    client.cancel([*futures, common], force=True)

    @contextmanager
    def pupils(self, order: Order, ranges: Sequence[Range]) -> Iterator[Ask]:
        with self._connected() as (distributed, client):

            def take(futures: dict[Any, Any]) -> Iterator[Any]:
                return (found for _, found in self._results(distributed, client, futures))

            common = client.submit(shared, order, pure=False)
            asking = _Asking(client, take, common, ranges)
            try:
                yield asking.ask
            finally:
                with suppress(Exception):
                    client.cancel([*asking.readings, *asking.written, *asking.under_way, common], force=True)

    @contextmanager
    def _connected(self) -> Iterator[tuple[Any, Any]]:
        """(the module, a client) with workers."""
        distributed = _distributed()
        client = self._client(distributed)
        try:
            self._wait_for_workers(client, _FIRST)
            yield distributed, client
        finally:
            with suppress(Exception):
                client.close(timeout=2)

    def _client(self, distributed: Any) -> Any:
        import logging

        for name in ("distributed", "distributed.client"):  # which has a level of its own
            logging.getLogger(name).setLevel(logging.CRITICAL)  # we say ourselves what matters
        try:
            knocking.knock(self.scheduler, _REACHED)
            return distributed.Client(self.scheduler, timeout=_REACHED, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise LedgerError(
                f"no scheduler can be reached there ({_line(error)})",
                where=self.scheduler,
                remedy="start one with `dask scheduler`, workers with `dask worker ADDR`; or use --engine processes",
            ) from None

    def _wait_for_workers(self, client: Any, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not client.scheduler_info(n_workers=1)["workers"]:
            if time.monotonic() > until:
                raise LedgerError(
                    "the scheduler has no workers",
                    where=self.scheduler,
                    remedy=f"start some: `dask worker {self.scheduler}`; what was done is kept",
                )
            time.sleep(0.1)

    def _results(self, distributed: Any, client: Any, futures: dict[Any, T]) -> Iterator[tuple[T, Any]]:
        """What futures come to, as they do; they are taken out of the dictionary."""
        ended: SimpleQueue[Any] = SimpleQueue()
        for future in futures:
            future.add_done_callback(ended.put)
        while futures:
            try:
                future = ended.get(timeout=1.0)
            except Empty:
                self._wait_for_workers(client, _BACK)
                continue
            yield futures.pop(future), self._taken(distributed, future)

    def _taken(self, distributed: Any, future: Any) -> Any:
        try:
            result = future.result()
        except LedgerError:
            raise
        except distributed.scheduler.KilledWorker as error:
            raise LedgerError(
                f"workers died again and again over the same task ({_line(error)})",
                where=self.scheduler,
                remedy="perhaps memory ran out: give each worker more; what was done is kept",
            ) from None
        except (ImportError, AttributeError) as error:
            raise LedgerError(
                f"the workers cannot run it ({_line(error)})",
                where=self.scheduler,
                remedy="install the same claim-ledger[cluster] for the scheduler and every worker",
            ) from None
        except (OSError, distributed.CancelledError) as error:
            raise LedgerError(
                f"the scheduler went away ({_line(error)})",
                where=self.scheduler,
                remedy="start it again; what was done is kept, the same command goes on from there",
            ) from None
        future.release()
        return result


class _Asking:
    """What is read and written down of each range, as futures: they stay on the workers, and are made again by the scheduler
    where one of these dies."""

    def __init__(
        self,
        client: Any,
        take: Callable[[dict[Any, Any]], Iterator[Any]],
        order: Any,
        ranges: Sequence[Range],
    ) -> None:
        self._client, self._take, self._order, self._ranges = client, take, order, ranges
        self.readings: list[Any] = []
        self.written: list[Any] = []
        self.under_way: dict[Any, None] = {}

    def ask(self, what: str, *given: Any) -> Iterator[Any]:
        """The answer of every range, in any order (``lessons.Ask``)."""
        if what == "arrivals":
            self.readings = [self._submit(hearing.Reading, self._order, one) for one in self._ranges]
            yield from self._answers([self._submit(hearing.arrivals, one) for one in self.readings])
        elif what == "hear":
            self.written = [self._submit(hearing.hear, one, *given) for one in self.readings]
            yield from self._answers([self._submit(hearing.done, one) for one in self.written])
            self.readings = []  # what they left on the workers' disks goes with them
        else:
            yield from self._answers(
                [self._submit(hearing.answer, one, what, *given) for one in self.written]
            )

    def _submit(self, what: Callable[..., Any], *given: Any) -> Any:
        return self._client.submit(what, *given, pure=False)

    def _answers(self, futures: list[Any]) -> Iterator[Any]:
        self.under_way = dict.fromkeys(futures)
        return self._take(self.under_way)


def chosen_engine(
    name: str, scheduler: str | None = None, workers: int | None = None, source: str | None = None
) -> Engine | None:
    """The engine of a name; None for ``local``, which does it here. Raises ``Usage`` for words that do not fit."""
    if name not in ("local", "processes", "dask"):
        raise Usage(f"no engine {name!r}", where="--engine", remedy="choose local, processes or dask")
    if scheduler is not None and name != "dask":
        raise Usage("--scheduler goes with --engine dask", remedy="add it, or leave the address out")
    if workers is not None and name != "processes":
        raise Usage("--workers goes with --engine processes", remedy="add it, or leave the number out")
    if name == "local":
        if source is not None:
            raise Usage("--from is for workers", remedy="add --engine processes, or dask with --scheduler")
        return None
    if name == "processes":
        return Processes(workers or os.cpu_count() or 1)
    if scheduler is None:
        raise Usage(
            "--engine dask needs a scheduler", remedy="--scheduler tcp://HOST:8786, as it says itself"
        )
    return Dask(scheduler)


def _distributed() -> Any:
    try:
        import distributed
        import distributed.scheduler
    except ImportError:
        raise Usage(
            "--engine dask needs another package, distributed",
            remedy="install the extra: pip install 'claim-ledger[cluster]'",
        ) from None
    return distributed


def _line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().partition("\n")[0][:200] or type(error).__name__
