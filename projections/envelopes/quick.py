"""Many leaves at once: claims of the usual shape by ``leaves``, everything else by ``Reader``, in order.

Names and dates are learnt when ``Reader`` first meets them, so that codes are given out in the same order
whichever of the two reads a leaf.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np

from ledger.clocks import held
from projections.envelopes.leaves import FIELDS, MEANINGS, NEVER_DATED, WORDS
from projections.envelopes.reading import Batch, Reader, mark_of
from projections.envelopes.shape import CARRIERS, DISPLAY, dtype

#: Leaves read at a time: some ten megabytes.
_MOST = 16_384

#: Dates remembered; what is dated otherwise is left to ``Reader``.
_DATES = 200_000


class Texts:
    """Texts under the numbers 0, 1, 2, … as compiled code looks them up: by the bytes of their UTF-8."""

    def __init__(self, learn: Any) -> None:
        self._learn = learn
        self.count = self._used = 0
        self.slots = np.full(1 << 12, -1)
        self.spans = np.zeros((1 << 11, 2), np.int64)
        self.arena = np.zeros(1 << 16, np.uint8)

    def add(self, text: str) -> None:
        """Put a text under the next number."""
        raw = np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8)
        self._make_room(len(raw))
        self._learn(self.slots, self.spans, self.arena, self.count, self._used, raw)
        self.count += 1
        self._used += len(raw)

    def _make_room(self, more: int) -> None:
        if self._used + more > len(self.arena):
            arena = np.zeros(2 * (self._used + more), np.uint8)
            arena[: self._used] = self.arena[: self._used]
            self.arena = arena
        if self.count == len(self.spans):
            spans, arena, count = self.spans, self.arena, self.count
            self.slots = np.full(4 * len(self.slots), -1)
            self.spans = np.zeros((4 * len(spans), 2), np.int64)
            for number, (at, length) in enumerate(spans[:count].tolist()):
                self._learn(self.slots, self.spans, arena, number, at, arena[at : at + length].copy())


class Quick:
    """Reads leaves through a kernel (``leaves`` in one of its modes), to the same effect as ``Reader.read``.

    ``at_first``: how many leaves are read before what they say is learnt.
    """

    def __init__(self, reader: Reader, kernel: Any, at_first: int = 256) -> None:
        self.reader, self.kernel, self._at_first = reader, kernel, at_first
        self._names, self._days = Texts(kernel.learn), Texts(kernel.learn)
        self._dates = np.zeros((len(self._days.spans), MEANINGS), np.int64)
        self._found = np.zeros((len(FIELDS), 2), np.int64)
        self._carriers = np.zeros((CARRIERS, 2), np.int64)
        self._when = np.zeros((3, MEANINGS), np.int64)

    def read(self, leaves: Iterable[tuple[int, bytes]]) -> Batch:
        """Everything that (position, leaf) pairs add, in order."""
        batch, rows = Batch(), []
        with np.errstate(over="ignore"):
            for some in _in_groups(leaves, self._at_first):
                rows.append(self._group(batch, some))
        batch.rows = np.concatenate(rows) if rows else np.zeros((0, WORDS), np.int32)
        records = batch.rows.reshape(-1).view(dtype())
        batch.asked.update(_pairs(records["place"], records["question"]))
        shown = records[records["kind"] == DISPLAY]
        batch.shown.update(_pairs(shown["source"], shown["place"]))
        return batch

    def _group(self, batch: Batch, some: list[tuple[int, bytes]]) -> Any:
        """Read consecutive leaves; the records of those that the kernel could read, (claims, words)."""
        joined = b"".join([state for _, state in some])
        if not _text(joined) or some[-1][0] - some[0][0] != len(some) - 1:
            for position, state in some:
                self.reader.one(batch, position, state)
            return np.zeros((0, WORDS), np.int32)
        self._learn()
        names, days, control = self._names, self._days, self.reader.codes.get("control", -1)
        text = np.frombuffer(joined, np.uint8)
        ends = np.cumsum(np.array([len(state) for _, state in some]))
        records, read = np.empty((len(some), WORDS), np.int32), np.zeros(len(some), np.uint8)
        self.kernel.read_claims(
            text, ends, some[0][0], names.slots, names.spans, names.arena, days.slots, days.spans, days.arena,
            self._dates, control, records, read, self._found, self._carriers, self._when,
        )  # fmt: skip
        # The kernel gives out no codes: whatever holds a new name is among the others, in the order of the ledger.
        for at in np.flatnonzero(read == 0).tolist():
            self.reader.one(batch, *some[at])
        return records[read == 1]

    def _learn(self) -> None:
        """Take over the names and dates that the reader has met."""
        for name in islice(self.reader.codes.names, self._names.count, None):
            self._names.add(name)
        fresh = self.reader.fresh
        while fresh and self._days.count < _DATES:
            text, dated = fresh.pop()
            self._days.add(text)
            if len(self._dates) < len(self._days.spans):
                more = np.zeros((len(self._days.spans), MEANINGS), np.int64)
                more[: len(self._dates)] = self._dates
                self._dates = more
            meaning = (dated.lo, dated.hi, dated.latest, dated.exact, mark_of(text), *held(text))
            row = [NEVER_DATED if one is None else one for one in meaning]
            self._dates[self._days.count - 1] = row
        fresh.clear()


def _in_groups(leaves: Iterable[tuple[int, bytes]], many: int) -> Iterator[list[tuple[int, bytes]]]:
    """Groups of leaves: ``many``, then ever more, since there is ever less to learn."""
    leaves = iter(leaves)
    while some := list(islice(leaves, many)):
        yield some
        many = min(2 * many, _MOST)


def _pairs(one: Any, other: Any) -> list[tuple[int, int]]:
    """The different pairs of two columns of codes."""
    both = np.unique((one.astype(np.int64) << 32) | other)
    return list(zip((both >> 32).tolist(), (both & 0xFFFFFFFF).tolist(), strict=True))


def _text(joined: bytes) -> bool:
    """Whether bytes are UTF-8."""
    if joined.isascii():
        return True
    try:
        joined.decode()
    except UnicodeDecodeError:
        return False
    return True
