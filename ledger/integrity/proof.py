"""Proofs about the tree: that a leaf is in it, and that a newer tree continues an older one. Pure functions.

Paths are those of RFC 9162, sections 2.1.3 (inclusion) and 2.1.4 (consistency), in the order in which RFC 6962
and C2SP's tlog-proof write them: from the leaf's sibling up to the root's child.

Who makes a path hands in ``Nodes``, which gives the hashes of perfect subtrees; nothing here reads a store.
Who checks one needs nothing but what is in the arguments. A check returns nothing; it raises ``Unverified``, which
names both roots, for every path but the one right one: a path of another length is refused before it is hashed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ledger.errors import Unverified
from ledger.integrity.tree import EMPTY_ROOT, HASH_BYTES, node_hash

STEP = 4
"""Inner nodes are kept at every fourth height only (``Frontier.grown``): 1/15 of a hash a leaf."""

Nodes = Callable[[int, int, int], Sequence[bytes]]
"""``nodes(height, first, stop)``: the 32-byte roots of the perfect subtrees number ``first`` to ``stop - 1`` of
``2 ** height`` leaves each, for a height that ``STEP`` divides (height 0: the leaf hashes)."""


class Tree:
    """The tree over the first ``size`` leaves, looked up in ``nodes`` as far as it is needed.

    What was fetched is kept, so that one ``Tree`` may make many paths. Every method may raise ``Unverified`` where
    a node is not there.
    """

    def __init__(self, size: int, nodes: Nodes) -> None:
        self.size = size
        self._nodes = nodes
        self._runs: dict[tuple[int, int], Sequence[bytes]] = {}

    def root(self, size: int | None = None) -> bytes:
        """The root over the first ``size`` leaves (all of them unless told), 32 bytes."""
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise ValueError(f"a tree of {self.size} leaves has no first {size}")
        return self._over(0, size) if size else EMPTY_ROOT

    def inclusion(self, index: int, size: int | None = None) -> list[bytes]:
        """The path from leaf ``index`` (from 0) to the root over the first ``size`` leaves: PATH(m, D[n])."""
        size = self.size if size is None else size
        if not 0 <= index < size <= self.size:
            raise ValueError(f"there is no leaf {index} among {size} of {self.size}")
        path, lo, hi = [], 0, size
        while hi - lo > 1:
            split = lo + _largest_below(hi - lo)
            if index < split:
                path.append(self._over(split, hi))
                hi = split
            else:
                path.append(self._over(lo, split))
                lo = split
        return path[::-1]

    def consistency(self, old: int, size: int | None = None) -> list[bytes]:
        """The path from the tree over the first ``old`` leaves to that over ``size``: PROOF(m, D[n])."""
        size = self.size if size is None else size
        if not 0 <= old <= size <= self.size:
            raise ValueError(f"a tree of {old} leaves does not come before one of {size} of {self.size}")
        if old in (0, size):
            return []
        path, lo, hi, whole = [], 0, size, True
        while old != hi:
            split = lo + _largest_below(hi - lo)
            if old <= split:
                path.append(self._over(split, hi))
                hi = split
            else:
                path.append(self._over(lo, split))
                lo, whole = split, False
        return ([] if whole else [self._over(lo, hi)]) + path[::-1]

    def _over(self, lo: int, hi: int) -> bytes:
        """MTH(D[lo:hi]) of RFC 9162, for a range that stands in the tree as a subtree."""
        count = hi - lo
        if count & (count - 1) == 0:
            return self._perfect(count.bit_length() - 1, lo // count)
        split = lo + _largest_below(count)
        return node_hash(self._over(lo, split), self._over(split, hi))

    def _perfect(self, height: int, at: int) -> bytes:
        above = height % STEP
        if not above:
            run, offset = divmod(at, 1 << STEP)
            hashes = self._run(height, run)
            if offset >= len(hashes):
                raise Unverified(f"the tree has no node {at} at height {height}")
            return hashes[offset]
        return node_hash(self._perfect(height - 1, 2 * at), self._perfect(height - 1, 2 * at + 1))

    def _run(self, height: int, run: int) -> Sequence[bytes]:
        key = (height, run)
        if key not in self._runs:
            first = run << STEP
            stop = min(first + (1 << STEP), self.size >> height)
            self._runs[key] = self._nodes(height, first, stop)
        return self._runs[key]


def in_memory(leaves: Sequence[bytes]) -> Nodes:
    """``Nodes`` over leaf hashes that are all at hand: every inner node is made once."""
    levels: dict[int, list[bytes]] = {0: list(leaves)}
    nodes, height = list(leaves), 0
    while len(nodes) > 1:
        pairs = iter(nodes)
        nodes = [node_hash(left, right) for left, right in zip(pairs, pairs, strict=False)]
        height += 1
        if height % STEP == 0:
            levels[height] = nodes
    return lambda height, first, stop: levels.get(height, [])[first:stop]


# -- checking --------------------------------------------------------------------------------------------


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> None:
    """That the leaf with hash ``leaf`` stands at ``index`` of the tree of ``size`` leaves with ``root``.

    RFC 9162, section 2.1.3.2. Raises ``Unverified`` for everything else: a wrong leaf, index, size, root, a path
    that is longer or shorter, a hash of another length.
    """
    _hashes([leaf, root, *path])
    if not 0 <= index < size:
        raise Unverified(f"a tree of {size} leaves has no leaf number {index}")
    number, last, found = index, size - 1, leaf
    for sibling in path:
        if not last:
            raise Unverified(f"the path of {len(path)} hashes is too long for a tree of {size} leaves")
        if number & 1 or number == last:
            found = node_hash(sibling, found)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        number, last = number >> 1, last >> 1
    if last:
        raise Unverified(f"the path of {len(path)} hashes is too short for a tree of {size} leaves")
    if found != root:
        raise Unverified(f"the path leads to the root {found.hex()}, not to {root.hex()}")


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """That the tree of ``size`` leaves with ``root`` begins with the ``old`` leaves that have ``old_root``.

    RFC 9162, section 2.1.4.2. Equal sizes need equal roots and no path; an empty old tree has the root of nothing
    and no path. Raises ``Unverified`` for everything else.
    """
    _hashes([old_root, root, *path])
    if not 0 <= old <= size:
        raise Unverified(f"a tree of {old} leaves does not come before one of {size}")
    if old in (0, size):
        if path:
            raise Unverified(
                f"no path leads from a tree of {old} leaves to one of {size}, here are {len(path)} hashes"
            )
        expected = root if old else EMPTY_ROOT
        if old_root != expected or (not size and root != EMPTY_ROOT):
            raise Unverified(f"the root of {old} leaves is {expected.hex()}, not {old_root.hex()}")
        return
    rest = list(path)
    if old & (old - 1) == 0:
        rest.insert(0, old_root)
    if not rest:
        raise Unverified(f"a path from {old} leaves to {size} is missing")
    number, last = old - 1, size - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    before = after = rest[0]
    for node in rest[1:]:
        if not last:
            raise Unverified(
                f"the path of {len(path)} hashes is too long to lead from {old} leaves to {size}"
            )
        if number & 1 or number == last:
            before, after = node_hash(node, before), node_hash(node, after)
            while number and not number & 1:
                number, last = number >> 1, last >> 1
        else:
            after = node_hash(after, node)
        number, last = number >> 1, last >> 1
    if last:
        raise Unverified(f"the path of {len(path)} hashes is too short to lead from {old} leaves to {size}")
    if before != old_root:
        raise Unverified(f"the path begins at the root {before.hex()}, not at {old_root.hex()}")
    if after != root:
        raise Unverified(f"the path leads to the root {after.hex()}, not to {root.hex()}")


def _hashes(found: Sequence[bytes]) -> None:
    for one in found:
        if len(one) != HASH_BYTES:
            raise Unverified(f"a hash has {HASH_BYTES} bytes, here is one of {len(one)}")


def _largest_below(count: int) -> int:
    """The largest power of two below ``count``, which is 2 or more."""
    return 1 << ((count - 1).bit_length() - 1)
