"""Differences (schema ``diff/1``): between two logics, with and without some sources, between two moments.

First the beliefs alone are compared, place by place. Then only the greatest differences are looked at closely
and credited to the claims that made them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from ledger.clocks import instant_text, iso
from projections import compare_grades as grades
from projections.answers import place_shape, said_state
from projections.belief.attribution import Difference, Share
from projections.belief.base import jsonable
from projections.belief.labels import States
from projections.belief.tally import end_of
from projections.beliefs import Beliefs
from projections.case import Testimony, day_of, states_of
from projections.compare_intervals import Interval, by_size, totals
from projections.compare_logics import Logics, Side
from projections.compare_times import Times
from projections.desk import Desk, Without
from projections.registry import Loaded

if TYPE_CHECKING:
    from projections.hypothetical import Supposing

#: Claims named for one difference; the rest are one line together.
_NAMED = 5


def between_logics(
    desk: Desk,
    before: Loaded,
    after: Loaded,
    question: str,
    *,
    old: Beliefs | None = None,
    most: int = 50,
    places: Sequence[str] | None = None,
    without: Sequence[Without] = (),
) -> dict[str, Any]:
    """Which places and days are believed otherwise under ``after`` than under ``before``, known then.

    ``old`` is a view of ``before`` that its code can no longer make (it was replaced): its changes are shown
    without naming claims. ``places`` are all that anything was said of if None; where some are named, sources
    are not graded, since a grade is about all places. ``without`` is left out on both sides.
    """
    sides = Side(desk, before, question, without, old), Side(desk, after, question, without)
    ends = before.to_dict(), after.to_dict()
    return _answer(desk, Logics(*sides), ends, without, places, most)


def with_and_without(
    desk: Desk,
    without: Sequence[Without],
    question: str,
    *,
    most: int = 50,
    places: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Which places and days would be believed otherwise, known then, had some sources never spoken."""
    sides = Side(desk, desk.loaded, question), Side(desk, desk.loaded, question, without)
    logic = desk.loaded.to_dict()
    ends = logic | {"without": []}, logic | {"without": [one.text for one in without]}
    return _answer(desk, Logics(*sides), ends, (), places, most)


def with_supposed(
    before: Supposing,
    after: Supposing,
    question: str,
    *,
    most: int = 50,
    places: Sequence[str] | None = None,
    without: Sequence[Without] = (),
) -> dict[str, Any]:
    """Which places and days would be believed otherwise, known then, were what is supposed at ``after``
    recorded. ``before`` is the desk over the ledger alone."""
    from projections.compare_supposed import Supposition

    logic = after.loaded.to_dict()
    ends = logic | {"with": []}, logic | {"with": after.files}
    return _answer(after, Supposition(before, after, question, without), ends, without, places, most)


def between_times(
    desk: Desk,
    known: tuple[int, int],
    question: str,
    *,
    most: int = 50,
    places: Sequence[str] | None = None,
    without: Sequence[Without] = (),
) -> dict[str, Any]:
    """Which places and days are believed otherwise from what is known at the second moment than from what was
    at the first, an earlier one (both in microseconds since 1970)."""
    first, second = ({"known_by": _moment(one)} for one in known)
    times = Times(desk, known, question, without, graded=places is None)
    return _answer(desk, times, (first, second), without, places, most)


def digest(totals: dict[str, Any], intervals: Sequence[Interval], sources: Sequence[dict[str, Any]]) -> str:
    """What differs, listed or not, as hex SHA-256 over JSON with keys in order and no spaces: the totals, every
    change (place, first and last day, believed before and after, the day on which they are furthest apart, and
    the probabilities there) and every source regraded. Clocks, position and root are no part of it."""
    changes = [
        (
            one.place,
            iso(one.first),
            iso(one.last),
            one.old,
            one.new,
            iso(one.day),
            _numbers(one.before),
            _numbers(one.after),
        )
        for one in sorted(intervals, key=lambda one: (one.place, one.first))
    ]
    said = {"totals": totals, "changes": changes, "sources": sources}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _numbers(row: tuple[float, ...] | None) -> Any:
    return None if row is None else jsonable(row)


