"""Answers as plain values, ready to be printed as JSON or a table: as-of and why.

Commands and pages call the same functions. Every answer begins with the desk's header, so that it can be
cited and derived again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ledger.clocks import instant_key, iso, utc_text
from ledger.codec import decode
from projections.belief.base import UNKNOWN, Heard, Verdict, Why, jsonable
from projections.belief.tally import DAY_US, EPOCH, end_of, explain, judge, read_knot
from projections.blobs import Knot
from projections.case import Case, Ruling, Testimony, states_of
from projections.desk import Clocks, Desk, Without
from projections.many import Shapes
from projections.neighbours import Around, Part
from projections.shapes import UNSEEN_DAYS, stale_notes, unseen_notes, verdict_shape
from projections.viewpoint import top

#: Places up to which each is looked up by itself.
_FEW = 8


def as_of(
    desk: Desk, clocks: Clocks, places: Sequence[str], question: str, without: Sequence[Without] = ()
) -> dict[str, Any]:
    """The state of places on a day (schema ``as-of/1``)."""
    answer = desk.header("as-of/1", clocks, question)
    around = _around(desk, clocks)
    plain = clocks.diagonal and desk.loaded.logic.believe is None and desk.supposed is None and not without
    if plain and not around and len(places) > _FEW:
        answer["answers"] = _looked_up(desk, clocks, places, question)
    else:
        answer["answers"] = [_place(desk, clocks, place, question, without, around) for place in places]
    if desk.supposed is not None and len(places) == 1:
        [one] = answer["answers"]
        one["notes"] += desk.supposed.without_effect(one["change"], clocks)
    answer["without"] = [one.text for one in without]
    return answer


def _looked_up(desk: Desk, clocks: Clocks, places: Sequence[str], question: str) -> list[dict[str, Any]]:
    """What ``_place`` says of each of many places on the diagonal, read and carried all at once."""
    shapes = Shapes(desk, clocks, question, _hindsight_note(desk, clocks))
    swept = desk.beliefs.sweep(question, clocks.day, clocks.day - UNSEEN_DAYS, frozenset(places))
    found = shapes.of(*swept) if swept else {}
    answers = [found[place] if place in found else shapes.unknown(place) for place in places]
    corrected = desk.corrected(clocks.position)
    for one in answers:
        if (place := one["place"]["id"]) in corrected:
            one["notes"][:0] = _corrections(desk, clocks, place, question)
    return answers


def _place(
    desk: Desk,
    clocks: Clocks,
    place: str,
    question: str,
    without: Sequence[Without],
    around: Around | None = None,
) -> dict[str, Any]:
    if around is None:
        around = _around(desk, clocks)
    verdict, case, knot = believe(desk, clocks, place, question, around)
    displays = knot.displays if knot else ()
    if desk.supposed is not None:
        displays = desk.supposed.displays(clocks, place, question)
    notes = list(verdict.notes) + _notes(desk, clocks, place, question, verdict, displays)
    answer = _verdict(desk, clocks, place, question, verdict, notes)
    if without:
        case = case or desk.case(place, question, clocks.position)
        left = judge(case.without(desk.excludes(without)), desk.loaded.logic, clocks.day, clocks.known)
        left = around.verdict(place, left, "without", _alone(desk, clocks, question, without))
        change = {state: left.probabilities[state] - p for state, p in verdict.probabilities.items()}
        answer = _verdict(desk, clocks, place, question, left, notes)
        answer["change"] = jsonable(change)
        verdict = left
    _suppose(desk, clocks, place, question, verdict, answer)
    return answer


def _suppose(
    desk: Desk, clocks: Clocks, place: str, question: str, verdict: Verdict, answer: dict[str, Any]
) -> None:
    """Where some of it was never recorded, say so, and what differs from the record alone."""
    if desk.supposed is not None:
        change = desk.supposed.change(verdict, clocks, place, question)
        answer["change"] = jsonable(change)
        answer["hypothetical"] = True


def believe(
    desk: Desk, clocks: Clocks, place: str, question: str, around: Around | None = None
) -> tuple[Verdict, Case | None, Knot | None]:
    """The verdict on a place with its neighbours' part, if they count; ``around`` keeps theirs for the next."""
    own, case, knot = _own(desk, clocks, place, question)
    if around is None:
        around = _around(desk, clocks)
    told = around.verdict(place, own, "all", lambda one: _own(desk, clocks, one, question)[0])
    return told, case, knot


