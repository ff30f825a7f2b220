"""Differences: two logics over the same record, or one logic at two knowledge times (schema ``diff/1``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ledger.clocks import iso
from projections.answers import place_shape, said_state
from projections.belief.assembly import Assembly
from projections.belief.base import UNKNOWN, Why, jsonable
from projections.belief.happenings import happenings
from projections.belief.labels import States
from projections.belief.tally import EPOCH, end_of, explain, judge, names_of, series
from projections.case import Case, Testimony
from projections.credibility import grade
from projections.desk import Desk
from projections.registry import Loaded
from projections.views import Beliefs

DAY_US = 86_400_000_000
#: Claims named for one change.
_REASONS = 5


def between_logics(
    desk: Desk, before: Loaded, after: Loaded, question: str, *, old: Beliefs | None = None, most: int = 50
) -> dict[str, Any]:
    """Which places and days are believed otherwise under ``after`` than under ``before``, known then.

    ``old`` is a view of ``before`` that its code can no longer make (it was replaced): its changes are shown
    without naming claims.
    """
    changes: list[dict[str, Any]] = []
    last = desk.known(None) // DAY_US + EPOCH
    places = desk.places(question)
    for place in places:
        case = desk.case(place, question)
        days = _days(case, last)
        if not days:
            continue
        first = _beliefs(desk, before, case, days, old)
        second = _beliefs(desk, after, case, days, None)
        for change in _changes(place, days, first, second, case.states):
            changes.append(change | {"case": case})
    changes.sort(key=lambda one: (-one["weight"], one["place"], one["from_day"]))
    for change in changes[:most]:
        day, case = change["from_day"], change["case"]
        if old is None:
            state = _named_state(change)
            reasons = [explain(case, one.logic, day, end_of(day), state) for one in (before, after)]
            change["claims"] = _reasons(*reasons)
    answer = desk.header("diff/1")
    answer["from"], answer["to"] = before.to_dict(), after.to_dict()
    return _finish(desk, answer, changes, places, most) | {"sources": _grades(desk, before, after, old)}


def between_times(desk: Desk, known: tuple[int, int], question: str, *, most: int = 50) -> dict[str, Any]:
    """Which places and days are believed otherwise from what is known at the second time than at the first."""
    changes: list[dict[str, Any]] = []
    logic = desk.loaded.logic
    places = desk.places(question)
    for place in places:
        case = desk.case(place, question)
        days = _days(case, known[1] // DAY_US + EPOCH)
        if not days:
            continue
        first, second = (_hindsight(case, desk.loaded, days, one) for one in known)
        for change in _changes(place, days, first, second, case.states):
            state = _named_state(change)
            reasons = [explain(case, logic, change["from_day"], one, state) for one in known]
            changes.append(change | {"claims": _reasons(*reasons)})
    changes.sort(key=lambda one: (-one["weight"], one["place"], one["from_day"]))
    answer = desk.header("diff/1")
    answer["from"], answer["to"] = ({"known_by": iso(one // DAY_US + EPOCH)} for one in known)
    return _finish(desk, answer, changes, places, most)


def _finish(
    desk: Desk, answer: dict[str, Any], changes: list[dict[str, Any]], places: Sequence[str], most: int
) -> dict[str, Any]:
    answer["totals"] = {
        "places": len(places),
        "places_changed": len({change["place"] for change in changes}),
        "intervals": len(changes),
        "days_changed": sum(change["to_day"] - change["from_day"] + 1 for change in changes),
    }
    answer["changes"] = [
        {
            "place": place_shape(desk, change["place"]),
            "from_day": iso(change["from_day"]),
            "to_day": iso(change["to_day"]),
            "from": change["from"],
            "to": change["to"],
            "before": jsonable(change["before"]),
            "after": jsonable(change["after"]),
            "claims": change.get("claims", []),
        }
        for change in changes[:most]
    ]
    return answer


def _days(case: Case, last: int) -> list[int]:
    """From the first to the last day on which anything arrived or is spoken of."""
    arrivals = [one.known // DAY_US + EPOCH for one in happenings(case)]
    if not arrivals:
        return []
    first = min([*arrivals, *(piece.lo for piece in case.testimony)])
    return list(range(first, min(max(arrivals), last) + 1))


def _beliefs(desk: Desk, loaded: Loaded, case: Case, days: list[int], old: Beliefs | None) -> np.ndarray:
    if loaded.logic.believe is not None:
        return _asked(case, loaded, days)
    view = old or desk.views.beliefs(loaded, desk.head, desk.directory)
    return series(view.knots(case.place, case.question), days, case.states, loaded.logic)


def _asked(case: Case, loaded: Loaded, days: list[int]) -> np.ndarray:
    """A logic that judges by itself, asked on every day."""
    out = np.full((len(days), len(case.states)), np.nan)
    for row, day in enumerate(days):
        verdict = judge(case, loaded.logic, day, end_of(day))
        if verdict.believed != UNKNOWN:
            out[row] = list(verdict.probabilities.values())
    return out


def _hindsight(case: Case, loaded: Loaded, days: list[int], known: int) -> np.ndarray:
    out = np.full((len(days), len(case.states)), np.nan)
    if loaded.logic.believe is not None:
        for row, day in enumerate(days):
            verdict = judge(case, loaded.logic, day, known)
            if verdict.believed != UNKNOWN:
                out[row] = list(verdict.probabilities.values())
        return out
    chain = Assembly.known_by(case, loaded.logic, known).chain
    for row, day in enumerate(days):
        if not chain.empty(day):
            out[row] = chain.smoothed(day) if known > end_of(day) else chain.filtered(day)
    return out


def _changes(
    place: str, days: list[int], first: np.ndarray, second: np.ndarray, states: States
) -> list[dict[str, Any]]:
    """Maximal intervals over which one pair of different beliefs holds."""
    found: list[dict[str, Any]] = []
    pairs = zip(days, names_of(first, states), names_of(second, states), first, second, strict=True)
    for day, old, new, p, q in pairs:
        if old == new:
            continue
        moved = float(np.abs(np.nan_to_num(q) - np.nan_to_num(p)).max())
        run = found[-1] if found else None
        if run and run["to_day"] == day - 1 and (run["from"], run["to"]) == (old, new):
            run["to_day"] = day
            run["weight"] += moved
            continue
        found.append(
            {
                "place": place,
                "from_day": day,
                "to_day": day,
                "from": old,
                "to": new,
                "before": _named(p, states),
                "after": _named(q, states),
                "weight": moved,
            }
        )
    return found


def _named_state(change: dict[str, Any]) -> str:
    """The state a change is explained for: the one believed after, else the one believed before."""
    return str(change["from"] if change["to"] == UNKNOWN else change["to"])


def _named(row: np.ndarray, states: States) -> dict[str, float]:
    return {} if np.isnan(row[0]) else dict(zip(states.names, row.tolist(), strict=True))


def _reasons(before: Why, after: Why) -> list[dict[str, Any]]:
    """The pieces whose weight changed most, in nats for the state that is believed after."""
    if UNKNOWN in (before.verdict.believed, after.verdict.believed):
        before_weights: dict[str, float] = {}
    else:
        before_weights = {one.piece.id: one.weight for one in before.heard}
    after_weights = {one.piece.id: one.weight for one in after.heard}
    pieces = {one.piece.id: one.piece for one in (*before.heard, *after.heard)}
    rows = []
    for name, piece in pieces.items():
        old, new = before_weights.get(name, 0.0), after_weights.get(name, 0.0)
        rows.append(
            {
                "utterance": name,
                "claimant": piece.source if isinstance(piece, Testimony) else piece.by,
                "act": piece.act if isinstance(piece, Testimony) else "rules",
                "state": said_state(piece) if isinstance(piece, Testimony) else piece.state,
                "before": jsonable(old),
                "after": jsonable(new),
                "change": jsonable(new - old),
            }
        )
    rows = [row for row in rows if row["change"]]
    rows.sort(key=lambda row: (-abs(row["change"]), row["utterance"]))
    return rows[:_REASONS]


def _grades(desk: Desk, before: Loaded, after: Loaded, old: Beliefs | None) -> list[dict[str, Any]]:
    """Sources whose suggested grade differs."""
    first = (old or desk.views.beliefs(before, desk.head, desk.directory)).scores()
    second = desk.views.beliefs(after, desk.head, desk.directory).scores()
    rows = []
    for source in sorted(first.keys() | second.keys()):
        letters = [
            grade(one[source].confirmed, one[source].refuted) if source in one else "F"
            for one in (first, second)
        ]
        if letters[0] != letters[1]:
            rows.append({"source": source, "from": letters[0], "to": letters[1]})
    return rows
