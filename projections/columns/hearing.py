"""What is heard at one spot as knowledge grows, and what it says: the rules of ``belief.assembly`` over arrays.

An utterance counts once; a repeat of what its side had implied within the copy window is tempered; doubted
evidence is discounted, and what leans on voided evidence is gone; a display speaks when it is redrawn and,
by not changing, up to its last observation. The rules stand in words in ``belief.assembly``, which explains
single answers; a property test holds the two together.

Executed twice, plain and compiled (see ``modes``).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from projections.columns.shapes import (
    ADJUDICATED,
    BESIDE,
    D_ITEMS_FROM,
    D_LAST_SEEN,
    D_RUNNING,
    D_SOURCE,
    D_TAKEN,
    DISPELLED,
    DOUBTED,
    FROM_PART,
    FROM_WHOLE,
    H_CIRCLE,
    H_DISPLAY,
    H_DOUBTERS_FROM,
    H_DOUBTERS_TO,
    H_GONE,
    H_GROUNDS_FROM,
    H_GROUNDS_TO,
    H_HEARD,
    H_JUDGED,
    H_LABEL,
    H_LATER,
    H_LEANERS_FROM,
    H_LEANERS_TO,
    H_OTHER_CIRCLE,
    H_OTHER_PLACE_IN,
    H_PIECE,
    H_PLACE_IN,
    H_RANK,
    H_REPEATS,
    H_RUN_FROM,
    H_RUN_LABEL,
    H_RUN_TO,
    H_SAYING,
    H_SHOWS,
    H_SPEAKS,
    H_SPOKEN,
    H_UNCHANGED,
    H_VOICE,
    H_VOICES,
    H_VOID,
    HEARD,
    LESS,
    MORE,
    N_LINKS_FROM,
    N_LINKS_TO,
    N_STATE,
    P_ACT,
    P_HI,
    P_KIND,
    P_KNOWN,
    P_LINKED_FROM,
    P_LINKED_TO,
    P_LO,
    P_PLACE,
    P_SAID,
    P_SOURCE,
    P_STATE,
    P_VALID_KIND,
    RETRACTED,
    RULED,
    SCALE,
    UNRULED,
    UNVERIFIABLE,
    V_COPIES,
    V_LOOKS,
    VOIDED,
)
from projections.envelopes.shape import (
    CLAIM,
    DENIES,
    DISPLAY,
    DOUBTS,
    EVIDENCE,
    OBSERVATION,
    PREDICTS,
    RULING,
    SINCE,
    THROUGHOUT,
    WITHDRAWAL,
)

if TYPE_CHECKING:
    from projections.columns.motion import contribute, hold, lengthen

inner: Any = globals().get("inner", lambda function: function)

DAY_US = 86_400_000_000
EPOCH = 719_163


@inner
def read(asked, kind, act, state, negated, part, of_evidence, reach):
    """(label, temper) of a piece at a spot; −1 where it says nothing of the place. See ``belief.reading``."""
    states, parties = asked.sizes[0], asked.sizes[1]
    if reach == BESIDE or kind == RULING or (act == PREDICTS and kind == CLAIM):
        return -1, 1.0
    if of_evidence and kind == CLAIM and (act == DENIES or act == DOUBTS):
        return -1, 1.0
    if state < 0:
        return -1, 1.0
    doubted = kind == CLAIM and act == DOUBTS
    half = asked.rates[0]
    temper = half if doubted else 1.0
    negative = negated or (kind == CLAIM and (act == DENIES or act == DOUBTS))
    if reach == FROM_PART:
        if negative:
            return -1, 1.0
        return (2 * states + state if state < parties else state), temper
    if reach == FROM_WHOLE:
        if negative or part or kind == EVIDENCE:
            return -1, 1.0
        return state, temper
    if negative:
        return states + state, temper
    if not part:
        return state, temper
    if state < parties:
        return 2 * states + state, temper
    return state, temper * half


@inner
def implied(asked, a, b):
    """Whether whoever says label ``a`` has said ``b`` with it: "X" says "part X" and "not Y" of every other Y."""
    states = asked.sizes[0]
    if a == b:
        return True
    if a >= states:
        return False
    if b < 2 * states:
        return b >= states and a != b - states
    return a == b - 2 * states


# -- what a piece contributes --------------------------------------------------------------------------


@inner
def fixed(value):
    return np.int64(np.rint(value * SCALE))


@inner
def repeated(value, rate):
    """ln(ρ + (1 − ρ)·p) of ln p."""
    if rate >= 1.0:
        return 0.0
    if rate <= 0.0:
        return value
    a, b = math.log(rate), math.log1p(-rate) + value
    top = a if a > b else b
    return top + math.log1p(math.exp(-abs(a - b)))


@inner
def days_of(p, asked, i):
    """On how many days an imprecise date is spread; 1 for what is so throughout, which begins on its first."""
    if p.of[i, P_VALID_KIND] == THROUGHOUT or p.of[i, P_VALID_KIND] == SINCE:
        return np.int64(1)
    count = np.int64(p.of[i, P_HI]) - p.of[i, P_LO] + 1
    points = asked.sizes[4]
    return count if count <= points else points


@inner
def day_at(p, asked, i, k, days):
    """The ``k``-th of those days."""
    count = np.int64(p.of[i, P_HI]) - p.of[i, P_LO] + 1
    if days == 1 or count <= days:
        return np.int64(p.of[i, P_LO]) + k
    return np.int64(p.of[i, P_LO]) + np.int64(np.rint(k * (count - 1) / (days - 1)))


@inner
def speak(c, p, asked, i, vector, sign):
    """Put a piece's weight (of one day) on every day it may mean, or take it back."""
    days = days_of(p, asked, i)
    for k in range(days):
        contribute(c, day_at(p, asked, i, k, days), vector, sign)


