"""kill -9 during a replay, a promotion and a redaction.

Promises: a replay that was killed goes on where it was, and what it ends with equals a fresh one byte for byte. A
promotion that was killed is recorded or it is not, never twice, the ledger verifies, and the views equal fresh ones.
A redaction that was killed leaves a ledger that verifies, and repeated it leaves no byte of the text in any file.

Model: the process is killed at random moments, up to three times, before it is let run to its end. Replays are the
ones of ``tests.projections.test_resume``; promotions and redactions are commands in forked children.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from random import Random

from ledger.book import Draft, Ledger
from ledger.errors import LedgerError
from projections import promotion
from tests.bench import generator
from tests.faults import core
from tests.faults.children import Command, said_by
from tests.faults.figures import Figure, shares, taking_time
from tests.faults.ground import Ack, Ground, claim, examine, ground
from tests.projections import test_resume as resuming

REDUCED, FULL = 10, 500
_SHARES = (3, 2, 5)
_AGAIN = 3  # kills in a row, at most
_TEXT = "a sentence that must not be found any more"


def run(parent: Path, seed: int, count: int) -> Iterator[Figure]:
    """``count`` kills in all. A figure is given as soon as it is known: the whole numbers take long."""
    cases = (("replay", _replays), ("promotion", _promotions), ("redaction", _redactions))
    for (what, case), kills in zip(cases, shares(count, _SHARES), strict=True):
        figure = Figure("replay", what)
        with ground(parent, f"replay-{what}") as here, taking_time(figure):
            os.environ["CLAIMS_KERNEL"] = "plain"  # compiling takes longer than what it would make quick
            case(here, figure, Random(f"replay-{what}-{seed}"), kills)
        yield figure


def _replays(here: Ground, figure: Figure, chance: Random, kills: int) -> None:
    here.fresh(list(generator.drafts(resuming.CLAIMS, places=20)))
    fresh, views = here.folder / "fresh", here.folder / "views"
    begun = time.monotonic()
    resuming.replay(here.db, fresh)
    whole, expected = time.monotonic() - begun, resuming.kept(fresh)
    while figure.trials < kills:
        ended = False
        while not ended and figure.trials < kills:
            ended = resuming.replay(here.db, views, chance.uniform(0.3, 1.0) * whole)
            figure.trials += not ended
        resuming.replay(here.db, views)
        if resuming.kept(views) != expected:
            figure.fault(f"after kill {figure.trials}: the views are not those of a fresh replay")
        shutil.rmtree(views)


def _killed_again_and_again(
    here: Ground, figure: Figure, chance: Random, whole: float, argv: list[object], check: Callable[[], None]
) -> None:
    """Start a command and kill it, one to three times; ``check`` after each."""
    for _ in range(chance.randint(1, _AGAIN)):
        child = Command(here, *argv).go()
        child.kill_after(chance.uniform(0, 1.1) * whole)
        ended = child.wait()
        figure.trials += ended.killed
        if ended.rudeness():
            figure.fault(f"kill {figure.trials}: {ended.rudeness()}")
        try:
            core.verify(here.db)
        except LedgerError as error:
            figure.fault(f"kill {figure.trials}: does not verify: {error}")
        check()


def _promotions(here: Ground, figure: Figure, chance: Random, kills: int) -> None:
    here.fresh(list(generator.drafts(25, places=4)))
    kept = _kept(here)
    argv: list[object] = ["replay", "--logic", "hmm", "--promote", "--db", here.db]
    whole = _measured(here, argv)
    while figure.trials < kills:
        _restore(here, kept)

        def once() -> None:
            with Ledger.open(here.db, readonly=True) as ledger:
                if len(promotion.history(ledger)) > 1:
                    figure.fault(f"kill {figure.trials}: promoted more than once")

        _killed_again_and_again(here, figure, chance, whole, argv, once)
        ended = said_by(here, *argv)
        if ended.code not in (0, 2) or "Traceback" in ended.err:  # 2: it is live already
            figure.fault(f"after kill {figure.trials}: promoting ended with {ended.code}: {ended.err!r}")
        once()
        _compare_views(here, figure)


def _measured(here: Ground, argv: list[object]) -> float:
    """Seconds that the command takes when nobody kills it."""
    taken = 0.0
    kept = _kept(here)
    for _ in range(2):  # the first also imports and prepares
        _restore(here, kept)
        begun = time.monotonic()
        ended = said_by(here, *argv)
        taken = time.monotonic() - begun
        if ended.code:
            raise RuntimeError(f"claims {argv[0]} fails: {ended.err}")
    return taken


def _compare_views(here: Ground, figure: Figure) -> None:
    """The views of the ledger as it is now, gone on with, and made afresh."""
    views, fresh = here.folder / "views", here.folder / "fresh"
    for folder in (fresh, views):
        os.environ["CLAIMS_VIEWS"] = str(folder)
        ended = said_by(here, "replay", "--logic", "hmm", "--db", here.db)
        if ended.code:
            figure.fault(f"after kill {figure.trials}: replaying ended with {ended.code}: {ended.err!r}")
    for path in sorted(fresh.rglob("*.db")):
        if path.is_file() and _held(path) != _held(views / path.relative_to(fresh)):
            figure.fault(f"after kill {figure.trials}: {path.name} is not that of a fresh replay")
    shutil.rmtree(fresh, ignore_errors=True)


def _held(path: Path) -> bytes | list[str]:
    """A view's bytes. The cache of envelopes grows with the ledger, so that its pages tell its history: its rows."""
    if not path.name.startswith("envelopes"):
        return path.read_bytes()
    with closing(sqlite3.connect(path)) as raw:
        return list(raw.iterdump())


