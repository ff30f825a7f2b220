"""``claims checkpoint``: what the ledger says of itself, signed, to be kept elsewhere."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.book import Ledger
from ledger.commands import common
from ledger.errors import LedgerError, NoLedger, Usage
from ledger.integrity import keys, notary
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.journal import Journal
from ledger.integrity.note import Note
from ledger.places import Location
from ledger.settings import database
from ledger.store.door import open_store


def checkpoint(
    new_origin: Annotated[
        bool,
        typer.Option("--new-origin", help="Sign with a new key from here on, and cite the old checkpoint."),
    ] = False,
    key: Annotated[bool, typer.Option("--key", help="Print the public key instead.")] = False,
    stamp: Annotated[
        str | None,
        typer.Option(
            "--stamp", metavar="URL", help="Have a time stamp authority stamp it.", show_default=False
        ),
    ] = None,
    db: common.DbOption = None,
) -> None:
    """Print the last checkpoint: the number of events and the root over them, signed. Mail it, print it, publish it.

    Whoever has it can show later that nothing up to there was changed (`claims verify --checkpoint`). --new-origin is
    for a ledger that was never signed, whose key is lost, or that is behind its last checkpoint because a backup had
    to be restored: the record is taken as it is, and the first checkpoint names the last one before.
    """
    if key and (new_origin or stamp):
        raise Usage("--key only prints the public key", remedy="make it two calls")
    path = database(db)
    if new_origin:
        _begin(path)
    with _opened(path) as ledger:
        signer = notary.signing_key(ledger.store)
        if signer is None:
            raise LedgerError(
                "the ledger is not signed",
                where=str(path),
                remedy="Begin with `claims checkpoint --new-origin`",
            )
        if key:
            print(signer)
            return
        mine = notary.Notary(path, signer)
        last = mine.last()
        mine.compare(ledger.store, last)
        if last.size < ledger.store.head().size:  # a writer died between its commit and its checkpoint
            last = mine.acknowledge(ledger.store)
        note = Journal(path).tail().note or b""
    if stamp is not None:
        from ledger.integrity import stamps

        common.say(f"stamped: {stamps.stamp(path, note, stamp)}")
    print(note.decode(), end="")


def _opened(path: Location) -> Ledger:
    return Ledger(open_store(path, readonly=True))


def _begin(path: Location) -> None:
    store = open_store(path)
    with Ledger(store) as ledger:
        notary.refuse_sealed(store, path)
        opening = ledger.event(1)
        if opening is None:
            raise NoLedger(
                "records nothing, not even its opening", where=str(path), remedy="Make another ledger"
            )
        before = Journal(path).tail().note if Journal(path).exists() else None
        made, _ = notary.begin(store, path, str(opening.data["ledger"]))
        if before is not None:
            common.say(f"goes on from {Checkpoint.read(Note.parse(before).text)}")
    common.say(f"signs from here on as {made.key}")
    common.say(f"the private key lies in {keys.place_of(made.key.name)}: keep a copy of it elsewhere")
    for line in keys.PROTECTS:
        common.say(line)
