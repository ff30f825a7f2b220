"""What the asking commands share: opening a desk, options, and progress on stderr."""

from __future__ import annotations

import sqlite3
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.commands import common
from ledger.errors import ReplayDue, Usage
from ledger.settings import database, setting
from ledger.text import visible
from projections import promotion
from projections.desk import Desk

if TYPE_CHECKING:
    from projections.hypothetical import Supposing

LogicOption = Annotated[
    str | None,
    typer.Option(
        "--logic",
        help="An installed logic, or FILE.py of your own; NAME:FILE.toml with parameters.",
        show_default=False,
    ),
]
ParamsOption = Annotated[
    Path | None,
    typer.Option(
        "--params",
        metavar="FILE.toml",
        help="Assumptions to put in place of the logic's own; `claims logic --params` lists them.",
        show_default=False,
    ),
]
WithoutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--without",
        metavar="SOURCE|kind:K",
        help="Leave out a source, or all of a kind; repeatable.",
        show_default=False,
        autocompletion=common.complete_source,
    ),
]
WithOption = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        metavar="FILE.jsonl|-",
        help="Answer as if these events were recorded too, as `claims import` reads them; repeatable.",
        show_default=False,
    ),
]
KnownByOption = Annotated[
    str | None,
    typer.Option(
        "--known-by",
        metavar="T",
        help="What was known by then; later than DATE is hindsight.",
        show_default=False,
    ),
]
RecordedByOption = Annotated[
    str | None,
    typer.Option(
        "--recorded-by", metavar="T|#N", help="Cut the ledger at a moment or position.", show_default=False
    ),
]
PlaceArgument = Annotated[
    str, typer.Argument(help="Place, in any registered spelling.", autocompletion=common.complete_place)
]
DateArgument = Annotated[str, typer.Argument(help="EDTF, ISO 8601 or words like yesterday.", metavar="DATE")]


@contextmanager
def open_desk(db: str | None, logic: str | None = None, params: Path | None = None) -> Iterator[Desk]:
    """The ledger that flag, environment or settings name, with its views, read at its head. ``params`` changes
    the logic named, else the default."""
    progress = ProgressLine()
    named = setting("logic", logic)
    if params is not None:
        if params.suffix != ".toml":
            raise Usage(
                "a file of parameters ends in .toml", where=str(params), remedy="give the path of a FILE.toml"
            )
        named = f"{named or ''}:{params}"
    try:
        with Desk(database(db), logic=named, progress=progress) as desk:
            if desk.asked.params is not None and not desk.asked.kept:
                promotion.keep(desk.asked.params, desk.asked.logic.id, desk.asked.fingerprint)
            try:
                yield desk
            except sqlite3.OperationalError:
                raise
            except sqlite3.DatabaseError as error:
                raise ReplayDue(
                    f"a view is damaged ({error})",
                    where=str(desk.views.root),
                    remedy=f"`claims replay --logic {desk.asked.spec}` makes it anew from the ledger",
                ) from None
    finally:
        progress.end()


@contextmanager
def supposing(real: Desk, files: Sequence[str] | None) -> Iterator[Desk]:
    """The desk with what is in some files taken for recorded; as it is where there are none."""
    if not files:
        yield real
        return
    from projections.hypothetical import Supposing

    with Supposing(real, files) as desk:
        mention_suppositions(desk)
        yield desk


def mention_suppositions(desk: Supposing) -> None:
    """Say where a file adds less than it may seem to."""
    for note in desk.notes:
        common.say(f"note: {note}")


def suppositions(files: Sequence[Mapping[str, Any]]) -> str:
    """What is supposed, in a few words."""
    named = [f"{one['file']} ({one['events']:,} event{'' if one['events'] == 1 else 's'})" for one in files]
    return f"hypothetical: with {', '.join(named)}"


def citable(heading: Sequence[str], answer: Mapping[str, Any]) -> list[str]:
    """The heading of a table, which says first of all what is only supposed."""
    first, *more = heading
    return [f"{first} | {suppositions(answer['with'])}" if "with" in answer else first, *more]


def mention_quarantine(desk: Desk) -> None:
    """Say which entries the logic raised on, where its view was asked: silence would look like an answer."""
    beliefs = vars(desk).get("beliefs")  # asked for already, or not at all
    bad = beliefs.quarantined() if beliefs is not None else []
    if bad:
        loaded = desk.loaded
        common.say(
            f"note: {len(bad):,} quarantined under {loaded.logic.id}, the first #{bad[0].position}:"
            f" {bad[0].error}; `claims replay --logic {loaded.spec}` lists all"
        )


class ProgressLine:
    """Reports on stderr what takes longer than a second: what, how far, and how long it will take. A terminal
    shows one line that counts up; elsewhere it is a line every few seconds."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._pause = 0.5 if self._terminal else 5.0
        self._what = ""
        self._began = self._shown = 0.0
        self._unfinished = False

    def __call__(self, what: str, done: int, of: int) -> None:
        now = time.monotonic()
        if what != self._what:
            self._began, self._what = now, what
        if now - self._began < 1 or (now - self._shown < self._pause and done < of) or not of:
            return
        self._shown = now
        left = (now - self._began) / max(done, 1) * (of - done)
        line = visible(f"{what}: {done:,} of {of:,} ({left:.0f} s left)", keep_newlines=False)
        self._unfinished = self._terminal and done < of
        start, end = ("\r", "   ") if self._terminal else ("", "")
        print(f"{start}{line}{end}", end="" if self._unfinished else "\n", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line that counts up, so that what follows has one of its own."""
        if self._unfinished:
            print(file=sys.stderr)
            self._unfinished = False
