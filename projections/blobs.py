"""What a view keeps of one spot, as bytes: knots of belief in order, and when displays were observed.

Read without numpy, and only as much of it as a look-up needs. Numbers are little-endian. After the head come
the displays' sources as JSON; then the knots, each ``since, at, origins, claims, newest, rates, shown, oldest``
(32-bit whole numbers; ``at`` 0: nothing believed yet; ``rates`` and ``shown`` an index, −1 for none; ``oldest``
the day on which the display was observed that was not observed for longest, 0 where nothing is shown) and one
double for each state; then the rates, one double a state; then what was shown, for each display the day it was last
observed, 0 where it showed nothing.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from projections.columns.judging import Judged

_HEAD = struct.Struct("<6I2i")
_INTS = struct.Struct("<8i")
#: Bytes that are read at once: the head and nearly always the names of the displays.
_START = 256
#: Knots read on either side of where a day should stand, were knots spread evenly: mostly it is among them.
_SIDE = 16


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
    order = sorted(range(len(judged.shown_by)), key=judged.shown_by.__getitem__)
    names = orjson.dumps([judged.shown_by[n] for n in order])
    days, shown = _shown(judged.sightings, order)
    ints = np.empty((knots, 8), "<i4")
    ints[:, :5] = judged.whole
    ints[:, 5] = -1
    ints[:, 6] = np.searchsorted(days, ints[:, 0], "right") - 1
    ints[:, 7] = np.append(_oldest(shown), 0)[ints[:, 6]]  # where nothing is shown yet, the last: 0
    rates = np.empty((0, states))
    some = judged.rates.any(axis=1)
    if some.any():
        rates, index = np.unique(judged.rates[some], axis=0, return_inverse=True)
        ints[some, 5] = index.reshape(-1)
    rows = np.empty((knots, _INTS.size + 8 * states), "u1")
    rows[:, : _INTS.size] = ints.view("u1").reshape(knots, _INTS.size)
    beliefs = np.ascontiguousarray(judged.beliefs, "<f8")
    rows[:, _INTS.size :] = beliefs.view("u1").reshape(knots, 8 * states)
    first, last = (int(ints[0, 0]), int(ints[-1, 0])) if knots else (0, 0)
    head = _HEAD.pack(knots, states, len(rates), len(shown), len(order), len(names), first, last)
    return b"".join(
        (head, names, rows.tobytes(), np.ascontiguousarray(rates, "<f8").tobytes(), shown.tobytes())
    )


class Kept(NamedTuple):
    """What ``pack`` made bytes of, as arrays: ``whole`` (knots, 5), ``beliefs`` and ``rates`` (knots, states);
    ``names`` of the displays' sources, in order; ``shown`` (rows, displays) the day on which each was last observed,
    and ``row`` (knots,) which of them holds from a knot on, −1 for none yet."""

    whole: Any
    beliefs: Any
    rates: Any
    names: list[str]
    shown: Any
    row: Any


def unpack(data: bytes) -> Kept:
    """The arrays in the bytes of a spot."""
    import numpy as np

    knots, states, many, rows, displays, names, _, _ = _HEAD.unpack_from(data)
    begin, width = _HEAD.size + names, _INTS.size + 8 * states
    end = begin + knots * width
    table = np.frombuffer(data, "u1", knots * width, begin).reshape(knots, width)
    ints = np.ascontiguousarray(table[:, : _INTS.size]).view("<i4").reshape(knots, 8).astype(np.int64)
    beliefs = np.ascontiguousarray(table[:, _INTS.size :]).view("<f8").reshape(knots, states)
    rates = np.vstack(
        [np.frombuffer(data, "<f8", many * states, end).reshape(many, states), np.zeros(states)]
    )
    shown = np.frombuffer(data, "<i4", rows * displays, end + rates[:-1].nbytes).reshape(rows, displays)
    sources = json.loads(data[_HEAD.size : begin])
    return Kept(ints[:, :5], beliefs, rates[ints[:, 5]], sources, shown.astype(np.int64), ints[:, 6])


def _shown(sightings: Any, order: list[int]) -> tuple[Any, Any]:
    """The days on which it changed what displays show, and what they show from each on: (days, displays)."""
    import numpy as np

    days, row = np.unique(sightings[:, 1], return_inverse=True)
    column = np.argsort(np.array(order, np.int64))
    shown = np.full((len(days), len(order)), -1, "<i4")
    shown[row.reshape(-1), column[sightings[:, 0]]] = sightings[:, 2]
    told = np.where(shown >= 0, np.arange(len(days))[:, None], 0)
    shown = np.take_along_axis(shown, np.maximum.accumulate(told, axis=0), axis=0)
    return days, np.ascontiguousarray(np.maximum(shown, 0), "<i4")


def _oldest(shown: Any) -> Any:
    """Of each row the smallest day above 0; 0 where there is none."""
    import numpy as np

    never = np.iinfo("<i4").max
    found = np.where(shown > 0, shown, never).min(axis=1, initial=never)
    return np.where(found < never, found, 0)


class Spot:
    """One spot's bytes, looked up by day."""

    def __init__(self, data: Bytes) -> None:
        self._data = data
        self._start = data[0:_START]
        head: tuple[int, ...] = _HEAD.unpack_from(self._start)
        self.knots, self.states, self._rates, _, self._displays, names, self._first, self._last = head
        self._begin = _HEAD.size + names
        self._width = _INTS.size + 8 * self.states
        self._low, self._read = 0, b""

    def _rows(self, low: int, high: int) -> bytes:
        return self._data[self._begin + low * self._width : self._begin + high * self._width]

    def find(self, day: int) -> int:
        """The number of the knot that answers for a day; −1 before the first."""
        if not self.knots or day < self._first:
            return -1
        if day >= self._last:
            return self.knots - 1
        near = (day - self._first) * (self.knots - 1) // (self._last - self._first)
        low, high = max(0, near - _SIDE), min(self.knots, near + _SIDE + 1)
        rows = self._rows(low, high)
        self._low, self._read = low, rows
        last = len(rows) - self._width
        if _since(rows, 0) <= day < _since(rows, last):
            return low + _among(rows, self._width, day)
        return self._bisect(day, 0, low) if day < _since(rows, 0) else self._bisect(day, high - 1, self.knots)

    def _bisect(self, day: int, low: int, high: int) -> int:
        """The last knot up to a day among those from ``low`` to before ``high``; before the first: ``low − 1``."""
        data, width = self._data, self._width
        while low < high:
            middle = (low + high) >> 1
            at = self._begin + middle * width
            if int.from_bytes(data[at : at + 4], "little", signed=True) <= day:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def knot(self, n: int) -> Knot:
        """A knot by number."""
        at = (n - self._low) * self._width
        row = self._read[at : at + self._width] if at >= 0 else b""
        if len(row) < self._width:
            row = self._rows(n, n + 1)
        since, on, origins, claims, newest, index, shown, _ = _INTS.unpack_from(row)
        if not on:
            return Knot(since, since, (), (), 0, 0, None)
        belief = _doubles(self.states).unpack_from(row, _INTS.size)
        rates: tuple[float, ...] = ()
        if index >= 0:
            where = self._begin + self.knots * self._width + 8 * self.states * index
            rates = _doubles(self.states).unpack(self._data[where : where + 8 * self.states])
        displays = self.displays(shown) if shown >= 0 else ()
        return Knot(since, on, belief, rates, origins, claims, newest or None, displays)

    def all(self) -> Iterator[Knot]:
        """Every knot, in order."""
        return (self.knot(n) for n in range(self.knots))

    def displays(self, shown: int) -> tuple[tuple[str, int], ...]:
        """(standing source, day last observed) of those that show something, by source; ``shown`` an index."""
        many, end = self._displays, self._begin
        at = end + self.knots * self._width + 8 * self.states * self._rates + 4 * many * shown
        days = struct.unpack(f"<{many}i", self._data[at : at + 4 * many])
        names = _named(self._start[_HEAD.size : end] if end <= _START else self._data[_HEAD.size : end])
        return tuple(sorted(one for one in zip(names, days, strict=True) if one[1]))


