"""verify, checkpoint, receipt, seal and init's key, as somebody uses them who was handed a ledger."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ledger.integrity.proof import check_consistency
from ledger.store.sqlite.schema import _SINCE_2
from tests.conftest import CommandLine, Said
from tests.copies import copy_ledger
from tests.faults.misuse import _bow_to_rights
from tests.ledger.signed import begun, behind_its_back, claim, journal_of, plain, signed
from tests.ledger.small import Small


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    return Small(claims, tmp_path)


@pytest.fixture
def public(small: Small) -> str:
    """The public key, as its owner would give it away."""
    return small.run("checkpoint", "--key").out.strip()


def kept(small: Small, name: str = "kept.txt") -> Path:
    """A checkpoint that somebody kept."""
    path = small.db.with_name(name)
    path.write_text(small.run("checkpoint").out)
    return path


def table(said: Said) -> dict[str, tuple[str, str]]:
    """check → (result, detail), out of the table that people see."""
    lines = [line.split(None, 1) for line in said.out.splitlines()[1:]]
    found = {}
    for line in said.out.splitlines()[1:]:
        for result in ("ok", "FAILED", "note"):
            name, mark, detail = line.partition(f" {result} ")
            if mark and "  " not in name.strip():
                found[name.strip()] = (result, detail.strip())
                break
    assert len(found) == len(lines)
    return found


# -- verify ----------------------------------------------------------------------------------------------------


def test_verify_says_of_every_question_how_it_was_answered(small: Small) -> None:
    found = table(small.run("verify"))
    assert [name for name, (result, _) in found.items() if result == "ok"] == [
        *("events", "tree", "bodies", "beside", "roots", "store", "checkpoints", "key")
    ]
    assert "durability" in found and "SQLite" in found["durability"][1]


def test_verify_as_json_is_the_same_for_scripts(small: Small) -> None:
    answer = small.json("verify")
    assert answer["schema"] == "verify/1"
    assert (answer["ledger"], answer["position"], answer["verified"]) == ("small", Small.EVENTS, True)
    assert {one["ok"] for one in answer["checks"]} == {True, None}
    assert set(answer) == {"schema", "db", "ledger", "position", "root", "verified", "checks"}


def test_verify_through_the_installed_script_ends_with_its_exit_codes(
    script: CommandLine, small: Small
) -> None:
    script.run("verify", db=small.db)
    with behind_its_back(small.db) as raw:
        raw.execute("UPDATE stored_events SET leaf_hash = zeroblob(32) WHERE rowid = 3")
    said = script.run("verify", db=small.db, ok=6)
    assert "FAILED" in said.out and "#3" in said.out
    assert len(said.err.splitlines()) == 1 and said.err.startswith("claims: ")
    assert "events" in said.err


def test_verify_without_a_ledger_makes_none(claims: CommandLine, tmp_path: Path) -> None:
    claims.run("verify", db=tmp_path / "none.db", ok=1)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_kept_elsewhere_is_compared(small: Small) -> None:
    old = kept(small)
    small.claim()
    small.run("verify", "--checkpoint", old)
    small.run("verify", "--checkpoint", kept(small, "new.txt"))


def test_a_checkpoint_that_came_by_mail_is_compared_all_the_same(small: Small) -> None:
    old = kept(small)
    old.write_bytes(b"\r\n\r\n" + old.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    small.run("verify", "--checkpoint", old)


def test_a_ledger_that_is_behind_a_checkpoint_kept_elsewhere_does_not_verify(
    small: Small, claims: CommandLine, tmp_path: Path
) -> None:
    """An old backup on a machine that never knew a newer one: only what was kept elsewhere tells."""
    old = copy_ledger(small.db, tmp_path / "old.db")
    small.claim()
    later = kept(small)
    claims.run("verify", db=old)
    said = claims.run("verify", "--checkpoint", later, db=old, ok=6)
    assert f"vouches for #{Small.EVENTS + 1}" in said.out


def test_a_ledger_that_went_another_way_does_not_verify_against_what_was_kept(
    small: Small, claims: CommandLine, tmp_path: Path
) -> None:
    other = copy_ledger(small.db, tmp_path / "other.db")
    small.claim()
    claims.run("append", "Izium", "UA", "--by", "tass", db=other)
    said = claims.run("verify", "--checkpoint", kept(small), db=other, ok=6)
    assert "roots" in said.err


def _changed(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(change(path.read_bytes()))  # type: ignore[return-value]


CHECKPOINT_LIES: dict[str, tuple[Callable[[Path], None], int]] = {
    "nothing in it": (_changed(lambda _: b""), 6),
    "a size of its own": (_changed(lambda raw: raw.replace(b"\n8\n", b"\n7\n")), 6),
    "no signature": (_changed(lambda raw: raw.partition(b"\n\n")[0] + b"\n"), 6),
    "half of it": (_changed(lambda raw: raw[:80]), 6),
    "noise": (_changed(lambda raw: bytes(range(256))), 6),
    "a receipt": (_changed(lambda raw: b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + raw), 6),
    "no file": (lambda path: path.unlink(), 1),
    "a folder": (lambda path: (path.unlink(), path.mkdir())[0], 1),
}


@pytest.mark.parametrize("lie", CHECKPOINT_LIES)
@pytest.mark.parametrize("flag", ["--checkpoint", "--consistency"])
def test_what_is_no_checkpoint_of_this_ledger_is_refused_in_a_line(small: Small, lie: str, flag: str) -> None:
    old = kept(small)
    change, code = CHECKPOINT_LIES[lie]
    change(old)
    line = small.refuses("verify", flag, old, code=code)
    assert str(old) in line


def test_another_ledger_s_checkpoint_is_refused(claims: CommandLine, small: Small, tmp_path: Path) -> None:
    begun(tmp_path / "other.db").close()
    old = tmp_path / "other.txt"
    old.write_text(claims.run("checkpoint", db=tmp_path / "other.db").out)
    for flag in ("--checkpoint", "--consistency"):
        assert "signed by claim-ledger/test/" in small.refuses("verify", flag, old, code=6)


def test_the_path_from_an_old_checkpoint_is_checked_by_anybody(small: Small, public: str) -> None:
    old = kept(small)
    for number in range(5):
        small.claim("--key", str(number))
    answer = small.json("verify", "--consistency", old)
    assert answer["consistent"] is True
    assert (answer["old_size"], answer["size"]) == (8, 13)
    check_consistency(
        answer["old_size"],
        bytes.fromhex(answer["old_root"]),
        answer["size"],
        bytes.fromhex(answer["root"]),
        [bytes.fromhex(one) for one in answer["path"]],
    )
    assert "are those of" in small.run("verify", "--consistency", old, "--key", public).out


def test_a_ledger_that_does_not_continue_an_old_checkpoint_says_so(
    claims: CommandLine, small: Small, tmp_path: Path
) -> None:
    other = copy_ledger(small.db, tmp_path / "other.db")
    small.claim()
    old = kept(small)
    said = claims.run("verify", "--consistency", old, db=other, ok=6)
    assert "before claim-ledger/small/" in said.err
    claims.run("append", "Izium", "UA", "--by", "tass", db=other)
    assert "does not continue" in claims.run("verify", "--consistency", old, db=other, ok=6).err


def test_the_key_to_trust_comes_from_elsewhere(
    claims: CommandLine, small: Small, public: str, tmp_path: Path
) -> None:
    file = tmp_path / "public.key"
    file.write_text(f"{public}\n")
    for key in (public, file):
        assert small.run("verify", "--key", key).code == 0
    begun(tmp_path / "other.db").close()
    strange = claims.run("checkpoint", "--key", db=tmp_path / "other.db").out.strip()
    said = small.run("verify", "--key", strange, ok=6)
    assert table(said)["trusted key"][0] == "FAILED"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--key", "noise"], 1, "cannot be read"),
        (["--key", "a+b+c"], 2, "is no public key"),
        (["--receipt", "x", "--checkpoint", "y"], 2, "three questions"),
        (["--checkpoint", "x", "--consistency", "y"], 2, "three questions"),
        (["--event", "x"], 2, "--event goes with --receipt"),
        (["--receipt", "no-such-file"], 1, "cannot be read"),
        (["--stamps", "no-such-file"], 1, "cannot be read"),
    ],
)
def test_a_call_whose_words_do_not_fit_is_refused(
    small: Small, args: list[str], code: int, words: str
) -> None:
    assert words in small.refuses("verify", *args, code=code)


def test_a_verify_that_was_not_signed_has_no_key_for_a_checkpoint(
    claims: CommandLine, small: Small, tmp_path: Path
) -> None:
    db, old = tmp_path / "plain.db", kept(small)
    claims.run("init", db, "--unsigned")
    assert "no key is known" in claims.run("verify", "--checkpoint", old, db=db, ok=2).err
    for command in (("checkpoint",), ("receipt", "#1"), ("seal", tmp_path / "s.db")):
        assert "not signed" in claims.run(*command, db=db, ok=1).err
    assert sorted(one.name for one in tmp_path.glob("s.db*")) == []


# -- checkpoint --------------------------------------------------------------------------------------------------


def test_checkpoint_prints_the_last_note_and_nothing_else(small: Small, public: str) -> None:
    said = small.run("checkpoint")
    lines = said.out.split("\n")
    assert said.err == ""
    assert lines[0] == public.partition("+")[0]
    assert lines[1] == str(Small.EVENTS)
    assert lines[3] == "" and lines[4].startswith(f"— {lines[0]} ") and lines[5:] == [""]
    assert journal_of(small.db).read_text().endswith(said.out + "\n")


def test_a_checkpoint_that_a_crash_kept_from_being_written_is_made_up_for(small: Small) -> None:
    whole = journal_of(small.db).read_bytes()
    small.claim()
    after = journal_of(small.db).read_bytes()
    journal_of(small.db).write_bytes(whole)
    assert small.run("checkpoint").out.split("\n")[1] == str(Small.EVENTS + 1)
    assert journal_of(small.db).read_bytes() == after


def test_a_ledger_that_lies_gets_no_checkpoint(small: Small) -> None:
    with plain(small.db) as raw:
        raw.execute("UPDATE ledger_head SET frontier = zeroblob(32)")
    assert "it was changed, or it is another" in small.refuses("checkpoint", code=6)


def test_words_of_checkpoint_that_do_not_fit_are_refused(small: Small) -> None:
    small.refuses("checkpoint", "--key", "--new-origin", code=2)
    small.refuses("checkpoint", "--key", "--stamp", "https://x.example", code=2)


# -- receipt -------------------------------------------------------------------------------------------------------


def test_a_receipt_convinces_somebody_who_has_the_key_and_nothing_else(
    script: CommandLine, small: Small, public: str, tmp_path: Path
) -> None:
    entry = small.claim("--quote", "not in the receipt")
    small.run("receipt", entry, "-o", tmp_path / "it.tlog-proof")
    assert b"not in the receipt" not in (tmp_path / "it.tlog-proof").read_bytes()
    empty = tmp_path / "elsewhere"
    empty.mkdir()
    said = script.run(
        *("verify", "--receipt", tmp_path / "it.tlog-proof", "--key", public),
        CLAIMS_KEYS=str(empty / "keys"),
        CLAIMS_DB=str(empty / "none.db"),
    )
    assert f"#{Small.EVENTS + 1} stands in the record" in said.out
    assert '"claim-reported/1"' in said.out
    answer = json.loads(
        small.run("verify", "--receipt", tmp_path / "it.tlog-proof", "--key", public, "--json").out
    )
    assert (answer["verified"], answer["position"]) == (True, Small.EVENTS + 1)
    assert list(empty.iterdir()) == []


def test_a_receipt_for_every_event_verifies(small: Small, tmp_path: Path) -> None:
    small.claim()
    for position in range(1, Small.EVENTS + 2):
        for bare in ([], ["--bare"]):
            file = tmp_path / f"{position}{bare}"
            small.run("receipt", position, "-o", file, *bare)
            assert small.json("verify", "--receipt", file)["position"] == position


def test_a_bare_receipt_needs_the_event_or_a_ledger(
    claims: CommandLine, small: Small, public: str, tmp_path: Path
) -> None:
    file, event = tmp_path / "bare", tmp_path / "event"
    small.run("receipt", "#3", "--bare", "-o", file)
    with plain(small.db) as raw:
        states = [one for (one,) in raw.execute("SELECT state FROM stored_events ORDER BY rowid")]
    event.write_bytes(states[2])
    none = tmp_path / "none.db"
    claims.run("verify", "--receipt", file, "--key", public, "--event", event, db=none)
    assert "--event" in claims.run("verify", "--receipt", file, "--key", public, db=none, ok=2).err
    event.write_bytes(states[3])
    assert (
        "proves nothing" in claims.run("verify", "--receipt", file, "--event", event, db=small.db, ok=6).err
    )
    event.write_bytes(states[2] + b"\n")
    claims.run("verify", "--receipt", file, "--event", event, db=small.db, ok=6)


def test_a_receipt_under_a_key_that_nobody_gave_is_not_believed(
    claims: CommandLine, small: Small, tmp_path: Path
) -> None:
    file = tmp_path / "it"
    small.run("receipt", "#3", "-o", file)
    said = claims.run(
        "verify", "--receipt", file, db=tmp_path / "none.db", ok=2, CLAIMS_KEYS=str(tmp_path / "k")
    )
    assert "whose key is not known here" in said.err


def test_a_receipt_that_was_changed_is_refused_in_a_line(small: Small, public: str, tmp_path: Path) -> None:
    file = tmp_path / "it"
    small.run("receipt", "#3", "-o", file)
    whole = file.read_bytes()
    for change in (whole[:-1], whole.replace(b"index 2", b"index 3"), b"", bytes(300), whole[40:], whole * 2):
        file.write_bytes(change)
        small.refuses("verify", "--receipt", file, "--key", public, code=6)


@pytest.mark.parametrize(
    ("entry", "code"), [("#99", 3), ("c-unknown-entry", 3), ("#0", 3), ("", 3), ("#-1", 3)]
)
def test_there_is_no_receipt_for_what_is_not_there(small: Small, entry: str, code: int) -> None:
    small.refuses("receipt", entry, code=code)


def test_a_receipt_is_never_written_over_another_file(small: Small, tmp_path: Path) -> None:
    (tmp_path / "it").write_text("mine")
    assert "already exists" in small.refuses("receipt", "#3", "-o", tmp_path / "it", code=1)
    assert (tmp_path / "it").read_text() == "mine"
    small.refuses("receipt", "#3", "-o", tmp_path / "none" / "it", code=1)


def test_no_receipt_is_given_for_what_no_checkpoint_vouches_for(small: Small) -> None:
    whole = journal_of(small.db).read_bytes()
    small.claim()
    journal_of(small.db).write_bytes(whole)
    line = small.refuses("receipt", f"#{Small.EVENTS + 1}", code=1)
    assert "claims checkpoint" in line
    small.run("receipt", f"#{Small.EVENTS}")


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE stored_events SET leaf_hash = zeroblob(32) WHERE rowid = 5",
        "UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) WHERE rowid = 3",
        "DELETE FROM stored_events WHERE rowid = 7",
    ],
)
def test_a_receipt_that_would_not_hold_is_not_handed_out(small: Small, spoil: str) -> None:
    with behind_its_back(small.db) as raw:
        raw.execute(spoil)
    said = small.run("receipt", "#3", ok=6)
    assert said.out == "" and len(said.err.splitlines()) == 1


def test_a_receipt_on_standard_output_is_the_bytes_of_the_file(
    script: CommandLine, small: Small, tmp_path: Path
) -> None:
    small.run("receipt", "3", "-o", tmp_path / "it")
    assert script.run("receipt", "3", db=small.db).out.encode() == (tmp_path / "it").read_bytes()


# -- init ------------------------------------------------------------------------------------------------------------


def test_init_says_where_the_key_lies_and_what_it_is_worth(claims: CommandLine, tmp_path: Path) -> None:
    said = claims.run("init", tmp_path / "a.db", "--ledger", "a", CLAIMS_KEYS=str(tmp_path / "k"))
    assert "keep a copy of it elsewhere" in said.out
    assert "does not bind who has the key" in said.out
    assert "PRIVATE" not in said.out + said.err
    (key,) = [one for one in (tmp_path / "k").iterdir() if one.suffix == ".key"]
    assert str(key) in said.out
    assert b"PRIVATE KEY" in key.read_bytes()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert b"PRIVATE" not in (tmp_path / "a.db").read_bytes() + journal_of(tmp_path / "a.db").read_bytes()


def test_init_beside_checkpoints_that_were_left_is_refused(claims: CommandLine, tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    claims.run("init", db)
    db.unlink()
    left = journal_of(db).read_bytes()
    said = claims.run("init", db, ok=1)
    assert "checkpoints of another ledger" in said.err
    assert not db.exists() and journal_of(db).read_bytes() == left


def test_two_ledgers_of_one_name_never_sign_under_one_origin(claims: CommandLine, tmp_path: Path) -> None:
    keys = {claims("init", tmp_path / f"{n}.db", "--ledger", "same")["key"] for n in range(3)}
    assert len({key.partition("+")[0] for key in keys}) == 3


# -- seal -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed(claims: CommandLine, small: Small, tmp_path: Path) -> Path:
    (tmp_path / "archive").mkdir()
    small.claim()
    small.run("seal", tmp_path / "archive" / "closed.db")
    return tmp_path / "archive" / "closed.db"


def test_a_sealed_copy_is_read_only_and_brings_what_it_needs(small: Small, closed: Path, public: str) -> None:
    assert {one.name: stat.S_IMODE(one.stat().st_mode) for one in closed.parent.iterdir()} == dict.fromkeys(
        ("closed.db", "closed.db.checkpoints", "closed.db.key"), 0o444
    )
    assert closed.with_name("closed.db.key").read_text().strip() == public
    assert journal_of(closed).read_bytes() == journal_of(small.db).read_bytes()


def test_a_sealed_copy_verifies_where_nothing_can_be_written_and_no_key_is(
    closed: Path, tmp_path: Path
) -> None:
    claims = shutil.which("claims", path=os.path.dirname(sys.executable))
    assert claims is not None
    closed.parent.chmod(0o555)
    try:
        before = sorted(os.listdir(closed.parent))
        for command in (["verify", "--key", "closed.db.key"],):
            done = subprocess.run(
                [claims, *command, "--db", "closed.db"],
                cwd=closed.parent,
                env={**os.environ, "CLAIMS_KEYS": str(tmp_path / "none"), "XDG_CONFIG_HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
                preexec_fn=_bow_to_rights if os.geteuid() == 0 else None,
            )
            assert done.returncode == 0, done.stderr
        assert sorted(os.listdir(closed.parent)) == before
    finally:
        closed.parent.chmod(0o755)


def test_nothing_is_appended_to_a_sealed_copy(claims: CommandLine, closed: Path) -> None:
    before = closed.read_bytes()
    for command in (
        *(("append", "Kupyansk", "UA", "--by", "tass"), ("party", "XX"), ("redact", "#9", "--yes")),
        ("correct", "party:RU", "--set", "name=x"),
    ):
        said = claims.run(*command, db=closed, ok=1)
        assert "sealed at #9" in said.err and len(said.err.splitlines()) == 1
    assert closed.read_bytes() == before


def test_a_sealed_copy_gets_no_new_origin(claims: CommandLine, closed: Path) -> None:
    before = closed.read_bytes(), journal_of(closed).read_bytes()
    said = claims.run("checkpoint", "--new-origin", db=closed, ok=1)
    assert "sealed at #9" in said.err
    assert (closed.read_bytes(), journal_of(closed).read_bytes()) == before


def test_a_sealed_copy_that_was_damaged_is_found(claims: CommandLine, closed: Path) -> None:
    closed.chmod(0o644)
    with behind_its_back(closed) as raw:
        raw.execute("UPDATE ledger_body SET body = x'7b7d' WHERE position = 9")
    claims.run("verify", db=closed, ok=6)


def test_a_sealed_copy_that_grew_all_the_same_is_found(
    claims: CommandLine, closed: Path, small: Small
) -> None:
    closed.chmod(0o644)
    small.claim("--key", "later")
    shutil.copyfile(small.db, closed)
    journal_of(closed).chmod(0o644)
    shutil.copyfile(journal_of(small.db), journal_of(closed))
    with plain(closed) as raw:
        raw.execute("INSERT INTO ledger_setting VALUES ('sealed', '9')")
    assert table(claims.run("verify", db=closed, ok=6))["sealed"][0] == "FAILED"


def test_the_ledger_that_was_sealed_goes_on(small: Small, closed: Path, claims: CommandLine) -> None:
    small.claim("--key", "later")
    small.run("verify")
    claims.run("verify", db=closed)
    claims.run("verify", "--checkpoint", kept(small), db=closed, ok=6)  # it is older, and says so


def test_what_does_not_verify_is_not_sealed_and_leaves_nothing(small: Small, tmp_path: Path) -> None:
    with behind_its_back(small.db) as raw:
        raw.execute("DELETE FROM ledger_registry")
    target = tmp_path / "archive.db"
    said = small.run("seal", target, ok=6)
    assert "the copy does not verify" in said.err
    assert list(tmp_path.glob("archive.db*")) == []


@pytest.mark.parametrize("suffix", ["", ".checkpoints", ".key"])
def test_a_seal_never_writes_over_anything(small: Small, tmp_path: Path, suffix: str) -> None:
    there = tmp_path / f"archive.db{suffix}"
    there.write_text("mine")
    assert str(there) in small.refuses("seal", tmp_path / "archive.db", code=1)
    assert [one.name for one in tmp_path.glob("archive.db*")] == [there.name]
    assert there.read_text() == "mine"


def test_a_seal_into_no_folder_or_over_the_ledger_is_refused(small: Small, tmp_path: Path) -> None:
    small.refuses("seal", tmp_path / "none" / "a.db", code=1)
    before = small.db.read_bytes()
    small.refuses("seal", small.db, code=2)
    assert small.db.read_bytes() == before


def test_an_encrypted_ledger_is_sealed_without_its_texts(claims: CommandLine, tmp_path: Path) -> None:
    path = signed(tmp_path, encrypted=True)
    claims.run("seal", tmp_path / "closed.db", db=path)
    assert b"words 20" not in (tmp_path / "closed.db").read_bytes()
    claims.run("verify", db=tmp_path / "closed.db")


# -- an earlier schema -------------------------------------------------------------------------------------------------


def _of_version_1(path: Path, *, events: int = 30) -> Path:
    """A ledger as it was before there were signatures: the same rows, without what came since."""
    with begun(path, signed=False) as made:
        made.append([claim(number) for number in range(events)])
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        for name in _SINCE_2:
            raw.execute(f"DROP TABLE {name}")
        raw.execute("PRAGMA user_version = 1")
    return path


def test_a_ledger_of_the_first_schema_is_refused_to_readers_with_what_to_do(
    claims: CommandLine, tmp_path: Path
) -> None:
    path = _of_version_1(tmp_path / "old.db")
    before = path.read_bytes()
    for command in (("verify",), ("log",), ("export",), ("checkpoint",), ("as-of", "2025-12-01", "Town")):
        said = claims.run(*command, db=path, ok=1)
        assert "`claims checkpoint --new-origin`" in said.err
        assert len(said.err.splitlines()) == 1
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "command", [("checkpoint", "--new-origin"), ("party", "XX"), ("append", "Town", "RU", "--by", "s:2")]
)
def test_a_ledger_of_the_first_schema_is_brought_up_to_date_by_writing(
    claims: CommandLine, tmp_path: Path, command: tuple[str, ...]
) -> None:
    path = _of_version_1(tmp_path / "old.db")
    with plain(path) as raw:
        rows = raw.execute("SELECT * FROM stored_events ORDER BY rowid").fetchall()
    claims.run(*command, db=path)
    with plain(path) as raw:
        assert raw.execute("SELECT * FROM stored_events ORDER BY rowid").fetchall()[: len(rows)] == rows
        assert raw.execute("PRAGMA user_version").fetchone() == (2,)
        assert raw.execute("SELECT count(*) FROM ledger_node").fetchone() == (2,)
    answer = claims("verify", "--deep", db=path)
    assert answer["verified"] is True
    claims.run("party", "YY", db=path)
    assert claims("verify", db=path)["position"] == len(rows) + (command[0] != "checkpoint") + 1


def test_bringing_up_to_date_leaves_the_root_as_it_was(claims: CommandLine, tmp_path: Path) -> None:
    with begun(tmp_path / "new.db", signed=False) as made:
        made.append([claim(number) for number in range(300)])
        head = made.store.head()
        nodes = made.store.hashes(4, 0, 100), made.store.hashes(8, 0, 100)
    with closing(sqlite3.connect(tmp_path / "new.db", isolation_level=None)) as raw:
        for name in _SINCE_2:
            raw.execute(f"DROP TABLE {name}")
        raw.execute("PRAGMA user_version = 1")
    from ledger.store.sqlite.store import SqliteStore

    with SqliteStore.open(tmp_path / "new.db") as store:
        assert store.head() == head
        assert (store.hashes(4, 0, 100), store.hashes(8, 0, 100)) == nodes
        assert list(store.faults()) == []
    claims.run("checkpoint", "--new-origin", db=tmp_path / "new.db")
    assert claims("verify", db=tmp_path / "new.db")["root"] == head.root.hex()


def test_a_first_schema_that_was_altered_is_refused(claims: CommandLine, tmp_path: Path) -> None:
    path = _of_version_1(tmp_path / "old.db", events=1)
    with plain(path) as raw:
        raw.execute("DROP TRIGGER stored_events_no_update")
    said = claims.run("checkpoint", "--new-origin", db=path, ok=6)
    assert "stored_events_no_update is missing" in said.err
