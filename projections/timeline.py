"""What was said of a place in the order it became known, and what was believed when (schema ``timeline/1``)."""

from __future__ import annotations

from typing import Any

from ledger.clocks import instant_text, iso
from projections.answers import contradictions, place_shape, said_state
from projections.belief.assembly import Assembly
from projections.belief.base import UNKNOWN
from projections.belief.tally import EPOCH
from projections.case import Case, Testimony
from projections.desk import Desk
from projections.neighbours import Around
from projections.when_known import Paths, believed_then, when_did_we_know


def timeline(desk: Desk, place: str, question: str, known: int, position: int) -> dict[str, Any]:
    """Everything known of a place by a moment: claims, runs of belief and how late they came, displays and how
    long unseen."""
    case = desk.case(place, question, position)
    answer = desk.header("timeline/1")
    answer["position"], answer["root"] = position, desk.root(position)
    answer["known_by"] = instant_text(known)
    answer["place"] = place_shape(desk, place)
    answer["question"] = question
    answer["claims"] = [_line(case, piece, known) for piece in _in_order(case, known)]
    around = Around(desk.directory_at(position), desk.loaded.logic.params)
    paths = (
        None
        if desk.loaded.logic.believe
        else Paths.of(case, desk.loaded.logic, known, around, lambda one: desk.case(one, question, position))
    )
    answer["believed"] = believed_then(case, paths)
    answer["when_did_we_know"] = when_did_we_know(case, paths)
    answer["displays"] = displays(desk, case, known)
    answer["contradictions"] = contradictions(case, known)
    return answer


def _in_order(case: Case, known: int) -> list[Testimony]:
    pieces = [piece for piece in case.testimony if piece.known <= known]
    return sorted(pieces, key=lambda piece: (piece.known, piece.position))


def _line(case: Case, piece: Testimony, known: int) -> dict[str, Any]:
    reports = [report for report in piece.reports if report.known <= known]
    return {
        "known": iso(piece.known // 86_400_000_000 + EPOCH),
        "utterance": piece.id,
        "claimant": piece.source,
        "act": piece.act,
        "state": said_state(piece),
        "place": piece.place,
        "valid": _span(piece),
        "said": reports[0].said or reports[0].published,
        "reports": len(reports),
        "via": [list(report.via) for report in reports],
        "status": _status(case, piece, known),
    }


def _span(piece: Testimony) -> str:
    return iso(piece.lo) if piece.lo == piece.hi else f"{iso(piece.lo)}/{iso(piece.hi)}"


def _status(case: Case, piece: Testimony, known: int) -> list[str]:
    """What befell a piece, as far as it was known."""
    status = list(piece.marks)
    if piece.retracted is not None and piece.retracted <= known:
        status.append("retracted")
    if piece.voided is not None and piece.voided <= known:
        status.append("voided")
    verdicts = sorted(one for one in piece.verdicts if one[0] <= known)
    if verdicts:
        status.append(f"ruled {verdicts[-1][2]}")
    doubters = sorted({source for at, source, _ in piece.doubts if at <= known})
    if doubters:
        status.append(f"doubted by {', '.join(doubters)}")
    entries = {report.entry for report in piece.reports}
    status += [f"corrected by #{one.position}" for one in case.corrections if one.entry in entries]
    return status


def displays(desk: Desk, case: Case, known: int) -> list[dict[str, Any]]:
    """Standing sources that show something here: what, and how many days it has not been observed."""
    assembly = Assembly.known_by(case, desk.loaded.logic, known)
    today = known // 86_400_000_000 + EPOCH
    return [
        {
            "source": source,
            "state": _shown(display.shows),
            "last_observed": iso(display.last_observed),
            "days_unseen": today - display.last_observed,
        }
        for source, display in assembly.standing().items()
    ]


def _shown(piece: Testimony | None) -> str | None:
    return said_state(piece) if piece else None


def places(desk: Desk, question: str) -> dict[str, Any]:
    """Every registered place, what is said and believed of it now, and what has not been looked at."""
    known = desk.known(None)
    today = known // 86_400_000_000 + EPOCH
    spoken = set(desk.places(question))
    answer = desk.header("places/1")
    answer["places"] = []
    around = Around(desk.directory, desk.loaded.logic.params)
    for place in sorted(desk.directory.places.values(), key=lambda one: (one.name, one.id)):
        if desk.directory.place_id(place.id) != place.id:
            continue
        row: dict[str, Any] = {
            "id": place.id,
            "name": place.name,
            "names": place.names,
            "aliases": place.aliases,
            "kind": place.kind,
            "parent": place.parent,
            "region": place.region,
            "lat": place.lat,
            "lon": place.lon,
            "described": [
                {"attribute": a, "value": v, "source": s, "published": p} for a, v, s, p in place.described
            ],
            "believed": UNKNOWN,
            "claims": 0,
            "newest_claim": None,
            "displays": [],
        }
        if place.id in spoken:
            row |= _now(desk, place.id, question, today, around)
        answer["places"].append(row)
    return answer


def _now(desk: Desk, place: str, question: str, today: int, around: Around) -> dict[str, Any]:
    from projections.answers import believe
    from projections.desk import Clocks

    clocks = Clocks(today, desk.known(None), desk.head, True)
    verdict, _, knot = believe(desk, clocks, place, question, around)
    return {
        "believed": verdict.believed,
        "claims": verdict.claims,
        "newest_claim": iso(verdict.newest) if verdict.newest else None,
        "displays": [
            {"source": source, "last_observed": iso(day), "days_unseen": today - day}
            for source, day in (knot.displays if knot else ())
        ],
    }
