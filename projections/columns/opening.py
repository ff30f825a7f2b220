"""A spot made ready to be heard: which pieces speak of it, in which circles they repeat each other, what leans
on what, and everything that will become known in order.

Executed twice, plain and compiled (see ``modes``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from projections.columns.shapes import (
    ADJUDICATED,
    BESIDE,
    D_ITEMS_FROM,
    D_ITEMS_TO,
    D_PLACE,
    D_RUNNING,
    D_SOURCE,
    DISPELLED,
    DOUBTED,
    H_CIRCLE,
    H_DISPLAY,
    H_DOUBTERS_FROM,
    H_DOUBTERS_TO,
    H_GROUNDS_FROM,
    H_GROUNDS_TO,
    H_LABEL,
    H_LEANERS_FROM,
    H_LEANERS_TO,
    H_OTHER_CIRCLE,
    H_OTHER_PLACE_IN,
    H_PIECE,
    H_PLACE_IN,
    H_RANK,
    H_REACH,
    H_RELATION,
    H_REPEATS,
    H_SHOWS,
    H_SPEAKS,
    H_VOICE,
    H_WIDTH,
    HEARD,
    N_LINKS_FROM,
    N_LINKS_TO,
    N_RELATION,
    N_SHOWS,
    N_SPEAKS,
    N_STATE,
    NEVER,
    OWN,
    P_ACT,
    P_DOUBT_FROM,
    P_DOUBT_TO,
    P_GROUND_FROM,
    P_GROUND_TO,
    P_HI,
    P_ID_HIGH,
    P_ID_LOW,
    P_KIND,
    P_KNOWN,
    P_LO,
    P_NEGATED,
    P_OF_EVIDENCE,
    P_ORDER_KNOWN,
    P_PART,
    P_PLACE,
    P_POSITION,
    P_RETRACTED,
    P_SAID,
    P_SOURCE,
    P_STATE,
    P_VERDICT_FROM,
    P_VERDICT_TO,
    P_VOICE,
    P_VOIDED,
    RETRACTED,
    RULED,
    UNRULED,
    VOIDED,
)
from projections.envelopes.shape import CLAIM, DISPLAY, EVIDENCE, OBSERVATION, RULING, WITHDRAWAL

if TYPE_CHECKING:
    from projections.columns.hearing import days_of, holds, read

jit: Any = globals().get("jit", lambda function: function)
inner: Any = globals().get("inner", jit)
entry: Any = globals().get("entry", jit)


@entry
def instances(p, ranges, reaches, beside):
    """Pieces that concern a spot and how, by position. ``ranges`` (n, 2) are stretches of pieces with one reach
    each; ``beside`` evidence elsewhere. Rulings count on their own place only."""
    n = np.int64(0)
    for r in range(ranges.shape[0]):
        for i in range(ranges[r, 0], ranges[r, 1]):
            if p.of[i, P_KIND] != RULING or reaches[r] == OWN:
                n += 1
    total = n + beside.shape[0]
    piece, reach = np.empty(total, np.int64), np.empty(total, np.int64)
    n = np.int64(0)
    for r in range(ranges.shape[0]):
        for i in range(ranges[r, 0], ranges[r, 1]):
            if p.of[i, P_KIND] != RULING or reaches[r] == OWN:
                piece[n] = i
                reach[n] = reaches[r]
                n += 1
    for k in range(beside.shape[0]):
        piece[n] = beside[k]
        reach[n] = BESIDE
        n += 1
    position = np.empty(total, np.int64)
    sorted_already = True
    for k in range(total):
        position[k] = p.of[piece[k], P_POSITION]
        if k and position[k] < position[k - 1]:
            sorted_already = False
    if sorted_already:
        return piece, reach
    order = np.argsort(position, kind="mergesort")
    return piece[order], reach[order]


@jit
def ranked(p, piece, claims):
    """Claims (instances) in the order in which they were said: day said, known, id."""
    n = claims.shape[0]
    known = np.empty(n, np.int64)
    for k in range(n):
        known[k] = p.of[piece[claims[k]], P_ORDER_KNOWN]
    order = claims[np.argsort(known, kind="mergesort")]
    said = np.empty(n, np.int64)
    for k in range(n):
        said[k] = p.of[piece[order[k]], P_SAID]
    order = order[np.argsort(said, kind="mergesort")]
    for k in range(1, n):
        one = order[k]
        a = piece[one]
        j = k - 1
        while j >= 0:
            b = piece[order[j]]
            if p.of[b, P_SAID] != p.of[a, P_SAID] or p.of[b, P_ORDER_KNOWN] != p.of[a, P_ORDER_KNOWN]:
                break
            high, low = p.of[b, P_ID_HIGH], p.of[b, P_ID_LOW]
            if high < p.of[a, P_ID_HIGH] or (high == p.of[a, P_ID_HIGH] and low <= p.of[a, P_ID_LOW]):
                break
            order[j + 1] = order[j]
            j -= 1
        order[j + 1] = one
    return order


@jit
def compressed(counts):
    """Where each list begins, from how long each is."""
    first = np.zeros(counts.shape[0] + 1, np.int64)
    for k in range(counts.shape[0]):
        first[k + 1] = first[k] + counts[k]
    return first


@jit
def circles(p, asked, piece, order, by_source):
    """(circle of each instance twice, place in them twice, lists, whose they are): the claims that may repeat
    each other, in order. A side's claims are one circle, of a source without a side its own; those of linked
    sources stand in a circle of their own besides."""
    n = piece.shape[0]
    circle, place_in = np.full((n, 2), -1), np.full((n, 2), -1)
    whose = np.empty(2 * order.shape[0] + 1, np.int64)
    counts = np.zeros(2 * order.shape[0] + 1, np.int64)
    sides = np.full(asked.sizes[1] + 1, -1)
    many = np.int64(0)
    for k in range(order.shape[0]):
        i = order[k]
        source = p.of[piece[i], P_SOURCE]
        side = asked.names[source, N_RELATION]
        linked = asked.names[source, N_LINKS_TO] > asked.names[source, N_LINKS_FROM]
        for turn in range(2):
            if turn == 1 and not (linked and side >= 0):
                continue
            of_side = turn == 0 and side >= 0
            found = sides[side] if of_side else by_source[source]
            if found < 0:
                found = many
                whose[many] = -1 - side if of_side else source
                if of_side:
                    sides[side] = many
                else:
                    by_source[source] = many
                many += 1
            circle[i, turn] = found
            counts[found] += 1
    first = compressed(counts[:many])
    members = np.empty(first[many], np.int64)
    filled = first.copy()
    for k in range(order.shape[0]):
        i = order[k]
        for turn in range(2):
            found = circle[i, turn]
            if found >= 0:
                members[filled[found]] = i
                place_in[i, turn] = filled[found]
                filled[found] += 1
    for k in range(many):
        if whose[k] >= 0:
            by_source[whose[k]] = -1
    return circle, place_in, first, members, whose[:many].copy()


@jit
def grounds(p, piece, reach, at):
    """Evidence that each instance leans on, however indirectly; evidence leans on itself. ``at``: piece →
    instance."""
    n = piece.shape[0]
    counts = np.zeros(n, np.int64)
    room = np.int64(64)
    found = np.empty(room, np.int64)
    total = np.int64(0)
    for i in range(n):
        begun = total
        if p.of[piece[i], P_KIND] == EVIDENCE:
            if total == room:
                room *= 2
                more = np.empty(room, np.int64)
                more[:total] = found[:total]
                found = more
            found[total] = i
            total += 1
        elif p.of[piece[i], P_GROUND_TO] == p.of[piece[i], P_GROUND_FROM]:
            continue
        looked = begun - 1
        now = i
        while True:
            for k in range(p.of[piece[now], P_GROUND_FROM], p.of[piece[now], P_GROUND_TO]):
                e = at[p.lists[k, 1]]
                known = e < 0
                for j in range(begun, total):
                    if found[j] == e:
                        known = True
                if not known:
                    if total == room:
                        room *= 2
                        more = np.empty(room, np.int64)
                        more[:total] = found[:total]
                        found = more
                    found[total] = e
                    total += 1
            looked += 1
            if looked == begun and p.of[piece[i], P_KIND] == EVIDENCE:
                looked += 1
            if looked >= total:
                break
            now = found[looked]
        counts[i] = total - begun
    return compressed(counts), found[:total].copy()


@jit
def leaning(first, of, n, piece, p, reach):
    """The same the other way round: evidence → those that lean on it, itself left out."""
    counts = np.zeros(n, np.int64)
    for i in range(n):
        if reach[i] == BESIDE:
            continue
        for k in range(first[i], first[i + 1]):
            if of[k] != i:
                counts[of[k]] += 1
    begins = compressed(counts)
    filled = begins.copy()
    found = np.empty(begins[n], np.int64)
    for i in range(n):
        if reach[i] == BESIDE:
            continue
        for k in range(first[i], first[i + 1]):
            if of[k] != i:
                found[filled[of[k]]] = i
                filled[of[k]] += 1
    return begins, found


@jit
def doubters(p, piece, at):
    """Evidence → the instances that doubt it, −1 for those who did so elsewhere; from when and until when."""
    n = piece.shape[0]
    counts = np.zeros(n, np.int64)
    for i in range(n):
        if p.of[piece[i], P_KIND] == EVIDENCE:
            counts[i] = p.of[piece[i], P_DOUBT_TO] - p.of[piece[i], P_DOUBT_FROM]
    first = compressed(counts)
    by = np.empty(first[n], np.int64)
    known = np.empty(first[n], np.int64)
    until = np.empty(first[n], np.int64)
    for i in range(n):
        if counts[i] == 0:
            continue
        for k in range(counts[i]):
            one = p.of[piece[i], P_DOUBT_FROM] + k
            doubter = p.lists[one, 1]
            d = first[i] + k
            by[d] = at[doubter]
            known[d] = max(p.lists[one, 0], p.of[doubter, P_KNOWN])
            until[d] = NEVER
            if p.of[doubter, P_RETRACTED] < NEVER:
                until[d] = max(p.of[doubter, P_RETRACTED], p.lists[one, 0])
    return first, by, known, until


@jit
def displays(p, piece, place_rank):
    """(display of each instance, whose, of which place, lists of items): one for each place that a source
    displays, in order of source and place; looks at all it displays belong to every one of them."""
    n = piece.shape[0]
    display = np.full(n, -1)
    sources, places = np.empty(n, np.int64), np.empty(n, np.int64)
    many = np.int64(0)
    items = np.int64(0)
    for i in range(n):
        kind = p.of[piece[i], P_KIND]
        if kind != DISPLAY and kind != WITHDRAWAL and kind != OBSERVATION:
            continue
        items += 1
        place = p.of[piece[i], P_PLACE]
        if place < 0:
            continue
        source = p.of[piece[i], P_SOURCE]
        low = np.int64(0)
        while low < many and (
            sources[low] < source or (sources[low] == source and place_rank[places[low]] < place_rank[place])
        ):
            low += 1
        if low == many or sources[low] != source or places[low] != place:
            for k in range(many, low, -1):
                sources[k] = sources[k - 1]
                places[k] = places[k - 1]
            sources[low] = source
            places[low] = place
            many += 1
    counts = np.zeros(many, np.int64)
    if items:
        for i in range(n):
            kind = p.of[piece[i], P_KIND]
            if kind != DISPLAY and kind != WITHDRAWAL and kind != OBSERVATION:
                continue
            for d in range(many):
                if sources[d] == p.of[piece[i], P_SOURCE]:
                    if p.of[piece[i], P_PLACE] == places[d]:
                        display[i] = d
                        counts[d] += 1
                    elif p.of[piece[i], P_PLACE] < 0:
                        counts[d] += 1
    first = compressed(counts)
    found = np.empty(first[many], np.int64)
    filled = first.copy()
    if items:
        for i in range(n):
            kind = p.of[piece[i], P_KIND]
            if kind != DISPLAY and kind != WITHDRAWAL and kind != OBSERVATION:
                continue
            for d in range(many):
                if sources[d] == p.of[piece[i], P_SOURCE] and (
                    display[i] == d or p.of[piece[i], P_PLACE] < 0
                ):
                    found[filled[d]] = i
                    filled[d] += 1
        for d in range(many):
            some = found[first[d] : first[d + 1]]
            known = np.empty(some.shape[0], np.int64)
            for k in range(some.shape[0]):
                known[k] = p.of[piece[some[k]], P_KNOWN]
            found[first[d] : first[d + 1]] = some[np.argsort(known, kind="mergesort")]
    return display, sources[:many].copy(), places[:many].copy(), first, found


@jit
def happenings(p, piece, reach, doubt_first, doubt_known, doubt_until):
    """Everything that becomes known, in order: moments, acts, instances, and what else belongs to it."""
    n = piece.shape[0]
    room = np.int64(0)
    for i in range(n):
        room += 5 + p.of[piece[i], P_VERDICT_TO] - p.of[piece[i], P_VERDICT_FROM]
        room += 2 * (doubt_first[i + 1] - doubt_first[i])
    known, act = np.empty(room, np.int64), np.empty(room, np.int64)
    who, extra = np.empty(room, np.int64), np.empty(room, np.int64)
    m = np.int64(0)
    for rank in range(3):
        for i in range(n):
            k = piece[i]
            ruling, beside = p.of[k, P_KIND] == RULING, reach[i] == BESIDE
            if rank == 0 and not ruling and not beside:
                known[m], act[m], who[m], extra[m] = p.of[k, P_KNOWN], HEARD, i, 0
                m += 1
            if rank == 1:
                if ruling:
                    known[m], act[m], who[m], extra[m] = p.of[k, P_KNOWN], RULED, i, 0
                    m += 1
                    continue
                if not beside:
                    if p.of[k, P_RETRACTED] < NEVER:
                        known[m], act[m], who[m], extra[m] = p.of[k, P_RETRACTED], RETRACTED, i, 0
                        m += 1
                    for v in range(p.of[k, P_VERDICT_FROM], p.of[k, P_VERDICT_TO]):
                        known[m], act[m], who[m], extra[m] = p.lists[v, 0], ADJUDICATED, i, p.lists[v, 1]
                        m += 1
                if p.of[k, P_KIND] == EVIDENCE:
                    for d in range(doubt_first[i], doubt_first[i + 1]):
                        known[m], act[m], who[m], extra[m] = doubt_known[d], DOUBTED, i, d
                        m += 1
                    if p.of[k, P_VOIDED] < NEVER:
                        known[m], act[m], who[m], extra[m] = p.of[k, P_VOIDED], VOIDED, i, 0
                        m += 1
            if rank == 2:
                if ruling and p.of[k, P_RETRACTED] < NEVER:
                    known[m], act[m], who[m], extra[m] = p.of[k, P_RETRACTED], UNRULED, i, 0
                    m += 1
                for d in range(doubt_first[i], doubt_first[i + 1]):
                    if doubt_until[d] < NEVER:
                        known[m], act[m], who[m], extra[m] = doubt_until[d], DISPELLED, i, d
                        m += 1
    order = np.argsort(known[:m], kind="mergesort")
    return known[:m][order], act[:m][order], who[:m][order], extra[:m][order]


@entry
def room_for(p, asked, piece):
    """How many breakpoints a spot may come to have."""
    points = np.int64(8)
    first, last = np.int64(1 << 40), np.int64(0)
    for k in range(piece.shape[0]):
        i = piece[k]
        first = min(first, p.of[i, P_LO])
        last = max(last, p.of[i, P_HI])
        points += days_of(p, asked, i) + 2
        if holds(p, i):
            points += 2
    last = max(last, first)
    return min(points, last - first + 8)


@entry
def open_spot(p, factor, asked, piece, reach, place_rank, by_source, at, voices):
    """The hearing of a spot, and what will become known (moments, acts, instances, extras).

    ``factor``: a logic's own weight by piece. ``by_source``, ``at`` and ``voices`` are scratch, all −1, by
    source, piece and voice.
    """
    n, states = piece.shape[0], asked.sizes[0]
    of = np.zeros((n, H_WIDTH), np.int64)
    temper = np.ones(n)
    for i in range(n):
        at[piece[i]] = i
        of[i, H_PIECE] = piece[i]
        of[i, H_REACH] = reach[i]
        of[i, H_RELATION] = -1
        of[i, H_RANK] = -1
        of[i, H_REPEATS] = -1
        of[i, H_VOICE] = -1
    claims = np.empty(n, np.int64)
    many = np.int64(0)
    spoken_by = np.int64(0)
    for i in range(n):
        k = piece[i]
        kind, source = p.of[k, P_KIND], p.of[k, P_SOURCE]
        state = asked.names[p.of[k, P_STATE], N_STATE] if p.of[k, P_STATE] >= 0 else np.int64(-1)
        found = read(
            asked,
            kind,
            p.of[k, P_ACT],
            state,
            p.of[k, P_NEGATED] > 0,
            p.of[k, P_PART] > 0,
            p.of[k, P_OF_EVIDENCE] > 0,
            reach[i],
        )
        of[i, H_LABEL] = found[0]
        drawn = kind == DISPLAY or kind == WITHDRAWAL or kind == OBSERVATION
        temper[i] = factor[k] if drawn else found[1] * factor[k]
        if source >= 0:
            of[i, H_RELATION] = asked.names[source, N_RELATION]
            of[i, H_SPEAKS] = asked.names[source, N_SPEAKS]
            of[i, H_SHOWS] = asked.names[source, N_SHOWS]
        if kind == CLAIM and reach[i] != BESIDE:
            claims[many] = i
            many += 1
        voice = p.of[k, P_VOICE]
        if voice >= 0:
            if voices[voice] < 0:
                voices[voice] = spoken_by
                spoken_by += 1
            of[i, H_VOICE] = voices[voice]
    for i in range(n):
        if p.of[piece[i], P_VOICE] >= 0:
            voices[p.of[piece[i], P_VOICE]] = -1
    order = ranked(p, piece, claims[:many])
    for k in range(many):
        of[order[k], H_RANK] = k
    circle, place_in, circle_first, circle_of, circle_source = circles(p, asked, piece, order, by_source)
    grounds_first, ground_of = grounds(p, piece, reach, at)
    leaners_first, leaners = leaning(grounds_first, ground_of, n, piece, p, reach)
    doubters_first, doubter, doubt_known, doubt_until = doubters(p, piece, at)
    display, display_source, display_place, items_first, items = displays(p, piece, place_rank)
    known, act, who, extra = happenings(p, piece, reach, doubters_first, doubt_known, doubt_until)
    total = circle_of.shape[0] + ground_of.shape[0] + leaners.shape[0] + doubter.shape[0] + items.shape[0]
    lists = np.zeros((total, 2), np.int64)
    base = np.int64(0)
    groups = np.empty((circle_source.shape[0], 4), np.int64)
    for k in range(circle_source.shape[0]):
        groups[k, 0], groups[k, 1], groups[k, 2] = circle_source[k], circle_first[k], circle_first[k + 1]
        groups[k, 3] = circle_first[k]
    lists[: circle_of.shape[0], 0] = circle_of
    base += circle_of.shape[0]
    lists[base : base + ground_of.shape[0], 0] = ground_of
    leant = base + ground_of.shape[0]
    lists[leant : leant + leaners.shape[0], 0] = leaners
    doubted = leant + leaners.shape[0]
    lists[doubted : doubted + doubter.shape[0], 0] = doubter
    shown = doubted + doubter.shape[0]
    lists[shown : shown + items.shape[0], 0] = items
    for i in range(n):
        at[piece[i]] = -1
        of[i, H_CIRCLE], of[i, H_OTHER_CIRCLE] = circle[i, 0], circle[i, 1]
        of[i, H_PLACE_IN], of[i, H_OTHER_PLACE_IN] = place_in[i, 0], place_in[i, 1]
        of[i, H_GROUNDS_FROM], of[i, H_GROUNDS_TO] = base + grounds_first[i], base + grounds_first[i + 1]
        of[i, H_LEANERS_FROM], of[i, H_LEANERS_TO] = leant + leaners_first[i], leant + leaners_first[i + 1]
        of[i, H_DOUBTERS_FROM] = doubted + doubters_first[i]
        of[i, H_DOUBTERS_TO] = doubted + doubters_first[i + 1]
        of[i, H_DISPLAY] = display[i]
    for k in range(known.shape[0]):
        if act[k] == DOUBTED or act[k] == DISPELLED:
            extra[k] += doubted
    shows = np.zeros((display_source.shape[0], 7), np.int64)
    for d in range(display_source.shape[0]):
        shows[d, D_SOURCE], shows[d, D_PLACE], shows[d, D_RUNNING] = display_source[d], display_place[d], -1
        shows[d, D_ITEMS_FROM], shows[d, D_ITEMS_TO] = shown + items_first[d], shown + items_first[d + 1]
    weights = np.zeros((n, 3 * states), np.int64)
    few, scratch = np.zeros(5, np.int64), np.zeros((4, states), np.int64)
    arrays = of, temper, weights, lists, groups, shows, few, scratch
    return arrays, known, act, who, extra
