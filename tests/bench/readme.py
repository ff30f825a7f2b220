"""The table of benchmarks in the README: written from figures that were measured before, or now."""

from __future__ import annotations

import os
import platform
import re
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from textwrap import fill
from typing import Any

import orjson

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = (
    "<!-- benchmarks: `python -m tests.bench readme` writes what follows -->",
    "<!-- benchmarks end -->",
)
HEADING = ("what", "size", "measured", "ratio", "aim")
_SCAN = "floor: the same rows read, parsed and counted by type"

#: Row → (what it says, how it is measured, what is aimed at). Every one is in the table, in this order.
ROWS: dict[str, tuple[str, str, str]] = {
    "append-one": (
        "append one event, durable; floor: a bare `INSERT` and `COMMIT` of the same bytes",
        "each",
        "-",
    ),
    "append-batch": (
        "append a thousand events at once; floor: a bare `executemany` and `COMMIT`",
        "rate",
        "-",
    ),
    "append-together": ("append from four processes at once; floor: four bare ones", "rate", "-"),
    "import": (
        "import: validated, hashed, durable; floor: a bare bulk insert of the same bytes",
        "rate",
        "ratio ≤ 6",
    ),
    "append-signed": (
        "append one event, its checkpoint signed and on the disk; floor: a bare `INSERT` and `COMMIT`",
        "each",
        "ratio ≤ 4",
    ),
    "import-proofs": (
        "import with hashes, tree and checkpoints; floor: the same without any of them",
        "rate",
        "ratio ≤ 1.3",
    ),
    "verify": (
        "verify the whole record; floor: its bytes read and hashed once",
        "rate",
        "≥ 250,000 a second",
    ),
    "proof-made": ("an inclusion proof made from the file", "time", "≤ 1 ms"),
    "proof-checked": ("the same checked", "time", "≤ 0.1 ms"),
    "replay-cold": (f"replay from nothing, views written; {_SCAN}", "rate", "ratio ≤ 4"),
    "replay-read": (f"of which reading the ledger; {_SCAN}", "rate", "-"),
    "replay-warm": (f"replay after a change of logic; {_SCAN}", "rate", "ratio ≤ 1"),
    "fold": (f"a user's fold, in Python; {_SCAN}", "rate", "ratio ≤ 3"),
    "stock": (
        "the same fold; floor: a stock recorder that tracks its position event by event",
        "rate",
        "ratio ≤ 0.05",
    ),
    "peak": ("the most memory that a replay takes", "memory", "≤ 1.5 GB"),
    "growth-time": ("growth of a replay's time: the exponent over a factor of ten", "exponent", "≤ 1.1"),
    "growth-memory": ("growth of a replay's memory: the exponent over a factor of ten", "exponent", "-"),
    "catch-up-quiet": ("views catch up with one claim on a quiet place", "time", "≤ 5 ms"),
    "catch-up-hottest": ("views catch up with one claim on the hottest place", "time", "≤ 5 ms"),
    "as-of-one-p50": (
        "one place on one day, in process, median; floor: its bytes looked up bare",
        "time",
        "≤ 1 ms",
    ),
    "as-of-one-p99": ("one place on one day, in process, 99th percentile; floor: the same", "time", "≤ 5 ms"),
    "as-of-hottest-p50": ("the hottest place on one day, median; floor: the same", "time", "≤ 1 ms"),
    "as-of-hottest-p99": ("the hottest place on one day, 99th percentile; floor: the same", "time", "≤ 5 ms"),
    "as-of-all": ("all places on one day; floor: each looked up bare", "time", "≤ 100 ms"),
    "postgres-append": (
        "append one event on PostgreSQL, in the store; floor: a bare `INSERT` and `COMMIT` under the same lock",
        "each",
        "ratio ≤ 1.43",
    ),
    "postgres-append-eight": (
        "the same from eight processes at once; floor: eight bare ones",
        "each",
        "ratio ≤ 1.43",
    ),
    "postgres-bulk": (
        "finished events into PostgreSQL; floor: a bare `COPY` of the same bytes",
        "rate",
        "≥ 50,000 a second, or ratio ≤ 4",
    ),
    "postgres-read": (
        "envelopes out of PostgreSQL in order; floor: a bare cursor on the server",
        "rate",
        "ratio ≤ 2",
    ),
    "cluster-export": ("export as Parquet, by bucket; floor: the same leaves read", "rate", "-"),
    "cluster-one": ("replay by one worker process; floor: by two", "rate", "ratio ≥ 1.6"),
    "cluster-dask": ("replay by two Dask workers; floor: by two processes", "rate", "-"),
    "cli-as-of": ("`claims as-of DATE PLACE` as a process; floor: `python -c pass`", "time", "ratio ≤ 8"),
}

