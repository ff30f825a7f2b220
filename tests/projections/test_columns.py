"""The numeric kernel says what the reference says, spot by spot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given

from ledger.directory import Source
from projections import case as cases
from projections.belief.assembly import weights_of
from projections.belief.base import Logic
from projections.belief.params import Params
from projections.belief.tally import TALLY, diagonal, read_knot
from projections.case import states_of
from projections.columns import tables
from projections.columns.judging import Judge, Judged
from projections.columns.modes import kernel
from projections.columns.motion import new_motions
from projections.columns.testimony import Builder
from projections.credibility import score
from projections.envelopes.cache import Envelopes
from tests.projections.worlds import (
    ZERO,
    Paper,
    Shelf,
    World,
    claim,
    date,
    end,
    laws,
    moment,
    told,
    worlds,
)

DAYS = range(ZERO - 3, ZERO + 75)


def judged(shelf: Shelf, logic: Logic = TALLY, known: int | None = None) -> dict[tuple[str, str], Judged]:
    """Every spot of a shelf as the kernel judges it, in plain Python."""
    paper, head = Paper(shelf), len(shelf.events)
    cache = Envelopes(":memory:")
    cache.catch_up(paper, head, "code", "made-up")  # type: ignore[arg-type]
    builder = Builder(cache, shelf.directory(), paper.event, shelf._first)
    found = {}
    with np.errstate(over="ignore"):
        testimony = builder.testimony(list(builder.roots()), kernel(False))
        at = end(200) if known is None else known
        judge = Judge(testimony, shelf.directory(), logic, at, kernel(False))
        for spot in testimony.spots:
            case = shelf.case(spot.place, spot.question)
            factors = weights_of(case, logic) if logic.weigh else None
            found[spot.place, spot.question] = judge.judge(spot, factors)
    cache.close()
    return found


def assert_same(shelf: Shelf, logic: Logic = TALLY, known: int | None = None) -> None:
    for (place, question), mine in judged(shelf, logic, known).items():
        case = shelf.case(place, question)
        knots = diagonal(case, logic)[0]
        states = states_of(shelf.directory(), question)
        for day in DAYS:
            theirs = [knot for knot in knots if knot.since <= day]
            ours = [n for n in range(len(mine.whole)) if mine.whole[n][0] <= day]
            # Before anything speaks a look at an empty display may leave an empty knot, or none.
            believed = bool(theirs and theirs[-1].belief)
            assert believed == bool(ours and mine.whole[ours[-1]][1]), (place, question, day)
            if not believed:
                continue
            knot, n = theirs[-1], ours[-1]
            verdict = read_knot(knot, day, states, logic)
            counts = tuple(int(one) for one in mine.whole[n][2:5])
            assert (verdict.origins, verdict.claims, verdict.newest or 0) == counts, (place, question, day)
            p = belief(mine, n, day, logic, states)
            assert p == pytest.approx(list(verdict.probabilities.values()), abs=1e-8), (place, question, day)
            assert displays(mine, day) == dict(knot.displays), (place, question, day)
        expected = {
            source: list(one.to_dict().values())
            for source, one in score(case, logic, end(200) if known is None else known).items()
        }
        found = {source: row.tolist() for source, row in zip(mine.sources, mine.scores, strict=True)}
        assert found == expected, (place, question)


def belief(mine: Judged, n: int, day: int, logic: Logic, states: Any) -> list[float]:
    from projections.belief.motion import motion

    rates = tuple(mine.rates[n].tolist()) if mine.rates[n].any() else ()
    at = int(mine.whole[n][1])
    return motion(states, logic.params).forward(mine.beliefs[n].tolist(), day - at, rates)


def displays(mine: Judged, day: int) -> dict[str, int]:
    last: dict[int, int] = {}
    for display, since, seen in mine.sightings.tolist():
        if since <= day:
            last[display] = seen
    return {mine.shown_by[display]: seen for display, seen in last.items() if seen}


@laws()
@given(worlds())
def test_every_spot_is_judged_as_the_reference_judges_it(world: World) -> None:
    assert_same(world.shelf(hashed=True))


@contextmanager
def little_room() -> Iterator[None]:
    """Room for one combination of displays besides none, for the block."""
    tables.motions.cache_clear()
    with mock.patch.object(tables, "new_motions", partial(new_motions, room=2)):
        yield
    tables.motions.cache_clear()


@laws(0.25)
@given(worlds())
def test_so_it_is_where_there_is_no_room_for_all_combinations_of_displays(world: World) -> None:
    with little_room():
        assert_same(world.shelf(hashed=True))


def test_maps_that_come_and_go_are_left_out_rightly_without_room_for_all_their_combinations() -> None:
    maps = [claim(f"map-{n}", state, day, f"m{n}-{day}", standing=True, at=moment(day, n))
            for day in range(1, 40, 6) for n, state in enumerate(("UA", "RU", "UA"))]  # fmt: skip
    said = [claim(who, state, day, f"{who}-{day}", at=moment(day, 20))
            for day in range(2, 40, 5) for who, state in (("army", "UA"), ("monitor", "RU"))]  # fmt: skip
    shelf = World.of(*sorted([*maps, *said], key=lambda one: one.at)).shelf()
    assert_same(shelf)
    with little_room():
        assert_same(shelf)


@laws(0.3)
@given(worlds())
def test_scores_are_cut_at_a_moment_as_the_reference_cuts_them(world: World) -> None:
    assert_same(world.shelf(hashed=True), known=end(20))


def opinionated(piece: cases.Testimony, source: Source) -> float:
    """Some pieces count for nothing, some for half, some for more; it depends on what is known of them."""
    if piece.kind in ("display", "withdrawal"):
        return {"UA": 0.0, "RU": 2.5}.get(piece.state or "", 1.0)
    if piece.reach == "part" or piece.via:
        return 0.5
    return {"asserts": 1.0, "denies": 0.0, "concedes": 3.0}.get(piece.act, 0.25)


@laws(0.5)
@given(worlds())
def test_a_logics_own_weights_are_followed(world: World) -> None:
    assert_same(world.shelf(hashed=True), Logic("opinionated", 1, weigh=opinionated))


@laws(0.3)
@given(worlds())
def test_other_parameters_are_followed(world: World) -> None:
    params = Params().replace(
        copy_rate=0.9, copy_window=5, imprecise_points=3, sojourn_held=30, standing_rate=0.5
    )
    assert_same(world.shelf(hashed=True), Logic("other", 1, params))


@pytest.mark.parametrize("turned", [False, True])
def test_what_several_corrections_come_to_together_is_followed(turned: bool) -> None:
    # One correction names the evidence, another turns the claim against it; it stands at another place.
    aimed = told("entry-corrected", "aimed", moment(6), target="#said", changes={"target": "#film"})
    denied = told("entry-corrected", "denied", moment(7), target="#said", changes={"act": "denies"})
    film = told(
        "evidence-reported", "film", moment(3), source="monitor", place="town", state="UA", said=date(3)
    )
    world = World.of(
        claim("army", "RU", 2, "first", at=moment(2), place="town"),
        film,
        claim("witness", "UA", 4, "said", at=moment(4), place="village"),
        *([denied, aimed] if turned else [aimed, denied]),
    )
    assert_same(world.shelf(hashed=True))
    case = world.shelf().case("town", "control")
    assert next(piece.doubts for piece in case.testimony if piece.kind == "evidence")


def test_what_is_said_of_many_places_on_one_day_is_never_folded_over_two_of_them() -> None:
    """One says "all of it" of some places and "part of it" of others, all on the same day."""
    named = [told("place-registered", f"p{n}", moment(0), place=f"p{n}", names=[f"P{n}"]) for n in range(12)]
    said = [
        claim("army", "UA", 5, f"{n}-{extent}", place=f"p{n}", extent=extent, at=moment(6 + half))
        for n in range(12)
        for half, extent in enumerate(("whole", "part") if n % 3 else ("part",))
    ]
    assert_same(World.of(*named, *said).shelf(hashed=True))


def test_a_stretch_with_more_combinations_than_there_is_room_for_is_heard_to_its_end() -> None:
    """What is backdated to before all maps makes every belief behind it anew at once."""
    maps = [claim(f"map-{n}", state, day + n, f"m{n}-{day}", standing=True, at=moment(day + n, n))
            for day in range(5, 40, 6) for n, state in enumerate(("UA", "RU", "UA"))]  # fmt: skip
    maps.sort(key=lambda one: one.at)
    late = [claim("army", "UA", 2, "late", at=moment(60)), claim("monitor", "RU", 3, "later", at=moment(61))]
    with little_room():
        assert_same(World.of(*maps, *late).shelf())
