"""When did we know: what is now believed of past days beside what was believed then, and how late that was."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.belief.base import UNKNOWN
from projections.belief.tally import TALLY, end_of, judge
from projections.case import Case
from projections.timeline import timeline
from projections.when_known import Paths, believed_then, when_did_we_know
from tests.projections.worlds import (
    DAYS,
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

NOTHING = {"state": None, "so_since": None, "believed_since": None, "known_first": None, "lag_days": None}
HOUR = 3_600_000_000
dense = st.one_of(worlds(least=4), worlds(TIGHT, least=6))


def ruled(label: str, state: str, first: int, last: int, on: int):
    span = {"valid": f"{date(first)}/{date(last)}", "valid_kind": "throughout"}
    return told("state-ruled", label, place="town", state=state, ruled=date(on), **span)


def known(world: World, by: int = 60) -> dict:
    case = world.shelf().case()
    return when_did_we_know(case, Paths.of(case, TALLY, end(by)))


def runs_of(answer: dict) -> list[tuple[str, int, int, int | None]]:
    """(state, first and last day of the world, lag) of each change."""
    return [
        (one["state"], *(number(one[end]) for end in ("from", "to")), one["lag_days"])
        for one in answer["changes"]
    ]


def number(text: str) -> int:
    return dt.date.fromisoformat(text).toordinal() - ZERO


# -- told by hand -----------------------------------------------------------------------------------------------


def test_what_was_learnt_late_was_so_before_it_was_believed() -> None:
    late = claim("witness", "UA", 10, valid=f"{date(2)}/{date(10)}", valid_kind="throughout")
    answer = known(World.of(late))
    assert {name: answer[name] for name in NOTHING} == {
        "state": "UA",
        "so_since": date(2),
        "believed_since": date(10),
        "known_first": date(10),
        "lag_days": 8,
    }


def test_what_was_learnt_at_once_has_no_lag() -> None:
    answer = known(World.of(claim("witness", "UA", 4), claim("monitor", "UA", 6)))
    assert (answer["so_since"], answer["believed_since"], answer["lag_days"]) == (date(4), date(4), 0)


def test_what_was_believed_too_early_has_a_lag_below_nought() -> None:
    world = World.of(
        claim("witness", "RU", 2),
        claim("monitor", "RU", 3),
        ruled("held", "UA", 1, 9, on=20),
        ruled("fallen", "RU", 10, 20, on=20),
    )
    answer = known(world)
    so = number(answer["so_since"])
    assert answer["state"] == "RU" and 7 <= so <= 10
    assert (answer["believed_since"], answer["lag_days"]) == (date(2), 2 - so)
    assert answer["known_first"] == date(so)
    assert runs_of(answer) == [("UA", 1, so - 1, None), ("RU", so, 20, 0)]


def test_a_belief_that_was_given_up_in_between_is_not_the_one_held_since() -> None:
    world = World.of(
        claim("witness", "UA", 1),
        claim("ministry", "RU", 4),
        claim("monitor", "RU", 5),
        claim("map", "UA", 9),
        ruled("held", "UA", 1, 12, on=12),
    )
    answer = known(world)
    assert (answer["state"], answer["so_since"], answer["known_first"]) == ("UA", date(1), date(1))
    assert number(answer["believed_since"]) > 5
    assert answer["lag_days"] == number(answer["believed_since"]) - 1


def test_what_was_over_before_anybody_heard_of_it_was_never_believed_in_time() -> None:
    world = World.of(ruled("occupied", "RU", 0, 5, on=20), claim("witness", "UA", 10), claim("map", "UA", 12))
    (first, *_) = known(world)["changes"]
    assert (first["state"], first["known_first"], first["lag_days"]) == ("RU", None, None)


def test_a_state_not_believed_on_the_last_day_then_is_held_since_no_day() -> None:
    """What is known of days to come can turn a last day's belief once it is over."""
    paths = Paths(np.arange(ZERO, ZERO + 2), rows("RU", "RU"), rows("RU", "UA"), 0)
    answer = when_did_we_know(World.of().shelf().case(), paths)
    assert (answer["state"], answer["known_first"]) == ("RU", date(0))
    assert (answer["believed_since"], answer["lag_days"]) == (None, None)


def rows(*states: str | None) -> np.ndarray:
    order = ("UA", "RU", "contested")
    return np.array(
        [
            [np.nan] * 3 if state is None else [0.8 if name == state else 0.1 for name in order]
            for state in states
        ]
    )


