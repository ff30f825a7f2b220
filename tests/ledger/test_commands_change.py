"""Correcting, retracting, voiding, judging and ruling: five acts, each visible where the entry is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.ledger.small import TOWN, Small


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    return Small(claims, tmp_path)


def test_a_correction_shows_before_and_after_and_leaves_the_first_entry_readable(small: Small) -> None:
    claim = small.claim("--quote", "taken")
    said = small.run(
        *("correct", claim[:10], "--set", "said=2025-11-21", "--set", "quote=we took it"),
        *("--set", "state=not-RU", "--reason", "misread", "--by", "anna"),
    )
    changed = ["said: 2025-11-20 → 2025-11-21", "quote: taken → we took it", "negated: (none) → yes"]
    assert said.out.splitlines()[1:] == changed
    shown = small.show(claim)
    assert shown["fields"]["said"] == "2025-11-20"
    assert shown["corrected"]["said"] == "2025-11-21"
    assert shown["corrected"]["negated"] is True
    assert shown["body"]["quote"] == "we took it"
    (befell,) = shown["befell"]
    assert befell["type"] == "entry-corrected/1"
    assert befell["fields"]["changes"] == {"said": "2025-11-21", "state": "RU", "negated": True}
    assert befell["body"]["changes"] == {"quote": "we took it"}
    assert befell["body"]["reason"] == "misread"


def test_an_empty_value_empties_a_field_and_commas_make_a_list(small: Small) -> None:
    claim = small.claim()
    small.run("correct", claim, "--set", "said=", "--set", "via=TASS, Institute", "--set", "standing=yes")
    corrected = small.show(claim)["corrected"]
    assert "said" not in corrected
    assert corrected["via"] == ["tass", "isw"]
    assert corrected["standing"] is True


def test_names_with_a_comma_are_quoted(small: Small) -> None:
    small.run("correct", f"place:{TOWN}", "--set", 'names="Street, Kupyansk",Kupyansk')
    assert small.show(f"place:{TOWN}")["corrected"]["names"] == ["Street, Kupyansk", "Kupyansk"]
    small.run("append", "Street, Kupyansk", "RU", "--by", "tass")


def test_the_name_of_a_source_is_corrected_in_the_body(small: Small) -> None:
    small.run("correct", "source:tass", "--set", "names=ITAR-TASS")
    assert small.show("source:tass")["body"]["names"] == ["ITAR-TASS"]
    small.refuses("observe", "TASS ", "Nowhere", code=3)
    small.run("append", "Kupyansk", "RU", "--by", "ITAR-TASS")


def test_a_partys_name_is_corrected(small: Small) -> None:
    small.run("correct", "party:RU", "--set", "name=Russian Federation")
    small.run("append", "Kupyansk", "russian federation", "--by", "tass")


def test_the_same_correction_twice_is_recorded_once(small: Small) -> None:
    claim = small.claim()
    first = small.entry("correct", claim, "--set", "valid=2025-11")
    assert small.entry("correct", claim, "--set", "valid=2025-11") == first


def test_an_act_that_was_undone_since_is_not_silently_taken_for_done(small: Small) -> None:
    claim = small.claim()
    small.run("judge", claim, "true")
    small.run("judge", claim, "false")
    said = small.run("judge", claim, "true")
    assert "already recorded" in said.out
    assert "give it a --key" in said.err
    assert small.run("judge", claim, "true", "--key", "again").out.startswith("recorded as")


def test_only_the_author_takes_an_entry_back(small: Small) -> None:
    claim = small.claim()
    assert "ru-mod did" in small.refuses("retract", claim, "--by", "tass", code=1)
    small.run("retract", claim, "--by", "Ministry", "--via", "tass", "--published", "2025-12-01")
    (befell,) = small.show(claim)["befell"]
    assert befell["fields"] == {
        "target": claim,
        "source": "ru-mod",
        "via": ["tass"],
        "published": "2025-12-01",
    }


def test_voided_evidence_says_by_whom_and_why(small: Small) -> None:
    entry = small.entry("evidence", "Kupyansk", "RU", "--by", "isw", "--valid", "2025-11-21")
    small.run("void", entry, "--by", "anna", "--ruled", "2025-12-01", "--reason", "staged")
    (befell,) = small.show(entry)["befell"]
    assert befell["fields"] == {"target": entry, "by": "anna", "ruled": "2025-12-01"}
    assert befell["body"] == {"reason": "staged"}
    assert "staged" in small.run("show", entry).out


def test_a_ruling_stands_on_its_own(small: Small) -> None:
    entry = small.entry(
        "rule", "Kupyansk", "UA", "--valid", "2025-12", "--valid-kind", "throughout", "--by", "anna"
    )
    shown = small.show(entry)
    assert shown["type"] == "state-ruled/1"
    assert shown["fields"]["valid_kind"] == "throughout"


def test_what_befell_a_later_version_is_shown_with_it(small: Small) -> None:
    claim = small.claim()
    ruling = small.entry("judge", claim, "false")
    small.run("correct", ruling, "--set", "verdict=unverifiable")
    assert small.show(ruling)["corrected"]["verdict"] == "unverifiable"
    assert [one["type"] for one in small.show(claim)["befell"]] == [
        "claim-adjudicated/1",
        "entry-corrected/1",
    ]


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("--set", "said"), 2, "FIELD=VALUE"),
        (("--set", "colour=red"), 2, "Fields: claimant, via"),
        (("--set", "said=2025-13-01"), 2, "--said"),
        (("--set", "place=Nowhere"), 3, "no place"),
        (("--set", "claimant=nobody"), 3, "no source"),
        (("--set", "state=XX"), 3, "no state"),
        (("--set", "act=shouts"), 2, "'asserts'"),
        (("--set", "standing=maybe"), 2, "true or false"),
        (("--set", "target=c-000000"), 3, "no entry"),
        (("--set", "state="), 2, "needs a state"),
        (("--set", "key=k"), 2, "can't be corrected"),
        (("--set", "said=2025-11-20"), 2, "says so already"),
        (("--set", "published=2025-11-01"), 2, "lies after published"),
        ((), 2, "--set"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_correction_that_cannot_be_is_refused(
    small: Small, args: tuple[str, ...], code: int, says: str
) -> None:
    assert says in small.refuses("correct", small.claim(), *args, code=code)


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("correct", "c-00000000", "--set", "said=2025"), 3, "no entry"),
        (("correct", "c-", "--set", "said=2025"), 3, "no entry"),
        (("correct", "#99", "--set", "said=2025"), 3, "last one is #8"),
        (("correct", "place:izium", "--set", "place=Kupyansk"), 2, "can't be corrected"),
        (("correct", "source:", "--set", "kind=map"), 3, "begins several ids"),
        (("retract", "place:izium", "--by", "tass"), 2, "no author"),
        (("void", "place:izium"), 2, "not evidence"),
        (("judge", "place:izium", "true"), 2, "not a claim"),
        (("judge", "place:izium", "maybe"), 2, "'unverifiable'"),
        (("rule", "Kupyansk", "not-UA", "--valid", "2025-12"), 2, "names no state"),
        (("rule", "Kupyansk", "UA"), 2, "--valid"),
        (("rule", "Kupyansk", "UA", "--valid", "2025-12", "--valid-kind", "since"), 2, "'throughout'"),
        (("rule", "Kupyansk", "UA", "--valid", "2025-12", "--ruled", "2025-99"), 2, "--ruled"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_act_upon_the_wrong_entry_is_refused(
    small: Small, args: tuple[str, ...], code: int, says: str
) -> None:
    assert says in small.refuses(*args, code=code)
