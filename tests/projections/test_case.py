"""What the ledger holds on a place, corrected and folded into testimony."""

from __future__ import annotations

import pytest

from projections.belief.base import UNKNOWN
from projections.belief.tally import TALLY, judge
from projections.case import Testimony as Piece
from tests.projections.worlds import ZERO, Shelf, Told, World, claim, date, end, moment, told


def shelf(*events: Told) -> Shelf:
    return World.of(*events).shelf()


def pieces(shelf: Shelf, place: str = "town", question: str = "control") -> dict[str, Piece]:
    return {piece.id: piece for piece in shelf.case(place, question).testimony}


def only(shelf: Shelf, place: str = "town") -> Piece:
    (piece,) = shelf.case(place).testimony
    return piece


def retraction(target: str, source: str, said: int, label: str = "retraction", **data) -> Told:
    return told("entry-retracted", label, target=f"#{target}", source=source, said=date(said), **data)


def correction(target: str, label: str = "correction", **changes) -> Told:
    return told("entry-corrected", label, target=f"#{target}", changes=changes)


# -- when a claim is known -----------------------------------------------------------------------------------


def test_a_late_claim_is_known_from_its_publication_not_from_the_day_it_speaks_of() -> None:
    one = shelf(claim("witness", "UA", 2, published=date(9)))
    assert one.judge(8).believed == UNKNOWN
    assert one.judge(9).believed == "UA"
    assert one.judge(2, known=9).believed == "UA"


def test_a_backdated_claim_is_known_from_the_day_it_was_said() -> None:
    one = shelf(claim("witness", "UA", 2, at=moment(50)))
    assert one.judge(2).believed == "UA"


def test_a_claim_of_unknown_date_is_known_when_it_was_recorded() -> None:
    one = shelf(
        Told("claim-reported", {"claimant": "witness", "place": "town", "state": "UA"}, moment(7), "c")
    )
    assert one.judge(6).believed == UNKNOWN
    assert one.judge(7).believed == "UA"
    assert only(one).said_day == ZERO + 7


def test_a_claim_of_imprecise_date_is_known_when_it_was_surely_said() -> None:
    one = shelf(claim("witness", "UA", f"{date(2)}/{date(6)}"))
    assert one.judge(5).believed == UNKNOWN
    assert one.judge(6).believed == "UA"


def test_what_is_printed_today_and_recorded_today_is_known_today() -> None:
    one = shelf(claim("witness", "UA", "2025-11", at=moment(14, 10)))  # recorded on 2025-11-03
    assert one.judge(14).believed == "UA"
    assert one.judge(13).believed == UNKNOWN


# -- utterances ---------------------------------------------------------------------------------------------


def outlets(n: int, **data) -> list[Told]:
    return [
        claim("ministry", "RU", 3, f"outlet-{i}", via=["agency", "outlet"], published=date(3 + i), **data)
        for i in range(n)
    ]


def test_ten_outlets_carry_one_utterance_with_ten_reports() -> None:
    piece = only(shelf(*outlets(10)))
    assert len(piece.reports) == 10
    assert piece.known == end(3)
    assert piece.via == ("agency", "outlet")


def test_one_utterance_is_one_act_on_one_thing() -> None:
    different = [
        claim("ministry", "RU", 3, "first"),
        claim("ministry", "RU", 4, "another-day"),
        claim("ministry", "UA", 3, "another-state"),
        claim("ministry", "RU", 3, "another-act", act="concedes"),
        claim("ministry", "RU", 3, "another-extent", extent="part"),
        claim("ministry", "RU", 3, "another-polarity", negated=True),
        claim("ministry", "RU", 3, "another-time", valid=date(1)),
        claim("blogger", "RU", 3, "another-claimant"),
    ]
    assert len(shelf(*different).case().testimony) == len(different)


@pytest.mark.parametrize("said", ["2025-10", f"{date(3)}~", f"{date(3)}?", f"{date(3)}/{date(4)}"])
def test_claims_of_imprecise_date_never_fold_by_themselves(said) -> None:
    both = shelf(claim("ministry", "RU", said, "one"), claim("ministry", "RU", said, "two", via=["outlet"]))
    assert len(both.case().testimony) == 2