def _answer(
    desk: Desk,
    comparison: Logics | Times,
    ends: tuple[dict[str, Any], dict[str, Any]],
    without: Sequence[Without],
    places: Sequence[str] | None,
    most: int,
) -> dict[str, Any]:
    chosen = desk.places(comparison.question) if places is None else list(dict.fromkeys(places))
    intervals: list[Interval] = []
    place_days = 0
    for done, place in enumerate(chosen):
        desk.views.progress("comparing", done, len(chosen))
        found = comparison.compare(place)
        place_days += found.days
        intervals += found.intervals
    desk.views.progress("comparing", len(chosen), len(chosen))
    sources = grades.moved(*comparison.standings()) if places is None else []
    answer = desk.header("diff/1")
    answer["question"] = comparison.question
    answer["from"], answer["to"] = ends
    answer["without"] = [one.text for one in without]
    answer["totals"] = totals(intervals, len(chosen), place_days)
    answer["totals"]["sources"] = len(sources) if places is None else None
    answer["changes"] = _explained(desk, comparison, by_size(intervals)[:most])
    answer["sources"] = sources[:most]
    answer["digest"] = digest(answer["totals"], intervals, sources)
    return answer


def _moment(known: int) -> str:
    """A day where it is a day's end that is meant, else the instant."""
    day = day_of(known)
    return iso(day) if known == end_of(day) else instant_text(known)


def _explained(desk: Desk, comparison: Logics | Times, listed: Sequence[Interval]) -> list[dict[str, Any]]:
    """The listed intervals with their reasons, all those of one place worked out together."""
    states = states_of(desk.directory, comparison.question)
    by_place: dict[str, list[Interval]] = {}
    for one in listed:
        by_place.setdefault(one.place, []).append(one)
    shapes: dict[tuple[str, int], dict[str, Any]] = {}
    for done, (place, intervals) in enumerate(by_place.items()):
        desk.views.progress("explaining", done, len(by_place))
        for one, why in zip(intervals, comparison.differences(place, intervals), strict=True):
            shapes[place, one.first] = _change(desk, comparison, one, why, states)
    desk.views.progress("explaining", len(by_place), len(by_place))
    return [shapes[one.place, one.first] for one in listed]


def _change(
    desk: Desk, comparison: Logics | Times, one: Interval, why: Difference, states: States
) -> dict[str, Any]:
    _, a, b = one.ask(states)
    told = [share for share in why.shares if jsonable(share.change)]
    return {
        "place": place_shape(desk, one.place),
        "from_day": iso(one.first),
        "to_day": iso(one.last),
        "from": one.old,
        "to": one.new,
        "days": one.days,
        "difference": jsonable(one.difference),
        "day": iso(one.day),
        "before": _named(one.before, states),
        "after": _named(one.after, states),
        "state": states.names[a],
        "against": states.names[b],
        "log_odds": jsonable({"before": why.before, "after": why.after, "change": why.change}),
        "additive": why.additive,
        "prior": jsonable(why.prior),
        "staleness": jsonable(why.staleness),
        "remainder": jsonable(why.remainder),
        **({"neighbours": jsonable(why.neighbours)} if comparison.coupled else {}),
        "claims": [_claim(desk, share) for share in told[:_NAMED]],
        "others": {
            "count": len(told[_NAMED:]),
            "change": jsonable(math.fsum(share.change for share in told[_NAMED:])),
        },
    }


def _named(row: tuple[float, ...] | None, states: States) -> dict[str, float]:
    return {} if row is None else dict(zip(states.names, jsonable(row), strict=True))


def _claim(desk: Desk, share: Share) -> dict[str, Any]:
    piece = share.piece
    supposed = {} if desk.supposed is None else {"hypothetical": desk.supposed.made(piece)}
    return {
        "utterance": piece.id,
        "claimant": piece.source if isinstance(piece, Testimony) else piece.by,
        "act": piece.act if isinstance(piece, Testimony) else "rules",
        "state": said_state(piece) if isinstance(piece, Testimony) else piece.state,
        "before": jsonable(share.before),
        "after": jsonable(share.after),
        "change": jsonable(share.change),
        **supposed,
    }
