"""Run the campaigns, print their figures; 1 when one of them breaks its promise. See the package for the words."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import orjson

import tests.faults
from tests.faults.figures import Figure

CAMPAIGNS = ("kill", "replay", "power", "inject", "full", "flips", "misuse", "server")
SEED = 20251216


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=tests.faults.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("campaign", nargs="?", default="all", choices=[*CAMPAIGNS, "all"])
    parser.add_argument("--seed", type=int, default=SEED, help=f"where moments and places come from ({SEED})")
    parser.add_argument("--count", type=_count, help="trials of each campaign, else its reduced number")
    parser.add_argument("--full", action="store_true", help="the whole numbers; takes about half an hour")
    parser.add_argument("--json", action="store_true", help="print a JSON list, one object a figure")
    parser.add_argument("--dir", type=Path, help="where the ledgers lie meanwhile, else the system's place")
    asked = parser.parse_args(argv)
    names = CAMPAIGNS if asked.campaign == "all" else (asked.campaign,)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="claims-faults-", dir=asked.dir) as folder:
        for name in names:
            module = importlib.import_module(f"tests.faults.{name}")
            for figure in module.run(Path(folder), asked.seed, _trials(module, asked)):
                figures.append(figure)
                print(figure.line(), file=sys.stderr if asked.json else sys.stdout, flush=True)
    if asked.json:
        print(orjson.dumps([one.to_dict() for one in figures], option=orjson.OPT_INDENT_2).decode())
    return 0 if all(one.held for one in figures) else 1


def _trials(module: ModuleType, asked: argparse.Namespace) -> int:
    """How many trials: as asked, else all of them, else few."""
    return int(asked.count or (module.FULL if asked.full else module.REDUCED))


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("one trial or more")
    return number


if __name__ == "__main__":
    sys.exit(main())
