"""``claims panel``: the believed state of every place on every day, as a table for other programs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ledger.commands import common
from ledger.errors import Usage
from ledger.settings import database
from projections import panels
from projections.commands import common as asking


class PanelFormat(StrEnum):
    """How a panel is written."""

    csv = "csv"
    jsonl = "jsonl"
    parquet = "parquet"


def panel(
    days: Annotated[str, typer.Argument(metavar="FROM..TO", help="First and last day.")],
    places: Annotated[
        list[str] | None,
        typer.Argument(help="Places; all if none.", autocompletion=common.complete_place, show_default=False),
    ] = None,
    every: Annotated[str, typer.Option("--every", help="day, week, month or a number of days.")] = "day",
    known_by: Annotated[
        str, typer.Option("--known-by", metavar="then|T", help="then: known on each day; T: hindsight.")
    ] = "then",
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="File to write; else stdout.", show_default=False)
    ] = None,
    logic: asking.LogicOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: Annotated[PanelFormat, typer.Option("--format", help="csv, jsonl or parquet.")] = PanelFormat.csv,
) -> None:
    """Place, day, known_by, the probability of each state, and the believed one: a row a place and day."""
    if format is PanelFormat.parquet and out is None:
        raise Usage("Parquet goes to a file", remedy="add --out FILE.parquet")
    if not every.isascii():  # other alphabets have digits, too
        raise Usage(f"--every {every!r} is no step", remedy="give day, week, month or a number of days")
    if out is not None:
        common.check_target(out, database(db))
    with asking.open_desk(db, logic) as desk:
        desk.directory.question(question)
        asked = [desk.directory.resolve_place(place) for place in places or ()] or desk.places(question)
        table = panels.panel(desk, asked, question, days, every, known_by)
        panels.write(table, format.value, out)
        asking.mention_quarantine(desk)
