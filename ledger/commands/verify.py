"""``claims verify``: whether the record is the one that was signed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.book import Ledger
from ledger.commands import common
from ledger.errors import LedgerError, NoLedger, Unverified, Usage
from ledger.integrity import keys
from ledger.integrity.audit import Check
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.note import Note, PublicKey
from ledger.integrity.proof import Tree, check_consistency
from ledger.integrity.receipt import Receipt
from ledger.places import Location
from ledger.settings import database


def verify(
    receipt: Annotated[
        Path | None,
        typer.Option(
            "--receipt", metavar="FILE", help="Check one event's receipt, offline.", show_default=False
        ),
    ] = None,
    event: Annotated[
        Path | None,
        typer.Option(
            "--event",
            metavar="FILE",
            help="The event's bytes, where the receipt is bare.",
            show_default=False,
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint", metavar="FILE", help="A checkpoint that was kept elsewhere.", show_default=False
        ),
    ] = None,
    consistency: Annotated[
        Path | None,
        typer.Option(
            "--consistency",
            metavar="OLD",
            help="Prove that the ledger continues this one.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--key", metavar="KEY|FILE", help="The public key to trust, from elsewhere.", show_default=False
        ),
    ] = None,
    stamps: Annotated[
        Path | None,
        typer.Option(
            "--stamps",
            metavar="ROOTS.pem",
            help="Check time stamps under these certificates.",
            show_default=False,
        ),
    ] = None,
    deep: Annotated[bool, typer.Option("--deep", help="Make the marks of twins anew as well; slow.")] = False,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Check every byte of the record, its tree, its bodies and every checkpoint. Exit 6 where anything fails.

    A key on this machine shows what somebody else changed. It does not bind its owner: compare with a checkpoint that
    was given away (--checkpoint), or time stamps (--stamps). --receipt and --consistency check one thing only.
    """
    chosen = common.chosen_format(format, json)
    if sum(one is not None for one in (receipt, consistency, checkpoint)) > 1:
        raise Usage(
            "--receipt, --checkpoint and --consistency are three questions", remedy="ask one at a time"
        )
    if event is not None and receipt is None:
        raise Usage("--event goes with --receipt", remedy="name the receipt as well")
    if receipt is not None:
        _receipt(receipt, event, key, database(db), chosen)
        return
    path = database(db)
    with Ledger.open(path, readonly=True) as ledger:
        trusted = [_key(key)] if key else _own_keys(ledger)
        if consistency is not None:
            _consistency(ledger, _given(consistency, trusted), trusted, chosen)
            return
        given = [_given(checkpoint, trusted)] if checkpoint else []
        checks = _checks(ledger, path, given, deep)
        if key is not None:
            checks.append(_signed_by(ledger, trusted[0]))
        if stamps is not None:
            checks += _stamps(path, trusted, stamps)
        head = ledger.store.head()
        opening = ledger.event(1)
    answer = {
        "schema": "verify/1",
        "db": str(path),
        "ledger": opening.data.get("ledger") if opening else None,
        "position": head.size,
        "root": head.root.hex(),
        "verified": all(one.ok is not False for one in checks),
        "checks": [{"check": one.name, "ok": one.ok, "detail": one.detail} for one in checks],
    }
    rows = [{"check": one.name, "result": _word(one.ok), "detail": one.detail} for one in checks]
    common.emit(answer, rows, ("check", "result", "detail"), chosen)
    failed = [one.name for one in checks if one.ok is False]
    if failed:
        raise Unverified(
            f"the record does not verify: {', '.join(failed)}",
            where=str(path),
            remedy="Keep the files as evidence, and restore a backup or an export",
        )


def _word(ok: bool | None) -> str:
    return {True: "ok", False: "FAILED", None: "note"}[ok]


def _checks(ledger: Ledger, path: Location, given: list[Checkpoint], deep: bool) -> list[Check]:
    from ledger.integrity import verifying

    with common.counting("verifying") as progress:
        return verifying.verify(ledger, path, given=given, deep=deep, progress=progress)


def _signed_by(ledger: Ledger, trusted: PublicKey) -> Check:
    """That the ledger's own key is the one that was named."""
    own = ledger.store.setting("signed")
    return Check("trusted key", own == str(trusted), f"the ledger is signed by {own}, {trusted} was named")


def _stamps(path: Location, trusted: list[PublicKey], roots: Path) -> list[Check]:
    from ledger.integrity import stamps

    return stamps.checks(path, trusted, _read(roots))


