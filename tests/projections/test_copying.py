"""Copying that nobody declared: pairs that share rare errors, and wire copy printed without attribution."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.belief.tally import TALLY
from projections.copying import ERRORS, LEAST, Screen, Trial, meetings
from tests.conftest import CommandLine
from tests.projections.worlds import TIGHT, World, date, end, laws, worlds

SOURCES = {
    "alpha": ("outlet", None),
    "beta": ("outlet", None),
    "gamma": ("osint", None),
    "delta": ("analyst", None),
    "epsilon": ("eyewitness", None),
    "wire": ("agency", None),
    "ru-one": ("milblogger", "RU"),
    "ru-two": ("milblogger", "RU"),
}
PLACES = 16
DAY = 4  # on which what is told of each place is said
OTHER = {"UA": "RU", "RU": "UA"}

Line = dict[str, Any]


def truth(n: int) -> str:
    return "UA" if n % 2 else "RU"


def said(source: str, n: int, state: str, later: int = 0, **more: Any) -> Line:
    """One source's word of one place, published some hours later on that day or the next."""
    day, hour = DAY + later // 24, later % 24
    when = f"{date(day)}T{hour:02}:00:00Z"
    given = {"claimant": source, "place": f"place-{n}", "state": state, "said": date(day), "published": when}
    return {"type": "claim-reported", **given, **more}


def witnessed(places: Iterable[int]) -> list[Line]:
    """What is so, by three who see it, over some days."""
    return [
        said(who, n, truth(n), later)
        for n in places
        for who, later in (("gamma", 30), ("delta", 35), ("epsilon", 40), ("gamma", 80), ("delta", 85))
    ]


def copied(
    errors: int, rights: int, copier: str = "beta", original: str = "alpha", lag: int = 3
) -> list[Line]:
    """One says something wrong of some places and right of others; the other repeats it hours later."""
    lines = []
    for n in range(errors + rights):
        state = OTHER[truth(n)] if n < errors else truth(n)
        lines += [said(original, n, state, 1), said(copier, n, state, 1 + lag)]
    return lines


class Ledgers:
    """Made from lines by the import."""

    def __init__(self, claims: CommandLine, folder: Path) -> None:
        self.claims, self.folder = claims, folder

    def __call__(self, *lines: Line, name: str = "made.db") -> Path:
        start: list[Line] = [{"type": "party-named", "party": party} for party in ("UA", "RU")]
        for n in range(PLACES):
            start.append({"type": "place-registered", "place": f"place-{n}", "names": [f"Place {n}"]})
        for source, (kind, side) in SOURCES.items():
            given = {"source": source, "kind": kind} | ({"side": side} if side else {})
            start.append({"type": "source-registered", **given, "body": {"names": [source.title()]}})
        self.folder.mkdir(exist_ok=True)
        db = self.folder / name
        text = "\n".join(json.dumps(line) for line in (*start, *lines))
        self.claims("import", "-", "--from", "jsonl", "--create", db=db, stdin=text)
        return db

    def found(self, *lines: Line) -> Line:
        return self.claims("copying", db=self(*lines))  # type: ignore[no-any-return]


@pytest.fixture
def ledgers(claims: CommandLine, tmp_path: Path) -> Ledgers:
    return Ledgers(claims, tmp_path)


def pairs(found: Line) -> list[tuple[str, str]]:
    return [(row["copier"], row["copied"]) for row in found["pairs"]]


def wires(found: Line) -> list[tuple[str, str]]:
    return [(row["outlet"], row["source"]) for row in found["wires"]]


# -- pairs -----------------------------------------------------------------------------------------------------


