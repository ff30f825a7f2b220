"""Envelopes of some places made into pieces: corrected, merged, folded into utterances, tied to each other.

What ``case.fold`` does for one place, for many at once. A *family* is a place with its named parts: what is
said of one is heard at the others. A *spot* is a place and a question.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from ledger.codec import Recorded
from ledger.directory import Directory
from projections.case import Entry, Fate, Poisoned, Row, correct, known_at, ruled_at
from projections.columns.shapes import (
    FALSE,
    FROM_PART,
    FROM_WHOLE,
    NEVER,
    OWN,
    P_ACT,
    P_CARRIER_FROM,
    P_DOUBT_FROM,
    P_GROUND_FROM,
    P_HI,
    P_ID_HIGH,
    P_ID_LOW,
    P_KIND,
    P_KNOWN,
    P_LINKED_FROM,
    P_LO,
    P_NEGATED,
    P_OF_EVIDENCE,
    P_ORDER_KNOWN,
    P_PART,
    P_PLACE,
    P_POSITION,
    P_RETRACTED,
    P_SAID,
    P_SOURCE,
    P_STATE,
    P_VALID_KIND,
    P_VERDICT_FROM,
    P_VOICE,
    P_VOIDED,
    P_WIDTH,
    TRUE,
    UNVERIFIABLE,
    Pieces,
)
from projections.columns.tables import Tables
from projections.envelopes.cache import Envelopes
from projections.envelopes.reading import ENTRIES, EVERYWHERE, FATES, Codes, Fated, Reader, id16
from projections.envelopes.shape import (
    CARRIERS,
    CLAIM,
    DENIES,
    DISPLAY,
    DOUBTS,
    EVIDENCE,
    MORE,
    NEGATED,
    PART,
    RULING,
    SIZE,
    SPEAKS_OF_EVIDENCE,
    dtype,
)

Read = Callable[[int], "Recorded | None"]
"""The event at a position."""

Find = Callable[[str], "Recorded | None"]
"""The first event of a stream."""

#: Places in one query, far below SQLite's limit of parameters.
_PLACES_AT_ONCE = 500

#: Rows of pieces that are filled column by column while they are near.
_ROWS_AT_ONCE = 2_048

_VERDICTS = {"true": TRUE, "false": FALSE, "unverifiable": UNVERIFIABLE}


@dataclass(slots=True)
class Spot:
    """A place and question: the stretches of pieces that concern it (n, 2), how each reaches it, and evidence
    elsewhere that something here leans on."""

    place: str
    question: str
    ranges: Any
    reaches: Any
    beside: Any


@dataclass(slots=True)
class Testimony:
    """The pieces of some families, and the spots they make. ``bad``: what could not be read, by place."""

    pieces: Pieces
    spots: list[Spot]
    tables: Tables
    bad: dict[str, list[Poisoned]] = field(default_factory=dict)

    @property
    def codes(self) -> Codes:
        return self.tables.codes


class Families:
    """Which places belong together: a place with its named parts, and theirs."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory

    def root(self, place: str) -> str:
        """The outermost whole of a place, under whatever id it is known."""
        place = self.directory.place_id(place)
        seen = {place}
        while (whole := self.directory.whole(place)) is not None and whole not in seen:
            seen.add(whole)
            place = whole
        return place

    def members(self, root: str) -> list[str]:
        """The places of a family, in order of their ids."""
        found, more = {root}, [root]
        while more:
            for part in self.directory.parts(more.pop()):
                if part not in found:
                    found.add(part)
                    more.append(part)
        return sorted(found)

    def ids(self, root: str) -> list[str]:
        """Every id under which something of a family may have been recorded."""
        found: dict[str, None] = {}
        for place in self.members(root):
            found.update(dict.fromkeys(self.directory.merged_into(place)))
            found.update(dict.fromkeys(self.directory.aliases_of(place)))
        return list(found)


class Merged:
    """Codes after merges: a table by code, in which −1 (no name) stands for itself.

    ``of`` says which name answers for another, ``old`` are those for which another may.
    """

    def __init__(self, codes: Codes, of: Callable[[str], str], old: Collection[str]) -> None:
        self.codes, self.of, self.old = codes, of, old
        self._table = np.empty(0, np.int64)

    def __call__(self, codes: Any) -> Any:
        if len(self._table) != len(self.codes.names) + 1:
            self._fill()
        return self._table[codes]

    def _fill(self) -> None:
        changed = {self.codes[one]: self.codes[self.of(one)] for one in self.old if one in self.codes}
        self._table = np.arange(len(self.codes.names) + 1)
        self._table[-1] = -1
        for code, into in changed.items():
            self._table[code] = into


