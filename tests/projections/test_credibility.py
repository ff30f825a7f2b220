"""How often what a source said was borne out by others, and never by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from projections.belief.base import Logic
from projections.belief.tally import TALLY
from projections.credibility import GRADES, Score, grade, interest, reliability, score
from tests.projections.worlds import (
    CONTESTED,
    TIGHT,
    Shelf,
    Told,
    World,
    claim,
    date,
    end,
    laws,
    moment,
    told,
    worlds,
)


def shelf(*events: Told) -> Shelf:
    return World.of(*events).shelf()


def scores(
    shelf: Shelf, known: int = 200, place: str = "town", question: str = "control"
) -> dict[str, Score]:
    return score(shelf.case(place, question), TALLY, end(known))


def outcome(shelf: Shelf, source: str, known: int = 200) -> str:
    """What became of the one thing that a source said."""
    found = scores(shelf, known)[source]
    (name,) = [name for name in ("confirmed", "refuted", "open") if getattr(found, name)]
    return name


#: Two neutral witnesses who settle what was so on a day.
def settled(state: str, day: int) -> list[Told]:
    return [claim(who, state, day, f"{who}-{day}") for who in ("witness", "monitor")]


# -- what becomes of a claim ---------------------------------------------------------------------------------


def test_what_others_bear_out_later_is_confirmed_and_what_they_do_not_is_refuted() -> None:
    assert outcome(shelf(claim("army", "UA", 5), *settled("UA", 7)), "army") == "confirmed"
    assert outcome(shelf(claim("army", "UA", 5), *settled("RU", 5)), "army") == "refuted"


def test_what_nobody_else_speaks_of_stays_open() -> None:
    assert outcome(shelf(claim("army", "UA", 5)), "army") == "open"
    assert outcome(shelf(claim("army", "UA", 5), claim("army", "UA", 9)), "army") == "open"


def test_what_is_spoken_of_only_later_stays_open_until_then() -> None:
    one = shelf(claim("army", "UA", 5), *settled("UA", 7))
    assert outcome(one, "army", known=6) == "open"
    assert outcome(one, "army", known=7) == "confirmed"


def test_a_ruling_on_a_claim_outranks_what_is_believed() -> None:
    said = [claim("army", "UA", 5, "c"), *settled("UA", 7)]

    def ruled(verdict: str, day: int = 9) -> Told:
        return told("claim-adjudicated", f"{verdict}-{day}", target="#c", verdict=verdict, ruled=date(day))

    assert outcome(shelf(*said, ruled("false")), "army") == "refuted"
    assert outcome(shelf(*said, ruled("false")), "army", known=8) == "confirmed"
    assert outcome(shelf(*said, ruled("unverifiable")), "army") == "open"
    assert outcome(shelf(*said, ruled("false"), ruled("true", 12)), "army") == "confirmed"


def test_a_state_ruled_settles_what_was_said_of_it() -> None:
    ruling = told("state-ruled", "r", place="town", state="RU", valid=date(5), ruled=date(9))
    assert outcome(shelf(claim("army", "UA", 5), ruling), "army") == "refuted"
    assert outcome(shelf(claim("army", "UA", 5), ruling), "army", known=8) == "open"


def test_a_ruling_not_made_yet_settles_nothing_whatever_the_number_of_states() -> None:
    parties = ("UA", "RU", "PMC", "ALLY", "REB")
    ruling = told("state-ruled", "r", place="town", state="UA", valid=date(2), ruled=date(90))
    one = World.of(claim("army", "UA", 5), ruling, parties=parties).shelf()
    assert outcome(one, "army", known=50) == "open"


def test_a_denial_is_right_where_the_state_does_not_hold() -> None:
    assert outcome(shelf(claim("army", "RU", 5, act="denies"), *settled("UA", 5)), "army") == "confirmed"
    assert outcome(shelf(claim("army", "UA", 5, negated=True), *settled("UA", 5)), "army") == "refuted"


def test_a_part_claim_is_right_where_its_state_holds_or_the_place_is_contested() -> None:
    part = claim("army", "UA", 5, extent="part")
    for state, expected in (("UA", "confirmed"), (CONTESTED, "confirmed"), ("RU", "refuted")):
        assert outcome(shelf(part, *settled(state, 5), *settled(state, 6)), "army") == expected


def test_what_is_said_of_a_named_part_is_scored_once_with_the_whole() -> None:
    one = shelf(claim("army", "UA", 5, place="town/north"), *settled(CONTESTED, 5))
    assert scores(one)["army"].utterances == 1
    assert scores(one, place="town/north") == {}


def test_a_prediction_is_open_until_its_time_has_come_and_kept_or_broken_then() -> None:
    foretold = claim("ministry", "RU", 1, act="predicts", valid=date(10))
    kept, broken = shelf(foretold, *settled("RU", 10)), shelf(foretold, *settled("UA", 10))
    for one in (kept, broken):
        early = scores(one, known=9)["ministry"]
        assert (early.predictions, early.kept, early.broken, early.utterances) == (1, 0, 0, 0)
    assert scores(kept)["ministry"].kept == 1
    assert scores(broken)["ministry"].broken == 1


def test_a_doubt_of_evidence_is_not_scored_as_a_denial_of_the_place() -> None:
    film = told("evidence-reported", "film", source="army", place="town", state="UA", said=date(1))
    doubt = claim("ministry", "UA", 5, act="doubts", target="#film")
    assert "ministry" not in scores(shelf(film, doubt, *settled("UA", 5)))


def test_a_map_is_scored_for_what_it_changes_and_not_for_every_day_it_stays() -> None:
    daily = [claim("map", "RU", day, standing=True) for day in range(20)]
    redrawn = claim("map", "UA", 20, standing=True)
    assert scores(shelf(*daily, redrawn, *settled("UA", 21)))["map"].utterances == 2


def test_a_retracted_claim_is_counted_as_taken_back() -> None:
    back = told("entry-retracted", "b", target="#c", source="army", said=date(8))
    one = shelf(claim("army", "UA", 5, "c"), back, *settled("RU", 6))
    assert scores(one)["army"].retracted == 1
    assert scores(one, known=7)["army"].retracted == 0


def test_questions_without_parties_are_scored_alike() -> None:
    bridge = {"question": "bridge"}
    one = shelf(
        claim("army", "standing", 5, **bridge),
        *(claim(who, "destroyed", 5, **bridge) for who in ("witness", "monitor")),
    )
    assert scores(one, question="bridge")["army"].refuted == 1


# -- by others only -------------------------------------------------------------------------------------------


def test_linked_sources_do_not_confirm_each_other() -> None:
    said = [claim("army", "UA", 5), claim("brigade", "UA", 5), claim("brigade", "UA", 6)]
    link = told("sources-linked", "l", sources=["army", "brigade"])
    assert outcome(shelf(*said, link), "army") == "open"


def test_whoever_carried_a_claim_does_not_confirm_it() -> None:
    carried = claim("witness", "UA", 5, via=["monitor"])
    said = [claim("monitor", "UA", 6), claim("outlet", "UA", 6)]
    assert outcome(shelf(carried, said[0]), "witness") == "open"
    assert outcome(shelf(claim("witness", "UA", 5), said[0]), "witness") == "confirmed"
    assert outcome(shelf(carried, *said), "witness") == "confirmed"


def test_outlets_gain_and_lose_nothing_by_carrying_with_attribution() -> None:
    one = shelf(claim("ministry", "RU", 5, via=["agency", "outlet"]), *settled("UA", 5))
    assert set(scores(one)) == {"ministry", "witness", "monitor"}


plain = replace(TIGHT, exact=True).only(
    *("claim",) * 4, "evidence", "doubt", "display", "adjudication", "ruling"
)


def unattributed(world: World) -> World:
    """The same with nobody carrying anything."""
    return world.change(lambda one: replace(one, data={k: v for k, v in one.data.items() if k != "via"}))


@laws()
@given(worlds(plain, least=5), st.sampled_from(("army", "ministry", "witness")))
def test_a_source_never_moves_its_own_score(world: World, source: str) -> None:
    """Each claim fares as if it were the only thing its source had ever said; but who repeats itself leads once."""
    whole = unattributed(world).shelf()
    own = [
        one.label
        for one in world.entries
        if source in (one.data.get("claimant"), one.data.get("source")) and one.name != "entry-retracted"
    ]
    spoken = {piece.id: piece for piece in whole.case().testimony if piece.source == source}
    total = Score()
    for label in own:
        piece = spoken.get(whole.ids[label])
        if piece is None or piece.kind != "claim":
            continue
        reports = {report.entry for report in piece.reports}
        case = whole.case()
        alone = case.without(lambda one, reports=reports: one.source == source and one.id not in reports)
        _forget_doubts(alone, {one.id for one in spoken.values()} - {piece.id})
        total += score(alone, TALLY, end(300)).get(source, Score())
    found = scores(whole, 300).get(source, Score())
    assert replace(found, leads=0, lead_days=0) == replace(total, leads=0, lead_days=0)


def _forget_doubts(case, gone: set[str]) -> None:
    for piece in (*case.testimony, *case.beside.values()):
        piece.doubts = [one for one in piece.doubts if one[2] not in gone]


@laws()
@given(worlds(replace(plain, sources=("army", "ministry", "witness")), least=5), st.integers(1, 4))
def test_a_score_is_the_same_however_many_outlets_carried_its_reports(world: World, times: int) -> None:
    world = unattributed(world)
    carried = [
        replace(one, label=f"{one.label}-{n}", data=one.data | {"via": ["outlet"]}, at=moment(90))
        for one in world.entries
        if one.name == "claim-reported"
        for n in range(times)
    ]
    alone, echoed = world.shelf(), (world + carried).shelf()
    for place, question in alone.spots():
        assert scores(alone, 300, place, question) == scores(echoed, 300, place, question)


@laws()
@given(worlds(TIGHT, least=6), st.integers(-1, 60))
def test_scores_add_up(world: World, known: int) -> None:
    one = world.shelf()
    for place, question in one.spots():
        for found in scores(one, known, place, question).values():
            assert found.utterances == found.confirmed + found.refuted + found.open
            assert found.own_interest + found.against_interest <= found.utterances
            assert found.own_confirmed + found.own_refuted <= found.own_interest
            assert found.against_confirmed + found.against_refuted <= found.against_interest
            assert found.kept + found.broken <= found.predictions


# -- interest and grades --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "state", "data", "whose"),
    [
        ("army", "UA", {}, "own"),
        ("army", "RU", {}, "against"),
        ("army", "RU", {"act": "denies"}, "own"),
        ("army", "UA", {"act": "doubts"}, "against"),
        ("army", "UA", {"extent": "part"}, "own"),
        ("army", CONTESTED, {}, None),
        ("witness", "UA", {}, None),
    ],
)
def test_in_whose_interest_a_claim_is(source, state, data, whose) -> None:
    case = shelf(claim(source, state, 5, **data)).case()
    assert interest(case.testimony[0], case) == whose


def test_claims_for_and_against_ones_own_side_are_counted_apart() -> None:
    one = shelf(
        claim("ministry", "RU", 5),
        claim("ministry", "UA", 30, act="concedes"),
        *settled("UA", 5),
        *settled("UA", 30),
    )
    found = scores(one)["ministry"]
    assert (found.own_interest, found.own_refuted) == (1, 1)
    assert (found.against_interest, found.against_confirmed) == (1, 1)


@pytest.mark.parametrize(("confirmed", "refuted"), [(0, 0), (3, 0), (7, 2), (90, 10)])
def test_reliability_is_a_beta_posterior_with_its_interval(confirmed, refuted) -> None:
    posterior = beta(1 + confirmed, 1 + refuted)
    expected = (posterior.mean(), *posterior.interval(0.95))
    assert reliability(confirmed, refuted) == pytest.approx(expected)


def test_few_claims_make_a_wide_interval_and_no_grade() -> None:
    _, low, high = reliability(3, 0)
    assert high - low > 0.5
    assert grade(3, 0) == "F"


@pytest.mark.parametrize(("letter", "settled_", "least"), GRADES)
def test_a_grade_needs_its_number_of_settled_claims(letter, settled_, least) -> None:
    confirmed = next(n for n in range(settled_ + 1) if (1 + n) / (2 + settled_) >= least)
    assert grade(confirmed, settled_ - confirmed) <= letter or letter == "E"
    assert grade(confirmed, settled_ - confirmed) != "F"


def test_grades_fall_with_what_is_refuted() -> None:
    letters = [grade(40 - n, n) for n in range(0, 41, 4)]
    assert letters == sorted(letters)
    assert (letters[0], letters[-1]) == ("A", "E")


def test_a_logic_of_ones_own_is_scored_by_the_filter() -> None:
    own = Logic("own", 1, believe=lambda *_: {"UA": 1.0})
    case = shelf(claim("army", "UA", 5), *settled("RU", 5)).case()
    assert score(case, own, end(200)) == score(case, TALLY, end(200))
