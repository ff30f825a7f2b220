"""Files and pipes to raw records, streamed: what is good comes through, what is not comes as a ``Reject``.

*JSONL*: one object a line. *CSV*: a header, then rows of as many cells; quoted cells may hold line breaks.
A record's number is that of the physical line on which it begins. A bad line costs itself and nothing else:
when a quotation mark opens and never closes, only the line that opened it is given up. A cell may have as
many characters as the ``csv`` module allows (131,072), a record as many bytes as a line.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self, cast

from ledger.errors import Usage
from ledger.importing import strict_json
from ledger.importing.lines import BOM, Caps, Reject, decode, excerpt, physical_lines, refuse_packed
from ledger.text import visible

Kind = Literal["jsonl", "csv"]
Raw = dict[str, Any]
Record = tuple[int, Raw | Reject]

_DEFAULT_CAPS = Caps()
_SHOWN = 2000
_SUFFIXES: dict[str, Kind] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


def guess_kind(path: str | Path, *, mapped: bool) -> Kind:
    """The kind of a file by its ending; of a pipe by whether there is a map. Raises ``Usage``."""
    if str(path) == "-":
        return "csv" if mapped else "jsonl"
    kind = _SUFFIXES.get(Path(path).suffix.lower())
    if kind is None:
        raise Usage("neither .jsonl nor .csv", where=str(path), remedy="say which with --from jsonl|csv")
    return kind


class Records:
    """The records of one input: iterate once, close (or use as a context). ``columns`` are a CSV's header,
    None for JSONL."""

    def __init__(self, stream: BinaryIO, kind: Kind, *, name: str, delimiter: str, caps: Caps) -> None:
        self.name = name
        self.columns: tuple[str, ...] | None = None
        # Typeshed wants a raw stream; anything that reads into a buffer will do.
        self._stream = io.BufferedReader(cast(Any, stream))
        refuse_packed(self._stream.peek(16)[:16], name)
        lines = physical_lines(cast(BinaryIO, self._stream), caps)
        if kind == "csv":
            rows = _CsvRows(lines, delimiter, caps.line, name)
            self.columns = rows.columns
            self._records: Iterator[Record] = iter(rows)
        else:
            self._records = (_json_record(*line) for line in lines if not _is_blank(line[1]))

    def __iter__(self) -> Iterator[Record]:
        return self._records

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file. Standard input is left open for whoever owns it."""
        if self.name == "-":
            self._stream.detach()
        else:
            self._stream.close()


def open_records(
    source: str | Path | BinaryIO,
    kind: Kind,
    *,
    name: str | None = None,
    delimiter: str = ",",
    caps: Caps = _DEFAULT_CAPS,
) -> Records:
    """Open a file, ``-`` for standard input, or a binary stream. Raises ``Usage`` where it cannot be read,
    is packed, or is a CSV without a usable header."""
    if not isinstance(source, str | Path):
        return Records(source, kind, name=name or "stream", delimiter=delimiter, caps=caps)
    if str(source) == "-":
        return Records(sys.stdin.buffer, kind, name=name or "-", delimiter=delimiter, caps=caps)
    try:
        stream = open(source, "rb", buffering=0)  # noqa: SIM115 - Records closes it
    except OSError as error:
        reason = error.strerror or "cannot be read"
        raise Usage(f"cannot be read: {reason}", where=str(source), remedy="check the path") from None
    try:
        return Records(cast(BinaryIO, stream), kind, name=name or str(source), delimiter=delimiter, caps=caps)
    except BaseException:
        stream.close()
        raise


# -- JSONL ---------------------------------------------------------------------------------------------


def _is_blank(line: bytes | Reject) -> bool:
    return isinstance(line, bytes) and not line.strip()


def _json_record(number: int, raw: bytes | Reject) -> Record:
    if isinstance(raw, Reject):
        return number, raw
    text = decode(raw)
    if isinstance(text, Reject):
        return number, text
    try:
        value = strict_json.parse(text)
    except strict_json.NotJsonError as error:
        return number, Reject(visible(str(error), keep_newlines=False), excerpt(raw))
    if not isinstance(value, dict):
        return number, Reject("the line is no JSON object", excerpt(raw))
    return number, value


# -- CSV -----------------------------------------------------------------------------------------------


class _OverlongError(Exception):
    """A quoted cell ran over the cap."""


