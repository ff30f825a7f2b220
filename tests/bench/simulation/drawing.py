"""Standing map services: each shows some places as it last drew them, right or wrong, until it redraws them.

An error lasts: a map that got a place wrong draws it wrong again, until the place changes or somebody rethinks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tests.bench.generator import Entry
from tests.bench.simulation.given import Given
from tests.bench.simulation.ground import CONTESTED, PARTIES, STATES, Floats, Ground, day_text

_NOTHING = -1


def map_id(n: int) -> str:
    return f"own:map-{n + 1}"


def map_side(n: int) -> int | None:
    """The first map sides with A, the second with B, any other with nobody."""
    return n if n < len(PARTIES) else None


def shown(given: Given, known: Ground, rng: np.random.Generator) -> Iterator[tuple[int, Entry]]:
    """(day, event): what maps begin and cease to show, and that they were looked at; by map, not by day."""
    for n in range(given.maps):
        source = map_id(n)
        yield from _redrawn(given, known, source, map_side(n), rng)
        for day in range(n, known.states.shape[1], given.map_looks):
            yield day, Entry("display-observed", {"source": source, "published": day_text(day)}, None)


def _redrawn(
    given: Given, known: Ground, source: str, side: int | None, rng: np.random.Generator
) -> Iterator[tuple[int, Entry]]:
    covered = np.flatnonzero(rng.random(len(known.names)) < given.map_covers)
    often, late = rng.uniform(*given.map_redraws), int(rng.uniform(*given.map_late))
    rows = _rows(rng.uniform(*given.map_right), given.map_lean, side)
    for place in covered:
        showing, drawn, seen = _NOTHING, _NOTHING, _NOTHING
        for day in np.flatnonzero(rng.random(known.states.shape[1]) < often).tolist():
            before, seen = seen, int(known.states[place, max(0, day - late)])
            if seen != before or rng.random() < given.map_rethinks:
                drawn = int(rng.choice(len(STATES), p=rows[seen]))
            state = _NOTHING if rng.random() < given.map_withdraws else drawn
            if state != showing:
                yield day, _change(source, known.ids[place], state, day_text(day))
            showing = state


def _change(source: str, place: str, state: int, day: str) -> Entry:
    if state == _NOTHING:
        return Entry("claim-withdrawn", {"source": source, "place": place, "published": day}, None)
    data = {"claimant": source, "place": place, "state": STATES[state], "standing": True, "published": day}
    return Entry("claim-reported", data, None)


def _rows(right: float, lean: float, side: int | None) -> Floats:
    """What a map sees, given the truth: mostly that; its errors lean to its side, or to a contest."""
    rows = np.full((len(STATES), len(STATES)), np.nan)
    for truth in range(len(STATES)):
        leaning = side if side is not None and side != truth else CONTESTED if truth != CONTESTED else 0
        rows[truth] = (1 - right) * (1 - lean)
        rows[truth, leaning] = (1 - right) * lean
        rows[truth, truth] = right
    return rows / rows.sum(axis=1, keepdims=True)
