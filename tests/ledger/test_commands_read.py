"""``init``, ``log`` and ``show``; and what every command says where there is no ledger."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import ledger.errors
from ledger.events import BY_NAME
from projections.cli import COMMANDS
from tests.conftest import CommandLine
from tests.ledger.small import TOWN, Small

REFERENCE = (Path(ledger.errors.__file__).parent / "docs.md").read_text("utf-8")


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    return Small(claims, tmp_path)


def test_init_makes_a_ledger_with_its_parties_and_says_what_comes_next(
    claims: CommandLine, tmp_path: Path
) -> None:
    said = claims.run("init", tmp_path / "a.db", "--ledger", "mine", "--title", "T", "--party", "RU=Russia")
    assert "made ledger mine; parties: RU" in said.out
    assert "claims place --db" in said.out
    assert claims("log", db=tmp_path / "a.db")["position"] == 2


def test_init_never_touches_what_is_there(small: Small, claims: CommandLine) -> None:
    before = small.db.read_bytes()
    said = claims.run("init", small.db, ok=1)
    assert "already exists" in said.err
    assert small.db.read_bytes() == before


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("--ledger", "no blanks"), 2),
        (("--party", "no blanks"), 2),
        (("--party", "RU=A", "--party", "RU=B"), 2),
        (("--title", ""), 2),
    ],
)
def test_an_init_that_fails_leaves_no_file(
    claims: CommandLine, tmp_path: Path, args: tuple[str, ...], code: int
) -> None:
    claims.run("init", tmp_path / "a.db", *args, ok=code)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", [("log",), ("show", "#1"), ("export",), ("party", "RU"), ("observe", "x")]
)
def test_a_command_without_a_ledger_fails_in_one_line_and_makes_no_file(
    claims: CommandLine, tmp_path: Path, command: tuple[str, ...]
) -> None:
    said = claims.run(*command, db=tmp_path / "none.db", ok=1)
    assert "claims init" in said.err
    assert len(said.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_an_empty_file_and_garbage_are_no_ledger(claims: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    (tmp_path / "garbage.db").write_bytes(b"\x07garbage" * 1000)
    for wrong in (tmp_path, tmp_path / "empty.db", tmp_path / "garbage.db"):
        assert "Traceback" not in claims.run("log", db=wrong, ok=1).err


def test_a_ledger_that_somebody_else_writes_into_is_locked(small: Small) -> None:
    holder = sqlite3.connect(small.db, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        said = small.run("append", "Kupyansk", "RU", "--by", "tass", ok=7, CLAIMS_LOCK_TIMEOUT="0.05")
    finally:
        holder.close()
    assert "nothing was recorded" in said.err


def test_the_log_lists_the_newest_first(small: Small) -> None:
    events = small.json("log")["events"]
    assert [one["position"] for one in events] == list(range(small.EVENTS, 0, -1))
    assert [one["position"] for one in small.json("log", "--limit", 2)["events"]] == [8, 7]
    assert [one["position"] for one in small.json("log", "--since", "#7")["events"]] == [8, 7]


def test_the_log_shows_what_concerns_a_place_or_a_source_merged_ones_included(small: Small) -> None:
    claim = small.claim("--via", "tass")
    small.run("place", "old", "--name", "Old", "--merge-into", "Kupyansk")
    by_place = {one["entry"] for one in small.json("log", "--place", "Купянск")["events"]}
    assert by_place == {claim, f"place:{TOWN}", "place:old", "place:old@2"}
    by_source = [one["entry"] for one in small.json("log", "--source", "TASS")["events"]]
    assert by_source == [claim, "source:tass"]
    assert [one["entry"] for one in small.json("log", "--type", "claim-reported")["events"]] == [claim]


def test_the_log_reads_back_past_one_window(small: Small) -> None:
    lines = (
        json.dumps(
            {
                "type": "display-observed",
                "source": "isw",
                "published": f"2025-12-01T00:{n // 60:02}:{n % 60:02}Z",
            }
        )
        for n in range(1200)
    )
    small.run("import", "-", stdin="\n".join(lines))
    rows = small.run("log", "--limit", 0, "--format", "jsonl").out.splitlines()
    assert [json.loads(row)["position"] for row in rows] == list(range(small.EVENTS + 1200, 0, -1))


def test_every_format_of_the_log_has_the_same_rows(small: Small) -> None:
    assert len(small.run("log").out.splitlines()) == small.EVENTS
    assert len(small.run("log", "--format", "csv").out.splitlines()) == small.EVENTS + 1
    assert len(small.json("log")["events"]) == small.EVENTS
    assert small.json("log", "--place", "Izium", "--type", "party-named")["events"] == []


def test_control_characters_from_outside_are_shown_and_never_printed(small: Small) -> None:
    claim = small.claim("--quote", "a\x1b[31mb\u202ec", "--note", "one\ntwo")
    for format in ("table", "json", "csv"):
        out = small.run("show", claim, "--format", format).out
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_an_entry_is_shown_by_id_beginning_or_position(small: Small) -> None:
    claim = small.claim("--actor", "anna")
    for name in (claim, claim[:8], f"#{small.size}", str(small.size)):
        assert small.show(name)["entry"] == claim
    text = small.run("show", claim).out
    assert "by anna" in text
    assert small.show(claim)["leaf_hash"] in text


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("show", "c-ffffffff"), 3, "no entry"),
        (("show", "#99"), 3, "last one is #8"),
        (("show", "99999999999999999999999"), 3, "no event"),
        (("show", "#²"), 3, "no entry"),
        (("show", "ledger@2"), 3, "versions"),
        (("show", "source"), 3, "begins several ids"),
        (("show",), 2, "ENTRY"),
        (("log", "--type", "rumour"), 2, "claim-reported"),
        (("log", "--limit", "-1"), 2, "--limit"),
        (("log", "--limit", "many"), 2, "--limit"),
        (("log", "--since", "yesterday"), 2, "'#17'"),
        (("log", "--place", "Nowhere"), 3, "no place"),
        (("log", "--source", "nobody"), 3, "no source"),
        (("log", "--format", "xml"), 2, "xml"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_question_that_cannot_be_answered_is_one_line(
    small: Small, args: tuple[str, ...], code: int, says: str
) -> None:
    assert says in small.refuses(*args, code=code)


def test_the_script_ends_quietly_when_its_reader_stops(small: Small) -> None:
    claims = Path(sys.executable).with_name("claims")
    for command in ("log --limit 0 --format jsonl", "export"):
        piped = f"set -o pipefail; {claims} {command} --db {small.db} | head -c 10 >/dev/null"
        done = subprocess.run(["bash", "-c", piped], check=False, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", [name for name, module in COMMANDS.items() if module.startswith("ledger.")])
def test_every_command_explains_itself_and_stands_in_the_reference(claims: CommandLine, name: str) -> None:
    said = claims.run(name, "--help")
    assert f"Usage: claims {name}" in said.out
    assert f"`{name}" in REFERENCE


@pytest.mark.parametrize("name", BY_NAME)
def test_every_event_stands_in_the_reference(name: str) -> None:
    assert f"`{name}`" in REFERENCE
