"""The record: which entries speak of which place, found through the cache of envelopes.

It reads the cases of single places, for whoever asks why, in hindsight, or as the ledger once was. What it
hands to ``case.fold`` are the ledger's own events; the cache only says where they stand.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import orjson

from ledger.codec import Recorded
from ledger.directory import Directory
from projections.case import Case, Correction, Fate, Row, corrections_of, fold
from projections.envelopes.cache import Envelopes
from projections.envelopes.reading import ENTRIES, EVERYWHERE, TYPES, Fated
from projections.envelopes.shape import FIELDS, PACK

__all__ = ["ENTRIES", "TYPES", "Record", "Spot"]

Spot = tuple[str, str]
"""Place id as recorded, and question."""

_AT = {name: n for n, name in enumerate(
    ("position", "known", "saying", "id", "target", "place", "source", "question", "state")
)}  # fmt: skip
assert [name for name, _ in FIELDS][: len(_AT)] == list(_AT)


class Record:
    """Cases of places, read through a cache that has reached the position asked for.

    ``event`` gives the event at a position, ``first`` the first event of a stream.
    """

    def __init__(
        self,
        cache: Envelopes,
        event: Callable[[int], Recorded | None],
        first: Callable[[str], Recorded | None],
    ) -> None:
        self._cache, self._event, self._first = cache, event, first
        self._codes = cache.codes
        self._row = lru_cache(maxsize=4_096)(self._read_row)

    def spots(self) -> list[Spot]:
        """Every place (as recorded, or as corrected) and question that anything was said of, in order."""
        names = self._codes.names
        found = {(names[place], names[question]) for place, question in self._cache.spoken_of()}
        return sorted(spot for spot in found if spot[0] != EVERYWHERE)

    def corrections(self, place: str, question: str, directory: Directory, position: int) -> list[Correction]:
        """What corrections made of entries recorded for a place, or moved to it, by a position."""
        found: list[Correction] = []
        for code in self._spelled(place, directory):
            fates = [one for one in self._cache.fates(code) if one.name == "entry-corrected"]
            for at, home in self._cache.moved(code):
                fates += [one for one in self._cache.fates(home) if one.at == at and home != code]
            fates = [one for one in fates if one.position <= position]
            rows = [row for at in {one.at for one in fates} if (row := self._row(at)) is not None]
            mine = corrections_of(rows, [_fate(one) for one in fates])
            for one in mine:
                asked = {data.get("question", "control") for data in (one.before, one.after)}
                if question in asked and any(one.position == known.position for known in fates):
                    found.append(one)
        return sorted({one.position: one for one in found}.values(), key=lambda one: one.position)

    def case(self, place: str, question: str, directory: Directory, position: int) -> Case:
        """The case of a place as the ledger held it at ``position``, with its parts and its whole."""
        near = [place, *directory.parts(place)]
        whole = directory.whole(place)
        if whole is not None:
            near.append(whole)
        gathering = _Gathering(self, question, position)
        for one in near:
            for code in self._spelled(one, directory):
                gathering.place(code)
        gathering.looks(directory)
        gathering.leant_on()
        gathering.doubts()
        rows = [gathering.rows[at] for at in sorted(gathering.rows)]
        return fold(place, question, rows, list(gathering.fates.values()), directory, position)

    def _spelled(self, place: str, directory: Directory) -> list[int]:
        """The codes of a place and of every id merged into it."""
        ids = dict.fromkeys([*directory.merged_into(place), *directory.aliases_of(place)])
        return [self._codes[one] for one in ids if one in self._codes]

    def _read_row(self, at: int) -> Row | None:
        recorded = self._event(at)
        if recorded is None or recorded.name not in ENTRIES:
            return None
        where = recorded.data.get("place") or EVERYWHERE
        return Row(at, recorded.stream, recorded.name, recorded.recorded, where, recorded.data)


class _Gathering:
    """One case's rows and fates, as they are found."""

    def __init__(self, record: Record, question: str, position: int) -> None:
        self.record, self.cache = record, record._cache
        self.question, self.position = record._codes.get(question, -1), position
        self.rows: dict[int, Row] = {}
        self.fates: dict[int, Fate] = {}
        self._of_place: dict[int, list[Fated]] = {}
        self._sources: set[int] = set()

    def _fates(self, place: int) -> list[Fated]:
        """What befell entries of a place, by the position asked for; read once."""
        found = self._of_place.get(place)
        if found is None:
            found = [one for one in self.cache.fates(place) if one.position <= self.position]
            self._of_place[place] = found
        return found

    def place(self, code: int) -> None:
        """Everything recorded for an id of a place, or moved to it."""
        fates = self._fates(code)
        corrected = {one.at for one in fates if one.name == "entry-corrected"}
        for at, packed in self.cache.positions(code):
            if at > self.position:
                break
            values = PACK.unpack(packed)
            if values[_AT["question"]] == self.question or at in corrected:
                self._take(at)
        for one in fates:
            self._befell(one)
        for at, home in self.cache.moved(code):
            self._alone(at, home)

    def _take(self, at: int) -> None:
        row = self.record._row(at)
        if row is not None:
            self.rows[at] = row
            if row.data.get("standing") and row.data["claimant"] in self.record._codes:
                self._sources.add(self.record._codes[row.data["claimant"]])

    def _befell(self, one: Fated) -> None:
        if one.position not in self.fates:
            fate = self.fates[one.position] = _fate(one)
            changes = fate.data.get("changes") or {}
            if isinstance(changes, dict) and {"standing", "claimant"} & changes.keys():
                row = self.record._row(one.at)
                claimant = changes.get("claimant") or (row.data.get("claimant") if row else None)
                if isinstance(claimant, str) and claimant in self.record._codes:
                    self._sources.add(self.record._codes[claimant])

    def _alone(self, at: int, home: int) -> None:
        """One entry of another place, with what befell it."""
        if at > self.position or at in self.rows:
            return
        self._take(at)
        for one in self._fates(home):
            if one.at == at:
                self._befell(one)

    def looks(self, directory: Directory) -> None:
        """Looks at whole displays, of the standing sources that show something here."""
        codes = self.record._codes
        claimants = {codes.names[one] for one in self._sources}
        sources = {
            codes[one] for name in claimants for one in directory.merged_sources_into(name) if one in codes
        }
        if not sources:
            return
        everywhere = codes[EVERYWHERE]
        for at, packed in self.cache.positions(everywhere):
            if at > self.position:
                break
            values = PACK.unpack(packed)
            if values[_AT["source"]] in sources and values[_AT["question"]] == self.question:
                self._take(at)
        for one in self._fates(everywhere):
            self._befell(one)

    def leant_on(self) -> None:
        """Evidence that something here leans on, wherever it was recorded, be it through other evidence."""
        leant = [one for row in self.rows.values() for one in row.data.get("based_on") or ()]
        for fate in self.fates.values():
            changes = fate.data.get("changes")
            leant += (changes.get("based_on") or ()) if isinstance(changes, dict) else ()
        seen: set[str] = set()
        ids = {row.id for row in self.rows.values()}
        while leant:
            name = leant.pop()
            if name in seen or name in ids:
                continue
            seen.add(name)
            evidence = self.record._first(name)
            if evidence is not None and evidence.data.get("place") is not None:
                self._alone(evidence.position, self.record._codes[evidence.data["place"]])
                leant += evidence.data.get("based_on") or ()

    def doubts(self) -> None:
        """Who spoke against the evidence here or leant on from here, wherever that was recorded."""
        for evidence in [row.id for row in self.rows.values() if row.name == "evidence-reported"]:
            for at, home in self.cache.doubts(evidence):
                self._alone(at, home)


def _fate(one: Fated) -> Fate:
    return Fate(one.position, one.entry, one.target, one.name, one.recorded, orjson.loads(one.data))
