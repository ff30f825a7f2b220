"""``claims judge``: record an analyst's ruling on one claim."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import options as opt
from ledger.commands.recording import Form, recording


@recording
def judge(
    form: Form,
    claim: opt.EntryArgument,
    verdict: Annotated[
        str, typer.Argument(metavar="VERDICT", help="true, false or unverifiable.", show_default=False)
    ],
    *,
    ruling: opt.Ruling,
) -> None:
    """Record that an analyst found a claim true, false or unverifiable.

    It weighs much, and settles nothing for ever: a later ruling reverses it. To say what was the case
    whoever claimed it, `claims rule`.
    """
    data = {"target": form.entry(claim), "verdict": verdict, **form.ruling(ruling)}
    form.record("claim-adjudicated", data, ruling)
