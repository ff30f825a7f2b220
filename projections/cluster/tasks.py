"""What one worker is asked, and the pure function that answers it.

An *order* is the same for all tasks of a replay: whose ledger, up to where, under which logic. A *task* says which
families of places to judge, and where their leaves are to be had. ``judge`` reads them into a store and a cache of its
own and makes what the local replay would make of these families, bit for bit: positions are the ledger's, names are
the ledger's, and nothing that it keeps hangs on the numbers that a cache gives to names.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson

from ledger.buckets import reading
from ledger.buckets.folder import Folder
from ledger.buckets.manifest import Part
from ledger.codec import decode_leaf
from ledger.directory import Directory
from ledger.errors import LedgerError
from ledger.places import Location
from projections.anchor import Anchor
from projections.belief.base import Logic
from projections.belief.voices import Learnt
from projections.cluster.recipe import Recipe, this_worker
from projections.cluster.slices import Slice
from projections.envelopes.cache import Damaged, Envelopes, Mark
from projections.lookup import redated
from projections.making import Made, Maker, Workshop, jobs


class Source(Protocol):
    """Where a task's leaves come from."""

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        """(position, leaf) of all that the task needs, in any order, some perhaps twice."""
        ...


@dataclass(frozen=True)
class Parts:
    """Leaves out of an export: all that stand at no place, all of some places, and single ones of others."""

    url: str
    nowhere: tuple[Part, ...]
    parts: tuple[Part, ...]
    places: tuple[str, ...]
    guests: dict[str, tuple[int, ...]]

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        folder = Folder(self.url)
        yield from reading.everything(folder, self.nowhere)
        yield from reading.leaves(folder, self.parts, self.places, self.guests)


@dataclass(frozen=True)
class Direct:
    """Leaves out of the ledger itself, which workers must reach: positions as the bytes of 64-bit integers."""

    place: Location
    positions: bytes = field(repr=False)

    def leaves(self) -> Iterator[tuple[int, bytes]]:
        from ledger.store.door import open_store

        positions = np.frombuffer(self.positions, np.int64).tolist()
        with closing(open_store(self.place, readonly=True)) as store:
            yield from store.leaves_at(positions)


@dataclass(frozen=True)
class Order:
    """What all tasks of a replay share. ``registry`` holds (position, leaf, body as JSON); ``known`` the moment up to which
    sources are scored."""

    ledger: str
    head: int
    known: int
    recipe: Recipe
    registry: tuple[tuple[int, bytes, bytes], ...] = field(repr=False)
    learnt: Learnt | None = field(default=None, repr=False)
    scratch: str | None = None

    @cached_property
    def digest(self) -> str:
        """What tells its registry from any other."""
        digest = hashlib.sha256(self.ledger.encode())
        for position, leaf, body in self.registry:
            digest.update(b"%d %d " % (position, len(leaf)) + leaf + body)
        return digest.hexdigest()


@dataclass(frozen=True)
class Task:
    """Families to be judged, by their roots; on some questions only where there are any. ``rows``: about how many."""

    families: tuple[str, ...]
    questions: tuple[str, ...] | None
    rows: int
    source: Source = field(repr=False)

    @cached_property
    def key(self) -> str:
        """A name by which what was made of it is found again."""
        named = orjson.dumps([self.families, self.questions])
        return hashlib.sha256(named).hexdigest()[:32]


@dataclass(slots=True)
class Result:
    """``records`` by family; ``strange`` entries on questions that nobody opened, ``redated`` places of which corrections
    changed dates. ``peak_mb`` is the most memory that the worker ever had, ``seconds`` what the task took of a core."""

    made: Made
    records: dict[str, int]
    strange: list[tuple[str, str, int, str, str]]
    redated: list[str]
    peak_mb: float = 0.0
    seconds: float = 0.0


def judge(order: Order, task: Task) -> Result:
    """What a view keeps of a task's families. Raises ``LedgerError`` for whatever keeps a worker from it."""
    logic = order.recipe.logic(order.learnt)
    with in_a_line(), tempfile.TemporaryDirectory(prefix="claims-bucket-", dir=scratch_of(order)) as folder:
        return _judged(order, task, logic, Path(folder))


@contextmanager
def in_a_line() -> Iterator[None]:
    """What a worker came to grief over, as an error of ours."""
    try:
        yield
    except (OSError, sqlite3.Error, Damaged) as error:
        raise LedgerError(
            f"the worker came to grief ({error})",
            where=f"worker {this_worker()}",
            remedy="look to the space and rights of its temporary folder; what was done is kept",
        ) from None


def _judged(order: Order, task: Task, logic: Logic, folder: Path) -> Result:
    begun = time.process_time()
    leaves = (one for one in task.source.leaves() if one[0] <= order.head)
    with closing(Slice(leaves, folder)) as some, closing(Envelopes(folder / "envelopes.db")) as envelopes:
        mark = Mark(Anchor(order.ledger, order.head, ""), "")
        envelopes.fill(some.leaves(), len(some), some.stream, mark)
        directory = directory_of(order)
        maker = Maker(Workshop(some.event, some.first, order.head), envelopes, directory, logic, order.known)
        found = maker.roots()
        records = {root: found[root] for root in task.families if root in found}
        made = Made()
        for roots in jobs(records):
            made.extend(maker.make(roots, questions=task.questions))
        strange, corrected = maker.strange(task.families), redated(directory, envelopes)
        return Result(made, records, strange, corrected, _peak(), time.process_time() - begun)


#: The directory that was folded last, by what it was folded from.
_folded: dict[str, Directory] = {}


def directory_of(order: Order) -> Directory:
    """The registry of an order, folded once."""
    found = _folded.get(order.digest)
    if found is None:
        pairs = ((decode_leaf(at, leaf), orjson.loads(body)) for at, leaf, body in order.registry)
        found = Directory.fold(pairs)
        _folded.clear()
        _folded[order.digest] = found
    return found


def scratch_of(order: Order) -> str | None:
    """Where a worker may write: what the replay cleans up behind it, or the folder that its scheduler gave it."""
    if order.scratch is not None:
        os.makedirs(order.scratch, exist_ok=True)
        return order.scratch
    try:
        from distributed import get_worker

        return str(get_worker().local_directory)
    except (ImportError, ValueError):
        return None


def _peak() -> float:
    """The most memory this process had, in MB; 0 where the system does not tell. (What ``getrusage`` tells of a process
    begins with what its parent had.)"""
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii", "replace"))
    except OSError:
        return 0.0
    return int(found[1]) * 1024 / 1e6 if found else 0.0


def shared(value: Any) -> Any:
    """Hands on what all tasks share, so that a scheduler can make it again where it was lost."""
    return value
