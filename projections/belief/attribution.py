"""Whose doing a difference is: the log-odds of one state against another, before and after, claim by claim.

Both sides are asked about the same day and the same two states. Three ways lead from one to the other:

* Two logics, or one with and without some sources, *known then*: under filtering the log-odds are a sum of
  terms (``odds``), so their difference is the sum of the terms' differences.
* One logic at two moments of knowledge. Hindsight weights do not add up, so what became known in between is
  heard once more, one happening after another, each credited with the change that it made when it came.
  Where the moment passes the end of the day asked about, later days begin to count: that change is nobody's
  doing and belongs to time.
* A logic that judges by itself has no terms: what leaving a piece out does is its weight, and what these
  weights do not account for is the remainder.
* A logic that learns may have learnt between two moments of knowledge: what that makes of the claims known at
  the first is the remainder, too.

Where neighbours count, what they add on either side is one more term.

``change = prior + staleness + remainder + neighbours + Σ (after − before)`` holds of every difference, but for
rounding.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, cast

from projections.belief.assembly import Assembly
from projections.belief.base import UNKNOWN, Logic, Verdict
from projections.belief.chain import Chain, Point
from projections.belief.happenings import Happening, happenings
from projections.belief.spoken import Logs
from projections.belief.tally import cut, end_of, judge
from projections.case import Case, Ruling, Testimony

Piece = Testimony | Ruling

#: Stands in for a probability of 0, which only a logic that judges by itself can give (an assumption).
_FLOOR = 1e-12


class Ask(NamedTuple):
    """A day (ordinal), and the indices of the two states whose odds are asked for: ``a`` against ``b``."""

    day: int
    a: int
    b: int


@dataclass(frozen=True, slots=True)
class Account:
    """One side: ``prior + Σ weights + staleness + remainder = total``, in nats. All 0 where nothing is believed.

    ``weights`` are by id of testimony or ruling: what a piece said, what it displayed and what an analyst ruled
    on it are one. ``additive`` is False where the weights are no terms of a sum but for the remainder.
    """

    total: float = 0.0
    prior: float = 0.0
    staleness: float = 0.0
    remainder: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    additive: bool = True


class Share(NamedTuple):
    """One piece's part in a difference: its weight on each side, in nats for ``a``."""

    piece: Piece
    before: float
    after: float

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Difference:
    """Two log-odds and what lies between them; see the module."""

    before: float
    after: float
    prior: float
    staleness: float
    remainder: float
    shares: tuple[Share, ...]
    additive: bool
    neighbours: float = 0.0

    @property
    def change(self) -> float:
        return self.after - self.before


def difference(one: Account, other: Account, pieces: Mapping[str, Piece]) -> Difference:
    """What leads from one account to another, the pieces that changed most first."""
    names = dict.fromkeys((*one.weights, *other.weights))
    shares = [Share(pieces[name], one.weights.get(name, 0.0), other.weights.get(name, 0.0)) for name in names]
    return Difference(
        one.total,
        other.total,
        other.prior - one.prior,
        other.staleness - one.staleness,
        other.remainder - one.remainder,
        _ordered(shares),
        one.additive and other.additive,
    )


def unexplained(before: float, after: float) -> Difference:
    """A difference of which nothing is known but its size."""
    return Difference(before, after, 0.0, 0.0, after - before, (), False)


def beside(one: Difference, before: float, after: float) -> Difference:
    """A difference with what neighbours add on either side, in nats for ``a`` against ``b``."""
    return replace(one, before=one.before + before, after=one.after + after, neighbours=after - before)


def pieces_of(*cases: Case) -> dict[str, Piece]:
    """All that can be credited in some cases, by id."""
    found: dict[str, Piece] = {}
    for case in cases:
        found |= {piece.id: piece for piece in (*case.beside.values(), *case.testimony)}
        found |= {ruling.id: ruling for ruling in case.rulings}
    return found


