"""``tally@1``: the transparent logic, and how any logic's answers are read off a case.

Fixed party table, fixed motion, fixed copy rate; attribution collapsed; standing sources as sticky displays;
nothing learned. The filter is ``chain``, what speaks is ``assembly``, the numbers are ``params``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from ledger.clocks import iso
from projections.belief.assembly import Assembly, Key
from projections.belief.base import TIE as TIE
from projections.belief.base import UNKNOWN, Heard, Logic, Verdict, Why
from projections.belief.happenings import happenings
from projections.belief.labels import States
from projections.belief.motion import Motion, motion
from projections.blobs import Knot
from projections.case import Case, Ruling, Testimony
from projections.neighbours import lifted

TALLY = Logic("tally", 1, summary="fixed party table and motion, copies discounted, nothing learned")

#: Pieces for which hindsight computes the exact leave-one-out weight; the others keep their filter term.
_LEFT_OUT = 400

DAY_US = 86_400_000_000
EPOCH = 719_163


def end_of(day: int) -> int:
    """The last microsecond of a UTC day, since 1970."""
    return (day + 1 - EPOCH) * DAY_US - 1


def day_of(moment: int) -> int:
    """The UTC day of a moment (microseconds since 1970)."""
    return moment // DAY_US + EPOCH


def believed(states: States, probabilities: np.ndarray) -> str:
    """The most probable state; among equals the first in the order of the states."""
    return states.names[int(np.argmax(probabilities >= probabilities.max() - TIE))]


def judge(case: Case, logic: Logic, day: int, known: int) -> Verdict:
    """The belief about ``day`` from what was known by ``known``; hindsight where that is later than the day."""
    if logic.believe is not None:
        return _own_judgement(case, logic, day, known)
    return verdict_of(Assembly.known_by(case, logic, known), day, known)


def verdict_of(assembly: Assembly, day: int, known: int) -> Verdict:
    """Read one day's verdict off an assembly that has heard everything known by ``known``."""
    states = assembly.states
    notes = _poison_notes(assembly)
    if assembly.chain.empty(day):
        even = {name: 1 / len(states) for name in states.names}
        return Verdict(UNKNOWN, even, 0, 0, None, notes)
    hindsight = known > end_of(day)
    p = assembly.chain.smoothed(day) if hindsight else assembly.chain.filtered(day)
    origins, claims, newest = assembly.origins(day)
    return Verdict(
        believed(states, p), dict(zip(states.names, p.tolist(), strict=True)), origins, claims, newest, notes
    )


def _poison_notes(assembly: Assembly) -> tuple[str, ...]:
    return tuple(
        f"#{poison.piece.position} {poison.piece.id} is quarantined: {assembly.logic.id} raised {poison}"
        for poison in assembly.poisoned
    )


def cut(case: Case, known: int) -> Case:
    """The case as a logic's own ``believe`` may see it: only what was known by a moment."""
    testimony = []
    for piece in case.testimony:
        if piece.known > known or (piece.retracted is not None and piece.retracted <= known):
            continue
        if piece.voided is not None and piece.voided <= known:
            continue
        testimony.append(
            replace(
                piece,
                reports=tuple(report for report in piece.reports if report.known <= known),
                verdicts=[one for one in piece.verdicts if one[0] <= known],
                doubts=[one for one in piece.doubts if one[0] <= known],
                retracted=None,
                voided=None,
            )
        )
    kept = case.without(lambda _: False)
    kept.testimony = testimony
    kept.rulings = [ruling for ruling in case.rulings if ruling.known <= known]
    return kept


def _own_judgement(case: Case, logic: Logic, day: int, known: int) -> Verdict:
    """Ask a user's ``believe``; what it returns must be probabilities of the states."""
    assert logic.believe is not None
    visible = cut(case, known)
    heard = [piece for piece in visible.testimony if piece.lo <= day]
    states = case.states
    even = {name: 1 / len(states) for name in states.names}
    if not heard:
        return Verdict(UNKNOWN, even, 0, 0, None)
    newest = max(piece.said_day for piece in heard)
    origins = len({min(case.directory.linked(piece.source, piece.said_day)) for piece in heard})
    try:
        answer = dict(logic.believe(visible, day, known))
        p = np.array([float(answer.pop(name, 0.0)) for name in states.names])
        if answer or not np.isfinite(p).all() or (p < 0).any() or abs(p.sum() - 1) > 1e-6:
            raise ValueError(f"believe gave {p.tolist()} for {', '.join(states.names)}")
    except Exception as error:
        note = f"{case.place} is quarantined: {logic.id} raised {type(error).__name__}: {error}"
        return Verdict(UNKNOWN, even, origins, len(heard), newest, (note,))
    return Verdict(
        believed(states, p),
        dict(zip(states.names, (p / p.sum()).tolist(), strict=True)),
        origins,
        len(heard),
        newest,
    )


