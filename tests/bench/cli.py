"""The command line: whole processes, from the shell's call to the exit."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from time import perf_counter

from projections.desk import Desk
from tests.bench import generator, stage
from tests.bench.figures import Figure, figure
from tests.bench.stage import Stage

DEFAULT = 5_000
_ROUNDS = 9
_CLAIMS = (sys.executable, "-m", "projections.cli")
_BARE = (sys.executable, "-c", "pass")


def run(on: Stage, claims: int) -> list[Figure]:
    """Processes of ``claims``, on a ledger whose views are up to date."""
    path = on.ledger(claims)
    with Desk(path) as desk:
        desk.beliefs.knot(generator.HOT, "control", 0)
    db = ("--db", str(path))
    calls = (
        (
            "cli-as-of",
            "`claims as-of DATE PLACE --json`",
            ("as-of", "2024-06-01", generator.HOT, "--json", *db),
        ),
        (None, "`claims --help`", ("--help",)),
    )
    rounds = _ROUNDS if claims >= DEFAULT else 3
    figures = [stage.sizes(path, claims, "cli")]
    for row, name, arguments in calls:
        _process((*_CLAIMS, *arguments))
        ours, bare = [], []
        for _ in range(rounds):
            bare.append(_process(_BARE))
            ours.append(_process((*_CLAIMS, *arguments)))
        what = f"{name}, whole process; floor: `python -c pass`; median of {rounds} interleaved rounds"
        figures.append(figure("cli", row, what, claims, ours, bare))
    return figures


def _process(command: Sequence[str]) -> float:
    """Seconds of one process; an unhappy one ends the bench with what it said."""
    start = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    taken = perf_counter() - start
    if done.returncode:
        said = done.stderr.strip()[-300:]
        raise RuntimeError(f"{' '.join(command[1:5])} … ended with {done.returncode}: {said}")
    return taken
