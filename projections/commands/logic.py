"""``claims logic list``: the logics at hand, and the state of their views."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common
from ledger.errors import Usage
from projections.belief.params import Row
from projections.commands import common as asking
from projections.registry import DEFAULT, fingerprint, installed

COLUMNS = ("logic", "fingerprint", "view", "position", "behind", "default", "summary")


def logic(
    what: Annotated[str, typer.Argument(help="list")] = "list",
    params: Annotated[bool, typer.Option("--params", help="Print the table of assumptions instead.")] = False,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Every installed logic and every view beside the ledger: fresh, behind, or due for a replay. --params
    prints the assumptions of the default logic with their units."""
    chosen = common.chosen_format(format, json)
    if what != "list":
        raise Usage(
            f"{what!r} is nothing to do with a logic",
            remedy="`claims logic list`; `claims replay` builds a view",
        )
    if params:
        rows = [row._asdict() for row in installed_params()]
        common.emit(
            {"schema": "params/1", "params": rows}, rows, ("name", "value", "unit", "meaning"), chosen
        )
        return
    with asking.open_desk(db) as desk:
        stamps = desk.views.stamps()
        here = {one.id: one for one in installed()}
        rows = []
        for name in sorted(here.keys() | stamps.keys()):
            stamp = stamps.get(name)
            mark = fingerprint(here[name]) if name in here else None
            state = "none" if stamp is None else "own file" if mark is None else "fresh"
            if stamp is not None and mark is not None and stamp.fingerprint != mark:
                state = "replay due"
            rows.append(
                {
                    "logic": name,
                    "fingerprint": (mark or (stamp.fingerprint if stamp else ""))[:16],
                    "view": state,
                    "position": stamp.position if stamp else None,
                    "behind": desk.head - stamp.position if stamp else None,
                    "default": name.partition("@")[0] == DEFAULT,
                    "summary": here[name].summary if name in here else "",
                }
            )
    common.emit({"schema": "logic/1", "logics": rows}, rows, COLUMNS, chosen)


def installed_params() -> list[Row]:
    """The declared table of assumptions of the default logic."""
    from projections.registry import load

    return list(load().logic.params.describe())
