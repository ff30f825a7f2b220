"""``export`` and ``restore``: the same ledger, or none at all."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.book import Draft, Ledger
from ledger.integrity.tree import Frontier, leaf_hash
from ledger.store.sqlite.store import SqliteStore
from tests.conftest import CommandLine
from tests.ledger.small import Small

Lines = list[dict[str, Any]]


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    made = Small(claims, tmp_path)
    claim = made.claim("--quote", "words « — »", "--key", "k1", "--standing")
    made.run("correct", claim, "--set", "said=2025-11-21")
    made.run("link", "tass", "ru-mod")
    return made


def exported(small: Small) -> Lines:
    return [json.loads(line) for line in small.run("export").out.splitlines()]


def restored(claims: CommandLine, small: Small, lines: Lines, ok: int = 0) -> tuple[Path, str]:
    """Restore lines beside the ledger; the new file and what was said on stderr."""
    new = small.db.with_name("new.db")
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return new, claims.run("restore", "-", db=new, ok=ok, stdin=text).err


def resealed(lines: Lines) -> Lines:
    """The header made to fit: a forger can do this much."""
    leaves = [leaf_hash(line["leaf"].encode()) for line in lines[1:]]
    root = Frontier.empty().extend(leaves).root().hex()
    return [{**lines[0], "size": len(leaves), "root": root}, *lines[1:]]


def test_a_restored_ledger_has_the_same_bytes_positions_bodies_and_root(
    claims: CommandLine, small: Small
) -> None:
    new, _ = restored(claims, small, exported(small))
    one, other = SqliteStore.open(small.db), SqliteStore.open(new)
    assert list(one.rows()) == list(other.rows())
    assert list(one.bodies()) == list(other.bodies())
    assert list(one.registry_rows()) == list(other.registry_rows())
    assert one.head() == other.head()
    tables = ("ledger_key", "ledger_mark", "ledger_registry")
    for table in tables:
        assert one._ask(f"SELECT * FROM {table}") == other._ask(f"SELECT * FROM {table}")
    one.close()
    other.close()
    assert claims.run("export", db=new).out == small.run("export").out


def test_a_restored_ledger_goes_on_where_the_other_ended(claims: CommandLine, small: Small) -> None:
    new, _ = restored(claims, small, exported(small))
    again = ("append", "Kupyansk", "RU", "--by", "ru-mod", "--said", "2025-11-20", "--standing")
    said = claims.run(*again, "--quote", "words « — »", "--key", "k1", db=new)
    assert said.out.startswith("already recorded")
    claims.run("append", "Kupyansk", "UA", "--by", "ru-mod", "--key", "k1", db=new, ok=1)


def test_export_to_a_file_and_back(claims: CommandLine, small: Small) -> None:
    backup, new = small.db.with_name("backup.jsonl"), small.db.with_name("new.db")
    said = small.run("export", backup)
    root = json.loads(backup.read_text().splitlines()[0])["root"]
    assert root in said.err
    claims.run("restore", backup, "--root", root.upper(), db=new)
    assert "already exists" in small.run("export", backup, ok=1).err
    assert {one.name for one in small.db.parent.iterdir()} == {
        *("small.db", "small.db.checkpoints", "backup.jsonl", "new.db", "new.db.checkpoints")
    }


def test_restore_never_overwrites(claims: CommandLine, small: Small) -> None:
    before = small.db.read_bytes()
    claims.run("restore", "-", db=small.db, ok=1)
    assert small.db.read_bytes() == before


def test_restore_needs_a_target_and_a_source(claims: CommandLine, tmp_path: Path) -> None:
    claims.run("restore", "-", ok=2)
    claims.run("restore", tmp_path / "none.jsonl", db=tmp_path / "new.db", ok=1)
    assert list(tmp_path.iterdir()) == []


def test_another_root_than_the_one_kept_elsewhere_is_refused(claims: CommandLine, small: Small) -> None:
    backup, new = small.db.with_name("backup.jsonl"), small.db.with_name("new.db")
    small.run("export", backup)
    assert "the root is" in claims.run("restore", backup, "--root", "00" * 32, db=new, ok=6).err
    assert not new.exists()


def _leaf(lines: Lines, position: int, change: Callable[[dict[str, Any]], None]) -> Lines:
    """The lines with one leaf changed and the header made to fit."""
    leaf = json.loads(lines[position]["leaf"])
    change(leaf)
    text = json.dumps(leaf, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    named = {"stream": leaf.get("stream"), "version": leaf.get("version"), "topic": leaf.get("type")}
    return resealed([*lines[:position], {**lines[position], **named, "leaf": text}, *lines[position + 1 :]])


def _edit(at: int, /, **fields: Any) -> Callable[[Lines], Lines]:
    return lambda lines: [{**line, **fields} if number == at else line for number, line in enumerate(lines)]


def _other_body(lines: Lines) -> Lines:
    return _edit(9, body=json.dumps({"quote": "other words"}))(lines)


def _unknown_body_field(lines: Lines) -> Lines:
    salt, body = bytes(32), '{"run":"this"}'
    digest = hashlib.sha256(b"claim-ledger/body/v1\n" + salt + body.encode()).hexdigest()
    lines = _edit(9, body=body, salt=base64.b64encode(salt).decode())(lines)
    return _leaf(lines, 9, lambda leaf: leaf.update(body=digest))


LIES: dict[str, Callable[[Lines], Lines]] = {
    "an empty file": lambda lines: [],
    "no header": lambda lines: lines[1:],
    "a header of another schema": _edit(0, schema="export/2"),
    "a header without a root": _edit(0, root=None),
    "another root": _edit(0, root="00" * 32),
    "another ledger": _edit(0, ledger="other"),
    "the tail cut off": lambda lines: lines[:-1],
    "the tail cut off and the header made to fit less": lambda lines: resealed([lines[0], *lines[2:]]),
    "an event more": lambda lines: [*lines, {**lines[-1], "position": len(lines)}],
    "two events swapped": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "an event left out": lambda lines: [*lines[:3], *lines[4:]],
    "a position that is text": _edit(3, position="3"),
    "a changed leaf": _edit(3, leaf='{"stream":"x"}'),
    "a leaf that is no JSON": lambda lines: resealed(_edit(3, leaf="{")(lines)),
    "a leaf with a blank in it": lambda lines: resealed(
        _edit(3, leaf=lines[3]["leaf"].replace(":", ": ", 1))(lines)
    ),
    "a leaf with a key twice": lambda lines: resealed(
        _edit(3, leaf=lines[3]["leaf"].replace("{", '{"actor":"a","actor":"b",', 1))(lines)
    ),
    "columns that contradict the leaf": _edit(3, stream="party:XX"),
    "a version that is skipped": lambda lines: _leaf(lines, 10, lambda leaf: leaf.update(version=7)),
    "an event of no type of ours": lambda lines: _leaf(
        lines, 9, lambda leaf: leaf.update(type="os:system/1")
    ),
    "fields that make no event": lambda lines: _leaf(lines, 9, lambda leaf: leaf["data"].pop("place")),
    "fields that are no object": lambda lines: _leaf(lines, 9, lambda leaf: leaf.update(data=5)),
    "a float": lambda lines: _leaf(lines, 9, lambda leaf: leaf["data"].update(share=0.5)),
    "a clock that is none": lambda lines: _leaf(lines, 9, lambda leaf: leaf.update(recorded="zzz")),
    "a clock that goes back": lambda lines: _leaf(
        lines, 9, lambda leaf: leaf.update(recorded="2001-01-01T00:00:00.000000Z")
    ),
    "the same key twice": lambda lines: _leaf(lines, 11, lambda leaf: leaf["data"].update(key="k1")),
    "a body missing without a redaction": _edit(9, body=None, salt=None),
    "a body without its salt": _edit(9, salt=None),
    "a salt that is no base64": _edit(9, salt="***"),
    "another body": _other_body,
    "a body that no leaf knows of": lambda lines: _edit(2, body="{}", salt=lines[9]["salt"])(lines),
    "a body with unknown fields": _unknown_body_field,
}


@pytest.mark.parametrize("lie", LIES)
def test_an_export_that_lies_is_refused_and_leaves_no_file(
    claims: CommandLine, small: Small, lie: str
) -> None:
    _, said = restored(claims, small, LIES[lie](exported(small)), ok=6)
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1
    assert {one.name for one in small.db.parent.iterdir()} == {"small.db", "small.db.checkpoints"}


@pytest.mark.parametrize("noise", [b"\xff\xfe\x00", b"\x1f\x8b\x08", b"[" * 5000, b"null\n", b'"\\ud800"\n'])
def test_a_file_that_is_no_export_is_refused(claims: CommandLine, tmp_path: Path, noise: bytes) -> None:
    (tmp_path / "noise").write_bytes(noise)
    claims.run("restore", tmp_path / "noise", db=tmp_path / "new.db", ok=6)
    assert [one.name for one in tmp_path.iterdir()] == ["noise"]


def _redacted(small: Small) -> Lines:
    """An export of the ledger after the claim's body was erased on purpose."""
    with Ledger.open(small.db) as ledger:
        target = ledger.event(9)
        assert target is not None
        ledger.append([Draft.of("entry-redacted", {"target": target.entry, "ground": "a person at risk"})])
    return exported(small)


