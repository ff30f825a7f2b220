"""A view that the owner of a ledger on a server shared is the view that everybody would have made, and no other is taken."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock
from urllib.parse import quote

import pytest

from ledger.errors import LedgerError
from ledger.places import Server as Place
from ledger.store.postgres import shelf
from projections import sharing
from projections.desk import Desk
from projections.registry import load
from projections.view import file_name
from projections.views import Views
from tests.conftest import CommandLine
from tests.servers import Server

TALLY = load("tally")


@dataclass
class Team:
    """The demo on a server, and people who read it, each with views of their own."""

    claims: CommandLine
    server: Server
    url: str
    folder: Path
    people: list[str] = field(default_factory=list)

    def as_somebody(self, *words: object, url: str = "", code: int = 0) -> str:
        """What a newcomer is told: JSON on stdout, or what is said on stderr where it fails."""
        self.people.append("one")
        said = self.claims.run(*words, "--db", url or self.url, ok=code, CLAIMS_VIEWS=str(self.views))
        return said.err if code else said.out

    @property
    def views(self) -> Path:
        """The views of the one who asked last."""
        return self.folder / f"views-{len(self.people)}"

    def rows(self, name: str = file_name(TALLY)) -> dict[str, list[tuple[object, ...]]]:
        """All rows of that one's view."""
        [path] = self.views.rglob(name)
        with sqlite3.connect(path) as db:
            tables = [
                one for (one,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
            ]
            return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}

    def person(self, role: str, name: str) -> str:
        """The address of somebody who is a member of a role."""
        with self.server.connect() as raw:
            raw.execute(f'CREATE ROLE "{name}" LOGIN IN ROLE "{role}"')
        return self.url.replace("postgres@", f"{quote(name)}@", 1)


