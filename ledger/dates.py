"""Reading EDTF: from a text to the UTC days and moments it may mean.

``ledger.clocks`` describes the shapes and is what the rest of the project calls. Nearly all dates take a
short path of our own here. The rarer forms go to the ``edtf`` package, which costs 200 ms to import, and of
which only the strict bounds are used; what it gets wrong (``1999-12-3X``, times of day, unknown ends,
reversed intervals, winters) never reaches it.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from ledger.errors import BadDate

Precision = Literal["instant", "day", "month", "year", "interval"]

SHAPES = "Write YYYY, YYYY-MM, YYYY-MM-DD (~ or ? if unsure), 2025-12-16T10:00:00Z or FROM/TO"
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip

DAY_US = 86_400_000_000
EPOCH = dt.date(1970, 1, 1).toordinal()
_FIRST, _LAST = dt.date.min.toordinal(), dt.date.max.toordinal()
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Span:
    """The UTC days a date may mean: ``lo`` to ``hi``, both included; None where that side is open.

    ``approximate`` (``~``) and ``uncertain`` (``?``; ``%`` is both) never widen the bounds: how far "about"
    reaches is for a belief logic to say.
    """

    lo: int | None
    hi: int | None
    precision: Precision
    approximate: bool = False
    uncertain: bool = False


@dataclass(frozen=True, slots=True)
class Read:
    """A date as read: its canonical text, its span and, where they matter, exact moments and the ends."""

    text: str
    span: Span
    first: int | None = None  # microseconds since 1970, of an instant
    last: int | None = None
    ends: tuple[Read | None, Read | None] | None = None  # of an interval; None is an open or unknown end
    ongoing: bool = False  # the open end is `..`: it goes on, it is not merely unknown


# -- reading one date ----------------------------------------------------------------------------------

_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?([?~%]?)")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,6})[0-9]*)?)?"
    r" ?(?:Z|UTC|GMT|([+-])([0-9]{2})(?::?([0-9]{2}))?)?"
)
# Qualifiers may stand on either side of each component; X stands for any digit.
_LOOSE = re.compile(
    r"[?~%]?(?P<year>[0-9X]{4})[?~%]?"
    r"(?:-[?~%]?(?P<month>[0-9X]{2})[?~%]?(?:-[?~%]?(?P<day>[0-9X]{2})[?~%]?)?)?"
)
_SEASON = re.compile(r"[0-9]{4}-[0-9]{2}[?~%]")
_ALPHABET = re.compile(r"[0-9XTZYESUGMC?~%:/.,+\[\]{} -]+")
_HYPHENS = str.maketrans({"\u2010": "-", "\u2011": "-", "\u2212": "-", "\u00a0": " ", "\u202f": " "})
_AROUND = re.compile(r" *(/|\.\.|,|\[|\]|\{|\}) *")


def shown(text: str) -> str:
    """A user's text, quoted and cut to a length that fits an error line."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")


def _bad(text: str, what: str, remedy: str) -> BadDate:
    return BadDate(f"{shown(text)} {what}", remedy=remedy)


def _days(year: int, month: int | None, day: int | None, text: str) -> tuple[int, int]:
    """First and last ordinal of a year, month or day; refuses what the calendar does not have."""
    if day is not None and month is not None:
        try:
            ordinal = dt.date(year, month, day).toordinal()
        except ValueError:
            pass  # what is wrong is found below
        else:
            return ordinal, ordinal
    if not 1 <= year <= 9999:
        raise _bad(text, f"has a year out of range ({year})", "Years run from 0001 to 9999")
    if month is None:
        return dt.date(year, 1, 1).toordinal(), dt.date(year, 12, 31).toordinal()
    if not 1 <= month <= 12:
        raise _bad(text, f"is not a date: there is no month {month:02d}", "Write YYYY-MM-DD")
    longest = calendar.monthrange(year, month)[1]
    if day is None:
        return dt.date(year, month, 1).toordinal(), dt.date(year, month, longest).toordinal()
    raise _bad(text, f"does not exist: {MONTHS[month - 1]} {year} has {longest} days", "Check the day")


def _marks(text: str) -> tuple[bool, bool]:
    """Whether ``text`` is qualified as approximate, and as uncertain."""
    both = "%" in text
    return both or "~" in text, both or "?" in text


