"""What the belief benches share: claims as numbers, sideless models, peers, and how beliefs are scored.

Accuracy, Brier score and ECE are those of ``projections.measures``; ties go to the first state. Log loss has a
floor of ``CLIP``, so low that a peer who is sure and wrong pays for it.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from projections import measures
from projections.viewpoint import top

CLIP = 1e-12
"""A probability of the truth under it counts as it in log losses."""
ASSUMED: Mapping[str, Mapping[str, Any]] = tomllib.loads(
    Path(__file__).with_name("belief.toml").read_text("utf-8")
)
Row = dict[str, Any]


class Names:
    """Names numbered in a stated order."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(set(names), key=lambda name: (len(name), name))
        self._index = {name: i for i, name in enumerate(self.names)}

    def __len__(self) -> int:
        return len(self.names)

    def __call__(self, names: Iterable[str]) -> np.ndarray:
        return np.array([self._index[name] for name in names], np.int64)


class Score(NamedTuple):
    accuracy: float
    log_loss: float
    brier: float
    ece: float


def read(path: Path) -> dict[str, list[str]]:
    """The columns of a CSV file by name."""
    with path.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    return dict(zip(header, map(list, zip(*rows, strict=True)), strict=True))


def score(beliefs: np.ndarray, truth: np.ndarray) -> Score:
    """``beliefs`` (n, states) against ``truth`` (n,)."""
    right = top(beliefs) == truth
    confidence = measures.confidences(beliefs)
    where = measures.bins(confidence)
    gap = np.bincount(where, right, measures.BINS) - np.bincount(where, confidence, measures.BINS)
    surprise = -np.log(np.clip(beliefs[np.arange(len(truth)), truth], CLIP, 1.0))
    return Score(
        float(right.mean()),
        float(surprise.mean()),
        float(measures.squared_errors(beliefs.copy(), truth).mean()),
        float(np.abs(gap).sum() / len(truth)),
    )


def row(what: str, method: str, found: Score, seconds: float | None = None, **more: Any) -> Row:
    """One line of the result; figures rounded to what they are worth."""
    shown = {name: round(value, 4) for name, value in found._asdict().items()}
    timed = {} if seconds is None else {"seconds": round(seconds, 4)}
    return {"bench": "belief", "set": what, "method": method, **shown, **timed, **more}


def mean(scores: Sequence[Score]) -> Score:
    return Score(*np.mean(scores, axis=0).tolist())


def sideless(size: int, accuracy: float) -> np.ndarray:
    """Rows of one group, (1, size, size): the true state so often, the others evenly."""
    rows = np.full((size, size), (1 - accuracy) / max(size - 1, 1))
    np.fill_diagonal(rows, accuracy if size > 1 else 1.0)
    return rows[None]


def shares(thing: np.ndarray, label: np.ndarray, things: int, size: int) -> np.ndarray:
    """The vote: shares of the labels of each thing, even where it has none."""
    votes = np.bincount(thing * size + label, minlength=things * size).reshape(things, size).astype(float)
    votes[votes.sum(axis=1) == 0] = 1.0
    return votes / votes.sum(axis=1, keepdims=True)


def dawid_skene(
    thing: np.ndarray, voice: np.ndarray, label: np.ndarray, things: int, size: int, rounds: int = 100
) -> np.ndarray:
    """Plain Dawid & Skene (1979) from the shares of the vote, without any prior; ends when beliefs stand still."""
    beliefs = shares(thing, label, things, size)
    voices = int(voice.max()) + 1
    said = csr_array((np.ones(len(thing)), (thing, voice * size + label)), shape=(things, voices * size))
    heard = said.T.tocsr()
    for _ in range(rounds):
        confusion = (heard @ beliefs).reshape(voices, size, size)
        total = confusion.sum(axis=1, keepdims=True)
        confusion = np.divide(confusion, total, out=np.zeros_like(confusion), where=total > 0)
        logs = said @ np.log(np.maximum(confusion, 1e-300)).reshape(-1, size)
        logs += np.log(np.maximum(beliefs.mean(axis=0), 1e-300))
        now = np.exp(logs - logs.max(axis=1, keepdims=True))
        now /= now.sum(axis=1, keepdims=True)
        moved = np.abs(now - beliefs).max()
        beliefs = now
        if moved < 1e-6:
            break
    return beliefs
