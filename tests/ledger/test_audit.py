"""Every way to change a record behind its back ends ``claims verify`` with 6, and is named; nothing else does."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger import codec
from ledger.book import Ledger
from ledger.errors import NoLedger, Unverified
from ledger.integrity import audit, block
from ledger.integrity.audit import Check, Faults, record
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.proof import Tree
from ledger.integrity.receipt import Receipt
from ledger.integrity.tree import Frontier, leaf_hash
from ledger.integrity.verifying import verify
from tests.conftest import CommandLine
from tests.copies import copy_ledger
from tests.ledger.signed import (
    CLAIMS,
    CORRECTED,
    ERASED,
    FIRST,
    begun,
    behind_its_back,
    claim,
    journal_of,
    notary_of,
    plain,
    signed,
)

REPOSITORY = Path(audit.__file__).parents[2]
SIZE = FIRST - 1 + CLAIMS + 2
SOME = FIRST + 5  # a claim like any other


def checked(path: Path, **how: bool) -> list[Check]:
    """What is found row by row, which must be what is found where a glance may do."""
    checks = found(path, **how)
    assert found(path, fast=True, **how) == checks
    return checks


def found(path: Path, *, fast: bool = False, **how: bool) -> list[Check]:
    with Ledger.open(path, readonly=True) as ledger, pytest.MonkeyPatch.context() as patch:
        if fast:
            patch.setattr(audit, "_GLANCED", 1)
        return verify(ledger, path, **how)


def failed(path: Path, **how: bool) -> dict[str, str]:
    return {one.name: one.detail for one in checked(path, **how) if one.ok is False}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return signed(tmp_path)


# -- as it is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("deep", [False, True])
def test_a_record_that_nobody_touched_holds(tmp_path: Path, encrypted: bool, deep: bool) -> None:
    path = signed(tmp_path, encrypted=encrypted)
    assert failed(path, deep=deep) == {}
    details = {one.name: one.detail for one in checked(path)}
    assert details["events"].startswith(f"{SIZE:,}, each")
    assert "1 erased on purpose" in details["bodies"]
    assert ("are encrypted" in details["bodies"]) is encrypted


def test_a_record_without_events_but_its_opening_holds(tmp_path: Path) -> None:
    Ledger.create(tmp_path / "a.db", ledger="x").close()
    assert failed(tmp_path / "a.db") == {}


def test_a_change_of_the_file_that_changes_nothing_recorded_is_none(path: Path) -> None:
    with closing(plain(path)) as raw:
        raw.execute("VACUUM")
        raw.execute("PRAGMA page_size = 8192")
        raw.execute("VACUUM")
        raw.execute("ANALYZE")
        raw.execute("DROP TABLE IF EXISTS sqlite_stat1")
    assert failed(path) == {}


# -- tampering ----------------------------------------------------------------------------------------------------

Tamper = Callable[[sqlite3.Connection], object]


def sql(*statements: str) -> Tamper:
    return lambda raw: [raw.execute(one) for one in statements]


def leaf(position: int, change: Callable[[dict[str, object]], object], *, hashed: bool = False) -> Tamper:
    """Another leaf, in its canonical form; with its hash beside it where ``hashed``."""

    def do(raw: sqlite3.Connection) -> None:
        found = raw.execute("SELECT state FROM stored_events WHERE rowid = ?", (position,)).fetchone()
        values = orjson.loads(found[0])
        change(values)
        state = codec.canonical(values)
        raw.execute("UPDATE stored_events SET state = ? WHERE rowid = ?", (state, position))
        if hashed:
            raw.execute(
                "UPDATE stored_events SET leaf_hash = ? WHERE rowid = ?", (leaf_hash(state), position)
            )

    return do


def _whole_tree_anew(raw: sqlite3.Connection) -> None:
    """What a forger without the key can do at most: another event, and all hashes made to fit."""
    leaf(SOME, lambda values: values["data"].update(state="UA"), hashed=True)(raw)  # type: ignore[attr-defined]
    hashes = [one for (one,) in raw.execute("SELECT leaf_hash FROM stored_events ORDER BY rowid")]
    raw.execute("UPDATE ledger_head SET frontier = ?", (Frontier.empty().extend(hashes).to_bytes(),))
    for height in (4, 8):
        for number in range(len(hashes) >> height):
            node = Frontier.empty().extend(hashes[number << height : number + 1 << height]).root()
            raw.execute(
                "UPDATE ledger_node SET hash = ? WHERE height = ? AND number = ?", (node, height, number)
            )


def _one_event_more(raw: sqlite3.Connection) -> None:
    state = raw.execute("SELECT state FROM stored_events WHERE rowid = ?", (SOME,)).fetchone()[0]
    raw.execute(
        "INSERT INTO stored_events (originator_id, originator_version, topic, state, leaf_hash) "
        "VALUES ('c-x', 1, 'claim-reported/1', ?, ?)",
        (state, leaf_hash(state)),
    )


def _swapped_bodies(raw: sqlite3.Connection) -> None:
    one, other = (
        raw.execute("SELECT salt, body FROM ledger_body WHERE position = ?", (at,)).fetchone()
        for at in (SOME, SOME + 1)
    )
    for at, values in ((SOME, other), (SOME + 1, one)):
        raw.execute("UPDATE ledger_body SET salt = ?, body = ? WHERE position = ?", (*values, at))


def _swapped_events(raw: sqlite3.Connection) -> None:
    for before, after in ((SOME, 9_001), (SOME + 1, SOME), (9_001, SOME + 1)):
        raw.execute("UPDATE stored_events SET rowid = ? WHERE rowid = ?", (after, before))


def _erases(version: str) -> Tamper:
    """The redaction names the corrected claim instead, in some version."""

    def do(raw: sqlite3.Connection) -> None:
        query = "SELECT originator_id FROM stored_events WHERE rowid = ?"
        stream = raw.execute(query, (CORRECTED,)).fetchone()[0]
        leaf(SIZE - 1, lambda one: one["data"].update(target=stream + version), hashed=True)(raw)  # type: ignore[attr-defined]

    return do


_AT, _NEXT = f"WHERE rowid = {SOME}", f"WHERE position = {SOME}"
#: What somebody does → the check that fails, and a word that it says.
TAMPERS: dict[str, tuple[Tamper, str, str]] = {
    "another event": (leaf(SOME, lambda one: one.update(recorded="2020")), "events", f"#{SOME}"),
    "another event and its hash": (
        leaf(SOME, lambda one: one.update(actor="x"), hashed=True),
        "tree",
        "height 4",
    ),
    "another event and every hash above it": (_whole_tree_anew, "roots", "signed"),
    "a last event with every hash": (
        leaf(SIZE, lambda one: one.update(actor="x"), hashed=True),
        "tree",
        "the head says",
    ),
    "an event of no bytes": (sql(f"UPDATE stored_events SET state = x'' {_AT}"), "events", f"#{SOME}"),
    "an event of noise": (sql(f"UPDATE stored_events SET state = x'ff00' {_AT}"), "events", f"#{SOME}"),
    "a bit of an event": (
        sql(f"UPDATE stored_events SET state = CAST(replace(state, 'RU', 'SU') AS BLOB) {_AT}"),
        "events",
        f"#{SOME}",
    ),
    "a blank behind an event": (
        sql(f"UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) {_AT}"),
        "events",
        f"#{SOME}",
    ),
    "a hash": (
        sql(f"UPDATE stored_events SET leaf_hash = zeroblob(32) {_AT}"),
        "events",
        "the hash beside them",
    ),
    "a short hash": (sql(f"UPDATE stored_events SET leaf_hash = x'00' {_AT}"), "events", f"#{SOME}"),
    "the hash of a neighbour": (
        sql(f"UPDATE stored_events SET leaf_hash = (SELECT leaf_hash FROM stored_events LIMIT 1) {_AT}"),
        "events",
        f"#{SOME}",
    ),
    "a stream": (
        sql(f"UPDATE stored_events SET originator_id = 'c-x' {_AT}"),
        "events",
        "its columns contradict",
    ),
    "a type": (
        sql(f"UPDATE stored_events SET topic = 'entry-redacted/1' {_AT}"),
        "events",
        "its columns contradict",
    ),
    "a type that names a module": (
        sql(f"UPDATE stored_events SET topic = 'os:system' {_AT}"),
        "events",
        f"#{SOME}",
    ),
    "a version": (sql(f"UPDATE stored_events SET originator_version = 2 {_AT}"), "events", f"#{SOME}"),
    "a version below one": (
        sql(f"UPDATE stored_events SET originator_version = -1 {_AT}"),
        "events",
        f"#{SOME}",
    ),
    "two events exchanged": (_swapped_events, "tree", "height 4"),
    "an event gone": (sql(f"DELETE FROM stored_events {_AT}"), "events", f"missing: #{SOME}"),
    "the first event gone": (sql("DELETE FROM stored_events WHERE rowid = 1"), "events", "missing: #1"),
    "the last event gone": (sql(f"DELETE FROM stored_events WHERE rowid = {SIZE}"), "events", f"#{SIZE}"),
    "every event gone": (sql("DELETE FROM stored_events"), "events", f"{SIZE} events are missing"),
    "an event at another position": (
        sql(f"UPDATE stored_events SET rowid = 9000 {_AT}"),
        "events",
        f"missing: #{SOME}",
    ),
    "an event at no position": (
        sql(f"UPDATE stored_events SET rowid = -5 {_AT}"),
        "events",
        f"missing: #{SOME}",
    ),
    "an event more, behind the head": (_one_event_more, "tree", f"behind #{SIZE}"),
    "an event more, far behind the head": (
        sql(
            "INSERT INTO stored_events SELECT 9000, 'c-x', 1, topic, state, leaf_hash FROM stored_events LIMIT 1"
        ),
        "tree",
        f"behind #{SIZE}",
    ),
    "an event more, before the first": (
        sql(
            "INSERT INTO stored_events SELECT 0, 'c-x', 1, topic, state, leaf_hash FROM stored_events LIMIT 1"
        ),
        "store",
        "#0",
    ),
    "another frontier": (
        sql("UPDATE ledger_head SET frontier = zeroblob(length(frontier))"),
        "tree",
        "the head says",
    ),
    "a frontier cut short": (sql("UPDATE ledger_head SET frontier = x''"), "head", "frontier"),
    "a head one less": (sql(f"UPDATE ledger_head SET size = {SIZE - 1}"), "head", "frontier"),
    "a head below nought": (sql("UPDATE ledger_head SET size = -1"), "head", "cannot have -1"),
    "a head of nothing": (
        sql("UPDATE ledger_head SET size = 0, frontier = x''"),
        "roots",
        "the ledger ends at #0",
    ),
    "no head": (sql("DELETE FROM ledger_head"), "head", "missing or damaged"),
    "a clock of the head": (
        sql("UPDATE ledger_head SET recorded = '2999-01-01T00:00:00.000000Z'"),
        "tree",
        "the head says 2999",
    ),
    "another node": (
        sql("UPDATE ledger_node SET hash = zeroblob(32) WHERE height = 4 AND number = 3"),
        "tree",
        "height 4",
    ),
    "another upper node": (
        sql("UPDATE ledger_node SET hash = zeroblob(32) WHERE height = 8"),
        "tree",
        "height 8",
    ),
    "a node gone": (sql("DELETE FROM ledger_node WHERE height = 4 AND number = 3"), "tree", "height 4"),
    "the last node gone": (
        sql(f"DELETE FROM ledger_node WHERE height = 4 AND number = {(SIZE >> 4) - 1}"),
        "tree",
        "height 4",
    ),
    "the only upper node gone": (sql("DELETE FROM ledger_node WHERE height = 8"), "tree", "height 8"),
    "every node gone": (sql("DELETE FROM ledger_node"), "tree", "height 4"),
    "a node more": (
        sql(f"INSERT INTO ledger_node VALUES (4, {SIZE >> 4}, zeroblob(32))"),
        "tree",
        "that no events make",
    ),
    "an upper node more": (sql("INSERT INTO ledger_node VALUES (8, 1, zeroblob(32))"), "tree", "height 8"),
    "a node far above": (sql("INSERT INTO ledger_node VALUES (16, 0, zeroblob(32))"), "tree", "height 16"),
    "a node at no height": (
        sql("INSERT INTO ledger_node VALUES (20, 0, zeroblob(32))"),
        "store",
        "nodes of the tree are kept",
    ),
    "a node very far above": (
        sql("INSERT INTO ledger_node VALUES (400, 0, zeroblob(32))"),
        "store",
        "nodes of the tree are kept",
    ),
    "a node before the first": (
        sql("INSERT INTO ledger_node VALUES (4, -1, zeroblob(32))"),
        "store",
        "nodes of the tree are kept",
    ),
    "a node between the heights": (
        sql("INSERT INTO ledger_node VALUES (5, 0, zeroblob(32))"),
        "store",
        "nodes of the tree are kept",
    ),
    "another text": (
        sql(f"""UPDATE ledger_body SET body = CAST('{{"quote":"other"}}' AS BLOB) {_NEXT}"""),
        "bodies",
        f"#{SOME}",
    ),
    "another salt": (sql(f"UPDATE ledger_body SET salt = zeroblob(32) {_NEXT}"), "bodies", f"#{SOME}"),
    "a text gone": (sql(f"DELETE FROM ledger_body {_NEXT}"), "bodies", "nothing says that it was erased"),
    "every text gone": (sql("DELETE FROM ledger_body"), "bodies", "more"),
    "the texts of two events exchanged": (_swapped_bodies, "bodies", f"#{SOME}"),
    "a text for an event without one": (
        sql("INSERT INTO ledger_body VALUES (1, zeroblob(32), x'7b7d')"),
        "bodies",
        "does not know of",
    ),
    "a text for no event": (
        sql("INSERT INTO ledger_body VALUES (9000, zeroblob(32), x'7b7d')"),
        "bodies",
        "no event knows of",
    ),
    "a text before the first event": (
        sql("INSERT INTO ledger_body VALUES (-3, zeroblob(32), x'7b7d')"),
        "store",
        "ledger_body has a row at #-3",
    ),
    "a text that was erased, back with another salt": (
        sql(f"INSERT INTO ledger_body VALUES ({ERASED}, zeroblob(32), x'7b7d')"),
        "bodies",
        f"#{ERASED}",
    ),
    "a cipher beside a text": (
        sql(f"INSERT INTO ledger_cipher VALUES ({SOME}, 'k', x'00')"),
        "bodies",
        f"#{SOME}",
    ),
    "a ledger that says that its texts are encrypted": (
        sql("INSERT INTO ledger_setting VALUES ('bodies', 'encrypted')"),
        "bodies",
        "are in clear",
    ),
    "a cipher for an event without a text": (
        sql("INSERT INTO ledger_cipher VALUES (1, 'k', x'00')"),
        "bodies",
        "does not know of",
    ),
    "a cipher for no event": (
        sql("INSERT INTO ledger_cipher VALUES (9000, 'k', x'00')"),
        "bodies",
        "no event knows of",
    ),
    "a key that leads elsewhere": (
        sql(f"UPDATE ledger_key SET position = 1 {_NEXT}"),
        "beside",
        "keys",
    ),
    "a key gone": (sql(f"DELETE FROM ledger_key {_NEXT}"), "beside", "keys"),
    "a key more": (sql("INSERT INTO ledger_key VALUES ('more', 3)"), "beside", "keys are looked up"),
    "a key that leads behind the head": (
        sql("INSERT INTO ledger_key VALUES ('more', 9000)"),
        "beside",
        "keys that lead behind",
    ),
    "a key written otherwise": (
        sql(f"UPDATE ledger_key SET key = key || ' ' {_NEXT}"),
        "beside",
        "keys",
    ),
    "two keys exchanged": (
        sql(
            f"UPDATE ledger_key SET position = 9000 {_NEXT}",
            f"UPDATE ledger_key SET position = {SOME} WHERE position = {SOME + 1}",
            f"UPDATE ledger_key SET position = {SOME + 1} WHERE position = 9000",
        ),
        "beside",
        "keys",
    ),
    "a place struck from the registry": (
        sql("DELETE FROM ledger_registry WHERE position = 4"),
        "beside",
        "registered",
    ),
    "a claim in the registry": (sql(f"INSERT INTO ledger_registry VALUES ({SOME})"), "beside", "registered"),
    "nothing in the registry": (sql("DELETE FROM ledger_registry"), "beside", "registered"),
    "no event in the registry": (sql("INSERT INTO ledger_registry VALUES (9000)"), "beside", "registering"),
    "something before the first event in the registry": (
        sql("INSERT INTO ledger_registry VALUES (-3)"),
        "store",
        "ledger_registry has a row at #-3",
    ),
    "a mark gone": (
        sql("DELETE FROM ledger_mark WHERE position = (SELECT max(position) FROM ledger_mark)"),
        "store",
        "marks",
    ),
    "every mark gone": (sql("DELETE FROM ledger_mark"), "store", "marks"),
    "another mark": (
        sql(
            "UPDATE ledger_mark SET mark = mark + 1 WHERE position = (SELECT max(position) FROM ledger_mark)"
        ),
        "store",
        "marks",
    ),
    "a mark that leads elsewhere": (
        sql("UPDATE ledger_mark SET position = 1 WHERE position = (SELECT max(position) FROM ledger_mark)"),
        "store",
        "marks",
    ),
    "a mark more": (sql("INSERT INTO ledger_mark VALUES (5, 5)"), "store", "marks"),
    "a mark of nought more": (sql("INSERT INTO ledger_mark VALUES (0, 0)"), "store", "marks"),
    "a mark that leads behind the head": (
        sql("INSERT INTO ledger_mark VALUES (5, 9000)"),
        "beside",
        "a mark leads to #9000",
    ),
    "the sums of the marks": (
        sql("UPDATE ledger_setting SET value = '0 0 0 0' WHERE name = 'marks'"),
        "store",
        "marks",
    ),
    "no sums of the marks": (sql("DELETE FROM ledger_setting WHERE name = 'marks'"), "store", "marks"),
    "noise for the sums of the marks": (
        sql("UPDATE ledger_setting SET value = 'noise' WHERE name = 'marks'"),
        "store",
        "marks",
    ),
    "the counter of positions": (sql("UPDATE sqlite_sequence SET seq = 9000"), "store", "counter"),
    "the counter of positions set back": (sql("UPDATE sqlite_sequence SET seq = 3"), "store", "counter"),
    "no counter of positions": (sql("DELETE FROM sqlite_sequence"), "store", "counter"),
    "the key that signs": (
        sql("UPDATE ledger_setting SET value = 'x' WHERE name = 'signed'"),
        "checkpoints",
        "damaged",
    ),
    "no keys that ever signed": (
        sql("DELETE FROM ledger_setting WHERE name = 'origins'"),
        "checkpoints",
        "not by any known key",
    ),
    "a ledger that says it is sealed": (
        sql("INSERT INTO ledger_setting VALUES ('sealed', '3')"),
        "sealed",
        "closed at #3",
    ),
    "a redaction of a claim in no version": (
        _erases("@y"),
        "bodies",
        f"#{ERASED}",
    ),
    "a redaction of a claim in a version of other digits": (
        _erases("@²"),
        "bodies",
        f"#{ERASED}",
    ),
    "a redaction of a claim that is not erased": (
        _erases(""),
        "bodies",
        f"#{CORRECTED}: its body was erased by #{SIZE - 1}, yet here it is",
    ),
    "a redaction that erases another": (
        leaf(SIZE - 1, lambda one: one["data"].update(target="c-x"), hashed=True),  # type: ignore[attr-defined]
        "bodies",
        f"#{ERASED}",
    ),
    "a redaction of nothing": (
        leaf(SIZE - 1, lambda one: one.update(data=5), hashed=True),
        "events",
        "erases nothing",
    ),
    "a redaction that is a list": (
        sql(f"UPDATE stored_events SET state = x'5b5d' WHERE rowid = {SIZE - 1}"),
        "events",
        "erases nothing",
    ),
}


@pytest.mark.parametrize("tamper", TAMPERS)
def test_verify_finds_and_names(path: Path, tamper: str) -> None:
    change, check, words = TAMPERS[tamper]
    with behind_its_back(path) as raw:
        change(raw)
        assert raw.total_changes, "nothing was changed"
    found = failed(path)
    assert check in found, found
    assert words in found[check]


@pytest.mark.parametrize(
    "tamper", ["another event", "an event gone", "no head", "a mark more", "a text gone"]
)
def test_the_command_ends_with_6_and_says_which_check_failed(
    claims: CommandLine, path: Path, tamper: str
) -> None:
    change, check, words = TAMPERS[tamper]
    with behind_its_back(path) as raw:
        change(raw)
    said = claims.run("verify", db=path, ok=6)
    assert check in said.err and words in said.out + said.err
    assert len(said.err.splitlines()) == 1
    if said.out:  # without a head there is nothing to tell but that
        answer = claims("verify", db=path, ok=6)
        assert answer["verified"] is False
        assert check in [one["check"] for one in answer["checks"] if one["ok"] is False]


ENCRYPTED: dict[str, tuple[Tamper, str]] = {
    "another nonce": (sql(f"UPDATE ledger_cipher SET sealed = zeroblob(99) {_NEXT}"), "does not open it"),
    "a seal of nothing": (sql(f"UPDATE ledger_cipher SET sealed = x'' {_NEXT}"), "does not open it"),
    "a cipher gone": (sql(f"DELETE FROM ledger_cipher {_NEXT}"), "nothing says that it was erased"),
    "a ledger that says that nothing is encrypted": (
        sql("DELETE FROM ledger_setting WHERE name = 'bodies'"),
        "the ledger says that none is",
    ),
    "the cipher of a neighbour": (
        sql(
            f"UPDATE ledger_cipher SET sealed = (SELECT sealed FROM ledger_cipher WHERE position = {SOME + 1}) {_NEXT}"
        ),
        "not the one it commits to",
    ),
    "a text in clear beside it": (
        sql(f"INSERT INTO ledger_body VALUES ({SOME}, zeroblob(32), x'7b7d')"),
        "it has two bodies",
    ),
}


@pytest.mark.parametrize("tamper", ENCRYPTED)
def test_verify_finds_among_encrypted_texts(tmp_path: Path, tamper: str) -> None:
    path = signed(tmp_path, encrypted=True)
    change, words = ENCRYPTED[tamper]
    with behind_its_back(path) as raw:
        change(raw)
    assert words in failed(path)["bodies"]


def test_a_text_whose_key_is_not_here_is_told_and_no_fault(tmp_path: Path) -> None:
    path = signed(tmp_path, encrypted=True)
    with behind_its_back(path) as raw:
        raw.execute(f"UPDATE ledger_cipher SET key = '../../etc/passwd' {_NEXT}")
    assert failed(path) == {}
    assert "1 of them not compared" in next(one.detail for one in checked(path) if one.name == "bodies")


def test_marks_that_were_exchanged_so_that_the_sums_come_out_are_found_by_a_deep_look(path: Path) -> None:
    with behind_its_back(path) as raw:
        first, last = (
            raw.execute(
                f"SELECT position, mark FROM ledger_mark ORDER BY position {order}, mark LIMIT 1"
            ).fetchone()
            for order in ("ASC", "DESC")
        )
        # Two marks that the events do not make, and none of the four sums tells.
        raw.execute("UPDATE ledger_mark SET mark = mark + 1 WHERE position = ? AND mark = ?", first)
        raw.execute("UPDATE ledger_mark SET mark = mark - 1 WHERE position = ? AND mark = ?", last)
        assert first[0] != last[0]
    assert failed(path) == {}
    assert "marks" in failed(path, deep=True)["beside"]


@pytest.mark.parametrize("state", [b"", b"\xff", b"5", b"[]", b"{}", b'{"data":[]}', b"[" * 5_000])
def test_a_deep_look_at_noise_says_so_and_goes_on(path: Path, state: bytes) -> None:
    with behind_its_back(path) as raw:
        raw.execute(f"UPDATE stored_events SET state = ? {_AT}", (state,))
    assert f"#{SOME}: the stored bytes are no event" in failed(path, deep=True)["events"]


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("CREATE TRIGGER t AFTER INSERT ON stored_events BEGIN SELECT 1; END", "trigger t"),
        ("CREATE TRIGGER t AFTER INSERT ON ledger_mark BEGIN SELECT 1; END", "trigger t"),
        ("CREATE INDEX i ON stored_events (topic)", "index i"),
        ("DROP TRIGGER stored_events_no_update", "stored_events_no_update is missing"),
        ("DROP TABLE ledger_node", "ledger_node is missing"),
        ("DROP TABLE ledger_node; CREATE VIEW ledger_node AS SELECT 4 AS height", "ledger_node is altered"),
        (
            "DROP TABLE ledger_cipher; CREATE TABLE ledger_cipher (position, key, sealed)",
            "ledger_cipher is altered",
        ),
        ("ALTER TABLE ledger_body ADD COLUMN x TEXT", "ledger_body is altered"),
        ("ALTER TABLE ledger_setting RENAME TO ledger_sets", "ledger_setting is missing"),
        (
            "CREATE VIEW v AS SELECT 1 AS x; CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN SELECT 1; END",
            "view v",
        ),
    ],
)
def test_a_schema_that_is_not_the_one_made_here_is_refused_at_the_door(
    claims: CommandLine, path: Path, made: str, words: str
) -> None:
    with closing(plain(path)) as raw:
        raw.executescript(made)
    for command in (("verify",), ("log",), ("party", "XX")):
        said = claims.run(*command, db=path, ok=6)
        assert words in said.err
        assert len(said.err.splitlines()) == 1


def test_a_correction_of_the_ledger_s_own_title_is_no_damage(claims: CommandLine, path: Path) -> None:
    claims.run("correct", "ledger", "--set", "title=Another", db=path)
    assert failed(path) == {}


def test_a_table_of_the_owner_s_own_is_nobody_s_business(path: Path) -> None:
    with closing(plain(path)) as raw:
        raw.executescript("CREATE TABLE notes (x)")
    assert failed(path) == {}


def test_nothing_that_a_row_names_is_imported(tmp_path: Path, path: Path) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with behind_its_back(path) as raw:
        raw.execute(f"UPDATE stored_events SET topic = 'evil:x' {_AT}")
        leaf(SOME + 1, lambda one: one.update(type="evil:x"), hashed=True)(raw)
    sys.path.insert(0, str(tmp_path))
    try:
        assert failed(path, deep=True)
    finally:
        sys.path.remove(str(tmp_path))
    assert not (tmp_path / "ran").exists()


@settings(max_examples=15)
@given(st.integers(1, SIZE), st.binary(max_size=60), st.sampled_from(["state", "topic", "originator_id"]))
def test_whatever_stands_in_a_row_verify_answers(
    tmp_path_factory: pytest.TempPathFactory, position: int, noise: bytes, column: str
) -> None:
    """Noise in any column of any event: it fails, and never with anything but an answer."""
    path = signed(tmp_path_factory.mktemp("noise"))
    value = noise if column == "state" else noise.decode("latin-1")
    with behind_its_back(path) as raw:
        raw.execute(f"UPDATE stored_events SET {column} = ? WHERE rowid = ?", (value, position))
    for deep in (False, True):
        assert "events" in failed(path, deep=deep)


def test_a_text_column_that_is_no_utf_8_is_an_answer_too(path: Path) -> None:
    with behind_its_back(path) as raw:
        raw.execute(f"UPDATE stored_events SET topic = CAST(x'ff' AS TEXT) {_AT}")
    assert "damaged" in failed(path)["events"]


@pytest.mark.parametrize("seed", range(12))
def test_a_turned_bit_anywhere_in_the_file_is_found_or_changes_nothing(path: Path, seed: int) -> None:
    before = _content(path)
    data = bytearray(path.read_bytes())
    chance = Random(seed)
    data[chance.randrange(100, len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)
    try:
        found = bool(failed(path))
    except (NoLedger, Unverified):  # refused at the door
        found = True
    assert found or _content(path) == before


def _content(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(plain(path)) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {name: sorted(raw.execute(f"SELECT * FROM {name}"), key=repr) for name in tables}


# -- beside others ------------------------------------------------------------------------------------------------

_WRITER = """
import sys
from pathlib import Path
from ledger.book import Ledger
from tests.ledger.signed import claim
path, number = Path(sys.argv[1]), 0
print("begun", flush=True)
while not path.with_name('stop').exists():
    with Ledger.open(path) as ledger:
        ledger.append([claim(f"w-{number}-{n}") for n in range(number % 4 + 1)])
    number += 1
