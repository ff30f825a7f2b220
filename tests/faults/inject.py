"""An error or a kill at each file operation of one append.

Promise: whichever of its file operations fails with EIO or ENOSPC, or is the last that the process lives to see,
``claims append`` either records and says so, or says in one line why not and ends with a code of its own. Nothing
acknowledged is lost, the ledger verifies, and the next append works once the fault is gone.

Model: a first run counts the system calls that touch a file or folder of the ledger or of its keys. Then each of
them, one a run, is made to fail (alone, or with all later ones of its name) or to be met by SIGKILL, always on the
same ledger. The command runs in a forked child to which strace is attached, which spares it the start of Python.
"""

from __future__ import annotations

import ctypes
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from tests.faults.children import Command, Ended
from tests.faults.figures import Figure, taking_time
from tests.faults.ground import Ground, examine, ground
from tests.faults.trace import missing

REDUCED, FULL = 60, 1_000_000  # every one there is
# ruff: noqa: SIM905 — names of system calls read better as words
_READS = tuple("read pread64 fcntl newfstatat fstat stat lstat getdents64 close lseek access".split())
_WRITES = tuple(
    "open openat write pwrite64 writev pwritev fsync fdatasync ftruncate fallocate unlink unlinkat rename renameat "
    "renameat2 mkdir mkdirat fchown chmod fchmod link linkat".split()
)
_KEY = "injected"
_SET_TRACER = 0x59616D61  # PR_SET_PTRACER: whoever of this user may trace the child


def run(parent: Path, seed: int, count: int) -> list[Figure]:
    """At most ``count`` injections, drawn from all there are."""
    unable = missing()
    if unable:
        return [Figure("inject", "all", skipped=unable)]
    with ground(parent, "inject") as here:
        here.fresh()
        kept = here.folder / "kept"
        for name in ("data", "keys"):
            if (here.folder / name).exists():
                shutil.copytree(here.folder / name, kept / name)
        paths = _paths(here)
        calls = _calls(_run(here, [*_watching(paths, (*_READS, *_WRITES))])[1])
        faults = {
            "EIO": [(call, at, "error=EIO") for call, at in calls],
            "EIO from then on": [(call, at, "error=EIO+") for call, at in calls],
            "ENOSPC": [(call, at, "error=ENOSPC") for call, at in calls if call in _WRITES],
            "SIGKILL": [(call, at, "signal=SIGKILL") for call, at in calls],
        }
        share = min(1.0, count / sum(map(len, faults.values())))
        figures = []
        for what, each in faults.items():
            figure = Figure("inject", f"{what} at each of {len(each)} file operations")
            some = Random(f"inject-{what}-{seed}").sample(each, max(1, round(share * len(each))))
            with taking_time(figure):
                for call, at, fault in sorted(some):
                    _one(here, figure, paths, call, at, fault)
            figures.append(figure)
    return figures


def _one(here: Ground, figure: Figure, paths: Sequence[str], call: str, at: int, fault: str) -> None:
    when = (
        f"{at}+" if fault.endswith("+") else str(at)
    )  # strace's way to say: and every later one of this name
    injected = f"inject={call}:{fault.removesuffix('+')}:when={when}"
    ended, log = _run(here, [*_watching(paths, (call,)), "-e", injected])
    what, known = f"{fault} at {call} {at}", ended.receipts()
    figure.trials += 1
    figure.acknowledged += len(known)
    if not ended.killed and "(INJECTED)" not in log:
        figure.fault(f"{what}: nothing was injected")
    if ended.rudeness():
        figure.fault(f"{what}: {ended.rudeness()}")
    elif not ended.killed and (ended.code == 0) != bool(known):
        figure.fault(f"{what}: exit {ended.code} with {len(known)} receipts")
    found = examine(here.db, known, append="afterwards")
    figure.lost += len(found.lost)
    if found.refusal:
        figure.fault(f"{what}: does not verify: {found.refusal}")
    if found.append:
        figure.fault(f"{what}: the next append: {found.append}")


def _restore(here: Ground) -> None:
    """The same ledger again, under the same names."""
    kept = here.folder / "kept"
    for name in ("data", "keys"):
        shutil.rmtree(here.folder / name, ignore_errors=True)
        if (kept / name).exists():
            shutil.copytree(kept / name, here.folder / name)


def _watching(paths: Sequence[str], calls: Sequence[str]) -> Iterator[str]:
    for path in paths:
        yield from ("-P", path)
    yield from ("-e", f"trace={','.join(calls)}")


def _paths(here: Ground) -> list[str]:
    """Every file and folder of the ledger and its keys that one append touches."""
    _, log = _run(here, ["-y", "-e", f"trace={','.join((*_READS, *_WRITES))}"])
    found = set()
    for name in ("data", "keys"):
        found |= set(re.findall(re.escape(str(here.folder / name)) + r'[^>"]*', log))
    return sorted(path.removesuffix(" (deleted)") for path in found)


def _calls(log: str) -> list[tuple[str, int]]:
    """Each system call of a run as its name and its number among those of this name."""
    counted: Counter[str] = Counter(re.findall(r"^\d+ +(\w+)\(", log, re.MULTILINE))
    return [(call, at) for call in sorted(counted) for at in range(1, counted[call] + 1)]


def _run(here: Ground, options: Sequence[str]) -> tuple[Ended, str]:
    """``claims append`` in a child, watched by strace with these options: its end, and strace's log."""
    _restore(here)
    log = here.folder / "log"
    claim = ["append", "town", "RU", "--by", "ministry", "--said", "2025-11-20", "--quote", "held " * 300]
    child = Command(here, *claim, "--key", _KEY, "--json", "--db", here.db, before=_may_be_traced)
    strace = subprocess.Popen(["strace", "-f", "-qq", "-o", str(log), *options, "-p", str(child.id)])
    try:
        while f"TracerPid:\t{strace.pid}" not in Path(f"/proc/{child.id}/status").read_text():
            if strace.poll() is not None:
                raise RuntimeError("strace could not attach itself")
            time.sleep(0.001)
    finally:
        ended = child.go().wait()
        strace.wait()
    return ended, log.read_text()


def _may_be_traced() -> None:
    """Some systems let only parents trace, unless the child says otherwise."""
    ctypes.CDLL(None).prctl(_SET_TRACER, ctypes.c_ulong(2**64 - 1), 0, 0, 0)
