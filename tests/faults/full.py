"""A full disk, for the database and for the file of checkpoints by itself.

Promise: an append that does not fit says so in one line; nothing acknowledged is lost, the ledger can still be read
and verifies; what is acknowledged as already recorded is covered by a checkpoint too; and once there is room again,
the same append goes through.

Model: a small tmpfs, filled up to a random remainder, takes either the whole folder of the ledger or, mounted over
that one file, only its checkpoints. A writer appends until it is refused, then the command line tries. Mounting
needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random

from ledger.book import Draft, Ledger
from ledger.errors import LedgerError
from tests.faults import core
from tests.faults.children import said_by
from tests.faults.figures import Figure, taking_time
from tests.faults.ground import Ack, Ground, batches, examine, ground

REDUCED, FULL = 8, 60
_ROOM = 400_000  # bytes that are left at most, for the folder; for the checkpoints a hundredth
_MOST = 400  # appends until which the disk must be full


def run(parent: Path, seed: int, count: int) -> list[Figure]:
    """``count`` full disks, half of them of each kind."""
    unable = _missing(parent)
    if unable:
        return [Figure("full", "all", skipped=unable)]
    figures = []
    for what, of_folder in (("the folder", True), ("the checkpoints alone", False)):
        figure = Figure("full", what)
        with ground(parent, "full") as here, taking_time(figure):
            here.fresh()
            if not of_folder and not core.checkpoints(here.db).exists():
                continue
            with _small_disk(here, of_folder, 8 + count) as disk:
                chance = Random(f"full-{what}-{seed}")
                while figure.trials < max(1, count // 2):
                    _fill(here, figure, chance, disk, _ROOM if of_folder else _ROOM // 100)
        figures.append(figure)
    return figures


def _missing(parent: Path) -> str | None:
    """Why no disk can be mounted here, None where it can."""
    if os.geteuid() != 0:
        return "only root may mount a small disk"
    if shutil.which("mount") is None:
        return "there is no `mount` here"
    tried = parent / "mounted"
    tried.mkdir()
    try:
        _mount(["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tried)])
    except RuntimeError as error:
        return f"mounting is not permitted here ({error})"
    _unmount(tried)
    return None


def _mount(arguments: list[str]) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


def _unmount(path: Path) -> None:
    subprocess.run(["umount", "-l", str(path)], check=True, capture_output=True)


@contextmanager
def _small_disk(here: Ground, of_folder: bool, megabytes: int) -> Iterator[Path]:
    """A disk of its own below the ledger's folder, or below the file of checkpoints; where to put a filler."""
    disk = here.data if of_folder else here.folder / "disk"
    kept = here.folder / "kept"
    shutil.copytree(here.data, kept)
    disk.mkdir(exist_ok=True)
    _mount(["-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(disk)])
    mounted = [disk]
    try:
        if of_folder:
            shutil.copytree(kept, disk, dirs_exist_ok=True)
        else:
            beside = core.checkpoints(here.db)
            shutil.copyfile(beside, disk / beside.name)
            _mount(["--bind", str(disk / beside.name), str(beside)])
            mounted.append(beside)
        yield disk
    finally:
        for path in reversed(mounted):
            _unmount(path)


def _fill(here: Ground, figure: Figure, chance: Random, disk: Path, room: int) -> None:
    """One full disk: appends until it is full, then again when there is room."""
    filler, known = disk / "filler", []
    left = os.statvfs(disk)
    free = left.f_bavail * left.f_frsize
    if free < 2 * room:
        raise RuntimeError("the small disk is used up: fewer trials, or a larger disk")
    filler.write_bytes(bytes(free - chance.randrange(room)))
    figure.trials += 1
    stream = batches(f"full-{figure.trials}", chance)
    refused = _until_refused(here, figure, stream, known)
    if refused is None:
        figure.fault(f"disk {figure.trials}: it was never full")
    else:
        _again(here, figure, refused, known)
    claim = ["append", "town", "RU", "--by", "ministry", "--said", "2025-11-20", "--quote", "held " * 4_000]
    command = [*claim, "--key", f"typed-{figure.trials}", "--json", "--db", here.db]
    ended = said_by(here, *command)
    known += ended.receipts()
    if ended.rudeness():
        figure.fault(f"disk {figure.trials}: {ended.rudeness()}")
    _look(here, figure, known, None)
    filler.unlink()
    _look(here, figure, known, f"room-{figure.trials}")
    ended = said_by(here, *command)
    if ended.code:
        figure.fault(f"disk {figure.trials}: with room again: {ended.err!r}")
    _look(here, figure, known + ended.receipts(), None)
    figure.acknowledged += len(known)


def _until_refused(
    here: Ground, figure: Figure, stream: Iterator[list[Draft]], known: list[Ack]
) -> list[Draft] | None:
    """The drafts that did not fit any more; None where all did."""
    with Ledger.open(here.db) as ledger:
        for drafts in islice(stream, _MOST):
            try:
                known += [(one.position or 0, one.entry) for one in ledger.append(drafts)]
            except LedgerError as error:
                if error.exit_code != 1:
                    figure.fault(f"disk {figure.trials}: {type(error).__name__}: {error}")
                return drafts
    return None


def _again(here: Ground, figure: Figure, drafts: list[Draft], known: list[Ack]) -> None:
    """The same append, while the disk is still full: what it acknowledges now must be sure as well."""
    try:
        with Ledger.open(here.db) as ledger:
            known += [(one.position or 0, one.entry) for one in ledger.append(drafts)]
    except LedgerError as error:
        if error.exit_code != 1:
            figure.fault(f"disk {figure.trials}: again: {type(error).__name__}: {error}")


def _look(here: Ground, figure: Figure, known: list[Ack], append: str | None) -> None:
    found = examine(here.db, known, append=append)
    figure.lost += len(found.lost)
    for what in (found.refusal, found.append):
        if what:
            figure.fault(f"disk {figure.trials}: {'with room again' if append else 'while full'}: {what}")