def _kept(here: Ground) -> Path:
    """A copy of the ledger and its keys."""
    kept = here.folder / "kept"
    shutil.rmtree(kept, ignore_errors=True)
    for name in ("data", "keys"):
        if (here.folder / name).exists():
            shutil.copytree(here.folder / name, kept / name)
    os.environ["CLAIMS_VIEWS"] = str(here.folder / "views")
    return kept


def _restore(here: Ground, kept: Path) -> None:
    for name in ("data", "keys", "views"):
        shutil.rmtree(here.folder / name, ignore_errors=True)
        if (kept / name).exists():
            shutil.copytree(kept / name, here.folder / name)


def _redactions(here: Ground, figure: Figure, chance: Random, kills: int) -> None:
    """Half of them with bodies in clear, half with encrypted ones."""
    for encrypted, until in ((False, (kills + 1) // 2), (True, kills)):
        here.fresh(encrypted=encrypted)
        with Ledger.open(here.db) as ledger:
            before = ledger.append([claim(f"other-{number}", chance) for number in range(30)])
            fields = {
                "claimant": "ministry",
                "place": "town",
                "state": "RU",
                "said": "2025-11-20",
                "key": "erased",
            }
            (erased,) = ledger.append([Draft.of("claim-reported", fields, {"quote": f"{_TEXT} " * 200})])
            after = ledger.append([claim(f"later-{number}", chance) for number in range(30)])
        known = [(one.position or 0, one.entry) for one in (*before, erased, *after)]
        figure.acknowledged += len(known)
        _redact(here, figure, chance, until, erased.entry, known)


def _redact(here: Ground, figure: Figure, chance: Random, until: int, entry: str, known: list[Ack]) -> None:
    kept = _kept(here)
    argv: list[object] = ["redact", entry, "--yes", "--db", here.db]
    whole = _measured(here, argv)

    def all_there() -> None:
        figure.lost += len(examine(here.db, known).lost)

    while figure.trials < until:
        _restore(here, kept)
        _killed_again_and_again(here, figure, chance, whole, argv, all_there)
        ended = said_by(here, *argv)
        if ended.code:
            figure.fault(f"after kill {figure.trials}: redacting ended with {ended.code}: {ended.err!r}")
        all_there()
        _nothing_left(here, figure)


def _nothing_left(here: Ground, figure: Figure) -> None:
    """The ledger verifies, and the text is in no file of it."""
    try:
        core.verify(here.db)
    except LedgerError as error:
        figure.fault(f"after kill {figure.trials}: does not verify: {error}")
    for path in (*here.data.rglob("*"), *here.keys.rglob("*")):
        if path.is_file() and _TEXT.encode()[:20] in path.read_bytes():
            figure.undetected += 1
            figure.fault(f"after kill {figure.trials}: the text is still in {path.name}")
