"""A whole ledger from one place to another, from a file to a server or back: the same bytes, positions, bodies, root,
settings and checkpoints.

The source stays as it is. What a store keeps beside the rows is made anew from the events; the roots must agree before
the copy gets its name. Key and origin are the same, so that the copy goes on under the old signatures: whoever appends to
both makes two records of one name.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from ledger import codec
from ledger.appending import new_row
from ledger.disk import make_folder, sync_file, sync_path
from ledger.errors import Conflict, LedgerError, Unverified, WriteFailed
from ledger.integrity import stamps, vault
from ledger.integrity.journal import Journal
from ledger.integrity.notary import ORIGINS, SEALED, SIGNED, Notary
from ledger.places import Location, Server
from ledger.store import door
from ledger.store.base import Head, NewRow, Store
from ledger.store.publishing import publish, remove

_SETTINGS = (SIGNED, ORIGINS, vault.BODIES, SEALED)
_AT_ONCE = 10_000  # events of one call to the store


@dataclass(frozen=True, slots=True)
class Moved:
    """What was copied: the head, how many bodies, and how many bytes of checkpoints."""

    head: Head
    bodies: int
    checkpoints: int


def move(source: Location, target: Location, progress: Callable[[int, int], None] | None = None) -> Moved:
    """Copy the ledger at ``source`` to ``target``, where nothing may be yet.

    Raises ``LedgerError`` where something is in the way, ``Unverified`` where the source contradicts itself or its last
    checkpoint, ``Conflict`` where somebody appended to it meanwhile. What was begun is then taken away again.
    ``progress`` is called with (events done, events in all).
    """
    _refuse_taken(target)
    with closing(door.open_store(source, readonly=True)) as store:
        notary = Notary.of(store, source)
        head = store.head()
        if notary is not None and notary.journal.exists():
            notary.compare(store, notary.last())
        bodies = (
            _into_server(store, head, target, progress)
            if isinstance(target, Server)
            else _into_file(store, head, target, progress)
        )
        try:
            checkpoints = _beside(source, target)
            if store.head() != head:
                raise Conflict(
                    "somebody appended to it meanwhile",
                    where=str(source),
                    remedy="Stop that, then do it again",
                )
        except BaseException:
            _discard(target, head)
            raise
    return Moved(head, bodies, checkpoints)


def _refuse_taken(target: Location) -> None:
    if door.exists(target) and not (isinstance(target, Server) and door.holds_nothing(target)):
        new = "schema, ?schema=NAME" if isinstance(target, Server) else "file"
        raise LedgerError("already exists", where=str(target), remedy=f"Name a new {new}")
    if not isinstance(target, Server) and not target.parent.is_dir():
        raise WriteFailed("its folder does not exist", where=str(target), remedy="Make it first")
    for path in (Journal(target).path, stamps.folder(target)):
        if path.exists():
            raise LedgerError(
                "belongs to another ledger",
                where=str(path),
                remedy="Choose another place, or move it out of the way",
            )


def _into_server(
    store: Store, head: Head, target: Server, progress: Callable[[int, int], None] | None
) -> int:
    """In one transaction, so that there is all of it or an empty ledger, which goes."""
    made = door.empty_store(target)
    try:
        return _copy(store, head, made, progress)
    except BaseException:
        door.discard(target)
        raise
    finally:
        made.close()


def _into_file(store: Store, head: Head, target: Path, progress: Callable[[int, int], None] | None) -> int:
    """Into a file that gets its name when it is whole."""
    unnamed = target.with_name(f"{target.name}.moving")
    remove(unnamed)
    try:
        with closing(door.create_store(unnamed)) as made:
            count = _copy(store, head, made, progress)
        publish(unnamed, target)
    finally:
        remove(unnamed)
    return count


def _copy(store: Store, head: Head, into: Store, progress: Callable[[int, int], None] | None) -> int:
    """Events, bodies and settings, in one transaction; how many bodies there were."""
    rows = rows_of(store, head.size)
    bodies = 0
    with into.writer() as writer:
        while some := list(islice(rows, _AT_ONCE)):
            writer.insert(some, head.recorded or "")
            bodies += sum(row.body is not None for row in some)
            if progress is not None:
                progress(writer.head().size, head.size)
        for name in _SETTINGS:
            value = store.setting(name)
            if value is not None:
                writer.remember(name, value)
        if writer.head() != head:
            raise Unverified(
                f"its events have the root {writer.head().root.hex()}, its head says {head.root.hex()}",
                remedy="Nothing was copied; look at the source with `claims verify`",
            )
    return bodies


def rows_of(store: Store, size: int) -> Iterator[NewRow]:
    """The first ``size`` events of a store, ready to be written into another."""
    bodies = store.bodies(1, size)
    body = next(bodies, None)
    for row in store.rows(1, size):
        own = body[1] if body is not None and body[0] == row.position else None
        if own is not None:
            body = next(bodies, None)
        yield new_row(codec.decode(row), row.topic, row.state, own)


def _beside(source: Location, target: Location) -> int:
    """Checkpoints and stamps, byte for byte and on the disk; how many bytes of checkpoints there are."""
    theirs, ours = Journal(source), Journal(target)
    if not theirs.exists():
        return 0
    try:
        make_folder(ours.path.parent)
        with theirs.path.open("rb") as read, ours.path.open("xb") as written:
            shutil.copyfileobj(read, written)
            written.flush()
            sync_file(written)
            count = written.tell()
        if stamps.folder(source).is_dir():
            shutil.copytree(stamps.folder(source), stamps.folder(target))
        sync_path(ours.path.parent)
    except OSError as error:
        raise WriteFailed(
            f"the checkpoints cannot be copied ({error.strerror})",
            where=str(ours.path),
            remedy="Check the folder's rights and free space",
        ) from None
    return count


def _discard(target: Location, head: Head) -> None:
    """Take away what was copied and told to nobody."""
    with suppress(LedgerError):
        door.discard(target, head=head)
    with suppress(OSError):
        os.unlink(Journal(target).path)
    shutil.rmtree(stamps.folder(target), ignore_errors=True)
