"""An open ledger with its views and its clock: what commands and pages ask.

The desk resolves what a user typed (names, dates, logics) and pins one ledger position for one answer, so
that everything in it speaks of the same record.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ledger import book
from ledger.book import Ledger
from ledger.clocks import instant_key, instant_text, utc_text
from ledger.codec import decode
from ledger.directory import Directory
from ledger.errors import NoLedger, UnknownName, Usage
from ledger.integrity.tree import Frontier
from ledger.places import Location, Server
from ledger.places import beside as beside_of
from projections import sharing
from projections.beliefs import Beliefs
from projections.case import Case, Testimony
from projections.record import Record
from projections.redating import Redated, corrected, redated
from projections.registry import Loaded, load, promoted
from projections.views import Progress, Views

if TYPE_CHECKING:
    from projections.hypothetical import Supposing


@dataclass(frozen=True, slots=True)
class Without:
    """What ``--without`` leaves out: a source by id, or every source of a kind."""

    text: str
    source: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Clocks:
    """The three times of a question. ``day`` is an ordinal, ``known`` microseconds since 1970, ``position``
    where the ledger is cut; ``diagonal`` is True where it is "known then" at the head."""

    day: int
    known: int
    position: int
    diagonal: bool


class Desk:
    """One ledger, read at one position. Close it, or use it as a context.

    ``supposed`` is the desk itself where some of what it reads was never recorded.
    """

    supposed: Supposing | None = None

    def __init__(
        self,
        path: Location,
        *,
        logic: str | None = None,
        now: datetime | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.path = path
        self.ledger = Ledger.open(path, readonly=True)
        self.now = now or book.now()
        self.head = self.ledger.store.head().size
        if self.head == 0:
            self.ledger.close()
            raise NoLedger("the ledger is empty", where=str(path), remedy=f"`claims init {path}` begins one")
        self.asked: Loaded = self._answering(logic)
        self.views = Views(self.ledger, views_folder(path), progress, shared=sharing.of(path))
        self._roots: dict[int, str] = {}
        self._directories: dict[int, Directory] = {}
        self._corrected: dict[int, frozenset[str]] = {}
        self._redated: dict[tuple[str, str, int], tuple[Redated, ...]] = {}

    def _answering(self, logic: str | None) -> Loaded:
        """The logic asked for, else the one that was promoted, else the default."""
        try:
            return load(logic) if logic else promoted(self.ledger) or load()
        except BaseException:
            self.ledger.close()
            raise

    def __enter__(self) -> Desk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.views.close()
        self.ledger.close()

    # -- the record as it stood ------------------------------------------------------------------------

    @cached_property
    def directory(self) -> Directory:
        return self.ledger.directory()

    @cached_property
    def record(self) -> Record:
        return self.views.record(self.head)

    @cached_property
    def loaded(self) -> Loaded:
        """The logic that answers, with what it has learnt; ``asked`` is the same as it was loaded."""
        return self.taught(self.asked)

    @cached_property
    def beliefs(self) -> Beliefs:
        return self.views.beliefs(self.asked, self.head, self.directory)

    def taught(self, loaded: Loaded) -> Loaded:
        """A logic with what it has learnt from this ledger. Raises ``ReplayDue`` where its view is not up to date."""
        if not loaded.logic.learns or loaded.logic.learnt is not None:
            return loaded
        if loaded is self.asked:
            return self.beliefs.loaded
        return self.views.beliefs(loaded, self.head, self.directory).loaded

    def directory_at(self, position: int) -> Directory:
        """The registry as of a position; kept, since one answer asks for it once a place."""
        if position >= self.head:
            return self.directory
        if position not in self._directories:
            self._directories[position] = self.ledger.directory(position)
        return self._directories[position]

    def redated(self, place: str, question: str, position: int) -> tuple[Redated, ...]:
        """What corrections did to when the entries of a place count; kept, since it is the same every day."""
        if place not in self.corrected(position):
            return ()
        asked = place, question, position
        if asked not in self._redated:
            directory = self.directory_at(position)
            self._redated[asked] = redated(self.record, place, question, directory, position)
        return self._redated[asked]

    def corrected(self, position: int) -> frozenset[str]:
        """Places that corrections may have been made about, under the names they have at a position."""
        if position not in self._corrected:
            self._corrected[position] = corrected(self.record, self.directory_at(position))
        return self._corrected[position]

    def case(self, place: str, question: str, position: int | None = None) -> Case:
        """The case of a place as the ledger held it at ``position`` (the head if None)."""
        at = self.head if position is None else position
        return self.record.case(place, question, self.directory_at(at), at)

    def places(self, question: str, position: int | None = None) -> list[str]:
        """Canonical ids of places on which anything was said, in order of name."""
        at = self.head if position is None else position
        directory = self.directory_at(at)
        found = {directory.place_id(place) for place, asked in self.record.spots() if asked == question}
        known = [place for place in found if place in directory.places]
        return sorted(known, key=lambda place: (directory.places[place].name, place))

    def root(self, position: int) -> str:
        """Hex root hash of the tree over the first ``position`` leaves."""
        if position not in self._roots:
            head = self.ledger.store.head()
            if position == head.size:
                self._roots[position] = head.root.hex()
            else:
                leaves = (row.leaf_hash for row in self.ledger.store.rows(1, position))
                self._roots[position] = Frontier.empty().extend(leaves).root().hex()
        return self._roots[position]

    # -- what the user typed ---------------------------------------------------------------------------

    def clocks(self, as_of: str, known_by: str | None, recorded_by: str | None) -> Clocks:
        """Read ``DATE``, ``--known-by`` and ``--recorded-by``. Raises ``BadDate``."""
        from ledger.clocks import as_of as read_as_of
        from ledger.clocks import known_by as read_known_by

        asked = read_as_of(as_of, now=self.now)
        now = instant_key(utc_text(self.now))
        default = min(instant_key(asked.end), now)
        known = instant_key(read_known_by(known_by, now=self.now)) if known_by else default
        position = self.position(recorded_by)
        return Clocks(asked.day, known, position, known == default and position == self.head)

    def known(self, text: str | None) -> int:
        """A knowledge time on its own, now if None."""
        from ledger.clocks import known_by as read_known_by

        if text is None:
            return instant_key(utc_text(self.now))
        return instant_key(read_known_by(text, now=self.now))

    def position(self, recorded_by: str | None) -> int:
        """``#N`` or a moment on the ledger's own clock → position; the head if None."""
        from ledger.clocks import recorded_by as read_recorded_by

        if recorded_by is None:
            return self.head
        cut = read_recorded_by(recorded_by, now=self.now)
        if isinstance(cut, int):
            if not 1 <= cut <= self.head:
                raise UnknownName(f"no event #{cut}", remedy=f"the events are #1 to #{self.head}")
            return cut
        return self._recorded_before(instant_text(instant_key(cut)))

    def _recorded_before(self, moment: str) -> int:
        """The last position recorded at or before a moment, by bisection: ``recorded`` never goes back."""
        low, high = 0, self.head
        while low < high:
            middle = (low + high + 1) // 2
            row = self.ledger.store.row(middle)
            assert row is not None
            if decode(row).recorded <= moment:
                low = middle
            else:
                high = middle - 1
        if low == 0:
            raise UnknownName(f"nothing was recorded by {moment}", remedy="ask with a later --recorded-by")
        return low

    def without(self, texts: Sequence[str]) -> list[Without]:
        """Read every ``--without``: a source in any spelling, or ``kind:K``."""
        found = []
        kinds = sorted({source.kind for source in self.directory.sources.values()})
        for text in texts:
            kind = text.removeprefix("kind:")
            if kind == text:
                found.append(Without(text, source=self.directory.resolve_source(text)))
            elif kind in kinds:
                found.append(Without(text, kind=kind))
            else:
                raise UnknownName(f"no source of the kind {kind!r}", remedy=f"Kinds here: {', '.join(kinds)}")
        return found

    def excludes(self, without: Sequence[Without]) -> Callable[[Testimony], bool]:
        """Whether a piece of testimony comes from what was left out."""
        sources = {one.source for one in without if one.source}
        kinds = {one.kind for one in without if one.kind}

        def excluded(piece: Testimony) -> bool:
            source = self.directory.sources.get(piece.source)
            return piece.source in sources or (source is not None and source.kind in kinds)

        return excluded

    def header(
        self, schema: str, clocks: Clocks | None = None, question: str | None = None
    ) -> dict[str, Any]:
        """What makes an answer citable: its clocks, position, root and logic. Of a logic that learns it tells what
        it had learnt of a question by then."""
        from ledger.clocks import iso

        answer: dict[str, Any] = {"schema": schema}
        position = clocks.position if clocks else self.head
        if clocks:
            answer["as_of"] = iso(clocks.day)
            answer["known_by"] = instant_text(clocks.known)
            row = self.ledger.store.row(position)
            answer["recorded_by"] = decode(row).recorded if row else None
        answer["position"] = position
        answer["root"] = self.root(position)
        answer["logic"] = self.loaded.to_dict()
        learnt = self.loaded.logic.learnt
        if learnt is not None and clocks is not None and question is not None:
            estimate = learnt.by(question, clocks.known)
            answer["logic"]["learnt"] = estimate and {
                "known_by": instant_text(estimate.known),
                "position": estimate.position,
                "heard": estimate.heard,
                "temperature": estimate.temperature,
            }
        return answer


def views_folder(place: Location) -> Path:
    """Where the views of a ledger lie: ``CLAIMS_VIEWS``, else beside it, else in the user's cache."""
    path = beside_of(place)
    chosen = os.environ.get("CLAIMS_VIEWS")
    if chosen:
        return Path(chosen) / path.name
    if isinstance(place, Server):
        return path.with_name(f"{path.name}.views")
    beside = path.with_name(f"{path.name}.views")
    if beside.is_dir() or os.access(path.parent, os.W_OK):
        return beside
    import hashlib

    from platformdirs import user_cache_path

    mark = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]
    return user_cache_path("claim-ledger") / f"{path.name}-{mark}"


def day_range(text: str) -> tuple[str, str]:
    """``FROM..TO`` split in two. Raises ``Usage``."""
    first, dots, last = text.partition("..")
    if not dots or not first or not last:
        raise Usage(f"{text!r} is no range", remedy="write FROM..TO, for example 2025-11-01..2025-12-31")
    return first, last
