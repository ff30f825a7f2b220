"""Who does the tasks: processes on this machine, or the workers of a Dask scheduler. Both give results as they come.

A worker that is killed costs its task, which another does again. Whoever stops taking results stops the work.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from queue import Empty, SimpleQueue
from tempfile import TemporaryDirectory
from typing import Any, Protocol
from urllib.parse import urlsplit

from ledger.errors import LedgerError, Usage
from projections.cluster.tasks import Order, Result, Task, judge, shared

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

    def run(self, order: Order, tasks: Sequence[Task]) -> Results:
        """The result of every task, in any order. Raises ``LedgerError`` where the work cannot be done."""
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
                        raise LedgerError(
                            f"workers were killed {deaths} times, {len(left)} tasks were left",
                            remedy="perhaps memory ran out: give fewer --workers; what was done is kept, the same"
                            " command goes on from there",
                        ) from None

    def _pool(self, order: Order, tasks: Sequence[Task]) -> Results:
        """Tasks done by one pool, as long as none of its processes dies. Two for each process are under way, so that
        no results pile up."""
        rest = iter(tuple(tasks))
        with _Pool(min(self.workers, len(tasks))) as pool:
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


class _Pool(ProcessPoolExecutor):
    """Processes that know nothing of ours but what they are sent, and that end with us, however we end."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers, get_context("spawn"), _settle, (os.getpid(),))

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool | None:
        if kind is not None:
            processes: dict[int, BaseProcess] = dict(self._processes or {})
            self.shutdown(wait=False, cancel_futures=True)
            for one in processes.values():
                one.terminate()
        return super().__exit__(kind, value, trace)


def _settle(parent: int) -> None:
    """Ctrl-C is for the one who asked; a worker whose parent is gone goes as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


@dataclass(frozen=True)
class Dask:
    """The workers of a scheduler, by its address (``tcp://host:8786``)."""

    scheduler: str
    name: str = "dask"

    def run(self, order: Order, tasks: Sequence[Task]) -> Results:
        distributed = _distributed()
        client = self._client(distributed)
        try:
            self._wait_for_workers(client, _FIRST)
            yield from self._results(distributed, client, order, list(tasks))
        finally:
            with suppress(Exception):
                client.close(timeout=2)

    def _client(self, distributed: Any) -> Any:
        import logging

        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # we say ourselves what matters
        try:
            self._knock()
            return distributed.Client(self.scheduler, timeout=_REACHED, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise LedgerError(
                f"no scheduler can be reached there ({_line(error)})",
                where=self.scheduler,
                remedy="start one with `dask scheduler`, workers with `dask worker ADDR`; or use --engine processes",
            ) from None

    def _knock(self) -> None:
        """See whether anybody listens, at once: Dask would try again and again first."""
        found = urlsplit(self.scheduler)
        if found.scheme == "tcp" and found.hostname and found.port:
            socket.create_connection((found.hostname, found.port), _REACHED).close()

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

    def _results(self, distributed: Any, client: Any, order: Order, tasks: list[Task]) -> Results:
        common = client.submit(shared, order, pure=False)
        ended: SimpleQueue[Any] = SimpleQueue()
        futures: dict[Any, Task] = {}
        try:
            for n, task in enumerate(tasks):
                future = client.submit(judge, common, task, pure=False, priority=-n)
                futures[future] = task
                future.add_done_callback(ended.put)
            while futures:
                try:
                    future = ended.get(timeout=1.0)
                except Empty:
                    self._wait_for_workers(client, _BACK)
                    continue
                yield futures.pop(future), self._taken(distributed, future)
        finally:
            with suppress(Exception):
                client.cancel([*futures, common], force=True)

    def _taken(self, distributed: Any, future: Any) -> Result:
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
        assert isinstance(result, Result)
        return result


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
