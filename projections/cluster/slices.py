"""Some rows of a ledger, as whoever judges a bucket has them: on the worker's disk, found by position and stream."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import orjson

from ledger.codec import Recorded, decode_leaf

_STREAM, _TYPE = b'"stream":"', b'","type":"'
_AT_ONCE = 1 << 22


class Slice:
    """Leaves in any order, each once however often it was given; ``len`` says how many. Close it."""

    def __init__(self, leaves: Iterable[tuple[int, bytes]], folder: Path) -> None:
        positions, streams, ends = array("q"), array("q"), array("q", [0])
        path = folder / "leaves"
        end, some, size = 0, [], 0
        with path.open("wb") as file:
            for position, leaf in leaves:
                positions.append(position)
                streams.append(hash(_stream(leaf)))
                end += len(leaf)
                ends.append(end)
                some.append(leaf)
                size += len(leaf)
                if size > _AT_ONCE:
                    file.write(b"".join(some))
                    some, size = [], 0
            file.write(b"".join(some))
        self._file = os.open(path, os.O_RDONLY)
        found, order = np.unique(np.frombuffer(positions, np.int64), return_index=True)
        bounds = np.frombuffer(ends, np.int64)
        self._positions = found
        self._begin, self._end = bounds[:-1][order], bounds[1:][order]
        named = np.frombuffer(streams, np.int64)[order]
        self._by_stream = np.argsort(named, kind="stable")
        self._streams = named[self._by_stream]

    def __len__(self) -> int:
        return len(self._positions)

    def close(self) -> None:
        os.close(self._file)

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """Position and bytes of each, in order."""
        for begin in range(0, len(self), 4_096):
            some = slice(begin, begin + 4_096)
            columns = (one[some].tolist() for one in (self._positions, self._begin, self._end))
            for position, first, last in zip(*columns, strict=True):
                yield position, os.pread(self._file, last - first, first)

    def event(self, position: int) -> Recorded | None:
        """The event at a position; None where it is not among these."""
        at = int(np.searchsorted(self._positions, position))
        if at == len(self) or self._positions[at] != position:
            return None
        return self._event(at)

    def stream(self, stream: str) -> list[Recorded]:
        """The events of a stream that are among these, in order."""
        mark = hash(stream.encode("utf-8", "surrogatepass"))
        low, high = (int(np.searchsorted(self._streams, mark, side)) for side in ("left", "right"))
        found = (self._event(at) for at in self._by_stream[low:high].tolist())
        return sorted((one for one in found if one.stream == stream), key=lambda one: one.version)

    def first(self, stream: str) -> Recorded | None:
        """The first event of a stream."""
        found = self.stream(stream)
        return found[0] if found and found[0].version == 1 else None

    def _event(self, at: int) -> Recorded:
        begin, end = int(self._begin[at]), int(self._end[at])
        return decode_leaf(int(self._positions[at]), os.pread(self._file, end - begin, begin))


def _stream(leaf: bytes) -> bytes:
    """The stream of a leaf. Canonical bytes end in stream, type and version, so that it is read from their end;
    what has an escape is read in full."""
    begin, end = leaf.rfind(_STREAM) + len(_STREAM), leaf.rfind(_TYPE)
    if begin < end and b"\\" not in (found := leaf[begin:end]) and b'"' not in found:
        return found
    return str(orjson.loads(leaf)["stream"]).encode("utf-8", "surrogatepass")
