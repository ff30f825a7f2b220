"""The PostgreSQL store: the contract, then what only a server can get wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from ledger.errors import Conflict, LedgerError, NoLedger, Unverified, Usage, WriteFailed
from ledger.places import Server as Place
from ledger.store.base import Store
from ledger.store.contract import CLOCK, StoreContract, append, everything, new, refused, sealed
from ledger.store.postgres import roles as postgres_roles
from ledger.store.postgres.pool import LedgerDatastore, Texts
from ledger.store.postgres.roles import Roles
from ledger.store.postgres.store import PostgresStore
from ledger.store.postgres.wire import LedgerConnection
from tests.servers import Server


class TestPostgresStore(StoreContract):
    """The contract on a real server, every store in a schema of its own."""

    @pytest.fixture(autouse=True)
    def _schemas(self, server: Server) -> Iterator[None]:
        self.server = server
        self.opened: list[PostgresStore] = []
        yield
        for store in self.opened:
            store.close()

    def make_store(self) -> Store:
        self.place = Place.parse(self.server.schema())
        self.opened.append(PostgresStore.create(self.place))
        return self.opened[-1]

    def reopen(self, *, timeout: float = 60.0) -> Store:
        self.opened.append(PostgresStore.open(self.place, timeout=timeout))
        return self.opened[-1]

    def files(self) -> Iterable[bytes]:
        """The files of the schema's tables, and of what was moved out of them. Those of the server's log are its own."""
        with self.server.connect() as raw:
            try:
                raw.execute("CHECKPOINT")
            except psycopg.errors.InsufficientPrivilege:
                pytest.skip("needs the right to read the server's files")
            tables = (
                "SELECT unnest(ARRAY[oid, nullif(reltoastrelid, 0)]) AS oid FROM pg_class "
                f"WHERE relnamespace = '{self.place.schema}'::regnamespace AND relkind = 'r'"
            )
            path = "pg_read_binary_file(pg_relation_filepath(oid), 0, 100000000, true)"
            return [data for (data,) in raw.execute(f"SELECT {path} FROM ({tables}) t WHERE oid IS NOT NULL")]


@pytest.fixture
def place(server: Server) -> Place:
    return Place.parse(server.schema())


@pytest.fixture
def store(place: Place) -> Iterator[PostgresStore]:
    with PostgresStore.create(place, timeout=5.0) as made:
        yield made


# -- the schema -----------------------------------------------------------------------------------------


def test_a_schema_that_holds_something_is_left_alone(server: Server, place: Place) -> None:
    with server.connect() as raw:
        raw.execute(f"CREATE SCHEMA {place.schema} CREATE TABLE theirs (x int)")
    with pytest.raises(LedgerError, match="is not empty"):
        PostgresStore.create(place)
    with pytest.raises(NoLedger, match="holds no ledger"):
        PostgresStore.open(place)


def test_a_schema_that_is_empty_is_used(server: Server, place: Place) -> None:
    with server.connect() as raw:
        raw.execute(f"CREATE SCHEMA {place.schema}")
    with PostgresStore.create(place) as store:
        assert store.head().size == 0


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("ALTER TABLE stored_events DISABLE TRIGGER stored_events_refuse", "trigger stored_events_refuse"),
        ("DROP TRIGGER ledger_head_grow ON ledger_head", "trigger ledger_head_grow"),
        ("DROP TRIGGER ledger_head_one ON ledger_head", "trigger ledger_head_one"),
        (
            "CREATE OR REPLACE TRIGGER ledger_head_grow BEFORE UPDATE ON ledger_head FOR EACH ROW"
            " WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION ledger_grow();"
            "ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER ledger_head_grow",
            "trigger ledger_head_grow",
        ),
        ("ALTER TABLE ledger_node DROP CONSTRAINT ledger_node_number_check", "constraint"),
        ("ALTER TABLE stored_events ADD CHECK (notification_id <> 7)", "constraint stored_events"),
        ("COMMENT ON TABLE ledger_head IS 'claim-ledger schema 1'", "is altered|is missing"),
        ("ALTER TABLE ledger_body ALTER COLUMN salt DROP NOT NULL", "column ledger_body.salt"),
        ("ALTER TABLE stored_events ENABLE ROW LEVEL SECURITY", "table stored_events"),
        ("CREATE TABLE more () INHERITS (stored_events)", "stored_events"),
        ("CREATE RULE quiet AS ON DELETE TO ledger_body DO INSTEAD NOTHING", "table ledger_body"),
        (
            "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
            "function ledger_refuse",
        ),
    ],
)
def test_an_altered_schema_is_refused(
    store: PostgresStore, place: Place, server: Server, change: str, what: str
) -> None:
    with server.connect() as raw:
        raw.execute(f"SET search_path = {place.schema}")
        raw.execute(change)
    with pytest.raises(Unverified, match=what):
        PostgresStore.open(place)


def test_a_newer_schema_is_refused(store: PostgresStore, place: Place, server: Server) -> None:
    with server.connect() as raw:
        raw.execute(f"COMMENT ON TABLE {place.schema}.ledger_head IS 'claim-ledger schema 3'")
    with pytest.raises(NoLedger, match=r"has schema version 3, this program knows 2\. Use a newer") as caught:
        PostgresStore.open(place)
    assert "\n" not in str(caught.value)


VERSION_1 = """
ALTER TABLE stored_events ADD CHECK (notification_id >= 1), ADD CHECK (originator_version >= 1),
  ADD CHECK (octet_length(leaf_hash) = 32);
