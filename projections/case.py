"""A case: everything the ledger holds on one place and question, corrected and folded into testimony.

Pure. ``fold`` takes the recorded entries and what befell them, up to whatever position the caller cut at,
and applies what acts at every moment: corrections, links, merges. Nothing here weighs anything; a belief
logic reads a case and decides. What became known when is kept on each piece as ``known`` (microseconds
since 1970), so that a logic can cut at any moment K.

*Utterances* are computed here: reports of the same claimant, act, question, place, extent and state said on
the same exact day are one testimony with several reports. An imprecise day never folds by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from ledger.clocks import day, held, instant_key, span
from ledger.directory import Directory, Source
from ledger.effective import apply_changes
from projections.belief.labels import States

Kind = Literal["claim", "evidence", "display", "withdrawal", "observation"]
Reach = Literal["own", "part", "whole"]


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as recorded: what ``record`` stores."""

    position: int
    id: str
    name: str
    recorded: str
    place: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fate:
    """What befell an entry: a correction, retraction, ruling or voiding."""

    position: int
    id: str
    target: str
    name: str
    recorded: str
    data: dict[str, Any]


class Poisoned(NamedTuple):
    """An entry, or what befell one, that could not be read, and why."""

    position: int
    id: str
    error: str


@dataclass(frozen=True, slots=True)
class Correction:
    """One correction that acted on an entry, with the author fields before and after."""

    id: str
    position: int
    entry: str
    recorded: str
    before: dict[str, Any]
    after: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """One publication in which a claim was found."""

    entry: str
    position: int
    via: tuple[str, ...]
    said: str | None
    published: str | None
    known: int


@dataclass(slots=True)
class Testimony:
    """One utterance, piece of evidence, or change of a display, with all its reports.

    ``lo`` and ``hi`` are the first and last day (ordinals) it may speak of; for ``throughout`` and ``since``
    the days it surely speaks of. ``order`` sorts by said, published, id. ``known`` is when the first report
    could be known, ``retracted`` and ``voided`` when it ended (None: never). ``reach`` tells whether it was
    said of this place, of a named ``part`` of it, or of the ``whole`` that this place is a part of.
    ``said_day`` is the latest day on which it may have been said.
    """

    kind: Kind
    id: str
    position: int
    source: str
    act: str
    state: str | None
    negated: bool
    extent: str
    place: str
    reach: Reach
    valid_kind: str
    lo: int
    hi: int
    said_day: int
    order: tuple[int, int, str]
    known: int
    reports: tuple[Report, ...]
    share: str | None = None
    target: str | None = None
    based_on: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    retracted: int | None = None
    voided: int | None = None
    verdicts: list[tuple[int, int, str, str]] = field(default_factory=list)
    doubts: list[tuple[int, str, str]] = field(default_factory=list)
    dispelled: list[tuple[int, str]] = field(default_factory=list)

    @property
    def via(self) -> tuple[str, ...]:
        """The attribution chain of the first report."""
        return self.reports[0].via


@dataclass(frozen=True, slots=True)
class Ruling:
    """An analyst's ruling on the state of the place. ``known`` is its ``ruled`` date."""

    id: str
    position: int
    state: str
    valid_kind: str
    lo: int
    hi: int
    by: str | None
    known: int
    retracted: int | None = None


