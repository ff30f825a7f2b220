"""Keys, the file of checkpoints, and the notary: what was cut, changed or put back is not gone on from."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.book import Ledger
from ledger.errors import LedgerError, Locked, Unverified, WriteFailed
from ledger.integrity import journal, keys, notary
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.journal import Journal, is_beginning
from ledger.integrity.keys import load, make, place_of, public_of
from ledger.integrity.note import PublicKey
from ledger.integrity.verifying import checkpoints, verify
from ledger.store.sqlite.store import SqliteStore
from tests.conftest import CommandLine
from tests.copies import copy_ledger
from tests.ledger.signed import begun, behind_its_back, claim, journal_of, notary_of, plain, signed
from tests.ledger.small import Small

REPOSITORY = Path(keys.__file__).parents[2]


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    return Small(claims, tmp_path)


@pytest.fixture
def drawer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of keys of its own."""
    path = tmp_path / "drawer" / "keys"
    monkeypatch.setenv("CLAIMS_KEYS", str(path))
    return path


def written(path: Path) -> list[Checkpoint]:
    key = notary_of(path).key
    return [Checkpoint.parse(one, key) for one in Journal(path).notes()]


def failed(path: Path) -> list[str]:
    """The checks of a ledger that do not hold."""
    with Ledger.open(path, readonly=True) as ledger:
        return [one.name for one in verify(ledger, path) if one.ok is False]


def put_back(path: Path, copy: Path) -> None:
    """A database and its checkpoints in the place of another pair."""
    shutil.copyfile(copy, path)
    shutil.copyfile(journal_of(copy), journal_of(path))


# -- as a user -------------------------------------------------------------------------------------------------


def test_every_append_leaves_a_checkpoint_of_the_new_head(small: Small) -> None:
    before = written(small.db)
    small.claim()
    small.claim("--key", "b")
    after = written(small.db)
    assert after[: len(before)] == before
    assert [one.size for one in after[len(before) :]] == [Small.EVENTS + 1, Small.EVENTS + 2]
    assert after[-1].root.hex() == small.json("verify")["root"]


def test_what_was_recorded_already_leaves_no_checkpoint_more(small: Small) -> None:
    small.claim()
    before = journal_of(small.db).read_bytes()
    small.claim()
    small.run("append", "Kupyansk", "UA", "--by", "tass", "--dry-run")
    small.refuses("append", "Kupyansk", "XX", "--by", "tass", code=3)
    assert journal_of(small.db).read_bytes() == before


def test_reading_writes_nothing_beside_the_ledger(small: Small) -> None:
    before = {one: one.read_bytes() for one in small.db.parent.iterdir()}
    for command in (("verify",), ("checkpoint",), ("receipt", "#3"), ("log",), ("export",)):
        small.run(*command)
    assert {one: one.read_bytes() for one in small.db.parent.iterdir()} == before


def test_an_old_database_beside_newer_checkpoints_is_not_gone_on_from(small: Small) -> None:
    old = small.db.read_bytes()
    small.claim()
    small.db.write_bytes(old)
    line = small.refuses("append", "Kupyansk", "UA", "--by", "tass", code=6)
    assert f"ends at #{Small.EVENTS}" in line and f"vouches for #{Small.EVENTS + 1}" in line
    assert "checkpoint --new-origin" in line
    small.run("verify", ok=6)


def test_an_old_backup_with_its_checkpoints_is_found_out_by_what_lies_with_the_keys(
    small: Small, tmp_path: Path
) -> None:
    old = copy_ledger(small.db, tmp_path / "old.db")
    small.claim()
    put_back(small.db, old)
    assert "the copy of it that lies with the keys" in small.refuses("place", "x", "--name", "X", code=6)
    assert "roots" in small.run("verify", ok=6).err


def test_a_history_of_another_way_is_found_out_by_what_lies_with_the_keys(
    small: Small, tmp_path: Path
) -> None:
    """As long as the one that was known here, and with good signatures of the same key."""
    other = copy_ledger(small.db, tmp_path / "other.db")
    small.claim("--key", "here")
    with Ledger.open(other) as ledger:
        ledger.append([_claim_of_small("there")])
    put_back(small.db, other)
    assert "it was changed, or it is another" in small.refuses("place", "x", "--name", "X", code=6)


