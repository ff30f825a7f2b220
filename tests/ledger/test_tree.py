"""The tree against the constants of the RFCs, against its definition, and against lies."""

from __future__ import annotations

import dataclasses
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Unverified
from ledger.integrity.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash, root_of
from ledger.store.contract import root_by_definition

# The leaves and roots with which Certificate Transparency implementations have been checked since RFC 6962.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


sizes = st.integers(min_value=0, max_value=300)


@pytest.mark.parametrize("size", range(9))
def test_the_known_small_trees_have_their_known_roots(size: int) -> None:
    assert root_of(map(leaf_hash, LEAVES[:size])).hex() == ROOTS[size]


def test_the_empty_root_is_the_hash_of_nothing() -> None:
    assert sha256(b"").digest() == EMPTY_ROOT == Frontier.empty().root() == root_of([])


@given(sizes, sizes, st.integers(1, 5))
def test_growing_leaf_by_leaf_makes_the_nodes_that_growing_at_once_does(
    size: int, more: int, step: int
) -> None:
    leaves = leaves_of(size + more)
    before = Frontier.empty().extend(leaves[:size])
    one_by_one, made = before, []
    for leaf in leaves[size:]:
        one_by_one, nodes = one_by_one.grown([leaf], step)
        made += nodes
    at_once, nodes = before.grown(leaves[size:], step)
    assert (one_by_one, sorted(made)) == (at_once, sorted(nodes))


def test_a_leaf_cannot_pass_for_a_node_nor_a_node_for_a_leaf() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert leaf_hash(left + right) != node_hash(left, right)
    assert node_hash(left, right) != node_hash(right, left)


@given(sizes, sizes)
def test_extending_equals_appending_one_by_one_equals_the_definition(size: int, split: int) -> None:
    leaves = leaves_of(size)
    at_once = Frontier.empty().extend(leaves)
    one_by_one = Frontier.empty()
    for leaf in leaves:
        one_by_one = one_by_one.append(leaf)
    in_two = Frontier.empty().extend(leaves[:split]).extend(leaves[split:])
    assert at_once == one_by_one == in_two
    assert at_once.root() == root_by_definition(leaves)
    assert at_once.size == size


@given(sizes)
def test_a_frontier_survives_its_bytes(size: int) -> None:
    frontier = Frontier.empty().extend(leaves_of(size))
    assert Frontier.from_bytes(size, frontier.to_bytes()) == frontier


@given(sizes, st.integers(min_value=0, max_value=10_000))
def test_the_bytes_of_another_number_of_subtrees_are_a_lie(size: int, claimed: int) -> None:
    data = Frontier.empty().extend(leaves_of(size)).to_bytes()
    if claimed.bit_count() != size.bit_count():
        with pytest.raises(Unverified, match="frontier"):
            Frontier.from_bytes(claimed, data)


@pytest.mark.parametrize(
    ("size", "data"), [(1, b""), (1, b"x" * 31), (1, b"x" * 33), (0, b"x"), (3, b"x" * 32)]
)
def test_bytes_of_another_length_are_a_lie(size: int, data: bytes) -> None:
    with pytest.raises(Unverified):
        Frontier.from_bytes(size, data)


def test_a_negative_size_is_a_lie() -> None:
    with pytest.raises(Unverified):
        Frontier.from_bytes(-1, b"x" * 32)


def test_a_frontier_cannot_be_made_of_parts_that_do_not_fit() -> None:
    for size, roots in ((0, (b"x" * 32,)), (1, ()), (3, (b"x" * 32,)), (-1, ()), (1, (b"x" * 31,))):
        with pytest.raises(ValueError, match="subtree"):
            Frontier(size, roots)


@pytest.mark.parametrize("leaf", [b"", b"x" * 31, b"x" * 33])
def test_a_leaf_that_is_no_hash_is_refused(leaf: bytes) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Frontier.empty().append(leaf)


def test_a_frontier_is_not_changed_by_growing() -> None:
    frontier = Frontier.empty().extend(leaves_of(5))
    before = frontier.root()
    frontier.append(leaf_hash(b"more"))
    assert (frontier.size, frontier.root()) == (5, before)
    with pytest.raises(dataclasses.FrozenInstanceError):
        frontier.size = 6  # type: ignore[misc]


def test_a_stream_longer_than_one_chunk_gives_the_same_root() -> None:
    leaves = leaves_of(70_001)
    split = Frontier.empty().extend(leaves[:3]).extend(iter(leaves[3:]))
    assert split.root() == root_of(iter(leaves)) == root_by_definition(leaves)
    assert len(split.roots) == (70_001).bit_count()


@given(st.integers(min_value=1, max_value=200), st.data())
def test_any_altered_leaf_alters_the_root(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    at = data.draw(st.integers(min_value=0, max_value=size - 1))
    altered = [*leaves[:at], leaf_hash(b"forged"), *leaves[at + 1 :]]
    assert root_of(altered) != root_of(leaves)