class _CsvRows:
    """Rows of a CSV as dictionaries. The ``csv`` module pulls the lines it needs for one record; those it
    has pulled are kept until the record is whole, and given back where it turns out to be none."""

    def __init__(
        self, lines: Iterator[tuple[int, bytes | Reject]], delimiter: str, cap: int, where: str
    ) -> None:
        self._lines = lines
        self._delimiter = delimiter
        self._cap = cap
        self._again: deque[tuple[int, bytes | Reject]] = deque()
        self._pulled: list[tuple[int, bytes]] = []
        self._first = True
        self.columns = self._header(where)

    def __iter__(self) -> Iterator[Record]:
        width = len(self.columns)
        while (found := self._record()) is not None:
            number, cells = found
            if isinstance(cells, Reject):
                yield number, cells
            elif len(cells) != width:
                reason = f"the row has {len(cells)} cells, the header {width}"
                yield number, Reject(reason, self._written())
            elif any(cells):
                yield number, dict(zip(self.columns, cells, strict=True))

    def _header(self, where: str) -> tuple[str, ...]:
        found = self._record()
        if found is None:
            raise Usage("there is no header", where=where, remedy="the first line names the columns")
        cells = found[1]
        if isinstance(cells, Reject):
            raise Usage(f"the header cannot be read: {cells.reason}", where=f"{where}:1")
        columns = tuple(cell.strip() for cell in cells)
        for column in columns:
            if columns.count(column) > 1:
                raise Usage(f"two columns are called {column!r}", where=f"{where}:1", remedy="rename one")
        if len(columns) == 1 and (other := next((sign for sign in ";\t|" if sign in columns[0]), None)):
            remedy = f"put `delimiter = {other!r}` at the top of the map"
            raise Usage(f"the header is one cell with {other!r} in it", where=f"{where}:1", remedy=remedy)
        return columns

    def _record(self) -> tuple[int, list[str] | Reject] | None:
        """The next record's first line and cells, blank lines passed over; None at the end."""
        while True:
            self._pulled.clear()
            reader = csv.reader(self._pull(), delimiter=self._delimiter, strict=True)
            try:
                cells = next(reader, None)
            except _OverlongError:
                return self._skip(f"a quoted cell passes {self._cap:,} bytes")
            except csv.Error as error:
                if "field limit" in str(error):
                    return self._skip(f"a cell passes {csv.field_size_limit():,} characters")
                return self._give_back(str(error))
            if not self._pulled:
                # Nothing was pulled: the end, or a line that no record can begin with.
                return self._unusable()
            if cells:
                nul = any("\x00" in cell for cell in cells)
                reject = Reject("a cell holds a NUL byte: this is no text", self._written())
                return self._pulled[0][0], reject if nul else cells

    def _pull(self) -> Iterator[str]:
        size = 0
        while True:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                return
            number, raw = line
            if isinstance(raw, Reject) or isinstance(decode(raw), Reject):
                self._again.appendleft(line)
                return
            if self._first:
                self._first = False
                raw = raw.removeprefix(BOM)  # spreadsheets write one
            size += len(raw)
            self._pulled.append((number, raw))
            if size > self._cap:
                raise _OverlongError
            yield raw.decode()

    def _written(self) -> str:
        return b"".join(raw for _, raw in self._pulled).decode().rstrip("\r\n")[:_SHOWN]

    def _unusable(self) -> tuple[int, Reject] | None:
        if not self._again:
            return None
        number, raw = self._again.popleft()
        reject = raw if isinstance(raw, Reject) else decode(raw)
        assert isinstance(reject, Reject)
        return number, reject

    def _give_back(self, reason: str) -> tuple[int, Reject]:
        """Give up the first line of what was pulled; the others may be good."""
        (number, raw), *rest = self._pulled
        self._again.extendleft(reversed(rest))
        if "unexpected end" in reason:
            reason = "a quotation mark opens and is not closed"
        return number, Reject(f"not CSV: {reason}", excerpt(raw))

    def _skip(self, reason: str) -> tuple[int, Reject]:
        """Pass over the rest of a record that is too long to hold. Its lines are not tried as rows of their
        own: they are somebody's text, who may have written it to look like rows."""
        first, raw = self._pulled[0]
        last = self._pulled[-1][0]
        quotes = sum(raw.count(b'"') for _, raw in self._pulled)
        while quotes % 2:
            line = self._again.popleft() if self._again else next(self._lines, None)
            if line is None:
                break
            last = line[0]
            quotes += line[1].count(b'"') if isinstance(line[1], bytes) else 0
        return first, Reject(f"{reason}; lines {first} to {last} were passed over", excerpt(raw))
