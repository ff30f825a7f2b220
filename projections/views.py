"""Materialised views beside the ledger: one file a view, catching up on new events, never trusted over it.

``envelopes@1.db`` is the cache of what was recorded, by place; ``NAME@VERSION+FINGERPRINT.db`` what one logic makes of it:
the knots from which "known then" is answered, and the scores of the sources. Each carries the ledger's id,
the position it has reached and the root hashes of the tree there; a cache that does not fit is made again without a
word, since it can be. A belief view whose fingerprint is another logic's is not: the answer says that a
replay is due.

A view is built under another name and moved into place, so that a crash leaves the old one or none.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import orjson

from ledger.book import Ledger
from ledger.clocks import instant_key
from ledger.codec import Recorded, decode
from ledger.directory import Directory
from ledger.errors import ReplayDue, Usage, WriteFailed
from projections import lookup, overdue
from projections.anchor import Anchor, anchored, fits
from projections.belief.base import Logic
from projections.beliefs import Beliefs
from projections.engine import Projection, Quarantined, fold_leaves
from projections.envelopes import shape
from projections.envelopes.cache import Damaged, Envelopes
from projections.making import Made, Maker, Workshop, reshapes, touched_by
from projections.record import Record
from projections.registry import Loaded, fingerprint
from projections.tails import Kept, earliest, tail_of
from projections.view import (
    BELIEFS,
    Stamp,
    View,
    alone_at,
    candidate_at,
    file_at,
    file_name,
    spool_of,
    taught,
)

if TYPE_CHECKING:
    from projections.belief.voices import Learnt
    from projections.cluster.rebuild import Cluster
    from projections.sharing import Shared

T = TypeVar("T")

Progress = Callable[[str, int, int], None]
"""(what, done, of) while something long is under way."""

_FOLDED = "CREATE TABLE IF NOT EXISTS folded (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB) STRICT;"


class Views:
    """The views of one ledger, in one folder, at the ledger's head as it was when asked. What is made from nothing is made
    by ``cluster``, if there is one. What is ``shared`` of them is copied rather than made, where it was not asked for anew."""

    def __init__(
        self,
        ledger: Ledger,
        root: Path,
        progress: Progress | None = None,
        cluster: Cluster | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.ledger = ledger
        self.cluster, self.shared = cluster, shared
        self.root = root
        self.progress = progress or (lambda what, done, of: None)
        self._open: dict[str, View] = {}
        self._cache: Envelopes | None = None
        self._cache_file: tuple[int, int] | None = None
        self._workshop = Workshop(ledger.event, self._first)
        self._name: str | None = None

    def close(self) -> None:
        self._workshop = Workshop(self.ledger.event, self._first)
        if self._cache is not None:
            self._cache.close()
            self._cache = None
        for view in self._open.values():
            view.close()
        self._open.clear()

    # -- the record ----------------------------------------------------------------------------------

    def envelopes(self, head: int) -> Envelopes:
        """The cache of what was recorded, caught up to ``head``."""
        return self._mended(lambda: self._caught_up_envelopes(head))

    def _caught_up_envelopes(self, head: int) -> Envelopes:
        cache = self._opened_cache()
        cache.catch_up(self.ledger.store, head, reading_fingerprint(), self._id(), self._reading_progress)
        return cache

    def _opened_cache(self) -> Envelopes:
        path = self.root / f"envelopes@{shape.VERSION}.db"
        if self._cache is not None and file_at(path) != self._cache_file:
            self._cache = None  # and not closed: a record may still be read from it
        if self._cache is None:
            self._folder()
            try:
                self._cache = Envelopes(path)
            except sqlite3.OperationalError as error:
                raise self._unwritable(error) from None
            self._cache_file = file_at(path)
        return self._cache

    def _reading_progress(self, done: int, of: int) -> None:
        self.progress("reading the ledger", done, of)

    def record(self, head: int) -> Record:
        """The entries by place, caught up to ``head``."""
        return Record(self.envelopes(head), self.ledger.event, self._first)

    def quarantined(self) -> list[Quarantined]:
        """Events that could not be read."""
        return [Quarantined(*one) for one in self._opened_cache().bad()]

    # -- beliefs ---------------------------------------------------------------------------------------

    def beliefs(self, loaded: Loaded, head: int, directory: Directory, *, replay: bool = False) -> Beliefs:
        """The view of a logic, caught up to ``head``. ``replay`` rebuilds it from nothing.

        Raises ``ReplayDue`` where the view was built by other code or parameters under the same name.
        """
        return self._mended(lambda: self._caught_up_beliefs(loaded, head, directory, replay))

    def _caught_up_beliefs(self, loaded: Loaded, head: int, directory: Directory, replay: bool) -> Beliefs:
        name = file_name(loaded)
        path = self.root / name
        view = self._view(name, BELIEFS) if path.is_file() else None
        stamp = view.stamp() if view else None
        if stamp is None and not replay:
            for other in self._others(loaded):
                raise self._due(loaded, other)
            view = self._fetched(path, loaded, head) or view
            stamp = view.stamp() if view else None
        if stamp is not None and stamp.fingerprint != loaded.fingerprint and not replay:
            raise self._due(loaded, stamp)
        whole = view is None or stamp is None or replay or not self._fits(stamp, head)
        if view and stamp and not whole and stamp.position >= head:
            return self._read(view, loaded)
        goal = replace(self._stamp(head, loaded.fingerprint, None if whole else stamp), given=loaded.given)

        def ours() -> Maker:
            return self.maker(loaded, head, directory, self._known(head))

        if view is None or stamp is None or whole:
            view = self._rebuild(path, ours, directory, loaded, goal)
        else:
            maker = ours()
            maker.logic = taught(loaded, view).logic
            view = self._catch_up(view, stamp, maker, loaded, goal)
        self._open[name] = view
        return self._read(view, loaded)

    def _fetched(self, path: Path, loaded: Loaded, head: int) -> View | None:
        """The shared view of a logic, now a file of ours; None where there is none that fits."""
        if self.shared is None:
            return None
        self._folder()

        def fit(anchor: Anchor) -> bool:
            return fits(anchor, self.ledger.store, self._id(), head)

        if not self.shared.fetch(loaded, path, lambda part: View(part, BELIEFS), fit, self.progress):
            return None
        if path.name in self._open:
            self._open.pop(path.name).close()
        return self._view(path.name, BELIEFS)

    def share(self, loaded: Loaded) -> str:
        """Keep the view of a logic on the ledger's server; the name of its schema there. Raises ``LedgerError``."""
        assert self.shared is not None
        return self.shared.share(loaded, self._open[file_name(loaded)])

    def _read(self, view: View, loaded: Loaded) -> Beliefs:
        loaded = taught(loaded, view)
        return Beliefs(view, loaded, lambda: self._score(view, loaded))

    def maker(self, loaded: Loaded, head: int, directory: Directory, known: int) -> Maker:
        """What makes a logic's rows with sources scored up to a moment, for whoever asks beside a view."""
        return Maker(self._workshop, self.envelopes(head), directory, loaded.logic, known)

    def _others(self, loaded: Loaded) -> list[Stamp]:
        """Views that other code made under the same name and version, the newest first; those under other
        parameters of a user's own are views of another question."""
        found = [one for one in self.stamps() if (one.logic, one.given) == (loaded.logic.id, loaded.given)]
        others = [one for one in found if one.fingerprint != loaded.fingerprint]
        return sorted(others, key=lambda one: (one.position, one.fingerprint), reverse=True)

    def _due(self, loaded: Loaded, other: Stamp) -> ReplayDue:
        return ReplayDue(
            f"the view of {loaded.logic.id} was built by other logic"
            f" ({other.fingerprint[:12]}, now {loaded.fingerprint[:12]})",
            remedy=f"`claims replay --logic {loaded.spec}` rebuilds it",
        )

    @contextmanager
    def before(self, loaded: Loaded) -> Iterator[Beliefs | None]:
        """What a logic's view said before it is replayed: the newest that other code made under its name, else
        its own, kept aside meanwhile; None if there is none."""
        others = self._others(loaded)
        path = others[0].path if others else self.root / file_name(loaded)
        aside = path.with_name(f".{path.name}.before.{os.getpid()}")
        stamp = self._view(path.name, BELIEFS).stamp() if path.is_file() else None
        if stamp is None:
            yield None
            return
        mark = self._opened_cache().mark()
        if stamp.fingerprint == loaded.fingerprint and (mark is None or mark.position <= stamp.position):
            self._score(self._open[path.name], taught(loaded, self._open[path.name]))
        shutil.copyfile(path, aside)
        view = View(aside, BELIEFS)
        try:
            yield Beliefs(view, taught(loaded, view))
        finally:
            view.close()
            aside.unlink(missing_ok=True)

    def stamps(self) -> list[Stamp]:
        """The stamp of every belief view in the folder, by name and fingerprint."""
        found = []
        if self.root.is_dir():
            for path in sorted(self.root.glob("*@*+*.db")):
                stamp = self._view(path.name, "").stamp()
                if stamp is not None:
                    found.append(stamp)
        return found

    def _catch_up(self, view: View, stamp: Stamp, maker: Maker, loaded: Loaded, goal: Stamp) -> View:
        """Bring a view up to the head from where it stands; begins again where another process got in between."""
        while True:
            tails = self._touched(stamp.position, maker, goal.position)
            if tails is None:
                break
            with view.transaction():
                before = view.stamp()
                if before == stamp:
                    self._some(view, maker, tails, loaded, goal)
                    return view
            if before is None or not self._fits(before, goal.position):
                break
            if before.position >= goal.position:
                return view
            stamp = before
        return self._rebuild(view.path, lambda: maker, maker.directory, loaded, goal)

    def _touched(self, position: int, maker: Maker, head: int) -> dict[str, int] | None:
        """Families whose beliefs the events behind a position may have changed, with the first day on which they may;
        None means all."""
        tails: dict[str, int] = {}
        for recorded in self._events(position, head, "catching up"):
            if reshapes(recorded):
                return None
            earliest(tails, touched_by(recorded, maker, self._first), tail_of(recorded))
        return tails

    def _all(self, view: View, maker: Maker, loaded: Loaded, goal: Stamp) -> None:
        """Every family there is that is not in the candidate yet, a transaction for some of them at a time. A logic
        that learns does so before the first of them."""
        if loaded.logic.learns:
            from projections import lessons

            maker.logic = replace(loaded.logic, learnt=None)
            learn = partial(lessons.learn, maker, self.progress)
            maker.logic = self.teach(view, loaded, maker.known, learn)
        roots = maker.roots()
        done, total = 0, max(1, sum(roots.values()))
        jobs = list(maker.jobs(roots))
        finished = view.finished()
        for n, some in enumerate(jobs):
            self.progress(loaded.logic.id, done, total)
            done += sum(roots[root] for root in some)
            if n < finished:
                continue
            made = maker.make(some)
            with view.transaction():
                view.put(made)
                view.finish(n + 1)
        with view.transaction():
            view.seal(maker.strange(), goal)
            lookup.save(view.db, loaded, maker.directory, _redated(maker), goal.position)
        self.progress(loaded.logic.id, total, total)

    def teach(self, view: View, loaded: Loaded, known: int, learn: Callable[[], Learnt]) -> Logic:
        """The logic with what it learnt, which is kept in the candidate; the same again where it was interrupted."""
        from projections import lessons

        if view.db.execute("SELECT 1 FROM meta WHERE name = 'learnt'").fetchone() is None:
            learnt = learn()
            with view.transaction():
                lessons.save(view.db, learnt)
                view.db.execute("INSERT INTO meta VALUES ('learnt', ?)", (str(known),))
        return taught(loaded, view).logic

    def _some(self, view: View, maker: Maker, tails: dict[str, int], loaded: Loaded, goal: Stamp) -> None:
        """The families touched, from a day on each; their scores are made when somebody asks for them."""
        roots, db = sorted(tails), view.db
        places = {place: day for root, day in tails.items() for place in maker.families.members(root)}
        made = maker.make(roots, Kept(db, places), scored=False) if roots else Made()
        for place in places:
            for table in ("spot", "choked"):
                db.execute(f"DELETE FROM {table} WHERE place = ?", (place,))
        view.put(made)
        view.choke(maker.strange(roots))
        overdue.note(db, roots, maker)
        view.put_stamp(goal)
        lookup.save(db, loaded, maker.directory, _redated(maker), goal.position)

    def _score(self, view: View, loaded: Loaded) -> None:
        """Make the scores that a view was left without when it caught up, as of where it stands; again where another
        process got in between."""
        while overdue.roots(view.db) and (stamp := view.stamp()) is not None:
            maker = self.maker(loaded, stamp.position, self.ledger.directory(), self._known(stamp.position))
            with view.transaction():
                if view.stamp() == stamp:
                    overdue.make(view.db, maker)

    def _known(self, position: int) -> int:
        """When the event at a position was recorded, in microseconds since 1970."""
        row = self.ledger.store.row(position)
        return instant_key(decode(row).recorded) if row else 0

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

        def leaves(first: int, last: int) -> Iterator[tuple[int, bytes]]:
            self.progress(projection.id, first - 1 - position, head - position)
            return self.ledger.store.leaves(first, last)

        state, bad = fold_leaves(projection, leaves, position, head, start)
        self.progress(projection.id, head - position, head - position)
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
        except (sqlite3.DatabaseError, Damaged):
            self.close()
            for path in self.root.glob("*@*.db*"):
                path.unlink(missing_ok=True)
            return ask()

    def _view(self, name: str, schema: str) -> View:
        if name in self._open:
            if self._open[name].in_place():
                return self._open[name]
            del self._open[name]  # and not closed: beliefs may still be read from it
        try:
            self._folder()
            view = View(self.root / name, schema)
            view.stamp()
        except (OSError, sqlite3.OperationalError) as error:
            raise self._unwritable(error) from None
        except sqlite3.DatabaseError:
            (self.root / name).unlink(missing_ok=True)
            view = View(self.root / name, schema)
        self._open[name] = view
        return view

    def _folder(self) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: Exception) -> WriteFailed:
        return WriteFailed(
            f"no view can be kept there ({error})",
            where=str(self.root),
            remedy="set CLAIMS_VIEWS to a folder that can be written",
        )

    def _rebuild(
        self, path: Path, maker: Callable[[], Maker], directory: Directory, loaded: Loaded, goal: Stamp
    ) -> View:
        """Build beside, then move into place. What a crash or Ctrl-C left half made is gone on with."""
        self._folder()
        with alone_at(path.with_name(f".{path.name}.lock")) as alone:
            candidate = path.with_name(f".{path.name}.{'part' if alone else os.getpid()}")
            view = candidate_at(candidate, goal)
            try:
                if self.cluster is None:
                    self._all(view, maker(), loaded, goal)
                else:
                    known = self._known(goal.position)
                    self.cluster.rebuild(self, view, maker, loaded, directory, goal, known)
                view.close()
                with open(candidate, "rb") as file:
                    os.fsync(file.fileno())
                if path.name in self._open:
                    self._open.pop(path.name).close()
                os.replace(candidate, path)
                spool_of(candidate).unlink(missing_ok=True)
            except BaseException:
                view.close()
                if not alone:
                    candidate.unlink(missing_ok=True)
                    spool_of(candidate).unlink(missing_ok=True)
                raise
        return View(path, BELIEFS)

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

    def _stamp(self, head: int, mark: str, before: Stamp | None = None) -> Stamp:
        """The stamp of a head; ``before`` is that of an earlier one, which fits."""
        known = before.anchor if before else None
        return Stamp(anchored(self.ledger.store, self._id(), head, known), mark)

    def _id(self) -> str:
        """The ledger's id; asked for once, since it never changes."""
        if not self._name:
            self._name = self.ledger.directory().ledger
        return self._name or ""

    def _fits(self, stamp: Stamp, head: int) -> bool:
        """Whether a view was built from this ledger's rows and not from another's or a longer one's."""
        return fits(stamp.anchor, self.ledger.store, self._id(), head)


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


def _redated(maker: Maker) -> Callable[[int], list[str]]:
    return lambda after: lookup.redated(maker.directory, maker.envelopes, after)


@lru_cache(maxsize=1)
def reading_fingerprint() -> str:
    """Hex SHA-256 of the code that reads envelopes."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for name in (
        "ledger/clocks.py",
        "ledger/dates.py",
        "ledger/upcast.py",
        "projections/case.py",
        "projections/envelopes/leaves.py",
        "projections/envelopes/quick.py",
        "projections/envelopes/reading.py",
        "projections/envelopes/shape.py",
        "projections/envelopes/cache.py",
    ):
        digest.update(name.encode() + (root / name).read_bytes())
    return digest.hexdigest()
