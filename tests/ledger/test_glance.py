"""What a glance looks with does what its definition says, and takes nothing for sound that is not."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ledger import codec
from ledger.integrity import compiled, glance
from ledger.integrity.glance import Glance, named_by, of_index, parents
from ledger.integrity.tree import leaf_hash, node_hash
from ledger.store.base import Columns, Names

KEY = b"k" * 64

texts = st.binary(max_size=80)


def array(one: bytes) -> Any:
    return np.frombuffer(one, np.uint8)


def joined(some: list[bytes]) -> tuple[Any, Any]:
    """Texts in one array, a zero byte before each, and where they are."""
    ends = np.cumsum([0, *(len(one) + 1 for one in some)])
    return array(b"".join(b"\0" + one for one in some)), np.stack([ends[:-1] + 1, ends[1:]], axis=1)


def test_the_compiled_code_is_what_is_used_where_it_can_be_had() -> None:
    assert glance.compiled() is compiled


# -- pieces -------------------------------------------------------------------------------------------------------


@given(st.lists(texts, min_size=1, max_size=20))
def test_leaf_hashes_are_those_of_the_definition(some: list[bytes]) -> None:
    text, spans = joined(some)
    digests = np.empty(32 * len(some), np.uint8)
    compiled.leaves(text, spans, digests)
    assert digests.tobytes() == b"".join(map(leaf_hash, some))


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("many", [0, 1, 2, 3, 64, 65])
def test_nodes_are_hashed_two_by_two(many: int, fast: bool) -> None:
    nodes = [sha256(b"%d" % n).digest() for n in range(many)]
    made = [node_hash(one, other) for one, other in zip(nodes[::2], nodes[1::2], strict=False)]
    assert parents(b"".join(nodes), fast=fast) == b"".join(made)


@given(st.lists(st.sampled_from([b"a", b"ab", b"b", b"", *(b"%d" % n for n in range(70))]), max_size=200))
def test_equal_texts_lead_to_the_first_of_them_up_to_many_kinds(some: list[bytes]) -> None:
    text, spans = joined(some)
    first = np.empty(len(some), np.int64)
    compiled.kinds(text, spans, first)
    for row, one in enumerate(first.tolist()):
        assert some[one] == some[row]
        assert one == row or some.index(some[row]) == one


@given(
    st.lists(
        st.tuples(st.sampled_from([b"", b"a", b"aa", b"ab", b"b", b"\xff"]), st.integers(1, 12)), max_size=8
    )
)
def test_rows_ascend_by_the_bytes_of_a_stream_and_then_by_version(rows: list[tuple[bytes, int]]) -> None:
    text, spans = joined([stream for stream, _ in rows])
    versions = np.array([version for _, version in rows], np.int64)
    assert compiled.ascending(text, spans, versions) == all(one < other for one, other in pairwise(rows))


WORDS = [b'"body":"', b'"key":"', b"body", b'y":"', b'"bod', b"x" * 40, b'"', b"\\"]


@given(st.lists(st.lists(st.sampled_from(WORDS), max_size=6).map(b"".join), max_size=6))
def test_members_are_found_wherever_they_stand(some: list[bytes]) -> None:
    text, spans = joined(some)
    keyed = np.empty(len(some), np.uint8)
    assert compiled.members(text, spans, keyed) == sum(one.count(b'"body":"') for one in some)
    assert keyed.tolist() == [b'"key":"' in one for one in some]


# -- the index ----------------------------------------------------------------------------------------------------

ROWS = [(b"a", 1, 5), (b"a", 2, 9), (b"b", 1, 1), (b"b", 10, 7), (b"c", 1, 2)]


def piece(rows: list[tuple[bytes, int, int]]) -> Names:
    return Names.of([(stream.decode(), *numbers) for stream, *numbers in rows])


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("last", [0, 5, 9])
@pytest.mark.parametrize("cut", range(1, 6))
def test_the_sum_of_an_index_is_that_of_its_rows_however_it_is_handed_over(
    fast: bool, last: int, cut: int
) -> None:
    pieces = [piece(some) for some in (ROWS[:cut], ROWS[cut:]) if some]
    made = sum(named_by(KEY, *row) for row in reversed(ROWS) if row[2] <= last) % (1 << 64)
    assert of_index(pieces, last, KEY, fast=fast) == made
    assert last == 0 or of_index(pieces, last, b"o" * 32, fast=fast) != made


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize(
    "pieces",
    [
        [[ROWS[1], ROWS[0]]],
        [[ROWS[0], ROWS[0]]],
        [[ROWS[2]], [ROWS[1]]],
        [[ROWS[0]], [ROWS[0]]],
        [[ROWS[0], (b"a", 10, 3), (b"a", 9, 4)]],
    ],
)
def test_an_index_that_is_not_in_order_has_no_sum(
    pieces: list[list[tuple[bytes, int, int]]], fast: bool
) -> None:
    assert of_index(map(piece, pieces), 99, KEY, fast=fast) is None


def test_no_index_at_all_has_the_sum_of_no_rows() -> None:
    assert of_index([], 99, KEY, fast=True) == of_index([], 99, KEY, fast=False) == 0
    assert Names.of([]).streams.shape == (0, 2)


@pytest.mark.parametrize("row", [(1, 1, 1), ("a", 1, None), ("a", 1, 2**63)])
def test_what_is_no_row_of_an_index_is_not_made_one(row: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, AttributeError, ValueError, OverflowError)):
        Names.of([row])


# -- a block ------------------------------------------------------------------------------------------------------

Row = dict[str, Any]


def made(*more: str) -> list[Row]:
    """Rows 5, 6, …: with a body, with an actor and a body, without a body, of another version."""
    rows: list[Row] = []
    for n, (actor, body, version) in enumerate(
        [("", b"x", 1), ('a"\\', b"y", 1), ("", None, 1), ("", b"z", 2)]
    ):
        values: dict[str, Any] = {
            "data": {"n": n},
            "stream": f"c-{n}",
            "type": "claim-reported/1",
            "version": version,
        }
        if actor:
            values["actor"] = actor
        if body is not None:
            values["body"] = codec.commitment(bytes([n]) * 32, body)
        state = codec.canonical(values)
        rows.append(
            {
                "leaf": leaf_hash(state),
                "stream": b"c-%d" % n,
                "topic": b"claim-reported/1",
                "state": state,
                "version": version,
                "body": None if body is None else bytes([n]) * 32 + body,
                "position": n + 5,
            }
        )
    return rows


def columns(rows: list[Row]) -> Columns:
    bodied = [row for row in rows if row["body"] is not None]
    parts = [row[name] for row in rows for name in ("leaf", "stream", "topic", "state")]
    texts, spans = joined(parts)
    bodies, sealed = joined([row["body"] for row in bodied])
    return Columns(
        *(texts, *(np.ascontiguousarray(spans[at::4]) for at in range(4))),
        np.array([row["version"] for row in rows], np.int64),
        *(bodies, sealed, np.array([row["position"] for row in bodied], np.int64)),
    )


def seen(rows: list[Row]) -> Glance | None:
    return glance.glance(columns(rows), 5, 8, KEY)


def test_a_block_that_is_as_it_must_be_is_sound() -> None:
    rows = made()
    found = seen(rows)
    assert found is not None
    assert found.bodies == 3
    assert found.hashes == b"".join(row["leaf"] for row in rows)
    assert found.named == sum(
        named_by(KEY, row["stream"], int(row["version"]), n + 5) for n, row in enumerate(rows)
    ) % (1 << 64)
    assert found.of_types(lambda topic: topic == "claim-reported/1") == [
        (n, "claim-reported/1") for n in range(4)
    ]
    assert found.of_types(lambda topic: False) == []
    assert [found.state(n) for n in range(4)] == [row["state"] for row in rows]
    assert found.stream(3) == "c-3"
    assert found.keyed == []


def test_a_row_with_a_key_is_named() -> None:
    rows = made()
    rows[2]["state"] = rows[2]["state"].replace(b'{"n":2}', b'{"key":"k","n":2}')
    rows[2]["leaf"] = leaf_hash(rows[2]["state"])
    found = seen(rows)
    assert found is not None
    assert found.keyed == [2]


def flipped(one: bytes, at: int) -> bytes:
    return one[:at] + bytes([one[at] ^ 1]) + one[at + 1 :]


@given(
    st.sampled_from(range(4)),
    st.sampled_from(["leaf", "stream", "topic", "state", "version", "body", "position"]),
    st.data(),
)
def test_a_block_with_any_byte_changed_is_not_sound(row: int, column: str, data: st.DataObject) -> None:
    rows = made()
    assume(rows[row][column] is not None)
    value = rows[row][column]
    if isinstance(value, int):
        rows[row][column] = value ^ 1 << data.draw(st.integers(0, 62))
    else:
        rows[row][column] = flipped(value, data.draw(st.integers(0, len(value) - 1)))
    assume(column != "position" or rows[row]["body"] is not None)
    assert seen(rows) is None


@given(st.sampled_from(range(4)), st.binary(min_size=1, max_size=40))
def test_a_leaf_with_its_hash_but_other_columns_is_not_sound(row: int, tail: bytes) -> None:
    rows = made()
    rows[row]["state"] += tail
    rows[row]["leaf"] = leaf_hash(rows[row]["state"])
    assert seen(rows) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[0].update(body=None),
        lambda rows: rows[2].update(body=b"s" * 32 + b"text"),
        lambda rows: rows[0].update(body=rows[3]["body"]),
        lambda rows: rows[0].update(position=7),
        lambda rows: rows[0].update(position=4),
        lambda rows: rows[3].update(position=9),
        lambda rows: rows[3].update(position=6),
        lambda rows: rows.pop(),
        lambda rows: rows.append(rows[0]),
        lambda rows: rows.reverse(),
        lambda rows: rows[0].update(leaf=rows[0]["leaf"][:31]),
        lambda rows: rows[0].update(leaf=b"", stream=b""),
        lambda rows: rows[0].update(leaf=rows[0]["leaf"] + b"\0"),
        lambda rows: rows[1].update(stream=b"c-1\0"),
        lambda rows: rows[1].update(version=0),
        lambda rows: rows[1].update(version=-1),
        lambda rows: [row.update(body=None) for row in rows],
    ],
)
def test_a_block_that_is_otherwise_than_it_must_be_is_not_sound(change: Any) -> None:
    rows = made()
    change(rows)
    assert seen(rows) is None


def test_a_nested_member_called_body_is_left_to_who_reads_rows() -> None:
    rows = made()
    rows[2]["state"] = rows[2]["state"].replace(b'{"n":2}', b'{"body":"no commitment"}')
    rows[2]["leaf"] = leaf_hash(rows[2]["state"])
    assert seen(rows) is None
