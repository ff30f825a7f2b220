"""What was heard at one spot, written down as rows to learn from: who said what of which day, and how loud.

Executed twice, plain and compiled (see ``modes``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from projections.columns.shapes import (
    BESIDE,
    H_CIRCLE,
    H_JUDGED,
    H_LABEL,
    H_PIECE,
    H_REACH,
    H_REPEATS,
    H_RUN_FROM,
    H_RUN_LABEL,
    H_RUN_TO,
    H_SAYING,
    H_SPOKEN,
    P_HI,
    P_KIND,
    P_LO,
    P_SAID,
    P_SOURCE,
    P_VALID_KIND,
    SCALE,
)
from projections.envelopes.shape import CLAIM, RULING, THROUGHOUT

if TYPE_CHECKING:
    from projections.columns.hearing import (
        copy_rate,
        day_at,
        days_of,
        evidence_factor,
        holds,
        standing_before,
    )

inner: Any = globals().get("inner", lambda function: function)
entry: Any = globals().get("entry", inner)

#: Days between two looks at what was ruled throughout an interval.
RULED_EVERY = 10


@inner
def drawn(h, i):
    """Whether an item of a display is a change of it that is heard."""
    return h.of[i, H_RUN_FROM] > 0 and h.temper[i] > 0.0


@inner
def ruled_days(p, asked, i):
    """On how many days a ruling or a verdict is heard."""
    if p.of[i, P_KIND] == RULING and p.of[i, P_VALID_KIND] == THROUGHOUT:
        return np.int64((p.of[i, P_HI] - p.of[i, P_LO] + RULED_EVERY - 1) // RULED_EVERY + 1)
    return days_of(p, asked, i)


@inner
def ruled_day(p, asked, i, k, days):
    """The ``k``-th of those days."""
    if p.of[i, P_KIND] == RULING and p.of[i, P_VALID_KIND] == THROUGHOUT:
        return min(np.int64(p.of[i, P_HI]), p.of[i, P_LO] + k * RULED_EVERY)
    return day_at(p, asked, i, k, days)


@entry
def many_to_gather(p, h, asked):
    """How many rows ``gather`` writes at most: of what was said, of what was held, and of what was ruled."""
    said, held, ruled = np.int64(0), np.int64(0), np.int64(0)
    for i in range(h.of.shape[0]):
        piece = h.of[i, H_PIECE]
        if h.of[i, H_SAYING]:
            said += days_of(p, asked, piece)
            if holds(p, piece):
                held += 1
        if drawn(h, i):
            said += 1
            held += 1
        if h.of[i, H_JUDGED]:
            ruled += ruled_days(p, asked, piece)
    return said, held, ruled


@inner
def came_before(p, h, asked, i):
    """Whether any claim of its circle that counts came within the window before claim ``i``."""
    circle = h.of[i, H_CIRCLE]
    earliest = p.of[h.of[i, H_PIECE], P_SAID] - asked.sizes[3]
    k = standing_before(h, circle, i) - 1
    while k >= h.circles[circle, 1]:
        j = h.lists[k, 0]
        if p.of[h.of[j, H_PIECE], P_SAID] < earliest:
            return False
        if h.of[j, H_SPOKEN]:
            return True
        k -= 1
    return False


@entry
def gather(p, h, asked, said, loud, held, firm, ruled, weighed):
    """Write down what is heard by now; returns how many rows of each.

    ``said`` (n, 4): day, voice, label, copied (0: nothing to copy from, 1: an earlier claim implies it, 2: an
    earlier one does not), with ``loud`` (n,) its weight. ``held`` (n, 4): first day, last day, voice, label, with
    ``firm`` (n,). A voice is twice the code of its source, plus one where it shows. ``ruled`` (n,): days, with
    ``weighed`` (n, states) in nats.
    """
    size = asked.sizes[0]
    nobody = np.zeros(h.of.shape[0], np.uint8)
    a, b, c = np.int64(0), np.int64(0), np.int64(0)
    for i in range(h.of.shape[0]):
        piece = h.of[i, H_PIECE]
        if h.of[i, H_REACH] == BESIDE:
            continue
        voice = 2 * p.of[piece, P_SOURCE]
        if h.of[i, H_SAYING]:
            copied, before = np.int64(0), h.of[i, H_REPEATS]
            if before >= 0:
                copied = np.int64(1)
            elif p.of[piece, P_KIND] == CLAIM and came_before(p, h, asked, i):
                copied = np.int64(2)
            if before < 0 or copy_rate(p, h, asked, i, before) < 1.0:
                factor = h.temper[i] * evidence_factor(h, asked, i, nobody)
                days = days_of(p, asked, piece)
                for k in range(days):
                    said[a, 0], said[a, 1] = day_at(p, asked, piece, k, days), voice
                    said[a, 2], said[a, 3] = h.of[i, H_LABEL], copied
                    loud[a] = factor / days
                    a += 1
                if holds(p, piece):
                    held[b, 0], held[b, 1] = p.of[piece, P_LO], p.of[piece, P_HI]
                    held[b, 2], held[b, 3] = voice, h.of[i, H_LABEL]
                    firm[b] = factor
                    b += 1
        if drawn(h, i):
            said[a, 0], said[a, 1] = h.of[i, H_RUN_FROM], voice + 1
            said[a, 2], said[a, 3] = h.of[i, H_RUN_LABEL], 0
            loud[a] = h.temper[i]
            a += 1
            if h.of[i, H_RUN_TO] > h.of[i, H_RUN_FROM]:
                held[b, 0], held[b, 1] = h.of[i, H_RUN_FROM], h.of[i, H_RUN_TO]
                held[b, 2], held[b, 3] = voice + 1, h.of[i, H_RUN_LABEL]
                firm[b] = h.temper[i]
                b += 1
        if h.of[i, H_JUDGED]:
            days = ruled_days(p, asked, piece)
            for k in range(days):
                ruled[c] = ruled_day(p, asked, piece, k, days)
                for s in range(size):
                    weighed[c, s] = h.weights[i, 2 * size + s] / SCALE
                c += 1
    return a, b, c