Figures = dict[str, dict[str, Any]]


def read(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Figures out of files, each a JSON list or a figure a line. Raises ``ValueError``, ``OSError``."""
    found: list[dict[str, Any]] = []
    for path in paths:
        text = path.read_bytes().strip()
        found += orjson.loads(text) if text.startswith(b"[") else map(orjson.loads, text.splitlines())
    return found


def chosen(figures: Iterable[dict[str, Any]]) -> Figures:
    """The figure of each row: of the largest ledger, the last where there are several. Raises ``ValueError``
    where a row has none."""
    rows: Figures = {}
    for one in figures:
        row = one.get("row")
        if row in ROWS and one["claims"] >= rows.get(row, one)["claims"]:
            rows[row] = one
    missing = [row for row in ROWS if row not in rows]
    if missing:
        raise ValueError(f"no figures for {', '.join(missing)}")
    return rows


def write(figures: Iterable[dict[str, Any]], readme: Path = README) -> None:
    """Put the table between the two comments of a README. Raises ``ValueError`` where they are not there."""
    text = readme.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{readme} has no place for the table: {BEGIN} … {END}")
    table = "\n".join(lines(chosen(figures)))
    readme.write_text(f"{before}{BEGIN}\n\n{machine()}\n\n{table}\n\n{END}{after}", encoding="utf-8")


def lines(rows: Figures) -> list[str]:
    """The table in Markdown."""
    cells = [HEADING, ("---",) * len(HEADING)]
    for row, (what, kind, aim) in ROWS.items():
        one = rows[row]
        ratio = "-" if kind == "exponent" or one["ratio"] is None else f"{one['ratio']:,.2f}"
        cells.append((what, f"{one['claims']:,} claims", _measured(one, kind), ratio, aim))
    return [f"| {' | '.join(line)} |" for line in cells]


def parsed(text: str) -> list[dict[str, str]]:
    """The rows of the table in a README, as they are printed. Raises ``ValueError`` where there is none."""
    found = re.search(f"{re.escape(BEGIN)}(.*){re.escape(END)}", text, re.DOTALL)
    if not found:
        raise ValueError("no table of benchmarks")
    table = [line.strip("| ").split(" | ") for line in found[1].splitlines() if line.startswith("|")]
    heading, _, *rows = table
    return [dict(zip(heading, row, strict=True)) for row in rows]


def _measured(one: dict[str, Any], kind: str) -> str:
    if kind == "exponent":
        return f"{one['ratio']:.2f}"
    if kind == "memory":
        return f"{one['peak_rss_mb']:,.0f} MiB"
    if kind == "rate":
        return f"{_time(one['seconds'])}, {one['per_second']:,.0f} events a second"
    if kind == "each":
        return _time(1 / one["per_second"])
    return _time(one["seconds"])


def _time(seconds: float) -> str:
    unit, size = ("s", 1.0) if seconds >= 1 else ("ms", 1e-3) if seconds >= 1e-3 else ("µs", 1e-6)
    value = seconds / size
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


def machine() -> str:
    """When and on what it was measured, in words."""
    now = datetime.now(UTC)
    return fill(
        f"Measured on {now.day} {now:%B %Y} with Python {platform.python_version()} and SQLite"
        f" {sqlite3.sqlite_version}, on {_processor()}, {_cores(os.cpu_count() or 1)}. Medians; a ratio is one"
        " of times, what was measured to its floor, and 1 is as fast as the floor.",
        width=120,
    )


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor() or "a processor without a name"


def _cores(count: int) -> str:
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight")
    return f"{words[count] if count < len(words) else count} core{'' if count == 1 else 's'}"