def _around(desk: Desk, clocks: Clocks) -> Around:
    return Around(desk.directory_at(clocks.position), desk.loaded.logic.params)


def _alone(desk: Desk, clocks: Clocks, question: str, without: Sequence[Without]) -> Callable[[str], Verdict]:
    """What is believed of each place by itself, with something left out."""
    excluded = desk.excludes(without)

    def alone(place: str) -> Verdict:
        case = desk.case(place, question, clocks.position)
        seen = case.without(excluded) if without else case
        return judge(seen, desk.loaded.logic, clocks.day, clocks.known)

    return alone


def _own(desk: Desk, clocks: Clocks, place: str, question: str) -> tuple[Verdict, Case | None, Knot | None]:
    """The verdict on a place by itself: a look-up on the diagonal, else a refilter of its case."""
    logic = desk.loaded.logic
    if clocks.diagonal and logic.believe is None:
        knot = desk.beliefs.knot(place, question, clocks.day)
        states = states_of(desk.directory, question)
        if knot is None:
            even = {name: 1 / len(states) for name in states.names}
            return Verdict(UNKNOWN, even, 0, 0, None), None, None
        return read_knot(knot, clocks.day, states, logic), None, knot
    case = desk.case(place, question, clocks.position)
    return judge(case, logic, clocks.day, clocks.known), case, None


def _verdict(
    desk: Desk, clocks: Clocks, place: str, question: str, verdict: Verdict, notes: list[str]
) -> dict[str, Any]:
    return verdict_shape(
        place_shape(desk, place),
        question,
        verdict.believed,
        verdict.probabilities,
        verdict.origins,
        verdict.claims,
        verdict.newest,
        clocks.day,
        notes,
    )


def place_shape(desk: Desk, place: str) -> dict[str, str]:
    found = desk.directory.places.get(place)
    return {"id": place, "name": found.name if found else place}


def _notes(
    desk: Desk,
    clocks: Clocks,
    place: str,
    question: str,
    verdict: Verdict,
    displays: Sequence[tuple[str, int]] = (),
) -> list[str]:
    notes = _corrections(desk, clocks, place, question)
    if verdict.believed == UNKNOWN:
        notes += _hindsight(desk, clocks, place, question)
    else:
        notes += stale_notes(verdict.newest, clocks.day)

    def name_of(source: str) -> str:
        return desk.directory.sources[source].name if source in desk.directory.sources else source

    return notes + unseen_notes(displays, clocks.day, name_of)


def _corrections(desk: Desk, clocks: Clocks, place: str, question: str) -> list[str]:
    """A line for each correction that took an entry out of the answer or brought it in."""
    notes = []
    for one in desk.redated(place, question, clocks.position):
        if moved := one.moved(clocks.known, clocks.day):
            real = desk.supposed is None or one.position <= desk.supposed.after
            which = f"correction #{one.position}" if real else "a hypothetical correction"
            notes.append(f"{which} {moved} {one.words}")
    return notes


def _hindsight(desk: Desk, clocks: Clocks, place: str, question: str) -> list[str]:
    """One line where nothing was known by then but something is known now."""
    note = _hindsight_note(desk, clocks)
    if note is None:
        return []
    if clocks.diagonal and desk.loaded.logic.believe is None:
        first = desk.beliefs.first_day(place, question)
        if first is None or first > clocks.day:
            return []
    else:
        now = instant_key(utc_text(desk.now))
        later = judge(desk.case(place, question, clocks.position), desk.loaded.logic, clocks.day, now)
        if later.believed == UNKNOWN:
            return []
    return [note]


