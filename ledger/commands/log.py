"""``claims log``: what was recorded, the newest first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any

import typer

from ledger import codec
from ledger.book import Ledger
from ledger.codec import Recorded
from ledger.commands import common
from ledger.commands.summaries import summary
from ledger.directory import Directory
from ledger.errors import Usage
from ledger.events import BY_NAME

COLUMNS = ("position", "recorded", "entry", "type", "summary")
_AT_ONCE = 500
_WIDTHS = (0, 20, 26, 18)  # of recorded, entry and type; a longer id pushes its own line only
_ABBREVIATED = 14


def log(
    limit: Annotated[int, typer.Option("--limit", help="How many at most; 0 for all.")] = 50,
    type: Annotated[
        str | None,
        typer.Option("--type", help="Of one type only, such as claim-reported.", show_default=False),
    ] = None,
    place: Annotated[
        str | None,
        typer.Option(
            "--place", help="About one place.", autocompletion=common.complete_place, show_default=False
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--source",
            help="Said or carried by one.",
            autocompletion=common.complete_source,
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option("--since", metavar="#N", help="From this position on.", show_default=False)
    ] = None,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """List what was recorded, the newest first: position, time of recording, entry, type and a summary.

    Summaries show what was recorded, before any correction; `claims show ENTRY` shows the whole of one.
    """
    chosen = common.chosen_format(format, json)
    first = _position(since)
    if limit < 0:
        raise Usage(f"{limit} is no number of events", where="--limit", remedy="0 means all")
    if type is not None and type.partition("/")[0] not in BY_NAME:
        raise Usage(f"no event type {type!r}", where="--type", remedy=f"Types: {', '.join(BY_NAME)}")
    with common.open_ledger(db, readonly=True) as ledger:
        head = ledger.store.head()
        directory = ledger.directory()
        wanted = _Filter(directory, type, place, source)
        found = (one for one in _newest_first(ledger, first, head.size) if wanted.takes(one))
        rows = (_row(one, directory) for one in islice(found, min(limit, head.size) or None))
        if chosen is common.Format.table:
            with common.quiet_pipe():
                for row in rows:
                    print(_line(row, len(str(head.size))))
        elif chosen is common.Format.json:
            answer = {"schema": "log/1", "position": head.size, "root": head.root.hex()}
            common.stream_json(answer, "events", rows)
        else:
            common.emit(None, rows, COLUMNS, chosen)


class _Filter:
    """What is asked for; ids that were merged count as one."""

    def __init__(self, directory: Directory, type: str | None, place: str | None, source: str | None) -> None:
        self._type = type.partition("/")[0] if type else None
        self._places = set(directory.merged_into(directory.resolve_place(place))) if place else None
        self._sources = (
            set(directory.merged_sources_into(directory.resolve_source(source))) if source else None
        )

    def takes(self, one: Recorded) -> bool:
        if self._type is not None and one.name != self._type:
            return False
        if self._places is not None and self._places.isdisjoint(_named(one, ("place", "into"))):
            return False
        names = ("claimant", "source", "via", "sources", "into")
        return self._sources is None or not self._sources.isdisjoint(_named(one, names))


def _named(one: Recorded, fields: tuple[str, ...]) -> set[str]:
    named: set[str] = set()
    for field in fields:
        value = one.data.get(field)
        named.update(value if isinstance(value, list) else [value] if value else [])
    return named


def _newest_first(ledger: Ledger, first: int, last: int) -> Iterator[Recorded]:
    """Events from ``last`` down to ``first``, a window at a time."""
    while last >= first:
        start = max(first, last - _AT_ONCE + 1)
        yield from map(codec.decode, reversed(list(ledger.store.rows(start, last))))
        last = start - 1


def _row(one: Recorded, directory: Directory) -> dict[str, Any]:
    return {
        "position": one.position,
        "recorded": one.recorded,
        "entry": one.entry,
        "type": one.type,
        "summary": summary(one, directory),
    }


def _line(row: dict[str, Any], width: int) -> str:
    stream, at, version = row["entry"].partition("@")
    derived = stream[1:2] == "-" and len(stream) == 34
    entry = (stream[:_ABBREVIATED] if derived else stream) + at + version
    cells = [f"#{row['position']}".rjust(width + 1), f"{row['recorded'][:19]}Z", entry]
    cells += [row["type"].partition("/")[0], row["summary"]]
    padded = [common.cell(text).ljust(size) for text, size in zip(cells, _WIDTHS, strict=False)]
    return "  ".join([*padded, common.cell(cells[-1])]).rstrip()


def _position(text: str | None) -> int:
    if text is None:
        return 1
    digits = text.strip().removeprefix("#")
    if not (digits.isascii() and digits.isdecimal()):
        raise Usage(f"{text!r} is no position", where="--since", remedy="write '#17', in quotes")
    return max(int(digits), 1)