ALTER TABLE ledger_head ADD CHECK (id = 1), ADD CHECK (size >= 0);
ALTER TABLE ledger_body ADD CHECK (octet_length(salt) = 32);
DROP TRIGGER ledger_head_one ON ledger_head;
CREATE OR REPLACE FUNCTION ledger_grow() RETURNS trigger LANGUAGE plpgsql AS
$$BEGIN
  IF NEW.id <> OLD.id OR NEW.size < OLD.size THEN RAISE EXCEPTION 'the head of a ledger never goes back'; END IF;
  RETURN NEW;
END$$;
CREATE OR REPLACE TRIGGER ledger_head_grow BEFORE UPDATE ON ledger_head FOR EACH ROW EXECUTE FUNCTION ledger_grow();
ALTER TABLE ledger_head ENABLE ALWAYS TRIGGER ledger_head_grow;
COMMENT ON TABLE ledger_head IS 'claim-ledger schema 1'
"""


def test_a_ledger_of_the_first_version_is_read_and_written(
    store: PostgresStore, place: Place, server: Server
) -> None:
    append(store, new("a"))
    with server.connect() as raw:
        raw.execute(f"SET search_path = {place.schema}")
        raw.execute(VERSION_1)
    with PostgresStore.open(place) as again:
        append(again, new("b"), new("c"))
        assert [row.stream for row in again.rows()] == ["claim:a", "claim:b", "claim:c"]
    with server.connect() as raw, pytest.raises(psycopg.errors.RaiseException):
        raw.execute(f"UPDATE {place.schema}.ledger_head SET size = 0")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE stored_events SET topic = 'x'",
        "DELETE FROM stored_events",
        "TRUNCATE stored_events",
        "INSERT INTO stored_events SELECT * FROM stored_events ON CONFLICT (notification_id) DO UPDATE SET topic = 'x'",
        "DELETE FROM ledger_key",
        "TRUNCATE ledger_node, ledger_mark",
        "UPDATE ledger_head SET size = 0",
        "UPDATE ledger_head SET id = 2",
        "INSERT INTO ledger_head SELECT 2, size, frontier, recorded, marks FROM ledger_head",
        "DELETE FROM ledger_head",
        "SET session_replication_role = replica; DELETE FROM stored_events",
    ],
)
def test_the_record_refuses_to_be_changed(
    store: PostgresStore, place: Place, server: Server, change: str
) -> None:
    append(store, new(1, key="k", marks=(7,)), new(2))
    before = everything(store)
    with server.connect() as raw:
        raw.execute(f"SET search_path = {place.schema}")
        with pytest.raises(psycopg.errors.RaiseException):
            raw.execute(change)
    assert everything(store) == before


# -- bytes, reads and writes ----------------------------------------------------------------------------


def test_the_library_reads_what_was_written(store: PostgresStore) -> None:
    append(store, *(new(n) for n in range(1, 6)))
    recorder = store.recorder
    assert recorder.max_notification_id() == 5
    assert [one.id for one in recorder.select_notifications(2, 3)] == [2, 3, 4]
    assert [one.state for one in recorder.select_events("claim:3")] == [new(3).state]
    assert list(recorder.insert_events([StoredEvent("claim:9", 1, "t", b"{}")])) == [6]
    assert store.head().size == 6
    with pytest.raises(Conflict):
        recorder.insert_events([StoredEvent("claim:9", 1, "t", b"{}")])


def test_rows_copied_in_bulk_are_those_inserted_singly(server: Server) -> None:
    rows = [
        new(n, body=sealed(str(n)) if n % 3 else None, key=f"k{n}" if n % 5 == 0 else None, marks=(n, 7))
        for n in range(700)
    ]
    with (
        PostgresStore.create(Place.parse(server.schema())) as one,
        PostgresStore.create(Place.parse(server.schema())) as other,
    ):
        append(one, *rows)
        for at in range(0, len(rows), 50):
            append(other, *rows[at : at + 50])
        assert everything(one) == everything(other)
        assert list(one.marks()) == list(other.marks())
        assert [one.hashes(4, 0, 99), one.hashes(8, 0, 9)] == [other.hashes(4, 0, 99), other.hashes(8, 0, 9)]
        assert list(one.faults()) == list(other.faults()) == []
        assert list(one.leaves(3, 699)) == [(row.position, row.state) for row in one.rows(3, 699)]


def test_a_conflict_in_bulk_leaves_nothing_behind(store: PostgresStore) -> None:
    append(store, new("first"))
    before = everything(store)
    with pytest.raises(Conflict, match=r"claim:first version 1 is already recorded at #1"):
        append(store, *(new(n) for n in range(500)), new("first"))
    assert everything(store) == before


def test_a_conflict_stays_one_though_others_append_before_it_is_looked_at(
    store: PostgresStore, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The transaction is rolled back first, by which the lock is free for a moment."""
    append(store, new("a"))
    begin = LedgerDatastore.begin
    with PostgresStore.open(place) as other:

        def pushed_aside(self: LedgerDatastore, connection: LedgerConnection, first: str) -> Texts:
            monkeypatch.setattr(LedgerDatastore, "begin", begin)
            append(other, new("b"), new("c"))
            return begin(self, connection, first)

        with refused(Conflict), store.writer() as writer:
            writer.insert([new("a")], CLOCK, last=True)
            monkeypatch.setattr(LedgerDatastore, "begin", pushed_aside)
    append(store, new("d"), new("e"))
    assert [row.stream for row in store.rows()] == [f"claim:{one}" for one in "abcde"]


