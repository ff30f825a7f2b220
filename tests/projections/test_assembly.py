"""What each act does to a belief, and when it ceases to."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.belief.assembly import Assembly
from projections.belief.base import UNKNOWN, Logic
from projections.belief.labels import Label, States, emissions
from projections.belief.params import Params
from projections.belief.tally import TALLY, explain
from tests.projections.worlds import (
    CONTESTED,
    DAYS,
    TIGHT,
    ZERO,
    Shelf,
    Told,
    World,
    claim,
    date,
    end,
    laws,
    told,
    worlds,
)

PARAMS = Params()
STATES = States.control(("UA", "RU"))
UA, RU = 0, 1


def shelf(*events: Told) -> Shelf:
    return World.of(*events).shelf()


def weight(shelf: Shelf, label: str, state: str, day: int = 9, logic: Logic = TALLY) -> float:
    """The weight of what was told under a label, in nats for a state against its strongest rival."""
    why = explain(shelf.case(), logic, ZERO + day, end(day), state)
    return sum(one.weight for one in why.heard if one.piece.id == shelf.id(label))


def remarks(shelf: Shelf, day: int = 9, place: str = "town") -> dict[str, str | None]:
    why = explain(shelf.case(place), TALLY, ZERO + day, end(day))
    return {one.piece.id: one.reason for one in (*why.ignored, *why.heard)}


# -- acts -----------------------------------------------------------------------------------------------------


def test_a_denial_speaks_against_its_state() -> None:
    capture = claim("ministry", "RU", 1)
    denied = shelf(capture, claim("witness", "RU", 2, act="denies"))
    assert denied.p("RU", 2) < shelf(capture).p("RU", 2)


def test_a_doubt_is_half_a_denial() -> None:
    doubted, denied = (shelf(claim("witness", "RU", 2, "no", act=act)) for act in ("doubts", "denies"))
    one, other = (explain(s.case(), TALLY, ZERO + 2, end(2), "RU").heard[0].weight for s in (doubted, denied))
    row = emissions(STATES, None, PARAMS)[Label("not", RU)]
    assert one == pytest.approx(0.5 * other)
    assert other == pytest.approx(min(row[RU] - row[UA], row[RU] - row[2]), abs=1e-9)


def test_a_concession_against_interest_outweighs_the_same_words_of_the_other_side() -> None:
    against_interest = shelf(claim("blogger", "UA", 2, act="concedes"))
    in_interest = shelf(claim("army", "UA", 2))
    assert against_interest.p("UA", 2) > in_interest.p("UA", 2)


def test_a_denial_of_its_own_sides_capture_weighs_more_than_the_other_sides() -> None:
    capture = claim("ministry", "RU", 1)
    by_own, by_other = (
        shelf(capture, claim(source, "RU", 2, "denial", act="denies")) for source in ("blogger", "army")
    )
    assert by_own.p("RU", 2) < by_other.p("RU", 2)
    assert weight(by_own, "denial", "RU") < weight(by_other, "denial", "RU")


def test_a_prediction_says_nothing_of_the_present_even_when_its_time_has_come() -> None:
    one = shelf(claim("ministry", "RU", 1, act="predicts", valid=date(5)), claim("witness", "UA", 2))
    assert one.judge(9).probabilities == shelf(claim("witness", "UA", 2)).judge(9).probabilities


def test_encircled_is_heard_as_not_yet_taken() -> None:
    assert shelf(claim("ministry", "RU", 1, negated=True)).p("RU", 1) < 1 / 3


# -- parts ----------------------------------------------------------------------------------------------------


def test_a_part_claim_speaks_for_a_contest_and_against_the_whole() -> None:
    one = shelf(claim("witness", "UA", 2, extent="part"))
    assert one.judge(2).believed == CONTESTED
    assert one.p("RU", 2) < one.p("UA", 2)


def test_what_is_said_of_a_named_part_is_a_part_claim_on_the_whole() -> None:
    named = shelf(claim("witness", "UA", 2, place="town/north"))
    unnamed = shelf(claim("witness", "UA", 2, extent="part"))
    assert named.judge(2).probabilities == unnamed.judge(2).probabilities
    assert named.judge(2, place="town/north").believed == "UA"


def test_what_is_said_of_the_whole_is_said_of_each_part() -> None:
    one = shelf(claim("witness", "UA", 2))
    assert one.judge(2, place="town/south").probabilities == one.judge(2).probabilities


@pytest.mark.parametrize("data", [{"extent": "part"}, {"act": "denies"}, {"negated": True}])
def test_what_is_said_of_some_of_the_whole_says_nothing_of_a_part(data) -> None:
    assert shelf(claim("witness", "UA", 2, **data)).judge(2, place="town/north").believed == UNKNOWN


def test_what_is_denied_of_a_part_says_nothing_of_the_whole() -> None:
    one = shelf(claim("witness", "RU", 2, place="town/north", act="denies"))
    assert one.judge(2).believed == UNKNOWN
    assert remarks(one) == {"c-witness-RU-2": "denied of a named part only"}


# -- time -----------------------------------------------------------------------------------------------------


def test_an_imprecise_date_spreads_its_weight_over_its_days() -> None:
    one = shelf(claim("witness", "UA", 9, valid=f"{date(2)}/{date(5)}"))
    chain = Assembly.known_by(one.case(), TALLY, end(9)).chain
    logs = emissions(STATES, None, PARAMS)[Label("is", UA)]
    assert [day - ZERO for day in chain.days] == [2, 3, 4, 5]
    for day in chain.days:
        assert chain.spoken.evidence(day) == pytest.approx(logs / 4)


def test_a_very_imprecise_date_is_spread_over_a_bounded_number_of_days() -> None:
    chain = Assembly.known_by(shelf(claim("witness", "UA", 9, valid="2024")).case(), TALLY, end(9)).chain
    assert len(chain.days) == PARAMS.imprecise_points
    total = np.sum([chain.spoken.evidence(day) for day in chain.days], axis=0)
    assert total == pytest.approx(emissions(STATES, None, PARAMS)[Label("is", UA)])


def test_the_end_of_an_interval_throughout_which_something_held_says_nothing() -> None:
    one = shelf(claim("witness", "UA", 30, valid=f"{date(0)}/{date(20)}", valid_kind="throughout"))
    beliefs = [one.p("UA", day, known=30) for day in (20, 21, 22)]
    assert beliefs == sorted(beliefs, reverse=True)
    assert beliefs[2] > 0.8
    assert one.p("UA", 200) == pytest.approx(shelf(claim("witness", "UA", 20)).p("UA", 200), abs=0.05)


def test_a_claim_throughout_an_interval_vouches_for_every_day_of_it() -> None:
    span = f"{date(0)}/{date(400)}"
    long = shelf(claim("witness", "UA", 400, valid=span, valid_kind="throughout"))
    once = shelf(claim("witness", "UA", 400, valid=date(0)))
    assert long.p("UA", 200, known=400) > 0.9 > once.p("UA", 200, known=400)


# -- displays -----------------------------------------------------------------------------------------------


def drawn(state: str, day: int, source: str = "map", **data) -> Told:
    return claim(source, state, day, data.pop("label", f"{source}-{day}"), standing=True, **data)


def look(day: int, source: str = "map", place: str | None = "town") -> Told:
    where = {"place": place} if place else {}
    return told("display-observed", f"look-{source}-{day}-{place}", source=source, said=date(day), **where)


def withdrawn(day: int, source: str = "map", place: str = "town") -> Told:
    return told("claim-withdrawn", f"gone-{source}-{day}", source=source, place=place, said=date(day))


def test_a_display_replaced_is_a_change_of_mind() -> None:
    one = shelf(drawn("RU", 1), drawn("UA", 9), look(20))
    assert one.judge(8).believed == "RU"
    assert one.p("RU", 9) < one.p("RU", 8)
    assert one.judge(20).believed == "UA"
    assert one.judge(9).claims == 2


def test_a_display_withdrawn_is_neither_denied_nor_taken_back() -> None:
    kept, gone = shelf(drawn("RU", 1), look(9)), shelf(drawn("RU", 1), withdrawn(9))
    assert gone.p("RU", 8, known=8) == kept.p("RU", 8, known=8)
    denied = shelf(drawn("RU", 1), claim("map", "RU", 9, "no", act="denies"))
    assert kept.p("RU", 9) > gone.p("RU", 9) > denied.p("RU", 9)
    assert gone.judge(9).claims == 2


def test_a_look_that_finds_a_display_unchanged_is_evidence() -> None:
    left, looked = shelf(drawn("RU", 1)), shelf(drawn("RU", 1), look(30), look(60))
    assert looked.p("RU", 60) > left.p("RU", 60)
    assert looked.judge(60).claims == left.judge(60).claims == 1


def test_a_display_drawn_again_unchanged_is_a_look() -> None:
    again, looked = shelf(drawn("RU", 1), drawn("RU", 30)), shelf(drawn("RU", 1), look(30))
    assert again.judge(40).probabilities == looked.judge(40).probabilities
    assert again.judge(40).claims == 1


def test_a_feed_that_stopped_testifies_to_its_last_observation_only() -> None:
    one = shelf(drawn("RU", 1), look(20))
    chain = Assembly.known_by(one.case(), TALLY, end(90)).chain
    assert chain.days[-1] == ZERO + 20
    assert one.p("RU", 90) < one.p("RU", 20)
    assert one.p("RU", 90) == pytest.approx(one.p("RU", 90, known=120))


def test_a_look_at_the_whole_map_is_a_look_at_each_place_it_shows() -> None:
    everywhere, here = shelf(drawn("RU", 1), look(30, place=None)), shelf(drawn("RU", 1), look(30))
    assert everywhere.judge(40).probabilities == here.judge(40).probabilities
    assert shelf(look(30, place=None)).judge(40).believed == UNKNOWN


def test_a_look_at_another_map_or_place_says_nothing_here() -> None:
    alone = shelf(drawn("RU", 1))
    elsewhere = shelf(drawn("RU", 1), look(30, "chart", None), look(30, place="village"), look(30, "chart"))
    assert elsewhere.judge(40).probabilities == alone.judge(40).probabilities


def test_each_place_that_a_map_shows_is_a_display_of_its_own() -> None:
    town, north = drawn("RU", 1, label="town"), drawn("UA", 3, place="town/north", label="north")
    shown = Assembly.known_by(shelf(town, north).case(), TALLY, end(9)).standing()
    assert shown["map"].shows.id == "c-town"
    gone = shelf(town, north, withdrawn(5, place="town/north"), look(30))
    assert Assembly.known_by(gone.case(), TALLY, end(40)).standing()["map"].shows.id == "c-town"
    assert gone.judge(40).claims == 3


def test_a_display_is_not_kept_up_by_what_is_seen_of_its_part() -> None:
    town, north = drawn("RU", 1, label="town"), drawn("UA", 3, place="town/north", label="north")
    one = shelf(town, north, look(30, place="town/north"))
    assert dict(Assembly.known_by(one.case(), TALLY, end(40)).displaying()) == {"map": ZERO + 1}


def test_a_retracted_display_is_as_if_it_had_never_been_drawn() -> None:
    back = told("entry-retracted", "back", target="#map-9", source="map", said=date(12))
    one = shelf(drawn("RU", 1), drawn("UA", 9), look(20), back)
    assert one.judge(8).believed == "RU"
    assert one.p("UA", 9, known=11) > one.p("UA", 9, known=12)
    assert one.judge(20).probabilities == shelf(drawn("RU", 1), look(20)).judge(20).probabilities


def test_two_maps_add_up() -> None:
    alone, both = (
        shelf(drawn("RU", 1), look(20)),
        shelf(drawn("RU", 1), look(20), drawn("RU", 1, "chart"), look(20, "chart")),
    )
    assert both.p("RU", 20) > alone.p("RU", 20)
    assert both.judge(20).origins == 2


# -- evidence -------------------------------------------------------------------------------------------------


def film(**data) -> Told:
    given = {"source": "army", "place": "town", "state": "UA", "said": date(1)} | data
    return told("evidence-reported", "film", **given)


def test_footage_shows_presence_and_not_control() -> None:
    one = shelf(film())
    assert one.judge(1).believed == CONTESTED
    assert one.p("RU", 1) < 1 / 3


def test_doubted_evidence_keeps_a_quarter_of_its_weight() -> None:
    doubt = claim("blogger", None, 5, "doubt", act="doubts", target="#film")
    one = shelf(film(), doubt)
    logs = emissions(STATES, UA, PARAMS)[Label("part", UA)]
    before, after = (Assembly.known_by(one.case(), TALLY, end(day)).chain for day in (4, 5))
    assert before.spoken.evidence(ZERO + 1) == pytest.approx(logs)
    assert after.spoken.evidence(ZERO + 1) == pytest.approx(PARAMS.doubted_evidence * logs)
    assert remarks(one)["c-doubt"] == "doubts evidence, not the place"


def test_evidence_doubted_by_many_is_doubted_once() -> None:
    doubts = [
        claim(who, None, 5, f"by-{who}", act="doubts", target="#film") for who in ("blogger", "ministry")
    ]
    assert shelf(film(), *doubts).p("UA", 9) == shelf(film(), doubts[0]).p("UA", 9)


def test_a_claim_that_leans_on_doubted_evidence_is_discounted_with_it() -> None:
    doubt = claim("blogger", None, 5, "doubt", act="doubts", target="#film")
    leaning = claim("witness", "UA", 2, "leaning", based_on=["#film"])
    one = shelf(film(), leaning, doubt)
    assert one.p("UA", 2, known=5) < one.p("UA", 2, known=4)
    assert remarks(one)["c-leaning"] == "leans on e-film, which was doubted"


def test_voided_evidence_goes_and_takes_along_what_leant_on_it() -> None:
    void = told("evidence-voided", "void", target="#film", ruled=date(5))
    one = shelf(film(), claim("witness", "UA", 2, "leaning", based_on=["#film"]), void)
    assert one.judge(4).claims == 2
    assert one.judge(5).believed == UNKNOWN
    assert remarks(one) == {"e-film": "voided", "c-leaning": "leans on e-film, which was voided"}


def test_what_leans_on_evidence_voided_before_is_never_heard() -> None:
    void = told("evidence-voided", "void", target="#film", ruled=date(5))
    one = shelf(film(), void, claim("witness", "UA", 9, "leaning", based_on=["#film"]))
    assert one.judge(9).believed == UNKNOWN


def test_a_doubt_taken_back_gives_evidence_its_weight_again() -> None:
    doubt = claim("blogger", None, 5, "doubt", act="doubts", target="#film")
    back = told("entry-retracted", "back", target="#doubt", source="blogger", said=date(8))
    assert shelf(film(), doubt, back).p("UA", 9) == shelf(film()).p("UA", 9)


# -- rulings --------------------------------------------------------------------------------------------------


def verdict(what: str, day: int, target: str = "capture") -> Told:
    return told("claim-adjudicated", f"{what}-{day}", target=f"#{target}", verdict=what, ruled=date(day))


def test_a_claim_ruled_true_or_false_or_unverifiable() -> None:
    capture = claim("ministry", "RU", 1, "capture")
    plain = shelf(capture).p("RU", 1, 9)
    assert shelf(capture, verdict("true", 5)).p("RU", 1, 9) > 0.95
    assert shelf(capture, verdict("false", 5)).p("RU", 1, 9) < 0.05
    assert shelf(capture, verdict("unverifiable", 5)).p("RU", 1, 9) == pytest.approx(plain)


def test_a_claim_ruled_false_says_nothing_of_the_other_states() -> None:
    capture = claim("ministry", "RU", 1, "capture")
    one, other = shelf(capture), shelf(capture, verdict("false", 5))
    ratios = [s.p("UA", 1, 9) / s.p(CONTESTED, 1, 9) for s in (one, other)]
    assert ratios[0] == pytest.approx(ratios[1])


def test_a_part_claim_ruled_true_leaves_both_ways_of_being_true() -> None:
    one = shelf(claim("army", "UA", 1, "capture", extent="part"), verdict("true", 5))
    assert one.p("RU", 1, 9) < 0.02
    assert one.p(CONTESTED, 1, 9) > 0.3


def test_a_later_ruling_reverses_an_earlier_one() -> None:
    capture = claim("ministry", "RU", 1, "capture")
    one = shelf(capture, verdict("false", 5), verdict("true", 8))
    assert one.p("RU", 1, 7) < 0.05
    assert one.p("RU", 1, 8) == shelf(capture, verdict("true", 8)).p("RU", 1, 8)


def test_a_ruling_acts_from_the_day_it_was_made() -> None:
    capture = claim("ministry", "RU", 1, "capture")
    assert shelf(capture, verdict("true", 5)).judge(4) == shelf(capture).judge(4)


def test_a_ruling_outlives_the_retraction_of_its_claim() -> None:
    back = told("entry-retracted", "back", target="#capture", source="ministry", said=date(8))
    one = shelf(claim("ministry", "RU", 1, "capture"), verdict("false", 5), back)
    assert one.p("RU", 9) < 0.1


def ruling(state: str, valid: str, **data) -> Told:
    return told("state-ruled", "ruling", place="town", state=state, valid=valid, ruled=date(30), **data)


def test_a_state_ruled_on_a_day_is_evidence_and_no_clamp() -> None:
    one = shelf(ruling("UA", date(5)), *(claim("witness", "RU", 5, f"c{n}", valid=date(n)) for n in range(9)))
    assert 0.9 < shelf(ruling("UA", date(5))).p("UA", 5, 30) < 1
    assert one.p("UA", 5, 30) < 0.9


def test_a_state_ruled_throughout_holds_on_each_of_its_days() -> None:
    one = shelf(ruling("UA", f"{date(0)}/{date(25)}", valid_kind="throughout"))
    assert all(one.p("UA", day, 30) > 0.95 for day in (0, 12, 25))


def test_a_ruling_not_made_yet_says_nothing() -> None:
    assert shelf(ruling("UA", date(5))).judge(29).believed == UNKNOWN


# -- copies ---------------------------------------------------------------------------------------------------


def copying(rate: float) -> Logic:
    return Logic("copying", 1, params=Params(copy_rate=rate))


@laws()
@given(
    st.sampled_from(("UA", "RU", CONTESTED)),
    st.sampled_from((("ministry", "blogger"), ("ministry", "ministry"), ("witness", "witness"))),
    st.sampled_from(({}, {"act": "denies"}, {"extent": "part"}, {"negated": True}, {"act": "concedes"})),
    st.integers(1, 30),
)
def test_at_a_copy_rate_of_one_a_repeat_weighs_nothing(state, sources, data, later) -> None:
    if state == CONTESTED and data.get("extent"):
        return
    first, again = (
        claim(sources[0], state, 0, "first", **data),
        claim(sources[1], state, later, "again", **data),
    )
    once, twice = shelf(first), shelf(first, again)
    for day in (later, later + 20):
        one, other = once.judge(day, logic=copying(1.0)), twice.judge(day, logic=copying(1.0))
        assert other.probabilities == pytest.approx(one.probabilities, abs=1e-12)
    assert weight(twice, "again", state, later, copying(1.0)) == 0


def test_at_a_copy_rate_of_one_a_repeat_throughout_an_interval_weighs_nothing() -> None:
    span = {"valid": f"{date(0)}/{date(20)}", "valid_kind": "throughout"}
    first, again = claim("ministry", "RU", 20, **span), claim("blogger", "RU", 21, **span)
    once, twice = shelf(first), shelf(first, again)
    one, other = once.judge(10, 30, logic=copying(1.0)), twice.judge(10, 30, logic=copying(1.0))
    assert other.probabilities == pytest.approx(one.probabilities, abs=1e-12)


def test_at_a_copy_rate_of_nothing_a_repeat_is_a_second_witness() -> None:
    both = shelf(claim("ministry", "RU", 0, "first"), claim("blogger", "RU", 3, "again"))
    logic = copying(0.0)
    assert weight(both, "again", "RU", 9, logic) == pytest.approx(weight(both, "first", "RU", 9, logic))


def test_a_repeat_weighs_less_than_its_original() -> None:
    both = shelf(claim("ministry", "RU", 0, "first"), claim("blogger", "RU", 3, "again"))
    assert 0 < weight(both, "again", "RU") < weight(both, "first", "RU")


def test_after_the_window_a_repeat_is_news() -> None:
    def again(day: int) -> str | None:
        return remarks(shelf(claim("ministry", "RU", 0), claim("blogger", "RU", day, "again")), day)[
            "c-again"
        ]

    assert again(PARAMS.copy_window) == "repeats c-ministry-RU-0"
    assert again(PARAMS.copy_window + 1) is None


def test_whoever_holds_all_has_said_it_of_a_part_but_not_the_other_way_round() -> None:
    part, whole = {"extent": "part"}, {}
    narrowed = shelf(claim("ministry", "RU", 0, **whole), claim("ministry", "RU", 3, "next", **part))
    widened = shelf(claim("ministry", "RU", 0, **part), claim("ministry", "RU", 3, "next", **whole))
    assert remarks(narrowed)["c-next"] == "repeats c-ministry-RU-0"
    assert remarks(widened)["c-next"] is None


def test_sources_without_a_side_do_not_repeat_each_other() -> None:
    both = shelf(claim("witness", "RU", 0, "first"), claim("monitor", "RU", 3, "again"))
    assert weight(both, "again", "RU") == pytest.approx(weight(both, "first", "RU"))


@pytest.mark.parametrize("pair", [("army", "brigade"), ("witness", "monitor"), ("army", "witness")])
def test_a_repeat_by_a_linked_source_adds_nothing(pair) -> None:
    link = told("sources-linked", "link", sources=list(pair))
    first, again = claim(pair[0], "UA", 0, "first"), claim(pair[1], "UA", 3, "again")
    assert weight(shelf(first, again, link), "again", "UA") == 0


def test_a_link_that_was_over_when_it_was_said_joins_nothing() -> None:
    first, again = claim("witness", "UA", 5, "first"), claim("monitor", "UA", 8, "again")
    link = told("sources-linked", "link", sources=["witness", "monitor"], valid=f"{date(0)}/{date(6)}")
    assert weight(shelf(first, again, link), "again", "UA") > 0


def test_an_earlier_utterance_learnt_late_turns_a_known_one_into_its_repeat() -> None:
    late = claim("ministry", "RU", 0, "late", published=date(6))
    both = shelf(late, claim("blogger", "RU", 3, "known"))
    before, after = (weight(both, "known", "RU", day) for day in (5, 6))
    assert before > after > 0


def test_a_repeat_of_what_was_taken_back_stands_for_itself() -> None:
    back = told("entry-retracted", "back", target="#first", source="ministry", said=date(6))
    both = shelf(claim("ministry", "RU", 0, "first"), claim("blogger", "RU", 3, "again"), back)
    alone = shelf(claim("blogger", "RU", 3, "again"))
    assert both.judge(6).probabilities == alone.judge(6).probabilities


# -- laws -----------------------------------------------------------------------------------------------------


@laws()
@given(worlds(TIGHT, least=6), st.integers(-1, DAYS))
def test_hearing_one_thing_at_a_time_is_hearing_all_at_once(world: World, known: int) -> None:
    from projections.belief.happenings import happenings

    one = world.shelf()
    for place, question in one.spots():
        case = one.case(place, question)
        grown = Assembly(case, TALLY, end(DAYS))
        for happening in happenings(case):
            if happening.known > end(known):
                break
            grown.take(happening)
            grown.chain.filtered(ZERO + 20)  # what was asked in between leaves nothing behind
        built = Assembly.known_by(case, TALLY, end(known))
        assert set(grown.chain.spoken.contributions) == set(built.chain.spoken.contributions)
        for day in (0, 5, 20):
            assert grown.chain.smoothed(ZERO + day) == pytest.approx(built.chain.smoothed(ZERO + day), abs=0)
            assert grown.origins(ZERO + day) == built.origins(ZERO + day)


@laws()
@given(worlds(TIGHT, least=6))
def test_every_piece_known_is_either_heard_or_ignored_with_a_reason(world: World) -> None:
    one = world.shelf()
    for place, question in one.spots():
        case = one.case(place, question)
        assembly = Assembly.known_by(case, TALLY, end(DAYS + 200))
        for piece in case.testimony:
            heard, ignored = piece.id in assembly.heard, piece.id in assembly.ignored
            assert heard != ignored or (piece.retracted is not None and ignored)
            assert not ignored or assembly.ignored[piece.id][1]


def test_weights_are_log_likelihood_ratios_of_the_sources_own_rows() -> None:
    one = shelf(claim("ministry", "RU", 1, "capture"))
    row = emissions(STATES, RU, PARAMS)[Label("is", RU)]
    why = explain(one.case(), TALLY, ZERO + 1, end(1))
    assert (why.state, why.against) == ("RU", CONTESTED)
    assert (
        why.heard[0].weight == pytest.approx(row[RU] - row[2]) == pytest.approx(math.log(0.9 / 0.5), abs=0.05)
    )
