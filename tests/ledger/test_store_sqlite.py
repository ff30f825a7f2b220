"""The SQLite store: the contract in both journal modes, then what only a file can get wrong."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from eventsourcing.persistence import StoredEvent

import ledger.errors
from ledger.errors import Conflict, LedgerError, Locked, NoLedger, Unverified, WriteFailed
from ledger.integrity.tree import leaf_hash
from ledger.store.base import Store
from ledger.store.contract import CLOCK, StoreContract, append, everything, new, root_by_definition, sealed
from ledger.store.sqlite import durability as sqlite_durability
from ledger.store.sqlite import schema as sqlite_schema
from ledger.store.sqlite.store import SqliteStore

REPOSITORY = Path(ledger.errors.__file__).parents[1]


class TestSqliteStore(StoreContract):
    """The contract with the journal mode that this SQLite gets."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        self.folder = tmp_path
        self.opened: list[SqliteStore] = []
        yield
        for store in self.opened:
            store.close()

    def make_store(self) -> Store:
        self.path = self.folder / f"{len(self.opened)}.db"
        self.opened.append(SqliteStore.create(self.path))
        return self.opened[-1]

    def reopen(self, *, timeout: float = 60.0) -> Store:
        self.opened.append(SqliteStore.open(self.path, timeout=timeout))
        return self.opened[-1]

    def files(self) -> list[bytes]:
        for store in self.opened:
            store.close()
        return [one.read_bytes() for one in self.folder.glob(f"{self.path.name}*")]


class TestSqliteStoreWithLog(TestSqliteStore):
    """The contract with a write-ahead log, whatever this SQLite would get."""

    @pytest.fixture(autouse=True)
    def _log(self, with_log: None) -> None:
        pass

    def test_the_log_is_really_used(self) -> None:
        self.make_store()
        assert self.opened[0].durability() == ("wal", "full")