def test_a_last_day_of_which_nothing_is_believed_has_no_state_but_its_past_has() -> None:
    case = World.of().shelf().case()
    paths = Paths(np.arange(ZERO, ZERO + 3), rows("UA", "UA", None), rows(None, "UA", None), 1)
    answer = when_did_we_know(case, paths)
    assert {name: answer[name] for name in NOTHING} == NOTHING
    assert runs_of(answer) == [("UA", 0, 1, 1)]
    assert [run["believed"] for run in believed_then(case, paths)] == ["UA", UNKNOWN]


@pytest.mark.parametrize(
    ("world", "by"),
    [
        (World.of(), 60),
        (World.of(claim("witness", "UA", 5)), 4),
        (World.of(claim("witness", "RU", 5, act="predicts", valid=date(9))), 60),
        (World.of(claim("witness", "UA", 5, place="village")), 60),
        (World.of(claim("army", "destroyed", 5, question="bridge")), 60),
    ],
)
def test_where_nothing_is_known_nothing_was_known_at_any_time(world, by) -> None:
    assert known(world, by) == NOTHING | {"changes": []}


def test_what_is_not_known_yet_makes_nobody_late() -> None:
    late = claim("witness", "RU", 10, valid=f"{date(2)}/{date(10)}", valid_kind="throughout")
    world = World.of(claim("army", "UA", 2), late)
    assert known(world, 9)["state"] == "UA"
    assert known(world, 9)["lag_days"] == 0
    assert known(world, 10)["state"] == "RU"
    assert known(world, 10)["lag_days"] > 0


def test_a_logic_that_judges_by_itself_has_no_paths(tmp_path) -> None:
    (tmp_path / "sure.py").write_text(
        "from projections import Logic\nlogic = Logic('sure', 1, believe=lambda *_: {'RU': 1.0})\n"
    )
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(World.of(claim("witness", "UA", 5)).told)
        with scribe.desk(logic=str(tmp_path / "sure.py")) as desk:
            answer = timeline(desk, "town", "control", end(60), desk.head)
    assert answer["believed"] == []
    assert answer["when_did_we_know"] == NOTHING | {"changes": []}


def test_a_correction_not_recorded_yet_makes_no_difference(tmp_path) -> None:
    world = World.of(
        claim("witness", "UA", 10, "said", at=moment(11)),
        told("entry-corrected", "mended", moment(30), target="#said",
             changes={"valid": f"{date(4)}/{date(10)}", "valid_kind": "throughout"}),
    )  # fmt: skip
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(world.told)
        with scribe.desk() as desk:
            lags = [
                timeline(desk, "town", "control", end(60), position)["when_did_we_know"]["lag_days"]
                for position in (desk.head - 1, desk.head)
            ]
    assert lags == [0, 6]


# -- in every ledger --------------------------------------------------------------------------------------------


@laws()
@given(dense, st.integers(-1, DAYS + 20), st.sampled_from((0, 1, 13)))
def test_both_paths_are_what_the_answers_say(world: World, by: int, hours: int) -> None:
    moment_known = end(by) - hours * HOUR
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        paths = Paths.of(case, TALLY, moment_known)
        if paths is None:
            assert judge(case, TALLY, ZERO + by, end(by)).believed == UNKNOWN
            continue
        for row, day in enumerate(paths.days.tolist()):
            assert agrees(paths.now[row], case, day, moment_known)
            assert agrees(paths.then[row], case, day, min(end_of(day), moment_known))
        assert paths.days[-1] <= ZERO + by
        before = judge(case, TALLY, int(paths.days[0]) - 1, moment_known)
        assert before.believed == UNKNOWN


def agrees(row: np.ndarray, case: Case, day: int, by: int) -> bool:
    verdict = judge(case, TALLY, day, by)
    if verdict.believed == UNKNOWN:
        return bool(np.isnan(row).all())
    return bool(np.allclose(row, list(verdict.probabilities.values()), rtol=0, atol=1e-9))


