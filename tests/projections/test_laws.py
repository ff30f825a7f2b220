"""What must hold of beliefs in every ledger, tried on ledgers drawn at random."""

from __future__ import annotations

import itertools
import math
from dataclasses import fields, replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from projections.belief.assembly import Assembly
from projections.belief.base import UNKNOWN, Logic, Verdict, Why
from projections.belief.tally import TALLY, diagonal, explain, judge, read_knot
from projections.case import Case, known_at, ruled_at
from projections.case import Testimony as Piece
from projections.credibility import score
from tests.projections.worlds import (
    DAYS,
    REVISING,
    TIGHT,
    UNREVISED,
    ZERO,
    Told,
    World,
    claim,
    close,
    date,
    end,
    laws,
    moment,
    more,
    worlds,
)

SOME_DAYS = (0, 7, 15, 23, 31, DAYS, DAYS + 15)
days = st.integers(-2, DAYS + 20)
dense = st.one_of(worlds(least=4), worlds(TIGHT, least=6))


def same(one: Case, other: Case) -> bool:
    """Whether two cases hold the same, whatever directory they were read with."""
    names = [each.name for each in fields(Case) if each.name != "directory"]
    return all(getattr(one, name) == getattr(other, name) for name in names)


def known_of(one: Told, at: str) -> int:
    """When an event told can be known."""
    ruled = one.name in ("claim-adjudicated", "evidence-voided", "state-ruled")
    return (ruled_at if ruled else known_at)(one.data, at)


def text(one: Told) -> str:
    return one.at.isoformat(timespec="microseconds").replace("+00:00", "Z")


# -- the record and the clocks ----------------------------------------------------------------------------


@laws()
@given(dense, st.data())
def test_a_case_cut_at_a_position_is_the_case_of_a_ledger_that_ends_there(world: World, data) -> None:
    position = data.draw(st.integers(len(world.told) - len(world.entries), len(world.told)))
    whole, cut = world.shelf(), world.shelf(position)
    for place, question in cut.spots():
        assert same(whole.case(place, question, position), cut.case(place, question))


@laws()
@given(dense, days)
def test_looking_up_the_diagonal_is_judging_from_scratch(world: World, day: int) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        knots = [knot for knot in diagonal(case, TALLY)[0] if knot.since <= ZERO + day]
        judged = judge(case, TALLY, ZERO + day, end(day))
        if knots:
            assert close(read_knot(knots[-1], ZERO + day, case.states, TALLY), judged)
        else:
            assert judged.believed == UNKNOWN


@laws()
@given(st.one_of(worlds(UNREVISED, least=2), worlds(TIGHT.but(*REVISING), least=5)), st.data())
def test_no_event_known_later_moves_an_answer(world: World, data) -> None:
    known = end(data.draw(st.integers(0, DAYS)))
    later = world + data.draw(more(world, TIGHT.but(*REVISING), prefix="later"))
    early = [one.label for one in later.told[len(world.told) :] if known_of(one, text(one)) <= known]
    later = later.without(*early)
    assume(len(later.told) > len(world.told))
    before, after = world.shelf(), later.shelf()
    for place, question in before.spots():
        one, other = before.case(place, question), after.case(place, question)
        assert score(one, TALLY, known) == score(other, TALLY, known)
        for day in SOME_DAYS:
            assert close(judge(one, TALLY, ZERO + day, known), judge(other, TALLY, ZERO + day, known))
            assert weights(one, day, known) == pytest.approx(weights(other, day, known), abs=1e-9)


def weights(case: Case, day: int, known: int, logic: Logic = TALLY) -> dict[tuple[str, bool], float]:
    why = explain(case, logic, ZERO + day, known)
    found: dict[tuple[str, bool], float] = {}
    for one in why.heard:
        key = (one.piece.id, isinstance(one.piece, Piece))
        found[key] = found.get(key, 0.0) + one.weight
    return {key: nats for key, nats in found.items() if nats}


@laws()
@given(worlds(replace(TIGHT, exact=True).but("correction", "merge"), least=6), st.randoms(), days, days)
def test_the_order_in_which_independent_events_are_appended_does_not_matter(
    world: World, random, day: int, known: int
) -> None:
    opening = [one for one in world.entries if "target" not in one.data and not one.data.get("based_on")]
    told = [replace(one, at=moment(60)) for one in opening]
    registered = tuple(one for one in world.told if one.registers)
    shuffled = independently(random.sample(told, len(told)), told)
    first, second = World((*registered, *told)).shelf(), World((*registered, *shuffled)).shelf()
    for place, question in first.spots():
        one = judge(first.case(place, question), TALLY, ZERO + day, end(known))
        other = judge(second.case(place, question), TALLY, ZERO + day, end(known))
        assert close(one, other)


def test_reports_of_one_utterance_that_differ_in_their_times_fold_alike_in_any_order() -> None:
    spans = [(2, 4), (3, 6), (5, 8)]
    told = [
        claim("witness", "UA", 9, f"r{n}", valid=f"{date(first)}/{date(last)}")
        for n, (first, last) in enumerate(spans)
    ]
    cases = [World.of(*order).shelf().case() for order in itertools.permutations(told)]
    beliefs = [judge(case, TALLY, ZERO + 7, end(20)).probabilities for case in cases]
    assert all(found == pytest.approx(beliefs[0], abs=1e-12) for found in beliefs)


def independently(shuffled: list[Told], told: list[Told]) -> list[Told]:
    """What one source displays is a sequence: its items keep their order among themselves."""

    def shows(one: Told) -> bool:
        return one.name in ("claim-withdrawn", "display-observed") or bool(one.data.get("standing"))

    displayed = iter([one for one in told if shows(one)])
    return [next(displayed) if shows(one) else one for one in shuffled]