def diagonal(case: Case, logic: Logic) -> tuple[list[Knot], Assembly]:
    """Every knot of the place's "known then" beliefs, in order, and the assembly that has heard it all.

    On a day on which another estimate comes into force, all that was known before is heard anew.
    """
    knots: list[Knot] = []
    arrivals = happenings(case)
    turns = logic.learnt.turns(case.question) if logic.learnt else []
    bends = sorted({day_of(one.known) for one in arrivals})
    bends = sorted({*bends, *(day_of(turn) for turn in turns if bends and day_of(turn) > bends[0])})
    assembly = Assembly(case, logic, end_of(bends[0]) if bends else 0)
    i = 0
    for day, until in zip(bends, (*bends[1:], None), strict=False):
        if assembly.estimate is not (logic.learnt.by(case.question, end_of(day)) if logic.learnt else None):
            assembly, i = Assembly(case, logic, end_of(day)), 0
        while i < len(arrivals) and arrivals[i].known <= end_of(day):
            assembly.take(arrivals[i])
            i += 1
        knots.extend(_knots(assembly, day, until))
    return knots, assembly


def _knots(assembly: Assembly, day: int, until: int | None) -> Iterator[Knot]:
    """The knot of a day on which something arrived, and of later days already spoken of before the next."""
    # A repeat that weighs nothing makes no breakpoint, and is counted from its first day on all the same.
    assembly.counts.at(day)
    speaking = {*assembly.chain.later(day), *(begins for begins, *_ in assembly.counts.later)}
    ahead = sorted(d for d in speaking if until is None or d < until)
    for since in (day, *ahead):
        snapshot = assembly.chain.snapshot(since)
        if snapshot is not None:
            counts = assembly.counts.at(since)
            yield Knot(since, snapshot.day, snapshot.belief, snapshot.rates, *counts, assembly.displaying())
        elif since == day:
            yield Knot(since, since, (), (), 0, 0, None)


def read_knot(knot: Knot, day: int, states: States, logic: Logic) -> Verdict:
    """The verdict on a day that a knot answers for."""
    if not knot.belief:
        return Verdict(UNKNOWN, {name: 1 / len(states) for name in states.names}, 0, 0, None)
    name, p = carried(knot, day, states.names, motion(states, logic.params))
    return Verdict(name, p, knot.origins, knot.claims, knot.newest)


def carried(knot: Knot, day: int, names: tuple[str, ...], moving: Motion) -> tuple[str, dict[str, float]]:
    """The believed state and the probabilities of all on a day that a knot with a belief answers for."""
    forward = moving.forward(knot.belief, day - knot.at, knot.rates)
    total = 0.0
    for one in forward:  # one after another, as numpy adds up so few: the same in every version of Python
        total += one
    p = [one / total for one in forward]
    least = max(p) - TIE
    first = 0
    while p[first] < least:
        first += 1
    return names[first], dict(zip(names, p, strict=True))


def series(knots: list[Knot], days: list[int], states: States, logic: Logic) -> np.ndarray:
    """The diagonal on many days in ascending order: shape (days, states); rows of NaN where unknown."""
    out = np.full((len(days), len(states)), np.nan)
    n = -1
    for row, day in enumerate(days):
        while n + 1 < len(knots) and knots[n + 1].since <= day:
            n += 1
        if n >= 0 and knots[n].belief:
            knot = knots[n]
            p = np.asarray(motion(states, logic.params).forward(list(knot.belief), day - knot.at, knot.rates))
            out[row] = p / p.sum()
    return out


def names_of(rows: np.ndarray, states: States) -> list[str]:
    """The believed state of each row of ``series``; ``unknown`` for rows of NaN."""
    return [UNKNOWN if np.isnan(row[0]) else believed(states, row) for row in rows]


def explain(
    case: Case, logic: Logic, day: int, known: int, state: str | None = None, nearby: Sequence[float] = ()
) -> Why:
    """The verdict with every reason: weights in nats for the believed state against the runner-up, or for
    ``state`` against the most probable other one. ``nearby``, nats for each state, is what neighbours add."""
    if logic.believe is not None:
        return _own_reasons(case, logic, day, known, state, nearby)
    assembly = Assembly.known_by(case, logic, known)
    verdict = verdict_of(assembly, day, known)
    if nearby:
        verdict = lifted(verdict, nearby)
    ignored = tuple(
        Heard(piece, 0.0, reason)
        for piece, reason in sorted(assembly.ignored.values(), key=lambda one: one[0].position)
    )
    if verdict.believed == UNKNOWN:
        later = tuple(Heard(piece, 0.0, "speaks of a later day") for piece in assembly.heard.values())
        return Why(verdict, UNKNOWN, UNKNOWN, (), ignored + later, 0.0, 0.0, 0.0, True)
    a, b = _contest(verdict, assembly.states, state)
    neighbours = nearby[a] - nearby[b] if nearby else 0.0
    hindsight = known > end_of(day)
    explanation = assembly.chain.explain(day, a, b, hindsight=hindsight)
    weights: dict[Key, float] = {}
    for key, nats in cast("tuple[tuple[Key, float], ...]", explanation.terms + explanation.display_terms):
        # Each stretch of a display has a key of its own; they all speak for what was displayed.
        weights[key[:2]] = weights.get(key[:2], 0.0) + nats
    if hindsight:
        weights = _left_out(assembly, day, known, a, b, weights)
    heard = tuple(
        Heard(piece, nats, _remark(assembly, key, piece))
        for key, nats in weights.items()
        if (piece := _speaker(assembly, key)) is not None
    )
    later = tuple(
        Heard(piece, 0.0, "speaks of a later day")
        for piece in assembly.heard.values()
        if piece.lo > day and not hindsight
    )
    ordered = tuple(sorted(heard, key=lambda one: (-abs(one.weight), one.piece.position)))
    return Why(
        verdict,
        assembly.states.names[a],
        assembly.states.names[b],
        ordered,
        ignored + later,
        explanation.prior,
        explanation.staleness,
        explanation.total + neighbours,
        not hindsight,
        neighbours,
    )


