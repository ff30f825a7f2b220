"""``claims export``: the whole ledger as text."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ledger import backup, codec, publication
from ledger.book import Ledger
from ledger.buckets import writing
from ledger.buckets.folder import Folder
from ledger.buckets.manifest import BUCKETS, MOST, total
from ledger.commands import common
from ledger.directory import Directory
from ledger.errors import LedgerError, Usage, WriteFailed
from ledger.life import life

COLUMNS = (
    *("entry", "position", "recorded", "claimant", "claimant_name", "via", "act", "question", "place"),
    *("place_name", "extent", "share", "state", "negated", "standing", "valid", "valid_kind", "said"),
    *("published", "target", "based_on", "marks", "corrected", "retracted", "judged"),
    *("url", "title", "quote", "note"),
)
#: Columns whose values lie in bodies.
FROM_BODIES = ("claimant_name", "url", "title", "quote", "note")


def export(
    file: Annotated[
        str, typer.Argument(help="The file to write; - for standard output.", metavar="FILE|-")
    ] = "-",
    db: common.DbOption = None,
    format: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
    redacted: Annotated[
        bool, typer.Option("--redacted", help="Leave out every text: to publish. Cannot be restored.")
    ] = False,
    round_coordinates: Annotated[
        bool,
        typer.Option("--round-coordinates", help="With --redacted: to a tenth of a degree, about 11 km."),
    ] = False,
    parquet: Annotated[
        str | None,
        typer.Option(
            "--parquet",
            metavar="FOLDER",
            help="Instead: the events without their texts as Parquet by place, for `claims replay --from`.",
            show_default=False,
        ),
    ] = None,
    buckets: Annotated[
        int | None,
        typer.Option(
            "--buckets",
            min=1,
            max=MOST,
            help=f"With --parquet: into how many buckets places are put; {BUCKETS} unless told.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the whole ledger as JSONL, from which `claims restore` makes the same ledger again.

    Leaves, bodies, positions and the root come back unchanged: a backup that can also be read. --format csv
    writes a flat table of the claims as corrected, for spreadsheets: it loses the rest and cannot be restored.
    --redacted leaves out quotes, notes, titles, addresses and the names of sources; what is left can still be hashed
    up to the root. --parquet FOLDER writes what many workers read at once; given again, it adds what was recorded since.
    """
    if parquet is not None:
        _into_buckets(parquet, buckets, db, alone=(file, format, redacted) == ("-", "jsonl", False))
        return
    if buckets is not None:
        raise Usage("--buckets goes with --parquet", remedy="`claims export --parquet FOLDER --buckets 64`")
    if round_coordinates and not redacted:
        raise Usage(
            "--round-coordinates goes with --redacted", remedy="an export to restore from changes nothing"
        )
    if format not in ("jsonl", "csv"):
        raise Usage(
            f"no format {format!r}", where="--format", remedy="choose jsonl (a backup) or csv (a table)"
        )
    with common.open_ledger(db, readonly=True) as ledger:
        head = backup.header(ledger.store)
        if format == "jsonl":
            lines, what = backup.dump(ledger.store, head), "events"
            if redacted:
                decimals = publication.DECIMALS if round_coordinates else None
                lines = publication.dump(ledger.store, head, decimals)
        else:
            columns = tuple(one for one in COLUMNS if not (redacted and one in FROM_BODIES))
            lines, what = common.csv_lines(_claims(ledger, head.size), columns), "claims"
        if file == "-":
            _print(lines)
            return
        count = _write(Path(file), lines) - 1
    common.say(f"{file}: {count:,} {what} of {head.ledger} at #{head.size}, root {head.root}")


def _into_buckets(url: str, buckets: int | None, db: str | None, *, alone: bool) -> None:
    """The leaves as Parquet by place."""
    if not alone:
        raise Usage(
            "--parquet stands alone", remedy="`claims export --parquet FOLDER`; texts are never written there"
        )
    folder = Folder(url)
    with common.open_ledger(db, readonly=True) as ledger, common.counting("exporting") as progress:
        found, before = writing.export(
            ledger.store, backup.header(ledger.store).ledger, folder, buckets, progress
        )
    new = found.position - (before.position if before else 0)
    rows, size = total(found.parts)
    common.say(
        f"{url}: {rows:,} events of {found.ledger} in {found.buckets} buckets up to #{found.position},"
        f" root {found.root}; {new:,} new, {size:,} bytes in {len(found.parts):,} parts"
    )


def _print(lines: Iterator[bytes]) -> None:
    with common.quiet_pipe():
        for line in lines:
            sys.stdout.buffer.write(line)


def _write(path: Path, lines: Iterator[bytes]) -> int:
    """Write a new file whole or not at all; how many lines it has."""
    if path.exists():
        raise LedgerError("already exists", where=str(path), remedy="Choose another name, or remove it first")
    common.check_target(path)
    partial = path.with_name(f"{path.name}.partial")
    count = 0
    try:
        with partial.open("wb") as stream:
            for line in lines:
                stream.write(line)
                count += 1
            stream.flush()
            os.fsync(stream.fileno())
        partial.rename(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise WriteFailed(
            f"cannot be written ({error.strerror})",
            where=str(path),
            remedy="Check the folder's rights and free space",
        ) from None
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return count


def _claims(ledger: Ledger, size: int) -> Iterator[dict[str, Any]]:
    directory = ledger.directory()
    for row in ledger.store.rows(1, size):
        if row.topic.startswith("claim-reported/"):
            yield _claim(ledger, directory, codec.decode(row).entry)


def _claim(ledger: Ledger, directory: Directory, entry: str) -> dict[str, Any]:
    """One claim as corrected, flat."""
    lived = life(ledger, entry)
    fields = codec.Fields(lived.recorded.name, lived.data)
    befell = {one.name: one.data for one in lived.befell}
    claimant, place = directory.sources.get(fields.claimant), directory.places.get(fields.place)
    return {
        **{name: getattr(fields, name, None) for name in COLUMNS},
        "entry": entry,
        "position": lived.recorded.position,
        "recorded": lived.recorded.recorded,
        "claimant_name": claimant.name if claimant else None,
        "place_name": place.name if place else None,
        "via": list(fields.via),
        "corrected": "entry-corrected" in befell,
        "retracted": "entry-retracted" in befell,
        "judged": befell.get("claim-adjudicated", {}).get("verdict"),
        **{name: lived.body.get(name) for name in ("url", "title", "quote", "note")},
    }