# -- what weighs, and what does not ------------------------------------------------------------------------


def carried(one: Told, n: int) -> Told:
    """The same utterance found in another outlet, a little later."""
    label = f"{one.label}-carried-{n}"
    via = [*one.data.get("via", ()), ("agency", "outlet")[n % 2]]
    return replace(one, label=label, data=one.data | {"via": via}, at=moment(70))


@laws()
@given(worlds(replace(TIGHT, exact=True).but("correction"), least=4), days, days, st.integers(1, 10))
def test_carriers_that_name_their_source_change_nothing(
    world: World, day: int, known: int, times: int
) -> None:
    spoken = [one for one in world.entries if one.name in ("claim-reported", "evidence-reported")]
    repeats = [carried(one, n) for one in spoken for n in range(times)]
    alone, echoed = world.shelf(), (world + repeats).shelf()
    moments = [end(known), end(DAYS + 60)]
    for place, question in alone.spots():
        one, other = alone.case(place, question), echoed.case(place, question)
        for at in moments:
            assert close(judge(one, TALLY, ZERO + day, at), judge(other, TALLY, ZERO + day, at))


SWAPPED = {"UA": "RU", "RU": "UA"}


def mirrored(one: Told) -> Told:
    """The same of the other party."""
    if one.name == "party-named":
        return one
    data = {name: SWAPPED.get(value, value) if name in ("state", "side") else value
            for name, value in one.data.items()}  # fmt: skip
    if isinstance(data.get("changes"), dict) and data["changes"].get("state") in SWAPPED:
        data["changes"] = data["changes"] | {"state": SWAPPED[data["changes"]["state"]]}
    return replace(one, data=data)


@laws()
@given(dense, days, days)
def test_swapping_the_parties_mirrors_beliefs(world: World, day: int, known: int) -> None:
    first, second = world.shelf(), world.change(mirrored).shelf()
    for place, question in first.spots():
        one = judge(first.case(place, question), TALLY, ZERO + day, end(known))
        other = judge(second.case(place, question), TALLY, ZERO + day, end(known))
        for state, p in one.probabilities.items():
            assert other.probabilities[SWAPPED.get(state, state)] == pytest.approx(p, abs=1e-9)


@laws()
@given(dense, days)
def test_hindsight_on_the_last_day_spoken_of_is_the_filter(world: World, known: int) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        chain = Assembly.known_by(shelf.case(place, question), TALLY, end(known)).chain
        for day in [*chain.days[-1:], ZERO + DAYS + 30]:
            assert chain.smoothed(day) == pytest.approx(chain.filtered(day), abs=1e-12)


@laws()
@given(dense, days, days)
def test_reasons_add_up_to_the_log_odds(world: World, day: int, known: int) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        for at in {end(day), end(min(day, known))}:
            why = explain(case, TALLY, ZERO + day, at)
            if why.verdict.believed == UNKNOWN:
                continue
            assert why.additive
            p = why.verdict.probabilities
            odds = math.log(p[why.state]) - math.log(p[why.against])
            parts = math.fsum([why.prior, why.staleness, *(one.weight for one in why.heard)])
            assert why.total == pytest.approx(odds, abs=1e-9)
            assert parts == pytest.approx(odds, abs=1e-9)


@laws()
@given(dense, st.integers(0, DAYS))
def test_a_hindsight_weight_is_what_a_ledger_without_the_piece_would_lack(world: World, day: int) -> None:
    shelf = world.shelf()
    known = end(DAYS + 60)
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        why = explain(case, TALLY, ZERO + day, known)
        if why.verdict.believed == UNKNOWN:
            continue
        for one in why.heard:
            if not isinstance(one.piece, Piece) or one.piece.verdicts or held_by(one.piece, case):
                continue
            left = judge(case.without(lambda piece, gone=one.piece: piece.id == gone.id),
                         TALLY, ZERO + day, known)  # fmt: skip
            lacking = log_odds(why.verdict, why) - log_odds(left, why)
            assert one.weight == pytest.approx(lacking, abs=1e-9), one


def log_odds(verdict: Verdict, why: Why) -> float:
    return math.log(verdict.probabilities[why.state]) - math.log(verdict.probabilities[why.against])


def held_by(piece: Piece, case: Case) -> bool:
    """Whether a piece was doubted and something said throughout an interval leans on it: what such a claim holds
    its hearers to is not weighed again when the doubt goes."""
    long = ("throughout", "since")
    return bool(piece.doubts) and any(one.based_on and one.valid_kind in long for one in case.testimony)


@laws()
@given(dense, days, days)
def test_a_factor_of_one_is_the_tally(world: World, day: int, known: int) -> None:
    own = Logic("own", 1, weigh=lambda piece, source: 1.0)
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        assert judge(case, own, ZERO + day, end(known)) == judge(case, TALLY, ZERO + day, end(known))


@laws()
@given(
    worlds(TIGHT.but("adjudication", "doubt", "void"), least=4),
    days,
    days,
    st.sampled_from(("army", "ministry", "map", "witness")),
)
def test_a_logic_that_raises_on_a_piece_goes_on_as_if_it_were_absent(
    world: World, day: int, known: int, source: str
) -> None:
    def weigh(piece: Piece, _) -> float:
        if piece.source == source:
            raise RuntimeError("cannot")
        return 1.0

    own = Logic("own", 1, weigh=weigh)
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        one = judge(case, own, ZERO + day, end(known))
        gone = case.without(lambda piece: piece.source == source and piece.kind != "observation")
        other = judge(gone, TALLY, ZERO + day, end(known))
        assert close(one, other)
