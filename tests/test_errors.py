"""Every mistake under ``fixtures/errors`` is made for real: one line on stderr, its exit code, nothing lost.

``fixtures/errors/README.md`` has the format. ``CLAIMS_UPDATE=1`` writes the lines that were seen into the
files; look at the difference before you keep it.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ledger import errors
from ledger.text import visible
from projections.cli import COMMANDS
from tests.conftest import CommandLine, InProcess, Said, Script
from tests.copies import copy_ledger

FOLDER = Path(__file__).parents[1] / "fixtures" / "errors"
NAMES = sorted(path.stem for path in FOLDER.glob("*.toml"))
#: Made through the installed console script as well: one of each kind of ending.
BY_SCRIPT = (
    "control-characters-in-a-place",
    "hostile-topic",
    "locked-ledger",
    "malformed-json-line",
    "typo-in-the-database",
    "unknown-command",
)
PREPARED = re.compile(r"claims demo (\S+\.db)")


@dataclass(frozen=True)
class Step:
    """A command line, and what it has to say."""

    run: str
    exit: int = 0
    stdout_has: list[str] = field(default_factory=list)
    stdout_lacks: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Case:
    """One mistake. See ``fixtures/errors/README.md`` for what the fields mean."""

    about: str
    run: str
    exit: int
    stderr: str
    talk: list[str] = field(default_factory=list)
    stdout_has: list[str] = field(default_factory=list)
    setup: list[str | dict[str, Any]] = field(default_factory=list)
    files: dict[str, Any] = field(default_factory=dict)
    stdin: str = ""
    env: dict[str, str] = field(default_factory=dict)
    held: str = ""
    writes: list[str] = field(default_factory=list)
    after: list[Step] = field(default_factory=list)

    @classmethod
    def read(cls, name: str) -> Case:
        values = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))
        return cls(**values | {"after": [Step(**step) for step in values.get("after", ())]})


@pytest.mark.parametrize("name", NAMES)
def test_a_mistake_costs_one_line_and_nothing_else(name: str, tmp_path: Path, demo: Path) -> None:
    reproduce(name, InProcess(tmp_path), demo)


@pytest.mark.parametrize("name", BY_SCRIPT)
def test_the_installed_script_says_the_same(name: str, tmp_path: Path, demo: Path) -> None:
    reproduce(name, Script(tmp_path), demo)


def test_every_exit_code_of_a_mistake_is_reproduced() -> None:
    """All of the table but 5 (differences are no mistake) and 130, which needs a keyboard."""
    codes = {value for name, value in vars(errors).items() if name.isupper() and isinstance(value, int)}
    assert {Case.read(name).exit for name in NAMES} == codes - {errors.DIFFERENT, errors.INTERRUPTED}


def test_every_file_says_what_it_is_about_in_one_sentence() -> None:
    odd = [name for name in NAMES if not re.fullmatch(r"[A-Z].*[^.]\.", Case.read(name).about)]
    assert not odd


# -- a typo never makes a file -------------------------------------------------------------------------

#: What a command wants besides the ledger. One that is not listed is called without anything.
WANTED = {
    "append": "Kupyansk RU --by tass",
    "evidence": "Kupyansk RU --by tass",
    "place": "own:1 --name Lypove",
    "source": "blog --name Blog",
    "party": "XX",
    "question": "bridge --state standing --state destroyed",
    "link": "tass ria",
    "observe": "deepstate",
    "withdraw": "deepstate Kupyansk",
    "correct": "party:RU --set name=Russia",
    "retract": "c-0b13aa6fac44 --by tass",
    "void": "e-c63d7c4b484a",
    "judge": "c-0b13aa6fac44 true",
    "rule": "Kupyansk RU --valid 2025-12-16",
    "import": "-",
    "as-of": "2025-12-16",
    "why": "2025-12-16 Kupyansk",
    "timeline": "Kupyansk",
    "panel": "2025-12-01..2025-12-02",
    "backtest": "truth.csv",
    "diff": "2025-12-16..2025-12-17",
    "show": "party:RU",
    "receipt": "party:RU",
    "redact": "c-0b13aa6fac44 --yes",
    "seal": "closed.db",
}
MAKERS = ("init", "demo", "restore", "move")


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in MAKERS])
def test_a_typo_never_makes_a_file(command: str, tmp_path: Path) -> None:
    words = shlex.split(WANTED.get(command, ""))
    code = errors.FAILED if command in WANTED or not words else errors.USAGE
    said = InProcess(tmp_path).run(command, *words, "--db", "deno.db", ok=code)
    assert said.err.count("\n") == 1
    assert "deno.db" in said.err
    assert list(tmp_path.iterdir()) == []


# -- streams that are not there ------------------------------------------------------------------------


def test_an_argument_that_is_no_text_is_shown_in_escapes(demo: Path, tmp_path: Path) -> None:
    said = InProcess(tmp_path).run("as-of", "2025-12-16", "Ly\udcff\udc9b", db=demo, ok=errors.UNKNOWN)
    assert "no place 'Ly\\udcff\\udc9b'" in said.err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_an_answer_that_cannot_be_written_is_said_so_in_one_line(demo: Path, tmp_path: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = start(tmp_path, "log", "--db", str(demo), stdout=full)
        _, said = done.communicate(timeout=60)
    assert done.returncode == errors.FAILED
    assert said.startswith("claims: ") and said.count("\n") == 1 and "No space left" in said


@pytest.mark.skipif(os.name != "posix", reason="closes a stream as a POSIX shell does")
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_a_stream_that_the_caller_closed_is_no_error(closed: str, demo: Path, tmp_path: Path) -> None:
    line = f"{shlex.quote(str(console_script()))} log --db {shlex.quote(str(demo))} {closed}"
    options: dict[str, Any] = {"cwd": tmp_path, "env": quiet(), "capture_output": True, "timeout": 60}
    done = subprocess.run(["sh", "-c", line], check=False, **options)
    assert (done.returncode, done.stderr) == (0, b"")


# -- interrupted from the keyboard ---------------------------------------------------------------------


def test_an_interrupted_import_keeps_its_batches_and_can_be_done_again(copied: Path, tmp_path: Path) -> None:
    """A pipe without an end is imported, and broken off when the first batch is in and more is waited for."""
    before = size(copied)
    running = start(tmp_path, "import", "-", "--db", str(copied), stdin=subprocess.PIPE)
    assert running.stdin is not None
    running.stdin.write("".join(map(claim, range(8_000))))
    running.stdin.flush()
    wait_until(lambda: size(copied) > before, running)
    time.sleep(0.2)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == errors.INTERRUPTED
    assert said.startswith("claims: interrupted: ") and said.count("\n") == 1
    recorded = size(copied) - before
    assert recorded > 0

    again = tmp_path / "claims.jsonl"
    again.write_text("".join(claim(number) for number in range(recorded + 1_000)), "utf-8")
    claims = InProcess(tmp_path)
    tally = claims("import", again, db=copied)
    assert (tally["already"], tally["new"], tally["rejected"]) == (recorded, 1_000, 0)
    backup = tmp_path / "backup.jsonl"
    claims.run("export", backup, db=copied)
    claims.run("restore", backup, db=tmp_path / "again.db")  # checks every leaf and the root


SLOW = """
import time
from pathlib import Path

