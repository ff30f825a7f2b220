"""The sources: whose side they are on, what they cover, how far they can be trusted, and how they are slow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tests.bench.simulation.given import KINDS, Given, Kind, Reported
from tests.bench.simulation.ground import CONTESTED, PARTIES, Floats


@dataclass(frozen=True)
class Voice:
    """A source. ``rows[k]`` is what it reports while the truth is k, over ``STATES``; ``covers`` the places
    it speaks of, shape (places,). It sees the truth of ``lag`` days ago, 0 where it is honest."""

    id: str
    kind: str
    side: int | None
    rows: Floats
    covers: Floats
    late: float = 0.0
    lag: int = 0
    reticence: float = 0.0
    stubborn: float = 0.0


def voices(given: Given, places: int, rng: np.random.Generator) -> list[Voice]:
    """All sources that speak, one kind after another."""
    found = []
    for kind in KINDS:
        sides = [0] * kind.each + [1] * kind.each + [None] * kind.neutral
        for side in sides:
            name = f"own:{kind.name}-{'n' if side is None else PARTIES[side].lower()}{len(found) + 1}"
            found.append(_voice(name, kind, side, given, places, rng))
    return found


def _voice(
    name: str, kind: Kind, side: int | None, given: Given, places: int, rng: np.random.Generator
) -> Voice:
    rows = np.stack([rng.dirichlet(given.sharpness * row + 0.05) for row in _usual(kind, side)])
    covers = (rng.random(places) < kind.covers) * kind.talk * rng.lognormal(0, 0.5)
    lag, reticence, stubborn = 0, rng.uniform(*given.reticence), rng.uniform(*given.stubborn)
    deceives, lies = rng.random() < given.hostile, rng.random() < 0.5
    days = int(rng.uniform(*given.lag))
    if deceives and lies:
        rows = _lies(side, given.lie)
    elif deceives:
        lag = days
    quiet = reticence if side is not None else 0.0
    return Voice(name, kind.name, side, rows, covers, kind.late, lag, quiet, stubborn)


def _usual(kind: Kind, side: int | None) -> Floats:
    """The rows of a kind over (A, B, contested), for truth A, B and contested."""
    mirrored = [_swapped(kind.other), _swapped(kind.own), _swapped(kind.contested)]
    if side is None:
        return np.array([kind.own, mirrored[1], kind.contested])
    return np.array([kind.own, kind.other, kind.contested] if side == 0 else mirrored)


def _swapped(row: Reported) -> Reported:
    return (row[1], row[0], row[2])


def _lies(side: int | None, often: float) -> Floats:
    """One that lies claims all for its side; without a side it says the opposite of what is so."""
    rest = (1 - often) / 2
    wanted = [1, 0, 1] if side is None else [side] * CONTESTED + [side]
    rows = np.full((3, 3), rest)
    rows[np.arange(3), wanted] = often
    return rows
