"""A ledger on a server answers as one in a file does, to the byte, and says where it is without its password."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from ledger import book
from ledger.book import Ledger
from ledger.errors import Usage
from ledger.integrity import audit
from ledger.integrity.verifying import verify
from ledger.places import Server as Place
from ledger.places import beside, location
from tests.conftest import CommandLine
from tests.servers import Server


class Clock:
    """A morning on which every look at the clock takes a second."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


@dataclass
class Both:
    """The demo, made at the same moment with the same salts in a file and on a server."""

    claims: CommandLine
    file: Path
    url: str

    def ask(self, *words: object, code: int = 0) -> list[Any]:
        """What both say: exit code, stdout and stderr, with their names and keys taken out."""
        return [self._said(words, str(self.file), code), self._said(words, self.url, code)]

    def _said(self, words: tuple[object, ...], db: str, code: int) -> tuple[str, str]:
        with mock.patch.object(book, "now", Clock()):
            said = self.claims.run(*words, "--db", db, ok=code)
        # How far it is, is told only where that takes a while.
        texts = [said.out, "".join(line for line in said.err.splitlines(True) if " s left)" not in line)]
        for name in (shlex.quote(str(location(db))), str(location(db)), str(beside(location(db)))):
            texts = [text.replace(name, "DB") for text in texts]
        return texts[0], texts[1]


@pytest.fixture(scope="module")
def both(claims: CommandLine, server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    with mock.patch.dict(os.environ, XDG_DATA_HOME=str(folder / "data")):
        made = Both(claims, folder / "demo.db", server.schema())
        shown = []
        for db in (str(made.file), made.url):
            with (
                mock.patch.object(book, "now", Clock()),
                mock.patch.object(book, "random_bytes", lambda count: b"\x07" * count),
            ):
                shown.append(claims("demo", db)["days"])
        assert shown[0] == shown[1]
        yield made


ASKED = (
    ("as-of", "2025-12-16", "Kupyansk", "--json"),
    ("as-of", "2025-12-16", "Kupyansk", "--without", "kind:milblogger"),
    ("why", "2025-12-16", "Kupyansk", "--json"),
    ("timeline", "Kupyansk", "--json"),
    ("sources", "--json"),
    ("log", "--limit", "0", "--json"),
    ("show", "#17", "--json"),
    ("places", "--json"),
    ("export",),
    ("diff", "2025-12-01..2025-12-16", "--json"),
)


@pytest.mark.parametrize("words", ASKED, ids=lambda words: words[0])
def test_both_say_the_same(both: Both, words: tuple[str, ...]) -> None:
    code = 5 if words[0] == "diff" else 0
    in_file, on_server = both.ask(*words, code=code)
    assert in_file == on_server


def test_both_verify_to_the_same_root(both: Both) -> None:
    found = [both.claims("verify", "--db", db) for db in (both.file, both.url)]
    assert found[0]["root"] == found[1]["root"]
    assert found[0]["verified"] and found[1]["verified"]
    same = ("events", "tree", "bodies", "beside", "roots", "store")
    for name in same:
        one, other = ([check for check in answer["checks"] if check["check"] == name] for answer in found)
        assert one == other
    assert "fsync=on" in str(found[1]["checks"])


def test_both_record_and_refuse_the_same(both: Both) -> None:
    claim = ("append", "Kupyansk", "RU", "--by", "ru-mod", "--said", "2026-01-05", "--key", "twice")
    for code, words in (
        (0, claim),
        (0, claim),
        (1, (*claim, "--extent", "part")),
        (3, ("append", "Kupiansk?", "RU", "--by", "nobody", "--said", "2026-01-05")),
    ):
        in_file, on_server = both.ask(*words, code=code)
        assert in_file == on_server


def test_an_export_becomes_the_same_ledger_on_a_server(both: Both, server: Server, tmp_path: Path) -> None:
    both.claims.run("export", tmp_path / "all.jsonl", "--db", str(both.file))
    url = server.schema()
    both.claims.run("restore", tmp_path / "all.jsonl", "--db", url)
    with Ledger.open(url, readonly=True) as restored, Ledger.open(both.file, readonly=True) as ledger:
        assert restored.store.head() == ledger.store.head()
        assert list(restored.store.rows()) == list(ledger.store.rows())
        assert list(restored.store.bodies()) == list(ledger.store.bodies())
    refused = both.claims.run("restore", tmp_path / "all.jsonl", "--db", url, ok=1)
    assert "already exists" in refused.err
    other = server.schema()
    both.claims.run("restore", tmp_path / "all.jsonl", "--db", other, "--root", "00", ok=6)
    assert "there is no schema" in both.claims.run("log", "--db", other, ok=1).err


def test_a_receipt_and_a_redaction_work_on_a_server(both: Both, tmp_path: Path) -> None:
    with mock.patch.object(book, "now", Clock()):
        both.claims.run("receipt", "17", "-o", tmp_path / "r", "--db", both.url)
        both.claims.run("redact", "#60", "--yes", "--ground", "asked for", "--db", both.url)
    both.claims.run("verify", "--receipt", tmp_path / "r", "--db", both.url)
    assert both.claims("verify", "--db", both.url)["verified"]


def test_several_processes_verify_a_ledger_on_a_server(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_WORTH", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with Ledger.open(both.url, readonly=True) as ledger:
        checks = verify(ledger, location(both.url))
    assert [check.name for check in checks if check.ok is False] == []


# -- what a place is called -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h/db", "postgresql://u@h/db"),
        ("postgres://u:se:cret@h:5433/db?schema=desk", "postgresql://u@h:5433/db?schema=desk"),
        ("postgresql://h/db?password=secret&sslmode=require", "postgresql://h/db"),
        ("postgresql://u:se/c@ret@h/db", "postgresql://u@h/db"),
        ("postgresql:///db?host=/run/pg&schema=claims", "postgresql:///db?host=/run/pg"),
        ("postgresql://:secret@h", "postgresql://h/"),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str) -> None:
    place = Place.parse(url)
    assert str(place) == shown
    assert "secret" not in repr(place) and "secret" not in str(place.beside)
    assert "schema=" not in place.conninfo


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("postgresql://u:secret@[::1/db", 2),
        ("postgresql://u:se%zzsecret@h/db", 2),
        ("postgresql://u:secret@127.0.0.1:port/db", 1),
        ("postgresql://u:secret@h/db?nothing=1", 2),
        ("postgresql://u:secret/x@127.0.0.1:1/db", 1),
        ("postgresql://u:secret@127.0.0.1:1/db?password=secret", 1),
        ("postgresql://u:secret@h/db?schema=a&schema=b", 2),
        ("postgresql:/u:secret@h/db", 2),
        ("mysql://u:secret@h/db", 2),
        ("sqlite:///desk.db", 2),
        ("postgresql+psycopg://u:secret@h/db", 2),
    ],
)
def test_an_address_that_leads_nowhere_is_refused_without_its_password(
    claims: CommandLine, url: str, code: int
) -> None:
    for expected, words in ((code, ("log", "--db", url)), (2, ("log", url)), (2, ("init", url, "--db", "x"))):
        said = claims.run(*words, ok=expected)
        assert said.err.startswith("claims: ") and said.err.count("\n") == 1
        assert "secret" not in said.err + said.out


