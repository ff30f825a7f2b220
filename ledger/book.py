"""The ledger: append, read, resolve. Everything that writes goes through ``Ledger.append``.

An append is decided inside the write lock (``ledger.appending``), and ``recorded`` never goes back. The clock and
the source of salts are injected, so that nothing in here depends on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from ledger import codec
from ledger.clocks import utc_text
from ledger.codec import Recorded
from ledger.directory import Directory
from ledger.drafts import Draft, Receipt, Status, entry_id
from ledger.effective import effective
from ledger.errors import AmbiguousName, Conflict, UnknownName
from ledger.settings import lock_timeout
from ledger.store.base import SealedBody, Store, StoredRow, Writer

if TYPE_CHECKING:
    from ledger.appending import Prepared

__all__ = ["Draft", "Ledger", "Receipt", "Status", "entry_id", "now", "random_bytes"]


def now() -> datetime:
    """The machine's clock, used where none is injected."""
    return datetime.now(UTC)


def random_bytes(count: int) -> bytes:
    """The machine's randomness, used where no source of salts is injected."""
    return os.urandom(count)


class Ledger:
    """A ledger over a store. Use ``Ledger.open`` or ``Ledger.create``; close it, or use it as a context."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], datetime] | None = None,
        salt: Callable[[int], bytes] | None = None,
    ) -> None:
        self.store = store
        self.clock = clock or now
        self._salt = salt or random_bytes
        self._directory: Directory | None = None

    @classmethod
    def open(cls, path: str | Path, *, readonly: bool = False, **injected: Any) -> Ledger:
        """Open what is there; never creates. Raises ``NoLedger``."""
        from ledger.store.sqlite import SqliteStore

        return cls(SqliteStore.open(Path(path), readonly=readonly, timeout=lock_timeout()), **injected)

    @classmethod
    def create(
        cls, path: str | Path, *, ledger: str | None = None, title: str | None = None, **injected: Any
    ) -> Ledger:
        """Make a new file and record ``ledger-opened``. ``ledger`` defaults to a random id."""
        from ledger.store.sqlite import SqliteStore

        salt = injected.get("salt", os.urandom)
        name = ledger or f"ledger-{salt(16).hex()}"
        opening = Draft.of("ledger-opened", {"ledger": name, "title": title})  # before there is a file
        book = cls(SqliteStore.create(Path(path), timeout=lock_timeout()), **injected)
        book.append([opening])
        return book

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.store.close()

    # -- reading -----------------------------------------------------------------------------------

    def events(self, start: int = 1, stop: int | None = None) -> Iterator[Recorded]:
        """Decoded events from ``start`` to ``stop`` inclusive, streamed."""
        return map(codec.decode, self.store.rows(start, stop))

    def event(self, position: int) -> Recorded | None:
        row = self.store.row(position)
        return codec.decode(row) if row else None

    def history(self, entry: str) -> list[Recorded]:
        """An entry and what befell it, in order. ``entry`` may be an unambiguous beginning of an id, or
        ``#N``. Raises ``UnknownName``."""
        return [codec.decode(row) for row in self.store.stream(self.find(entry).partition("@")[0])]

    def find(self, text: str) -> str:
        """The full entry id for an id, an abbreviated id (6 characters or more) or ``#N``."""
        if text.startswith("#") and _is_number(text[1:]):
            found = self.event(int(text[1:]))
            if found is None:
                raise UnknownName(f"no event {text}", remedy=f"the last one is #{self.store.head().size}")
            return found.entry
        base, _, version = text.partition("@")
        rows = self.store.stream(base)
        if not rows:
            base = self._abbreviated(base)
            rows = self.store.stream(base)
        if version and not (_is_number(version) and 1 <= int(version) <= len(rows)):
            raise UnknownName(f"no entry {text!r}", remedy=f"the versions of {base} are 1 to {len(rows)}")
        return f"{base}@{version}" if version and version != "1" else base

    def _abbreviated(self, beginning: str) -> str:
        matches = self.store.find_streams(beginning, limit=4) if len(beginning) >= 6 else []
        if len(matches) == 1:
            return matches[0]
        if not matches:
            raise UnknownName(f"no entry {beginning!r}", remedy="`claims log` lists the ids")
        raise AmbiguousName(
            f"{beginning!r} begins several ids: {', '.join(matches)}", remedy="give more of it"
        )

    def body(self, position: int) -> dict[str, Any]:
        """The body of an event as plain values; ``{}`` where it has none or it was erased."""
        sealed = self.store.body(position)
        return dict(orjson.loads(sealed.text)) if sealed else {}

    def effective(self, entry: str) -> tuple[str, dict[str, Any]] | None:
        """(event name, author fields after corrections) of an entry id; None where there is none."""
        stream = [codec.decode(row) for row in self.store.stream(entry.partition("@")[0])]
        return effective(stream, entry)

    def directory(self, at: int | None = None) -> Directory:
        """The registry as of the head, or as of an earlier position."""
        if at is not None:
            return Directory.fold(
                pair for pair in map(_registry_pair, self.store.registry_rows()) if pair[0].position <= at
            )
        directory = self._directory or Directory()
        for recorded, body in map(_registry_pair, self.store.registry_rows(directory.position)):
            directory.apply(recorded, body)
        self._directory = directory
        return directory

    # -- appending ---------------------------------------------------------------------------------

    def append(
        self,
        drafts: Sequence[Draft],
        *,
        expected: int | None = None,
        actor: str | None = None,
        dry_run: bool = False,
        tolerant: bool = False,
    ) -> list[Receipt]:
        """Record a batch, whole or not at all, and say what became of each draft.

        ``expected`` is the position the head must have (``Conflict`` otherwise). ``tolerant`` turns the
        refusal of one draft into a receipt with status ``conflict`` or ``rejected`` and records the rest.
        ``dry_run`` decides everything and records nothing.
        """
        from ledger.appending import prepare_all  # with the models, which reading does without

        prepared = prepare_all(drafts, tolerant=tolerant)
        try:
            with self.store.writer() as writer:
                receipts = self._decide(writer, prepared, expected, actor, tolerant)
                if dry_run:
                    raise _DryRun
        except _DryRun:
            self._directory = None
        except BaseException:
            self._directory = None
            raise
        return receipts

    def _decide(
        self,
        writer: Writer,
        prepared: Sequence[Prepared | Receipt],
        expected: int | None,
        actor: str | None,
        tolerant: bool,
    ) -> list[Receipt]:
        from ledger.appending import Batch

        head = writer.head()
        if expected is not None and head.size != expected:
            raise Conflict(
                f"the ledger stands at #{head.size}, not at #{expected}",
                remedy="look at what was added (`claims log`) and append again",
            )
        # A clock set back never takes the ledger back with it.
        recorded = max(utc_text(self.clock()), head.recorded or "")
        batch = Batch(writer, self.directory(), recorded, actor, head.size, self._salt)
        receipts = batch.take_all(prepared, tolerant=tolerant)
        if batch.rows:
            writer.insert(batch.rows, batch.recorded)
        return receipts


class _DryRun(Exception):
    pass


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _registry_pair(pair: tuple[StoredRow, SealedBody | None]) -> tuple[Recorded, dict[str, Any]]:
    row, sealed = pair
    return codec.decode(row), orjson.loads(sealed.text) if sealed else {}
