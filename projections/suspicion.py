"""Who seems to copy whom, over a whole ledger: screens all pairs that meet, tests the likeliest, looks for wire copies.

Two passes over the places, each one case at a time; what is kept between them is a few numbers for every pair
of sources that ever met. The second pass visits only as many places as the pairs that are tested need.
"""

from __future__ import annotations

from typing import Any

from projections.belief.base import jsonable
from projections.case import Testimony, states_of
from projections.copying import TESTED, Pair, Screen, Trial
from projections.desk import Desk
from projections.wires import Texts, Wires


def copying(desk: Desk, question: str, known: int) -> dict[str, Any]:
    """Suspected copying as known by a moment (schema ``copying/1``)."""
    from ledger.clocks import instant_text

    places = desk.places(question)
    screen, wires = Screen(), Wires(_texts(desk))
    for done, place in enumerate(places):
        desk.views.progress("meeting", done, len(places))
        case = desk.case(place, question)
        screen.take(done, case, known)
        wires.take(case, known)
    desk.views.progress("meeting", len(places), len(places))
    voices = {desk.directory.linked(one) for link in desk.directory.links for one in link.sources}
    chosen = screen.chosen(voices)
    tested = _both_ways(chosen[:TESTED])
    states, logic = states_of(desk.directory, question), desk.loaded.logic
    trial = _tried(desk, Trial(tested, states, logic), screen, places, question, known)
    doubtful = trial.again()
    if len(doubtful) > 2:
        trial = _tried(desk, Trial(doubtful, states, logic, doubtful), screen, places, question, known)
    answer = desk.header("copying/1")
    answer |= {"as_of": instant_text(known), "question": question}
    answer |= {"screened": len(_together(set(chosen))), "tested": len(_together(tested))}
    answer["pairs"] = jsonable(trial.found())
    answer["wires"] = jsonable(wires.found())
    return answer


def _tried(desk: Desk, trial: Trial, screen: Screen, places: list[str], question: str, known: int) -> Trial:
    visited = screen.visited(sorted(trial.pairs))
    for done, number in enumerate(visited):
        desk.views.progress("testing", done, len(visited))
        trial.take(desk.case(places[number], question), known)
    desk.views.progress("testing", len(visited), len(visited))
    return trial


def _both_ways(pairs: list[Pair]) -> set[Pair]:
    """A pair is tested in both directions, or its direction would be decided before."""
    return {*pairs, *((other, one) for one, other in pairs)}


def _together(pairs: set[Pair]) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in pairs}


def _texts(desk: Desk) -> Texts:
    def texts(piece: Testimony) -> dict[str, str]:
        body = desk.ledger.body(piece.reports[0].position)
        return {name: body[name] for name in ("title", "quote") if isinstance(body.get(name), str)}

    return texts
