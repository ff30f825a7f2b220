"""What somebody may do who hands us a file: nothing in it runs, is fetched, steers a terminal or leads elsewhere.

The table "Hostile input", row by row, against every command. ``fixtures/errors`` has the mistakes worth a reproduction,
``tests/ledger/test_importing_reading.py`` the hostile lines one by one, ``tests/ledger/test_text.py`` the characters.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger import backup, errors
from ledger.book import Ledger
from ledger.errors import Unverified
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.journal import Journal
from ledger.integrity.note import PublicKey
from ledger.store.base import EncryptedBody, NewRow, SealedBody
from ledger.store.sqlite.store import SqliteStore
from ledger.text import visible
from tests.conftest import CommandLine, InProcess, Said
from tests.ledger.small import TOWN, Small
from tests.test_errors import console_script, files_in, quiet

#: The clipboard, a colour by C1, an override of the direction, a space without a width.
STEERS = "\x1b]52;c;aGk=\x07\x9b31m\u202e\u200b"
CLOCK = "2035-01-01T00:00:00.000000Z"
REFUSED = (errors.FAILED, errors.UNKNOWN, errors.UNVERIFIED)

#: Every command that reads a ledger or makes something of one, and one that appends.
COMMANDS = (
    "as-of 2025-12-16",
    "why 2025-12-16 Kupyansk",
    "timeline Kupyansk",
    "panel 2025-12-15..2025-12-16",
    "sources",
    "places",
    "logic list",
    "log",
    "show #9",
    "export",
    "export --format csv",
    "export --redacted --round-coordinates",
    "verify",
    "verify --deep",
    "receipt #2",
    "checkpoint",
    "seal sealed.db",
    "redact #9 --dry-run",
    "append Kupyansk RU --by tass --said 2025-12-16 --dry-run",
    "checkpoint --new-origin",
)


@pytest.fixture
def claims(tmp_path: Path) -> CommandLine:
    """The command line, at work where the ledger lies."""
    return InProcess(tmp_path)


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    """The small ledger and a claim, #9."""
    made = Small(claims, tmp_path)
    made.claim("--quote", "words", "--url", "https://example.org/a")
    return made


def harmless(said: Said) -> None:
    """Nothing came through that steers a terminal, and no traceback."""
    assert "Traceback" not in said.err
    assert visible(said.err) == said.err
    assert visible(said.out) == said.out


def attempt(small: Small, line: str, **env: str) -> Said:
    """A command on the ledger, whatever its exit code: one of ours, and nothing that harms."""
    claims = InProcess(small.db.parent)
    argv = [*shlex.split(line, comments=False), "--db", str(small.db)]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMS_")}
    folder = str(small.db.parent)
    kept |= {
        "CLAIMS_KEYS": os.environ["CLAIMS_KEYS"],
        "XDG_CONFIG_HOME": folder,
        "CLAIMS_LOGICS": f"{folder}/l",
    }
    said = claims._run(argv, "", kept | env)
    harmless(said)
    assert said.code in (errors.OK, *REFUSED), (line, said)
    for made in small.db.parent.glob("sealed.db*"):
        made.unlink()
    return said


# -- lines -----------------------------------------------------------------------------------------------


def line(number: int, **more: Any) -> bytes:
    values = {"type": "claim-reported", "claimant": "tass", "place": TOWN, "state": "RU", "key": f"k{number}"}
    return orjson.dumps(values | {"said": "2025-12-16"} | more) + b"\n"


def spliced(fragment: bytes) -> bytes:
    """A claim with something between its fields."""
    return line(0).replace(b'"type"', fragment + b',"type"')


HOSTILE_LINES = {
    "a key twice": spliced(b'"state":"UA"'),
    "NaN": spliced(b'"share":NaN'),
    "2^64": spliced(b'"share":18446744073709551616'),
    "a lone surrogate": spliced(b'"body":{"note":"\\ud800"}'),
    "a surrogate in bytes": spliced(b'"body":{"note":"\xed\xa0\x80"}'),
    "a mark of byte order": b"\xef\xbb\xbf" + line(0),
    "deep nesting": spliced(b'"via":' + b"[" * 50_000 + b"]" * 50_000),
    "a line too long": spliced(b'"body":{"note":"' + b"x" * (1 << 20) + b'"}'),
    "no UTF-8": spliced(b'"body":{"note":"\xff"}'),
    "a NUL": spliced(b'"body":{"note":"\x00"}'),
    "fields of the stamp": spliced(b'"recorded":"2001-01-01T00:00:00Z","position":1'),
    "a type that is a module": line(0, type="os:system"),
    "the stock transcoder's keys": line(0, _type_="os:system", _data_="id"),
    "a path for an id": line(0, target="../../etc/passwd"),
}


def test_a_hostile_line_costs_itself_and_is_told_with_file_line_and_reason(small: Small) -> None:
    path, bad = small.db.with_name("mixed.jsonl"), small.db.with_name("bad.jsonl")
    lines = [one for n, hostile in enumerate(HOSTILE_LINES.values(), 1) for one in (line(n), hostile)]
    path.write_bytes(b"".join([*lines, line(99)]))
    answer = small.json("import", path, "--rejects", bad, ok=errors.REJECTED)
    assert (answer["new"], answer["rejected"]) == (len(HOSTILE_LINES) + 1, len(HOSTILE_LINES))
    assert [one["line"] for one in answer["rejects"]] == list(range(2, 2 * len(HOSTILE_LINES) + 1, 2))
    assert {one["file"] for one in answer["rejects"]} == {str(path)}
    assert all(one["reason"] for one in answer["rejects"])
    kept = bad.read_text("utf-8")
    assert [json.loads(one)["line"] for one in kept.splitlines()] == [
        one["line"] for one in answer["rejects"]
    ]
    assert visible(kept) == kept
    small.run("verify")