def test_reports_fold_by_the_day_of_publication_where_nothing_says_when_it_was_said() -> None:
    data = {"claimant": "ministry", "place": "town", "state": "RU"}
    both = shelf(
        told("claim-reported", "one", **data, published=date(3)),
        told("claim-reported", "two", **data, published=f"{date(3)}T09:00:00Z", via=["outlet"]),
        told("claim-reported", "three", **data, published=date(4), via=["outlet"]),
    )
    assert sorted(len(piece.reports) for piece in both.case().testimony) == [1, 2]


def test_footage_carried_by_ten_outlets_is_one_piece_of_evidence() -> None:
    data = {"source": "witness", "place": "town", "state": "UA", "said": date(3)}
    film = [told("evidence-reported", f"copy-{n}", **data, via=["outlet"], valid=date(3)) for n in range(10)]
    assert len(only(shelf(*film)).reports) == 10


def test_a_display_carried_by_an_outlet_later_does_not_draw_it_again() -> None:
    drawn = [claim("map", "RU", 2, "drawn", standing=True), claim("map", "UA", 9, "redrawn", standing=True)]
    carried = claim("map", "RU", 2, "carried", standing=True, via=["outlet"], published=date(20))
    alone, echoed = shelf(*drawn), shelf(*drawn, carried)
    assert len(pieces(echoed)) == 2
    assert echoed.judge(25) == alone.judge(25)


def test_a_display_drawn_twice_a_day_stays_two_changes() -> None:
    drawn = [
        claim("map", state, f"{date(2)}T{hour:02d}:00:00Z", f"at-{hour}", standing=True)
        for hour, state in ((6, "RU"), (10, "UA"), (14, "RU"))
    ]
    assert len(pieces(shelf(*drawn))) == 3


# -- corrections ----------------------------------------------------------------------------------------------


def test_a_corrected_claim_is_read_as_corrected_at_every_moment() -> None:
    one = shelf(claim("witness", "UA", 2, "wrong"), correction("wrong", state="RU"))
    assert one.judge(2).believed == "RU"
    assert one.judge(2, known=40).believed == "RU"


def test_behind_recorded_by_a_claim_is_read_as_it_was_recorded() -> None:
    one = shelf(claim("witness", "UA", 2, "wrong"), correction("wrong", state="RU"))
    before = len(one.events) - 1
    assert one.judge(2, position=before).believed == "UA"
    assert one.judge(2, known=40, position=before).believed == "UA"


def test_a_claim_corrected_to_another_place_leaves_the_one_and_speaks_of_the_other() -> None:
    one = shelf(claim("witness", "UA", 2, "misplaced"), correction("misplaced", place="village"))
    assert one.judge(4).believed == UNKNOWN
    assert one.judge(4, place="village").believed == "UA"
    before = len(one.events) - 1
    assert one.judge(4, position=before).believed == "UA"
    assert one.judge(4, place="village", position=before).believed == UNKNOWN


def test_a_claim_corrected_to_another_place_takes_its_evidence_and_rulings_along() -> None:
    one = shelf(
        told("evidence-reported", "film", source="army", place="hamlet", state="UA", said=date(1)),
        claim("witness", "UA", 2, "misplaced", based_on=["#film"]),
        correction("misplaced", place="village"),
        told("evidence-voided", "void", target="#film", ruled=date(8)),
    )
    assert one.judge(7, place="village").believed == "UA"
    assert one.judge(8, place="village").believed == UNKNOWN


def test_after_a_correction_of_the_year_two_reports_are_one_utterance() -> None:
    reports = [
        claim("ministry", "RU", "2025-12-12", "right", via=["outlet"]),
        claim("ministry", "RU", "2024-12-12", "misdated", via=["agency"]),
    ]
    assert len(pieces(shelf(*reports))) == 2
    corrected = shelf(*reports, correction("misdated", said="2025-12-12"))
    assert len(only(corrected).reports) == 2
    (made,) = corrected.case().corrections
    assert (made.before["said"], made.after["said"]) == ("2024-12-12", "2025-12-12")


def test_a_correction_to_what_is_the_default_folds_like_the_default() -> None:
    reports = [claim("ministry", "RU", 3, "whole"), claim("ministry", "RU", 3, "part", extent="part")]
    assert len(only(shelf(*reports, correction("part", extent="whole"))).reports) == 2
    reports = [claim("ministry", "RU", 3, "said"), claim("ministry", "RU", 3, "conceded", act="concedes")]
    assert len(only(shelf(*reports, correction("conceded", act="asserts"))).reports) == 2