def test_a_half_read_cursor_keeps_nobody_waiting(store: PostgresStore, place: Place) -> None:
    append(store, *(new(n) for n in range(300)))
    scan = store.leaves()
    next(scan)
    with PostgresStore.open(place, timeout=2.0) as other:
        append(other, new("meanwhile"))
    assert [position for position, _ in scan] == list(range(2, 301))


@pytest.mark.parametrize("last", [False, True])
def test_a_row_that_was_put_in_past_the_lock_is_found_before_the_next_append(
    store: PostgresStore, place: Place, server: Server, last: bool
) -> None:
    append(store, new(1))
    with server.connect() as raw:
        values = "(2, 'x', 1, 't', ''::bytea, sha256(''))"
        raw.execute(f"INSERT INTO {place.schema}.stored_events VALUES {values}")
    with (
        pytest.raises(Unverified, match="the head counts 1 events, the last one is #2"),
        store.writer() as writer,
    ):
        writer.insert([new(2)], CLOCK, last=last)
    assert "there are 2" in next(store.faults())


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("change", ["DELETE FROM {}.stored_events", "UPDATE {}.ledger_head SET size = 2"])
def test_a_head_that_is_not_that_of_the_rows_is_found_before_the_next_append(
    store: PostgresStore, place: Place, server: Server, change: str, last: bool
) -> None:
    append(store, new(1))
    with server.connect() as raw:
        for table in ("stored_events", "ledger_head"):
            raw.execute(f"ALTER TABLE {place.schema}.{table} DISABLE TRIGGER ALL")

    def overtaken() -> None:
        with store.writer() as writer:
            assert writer.head().size == 1
            with server.connect() as raw:
                raw.execute(change.format(place.schema))
            writer.insert([new(2)], CLOCK, last=last)

    with pytest.raises(Unverified):
        overtaken()


def test_an_altered_mark_is_a_fault(store: PostgresStore, place: Place, server: Server) -> None:
    append(store, new(1, marks=(5, 6)))
    with server.connect() as raw:
        raw.execute(f"INSERT INTO {place.schema}.ledger_mark VALUES (8, 1)")
    assert "marks" in next(store.faults())


