"""A small ledger made by the commands themselves, copied for every test that writes into it."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conftest import CommandLine, InProcess, Said
from tests.copies import copy_ledger

TOWN = "geonames:703656"
_KEPT = TemporaryDirectory(prefix="claims-small-")


@cache
def _original() -> Path:
    folder = Path(_KEPT.name)
    claims, db = InProcess(folder), folder / "small.db"
    claims.run("init", db, "--ledger", "small", "--party", "RU=Russia", "--party", "UA=Ukraine")
    claims.run("place", TOWN, "--name", "Kupyansk", "--name", "Купянск", "--kind", "town", db=db)
    claims.run("place", "izium", "--name", "Izium", db=db)
    claims.run("source", "ru-mod", "--name", "Ministry", "--kind", "official", "--side", "RU", db=db)
    claims.run("source", "tass", "--name", "TASS", "--kind", "agency", db=db)
    claims.run("source", "isw", "--name", "Institute", "--kind", "map", db=db)
    return db


class Small:
    """The ledger, and the command line bound to it. Eight events: its opening, two parties, two places and
    three sources."""

    EVENTS = 8

    def __init__(self, claims: CommandLine, folder: Path) -> None:
        self.db = folder / "small.db"
        self._claims = claims
        copy_ledger(_original(), self.db)

    def run(self, *args: object, ok: int = 0, stdin: str = "", **env: str) -> Said:
        """A command's exit code and streams."""
        return self._claims.run(*args, db=self.db, ok=ok, stdin=stdin, **env)

    def refuses(self, *args: object, code: int, stdin: str = "") -> str:
        """What is said on stderr: one line, no traceback, nothing recorded, nothing on stdout."""
        before = self.size
        said = self.run(*args, ok=code, stdin=stdin)
        line = said.err.splitlines()[-1]
        assert line.startswith("claims: ")
        assert "Traceback" not in said.err
        assert said.out == ""
        assert self.size == before
        return line

    def json(self, *args: object, **more: Any) -> Any:
        """A command's answer as JSON."""
        return self._claims(*args, db=self.db, **more)

    def entry(self, *args: object) -> str:
        """The id under which a recording command's only event stands."""
        return str(self.json(*args)["receipts"][0]["entry"])

    def claim(self, *args: object) -> str:
        """The id of a new claim: the ministry says the town is Russian."""
        return self.entry("append", "Kupyansk", "RU", "--by", "ru-mod", "--said", "2025-11-20", *args)

    def show(self, entry: str) -> Any:
        return self.json("show", entry)

    @property
    def size(self) -> int:
        return int(self.json("log", "--limit", 1)["position"])
