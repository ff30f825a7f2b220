"""Files for other programs, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import WriteFailed


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Where to write what shall become ``path``: a file beside it, moved into its place at the end.

    Whatever breaks off the writing, ``path`` stays as it was and nothing else is left. A pipe or a device is
    written to itself. ``OSError`` becomes ``WriteFailed``.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise WriteFailed("cannot be written (Is a directory)", where=str(path), remedy="Name a file")
    if target.exists() and not target.is_file():
        with _told(path):
            yield target
        return
    beside = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        with _told(path):
            yield beside
            if target.exists():
                shutil.copymode(target, beside)
            os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise WriteFailed(f"cannot be written ({reason})", where=str(path)) from None
