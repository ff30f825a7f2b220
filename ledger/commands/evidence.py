"""``claims evidence``: record footage, imagery, a geolocation or a document."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.recording import Form, recording


@recording
def evidence(
    form: Form,
    place: opt.PlaceArgument,
    state: opt.StateArgument = None,
    *,
    by: opt.ByOption,
    kind: Annotated[
        str, typer.Option("--kind", help="footage, geolocation, imagery, document or other.")
    ] = "footage",
    report: opt.Report,
    extent: opt.ExtentOption = "part",
    target: opt.TargetOption = None,
    based_on: opt.BasedOnOption = None,
    question: common.QuestionOption = common.CONTROL,
) -> None:
    """Record evidence: what it shows of which place, and when. STATE is whose presence it shows, if any.

    Showing presence is not showing control, and footage may itself be doubted: `claims append … --act doubts
    --target` it, or `claims void` it.
    """
    data = {
        "source": form.source(by),
        "kind": kind,
        "question": question,
        "place": form.place(place),
        **form.state(question, state),
        **form.report(report),
        "extent": extent,
        "target": form.entry(target),
        "based_on": form.entries(based_on),
    }
    form.record("evidence-reported", data, report)
