"""kill -9 during append, with 1, 2 and 4 writers.

Promise: whenever a process that appends is killed, every entry acknowledged to anybody is there afterwards, the
ledger verifies while the others go on, the next append works, and nobody is ever told that the ledger is locked.

Model: writers are processes that append one batch after the other and report each acknowledgment through a pipe;
they are killed one by one at random moments, the last of them like the first, and everything is checked after each
kill. A tenth of the kills hits the command line itself, of which two run at a time. A kill does not empty the page
cache: what it can show are broken locks, half written files and acknowledgments that came too early, but no
missing sync. That is what ``power`` is for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from random import Random

import orjson

from ledger.book import Ledger
from tests.faults.figures import Figure, shares, taking_time
from tests.faults.ground import Ack, Ground, acknowledgments, examine, ground, reap
from tests.faults.writers import forked

REDUCED, FULL = 24, 1_000
_LARGEST = 500  # events; then a fresh ledger, so that checking stays quick
_SHARES = {1: 30, 2: 30, 4: 30}
_BY_COMMAND = 10


def run(parent: Path, seed: int, count: int) -> list[Figure]:
    """``count`` kills in all."""
    figures = []
    parts = shares(count, [*_SHARES.values(), _BY_COMMAND])
    for writers, kills in zip(_SHARES, parts, strict=False):
        figure = Figure("kill", f"{writers} writer{'s' if writers > 1 else ''}")
        with ground(parent, f"kill-{writers}") as here, taking_time(figure):
            _writers(here, figure, Random(f"kill-{writers}-{seed}"), writers, kills)
        figures.append(figure)
    figure = Figure("kill", "2 runs of the command line")
    with ground(parent, "kill-cli") as here, taking_time(figure):
        _commands(here, figure, Random(f"kill-cli-{seed}"), parts[-1])
    return [*figures, figure]


class _Writer:
    """One forked writer, and what it has said so far."""

    def __init__(self, here: Ground, name: str, seed: int) -> None:
        self.id, self._channel = forked(here.db, name, seed)
        os.set_blocking(self._channel, False)
        self._said = b""

    def lines(self) -> list[str]:
        """Whatever was said until now, whole lines and perhaps a piece of one."""
        with suppress(BlockingIOError):
            while some := os.read(self._channel, 1 << 16):
                self._said += some
        return self._said.decode().splitlines(keepends=True)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while not self.lines() and time.monotonic() < deadline:
            time.sleep(0.001)

    def kill(self) -> None:
        os.kill(self.id, signal.SIGKILL)
        os.waitpid(self.id, 0)

    def close(self) -> None:
        os.close(self._channel)


def _writers(here: Ground, figure: Figure, chance: Random, writers: int, kills: int) -> None:
    here.fresh()
    known: set[Ack] = set()
    while figure.trials < kills:
        if _size(here.db) > _LARGEST:
            here.fresh()
            known.clear()
        alive: list[_Writer] = []
        try:
            for _ in range(writers):
                name = f"w{figure.trials}-{len(alive)}"
                alive.append(_Writer(here, name, chance.randrange(1 << 30)))
            for one in alive:
                one.wait_until_ready()
            while alive and figure.trials < kills:
                time.sleep(chance.uniform(0, 0.06))
                _kill_one(here, figure, chance, alive, known)
        finally:
            for one in alive:
                one.kill()
                one.close()


def _kill_one(here: Ground, figure: Figure, chance: Random, alive: list[_Writer], known: set[Ack]) -> None:
    victim = chance.choice(alive)
    victim.kill()
    alive.remove(victim)
    lines = victim.lines() + [line for one in alive for line in one.lines()]
    victim.close()
    figure.trials += 1
    before = len(known)
    known.update(acknowledgments(lines))
    figure.acknowledged += len(known) - before
    for line in lines:
        if line.startswith("error"):
            figure.fault(f"kill {figure.trials}: a writer was told: {line.strip()}")
    _check(here, figure, known)


def _check(here: Ground, figure: Figure, known: set[Ack]) -> None:
    found = examine(here.db, known, append=f"after-{figure.trials}")
    figure.lost += len(found.lost)
    if found.refusal:
        figure.fault(f"kill {figure.trials}: does not verify: {found.refusal}")
    if found.append:
        figure.fault(f"kill {figure.trials}: the next append: {found.append}")


def _size(db: Path) -> int:
    with Ledger.open(db, readonly=True) as ledger:
        return ledger.store.head().size


def _commands(here: Ground, figure: Figure, chance: Random, kills: int) -> None:
    """Two appends by the command line at a time; the moments cover its start, its work and its end."""
    here.fresh()
    begun = time.monotonic()
    for child in [_start(here, key) for key in ("measured", "as well")]:
        child.communicate()
    whole = time.monotonic() - begun
    known: set[Ack] = set()
    while figure.trials < kills:
        keys = [f"cli-{figure.trials}-{which}" for which in "ab"]
        running = [_start(here, key) for key in keys]
        try:
            time.sleep(chance.uniform(0.4, 1.4) * whole)
            for child in running:
                child.kill()
            for child in running:
                said, errors = child.communicate()
                _listen(figure, known, said, errors)
                figure.trials += 1
        finally:
            reap(running)
        _check(here, figure, known)


def _append(key: str) -> list[str]:
    claim = ["append", "town", "RU", "--by", "ministry", "--said", "2025-11-20", "--quote", "held " * 200]
    return [*claim, "--key", key, "--json"]


def _start(here: Ground, key: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*here.command(*_append(key)), "--db", str(here.db)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=here.environ(),
    )


def _listen(figure: Figure, known: set[Ack], said: str, errors: str) -> None:
    """A receipt that was printed whole is an acknowledgment; half of one is none."""
    try:
        receipts = orjson.loads(said)["receipts"]
    except orjson.JSONDecodeError:
        receipts = []
    known.update((one["position"], one["entry"]) for one in receipts)
    figure.acknowledged += len(receipts)
    if errors.strip():
        figure.fault(f"kill {figure.trials}: the command said: {errors.strip().splitlines()[-1]}")
