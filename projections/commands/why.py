"""``claims why``: the reasons for a believed state, strongest first."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledger.commands import common
from projections import answers
from projections.commands import common as asking
from projections.shapes import heading, percent

COLUMNS = ("stance", "weight", "claimant", "act", "state", "said", "via", "utterance", "reason")


def why(
    date: asking.DateArgument,
    place: asking.PlaceArgument,
    known_by: asking.KnownByOption = None,
    recorded_by: asking.RecordedByOption = None,
    state: Annotated[
        str | None,
        typer.Option("--state", help="Explain this state instead of the believed one.", show_default=False),
    ] = None,
    logic: asking.LogicOption = None,
    params: asking.ParamsOption = None,
    without: asking.WithoutOption = None,
    with_: asking.WithOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Why that is believed of a place: claims for and against, each with its weight, and what was ignored.

    Weights are nats: natural logarithms of how much more likely the claim is if the believed state is true
    than if its strongest rival is. They add up, with the prior and what time has worn off, to the log-odds.
    In hindsight a weight is what leaving the claim out would take away. --with explains what would be believed
    if the events of a file were recorded too, and says which lines are hypothetical.
    """
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic, params) as real, asking.supposing(real, with_) as desk:
        clocks = desk.clocks(date, known_by, recorded_by)
        asked = desk.directory.resolve_place(place)
        explained = desk.directory.resolve_state(question, state) if state else None
        answer = answers.why(desk, clocks, asked, question, desk.without(without or ()), explained)
        names = {name: source.name for name, source in desk.directory.sources.items()}
    rows = [
        {
            **row,
            "stance": stance,
            "claimant": names.get(row["claimant"] or "", row["claimant"]),
            "via": " | ".join(" ← ".join(chain) for chain in row["via"] if chain),
            "utterance": (row["utterance"] or "")[:14],
        }
        for stance in ("for", "against", "ignored")
        for row in answer[stance]
    ]
    rows += [_near(one) for one in answer.get("neighbours", ())]
    columns = (*COLUMNS, "hypothetical") if with_ and chosen is common.Format.csv else COLUMNS
    common.emit(answer, rows, columns, chosen, heading=_heading(answer), footing=_footing(answer))


def _near(one: dict[str, Any]) -> dict[str, Any]:
    """A neighbour as a line among the claims."""
    p = one["probabilities"][one["believed"]]
    return {
        "stance": "neighbour",
        "weight": one["weight"],
        "claimant": one["name"],
        "act": "believed",
        "state": one["believed"],
        "said": None,
        "via": "",
        "utterance": "",
        "reason": f"p {p:.3f}, {one['km']:.1f} km away",
    }


def _heading(answer: dict[str, Any]) -> list[str]:
    one = answer["answer"]
    lines = asking.citable(heading(answer), answer)
    p = " ".join(percent(one["probabilities"]))
    lines.append(
        f"{one['place']['name']}: {one['believed']} ({one['words']}; {p}; confidence {one['confidence']})"
    )
    if "change" in one:
        change = " ".join(f"{state} {delta:+.3f}" for state, delta in one["change"].items())
        lines.append(f"what is supposed changes {change}")
    if answer["state"] != "unknown":
        mode = "they add up" if answer["additive"] else "each by leaving it out"
        lines.append(f"weights in nats for {answer['state']} against {answer['rival']} ({mode})")
    return lines


def _footing(answer: dict[str, Any]) -> list[str]:
    lines = []
    if answer["state"] != "unknown" and answer["additive"]:
        claims = sum(row["weight"] for name in ("for", "against") for row in answer[name])
        near = f"  neighbours {answer['neighbours_sum']:+.3f}" if "neighbours_sum" in answer else ""
        lines.append(
            f"prior {answer['prior']:+.3f}  claims {claims:+.3f}  worn off by time {answer['staleness']:+.3f}"
            f"{near}  = {answer['total']:+.3f} nats"
        )
    for clash in answer["contradictions"]:
        first, second = clash["utterances"]
        lines.append(f"{clash['claimant']} contradicts itself on one day: {first[:14]} and {second[:14]}")
    return [*lines, *answer["answer"]["notes"]]
