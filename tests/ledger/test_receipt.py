"""Receipts: one event, provable to a stranger; and nothing else provable with it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Unverified
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.proof import Tree, in_memory
from ledger.integrity.receipt import HEADER, Receipt
from ledger.integrity.tree import leaf_hash, node_hash
from tests.ledger.test_note import KEY, OTHER, private_of

STATES = [b'{"number":%d}' % number for number in range(13)]
HASHES = [leaf_hash(one) for one in STATES]
TREE = Tree(len(STATES), in_memory(HASHES))
INDEX = 9


def receipt(
    index: int = INDEX, *, size: int = 13, leaf: bytes | None = STATES[INDEX], tree: Tree = TREE
) -> Receipt:
    note = Checkpoint(KEY.name, size, tree.root(size)).signed(KEY, private_of(1))
    return Receipt(index, tuple(tree.inclusion(index, size)), note, leaf)


TRUE = receipt().to_bytes()
BARE = receipt(leaf=None).to_bytes()


def test_a_receipt_has_the_form_of_the_specification() -> None:
    head, _, note = TRUE.decode().partition("\n\n")
    lines = head.split("\n")
    assert lines[0] == "c2sp.org/tlog-proof@v1"
    assert lines[1] == f"extra {base64.b64encode(STATES[INDEX]).decode()}"
    assert lines[2] == "index 9"
    assert [base64.b64decode(line) for line in lines[3:]] == TREE.inclusion(INDEX)
    assert note.startswith(f"{KEY.name}\n13\n")


def test_a_receipt_is_checked_by_itself() -> None:
    found = Receipt.parse(TRUE)
    assert found == receipt()
    assert found.check(KEY).root == TREE.root()
    assert found.check(OTHER, KEY, leaf=STATES[INDEX]).size == 13


def test_a_bare_receipt_is_checked_with_the_event_beside_it() -> None:
    found = Receipt.parse(BARE)
    assert found.leaf is None
    assert found.check(KEY, leaf=STATES[INDEX]).size == 13
    with pytest.raises(Unverified, match="does not hold the event"):
        found.check(KEY)
    with pytest.raises(Unverified, match="root"):
        found.check(KEY, leaf=STATES[INDEX - 1])


def test_the_receipt_of_the_only_event_needs_no_path() -> None:
    one = receipt(0, size=1, leaf=STATES[0])
    assert one.path == ()
    assert Receipt.parse(one.to_bytes()).check(KEY).size == 1


@given(st.integers(1, 13), st.data())
def test_every_receipt_survives_its_bytes_and_verifies(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    made = receipt(index, size=size, leaf=data.draw(st.sampled_from([None, STATES[index]])))
    found = Receipt.parse(made.to_bytes())
    assert found == made
    assert found.check(KEY, leaf=STATES[index]).size == size


@given(st.integers(0, len(TRUE) - 1), st.integers(1, 255))
def test_no_byte_of_a_receipt_can_be_another(at: int, turned: int) -> None:
    with pytest.raises(Unverified):
        Receipt.parse(TRUE[:at] + bytes([TRUE[at] ^ turned]) + TRUE[at + 1 :]).check(KEY)


@pytest.mark.parametrize("end", range(0, len(TRUE), 7))
def test_a_receipt_that_was_cut_off_is_none(end: int) -> None:
    with pytest.raises(Unverified):
        Receipt.parse(TRUE[:end]).check(KEY)


@given(st.binary(max_size=200))
def test_random_bytes_are_no_receipt(noise: bytes) -> None:
    for raw in (
        noise,
        HEADER.encode() + b"\n" + noise,
        noise + TRUE,
        f"{HEADER}\nindex 0\n\n".encode() + noise,
    ):
        if raw == TRUE:
            continue
        with pytest.raises(Unverified):
            Receipt.parse(raw).check(KEY, leaf=STATES[0])


def _line(number: int, by: str | Sequence[str]) -> bytes:
    """The receipt with one line of its head replaced by another, or by several."""
    head, blank, note = TRUE.decode().partition("\n\n")
    lines = head.split("\n")
    lines[number : number + 1] = [by] if isinstance(by, str) else by
    return ("\n".join(lines) + blank + note).encode()


def _lines(*order: int) -> bytes:
    head, blank, note = TRUE.decode().partition("\n\n")
    lines = head.split("\n")
    return ("\n".join(lines[at] for at in order) + blank + note).encode()


def _extra(state: bytes) -> str:
    return f"extra {base64.b64encode(state).decode()}"


def _made(change: Callable[[Receipt], Receipt]) -> bytes:
    return change(receipt()).to_bytes()


_OTHER_TREE = Tree(13, in_memory([leaf_hash(b"other %d" % number) for number in range(13)]))
_FORGED = Checkpoint(KEY.name, 13, TREE.root()).signed(KEY, private_of(2))
_X = base64.b64encode(b"x" * 32).decode()
LIES: dict[str, bytes] = {
    "nothing": b"",
    "the header alone": f"{HEADER}\n\n".encode(),
    "another version": TRUE.replace(b"@v1", b"@v2"),
    "no header": TRUE.partition(b"\n")[2],
    "line ends of another system": TRUE.replace(b"\n", b"\r\n"),
    "the checkpoint left out": TRUE.partition(b"\n\n")[0] + b"\n\n",
    "the checkpoint twice": TRUE + receipt().checkpoint,
    "text behind it": TRUE + b"\n",
    "another event": _line(1, _extra(STATES[INDEX + 1])),
    "an invented event": _line(1, _extra(b'{"number":99}')),
    "an event of nothing": _line(1, "extra "),
    "an event that is no base64": _line(1, "extra ***"),
    "an event with spare bits": _line(1, _extra(b"1").replace("MQ==", "MR==")),
    "two events": _line(1, [_extra(STATES[INDEX]), _extra(STATES[INDEX])]),
    "an inner node for an event": _made(
        lambda one: Receipt(INDEX // 2, one.path[1:], one.checkpoint, b"\1" + one.path[0] + HASHES[INDEX])
    ),
    "another index": _line(2, "index 8"),
    "an index beyond the tree": _line(2, "index 13"),
    "an index below nought": _line(2, "index -1"),
    "an index with a nought before it": _line(2, "index 09"),
    "an index with a plus": _line(2, "index +9"),
    "an index with a blank behind it": _line(2, "index 9 "),
    "an index of many digits": _line(2, f"index {'9' * 5_000}"),
    "an index beyond sixty-four bits": _line(2, f"index {2**64 + INDEX}"),
    "an index in words": _line(2, "index nine"),
    "no index": _lines(0, 1, 3, 4, 5, 6),
    "two indices": _line(2, ["index 9", "index 9"]),
    "the index before the event": _lines(0, 2, 1, 3, 4, 5, 6),
    "a hash left out": _lines(0, 1, 2, 3, 5, 6),
    "two hashes exchanged": _lines(0, 1, 2, 4, 3, 5, 6),
    "a hash too many": _line(6, [_lines(6).decode().partition("\n")[0], _X]),
    "a hash of 31 bytes": _line(3, base64.b64encode(b"x" * 31).decode()),
    "an empty hash": _line(3, ""),
    "a hash with a blank before it": _line(3, f" {_X}"),
    "a hundred hashes": _line(3, [_X] * 100),
    "a megabyte": TRUE + b"x" * (1 << 20),
    "a megabyte of hashes": _line(3, [_X] * 25_000),
    "the path in another tree": _made(
        lambda one: Receipt(INDEX, tuple(_OTHER_TREE.inclusion(INDEX)), one.checkpoint, one.leaf)
    ),
    "the checkpoint of a smaller tree": _made(
        lambda one: Receipt(INDEX, one.path, receipt(size=12).checkpoint, one.leaf)
    ),
    "a checkpoint signed by another key": _made(lambda one: Receipt(INDEX, one.path, _FORGED, one.leaf)),
    "a checkpoint of another origin": _made(
        lambda one: Receipt(
            INDEX, one.path, Checkpoint(OTHER.name, 13, TREE.root()).signed(OTHER, private_of(2)), one.leaf
        )
    ),
    "a checkpoint whose size another signed": _made(
        lambda one: Receipt(INDEX, one.path, one.checkpoint.replace(b"\n13\n", b"\n14\n"), one.leaf)
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_receipt_that_lies_is_refused(lie: str) -> None:
    assert LIES[lie] != TRUE
    with pytest.raises(Unverified):
        Receipt.parse(LIES[lie]).check(KEY)


def test_the_event_beside_a_receipt_must_be_the_one_in_it() -> None:
    with pytest.raises(Unverified, match="another event"):
        Receipt.parse(TRUE).check(KEY, leaf=STATES[0])


def test_a_receipt_is_checked_under_a_key_that_is_known_and_no_other() -> None:
    with pytest.raises(Unverified, match="signed by"):
        Receipt.parse(TRUE).check(OTHER)
    with pytest.raises(Unverified, match="not by any known key"):
        Receipt.parse(TRUE).check()


def test_the_node_above_two_events_is_no_event() -> None:
    """Its hash stands in the tree, and no bytes hash to it as a leaf."""
    node = node_hash(HASHES[8], HASHES[9])
    with pytest.raises(Unverified):
        Receipt(4, receipt().path[1:], receipt().checkpoint, node).check(KEY)
