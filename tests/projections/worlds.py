"""Small made-up ledgers for tests: told by hand, or drawn by hypothesis.

A *world* is a list of things told, each with the moment at which the ledger took it down. It can be put on a
*shelf* (the record and directory in memory, quick enough for hundreds of examples) or written into a real
ledger file by a *scribe*. Entries name each other by labels, ``#label``, so that the same world can be told
in another order, with parties swapped or with something left out.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

import numpy as np
import orjson
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from ledger.book import Draft, Ledger
from ledger.clocks import iso
from ledger.codec import Recorded, canonical, decode
from ledger.directory import Directory
from ledger.errors import LedgerError
from ledger.events import BY_NAME
from ledger.integrity.tree import Frontier
from ledger.rules import check
from ledger.store.base import Head, Store, StoredRow
from projections.belief.base import Logic, Verdict
from projections.belief.tally import TALLY, end_of, judge
from projections.case import Case
from projections.desk import Desk
from projections.envelopes.cache import Envelopes
from projections.record import Record
from projections.views import Views

#: Day 0 of every world, as an ordinal.
ZERO = dt.date(2025, 10, 20).toordinal()
CONTESTED = "contested"
BRIDGE = ("standing", "damaged", "destroyed")

_COMMON = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
settings.register_profile("claims", max_examples=20, **_COMMON)
settings.register_profile("claims-ci", max_examples=20, derandomize=True, **_COMMON)
settings.register_profile("claims-deep", max_examples=1_500, **_COMMON)


def laws(share: float = 1.0) -> settings:
    """Settings of a law by ``CLAIMS_TEST_PROFILE`` (``claims``, ``claims-ci``, ``claims-deep``; on a build
    server ``claims-ci``), with ``share`` of its examples."""
    default = "claims-ci" if os.environ.get("CI") else "claims"
    profile = settings.get_profile(os.environ.get("CLAIMS_TEST_PROFILE", default))
    return settings(profile, max_examples=max(1, round(profile.max_examples * share)))


# -- days and moments -----------------------------------------------------------------------------------


def date(day: int) -> str:
    """The date of a day of the world, ``2025-10-20`` for 0."""
    return iso(ZERO + day)


def moment(day: int, hour: float = 12.0) -> dt.datetime:
    """A moment of a day of the world."""
    start = dt.datetime.combine(dt.date.fromordinal(ZERO + day), dt.time(), dt.UTC)
    return start + dt.timedelta(hours=hour)


def end(day: int) -> int:
    """The last microsecond of a day of the world, as what is known is measured."""
    return end_of(ZERO + day)


# -- worlds ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """One event, the moment the ledger takes it down, and the label by which others name it."""

    name: str
    data: dict[str, Any]
    at: dt.datetime
    label: str

    @property
    def registers(self) -> bool:
        return BY_NAME[self.name].REGISTRY

    def __repr__(self) -> str:
        given = " ".join(f"{name}={value}" for name, value in self.data.items())
        return f"{self.label} [{self.at:%m-%d %H:%M}] {self.name} {given}"


def told(name: str, label: str, at: dt.datetime | None = None, **data: Any) -> Told:
    """An event told by hand; taken down on day 60 unless ``at`` says otherwise."""
    return Told(name, data, at or moment(60), label)


def claim(claimant: str, state: str | None, said: int | str, label: str | None = None, **data: Any) -> Told:
    """A claim said on a day of the world (or a date in words of its own), on ``town`` unless told."""
    when = date(said) if isinstance(said, int) else said
    at = data.pop("at", None)
    given = {"claimant": claimant, "place": "town", "state": state, "said": when} | data
    full = {name: value for name, value in given.items() if value is not None}
    return Told("claim-reported", full, at or moment(60), label or f"{claimant}-{state}-{said}")


def registry(parties: Sequence[str] = ("UA", "RU")) -> list[Told]:
    """Two parties, a town with two named parts, a village, a hamlet, a bridge question, and sources."""
    start = moment(-1)
    one, other = parties[:2]
    found = [told("party-named", f"party-{party}", start, party=party) for party in parties]
    found.append(told("question-opened", "bridge", start, question="bridge", states=list(BRIDGE)))
    for place in ("town", "village", "hamlet"):
        found.append(told("place-registered", place, start, place=place, names=[place.title()]))
    for part in ("north", "south"):
        fields = {"place": f"town/{part}", "names": [f"Town {part}"], "kind": "part", "parent": "town"}
        found.append(told("place-registered", fields["place"], start, **fields))
    for source, kind, side in (
        ("army", "official", one),
        ("brigade", "military-unit", one),
        ("ministry", "official", other),
        ("blogger", "milblogger", other),
        ("witness", "eyewitness", None),
        ("monitor", "osint", None),
        ("map", "map", None),
        ("chart", "map", one),
        ("agency", "agency", other),
        ("outlet", "outlet", None),
    ):
        fields = {"source": source, "kind": kind} | ({"side": side} if side else {})
        found.append(told("source-registered", source, start, **fields))
    return found


_USUAL = frozenset(one.label for one in registry())


@dataclass(frozen=True)
class World:
    """What is told, in the order taken down."""

    told: tuple[Told, ...]

    @classmethod
    def of(cls, *events: Told, parties: Sequence[str] = ("UA", "RU")) -> World:
        """The usual registry, and then these events, in the order of the moments they are taken down."""
        return cls((*registry(parties), *sorted(events, key=lambda one: one.at)))

    def __repr__(self) -> str:
        return "".join(f"\n  {one}" for one in self.entries or ("nothing told",))

    def __add__(self, more: Iterable[Told]) -> World:
        return World((*self.told, *more))

    @property
    def entries(self) -> tuple[Told, ...]:
        """What was told beyond the usual registry."""
        return tuple(one for one in self.told if one.label not in _USUAL)

    def without(self, *labels: str) -> World:
        """As if some of it had not been told; what names it goes as well."""
        gone = set(labels)
        kept = []
        for one in self.told:
            if one.label in gone or gone & set(_named(one.data)):
                gone.add(one.label)
            else:
                kept.append(one)
        return World(tuple(kept))

    def change(self, turn: Callable[[Told], Told]) -> World:
        return World(tuple(turn(one) for one in self.told))

    def shelf(self, upto: int | None = None, hashed: bool = False) -> Shelf:
        """The first ``upto`` events, on a shelf."""
        return Shelf(self.told[:upto], hashed)


def _named(value: Any) -> list[str]:
    """The labels that author fields name."""
    if isinstance(value, str):
        return [value[1:]] if value.startswith("#") else []
    if isinstance(value, dict):
        return [label for inner in value.values() for label in _named(inner)]
    if isinstance(value, list | tuple):
        return [label for inner in value for label in _named(inner)]
    return []


def _resolved(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, str):
        return ids[value[1:]] if value.startswith("#") else value
    if isinstance(value, dict):
        return {name: _resolved(inner, ids) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_resolved(inner, ids) for inner in value]
    return value


class Shelf:
    """A world as its record and directory, in memory; ids are the labels or, ``hashed``, of the ledger's shape."""

    def __init__(self, events: Sequence[Told] = (), hashed: bool = False) -> None:
        self.hashed = hashed
        self.ids: dict[str, str] = {}
        self.events: list[Recorded] = []
        self.rows: list[StoredRow] = []
        self.cache = Envelopes(":memory:")
        self._streams: dict[str, list[Recorded]] = {}
        self._directories: dict[int, Directory] = {}
        for one in events:
            self.tell(one)

    def tell(self, one: Told) -> Recorded:
        model = BY_NAME[one.name]
        data = _resolved(one.data, self.ids)
        if model.PREFIX is not None:
            name = sha256(one.label.encode()).hexdigest()[:32] if self.hashed else one.label
            stream = f"{model.PREFIX}{name}"
        elif "target" in data:
            stream = data["target"].partition("@")[0]
        else:
            stream = f"{one.name.partition('-')[0]}:{data.get('place') or data.get('source') or one.label}"
        befell = self._streams.setdefault(stream, [])
        leaf = {
            "stream": stream,
            "version": len(befell) + 1,
            "type": model.TYPE,
            "recorded": one.at.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "data": data,
        }
        state = canonical(leaf)
        recorded = Recorded(len(self.events) + 1, orjson.loads(state))
        befell.append(recorded)
        self.events.append(recorded)
        where = (recorded.position, stream, recorded.version, model.TYPE, state)
        self.rows.append(StoredRow(*where, sha256(state).digest()))
        self.ids[one.label] = recorded.entry
        return recorded

    def _first(self, stream: str) -> Recorded | None:
        return self._streams.get(stream, [None])[0]

    @property
    def record(self) -> Record:
        """The record of everything told so far."""
        paper = Paper(self)
        self.cache.catch_up(cast("Store", paper), paper.size, "code", "made-up")
        return Record(self.cache, paper.event, self._first)

    def directory(self, position: int | None = None) -> Directory:
        at = len(self.events) if position is None else position
        if at not in self._directories:
            self._directories[at] = Directory.fold(
                (Recorded(one.position, _leaf(one)), {}) for one in self.registry(at)
            )
        return self._directories[at]

    def registry(self, position: int) -> list[Recorded]:
        """The events that a directory is folded from."""
        return [
            one
            for one in self.events[:position]
            if BY_NAME[one.name].REGISTRY
            or (one.name == "entry-corrected" and one.stream.partition(":")[0] in ("place", "source"))
        ]

    def case(self, place: str = "town", question: str = "control", position: int | None = None) -> Case:
        at = len(self.events) if position is None else position
        return self.record.case(place, question, self.directory(at), at)

    def spots(self) -> list[tuple[str, str]]:
        """Every place and question that anything was said of, under the ids that answer now."""
        directory = self.directory()
        return sorted({(directory.place_id(place), asked) for place, asked in self.record.spots()})

    def judge(
        self,
        day: int,
        known: int | None = None,
        *,
        place: str = "town",
        question: str = "control",
        logic: Logic = TALLY,
        position: int | None = None,
    ) -> Verdict:
        """The verdict on a day of the world, known by the end of a day (the same one if None)."""
        case = self.case(place, question, position)
        return judge(case, logic, ZERO + day, end(day if known is None else known))

    def p(self, state: str, day: int, known: int | None = None, **asked: Any) -> float:
        return self.judge(day, known, **asked).probabilities[state]

    def id(self, label: str) -> str:
        return self.ids[label]


