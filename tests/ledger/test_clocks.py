"""A date means the days it may mean, no more and no fewer, and what is no date is refused with a remedy."""

from __future__ import annotations

import calendar
import datetime as dt
import subprocess
import sys
import time

import pytest
from edtf import parse_edtf
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.clocks import (
    as_of,
    day,
    held,
    instant_key,
    instant_text,
    iso,
    known_by,
    latest_instant,
    normalise,
    off_by_years,
    parse_formats,
    recorded_by,
    span,
    utc_text,
    weekday_name,
)
from ledger.errors import BadDate, BadMap

NOW = dt.datetime(2025, 12, 16, 13, 30, tzinfo=dt.UTC)


def ordinal(text: str | None) -> int | None:
    return None if text is None else dt.date.fromisoformat(text).toordinal()


# -- what is refused -----------------------------------------------------------------------------------

REFUSED = [
    "", " ", "?", "foo", "yesterday", "2025-02-29", "2025-11-31", "2025-13", "2025-00", "2025-11-00",
    "2025-99-01", "0000", "0000-01-01", "0000-XX", "-0044", "Y12345", "Y-12345", "12345", "99999-01-01",
    "1390S2", "2025-1", "2025-1-2", "20251120", "2025-W50", "2025-320", "25-11-20", "16.12.2025",
    "12/11/2025", "2025 11 20", "2025-11-20?~", "20?25-11-20", "2025-11-20!", "2025-11-2O", "２０２５",
    "٢٠٢٥",
    "2025--11", "2025-11-20-", "2025-02-3X", "2025-XX-32", "2025-3X", "1999-00-XX", "2025-02-30/2025-03-01",
    "2025-X1-3X/2025-01-01", "2025-12-02/2025-11-01", "2025/2024",
    "2025-12-16T10:00:00Z/2025-12-16T09:00:00Z", "2025-XX/2024-12-31", "../..", "/", "../", "/..", "..",
    "2025/2026/2027", "2025//", "2025/[2026,2027]", "[2025-11-05..2025-11-01]", "[]", "[2025",
    "{2025-11-01;2025-11-02}", "[..]", "[2025-02-30,2025-03-01]", "[0000,2025]", "2025-12-16T25:00:00Z",
    "2025-12-16T10:60:00Z", "2025-12-16T10:00:60Z", "2025-12-16T24:00:00Z", "2025-12-16T10:00:00+15:00",
    "2025-12-16T10:00:00+02:60", "2025-02-30T10:00:00Z", "2025-12-16T10", "2025-12-16T",
    "2025-12-16T10:00:00Z~", "2025-12T10:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:30:00-01:00",
    "2025-11-20\x00", "2025-11-20\n2025-11-21", "2025" * 100, "[" * 300, "2025-42",
]  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_date_is_refused_in_one_line_with_a_remedy(text: str) -> None:
    with pytest.raises(BadDate) as error:
        normalise(text)
    assert error.value.exit_code == 2
    assert error.value.remedy
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 250


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_date_is_no_exact_day(text: str) -> None:
    assert day(text) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2025-02-29", "February 2025 has 28 days"),
        ("2025-13", "there is no month 13"),
        ("2025-12-02/2025-11-01", "runs backwards. Write 2025-11-01/2025-12-02"),
        ("12/11/2025", "the day or the month first. Write YYYY-MM-DD"),
        ("0000", "Years run from 0001 to 9999"),
        ("1999-02-3X", "fits no day of the calendar"),
        ("2025/2026/2027", "more than two ends"),
    ],
)
def test_the_message_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(BadDate) as error:
        span(text)
    assert why in str(error.value)


@given(st.text(alphabet="0123456789XTZ-/.?~%,[]{}: YSE", max_size=25))
@example("2025-11/2025-11-XX")
def test_any_text_is_a_date_or_refused_and_never_a_crash(text: str) -> None:
    try:
        found = span(text)
    except BadDate:
        return
    assert found.lo is not None or found.hi is not None
    if found.lo is not None and found.hi is not None:
        assert 1 <= found.lo <= found.hi <= dt.date.max.toordinal()
    canonical = normalise(text)
    assert normalise(canonical) == canonical
    assert span(canonical) == found


