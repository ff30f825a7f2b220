"""``claims import``: bring a file into the ledger."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO, cast

import typer

from ledger import importing
from ledger.book import Ledger
from ledger.commands import common
from ledger.commands.fields import point_out
from ledger.errors import FAILED, REJECTED, Conflict, LedgerError, Rejected, Usage, WriteFailed
from ledger.importing import Tally
from ledger.settings import database
from ledger.store import door

_SHOWN = 5  # rejected rows that are printed
COUNTS = (
    *("rows", "new", "already", "conflicting", "rejected", "unchanged", "skipped", "registered", "marked"),
)


def import_(
    file: Annotated[str, typer.Argument(help="A file, or - for standard input.", metavar="FILE|-")],
    from_: Annotated[
        str | None, typer.Option("--from", help="jsonl or csv; else by the name.", show_default=False)
    ] = None,
    map_: Annotated[
        str | None,
        typer.Option(
            "--map", metavar="M.toml", help="Columns to fields: a file or a shipped map.", show_default=False
        ),
    ] = None,
    register: Annotated[
        bool, typer.Option("--register", help="Register places and sources not known yet.")
    ] = False,
    dry_run: common.DryRunOption = False,
    rejects: Annotated[
        Path | None,
        typer.Option("--rejects", metavar="BAD.jsonl", help="Write refused rows here.", show_default=False),
    ] = None,
    create: Annotated[bool, typer.Option("--create", help="Make the ledger where there is none.")] = False,
    db: common.DbOption = None,
    actor: common.ActorOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Import claims: JSONL in the ledger's own form, or a CSV or JSONL with a --map of columns to fields.

    What is recorded already is recognised, so the same file can be imported again and an interrupted import
    goes on. A bad row costs itself and nothing else. Exit 4 where rows were rejected, 1 where some only
    conflict with what is recorded.
    """
    chosen = common.chosen_format(format, json)
    if from_ not in (None, "jsonl", "csv"):
        raise Usage(f"no kind of file {from_!r}", where="--from", remedy="choose jsonl or csv")
    if rejects is not None:
        common.check_target(rejects, file, map_, database(db))
    records, translator = importing.prepare(file, kind=cast(Any, from_), map_file=map_)
    with (
        records,
        _ledger(db, create, dry_run) as ledger,
        _written_to(rejects) as bad,
        _progress() as progress,
    ):
        try:
            tally = importing.import_file(
                ledger,
                records,
                translator,
                register=register,
                dry_run=dry_run,
                rejects=bad,
                actor=common.actor(actor),
                progress=progress,
            )
        except importing.Interrupted as stop:
            tally = stop.tally
            raise InterruptedImport(
                f"interrupted: {_words(tally)}", remedy="The same import goes on"
            ) from None
    _print(tally, chosen, dry_run=dry_run)
    _complain(tally, rejects)


class InterruptedImport(LedgerError):
    """Broken off from the keyboard; the batches that were recorded stay."""

    exit_code = 130


@contextmanager
def _ledger(db: str | None, create: bool, dry_run: bool) -> Iterator[Ledger]:
    path = database(db)
    make = create and not door.exists(path)
    if make and dry_run:
        raise Usage(
            "--create makes a file, --dry-run records nothing", remedy="create it first: `claims init`"
        )
    with Ledger.create(path) if make else Ledger.open(path, readonly=dry_run) as ledger:
        yield ledger


@contextmanager
def _written_to(path: Path | None) -> Iterator[TextIO | None]:
    if path is None:
        yield None
        return
    try:
        stream = path.open("w", encoding="utf-8")
    except OSError as error:
        raise WriteFailed(
            f"cannot be written ({error.strerror})", where=str(path), remedy="Name another file"
        ) from None
    with stream:
        yield stream


@contextmanager
def _progress() -> Iterator[Callable[[Tally], None] | None]:
    """A line on stderr that counts up, on a terminal only, and only where it takes longer than a second."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    began = time.monotonic()
    with Console(stderr=True).status("importing") as status:
        status.stop()

        def report(tally: Tally) -> None:
            passed = time.monotonic() - began
            if passed > 1:
                status.update(f"{tally.rows:,} rows, {tally.rows / passed:,.0f} a second: {_words(tally)}")
                status.start()

        yield report


def _words(tally: Tally) -> str:
    """The counts on one line: those that matter always, the others where there are any."""
    told = [
        f"{tally.new:,} new",
        f"{tally.already:,} already recorded",
        f"{tally.conflicting:,} conflicting",
        f"{tally.rejected:,} rejected",
    ]
    rest = ("unchanged", "skipped", "registered", "marked")
    return ", ".join(told + [f"{getattr(tally, name):,} {name}" for name in rest if getattr(tally, name)])


def _print(tally: Tally, chosen: common.Format, *, dry_run: bool) -> None:
    counts = {name: getattr(tally, name) for name in COUNTS}
    if chosen is common.Format.table:
        print(f"{'would be: ' if dry_run else ''}{_words(tally)}")
    else:
        answer = {
            "schema": "import/1",
            "dry_run": dry_run,
            **counts,
            "events": dict(sorted(tally.events.items())),
            "rejects": [{"file": one.file, "line": one.line, "reason": one.reason} for one in tally.rejects],
            "homoglyphs": tally.homoglyphs,
            "year_doubts": [{"doubt": str(one), "remedy": one.remedy} for one in tally.year_doubts],
        }
        common.emit(answer, [counts], COUNTS, chosen)
    point_out(*list(dict.fromkeys(tally.homoglyphs))[:_SHOWN])
    for doubt in tally.year_doubts[:_SHOWN]:
        common.say(f"warning: {doubt}. To correct: {doubt.remedy}")
    if tally.doubted > _SHOWN:
        common.say(
            f"warning: {tally.doubted - _SHOWN:,} more claims may be misdated by a year (--json lists them)"
        )


def _complain(tally: Tally, rejects: Path | None) -> None:
    """Say on stderr which rows were refused; raise what the exit code follows from."""
    for one in tally.rejects[:_SHOWN]:
        common.say(str(one))
    if not tally.exit_code:
        return
    more = f"all are in {rejects}" if rejects else "--rejects FILE keeps them all, --json lists the first"
    if tally.exit_code == REJECTED:
        raise Rejected(f"{tally.rejected:,} of {tally.rows:,} rows rejected", remedy=more)
    assert tally.exit_code == FAILED
    raise Conflict(f"{tally.conflicting:,} of {tally.rows:,} rows contradict what is recorded", remedy=more)
