"""Bytes to lines, one at a time, whatever somebody put into the file.

A line longer than the cap is skipped piece by piece and never held; the sum of all lines has a cap of its
own, so that a pipe without an end is left some day. Packed files are not unpacked here: a kilobyte can hide
a terabyte. Whoever wants one imported unpacks it where its size shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from ledger.errors import Usage

_CHUNK = 1 << 16
_EXCERPT = 200
BOM = b"\xef\xbb\xbf"

_PACKED = {
    b"\x1f\x8b": ("gzip", "`gunzip -c FILE | claims import -` reads it"),
    b"BZh": ("bzip2", "`bunzip2 -c FILE | claims import -` reads it"),
    b"\xfd7zXZ\x00": ("xz", "`xz -dc FILE | claims import -` reads it"),
    b"\x28\xb5\x2f\xfd": ("zstd", "`zstd -dc FILE | claims import -` reads it"),
    b"PK\x03\x04": ("a zip archive or a spreadsheet", "unpack it, or save the sheet as CSV in UTF-8"),
    b"SQLite format 3\x00": ("an SQLite database", "export its rows as CSV or JSONL"),
    b"\xff\xfe": ("text in UTF-16", "save it as UTF-8"),
    b"\xfe\xff": ("text in UTF-16", "save it as UTF-8"),
}


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that is taken in: bytes of one line, and of the whole input."""

    line: int = 1 << 20
    total: int = 1 << 34


@dataclass(frozen=True, slots=True)
class Reject:
    """A line that cannot be used, and why. ``row`` is what was read of it: text (perhaps cut) or fields."""

    reason: str
    row: Any = None


def refuse_packed(beginning: bytes, where: str) -> None:
    """Raise ``Usage`` where the first bytes of a file say that it is no plain UTF-8 text."""
    for magic, (what, remedy) in _PACKED.items():
        if beginning.startswith(magic):
            raise Usage(f"this is {what}, which is not read", where=where, remedy=remedy)


def physical_lines(stream: BinaryIO, caps: Caps) -> Iterator[tuple[int, bytes | Reject]]:
    """(line number from 1, bytes with their line end) of a stream; a ``Reject`` for a line over the cap.

    Where the total cap is passed, the last thing that comes is a ``Reject`` that says so.
    """
    number, taken = 0, 0
    while raw := stream.readline(caps.line + 1):
        number += 1
        taken += len(raw)
        whole = len(raw) <= caps.line or raw.endswith(b"\n")
        if not whole:
            taken += _skip_line(stream, caps.total - taken)
        if taken > caps.total:
            yield number, Reject(f"the input passes {caps.total:,} bytes in all: the rest was not read")
            return
        yield number, raw if whole else Reject(f"the line passes {caps.line:,} bytes", excerpt(raw))


def _skip_line(stream: BinaryIO, most: int) -> int:
    """Read to the end of the line, keeping nothing; how many bytes went by."""
    skipped = 0
    while skipped <= most and (piece := stream.readline(_CHUNK)):
        skipped += len(piece)
        if piece.endswith(b"\n"):
            break
    return skipped


def excerpt(raw: bytes) -> str:
    """The beginning of a line that cannot be shown whole, as text."""
    text = raw[:_EXCERPT].decode("utf-8", errors="backslashreplace").rstrip("\r\n")
    return f"{text}…" if len(raw) > _EXCERPT else text


def decode(raw: bytes) -> str | Reject:
    """The text of a line without its line end; a ``Reject`` where it is no UTF-8."""
    try:
        return raw.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        wrong = raw[error.start]
        return Reject(
            f"byte {error.start + 1} of the line (0x{wrong:02x}) is not UTF-8; save the file as UTF-8",
            excerpt(raw),
        )
