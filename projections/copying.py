"""Sources that seem to copy each other, although nobody declared it: a test with published grounds.

Two sources *meet* where both say something of one place within ``WINDOW`` days; what was said first is compared
with what was said next. That they agree on what is true says little, for both may have seen it. That they
share a rare error says much (Dong, Berti-Equille & Srivastava, "Integrating conflicting data: the role of
source dependence", VLDB 2009). With b the belief about the day spoken of, l₀ what was said before, and C each
source's probability of saying l under a truth k, one meeting counts as

    independent:  Σ b[k] · C₀[k, l₀] · C[k, l]
    copied:       Σ b[k] · C₀[k, l₀] · (c·1[l = l₀] + (1 − c)·C[k, l])

with c how much a copier copies. b is found in hindsight without the supposed copier, those linked to it and those
who carried it, and is taken as the soft probability that it is: hardened truths make copiers of the honest.
Copies count as witnesses as long as nobody knows them, and can outvote the honest; so what was found is tried
again, each pair without the copiers that were found more surely than it.
C is the party table of the logic, moved by what the source itself says under what the others hold true (a
Dirichlet prior of strength ``STRENGTH``), so that a partisan's habitual claims are no rare errors. A copier
speaks later: of each direction only the meetings count in which the supposed copier came second, or at the
same moment. Of one place, label and ``SEASON`` days one meeting counts, for those that follow are no news.

Nothing is changed by it: what is found is for an analyst to judge.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from projections.belief.assembly import Assembly
from projections.belief.base import Logic
from projections.belief.labels import Label, States, emissions
from projections.case import Case, Testimony
from projections.credibility import Others, borne_out, carriers_of, label_said, not_independent, scored

# Assumptions, all of them.
WINDOW = 3  # days between two utterances that may be one copied from the other
SEASON = 30  # days within which a pair's further meetings of one place and label are no news
COPIED = 0.8  # c: how much of what a copier says is copied (as in the paper)
PRIOR = 0.01  # that one of two sources copies the other, each way
LEAST = 5  # shared utterances below which nothing is said
ERRORS = 3  # of them, those that the others refute: who only shares what is true may have seen it too
STRONG = 0.95  # from which probability on a pair is reported
STRENGTH = 10.0  # utterances that the party table is worth against a source's own habits
TESTED = 100  # pairs that are tested, those first that agree most beyond chance
ENOUGH = 40  # shared utterances of a pair that are tested; more of them would only take longer
_BACK = 256  # utterances of one place that are looked back on: all of a usual day, some of a day of uproar

Pair = tuple[str, str]
"""(who spoke later, who spoke before)."""


class Meeting(NamedTuple):
    """Two utterances of different sources, the later one first."""

    later: Testimony
    earlier: Testimony
    said: Label
    before: Label

    @property
    def pair(self) -> Pair:
        return self.later.source, self.earlier.source

    @property
    def same(self) -> bool:
        return self.said == self.before

    @property
    def hours(self) -> float:
        """Between the moments at which either could be known."""
        return (self.later.known - self.earlier.known) / 3.6e9


def meetings(case: Case, known: int, of: Collection[Pair] | None = None) -> Iterator[Meeting]:
    """Who met whom at a place, as known by a moment; only of some pairs where they are named."""
    spoken = sorted(utterances(case, known), key=lambda piece: piece.order)
    recent: deque[tuple[Testimony, Label]] = deque(maxlen=_BACK)
    seen: set[tuple[Pair, Label, int]] = set()
    for piece in spoken:
        said, met = label_said(piece, case), set()
        for other, before in reversed(recent):
            if piece.said_day - other.said_day > WINDOW:
                break
            if other.source == piece.source or other.source in met:
                continue
            met.add(other.source)
            one = Meeting(piece, other, said, before)
            both = [one]
            if piece.order[:2] == other.order[:2]:
                both.append(Meeting(other, piece, before, said))
            for meeting in both:
                mark = meeting.pair, meeting.said, piece.said_day // SEASON
                if mark not in seen and (of is None or meeting.pair in of):
                    seen.add(mark)
                    yield meeting
        recent.append((piece, said))


def utterances(case: Case, known: int) -> Iterator[Testimony]:
    """What is compared: said of the place itself, and neither foretold nor displayed: maps of one front are alike."""
    own = (one for one in scored(case, known) if one.kind == "claim" and one.reach == "own")
    return (one for one in own if one.act != "predicts")


@dataclass
class Screen:
    """Which pairs are worth a test, from what is cheap to count. Feed it every case, by number.

    ``same``: the numbers of the cases in which a pair agreed, one for each time.
    """

    same: dict[Pair, array[int]] = field(default_factory=dict)
    other: Counter[Pair] = field(default_factory=Counter)
    says: dict[str, Counter[Label]] = field(default_factory=dict)
    carried: set[frozenset[str]] = field(default_factory=set)

    def take(self, number: int, case: Case, known: int) -> None:
        for piece in utterances(case, known):
            self.says.setdefault(piece.source, Counter())[label_said(piece, case)] += 1
            for via in {via for report in piece.reports for via in report.via}:
                self.carried.add(frozenset((piece.source, via)))
        for one in meetings(case, known):
            if one.same:
                self.same.setdefault(one.pair, array("I")).append(number)
            else:
                self.other[one.pair] += 1

    def chosen(self, linked: Iterable[Collection[str]] = ()) -> list[Pair]:
        """Ordered pairs, those first that agree most beyond chance. Who speaks with one voice or carries the other
        with attribution is no finding."""
        voices = [frozenset(one) for one in linked]
        found = []
        for pair, cases in self.same.items():
            together, same = frozenset(pair), len(cases)
            if same < LEAST or together in self.carried or any(together <= one for one in voices):
                continue
            chance = self._chance(*pair)
            gain = same * math.log((COPIED + (1 - COPIED) * chance) / chance)
            gain += self.other[pair] * math.log(1 - COPIED)
            if gain > 0:
                found.append((-gain, pair))
        return [pair for _, pair in sorted(found)]

    def visited(self, pairs: Iterable[Pair]) -> list[int]:
        """Cases in which some pairs agreed, ``ENOUGH`` times each."""
        found: set[int] = set()
        for pair in pairs:
            cases = self.same.get(pair, ())
            left = ENOUGH - sum(number in found for number in cases)
            for number in cases:
                if left > 0 and number not in found:
                    found.add(number)
                    left -= 1
        return sorted(found)

    def _chance(self, one: str, other: str) -> float:
        """How often both would say the same of places picked at random."""
        mine, theirs = self.says[one], self.says[other]
        total = mine.total() * theirs.total()
        return max(sum(count * theirs[label] for label, count in mine.items()), 1) / total


def _news(pieces: Iterable[Testimony], source: str, case: Case) -> dict[tuple[Label, int], Testimony]:
    """The first utterance of a source for each label and season."""
    found: dict[tuple[Label, int], Testimony] = {}
    for one in pieces:
        if one.source == source:
            found.setdefault((label_said(one, case), one.said_day // SEASON), one)
    return found


@dataclass
class _Seen:
    """A meeting with the belief about the day that the later one speaks of."""

    meeting: Meeting
    place: str
    belief: np.ndarray


class Trial:
    """The test of some pairs, fed case by case. ``without``: who else is no witness when a pair is tested."""

    def __init__(
        self,
        pairs: Collection[Pair],
        states: States,
        logic: Logic,
        without: Mapping[Pair, Collection[str]] | None = None,
    ) -> None:
        self.pairs = frozenset(pairs)
        self.without = without or {}
        self.sources = {source for pair in pairs for source in pair}
        self.states, self.logic = states, Logic(logic.name, logic.version, logic.params)
        self._labels = {label: n for n, label in enumerate(states.labels())}
        self._tables: dict[str, np.ndarray] = {}
        self._habits: dict[str, np.ndarray] = {}
        self._seen: dict[Pair, list[_Seen]] = {pair: [] for pair in pairs}

    def take(self, case: Case, known: int) -> None:
        """Hear a case: what the pairs said there, against what all others hold true."""
        met = list(meetings(case, known, self.pairs))
        if not met:
            return
        rows = sorted({one.pair for one in met})
        carriers = carriers_of(case, known)
        left = [self._left_out(pair, case, carriers) for pair in rows]
        others = Others(Assembly.known_by(case, self.logic, known), left, known)
        own = [one for one in utterances(case, known) if one.source in self.sources]
        beliefs = others.hindsight(sorted({one.hi for one in own}))
        judged: set[str] = set()
        for row, pair in enumerate(rows):
            if others.firsts[row] is None:
                continue
            for one in met:
                if one.pair == pair:
                    self._seen[pair].append(_Seen(one, case.place, beliefs[row][one.later.hi]))
            for source in set(pair) - judged:
                judged.add(source)
                self._table(source, case)
                for mark, piece in _news(own, source, case).items():
                    self._habits[source][:, self._labels[mark[0]]] += beliefs[row][piece.hi]

    def _left_out(self, pair: Pair, case: Case, carriers: dict[str, set[str]]) -> frozenset[str]:
        out = {pair[0], *self.without.get(pair, ())}
        return frozenset().union(*(not_independent(one, case, carriers) for one in sorted(out)))

    def _table(self, source: str, case: Case) -> None:
        if source not in self._tables:
            table = emissions(self.states, case.relation(source), self.logic.params)
            self._tables[source] = np.exp([table[label] for label in self._labels]).T
            self._habits[source] = np.zeros_like(self._tables[source])

    def _says(self, source: str) -> np.ndarray:
        """(states, labels): how likely a source is to say each label under each truth."""
        table, habits = self._tables[source], self._habits[source]
        moved: np.ndarray = (STRENGTH * table + habits) / (STRENGTH + habits.sum(axis=1, keepdims=True))
        return moved

    def nats(self, one: Meeting, belief: np.ndarray) -> float:
        """How much more likely a meeting is if the later one copies."""
        if not one.same:
            return math.log(1 - COPIED)
        label = self._labels[one.said]
        mine, theirs = self._says(one.later.source)[:, label], self._says(one.earlier.source)[:, label]
        weight = belief * theirs
        return float(np.log(weight @ (COPIED + (1 - COPIED) * mine)) - np.log(weight @ mine))

    def found(self) -> list[dict[str, Any]]:
        """The pairs between which copying is ``STRONG``, the strongest first."""
        together = sorted({tuple(sorted(pair)) for pair in self.pairs})
        rows = [self._row(one, other) for one, other in together]
        strong = [row for row in rows if row["probability"] >= STRONG]
        strong = [row for row in strong if row["shared"] >= LEAST and row["shared_false"] >= ERRORS]
        return sorted(strong, key=lambda row: (-row["nats"], row["copier"], row["copied"]))

    def _row(self, one: str, other: str) -> dict[str, Any]:
        ways = {pair: self._nats_of(pair) for pair in ((one, other), (other, one))}
        copier, copied = max(ways, key=lambda pair: ways[pair])
        most = max(*ways.values(), 0.0)
        odds = {pair: PRIOR * math.exp(nats - most) for pair, nats in ways.items()}
        neither = (1 - 2 * PRIOR) * math.exp(-most)
        whole = sum(odds.values()) + neither
        seen = [found for found in self._seen.get((copier, copied), []) if found.meeting.same]
        right = [borne_out(found.meeting.later, found.meeting.said, found.belief) for found in seen]
        params = self.logic.params
        before = sum(found.meeting.same for found in self._seen.get((copied, copier), []))
        strongest = sorted(seen, key=lambda found: -self.nats(found.meeting, found.belief))
        return {
            "copier": copier,
            "copied": copied,
            "probability": sum(odds.values()) / whole,
            "direction": odds[copier, copied] / sum(odds.values()),
            "nats": ways[copier, copied],
            "shared": len(seen),
            "shared_true": sum(one >= params.settled_true for one in right),
            "shared_false": sum(one <= params.settled_false for one in right),
            "differing": len(self._seen.get((copier, copied), [])) - len(seen),
            "later": len(seen),
            "earlier": before,
            "hours_later": float(np.median([found.meeting.hours for found in seen])) if seen else None,
            "examples": [self._example(found) for found in strongest[:3]],
        }

    def again(self) -> dict[Pair, set[str]]:
        """The pairs found, both ways, with the copiers that were found more surely: ``without`` of another trial."""
        found = self.found()
        doubtful: dict[Pair, set[str]] = {}
        for n, row in enumerate(found):
            pair = row["copier"], row["copied"]
            surer = {other["copier"] for other in found[:n]} - set(pair)
            doubtful[pair] = doubtful[pair[1], pair[0]] = surer
        return doubtful

    def _nats_of(self, pair: Pair) -> float:
        return sum(self.nats(found.meeting, found.belief) for found in self._seen.get(pair, []))

    def _example(self, found: _Seen) -> dict[str, Any]:
        one = found.meeting
        return {
            "place": found.place,
            "state": one.later.state,
            "utterances": [one.earlier.id, one.later.id],
            "hours_later": one.hours,
            "right": borne_out(one.later, one.said, found.belief),
            "nats": self.nats(one, found.belief),
        }
