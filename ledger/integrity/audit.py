"""Whether a whole record holds: rows, leaves, tree, head, bodies, what is kept beside them, and every checkpoint.

One pass over the stored bytes, block by block (``ledger.integrity.block``), on several processes where it is long.
Nothing is believed because the database says so: each hash is made anew, each column is compared with the bytes, each
body with its commitment, each root with what a checkpoint signed. No type that the data names is imported. Memory does
not grow with the record, but for the positions of bodies that are missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ledger import codec
from ledger.errors import LedgerError, Unverified
from ledger.integrity.block import BLOCK, HEIGHT, Examined, Opener, Task, examine, target_of
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.glance import KEY, MASK, compiled, of_index
from ledger.integrity.proof import STEP
from ledger.integrity.tree import Frontier
from ledger.integrity.vault import BODIES, ENCRYPTED
from ledger.places import Location
from ledger.store.base import Head, Store

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from ledger.book import Ledger

_NAMED = 5  # faults of one kind that are told; all are counted
_WORTH = 1 << 15  # events from which other processes are worth their start
_GLANCED = 1 << 16  # events from which compiled code is worth being loaded
_MOST = 8  # processes
_RUN = 8  # blocks that one process takes at a time
_LAST = 2**62
_TRIES = 5  # to look behind the last event while nobody appends


@dataclass(frozen=True, slots=True)
class Check:
    """One question and its answer. ``ok`` None: nothing was promised, it is told for the reader's judgement."""

    name: str
    ok: bool | None
    detail: str


@dataclass(slots=True)
class Faults:
    """What is wrong with one thing: the first few in words, and how many in all."""

    told: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, what: str) -> None:
        self.count += 1
        if len(self.told) < _NAMED:
            self.told.append(what)

    def check(self, name: str, well: str) -> Check:
        if not self.count:
            return Check(name, True, well)
        more = f" … and {self.count - len(self.told):,} more" if self.count > len(self.told) else ""
        return Check(name, False, "; ".join(self.told) + more)


def record(
    ledger: Ledger,
    promised: Iterable[Checkpoint] = (),
    *,
    source: Location | None = None,
    deep: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Check]:
    """Check a record against itself and against the checkpoints ``promised``, in ascending order of size.

    Others may append meanwhile: what is checked is the record up to the head at the beginning, so ``promised`` must
    have been read before. ``source`` is where the ledger can be opened again, so that several processes may
    share the work; None keeps it in this one. ``deep`` also makes the marks anew by which twins are found, which takes
    several times as long. ``progress`` is called with (events done, events in all).
    """
    store = ledger.store
    try:
        head = store.head()
    except Unverified as error:
        return [Check("head", False, str(error)), _store(store)]
    from concurrent.futures.process import BrokenProcessPool

    wanted = list(promised)
    try:
        passing, found = _passed(ledger, head, wanted, source, deep, progress)
    except BrokenProcessPool:  # a disk that fails under a mapped file kills; here it is an error that says so
        passing, found = _passed(ledger, head, wanted, None, deep, progress)
    return [*passing.checks(deep), found]


def _passed(
    ledger: Ledger,
    head: Head,
    promised: Sequence[Checkpoint],
    source: Location | None,
    deep: bool,
    progress: Callable[[int, int], None] | None,
) -> tuple[_Passing, Check]:
    passing = _Passing(ledger.store, head)
    for one in promised:
        if one.size > head.size:
            passing.promises.add(f"{one.origin} vouches for #{one.size}, the ledger ends at #{head.size}")
        if not one.size:
            passing.compare(one, Frontier.empty())
    try:
        with _examined(ledger, head.size, promised, source, deep) as (blocks, whole):
            passing.all(blocks, progress)
            named, found = whole()
            if not passing.broken and named != passing.named & MASK:
                passing.beside.add("the index by which entries are looked up is not that of the events")
    except LedgerError as error:
        passing.rows.add(str(error))
        found = _store(ledger.store)
    return passing, found


