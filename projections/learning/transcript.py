"""What was heard of one question by one moment, written down spot after spot: what is learnt from.

Rows name voices by number: twice the code of a source, plus one for what it *shows* as a standing source, since
that is another way of speaking than what it says. Codes are one cache's own; whoever reads a transcript says what
they stand for. Rows are written by ``columns.gathering``, and by ``reference`` from the readable assembly; ``corpus``
turns them into what the learning engine reads, in an order of which nothing hangs on codes or on who wrote first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from projections.belief.labels import Label, States
from projections.learning.corpus import Corpus
from projections.learning.evidence import Flags, Floats, Ints

#: More than there are days: a spot and a day make one number.
_DAYS = 1 << 22
#: More than a question has labels.
_LABELS = 1 << 10


class Rows(NamedTuple):
    """What one spot adds.

    ``said`` (n, 4): day, voice, label, copied (see ``Corpus.copied``), ``loud`` (n,) the weight of each. ``held``
    (m, 4): first day, last day, voice, label, with ``firm`` (m,). ``ruled`` (j,): days, with ``weighed``
    (j, states) in nats.
    """

    said: Any
    loud: Any
    held: Any
    firm: Any
    ruled: Any
    weighed: Any


class Bare(NamedTuple):
    """What is assumed of all voices alike. ``coarse`` (states,): what "not contested" says, in nats; nobody's table
    has room for it, so it speaks as it does for everybody. ``looks`` (2,): how often what is said to be so throughout is
    looked at, relative to a display (by whether a voice shows)."""

    coarse: Floats
    looks: Floats


@dataclass(slots=True)
class Transcript:
    """Rows of many spots, each with its slot and its place."""

    spots: dict[tuple[int, str], Rows] = field(default_factory=dict)

    def add(self, slot: int, place: str, rows: Rows) -> None:
        """Add a spot at which anything was said."""
        if len(rows.said) or len(rows.held) or len(rows.ruled):
            # Half as wide: as many transcripts as estimates are kept until all spots were heard.
            said, held, ruled = (one.astype(np.int32) for one in (rows.said, rows.held, rows.ruled))
            loud, firm = rows.loud.astype(np.float32), rows.firm.astype(np.float32)
            self.spots[slot, place] = Rows(said, loud, held, firm, ruled, rows.weighed)

    def sheet(self, states: States, first: int, slots: int) -> Sheet:
        """The rows of some slots under each other, by slot and place."""
        spots = sorted(spot for spot in self.spots if first <= spot[0] < first + slots)
        rows = [self.spots[spot] for spot in spots]
        none, nobody = np.zeros(0), np.zeros((0, len(states)))
        return Sheet(
            size=len(states),
            coarse=coarse_label(states),
            slots=slots,
            slot=np.array([slot for slot, _ in spots], np.int64) - first,
            said=_joined([one.said for one in rows], 4),
            loud=np.concatenate([none, *(one.loud for one in rows)]),
            held=_joined([one.held for one in rows], 4),
            firm=np.concatenate([none, *(one.firm for one in rows)]),
            ruled=_joined([one.ruled for one in rows], 1),
            weighed=np.concatenate([nobody, *(one.weighed for one in rows)]),
        )


class Sheet(NamedTuple):
    """Rows of many spots under each other, as in ``Rows``; ``said``, ``held`` and ``ruled`` have the number of the spot
    in a last column. ``slot`` (spots,) of so many ``slots``, ascending. ``coarse``: see ``coarse_label``."""

    size: int
    coarse: int
    slots: int
    slot: Ints
    said: Ints
    loud: Floats
    held: Ints
    firm: Floats
    ruled: Ints
    weighed: Floats

    def voices(self) -> Ints:
        """Who says or shows what can be learnt from, as numbers of the rows, ascending."""
        return np.unique(np.concatenate([self.said[self._telling, 1], self.held[self._lasting, 2]]))

    @property
    def heard(self) -> int:
        """How many utterances can be learnt from."""
        return int(self._telling.sum())

    @property
    def rulings(self) -> int:
        """On how many days something was ruled that tells states apart."""
        return int((~np.all(self._so, axis=1)).sum())

    def corpus(self, number: Ints, bare: Bare) -> Corpus:
        """What the learning engine reads; ``number`` (numbers of the rows,) is what it calls each voice."""
        days = [_moment(self.said, 0), _moment(self.held, 0), _moment(self.held, 1), _moment(self.ruled, 0)]
        steps = np.unique(np.concatenate(days))
        at, since, until, on = (np.searchsorted(steps, one) for one in days)
        fixed = np.zeros((len(steps), self.size))
        ruled = np.lexsort((*self.weighed.T, on))
        np.add.at(fixed, on[ruled], self.weighed[ruled])
        coarse = np.flatnonzero(~self._telling)
        coarse = coarse[np.lexsort((self.loud[coarse], at[coarse]))]
        np.add.at(fixed, at[coarse], self.loud[coarse, None] * bare.coarse)

        said = np.flatnonzero(self._telling)
        alike = (at[said] * len(number) + number[self.said[said, 1]]) * _LABELS + self.said[said, 2]
        said = said[np.lexsort((self.loud[said], alike * 3 + self.said[said, 3]))]
        held = np.flatnonzero(self._lasting)
        voice, label = number[self.held[held, 2]], self.held[held, 3]
        held = held[np.lexsort((self.firm[held], label, voice, until[held], since[held]))]
        so = self._so
        ruled = ruled[~np.asarray(so.all(axis=1))[ruled]]
        return Corpus(
            size=self.size,
            first=np.searchsorted(steps, np.arange(len(self.slot) + 1) * _DAYS),
            day=steps % _DAYS,
            step=at[said],
            voice=number[self.said[said, 1]],
            label=self.said[said, 2],
            weight=self.loud[said],
            copied=self.said[said, 3].astype(np.int8),
            fixed=fixed,
            held_voice=number[self.held[held, 2]],
            held_label=self.held[held, 3],
            held_weight=self.firm[held] * bare.looks[self.held[held, 2] % 2],
            held_from=since[held],
            held_to=until[held],
            judged_step=on[ruled],
            judged_states=so[ruled],
            slot=self.slot,
            slots=self.slots,
        )

    @property
    def _so(self) -> Flags:
        """Under which states what was ruled is so."""
        return np.asarray(self.weighed >= self.weighed.max(axis=1, keepdims=True, initial=-np.inf) - 1e-9)

    @property
    def _telling(self) -> Flags:
        return np.asarray(self.said[:, 2] != self.coarse)

    @property
    def _lasting(self) -> Flags:
        return np.asarray(self.held[:, 3] != self.coarse)


def _joined(parts: Sequence[Any], width: int) -> Ints:
    """Rows of many spots under each other, with the number of the spot in a last column: (n, width + 1)."""
    rows = np.concatenate([np.zeros((0, width), np.int64), *(one.reshape(-1, width) for one in parts)])
    spots = np.repeat(np.arange(len(parts)), [len(one) for one in parts])
    return np.concatenate([rows, spots[:, None]], axis=1)


def _moment(rows: Ints, day: int) -> Ints:
    """Spot and day as one number, in their order."""
    return np.asarray(rows[:, -1] * _DAYS + rows[:, day])


def coarse_label(states: States) -> int:
    """The number of the label "not contested", which is the sum of others; −1 where there is none."""
    return states.labels().index(Label("not", len(states.parties))) if states.parties else -1