def _leaf(one: Recorded) -> dict[str, Any]:
    return {
        "stream": one.stream,
        "version": one.version,
        "type": one.type,
        "recorded": one.recorded,
        "data": dict(one.data),
    }


class Paper:
    """The first ``size`` events of a shelf, as ``Views`` look at a ledger and at its store."""

    def __init__(self, shelf: Shelf, size: int | None = None) -> None:
        self.shelf = shelf
        self.size = len(shelf.events) if size is None else size
        self.store = self

    def rows(self, start: int = 1, stop: int | None = None) -> Iterator[StoredRow]:
        last = self.size if stop is None else min(stop, self.size)
        return iter(self.shelf.rows[start - 1 : last])

    def leaves(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        return ((row.position, row.state) for row in self.rows(start, stop))

    def leaves_at(self, positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        return ((at, row.state) for at in positions if (row := self.row(at)) is not None)

    def registry(self) -> Iterator[tuple[Recorded, bytes, dict[str, Any]]]:
        return ((one, self.shelf.rows[one.position - 1].state, {}) for one in self.shelf.registry(self.size))

    def close(self) -> None:
        """As a store is closed by whoever opened it."""

    def row(self, position: int) -> StoredRow | None:
        return self.shelf.rows[position - 1] if 1 <= position <= self.size else None

    def head(self) -> Head:
        frontier = Frontier.empty().extend(row.leaf_hash for row in self.rows())
        return Head(self.size, frontier, None)

    def stream(self, stream: str) -> list[StoredRow]:
        return [row for row in self.rows() if row.stream == stream]

    def event(self, position: int) -> Recorded | None:
        row = self.row(position)
        return decode(row) if row else None

    def directory(self, at: int | None = None) -> Directory:
        return self.shelf.directory(self.size if at is None else at)

    def views(self, root: Path) -> Views:
        return Views(cast("Ledger", self), root)


class Scribe:
    """Writes a world into a ledger file, each event at the moment it is told."""

    def __init__(self, path: Path, ledger: str = "made-up") -> None:
        self.path = path
        self.ids: dict[str, str] = {}
        self._now = moment(-2)
        self.book = Ledger.create(path, ledger=ledger, clock=lambda: self._now, salt=bytes, signed=False)

    def __enter__(self) -> Scribe:
        return self

    def __exit__(self, *_: object) -> None:
        self.book.close()

    def tell(self, events: Iterable[Told]) -> Scribe:
        """Append events, those of one moment as one batch."""
        batch: list[Told] = []
        for one in events:
            names_batch = {*_named(one.data)} & {earlier.label for earlier in batch}
            if batch and (one.at != batch[0].at or names_batch):
                self._append(batch)
                batch = []
            batch.append(one)
        if batch:
            self._append(batch)
        return self

    def _append(self, batch: list[Told]) -> None:
        self._now = batch[0].at
        drafts = [
            Draft.of(one.name, _resolved(one.data, self.ids) | {"key": one.label})
            if one.name != "question-opened"
            else Draft.of(one.name, one.data)
            for one in batch
        ]
        for one, receipt in zip(batch, self.book.append(drafts), strict=True):
            assert receipt.status == "new", receipt.words
            self.ids[one.label] = receipt.entry

    def desk(self, now: dt.datetime | None = None, logic: str | None = None) -> Desk:
        return Desk(self.path, now=now or moment(120), logic=logic)


#: What a view of beliefs says; its quarantine is part of it.
TABLES = ("spot", "score", "choked")


def told_by(view: Path, tables: Sequence[str] = TABLES) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a view, by table, in order; rows are numbered as they were written, which is left out."""
    db = sqlite3.connect(view)
    try:
        found = {name: sorted(db.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}
        if "spot" in found:
            found["spot"] = sorted((row[1:] for row in found["spot"]), key=repr)
        return found
    finally:
        db.close()


def scores_in(view: Path) -> dict[tuple[str, str], dict[str, list[int]]]:
    """Place and question → source → its counts, in the order of ``Score``."""
    found = {}
    for place, question, sources, counts in told_by(view, ("score",))["score"]:
        names = orjson.loads(sources)
        table = np.frombuffer(counts, "<i4").reshape(len(names), -1)
        found[place, question] = dict(zip(names, table.tolist(), strict=True))
    return found


# -- drawn ------------------------------------------------------------------------------------------------

DAYS = 40
_SPAN_FORMS = ("day", "day", "day", "day", "moment", "about", "month", "interval", "interval")


@st.composite
def dates(draw: st.DrawFn, last: int = DAYS, open_ended: bool = False) -> str:
    """A date of the world in EDTF: mostly a day, else a moment, a month, an interval, with open ends."""
    day = draw(st.integers(0, last))
    form = draw(st.sampled_from((*_SPAN_FORMS, *(("since", "until") if open_ended else ()))))
    if form == "moment":
        return f"{date(day)}T{draw(st.sampled_from(('06:00:00Z', '12:00:00Z', '23:30:00-02:00')))}"
    if form == "about":
        return f"{date(day)}~"
    if form == "month":
        return date(day)[:7]
    if form == "interval":
        return f"{date(day)}/{date(day + draw(st.integers(1, 12)))}"
    if form == "since":
        return f"{date(day)}/.."
    return f"../{date(day)}" if form == "until" else date(day)


SOURCES = ("army", "brigade", "ministry", "blogger", "witness", "monitor", "agency")
MAPS = ("map", "chart")
CARRIERS = ("agency", "outlet")
PLACES = ("town", "town", "town", "town/north", "town/south", "village", "hamlet")


@dataclass(frozen=True)
class Menu:
    """What a drawn world may hold."""

    kinds: tuple[str, ...] = (
        *("claim",) * 6,
        *("display",) * 3,
        "look",
        "look at all",
        "withdrawal",
        "evidence",
        "evidence",
        "doubt",
        "void",
        "retraction",
        "adjudication",
        "ruling",
        "correction",
        "link",
        "merge",
        "registration",
    )
    places: tuple[str, ...] = PLACES
    questions: tuple[str, ...] = ("control", "control", "control", "bridge")
    exact: bool = False
    """Said and published on exact days only."""
    sources: tuple[str, ...] = SOURCES
    days: int = DAYS
    most: int = 10

    def but(self, *kinds: str) -> Menu:
        return replace(self, kinds=tuple(kind for kind in self.kinds if kind not in kinds))

    def only(self, *kinds: str) -> Menu:
        return replace(self, kinds=kinds)


ALL = Menu()
#: The same crowded together: few voices on one town within days, so that nearly everything meets.
TIGHT = replace(
    ALL,
    places=("town", "town", "town", "town/north"),
    questions=("control",),
    sources=("army", "brigade", "ministry", "witness"),
    days=12,
    most=14,
)
#: What may be told later without acting on what was known before.
REVISING = ("correction", "link", "merge", "registration")
UNREVISED = ALL.but(*REVISING)


class _Drawing:
    """The state of one drawing: what can be named so far."""

    def __init__(self, draw: st.DrawFn, menu: Menu, prefix: str, earlier: Sequence[Told] = ()) -> None:
        self.draw, self.menu, self.prefix = draw, menu, prefix
        self.made = [one for one in earlier if not one.registers]
        self.merged: set[Any] = set()

    def dates(self, open_ended: bool = False) -> st.SearchStrategy[str]:
        return dates(self.menu.days, open_ended)

    def pick(self, options: Sequence[Any]) -> Any:
        return self.draw(st.sampled_from(options))

    def maybe(self, what: st.SearchStrategy[Any], odds: int = 2) -> Any:
        return self.draw(what) if self.draw(st.integers(1, odds)) == 1 else None

    def when(self) -> dict[str, str]:
        said = (
            date(self.draw(st.integers(0, self.menu.days))) if self.menu.exact else self.maybe(self.dates())
        )
        published = self.maybe(self.dates(), 3)
        if self.menu.exact:
            published = None
        found = {"said": said, "published": published}
        return {name: value for name, value in found.items() if value}

    def where(self) -> dict[str, str]:
        question = self.pick(self.menu.questions)
        found = {"place": self.pick(self.menu.places)}
        return found if question == "control" else found | {"question": question}

    def state(self, where: dict[str, str]) -> str:
        return str(self.pick(BRIDGE if where.get("question") == "bridge" else ("UA", "RU", CONTESTED)))

    def entries(self, *names: str) -> list[Told]:
        return [one for one in self.made if one.name in names]

    def event(self, n: int, at: dt.datetime) -> Told | None:
        kind = self.pick(self.menu.kinds)
        made: Told | None = getattr(self, "_" + kind.replace(" ", "_"))(f"{self.prefix}{n}", at)
        if made is not None:
            self.made.append(made)
        return made

    def _claim(self, label: str, at: dt.datetime) -> Told:
        where = self.where()
        act = self.pick(("asserts", "asserts", "asserts", "denies", "doubts", "concedes", "predicts"))
        data = {"claimant": self.pick(self.menu.sources), **where, **self.when(), "state": self.state(where)}
        if act != "asserts":
            data["act"] = act
        if self.draw(st.integers(1, 4)) == 1:
            data["extent"] = "part"
        if act not in ("denies", "doubts") and self.draw(st.integers(1, 5)) == 1:
            data["negated"] = True
        kind = self.pick(("at", "at", "at", "at", "throughout", "since", "within"))
        if kind != "at":
            data["valid_kind"] = kind
        valid = self.maybe(self.dates(open_ended=True))
        if valid:
            data["valid"] = valid
        via = self.maybe(st.lists(st.sampled_from(CARRIERS), min_size=1, max_size=2, unique=True), 3)
        if via:
            data["via"] = via
        evidence = [one.label for one in self.entries("evidence-reported")]
        if evidence and self.draw(st.integers(1, 3)) == 1:
            data["based_on"] = [f"#{self.pick(evidence)}"]
        return Told("claim-reported", data, at, label)

    def _display(self, label: str, at: dt.datetime) -> Told:
        where = self.where()
        data = {"claimant": self.pick(MAPS), **where, **self.when(), "state": self.state(where)}
        data["standing"] = True
        if self.draw(st.integers(1, 5)) == 1:
            data["extent"] = "part"
        if self.draw(st.integers(1, 4)) == 1:
            data["via"] = ["outlet"]
        return Told("claim-reported", data, at, label)

    def _look(self, label: str, at: dt.datetime) -> Told:
        return Told("display-observed", {"source": self.pick(MAPS), **self.where(), **self.when()}, at, label)

    def _look_at_all(self, label: str, at: dt.datetime) -> Told:
        return Told("display-observed", {"source": self.pick(MAPS), **self.when()}, at, label)

    def _withdrawal(self, label: str, at: dt.datetime) -> Told:
        return Told("claim-withdrawn", {"source": self.pick(MAPS), **self.where(), **self.when()}, at, label)

    def _evidence(self, label: str, at: dt.datetime) -> Told:
        where = self.where()
        data = {"source": self.pick(self.menu.sources), **where, **self.when()}
        state = self.maybe(st.just(self.state(where)), 1)
        if state:
            data["state"] = state
        earlier = [one.label for one in self.entries("evidence-reported")]
        if earlier and self.draw(st.integers(1, 4)) == 1:
            data["based_on"] = [f"#{self.pick(earlier)}"]
        return Told("evidence-reported", data, at, label)

    def _doubt(self, label: str, at: dt.datetime) -> Told | None:
        found = self.entries("evidence-reported", "claim-reported")
        if not found:
            return None
        target = self.pick(found)
        data = {"claimant": self.pick(self.menu.sources), "place": target.data["place"], **self.when()}
        data |= {"act": self.pick(("denies", "doubts")), "target": f"#{target.label}"}
        data |= {"question": target.data["question"]} if "question" in target.data else {}
        return Told("claim-reported", data, at, label)

    def _void(self, label: str, at: dt.datetime) -> Told | None:
        found = self.entries("evidence-reported")
        return self._fate("evidence-voided", label, at, found, self._ruled()) if found else None

    def _adjudication(self, label: str, at: dt.datetime) -> Told | None:
        found = [one for one in self.entries("claim-reported") if "state" in one.data]
        data = {"verdict": self.pick(("true", "false", "unverifiable")), **self._ruled()}
        return self._fate("claim-adjudicated", label, at, found, data) if found else None

    def _ruled(self) -> dict[str, str]:
        found = {"ruled": self.maybe(self.dates()), "by": self.maybe(st.just("monitor"), 3)}
        return {name: value for name, value in found.items() if value}

    def _retraction(self, label: str, at: dt.datetime) -> Told | None:
        found = self.entries("claim-reported", "claim-withdrawn", "display-observed", "evidence-reported")
        found += [one for one in self.entries("claim-adjudicated", "state-ruled") if "by" in one.data]
        if not found:
            return None
        target = self.pick(found)
        source = target.data.get("claimant") or target.data.get("source") or target.data["by"]
        return self._fate("entry-retracted", label, at, [target], {"source": source, **self.when()})

    def _fate(
        self, name: str, label: str, at: dt.datetime, found: Sequence[Told], data: dict[str, Any]
    ) -> Told:
        return Told(name, {"target": f"#{self.pick(found).label}", **data}, at, label)

    def _ruling(self, label: str, at: dt.datetime) -> Told:
        where = self.where()
        data = {**where, "state": self.state(where), "valid": self.draw(self.dates()), **self._ruled()}
        data |= {"valid_kind": "throughout"} if self.draw(st.booleans()) else {}
        return Told("state-ruled", data, at, label)

    def _correction(self, label: str, at: dt.datetime) -> Told | None:
        found = self.entries(
            *("claim-reported", "evidence-reported", "claim-withdrawn", "display-observed"),
            *("entry-retracted", "state-ruled", "claim-adjudicated", "evidence-voided"),
        )
        if not found:
            return None
        target = self.pick(found)
        changes: dict[str, Any] = {}
        if "said" in target.data or target.name in ("claim-reported", "evidence-reported"):
            changes["said"] = self.pick((None, self.draw(self.dates())))
        if target.data.get("state") in ("UA", "RU") and self.draw(st.booleans()):
            changes["state"] = "RU" if target.data["state"] == "UA" else "UA"
        if "ruled" in target.data:
            changes["ruled"] = self.pick((None, self.draw(self.dates())))
        if target.data.get("place") and self.draw(st.booleans()):
            changes["place"] = self.pick(self.menu.places)
        if target.data.get("standing") and self.draw(st.booleans()):
            changes["claimant"] = self.pick(MAPS)
        evidence = [one.label for one in self.entries("evidence-reported") if one is not target]
        if evidence and target.name == "claim-reported" and self.draw(st.integers(1, 3)) == 1:
            changes["based_on"] = [f"#{self.pick(evidence)}"]
        if not changes:
            return None
        return Told("entry-corrected", {"target": f"#{target.label}", "changes": changes}, at, label)

    def _link(self, label: str, at: dt.datetime) -> Told:
        pair = self.draw(st.lists(st.sampled_from(self.menu.sources), min_size=2, max_size=2, unique=True))
        data: dict[str, Any] = {"sources": pair}
        valid = self.maybe(self.dates(open_ended=True))
        return Told("sources-linked", data | ({"valid": valid} if valid else {}), at, label)

    def _merge(self, label: str, at: dt.datetime) -> Told | None:
        kind, old, into = self.pick((("place", "hamlet", "town"), ("source", "monitor", "witness")))
        if old in self.merged:
            return None
        self.merged.add(old)
        return Told(f"{kind}-merged", {kind: old, "into": into}, at, label)

    def _registration(self, label: str, at: dt.datetime) -> Told | None:
        """Something about places, parties and sources that is learnt late."""
        name, key, data = self.pick(
            (
                ("place-registered", "place", {"place": "town/east", "names": ["East"], "kind": "part",
                                               "parent": "town"}),
                ("place-described", "place", {"place": "village", "kind": "part", "parent": "town"}),
                ("party-named", "party", {"party": "PMC"}),
                ("source-described", "source", {"source": "witness", "side": "RU"}),
                ("source-described", "source", {"source": "blogger", "no_side": True}),
            )
        )  # fmt: skip
        if (name, data[key]) in self.merged:
            return None
        self.merged.add((name, data[key]))
        return Told(name, data, at, label)


@st.composite
def worlds(draw: st.DrawFn, menu: Menu = ALL, least: int = 1) -> World:
    """A world that the ledger would take: late, backdated, vague, contradicting itself."""
    return World(tuple(registry())) + draw(more(World(()), menu, least=least))


@st.composite
def more(
    draw: st.DrawFn, world: World, menu: Menu = ALL, *, least: int = 1, prefix: str = "n", after: int = 8
) -> list[Told]:
    """Further events for a world, which may name what is in it."""
    drawing = _Drawing(draw, menu, prefix, world.told)
    at = max([moment(after), *(one.at for one in world.entries)])
    shelf = Shelf(world.told or registry())
    found = []
    for n in range(draw(st.integers(least, menu.most))):
        at += dt.timedelta(hours=draw(st.sampled_from((0, 0, 7, 26, 80))))
        made = drawing.event(n, at)
        if made is not None and _fits(made, shelf):
            shelf.tell(made)
            found.append(made)
        elif made is not None:
            drawing.made.remove(made)
    return found


def _fits(one: Told, shelf: Shelf) -> bool:
    """Whether the ledger's own rules take an event."""
    by_entry = {recorded.entry: recorded for recorded in shelf.events}

    def lookup(entry: str) -> tuple[str, dict[str, Any]] | None:
        found = by_entry.get(entry)
        return None if found is None else _after_corrections(found, shelf)

    try:
        event = BY_NAME[one.name].model_validate(_resolved(one.data, shelf.ids))
        check(event, shelf.directory(), lookup)
    except LedgerError:
        return False
    return True


def _after_corrections(found: Recorded, shelf: Shelf) -> tuple[str, dict[str, Any]]:
    data = found.data
    for one in shelf.events:
        if one.name == "entry-corrected" and one.data["target"] == found.entry:
            changed = {**data, **one.data["changes"]}
            data = {name: value for name, value in changed.items() if value is not None}
    return found.name, data


def close(one: Verdict, other: Verdict, within: float = 1e-9) -> bool:
    """Whether two verdicts are the same but for rounding."""
    return (one.believed, one.origins, one.claims, one.newest) == (
        other.believed,
        other.origins,
        other.claims,
        other.newest,
    ) and all(abs(p - other.probabilities[state]) <= within for state, p in one.probabilities.items())
