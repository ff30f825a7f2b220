"""What must be on the disk when we say that it is: names in folders, and the bytes of files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO


def make_folder(path: Path) -> None:
    """A folder that only its owner may enter, with those above it, and durable: each name is in a synced folder."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(mode=0o700, exist_ok=True)
    sync_path(path.parent)


def sync_file(file: BinaryIO) -> None:
    """See what was written to the disk."""
    os.fsync(file.fileno())


def sync_path(path: Path) -> None:
    """Make a file, or the names in a folder, durable, where the system can."""
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
