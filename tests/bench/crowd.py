"""Crowd sets: every object has one true value that never changes, and some sources call it.

``folder/NAME/claims.csv`` (source, object, value) and ``truth.csv`` (object, value), one folder a set. Methods:

* ``vote``: shares of the values named. ``dawid-skene``: without a prior, from the vote.
* ``hmm@1``: the learning engine under the ``[crowd]`` table of ``belief.toml``, nothing ruled, temperature 1.
* ``hmm@1 left-out``: the same with the strengths that do best on the *other* sets (``[crowd.grid]``).
* ``hmm@1 ruled``: with a tenth of the objects that have a truth ruled on (drawn by ``default_rng(0)``), which are
  evidence and calibrate the temperature; they are left out of the score. ``dawid-skene unruled``: the same objects.
* ``crowd-kit …``: Dawid-Skene where it can be imported, and if asked GLAD and MACE, which take minutes.

``seconds`` are those of learning and answering, from arrays (or a peer's table) in memory; of the mean, their sum.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from projections.learning.calibration import calibrated
from projections.learning.corpus import Corpus
from projections.learning.em import fit, infer
from projections.learning.model import Model
from tests.bench.believing import (
    ASSUMED,
    Names,
    Row,
    Score,
    dawid_skene,
    mean,
    read,
    row,
    score,
    shares,
    sideless,
)

RULED, RULED_OUT = 0.98, 0.01
"""How much a ruling weighs on what was ruled and on everything else, as in ``projections.belief.params``."""
SHARE = 0.1
"""Of the objects that have a truth, so many are ruled on."""


class Crowd(NamedTuple):
    """A set as numbers: claims (thing, voice, label), and the truth of ``known`` things."""

    name: str
    states: list[str]
    things: int
    voices: int
    thing: np.ndarray
    voice: np.ndarray
    label: np.ndarray
    known: np.ndarray
    truth: np.ndarray

    @classmethod
    def of(cls, folder: Path) -> Crowd:
        claims, truth = read(folder / "claims.csv"), read(folder / "truth.csv")
        states = Names(claims["value"] + truth["value"])
        things, voices = Names(claims["object"] + truth["object"]), Names(claims["source"])
        said = things(claims["object"]), voices(claims["source"]), states(claims["value"])
        return cls(
            folder.name,
            states.names,
            len(things),
            len(voices),
            *said,
            things(truth["object"]),
            states(truth["value"]),
        )

    def corpus(self, **more: Any) -> Corpus:
        return Corpus(
            size=len(self.states),
            first=np.arange(self.things + 1),
            day=np.zeros(self.things, np.int64),
            step=self.thing,
            voice=self.voice,
            label=self.label,
            weight=np.ones(len(self.thing)),
            **more,
        )

    def model(self, table: Mapping[str, Any]) -> Model:
        size = len(self.states)
        return Model(
            rows=sideless(size, table["accuracy"]),
            group=np.zeros(self.voices, np.int64),
            generator=np.zeros((size, size)),
            prior=np.full(size, 1 / size),
            strength=table["strength"],
            group_strength=table["group_strength"],
            prevalence_strength=table["prevalence_strength"],
            temperature_prior=(table["temperature"], table["temperature_worth"]),
        )


def figures(folder: Path, *, slow: bool = False) -> list[Row]:
    """Rows for every set in ``folder`` and method, then their means (``crowd/mean``); ``slow``: all peers."""
    crowds = [Crowd.of(path.parent) for path in sorted(folder.glob("*/claims.csv"))]
    rows: list[Row] = []
    for method, answer in _methods(slow).items():
        found, spent = [], 0.0
        for crowd in crowds:
            start = perf_counter()
            beliefs = answer(crowd)
            seconds = perf_counter() - start
            spent += seconds
            found.append(score(beliefs[crowd.known], crowd.truth))
            rows.append(row(f"crowd/{crowd.name}", method, found[-1], seconds))
        rows.append(row("crowd/mean", method, mean(found), spent))
    return [*rows, *_left_out(crowds), *_with_rulings(crowds)]


def believed(crowd: Crowd, table: Mapping[str, Any]) -> np.ndarray:
    """What the engine believes of every thing when nobody has ruled and evidence is taken at its word."""
    corpus, model = crowd.corpus(), crowd.model(table)
    return infer(corpus, model, fit(corpus, model), temperature=1.0).smoothed


def ruled(crowd: Crowd, table: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, float]:
    """Beliefs after rulings, the positions of the truths that were not ruled on, and the temperature."""
    n = len(crowd.known)
    chosen = np.sort(np.random.default_rng(0).choice(n, max(1, round(SHARE * n)), replace=False))
    at, states = crowd.known[chosen], np.eye(len(crowd.states), dtype=bool)[crowd.truth[chosen]]
    fixed = np.zeros((crowd.things, len(crowd.states)))
    fixed[at] = np.where(states, np.log(RULED), np.log(RULED_OUT))
    corpus = crowd.corpus(fixed=fixed, judged_step=at, judged_states=states)
    model = crowd.model(table)
    learnt = calibrated(corpus, model, fit(corpus, model))
    beliefs = infer(corpus, model, learnt).smoothed
    return beliefs, np.setdiff1d(np.arange(n), chosen), learnt.temperature


def _with_rulings(crowds: Sequence[Crowd]) -> list[Row]:
    rows: list[Row] = []
    ours: list[Score] = []
    plain: list[Score] = []
    spent = 0.0
    for crowd in crowds:
        start = perf_counter()
        beliefs, rest, temperature = ruled(crowd, ASSUMED["crowd"])
        seconds = perf_counter() - start
        spent += seconds
        known, truth = crowd.known[rest], crowd.truth[rest]
        ours.append(score(beliefs[known], truth))
        plain.append(score(_plain(crowd)[known], truth))
        name = f"crowd/{crowd.name}"
        rows.append(row(name, "hmm@1 ruled", ours[-1], seconds, temperature=round(temperature, 2)))
        rows.append(row(name, "dawid-skene unruled", plain[-1]))
    rows.append(row("crowd/mean", "hmm@1 ruled", mean(ours), spent))
    rows.append(row("crowd/mean", "dawid-skene unruled", mean(plain)))
    return rows


def _left_out(crowds: Sequence[Crowd]) -> list[Row]:
    """Each set under the strengths that have the best mean accuracy on the others; the first of equals."""
    table = ASSUMED["crowd"]
    grid = [
        dict(zip(table["grid"], each, strict=True)) for each in itertools.product(*table["grid"].values())
    ]
    found = [
        [score(believed(crowd, {**table, **each})[crowd.known], crowd.truth) for crowd in crowds]
        for each in grid
    ]
    accuracy = np.array([[one.accuracy for one in scores] for scores in found])
    rows, scores = [], []
    for i, crowd in enumerate(crowds):
        others = np.delete(accuracy, i, axis=1).sum(axis=1)
        best = int(np.argmax(others > others.max() - 1e-9))
        scores.append(found[best][i])
        rows.append(row(f"crowd/{crowd.name}", "hmm@1 left-out", scores[-1], **grid[best]))
    return [*rows, row("crowd/mean", "hmm@1 left-out", mean(scores))]


def _plain(crowd: Crowd) -> np.ndarray:
    return dawid_skene(crowd.thing, crowd.voice, crowd.label, crowd.things, len(crowd.states))


def _methods(slow: bool) -> dict[str, Callable[[Crowd], np.ndarray]]:
    return {
        "vote": lambda crowd: shares(crowd.thing, crowd.label, crowd.things, len(crowd.states)),
        "dawid-skene": _plain,
        "hmm@1": lambda crowd: believed(crowd, ASSUMED["crowd"]),
        **_peers(slow),
    }


def _peers(slow: bool) -> dict[str, Callable[[Crowd], np.ndarray]]:
    """Methods of crowd-kit, where it is installed."""
    try:
        import pandas
        from crowdkit import aggregation
    except ImportError:
        return {}

    def answer(method: Callable[[], Any]) -> Callable[[Crowd], np.ndarray]:
        def of(crowd: Crowd) -> np.ndarray:
            columns = {"task": crowd.thing, "worker": crowd.voice, "label": crowd.label}
            found = method().fit_predict_proba(pandas.DataFrame(columns))
            beliefs = np.full((crowd.things, len(crowd.states)), 1 / len(crowd.states))
            beliefs[np.ix_(found.index, np.arange(len(crowd.states)))] = found.reindex(
                columns=range(len(crowd.states)), fill_value=0.0
            )
            return beliefs

        return of

    methods = [aggregation.DawidSkene, *((aggregation.GLAD, aggregation.MACE) if slow else ())]
    return {f"crowd-kit {method.__name__}": answer(method) for method in methods}