@inner
def evidence_factor(h, asked, i, without):
    """What is left of a piece's weight once the evidence it leans on was doubted or voided."""
    factor = 1.0
    for k in range(h.of[i, H_GROUNDS_FROM], h.of[i, H_GROUNDS_TO]):
        e = h.lists[k, 0]
        if h.of[e, H_VOID]:
            return 0.0
        if without[e]:
            continue
        doubted = False
        for d in range(h.of[e, H_DOUBTERS_FROM], h.of[e, H_DOUBTERS_TO]):
            if h.lists[d, 1] and (h.lists[d, 0] < 0 or not without[h.lists[d, 0]]):
                doubted = True
                break
        if doubted:
            factor *= asked.rates[1]
    return factor


@inner
def foretells(p, h, asked, earlier, later):
    """Whether whoever said the earlier has said the later with it; a doubt is no denial yet."""
    if p.of[h.of[earlier, H_PIECE], P_ACT] == DOUBTS and p.of[h.of[later, H_PIECE], P_ACT] != DOUBTS:
        return False
    return implied(asked, h.of[earlier, H_LABEL], h.of[later, H_LABEL])


@inner
def standing_before(h, circle, i):
    """Where claim ``i`` stands, or would stand, in a circle."""
    if h.of[i, H_CIRCLE] == circle:
        return h.of[i, H_PLACE_IN]
    if h.of[i, H_OTHER_CIRCLE] == circle:
        return h.of[i, H_OTHER_PLACE_IN]
    low, high = h.circles[circle, 1], h.circles[circle, 2]
    while low < high:
        middle = (low + high) >> 1
        if h.of[h.lists[middle, 0], H_RANK] < h.of[i, H_RANK]:
            low = middle + 1
        else:
            high = middle
    return low


