"""What a store must do: keep rows of bytes in one dense order, with the tree head beside them.

A store knows no event type. It is handed finished leaves and gives them back unchanged; meaning begins in
``ledger.codec``. Every implementation runs the suite in ``ledger.store.contract``.

* Positions are 1, 2, 3 … without a gap. The tree's leaf index is ``position − 1``.
* A batch is written whole or not at all, together with the new head.
* Everything a writer must look at before it decides (the head, a stream, a key) is read inside the lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self, runtime_checkable

from ledger.integrity.tree import Frontier


class StoredRow(NamedTuple):
    """One recorded event as it lies in the store.

    A named tuple and not a dataclass: making them is half of what a scan costs, and this halves that half.
    """

    position: int
    stream: str
    version: int
    topic: str
    state: bytes
    leaf_hash: bytes


class Columns(NamedTuple):
    """Many rows as arrays, in order of position, for an audit.

    ``texts`` (bytes,) are all texts of the rows: the leaf hash, the stream, the type and the state of each; where they
    begin and end in it say ``hashes``, ``streams``, ``topics`` and ``states`` (rows, 2). Before each state stands a zero
    byte. ``versions`` (rows,). ``bodies`` (bytes,) are the salts of bodies in clear, each with its text behind it;
    ``sealed`` (bodies, 2) says where they are in it, and ``bodied`` (bodies,) gives their positions.
    """

    texts: Any
    hashes: Any
    streams: Any
    topics: Any
    states: Any
    versions: Any
    bodies: Any
    sealed: Any
    bodied: Any


class Names(NamedTuple):
    """Rows of the index by which streams are looked up, in its order: ``texts`` (bytes,), in which ``streams`` (rows, 2)
    are the spans of their streams, ``versions`` (rows,), ``positions`` (rows,)."""

    texts: Any
    streams: Any
    versions: Any
    positions: Any

    @classmethod
    def of(cls, rows: Sequence[tuple[Any, ...]]) -> Self:
        """Rows of (stream, version, position) as arrays. Raises ``TypeError`` or ``OverflowError`` where they are
        something else."""
        import numpy as np

        streams = [one.encode() for one, *_ in rows]
        ends = np.cumsum([0, *map(len, streams)])
        spans = np.stack([ends[:-1], ends[1:]], axis=1)
        versions, positions = (np.fromiter((row[at] for row in rows), np.int64, len(rows)) for at in (1, 2))
        return cls(np.frombuffer(b"".join(streams), np.uint8), spans, versions, positions)


@dataclass(frozen=True, slots=True)
class SealedBody:
    """An erasable body: canonical JSON bytes and the 32-byte salt of its commitment."""

    salt: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class EncryptedBody:
    """The same, encrypted. ``key`` names the key, which is never in the store; ``sealed`` is what it opens."""

    key: str
    sealed: bytes


AnyBody = SealedBody | EncryptedBody


@dataclass(frozen=True, slots=True)
class NewRow:
    """One event about to be written.

    ``marks`` are 63-bit integers under which the ledger wants to find the row again (twins, displays);
    ``registry`` says that the row names a place, a source, a party, a question or a link;
    ``key`` is the author's own idempotence key, unique in the ledger.
    """

    stream: str
    version: int
    topic: str
    state: bytes
    body: AnyBody | None = None
    key: str | None = None
    marks: tuple[int, ...] = ()
    registry: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """The newest state of the tree: how many leaves, the frontier, and the clock of the last append.

    ``recorded`` is the ``recorded`` text of the last row, None in an empty ledger.
    """

    size: int
    frontier: Frontier
    recorded: str | None

    @property
    def root(self) -> bytes:
        """The RFC 9162 root hash over all leaves, 32 bytes."""
        return self.frontier.root()


class Reader(Protocol):
    """What can be read, inside or outside the write lock.

    Inside, it sees the writer's own rows; outside, what was last committed. Asking for a position, id or key
    that cannot exist finds nothing; it is not an error. Everything here may raise ``Unverified`` (the store's
    bytes are damaged) or ``Locked``.
    """

    def head(self) -> Head:
        """The newest head. Raises ``Unverified`` when there is none, or it contradicts itself."""
        ...

    def row(self, position: int) -> StoredRow | None:
        """The row at a position; None where there is none."""
        ...

    def stream(self, stream: str) -> list[StoredRow]:
        """The rows of one stream in version order; empty when there is none."""
        ...

    def first_positions(self, streams: Sequence[str]) -> dict[str, int]:
        """Stream → position of its version 1, for those that exist. Takes any number of streams."""
        ...

    def position_of_key(self, key: str) -> int | None:
        """The position recorded under an author's key; None when nobody used it."""
        ...

    def marked(self, mark: int) -> list[int]:
        """Positions recorded under a mark, ascending."""
        ...

    def positions_of_keys(self, keys: Sequence[str]) -> dict[str, int]:
        """Key → position, for those that were recorded. Takes any number of keys."""
        ...

    def positions_marked(self, marks: Sequence[int]) -> dict[int, list[int]]:
        """Mark → positions recorded under it, ascending, for those that were recorded. Takes any number of marks."""
        ...

    def body(self, position: int) -> AnyBody | None:
        """The body of a row; None when it has none or when it was erased."""
        ...

    def hashes(self, height: int, first: int, stop: int) -> Sequence[bytes]:
        """Roots of perfect subtrees of the tree (``ledger.integrity.proof.Nodes``): at height 0 the leaf hashes
        number ``first`` to ``stop - 1``, above it the nodes that were kept when they became whole."""
        ...

    def setting(self, name: str) -> str | None:
        """What the store was told to remember of itself under a name; None where nothing."""
        ...


