"""The ground: places along a front, and who holds each of them on each day.

Every place follows a continuous-time chain over (A, B, contested), looked at once a day. With ``coherence`` its
rates depend on its neighbours: a place among its own is hardly ever attacked, one among the enemy's soon is,
and a contest ends as the neighbourhood would have it. Nothing in the belief logics knows of that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.simulation.given import Given

PARTIES = ("A", "B")
STATES = (*PARTIES, "contested")
CONTESTED = 2
#: The first day of every world.
START = dt.date(2022, 3, 1)

Floats = NDArray[np.float64]
States = NDArray[np.int8]


@dataclass(frozen=True)
class Ground:
    """``x`` and ``y`` in km, shape (places,); ``states`` indexes ``STATES``, shape (places, days)."""

    names: tuple[str, ...]
    x: Floats
    y: Floats
    states: States
    warm_up: int = 0

    @property
    def ids(self) -> list[str]:
        return [f"own:{name.lower()}" for name in self.names]

    def rows(self) -> Iterator[tuple[str, str, str]]:
        """The truth as rows (place, day, state), every day from ``warm_up`` on."""
        days = [day_text(day) for day in range(self.states.shape[1])]
        for place, states in zip(self.ids, self.states.tolist(), strict=True):
            for day in range(self.warm_up, len(days)):
                yield place, days[day], STATES[states[day]]


def day_text(day: int) -> str:
    """A day of the world as it is written."""
    return (START + dt.timedelta(days=int(day))).isoformat()


def distances(x: Floats, y: Floats) -> Floats:
    """Kilometres between places, shape (places, places)."""
    return np.asarray(np.hypot(x[:, None] - x, y[:, None] - y))


def near(apart: Floats, reach: float) -> Floats:
    """Weights of neighbours, shape (places, places): e^(−2·km/``reach``) within ``reach``, 0 beyond and for
    the place itself; each row sums to 1, or is 0 where there is no neighbour."""
    weights = np.where(apart <= reach, np.exp(-2 * apart / reach), 0.0)
    np.fill_diagonal(weights, 0.0)
    total = weights.sum(axis=1, keepdims=True)
    return np.asarray(np.divide(weights, total, out=np.zeros_like(weights), where=total > 0))


def ground(given: Given, rng: np.random.Generator) -> Ground:
    """Places, and what becomes of them."""
    x = rng.uniform(0, given.length, given.places)
    y = rng.uniform(-given.depth, given.depth, given.places)
    names = tuple(f"Town-{n + 1}" for n in range(given.places))
    return Ground(names, x, y, _history(given, x, y, rng), given.warm_up)


def _history(given: Given, x: Floats, y: Floats, rng: np.random.Generator) -> States:
    n = given.places
    at_front = np.abs(y) <= given.front
    held = np.where(at_front, rng.uniform(*given.held_front, n), rng.uniform(*given.held_rear, n))
    contest = rng.uniform(*given.contested, n)
    weights, strength = near(distances(x, y), given.reach), given.coherence * given.pull
    lonely = weights.sum(axis=1) == 0
    by_line = (y > 0).astype(np.int8)
    states = np.where(rng.random(n) < (1 + given.coherence) / 2, by_line, 1 - by_line).astype(np.int8)
    states[rng.random(n) < contest / (contest + held)] = CONTESTED
    out = np.empty((n, given.days), dtype=np.int8)
    for day in range(given.days):
        out[:, day] = states
        # How much of the neighbourhood each party has; a contested neighbour is half everybody's.
        has = np.stack([weights @ ((states == p) + 0.5 * (states == CONTESTED)) for p in (0, 1)])
        has[:, lonely] = 0.5
        hostile = np.where(states == 0, has[1], has[0])
        rate = np.where(states == CONTESTED, 1 / contest, np.exp(strength * (hostile - 0.5)) / held)
        leaves = rng.random(n) < -np.expm1(-rate)
        odds = np.log(given.advance / (1 - given.advance)) + strength * (has[1] - has[0])
        to_b = rng.random(n) < 1 / (1 + np.exp(-odds))
        to_contest = rng.random(n) < given.to_contested
        after = np.where(to_contest, CONTESTED, 1 - states)
        after = np.where(states == CONTESTED, to_b.astype(np.int8), after)
        states = np.where(leaves, after, states).astype(np.int8)
    return out
