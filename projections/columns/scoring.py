"""What became of what each source said at one spot, judged without it: ``credibility.score`` over arrays.

For every source the beliefs are found anew without it, its linked voices and its carriers. What is left out
touches few breakpoints; between them the filter's steps are products of matrices that are the same for
every source, kept in a tree (a segment tree over the chain), so that a source costs what it touches and not
what the chain is long.

Executed twice, plain and compiled (see ``modes``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from projections.columns.shapes import (
    BESIDE,
    C_BEGUN,
    C_DAY,
    C_EVIDENCE,
    C_SPEAKING,
    FROM_PART,
    H_DOUBTERS_FROM,
    H_DOUBTERS_TO,
    H_HEARD,
    H_JUDGED,
    H_LEANERS_FROM,
    H_LEANERS_TO,
    H_PIECE,
    H_REACH,
    H_RELATION,
    H_REPEATS,
    H_RUN_FROM,
    H_RUN_LABEL,
    H_RUN_TO,
    H_SAYING,
    H_SPOKEN,
    H_UNCHANGED,
    LESS,
    MORE,
    N_LINKS_FROM,
    N_LINKS_TO,
    N_STATE,
    OWN,
    P_ACT,
    P_CARRIER_FROM,
    P_CARRIER_TO,
    P_HI,
    P_KIND,
    P_KNOWN,
    P_LO,
    P_NEGATED,
    P_OF_EVIDENCE,
    P_PART,
    P_PLACE,
    P_RETRACTED,
    P_SAID,
    P_SOURCE,
    P_STATE,
    P_VALID_KIND,
    P_VERDICT_FROM,
    P_VERDICT_TO,
    X_BEGUN,
    X_COMBINATION,
    X_EVIDENCE,
    X_HELD,
    X_NOTED,
    X_SPEAKING,
)
from projections.envelopes.shape import (
    CLAIM,
    DENIES,
    DISPLAY,
    DOUBTS,
    PREDICTS,
    RULING,
    WITHIN,
)

if TYPE_CHECKING:
    from projections.columns.diagonal import believe, in_force, renew
    from projections.columns.hearing import (
        day_at,
        days_of,
        drawn_vector,
        earlier,
        evidence_factor,
        holds,
        standing_vector,
        weights,
    )
    from projections.columns.motion import (
        backward,
        combination,
        find,
        forward,
        refresh,
        scaled,
        speaks,
        step,
        used,
        weighed,
        weighed_at,
    )

jit: Any = globals().get("jit", lambda function: function)
inner: Any = globals().get("inner", jit)
entry: Any = globals().get("entry", jit)

DAY_US = 86_400_000_000
EPOCH = 719_163
LOOKS = 32

# Columns of a score, in the order of ``credibility.Score``.
(
    UTTERANCES,
    CONFIRMED,
    REFUTED,
    OPEN,
    WITHDRAWN,
    OWN_INTEREST,
    AGAINST_INTEREST,
    OWN_CONFIRMED,
    OWN_REFUTED,
    AGAINST_CONFIRMED,
    AGAINST_REFUTED,
    PREDICTIONS,
    KEPT,
    BROKEN,
    ERROR,
    PREMATURE,
    PREMATURE_DAYS,
    LEADS,
    LEAD_DAYS,
) = range(19)

# As in ``credibility`` and ``timing``.
DOUBTED, ERROR_UNIT = 0.75, 10_000
PREMATURE_WITHIN, LOOK, LEAD_WITHIN = 365, 7, 30

DAY_BITS = 22
"""Bits that hold the ordinal of any day: behind the proposition in the mark of who said what when."""


# -- products of steps -----------------------------------------------------------------------------------


@inner
def build_tree(c, m, tree, leaves):
    """Leaf i is diag(exp evidence of i)·A(i → i+1), scaled; a node the product of its two."""
    n, size = c.at[0], (c.ints.shape[1] - C_EVIDENCE) // 2
    for i in range(leaves):
        node = tree[leaves + i]
        if i >= n - 1:
            for a in range(size):
                for b in range(size):
                    node[a, b] = 1.0 if a == b else 0.0
            continue
        slot = step(m, c.ints[i + 1, C_DAY] - c.ints[i, C_DAY], in_force(c, m, i))
        refresh(c, i)
        for a in range(size):
            for b in range(size):
                node[a, b] = c.reals[i, 2 * size + a] * m.steps[slot, a, b]
        level(node)
    for k in range(leaves - 1, 0, -1):
        left, right, node = tree[2 * k], tree[2 * k + 1], tree[k]
        for a in range(size):
            for b in range(size):
                total = 0.0
                for s in range(size):
                    total += left[a, s] * right[s, b]
                node[a, b] = total
        level(node)


@inner
def level(node):
    most = 0.0
    for a in range(node.shape[0]):
        for b in range(node.shape[1]):
            most = max(most, node[a, b])
    if most > 0.0:
        most = 1.0 / most
        for a in range(node.shape[0]):
            for b in range(node.shape[1]):
                node[a, b] *= most


@inner
def along(tree, leaves, low, high, vector, temp, stack):
    """``vector`` · T(low) · … · T(high − 1), scaled, in place."""
    many = 0
    left, right = low + leaves, high + leaves
    while left < right:
        if left & 1:
            times(vector, tree[left], temp)
            left += 1
        if right & 1:
            right -= 1
            stack[many] = right
            many += 1
        left >>= 1
        right >>= 1
    for k in range(many - 1, -1, -1):
        times(vector, tree[stack[k]], temp)


@inner
def times(vector, node, temp):
    size = vector.shape[0]
    for b in range(size):
        total = 0.0
        for a in range(size):
            total += vector[a] * node[a, b]
        temp[b] = total
    for b in range(size):
        vector[b] = temp[b]
    scaled(vector)


@inner
def against(tree, leaves, low, high, vector, temp, stack):
    """T(low) · … · T(high − 1) · ``vector``, scaled, in place."""
    many = 0
    left, right = low + leaves, high + leaves
    while left < right:
        if left & 1:
            stack[many] = left
            many += 1
            left += 1
        if right & 1:
            right -= 1
            times_back(vector, tree[right], temp)
        left >>= 1
        right >>= 1
    for k in range(many - 1, -1, -1):
        times_back(vector, tree[stack[k]], temp)


@inner
def times_back(vector, node, temp):
    size = vector.shape[0]
    for a in range(size):
        total = 0.0
        for b in range(size):
            total += node[a, b] * vector[b]
        temp[a] = total
    for a in range(size):
        vector[a] = temp[a]
    scaled(vector)


# -- what one scenario does otherwise ----------------------------------------------------------------------


@inner
def differs(c, x, i):
    """Note that a breakpoint is looked at or changed in this scenario."""
    if not x.ints[i, X_NOTED]:
        x.ints[i, X_NOTED] = 1
        x.points[x.points[x.points.shape[0] - 1]] = i
        x.points[x.points.shape[0] - 1] += 1


@inner
def change(c, x, day, vector, sign):
    """A scenario says something more (1) or less (−1) on a day."""
    i = find(c, day)
    differs(c, x, i)
    for s in range(vector.shape[0]):
        x.ints[i, X_EVIDENCE + s] += sign * vector[s]
    if speaks(vector):
        x.ints[i, X_SPEAKING] += sign


@inner
def change_hold(c, x, lo, hi, rates, sign):
    """A scenario has a display more or less: every stretch of it is gone over."""
    if not speaks(rates):
        return
    i, j = find(c, lo), find(c, hi)
    x.ints[i, X_BEGUN] += sign
    for k in range(i, j + 1):
        differs(c, x, k)
        if k < j:
            x.ints[k, X_HELD] = 1
            for s in range(rates.shape[0]):
                x.ints[k, X_EVIDENCE + rates.shape[0] + s] += sign * rates[s]


@inner
def change_piece(p, c, asked, x, piece, vector, sign):
    days = days_of(p, asked, piece)
    for k in range(days):
        change(c, x, day_at(p, asked, piece, k, days), vector, sign)


@inner
def leave_out(p, h, c, asked, x, i):
    """A scenario does without an instance."""
    size = asked.sizes[0]
    piece = h.of[i, H_PIECE]
    if h.of[i, H_SAYING]:
        change_piece(p, c, asked, x, piece, h.weights[i, :size], LESS)
        if holds(p, piece):
            change_hold(c, x, p.of[piece, P_LO], p.of[piece, P_HI], h.weights[i, size : 2 * size], LESS)
    if h.of[i, H_JUDGED] and p.of[piece, P_KIND] != RULING:
        change_piece(p, c, asked, x, piece, h.weights[i, 2 * size :], LESS)
    if h.of[i, H_RUN_FROM] > 0 and h.temper[i] > 0.0:
        vector = h.scratch[2]
        drawn_vector(h, asked, i, h.of[i, H_RUN_LABEL], h.temper[i], vector)
        change(c, x, h.of[i, H_RUN_FROM], vector, LESS)
        if h.of[i, H_RUN_TO] > h.of[i, H_RUN_FROM]:
            standing_vector(h, asked, i, h.of[i, H_RUN_LABEL], h.temper[i], vector)
            change_hold(c, x, h.of[i, H_RUN_FROM], h.of[i, H_RUN_TO], vector, LESS)


@inner
def say_instead(p, h, c, asked, x, j, without, said, held):
    """What an instance would say, had those left out never spoken."""
    piece, size = h.of[j, H_PIECE], asked.sizes[0]
    before = np.int64(-1)
    if p.of[piece, P_KIND] == CLAIM:
        before = earlier(p, h, asked, j, without)
    factor = h.temper[j] * evidence_factor(h, asked, j, without)
    weights(p, h, asked, j, before, factor, said, held)
    change_piece(p, c, asked, x, piece, h.weights[j, :size], LESS)
    change_piece(p, c, asked, x, piece, said, MORE)
    if holds(p, piece):
        same = True
        for s in range(asked.sizes[0]):
            same = same and held[s] == h.weights[j, size + s]
        if not same:
            change_hold(c, x, p.of[piece, P_LO], p.of[piece, P_HI], h.weights[j, size : 2 * size], LESS)
            change_hold(c, x, p.of[piece, P_LO], p.of[piece, P_HI], held, MORE)


@inner
def clear(x):
    """Forget a scenario."""
    for k in range(x.points[x.points.shape[0] - 1]):
        i = x.points[k]
        for s in range(x.ints.shape[1]):
            x.ints[i, s] = 0
    x.points[x.points.shape[0] - 1] = 0


@inner
def in_order(x):
    """Put the breakpoints noted in order."""
    for k in range(1, x.points[x.points.shape[0] - 1]):
        i = x.points[k]
        j = k - 1
        while j >= 0 and x.points[j] > i:
            x.points[j + 1] = x.points[j]
            j -= 1
        x.points[j + 1] = i


@inner
def run(c, m, x, beta, tree, leaves):
    """Beliefs of a scenario at the breakpoints noted: ``x.ahead`` after the day's evidence, ``x.later`` what
    all later days say. Returns its first breakpoint that speaks."""
    n, size = c.at[0], (c.ints.shape[1] - C_EVIDENCE) // 2
    in_order(x)
    first = c.at[2]
    if x.points[x.points.shape[0] - 1] and x.points[0] <= first:
        first = np.int64(0)
        while first < n and not (
            c.ints[first, C_SPEAKING] + x.ints[first, X_SPEAKING] > 0
            or c.ints[first, C_BEGUN] + x.ints[first, X_BEGUN] > 0
        ):
            first += 1
        if first < n and not x.ints[first, X_NOTED]:
            differs(c, x, first)
            in_order(x)
    many = x.points[x.points.shape[0] - 1]
    evidence, stack = x.rates[0], x.stack
    temp, state, seen = x.vectors[0], x.vectors[1], x.vectors[2]
    last = np.int64(-1)
    for k in range(many):
        i = x.points[k]
        if i < first:
            continue
        if last < 0:
            if i == first:
                state[:] = 1.0 / size
            else:
                for s in range(size):
                    state[s] = c.reals[i, s]
        else:
            move(c, m, x, last, x.reals[last, :size], state)
            if i > last + 1:
                along(tree, leaves, last + 1, i, state, temp, stack)
        weigh_in(c, x, i, state, evidence, x.reals[i, :size])
        last = i
    last = np.int64(-1)
    for k in range(many - 1, -1, -1):
        i = x.points[k]
        if last < 0:
            for s in range(size):
                x.reals[i, size + s] = beta[i, s]
        else:
            weigh_in(c, x, last, x.reals[last, size : 2 * size], evidence, seen)
            if last > i + 1:
                against(tree, leaves, i + 1, last, seen, temp, stack)
            move_back(c, m, x, i, seen, x.reals[i, size : 2 * size])
        last = i
    return first


@inner
def weigh_in(c, x, i, before, evidence, out):
    """Weigh the evidence of a breakpoint as it is in this scenario. ``evidence`` is scratch."""
    changed = False
    for s in range(before.shape[0]):
        evidence[s] = c.ints[i, C_EVIDENCE + s] + x.ints[i, X_EVIDENCE + s]
        if x.ints[i, X_EVIDENCE + s] != 0:
            changed = True
    if changed:
        weighed(before, evidence, out)
    else:
        weighed_at(c, i, before, out)


@inner
def combined(c, m, x, i):
    """The combination of displays behind a breakpoint in a scenario, whatever room that takes. It stands until the next
    one is asked for."""
    if not x.ints[i, X_HELD]:
        which = used(c, m, i)
        if which < 0:
            make_room(c, m, x)
            which = used(c, m, i)
        return which
    if x.ints[i, X_COMBINATION] == 0:
        size = (c.ints.shape[1] - C_EVIDENCE) // 2
        rates = x.rates[1]
        for s in range(size):
            rates[s] = c.ints[i, C_EVIDENCE + size + s] + x.ints[i, X_EVIDENCE + size + s]
        which = combination(m, rates)
        if which < 0:
            make_room(c, m, x)
            which = combination(m, rates)
        x.ints[i, X_COMBINATION] = 1 + which
    return x.ints[i, X_COMBINATION] - 1


@inner
def make_room(c, m, x):
    """Forget all combinations, and by which numbers a scenario knew them."""
    renew(c, m)
    for k in range(x.points[x.points.shape[0] - 1]):
        x.ints[x.points[k], X_COMBINATION] = 0


@inner
def move(c, m, x, i, vector, out):
    forward(m, vector, c.ints[i + 1, C_DAY] - c.ints[i, C_DAY], combined(c, m, x, i), out)


@inner
def move_back(c, m, x, i, vector, out):
    backward(m, vector, c.ints[i + 1, C_DAY] - c.ints[i, C_DAY], combined(c, m, x, i), out)


@inner
def ask(c, x, day):
    """Note the breakpoints that a belief on some day hangs on."""
    i = find(c, day + 1) - 1
    if i >= 0:
        differs(c, x, i)
        if c.ints[i, C_DAY] == day:
            return
    if i + 1 < c.at[0]:
        differs(c, x, i + 1)


@inner
def belief_on(c, m, x, first, day, out):
    """The hindsight belief on a day in a scenario that was run; even before anything speaks."""
    size = (c.ints.shape[1] - C_EVIDENCE) // 2
    i = find(c, day + 1) - 1
    if i < first or i < 0:
        out[:] = 1.0 / size
        return
    if c.ints[i, C_DAY] == day or i + 1 == c.at[0]:
        if c.ints[i, C_DAY] == day:
            for s in range(size):
                out[s] = x.reals[i, s] * x.reals[i, size + s]
        else:
            forward(m, x.reals[i, :size], day - c.ints[i, C_DAY], combined(c, m, x, i), out)
        scaled(out)
        return
    which = combined(c, m, x, i)
    seen, back, evidence = x.vectors[2], x.vectors[3], x.rates[0]
    weigh_in(c, x, i + 1, x.reals[i + 1, size : 2 * size], evidence, seen)
    backward(m, seen, c.ints[i + 1, C_DAY] - day, which, back)
    forward(m, x.reals[i, :size], day - c.ints[i, C_DAY], which, out)
    for s in range(size):
        out[s] *= back[s]
    scaled(out)


# -- scores ------------------------------------------------------------------------------------------------


@inner
def scored(p, h, asked, i, cut):
    """Whether an instance is held against what turned out."""
    k = h.of[i, H_PIECE]
    kind = p.of[k, P_KIND]
    if (kind != CLAIM and kind != DISPLAY) or (h.of[i, H_REACH] != OWN and h.of[i, H_REACH] != FROM_PART):
        return False
    if (
        p.of[k, P_KNOWN] > cut
        or h.of[i, H_UNCHANGED]
        or p.of[k, P_STATE] < 0
        or asked.names[p.of[k, P_STATE], N_STATE] < 0
    ):
        return False
    against_evidence = (
        kind == CLAIM and (p.of[k, P_ACT] == DENIES or p.of[k, P_ACT] == DOUBTS) and p.of[k, P_OF_EVIDENCE]
    )
    return not against_evidence


@inner
def look(p, i, k):
    """The ``k``-th day on which a piece is held against the beliefs."""
    parts = LOOKS if p.of[i, P_VALID_KIND] == WITHIN else 2
    return np.int64(p.of[i, P_LO]) + (np.int64(p.of[i, P_HI]) - p.of[i, P_LO]) * k // parts


@inner
def looks(p, i):
    if p.of[i, P_LO] == p.of[i, P_HI]:
        return 1
    return LOOKS + 1 if p.of[i, P_VALID_KIND] == WITHIN else 3


@inner
def said_of(p, asked, i, reach):
    """(0 is / 1 not / 2 part, state) that a piece says, for scoring: doubts as denials, predictions as if
    asserted."""
    state = asked.names[p.of[i, P_STATE], N_STATE]
    claims = p.of[i, P_KIND] == CLAIM
    if p.of[i, P_NEGATED] or (claims and (p.of[i, P_ACT] == DENIES or p.of[i, P_ACT] == DOUBTS)):
        return 1, state
    if (p.of[i, P_PART] or reach == FROM_PART) and state < asked.sizes[1]:
        return 2, state
    return 0, state


@inner
def truth_of(p, h, c, m, asked, x, i, start, first, at_first, belief):
    """The probability that an instance was right; −1 where nobody else speaks."""
    if first < 0:
        return -1.0
    k = h.of[i, H_PIECE]
    size = asked.sizes[0]
    how, state = said_of(p, asked, k, h.of[i, H_REACH])
    within = p.of[k, P_VALID_KIND] == WITHIN
    total, best, worst, count = 0.0, -1.0, 2.0, 0
    previous = np.int64(-1)
    for n in range(looks(p, k)):
        day = look(p, k, n)
        if day == previous:
            continue
        previous = day
        if day < first:
            backward(m, at_first, first - day, 0, belief)
        else:
            belief_on(c, m, x, start, day, belief)
        if how == 1:
            right = 1.0 - belief[state]
        elif how == 2:
            of_part = foretold(p, h, i) and h.of[i, H_REACH] == FROM_PART
            right = belief[state] + (0.5 if of_part else 1.0) * belief[size - 1]
        else:
            right = belief[state]
        total += right
        best = max(best, right)
        worst = min(worst, right)
        count += 1
    if within:
        return worst if how == 1 else best
    return total / count


@entry
def score(p, h, c, asked, m, cut, settled, by_source, x, beta, tree, leaves, sources, scores):
    """Scores of every source that said something at the spot, known by ``cut``.

    ``settled``: from which belief on a claim counts as confirmed, up to which as refuted. ``sources`` and
    ``scores`` (n, 19) are filled; returns how many. ``by_source`` is scratch, −1.
    """
    n, size = h.of.shape[0], asked.sizes[0]
    many = np.int64(0)
    local = np.full(n, -1)
    for i in range(n):
        if scored(p, h, asked, i, cut):
            source = p.of[h.of[i, H_PIECE], P_SOURCE]
            if by_source[source] < 0:
                by_source[source] = many
                sources[many] = source
                many += 1
            local[i] = by_source[source]
    for k in range(many):
        by_source[sources[k]] = -1
    if many == 0:
        return many
    points = c.at[0]
    if points:
        believe(c, m, points - 1)
        look_back(c, m, beta)
        build_tree(c, m, tree, leaves)
    begins, by = grouped(local, many)
    speaker_first, speakers, speaker_source = by_speaker(p, h, by_source)
    follower_first, followers = followed(h)
    starts = beginnings(p, h)
    ruled = first_ruled(p, h, cut)
    doubted = doubted_now(h)
    without = np.zeros(n, np.uint8)
    left = np.zeros(by_source.shape[0], np.uint8)
    said, held = np.zeros(size, np.int64), np.zeros(size, np.int64)
    out, gone = np.empty(n, np.int64), np.int64(0)
    touched = np.empty(n, np.int64)
    is_touched = np.zeros(n, np.uint8)
    belief, at_first = np.empty(size), np.empty(size)
    silenced = np.empty(by_source.shape[0], np.int64)
    marks, who, following = occasions(p, h, asked, local)
    ahead, later = np.empty((points, size)), np.empty((points, size))
    wrong = np.empty(n, np.int64)
    for k in range(many):
        quiet = silence(p, asked, h, sources[k], speaker_first, speakers, speaker_source, cut, left, silenced)
        gone = np.int64(0)
        for q in range(quiet):
            source = by_source_of(speaker_source, silenced[q])
            if source < 0:
                continue
            for t in range(speaker_first[source], speaker_first[source + 1]):
                if counts_for(p, h, speakers[t], cut):
                    out[gone] = speakers[t]
                    without[speakers[t]] = 1
                    gone += 1
        first = ruled
        for t in range(starts.shape[0]):
            if not left[p.of[h.of[starts[t], H_PIECE], P_SOURCE]]:
                lo = np.int64(p.of[h.of[starts[t], H_PIECE], P_LO])
                first = lo if first < 0 else min(first, lo)
                break
        start = np.int64(0)
        if points:
            for q in range(gone):
                leave_out(p, h, c, asked, x, out[q])
            t = np.int64(0)
            for q in range(gone):
                for f in range(follower_first[out[q]], follower_first[out[q] + 1]):
                    t = touch(h, followers[f], without, is_touched, touched, t)
            for q in range(doubted.shape[0]):
                e = doubted[q]
                lifted = True
                for d in range(h.of[e, H_DOUBTERS_FROM], h.of[e, H_DOUBTERS_TO]):
                    if h.lists[d, 1] and (h.lists[d, 0] < 0 or not without[h.lists[d, 0]]):
                        lifted = False
                if lifted or without[e]:
                    t = touch(h, e, without, is_touched, touched, t)
                    for f in range(h.of[e, H_LEANERS_FROM], h.of[e, H_LEANERS_TO]):
                        t = touch(h, h.lists[f, 0], without, is_touched, touched, t)
            for q in range(t):
                is_touched[touched[q]] = 0
                say_instead(p, h, c, asked, x, touched[q], without, said, held)
            early = False
            for q in range(begins[k], begins[k + 1]):
                piece = h.of[by[q], H_PIECE]
                for one in range(looks(p, piece)):
                    day = look(p, piece, one)
                    if first >= 0 and day >= first:
                        ask(c, x, day)
                    else:
                        early = True
            if early and first >= 0:
                ask(c, x, first)
            start = run(c, m, x, beta, tree, leaves)
            if early and first >= 0:
                belief_on(c, m, x, start, first, at_first)
        elif first >= 0:
            at_first[:] = 1.0 / size
        refuted = np.int64(0)
        for q in range(begins[k], begins[k + 1]):
            i = by[q]
            if points:
                right = truth_of(p, h, c, m, asked, x, i, start, first, at_first, belief)
            else:
                right = -1.0 if first < 0 else even(p, h, asked, i)
            outcome = book(p, h, asked, i, right, cut, settled, scores[k])
            if foretold(p, h, i):
                continue
            if outcome == CONFIRMED:
                lead(p, h, asked, i, marks, who, following, left, scores[k])
            elif outcome == REFUTED and said_of(p, asked, h.of[i, H_PIECE], h.of[i, H_REACH])[0] != 1:
                wrong[refuted] = i
                refuted += 1
        if refuted and points and first >= 0:
            premature(
                p, h, c, m, asked, x, beta, tree, leaves, wrong, refuted, start, first, cut, settled[0],
                ahead, later, belief, scores[k],
            )  # fmt: skip
        if points:
            clear(x)
        for q in range(gone):
            without[out[q]] = 0
        for q in range(quiet):
            left[silenced[q]] = 0
    return many


@inner
def foretold(p, h, i):
    """Whether an instance is a prediction."""
    k = h.of[i, H_PIECE]
    return p.of[k, P_KIND] == CLAIM and p.of[k, P_ACT] == PREDICTS


@inner
def even(p, h, asked, i):
    """How right an instance is where every state is as likely."""
    size = asked.sizes[0]
    how, _ = said_of(p, asked, h.of[i, H_PIECE], h.of[i, H_REACH])
    if how == 1:
        return 1.0 - 1.0 / size
    return (2.0 if how == 2 else 1.0) / size


@jit
def look_back(c, m, beta):
    """What all later breakpoints say about each."""
    n, size = c.at[0], (c.ints.shape[1] - C_EVIDENCE) // 2
    seen = np.empty(size)
    for s in range(size):
        beta[n - 1, s] = 1.0 / size
    for i in range(n - 2, -1, -1):
        weighed_at(c, i + 1, beta[i + 1], seen)
        backward(m, seen, c.ints[i + 1, C_DAY] - c.ints[i, C_DAY], in_force(c, m, i), beta[i])


@jit
def grouped(local, many):
    """Instances by group: where each begins, and the instances in order."""
    counts = np.zeros(many + 1, np.int64)
    for i in range(local.shape[0]):
        if local[i] >= 0:
            counts[local[i] + 1] += 1
    for k in range(many):
        counts[k + 1] += counts[k]
    found = np.empty(counts[many], np.int64)
    filled = counts.copy()
    for i in range(local.shape[0]):
        if local[i] >= 0:
            found[filled[local[i]]] = i
            filled[local[i]] += 1
    return counts, found


@jit
def by_speaker(p, h, by_source):
    """(lists, instances, sources): what each source says here. Sources in ascending order of their code."""
    n = h.of.shape[0]
    local = np.full(n, -1)
    sources = np.empty(n, np.int64)
    many = np.int64(0)
    for i in range(n):
        source = p.of[h.of[i, H_PIECE], P_SOURCE]
        if source >= 0 and h.of[i, H_REACH] != BESIDE and by_source[source] < 0:
            by_source[source] = 1
            sources[many] = source
            many += 1
    ordered = np.sort(sources[:many])
    for k in range(many):
        by_source[ordered[k]] = k
    for i in range(n):
        source = p.of[h.of[i, H_PIECE], P_SOURCE]
        if source >= 0 and h.of[i, H_REACH] != BESIDE:
            local[i] = by_source[source]
    for k in range(many):
        by_source[ordered[k]] = -1
    first, found = grouped(local, many)
    return first, found, ordered


@inner
def counts_for(p, h, i, cut):
    """Whether an instance would be missed: it is heard, or doubts evidence."""
    k = h.of[i, H_PIECE]
    if h.of[i, H_HEARD]:
        return True
    doubting = (
        p.of[k, P_KIND] == CLAIM
        and p.of[k, P_OF_EVIDENCE]
        and (p.of[k, P_ACT] == DENIES or p.of[k, P_ACT] == DOUBTS)
    )
    return doubting and p.of[k, P_KNOWN] <= cut


@inner
def by_source_of(sources, source):
    """Where a source stands in an ascending list; −1 where it does not."""
    low, high = 0, sources.shape[0]
    while low < high:
        middle = (low + high) >> 1
        if sources[middle] < source:
            low = middle + 1
        else:
            high = middle
    return low if low < sources.shape[0] and sources[low] == source else -1


@inner
def silence(p, asked, h, source, first, speakers, speaker_source, cut, left, silenced):
    """Who is left out to judge a source: itself, those linked with it, and whoever carried any of them here.
    Returns how many were put into ``silenced``."""
    quiet = np.int64(0)
    for turn in range(asked.names[source, N_LINKS_FROM] - 1, asked.names[source, N_LINKS_TO]):
        voice = source if turn < asked.names[source, N_LINKS_FROM] else asked.links[turn]
        if not left[voice]:
            left[voice] = 1
            silenced[quiet] = voice
            quiet += 1
    voices = quiet
    for q in range(voices):
        local = by_source_of(speaker_source, silenced[q])
        if local < 0:
            continue
        for t in range(first[local], first[local + 1]):
            k = h.of[speakers[t], H_PIECE]
            for one in range(p.of[k, P_CARRIER_FROM], p.of[k, P_CARRIER_TO]):
                carrier = p.lists[one, 1]
                if p.lists[one, 0] <= cut and not left[carrier]:
                    left[carrier] = 1
                    silenced[quiet] = carrier
                    quiet += 1
    return quiet


@inner
def touch(h, j, without, is_touched, touched, t):
    if h.of[j, H_SPOKEN] and not without[j] and not is_touched[j]:
        is_touched[j] = 1
        touched[t] = j
        t += 1
    return t


@jit
def followed(h):
    """Instance → those that repeat it."""
    local = np.full(h.of.shape[0], -1)
    for i in range(h.of.shape[0]):
        if h.of[i, H_SPOKEN]:
            local[i] = h.of[i, H_REPEATS]
    return grouped(local, h.of.shape[0])


@jit
def beginnings(p, h):
    """What is heard, by the first day it speaks of."""
    some = np.empty(h.of.shape[0], np.int64)
    lo = np.empty(h.of.shape[0], np.int64)
    many = np.int64(0)
    for i in range(h.of.shape[0]):
        if h.of[i, H_HEARD]:
            some[many] = i
            lo[many] = p.of[h.of[i, H_PIECE], P_LO]
            many += 1
    return some[:many][np.argsort(lo[:many], kind="mergesort")]


@inner
def first_ruled(p, h, cut):
    """The first day that a ruling known by then speaks of; −1 for none."""
    found = np.int64(-1)
    for i in range(h.of.shape[0]):
        k = h.of[i, H_PIECE]
        if p.of[k, P_KIND] == RULING and p.of[k, P_KNOWN] <= cut:
            lo = np.int64(p.of[k, P_LO])
            found = lo if found < 0 else min(found, lo)
    return found


@jit
def doubted_now(h):
    """Evidence that is doubted."""
    found = np.empty(h.of.shape[0], np.int64)
    many = np.int64(0)
    for i in range(h.of.shape[0]):
        for d in range(h.of[i, H_DOUBTERS_FROM], h.of[i, H_DOUBTERS_TO]):
            if h.lists[d, 1]:
                found[many] = i
                many += 1
                break
    return found[:many]


@inner
def book(p, h, asked, i, right, cut, settled, row):
    """Put what became of one instance into its source's score; returns which column that is."""
    k = h.of[i, H_PIECE]
    outcome = OPEN
    verdict = -1
    latest = np.int64(-1)
    for v in range(p.of[k, P_VERDICT_FROM], p.of[k, P_VERDICT_TO]):
        if p.lists[v, 0] <= cut and p.lists[v, 0] >= latest:
            latest = p.lists[v, 0]
            verdict = p.lists[v, 1]
    predicts = foretold(p, h, i)
    if verdict >= 0:
        outcome = CONFIRMED if verdict == 0 else REFUTED if verdict == 1 else OPEN
        right = 1.0 if verdict == 0 else 0.0
    elif right >= 0.0 and not (predicts and p.of[k, P_HI] > cut // DAY_US + EPOCH):
        if right >= settled[0]:
            outcome = CONFIRMED
        elif right <= settled[1]:
            outcome = REFUTED
    if predicts:
        row[PREDICTIONS] += 1
        row[KEPT] += outcome == CONFIRMED
        row[BROKEN] += outcome == REFUTED
        return outcome
    row[UTTERANCES] += 1
    row[WITHDRAWN] += p.of[k, P_RETRACTED] <= cut
    row[outcome] += 1
    if outcome != OPEN:
        doubts = p.of[k, P_KIND] == CLAIM and p.of[k, P_ACT] == DOUBTS
        missed = (DOUBTED if doubts else 1.0) - right
        row[ERROR] += np.int64(missed * missed * ERROR_UNIT + 0.5)
    side = h.of[i, H_RELATION]
    how, state = said_of(p, asked, k, h.of[i, H_REACH])
    if side < 0 or state >= asked.sizes[1]:
        return outcome
    own = (state == side) == (how != 1)
    row[OWN_INTEREST if own else AGAINST_INTEREST] += 1
    if outcome == CONFIRMED:
        row[OWN_CONFIRMED if own else AGAINST_CONFIRMED] += 1
    elif outcome == REFUTED:
        row[OWN_REFUTED if own else AGAINST_REFUTED] += 1
    return outcome


# -- how early a source spoke ------------------------------------------------------------------------------


@inner
def proposition(p, h, asked, i):
    """What an instance says, without when, in one number."""
    k = h.of[i, H_PIECE]
    reach = h.of[i, H_REACH]
    how, state = said_of(p, asked, k, reach)
    part = np.int64(p.of[k, P_PLACE]) + 1 if reach == FROM_PART else np.int64(0)
    return (part * 3 + how) * np.int64(asked.sizes[0]) + state


@jit
def occasions(p, h, asked, local):
    """Everything said, in order of proposition and day: marks of both in one number, who said it, and where the
    next one stands that somebody else said."""
    marks = np.empty(local.shape[0], np.int64)
    who = np.empty(local.shape[0], np.int64)
    n = np.int64(0)
    for i in range(local.shape[0]):
        if local[i] >= 0 and not foretold(p, h, i):
            marks[n] = (proposition(p, h, asked, i) << DAY_BITS) + p.of[h.of[i, H_PIECE], P_SAID]
            who[n] = p.of[h.of[i, H_PIECE], P_SOURCE]
            n += 1
    order = np.argsort(marks[:n], kind="mergesort")
    marks, who = marks[order], who[order]
    following = np.empty(n, np.int64)
    for k in range(n - 1, -1, -1):
        following[k] = following[k + 1] if k + 1 < n and who[k + 1] == who[k] else k + 1
    return marks, who, following


@inner
def lead(p, h, asked, i, marks, who, following, left, row):
    """Count by how many days what was said was ahead of others, if it was. ``left``: sources that are no others."""
    said = (proposition(p, h, asked, i) << DAY_BITS) + p.of[h.of[i, H_PIECE], P_SAID]
    low, high = np.int64(0), np.int64(marks.shape[0])
    while low < high:
        middle = (low + high) >> 1
        if marks[middle] < said:
            low = middle + 1
        else:
            high = middle
    if low > 0 and marks[low - 1] >= said - LEAD_WITHIN:
        return
    while low < marks.shape[0] and marks[low] <= said + LEAD_WITHIN and left[who[low]]:
        low = following[low]
    if low < marks.shape[0] and said < marks[low] <= said + LEAD_WITHIN:
        row[LEADS] += 1
        row[LEAD_DAYS] += marks[low] - said


@inner
def copied(vector, out):
    for s in range(out.shape[0]):
        out[s] = vector[s]


@inner
def walk(c, m, x, beta, tree, leaves, start, a, z, ahead, later):
    """Beliefs of a scenario that was run, at every breakpoint from ``a`` to ``z``: ``ahead`` after the day's
    evidence, ``later`` what all later days say. ``a`` was noted, or is where the scenario starts."""
    size = (c.ints.shape[1] - C_EVIDENCE) // 2
    evidence, stack = x.rates[0], x.stack
    temp, state, seen = x.vectors[0], x.vectors[1], x.vectors[2]
    many = x.points[x.points.shape[0] - 1]
    following = np.int64(-1)
    for k in range(many - 1, -1, -1):
        if x.points[k] < z:
            break
        following = x.points[k]
    if following < 0:
        copied(beta[z], later[z])
    elif following == z:
        copied(x.reals[z, size : 2 * size], later[z])
    else:
        weigh_in(c, x, following, x.reals[following, size : 2 * size], evidence, seen)
        if following > z + 1:
            against(tree, leaves, z + 1, following, seen, temp, stack)
        move_back(c, m, x, z, seen, later[z])
    for i in range(z - 1, a - 1, -1):
        if x.ints[i, X_NOTED]:
            copied(x.reals[i, size : 2 * size], later[i])
        else:
            weigh_in(c, x, i + 1, later[i + 1], evidence, seen)
            move_back(c, m, x, i, seen, later[i])
    if x.ints[a, X_NOTED]:
        copied(x.reals[a, :size], ahead[a])
    else:
        copied(c.reals[a, size : 2 * size], ahead[a])
    for i in range(a + 1, z + 1):
        if x.ints[i, X_NOTED]:
            copied(x.reals[i, :size], ahead[i])
        else:
            move(c, m, x, i - 1, ahead[i - 1], state)
            weigh_in(c, x, i, state, evidence, ahead[i])


@inner
def rightly(how, state, belief):
    """How right it is to say that a state holds, or (2) part of it."""
    return belief[state] + belief[belief.shape[0] - 1] if how == 2 else belief[state]


@inner
def walked_on(c, m, x, start, day, ahead, later, out):
    """The hindsight belief on a day among breakpoints that were walked over."""
    size = out.shape[0]
    i = find(c, day + 1) - 1
    if i < start:
        out[:] = 1.0 / size
        return
    if c.ints[i, C_DAY] == day:
        for s in range(size):
            out[s] = ahead[i, s] * later[i, s]
    elif i + 1 == c.at[0]:
        forward(m, ahead[i], day - c.ints[i, C_DAY], combined(c, m, x, i), out)
    else:
        which = combined(c, m, x, i)
        seen, back, evidence = x.vectors[2], x.vectors[3], x.rates[0]
        weigh_in(c, x, i + 1, later[i + 1], evidence, seen)
        backward(m, seen, c.ints[i + 1, C_DAY] - day, which, back)
        forward(m, ahead[i], day - c.ints[i, C_DAY], which, out)
        for s in range(size):
            out[s] *= back[s]
    scaled(out)


@inner
def premature(
    p, h, c, m, asked, x, beta, tree, leaves, wrong, refuted, start, first, cut, settled,
    ahead, later, belief, row,
):  # fmt: skip
    """Count the refuted statements of a source that came true later, and by how many days."""
    today = cut // DAY_US + EPOCH
    lowest, highest = np.int64(p.of[h.of[wrong[0], H_PIECE], P_HI]), np.int64(0)
    for q in range(refuted):
        said = np.int64(p.of[h.of[wrong[q], H_PIECE], P_HI])
        lowest, highest = min(lowest, said), max(highest, said)
    a = max(find(c, lowest + 1) - 1, start)
    z = min(find(c, min(highest + PREMATURE_WITHIN, today)), c.at[0] - 1)
    while a > start and not x.ints[a, X_NOTED]:
        a -= 1
    if z < a:
        return
    walk(c, m, x, beta, tree, leaves, start, a, z, ahead, later)
    for q in range(refuted):
        k = h.of[wrong[q], H_PIECE]
        said = np.int64(p.of[k, P_HI])
        how, state = said_of(p, asked, k, h.of[wrong[q], H_REACH])
        low, last = max(said, first - 1), min(said + PREMATURE_WITHIN, today)
        if said >= first:
            walked_on(c, m, x, start, said, ahead, later, belief)
            if rightly(how, state, belief) >= settled:
                continue
        while low < last:
            high = min(low + LOOK, last)
            walked_on(c, m, x, start, high, ahead, later, belief)
            if rightly(how, state, belief) < settled:
                low = high
                continue
            while high - low > 1:
                middle = (low + high) // 2
                walked_on(c, m, x, start, middle, ahead, later, belief)
                if rightly(how, state, belief) >= settled:
                    high = middle
                else:
                    low = middle
            row[PREMATURE] += 1
            row[PREMATURE_DAYS] += high - said
            break
