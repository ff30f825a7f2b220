"""One import: records in, batches appended, and a tally of what became of every row.

A batch is recorded whole or not at all; what is committed stays when the import is interrupted, and because
ids are deterministic the same command goes on where it stopped. Nothing grows with the file: a batch is
bounded in rows and in bytes, the lists of a tally are capped, and what displays showed is kept once each.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TextIO

from ledger import garbage
from ledger.book import Draft, Ledger, Receipt
from ledger.directory import Directory
from ledger.errors import FAILED, OK, REJECTED, Conflict, LedgerError, UnknownName, Usage
from ledger.importing.lines import Reject
from ledger.importing.reading import Raw, Record
from ledger.importing.rehearsal import RehearsalStore
from ledger.text import homoglyphs, visible
from ledger.twins import YearDoubt

#: What is wrong with a row, as opposed to with the ledger or the disk.
BAD_ROW = (Usage, UnknownName, Conflict)

_KEPT = 100  # rejects and doubts remembered for printing; all are counted
_BATCH_CHARACTERS = 1 << 23


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was refused. ``row`` is what was read of it: text or fields."""

    file: str
    line: int
    reason: str
    row: Any

    def __str__(self) -> str:
        return visible(f"{self.file}:{self.line}: {self.reason}", keep_newlines=False)

    def as_json(self) -> str:
        """One line of JSON that loses nothing, with what steers a terminal escaped."""
        values = {"file": self.file, "line": self.line, "reason": self.reason, "row": self.row}
        text = json.dumps(values, ensure_ascii=False)
        if visible(text) == text:
            return text
        return "".join(c if visible(c) == c else json.dumps(c)[1:-1] for c in text)


@dataclass(slots=True)
class Tally:
    """What became of the rows. ``new``, ``already`` and ``conflicting`` count entries, ``unchanged`` rows of
    a display that added nothing, ``skipped`` rows the map leaves out, ``events`` the new entries by name.
    ``homoglyphs`` are words of newly registered names that mix alphabets."""

    rows: int = 0
    new: int = 0
    already: int = 0
    conflicting: int = 0
    rejected: int = 0
    unchanged: int = 0
    skipped: int = 0
    registered: int = 0
    marked: int = 0
    doubted: int = 0
    events: Counter[str] = field(default_factory=Counter)
    year_doubts: list[YearDoubt] = field(default_factory=list)
    rejects: list[RejectedRow] = field(default_factory=list)
    homoglyphs: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """4 where rows were rejected, 1 where some only conflicted, else 0."""
        return REJECTED if self.rejected else FAILED if self.conflicting else OK


class Interrupted(KeyboardInterrupt):
    """An import was broken off. ``tally`` says what is recorded; the same import again goes on from there."""

    def __init__(self, tally: Tally) -> None:
        super().__init__("interrupted")
        self.tally = tally


@dataclass(slots=True)
class Item:
    """A draft on its way, with the row it comes from. ``refused`` is called where it was not recorded,
    ``settled`` with the entry's id where it was. A registration with
    ``refused`` is not written off as a row: the rows that need it are."""

    line: int
    raw: Raw
    draft: Draft
    registers: bool = False
    settled: Callable[[str], None] | None = None
    refused: Callable[[LedgerError], None] | None = None


class Translator(Protocol):
    """Turns the raw rows of one input into drafts."""

    def begin(self, desk: Desk) -> None:
        """Called once, before the first row."""
        ...

    def take(self, rows: Sequence[tuple[int, Raw]], desk: Desk) -> None:
        """Put the drafts of some rows on the desk, and reject what cannot be drafted."""
        ...


