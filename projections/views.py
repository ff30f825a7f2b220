"""Materialised views beside the ledger: one file a view, catching up on new events, never trusted over it.

``record@1.db`` holds the entries by place; ``NAME@VERSION.db`` what one logic makes of them: the knots from
which "known then" is answered, and the scores of the sources. Each carries the ledger's id, the position it
has reached and the hash of the row there; a record that does not fit is rebuilt without a word, since it can
be. A belief view whose fingerprint is another logic's is not: the answer says that a replay is due.

A view is built under another name and moved into place, so that a crash leaves the old one or none.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import orjson

from ledger.book import Ledger
from ledger.clocks import instant_key
from ledger.codec import Recorded, decode
from ledger.directory import Directory
from ledger.errors import Locked, ReplayDue, Usage, WriteFailed
from projections import record as records
from projections.belief.base import Logic
from projections.belief.happenings import happenings
from projections.belief.tally import DAY_US, EPOCH, Knot, diagonal
from projections.case import Case
from projections.credibility import Score, score
from projections.engine import Projection, Quarantined, fold
from projections.record import Record, Spot, route
from projections.registry import Loaded, fingerprint

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""(what, done, of) while something long is under way."""

_BATCH = 5_000

_META = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quarantine (
  position INTEGER NOT NULL, entry TEXT NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (position, entry)) STRICT, WITHOUT ROWID;