@inner
def nearest(p, h, asked, circle, i, without):
    """The nearest earlier claim of a circle that implies claim ``i`` within the window; −1 for none."""
    earliest = p.of[h.of[i, H_PIECE], P_SAID] - asked.sizes[3]
    k = standing_before(h, circle, i) - 1
    while k >= h.circles[circle, 1]:
        j = h.lists[k, 0]
        if p.of[h.of[j, H_PIECE], P_SAID] < earliest:
            break
        if h.of[j, H_SPOKEN] and not without[j] and foretells(p, h, asked, j, i):
            return j
        k -= 1
    return np.int64(-1)


@inner
def circle_by(h, source):
    """The circle of a linked source's own claims; −1 where it made none here."""
    for k in range(h.circles.shape[0]):
        if h.circles[k, 0] == source:
            return k
    return -1


@inner
def earlier(p, h, asked, i, without):
    """The claim that claim ``i`` repeats: of a linked voice if there is one, else of its side; −1 for none."""
    piece = h.of[i, H_PIECE]
    for k in range(p.of[piece, P_LINKED_FROM], p.of[piece, P_LINKED_TO]):
        circle = circle_by(h, p.lists[k, 1])
        if circle >= 0:
            found = nearest(p, h, asked, circle, i, without)
            if found >= 0:
                return found
    return nearest(p, h, asked, h.of[i, H_CIRCLE], i, without)


@inner
def copy_rate(p, h, asked, i, j):
    """How much of claim ``i`` is only copied from claim ``j``."""
    mine, theirs = h.of[i, H_PIECE], h.of[j, H_PIECE]
    if p.of[mine, P_SOURCE] != p.of[theirs, P_SOURCE]:
        for k in range(p.of[mine, P_LINKED_FROM], p.of[mine, P_LINKED_TO]):
            if p.lists[k, 1] == p.of[theirs, P_SOURCE]:
                return 1.0
    return asked.voices[h.of[i, H_SPEAKS], V_COPIES]


@inner
def weights(p, h, asked, i, before, factor, said, held):
    """What claim or evidence ``i`` says a day (``said``) and holds (``held``), in fixed point."""
    states = asked.sizes[0]
    piece = h.of[i, H_PIECE]
    rate = copy_rate(p, h, asked, i, before) if before >= 0 else 0.0
    days = days_of(p, asked, piece)
    table = h.of[i, H_SPEAKS]
    scale = asked.rates[2] * factor * (1.0 - rate if before >= 0 else 1.0)
    for s in range(states):
        likely = asked.numbers[table, h.of[i, H_LABEL], s]
        value = likely * factor
        if before >= 0:
            value = repeated(value, rate)
        said[s] = fixed(value / days)
        held[s] = fixed(scale * asked.missed[table, h.of[i, H_LABEL], s])


@inner
def holds(p, piece):
    """Whether a piece speaks of every day of a stretch."""
    throughout = p.of[piece, P_VALID_KIND] == THROUGHOUT or p.of[piece, P_VALID_KIND] == SINCE
    return throughout and p.of[piece, P_HI] > p.of[piece, P_LO]


@inner
def put(p, h, c, asked, i, nobody):
    """Bring what claim or evidence ``i`` says up to date."""
    size = states = asked.sizes[0]
    piece = h.of[i, H_PIECE]
    before = np.int64(-1)
    if p.of[piece, P_KIND] == CLAIM:
        before = earlier(p, h, asked, i, nobody)
    factor = h.temper[i] * evidence_factor(h, asked, i, nobody)
    h.of[i, H_REPEATS] = before
    said, held = h.scratch[0], h.scratch[1]
    weights(p, h, asked, i, before, factor, said, held)
    if h.of[i, H_SAYING]:
        same = True
        for s in range(states):
            if said[s] != h.weights[i, s] or held[s] != h.weights[i, size + s]:
                same = False
        if same:
            return
        take_back(p, h, c, asked, i)
    for s in range(states):
        h.weights[i, s] = said[s]
        h.weights[i, size + s] = held[s]
    h.of[i, H_SAYING] = 1
    speak(c, p, asked, piece, h.weights[i, :size], MORE)
    if holds(p, piece):
        hold(c, p.of[piece, P_LO], p.of[piece, P_HI], h.weights[i, size : 2 * size], MORE)