def test_a_body_that_was_erased_on_purpose_may_be_missing(claims: CommandLine, small: Small) -> None:
    lines = _edit(9, body=None, salt=None)(_redacted(small))
    new, _ = restored(claims, small, lines)
    assert claims("show", "#9", db=new)["erased"] is True


def test_a_body_that_was_erased_does_not_come_back(claims: CommandLine, small: Small) -> None:
    lines = _redacted(small)
    assert lines[9]["body"] is not None
    _, said = restored(claims, small, lines, ok=6)
    assert "erased" in said


def test_the_table_of_claims_is_safe_for_spreadsheets_and_shows_corrections(small: Small) -> None:
    claim = small.claim("--note", "=1+1", "--title", "@x", "--via", "tass")
    small.run("retract", claim, "--by", "ru-mod")
    rows = list(csv.DictReader(io.StringIO(small.run("export", "--format", "csv").out)))
    assert [(row["said"], row["corrected"], row["retracted"]) for row in rows] == [
        ("2025-11-21", "yes", "no"),
        ("2025-11-20", "no", "yes"),
    ]
    assert rows[1]["note"] == "'=1+1"
    assert rows[1]["title"] == "'@x"
    assert rows[1]["claimant_name"] == "Ministry"


def test_an_unknown_format_and_an_unwritable_file_are_refused(small: Small) -> None:
    small.run("export", "--format", "xml", ok=2)
    small.run("export", small.db.parent / "none" / "x.jsonl", ok=1)
