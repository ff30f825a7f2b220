"""What a measurement yields, and how it is taken."""

from __future__ import annotations

import gc
import re
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

COLUMNS = ("bench", "claims", "seconds", "floor", "ratio", "per_second", "peak_rss_mb", "what")


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result. Times in seconds; ``floor`` is the bare work that ``what`` names.

    ``row`` is the line of the table in the README that it belongs to, if any. Of a growth the ratio is the exponent.
    """

    bench: str
    row: str | None
    what: str
    claims: int
    seconds: float | None = None
    floor: float | None = None
    ratio: float | None = None
    per_second: float | None = None
    peak_rss_mb: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def figure(
    bench: str,
    row: str | None,
    what: str,
    claims: int,
    seconds: Sequence[float],
    floor: Sequence[float] = (),
    *,
    count: int | None = None,
    peak: float | None = None,
) -> Figure:
    """Medians over the rounds; ``count`` things were done in one round."""
    taken = median(seconds)
    bare = median(floor) if floor else None
    return Figure(
        bench,
        row,
        what,
        claims,
        round(taken, 7),
        None if bare is None else round(bare, 7),
        round(taken / bare, 2) if bare else None,
        round(count / taken, 1) if count and taken else None,
        peak,
    )


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes; garbage of what went before is collected first."""
    gc.collect()
    start = perf_counter()
    work()
    return perf_counter() - start


_TINY = 1_000  # claims; below them a figure says that the bench runs, and no more


def rounds_for(claims: int, heavy: int) -> int:
    """Three rounds; one where a round is so large (``heavy`` claims or more) that it would take minutes, or tiny."""
    return 3 if _TINY <= claims < heavy else 1


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of the sorted values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def forget_peak() -> None:
    """Begin a new peak of resident memory, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def peak_rss_mb() -> float:
    """Peak resident memory in MiB since ``forget_peak``; since the process began where that is unknown."""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    except OSError:
        found = None
    if found:
        return round(int(found[1]) / 1024, 1)
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit, 1)


def table(figures: Sequence[Figure]) -> str:
    """Figures for people, one a line."""
    rows = [[_cell(getattr(one, name)) for name in COLUMNS] for one in figures]
    grid = [list(COLUMNS), *rows]
    widths = [max(len(line[i]) for line in grid) for i in range(len(COLUMNS))]
    last = len(COLUMNS) - 1
    lines = []
    for line in grid:
        cells = [
            text if i == last else text.ljust(widths[i]) if i == 0 else text.rjust(widths[i])
            for i, text in enumerate(line)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"
    return str(value)
