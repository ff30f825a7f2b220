"""``claims copying``: sources that seem to copy each other although nobody declared it."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledger.commands import common
from projections import suspicion
from projections.commands import common as asking

COLUMNS = (
    "what",
    "source",
    "seems_to_copy",
    "probability",
    "shared",
    "false",
    "differing",
    "later",
    "evidence",
)


def copying(
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
    """Pairs of sources one of which seems to copy the other, and outlets that seem to print wire copy as their
    own. Nothing is changed by it.

    copies: who shares rare errors with somebody who said them before, and hardly ever differs (Dong et al. 2009); only
    where it is 95% probable from five shared statements or more. wire: who prints, without naming it, what
    another had printed within two days, in nearly the same words, or three times and never the other way round
    where there are no words to compare.

    If you are convinced: `claims link A B` makes two sources one voice; `claims append ... --via` (or `claims correct`)
    records who carried whose claim.
    """
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic, params) as desk:
        desk.directory.question(question)
        answer = suspicion.copying(desk, question, desk.known(as_of))
        names = {name: source.name for name, source in desk.directory.sources.items()}
    rows = [*map(_copies, answer["pairs"]), *map(_wire, answer["wires"])]
    lines: list[dict[str, Any]] = [{**one, "what": "copies"} for one in answer["pairs"]]
    lines += [{**one, "what": "wire"} for one in answer["wires"]]
    for row in rows:
        row |= {end: names.get(row[end], row[end]) for end in ("source", "seems_to_copy")}
    tested = f"{answer['tested']} of {answer['screened']} pairs that often agree were tested"
    footing = [tested, *(["convinced? `claims link` makes two sources one voice"] if rows else [])]
    common.emit(answer, lines if chosen is common.Format.jsonl else rows, COLUMNS, chosen, footing=footing)


def _copies(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "what": "copies",
        "source": row["copier"],
        "seems_to_copy": row["copied"],
        "probability": f"{row['probability']:.3f}",
        "shared": row["shared"],
        "false": row["shared_false"],
        "differing": row["differing"],
        "later": f"{row['later']} of {row['later'] + row['earlier']}, {row['hours_later']:.0f} h",
        "evidence": _evidence(row),
    }


def _wire(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "what": "wire",
        "source": row["outlet"],
        "seems_to_copy": row["source"],
        "shared": row["times"],
        "later": f"{row['alike']} of {row['compared']} texts alike" if row["compared"] else "no texts",
        "evidence": _evidence(row),
    }


def _evidence(row: dict[str, Any]) -> str:
    return ", ".join(" → ".join(one[:14] for one in example["utterances"]) for example in row["examples"])