def _hindsight_note(desk: Desk, clocks: Clocks) -> str | None:
    """What to add where nothing was known by then; None where there is no later knowledge to ask for."""
    now = instant_key(utc_text(desk.now))
    if now <= clocks.known:
        return None
    return f"nothing was known by then; hindsight knows more: add --known-by {iso(now // DAY_US + EPOCH)}"


def why(
    desk: Desk,
    clocks: Clocks,
    place: str,
    question: str,
    without: Sequence[Without] = (),
    state: str | None = None,
) -> dict[str, Any]:
    """A verdict with every reason (schema ``why/1``): weights in nats for the believed state, or for
    ``state``, against its strongest rival."""
    answer = desk.header("why/1", clocks, question)
    full = desk.case(place, question, clocks.position)
    case = full.without(desk.excludes(without)) if without else full
    around, alone = _around(desk, clocks), _alone(desk, clocks, question, without)
    parts = around.parts(place, "all", alone)
    nats = [around.strength * part for part in _pull(parts)]
    reasons = explain(case, desk.loaded.logic, clocks.day, clocks.known, state, nats)
    notes = list(reasons.verdict.notes)
    notes += _notes(desk, clocks, place, question, reasons.verdict)
    answer["answer"] = _verdict(desk, clocks, place, question, reasons.verdict, notes)
    _suppose(desk, clocks, place, question, reasons.verdict, answer["answer"])
    if desk.supposed is not None:
        notes += desk.supposed.without_effect(answer["answer"]["change"], clocks)
    answer["state"] = reasons.state
    answer["rival"] = reasons.against
    answer["hindsight"] = clocks.known > end_of(clocks.day)
    answer["additive"] = reasons.additive
    answer["prior"] = jsonable(reasons.prior)
    answer["staleness"] = jsonable(reasons.staleness)
    if around:
        answer["neighbours_sum"] = jsonable(reasons.neighbours)
        answer["neighbours"] = _neighbours(desk, around, parts, reasons)
    answer["total"] = jsonable(reasons.total)
    answer["for"] = [_heard(desk, clocks, one) for one in reasons.heard if one.weight > 0]
    answer["against"] = [_heard(desk, clocks, one) for one in reasons.heard if one.weight < 0]
    alike = f"as likely said under {reasons.state} as under {reasons.against}"
    silent = [replace(one, reason=one.reason or alike) for one in reasons.heard if one.weight == 0]
    answer["ignored"] = [_heard(desk, clocks, one) for one in (*silent, *reasons.ignored)]
    answer["ignored"] += _carriers(reasons.heard)
    answer["contradictions"] = contradictions(case, clocks.known)
    answer["without"] = [one.text for one in without]
    return answer


def _pull(parts: Sequence[Part]) -> list[float]:
    """What all neighbours say together, one number a state; empty where there are none."""
    rows = [[part.share * (p - 1 / len(part.belief)) for p in part.belief.tolist()] for part in parts]
    return [math.fsum(column) for column in zip(*rows, strict=True)]


def _neighbours(desk: Desk, around: Around, parts: Sequence[Part], reasons: Why) -> list[dict[str, Any]]:
    """Each neighbour's part in nats, the greatest first; they add up to ``neighbours_sum``."""
    names = list(reasons.verdict.probabilities)
    if reasons.state == UNKNOWN:
        return []
    a, b = names.index(reasons.state), names.index(reasons.against)
    lines = [
        {
            "place": part.place,
            "name": place_shape(desk, part.place)["name"],
            "km": round(part.km, 3),
            "share": jsonable(part.share),
            "weight": jsonable(around.strength * part.share * float(part.belief[a] - part.belief[b])),
            "believed": names[int(top(part.belief[None])[0])],
            "probabilities": dict(zip(names, jsonable(part.belief.tolist()), strict=True)),
        }
        for part in parts
    ]
    return sorted(lines, key=lambda line: (-abs(line["weight"]), line["km"], line["place"]))


