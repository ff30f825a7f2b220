"""``claims correct``: our record was wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.corrections import read
from ledger.commands.recording import Form, recording
from ledger.errors import Usage
from ledger.life import life


@recording
def correct(
    form: Form,
    entry: opt.EntryArgument,
    *,
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="FIELD=VALUE", help="The right value; repeatable.", show_default=False),
    ],
    by: opt.AnalystOption = None,
    reason: common.ReasonOption = None,
) -> None:
    """Correct fields of an entry that was recorded wrongly, or that an outlet misdated.

    FIELD= empties a field. Members of a list are separated by commas ("quote" one that holds a comma). The
    first entry stays readable, and the correction acts at every moment asked about, save behind --recorded-by.
    """
    lived = life(form.ledger, entry)
    correction = read(form, lived, set_)
    data = {"target": lived.recorded.entry, "changes": correction.data, "by": by}
    draft = form.draft("entry-corrected", data, None, changes=correction.body, reason=reason)
    if not correction.shown and form.would_be_new(draft):
        raise Usage(
            "nothing to correct: it says so already",
            where=lived.recorded.entry,
            remedy=f"`claims show {lived.recorded.entry}` shows it",
        )
    form.send([draft], changes=correction.shown)
    if form.plain:
        for change in correction.shown:
            print(f"{change['field']}: {change['before']} → {change['after']}")
