"""``claims observe``: record that a map or list was looked at again and shows what it showed."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.recording import Form, recording


@recording
def observe(
    form: Form,
    source: opt.SourceArgument,
    place: Annotated[
        str | None,
        typer.Argument(
            metavar="PLACE",
            help="One place; the whole display if left out.",
            autocompletion=common.complete_place,
            show_default=False,
        ),
    ] = None,
    *,
    report: opt.Report,
    question: common.QuestionOption = common.CONTROL,
) -> None:
    """Record that a standing display was seen unchanged: its evidence then lasts until that day.

    Without a PLACE, everything it shows was seen. Without any date, it was seen now.
    """
    data = {
        "source": form.source(source),
        "question": question,
        "place": form.place(place) if place is not None else None,
        **form.report(report),
    }
    form.now_unless_dated(data)
    form.record("display-observed", data, report)
