"""Replaying: views from nothing, a user's own fold, and catching up with one new claim."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from uuid import NAMESPACE_URL, uuid5

import orjson
from eventsourcing.persistence import StoredEvent, Tracking
from eventsourcing.sqlite import SQLiteDatastore, SQLiteProcessRecorder

from ledger.book import Draft, Ledger
from projections.desk import views_folder
from projections.engine import Projection
from projections.registry import load
from projections.views import Views
from tests.bench import generator, stage
from tests.bench.figures import Figure, figure, forget_peak, peak_rss_mb, rounds_for, timed
from tests.bench.stage import Stage, talk
from tests.copies import copy_ledger

DEFAULT = 50_000
_HEAVY = 500_000
SMALL = 2_000
_STOCK = 5_000
_CLAIMS = 10
_FLOOR = "floor: scan of the same rows, orjson.loads, count by type"

claims_per_source: Projection[Counter[str]] = Projection("bench-claims-per-source", 1, initial=Counter)


@claims_per_source.on("claim-reported")
def _count(counts: Counter[str], claim: object, _: object) -> None:
    counts[claim.claimant] += 1  # type: ignore[attr-defined]


def run(on: Stage, claims: int) -> list[Figure]:
    """Everything that is rebuilt when a logic changes, on a ledger with ``claims`` claims."""
    path = on.ledger(claims)
    if claims >= SMALL:
        warm_up(on)
    rounds = rounds_for(claims, _HEAVY)
    with Ledger.open(path, readonly=True) as ledger:
        head = ledger.store.head().size
        folder = views_folder(path)
        found = [stage.sizes(path, claims, "replay")]
        for row, what, work in (
            ("replay-cold", "tally@1 from nothing: no cache, views written", _cold),
            ("replay-read", "of which reading the ledger into the cache", _cache),
            ("replay-warm", "the same again after a logic change: with the cache", _warm),
            ("fold", "a user's fold of one handler, in Python", _fold),
        ):
            found.append(_measured(ledger, folder, claims, head, rounds, row, what, work))
        found.append(_against_stock(on, ledger, claims))
    return [*found, *_catching_up(on, claims, path)]


def warm_up(on: Stage) -> None:
    """A small replay in compiled mode, as all that follow, so that no compiling is measured."""
    os.environ["CLAIMS_KERNEL"] = "compiled"
    path = on.ledger(SMALL)
    with Ledger.open(path, readonly=True) as ledger:
        talk("compiling, where that was not done before")
        _cold(ledger, views_folder(path), ledger.store.head().size)


def _measured(
    ledger: Ledger,
    folder: Path,
    claims: int,
    head: int,
    rounds: int,
    row: str,
    what: str,
    work: Callable[[Ledger, Path, int], None],
) -> Figure:
    ours, bare = [], []
    forget_peak()
    for _ in range(rounds):
        bare.append(timed(lambda: _scan(ledger)))
        ours.append(timed(lambda: work(ledger, folder, head)))
    peak = peak_rss_mb()
    while len(bare) < 3:
        bare.append(timed(lambda: _scan(ledger)))
    often = f"median of {rounds} rounds" if rounds > 1 else "one round"
    return figure("replay", row, f"{what}; {_FLOOR}; {often}", claims, ours, bare, count=head, peak=peak)


def _scan(ledger: Ledger) -> Counter[str]:
    """The bare work: every leaf read, parsed and counted by its type."""
    raw = sqlite3.connect(ledger.store.where)  # type: ignore[attr-defined]
    counts: Counter[str] = Counter()
    for (state,) in raw.execute("SELECT state FROM stored_events ORDER BY rowid"):
        counts[orjson.loads(state)["type"]] += 1
    raw.close()
    return counts


def _cold(ledger: Ledger, folder: Path, head: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _warm(ledger, folder, head)


def _cache(ledger: Ledger, folder: Path, head: int) -> None:
    for path in folder.glob("envelopes@*"):
        path.unlink()
    views = Views(ledger, folder)
    views.envelopes(head)
    views.close()


def _warm(ledger: Ledger, folder: Path, head: int) -> None:
    views = Views(ledger, folder)
    views.beliefs(load("tally"), head, ledger.directory(), replay=True)
    views.close()


def _fold(ledger: Ledger, folder: Path, head: int) -> None:
    views = Views(ledger, folder)
    views.folded(claims_per_source, head, None, replay=True)  # type: ignore[arg-type]
    views.close()


def _against_stock(on: Stage, ledger: Ledger, claims: int) -> Figure:
    """A stock application of the library with a projection that tracks its position event by event."""
    count = min(_STOCK, ledger.store.head().size)
    taken = []
    for _ in range(3):
        states = [state for _, state in ledger.store.leaves(1, count)]
        recorder = SQLiteProcessRecorder(SQLiteDatastore(str(on.path("stock.db"))))
        recorder.create_table()
        start = perf_counter()
        counts: Counter[str] = Counter()
        for n, state in enumerate(states, start=1):
            event = orjson.loads(state)
            counts[event["type"]] += 1
            stored = StoredEvent(str(uuid5(NAMESPACE_URL, str(n))), 1, event["type"], state)
            recorder.insert_events([stored], tracking=Tracking("ledger", n))
        taken.append(perf_counter() - start)
    ours = []
    for _ in range(3):
        ours.append(timed(lambda: _fold(ledger, on.path("fold"), count)))
    what = (
        f"a fold of the same {count:,} events, kept; floor: the library's SQLite recorder tracking a"
        " projection with one commit an event (a ratio of 0.05 is 20 times faster)"
    )
    return figure("replay", "stock", what, claims, ours, taken, count=count)


def _catching_up(on: Stage, claims: int, path: Path) -> list[Figure]:
    """One claim is appended to a copy of the ledger; then both views catch up."""
    copy = on.path("catch-up.db")
    copy_ledger(path, copy)
    quiet = f"own:place-{generator.places_for(claims) * 2 // 3}"
    folder = views_folder(copy)
    shutil.copytree(views_folder(path), folder)
    with Ledger.open(copy) as ledger:
        views = Views(ledger, folder)
        loaded = load("tally")
        views.beliefs(loaded, ledger.store.head().size, ledger.directory())
        figures = []
        for row, name, place in (
            ("catch-up-quiet", "a quiet place", quiet),
            ("catch-up-hottest", "the hottest place", generator.HOT),
        ):
            taken, scored = [], []
            for n in range(_CLAIMS):
                ledger.append([_claim(place, n)])
                head, directory = ledger.store.head().size, ledger.directory()
                start = perf_counter()
                found = views.beliefs(loaded, head, directory)
                taken.append(perf_counter() - start)
                scored.append(timed(found.score))
            what = (
                f"catching up with one new claim on {name}; scores are left to who asks for them, which takes"
                f" {median(scored[1:]) * 1e3:.0f} ms; median of {_CLAIMS - 1} claims after a first one"
            )
            figures.append(figure("replay", row, what, claims, taken[1:]))
        views.close()
    return figures


def _claim(place: str, n: int) -> Draft:
    data = {
        "claimant": "own:outlet-7",
        "place": place,
        "state": "RU",
        "said": "2025-02-27",
        "published": f"2025-02-28T{n:02d}:00:00Z",
        "key": f"catch-up-{place}-{n}",
    }
    return Draft.of("claim-reported", data)