class Writer(Reader, Protocol):
    """A reader that holds the write lock. Leaving the block normally commits; an exception rolls back."""

    def insert(self, rows: Sequence[NewRow], recorded: str, *, last: bool = False) -> range:
        """Write ``rows`` behind the head; returns their positions. ``recorded`` is the last row's clock.

        ``last``: nothing but the head is asked for behind it, so that a store may write when the block is left, in one
        turn with the commit; what is refused is told then.

        No rows: an empty range, and nothing changes. All of a call or none of it: after ``Conflict`` (a
        (stream, version) or key is taken) or ``WriteFailed`` what earlier calls wrote is still there, and the
        writer may go on. Raises ``Unverified`` when the rows behind the head are not where it says.
        """
        ...

    def erase(self, positions: Sequence[int]) -> None:
        """Take the bodies of some rows away for good. Their bytes are gone from the store's files after
        ``Store.compact``. Positions without a body are passed over."""
        ...

    def reseal(self, bodies: Sequence[tuple[int, EncryptedBody]]) -> None:
        """Put bodies that are encrypted anew in the place of those that stood at their positions."""
        ...

    def remember(self, name: str, value: str) -> None:
        """Set a setting."""
        ...


@runtime_checkable
class Store(Reader, Protocol):
    """A whole ledger's storage."""

    def rows(self, start: int = 1, stop: int | None = None, *, batch: int = 2_000) -> Iterator[StoredRow]:
        """Rows from ``start`` to ``stop`` (inclusive) in order, streamed; memory does not grow with them.

        Holds no lock between batches, so that a slow reader never keeps a writer waiting. ``stop`` defaults
        to the last row there is when the first one is asked for: rows that arrive meanwhile are left out.
        """
        ...

    def leaves(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Position and bytes of the same rows, and nothing else: what a replay reads. It looks at neither the
        columns nor the hashes beside the bytes; ``rows`` and an audit do."""
        ...

    def leaves_at(self, positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        """The same of some positions, which ascend; those at which nothing stands are passed over."""
        ...

    def registry_rows(self, after: int = 0) -> Iterator[tuple[StoredRow, AnyBody | None]]:
        """Rows written with ``registry=True`` at positions above ``after``, with their bodies, in order."""
        ...

    def bodies(self, start: int = 1, stop: int | None = None) -> Iterator[tuple[int, AnyBody]]:
        """Position and body of every row that still has one, in order."""
        ...

    def find_streams(self, prefix: str, limit: int = 10) -> list[str]:
        """Stream ids that begin with ``prefix`` (for abbreviated ids), ascending, at most ``limit``."""
        ...

    def raw_rows(self, first: int, last: int) -> Sequence[tuple[Any, ...]]:
        """The rows from ``first`` to ``last`` as they lie there, whatever types they have: the fields of ``StoredRow``,
        then the salt and text of a body and the key and seal of an encrypted one, None where there is none. For an
        audit, which trusts nothing."""
        ...

    def key_count(self, last: int | None = None) -> int:
        """How many keys were recorded up to position ``last``, or in all."""
        ...

    def marks(self, first: int = 1, last: int | None = None) -> Iterator[tuple[int, int]]:
        """The (position, mark) from ``first`` to ``last``, in that order."""
        ...

    def registered(self, first: int = 1, last: int | None = None) -> Iterator[int]:
        """The positions of rows written with ``registry=True`` from ``first`` to ``last``, ascending."""
        ...

    def faults(self) -> Iterator[str]:
        """What only the store can tell of itself: damage in its files, and sums over what it keeps beside the rows
        that no longer come out. Nothing: all is well. The index of streams is not compared with the rows here: an audit
        does so by ``raw_index``."""
        ...

    def read_through(self) -> None:
        """Prepare to read all of it once, in a process of which nobody minds if it dies of a failing disk."""
        ...

    def raw_columns(self, first: int, last: int) -> Columns | None:
        """What ``raw_rows`` gives, as columns; None where rows are missing, anything is of another type than was
        written, bodies are encrypted, or the store cannot do it sooner."""
        ...

    def raw_index(self, *, fast: bool) -> Iterator[Names]:
        """The whole index by which streams are looked up, in its order, some rows at a time. ``fast``: by compiled code
        where it can be had, which takes a second to be loaded."""
        ...

    def compact(self) -> None:
        """Rewrite the files so that no byte of what was erased is left in them. Raises ``Locked`` while others
        read or write."""
        ...

    def writer(self) -> AbstractContextManager[Writer]:
        """Take the write lock (waiting up to the store's timeout, then ``Locked``).

        Not to be nested: a second one in the same thread waits for the first, in vain.
        """
        ...

    def close(self) -> None:
        """Let go of files and connections. Harmless when done twice."""
        ...
