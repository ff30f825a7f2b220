"""The README cannot be stale: its transcripts are run, its files are written out, its commands are the real ones.

``CLAIMS_UPDATE=1`` writes the transcripts anew.
"""

from __future__ import annotations

import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ledger import book
from projections import cli

README = Path(__file__).parent.parent / "README.md"
BLOCK = re.compile(
    r"<!-- (transcript|file: (?P<name>[\w.]+)) -->\n```(?:console|python)\n(?P<body>.*?)```", re.S
)
WIDTH = 160
ROWS = 14


class Clock:
    """A morning in November on which every append takes a second."""

    def __init__(self) -> None:
        self.moment = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.moment += timedelta(seconds=1)
        return self.moment


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, a clock that can be foretold, and salts that repeat."""
    for name in [
        name
        for name in os.environ
        if name.startswith("CLAIMS_") and name not in ("CLAIMS_UPDATE", "CLAIMS_KEYS")
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("CLAIMS_LOGICS", str(tmp_path / "logics"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(book, "now", Clock())
    monkeypatch.setattr(book, "random_bytes", lambda count: b"\x07" * count)
    return tmp_path


def _shown(text: str) -> list[str]:
    """Long output as a page can bear it: the first lines, and how many more there were."""
    lines = [line if len(line) <= WIDTH else line[: WIDTH - 1] + "…" for line in text.splitlines()]
    if len(lines) <= ROWS:
        return lines
    return [*lines[:ROWS], f"… {len(lines) - ROWS} more lines"]


def _run(line: str, capfd: pytest.CaptureFixture[str]) -> list[str]:
    capfd.readouterr()
    words = shlex.split(line.replace("Куп'янськ", '"Куп\'янськ"'))
    assert words[0] == "claims"
    code = cli.run(words[1:])
    out, err = capfd.readouterr()
    shown = [*err.splitlines(), *_shown(out)]
    return shown if code == 0 else [*shown, f"[exit {code}]"]


def _regenerated(text: str, capfd: pytest.CaptureFixture[str]) -> str:
    def block(match: re.Match[str]) -> str:
        if match["name"]:
            Path(match["name"]).write_text(match["body"], "utf-8")
            return match[0]
        lines: list[str] = []
        for line in match["body"].splitlines():
            if line.startswith("$ "):
                lines += [line, *_run(line[2:], capfd)]
        head = match[0][: match.start("body") - match.start()]
        return head + "\n".join(lines) + "\n```"

    return BLOCK.sub(block, text)


@pytest.mark.usefixtures("desk")
def test_every_transcript_in_the_readme_is_what_the_commands_print(capfd: pytest.CaptureFixture[str]) -> None:
    text = README.read_text("utf-8")
    fresh = _regenerated(text, capfd)
    if os.environ.get("CLAIMS_UPDATE"):
        README.write_text(fresh, "utf-8")
        text = fresh
    assert fresh == text, "stale: CLAIMS_UPDATE=1 python -m pytest tests/test_readme.py -n 0"


def test_the_readme_names_every_command() -> None:
    text = README.read_text("utf-8")
    missing = [name for name in cli.COMMANDS if f"`{name}`" not in text]
    assert not missing


def test_the_readme_shows_the_exit_codes_that_the_errors_have() -> None:
    from ledger import errors

    text = README.read_text("utf-8")
    for code in (
        errors.FAILED,
        errors.USAGE,
        errors.UNKNOWN,
        errors.REJECTED,
        errors.DIFFERENT,
        errors.LOCKED,
    ):
        assert re.search(rf"\b{code} [a-z]", text)
