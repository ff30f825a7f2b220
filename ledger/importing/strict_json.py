"""JSON as strict as a record for ever needs it: nothing that two readers could take for two things.

Refused are duplicate keys (the usual parsers take the last in silence), ``NaN`` and ``Infinity``, integers
beyond 2^53 − 1, lone surrogates and nesting deeper than 32. A number with a fraction or an exponent is kept
as its digits, ``Number``, because a float would change them.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from ledger.codec import MAX_INT

DEEPEST = 32
_LONGEST_INT = 17  # digits and sign; longer ones are refused before they cost anything

# A string that does not end is taken to the end of the text, so that no quote is looked at twice.
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


class NotJsonError(ValueError):
    """Why a text is not JSON that can be recorded, in a few words."""


class Number(str):
    """A JSON number that is no integer, as its digits."""

    __slots__ = ()


def parse(text: str) -> Any:
    """The value of a JSON text. Raises ``NotJsonError``."""
    if text.startswith("\ufeff"):
        raise NotJsonError("it begins with a byte order mark; save the file as UTF-8 without one")
    _check_depth(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_float=Number,
            parse_int=_integer,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        raise NotJsonError(f"not JSON: {error.msg} (column {error.colno})") from None
    if "\\u" in text:
        _check_surrogates(value)
    return value


def _check_depth(text: str) -> None:
    """Count brackets outside strings before a parser has to recurse into them."""
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    depth = 0
    for match in _STRUCTURE.finditer(text):
        token = match.group()
        if token in ("[", "{"):
            depth += 1
            if depth > DEEPEST:
                raise NotJsonError(f"nested deeper than {DEEPEST} levels")
        elif token in ("]", "}"):
            depth -= 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotJsonError(f"the key {twice!r} stands twice in one object")
    return found


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_INT or abs(int(digits)) > MAX_INT:
        shown = digits if len(digits) <= 24 else f"{digits[:21]}..."
        raise NotJsonError(f"{shown} is an integer beyond 2^53-1; write it as text")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise NotJsonError(f"{name} is not a number that JSON knows")


def _check_surrogates(value: Any) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotJsonError("a lone surrogate (\\ud800 to \\udfff) is not text") from None
    elif isinstance(value, dict):
        for name, inner in value.items():
            _check_surrogates(name)
            _check_surrogates(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_surrogates(inner)
