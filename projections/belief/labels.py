"""What can be true, what can be said about it, and how likely each saying is under each truth.

A source does not report the truth: it reports what it perceives and is willing to say. The table is therefore
made in two steps, ``truth → perceived`` (by the source's relation to the parties) and ``perceived → said``
("X", "not the other", "part X"), multiplied. Both come from ``Params``; no party is ever named here, and
permuting the parties permutes the table. The construction and its numbers are assumptions of this project;
the shape, one confusion row for each truth, is that of Dawid & Skene (1979).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ledger.errors import Usage
from projections.belief.params import Params

Vector = NDArray[np.float64]
"""One number for each state, in the order of ``States.names``."""

Kind = Literal["is", "not", "part", "nothing"]
CONTESTED = "contested"


class Label(NamedTuple):
    """One thing that can be said of a place: X, not X, part of it is X; or (a display only) nothing."""

    kind: Kind
    state: int


NOTHING = Label("nothing", -1)
"""A standing source displays no state of the place."""

Table = Mapping[Label, Vector]
"""Label → natural log of its probability under each state; read-only."""


@dataclass(frozen=True)
class States:
    """The states of one question, in their order.

    Either the parties in order followed by the contested state (the question ``control``), or any states
    without parties. Raises ``Usage`` when a name occurs twice or the parties are not the leading states.
    """

    names: tuple[str, ...]
    parties: tuple[str, ...] = ()
    contested: str | None = None

    def __post_init__(self) -> None:
        if not self.names:
            raise Usage("a question needs at least one state")
        if len(set(self.names)) < len(self.names):
            raise Usage(f"a state occurs twice in {', '.join(self.names)}")
        expected = (*self.parties, self.contested) if self.contested is not None else self.names
        if self.names != expected or (self.parties and self.contested is None):
            raise Usage("states of a question with parties are the parties, then the contested state")

    @classmethod
    def control(cls, parties: tuple[str, ...], contested: str = CONTESTED) -> States:
        """The states of "who holds it?": each party, then contested."""
        return cls((*parties, contested), parties, contested)

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """The position of a state. Raises ``KeyError`` when the question has no such state."""
        return self._index[name]

    def __contains__(self, name: object) -> bool:
        return name in self._index

    def labels(self) -> tuple[Label, ...]:
        """Everything that can be said, without ``NOTHING``: every X, every not X, part X for each party."""
        every = range(len(self.names))
        return (
            *(Label("is", i) for i in every),
            *(Label("not", i) for i in every),
            *(Label("part", i) for i in range(len(self.parties))),
        )

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.names)}


def implies(a: Label, b: Label, states: States) -> bool:
    """Whether whoever says ``a`` has said ``b`` with it: "X" says "part X" and "not Y" of every other Y."""
    if a == b:
        return True
    if a.kind != "is":
        return False
    if b.kind == "not":
        return a.state != b.state
    return b.kind == "part" and a.state == b.state and a.state < len(states.parties)


@lru_cache(maxsize=1024)
def emissions(states: States, relation: int | None, params: Params) -> Table:
    """What a source says, given the truth: label → ln p(label | state), arrays of shape ``(states,)``.

    ``relation`` is the index of the party the source sides with; None for a neutral source, or one whose side
    is no party to this question. For each state the probabilities sum to 1 over all labels but one: "not
    contested" names no party, so it is read as the coarse "some party holds all of it", the sum of the "X"
    labels that imply it. A label nobody could utter (only where there is one state) says nothing: ln 1.
    """
    if relation is not None and not 0 <= relation < len(states.parties):
        raise ValueError(f"{relation} is no party of {states.names}")
    said = _perceived(states, relation, params) @ _wording(states, params)
    labels = states.labels()
    if states.parties:
        coarse = labels.index(Label("not", len(states.parties)))
        said[:, coarse] = said[:, : len(states.parties)].sum(axis=1)
    said[:, ~said.any(axis=0)] = 1.0
    return frozen(dict(zip(labels, np.log(said).T, strict=True)))


@lru_cache(maxsize=1024)
def standing(states: States, relation: int | None, params: Params) -> Table:
    """The table of a standing source: ``emissions`` with a display of ``NOTHING`` beside it.

    All labels of the display sum to 1 (but for the coarse one): showing nothing takes ``nothing_held`` of
    what is shown while a party (or a state) holds, ``nothing_contested`` while it is contested.
    """
    nothing = np.full(len(states), params.nothing_held)
    if states.contested is not None:
        nothing[-1] = params.nothing_contested
    shown = {label: row + np.log1p(-nothing) for label, row in emissions(states, relation, params).items()}
    return frozen({**shown, NOTHING: np.log(nothing)})


def tempered(loglik: Vector, exponent: float) -> Vector:
    """The same evidence with ``exponent`` times its weight in nats: a doubt, or evidence that was doubted."""
    return loglik * exponent


def repeated(loglik: Vector, copy_rate: float) -> Vector:
    """A repeat of what the same side had implied before: ln(ρ + (1 − ρ)·p), nothing left of it at ρ = 1."""
    if copy_rate == 1:
        return np.zeros_like(loglik)
    return np.logaddexp(math.log(copy_rate), math.log1p(-copy_rate) + loglik) if copy_rate else loglik.copy()


def ruled(states: States, state: int, params: Params) -> Vector:
    """An analyst's ruling that ``state`` was so, as evidence: ln ``ruled`` there, else ln ``ruled_out``."""
    weight = np.full(len(states), math.log(params.ruled_out))
    weight[state] = math.log(params.ruled)
    return weight


