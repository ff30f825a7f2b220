"""A replay that is killed goes on where it was, and ends with the same bytes.

``CLAIMS_KILLS=50 pytest tests/projections/test_resume.py`` is the whole campaign; a few kills run with the
suite.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.book import Ledger
from projections.registry import load
from projections.view import file_name
from projections.views import Views
from tests.bench import generator
from tests.bench.stage import batched, empty
from tests.copies import copy_ledger

KILLS = int(os.environ.get("CLAIMS_KILLS", "4"))
CLAIMS = 400

_REPLAY = """
import sys
from pathlib import Path
from ledger.book import Ledger
from projections import making
from projections.envelopes import cache
from projections.registry import load
from projections.views import Views
making._AT_ONCE = 40
cache.BATCH = 64
with Ledger.open(sys.argv[1], readonly=True) as ledger:
    views = Views(ledger, Path(sys.argv[2]), lambda what, done, of: print(what, done, of, flush=True))
    views.beliefs(load("tally"), ledger.store.head().size, ledger.directory())
    views.close()
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("resume") / "book.db"
    with empty(path) as ledger:
        for batch in batched(generator.drafts(CLAIMS, places=20), 500):
            ledger.append(batch)
    return path


def replay(book: Path, views: Path, patience: float | None = None) -> bool:
    """Whether a replay ended within so many seconds; else it was killed."""
    running = subprocess.Popen(
        [sys.executable, "-c", _REPLAY, str(book), str(views)],
        env=os.environ | {"CLAIMS_KERNEL": "plain"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, errors = running.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        os.kill(running.pid, signal.SIGKILL)
        running.communicate()
        return False
    assert running.returncode == 0, errors
    return True


def kept(views: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(views.glob("*.db"))}


def test_a_replay_killed_again_and_again_ends_with_the_bytes_of_one_that_was_not(book, tmp_path) -> None:
    begun = time.monotonic()
    assert replay(book, tmp_path / "fresh")
    whole = time.monotonic() - begun
    expected = kept(tmp_path / "fresh")
    assert set(expected) == {"envelopes@1.db", file_name(load("tally"))}
    chance, killed = random.Random(20251216), 0
    while killed < KILLS:
        views = tmp_path / f"killed-{killed}"
        while not replay(book, views, chance.uniform(0.15, 1.0) * whole) and killed < KILLS:
            killed += 1
        replay(book, views)
        assert kept(views) == expected
        shutil.rmtree(views)


def test_two_replays_of_one_ledger_at_once_both_end_well(book, tmp_path) -> None:
    views = tmp_path / "views"
    command = [sys.executable, "-c", _REPLAY, str(book), str(views)]
    running = [
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120)[1] for one in running]
    assert [(one.returncode, error) for one, error in zip(running, said, strict=True)] == [(0, ""), (0, "")]
    assert [path.name for path in views.iterdir() if path.suffix not in (".db", ".lock")] == []


def test_what_was_half_made_of_a_shorter_ledger_is_not_gone_on_with(book, tmp_path) -> None:
    copy_ledger(book, tmp_path / "book.db")
    views = tmp_path / "views"
    assert not replay(tmp_path / "book.db", views, 0.6) or True
    with Ledger.open(tmp_path / "book.db", clock=lambda: generator.WRITTEN) as ledger:
        ledger.append(
            [one for one, _ in zip(generator.drafts(600, places=20, seed=7), range(800), strict=False)][-40:]
        )
    assert replay(tmp_path / "book.db", views)
    assert replay(tmp_path / "book.db", tmp_path / "fresh")
    name = file_name(load("tally"))
    assert (views / name).read_bytes() == (tmp_path / "fresh" / name).read_bytes()


def test_a_progress_report_counts_up_to_the_whole(book, tmp_path) -> None:
    reports: list[tuple[str, int, int]] = []
    with Ledger.open(book, readonly=True) as ledger:
        views = Views(ledger, tmp_path, lambda *report: reports.append(report))
        views.beliefs(load("tally"), ledger.store.head().size, ledger.directory())
        views.close()
    for what in {what for what, _, _ in reports}:
        counts = [(done, of) for name, done, of in reports if name == what]
        assert counts == sorted(counts) and counts[-1][0] == counts[-1][1]
