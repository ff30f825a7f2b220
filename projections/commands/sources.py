"""``claims sources``: how often each source was borne out by others."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledger.clocks import instant_text
from ledger.commands import common
from projections import track
from projections.belief.base import jsonable
from projections.commands import common as asking
from projections.credibility import GRADES, Score, brier, grade, reliability
from projections.desk import Desk

_COUNTED = (
    "source",
    "kind",
    "side",
    "utterances",
    "confirmed",
    "refuted",
    "open",
    "reliability",
    "grade",
    "own_interest",
    "against_interest",
    "retracted",
    "predictions",
)
COLUMNS = (*_COUNTED, "prematurity", "lead", "brier")
#: A spreadsheet gets every number in a cell of its own.
CSV = (
    *_COUNTED,
    *("own_confirmed", "own_refuted", "against_confirmed", "against_refuted", "kept", "broken"),
    *("premature", "premature_days", "leads", "lead_days", "brier"),
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
    who carried it, on one question. Reliability is a mean with a 95% interval; the grade is a suggested Admiralty
    letter, F where too little is settled. Outlets are not scored for what they carry with attribution.

    `5: 2 of 3` under own or against interest: five utterances that serve (or hurt) the source's own side, three of
    them settled, two of those borne out; under predictions: three of which the time has come, two kept.
    Prematurity: by how many days, on average, what was refuted came true later; lead: by how many days the
    source was ahead of others with what was confirmed; behind each in how many cases. Brier: 0 best, 1 worst.
    """
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic, params) as desk:
        desk.directory.question(question)
        wanted = desk.directory.resolve_source(source) if source else None
        known = desk.known(as_of)
        scores = track.scores(desk, question, known)
        rows = [
            _row(desk, name, one, known, question) for name, one in scores.items() if wanted in (None, name)
        ]
        if wanted and not rows:
            rows = [_row(desk, wanted, Score(), known, question)]
    rows.sort(key=lambda row: (-row["reliability"]["mean"], row["source"]))
    flat = rows if chosen is common.Format.jsonl else [_flat(row, chosen) for row in rows]
    columns = CSV if chosen is common.Format.csv else COLUMNS
    common.emit(rows, flat, columns, chosen, footing=[_LETTERS] if rows else [])


_LETTERS = "settled utterances that a letter needs: " + ", ".join(
    f"{one} {least}" for one, least, _ in GRADES
)


def _row(desk: Desk, name: str, one: Score, known: int, question: str) -> dict[str, Any]:
    registered = desk.directory.sources.get(name)
    counts = one.to_dict()
    del counts["error"]  # in a unit of its own; ``brier`` says it
    return {
        "schema": "sources/1",
        "source": name,
        "name": registered.name if registered else name,
        "kind": registered.kind if registered else None,
        "side": registered.side if registered else None,
        "question": question,
        **counts,
        "settled": one.confirmed + one.refuted,
        "reliability": _interval(one.confirmed, one.refuted),
        "own_reliability": _interval(one.own_confirmed, one.own_refuted),
        "against_reliability": _interval(one.against_confirmed, one.against_refuted),
        "brier": jsonable(brier(one)),
        "prematurity": _mean(one.premature_days, one.premature),
        "lead": _mean(one.lead_days, one.leads),
        "grade": grade(one.confirmed, one.refuted),
        "grade_needs": {letter: least for letter, least, _ in GRADES},
        "as_of": instant_text(known),
        "position": desk.head,
        "root": desk.root(desk.head),
        "logic": desk.loaded.logic.id,
    }


def _interval(confirmed: int, refuted: int) -> Any:
    mean, low, high = reliability(confirmed, refuted)
    return jsonable({"mean": mean, "low": low, "high": high})


def _mean(days: int, claims: int) -> Any:
    """Days on average, null where there is nothing to average over."""
    return jsonable({"days": days / claims if claims else None, "claims": claims})


def _flat(row: dict[str, Any], chosen: common.Format) -> dict[str, Any]:
    shown = row["reliability"]
    flat = {
        **row,
        "source": row["name"],
        "reliability": f"{shown['mean']:.2f} ({shown['low']:.2f}–{shown['high']:.2f})",
    }
    if chosen is common.Format.csv:
        return flat
    return {
        **flat,
        "own_interest": _of(row["own_interest"], row["own_confirmed"], row["own_refuted"]),
        "against_interest": _of(row["against_interest"], row["against_confirmed"], row["against_refuted"]),
        "predictions": _of(row["predictions"], row["kept"], row["broken"]),
        "prematurity": _days(row["prematurity"]),
        "lead": _days(row["lead"]),
        "brier": "" if row["brier"] is None else f"{row['brier']:.2f}",
    }


def _of(said: int, right: int, wrong: int) -> str:
    """How many, and how many of those that are settled were borne out."""
    return f"{said}: {right} of {right + wrong}" if said else "0"


def _days(mean: dict[str, Any]) -> str:
    return f"{mean['days']:.1f} d ({mean['claims']})" if mean["claims"] else ""
