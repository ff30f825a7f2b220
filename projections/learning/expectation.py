"""What probably happened, given how voices are thought to speak: beliefs, and the counts that follow from them.

Where a voice may have copied an earlier utterance l₀,

    p(l | k) = ρ·1[l₀ implies l] + (1 − ρ)·C[k, l],

and the share of it that was copied, ρ·1[…]/p(l | k), says nothing of C. A display that stays up gives itself away
at the rate μ·(1 − C[k, l]) in state k, and is silently redrawn at μ·C[k, l]: with the expected time in each state
(``gaps``) that is as many utterances of l as it was redrawn.

Counts are sums over slots (``slots``), each of which hangs on its own spots alone and on the order in which voices
are numbered.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from projections.learning.corpus import FRESH, IMPLIED, Corpus
from projections.learning.evidence import Floats, Ints
from projections.learning.gaps import Gaps
from projections.learning.model import Fit
from projections.learning.scan import Scan, gather, scan
from projections.learning.slots import added


class Reading(NamedTuple):
    """How cells of ``Evidence`` weigh under what is known; K states.

    ``said`` (cells, K): ln p(label | state). ``fresh`` (cells, K): how likely the utterance was its speaker's own.
    ``hidden`` (display cells, K): rates of silent redrawing. ``rates`` (combinations, K): rates at which displays
    in force together give themselves away.
    """

    said: Floats
    fresh: Floats
    hidden: Floats
    rates: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """What is expected to have happened. Counts of different spots add up.

    ``labels`` (voices, K, L): own utterances. ``copies`` (voices, 2): repeats that were copied, and that were not.
    ``redrawn`` (voices,): redrawings of displays in ``exposure`` (voices,) units of time. ``opening`` (K,): spots
    by the state that they begin in. ``loglik``: how likely all that was said is.
    """

    labels: Floats
    copies: Floats
    redrawn: Floats
    exposure: Floats
    opening: Floats
    loglik: float

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.labels + other.labels,
            self.copies + other.copies,
            self.redrawn + other.redrawn,
            self.exposure + other.exposure,
            self.opening + other.opening,
            self.loglik + other.loglik,
        )


def read(corpus: Corpus, fit: Fit) -> Reading:
    """Weigh every cell once; what speaks a million times is looked up in a table."""
    cells = corpus.evidence
    said = fit.logs[cells.voice, :, cells.label]
    fresh = np.ones_like(said)
    repeats = np.flatnonzero(cells.copied != FRESH)
    if len(repeats):
        copied, own = fit.copy_logs[cells.voice[repeats]].T[:, :, None]
        own = own + said[repeats]
        implied = (cells.copied[repeats] == IMPLIED)[:, None]
        whole = np.where(implied, np.logaddexp(copied, own), own)
        said[repeats], fresh[repeats] = whole, np.exp(own - whole)
    rate = fit.refresh[cells.held_voice, None]
    hidden = rate * np.exp(fit.logs[cells.held_voice, :, cells.held_label])
    return Reading(said, fresh, hidden, cells.shown @ np.maximum(rate - hidden, 0.0))


def believe(
    corpus: Corpus, gaps: Gaps, reading: Reading, prior: Floats, power: float = 1.0, *, smooth: bool = True
) -> Scan:
    """Beliefs on every step; ``prior`` (K,) on a spot's first. Observations and displays count to the ``power``."""
    evidence = corpus.evidence.said @ (reading.said * power) + corpus.fixed
    rates = reading.rates * power
    if not gaps.motion.static:
        return scan(evidence, gaps.moves(rates, prior), gaps.cut, smooth=smooth)
    if len(gaps.shown):
        evidence += gaps.quiet(rates)
    return gather(evidence, corpus.first, prior, smooth=smooth)


