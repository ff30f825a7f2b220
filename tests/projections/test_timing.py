"""How early a source spoke: prematurely, or before everybody else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.belief.assembly import Assembly
from projections.belief.tally import TALLY
from projections.credibility import Score, brier
from projections.timing import LEAD_WITHIN, PREMATURE_WITHIN
from tests.projections.test_columns import assert_same
from tests.projections.test_credibility import scores, settled, shelf
from tests.projections.worlds import ZERO, Told, World, claim, date, end, laws, told

BEFORE = [one for day in (4, 8, 12) for one in settled("UA", day)]
AFTER = [one for day in (30, 33, 36) for one in settled("RU", day)]


def early(*said: Told, known: int = 200, source: str = "ministry") -> tuple[int, int]:
    """How many of a source's statements were premature, and by how many days together."""
    found = scores(shelf(*said), known)[source]
    return found.premature, found.premature_days


def ahead(*said: Told, source: str = "witness") -> tuple[int, int]:
    """How often a source was first, and by how many days together."""
    found = scores(shelf(*said))[source]
    return found.leads, found.lead_days


# -- premature -----------------------------------------------------------------------------------------------


def test_a_capture_announced_before_it_happened_is_premature_by_the_days_it_took() -> None:
    count, days = early(claim("ministry", "RU", 8), *BEFORE, *AFTER)
    assert count == 1
    assert 12 - 8 < days <= 30 - 8


def test_days_of_several_premature_statements_add_up() -> None:
    once, twice = (
        early(*(claim("ministry", "RU", day) for day in days), *BEFORE, *AFTER) for days in ((8,), (8, 10))
    )
    assert twice == (2, once[1] + once[1] - 2)


def test_what_never_came_true_was_wrong_and_not_premature() -> None:
    assert early(claim("ministry", "RU", 8), *BEFORE) == (0, 0)


def test_what_was_true_when_it_was_said_was_not_premature() -> None:
    assert early(claim("ministry", "RU", 31), *BEFORE, *AFTER) == (0, 0)


def test_what_is_open_was_not_premature() -> None:
    late = claim("ministry", "RU", 22)
    found = scores(shelf(late, *BEFORE, *AFTER))["ministry"]
    assert (found.open, found.premature) == (1, 0)


def test_repeating_it_does_not_make_it_come_true() -> None:
    """Only the others are asked: a spokesman who announces it every day is not borne out by himself."""
    said = [claim("ministry", "RU", day) for day in range(8, 40, 2)]
    found = scores(shelf(*said, *BEFORE, *(one for day in (20, 41) for one in settled("UA", day))))
    assert found["ministry"].premature == 0


def test_neither_do_linked_sources_make_it_come_true() -> None:
    link = told("sources-linked", "l", sources=["ministry", "blogger"])
    echo = [claim("blogger", "RU", day) for day in (30, 33, 36)]
    steady = [one for day in (20, 41) for one in settled("UA", day)]
    assert early(claim("ministry", "RU", 8), *BEFORE, *echo, *steady, link) == (0, 0)


def test_a_denial_that_becomes_right_later_was_not_premature() -> None:
    stubborn = claim("army", "RU", 32, act="denies")
    turned = [one for day in (50, 53, 56) for one in settled("UA", day)]
    found = scores(shelf(stubborn, *AFTER, *turned))["army"]
    assert (found.refuted, found.premature) == (1, 0)


def test_a_prediction_is_kept_or_broken_and_never_premature() -> None:
    foretold = claim("ministry", "RU", 1, act="predicts", valid=date(8))
    found = scores(shelf(foretold, *BEFORE, *AFTER))["ministry"]
    assert (found.broken, found.premature) == (1, 0)


def test_what_came_true_after_the_moment_asked_about_is_not_known_by_then() -> None:
    said = claim("ministry", "RU", 8)
    assert early(said, *BEFORE, *AFTER, known=29) == (0, 0)
    assert early(said, *BEFORE, *AFTER, known=36)[0] == 1


