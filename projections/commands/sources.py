"""``claims sources``: how often each source was borne out by others."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledger.clocks import instant_text
from ledger.commands import common
from projections.belief.base import jsonable
from projections.commands import common as asking
from projections.credibility import Score, grade, reliability, score
from projections.desk import Desk

COLUMNS = (
    "source",
    "kind",
    "side",
    "utterances",
    "confirmed",
    "refuted",
    "open",
    "own_interest",
    "against_interest",
    "reliability",
    "grade",
)


def sources(
    source: Annotated[
        str | None,
        typer.Argument(
            help="One source; all if none.", autocompletion=common.complete_source, show_default=False
        ),
    ] = None,
    as_of: Annotated[
        str | None, typer.Option("--as-of", metavar="T", help="As known by then.", show_default=False)
    ] = None,
    logic: asking.LogicOption = None,
    params: asking.ParamsOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """What each source said and what became of it, judged without the source, those linked to it and those
    who carried it. Reliability is a mean with a 95% interval; the grade is a suggested Admiralty letter, F
    where too little is settled. Outlets are not scored for what they carry with attribution."""
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic, params) as desk:
        desk.directory.question(question)
        wanted = desk.directory.resolve_source(source) if source else None
        known = desk.known(as_of)
        scores = desk.beliefs.scores() if as_of is None else _scores(desk, known, question)
        rows = [_row(desk, name, one, known) for name, one in scores.items() if wanted in (None, name)]
        if wanted and not rows:
            rows = [_row(desk, wanted, Score(), known)]
    rows.sort(key=lambda row: (-row["reliability"]["mean"], row["source"]))
    common.emit(rows, rows if chosen is common.Format.jsonl else map(_flat, rows), COLUMNS, chosen)


def _scores(desk: Desk, known: int, question: str) -> dict[str, Score]:
    """Scores as known by an earlier moment, over every place."""
    totals: dict[str, Score] = {}
    for place in desk.places(question):
        for name, one in score(desk.case(place, question), desk.loaded.logic, known).items():
            totals.setdefault(name, Score()).__iadd__(one)
    return dict(sorted(totals.items()))


def _row(desk: Desk, name: str, one: Score, known: int) -> dict[str, Any]:
    registered = desk.directory.sources.get(name)
    mean, low, high = reliability(one.confirmed, one.refuted)
    return {
        "schema": "sources/1",
        "source": name,
        "name": registered.name if registered else name,
        "kind": registered.kind if registered else None,
        "side": registered.side if registered else None,
        **one.to_dict(),
        "reliability": jsonable({"mean": mean, "low": low, "high": high}),
        "grade": grade(one.confirmed, one.refuted),
        "as_of": instant_text(known),
        "position": desk.head,
        "root": desk.root(desk.head),
        "logic": desk.loaded.logic.id,
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    shown = row["reliability"]
    return {
        **row,
        "source": row["name"],
        "reliability": f"{shown['mean']:.2f} ({shown['low']:.2f}–{shown['high']:.2f})",
    }
