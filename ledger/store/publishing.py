"""A database file that gets its name when it is whole."""

from __future__ import annotations

import os
from pathlib import Path

from ledger.disk import sync_path
from ledger.errors import LedgerError


def publish(partial: Path, target: Path) -> None:
    """Give the finished file its name, unless somebody else took it meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise LedgerError("somebody else made it meanwhile", where=str(target)) from None
    except OSError:  # a file system without hard links
        os.rename(partial, target)
    sync_path(target.parent)


def remove(partial: Path) -> None:
    """Take an unfinished file away, with what SQLite puts beside it."""
    for suffix in ("", "-journal", "-wal", "-shm"):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)