# -- what a date may mean ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "lo", "hi", "precision"),
    [
        ("2025-12-16", "2025-12-16", "2025-12-16", "day"),
        ("2024-02", "2024-02-01", "2024-02-29", "month"),
        ("2025", "2025-01-01", "2025-12-31", "year"),
        ("0001", "0001-01-01", "0001-12-31", "year"),
        ("9999-12-31", "9999-12-31", "9999-12-31", "day"),
        ("2025-11-XX", "2025-11-01", "2025-11-30", "month"),
        ("2025-XX", "2025-01-01", "2025-12-31", "year"),
        ("2025-XX-XX", "2025-01-01", "2025-12-31", "year"),
        ("2025-XX-31", "2025-01-31", "2025-12-31", "interval"),
        ("2025-1X", "2025-10-01", "2025-12-31", "interval"),
        ("1999-12-3X", "1999-12-30", "1999-12-31", "interval"),
        ("1999-12-0X", "1999-12-01", "1999-12-09", "interval"),
        ("2023-02-2X", "2023-02-20", "2023-02-28", "interval"),
        ("199X", "1990-01-01", "1999-12-31", "interval"),
        ("XXXX", "0001-01-01", "9999-12-31", "interval"),
        ("202X-02-29", "2020-02-29", "2028-02-29", "interval"),
        ("2025-12-16T10:00:00Z", "2025-12-16", "2025-12-16", "instant"),
        ("2025-12-16T01:00:00+02:00", "2025-12-15", "2025-12-15", "instant"),
        ("2025-12-16T23:30:00-03:30", "2025-12-17", "2025-12-17", "instant"),
        ("2025-11-20/2025-12-02", "2025-11-20", "2025-12-02", "interval"),
        ("2025-11/2025-12", "2025-11-01", "2025-12-31", "interval"),
        ("2025-11-XX/2025-12-02", "2025-11-01", "2025-12-02", "interval"),
        ("2025/2025-06", "2025-01-01", "2025-06-30", "interval"),
        ("2025-11/..", "2025-11-01", None, "interval"),
        ("2025-11/", "2025-11-01", None, "interval"),
        ("../2025", None, "2025-12-31", "interval"),
        ("/2025", None, "2025-12-31", "interval"),
        ("2025-12-15T22:00:00-03:00/2025-12-16", "2025-12-16", "2025-12-16", "interval"),
        ("2025-21", "2025-03-01", "2025-05-31", "interval"),
        ("2025-24", "2025-12-01", "2026-02-28", "interval"),
        ("2025-24~", "2025-12-01", "2026-02-28", "interval"),
        ("2025-36", "2025-10-01", "2025-12-31", "interval"),
        ("[2025-11-01,2025-11-05]", "2025-11-01", "2025-11-05", "interval"),
        ("{2025-11..2025-12}", "2025-11-01", "2025-12-31", "interval"),
        ("[..2025-11-05]", None, "2025-11-05", "interval"),
    ],
)
def test_the_bounds_of_a_date_are_those_of_the_calendar(
    text: str, lo: str | None, hi: str | None, precision: str
) -> None:
    found = span(text)
    assert (found.lo, found.hi, found.precision) == (ordinal(lo), ordinal(hi), precision)


@pytest.mark.parametrize(
    ("text", "approximate", "uncertain"),
    [
        ("2025-11-20", False, False),
        ("2025-11-20~", True, False),
        ("2025-11-20?", False, True),
        ("2025-11-20%", True, True),
        ("2024?-12-12", False, True),
        ("2024-12~-12", True, False),
        ("?2024-12-12", False, True),
        ("2025-?11-20", False, True),
        ("2025-11-XX~", True, False),
        ("2025-11-20/2025-12-02~", True, False),
        ("2025-11-20?/..", False, True),
        ("[2025-11-01~,2025-11-05]", True, False),
    ],
)
def test_a_qualifier_on_any_part_marks_the_date_and_moves_no_bound(
    text: str, approximate: bool, uncertain: bool
) -> None:
    found = span(text)
    assert (found.approximate, found.uncertain) == (approximate, uncertain)
    bare = span(text.translate({ord(mark): None for mark in "?~%"}))
    assert (found.lo, found.hi) == (bare.lo, bare.hi)


