"""Credibility: how often what a source said was borne out by others, as of any moment.

An utterance is *confirmed* or *refuted* by an analyst's ruling on it; without one, by settled belief in
hindsight: at least ``settled_true``, or at most ``settled_false``, with the source, those linked to it and
those who carried it left out. A source is never scored by itself or by its carriers. What is not settled
stays *open*. Outlets that carry a claim with attribution are not scored for it at all.

Reliability is the posterior of a uniform Beta prior with its central 95% interval; the suggested Admiralty
letter (AJP-2.1: A completely reliable … E unreliable, F cannot be judged) needs a minimum number of settled
utterances.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from projections.belief.assembly import Assembly
from projections.belief.base import Logic
from projections.belief.labels import Label
from projections.belief.reading import doubts_evidence
from projections.belief.tally import DAY_US, EPOCH
from projections.case import Case, Testimony

#: (letter, settled utterances needed, mean reliability needed); assumptions, strictest first.
GRADES = (("A", 20, 0.90), ("B", 10, 0.75), ("C", 5, 0.55), ("D", 5, 0.35), ("E", 5, 0.0))
UNGRADED = "F"
#: Into how many stretches a time is divided to see whether something was so at some time in it (an assumption).
_LOOKS = 32


@dataclass(slots=True)
class Score:
    """What one source said, and what became of it. Addable across places."""

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

    def __iadd__(self, other: Score) -> Score:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    def to_dict(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in self.__slots__}


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
    spoken = [piece for piece in _scored(case, known) if piece.id not in assembly.unchanged]
    sources = sorted({piece.source for piece in spoken})
    if not sources:
        return {}
    carriers = _carriers(case, known)
    excluded = [_not_independent(source, case, carriers) for source in sources]
    probabilities, empty = _beliefs(assembly, spoken, excluded, known)
    said_by = _by_source(spoken)
    scores: dict[str, Score] = {}
    for row, source in enumerate(sources):
        total = scores.setdefault(source, Score())
        for piece in said_by[source]:
            truth = _truth(piece, case, probabilities[row], empty[row])
            _book(total, piece, _outcome(piece, truth, known, logic), case, known)
    return scores


def _scored(case: Case, known: int) -> Iterable[Testimony]:
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


def _carriers(case: Case, known: int) -> dict[str, set[str]]:
    """Source → those who carried it here, as known by a moment."""
    found: dict[str, set[str]] = {}
    for piece in case.testimony:
        for report in piece.reports:
            if report.via and report.known <= known:
                found.setdefault(piece.source, set()).update(report.via)
    return found


def _not_independent(source: str, case: Case, carriers: dict[str, set[str]]) -> frozenset[str]:
    """The source, those who speak with its voice, and those who carried any of them here."""
    voices = case.directory.linked(source)
    return voices.union(*(carriers.get(voice, ()) for voice in voices))


def _days(piece: Testimony) -> tuple[int, ...]:
    """The days on which a piece is held against the beliefs: what is meant of some time in an interval, on many
    days of it."""
    parts = _LOOKS if piece.valid_kind == "within" else 2
    return tuple(sorted({piece.lo + (piece.hi - piece.lo) * n // parts for n in range(parts + 1)}))


def _beliefs(
    assembly: Assembly, spoken: list[Testimony], excluded: list[frozenset[str]], known: int
) -> tuple[list[dict[int, np.ndarray]], list[int | None]]:
    """For each exclusion: the hindsight belief on every day spoken of, and the first day anything speaks."""
    days = sorted({day for piece in spoken for day in _days(piece)})
    heard = _by_source(assembly.heard.values())
    doubts = [piece for piece, _ in assembly.ignored.values() if doubts_evidence(piece)]
    begun = sorted((piece.lo, piece.source) for piece in assembly.heard.values())
    ruled = min((ruling.lo for ruling in assembly.case.rulings if ruling.known <= known), default=None)
    keys, said, held, firsts = [], {}, {}, []
    for row, sources in enumerate(excluded):
        gone = {piece.id for source in sources for piece in heard.get(source, ())}
        gone |= {piece.id for piece in doubts if piece.source in sources}
        keys.append(assembly.keys_of(gone))
        said[row], held[row] = assembly.alternates(gone)
        first = next((lo for lo, source in begun if source not in sources), None)
        firsts.append(min((day for day in (first, ruled) if day is not None), default=None))
    days = sorted({*days, *(first for first in firsts if first is not None)})
    beliefs = assembly.chain.leave_out(keys, days, hindsight=True, alternates=said, held=held)
    by_day = [dict(zip(days, rows, strict=True)) for rows in beliefs]
    for found, first in zip(by_day, firsts, strict=True):
        for day in days:
            if first is not None and day < first:
                # Whoever was the first to speak is held against what others said later, as far as that reaches back.
                likely = np.array(assembly.chain.motion.backward(found[first].tolist(), first - day))
                found[day] = likely / likely.sum()
    return by_day, firsts


def _truth(piece: Testimony, case: Case, beliefs: dict[int, np.ndarray], first: int | None) -> float | None:
    """The probability that a piece was right: averaged over its days, or on the best of them where it is meant
    of some time in an interval (for a denial, on the worst). None where nobody else speaks."""
    if first is None:
        return None
    label = label_said(piece, case)
    right = [_borne_out(piece, label, beliefs[day]) for day in _days(piece)]
    if piece.valid_kind == "within":
        return min(right) if label.kind == "not" else max(right)
    return float(np.mean(right))


def _borne_out(piece: Testimony, label: Label, p: np.ndarray) -> float:
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


def _outcome(piece: Testimony, truth: float | None, known: int, logic: Logic) -> str:
    verdicts = sorted(one for one in piece.verdicts if one[0] <= known)
    if verdicts:
        return {"true": "confirmed", "false": "refuted"}.get(verdicts[-1][2], "open")
    if truth is None or (piece.act == "predicts" and piece.hi > known // DAY_US + EPOCH):
        return "open"
    if truth >= logic.params.settled_true:
        return "confirmed"
    if truth <= logic.params.settled_false:
        return "refuted"
    return "open"


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


def _book(total: Score, piece: Testimony, outcome: str, case: Case, known: int) -> None:
    if piece.act == "predicts":
        total.predictions += 1
        total.kept += outcome == "confirmed"
        total.broken += outcome == "refuted"
        return
    total.utterances += 1
    total.retracted += piece.retracted is not None and piece.retracted <= known
    setattr(total, outcome, getattr(total, outcome) + 1)
    whose = interest(piece, case)
    if whose is None:
        return
    name = f"{whose}_interest"
    setattr(total, name, getattr(total, name) + 1)
    if outcome != "open":
        setattr(total, f"{whose}_{outcome}", getattr(total, f"{whose}_{outcome}") + 1)
