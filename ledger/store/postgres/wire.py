"""A connection with a short way to the server: statements prepared once, values in PostgreSQL's binary form.

Nothing is parsed, looked up or converted again, which for the few statements of an append costs psycopg's cursors more
than twice as much of this process's time. Waiting stays psycopg's, so that Ctrl-C ends it.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from struct import Struct
from typing import Any

import psycopg
from psycopg import generators, pq
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.rows import DictRow
from psycopg.waiting import Wait

Rows = list[tuple[Any, ...]]

Statement = tuple[str, Sequence[bytes | None]]
"""Its text and its parameters."""

_DONE = (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK)
_BINARY = pq.Format.BINARY
_OFTEN = 2  # times that a statement is sent as it is before it is prepared, which takes one turn more
_OIDS = {"bigint": 20, "smallint": 21, "text": 25, "bytea": 17}

bigint = Struct(">q").pack
length = Struct(">i").pack
_array = Struct(">iiiii").pack


class LedgerConnection(psycopg.Connection[DictRow]):
    """psycopg's connection, which also remembers what ``run`` prepared on it. psycopg itself prepares nothing here: it
    would take ours away with its own after each rollback."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.prepare_threshold = None
        self._runs: dict[str, int] = {}
        self._prepared_here: dict[str, bytes] = {}

    def run(self, sql: str, parameters: Sequence[bytes | None] = ()) -> pq.abc.PGresult:
        """One statement. Parameters (``$1``, ``$2`` …, each cast where it stands) and the answer are in binary form.
        Raises psycopg's errors."""
        formats = [_BINARY] * len(parameters)
        with self.lock:
            name = self._name(sql)
            if name is None:
                self.pgconn.send_query_params(sql.encode(), parameters, None, formats, _BINARY)
            else:
                self.pgconn.send_query_prepared(name, parameters, formats, _BINARY)
            return self._answers()[0]

    def run_plain(self, sql: bytes) -> list[pq.abc.PGresult]:
        """Statements without parameters, with ``;`` between them, in one turn with the server; answers are text."""
        with self.lock:
            self.pgconn.send_query(sql)
            return self._answers()

    def run_all(self, statements: Sequence[Statement], *, binary: bool = True) -> list[pq.abc.PGresult]:
        """Several statements in one turn with the server: a statement each with its parameters, like ``run``, answers
        in text form where not ``binary``. Where one fails nothing behind it is done, and the transaction that they began,
        or were in, is still open. Raises psycopg's errors."""
        answered = _BINARY if binary else pq.Format.TEXT
        with self.lock:
            known, pgconn = self._prepared_here, self.pgconn
            names = [known.get(sql) or self._name(sql) for sql, _ in statements]
            pgconn.enter_pipeline_mode()
            try:
                for name, (sql, given) in zip(names, statements, strict=True):
                    formats = [_BINARY] * len(given)
                    if name is None:
                        pgconn.send_query_params(sql.encode(), given, None, formats, answered)
                    else:
                        pgconn.send_query_prepared(name, given, formats, answered)
                pgconn.pipeline_sync()
                if pgconn.flush():  # more than the system takes at once
                    self.wait(generators.send(pgconn))
                answers: list[pq.abc.PGresult] = self.wait(_fetched(pgconn))
            finally:
                if pgconn.status == pq.ConnStatus.OK:
                    pgconn.exit_pipeline_mode()
        for answer in answers:
            if answer.status == pq.ExecStatus.FATAL_ERROR:
                raise error_from_result(answer, self.info.encoding)
        return answers

    def _name(self, sql: str) -> bytes | None:
        """Under which name it is prepared; None while it is not worth it."""
        name = self._prepared_here.get(sql)
        if name is None:
            runs = self._runs[sql] = self._runs.get(sql, 0) + 1
            if runs > _OFTEN:
                name = f"ledger_{len(self._prepared_here)}".encode()
                self.pgconn.send_prepare(name, sql.encode())
                self._answers()
                self._prepared_here[sql] = name
        return name

    def _answers(self) -> list[pq.abc.PGresult]:
        answers: list[pq.abc.PGresult] = self.wait(generators.execute(self.pgconn))
        for answer in answers:
            if answer.status not in _DONE:
                raise error_from_result(answer, self.info.encoding)
        return answers


def _fetched(pgconn: Any) -> Generator[Any, Any, list[pq.abc.PGresult]]:
    """What the statements of a pipeline answered, up to the sync behind them."""
    found: list[pq.abc.PGresult] = []
    while True:
        while not (yield Wait.R):
            pass
        try:
            pgconn.consume_input()
        except psycopg.OperationalError:
            if any(answer.status == pq.ExecStatus.FATAL_ERROR for answer in found):
                return found  # the last word of a connection that was ended
            raise
        while not pgconn.is_busy():
            answer = pgconn.get_result()
            if answer is None:
                continue  # the end of one statement
            if answer.status == pq.ExecStatus.PIPELINE_SYNC:
                return found
            found.append(answer)


def ask(connection: LedgerConnection, sql: str, parameters: Sequence[Any] = ()) -> Rows:
    """All rows of a query, as plain tuples. Parameters are integers (which it takes for ``bigint``), texts, or lists of
    either that are not empty."""
    answer = connection.run(sql, [_value(one) for one in parameters])
    loading = Transformer(connection)
    loading.set_pgresult(answer)
    return loading.load_rows(0, answer.ntuples, tuple)


def _value(value: Any) -> bytes:
    if isinstance(value, int):
        return bigint(value)
    if isinstance(value, str):
        return value.encode()
    if value and isinstance(value[0], int):
        return array("bigint", [bigint(one) for one in value])
    return array("text", [one.encode() for one in value])


def array(kind: str, values: Sequence[bytes]) -> bytes:
    """An array of one dimension: its shape, then for each value its length and bytes."""
    return _array(1, 0, _OIDS[kind], len(values), 1) + b"".join(
        [length(len(value)) + value for value in values]
    )
