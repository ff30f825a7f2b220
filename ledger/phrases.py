"""Dates as reporters write them: "on Friday", "end of November", "several weeks ago".

What they mean hangs on the day of the report. Each reading is EDTF no more precise than the words, with the
rule that made it, so that an editor can disagree. The rules are in ``ledger.wording``, what a vague word is
worth in ``ledger.vocabulary``; what they leave goes to ``dateparser``, which knows the plain forms
("3 days ago", "13 грудня") of a dozen languages but takes more for a date than a careful reader would.
"""

from __future__ import annotations

import datetime as dt
import re

from ledger.dates import SHAPES, read, shown
from ledger.errors import BadDate
from ledger.wording import approximate, by_rules, is_amount, leadless

# Naming the languages keeps a stray word from being a date in one of the two hundred others.
LANGUAGES = ["en", "uk", "ru", "de", "fr", "es", "it", "pl", "ro", "cs", "bg", "tr", "vi"]

# "by Friday" is not Friday. The package skips such words; here they are left to the rules, or refused.
_BOUNDS = frozenset(("by", "before", "after", "since", "until", "till", "from", "between", "to"))
_BOUNDS |= frozenset(("до", "після", "после", "перед", "bis", "nach", "seit", "depuis", "avant", "après"))


def resolve(text: str, against: str) -> tuple[str, str]:
    """EDTF and a one-line note for ``text`` as written in a report of the EDTF date ``against``.

    Raises ``BadDate`` where the words are not understood, contradict the calendar, or need a report whose
    date is known to the day.
    """
    try:
        return read(text).text, "read as written"
    except BadDate:
        if re.match(r"\s*[0-9X]{4}-|\s*$", text):
            raise  # meant as EDTF, and wrong
    published = read(against).span
    if published.lo is None or published.hi is None:
        raise _vague_report(text, against)
    found, rule = _understood(text, dt.date.fromordinal(published.lo))
    if published.hi != published.lo:
        other, _ = _understood(text, dt.date.fromordinal(published.hi))
        if other != found:
            raise _vague_report(text, against)
    if (published.approximate or published.uncertain) and not re.search("[0-9]{4}", text):
        found = approximate(found)
    # Reading it back refuses whatever a rule could get wrong, such as an interval that runs backwards.
    return read(found).text, f"{shown(text)} against {against}: {rule}"


def _vague_report(text: str, against: str) -> BadDate:
    return BadDate(
        f"{shown(text)} cannot be placed: the report's own date {against} is no single day",
        remedy="Give the day of the report, or this date in EDTF",
    )


_LONGEST = 80
_NOISE = re.compile(r"[\"'’ʼ‘`“”„«».,;()]+(?=\s|$)|[\"'’ʼ‘`“”„«»(]")


def _understood(text: str, said: dt.date) -> tuple[str, str]:
    """EDTF and the rule's name for a text that is no EDTF."""
    words = " ".join(_NOISE.sub("", text).casefold().replace("–", "-").replace("—", "-").split())
    if len(words) > _LONGEST:
        raise BadDate(f"{shown(text)} is too long for a date", remedy=SHAPES)
    try:
        found = by_rules(words, said)
        if found is None and (guess := _by_dateparser(words, said)):
            found = guess, "as dateparser reads it"
    except (OverflowError, ValueError):
        raise BadDate(f"{shown(text)} lies outside the years 0001 to 9999", remedy="Check it") from None
    if found is None:
        raise BadDate(f"{shown(text)} is not understood as a date", remedy=SHAPES)
    return found


_SLASHED = re.compile(r"([0-9]{1,2})/([0-9]{1,2})(?:/[0-9]{2,4})?")
_PLAUSIBLE = re.compile(r"[^\W\d_]{3}|[0-9]{1,2}[./][0-9]{1,2}[./][0-9]{2,4}")


def _by_dateparser(words: str, said: dt.date) -> str | None:
    """EDTF as ``dateparser`` reads it; None for what it, or a careful reader, does not understand."""
    slashed = _SLASHED.search(words)
    if slashed and max(int(slashed[1]), int(slashed[2])) <= 12 and slashed[1] != slashed[2]:
        return None  # the fourth of May or the fifth of April
    words = leadless(words)
    if is_amount(words) or not _PLAUSIBLE.search(words) or not _BOUNDS.isdisjoint(words.split()):
        return None  # it takes a lone "5" for a date, and "two weeks" for two weeks ago
    from dateparser.date import DateDataParser

    settings = {
        "RELATIVE_BASE": dt.datetime.combine(said, dt.time(12)),
        "TIMEZONE": "UTC",
        "PREFER_DATES_FROM": "past",
        "DATE_ORDER": "MDY" if slashed and int(slashed[2]) > 12 else "DMY",
    }
    found = DateDataParser(languages=LANGUAGES, settings=settings).get_date_data(words)
    if found.date_obj is None:
        return None
    day: dt.date = found.date_obj.date()
    monday = day - dt.timedelta(days=day.weekday())
    coarse = {
        "week": f"{monday}/{monday + dt.timedelta(days=6)}",
        "month": f"{day.year:04d}-{day.month:02d}",
        "year": f"{day.year:04d}~",
    }
    return coarse.get(found.period, day.isoformat())