"""


def test_beside_a_writer_that_never_stops_nothing_false_is_told(path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(path)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert writer.stdout is not None
        writer.stdout.readline()
        seen: list[str] = []
        for number in range(3_000):  # as long as it takes the writer to come in between
            if number > 12 and len(set(seen)) > 3:
                break
            checks = found(path, deep=number % 5 == 0, fast=number % 2 == 0)
            assert [one for one in checks if one.ok is False] == []
            seen.append(checks[0].detail)
    finally:
        path.with_name("stop").touch()
        _, said = writer.communicate(timeout=60)
    assert writer.returncode == 0, said.decode()
    assert len(set(seen)) > 3, "the writer did not write meanwhile"


@pytest.mark.parametrize("tamper", [None, "another upper node", "a text gone"])
def test_several_processes_say_what_one_says(
    path: Path, monkeypatch: pytest.MonkeyPatch, tamper: str | None
) -> None:
    monkeypatch.setattr(block, "BLOCK", 16)
    monkeypatch.setattr(block, "HEIGHT", 4)
    monkeypatch.setattr(audit, "BLOCK", 16)
    monkeypatch.setattr(audit, "HEIGHT", 4)
    if tamper:
        with behind_its_back(path) as raw:
            TAMPERS[tamper][0](raw)
    alone = checked(path)
    monkeypatch.setattr(audit, "_WORTH", 1)
    monkeypatch.setattr(audit, "_GLANCED", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    assert checked(path) == alone
    assert bool(tamper) == any(one.ok is False for one in alone)


@pytest.mark.skipif(os.name == "nt", reason="nobody is killed by a signal there")
def test_a_process_that_a_failing_disk_kills_is_done_without(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = checked(path)
    own, examine = os.getpid(), block.examine

    def dying(*asked: object, **how: object) -> object:
        if os.getpid() != own:
            os.kill(os.getpid(), signal.SIGKILL)
        return examine(*asked, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(audit, "examine", dying)
    monkeypatch.setattr(audit, "_WORTH", 1)
    monkeypatch.setattr(audit, "_GLANCED", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with Ledger.open(path, readonly=True) as ledger:
        assert verify(ledger, path) == alone


@pytest.mark.parametrize(("height", "size"), [(4, 270), (4, 272), (4, 256), (4, 255), (4, 16), (4, 17)])
def test_blocks_of_any_size_come_to_the_same_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, height: int, size: int
) -> None:
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        ledger.append([claim(number) for number in range(size - 7)])
        monkeypatch.setattr(block, "BLOCK", 1 << height)
        monkeypatch.setattr(block, "HEIGHT", height)
        monkeypatch.setattr(audit, "BLOCK", 1 << height)
        monkeypatch.setattr(audit, "HEIGHT", height)
        assert ledger.store.head().size == size
    assert failed(path) == {}


def test_a_redaction_while_the_record_is_looked_at_is_no_fault(path: Path) -> None:
    """A body that goes after the head was read is explained by an event behind it."""
    from ledger import redaction

    with Ledger.open(path) as writer, Ledger.open(path, readonly=True) as reader:
        target = writer.event(SOME)
        assert target is not None
        done: list[int] = []

        def progress(at: int, of: int) -> None:
            done.append(at)

        passing = audit._Passing(reader.store, reader.store.head())
        redaction.redact(writer, redaction.preview(writer, target.entry))
        tasks = audit._tasks(passing.head.size, (), block.Task(0, 0, (), key=b"k"))
        passing.all([block.examine(reader.store, task, opened=reader.opened) for task in tasks], progress)
        assert [one.name for one in passing.checks(False) if one.ok is False] == []
        assert done == [SIZE]


# -- units --------------------------------------------------------------------------------------------------------


def test_many_faults_are_counted_and_few_are_told() -> None:
    faults = Faults()
    assert faults.check("x", "well") == Check("x", True, "well")
    for number in range(1_200):
        faults.add(f"fault {number}")
    told = faults.check("x", "well")
    assert told.ok is False
    assert told.detail.count("fault") == 5
    assert told.detail.endswith("and 1,195 more")


def test_a_promise_beyond_the_record_is_broken(path: Path) -> None:
    with Ledger.open(path, readonly=True) as ledger:
        root = ledger.store.head().root
        for promised, words in (
            (Checkpoint("x", SIZE + 1, root), f"vouches for #{SIZE + 1}"),
            (Checkpoint("x", 2**60, root), "the ledger ends at"),
            (Checkpoint("x", SIZE, b"x" * 32), "signed 7878"),
            (Checkpoint("x", 3, root), "at #3 the root is"),
            (Checkpoint("x", 0, root), "at #0 the root is"),
        ):
            checks = {one.name: one for one in record(ledger, [promised])}
            assert checks["roots"].ok is False, promised.size
            assert words in checks["roots"].detail


def test_every_earlier_size_can_be_vouched_for(path: Path) -> None:
    with Ledger.open(path, readonly=True) as ledger:
        tree = Tree(SIZE, ledger.store.hashes)
        promised = [Checkpoint("x", size, tree.root(size)) for size in range(SIZE + 1)]
        checks = {one.name: one for one in record(ledger, promised)}
    assert checks["roots"].ok is True


@settings(max_examples=6)
@given(st.lists(st.integers(1, 45), min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_any_history_of_batches_verifies_and_gives_receipts_for_every_event(
    tmp_path_factory: pytest.TempPathFactory, batches: list[int], chance: Random
) -> None:
    path = tmp_path_factory.mktemp("history") / "a.db"
    begun(path).close()
    for number, count in enumerate(batches):
        with Ledger.open(path) as ledger:
            ledger.append([claim(f"{number}-{at}") for at in range(count)])
    key = notary_of(path).key
    with Ledger.open(path, readonly=True) as ledger:
        assert [one.name for one in verify(ledger, path) if one.ok is False] == []
        note = list(notary_of(path).journal.notes())[-1]
        head = ledger.store.head()
        assert head.size == 7 + sum(batches)
        tree = Tree(head.size, ledger.store.hashes)
        assert tree.root() == head.root == Checkpoint.parse(note, key).root
        rows = list(ledger.store.rows())
        for row in rows:
            made = Receipt(row.position - 1, tuple(tree.inclusion(row.position - 1)), note, row.state)
            assert Receipt.parse(made.to_bytes()).check(key).root == head.root
        one, other = chance.sample(rows, 2)
        lied = Receipt(one.position - 1, tuple(tree.inclusion(one.position - 1)), note, other.state)
        with pytest.raises(Exception, match="path leads to the root"):
            lied.check(key)


def test_a_copy_of_database_and_checkpoints_verifies_elsewhere(tmp_path: Path, path: Path) -> None:
    copy = copy_ledger(path, tmp_path / "copy.db")
    assert failed(copy) == {}
    journal_of(copy).unlink()
    assert "checkpoints are gone" in failed(copy)["checkpoints"]


def test_the_corrected_claim_is_where_the_others_expect_it(path: Path) -> None:
    with Ledger.open(path, readonly=True) as ledger:
        corrected, erased = ledger.event(CORRECTED), ledger.event(ERASED)
        assert corrected and erased
        assert [one.name for one in ledger.history(corrected.entry)] == ["claim-reported", "entry-corrected"]
        assert ledger.store.body(ERASED) is None
