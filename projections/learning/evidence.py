"""A corpus in the form that every iteration needs: sparse matrices over what can be looked up once.

Observations that weigh alike under whatever is learnt (same voice, label and kind of repeat) are one *cell*, so a
table of one row for each cell speaks for all of them: its product with a sparse matrix is the evidence on every
step, and the product of a transposed matrix with the beliefs is what is counted for every cell. Displays
likewise: those in force together are one *combination*, which acts on every gap in which they are.

What is looked up is shared by all slots, what is counted is counted slot by slot: every cell has a *tally* in every
slot where it speaks, every combination a *stretch* in every slot where it acts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from projections.learning.slots import Tree, distinct

if TYPE_CHECKING:
    from projections.learning.corpus import Corpus

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


class During(NamedTuple):
    """Every display in force in every stretch: which stretch, which display cell, and the summed weight."""

    stretch: Ints
    held: Ints
    weight: Floats


class Redrawn(NamedTuple):
    """Displays drawn in place of another of their voice."""

    slot: Ints
    voice: Ints
    weight: Floats


class Evidence(NamedTuple):
    """Cells and where they speak; see the module. Rows of ``said`` are steps, of ``shown`` combinations."""

    labels: int  # how many are told apart here
    voice: Ints  # (cells,)
    label: Ints  # (cells,)
    copied: Ints  # (cells,)
    said: csr_array  # (steps, cells): summed weights of the observations
    tally: Ints  # (tallies,): the cell of each
    told: csr_array  # (tallies, steps): the same weights
    held_voice: Ints  # (display cells,)
    held_label: Ints
    shown: csr_array  # (combinations, display cells): summed weights of the displays in force together
    combination: Ints  # (steps,): what is in force in the gap before a step; 0 is nothing
    stretches: int  # how many
    stretch: Ints  # (steps in whose gap something is in force,)
    during: During
    redrawn: Redrawn
    utterances: Tree  # of tallies and what is in force during stretches, by voice · labels + label
    repeats: Ints  # (n,): the tallies of repeats
    copies: Tree  # of these, by voice
    displays: Tree  # of what is in force during stretches and of what was redrawn, by voice

    @classmethod
    def of(cls, corpus: Corpus) -> Evidence:
        steps = len(corpus.day)
        slots, slot = corpus.slots, corpus.slot[corpus.spot]
        labels = 1 + max(corpus.label.max(initial=0), corpus.held_label.max(initial=0))
        voices = 1 + max(corpus.voice.max(initial=0), corpus.held_voice.max(initial=0))
        cell, cell_of = distinct((corpus.voice * labels + corpus.label) * 3 + corpus.copied)
        tallies, tally_of = distinct(slot[corpus.step] * len(cell) + cell_of)
        held, held_of = distinct(corpus.held_voice * labels + corpus.held_label)
        shown, combination = _combinations(corpus, held_of, len(held))
        acts = np.flatnonzero(combination)
        stretches, stretch = distinct(slot[acts] * shown.shape[0] + combination[acts])
        inside = shown[stretches % shown.shape[0]]
        which = np.repeat(np.arange(len(stretches)), np.diff(inside.indptr))
        redrawn = _redrawn(corpus, slot)
        tally_slot, tally = np.divmod(tallies, max(len(cell), 1))
        held_slot = (stretches // shown.shape[0])[which]
        repeats = np.flatnonzero(cell[tally] % 3 != 0)
        utterances = np.concatenate([cell[tally] // 3, held[inside.indices]])
        redrawing = np.concatenate([held[inside.indices] // labels, redrawn.voice])
        return cls(
            labels,
            cell // 3 // labels,
            cell // 3 % labels,
            cell % 3,
            _sparse(corpus.weight, corpus.step, cell_of, (steps, len(cell))),
            tally,
            _sparse(corpus.weight, tally_of, corpus.step, (len(tallies), steps)),
            held // labels,
            held % labels,
            shown,
            combination,
            len(stretches),
            stretch,
            During(which, inside.indices, inside.data),
            redrawn,
            Tree.of(np.concatenate([tally_slot, held_slot]), utterances, slots, voices * labels),
            repeats,
            Tree.of(tally_slot[repeats], cell[tally[repeats]] // 3 // labels, slots, voices),
            Tree.of(np.concatenate([held_slot, redrawn.slot]), redrawing, slots, voices),
        )


def _sparse(weights: Floats, row: Ints, column: Ints, shape: tuple[int, int]) -> csr_array:
    made = csr_array((weights, (row, column)), shape=shape)
    made.sum_duplicates()
    return made


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


def _redrawn(corpus: Corpus, slot: Ints) -> Redrawn:
    """Where each voice redrew: a display begins on the step on which another one of its voice ended."""
    steps, labels = len(corpus.day), 1 + int(corpus.held_label.max(initial=0))
    shown = corpus.held_voice * labels + corpus.held_label
    ended = np.isin(corpus.held_voice * steps + corpus.held_from, corpus.held_voice * steps + corpus.held_to)
    ended &= ~np.isin(shown * steps + corpus.held_from, shown * steps + corpus.held_to)
    return Redrawn(slot[corpus.held_from[ended]], corpus.held_voice[ended], corpus.held_weight[ended])
