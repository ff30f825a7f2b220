"""Credibility: how often what a source said was borne out by others, as of any moment.

An utterance is *confirmed* or *refuted* by an analyst's ruling on it; without one, by settled belief in
hindsight: at least ``settled_true``, or at most ``settled_false``, with the source, those linked to it and
those who carried it left out. A source is never scored by itself or by its carriers. What is not settled
stays *open*. Outlets that carry a claim with attribution are not scored for it at all.

Reliability is the posterior of a uniform Beta prior with its central 95% interval; the suggested Admiralty
letter (AJP-2.1: A completely reliable … E unreliable, F cannot be judged) needs a minimum number of settled
utterances. The Brier score (Brier 1950, of one event: 0 best, 1 worst) takes each settled utterance as a
forecast: who asserts, concedes or denies says 1, who doubts says ``DOUBTED``; the outcome is the probability
that it was right, 1 or 0 where it was ruled on. How early a source spoke is in ``timing``.

All that is counted of one place and question adds up over others: squares are kept in ten-thousandths.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from projections.belief.assembly import Alternates, Assembly, Key
from projections.belief.base import Logic
from projections.belief.labels import Label
from projections.belief.reading import doubts_evidence
from projections.belief.tally import DAY_US, EPOCH
from projections.case import Case, Testimony
from projections.timing import Proposition, Stretch, Voices, came_true, days_early, looked_at

#: (letter, settled utterances needed, mean reliability needed); assumptions, strictest first.
GRADES = (("A", 20, 0.90), ("B", 10, 0.75), ("C", 5, 0.55), ("D", 5, 0.35), ("E", 5, 0.0))
UNGRADED = "F"
#: Into how many stretches a time is divided to see whether something was so at some time in it (an assumption).
_LOOKS = 32
#: How likely a doubt says that something is not so (an assumption); other acts leave no room.
DOUBTED = 0.75
#: The unit in which squared errors are kept: whole numbers add up to the same in any order.
ERROR_UNIT = 10_000


@dataclass(slots=True)
class Score:
    """What one source said, and what became of it. Addable across places.

    ``error`` is the sum of the squared errors of the settled utterances, in ``1/ERROR_UNIT``; ``premature`` and
    ``leads`` count statements, ``premature_days`` and ``lead_days`` are by how many days all of them together.
    """

    utterances: int = 0
    confirmed: int = 0
    refuted: int = 0
    open: int = 0
    retracted: int = 0
    own_interest: int = 0
    against_interest: int = 0
    own_confirmed: int = 0
    own_refuted: int = 0
    against_confirmed: int = 0
    against_refuted: int = 0
    predictions: int = 0
    kept: int = 0
    broken: int = 0
    error: int = 0
    premature: int = 0
    premature_days: int = 0
    leads: int = 0
    lead_days: int = 0

    def __iadd__(self, other: Score) -> Score:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def to_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


def brier(one: Score) -> float | None:
    """The mean squared error of the settled utterances, 0 to 1; None where none is settled."""
    settled = one.confirmed + one.refuted
    return one.error / ERROR_UNIT / settled if settled else None


def reliability(confirmed: int, refuted: int) -> tuple[float, float, float]:
    """Mean and central 95% interval of Beta(1 + confirmed, 1 + refuted)."""
    from scipy.special import betaincinv

    a, b = 1 + confirmed, 1 + refuted
    return a / (a + b), float(betaincinv(a, b, 0.025)), float(betaincinv(a, b, 0.975))


def grade(confirmed: int, refuted: int) -> str:
    """The suggested Admiralty letter; F where too little is settled."""
    settled = confirmed + refuted
    mean = (1 + confirmed) / (2 + settled)
    return next((letter for letter, n, least in GRADES if settled >= n and mean >= least), UNGRADED)


def score(case: Case, logic: Logic, known: int, heard: Assembly | None = None) -> dict[str, Score]:
    """Source id → score, from one case as known by a moment (microseconds since 1970). ``heard`` is an assembly
    that has heard just what was known by then, where there is one already."""
    if logic.believe is not None:
        logic = Logic(logic.name, logic.version, logic.params)
    assembly = heard or Assembly.known_by(case, logic, known)
    spoken = [piece for piece in scored(case, known) if piece.id not in assembly.unchanged]
    sources = sorted({piece.source for piece in spoken})
    if not sources:
        return {}
    carriers = carriers_of(case, known)
    excluded = [not_independent(source, case, carriers) for source in sources]
    others = Others(assembly, excluded, known)
    probabilities = others.hindsight(sorted({day for piece in spoken for day in _days(piece)}))
    said_by = _by_source(spoken)
    voices = Voices((_proposition(piece, case), piece) for piece in spoken if piece.act != "predicts")
    scores: dict[str, Score] = {}
    refuted: list[tuple[int, Testimony]] = []
    for row, source in enumerate(sources):
        total = scores.setdefault(source, Score())
        for piece in said_by[source]:
            truth = _truth(piece, case, probabilities[row], others.firsts[row])
            outcome, right = _outcome(piece, truth, known, logic)
            _book(total, piece, outcome, right, case, known)
            if outcome == "confirmed" and piece.act != "predicts":
                lead = voices.lead(_proposition(piece, case), piece.said_day, excluded[row])
                total.leads += lead is not None
                total.lead_days += lead or 0
            elif outcome == "refuted" and piece.act != "predicts" and label_said(piece, case).kind != "not":
                refuted.append((row, piece))
    for row, days in _premature(refuted, case, others, logic.params.settled_true, known):
        scores[sources[row]].premature += 1
        scores[sources[row]].premature_days += days
    return scores


def _premature(
    refuted: list[tuple[int, Testimony]], case: Case, others: Others, settled: float, known: int
) -> Iterable[tuple[int, int]]:
    """(row, days) of each refuted statement that came true later."""
    today = known // DAY_US + EPOCH
    looks = []
    for row, piece in refuted:
        first = others.firsts[row]
        days = looked_at(piece, first, today) if first is not None else ()
        if first is not None and days:
            looks.append((row, piece, first, days))
    held = others.on({(row, day) for row, piece, _, days in looks for day in (piece.hi, *days)})

    def so(row: int, piece: Testimony, held: Mapping[tuple[int, int], np.ndarray]) -> Callable[[int], bool]:
        label = label_said(piece, case)
        return lambda day: borne_out(piece, label, held[row, day]) >= settled

    found: list[tuple[int, Stretch]] = []
    for row, piece, first, days in looks:
        stretch = came_true(piece, days, first, so(row, piece, held))
        if stretch is not None:
            found.append((row, stretch))
    between = others.on({(row, day) for row, one in found for day in range(one.lo + 1, one.hi)})
    return [(row, days_early(one, so(row, one.piece, between))) for row, one in found]


def scored(case: Case, known: int) -> Iterable[Testimony]:
    """What is scored here: claims on the place itself and, as part-claims, on its named parts. What is said of
    a named part is scored with the whole, where others speak too, and not a second time on its own."""
    if case.directory.whole(case.place) is not None:
        return
    for piece in case.testimony:
        scored = piece.kind in ("claim", "display") and piece.state in case.states
        scored = scored and not doubts_evidence(piece)
        if scored and piece.known <= known and piece.reach in ("own", "part"):
            yield piece


def _by_source(pieces: Iterable[Testimony]) -> dict[str, list[Testimony]]:
    found: dict[str, list[Testimony]] = {}
    for piece in pieces:
        found.setdefault(piece.source, []).append(piece)
    return found


def carriers_of(case: Case, known: int) -> dict[str, set[str]]:
    """Source → those who carried it here, as known by a moment."""
    found: dict[str, set[str]] = {}
    for piece in case.testimony:
        for report in piece.reports:
            if report.via and report.known <= known:
                found.setdefault(piece.source, set()).update(report.via)
    return found


def not_independent(source: str, case: Case, carriers: dict[str, set[str]]) -> frozenset[str]:
    """The source, those who speak with its voice, and those who carried any of them here."""
    voices = case.directory.linked(source)
    return voices.union(*(carriers.get(voice, ()) for voice in voices))


def _days(piece: Testimony) -> tuple[int, ...]:
    """The days on which a piece is held against the beliefs: what is meant of some time in an interval, on many
    days of it."""
    parts = _LOOKS if piece.valid_kind == "within" else 2
    return tuple(sorted({piece.lo + (piece.hi - piece.lo) * n // parts for n in range(parts + 1)}))


class Others:
    """What is believed in hindsight without some sources, one set of them a row. ``firsts``: the first day that
    anything else speaks of, None where nothing does."""

    def __init__(self, assembly: Assembly, excluded: list[frozenset[str]], known: int) -> None:
        self.assembly = assembly
        self.firsts: list[int | None] = []
        self._keys: list[set[Key]] = []
        self._instead: list[Alternates] = []
        heard = _by_source(assembly.heard.values())
        doubts = [piece for piece, _ in assembly.ignored.values() if doubts_evidence(piece)]
        begun = sorted((piece.lo, piece.source) for piece in assembly.heard.values())
        ruled = min((ruling.lo for ruling in assembly.case.rulings if ruling.known <= known), default=None)
        for sources in excluded:
            gone = {piece.id for source in sources for piece in heard.get(source, ())}
            gone |= {piece.id for piece in doubts if piece.source in sources}
            self._keys.append(assembly.keys_of(gone))
            self._instead.append(assembly.alternates(gone))
            first = next((lo for lo, source in begun if source not in sources), None)
            self.firsts.append(min((day for day in (first, ruled) if day is not None), default=None))

    def _beliefs(self, rows: list[int], days: list[int]) -> np.ndarray:
        """Shape (rows, days, states)."""
        return self.assembly.chain.leave_out(
            [self._keys[row] for row in rows],
            days,
            hindsight=True,
            alternates={n: self._instead[row].said for n, row in enumerate(rows)},
            held={n: self._instead[row].held for n, row in enumerate(rows)},
        )

    def hindsight(self, days: list[int]) -> list[dict[int, np.ndarray]]:
        """Day → belief for each row."""
        days = sorted({*days, *(first for first in self.firsts if first is not None)})
        beliefs = self._beliefs(list(range(len(self.firsts))), days)
        by_day = [dict(zip(days, rows, strict=True)) for rows in beliefs]
        for found, first in zip(by_day, self.firsts, strict=True):
            for day in days:
                if first is not None and day < first:
                    # Whoever was the first to speak is held against what others said later, as far as that
                    # reaches back.
                    motion = self.assembly.chain.motion
                    likely = np.array(motion.backward(found[first].tolist(), first - day))
                    found[day] = likely / likely.sum()
        return by_day

    def on(self, asked: set[tuple[int, int]]) -> dict[tuple[int, int], np.ndarray]:
        """(row, day) → belief, at least of those asked for."""
        if not asked:
            return {}
        rows, days = (sorted({one[n] for one in asked}) for n in (0, 1))
        beliefs = self._beliefs(rows, days)
        return {(row, day): beliefs[i, j] for i, row in enumerate(rows) for j, day in enumerate(days)}


def _truth(piece: Testimony, case: Case, beliefs: dict[int, np.ndarray], first: int | None) -> float | None:
    """The probability that a piece was right: averaged over its days, or on the best of them where it is meant
    of some time in an interval (for a denial, on the worst). None where nobody else speaks."""
    if first is None:
        return None
    label = label_said(piece, case)
    right = [borne_out(piece, label, beliefs[day]) for day in _days(piece)]
    if piece.valid_kind == "within":
        return min(right) if label.kind == "not" else max(right)
    return float(np.mean(right))


def borne_out(piece: Testimony, label: Label, p: np.ndarray) -> float:
    """The probability that a piece was right of one day."""
    if label.kind == "not":
        return float(1 - p[label.state])
    if label.kind == "part":
        # What was foretold of a named part is not yet borne out by a contest somewhere in the whole.
        contested = 0.5 if piece.act == "predicts" and piece.reach == "part" else 1.0
        return float(p[label.state] + contested * p[-1])
    return float(p[label.state])


def label_said(piece: Testimony, case: Case) -> Label:
    """What a piece says, for scoring: doubts as denials, predictions as if asserted."""
    state = case.states.index(piece.state or "")
    if piece.negated or piece.act in ("denies", "doubts"):
        return Label("not", state)
    part = piece.extent == "part" or piece.reach == "part"
    if part and state < len(case.states.parties):
        return Label("part", state)
    return Label("is", state)


def _proposition(piece: Testimony, case: Case) -> Proposition:
    label = label_said(piece, case)
    return piece.place if piece.reach == "part" else "", label.kind, label.state


def _outcome(piece: Testimony, truth: float | None, known: int, logic: Logic) -> tuple[str, float]:
    """What became of a piece, and how likely it was right; that is 0 where it is open."""
    verdicts = sorted(one for one in piece.verdicts if one[0] <= known)
    if verdicts:
        ruled = {"true": ("confirmed", 1.0), "false": ("refuted", 0.0)}
        return ruled.get(verdicts[-1][2], ("open", 0.0))
    if truth is None or (piece.act == "predicts" and piece.hi > known // DAY_US + EPOCH):
        return "open", 0.0
    if truth >= logic.params.settled_true:
        return "confirmed", truth
    if truth <= logic.params.settled_false:
        return "refuted", truth
    return "open", 0.0


def interest(piece: Testimony, case: Case) -> str | None:
    """``own`` where a piece serves the side of its source, ``against`` where it hurts it, else None."""
    side = case.relation(piece.source)
    if side is None or piece.state not in case.states:
        return None
    label = label_said(piece, case)
    if label.state >= len(case.states.parties):
        return None
    positive = label.kind != "not"
    return "own" if (label.state == side) == positive else "against"


def _book(total: Score, piece: Testimony, outcome: str, right: float, case: Case, known: int) -> None:
    if piece.act == "predicts":
        total.predictions += 1
        total.kept += outcome == "confirmed"
        total.broken += outcome == "refuted"
        return
    total.utterances += 1
    total.retracted += piece.retracted is not None and piece.retracted <= known
    setattr(total, outcome, getattr(total, outcome) + 1)
    if outcome != "open":
        missed = (DOUBTED if piece.act == "doubts" else 1.0) - right
        total.error += int(missed * missed * ERROR_UNIT + 0.5)
    whose = interest(piece, case)
    if whose is None:
        return
    name = f"{whose}_interest"
    setattr(total, name, getattr(total, name) + 1)
    if outcome != "open":
        setattr(total, f"{whose}_{outcome}", getattr(total, f"{whose}_{outcome}") + 1)
