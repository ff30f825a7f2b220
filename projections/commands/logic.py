"""``claims logic list``: the logics at hand, and the state of their views."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ledger.commands import common
from ledger.errors import Usage
from ledger.settings import database
from projections import promotion
from projections.belief.params import Row
from projections.commands import common as asking
from projections.desk import views_folder
from projections.registry import fingerprint, installed, load
from projections.view import Stamp
from projections.views import Views
from projections.voicing import voices

COLUMNS = ("logic", "fingerprint", "status", "view", "position", "behind", "code", "summary")


def logic(
    what: Annotated[str, typer.Argument(help="list, or voices")] = "list",
    source: Annotated[
        list[str] | None,
        typer.Argument(
            help="With voices: these sources.", autocompletion=common.complete_source, show_default=False
        ),
    ] = None,
    params: Annotated[bool, typer.Option("--params", help="Print the table of assumptions instead.")] = False,
    logic: asking.LogicOption = None,
    as_of: Annotated[
        str | None,
        typer.Option("--as-of", metavar="T", help="With voices: as learnt by then.", show_default=False),
    ] = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Every logic that is installed, was promoted, or has a view beside the ledger: which is live, which a
    rollback goes back to, which view is behind or due for a replay. --params prints the assumptions of the
    default logic with their units.

    `claims logic voices [SOURCE]...` prints how the logic of --logic hears each source: how likely it is to say
    a thing under each state, as learnt by --as-of, or as assumed of its side where nothing was learnt."""
    chosen = common.chosen_format(format, json)
    if what == "voices":
        _voices(logic, source, as_of, question, db, chosen)
        return
    if what != "list" or source:
        raise Usage(
            f"{' '.join((what, *(source or ())))!r} is nothing to do with a logic",
            remedy="`claims logic list`; `claims logic voices SOURCE`; `claims replay` builds a view",
        )
    if params:
        rows = [row._asdict() for row in installed_params()]
        common.emit(
            {"schema": "params/1", "params": rows}, rows, ("name", "value", "unit", "meaning"), chosen
        )
        return
    with common.open_ledger(db, readonly=True) as ledger:
        head = ledger.store.head().size
        stamps = Views(ledger, views_folder(database(db))).stamps()
        standing = promotion.stack(promotion.history(ledger))
    rows = _rows(stamps, standing, head)
    common.emit({"schema": "logic/1", "position": head, "logics": rows}, rows, COLUMNS, chosen)


def _voices(
    logic: str | None,
    sources: list[str] | None,
    as_of: str | None,
    question: str,
    db: str | None,
    chosen: common.Format,
) -> None:
    with asking.open_desk(db, logic) as desk:
        desk.directory.question(question)
        wanted = [desk.directory.resolve_source(one) for one in sources] if sources else None
        answer = voices(desk, question, desk.known(as_of), wanted)
    rows = [row for one in answer["voices"] for row in _whole(one)]
    columns = (
        "source",
        "side",
        "learnt",
        "how",
        "what",
        *(name for name in (rows[0] if rows else ()) if "when" in name),
    )
    before = answer["learnt_before"]
    told = f"learnt before {before[:10]}, at #{answer['learnt_at']}" if before else "nothing learnt"
    identity = answer["logic"]
    heading = f"{identity['name']}@{identity['version']} {identity['fingerprint'][:8]} | {told}"
    listed = answer["voices"] if chosen is common.Format.jsonl else rows
    common.emit(answer, listed, columns, chosen, heading=[heading])


def _whole(voice: dict[str, Any]) -> list[dict[str, Any]]:
    """What a source says of a whole place; and what it shows, where that is what was learnt of it."""
    hows = [how for how, learnt in voice["learnt"].items() if learnt] or ["says"]
    return [
        {
            "source": voice["name"],
            "side": voice["side"],
            "learnt": voice["learnt"][how],
            "how": how,
            "what": what,
        }
        | {f"when {state}": f"{p:.3f}" for state, p in shares.items()}
        for how in hows
        for what, shares in voice[how].items()
        if what in shares
    ]


def _rows(stamps: list[Stamp], standing: list[promotion.Promoted], head: int) -> list[dict[str, Any]]:
    """One line for each logic, version and fingerprint that is installed, promoted, kept or has a view."""
    here = {(one.id, fingerprint(one)): one.summary for one in installed()}
    made = {(one.logic, one.fingerprint): one for one in stamps}
    promoted = [(one.id, one.fingerprint) for one in standing]
    default = load()
    base = (default.logic.id, default.fingerprint)
    live = promoted[-1] if promoted else base
    rows = []
    for name, mark in sorted({*here, *made, *promoted, live}):
        stamp = made.get((name, mark))
        runs = (name, mark) in here or bool(promotion.kept(name, mark) or promotion.kept(name, mark, ".toml"))
        rows.append(
            {
                "logic": name,
                "fingerprint": mark[:16],
                "status": _status((name, mark), live, promoted, base, runs),
                "view": "none" if stamp is None else "fresh" if stamp.position == head else "behind",
                "position": stamp.position if stamp else None,
                "behind": head - stamp.position if stamp else None,
                "default": (name, mark) == live,
                "code": "installed" if (name, mark) in here else "kept" if runs else "gone",
                "summary": here.get((name, mark), ""),
            }
        )
    return rows


def _status(
    one: tuple[str, str],
    live: tuple[str, str],
    promoted: list[tuple[str, str]],
    base: tuple[str, str],
    runs: bool,
) -> str:
    """``live``; ``rollback`` for what ``--rollback`` goes back to; ``before`` for what was live before that;
    ``replay due`` where the code that made it is gone; else ``candidate``."""
    if one == live:
        return "live" if runs else "live, replay due"
    if promoted and one == (promoted[-2] if len(promoted) > 1 else base):
        return "rollback"
    if not runs:
        return "replay due"
    return "before" if one in promoted or one == base else "candidate"


def installed_params() -> list[Row]:
    """The declared table of assumptions of the default logic."""
    from projections.registry import load

    return list(load().logic.params.describe())
