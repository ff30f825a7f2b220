"""``claims demo``: the real Kupyansk reports in a ledger of their own, and what to ask of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger.book import Ledger
from ledger.commands import common
from ledger.errors import Conflict, LedgerError, Usage
from ledger.importing import import_file, prepare
from ledger.places import Location, location
from ledger.settings import setting
from ledger.store import door
from projections import answers
from projections.commands.as_of import as_row
from projections.desk import Desk

LEDGER = "kupyansk-demo"
#: Days on which somebody announced something, shown in the table.
DAYS = ("2025-09-03", "2025-11-21", "2025-12-12", "2025-12-16", "2025-12-28")
COLUMNS = ("as_of", "place", "believed", "words", "p", "confidence", "origins", "claims")


def demo(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="[DB]", help="Where to put it; else CLAIMS_DB, else ./demo.db.", show_default=False
        ),
    ] = None,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Make a ledger of the real, contradicting reports on Kupyansk (September to December 2025) and show what
    was to be believed on five days. Run again on the same file it adds nothing."""
    chosen = common.chosen_format(format, json)
    if path is not None and db is not None and path != db:
        places = f"{location(path)} and --db {location(db)}"
        raise Usage(f"{places} are two places", remedy="name one of them")
    target = location(path or db or setting("db") or "demo.db")
    with _ledger(target) as ledger:
        records, translator = prepare(reports())
        with records:
            tally = import_file(ledger, records, translator, actor="demo")
    if tally.rejected or tally.conflicting:
        raise LedgerError(
            f"{tally.rejected + tally.conflicting} of the demo's events were refused"
            f" (first: {tally.rejects[0] if tally.rejects else 'a conflict'})",
            where=str(target),
            remedy="make a fresh one under another name",
        )
    common.say(f"{target}: {tally.new + tally.registered} events recorded, {tally.already} already there")
    with Desk(target) as desk:
        place = desk.directory.resolve_place("Kupyansk")
        shown = [answers.as_of(desk, desk.clocks(day, None, None), [place], "control") for day in DAYS]
    rows = [{**as_row(one["answers"][0]), "as_of": one["as_of"]} for one in shown]
    common.emit(
        {"schema": "demo/1", "days": shown}, rows, COLUMNS, chosen, footing=["", "Next:", *_next(target)]
    )


def _ledger(target: Location) -> Ledger:
    """The demo's ledger: made, or opened again if it is one."""
    if not door.exists(target):
        return Ledger.create(target, ledger=LEDGER, title="Kupyansk, September to December 2025")
    ledger = Ledger.open(target)
    if ledger.directory().ledger != LEDGER:
        ledger.close()
        raise Conflict(
            "there is another ledger", where=str(target), remedy="`claims demo OTHER.db` makes one"
        )
    return ledger


def _next(target: Location) -> list[str]:
    db: Any = "" if str(target) == "demo.db" else f" --db {shlex.quote(str(target))}"
    return [
        f"  claims why 2025-12-16 Kupyansk{db}",
        f"  claims as-of 2025-12-16 Kupyansk --without kind:milblogger{db}",
        f"  claims timeline Kupyansk{db}",
    ]


def reports() -> Path:
    """The demo's events: in the source tree, or as installed."""
    here = Path(__file__).resolve().parent.parent
    tree = here.parent / "fixtures" / "kupyansk" / "events.jsonl"
    return tree if tree.is_file() else here / "_demo" / "kupyansk" / "events.jsonl"
