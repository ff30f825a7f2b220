"""What vague words about time are worth: the one place to look, and to disagree.

All of it is convention, not knowledge. ``ledger.wording`` says how the words are put together.
"""

from __future__ import annotations

# How many "a few" are, at least and at most.
AMOUNTS = {
    "couple of": (2, 3),
    "couple": (2, 3),
    "few": (2, 5),
    "some": (2, 8),
    "several": (3, 8),
    "many": (4, 12),
    "dozen": (12, 12),
}
NUMBERS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")

# How far "recent" days or weeks reach back.
RECENT = 8

# A date without a year that begins up to so many days after the report could be this year's or last year's.
IN_DOUBT = 31

# The parts of a calendar unit: wording, days of a month (None is its last), months of a year, days of a week.
PARTS: dict[str, tuple[str, tuple[int, int | None], tuple[int, int], tuple[int, int]]] = {
    "early": ("early|(?:the )?(?:beginning|start|first days) of", (1, 10), (1, 4), (0, 2)),
    "mid": ("mid|(?:the )?middle of", (11, 20), (5, 8), (2, 3)),
    "late": ("late|(?:the )?(?:very )?end of|(?:the )?(?:last|final) days of", (21, None), (9, 12), (3, 6)),
    "first half": ("(?:the )?first half of", (1, 15), (1, 6), (0, 3)),
    "second half": ("(?:the )?second half of", (16, None), (7, 12), (3, 6)),
}

# The first of the three months of a northern season.
SEASONS = {"spring": 3, "summer": 6, "autumn": 9, "fall": 9, "winter": 12}

# Names of weekdays, Monday first: English, German, Ukrainian, Russian.
DAY_NAMES = (
    "monday mon montag понеділок понедельник",
    "tuesday tues tue dienstag вівторок вторник",
    "wednesday wed mittwoch середа середу среда среду",
    "thursday thurs thur thu donnerstag четвер четверг",
    "friday fri freitag пятниця пятницю пятница пятницу",
    "saturday sat samstag sonnabend субота суботу суббота субботу",
    "sunday sun sonntag неділя неділю воскресенье",
)
