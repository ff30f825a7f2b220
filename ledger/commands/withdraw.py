"""``claims withdraw``: record that a map or list stopped displaying a state of a place."""

from __future__ import annotations

from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.recording import Form, recording


@recording
def withdraw(
    form: Form,
    source: opt.SourceArgument,
    place: opt.PlaceArgument,
    *,
    report: opt.Report,
    question: common.QuestionOption = common.CONTROL,
) -> None:
    """Record that a standing source no longer shows any state of a place.

    Neither a denial (it does not say the contrary) nor a retraction (it does not say that it was wrong).
    Without any date, it was noticed now.
    """
    data = {
        "source": form.source(source),
        "question": question,
        "place": form.place(place),
        **form.report(report),
    }
    form.now_unless_dated(data)
    form.record("claim-withdrawn", data, report)
