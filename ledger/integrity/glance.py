"""A block of a record at a glance: whether all of it is as it must be, over columns and by compiled code.

A glance says that a block is sound, or nothing: whatever is out of the ordinary (an erased body, an encrypted one, two
texts that cannot be told apart) is left to ``block``, which looks at every row and has words for what it finds. It must
never take for sound what ``block`` does not.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import sha256
from operator import lt
from types import ModuleType
from typing import Any

from ledger import codec
from ledger.store.base import Columns, Names

MASK = (1 << 64) - 1
KEY = 64


@cache
def compiled() -> ModuleType | None:
    """What a glance looks with; None where it cannot be had, or ``CLAIMS_KERNEL`` is ``plain``."""
    import numpy as np

    if os.environ.get("CLAIMS_KERNEL") == "plain":
        return None
    collecting = gc.isenabled()
    gc.disable()  # what numba makes while it is loaded stays: looking for garbage in it takes a tenth of the time
    try:
        from ledger.integrity import compiled as found
    except ImportError:
        return None
    finally:
        if collecting:
            gc.enable()
    # Somebody else's functions may have these names.
    digest = np.empty(32, np.uint8)
    found.leaves(np.frombuffer(b"\0leaf", np.uint8), np.array([[1, 5]]), digest)
    return found if digest.tobytes() == sha256(b"\0leaf").digest() else None


def named_by(key: bytes, stream: bytes, version: int, position: int) -> int:
    """What a row adds to the sum by which one index is told from another: 64 bits of a hash under a key that nobody
    knew when the rows were written, best as long as a block of SHA-256, ``KEY`` bytes. A sum of hashes knows no order
    (Bellare and Micciancio 1997)."""
    numbers = position.to_bytes(8, "little", signed=True) + version.to_bytes(8, "little", signed=True)
    return int.from_bytes(sha256(key + numbers + stream).digest()[:8], "little")


class Glance:
    """The rows of a block, once it is known that they are what their columns, hashes and bodies say.

    ``hashes``: all leaf hashes, one behind the other; ``named``: the sum of ``named_by`` over the rows; ``bodies``: how
    many of them have one in clear; ``keyed``: those whose author may have given a key.
    """

    def __init__(
        self, rows: bytes, spans: Any, hashes: bytes, named: int, bodies: int, keyed: list[int]
    ) -> None:
        self.hashes, self.named, self.bodies = hashes, named, bodies
        self.keyed = keyed
        self._rows, self._spans = rows, spans

    def of_types(self, wanted: Callable[[str], bool]) -> list[tuple[int, str]]:
        """The rows of some types, with the type of each."""
        import numpy as np

        look, first = compiled(), np.empty(len(self._spans) // 3, np.int64)
        assert look is not None
        look.kinds(_array(self._rows), np.ascontiguousarray(self._spans[1::3]), first)
        found: list[tuple[int, str]] = []
        for one in np.flatnonzero(first == np.arange(len(first))).tolist():
            begin, end = self._spans[3 * one + 1]
            topic = self._rows[begin:end].decode(errors="replace")
            if wanted(topic):
                found += [(row, topic) for row in np.flatnonzero(first == one).tolist()]
        return sorted(found)

    def state(self, row: int) -> bytes:
        """The bytes of a leaf."""
        begin, end = self._spans[3 * row + 2]
        return self._rows[begin:end]

    def stream(self, row: int) -> str:
        """The stream of a row."""
        begin, end = self._spans[3 * row]
        return self._rows[begin:end].decode(errors="replace")


def glance(columns: Columns, first: int, last: int, key: bytes) -> Glance | None:
    """Look at the rows from ``first`` to ``last``; None where they have to be looked at one by one."""
    import numpy as np

    look, n = compiled(), last - first + 1
    if look is None:
        return None
    rows, mark = _array(columns.rows), _array(columns.mark)
    spans, versions = np.empty((3 * n, 2), np.int64), np.empty(n, np.int64)
    if look.split(rows, mark, spans) != 3 * n or look.numbers(_array(columns.versions), versions) != n:
        return None
    spans[::3, 0] += 32  # behind the hash
    streams, topics, states = (np.ascontiguousarray(spans[at::3]) for at in range(3))
    if (streams[:, 0] > streams[:, 1]).any():
        return None
    hashes = np.empty(32 * n, np.uint8)
    look.leaves(rows, states, hashes)
    if look.hashed(rows, streams, hashes):
        return None
    keyed = np.empty(n, np.uint8)
    many = look.members(rows, states, keyed)
    if look.tails(rows, states, streams, topics, versions) or not _fit(columns, rows, states, first, many):
        return None
    named = look.named(_array(key), rows, streams, versions, np.arange(first, last + 1), last)
    return Glance(columns.rows, spans, hashes.tobytes(), int(named), many, np.flatnonzero(keyed).tolist())


def _fit(columns: Columns, rows: Any, states: Any, first: int, many: int) -> bool:
    """Whether each of ``many`` leaves that commit to a body has the one that it commits to, and no other has any."""
    import numpy as np

    look = compiled()
    assert look is not None
    if not many:
        return not columns.bodied
    sealed, at = np.empty((many, 2), np.int64), np.empty(many, np.int64)
    bodies = _array(columns.bodies)
    if look.split(bodies, _array(columns.mark), sealed) != many:
        return False
    if look.numbers(_array(columns.bodied), at) != many:
        return False
    at -= first
    if at[0] < 0 or at[-1] >= len(states) or (np.diff(at) <= 0).any():
        return False
    return not look.commitments(rows, states, _array(codec.BODY_DOMAIN), bodies, sealed, at)


def parents(nodes: bytes, *, fast: bool) -> bytes:
    """The hashes of nodes taken two by two, all one behind the other; ``fast``: by compiled code where it can be had."""
    look = compiled() if fast else None
    if look is None:
        pairs = range(0, len(nodes) - 63, 64)
        return b"".join([sha256(b"\1" + nodes[at : at + 64]).digest() for at in pairs])
    import numpy as np

    made = np.empty(len(nodes) // 64 * 32, np.uint8)
    look.parents(_array(nodes), made)
    return made.tobytes()


def of_index(pieces: Iterable[Names], last: int, key: bytes, *, fast: bool) -> int | None:
    """The sum of ``named_by`` over the rows of an index up to position ``last``; None where it is not in strictly
    ascending order, so that looking up would fail, or what stands there is no row."""
    add = _by_compiled if fast and compiled() else _by_rows
    found, before = 0, (b"", 0)
    for names in pieces:
        added = add(names, last, key, before)
        if added is None:
            return None
        found += added
        before = names.streams.rpartition(names.mark)[2], int(names.versions.rpartition(b",")[2])
    return found & MASK


def _by_compiled(names: Names, last: int, key: bytes, before: tuple[bytes, int]) -> int | None:
    import numpy as np

    look, n = compiled(), names.versions.count(b",") + 1
    assert look is not None
    streams = _array(names.streams)
    spans, versions, positions = np.empty((n, 2), np.int64), np.empty(n, np.int64), np.empty(n, np.int64)
    if look.split(streams, _array(names.mark), spans) != n:
        return None
    if (
        look.numbers(_array(names.versions), versions) != n
        or look.numbers(_array(names.positions), positions) != n
    ):
        return None
    first = names.streams[: spans[0, 1]], int(versions[0])
    if not before < first or not look.ascending(streams, spans, versions):
        return None
    return int(look.named(_array(key), streams, spans, versions, positions, last))


def _by_rows(names: Names, last: int, key: bytes, before: tuple[bytes, int]) -> int | None:
    streams, *numbers = (
        names.streams.split(names.mark),
        names.versions.split(b","),
        names.positions.split(b","),
    )
    if len({len(streams), *map(len, numbers)}) != 1 or not all(
        one.isdigit() for some in numbers for one in some
    ):
        return None
    rows = list(zip(streams, *(map(int, some) for some in numbers), strict=True))
    order = [before, *(row[:2] for row in rows)]
    if not all(map(lt, order, order[1:])):
        return None
    return sum(named_by(key, *row) for row in rows if row[2] <= last)


def _array(texts: bytes) -> Any:
    import numpy as np

    return np.frombuffer(texts, np.uint8)