def test_keys_of_the_stock_transcoder_are_stored_as_they_were_written(small: Small) -> None:
    hostile = {"_type_": "ledger.book:Ledger", "_data_": {"_type_": "os:system", "_data_": "id"}}
    text = json.dumps(hostile)
    small.run("import", "-", stdin=line(1, body={"quote": text, "note": "_type_"}).decode())
    entry = small.json("log", "--limit", 1)["events"][0]["entry"]
    assert json.loads(small.show(entry)["body"]["quote"]) == hostile
    copy = small.db.with_name("copy.db")
    InProcess(small.db.parent).run("restore", "-", db=copy, stdin=small.run("export").out)
    with Ledger.open(small.db) as one, Ledger.open(copy) as other:
        assert one.body(10) == other.body(10) == {"quote": text, "note": "_type_"}


STREAMED = """
import os, sys
from projections.cli import run
from tests.bench.figures import peak_rss_mb  # its own: what the system counts for a child begins with its parent's
code = run(sys.argv[1:])
sys.stdout.flush()
os.write(2, b"peak %d\\n" % int(peak_rss_mb() * 1024))
sys.exit(code)
"""


def streamed(small: Small, words: list[str], begin: bytes, times: int, end: bytes) -> tuple[int, str, int]:
    """Exit code, stderr and peak memory in MiB of a command that reads 1 MiB of one line so many times."""
    running = subprocess.Popen(
        [sys.executable, "-c", STREAMED, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=small.db.parent,
        env=quiet() | {"PYTHONPATH": str(Path(errors.__file__).parents[1])},
    )
    assert running.stdin is not None and running.stderr is not None
    piece = b"x" * (1 << 20)
    try:
        running.stdin.write(begin)
        for _ in range(times):
            running.stdin.write(piece)
        running.stdin.write(end)
        running.stdin.close()
    except BrokenPipeError:
        pass
    said = running.stderr.read().decode()
    *said_lines, last = said.splitlines()
    running.stderr.close()
    return running.wait(timeout=60), "\n".join(said_lines), int(last.split()[1]) // 1024


def test_a_line_of_a_gibibyte_is_never_held_and_costs_itself(small: Small) -> None:
    words = ["import", "-", "--db", str(small.db)]
    code, said, peak = streamed(small, words, line(1), 1024, b"\n" + line(2))
    assert code == errors.REJECTED
    assert "-:2: the line passes 1,048,576 bytes" in said
    assert small.size == Small.EVENTS + 3
    assert peak < 400, f"{peak} MiB"


def test_an_export_that_never_ends_its_line_is_left_at_a_cap(small: Small) -> None:
    new = small.db.with_name("new.db")
    code, said, peak = streamed(small, ["restore", "-", "--db", str(new)], b"", 1024, b"")
    assert code == errors.UNVERIFIED
    assert "a line passes" in said
    assert not new.exists()
    assert peak < 500, f"{peak} MiB"


def test_of_an_export_only_so_many_bytes_are_held_at_a_time(tmp_path: Path) -> None:
    taken = 0

    def lines() -> Iterator[bytes]:
        nonlocal taken
        yield b'{"schema":"export/1","ledger":"x","size":9,"root":"00"}\n'
        for _ in range(200):
            taken += 1
            yield b"x" * (1 << 20)

    with SqliteStore.create(tmp_path / "new.db") as store, pytest.raises(Unverified):
        backup.load(lines(), store)
    assert taken < 20


def test_a_packed_file_is_opened_by_no_door(small: Small) -> None:
    """A few kilobytes that would become 64 MiB; what is made of them is a refusal in one line."""
    bomb = small.db.with_name("bomb.jsonl.gz")
    bomb.write_bytes(gzip.compress(b"x" * (64 << 20)))
    plain = small.db.with_name("bomb.jsonl")
    shutil.copy(bomb, plain)
    small.db.with_name("bomb.toml").write_bytes(zlib.compress(b"x" * 10_000))
    for words in (
        f"import {bomb}",
        f"import {bomb} --from jsonl",
        f"import {plain}",
        "import - --map bomb.toml",
        f"restore {plain} --db new.db",
        f"verify --receipt {bomb}",
        f"verify --checkpoint {bomb}",
        f"verify --key {bomb}",
        "as-of 2025-12-16 --params bomb.toml",
        f"as-of 2025-12-16 --with {plain}",
    ):
        claims = InProcess(small.db.parent)
        argv = shlex.split(words) if "--db" in words else [*shlex.split(words), "--db", str(small.db)]
        env = {"CLAIMS_KEYS": os.environ["CLAIMS_KEYS"], "XDG_CONFIG_HOME": str(small.db.parent)}
        said = claims._run(argv, "", env | {"PATH": os.environ["PATH"]})
        assert said.code in (errors.USAGE, errors.FAILED, errors.UNVERIFIED), (words, said)
        harmless(said)
        assert said.err.count("\n") == 1
    assert small.size == Small.EVENTS + 1


# -- databases -------------------------------------------------------------------------------------------


def tamper(db: Path, *statements: str) -> None:
    """Somebody with the sqlite3 shell."""
    with closing(sqlite3.connect(db, isolation_level=None)) as raw:
        for statement in statements:
            raw.execute(statement)


def rewrite(condition: str, change: str) -> tuple[str, ...]:
    """Change rows of the record, and put the guard back."""
    guard = (
        "CREATE TRIGGER stored_events_no_update BEFORE UPDATE ON stored_events\n"
        "BEGIN SELECT RAISE(ABORT, 'a recorded event is never changed: append a correction'); END"
    )
    return (
        "DROP TRIGGER stored_events_no_update",
        f"UPDATE stored_events SET {change} WHERE {condition}",
        guard,
    )


OPEN_SCHEMA = "PRAGMA writable_schema = ON"
NEVER_ENDS = (
    "CREATE VIEW sqlite_sequence AS WITH RECURSIVE r(name, seq) AS "
    "(SELECT ''stored_events'', 1 UNION ALL SELECT name, seq + 1 FROM r) SELECT name, seq FROM r"
)
SMUGGLED = {
    "a dropped trigger": ["DROP TRIGGER stored_events_no_delete"],
    "a trigger": ["CREATE TRIGGER evil AFTER INSERT ON ledger_mark BEGIN DELETE FROM ledger_body; END"],
    "a trigger with a name that steers": [
        f'CREATE TRIGGER "{STEERS}" AFTER INSERT ON ledger_mark BEGIN SELECT 1; END'
    ],
    "a trigger that says it is a table": [
        OPEN_SCHEMA,
        "INSERT INTO sqlite_schema VALUES ('table', 'notes', 'notes', 0, "
        "'CREATE TRIGGER notes AFTER INSERT ON stored_events BEGIN DELETE FROM ledger_mark; END')",
    ],
    "a view": ["CREATE VIEW evil AS SELECT 1"],
    "a view that says it is a table": [
        OPEN_SCHEMA,
        "INSERT INTO sqlite_schema VALUES ('table', 'evil', 'evil', 0, 'CREATE VIEW evil AS SELECT 1')",
    ],
    "a view in the place of a table": ["DROP TABLE ledger_key", "CREATE VIEW ledger_key AS SELECT 1 AS key"],
    "a view that never ends for the counter": [
        OPEN_SCHEMA,
        "DELETE FROM sqlite_schema WHERE name = 'sqlite_sequence'",
        f"INSERT INTO sqlite_schema VALUES ('view', 'sqlite_sequence', 'sqlite_sequence', 0, '{NEVER_ENDS}')",
    ],
    "a virtual table": ["CREATE VIRTUAL TABLE evil USING fts5(a)"],
    "a generated column": ["ALTER TABLE ledger_head ADD COLUMN evil INTEGER AS (size + 1)"],
    "an index on an expression": ["CREATE INDEX evil ON ledger_key (abs(position))"],
    "an index that says it is elsewhere": [
        OPEN_SCHEMA,
        "INSERT INTO sqlite_schema SELECT 'index', 'evil', 'evil', rootpage, "
        "'CREATE INDEX evil ON ledger_key (position)' FROM sqlite_schema WHERE name = 'ledger_registry'",
    ],
    "a table that is not strict": [
        OPEN_SCHEMA,
        "UPDATE sqlite_schema SET sql = replace(sql, ' STRICT', '') WHERE name = 'ledger_body'",
    ],
    "a schema that is no SQL": [
        OPEN_SCHEMA,
        "INSERT INTO sqlite_schema VALUES ('table', 'x', 'x', 3, 'CREATE TABLE x x x')",
    ],
    "a schema that is no text": [
        OPEN_SCHEMA,
        "INSERT INTO sqlite_schema VALUES (x'ff', x'ff', x'ff', 0, x'ff')",
    ],
    "a row that names a module": [*rewrite("rowid = 2", "topic = 'hostile_module:Event'")],
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_what_was_smuggled_into_a_database_is_refused_by_every_command(small: Small, name: str) -> None:
    tamper(small.db, *SMUGGLED[name])
    small.db.with_name("hostile_module.py").write_text("open('imported', 'w').close()", "utf-8")
    before = small.db.read_bytes()
    told = [attempt(small, command) for command in COMMANDS]
    if name != "a row that names a module":  # which costs those who read that row
        assert {said.code for said in told} == {errors.UNVERIFIED}
    assert attempt(small, "verify").code == errors.UNVERIFIED
    assert attempt(small, "log").code == errors.UNVERIFIED
    assert "hostile_module" not in sys.modules
    assert not small.db.with_name("imported").exists()
    if name != "a row that names a module":
        assert small.db.read_bytes() == before


def put(db: Path, *rows: tuple[str, str, Any], registry: bool = False) -> None:
    """Rows that no program of ours writes, in a tree and under a head that fit them."""
    new = []
    for stream, topic, data in rows:
        leaf = {"stream": stream, "version": 1, "type": topic, "recorded": CLOCK, "data": data}
        state = data if isinstance(data, bytes) else orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS)
        new.append(NewRow(stream, 1, topic, state, registry=registry))
    with SqliteStore.open(db) as store, store.writer() as writer:
        writer.insert(new, CLOCK)


def remember(db: Path, **settings: str) -> None:
    with SqliteStore.open(db) as store, store.writer() as writer:
        for name, value in settings.items():
            writer.remember(name, value)


CLAIM = "claim-reported/1"
FIELDS = {
    "claimant": ["a"],
    "place": {"x": 1},
    "state": 5,
    "said": 7,
    "via": "tass",
    "published": [],
    "share": {},
}
ROWS: dict[str, Callable[[Path], None]] = {
    "no JSON": lambda db: put(db, ("c-1", CLAIM, b"\xff\x00")),
    "a list": lambda db: put(db, ("c-1", CLAIM, b"[]")),
    "nested without end": lambda db: put(db, ("c-1", CLAIM, b"[" * 60_000)),
    "fields that are a list": lambda db: put(db, ("c-1", CLAIM, [1, 2])),
    "no fields": lambda db: put(db, ("c-1", CLAIM, {})),
    "fields of other types": lambda db: put(db, ("c-1", CLAIM, FIELDS)),
    "a version to come": lambda db: put(db, ("c-1", "claim-reported/99", {})),
    "a type that is a module": lambda db: put(db, ("c-1", "os:system", {"_type_": "os:system"})),
    "a stream that steers": lambda db: put(
        db, (f"../../x\0{STEERS}", CLAIM, {"claimant": "tass", "place": TOWN})
    ),
    "a place that is a list": lambda db: put(
        db, ("place:x", "place-registered/1", {"place": ["x"], "names": 5}), registry=True
    ),
    "a party that steers": lambda db: put(
        db, ("party:x", "party-named/1", {"party": STEERS, "name": STEERS}), registry=True
    ),
    "places merged in a ring": lambda db: put(
        db,
        ("place:a", "place-merged/1", {"place": "a", "into": "b"}),
        ("place:b", "place-merged/1", {"place": "b", "into": "a"}),
        registry=True,
    ),
    "states that are objects": lambda db: put(
        db, ("question:q", "question-opened/1", {"question": "q", "states": [1, {}, STEERS]}), registry=True
    ),
    "coordinates that steer": lambda db: put(
        db, ("place:p", "place-registered/1", {"place": "p", "names": [STEERS], "lat": STEERS}), registry=True
    ),
    "an erasure of nothing": lambda db: put(db, ("e-1", "entry-redacted/1", {"target": 5})),
    "sums that are no numbers": lambda db: remember(db, marks=f"x {STEERS}"),
    "a key that is none": lambda db: remember(
        db, signed=f"claim-ledger/{STEERS}+00000000+AAAA", origins=STEERS
    ),
    "sealed at a text": lambda db: remember(db, sealed=STEERS),
    "a huge blob": lambda db: put(db, ("c-1", CLAIM, b"\0" * (1 << 20))),
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_of_somebody_s_own_cost_no_traceback_and_steer_nothing(small: Small, name: str) -> None:
    ROWS[name](small.db)
    for command in COMMANDS:
        attempt(small, command)


def test_columns_of_another_type_are_damage(small: Small) -> None:
    """The tables were made without STRICT, filled, and then described as ours."""
    with closing(sqlite3.connect(small.db, isolation_level=None)) as raw:
        raw.execute(OPEN_SCHEMA)
        for table in ("ledger_body", "ledger_key", "ledger_setting", "ledger_head"):
            [(sql,)] = raw.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchall()
            loose = sql.replace(" STRICT, WITHOUT ROWID", " WITHOUT ROWID").replace(" STRICT", "")
            raw.execute("UPDATE sqlite_schema SET sql = ? WHERE name = ?", (loose, table))
    with closing(sqlite3.connect(small.db, isolation_level=None)) as raw:
        raw.execute("UPDATE ledger_body SET body = 'text'")
        raw.execute("INSERT INTO ledger_key VALUES ('k', 'nowhere')")
        raw.execute("UPDATE ledger_setting SET value = x'ff00'")
    with closing(sqlite3.connect(small.db, isolation_level=None)) as raw:
        raw.execute(OPEN_SCHEMA)
        for table, end in {
            **dict.fromkeys(("ledger_body", "ledger_head"), " STRICT"),
            **dict.fromkeys(("ledger_key", "ledger_setting"), " STRICT, WITHOUT ROWID"),
        }.items():
            [(sql,)] = raw.execute("SELECT sql FROM sqlite_schema WHERE name = ?", (table,)).fetchall()
            raw.execute(
                "UPDATE sqlite_schema SET sql = ? WHERE name = ?",
                (sql.removesuffix(" WITHOUT ROWID") + end, table),
            )
    for command in COMMANDS:
        attempt(small, command)
    assert attempt(small, "verify").code == errors.UNVERIFIED


def test_a_promotion_that_names_a_path_is_refused_and_nothing_is_run(small: Small) -> None:
    """The file lies where the ledger was unpacked, or anywhere at all."""
    evil = small.db.with_name("evil.py")
    evil.write_text(
        "open('imported', 'w').close()\nfrom projections import Logic\n"
        "x = Logic('x', version=1, weigh=lambda piece, source: 1.0)\n",
        "utf-8",
    )
    for name in ("evil.py:x", f"{evil}:x", str(evil), "../../*", "[", "x:evil.toml", f"x{STEERS}", 5):
        ledger = Small(InProcess(small.db.parent), small.db.parent)
        promoted = {"logic": name, "version": 1, "fingerprint": "ab" * 32, "at_position": 3}
        put(ledger.db, ("logic", "logic-promoted/1", promoted))
        for command in (
            "as-of 2025-12-16",
            "why 2025-12-16 Kupyansk",
            "logic list",
            "replay",
            "replay --rollback",
        ):
            said = attempt(ledger, command)
            assert said.code == errors.UNVERIFIED, (name, command, said)
        assert not small.db.with_name("imported").exists()


PLACES = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a ring of links": lambda path: path.symlink_to(path.name),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to a file": lambda path: path.symlink_to("other.txt"),
}


@pytest.mark.skipif(os.name != "posix", reason="pipes and links")
@pytest.mark.parametrize("name", PLACES)
def test_a_database_that_is_no_file_of_its_own_is_refused_at_once(small: Small, name: str) -> None:
    small.db.with_name("other.txt").write_text("precious", "utf-8")
    small.db.unlink()
    PLACES[name](small.db)
    for command in COMMANDS:
        assert attempt(small, command).code == errors.FAILED
    assert small.db.with_name("other.txt").read_text("utf-8") == "precious"
    assert not small.db.with_name("nowhere").exists()


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_ledger_behind_a_link_is_read_and_not_appended_to_without_its_checkpoints(small: Small) -> None:
    link = small.db.with_name("link.db")
    link.symlink_to(small.db.name)
    claims = InProcess(small.db.parent)
    assert claims("log", db=link)["position"] == Small.EVENTS + 1
    claims.run("append", "Kupyansk", "UA", "--by", "isw", db=link, ok=errors.UNVERIFIED)
    assert small.size == Small.EVENTS + 1


# -- checkpoints, receipts, keys, stamps -----------------------------------------------------------------

SIGNED = (*("verify", "checkpoint", "receipt #2", "seal sealed.db", "append Kupyansk UA --by isw"),)


@pytest.mark.skipif(os.name != "posix", reason="pipes and links")
@pytest.mark.parametrize("name", PLACES)
def test_checkpoints_that_are_no_file_of_their_own_are_neither_read_nor_written(
    small: Small, name: str
) -> None:
    other = small.db.with_name("other.txt")
    other.write_text("precious\n" * 9, "utf-8")
    journal = Journal(small.db).path
    journal.unlink()
    PLACES[name](journal)
    for command in (*SIGNED, "checkpoint --new-origin"):
        assert attempt(small, command).code == errors.UNVERIFIED, command
    assert other.read_text("utf-8") == "precious\n" * 9
    assert not small.db.with_name("nowhere").exists()
    assert small.size == Small.EVENTS + 1


HOSTILE_NOTES = {
    "nothing": b"",
    "noise": b"\xff\x00\n\n" * 50,
    "one line of 32 MiB": b"x" * (32 << 20),
    "signatures of nothing": "— \n\n".encode() * 5_000,
    "zeros": bytes(1 << 18),
}


@pytest.mark.parametrize("name", HOSTILE_NOTES)
def test_a_file_of_checkpoints_that_is_none_is_told_by_every_command(small: Small, name: str) -> None:
    Journal(small.db).path.write_bytes(HOSTILE_NOTES[name])
    for command in SIGNED:
        assert attempt(small, command).code == errors.UNVERIFIED, command
    assert small.size == Small.EVENTS + 1


def hostile_key(small: Small, name: str) -> tuple[PublicKey, Ed25519PrivateKey]:
    """A key of somebody's own, by which the ledger says it is signed."""
    private = Ed25519PrivateKey.generate()
    key = PublicKey(name, private.public_key().public_bytes_raw())
    remember(small.db, signed=str(key), origins=str(key))
    return key, private


def test_a_checkpoint_whose_signed_text_steers_a_terminal_is_no_checkpoint(small: Small) -> None:
    key, private = hostile_key(small, "claim-ledger/evil")
    with SqliteStore.open(small.db, readonly=True) as store:
        head = store.head()
    for text in ("\x9b2J", "\u202eevil", "zero\u200bwidth", "\u2028", "\x7f"):
        note = Checkpoint(key.name, head.size, head.root, (text,)).signed(key, private)
        Journal(small.db).path.write_bytes(note + b"\n")
        kept = small.db.with_name("kept.txt")
        kept.write_bytes(note)
        for command in ("verify", "checkpoint", "receipt #2", f"verify --checkpoint {kept}"):
            assert attempt(small, command).code == errors.UNVERIFIED, command


@pytest.mark.parametrize("name", ["../../x", "..", "a/../../b", "/etc/x", "%2e%2e%2fx", "x" * 300])
def test_a_key_s_name_out_of_a_database_never_leads_out_of_the_folder_of_keys(
    small: Small, name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    key, private = hostile_key(small, name)
    with SqliteStore.open(small.db, readonly=True) as store:
        head = store.head()
    Journal(small.db).path.write_bytes(Checkpoint(name, head.size, head.root).signed(key, private) + b"\n")
    inner = folder / "deep" / "keys"
    before = files_in(small.db.parent)
    for command in (*SIGNED, "receipt #2 -o it.proof", "verify --receipt it.proof", "checkpoint --key"):
        attempt(small, command, CLAIMS_KEYS=str(inner))
    small.db.with_name("it.proof").unlink(missing_ok=True)
    assert files_in(small.db.parent) == before
    assert [one for one in folder.rglob("*") if one.is_file() and inner not in one.parents] == []
    assert [one for one in inner.rglob("*") if one.is_file() and one.parent.name != "latest"] == []


def test_the_name_of_a_body_s_key_out_of_a_database_is_no_path(
    small: Small, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("keys")
    (folder / "bodies").mkdir()
    (folder / "evil.key").write_text("00" * 32)
    leaf = orjson.dumps(
        {"body": "00" * 32, "data": {"claimant": "tass", "place": TOWN, "state": "RU"}, "recorded": CLOCK}
        | {"stream": "c-" + "0" * 32, "type": CLAIM, "version": 1},
        option=orjson.OPT_SORT_KEYS,
    )
    for name in ("../evil", str(folder / "evil"), "x\0y", STEERS):
        made = Small(InProcess(small.db.parent), small.db.parent)
        row = NewRow("c-" + "0" * 32, 1, CLAIM, leaf, body=EncryptedBody(name, b"\0" * 64))
        with SqliteStore.open(made.db) as store, store.writer() as writer:
            writer.insert([row], CLOCK)
        for command in ("show #9", "verify", "log", "redact #9 --dry-run", "export --format csv"):
            said = attempt(made, command, CLAIMS_KEYS=str(folder))
            assert "does not open it" not in said.out + said.err  # as it would, had the key been read


def test_a_ledger_s_id_never_leads_out_of_the_folder_of_keys(
    claims: CommandLine, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("keys") / "deep" / "keys"
    db = tmp_path / "x.db"
    claims.run("init", db, "--ledger", "a/../../../../b", CLAIMS_KEYS=str(folder))
    claims.run("checkpoint", "--new-origin", db=db, CLAIMS_KEYS=str(folder))
    backup_file = tmp_path / "x.jsonl"
    claims.run("export", backup_file, db=db, CLAIMS_KEYS=str(folder))
    claims.run("restore", backup_file, db=tmp_path / "y.db", CLAIMS_KEYS=str(folder))
    found = [one for one in folder.parents[1].rglob("*") if one.is_file()]
    assert len([one for one in found if one.suffix == ".key"]) == 3
    assert {one.parent for one in found} == {folder, folder / "latest"}


GIVEN = {
    "nothing": b"",
    "noise": bytes(range(256)) * 40,
    "text that steers": STEERS.encode() * 3,
    "a receipt that steers": f"c2sp.org/tlog-proof@v1\nindex 0\n\n{STEERS}\n1\nAAAA\n\n— x AAAAAAAA\n".encode(),
    "a receipt of many hashes": b"c2sp.org/tlog-proof@v1\nindex 0\n" + b"AAAA\n" * 9_000 + b"\n",
    "a receipt of a huge index": b"c2sp.org/tlog-proof@v1\nindex " + b"9" * 5_000 + b"\n\nx",
    "a checkpoint of a huge size": f"x\n{'9' * 5_000}\n{'A' * 43}=\n\n— x AAAAAAAA\n".encode(),
    "a key that steers": f"{STEERS}+00000000+AAAA".encode(),
    "a key of no point": b"x+00000000+" + b"AQ" + b"/" * 41 + b"=",
    "two mebibytes": b"x" * (2 << 20),
    "certificates that are none": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
}


@pytest.mark.parametrize("name", GIVEN)
def test_what_is_given_to_verify_may_be_anything(small: Small, name: str) -> None:
    pytest.importorskip("rfc3161_client")
    given = small.db.with_name(f"given{STEERS}")
    given.write_bytes(GIVEN[name])
    before = files_in(small.db.parent)
    claims = InProcess(small.db.parent)
    for option in ("--receipt", "--checkpoint", "--consistency", "--key", "--stamps"):
        env = {"CLAIMS_KEYS": os.environ["CLAIMS_KEYS"], "PATH": os.environ["PATH"]}
        said = claims._run(["verify", option, str(given), "--db", str(small.db)], "", env)
        harmless(said)
        assert said.code in (errors.USAGE, errors.UNVERIFIED), (option, said)
        assert said.err.count("\n") == 1
    assert files_in(small.db.parent) == before


@pytest.mark.skipif(os.name != "posix", reason="pipes and links")
def test_sealing_hands_out_time_stamps_and_nothing_that_a_link_leads_to(small: Small, tmp_path: Path) -> None:
    stamps = tmp_path / "small.db.stamps"
    stamps.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("secret", "utf-8")
    (stamps / "a.tsr").write_bytes(b"an answer")
    (stamps / "a.note").symlink_to(secret)
    (stamps / "b.tsr").symlink_to("/dev/zero")
    (stamps / "id_ed25519").write_text("secret", "utf-8")
    (stamps / "folder.tsr").mkdir()
    os.mkfifo(stamps / "c.tsr")
    small.run("seal", tmp_path / "closed.db")
    assert [one.name for one in (tmp_path / "closed.db.stamps").iterdir()] == ["a.tsr"]
    (tmp_path / "roots.pem").write_text("none")
    attempt_stamps = small.run("verify", "--stamps", tmp_path / "roots.pem", ok=errors.USAGE)
    harmless(attempt_stamps)


# -- what is printed -------------------------------------------------------------------------------------


@pytest.fixture
def steering(small: Small) -> Small:
    """A ledger in which every text that somebody may write steers a terminal."""
    said = ("--said", "2025-12-16", "--key", f"key{STEERS}", "--actor", f"me{STEERS}")
    small.run("source", "evil", "--name", f"Evil{STEERS}", "--kind", "milblogger")
    small.run("place", "own:1", "--name", f"Lypove{STEERS}")
    small.run("party", "XX", "--name", f"Party{STEERS}")
    claim = small.entry(
        *("append", "own:1", "XX", "--by", "evil", "--note", f"note{STEERS}", "--quote", f"quote{STEERS}"),
        *("--title", f"title{STEERS}", "--url", f"https://example.org/{STEERS}", *said),
    )
    small.run("correct", claim, "--set", f"note=other{STEERS}", "--by", "evil", "--reason", f"why{STEERS}")
    small.run("evidence", "own:1", "XX", "--by", "evil", "--said", "2025-12-16", "--note", STEERS)
    small.run("judge", claim, "true", "--by", "evil", "--reason", f"because{STEERS}")
    return small


SHOWN = (
    *("log", "log --json", "log --format csv", "log --format jsonl", "log --source evil", "show #13"),
    *(
        "show #13 --json",
        "as-of 2025-12-17 own:1",
        "as-of 2025-12-17 own:1 --json",
        "as-of 2025-12-17 --format csv",
    ),
    *("why 2025-12-17 own:1", "why 2025-12-17 own:1 --json", "timeline own:1", "timeline own:1 --json"),
    *(
        "timeline own:1 --format csv",
        "sources",
        "sources --json",
        "sources --format csv",
        "sources evil",
        "places",
    ),
    *("places --format csv", "places --json", "panel 2025-12-16..2025-12-17", "export", "export --redacted"),
    *(
        "panel 2025-12-16..2025-12-17 --format csv",
        "export --format csv",
        "verify",
        "verify --json",
        "checkpoint",
    ),
    *(
        "verify --format csv",
        "receipt #13",
        "redact #13 --dry-run",
        "redact #13 --dry-run --json",
        "replay --json",
    ),
    *("diff 2025-12-15..2025-12-17", "diff 2025-12-15..2025-12-17 --json", "redact #13", "logic list"),
)


def test_what_steers_a_terminal_is_written_out_by_every_command(steering: Small) -> None:
    claims = InProcess(steering.db.parent)
    env = {"CLAIMS_KEYS": os.environ["CLAIMS_KEYS"], "PATH": os.environ["PATH"]}
    for words in SHOWN:
        said = claims._run([*words.split(), "--db", str(steering.db)], "", env)
        odd = {"redact #13": errors.USAGE, "diff 2025": errors.DIFFERENT}
        assert said.code == odd.get(words if words in odd else words[:9], errors.OK), (words, said)
        harmless(said)
    assert "quote\\x1b]52;c;aGk=\\x07\\x9b31m\\u202e\\u200b" in attempt(steering, "redact #13 --dry-run").out


def test_what_steers_a_terminal_is_written_out_of_a_receipt_and_after_a_redaction(steering: Small) -> None:
    proof = steering.db.with_name("it.proof")
    steering.run("receipt", "#13", "-o", proof)
    for more in ([], ["--json"], ["--format", "csv"]):
        said = steering.run("verify", "--receipt", proof, *more)
        harmless(said)
    harmless(steering.run("redact", "#13", "--yes", "--ground", f"risk{STEERS}"))
    harmless(steering.run("show", "#13"))
    harmless(steering.run("log"))
    harmless(steering.run("verify"))


def test_a_file_s_name_that_steers_is_written_out(small: Small, claims: CommandLine, tmp_path: Path) -> None:
    odd = tmp_path / f"odd{STEERS}"
    for words in (
        ("seal", f"{odd}.sealed"),
        ("export", f"{odd}.jsonl"),
        ("receipt", "#2", "-o", f"{odd}.proof"),
        ("panel", "2025-12-16..2025-12-16", "-o", f"{odd}.csv"),
    ):
        harmless(small.run(*words))
    harmless(claims.run("restore", f"{odd}.jsonl", db=Path(f"{odd}.db")))
    harmless(claims.run("verify", db=Path(f"{odd}.db")))
    harmless(claims.run("verify", "--json", db=Path(f"{odd}.sealed")))
    harmless(claims.run("checkpoint", "--new-origin", db=Path(f"{odd}.db")))
    for words, code in (
        (("import", f"{odd}.jsonl", "--rejects", f"{odd}.bad"), errors.REJECTED),
        (("import", f"{odd}.none.csv", "--map", f"{odd}.toml"), errors.USAGE),
        (("verify", "--receipt", f"{odd}.none"), errors.FAILED),
        (("as-of", "2025-12-16", "--logic", f"{odd}.py"), errors.USAGE),
        (("as-of", "2025-12-16", "--params", f"{odd}.toml"), errors.USAGE),
    ):
        harmless(small.run(*words, ok=code))
    harmless(claims.run("log", db=Path(f"{odd}.missing"), ok=errors.FAILED))


def test_an_export_that_passes_a_terminal_is_still_lossless(steering: Small) -> None:
    text = steering.run("export").out
    assert visible(text) == text
    copy = steering.db.with_name("copy.db")
    InProcess(steering.db.parent).run("restore", "-", db=copy, stdin=text)
    with SqliteStore.open(steering.db) as one, SqliteStore.open(copy) as other:
        assert list(one.rows()) == list(other.rows())
        assert list(one.bodies()) == list(other.bodies())
        bodies = [orjson.loads(body.text) for _, body in other.bodies() if isinstance(body, SealedBody)]
    assert f"quote{STEERS}" in [body.get("quote") for body in bodies]


def test_a_name_in_two_alphabets_is_kept_and_flagged(small: Small, tmp_path: Path) -> None:
    said = small.run("place", "own:2", "--name", "Kупянск")
    assert "warning: 'Kупянск' mixes Latin with Cyrillic" in said.err
    assert "Kупянск" in small.run("places").out
    table = tmp_path / "t.csv"
    table.write_text("who,where,when\nZelenѕky,Kupyansk,2025-12-16\n", "utf-8")
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        'schema = "claims-map/1"\n[constants]\nstate = "RU"\n'
        '[columns]\nclaimant = "who"\nplace = "where"\nsaid = "when"\n'
        '[register.source]\nnames = "{who}"\nkind = "other"\n',
        "utf-8",
    )
    said = small.run("import", table, "--map", mapping, "--register")
    assert "warning: 'Zelenѕky' mixes Latin with Cyrillic" in said.err
    assert "Zelenѕky" in small.run("sources").out


STARTS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "＋1", "－1", "＠x")


def test_no_cell_of_any_table_is_run_by_a_spreadsheet(small: Small) -> None:
    for n, start in enumerate(STARTS):
        small.run("place", f"own:{n}", "--name", f"{start}x")
        small.run("source", f"s{n}", "--name", f"{start}y", "--kind", "outlet")
        small.run(
            *("append", f"own:{n}", "RU", "--by", f"s{n}", "--said", "2025-12-16", "--via", "tass"),
            *("--quote", f"{start}q", "--note", f"{start}n", "--title", f"{start}t", "--url", f"{start}u"),
        )
    seen = ""
    for words in (
        *("log --format csv --limit 0", "places --format csv", "sources --format csv", "export --format csv"),
        *(
            "as-of 2025-12-17 --format csv",
            "panel 2025-12-16..2025-12-17 --format csv",
            "timeline own:1 --format csv",
        ),
        *(
            "why 2025-12-17 own:1 --format csv",
            "diff 2025-12-15..2025-12-17 --format csv",
            "verify --format csv",
        ),
    ):
        code = errors.DIFFERENT if words.startswith("diff") else errors.OK
        text = small.run(*words.split(), ok=code).out
        seen += text
        for row in csv.reader(io.StringIO(text)):
            for cell in row:
                plain = cell.removeprefix("-").replace(".", "").isdecimal()
                assert plain or cell.lstrip()[:1] not in set("=+-@＝＋－＠\t\r"), (words, cell)
    assert "'=1+1q" in seen and "'＠xn" in seen
    lines = small.run("export").out.splitlines()
    bodies = [json.loads(json.loads(one)["body"]) for one in lines[1:] if json.loads(one)["body"]]
    assert {body["quote"] for body in bodies if "quote" in body} >= {
        f"{start.strip()}q" for start in STARTS[2:4]
    }


# -- nothing is fetched ----------------------------------------------------------------------------------


def test_no_command_opens_a_socket_but_the_one_that_asks_for_a_time_stamp(
    small: Small, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[object] = []

    def refuse(*args: object, **more: object) -> Any:
        asked.append(args)
        raise OSError("no network here")

    for name in ("socket", "create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)
    small.claim(
        "--url", "http://127.0.0.1:9/claim", "--title", "http://127.0.0.1:9/", "--key", "http://127.0.0.1:9/k"
    )
    small.run("import", "-", stdin=line(7, body={"url": "http://127.0.0.1:9/x"}).decode())
    small.run("export", tmp_path / "out.jsonl")
    for command in (*COMMANDS, "show #10", "replay", f"verify --receipt {tmp_path / 'out.jsonl'}"):
        attempt(small, command)
    InProcess(tmp_path).run("restore", tmp_path / "out.jsonl", db=tmp_path / "again.db")
    small.run("redact", "#10", "--yes")
    assert asked == []
    pytest.importorskip("rfc3161_client")
    said = small.run("checkpoint", "--stamp", "http://127.0.0.1:9/", ok=errors.FAILED)
    assert "cannot be asked" in said.err
    assert asked


# -- paths and SQL ---------------------------------------------------------------------------------------

INJECTED = "x'); DROP TABLE stored_events; --\" OR 1=1 /*"


def test_sql_in_any_field_is_text(small: Small) -> None:
    small.run("source", "sql", "--name", INJECTED, "--kind", "outlet")
    small.run("place", "own:9", "--name", INJECTED)
    small.run(
        *("append", INJECTED, "RU", "--by", INJECTED, "--said", "2025-12-16", "--key", INJECTED),
        *("--actor", INJECTED, "--quote", INJECTED, "--url", INJECTED),
    )
    small.run("import", "-", stdin=line(1, key=f"{INJECTED}2", place=INJECTED).decode())
    for words in (
        ("log", "--place", INJECTED, "--source", INJECTED),
        ("as-of", "2025-12-17", INJECTED),
        ("why", "2025-12-17", INJECTED),
        ("timeline", INJECTED),
        ("sources", INJECTED),
        ("as-of", "2025-12-17", "--without", INJECTED),
    ):
        harmless(small.run(*words))
    for words in (
        ("show", INJECTED),
        ("show", "c-' OR 1=1 --"),
        ("receipt", INJECTED),
        ("redact", f"#{INJECTED}"),
    ):
        small.run(*words, ok=errors.UNKNOWN)
    small.run("log", "--type", INJECTED, ok=errors.USAGE)
    small.run("log", "--since", INJECTED, ok=errors.USAGE)
    small.run("verify")
    assert small.size == Small.EVENTS + 5


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_what_is_written_beside_a_link_never_goes_through_it_unasked(small: Small, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("precious", "utf-8")
    link, nowhere = tmp_path / "link", tmp_path / "nowhere"
    link.symlink_to(precious)
    for words in (("seal", link), ("export", link), ("receipt", "#2", "-o", link)):
        small.run(*words, ok=errors.FAILED)
    InProcess(tmp_path).run("restore", "-", db=link, ok=errors.FAILED, stdin=small.run("export").out)
    assert precious.read_text("utf-8") == "precious"
    assert not nowhere.exists()


def test_paths_out_of_a_name_are_refused(small: Small) -> None:
    for name in ("../x", "..", "/etc/passwd", "a\\..\\b", f"x{STEERS}", ""):
        said = small.run("place", name, "--name", "X", ok=errors.USAGE)
        harmless(said)
    for map_name in ("../simple", "/etc/hostname", "simple/../simple"):
        small.run("import", "-", "--map", map_name, ok=errors.USAGE)
    for logic in ("../tally", "tally/../tally", "../../*", "tally@1+*"):
        small.run("as-of", "2025-12-16", "--logic", logic, ok=errors.UNKNOWN)


# -- how the file is opened ------------------------------------------------------------------------------


@pytest.mark.parametrize("readonly", [False, True])
def test_every_connection_reads_back_what_guards_it(small: Small, readonly: bool) -> None:
    with SqliteStore.open(small.db, readonly=readonly) as store, store._reading() as cursor:
        assert cursor.ask("PRAGMA trusted_schema") == [(0,)]
        assert cursor.ask("PRAGMA secure_delete") == [(1,)]
        assert cursor.ask("PRAGMA cell_size_check") == [(1,)]
        with pytest.raises(errors.LedgerError):
            cursor.ask("SELECT load_extension('evil')")


def test_the_script_refuses_a_hostile_database_as_well(small: Small) -> None:
    """The quick way to a look-up goes past most of the program; it must not go past the checks."""
    small.run("as-of", "2025-12-16", "Kupyansk")
    tamper(small.db, "CREATE VIEW evil AS SELECT 1")
    done = subprocess.run(
        [console_script(), "as-of", "2025-12-16", "Kupyansk", "--db", small.db],
        check=False,
        capture_output=True,
        env=quiet(),
        cwd=small.db.parent,
        timeout=60,
    )
    assert done.returncode == errors.UNVERIFIED
    assert b"Traceback" not in done.stderr and done.stderr.count(b"\n") == 1
