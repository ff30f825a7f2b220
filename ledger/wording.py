"""The rules by which wording about time becomes EDTF, tried in the order of ``RULES`` at the end.

* A date, month or season without a year is the latest one not after the report. A date may be one day ahead
  of it, for outlets do not live in UTC; one that comes up within a month of it could be meant either way
  and is refused: "24 December" in a report of the 16th needs its year.
* "On Tuesday" in a report of a Tuesday is that day; "last Tuesday" is the one before.
* Weeks run from Monday to Sunday. A "past week" ends with the report, "last week" is the calendar's.
* Days and calendar units are exact; "a week ago" and every vague amount is marked as approximate (``~``).
* A weekday beside a date must fit it. Misdated articles are found that way, so it is refused, not repaired.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass

from ledger.dates import MONTHS, WEEKDAYS, read
from ledger.errors import BadDate
from ledger.vocabulary import AMOUNTS, DAY_NAMES, IN_DOUBT, NUMBERS, PARTS, RECENT, SEASONS


@dataclass(frozen=True, slots=True)
class Rule:
    """One form of wording: ``pattern`` must match all of it, ``read`` turns it into EDTF."""

    name: str
    pattern: re.Pattern[str]
    read: Callable[[re.Match[str], dt.date], str]


def by_rules(words: str, said: dt.date) -> tuple[str, str] | None:
    """EDTF and the rule's name for simplified words (lower case, no punctuation); None if no rule fits.

    Raises ``BadDate`` for words that contradict the calendar, ``ValueError`` outside the years 1 to 9999.
    """
    bare = _LEAD.sub("", words)
    plain = _LEAD.sub("", _HEDGE.sub("", bare))
    for rule in RULES:
        match = rule.pattern.fullmatch(plain) or rule.pattern.fullmatch(plain.removeprefix("the "))
        if match:
            found = rule.read(match, said)
            return (approximate(found) if _HEDGE.match(bare) else found), rule.name
    return None


def is_amount(words: str) -> bool:
    """Whether the words are a mere length of time, such as "two weeks"."""
    return bool(re.fullmatch(f"{_AMOUNT} {_UNIT}", words))


def leadless(words: str) -> str:
    """The words without a leading preposition; "in two weeks" is not "two weeks" and keeps it."""
    bare = _LEAD.sub("", words)
    return words if is_amount(bare) else bare


# -- writing EDTF --------------------------------------------------------------------------------------


def approximate(edtf: str) -> str:
    """The same date with ``~`` on every end that has no qualifier yet."""
    ends = [end if end in ("", "..") or end[-1] in "~?%" else f"{end}~" for end in edtf.split("/")]
    return "/".join(ends)


def _between(first: dt.date, last: dt.date) -> str:
    return first.isoformat() if first == last else f"{first}/{last}"


def _month(year: int, month: int) -> str:
    return f"{year:04d}-{month:02d}"


def _last_of(year: int, month: int) -> dt.date:
    return dt.date(year, month, calendar.monthrange(year, month)[1])


def _back(said: dt.date, count: int, unit: str = "day") -> dt.date:
    """The day ``count`` units before ``said``; the last of a shorter month where it has no such day."""
    if unit in ("day", "week"):
        return said - dt.timedelta(days=count * (7 if unit == "week" else 1))
    months = said.year * 12 + said.month - 1 - count * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return min(dt.date(year, month + 1, 1) + dt.timedelta(days=said.day - 1), _last_of(year, month + 1))


def _monday(said: dt.date) -> dt.date:
    return _back(said, said.weekday())


# -- the pieces of the patterns ------------------------------------------------------------------------

_MONTH_OF = {name[:length].casefold(): n + 1 for n, name in enumerate(MONTHS) for length in (3, len(name))}
_MONTH_OF["sept"] = 9
_WEEKDAY_OF = {name: number for number, names in enumerate(DAY_NAMES) for name in names.split()}


def _any(words: object) -> str:
    return "|".join(sorted(map(re.escape, words), key=len, reverse=True))  # type: ignore[call-overload]


_AMOUNT = rf"(?:an? |the )?(?P<amount>[0-9]{{1,4}}|{_any([*AMOUNTS, *NUMBERS])}|an?)"
_UNIT = r"(?P<unit>hour|day|week|month|year)s?"
_CALENDAR_UNIT = r"(?P<unit>week|month|year)"
_MON = rf"(?P<month>{_any(_MONTH_OF)})"
_WD = rf"(?P<weekday>{_any(_WEEKDAY_OF)})"
_PART = f"(?P<part>{'|'.join(part[0] for part in PARTS.values())})[- ](?:in )?(?:the )?"
_YEAR = r"(?: (?:of )?(?P<year>[0-9]{4}))?"
_DAY = r"(?:the )?(?P<day>[0-9]{1,2})(?:st|nd|rd|th)?"
_HOURS = r"(?: (?:morning|afternoon|evening|night|noon))?"

_LEAD = re.compile(r"^(?:(?:on|in|at|during|back|only|already|am|im|у|в|во) )+")
_HEDGE = re.compile(
    r"^(?:(?:about|around|roughly|approximately|approx|nearly|almost|circa|ca|probably) (?:in )?"
    rf"|some ?time (?:in|on|around) |(?:over|more than|less than) (?={_AMOUNT} {_UNIT}))"
)


def _amount(match: re.Match[str]) -> tuple[int, int]:
    word = match["amount"]
    if word in AMOUNTS:
        return AMOUNTS[word]
    count = 1 if word in ("a", "an") else NUMBERS.index(word) + 1 if word in NUMBERS else int(word)
    return count, count


def _part(match: re.Match[str]) -> str:
    return next(name for name, part in PARTS.items() if re.fullmatch(part[0], match["part"]))


def _year(match: re.Match[str], said: dt.date, month: int, day: int = 1) -> int:
    """The year named, else that of the latest such day not after the report; refused where in doubt."""
    if match["year"]:
        return int(match["year"])
    for year in (said.year, said.year + 1):
        begins = dt.date(year, month, 1) + dt.timedelta(days=day - 1)
        if 1 < (begins - said).days <= IN_DOUBT:
            raise BadDate(
                f"{match.group()!r} in a report of {said} could be last year's or still to come",
                remedy="Write the year",
            )
        if begins > said + dt.timedelta(days=1):
            return year - 1
    return said.year + 1  # New Year's Day in a report of the day before


# -- how each form is read -----------------------------------------------------------------------------


def _count_days(match: re.Match[str], said: dt.date) -> str:
    words = match.group()
    if words in ("last night", "overnight"):
        return _between(_back(said, 1), said)
    back = 2 if "before" in words else -1 if "tomorrow" in words else 1 if "yesterday" in words else 0
    return _back(said, back).isoformat()


def _weekday(match: re.Match[str], said: dt.date) -> str:
    number = _WEEKDAY_OF[match["weekday"]]
    if match["which"] in ("next", "coming"):
        return _back(said, -((number - said.weekday() - 1) % 7 + 1)).isoformat()
    back = (said.weekday() - number) % 7
    if match["which"] in ("last", "past", "previous"):
        back = back or 7
    return _back(said, back).isoformat()


def _weekend(match: re.Match[str], said: dt.date) -> str:
    saturday = _back(said, (said.weekday() - 5) % 7)
    if match["which"] and said.weekday() >= 5:
        saturday = _back(saturday, 7)
    return _between(saturday, _back(saturday, -1))


def _ago(match: re.Match[str], said: dt.date) -> str:
    (least, most), unit = _amount(match), match["unit"]
    if unit == "hour":
        return _between(_back(said, -(-most // 24)), _back(said, least // 24))
    if least != most:
        return approximate(_between(_back(said, most, unit), _back(said, least, unit)))
    then = _back(said, most, unit)
    if unit == "day":
        return then.isoformat()
    return approximate({"month": f"{then}"[:7], "year": f"{then}"[:4]}.get(unit, f"{then}"))


def _past(match: re.Match[str], said: dt.date) -> str:
    """ "the past few days", "in recent weeks", "the past week", "for two months"."""
    unit, counted = match["unit"], match["amount"]
    most = _amount(match)[1] if counted else RECENT if match.group().endswith("s") else 1
    if unit == "hour":
        return _between(_back(said, -(-most // 24)), said)
    start = _back(said, most, unit).isoformat()
    return f"{start}/{said}" if counted and counted not in AMOUNTS else f"{start}~/{said}"


def _calendar_unit(match: re.Match[str], said: dt.date) -> str:
    """Last, this or next week, month or year; of the current one only what has passed."""
    unit, step = match["unit"], _step(match)
    if unit == "week":
        monday = _back(_monday(said), step, "week")
        return _between(monday, _back(monday, -6) if step else said)
    then = _back(said.replace(day=1), step, unit)
    if unit == "month":
        return _month(then.year, then.month) if step else _between(then, said)
    return f"{then.year:04d}" if step else _between(then.replace(month=1), said)


def _step(match: re.Match[str]) -> int:
    return {"last": 1, "previous": 1, "next": -1}.get((match["which"] or "").strip(), 0)


def _part_of_unit(match: re.Match[str], said: dt.date) -> str:
    unit, part, step = match["unit"], _part(match), _step(match)
    if unit == "week":
        first, last = PARTS[part][3]
        monday = _back(_monday(said), step, "week")
        return _between(_back(monday, -first), _back(monday, -last))
    then = _back(said.replace(day=1), step, unit)
    return _part_of_month(part, then.year, then.month) if unit == "month" else _part_of_year(part, then.year)


def _part_of_month(part: str, year: int, month: int) -> str:
    first, last = PARTS[part][1]
    return _between(
        dt.date(year, month, first), dt.date(year, month, last) if last else _last_of(year, month)
    )


def _part_of_year(part: str, year: int) -> str:
    first, last = PARTS[part][2]
    return f"{_month(year, first)}/{_month(year, last)}"


def _part_of_named_year(match: re.Match[str], _: dt.date) -> str:
    return _part_of_year(_part(match), int(match["year"]))


def _part_of_named_month(match: re.Match[str], said: dt.date) -> str:
    month, part = _MONTH_OF[match["month"]], _part(match)
    return _part_of_month(part, _year(match, said, month, PARTS[part][1][0]), month)


def _named_month(match: re.Match[str], said: dt.date) -> str:
    month = _MONTH_OF[match["month"]]
    year = _year(match, said, month)
    if match["which"] == "last" and (year, month) == (said.year, said.month):
        year -= 1
    return _month(year, month)


def _date(match: re.Match[str], said: dt.date) -> str:
    month, number = _MONTH_OF[match["month"]], int(match["day"])
    year = _year(match, said, month, number)
    if (month, number) == (2, 29) and not match["year"]:
        year = next(leap for leap in range(year, 0, -1) if calendar.isleap(leap))
    found = dt.date.fromordinal(read(f"{_month(year, month)}-{number:02d}").span.lo or 1)
    if match["weekday"] and found.weekday() != _WEEKDAY_OF[match["weekday"]]:
        raise _weekday_misfit(found, _WEEKDAY_OF[match["weekday"]])
    return found.isoformat()


def _weekday_misfit(found: dt.date, wanted: int) -> BadDate:
    near = [year for year in range(found.year - 3, found.year + 4) if _weekday_in(found, year) == wanted]
    hint = f"In {' and '.join(map(str, near))} it is one: check the year" if near else "Check the date"
    return BadDate(f"{found} is a {WEEKDAYS[found.weekday()]}, not a {WEEKDAYS[wanted]}", remedy=hint)


def _weekday_in(day: dt.date, year: int) -> int | None:
    try:
        return day.replace(year=year).weekday()
    except ValueError:  # 29 February, or a year out of range
        return None


def _date_range(match: re.Match[str], said: dt.date) -> str:
    month, first, last = _MONTH_OF[match["month"]], int(match["first"]), int(match["day"])
    year = _year(match, said, month, first)
    return f"{_month(year, month)}-{first:02d}/{_month(year, month)}-{last:02d}"


def _day_of_month(match: re.Match[str], said: dt.date) -> str:
    """ "the 13th": of the month of the report, else of the last month before that has come to such a day."""
    number, latest = int(match["day"]), _back(said, -1)
    for months_back in range(3):  # of three months in a row, one that has passed has 31 days
        then = _back(latest.replace(day=1), months_back, "month")
        if 1 <= number <= _last_of(then.year, then.month).day and then.replace(day=number) <= latest:
            return then.replace(day=number).isoformat()
    raise BadDate(f"no month has a day {number}", remedy="Check the day")


def _season(match: re.Match[str], said: dt.date) -> str:
    start = SEASONS[match["season"]]
    year = _year(match, said, start)
    if match["which"] == "last" and not match["year"] and _back(said, 3, "month") < dt.date(year, start, 1):
        year -= 1  # it has not ended yet
    return f"{_month(year, start)}/" + (_month(year + 1, 2) if start == 12 else _month(year, start + 2))


def _named_year(match: re.Match[str], _: dt.date) -> str:
    return match["year"]


def _decade(match: re.Match[str], _: dt.date) -> str:
    return f"{match['decade']}X"


def _open_ended(match: re.Match[str], said: dt.date) -> str:
    """ "since X", "until X"; EDTF cannot nest intervals, so a vague end counts from its outer day, with ~."""
    first, last = _ends(match["inner"], said)
    return f"{first}/.." if match["which"] in ("since", "ever since", "starting") else f"../{last}"


def _from_to(match: re.Match[str], said: dt.date) -> str:
    return f"{_ends(match['from'], said)[0]}/{_ends(match['to'], said)[1]}"


def _ends(words: str, said: dt.date) -> tuple[str, str]:
    inner = by_rules(words, said)
    if inner is None or ".." in inner[0]:
        raise BadDate(f"{words!r} is not understood as a date", remedy="Write the interval as FROM/TO")
    first, slash, last = inner[0].partition("/")
    return (approximate(first), approximate(last)) if slash else (first, first)


# -- the rules, tried in this order --------------------------------------------------------------------

_FORMS: tuple[tuple[str, str, Callable[[re.Match[str], dt.date], str]], ...] = (
    (
        "counted from the day of the report",
        r"(?:earlier )?today|tonight|this (?:morning|afternoon|evening)|currently|at present|(?:right )?now"
        rf"|(?:day before )?yesterday{_HOURS}|tomorrow{_HOURS}|last night|overnight",
        _count_days,
    ),
    (
        "the latest such weekday not after the report, unless it says next",
        rf"(?:(?:early|late|earlier|later) (?:on )?)?(?:this )?"
        rf"(?:(?P<which>last|past|previous|next|coming) )?{_WD}{_HOURS}",
        _weekday,
    ),
    (
        "the latest Saturday and Sunday",
        r"(?:over )?(?:the )?(?:(?P<which>last|past) )?(?:this )?weekend",
        _weekend,
    ),
    ("so long before the report", rf"{_AMOUNT} {_UNIT} (?:ago|earlier|before|back)", _ago),
    (
        "a calendar unit, of the current one what has passed",
        rf"(?:earlier )?(?P<which>last|previous|next|this|current) {_CALENDAR_UNIT}",
        _calendar_unit,
    ),
    (
        "the time that ended with the report",
        rf"(?:for |over |within )?(?:the )?(?:past|last|recent|previous)(?: {_AMOUNT})? {_UNIT}",
        _past,
    ),
    ("the time that ended with the report", rf"for {_AMOUNT} {_UNIT}", _past),
    (
        "a part of a calendar unit",
        rf"{_PART}(?P<which>(?:last|previous|next|this|current) )?{_CALENDAR_UNIT}",
        _part_of_unit,
    ),
    ("a part of a month", rf"{_PART}{_MON}{_YEAR}", _part_of_named_month),
    ("a part of a year", rf"{_PART}(?P<year>[0-9]{{4}})", _part_of_named_year),
    ("the latest such month not after the report", rf"(?:(?P<which>last|this) )?{_MON}{_YEAR}", _named_month),
    (
        "the latest such date not after the report",
        rf"(?:{_WD} (?:the )?)?{_DAY} (?:of )?{_MON}{_YEAR}",
        _date,
    ),
    ("the latest such date not after the report", rf"(?:{_WD} (?:the )?)?{_MON} {_DAY}{_YEAR}", _date),
    (
        "from the first day to the last",
        rf"(?P<first>[0-9]{{1,2}}) ?(?:-|to) ?{_DAY} {_MON}{_YEAR}",
        _date_range,
    ),
    (
        "from the first day to the last",
        rf"{_MON} (?P<first>[0-9]{{1,2}}) ?(?:-|to) ?{_DAY}{_YEAR}",
        _date_range,
    ),
    ("the latest such day of a month", r"the (?P<day>[0-9]{1,2})(?:st|nd|rd|th)", _day_of_month),
    (
        "three months of a northern season",
        rf"(?:(?P<which>last|this) )?(?P<season>{_any(SEASONS)}){_YEAR}",
        _season,
    ),
    ("the year", r"(?P<year>[0-9]{4})", _named_year),
    ("ten years", r"(?P<decade>[0-9]{3})0s", _decade),
    ("open on one side", r"(?P<which>since|ever since|starting|until|till|up to) (?P<inner>.+)", _open_ended),
    (
        "from the one to the other",
        r"(?:from|between) (?P<from>.+?) (?:to|until|till|and) (?P<to>.+)",
        _from_to,
    ),
)

RULES: tuple[Rule, ...] = tuple(Rule(name, re.compile(form), reader) for name, form, reader in _FORMS)
