"""How good beliefs are: logics beside plain baselines and published peers, with what is aimed at.

    python -m tests.bench belief [--data DIR] [--maps FILE] [--json] [--only PART]

``simulation`` and ``learning`` need nothing. ``crowd`` and ``weather`` read the folders ``crowd`` and
``weather_visibility`` in ``--data``; ``maps`` reads a war map's daily polygons (``--maps``). ``neighbours`` is an
ablation and only runs when it is asked for. What cannot run says so in one line.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from projections.registry import Loaded
from tests.bench import neighbours, scoring, warmap
from tests.bench.aims import aimed
from tests.bench.scoring import Row
from tests.bench.simulation import SCENARIOS, Given, simulate
from tests.bench.stage import Stage, talk

#: Measured unless others are asked for; one that is not installed is left out.
LOGICS = ("tally", "hmm")
SEEDS = (1, 2, 3)
#: The shares of place-days that are ruled on, where learning is looked at.
RULED = (0.0, 0.001, 0.01)


@dataclass(frozen=True)
class Asked:
    """What a run is about. ``data`` and ``maps`` are folders or files given on the command line."""

    stage: Stage
    logics: Sequence[Loaded]
    data: Path | None = None
    maps: Path | None = None
    seeds: Sequence[int] = SEEDS


def simulation(asked: Asked) -> list[Row]:
    """Every scenario of the simulator, means over the seeds."""
    return _simulated(asked, {f"simulation/{name}": given for name, given in SCENARIOS.items()})


def learning(asked: Asked) -> list[Row]:
    """What a logic makes of hostile sources when an analyst rules on more and more place-days."""
    some = {f"learning/hostile, {share:.1%} ruled": share for share in RULED}
    hostile = SCENARIOS["hostile"]
    worlds = {name: replace(hostile, ruled=share) for name, share in some.items()}
    return _simulated(asked, worlds, baselines=False)


def _simulated(asked: Asked, worlds: dict[str, Given], *, baselines: bool = True) -> list[Row]:
    rows = []
    for name, given in worlds.items():
        for seed in asked.seeds:
            world = simulate(given, seed)
            talk(f"{name}, seed {seed}: {world.claims:,} claims on {given.places} places")
            path = scoring.book(asked.stage.path("simulated.db"), world)
            truth = scoring.truth_of(world)
            rows += scoring.scores(path, truth, asked.logics, name, baselines=baselines)
    return scoring.averaged(rows)


def maps(asked: Asked) -> list[Row]:
    """Simulated reports on a real front, means over the seeds."""
    if asked.maps is None:
        talk("maps: left out, for no war map was given as --maps")
        return []
    known, rows = warmap.read(asked.maps), []
    for seed in asked.seeds:
        path = scoring.book(asked.stage.path("map.db"), known.world(seed))
        rows += warmap.scores(path, known, asked.logics, "maps/real front, simulated reports")
    return scoring.averaged(rows)


def neighbouring(asked: Asked) -> list[Row]:
    """The ablation of neighbours, in simulations and on a real front where there is one."""
    rows = neighbours.simulated(asked.stage, asked.logics)
    if asked.maps is None:
        talk("neighbours: no real front, for no war map was given as --maps")
        return rows
    return rows + neighbours.mapped(asked.stage, asked.logics, warmap.read(asked.maps), neighbours.SEEDS)


def crowd(asked: Asked) -> list[Row]:
    """Public crowdsourcing sets, one static question an object; and their mean."""
    return _public(asked, "crowd", "crowd")


def weather(asked: Asked) -> list[Row]:
    """Hourly visibility at many places, thinned; means and standard deviations over the draws."""
    return _public(asked, "weather", "weather_visibility")


def _public(asked: Asked, part: str, folder: str) -> list[Row]:
    """The rows of another module of the benches, which reads a folder in what was given as ``--data``."""
    if asked.data is None:
        talk(f"{part}: left out, for no folder was given as --data")
        return []
    if not (asked.data / folder).is_dir():
        talk(f"{part}: left out, for there is no folder {folder} in {asked.data}")
        return []
    try:
        module = importlib.import_module(f"tests.bench.{part}")
    except ModuleNotFoundError as error:
        talk(f"{part}: left out, for there is no module {error.name}")
        return []
    rows: list[Row] = module.figures(asked.data / folder)
    return rows


def speed(_: Asked) -> list[Row]:
    """The learning engine at a million claims."""
    from tests.bench.speed import figures

    return figures()


#: Part → what runs it.
PARTS: dict[str, Callable[[Asked], list[Row]]] = {
    "crowd": crowd,
    "weather": weather,
    "simulation": simulation,
    "learning": learning,
    "speed": speed,
    "maps": maps,
    "neighbours": neighbouring,
}
#: What runs unless one part is asked for.
USUAL = ("crowd", "weather", "simulation", "learning", "speed", "maps")


def run(
    stage: Stage,
    only: str | None = None,
    data: Path | None = None,
    maps: Path | None = None,
    names: Sequence[str] = LOGICS,
) -> list[Row]:
    """All rows of the parts asked for, each with its ``aim``."""
    logics, missing = scoring.installed(names)
    for line in missing:
        talk(line)
    asked = Asked(stage, logics, data, maps)
    return [row for part in ([only] if only else USUAL) for row in aimed(PARTS[part](asked))]
