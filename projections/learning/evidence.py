"""A corpus in the form that every iteration needs: sparse matrices over what can be looked up once.

Observations that weigh alike under whatever is learnt (same voice, label and kind of repeat) are one *cell*, so a
table of one row for each cell speaks for all of them: its product with a sparse matrix is the evidence on every
step, and the product of a transposed matrix with the beliefs is what is counted for every cell. Displays
likewise: those in force together are one *combination*, which acts on every gap in which they are.

What is looked up is shared by all slots, what is counted is counted slot by slot: every cell of every slot has a
*tally* of its own, every combination in a slot a *stretch*.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from projections.learning.corpus import Corpus

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Tallies(NamedTuple):
    """Where things of several slots are counted: ``slot`` and ``of``, the number of what is counted there."""

    slot: Ints
    of: Ints

    def places(self, size: int, of: Ints) -> Ints:
        """Each one's place in a table of ``size`` rows for every slot, where ``of`` (n,) is its row."""
        return self.slot * size + of[self.of]


class Evidence(NamedTuple):
    """Cells and where they speak; see the module. Rows of ``said`` are steps, of ``shown`` combinations."""

    voice: Ints  # (cells,)
    label: Ints  # (cells,)
    copied: Ints  # (cells,)
    said: csr_array  # (steps, cells): summed weights of the observations
    tallies: Tallies  # of cells
    told: csr_array  # (tallies, steps): the same weights
    held_voice: Ints  # (display cells,)
    held_label: Ints
    shown: csr_array  # (combinations, display cells): summed weights of the displays in force together
    combination: Ints  # (steps,): what is in force in the gap before a step; 0 is nothing
    stretches: Tallies  # of combinations
    stretch: Ints  # (steps in whose gap something is in force,)
    redrawn: tuple[
        Ints, Ints, Floats
    ]  # slot, voice and weight: displays drawn in place of another of their voice

    @classmethod
    def of(cls, corpus: Corpus) -> Evidence:
        steps = len(corpus.day)
        slot = corpus.slot[corpus.spot]
        labels = 1 + max(corpus.label.max(initial=0), corpus.held_label.max(initial=0))
        cell, cell_of = _distinct((corpus.voice * labels + corpus.label) * 3 + corpus.copied)
        tallies, tally_of = _tallied(slot[corpus.step], cell_of, len(cell))
        held, held_of = _distinct(corpus.held_voice * labels + corpus.held_label)
        shown, combination = _combinations(corpus, held_of, len(held))
        during = np.flatnonzero(combination)
        stretches, stretch = _tallied(slot[during], combination[during], shown.shape[0])
        return cls(
            cell // 3 // labels,
            cell // 3 % labels,
            cell % 3,
            _sparse(corpus.weight, corpus.step, cell_of, (steps, len(cell))),
            tallies,
            _sparse(corpus.weight, tally_of, corpus.step, (len(tallies.of), steps)),
            held // labels,
            held % labels,
            shown,
            combination,
            stretches,
            stretch,
            _redrawn(corpus, slot),
        )


def _sparse(weights: Floats, row: Ints, column: Ints, shape: tuple[int, int]) -> csr_array:
    made = csr_array((weights, (row, column)), shape=shape)
    made.sum_duplicates()
    return made


def _tallied(slot: Ints, of: Ints, size: int) -> tuple[Tallies, Ints]:
    """Whatever is found in each slot, in order; and which of these each one is. ``of`` has values below ``size``."""
    found, where = _distinct(slot * size + of)
    return Tallies(found // max(size, 1), found % max(size, 1)), where


def _combinations(corpus: Corpus, cell: Ints, cells: int) -> tuple[csr_array, Ints]:
    """The distinct sets of displays in force together, and which of them acts in the gap before each step."""
    steps = len(corpus.day)
    combination = np.zeros(steps, np.int64)
    if not len(cell):
        return csr_array((1, cells)), combination
    # Nothing changes between the first and last steps of displays: one stretch stands for its gaps.
    turns = np.unique(np.concatenate([[0], corpus.held_from + 1, corpus.held_to + 1]))
    turns = turns[turns < steps]
    lo = np.searchsorted(turns, corpus.held_from + 1)
    length = np.searchsorted(turns, corpus.held_to + 1) - lo
    start = np.cumsum(length) - length
    stretch = np.arange(length.sum()) - np.repeat(start - lo, length)
    active = csr_array(
        (np.repeat(corpus.held_weight, length), (stretch, np.repeat(cell, length))), shape=(len(turns), cells)
    )
    active.sum_duplicates()
    # Alike are stretches with the same cells and weights: compared as rows padded with −1 to one width.
    count = np.diff(active.indptr)
    padded = np.full((len(turns), 2 * int(count.max(initial=0))), -1.0)
    row = np.repeat(np.arange(len(turns)), count)
    place = np.arange(active.nnz) - np.repeat(active.indptr[:-1], count)
    padded[row, 2 * place], padded[row, 2 * place + 1] = active.indices, active.data
    # The row of nothing but −1 sorts first: before the first display there always is such a stretch.
    _, chosen, number = np.unique(padded, axis=0, return_index=True, return_inverse=True)
    return active[chosen], np.repeat(number.reshape(-1), np.diff(np.append(turns, steps)))


def _redrawn(corpus: Corpus, slot: Ints) -> tuple[Ints, Ints, Floats]:
    """Where each voice redrew: a display begins on the step on which another one of its voice ended."""
    steps, labels = len(corpus.day), 1 + int(corpus.held_label.max(initial=0))
    shown = corpus.held_voice * labels + corpus.held_label
    ended = np.isin(corpus.held_voice * steps + corpus.held_from, corpus.held_voice * steps + corpus.held_to)
    ended &= ~np.isin(shown * steps + corpus.held_from, shown * steps + corpus.held_to)
    return slot[corpus.held_from[ended]], corpus.held_voice[ended], corpus.held_weight[ended]


def _distinct(keys: Ints) -> tuple[Ints, Ints]:
    """The distinct keys in order, and the position of each key among them; without sorting where that is dear."""
    top = int(keys.max(initial=-1)) + 1
    if top > 8 * len(keys) + 1024:
        found, where = np.unique(keys, return_inverse=True)
        return found, where.reshape(-1)
    present = np.zeros(top, np.bool_)
    present[keys] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]
