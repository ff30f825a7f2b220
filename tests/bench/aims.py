"""What is aimed at, beside every figure, and the table of beliefs.

A row's ``aim`` maps a measure to the number that is to be reached: at least, where more is better, else at
most. In simulations it is the best that any baseline reached on the same days, for a logic that learns that of the
logic that does not as well; with ``learning`` what the first logic reached; of an ablation (``logic@1 +
neighbours``) what the logic reached without. On public sets it is a number, or a share of what a peer needed in
the same run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from projections.backtest import HINDSIGHT
from tests.bench.baselines import BASELINES
from tests.bench.scoring import Row

#: Better when more; every other measure is better when less.
MORE = ("accuracy", "detected", "coverage")
#: How far a logic's probabilities may lie from how often they are right, in hindsight.
ECE = 0.05
AIMED = ("accuracy", "brier", "log_loss", "ece")
#: Set and method → what is aimed at there: what peers and a prototype were measured to reach on these very files.
PUBLISHED: dict[tuple[str, str], dict[str, float]] = {
    ("crowd/mean", "hmm@1"): {"accuracy": 0.85},
    ("crowd/mean", "hmm@1 left-out"): {"accuracy": 0.85},
    ("crowd/mean", "hmm@1 ruled"): {"ece": 0.08},
    ("weather/10%", "hmm@1 smooth"): {"accuracy": 0.83, "log_loss": 0.72},
    ("weather/2%", "hmm@1 smooth"): {"accuracy": 0.74, "log_loss": 0.84},
}
#: Set and method → measure, the peer on the same set, and the share of its figure that is aimed at.
SHARES = {
    ("crowd/mean", "hmm@1"): ("seconds", "crowd-kit DawidSkene", 0.1),
    ("crowd/mean", "hmm@1 ruled"): ("log_loss", "dawid-skene unruled", 0.5),
}
_HEADINGS = {
    "accuracy": "accuracy",
    "brier": "Brier",
    "log_loss": "log loss",
    "ece": "ECE",
    "detected": "detected",
    "days_to_detect": "days",
    "false_flips": "flips/yr",
    "coverage": "coverage",
    "seconds": "seconds",
}


def aimed(rows: Sequence[Row]) -> list[Row]:
    """The same rows with their aims, mode by mode within each set; a baseline has none."""
    sets = list(dict.fromkeys(one["set"] for one in rows))
    ordered = sorted(rows, key=lambda one: (sets.index(one["set"]), one.get("mode") or ""))
    return [{**one, "aim": one.get("aim") or _aim(one, rows)} for one in ordered]


def _aim(one: Row, rows: Iterable[Row]) -> dict[str, float]:
    published = PUBLISHED.get((one["set"], one["method"]))
    if published is not None:
        return published | _share(one, rows)
    if one["method"] in BASELINES or "@" not in one["method"]:
        return {}
    alike = [other for other in rows if (other["set"], other.get("mode")) == (one["set"], one.get("mode"))]
    plain = one["method"].partition(" + ")[0]
    rivals = {*BASELINES} | ({"tally@1"} if plain == "hmm@1" else set())
    if plain != one["method"]:
        rivals = {plain}
    elif one["set"].startswith("learning/"):
        rivals = {alike[0]["method"]} - {plain}
    beside = [other for other in alike if other["method"] in rivals]
    found = {}
    for name in AIMED:
        values = [other[name] for other in beside if other.get(name) is not None]
        if values:
            found[name] = max(values) if name in MORE else min(values)
    # A constant can be calibrated by chance: beside baselines what counts is what is aimed at everywhere.
    if "ece" in found and rivals >= {*BASELINES}:
        del found["ece"]
        return found | ({"ece": ECE} if one.get("mode") == HINDSIGHT else {})
    return found


def _share(one: Row, rows: Iterable[Row]) -> dict[str, float]:
    """What is aimed at relative to a peer of the same run; nothing where that was not measured."""
    name, peer, share = SHARES.get((one["set"], one["method"]), ("", "", 0.0))
    beside = [other for other in rows if (other["set"], other["method"]) == (one["set"], peer)]
    figure = beside[0].get(name) if beside else None
    return {} if figure is None else {name: share * figure}


def missed(one: Row, name: str) -> bool:
    """Whether a figure falls short of its aim."""
    value, aim = one.get(name), one.get("aim", {}).get(name)
    if value is None or aim is None:
        return False
    return bool(value < aim if name in MORE else value > aim)


def table(rows: Sequence[Row]) -> str:
    """Rows for people, with the aim in brackets beside each figure and a ``!`` where it is missed."""
    measures = [name for name in _HEADINGS if any(one.get(name) is not None for one in rows)]
    grid = [["set", "mode", "method", *(_HEADINGS[name] for name in measures), ""]]
    for one in rows:
        named = [one["set"], one.get("mode") or "-", one["method"]]
        grid.append([*named, *(_cell(one, name) for name in measures), one.get("what", "")])
    widths = [max(len(line[n]) for line in grid) for n in range(len(grid[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in grid
    ]
    return "\n".join(lines)


def _cell(one: Row, name: str) -> str:
    value, aim = one.get(name), one.get("aim", {}).get(name)
    if value is None:
        return "-"
    tenths = name == "days_to_detect" or (name == "seconds" and aim is None)
    text = f"{value:.1f}" if tenths else f"{value:.3f}"
    if name == "accuracy" and one.get("accuracy_sd") is not None:
        text += f" ±{one['accuracy_sd']:.3f}"
    if aim is not None:
        text += f" ({'≥' if name in MORE else '≤'}{aim:.3f}){'!' if missed(one, name) else ''}"
    return text
