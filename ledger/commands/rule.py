"""``claims rule``: record an analyst's ruling on what was the case."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.recording import Form, recording
from ledger.errors import Usage


@recording
def rule(
    form: Form,
    place: opt.PlaceArgument,
    state: Annotated[str, typer.Argument(metavar="STATE", help="A party, contested …", show_default=False)],
    *,
    valid: Annotated[
        str, typer.Option("--valid", metavar="EDTF", help="The time it speaks of.", show_default=False)
    ],
    valid_kind: Annotated[
        str, typer.Option("--valid-kind", help="at: some day of it; throughout: every day of it.")
    ] = "at",
    ruling: opt.Ruling,
    question: common.QuestionOption = common.CONTROL,
) -> None:
    """Record that an analyst found a place to have been in a state at, or throughout, a time.

    This names the truth as the desk sees it, from which the record of sources is reckoned. To decide on one
    claim only, `claims judge`.
    """
    found = form.state(question, state)
    if found.pop("negated"):
        raise Usage(f"{state!r} names no state", remedy="rule on the state the place was in")
    data = {
        "question": question,
        "place": form.place(place),
        **found,
        "valid": form.date("valid", valid),
        "valid_kind": valid_kind,
        **form.ruling(ruling),
    }
    form.record("state-ruled", data, ruling)
