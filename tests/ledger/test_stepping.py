"""Rows are taken down as sqlite3 hands them over, or not at all."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import compiling
from ledger.store.sqlite import schema
from ledger.store.sqlite.stepping import Stepper, Taken

Row = tuple[int, str, bytes]

ALL = "SELECT n, t, b FROM some ORDER BY n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a?mode=rw&x=1.db"  # a name that could be taken for an address


def made(path: Path, rows: list[Any]) -> None:
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("DROP TABLE IF EXISTS some")
        raw.execute("CREATE TABLE some (n, t, b)")
        raw.executemany("INSERT INTO some VALUES (?, ?, ?)", rows)


@pytest.fixture
def stepper(path: Path) -> Iterator[Stepper]:
    made(path, [(1, "a", b"x"), (2, "Куп’янськ", b"\0\xff"), (-(2**63), "", b"")])
    found = Stepper(schema.uri(path, "ro"), mapped=False)
    yield found
    found.close()
    found.close()


def rows_of(taken: Taken | None) -> list[Row]:
    assert taken is not None
    texts = taken.texts.tobytes()
    pieces = [[texts[begin:end] for begin, end in column] for column in taken.spans]
    streams = [one.decode() for one in pieces[0]]
    return list(zip(taken.numbers[0].tolist(), streams, pieces[1], strict=True))


@given(
    st.lists(
        st.tuples(
            st.integers(-(2**63), 2**63 - 1),
            st.text(st.characters(exclude_categories=["Cs"])),
            st.binary(max_size=5_000),
        ),
        max_size=30,
    )
)
def test_what_was_written_is_what_is_taken(tmp_path_factory: pytest.TempPathFactory, rows: list[Row]) -> None:
    path = tmp_path_factory.mktemp("some") / "a.db"
    made(path, rows)
    found = Stepper(schema.uri(path, "ro"), mapped=True)
    try:
        asked = "SELECT n, t, b FROM some ORDER BY rowid"
        assert rows_of(found.take(asked, "ntb", most=30)) == rows
    finally:
        found.close()


def test_a_zero_byte_stands_before_the_texts_for_which_it_was_asked(stepper: Stepper) -> None:
    taken = stepper.take(ALL, "nt0b", most=3)
    assert taken is not None
    assert (
        taken.texts[: taken.spans[1, -1, 1]].tobytes() == b"\0" + b"a\0x" + "Куп’янськ".encode() + b"\0\0\xff"
    )


def test_parameters_are_values_and_never_sql(stepper: Stepper) -> None:
    some = "SELECT n, t, b FROM some WHERE t = ?1 AND n <= ?2"
    assert rows_of(stepper.take(some, "ntb", "Куп’янськ", 2, most=3)) == [(2, "Куп’янськ", b"\0\xff")]
    assert rows_of(stepper.take(some, "ntb", "a' OR 1=1 --", 2, most=3)) == []
    assert rows_of(stepper.take(some, "ntb", "a", 1, most=3)) == [(1, "a", b"x")]


@pytest.mark.parametrize("most", [0, 1, 2])
def test_more_rows_than_there_may_be_are_none(stepper: Stepper, most: int) -> None:
    assert stepper.take(ALL, "ntb", most=most) is None
    assert len(rows_of(stepper.take(ALL, "ntb", most=3))) == 3


@pytest.mark.parametrize("columns", ["ttb", "nbb", "ntt", "tnb", "nnn"])
def test_another_type_is_none(stepper: Stepper, columns: str) -> None:
    assert stepper.take(ALL, columns, most=3) is None


@pytest.mark.parametrize("row", [(None, "a", b"x"), (1.5, "a", b"x"), (1, None, b"x"), (1, "a", None)])
def test_a_row_of_another_type_among_others_is_none(path: Path, row: tuple[Any, ...]) -> None:
    made(path, [(1, "a", b"x")] * 5 + [row])
    found = Stepper(schema.uri(path, "ro"), mapped=False)
    assert found.take(ALL, "ntb", most=9) is None
    found.close()


def test_texts_that_need_more_room_get_it(path: Path) -> None:
    rows: list[Row] = [(n, "t" * 100_000, bytes([n]) * 900_000) for n in range(5)]
    made(path, rows)
    found = Stepper(schema.uri(path, "ro"), mapped=True)
    assert rows_of(found.take(ALL, "ntb", most=5)) == rows
    assert rows_of(found.take(ALL, "ntb", most=9)) == rows
    found.close()


@pytest.mark.parametrize("sql", ["SELECT", "SELECT n, t, b FROM another", "", "-- nothing"])
def test_a_query_that_cannot_be_asked_is_none(stepper: Stepper, sql: str) -> None:
    assert stepper.take(sql, "ntb", most=3) is None


def test_a_parameter_that_the_query_does_not_have_is_none(stepper: Stepper) -> None:
    assert stepper.take(ALL, "ntb", 1, most=3) is None


def test_nothing_is_written(stepper: Stepper, path: Path) -> None:
    assert stepper.take("DELETE FROM some", "n", most=3) is None
    assert len(rows_of(stepper.take(ALL, "ntb", most=3))) == 3
    with pytest.raises(OSError, match=r"cannot be opened"):
        Stepper(schema.uri(path.with_name("none.db"), "ro"), mapped=False)
    assert not path.with_name("none.db").exists()


def test_between_two_questions_a_writer_is_let_in(stepper: Stepper, path: Path) -> None:
    rows_of(stepper.take(ALL, "ntb", most=3))
    with closing(sqlite3.connect(path, timeout=0)) as raw, raw:
        raw.execute("INSERT INTO some VALUES (9, 'new', x'00')")
    assert rows_of(stepper.take(ALL, "ntb", most=4))[-1] == (9, "new", b"\0")


def test_a_file_that_is_damaged_is_none(stepper: Stepper, path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[4096:] = bytes(len(raw) - 4096)
    path.write_bytes(raw)
    assert stepper.take(ALL, "ntb", most=3) is None


TAKE_THE_LOCK = """import sqlite3, sys
sqlite3.connect(sys.argv[1], timeout=0, isolation_level=None).execute("BEGIN IMMEDIATE")"""


def test_another_connection_keeps_its_lock_when_this_one_is_closed(stepper: Stepper, path: Path) -> None:
    """As it does within one SQLite; two copies of it in a process would let go of each other's."""
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        rows_of(stepper.take(ALL, "ntb", most=3))
        stepper.close()
        other = subprocess.run([sys.executable, "-c", TAKE_THE_LOCK, path], capture_output=True, check=False)
        assert b"database is locked" in other.stderr
        writer.execute("ROLLBACK")
        assert subprocess.run([sys.executable, "-c", TAKE_THE_LOCK, path], check=False).returncode == 0


def test_a_library_that_lacks_a_function_is_not_to_be_had() -> None:
    import _sqlite3
    import builtins

    with pytest.raises(ImportError, match="no_such_function"):
        compiling.linked(_sqlite3, {"no_such_function": None})
    with pytest.raises(ImportError, match="built into"):
        compiling.linked(builtins, {"sqlite3_step": None})