def test_corrections_of_one_entry_act_in_the_order_recorded() -> None:
    twice = shelf(
        claim("witness", "UA", 2, "wrong"),
        correction("wrong", "first", state="RU", extent="part"),
        correction("wrong", "second", state="UA"),
    )
    piece = only(twice)
    assert (piece.state, piece.extent) == ("UA", "part")


def test_an_emptied_field_is_as_if_never_given() -> None:
    one = shelf(
        claim("witness", "UA", 2, "c", valid=date(1), at=moment(30)), correction("c", valid=None, said=None)
    )
    assert (only(one).known, only(one).lo) == (one_moment(30), ZERO + 30)


def one_moment(day: int) -> int:
    return round(moment(day).timestamp() * 1_000_000)


def test_a_spot_claim_corrected_into_a_display_is_kept_up_by_looks_at_the_whole_map() -> None:
    one = shelf(
        claim("map", "RU", 2, "drawn"),
        correction("drawn", standing=True),
        told("display-observed", "look", source="map", said=date(20)),
    )
    assert {piece.kind for piece in pieces(one).values()} == {"display", "observation"}


# -- retractions ----------------------------------------------------------------------------------------------


def test_a_retracted_claim_counts_until_the_day_it_is_taken_back() -> None:
    one = shelf(claim("witness", "UA", 2, "c"), retraction("c", "witness", 9))
    assert one.judge(8) == shelf(claim("witness", "UA", 2, "c")).judge(8)
    assert one.judge(9).believed == UNKNOWN
    assert one.judge(2, known=8).believed == "UA"
    assert one.judge(2, known=9).believed == UNKNOWN


def test_a_retraction_of_a_claim_that_is_not_known_yet_waits_for_it() -> None:
    one = shelf(claim("witness", "UA", 12, "c", valid=date(2)), retraction("c", "witness", 9))
    assert one.judge(11).believed == UNKNOWN
    assert one.judge(12).believed == UNKNOWN
    assert only(one).retracted == end(12)


def test_the_retraction_of_one_report_takes_the_utterance_back() -> None:
    one = shelf(*outlets(3), retraction("outlet-1", "ministry", 9))
    assert one.judge(8).believed != UNKNOWN
    assert one.judge(9).believed == UNKNOWN


def test_a_corrected_retraction_acts_from_its_right_day() -> None:
    one = shelf(
        claim("witness", "UA", 2, "c"), retraction("c", "witness", 5), correction("retraction", said=date(9))
    )
    assert one.judge(8).believed == "UA"
    assert one.judge(9).believed == UNKNOWN


def test_a_ruling_taken_back_by_its_analyst_acts_until_then() -> None:
    ruled = [
        claim("witness", "UA", 2, "c"),
        told("claim-adjudicated", "verdict", target="#c", verdict="false", by="monitor", ruled=date(5)),
    ]
    one = shelf(*ruled, retraction("verdict", "monitor", 9))
    assert one.p("UA", 2, 8) == shelf(*ruled).p("UA", 2, 8) < 0.1
    assert one.p("UA", 2, 9) == pytest.approx(shelf(ruled[0]).p("UA", 2, 9))


def test_a_ruling_taken_back_leaves_what_was_ruled_before() -> None:
    first = told("claim-adjudicated", "first", target="#c", verdict="true", by="witness", ruled=date(4))
    second = told("claim-adjudicated", "second", target="#c", verdict="false", by="monitor", ruled=date(6))
    said = claim("ministry", "RU", 2, "c")
    back = shelf(said, first, second, retraction("second", "monitor", 9))
    assert back.p("RU", 2, 9) == pytest.approx(shelf(said, first).p("RU", 2, 9))
    assert back.p("RU", 2, 8) == pytest.approx(shelf(said, first, second).p("RU", 2, 8))


def test_a_state_ruling_taken_back_acts_until_then() -> None:
    ruled = told(
        "state-ruled", "ruling", place="town", state="UA", valid=date(2), ruled=date(4), by="monitor"
    )
    one = shelf(ruled, retraction("ruling", "monitor", 9))
    assert one.p("UA", 8) > 0.9
    assert one.judge(9).believed == UNKNOWN