"""

_BELIEFS = """
CREATE TABLE IF NOT EXISTS knot (
  place TEXT NOT NULL, question TEXT NOT NULL, since INTEGER NOT NULL, at INTEGER NOT NULL,
  belief BLOB NOT NULL, rates BLOB NOT NULL, origins INTEGER NOT NULL, claims INTEGER NOT NULL,
  newest INTEGER, displays TEXT NOT NULL,
  PRIMARY KEY (place, question, since)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS spoken (
  place TEXT NOT NULL, question TEXT NOT NULL, first INTEGER NOT NULL,
  PRIMARY KEY (place, question)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS score (
  place TEXT NOT NULL, question TEXT NOT NULL, source TEXT NOT NULL, score BLOB NOT NULL,
  PRIMARY KEY (place, question, source)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS due (
  place TEXT NOT NULL, question TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (place, question)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS choked (
  place TEXT NOT NULL, question TEXT NOT NULL,
  position INTEGER NOT NULL, entry TEXT NOT NULL, error TEXT NOT NULL,
  PRIMARY KEY (place, question, position, entry)) STRICT, WITHOUT ROWID;
"""

_FOLDED = "CREATE TABLE IF NOT EXISTS folded (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB) STRICT;"


@dataclass(frozen=True, slots=True)
class Stamp:
    """How far a view has come, and whose it is. ``leaf`` is the hex hash of the row at ``position``."""

    ledger: str
    position: int
    leaf: str
    fingerprint: str


class View:
    """One view file: its connection, stamp and quarantine."""

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None, timeout=60.0)
        self.db.execute("PRAGMA cache_size = -65536")
        self.db.executescript(_META + schema)

    def close(self) -> None:
        self.db.close()

    def stamp(self) -> Stamp | None:
        meta = dict(self.db.execute("SELECT name, value FROM meta"))
        if "position" not in meta:
            return None
        return Stamp(meta["ledger"], int(meta["position"]), meta["leaf"], meta["fingerprint"])

    def put_stamp(self, stamp: Stamp) -> None:
        values = {
            "ledger": stamp.ledger,
            "position": str(stamp.position),
            "leaf": stamp.leaf,
            "fingerprint": stamp.fingerprint,
        }
        self.db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", sorted(values.items()))

    def quarantine(self, bad: Iterable[Quarantined]) -> None:
        self.db.executemany(
            "INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?)",
            [(one.position, one.entry, one.error) for one in bad],
        )

    def quarantined(self) -> list[Quarantined]:
        return [Quarantined(*row) for row in self.db.execute("SELECT * FROM quarantine ORDER BY 1, 2")]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        try:
            self.db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise Locked(
                f"the view is being rebuilt by another process ({error})",
                where=str(self.path),
                remedy="try again when it is done",
            ) from None
        try:
            yield
            self.db.execute("COMMIT")
        except BaseException:
            self.db.execute("ROLLBACK")
            raise


class Views:
    """The views of one ledger, in one folder, at the ledger's head as it was when asked."""

    def __init__(self, ledger: Ledger, root: Path, progress: Progress | None = None) -> None:
        self.ledger = ledger
        self.root = root
        self.progress = progress or (lambda what, done, of: None)
        self._open: dict[str, View] = {}

    def close(self) -> None:
        for view in self._open.values():
            view.close()
        self._open.clear()

    # -- the record ----------------------------------------------------------------------------------

    def record(self, head: int, *, replay: bool = False) -> Record:
        """The entries by place, caught up to ``head``. ``replay`` reads the whole ledger again."""
        return self._mended(lambda: self._caught_up_record(head, replay))

    def _caught_up_record(self, head: int, replay: bool) -> Record:
        view = self._record_view()
        stamp = view.stamp()
        if stamp is None or replay or not self._fits(stamp, head):
            view = self._rebuild(view.path, records.SCHEMA, "record", lambda v: self._feed(v, 0, head))
        elif stamp.position < head:
            with view.transaction():
                stamp = view.stamp()
                assert stamp is not None
                if stamp.position < head:  # else another process was quicker
                    self._feed(view, stamp.position, head)
        self._open["record"] = view
        return Record(view.db)

    def quarantined(self) -> list[Quarantined]:
        """Events that no place could be found for."""
        return self._record_view().quarantined()

    def _record_view(self) -> View:
        if "record" not in self._open:
            self._open["record"] = self._view(f"record@{records.VERSION}.db", records.SCHEMA)
        return self._open["record"]

    def _feed(self, view: View, position: int, head: int) -> None:
        record = Record(view.db)
        ops: list[records.Op] = []
        bad: list[Quarantined] = []
        for recorded in self._events(position, head, "reading the ledger"):
            try:
                ops += route(recorded, self._first)[0]
            except Exception as error:
                name = type(error).__name__
                bad.append(Quarantined(recorded.position, recorded.entry, f"{name}: {error}"))
            if len(ops) >= _BATCH:
                record.write(ops)
                ops.clear()
        record.write(ops)
        view.quarantine(bad)
        view.put_stamp(self._stamp(head, "record"))

    # -- beliefs ---------------------------------------------------------------------------------------

    def beliefs(self, loaded: Loaded, head: int, directory: Directory, *, replay: bool = False) -> Beliefs:
        """The view of a logic, caught up to ``head``. ``replay`` rebuilds it from nothing.

        Raises ``ReplayDue`` where the view was built by other code or parameters under the same name.
        """
        return self._mended(lambda: self._caught_up_beliefs(loaded, head, directory, replay))

    def _caught_up_beliefs(self, loaded: Loaded, head: int, directory: Directory, replay: bool) -> Beliefs:
        record = self.record(head, replay=replay)
        name = f"{loaded.logic.id}.db"
        view = self._view(name, _BELIEFS)
        stamp = view.stamp()
        builder = _Builder(self, record, directory, loaded, head)
        if stamp is not None and stamp.fingerprint != loaded.fingerprint and not replay:
            raise ReplayDue(
                f"the view of {loaded.logic.id} was built by other logic"
                f" ({stamp.fingerprint[:12]}, now {loaded.fingerprint[:12]})",
                remedy=f"`claims replay --logic {loaded.file or loaded.logic.id}` rebuilds it",
            )
        if stamp is None or replay or not self._fits(stamp, head):
            view = self._rebuild(view.path, _BELIEFS, loaded.logic.id, builder.all)
        elif stamp.position < head:
            view = self._catch_up(view, builder)
        self._open[name] = view
        return Beliefs(view, loaded)

    @contextmanager
    def before(self, loaded: Loaded) -> Iterator[Beliefs | None]:
        """The view of a logic as it is now, whoever's it is, kept aside while it is replayed; None if none."""
        path = self.root / f"{loaded.logic.id}.db"
        aside = path.with_name(f".{path.name}.before.{os.getpid()}")
        if not path.is_file() or self._view(path.name, _BELIEFS).stamp() is None:
            yield None
            return
        shutil.copyfile(path, aside)
        view = View(aside, _BELIEFS)
        try:
            yield Beliefs(view, loaded)
        finally:
            view.close()
            aside.unlink(missing_ok=True)

    def stamps(self) -> dict[str, Stamp]:
        """Name of every belief view in the folder → its stamp."""
        found = {}
        if self.root.is_dir():
            for path in sorted(self.root.glob("*@*.db")):
                if not path.name.startswith("record@"):
                    stamp = self._view(path.name, "").stamp()
                    if stamp is not None:
                        found[path.name.removesuffix(".db")] = stamp
        return found

    def _catch_up(self, view: View, builder: _Builder) -> View:
        """Bring a view up to the head; begins again where another process got in between."""
        while True:
            stamp = view.stamp()
            if stamp is None or not self._fits(stamp, builder.head):
                return self._rebuild(view.path, _BELIEFS, builder.loaded.logic.id, builder.all)
            if stamp.position == builder.head:
                return view
            spots = self._touched(stamp.position, builder)
            if spots is None:
                return self._rebuild(view.path, _BELIEFS, builder.loaded.logic.id, builder.all)
            with view.transaction():
                if view.stamp() == stamp:
                    builder.some(view, spots)
                    return view

    def _touched(self, position: int, builder: _Builder) -> set[Spot] | None:
        """Where the events behind a position may have changed beliefs; None means everywhere."""
        spots: set[Spot] = set()
        for recorded in self._events(position, builder.head, "catching up"):
            try:
                ops, touched = route(recorded, self._first)
            except Exception:  # quarantined by the record already
                continue
            if _reshapes(recorded):
                return None
            spots |= touched
            if recorded.name == "place-registered" and recorded.data.get("parent"):
                # What was said of the whole reaches its new part.
                spots |= {(recorded.data["parent"], question) for question in builder.directory.questions}
            for op in ops:
                if op.table == "looked":
                    source, question = op.values
                    for one in builder.directory.merged_sources_into(source):
                        spots |= builder.record.displaying(one, question)
        return spots

    # -- folds of a user's own ---------------------------------------------------------------------------

    def folded(
        self, projection: Projection[object], head: int, file: Path | None, *, replay: bool = False
    ) -> tuple[object, list[Quarantined]]:
        """The state of a projection at ``head``, materialised like every view."""
        mark = fingerprint(projection, file)
        view = self._view(f"{projection.id}.db", _FOLDED)
        stamp = view.stamp()
        fresh = stamp is None or replay or stamp.fingerprint != mark or not self._fits(stamp, head)
        row = None if fresh else view.db.execute("SELECT state FROM folded").fetchone()
        position = 0 if stamp is None or row is None else stamp.position
        start = None if row is None else projection.load(orjson.loads(row[0]))
        state, bad = fold(projection, self._events(position, head, projection.id), start)
        saved = _saved(projection, state)
        with view.transaction():
            if fresh:
                view.db.execute("DELETE FROM quarantine")
            view.db.execute("INSERT OR REPLACE INTO folded VALUES (1, ?)", (saved,))
            view.quarantine(bad)
            view.put_stamp(self._stamp(head, mark))
        self._open[view.path.name] = view
        return orjson.loads(saved), view.quarantined()

    # -- files -------------------------------------------------------------------------------------------

    def _mended(self, ask: Callable[[], T]) -> T:
        """Views can be made again: where their files turn out to be damaged, they are."""
        try:
            return ask()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            self.close()
            for path in self.root.glob("*@*.db"):
                path.unlink(missing_ok=True)
            return ask()

    def _view(self, name: str, schema: str) -> View:
        if name in self._open:
            return self._open[name]
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            view = View(self.root / name, schema)
            view.stamp()
        except (OSError, sqlite3.OperationalError) as error:
            raise WriteFailed(
                f"no view can be kept there ({error})",
                where=str(self.root),
                remedy="set CLAIMS_VIEWS to a folder that can be written",
            ) from None
        except sqlite3.DatabaseError:
            (self.root / name).unlink(missing_ok=True)
            view = View(self.root / name, schema)
        self._open[name] = view
        return view

    def _rebuild(self, path: Path, schema: str, what: str, build: Callable[[View], None]) -> View:
        """Build beside, then move into place."""
        candidate = path.with_name(f".{path.name}.{os.getpid()}")
        candidate.unlink(missing_ok=True)
        view = View(candidate, schema)
        try:
            view.db.execute("PRAGMA journal_mode = OFF")
            view.db.execute("PRAGMA synchronous = OFF")
            view.db.execute("BEGIN")
            build(view)
            view.db.execute("COMMIT")
            view.close()
            with open(candidate, "rb") as file:
                os.fsync(file.fileno())
            if path.name in self._open:
                self._open.pop(path.name).close()
            if what == "record" and "record" in self._open:
                self._open.pop("record").close()
            os.replace(candidate, path)
        except BaseException:
            view.close()
            candidate.unlink(missing_ok=True)
            raise
        return View(path, schema)

    def _events(self, position: int, head: int, what: str) -> Iterator[Recorded]:
        total = head - position
        for done, row in enumerate(self.ledger.store.rows(position + 1, head)):
            if done % 10_000 == 0:
                self.progress(what, done, total)
            yield decode(row)
        self.progress(what, total, total)

    def _first(self, stream: str) -> Recorded | None:
        rows = self.ledger.store.stream(stream)
        return decode(rows[0]) if rows else None

    def _stamp(self, head: int, mark: str) -> Stamp:
        row = self.ledger.store.row(head)
        leaf = row.leaf_hash.hex() if row else ""
        return Stamp(self.ledger.directory().ledger or "", head, leaf, mark)

    def _fits(self, stamp: Stamp, head: int) -> bool:
        """Whether a view was built from this ledger's rows and not from another's or a longer one's."""
        if stamp.position > head or stamp.ledger != (self.ledger.directory().ledger or ""):
            return False
        row = self.ledger.store.row(stamp.position)
        return (row.leaf_hash.hex() if row else "") == stamp.leaf


def _saved(projection: Projection[object], state: object) -> bytes:
    """The bytes of a state; ``Usage`` where the fold could not go on from them."""
    try:
        saved = orjson.dumps(projection.save(state), option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        kept = projection.keeps(state, projection.load(orjson.loads(saved)))
        why = "it comes back as something else"
    except Exception as error:
        kept, why = False, f"{type(error).__name__}: {error}"
    if not kept:
        raise Usage(
            f"the state of {projection.id} cannot be saved and loaded ({why})",
            remedy="give its Projection save= and load=, which turn it into JSON values and back",
        )
    return saved


class _Builder:
    """Computes the knots and scores of places and puts them into a belief view."""

    def __init__(self, views: Views, record: Record, directory: Directory, loaded: Loaded, head: int) -> None:
        self.views = views
        self.record = record
        self.directory = directory
        self.loaded = loaded
        self.head = head
        last = views.ledger.event(head)
        self.known = instant_key(last.recorded) if last else 0

    def all(self, view: View) -> None:
        """Every place and question."""
        self._put(view, self._near(set(self.record.spots())))

    def some(self, view: View, spots: set[Spot]) -> None:
        """The places touched, and those that share parts or evidence with them."""
        due = view.db.execute("SELECT place, question FROM due WHERE at <= ?", (self.known,)).fetchall()
        self._put(view, self._near(spots | self.record.leaning(spots) | set(due)))

    def _due(self, case: Case) -> int | None:
        """When the scores may change although nothing new is recorded: something told already becomes known,
        or the time of a prediction has come."""
        later = [one.known for one in happenings(case) if one.known > self.known]
        later += [
            known
            for piece in case.testimony
            if piece.act == "predicts" and (known := (piece.hi - EPOCH) * DAY_US) > self.known
        ]
        return min(later, default=None)

    def _near(self, spots: set[Spot]) -> list[Spot]:
        near: set[Spot] = set()
        for place, question in spots:
            place = self.directory.place_id(place)
            near.add((place, question))
            whole = self.directory.whole(place)
            if whole is not None:
                near.add((whole, question))
            near.update((part, question) for part in self.directory.parts(place))
        return sorted(near)

    def _put(self, view: View, spots: list[Spot]) -> None:
        for n, (place, question) in enumerate(spots):
            if n % 50 == 0:
                self.views.progress(self.loaded.logic.id, n, len(spots))
            self._place(view, place, question)
        self.views.progress(self.loaded.logic.id, len(spots), len(spots))
        view.put_stamp(self.views._stamp(self.head, self.loaded.fingerprint))

    def _place(self, view: View, place: str, question: str) -> None:
        spot = (place, question)
        for table in ("knot", "score", "spoken", "due", "choked"):
            view.db.execute(f"DELETE FROM {table} WHERE place = ? AND question = ?", spot)
        if question not in self.directory.questions:
            strange = self.record.entries(place, question)
            self._choke(view, spot, [(*one, f"no question {question!r} was opened") for one in strange])
            return
        case = self.record.case(place, question, self.directory, self.head)
        logic = self.loaded.logic
        # A logic that judges by itself has no filter to take knots from: it is asked afresh each time.
        knots: list[Knot] = []
        assembly = None
        if logic.believe is None:
            knots, assembly = diagonal(case, logic)
        told = all(happening.known <= self.known for happening in happenings(case)[-1:])
        scores = score(case, logic, self.known, assembly if told else None)
        first = min(assembly.chain.days, default=None) if assembly else None
        view.db.executemany(
            "INSERT INTO knot VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(*spot, *_knot_row(knot)) for knot in knots],
        )
        view.db.executemany(
            "INSERT INTO score VALUES (?, ?, ?, ?)",
            [(*spot, source, orjson.dumps(one.to_dict())) for source, one in scores.items()],
        )
        if first is not None:
            view.db.execute("INSERT INTO spoken VALUES (?, ?, ?)", (*spot, first))
        due = self._due(case)
        if due is not None:
            view.db.execute("INSERT INTO due VALUES (?, ?, ?)", (*spot, due))
        self._choke(view, spot, case.poisoned)
        choked = assembly.poisoned if assembly else ()
        self._choke(view, spot, [(one.piece.position, one.piece.id, str(one)) for one in choked])

    def _choke(self, view: View, spot: Spot, bad: Iterable[tuple[int, str, str]]) -> None:
        view.db.executemany(
            "INSERT OR REPLACE INTO choked VALUES (?, ?, ?, ?, ?)", [(*spot, *one) for one in bad]
        )


class Beliefs:
    """Look-ups in one logic's view."""

    def __init__(self, view: View, loaded: Loaded) -> None:
        self._view = view
        self.loaded = loaded

    @property
    def logic(self) -> Logic:
        return self.loaded.logic

    def knot(self, place: str, question: str, day: int) -> Knot | None:
        """The knot that answers for a day; None before anything was known."""
        row = self._view.db.execute(
            "SELECT since, at, belief, rates, origins, claims, newest, displays FROM knot"
            " WHERE place = ? AND question = ? AND since <= ? ORDER BY since DESC LIMIT 1",
            (place, question, day),
        ).fetchone()
        return _row_knot(row) if row else None

    def knots(self, place: str, question: str) -> list[Knot]:
        """All knots of a place, in order."""
        rows = self._view.db.execute(
            "SELECT since, at, belief, rates, origins, claims, newest, displays FROM knot"
            " WHERE place = ? AND question = ? ORDER BY since",
            (place, question),
        )
        return [_row_knot(row) for row in rows]

    def first_day(self, place: str, question: str) -> int | None:
        """The first day that anything recorded speaks of; None where nothing does."""
        row = self._view.db.execute(
            "SELECT first FROM spoken WHERE place = ? AND question = ?", (place, question)
        ).fetchone()
        return row[0] if row else None

    def spots(self, question: str | None = None) -> list[Spot]:
        """Every place with knots, in order of id."""
        return [
            spot
            for spot in self._view.db.execute("SELECT DISTINCT place, question FROM knot ORDER BY 1, 2")
            if question is None or spot[1] == question
        ]

    def scores(self) -> dict[str, Score]:
        """Source → score over all places, at the view's position."""
        totals: dict[str, Score] = {}
        for source, saved in self._view.db.execute(
            "SELECT source, score FROM score ORDER BY source, place, question"
        ):
            totals.setdefault(source, Score()).__iadd__(Score(**orjson.loads(saved)))
        return totals

    def quarantined(self) -> list[Quarantined]:
        """What could not be read, or what the logic raised on, by position."""
        rows = self._view.db.execute("SELECT DISTINCT position, entry, error FROM choked ORDER BY 1, 2, 3")
        return [Quarantined(*row) for row in rows]


def _reshapes(recorded: Recorded) -> bool:
    """Whether beliefs of places that the event does not name may differ after it."""
    if recorded.name == "place-described":
        return "kind" in recorded.data or "parent" in recorded.data
    if recorded.name == "entry-corrected":
        return recorded.stream.partition(":")[0] in ("place", "source", "party", "question")
    return recorded.name in records.RESHAPING


def _knot_row(knot: Knot) -> tuple[object, ...]:
    return (
        knot.since,
        knot.at,
        struct.pack(f"<{len(knot.belief)}d", *knot.belief),
        struct.pack(f"<{len(knot.rates)}d", *knot.rates),
        knot.origins,
        knot.claims,
        knot.newest,
        orjson.dumps(knot.displays).decode(),
    )


def _row_knot(row: tuple[int, int, bytes, bytes, int, int, int | None, str]) -> Knot:
    since, at, belief, rates, origins, claims, newest, displays = row
    return Knot(
        since,
        at,
        struct.unpack(f"<{len(belief) // 8}d", belief),
        struct.unpack(f"<{len(rates) // 8}d", rates),
        origins,
        claims,
        newest,
        tuple((source, day) for source, day in orjson.loads(displays)),
    )
