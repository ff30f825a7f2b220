"""``claims append``: record what somebody is reported to have said of a place."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.recording import Form, recording


@recording
def append(
    form: Form,
    place: opt.PlaceArgument,
    state: opt.StateArgument = None,
    *,
    by: opt.ByOption,
    act: Annotated[
        str, typer.Option("--act", help="asserts, denies, doubts, concedes or predicts.")
    ] = "asserts",
    report: opt.Report,
    valid_kind: opt.ValidKindOption = "at",
    extent: opt.ExtentOption = "whole",
    share: Annotated[
        str | None, typer.Option("--share", help="Which share of the place, 0 to 1.", show_default=False)
    ] = None,
    standing: Annotated[
        bool, typer.Option("--standing", help="A map or list displays it until it changes.")
    ] = False,
    target: opt.TargetOption = None,
    based_on: opt.BasedOnOption = None,
    question: common.QuestionOption = common.CONTROL,
    expected: Annotated[
        int | None,
        typer.Option(
            "--expected", help="Refuse unless the ledger ends at this position.", show_default=False
        ),
    ] = None,
) -> None:
    """Record a claim: who is reported to have said what of a place, by which chain, speaking of when.

    Nothing is overwritten. The same claim of the same report is recorded once; one that differs from an
    earlier claim by the year alone is recorded and warned about. STATE may be left out where a --target is
    denied or doubted as such. Dates are EDTF, or words such as yesterday, read against --published.
    """
    data = {
        "claimant": form.source(by),
        "act": act,
        "question": question,
        "place": form.place(place),
        **form.state(question, state),
        **form.report(report),
        "valid_kind": valid_kind,
        "extent": extent,
        "share": share,
        "standing": standing,
        "target": form.entry(target),
        "based_on": form.entries(based_on),
    }
    if standing:
        form.now_unless_dated(data)
    form.send([form.draft("claim-reported", data, report)], expected=expected)
