"""Children that append until they are told to stop, or killed, and say what was acknowledged to them.

``python -m tests.faults.writers DB --name N --seed S [--appends N] [--journal J --synchronous S] [--create]``

A line of stdout is ``ready``, then ``ack POSITION:ENTRY ...`` for each append that returned, or ``error`` and what
was raised. A line is one write, made after the append returned.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from random import Random

from ledger.book import Ledger
from ledger.errors import LedgerError
from tests.faults import core
from tests.faults.ground import batches, opening


def append_all(
    db: Path, name: str, seed: int, appends: int | None, say: Callable[[str], None], *, first: bool = False
) -> None:
    """Append, and acknowledge each append after it returned. ``first`` records what the claims stand on as well."""
    try:
        with Ledger.open(db) as ledger:
            say("ready")
            if first:
                _append(ledger, opening(), say)
            for drafts in islice(batches(name, Random(f"{name}-{seed}")), appends):
                _append(ledger, drafts, say)
    except LedgerError as error:
        say(f"error {type(error).__name__} {error}")
    except Exception as error:  # whatever it is, the campaign must hear of it
        say(f"error unexpected {error!r}")


def _append(ledger: Ledger, drafts: list, say: Callable[[str], None]) -> None:
    receipts = ledger.append(drafts)
    say("ack " + " ".join(f"{one.position}:{one.entry}" for one in receipts))


def forked(db: Path, name: str, seed: int) -> tuple[int, int]:
    """A writer without end in a child of this process: its id, and where its lines can be read."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    try:
        os.close(reading)
        append_all(db, name, seed, None, lambda line: _say(writing, line))
    finally:
        os._exit(0)  # nothing of the parent's is to be ended here


def _say(channel: int, line: str) -> None:
    os.write(channel, f"{line}\n".encode())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("db", type=Path)
    parser.add_argument("--name", default="writer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--appends", type=int)
    parser.add_argument("--journal")
    parser.add_argument("--synchronous")
    parser.add_argument("--create", action="store_true", help="make the ledger first, and say so")
    asked = parser.parse_args()
    with core.forced(asked.journal, asked.synchronous):
        if asked.create:
            core.create(asked.db)
            _say(1, "made")
        append_all(
            asked.db, asked.name, asked.seed, asked.appends, lambda line: _say(1, line), first=asked.create
        )


if __name__ == "__main__":
    sys.exit(main())