# -- the days spoken of ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "valid", "lo", "hi"),
    [
        ("at", None, 9, 9),
        ("at", (2, 4), 2, 4),
        ("within", (2, 4), 2, 4),
        ("throughout", (2, 4), 2, 4),
        ("throughout", f"{date(2)}/..", 2, 9),
        ("throughout", f"../{date(2)}", 2, 2),
        ("throughout", "2025-11", 12, 41),
        ("since", 2, 2, 9),
        ("since", (2, 4), 4, 9),
        ("at", f"{date(2)}/..", 2, 9),
        ("at", f"../{date(4)}", 4, 4),
    ],
)
def test_what_a_claim_may_speak_of(kind, valid, lo, hi) -> None:
    if isinstance(valid, tuple):
        valid = f"{date(valid[0])}/{date(valid[1])}"
    elif isinstance(valid, int):
        valid = date(valid)
    piece = only(shelf(claim("witness", "UA", 9, valid=valid, valid_kind=None if kind == "at" else kind)))
    assert (piece.lo - ZERO, piece.hi - ZERO) == (lo, hi)


def test_a_display_is_displayed_by_the_day_it_was_seen() -> None:
    piece = only(shelf(claim("map", "UA", 5, standing=True, valid="2025-11")))
    assert (piece.lo, piece.hi) == (ZERO + 5, ZERO + 5)


# -- places, sources and links -----------------------------------------------------------------------------


def test_what_was_said_of_a_merged_place_is_said_of_what_it_was_merged_into() -> None:
    said = [claim("witness", "UA", 2, place="hamlet"), claim("army", "UA", 3)]
    apart, one = shelf(*said), shelf(*said, told("place-merged", "m", place="hamlet", into="town"))
    assert apart.judge(5).claims == 1
    assert one.judge(5).claims == 2
    assert one.judge(5, position=len(one.events) - 1) == apart.judge(5)


def test_merged_sources_make_one_utterance_of_what_both_said() -> None:
    said = [claim("witness", "UA", 2), claim("monitor", "UA", 2)]
    one = shelf(*said, told("source-merged", "m", source="monitor", into="witness"))
    assert shelf(*said).judge(5).origins == 2
    assert (only(one).source, len(only(one).reports)) == ("witness", 2)


def test_a_merged_map_keeps_one_display() -> None:
    one = shelf(
        claim("chart", "RU", 2, standing=True),
        claim("map", "UA", 6, standing=True),
        told("source-merged", "m", source="chart", into="map"),
        told("display-observed", "look", source="chart", said=date(9)),
    )
    assert {piece.source for piece in pieces(one).values()} == {"map"}
    assert len(pieces(one)) == 3


def test_linked_sources_are_one_origin_from_and_to_the_days_of_their_link() -> None:
    said = [claim("army", "UA", 2), claim("brigade", "UA", 2), claim("witness", "UA", 2)]

    def origins(*days: int) -> int:
        valid = f"{date(days[0])}/{date(days[1])}"
        link = told("sources-linked", "link", sources=["army", "brigade"], valid=valid)
        return shelf(*said, link).judge(5).origins

    assert origins(1, 4) == 2
    assert origins(3, 4) == 3
    assert origins(0, 1) == 3


def test_an_ended_link_makes_two_origins_again() -> None:
    said = [claim("army", "UA", 2), claim("brigade", "UA", 2)]
    link = told("sources-linked", "link", sources=["army", "brigade"])
    ended = told("sources-linked", "unlink", sources=["army", "brigade"], unlink=True)
    assert shelf(*said, link).judge(5).origins == 1
    assert shelf(*said, link, ended).judge(5).origins == 2


# -- parts and wholes ---------------------------------------------------------------------------------------


def test_what_is_said_of_a_part_reaches_the_whole_and_of_the_whole_its_parts() -> None:
    one = shelf(claim("army", "UA", 2, "north", place="town/north"), claim("ministry", "RU", 3, "all"))
    assert {i: piece.reach for i, piece in pieces(one).items()} == {"c-north": "part", "c-all": "own"}
    assert {i: piece.reach for i, piece in pieces(one, "town/north").items()} == {
        "c-north": "own",
        "c-all": "whole",
    }
    assert {i: piece.reach for i, piece in pieces(one, "town/south").items()} == {"c-all": "whole"}