def known_then(case: Case, logic: Logic, asked: Sequence[Ask], now: int) -> list[Account]:
    """The account of every day asked about from what was known by its end, or by ``now`` where it is not over;
    one hearing serves them all."""
    if logic.believe is not None:
        return [left_out(case, logic, ask, min(end_of(ask.day), now)) for ask in asked]
    told, taken = happenings(case), 0
    assembly: Assembly | None = None
    found: dict[Ask, Account] = {}
    for ask in sorted(set(asked)):
        known = min(end_of(ask.day), now)
        if assembly is None or (
            logic.learnt and logic.learnt.by(case.question, known) is not assembly.estimate
        ):
            assembly, taken = Assembly(case, logic, known), 0
        while taken < len(told) and told[taken].known <= end_of(ask.day):
            assembly.take(told[taken])
            taken += 1
        found[ask] = _filtered(assembly.chain, ask)
    return [found[ask] for ask in asked]


def _filtered(chain: Chain, ask: Ask) -> Account:
    explanation = chain.explain(*ask)
    weights: dict[str, list[float]] = {}
    terms = cast("tuple[tuple[tuple[Any, ...], float], ...]", explanation.terms + explanation.display_terms)
    for key, nats in terms:
        weights.setdefault(key[1], []).append(nats)
    return Account(
        explanation.total,
        explanation.prior,
        explanation.staleness,
        weights={name: math.fsum(nats) for name, nats in weights.items()},
    )


def left_out(case: Case, logic: Logic, ask: Ask, known: int) -> Account:
    """The account of a logic that judges by itself: each piece's weight is what leaving it out takes away."""
    verdict = judge(case, logic, ask.day, known)
    if verdict.believed == UNKNOWN:
        return Account(additive=False)
    total = _log_odds(verdict, case, ask)
    weights = {}
    for piece in cut(case, known).testimony:
        if piece.lo <= ask.day:
            left = judge(case.without(_is(piece)), logic, ask.day, known)
            weights[piece.id] = total - _log_odds(left, case, ask)
    return Account(total, remainder=total - math.fsum(weights.values()), weights=weights, additive=False)


def arrived(case: Case, logic: Logic, first: int, second: int, asked: Sequence[Ask]) -> list[Difference]:
    """From what is believed with what was known by ``first`` to what is with all known by ``second`` (later):
    the very numbers that ``judge`` gives for the two moments, in hindsight where the day is over by then.

    Credit counts from the first moment, so every share is 0 before. One hearing serves all that is asked. Where
    a logic has learnt in between, what was known before is heard anew first: that change is the remainder.
    """
    pieces = pieces_of(case)
    if logic.believe is not None:
        return [
            difference(left_out(case, logic, ask, first), left_out(case, logic, ask, second), pieces)
            for ask in asked
        ]
    told = happenings(case)
    assembly = Assembly.known_by(case, logic, first)
    tracks = [_Track(assembly.chain, ask, first) for ask in asked]
    if logic.learnt and logic.learnt.by(case.question, second) is not assembly.estimate:
        assembly = Assembly(case, logic, second)
        for happening in told:
            if happening.known <= first:
                assembly.take(happening)
        for track in tracks:
            track.hear_anew(assembly.chain)
    for happening in told:
        if first < happening.known <= second:
            for track in tracks:
                track.pass_time(happening.known)
            assembly.take(happening)
            for track in tracks:
                track.credit(_whose(happening, pieces).id)
    for track in tracks:
        track.pass_time(second)
    return [track.difference(pieces) for track in tracks]


