"""Erasing a text: no byte of it is left anywhere, what leans on it is shown before, and the proof holds."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger import redaction
from ledger.book import Draft, Ledger
from ledger.errors import LedgerError, Locked, UnknownName
from ledger.store.sqlite import durability as sqlite_durability
from ledger.store.sqlite.store import SqliteStore
from tests.conftest import CommandLine, Said
from tests.copies import copy_ledger
from tests.ledger.signed import begun, claim, plain

#: Long enough to lie on pages of its own, and never compressed.
SECRET = "Olena Example lives at 5 Station Street " * 200
MARK = b"Olena Example"
NAME = "Vulnerable Witness"


class Told:
    """A ledger in which somebody was quoted, and the command line bound to it. Claims are #6 and behind."""

    def __init__(self, claims: CommandLine, folder: Path, *, encrypted: bool) -> None:
        self.folder = folder
        self.db = folder / "told.db"
        self.encrypted = encrypted
        self.keys = folder / "keys" / "here"
        self._claims = claims
        self.run(
            "init", self.db, "--party", "RU", "--party", "UA", *(["--encrypt"] if encrypted else []), db=None
        )
        self.run("place", "town", "--name", "Town")
        self.run("source", "witness", "--name", NAME)
        self.claim = self.entry("RU", "2025-11-20", "--quote", SECRET, "--url", "https://example.org/olena")
        self.other = self.entry("UA", "2025-11-21", "--quote", "harmless words of the same witness")

    def run(self, *args: object, db: Path | bool | None = True, ok: int = 0, stdin: str = "") -> Said:
        where = self.db if db is True else db or None
        return self._claims.run(*args, db=where, ok=ok, stdin=stdin, CLAIMS_KEYS=str(self.keys))

    def json(self, *args: object, db: Path | None = None) -> dict:  # type: ignore[type-arg]
        return json.loads(self.run(*args, "--json", db=db or True).out)

    def entry(self, state: str, said: str, *more: object) -> str:
        made = self.json("append", "Town", state, "--by", "witness", "--said", said, *more)
        return str(made["receipts"][0]["entry"])

    def files_with(self, mark: bytes) -> list[str]:
        """Every file below the folder that holds these bytes, in any of the ways a text may be written."""
        ways = {
            mark,
            mark.decode().encode("utf-16-le"),
            mark.hex().encode(),
            json.dumps(mark.decode()).encode(),
        }
        return sorted(
            str(one.relative_to(self.folder))
            for one in self.folder.rglob("*")
            if one.is_file() and any(way in one.read_bytes() for way in ways)
        )


@pytest.fixture(params=[False, True], ids=["clear", "encrypted"])
def told(request: pytest.FixtureRequest, claims: CommandLine, tmp_path: Path) -> Told:
    return Told(claims, tmp_path, encrypted=request.param)


