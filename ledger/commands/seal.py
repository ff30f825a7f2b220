"""``claims seal``: a closed copy that verifies from where nothing can be written."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ledger import sealing
from ledger.commands import common
from ledger.settings import database


def seal(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The copy to make.", show_default=False)],
    db: common.DbOption = None,
) -> None:
    """Make a closed, read-only copy: the database, its checkpoints, its public key and its time stamps.

    It can be asked and verified from a CD or an archive (`claims verify --db FILE`); nothing can be appended to it. Who
    gets it should have the public key, or a checkpoint, by another way.
    """
    path = database(db)
    common.check_target(target, path)
    files = sealing.seal(path, target)
    for one in files:
        print(common.cell(str(one)))
    common.say("sealed and verified; hand out the .key file by another way than the rest")