@inner
def take_back(p, h, c, asked, i):
    """Take what claim or evidence ``i`` says out of the chain."""
    size = asked.sizes[0]
    if h.of[i, H_SAYING]:
        h.of[i, H_SAYING] = 0
        piece = h.of[i, H_PIECE]
        speak(c, p, asked, piece, h.weights[i, :size], LESS)
        if holds(p, piece):
            hold(c, p.of[piece, P_LO], p.of[piece, P_HI], h.weights[i, size : 2 * size], LESS)


# -- who speaks ------------------------------------------------------------------------------------------


@inner
def count_in(p, h, i, by):
    """Count a heard piece (1), or no longer (−1)."""
    piece = h.of[i, H_PIECE]
    h.count[1] += by
    voice = h.of[i, H_VOICE]
    before = h.of[voice, H_VOICES]
    h.of[voice, H_VOICES] = before + by
    if before == 0 and by > 0:
        h.count[2] += 1
    elif before == 1 and by < 0:
        h.count[2] -= 1
    said = np.int64(p.of[piece, P_SAID])
    if by > 0:
        h.count[3] = max(h.count[3], said)
    elif said == h.count[3]:
        newest = np.int64(0)
        for j in range(h.of.shape[0]):
            if h.of[j, H_HEARD] == 2 and j != i:
                newest = max(newest, np.int64(p.of[h.of[j, H_PIECE], P_SAID]))
        h.count[3] = newest


@inner
def listen(p, h, i):
    """A piece is heard: counted at once, or from the day on that it speaks of."""
    if h.of[i, H_HEARD]:
        return
    if p.of[h.of[i, H_PIECE], P_LO] > h.count[0]:
        h.of[i, H_HEARD] = 1
        h.of[h.count[4], H_LATER] = i
        h.count[4] += 1
    else:
        h.of[i, H_HEARD] = 2
        count_in(p, h, i, MORE)


@inner
def unlisten(p, h, i):
    if h.of[i, H_HEARD] == 2:
        count_in(p, h, i, LESS)
    elif h.of[i, H_HEARD] == 1:
        for k in range(h.count[4]):
            if h.of[k, H_LATER] == i:
                h.of[k, H_LATER] = h.of[h.count[4] - 1, H_LATER]
                h.count[4] -= 1
                break
    h.of[i, H_HEARD] = 0


@inner
def count_at(p, h, day):
    """Move the day of counting forward."""
    h.count[0] = day
    k = np.int64(0)
    while k < h.count[4]:
        i = h.of[k, H_LATER]
        if p.of[h.of[i, H_PIECE], P_LO] <= day:
            h.of[k, H_LATER] = h.of[h.count[4] - 1, H_LATER]
            h.count[4] -= 1
            h.of[i, H_HEARD] = 2
            count_in(p, h, i, MORE)
        else:
            k += 1


# -- utterances and evidence -----------------------------------------------------------------------------


@inner
def reaches(h, circle, place_in):
    """Note up to where claims of a circle were ever heard."""
    h.circles[circle, 3] = max(h.circles[circle, 3], place_in + 1)


@inner
def hear(p, h, c, asked, i, nobody):
    """A claim or a piece of evidence becomes known."""
    if h.of[i, H_LABEL] < 0 or h.temper[i] == 0.0 or evidence_factor(h, asked, i, nobody) == 0.0:
        return
    h.of[i, H_SPOKEN] = 1
    if h.of[i, H_CIRCLE] >= 0:
        reaches(h, h.of[i, H_CIRCLE], h.of[i, H_PLACE_IN])
    if h.of[i, H_OTHER_CIRCLE] >= 0:
        reaches(h, h.of[i, H_OTHER_CIRCLE], h.of[i, H_OTHER_PLACE_IN])
    listen(p, h, i)
    put(p, h, c, asked, i, nobody)
    if p.of[h.of[i, H_PIECE], P_KIND] == CLAIM:
        retell(p, h, c, asked, i, nobody)


