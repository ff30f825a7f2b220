"""Single bits that turn round: in the database, in a write-ahead log that was not merged, in the checkpoints.

Promise: where one bit of a file is another than was written, either ``claims verify`` says so, or nothing that can
be read from the ledger has changed.

Model: one random bit of the file is flipped, the ledger is verified and the bit put back. ``Undetected`` counts
flips after which verification succeeds although the content differs: any row of any table, or the answer to any
lookup (``core.content``). A flip in bytes that SQLite does not use changes no content; such are counted as
harmless. In the file of checkpoints every byte is content. The log is left behind by a writer that was killed in
WAL mode; its index in shared memory is removed, as it is after a restart.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

from ledger.book import Ledger
from ledger.errors import LedgerError
from tests.faults import core
from tests.faults.figures import Figure, shares, taking_time
from tests.faults.ground import Ground, batches, ground, reap

REDUCED, FULL = 160, 1_600
_SHARES = (1_000, 300, 300)
_APPENDS = 40
_ATTEMPTS = 50  # to kill the writer when all that it committed is acknowledged
_WAL = ("wal", "full")


def run(parent: Path, seed: int, count: int) -> list[Figure]:
    """``count`` flips in all; of sixteen, ten in the database and three in each of the others."""
    database, log, checkpoints = shares(count, _SHARES)
    figures = []
    with ground(parent, "flips", memory=True) as here:
        here.fresh()
        with Ledger.open(here.db) as ledger:
            for drafts, _ in zip(batches("flipped", Random(seed)), range(_APPENDS), strict=False):
                ledger.append(drafts)
        figures.append(_flips(here, "the database", here.db, Random(f"flips-database-{seed}"), database))
        beside = core.checkpoints(here.db)
        if beside.exists():
            figures.append(
                _flips(here, "the checkpoints", beside, Random(f"flips-notes-{seed}"), checkpoints)
            )
    with ground(parent, "flips-wal", memory=True) as here, core.forced(*_WAL):
        for attempt in range(_ATTEMPTS):
            here.fresh()
            _leave_a_log(here, seed + attempt)
            if _all_acknowledged(here):
                break
        left = here.db.with_name(f"{here.db.name}-wal")
        figures.append(_flips(here, "an unmerged log", left, Random(f"flips-wal-{seed}"), log))
    return figures


def _leave_a_log(here: Ground, seed: int) -> None:
    """Let a writer append, and kill it: what closing would have merged stays in the log."""
    child = [sys.executable, "-m", "tests.faults.writers", str(here.db), "--seed", str(seed)]
    child += ["--journal", _WAL[0], "--synchronous", _WAL[1]]
    writer = subprocess.Popen(child, stdout=subprocess.PIPE, text=True, env=here.environ())
    try:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(_APPENDS)]
    finally:
        reap([writer])
    if not said[-1].startswith("ack"):
        raise RuntimeError(f"the writer failed: {said[-1]}")


def _all_acknowledged(here: Ground) -> bool:
    """Whether the writer did not die between a commit and its checkpoint: what nobody vouched for may be lost."""
    with Ledger.open(here.db, readonly=True) as ledger:
        return ledger.store.head().size == core.covered(here.db)


def _flips(here: Ground, what: str, target: Path, chance: Random, count: int) -> Figure:
    figure = Figure("flips", what, trials=count)
    with taking_time(figure):
        before = _files(here)
        _put_back(here, before)
        core.verify(here.db)
        content = core.content(here.db)
        with Ledger.open(here.db, readonly=True) as ledger:
            figure.acknowledged = ledger.store.head().size
        of_content = _differs(here, content) if target != core.checkpoints(here.db) else lambda: True
        harmless = 0
        for _ in range(count):
            at, bit = chance.randrange(len(before[target.name])), chance.randrange(8)
            _put_back(here, before)
            _flip(target, at, bit)
            seen = _verified(here)
            if seen is not None:
                continue
            if of_content():
                figure.undetected += 1
                figure.fault(f"bit {bit} of byte {at} of {target.name}: verify is content")
            else:
                harmless += 1
        _put_back(here, before)
        figure.notes.append(f"{harmless:,} flips were harmless: they changed nothing that can be read")
    return figure


def _verified(here: Ground) -> str | None:
    """What verification says, None where it says that all is well."""
    try:
        core.verify(here.db)
    except LedgerError as error:
        return str(error)
    return None


def _differs(here: Ground, content: str) -> Callable[[], bool]:
    def differs() -> bool:
        try:
            return core.content(here.db) != content
        except Exception:  # what cannot be read any more has changed
            return True

    return differs


def _files(here: Ground) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in here.data.iterdir() if not path.name.endswith("-shm")}


def _put_back(here: Ground, files: dict[str, bytes]) -> None:
    """The files as they were, and no others."""
    for path in here.data.iterdir():
        path.unlink()
    for name, content in files.items():
        (here.data / name).write_bytes(content)


def _flip(target: Path, at: int, bit: int) -> None:
    with target.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ 1 << bit]))