def expect(corpus: Corpus, gaps: Gaps, fit: Fit) -> Counts:
    """Read a corpus under what is known, and count; ``fit`` knows every voice in it."""
    reading = read(corpus, fit)
    return count(corpus, gaps, reading, believe(corpus, gaps, reading, np.exp(fit.prior_logs)), fit)


def count(corpus: Corpus, gaps: Gaps, reading: Reading, beliefs: Scan, fit: Fit) -> Counts:
    """Count what the beliefs say happened: slot by slot, and these added up."""
    cells, size = corpus.evidence, corpus.size
    voices, _, labels = fit.logs.shape
    spoken = cells.told @ beliefs.smoothed
    own = spoken * reading.fresh[cells.tallies.of]
    table = _tabled(corpus, cells.tallies.places(voices * labels, cells.voice * labels + cells.label),
                    own, voices * labels)  # fmt: skip
    repeats = (cells.copied != FRESH)[cells.tallies.of]
    copying = np.stack([_across((spoken - own)[repeats]), _across(own[repeats])], axis=1)
    copies = _tabled(corpus, cells.tallies.places(voices, cells.voice)[repeats], copying, voices)
    redrawn, exposure = np.zeros((2, corpus.slots, voices))
    drawn = np.zeros(corpus.slots)
    if len(gaps.shown):
        which, held, weight = _expanded(cells.shown[cells.stretches.of])
        time = _occupied(corpus, gaps, reading, beliefs)[which] * weight[:, None]
        silent = time * reading.hidden[held]
        slot, voice = cells.stretches.slot[which], cells.held_voice[held]
        table += _tabled(
            corpus, (slot * voices + voice) * labels + cells.held_label[held], silent, voices * labels
        )
        both = np.stack([_across(silent), _across(time)], axis=1)
        redrawn, exposure = np.moveaxis(_tabled(corpus, slot * voices + voice, both, voices), 2, 0)
        slot, voice, weight = cells.redrawn
        redrawn = redrawn + np.bincount(slot * voices + voice, weight, redrawn.size).reshape(redrawn.shape)
        drawn = np.bincount(slot, weight * np.log(fit.refresh[voice]), corpus.slots)
    spots = corpus.slot[corpus.spot[corpus.opening]]
    opening = _tabled(corpus, spots, beliefs.smoothed[corpus.opening], 1)
    loglik = np.bincount(corpus.slot[corpus.spot], beliefs.log_scale, corpus.slots) + drawn
    counts = added(table).reshape(voices, labels, size).transpose(0, 2, 1)
    return Counts(
        np.ascontiguousarray(counts),
        added(copies),
        added(redrawn),
        added(exposure),
        added(opening)[0],
        float(added(loglik)),
    )


def _occupied(corpus: Corpus, gaps: Gaps, reading: Reading, beliefs: Scan) -> Floats:
    """Expected time in each state during each stretch, (stretches, K)."""
    after = gaps.shown
    if gaps.motion.static:
        time = beliefs.smoothed[after] * corpus.gap[after, None]
    else:
        time = gaps.occupied(reading.rates, beliefs.filtered[after - 1], beliefs.ahead[after])
    cells = corpus.evidence
    return _summed(cells.stretch, time, len(cells.stretches.of))


def _expanded(rows: csr_array) -> tuple[Ints, Ints, Floats]:
    """Row, column and value of everything in a sparse matrix, row by row."""
    return np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr)), rows.indices, rows.data


def _tabled(corpus: Corpus, places: Ints, rows: Floats, size: int) -> Floats:
    """The sum of the rows that fall on each place, (slots, size, columns)."""
    return _summed(places, rows, corpus.slots * size).reshape(corpus.slots, size, -1)


def _summed(places: Ints, rows: Floats, size: int) -> Floats:
    """The sum of the rows that fall on each place, one after the other: (size, columns)."""
    return np.stack([np.bincount(places, column, size) for column in rows.T], axis=1).astype(np.float64)


def _across(rows: Floats) -> Floats:
    return np.asarray(reduce(np.add, rows.T))