def test_who_shares_rare_errors_and_is_always_later_is_reported_with_the_evidence(ledgers: Ledgers) -> None:
    found = ledgers.found(*copied(6, 10), *witnessed(range(PLACES)))
    [row] = found["pairs"]
    assert (row["copier"], row["copied"]) == ("beta", "alpha")
    assert row["probability"] > 0.95 and row["direction"] > 0.95
    assert (row["shared"], row["shared_true"], row["shared_false"], row["differing"]) == (16, 10, 6, 0)
    assert (row["later"], row["earlier"], row["hours_later"]) == (16, 0, 3.0)
    for example in row["examples"]:
        assert len(example["utterances"]) == 2
        assert example["right"] < 0.2 and example["nats"] > 0


def test_a_table_names_both_and_says_what_may_be_done(claims: CommandLine, ledgers: Ledgers) -> None:
    table = claims.run("copying", db=ledgers(*copied(6, 10), *witnessed(range(PLACES)))).out
    assert "Beta" in table and "Alpha" in table and "claims link" in table


def test_nothing_is_changed_by_the_report(claims: CommandLine, ledgers: Ledgers) -> None:
    db = ledgers(*copied(6, 10), *witnessed(range(PLACES)))
    asked = ("as-of", date(DAY + 2), *(f"place-{n}" for n in range(PLACES)))
    before = claims(*asked, db=db)
    claims("copying", db=db)
    assert claims(*asked, db=db) == before


def test_sharing_what_is_true_is_no_copying(ledgers: Ledgers) -> None:
    assert pairs(ledgers.found(*copied(0, PLACES), *witnessed(range(PLACES)))) == []


@pytest.mark.parametrize(("errors", "rights"), [(LEAST - 1, 0), (ERRORS - 1, PLACES - ERRORS)])
def test_few_shared_errors_are_too_few(ledgers: Ledgers, errors: int, rights: int) -> None:
    assert pairs(ledgers.found(*copied(errors, rights), *witnessed(range(PLACES)))) == []


def test_who_errs_as_often_but_elsewhere_copies_nobody(ledgers: Ledgers) -> None:
    lines = []
    for n in range(PLACES):
        wrong = ("alpha", "beta")[n % 2]
        for source, later in (("alpha", 1), ("beta", 4)):
            lines.append(said(source, n, OTHER[truth(n)] if source == wrong else truth(n), later))
    assert pairs(ledgers.found(*lines, *witnessed(range(PLACES)))) == []


def test_two_of_one_side_that_claim_everything_are_partisans_and_no_copiers(ledgers: Ledgers) -> None:
    """What is their habit is no rare error, though they share every one of them."""
    lines = [
        said(source, n, "RU", later)
        for n in range(PLACES)
        for source, later in (("ru-one", 1), ("ru-two", 4))
    ]
    assert pairs(ledgers.found(*lines, *witnessed(range(PLACES)))) == []


@pytest.mark.parametrize("lag", [24 * 5, 24 * 9])
def test_who_says_the_same_days_later_did_not_meet(ledgers: Ledgers, lag: int) -> None:
    assert pairs(ledgers.found(*copied(6, 10, lag=lag), *witnessed(range(PLACES)))) == []


def test_linked_sources_are_no_finding(ledgers: Ledgers) -> None:
    link = {"type": "sources-linked", "sources": ["alpha", "beta"]}
    assert pairs(ledgers.found(*copied(6, 10), *witnessed(range(PLACES)), link)) == []


def test_who_carries_the_other_with_attribution_is_no_finding(ledgers: Ledgers) -> None:
    carried = said("alpha", 15, truth(15), 5, via=["beta"])
    assert pairs(ledgers.found(*copied(6, 10), *witnessed(range(PLACES - 1)), carried)) == []


def test_what_was_not_known_yet_is_no_evidence(claims: CommandLine, ledgers: Ledgers) -> None:
    db = ledgers(*copied(6, 10), *witnessed(range(PLACES)))
    assert claims("copying", "--as-of", date(DAY - 1), db=db)["pairs"] == []


