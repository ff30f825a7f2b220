"""What probably happened, given how voices are thought to speak: beliefs, and the counts that follow from them.

Where a voice may have copied an earlier utterance l₀,

    p(l | k) = ρ·1[l₀ implies l] + (1 − ρ)·C[k, l],

and the share of it that was copied, ρ·1[…]/p(l | k), says nothing of C. A display that stays up gives itself away
at the rate μ·(1 − C[k, l]) in state k, and is silently redrawn at μ·C[k, l]: with the expected time in each state
(``gaps``) that is as many utterances of l as it was redrawn.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from projections.learning.corpus import FRESH, IMPLIED, Corpus
from projections.learning.evidence import Floats, Ints
from projections.learning.gaps import Gaps
from projections.learning.model import Fit
from projections.learning.scan import Scan, gather, scan


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


class Counts(NamedTuple):
    """What is expected to have happened.

    ``labels`` (voices, K, L): own utterances. ``copies`` (voices, 2): repeats that were copied, and that were not.
    ``redrawn`` (voices,): redrawings of displays in ``exposure`` (voices,) units of time. ``opening`` (K,): spots
    by the state that they begin in.
    """

    labels: Floats
    copies: Floats
    redrawn: Floats
    exposure: Floats
    opening: Floats


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
        return scan(evidence, gaps.moves(rates, prior), smooth=smooth)
    if len(gaps.shown):
        evidence += gaps.quiet(rates)
    return gather(evidence, corpus.first, prior, smooth=smooth)


def count(corpus: Corpus, gaps: Gaps, reading: Reading, beliefs: Scan, voices: int, labels: int) -> Counts:
    """Count what the beliefs say happened."""
    cells = corpus.evidence
    spoken = cells.said_t @ beliefs.smoothed
    own = spoken * reading.fresh
    table = _tabled(cells.voice * labels + cells.label, own, voices * labels)
    repeats = cells.copied != FRESH
    voice = cells.voice[repeats]
    copies = np.zeros((voices, 2))
    copies[:, 0] = np.bincount(voice, (spoken - own)[repeats].sum(axis=1), voices)
    copies[:, 1] = np.bincount(voice, own[repeats].sum(axis=1), voices)
    redrawn: Floats = np.zeros(voices)
    exposure: Floats = np.zeros(voices)
    if len(gaps.shown):
        time = cells.shown.T @ _occupied(corpus, gaps, reading, beliefs)
        silent = time * reading.hidden
        table += _tabled(cells.held_voice * labels + cells.held_label, silent, voices * labels)
        redrawn += np.bincount(cells.held_voice, silent.sum(axis=1), voices)
        redrawn[: len(cells.redrawn)] += cells.redrawn
        exposure += np.bincount(cells.held_voice, time.sum(axis=1), voices)
    opening = beliefs.smoothed[corpus.first[:-1][np.diff(corpus.first) > 0]].sum(axis=0)
    counts = np.ascontiguousarray(table.reshape(voices, labels, table.shape[1]).transpose(0, 2, 1))
    return Counts(counts, copies, redrawn, exposure, opening)


def _occupied(corpus: Corpus, gaps: Gaps, reading: Reading, beliefs: Scan) -> Floats:
    """Expected time in each state while each combination of displays was in force, (combinations, K)."""
    after = gaps.shown
    if gaps.motion.static:
        time = beliefs.smoothed[after] * corpus.gap[after, None]
    else:
        time = gaps.occupied(reading.rates, beliefs.filtered[after - 1], beliefs.ahead[after])
    return _tabled(corpus.evidence.combination[after], time, len(reading.rates))


def _tabled(places: Ints, rows: Floats, size: int) -> Floats:
    """The sum of the rows that fall on each place, (size, K)."""
    return np.stack([np.bincount(places, column, size) for column in rows.T], axis=1).astype(np.float64)