class Rows:
    """Records of some places as corrected. ``more`` holds by position what has no room in a record."""

    def __init__(self) -> None:
        self.records = np.empty(0, dtype())
        self.more: dict[int, dict[str, Any]] = {}
        self.fates: dict[int, list[Fate]] = {}
        self.bad: dict[str, list[Poisoned]] = {}


class Looks:
    """Looks at whole displays, to be had by whose displays they are.

    ``odd``: rows that a correction has given a place, or that never were a look: whoever asks gets them.
    """

    def __init__(self, rows: Rows, everywhere: int, sources: Any) -> None:
        self.rows = rows
        plain = rows.records["place"] == everywhere
        self.odd = np.flatnonzero(~plain)
        found = np.flatnonzero(plain)
        found = found[np.argsort(sources[found], kind="stable")]
        cuts = np.flatnonzero(np.diff(sources[found])) + 1
        self._by_source = {int(sources[some[0]]): some for some in np.split(found, cuts) if len(some)}

    def of(self, sources: Sequence[int]) -> Any:
        """The records of some sources, in order of position."""
        some = [self._by_source[one] for one in sources if one in self._by_source]
        return self.rows.records.take(np.sort(np.concatenate([self.odd, *some])))


class Builder:
    """Makes testimony of families, as the ledger held it at the cache's position.

    It may be kept while the cache grows, as long as it ``fits``: ``take`` tells it of what was recorded since
    it was at ``position``.
    """

    def __init__(self, cache: Envelopes, directory: Directory, read: Read, find: Find) -> None:
        self.cache, self.directory, self.read, self.find = cache, directory, read, find
        mark = cache.mark()
        self.position = mark.position if mark else 0
        self._registered = directory.position
        self.given = cache.codes
        self.families = Families(directory)
        self.recorded = dict(self.given)
        self.codes = Codes(cache.codes.names)
        for source in directory.sources:
            self.codes[source]
        for place in directory.places:
            self.codes[place]
        for name, question in directory.questions.items():
            self.codes[name]
            for state in question.states:
                self.codes[state]
        self._encoder = Reader(self.codes, lambda stream: ())
        self._linked = {directory.source_id(one) for link in directory.links for one in link.sources}
        # Days on which a link begins, or has ended: between two of them nobody's voice changes.
        ends = ((link.lo, None if link.hi is None else link.hi + 1) for link in directory.links)
        days = sorted({day for pair in ends for day in pair if day is not None})
        self._link_days = np.array(days, np.int64)
        self._voices: dict[tuple[int, int], tuple[int, list[int]]] = {}
        self._moved: dict[int, list[tuple[int, int]]] = {}
        for into, position, home in cache.every_move():
            self._moved.setdefault(into, []).append((position, home))
        self._doubts: dict[bytes, list[tuple[int, int]]] = {}
        for evidence, position, home in cache.every_doubt():
            self._doubts.setdefault(id16(evidence), []).append((position, home))
        self.tables = Tables(directory, self.codes)
        merged = directory.merged_ids()
        aliases = {one for place in directory.places.values() for one in place.aliases}
        self.place_of = Merged(self.codes, directory.place_id, merged | aliases)
        self.source_of = Merged(self.codes, directory.source_id, merged)
        self._looks: Looks | None = None

    # -- growing -------------------------------------------------------------------------------------------

    def fits(self, cache: Envelopes, directory: Directory) -> bool:
        """Whether this was made of the same names and the same registry as the cache and a directory hold now."""
        same = cache.codes is self.given and len(self.given) == len(self.recorded)
        return same and directory is self.directory and directory.position == self._registered

    def take(self, recorded: Recorded) -> None:
        """Note what an event, in the cache by now, brings to places beside its own."""
        self.position = recorded.position
        entry = self.find(recorded.stream) if recorded.name in FATES else recorded
        if entry is None or entry.name not in ENTRIES:
            return
        if not entry.data.get("place"):
            self._looks = None
        changes = recorded.data.get("changes")
        changes = changes if isinstance(changes, dict) else {}
        place = changes.get("place")
        if isinstance(place, str) and place in self.recorded:
            self._moved[self.recorded[place]] = self.cache.moved(self.recorded[place])
        for target in (entry.data.get("target"), changes.get("target")):
            if isinstance(target, str) and target.startswith("e-"):
                self._doubted(target)

    def _doubted(self, evidence: str) -> None:
        found = self._doubts.get(id16(evidence), [])
        found = sorted({*found, *self.cache.doubts(evidence)})
        if found:
            self._doubts[id16(evidence)] = found

    @property
    def looks(self) -> Looks:
        """Looks at whole displays."""
        if self._looks is None:
            rows = self.rows([EVERYWHERE])
            self._looks = Looks(rows, self.codes[EVERYWHERE], self.source_of(rows.records["source"]))
        return self._looks

    def roots(self) -> dict[str, int]:
        """Every family that something was recorded for, in order, with how many records it has."""
        names, found = self.codes.names, dict[str, int]()
        for code, count in (*self.cache.places().items(), *((place, 0) for place in self._moved)):
            if names[code] != EVERYWHERE:
                root = self.families.root(names[code])
                found[root] = found.get(root, 0) + count
        return dict(sorted(found.items()))

    # -- rows ----------------------------------------------------------------------------------------------

    def rows(self, places: Sequence[str]) -> Rows:
        """The records of some ids of places, with what was moved there, as corrected."""
        rows = Rows()
        codes = [self.recorded[place] for place in places if place in self.recorded]
        parts = [self.cache.records(codes)]
        fates = [Fated(*row) for row in self._filed("SELECT * FROM fate", codes)]
        found = self._filed("SELECT position, data FROM more", codes)
        rows.more.update((at, orjson.loads(data)) for at, data in found)
        for code in codes:
            for position, home in self._moved.get(code, ()):
                if home not in codes:
                    parts.append(self._one(home, position, rows))
                    fates += [fate for fate in self.cache.fates(home) if fate.at == position]
        rows.records = _joined(parts)
        if fates:
            self._befall(rows, fates)
        return rows

    def _filed(self, select: str, places: Sequence[int]) -> Iterator[tuple[Any, ...]]:
        """The rows of one of the cache's tables that are filed under some places."""
        for begin in range(0, len(places), _PLACES_AT_ONCE):
            some = places[begin : begin + _PLACES_AT_ONCE]
            yield from self.cache.db.execute(f"{select} WHERE place IN ({','.join('?' * len(some))})", some)

    def _one(self, place: int, position: int, rows: Rows) -> Any:
        """One record of a place."""
        records = self.cache.records([place])
        for at, data in self.cache.more(place):
            if at == position:
                rows.more[at] = orjson.loads(data)
        return records[records["position"] == position]

    def _befall(self, rows: Rows, recorded: Sequence[Any]) -> None:
        """Apply corrections, and keep what else befell each entry."""
        corrected = {one.at for one in recorded if one.name == "entry-corrected"}
        entries: dict[str, Entry] = {}
        places: dict[int, str] = {}
        fates = []
        for one in recorded:
            fates.append(
                Fate(one.position, one.entry, one.target, one.name, one.recorded, orjson.loads(one.data))
            )
            stream = one.entry.partition("@")[0]
            places[one.at] = self.codes.names[one.place]
            if stream not in entries:
                first = self.read(one.at) if one.at in corrected else None
                data = first.data if first else {}
                name, when = (first.name, first.recorded) if first else ("", "")
                entries[stream] = Entry(Row(one.at, stream, name, when, places[one.at], data), data)
        poisoned: list[Poisoned] = []
        correct(entries, fates, poisoned)
        for bad in poisoned:
            at = next(one.at for one in recorded if one.position == bad.position)
            rows.bad.setdefault(places[at], []).append(bad)
        records, poisoned_rows = None, False
        for entry in entries.values():
            at = entry.row.position
            if entry.fates:
                rows.fates[at] = entry.fates
            if entry.data is entry.row.data:
                continue
            if records is None:
                records = rows.records.copy()
                index = _index(records["position"], corrected)
            if at not in index:
                continue
            try:
                made = self._encoder.record(at, entry.row.id, entry.row.name, entry.row.recorded, entry.data)
                records[index[at]] = np.frombuffer(made.records[0][2], dtype())[0]
                rows.more.pop(at, None)
                rows.more.update((at, orjson.loads(data)) for at, _, data in made.more)
            except Exception as error:
                records[index[at]]["place"] = -2
                poisoned_rows = True
                bad = Poisoned(at, entry.row.id, f"{type(error).__name__}: {error}")
                rows.bad.setdefault(places[at], []).append(bad)
        if records is not None:
            rows.records = records[records["place"] != -2] if poisoned_rows else records

    # -- testimony -----------------------------------------------------------------------------------------

    def testimony(self, roots: Sequence[str], kernel: Any) -> Testimony:
        """The testimony of some families, folded by a kernel (``modes``)."""
        rows = self.rows([one for root in roots for one in self.families.ids(root)])
        places = [place for root in roots for place in self.families.members(root)]
        return _Assembly(self, rows, places, kernel).testimony()

    def is_linked(self, sources: Any) -> Any:
        """Whether each was ever linked with another."""
        linked = np.zeros(len(self.codes.names) + 1, bool)
        linked[[self.codes[one] for one in self._linked]] = True
        return linked[sources]

    def stretch(self, days: Any) -> Any:
        """In which stretch of time each day lies; from one to the next some link begins or has ended."""
        return np.searchsorted(self._link_days, days, "right")

    def voice(self, source: int, stretch: int) -> tuple[int, list[int]]:
        """(number of the voice, others who speak with it) of a linked source on the days of a stretch."""
        found = self._voices.get((source, stretch))
        if found is None:
            name, day = self.codes.names[source], None
            if len(self._link_days):
                day = int(self._link_days[stretch - 1] if stretch else self._link_days[0] - 1)
            voice = self.directory.linked(name, day)
            found = self.codes[min(voice)], [self.codes[one] for one in sorted(voice - {name})]
            self._voices[source, stretch] = found
        return found


