"""The ledger's own line format: one event a line, its author fields as keys. Pure.

``{"type": "claim-reported", "claimant": "tass", "place": "Kupyansk", "state": "RU", "body": {"url": …}}``

* ``type`` is the event's name, with or without its version. ``body`` holds what can be erased.
* Places and sources may be given by any registered spelling; an exact id goes before a name. What was
  written is kept in the body.
* ``"as": "x"`` labels a line within its file; ``"&x"`` in ``target`` and ``based_on`` of a later line is the
  id of what that line recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_origin

from ledger import events
from ledger.errors import BadEvent
from ledger.importing.strict_json import Number
from ledger.importing.terms import near

#: Events a file cannot bring: they come with an act of their own, or only make sense in the ledger they
#: stand in.
REFUSED = {
    "ledger-opened": "a ledger is opened by `claims init`",
    "entry-redacted": "use `claims redact`, which erases as well",
    "logic-promoted": "use `claims replay --promote`",
}
DECIMALS = ("lat", "lon", "share")
PLACES = ("place", "parent", "into")
SOURCES = ("claimant", "source", "into")
SOURCE_LISTS = ("via", "sources")
LABELLED = ("target", "based_on")
#: The field that is an author's new id, by event: never looked up.
_OWN = {"place-registered": "place", "source-registered": "source"}


@dataclass(frozen=True, slots=True)
class Line:
    """A line as read. ``registry`` says that it names a place, source, party, question or link."""

    name: str
    data: dict[str, Any]
    body: dict[str, Any]
    label: str | None
    registry: bool
    opens: bool


def read(raw: dict[str, Any]) -> Line:
    """A line from its JSON object. Raises ``BadEvent``; fields are checked later, when names are known."""
    data = dict(raw)
    topic, body, label = data.pop("type", None), data.pop("body", None) or {}, data.pop("as", None)
    if not isinstance(topic, str):
        raise BadEvent('no "type"', remedy=f"Types: {', '.join(events.BY_NAME)}")
    name = topic.partition("/")[0]
    model = events.BY_NAME.get(name)
    if model is None or ("/" in topic and topic != model.TYPE):
        known = ", ".join(events.BY_NAME)
        raise BadEvent(f"no event type {topic!r}", remedy=f"{near(name, events.BY_NAME)}Types: {known}")
    if name in REFUSED:
        raise BadEvent(f"a {name} cannot be imported", remedy=REFUSED[name])
    if not isinstance(body, dict):
        raise BadEvent('"body" is no object', remedy='write it so: "body": {"quote": "…"}')
    if label is not None and not (isinstance(label, str) and label):
        raise BadEvent('"as" is no text', remedy="give it a short name of your own")
    for field, value in data.items():
        _check_shape(name, field, value)
    data = {field: _plain(value, field) for field, value in data.items()}
    return Line(name, data, _plain(body, "body"), label, model.REGISTRY, model.OPENS)


def _check_shape(name: str, field: str, value: Any) -> None:
    """Refuse a field that the event does not have, and one value where it has several."""
    fields = events.BY_NAME[name].model_fields
    if field not in fields:
        known = ", ".join(fields)
        raise BadEvent(f"a {name} has no field {field!r}", remedy=f"{near(field, fields)}Fields: {known}")
    if get_origin(fields[field].annotation) is tuple and not isinstance(value, list):
        raise BadEvent(f"{field} is a list", remedy=f'write it so: "{field}": ["…"]')


def _plain(value: Any, field: str) -> Any:
    """Numbers with a fraction become text where decimals are meant, and are refused elsewhere."""
    if isinstance(value, Number):
        if field not in DECIMALS:
            raise BadEvent(f"{field} is the number {value}", remedy="write it as text")
        return str(value)
    if field in DECIMALS and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, dict):
        return {name: _plain(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner, field) for inner in value]
    return value


def _kind(name: str, field: str) -> str | None:
    """Whether a field of an event names places or sources."""
    if _OWN.get(name) == field:
        return None
    if field == "into":
        return "place" if name.startswith("place") else "source"
    if field in PLACES:
        return "place"
    return "source" if field in SOURCES or field in SOURCE_LISTS else None


def _is_name(text: Any) -> bool:
    return isinstance(text, str) and bool(text)


def resolve(
    line: Line, lookup: Callable[[str, str], str], label: Callable[[str], str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Author fields with ids for names and labels, and the body with what was written.

    ``lookup(kind, text)`` gives an id, ``label(name)`` the entry of a labelled line; both raise
    ``LedgerError`` where there is none.
    """
    data, written = dict(line.data), {}
    for field, value in line.data.items():
        kind = _kind(line.name, field)
        if kind is not None and isinstance(value, list):
            data[field] = [lookup(kind, one) if _is_name(one) else one for one in value]
        elif kind is not None and _is_name(value):
            data[field] = lookup(kind, value)
        elif field in LABELLED and isinstance(value, list):
            data[field] = [_labelled(one, label) for one in value]
        elif field in LABELLED:
            data[field] = _labelled(value, label)
        if kind is not None and data[field] != value:
            written[field] = " ← ".join(value) if isinstance(value, list) else value
    if not written:
        return data, line.body
    kept = line.body.get("as_written")
    return data, {**line.body, "as_written": {**written, **(kept if isinstance(kept, dict) else {})}}


def _labelled(value: Any, label: Callable[[str], str]) -> Any:
    return label(value[1:]) if isinstance(value, str) and value.startswith("&") else value
