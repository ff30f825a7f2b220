"""``claims source``: register a source, or add to what is known of one."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import common, fields, registry
from ledger.commands import options as opt
from ledger.commands.recording import Form, recording
from ledger.errors import UnknownName


@recording
def source(
    form: Form,
    id: Annotated[
        str,
        typer.Argument(help="Its id; an opaque one for a person at risk.", metavar="ID", show_default=False),
    ],
    *,
    name: opt.NamesOption = None,
    alias: opt.AliasesOption = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--kind",
            help="official, military-unit, agency, outlet, milblogger, osint, map, list, eyewitness, analyst, other.",
            show_default=False,
        ),
    ] = None,
    side: Annotated[
        str | None,
        typer.Option("--side", metavar="PARTY|none", help="The party it belongs to.", show_default=False),
    ] = None,
    merge_into: opt.MergeOption = None,
    note: common.NoteOption = None,
) -> None:
    """Register a source under an id; where the id is registered already, describe it: only what is new is kept.

    Names lie in the erasable part of the entry, ids stay for ever. --side none says that it belongs to no
    party. --merge-into says that two ids are one source.
    """
    known = registry.known_source(form.directory, id)
    if known is None and merge_into is not None and not name:
        raise UnknownName(f"no source with the id {id!r}", remedy="`claims sources` lists those known")
    fields.point_out(*(name or ()))
    no_side = side == "none"
    change = registry.source_change(
        form.directory,
        id,
        fields.listed(name),
        fields.listed(alias),
        kind,
        None if no_side else form.party(side),
        no_side,
    )
    drafts = []
    if change is not None:
        drafts.append(form.draft(change[0], change[1], None, **change[2], note=note))
    if merge_into is not None:
        drafts.append(form.draft("source-merged", {"source": known or id, "into": form.source(merge_into)}))
    form.register(f"source:{known or id}", drafts)
