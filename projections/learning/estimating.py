"""From what was heard to an estimate: how each source speaks, as far as that tells.

Groups are the relations of sources to the parties, once for what is said and once for what is shown; their
expected rows are those of the parameter table, written for "own side" and "other side", so that swapping the
parties mirrors everything that is learnt.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from projections.belief.labels import NOTHING, Label, States
from projections.belief.motion import generator
from projections.belief.params import Params
from projections.belief.voices import Estimate, Numbers, assumed
from projections.learning.calibration import tempered
from projections.learning.em import learn
from projections.learning.evidence import Ints
from projections.learning.expectation import Counts
from projections.learning.model import Fit, Model
from projections.learning.notes import Heard, Lesson, Voice
from projections.learning.transcript import coarse_label

#: Learnt logs are kept to so many decimals, which two machines agree on.
_DECIMALS = 6


class Counters(Protocol):
    """Who counts all that was heard, wherever it lies (``lessons.Class``)."""

    def expect(self, lesson: Lesson, fit: Fit) -> Counts:
        """What is expected to have happened under a fit."""

    def surprise(self, lesson: Lesson, fit: Fit, temperature: float) -> float:
        """How surprising the rulings are under a temperature, in nats."""


class Taught(NamedTuple):
    """What the last estimate of a question leaves to the next: voices in order, and what was learnt of them."""

    voices: tuple[Voice, ...] = ()
    fit: Fit | None = None


def estimate(
    counters: Counters,
    heard: Heard,
    question: str,
    relation_of: Callable[[str], int | None],
    states: States,
    params: Params,
    known: int,
    position: int,
    before: Taught,
) -> tuple[Estimate, Taught]:
    """What all that was ``heard`` before ``known`` teaches, going on from what was learnt ``before``.

    Voices are numbered in the order of their ids behind those known before: by nothing that hangs on who counts.
    """
    voices = before.voices + tuple(sorted(heard.voices.difference(before.voices)))
    groups = len(states.parties) + 1
    relations = [relation_of(source) for source, _ in voices]
    shows = np.array([shown for _, shown in voices], np.int64)
    group = np.array([0 if one is None else one + 1 for one in relations], np.int64) + groups * shows
    lesson = Lesson(question, known, voices, model_of(states, params, group))
    learnt = learn(
        partial(counters.expect, lesson), lesson.model, heard.spots, before.fit, params.learning_rounds
    )
    surprise = partial(counters.surprise, lesson, learnt) if heard.rulings else None
    learnt = tempered(lesson.model, learnt, surprise)
    logs = np.concatenate([learnt.group_logs, learnt.logs])
    copies = np.concatenate([learnt.group_copy, learnt.copy_rate])
    looks_again = np.concatenate([np.full(2 * groups, params.standing_rate), learnt.refresh])
    made = Estimate(
        known=known,
        position=position,
        heard=heard.utterances,
        logs=np.round(_filled(logs, states), _DECIMALS),
        rates=np.round(np.stack([copies, looks_again], axis=1), _DECIMALS),
        spoken={source: 2 * groups + n for n, (source, shown) in enumerate(voices) if not shown},
        shown={source: 2 * groups + n for n, (source, shown) in enumerate(voices) if shown},
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
