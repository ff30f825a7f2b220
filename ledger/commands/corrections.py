"""From ``--set field=value`` to the changes of a correction: names to ids, words to dates, commas to lists."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_origin

from ledger.commands.common import cell
from ledger.commands.recording import Form
from ledger.errors import BadEvent, Usage
from ledger.events import BY_NAME
from ledger.life import Life

DATES = ("valid", "said", "published", "ruled")
PLACES = ("place", "parent")
SOURCES = ("claimant", "source", "via", "sources")
ENTRIES = ("target", "based_on")
BODY = ("url", "title", "quote", "note", "reason", "names")
_YES, _NO = ("true", "yes", "1"), ("false", "no", "0")


@dataclass(slots=True)
class Correction:
    """What is to be in the envelope (``data``) and in the body; ``shown`` is what differs, before and after."""

    data: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    shown: list[dict[str, str]] = field(default_factory=list)


def read(form: Form, lived: Life, assignments: Sequence[str]) -> Correction:
    """The changes typed, checked against the fields the entry has."""
    correction = Correction()
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise Usage(
                f"{assignment!r} is no FIELD=VALUE",
                where="--set",
                remedy="write it so: --set said=2025-12-16",
            )
        in_envelope = name in BY_NAME[lived.recorded.name].model_fields
        if not in_envelope and name not in BODY:
            raise _unknown(lived, name)
        for change, value in _changes(form, lived, name, text.strip()).items():
            (correction.data if in_envelope else correction.body)[change] = value
            before = _shown((lived.data if in_envelope else lived.body).get(change))
            if before != _shown(value):
                correction.shown.append({"field": change, "before": before, "after": _shown(value)})
    return correction


def _unknown(lived: Life, name: str) -> BadEvent:
    fields = [one for one in BY_NAME[lived.recorded.name].model_fields if one != "key"]
    known = ", ".join(dict.fromkeys((*fields, *BODY)))
    return BadEvent(
        f"a {lived.recorded.name} has no field {name!r}", where="--set", remedy=f"Fields: {known}"
    )


def _changes(form: Form, lived: Life, name: str, text: str) -> dict[str, Any]:
    """One assignment as changes; a state may bring its negation along."""
    if not text:
        return {name: None}
    if name in DATES:
        return {name: form.date(name, text, lived.data.get("published"))}
    if name == "state" and "question" in BY_NAME[lived.recorded.name].model_fields:
        found = form.state(lived.data.get("question", "control"), text)
        keeps = "negated" in lived.data or found["negated"]
        return found if keeps else {"state": found["state"]}
    return {name: _value(form, lived, name, text)}


def _value(form: Form, lived: Life, name: str, text: str) -> Any:
    model = BY_NAME[lived.recorded.name].model_fields.get(name)
    annotation = model.annotation if model is not None else None
    if get_origin(annotation) is tuple or (model is None and name == "names"):
        return [_one(form, name, one.strip()) for one in _split(text)]
    if annotation is bool:
        return _boolean(name, text)
    if name == "precision" and text.isdecimal():
        return int(text)
    if get_origin(annotation) is dict:
        raise Usage(f"{name} cannot be set", where="--set", remedy="correct the first entry once more")
    return _one(form, name, text)


def _one(form: Form, name: str, text: str) -> str:
    if name in PLACES:
        return form.place(text, name)
    if name in SOURCES:
        return form.source(text)
    if name in ENTRIES:
        return form.entry(text) or text
    return text


def _split(text: str) -> list[str]:
    try:
        members = next(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error:
        raise Usage(
            f"{text[:80]!r} is no list",
            where="--set",
            remedy='commas between members, "quotes" around odd ones',
        ) from None
    return [one for one in members if one.strip()]


def _boolean(name: str, text: str) -> bool:
    if text.casefold() in _YES:
        return True
    if text.casefold() in _NO:
        return False
    raise Usage(f"{name} is true or false, not {text!r}", where="--set")


def _shown(value: Any) -> str:
    return "(none)" if value in (None, [], ()) else cell(value)