class Sweep(NamedTuple):
    """The knots of many spots that answer for one day, spots in order, as arrays.

    ``ints`` (spots, 8) as they are kept, ``at`` 0 where nothing is believed; ``beliefs`` (spots, states).
    ``displays`` are those of a spot where one was last observed before a day that was asked for. Spots in
    ``alone`` have to be looked up by themselves.
    """

    ints: Any
    beliefs: Any
    displays: dict[int, tuple[tuple[str, int], ...]]
    alone: list[int]


def sweep(spots: Sequence[Bytes], day: int, before: int) -> Sweep:
    """What ``Spot.find`` and ``knot`` say of each of some spots, two small reads a spot. ``before``: the day
    since which displays observed need not be told of."""
    import numpy as np

    starts = [one[0:_START] for one in spots]
    heads = np.frombuffer(b"".join([one[: _HEAD.size] for one in starts]), "<i4").reshape(-1, 8)
    knots, states, _, _, _, names, first, last = heads.T.astype(np.int64)
    size, many = int(states.max()), 2 * _SIDE + 1
    begin, width = _HEAD.size + names, _INTS.size + 8 * size
    near = (day - first) * (knots - 1) // np.maximum(last - first, 1)
    low = np.clip(near - _SIDE, 0, np.maximum(knots - many, 0))
    count = np.minimum(knots, many)
    rows = _parts(spots, begin + low * width, count * width, many * width).reshape(-1, many, width)
    since = np.ascontiguousarray(rows[:, :, :4]).view("<i4")[:, :, 0]
    found = ((since <= day) & (np.arange(many) < count[:, None])).sum(axis=1) - 1
    missed = ((found < 0) & (low > 0)) | ((found == count - 1) & (low + count < knots))
    picked = rows[np.arange(len(spots)), np.maximum(found, 0)]
    ints = np.ascontiguousarray(picked[:, : _INTS.size]).view("<i4")
    ints[found < 0, 1] = 0
    old = (ints[:, 1] > 0) & (ints[:, 7] > 0) & (ints[:, 7] < before)
    told = {n: Spot(spots[n]).displays(int(ints[n, 6])) for n in np.flatnonzero(old).tolist()}
    alone = missed | (states != size) | (ints[:, 5] >= 0)
    beliefs = np.ascontiguousarray(picked[:, _INTS.size :]).view("<f8")
    return Sweep(ints, beliefs, told, np.flatnonzero(alone).tolist())


