"""``claims diff``: what two logics, or two knowledge times, make different."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledger.commands import common
from ledger.errors import DIFFERENT, Usage
from projections import compare
from projections.commands import common as asking
from projections.desk import day_range
from projections.registry import load

COLUMNS = ("place", "from_day", "to_day", "from", "to", "before", "after", "because")


def diff(
    times: Annotated[
        str | None,
        typer.Argument(metavar="T1..T2", help="Two knowledge times under one logic.", show_default=False),
    ] = None,
    logic: Annotated[
        str | None,
        typer.Option("--logic", metavar="A..B", help="Two logics, by name or FILE.py.", show_default=False),
    ] = None,
    question: common.QuestionOption = "control",
    most: Annotated[int, typer.Option("--most", help="How many changed intervals to list.", min=1)] = 50,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Which places and days are believed otherwise, from what to what, because of which claims: between two
    logics (--logic A..B, known then), or between two knowledge times (T1..T2, in hindsight). Exits with 5
    where there are differences."""
    chosen = common.chosen_format(format, json)
    pair = day_range(logic) if logic and ".." in logic else None
    if (pair is None) == (times is None):
        raise Usage(
            "compare either two times or two logics",
            remedy="`claims diff T1..T2` or `claims diff --logic A..B`",
        )
    with asking.open_desk(db, pair[1] if pair else logic) as desk:
        desk.directory.question(question)
        if pair:
            answer = compare.between_logics(desk, load(pair[0]), desk.loaded, question, most=most)
        else:
            first, second = (desk.known(one) for one in day_range(times or ""))
            answer = compare.between_times(desk, (first, second), question, most=most)
    common.emit(answer, diff_rows(answer), COLUMNS, chosen, footing=summary(answer))
    if answer["totals"]["intervals"]:
        raise typer.Exit(DIFFERENT)


def diff_rows(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The changes as lines of a table."""
    return [
        {
            **change,
            "place": change["place"]["name"],
            "because": [f"{one['claimant']} {one['state']} {one['change']:+.2f}" for one in change["claims"]],
        }
        for change in answer["changes"]
    ]


def summary(answer: dict[str, Any]) -> list[str]:
    """The totals in one line, and the sources whose grade differs."""
    totals = answer["totals"]
    lines = [
        f"{totals['places_changed']} of {totals['places']} places differ, {totals['intervals']} intervals,"
        f" {totals['days_changed']} days"
    ]
    return lines + [
        f"{one['source']}: grade {one['from']} → {one['to']}" for one in answer.get("sources", ())
    ]