@dataclass(slots=True)
class Case:
    """All that was recorded on one place and question, before any cut in knowledge.

    ``position`` is where the ledger was cut. ``beside`` holds evidence on other places that something here
    leans on, ``poisoned`` what could not be read. ``relation`` maps a source id to the index of its party among
    the states, or None.
    """

    place: str
    question: str
    states: States
    directory: Directory
    position: int
    testimony: list[Testimony]
    rulings: list[Ruling]
    corrections: list[Correction]
    beside: dict[str, Testimony]
    poisoned: list[Poisoned] = field(default_factory=list)

    def relation(self, source: str) -> int | None:
        side = self.source(source).side
        return self.states.parties.index(side) if side in self.states.parties else None

    def source(self, source: str) -> Source:
        return self.directory.sources.get(self.directory.source_id(source)) or Source(source)

    def without(self, excluded: Callable[[Testimony], bool]) -> Case:
        """The same case had the excluded testimony not been given. Whatever leaned on it leans on what that leaned on:
        whence a film came stays known."""
        gone: dict[str, Testimony] = {}

        def stays(piece: Testimony) -> bool:
            if excluded(piece):
                gone[piece.id] = piece
                return False
            return True

        kept = [piece for piece in self.testimony if stays(piece)]
        beside = {name: piece for name, piece in self.beside.items() if stays(piece)}
        return Case(
            self.place,
            self.question,
            self.states,
            self.directory,
            self.position,
            [_leaning_past(piece, gone) for piece in kept],
            self.rulings,
            self.corrections,
            {name: _leaning_past(piece, gone) for name, piece in beside.items()},
            self.poisoned,
        )


def _leaning_past(piece: Testimony, gone: Mapping[str, Testimony]) -> Testimony:
    """A piece that leans on what is gone, and so on whatever that leaned on."""
    if gone.keys().isdisjoint(piece.based_on):
        return piece
    leant = list(piece.based_on)
    for one in leant:  # which grows meanwhile
        if one in gone:
            leant += [more for more in gone[one].based_on if more not in leant and more != piece.id]
    return replace(piece, based_on=tuple(leant))


def states_of(directory: Directory, question: str) -> States:
    """The state space of a question as the belief kernel wants it."""
    asked = directory.question(question)
    if asked.parties and set(asked.states) == {*asked.parties, "contested"}:
        return States.control(asked.parties)
    return States(asked.states)


def known_at(data: dict[str, Any], recorded: str) -> int:
    """When something could be known: published, else said, else recorded; the latest bound of it.

    A coarse date that was recorded before it was over was known when it was recorded: what is printed today
    and appended today is known today, not at midnight.
    """
    for clock in ("published", "said"):
        if data.get(clock) and span(data[clock]).hi is not None:
            return _no_later(data[clock], recorded)
    return instant_key(recorded)


def _no_later(text: str, recorded: str) -> int:
    latest, stamped = instant_key(text), instant_key(recorded)
    first = span(text).lo
    if first is not None and first <= day_of(stamped) and stamped < latest:
        return stamped
    return latest


def ruled_at(data: dict[str, Any], recorded: str) -> int:
    """When a ruling became known: its ``ruled`` date, else the day it was recorded."""
    return _no_later(data["ruled"], recorded) if data.get("ruled") else instant_key(recorded)


@dataclass(slots=True)
class Entry:
    """An entry with its author fields as corrected, and what else befell it."""

    row: Row
    data: dict[str, Any]
    fates: list[Fate] = field(default_factory=list)

    @property
    def known(self) -> int:
        return known_at(self.data, self.row.recorded)


def fold(
    place: str,
    question: str,
    rows: Iterable[Row],
    fates: Sequence[Fate],
    directory: Directory,
    position: int,
) -> Case:
    """Build a case from the rows recorded under a place, its parts and its whole, and their fates."""
    entries = {row.id: Entry(row, row.data) for row in rows}
    poisoned: list[Poisoned] = []
    corrections = correct(entries, fates, poisoned)
    states = states_of(directory, question)
    case = Case(place, question, states, directory, position, [], [], corrections, {}, poisoned)
    utterances: dict[tuple[Any, ...], list[Testimony]] = {}
    elsewhere: list[Testimony] = []
    for entry in entries.values():
        with _quarantined(poisoned, entry.row):
            reach = _reach(entry, place, question, directory)
            if entry.row.name == "state-ruled":
                if reach == "own":
                    case.rulings.append(_ruling(entry))
                continue
            piece = _single(entry, reach or "own", directory)
            if reach is not None:
                utterances.setdefault(_utterance_key(entry, piece, directory), []).append(piece)
            elif piece.kind == "evidence":
                case.beside[piece.id] = piece
            else:
                elsewhere.append(piece)
    for reports in utterances.values():
        case.testimony.extend(_utterances(reports))
    _keep_what_is_leant_on(case)
    _doubt_evidence(case, elsewhere)
    case.testimony.sort(key=lambda piece: piece.position)
    case.rulings.sort(key=lambda ruling: ruling.position)
    return case


