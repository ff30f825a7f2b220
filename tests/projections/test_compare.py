"""Differences between logics, and between two moments of knowledge."""

from __future__ import annotations

import csv
import datetime as dt
import itertools
import json
import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clocks import instant_key
from projections.answers import as_of
from projections.belief.base import UNKNOWN, Verdict
from projections.belief.happenings import happenings
from projections.belief.tally import TALLY, end_of, judge
from projections.case import Case, day_of
from projections.commands.diff import logic_pair
from projections.compare import between_logics, between_times, digest, with_and_without
from projections.compare_intervals import Interval
from projections.credibility import grade, score
from projections.desk import Desk, Without
from projections.registry import Loaded, load
from tests.projections.worlds import (
    CONTESTED,
    TIGHT,
    ZERO,
    Scribe,
    World,
    claim,
    date,
    end,
    laws,
    moment,
    told,
    worlds,
)

WORLD = World.of(
    claim("ministry", "RU", 1),
    claim("witness", "UA", 6),
    claim("ministry", "RU", 9, "again"),
    claim("army", "UA", 3, place="village"),
    claim("map", "UA", 4, standing=True, place="village"),
    told("display-observed", "look", source="map", said=date(12)),
)
DEAF = """
from projections import Logic

def weigh(piece, source):
    return 0.0 if source.id == "ministry" else 1.0

logic = Logic("deaf", version=1, weigh=weigh)
"""
BRISK = """
from projections import Logic, Params

logic = Logic("brisk", version=1, params=Params().replace(sojourn_held=60.0, copy_rate=0.1))
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    (folder / "deaf.py").write_text(DEAF)
    with Scribe(folder / "book.db") as scribe:
        yield scribe.tell(WORLD.told)


@pytest.fixture
def deaf(book) -> str:
    return str(book.path.with_name("deaf.py"))


def told_as_of(book, day: int, place: str, known_by: str | None = None, logic: str | None = None) -> dict:
    with book.desk(now=moment(70), logic=logic) as desk:
        return as_of(desk, desk.clocks(date(day), known_by, None), [place], "control")["answers"][0]


def listed(answer: dict, place: str) -> dict[int, tuple[str, str]]:
    """Day of the world → from what to what, as the changes list it."""
    found = {}
    for change in answer["changes"]:
        if change["place"]["id"] == place:
            first, last = (dt.date.fromisoformat(change[name]).toordinal() for name in ("from_day", "to_day"))
            assert change["from"] != change["to"]
            found.update({day - ZERO: (change["from"], change["to"]) for day in range(first, last + 1)})
    return found


def test_a_logic_differs_from_itself_nowhere(book) -> None:
    with book.desk(now=moment(70)) as desk:
        answer = between_logics(desk, load(), load(), "control")
    assert (answer["changes"], answer["sources"]) == ([], [])
    assert answer["totals"] == {
        "places": 2,
        "places_changed": 0,
        "intervals": 0,
        "days_changed": 0,
        "place_days": 9 + 10,
        "share_changed": 0.0,
        "pairs": [],
        "sources": 0,
    }


def test_every_day_on_which_two_logics_differ_is_listed_and_no_other(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        answer = between_logics(desk, load(), desk.loaded, "control")
    changed = listed(answer, "town")
    for day in range(13):
        pair = tuple(told_as_of(book, day, "town", logic=logic)["believed"] for logic in (None, deaf))
        if day <= 9:
            assert changed.get(day, (pair[0], pair[0])) == pair, day
    assert changed[1] == ("RU", UNKNOWN) or changed[1] == ("contested", UNKNOWN)
    assert listed(answer, "village") == {}
    assert answer["totals"]["places_changed"] == 1
    assert answer["totals"]["days_changed"] == len(changed)


def test_a_change_names_the_claims_that_made_it(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        answer = between_logics(desk, load(), desk.loaded, "control")
    assert answer["changes"]
    for change in answer["changes"]:
        assert {one["claimant"] for one in change["claims"] if one["after"] == 0} == {"ministry"}
        assert all(one["change"] == pytest.approx(one["after"] - one["before"]) for one in change["claims"])


def test_neighbouring_days_with_one_change_are_one_interval(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        answer = between_logics(desk, load(), desk.loaded, "control")
    changes = sorted(
        (c for c in answer["changes"] if c["place"]["id"] == "town"), key=lambda c: c["from_day"]
    )
    for one, following in itertools.pairwise(changes):
        touching = dt.date.fromisoformat(following["from_day"]) - dt.date.fromisoformat(one["to_day"])
        assert touching.days > 1 or (one["from"], one["to"]) != (following["from"], following["to"])


def test_the_weightiest_changes_are_listed_first_and_the_totals_count_all(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        whole = between_logics(desk, load(), desk.loaded, "control")
        first = between_logics(desk, load(), desk.loaded, "control", most=1)
    assert first["totals"] == whole["totals"]
    assert first["changes"] == whole["changes"][:1]


def test_the_greatest_difference_comes_first_and_is_the_distance_summed_over_its_days(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        changes = between_logics(desk, load(), desk.loaded, "control")["changes"]
    sizes = [change["difference"] for change in changes]
    assert sizes == sorted(sizes, reverse=True)
    for change in changes:
        first, last = (dt.date.fromisoformat(change[name]).toordinal() for name in ("from_day", "to_day"))
        days = {
            day: distance(book, day - ZERO, change["place"]["id"], deaf) for day in range(first, last + 1)
        }
        assert change["days"] == len(days)
        assert change["difference"] == pytest.approx(sum(days.values()), abs=1e-8)
        furthest = dt.date.fromisoformat(change["day"]).toordinal()
        assert days[furthest] == pytest.approx(max(days.values()), abs=1e-8)


def distance(book, day: int, place: str, logic: str) -> float:
    """Half the summed differences of two answers' probabilities; who believes nothing holds them all alike."""
    even = dict.fromkeys(("UA", "RU", "contested"), 1 / 3)
    one, other = (told_as_of(book, day, place, logic=it)["probabilities"] or even for it in (None, logic))
    return sum(abs(one[state] - other[state]) for state in even) / 2


