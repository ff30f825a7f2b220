"""Plain folds: what a projection of one's own may rely on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import codec
from ledger.errors import Unverified, Usage
from ledger.events import ClaimReported
from projections import engine
from projections.engine import Projection, fold
from tests.projections.worlds import Paper, Shelf, World, claim, laws, worlds


def per_source() -> Projection[Counter[str]]:
    tally: Projection[Counter[str]] = Projection("claims-per-source", version=1, initial=Counter)

    @tally.on(ClaimReported)
    def count(counts, one, recorded):
        counts[one.claimant] += 1
        return counts

    return tally


def crowd(n: int = 6) -> Shelf:
    return World.of(*(claim("army", "UA", day) for day in range(n)), claim("ministry", "RU", 3)).shelf()


def test_a_fold_begins_empty_and_takes_every_event_it_listens_to() -> None:
    state, bad = fold(per_source(), crowd().events)
    assert (state, bad) == (Counter(army=6, ministry=1), [])


def test_events_nobody_asked_for_pass_by() -> None:
    silent: Projection[list[str]] = Projection("silent", initial=list)
    assert silent.listens_to == frozenset()
    assert fold(silent, crowd().events) == ([], [])


def test_handlers_are_named_by_class_or_by_name_with_or_without_version() -> None:
    seen: Projection[list[str]] = Projection("seen", initial=list)

    @seen.on("party-named", "question-opened/1", ClaimReported)
    def note(names, _, recorded):
        return [*names, recorded.name]

    state, _ = fold(seen, crowd(1).events)
    assert Counter(state) == Counter({"party-named": 2, "question-opened": 1, "claim-reported": 2})


def test_handlers_read_author_fields_with_their_defaults_and_the_stamp() -> None:
    acts: Projection[list[tuple]] = Projection("acts", initial=list)

    @acts.on("claim-reported")
    def note(seen, one, recorded):
        seen.append((one.act, one.via, recorded.position, recorded.entry))

    shelf = World.of(claim("army", "UA", 1, "c", via=["agency"])).shelf()
    assert fold(acts, shelf.events)[0] == [("asserts", ["agency"], len(shelf.events), "c-c")]
    with pytest.raises(AttributeError, match="no field 'colour'"):
        _ = shelf.events[-1].fields.colour


def test_an_event_on_which_a_handler_raises_is_quarantined_with_its_position() -> None:
    picky = per_source()

    @picky.on("claim-reported")
    def count(counts, one, recorded):
        if one.claimant == "ministry":
            raise ValueError("not him")
        counts[one.claimant] += 1

    shelf = crowd()
    state, (bad,) = fold(picky, shelf.events)
    assert state == Counter(army=6)
    assert (shelf.events[bad.position - 1].data["claimant"], bad.error) == ("ministry", "ValueError: not him")
    assert bad.entry == shelf.events[bad.position - 1].entry


@laws()
@given(st.sets(st.integers(0, 11)), st.integers(1, 6))
def test_a_handler_that_raises_half_way_leaves_no_trace(poison: set[int], batch: int) -> None:
    careless: Projection[dict[str, list[int]]] = Projection("careless", initial=lambda: {"days": []})

    @careless.on("claim-reported")
    def note(state, one, recorded):
        day = int(one.said[-2:])
        state["days"].append(day)
        if day - 1 in poison:
            raise RuntimeError("after the state was changed")

    told = World.of(*(claim("army", "UA", f"2025-11-{n + 1:02d}") for n in range(12))).shelf().events
    whole, engine._BATCH = engine._BATCH, batch
    try:
        state, bad = fold(careless, told)
    finally:
        engine._BATCH = whole
    assert state["days"] == [n + 1 for n in range(12) if n not in poison]
    assert len(bad) == len(poison)


def test_a_handler_that_always_raises_ends_soon() -> None:
    steps = 0
    broken: Projection[int] = Projection("broken", initial=int)

    @broken.on("claim-reported")
    def fail(*_):
        nonlocal steps
        steps += 1
        raise RuntimeError

    events = crowd(40).events
    assert len(fold(broken, events)[1]) == 41
    assert steps == 41


@laws(0.5)
@given(worlds(least=4), st.data())
def test_a_fold_resumed_is_the_fold_of_all(world: World, data) -> None:
    events = world.shelf().events
    cut = data.draw(st.integers(0, len(events)))
    first, _ = fold(per_source(), events[:cut])
    assert fold(per_source(), events[cut:], first)[0] == fold(per_source(), events)[0]


def test_a_fold_takes_a_stream_and_does_not_hold_it() -> None:
    def stream() -> Iterator:
        yield from crowd().events

    assert fold(per_source(), stream())[0] == fold(per_source(), crowd().events)[0]


# -- saving and loading -----------------------------------------------------------------------------------


@dataclass
class Totals:
    claims: int = 0
    last: str = ""


def counting(initial, step) -> Projection:
    projection: Projection = Projection("own", initial=initial)
    projection.on("claim-reported")(step)
    return projection


def by_default(counts, one, recorded):
    counts[one.claimant] += 1


def into_totals(totals, one, recorded):
    return Totals(totals.claims + 1, one.claimant)


@pytest.mark.parametrize(
    "projection",
    [
        per_source(),
        counting(lambda: defaultdict(int), by_default),
        counting(Totals, into_totals),
        counting(int, lambda n, *_: n + 1),
        counting(list, lambda seen, one, _: [*seen, one.claimant]),
        counting(lambda: None, lambda last, one, _: one.claimant),
        Projection("empty", initial=dict),
    ],
    ids=["counter", "defaultdict", "dataclass", "number", "list", "nothing yet", "nothing asked for"],
)
def test_a_state_kept_in_a_view_goes_on_where_it_stood(tmp_path, projection) -> None:
    shelf = crowd()
    for root, stops in (
        (tmp_path / "one", range(len(shelf.events) - 4, len(shelf.events))),
        (tmp_path / "two", ()),
    ):
        for stop in (*stops, len(shelf.events)):
            views = Paper(shelf, stop).views(root)
            state, bad = views.folded(projection, stop, None)
            views.close()
        assert bad == []
        if root.name == "one":
            bit_by_bit = state
    assert state == bit_by_bit


def test_a_state_may_bring_its_own_way_to_be_saved(tmp_path) -> None:
    pairs: Projection[set[tuple[str, str]]] = Projection(
        "pairs", initial=set, save=lambda s: sorted(map(list, s)), load=lambda saved: set(map(tuple, saved))
    )

    @pairs.on("claim-reported")
    def add(seen, one, recorded):
        seen.add((one.claimant, one.state))

    shelf = crowd()
    for stop in (len(shelf.events) - 2, len(shelf.events)):
        views = Paper(shelf, stop).views(tmp_path)
        state, _ = views.folded(pairs, stop, None)
        views.close()
    assert state == [["army", "UA"], ["ministry", "RU"]]


@pytest.mark.parametrize(
    ("initial", "step"),
    [
        (set, lambda seen, one, _: seen | {one.claimant}),
        (dict, lambda seen, one, _: seen | {(one.claimant, one.state): 1}),
        (dict, lambda seen, one, _: seen | {len(seen): 1}),
    ],
    ids=["a set", "tuples as keys", "numbers as keys"],
)
def test_a_state_that_cannot_be_saved_is_refused_with_a_remedy(tmp_path, initial, step) -> None:
    shelf = crowd()
    with pytest.raises(Usage, match="save= and load="):
        Paper(shelf).views(tmp_path).folded(counting(initial, step), len(shelf.events), None)


def test_a_fold_by_other_code_begins_anew(tmp_path) -> None:
    shelf = crowd()
    for n in (1, 2):
        (tmp_path / "own.py").write_text(f"weight = {n}")
        views = Paper(shelf).views(tmp_path / "views")
        projection = counting(int, lambda total, *_, n=n: total + n)
        state, _ = views.folded(projection, len(shelf.events), tmp_path / "own.py")
        views.close()
        assert state == 7 * n


def test_what_was_quarantined_stays_known_after_catching_up(tmp_path) -> None:
    picky: Projection[int] = Projection("picky", initial=int)

    @picky.on("claim-reported")
    def count(n, one, recorded):
        if one.claimant == "ministry":
            raise ValueError("not him")
        return n + 1

    shelf = crowd()
    for stop in (len(shelf.events) - 1, len(shelf.events)):
        views = Paper(shelf, stop).views(tmp_path)
        state, bad = views.folded(picky, stop, None)
        views.close()
    assert (state, [one.error for one in bad]) == (6, ["ValueError: not him"])


# -- read off the stored bytes ------------------------------------------------------------------------------


def leaf(kind: str, /, **fields: object) -> bytes:
    """Canonical bytes of an event, ``fields`` in the place of what is usual."""
    usual = {
        "stream": "c-1",
        "version": 1,
        "type": kind,
        "recorded": "2025-11-01T00:00:00.000000Z",
        "data": {},
    }
    return codec.canonical({**usual, **fields})


def heard(names: set[str], *states: bytes) -> list[int]:
    """Positions of the leaves that a projection is told of."""
    told: Projection[list[int]] = Projection("told", initial=list)

    @told.on(*names)
    def note(seen, _, recorded):
        seen.append(recorded.position)

    def leaves(first: int, last: int) -> Iterator[tuple[int, bytes]]:
        return ((n, states[n - 1]) for n in range(first, last + 1))

    return engine.fold_leaves(told, leaves, 0, len(states))[0]


def test_a_fold_over_bytes_is_told_of_exactly_what_it_listens_to() -> None:
    words = '","type":"claim-reported/1","version":1}'
    states = [
        leaf("claim-reported/1", data={"claimant": "army"}),
        leaf("claim-withdrawn/1", data={"key": words}),
        leaf("claim-withdrawn/1", data={"a": {"type": "claim-reported/1", "version": 1}}),
        leaf("claim-reported/1", version=12, stream="source:x"),
        leaf("claim-reported/0", data={"agency": "tass"}),
        leaf("claim-withdrawn/1", zebra={"type": "claim-reported/1", "version": 1}),
        b'{"type":"claim-reported/1","version":1,"stream":"c-1","recorded":"x","data":{}}',
        b'{"type":"claim-withdrawn/1","data":{},"stream":"c","recorded":"x","zz":{"a":1,"type":"claim-reported/1",'
        b'"version":1}, "version":1}',
        leaf("claim-reported-again/1"),
        leaf('claim"reported/1'),
    ]
    decoded = [codec.Recorded(n, orjson.loads(state)) for n, state in enumerate(states, 1)]
    assert heard({"claim-reported"}, *states) == [
        one.position for one in decoded if one.name == "claim-reported"
    ]
    assert heard({"claim-reported"}, *states) == [1, 4, 5, 7]


def test_bytes_that_are_no_event_are_refused_where_they_stand() -> None:
    with pytest.raises(Unverified, match="#2"):
        heard({"claim-reported"}, leaf("party-named/1"), b'{"type":"claim-reported/1","version":1}')
    with pytest.raises(Unverified, match="#1"):
        heard({"party-named"}, b"\xff\xfe")


@laws(0.5)
@given(worlds(least=4), st.sets(st.integers(1, 12)), st.integers(1, 6), st.data())
def test_a_fold_over_bytes_is_the_fold_over_their_events(
    world: World, poison: set[int], batch: int, data
) -> None:
    """Whatever raises, wherever copies of the state are taken, and wherever it goes on from."""
    shelf = world.shelf()
    careless: Projection[dict[str, list[str]]] = Projection("careless", initial=lambda: {"seen": []})

    @careless.on("claim-reported", "evidence-reported", "entry-corrected")
    def note(state, one, recorded):
        state["seen"].append([recorded.entry, recorded.type, recorded.recorded, repr(one)])
        if len(recorded.entry) % 13 in poison or recorded.position % 13 in poison:
            raise RuntimeError("after the state was changed")

    cut = data.draw(st.integers(0, len(shelf.events)))
    whole, engine._BATCH = engine._BATCH, batch
    try:
        leaves = Paper(shelf).store.leaves
        first, bad = engine.fold_leaves(careless, leaves, 0, cut)
        state, more = engine.fold_leaves(careless, leaves, cut, len(shelf.events), first)
    finally:
        engine._BATCH = whole
    assert (state, [*bad, *more]) == fold(careless, shelf.events)


def test_the_state_is_copied_less_and_less_often(monkeypatch) -> None:
    copies = 0

    def copied(state: object) -> object:
        nonlocal copies
        copies += 1
        return state

    monkeypatch.setattr(engine, "_BATCH", 4)
    monkeypatch.setattr(engine.copy, "deepcopy", copied)
    assert len(heard({"claim-reported"}, *[leaf("claim-reported/1")] * 1_000)) == 1_000
    assert copies == 9  # at 0, 4, 8, 16 … 512
