"""The Merkle tree over all recorded events, as RFC 9162 (and RFC 6962 before it) defines it. Pure functions.

A leaf is the SHA-256 of a zero byte and the stored bytes; a node is the SHA-256 of a one byte and its two
children. A tree of ``n`` leaves splits at the largest power of two below ``n``, so its left side is always a
perfect subtree. To append, one needs only the roots of the perfect subtrees: the ``Frontier``, one hash for
every bit set in the size, never more than 64 of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Self

from ledger.errors import Unverified

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()
"""The root of a tree without leaves: the hash of nothing at all."""

_NEVER = 64  # a height that no tree has
_CHUNK = 1 << 16  # leaves folded at a time: bounds memory when ``leaves`` is a stream


def leaf_hash(state: bytes) -> bytes:
    """The 32-byte hash of one leaf, over the bytes as they are stored."""
    return sha256(b"\x00" + state).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The 32-byte hash of an inner node over its two 32-byte children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The least one must know of a tree to append to it and to tell its root.

    ``size`` counts the leaves. ``roots`` are the 32-byte roots of the perfect subtrees, the largest (and
    leftmost) first: one for every bit set in ``size``, from the highest to the lowest.
    Raises ``ValueError`` when the two do not fit together.
    """

    size: int
    roots: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.roots) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves has not {len(self.roots)} perfect subtrees")
        if not {HASH_BYTES}.issuperset(map(len, self.roots)):
            raise ValueError(f"a subtree's root has {HASH_BYTES} bytes")

    @classmethod
    def empty(cls) -> Self:
        """The frontier of a tree without leaves."""
        return cls(0, ())

    def append(self, leaf: bytes) -> Self:
        """The frontier with one more leaf, given as its 32-byte ``leaf_hash``."""
        return self.grown((leaf,), _NEVER)[0]

    def extend(self, leaves: Iterable[bytes]) -> Self:
        """The frontier with more leaves behind, each a 32-byte ``leaf_hash``, in order.

        One hash a leaf on average; memory does not grow with their number. Raises ``ValueError`` for a leaf
        of another length.
        """
        size, peaks = self.size, dict(zip(_levels(self.size), self.roots, strict=True))
        stream = iter(leaves)
        while nodes := list(islice(stream, _CHUNK)):
            if set(map(len, nodes)) != {HASH_BYTES}:
                raise ValueError(f"a leaf is a hash of {HASH_BYTES} bytes")
            size += len(nodes)
            for _ in _fold(peaks, nodes):
                pass
        return type(self)(size, tuple(peaks[level] for level in _levels(size)))

    def grown(self, leaves: Sequence[bytes], step: int) -> tuple[Self, list[tuple[int, int, bytes]]]:
        """The same, and the inner nodes (height, number, hash) that became whole, at heights that ``step`` divides.

        Every leaf is hashed once for both, and no older node is asked for: the frontier has all that is needed.
        """
        if not {HASH_BYTES}.issuperset(map(len, leaves)):
            raise ValueError(f"a leaf is a hash of {HASH_BYTES} bytes")
        if len(leaves) == 1:
            return self._grown_by(leaves[0], step)
        peaks = dict(zip(_levels(self.size), self.roots, strict=True))
        size, made = self.size + len(leaves), []
        for level, nodes in enumerate(_fold(peaks, list(leaves))):
            if level and level % step == 0:
                made += [(level, number, node) for number, node in enumerate(nodes, self.size >> level)]
        return type(self)(size, tuple(peaks[level] for level in _levels(size))), made

    def _grown_by(self, node: bytes, step: int) -> tuple[Self, list[tuple[int, int, bytes]]]:
        """``grown`` by one leaf, which most appends have: a carry through the bits of ``size``."""
        size, roots, level = self.size, list(self.roots), 0
        made: list[tuple[int, int, bytes]] = []
        while size >> level & 1:
            node = sha256(b"\x01" + roots.pop() + node).digest()
            level += 1
            if not level % step:
                made.append((level, size >> level, node))
        return type(self)(size + 1, (*roots, node)), made

    def root(self) -> bytes:
        """The root hash over all leaves, 32 bytes; ``EMPTY_ROOT`` when there are none."""
        if not self.roots:
            return EMPTY_ROOT
        *left, root = self.roots
        for subtree in reversed(left):
            root = node_hash(subtree, root)
        return root

    def to_bytes(self) -> bytes:
        """The roots one behind the other: 32 bytes for every bit set in ``size``."""
        return b"".join(self.roots)

    @classmethod
    def from_bytes(cls, size: int, data: bytes) -> Self:
        """What ``to_bytes`` wrote, and its size. Raises ``Unverified`` when they cannot belong together."""
        if size < 0:
            raise Unverified(f"a tree cannot have {size} leaves")
        expected = HASH_BYTES * size.bit_count()
        if len(data) != expected:
            raise Unverified(f"the frontier of {size} leaves takes {expected} bytes, found {len(data)}")
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over 32-byte leaf hashes."""
    return Frontier.empty().extend(leaves).root()


def _levels(size: int) -> list[int]:
    """Heights of the perfect subtrees, the largest first: the bits set in ``size``."""
    return [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def _fold(peaks: dict[int, bytes], nodes: list[bytes]) -> Iterator[list[bytes]]:
    """Add a run of leaves to ``peaks`` (height → root), level by level; of each level, what became whole there.

    Whole levels at once instead of leaf by leaf: the loop then costs little beside the hashing.
    """
    level = 0
    while nodes:
        yield nodes
        if level in peaks:
            nodes = [peaks.pop(level), *nodes]
        if len(nodes) % 2:
            peaks[level] = nodes.pop()
        pairs = iter(nodes)
        nodes = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
        level += 1
