"""What anybody would do first: the last claim, the majority of two weeks, Dawid and Skene in blocks of time.

Each is a plain function from the votes on all places to beliefs: place → an array (days, states), NaN while
nothing was said. ``then`` asks for every day as known by its end, else all votes are known. They are given
more than a plain reader has: attribution is collapsed by the ledger's own code, so that carriers do not count;
a map votes again whenever it was looked at; and a ruling is a vote like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from projections.belief.paths import Rows
from projections.case import Case, Testimony, day_of
from tests.bench.dawid_skene import Fit, Floats, Indices, dawid_skene

#: Days of the majority, and of a block.
WINDOW = 14
#: So much of a belief is spread evenly over all states: votes are no certainty (an assumption).
SPREAD = 0.2
_DISPLAYS = ("display", "withdrawal", "observation")


class Votes(NamedTuple):
    """The votes on one place, in the order of the days they speak of. ``shares`` has a row a vote, what is
    denied being divided among the other states; ``sources`` are numbers; ``days`` and ``known`` ordinals."""

    sources: Indices
    shares: Floats
    days: Indices
    known: Indices


Baseline = Callable[[Mapping[str, Votes], Sequence[int], bool], dict[str, Rows]]


def votes(cases: Sequence[Case]) -> dict[str, Votes]:
    """Place → its votes; a source has the same number everywhere."""
    numbers: dict[str, int] = {}
    found = {}
    for case in cases:
        cast = sorted(_cast(case), key=lambda one: (one[2], one[3]))
        sources = [numbers.setdefault(source, len(numbers)) for source, *_ in cast]
        shares = np.array([share for _, share, *_ in cast]).reshape(len(cast), len(case.states))
        days, known = ([one[n] for one in cast] for n in (2, 3))
        found[case.place] = Votes(*map(np.intp, (sources,)), shares, np.intp(days), np.intp(known))
    return found


def _cast(case: Case) -> Iterator[tuple[str, Floats, int, int]]:
    """(source, share of each state, day spoken of, day on which it was known)."""
    shown: dict[str, Floats | None] = {}
    for piece in sorted(case.testimony, key=lambda one: (one.known, one.position)):
        known = day_of(piece.known)
        if piece.kind in _DISPLAYS:
            if piece.kind != "observation":
                shown[piece.source] = _share(case, piece)
            showing = shown.get(piece.source)
            if showing is not None:
                yield piece.source, showing, known, known
        elif piece.act not in ("predicts", "doubts") and (share := _share(case, piece)) is not None:
            yield piece.source, share, min(piece.hi, known), known
    for ruling in case.rulings:
        yield (
            "ruling",
            np.eye(len(case.states))[case.states.index(ruling.state)],
            ruling.hi,
            day_of(ruling.known),
        )


def _share(case: Case, piece: Testimony) -> Floats | None:
    """A part counts as the whole; what is not so is divided evenly among what else could be."""
    if piece.state is None or piece.kind == "withdrawal":
        return None
    states = case.states
    one = np.eye(len(states))[states.index(piece.state)]
    if piece.negated or piece.act == "denies":
        return np.asarray((1 - one) / (len(states) - 1))
    return one


# -- the last claim, and the majority ----------------------------------------------------------------------


def last_claim(on: Mapping[str, Votes], days: Sequence[int], then: bool) -> dict[str, Rows]:
    """What was last said to be so."""
    asked = np.asarray(days)
    return {place: _spread(_last(one, asked, then)) for place, one in on.items()}


def majority(on: Mapping[str, Votes], days: Sequence[int], then: bool) -> dict[str, Rows]:
    """The votes on the last ``WINDOW`` days, in hindsight on those around a day; where there are none, the last
    claim. Among equals the one said last is believed."""
    return {place: _spread(_majority(one, np.asarray(days), then)) for place, one in on.items()}


def _majority(one: Votes, days: Indices, then: bool) -> Rows:
    last = _last(one, days, then)
    ahead = 0 if then else WINDOW // 2
    since = days[:, None] - one.days
    counted = _heard(one, days, then, ahead) & (since < WINDOW - ahead)
    total = counted @ one.shares
    many = total.sum(axis=1, keepdims=True)
    voted = np.divide(total + 1e-6 * last, many, out=np.zeros_like(total), where=many > 0)
    return np.where(many > 0, voted, last)


def _last(one: Votes, days: Indices, then: bool) -> Rows:
    out = np.full((len(days), one.shares.shape[1]), np.nan)
    heard = _heard(one, days, then)
    told = heard.any(axis=1)
    newest = heard.shape[1] - 1 - np.argmax(heard[told, ::-1], axis=1)
    out[told] = one.shares[newest]
    return out


def _heard(one: Votes, days: Indices, then: bool, ahead: int = 0) -> np.ndarray:
    """Which votes count on which days: those that speak of no later day, and were known if need be."""
    heard = one.days <= days[:, None] + ahead
    return heard & (one.known <= days[:, None]) if then else heard


def _spread(shares: Rows) -> Rows:
    whole = shares / shares.sum(axis=1, keepdims=True)
    return np.asarray((1 - SPREAD) * whole + SPREAD / shares.shape[1])


# -- Dawid and Skene in blocks ---------------------------------------------------------------------------------


def blocks(on: Mapping[str, Votes], days: Sequence[int], then: bool) -> dict[str, Rows]:
    """Every place in every ``WINDOW`` days is an object of its own; a block without claims is believed as the one
    before. Known then, it is fitted anew at the end of each block, on what was known. Denials are left out,
    for the method knows no such thing."""
    plain = {place: _plain(one) for place, one in on.items()}
    out = {place: np.full((len(days), one.shares.shape[1]), np.nan) for place, one in on.items()}
    first = min((int(one.days[0]) for one in plain.values() if len(one.days)), default=0)
    fits: dict[int, Fit] = {}
    for row, day in enumerate(days):
        known = (day - first) // WINDOW * WINDOW + first - 1 if then else max(days)
        if known not in fits:
            fits[known] = _fit(plain, first, known, then)
        for place, one in plain.items():
            heard = (one.days <= day) & (one.known <= day) if then else one.days <= _end(first, day)
            if heard.any():
                block = (one.days - first) // WINDOW
                chosen = heard & (block == block[heard].max())
                out[place][row] = fits[known].believe(one.sources[chosen], one.shares[chosen].argmax(axis=1))
    return out


def _end(first: int, day: int) -> int:
    return first + ((day - first) // WINDOW + 1) * WINDOW - 1


def _plain(one: Votes) -> Votes:
    """The votes for one state."""
    kept = one.shares.max(axis=1) == 1
    return Votes(one.sources[kept], one.shares[kept], one.days[kept], one.known[kept])


def _fit(plain: Mapping[str, Votes], first: int, known: int, then: bool) -> Fit:
    states = next(iter(plain.values())).shares.shape[1]
    voices = 1 + max((int(one.sources.max()) for one in plain.values() if len(one.sources)), default=0)
    objects, sources, said = [], [], []
    width = (
        1 + max((int(one.days[-1]) - first for one in plain.values() if len(one.days)), default=0) // WINDOW
    )
    for number, one in enumerate(plain.values()):
        heard = one.known <= known if then else np.ones(len(one.days), dtype=bool)
        objects.append(number * width + (one.days[heard] - first) // WINDOW)
        sources.append(one.sources[heard])
        said.append(one.shares[heard].argmax(axis=1))
    named, of = np.unique(np.concatenate(objects), return_inverse=True)
    claims = np.asarray(of, dtype=np.intp), np.concatenate(sources), np.concatenate(said)
    return dawid_skene(*claims, (len(named), voices, states), SMOOTHING)


#: Pseudo-counts in each cell of a source's confusions: few claims a source, so that it matters.
SMOOTHING = 0.1

#: Name → baseline, in the order of the table.
BASELINES: dict[str, Baseline] = {
    "last claim": last_claim,
    "14-day majority": majority,
    "Dawid-Skene, 14-day blocks": blocks,
}
