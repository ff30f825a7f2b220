"""The record: which entries speak of which place, kept as a table beside the ledger.

The shared first step of every replay. It holds nothing that the ledger does not: each row repeats an
entry's author fields under the place and question it was recorded for, so that one case can be read without
scanning the ledger. It is a fold (``route`` is pure but for looking up earlier entries) and can be deleted
at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from ledger.codec import Recorded
from ledger.directory import Directory
from ledger.errors import BadEvent
from projections.case import Case, Correction, Fate, Row, corrections_of, fold

VERSION = 1
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
#: Registry events after which every belief may differ, not only those of places touched.
RESHAPING = frozenset(
    (
        "party-named",
        "question-opened",
        "place-merged",
        "source-merged",
        "source-described",
        "sources-linked",
        "place-described",
    )
)

#: Stands for the place of what befell a look at a whole display.
EVERYWHERE = ""

SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
  place TEXT NOT NULL, question TEXT NOT NULL, position INTEGER NOT NULL,
  id TEXT NOT NULL, name TEXT NOT NULL, recorded TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (place, question, position)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fate (
  place TEXT NOT NULL, question TEXT NOT NULL, position INTEGER NOT NULL,
  id TEXT NOT NULL, target TEXT NOT NULL, name TEXT NOT NULL, recorded TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (place, question, position)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS display (
  source TEXT NOT NULL, place TEXT NOT NULL, question TEXT NOT NULL,
  PRIMARY KEY (source, place, question)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS observed (
  source TEXT NOT NULL, question TEXT NOT NULL, position INTEGER NOT NULL,
  id TEXT NOT NULL, recorded TEXT NOT NULL, data BLOB NOT NULL,
  PRIMARY KEY (source, question, position)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS beside (
  place TEXT NOT NULL, question TEXT NOT NULL,
  from_place TEXT NOT NULL, from_question TEXT NOT NULL, from_position INTEGER NOT NULL,
  PRIMARY KEY (place, question, from_place, from_question, from_position)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS doubt (
  evidence TEXT NOT NULL, place TEXT NOT NULL, question TEXT NOT NULL, position INTEGER NOT NULL,
  PRIMARY KEY (evidence, place, question, position)) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS beside_from ON beside (from_place, from_question, from_position);
"""

Spot = tuple[str, str]
"""Place id as recorded, and question."""

Lookup = Callable[[str], "Recorded | None"]
"""The first event of a stream."""


@dataclass(frozen=True, slots=True)
class Op:
    """One row for one table; the table ``looked`` is no table: it says that all that a source displays on a
    question was looked at again."""

    table: str
    values: tuple[Any, ...]


def spot_of(recorded: Recorded) -> Spot | None:
    """Where an entry stands; None for what stands nowhere (a whole display looked at, a registration)."""
    place = recorded.data.get("place")
    if recorded.name not in ENTRIES or place is None:
        return None
    return place, recorded.data.get("question", "control")


def route(recorded: Recorded, lookup: Lookup) -> tuple[list[Op], set[Spot]]:
    """The rows an event adds to the record and the spots it touches. Raises where it cannot be read."""
    if recorded.type not in TYPES:
        raise BadEvent(f"no event type {recorded.type!r}")
    if recorded.name in ENTRIES:
        return _entry(recorded, lookup)
    if recorded.name in FATES:
        return _fate(recorded, lookup)
    return [], set()


def _entry(recorded: Recorded, lookup: Lookup) -> tuple[list[Op], set[Spot]]:
    data = orjson.dumps(recorded.data)
    spot = spot_of(recorded)
    if spot is None:
        source, question = recorded.data["source"], recorded.data.get("question", "control")
        values = (source, question, recorded.position, recorded.stream, recorded.recorded, data)
        return [Op("observed", values), Op("looked", (source, question))], set()
    ops = [
        Op(
            "entry",
            (*spot, recorded.position, recorded.stream, recorded.name, recorded.recorded, data),
        )
    ]
    touched = {spot}
    if recorded.name == "claim-reported" and recorded.data.get("standing"):
        ops.append(Op("display", (recorded.data["claimant"], *spot)))
    ops += _leans(spot, recorded.data, lookup)
    doubts, doubted = _doubts(recorded, recorded.data, lookup)
    return ops + doubts, touched | doubted


def _leans(spot: Spot, data: dict[str, Any], lookup: Lookup) -> list[Op]:
    """What an entry on a spot leans on elsewhere, be it through other evidence."""
    ops = []
    leant, seen = list(data.get("based_on", ())), set()
    while leant:
        name = leant.pop()
        evidence = lookup(name) if name not in seen else None
        seen.add(name)
        elsewhere = spot_of(evidence) if evidence else None
        if evidence is not None and elsewhere is not None:
            leant += evidence.data.get("based_on", ())
            if elsewhere != spot:
                ops.append(Op("beside", (*spot, *elsewhere, evidence.position)))
    return ops


