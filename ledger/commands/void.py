"""``claims void``: record that evidence was found to be worthless."""

from __future__ import annotations

from ledger.commands import options as opt
from ledger.commands.recording import Form, recording


@recording
def void(form: Form, evidence: opt.EntryArgument, *, ruling: opt.Ruling) -> None:
    """Record that evidence is worthless (staged, from elsewhere, old): it goes, and all that leans on it.

    The entry stays in the ledger; what was believed because of it can still be asked for by an earlier date.
    """
    form.record("evidence-voided", {"target": form.entry(evidence), **form.ruling(ruling)}, ruling)
