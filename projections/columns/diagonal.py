"""The beliefs of one spot as they were known then: a knot for every day on which they may bend.

Executed twice, plain and compiled (see ``modes``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from projections.columns.shapes import (
    C_COMBINATION,
    C_DAY,
    C_EVIDENCE,
    D_LAST_SEEN,
    D_PLACE,
    D_RUNNING,
    D_SOURCE,
    H_RUN_LABEL,
)

if TYPE_CHECKING:
    from projections.columns.hearing import count_at, happen
    from projections.columns.motion import combination, find, opening, refilter, used

jit: Any = globals().get("jit", lambda function: function)
inner: Any = globals().get("inner", jit)
entry: Any = globals().get("entry", jit)

DAY_US = 86_400_000_000
EPOCH = 719_163


@jit
def renew(c, m):
    """Forget all combinations of displays but the empty one: there was no room for more."""
    m.slots[:] = -1
    m.step_keys[:] = -1
    m.slots[m.slots.shape[0] - 1] = 0
    combination(m, np.zeros((c.ints.shape[1] - C_EVIDENCE) // 2, np.int64))
    c.ints[:, C_COMBINATION] = -1


@jit
def believe(c, m, last):
    """Make beliefs valid up to a breakpoint, whatever room that takes."""
    while not refilter(c, m, last):
        renew(c, m)


@inner
def in_force(c, m, i):
    """The combination of displays behind a breakpoint, whatever room that takes."""
    which = used(c, m, i)
    if which < 0:
        renew(c, m)
        which = used(c, m, i)
    return which


@inner
def showing(p, h, place, nothing, seen):
    """For each display: the day it was last observed if it speaks for its source, else 0. A source speaks by
    what it shows of the place itself, else of the first other place that it shows something of."""
    many = h.shows.shape[0]
    for d in range(many):
        seen[d] = 0
    d = np.int64(0)
    while d < many:
        end = d
        chosen = np.int64(-1)
        while end < many and h.shows[end, D_SOURCE] == h.shows[d, D_SOURCE]:
            run = h.shows[end, D_RUNNING]
            if (
                run >= 0
                and h.of[run, H_RUN_LABEL] != nothing
                and (chosen < 0 or h.shows[end, D_PLACE] == place)
            ):
                chosen = end
            end += 1
        if chosen >= 0:
            seen[chosen] = h.shows[chosen, D_LAST_SEEN]
        d = end


@entry
def diagonal(
    p, h, c, asked, m, known, act, who, extra, place, begin, turn, stop, before, whole, beliefs, sightings
):
    """Let become known what does from happening ``begin`` on and before day ``stop``, and write down what was
    believed. On day ``turn`` (0: none) beliefs bend though nothing may arrive: sources are heard otherwise.

    ``whole`` (knots, 5): since, at, origins, claims, newest; ``at`` is 0 where nothing spoke yet.
    ``beliefs`` (knots, states) and ``rates`` beside them in fixed point are filled in step. ``sightings``
    (n, 3): display, since, day last observed (0: shows nothing); ``before`` is by display what was noted last.
    Returns how many knots and sightings.
    """
    states = asked.sizes[0]
    nothing = asked.sizes[2]
    nobody = np.zeros(h.of.shape[0], np.uint8)
    many = h.shows.shape[0]
    seen = np.zeros(many, np.int64)
    knots, sighted = np.int64(0), np.int64(0)
    i, total = np.int64(begin), known.shape[0]
    until = np.int64(turn)
    if until == 0:
        until = known[i] // DAY_US + EPOCH if i < total else np.int64(stop)
    while until < stop:
        day = until
        while i < total and known[i] // DAY_US + EPOCH == day:
            happen(p, h, c, asked, act[i], who[i], extra[i], nobody)
            i += 1
        until = min(known[i] // DAY_US + EPOCH, np.int64(stop)) if i < total else np.int64(stop)
        last = find(c, until) - 1
        believe(c, m, last)
        first = opening(c)
        at = find(c, day + 1) - 1
        since = day
        while True:
            if at >= first:
                count_at(p, h, since)
                whole[knots, 0], whole[knots, 1] = since, c.ints[at, C_DAY]
                whole[knots, 2], whole[knots, 3], whole[knots, 4] = h.count[2], h.count[1], h.count[3]
                for s in range(states):
                    beliefs[knots, s] = c.reals[at, states + s]
                    whole[knots, 5 + s] = c.ints[at, C_EVIDENCE + states + s]
                knots += 1
            elif since == day:
                whole[knots, :] = 0
                beliefs[knots, :] = 0.0
                whole[knots, 0] = since
                knots += 1
            at += 1
            if at > last:
                break
            since = c.ints[at, C_DAY]
        showing(p, h, place, nothing, seen)
        for d in range(many):
            if seen[d] != before[d]:
                before[d] = seen[d]
                sightings[sighted, 0], sightings[sighted, 1], sightings[sighted, 2] = d, day, seen[d]
                sighted += 1
    return knots, sighted


@entry
def hear_until(p, h, c, asked, known, act, who, extra, cut):
    """Let become known what was known by a moment; nothing is written down."""
    nobody = np.zeros(h.of.shape[0], np.uint8)
    # What is heard is counted at once: among all that waits for its day to come one has to be looked for.
    count_at(p, h, cut // DAY_US + EPOCH)
    for i in range(known.shape[0]):
        if known[i] > cut:
            break
        happen(p, h, c, asked, act[i], who[i], extra[i], nobody)