def test_another_question_has_its_own_pairs(claims: CommandLine, ledgers: Ledgers) -> None:
    opened = {"type": "question-opened", "question": "bridge", "states": ["standing", "destroyed"]}
    db = ledgers(*copied(6, 10), *witnessed(range(PLACES)), opened)
    assert claims("copying", "--question", "bridge", db=db)["screened"] == 0
    assert claims.run("copying", "--question", "dam", db=db, ok=3).out == ""


def test_in_the_demo_nobody_shares_enough_to_be_suspected(script: CommandLine, demo: Path) -> None:
    found = script("copying", db=demo)
    assert (found["schema"], found["pairs"], found["wires"]) == ("copying/1", [], [])


# -- wires -----------------------------------------------------------------------------------------------------

WORDS = "Our forces have taken the town of Place, the spokesman of the group said on Thursday evening"
NEARLY = "Our forces have taken the town of Place, a spokesman of the group said Thursday evening"
OTHERWISE = "Heavy fighting is going on around the railway station, according to residents"


def printed(
    text: str | None, *, via: Sequence[str] = (), later: int = 2, outlet: str = "alpha"
) -> list[Line]:
    first = {"body": {"quote": WORDS}} if text else {}
    second: Line = {"body": {"quote": text}} if text else {}
    if via:
        second["via"] = list(via)
    return [said("wire", 0, "RU", 1, **first), said(outlet, 0, "RU", 1 + later, **second)]


def test_nearly_the_same_words_without_attribution_are_a_suspected_wire_copy(ledgers: Ledgers) -> None:
    [row] = ledgers.found(*printed(NEARLY))["wires"]
    assert (row["outlet"], row["source"]) == ("alpha", "wire")
    assert (row["times"], row["compared"], row["alike"]) == (1, 1, 1)
    [example] = row["examples"]
    assert example["similarity"] >= 85 and example["hours_later"] == 2.0


@pytest.mark.parametrize(
    "lines",
    [
        printed(OTHERWISE),
        printed(NEARLY, via=["wire"]),
        printed(NEARLY, outlet="gamma"),
        printed(NEARLY, later=24 * 4),
        printed(None),
        [*printed(NEARLY), {"type": "sources-linked", "sources": ["alpha", "wire"]}],
    ],
    ids=["other words", "attributed", "no outlet", "days later", "no words", "linked"],
)
def test_no_wire_copy_is_suspected(ledgers: Ledgers, lines: list[Line]) -> None:
    assert wires(ledgers.found(*lines)) == []


def test_without_words_it_takes_three_times_and_never_the_other_way_round(ledgers: Ledgers) -> None:
    thrice = [line for n in range(3) for line in (said("wire", n, "RU", 1), said("alpha", n, "RU", 3))]
    back = [said("alpha", 5, "RU", 1), said("wire", 5, "RU", 3)]
    assert wires(ledgers.found(*thrice)) == [("alpha", "wire")]
    assert wires(Ledgers(ledgers.claims, ledgers.folder / "b").found(*thrice[:4])) == []
    assert ("alpha", "wire") not in wires(Ledgers(ledgers.claims, ledgers.folder / "c").found(*thrice, *back))


# -- laws ------------------------------------------------------------------------------------------------------


@laws(0.5)
@given(worlds(TIGHT, least=6), st.integers(0, 30))
def test_nobody_meets_themselves_or_the_future_or_before_the_other_spoke(world: World, day: int) -> None:
    case = world.shelf().case()
    for one in meetings(case, end(day)):
        assert one.later.source != one.earlier.source
        assert max(one.later.known, one.earlier.known) <= end(day)
        assert one.earlier.order[:2] <= one.later.order[:2]


@laws(0.5)
@given(worlds(TIGHT, least=6))
def test_a_ledger_of_few_claims_makes_nobody_a_copier(world: World) -> None:
    case = world.shelf().case()
    screen = Screen()
    screen.take(0, case, end(200))
    trial = Trial(set(screen.same), case.states, TALLY)
    trial.take(case, end(200))
    assert trial.found() == []
    for pair in screen.chosen():
        assert len(screen.same[pair]) >= LEAST
