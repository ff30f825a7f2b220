"""``claims backtest``: logics held against known truth."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from string import ascii_uppercase
from typing import Annotated, Any

import typer

from ledger.commands import common
from ledger.errors import Usage
from ledger.settings import database, setting
from ledger.text import csv_safe, visible
from projections import backtest as backtests
from projections.belief.tally import DAY_US, EPOCH
from projections.commands import common as asking
from projections.desk import Desk
from projections.files import replacing
from projections.intervals import MEASURES
from projections.pictures import Panel, reliability_diagram
from projections.registry import DEFAULT, Loaded, load
from projections.truth import Truth, read_truth

LABELS = {
    "coverage": "coverage",
    "accuracy": "accuracy",
    "accuracy_believed": "accuracy where believed",
    "balanced_accuracy": "balanced accuracy",
    "brier": "Brier (0 to 2, less is better)",
    "log_loss": "log loss (nats, less is better)",
    "ece": "ECE (less is better)",
    "detected": "changes detected",
    "days_to_detect_median": "days to detect, median",
    "days_to_detect_mean": "days to detect, mean",
    "false_flips": "false flips a year and place",
}
COLUMNS = ("logic", "against", "mode", "measure", "value", "low", "high")


def backtest(
    truth: Annotated[
        str,
        typer.Argument(metavar="TRUTH.csv", help="place, day, state: a header, a row a day. - for stdin."),
    ],
    logic: Annotated[
        str | None,
        typer.Option(
            "--logic", metavar="A,B", help="Logics by name or FILE.py, with commas.", show_default=False
        ),
    ] = None,
    known_by: Annotated[
        str | None,
        typer.Option(
            "--known-by", metavar="T", help="The moment of hindsight; else now.", show_default=False
        ),
    ] = None,
    question: common.QuestionOption = "control",
    skip_unknown: Annotated[
        bool, typer.Option("--skip-unknown", help="Leave out rows on places the ledger does not know.")
    ] = False,
    diagram: Annotated[
        Path | None,
        typer.Option("--diagram", metavar="FILE.svg", help="Draw a reliability diagram.", show_default=False),
    ] = None,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """How good beliefs were, held against known truth: accuracy, Brier, log loss, calibration (ECE), days to
    detect a change, false flips.

    Each logic is scored twice: as filter (each day as known by its end) and in hindsight (all that is known
    now, or by --known-by). Intervals are 95% and come from drawing whole places; with several logics, each
    is compared with the first on the same draws, so that a difference shows whether it is more than chance.
    """
    chosen = common.chosen_format(format, json)
    if diagram is not None:
        _check_diagram(diagram, truth, db)
    specs = _specs(setting("logic", logic) or DEFAULT)
    with asking.open_desk(db, specs[0]) as desk, ExitStack() as ending:
        line = asking.ProgressLine()
        ending.callback(line.end)
        desk.directory.question(question)
        logics = [desk.loaded, *(desk.taught(load(spec)) for spec in specs[1:])]
        backtests.check_names(logics)
        known = desk.known(known_by)
        today = desk.known(None) // DAY_US + EPOCH
        rows = read_truth(truth, desk.directory, question, today, skip_unknown=skip_unknown)
        _mention_skipped(rows)
        done = backtests.backtest(desk, logics, rows, question, known, line)
        answer = backtests.answer(desk, done, question)
        _mention_quarantine(desk, logics)
    if diagram is not None:
        _draw(diagram, done, answer)
    _print(answer, chosen)


def _specs(text: str) -> list[str]:
    specs = [spec.strip() for spec in text.split(",")]
    if not all(specs):
        raise Usage(f"--logic {text!r} names nothing between two commas", remedy="write --logic A,B")
    return specs


def _check_diagram(path: Path, truth: str, db: str | None) -> None:
    if path.suffix.lower() != ".svg":
        raise Usage(
            f"a diagram is drawn as SVG, not as {path.suffix or 'a file without an ending'}",
            where=f"--diagram {path}",
            remedy="end its name in .svg",
        )
    common.check_target(path, truth, database(db))


def _mention_skipped(rows: Truth) -> None:
    if rows.skipped:
        named = [f"{name} ({count:,})" for name, count in list(rows.unknown.items())[:5]]
        more = ", …" if len(rows.unknown) > len(named) else ""
        common.say(
            f"note: {rows.skipped:,} rows left out, for the ledger does not know their places"
            f" ({len(rows.unknown):,}): {', '.join(named)}{more}"
        )


def _mention_quarantine(desk: Desk, logics: Sequence[Loaded]) -> None:
    for loaded in logics:
        if loaded.logic.believe is None:
            view = desk.views.beliefs(loaded, desk.head, desk.directory)
            if bad := view.quarantined():
                common.say(
                    f"note: {len(bad):,} quarantined under {loaded.logic.id}, the first #{bad[0].position}:"
                    f" {bad[0].error}; `claims replay --logic {loaded.file or loaded.logic.id}` lists all"
                )


def _draw(path: Path, done: backtests.Backtest, answer: dict[str, Any]) -> None:
    panels = []
    for one in done.results:
        ece = one.measured.estimate("ece").value
        shown = "" if ece is None else f", ECE {ece:.3f}"
        known = int(one.sheet.total("known")[0])
        panels.append(
            Panel(f"{one.loaded.logic.id}, {one.mode}", f"{known:,} days believed{shown}", one.bins)
        )
    title = f"Reliability on {_extent(answer)}"
    with replacing(path) as beside:
        picture = reliability_diagram(title, _source(answer), panels, len(backtests.MODES))
        beside.write_text(picture, "utf-8", newline="\n")


# -- printing ----------------------------------------------------------------------------------------------


def _print(answer: dict[str, Any], chosen: common.Format) -> None:
    if chosen is common.Format.csv:
        with common.quiet_pipe():
            sys.stdout.write(_csv(answer))
        return
    lines = [*answer["results"], *answer["differences"]]
    if chosen is common.Format.jsonl:
        common.emit(answer, lines, (), chosen)
        return
    columns, rows = _table(answer)
    common.emit(answer, rows, columns, chosen, heading=_heading(answer), footing=_footing(answer))


def _csv(answer: dict[str, Any]) -> str:
    """A line a figure, numbers in full: for programs, which round for themselves."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in [*answer["results"], *answer["differences"]]:
        name, against = _id(one["logic"]), _id(one["against"]) if "against" in one else ""
        counts = [("rows", one["rows"]), ("unknown", one["unknown"])] if not against else []
        for measure, count in counts:
            writer.writerow([csv_safe(name), "", one["mode"], measure, count, "", ""])
        for measure in MEASURES:
            found = one[measure]
            numbers = ["" if found[part] is None else repr(found[part]) for part in ("value", "low", "high")]
            writer.writerow([csv_safe(name), csv_safe(against), one["mode"], measure, *numbers])
    return text.getvalue()


