"""What is known of some slots, by whoever counts for them: transcripts, and what is counted in them.

Learning asks only the questions below, and each of them for all slots at once; what they come to adds up (``slots``).
What goes down is a ``Lesson`` and a ``Fit``, what comes up is as large as a fit: transcripts stay where they are.
Everything here can be pickled.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from projections.belief.labels import States
from projections.belief.params import Params
from projections.belief.voices import assumed
from projections.learning.calibration import Ruled
from projections.learning.corpus import Corpus
from projections.learning.evidence import Ints
from projections.learning.expectation import Counts, expect
from projections.learning.gaps import Gaps
from projections.learning.model import Fit, Model
from projections.learning.slots import SLOTS, Part, aligned
from projections.learning.transcript import Bare, Rows, Sheet, Transcript, coarse_label

Voice = tuple[str, bool]
"""A source by its id, and whether it speaks by what it shows."""

#: Numbers counted at a time, and steps believed: some hundred megabytes while it lasts. Sums are the same however
#: many there are.
_COUNTS, _STEPS = 4_000_000, 1_000_000


class Lesson(NamedTuple):
    """What an estimate is made of: what was heard of a question before a moment. ``voices`` are numbered as in the
    model."""

    question: str
    moment: int
    voices: tuple[Voice, ...]
    model: Model


@dataclass(frozen=True, slots=True)
class Heard:
    """Who speaks in transcripts, at how many spots, how often, and on how many rulings. Adds up."""

    voices: frozenset[Voice] = frozenset()
    spots: int = 0
    utterances: int = 0
    rulings: int = 0

    def __add__(self, other: Heard) -> Heard:
        return Heard(
            self.voices | other.voices,
            self.spots + other.spots,
            self.utterances + other.utterances,
            self.rulings + other.rulings,
        )


class _Range(NamedTuple):
    """Slots that are counted together."""

    first: int
    corpus: Corpus
    gaps: Gaps
    ruled: Ruled


@dataclass(slots=True)
class Notes:
    """Transcripts of the spots in some ``slots``. ``names``: what the rows' voices are called, by code. ``states`` by
    question."""

    states: Mapping[str, States]
    params: Params
    names: list[str] = field(default_factory=list)
    slots: Collection[int] = range(SLOTS)
    _kept: dict[tuple[str, int], Transcript] = field(default_factory=dict)
    _open: tuple[Lesson, list[_Range]] | None = None

    def write(self, question: str, moment: int, slot: int, place: str, rows: Rows) -> None:
        """Keep what was heard at a spot before a moment."""
        self._kept.setdefault((question, moment), Transcript()).add(slot, place, rows)

    def heard(self, question: str, moment: int) -> list[Part[Heard]]:
        """Who spoke before a moment."""
        return [
            Part(first, many, self._heard(self._sheet(question, moment, first, many)))
            for first, many in aligned(self.slots)
        ]

    def expect(self, lesson: Lesson, fit: Fit) -> list[Part[Counts]]:
        """What is expected to have happened under a fit."""
        return [
            Part(one.first, one.corpus.slots, expect(one.corpus, one.gaps, fit)) for one in self._at(lesson)
        ]

    def surprise(self, lesson: Lesson, fit: Fit, temperature: float) -> list[Part[float]]:
        """How surprising rulings are under a temperature, in nats."""
        return [
            Part(one.first, one.corpus.slots, one.ruled.surprise(lesson.model, fit, temperature))
            for one in self._at(lesson)
        ]

    def forget(self, question: str, moment: int) -> None:
        """What was learnt from is needed no more."""
        self._kept.pop((question, moment), None)
        self._open = None

    def _sheet(self, question: str, moment: int, first: int, many: int) -> Sheet:
        transcript = self._kept.get((question, moment), Transcript())
        return transcript.sheet(self.states[question], first, many)

    def _heard(self, sheet: Sheet) -> Heard:
        voices = frozenset((self.names[one // 2], bool(one % 2)) for one in sheet.voices().tolist())
        return Heard(voices, len(sheet.slot), sheet.heard, sheet.rulings)

    def _at(self, lesson: Lesson) -> list[_Range]:
        """The corpora of a lesson, made when it begins."""
        if self._open is None or self._open[0][:2] != lesson[:2]:
            self._open = None
            self._open = lesson, self._corpora(lesson)
        return self._open[1]

    def _corpora(self, lesson: Lesson) -> list[_Range]:
        question, moment, voices, model = lesson
        code = {name: n for n, name in enumerate(self.names)}
        number = np.full(2 * len(self.names), -1)
        for n, (source, shows) in enumerate(voices):
            if source in code:
                number[2 * code[source] + shows] = n
        bare = bare_of(self.states[question], self.params)
        size = model.rows.size // len(model.rows) * len(voices)
        steps = self._steps(question, moment)

        def fits(first: int, many: int) -> bool:
            return many * size <= _COUNTS and steps[first : first + many].sum() <= _STEPS

        found = []
        for first, many in aligned(self.slots, fits):
            corpus = self._sheet(question, moment, first, many).corpus(number, bare)
            model.check(corpus)
            found.append(_Range(first, corpus, Gaps.of(corpus, model.motion), Ruled.of(corpus, model)))
        return found

    def _steps(self, question: str, moment: int) -> Ints:
        """How many steps each slot has at most."""
        steps = np.zeros(SLOTS, np.int64)
        transcript = self._kept.get((question, moment), Transcript())
        for (slot, _), rows in transcript.spots.items():
            steps[slot] += len(rows.said) + 2 * len(rows.held) + len(rows.ruled)
        return steps


def bare_of(states: States, params: Params) -> Bare:
    """What nobody's own table tells, as the parameters have it."""
    neutral, coarse = assumed(states, None, params), coarse_label(states)
    heard = neutral.spoken[states.labels()[coarse]] if coarse >= 0 else np.zeros(len(states))
    return Bare(heard, np.array([params.throughout_rate / max(params.standing_rate, 1e-9), 1.0]))
