"""A Dask scheduler and its workers for tests: processes of our own on this machine, gone when the block ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

#: Seconds after which a worker without its scheduler goes, and a scheduler that nobody asks anything.
_LEFT_ALONE = 30
_IDLE = 300


@dataclass
class Scheduler:
    """A running scheduler. ``folder`` is for what its workers write."""

    address: str
    folder: Path
    processes: list[subprocess.Popen[Any]] = field(default_factory=list)

    def worker(self) -> subprocess.Popen[Any]:
        """One more worker. It keeps no logic files of anybody's."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMS_")}
        env |= {"CLAIMS_KERNEL": "plain", "CLAIMS_LOGICS": str(self.folder / "none")}
        options = ("--nthreads", "1", "--no-nanny", "--death-timeout", str(_LEFT_ALONE))
        started = _started("worker", self.address, *options, "--local-directory", str(self.folder), env=env)
        self.processes.append(started)
        return started

    def worker_address(self) -> str:
        """Where one of the workers that are there listens itself."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            return str(next(iter(client.scheduler_info()["workers"])))


@contextmanager
def running(folder: Path, workers: int = 0) -> Iterator[Scheduler]:
    """A scheduler for the block, with some workers on their way."""
    file = folder / "scheduler.json"
    options = ("--host", "127.0.0.1", "--port", "0", "--idle-timeout", str(_IDLE))
    own = _started("scheduler", *options, "--scheduler-file", str(file))
    scheduler = Scheduler("", folder, [own])
    try:
        until = time.monotonic() + 60
        while not scheduler.address:
            assert own.poll() is None and time.monotonic() < until, "no scheduler could be started"
            time.sleep(0.05)
            try:
                scheduler.address = json.loads(file.read_text())["address"]
            except (FileNotFoundError, json.JSONDecodeError):
                continue
        for _ in range(workers):
            scheduler.worker()
        yield scheduler
    finally:
        for one in scheduler.processes:
            one.kill()
        for one in scheduler.processes:
            one.wait()


def _started(what: str, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen[Any]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options, "--no-dashboard"]
    return subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