def test_before_and_after_are_the_answers_of_the_day_they_are_furthest_apart(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        answer = between_logics(desk, load(), desk.loaded, "control")
    for change in answer["changes"]:
        day = dt.date.fromisoformat(change["day"]).toordinal() - ZERO
        assert change["from_day"] <= change["day"] <= change["to_day"]
        for side, logic in (("before", None), ("after", deaf)):
            given = told_as_of(book, day, change["place"]["id"], logic=logic)
            assert change[side] == pytest.approx(given["probabilities"], abs=1e-9)


def test_where_nothing_is_believed_on_one_side_the_other_is_held_against_its_strongest_rival(
    book, deaf
) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        answer = between_logics(desk, load(), desk.loaded, "control")
    (lost,) = (change for change in answer["changes"] if change["to"] == UNKNOWN)
    ranked = sorted(lost["before"], key=lambda state: -lost["before"][state])
    assert [lost["state"], lost["against"]] == ranked[:2]
    assert lost["log_odds"]["after"] == 0 and lost["after"] == {}
    others = [change for change in answer["changes"] if change is not lost]
    assert all((one["state"], one["against"]) == (one["to"], one["from"]) for one in others)


def test_the_totals_count_days_by_what_became_of_them(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        totals = between_logics(desk, load(), desk.loaded, "control", most=1)["totals"]
    assert sum(pair["days"] for pair in totals["pairs"]) == totals["days_changed"]
    assert sum(pair["intervals"] for pair in totals["pairs"]) == totals["intervals"]
    assert totals["share_changed"] == pytest.approx(totals["days_changed"] / totals["place_days"], abs=1e-9)


def test_a_place_not_asked_for_is_not_compared(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        town = between_logics(desk, load(), desk.loaded, "control", places=["town", "town"])
        village = between_logics(desk, load(), desk.loaded, "control", places=["village"])
        silent = between_logics(desk, load(), desk.loaded, "control", places=["hamlet"])
    assert (town["totals"]["places"], town["totals"]["place_days"]) == (1, 9)
    assert listed(town, "town")
    assert (village["changes"], village["totals"]["place_days"]) == ([], 10)
    assert (silent["changes"], silent["totals"]["place_days"]) == ([], 0)


def test_a_place_whose_knots_are_the_same_is_not_looked_at(book, deaf, monkeypatch) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        folded = []
        fold = desk.case
        monkeypatch.setattr(
            desk, "case", lambda place, question: folded.append(place) or fold(place, question)
        )
        between_logics(desk, load(), desk.loaded, "control")
    assert set(folded) == {"town"}


def test_a_view_whose_code_is_gone_is_compared_without_naming_claims(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        gone = desk.views.beliefs(load(), desk.head, desk.directory)
        answer = between_logics(desk, load(), desk.loaded, "control", old=gone)
    assert answer["changes"]
    for change in answer["changes"]:
        assert (change["claims"], change["additive"]) == ([], False)
        assert change["remainder"] == change["log_odds"]["change"]
        assert adds_up(change)


def test_a_logic_under_which_time_acts_otherwise_differs_where_nothing_is_said(tmp_path) -> None:
    (tmp_path / "brisk.py").write_text(BRISK)
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(World.of(claim("witness", CONTESTED, 1), claim("map", "UA", 60, at=moment(61))).told)
        with scribe.desk(logic=str(tmp_path / "brisk.py")) as desk:
            answer = between_logics(desk, load(), desk.loaded, "control")
            case = desk.case("town", "control")
            pairs = {
                day: [one.believed for one in then(load(), desk.loaded)(case, ZERO + day)]
                for day in range(1, 61)
            }
    assert listed(answer, "town") == {day: tuple(pair) for day, pair in pairs.items() if pair[0] != pair[1]}
    assert listed(answer, "town")
    assert all(change["staleness"] and adds_up(change) for change in answer["changes"])


def test_a_logic_of_ones_own_is_compared_by_asking_it(book, tmp_path) -> None:
    (tmp_path / "sure.py").write_text(
        "from projections import Logic\nlogic = Logic('sure', 1, believe=lambda *_: {'RU': 1.0})\n"
    )
    with book.desk(now=moment(70), logic=str(tmp_path / "sure.py")) as desk:
        answer = between_logics(desk, load(), desk.loaded, "control")
    assert {to for _, to in listed(answer, "town").values()} <= {"RU"}
    assert listed(answer, "village") == dict.fromkeys(range(3, 13), ("UA", "RU"))
    assert not any(change["additive"] for change in answer["changes"])
    assert all(adds_up(change) for change in answer["changes"])


def adds_up(change: dict) -> bool:
    """Whether what is listed, what is not, and what is nobody's doing make the change in log-odds."""
    parts = [change[name] for name in ("prior", "staleness", "remainder")]
    parts += [one["change"] for one in change["claims"]] + [change["others"]["change"]]
    odds = change["log_odds"]
    return math.isclose(math.fsum(parts), odds["after"] - odds["before"], rel_tol=0, abs_tol=1e-9)


# -- with and without -------------------------------------------------------------------------------------------


def without(book, *texts: str, **asked) -> dict:
    with book.desk(now=moment(70)) as desk:
        return with_and_without(desk, desk.without(texts), "control", **asked)


@pytest.mark.parametrize("texts", [("ministry",), ("kind:official",), ("witness", "kind:map")])
def test_every_day_that_a_source_makes_different_is_listed_and_no_other(book, texts) -> None:
    answer = without(book, *texts)
    with book.desk(now=moment(70)) as desk:
        left = desk.without(texts)
        for place, days in (("town", range(1, 10)), ("village", range(3, 13))):
            changed = listed(answer, place)
            for day in days:
                clocks = desk.clocks(date(day), None, None)
                pair = tuple(
                    as_of(desk, clocks, [place], "control", gone)["answers"][0]["believed"]
                    for gone in ((), left)
                )
                assert changed.get(day, (pair[0], pair[0])) == pair, (place, day)


def test_those_left_out_come_to_nothing_and_everything_adds_up(book) -> None:
    answer = without(book, "ministry")
    assert answer["changes"]
    for change in answer["changes"]:
        gone = [one for one in change["claims"] if one["claimant"] == "ministry"]
        assert gone and all(one["after"] == 0 for one in gone)
        assert change["additive"] and adds_up(change)
    assert answer["to"]["without"] == ["ministry"]
    assert (answer["from"]["without"], answer["without"]) == ([], [])


def test_a_source_that_says_nothing_makes_no_difference(book) -> None:
    assert without(book, "monitor")["changes"] == []


def test_what_both_sides_do_without_explains_nothing(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        left = desk.without(["ministry"])
        logics = between_logics(desk, load(), desk.loaded, "control", without=left)
    with book.desk(now=moment(70)) as desk:
        times = between_times(desk, (end(0), end(9)), "control", without=left)
    assert (logics["changes"], logics["without"]) == ([], ["ministry"])
    assert times["without"] == ["ministry"]
    assert times["changes"]
    assert "ministry" not in {one["claimant"] for change in times["changes"] for one in change["claims"]}


# -- in every ledger --------------------------------------------------------------------------------------------


@laws(0.4)
@given(st.one_of(worlds(least=5), worlds(TIGHT, least=8)), st.data())
def test_in_every_ledger_what_is_listed_adds_up_and_is_what_the_answers_say(world: World, data) -> None:
    one, other = sorted(data.draw(st.lists(st.integers(0, 70), min_size=2, max_size=2)))
    gone = [data.draw(st.sampled_from(("army", "ministry", "map", "kind:eyewitness")))]
    days = data.draw(st.lists(st.integers(-2, 60), max_size=8))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "deaf.py").write_text(DEAF)
        (Path(folder) / "brisk.py").write_text(BRISK)
        with Scribe(Path(folder) / "book.db") as scribe:
            scribe.tell(world.told)
            with scribe.desk(logic=f"{folder}/deaf.py") as desk:
                holds(
                    desk,
                    between_logics(desk, load(), desk.loaded, "control"),
                    then(load(), desk.loaded),
                    days,
                )
            with scribe.desk(logic=f"{folder}/brisk.py") as desk:
                holds(
                    desk,
                    between_logics(desk, load(), desk.loaded, "control"),
                    then(load(), desk.loaded),
                    days,
                )
            with scribe.desk() as desk:
                left = desk.without(gone)
                holds(desk, with_and_without(desk, left, "control"), lacking(desk, left), days)
                holds(
                    desk,
                    between_times(desk, (end(one), end(other)), "control"),
                    by(end(one), end(other)),
                    days,
                    other,
                )


Judge = Callable[[Case, int], tuple[Verdict, Verdict]]
"""What the two sides say of a day."""


def then(before: Loaded, after: Loaded) -> Judge:
    return lambda case, day: (
        judge(case, before.logic, day, end_of(day)),
        judge(case, after.logic, day, end_of(day)),
    )


def lacking(desk: Desk, left: list[Without]) -> Judge:
    logic, gone = desk.loaded.logic, desk.excludes(left)
    return lambda case, day: (
        judge(case, logic, day, end_of(day)),
        judge(case.without(gone), logic, day, end_of(day)),
    )


def by(first: int, second: int) -> Judge:
    return lambda case, day: (judge(case, TALLY, day, first), judge(case, TALLY, day, second))


def holds(desk: Desk, answer: dict, sides: Judge, days: list[int], last: int = 120) -> None:
    """Every listed change is between the answers of its day, its parts add up to their log-odds, and none of
    ``days`` that is not listed differs."""
    assert answer["totals"]["intervals"] == len(answer["changes"])
    found = {place: listed(answer, place) for place in desk.places("control")}
    assert sum(map(len, found.values())) == answer["totals"]["days_changed"]
    for change in answer["changes"]:
        case = desk.case(change["place"]["id"], "control")
        pair = sides(case, dt.date.fromisoformat(change["day"]).toordinal())
        assert adds_up(change) and change["additive"]
        for verdict, side in zip(pair, ("before", "after"), strict=True):
            expected = log_odds(verdict, change["state"], change["against"])
            assert change["log_odds"][side] == pytest.approx(expected, abs=1e-8)
    for place, changed in found.items():
        case = desk.case(place, "control")
        arrived = max((day_of(one.known) for one in happenings(case)), default=0) - ZERO
        for day in {*changed, *(day for day in days if day <= min(arrived, last))}:
            pair = tuple(one.believed for one in sides(case, ZERO + day))
            assert changed.get(day, (pair[0], pair[0])) == pair, (place, day)


def log_odds(verdict: Verdict, state: str, against: str) -> float:
    if verdict.believed == UNKNOWN:
        return 0.0
    return math.log(verdict.probabilities[state]) - math.log(verdict.probabilities[against])


# -- two moments ------------------------------------------------------------------------------------------------


def hindsight(book, first: int, second: int, **asked) -> dict:
    with book.desk(now=moment(70)) as desk:
        return between_times(desk, (end(first), end(second)), "control", **asked)


def test_the_same_moment_twice_differs_nowhere(book) -> None:
    assert hindsight(book, 8, 8)["changes"] == []


@pytest.mark.parametrize(("first", "second"), [(2, 7), (0, 60), (7, 12)])
def test_every_day_believed_otherwise_at_the_second_moment_is_listed(book, first, second) -> None:
    answer = hindsight(book, first, second)
    for place in ("town", "village"):
        changed = listed(answer, place)
        for day in range(min(second, {"town": 9, "village": 12}[place]) + 1):
            pair = tuple(
                told_as_of(book, day, place, known_by=date(known))["believed"] for known in (first, second)
            )
            if pair[0] != pair[1]:
                assert changed.get(day) == pair, (place, day)
            else:
                assert day not in changed, (place, day)


def test_what_became_known_between_the_moments_is_named(book) -> None:
    answer = hindsight(book, 5, 7)
    news = [one for change in answer["changes"] for one in change["claims"] if one["before"] == 0]
    assert {one["claimant"] for one in news} == {"witness"}


def test_the_answer_is_citable(book) -> None:
    answer = hindsight(book, 0, 7)
    assert answer["schema"] == "diff/1"
    assert (answer["from"], answer["to"]) == ({"known_by": date(0)}, {"known_by": date(7)})
    with book.desk(now=moment(70)) as desk:
        assert answer["position"] == desk.head
        assert answer["root"] == desk.root(desk.head)
        assert instant_key(desk.ledger.event(desk.head).recorded) > 0


def test_what_is_credited_counts_from_the_first_moment(book) -> None:
    changes = hindsight(book, 5, 12)["changes"]
    assert changes and all(adds_up(change) for change in changes)
    for one in (one for change in changes for one in change["claims"]):
        assert (one["before"], one["after"]) == (0.0, one["change"])


def test_a_moment_within_a_day_is_named_to_the_second(book) -> None:
    noon = end(5) - 43_200_000_000
    with book.desk(now=moment(70)) as desk:
        answer = between_times(desk, (noon, end(7)), "control")
    assert answer["from"]["known_by"].startswith(f"{date(5)}T11:59:59")
    assert answer["to"] == {"known_by": date(7)}


def test_where_nothing_became_known_since_no_case_is_folded(book, monkeypatch) -> None:
    with book.desk(now=moment(70)) as desk:
        monkeypatch.setattr(desk, "case", lambda *_: pytest.fail("folded"))
        answer = between_times(desk, (end(13), end(60)), "control")
    assert (answer["changes"], answer["sources"]) == ([], [])
    assert answer["totals"]["place_days"] == 9 + 10


def test_what_arrives_later_on_the_day_of_the_first_moment_is_news(tmp_path) -> None:
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(World.of(claim("army", "UA", 1), claim("witness", "RU", 6)).told)
        with scribe.desk() as desk:
            answer = between_times(desk, (end(6) - 43_200_000_000, end(6)), "control")
    assert listed(answer, "town")[6] == ("UA", "RU")
    assert [one["claimant"] for one in answer["changes"][0]["claims"]] == ["witness"]


def test_what_is_known_of_days_to_come_counts_for_a_day_once_it_is_over(tmp_path) -> None:
    """Nothing becomes known between the two moments, but days between them come to lie in the past."""
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(World.of(claim("army", "UA", 1), claim("witness", "RU", 2, valid=date(12))).told)
        with scribe.desk() as desk:
            answer = between_times(desk, (end(5), end(11)), "control")
            pair = tuple(
                as_of(desk, desk.clocks(date(10), date(known), None), ["town"], "control")
                for known in (5, 11)
            )
    assert tuple(one["answers"][0]["believed"] for one in pair) == ("UA", "RU") == listed(answer, "town")[10]
    assert answer["totals"]["place_days"] == 11
    for change in answer["changes"]:
        assert (change["claims"], change["others"]["count"]) == ([], 0)
        assert change["staleness"] == change["log_odds"]["change"] > 0


# -- sources ----------------------------------------------------------------------------------------------------


def test_a_source_whose_grade_differs_is_listed(tmp_path) -> None:
    claims = [claim("army", "UA", day, f"a{day}") for day in range(12)]
    claims += [claim(who, "UA", day, f"{who}{day}") for day in range(12) for who in ("witness", "monitor")]
    (tmp_path / "deaf.py").write_text(DEAF.replace('source.id == "ministry"', 'source.kind != "official"'))
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(World.of(*claims).told)
        with scribe.desk(now=moment(70), logic=str(tmp_path / "deaf.py")) as desk:
            answer = between_logics(desk, load(), desk.loaded, "control")
    grades = {row["source"]: (row["from"], row["to"]) for row in answer["sources"]}
    assert grades["army"][1] == "F" != grades["army"][0]
    (army,) = (row for row in answer["sources"] if row["source"] == "army")
    assert army["before"]["mean"] > army["after"]["mean"] == 0.5
    assert all(army[side]["low"] < army[side]["mean"] < army[side]["high"] for side in ("before", "after"))
    assert answer["totals"]["sources"] == len(answer["sources"])


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Enough said on two places for sources to be graded, and a question beside them."""
    told_of = [
        claim(who, state, day, f"{who}{day}{place}", place=place)
        for day in range(0, 40, 4)
        for place, who, state in (
            ("town", "army", "UA"),
            ("town", "witness", "UA" if day < 20 else "RU"),
            ("town", "monitor", "UA" if day < 20 else "RU"),
            ("village", "army", "UA"),
            ("village", "witness", "UA"),
            ("village", "map", "UA"),
        )
    ]
    told_of.append(claim("army", "destroyed", 5, "bridged", question="bridge"))
    with Scribe(tmp_path_factory.mktemp("graded") / "book.db") as scribe:
        yield scribe.tell(World.of(*told_of).told)


def counted(desk: Desk, known: int, gone: Callable | None = None) -> dict[str, tuple[int, int]]:
    """(confirmed, refuted) of every source by a moment, scored case by case."""
    found: dict[str, tuple[int, int]] = {}
    for question in desk.directory.questions:
        for place in desk.places(question):
            case = desk.case(place, question)
            for name, one in score(case.without(gone) if gone else case, TALLY, known).items():
                confirmed, refuted = found.get(name, (0, 0))
                found[name] = (confirmed + one.confirmed, refuted + one.refuted)
    return found


def regraded(before: dict, after: dict) -> dict[str, tuple[str, str]]:
    letters = {
        name: (grade(*before.get(name, (0, 0))), grade(*after.get(name, (0, 0))))
        for name in before.keys() | after.keys()
    }
    return {name: pair for name, pair in letters.items() if pair[0] != pair[1]}


def letters(answer: dict) -> dict[str, tuple[str, str]]:
    return {row["source"]: (row["from"], row["to"]) for row in answer["sources"]}


@pytest.mark.parametrize(("first", "second"), [(0, 10), (5, 30), (10, 70), (19, 21), (39, 70)])
def test_the_grades_of_two_moments_are_those_of_every_case_scored_at_both(graded, first, second) -> None:
    with graded.desk(now=moment(70)) as desk:
        answer = between_times(desk, (end(first), end(second)), "control")
        expected = regraded(counted(desk, end(first)), counted(desk, end(second)))
    assert letters(answer) == expected


@pytest.mark.parametrize("texts", [("witness",), ("army",), ("kind:map", "monitor")])
def test_the_grades_without_some_sources_are_those_of_every_case_without_them(graded, texts) -> None:
    with graded.desk(now=moment(70)) as desk:
        left = desk.without(texts)
        known = end(60)
        with_all, without_some = counted(desk, known), counted(desk, known, desk.excludes(left))
        answer = with_and_without(desk, left, "control")
        moments = between_times(desk, (end(10), end(30)), "control", without=left)
        early, late = (counted(desk, end(day), desk.excludes(left)) for day in (10, 30))
    gone = {"kind:map": "map"}
    expected = regraded(with_all, without_some)
    for text in texts:
        expected.pop(gone.get(text, text), None)
    assert letters(answer) == expected
    assert letters(moments) == regraded(early, late)


def test_where_some_places_are_named_nobody_is_graded(graded) -> None:
    with graded.desk(now=moment(70)) as desk:
        whole = between_times(desk, (end(5), end(70)), "control")
        town = between_times(desk, (end(5), end(70)), "control", places=["town"])
        left = with_and_without(desk, desk.without(["army"]), "control", places=["hamlet"])
    assert whole["sources"]
    for answer in (town, left):
        assert (answer["sources"], answer["totals"]["sources"]) == ([], None)


def test_fewer_sources_may_be_listed_and_all_are_counted(graded) -> None:
    with graded.desk(now=moment(70)) as desk:
        whole = between_times(desk, (end(5), end(70)), "control")
        short = between_times(desk, (end(5), end(70)), "control", most=1)
    assert len(whole["sources"]) > 1
    assert short["sources"] == whole["sources"][:1]
    assert short["totals"] == whole["totals"]


# -- the digest -------------------------------------------------------------------------------------------------


def test_the_digest_is_of_what_differs_and_of_nothing_else(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        one = between_logics(desk, load(), desk.loaded, "control")
    with book.desk(now=moment(99), logic=deaf) as desk:
        other = between_logics(desk, load(), desk.loaded, "control")
    assert one["digest"] == other["digest"]
    assert len(one["digest"]) == 64


def test_what_is_not_listed_is_in_the_digest_too(book, deaf) -> None:
    with book.desk(now=moment(70), logic=deaf) as desk:
        whole = between_logics(desk, load(), desk.loaded, "control")
        short = between_logics(desk, load(), desk.loaded, "control", most=0)
    assert len(short["changes"]) < len(whole["changes"])
    assert short["digest"] == whole["digest"]


CHANGE = Interval("town", 739_000, 739_004, "UA", "RU", 739_002, (0.7, 0.3), (0.2, 0.8), 2.5)


@pytest.mark.parametrize(
    ("totals", "changes", "sources"),
    [
        ({"days_changed": 4}, [CHANGE], [{"source": "army"}]),
        ({"days_changed": 5}, [], [{"source": "army"}]),
        ({"days_changed": 5}, [replace(CHANGE, last=739_005)], [{"source": "army"}]),
        ({"days_changed": 5}, [replace(CHANGE, new="contested")], [{"source": "army"}]),
        ({"days_changed": 5}, [replace(CHANGE, after=(0.1, 0.9))], [{"source": "army"}]),
        ({"days_changed": 5}, [replace(CHANGE, before=None)], [{"source": "army"}]),
        ({"days_changed": 5}, [CHANGE], []),
    ],
)
def test_no_part_of_what_differs_can_change_without_the_digest(totals, changes, sources) -> None:
    assert digest(totals, changes, sources) != digest({"days_changed": 5}, [CHANGE], [{"source": "army"}])


# -- the command line -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "pair"),
    [
        ("tally..mine.py", ("tally", "mine.py")),
        ("../mine.py..tally", ("../mine.py", "tally")),
        ("tally..../mine.py", ("tally", "../mine.py")),
        ("a/../b.py..c/../d.py", ("a/../b.py", "c/../d.py")),
        ("mine.py:one..mine.py:two", ("mine.py:one", "mine.py:two")),
        ("../mine.py", None),
        ("a/../mine.py", None),
        ("tally..", None),
        ("..tally", None),
        ("tally", None),
        ("..", None),
        (None, None),
    ],
)
def test_two_logics_are_told_from_the_dots_of_a_path(text, pair) -> None:
    assert logic_pair(text) == pair


def test_differences_end_with_five_and_their_absence_with_nought(claims, demo) -> None:
    assert claims("diff", "--without", "dpa", db=demo, ok=5)["changes"]
    assert claims("diff", "--logic", "tally..tally", db=demo)["changes"] == []
    assert claims("diff", "2025-12-16..2025-12-16", db=demo)["changes"] == []
    assert (
        claims("diff", "2025-12-16..2025-12-17", "--place", "Radkivka, Kharkiv Oblast", db=demo)["changes"]
        == []
    )


def test_the_table_names_the_sides_the_sums_and_the_totals(claims, demo) -> None:
    said = claims.run("diff", "--without", "dpa", "--most", 2, db=demo, ok=5).out.splitlines()
    assert said[0].startswith("tally@1 ") and " without dpa | known then | ledger #" in said[0]
    assert " against " in said[2] and "dpa UA " in said[2] and "time " in said[2]
    assert any(" of 8 places differ, " in line and "place-days)" in line for line in said)
    assert any(line.startswith("  UA → ") for line in said)
    assert said[-1].endswith("the 2 greatest are listed")


def test_csv_has_a_row_for_every_interval_with_numbers_that_are_numbers(claims, demo) -> None:
    lines = claims.run("diff", "2025-12-10..2025-12-20", "--format", "csv", db=demo, ok=5).out.splitlines()
    rows = list(csv.DictReader(lines))
    answer = claims("diff", "2025-12-10..2025-12-20", db=demo, ok=5)
    assert len(rows) == answer["totals"]["intervals"] == len(answer["changes"])
    for row, change in zip(rows, answer["changes"], strict=True):
        assert (row["place_id"], row["from_day"]) == (change["place"]["id"], change["from_day"])
        assert float(row["log_odds_change"]) == pytest.approx(change["log_odds"]["change"], abs=1e-3)
        assert float(row["difference"]) == pytest.approx(change["difference"], abs=1e-3)
        assert row["because"].startswith(f"{change['state']} against {change['against']} ")


def test_jsonl_has_a_line_for_every_interval_as_json_has_it(claims, demo) -> None:
    lines = claims.run("diff", "--without", "dpa", "--format", "jsonl", db=demo, ok=5).out.splitlines()
    assert [json.loads(line) for line in lines] == claims("diff", "--without", "dpa", db=demo, ok=5)[
        "changes"
    ]


def test_a_replay_shows_the_same_difference_as_asking_for_it(claims, copied, tmp_path) -> None:
    (tmp_path / "deaf.py").write_text(
        DEAF.replace('"ministry"', '"dpa"').replace('Logic("deaf"', f'Logic("deaf-{tmp_path.name}"')
    )
    replayed = claims("replay", "--logic", tmp_path / "deaf.py", db=copied)
    asked = claims("diff", "--logic", f"tally..{tmp_path / 'deaf.py'}", db=copied, ok=5)
    assert {name: replayed[name] for name in ("totals", "changes", "sources", "digest")} == {
        name: asked[name] for name in ("totals", "changes", "sources", "digest")
    }
    shown = claims.run("replay", "--logic", tmp_path / "deaf.py", db=copied).out
    assert shown.startswith("replayed ") and " place-days)" in shown


def test_one_logic_may_be_asked_what_a_source_makes_different(claims, copied, tmp_path) -> None:
    (tmp_path / "deaf.py").write_text(
        DEAF.replace('"ministry"', '"dpa"').replace('Logic("deaf"', f'Logic("deaf-{tmp_path.name}"')
    )
    asked = ("diff", "--without", "dpa", "--logic", tmp_path / "deaf.py")
    answer = claims(*asked, db=copied)
    assert answer["changes"] == [] and answer["from"]["name"].startswith("deaf-")