class Desk:
    """Where drafts wait for the next append, and where every row's fate is written down."""

    def __init__(self, ledger: Ledger, tally: Tally, *, name: str, actor: str | None, register: bool) -> None:
        self.ledger = ledger
        self.tally = tally
        self.register = register
        self._name = name
        self._actor = actor
        self._directory: Directory | None = None
        self._waiting: list[Item] = []
        self._rejected: list[RejectedRow] = []

    @property
    def directory(self) -> Directory:
        """The registry as recorded; what still waits is not in it."""
        if self._directory is None:
            self._directory = self.ledger.directory()
        return self._directory

    def add(self, item: Item) -> None:
        self._waiting.append(item)

    def flush(self) -> None:
        """Append what waits, in one batch."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        self._directory = None
        receipts = self.ledger.append([item.draft for item in waiting], actor=self._actor, tolerant=True)
        for item, receipt in zip(waiting, receipts, strict=True):
            self._settle(item, receipt)

    def reject(self, line: int, reason: str | LedgerError, row: Any) -> None:
        """Write a row off. A ``Conflict`` is counted as one."""
        if isinstance(reason, Conflict):
            self.tally.conflicting += 1
        else:
            self.tally.rejected += 1
        self._rejected.append(RejectedRow(self._name, line, str(reason), row))

    def rejected(self) -> list[RejectedRow]:
        """What was rejected since last asked, in the order of the file."""
        found, self._rejected = sorted(self._rejected, key=lambda one: one.line), []
        return found

    def _settle(self, item: Item, receipt: Receipt) -> None:
        tally = self.tally
        if receipt.error is not None:
            if item.refused is not None:
                item.refused(receipt.error)
            if item.refused is None or not item.registers:
                self.reject(item.line, receipt.error, item.raw)
            return
        if item.settled is not None:
            item.settled(receipt.entry)
        if receipt.status != "new":
            tally.already += not item.registers
            return
        if item.registers:
            tally.registered += 1
        else:
            tally.new += 1
            tally.events[item.draft.event.TYPE.partition("/")[0]] += 1
            tally.marked += bool(getattr(item.draft.event, "marks", ()))
        for name in _names(item.draft):
            tally.homoglyphs += homoglyphs(name)[: max(0, _KEPT - len(tally.homoglyphs))]
        tally.doubted += len(receipt.warnings)
        tally.year_doubts += receipt.warnings[: max(0, _KEPT - len(tally.year_doubts))]


def _names(draft: Draft) -> tuple[str, ...]:
    """The names a draft registers."""
    if not draft.event.REGISTRY:
        return ()
    return (*getattr(draft.event, "names", ()), *(draft.body.names if draft.body else ()))


def import_file(
    ledger: Ledger,
    records: Iterable[Record],
    translator: Translator,
    *,
    name: str | None = None,
    register: bool = False,
    dry_run: bool = False,
    rejects: TextIO | None = None,
    actor: str | None = None,
    progress: Callable[[Tally], None] | None = None,
    batch: int = 5_000,
) -> Tally:
    """Append what ``translator`` makes of ``records`` and say what became of it.

    ``register`` makes places, sources and parties known that the map describes. ``dry_run`` decides
    everything, later rows seeing what earlier ones would have recorded, and records nothing. Refused rows go
    to ``rejects`` as JSON lines. ``progress`` is called after each batch. Raises ``Interrupted`` (a
    ``KeyboardInterrupt``) with the tally so far, and whatever the store raises.
    """
    tally = Tally()
    store = RehearsalStore(ledger.store) if dry_run else None
    book = Ledger(store, clock=ledger.clock) if store else ledger
    where = name or getattr(records, "name", "-")
    desk = Desk(book, tally, name=str(where), actor=actor, register=register)
    try:
        with garbage.put_off():
            translator.begin(desk)
            desk.flush()
            for rows in _batches(records, batch):
                _take(rows, translator, desk)
                _write_off(desk, rejects)
                garbage.look()
                if progress is not None:
                    progress(tally)
    except KeyboardInterrupt:
        raise Interrupted(tally) from None
    finally:
        if store is not None:
            store.close()
    return tally


def _take(rows: list[Record], translator: Translator, desk: Desk) -> None:
    good: list[tuple[int, Raw]] = []
    for line, raw in rows:
        if isinstance(raw, Reject):
            desk.reject(line, raw.reason, raw.row)
        else:
            good.append((line, raw))
    translator.take(good, desk)
    desk.flush()
    desk.tally.rows += len(rows)


def _write_off(desk: Desk, rejects: TextIO | None) -> None:
    tally = desk.tally
    for one in desk.rejected():
        if len(tally.rejects) < _KEPT:
            tally.rejects.append(one)
        if rejects is not None:
            rejects.write(one.as_json() + "\n")


def _batches(records: Iterable[Record], most: int) -> Iterator[list[Record]]:
    """Runs of records: at most so many, and not much more than eight million characters."""
    rows: list[Record] = []
    weight = 0
    for record in records:
        rows.append(record)
        weight += _weight(record[1])
        if len(rows) >= most or weight >= _BATCH_CHARACTERS:
            yield rows
            rows, weight = [], 0
    if rows:
        yield rows


def _weight(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(_weight, value.values())) + len(value) * 16
    return sum(map(_weight, value)) if isinstance(value, list) else 16