dates = st.dates(min_value=dt.date(1, 1, 1), max_value=dt.date(9999, 12, 31))
qualifiers = st.sampled_from(["", "~", "?", "%"])


@st.composite
def plain_texts(draw: st.DrawFn) -> str:
    date = draw(dates).isoformat()
    return date[: draw(st.sampled_from([4, 7, 10]))] + draw(qualifiers)


@given(plain_texts())
def test_the_short_path_agrees_with_the_edtf_package(text: str) -> None:
    parsed = parse_edtf(text)
    lo, hi = (dt.date(*bound[:3]).toordinal() for bound in (parsed.lower_strict(), parsed.upper_strict()))
    assert (span(text).lo, span(text).hi) == (lo, hi)


@given(plain_texts(), plain_texts())
def test_an_interval_spans_its_ends_or_runs_backwards(a: str, b: str) -> None:
    first, last = span(a), span(b)
    assert first.lo is not None
    assert last.hi is not None
    if first.lo > last.hi:
        with pytest.raises(BadDate, match="runs backwards"):
            span(f"{a}/{b}")
    else:
        found = span(f"{a}/{b}")
        assert (found.lo, found.hi) == (first.lo, last.hi)
        assert found.approximate == (first.approximate or last.approximate)


@given(dates, st.lists(st.integers(0, 7), min_size=1))
def test_unspecified_digits_cover_every_day_they_may_stand_for(date: dt.date, hidden: list[int]) -> None:
    digits = [place for place in range(10) if place not in (4, 7)]
    text = "".join(
        "X" if place in {digits[n] for n in hidden} else c for place, c in enumerate(date.isoformat())
    )
    found = span(text)
    assert found.lo is not None
    assert found.hi is not None
    assert found.lo <= date.toordinal() <= found.hi
    for bound in (found.lo, found.hi):  # the bounds themselves fit the mask
        assert all(want in ("X", got) for want, got in zip(text, iso(bound), strict=True))


# -- canonical text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (" 2025-11-20 ", "2025-11-20"),
        ("2025-11-xx", "2025-11-XX"),
        ("2025-11-20 / 2025-12-02", "2025-11-20/2025-12-02"),
        ("2025\u201111\u201120", "2025-11-20"),
        ("2025-11/ ..", "2025-11/.."),
        ("2025-12-16t10:00:00z", "2025-12-16T10:00:00Z"),
        ("2025-12-16 10:00", "2025-12-16T10:00:00Z"),
        ("2025-12-16\u00a010:00 UTC", "2025-12-16T10:00:00Z"),
        ("2025-12-16T10:00+0200", "2025-12-16T10:00:00+02:00"),
        ("2025-12-16T10:00:00+02", "2025-12-16T10:00:00+02:00"),
        ("2025-12-16T10:00:00-00:00", "2025-12-16T10:00:00Z"),
        ("2025-12-16T10:00:00.500000Z", "2025-12-16T10:00:00.5Z"),
        ("2025-12-16T10:00:00.000Z", "2025-12-16T10:00:00Z"),
        ("2025-12-16T10:00:00,1234567Z", "2025-12-16T10:00:00.123456Z"),
        ("2025-12-16T10:00Z/2025-12-17", "2025-12-16T10:00:00Z/2025-12-17"),
        ("[2025-11-01, 2025-11-05]", "[2025-11-01,2025-11-05]"),
        ("2024?-12-12", "2024?-12-12"),
    ],
)
def test_blanks_and_capitals_make_no_other_date(text: str, canonical: str) -> None:
    assert normalise(text) == canonical


