"""A real front: which settlements a war map showed as occupied, day by day, and simulated reports on them.

The file (``--maps``) is a CSV with the columns qid, name, lon, lat, from_snapshot, last_snapshot and status, one
row for each stretch of days on which the map showed a settlement ``occupied_RU`` or not. Where the truth is real
and how neighbours hang together is real, but what is told of it is not: sources are those of the simulator. A
map of polygons knows no contest, so that beliefs are held against occupied or not; sources find a place
contested in the last ``STRUGGLE`` days before it changes hands (an assumption).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from ledger.errors import Usage
from projections import measures
from projections.backtest import FILTER, HINDSIGHT
from projections.belief.paths import Rows
from projections.desk import Desk
from projections.intervals import Sheet
from projections.registry import Loaded
from projections.viewpoint import Viewpoint
from tests.bench import generator
from tests.bench.baselines import BASELINES, votes
from tests.bench.scoring import QUESTION, Row, row
from tests.bench.simulation import START, Given, Ground, World, report
from tests.bench.simulation.ground import CONTESTED

STRUGGLE = 20
WARM_UP = 60
#: What sources are like: few and far between.
GIVEN = Given(volume=10.0, copies=0.3, hostile=0.1, ruled=0.0)
_HOLDS = {"not_occupied": 0, "occupied_RU": 1}
_COLUMNS = ("qid", "name", "lon", "lat", "from_snapshot", "last_snapshot", "status")
_NAME = "deepstate_kupiansk.csv"


@dataclass(frozen=True)
class WarMap:
    """``ground`` is what sources see; ``occupied`` what the map showed, 0 or 1, shape (places, days)."""

    ground: Ground
    occupied: np.ndarray

    def world(self, seed: int) -> World:
        """Simulated reports on it."""
        return report(GIVEN, self.ground, np.random.default_rng(seed))


def read(path: Path) -> WarMap:
    """Raises ``Usage`` where the file is no such table, or leaves a day out."""
    file = path / _NAME if path.is_dir() else path
    with file.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise Usage(f"there is no column {missing[0]!r}", where=str(file))
        rows = list(reader)
    first = min(date.fromisoformat(one["from_snapshot"]) for one in rows)
    last = max(date.fromisoformat(one["last_snapshot"]) for one in rows)
    places = {one["qid"]: (float(one["lon"]), float(one["lat"])) for one in rows}
    occupied = np.full((len(places), (last - first).days + 1), -1, dtype=np.int8)
    for one in rows:
        begin, end = (
            (date.fromisoformat(one[name]) - first).days for name in ("from_snapshot", "last_snapshot")
        )
        occupied[list(places).index(one["qid"]), begin : end + 1] = _HOLDS[one["status"].strip()]
    if (occupied < 0).any():
        raise Usage("the map does not speak of every place on every day", where=str(file))
    lon, lat = np.array(list(places.values())).T
    middle = np.median(lat)
    x, y = 111.2 * np.cos(np.radians(middle)) * (lon - np.median(lon)), 111.2 * (lat - middle)
    return WarMap(Ground(tuple(places), x, y, _struggled(occupied), WARM_UP), occupied)


def _struggled(occupied: np.ndarray) -> np.ndarray:
    """What sources see: contested in the last days before a change."""
    states = occupied.copy()
    for place, day in zip(*np.nonzero(occupied[:, 1:] != occupied[:, :-1]), strict=True):
        states[place, max(0, day + 1 - STRUGGLE) : day + 1] = CONTESTED
    return states


def collapsed(beliefs: np.ndarray) -> np.ndarray:
    """Beliefs over ``STATES`` (last axis) as beliefs over (not occupied, occupied)."""
    return np.stack([beliefs[..., 0] + beliefs[..., CONTESTED], beliefs[..., 1]], axis=-1)


def span(known: Ground) -> range:
    """The days that are scored, as ordinals."""
    first = START.toordinal()
    return range(first + known.warm_up, first + known.states.shape[1])


def scores(path: Path, known: WarMap, logics: list[Loaded], name: str) -> list[Row]:
    """A row for each logic and baseline on a ledger of reports, against occupied or not."""
    days, ids, rows = span(known.ground), known.ground.ids, []
    with Desk(path, logic="tally", now=generator.WRITTEN) as desk:
        cast = votes([desk.case(place, QUESTION) for place in ids])
        for mode in (FILTER, HINDSIGHT):
            found: dict[str, Mapping[str, Rows]] = {
                one.logic.id: believed(desk, one, ids, days, mode) for one in logics
            }
            found |= {method: by(cast, days, mode == FILTER) for method, by in BASELINES.items()}
            rows += [row(name, method, mode, _point(known, by, mode)) for method, by in found.items()]
    return rows


def believed(desk: Desk, loaded: Loaded, ids: list[str], days: range, mode: str) -> dict[str, Rows]:
    """Place → the beliefs of a logic, a row a day."""
    point = Viewpoint(desk, loaded, QUESTION)
    known = desk.known(None)
    return {
        place: point.then(place, days) if mode == FILTER else point.known(place, days, known) for place in ids
    }


def _point(known: WarMap, beliefs: Mapping[str, Rows], mode: str) -> dict[str, float]:
    days = list(span(known.ground))
    marks = [
        measures.mark(
            collapsed(beliefs[place]), days, truth[known.ground.warm_up :].tolist(), detecting=mode == FILTER
        )
        for place, truth in zip(known.ground.ids, known.occupied, strict=True)
    ]
    return {name: float(v[0]) for name, v in Sheet(marks).figures(np.ones((1, len(marks)))).items()}
