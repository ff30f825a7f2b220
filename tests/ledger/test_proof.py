"""Paths through the tree: against the definitions of RFC 9162, against known vectors, and against many lies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Unverified
from ledger.integrity.proof import STEP, Tree, check_consistency, check_inclusion, in_memory
from ledger.integrity.tree import EMPTY_ROOT, Frontier, leaf_hash, node_hash
from ledger.store.contract import root_by_definition
from tests.ledger.test_tree import LEAVES, ROOTS, leaves_of

Kept = dict[tuple[int, int], bytes]

# -- the definitions, word for word and slow ---------------------------------------------------------------


def split_of(count: int) -> int:
    """The largest power of two smaller than ``count``."""
    split = 1
    while split * 2 < count:
        split *= 2
    return split


@cache
def mth(leaves: tuple[bytes, ...]) -> bytes:
    """RFC 9162, 2.1.1: MTH(D_n), over leaf hashes."""
    if not leaves:
        return EMPTY_ROOT
    if len(leaves) == 1:
        return leaves[0]
    split = split_of(len(leaves))
    return node_hash(mth(leaves[:split]), mth(leaves[split:]))


def path_by_definition(index: int, leaves: tuple[bytes, ...]) -> list[bytes]:
    """RFC 9162, 2.1.3.1: PATH(m, D_n)."""
    if len(leaves) == 1:
        return []
    split = split_of(len(leaves))
    if index < split:
        return [*path_by_definition(index, leaves[:split]), mth(leaves[split:])]
    return [*path_by_definition(index - split, leaves[split:]), mth(leaves[:split])]


def proof_by_definition(old: int, leaves: tuple[bytes, ...]) -> list[bytes]:
    """RFC 9162, 2.1.4.1: PROOF(m, D_n) for 0 < m < n."""
    return subproof(old, leaves, True)


def subproof(old: int, leaves: tuple[bytes, ...], whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [mth(leaves)]
    split = split_of(len(leaves))
    if old <= split:
        return [*subproof(old, leaves[:split], whole), mth(leaves[split:])]
    return [*subproof(old - split, leaves[split:], False), mth(leaves[:split])]


def tree_of(leaves: Sequence[bytes]) -> Tree:
    return Tree(len(leaves), in_memory(leaves))


# -- known answers ------------------------------------------------------------------------------------------

VECTORS = tuple(leaf_hash(one) for one in LEAVES)
#: RFC 9162, 2.1.5 draws a tree of seven leaves; these are the paths that it names, as (from, to) of each node.
INCLUSION_OF_SEVEN = {
    0: [(1, 2), (2, 4), (4, 7)],
    3: [(2, 3), (0, 2), (4, 7)],
    4: [(5, 6), (6, 7), (0, 4)],
    6: [(4, 6), (0, 4)],
}
CONSISTENCY_OF_SEVEN = {
    3: [(2, 3), (3, 4), (0, 2), (4, 7)],
    4: [(4, 7)],
    6: [(4, 6), (6, 7), (0, 4)],
}
#: Paths over the eight leaves of ``LEAVES`` that the checks of Certificate Transparency are tried with.
KNOWN_INCLUSION = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 3): ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"],
    (1, 5): [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (0, 1): [],
}
KNOWN_CONSISTENCY = {
    (1, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (6, 8): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
    (2, 5): [
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ],
    (6, 7): [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}


@pytest.mark.parametrize(("index", "size"), KNOWN_INCLUSION)
def test_a_known_leaf_has_its_known_path(index: int, size: int) -> None:
    path = [bytes.fromhex(one) for one in KNOWN_INCLUSION[index, size]]
    assert tree_of(VECTORS).inclusion(index, size) == path
    check_inclusion(VECTORS[index], index, size, path, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize(("old", "size"), KNOWN_CONSISTENCY)
def test_a_known_tree_leads_to_a_larger_one_by_its_known_path(old: int, size: int) -> None:
    path = [bytes.fromhex(one) for one in KNOWN_CONSISTENCY[old, size]]
    assert tree_of(VECTORS).consistency(old, size) == path
    check_consistency(old, bytes.fromhex(ROOTS[old]), size, bytes.fromhex(ROOTS[size]), path)


def test_the_paths_drawn_in_the_rfc_are_those_that_are_made() -> None:
    tree = tree_of(VECTORS[:7])
    for index, nodes in INCLUSION_OF_SEVEN.items():
        assert tree.inclusion(index) == [mth(VECTORS[lo:hi]) for lo, hi in nodes]
    for old, nodes in CONSISTENCY_OF_SEVEN.items():
        assert tree.consistency(old) == [mth(VECTORS[lo:hi]) for lo, hi in nodes]


# -- the definitions hold at every size ---------------------------------------------------------------------


@pytest.mark.parametrize("size", [*range(1, 35), 47, 48, 49, 63, 64, 65, 70])
def test_every_root_and_path_of_a_small_tree_is_the_definition_s(size: int) -> None:
    leaves = tuple(leaves_of(size))
    tree, root = tree_of(leaves), mth(leaves)
    assert tree.root() == root == root_by_definition(leaves)
    for index in range(size):
        path = tree.inclusion(index)
        assert path == path_by_definition(index, leaves)
        check_inclusion(leaves[index], index, size, path, root)
    for old in range(1, size):
        path = tree.consistency(old)
        assert path == proof_by_definition(old, leaves)
        check_consistency(old, mth(leaves[:old]), size, root, path)


@given(st.integers(1, 700), st.data())
def test_paths_in_a_tree_that_has_grown_since_are_the_definition_s(grown: int, data: st.DataObject) -> None:
    """A tree of ``grown`` leaves answers for each of its earlier sizes."""
    leaves = tuple(leaves_of(grown))
    size = data.draw(st.integers(1, grown))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(0, size))
    tree = tree_of(leaves)
    assert tree.root(size) == mth(leaves[:size])
    assert tree.inclusion(index, size) == path_by_definition(index, leaves[:size])
    check_inclusion(leaves[index], index, size, tree.inclusion(index, size), tree.root(size))
    path = tree.consistency(old, size)
    assert path == (proof_by_definition(old, leaves[:size]) if 0 < old < size else [])
    check_consistency(old, tree.root(old), size, tree.root(size), path)


def test_a_tree_looks_up_few_nodes_and_only_those_that_are_kept() -> None:
    leaves, asked = leaves_of(5_000), []
    nodes = in_memory(leaves)

    def watched(height: int, first: int, stop: int) -> Sequence[bytes]:
        asked.append((height, stop - first))
        return nodes(height, first, stop)

    tree = Tree(5_000, watched)
    check_inclusion(leaves[4_321], 4_321, 5_000, tree.inclusion(4_321), root_by_definition(leaves))
    assert {height % STEP for height, _ in asked} == {0}
    assert max(count for _, count in asked) == 1 << STEP
    assert len(asked) < 12


@pytest.mark.parametrize("height", [0, 4, 8])
def test_a_node_that_is_not_there_is_said_so(height: int) -> None:
    leaves = leaves_of(600)
    nodes = in_memory(leaves)
    tree = Tree(600, lambda at, first, stop: [] if at == height else nodes(at, first, stop))
    with pytest.raises(Unverified, match=f"no node .* at height {height}"):
        tree.root()


def test_what_lies_outside_of_a_tree_is_not_asked_of_it() -> None:
    tree = tree_of(leaves_of(5))
    for call in (
        *(lambda: tree.root(6), lambda: tree.root(-1), lambda: tree.inclusion(5), lambda: tree.inclusion(-1)),
        *(lambda: tree.inclusion(0, 6), lambda: tree.inclusion(3, 3), lambda: tree.consistency(6)),
        *(lambda: tree.consistency(-1), lambda: tree.consistency(4, 3), lambda: tree.consistency(2, 6)),
    ):
        with pytest.raises(ValueError, match=r"leaf|leaves"):
            call()


def test_the_tree_of_nothing_has_the_root_of_nothing() -> None:
    assert tree_of([]).root() == EMPTY_ROOT
    assert tree_of(leaves_of(3)).root(0) == EMPTY_ROOT
    assert tree_of([]).consistency(0) == []


# -- nodes that are kept ------------------------------------------------------------------------------------


def kept_after(batches: Sequence[Sequence[bytes]]) -> Kept:
    """The inner nodes that a store would hold after these batches, each node written once."""
    frontier = Frontier.empty()
    kept: Kept = {}
    for batch in batches:
        whole = frontier.extend(batch)
        frontier, made = frontier.grown(batch, STEP)
        assert frontier == whole
        for height, number, node in made:
            assert (height, number) not in kept, "a node is written twice"
            kept[height, number] = node
    return kept


def all_nodes(leaves: Sequence[bytes]) -> Kept:
    """The inner nodes of every fourth height, from the definition."""
    found = {}
    for height in range(STEP, len(leaves).bit_length(), STEP):
        width = 1 << height
        for number in range(len(leaves) // width):
            found[height, number] = root_by_definition(leaves[number * width : (number + 1) * width])
    return found


@settings(max_examples=40)
@given(st.lists(st.one_of(st.integers(0, 40), st.integers(200, 300)), max_size=12))
def test_the_same_nodes_are_kept_whatever_the_batches_were(sizes: list[int]) -> None:
    leaves = leaves_of(sum(sizes))
    ends = [sum(sizes[:at]) for at in range(len(sizes) + 1)]
    kept = kept_after([leaves[lo:hi] for lo, hi in pairwise(ends)])
    assert kept == all_nodes(leaves)
    nodes = in_memory(leaves)
    assert all(nodes(height, number, number + 1) == [one] for (height, number), one in kept.items())


@pytest.mark.parametrize("size", [1, 15, 16, 17, 255, 256, 257, 4_095, 4_096, 4_097])
def test_one_by_one_and_all_at_once_keep_the_same_nodes(size: int) -> None:
    leaves = leaves_of(size)
    assert kept_after([leaves]) == kept_after([[leaf] for leaf in leaves]) == all_nodes(leaves)


# -- lies ---------------------------------------------------------------------------------------------------

SIZE, INDEX = 13, 9
TRUE_LEAVES = leaves_of(SIZE)
TREE = tree_of(TRUE_LEAVES)
ROOT, PATH = TREE.root(), TREE.inclusion(INDEX)
OTHER = tree_of([leaf_hash(b"other %d" % number) for number in range(SIZE)])
X = b"x" * 32

Inclusion = tuple[bytes, int, int, Sequence[bytes], bytes]
TRUTH: Inclusion = (TRUE_LEAVES[INDEX], INDEX, SIZE, PATH, ROOT)


def _inclusion(**lie: object) -> Inclusion:
    names = ("leaf", "index", "size", "path", "root")
    return tuple((dict(zip(names, TRUTH, strict=True)) | lie).values())  # type: ignore[return-value]


INCLUSION_LIES: dict[str, Inclusion] = {
    "another leaf": _inclusion(leaf=leaf_hash(b"forged")),
    "the leaf of its neighbour": _inclusion(leaf=TRUE_LEAVES[INDEX - 1]),
    "its sibling and itself exchanged": _inclusion(leaf=PATH[0], path=[TRUE_LEAVES[INDEX], *PATH[1:]]),
    "an inner node passed off as a leaf": _inclusion(
        leaf=node_hash(PATH[0], TRUE_LEAVES[INDEX]), path=PATH[1:]
    ),
    "an inner node as a leaf of the smaller tree above it": _inclusion(
        leaf=node_hash(PATH[0], TRUE_LEAVES[INDEX]), index=INDEX // 2, path=PATH[1:]
    ),
    "the root passed off as a leaf": _inclusion(leaf=ROOT, path=[]),
    "the root passed off as the only leaf of a larger tree": _inclusion(leaf=ROOT, index=0, path=[]),
    "the bytes of the leaf not hashed": _inclusion(leaf=b"9"),
    "an index before it": _inclusion(index=INDEX - 1),
    "an index behind it": _inclusion(index=INDEX + 1),
    "an index below nought": _inclusion(index=-1),
    "an index that is the size": _inclusion(index=SIZE),
    "an index far beyond the size": _inclusion(index=INDEX + 16),
    "an index beyond sixty-four bits": _inclusion(index=INDEX + 2**64),
    "a tree without leaves": _inclusion(size=0),
    "a tree of fewer than no leaves": _inclusion(size=-SIZE),
    "a tree without leaves, its root and no path": (X, 0, 0, [], EMPTY_ROOT),
    "a tree of one leaf that is another": (X, 0, 1, [], ROOT),
    "a tree of one leaf, with a path": (TRUE_LEAVES[0], 0, 1, [X], node_hash(TRUE_LEAVES[0], X)),
    "a size with room for a longer path": _inclusion(size=17),
    "a size with room for a shorter path": _inclusion(size=INDEX + 1),
    "a size beyond sixty-four bits": _inclusion(size=2**64 + SIZE),
    "no path": _inclusion(path=[]),
    "a path without its end": _inclusion(path=PATH[:-1]),
    "a path without its beginning": _inclusion(path=PATH[1:]),
    "a path without its middle": _inclusion(path=[*PATH[:1], *PATH[2:]]),
    "a path with a hash too many at its end": _inclusion(path=[*PATH, X]),
    "a path with the root at its end": _inclusion(path=[*PATH, ROOT]),
    "a path with a hash too many before it": _inclusion(path=[X, *PATH]),
    "a path that begins with the leaf": _inclusion(path=[TRUE_LEAVES[INDEX], *PATH]),
    "a path twice": _inclusion(path=PATH * 2),
    "a path of a thousand hashes": _inclusion(path=[X] * 1_000),
    "a path with an empty hash": _inclusion(path=[*PATH[:-1], b""]),
    "a path with an empty hash at its end": _inclusion(path=[*PATH, b""]),
    "a path with a hash of 31 bytes": _inclusion(path=[PATH[0][:-1], *PATH[1:]]),
    "a path with a hash of 33 bytes": _inclusion(path=[PATH[0] + b"\0", *PATH[1:]]),
    "a path with two hashes in one": _inclusion(path=[PATH[0] + PATH[1], *PATH[2:]]),
    "a path of zeros": _inclusion(path=[bytes(32)] * len(PATH)),
    "a path with a bit turned": _inclusion(path=[PATH[0][:-1] + bytes([PATH[0][-1] ^ 1]), *PATH[1:]]),
    "a path backwards": _inclusion(path=PATH[::-1]),
    "two hashes of a path exchanged": _inclusion(path=[PATH[1], PATH[0], *PATH[2:]]),
    "the path of its neighbour": _inclusion(path=TREE.inclusion(INDEX - 1)),
    "the path in a smaller tree": _inclusion(path=TREE.inclusion(INDEX, SIZE - 1)),
    "the path in another tree": _inclusion(path=OTHER.inclusion(INDEX)),
    "the root of a smaller tree": _inclusion(root=TREE.root(SIZE - 1)),
    "the root of another tree": _inclusion(root=OTHER.root()),
    "the root of nothing": _inclusion(root=EMPTY_ROOT),
    "an empty root": _inclusion(root=b""),
    "a root of 31 bytes": _inclusion(root=ROOT[:-1]),
    "a leaf of no bytes": _inclusion(leaf=b""),
}

OLD = 6
OLD_ROOT, STEPS = TREE.root(OLD), TREE.consistency(OLD)
POWER = 8
POWER_ROOT, POWER_STEPS = TREE.root(POWER), TREE.consistency(POWER)

Consistency = tuple[int, bytes, int, bytes, Sequence[bytes]]


def _consistency(**lie: object) -> Consistency:
    truth = {"old": OLD, "old_root": OLD_ROOT, "size": SIZE, "root": ROOT, "path": STEPS}
    return tuple((truth | lie).values())  # type: ignore[return-value]


def _power(**lie: object) -> Consistency:
    truth = {"old": POWER, "old_root": POWER_ROOT, "size": SIZE, "root": ROOT, "path": POWER_STEPS}
    return tuple((truth | lie).values())  # type: ignore[return-value]


CONSISTENCY_LIES: dict[str, Consistency] = {
    "the roots exchanged": _consistency(old_root=ROOT, root=OLD_ROOT),
    "the sizes exchanged": _consistency(old=SIZE, size=OLD),
    "sizes and roots exchanged": (SIZE, ROOT, OLD, OLD_ROOT, STEPS),
    "another old root": _consistency(old_root=X),
    "another new root": _consistency(root=X),
    "the same wrong root twice": _consistency(old_root=X, root=X),
    "the old root of another size": _consistency(old_root=TREE.root(OLD - 1)),
    "the new root of another size": _consistency(root=TREE.root(SIZE - 1)),
    "an old size one less": _consistency(old=OLD - 1),
    "an old size one more": _consistency(old=OLD + 1),
    "a new size with room for a longer path": _consistency(size=17),
    "a new size with room for a shorter path": _consistency(size=OLD + 1),
    "an old size below nought": _consistency(old=-1),
    "sizes below nought": _consistency(old=-SIZE, size=-OLD),
    "equal sizes and different roots": (SIZE, X, SIZE, ROOT, []),
    "equal sizes, different roots and a path": (SIZE, X, SIZE, ROOT, [ROOT]),
    "equal sizes, equal roots and a path": (SIZE, ROOT, SIZE, ROOT, [X]),
    "equal sizes, equal roots and the root for a path": (SIZE, ROOT, SIZE, ROOT, [ROOT]),
    "equal sizes of a power of two and a path": (POWER, POWER_ROOT, POWER, POWER_ROOT, [POWER_ROOT]),
    "nothing before, and a root that something has": (0, ROOT, SIZE, ROOT, []),
    "nothing before, and a path": (0, EMPTY_ROOT, SIZE, ROOT, [X]),
    "nothing before, and the whole for a path": (0, EMPTY_ROOT, SIZE, ROOT, [ROOT]),
    "nothing before nor after, and a root that something has": (0, ROOT, 0, ROOT, []),
    "nothing before nor after, and another root after": (0, EMPTY_ROOT, 0, ROOT, []),
    "nothing after something": (OLD, OLD_ROOT, 0, EMPTY_ROOT, []),
    "no path": _consistency(path=[]),
    "no path from a power of two": _power(path=[]),
    "a path without its end": _consistency(path=STEPS[:-1]),
    "a path without its beginning": _consistency(path=STEPS[1:]),
    "a path without its middle": _consistency(path=[*STEPS[:1], *STEPS[2:]]),
    "a path with a hash too many at its end": _consistency(path=[*STEPS, X]),
    "a path with the new root at its end": _consistency(path=[*STEPS, ROOT]),
    "a path with a hash too many before it": _consistency(path=[X, *STEPS]),
    "a path that begins with the old root": _consistency(path=[OLD_ROOT, *STEPS]),
    "a path from a power of two that begins with the old root": _power(path=[POWER_ROOT, *POWER_STEPS]),
    "a path from a power of two with a hash too many": _power(path=[*POWER_STEPS, X]),
    "another power of two with the path of this one": _power(old=POWER // 2),
    "a forged old root of a power of two": _power(old_root=X),
    "the new root alone from a power of two": _power(path=[ROOT]),
    "a path of a thousand hashes": _consistency(path=[X] * 1_000),
    "a path with an empty hash": _consistency(path=[*STEPS[:-1], b""]),
    "a path of one empty hash": _consistency(path=[b""]),
    "a path with a hash of 31 bytes": _consistency(path=[STEPS[0][:-1], *STEPS[1:]]),
    "a path of zeros": _consistency(path=[bytes(32)] * len(STEPS)),
    "a path backwards": _consistency(path=STEPS[::-1]),
    "two hashes of a path exchanged": _consistency(path=[STEPS[1], STEPS[0], *STEPS[2:]]),
    "the path of an old tree one larger": _consistency(path=TREE.consistency(OLD + 1)),
    "the path to a smaller tree": _consistency(path=TREE.consistency(OLD, SIZE - 1)),
    "the path in another tree": _consistency(path=OTHER.consistency(OLD)),
    "the path in another tree with its new root": _consistency(
        path=OTHER.consistency(OLD), root=OTHER.root()
    ),
    "the path in another tree with its old root": _consistency(
        path=OTHER.consistency(OLD), old_root=OTHER.root(OLD)
    ),
    "a path of inclusion": _consistency(path=TREE.inclusion(OLD)),
    "an empty old root": _consistency(old_root=b""),
    "an old root of 33 bytes": _consistency(old_root=OLD_ROOT + b"\0"),
    "sizes beyond sixty-four bits": _consistency(old=2**64 + OLD, size=2**64 + SIZE),
}


def test_the_truth_that_is_lied_about_holds() -> None:
    check_inclusion(*TRUTH)
    check_consistency(*_consistency())
    check_consistency(*_power())
    check_consistency(0, EMPTY_ROOT, SIZE, ROOT, [])
    check_consistency(0, EMPTY_ROOT, 0, EMPTY_ROOT, [])
    check_consistency(SIZE, ROOT, SIZE, ROOT, [])


@pytest.mark.parametrize("lie", INCLUSION_LIES)
def test_a_lie_about_a_leaf_is_refused(lie: str) -> None:
    with pytest.raises(Unverified):
        check_inclusion(*INCLUSION_LIES[lie])


@pytest.mark.parametrize("lie", CONSISTENCY_LIES)
def test_a_lie_about_two_trees_is_refused(lie: str) -> None:
    with pytest.raises(Unverified):
        check_consistency(*CONSISTENCY_LIES[lie])


def test_the_refusal_of_a_root_names_both() -> None:
    with pytest.raises(Unverified, match=f"{ROOT.hex()}, not to {X.hex()}"):
        check_inclusion(*_inclusion(root=X))
    with pytest.raises(Unverified, match=f"{OLD_ROOT.hex()}, not at {X.hex()}"):
        check_consistency(*_consistency(old_root=X))
    with pytest.raises(Unverified, match=f"{ROOT.hex()}, not to {X.hex()}"):
        check_consistency(*_consistency(root=X))


# -- no path but the right one --------------------------------------------------------------------------------

hashes = st.binary(min_size=32, max_size=32)
anything = st.one_of(st.binary(max_size=40), hashes)
numbers = st.one_of(st.integers(-3, 40), st.integers())


@given(anything, numbers, numbers, st.lists(anything, max_size=9), anything)
def test_random_bytes_never_prove_a_leaf(
    leaf: bytes, index: int, size: int, path: list[bytes], root: bytes
) -> None:
    if (index, size, path) == (0, 1, []) and leaf == root:
        return
    with pytest.raises(Unverified):
        check_inclusion(leaf, index, size, path, root)


@given(numbers, hashes, numbers, hashes, st.lists(anything, max_size=9))
def test_random_bytes_never_prove_that_one_tree_continues_another(
    old: int, old_root: bytes, size: int, root: bytes, path: list[bytes]
) -> None:
    if old == size and old_root == root:
        return
    with pytest.raises(Unverified):
        check_consistency(old, old_root, size, root, path)


def _altered(data: st.DataObject, path: list[bytes], others: Sequence[bytes]) -> list[bytes]:
    """A path with something left out, put in, exchanged or replaced by what may look right."""
    path = list(path)
    at = data.draw(st.integers(0, len(path)))
    piece = data.draw(st.one_of(hashes, st.sampled_from(others)))
    match data.draw(st.sampled_from(["in", "out", "instead", "exchange"])):
        case "in":
            path.insert(at, piece)
        case "out":
            del path[at : at + 1]
        case "instead":
            path[at : at + 1] = [piece]
        case _:
            path[at:] = path[at:][::-1]
    return path


Check = Callable[[list[bytes]], None]


def _only(check: Check, true: list[bytes], tried: list[bytes]) -> None:
    """The true path passes, and the one tried passes only where it is the same."""
    check(true)
    if tried != true:
        with pytest.raises(Unverified):
            check(tried)


@given(st.integers(1, 60), st.data())
def test_a_leaf_has_one_path_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    tree, index = tree_of(leaves), data.draw(st.integers(0, size - 1))
    true = tree.inclusion(index)
    tried = _altered(data, true, [*leaves, tree.root(), *true])
    _only(lambda path: check_inclusion(leaves[index], index, size, path, tree.root()), true, tried)


@given(st.integers(2, 60), st.data())
def test_two_trees_have_one_path_and_no_other(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    tree, old = tree_of(leaves), data.draw(st.integers(1, size - 1))
    true = tree.consistency(old)
    tried = _altered(data, true, [*leaves, tree.root(old), tree.root(), *true])
    _only(lambda path: check_consistency(old, tree.root(old), size, tree.root(), path), true, tried)


@given(st.integers(1, 40), st.integers(0, 45), st.integers(0, 45), st.data())
def test_the_true_path_of_a_leaf_proves_it_at_no_other_index(
    size: int, index: int, claimed: int, data: st.DataObject
) -> None:
    """Sizes at which an index has a path of the same shape cannot be told apart by it: the checkpoint signs the size
    with the root. Another index is never believed, whatever the size."""
    leaves = leaves_of(size)
    tree, true = tree_of(leaves), data.draw(st.integers(0, size - 1))
    try:
        check_inclusion(leaves[true], index, claimed, tree.inclusion(true), tree.root())
    except Unverified:
        assert (index, claimed) != (true, size)
    else:
        assert index == true
