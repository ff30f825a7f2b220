"""Copies of ledgers with all that belongs to them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ledger.integrity.journal import Journal


def copy_ledger(source: Path, target: Path) -> Path:
    """A copy of a database and of its checkpoints; not of its views."""
    shutil.copyfile(source, target)
    if Journal(source).exists():
        shutil.copyfile(Journal(source).path, Journal(target).path)
    return target


def move_ledger(source: Path, target: Path) -> Path:
    """The same, and nothing stays behind."""
    if Journal(source).exists():
        os.replace(Journal(source).path, Journal(target).path)
    os.replace(source, target)
    return target