@pytest.mark.parametrize(("later", "count"), [(PREMATURE_WITHIN, 1), (PREMATURE_WITHIN + 20, 0)])
def test_what_comes_true_after_more_than_a_year_was_not_premature(later: int, count: int) -> None:
    steady = [one for day in range(4, later + 2, 4) for one in settled("UA", day)]
    turned = [one for n in range(6) for one in settled("RU", later + 8 + n)]
    assert early(claim("ministry", "RU", 8), *steady, *turned, known=later + 60)[0] == count


def test_a_statement_refuted_by_a_ruling_alone_was_not_premature() -> None:
    """The others held it true all the time."""
    ruled = told("claim-adjudicated", "v", target="#c", verdict="false", ruled=date(50))
    found = scores(shelf(claim("ministry", "RU", 33, "c"), *AFTER, ruled))["ministry"]
    assert (found.refuted, found.premature) == (1, 0)


def test_a_part_claim_is_premature_until_the_place_is_contested() -> None:
    part = claim("ministry", "RU", 8, extent="part")
    fought = [one for day in (30, 33, 36) for one in settled("contested", day)]
    assert early(part, *BEFORE, *fought)[0] == 1


@st.composite
def turning(draw: st.DrawFn) -> World:
    """A place that changes hands once, with two who see it and others who say what they like."""
    turn = draw(st.integers(10, 45))
    seen = draw(st.lists(st.integers(0, 60), min_size=6, max_size=12, unique=True))
    told_ = [one for day in seen for one in settled("UA" if day < turn else "RU", day)]
    for n in range(draw(st.integers(1, 6))):
        data: dict[str, Any] = draw(
            st.sampled_from(({}, {}, {}, {"extent": "part"}, {"act": "denies"}, {"place": "town/north"}))
        )
        said = draw(st.integers(0, 60))
        source = draw(st.sampled_from(("ministry", "blogger", "army", "map")))
        if source == "map":
            data = {"standing": True}
        state = draw(st.sampled_from(("RU", "RU", "UA", "contested")))
        via = {"via": ["outlet"]} if draw(st.booleans()) and source != "map" else {}
        told_.append(claim(source, state, said, f"n{n}", **data, **via))
    if draw(st.booleans()):
        told_.append(told("sources-linked", "l", sources=["ministry", "blogger"]))
    return World.of(*told_)


@laws()
@given(turning(), st.sampled_from((25, 45, 200)))
def test_the_kernel_finds_the_same_days(world: World, known: int) -> None:
    assert_same(world.shelf(hashed=True), known=end(known))


@laws(0.5)
@given(turning())
def test_it_came_true_on_the_first_day_on_which_the_others_hold_it(world: World) -> None:
    """Day by day, each belief worked out from a record without the source and its like."""
    case = world.shelf().case("town", "control")
    found = scores(world.shelf())
    for source in {piece.source for piece in case.testimony if piece.kind == "claim"} - {
        "witness",
        "monitor",
    }:
        voices = case.directory.linked(source)
        left = Assembly.known_by(case.without(lambda one, gone=voices: one.source in gone), TALLY, end(200))
        days = 0
        for piece in case.testimony:
            plain = piece.source == source and piece.act == "asserts" and piece.extent == "whole"
            if not plain or piece.reach != "own":
                break
            wanted = case.states.index(piece.state or "")
            held = [float(left.chain.smoothed(day)[wanted]) for day in range(ZERO, ZERO + 61)]
            at = piece.hi - ZERO
            if left.chain.days[0] - ZERO > at or held[at] > TALLY.params.settled_false:
                continue
            days += next((n for n in range(1, 61 - at) if held[at + n] >= TALLY.params.settled_true), 0)
        else:
            assert found[source].premature_days == days


# -- first ---------------------------------------------------------------------------------------------------


def test_who_reports_first_what_others_confirm_later_leads_by_the_days_between() -> None:
    assert ahead(claim("witness", "RU", 5), claim("monitor", "RU", 9), claim("army", "RU", 12)) == (1, 4)


def test_who_is_second_does_not_lead() -> None:
    said = [claim("witness", "RU", 5), claim("monitor", "RU", 9), claim("army", "RU", 12)]
    assert ahead(*said, source="monitor") == (0, 0)


