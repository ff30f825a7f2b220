"""Neighbours: what is believed of places nearby at the same time, as a part of what is believed of a place.

Fronts are coherent in space. One step of mean field, taken when a belief is read (Besag 1986; Opper & Saad 2001 on
mean-field methods), brings that in where somebody asks for it:

    ln p_i(k) += J · Σ_j w_ij · (p_j(k) − 1/K),    w_ij ∝ e^(−2·km/reach) within reach, Σ_j w_ij = 1

``J`` is the parameter ``coupling``, 0 unless it is set; ``reach`` is ``coupling_reach``. The ``p_j`` are the
neighbours' own beliefs, without theirs, about the same day from the same knowledge: one step, so that nothing
goes round in a circle. Knots, views and scores know nothing of it. Of whom nothing is believed, that is no
neighbour on that day; and where nothing is believed of a place itself, its neighbours do not change that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from projections.belief.base import TIE, UNKNOWN, Verdict

if TYPE_CHECKING:
    from ledger.directory import Directory, Place
    from projections.belief.params import Params

Rows = NDArray[np.float64]
Kind = TypeVar("Kind")

#: Mean radius of the Earth in km (IUGG).
_RADIUS = 6371.0088
#: Stands in for a probability of 0.
_TINY = 1e-300
#: Numbers of neighbours' beliefs that are kept at once, for the next place.
_NUMBERS = 16_000_000
#: Neighbours that are kept at once.
_NEAR = 100_000


class Near(NamedTuple):
    """A neighbour, the great-circle distance to it, and its weight before the weights are made to sum to 1."""

    place: str
    km: float
    weight: float


class Part(NamedTuple):
    """What a neighbour has to say of a day: its ``share``, from 0 to 1, and its own ``belief`` (states)."""

    place: str
    km: float
    share: float
    belief: Rows


# -- the arithmetic ------------------------------------------------------------------------------------------


def pull(beliefs: Sequence[Rows], weights: Sequence[float], shape: tuple[int, int]) -> Rows:
    """Σ_j w_j·(p_j − 1/K) on every day; ``shape`` is (days, states), as that of each neighbour's beliefs.

    On each day the weights sum to 1 over those of whom something is believed then; 0 where that is nobody.
    """
    total, summed = np.zeros((shape[0], 1)), np.zeros(shape)
    for rows, weight in zip(beliefs, weights, strict=True):
        known = ~np.isnan(rows[:, :1])
        total += np.where(known, weight, 0.0)
        summed += np.where(known, weight * (rows - 1 / shape[1]), 0.0)
    return np.divide(summed, total, out=np.zeros(shape), where=total > 0)


def coupled(beliefs: Rows, nats: Rows) -> Rows:
    """Beliefs (days, states) after ``nats`` were added to their logs; rows of NaN stay."""
    logs = np.log(np.maximum(beliefs, _TINY)) + nats
    p = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def lifted(verdict: Verdict, nats: Sequence[float]) -> Verdict:
    """A verdict after ``nats``, one a state, were added to the logs of its probabilities; an unknown one stays."""
    if verdict.believed == UNKNOWN:
        return verdict
    names = list(verdict.probabilities)
    p = coupled(_row(verdict), np.array([nats]))[0].tolist()
    believed = next(name for name, one in zip(names, p, strict=True) if one >= max(p) - TIE)
    return replace(verdict, believed=believed, probabilities=dict(zip(names, p, strict=True)))


def _row(verdict: Verdict) -> Rows:
    p = np.array([list(verdict.probabilities.values())])
    return np.full_like(p, np.nan) if verdict.believed == UNKNOWN else p


# -- who is whose neighbour ----------------------------------------------------------------------------------


class Chart:
    """Where the places of a directory lie. Those that were merged into others count as these; those without
    coordinates have no neighbours and are none. ``reach`` in km."""

    def __init__(self, directory: Directory, reach: float) -> None:
        from scipy.spatial import cKDTree

        self._directory, self._reach = directory, reach
        found = [
            (place.id, point)
            for place in directory.places.values()
            if directory.place_id(place.id) == place.id and (point := _point(place)) is not None
        ]
        self._ids = [place for place, _ in found]
        self._points = np.array([point for _, point in found])
        self._numbers = {place: n for n, place in enumerate(self._ids)}
        self._tree = cKDTree(self._points) if found else None
        self._found = Kept[tuple[Near, ...]](_NEAR)
        self._whole, self._above = cache(self._find_whole), cache(self._find_above)

    def near(self, place: str) -> tuple[Near, ...]:
        """The neighbours of a place, the nearest first.

        What a place is a part of, and what is a part of the same, hears the same claims and is no neighbour;
        nor is a region that it lies in.
        """
        return self._found.get(place, lambda: self._look(place), len)

    def _look(self, place: str) -> tuple[Near, ...]:
        at = self._numbers.get(place)
        if at is None or self._tree is None:
            return ()
        # A chord of the unit sphere; a hair longer, for what is cut off is decided in km below.
        chord = 2 * math.sin(min(self._reach / (2 * _RADIUS), math.pi / 2)) * (1 + 1e-9)
        others = self._tree.query_ball_point(self._points[at], chord)
        chords = np.sqrt(((self._points[others] - self._points[at]) ** 2).sum(axis=1))
        apart = 2 * _RADIUS * np.arcsin(np.minimum(1.0, chords / 2))
        found = [
            (km, self._ids[n])
            for n, km in zip(others, apart.tolist(), strict=True)
            if n != at and km <= self._reach and not self._akin(at, n)
        ]
        return tuple(Near(one, km, math.exp(-2 * km / self._reach)) for km, one in sorted(found))

    def _akin(self, one: int, other: int) -> bool:
        place, near = self._ids[one], self._ids[other]
        if self._whole(place) == self._whole(near):
            return True
        return near in self._above(place) or place in self._above(near)

    def _find_whole(self, place: str) -> str:
        """The place that ``place`` is in the end a part of; itself where it is none."""
        seen = {place}
        while (whole := self._directory.whole(place)) is not None and whole not in seen:
            place = whole
            seen.add(place)
        return place

    def _find_above(self, place: str) -> frozenset[str]:
        """What a place lies in, and what that lies in."""
        places, seen = self._directory.places, set[str]()
        while (found := places.get(place)) is not None and found.parent is not None:
            place = self._directory.place_id(found.parent)
            if place in seen:
                break
            seen.add(place)
        return frozenset(seen)


def _point(place: Place) -> tuple[float, float, float] | None:
    """On the unit sphere; None without coordinates."""
    if place.lat is None or place.lon is None:
        return None
    lat, lon = math.radians(float(place.lat)), math.radians(float(place.lon))
    return math.cos(lat) * math.cos(lon), math.cos(lat) * math.sin(lon), math.sin(lat)


# -- for those who read beliefs ------------------------------------------------------------------------------


class Around:
    """The neighbours' part in beliefs about one question, under one logic's parameters.

    ``alone(place)`` is how a reader gets at a place's own beliefs, for the neighbours are read as the place itself
    is: shape (days, states), NaN where nothing is believed. ``key`` tells apart what the same reader asks with
    other days or other knowledge; what was found is kept for the next place.
    """

    def __init__(self, directory: Directory, params: Params) -> None:
        self.strength = params.coupling
        self._directory, self._reach = directory, params.coupling_reach
        self._chart: Chart | None = None
        self._kept = Kept[Rows](_NUMBERS)

    def __bool__(self) -> bool:
        """Whether neighbours count at all."""
        return self.strength > 0

    def near(self, place: str) -> tuple[Near, ...]:
        """The neighbours of a place; none where they do not count."""
        if not self:
            return ()
        if self._chart is None:
            self._chart = Chart(self._directory, self._reach)
        return self._chart.near(place)

    def rows(self, place: str, key: Hashable, alone: Callable[[str], Rows]) -> Rows:
        """What is believed of a place with its neighbours' part."""
        if not self:
            return alone(place)
        return self.lift(place, self._own(place, key, alone), key, alone)

    def lift(self, place: str, own: Rows, key: Hashable, alone: Callable[[str], Rows]) -> Rows:
        """The same, for who has read the place's own beliefs already."""
        if not self.near(place) or np.isnan(own[:, 0]).all():
            return own
        return coupled(own, self.nats(place, own.shape, key, alone))

    def nats(self, place: str, shape: tuple[int, ...], key: Hashable, alone: Callable[[str], Rows]) -> Rows:
        """What the neighbours add to the logs of a place's beliefs, of ``shape`` (days, states)."""
        near, (days, states) = self.near(place), shape
        beliefs = [self._own(one.place, key, alone) for one in near]
        return self.strength * pull(beliefs, [one.weight for one in near], (days, states))

    def verdict(self, place: str, own: Verdict, key: Hashable, alone: Callable[[str], Verdict]) -> Verdict:
        """A verdict of one day with the neighbours' part; ``alone`` gives the neighbours' own ones."""
        if own.believed == UNKNOWN or not self.near(place):
            return own
        shape = (1, len(own.probabilities))
        return lifted(own, self.nats(place, shape, key, lambda one: _row(alone(one)))[0].tolist())

    def parts(self, place: str, key: Hashable, alone: Callable[[str], Verdict]) -> list[Part]:
        """Each neighbour's part on one day, the nearest first; ``strength · Σ share·(belief − 1/K)`` is added."""
        known = [
            (one, belief)
            for one in self.near(place)
            if not np.isnan((belief := self._own(one.place, key, lambda near: _row(alone(near)))[0])[0])
        ]
        total = math.fsum(one.weight for one, _ in known)
        return [Part(one.place, one.km, one.weight / total, belief) for one, belief in known]

    def _own(self, place: str, key: Hashable, alone: Callable[[str], Rows]) -> Rows:
        return self._kept.get((place, key), lambda: alone(place), lambda rows: rows.size)


class Kept(Generic[Kind]):
    """What was found, by key, as far as there is room; what came first goes first."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._found: dict[Hashable, tuple[Kind, int]] = {}

    def get(self, key: Hashable, find: Callable[[], Kind], size: Callable[[Kind], int]) -> Kind:
        """What was found before, else what is found now; ``size`` says how much room it takes."""
        if key in self._found:
            return self._found[key][0]
        found = find()
        self._found[key] = found, size(found)
        self._room -= size(found)
        while self._room < 0 and len(self._found) > 1:
            self._room += self._found.pop(next(iter(self._found)))[1]
        return found
