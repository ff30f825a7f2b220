"""What if: a desk in front of the ledger and of files that are only supposed to be recorded.

The files are imported into a rehearsal over the ledger, and what views are needed are copied into a temporary
folder and caught up there. Neither the ledger nor its views is written to; closed, the desk leaves nothing.
What is supposed is recorded now, and known when its own clocks say.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ledger.book import Ledger
from ledger.codec import Recorded
from ledger.errors import Rejected, Usage, WriteFailed
from ledger.importing import Tally, import_file, prepare
from ledger.importing.rehearsal import RehearsalStore
from projections.belief.assembly import Assembly
from projections.belief.base import Verdict, jsonable
from projections.belief.tally import end_of, judge
from projections.case import Ruling, Testimony, known_at, ruled_at, states_of
from projections.desk import Clocks, Desk
from projections.envelopes import shape
from projections.envelopes.reading import ENTRIES, FATES
from projections.neighbours import Around
from projections.view import file_name
from projections.views import Views


class Supposing(Desk):
    """A desk over another, which stays open, at which ``files`` (``-``: standard input) were imported.

    ``after`` is the position of the last event that is recorded in earnest; ``notes`` are worth telling. Where a
    row is refused nothing is supposed: raises ``Rejected``, or ``Usage`` for a file that cannot be read.
    ``beliefs`` has the view of the logic copied as well, not only the record.
    """

    def __init__(self, real: Desk, files: Sequence[str] = (), *, beliefs: bool = False) -> None:
        if len(files) - len({*files}):
            twice = next(one for one in files if files.count(one) > 1)
            raise Usage(f"--with {twice} is given twice", remedy="name each file once")
        self.path, self.asked, self.now = real.path, real.asked, real.now
        self.loaded = real.loaded
        self.supposed = self
        store = RehearsalStore(real.ledger.store)
        self.ledger = Ledger(store, clock=lambda: real.now)
        try:
            self.after = store.head().size
            self._roots = {self.after: store.head().root.hex()}
            self._directories, self._redated, self._corrected = {}, {}, {}
            self.notes: list[str] = []
            self.files = [self._take_in(file) for file in files]
            self.head = store.head().size
            self._folder = _folder()
        except BaseException:
            self.ledger.close()
            raise
        root = Path(self._folder.name)
        self.views = Views(self.ledger, root, real.views.progress)
        try:
            if beliefs and real.supposed:
                real.beliefs  # noqa: B018 - made there, it is not made again here
            _copy(real.views.root, root, f"envelopes@{shape.VERSION}.db")
            if beliefs:
                _copy(real.views.root, root, file_name(self.loaded))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Supposing:
        return self

    def close(self) -> None:
        super().close()
        self._folder.cleanup()

    def _take_in(self, file: str) -> dict[str, Any]:
        records, translator = prepare(file, kind="jsonl")
        with records:
            tally = import_file(self.ledger, records, translator)
        if tally.rejects:
            raise _refused(tally)
        if tally.already:
            self.notes.append(f"{file}: {tally.already:,} of its events are recorded already")
        elif not tally.new:
            self.notes.append(f"{file}: there is no event in it")
        return {"file": file, "events": tally.new}

    # -- what the answers say about it ---------------------------------------------------------------------

    def header(
        self, schema: str, clocks: Clocks | None = None, question: str | None = None
    ) -> dict[str, Any]:
        """Position and root are those of the ledger as it is."""
        told = super().header(schema, replace(clocks, position=self.after) if clocks else None, question)
        real = {"position": self.after, "root": self.root(self.after)}
        return {"schema": schema, "hypothetical": True, "with": self.files} | told | real

    def clocks(self, as_of: str, known_by: str | None, recorded_by: str | None) -> Clocks:
        """Never on the diagonal: there is no view to look anything up in, so that cases are judged."""
        if recorded_by is not None:
            raise Usage(
                "--with and --recorded-by contradict each other: what is supposed is recorded now",
                remedy="use --known-by to ask from what was known by a moment",
            )
        return replace(super().clocks(as_of, known_by, None), diagonal=False)

    def change(self, told: Verdict, clocks: Clocks, place: str, question: str) -> dict[str, float]:
        """What the probabilities of a verdict differ by from those of the ledger alone."""
        earnest = self._earnest(clocks, place, question)
        return {state: p - earnest.get(state, 0.0) for state, p in told.probabilities.items()}

    def _earnest(self, clocks: Clocks, place: str, question: str) -> Mapping[str, float]:
        if question not in self.directory_at(self.after).questions:
            states = states_of(self.directory, question)
            return {name: 1 / len(states) for name in states.names}

        def alone(one: str) -> Verdict:
            case = self.case(one, question, self.after)
            return judge(case, self.loaded.logic, clocks.day, clocks.known)

        asked = question, clocks.day, clocks.known
        return self._around.verdict(place, alone(place), asked, alone).probabilities

    @cached_property
    def _around(self) -> Around:
        """The neighbours in the ledger alone."""
        return Around(self.directory_at(self.after), self.loaded.logic.params)

    def displays(self, clocks: Clocks, place: str, question: str) -> tuple[tuple[str, int], ...]:
        """What is on display on a day that is known then, as (standing source, day last observed)."""
        logic = self.loaded.logic
        if logic.believe is not None or clocks.known != min(end_of(clocks.day), self.known(None)):
            return ()
        case = self.case(place, question, clocks.position)
        return Assembly.known_by(case, logic, clocks.known).displaying()

    def without_effect(self, change: Mapping[str, float], clocks: Clocks) -> list[str]:
        """Why nothing changes, in one line where nothing does."""
        if not self.events or any(jsonable(list(change.values()))):
            return []
        later = sum(known > clocks.known for known in self._known)
        why = f": {later:,} of {self.events:,} are known only later" if later else ""
        return [f"the hypothetical events change nothing here{why}"]

    @property
    def events(self) -> int:
        """How many events are supposed."""
        return self.head - self.after

    def made(self, piece: Testimony | Ruling) -> bool:
        """Whether a piece, or one of the reports of it, is only supposed."""
        return any(position > self.after for _, position in _entries(piece))

    def remark(self, piece: Testimony | Ruling, known: int) -> str | None:
        """What is supposed about a piece by a moment, in a few words; None where it is as recorded."""
        if self.made(piece):
            earnest = any(position <= self.after for _, position in _entries(piece))
            return "a hypothetical report of it among others" if earnest else "hypothetical"
        befell = any(self._befell.get(entry, known + 1) <= known for entry, _ in _entries(piece))
        return "changed by a hypothetical event" if befell else None

    @cached_property
    def _known(self) -> list[int]:
        """When each event that is supposed becomes known."""
        return [_known(event) for event in self.ledger.events(self.after + 1)]

    @cached_property
    def _befell(self) -> dict[str, int]:
        """Entry that something supposed befalls → when the first of it becomes known."""
        found: dict[str, int] = {}
        for event, known in zip(self.ledger.events(self.after + 1), self._known, strict=True):
            if event.version > 1:
                found[event.stream] = min(known, found.get(event.stream, known))
        return found


def _entries(piece: Testimony | Ruling) -> list[tuple[str, int]]:
    """(id, position) of the entries that a piece was read from."""
    if isinstance(piece, Testimony):
        return [(report.entry, report.position) for report in piece.reports]
    return [(piece.id, piece.position)]


def _known(event: Recorded) -> int:
    if event.name not in ENTRIES | FATES or event.name == "entry-corrected":
        return 0  # corrections act at every moment, and so does what is said of names, links and merges
    ruled = event.name in ("state-ruled", "claim-adjudicated", "evidence-voided")
    return (ruled_at if ruled else known_at)(event.data, event.recorded)


def _refused(tally: Tally) -> Rejected:
    first, others = tally.rejects[0], tally.rejected + tally.conflicting - 1
    more = f", for this and {others:,} more line{'' if others == 1 else 's'}" if others else ""
    return Rejected(f"nothing was supposed{more}: {first.reason}", where=f"{first.file}:{first.line}")


def _folder() -> TemporaryDirectory[str]:
    try:
        return TemporaryDirectory(prefix="claims-", ignore_cleanup_errors=True)
    except OSError as error:
        raise WriteFailed(
            f"nothing can be tried without a temporary folder ({error})",
            remedy="set TMPDIR to one that can be written",
        ) from None


def _copy(root: Path, target: Path, name: str) -> None:
    """A view as it is, without touching it. Where there is none that can be read it will be made again."""
    found, copy = (root / name).absolute().as_uri(), target / name
    try:
        with (
            closing(sqlite3.connect(f"{found}?mode=ro", uri=True, timeout=60.0)) as source,
            closing(sqlite3.connect(copy)) as into,
        ):
            source.backup(into)
    except sqlite3.Error:
        copy.unlink(missing_ok=True)
