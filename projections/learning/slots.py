"""Sums over a fixed number of slots, so that they come out the same to the last bit wherever they are made.

Floating-point sums hang on their order. Every family of places has its slot, whatever ledger it is found in; each
slot is counted alone, and slots are added as the leaves of one binary tree, of which no bit hangs on who counted
which of them. A worker that holds an aligned range of slots (a subtree) may add up its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SLOTS = 64
"""A power of two. Another number is another order of summing: estimates then differ in their last bits."""


class Summable(Protocol):
    """What adds up, exactly as its parts do."""

    def __add__(self, other: Any, /) -> Any: ...


T = TypeVar("T", bound=Summable)


def slot_of(root: str) -> int:
    """The slot of a family, by the id of its outermost place."""
    return int.from_bytes(sha256(root.encode()).digest()[:8], "big") % SLOTS


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """What ``slots`` slots from ``first`` on come to: an aligned range, so ``slots`` is a power of two that divides
    ``first``."""

    first: int
    slots: int
    sum: T

    def __post_init__(self) -> None:
        n = self.slots
        if n < 1 or n & (n - 1) or self.first % n or not 0 <= self.first <= SLOTS - n:
            raise ValueError(f"{n} slots from {self.first} on are no subtree of {SLOTS}")

    def merge(self, other: Part[T]) -> Part[T]:
        """Both halves of a larger range, in whichever order they come."""
        low, high = (self, other) if self.first < other.first else (other, self)
        if low.slots != high.slots or low.first + low.slots != high.first or low.first % (2 * low.slots):
            raise ValueError("only the two halves of one subtree are merged")
        return Part(low.first, 2 * low.slots, low.sum + high.sum)


def merged(parts: Iterable[Part[T]]) -> T:
    """The sum over all slots. ``ValueError`` where a slot is missing or was counted twice."""
    waiting: dict[tuple[int, int], Part[T]] = {}
    for part in parts:
        while (half := waiting.pop((part.first ^ part.slots, part.slots), None)) is not None:
            part = half.merge(part)
        if (part.first, part.slots) in waiting:
            raise ValueError(f"the slots from {part.first} on were counted twice")
        waiting[part.first, part.slots] = part
    if list(waiting) != [(0, SLOTS)]:
        raise ValueError(f"of {SLOTS} slots only these were counted, each once: {sorted(waiting)}")
    return waiting[0, SLOTS].sum


class Tree(NamedTuple):
    """Where numbers are summed that belong to slots and to some things each: first those of one slot and thing, one
    after the other, then slot by slot as in ``merged``. Nothing is kept for what a slot does not have.

    ``levels``: by level, where each sum of the last one goes, and how many sums there are; ``things``: what the last
    sums are of, ascending.
    """

    levels: list[tuple[Ints, int]]
    things: Ints

    @classmethod
    def of(cls, slot: Ints, thing: Ints, slots: int, things: int) -> Tree:
        """Numbers of some slots (below ``slots``, a power of two) and things (below ``things``)."""
        levels = []
        while True:
            found, where = distinct(slot * things + thing)
            levels.append((where, len(found)))
            if slots == 1:
                return cls(levels, found)
            slot, thing, slots = found // max(things, 1) // 2, found % max(things, 1), slots // 2

    def sums(self, numbers: Floats) -> Floats:
        """The sum of each of the ``things``; ``numbers`` (columns, n)."""
        for where, many in self.levels:
            numbers = np.stack([np.bincount(where, column, many) for column in numbers])
        return numbers


def added(by_slot: Floats) -> float:
    """The sum of one number from each slot, of a power of two, by the same tree."""
    while len(by_slot) > 1:
        by_slot = by_slot[0::2] + by_slot[1::2]
    return float(by_slot[0])


def distinct(keys: Ints) -> tuple[Ints, Ints]:
    """The distinct keys in order, and the position of each key among them; without sorting where that is dear."""
    top = int(keys.max(initial=-1)) + 1
    if top > 8 * len(keys) + 1024:
        found, where = np.unique(keys, return_inverse=True)
        return found, where.reshape(-1)
    present = np.zeros(top, np.bool_)
    present[keys] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]


def aligned(
    slots: Collection[int], fits: Callable[[int, int], bool] = lambda first, many: True
) -> list[tuple[int, int]]:
    """The fewest aligned ranges (first, how many) that some slots make up and that ``fits`` allows; a single slot
    always fits."""
    wanted, found = set(slots), list[tuple[int, int]]()
    todo = [(0, SLOTS)]
    while todo:
        first, many = todo.pop()
        held = wanted.intersection(range(first, first + many))
        if len(held) == many and (many == 1 or fits(first, many)):
            found.append((first, many))
        elif held:
            todo += [(first + many // 2, many // 2), (first, many // 2)]
    return found