from projections import Logic


def weigh(piece, source):
    if Path("slow").exists():
        Path("weighing").touch()
        time.sleep(0.2)
    return 1.0


logic = Logic("slow", version=1, weigh=weigh)
"""


def test_an_interrupted_replay_leaves_no_view_and_can_be_done_again(copied: Path, tmp_path: Path) -> None:
    put(tmp_path / "rules.py", SLOW)
    put(tmp_path / "slow", "")
    running = start(tmp_path, "replay", "--logic", "rules.py", "--db", str(copied))
    wait_until((tmp_path / "weighing").exists, running)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == errors.INTERRUPTED
    complaint = said.splitlines()[-1]
    assert complaint.startswith("claims: interrupted") and said.count("claims: ") == 1
    assert "Traceback" not in said
    assert not list(copied.with_name(f"{copied.name}.views").glob("slow@1+*"))  # half made is hidden

    (tmp_path / "slow").unlink()
    claims = InProcess(tmp_path)
    assert claims("as-of", "2025-12-16", "Kupyansk", db=copied)["logic"]["name"] == "tally"
    assert claims("replay", "--logic", "rules.py", db=copied)["events"] == size(copied)


def claim(number: int) -> str:
    """One line of a file of claims, all different."""
    values = {"type": "claim-reported", "claimant": "tass", "place": "geonames:703656", "state": "RU"}
    return json.dumps(values | {"published": "2025-12-16", "key": f"n{number}"}) + "\n"


def size(db: Path) -> int:
    """How many events are committed."""
    with closing(sqlite3.connect(f"{db.as_uri()}?mode=ro", uri=True, timeout=30)) as raw:
        return int(raw.execute("SELECT size FROM ledger_head").fetchone()[0])


def wait_until(happened: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert running.poll() is None, running.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def start(folder: Path, *words: str, **streams: Any) -> subprocess.Popen[str]:
    """The installed console script, running."""
    pipes: dict[str, Any] = {
        "stdin": subprocess.DEVNULL,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    }
    argv = [str(console_script()), *words]
    return subprocess.Popen(argv, cwd=folder, env=quiet(), text=True, **pipes | streams)


def console_script() -> Path:
    return Path(sys.executable).with_name("claims")


def quiet() -> dict[str, str]:
    """The environment without the caller's settings, but for the tests' own keys."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CLAIMS_")}
    return kept | {"CLAIMS_KEYS": os.environ["CLAIMS_KEYS"]}


# -- making the mistake --------------------------------------------------------------------------------