class _Passing:
    """What the blocks come to, in their order."""

    def __init__(self, store: Store, head: Head) -> None:
        self.store = store
        self.head = head
        self.rows, self.tree, self.body, self.beside, self.promises = (Faults() for _ in range(5))
        self.blocks = Frontier.empty()  # its leaves are the roots of whole blocks
        self.frontier = Frontier.empty()
        self.broken = False
        self.missing: dict[str, int] = {}
        self.redacted: dict[str, int] = {}
        self.bodies = self.plain = self.encrypted = self.unopened = self.checkpoints = self.keys = (
            self.named
        ) = 0

    def all(self, blocks: Iterable[Examined], progress: Callable[[int, int], None] | None) -> None:
        for block in blocks:
            self._take(block)
            if progress is not None:
                progress(self.frontier.size, self.head.size)
        self._end()

    def _take(self, block: Examined) -> None:
        for mine, theirs in (
            *((self.rows, block.rows), (self.tree, block.tree)),
            *((self.body, block.bodies), (self.beside, block.beside)),
        ):
            for what in theirs:
                mine.add(what)
        expected = min(BLOCK, self.head.size - (self.blocks.size << HEIGHT))
        if block.count != expected:
            self.broken = True
        self.missing |= block.missing
        self.redacted |= block.redacted
        self.bodies += block.compared
        self.plain += block.plain
        self.encrypted += block.encrypted
        self.unopened += block.unopened
        self.keys += block.keys
        self.named += block.named
        if self.broken:
            return  # events are missing, so that no root can be made
        before = self.blocks.size << HEIGHT
        for checkpoint, peaks in block.promised:
            self.compare(checkpoint, self._with(checkpoint.size - before, peaks))
        self.frontier = self._with(block.count, block.peaks)
        if block.count == BLOCK:
            self.blocks = self.blocks.extend(block.peaks)
            self._upper_nodes()

    def _with(self, count: int, peaks: tuple[bytes, ...]) -> Frontier:
        """The frontier of the whole blocks so far and the first ``count`` events of another."""
        whole = self.blocks.extend(peaks) if count == BLOCK else self.blocks
        rest = () if count == BLOCK else peaks
        return Frontier((self.blocks.size << HEIGHT) + count, whole.roots + rest)

    def _upper_nodes(self) -> None:
        """The nodes above a block that became whole with it."""
        height, count = HEIGHT + STEP, self.blocks.size
        while not count % (1 << STEP):
            count >>= STEP
            heights = [one for one in range(64, -1, -1) if self.blocks.size >> one & 1]
            made = self.blocks.roots[-1] if heights[-1] == height - HEIGHT else None
            found = list(self.store.hashes(height, count - 1, count))
            if made is not None and found != [made]:
                self.tree.add(f"the node of the tree at height {height}, number {count - 1}, is another")
            if made is None and not found:
                self.tree.add(f"the node of the tree at height {height}, number {count - 1}, is missing")
            height += STEP

    def compare(self, checkpoint: Checkpoint, frontier: Frontier) -> None:
        self.checkpoints += 1
        root = frontier.root()
        if root != checkpoint.root:
            self.promises.add(
                f"at #{checkpoint.size} the root is {root.hex()}, {checkpoint.origin} signed {checkpoint.root.hex()}"
            )

    def _end(self) -> None:
        found, head = self.frontier, self.head
        if self.broken:
            self.tree.add(f"no root can be made: the head counts {head.size} events, and some are missing")
        elif found.size != head.size:
            self.tree.add(f"the head counts {head.size} events, there are {found.size}")
        elif found != head.frontier:
            self.tree.add(f"the root is {found.root().hex()}, the head says {head.root.hex()}")
        elif (clock := _clock(self.store, head.size)) != head.recorded:
            self.tree.add(f"the last event was recorded at {clock}, the head says {head.recorded}")
        self._modes()
        for entry, position in self.missing.items():
            if entry not in self.redacted and not _redacted_since(self.store, entry):
                self.body.add(f"#{position}: its body is missing, and nothing says that it was erased")
        for entry, position in self.redacted.items():
            if entry not in self.missing and (at := _still_there(self.store, entry)):
                self.body.add(f"#{at}: its body was erased by #{position}, yet here it is")
        keys = self.store.key_count(head.size)
        if keys != self.keys:
            self.beside.add(f"{keys:,} keys are looked up, the events have {self.keys:,}")
        for _ in range(_TRIES):
            size = self.store.head().size
            surplus = list(_surplus(self.store, size))
            if self.store.head().size == size:  # else somebody appended while it was looked at
                for faults, what in surplus:
                    getattr(self, faults).add(what)
                return

    def _modes(self) -> None:
        """Texts are encrypted all or not at all, so that nobody can have the next ones written in clear."""
        encrypts = self.store.setting(BODIES) == ENCRYPTED
        if self.encrypted and not encrypts:
            self.body.add(f"{self.encrypted:,} are encrypted, and the ledger says that none is")
        if self.plain and encrypts:
            self.body.add(f"{self.plain:,} are in clear, and the ledger says that all are encrypted")

    def checks(self, deep: bool) -> list[Check]:
        erased = sum(entry in self.redacted for entry in self.missing)
        words = [
            f"{self.bodies:,} fit what their events commit to",
            f"{erased:,} erased on purpose" if erased else "",
        ]
        if self.encrypted:
            words.append(f"{self.encrypted:,} are encrypted")
        if self.unopened:
            words.append(f"{self.unopened:,} of them not compared: their keys are not here")
        looked = "keys, registry, marks" if deep else "keys, registry"
        return [
            self.rows.check(
                "events", f"{self.frontier.size:,}, each with its hash, its columns and its position"
            ),
            self.tree.check("tree", f"root {self.frontier.root().hex()}"),
            self.body.check("bodies", ", ".join(filter(None, words))),
            self.beside.check("beside", f"{looked} are those that the events make"),
            self.promises.check("roots", f"{self.checkpoints:,} checkpoints vouch for what is here"),
        ]


