"""What a piece of testimony says of a place, in the labels of the emission table."""

from __future__ import annotations

from typing import NamedTuple

from projections.belief.labels import Label, States, Vector
from projections.belief.params import Params
from projections.case import Testimony

#: Day and log-likelihood of each state: what a chain takes.
Contribution = list[tuple[int, Vector]]


class Reading(NamedTuple):
    """``label`` is None where nothing is said of the place; ``remark`` then says why. ``temper`` is a factor on
    the weight."""

    label: Label | None
    temper: float
    remark: str | None


def read(piece: Testimony, states: States, params: Params) -> Reading:
    """The label of a piece, from its act, polarity, extent and reach."""
    if piece.act == "predicts":
        return Reading(None, 1.0, "a prediction says nothing of the present")
    if doubts_evidence(piece):
        return Reading(None, 1.0, "doubts evidence, not the place")
    if piece.state is None or piece.state not in states:
        return Reading(None, 1.0, "shows no state of the question")
    state = states.index(piece.state)
    temper = params.doubt_exponent if piece.act == "doubts" else 1.0
    negative = piece.negated or piece.act in ("denies", "doubts")
    if piece.reach == "part":
        return _of_a_part(state, negative, temper, states)
    if piece.reach == "whole":
        return _of_the_whole(piece, state, negative, temper)
    if negative:
        return Reading(Label("not", state), temper, None)
    if piece.extent == "whole":
        return Reading(Label("is", state), temper, None)
    if state < len(states.parties):
        return Reading(Label("part", state), temper, None)
    # No label says that a part is contested or damaged: it is heard as said of the whole, half as loud.
    return Reading(Label("is", state), temper * params.doubt_exponent, "said of a part")


def doubts_evidence(piece: Testimony) -> bool:
    """Whether a piece speaks against evidence and not of the place."""
    target = piece.target or ""
    return piece.kind == "claim" and piece.act in ("denies", "doubts") and target.startswith("e-")


def _of_a_part(state: int, negative: bool, temper: float, states: States) -> Reading:
    """What is said of a named part reaches the whole as a part-claim."""
    if negative:
        return Reading(None, 1.0, "denied of a named part only")
    label = Label("part", state) if state < len(states.parties) else Label("is", state)
    return Reading(label, temper, "said of a named part")


def _of_the_whole(piece: Testimony, state: int, negative: bool, temper: float) -> Reading:
    """A claim on the whole reaches each of its parts; what is said of some of it may mean another part."""
    if negative or piece.extent == "part" or piece.kind == "evidence":
        return Reading(None, 1.0, "said of some of the whole place only")
    return Reading(Label("is", state), temper, "said of the whole place")


def spread(lo: int, hi: int, loglik: Vector, points: int) -> Contribution:
    """Day weights of an imprecise date: even over its days, or over ``points`` of them if it has more."""
    count = hi - lo + 1
    if count == 1:
        return [(lo, loglik)]
    if count <= points:
        days = list(range(lo, hi + 1))
    else:
        days = sorted({lo + round(i * (count - 1) / (points - 1)) for i in range(points)})
    return [(day, loglik / len(days)) for day in days]
