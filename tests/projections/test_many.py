"""Many places asked about at once: the answers that each gives by itself, and the bytes they are read from."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clocks import iso
from projections import answers, blobs
from projections.belief.labels import States
from projections.belief.motion import Motion, generator
from projections.belief.params import Params
from projections.desk import Desk
from tests.bench import generator as made_up
from tests.bench.quick import lay_down
from tests.bench.stage import Stage, empty
from tests.projections.worlds import DAYS, ZERO, Scribe, World, laws, worlds

NOW = datetime(2025, 12, 24, 12, tzinfo=UTC)


def assert_same(path: Path, days: list[int], question: str = "control") -> None:
    """What is said of all places at once is what is said of each."""
    with Desk(path, now=NOW) as desk:
        places = [*desk.directory.places, "nowhere"]
        for day in days:
            clocks = desk.clocks(iso(day), None, None)
            alone = [answers._place(desk, clocks, place, question, ()) for place in places]
            together = answers._looked_up(desk, clocks, places, question)
            assert together == alone
            assert [list(one) for one in together] == [list(one) for one in alone]
            assert [type(one["origins"]) for one in together] == [int] * len(together)


def test_the_demo_answers_alike_for_each_place_and_for_all(demo) -> None:
    first, last = datetime(2025, 8, 1).toordinal(), datetime(2025, 12, 30).toordinal()
    assert_same(demo, list(range(first, last, 3)))


def test_a_generated_ledger_answers_alike_for_each_place_and_for_all(tmp_path) -> None:
    path = Stage(tmp_path).ledger(1_500)
    first = made_up.START.toordinal()
    assert_same(path, [first - 1, *range(first, first + made_up.DAYS, 60), first + made_up.DAYS + 300])
    with Desk(path, now=NOW) as desk:
        found = answers.as_of(desk, desk.clocks("2023-06-01", None, None), desk.places("control"), "control")
    said = [note.split()[0] for one in found["answers"] for note in one["notes"]]
    assert len(found["answers"]) > answers._FEW
    assert said, "nothing to note on that day: choose another"


@laws(0.2)
@given(worlds(least=4), st.lists(st.integers(-3, DAYS + 40), min_size=1, max_size=4))
def test_worlds_answer_alike_for_each_place_and_for_all(world: World, days: list[int]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "world.db"
        with Scribe(path) as scribe:
            scribe.tell(world.told)
        assert_same(path, [ZERO + day for day in days])


def test_places_of_which_nothing_was_ever_said_are_answered_too(tmp_path) -> None:
    path = tmp_path / "silent.db"
    empty(path).close()
    registered = [one for one in made_up.entries(100) if one.name.endswith("registered")]
    lay_down(path, registered, Random(1))
    assert_same(path, [ZERO])


# -- the bytes -------------------------------------------------------------------------------------------------


def judged(days: list[int], shown: list[tuple[int, int, int]], rates: bool = False) -> SimpleNamespace:
    """What is packed of knots on ``days``, numbered by their claims, with (display, since, seen) ``shown``."""
    n = len(days)
    whole = [(day, day if i % 7 else 0, 1, i, day) for i, day in enumerate(days)]
    beliefs = np.array([(0.5, 0.25, 0.25 + i) for i in range(n)]).reshape(-1, 3)
    of = np.array([(0.0, 0.1 * (i % 3), 0.0) if rates else (0.0,) * 3 for i in range(n)]).reshape(-1, 3)
    return SimpleNamespace(
        whole=np.array(whole, np.int64).reshape(-1, 5),
        beliefs=beliefs,
        rates=of,
        sightings=np.array(shown, np.int64).reshape(-1, 3),
        shown_by=["zebra", "ant", "bear"] if shown else [],
    )


def showing(shown: list[tuple[int, int, int]], day: int) -> tuple[tuple[str, int], ...]:
    """The displays of a day, the plain way."""
    last = {}
    for display, since, seen in sorted(shown, key=lambda one: one[1]):
        if since <= day:
            last[display] = seen
    return tuple(sorted((["zebra", "ant", "bear"][n], seen) for n, seen in last.items() if seen))


spots = st.lists(st.integers(1, 900), max_size=120, unique=True).map(sorted)
bursts = st.builds(
    lambda start, dense, sparse: sorted({*range(start, start + dense), *sparse}),
    st.integers(1, 800),
    st.integers(0, 200),
    st.sets(st.integers(1, 3_000), max_size=40),
)
sightings = st.lists(
    st.tuples(st.integers(0, 2), st.integers(1, 900), st.integers(0, 900)),
    max_size=12,
    unique_by=lambda one: one[:2],
)


@laws()
@given(st.lists(st.tuples(spots | bursts, sightings, st.booleans()), min_size=1, max_size=6), st.data())
def test_a_spot_is_read_as_it_was_packed_alone_or_with_others(kept, data) -> None:
    packed = [blobs.pack(judged(*one)) for one in kept]
    day = data.draw(
        st.sampled_from([0, 3_100, *(d for days, *_ in kept for d in days)]) | st.integers(0, 3_100)
    )
    before = data.draw(st.integers(0, 900))
    swept = blobs.joined(blobs.sweep(packed[at : at + 4], day, before) for at in range(0, len(packed), 4))
    for n, (days, shown, rates) in enumerate(kept):
        spot = blobs.Spot(packed[n])
        at = spot.find(day)
        assert at == bisect_right(days, day) - 1
        assert [one.since for one in spot.all()] == days
        ints, knot = swept.ints[n].tolist(), spot.knot(at) if at >= 0 else None
        if knot is not None and knot.belief:
            assert (knot.claims, knot.displays) == (at, showing(shown, knot.since))
            assert knot.rates == ((0.0, 0.1 * (at % 3), 0.0) if rates and at % 3 else ())
        if n in swept.alone:
            continue
        if knot is None or not knot.belief:
            assert ints[1] == 0
            continue
        assert (ints[0], ints[3], swept.beliefs[n].tolist()) == (knot.since, at, list(knot.belief))
        old = any(seen < before for _, seen in knot.displays)
        assert swept.displays.get(n) == (knot.displays if old else None)


def test_spots_that_are_spread_evenly_are_never_left_alone() -> None:
    packed = [blobs.pack(judged(list(range(1, 1_000, step)), [])) for step in (1, 2, 3, 7)]
    for day in range(0, 1_100, 5):
        assert blobs.sweep(packed, day, 0).alone == []


@laws()
@given(
    st.sampled_from([("A",), ("A", "B"), ("A", "B", "C", "D")]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 2**31)), min_size=1, max_size=20),
)
def test_beliefs_are_carried_together_as_each_is_by_itself(parties, moved) -> None:
    states = States.control(parties)
    motion = Motion(generator(states, Params()))
    beliefs = np.array([np.random.default_rng(seed).dirichlet(np.ones(len(states))) for _, seed in moved])
    days = np.array([day for day, _ in moved])
    together = motion.forward_each(beliefs, days)
    for row, belief, day in zip(together.tolist(), beliefs.tolist(), days.tolist(), strict=True):
        assert row == motion.forward(belief, day)


@pytest.mark.parametrize("names", [[], ["a"], ["x" * 120, "y" * 120, "z" * 120]])
def test_names_of_displays_may_be_as_long_as_they_like(names: list[str]) -> None:
    one = judged([5, 9], [(n, 5, 4) for n in range(len(names))])
    one.shown_by = names
    spot = blobs.Spot(blobs.pack(one))
    assert spot.knot(1).displays == tuple((name, 4) for name in names)
