"""``claims restore``: a ledger from its export."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from ledger import backup
from ledger.commands import common
from ledger.errors import LedgerError, NoLedger, Unverified, Usage
from ledger.integrity import notary
from ledger.integrity.journal import Journal
from ledger.integrity.keys import sync_folder
from ledger.settings import setting
from ledger.store.sqlite import SqliteStore

_LONGEST_LINE = 1 << 26
_OTHER_ROOT = "Nothing was restored; find the export of that root, or the root of this export"


def restore(
    file: Annotated[str, typer.Argument(help="An export; - for standard input.", metavar="FILE|-")],
    db: common.DbOption = None,
    root: Annotated[
        str | None,
        typer.Option("--root", metavar="HEX", help="Refuse a ledger with another root.", show_default=False),
    ] = None,
) -> None:
    """Make a ledger from `claims export`: the same bytes, positions, hashes and root. The target must be new.

    Every leaf, every body and the root are checked; when anything is wrong, exit 6 and no file is left. That
    an export is consistent does not say that it is the one you made: --root compares it with a root that you
    kept elsewhere. The new ledger is signed under an origin of its own.
    """
    target = _target(db)
    if target.exists():
        raise LedgerError("already exists", where=str(target), remedy="Restore into a new file, --db NEW")
    common.check_target(target)
    if Journal(target).exists():
        raise LedgerError(
            "there are checkpoints of another ledger here",
            where=str(Journal(target).path),
            remedy="Choose another path, or move them out of the way",
        )
    partial = target.with_name(f"{target.name}.restoring")
    _remove(partial)
    try:
        with _opened(file) as stream, closing(SqliteStore.create(partial)) as store:
            found = backup.load(_lines(stream, file), store)
        if root is not None and root.casefold() != found.root:
            raise Unverified(f"the root is {found.root}, not {root}", where=file, remedy=_OTHER_ROOT)
        _publish(partial, target)
        with closing(SqliteStore.open(target)) as store:
            made, _ = notary.begin(store, target, found.ledger)
    except LedgerError as error:
        error.where = ": ".join(filter(None, (file, error.where))) if error.where != file else file
        raise
    finally:
        _remove(partial)
    print(common.cell(f"{target}: {found.size:,} events of {found.ledger}, root {found.root}"))
    common.say(f"signed from here on by {made.key}")


def _target(db: Path | None) -> Path:
    named = setting("db", str(db) if db else None)
    if named is None:
        raise Usage("nothing says where to", remedy="give --db NEW, a file that is not there yet")
    return Path(named)


def _opened(file: str) -> AbstractContextManager[BinaryIO]:
    if file == "-":
        return nullcontext(sys.stdin.buffer)
    try:
        return open(file, "rb")
    except OSError as error:
        raise NoLedger(f"cannot be read ({error.strerror})", where=file, remedy="Name an export") from None


def _lines(stream: BinaryIO, name: str) -> Iterator[bytes]:
    """Lines with a cap, so that a stranger's file cannot fill the memory."""
    while line := stream.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise Unverified(f"a line passes {_LONGEST_LINE:,} bytes: this is no export", where=name)
        yield line


def _publish(partial: Path, target: Path) -> None:
    """Give the finished file its name, unless somebody else took it meanwhile."""
    try:
        os.link(partial, target)
    except FileExistsError:
        raise LedgerError("somebody else made it meanwhile", where=str(target)) from None
    except OSError:  # a file system without hard links
        os.rename(partial, target)
    sync_folder(target.parent)


def _remove(partial: Path) -> None:
    for suffix in ("", "-journal", "-wal", "-shm"):
        partial.with_name(partial.name + suffix).unlink(missing_ok=True)
