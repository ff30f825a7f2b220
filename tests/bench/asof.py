"""Answering: the state of one place on one day, and of all places, out of an open desk."""

from __future__ import annotations

import sqlite3
from random import Random
from time import perf_counter
from typing import Any

from ledger.clocks import iso
from projections.answers import as_of
from projections.desk import Desk, views_folder
from projections.view import file_name
from tests.bench import generator, stage
from tests.bench.figures import Figure, figure, forget_peak, peak_rss_mb, percentile, timed
from tests.bench.stage import Stage

DEFAULT = 50_000
_LOOKS = 1_000
_SPOT = "SELECT n FROM spot WHERE place = ? AND question = ?"


def run(on: Stage, claims: int) -> list[Figure]:
    """``as-of`` at the head, known then: the look-up path."""
    path = on.ledger(claims)
    with Desk(path) as desk:
        desk.beliefs.knot(generator.HOT, "control", 0)
        raw = sqlite3.connect(views_folder(path) / file_name(desk.loaded))
        forget_peak()
        figures = [stage.sizes(path, claims, "asof"), *_single(desk, raw, claims), _all(desk, raw, claims)]
        raw.close()
    return figures


def _single(desk: Desk, raw: sqlite3.Connection, claims: int) -> list[Figure]:
    every = desk.places("control")
    found = []
    for row, name, places in (("one", "one place", every), ("hottest", "the hottest place", [generator.HOT])):
        mine, theirs = _looks(desk, raw, places)
        floor = f"floor: the place looked up and a hundred bytes of it read, bare; {_LOOKS} random"
        floor += f" {'places and ' if len(places) > 1 else ''}days, interleaved"
        for part, share in (("p50", 0.5), ("p99", 0.99)):
            ours, bare = percentile(mine, share), percentile(theirs, share)
            what, peak = f"answer for {name}, {part}; {floor}", peak_rss_mb()
            found.append(
                figure("asof", f"as-of-{row}-{part}", what, claims, [ours], [bare], count=1, peak=peak)
            )
    return found


def _looks(desk: Desk, raw: sqlite3.Connection, places: list[str]) -> tuple[list[float], list[float]]:
    """Seconds of each look-up, ours and bare."""
    rng = Random(generator.SEED)
    first = generator.START.toordinal()
    looks = [(rng.choice(places), first + rng.randrange(generator.DAYS)) for _ in range(_LOOKS)]
    for place, day in looks[:20]:  # what is read once and kept
        _answer(desk, place, day)
    ours, bare = [], []
    for place, day in looks:
        start = perf_counter()
        _bare(raw, place)
        middle = perf_counter()
        _answer(desk, place, day)
        ours.append(perf_counter() - middle)
        bare.append(middle - start)
    return ours, bare


def _bare(raw: sqlite3.Connection, place: str) -> bytes:
    found = raw.execute(_SPOT, (place, "control")).fetchone()
    return bytes(raw.blobopen("spot", "data", found[0], readonly=True)[:100]) if found else b""


def _answer(desk: Desk, place: str, day: int) -> dict[str, Any]:
    return as_of(desk, desk.clocks(iso(day), None, None), [place], "control")


def _all(desk: Desk, raw: sqlite3.Connection, claims: int) -> Figure:
    places = desk.places("control")
    first = generator.START.toordinal()
    ours, bare = [], []
    for day in (first + 400, first + 700, first + 1_000):

        def look_up() -> None:
            for place in places:
                _bare(raw, place)

        def answer(day: int = day) -> None:
            as_of(desk, desk.clocks(iso(day), None, None), places, "control")

        bare.append(timed(look_up))
        ours.append(timed(answer))
    what = f"answer for all {len(places):,} places; floor: a bare look-up for each; median of 3 days"
    return figure("asof", "as-of-all", what, claims, ours, bare, count=len(places), peak=peak_rss_mb())
