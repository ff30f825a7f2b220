"""Known truth to hold beliefs against: a CSV with the columns place, day and state, other columns ignored.

A place goes by any registered spelling, a day is one exact day that is over or has begun, a state one of the
question's. The same row twice counts once. Anything that cannot be meant is refused with its line, never
passed over: a figure from half a file would look like one from the whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ledger.clocks import day, iso, span
from ledger.directory import Directory
from ledger.errors import AmbiguousName, BadDate, LedgerError, UnknownName, Usage
from ledger.importing.lines import Reject
from ledger.importing.reading import Raw, Records, open_records

COLUMNS = ("place", "day", "state")
_SKIP = "--skip-unknown leaves out rows on places that the ledger does not know"


@dataclass
class Truth:
    """``places``: canonical id → day (ordinal) → state; ids and days in order. ``rows`` counts place-days.

    ``repeated`` rows said again what an earlier one had said; ``skipped`` were on unknown places, which
    ``unknown`` names, as written, with their number of rows.
    """

    places: dict[str, dict[int, str]] = field(default_factory=dict)
    repeated: int = 0
    unknown: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(map(len, self.places.values()))

    @property
    def skipped(self) -> int:
        return sum(self.unknown.values())

    @property
    def days(self) -> tuple[int, int]:
        """The first and the last day of all."""
        return min(map(min, self.places.values())), max(map(max, self.places.values()))


class _Reader:
    """Takes rows one by one, and remembers in which line each was said."""

    def __init__(self, directory: Directory, question: str, today: int, *, skip_unknown: bool) -> None:
        self.directory = directory
        self.question = question
        self.today = today
        self.skip_unknown = skip_unknown
        self.truth = Truth()
        self._places: dict[str, str | None] = {}
        self._days: dict[str, int] = {}
        self._states: dict[str, str] = {}
        self._lines: dict[tuple[str, int], int] = {}

    def take(self, line: int, raw: Raw) -> None:
        """Raises ``LedgerError`` for a row that cannot be meant."""
        place, said, state = (raw[name].strip() for name in COLUMNS)
        for name, value in zip(COLUMNS, (place, said, state), strict=True):
            if not value:
                raise Usage(f"the {name} is empty", remedy="fill it in, or take the row out")
        # Everything is looked at before a row is left out, lest a mistake in it goes unseen.
        asked = self._day(said), self._state(state)
        found = self._place(place)
        if found is None:
            self.truth.unknown[place] = self.truth.unknown.get(place, 0) + 1
            return
        self._put(found, *asked, line)

    def _put(self, place: str, ordinal: int, state: str, line: int) -> None:
        known = self.truth.places.setdefault(place, {})
        earlier = known.setdefault(ordinal, state)
        if earlier != state:
            name = self.directory.places[place].name if place in self.directory.places else place
            raise Usage(
                f"{name} is {state} on {iso(ordinal)} here, and {earlier} in line"
                f" {self._lines[place, ordinal]}",
                remedy="keep one of the two",
            )
        if self._lines.setdefault((place, ordinal), line) != line:
            self.truth.repeated += 1

    def _place(self, text: str) -> str | None:
        if text not in self._places:
            try:
                self._places[text] = self.directory.resolve_place(text)
            except AmbiguousName:
                raise
            except UnknownName as error:
                if not self.skip_unknown:
                    remedy = " ".join(filter(None, (error.remedy, _SKIP)))
                    raise UnknownName(error.what, remedy=remedy) from None
                self._places[text] = None
        return self._places[text]

    def _day(self, text: str) -> int:
        if text not in self._days:
            span(text)  # says what is wrong with what is no date at all
            ordinal = day(text)
            if ordinal is None:
                raise BadDate(f"{text!r} is not one exact day", remedy="write it as 2025-12-16")
            if ordinal > self.today:
                raise BadDate(
                    f"{text} is yet to come: it is {iso(self.today)}", remedy="truth is about days gone by"
                )
            self._days[text] = ordinal
        return self._days[text]

    def _state(self, text: str) -> str:
        if text not in self._states:
            self._states[text] = self.directory.resolve_state(self.question, text)
        return self._states[text]


def read_truth(
    file: str | Path, directory: Directory, question: str, today: int, *, skip_unknown: bool = False
) -> Truth:
    """Read a truth file, or standard input where it is ``-``; ``today`` is an ordinal.

    Raises ``Usage`` for what is no such table or has no rows, ``UnknownName`` for places and states that are
    not known, ``BadDate`` for days; each names the file and line.
    """
    reader = _Reader(directory, question, today, skip_unknown=skip_unknown)
    name = str(file)
    with _open(name) as records:
        missing = [column for column in COLUMNS if column not in (records.columns or ())]
        if missing:
            has = ", ".join(records.columns or ())
            raise Usage(
                f"there is no column {missing[0]!r}: the header has {has}",
                where=f"{name}:1",
                remedy=f"a truth has the columns {', '.join(COLUMNS)}",
            )
        for line, raw in records:
            if isinstance(raw, Reject):
                raise Usage(raw.reason, where=f"{name}:{line}", remedy="mend the line, or take it out")
            try:
                reader.take(line, raw)
            except LedgerError as error:
                raise type(error)(error.what, where=f"{name}:{line}", remedy=error.remedy) from None
    return _ordered(reader.truth, name)


def _ordered(truth: Truth, name: str) -> Truth:
    if not truth.places and truth.skipped:
        raise Usage(
            f"no row is on a place that the ledger knows ({truth.skipped:,} left out)",
            where=name,
            remedy="register them with `claims place`, or name them as `claims places` does",
        )
    if not truth.places:
        raise Usage("there are no rows", where=name, remedy=f"a row has {', '.join(COLUMNS)}")
    truth.places = {place: dict(sorted(days.items())) for place, days in sorted(truth.places.items())}
    return truth


def _open(name: str) -> Records:
    """The rows of the file; what the reader of imports says of a map does not apply here."""
    try:
        return open_records(name, "csv")
    except Usage as error:
        remedy = (error.remedy or "").replace("claims import", "claims backtest")
        if "top of the map" in remedy:
            remedy = "save the table with commas between its cells"
        raise Usage(error.what, where=error.where, remedy=remedy or None) from None
