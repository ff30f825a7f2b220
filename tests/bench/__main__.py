"""``python -m tests.bench NAME [--claims N] [--json] [--dir DIR] [--keep DIR]``: measure, print the figures.

``python -m tests.bench readme [--from FILE…]`` writes the table in the README from figures that were printed as
JSON, or measures all anew.

``python -m tests.bench belief [--data DIR] [--maps FILE] [--only PART] [--json]`` measures how good beliefs are, not
how fast: a table of its own, which ``all`` leaves out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn

import orjson

from ledger.errors import LedgerError
from tests.bench import readme
from tests.bench.figures import Figure, table
from tests.bench.stage import Stage, talk

#: Name → module, function, and the module's name for the size when none is asked for. ``all`` runs them in this order,
#: within ten minutes. A module is imported when it is asked for: together they take seconds.
BENCHES = {
    "append": ("append", "run", "DEFAULT"),
    "import": ("importing", "run", "DEFAULT"),
    "replay": ("replay", "run", "DEFAULT"),
    "asof": ("asof", "run", "DEFAULT"),
    "integrity": ("integrity", "run", "DEFAULT"),
    "postgres": ("postgres", "run", "DEFAULT"),
    "cluster": ("cluster", "run", "DEFAULT"),
    "cli": ("cli", "run", "DEFAULT"),
    "memory": ("growth", "memory", "MEMORY"),
    "growth": ("growth", "run", "DEFAULT"),
}
#: Parts of the beliefs (``belief.PARTS``).
PARTS = ("crowd", "weather", "simulation", "learning", "speed", "maps", "neighbours")
TIMES = 10  # the larger ledger of ``growth`` beside the one that is asked for (``growth.TIMES``)
_LEAST, _MOST = 100, 10_000_000


class _Parser(argparse.ArgumentParser):
    """Refuses in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"tests.bench: {message}\n")


def main(argv: Sequence[str] | None = None) -> int:
    parser = _Parser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", choices=[*BENCHES, "all", "readme", "belief"], help="what to measure")
    parser.add_argument("--claims", type=_size, help="size of the ledger, in claims")
    parser.add_argument("--json", action="store_true", help="print a JSON list, one object a figure")
    parser.add_argument("--dir", type=Path, help="where temporary files go, else the system's place")
    parser.add_argument("--from", type=Path, nargs="+", dest="figures", help="figures for the README")
    parser.add_argument(
        "--readme", type=Path, default=readme.README, help="the README to write the table into"
    )
    parser.add_argument("--keep", type=Path, help="where generated ledgers stay for the next run")
    parser.add_argument("--only", choices=PARTS, help="one part of the beliefs")
    parser.add_argument("--logic", help="logics to measure, with commas")
    parser.add_argument("--data", type=Path, help="the folder of the public sets: crowd, weather_visibility")
    parser.add_argument("--maps", type=Path, help="a war map's polygons, as CSV, or a folder that has them")
    asked = parser.parse_args(argv)
    for folder in (asked.dir, asked.keep, asked.data):
        if folder is not None and not folder.is_dir():
            parser.error(f"no folder {folder}")
    if asked.maps is not None and not asked.maps.exists():
        parser.error(f"no file or folder {asked.maps}")
    if asked.name == "belief":
        return _believe(asked)
    if asked.name == "readme" and asked.figures:
        return _write(asked.figures, None, asked.readme)
    if asked.name == "growth" and asked.claims and asked.claims * TIMES > _MOST:
        parser.error(f"growth measures a ledger {TIMES} times as large: ask for {_MOST // TIMES:,} at most")
    names = list(BENCHES) if asked.name in ("all", "readme") else [asked.name]
    figures = _measure(names, asked)
    if figures is None:
        return 1
    if asked.name == "readme":
        return _write((), figures, asked.readme)
    if asked.json:
        shown = orjson.dumps([one.to_dict() for one in figures], option=orjson.OPT_INDENT_2).decode()
    else:
        shown = table(figures)
    print(shown)
    return 0


def _believe(asked: argparse.Namespace) -> int:
    """The table of beliefs."""
    from tests.bench import aims, belief

    logics = asked.logic.split(",") if asked.logic else belief.LOGICS
    with tempfile.TemporaryDirectory(prefix="claims-bench-", dir=asked.dir) as folder:
        stage = Stage(Path(folder))
        try:
            with stage.set():
                rows = belief.run(stage, asked.only, asked.data, asked.maps, logics)
        except (LedgerError, OSError, RuntimeError) as error:
            talk(f"tests.bench: belief: {error}")
            return 1
    print(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() if asked.json else aims.table(rows))
    return 0


def _measure(names: Sequence[str], asked: argparse.Namespace) -> list[Figure] | None:
    """What the benches find; None where one of them failed, which it has said."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="claims-bench-", dir=asked.dir) as folder:
        stage = Stage(Path(folder), asked.keep)
        for name in names:
            run, default = _bench(name)
            claims = asked.claims or default
            if asked.claims and name == "growth" and len(names) > 1:
                claims = max(_LEAST, claims // TIMES)  # so that no ledger is larger than asked for
            talk(f"{name}: {claims:,} claims")
            try:
                with stage.set():
                    found = run(stage, claims)
            except (LedgerError, RuntimeError) as error:
                talk(f"tests.bench: {name}: {error}")
                return None
            talk(table(found))
            figures += found
    return figures


def _bench(name: str) -> tuple[Callable[[Stage, int], list[Figure]], int]:
    """A bench, and the size when none is asked for."""
    where, run, size = BENCHES[name]
    module = import_module(f"tests.bench.{where}")
    return getattr(module, run), getattr(module, size)


def _write(files: Sequence[Path], figures: list[Figure] | None, target: Path) -> int:
    try:
        readme.write([one.to_dict() for one in figures] if figures else readme.read(files), target)
    except (OSError, ValueError) as error:
        talk(f"tests.bench: {error}")
        return 1
    talk(f"{target}: the table is written")
    return 0


def _size(text: str) -> int:
    number = text.replace("_", "")
    if not number.isdecimal() or not _LEAST <= int(number) <= _MOST:
        raise argparse.ArgumentTypeError(f"{text!r} is no size from {_LEAST} to {_MOST}")
    return int(number)


if __name__ == "__main__":
    sys.exit(main())
