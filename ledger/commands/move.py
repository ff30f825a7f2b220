"""``claims move``: a ledger from a file to a server, or back."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger import moving
from ledger.commands import common
from ledger.errors import Usage
from ledger.places import location


def move(
    source: Annotated[str, typer.Argument(help="The ledger: a file, or postgresql://…", metavar="SOURCE")],
    target: Annotated[str, typer.Argument(help="Where it is to be; nothing may be there.", metavar="TARGET")],
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Copy a ledger to another place: the same bytes, positions, bodies, root, settings and checkpoints.

    From a file to a PostgreSQL server, back, or from file to file. The source stays as it is. Both are signed with the
    same key from here on: append to one of them only, or there are two records of one name. `claims verify` looks at
    the copy whole.
    """
    chosen = common.chosen_format(format, json)
    here, there = location(source), location(target)
    if here == there:
        raise Usage(f"{here} is named twice", remedy="name another place")
    with common.counting("copying") as progress:
        moved = moving.move(here, there, progress)
    row = {
        "source": str(here),
        "db": str(there),
        "position": moved.head.size,
        "root": moved.head.root.hex(),
        "bodies": moved.bodies,
        "checkpoint_bytes": moved.checkpoints,
    }
    if chosen is not common.Format.table:
        common.emit({"schema": "move/1", **row}, [row], tuple(row), chosen)
        return
    print(common.cell(f"{there}: {moved.head.size:,} events, {moved.bodies:,} bodies, root {row['root']}"))
    common.say(f"{here} is as it was; append to one of the two from here on")