@pytest.mark.parametrize(
    "url", ["postgresql://h/db?schema=", "postgresql://h/d?schema=Pg", "postgresql://h/d?schema=pg_x"]
)
def test_a_schema_has_a_plain_name(url: str) -> None:
    with pytest.raises(Usage):
        location(url)


def test_what_lies_beside_a_ledger_tells_hosts_databases_and_schemas_apart() -> None:
    urls = ("//h/db", "//h:5433/db", "//i/db", "//h/other", "//h/db?schema=x", "///db?host=h2")
    names = {location(f"postgresql:{url}") for url in urls}
    assert len({beside(place) for place in names}) == len(urls)
    assert beside(location("postgresql://u:p@h/db")) == beside(location("postgres://h:5432/db?schema=claims"))


def test_a_file_is_a_file() -> None:
    for name in ("postgresql.db", "C:\\desk.db", "C:/desk.db", "./sqlite:/x.db"):
        assert location(name) == Path(name)
    assert beside(location("x/claims.db")) == Path("x/claims.db")


# -- mistakes -------------------------------------------------------------------------------------------


def test_roles_are_made_with_a_ledger_and_for_one_that_is_there(
    claims: CommandLine, server: Server, tmp_path: Path
) -> None:
    url, prefix = server.schema(), f"cli_{os.getpid()}"
    env = {"XDG_DATA_HOME": str(tmp_path)}
    made = claims("init", url, "--ledger", "desk", "--roles", prefix, **env)
    again = claims("init", url, "--roles", prefix, **env)
    assert made["roles"] == again["roles"] == [f"{prefix}_{one}" for one in ("reader", "appender", "owner")]
    claims.run("party", "RU", "--db", url, **env)
    with server.connect() as raw:
        raw.execute(f"DROP SCHEMA {Place.parse(url).schema} CASCADE")
        raw.execute(f"DROP ROLE {', '.join(made['roles'])}")
    refused = claims.run("init", str(tmp_path / "x.db"), "--roles", prefix, ok=2)
    assert "a file has no roles" in refused.err
    assert not (tmp_path / "x.db").exists()


def test_a_ledger_that_cannot_be_signed_leaves_no_tables(
    claims: CommandLine, server: Server, tmp_path: Path
) -> None:
    url = server.schema()
    (tmp_path / "claim-ledger").write_text("in the way")
    refused = claims.run("init", url, ok=1, XDG_DATA_HOME=str(tmp_path))
    assert "the checkpoint could not be written" in refused.err
    assert "there is no schema" in claims.run("log", "--db", url, ok=1).err


def test_without_the_extra_one_line_says_what_to_install(
    claims: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [
        one
        for one in sys.modules
        if one.startswith(("psycopg", "ledger.store.postgres", "eventsourcing.postgres"))
    ]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    said = claims.run("log", "--db", "postgresql://h/db", ok=2)
    assert said.err == (
        "claims: a ledger on a PostgreSQL server needs another package. Install the extra: pip install 'claim-ledger[postgres]'\n"
    )