def _claim_of_small(key: str):  # type: ignore[no-untyped-def]
    from ledger.book import Draft

    return Draft.of("claim-reported", {"claimant": "ru-mod", "place": "izium", "state": "RU", "key": key})


def test_a_copy_at_another_path_goes_on_and_disturbs_nobody(
    claims: CommandLine, small: Small, tmp_path: Path
) -> None:
    copy = copy_ledger(small.db, tmp_path / "copy.db")
    for db in (copy, small.db, copy, small.db):
        claims.run(
            "append", "Kupyansk", "RU", "--by", "tass", "--key", db.name + str(db.stat().st_size), db=db
        )
        claims.run("place", f"p-{len(written(db))}", "--name", "X", db=db)
        claims.run("verify", db=db)


def test_a_new_origin_cites_the_old_one_and_verify_tells_of_the_break(small: Small) -> None:
    before = written(small.db)[-1]
    said = small.run("checkpoint", "--new-origin")
    lines = said.out.splitlines()
    assert lines[3].startswith(f"after {before.origin} {before.size} ")
    assert "goes on from" in said.err and "keep a copy" in said.err
    assert lines[0] != before.origin
    small.claim()
    checks = {one["check"]: one for one in small.json("verify")["checks"]}
    assert checks["earlier origins"]["detail"] == f"{before} holds"
    assert small.run("checkpoint").out.splitlines()[0] == lines[0]


def test_after_a_restored_backup_a_new_origin_goes_on_and_the_break_stays_visible(small: Small) -> None:
    old = small.db.read_bytes()
    small.claim()
    lost = written(small.db)[-1]
    small.db.write_bytes(old)
    small.run("checkpoint", "--new-origin")
    small.claim("--key", "new")
    for _ in range(2):
        checks = {one["check"]: one for one in small.json("verify")["checks"]}
        assert checks["earlier origins"]["detail"].startswith(f"{lost} DOES NOT HOLD")
        small.run("checkpoint", "--new-origin")
        lost_again = small.json("verify")
        assert lost_again["verified"] is True


def test_a_ledger_that_was_never_signed_says_so_and_can_begin(claims: CommandLine, tmp_path: Path) -> None:
    db = tmp_path / "a.db"
    assert claims("init", db, "--unsigned")["key"] is None
    claims.run("party", "RU", db=db)
    checks = {one["check"]: one for one in claims("verify", db=db)["checks"]}
    assert checks["checkpoints"]["ok"] is None
    assert "not signed" in checks["checkpoints"]["detail"]
    assert not journal_of(db).exists()
    claims.run("checkpoint", db=db, ok=1)
    claims.run("checkpoint", "--new-origin", db=db)
    claims.run("party", "UA", db=db)
    assert {one["check"]: one for one in claims("verify", db=db)["checks"]}["checkpoints"]["ok"] is True


def _says_nothing_of_its_key(path: Path) -> None:
    with plain(path) as raw:
        raw.execute("DELETE FROM ledger_setting WHERE name IN ('signed', 'origins')")
    journal_of(path).unlink()


def _signed_by_a_stranger(path: Path, folder: Path) -> None:
    _says_nothing_of_its_key(path)
    with pytest.MonkeyPatch.context() as patched, SqliteStore.open(path) as store:
        patched.setenv("CLAIMS_KEYS", str(folder))
        notary.begin(store, path, "test")
        key = place_of(notary_of(path).key.name)
    shutil.copyfile(key, place_of(notary_of(path).key.name))  # at its worst: this machine trusts it


