"""What every command shares: options defined once, opening a ledger, and printing.

Data goes to stdout, talk and progress to stderr. The bytes on stdout are the same on a terminal and in a
pipe. Everything that came from outside is printed with control and bidi characters made visible.
"""

from __future__ import annotations

import csv
import io
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from ledger.book import Ledger
from ledger.commands.plain import cell as cell
from ledger.commands.plain import table
from ledger.commands.plain import visible_values as visible_values
from ledger.directory import CONTROL as CONTROL
from ledger.errors import Usage, WriteFailed
from ledger.places import Location, Server
from ledger.settings import database, setting
from ledger.text import csv_safe, visible


class Format(StrEnum):
    """How answers are printed."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


def complete_place(incomplete: str) -> list[tuple[str, str]]:
    """Shell completion of place names."""
    return _complete(lambda ledger: ledger.directory().complete_place(incomplete))


def complete_source(incomplete: str) -> list[tuple[str, str]]:
    """Shell completion of source names."""
    return _complete(lambda ledger: ledger.directory().complete_source(incomplete))


def _complete(look_up: Callable[[Ledger], list[tuple[str, str]]]) -> list[tuple[str, str]]:
    try:
        with Ledger.open(database(), readonly=True) as ledger:
            return look_up(ledger)
    except Exception:  # a completion that fails must not disturb the shell
        return []


DbOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="FILE|URL",
        help="The ledger: a file, or postgresql://… Else CLAIMS_DB, claims.toml, user config.",
        show_default=False,
    ),
]
ActorOption = Annotated[
    str | None, typer.Option("--actor", help="Who appends; kept with the event.", show_default=False)
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key", help="Your own name for this act; the same key is never recorded twice.", show_default=False
    ),
]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Decide everything, record nothing.")]
FormatOption = Annotated[
    Format | None, typer.Option("--format", help="How to print the answer.", show_default=False)
]
JsonOption = Annotated[bool, typer.Option("--json", help="Short for --format json.")]
QuestionOption = Annotated[str, typer.Option("--question", help="What is asked of the place.")]
NoteOption = Annotated[str | None, typer.Option("--note", help="Your note (erasable).", show_default=False)]
ReasonOption = Annotated[str | None, typer.Option("--reason", help="Why (erasable).", show_default=False)]


def open_ledger(db: str | None, *, readonly: bool = False) -> Ledger:
    """The ledger that flag, environment or settings name. Never creates one."""
    return Ledger.open(database(db), readonly=readonly)


def actor(flag: str | None) -> str | None:
    """``--actor``, else the configured one, else nobody."""
    return setting("actor", flag)


def chosen_format(flag: Format | None, json: bool) -> Format:
    """``--json`` and ``--format``, else the configured format, else a table."""
    if json:
        if flag not in (None, Format.json):
            raise Usage(f"--json and --format {flag} contradict each other", remedy="give one of them")
        return Format.json
    if flag is not None:
        return flag
    configured = setting("format") or "table"
    if configured not in Format.__members__:
        raise Usage(f"no format {configured!r}", remedy=f"Formats: {', '.join(Format)}")
    return Format(configured)


def check_target(path: Path, *read: str | Location | None) -> None:
    """Refuse to write over what the command reads, or into a folder that is not there."""
    for other in (one for one in read if one and not isinstance(one, Server)):
        if os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other):
            raise Usage("would be written over while it is read", where=str(path), remedy="name another file")
    if os.path.exists(path.parent) and not os.path.isdir(path.parent):
        raise WriteFailed(f"{path.parent} is no folder", where=str(path), remedy="Name another path")
    if not os.path.isdir(path.parent):
        folder = shlex.quote(str(path.parent))
        raise WriteFailed(
            "its folder does not exist", where=str(path), remedy=f"Make it first: `mkdir -p {folder}`"
        )


def say(text: str) -> None:
    """Talk to the person: one line on stderr."""
    print(visible(text, keep_newlines=False), file=sys.stderr)


@contextmanager
def counting(doing: str) -> Iterator[Callable[[int, int], None] | None]:
    """A line on stderr that says how many events are done, of how many; None where nobody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(doing) as status:
        yield lambda done, of: status.update(f"{doing}: {done:,} of {of:,} events")


@contextmanager
def quiet_pipe() -> Iterator[None]:
    """Whoever reads stdout may stop when it has seen enough: that is no error."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@quiet_pipe()
def emit(
    answer: Any,
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    chosen: Format,
    *,
    heading: Sequence[str] = (),
    footing: Sequence[str] = (),
) -> None:
    """Print an answer: ``answer`` whole as JSON, or its ``rows`` a line each as JSONL, CSV or a table.

    ``heading`` and ``footing`` are lines around the table; they are not data and appear in no other format.
    """
    if chosen is Format.json:
        _write(orjson.dumps(visible_values(answer), option=orjson.OPT_INDENT_2) + b"\n")
    elif chosen is Format.jsonl:
        for row in rows:
            _write(orjson.dumps(visible_values(row)) + b"\n")
    elif chosen is Format.csv:
        for line in csv_lines(rows, columns):
            _write(line)
    else:
        _table(rows, columns, heading, footing)


def csv_lines(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Iterator[bytes]:
    """A header and the rows as CSV in UTF-8, a line each; no cell of them is run by a spreadsheet."""
    line = io.StringIO()
    writer = csv.writer(line, lineterminator="\n")
    for cells in chain([columns], ([_csv_cell(row.get(one)) for one in columns] for row in rows)):
        writer.writerow(cells)
        yield line.getvalue().encode(errors="backslashreplace")
        line.seek(0)
        line.truncate()


def _csv_cell(value: Any) -> str:
    """A number stays one, be it negative."""
    return cell(value) if isinstance(value, int | float) else csv_safe(cell(value))


@quiet_pipe()
def stream_json(answer: Mapping[str, Any], name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """``answer`` as JSON with ``rows`` as its last member ``name``, written as they come."""
    head = orjson.dumps(visible_values(answer), option=orjson.OPT_INDENT_2).removesuffix(b"\n}")
    _write(head + b",\n  " + orjson.dumps(name) + b": [")
    between = b"\n    "
    for row in rows:
        _write(between + orjson.dumps(visible_values(row)))
        between = b",\n    "
    _write(b"\n  ]\n}\n" if between[:1] == b"," else b"]\n}\n")


def _write(data: bytes) -> None:
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def _table(
    rows: Iterable[Mapping[str, Any]],
    columns: Sequence[str],
    heading: Sequence[str],
    footing: Sequence[str],
) -> None:
    """No wrapping, no colour: the same bytes in a pipe."""
    for line in table(rows, columns, heading, footing):
        print(line)
