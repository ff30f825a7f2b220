"""``claims link``: record that sources speak with one voice."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common
from ledger.commands.recording import Form, recording
from ledger.errors import Usage


@recording
def link(
    form: Form,
    sources: Annotated[
        list[str],
        typer.Argument(
            help="Two sources or more.",
            metavar="SOURCE SOURCE…",
            autocompletion=common.complete_source,
            show_default=False,
        ),
    ],
    *,
    valid: Annotated[
        str | None,
        typer.Option(
            "--valid", metavar="EDTF", help="While this lasted; always, if left out.", show_default=False
        ),
    ] = None,
    unlink: Annotated[bool, typer.Option("--unlink", help="End an earlier link.")] = False,
    reason: common.ReasonOption = None,
) -> None:
    """Link sources that speak with one voice (brigade and corps, ministry and agency): one origin, not two.

    What they said is not changed; it is no longer counted as said independently.
    """
    members = sorted({form.source(one) for one in sources})
    if len(members) < 2:
        raise Usage("one source alone cannot be linked", remedy="name two or more: `claims link S1 S2`")
    data = {"sources": members, "valid": form.date("valid", valid), "unlink": unlink}
    form.record("sources-linked", data, reason=reason)
