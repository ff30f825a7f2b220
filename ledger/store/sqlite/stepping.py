"""Rows of a file straight into arrays: SQLite steps, and compiled code takes down what it finds.

To make Python's objects of a row takes longer than to read it. The SQLite is the one that Python's own ``sqlite3`` is
linked to, for two copies in one process would let go of each other's locks. Importing this raises ``ImportError`` where
that is not to be had; whoever reads then does so row by row.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import sqlite3
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numba import types

from ledger.compiling import ADDRESS, NUMBERS, WRITTEN, beyond, kept, linked

_ROW, _DONE, _OK = 100, 101, 0
_INTEGER = 1
_TYPES = {"n": _INTEGER, "t": 3, "b": 4}  # as in sqlite3_column_type
_READONLY, _URI, _NOMUTEX = 0x1, 0x40, 0x8000
_OTHER, _NO_ROOM = -1, -2
_ROOM = 1 << 20  # bytes at first
_MOST = 1 << 30  # bytes; a block of more is read row by row
_ENOUGH = 60_000  # milliseconds to wait for a writer's commit, as everywhere

_statement_and_column = (ADDRESS, types.int32)
_step, _type_of, _integer, _start, _length, _copy = linked(
    _sqlite3,
    {
        "sqlite3_step": types.int32(ADDRESS),
        "sqlite3_column_type": types.int32(*_statement_and_column),
        "sqlite3_column_int64": types.int64(*_statement_and_column),
        "sqlite3_column_blob": ADDRESS(*_statement_and_column),
        "sqlite3_column_bytes": types.int32(*_statement_and_column),
        "memcpy": ADDRESS(ADDRESS, ADDRESS, ADDRESS),
    },
)
_library = ctypes.CDLL(_sqlite3.__file__)
for _name, *_arguments in (
    ("open_v2", ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p),
    ("exec", ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    ("busy_timeout", ctypes.c_void_p, ctypes.c_int),
    ("prepare_v2", ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p),
    ("bind_int64", ctypes.c_void_p, ctypes.c_int, ctypes.c_int64),
    ("bind_text", ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p),
    ("reset", ctypes.c_void_p),
    ("finalize", ctypes.c_void_p),
    ("close", ctypes.c_void_p),
):
    getattr(_library, f"sqlite3_{_name}").argtypes = _arguments
_library.sqlite3_libversion.restype = ctypes.c_char_p
if _library.sqlite3_libversion().decode() != sqlite3.sqlite_version:
    raise ImportError("another SQLite than that of sqlite3", name="_sqlite3")


@kept(
    types.int64(ADDRESS, NUMBERS, NUMBERS, WRITTEN, types.int64[:, :, ::1], types.int64[:, ::1], types.int64)
)
def _take_down(statement, kinds, zeros, texts, spans, numbers, most):
    """Step to the end; give the number of rows, ``_OTHER`` for more than ``most`` or a column of another type, ``_NO_ROOM``
    for more bytes than there is room for."""
    at = many = 0
    while True:
        code = _step(statement)
        if code == _DONE:
            return many
        if code != _ROW or many == most:
            return _OTHER
        text = number = 0
        for column in range(len(kinds)):
            if _type_of(statement, column) != kinds[column]:
                return _OTHER
            if kinds[column] == _INTEGER:
                numbers[number, many] = _integer(statement, column)
                number += 1
                continue
            begin = _start(statement, column)
            length = _length(statement, column)
            if at + zeros[column] + length > len(texts):
                return _NO_ROOM
            for _ in range(zeros[column]):
                texts[at] = 0
                at += 1
            _copy(beyond(texts.ctypes.data, at), begin, length)
            spans[text, many, 0] = at
            at += length
            spans[text, many, 1] = at
            text += 1
        many += 1


class Taken(NamedTuple):
    """Rows of a query. ``texts``: all of their texts and blobs (bytes,); ``spans`` (texts a row, rows, 2): where each
    begins and ends; ``numbers`` (integers a row, rows)."""

    texts: Any
    spans: Any
    numbers: Any


class _Query:
    """A statement, and room for what it finds: kept, since memory that was never touched costs more than to read."""

    def __init__(self, statement: Any, columns: str) -> None:
        self.statement = statement
        self.kinds = np.array([_TYPES[one] for one in columns if one in _TYPES], np.int64)
        self.zeros = np.array(
            [before == "0" for before, one in pairwise(f" {columns}") if one in _TYPES], np.int64
        )
        self.texts = np.empty(_ROOM, np.uint8)
        self.spans, self.numbers = self._for(0)

    def _for(self, rows: int) -> tuple[Any, Any]:
        numbers = int((self.kinds == _INTEGER).sum())
        spans = np.empty((len(self.kinds) - numbers, rows, 2), np.int64)
        return spans, np.empty((numbers, rows), np.int64)

    def take(self, most: int) -> int:
        if self.spans.shape[1] < most:
            self.spans, self.numbers = self._for(most)
        return int(
            _take_down(
                *(self.statement.value, self.kinds, self.zeros),
                *(self.texts, self.spans, self.numbers, most),
            )
        )


class Stepper:
    """A connection of its own to a file, for reading. One thread at a time; between two questions it holds no lock.

    ``mapped``: pages are read where they lie, and a file that fails under it kills the process. Raises ``OSError`` where
    the file cannot be opened.
    """

    def __init__(self, uri: str, *, mapped: bool) -> None:
        self._database = ctypes.c_void_p()
        self._queries: dict[str, _Query] = {}
        flags = _READONLY | _URI | _NOMUTEX
        if _library.sqlite3_open_v2(uri.encode(), ctypes.byref(self._database), flags, None) != _OK:
            self.close()
            raise OSError(f"{uri} cannot be opened")
        _library.sqlite3_busy_timeout(self._database, _ENOUGH)
        # What is read once is best kept near the processor.
        pragmas = "trusted_schema = OFF; PRAGMA cell_size_check = ON; PRAGMA cache_size = -2048"
        mapping = f"; PRAGMA mmap_size = {2**62}" if mapped else ""
        _library.sqlite3_exec(self._database, f"PRAGMA {pragmas}{mapping}".encode(), None, None, None)

    def take(self, sql: str, columns: str, *parameters: int | str, most: int) -> Taken | None:
        """All rows of a query, of which there must be at most so many; they stand until the same is asked again.

        ``columns`` has a letter for each: ``n`` an integer, ``t`` a text, ``b`` a blob; a ``0`` before it asks for a zero
        byte before each of its texts. None for anything that was not expected: more rows, another type, an error of
        SQLite's.
        """
        query = self._queries.get(sql)
        if query is None:
            if (statement := self._prepared(sql)) is None:
                return None
            query = self._queries[sql] = _Query(statement, columns)
        while True:
            try:
                if not self._bound(query.statement, parameters):
                    return None
                rows = query.take(most)
            finally:
                _library.sqlite3_reset(query.statement)
            if rows >= 0:
                return Taken(query.texts, query.spans[:, :rows], query.numbers[:, :rows])
            if rows != _NO_ROOM or len(query.texts) >= _MOST:
                return None
            query.texts = np.empty(2 * len(query.texts), np.uint8)

    def _prepared(self, sql: str) -> Any:
        statement = ctypes.c_void_p()
        text = sql.encode()
        found = _library.sqlite3_prepare_v2(self._database, text, -1, ctypes.byref(statement), None)
        return statement if found == _OK and statement else None

    def _bound(self, statement: ctypes.c_void_p, parameters: tuple[int | str, ...]) -> bool:
        for number, value in enumerate(parameters, 1):
            if isinstance(value, int):
                found = _library.sqlite3_bind_int64(statement, number, value)
            else:
                text = value.encode(errors="surrogateescape")
                found = _library.sqlite3_bind_text(statement, number, text, len(text), ctypes.c_void_p(-1))
            if found != _OK:
                return False
        return True

    def close(self) -> None:
        """Let go of the file. Harmless when done twice."""
        for query in self._queries.values():
            _library.sqlite3_finalize(query.statement)
        self._queries.clear()
        _library.sqlite3_close(self._database)
        self._database = ctypes.c_void_p()
