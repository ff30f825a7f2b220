"""Promotion: which logic answers is an event, flips in one append, and flips back."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from ledger.book import Draft, Ledger
from ledger.errors import Usage
from projections import promotion
from projections.promotion import Promoted, stack
from projections.registry import load

OWN = """
from projections import Logic

def weigh(piece, source):
    return {factor} if source.side else 1.0

logic = Logic("own", version=1, weigh=weigh)
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text(OWN.format(factor=0.2))
    return path


def live_of(answer: dict) -> str:
    return answer["logic"]["name"]


def test_what_is_promoted_answers_and_what_is_rolled_back_does_not(claims, copied, own) -> None:
    asked = ("as-of", "2025-12-16", "Kupyansk")
    before = claims(*asked, db=copied)
    replayed = claims("replay", "--logic", own, "--promote", "--actor", "desk", db=copied)
    with Ledger.open(copied, readonly=True) as ledger:
        event = ledger.event(replayed["promoted"]["position"])
    assert (event.name, event.actor, event.data["diff"]) == ("logic-promoted", "desk", replayed["digest"])
    after = claims(*asked, db=copied)
    assert live_of(before) == "tally" and live_of(after) == "own"
    assert after["answers"] != before["answers"]
    assert live_of(claims(*asked, "--logic", "tally", db=copied)) == "tally"
    claims("replay", "--rollback", db=copied)
    again = claims(*asked, db=copied)
    assert (again["logic"], again["answers"]) == (before["logic"], before["answers"])
    assert live_of(claims(*asked, "--logic", "own", db=copied)) == "own"


def test_nothing_is_promoted_without_being_asked(claims, copied, own) -> None:
    head = claims("as-of", "2025-12-16", "Kupyansk", db=copied)["position"]
    assert claims("replay", "--logic", own, db=copied)["promoted"] is None
    assert claims("as-of", "2025-12-16", "Kupyansk", db=copied)["position"] == head


def test_the_list_says_what_is_live_and_where_a_rollback_leads(claims, copied, own) -> None:
    claims("as-of", "2025-12-16", "Kupyansk", db=copied)
    claims("replay", "--logic", own, "--promote", db=copied)
    found = {one["logic"]: one for one in claims("logic", "list", db=copied)["logics"]}
    assert (found["own@1"]["status"], found["tally@1"]["status"]) == ("live", "rollback")
    assert found["own@1"]["default"] and not found["tally@1"]["default"]
    own.write_text(OWN.format(factor=0.5))
    claims("replay", "--logic", own, "--promote", db=copied)
    listed = claims("logic", "list", db=copied)["logics"]
    assert sorted(one["status"] for one in listed if one["logic"] == "own@1") == ["live", "rollback"]


def test_two_versions_of_one_file_stand_side_by_side_and_both_answer(claims, copied, own) -> None:
    first = claims("replay", "--logic", own, db=copied)["logic"]["fingerprint"]
    own.write_text(OWN.format(factor=3.0))
    second = claims("replay", "--logic", own, db=copied)["logic"]["fingerprint"]
    assert first != second
    for mark in (first, second):
        answer = claims("as-of", "2025-12-16", "Kupyansk", "--logic", f"own@1+{mark}", db=copied)
        assert answer["logic"]["fingerprint"] == mark


def test_a_candidate_is_compared_with_what_is_live(claims, copied, own) -> None:
    claims("replay", "--logic", own, "--promote", db=copied)
    own.write_text(OWN.format(factor=3.0))
    answer = claims("replay", "--logic", own, db=copied)
    assert answer["from"]["name"] == "own"
    assert answer["totals"]["intervals"] > 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rollback",), "no logic was promoted"),
        (("--rollback", "--promote"), "stands alone"),
        (("--rollback", "--logic", "tally"), "stands alone"),
    ],
)
def test_a_rollback_to_nothing_or_with_something_else_is_refused(claims, copied, words, said) -> None:
    assert said in claims.run("replay", *words, db=copied, ok=2).err


def test_the_live_logic_is_not_promoted_twice(claims, copied, own) -> None:
    claims("replay", "--logic", own, "--promote", db=copied)
    assert "live already" in claims.run("replay", "--logic", own, "--promote", db=copied, ok=2).err


def test_code_that_a_ledger_names_is_never_run_unless_this_user_replayed_it(
    claims, copied, own, tmp_path
) -> None:
    claims("replay", "--logic", own, "--promote", db=copied)
    (views,) = copied.parent.glob("*.views")
    (views / own.name).write_text(own.read_text())
    elsewhere = {"CLAIMS_LOGICS": str(tmp_path / "another user")}
    said = claims.run("as-of", "2025-12-16", "Kupyansk", db=copied, ok=1, **elsewhere)
    assert "not on this machine" in said.err
    assert claims.run("as-of", "2025-12-16", "Kupyansk", "--logic", "tally", db=copied, **elsewhere).code == 0


@pytest.mark.parametrize("name", ["../evil", "own@1+..", "own+*", "*", "own@1+zz", "o?n"])
def test_a_name_that_is_none_finds_no_file(claims, copied, own, name) -> None:
    claims("replay", "--logic", own, db=copied)
    assert "no logic" in claims.run("as-of", "2025-12-16", "Kupyansk", "--logic", name, db=copied, ok=3).err


def test_appends_beside_a_promotion_are_none_lost(claims, copied, own) -> None:
    before = claims("as-of", "2025-12-16", "Kupyansk", db=copied)
    place = before["answers"][0]["place"]["id"]
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=_beside, args=(str(copied), place, 25))
    writer.start()
    claims("replay", "--logic", own, "--promote", db=copied)
    writer.join(60)
    assert writer.exitcode == 0
    after = claims("as-of", "2025-12-16", "Kupyansk", db=copied)
    assert after["position"] == before["position"] + 25 + 1
    assert live_of(after) == "own"
    fresh = claims("as-of", "2025-12-16", "Kupyansk", db=copied, CLAIMS_VIEWS=str(copied.parent / "fresh"))
    assert fresh["answers"] == after["answers"]


def _beside(path: str, place: str, count: int) -> None:
    with Ledger.open(path) as ledger:
        source = sorted(ledger.directory().sources)[0]
        for n in range(count):
            data = {"claimant": source, "place": place, "state": "RU", "key": f"beside-{n}"}
            ledger.append([Draft.of("claim-reported", data | {"published": "2025-12-01"})])


# -- the stack -------------------------------------------------------------------------------------------------


def promoted(name: str, rollback: bool = False) -> Promoted:
    return Promoted(name, 1, "f" * 16, 1, 1, "2025-12-16T00:00:00.000000Z", rollback=rollback)


def test_a_rollback_takes_the_topmost_off_and_nothing_where_there_is_none() -> None:
    back = promoted("x", rollback=True)
    assert [one.logic for one in stack([promoted("a"), promoted("b"), back])] == ["a"]
    assert [one.logic for one in stack([promoted("a"), back, back, promoted("c")])] == ["c"]
    assert stack([back]) == []


def test_a_ledger_without_promotions_has_none_live_and_none_to_take_back(tmp_path) -> None:
    with Ledger.create(tmp_path / "book.db", ledger="made-up") as ledger:
        assert promotion.live(ledger) is None
        default = load()
        with pytest.raises(Usage, match="no logic was promoted"):
            promotion.roll_back(ledger, ("tally", 1, default.fingerprint), None)
        assert ledger.store.head().size == 1
