"""Arguments and options that several recording commands take, each defined once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer

from ledger.commands import common

_option = partial(typer.Option, show_default=False)
_argument = partial(typer.Argument, show_default=False)

PlaceArgument = Annotated[
    str,
    _argument(
        metavar="PLACE", help="Place, in any registered spelling.", autocompletion=common.complete_place
    ),
]
StateArgument = Annotated[str | None, _argument(metavar="STATE", help="A party, contested, not-RU …")]
SourceArgument = Annotated[
    str,
    _argument(
        metavar="SOURCE", help="Source, in any registered spelling.", autocompletion=common.complete_source
    ),
]
EntryArgument = Annotated[str, _argument(help="An id, its beginning, or '#N'.", metavar="ENTRY")]

ByOption = Annotated[
    str, _option("--by", metavar="SOURCE", help="Who says so.", autocompletion=common.complete_source)
]
AnalystOption = Annotated[str | None, _option("--by", metavar="WHO", help="The analyst who decides.")]
RuledOption = Annotated[
    str | None, _option("--ruled", metavar="EDTF", help="When it was decided, if not on recording it.")
]
ViaOption = Annotated[
    str | None, _option("--via", metavar="S,S", help="Carriers from the claimant outward, by commas.")
]
ValidOption = Annotated[
    str | None, _option("--valid", metavar="EDTF", help="When it is supposed to have been so.")
]
SaidOption = Annotated[str | None, _option("--said", metavar="EDTF", help="When the source said it.")]
PublishedOption = Annotated[
    str | None, _option("--published", metavar="EDTF", help="When the world could know.")
]
ValidKindOption = Annotated[
    str, typer.Option("--valid-kind", help="How --valid is meant: at, throughout, since or within.")
]
ExtentOption = Annotated[str, typer.Option("--extent", help="whole or part.")]
TargetOption = Annotated[str | None, _option("--target", metavar="ENTRY", help="The entry it speaks of.")]
BasedOnOption = Annotated[
    list[str] | None, _option("--based-on", metavar="ENTRY", help="Evidence it leans on; repeatable.")
]
UrlOption = Annotated[str | None, _option("--url", help="Where it was found (never fetched; erasable).")]
TitleOption = Annotated[str | None, _option("--title", help="Its headline (erasable).")]
QuoteOption = Annotated[str | None, _option("--quote", help="The words themselves (erasable).")]
NamesOption = Annotated[
    list[str] | None, _option("--name", help="A spelling, in any script; repeatable, the first is shown.")
]
AliasesOption = Annotated[
    list[str] | None, _option("--alias", metavar="ID", help="Another id of the same; repeatable.")
]
MergeOption = Annotated[str | None, _option("--merge-into", metavar="ID", help="It is the same as this one.")]


@dataclass(frozen=True, slots=True)
class Report:
    """How it became known: the carriers, the clocks, and the page. Expanded into one option a field."""

    via: ViaOption = None
    valid: ValidOption = None
    said: SaidOption = None
    published: PublishedOption = None
    url: UrlOption = None
    title: TitleOption = None
    quote: QuoteOption = None
    note: common.NoteOption = None


@dataclass(frozen=True, slots=True)
class Ruling:
    """Who decided, when and why. Expanded into one option a field."""

    by: AnalystOption = None
    ruled: RuledOption = None
    reason: common.ReasonOption = None


@dataclass(frozen=True, slots=True)
class Call:
    """What every recording command takes: where to record, as whom, and how to say what became of it."""

    key: common.KeyOption = None
    db: common.DbOption = None
    actor: common.ActorOption = None
    dry_run: common.DryRunOption = False
    format: common.FormatOption = None
    json: common.JsonOption = False