def _plain(match: re.Match[str]) -> Read:
    """YYYY, YYYY-MM or YYYY-MM-DD with at most one qualifier at the end: nearly every date there is."""
    year, month, day, mark = match.groups()
    text = match.group()
    number = int(month) if month else None
    if number is not None and 21 <= number <= 41 and day is None:
        return _seldom(text)
    lo, hi = _days(int(year), number, int(day) if day else None, text)
    precision: Precision = "day" if day else "month" if month else "year"
    return Read(text, Span(lo, hi, precision, *_marks(mark)))


def _instant(match: re.Match[str]) -> Read:
    """A moment. Seconds may be missing, a missing offset means UTC, microseconds are the finest kept."""
    date, hour, minute, second, fraction, sign, off_hour, off_minute = match.groups()
    year, month, day = (int(part) for part in date.split("-"))
    lo, _ = _days(year, month, day, match.group())
    hours, minutes, seconds = int(hour), int(minute), int(second or 0)
    offset = int(off_hour or 0) * 60 + int(off_minute or 0)
    if hours > 23 or minutes > 59 or seconds > 59:
        raise _bad(match.group(), "is no time of day", "Write HH:MM:SS, from 00:00:00 to 23:59:59")
    if int(off_minute or 0) > 59 or offset > 14 * 60:
        raise _bad(match.group(), "has an offset no clock has", "Offsets run from -14:00 to +14:00")
    micros = int((fraction or "").ljust(6, "0"))
    moment = (lo - EPOCH) * DAY_US + ((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros
    moment += (offset if sign == "-" else -offset) * 60_000_000
    ordinal = moment // DAY_US + EPOCH
    if not _FIRST <= ordinal <= _LAST:
        raise _bad(match.group(), "has a year out of range in UTC", "Years run from 0001 to 9999")
    zone = f"{sign}{offset // 60:02d}:{offset % 60:02d}" if offset else "Z"
    part = f".{fraction.rstrip('0')}" if micros else ""
    text = f"{date}T{hour}:{minute}:{second or '00'}{part}{zone}"
    return Read(text, Span(ordinal, ordinal, "instant"), moment, moment)


def _fits(mask: str, low: int, high: int) -> list[int]:
    """The numbers from ``low`` to ``high`` that a mask such as ``3X`` allows, ascending."""
    if "X" not in mask:
        return [int(mask)] if low <= int(mask) <= high else []
    pattern = re.compile(mask.replace("X", "[0-9]"))
    width = len(mask)
    return [number for number in range(low, high + 1) if pattern.fullmatch(f"{number:0{width}d}")]


def _met_first(years: Iterable[int], months: list[int], days: list[int]) -> int | None:
    """The first day that exists when walking the years, months and days in the order given."""
    for year in years:
        for month in months:
            longest = calendar.monthrange(year, month)[1]
            for day in days:
                if day <= longest:
                    return dt.date(year, month, day).toordinal()
    return None


def _loose(match: re.Match[str]) -> Read:
    """A date with unspecified digits, or with qualifiers on single components."""
    text, year, month, day = match.group(), match["year"], match["month"], match["day"]
    if "X" not in text:
        lo, hi = _days(int(year), int(month) if month else None, int(day) if day else None, text)
        precision: Precision = "day" if day else "month" if month else "year"
        return Read(text, Span(lo, hi, precision, *_marks(text)))
    years, months, days = _fits(year, 1, 9999), _fits(month or "XX", 1, 12), _fits(day or "XX", 1, 31)
    first = _met_first(years, months, days)
    last = _met_first(reversed(years), months[::-1], days[::-1])
    if first is None or last is None:
        raise _bad(text, "fits no day of the calendar", "Check the digits around the X")
    return Read(text, Span(first, last, _mask_precision(year, month, day), *_marks(text)))


def _mask_precision(year: str, month: str | None, day: str | None) -> Precision:
    """``2025-11-XX`` is as precise as a month; a mask that is no calendar unit is an interval."""
    if "X" in year or day not in (None, "XX"):
        return "interval"
    if month in (None, "XX"):
        return "year"
    return "interval" if "X" in str(month) else "month"


def _seldom(text: str) -> Read:
    """Everything else EDTF knows, read by the ``edtf`` package."""
    from edtf import parse_edtf

    try:
        # It knows no qualified season; the marks are read from the text in any case.
        parsed = parse_edtf(text[:7] if _SEASON.fullmatch(text) else text)
        lo, hi = _bound(parsed.lower_strict(), text), _bound(parsed.upper_strict(), text)
    except BadDate:
        raise
    except Exception:  # ValueError and AttributeError escape from it, not only its own parse error
        raise _bad(text, "is not a date", SHAPES) from None
    # Anything else it would read has lost something, as 1390S2 its digits and 2025-12T10:00 its time.
    if type(parsed).__name__ not in ("Season", "Level2Season", "OneOfASet", "MultipleDates"):
        raise _bad(text, "is not a date", SHAPES)
    if text[4:7] == "-24" and hi is not None:  # it ends a winter on 31 December
        hi = _days(int(text[:4]) + 1, 2, None, text)[1]
    if lo is None and hi is None:
        raise _bad(text, "has neither a beginning nor an end", "Leave the date out instead")
    if lo is not None and hi is not None and lo > hi:
        raise _bad(text, "runs backwards", "Put the earlier date first")
    return Read(text, Span(lo, hi, "interval", *_marks(text)))


def _bound(bound: object, text: str) -> int | None:
    """A bound of the package as a day: a ``struct_time``, or an infinite float on an open side."""
    if isinstance(bound, float):
        return None
    year, month, day = bound[:3]  # type: ignore[index]
    return _days(year, month, day, text)[0]


# -- intervals -----------------------------------------------------------------------------------------


def _single(text: str) -> Read:
    if match := _DATE.fullmatch(text):
        return _plain(match)
    if match := _INSTANT.fullmatch(text):
        return _instant(match)
    if match := _LOOSE.fullmatch(text):
        return _loose(match)
    return _seldom(text)


def _interval(text: str) -> Read:
    left, _, right = text.partition("/")
    open_ends = ("", "..")
    if re.fullmatch(r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4}", text):
        raise _bad(text, "could have the day or the month first", "Write YYYY-MM-DD")
    if "/" in right:
        raise _bad(text, "has more than two ends", "Write FROM/TO")
    if left in open_ends and right in open_ends:
        raise _bad(text, "has neither a beginning nor an end", "Leave the date out instead")
    if "[" in text or "{" in text:
        raise _bad(text, "has a set for an end", "Write FROM/TO with two dates")
    start = None if left in open_ends else _single(left)
    end = None if right in open_ends else _single(right)
    if start and end and _backwards(start, end):
        raise _bad(text, "runs backwards", f"Write {end.text}/{start.text}, or check the years")
    marks = _marks(text)
    span = Span(start.span.lo if start else None, end.span.hi if end else None, "interval", *marks)
    canonical = f"{start.text if start else left}/{end.text if end else right}"
    ongoing = (left if start is None else right) == ".."
    first = start.first if start else None
    last = end.last if end else None
    return Read(canonical, span, first, last, (start, end), ongoing)


def first_moment(found: Read) -> int | None:
    """The earliest moment in microseconds since 1970; None where the beginning is open."""
    if found.first is not None:
        return found.first
    return None if found.span.lo is None else (found.span.lo - EPOCH) * DAY_US


def last_moment(found: Read) -> int | None:
    """The latest moment in microseconds since 1970; None where the end is open."""
    if found.last is not None:
        return found.last
    return None if found.span.hi is None else (found.span.hi - EPOCH + 1) * DAY_US - 1


def _backwards(start: Read, end: Read) -> bool:
    begins, ends = first_moment(start), last_moment(end)
    return begins is not None and ends is not None and begins > ends


def _tidy(text: str) -> str:
    """Blanks around the text and its separators go, letters become capitals; nothing is guessed."""
    stripped = text.translate(_HYPHENS).strip()
    if not stripped:
        raise BadDate("an empty date", remedy=SHAPES)
    tidied = _AROUND.sub(r"\1", stripped.upper())
    if len(stripped) > _LONGEST or not _ALPHABET.fullmatch(tidied):
        raise _bad(text, "is not a date", SHAPES)
    return tidied


@lru_cache(maxsize=1 << 16)
def read(text: str) -> Read:
    """Read any EDTF text. Raises ``BadDate``, which says what is wrong and what to write instead."""
    if match := _DATE.fullmatch(text):
        return _plain(match)
    tidied = _tidy(text)
    return _interval(tidied) if "/" in tidied else _single(tidied)
