"""A simulated war of words: places along a front, sources that report, lie, copy and lag, and the truth.

    world = simulate(SCENARIOS["domain"], seed=1)
    world.entries                     # events of the ledger in the order of publication
    world.ground.rows()               # the truth: place, day, state
    world.write(folder)               # events.jsonl for `claims import`, truth.csv for `claims backtest`

The same scenario and seed give the same world. Its numbers are declared in ``given``; they are not those of the
belief logics, and its mechanisms are not either.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson

from tests.bench.generator import Entry
from tests.bench.simulation.given import SCENARIOS, Given
from tests.bench.simulation.ground import START, STATES, Ground, ground
from tests.bench.simulation.telling import registry, told
from tests.bench.simulation.voices import voices

__all__ = ["SCENARIOS", "START", "STATES", "Given", "Ground", "World", "report", "simulate"]


@dataclass(frozen=True)
class World:
    """The truth, and what is told of it: the registry first, then events in the order of publication."""

    given: Given
    ground: Ground
    entries: list[Entry]

    @property
    def claims(self) -> int:
        """How many claims there are, repeats and displays included."""
        return sum(entry.name == "claim-reported" for entry in self.entries)

    def write(self, folder: Path) -> tuple[Path, Path]:
        """``events.jsonl`` and ``truth.csv`` in a folder."""
        events, truth = folder / "events.jsonl", folder / "truth.csv"
        lines = (
            {"type": entry.name, **entry.data, **({"body": entry.body} if entry.body else {})}
            for entry in self.entries
        )
        events.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        with truth.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("place", "day", "state"))
            writer.writerows(self.ground.rows())
        return events, truth


def simulate(given: Given, seed: int) -> World:
    """A world from nothing but numbers."""
    truth, telling = np.random.default_rng(seed).spawn(2)
    return report(given, ground(given, truth), telling)


def report(given: Given, known: Ground, rng: np.random.Generator) -> World:
    """What sources tell of a truth that is given, drawn or real."""
    speaking = voices(given, len(known.names), rng)
    return World(given, known, [*registry(given, known, speaking), *told(given, known, speaking, rng)])
