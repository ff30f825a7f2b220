"""What a logic learns from a ledger, and that no answer hangs on what was learnt later."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from projections.belief.hmm import HMM
from projections.belief.params import Params
from projections.belief.tally import TALLY, end_of, judge, read_knot
from projections.beliefs import Beliefs
from projections.learning.schedule import turns
from projections.registry import Loaded, fingerprint
from tests.projections.test_laws import SWAPPED, known_of, mirrored, text
from tests.projections.worlds import (
    DAYS,
    REVISING,
    TIGHT,
    UNREVISED,
    ZERO,
    Paper,
    Shelf,
    World,
    claim,
    close,
    date,
    end,
    laws,
    moment,
    more,
    told,
    told_by,
    worlds,
)

#: Learns every third day from next to nothing, and believes itself at once.
EAGER = replace(
    HMM,
    params=Params().replace(
        learning_days=3, learning_least=2, learning_growth=1.0, source_strength=2.0, group_strength=5.0
    ),
)
LOADED = Loaded(EAGER, fingerprint(EAGER))
SOME_DAYS = (0, 7, 15, 23, 31, DAYS, DAYS + 15)


def view(shelf: Shelf, root: str, stops: tuple[int, ...] = ()) -> Beliefs:
    """The view of a shelf, caught up at every stop."""
    for stop in (*stops, len(shelf.events)):
        views = Paper(shelf, stop).views(Path(root))
        found = views.beliefs(LOADED, stop, shelf.directory(stop))
    return found


@laws(0.4)
@given(st.one_of(worlds(UNREVISED, least=4), worlds(TIGHT.but(*REVISING), least=8)), st.data())
def test_no_event_known_later_moves_an_answer(world: World, data) -> None:
    known = end(data.draw(st.integers(0, DAYS)))
    later = world + data.draw(more(world, TIGHT.but(*REVISING), prefix="later"))
    early = [one.label for one in later.told[len(world.told) :] if known_of(one, text(one)) <= known]
    later = later.without(*early)
    assume(len(later.told) > len(world.told))
    before, after = world.shelf(hashed=True), later.shelf(hashed=True)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = view(before, one).logic, view(after, other).logic
    for place, question in before.spots():
        for day in SOME_DAYS:
            mine = judge(before.case(place, question), first, ZERO + day, known)
            theirs = judge(after.case(place, question), second, ZERO + day, known)
            assert close(mine, theirs, within=1e-4)  # what is learnt is kept to six decimals


@laws(0.3)
@given(worlds(TIGHT, least=6), st.data())
def test_a_view_that_caught_up_answers_by_what_it_had_learnt(world: World, data) -> None:
    shelf = world.shelf(hashed=True)
    first = len(world.told) - len(world.entries)
    stop = data.draw(st.integers(first, len(world.told)))
    with tempfile.TemporaryDirectory() as folder:
        beliefs = view(shelf, folder, (stop,))
        for place, question in shelf.spots():
            case = shelf.case(place, question)
            for day in SOME_DAYS:
                knot = beliefs.knot(place, question, ZERO + day)
                then = judge(case, beliefs.logic, ZERO + day, end(day))
                if knot is None or not knot.belief:
                    assert then.believed == "unknown"
                else:
                    assert close(read_knot(knot, ZERO + day, case.states, beliefs.logic), then, within=1e-7)


@laws(0.2)
@given(worlds(TIGHT, least=6))
def test_two_replays_learn_the_same_to_the_last_byte(world: World) -> None:
    shelf = world.shelf(hashed=True)
    tables = ("spot", "score", "choked", "estimate")
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        view(shelf, one), view(shelf, other)
        (first,), (second,) = (list(Path(root).glob("hmm@1*.db")) for root in (one, other))
        assert told_by(first, tables) == told_by(second, tables)


@laws(0.3)
@given(worlds(TIGHT, least=6))
def test_swapping_the_parties_mirrors_what_is_learnt(world: World) -> None:
    first, second = world.shelf(hashed=True), world.change(mirrored).shelf(hashed=True)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        mine, theirs = view(first, one).logic, view(second, other).logic
    for place, question in first.spots():
        for day in SOME_DAYS:
            a = judge(first.case(place, question), mine, ZERO + day, end(day))
            b = judge(second.case(place, question), theirs, ZERO + day, end(day))
            for state, p in a.probabilities.items():
                assert b.probabilities[SWAPPED.get(state, state)] == pytest.approx(p, abs=1e-4)


# -- the schedule --------------------------------------------------------------------------------------------


def days_of(found: list[int]) -> list[int]:
    return [
        next(day for day in range(ZERO - 99, ZERO + 999) if end_of(day - 1) + 1 == one) - ZERO
        for one in found
    ]


def test_nothing_is_learnt_from_too_few() -> None:
    params = Params().replace(learning_days=1, learning_least=3)
    assert turns(np.array([end(0), end(1)]), params) == []


def test_a_claim_known_on_the_day_itself_is_not_learnt_from_yet() -> None:
    params = Params().replace(learning_days=1, learning_least=2, learning_growth=1.0)
    known = np.array([end(4) - 5, end(5) - 5])
    assert days_of(turns(known, params)) == [6]


def test_it_is_learnt_again_only_when_enough_more_was_heard() -> None:
    params = Params().replace(learning_days=1, learning_least=10, learning_growth=2.0)
    known = np.repeat([end(day) for day in range(10)], 10)
    assert days_of(turns(known, params)) == [1, 2, 4, 8]


def test_what_is_on_the_schedule_hangs_on_nothing_that_came_later() -> None:
    params = Params().replace(learning_days=7, learning_least=2, learning_growth=1.3)
    known = np.sort(np.random.default_rng(0).integers(end(0), end(90), 60))
    whole = turns(known, params)
    for n in range(2, 60):
        some = turns(known[:n], params)
        assert [one for one in some if one <= known[n]] == [one for one in whole if one <= known[n]]


# -- what is learnt --------------------------------------------------------------------------------------------


def liar(days: int = 40) -> World:
    """The army claims the town every day; a witness and a monitor, who were there, say otherwise."""
    said = []
    for day in range(days):
        said.append(claim("army", "RU", day, f"army{day}", at=moment(day)))
        said.append(claim("witness", "UA", day, f"witness{day}", at=moment(day)))
        said.append(claim("monitor", "UA", day, f"monitor{day}", at=moment(day)))
    return World.of(*said)


def test_who_is_always_contradicted_is_believed_less_in_the_end(tmp_path: Path) -> None:
    shelf = liar().shelf(hashed=True)
    logic = view(shelf, str(tmp_path)).logic
    estimate = logic.learnt.by("control", end(200)) if logic.learnt else None
    assert estimate is not None
    states = shelf.case().states
    voice, stranger = (estimate.voice(states, source, 1) for source in ("army", "blogger"))
    says = next(label for label in voice.spoken if label.kind == "is" and states.names[label.state] == "RU")
    told_apart = [float(one.spoken[says][1] - one.spoken[says][0]) for one in (voice, stranger)]
    assert told_apart[0] < told_apart[1]
    lone = World.of(claim("army", "RU", 60, "lone", at=moment(60), place="village"))
    case = lone.shelf().case("village")
    assert (
        judge(case, logic, ZERO + 60, end(60)).probabilities["RU"]
        < judge(case, TALLY, ZERO + 60, end(60)).probabilities["RU"]
    )


def test_rulings_say_how_sure_to_be(tmp_path: Path) -> None:
    def temperature(states: tuple[str, str], root: Path) -> float:
        rulings = [
            told("state-ruled", f"r{day}", moment(day, 13), place="town", state=states[day // 2 % 2], valid=date(day), by="desk",
                 question="control", ruled=date(day))
            for day in range(0, 40, 2)
        ]  # fmt: skip
        shelf = (liar() + rulings).shelf(hashed=True)
        learnt = view(shelf, str(root)).logic.learnt
        estimate = learnt.by("control", end(200)) if learnt else None
        assert estimate is not None
        return estimate.temperature

    assert temperature(("UA", "UA"), tmp_path / "right") < 1.0 < temperature(("UA", "RU"), tmp_path / "wrong")