def test_what_was_erased_is_not_in_the_table_s_file(
    store: PostgresStore, server: Server, place: Place
) -> None:
    append(store, *(new(n, body=sealed(f'{{"quote":"taken {n} away"}}')) for n in range(20)))
    with store.writer() as writer:
        writer.erase([3])
    store.compact()
    with server.connect() as raw:
        path = f"pg_relation_filepath('{place.schema}.ledger_body')"
        try:
            raw.execute("CHECKPOINT")
            [(data,)] = raw.execute(f"SELECT pg_read_binary_file({path})").fetchall()
        except psycopg.errors.InsufficientPrivilege:
            pytest.skip("needs the right to read the server's files")
    assert b"taken 2 away" not in data
    assert b"taken 5 away" in data


# -- what a server can do -------------------------------------------------------------------------------


def test_a_server_that_loses_commits_is_read_and_not_written(store: PostgresStore, place: Place) -> None:
    append(store, new(1))
    option = "options=-c%20synchronous_commit%3Doff"
    lax = replace(place, conninfo=f"{place.conninfo}{'&' if '?' in place.conninfo else '?'}{option}")
    with pytest.raises(
        WriteFailed, match=r"synchronous_commit=off; nothing was recorded\. Have its owner set"
    ):
        PostgresStore.open(lax)
    with pytest.raises(WriteFailed, match="synchronous_commit=off"):
        PostgresStore.create(replace(lax, schema=f"{place.schema}x"))
    with PostgresStore.open(lax, readonly=True) as reading:
        assert reading.head().size == 1
        with pytest.raises(WriteFailed, match="reading only"):
            append(reading, new(2))


def test_fsync_turned_off_later_is_found_at_the_next_append(store: PostgresStore, server: Server) -> None:
    if server.own is None:
        pytest.skip("somebody else's server keeps its settings")
    append(store, new(1))
    with server.connect() as raw:
        try:
            _set_fsync(raw, "off")
            with pytest.raises(WriteFailed, match="fsync=off"):
                append(store, new(2))
        finally:
            _set_fsync(raw, "on")
    append(store, new(2))


def _set_fsync(raw: psycopg.Connection[Any], value: str) -> None:
    raw.execute(f"ALTER SYSTEM SET fsync = {value}")
    raw.execute("SELECT pg_reload_conf()")
    for _ in range(100):
        if raw.execute("SHOW fsync").fetchone() == (value,):
            return
        time.sleep(0.02)
    raise AssertionError("the setting did not change")


def test_a_lazy_isolation_level_does_not_make_a_writer_see_an_old_head(
    store: PostgresStore, place: Place
) -> None:
    option = "options=-c%20default_transaction_isolation%3Dserializable"
    url = f"{place.conninfo}{'&' if '?' in place.conninfo else '?'}{option}"
    with PostgresStore.open(replace(place, conninfo=url)) as strict:
        TestPostgresStore()._second_writer_waits(strict, strict)


def _breaking(monkeypatch: pytest.MonkeyPatch, *, after: bool) -> None:
    """The next COMMIT loses its connection, after it was done or before."""
    broken: list[int] = []

    def breaking(name: str, commits: Callable[[Any], bool]) -> None:
        real = getattr(LedgerConnection, name)

        def run(self: LedgerConnection, what: Any, **how: Any) -> Any:
            if not commits(what) or broken:
                return real(self, what, **how)
            broken.append(1)
            if after:
                real(self, what, **how)
            self.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(LedgerConnection, name, run)

    breaking("run_plain", lambda sql: sql == b"COMMIT")
    breaking("run_all", lambda statements: statements[-1][0] == "COMMIT")


@pytest.mark.parametrize("last", [False, True])
def test_a_commit_whose_answer_was_lost_is_read_back_and_acknowledged(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    _breaking(monkeypatch, after=True)
    assert append(store, new(1), new(2), last=last) == range(1, 3)
    assert append(store, new(3), last=last) == range(3, 4)
    assert [row.stream for row in store.rows()] == ["claim:1", "claim:2", "claim:3"]


@pytest.mark.parametrize("last", [False, True])
def test_a_commit_that_was_lost_is_not_acknowledged(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch, last: bool
) -> None:
    _breaking(monkeypatch, after=False)
    with pytest.raises(WriteFailed, match="connection was lost, and nothing is acknowledged") as caught:
        append(store, new(1), last=last)
    assert "Do the same again" in str(caught.value) and "\n" not in str(caught.value)
    assert append(store, new(2), last=last) == range(1, 2)


def test_a_connection_lost_in_mid_append_records_nothing(store: PostgresStore, server: Server) -> None:
    def cut_off() -> None:
        with store.writer() as writer:
            writer.insert([new(1)], CLOCK)
            with server.connect() as raw:
                raw.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'claims' "
                    "AND state = 'idle in transaction'"
                )
            writer.insert([new(2)], CLOCK)

    with pytest.raises(WriteFailed, match="connection was lost"):
        cut_off()
    assert store.head().size == 0
    assert append(store, new(1)) == range(1, 2)