@inner
def retell(p, h, c, asked, i, nobody):
    """A claim learnt late turns later ones that it implies into repeats."""
    again_in(p, h, c, asked, h.of[i, H_CIRCLE], i, nobody, MORE)
    source = p.of[h.of[i, H_PIECE], P_SOURCE]
    for k in range(asked.names[source, N_LINKS_FROM], asked.names[source, N_LINKS_TO]):
        circle = circle_by(h, asked.links[k])
        if circle >= 0:
            again_in(p, h, c, asked, circle, i, nobody, MORE)


@inner
def again_in(p, h, c, asked, circle, i, nobody, learnt):
    """Weigh anew the later claims of a circle that ``i`` implies (learnt), or that repeated it (unsaid)."""
    latest = p.of[h.of[i, H_PIECE], P_SAID] + asked.sizes[3]
    # Nothing behind the last that was ever heard can have been: mostly that is claim i itself.
    for k in range(standing_before(h, circle, i), h.circles[circle, 3]):
        j = h.lists[k, 0]
        if p.of[h.of[j, H_PIECE], P_SAID] > latest:
            break
        if j == i or not h.of[j, H_SPOKEN]:
            continue
        if learnt > 0:
            if foretells(p, h, asked, i, j):
                put(p, h, c, asked, j, nobody)
        elif h.of[j, H_REPEATS] == i:
            put(p, h, c, asked, j, nobody)


@inner
def unsay(p, h, c, asked, i, nobody):
    """A claim or evidence no longer counts; what repeated it is the first of its kind now."""
    take_back(p, h, c, asked, i)
    h.of[i, H_SPOKEN] = 0
    h.of[i, H_REPEATS] = -1
    if p.of[h.of[i, H_PIECE], P_KIND] != CLAIM:
        return
    again_in(p, h, c, asked, h.of[i, H_CIRCLE], i, nobody, LESS)
    source = p.of[h.of[i, H_PIECE], P_SOURCE]
    for k in range(asked.names[source, N_LINKS_FROM], asked.names[source, N_LINKS_TO]):
        circle = circle_by(h, asked.links[k])
        if circle >= 0:
            again_in(p, h, c, asked, circle, i, nobody, LESS)


@inner
def again(p, h, c, asked, e, nobody):
    """Evidence was doubted or voided: it and all that leans on it is weighed anew."""
    weigh_again(p, h, c, asked, e, nobody)
    for k in range(h.of[e, H_LEANERS_FROM], h.of[e, H_LEANERS_TO]):
        weigh_again(p, h, c, asked, h.lists[k, 0], nobody)


@inner
def weigh_again(p, h, c, asked, i, nobody):
    if not h.of[i, H_SPOKEN]:
        return
    if evidence_factor(h, asked, i, nobody) == 0.0:
        unsay(p, h, c, asked, i, nobody)
        unlisten(p, h, i)
    else:
        put(p, h, c, asked, i, nobody)


# -- displays --------------------------------------------------------------------------------------------


@inner
def drawn_vector(h, asked, i, label, factor, out):
    """What drawing a label says."""
    table = h.of[i, H_SHOWS]
    for s in range(asked.sizes[0]):
        out[s] = fixed(asked.numbers[table, label, s] * factor)


@inner
def standing_vector(h, asked, i, label, factor, out):
    """How fast a label displayed would give itself away."""
    table = h.of[i, H_SHOWS]
    scale = asked.voices[table, V_LOOKS]
    for s in range(asked.sizes[0]):
        out[s] = fixed(scale * factor * asked.missed[table, label, s])


