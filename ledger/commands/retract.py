"""``claims retract``: record that the one who said it took it back."""

from __future__ import annotations

from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.recording import Form, recording


@recording
def retract(
    form: Form,
    entry: opt.EntryArgument,
    *,
    by: opt.ByOption,
    via: opt.ViaOption = None,
    said: opt.SaidOption = None,
    published: opt.PublishedOption = None,
    url: opt.UrlOption = None,
    quote: opt.QuoteOption = None,
    reason: common.ReasonOption = None,
) -> None:
    """Record that a source took back what it said: ENTRY then counts up to the day this became known.

    Only its own author can take an entry back. Where our record was wrong, `claims correct` it; where
    another source contradicts, `claims append … --act denies --target` it.
    """
    report = opt.Report(via=via, said=said, published=published, url=url, quote=quote)
    data = {
        "target": form.entry(entry),
        "source": form.source(by),
        **form.report(report, "said"),
    }
    form.record("entry-retracted", data, report, reason=reason)