def reproduce(name: str, claims: CommandLine, demo: Path) -> None:
    """Make the mistake of a file in the folder of ``claims``, and hold what happens against the file."""
    case, here = Case.read(name), claims.folder
    for file, content in case.files.items():
        put(here / file, content)
    for step in case.setup:
        prepare(step, here, demo)
    before = files_in(here)
    with held(here / case.held) if case.held else nothing():
        said = spoken(claims, case.run, case.exit, case.stdin, case.env)
    compare(name, case, said, str(here))
    changed = {file for file, content in files_in(here).items() if before.pop(file, None) != content} | set(
        before
    )
    changed -= {f"{name}.checkpoints" for name in case.writes}
    assert changed == set(case.writes), "files were made or changed that the case does not name"
    for after in case.after:
        told = spoken(claims, after.run, after.exit)
        for text in after.stdout_has:
            assert text.replace("{TMP}", str(here)) in told.out
        for text in after.stdout_lacks:
            assert text not in told.out


def spoken(
    claims: CommandLine, line: str, code: int, stdin: str = "", env: dict[str, str] | None = None
) -> Said:
    words = shlex.split(line.replace("{TMP}", str(claims.folder)))
    assert words[0] == "claims"
    filled = {name: value.replace("{TMP}", str(claims.folder)) for name, value in (env or {}).items()}
    said = claims.run(*words[1:], ok=code, stdin=stdin, **filled)
    for stream in (said.out, said.err):
        assert visible(stream) == stream, "something that steers a terminal came through"
    assert "Traceback" not in said.err
    return said


def compare(name: str, case: Case, said: Said, here: str) -> None:
    """The talk, then one complaint where there is one, and nothing else."""
    wanted = [*case.talk, *([case.stderr] if case.stderr else [])]
    found = said.err.splitlines()
    pattern = "\n".join(map(_pattern, wanted)).replace(re.escape("{TMP}"), re.escape(here))
    if os.environ.get("CLAIMS_UPDATE") and not re.fullmatch(pattern, "\n".join(found)):
        _update(FOLDER / f"{name}.toml", [line.replace(here, "{TMP}") for line in found])
        return
    assert len(found) == len(wanted), said.err
    assert re.fullmatch(pattern, "\n".join(found)), f"said:\n{said.err}\nexpected:\n" + "\n".join(wanted)
    assert all(line.startswith("claims: ") for line in found[len(case.talk) :])
    for text in case.stdout_has:
        assert text.replace("{TMP}", here) in said.out


def _pattern(line: str) -> str:
    return ".*".join(map(re.escape, line.split("...")))


def _update(path: Path, found: list[str]) -> None:
    complaint = found.pop() if found and found[-1].startswith("claims: ") else ""
    talk = "".join(f"  {_toml(line)},\n" for line in found)
    text = re.sub(r"^talk = \[(?:.*\]|(?:\n  .*)*\n\])\n", "", path.read_text("utf-8"), count=1, flags=re.M)
    said = (f"talk = [\n{talk}]\n" if talk else "") + f"stderr = {_toml(complaint)}\n"
    path.write_text(re.sub(r"^stderr = .*\n", lambda _: said, text, count=1, flags=re.M), "utf-8")


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# -- what stands there before --------------------------------------------------------------------------


def put(path: Path, content: Any) -> None:
    """A file of text, of bytes, or of several pieces of either."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(map(_piece, content if isinstance(content, list) else [content])))


def _piece(piece: Any) -> bytes:
    if isinstance(piece, str):
        return piece.encode()
    if "base64" in piece:
        return base64.b64decode(piece["base64"], validate=True)
    return str(piece["repeat"]).encode() * int(piece["times"])


def prepare(step: str | dict[str, Any], here: Path, demo: Path) -> None:
    match step:
        case str():
            if made := PREPARED.fullmatch(step):
                lend(demo, here / made[1])
            else:
                spoken(InProcess(here), step, 0)
        case {"folder": name}:
            (here / name).mkdir()
        case {"db": name, "sql": script}:
            with closing(sqlite3.connect(here / name)) as raw:
                raw.executescript(script)
        case {"file": name, "text": text}:
            put(here / name, text)
        case {"file": name, "replace": old, "by": new}:
            text = (here / name).read_text("utf-8")
            assert old in text
            (here / name).write_text(text.replace(old, new, 1), "utf-8")
        case {"file": name, "cut_to": size}:
            os.truncate(here / name, size)
        case {"file": name, "without_line": number}:
            lines = (here / name).read_text("utf-8").splitlines(keepends=True)
            del lines[number - 1 if number > 0 else number]
            (here / name).write_text("".join(lines), "utf-8")
        case _:
            raise AssertionError(f"no such step: {step}")


def lend(demo: Path, target: Path) -> None:
    """The ledger that ``claims demo`` makes, and its views, without making it again."""
    copy_ledger(demo, target)
    shutil.copytree(f"{demo}.views", f"{target}.views")


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Somebody else is writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN IMMEDIATE")
        yield
        raw.execute("ROLLBACK")


@contextmanager
def nothing() -> Iterator[None]:
    yield


def files_in(folder: Path) -> dict[str, bytes]:
    """Every file but the views, which are made again whenever they are wanted, and kept copies of logics."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.endswith(".views") or part == "logics" for part in path.relative_to(folder).parts)
    }
