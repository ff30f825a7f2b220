"""Weather: the visibility of places by the hour, in grades, as several sources report it; the truth moves.

``folder/claims.csv`` (source, place, time, state) and ``truth.csv`` (place, time, state). Each claim is kept with a
small probability, by ``default_rng(seed).random(claims) < kept`` in the order of the file; figures are means over
seeds, with their standard deviation. No claim is left out of the truth's hours, nothing is ruled. Methods:

* ``vote``: shares among the claims of the last hour that has any, even before the first.
* ``dawid-skene``: each place and hour an object of its own; likewise carried on.
* ``hmm@1 smooth``, ``hmm@1 filter``: the learning engine under the ``[weather]`` table of ``belief.toml``, in
  hindsight, and by what was reported up to the hour.

The generator has neighbouring grades exchange most, in proportion to how often each is claimed: Q[i, j] ∝
falloff^(|i − j| − 1)·share[j], in detailed balance. It is made of the claims that were kept, not of the truth.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from projections.learning.corpus import FRESH, IMPLIED, UNIMPLIED, Corpus
from projections.learning.em import fit, infer
from projections.learning.model import Model
from tests.bench.believing import ASSUMED, Names, Row, dawid_skene, mean, read, row, score, shares, sideless

KEPT = (0.10, 0.02)
SEEDS = range(5)
_HOUR = timedelta(hours=1)


class Weather(NamedTuple):
    """Claims and truth as numbers; a *moment* is a place and an hour at which a claim or a truth may be."""

    states: list[str]
    voices: int
    first: np.ndarray  # (places + 1,) moments of each place
    hour: np.ndarray  # (moments,)
    moment: np.ndarray  # (claims,)
    voice: np.ndarray
    label: np.ndarray
    known: np.ndarray  # (truths,) moments
    truth: np.ndarray

    @classmethod
    def of(cls, folder: Path) -> Weather:
        claims, truth = read(folder / "claims.csv"), read(folder / "truth.csv")
        places = Names(claims["place"] + truth["place"])
        states, voices = Names(claims["state"] + truth["state"]), Names(claims["source"])
        times = [datetime.fromisoformat(text) for text in claims["time"] + truth["time"]]
        hours = np.array([(time - min(times)) // _HOUR for time in times])
        span = int(hours.max()) + 1
        where = places(claims["place"] + truth["place"]) * span + hours
        moments, number = np.unique(where, return_inverse=True)
        n = len(claims["time"])
        return cls(
            states.names,
            len(voices),
            np.searchsorted(moments, np.arange(len(places) + 1) * span),
            moments % span,
            number[:n],
            voices(claims["source"]),
            states(claims["state"]),
            number[n:],
            states(truth["state"]),
        )

    def thinned(self, kept: float, seed: int) -> Weather:
        """The same with some of the claims."""
        chosen = np.random.default_rng(seed).random(len(self.moment)) < kept
        return self._replace(moment=self.moment[chosen], voice=self.voice[chosen], label=self.label[chosen])


def figures(folder: Path) -> list[Row]:
    """A row for every share of claims kept and every method."""
    whole = Weather.of(folder)
    rows: list[Row] = []
    for kept in KEPT:
        found: dict[str, list[Any]] = {}
        spent: dict[str, float] = {}
        for seed in SEEDS:
            for methods, beliefs, seconds in _answers(whole.thinned(kept, seed)):
                for method, believed in zip(methods, beliefs, strict=True):
                    found.setdefault(method, []).append(score(believed[whole.known], whole.truth))
                    spent[method] = spent.get(method, 0.0) + seconds / len(SEEDS)
        for method, scores in found.items():
            sd = {
                f"{name}_sd": round(float(np.std([getattr(s, name) for s in scores])), 4) for name in _SPREAD
            }
            rows.append(row(f"weather/{kept:.0%}", method, mean(scores), spent[method], **sd))
    return rows


_SPREAD = ("accuracy", "log_loss")


def _answers(weather: Weather) -> Iterator[tuple[tuple[str, ...], tuple[np.ndarray, ...], float]]:
    """Methods, the beliefs of each on every moment, and the seconds they took together."""
    size, moments = len(weather.states), len(weather.hour)
    start = perf_counter()
    votes = shares(weather.moment, weather.label, moments, size)
    yield ("vote",), (_carried(weather, votes),), perf_counter() - start
    start = perf_counter()
    skene = dawid_skene(weather.moment, weather.voice, weather.label, moments, size)
    yield ("dawid-skene",), (_carried(weather, skene),), perf_counter() - start
    start = perf_counter()
    corpus, model = corpus_of(weather), model_of(weather)
    belief = infer(corpus, model, fit(corpus, model))
    yield ("hmm@1 smooth", "hmm@1 filter"), (belief.smoothed, belief.filtered), perf_counter() - start


def corpus_of(weather: Weather) -> Corpus:
    """Every moment is a step. Whoever speaks soon after somebody of the same place may have copied them."""
    place = np.searchsorted(weather.first, weather.moment, side="right") - 1
    hour = weather.hour[weather.moment]
    order = np.lexsort((weather.voice, hour, place))
    before, after = order[:-1], order[1:]
    near = (place[before] == place[after]) & (hour[after] - hour[before] <= ASSUMED["weather"]["copy_window"])
    copied = np.full(len(order), FRESH, np.int8)
    same = weather.label[before] == weather.label[after]
    copied[after] = np.where(near, np.where(same, IMPLIED, UNIMPLIED), FRESH)
    return Corpus(
        size=len(weather.states),
        first=weather.first,
        day=weather.hour,
        step=weather.moment,
        voice=weather.voice,
        label=weather.label,
        weight=np.ones(len(order)),
        copied=copied,
    )


def model_of(weather: Weather) -> Model:
    """The engine's own strengths; the grades move as the module says."""
    table, size = ASSUMED["weather"], len(weather.states)
    share = np.bincount(weather.label, minlength=size) + 1.0
    share /= share.sum()
    apart = np.abs(np.arange(size)[:, None] - np.arange(size))
    q = np.where(apart > 0, table["falloff"] ** (apart - 1.0), 0.0) * share
    q /= share @ q.sum(axis=1) * table["sojourn"]
    return Model(
        rows=sideless(size, table["accuracy"]),
        group=np.zeros(weather.voices, np.int64),
        generator=q - np.diag(q.sum(axis=1)),
        prior=share,
    )


def _carried(weather: Weather, beliefs: np.ndarray) -> np.ndarray:
    """Beliefs of the last moment of the place that somebody spoke of; even before the first."""
    spoken = np.zeros(len(weather.hour), bool)
    spoken[weather.moment] = True
    last = np.maximum.accumulate(np.where(spoken, np.arange(len(spoken)), -1))
    start = np.repeat(weather.first[:-1], np.diff(weather.first))
    even = np.full(beliefs.shape[1], 1 / beliefs.shape[1])
    return np.where((last >= start)[:, None], beliefs[last], even)
