"""A logic's parameters as the tables of numbers that the kernel reads, for one question of one directory."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ledger.directory import Directory
from projections.belief.assembly import RULING_RATE
from projections.belief.labels import NOTHING, States, ruled, ruled_out
from projections.belief.motion import Motion, motion
from projections.belief.params import Params
from projections.belief.voices import Estimate, assumed
from projections.case import states_of
from projections.columns.motion import new_motions
from projections.columns.shapes import (
    N_LINKS_FROM,
    N_LINKS_TO,
    N_RELATION,
    N_SHOWS,
    N_SPEAKS,
    N_STATE,
    Asked,
    Motions,
)
from projections.envelopes.reading import Codes


@dataclass(slots=True)
class Question:
    """One question's tables as the kernel takes them. ``names``: how many names they know; ``estimate``: what they
    were made of beside the parameters, kept since it is known by its identity."""

    asked: Any
    motions: Any
    size: int
    names: int
    estimate: Estimate | None


class Tables:
    """The tables of a directory's questions, made once for all that is judged by it."""

    def __init__(self, directory: Directory, codes: Codes) -> None:
        self.directory, self.codes = directory, codes
        self._questions: dict[Hashable, Question] = {}
        self._motions: dict[Hashable, Any] = {}
        self._rank = np.empty(0, np.int64)
        self._known: dict[Params, bool] = {}

    def known_to_the_kernel(self, params: Params) -> bool:
        """Whether the states of every question move as the kernel knows it."""
        if params not in self._known:
            asked = (states_of(self.directory, question) for question in self.directory.questions)
            self._known[params] = all(motions(states, params) is not None for states in asked)
        return self._known[params]

    def question(self, name: str, params: Params, kernel: Any, estimate: Estimate | None = None) -> Question:
        """The tables of a question under some parameters, as sources are heard by an estimate; made again where
        names were added since."""
        key = name, params, kernel.compiled, None if estimate is None else id(estimate)
        found = self._questions.get(key)
        if found is None or found.names != len(self.codes.names):
            found = self._questions[key] = self._made(name, params, kernel, estimate)
        return found

    def _made(self, name: str, params: Params, kernel: Any, estimate: Estimate | None) -> Question:
        states = states_of(self.directory, name)
        tables = asked(states, params, self.directory, self.codes, estimate)
        moved = self._moved(states, params, kernel)
        return Question(kernel.structs.Asked(*tables), moved, len(states), len(self.codes.names), estimate)

    def _moved(self, states: States, params: Params, kernel: Any) -> Any:
        """The motion of some states: shared by all ways of hearing the sources."""
        key = states, params, kernel.compiled
        if key not in self._motions:
            moved = motions(states, params)
            assert moved is not None
            self._motions[key] = kernel.structs.Motions(*moved)
            if not moved.slots[-1]:
                kernel.combination(self._motions[key], np.zeros(len(states), np.int64))
        return self._motions[key]

    def rank(self) -> Any:
        """By code: where a place stands among all places, in order of their ids; 0 for other names."""
        if len(self._rank) != len(self.codes.names):
            places = {one: n for n, one in enumerate(sorted(self.directory.places))}
            self._rank = np.array([places.get(name, 0) for name in self.codes.names], np.int64)
        return self._rank


def asked(
    states: States, params: Params, directory: Directory, codes: Codes, estimate: Estimate | None = None
) -> Asked:
    """The tables of one question. ``codes`` must know every name of the directory and of the pieces already."""
    size, parties = len(states), len(states.parties)
    labels = states.labels()
    heard, missed, voices = _voices(states, params, estimate)
    many = len(heard)
    rulings = np.zeros((3, len(labels) + 1, size))
    for n, true in enumerate((True, False)):
        rulings[n, :-1] = [_verdict(states, label, true, params) for label in labels]
    rulings[2, :size] = [ruled(states, state, params) for state in range(size)]
    names = np.full((len(codes.names) + 1, 6), -1, np.int64)
    for index, name in enumerate(states.names):
        names[codes[name], N_STATE] = index
    tables = estimate.table_of if estimate else _of_its_group
    names[:, N_SPEAKS], names[:, N_SHOWS] = _of_its_group("", None, parties)
    for source in directory.sources.values():
        relation = states.parties.index(source.side) if source.side in states.parties else None
        code = codes[source.id]
        names[code, N_RELATION] = -1 if relation is None else relation
        names[code, N_SPEAKS], names[code, N_SHOWS] = tables(source.id, relation, parties)
    names[:, N_LINKS_FROM], names[:, N_LINKS_TO], links = links_of(directory, codes)
    sizes = (size, parties, len(labels), params.copy_window, params.imprecise_points, many)
    rates = (params.doubt_exponent, params.doubted_evidence, params.throughout_rate, RULING_RATE)
    numbers = np.concatenate([heard, rulings])
    missed = np.concatenate([missed, -np.expm1(rulings)])
    return Asked(np.array(sizes, np.int64), np.array(rates), numbers, missed, voices, names, links)


def _of_its_group(_: str, relation: int | None, parties: int) -> tuple[int, int]:
    """The tables of a source of which nothing was learnt."""
    group = 0 if relation is None else relation + 1
    return group, parties + 1 + group


def _voices(states: States, params: Params, estimate: Estimate | None) -> tuple[Any, Any, Any]:
    """What voices say, what else they might have said, and their rates: as learnt, else as assumed of groups."""
    if estimate is not None:
        return *estimate.heard_as, estimate.rates
    labels, relations = states.labels(), (None, *range(len(states.parties)))
    numbers = np.zeros((2 * len(relations), len(labels) + 1, len(states)))
    for n, relation in enumerate(relations):
        voice = assumed(states, relation, params)
        numbers[n, :-1] = [voice.spoken[label] for label in labels]
        numbers[len(relations) + n] = [voice.shown[label] for label in (*labels, NOTHING)]
    rates = np.tile((params.copy_rate, params.standing_rate), (len(numbers), 1))
    return numbers, -np.expm1(numbers), rates


def _verdict(states: States, label: Any, true: bool, params: Params) -> Any:
    """What a ruling on a claim with this label says: ``Assembly``'s rule."""
    if label.kind == "part":
        some = ruled(states, label.state, params)
        some[-1] = some[label.state]
        none = np.where(some == some[label.state], ruled_out(states, 0, params)[0], 0.0)
        return some if true else none
    if (label.kind == "is") == true:
        return ruled(states, label.state, params)
    return ruled_out(states, label.state, params)


def links_of(directory: Directory, codes: Codes) -> tuple[Any, Any, Any]:
    """By source code: where the list of those ever linked with it begins and ends, in order of their ids; and
    the lists."""
    lists: dict[int, list[int]] = {}
    for link in directory.links:
        for member in link.sources:
            source = directory.source_id(member)
            voice = sorted(directory.linked(source) - {source})
            lists[codes[source]] = [codes[one] for one in voice]
    counts = np.zeros(len(codes.names) + 1, np.int64)
    for code, found in lists.items():
        counts[code] = len(found)
    ends = np.cumsum(counts)
    flat = [one for code in sorted(lists) for one in lists[code]]
    return ends - counts, ends, np.array(flat, np.int64)


@lru_cache(maxsize=16)
def motions(states: States, params: Params) -> Motions | None:
    """The motion of a question's states; None where it is not one that the kernel knows (nothing ever moves, or
    there is no detailed balance)."""
    found: Motion = motion(states, params)
    if found.static or not found.reversible:
        return None
    return new_motions(found.generator, found.weights)
