"""What a view keeps of one spot, as bytes: knots of belief in order, and when displays were observed.

Read without numpy, and only as much of it as a look-up needs. Numbers are little-endian. After the head come
the knots, each ``since, at, origins, claims, newest, rates`` (32-bit whole numbers; ``at`` 0: nothing believed
yet; ``rates`` an index, −1 for none) and one double for each state; then the rates, one double a state; then
sightings ``display, since, day last observed``; then the displays' sources as JSON.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from projections.columns.judging import Judged

_HEAD = struct.Struct("<5I")
_INTS = struct.Struct("<6i")
_SIGHTING = struct.Struct("<3i")


class Knot(NamedTuple):
    """The diagonal between two arrivals: from day ``since`` on, until the next knot, the belief known then is
    ``Motion.forward(belief, day − at, rates)``. ``displays`` are the standing sources that show something, with
    the day each was last observed."""

    since: int
    at: int
    belief: tuple[float, ...]
    rates: tuple[float, ...]
    origins: int
    claims: int
    newest: int | None
    displays: tuple[tuple[str, int], ...] = ()


class Bytes(Protocol):
    """Bytes that are read in part."""

    def __getitem__(self, part: slice) -> bytes: ...


def pack(judged: Judged) -> bytes:
    """The bytes of a spot."""
    import numpy as np
    import orjson

    knots, states = judged.beliefs.shape
    ints = np.empty((knots, 6), "<i4")
    ints[:, :5] = judged.whole
    ints[:, 5] = -1
    rates = np.empty((0, states))
    some = judged.rates.any(axis=1)
    if some.any():
        rates, index = np.unique(judged.rates[some], axis=0, return_inverse=True)
        ints[some, 5] = index.reshape(-1)
    rows = np.empty((knots, _INTS.size + 8 * states), "u1")
    rows[:, : _INTS.size] = ints.view("u1").reshape(knots, _INTS.size)
    beliefs = np.ascontiguousarray(judged.beliefs, "<f8")
    rows[:, _INTS.size :] = beliefs.view("u1").reshape(knots, 8 * states)
    sightings = judged.sightings[np.lexsort((judged.sightings[:, 1], judged.sightings[:, 0]))]
    names = orjson.dumps(judged.shown_by)
    head = _HEAD.pack(knots, states, len(rates), len(sightings), len(names))
    seen = np.ascontiguousarray(sightings, "<i4").tobytes()
    return b"".join((head, rows.tobytes(), np.ascontiguousarray(rates, "<f8").tobytes(), seen, names))


class Spot:
    """One spot's bytes, looked up by day."""

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self.knots, self.states, self._rates, self._sightings, self._names = _HEAD.unpack(
            data[0 : _HEAD.size]
        )
        self._width = _INTS.size + 8 * self.states

    def find(self, day: int) -> int:
        """The number of the knot that answers for a day; −1 before the first."""
        low, high, data, width = 0, self.knots, self._data, self._width
        while low < high:
            middle = (low + high) >> 1
            at = _HEAD.size + middle * width
            if int.from_bytes(data[at : at + 4], "little", signed=True) <= day:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def knot(self, n: int, *, displays: bool = True) -> Knot:
        """A knot by number."""
        at = _HEAD.size + n * self._width
        row = self._data[at : at + self._width]
        since, on, origins, claims, newest, index = _INTS.unpack_from(row)
        if not on:
            return Knot(since, since, (), (), 0, 0, None)
        belief = struct.unpack_from(f"<{self.states}d", row, _INTS.size)
        rates: tuple[float, ...] = ()
        if index >= 0:
            where = _HEAD.size + self.knots * self._width + 8 * self.states * index
            rates = struct.unpack(f"<{self.states}d", self._data[where : where + 8 * self.states])
        shown = self.displays(since) if displays else ()
        return Knot(since, on, belief, rates, origins, claims, newest or None, shown)

    def all(self) -> Iterator[Knot]:
        """Every knot, in order."""
        return (self.knot(n) for n in range(self.knots))

    def displays(self, day: int) -> tuple[tuple[str, int], ...]:
        """(standing source, day last observed) of those that show something, as of a day, by source."""
        begin = _HEAD.size + self.knots * self._width + 8 * self.states * self._rates
        end = begin + _SIGHTING.size * self._sightings
        if begin == end:
            return ()
        last: dict[int, int] = {}
        for display, since, seen in _SIGHTING.iter_unpack(self._data[begin:end]):
            if since <= day:
                last[display] = seen
        names: list[str] = json.loads(self._data[end : end + self._names])
        return tuple(sorted((names[display], seen) for display, seen in last.items() if seen))


def column(data: Any) -> Any:
    """(since, at, origins, claims, newest) and beliefs of every knot as arrays: (knots, 6) and (knots, states)."""
    import numpy as np

    knots, states, *_ = _HEAD.unpack(data[0 : _HEAD.size])
    width = _INTS.size + 8 * states
    rows = np.frombuffer(data[_HEAD.size : _HEAD.size + knots * width], "u1").reshape(knots, width)
    ints = np.ascontiguousarray(rows[:, : _INTS.size]).view("<i4")
    return ints, np.ascontiguousarray(rows[:, _INTS.size :]).view("<f8")