@laws()
@given(dense, st.integers(0, DAYS + 20))
def test_the_lags_are_those_counted_day_by_day(world: World, by: int) -> None:
    shelf = world.shelf()
    for place, question in shelf.spots():
        case = shelf.case(place, question)
        paths = Paths.of(case, TALLY, end(by))
        answer = when_did_we_know(case, paths)
        if paths is None:
            assert answer["changes"] == []
            continue
        days = paths.days.tolist()
        now = {day: judge(case, TALLY, day, end(by)).believed for day in days}
        then = {day: judge(case, TALLY, day, min(end_of(day), end(by))).believed for day in days}
        last = days[-1]
        if now[last] == UNKNOWN:
            assert answer["state"] is None
            continue
        assert answer["state"] == now[last]
        assert number(answer["so_since"]) + ZERO == since(now, last)
        noticed = [day for day in days if day >= since(now, last) and then[day] == now[last]]
        assert answer["known_first"] == (date(noticed[0] - ZERO) if noticed else None)
        if then[last] == now[last]:
            assert number(answer["believed_since"]) + ZERO == since(then, last)
            assert answer["lag_days"] == since(then, last) - since(now, last)
        covered = [
            day for state, first, end_, _ in runs_of(answer) for day in range(ZERO + first, ZERO + end_ + 1)
        ]
        assert covered == [day for day in days if now[day] != UNKNOWN]


def since(believed: dict[int, str], day: int) -> int:
    """The first day of the unbroken run up to a day."""
    while believed.get(day - 1) == believed[day]:
        day -= 1
    return day


# -- the real reports -------------------------------------------------------------------------------------------


def test_the_demo_believes_the_fight_for_kupyansk_late(claims, demo) -> None:
    answer = claims("timeline", "Kupyansk", db=demo)
    found, believed = answer["when_did_we_know"], answer["believed"]
    assert found["state"] == "contested" == believed[-1]["believed"]
    assert found["believed_since"] == believed[-1]["from"] == "2025-12-21"
    assert found["so_since"] < found["known_first"] < found["believed_since"]
    so, held = (dt.date.fromisoformat(found[name]) for name in ("so_since", "believed_since"))
    assert found["lag_days"] == (held - so).days > 14
    for name in ("so_since", "believed_since"):
        asked = claims("as-of", found[name], "Kupyansk", *hindsight(name), db=demo)["answers"][0]
        assert asked["believed"] == "contested"
        before = (dt.date.fromisoformat(found[name]) - dt.timedelta(days=1)).isoformat()
        asked = claims("as-of", before, "Kupyansk", *hindsight(name), db=demo)["answers"][0]
        assert asked["believed"] != "contested"


def hindsight(name: str) -> tuple[str, ...]:
    return ("--known-by", "2026-11-01") if name == "so_since" else ()


def test_the_demo_learns_of_the_first_occupation_when_it_is_long_over(claims, demo) -> None:
    first, second, *_ = claims("timeline", "Kupyansk", db=demo)["when_did_we_know"]["changes"]
    assert (first["state"], first["from"], first["known_first"]) == ("RU", "2022-02-24", None)
    assert (second["state"], second["known_first"]) == ("UA", "2025-09-05")
    assert second["lag_days"] > 1_000


def test_the_demo_learns_of_the_fall_of_myrnohrad_two_weeks_late(claims, demo) -> None:
    found = claims("timeline", "Myrnohrad", db=demo)["when_did_we_know"]
    assert (found["state"], found["so_since"], found["lag_days"]) == ("RU", "2025-12-27", 14)
    then = claims("timeline", "Myrnohrad", "--known-by", "2026-01-01", db=demo)["when_did_we_know"]
    assert (then["state"], then["lag_days"]) == ("UA", 0)


def test_the_table_says_in_plain_lines_how_late_it_was(claims, demo) -> None:
    said = claims.run("timeline", "Kupyansk", db=demo).out.splitlines()
    at = said.index("when did we know (as now believed: believed then)")
    assert said[at + 1] == "  2022-02-24 to 2022-08-29  RU: never while it was so"
    assert any(
        line.startswith("contested since ") and ", believed without a break since 2025-12-21, " in line
        for line in said[at:]
    )
    same = claims.run("timeline", "Radkivka, Kharkiv Oblast", db=demo).out
    assert "UA since 2025-12-12, believed without a break since 2025-12-12, the same day" in same


def test_a_place_of_which_nothing_is_known_has_no_such_lines(claims, demo) -> None:
    said = claims.run("timeline", "Kupyansk", "--known-by", "2025-01-01", db=demo).out
    assert "when did we know" not in said
