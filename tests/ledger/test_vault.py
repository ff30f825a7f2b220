"""Bodies under keys of their owners: readable with the key, by nobody without it, and never again once it is gone."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import redaction
from ledger.book import Ledger
from ledger.errors import Unverified, WriteFailed
from ledger.integrity import keys
from ledger.integrity.vault import NOBODY, Vault, owner_of
from ledger.store.base import EncryptedBody, SealedBody
from tests.conftest import CommandLine
from tests.ledger.signed import FIRST, begun, claim, plain, signed

BODY = SealedBody(b"s" * 32, '{"quote":"ми"}'.encode())


@pytest.fixture(autouse=True)
def drawer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "keys"
    monkeypatch.setenv("CLAIMS_KEYS", str(path))
    return path


@pytest.fixture
def vault() -> Vault:
    return Vault("test", os.urandom)


def again() -> Vault:
    """Another process."""
    return Vault("test", os.urandom)


# -- as a user ------------------------------------------------------------------------------------------------


@pytest.fixture
def secret(claims: CommandLine, tmp_path: Path) -> Path:
    db = tmp_path / "secret.db"
    claims.run("init", db, "--encrypt", "--party", "RU", "--party", "UA")
    claims.run("place", "town", "--name", "Town", db=db)
    claims.run("source", "s", "--name", "Hidden Name", db=db)
    claims.run("append", "Town", "RU", "--by", "s", "--quote", "spoken softly", db=db)
    return db


def test_no_text_of_an_encrypted_ledger_lies_in_any_file(secret: Path, tmp_path: Path) -> None:
    found = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert b"spoken softly" not in found
    assert b"Hidden Name" not in found


def test_an_encrypted_ledger_reads_like_any_other_where_its_keys_are(
    claims: CommandLine, secret: Path
) -> None:
    assert claims("show", "#6", db=secret)["body"]["quote"] == "spoken softly"
    again = claims.run("append", "Town", "RU", "--by", "Hidden Name", "--quote", "spoken softly", db=secret)
    assert again.out.startswith("already recorded")
    claims.run("append", "Town", "RU", "--by", "s", "--quote", "shouted", db=secret, ok=1)
    claims.run("verify", db=secret)


def test_without_the_keys_the_texts_are_gone_and_the_record_verifies(
    claims: CommandLine, secret: Path, tmp_path: Path
) -> None:
    elsewhere = str(tmp_path / "none")
    shown = claims("show", "#6", db=secret, CLAIMS_KEYS=elsewhere)
    assert shown["body"] == {}
    answer = claims("verify", db=secret, CLAIMS_KEYS=elsewhere)
    bodies = next(one["detail"] for one in answer["checks"] if one["check"] == "bodies")
    assert "of them not compared: their keys are not here" in bodies
    claims.run("append", "Town", "UA", "--by", "s", db=secret, CLAIMS_KEYS=elsewhere, ok=1)


def test_an_export_of_an_encrypted_ledger_holds_no_text_and_restores(
    claims: CommandLine, secret: Path, tmp_path: Path
) -> None:
    text = claims.run("export", db=secret).out
    assert "spoken softly" not in text and "Hidden Name" not in text
    new = tmp_path / "new.db"
    claims.run("restore", "-", db=new, stdin=text)
    assert claims("show", "#6", db=new)["body"]["quote"] == "spoken softly"
    claims.run("append", "Town", "UA", "--by", "s", "--quote", "and again", db=new)
    assert b"and again" not in new.read_bytes()
    claims.run("verify", db=new)


def test_two_sources_have_keys_of_their_own(claims: CommandLine, secret: Path) -> None:
    claims.run("source", "t", "--name", "Other", db=secret)
    claims.run("append", "Town", "UA", "--by", "t", "--quote", "said t", db=secret)
    with Ledger.open(secret, readonly=True) as ledger:
        used = {at: body.key for at, body in ledger.store.bodies() if isinstance(body, EncryptedBody)}
    assert used[5] == used[6] != used[7] == used[8]


# -- sealing and opening ---------------------------------------------------------------------------------------


def test_what_was_sealed_is_opened_by_another_process(vault: Vault) -> None:
    made = vault.seal("s:1", BODY)
    assert again().open(made) == BODY
    assert BODY.text not in made.sealed and BODY.salt not in made.sealed


@given(st.binary(max_size=200), st.binary(min_size=32, max_size=32))
def test_any_body_comes_back(text: bytes, salt: bytes) -> None:
    keep = Vault("test", os.urandom)
    assert keep.open(keep.seal("s:1", SealedBody(salt, text))) == SealedBody(salt, text)


def test_the_same_body_is_never_sealed_to_the_same_bytes(vault: Vault) -> None:
    made = {vault.seal("s:1", BODY).sealed for _ in range(200)}
    assert len({one[:12] for one in made}) == 200


def test_a_body_in_clear_and_none_at_all_pass_through(vault: Vault) -> None:
    assert vault.open(BODY) == BODY
    assert vault.open(None) is None


LIES: dict[str, Callable[[EncryptedBody], EncryptedBody]] = {
    "a bit turned": lambda one: EncryptedBody(one.key, one.sealed[:-1] + bytes([one.sealed[-1] ^ 1])),
    "another nonce": lambda one: EncryptedBody(one.key, bytes(12) + one.sealed[12:]),
    "cut short": lambda one: EncryptedBody(one.key, one.sealed[:-1]),
    "a nonce alone": lambda one: EncryptedBody(one.key, one.sealed[:12]),
    "half a nonce": lambda one: EncryptedBody(one.key, one.sealed[:5]),
    "nothing": lambda one: EncryptedBody(one.key, b""),
    "a byte more": lambda one: EncryptedBody(one.key, one.sealed + b"\0"),
    "noise": lambda one: EncryptedBody(one.key, b"x" * 99),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_seal_that_was_changed_is_not_opened(vault: Vault, lie: str) -> None:
    with pytest.raises(Unverified, match="does not open it"):
        vault.open(LIES[lie](vault.seal("s:1", BODY)))


def test_a_seal_is_bound_to_the_name_of_its_key(vault: Vault) -> None:
    made = vault.seal("s:1", BODY)
    name = vault.renew("s:1")
    vault._known[name] = vault._known[made.key]
    with pytest.raises(Unverified):
        vault.open(EncryptedBody(name, made.sealed))


def test_a_key_under_the_name_of_another_is_as_good_as_none(vault: Vault, drawer: Path) -> None:
    made = vault.seal("s:1", BODY)
    other = vault.renew("s:2")
    shutil.copyfile(drawer / "bodies" / f"{other}.key", drawer / "bodies" / f"{made.key}.key")
    assert again().open(made) is None


def test_where_keys_are_missing_the_new_ones_take_no_name_of_theirs(vault: Vault, drawer: Path) -> None:
    """They may be put back later, and then both open what they sealed."""
    old = vault.seal("s:1", BODY)
    (drawer / "bodies").rename(drawer / "away")
    new = again().seal("s:1", BODY)
    assert new.key != old.key
    assert again().open(old) is None
    for one in (drawer / "away").iterdir():
        one.rename(drawer / "bodies" / one.name)
    assert again().open(old) == again().open(new) == BODY


def test_a_ledger_that_stayed_open_seals_nothing_under_a_key_that_was_thrown_away(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with begun(path, encrypted=True) as stays:
        stays.append([claim(1), claim(2)])
        with Ledger.open(path) as other:
            redaction.redact(other, redaction.preview(other, f"#{FIRST}"))
        stays.append([claim(3)])
    with Ledger.open(path, readonly=True) as ledger:
        assert ledger.body(FIRST + 3) == {"quote": "words 3"}
        assert ledger.body(FIRST + 1) == {"quote": "words 2"}


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "../test",
        "/etc/passwd",
        "a" * 32,
        f"{'a' * 32}-0",
        f"{'a' * 32}-x",
        f"{'A' * 32}-1",
        "\0",
    ],
)
def test_a_name_out_of_a_hostile_database_opens_no_other_file(vault: Vault, drawer: Path, name: str) -> None:
    drawer.mkdir(exist_ok=True)
    (drawer / "test.key").write_text("00" * 32)
    assert vault.open(EncryptedBody(name, b"x" * 60)) is None
    assert not vault.has(name)


@pytest.mark.parametrize("content", [b"", b"noise", b"00" * 31, b"00" * 33, b"\xff" * 64])
def test_a_key_file_that_holds_no_key_is_as_good_as_none(vault: Vault, drawer: Path, content: bytes) -> None:
    made = vault.seal("s:1", BODY)
    (drawer / "bodies" / f"{made.key}.key").write_bytes(content)
    assert again().open(made) is None


# -- keys come and go -------------------------------------------------------------------------------------------


def test_a_renewed_key_seals_what_comes_and_the_old_one_still_opens(vault: Vault) -> None:
    old = vault.seal("s:1", BODY)
    name = vault.renew("s:1")
    new = vault.seal("s:1", BODY)
    assert new.key == name != old.key
    assert again().open(old) == again().open(new) == BODY
    assert again().seal("s:1", BODY).key == name
    assert again().generations("s:1") == sorted([old.key, name])


def test_generations_are_counted_and_not_spelled(vault: Vault) -> None:
    for _ in range(11):
        vault.renew("s:1")
    newest = again().newest("s:1")
    assert newest is not None and newest.split("-")[1] == "11"


def test_what_a_forgotten_key_sealed_is_gone(vault: Vault, drawer: Path) -> None:
    made = vault.seal("s:1", BODY)
    vault.forget(made.key)
    assert vault.open(made) is None and again().open(made) is None
    assert list((drawer / "bodies").iterdir()) == []
    vault.forget(made.key)  # done again, nothing happens


def test_a_key_that_cannot_be_erased_is_said_so(vault: Vault, drawer: Path) -> None:
    made = vault.seal("s:1", BODY)
    place = drawer / "bodies" / f"{made.key}.key"
    place.unlink()
    place.mkdir()
    with pytest.raises(WriteFailed, match="cannot be erased"):
        vault.forget(made.key)


def test_owners_and_ledgers_never_share_a_key(vault: Vault) -> None:
    other = Vault("other", os.urandom)
    made = {one.seal(owner, BODY).key for one in (vault, other) for owner in ("s:1", "s:2", NOBODY)}
    assert len(made) == 6
    assert "s:1" not in "".join(made)


def test_keys_are_the_owner_s_alone(vault: Vault, drawer: Path) -> None:
    vault.seal("s:1", BODY)
    (found,) = (drawer / "bodies").iterdir()
    assert stat.S_IMODE(found.stat().st_mode) == 0o600
    assert stat.S_IMODE((drawer / "bodies").stat().st_mode) == 0o700
    assert keys.folder() == drawer


def test_an_entry_s_text_belongs_to_whoever_said_it() -> None:
    assert owner_of("claim-reported", {"claimant": "s:1", "source": "s:2"}) == "s:1"
    assert owner_of("evidence-reported", {"source": "s:2"}) == "s:2"
    assert owner_of("source-registered", {"source": "s:2"}) == "s:2"
    for name, data in (("place-registered", {"source": "s:2"}), ("claim-reported", {}), ("x", {"source": 5})):
        assert owner_of(name, data) == NOBODY


def test_a_correction_takes_the_key_of_what_it_corrects(tmp_path: Path) -> None:
    from ledger.book import Draft

    with begun(tmp_path / "a.db", encrypted=True) as ledger:
        entry = ledger.append([claim(1)])[0].entry
        ledger.append(
            [
                Draft.of(
                    "entry-corrected", {"target": entry, "changes": {"said": "2025-01-04"}}, {"reason": "x"}
                )
            ]
        )
        used = [body.key for _, body in ledger.store.bodies(FIRST) if isinstance(body, EncryptedBody)]
    assert len(used) == 2 and len(set(used)) == 1


def test_the_salt_of_an_encrypted_body_is_in_no_column(tmp_path: Path) -> None:
    path = signed(tmp_path, encrypted=True)
    with plain(path) as raw:
        assert raw.execute("SELECT count(*) FROM ledger_body").fetchone() == (0,)
        assert raw.execute("SELECT count(*) FROM ledger_cipher").fetchone()[0] > 200
