"""From leaves to envelopes: each entry read once, at a few microseconds.

Pure but for looking up the first event of a stream, which what befell an entry needs. What cannot be read is
set aside with its position, and the rest goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from ledger.clocks import day as exact_day
from ledger.clocks import instant_key, span
from ledger.codec import Recorded
from ledger.dates import DAY_US, EPOCH
from ledger.errors import BadEvent, Unverified
from ledger.upcast import STEPS
from projections.case import day_of, days_of, ruled_at
from projections.envelopes.shape import (
    ACTS,
    ALONE,
    AT,
    CARRIERS,
    CLAIM,
    DAY_MARK,
    DISPLAY,
    EVIDENCE,
    EVIDENCE_KINDS,
    MOMENT_MARK,
    MORE,
    NEGATED,
    NONE,
    OBSERVATION,
    PACK,
    PART,
    RULING,
    SPEAKS_OF_EVIDENCE,
    TARGETED,
    VALID_KINDS,
    WITHDRAWAL,
    WITHIN,
)

Lookup = Callable[[str], "Sequence[Recorded]"]
"""The events of a stream, in order."""

ENTRIES = frozenset(
    ("claim-reported", "evidence-reported", "display-observed", "claim-withdrawn", "state-ruled")
)
FATES = frozenset(("entry-corrected", "entry-retracted", "claim-adjudicated", "evidence-voided"))
#: The types that this version can read; the closed set, without the models behind it.
TYPES = frozenset(
    f"{name}/1"
    for name in (
        *("ledger-opened", "question-opened", "party-named", "place-registered", "place-described"),
        *("place-merged", "source-registered", "source-described", "source-merged", "sources-linked"),
        *ENTRIES,
        *FATES,
        *("entry-redacted", "logic-promoted"),
    )
)
_ACTS = {name: code for code, name in enumerate(ACTS)}
_EVIDENCE = {name: code for code, name in enumerate(EVIDENCE_KINDS)}
_VALID = {name: code for code, name in enumerate(VALID_KINDS)}
_NOBODY = (NONE,) * CARRIERS
_NO_TARGET = bytes(16)


class Codes(dict[str, int]):
    """Names as small numbers, given out in the order in which they are first met."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__()
        self.names: list[str] = []
        for name in names:
            self[name]

    def __missing__(self, name: str) -> int:
        if type(name) is not str:
            raise TypeError(f"{name!r} is no name")
        code = self[name] = len(self.names)
        self.names.append(name)
        return code


#: The place of what stands at no place: looks at a whole display. Always the first code.
EVERYWHERE = ""


class Fated(NamedTuple):
    """What befell an entry: filed under the place of the entry that its stream begins with."""

    position: int
    place: int
    at: int
    entry: str
    target: str
    name: str
    recorded: str
    data: bytes


@dataclass(slots=True)
class Batch:
    """What a stretch of the ledger adds. ``records`` are (place code, position, packed record), and ``rows``
    (records, 25) those read by ``Quick``, as 32-bit words;
    ``more`` (position, place, JSON); ``moved`` (place, position, place it was recorded for);
    ``doubts`` (id of evidence, position of the claim, its place); ``leans`` (id of evidence, place where
    something leans on it, its id if that is evidence too); ``shown`` (standing source, place); ``asked`` (place, question)."""

    records: list[tuple[int, int, bytes]] = field(default_factory=list)
    rows: Any = None
    fates: list[Fated] = field(default_factory=list)
    more: list[tuple[int, int, bytes]] = field(default_factory=list)
    moved: list[tuple[int, int, int]] = field(default_factory=list)
    doubts: list[tuple[str, int, int]] = field(default_factory=list)
    leans: set[tuple[str, int, str]] = field(default_factory=set)
    shown: set[tuple[int, int]] = field(default_factory=set)
    asked: set[tuple[int, int]] = field(default_factory=set)
    bad: list[tuple[int, str, str]] = field(default_factory=list)


class Dated(NamedTuple):
    lo: int | None
    hi: int | None
    latest: int | None
    exact: int | None


