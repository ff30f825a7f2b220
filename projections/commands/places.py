"""``claims places``: the registered places, and what is believed of them now."""

from __future__ import annotations

from ledger.commands import common
from projections import timeline as timelines
from projections.commands import common as asking

COLUMNS = ("id", "name", "kind", "region", "believed", "claims", "newest_claim", "unseen")


def places(
    logic: asking.LogicOption = None,
    params: asking.ParamsOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """The registered places with their spellings, what is believed of each now, and which displays of it have
    not been observed for how long."""
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic, params) as desk:
        desk.directory.question(question)
        answer = timelines.places(desk, question)
        asking.mention_quarantine(desk)
    rows = [
        {
            **row,
            "unseen": [f"{one['source']} for {one['days_unseen']} days" for one in row["displays"]],
        }
        for row in answer["places"]
    ]
    common.emit(answer, answer["places"] if chosen is common.Format.jsonl else rows, COLUMNS, chosen)