class _Assembly:
    """One making of testimony: rows in, pieces out."""

    def __init__(self, builder: Builder, rows: Rows, places: Sequence[str], kernel: Any) -> None:
        self.builder, self.places, self.kernel = builder, places, kernel
        self.codes, self.directory = builder.codes, builder.directory
        looks = builder.looks
        self.more = {**rows.more, **looks.rows.more}
        self.fates = {**rows.fates, **looks.rows.fates}
        self.bad = rows.bad
        shown = builder.source_of(rows.records["source"][rows.records["kind"] == DISPLAY])
        looked = looks.of(sorted(set(shown.tolist())))
        self._arrange(_joined([rows.records, looked]))
        self._singles: dict[bytes, int | None] = {}
        evidence = np.flatnonzero(self.kind == EVIDENCE)
        self.row_of = dict(zip(_names(self.id[evidence]), evidence.tolist(), strict=True))

    def _arrange(self, records: Any) -> None:
        """Rows by question, place and position, names as they are after merges."""
        builder = self.builder
        everywhere = self.codes[EVERYWHERE]
        place, source = builder.place_of(records["place"]), builder.source_of(records["source"])
        place[place == everywhere] = -1
        wanted = np.zeros(len(self.codes.names) + 1, bool)
        wanted[[self.codes[one] for one in self.places]] = True
        wanted[-1] = True  # looks at whole displays
        kept = wanted[place]
        if not kept.all():
            records, place, source = records[kept], place[kept], source[kept]
        self.width = len(self.codes.names) + 2
        # Looks at whole displays lie by source, so that a spot takes those of the sources it is displayed by.
        within = np.where(place < 0, source + 1, place + self.width)
        order = _ordered(records["question"], within, records["position"], 2 * self.width)
        records = records.take(order)
        self.records, self.place, self.source = records, place[order], source[order]
        self.position = records["position"].copy()
        self.kind, self.act = records["kind"].copy(), records["act"].copy()
        self.known, self.lo, self.hi = (records[name].astype(np.int64) for name in ("known", "lo", "hi"))
        self.id, self.flags = records["id"].copy(), records["flags"].copy()
        self.question = records["question"].astype(np.int64)
        self.key = self.question * self.width + self.place + 1

    def testimony(self) -> Testimony:
        leader, order = self._fold()
        main = len(leader)
        grounds = self._grounds(main)
        self._doubters()
        rows = np.concatenate(
            [np.flatnonzero(leader == np.arange(main)), np.arange(main, len(self.position))]
        )
        piece_of = np.full(len(self.position), -1, np.int64)
        piece_of[rows] = np.arange(len(rows))
        piece_of[:main] = piece_of[leader]
        joined = np.concatenate([order, np.arange(main, len(self.position))])
        pieces = self._pieces(rows, piece_of, joined, grounds)
        return Testimony(pieces, self._spots(rows[rows < main], piece_of), self.builder.tables, self.bad)

    def _fold(self) -> tuple[Any, Any]:
        r = self.records
        state = r["state"].astype(np.int64)
        evidence = (self.kind == EVIDENCE) | (self.kind == CLAIM)
        targeted = (state < 0) | ((self.flags & SPEAKS_OF_EVIDENCE) > 0)
        target = np.ascontiguousarray(r["target"]).view("<u8").reshape(-1, 2)
        target = np.where(targeted[:, None], target, 0)
        marks = _mixed(self.key.astype(np.uint64))  # or a place's low bits would pass for another's flags
        shape = (self.flags & (NEGATED | PART)).astype(np.uint64) | (
            r["valid_kind"].astype(np.uint64) << np.uint64(8)
        )
        shape |= (self.kind.astype(np.uint64) << np.uint64(16)) | (
            self.act.astype(np.uint64) << np.uint64(24)
        )
        alone = (r["saying"] == -(1 << 62)) | (self.kind == RULING)
        saying = np.where(alone, -self.position, r["saying"]).view(np.uint64)
        for one in (
            shape,
            self.source.view(np.uint64),
            state.view(np.uint64),
            saying,
            target[:, 0],
            target[:, 1],
        ):
            marks = _mixed(marks ^ one)
        carried = np.where(evidence, 1, np.where(r["via"][:, 0] >= 0, 2, 0))
        leader, order = self.kernel.fold_reports(
            marks.view(np.int64), self.known, self.lo, self.hi, self.position, carried
        )
        return leader, order

    # -- what leans on what ----------------------------------------------------------------------------------

    def _grounds(self, main: int) -> dict[int, list[int]]:
        """Row → rows of the evidence it leans on. Evidence that some spot would not hear of is taken besides."""
        found: dict[int, list[int]] = {}
        self.beside: dict[tuple[str, str], list[int]] = {}
        leaning = [int(n) for n in np.flatnonzero(self.flags[:main] & MORE)]
        for n in leaning:
            based = self.more.get(int(self.position[n]), {}).get("based_on")
            if based:
                found[n] = [row for one in based for row in self._evidence(n, one, found)]
        return found

    def _evidence(self, n: int, evidence: str, found: dict[int, list[int]]) -> list[int]:
        name = id16(evidence)
        row = self.row_of.get(name) if evidence.startswith("e-") else None
        if row is not None and self.key[row] == self.key[n]:
            return [row]
        rows = [] if row is None else [row]
        names = self.codes.names
        place = names[int(self.place[n])] if self.place[n] >= 0 else EVERYWHERE
        question = names[int(self.question[n])]
        whole = self.directory.whole(place)
        for spot in (place, *([whole] if whole else ()), *self.directory.parts(place)):
            if row is not None and self._near(spot, row, question):
                continue
            single = self._single(evidence, row)
            if single is None:
                continue
            rows.append(single)
            self._take_beside(spot, question, single, found)
        return rows

    def _near(self, spot: str, row: int, question: str) -> bool:
        """Whether what a row says is heard at a spot."""
        if self.codes.names[int(self.question[row])] != question:
            return False
        place = self.codes.names[int(self.place[row])]
        return place in (spot, self.directory.whole(spot), *self.directory.parts(spot))

    def _take_beside(self, spot: str, question: str, single: int, found: dict[int, list[int]]) -> None:
        taken = self.beside.setdefault((spot, question), [])
        if single in taken:
            return
        taken.append(single)
        based = self.more.get(int(self.position[single]), {}).get("based_on", ())
        grounds = found.setdefault(single, [])
        for one in based:
            row = self.row_of.get(id16(one))
            if row is not None:
                grounds.append(row)
            if row is None or not self._near(spot, row, question):
                further = self._single(one, row)
                if further is not None and further != single:
                    grounds.append(further)
                    self._take_beside(spot, question, further, found)

    def _single(self, evidence: str, row: int | None) -> int | None:
        """The row of a piece of evidence heard of where it was not recorded; None where there is none."""
        kept, name = self._singles, id16(evidence)
        if name not in kept:
            made: int | None = None
            if row is not None:
                made = self._append_row(row)
            else:
                first = self.builder.find(evidence)
                if first is not None and first.name == "evidence-reported":
                    made = self._fetched(first.position, first.data["place"])
            kept[name] = made
        return kept[name]

    def _fetched(self, position: int, home: str) -> int | None:
        """A row of a place outside these families, as corrected."""
        at = np.flatnonzero(self.position == position)
        if len(at):
            return self._append_row(int(at[0]))
        rows = self.builder.rows([home])
        records = rows.records[rows.records["position"] == position]
        if not len(records):
            return None
        self.more.update((at, one) for at, one in rows.more.items() if at == position)
        self.fates.update((at, one) for at, one in rows.fates.items() if at == position)
        return self._append(records)

    def _append_row(self, row: int) -> int:
        return self._append(self.records[row : row + 1])

    def _append(self, records: Any) -> int:
        """Put a row behind all others; it stands for itself."""
        builder = self.builder
        place = builder.place_of(records["place"])
        self.records = _joined([self.records, records])
        self.place = np.concatenate([self.place, place])
        self.key = np.concatenate([self.key, [-1]])
        source = builder.source_of(records["source"])
        self.source = np.concatenate([self.source, source])
        for name in ("position", "kind", "act", "id", "flags"):
            setattr(self, name, np.concatenate([getattr(self, name), records[name]]))
        for name in ("known", "lo", "hi", "question"):
            setattr(self, name, np.concatenate([getattr(self, name), records[name].astype(np.int64)]))
        return len(self.position) - 1

    def _doubters(self) -> None:
        """Evidence rows → (rows of claims that doubt them)."""
        self.doubts: dict[int, list[int]] = {}
        known = self.builder._doubts
        if not known:
            return
        evidence = np.flatnonzero(self.kind == EVIDENCE)
        named = zip(evidence.tolist(), _names(self.id[evidence]), strict=True)
        doubted = [(n, known[name]) for n, name in named if name in known]
        if not doubted:
            return
        at = _index(self.position, {position for _, by in doubted for position, _ in by})
        for n, by in doubted:
            for position, home in by:
                row = at.get(position)
                if row is None:
                    row = self._fetched(position, self.codes.names[home])
                    if row is None:
                        continue
                    at[position] = row
                if self._speaks_against(row) and bytes(self.records["target"][row]) == bytes(self.id[n]):
                    self.doubts.setdefault(n, []).append(row)

    def _speaks_against(self, row: int) -> bool:
        against = self.act[row] in (DENIES, DOUBTS) and self.kind[row] == CLAIM
        return bool(against and self.flags[row] & SPEAKS_OF_EVIDENCE)

    # -- pieces ------------------------------------------------------------------------------------------------

    def _pieces(self, rows: Any, piece_of: Any, joined: Any, grounds: dict[int, list[int]]) -> Pieces:
        r = self.records
        count = len(rows)
        # Ids compare as text does; as signed numbers once their first bit is turned round.
        ids = np.ascontiguousarray(self.id).view(">u8").reshape(-1, 2).astype(np.uint64)
        ids = (ids ^ np.uint64(1 << 63)).view(np.int64)
        order_id = ids[rows]
        if count < len(piece_of):
            several = np.bincount(piece_of, minlength=count)[piece_of] > 1
            _least(order_id, ids, piece_of, several & (self.known == self.known[rows][piece_of]))
        retracted, voided = np.full(count, NEVER), np.full(count, NEVER)
        verdicts: dict[int, list[tuple[int, int]]] = {}
        if self.fates:
            self._fated(piece_of, joined, retracted, voided, verdicts)
        leant: dict[int, list[tuple[int, int]]] = {}
        for n, evidence in sorted(grounds.items()):
            piece = int(piece_of[n])
            if self.known[n] == self.known[rows[piece]]:
                known = leant.setdefault(piece, [])
                for one in evidence:
                    other = (0, int(piece_of[one]))
                    if other[1] != piece and other not in known:
                        known.append(other)
        doubts: dict[int, list[tuple[int, int]]] = {}
        for n, by in self.doubts.items():
            against = doubts.setdefault(int(piece_of[n]), [])
            for one in by:
                pair = (int(self.known[n]), int(piece_of[one]))
                if all(pair[1] != other for _, other in against):
                    against.append(pair)
        source = self.source[rows]
        voice, linked = self._voices(source, r["said"][rows])
        columns: list[tuple[int, Any]] = []
        lists: list[Any] = []
        for column, (owners, found) in (
            (P_VERDICT_FROM, _flat(verdicts)),
            (P_GROUND_FROM, _flat(leant)),
            (P_DOUBT_FROM, _flat(doubts)),
            (P_LINKED_FROM, linked),
            (P_CARRIER_FROM, self._carriers(piece_of)),
        ):
            counts = np.bincount(owners, minlength=count)
            ends = sum(map(len, lists)) + np.cumsum(counts)
            columns += [(column, ends - counts), (column + 1, ends)]
            lists.append(found)
        flags = self.flags[rows]
        columns += (
            (P_POSITION, self.position[rows]),
            (P_KIND, self.kind[rows]),
            (P_ACT, self.act[rows]),
            (P_SOURCE, source),
            (P_PLACE, self.place[rows]),
            (P_STATE, r["state"][rows]),
            (P_NEGATED, (flags & NEGATED) > 0),
            (P_PART, (flags & PART) > 0),
            (P_VALID_KIND, r["valid_kind"][rows]),
            (P_OF_EVIDENCE, (flags & SPEAKS_OF_EVIDENCE) > 0),
            (P_LO, self.lo[rows]),
            (P_HI, self.hi[rows]),
            (P_SAID, r["said"][rows]),
            (P_KNOWN, self.known[rows]),
            (P_ORDER_KNOWN, self.known[rows]),
            (P_ID_HIGH, order_id[:, 0]),
            (P_ID_LOW, order_id[:, 1]),
            (P_RETRACTED, retracted),
            (P_VOIDED, voided),
            (P_VOICE, voice),
        )
        of = np.empty((count, P_WIDTH), np.int64)
        for begin in range(0, count, _ROWS_AT_ONCE):
            some = slice(begin, begin + _ROWS_AT_ONCE)
            for column, values in columns:
                of[some, column] = values[some]
        return Pieces(of, np.concatenate(lists))

    def _fated(
        self,
        piece_of: Any,
        joined: Any,
        retracted: Any,
        voided: Any,
        verdicts: dict[int, list[tuple[int, int]]],
    ) -> None:
        """What befell each report, put together for its piece in the order in which reports are joined."""
        positions = self.position
        touched = np.isin(positions, list(self.fates))
        for n in joined[touched[joined]].tolist():
            piece, known = int(piece_of[n]), int(self.known[n])
            for fate in self.fates[int(positions[n])]:
                if fate.name == "entry-retracted":
                    ended = max(known, known_at(fate.data, fate.recorded))
                    retracted[piece] = min(retracted[piece], ended)
                elif fate.name == "claim-adjudicated":
                    ruled = max(known, ruled_at(fate.data, fate.recorded))
                    verdicts.setdefault(piece, []).append((ruled, _VERDICTS[fate.data["verdict"]]))
                elif fate.name == "evidence-voided":
                    voided[piece] = min(voided[piece], max(known, ruled_at(fate.data, fate.recorded)))

    def _carriers(self, piece_of: Any) -> tuple[Any, Any]:
        """Who carried each piece: the pieces in order, and when that was known with who it was, as a list."""
        via = self.records["via"]
        carried = np.flatnonzero(via[:, 0] >= 0)
        pieces, known, by = [], [], []
        for turn in range(CARRIERS):
            some = carried[via[carried, turn] >= 0]
            pieces.append(piece_of[some])
            known.append(self.known[some])
            by.append(via[some, turn].astype(np.int64))
        for n in np.flatnonzero(self.flags & MORE).tolist():
            rest = self.more.get(int(self.position[n]), {}).get("via", ())[CARRIERS:]
            pieces.append(np.full(len(rest), piece_of[n]))
            known.append(np.full(len(rest), self.known[n]))
            by.append(np.array(rest, np.int64))
        owner, moment, carrier = (np.concatenate(one) for one in (pieces, known, by))
        order = np.argsort(owner, kind="stable")
        carrier = self.builder.source_of(carrier.astype(np.int64))
        return owner[order], np.stack([moment[order], carrier[order]], axis=1)

    def _voices(self, source: Any, said: Any) -> tuple[Any, tuple[Any, Any]]:
        """The voice of each piece; and those that have others speak with them, with the list of whom."""
        builder, voice = self.builder, source.copy()
        some = np.flatnonzero(builder.is_linked(source))
        if not len(some):
            return voice, _flat({})
        since = builder.stretch(said[some])
        met: dict[tuple[int, int], int] = {}
        pairs = zip(source[some].tolist(), since.tolist(), strict=True)
        which = np.array([met.setdefault(pair, len(met)) for pair in pairs], np.int64)
        found = [builder.voice(*pair) for pair in met]
        voice[some] = np.array([one for one, _ in found], np.int64)[which]
        counts = np.array([len(others) for _, others in found], np.int64)
        flat = np.array([one for _, others in found for one in others], np.int64)
        begins, many = (np.cumsum(counts) - counts)[which], counts[which]
        at = np.repeat(begins - (np.cumsum(many) - many), many) + np.arange(many.sum())
        return voice, (np.repeat(some, many), np.stack([np.zeros(len(at), np.int64), flat[at]], axis=1))

    # -- spots -------------------------------------------------------------------------------------------------

    def _spots(self, rows: Any, piece_of: Any) -> list[Spot]:
        """Every place of the families under every question that is asked."""
        keys = self.key[rows]
        if not len(keys):
            return []
        begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        ends = np.append(begins[1:], len(keys))
        ranges = {int(keys[b]): (int(b), int(e)) for b, e in zip(begins, ends, strict=True)}
        width = self.width
        looks = self._look_ranges(rows, ranges, width)
        displayed = self._displayed(rows, ranges)
        near_by = [(place, self._near_by(place)) for place in self.places]
        found = []
        for question in self.directory.questions:
            base = self.codes[question] * width
            for place, near in near_by:
                stretches, reaches, sources = [], [], set()
                for code, reach in near:
                    key = base + code + 1
                    if key in ranges:
                        stretches.append(ranges[key])
                        reaches.append(reach)
                        sources |= displayed.get(key, set())
                if not stretches:
                    continue
                for source in sorted(sources):
                    if (question, source) in looks:
                        stretches.append(looks[question, source])
                        reaches.append(OWN)
                beside = [int(piece_of[n]) for n in self.beside.get((place, question), ())]
                found.append(
                    Spot(
                        place,
                        question,
                        np.array(stretches, np.int64),
                        np.array(reaches, np.int64),
                        np.array(beside, np.int64),
                    )
                )
        return found

    def _near_by(self, place: str) -> list[tuple[int, int]]:
        """Codes of the places of which something is heard at a place, and how it reaches it."""
        codes, whole = self.codes, self.directory.whole(place)
        near = [(codes[place], OWN), *((codes[part], FROM_PART) for part in self.directory.parts(place))]
        return near if whole is None else [*near, (codes[whole], FROM_WHOLE)]

    def _displayed(self, rows: Any, ranges: dict[int, tuple[int, int]]) -> dict[int, set[int]]:
        """Key of a place and question → sources that display something of it."""
        found: dict[int, set[int]] = {}
        some = rows[self.kind[rows] == DISPLAY]
        for key, source in zip(self.key[some].tolist(), self.source[some].tolist(), strict=True):
            found.setdefault(key, set()).add(source)
        return found

    def _look_ranges(
        self, rows: Any, ranges: dict[int, tuple[int, int]], width: int
    ) -> dict[tuple[str, int], tuple[int, int]]:
        """(question, source) → stretch of looks at all that it displays. Sorted within what has no place."""
        found: dict[tuple[str, int], tuple[int, int]] = {}
        for question in self.directory.questions:
            key = self.codes[question] * width
            if key not in ranges:
                continue
            begin, end = ranges[key]
            sources = self.source[rows[begin:end]]
            cuts = [0, *(np.flatnonzero(sources[1:] != sources[:-1]) + 1).tolist(), len(sources)]
            for low, high in pairwise(cuts):
                found[question, int(sources[low])] = (begin + low, begin + high)
        return found


