"""From what was typed to author fields: dates, states, names.

Where a normalised value differs from the words, those are kept in ``written`` and go into the body. Names
that mix scripts are used as they are, and pointed out on stderr.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ledger.clocks import normalise, resolve_relative, utc_text
from ledger.commands.common import say
from ledger.directory import Directory
from ledger.errors import BadDate
from ledger.text import homoglyphs

_NOT = "not-"


def date(
    field: str,
    text: str | None,
    written: dict[str, str],
    *,
    against: str | None = None,
    now: datetime,
) -> str | None:
    """EDTF for a date as typed. Words ("Friday", "end of November") are read against the report's date,
    else today's, and the rule that was used is said on stderr. Raises ``BadDate`` naming the option."""
    if text is None:
        return None
    try:
        edtf = _read(field, text, against or utc_text(now)[:10])
    except BadDate as error:
        where = f"--{field.replace('_', '-')}"
        raise BadDate(error.what, where=where, remedy=error.remedy) from None
    if edtf != text:
        written[field] = text
    return edtf


def _read(field: str, text: str, against: str) -> str:
    try:
        return str(normalise(text))
    except BadDate:
        if not any(character.isalpha() for character in text.translate(_OF_EDTF)):
            raise
    edtf, rule = resolve_relative(text, against=against)
    say(f"{field}: read as {edtf} ({rule})")
    return edtf


_OF_EDTF = str.maketrans("", "", "XTZ")  # letters that a date in EDTF may hold


def state_fields(
    directory: Directory, question: str, text: str | None, written: dict[str, str]
) -> dict[str, Any]:
    """``{"state": …, "negated": …}`` for ``RU``, ``not-RU``, ``Russia``; ``{}`` for None."""
    if text is None:
        return {}
    point_out(text)
    plain = text.removeprefix(_NOT)
    state = directory.resolve_state(question, plain)
    if state != plain:
        written["state"] = text
    return {"state": state, "negated": plain != text}


def place_id(directory: Directory, text: str, written: dict[str, str], field: str = "place") -> str:
    """The id of a place in any registered spelling."""
    point_out(text)
    found = directory.resolve_place(text)
    if found != text:
        written[field] = text
    return found


def source_ids(directory: Directory, text: str | None) -> list[str]:
    """Ids for sources separated by commas, in order."""
    return [directory.resolve_source(one.strip()) for one in (text or "").split(",") if one.strip()]


def point_out(*texts: str) -> None:
    """Warn of words that mix Latin with look-alike letters: a slip of the keyboard, or a disguise."""
    for text in texts:
        for word in homoglyphs(text):
            say(f"warning: {word!r} mixes Latin with Cyrillic or Greek letters; it is kept as it is")


def given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that say something."""
    return {name: value for name, value in values.items() if value not in (None, "", [], (), {})}


def listed(texts: Iterable[str] | None) -> list[str]:
    """A repeatable option as a list without repeats, in order."""
    return list(dict.fromkeys(texts or ()))