def test_two_on_one_day_are_both_not_first() -> None:
    said = [claim("witness", "RU", 5), claim("monitor", "RU", 5), claim("army", "RU", 9)]
    assert ahead(*said) == ahead(*said, source="monitor") == (0, 0)


def test_nobody_leads_by_what_is_not_confirmed() -> None:
    wrong = [claim("army", "RU", 5), claim("blogger", "RU", 9)]
    found = scores(shelf(*wrong, *(one for day in (5, 6, 9) for one in settled("UA", day))))["army"]
    assert (found.refuted, found.leads) == (1, 0)


BORNE_OUT = told("claim-adjudicated", "v", target="#c", verdict="true", ruled=date(90))


def test_ones_own_repeat_and_a_linked_voice_are_nobody_to_lead() -> None:
    link = told("sources-linked", "l", sources=["witness", "monitor"])
    own = [claim("witness", "RU", 5, "c"), claim("witness", "RU", 7), claim("monitor", "RU", 9)]
    assert ahead(*own, link, BORNE_OUT) == (0, 0)
    assert ahead(*own, claim("army", "RU", 12), link, BORNE_OUT) == (1, 7)


def test_an_outlet_that_carried_it_is_nobody_to_lead() -> None:
    said = [claim("witness", "RU", 5, "c", via=["outlet"]), claim("outlet", "RU", 7), BORNE_OUT]
    assert ahead(*said) == (0, 0)
    assert ahead(*said, claim("army", "RU", 12)) == (1, 7)


def test_who_says_something_else_is_nobody_to_lead() -> None:
    others = [
        claim("army", "UA", 9),
        claim("army", "RU", 9, extent="part"),
        claim("army", "UA", 9, "no", act="denies"),
    ]
    assert ahead(claim("witness", "RU", 5, "c"), *others, BORNE_OUT) == (0, 0)


@pytest.mark.parametrize(("gap", "expected"), [(LEAD_WITHIN, (1, LEAD_WITHIN)), (LEAD_WITHIN + 1, (0, 0))])
def test_what_others_say_much_later_is_another_occasion(gap: int, expected: tuple[int, int]) -> None:
    assert ahead(claim("witness", "RU", 5, "c"), claim("army", "RU", 5 + gap), BORNE_OUT) == expected


@pytest.mark.parametrize(("gap", "leads"), [(LEAD_WITHIN, 0), (LEAD_WITHIN + 1, 1)])
def test_who_had_it_from_a_month_before_was_not_first(gap: int, leads: int) -> None:
    said = [claim("blogger", "RU", 1), claim("witness", "RU", 1 + gap, "c"), claim("army", "RU", 3 + gap)]
    assert ahead(*said, BORNE_OUT)[0] == leads


# -- the Brier score -----------------------------------------------------------------------------------------


def test_the_brier_score_is_the_mean_squared_error_of_what_is_settled() -> None:
    ruled = [
        told("claim-adjudicated", f"v{n}", target=f"#c{n}", verdict=verdict, ruled=date(50))
        for n, verdict in enumerate(("true", "true", "false", "unverifiable"))
    ]
    said = [claim("ministry", "RU", 5 + 7 * n, f"c{n}") for n in range(4)]
    found = scores(shelf(*said, *ruled))["ministry"]
    assert (found.confirmed, found.refuted, found.open) == (2, 1, 1)
    assert brier(found) == pytest.approx(1 / 3, abs=1e-4)


@pytest.mark.parametrize(("verdict", "expected"), [("true", 0.0625), ("false", 0.5625)])
def test_a_doubt_is_no_certainty(verdict: str, expected: float) -> None:
    ruled = told("claim-adjudicated", "v", target="#c", verdict=verdict, ruled=date(50))
    found = scores(shelf(claim("ministry", "RU", 5, "c", act="doubts"), ruled))["ministry"]
    assert brier(found) == expected


def test_without_anything_settled_there_is_no_brier_score() -> None:
    assert brier(scores(shelf(claim("ministry", "RU", 5)))["ministry"]) is None
    assert brier(Score(utterances=3, open=3)) is None
