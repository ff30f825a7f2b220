"""From a transcript to an estimate: how each source speaks, as far as what was heard tells.

Groups are the relations of sources to the parties, once for what is said and once for what is shown; their
expected rows are those of the parameter table, written for "own side" and "other side", so that swapping the
parties mirrors everything that is learnt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from projections.belief.labels import NOTHING, Label, States
from projections.belief.motion import generator
from projections.belief.params import Params
from projections.belief.voices import Estimate, Numbers, assumed
from projections.learning.calibration import calibrated
from projections.learning.em import fit
from projections.learning.evidence import Ints
from projections.learning.model import Fit, Model
from projections.learning.transcript import Transcript, coarse_label

#: Learnt logs are kept to so many decimals, which two machines agree on.
_DECIMALS = 6


class Taught(NamedTuple):
    """What the last estimate of a question leaves to the next: voices by number, and what was learnt of them."""

    voices: Ints = np.zeros(0, np.int64)
    fit: Fit | None = None


def estimate(
    transcript: Transcript,
    name_of: Sequence[str],
    relation_of: Callable[[str], int | None],
    states: States,
    params: Params,
    known: int,
    position: int,
    before: Taught,
) -> tuple[Estimate, Taught]:
    """What a transcript of all that was known before ``known`` teaches, going on from what was learnt ``before``.
    ``name_of`` tells a source by its code."""
    neutral = assumed(states, None, params)
    coarse = coarse_label(states)
    heard = neutral.spoken[states.labels()[coarse]] if coarse >= 0 else np.zeros(len(states))
    looks = np.array([params.throughout_rate / max(params.standing_rate, 1e-9), 1.0])
    corpus, voices = transcript.corpus(states, heard, looks, before.voices)
    sources = [name_of[voice // 2] for voice in voices.tolist()]
    shows = (voices % 2).astype(bool)
    groups = len(states.parties) + 1
    relations = [relation_of(source) for source in sources]
    group = np.array([0 if one is None else one + 1 for one in relations], np.int64) + groups * shows
    model = model_of(states, params, group)
    learnt = calibrated(corpus, model, fit(corpus, model, before.fit, params.learning_rounds))
    logs = np.concatenate([learnt.group_logs, learnt.logs])
    copies = np.concatenate([learnt.group_copy, learnt.copy_rate])
    looks_again = np.concatenate([np.full(2 * groups, params.standing_rate), learnt.refresh])
    tables = [
        (source, shown, 2 * groups + n) for n, (source, shown) in enumerate(zip(sources, shows, strict=True))
    ]
    made = Estimate(
        known=known,
        position=position,
        heard=len(corpus.step),
        logs=np.round(_filled(logs, states), _DECIMALS),
        rates=np.round(np.stack([copies, looks_again], axis=1), _DECIMALS),
        spoken={source: n for source, shown, n in tables if not shown},
        shown={source: n for source, shown, n in tables if shown},
        temperature=round(learnt.temperature, _DECIMALS),
    )
    return made, Taught(voices, learnt)


def model_of(states: States, params: Params, group: Ints) -> Model:
    """The assumptions of the parameter table as the learning engine takes them; ``group`` is by voice."""
    size = len(states)
    return Model(
        rows=_expected(states, params),
        group=group,
        generator=generator(states, params),
        prior=np.full(size, 1 / size),
        strength=params.source_strength,
        group_strength=params.group_strength,
        copy_prior=(params.copy_rate * params.copy_strength, (1 - params.copy_rate) * params.copy_strength),
        copy_group_strength=params.copy_group_strength,
        refresh_prior=(params.standing_rate, params.standing_strength),
        temperature_prior=(params.temperature, params.temperature_worth),
    )


def _expected(states: States, params: Params) -> Numbers:
    """What the voices of each group are expected to say or show: (groups, states, labels + 1), rows sum to 1."""
    labels = (*states.labels(), NOTHING)
    relations = (None, *range(len(states.parties)))
    voices = [assumed(states, relation, params) for relation in relations]
    tables = [voice.spoken for voice in voices] + [voice.shown for voice in voices]
    never = np.full(len(states), -np.inf)
    rows = np.exp([[table.get(label, never) for label in labels] for table in tables])
    left_out = [
        n for n, label in enumerate(labels) if n == coarse_label(states) or not _utterable(label, states)
    ]
    rows[:, left_out] = 0.0
    rows /= rows.sum(axis=1, keepdims=True)
    return np.asarray(rows.transpose(0, 2, 1))


def _utterable(label: Label, states: States) -> bool:
    """Whether anybody could say it: where there is one state, nobody denies it."""
    return label.kind != "not" or len(states) > 1


def _filled(logs: Numbers, states: States) -> Numbers:
    """Tables by label, (tables, labels + 1, states): "not contested" is whatever names a party, and what nobody
    says tells nothing."""
    tables = logs.transpose(0, 2, 1).copy()
    coarse = coarse_label(states)
    if coarse >= 0:
        tables[:, coarse] = np.logaddexp.reduce(tables[:, : len(states.parties)], axis=1)
    tables[~np.isfinite(tables)] = 0.0
    return np.asarray(tables)