def test_an_idle_connection_that_went_away_is_not_noticed(store: PostgresStore, server: Server) -> None:
    append(store, new(1))
    for work in (store.head, lambda: append(store, new(2)), lambda: list(store.leaves())):
        with server.connect() as raw:
            raw.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'claims'"
            )
        assert work()


# -- roles ----------------------------------------------------------------------------------------------


@pytest.fixture
def members(server: Server, place: Place, store: PostgresStore) -> Iterator[dict[str, Place]]:
    """A ledger with roles, and for each somebody who has it and nothing else."""
    prefix = f"r{place.schema}"
    made = Roles.named(prefix)
    postgres_roles.make(place, made, timeout=5.0)
    postgres_roles.make(place, made, timeout=5.0)
    found = {}
    with server.connect() as raw:
        for name in ("reader", "appender", "owner"):
            user = f"{prefix}_{name}_member"
            raw.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'pw' IN ROLE {prefix}_{name}")
            found[name] = Place.parse(_as(server.url, user, place.schema))
    yield found
    with server.connect() as raw:
        raw.execute(f"DROP SCHEMA {place.schema} CASCADE")
        for name in found:
            raw.execute(f"DROP ROLE {prefix}_{name}_member, {prefix}_{name}")


def _as(url: str, user: str, schema: str) -> str:
    scheme, rest = url.split("://")
    host = rest.rpartition("@")[2]
    return f"{scheme}://{user}:pw@{host}{'&' if '?' in host else '?'}schema={schema}"


def test_a_reader_reads_and_does_not_write(members: dict[str, Place], store: PostgresStore) -> None:
    append(store, new(1, body=sealed()))
    with PostgresStore.open(members["reader"]) as reader:
        assert everything(reader) == everything(store)
        with pytest.raises(LedgerError, match=r"this role may not do that \(permission denied") as caught:
            append(reader, new(2))
    assert "claims init --roles" in str(caught.value) and "\n" not in str(caught.value)


def test_an_appender_appends_and_changes_nothing(members: dict[str, Place], store: PostgresStore) -> None:
    with PostgresStore.open(members["appender"]) as appender:
        rows = [new(n, body=sealed(), key=f"k{n}", marks=(n,), registry=True) for n in range(1, 250)]
        append(appender, *rows[:5])
        append(appender, *rows[5:])
        assert everything(appender) == everything(store)
        for forbidden in (
            lambda writer: writer.remember("signed", "me"),
            lambda writer: writer.erase([1]),
        ):
            with pytest.raises(LedgerError, match="this role may not"), appender.writer() as writer:
                forbidden(writer)
        with pytest.raises(LedgerError, match="this role may not"):
            appender.compact()
    with psycopg.connect(members["appender"].conninfo) as raw:
        raw.execute(f"SET search_path = {members['appender'].schema}")
        for change in (
            "UPDATE stored_events SET topic = 'x'",
            "DELETE FROM stored_events",
            "TRUNCATE stored_events",
            "DROP TABLE stored_events",
            "ALTER TABLE stored_events DISABLE TRIGGER ALL",
            "UPDATE ledger_head SET id = 2",
            "DELETE FROM ledger_body",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), raw.transaction():
                raw.execute(change)


def test_an_owner_erases(members: dict[str, Place], store: PostgresStore) -> None:
    append(store, new(1, body=sealed()))
    with PostgresStore.open(members["owner"]) as owner:
        with owner.writer() as writer:
            writer.erase([1])
            writer.remember("a", "b")
        owner.compact()
        assert owner.body(1) is None and owner.setting("a") == "b"


@pytest.mark.parametrize("prefix", ["", "Desk", "pg_desk", "a b", "x" * 52, "x;"])
def test_roles_have_plain_names(prefix: str) -> None:
    with pytest.raises(Usage):
        Roles.named(prefix)