@inner
def take(p, h, c, asked, d, i):
    """The next item of a display. See ``belief.displays``."""
    nothing = asked.sizes[2]
    piece = h.of[i, H_PIECE]
    kind = p.of[piece, P_KIND]
    if kind == DISPLAY and h.of[i, H_LABEL] < 0:
        return
    seen = min(np.int64(p.of[piece, P_HI]), p.of[piece, P_KNOWN] // DAY_US + EPOCH)
    on = max(seen, h.shows[d, D_LAST_SEEN])
    run = h.shows[d, D_RUNNING]
    label = np.int64(-1)
    if kind == WITHDRAWAL:
        label = np.int64(nothing)
    elif kind == OBSERVATION:
        if run >= 0:
            label = h.of[run, H_RUN_LABEL]
    else:
        label = np.int64(h.of[i, H_LABEL])
    if run < 0 and (label < 0 or label == nothing):
        return
    h.shows[d, D_LAST_SEEN] = on
    vector = h.scratch[2]
    if run >= 0:
        since = h.of[run, H_RUN_TO]
        h.of[run, H_RUN_TO] = on
        if on > since and h.temper[run] > 0.0:
            standing_vector(h, asked, run, h.of[run, H_RUN_LABEL], h.temper[run], vector)
            lengthen(c, h.of[run, H_RUN_FROM], since, on, vector)
        if label == h.of[run, H_RUN_LABEL]:
            h.of[i, H_UNCHANGED] = 1
            return
    h.of[i, H_UNCHANGED] = 0
    h.shows[d, D_RUNNING] = i
    h.of[i, H_RUN_FROM] = on
    h.of[i, H_RUN_TO] = on
    h.of[i, H_RUN_LABEL] = label
    if h.temper[i] > 0.0:
        listen(p, h, i)
        drawn_vector(h, asked, i, label, h.temper[i], vector)
        contribute(c, on, vector, MORE)


@inner
def redraw(p, h, c, asked, d):
    """Draw a display again without what was taken out of it."""
    vector = h.scratch[3]
    for k in range(h.shows[d, D_ITEMS_FROM], h.shows[d, D_ITEMS_FROM] + h.shows[d, D_TAKEN]):
        i = h.lists[k, 0]
        if h.of[i, H_RUN_FROM] == 0 or p.of[h.of[i, H_PIECE], P_PLACE] < 0:
            continue
        if h.temper[i] > 0.0:
            drawn_vector(h, asked, i, h.of[i, H_RUN_LABEL], h.temper[i], vector)
            contribute(c, h.of[i, H_RUN_FROM], vector, LESS)
            if h.of[i, H_RUN_TO] > h.of[i, H_RUN_FROM]:
                standing_vector(h, asked, i, h.of[i, H_RUN_LABEL], h.temper[i], vector)
                hold(c, h.of[i, H_RUN_FROM], h.of[i, H_RUN_TO], vector, LESS)
            unlisten(p, h, i)
        h.of[i, H_RUN_FROM] = 0
        h.of[i, H_RUN_TO] = 0
    h.shows[d, D_RUNNING] = -1
    h.shows[d, D_LAST_SEEN] = 0
    for k in range(h.shows[d, D_ITEMS_FROM], h.shows[d, D_ITEMS_FROM] + h.shows[d, D_TAKEN]):
        if not h.of[h.lists[k, 0], H_GONE]:
            take(p, h, c, asked, d, h.lists[k, 0])


@inner
def shown_to(p, h, c, asked, i, sign):
    """An item of a display, or a look at all displays of its source, is taken in or taken back."""
    for d in range(h.shows.shape[0]):
        if p.of[h.of[i, H_PIECE], P_PLACE] >= 0:
            if h.of[i, H_DISPLAY] != d:
                continue
        elif h.shows[d, D_SOURCE] != p.of[h.of[i, H_PIECE], P_SOURCE]:
            continue
        if sign < 0:
            h.of[i, H_GONE] = 1
            redraw(p, h, c, asked, d)
        else:
            h.shows[d, D_TAKEN] += 1
            take(p, h, c, asked, d, i)


# -- rulings ---------------------------------------------------------------------------------------------


@inner
def unjudge(p, h, c, asked, i):
    size = asked.sizes[0]
    if h.of[i, H_JUDGED]:
        h.of[i, H_JUDGED] = 0
        speak(c, p, asked, h.of[i, H_PIECE], h.weights[i, 2 * size :], LESS)


@inner
def judge(p, h, c, asked, i, verdict):
    """A claim was ruled on; a later ruling takes the place of an earlier one."""
    unjudge(p, h, c, asked, i)
    if verdict == UNVERIFIABLE or h.of[i, H_LABEL] < 0:
        return
    size, days = asked.sizes[0], days_of(p, asked, h.of[i, H_PIECE])
    for s in range(size):
        h.weights[i, 2 * size + s] = fixed(
            asked.numbers[asked.sizes[5] + verdict, h.of[i, H_LABEL], s] / days
        )
    h.of[i, H_JUDGED] = 1
    speak(c, p, asked, h.of[i, H_PIECE], h.weights[i, 2 * size :], MORE)


@inner
def rule(p, h, c, asked, i, sign):
    """A state was ruled on (1), or the ruling taken back (−1)."""
    piece = h.of[i, H_PIECE]
    state = p.of[piece, P_STATE]
    if state >= 0:
        state = asked.names[state, N_STATE]
    if state < 0 or (sign < 0 and not h.of[i, H_JUDGED]):
        return
    h.of[i, H_JUDGED] = 1 if sign > 0 else 0
    size = states = asked.sizes[0]
    days = days_of(p, asked, piece)
    for s in range(states):
        h.weights[i, 2 * size + s] = fixed(asked.numbers[asked.sizes[5] + 2, state, s] / days)
    speak(c, p, asked, piece, h.weights[i, 2 * size :], sign)
    if p.of[piece, P_VALID_KIND] == THROUGHOUT and p.of[piece, P_HI] > p.of[piece, P_LO]:
        rates = h.scratch[2]
        for s in range(states):
            rates[s] = fixed(asked.rates[3] * asked.missed[asked.sizes[5] + 2, state, s])
        hold(c, p.of[piece, P_LO], p.of[piece, P_HI], rates, sign)


# -- becoming known ----------------------------------------------------------------------------------------


@inner
def happen(p, h, c, asked, act, i, extra, nobody):
    """Let one happening become known."""
    kind = p.of[h.of[i, H_PIECE], P_KIND]
    displayed = kind == DISPLAY or kind == WITHDRAWAL or kind == OBSERVATION
    if act == HEARD:
        if displayed:
            shown_to(p, h, c, asked, i, MORE)
        else:
            hear(p, h, c, asked, i, nobody)
    elif act == RETRACTED:
        if displayed:
            shown_to(p, h, c, asked, i, LESS)
        else:
            if h.of[i, H_SPOKEN]:
                unsay(p, h, c, asked, i, nobody)
            unlisten(p, h, i)
    elif act == ADJUDICATED:
        judge(p, h, c, asked, i, extra)
    elif act == DOUBTED:
        h.lists[extra, 1] = 1
        again(p, h, c, asked, i, nobody)
    elif act == DISPELLED:
        h.lists[extra, 1] = 0
        again(p, h, c, asked, i, nobody)
    elif act == VOIDED:
        h.of[i, H_VOID] = 1
        again(p, h, c, asked, i, nobody)
    elif act == RULED:
        rule(p, h, c, asked, i, MORE)
    elif act == UNRULED:
        rule(p, h, c, asked, i, LESS)
