"""``claims as-of``: the believed state of places on a day."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledger.commands import common
from projections import answers
from projections.commands import common as asking

COLUMNS = ("place", "believed", "words", "p", "confidence", "origins", "claims", "newest_claim")


def as_of(
    date: asking.DateArgument,
    places: Annotated[
        list[str] | None,
        typer.Argument(help="Places; all if none.", autocompletion=common.complete_place, show_default=False),
    ] = None,
    known_by: asking.KnownByOption = None,
    recorded_by: asking.RecordedByOption = None,
    logic: asking.LogicOption = None,
    without: asking.WithoutOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """What to believe of places on DATE, from what was known by the end of that day.

    --known-by moves knowledge alone (later than DATE: hindsight), --recorded-by cuts the ledger as it was
    recorded (an audit), --without answers as if some sources had never spoken and says what that changes.
    """
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic) as desk:
        clocks = desk.clocks(date, known_by, recorded_by)
        desk.directory.question(question)
        asked = [desk.directory.resolve_place(place) for place in places or ()]
        asked = asked or desk.places(question, clocks.position)
        answer = answers.as_of(desk, clocks, asked, question, desk.without(without or ()))
        asking.mention_quarantine(desk)
    rows = [as_row(one) for one in answer["answers"]]
    columns = (*COLUMNS, "change") if answer["without"] else COLUMNS
    common.emit(
        answer,
        answer["answers"] if chosen is common.Format.jsonl else rows,
        (*columns, "notes") if chosen is common.Format.csv else columns,
        chosen,
        heading=heading(answer),
        footing=[f"{one['place']['name']}: {note}" for one in answer["answers"] for note in one["notes"]],
    )


def as_row(one: dict[str, Any]) -> dict[str, Any]:
    """One answer as a line of a table."""
    row = {**one, "place": one["place"]["name"], "p": " ".join(percent(one["probabilities"]))}
    if "change" in one:
        row["change"] = " ".join(f"{state} {delta:+.3f}" for state, delta in one["change"].items())
    return row


def percent(probabilities: dict[str, float]) -> list[str]:
    return [f"{state} {p:.3f}" for state, p in probabilities.items()]


def heading(answer: dict[str, Any]) -> list[str]:
    """The line that makes a table citable."""
    logic = answer["logic"]
    parts = [
        f"as of {answer['as_of']}",
        f"known by {answer['known_by'][:19]}Z",
        f"ledger #{answer['position']} root {answer['root'][:12]}",
        f"logic {logic['name']}@{logic['version']} {logic['fingerprint'][:8]}",
    ]
    if answer["without"]:
        parts.append(f"without {', '.join(answer['without'])}")
    return [" | ".join(parts)]