def test_a_claim_and_its_exception_in_one_report_are_two_utterances() -> None:
    report = [
        claim("ministry", "RU", 3, "all", via=["outlet"]),
        claim("ministry", "UA", 3, "two-houses", via=["outlet"], act="concedes", place="town/north"),
    ]
    assert len(pieces(shelf(*report))) == 2


# -- evidence on other places ---------------------------------------------------------------------------------


def film(place: str = "village", **data) -> Told:
    return told("evidence-reported", "film", source="army", place=place, state="UA", said=date(1), **data)


def test_evidence_elsewhere_is_kept_beside_what_leans_on_it_and_nowhere_else() -> None:
    one = shelf(film(), claim("witness", "UA", 2, based_on=["#film"]), claim("army", "UA", 2, place="hamlet"))
    assert list(one.case("town").beside) == ["e-film"]
    assert list(one.case("hamlet").beside) == []
    assert one.judge(3).claims == 1


@pytest.mark.parametrize("place", ["town", "village", "hamlet"])
def test_evidence_doubted_anywhere_is_doubted_for_what_leans_on_it(place) -> None:
    told_ = [film(), claim("witness", "UA", 2, based_on=["#film"])]
    doubt = claim("blogger", None, 5, "doubt", act="doubts", target="#film", place=place)
    alone, doubted = shelf(*told_), shelf(*told_, doubt)
    assert doubted.p("UA", 4) == alone.p("UA", 4)
    assert doubted.p("UA", 5) < alone.p("UA", 5)


def test_a_doubt_of_evidence_says_nothing_of_the_place_it_was_recorded_for() -> None:
    doubt = claim("blogger", None, 5, "doubt", act="doubts", target="#film", place="hamlet")
    assert shelf(film(), doubt).judge(9, place="hamlet").believed == UNKNOWN


def test_evidence_that_leans_on_other_evidence_falls_with_it_and_takes_its_claims_along() -> None:
    one = shelf(
        film("hamlet"),
        told(
            "evidence-reported",
            "map-of-it",
            source="witness",
            place="village",
            state="UA",
            said=date(2),
            based_on=["#film"],
        ),
        claim("monitor", "UA", 3, based_on=["#map-of-it"]),
        told("evidence-voided", "void", target="#film", ruled=date(9)),
    )
    for place in ("hamlet", "village", "town"):
        assert one.judge(8, place=place).believed != UNKNOWN, place
        assert one.judge(9, place=place).believed == UNKNOWN, place


@pytest.mark.parametrize("fate", ["doubted", "voided"])
def test_what_leans_on_evidence_left_out_still_leans_on_what_that_leaned_on(fate) -> None:
    ends = {
        "doubted": claim("blogger", None, 1, "doubt", act="doubts", target="#film"),
        "voided": told("evidence-voided", "void", target="#film", ruled=date(9)),
    }
    cut_out = {"source": "witness", "place": "town", "state": "UA", "said": date(2), "based_on": ["#film"]}
    one = shelf(
        film(),
        told("evidence-reported", "cut", **cut_out),
        claim("monitor", "UA", 3, based_on=["#cut"]),
        ends[fate],
    )
    left = one.case("town").without(lambda piece: piece.source == "witness")
    direct = shelf(film(), claim("monitor", "UA", 3, based_on=["#film"]), ends[fate])
    assert judge(left, TALLY, ZERO + 20, end(20)) == direct.judge(20)
    assert direct.p("UA", 20) < shelf(film(), claim("monitor", "UA", 3, based_on=["#film"])).p("UA", 20)


def test_a_later_report_that_leans_on_voided_evidence_does_not_unsay_the_first() -> None:
    first = claim("witness", "UA", 2, "first")
    void = told("evidence-voided", "void", target="#film", ruled=date(3))
    later = claim("witness", "UA", 2, "later", via=["outlet"], published=date(9), based_on=["#film"])
    alone, both = shelf(first), shelf(film(), first, void, later)
    assert both.judge(5, known=5) == alone.judge(5, known=5)
    assert both.judge(12).probabilities == alone.judge(12).probabilities
