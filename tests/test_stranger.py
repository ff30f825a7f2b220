"""A stranger's one-file logic, written from the README alone: it replays, changes answers, and may misbehave."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

MAPS = """
from projections import Logic

def maps_only(piece, source):
    return 1.0 if source.kind == "map" else 0.0

logic = Logic("maps-only", version=1, weigh=maps_only)
"""
SAME = """
from projections import Logic
logic = Logic("as-it-is", version=1, weigh=lambda piece, source: 1.0)
"""
FUSSY = """
from projections import Logic

def fussy(piece, source):
    if source.id == "amk-mapping":
        raise ValueError("not in my ledger")
    return 1.0

logic = Logic("fussy", version=1, weigh=fussy)
"""
LAST = """
from projections import Logic

def last(case, day, known):
    said = [p for p in case.testimony if p.act == "asserts" and p.state and not p.negated and p.lo <= day]
    newest = max(said, key=lambda p: p.order, default=None)
    return {s: (0.9 if newest and s == newest.state else 0.05) for s in case.states.names}

logic = Logic("last-claim", version=1, believe=last)
"""
POISONED_FOLD = """
from collections import Counter
from projections import Projection

tally = Projection("claims-per-source", version=1, initial=Counter)

@tally.on("claim-reported")
def count(counts, claim, recorded):
    counts[claim.claimant] += 1
    if claim.claimant == "amk-mapping":
        raise RuntimeError("after having counted it")
    return counts
"""


@pytest.fixture
def written(tmp_path: Path):  # type: ignore[no-untyped-def]
    def write(text: str, name: str = "mine.py") -> str:
        path = tmp_path / name
        path.write_text(text, "utf-8")
        return str(path)

    return write


def believed(claims: Any, db: Path, *more: str) -> dict[str, float]:
    answer = claims("as-of", "2025-12-21", "Kupyansk", *more, db=db)["answers"][0]
    return dict(answer["probabilities"])


def test_a_logic_that_trusts_maps_only_replays_and_changes_answers(
    claims: Any, copied: Path, written: Any
) -> None:
    mine = written(MAPS)
    replayed = claims("replay", "--logic", mine, db=copied)
    assert replayed["totals"]["places_changed"] > 0
    assert replayed["from"]["name"] == "tally"
    assert replayed["to"]["name"] == "maps-only"
    assert believed(claims, copied, "--logic", mine) != believed(claims, copied)
    heard = claims("why", "2025-12-21", "Kupyansk", "--logic", mine, db=copied)
    assert {row["claimant"] for row in (*heard["for"], *heard["against"])} == {"deepstate"}


def test_a_logic_that_weighs_everything_as_it_is_changes_nothing(
    claims: Any, copied: Path, written: Any
) -> None:
    mine = written(SAME)
    replayed = claims("replay", "--logic", mine, db=copied)
    assert replayed["totals"]["intervals"] == 0
    assert believed(claims, copied, "--logic", mine) == believed(claims, copied)


def test_an_event_on_which_a_logic_raises_is_quarantined_with_its_position(
    claims: Any, copied: Path, written: Any
) -> None:
    mine = written(FUSSY)
    shown = claims("replay", "--logic", mine, db=copied)["quarantined"]
    assert [one["error"] for one in shown] == ["ValueError: not in my ledger"]
    found = claims("show", f"#{shown[0]['position']}", db=copied)
    assert "amk-mapping" in str(found)
    without = believed(claims, copied, "--without", "AMK Mapping")
    assert believed(claims, copied, "--logic", mine) == pytest.approx(without, abs=1e-9)


def test_a_logic_may_judge_by_itself(claims: Any, copied: Path, written: Any) -> None:
    mine = written(LAST)
    claims("replay", "--logic", mine, db=copied)
    assert max(believed(claims, copied, "--logic", mine).values()) == pytest.approx(0.9)


def test_a_fold_is_saved_and_its_poison_leaves_no_trace_in_the_state(
    claims: Any, copied: Path, written: Any
) -> None:
    replayed = claims("replay", "--logic", written(POISONED_FOLD), db=copied)
    (folded,) = replayed["projections"]
    assert folded["state"]["deepstate"] > 0
    assert "amk-mapping" not in folded["state"]
    assert [one["error"] for one in replayed["quarantined"]] == ["RuntimeError: after having counted it"]


def test_a_view_made_by_an_older_edit_of_the_file_is_not_used(
    claims: Any, copied: Path, written: Any
) -> None:
    mine = written(MAPS)
    claims("replay", "--logic", mine, db=copied)
    written(MAPS.replace("else 0.0", "else 0.1"))
    said = claims.run("as-of", "2025-12-21", "Kupyansk", "--logic", mine, db=copied, ok=1)
    assert "claims replay --logic" in said.err
    claims("replay", "--logic", mine, db=copied)
    assert believed(claims, copied, "--logic", mine)


def test_replaying_twice_gives_the_same_answer_to_the_byte(claims: Any, copied: Path) -> None:
    asked = ("as-of", "2025-12-21", "--json")
    first = claims.run(*asked, db=copied).out
    claims("replay", db=copied)
    assert claims.run(*asked, db=copied).out == first
