"""What the asking commands share: opening a desk, options, and progress on stderr."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from ledger.commands import common
from ledger.settings import database, setting
from projections.desk import Desk
from projections.views import Progress

LogicOption = Annotated[
    str | None,
    typer.Option("--logic", help="An installed logic, or FILE.py of your own.", show_default=False),
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


def open_desk(db: Path | None, logic: str | None = None) -> Desk:
    """The ledger that flag, environment or settings name, with its views, read at its head."""
    return Desk(database(db), logic=setting("logic", logic), progress=progress())


def progress() -> Progress:
    """Reports on stderr what takes longer than a second: what, how far, and how long it will take."""
    began = time.monotonic()
    shown = 0.0
    last = ""

    def report(what: str, done: int, of: int) -> None:
        nonlocal began, shown, last
        now = time.monotonic()
        if what != last:
            began, last = now, what
        if now - began < 1 or (now - shown < 0.5 and done < of) or not of:
            return
        shown = now
        left = (now - began) / max(done, 1) * (of - done)
        end = "\n" if done >= of else ""
        print(f"\r{what}: {done:,} of {of:,} ({left:.0f} s left)   ", end=end, file=sys.stderr, flush=True)

    return report
