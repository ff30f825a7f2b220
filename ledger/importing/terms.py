"""The words a map may use, and what is wrong with one that has the right shape but makes no sense. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, get_args

from ledger.events import Act

if TYPE_CHECKING:
    from ledger.importing.maps import Map

SCHEMA = "claims-map/1"

DATES = ("valid", "said", "published")
BODY = ("url", "title", "quote", "note", "content_sha256")
LISTS = ("via",)
FIELDS = (
    *("claimant", "via", "act", "question", "place", "extent", "share", "state", "negated"),
    *DATES,
    *("valid_kind", "target", "key"),
    *BODY,
)
#: What may be registered, and from which fields. ``party`` is a table of ids and names instead.
REGISTERED = {
    "place": ("id", "names", "aliases", "kind", "parent", "region", "lat", "lon", "precision"),
    "source": ("id", "names", "aliases", "kind", "side"),
    "via": ("id", "names", "aliases", "kind", "side"),
}
#: Fields a table of values may be given for: those of a row, and two of a source that is registered.
TABLED = (*FIELDS, "kind", "side")
#: What a row may do: the acts of a claim, and ending what is displayed.
ACTS = (*get_args(Act), "withdraws")
SLUG = "slug"  # {slug} in a template of [register.*] is made of the name


def near(word: str, known: Iterable[str]) -> str:
    """``Did you mean …? `` or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean {found[0]!r}? " if found else ""


def complaints(read: Map) -> Iterator[str]:
    """What is wrong in a map whose tables have the right shape, worst first; each in one line."""
    if read.schema_name != SCHEMA:
        yield f"the schema {read.schema_name!r} is not known; this version reads {SCHEMA!r}"
    for table, known in (
        ("constants", FIELDS),
        ("columns", FIELDS),
        ("templates", FIELDS),
        ("split", LISTS),
        ("values", TABLED),
        ("dates", DATES),
        ("register", (*REGISTERED, "party")),
    ):
        names = getattr(read, "register_as" if table == "register" else table)
        yield from _unknown(table, names, known)
    for kind, fields in read.register_as.items():
        yield from _unknown(f"register.{kind}", fields, REGISTERED.get(kind, tuple(fields)))
    for field in FIELDS:
        sources = [table for table in ("constants", "columns", "templates") if field in getattr(read, table)]
        if len(sources) > 1:
            yield f"{field} is given twice: in [{sources[0]}] and in [{sources[1]}]"
    yield from _missing(read)
    yield from _misplaced(read)


def _unknown(table: str, names: Iterable[str], known: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if name not in known:
            hint = near(name, known)
            yield f"[{table}] knows no {name!r}. {hint}Known: {', '.join(known)}"


def _missing(read: Map) -> Iterator[str]:
    for field in ("place", "claimant"):
        if field not in read.fields:
            yield f"no {field}: give it in [columns], [templates] or [constants]"
    if not {"state", "target"} & set(read.fields):
        yield "no state: give it in [columns], [templates] or [constants]"
    if read.standing and "published" not in read.fields:
        yield "a standing map needs published: when the display was seen"
    for field, rule in read.dates.items():
        if rule.relative_to and rule.relative_to not in read.fields:
            yield f"[dates.{field}] hangs on {rule.relative_to}, which the map does not fill"
        if rule.relative_to and (field == "published" or rule.relative_to == field):
            yield f"[dates.{field}] cannot hang on {rule.relative_to}"


def _misplaced(read: Map) -> Iterator[str]:
    for field in read.fields:
        for table in ("constants", "columns"):
            if field not in LISTS and len(getattr(read, table).get(field, ())) > 1:
                yield f"[{table}] {field} takes one value, not a list"
    if read.standing:
        for field in ("key", "target"):
            if field in read.fields:
                yield f"a standing map cannot fill {field}"
    elif "list_rules" in read.model_fields_set:
        yield "[list] is for maps with `standing = true`"
