"""Words about time become dates no more precise than the words, or are refused."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clocks import resolve_relative, span
from ledger.errors import BadDate
from ledger.wording import RULES

TUESDAY = "2025-12-16"


@pytest.mark.parametrize(
    ("words", "edtf"),
    [
        ("today", "2025-12-16"),
        ("this morning", "2025-12-16"),
        ("yesterday evening", "2025-12-15"),
        ("the day before yesterday", "2025-12-14"),
        ("tomorrow", "2025-12-17"),
        ("overnight", "2025-12-15/2025-12-16"),
        ("Friday", "2025-12-12"),
        ("on Friday", "2025-12-12"),
        ("early on Friday", "2025-12-12"),
        ("on Tuesday", "2025-12-16"),
        ("last Tuesday", "2025-12-09"),
        ("next Friday", "2025-12-19"),
        ("am Freitag", "2025-12-12"),
        ("у п’ятницю", "2025-12-12"),
        ("в пятницу", "2025-12-12"),
        ("over the weekend", "2025-12-13/2025-12-14"),
        ("last week", "2025-12-08/2025-12-14"),
        ("this week", "2025-12-15/2025-12-16"),
        ("last month", "2025-11"),
        ("earlier this month", "2025-12-01/2025-12-16"),
        ("last year", "2024"),
        ("3 days ago", "2025-12-13"),
        ("a week ago", "2025-12-09~"),
        ("two months ago", "2025-10~"),
        ("a few days ago", "2025-12-11~/2025-12-14~"),
        ("several weeks ago", "2025-10-21~/2025-11-25~"),
        ("more than three weeks ago", "2025-11-25~"),
        ("past few days", "2025-12-11~/2025-12-16"),
        ("in the past few days", "2025-12-11~/2025-12-16"),
        ("in recent weeks", "2025-10-21~/2025-12-16"),
        ("for several weeks", "2025-10-21~/2025-12-16"),
        ("over the past 24 hours", "2025-12-15/2025-12-16"),
        ("end of November", "2025-11-21/2025-11-30"),
        ("at the end of November", "2025-11-21/2025-11-30"),
        ("mid-April 2014", "2014-04-11/2014-04-20"),
        ("early December", "2025-12-01/2025-12-10"),
        ("the first half of February 2024", "2024-02-01/2024-02-15"),
        ("late February 2024", "2024-02-21/2024-02-29"),
        ("late 2024", "2024-09/2024-12"),
        ("beginning of last week", "2025-12-08/2025-12-10"),
        ("in November", "2025-11"),
        ("in December", "2025-12"),
        ("November 2024", "2024-11"),
        ("sometime in November", "2025-11~"),
        ("on 13 Dec", "2025-12-13"),
        ("Dec. 13", "2025-12-13"),
        ("December 13th, 2024", "2024-12-13"),
        ("around 20 November", "2025-11-20~"),
        ("Friday, 12 December", "2025-12-12"),
        ("the 13th", "2025-12-13"),
        ("the 31st", "2025-10-31"),
        ("13–15 December", "2025-12-13/2025-12-15"),
        ("29 February", "2024-02-29"),
        ("this summer", "2025-06/2025-08"),
        ("last winter", "2024-12/2025-02"),
        ("the 1990s", "199X"),
        ("since November", "2025-11/.."),
        ("since late November", "2025-11-21~/.."),
        ("until September", "../2025-09"),
        ("from 22 September to 12 December", "2025-09-22/2025-12-12"),
        ("13 грудня", "2025-12-13"),
        ("на прошлой неделе", "2025-12-08/2025-12-14"),
        ("am 12. Dezember", "2025-12-12"),
        ("vor 3 Tagen", "2025-12-13"),
        ("13.12.2025", "2025-12-13"),
        ("13/12/2025", "2025-12-13"),
        ("2025-11-20~", "2025-11-20~"),
    ],
)
def test_words_in_a_report_of_a_tuesday(words: str, edtf: str) -> None:
    found, note = resolve_relative(words, against=TUESDAY)
    assert found == edtf
    assert note
    assert "\n" not in note


@pytest.mark.parametrize(
    "words",
    [
        "", "foo", "soon", "5", "a", "1/2", "12/11/2025", "two weeks", "two thirds", "by Friday",
        "before 13 December", "31 November", "30 February 2024", "the 32nd", "Friday 12 December 2024",
        "24 December", "in January", "9999 years ago", "from Monday to Friday", "since foo",
        "since since Friday", "2025-02-30", "2025-02-30T10:00:00Z", "\x1b[31mFriday", "Friday " * 50,
        "13 13 2025",
    ],
)  # fmt: skip
def test_words_that_are_no_date_or_could_mean_two_are_refused(words: str) -> None:
    with pytest.raises(BadDate) as error:
        resolve_relative(words, against=TUESDAY)
    assert error.value.remedy
    assert "\n" not in str(error.value)


def test_a_weekday_that_does_not_fit_its_date_points_at_the_year_it_fits() -> None:
    with pytest.raises(
        BadDate, match=r"2024-12-12 is a Thursday, not a Friday. In 2025 it is one: check the year"
    ):
        resolve_relative("Friday, 12 December", against="2024-12-16")


def test_a_date_to_come_within_a_month_needs_its_year() -> None:
    with pytest.raises(BadDate, match="Write the year"):
        resolve_relative("24 December", against=TUESDAY)
    assert resolve_relative("24 December 2024", against=TUESDAY)[0] == "2024-12-24"
    assert resolve_relative("24 March", against=TUESDAY)[0] == "2025-03-24"


def test_a_date_may_be_one_day_ahead_of_the_report_even_at_new_year() -> None:
    assert resolve_relative("17 December", against=TUESDAY)[0] == "2025-12-17"
    assert resolve_relative("1 January", against="2025-12-31")[0] == "2026-01-01"


@pytest.mark.parametrize("against", ["2025-12", "2025-12-01/2025-12-16", "2025-12/..", "../2025-12-16"])
def test_relative_words_need_a_report_of_one_day(against: str) -> None:
    with pytest.raises(BadDate, match="no single day"):
        resolve_relative("Friday", against=against)


def test_words_that_name_their_year_need_only_a_rough_report_date() -> None:
    assert resolve_relative("mid-April 2014", against="2025-12")[0] == "2014-04-11/2014-04-20"
    assert resolve_relative("late November", against="2025-12")[0] == "2025-11-21/2025-11-30"


def test_an_uncertain_report_date_makes_what_hangs_on_it_approximate() -> None:
    assert resolve_relative("Friday", against="2025-12-16~")[0] == "2025-12-12~"
    assert resolve_relative("last week", against="2025-12-16?")[0] == "2025-12-08~/2025-12-14~"
    assert resolve_relative("November 2024", against="2025-12-16~")[0] == "2024-11"


def test_a_report_with_a_time_of_day_counts_by_its_utc_day() -> None:
    assert resolve_relative("yesterday", against="2025-12-16T23:30:00-03:00")[0] == "2025-12-16"


def test_the_note_names_words_report_and_rule() -> None:
    _, note = resolve_relative("end of November", against=TUESDAY)
    assert note == "'end of November' against 2025-12-16: a part of a month"


FORMS = [
    "yesterday", "last Sunday", "next Monday", "the weekend", "last week", "this year", "next month",
    "several weeks ago", "two months ago", "a year ago", "past few days", "in recent months",
    "end of last month", "beginning of the week", "the 31st", "last winter", "summer", "last night",
    "a dozen hours ago", "early this year",
]  # fmt: skip


@given(st.sampled_from(FORMS), st.dates(min_value=dt.date(1000, 1, 1), max_value=dt.date(9000, 1, 1)))
def test_every_form_gives_a_bounded_date_near_the_report_or_asks_for_the_year(
    words: str, said: dt.date
) -> None:
    try:
        found = span(resolve_relative(words, against=said.isoformat())[0])
    except BadDate:
        assert words in ("summer", "last winter")  # the only ones without a year
        return
    assert found.lo is not None
    assert found.hi is not None
    assert abs(found.lo - said.toordinal()) < 800
    assert abs(found.hi - said.toordinal()) < 800


@given(st.text(max_size=40))
def test_no_words_make_it_crash(words: str) -> None:
    try:
        found, _ = resolve_relative(words, against=TUESDAY)
    except BadDate:
        return
    span(found)


def test_every_rule_has_a_name() -> None:
    assert all(rule.name and "\n" not in rule.name for rule in RULES)
