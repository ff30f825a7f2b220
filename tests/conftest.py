"""What the tests share: the command line, run for real or in process, and the demo ledger it makes.

    answer = claims("as-of", "2025-12-16", "Kupyansk", db=demo)             # parsed JSON, exit 0 expected
    said = claims.run("as-of", "2025-12-16", "Lyman", db=demo, ok=3)        # exit code, stdout and stderr

``claims`` runs in this process, which is fast; ``script`` has the same two calls and starts the installed
console script. Neither sees the caller's settings: no ``CLAIMS_*`` variable, no user file, a folder of its
own to work in.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.servers import Server

# A busy machine is no failure of a law: no deadlines. (Where CI is set, hypothesis is also derandomised.)
settings.register_profile("steady", settings.default, deadline=None, max_examples=30)
settings.load_profile("steady")

# A run that a shell started in the background ignores Ctrl-C, and so would every command that a test interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Keys that tests make never lie among the user's own; what they sign with does not outlive the run.
_KEYS = tempfile.TemporaryDirectory(prefix="claims-keys-")
os.environ["CLAIMS_KEYS"] = _KEYS.name

FIXTURE = Path(__file__).parents[1] / "fixtures" / "kupyansk" / "events.jsonl"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command said: its exit code, and its streams as text."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine(ABC):
    """``claims`` as a function. Works in ``folder``, where relative paths lead."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self, *args: object, db: Path | None = None, ok: int = 0, stdin: str = "", **env: str
    ) -> Any:
        """The answer as parsed JSON; fails unless the exit code is ``ok``."""
        return self.run(*args, "--json", db=db, ok=ok, stdin=stdin, **env).json

    def run(self, *args: object, db: Path | None = None, ok: int = 0, stdin: str = "", **env: str) -> Said:
        """The exit code and both streams; fails unless the exit code is ``ok``."""
        argv = [str(arg) for arg in args] + (["--db", str(db)] if db is not None else [])
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMS_")}
        said = self._run(
            argv,
            stdin,
            clean
            | {
                "XDG_CONFIG_HOME": str(self.folder),
                "CLAIMS_LOGICS": str(self.folder / "logics"),
                "CLAIMS_KEYS": os.environ["CLAIMS_KEYS"],
            }
            | env,
        )
        shown = f"claims {' '.join(argv)}\nexit {said.code}, not {ok}\n{said.out[-2000:]}{said.err[-2000:]}"
        assert said.code == ok, shown
        return said

    @abstractmethod
    def _run(self, argv: list[str], stdin: str, env: dict[str, str]) -> Said: ...


class InProcess(CommandLine):
    """Calls what the console script calls, with streams of its own."""

    def _run(self, argv: list[str], stdin: str, env: dict[str, str]) -> Said:
        from projections.cli import run

        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
        typed = io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8")
        with (
            mock.patch.dict(os.environ, env, clear=True),
            mock.patch.object(sys, "stdin", typed),
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            code = run(argv)
        return Said(code, _text(out), _text(err))


class Script(CommandLine):
    """Starts the console script that was installed beside this Python."""

    def _run(self, argv: list[str], stdin: str, env: dict[str, str]) -> Said:
        path = shutil.which("claims", path=os.path.dirname(sys.executable))
        assert path is not None, "the console script `claims` is not installed beside this Python"
        done = subprocess.run(
            [path, *argv],
            check=False,
            input=stdin.encode(),
            capture_output=True,
            env=env,
            cwd=self.folder,
            timeout=120,
        )
        return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


@pytest.fixture(scope="session")
def claims(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command line, in this process."""
    return InProcess(tmp_path_factory.mktemp("claims"))


@pytest.fixture(scope="session")
def script(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """The command line, by the installed console script."""
    return Script(tmp_path_factory.mktemp("script"))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, script: CommandLine) -> Path:
    """The ledger that ``claims demo`` makes, for reading. Each worker has its own; write into ``copied``."""
    db = tmp_path_factory.mktemp("demo") / "demo.db"
    script.run("demo", db)
    return db


@pytest.fixture
def copied(demo: Path, tmp_path: Path) -> Path:
    """A copy of the demo ledger with its views, for one test to write into."""
    for found in demo.parent.iterdir():
        if found.is_dir():
            shutil.copytree(found, tmp_path / found.name)
        else:
            shutil.copy2(found, tmp_path / found.name)
    return tmp_path / demo.name


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server; started for the first test that asks for it, and stopped after the last."""
    from tests.servers import running

    with running() as found:
        yield found


@pytest.fixture(scope="session")
def labels() -> dict[str, int]:
    """Label of a line of the Kupyansk fixture → its position in the demo ledger (the first is its opening)."""
    lines = FIXTURE.read_text(encoding="utf-8").splitlines()
    named = {json.loads(line).get("as"): position for position, line in enumerate(lines, 2)}
    return {label: position for label, position in named.items() if label is not None}


@pytest.fixture(scope="session")
def entries(claims: CommandLine, demo: Path, labels: dict[str, int]) -> dict[str, str]:
    """Label of a line of the Kupyansk fixture → the id of the entry that it became."""
    log = claims("log", "--limit", 0, db=demo)["events"]
    recorded = {event["position"]: event["entry"] for event in log}
    return {label: recorded[position] for label, position in labels.items()}
