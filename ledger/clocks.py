"""Dates as people know them, turned into days that can be compared.

Every clock of the ledger (valid, said, published) is a text in EDTF, the extended date-time format of
ISO 8601-2, because "some time in November" must not become the first of November. This module says which
UTC days a text may mean. It is pure: it never asks what time it is, ``now`` is always handed in.

=========================== ==========================================================================
``2025-11-20``              that day; ``2025-11`` and ``2025`` the month, the year
``2025-11-20~`` ``?`` ``%`` approximate, uncertain, both; also of one part only: ``2024?-12-12``
``2025-11-XX`` ``199X``     some day of November, some year of the nineties; ``1999-12-3X`` 30th or 31st
``2025-12-16T10:00:00Z``    a moment; its offset stays in the text, its day is the UTC day. No offset: UTC
``2025-09/2025-11-20``      an interval; either end may be any of the above
``2025-11/..`` ``../2025``  not ended yet, without a beginning; ``2025/`` ``/2025``: that end is not known
``2025-24`` ``2025-34``     a season (winter runs into the next year) or quarter
``[a,b..c]`` ``{a,b}``      one of these, all of these
=========================== ==========================================================================

A day is an ``int``, the ordinal of ``datetime.date`` (1 = 0001-01-01). A moment is text such as
``2025-12-16T10:00:00.000000Z``, which sorts as time runs, or microseconds since 1970. Wording such as
"end of November" is read by ``ledger.phrases``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType

from ledger.dates import DAY_US, EPOCH, WEEKDAYS, Read, Span, first_moment, last_moment, read, shown
from ledger.errors import BadDate, BadMap

__all__ = [
    "AsOf",
    "Edtf",
    "Span",
    "as_of",
    "day",
    "held",
    "instant_key",
    "instant_text",
    "iso",
    "known_by",
    "latest_instant",
    "normalise",
    "off_by_years",
    "parse_formats",
    "recorded_by",
    "resolve_relative",
    "span",
    "utc_text",
    "weekday_name",
]

Edtf = NewType("Edtf", str)


# -- what a date means ---------------------------------------------------------------------------------


def normalise(text: str) -> Edtf:
    """The canonical form of an EDTF text; the same for texts that differ in blanks and capitals only.

    Instants come out with seconds and an offset. Raises ``BadDate`` for what is no date, does not exist in
    the calendar, runs backwards, or lies outside the years 1 to 9999.
    """
    return Edtf(read(text).text)


def span(text: str) -> Span:
    """The days ``text`` may mean, of ``A/B`` from the earliest A to the latest B. Raises ``BadDate``."""
    return read(text).span


def held(text: str) -> tuple[int | None, int | None]:
    """The first and last day on which what is said to hold *throughout* ``text`` surely held.

    * One day, month or year is taken whole: "throughout November" means all of it.
    * ``A/B`` counts from the latest start to the earliest end; with ``..`` that side is None.
    * A side that is unknown (``2025/``) vouches for nothing beyond the known one: the last day on which it
      may have begun, or the first on which it may have ended.
    * Where the ends overlap (``2025-11/2025-11``, ``2025/2025-06``) no day is certain. Returned are the days
      on which it may both have begun and have ended: the shortest window in which it must have held at all.
    """
    found = read(text)
    if found.ends is None:
        return found.span.lo, found.span.hi
    start, end = found.ends
    if start and end:
        return _sure(start.span, end.span)
    begun, ended = start.span.hi if start else None, end.span.lo if end else None
    if found.ongoing:
        return begun, ended
    known = begun if ended is None else ended
    return known, known


def _sure(start: Span, end: Span) -> tuple[int | None, int | None]:
    if start.lo is None or start.hi is None or end.lo is None or end.hi is None:
        return start.hi, end.lo  # never so: the ends of an interval are bounded dates
    if start.hi <= end.lo:
        return start.hi, end.lo
    return max(start.lo, end.lo), min(start.hi, end.hi)


def day(text: str) -> int | None:
    """The one UTC day that ``text`` names without ``~ ? %``; None for everything else, also for no date."""
    try:
        found = read(text).span
    except BadDate:
        return None
    if found.approximate or found.uncertain or found.lo != found.hi:
        return None
    return found.lo


def instant_key(text: str) -> int:
    """The latest bound of ``text`` in microseconds since 1970-01-01T00:00Z; the end of the day for a day.

    Raises ``BadDate`` where the end is open or unknown: such a text names no moment by which it was over.
    """
    moment = last_moment(read(text))
    if moment is None:
        raise BadDate(f"{shown(text)} has no end", remedy="A date of saying or publishing needs one")
    return moment


def latest_instant(text: str) -> str:
    """The latest bound as UTC text that sorts as time runs. Raises ``BadDate`` where the end is open.

    >>> latest_instant("2025-11")
    '2025-11-30T23:59:59.999999Z'
    """
    return instant_text(instant_key(text))


def instant_text(key: int) -> str:
    """Microseconds since 1970 as UTC text with microseconds and ``Z``."""
    ordinal, rest = divmod(key, DAY_US)
    seconds, micros = divmod(rest, 1_000_000)
    hours, minutes = seconds // 3600, seconds // 60 % 60
    return f"{iso(ordinal + EPOCH)}T{hours:02d}:{minutes:02d}:{seconds % 60:02d}.{micros:06d}Z"


def utc_text(moment: dt.datetime) -> str:
    """The recorded form of a moment: UTC, microseconds, ``Z``. A naive datetime is a programming error."""
    if moment.utcoffset() is None:
        raise ValueError("a moment without an offset cannot be placed in time")
    return moment.astimezone(dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def iso(day: int) -> str:
    """``YYYY-MM-DD`` of a day."""
    return dt.date.fromordinal(day).isoformat()


def weekday_name(day: int) -> str:
    """``Monday`` to ``Sunday``, in English whatever the locale."""
    return WEEKDAYS[(day - 1) % 7]


def off_by_years(a: str, b: str) -> int | None:
    """Years from ``a`` to ``b`` where both are exact days, the same of the year, in different years."""
    first, second = day(a), day(b)
    if first is None or second is None:
        return None
    one, other = dt.date.fromordinal(first), dt.date.fromordinal(second)
    if (one.month, one.day) != (other.month, other.day) or one.year == other.year:
        return None
    return other.year - one.year


# -- what a user asks for ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AsOf:
    """The day a question is about, and the moment at which that day is over (UTC text, not cut at now)."""

    day: int
    end: str


def as_of(text: str, *, now: dt.datetime) -> AsOf:
    """The day a user means by DATE: EDTF, ISO 8601, or words such as "yesterday" and "3 days ago".

    A month or a year means its last day, an instant its UTC day with that very moment as its end. Dates to
    come are allowed. Intervals and qualified dates are refused: a question is about one day.
    """
    found = _asked(text, now)
    if found.span.precision == "interval" or found.span.hi is None:
        raise BadDate(f"{shown(text)} is more than one day", remedy="Name one day, such as 2025-12-16")
    return AsOf(found.span.hi, instant_text(_end(found)))


def known_by(text: str, *, now: dt.datetime) -> str:
    """The moment up to which reports count, as UTC text: the end of the day, month or interval named.

    A period that has begun but not ended ends now. Raises ``BadDate`` for one that has yet to begin: nobody
    can know what will have been reported by then.
    """
    found = _asked(text, now)
    present = instant_key(utc_text(now))
    begins = first_moment(found)
    if begins is not None and begins > present:
        raise BadDate(
            f"known-by {shown(text)} lies in the future: it is {utc_text(now)[:16]}Z",
            remedy="Leave --known-by out to use all that is known",
        )
    last = last_moment(found)
    return instant_text(present if last is None else min(last, present))


def recorded_by(text: str, *, now: dt.datetime | None = None) -> int | str:
    """Where to cut the ledger's own record: ``#N`` gives the position N, a date the moment at its end.

    Words such as "yesterday" are understood where ``now`` is given.
    """
    stripped = text.strip()
    if match := re.fullmatch(r"#\s*([0-9]{1,18})", stripped):
        return int(match[1])
    if stripped.startswith("#") or re.fullmatch(r"[0-9]{1,3}|[0-9]{5,18}", stripped):
        raise BadDate(f"{shown(text)} is no position", remedy="Write '#17', in quotes, for position 17")
    return latest_instant(stripped) if now is None else instant_text(_end(_asked(stripped, now)))


def _end(found: Read) -> int:
    last = last_moment(found)
    if last is None:
        raise BadDate(f"{shown(found.text)} has no end", remedy="Name a day, such as 2025-12-16")
    return last


_WORDS = re.compile(r"[^\W\d_]{3}")


def _asked(text: str, now: dt.datetime) -> Read:
    """A date of a user: EDTF, or words relative to now, whose own vagueness ("a week ago") is let pass."""
    if not _WORDS.search(text):
        found = read(text)
        if found.span.approximate or found.span.uncertain:
            raise BadDate(f"{shown(text)} is not exact", remedy="Leave out the ~ ? or %, or name one day")
        return found
    if text.strip().casefold() == "now":
        return read(utc_text(now))
    return read(resolve_relative(text, against=utc_text(now)[:10])[0])


def resolve_relative(text: str, *, against: str) -> tuple[str, str]:
    """EDTF for words such as "Friday" or "end of November" in a report published on ``against``.

    Returns the EDTF text, no more precise than the words, and one line that names the rule used. Raises
    ``BadDate`` for words that are not understood, or that ``against`` is too vague to resolve.
    """
    from ledger.phrases import resolve

    return resolve(text, against)


# -- dates in a mapped file ----------------------------------------------------------------------------

_DIRECTIVE = re.compile(r"%[-#]?(.)")
_YEARS, _MONTHS, _DAYS, _TIMES = set("YyGcx"), set("mbBjcxUWV"), set("djcxuw"), set("HIMSfTXcsp")


def parse_formats(text: str, formats: Sequence[str]) -> str:
    """EDTF for a cell of a mapped file, by the first of the ``strptime`` formats that fits.

    The precision is that of the format: ``%B %Y`` gives a month, ``%H:%M`` an instant (UTC without ``%z``).
    Non-breaking and repeated blanks count as one. The format ``edtf`` reads the cell as EDTF. Raises
    ``BadDate`` where none fits, ``BadMap`` for a format that is none or names no year.
    """
    folded = " ".join(text.split())
    impossible: BadDate | None = None
    for form in formats:
        try:
            found = normalise(folded) if form == "edtf" else _by_format(folded, " ".join(form.split()))
        except BadDate as error:
            impossible = impossible or error
            continue
        if found is not None:
            return found
    if impossible:
        raise impossible
    raise BadDate(
        f"{shown(text)} fits none of the formats {', '.join(formats) or '(none)'}",
        remedy="Add its format to the mapping file, in the directives of strptime",
    )


def _by_format(text: str, form: str) -> str | None:
    """EDTF of a cell that has this form, None for one that has not; ``BadDate`` for a day there is not."""
    directives = set(_DIRECTIVE.findall(form))
    if not directives & _YEARS:
        raise BadMap(f"the date format {form!r} has no year", remedy="Add %Y, or the year's column")
    try:
        found = dt.datetime.strptime(text, form)
    except (ValueError, re.error) as error:
        said = str(error)
        if "bad directive" in said or "stray %" in said:
            raise BadMap(f"the date format {form!r} is none: {said}", remedy="See strptime") from None
        if "does not match format" in said or "unconverted data" in said:
            return None
        raise BadDate(f"{shown(text)} does not exist: {said}", remedy="Check the day") from None
    if directives & _TIMES:
        moment = found if found.utcoffset() is not None else found.replace(tzinfo=dt.UTC)
        return normalise(moment.isoformat())
    if directives & _DAYS:
        return found.date().isoformat()
    year = f"{found.year:04d}"
    return f"{year}-{found.month:02d}" if directives & _MONTHS else year
