"""``claims panel``: the believed state of every place on every day, as a table for other programs."""

from __future__ import annotations

from contextlib import ExitStack
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
    params: asking.ParamsOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: Annotated[PanelFormat, typer.Option("--format", help="csv, jsonl or parquet.")] = PanelFormat.csv,
) -> None:
    """The believed state of every place on every day, for other programs: place, name, day, known_by, the
    probability of each state, and the believed one.

    Months and years are taken whole, the present one up to today. Where nothing is known the probabilities are
    empty. --known-by T asks on every day what was known by T: hindsight on the days before it. --out writes a
    file whole or not at all.
    """
    if format is PanelFormat.parquet and out is None:
        raise Usage("Parquet goes to a file", remedy="add --out FILE.parquet")
    if out is not None:
        common.check_target(out, database(db), logic)
    with asking.open_desk(db, logic, params) as desk, ExitStack() as ending:
        progress = panels.unheard
        if out is not None:  # else the rows themselves show how far it has come
            progress = line = asking.ProgressLine()
            ending.callback(line.end)
        desk.directory.question(question)
        asked = [desk.directory.resolve_place(place) for place in places or ()]
        asked = list(dict.fromkeys(asked)) or panels.every_place(desk)
        table = panels.panel(desk, asked, question, days, every, known_by, progress)
        panels.write(table, format.value, out)
        asking.mention_quarantine(desk)