def _doubts(recorded: Recorded, data: dict[str, Any], lookup: Lookup) -> tuple[list[Op], set[Spot]]:
    """What a claim speaks against if that is evidence, and where the evidence was recorded."""
    spot = spot_of(recorded)
    if spot is None or not data.get("target") or data.get("act") not in ("denies", "doubts"):
        return [], set()
    evidence = lookup(data["target"])
    elsewhere = spot_of(evidence) if evidence and evidence.name == "evidence-reported" else None
    if evidence is None or elsewhere is None:
        return [], set()
    return [Op("doubt", (evidence.stream, *spot, recorded.position))], {elsewhere}


def _fate(recorded: Recorded, lookup: Lookup) -> tuple[list[Op], set[Spot]]:
    first = lookup(recorded.stream)
    spot = spot_of(first) if first else None
    ops = []
    if first is not None and first.name == "display-observed" and spot is None:
        spot = (EVERYWHERE, first.data.get("question", "control"))
        ops.append(Op("looked", (first.data["source"], spot[1])))
    if first is None or spot is None:
        return [], set()
    ops.append(
        Op(
            "fate",
            (
                *spot,
                recorded.position,
                recorded.entry,
                recorded.data["target"],
                recorded.name,
                recorded.recorded,
                orjson.dumps(recorded.data),
            ),
        )
    )
    touched = {spot} if spot[0] != EVERYWHERE else set()
    changes = recorded.data.get("changes", {}) if recorded.data["target"] == first.entry else {}
    corrected = {**first.data, **changes}
    if changes.get("place") or changes.get("question"):
        moved = (corrected.get("place") or spot[0], corrected.get("question") or spot[1])
        ops.append(Op("beside", (*moved, *spot, first.position)))
        ops += _leans(moved, corrected, lookup)
        touched.add(moved)
    displays = changes.keys() & {"standing", "claimant", "place", "question"}
    if displays and corrected.get("standing") and touched:
        shown = (corrected["claimant"], corrected["place"], corrected.get("question", "control"))
        ops.append(Op("display", shown))
    if changes.get("based_on") and touched:
        ops += _leans(spot, corrected, lookup)
    if "target" in changes or "act" in changes:
        doubts, doubted = _doubts(first, corrected, lookup)
        ops, touched = ops + doubts, touched | doubted
    return ops, touched


