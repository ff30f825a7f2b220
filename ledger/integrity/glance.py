"""A block of a record at a glance: whether all of it is as it must be, over columns and by compiled code.

A glance says that a block is sound, or nothing: whatever is out of the ordinary (an erased body, an encrypted one, two
texts that cannot be told apart) is left to ``block``, which looks at every row and has words for what it finds. It must
never take for sound what ``block`` does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from functools import cache
from hashlib import sha256
from operator import lt
from types import ModuleType
from typing import Any

from ledger import codec
from ledger.garbage import put_off
from ledger.store.base import Columns, Names

MASK = (1 << 64) - 1
KEY = 64


@cache
def compiled() -> ModuleType | None:
    """What a glance looks with; None where it cannot be had, or ``CLAIMS_KERNEL`` is ``plain``."""
    import numpy as np

    if os.environ.get("CLAIMS_KERNEL") == "plain":
        return None
    try:
        # What numba makes while it is loaded stays: looking for garbage in it takes a tenth of the time.
        with put_off():
            from ledger.integrity import compiled as found
    except ImportError:
        return None
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

    def __init__(self, columns: Columns, hashes: bytes, named: int, bodies: int, keyed: list[int]) -> None:
        self.hashes, self.named, self.bodies = hashes, named, bodies
        self.keyed = keyed
        self._columns = columns

    def of_types(self, wanted: Callable[[str], bool]) -> list[tuple[int, str]]:
        """The rows of some types, with the type of each."""
        import numpy as np

        look, topics = compiled(), self._columns.topics
        assert look is not None
        first = np.empty(len(topics), np.int64)
        look.kinds(self._columns.texts, topics, first)
        found: list[tuple[int, str]] = []
        for one in np.flatnonzero(first == np.arange(len(first))).tolist():
            topic = self._text(topics[one]).decode(errors="replace")
            if wanted(topic):
                found += [(row, topic) for row in np.flatnonzero(first == one).tolist()]
        return sorted(found)

    def state(self, row: int) -> bytes:
        """The bytes of a leaf."""
        return self._text(self._columns.states[row])

    def stream(self, row: int) -> str:
        """The stream of a row."""
        return self._text(self._columns.streams[row]).decode(errors="replace")

    def _text(self, span: Any) -> bytes:
        found: bytes = self._columns.texts[span[0] : span[1]].tobytes()
        return found


def glance(columns: Columns, first: int, last: int, key: bytes) -> Glance | None:
    """Look at the rows from position ``first`` to ``last``; None where they have to be looked at one by one."""
    import numpy as np

    look, n = compiled(), last - first + 1
    if look is None or len(columns.versions) != n:
        return None
    texts, streams, states = columns.texts, columns.streams, columns.states
    hashes = np.empty(32 * n, np.uint8)
    look.leaves(texts, states, hashes)
    if look.hashed(texts, columns.hashes, hashes):
        return None
    keyed = np.empty(n, np.uint8)
    many = look.members(texts, states, keyed)
    if look.tails(texts, states, streams, columns.topics, columns.versions) or not _fit(columns, first, many):
        return None
    named = look.named(_array(key), texts, streams, columns.versions, np.arange(first, last + 1), last)
    return Glance(columns, hashes.tobytes(), int(named), many, np.flatnonzero(keyed).tolist())


def _fit(columns: Columns, first: int, many: int) -> bool:
    """Whether each of ``many`` leaves that commit to a body has the one that it commits to, and no other has any."""
    import numpy as np

    look = compiled()
    assert look is not None
    if len(columns.bodied) != many:
        return False
    rows = columns.bodied - first
    if many and (rows[0] < 0 or rows[-1] >= len(columns.states) or (np.diff(rows) <= 0).any()):
        return False
    domain = _array(codec.BODY_DOMAIN)
    return not look.commitments(columns.texts, columns.states, domain, columns.bodies, columns.sealed, rows)


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
        before = _row(names, -1)
    return found & MASK


def _row(names: Names, at: int) -> tuple[bytes, int]:
    begin, end = names.streams[at]
    return names.texts[begin:end].tobytes(), int(names.versions[at])


def _by_compiled(names: Names, last: int, key: bytes, before: tuple[bytes, int]) -> int | None:
    look = compiled()
    assert look is not None
    if not before < _row(names, 0) or not look.ascending(names.texts, names.streams, names.versions):
        return None
    return int(look.named(_array(key), names.texts, names.streams, names.versions, names.positions, last))


def _by_rows(names: Names, last: int, key: bytes, before: tuple[bytes, int]) -> int | None:
    rows = [_row(names, at) for at in range(len(names.versions))]
    if not all(map(lt, (before, *rows), rows)):
        return None
    positions = names.positions.tolist()
    return sum(named_by(key, *row, at) for row, at in zip(rows, positions, strict=True) if at <= last)


def _array(texts: bytes) -> Any:
    import numpy as np

    return np.frombuffer(texts, np.uint8)
