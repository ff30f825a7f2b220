"""kill -9 of the PostgreSQL server under a ledger that is appended to.

Promise: whenever the server's processes are killed, every entry acknowledged to the writer is there when it has come back,
with the same bytes; the ledger verifies; the writer goes on by doing the same again, and nothing is recorded twice.

Model: one writer appends one batch after the other and notes each receipt. At random moments either the process that
serves it is killed, from which the server recovers by itself, or the server's first process with all the others, which
is then started anew. The server is one of our own (``tests.servers``); a kill leaves the page cache, so that a missing
sync is not shown.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path
from random import Random
from unittest import mock

import psutil

from ledger.book import Draft, Ledger
from ledger.codec import decode
from ledger.errors import LedgerError
from ledger.integrity.verifying import verify
from ledger.places import location
from tests.faults.figures import Figure, taking_time
from tests.faults.ground import batches, ground, opening
from tests.servers import VARIABLE, Server, running

REDUCED, FULL = 8, 200
_PATIENCE = 60.0  # seconds


def run(parent: Path, seed: int, count: int) -> list[Figure]:
    """``count`` kills in all."""
    figure = Figure("server", "one writer, its process or the whole server killed")
    with (
        mock.patch.dict(os.environ),
        ground(parent, "server") as here,
        taking_time(figure),
    ):
        os.environ.pop(VARIABLE, None)
        os.environ["XDG_DATA_HOME"] = str(here.db.parent)
        with running() as server:
            _campaign(server, figure, Random(f"server-{seed}"), count)
    return [figure]


class _Writer(threading.Thread):
    """Appends until it is told to stop, and does each batch again until it is acknowledged."""

    def __init__(self, url: str, chance: Random) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.chance = chance
        self.known: dict[int, str] = {}  # position → entry, of what was acknowledged
        self.stop = threading.Event()
        self.broken: list[str] = []
        self.failures = 0

    def run(self) -> None:
        try:
            with Ledger.open(self.url) as ledger:
                for drafts in batches("w", self.chance):
                    if not self._recorded(ledger, drafts):
                        return
        except BaseException as error:
            self.broken.append(f"{type(error).__name__}: {error}")

    def _recorded(self, ledger: Ledger, drafts: list[Draft]) -> bool:
        while not self.stop.is_set():
            try:
                receipts = ledger.append(drafts)
            except LedgerError as error:
                if "\n" in str(error) or type(error).__name__ not in ("WriteFailed", "LedgerError"):
                    self.broken.append(f"{type(error).__name__}: {error}")
                self.failures += 1
                time.sleep(0.02)
                continue
            self.known.update((one.position, one.entry) for one in receipts if one.position is not None)
            return True
        return False


def _campaign(server: Server, figure: Figure, chance: Random, kills: int) -> None:
    url = server.schema()
    with Ledger.create(url, ledger="faults") as ledger:
        ledger.append(opening())
    writer = _Writer(url, chance)
    writer.start()
    try:
        while figure.trials < kills and not writer.broken:
            seen = len(writer.known)
            _wait(lambda seen=seen: len(writer.known) > seen, "the writer does not go on")  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.08))
            figure.trials += 1
            before = dict(writer.known)
            if chance.random() < 0.5:
                _kill_backend(server)
            else:
                _kill_all(server)
            _check(url, figure, before)
    finally:
        writer.stop.set()
        writer.join(_PATIENCE)
    figure.acknowledged = len(writer.known)
    figure.notes.append(f"{writer.failures:,} appends were told that they failed, and done again")
    for story in writer.broken:
        figure.fault(f"the writer was told: {story}")
    _check(url, figure, writer.known)
    with Ledger.open(url, readonly=True) as ledger:
        for check in verify(ledger, location(url), deep=True):
            if check.ok is False:
                figure.fault(f"does not verify: {check.name}: {check.detail}")
        streams = [row.stream for row in ledger.store.rows()]
        if len(streams) != len(set(streams)):
            figure.fault("something was recorded twice")


def _kill_backend(server: Server) -> None:
    """The process that serves the writer; the first process then ends the others and recovers."""
    first = psutil.Process(server.own.get_postmaster_info().pid)
    serving = [one for one in first.children() if "postgres: postgres" in " ".join(one.cmdline())]
    for one in serving[:1]:
        with suppress(psutil.Error):
            os.kill(one.pid, signal.SIGKILL)


def _kill_all(server: Server) -> None:
    first = psutil.Process(server.own.get_postmaster_info().pid)
    others = first.children(recursive=True)
    for one in (first, *others):
        with suppress(psutil.Error, ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
    psutil.wait_procs(others, timeout=10)

    def started() -> bool:
        try:
            server.own.ensure_postgres_running()
            return True
        except (subprocess.SubprocessError, AssertionError):
            return False

    _wait(started, "the server does not start again")


def _check(url: str, figure: Figure, known: dict[int, str]) -> None:
    """Every acknowledged entry is where it was said to be."""

    def there() -> bool:
        try:
            with Ledger.open(url, readonly=True) as ledger:
                found = {row.position: decode(row).entry for row in ledger.store.rows()}
        except LedgerError:
            return False  # it is recovering
        figure.lost += sum(found.get(at) != entry for at, entry in known.items())
        return True

    _wait(there, "the ledger cannot be read")


def _wait(done: object, what: str) -> None:
    assert callable(done)
    deadline = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError(what)
        time.sleep(0.01)
