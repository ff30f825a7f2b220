"""What one worker hears and counts of what a logic learns from.

A *range* is some slots (``learning.slots``) with all families in them. A worker reads its leaves into a store and a
cache of its own, as it does to judge; hears them; and from then on needs only what was written down of them
(``learning.notes``), by which it answers whatever ``lessons.learn`` asks of a pupil.
"""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from projections.anchor import Anchor
from projections.cluster.slices import Slice
from projections.cluster.tasks import Order, Source, directory_of, in_a_line, scratch_of
from projections.envelopes.cache import Envelopes, Mark
from projections.learning.notes import Notes
from projections.learning.schedule import Arrivals
from projections.lessons import Pupil, Schedule
from projections.making import Maker, Workshop

#: What a row takes of memory as long as its range is read, and what one that was written down takes, about, in bytes:
#: a scheduler goes by it when it thinks of moving things.
_READ, _WRITTEN = 50, 200


@dataclass(frozen=True)
class Range:
    """So many slots from ``first`` on, an aligned range, and where the leaves of their families are to be had. ``rows``:
    about how many."""

    first: int
    many: int
    rows: int
    source: Source = field(repr=False)

    @property
    def slots(self) -> range:
        return range(self.first, self.first + self.many)


class Reading:
    """What was read of a range, on this worker's disk until it is closed, or of use to nobody any more. Sent to another
    worker it is read again when it is needed there: the disk is not sent."""

    def __init__(self, order: Order, some: Range) -> None:
        self.order, self.range = order, some
        self._read: tuple[Slice, Path] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Reading, (self.order, self.range)

    def __sizeof__(self) -> int:
        return _READ * self.range.rows

    def read(self) -> tuple[Slice, Path]:
        """Its leaves, and the file of their cache."""
        if self._read is None:
            order = self.order
            folder = Path(tempfile.mkdtemp(prefix="claims-range-", dir=scratch_of(order)))
            try:
                leaves = Slice((one for one in self.range.source.leaves() if one[0] <= order.head), folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._end = weakref.finalize(self, _cleared, leaves, folder)
            with closing(Envelopes(folder / "envelopes.db")) as envelopes:
                mark = Mark(Anchor(order.ledger, order.head, ""), "")
                envelopes.fill(leaves.leaves(), len(leaves), leaves.stream, mark)
            self._read = leaves, folder / "envelopes.db"
        return self._read

    def close(self) -> None:
        if self._read is not None:
            self._end()
            self._read = None

    @contextmanager
    def pupil(self) -> Iterator[Pupil]:
        """Whoever hears it, with a connection of this thread's own."""
        logic = self.order.recipe.logic()  # who lacks it says so before anything is read
        leaves, cache = self.read()
        with closing(Envelopes(cache)) as envelopes:
            workshop = Workshop(leaves.event, leaves.first, self.order.head)
            maker = Maker(workshop, envelopes, directory_of(self.order), logic, self.order.known)
            yield Pupil(maker, self.range.slots)


def _cleared(leaves: Slice, folder: Path) -> None:
    leaves.close()
    shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Written:
    """What was written down of a range. What is forgotten is gone from it at once; where a scheduler has it made again
    there is more in it, which nobody asks for."""

    notes: Notes
    rows: int

    def __sizeof__(self) -> int:
        return _WRITTEN * self.rows


def arrivals(reading: Reading) -> dict[str, Arrivals]:
    """When what was read became known."""
    with in_a_line(), reading.pupil() as pupil:
        return pupil.arrivals()


def hear(reading: Reading, schedule: Schedule) -> Written:
    """Write down what was heard before each moment due."""
    with in_a_line(), reading.pupil() as pupil:
        pupil.hear(schedule)
        return Written(pupil.notes, reading.range.rows)


def done(written: Written) -> None:
    """That it was written down: what was stays where it is."""


def answer(written: Written, what: str, *given: Any) -> Any:
    """What a pupil who has heard answers."""
    return getattr(written.notes, what)(*given)


class Seat:
    """A pupil where a process has it: it keeps what was written down in memory, and in a file besides, from which a process
    that comes in its place goes on."""

    def __init__(self, order: Order, some: Range) -> None:
        self.order, self.range = order, some
        self._reading: Reading | None = None
        self._written: Written | None = None

    def ask(self, what: str, *given: Any) -> Any:
        if what == "arrivals":
            return arrivals(self._read())
        if what == "hear":
            self._hear(*given)
            return None
        if self._written is None:
            with in_a_line():
                self._written = pickle.loads(self._file.read_bytes())
        return answer(self._written, what, *given)

    def _read(self) -> Reading:
        if self._reading is None:
            self._reading = Reading(self.order, self.range)
        return self._reading

    def _hear(self, schedule: Schedule) -> None:
        self._written = hear(self._read(), schedule)
        self._read().close()
        self._reading = None
        begun = self._file.with_suffix(".part")
        with in_a_line():
            with begun.open("wb") as file:
                pickle.dump(self._written, file, pickle.HIGHEST_PROTOCOL)
            os.replace(begun, self._file)

    @property
    def _file(self) -> Path:
        assert self.order.scratch is not None
        return Path(self.order.scratch) / f"written-{self.range.first}"


#: The seats of this process, by their first slot.
_seats: dict[int, Seat] = {}


def sit(order: Order, some: Sequence[Range]) -> None:
    """Have this process answer for some ranges."""
    _seats.update({one.first: Seat(order, one) for one in some})


def asked(first: int, what: str, given: tuple[Any, ...]) -> Any:
    """What a seat of this process answers."""
    return _seats[first].ask(what, *given)
