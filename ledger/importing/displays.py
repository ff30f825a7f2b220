"""What standing sources showed, as far as an import has to know it: read from the ledger, kept while it runs.

For each display there is its present state and, where the ledger has more of it, the instants and positions
of what is still to come: sixteen bytes an entry, decoded when the rows have got that far. So a million rows
imported again take little more room than the displays they speak of.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any, Literal

from ledger import codec, twins
from ledger.book import Ledger
from ledger.clocks import instant_key
from ledger.codec import Recorded
from ledger.effective import apply_changes
from ledger.errors import BadDate, BadEvent
from ledger.importing import standing
from ledger.importing.standing import Decision, Display, Entry, Row, Shown

_KINDS: dict[str, Literal["claim", "observed", "withdrawn"]] = {
    "claim-reported": "claim",
    "display-observed": "observed",
    "claim-withdrawn": "withdrawn",
}


@dataclass(slots=True)
class _Course:
    """One display while its rows go by. ``ats`` and ``positions`` are the ledger's entries in order of time,
    ``coming`` the first that is not taken in yet."""

    ats: array[int]
    positions: array[int]
    coming: int = 0
    display: Display | None = None
    last: Row | None = None
    answer: Decision = field(default_factory=lambda: standing.NOTHING)


class Displays:
    """Decides on the rows of one import, in their order."""

    def __init__(self, ledger: Ledger, *, flip_back_hours: int) -> None:
        self._ledger = ledger
        self._hours = flip_back_hours
        self._courses: dict[tuple[str, str, str], _Course] = {}

    def decide(self, row: Row) -> Decision:
        """What ``row`` adds. Raises as ``standing.decide`` does, and ``BadEvent`` for rows out of order."""
        key = (row.source, row.place, row.question)
        course = self._courses.get(key)
        if course is None:
            course = self._courses[key] = self._load(*key)
        if course.last is not None and row.at <= course.last.at:
            return _again(course, course.last, row)
        recorded = self._up_to(course, row.at)
        decision = standing.decide(course.display, recorded, row, flip_back_hours=self._hours)
        course.last, course.answer = row, decision
        if decision.entry is not None:
            course.display = standing.after(course.display, decision.entry)
        return decision

    def forget(self, source: str, place: str, question: str) -> None:
        """Read a display from the ledger again: what was decided on it was not recorded."""
        self._courses.pop((source, place, question), None)

    # -- from the ledger ---------------------------------------------------------------------------

    def _load(self, source: str, place: str, question: str) -> _Course:
        found: list[tuple[int, int]] = []
        for position in self._ledger.store.marked(twins.display_mark(source, place, question)):
            stream = self._stream(position)
            first = stream[0]
            if _shown_where(first) != (source, place, question):
                continue
            found.append((_moment(first), first.position))
            for later in stream[1:]:
                seen = standing.correction_seen(later.data.get("key"))
                if later.name == "entry-corrected" and seen is not None:
                    found.append((instant_key(seen), later.position))
        found.sort()
        return _Course(array("q", (at for at, _ in found)), array("q", (position for _, position in found)))

    def _up_to(self, course: _Course, at: int) -> list[Entry]:
        """Take in what the ledger has from before an instant; the entries of the instant itself."""
        same: list[Entry] = []
        ahead = course.coming
        while ahead < len(course.ats) and course.ats[ahead] <= at:
            entry = self._entry(course.positions[ahead], course.ats[ahead])
            if course.ats[ahead] < at:
                course.display = standing.after(course.display, entry)
                course.coming = ahead + 1
            else:
                same.append(entry)
            ahead += 1
        return same

    def _entry(self, position: int, at: int) -> Entry:
        stream = self._stream(position)
        recorded = next(one for one in stream if one.position == position)
        if recorded.name == "entry-corrected":
            return Entry("corrected", recorded.data["target"], at, None, recorded.data["changes"]["valid"])
        repaired = recorded.data
        for later in stream[1:]:
            by_hand = standing.correction_seen(later.data.get("key")) is None
            if later.name == "entry-corrected" and by_hand and later.data["target"] == recorded.entry:
                repaired = apply_changes(repaired, later.data.get("changes", {}))
        return Entry(
            _KINDS[recorded.name],
            recorded.entry,
            at,
            _shown(recorded.name, recorded.data),
            recorded.data.get("valid"),
            tuple(recorded.data.get("marks", ())),
            None if repaired is recorded.data else (_shown(recorded.name, repaired), repaired.get("valid")),
        )

    def _stream(self, position: int) -> list[Recorded]:
        row = self._ledger.store.row(position)
        assert row is not None, "a mark leads to a row"
        return [codec.decode(one) for one in self._ledger.store.stream(row.stream)]


def _again(course: _Course, last: Row, row: Row) -> Decision:
    """A second row of one instant: the same again, or a mistake."""
    if row == last:
        return course.answer
    if row.at == last.at:
        raise BadEvent(f"two rows show {row.place} differently at {row.published}")
    raise BadEvent(
        f"the rows of {row.place} are out of order: {row.published} comes after {last.published}",
        remedy="sort the file by it, oldest first",
    )


def _moment(recorded: Recorded) -> int:
    for clock in ("published", "said"):
        try:
            if clock in recorded.data:
                return instant_key(recorded.data[clock])
        except BadDate:
            continue
    return instant_key(recorded.recorded)


def _shown_where(recorded: Recorded) -> tuple[Any, Any, Any]:
    data = recorded.data
    return data.get("claimant", data.get("source")), data.get("place"), data.get("question", "control")


def _shown(name: str, data: dict[str, Any]) -> Shown | None:
    if name != "claim-reported" or "state" not in data:
        return None
    return Shown(data["state"], data.get("extent", "whole"), data.get("share"), data.get("negated", False))