class Reader:
    """Turns leaves into envelopes. Keeps what it has learnt of names and dates from one batch to the next."""

    def __init__(self, codes: Codes, lookup: Lookup) -> None:
        self.codes = codes
        self.lookup = lookup
        self.fresh: list[tuple[str, Dated]] = []
        """Dates met since somebody last took them from here."""
        self._dates: dict[str, Dated] = {}
        self._days: dict[str, int] = {}
        codes[EVERYWHERE]

    def read(self, leaves: Iterable[tuple[int, bytes]]) -> Batch:
        """Everything that (position, leaf) pairs add, in order."""
        batch = Batch()
        for position, state in leaves:
            self.one(batch, position, state)
        self.fresh.clear()
        return batch

    def one(self, batch: Batch, position: int, state: bytes) -> None:
        """What one leaf adds."""
        try:
            leaf = orjson.loads(state)
            topic, name = leaf["type"], _name(leaf)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            raise Unverified("the stored bytes are no event", where=f"#{position}") from None
        try:
            if topic == "claim-reported/1":
                self._claim(batch, position, leaf["stream"], leaf["recorded"], leaf["data"])
            else:
                self._other(batch, position, leaf, topic)
        except Exception as error:
            batch.bad.append((position, name, f"{type(error).__name__}: {error}"))

    def record(self, position: int, stream: str, name: str, recorded: str, data: dict[str, Any]) -> Batch:
        """One entry alone, with author fields of any kind, for instance as corrected. Raises where it cannot be
        read."""
        batch = Batch()
        if name == "claim-reported":
            self._claim(batch, position, stream, recorded, data)
        else:
            self._entry(batch, position, stream, name, recorded, data)
        return batch

    # -- claims: nearly everything there is ------------------------------------------------------------

    def _claim(self, batch: Batch, position: int, stream: str, recorded: str, data: dict[str, Any]) -> None:
        get = data.get
        codes = self.codes
        known, said_day, saying, valid_kind, lo, hi = self._times(recorded, data)
        flags, kind = 0, CLAIM
        if get("negated"):
            flags |= NEGATED
        if get("extent", "whole") != "whole":
            flags |= PART
        if get("standing"):
            kind = DISPLAY
            hi = min(hi, day_of(known))
            lo = min(lo, hi)
            saying = mark_of(get("said"))
        target, aimed = get("target"), _NO_TARGET
        place = codes[data["place"]]
        if target:
            flags |= TARGETED
            aimed = id16(target)
            if target.startswith("e-"):
                flags |= SPEAKS_OF_EVIDENCE
                if get("act") in ("denies", "doubts"):
                    batch.doubts.append((target, position, place))
        via, based = get("via"), get("based_on")
        carriers: tuple[int, ...] = _NOBODY
        if via:
            carriers = tuple([codes[one] for one in via[:CARRIERS]])
            if len(carriers) < CARRIERS:
                carriers += _NOBODY[len(carriers) :]
        if based or (via and len(via) > CARRIERS):
            flags |= MORE
            self._beside(batch, position, place, via, based)
        state = get("state")
        source, question = codes[data["claimant"]], codes[get("question", "control")]
        batch.asked.add((place, question))
        if kind == DISPLAY:
            batch.shown.add((source, place))
        packed = PACK.pack(
            position, known, saying, id16(stream), aimed,
            place, source, question,
            NONE if state is None else codes[state],
            *carriers, lo, hi, said_day, kind, _ACTS[get("act", "asserts")], valid_kind, flags,
        )  # fmt: skip
        batch.records.append((place, position, packed))

    def _beside(self, batch: Batch, position: int, place: int, via: Any, based: Any, by: str = "") -> None:
        codes = self.codes
        more: dict[str, Any] = {}
        if via and len(via) > CARRIERS:
            more["via"] = [codes[one] for one in via]
        if based:
            more["based_on"] = [str(one) for one in based]
            batch.leans.update((one, place, by) for one in more["based_on"])
        batch.more.append((position, place, orjson.dumps(more)))

    # -- the others ------------------------------------------------------------------------------------

    def _other(self, batch: Batch, position: int, leaf: dict[str, Any], topic: str) -> None:
        if topic in STEPS:
            recorded = Recorded(position, leaf)
            if recorded.name == "claim-reported":
                self._claim(batch, position, recorded.stream, recorded.recorded, recorded.data)
                return
            topic, leaf = recorded.type, {**leaf, "data": recorded.data}
        if topic not in TYPES:
            raise BadEvent(f"no event type {topic!r}")
        name = topic.partition("/")[0]
        if name in ENTRIES:
            self._entry(batch, position, leaf["stream"], name, leaf["recorded"], leaf["data"])
        elif name in FATES:
            self._fate(batch, Recorded(position, leaf))

    def _entry(
        self, batch: Batch, position: int, stream: str, name: str, recorded: str, data: dict[str, Any]
    ) -> None:
        """Evidence, looks, withdrawals, rulings: like claims, with fewer fields."""
        get, codes = data.get, self.codes
        flags, act, via, based, target = 0, 0, get("via"), get("based_on"), None
        saying = ALONE
        if name == "state-ruled":
            kind, source = RULING, NONE
            known = ruled_at(data, recorded)
            lo, hi = days_of_ruling(data, known)
            said_day = day_of(known)
            codes[data["state"]]
        else:
            source = codes[data["source"]]
            known, said_day, saying, _, lo, hi = self._times(recorded, data)
            if name == "evidence-reported":
                kind, act = EVIDENCE, _EVIDENCE.get(get("kind", "footage"), len(_EVIDENCE))
                target = get("target")
                if get("extent", "part") != "whole":
                    flags |= PART
            else:
                kind = OBSERVATION if name == "display-observed" else WITHDRAWAL
                saying = mark_of(get("said"))
                hi = min(hi, day_of(known))
                lo = min(lo, hi)
        if get("negated"):
            flags |= NEGATED
        if target:
            flags |= TARGETED | (SPEAKS_OF_EVIDENCE if target.startswith("e-") else 0)
        where = get("place")
        if where is None and kind != OBSERVATION:
            raise KeyError("place")
        place = codes[EVERYWHERE if where is None else where]
        carriers = tuple(codes[one] for one in (via or ())[:CARRIERS])
        carriers += _NOBODY[len(carriers) :]
        if based or (via and len(via) > CARRIERS):
            flags |= MORE
            self._beside(batch, position, place, via, based, stream if kind == EVIDENCE else "")
        state = get("state")
        question = codes[get("question", "control")]
        batch.asked.add((place, question))
        packed = PACK.pack(
            position, known, saying, id16(stream), id16(target) if target else _NO_TARGET,
            place, source, question,
            NONE if state is None else codes[state],
            *carriers, lo, hi, said_day, kind, act, _VALID[get("valid_kind", "at")], flags,
        )  # fmt: skip
        batch.records.append((place, position, packed))

    def _fate(self, batch: Batch, recorded: Recorded) -> None:
        stream = self.lookup(recorded.stream)
        if not stream or stream[0].name not in ENTRIES:
            return
        first = stream[0]
        codes = self.codes
        home = codes[first.data.get("place") or EVERYWHERE]
        target = recorded.data["target"]
        if not isinstance(target, str):
            raise TypeError(f"{target!r} is no entry")
        batch.fates.append(
            Fated(
                recorded.position,
                home,
                first.position,
                recorded.entry,
                target,
                recorded.name,
                recorded.recorded,
                orjson.dumps(recorded.data),
            )
        )
        if target == first.entry and recorded.data.get("changes"):
            before = (one for one in stream if one.position <= recorded.position)
            self._corrected(batch, first, [one for one in before if one.data.get("target") == target], home)

    def _corrected(self, batch: Batch, first: Recorded, fates: Sequence[Recorded], home: int) -> None:
        """What corrections let an entry lean on, speak against, display or be moved to. Any of them may be undone
        later, so that each value goes with each: too much is looked at then, and never too little."""
        codes, versions = self.codes, [first.data, *(one.data.get("changes") or {} for one in fates)]

        def ever(name: str) -> list[Any]:
            return [value for version in versions if (value := version.get(name))]

        places = [codes[one] for one in ever("place")] or [codes[EVERYWHERE]]
        questions = ever("question") if first.data.get("question") else ["control", *ever("question")]
        for place in places:
            if place != home:
                batch.moved.append((place, first.position, home))
            batch.asked.update((place, codes[one]) for one in questions)
        if {"denies", "doubts"} & set(ever("act")):
            aims = [one for one in ever("target") if one.startswith("e-")]
            batch.doubts += [(one, first.position, home) for one in aims]
        by = first.stream if first.name == "evidence-reported" else ""
        grounds = [str(one) for some in ever("based_on") for one in some]
        batch.leans.update((one, place, by) for one in grounds for place in places)
        if ever("standing"):
            batch.shown.update((codes[one], place) for one in ever("claimant") for place in places)

    # -- dates -------------------------------------------------------------------------------------------

    def _times(self, recorded: str, data: dict[str, Any]) -> tuple[int, int, int, int, int, int]:
        """(when it could be known, the latest day on which it may have been said, the day said if it is one exact
        day, kind of its valid time, first and last day spoken of) of an entry."""
        get = data.get
        published, said = get("published"), get("said")
        known = self._known(published, said, recorded)
        spoken = said or published
        said_day, saying = day_of(known), ALONE
        if spoken:
            dated = self._dated(spoken)
            if dated.hi is not None:
                said_day = dated.hi
            if dated.exact is not None:
                saying = dated.exact
        valid_kind = _VALID[get("valid_kind", "at")]
        when = get("valid") or spoken
        if valid_kind in (AT, WITHIN) and when:
            dated = self._dated(when)
            if dated.lo is not None and dated.hi is not None:
                return known, said_day, saying, valid_kind, dated.lo, dated.hi
        return known, said_day, saying, valid_kind, *days_of(data, known)

    def _known(self, published: str | None, said: str | None, recorded: str) -> int:
        """``case.known_at`` of the same clocks, at the price of two look-ups."""
        for text in (published, said):
            if text:
                dated = self._dated(text)
                latest = dated.latest
                if latest is not None:
                    stamped = self._dated(recorded).latest
                    assert stamped is not None
                    if dated.lo is not None and stamped < latest and dated.lo <= stamped // DAY_US + EPOCH:
                        return stamped
                    return latest
        return instant_key(recorded)

    def _dated(self, text: str) -> Dated:
        found = self._dates.get(text)
        return found if found is not None else self._new(text)

    def _new(self, text: str) -> Dated:
        # Moments written to the second hardly ever recur: read here, and not kept.
        if _to_the_second(text):
            ordinal = self._days.get(text[:10])
            if ordinal is None:
                ordinal = exact_day(text[:10])
                if ordinal is not None:
                    self._days[text[:10]] = ordinal
            hour, minute, second = text[11:13], text[14:16], text[17:19]
            if ordinal is not None and (hour + minute + second).isdecimal() and text.isascii():
                seconds = int(hour) * 3600 + int(minute) * 60 + int(second)
                if hour < "24" and minute < "60" and second < "60":
                    return Dated(ordinal, ordinal, (ordinal - EPOCH) * DAY_US + seconds * 1_000_000, ordinal)
        days = span(text)
        latest = None if days.hi is None else instant_key(text)
        dated = Dated(days.lo, days.hi, latest, exact_day(text))
        if len(self._dates) > 200_000:
            self._dates.clear()
        self._dates[text] = dated
        self.fresh.append((text, dated))
        return dated


def days_of_ruling(data: dict[str, Any], known: int) -> tuple[int, int]:
    """First and last day a ruling on a state speaks of."""
    return days_of({name: value for name, value in data.items() if name in ("valid", "valid_kind")}, known)


def id16(text: str) -> bytes:
    """The 16 bytes of an entry's id; for anything else that can be a target, a digest of its text."""
    if len(text) == 34 and text[1] == "-":
        try:
            return bytes.fromhex(text[2:])
        except ValueError:
            pass
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def mark_of(text: str | None) -> int:
    """A number for the very text of a date."""
    if text is None:
        return ALONE + 1
    if len(text) == 10 and (found := exact_day(text)) is not None:
        return DAY_MARK + found
    if _to_the_second(text):
        return MOMENT_MARK + instant_key(text)
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) >> 2


def _to_the_second(text: str) -> bool:
    return len(text) == 20 and text[19] == "Z" and text[10] == "T" and text[13] == text[16] == ":"


def _name(leaf: dict[str, Any]) -> str:
    """The id of an event."""
    return str(leaf["stream"] if leaf["version"] == 1 else f"{leaf['stream']}@{leaf['version']}")