@contextmanager
def _quarantined(poisoned: list[Poisoned], row: Row | Fate) -> Iterator[None]:
    """What cannot be read is set aside, and the rest goes on as if it were absent."""
    try:
        yield
    except Exception as error:
        poisoned.append(Poisoned(row.position, row.id, f"{type(error).__name__}: {error}"))


def corrections_of(rows: Iterable[Row], fates: Sequence[Fate]) -> list[Correction]:
    """The corrections that acted on some entries, without folding a whole case."""
    return correct({row.id: Entry(row, row.data) for row in rows}, fates, [])


def correct(entries: dict[str, Entry], fates: Sequence[Fate], poisoned: list[Poisoned]) -> list[Correction]:
    """Apply corrections of entries, and of their fates, in the order recorded; attach the other fates."""
    corrections: list[Correction] = []
    living: dict[str, Fate] = {}
    for fate in sorted(fates, key=lambda fate: fate.position):
        with _quarantined(poisoned, fate):
            if fate.target in entries:
                if fate.name == "entry-corrected":
                    corrections.append(_corrected(entries[fate.target], fate))
                else:
                    _legible(fate)
                    living[fate.id] = fate
            elif fate.target in living:
                ruling = living[fate.target]
                if fate.name == "entry-corrected":
                    changed = replace(ruling, data=apply_changes(ruling.data, fate.data.get("changes", {})))
                    _legible(changed)
                    living[ruling.id] = changed
                elif ruling.name == "claim-adjudicated":
                    living[fate.id] = _taken_back(ruling, fate, living.values())
                else:
                    del living[ruling.id]
    for fate in living.values():
        entries[fate.target].fates.append(fate)
    return corrections


def _corrected(entry: Entry, fate: Fate) -> Correction:
    before = entry.data
    entry.data = apply_changes(before, fate.data.get("changes", {}))
    return Correction(fate.id, fate.position, fate.target, entry.row.recorded, before, entry.data)


def _legible(fate: Fate) -> None:
    """Raise where a fate cannot be read, so that it alone is set aside and not what it befell."""
    known_at(fate.data, fate.recorded)
    ruled_at(fate.data, fate.recorded)
    if fate.name == "claim-adjudicated":
        fate.data["verdict"]


def _taken_back(ruling: Fate, retraction: Fate, living: Iterable[Fate]) -> Fate:
    """A ruling that its analyst took back, as one to the effect of what had been ruled besides; "unverifiable"
    where nothing had. It acts from when it became known, as every retraction does."""
    known = known_at(retraction.data, retraction.recorded)
    ruled = [
        (ruled_at(one.data, one.recorded), one.position, one.id, one.data["verdict"])
        for one in living
        if one.target == ruling.target and one.name == "claim-adjudicated"
    ]
    besides = [one for one in ruled if one[2] != ruling.id and one[0] <= known]
    verdict = max(besides)[3] if besides else "unverifiable"
    when = retraction.data.get("published") or retraction.data.get("said")
    data = {"verdict": verdict} | ({"ruled": when} if when else {})
    return replace(retraction, target=ruling.target, name="claim-adjudicated", data=data)


def _reach(entry: Entry, place: str, question: str, directory: Directory) -> Reach | None:
    if entry.data.get("question", "control") != question:
        return None
    where = entry.data.get("place")
    if where is None:
        return "own"  # a whole display was looked at
    where = directory.place_id(where)
    if where == place:
        return "own"
    if directory.whole(where) == place:
        return "part"
    if directory.whole(place) == where:
        return "whole"
    return None