@pytest.fixture
def with_log(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = sqlite_durability.Durability("wal", "full", "asked for by a test")
    monkeypatch.setattr(sqlite_durability, "durability_for", lambda *_: chosen)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "claims.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    with SqliteStore.create(path, timeout=5.0) as made:
        yield made


def raw(path: Path, *statements: str) -> None:
    """Someone with the sqlite3 shell."""
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        for statement in statements:
            connection.execute(statement)
    finally:
        connection.close()


def message(error: pytest.ExceptionInfo[LedgerError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    return text


# -- finding a ledger --------------------------------------------------------------------------------


@pytest.mark.parametrize("readonly", [False, True])
def test_opening_never_creates(path: Path, readonly: bool) -> None:
    with pytest.raises(NoLedger) as error:
        SqliteStore.open(path, readonly=readonly)
    assert message(error) == (
        f"{path}: there is no such file. Make a ledger: `claims init {path}` or `claims demo {path}`"
    )
    assert list(path.parent.iterdir()) == []


def test_a_missing_file_is_told_its_likely_spelling(path: Path, store: SqliteStore) -> None:
    with pytest.raises(NoLedger) as error:
        SqliteStore.open(path.with_name("clams.db"))
    assert f"Did you mean {path}?" in message(error)
    with pytest.raises(NoLedger) as error:
        SqliteStore.open(path.with_name("zzz.sqlite"))
    assert "Did you mean" not in message(error)


def test_a_missing_folder_is_no_ledger(path: Path) -> None:
    with pytest.raises(NoLedger, match="no such file"):
        SqliteStore.open(path / "deeper" / "claims.db")


def test_a_folder_is_no_ledger(path: Path) -> None:
    with pytest.raises(NoLedger) as error:
        SqliteStore.open(path.parent)
    assert "is a folder" in message(error)
    assert f"claims init {path}" in message(error)


@pytest.mark.parametrize("name", ["x\0y", "x" * 300])
def test_a_name_that_cannot_be_is_no_ledger(path: Path, name: str) -> None:
    with pytest.raises(NoLedger, match="cannot be looked at"):
        SqliteStore.open(path.with_name(name))


def test_a_device_is_no_ledger() -> None:
    with pytest.raises(NoLedger, match="not a regular file"):
        SqliteStore.open("/dev/null")


def test_an_empty_file_is_no_ledger_but_can_become_one(path: Path) -> None:
    path.touch()
    with pytest.raises(NoLedger) as error:
        SqliteStore.open(path)
    assert f"claims init {path}" in message(error)
    SqliteStore.create(path).close()
    SqliteStore.open(path).close()


@pytest.mark.parametrize("garbage", [b"x", b"hello\n" * 500, b"SQLite format 3\0" + b"\xff" * 5_000])
@pytest.mark.parametrize("readonly", [False, True])
def test_a_file_of_something_else_is_no_ledger_and_stays_as_it_is(
    path: Path, garbage: bytes, readonly: bool
) -> None:
    path.write_bytes(garbage)
    with pytest.raises(NoLedger, match="not an SQLite database"):
        SqliteStore.open(path, readonly=readonly)
    assert path.read_bytes() == garbage
    assert [path] == list(path.parent.iterdir())


def test_a_stranger_s_database_is_no_ledger_and_stays_as_it_is(path: Path) -> None:
    raw(path, "PRAGMA journal_mode = WAL", "CREATE TABLE stored_events (x)", "PRAGMA user_version = 1")
    before = path.read_bytes()
    with pytest.raises(NoLedger, match="not a ledger"):
        SqliteStore.open(path)
    assert path.read_bytes() == before


def test_a_newer_ledger_asks_for_a_newer_program(path: Path, store: SqliteStore) -> None:
    store.close()
    raw(path, f"PRAGMA user_version = {sqlite_schema.SCHEMA_VERSION + 1}")
    with pytest.raises(NoLedger, match=f"schema version {sqlite_schema.SCHEMA_VERSION + 1}") as error:
        SqliteStore.open(path)
    assert "newer claim-ledger" in message(error)


ALTERED = {
    "a dropped trigger": "DROP TRIGGER stored_events_no_update",
    "a trigger on the record": ("CREATE TRIGGER evil AFTER INSERT ON stored_events BEGIN SELECT 1; END"),
    "a trigger elsewhere": "CREATE TRIGGER evil AFTER INSERT ON ledger_mark BEGIN SELECT 1; END",
    "an index on the record": "CREATE INDEX evil ON stored_events (topic)",
    "a missing table": "DROP TABLE ledger_mark",
    "a new column": "ALTER TABLE ledger_head ADD COLUMN evil ANY",
    "a renamed table": "ALTER TABLE ledger_body RENAME TO bodies",
}


@pytest.mark.parametrize("name", ALTERED)
def test_an_altered_schema_is_refused(path: Path, store: SqliteStore, name: str) -> None:
    store.close()
    raw(path, ALTERED[name])
    with pytest.raises(Unverified, match="not the schema") as error:
        SqliteStore.open(path)
    assert str(path) in message(error)


def test_a_view_in_the_place_of_a_table_is_refused(path: Path, store: SqliteStore) -> None:
    store.close()
    raw(path, "DROP TABLE ledger_key", "CREATE VIEW ledger_key AS SELECT 'k' AS key, 1 AS position")
    with pytest.raises(Unverified, match="ledger_key is altered"):
        SqliteStore.open(path)


def test_tables_of_somebody_s_own_beside_ours_do_no_harm(path: Path, store: SqliteStore) -> None:
    store.close()
    raw(path, "CREATE TABLE notes (x)", "CREATE INDEX notes_x ON notes (x)")
    SqliteStore.open(path).close()


@pytest.mark.parametrize(
    "name", ["a b?mode=memory#%41.db", ":memory:", "Куп’янськ.db", "\udcff.db", "$(x)`'.db"]
)
def test_any_file_name_is_taken_literally(path: Path, name: str) -> None:
    path = path.with_name(name)
    with SqliteStore.create(path) as made:
        append(made, new(1))
    with SqliteStore.open(path, readonly=True) as again:
        assert again.head().size == 1
    assert os.listdir(path.parent) == [name]


# -- making one --------------------------------------------------------------------------------------


def test_creating_refuses_what_is_there(path: Path, store: SqliteStore) -> None:
    append(store, new(1))
    with pytest.raises(LedgerError, match="already exists"):
        SqliteStore.create(path)
    assert store.head().size == 1
    with pytest.raises(LedgerError, match="already exists"):
        SqliteStore.create(path.parent)


def test_creating_needs_its_folder(path: Path) -> None:
    with pytest.raises(LedgerError) as error:
        SqliteStore.create(path / "claims.db")
    assert f"mkdir -p {path}" in message(error)


@pytest.mark.parametrize("statement", range(len(sqlite_schema._OBJECTS[sqlite_schema.SCHEMA_VERSION])))
def test_a_crash_while_creating_leaves_nothing_that_looks_like_a_ledger(path: Path, statement: int) -> None:
    def crash() -> None:
        now = sqlite_schema.SCHEMA_VERSION
        objects = list(sqlite_schema._OBJECTS[now].items())
        sqlite_schema._OBJECTS[now] = dict(objects[:statement]) | {"crash": "SELECT crash()"}
        connect = sqlite3.connect

        def connected(*args: object, **kwargs: object) -> sqlite3.Connection:
            connection = connect(*args, **kwargs)  # type: ignore[call-overload]
            connection.create_function("crash", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
            return connection  # type: ignore[no-any-return]

        sqlite3.connect = connected  # type: ignore[assignment]
        SqliteStore.create(path)

    assert in_child(crash) == -signal.SIGKILL
    with pytest.raises(NoLedger):
        SqliteStore.open(path)
    SqliteStore.create(path).close()
    SqliteStore.open(path).close()


# -- guards ------------------------------------------------------------------------------------------

_VALUES = "(originator_id, originator_version, topic, state, leaf_hash) VALUES"
FORBIDDEN = {
    "UPDATE stored_events SET state = x'00'": "never changed",
    "UPDATE stored_events SET rowid = 9 WHERE rowid = 1": "never changed",
    "DELETE FROM stored_events WHERE rowid = 2": "never deleted",
    "DELETE FROM stored_events": "never deleted",
    f"INSERT OR REPLACE INTO stored_events {_VALUES} ('claim:1', 1, 't', x'00', zeroblob(32))": "replaced",
    "REPLACE INTO stored_events VALUES (1, 'claim:9', 1, 't', x'00', zeroblob(32))": "never replaced",
    f"INSERT INTO stored_events {_VALUES} ('claim:1', 1, 't', x'00', zeroblob(32)) "
    "ON CONFLICT DO UPDATE SET state = x'00'": "never replaced",
    f"INSERT INTO stored_events {_VALUES} ('claim:9', 1, 't', x'00', zeroblob(31))": "CHECK",
    f"INSERT INTO stored_events {_VALUES} ('claim:9', 0, 't', x'00', zeroblob(32))": "CHECK",
    f"INSERT INTO stored_events {_VALUES} ('claim:9', 1, 't', 'text', zeroblob(32))": "TEXT value in BLOB",
    f"INSERT INTO stored_events {_VALUES} ('claim:9', 1, 't', NULL, zeroblob(32))": "NOT NULL",
    "INSERT INTO ledger_head VALUES (2, 0, x'', NULL)": "CHECK",
    "INSERT INTO ledger_body VALUES (1, x'00', x'')": "CHECK",
}


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_the_sqlite_shell_cannot_change_the_record_by_accident(
    path: Path, store: SqliteStore, statement: str
) -> None:
    append(store, new(1), new(2))
    before = everything(store)
    with pytest.raises(sqlite3.IntegrityError, match=FORBIDDEN[statement]):
        raw(path, statement)
    assert everything(store) == before


RESTORED = sqlite_schema._TRIGGERS["stored_events_no_delete"]


def test_a_truncated_tail_is_found_before_anything_is_appended(path: Path, store: SqliteStore) -> None:
    append(store, new(1), new(2))
    raw(path, "DROP TRIGGER stored_events_no_delete", "DELETE FROM stored_events WHERE rowid = 2", RESTORED)
    with pytest.raises(Unverified, match="counts 2 events, the last one is #1"):
        append(store, new(3))
    assert [row.position for row in store.rows()] == [1]


def test_a_row_appended_behind_our_back_is_found(path: Path, store: SqliteStore) -> None:
    append(store, new(1))
    raw(path, f"INSERT INTO stored_events {_VALUES} ('claim:9', 1, 't', x'00', zeroblob(32))")
    with pytest.raises(Unverified, match="counts 1 events, the last one is #2"):
        append(store, new(3))


def test_an_id_burnt_behind_our_back_is_found(path: Path, store: SqliteStore) -> None:
    append(store, new(1))
    raw(path, "UPDATE sqlite_sequence SET seq = 7")
    with pytest.raises(Unverified, match="counts 2 events, the last one is #8"):
        append(store, new(2))
    assert store.head().size == 1


LYING_HEADS = {
    "DELETE FROM ledger_head": "missing",
    "UPDATE ledger_head SET size = 2": "the last one is #3",
    "UPDATE ledger_head SET size = 4, frontier = zeroblob(32)": "the last one is #3",
    "UPDATE ledger_head SET frontier = zeroblob(32)": "takes 64 bytes, found 32",
}


@pytest.mark.parametrize("statement", LYING_HEADS)
def test_nothing_is_appended_behind_a_head_that_lies(path: Path, store: SqliteStore, statement: str) -> None:
    append(store, new(1), new(2), new(3))
    raw(path, statement)
    with pytest.raises(Unverified):
        append(store, new(4))
    assert len(list(store.rows())) == 3


def test_text_that_is_no_text_is_damage(path: Path, store: SqliteStore) -> None:
    raw(path, f"INSERT INTO stored_events {_VALUES} ('a', 1, CAST(x'ff' AS TEXT), x'00', zeroblob(32))")
    for read in (lambda: list(store.rows()), lambda: store.row(1), lambda: store.stream("a")):
        with pytest.raises(Unverified, match="damaged"):
            read()


def test_a_page_overwritten_with_nonsense_is_damage(path: Path, store: SqliteStore) -> None:
    append(store, *(new(n) for n in range(500)))
    store.close()
    data = bytearray(path.read_bytes())
    for page in range(20, len(data) // 4_096):
        data[page * 4_096 : page * 4_096 + 8] = b"\xff" * 8
    path.write_bytes(data)
    with SqliteStore.open(path) as again, pytest.raises(Unverified, match="damaged"):
        list(again.rows())


# -- how it is written -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "mode"),
    [
        ((3, 37, 0), "delete"),
        ((3, 40, 1), "delete"),
        ((3, 44, 5), "delete"),
        ((3, 44, 6), "wal"),
        ((3, 45, 0), "delete"),
        ((3, 50, 6), "delete"),
        ((3, 50, 7), "wal"),
        ((3, 51, 0), "delete"),
        ((3, 51, 2), "delete"),
        ((3, 51, 3), "wal"),
        ((3, 52, 0), "wal"),
        ((4, 0, 0), "wal"),
    ],
)
def test_a_log_is_used_only_where_it_is_safe(version: tuple[int, int, int], mode: str) -> None:
    chosen = sqlite_durability.durability_for(version)
    assert (chosen.journal, chosen.synchronous) == (mode, {"wal": "full", "delete": "extra"}[mode])
    assert ".".join(map(str, version)) in chosen.reason


def test_every_connection_reads_back_what_was_set(store: SqliteStore) -> None:
    chosen = sqlite_durability.durability_for(sqlite3.sqlite_version_info)
    assert store.durability() == (chosen.journal, chosen.synchronous)
    assert sqlite3.sqlite_version in store.durability_reason
    with store.writer():
        assert store.durability() == (chosen.journal, chosen.synchronous)
    with store._reading() as cursor:
        assert cursor.ask("PRAGMA trusted_schema") == [(0,)]


def test_a_journal_mode_that_cannot_be_had_is_refused(path: Path, store: SqliteStore) -> None:
    store.close()
    raw(path, "PRAGMA journal_mode = WAL")
    reader = sqlite3.connect(path)
    try:
        reader.execute("SELECT * FROM ledger_head").fetchall()
        if sqlite_durability.durability_for(sqlite3.sqlite_version_info).journal == "delete":
            with pytest.raises(Locked):
                SqliteStore.open(path, timeout=0.1)
    finally:
        reader.close()
    SqliteStore.open(path, timeout=0.1).close()


def test_an_sqlite_too_old_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(LedgerError, match="too old"):
        SqliteStore.create(path)
    assert not path.exists()


def test_a_full_disk_is_said_and_loses_nothing(store: SqliteStore, path: Path) -> None:
    append(store, *(new(n) for n in range(50)))
    before = everything(store)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size, hard))
    try:
        with pytest.raises(WriteFailed, match="could not write"):
            append(store, *(new(n, state=b"x" * 9_000, key=str(n)) for n in range(1_000, 1_100)))
        assert everything(store) == before
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert append(store, new("after")) == range(51, 52)


def test_the_library_s_own_door_keeps_the_tree_too(store: SqliteStore) -> None:
    events = [StoredEvent(f"claim:{n}", 1, "no.such.module:Evil", b"%d" % n) for n in range(5)]
    assert list(store.recorder.insert_events(events) or ()) == [1, 2, 3, 4, 5]
    assert store.head().root == root_by_definition([leaf_hash(event.state) for event in events])
    assert [event.id for event in store.recorder.select_notifications(2, 3)] == [2, 3, 4]
    assert store.recorder.select_events("claim:3") == [events[3]]
    assert store.recorder.max_notification_id() == 5
    with pytest.raises(Conflict):
        store.recorder.insert_events(events[:1])
    store.recorder.create_table()
    assert store.head().size == 5


# -- for reading only --------------------------------------------------------------------------------


def test_a_store_for_reading_does_not_write(path: Path, store: SqliteStore) -> None:
    append(store, new(1, key="k", body=sealed(), registry=True))
    with SqliteStore.open(path, readonly=True) as reader:
        assert everything(reader) == everything(store)
        with pytest.raises(WriteFailed, match="reading only"), reader.writer():
            pass
        assert "reading only" in reader.durability_reason


def in_child(work: Callable[[], object], *, nobody: bool = False) -> int:
    """Run in a forked process, as a user without rights if asked; its exit code (1 for an exception)."""
    child = os.fork()
    if not child:
        try:
            if nobody and os.getuid() == 0:
                os.setgid(65_534)
                os.setuid(65_534)
            work()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.fixture
def sealed_folder() -> Iterator[Path]:
    """A folder that everybody may read and nobody else may write, with a ledger of one row."""
    folder = Path(tempfile.mkdtemp())
    with SqliteStore.create(folder / "claims.db") as made:
        append(made, new(1))
    folder.chmod(0o555)
    (folder / "claims.db").chmod(0o444)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def read_one(path: Path) -> None:
    with SqliteStore.open(path, readonly=True) as reader:
        assert reader.head().size == len(list(reader.rows())) == 1


def test_a_read_only_folder_can_be_read(sealed_folder: Path) -> None:
    assert in_child(lambda: read_one(sealed_folder / "claims.db"), nobody=True) == 0
    assert os.listdir(sealed_folder) == ["claims.db"]


def test_a_read_only_folder_can_be_read_with_a_log(with_log: None, sealed_folder: Path) -> None:
    assert in_child(lambda: read_one(sealed_folder / "claims.db"), nobody=True) == 0
    assert os.listdir(sealed_folder) == ["claims.db"]


def test_appending_in_a_read_only_folder_is_refused_with_a_remedy(sealed_folder: Path) -> None:
    def refused() -> None:
        with SqliteStore.open(sealed_folder / "claims.db") as opened, pytest.raises(WriteFailed) as error:
            append(opened, new(2))
        assert "Check the rights" in message(error)

    assert in_child(refused, nobody=True) == 0


def test_creating_in_a_read_only_folder_is_refused_with_a_remedy(sealed_folder: Path) -> None:
    def refused() -> None:
        with pytest.raises(WriteFailed) as error:
            SqliteStore.create(sealed_folder / "other.db")
        assert "rights" in message(error)

    assert in_child(refused, nobody=True) == 0
    assert os.listdir(sealed_folder) == ["claims.db"]


# -- several processes -------------------------------------------------------------------------------


def test_a_writer_killed_in_its_block_leaves_the_old_state(path: Path, store: SqliteStore) -> None:
    append(store, new(1))
    before = everything(store)
    store.close()

    def die() -> None:
        with SqliteStore.open(path) as other, other.writer() as writer:
            writer.insert([new(n, state=b"x" * 60_000) for n in range(2, 2_500)], CLOCK)
            os.kill(os.getpid(), signal.SIGKILL)

    assert in_child(die) == -signal.SIGKILL
    beside = [entry.name for entry in path.parent.iterdir() if entry != path]
    assert beside, "the batch must be large enough to reach the disk before its commit"
    with SqliteStore.open(path, readonly=True) as reader:
        assert everything(reader) == before
    with SqliteStore.open(path) as again:
        assert everything(again) == before
        assert append(again, new(2)) == range(2, 3)


def test_looking_at_a_ledger_does_not_drop_its_writer_s_lock(path: Path, store: SqliteStore) -> None:
    def intrude() -> None:
        with pytest.raises(Locked), SqliteStore.open(path, timeout=0.1) as other, other.writer():
            pass

    with store.writer() as writer:
        writer.insert([new(1)], CLOCK)
        SqliteStore.open(path).close()
        SqliteStore.open(path, readonly=True).close()
        with pytest.raises(LedgerError):
            SqliteStore.create(path)
        assert in_child(intrude) == 0
    assert store.head().size == 1


APPENDER = """
import sys
from ledger.store.sqlite import durability as sqlite_durability
from ledger.store.contract import append, new
from ledger.store.sqlite.store import SqliteStore

path, number, times, journal, synchronous = sys.argv[1], sys.argv[2], int(sys.argv[3]), *sys.argv[4:]
sqlite_durability.durability_for = lambda *_: sqlite_durability.Durability(journal, synchronous, "")
with SqliteStore.open(path) as store:
    for n in range(times):
        append(store, new(f"{number}-{n}"))
"""


def appended_by(path: Path, processes: int, times: int, mode: tuple[str, str]) -> float:
    """Seconds that several processes took to append ``times`` rows each, one by one."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    started = time.monotonic()
    running = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(path), str(number), str(times), *mode],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    complaints = [process.communicate(timeout=300)[1] for process in running]
    assert [process.returncode for process in running] == [0] * processes, complaints
    return time.monotonic() - started


@pytest.mark.parametrize("mode", [("delete", "extra"), ("wal", "full")], ids=["journal", "log"])
def test_four_processes_append_without_a_gap_or_a_locked_error(path: Path, mode: tuple[str, str]) -> None:
    times = int(os.environ.get("CLAIMS_TEST_APPENDS", "60"))
    SqliteStore.create(path).close()
    print(f"{appended_by(path, 4, times, mode):.2f} s for 4 × {times} appends, {'/'.join(mode)}")
    with SqliteStore.open(path, readonly=True) as store:
        rows = list(store.rows())
        assert [row.position for row in rows] == list(range(1, 4 * times + 1))
        assert len({row.stream for row in rows}) == len(rows) == store.head().size
        assert store.head().root == root_by_definition([row.leaf_hash for row in rows])
