"""An ablation: does it help a belief to know what is believed of neighbouring places at the same time?

One step of mean field over the beliefs of any logic (Besag 1986; Opper & Saad 2001 on mean-field methods):

    ln p_i(k) += J · Σ_j w_ij · (p_j(k) − 1/K),    w_ij ∝ e^(−2·km/reach) within reach, Σ_j w_ij = 1

J and the reach are chosen on half of the worlds (of a map: half of the places) for their log loss and scored on
the other half, then the other way round, so that everything is scored by what it had no part in choosing. A
belief can also gain by mere sharpening, and by learning which states are rare; so the same is done with the
places shuffled (*strangers*), and what neighbours are worth is what they add beyond those. A third row has one
fixed choice for every world, as a logic would that cannot know how coherent its front is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from projections import measures
from projections.backtest import FILTER, HINDSIGHT
from projections.desk import Desk
from projections.intervals import Measured, Sheet, difference, measure
from projections.registry import Loaded
from tests.bench import generator, scoring, warmap
from tests.bench.scoring import Row
from tests.bench.simulation import SCENARIOS, Ground, simulate
from tests.bench.simulation.ground import Floats, distances, near
from tests.bench.stage import Stage, talk
from tests.bench.warmap import WarMap

STRENGTHS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0)
REACHES = (6.0, 12.0, 25.0, 50.0)
WORLDS = {
    **{f"sparse, coherence {one:g}": replace(SCENARIOS["sparse"], coherence=one) for one in (0.0, 0.5, 1.0)},
    **{f"domain, coherence {one:g}": replace(SCENARIOS["domain"], coherence=one) for one in (0.0, 0.5)},
}
SEEDS = (1, 2, 3, 4)


SHUFFLED = 1


class Field(NamedTuple):
    """Beliefs and truth of many places at once. ``beliefs`` (places, days, states), every row summing to 1;
    ``truth`` (places, days); ``x``, ``y`` in km. ``scored`` are the places on which it is judged; where
    ``binary``, beliefs are held against occupied or not."""

    beliefs: Floats
    truth: np.ndarray
    x: Floats
    y: Floats
    scored: np.ndarray
    binary: bool = False


class Choice(NamedTuple):
    """How strongly neighbours count and how far."""

    strength: float
    reach: float


ALONE = Choice(0.0, REACHES[0])
#: One choice for every front (an assumption): chosen on simulated fronts as the strongest that costs next to
#: nothing where neighbours have nothing to do with each other.
FIXED = Choice(1.0, 12.0)
WAYS = ("", " + neighbours", " + strangers", " + neighbours, fixed")


def coupled(beliefs: Floats, weights: Floats, strength: float) -> Floats:
    """The beliefs after one step of mean field; ``weights`` (places, places)."""
    pull = np.einsum("ij,jdk->idk", weights, beliefs - 1 / beliefs.shape[2], optimize=True)
    logs = np.log(np.maximum(beliefs, 1e-12)) + strength * pull
    p = np.exp(logs - logs.max(axis=2, keepdims=True))
    return np.asarray(p / p.sum(axis=2, keepdims=True))


def after(field: Field, choice: Choice, shuffled: int | None = None) -> Floats:
    """The beliefs of a field with its neighbours' taken in; with strangers', where ``shuffled`` is a seed."""
    weights = near(distances(field.x, field.y), choice.reach)
    if shuffled is not None:
        order = np.random.default_rng(shuffled).permutation(len(weights))
        weights = weights[np.ix_(order, order)]
    p = coupled(field.beliefs, weights, choice.strength)
    return warmap.collapsed(p) if field.binary else p


def chosen(fields: Sequence[Field], shuffled: int | None = None) -> Choice:
    """What has the least log loss on these fields; the weaker and the nearer among equals."""
    choices = [Choice(strength, reach) for strength in STRENGTHS for reach in REACHES]
    losses = []
    for choice in choices:
        losses.append(sum(_surprise(field, after(field, choice, shuffled)) for field in fields))
    return choices[int(np.argmin(losses))]


def _surprise(field: Field, p: Floats) -> float:
    rows, truth = p[field.scored], field.truth[field.scored]
    return float(measures.surprises(rows.reshape(-1, p.shape[2]), truth.ravel().astype(np.intp)).sum())


def halves(fields: Sequence[Field]) -> list[tuple[list[Field], list[Field]]]:
    """(to choose on, to score on), twice: of several worlds every other one, of one map half of its places."""
    if fields[0].binary:
        order = np.random.default_rng(1).permutation(len(fields[0].truth))
        parts = [np.sort(order[::2]), np.sort(order[1::2])]
        both = [[field._replace(scored=part) for field in fields] for part in parts]
    else:
        both = [list(fields[::2]), list(fields[1::2])]
    return [(both[0], both[1]), (both[1], both[0])]


# -- the figures ---------------------------------------------------------------------------------------------


def compare(fields: Sequence[Field], name: str, method: str, mode: str) -> list[Row]:
    """Four rows: as it is, with neighbours, with strangers, with neighbours by the fixed choice."""
    marks: list[list[measures.Marks]] = [[], [], [], []]
    found: list[list[Choice]] = [[], [], [], []]
    for choosing, scored_on in halves(fields):
        ways = (ALONE, None), (chosen(choosing), None), (chosen(choosing, SHUFFLED), SHUFFLED), (FIXED, None)
        for n, (choice, shuffled) in enumerate(ways):
            found[n].append(choice)
            for field in scored_on:
                marks[n] += _marks(field, after(field, choice, shuffled), detecting=mode == FILTER)
    measured = measure([Sheet(one) for one in marks])
    rows = []
    for how, one, choices in zip(WAYS, measured, found, strict=True):
        line = scoring.row(f"neighbours/{name}", method + how, mode, one.point)
        rows.append(line | (_told(one, measured[0], choices) if how else {}))
    return rows


def _marks(field: Field, p: Floats, *, detecting: bool) -> list[measures.Marks]:
    days = range(p.shape[1])
    return [
        measures.mark(p[place], days, field.truth[place].tolist(), detecting=detecting)
        for place in field.scored
    ]


def _told(one: Measured, plain: Measured, choices: Sequence[Choice]) -> dict[str, Any]:
    """What was chosen, and by how much each figure moved, with its interval (95%, places drawn)."""
    moved = {name: difference(one, plain, name) for name in ("brier", "log_loss", "ece")}
    loss = moved["log_loss"]
    picked = " and ".join(f"J {c.strength:g} within {c.reach:g} km" for c in dict.fromkeys(choices))
    return {
        "chosen": [list(choice) for choice in choices],
        "moved": {name: [each.value, each.low, each.high] for name, each in moved.items()},
        "what": f"log loss {loss.value:+.3f} [{loss.low:+.3f}, {loss.high:+.3f}]; {picked}",
    }


# -- the worlds ------------------------------------------------------------------------------------------------


def simulated(stage: Stage, logics: Sequence[Loaded]) -> list[Row]:
    """Fronts that hang together not at all, somewhat and wholly; few sources, and many with maps."""
    rows = []
    for name, given in WORLDS.items():
        worlds = [simulate(given, seed) for seed in SEEDS]
        talk(f"neighbours: {len(worlds)} worlds, {name}")
        paths = [scoring.book(stage.path("neighbours.db"), world) for world in worlds]
        for loaded in logics:
            for mode in (FILTER, HINDSIGHT):
                fields = []
                for world, path in zip(worlds, paths, strict=True):
                    truth = world.ground.states[:, world.ground.warm_up :]
                    fields.append(_field(path, world.ground, truth, loaded, mode, binary=False))
                rows += compare(fields, name, loaded.logic.id, mode)
    return rows


def mapped(stage: Stage, logics: Sequence[Loaded], known: WarMap, seeds: Sequence[int]) -> list[Row]:
    """A real front with simulated reports, drawn several times."""
    rows = []
    paths = [scoring.book(stage.path("map.db"), known.world(seed)) for seed in seeds]
    truth = known.occupied[:, known.ground.warm_up :]
    for loaded in logics:
        for mode in (FILTER, HINDSIGHT):
            fields = [_field(path, known.ground, truth, loaded, mode, binary=True) for path in paths]
            rows += compare(fields, "real front", loaded.logic.id, mode)
    return rows


def _field(path: Any, known: Ground, truth: np.ndarray, loaded: Loaded, mode: str, *, binary: bool) -> Field:
    with Desk(path, logic="tally", now=generator.WRITTEN) as desk:
        found = warmap.believed(desk, loaded, known.ids, warmap.span(known), mode)
    beliefs = np.stack([measures.filled(found[place]) for place in known.ids])
    return Field(beliefs, truth, known.x, known.y, np.arange(len(known.names)), binary)