def test_a_ledger_that_was_made_to_say_it_was_never_signed_is_found_out(
    claims: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    begun(path).close()
    _says_nothing_of_its_key(path)
    said = claims.run("verify", db=path, ok=6)
    assert "it was signed here by claim-ledger/test/" in said.out
    said = claims.run("place", "x", "--name", "X", db=path, ok=6)
    assert "says nothing of it" in said.err and "--new-origin" in said.err
    claims.run("checkpoint", "--new-origin", db=path)
    claims.run("verify", db=path)


def test_a_ledger_that_a_stranger_signed_anew_is_found_out(claims: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    begun(path).close()
    _signed_by_a_stranger(path, tmp_path / "strange" / "keys")
    assert "key" in failed(path)
    assert "says nothing of it" in claims.run("place", "x", "--name", "X", db=path, ok=6).err


def test_another_ledger_at_the_same_path_is_not_taken_for_the_one_before(
    claims: CommandLine, tmp_path: Path
) -> None:
    path = tmp_path / "a.db"
    for how in (["--ledger", "one"], ["--ledger", "one", "--unsigned"], ["--ledger", "two"], ["--unsigned"]):
        claims.run("init", path, *how)
        claims.run("party", "RU", db=path)
        claims.run("verify", db=path)
        path.unlink()
        journal_of(path).unlink(missing_ok=True)


# -- what an append refuses ---------------------------------------------------------------------------------------


def _without_journal(path: Path) -> None:
    journal_of(path).unlink()


def _without_key(path: Path) -> None:
    place_of(notary_of(path).key.name).rename(path.with_name("away.key"))


def _with_another_key(path: Path) -> None:
    _, place = make("other", path)
    shutil.copyfile(place, place_of(notary_of(path).key.name))


def _with_noise_for_a_key(path: Path) -> None:
    place_of(notary_of(path).key.name).write_bytes(b"\xff noise")


def _unsigned(path: Path) -> None:
    with plain(path) as raw:
        raw.execute("DELETE FROM ledger_setting WHERE name = 'signed'")


def _journal(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def do(path: Path) -> None:
        there = journal_of(path)
        there.write_bytes(change(there.read_bytes()))

    return do


def _behind(path: Path) -> None:
    with behind_its_back(path) as raw:
        last = raw.execute("SELECT max(rowid) FROM stored_events").fetchone()[0]
        raw.execute("DELETE FROM stored_events WHERE rowid = ?", (last,))
        raw.execute("DELETE FROM ledger_registry WHERE position = ?", (last,))
        raw.execute("UPDATE sqlite_sequence SET seq = ?", (last - 1,))


def _other_head(path: Path) -> None:
    with plain(path) as raw:
        raw.execute("UPDATE ledger_head SET frontier = zeroblob(length(frontier))")


def _other_leaf(path: Path) -> None:
    """The last leaf's hash, where the frontier does not show it: the root below is made of the leaves."""
    with behind_its_back(path) as raw:
        raw.execute("UPDATE stored_events SET leaf_hash = zeroblob(32) WHERE rowid = 1")


REFUSED: dict[str, tuple[Callable[[Path], None], int, str]] = {
    "its checkpoints gone": (_without_journal, 6, "its checkpoints are gone"),
    "its checkpoints emptied": (_journal(lambda _: b""), 6, "there is no checkpoint"),
    "only the beginning of its first checkpoint left": (
        _journal(lambda raw: raw[:20]),
        6,
        "there is no checkpoint",
    ),
    "a letter of the last checkpoint another": (
        _journal(lambda raw: raw[:-9] + bytes([raw[-9] ^ 3]) + raw[-8:]),
        6,
        "the last checkpoint is damaged",
    ),
    "noise for checkpoints": (_journal(lambda raw: b"\xff" * len(raw)), 6, "no checkpoint"),
    "a great deal of noise behind the checkpoints": (
        _journal(lambda raw: raw + b"x" * (1 << 18)),
        6,
        "the file ends in something that is no checkpoint",
    ),
    "the checkpoints of another ledger": (
        _journal(lambda raw: raw.replace(b"small", b"other")),
        6,
        "damaged",
    ),
    "a record that says it is not signed": (_unsigned, 6, "the ledger says that it is not signed"),
    "the last event gone": (_behind, 6, "the last one is #"),
    "a head of other hashes": (_other_head, 6, "it was changed, or it is another"),
    "no key": (_without_key, 1, "the key that signs this ledger is not here"),
    "another's key": (_with_another_key, 1, "this is not the key that signs this ledger"),
    "noise for a key": (_with_noise_for_a_key, 1, "the key cannot be read"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_nothing_is_appended_to_a_ledger_with(small: Small, fault: str) -> None:
    spoil, code, words = REFUSED[fault]
    name = notary_of(small.db).key.name
    key = place_of(name).read_bytes()
    try:
        spoil(small.db)
        before = {one: one.read_bytes() for one in small.db.parent.iterdir()}
        said = small.run("append", "Kupyansk", "RU", "--by", "tass", ok=code)
        assert {one: one.read_bytes() for one in small.db.parent.iterdir()} == before
    finally:
        place_of(name).write_bytes(key)
    assert len(said.err.splitlines()) == 1
    assert words in said.err and said.out == ""


def test_a_head_that_was_cut_together_with_the_events_is_behind_its_checkpoint(tmp_path: Path) -> None:
    """Everything in the database fits together: it is another day's state of it."""
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        old = path.read_bytes()
        ledger.append([claim(1)])
    path.write_bytes(old)
    with Ledger.open(path) as ledger, pytest.raises(Unverified, match="events are missing"):
        ledger.append([claim(2)])
    assert failed(path) == ["roots"]


def test_the_refusal_names_both_roots(tmp_path: Path) -> None:
    path = signed(tmp_path)
    last = written(path)[-1]
    _other_head(path)
    with Ledger.open(path) as ledger, pytest.raises(Unverified) as caught:
        ledger.append([claim(1_000)])
    assert last.root.hex() in str(caught.value)
    assert ledger.store.where in str(caught.value)


# -- a crash while a checkpoint is written --------------------------------------------------------------------------


def test_a_checkpoint_that_was_cut_off_at_any_byte_heals(tmp_path: Path) -> None:
    """The database holds the event, and the note over it is not whole: it was not acknowledged, and is not lost."""
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        whole = journal_of(path).read_bytes()
        ledger.append([claim(1)])
    data, after = path.read_bytes(), journal_of(path).read_bytes()
    last = after[len(whole) :]
    assert last.startswith(b"claim-ledger/test/") and last.endswith(b"\n\n")
    for cut in range(len(last)):
        zeros = bytes(cut % 3)  # a disk may have grown the file and not filled it
        path.write_bytes(data)
        journal_of(path).write_bytes(whole + last[:cut] + zeros)
        if not cut % 25:
            assert failed(path) == []
        with Ledger.open(path) as ledger:
            assert ledger.append([claim(1)])[0].status == "already"
        assert journal_of(path).read_bytes() == after


@pytest.mark.parametrize(
    "rest",
    [
        b"x",
        b"claim-ledger/test/\n",
        b"\n",
        "— ".encode(),
        b"CLAIM",
        bytes(3) + b"x",
        b"{origin}\n0\n",
        b"{origin}\n99\n",
        b"{origin}\n08\n",
        b"{origin}\n-1\n",
        b"{origin}\n8 ",
        b"{origin}\n8\nAAAA",
        b"{origin}\n\n",
        b"{origin}\n" + b"9" * 20,
        b"{origin}\n" + b"9" * 5_000 + b"\n",
    ],
)
def test_what_looks_cut_off_and_is_not_is_refused(tmp_path: Path, rest: bytes) -> None:
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        ledger.append([claim(1)])
        origin = ledger.notary.key.name.encode() if ledger.notary else b""
    tail = rest.replace(b"{origin}", origin)
    with journal_of(path).open("ab") as file:
        file.write(tail)
    if (
        tail == origin + b"\n99"
    ):  # it may be the beginning of a size that is not there yet: no checkpoint, no harm
        return
    assert failed(path) == ["checkpoints"]
    with Ledger.open(path) as ledger, pytest.raises(Unverified, match="none, nor the beginning of one"):
        ledger.append([claim(2)])


def test_half_a_size_may_have_been_cut_off_whatever_it_would_have_become(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        origin = ledger.notary.key.name.encode() if ledger.notary else b""
    whole = journal_of(path).read_bytes()
    journal_of(path).write_bytes(whole + origin + b"\n99")
    assert failed(path) == []
    with Ledger.open(path) as ledger:
        ledger.append([claim(1)])
    assert journal_of(path).read_bytes().startswith(whole + origin + b"\n8\n")


def test_a_note_that_vouches_for_another_root_is_no_beginning(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        before = journal_of(path).stat().st_size
        ledger.append([claim(1)])
    key = notary_of(path).key
    forged = Checkpoint(key.name, 8, b"x" * 32).signed(key, load(key))
    with journal_of(path).open("r+b") as file:
        file.truncate(before)
        file.seek(before)
        file.write(forged[:-1])
    with Ledger.open(path) as ledger, pytest.raises(Unverified, match="none, nor the beginning of one"):
        ledger.append([claim(1)])


def test_a_whole_note_over_another_root_stops_everything(tmp_path: Path) -> None:
    """The key signed two histories: the file proves it."""
    path = tmp_path / "a.db"
    begun(path).close()
    key = notary_of(path).key
    with journal_of(path).open("ab") as file:
        file.write(Checkpoint(key.name, 7, b"x" * 32).signed(key, load(key)) + b"\n")
    with Ledger.open(path) as ledger, pytest.raises(Unverified, match="it was changed, or it is another"):
        ledger.append([claim(1)])
    assert failed(path) == ["roots"]


def test_a_note_for_fewer_events_than_the_one_before_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    begun(path).close()
    first = next(Journal(path).notes())
    with journal_of(path).open("ab") as file:
        file.write(first + b"\n")
    assert failed(path) == ["checkpoints"]


def test_a_turned_bit_in_any_byte_of_the_checkpoints_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        ledger.append([claim(1)])
    whole = journal_of(path).read_bytes()
    key = notary_of(path).key
    with Ledger.open(path, readonly=True) as ledger:
        for at in range(len(whole)):
            journal_of(path).write_bytes(whole[:at] + bytes([whole[at] ^ (1 << at % 8)]) + whole[at + 1 :])
            assert checkpoints(ledger, path, key).faults.count, f"byte {at}"
            if not at % 100:
                assert "checkpoints" in [one.name for one in verify(ledger, path) if one.ok is False]


@pytest.mark.parametrize("number", [0, 1])
def test_a_checkpoint_taken_out_of_the_middle_proves_nothing_false(tmp_path: Path, number: int) -> None:
    """The notes are not chained: each vouches for all before it, so that one fewer hides nothing that is signed."""
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        ledger.append([claim(1)])
    notes = list(Journal(path).notes())
    del notes[number]
    journal_of(path).write_bytes(b"".join(one + b"\n" for one in notes))
    assert failed(path) == []
    with Ledger.open(path) as ledger:
        ledger.append([claim(2)])


# -- a disk that refuses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["write", "fdatasync", "ftruncate"])
def test_where_the_disk_refuses_a_checkpoint_nothing_is_acknowledged_and_nothing_lost(
    small: Small, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    before = journal_of(small.db).read_bytes()
    with monkeypatch.context() as patched:
        _refuse(patched, call)
        said = small.run("append", "Kupyansk", "RU", "--by", "tass", ok=1)
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert "No space left on device" in said.err and "already recorded is recognised" in said.err
    assert journal_of(small.db).read_bytes() == before
    again = small.run("append", "Kupyansk", "RU", "--by", "tass")
    assert again.out.startswith(f"already recorded at #{Small.EVENTS + 1}")
    assert written(small.db)[-1].size == Small.EVENTS + 1
    small.run("verify")


def _refuse(patched: pytest.MonkeyPatch, call: str) -> None:
    """A system call that fails while a checkpoint is written, half of it written where it writes."""

    def full(handle: int, *rest: object) -> int:
        if call == "write" and len(bytes(rest[0])) > 20:  # type: ignore[call-overload]
            return real(handle, bytes(rest[0])[:20])  # type: ignore[call-overload,no-any-return]
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = getattr(os, call)
    calls = {"n": 0}

    def once_then_full(handle: int, *rest: object) -> int:
        if call != "write":
            return full(handle)
        calls["n"] += 1
        if calls["n"] == 1:
            return full(handle, *rest)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    class Os:
        """The module, with one call that refuses."""

        def __getattr__(self, name: str) -> object:
            return once_then_full if name == call else getattr(os, name)

    patched.setattr(journal, "os", Os())


def test_a_disk_that_writes_little_at_a_time_is_written_to_until_it_is_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        real = os.write
        with monkeypatch.context() as patched:
            patched.setattr(journal.os, "write", lambda handle, data: real(handle, data[:7]))
            ledger.append([claim(1)])
    assert written(path)[-1].size == 8
    assert failed(path) == []


def test_somebody_who_keeps_the_checkpoints_locked_is_not_waited_for_for_ever(small: Small) -> None:
    fcntl = pytest.importorskip("fcntl")
    with journal_of(small.db).open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        said = small.run("append", "Kupyansk", "RU", "--by", "tass", ok=7, CLAIMS_LOCK_TIMEOUT="0.1")
    assert "nothing is acknowledged" in said.err
    assert small.run("append", "Kupyansk", "RU", "--by", "tass").out.startswith("already recorded")
    assert written(small.db)[-1].size == Small.EVENTS + 1


def test_a_folder_of_keys_that_cannot_remember_does_no_harm(tmp_path: Path, drawer: Path) -> None:
    path = tmp_path / "a.db"
    with begun(path) as ledger:
        shutil.rmtree(drawer / "latest")
        (drawer / "latest").write_text("in the way")
        ledger.append([claim(1)])
    assert failed(path) == []


# -- several at once ---------------------------------------------------------------------------------------------

_WRITER = """
import sys
from pathlib import Path
from ledger.book import Ledger
from tests.ledger.signed import claim
for number in range(8):
    with Ledger.open(Path(sys.argv[1])) as ledger:
        ledger.append([claim(f"{sys.argv[2]}-{number}")])
"""


def test_two_processes_that_append_at_once_leave_checkpoints_that_only_grow(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    begun(path).close()
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, path, name], env=environment, stderr=subprocess.PIPE)
        for name in "ab"
    ]
    for writer in writers:
        _, said = writer.communicate(timeout=100)
        assert writer.returncode == 0, said.decode()
    sizes = [one.size for one in written(path)]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == 7 + 16
    assert failed(path) == []


# -- units: keys ------------------------------------------------------------------------------------------------


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_is_readable_by_its_owner_alone_in_a_folder_of_the_owner_s(
    tmp_path: Path, drawer: Path
) -> None:
    before = os.umask(0)
    try:
        with begun(tmp_path / "a.db", encrypted=True) as ledger:
            ledger.append([claim(1)])
    finally:
        os.umask(before)
    files = [one for one in drawer.rglob("*") if one.suffix == ".key"]
    assert len(files) >= 2
    assert {_mode(one) for one in files} == {0o600}
    assert {_mode(one) for one in (drawer, drawer.parent, drawer / "bodies", drawer / "latest")} == {0o700}
    assert not list(drawer.rglob(".*"))


def test_a_key_is_found_again_and_is_the_same(tmp_path: Path, drawer: Path) -> None:
    key, place = make("test", tmp_path / "a.db")
    assert key.name == f"claim-ledger/test/{key.public[:4].hex()}"
    assert place.parent == drawer
    assert load(key).public_key().public_bytes_raw() == key.public
    assert public_of(key.name) == [key]
    assert keys.is_here(key)


def test_a_key_that_is_not_there_or_another_is_refused_with_a_remedy(tmp_path: Path, drawer: Path) -> None:
    key, place = make("test", tmp_path / "a.db")
    _, other_place = make("test", tmp_path / "a.db")
    shutil.copyfile(other_place, place)
    for spoil in (lambda: None, lambda: place.write_text("noise"), place.unlink, place.mkdir):
        spoil()
        with pytest.raises(LedgerError, match="nothing was recorded") as caught:
            load(key)
        assert "--new-origin" in str(caught.value) and str(place) in str(caught.value)
        assert not keys.is_here(key)
        assert key not in public_of(key.name)


def test_a_name_with_slashes_and_dots_is_one_file_in_the_folder(drawer: Path) -> None:
    for name in ("../../etc/passwd", "/etc/passwd", "a/../../b", ".", ".."):
        assert place_of(name).parent == drawer
        assert place_of(name).resolve().parent == drawer.resolve()


def test_a_folder_of_keys_beside_the_database_is_refused(claims: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in (tmp_path, tmp_path / "sub" / "..", tmp_path / "link"):
        said = claims.run("init", tmp_path / "a.db", CLAIMS_KEYS=str(folder), ok=2)
        assert "the database's own folder" in said.err
        assert [one.name for one in tmp_path.iterdir()] == ["link"]


def test_what_a_process_that_died_left_in_the_folder_is_not_in_the_way(drawer: Path) -> None:
    left = drawer / f".a.key.{os.getpid()}"
    left.parent.mkdir(parents=True)
    left.write_text("half")
    keys.write_secret(drawer / "a.key", b"whole")
    assert {one.name: one.read_bytes() for one in drawer.iterdir()} == {"a.key": b"whole"}


def test_a_key_is_never_written_over(tmp_path: Path, drawer: Path) -> None:
    _, place = make("test", tmp_path / "a.db")
    before = place.read_bytes()
    with pytest.raises(WriteFailed, match="there is a key already"):
        keys.write_secret(place, b"other")
    assert place.read_bytes() == before
    assert [one.name for one in drawer.iterdir()] == [place.name]


def test_a_folder_that_cannot_be_made_is_said_so_and_no_ledger_is_left(
    claims: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    said = claims.run("init", tmp_path / "a.db", CLAIMS_KEYS=str(tmp_path / "file" / "keys"), ok=1)
    assert "the key cannot be written" in said.err and len(said.err.splitlines()) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


# -- units: the file of checkpoints ----------------------------------------------------------------------------

NOTE = "log\n7\nAAAA\n\n— log BBBB\n".encode()


def _file(tmp_path: Path, content: bytes) -> Journal:
    found = Journal(tmp_path / "a.db")
    found.path.write_bytes(content)
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 3_000])
@pytest.mark.parametrize("rest", [b"", b"log\n8", b"\n", "— ".encode()])
def test_the_last_whole_note_and_what_follows_it_are_told_apart(
    tmp_path: Path, count: int, rest: bytes
) -> None:
    found = _file(tmp_path, (NOTE + b"\n") * count + rest)
    tail = found.tail()
    assert (tail.note, tail.end, tail.rest) == (NOTE if count else None, count * (len(NOTE) + 1), rest)
    assert list(found.notes()) == [NOTE] * count


def test_no_file_is_said_so_and_none_is_made_by_looking(tmp_path: Path) -> None:
    found = Journal(tmp_path / "a.db")
    for look in (found.tail, lambda: list(found.notes())):
        with pytest.raises(Unverified, match="checkpoints are gone"):
            look()
    assert not found.exists()


def test_a_file_of_many_lines_that_are_no_notes_is_refused_and_not_read_whole(tmp_path: Path) -> None:
    found = _file(tmp_path, b"line\n" * 100_000)
    with pytest.raises(Unverified, match="no checkpoint"):
        list(found.notes())
    with pytest.raises(Unverified, match="no checkpoint"):
        found.tail()


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    found = Journal(tmp_path / "a.db")
    found.path.mkdir()
    with pytest.raises(Unverified, match="a folder"):
        found.tail()
    with pytest.raises((WriteFailed, Unverified)), found.appending(0.1):
        pass


def test_appending_drops_what_a_crash_left_and_only_that(tmp_path: Path) -> None:
    found = _file(tmp_path, NOTE + b"\nlog\n8")
    with found.appending(1.0) as file:
        file.append(NOTE, file.tail().end)
    assert found.path.read_bytes() == (NOTE + b"\n") * 2


def test_two_do_not_append_at_once(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    found = _file(tmp_path, b"")
    with found.appending(1.0), pytest.raises(Locked), found.appending(0.05):
        pass
    with found.appending(0.05):
        pass


def test_a_beginning_is_that_of_the_very_note_that_would_have_been_written() -> None:
    def note(size: int) -> bytes | None:
        return NOTE if size == 7 else None

    assert all(is_beginning(NOTE[:end], note, "log") for end in range(len(NOTE) + 1))
    assert is_beginning(NOTE + b"\n", note, "log")
    assert is_beginning(NOTE[:9] + bytes(100), note, "log")
    for lie in (
        b"lot",
        b"log\nx",
        b"log\n8\n",
        b"log\n7\nB",
        NOTE + b"\n\n",
        NOTE + b"x",
        b"\0log\n7",
        b"log\n7\n\0A",
    ):
        assert not is_beginning(lie, note, "log"), lie


def test_what_a_stored_key_became_is_said_and_no_traceback(small: Small) -> None:
    for value in ("", "noise", "a+b+c"):
        with plain(small.db) as raw:
            raw.execute("UPDATE ledger_setting SET value = ? WHERE name = 'origins'", (value,))
        small.run("verify", ok=6)
    with plain(small.db) as raw:
        raw.execute("UPDATE ledger_setting SET value = 'noise' WHERE name = 'signed'")
    assert "damaged" in small.run("verify", ok=6).err + small.run("verify", ok=6).out
    assert "damaged" in small.refuses("place", "x", "--name", "X", code=6)


def test_a_key_of_another_name_does_not_pass_for_the_one_that_is_stored(tmp_path: Path) -> None:
    path = signed(tmp_path)
    key = notary_of(path).key
    other = PublicKey(key.name, make("test", tmp_path / "b.db")[0].public)
    with plain(path) as raw:
        raw.execute("UPDATE ledger_setting SET value = ?", (str(other),))
    assert failed(path)
    with pytest.raises(Unverified, match="damaged"):
        notary.Notary(path, other).last()
