"""Processes on this machine: a pool of them for tasks, and a room in which each has seats of its own for what is learnt."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from typing import Any

from projections.cluster.hearing import Range, asked, sit
from projections.cluster.tasks import Order


class Pool(ProcessPoolExecutor):
    """Processes that know nothing of ours but what they are sent, and that end with us, however we end. ``begin`` is what
    each does first."""

    def __init__(self, workers: int, begin: Callable[[], None] | None = None) -> None:
        super().__init__(workers, get_context("spawn"), _settle, (os.getpid(), begin))

    def __exit__(self, kind: Any, value: Any, trace: Any) -> bool | None:
        if kind is not None:
            processes: dict[int, BaseProcess] = dict(self._processes or {})
            self.shutdown(wait=False, cancel_futures=True)
            for one in processes.values():
                one.terminate()
        return super().__exit__(kind, value, trace)


def _settle(parent: int, begin: Callable[[], None] | None) -> None:
    """Ctrl-C is for the one who asked; a worker whose parent is gone goes as well."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if begin is not None:
        begin()


class Room(ExitStack):
    """Processes with one seat or more each, for as long as the block lasts. A range stays with its process, which keeps in
    memory what it heard; one that is killed is followed by another in the same seats. ``died`` is told of it, and raises
    when it has been told too often."""

    def __init__(
        self, workers: int, order: Order, ranges: Sequence[Range], died: Callable[[int], None]
    ) -> None:
        super().__init__()
        self._order, self._died = order, died
        self._seated = _shared_out(ranges, workers)
        self._pools: dict[int, Pool] = {}

    def ask(self, what: str, *given: Any) -> Iterator[Any]:
        """The answer of every seat, in any order (``lessons.Ask``)."""
        left = {one.first: n for n, some in enumerate(self._seated) for one in some}
        under_way: dict[Future[Any], int] = {}
        while left:
            try:
                waiting = set(under_way.values())
                for first, n in left.items():
                    if first not in waiting:
                        under_way[self._pool(n).submit(asked, first, what, given)] = first
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    found = future.result()
                    del left[under_way.pop(future)]
                    yield found
            except BrokenProcessPool:
                self._clear(len(left))
                under_way = {one: first for one, first in under_way.items() if not _lost(one)}

    def _pool(self, n: int) -> Pool:
        if n not in self._pools:
            self._pools[n] = self.enter_context(Pool(1, partial(sit, self._order, self._seated[n])))
        return self._pools[n]

    def _clear(self, left: int) -> None:
        """Let others come where processes were killed."""
        for n, pool in list(self._pools.items()):
            if pool._broken:
                del self._pools[n]
                self._died(left)


def _lost(future: Future[Any]) -> bool:
    """Whether the process that was asked is gone."""
    return future.done() and isinstance(future.exception(), BrokenProcessPool)


def _shared_out(ranges: Sequence[Range], workers: int) -> list[list[Range]]:
    """Each range to the one who has the fewest rows by then, the largest first."""
    found: list[list[Range]] = [[] for _ in range(min(workers, len(ranges)))]
    for one in sorted(ranges, key=lambda one: -one.rows):
        min(found, key=lambda some: sum(other.rows for other in some)).append(one)
    return [some for some in found if some]
