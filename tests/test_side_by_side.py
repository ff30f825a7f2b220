"""The same commands on a file, on a server and by many workers: the same answers, the same root, the same bytes.

What is said of it in ``ledger/docs.md`` is made here; ``CLAIMS_UPDATE=1`` writes it anew.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger import book
from tests import clusters
from tests.clusters import Scheduler
from tests.conftest import CommandLine, InProcess
from tests.servers import Server
from tests.test_readme import Clock

DOCS = Path(__file__).parents[1] / "ledger" / "docs.md"
BLOCK = re.compile(r"(<!-- side by side -->\n```console\n)(.*?)(```)", re.S)
MAPS = """from projections import Logic


def maps_only(piece, source):
    return 1.0 if source.kind == "map" else 0.0


logic = Logic("maps-only", version=1, weigh=maps_only)
"""
WAYS = ("a file", "a server", "a server, Dask")
WIDTH = 27


def _anchor(answer: Any) -> str:
    one = answer[0] if isinstance(answer, list) else answer
    return f"#{one['position']} {one['root'][:16]}"


def _believed(answer: Any) -> str:
    [one] = answer["answers"]
    return f"{one['believed']} {one['probabilities'][one['believed']]:.3f}, {one['words']}"


#: Command → what is shown of its answer: a name, and how it is taken out. All of the answer must be the same.
SHOWN: dict[str, list[tuple[str, Callable[[Any], str]]]] = {
    "claims verify": [
        ("position, root", _anchor),
        ("verified", lambda answer: "yes" if answer["verified"] else "no"),
    ],
    "claims replay --logic maps_only.py": [
        ("position, root", _anchor),
        ("what differs", lambda answer: f"{answer['totals']['days_changed']} place-days"),
        ("its digest", lambda answer: answer["digest"][:16]),
    ],
    "claims as-of 2025-12-16 Kupyansk": [("position, root", _anchor), ("believed", _believed)],
    "claims as-of 2025-12-16 Kupyansk --logic maps-only": [("believed", _believed)],
    "claims why 2025-12-16 Kupyansk": [
        ("heard for it", lambda answer: f"{len(answer['for'])} utterances"),
    ],
    "claims sources --as-of 2025-12-31": [
        ("position, root", _anchor),
        ("graded", lambda answer: f"{len(answer)} sources"),
    ],
}


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Scheduler]:
    with clusters.running(tmp_path, workers=1) as scheduler:
        yield scheduler


def test_a_file_a_server_and_many_workers_say_the_same(
    dask: Scheduler, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "now", Clock())
    monkeypatch.setattr(book, "random_bytes", lambda count: b"\x07" * count)
    claims = InProcess(tmp_path)
    (tmp_path / "maps_only.py").write_text(MAPS)
    claims.run("demo", "demo.db", "--format", "csv")
    url = server.schema()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))  # where a server's checkpoints are kept
    claims.run("move", "demo.db", url)
    answers, views = zip(
        _asked(claims, tmp_path / "demo.db", tmp_path / "file"),
        _asked(claims, url, tmp_path / "server"),
        _asked(claims, url, tmp_path / "workers", "--engine", "dask", "--scheduler", dask.address),
        strict=True,
    )
    assert views[0] == views[1] == views[2] and len(views[0]) == 2
    for command in SHOWN:
        printed = [_without_where(one[command]) for one in answers]
        assert printed[0] == printed[1] == printed[2], command
    text = DOCS.read_text("utf-8")
    fresh = BLOCK.sub(lambda found: found[1] + _page(answers) + found[3], text)
    if os.environ.get("CLAIMS_UPDATE"):
        DOCS.write_text(fresh, "utf-8")
        text = fresh
    assert fresh == text, "stale: CLAIMS_UPDATE=1 python -m pytest tests/test_side_by_side.py -n 0"


def _without_where(answer: Any) -> Any:
    """An answer without what `verify` says of the place where the ledger lies."""
    if isinstance(answer, dict):
        return {name: value for name, value in answer.items() if name not in ("db", "checks")}
    return answer


def _asked(
    claims: CommandLine, db: Path | str, folder: Path, *engine: str
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The answer to each command, and the bytes of the views that were made on the way."""
    answers = {}
    for command in SHOWN:
        words = shlex.split(command)[1:]
        more = engine if words[0] == "replay" else ()
        env = {"CLAIMS_DB": str(db), "CLAIMS_VIEWS": str(folder)}
        answers[command] = claims(*words, *more, **env)
    return answers, {path.name: path.read_bytes() for path in folder.rglob("*@*+*.db")}


def _page(answers: tuple[dict[str, Any], ...]) -> str:
    lines = [_line("", WAYS)]
    for command, shown in SHOWN.items():
        lines.append(f"$ {command}")
        lines += [_line(f"  {name}", [taken(one[command]) for one in answers]) for name, taken in shown]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _line(name: str, cells: Any) -> str:
    return f"{name:<18}" + "".join(f"{cell:<{WIDTH}}" for cell in cells)
