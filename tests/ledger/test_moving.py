"""A ledger moved to a server and back is the same ledger, and one that cannot be moved whole is not moved at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledger import moving
from ledger.book import Draft, Ledger
from ledger.errors import Conflict, LedgerError, NoLedger, Unverified
from ledger.integrity.journal import Journal
from ledger.integrity.verifying import verify
from ledger.places import Location, location
from ledger.store.contract import everything
from tests.conftest import CommandLine
from tests.servers import Server


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A small ledger with a redaction, in a file."""
    path = tmp_path / "a.db"
    _make(path)
    return path


def _make(path: Location, *, encrypted: bool = False) -> None:
    with Ledger.create(path, ledger="moved", title="to be moved", encrypted=encrypted) as ledger:
        for number in range(30):
            place = {"place": f"p-{number}", "names": [f"Place {number}"], "kind": "town"}
            ledger.append([Draft.of("place-registered", place)])
        names = [f"Source {number}" for number in range(3)]
        sources = [
            Draft.of("source-registered", {"source": f"s-{n}", "kind": "official"}, body={"names": [name]})
            for n, name in enumerate(names)
        ]
        ledger.append(sources)
        ledger.append([Draft.of("party-named", {"party": "X", "key": "k"})])


def _seen(place: Location) -> object:
    with Ledger.open(place, readonly=True) as ledger:
        store = ledger.store
        settings = [store.setting(name) for name in ("signed", "origins", "bodies")]
        nodes = [
            list(store.hashes(4, 0, 99)),
            list(store.marks()),
            list(store.registered()),
            store.key_count(),
        ]
        return everything(store), settings, nodes, Journal(place).path.read_bytes()


def _verified(place: Location) -> bool:
    with Ledger.open(place, readonly=True) as ledger:
        return all(check.ok is not False for check in verify(ledger, place, deep=True))


@pytest.mark.parametrize("encrypted", [False, True])
def test_there_and_back_it_is_the_same_ledger(server: Server, tmp_path: Path, encrypted: bool) -> None:
    path, there, back = tmp_path / "a.db", location(server.schema()), tmp_path / "b.db"
    _make(path, encrypted=encrypted)
    before = _seen(path)
    moved = moving.move(path, there)
    assert (moved.head.size, moved.bodies) == (35, 3)
    moving.move(there, back)
    assert _seen(there) == _seen(back) == _seen(path) == before
    assert _verified(there) and _verified(back)
    with Ledger.open(there) as ledger:  # it goes on under the same key
        ledger.append([Draft.of("party-named", {"party": "Y"})])
        assert ledger.body(33)["names"] == ["Source 1"]
    assert _verified(there)


def test_from_server_to_server(server: Server, made: Path) -> None:
    one, other = location(server.schema()), location(server.schema())
    moving.move(made, one)
    moving.move(one, other)
    assert _seen(one) == _seen(other)


def test_what_is_there_is_left_alone(server: Server, made: Path, tmp_path: Path) -> None:
    there, other = location(server.schema()), tmp_path / "other.db"
    moving.move(made, there)
    _make(other)
    before = _seen(there), _seen(other)
    for target in (there, other):
        with pytest.raises(LedgerError, match="already exists"):
            moving.move(made, target)
    assert (_seen(there), _seen(other)) == before


def test_one_that_grows_meanwhile_is_not_moved(server: Server, made: Path, tmp_path: Path) -> None:
    for target in (location(server.schema()), tmp_path / "b.db"):

        def append(done: int, _: int, target: Location = target) -> None:
            with Ledger.open(made) as ledger:
                ledger.append([Draft.of("party-named", {"party": f"P{type(target).__name__}"})])

        with pytest.raises(Conflict, match="somebody appended to it meanwhile"):
            moving.move(made, target, append)
        _is_nothing(target)


def test_one_that_contradicts_itself_is_not_moved(server: Server, made: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(made)) as raw, raw:
        triggers = raw.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            raw.execute(f"DROP TRIGGER {name}")
        changed = "cast(replace(cast(state AS TEXT), 'Place 7', 'Place 8') AS BLOB)"
        raw.execute(f"UPDATE stored_events SET state = {changed} WHERE rowid = 9")
        for _, sql in triggers:
            raw.execute(sql)
    for target in (location(server.schema()), tmp_path / "b.db"):
        with pytest.raises(Unverified, match="its events have the root"):
            moving.move(made, target)
        _is_nothing(target)


def _is_nothing(target: Location) -> None:
    with pytest.raises(NoLedger):
        Ledger.open(target)
    assert not Journal(target).exists()


def test_the_command_says_what_it_did(
    claims: CommandLine, server: Server, made: Path, tmp_path: Path
) -> None:
    url = server.schema()
    env = {"XDG_DATA_HOME": str(tmp_path / "data")}
    said = claims("move", made, url, **env)
    assert (said["schema"], said["position"], said["bodies"]) == ("move/1", 35, 3)
    assert said["root"] == claims("verify", "--db", url, **env)["root"]
    assert "is named twice" in claims.run("move", made, made, ok=2).err
    assert "no such file" in claims.run("move", tmp_path / "deno.db", server.schema(), ok=1, **env).err
    assert "its folder does not exist" in claims.run("move", made, tmp_path / "no" / "b.db", ok=1).err
