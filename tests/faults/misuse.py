"""What people and clocks do to a ledger: a cut tail, an old backup, a clock set back, a folder to read only.

Promises: a database that lost its tail, or was replaced by an older copy of itself, alone or together with its
checkpoints, does not verify, and nothing can be appended to an older one; neither can to a copy that went another way. With a
clock a day back, order stays that of the positions and ``recorded`` does not go back. In a folder that cannot be
written, reading and verifying work, and an append says in one line why it does not.

Model: each trial does it to a ledger of random length, and puts everything back. The older database with its older
checkpoints is as whole as it ever was; only the last checkpoint kept in the folder of keys can tell.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from ledger.book import Ledger
from ledger.errors import LedgerError
from tests.faults import core
from tests.faults.children import said_by
from tests.faults.figures import Figure, taking_time
from tests.faults.ground import Ground, batches, claim, ground

REDUCED, FULL = 60, 600
_CAPABILITY_VERSION, _DAC_OVERRIDE, _DAC_READ_SEARCH = 0x20080522, 1 << 1, 1 << 2  # linux/capability.h
_NOW = datetime(2025, 12, 16, 12, tzinfo=UTC)


def run(parent: Path, seed: int, count: int) -> list[Figure]:
    """``count`` trials in all."""
    cases: dict[str, Callable[[Ground, Figure, Random], None]] = {
        "the database cut at its tail": _cut_tail,
        "an old database put back": _old_database,
        "an old database with its checkpoints put back": _old_pair,
        "a copy that went another way": _another_way,
        "a clock a day back": _clock_back,
        "a folder to read only": _read_only,
    }
    figures = []
    for what, case in cases.items():
        figure = Figure("misuse", what)
        with ground(parent, "misuse", memory=True) as here, taking_time(figure):
            chance = Random(f"misuse-{what}-{seed}")
            for number in range(max(1, count // len(cases))):
                if number % 20 == 0:
                    here.fresh()
                figure.trials += 1
                case(here, figure, chance)
        figures.append(figure)
    return figures


def _appended(here: Ground, figure: Figure, chance: Random, most: int = 6) -> None:
    """Some more appends, one at least."""
    with Ledger.open(here.db) as ledger:
        stream = batches(f"n{chance.randrange(1 << 40)}", chance)
        for drafts, _ in zip(stream, range(chance.randint(1, most)), strict=False):
            figure.acknowledged += len(ledger.append(drafts))


def _must_be_seen(here: Ground, figure: Figure, what: str) -> None:
    """It does not verify, and nothing can be appended to it; both in one line, with exit code 6."""
    for command in (["verify", "--db", here.db], _claim(here, f"behind-{figure.trials}")):
        ended = said_by(here, *command)
        if ended.code == 0:
            figure.undetected += 1
            figure.fault(f"{what}: `claims {command[0]}` found nothing")
        elif ended.code != 6 or ended.rudeness():
            figure.fault(f"{what}: `claims {command[0]}` ended with {ended.code}: {ended.err!r}")


def _claim(here: Ground, key: str) -> list[object]:
    fields = ["append", "town", "RU", "--by", "ministry", "--said", "2025-11-20", "--key", key]
    return [*fields, "--json", "--db", here.db]


def _kept(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _put(files: dict[Path, bytes], folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()
    for path, content in files.items():
        path.write_bytes(content)


def _cut_tail(here: Ground, figure: Figure, chance: Random) -> None:
    """Where the cut took only what an append does not look at, it may go through; it must not hide the damage."""
    _appended(here, figure, chance)
    files, keys = _kept(here.data), _kept(here.keys)
    whole = len(files[here.db])
    length = chance.choice((whole - chance.randrange(1, 4_096), whole - 4_096, chance.randrange(whole)))
    os.truncate(here.db, length)
    for command in (
        ["verify", "--db", here.db],
        _claim(here, f"cut-{figure.trials}"),
        ["verify", "--db", here.db],
    ):
        ended = said_by(here, *command)
        if command[0] == "verify" and ended.code not in (1, 6):  # 1: it is no ledger any more
            figure.undetected += 1
            figure.fault(f"cut from {whole} to {length} bytes: `claims verify` ended with {ended.code}")
        if ended.rudeness():
            figure.fault(f"cut from {whole} to {length} bytes: `claims {command[0]}`: {ended.rudeness()}")
    _put(files, here.data)
    _put(keys, here.keys)


def _old_database(here: Ground, figure: Figure, chance: Random) -> None:
    old = here.db.read_bytes()
    _appended(here, figure, chance)
    files = _kept(here.data)
    here.db.write_bytes(old)
    _must_be_seen(here, figure, "an old database")
    _put(files, here.data)


def _old_pair(here: Ground, figure: Figure, chance: Random) -> None:
    old = _kept(here.data)
    _appended(here, figure, chance)
    files = _kept(here.data)
    _put(old, here.data)
    _must_be_seen(here, figure, "an old database with its checkpoints")
    _put(files, here.data)


def _another_way(here: Ground, figure: Figure, chance: Random) -> None:
    """Two histories from one backup, of the same length or not; one's database beside the other's checkpoints."""
    old, keys = _kept(here.data), _kept(here.keys)
    _appended(here, figure, chance)
    other = here.db.read_bytes()
    _put(old, here.data)
    _put(keys, here.keys)
    _appended(here, figure, chance)
    files = _kept(here.data)
    here.db.write_bytes(other)
    _must_be_seen(here, figure, "a database that went another way")
    _put(files, here.data)


def _clock_back(here: Ground, figure: Figure, chance: Random) -> None:
    clock = _NOW + timedelta(days=figure.trials)
    with Ledger.open(here.db, clock=lambda: clock) as ledger:
        first = ledger.store.head().size
        for number in range(chance.randint(2, 8)):
            ledger.append([claim(f"clock-{figure.trials}-{number}", chance)])
            figure.acknowledged += 1
            clock += timedelta(seconds=1) if chance.random() < 0.5 else -timedelta(days=1)
        seen = [(one.position, one.recorded) for one in ledger.events()]
    if seen != sorted(seen) or len(seen) <= first:
        figure.fault("`recorded` does not follow the positions")
    try:
        core.verify(here.db)
    except LedgerError as error:
        figure.fault(f"does not verify: {error}")


def _read_only(here: Ground, figure: Figure, chance: Random) -> None:
    _appended(here, figure, chance)
    here.data.chmod(0o555)
    try:
        for reading in (["log"], ["verify"]):
            ended = said_by(here, *reading, "--db", here.db, before=_bow_to_rights)
            if ended.code:
                figure.fault(f"{reading[0]} in a folder to read only: exit {ended.code}, {ended.err!r}")
        ended = said_by(here, *_claim(here, f"read-only-{figure.trials}"), before=_bow_to_rights)
        if not ended.code or ended.rudeness():
            figure.fault(f"append in a folder to read only: exit {ended.code}, {ended.err!r}")
    finally:
        here.data.chmod(0o755)


def _bow_to_rights() -> None:
    """Give up what lets root write everywhere, and nothing else: what Python still has to import stays readable."""
    header, found = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0), (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None)
    libc.capget(header, found)
    found[0] &= ~(_DAC_OVERRIDE | _DAC_READ_SEARCH)
    if libc.capset(header, found):
        raise OSError("the rights of root could not be given up")