def _utterance_key(entry: Entry, piece: Testimony, directory: Directory) -> tuple[Any, ...]:
    """What reports of one utterance share. Displays are told apart by the very text of their date."""
    data = entry.data
    target = data.get("target") or ""
    said: object = day(data.get("said") or data.get("published") or "")
    if piece.kind not in ("claim", "evidence"):
        said = data.get("said")
    return (
        piece.kind,
        piece.reach,
        piece.source,
        piece.act if piece.kind != "evidence" else data.get("kind", "footage"),
        piece.place,
        piece.extent,
        piece.state,
        piece.negated,
        piece.valid_kind,
        target if piece.state is None or target.startswith("e-") else "",
        said if said is not None else entry.row.id,
    )


def _utterances(reports: list[Testimony]) -> list[Testimony]:
    """Reports of one day folded; those that speak of different times stay apart. A standing source may show
    the same twice in a day: only those who carry it with attribution repeat it."""
    found: list[Testimony] = []
    for piece in sorted(reports, key=lambda one: (one.known, one.lo, one.hi, one.position)):
        for earlier in found:
            carried = piece.kind in ("claim", "evidence") or piece.via or earlier.via
            if carried and piece.lo <= earlier.hi and earlier.lo <= piece.hi:
                _join(earlier, piece)
                break
        else:
            found.append(piece)
    return found


def _join(piece: Testimony, report: Testimony) -> None:
    piece.reports = (*piece.reports, *report.reports)
    piece.verdicts += report.verdicts
    ends = [end for end in (piece.retracted, report.retracted) if end is not None]
    piece.retracted = min(ends, default=None)
    voids = [end for end in (piece.voided, report.voided) if end is not None]
    piece.voided = min(voids, default=None)
    if report.known == piece.known:  # what is learnt later cannot take away what was said without it
        piece.order = min(piece.order, report.order)
        piece.based_on = tuple(dict.fromkeys((*piece.based_on, *report.based_on)))
    piece.target = piece.target or report.target


def _single(entry: Entry, reach: Reach, directory: Directory) -> Testimony:
    data, row = entry.data, entry.row
    source = directory.source_id(data.get("claimant") or data["source"])
    known = entry.known
    said = data.get("said") or data.get("published")
    said_span = span(said) if said else None
    said_day = said_span.hi if said_span and said_span.hi is not None else day_of(known)
    lo, hi = days_of(data, known)
    kind = _kind(row.name, data)
    if kind not in ("claim", "evidence"):  # what is displayed is displayed by the day it was seen
        hi = min(hi, day_of(known))
        lo = min(lo, hi)
    piece = Testimony(
        kind=kind,
        id=row.id,
        position=row.position,
        source=source,
        act=data.get("act", "asserts") if kind == "claim" else _ACTS[kind],
        state=data.get("state"),
        negated=data.get("negated", False),
        extent=_extent(row.name, data),
        place=directory.place_id(data["place"]) if data.get("place") else "",
        reach=reach,
        valid_kind=data.get("valid_kind", "at"),
        lo=lo,
        hi=hi,
        said_day=said_day,
        order=(said_day, known, row.id),
        known=known,
        reports=(
            Report(
                row.id,
                row.position,
                tuple(directory.source_id(via) for via in data.get("via", ())),
                data.get("said"),
                data.get("published"),
                known,
            ),
        ),
        share=data.get("share"),
        target=data.get("target"),
        based_on=tuple(data.get("based_on", ())),
        marks=tuple(data.get("marks", ())),
    )
    for fate in entry.fates:
        _befall(piece, fate)
    return piece


def _extent(name: str, data: dict[str, Any]) -> str:
    return str(data.get("extent", "part" if name == "evidence-reported" else "whole"))


_ACTS = {
    "evidence": "shows",
    "display": "displays",
    "withdrawal": "withdraws",
    "observation": "displays unchanged",
}


def _kind(name: str, data: dict[str, Any]) -> Kind:
    if name == "claim-reported":
        return "display" if data.get("standing") else "claim"
    kinds: dict[str, Kind] = {
        "evidence-reported": "evidence",
        "claim-withdrawn": "withdrawal",
        "display-observed": "observation",
    }
    return kinds[name]


