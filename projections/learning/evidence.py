"""A corpus in the form that every iteration needs: sparse matrices over what can be looked up once.

Observations that weigh alike under whatever is learnt (same voice, label and kind of repeat) are one *cell*, so a
table of one row for each cell speaks for all of them: its product with a sparse matrix is the evidence on every
step, and the product of the transposed matrix with the beliefs is what is counted for every cell. Displays
likewise: those in force together are one *combination*, which acts on every gap in which they are.
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


class Evidence(NamedTuple):
    """Cells and where they speak; see the module. Rows of ``said`` are steps, of ``shown`` combinations."""

    voice: Ints  # (cells,)
    label: Ints  # (cells,)
    copied: Ints  # (cells,)
    said: csr_array  # (steps, cells): summed weights of the observations
    said_t: csr_array
    held_voice: Ints  # (display cells,)
    held_label: Ints
    shown: csr_array  # (combinations, display cells): summed weights of the displays in force together
    combination: Ints  # (steps,): what is in force in the gap before a step; 0 is nothing
    redrawn: Floats  # (voices,): weights of the displays drawn in place of another label by the same voice

    @classmethod
    def of(cls, corpus: Corpus) -> Evidence:
        steps = len(corpus.day)
        labels = 1 + max(corpus.label.max(initial=0), corpus.held_label.max(initial=0))
        cell, cell_of = _distinct((corpus.voice * labels + corpus.label) * 3 + corpus.copied)
        said = csr_array((corpus.weight, (corpus.step, cell_of)), shape=(steps, len(cell)))
        said.sum_duplicates()
        held, held_of = _distinct(corpus.held_voice * labels + corpus.held_label)
        shown, combination = _combinations(corpus, held_of, len(held))
        return cls(
            cell // 3 // labels,
            cell // 3 % labels,
            cell % 3,
            said,
            said.T.tocsr(),
            held // labels,
            held % labels,
            shown,
            combination,
            _redrawn(corpus),
        )


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


def _redrawn(corpus: Corpus) -> Floats:
    """How often each voice redrew: a display begins on the step on which another one of its voice ended."""
    voices = 1 + int(corpus.held_voice.max(initial=-1))
    steps, labels = len(corpus.day), 1 + int(corpus.held_label.max(initial=0))
    shown = corpus.held_voice * labels + corpus.held_label
    ended = np.isin(corpus.held_voice * steps + corpus.held_from, corpus.held_voice * steps + corpus.held_to)
    ended &= ~np.isin(shown * steps + corpus.held_from, shown * steps + corpus.held_to)
    return np.bincount(corpus.held_voice[ended], corpus.held_weight[ended], voices).astype(np.float64)


def _distinct(keys: Ints) -> tuple[Ints, Ints]:
    """The distinct keys in order, and the position of each key among them; without sorting where that is dear."""
    top = int(keys.max(initial=-1)) + 1
    if top > 8 * len(keys) + 1024:
        found, where = np.unique(keys, return_inverse=True)
        return found, where.reshape(-1)
    present = np.zeros(top, np.bool_)
    present[keys] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]