# -- exact days ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("2025-12-16", "2025-12-16"),
        ("2025-12-16/2025-12-16", "2025-12-16"),
        ("2025-12-16T23:30:00-03:00", "2025-12-17"),
        ("2025-12-16~", None),
        ("2025?-12-16", None),
        ("2025-12-16%", None),
        ("2025-12", None),
        ("2025-12-1X", None),
        ("2025-12-16/..", None),
        ("2025-12-16/2025-12-17", None),
    ],
)
def test_only_one_unqualified_day_is_exact(text: str, exact: str | None) -> None:
    assert day(text) == ordinal(exact)


# -- held throughout -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2022-02-24/2022-09", "2022-02-24", "2022-09-01"),
        ("2022-09/2025-08", "2022-09-30", "2025-08-01"),
        ("2025-11-XX/2025-12-02", "2025-11-30", "2025-12-02"),
        ("2025-11", "2025-11-01", "2025-11-30"),
        ("2025-11-20", "2025-11-20", "2025-11-20"),
        ("2025-11-20~/2025-12-02?", "2025-11-20", "2025-12-02"),
        ("2025-11/..", "2025-11-30", None),
        ("../2025-11", None, "2025-11-01"),
        ("2025-11/", "2025-11-30", "2025-11-30"),
        ("/2025-11", "2025-11-01", "2025-11-01"),
        ("2025-11/2025-11", "2025-11-01", "2025-11-30"),
        ("2025/2025-06", "2025-06-01", "2025-06-30"),
        ("2025-06/2025", "2025-06-01", "2025-06-30"),
        ("2025/2025", "2025-01-01", "2025-12-31"),
    ],
)
def test_throughout_counts_from_the_latest_start_to_the_earliest_end(
    text: str, first: str | None, last: str | None
) -> None:
    assert held(text) == (ordinal(first), ordinal(last))


@given(plain_texts(), plain_texts())
def test_what_was_surely_held_is_never_empty_and_lies_within_the_span(a: str, b: str) -> None:
    try:
        found = span(f"{a}/{b}")
    except BadDate:
        return
    first, last = held(f"{a}/{b}")
    assert found.lo is not None
    assert found.hi is not None
    assert first is not None
    assert last is not None
    assert found.lo <= first <= last <= found.hi


# -- moments -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "latest"),
    [
        ("2025-11-20", "2025-11-20T23:59:59.999999Z"),
        ("2024-02", "2024-02-29T23:59:59.999999Z"),
        ("2025~", "2025-12-31T23:59:59.999999Z"),
        ("2025-11-20/2025-12", "2025-12-31T23:59:59.999999Z"),
        ("../2025-12", "2025-12-31T23:59:59.999999Z"),
        ("2025-12-16T10:00:00Z", "2025-12-16T10:00:00.000000Z"),
        ("2025-12-16T01:00:00.25+02:00", "2025-12-15T23:00:00.250000Z"),
        ("2025-12-15/2025-12-16T10:00:00Z", "2025-12-16T10:00:00.000000Z"),
        ("1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"),
        ("0001-01-01", "0001-01-01T23:59:59.999999Z"),
    ],
)
def test_the_latest_moment_of_a_date_is_its_end(text: str, latest: str) -> None:
    assert latest_instant(text) == latest


@pytest.mark.parametrize("text", ["2025-11/..", "2025-11/", "[2025-11..]"])
def test_a_date_without_an_end_has_no_latest_moment(text: str) -> None:
    with pytest.raises(BadDate, match="has no end"):
        latest_instant(text)
    with pytest.raises(BadDate, match="has no end"):
        instant_key(text)


zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
moments = st.datetimes(min_value=dt.datetime(2, 1, 1), max_value=dt.datetime(9998, 12, 31), timezones=zones)


@given(moments)
def test_an_instant_keeps_its_moment_whatever_its_offset(moment: dt.datetime) -> None:
    assert latest_instant(moment.isoformat()) == utc_text(moment)
    assert span(moment.isoformat()).lo == moment.astimezone(dt.UTC).toordinal()
    assert instant_text(instant_key(moment.isoformat())) == utc_text(moment)


