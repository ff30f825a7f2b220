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
    cells, size, slots = corpus.evidence, corpus.size, corpus.slots
    voices, _, labels = fit.logs.shape
    own = np.ascontiguousarray((cells.told @ beliefs.smoothed).T)
    spoken = own[:, cells.repeats]
    own[:, cells.repeats] *= reading.fresh[cells.tally[cells.repeats]].T
    fresh = own[:, cells.repeats]
    copying = cells.copies.sums(np.stack([reduce(np.add, spoken - fresh), reduce(np.add, fresh)]))

    stretch, held, weight = cells.during
    time = _occupied(corpus, gaps, reading, beliefs)[:, stretch] * weight
    silent = time * reading.hidden.T[:, held]
    said = cells.utterances.sums(np.concatenate([own, silent], axis=1))
    seen = np.stack([reduce(np.add, silent), reduce(np.add, time)])
    redrawn = np.stack([cells.redrawn.weight, np.zeros_like(cells.redrawn.weight)])
    displays = cells.displays.sums(np.concatenate([seen, redrawn], axis=1))

    table = np.zeros((voices, size, labels))
    voice, label = np.divmod(cells.utterances.things, cells.labels)
    for state, column in enumerate(said):
        table[voice, state, label] = column
    copies, shows = np.zeros((voices, 2)), np.zeros((2, voices))
    copies[cells.copies.things] = copying.T
    shows[:, cells.displays.things] = displays
    starts = corpus.slot[corpus.spot[corpus.opening]]
    opening = [added(_by_slot(starts, column, slots)) for column in beliefs.smoothed[corpus.opening].T]
    drawn = cells.redrawn.weight * np.log(fit.refresh[cells.redrawn.voice])
    loglik = _by_slot(corpus.slot[corpus.spot], beliefs.log_scale, slots)
    loglik += _by_slot(cells.redrawn.slot, drawn, slots)
    return Counts(table, copies, shows[0], shows[1], np.array(opening), added(loglik))


def _occupied(corpus: Corpus, gaps: Gaps, reading: Reading, beliefs: Scan) -> Floats:
    """Expected time in each state during each stretch, (K, stretches)."""
    after, cells = gaps.shown, corpus.evidence
    if not len(after):
        return np.zeros((corpus.size, 0))
    if gaps.motion.static:
        time = beliefs.smoothed[after] * corpus.gap[after, None]
    else:
        time = gaps.occupied(reading.rates, beliefs.filtered[after - 1], beliefs.ahead[after])
    return np.stack([np.bincount(cells.stretch, column, cells.stretches) for column in time.T])


def _by_slot(slot: Ints, numbers: Floats, slots: int) -> Floats:
    return np.bincount(slot, numbers, slots).astype(np.float64)
