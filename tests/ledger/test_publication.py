"""A ledger for others to read: no text in it, every leaf to be hashed, and nothing more precise than was meant."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.integrity.tree import leaf_hash, root_of
from ledger.publication import rounded
from tests.conftest import CommandLine
from tests.ledger.small import Small

NAMES = ("Ministry", "Institute", "the very words", "https://example.org/page", "a title", "an aside")


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    made = Small(claims, tmp_path)
    claim = made.claim(
        *(
            "--quote",
            "the very words",
            "--url",
            "https://example.org/page",
            "--title",
            "a title",
            "--note",
            "an aside",
        )
    )
    made.run("correct", claim, "--set", "quote=the very words, misheard", "--reason", "an aside")
    made.run("place", "home", "--name", "Home", "--lat", "49.712345", "--lon", "37.654321")
    made.run("correct", "place:home", "--set", "lat=49.799999")
    return made


def published(small: Small, *more: str) -> tuple[str, list[dict[str, Any]]]:
    text = small.run("export", "--redacted", *more).out
    return text, [json.loads(line) for line in text.splitlines()]


def test_no_text_of_a_body_is_published(small: Small) -> None:
    text, _ = published(small)
    assert [name for name in NAMES if name in text] == []
    assert [name for name in NAMES if name in small.run("export").out] == list(NAMES)


def test_whoever_reads_it_can_hash_up_to_the_root_that_is_signed(small: Small) -> None:
    for more in ([], ["--round-coordinates"]):
        _, (head, *rows) = published(small, *more)
        assert [one["position"] for one in rows] == list(range(1, head["size"] + 1))
        for one in rows:
            assert one["leaf"] is None or leaf_hash(one["leaf"].encode()).hex() == one["leaf_hash"]
        assert root_of(bytes.fromhex(one["leaf_hash"]) for one in rows).hex() == head["root"]
        assert head["root"] == small.json("verify")["root"]


def test_nothing_is_left_out_where_nothing_is_rounded(small: Small) -> None:
    _, (head, *rows) = published(small)
    assert head == {**head, "schema": "export-redacted/1", "ledger": "small", "decimals": None}
    assert {one["leaf"] is None for one in rows} == {False}
    assert {one["data"] for one in rows} == {None}


def test_no_coordinate_is_published_closer_than_a_tenth_of_a_degree(small: Small) -> None:
    text, (head, *rows) = published(small, "--round-coordinates")
    assert head["decimals"] == 1
    for precise in ("49.71", "37.65", "49.79"):
        assert precise not in text
    places = [one for one in rows if one["leaf"] is None]
    assert [one["data"].get("lat", one["data"].get("changes", {}).get("lat")) for one in places] == [
        "49.7",
        "49.8",
    ]
    assert places[0]["data"]["lon"] == "37.7"


def test_it_cannot_be_restored_and_says_why(claims: CommandLine, small: Small, tmp_path: Path) -> None:
    text, _ = published(small)
    said = claims.run("restore", "-", db=tmp_path / "new.db", stdin=text, ok=6)
    assert "the export was redacted" in said.err
    assert not (tmp_path / "new.db").exists()


def test_a_published_table_has_no_column_of_texts(small: Small) -> None:
    text = small.run("export", "--redacted", "--format", "csv").out
    (row,) = csv.DictReader(io.StringIO(text))
    assert {"quote", "note", "title", "url", "claimant_name"}.isdisjoint(row)
    assert row["claimant"] == "ru-mod"
    assert [name for name in NAMES if name in text] == []


def test_rounding_without_redaction_is_refused(small: Small) -> None:
    assert "goes with --redacted" in small.refuses("export", "--round-coordinates", code=2)


def test_a_file_of_it_is_written_whole_and_never_over_another(small: Small, tmp_path: Path) -> None:
    small.run("export", "--redacted", tmp_path / "it.jsonl")
    whole = (tmp_path / "it.jsonl").read_text()
    assert whole == published(small)[0]
    small.refuses("export", "--redacted", tmp_path / "it.jsonl", code=1)
    assert (tmp_path / "it.jsonl").read_text() == whole


def test_an_encrypted_ledger_is_published_without_its_ciphers(claims: CommandLine, tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    claims.run("init", db, "--encrypt")
    claims.run("source", "s", "--name", "Hidden", db=db)
    lines = claims.run("export", "--redacted", db=db).out.splitlines()
    assert all(set(json.loads(line)).isdisjoint({"sealed", "key", "body", "salt"}) for line in lines[1:])


@settings(max_examples=40)
@given(st.decimals(min_value=-180, max_value=180, places=9).map(lambda one: f"{one:f}"), st.integers(0, 6))
def test_a_rounded_coordinate_is_as_near_as_can_be_and_no_longer(degree: str, decimals: int) -> None:
    before = {"lat": degree, "lon": None, "name": degree, "changes": {"lon": degree}}
    after = rounded(before, decimals)
    assert abs(float(after["lat"]) - float(degree)) <= 0.5 * 10**-decimals + 1e-9
    assert len(after["lat"].partition(".")[2]) == decimals
    assert after["changes"]["lon"] == after["lat"]
    assert (after["lon"], after["name"]) == (None, degree)
    assert before["lat"] == degree
