"""``claims timeline``: what was said of a place, and what was believed when."""

from __future__ import annotations

from typing import Any

from ledger.commands import common
from projections import timeline as timelines
from projections.commands import common as asking

COLUMNS = ("known", "claimant", "act", "state", "said", "valid", "reports", "utterance", "status")


def timeline(
    place: asking.PlaceArgument,
    known_by: asking.KnownByOption = None,
    recorded_by: asking.RecordedByOption = None,
    logic: asking.LogicOption = None,
    params: asking.ParamsOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """What was said of a place in the order it became known, what was believed when, when that was first known,
    and which displays have not been observed for how long.

    "When did we know" holds what is now believed of past days (in hindsight) against what was believed then.
    """
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic, params) as desk:
        asked = desk.directory.resolve_place(place)
        desk.directory.question(question)
        answer = timelines.timeline(desk, asked, question, desk.known(known_by), desk.position(recorded_by))
        names = {name: source.name for name, source in desk.directory.sources.items()}
    rows = [
        {**row, "claimant": names.get(row["claimant"], row["claimant"]), "utterance": row["utterance"][:14]}
        for row in answer["claims"]
    ]
    heading = [
        f"{answer['place']['name']}: known by {answer['known_by'][:19]}Z, ledger #{answer['position']}"
    ]
    common.emit(answer, rows, COLUMNS, chosen, heading=heading, footing=_footing(answer, names))


def _footing(answer: dict[str, Any], names: dict[str, str]) -> list[str]:
    lines = ["", "believed then:"]
    for run in answer["believed"]:
        p = "" if run["p_last"] is None else f" ({run['p_first']:.2f} to {run['p_last']:.2f})"
        lines.append(f"  {run['from']} to {run['to']}  {run['believed']}{p}")
    lines += _lags(answer["when_did_we_know"])
    for display in answer["displays"]:
        lines.append(
            f"{names.get(display['source'], display['source'])} displays {display['state']}: last observed"
            f" {display['last_observed']}, {display['days_unseen']} days ago"
        )
    for clash in answer["contradictions"]:
        first, second = clash["utterances"]
        lines.append(f"{clash['claimant']} contradicts itself on one day: {first[:14]} and {second[:14]}")
    return lines


def _lags(known: dict[str, Any]) -> list[str]:
    """When the state that is now believed began, when it was believed, and the same of every earlier one."""
    if not known["changes"]:
        return []
    lines = ["when did we know (as now believed: believed then)"]
    for change in known["changes"]:
        lag = change["lag_days"]
        noticed = "never while it was so" if lag is None else f"{_late(lag)}, {change['known_first']}"
        lines.append(f"  {change['from']} to {change['to']}  {change['state']}: {noticed}")
    if known["state"] is None:
        return lines
    held = (
        "not believed then"
        if known["believed_since"] is None
        else f"believed without a break since {known['believed_since']}, {_late(known['lag_days'])}"
    )
    return [*lines, f"{known['state']} since {known['so_since']}, {held}"]


def _late(days: int) -> str:
    if days == 0:
        return "the same day"
    return f"{abs(days)} day{'' if abs(days) == 1 else 's'} {'later' if days > 0 else 'earlier'}"
