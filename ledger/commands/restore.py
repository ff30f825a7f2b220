"""``claims restore``: a ledger from its export."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from ledger import backup
from ledger.commands import common
from ledger.errors import LedgerError, NoLedger, Unverified, Usage
from ledger.integrity import notary
from ledger.integrity.journal import Journal
from ledger.places import Location, Server, location
from ledger.settings import setting
from ledger.store.base import Store
from ledger.store.door import create_store, discard, empty_store, exists, holds_nothing, open_store
from ledger.store.publishing import publish, remove

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
    if exists(target) and not (isinstance(target, Server) and holds_nothing(target)):
        new = "schema, ?schema=NAME" if isinstance(target, Server) else "file, --db NEW"
        raise LedgerError("already exists", where=str(target), remedy=f"Restore into a new {new}")
    if not isinstance(target, Server):
        common.check_target(target)
    if Journal(target).exists():
        raise LedgerError(
            "there are checkpoints of another ledger here",
            where=str(Journal(target).path),
            remedy="Choose another path, or move them out of the way",
        )
    try:
        with _opened(file) as stream:
            load = partial(_load, _lines(stream, file), file, root)
            found = _into_server(load, target) if isinstance(target, Server) else _into_file(load, target)
        with closing(open_store(target)) as store:
            made, _ = notary.begin(store, target, found.ledger)
    except LedgerError as error:
        error.where = ": ".join(filter(None, (file, error.where))) if error.where != file else file
        raise
    print(common.cell(f"{target}: {found.size:,} events of {found.ledger}, root {found.root}"))
    common.say(f"signed from here on by {made.key}")


def _load(lines: Iterator[bytes], name: str, root: str | None, store: Store) -> backup.Header:
    return backup.load(lines, store, accept=lambda found: _expect(found.root, root, name))


def _expect(found: str, root: str | None, name: str) -> None:
    if root is not None and root.casefold() != found:
        raise Unverified(f"the root is {found}, not {root}", where=name, remedy=_OTHER_ROOT)


def _into_server(load: Callable[[Store], backup.Header], target: Server) -> backup.Header:
    """Into a schema that is free: in one transaction, so that there is all of it or an empty ledger, which goes."""
    store = empty_store(target)
    try:
        return load(store)
    except BaseException:
        discard(target)
        raise
    finally:
        store.close()


def _into_file(load: Callable[[Store], backup.Header], target: Path) -> backup.Header:
    """Into a file that gets its name when it is whole."""
    unnamed = target.with_name(f"{target.name}.restoring")
    remove(unnamed)
    try:
        with closing(create_store(unnamed)) as store:
            found = load(store)
        publish(unnamed, target)
    finally:
        remove(unnamed)
    return found


def _target(db: str | None) -> Location:
    named = setting("db", db)
    if named is None:
        raise Usage("nothing says where to", remedy="give --db NEW, a file that is not there yet")
    return location(named)


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
