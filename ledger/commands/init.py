"""``claims init``: begin a ledger."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledger import rules
from ledger.book import Draft, Ledger
from ledger.commands import common
from ledger.directory import Directory
from ledger.errors import Usage
from ledger.integrity import keys
from ledger.places import Location, location
from ledger.settings import DEFAULT_FILES, setting
from ledger.store import door


def init(
    file: Annotated[
        str | None,
        typer.Argument(
            help="The file to make, or postgresql://…; else as --db, else claims.db.",
            metavar="DB",
            show_default=False,
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
    roles: Annotated[
        str | None,
        typer.Option(
            "--roles",
            metavar="PREFIX",
            help="On a server: also make PREFIX_reader, _appender and _owner.",
            show_default=False,
        ),
    ] = None,
    db: common.DbOption = None,
    actor: common.ActorOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Make a new ledger. An existing file is never touched, and no reading command ever makes one.

    The parties may be named at once: claims init --party RU=Russia --party UA=Ukraine. A signing key is made as well,
    outside the ledger's folder: the ledger is then signed after every append. CLAIMS_KEYS names another folder.
    --roles makes roles of PostgreSQL with no more rights than reading, appending and owning take, also for a ledger
    that is there.
    """
    chosen = common.chosen_format(format, json)
    path = _where(file, db)
    if roles is not None:
        door.make_roles(path, roles, dry_run=True)  # their prefix, before there is a ledger
        if not (title or ledger or party) and door.exists(path) and not door.holds_nothing(path):
            _roles(path, roles, chosen)
            return
    parties = [_party(one) for one in dict.fromkeys(party or ())]
    if len({draft.event.model_dump()["party"] for draft in parties}) < len(parties):
        raise Usage("the same party is named twice", where="--party", remedy="name it once")
    with Ledger.create(path, ledger=ledger, title=title, signed=not unsigned, encrypted=encrypt) as made:
        if parties:
            made.append(parties, actor=common.actor(actor))
        directory = made.directory()
        key = made.notary.key if made.notary else None
    names = door.make_roles(path, roles) if roles is not None else []
    row = {
        "db": str(path),
        "ledger": directory.ledger,
        "title": title,
        "parties": list(directory.parties),
        "key": str(key) if key else None,
        "key_file": str(keys.place_of(key.name)) if key else None,
        "encrypted": encrypt,
        **({"roles": names} if names else {}),
    }
    if chosen is not common.Format.table:
        common.emit({"schema": "init/1", **row}, [row], tuple(row), chosen)
        return
    named = f"; parties: {', '.join(directory.parties)}" if parties else ""
    for line in (
        f"{path}: made ledger {row['ledger']}{named}",
        *_signed(row),
        *_granted(names),
        *_next(path, bool(parties)),
    ):
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


def _roles(path: Location, prefix: str, chosen: common.Format) -> None:
    """For a ledger that is there."""
    names = door.make_roles(path, prefix)
    row = {"db": str(path), "roles": names}
    if chosen is not common.Format.table:
        common.emit({"schema": "init-roles/1", **row}, [row], tuple(row), chosen)
        return
    for line in (f"{path}: the ledger is as it was", *_granted(names)):
        print(common.cell(line))


def _granted(names: list[str]) -> list[str]:
    return (
        [f"roles {', '.join(names)}: GRANT one of them to whoever is to read, append or own"] if names else []
    )


def _where(file: str | None, db: str | None) -> Location:
    if file is not None and db is not None and file != db:
        places = f"{location(file)} and --db {location(db)}"
        raise Usage(f"{places} are two places", remedy="name one of them")
    return location(setting("db", file or db) or DEFAULT_FILES[0])


def _party(text: str) -> Draft:
    id, _, name = text.partition("=")
    draft = Draft.of("party-named", {"party": id.strip(), "name": name.strip() or None})
    rules.check(draft.event, Directory(), lambda _: None)  # now, before there is a file
    return draft


def _next(path: Location, has_parties: bool) -> list[str]:
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