@pytest.fixture(scope="module")
def team(claims: CommandLine, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with mock.patch.dict(os.environ, XDG_DATA_HOME=str(folder / "data")):
        found = Team(claims, server, server.schema(), folder)
        claims.run("demo", found.url)
        yield found


@pytest.fixture
def not_made(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From its call on nobody makes a view from nothing."""

    def never(*_: object) -> None:
        raise AssertionError("a view was made from nothing")

    return lambda: monkeypatch.setattr(Views, "_rebuild", never)


ASKED = ("as-of", "2025-12-16", "Kupyansk", "--json")


def test_a_newcomer_takes_the_shared_view_and_makes_none(team: Team, not_made: Callable[[], None]) -> None:
    expected = team.as_somebody(*ASKED)
    team.as_somebody("replay", "--share", "--json")
    made = team.rows()
    not_made()
    assert team.as_somebody(*ASKED) == expected
    assert team.rows() == made
    assert made["spot"] and made["score"] and made["spelling"]


def test_what_was_recorded_since_is_added_to_it(team: Team, not_made: Callable[[], None]) -> None:
    team.as_somebody("replay", "--share", "--json")
    claim = ("append", "Kupyansk", "RU", "--by", "ru-mod", "--said", "2026-01-05")
    team.as_somebody(*claim)
    later = ("as-of", "2026-01-06", "Kupyansk", "--json")
    expected = team.as_somebody(*later)
    team.as_somebody("replay", "--json")
    anew = team.rows()
    not_made()
    assert team.as_somebody(*later) == expected
    taken = team.rows()
    assert {row[1:] for row in taken["spot"]} == {row[1:] for row in anew["spot"]} != set()


def test_what_a_logic_learnt_is_shared_with_its_view(team: Team, not_made: Callable[[], None]) -> None:
    hmm = (*ASKED, "--logic", "hmm")
    team.as_somebody("replay", "--logic", "hmm", "--share", "--json")
    made = team.rows(file_name(load("hmm")))
    not_made()
    team.as_somebody(*hmm)
    assert team.rows(file_name(load("hmm"))) == made


def test_sharing_again_takes_the_place_of_what_was_shared(team: Team, not_made: Callable[[], None]) -> None:
    for _ in range(2):
        team.as_somebody("replay", "--share", "--json")
        team.as_somebody("append", "Kupyansk", "RU", "--by", "ru-mod", "--said", "2026-01-05")
    not_made()
    team.as_somebody(*ASKED)


def test_readers_take_it_and_only_the_owner_shares(team: Team, not_made: Callable[[], None]) -> None:
    prefix = Place.parse(team.url).schema
    team.claims.run("init", team.url, "--roles", prefix)
    reader = team.person(f"{prefix}_reader", f"{prefix}-anna")
    appender = team.person(f"{prefix}_appender", f"{prefix}-ben")
    for url in (reader, appender):
        said = team.as_somebody("replay", "--share", url=url, code=1)
        assert f"belongs to {prefix}_owner" in said and len(said.splitlines()) == 1
    team.as_somebody("replay", "--share", "--json")
    not_made()
    for url in (reader, appender):
        team.as_somebody(*ASKED, url=url)


def test_what_was_shared_before_there_were_roles_goes_to_the_owner_with_the_ledger(
    team: Team, server: Server, not_made: Callable[[], None]
) -> None:
    early, other = server.schema(), server.schema()
    for url in (early, other):
        team.claims.run("demo", url)
        team.as_somebody("replay", "--share", "--json", url=url)
    prefix = Place.parse(early).schema
    team.claims.run("init", early, "--roles", prefix)
    anna = team.person(f"{prefix}_reader", f"{prefix}-anna").replace(Place.parse(team.url).schema, prefix)
    with server.connect() as raw:
        owners = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = %s"
        names = [shelf.schema_of(Place.parse(url), sharing._mark(TALLY)) for url in (early, other)]
        [mine], [theirs] = (raw.execute(owners, (name,)).fetchone() or ("none",) for name in names)
    assert (mine, theirs) == (f"{prefix}_owner", "postgres")
    not_made()
    for url in (early, anna):
        team.as_somebody(*ASKED, url=url)


def test_an_owner_who_may_not_make_schemas_is_told_so_before_the_work(team: Team) -> None:
    prefix = Place.parse(team.url).schema
    team.claims.run("init", team.url, "--roles", prefix)
    owner = team.person(f"{prefix}_owner", f"{prefix}-cleo")
    said = team.as_somebody("replay", "--share", url=owner, code=1)
    assert "no right to make a schema in this database" in said
    assert not list(team.views.rglob("*.db"))
    with team.server.connect() as raw:
        raw.execute(f'GRANT CREATE ON DATABASE postgres TO "{prefix}-cleo"')
    team.as_somebody("replay", "--share", "--json", url=owner)


def schema(team: Team) -> str:
    place = Place.parse(team.url)
    return shelf.schema_of(place, sharing._mark(TALLY))


def test_what_somebody_else_puts_under_its_name_is_passed_over(team: Team) -> None:
    expected = team.as_somebody(*ASKED)
    team.as_somebody("replay", "--share", "--json")
    spoilt(team, "UPDATE spot SET data = '', knots = 0")
    with team.server.connect() as raw:
        raw.execute(f'CREATE ROLE "{schema(team)}-mallory"')
        raw.execute(f'ALTER SCHEMA {schema(team)} OWNER TO "{schema(team)}-mallory"')
    assert team.as_somebody(*ASKED) == expected


def test_a_schema_that_holds_something_else_is_left_alone(team: Team) -> None:
    with team.server.connect() as raw:
        raw.execute(f"DROP SCHEMA IF EXISTS {schema(team)} CASCADE")
        raw.execute(f"CREATE SCHEMA {schema(team)}")
        raw.execute(f"COMMENT ON SCHEMA {schema(team)} IS 'mine'")
    said = team.as_somebody("replay", "--share", code=1)
    assert "is somebody else's" in said and "Drop it" in said
    with team.server.connect() as raw:
        raw.execute(f"DROP SCHEMA {schema(team)} CASCADE")


def spoilt(team: Team, statement: str) -> None:
    with team.server.connect() as raw:
        raw.execute(f"SET search_path = {schema(team)}")
        raw.execute(statement.encode())


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE meta SET value = 'x' WHERE name = 'fingerprint'",
        "UPDATE meta SET value = '00' WHERE name = 'leaf'",
        "UPDATE meta SET value = '999' WHERE name = 'position'",
        "DELETE FROM meta",
        "DROP TABLE meta",
        "ALTER TABLE meta ADD COLUMN more text",
        "ALTER TABLE spot ALTER COLUMN knots TYPE text USING 'many'",
    ],
)
def test_a_shared_view_that_does_not_fit_is_passed_over(team: Team, statement: str) -> None:
    expected = team.as_somebody(*ASKED)
    team.as_somebody("replay", "--share", "--json")
    spoilt(team, statement)
    assert team.as_somebody(*ASKED) == expected
    assert not list(team.views.rglob("*.fetched"))


def test_that_of_another_ledger_under_the_same_name_is_passed_over(
    claims: CommandLine, server: Server, tmp_path: Path
) -> None:
    url = server.schema()
    place = Place.parse(url)
    with mock.patch.dict(os.environ, XDG_DATA_HOME=str(tmp_path / "one")):
        claims.run("demo", url)
        claims.run("replay", "--share", "--db", url)
    with server.connect() as raw:
        raw.execute(f'DROP SCHEMA "{place.schema}" CASCADE')
    with mock.patch.dict(os.environ, XDG_DATA_HOME=str(tmp_path / "other")):
        claims.run("demo", url)
        with Desk(place) as desk:
            assert desk.views._fetched(tmp_path / "taken.db", TALLY, desk.head) is None
    assert not (tmp_path / "taken.db").exists()


def test_views_of_a_file_are_not_shared(claims: CommandLine, copied: Path) -> None:
    said = claims.run("replay", "--share", "--db", copied, ok=2)
    assert "the views of a file lie beside it" in said.err and "`claims move`" in said.err


def test_a_text_that_no_server_keeps_stays_on_this_machine(team: Team) -> None:
    table = shelf.Table("odd", [("name", "TEXT")], [("a\0b",)])
    with pytest.raises(LedgerError, match="zero byte"):
        shelf.put(Place.parse(team.url), "odd", "odd", [table])
    with shelf.kept(Place.parse(team.url), "odd") as found:
        assert found is None