@given(moments, moments)
def test_text_and_number_of_a_moment_sort_as_time_runs(a: dt.datetime, b: dt.datetime) -> None:
    keys, texts = [instant_key(m.isoformat()) for m in (a, b)], [utc_text(a), utc_text(b)]
    assert (keys[0] < keys[1]) == (a < b) == (texts[0] < texts[1])


def test_a_moment_without_an_offset_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="offset"):
        utc_text(dt.datetime(2025, 12, 16))


# -- what users ask for --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "asked", "end"),
    [
        ("2025-12-13", "2025-12-13", "2025-12-13T23:59:59.999999Z"),
        ("2025-11", "2025-11-30", "2025-11-30T23:59:59.999999Z"),
        ("2024", "2024-12-31", "2024-12-31T23:59:59.999999Z"),
        ("2026-01-01", "2026-01-01", "2026-01-01T23:59:59.999999Z"),
        ("2025-12-13T10:00:00+02:00", "2025-12-13", "2025-12-13T08:00:00.000000Z"),
        ("yesterday", "2025-12-15", "2025-12-15T23:59:59.999999Z"),
        ("Today", "2025-12-16", "2025-12-16T23:59:59.999999Z"),
        ("now", "2025-12-16", "2025-12-16T13:30:00.000000Z"),
        ("3 days ago", "2025-12-13", "2025-12-13T23:59:59.999999Z"),
        ("2 weeks ago", "2025-12-02", "2025-12-02T23:59:59.999999Z"),
        ("last month", "2025-11-30", "2025-11-30T23:59:59.999999Z"),
        ("Friday", "2025-12-12", "2025-12-12T23:59:59.999999Z"),
        ("вчора", "2025-12-15", "2025-12-15T23:59:59.999999Z"),
    ],
)
def test_as_of_takes_dates_and_words(text: str, asked: str, end: str) -> None:
    found = as_of(text, now=NOW)
    assert (iso(found.day), found.end) == (asked, end)


@pytest.mark.parametrize(
    "text",
    [
        "2025-11-20/2025-11-22", "2025-11/..", "199X", "last week", "several weeks ago", "2025-11-20~",
        "2025-11-20?", "", "soon", "12/11/2025", "2025-02-30", "[2025-11-01,2025-11-05]",
    ],
)  # fmt: skip
def test_as_of_refuses_what_is_not_one_day(text: str) -> None:
    with pytest.raises(BadDate) as error:
        as_of(text, now=NOW)
    assert error.value.remedy


def test_as_of_uses_the_utc_day_of_now() -> None:
    late = dt.datetime(2025, 12, 16, 23, 30, tzinfo=dt.timezone(dt.timedelta(hours=-3)))
    assert iso(as_of("today", now=late).day) == "2025-12-17"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-12-12", "2025-12-12T23:59:59.999999Z"),
        ("2025-11", "2025-11-30T23:59:59.999999Z"),
        ("2025-12-16T10:00:00Z", "2025-12-16T10:00:00.000000Z"),
        ("2025-12-16", "2025-12-16T13:30:00.000000Z"),
        ("today", "2025-12-16T13:30:00.000000Z"),
        ("now", "2025-12-16T13:30:00.000000Z"),
        ("2025", "2025-12-16T13:30:00.000000Z"),
        ("yesterday", "2025-12-15T23:59:59.999999Z"),
    ],
)
def test_known_by_ends_with_the_day_or_with_now(text: str, moment: str) -> None:
    assert known_by(text, now=NOW) == moment


@pytest.mark.parametrize(
    "text", ["2025-12-17", "tomorrow", "2026", "2025-12-16T13:30:01Z", "2025-12-16T23:00:00+02:00"]
)
def test_known_by_in_the_future_is_refused(text: str) -> None:
    with pytest.raises(BadDate, match="lies in the future: it is 2025-12-16T13:30Z"):
        known_by(text, now=NOW)


def test_recorded_by_takes_a_position_or_a_moment() -> None:
    assert recorded_by("#17") == 17
    assert recorded_by(" #0 ") == 0
    assert recorded_by("2025-12-12") == "2025-12-12T23:59:59.999999Z"
    assert recorded_by("2025-12-12T10:00:00Z") == "2025-12-12T10:00:00.000000Z"
    assert recorded_by("yesterday", now=NOW) == "2025-12-15T23:59:59.999999Z"


