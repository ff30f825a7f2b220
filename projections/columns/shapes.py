"""The arrays that the numeric kernel works on, put together by what they describe.

Few arrays with named columns, since compiled code pays for each array that is handed on. Weights inside the
kernel are whole numbers of ``1/SCALE`` nats: sums of them are exact, so that neither the order in which
claims arrive nor taking one back leaves a trace in the last bit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

SCALE = float(1 << 38)
"""Fixed-point units in one nat; a day may carry some thirty million nats."""

NEVER = (1 << 62) - 1
"""A moment after all others (microseconds)."""

#: One more, or one less: of a type of their own, so that no function is compiled twice for them.
MORE, LESS = np.int64(1), np.int64(-1)

# How an entry is read at a spot: said of the place itself, of a named part of it, of its whole, or not of it at
# all (evidence elsewhere that something here leans on).
OWN, FROM_PART, FROM_WHOLE, BESIDE = range(4)

# What can become known.
HEARD, RETRACTED, ADJUDICATED, DOUBTED, VOIDED, RULED, DISPELLED, UNRULED = range(8)

TRUE, FALSE, UNVERIFIABLE = range(3)

Array = Any


class Pieces(NamedTuple):
    """Utterances, evidence, items of displays and rulings of some places.

    ``of`` (pieces, 33): columns ``P_…``. ``lists`` (n, 2): what ``…_FROM`` to ``…_TO`` point into: verdicts as
    (moment, verdict), grounds as (0, piece), doubts as (moment, doubting piece), carriers as (moment, source),
    linked sources as (0, source).
    """

    of: Array
    lists: Array


(
    P_POSITION, P_KIND, P_ACT, P_SOURCE, P_PLACE, P_STATE, P_NEGATED, P_PART, P_VALID_KIND, P_OF_EVIDENCE,
    P_LO, P_HI, P_SAID, P_KNOWN, P_ORDER_KNOWN, P_ID_HIGH, P_ID_LOW, P_RETRACTED, P_VOIDED,
    P_VERDICT_FROM, P_VERDICT_TO, P_GROUND_FROM, P_GROUND_TO, P_DOUBT_FROM, P_DOUBT_TO,
    P_CARRIER_FROM, P_CARRIER_TO, P_LINKED_FROM, P_LINKED_TO, P_VOICE,
) = range(30)  # fmt: skip
P_WIDTH = 30


class Asked(NamedTuple):
    """One question under one logic, as tables of numbers.

    ``sizes``: states, parties, labels ("nothing" comes after the last), copy window, points of an imprecise
    date, tables of voices. ``rates``: a doubt, doubted evidence, throughout, a ruling's look.
    ``numbers`` (tables, labels + 1, states): ln p(said or shown | state) of voices; behind them what a verdict of
    true and of false says, and what a ruling (by state) says.
    ``missed``, in step: 1 − p, how likely something else would have been said. ``voices`` (tables of voices, 2):
    copying, and looking again. ``names`` (codes, 6): columns ``N_…`` by code, among them which table a source
    speaks by and which it shows by. ``links``: codes of linked sources.
    """

    sizes: Array
    rates: Array
    numbers: Array
    missed: Array
    voices: Array
    names: Array
    links: Array


V_COPIES, V_LOOKS = range(2)
N_STATE, N_RELATION, N_LINKS_FROM, N_LINKS_TO, N_SPEAKS, N_SHOWS = range(6)


class Motions(NamedTuple):
    """The motion of the states: an eigenbasis for each combination of displays in force.

    ``shape`` (states + 1, states): √ of the weights of detailed
    balance, then D½·Q·D⁻½. ``steps`` (slots, states, states) and ``step_keys``: matrices of steps met before, by
    combination and days, one in a slot. ``keys`` (room, states): the summed rates of each combination of displays, in fixed
    point a day; 0 is "no display". ``bases`` (room, 2·states + 1, states): eigenvalues, vectors, and inverse.
    ``slots``: a hash table over the keys, and last how many combinations are known. ``scratch`` (2·states + 1,
    states): to work in.
    """

    shape: Array
    keys: Array
    slots: Array
    bases: Array
    steps: Array
    step_keys: Array
    scratch: Array


class Chain(NamedTuple):
    """Breakpoints of one spot in order, and what is believed there.

    ``ints`` (points, 6 + 2·states): columns ``C_…``, then the evidence of the day and the rates of the stretch
    behind it, in fixed point. ``reals`` (points, 3·states): belief moved here, and after the day's evidence, and
    how likely that evidence is under each state, up to a factor (where ``C_STALE`` is 0).
    ``at``: how many points, the first that is not valid, the first that speaks.
    """

    ints: Array
    reals: Array
    at: Array


C_DAY, C_SPEAKING, C_BEGUN, C_HELD, C_STALE, C_COMBINATION, C_EVIDENCE = range(7)


class Hearing(NamedTuple):
    """What is heard at one spot, and what it says by now. An instance is a piece as heard here.

    ``of`` (instances, 32): columns ``H_…``. ``temper``: factor on the weight of each. ``weights`` (instances,
    3·states): what it says a day, what it holds, what was ruled of it, in fixed point. ``lists`` (n, 2): what
    ``…_FROM`` and ``…_TO`` point into; of doubters the second is 1 while the doubt stands. ``circles`` (n, 4):
    whose, from, to, and to where any was ever heard. ``shows`` (displays, 7): columns ``D_…``. ``count``: day, claims,
    voices, newest, for later. ``scratch`` (4, states): to work in.
    """

    of: Array
    temper: Array
    weights: Array
    lists: Array
    circles: Array
    shows: Array
    count: Array
    scratch: Array


(
    H_PIECE, H_REACH, H_LABEL, H_RANK, H_RELATION, H_CIRCLE, H_OTHER_CIRCLE, H_PLACE_IN, H_OTHER_PLACE_IN,
    H_SPOKEN, H_REPEATS, H_SAYING, H_VOICE, H_JUDGED, H_VOID, H_UNCHANGED, H_HEARD,
    H_LEANERS_FROM, H_LEANERS_TO, H_GROUNDS_FROM, H_GROUNDS_TO, H_DOUBTERS_FROM, H_DOUBTERS_TO,
    H_DISPLAY, H_GONE, H_RUN_FROM, H_RUN_TO, H_RUN_LABEL,
    H_VOICES, H_LATER,  # by voice: how many speak; a list of those who speak of later days
    H_SPEAKS, H_SHOWS,
) = range(32)  # fmt: skip
H_WIDTH = 32

D_SOURCE, D_PLACE, D_LAST_SEEN, D_RUNNING, D_ITEMS_FROM, D_ITEMS_TO, D_TAKEN = range(7)


class Scenario(NamedTuple):
    """What one leaving-out does otherwise than the chain, by breakpoint; empty between two of them.

    ``ints`` (points, 5 + 2·states): columns ``X_…`` (the combination of displays plus 1; 0: not yet known), then
    evidence and rates in fixed point. ``reals``
    (points, 2·states): belief after the day's evidence, and what all later days say. ``points``: the breakpoints
    noted, and last how many. ``vectors`` (6, states), ``rates`` (2, states) and ``stack``: to work in.
    """

    ints: Array
    reals: Array
    points: Array
    vectors: Array
    rates: Array
    stack: Array


X_NOTED, X_HELD, X_SPEAKING, X_BEGUN, X_COMBINATION, X_EVIDENCE = range(6)