def _befall(piece: Testimony, fate: Fate) -> None:
    """What befell a piece acts once both are known: nothing befalls what nobody has heard of."""
    if fate.name == "entry-retracted":
        ended = max(piece.known, known_at(fate.data, fate.recorded))
        piece.retracted = ended if piece.retracted is None else min(ended, piece.retracted)
    elif fate.name == "claim-adjudicated":
        ruled = max(piece.known, ruled_at(fate.data, fate.recorded))
        piece.verdicts.append((ruled, fate.position, fate.data["verdict"], fate.id))
    elif fate.name == "evidence-voided":
        ended = max(piece.known, ruled_at(fate.data, fate.recorded))
        piece.voided = ended if piece.voided is None else min(ended, piece.voided)


def days_of(data: dict[str, Any], known: int) -> tuple[int, int]:
    """First and last day (ordinals) an entry with these author fields speaks of."""
    said = data.get("said") or data.get("published")
    spoken = span(said).hi if said else None
    return _days(data, spoken if spoken is not None else day_of(known))


def _days(data: dict[str, Any], spoken: int) -> tuple[int, int]:
    """First and last day spoken of. What is left open ends on the day it was said: nobody speaks of later."""
    valid = data.get("valid") or data.get("said") or data.get("published")
    if not valid:
        return spoken, spoken
    kind = data.get("valid_kind", "at")
    if kind in ("throughout", "since"):
        first, last = held(valid)
        if kind == "since":
            # It began on some day of the date given: surely it was so from the last of them on.
            latest = span(valid).hi
            first, last = (first if latest is None else latest), spoken
        first = first if first is not None else last
        last = last if last is not None else spoken
        first = first if first is not None else last
        return min(first, last), max(first, last)
    days = span(valid)
    hi = days.hi if days.hi is not None else max(spoken, days.lo or spoken)
    lo = days.lo if days.lo is not None else hi
    return lo, hi


def day_of(known: int) -> int:
    """The UTC day (ordinal) of a moment in microseconds since 1970."""
    return known // 86_400_000_000 + 719_163


def _ruling(entry: Entry) -> Ruling:
    data = entry.data
    known = ruled_at(data, entry.row.recorded)
    lo, hi = _days(data, day_of(known))
    retractions = (fate for fate in entry.fates if fate.name == "entry-retracted")
    ends = [max(known, known_at(fate.data, fate.recorded)) for fate in retractions]
    return Ruling(
        entry.row.id,
        entry.row.position,
        data["state"],
        data.get("valid_kind", "at"),
        lo,
        hi,
        data.get("by"),
        known,
        min(ends, default=None),
    )


def _keep_what_is_leant_on(case: Case) -> None:
    """Evidence on other places concerns this one only as far as something here leans on it."""
    leant = [one for piece in case.testimony for one in piece.based_on]
    kept = {}
    while leant:
        one = leant.pop()
        if one in case.beside and one not in kept:
            kept[one] = case.beside[one]
            leant += kept[one].based_on
    case.beside = dict(sorted(kept.items()))


def _doubt_evidence(case: Case, elsewhere: Sequence[Testimony]) -> None:
    """A denial or doubt whose target is evidence discounts that evidence; it says nothing of the place, not
    even where it was recorded for another.

    One film carried by ten outlets is one piece: whoever leans on any of its reports leans on the piece."""
    shown = [*(piece for piece in case.testimony if piece.kind == "evidence"), *case.beside.values()]
    evidence = {report.entry: (piece, report.known) for piece in shown for report in piece.reports}
    for piece in [*case.testimony, *case.beside.values()]:
        leant = (evidence[one][0].id if one in evidence else one for one in piece.based_on)
        piece.based_on = tuple(dict.fromkeys(one for one in leant if one != piece.id))
    for piece in [*case.testimony, *elsewhere]:
        if piece.kind == "claim" and piece.target in evidence and piece.act in ("denies", "doubts"):
            doubted, known = evidence[piece.target]
            doubted.doubts.append((max(piece.known, known), piece.source, piece.id))
            if piece.retracted is not None:
                doubted.dispelled.append((max(piece.retracted, known), piece.id))
