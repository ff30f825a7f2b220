"""Plain values made ready to be looked at: cells, and the lines of a table. Light, since every answer needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from ledger.text import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def visible_values(value: Any) -> Any:
    """Plain values with every text made safe to look at."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {str(name): visible_values(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [visible_values(inner) for inner in value]
    return value


def cell(value: Any) -> str:
    """One value as the text of a table or CSV cell."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    if isinstance(value, Mapping):
        return " ".join(f"{name}={cell(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return "; ".join(cell(inner) for inner in value)
    return visible(str(value), keep_newlines=False)


def table(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    heading: Sequence[str],
    footing: Sequence[str],
) -> Iterator[str]:
    """The lines of a table: columns aligned by display width, numbers to the right."""
    yield from (visible(text, keep_newlines=False) for text in heading)
    rows = list(rows)
    if rows:
        grid = [[column.replace("_", " ") for column in columns]]
        grid += [[cell(row.get(column)) for column in columns] for row in rows]
        right = [all(isinstance(row.get(column), int | float | None) for row in rows) for column in columns]
        width = _width(grid)
        widths = [max(width(line[i]) for line in grid) for i in range(len(columns))]
        for line in grid:
            padded = []
            for i, text in enumerate(line):
                space = " " * (widths[i] - width(text))
                padded.append(space + text if right[i] else text + space)
            yield "  ".join(padded).rstrip()
    yield from (visible(text, keep_newlines=False) for text in footing)


def _width(grid: list[list[str]]) -> Callable[[str], int]:
    """How many columns of a terminal a text takes; ASCII needs no table for that."""
    if all(text.isascii() and text.isprintable() for line in grid for text in line):
        return len
    from rich.cells import cell_len

    return cell_len