def _index(positions: Any, wanted: Collection[int]) -> dict[int, int]:
    """Position → row, for those wanted that are there; the last row where several have one."""
    found = np.flatnonzero(np.isin(positions, np.array(sorted(wanted), np.int64)))
    return dict(zip(positions[found].tolist(), found.tolist(), strict=True))


_ODD = np.uint64(0x9E3779B97F4A7C15)


def _mixed(marks: Any) -> Any:
    """Numbers spread over 64 bits (the finaliser of splitmix64, Steele et al. 2014)."""
    marks = (marks ^ (marks >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    marks = (marks ^ (marks >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (marks ^ (marks >> np.uint64(31))) + _ODD


def _flat(found: dict[int, list[tuple[int, int]]]) -> tuple[Any, Any]:
    """Lists by piece one behind another: whose each item is, and the items (n, 2)."""
    owners = [n for n in sorted(found) for _ in found[n]]
    items = [one for n in sorted(found) for one in found[n]]
    return np.array(owners, np.int64), np.array(items, np.int64).reshape(-1, 2)


def _least(least: Any, ids: Any, piece_of: Any, some: Any) -> None:
    """Put the least id of some of its reports into the row of each piece. Ids are (n, 2)."""
    rows = np.flatnonzero(some)
    rows = rows[np.lexsort((ids[rows, 1], ids[rows, 0], piece_of[rows]))]
    pieces, first = np.unique(piece_of[rows], return_index=True)
    least[pieces] = ids[rows[first]]


def _joined(parts: Sequence[Any]) -> Any:
    """Records one behind another. As plain bytes: numpy would compare the types of all their fields."""
    some = [part for part in parts if len(part)]
    if len(some) < 2:
        return some[0] if some else parts[0]
    return np.concatenate([part.view(f"V{SIZE}") for part in some]).view(dtype())


def _names(ids: Any) -> list[bytes]:
    """Ids (n, 16) as bytes each."""
    found: list[bytes] = np.ascontiguousarray(ids).view("V16").reshape(-1).tolist()
    return found


def _ordered(first: Any, second: Any, position: Any, room: int) -> Any:
    """The order by two numbers and a position. ``room``: more than any of the second."""
    among = np.zeros(int(first.max(initial=0)) + 1, np.int64)
    among[first] = 1
    among = np.cumsum(among) - among  # the first numbers without gaps, so that all fits into one of 63 bits
    most = int(position.max(initial=0)) + 1
    if int(among[-1] + 1) * room * most >= 1 << 62:
        return np.lexsort((position, second, first))
    return np.argsort((among[first] * room + second) * most + position, kind="stable")