@pytest.fixture
def with_log(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = sqlite_durability.Durability("wal", "full", "asked for by a test")
    monkeypatch.setattr(sqlite_durability, "durability_for", lambda *_: chosen)


# -- as a user -------------------------------------------------------------------------------------------------


def _asked(told: Told) -> None:
    """Everything that may keep something beside the ledger."""
    told.run("replay")
    for command in (
        *(("as-of", "2025-12-01", "Town"), ("why", "2025-12-01", "Town"), ("timeline", "Town"), ("sources",)),
        *(("places",), ("log",), ("show", told.claim), ("verify",), ("checkpoint",), ("receipt", told.claim)),
    ):
        told.run(*command)


def test_no_byte_of_an_erased_text_is_left_in_any_file(told: Told) -> None:
    _asked(told)
    if not told.encrypted:
        assert told.files_with(MARK) != []
    told.run("redact", told.claim, "--yes", "--ground", "a person at risk")
    assert told.files_with(MARK) == []
    _asked(told)
    assert told.files_with(MARK) == []
    assert told.files_with(b"example.org/olena") == []
    assert told.json("verify")["verified"] is True
    assert told.json("show", told.claim)["erased"] is True


def test_no_byte_is_left_where_a_write_ahead_log_is_used(
    with_log: None, claims: CommandLine, tmp_path: Path
) -> None:
    told = Told(claims, tmp_path, encrypted=False)
    with SqliteStore.open(told.db) as open_meanwhile:  # so that the log is not merged by closing
        assert open_meanwhile.durability() == ("wal", "full")
        told.run("redact", told.claim, "--yes")
        assert told.files_with(MARK) == []
    assert told.files_with(MARK) == []


def test_the_texts_of_its_corrections_go_as_well(told: Told) -> None:
    told.run("correct", told.claim, "--set", f"quote={SECRET}again", "--reason", "misheard Olena Example")
    told.run("correct", told.claim, "--set", "said=2025-11-19", "--reason", "Olena Example said so")
    done = told.json("redact", told.claim, "--yes")
    assert [one["event"] for one in done["erased"]] == [
        "claim-reported",
        "entry-corrected",
        "entry-corrected",
    ]
    assert MARK.decode() not in json.dumps(done)
    assert told.files_with(MARK) == []
    assert told.json("show", told.claim)["corrected"]["said"] == "2025-11-19"
    assert told.json("verify")["verified"] is True


def test_what_leans_on_it_is_shown_before(told: Told) -> None:
    told.run("judge", told.claim, "false", "--by", "anna")
    told.run("correct", told.claim, "--set", "said=2025-11-19")
    before = told.db.read_bytes()
    answer = told.json("redact", told.claim, "--dry-run")
    assert answer["done"] is False
    assert answer["erased"][0]["fields"]["quote"].strip() == SECRET.strip()
    assert {one["event"] for one in answer["dependents"]} == {"claim-adjudicated", "entry-corrected"}
    assert {one["how"] for one in answer["dependents"]} == {"target"}
    assert answer["kept"]["state"] == "RU"
    assert told.db.read_bytes() == before
    shown = told.run("redact", told.claim, "--dry-run").out
    assert "would be erased" in shown and "leans on it: #" in shown


def test_how_many_name_a_source_is_shown_before_its_name_goes(told: Told) -> None:
    assert told.json("redact", "source:witness", "--dry-run")["named"] == 2
    told.run("redact", "source:witness", "--yes")
    assert told.files_with(NAME.encode()) == []
    told.run("append", "Town", "UA", "--by", NAME, ok=3)
    told.run("append", "Town", "UA", "--by", "witness", "--key", "still")
    assert told.json("verify")["verified"] is True


def test_other_texts_of_the_source_are_still_readable(told: Told) -> None:
    answer = told.json("redact", told.claim, "--yes")
    assert answer["resealed"] == (2 if told.encrypted else None)
    assert told.json("show", told.other)["body"]["quote"] == "harmless words of the same witness"
    assert told.json("show", "source:witness")["body"]["names"] == [NAME]
    told.run("append", "Town", "RU", "--by", NAME, "--quote", "later words", "--key", "later")
    assert told.json("verify")["verified"] is True


def test_done_again_it_is_swept_again_and_nothing_more_is_recorded(told: Told) -> None:
    told.run("redact", told.claim, "--yes")
    position = told.json("verify")["position"]
    said = told.run("redact", told.claim)  # nothing is left to ask about
    assert "was redacted before" in said.err
    assert "was erased before" in said.out
    assert told.json("verify")["position"] == position


def test_a_redaction_that_died_before_the_file_was_rewritten_is_finished_by_the_next(told: Told) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(redaction, "_sweep", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        told.run("redact", told.claim, "--yes", ok=130)
    assert told.json("show", told.claim)["erased"] is True
    told.run("redact", told.claim, "--yes")
    assert told.files_with(MARK) == []
    assert told.json("verify")["verified"] is True


def test_off_a_terminal_nothing_is_erased_without_yes(told: Told) -> None:
    before = told.db.read_bytes()
    said = told.run("redact", told.claim, ok=2)
    assert "say --yes" in said.err
    assert "would be erased" in said.out
    for stdin in ("y\n", "yes\n", ""):
        told.run("redact", told.claim, ok=2, stdin=stdin)
    assert told.db.read_bytes() == before
    assert told.json("show", told.claim)["body"]["quote"].strip() == SECRET.strip()


@pytest.mark.parametrize(
    ("entry", "code", "words"),
    [
        ("party:RU", 1, "has no body"),
        ("#1", 1, "has no body"),
        ("c-nothing", 3, "no entry"),
        ("#99", 3, "no event"),
    ],
)
def test_what_cannot_be_erased_is_refused(
    claims: CommandLine, tmp_path: Path, entry: str, code: int, words: str
) -> None:
    told = Told(claims, tmp_path, encrypted=False)
    before = told.db.read_bytes()
    said = told.run("redact", entry, "--yes", ok=code)
    assert words in said.err
    assert told.db.read_bytes() == before


def test_an_unknown_source_that_decides_is_refused_before_anything_is_erased(told: Told) -> None:
    told.run("redact", told.claim, "--yes", "--by", "nobody of that name", ok=3)
    assert told.json("show", told.claim)["body"]


def test_who_decided_and_why_is_recorded(told: Told) -> None:
    told.run("redact", told.claim, "--yes", "--by", "witness", "--ground", "she asked", "--actor", "anna")
    (befell,) = told.json("show", told.claim)["befell"]
    assert befell["type"] == "entry-redacted/1"
    assert (befell["fields"]["by"], befell["fields"]["ground"]) == ("witness", "she asked")


def test_the_same_claim_said_again_is_recognised_and_its_text_does_not_come_back(told: Told) -> None:
    told.run("redact", told.claim, "--yes")
    again = ("append", "Town", "RU", "--by", "witness", "--said", "2025-11-20")
    said = told.run(*again, "--quote", SECRET, "--url", "https://example.org/olena")
    assert said.out.startswith("already recorded (redacted)")
    assert told.files_with(MARK) == []


def test_an_export_after_it_restores_and_verifies_without_the_text(told: Told) -> None:
    told.run("redact", told.claim, "--yes")
    text = told.run("export").out
    assert MARK.decode() not in text
    new = told.folder / "new.db"
    told.run("restore", "-", db=new, stdin=text)
    assert told.json("verify", db=new)["verified"] is True
    assert told.json("show", told.claim, db=new)["erased"] is True
    assert told.json("show", told.other, db=new)["body"]["quote"] == "harmless words of the same witness"
    assert told.run("export", db=new).out == text


def test_a_receipt_given_before_still_verifies(told: Told) -> None:
    told.run("receipt", told.claim, "-o", "before.tlog-proof", ok=0)
    told.run("redact", told.claim, "--yes")
    told.run("verify", "--receipt", "before.tlog-proof")
    (Path(told._claims.folder) / "before.tlog-proof").unlink()


# -- copies made before --------------------------------------------------------------------------------------------


def test_a_copy_made_before_cannot_be_read_for_it_any_more_where_texts_are_encrypted(
    claims: CommandLine, tmp_path: Path
) -> None:
    told = Told(claims, tmp_path, encrypted=True)
    copy = copy_ledger(told.db, tmp_path / "before.db")
    assert told.json("show", told.claim, db=copy)["body"]["quote"].strip() == SECRET.strip()
    before = {one.name for one in (told.keys / "bodies").iterdir()}
    told.run("redact", told.claim, "--yes")
    after = {one.name for one in (told.keys / "bodies").iterdir()}
    assert before.isdisjoint(after) and len(after) == 1
    assert told.json("show", told.claim, db=copy)["body"] == {}
    assert told.json("show", told.other, db=copy)["body"] == {}
    assert told.json("verify", db=copy)["verified"] is True


def test_a_copy_in_clear_that_was_made_before_keeps_it_as_is_said(
    claims: CommandLine, tmp_path: Path
) -> None:
    told = Told(claims, tmp_path, encrypted=False)
    copy = copy_ledger(told.db, tmp_path / "before.db")
    told.run("redact", told.claim, "--yes")
    assert told.files_with(MARK) == [copy.name]


def test_where_another_text_s_key_is_missing_nothing_is_erased(claims: CommandLine, tmp_path: Path) -> None:
    told = Told(claims, tmp_path, encrypted=True)
    kept = tmp_path / "kept"
    shutil.move(told.keys / "bodies", kept)
    (told.keys / "bodies").mkdir()
    said = told.run("redact", told.claim, "--yes", ok=1)
    assert "Put the key back" in said.err
    for one in kept.iterdir():
        shutil.copy(one, told.keys / "bodies" / one.name)
    assert told.json("show", told.claim)["body"]["quote"].strip() == SECRET.strip()
    told.run("redact", told.claim, "--yes")
    assert told.json("show", told.other)["body"]["quote"] == "harmless words of the same witness"


# -- units --------------------------------------------------------------------------------------------------------


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with begun(tmp_path / "a.db") as made:
        made.append([claim(number) for number in range(4)])
        yield made


def test_an_entry_is_found_by_its_beginning_and_by_its_number(ledger: Ledger) -> None:
    event = ledger.event(9)
    assert event is not None
    for text in (event.entry, event.entry[:8], "#9"):
        assert redaction.preview(ledger, text).positions == [9]
    with pytest.raises(UnknownName):
        redaction.preview(ledger, "c-none")


def test_a_correction_alone_can_be_erased(ledger: Ledger) -> None:
    event = ledger.event(9)
    assert event is not None
    ledger.append(
        [
            Draft.of(
                "entry-corrected",
                {"target": event.entry, "changes": {"said": "2025-01-03"}},
                {"reason": "a name"},
            )
        ]
    )
    plan = redaction.preview(ledger, f"{event.entry}@2")
    assert plan.positions == [12]
    redaction.redact(ledger, plan)
    assert ledger.body(12) == {} and ledger.body(9) == {"quote": "words 1"}
    redaction.check_gone(ledger, plan)


def test_what_was_not_erased_is_said_to_be_there(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match="#9 is still there"):
        redaction.check_gone(ledger, redaction.preview(ledger, "#9"))


def test_somebody_who_reads_meanwhile_keeps_the_file_from_being_rewritten_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLAIMS_LOCK_TIMEOUT", "0.1")
    path = tmp_path / "a.db"
    with begun(path) as made:
        made.append([claim(1)])
        with closing(plain(path)) as reader:
            plan = redaction.preview(made, "#8")
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM stored_events").fetchone()
            with pytest.raises(Locked):
                redaction.redact(made, plan)
            reader.execute("ROLLBACK")
        receipts = redaction.redact(made, redaction.preview(made, "#8"))
        assert all(one.status in ("new", "already") for one in receipts)
        assert made.store.body(8) is None
    assert b"words 1" not in path.read_bytes()


def test_the_counter_of_free_pages_is_nought_afterwards(ledger: Ledger, tmp_path: Path) -> None:
    redaction.redact(ledger, redaction.preview(ledger, "#9"))
    with closing(sqlite3.connect(tmp_path / "a.db")) as raw:
        assert raw.execute("PRAGMA freelist_count").fetchone() == (0,)
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)