def _surplus(store: Store, size: int) -> Iterator[tuple[str, str]]:
    """What lies behind the last event: (kind of fault, words)."""
    if next(store.leaves(size + 1), None) is not None:
        yield "tree", f"there are events behind #{size}, which the head does not count"
    for at, _ in store.bodies(size + 1):
        yield "body", f"#{at}: there is a body that no event knows of"
    if store.key_count() != store.key_count(size):
        yield "beside", f"there are keys that lead behind #{size}"
    for at in store.registered(size + 1):
        yield "beside", f"#{at} is listed as registering something, and is not there"
    for at, _ in store.marks(size + 1):
        yield "beside", f"a mark leads to #{at}, which is not there"
    for height in range(STEP, max(size.bit_length(), HEIGHT) + 2 * STEP, STEP):
        if store.hashes(height, size >> height, _LAST):
            yield "tree", f"there are nodes at height {height} that no events make"


def _redacted_since(store: Store, entry: str) -> bool:
    """Whether an entry was redacted while the audit ran."""
    for row in store.stream(entry.partition("@")[0]):
        if row.topic.startswith("entry-redacted/") and target_of(row.state) == entry:
            return True
    return False


def _clock(store: Store, position: int) -> object:
    """When an event was recorded; None where there is none."""
    row = store.row(position)
    try:
        return codec.decode_leaf(position, row.state).recorded if row else None
    except LedgerError:
        return None


def _still_there(store: Store, entry: str) -> int | None:
    """The position of an entry whose body is there; None where it is gone, or never was."""
    stream, _, version = entry.partition("@")
    for row in store.stream(stream):
        if str(row.version) == (version or "1") and store.body(row.position) is not None:
            return row.position
    return None


