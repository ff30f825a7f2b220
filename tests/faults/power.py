"""A simulated power cut.

Promise: whatever was acknowledged before the power went is there when it comes back, the ledger verifies, and the
next append works; under the journal mode that this SQLite gets, and under a write-ahead log. The making of the
ledger and of its key is part of it: a ledger that was reported as made is one.

Model: strace records every file operation of a child that makes a ledger and appends to it. The record is played
up to a random point and the disk is left as ``disk`` says: the synced is there, of the rest each write is dropped,
kept or torn. Then the ledger is opened and examined in this process.

Control: the same with ``synchronous=NORMAL``. It must lose acknowledged entries; where it loses none, the campaign
is blind, and that is reported as broken. It is told how many of the losses the checkpoints gave away.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.faults import core, trace
from tests.faults.disk import Disk, Op
from tests.faults.figures import Figure, taking_time
from tests.faults.ground import Ack, Ground, acknowledgments, examine, ground

REDUCED, FULL = 300, 10_000
_APPENDS = 14
_CUTS_A_TRACE = 1_000
_LEAST = 60  # cuts of a control: with fewer, none of them might hit the right moment
_MODES: tuple[tuple[str, str | None, str | None, bool], ...] = (
    ("as this SQLite commits", None, None, False),
    ("write-ahead log, FULL", "wal", "full", False),
    ("control: rollback journal, NORMAL", "delete", "normal", True),
    ("control: write-ahead log, NORMAL", "wal", "normal", True),
)


def run(parent: Path, seed: int, count: int) -> list[Figure]:
    """``count`` cuts as this SQLite commits; fewer of the other modes."""
    unable = trace.missing()
    if unable:
        return [Figure("power", "all", skipped=unable)]
    figures = []
    counts = [count, max(count * 2 // 5, 1), *[max(count // 20, _LEAST)] * 2]
    for (what, journal, synchronous, control), cuts in zip(_MODES, counts, strict=True):
        figure = Figure("power", what, expected=control)
        with (
            ground(parent, "power", memory=True) as here,
            taking_time(figure),
            core.forced(journal, synchronous),
        ):
            _cuts(here, figure, Random(f"power-{what}-{seed}"), cuts, (journal, synchronous))
        figures.append(figure)
    return figures


def _cuts(
    here: Ground, figure: Figure, chance: Random, cuts: int, mode: tuple[str | None, str | None]
) -> None:
    losses = noticed = 0
    while figure.trials < cuts:
        ops = _recorded(here, chance.randrange(1 << 30), mode)
        some = min(cuts - figure.trials, _CUTS_A_TRACE)
        made = next(at for at, op in enumerate(ops) if op.kind == "said" and op.data.startswith(b"made"))
        points = sorted(chance.randrange(made + 1, len(ops) + 1) for _ in range(some))
        for lost, seen in _play(here, figure, chance, ops, points):
            losses += lost
            noticed += lost and seen
    if losses:
        figure.notes.append(f"{losses:,} cuts lost something; the checkpoints gave away {noticed:,} of them")


def _recorded(here: Ground, seed: int, mode: tuple[str | None, str | None]) -> list[Op]:
    """The operations of a child that makes a ledger and appends to it."""
    for path in here.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    here.data.mkdir()
    forced = ["--journal", mode[0], "--synchronous", mode[1]] if mode[0] and mode[1] else []
    child = [sys.executable, "-m", "tests.faults.writers", str(here.db), "--create"]
    child += ["--seed", str(seed), "--appends", str(_APPENDS), *forced]
    log = here.folder.with_name(f"{here.folder.name}.strace")
    try:
        ops = trace.record(child, here.folder, log, here.environ())
    finally:
        log.unlink(missing_ok=True)
    said = b"".join(op.data for op in ops if op.kind == "said").decode()
    if "error" in said or not acknowledgments(said.splitlines(keepends=True)):
        raise RuntimeError(f"the recorded child failed: {said[-500:]}")
    return ops


def _play(
    here: Ground, figure: Figure, chance: Random, ops: Sequence[Op], points: Sequence[int]
) -> Iterator[tuple[bool, bool]]:
    """Cut at each point, in one pass through the operations: whether something was lost, and noticed."""
    disk, said, at = Disk(str(here.folder), [str(here.data)]), b"", 0
    for point in points:
        for op in ops[at:point]:
            disk.feed(op)
            said += op.data if op.kind == "said" else b""
        at = point
        known = acknowledgments(said.decode().splitlines(keepends=True))
        _lay_down(here.folder, disk.cut(chance))
        yield _examine(here, figure, known, point)


def _lay_down(root: Path, left: dict[str, bytes | None]) -> None:
    """Make the folder hold what the cut left, and nothing else."""
    for path in sorted(root.rglob("*"), reverse=True):
        if left.get(str(path), b"") is None:
            continue
        path.rmdir() if path.is_dir() else path.unlink()
    for name, content in left.items():
        if content is None:
            Path(name).mkdir(exist_ok=True)
        else:
            Path(name).write_bytes(content)


def _examine(here: Ground, figure: Figure, known: Sequence[Ack], point: int) -> tuple[bool, bool]:
    """Whether something acknowledged is lost, and whether that was noticed."""
    figure.trials += 1
    figure.acknowledged += len(known)
    found = examine(here.db, known, append=f"cut-{point}")
    figure.lost += len(found.lost)
    seen = bool(found.refusal or found.append)
    if not figure.expected:
        if found.refusal:
            figure.fault(f"cut after operation {point}: does not verify: {found.refusal}")
        if found.append:
            figure.fault(f"cut after operation {point}: the next append: {found.append}")
    return bool(found.lost), seen
