"""``import`` on the command line: counts, exit codes, and what stays when it is broken off."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ledger import importing
from tests.conftest import FIXTURE, CommandLine
from tests.ledger.small import Small

GOOD = {
    "type": "claim-reported",
    "claimant": "tass",
    "place": "Kupyansk",
    "state": "RU",
    "said": "2025-11-20",
}


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    return Small(claims, tmp_path)


def lines(*rows: dict[str, Any] | str) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def test_the_same_file_twice_records_once(claims: CommandLine, tmp_path: Path) -> None:
    db = tmp_path / "new.db"
    first = claims("import", FIXTURE, "--create", db=db)
    again = claims("import", FIXTURE, db=db)
    assert first["new"] == again["already"] == first["rows"]
    assert again["new"] == 0


def test_a_bad_row_costs_itself_and_exit_4(small: Small, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jsonl"
    said = small.run("import", "-", "--rejects", bad, ok=4, stdin=lines("nope", GOOD, {"type": "rumour"}))
    assert said.out == "1 new, 0 already recorded, 0 conflicting, 2 rejected\n"
    assert "-:1: not JSON" in said.err
    assert [json.loads(line)["line"] for line in bad.read_text().splitlines()] == [1, 3]


def test_a_row_that_contradicts_what_is_recorded_is_exit_1(small: Small) -> None:
    keyed = {**GOOD, "key": "k"}
    small.run("import", "-", stdin=lines(keyed))
    said = small.run("import", "-", ok=1, stdin=lines({**keyed, "state": "UA"}))
    assert "1 conflicting" in said.out


def test_a_dry_run_counts_and_records_nothing(small: Small) -> None:
    said = small.run("import", "-", "--dry-run", stdin=lines(GOOD, GOOD))
    assert said.out == "would be: 1 new, 1 already recorded, 0 conflicting, 0 rejected\n"
    assert small.size == small.EVENTS


def test_the_tally_comes_in_every_format(small: Small) -> None:
    csv = small.run("import", "-", "--format", "csv", stdin=lines(GOOD)).out.splitlines()
    assert csv[0].split(",")[:3] == ["rows", "new", "already"]
    assert csv[1].startswith("1,1,0,")
    answer = small.json("import", "-", stdin=lines(GOOD))
    assert answer["schema"] == "import/1"
    assert answer["already"] == 1


def test_a_mapped_file_registers_what_it_names_when_asked_to(small: Small, tmp_path: Path) -> None:
    table = tmp_path / "claims.csv"
    header = "place,state,by,via,published,said,valid,act,url,title,quote"
    table.write_text(f"{header}\nLyman,RU,Blog,TASS,2025-12-16,Friday,2025-12,,,,\n", "utf-8")
    refused = small.run("import", table, "--map", "simple", ok=4)
    assert "no place 'Lyman'" in refused.err
    assert "1 new" in small.run("import", table, "--map", "simple", "--register").out
    claim = small.json("log", "--type", "claim-reported")["events"][0]["entry"]
    assert small.show(claim)["fields"]["said"] == "2025-12-12"


def test_an_interrupted_import_says_what_is_recorded_and_exits_130(
    small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any, **__: Any) -> importing.Tally:
        raise importing.Interrupted(importing.Tally(rows=7, new=5, already=2))

    monkeypatch.setattr(importing, "import_file", stopped)
    said = small.run("import", "-", ok=130, stdin=lines(GOOD))
    assert said.err.count("\n") == 1
    assert "5 new, 2 already recorded" in said.err


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("nothing.jsonl",), 2),
        (("-", "--from", "xml"), 2),
        (("-", "--from", "csv"), 2),
        (("-", "--map", "none"), 2),
        (("-", "--rejects", "/nowhere/bad.jsonl"), 1),
        ((), 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_import_that_cannot_begin_records_nothing(small: Small, args: tuple[str, ...], code: int) -> None:
    small.refuses("import", *args, code=code)


def test_an_import_never_makes_a_ledger_unasked(claims: CommandLine, tmp_path: Path) -> None:
    claims.run("import", FIXTURE, db=tmp_path / "typo.db", ok=1)
    claims.run("import", FIXTURE, "--create", "--dry-run", db=tmp_path / "typo.db", ok=2)
    claims.run("import", "none.jsonl", "--create", db=tmp_path / "typo.db", ok=2)
    assert list(tmp_path.iterdir()) == []