def _contest(verdict: Verdict, states: States, state: str | None) -> tuple[int, int]:
    """Indices of the state asked about (the believed one if None) and of its strongest rival."""
    a = states.index(state or verdict.believed)
    others = [i for i in range(len(states)) if i != a]
    b = max(others, key=lambda i: (verdict.probabilities[states.names[i]], -i))
    return a, b


def _left_out(
    assembly: Assembly, day: int, known: int, a: int, b: int, terms: dict[Key, float]
) -> dict[Key, float]:
    """Hindsight weights: what the log-odds would lose without each piece (exact, copies re-judged)."""
    chosen = sorted(terms, key=lambda key: -abs(terms[key]))[:_LEFT_OUT]
    drawn = [key for key in chosen if key[0] == "shown"]
    said = [key for key in chosen if key[0] != "shown"]
    exclusions: list[set[Key]] = [set(), *({key} for key in said)]
    alternates = {n + 1: assembly.alternates({key[1]}) for n, key in enumerate(said) if key[0] == "said"}
    beliefs = assembly.chain.leave_out(
        exclusions,
        [day],
        hindsight=True,
        alternates={n: one.said for n, one in alternates.items()},
        held={n: one.held for n, one in alternates.items()},
    )[:, 0, :]
    odds = np.log(beliefs[:, a]) - np.log(beliefs[:, b])
    weights = dict(terms)
    weights.update({key: float(odds[0] - odds[n + 1]) for n, key in enumerate(said)})
    for key in drawn:
        # Without one change a display would have gone on showing what it showed before: drawn anew.
        left = Assembly.known_by(assembly.case.without(_is(key[1])), assembly.logic, known).chain.smoothed(
            day
        )
        weights[key] = float(odds[0] - (np.log(left[a]) - np.log(left[b])))
    return weights


def _is(entry: str) -> Callable[[Testimony], bool]:
    return lambda piece: piece.id == entry


def _speaker(assembly: Assembly, key: Key) -> Testimony | Ruling | None:
    if key[0] == "ruling":
        return next((ruling for ruling in assembly.case.rulings if ruling.id == key[1]), None)
    return assembly.piece_of(key)


def _remark(assembly: Assembly, key: Key, piece: Testimony | Ruling) -> str | None:
    if key[0] == "ruling":
        return "ruled by an analyst"
    if key[0] == "verdict":
        return f"an analyst's ruling on {piece.id}"
    remarks = [assembly.remarks[piece.id]] if piece.id in assembly.remarks else []
    repeated = assembly.repeats(piece.id)
    if repeated is not None:
        remarks.append(f"repeats {repeated}")
    if key[0] == "shown" and isinstance(piece, Testimony):
        display = assembly.displays.get((piece.source, piece.place))
        replaced = display.replaced(piece) if display else None
        if replaced is not None:
            remarks.append(f"superseded on {iso(replaced.start)} by {replaced.piece.id}")
    return "; ".join(remarks) or None


def _own_reasons(
    case: Case, logic: Logic, day: int, known: int, state: str | None, nearby: Sequence[float]
) -> Why:
    """For a logic that judges by itself: what leaving each piece out does to ln(P(believed)/P(runner-up))."""
    own = judge(case, logic, day, known)
    verdict = lifted(own, nearby) if nearby else own
    visible = cut(case, known)
    if verdict.believed == UNKNOWN:
        return Why(verdict, UNKNOWN, UNKNOWN, (), (), 0.0, 0.0, 0.0, False)
    a, b = _contest(verdict, case.states, state)
    names = case.states.names

    def odds(verdict: Verdict) -> float:
        floor = 1e-12
        p = verdict.probabilities
        return float(np.log(max(p[names[a]], floor)) - np.log(max(p[names[b]], floor)))

    total = odds(own)
    heard = []
    for piece in visible.testimony:
        if piece.lo <= day:
            left = judge(case.without(_is(piece.id)), logic, day, known)
            heard.append(Heard(piece, total - odds(left)))
    heard.sort(key=lambda one: (-abs(one.weight), one.piece.position))
    used = tuple(one for one in heard if one.weight)
    unused = tuple(Heard(one.piece, 0.0, "changes nothing in this logic") for one in heard if not one.weight)
    neighbours = nearby[a] - nearby[b] if nearby else 0.0
    return Why(verdict, names[a], names[b], used, unused, 0.0, 0.0, total + neighbours, False, neighbours)
