"""``claims receipt``: proof that one event stands in the record, for somebody who has no access to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ledger.book import Ledger
from ledger.commands import common
from ledger.commands import options as opt
from ledger.errors import LedgerError, Unverified
from ledger.integrity import notary
from ledger.integrity.journal import Journal
from ledger.integrity.proof import Tree
from ledger.integrity.receipt import Receipt
from ledger.places import Location
from ledger.settings import database


def receipt(
    entry: opt.EntryArgument,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Write it here; else print it.", show_default=False
        ),
    ] = None,
    bare: Annotated[bool, typer.Option("--bare", help="Leave the event's own bytes out.")] = False,
    db: common.DbOption = None,
) -> None:
    """Make a receipt (C2SP tlog-proof): the event, its path to the root, and the signed checkpoint over it.

    Give it away with the public key (`claims checkpoint --key`); `claims verify --receipt FILE --key KEY` checks it
    without the ledger. The event's text in the body is not in it, only its salted hash.
    """
    path = database(db)
    with Ledger.open(path, readonly=True) as ledger:
        made = _made(ledger, path, f"#{entry}" if entry.isascii() and entry.isdecimal() else entry, bare)
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(made)
        return
    if output.exists():
        raise LedgerError(
            "already exists", where=str(output), remedy="Choose another name, or remove it first"
        )
    common.check_target(output)
    output.write_bytes(made)
    common.say(f"{output}: {len(made):,} bytes")


def _made(ledger: Ledger, path: Location, entry: str, bare: bool) -> bytes:
    store = ledger.store
    key = notary.signing_key(store)
    if key is None:
        raise LedgerError(
            "the ledger is not signed, so that nothing vouches for it",
            where=str(path),
            remedy="Begin with `claims checkpoint --new-origin`",
        )
    found = ledger.find(entry)
    event = next(one for one in ledger.history(found) if one.entry == found)
    signer = notary.Notary(path, key)
    checkpoint = signer.last()
    if checkpoint.size < event.position:
        raise LedgerError(
            f"no checkpoint vouches for #{event.position} yet",
            where=str(path),
            remedy="Make one first: `claims checkpoint`",
        )
    row = store.row(event.position)
    assert row is not None
    inclusion = Tree(store.head().size, store.hashes).inclusion(event.position - 1, checkpoint.size)
    note = Journal(path).tail().note or b""
    receipt = Receipt(event.position - 1, tuple(inclusion), note, None if bare else row.state)
    try:
        receipt.check(key, leaf=row.state)  # what does not hold is never handed out
    except Unverified as error:
        raise Unverified(
            error.what, where=str(path), remedy="Find out what is wrong: `claims verify`"
        ) from None
    return receipt.to_bytes()
