"""Reading files: every hostile line costs itself, with a number and a reason, and nothing else."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import Usage
from ledger.importing import Caps, Reject, guess_kind, open_records
from ledger.importing.strict_json import NotJsonError, Number, parse

GOOD = b'{"ok": 1}\n'


def read(data: bytes, kind: Any, caps: Caps | None = None, **more: Any) -> list[tuple[int, Any]]:
    return list(open_records(io.BytesIO(data), kind, caps=caps or Caps(), **more))


def rejects(records: list[tuple[int, Any]]) -> list[tuple[int, str]]:
    return [(line, raw.reason) for line, raw in records if isinstance(raw, Reject)]


def good(records: list[tuple[int, Any]]) -> list[int]:
    return [line for line, raw in records if not isinstance(raw, Reject)]


# -- JSONL ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"a": 1, "a": 2}', "'a' stands twice"),
        (b'{"b": {"a": 1, "a": 1}}', "'a' stands twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 18446744073709551616}', "beyond 2^53-1"),
        (b'{"a": 9007199254740992}', "beyond 2^53-1"),
        (b'{"a": -9007199254740992}', "beyond 2^53-1"),
        (b'{"a": ' + b"9" * 5000 + b"}", "beyond 2^53-1"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"\\udfff": 1}', "surrogate"),
        (b'{"a": ["\\udc00"]}', "surrogate"),
        (b'{"a": "\xed\xa0\x80"}', "not UTF-8"),
        (b'{"a": "\xff"}', "0xff"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        (b'{"a": ' + b"[" * 33 + b"]" * 33 + b"}", "deeper than 32"),
        (b"[" * 100_000, "deeper than 32"),
        (b'{"a":' * 100_000, "deeper than 32"),
        (b"[1, 2]", "no JSON object"),
        (b"null", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b'{"a": 1', "not JSON"),
        (b'{"a": 1} {"b": 2}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": "\x1b[2J"}', "not JSON"),
        (b"\x00", "not JSON"),
    ],
    ids=range(26),
)
def test_a_hostile_line_is_rejected_and_its_neighbours_are_read(line: bytes, reason: str) -> None:
    records = read(GOOD + line + b"\n" + GOOD, "jsonl")
    assert good(records) == [1, 3]
    [(number, said)] = rejects(records)
    assert number == 2
    assert reason in said


def test_a_reason_never_carries_what_steers_a_terminal() -> None:
    records = read(b'{"\\u001b[2J\\u202e": 1, "\\u001b[2J\\u202e": 2}\n', "jsonl")
    [(_, reason)] = rejects(records)
    assert "\x1b" not in reason
    assert "\u202e" not in reason


def test_a_line_over_the_cap_is_rejected_without_being_held() -> None:
    class Endless(io.RawIOBase):
        """64 MiB without a line end, then a good line."""

        def __init__(self) -> None:
            self.left = 64 << 20
            self.tail = b"\n" + GOOD

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            if self.left > 0:
                count = min(len(buffer), self.left)
                buffer[:count] = b"x" * count
                self.left -= count
                return count
            count = min(len(buffer), len(self.tail))
            buffer[:count], self.tail = self.tail[:count], self.tail[count:]
            return count

    tracemalloc.start()
    records = list(open_records(Endless(), "jsonl", name="big"))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert good(records) == [2]
    assert rejects(records) == [(1, "the line passes 1,048,576 bytes")]
    assert peak < 8 << 20


def test_a_line_of_exactly_the_cap_is_read() -> None:
    line = b'{"a": "' + b"x" * 89 + b'"}\n'
    assert len(line) == 99
    assert good(read(line, "jsonl", Caps(line=99))) == [1]
    assert good(read(line.rstrip(), "jsonl", Caps(line=98))) == [1]
    assert rejects(read(line + GOOD, "jsonl", Caps(line=97))) == [(1, "the line passes 97 bytes")]


def test_past_the_total_cap_the_rest_is_not_read_and_that_is_said() -> None:
    records = read(GOOD * 10, "jsonl", Caps(total=35))
    assert good(records) == [1, 2, 3]
    assert rejects(records) == [(4, "the input passes 35 bytes in all: the rest was not read")]


def test_an_endless_line_ends_at_the_total_cap() -> None:
    records = read(b"x" * 1_000_000, "jsonl", Caps(line=10, total=100_000))
    assert rejects(records) == [(1, "the input passes 100,000 bytes in all: the rest was not read")]


def test_blank_lines_are_nothing_and_are_counted() -> None:
    assert good(read(b"\n  \r\n" + GOOD + b"\n" + GOOD, "jsonl")) == [3, 5]


def test_a_last_line_without_an_end_is_read() -> None:
    assert good(read(GOOD + GOOD.rstrip(), "jsonl")) == [1, 2]


def test_an_empty_file_has_no_records() -> None:
    assert read(b"", "jsonl") == []


def test_numbers_with_a_fraction_keep_their_digits() -> None:
    value = parse('{"a": 49.70610, "b": 1e-3, "c": 0.1, "d": 9007199254740991, "e": -0}')
    assert value == {"a": "49.70610", "b": "1e-3", "c": "0.1", "d": 2**53 - 1, "e": 0}
    assert isinstance(value["a"], Number)


def test_brackets_inside_strings_are_no_nesting() -> None:
    text = '{"a": "' + "[{" * 500 + '\\"' + "[" * 500 + '"}'
    assert parse(text)["a"].count("[") == 1000


def test_an_unclosed_string_of_quotes_takes_linear_time() -> None:
    with pytest.raises(NotJsonError):
        parse('{"a": "' + '\\"[' * 300_000)


# -- CSV -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (b"1\n", "1 cells, the header 2"),
        (b"1,2,3\n", "3 cells, the header 2"),
        (b"1,\x002\n", "NUL"),
        (b"1,\xff\n", "0xff"),
        (b'"1"x,2\n', "expected after"),
        (b'1,"2\n', "opens and is not closed"),
        (b"1,2\r3\n", "new-line"),
        (b'1,"' + b"x" * 140_000 + b'"\n', "a cell passes 131,072 characters"),
    ],
    ids=range(8),
)
def test_a_bad_row_is_rejected_and_its_neighbours_are_read(row: bytes, reason: str) -> None:
    records = read(b"a,b\n7,8\n" + row + b"9,10\n", "csv")
    assert good(records) == [2, 4]
    [(number, said)] = rejects(records)
    assert number == 3
    assert reason in said


def test_a_cell_that_opens_a_quotation_for_ever_costs_one_line() -> None:
    records = read(b"a,b\n1,2\n3,'x\n" + b'4,"open\n5,6\n7,8', "csv")
    assert good(records) == [2, 3, 5, 6]
    assert [line for line, _ in rejects(records)] == [4]


def test_a_quotation_that_eats_the_next_quotation_costs_one_line() -> None:
    records = read(b'a,b\n1,"open\n2,"b"\n3,c\n', "csv")
    assert [raw for _, raw in records[1:]] == [{"a": "2", "b": "b"}, {"a": "3", "b": "c"}]


def test_text_in_a_cell_that_is_too_long_is_never_taken_for_rows() -> None:
    hidden = b'1,"' + b"forged,row\n" * 20_000 + b'"\n'
    records = read(b"a,b\n" + hidden + b"3,4\n", "csv")
    assert [raw for _, raw in records if not isinstance(raw, Reject)] == [{"a": "3", "b": "4"}]
    assert "lines 2 to 20002 were passed over" in rejects(records)[0][1]


def test_many_short_lines_in_one_quotation_are_held_up_to_the_cap_only() -> None:
    records = read(b'a,b\n1,"' + b"x\n" * 500 + b'y"\n3,4\n', "csv", Caps(line=300))
    assert good(records) == [503]


def test_quoted_line_breaks_belong_to_the_cell_and_the_first_line_numbers_the_row() -> None:
    records = read(b'a,b\n"x\ny",1\nz,2\n', "csv")
    assert records == [(2, {"a": "x\ny", "b": "1"}), (4, {"a": "z", "b": "2"})]


def test_the_byte_order_mark_of_a_spreadsheet_is_passed_over_in_a_csv() -> None:
    assert read(b"\xef\xbb\xbfa,b\r\n1,2\r\n", "csv") == [(2, {"a": "1", "b": "2"})]


def test_rows_without_a_cell_are_nothing() -> None:
    assert good(read(b"a,b\n\n,\n1,2\n,\n", "csv")) == [4]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "no header"),
        (b"a,b,a\n1,2,3\n", "'a'"),
        (b"a, a \n", "'a'"),
        (b"a,\x00b\n", "NUL"),
        (b'a,"b\n', "header cannot be read"),
        (b"\xffa,b\n", "header cannot be read"),
        (b"a;b;c\n1;2;3\n", "delimiter = ';'"),
        (b"a\tb\n", "delimiter"),
    ],
    ids=range(8),
)
def test_a_csv_without_a_usable_header_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(Usage) as caught:
        read(data, "csv")
    assert what in str(caught.value)


def test_another_delimiter_is_taken_when_told() -> None:
    assert read(b"a;b\n1;2,5\n", "csv", delimiter=";") == [(2, {"a": "1", "b": "2,5"})]


# -- files ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("magic", "what"),
    [
        (b"\x1f\x8b\x08", "gzip"),
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"PK\x03\x04", "zip"),
        (b"SQLite format 3\x00", "SQLite"),
        (b"\xff\xfe{\x00", "UTF-16"),
        (b"\xfe\xff\x00{", "UTF-16"),
    ],
)
@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_a_packed_file_is_refused_unopened(magic: bytes, what: str, kind: Any) -> None:
    with pytest.raises(Usage, match=what):
        read(magic + b"rest" * 10, kind)


@pytest.mark.parametrize("name", ["none.jsonl", "."])
def test_what_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Usage, match="cannot be read"):
        open_records(tmp_path / name, "jsonl")


def test_a_file_is_closed_when_its_header_is_refused(tmp_path: Path, recwarn: Any) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a,a\n")
    with pytest.raises(Usage):
        open_records(path, "csv")
    assert not [warning for warning in recwarn if warning.category is ResourceWarning]


def test_standard_input_is_read_and_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(GOOD))
    monkeypatch.setattr("sys.stdin", stdin)
    with open_records("-", "jsonl") as records:
        assert list(records) == [(1, {"ok": 1})]
    assert not stdin.buffer.closed


@pytest.mark.parametrize(
    ("name", "mapped", "kind"),
    [
        ("a.jsonl", False, "jsonl"),
        ("a.NDJSON", True, "jsonl"),
        ("a.CSV", False, "csv"),
        ("-", True, "csv"),
        ("-", False, "jsonl"),
    ],
)
def test_the_kind_is_told_by_the_name(name: str, mapped: bool, kind: str) -> None:
    assert guess_kind(name, mapped=mapped) == kind


def test_a_name_that_tells_nothing_is_asked_about() -> None:
    with pytest.raises(Usage, match="--from"):
        guess_kind("claims.txt", mapped=True)
