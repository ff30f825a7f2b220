"""Text that came from outside, made safe to look at: on a terminal, in a page, in a spreadsheet.

Nothing here changes what is stored. A quotation may legitimately hold a right-to-left mark; what may not
happen is that it reorders, hides or colours the line in which an answer is printed.
"""

from __future__ import annotations

import json
import re
from typing import TypeVar, overload

T = TypeVar("T")

# Code points that steer a terminal or a page, or that a reader cannot see at all. Format characters that do
# have a shape (such as the Arabic number signs) stay as they are.
_HIDDEN_RANGES = (
    (0x00, 0x1F),  # C0, with ESC and the newline
    (0x7F, 0x9F),  # DEL and C1
    (0xAD, 0xAD),  # soft hyphen
    (0x34F, 0x34F),  # combining grapheme joiner
    (0x61C, 0x61C),  # Arabic letter mark
    (0x115F, 0x1160),  # Hangul fillers: letters without a glyph
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),  # Mongolian variation selectors and vowel separator
    (0x200B, 0x200F),  # zero width, and the left-to-right and right-to-left marks
    (0x2028, 0x202E),  # line and paragraph separator, bidi embeddings and overrides
    (0x2060, 0x206F),  # word joiner, invisible operators, bidi isolates
    (0x3164, 0x3164),
    (0xD800, 0xDFFF),  # lone surrogates: not text, and no stream can encode them
    (0xFE00, 0xFE0D),  # variation selectors; the last two (text or emoji style) are ordinary in quoted posts
    (0xFEFF, 0xFEFF),  # byte order mark
    (0xFFA0, 0xFFA0),
    (0xFFF9, 0xFFFB),  # interlinear annotation
    (0xFFFE, 0xFFFF),
    (0x13430, 0x1345F),  # Egyptian hieroglyph format controls
    (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A),
    (0xE0000, 0xE0FFF),  # tag characters and the supplementary variation selectors
)


def _character_class(ranges: tuple[tuple[int, int], ...]) -> str:
    return "[" + "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in ranges) + "]"


_HIDDEN = re.compile(_character_class(_HIDDEN_RANGES))


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str, *, keep_newlines: bool = True) -> str:
    r"""``text`` with everything that steers or hides written out, as in ``\x1b`` or ``\u202e``.

    A newline survives where ``keep_newlines`` is set; a tab and a carriage return never do. The result can
    always be encoded as UTF-8.
    """
    if text.isascii() and text.isprintable():
        return text
    if keep_newlines and "\n" in text:
        return "\n".join(_HIDDEN.sub(_escape, line) for line in text.split("\n"))
    return _HIDDEN.sub(_escape, text)


def visible_json(line: bytes) -> bytes:
    r"""A JSON text with the same characters written out as JSON does (``\u202e``): a parser reads what it read before.

    For data that goes out as it is, and may pass a terminal. There must be no blank outside of strings but spaces.
    """
    if line.isascii() and b"\x7f" not in line:
        return line
    return _HIDDEN.sub(lambda found: json.dumps(found.group())[1:-1], line.decode()).encode()


# A spreadsheet takes a cell for a formula by its first character, full-width forms included.
_FORMULA_STARTS = frozenset("=+-@\t\r\n＝＋－＠")


@overload
def csv_safe(cell: str) -> str: ...
@overload
def csv_safe(cell: T) -> T: ...
def csv_safe(cell: object) -> object:
    """A cell no spreadsheet runs: text that looks like a formula gets a leading apostrophe.

    Only ``str`` is touched, so that a number column keeps its ``-1.5``; the *text* ``"-1"`` is prefixed.
    """
    if not isinstance(cell, str) or not cell:
        return cell
    # Blanks before the sign are no protection: some programs trim them while importing.
    start = cell[0] if cell[0] in _FORMULA_STARTS else cell.lstrip()[:1]
    return f"'{cell}" if start in _FORMULA_STARTS else cell


_LATIN = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff"
_CYRILLIC = "\u0400-\u052f\u1c80-\u1c8f"
_GREEK = "\u0370-\u03ff\u1f00-\u1fff"

# Letters of Cyrillic and Greek that a reader takes for Latin ones.
_LOOKALIKES = frozenset("АВЕЅІЈКМНОРСТУХԐԚԜҮавеѕіјкмнорстухԛԝүһӏ" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγικνορτυχϲϳ")

_WORD = re.compile(r"[^\W\d_]+")
_HAS_LATIN = re.compile(f"[{_LATIN}]")
_HAS_OTHER = re.compile(f"[{_CYRILLIC}{_GREEK}]")


def homoglyphs(text: str) -> tuple[str, ...]:
    """The words of ``text`` that mix Latin with look-alike Cyrillic or Greek letters, in order.

    A word is a run of letters: "Су-34" and "IT-компанія" mix nothing, "Kупянск" with a Latin K does.
    """
    if text.isascii():
        return ()
    return tuple(word for word in _WORD.findall(text) if _disguised(word))


def mixed_script(text: str) -> bool:
    """Whether any word of ``text`` may be a name disguised with letters of another script."""
    return bool(homoglyphs(text))


def _disguised(word: str) -> bool:
    if not (_HAS_LATIN.search(word) and _HAS_OTHER.search(word)):
        return False
    return not _LOOKALIKES.isdisjoint(word)
