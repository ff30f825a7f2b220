"""Sums over a fixed number of slots, so that they come out the same to the last bit wherever they are made.

Floating-point sums hang on their order. Every family of places has its slot, whatever ledger it is found in; each
slot is counted alone, and slots are added as the leaves of one binary tree, of which no bit hangs on who counted
which of them. A worker that holds an aligned range of slots (a subtree) may add up its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Generic, Protocol, TypeVar

from projections.learning.evidence import Floats

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
        if n < 1 or n & (n - 1) or self.first % n or not 0 <= self.first < SLOTS:
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


def added(stack: Floats) -> Floats:
    """The sum over the first axis, of a power of two, by the same tree."""
    while len(stack) > 1:
        stack = stack[0::2] + stack[1::2]
    return stack[0]


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