def _store(store: Store) -> Check:
    faults = Faults()
    try:
        for what in store.faults():
            faults.add(what)
    except LedgerError as error:
        faults.add(str(error))
    return faults.check("store", "the database finds itself whole")


# -- the work, shared ------------------------------------------------------------------------------------


def _tasks(size: int, promised: Sequence[Checkpoint], every: Task) -> Iterator[Task]:
    """A task like ``every`` for each block, with the checkpoints that end in it."""
    at = 0
    while at < len(promised) and promised[at].size == 0:
        at += 1
    for first in range(1, size + 1, BLOCK):
        last = min(first + BLOCK - 1, size)
        begin = at
        while at < len(promised) and promised[at].size <= last:
            at += 1
        yield replace(every, first=first, last=last, promised=tuple(promised[begin:at]))


@contextmanager
def _examined(
    ledger: Ledger, size: int, promised: Sequence[Checkpoint], source: Location | None, deep: bool
) -> Iterator[tuple[Iterable[Examined], Callable[[], tuple[int | None, Check]]]]:
    """The blocks of a record, examined, in order; and what the store says of itself, once they are through: the sum
    over its index (``glance.of_index``), and the check."""
    fast = size >= _GLANCED or os.environ.get("CLAIMS_KERNEL") == "compiled"
    every = Task(0, 0, (), key=os.urandom(KEY), deep=deep, fast=fast)
    tasks = _tasks(size, promised, every)
    workers = min(_MOST, os.cpu_count() or 1)
    if source is None or size < _WORTH or workers < 2:
        blocks = (examine(ledger.store, task, opened=ledger.opened) for task in tasks)
        yield (
            blocks,
            lambda: (
                of_index(ledger.store.raw_index(fast=fast), size, every.key, fast=fast),
                _store(ledger.store),
            ),
        )
        return
    import multiprocessing
    import threading
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # A fork is at once where there is one; beside other threads it would not be safe.
    forks = "fork" in multiprocessing.get_all_start_methods() and threading.active_count() == 1
    context: Any = multiprocessing.get_context("fork" if forks else "spawn")
    here, there = context.Pipe(duplex=False)
    beside = context.Process(target=_find_itself_whole, args=(source, there), daemon=True)
    beside.start()
    there.close()
    if forks and fast:
        compiled()  # loaded once for all of them, while the store looks at itself

    def whole() -> tuple[int | None, Check]:
        try:
            return named.result(), here.recv()
        except EOFError:
            raise BrokenProcessPool("the process that asked the store is gone") from None

    with ProcessPoolExecutor(workers, context, initializer=_open, initargs=(source,)) as pool:
        try:
            named = pool.submit(_named, size, every.key, fast)  # first, since it is one long piece
            yield pool.map(_examine, tasks, chunksize=_RUN), whole
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            beside.kill()
            beside.join()


_ledger: Ledger | None = None


def _open(source: Location) -> None:
    """Where a process of the pool begins."""
    import gc
    import signal

    from ledger.book import Ledger

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the one that asked is interrupted, and ends the others
    gc.disable()  # rows make no cycles
    global _ledger  # noqa: PLW0603 - one ledger a process of the pool
    _ledger = Ledger.open(source, readonly=True)
    _ledger.store.read_through()


def _find_itself_whole(source: Location, there: Connection) -> None:
    _open(source)
    assert _ledger is not None
    there.send(_store(_ledger.store))


def _named(size: int, key: bytes, fast: bool) -> int | None:
    assert _ledger is not None
    return of_index(_ledger.store.raw_index(fast=fast), size, key, fast=fast)


def _examine(task: Task) -> Examined:
    assert _ledger is not None
    return examine(_ledger.store, task, opened=_ledger.opened)


__all__ = ["Check", "Faults", "Opener", "record"]