def _heard(desk: Desk, clocks: Clocks, one: Heard) -> dict[str, Any]:
    line = _heard_line(one)
    remarks = [one.reason, _erased(desk, clocks, one.piece)]
    if desk.supposed is not None:
        line["hypothetical"] = desk.supposed.made(one.piece)
        remarks.append(desk.supposed.remark(one.piece, clocks.known))
    line["reason"] = "; ".join(filter(None, remarks)) or None
    return line


def _erased(desk: Desk, clocks: Clocks, piece: Testimony | Ruling) -> str | None:
    """That the text of some report was erased on purpose. What it says stays, and so does its weight."""
    entries = [report.entry for report in piece.reports] if isinstance(piece, Testimony) else [piece.id]
    for entry in entries:
        for row in desk.ledger.store.stream(entry.partition("@")[0]):
            if row.position > clocks.position or not row.topic.startswith("entry-redacted/"):
                continue
            if decode(row).data.get("target") == entry:
                return f"redacted at #{row.position}: its text is erased, what it says is kept"
    return None


def _heard_line(one: Heard) -> dict[str, Any]:
    piece = one.piece
    if not isinstance(piece, Testimony):
        return {
            "utterance": piece.id,
            "claimant": piece.by,
            "via": [],
            "act": "rules",
            "state": piece.state,
            "said": iso(piece.known // 86_400_000_000 + EPOCH),
            "weight": jsonable(one.weight),
            "reason": one.reason,
        }
    return {
        "utterance": piece.id,
        "claimant": piece.source,
        "via": [list(report.via) for report in piece.reports],
        "act": piece.act,
        "state": said_state(piece),
        "said": piece.reports[0].said or piece.reports[0].published or iso(piece.said_day),
        "weight": jsonable(one.weight),
        "reason": one.reason,
    }


def said_state(piece: Testimony) -> str | None:
    """The proposition in one word: ``RU``, ``not-RU``, ``part-UA``."""
    if piece.state is None:
        return "nothing" if piece.kind == "withdrawal" else None
    state = f"not-{piece.state}" if piece.negated else piece.state
    return f"part-{state}" if piece.extent == "part" else state


def _carriers(heard: Sequence[Heard]) -> list[dict[str, Any]]:
    """Those who passed utterances on: listed, so that an editor sees that they were not counted."""
    carried: dict[str, list[Testimony]] = {}
    for one in heard:
        if isinstance(one.piece, Testimony):
            for carrier in dict.fromkeys(via for report in one.piece.reports for via in report.via):
                carried.setdefault(carrier, []).append(one.piece)
    return [
        {
            "utterance": None,
            "claimant": carrier,
            "via": [],
            "act": "carries",
            "state": said_state(pieces[0]),
            "said": None,
            "weight": 0.0,
            "reason": f"carrier of {', '.join(dict.fromkeys(piece.source for piece in pieces))}: no witness",
        }
        for carrier, pieces in sorted(carried.items())
    ]


def contradictions(case: Case, known: int) -> list[dict[str, Any]]:
    """Reports in which one claimant says of one day both that a state holds wholly and that it does not."""
    found = []
    spoken = [p for p in case.testimony if p.kind == "claim" and p.known <= known and p.state]
    for i, one in enumerate(spoken):
        for other in spoken[i + 1 :]:
            if one.source == other.source and one.said_day == other.said_day and _clash(one, other):
                found.append({"claimant": one.source, "utterances": [one.id, other.id]})
    return found


def _clash(one: Testimony, other: Testimony) -> bool:
    if "predicts" in (one.act, other.act) or one.hi < other.lo or other.hi < one.lo:
        return False

    def whole(piece: Testimony) -> bool:
        return piece.extent == "whole" and not piece.negated and piece.act in ("asserts", "concedes")

    if not (whole(one) and one.reach == "own") and not (whole(other) and other.reach == "own"):
        return False
    if one.state == other.state:
        return whole(one) != whole(other) and (one.negated or other.negated)
    return all(piece.act in ("asserts", "concedes") and not piece.negated for piece in (one, other))
