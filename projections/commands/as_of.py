"""``claims as-of``: the believed state of places on a day."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common
from projections import answers
from projections.commands import common as asking
from projections.shapes import COLUMNS, footing
from projections.shapes import as_row as as_row
from projections.shapes import heading as heading
from projections.shapes import percent as percent


def as_of(
    date: asking.DateArgument,
    places: Annotated[
        list[str] | None,
        typer.Argument(help="Places; all if none.", autocompletion=common.complete_place, show_default=False),
    ] = None,
    known_by: asking.KnownByOption = None,
    recorded_by: asking.RecordedByOption = None,
    logic: asking.LogicOption = None,
    params: asking.ParamsOption = None,
    without: asking.WithoutOption = None,
    with_: asking.WithOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """What to believe of places on DATE, from what was known by the end of that day.

    --known-by moves knowledge alone (later than DATE: hindsight), --recorded-by cuts the ledger as it was
    recorded (an audit), --without answers as if some sources had never spoken and says what that changes, --with
    as if the events of a file were recorded too: a what-if that writes nothing.
    """
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic, params) as real, asking.supposing(real, with_) as desk:
        clocks = desk.clocks(date, known_by, recorded_by)
        desk.directory.question(question)
        asked = [desk.directory.resolve_place(place) for place in places or ()]
        asked = asked or desk.places(question, clocks.position)
        answer = answers.as_of(desk, clocks, asked, question, desk.without(without or ()))
        asking.mention_quarantine(desk)
    rows = [as_row(one) for one in answer["answers"]]
    columns = (*COLUMNS, "change") if answer["without"] or with_ else COLUMNS
    common.emit(
        answer,
        answer["answers"] if chosen is common.Format.jsonl else rows,
        (*columns, *(["hypothetical"] if with_ else []), "notes") if chosen is common.Format.csv else columns,
        chosen,
        heading=asking.citable(heading(answer), answer),
        footing=footing(answer),
    )