def joined(sweeps: Iterable[Sweep]) -> Sweep:
    """Sweeps of spots one behind the other as one. Raises ``ValueError`` where there are none."""
    import numpy as np

    parts = list(sweeps)
    begins = np.cumsum([0, *(len(one.ints) for one in parts)]).tolist()
    return Sweep(
        np.concatenate([one.ints for one in parts]),
        np.concatenate([one.beliefs for one in parts]),
        {at + n: told for at, one in zip(begins, parts, strict=False) for n, told in one.displays.items()},
        [at + n for at, one in zip(begins, parts, strict=False) for n in one.alone],
    )


def _parts(spots: Sequence[Bytes], begin: Any, count: Any, width: int) -> Any:
    """(spots, width) bytes: ``count`` from ``begin`` on of each, filled up with zeros."""
    import numpy as np

    ends = (begin + count).tolist()
    parts = [one[a:b] for one, a, b in zip(spots, begin.tolist(), ends, strict=True)]
    filled = b"".join([one if len(one) == width else one.ljust(width, b"\0") for one in parts])
    return np.frombuffer(filled, "u1").reshape(len(parts), width)


def _since(rows: bytes, at: int) -> int:
    found: int = struct.unpack_from("<i", rows, at)[0]
    return found


def _among(rows: bytes, width: int, day: int) -> int:
    """The last of some knots up to a day; the first is."""
    low, high = 0, len(rows) // width
    while high - low > 1:
        middle = (low + high) >> 1
        at = middle * width
        if int.from_bytes(rows[at : at + 4], "little", signed=True) <= day:
            low = middle
        else:
            high = middle
    return low


@lru_cache(maxsize=16)
def _doubles(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}d")


@lru_cache(maxsize=1_024)
def _named(names: bytes) -> tuple[str, ...]:
    return tuple(json.loads(names))