def ruled_out(states: States, state: int, params: Params) -> Vector:
    """An analyst's ruling that ``state`` was not so: ln ``ruled_out`` there and nothing elsewhere."""
    weight = np.zeros(len(states))
    weight[state] = math.log(params.ruled_out)
    return weight


def display_rates(loglik: Vector, rate: float) -> Vector:
    """How fast a display gives itself away under each state, per day: μ·(1 − p(label | state))."""
    return rate * -np.expm1(loglik)


def _perceived(states: States, relation: int | None, params: Params) -> NDArray[np.float64]:
    """p(perceived | truth), shape (states, states), rows sum to 1."""
    n, parties = len(states), len(states.parties)
    if states.contested is None:
        return _normalised(_even(n, params.neutral_state, 1 - params.neutral_state))
    table = np.zeros((n, n))
    if relation is None:
        held, other, contested = params.neutral_held
        table[:parties, :parties] = _even(parties, held, other)
        table[:parties, -1] = contested
        table[-1, :parties] = params.neutral_contested[0] / max(parties, 1)
        table[-1, -1] = params.neutral_contested[1]
        return _normalised(table)
    for truth in range(n):
        table[truth] = _aligned_row(truth, relation, parties, params)
    return _normalised(table)


def _aligned_row(truth: int, own: int, parties: int, params: Params) -> Vector:
    """What a source on the side of party ``own`` perceives under one truth."""
    if truth == own:
        says_own, other, contested = params.aligned_own
    elif truth == parties:
        says_own, other, contested = params.aligned_contested
    else:
        says_own, other, contested = params.aligned_other
    row = np.full(parties + 1, other / max(parties - 1, 1))
    if parties > 2 and truth not in (own, parties):
        row[:] = other * (1 - params.other_named) / (parties - 2)
        row[truth] = other * params.other_named
    row[own], row[-1] = says_own, contested
    return row


def _wording(states: States, params: Params) -> NDArray[np.float64]:
    """p(said | perceived), shape (states, labels), rows sum to 1. A share nobody can take falls to "X"."""
    n, parties = len(states), len(states.parties)
    if states.contested is None:
        # There are no parts here: whoever would have spoken of one is taken to deny the alternatives.
        denied = params.said_held[1] + params.said_held[2]
        return _normalised(np.hstack([params.said_held[0] * np.eye(n), denied * _even(n, 0.0, 1.0)]))
    table = np.zeros((n, 2 * n + parties))
    held, denied, part = params.said_held
    table[:parties, :parties] = held * np.eye(parties)
    table[:parties, n : n + parties] = _even(parties, 0.0, denied)
    table[:parties, 2 * n :] = part * np.eye(parties)
    contested, denied, part = params.said_contested
    table[-1, n - 1] = contested
    table[-1, n : n + parties] = denied / max(parties, 1)
    table[-1, 2 * n :] = part / max(parties, 1)
    return _normalised(table)


def _even(n: int, diagonal: float, others: float) -> NDArray[np.float64]:
    """An (n, n) table: ``diagonal`` on the diagonal, ``others`` divided evenly over the rest of each row."""
    table = np.full((n, n), others / max(n - 1, 1))
    np.fill_diagonal(table, diagonal)
    return table


def _normalised(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows that sum to 1; only with fewer than two parties or states do they not do so already."""
    return np.asarray(table / table.sum(axis=1, keepdims=True))


def frozen(table: dict[Label, Vector]) -> Table:
    """A table that nobody can write to."""
    for row in table.values():
        row.setflags(write=False)
    return MappingProxyType(table)
