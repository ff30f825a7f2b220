"""What registers a place or source, or adds to one that is registered already: only what is new is recorded.

Pure; used by ``claims place`` and ``claims source``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.commands.fields import given
from ledger.directory import Directory

Change = tuple[str, dict[str, Any], dict[str, Any]]
"""An event's name, its author fields and its body."""


def known_place(directory: Directory, id: str) -> str | None:
    """The canonical id of a place given by its id, an alias or an id merged into it; None if unknown."""
    if id in directory.places:
        return id
    found = directory.place_id(id)
    return found if found in directory.places else None


def known_source(directory: Directory, id: str) -> str | None:
    """The canonical id of a source given by its id or an alias; None if unknown."""
    if id in directory.sources:
        return id
    return next((source.id for source in directory.sources.values() if id in source.aliases), None)


def place_change(
    directory: Directory, id: str, names: Sequence[str], aliases: Sequence[str], values: dict[str, Any]
) -> Change | None:
    """The event that makes this so; None where it is so already."""
    known = known_place(directory, id)
    if known is None:
        return "place-registered", given({"place": id, "names": names, "aliases": aliases, **values}), {}
    place = directory.places[known]
    added = {
        "names": _missing(names, place.names),
        "aliases": _missing(aliases, [place.id, *place.aliases]),
        **{name: value for name, value in values.items() if value != getattr(place, name)},
    }
    found = given(added)
    return ("place-described", {"place": known, **found}, {}) if found else None


def source_change(
    directory: Directory,
    id: str,
    names: Sequence[str],
    aliases: Sequence[str],
    kind: str | None,
    side: str | None,
    no_side: bool,
) -> Change | None:
    """The event that makes this so; None where it is so already. ``no_side`` takes a side away."""
    known = known_source(directory, id)
    if known is None:
        data = {"source": id, "kind": kind, "side": side, "aliases": aliases}
        return "source-registered", given(data), given({"names": names})
    source = directory.sources[known]
    found = given(
        {
            "kind": kind if kind != source.kind else None,
            "side": side if side != source.side else None,
            "no_side": True if no_side and source.side is not None else None,
            "aliases": _missing(aliases, [source.id, *source.aliases]),
        }
    )
    body = given({"names": _missing(names, source.names)})
    return ("source-described", {"source": known, **found}, body) if found or body else None


def _missing(wanted: Sequence[str], present: Sequence[str]) -> list[str]:
    return [one for one in wanted if one not in present]