# -- one thing at a time ---------------------------------------------------------------------------------


def _receipt(file: Path, event: Path | None, key: str | None, path: Location, chosen: common.Format) -> None:
    raw = _read(file)
    try:
        found = Receipt.parse(raw)
        origin = Checkpoint.read(Note.parse(found.checkpoint).text).origin
    except Unverified as error:
        raise Unverified(error.what, where=str(file), remedy="This receipt proves nothing") from None
    trusted = [_key(key)] if key else _keys_for(origin, path)
    leaf = _read(event) if event else None
    if leaf is None and found.leaf is None:
        leaf = _leaf_of(path, found.index)
    try:
        checkpoint = found.check(*trusted, leaf=leaf)
    except Unverified as error:
        raise Unverified(error.what, where=str(file), remedy="This receipt proves nothing") from None
    state = leaf if leaf is not None else found.leaf
    row = {
        "position": found.index + 1,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "event": (state or b"").decode(errors="replace"),
    }
    if chosen is common.Format.table:
        print(common.cell(f"{file}: #{row['position']} stands in the record that {checkpoint}"))
        print(common.cell(row["event"]))
        return
    common.emit({"schema": "verify-receipt/1", "verified": True, **row}, [row], tuple(row), chosen)


def _leaf_of(path: Location, index: int) -> bytes:
    """The bytes of an event in the ledger at hand, for a receipt that does not hold them."""
    try:
        with Ledger.open(path, readonly=True) as ledger:
            row = ledger.store.row(index + 1)
    except NoLedger:
        row = None
    if row is None:
        raise Usage(
            "the receipt does not hold the event, and no ledger at hand does",
            remedy="give its bytes with --event, or a ledger with --db",
        )
    return row.state


def _consistency(ledger: Ledger, old: Checkpoint, trusted: list[PublicKey], chosen: common.Format) -> None:
    head = ledger.store.head()
    if old.size > head.size:
        raise Unverified(
            f"the ledger ends at #{head.size}, before {old}", remedy="It does not continue that one"
        )
    tree = Tree(head.size, ledger.store.hashes)
    path = tree.consistency(old.size)
    try:
        check_consistency(old.size, old.root, head.size, head.root, path)
    except Unverified as error:
        raise Unverified(
            f"the ledger does not continue {old}: {error.what}",
            remedy="Keep both as evidence; `claims verify` looks at the ledger itself",
        ) from None
    row: dict[str, Any] = {
        "origin": old.origin,
        "old_size": old.size,
        "old_root": old.root.hex(),
        "size": head.size,
        "root": head.root.hex(),
        "path": [one.hex() for one in path],
    }
    if chosen is common.Format.table:
        print(common.cell(f"the first #{old.size} of #{head.size} are those of {old}"))
        for one in path:
            print(f"  {one.hex()}")
        return
    common.emit({"schema": "verify-consistency/1", "consistent": True, **row}, [row], tuple(row), chosen)


# -- what is trusted -------------------------------------------------------------------------------------


def _key(text: str) -> PublicKey:
    """A public key as it is printed, or a file that holds one."""
    if "+" not in text or Path(text).is_file():
        text = _read(Path(text)).decode("utf-8", "replace")
    return PublicKey.parse(text)


def _own_keys(ledger: Ledger) -> list[PublicKey]:
    from ledger.integrity.notary import all_keys

    return all_keys(ledger.store)


def _keys_for(origin: str, path: Location) -> list[PublicKey]:
    """The keys known for an origin: of the ledger at hand, else of the folder of keys."""
    try:
        with Ledger.open(path, readonly=True) as ledger:
            known = [one for one in _own_keys(ledger) if one.name == origin]
    except LedgerError:
        known = []
    if not known:
        known = keys.public_of(origin)
    if not known:
        raise Usage(
            f"the receipt is signed by {origin}, whose key is not known here",
            remedy="give its public key with --key, as you had it from its owner",
        )
    return known


def _given(file: Path, trusted: list[PublicKey]) -> Checkpoint:
    from ledger.integrity.verifying import parse_given

    if not trusted:
        raise Usage("the ledger is not signed, so no key is known", remedy="give the checkpoint's with --key")
    try:
        return parse_given(_read(file), trusted)
    except Unverified as error:
        raise Unverified(
            error.what, where=str(file), remedy="It is no checkpoint of this ledger, or was changed"
        ) from None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(1 << 20)
    except OSError as error:
        raise NoLedger(
            f"cannot be read ({error.strerror})", where=str(path), remedy="Name another file"
        ) from None