def _table(answer: dict[str, Any]) -> tuple[list[str], list[dict[str, Any]]]:
    """A line a measure, and a column for each logic and mode; logics by the letters of the heading."""
    letter = {_id(logic): letter for letter, logic in _lettered(answer)}
    columns = {f"{letter[_id(one['logic'])]} {one['mode']}": one for one in answer["results"]}
    for one in answer["differences"]:
        columns[f"{letter[_id(one['logic'])]} − {letter[_id(one['against'])]} {one['mode']}"] = one
    rows = [
        {"measure": label, **{column: _figure(one[name]) for column, one in columns.items()}}
        for name, label in LABELS.items()
    ]
    return ["measure", *columns], rows


def _figure(found: dict[str, Any]) -> str:
    if found["value"] is None:
        return ""
    sign = "+" if "clear" in found else ""
    numbers = [found[part] for part in ("value", "low", "high") if found[part] is not None]
    value, *ends = (f"{one:{sign}.3f}" for one in numbers)
    shown = f"{value} ({ends[0]} to {ends[1]})" if ends else value
    return f"{shown} *" if found.get("clear") else shown


def _extent(answer: dict[str, Any]) -> str:
    truth = answer["truth"]
    places = "one place" if truth["places"] == 1 else f"{truth['places']:,} places"
    return f"{truth['rows']:,} days of {places}, {truth['first_day']} to {truth['last_day']}"


def _source(answer: dict[str, Any]) -> str:
    return f"hindsight known by {answer['known_by'][:19]}Z | ledger #{answer['position']} root {answer['root'][:12]}"


def _heading(answer: dict[str, Any]) -> list[str]:
    lines = [f"{_extent(answer)}, true changes: {answer['truth']['changes']:,} | {_source(answer)}"]
    for letter, logic in _lettered(answer):
        unknown = " and ".join(
            f"{one['unknown']:,} days as {one['mode']}" for one in answer["results"] if one["logic"] == logic
        )
        lines.append(f"{letter}: {_id(logic)} {logic['fingerprint'][:8]}, unknown on {unknown}")
    return lines


def _footing(answer: dict[str, Any]) -> list[str]:
    lines = [f"note: {note}" for note in answer["notes"]]
    if answer["results"][0]["accuracy"]["low"] is not None:
        lines.append("in brackets: 95% intervals, from drawing whole places")
    if any(one[name]["clear"] for one in answer["differences"] for name in MEASURES):
        lines.append("* the interval of the difference leaves 0 out")
    return lines


def _lettered(answer: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """A, B, …, Z, AA, AB, …"""
    letters = (*ascii_uppercase, *map("".join, product(ascii_uppercase, repeat=2)))
    return list(zip(letters, answer["logics"], strict=False))


def _id(logic: dict[str, Any]) -> str:
    return visible(f"{logic['name']}@{logic['version']}", keep_newlines=False)