class _Track:
    """The log-odds of one question while knowledge grows, and who moved them."""

    def __init__(self, chain: Chain, ask: Ask, known: int) -> None:
        self.chain, self.ask = chain, ask
        self.later = _Later(chain, ask)
        self.hindsight = known > end_of(ask.day)
        self.start = self.now = self.odds()
        self.time = self.learning = 0.0
        self.credits: dict[str, list[float]] = {}

    def odds(self) -> float:
        day, a, b = self.ask
        if self.chain.empty(day):
            return 0.0
        logs = self.chain.alpha(day)
        return logs[a] - logs[b] + (self.later.odds() if self.hindsight else 0.0)

    def pass_time(self, known: int) -> None:
        """Once the day is over, what is known of later days begins to count."""
        if not self.hindsight and known > end_of(self.ask.day):
            self.hindsight = True
            before, self.now = self.now, self.odds()
            self.time = self.now - before

    def hear_anew(self, chain: Chain) -> None:
        """Go on with a chain of the same happenings in which sources are heard otherwise."""
        self.chain, self.later = chain, _Later(chain, self.ask)
        before, self.now = self.now, self.odds()
        self.learning = self.now - before

    def credit(self, name: str) -> None:
        before, self.now = self.now, self.odds()
        if self.now != before:
            self.credits.setdefault(name, []).append(self.now - before)

    def difference(self, pieces: Mapping[str, Piece]) -> Difference:
        shares = [Share(pieces[name], 0.0, math.fsum(nats)) for name, nats in self.credits.items()]
        return Difference(self.start, self.now, 0.0, self.time, self.learning, _ordered(shares), True)


class _Later:
    """What all later days say of a day, as log-odds of its two states: ln P(said later | a) − ln P(said later | b).

    That is what ``Chain.beta`` says, found from the day onward: what arrives mostly speaks of the last days, so
    that nearly all of the way is still valid when it comes, where a backward pass would begin anew.
    """

    def __init__(self, chain: Chain, ask: Ask) -> None:
        self.chain, self.day = chain, ask.day
        size = chain.motion.size
        self._begin = [
            tuple(0.0 if i == state else -math.inf for i in range(size)) for state in (ask.a, ask.b)
        ]
        self._points: list[Point] = []
        self._reached: list[list[tuple[Logs, float]]] = []

    def odds(self) -> float:
        days = self.chain.spoken.days
        first = bisect_right(days, self.day)
        self._forget(first, len(days) - first)
        for i in range(first + len(self._points), len(days)):
            rates, since = self.chain.point(i - 1).rates, max(days[i - 1], self.day)
            evidence = self.chain.spoken.evidence(days[i])
            before = self._reached[-1] if self._reached else [(logs, 0.0) for logs in self._begin]
            reached = []
            for logs, sum_ in before:
                moved = self.chain.move(logs, days[i] - since, rates)
                reached.append(_scaled(tuple(map(float.__add__, moved, evidence)), sum_))
            self._points.append(self.chain.point(i))
            self._reached.append(reached)
        if not self._reached:
            return 0.0
        return self._reached[-1][0][1] - self._reached[-1][1][1]

    def _forget(self, first: int, count: int) -> None:
        """Drop what no longer holds: the chain makes a point anew wherever something before it has changed."""
        low, high = 0, min(count, len(self._points))
        while low < high:
            middle = (low + high) // 2
            if self.chain.point(first + middle) is self._points[middle]:
                low = middle + 1
            else:
                high = middle
        del self._points[low:], self._reached[low:]


def _scaled(logs: Logs, before: float) -> tuple[Logs, float]:
    """Logs of numbers that sum to 1, and the log of what they summed to, added to that of earlier ones."""
    most = max(logs)
    total = most + math.log(math.fsum(math.exp(log - most) for log in logs))
    return tuple(log - total for log in logs), before + total


def _whose(happening: Happening, pieces: Mapping[str, Piece]) -> Piece:
    """To whom a happening is credited: who spoke, who took it back, what was ruled on; a doubt to the doubter,
    where it was said here."""
    what = happening.what
    if happening.act in ("doubted", "dispelled"):
        evidence, doubt = what
        return pieces.get(doubt, evidence)
    return cast("Piece", what[0] if happening.act == "adjudicated" else what)


def _ordered(shares: Iterable[Share]) -> tuple[Share, ...]:
    """The greatest change first; of what differs by rounding alone, the one recorded earlier."""
    return tuple(sorted(shares, key=lambda one: (-round(abs(one.change), 9), one.piece.position)))


def _is(piece: Testimony) -> Any:
    return lambda other: other.id == piece.id


def _log_odds(verdict: Verdict, case: Case, ask: Ask) -> float:
    a, b = (max(verdict.probabilities[case.states.names[i]], _FLOOR) for i in (ask.a, ask.b))
    return math.log(a) - math.log(b)
