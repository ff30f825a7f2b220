"""What was heard of one question by one moment, written down spot after spot: what is learnt from.

Rows name voices by number: twice the code of a source, plus one for what it *shows* as a standing source, since
that is another way of speaking than what it says. Rows are written by ``columns.gathering``, and by
``reference`` from the readable assembly; ``corpus`` turns them into what the learning engine reads.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from projections.belief.labels import Label, States
from projections.learning.corpus import Corpus

#: More than there are days: a spot and a day make one number.
_DAYS = 1 << 22


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


@dataclass(slots=True)
class Transcript:
    """Rows of many spots."""

    spots: list[Rows] = field(default_factory=list)

    def add(self, rows: Rows) -> None:
        """Add a spot at which anything was said."""
        if len(rows.said) or len(rows.held) or len(rows.ruled):
            # Half as wide: as many transcripts as estimates are kept until all spots were heard.
            said, held, ruled = (one.astype(np.int32) for one in (rows.said, rows.held, rows.ruled))
            loud, firm = rows.loud.astype(np.float32), rows.firm.astype(np.float32)
            self.spots.append(Rows(said, loud, held, firm, ruled, rows.weighed))

    def corpus(
        self,
        states: States,
        coarse: NDArray[np.float64],
        looks: NDArray[np.float64],
        known: NDArray[np.int64],
    ) -> tuple[Corpus, Any]:
        """The corpus, and what its voices are called: numbers as in the rows, first those ``known`` before.

        ``coarse`` (states,): what "not contested" says, in nats; nobody's table has room for it, so it speaks as
        it does for everybody. ``looks``: how often what is said to be so throughout is looked at, relative to a
        display (by whether a voice shows).
        """
        said, loud = self._rows("said"), np.concatenate([one.loud for one in self.spots]).astype(np.float64)
        held, firm = self._rows("held"), np.concatenate([one.firm for one in self.spots]).astype(np.float64)
        ruled, weighed = self._rows("ruled"), np.concatenate([one.weighed for one in self.spots])
        keys = [
            said[:, 0] + _spot_of(said),
            held[:, 0] + _spot_of(held),
            held[:, 1] + _spot_of(held),
            ruled[:, 0] + _spot_of(ruled),
        ]
        steps = np.unique(np.concatenate(keys))
        at = [np.searchsorted(steps, one) for one in keys]
        first = np.searchsorted(steps, np.arange(len(self.spots) + 1) * _DAYS)
        fixed = np.zeros((len(steps), len(states)))
        np.add.at(fixed, at[3], weighed)
        bare = said[:, 2] == coarse_label(states)
        np.add.at(fixed, at[0][bare], loud[bare, None] * coarse)
        kept = ~bare
        lasting = held[:, 3] != coarse_label(states)
        voices, number = _numbered(np.concatenate([said[kept, 1], held[lasting, 2]]), known)
        so = weighed >= weighed.max(axis=1, keepdims=True, initial=-np.inf) - 1e-9
        telling = ~so.all(axis=1)
        corpus = Corpus(
            size=len(states),
            first=first,
            day=steps % _DAYS,
            step=at[0][kept],
            voice=number[: kept.sum()],
            label=said[kept, 2],
            weight=loud[kept],
            copied=said[kept, 3].astype(np.int8),
            fixed=fixed,
            held_voice=number[kept.sum() :],
            held_label=held[lasting, 3],
            held_weight=firm[lasting] * looks[voices[number[kept.sum() :]] % 2],
            held_from=at[1][lasting],
            held_to=at[2][lasting],
            judged_step=at[3][telling],
            judged_states=so[telling],
        )
        return corpus, voices

    def _rows(self, name: str) -> Any:
        """The rows of all spots under each other, with the number of the spot in a last column."""
        found = [getattr(one, name) for one in self.spots]
        joined = np.concatenate([one[:, None] if one.ndim == 1 else one for one in found])
        spots = np.repeat(np.arange(len(found)), [len(one) for one in found])
        return np.concatenate([joined, spots[:, None]], axis=1)


def _numbered(names: Any, known: Any) -> tuple[Any, Any]:
    """All names, first those known before, then new ones ascending; and where each of ``names`` stands."""
    found = np.unique(names)
    every = np.concatenate([known, found[~np.isin(found, known)]])
    order = np.argsort(every)
    return every, order[np.searchsorted(every[order], names)]


def _spot_of(rows: Any) -> Any:
    return rows[:, -1] * _DAYS


def coarse_label(states: States) -> int:
    """The number of the label "not contested", which is the sum of others; −1 where there is none."""
    return states.labels().index(Label("not", len(states.parties))) if states.parties else -1
