"""Replaying: views from nothing, a user's own fold, and catching up with one new claim."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import orjson

from ledger.book import Draft, Ledger
from projections.desk import views_folder
from projections.engine import Projection
from projections.registry import load
from projections.views import Views
from tests.bench import generator, stage
from tests.bench.figures import Figure, figure, forget_peak, peak_rss_mb, rounds_for, timed
from tests.bench.stage import Stage

DEFAULT = 50_000
_HEAVY = 50_000
_FLOOR = "floor: scan of the same rows, orjson.loads, count by type"

claims_per_source: Projection[Counter[str]] = Projection("bench-claims-per-source", 1, initial=Counter)


@claims_per_source.on("claim-reported")
def _count(counts: Counter[str], claim: object, _: object) -> None:
    counts[claim.claimant] += 1  # type: ignore[attr-defined]


def run(on: Stage, claims: int) -> list[Figure]:
    """Everything that is rebuilt when a logic changes, on a ledger with ``claims`` claims."""
    path = on.ledger(claims)
    rounds = rounds_for(claims, _HEAVY)
    with Ledger.open(path, readonly=True) as ledger:
        head = ledger.store.head().size
        found = [
            stage.sizes(path, claims, "replay"),
            _measured(on, claims, ledger, head, rounds, "record view and tally@1 view from nothing", _both),
            _measured(on, claims, ledger, head, rounds, "of which the record view", _record),
            _measured(on, claims, ledger, head, 3, "a user's fold of one handler, in Python", _fold),
        ]
    return [*found, *_catching_up(on, claims, path)]


def _measured(
    on: Stage,
    claims: int,
    ledger: Ledger,
    head: int,
    rounds: int,
    what: str,
    work: Callable[[Ledger, Path, int], None],
) -> Figure:
    ours, bare = [], []
    forget_peak()
    for _ in range(rounds):
        folder = on.path("views")
        bare.append(timed(lambda: _scan(ledger)))
        ours.append(timed(lambda folder=folder: work(ledger, folder, head)))  # type: ignore[misc]
        kept = views_folder(Path(ledger.store.where))  # type: ignore[attr-defined]
        if work is _both and not kept.exists():
            folder.rename(kept)  # what comes later need not build them again
        else:
            shutil.rmtree(folder)
    peak = peak_rss_mb()
    while len(bare) < 3:
        bare.append(timed(lambda: _scan(ledger)))
    often = f"median of {rounds} rounds" if rounds > 1 else "one round"
    return figure("replay", f"{what}; {_FLOOR}; {often}", claims, ours, bare, count=head, peak=peak)


def _scan(ledger: Ledger) -> Counter[str]:
    """The bare work: every leaf read, parsed and counted by its type."""
    raw = sqlite3.connect(ledger.store.where)  # type: ignore[attr-defined]
    counts: Counter[str] = Counter()
    for (state,) in raw.execute("SELECT state FROM stored_events ORDER BY rowid"):
        counts[orjson.loads(state)["type"]] += 1
    raw.close()
    return counts


def _record(ledger: Ledger, folder: Path, head: int) -> None:
    views = Views(ledger, folder)
    views.record(head)
    views.close()


def _both(ledger: Ledger, folder: Path, head: int) -> None:
    views = Views(ledger, folder)
    views.beliefs(load("tally"), head, ledger.directory())
    views.close()


def _fold(ledger: Ledger, folder: Path, head: int) -> None:
    views = Views(ledger, folder)
    views.folded(claims_per_source, head, None)  # type: ignore[arg-type]
    views.close()


def _catching_up(on: Stage, claims: int, path: Path) -> list[Figure]:
    """One claim is appended to a copy of the ledger; then both views catch up."""
    copy = on.path("catch-up.db")
    shutil.copy(path, copy)
    quiet = f"own:place-{generator.places_for(claims) * 2 // 3}"
    folder = views_folder(copy)
    shutil.copytree(views_folder(path), folder)
    with Ledger.open(copy) as ledger:
        views = Views(ledger, folder)
        loaded = load("tally")
        views.beliefs(loaded, ledger.store.head().size, ledger.directory())
        figures = []
        for name, place in (("a quiet place", quiet), ("the hottest place", generator.HOT)):
            taken = []
            for n in range(3):
                ledger.append([_claim(place, n)])
                head, directory = ledger.store.head().size, ledger.directory()
                start = perf_counter()
                views.beliefs(loaded, head, directory)
                taken.append(perf_counter() - start)
            what = f"catching up with one new claim on {name}; median of 3 claims"
            figures.append(figure("replay", what, claims, taken))
        views.close()
    return figures


def _claim(place: str, n: int) -> Draft:
    data = {
        "claimant": "own:outlet-7",
        "place": place,
        "state": "RU",
        "said": "2025-02-27",
        "published": f"2025-02-28T0{n}:00:00Z",
        "key": f"catch-up-{place}-{n}",
    }
    return Draft.of("claim-reported", data)
