"""The ground of a campaign: a folder, a ledger in it, entries to append, and what is checked afterwards."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from unittest import mock

from ledger.book import Draft, Ledger
from ledger.errors import LedgerError, NoLedger
from tests.faults import core

ROOT = Path(__file__).parents[2]
#: A folder in memory, for campaigns that write thousands of whole databases and need no disk below them.
_MEMORY = Path("/dev/shm")

Ack = tuple[int, str]
"""Position and id of an acknowledged entry. The id is a hash of its author's fields, so it names the content."""


@dataclass(slots=True)
class Ground:
    """A folder with ``data/`` for the ledger and ``keys/`` for what signs it."""

    folder: Path
    db: Path = field(init=False)

    def __post_init__(self) -> None:
        self.db = self.data / "book.db"
        self.data.mkdir(parents=True, exist_ok=True)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def keys(self) -> Path:
        return self.folder / "keys"

    @contextmanager
    def settings(self) -> Iterator[None]:
        """The environment of this ground, without the caller's settings."""
        with mock.patch.dict(os.environ, self.environ(), clear=True):
            yield

    def environ(self) -> dict[str, str]:
        """What the process and its children see."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMS_")}
        return kept | {
            "CLAIMS_KEYS": str(self.keys),
            "CLAIMS_LOGICS": str(self.folder / "logics"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "PYTHONPATH": str(ROOT),
            "PYTHONHASHSEED": "0",
        }

    def fresh(self, drafts: Sequence[Draft] | None = None, *, encrypted: bool = False) -> None:
        """An empty ground, and on it a ledger that knows one place, one party and one source, or these entries."""
        for folder in (self.data, self.keys):
            shutil.rmtree(folder, ignore_errors=True)
        self.data.mkdir(parents=True)
        core.create(self.db, encrypted=encrypted)
        with Ledger.open(self.db) as ledger:
            ledger.append(opening() if drafts is None else drafts)

    def claims(self, *argv: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end."""
        return subprocess.run(
            self.command(*argv),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            env=self.environ(),
        )

    @staticmethod
    def command(*argv: object) -> list[str]:
        return [sys.executable, "-m", "projections.cli", *map(str, argv)]


@contextmanager
def ground(parent: Path, name: str, *, memory: bool = False) -> Iterator[Ground]:
    """A ground of its own below ``parent`` (in memory where that is asked for and there), removed at the end."""
    where = parent / name
    if memory and os.access(_MEMORY, os.W_OK):
        where = _MEMORY / f"claims-faults-{os.getpid()}-{name}"
    made = Ground(where)
    try:
        with made.settings():
            yield made
    finally:
        shutil.rmtree(where, ignore_errors=True)


def opening() -> list[Draft]:
    """What a claim needs to stand on."""
    return [
        Draft.of("party-named", {"party": "RU", "name": "Russia"}),
        Draft.of("place-registered", {"place": "town", "names": ["Town"]}),
        Draft.of("source-registered", {"source": "ministry", "kind": "official"}, {"names": ["Ministry"]}),
    ]


def claim(key: str, chance: Random) -> Draft:
    """A claim that no other is equal to, with a quote of any length from none to some pages."""
    words = chance.choice((0, 8, 60, 700))
    day = f"2025-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}"
    body = (
        {"quote": " ".join(chance.choices(("held", "taken", "north", "Town", "street"), k=words))}
        if words
        else {}
    )
    fields = {"claimant": "ministry", "place": "town", "state": "RU", "said": day, "key": key}
    return Draft.of("claim-reported", fields, body or None)


def batches(name: str, chance: Random) -> Iterator[list[Draft]]:
    """Appends without end: mostly one claim, now and then many at once."""
    number = 0
    while True:
        size = chance.choices((1, 3, 40), (20, 3, 1))[0]
        yield [claim(f"{name}-{number + i}", chance) for i in range(size)]
        number += size


@dataclass(slots=True)
class Found:
    """What is left after a fault."""

    lost: list[Ack] = field(default_factory=list)
    refusal: str | None = None  # `verify` does not call it sound
    append: str | None = None  # the next append fails


def examine(db: Path, acknowledged: Iterable[Ack], *, append: str | None = None) -> Found:
    """Look for every acknowledged entry, verify, and with ``append`` (a name) append once more."""
    found, known = Found(), list(acknowledged)
    try:
        with Ledger.open(db) as ledger:
            for position, entry in known:
                row = ledger.store.row(position)
                if row is None or row.stream != entry:
                    found.lost.append((position, entry))
    except NoLedger as error:
        found.lost = known
        found.refusal = f"NoLedger: {error}"
        return found
    except LedgerError as error:
        found.refusal = f"{type(error).__name__}: {error}"
    try:
        core.verify(db)
    except LedgerError as error:
        found.refusal = f"{type(error).__name__}: {error}"
    found.refusal = found.refusal or _uncovered(db, max((position for position, _ in known), default=0))
    if append is not None:
        try:
            with Ledger.open(db) as ledger:
                ledger.append([Draft.of("place-registered", {"place": append, "names": [append]})])
        except LedgerError as error:
            found.append = f"{type(error).__name__}: {error}"
    return found


def _uncovered(db: Path, last: int) -> str | None:
    """What is wrong where an acknowledged position has no checkpoint over it."""
    try:
        signed = core.covered(db)
    except LedgerError as error:
        return f"{type(error).__name__}: {error}"
    return f"#{last} was acknowledged, the last checkpoint covers {signed}" if signed < last else None


def acknowledgments(lines: Iterable[str]) -> list[Ack]:
    """Acknowledged entries among the lines that a child printed; a last line that is not whole says nothing."""
    found: list[Ack] = []
    for line in lines:
        kind, *pairs = line.split()
        if kind == "ack" and line.endswith("\n"):
            for pair in pairs:
                position, _, entry = pair.partition(":")
                found.append((int(position), entry))
    return found


def reap(children: Iterable[subprocess.Popen[str]]) -> None:
    """No child outlives its campaign."""
    for child in children:
        with suppress(ProcessLookupError):
            child.kill()
        child.wait()
