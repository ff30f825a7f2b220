"""What a row of a standing list adds to the record: usually nothing. Pure.

A *display* is what one source shows of one place on one question. Its rows come oldest first; each is
compared with what the display showed just before it was seen, by the ledger and by the earlier rows:

====================================== ===============================================================
the row shows                          recorded is
====================================== ===============================================================
a place for the first time, or another a standing claim, ``valid`` the day it speaks of (where it names
state                                  none: the day it was seen)
the state of before the last change,   the same, marked ``flip-back-48h``: perhaps an edit war, perhaps a
within 48 hours                        counter-attack
nothing any more                       a withdrawal
the same state, a later day            that the display was observed, with the new day
the same state, an earlier day         a correction of the newest entry's ``valid``: the list takes its
                                       day back
the same state, the same day or none   nothing: another way to write a date, another URL
====================================== ===============================================================

To import a file twice must add nothing, in whatever state the ledger is. Therefore a row only ever looks
back, entries count *as recorded*, and a row seen at an instant for which the display has an entry already
says what that entry says or is a conflict. What a person corrected by hand counts both ways, as recorded and
as corrected, so that a repaired entry is not recorded anew. The corrections made here are the exception: they
are part of what the display showed, from the instant that their key names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from ledger import events
from ledger.book import Draft, entry_id
from ledger.clocks import iso, span
from ledger.errors import BadEvent, Conflict

_KEY = "as-of-back"
_HOUR = 3_600_000_000  # microseconds
_FOREVER = 4_000_000  # a day beyond the calendar: an open end


class Shown(NamedTuple):
    """What a display shows of a place."""

    state: str
    extent: str = "whole"
    share: str | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what was seen at an instant. ``shown`` None: nothing any more. ``valid`` is the day the row
    itself names, None where it names none. ``at`` is ``published`` in microseconds since 1970."""

    source: str
    place: str
    question: str
    via: tuple[str, ...]
    shown: Shown | None
    valid: str | None
    published: str
    at: int
    said: str | None = None
    valid_kind: str = "at"
    body: tuple[tuple[str, Any], ...] = ()

    @property
    def day(self) -> str:
        """The day it speaks of, for lack of one the day it was seen."""
        last = span(self.published).hi
        return self.valid or iso(last or 1)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something on record of a display. ``id`` is the entry that holds the day: for a correction its target.

    ``repaired`` is (shown, valid) after corrections by hand, None where there were none.
    """

    kind: Literal["claim", "observed", "withdrawn", "corrected"]
    id: str
    at: int
    shown: Shown | None = None
    valid: str | None = None
    marks: tuple[str, ...] = ()
    repaired: tuple[Shown | None, str | None] | None = None


@dataclass(frozen=True, slots=True)
class Display:
    """What a display shows between two entries: since when, from which entry its day comes, and what it
    showed before (``former`` None: nothing; ``changed`` False: nothing is known of before)."""

    shown: Shown | None
    since: int
    entry: str
    valid: str | None
    hand_shown: Shown | None
    hand_valid: str | None
    former: Shown | None = None
    changed: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """What to record for a row, None for nothing. ``entry`` is that as an entry of the display, None where
    it is on record already."""

    draft: Draft | None
    entry: Entry | None = None


NOTHING = Decision(None)


def after(display: Display | None, entry: Entry) -> Display | None:
    """The display once an entry is taken in."""
    hand_shown, hand_valid = entry.repaired or (entry.shown, entry.valid)
    if entry.kind in ("claim", "withdrawn"):
        if display is not None and display.shown == entry.shown:
            return replace(display, entry=entry.id, valid=entry.valid, hand_valid=hand_valid)
        changed = display is not None
        former = display.shown if display is not None else None
        return Display(entry.shown, entry.at, entry.id, entry.valid, hand_shown, hand_valid, former, changed)
    if display is None or entry.valid is None:
        return display  # an observation of what nobody recorded, or one that names no day
    return replace(display, entry=entry.id, valid=entry.valid, hand_valid=hand_valid)


def decide(display: Display | None, recorded: Sequence[Entry], row: Row, *, flip_back_hours: int) -> Decision:
    """What a row adds, given the display just before it and the entries recorded at its very instant.

    Raises ``Conflict`` where another content is recorded for that instant, ``BadEvent`` where the row cannot
    be: a day after it was seen, or the withdrawal of what was never shown.
    """
    _check_day(row)
    if recorded:
        return _as_recorded(display, recorded, row)
    if row.shown is None:
        return _withdrawal(display, row, flip_back_hours)
    if display is None or row.shown not in (display.shown, display.hand_shown):
        return _drafted(row, "claim", _marks(display, row, flip_back_hours))
    if row.valid is None:
        return NOTHING
    days = [_bounds(valid) for valid in (display.valid, display.hand_valid) if valid]
    seen = _bounds(row.valid)
    if not days or seen in days:
        return NOTHING
    if seen > days[-1]:
        return _drafted(row, "observed")
    return _drafted(row, "corrected", target=display.entry)


def _check_day(row: Row) -> None:
    named, seen = span(row.valid).lo if row.valid else None, span(row.published).hi
    if named is not None and seen is not None and named > seen + 1:  # a day's grace: time zones
        raise BadEvent(f"valid: the day {row.valid} lies after the row was seen ({row.published})")


def _as_recorded(display: Display | None, recorded: Sequence[Entry], row: Row) -> Decision:
    """The same again as what the ledger has for this instant, so that it is found there."""
    for entry in recorded:
        if _says(entry, row, display):
            target = entry.id if entry.kind == "corrected" else None
            return Decision(_drafted(row, entry.kind, entry.marks, target).draft)
    if any(entry.repaired == (row.shown, row.day) for entry in recorded):
        return NOTHING
    raise Conflict(
        f"for {row.published} other content of {row.place} is recorded",
        remedy=f"`claims show {recorded[0].id[:14]}` shows it; correct that entry where it is wrong",
    )


def _says(entry: Entry, row: Row, display: Display | None) -> bool:
    if entry.kind == "claim":
        return entry.shown == row.shown and entry.valid == row.day
    if entry.kind == "withdrawn":
        return row.shown is None and entry.valid == row.day
    shown = (display.shown, display.hand_shown) if display is not None else (row.shown,)
    return row.shown in shown and entry.valid == row.valid


def _withdrawal(display: Display | None, row: Row, flip_back_hours: int) -> Decision:
    if display is None:
        raise BadEvent(
            f"{row.source} withdraws what it was never seen to show of {row.place}",
            remedy="import the rows before it first",
        )
    if display.shown is None:
        return NOTHING
    return _drafted(row, "withdrawn", _marks(display, row, flip_back_hours))


def _marks(display: Display | None, row: Row, hours: int) -> tuple[str, ...]:
    """A mark where the row goes back, within hours, to what was shown before the last change."""
    if display is None or not display.changed or display.former != row.shown:
        return ()
    return (f"flip-back-{hours}h",) if row.at - display.since <= hours * _HOUR else ()


def _bounds(valid: str) -> tuple[int, int]:
    days = span(valid)
    return days.lo or 0, days.hi or _FOREVER


# -- drafts --------------------------------------------------------------------------------------------


def _drafted(
    row: Row,
    kind: Literal["claim", "observed", "withdrawn", "corrected"],
    marks: tuple[str, ...] = (),
    target: str | None = None,
) -> Decision:
    body = dict(row.body)
    if kind == "corrected":
        assert target is not None
        event: dict[str, Any] = {
            "target": target,
            "changes": {"valid": row.valid},
            "key": correction_key(target, row.published),
        }
        body["reason"] = "the list took the day it speaks of back"
        body["as_written"] = {k: v for k, v in body.get("as_written", {}).items() if k == "valid"}
        draft = Draft.of("entry-corrected", event, body)
        return Decision(draft, Entry("corrected", target, row.at, None, row.valid))
    draft = _display_draft(row, kind, marks, body)
    valid = row.valid if kind == "observed" else row.day
    shown = row.shown if kind == "claim" else None
    return Decision(draft, Entry(kind, entry_id(draft.event), row.at, shown, valid, marks))


def _display_draft(
    row: Row, kind: Literal["claim", "observed", "withdrawn"], marks: tuple[str, ...], body: dict[str, Any]
) -> Draft:
    event: dict[str, Any] = {"via": row.via, "question": row.question, "place": row.place}
    event |= {"said": row.said, "published": row.published}
    if kind == "observed":
        return Draft.of("display-observed", {**event, "source": row.source, "valid": row.valid}, body)
    event |= {"valid": row.day, "marks": marks}
    if kind == "withdrawn":
        return Draft.of("claim-withdrawn", {**event, "source": row.source}, body)
    assert row.shown is not None
    event |= {"claimant": row.source, "standing": True, "valid_kind": row.valid_kind}
    return Draft.of("claim-reported", {**event, **row.shown._asdict()}, body)


def whole_observed(source: str, question: str, via: tuple[str, ...], published: str) -> Draft:
    """That the whole display was seen, its unchanged places with it."""
    event = {"source": source, "question": question, "via": via, "published": published}
    return Draft(events.DisplayObserved.model_validate(event))


def correction_key(target: str, published: str) -> str:
    """The key of a correction made here. It names the instant from which the earlier day was shown."""
    return f"{_KEY} {target} {published}"


def correction_seen(key: str | None) -> str | None:
    """The instant a correction's key names; None for a correction by hand."""
    name, _, rest = (key or "").partition(" ")
    return rest.partition(" ")[2] or None if name == _KEY else None


__all__ = [
    "Decision",
    "Display",
    "Entry",
    "Row",
    "Shown",
    "after",
    "correction_key",
    "correction_seen",
    "decide",
    "whole_observed",
]
