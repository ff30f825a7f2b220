"""``claims place``: register a place, or add to what is known of one."""

from __future__ import annotations

from typing import Annotated

import typer

from ledger.commands import fields, registry
from ledger.commands import options as opt
from ledger.commands.recording import Form, recording
from ledger.errors import UnknownName, Usage


@recording
def place(
    form: Form,
    id: Annotated[
        str, typer.Argument(help="Its id, such as geonames:703656.", metavar="ID", show_default=False)
    ],
    *,
    name: opt.NamesOption = None,
    alias: opt.AliasesOption = None,
    kind: Annotated[
        str | None, typer.Option("--kind", help="town, oblast …; part for a named part.", show_default=False)
    ] = None,
    parent: Annotated[
        str | None, typer.Option("--parent", metavar="PLACE", help="What it lies in.", show_default=False)
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", help="Tells homonyms apart.", show_default=False)
    ] = None,
    lat: Annotated[str | None, typer.Option("--lat", help="Decimal degrees.", show_default=False)] = None,
    lon: Annotated[str | None, typer.Option("--lon", help="Decimal degrees.", show_default=False)] = None,
    precision: Annotated[
        int | None,
        typer.Option("--precision", help="1 (exact) to 7, as UCDP counts.", show_default=False),
    ] = None,
    merge_into: opt.MergeOption = None,
    attribute: Annotated[
        str | None, typer.Option("--attribute", help="A figure, such as population.", show_default=False)
    ] = None,
    value: Annotated[str | None, typer.Option("--value", help="What it is.", show_default=False)] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="Who gives the figure.", show_default=False)
    ] = None,
    report: opt.Report,
) -> None:
    """Register a place under an id; where the id is registered already, describe it: only what is new is kept.

    Every spelling that sources use should be a --name: nothing is transliterated, nothing is guessed. The
    chain, the dates and the page belong to an --attribute. --merge-into says that two ids are one place.
    """
    if (attribute is None) != (value is None):
        raise Usage("--attribute and --value go together", remedy="give both or neither")
    if attribute is None and (source or report != opt.Report()):
        raise Usage("a source, a date or a page goes with a figure", remedy="give --attribute and --value")
    known = registry.known_place(form.directory, id)
    if known is None and not name:
        raise UnknownName(f"no place with the id {id!r}", remedy="to register it, give at least one --name")
    fields.point_out(*(name or ()))
    values = {"kind": kind, "parent": parent and form.place(parent, "parent"), "region": region}
    values = fields.given({**values, "lat": lat, "lon": lon, "precision": precision})
    change = registry.place_change(form.directory, id, fields.listed(name), fields.listed(alias), values)
    drafts = [form.draft(*change[:2])] if change is not None else []
    if attribute is not None:
        figure = {"place": known or id, "attribute": attribute, "value": value}
        figure |= {"source": source and form.source(source), **form.report(report)}
        drafts.append(form.draft("place-described", figure, report))
    if merge_into is not None:
        merged = {"place": known or id, "into": form.place(merge_into, "into")}
        drafts.append(form.draft("place-merged", merged))
    form.register(f"place:{known or id}", drafts)
