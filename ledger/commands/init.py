"""``claims init``: begin a ledger."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ledger import rules
from ledger.book import Draft, Ledger
from ledger.commands import common
from ledger.directory import Directory
from ledger.errors import Usage
from ledger.integrity import keys
from ledger.settings import DEFAULT_FILES, setting


def init(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="The file to make; else as --db, else claims.db.", metavar="DB", show_default=False
        ),
    ] = None,
    *,
    title: Annotated[
        str | None, typer.Option("--title", help="What it is about.", show_default=False)
    ] = None,
    ledger: Annotated[
        str | None,
        typer.Option(
            "--ledger", metavar="ID", help="Its id for ever; else a random one.", show_default=False
        ),
    ] = None,
    party: Annotated[
        list[str] | None,
        typer.Option(
            "--party", metavar="ID[=NAME]", help="A side to the contest; repeatable.", show_default=False
        ),
    ] = None,
    encrypt: Annotated[
        bool, typer.Option("--encrypt", help="Keep every body under a key of its source's, outside the file.")
    ] = False,
    unsigned: Annotated[
        bool, typer.Option("--unsigned", help="Make no key: changes to the file will not show.")
    ] = False,
    db: common.DbOption = None,
    actor: common.ActorOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Make a new ledger. An existing file is never touched, and no reading command ever makes one.

    The parties may be named at once: claims init --party RU=Russia --party UA=Ukraine. A signing key is made as well,
    outside the ledger's folder: the ledger is then signed after every append. CLAIMS_KEYS names another folder.
    """
    chosen = common.chosen_format(format, json)
    path = _where(file, db)
    parties = [_party(one) for one in dict.fromkeys(party or ())]
    if len({draft.event.model_dump()["party"] for draft in parties}) < len(parties):
        raise Usage("the same party is named twice", where="--party", remedy="name it once")
    with Ledger.create(path, ledger=ledger, title=title, signed=not unsigned, encrypted=encrypt) as made:
        if parties:
            made.append(parties, actor=common.actor(actor))
        directory = made.directory()
        key = made.notary.key if made.notary else None
    row = {
        "db": str(path),
        "ledger": directory.ledger,
        "title": title,
        "parties": list(directory.parties),
        "key": str(key) if key else None,
        "key_file": str(keys.place_of(key.name)) if key else None,
        "encrypted": encrypt,
    }
    if chosen is not common.Format.table:
        common.emit({"schema": "init/1", **row}, [row], tuple(row), chosen)
        return
    named = f"; parties: {', '.join(directory.parties)}" if parties else ""
    for line in (f"{path}: made ledger {row['ledger']}{named}", *_signed(row), *_next(path, bool(parties))):
        print(common.cell(line))


def _signed(row: dict[str, Any]) -> list[str]:
    """What the key is for, and what it is not."""
    if row["key"] is None:
        return ["not signed: whoever can write the file can change it unnoticed"]
    encrypted = (
        ["texts are encrypted: lose the folder of keys, and they are lost"] if row["encrypted"] else []
    )
    return [
        f"signed by {row['key']}",
        f"its private key lies in {row['key_file']}: keep a copy of it elsewhere",
        *(f"  {line}" for line in keys.PROTECTS),
        *encrypted,
    ]


def _where(file: Path | None, db: Path | None) -> Path:
    if file is not None and db is not None and file != db:
        raise Usage(f"{file} and --db {db} are two places", remedy="name one of them")
    asked = file or db
    return Path(setting("db", str(asked) if asked else None) or DEFAULT_FILES[0])


def _party(text: str) -> Draft:
    id, _, name = text.partition("=")
    draft = Draft.of("party-named", {"party": id.strip(), "name": name.strip() or None})
    rules.check(draft.event, Directory(), lambda _: None)  # now, before there is a file
    return draft


def _next(path: Path, has_parties: bool) -> list[str]:
    """What to type next."""
    import shlex

    db = f" --db {shlex.quote(str(path))}" if str(path) != DEFAULT_FILES[0] else ""
    return [
        "next:",
        *([] if has_parties else [f"  claims party{db} RU --name Russia"]),
        f"  claims place{db} geonames:703656 --name Kupyansk --name Купянск",
        f"  claims source{db} ru-mod --name 'Russian Ministry of Defence' --kind official",
        f"  claims append{db} Kupyansk RU --by ru-mod --said 2025-11-20",
    ]
