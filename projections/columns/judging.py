"""Spots judged one after another: knots of belief, sightings of displays and scores, as arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ledger.directory import Directory
from projections.belief.base import Logic
from projections.belief.tally import DAY_US, EPOCH, day_of, end_of
from projections.columns.motion import new_chain
from projections.columns.shapes import (
    C_DAY,
    D_SOURCE,
    P_ACT,
    P_HI,
    P_KIND,
    P_POSITION,
    SCALE,
    X_EVIDENCE,
    Chain,
    Hearing,
)
from projections.columns.standing import Knots, Standing, last_seen, nothing
from projections.columns.tables import Question
from projections.columns.testimony import Spot, Testimony
from projections.envelopes.shape import CLAIM, PREDICTS
from projections.learning.transcript import Rows

SCORES = 19
#: Later than any day there is.
_NO_DAY = 4_000_000


@dataclass(slots=True)
class Judged:
    """What one spot's testimony comes to.

    ``whole`` (knots, 5): since, at, origins, claims, newest (days as ordinals; ``at`` 0: nothing believed yet);
    ``beliefs`` and ``rates`` (knots, states); ``sightings`` (n, 3): display, since, day last observed;
    ``shown_by`` the sources of the displays; ``sources`` with ``scores`` (sources, 19); ``first`` the first day
    that anything speaks of; ``due`` when scores may change although nothing new is recorded; ``stood`` how many of
    the knots were made earlier and stand.
    """

    place: str
    question: str
    whole: Any
    beliefs: Any
    rates: Any
    sightings: Any
    shown_by: list[str]
    sources: list[str]
    scores: Any
    first: int | None
    due: int | None
    stood: int = 0


@dataclass(slots=True)
class _Heard:
    """A spot opened: its arrays, the same as the kernel takes them, and what will become known."""

    arrays: Hearing
    h: Any
    known: Any
    act: Any
    who: Any
    extra: Any
    piece: Any


class Judge:
    """Judges the spots of one testimony under one logic, as known by a moment for the scores."""

    def __init__(
        self, testimony: Testimony, directory: Directory, logic: Logic, known: int, kernel: Any
    ) -> None:
        self.testimony, self.directory, self.logic, self.known = testimony, directory, logic, known
        self.kernel, self.structs = kernel, kernel.structs
        self.codes = testimony.codes
        self.factor = np.ones(len(testimony.pieces.of))
        self._of = testimony.pieces.of
        self._pieces = self.structs.Pieces(*testimony.pieces)
        names = len(self.codes.names)
        self._by_source = np.full(names, -1)
        self._voices = np.full(names, -1)
        self._at = np.full(len(self._of), -1)
        self._rank = testimony.tables.rank()
        # When the time of each prediction is over; of what is none, nothing is still to come.
        of = self._of
        foretold = (of[:, P_KIND] == CLAIM) & (of[:, P_ACT] == PREDICTS)
        self._foretold = np.where(foretold, (of[:, P_HI] - EPOCH) * DAY_US, known)

    def question(self, name: str, known: int) -> Question:
        """The tables of a question, as sources are heard by what was learnt of them by a moment."""
        estimate = self.logic.learnt.by(name, known) if self.logic.learnt else None
        return self.testimony.tables.question(name, self.logic.params, self.kernel, estimate)

    def judge(
        self,
        spot: Spot,
        factors: Mapping[int, float] | None = None,
        *,
        standing: Standing | None = None,
        scored: bool = True,
    ) -> Judged:
        """Knots of one spot, and its scores where they are wanted. ``factors``: a logic's own weight of each piece, by
        position; ``standing``: what was made of the spot earlier, of which only the tail is made anew."""
        if factors is not None:
            self._give(spot, factors)
        q = self.question(spot.question, end_of(standing.until) if standing else 0)
        heard = self._opened(spot, q)
        shown_by = [self.codes.names[one] for one in heard.arrays.shows[:, D_SOURCE].tolist()]
        if standing and not standing.fits(shown_by, q.size):
            standing = None
        begun = self._begun(spot.question, heard, standing)
        knots, sightings = standing.before(begun, shown_by) if standing else nothing(q.size)
        before = last_seen(sightings, len(shown_by))
        made, seen = [knots], [sightings]
        turns = [begun, *(day for day in self._learnt(spot.question) if day > begun)]
        for since, stop in pairwise((*turns, _NO_DAY)):
            now = self.question(spot.question, end_of(since))
            if now is not q or since != turns[0]:
                q, heard = now, self._opened(spot, now)
            chain, c = self._hear(heard, q, end_of(since - 1))
            knots, sightings = self._bend(spot, heard, c, q, since, stop, before)
            made.append(knots)
            seen.append(sightings)
        first = int(self.kernel.opening(c))
        whole, beliefs, rates = (np.concatenate(parts) for parts in zip(*made, strict=True))
        judged = Judged(
            spot.place,
            spot.question,
            whole,
            beliefs,
            rates,
            np.concatenate(seen),
            shown_by,
            [],
            np.zeros((0, SCORES), np.int64),
            int(chain.ints[first, C_DAY]) if first < chain.at[0] else None,
            self._due(heard),
            len(made[0].whole),
        )
        if scored:
            late = len(heard.known) and heard.known[-1] > self.known
            if late or self.question(spot.question, self.known) is not q:
                judged.sources, judged.scores, _ = self.score(spot)
            else:
                judged.sources, judged.scores = self._scored(spot, heard, chain, c, q)
        return judged

    def score(
        self, spot: Spot, factors: Mapping[int, float] | None = None
    ) -> tuple[list[str], Any, int | None]:
        """(sources, scores, due) of one spot, as ``Judged`` has them."""
        if factors is not None:
            self._give(spot, factors)
        q = self.question(spot.question, self.known)
        heard = self._opened(spot, q)
        return (*self._scored(spot, heard, *self._hear(heard, q, self.known), q), self._due(heard))

    def _hear(self, heard: _Heard, q: Question, moment: int) -> tuple[Chain, Any]:
        """The chain of a spot that was opened, by what was known by a moment; and the same as the kernel takes it."""
        points = int(self.kernel.room_for(self._pieces, q.asked, heard.piece))
        chain = new_chain(points, q.size)
        c = self.structs.Chain(*chain)
        happening = heard.known, heard.act, heard.who, heard.extra
        self.kernel.hear_until(self._pieces, heard.h, c, q.asked, *happening, moment)
        return chain, c

    def _bend(
        self, spot: Spot, heard: _Heard, c: Any, q: Question, since: int, stop: int, before: Any
    ) -> tuple[Knots, Any]:
        """Knots and sightings from day ``since`` on and before ``stop``, of a spot that has heard what was known
        earlier. ``before`` is by display what was noted last."""
        begin = int(np.searchsorted(heard.known, end_of(since - 1), "right"))
        room = len(heard.known) - begin + c.ints.shape[0] + 1
        whole, beliefs = np.empty((room, 5 + q.size), np.int64), np.empty((room, q.size))
        sightings = np.empty((4 * len(heard.arrays.lists) + 8, 3), np.int64)
        happening = heard.known, heard.act, heard.who, heard.extra
        many, seen = self.kernel.diagonal(
            self._pieces, heard.h, c, q.asked, q.motions, *happening, self.codes[spot.place],
            begin, since, stop, before, whole, beliefs, sightings,
        )  # fmt: skip
        return Knots(whole[:many, :5], beliefs[:many], whole[:many, 5:] / SCALE), sightings[:seen]

    def _begun(self, question: str, heard: _Heard, standing: Standing | None) -> int:
        """The day from which knots are made: the first of all, or where something stands that of the last arrival, or
        turn of what is learnt, up to the first day that may differ: what follows either hangs on it up to the next."""
        if not len(heard.known):
            return _NO_DAY
        first = day_of(int(heard.known[0]))
        if standing is None or standing.until <= first:
            return first
        arrived = heard.known[: np.searchsorted(heard.known, end_of(standing.until), "right")]
        days = arrived // DAY_US + EPOCH
        turns = [day for day in self._learnt(question) if first < day <= standing.until]
        begun = max([int(days[-1]), *turns[-1:]])
        return begun if standing.heard_on(days[days < begun]) else first

    def _give(self, spot: Spot, factors: Mapping[int, float]) -> None:
        """Take over the weights that a logic gives to the pieces of a spot."""
        piece, _ = self.kernel.instances(self._pieces, spot.ranges, spot.reaches, spot.beside)
        positions = self._of[piece, P_POSITION].tolist()
        self.factor[piece] = [factors.get(position, 1.0) for position in positions]

    def heard_before(
        self, spot: Spot, moments: Sequence[int], factors: Mapping[int, float] | None = None
    ) -> list[Rows]:
        """What was heard at a spot before each of some moments, ascending: rows to learn from."""
        k, p, q = self.kernel, self._pieces, self.question(spot.question, 0)
        if factors is not None:
            self._give(spot, factors)
        heard = self._opened(spot, q)
        c = self.structs.Chain(*new_chain(int(k.room_for(p, q.asked, heard.piece)), q.size))
        happening, at, found = (heard.known, heard.act, heard.who, heard.extra), 0, []
        for moment in moments:
            until = int(np.searchsorted(heard.known, moment))
            k.hear_until(p, heard.h, c, q.asked, *(one[at:until] for one in happening), moment)
            at = until
            found.append(self._written_down(heard, q))
        return found

    def _written_down(self, heard: _Heard, q: Question) -> Rows:
        k, p = self.kernel, self._pieces
        said, held, ruled = k.many_to_gather(p, heard.h, q.asked)
        rows = Rows(
            np.empty((said, 4), np.int64),
            np.empty(said),
            np.empty((held, 4), np.int64),
            np.empty(held),
            np.empty(ruled, np.int64),
            np.empty((ruled, q.size)),
        )
        said, held, ruled = k.gather(p, heard.h, q.asked, *rows)
        ends = (said, said, held, held, ruled, ruled)
        return Rows(*(one[:end] for one, end in zip(rows, ends, strict=True)))

    def _learnt(self, question: str) -> list[int]:
        """The days on which sources come to be heard otherwise."""
        return [day_of(turn) for turn in self.logic.learnt.turns(question)] if self.logic.learnt else []

    def _opened(self, spot: Spot, q: Question) -> _Heard:
        k, p = self.kernel, self._pieces
        piece, reach = k.instances(p, spot.ranges, spot.reaches, spot.beside)
        arrays, *happening = k.open_spot(
            p, self.factor, q.asked, piece, reach, self._rank, self._by_source, self._at, self._voices
        )
        known, act, who, extra = happening
        return _Heard(Hearing(*arrays), self.structs.Hearing(*arrays), known, act, who, extra, piece)

    def _scored(self, spot: Spot, heard: _Heard, chain: Chain, c: Any, q: Question) -> tuple[list[str], Any]:
        """Sources and their scores; what is said of a named part is scored with the whole, and not twice."""
        if self.directory.whole(spot.place) is not None:
            return [], np.zeros((0, SCORES), np.int64)
        points, size, whole = int(chain.at[0]), q.size, np.int64
        leaves = 1
        while leaves < points:
            leaves *= 2
        room, instances = points + 2, len(heard.piece)
        x = self.structs.Scenario(
            np.zeros((room, X_EVIDENCE + 2 * size), whole),
            np.empty((room, 2 * size)),
            np.zeros(room + 1, whole),
            np.empty((6, size)),
            np.empty((2, size), whole),
            np.empty(64, whole),
        )
        params = self.logic.params
        settled = np.array([params.settled_true, params.settled_false])
        sources, scores = np.empty(instances, whole), np.zeros((instances, SCORES), whole)
        beta, tree = np.empty((room, size)), np.empty((2 * leaves, size, size))
        many = self.kernel.score(
            self._pieces, heard.h, c, q.asked, q.motions, self.known, settled, self._by_source,
            x, beta, tree, leaves, sources, scores,
        )  # fmt: skip
        names = [self.codes.names[one] for one in sources[:many].tolist()]
        return names, scores[:many]

    def _due(self, heard: _Heard) -> int | None:
        later = heard.known[heard.known > self.known]
        ends = self._foretold[heard.piece]
        due = [*later[:1].tolist(), *ends[ends > self.known].tolist()]
        return min(due, default=None)