class Record:
    """Reads cases out of a record's tables, and writes routed rows into them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self._looked: dict[tuple[str, str], list[Row]] = {}

    def write(self, ops: list[Op]) -> None:
        self._looked.clear()
        for table in ("entry", "fate", "display", "observed", "beside", "doubt"):
            rows = [op.values for op in ops if op.table == table]
            if rows:
                marks = ",".join("?" * len(rows[0]))
                self._db.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)

    def spots(self) -> list[Spot]:
        """Every place (as recorded, or as corrected) and question that anything was said of, in order."""
        return list(
            self._db.execute(
                "SELECT place, question FROM entry UNION SELECT place, question FROM beside ORDER BY 1, 2"
            )
        )

    def entries(self, place: str, question: str) -> list[tuple[int, str]]:
        """(position, id) of what was recorded for a spot."""
        return list(
            self._db.execute(
                "SELECT position, id FROM entry WHERE place = ? AND question = ? ORDER BY 1",
                (place, question),
            )
        )

    def corrections(self, place: str, question: str, directory: Directory, position: int) -> list[Correction]:
        """What corrections made of entries recorded for a place, or moved to it, by a position."""
        found: list[Correction] = []
        for spelled in directory.merged_into(place):
            spots = {(spelled, question)}
            spots.update(
                self._db.execute(
                    "SELECT from_place, from_question FROM beside WHERE place = ? AND question = ?",
                    (spelled, question),
                )
            )
            for spot in sorted(spots):
                found += self._corrections_at(spot, position)
        return sorted(found, key=lambda one: one.position)

    def _corrections_at(self, spot: Spot, position: int) -> list[Correction]:
        fates = list(self._fates(spot, position, "entry-corrected"))
        if not fates:
            return []
        targets = {fate.target.partition("@")[0] for fate in fates}
        rows = [
            Row(at, entry, name, recorded, spot[0], orjson.loads(data))
            for at, entry, name, recorded, data in self._rows("entry", spot, position)
            if entry in targets
        ]
        return corrections_of(rows, fates)

    def leaning(self, spots: set[Spot]) -> set[Spot]:
        """Spots with something that leans on, or moved from, one of these."""
        found: set[Spot] = set()
        for spot in spots:
            found.update(
                self._db.execute(
                    "SELECT place, question FROM beside WHERE from_place = ? AND from_question = ?", spot
                )
            )
        return found

    def displaying(self, source: str, question: str) -> set[Spot]:
        """Spots on which a standing source ever displayed something."""
        return set(
            self._db.execute(
                "SELECT place, question FROM display WHERE source = ? AND question = ?", (source, question)
            )
        )

    def case(self, place: str, question: str, directory: Directory, position: int) -> Case:
        """The case of a place as the ledger held it at ``position``, with its parts and its whole."""
        near = [place, *directory.parts(place)]
        whole = directory.whole(place)
        if whole is not None:
            near.append(whole)
        rows: dict[int, Row] = {}
        fates: dict[int, Fate] = {}
        for one in near:
            for spelled in directory.merged_into(one):
                self._read((spelled, question), position, rows, fates)
        self._read_displays(rows, fates, question, directory, position)
        self._read_doubts(rows, fates, position)
        return fold(place, question, rows.values(), list(fates.values()), directory, position)

    def _read(self, spot: Spot, position: int, rows: dict[int, Row], fates: dict[int, Fate]) -> None:
        for row in self._rows("entry", spot, position):
            rows[row[0]] = Row(row[0], row[1], row[2], row[3], spot[0], orjson.loads(row[4]))
        for fate in self._fates(spot, position):
            fates[fate.position] = fate
        beside = self._db.execute(
            "SELECT from_place, from_question, from_position FROM beside"
            " WHERE place = ? AND question = ? AND from_position <= ?",
            (*spot, position),
        ).fetchall()
        for from_place, from_question, at in beside:
            self._read_one((from_place, from_question), at, position, rows, fates)

    def _read_one(
        self, spot: Spot, at: int, position: int, rows: dict[int, Row], fates: dict[int, Fate]
    ) -> None:
        """One entry of another spot, with what befell it."""
        if at in rows:
            return
        for row in self._db.execute(
            "SELECT position, id, name, recorded, data FROM entry"
            " WHERE place = ? AND question = ? AND position = ?",
            (*spot, at),
        ):
            rows[row[0]] = Row(row[0], row[1], row[2], row[3], spot[0], orjson.loads(row[4]))
            for fate in self._fates(spot, position):
                if fate.target.partition("@")[0] == row[1]:
                    fates[fate.position] = fate

    def _read_doubts(self, rows: dict[int, Row], fates: dict[int, Fate], position: int) -> None:
        """Who spoke against the evidence here or leant on from here, wherever that was recorded."""
        for evidence in [row.id for row in rows.values() if row.name == "evidence-reported"]:
            for place, question, at in self._db.execute(
                "SELECT place, question, position FROM doubt WHERE evidence = ? AND position <= ?",
                (evidence, position),
            ).fetchall():
                self._read_one((place, question), at, position, rows, fates)

    def _rows(self, table: str, spot: Spot, position: int) -> Iterator[tuple[Any, ...]]:
        return self._db.execute(
            f"SELECT position, id, name, recorded, data FROM {table}"
            " WHERE place = ? AND question = ? AND position <= ?",
            (*spot, position),
        )

    def _fates(self, spot: Spot, position: int, name: str = "%") -> Iterator[Fate]:
        for row in self._db.execute(
            "SELECT position, id, target, name, recorded, data FROM fate"
            " WHERE place = ? AND question = ? AND position <= ? AND name LIKE ?",
            (*spot, position, name),
        ):
            at, entry, target, name, recorded, data = row
            yield Fate(at, entry, target, name, recorded, orjson.loads(data))

    def _read_displays(
        self,
        rows: dict[int, Row],
        fates: dict[int, Fate],
        question: str,
        directory: Directory,
        position: int,
    ) -> None:
        """Looks at whole displays, for the standing sources that show something here."""
        claimants = {row.data["claimant"] for row in rows.values() if row.data.get("standing")}
        by_id = {row.id: row for row in rows.values()}
        for fate in fates.values():  # what a correction made a display, or another's display
            row, changes = by_id.get(fate.target), fate.data.get("changes", {})
            if row and "claimant" in row.data and changes.keys() & {"standing", "claimant"}:
                claimants.add(changes.get("claimant") or row.data["claimant"])
        sources = {one for claimant in claimants for one in directory.merged_sources_into(claimant)}
        for source in sorted(sources):
            rows.update(
                (row.position, row) for row in self._looks(source, question) if row.position <= position
            )
        if sources:
            for fate in self._fates((EVERYWHERE, question), position):
                fates[fate.position] = fate

    def _looks(self, source: str, question: str) -> list[Row]:
        """Every look at a source's whole display; kept, since each of its places asks for it."""
        found = self._looked.get((source, question))
        if found is None:
            found = [
                Row(at, entry, "display-observed", recorded, EVERYWHERE, orjson.loads(data))
                for at, entry, recorded, data in self._db.execute(
                    "SELECT position, id, recorded, data FROM observed WHERE source = ? AND question = ?",
                    (source, question),
                )
            ]
            self._looked[(source, question)] = found
        return found