@pytest.mark.parametrize(
    "text", ["#", "#-1", "#1.5", "#x", "17", "12345", "#" + "9" * 30, "", "yesterday", "2025-11/.."]
)
def test_recorded_by_refuses_what_is_neither(text: str) -> None:
    with pytest.raises(BadDate):
        recorded_by(text)


# -- mapped files --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "formats", "edtf"),
    [
        ("10 Sep 2022", ["%d %b %Y"], "2022-09-10"),
        ("10\u00a0September  2022", ["%d %b %Y", "%d %B %Y"], "2022-09-10"),
        ("September 2022", ["%d %B %Y", "%B %Y"], "2022-09"),
        ("2022", ["%Y"], "2022"),
        ("20220402", ["%Y%m%d"], "2022-04-02"),
        ("2022-04-02T22:16:29Z", ["%Y-%m-%dT%H:%M:%SZ"], "2022-04-02T22:16:29Z"),
        ("2022-04-02 22:16 +0300", ["%Y-%m-%d %H:%M %z"], "2022-04-02T22:16:00+03:00"),
        ("2025-11-20~", ["edtf"], "2025-11-20~"),
        ("2022-094", ["%Y-%j"], "2022-04-04"),
    ],
)
def test_a_mapped_date_is_as_precise_as_its_format(text: str, formats: list[str], edtf: str) -> None:
    assert parse_formats(text, formats) == edtf


@pytest.mark.parametrize(
    ("text", "formats", "why"),
    [
        ("10 Sep 2022", ["%Y-%m-%d"], "fits none of the formats"),
        ("10 Sep 2022", [], "fits none of the formats"),
        ("", ["%Y"], "fits none of the formats"),
        ("10 Sep 2022 x", ["%d %b %Y"], "fits none of the formats"),
        ("31 Nov 2022", ["%d %b %Y"], "does not exist"),
        ("2025-02-30", ["edtf"], "does not exist"),
    ],
)
def test_a_cell_that_fits_no_format_is_refused(text: str, formats: list[str], why: str) -> None:
    with pytest.raises(BadDate, match=why):
        parse_formats(text, formats)


@pytest.mark.parametrize("form", ["%d %B", "", "%d %Q %Y", "%H:%M"])
def test_a_format_that_cannot_give_a_date_is_a_fault_of_the_map(form: str) -> None:
    with pytest.raises(BadMap):
        parse_formats("10 September", [form])


# -- checks of a date against another ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "years"),
    [
        ("2024-12-12", "2025-12-12", 1),
        ("2025-12-12", "2024-12-12T10:00:00Z", -1),
        ("2025-12-12", "2025-12-12", None),
        ("2025-12-12", "2024-12-13", None),
        ("2025-12-12~", "2024-12-12", None),
        ("2025-12", "2024-12", None),
        ("foo", "2024-12-12", None),
    ],
)
def test_the_same_day_of_another_year_is_noticed(a: str, b: str, years: int | None) -> None:
    assert off_by_years(a, b) == years


@given(dates)
def test_weekdays_are_those_of_the_calendar(date: dt.date) -> None:
    assert weekday_name(date.toordinal()) == calendar.day_name[date.weekday()]
    assert iso(date.toordinal()) == date.isoformat()


# -- cost ----------------------------------------------------------------------------------------------


def test_ordinary_dates_import_no_slow_package() -> None:
    code = (
        "import sys; from ledger import clocks as c;"
        "[c.span(t) for t in ('2025', '2025-11-20~', '2025-12-16T10:00Z', '2025-11-XX/..', '2024?-12-12')];"
        "sys.exit(bool({'edtf', 'dateparser', 'pyparsing'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_hostile_date_takes_no_time() -> None:
    before = time.perf_counter()
    for text in ("[" * 199, "{" + "2025," * 39 + "2025}", "2025" + "?" * 190, "2025-11-" + "X" * 180):
        day(text)
    assert time.perf_counter() - before < 5
