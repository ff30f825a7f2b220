"""The ledger: append, read, resolve. Everything that writes goes through ``Ledger.append``.

An append is decided inside the write lock (``ledger.appending``), and ``recorded`` never goes back. Where the ledger is
signed, it returns only when a checkpoint of the new head is on the disk (``ledger.integrity.notary``). The clock and the
source of salts are injected, so that nothing in here depends on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from ledger import codec
from ledger.clocks import utc_text
from ledger.codec import Recorded
from ledger.directory import Directory
from ledger.drafts import Draft, Receipt, Status, entry_id
from ledger.effective import effective
from ledger.errors import AmbiguousName, Conflict, LedgerError, UnknownName
from ledger.garbage import put_off
from ledger.places import Location, location
from ledger.store.base import AnyBody, EncryptedBody, SealedBody, Store, StoredRow, Writer

if TYPE_CHECKING:
    from ledger.appending import Prepared
    from ledger.integrity.notary import Notary
    from ledger.integrity.vault import Vault

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
        notary: Notary | None = None,
    ) -> None:
        self.store = store
        self.clock = clock or now
        self.notary = notary
        self._salt = salt or random_bytes
        self._directory: Directory | None = None
        self._whole_at: int | None = None  # the size of the ledger at which the directory was whole
        self._vault: Vault | None = None
        self._encrypts: bool | None = None  # settled when the ledger is made

    @classmethod
    def open(cls, path: str | Location, *, readonly: bool = False, **injected: Any) -> Ledger:
        """Open what is there, a file or ``postgresql://…``; never creates. Raises ``NoLedger``, and ``Unverified``
        where what is there says that it is not signed and has checkpoints all the same."""
        from ledger.store.door import open_store

        place = location(path)
        store = open_store(place, readonly=readonly)
        if readonly:
            return cls(store, **injected)
        from ledger.integrity.notary import Notary, refuse_sealed

        try:
            refuse_sealed(store, place)
            return cls(store, notary=Notary.of(store, place), **injected)
        except BaseException:
            store.close()
            raise

    @classmethod
    def create(
        cls,
        path: str | Location,
        *,
        ledger: str | None = None,
        title: str | None = None,
        signed: bool = True,
        encrypted: bool = False,
        **injected: Any,
    ) -> Ledger:
        """Make a new file, or the tables on a server, and record ``ledger-opened``. ``ledger`` defaults to a random id.

        ``signed`` makes a key, in the folder of keys (``ledger.integrity.keys``), and a checkpoint after every append;
        without it nothing shows later that the file was changed. ``encrypted`` keeps every body under a key of its
        source's. Raises ``LedgerError`` where something is in the way, ``WriteFailed`` where it cannot be written.
        """
        from ledger.integrity import notary, vault
        from ledger.integrity.journal import Journal
        from ledger.store import door

        place = location(path)
        salt = injected.get("salt", os.urandom)
        name = ledger or f"ledger-{salt(16).hex()}"
        opening = Draft.of("ledger-opened", {"ledger": name, "title": title})  # before there is a file
        left = Journal(place)
        if left.exists() and not door.exists(place):
            raise LedgerError(
                "there are checkpoints of another ledger here",
                where=str(left.path),
                remedy="Choose another path, or move them out of the way",
            )
        book = cls(door.empty_store(place), **injected)
        try:
            made = notary.make(place, name) if signed else None

            def settle(writer: Writer) -> None:
                """In the opening's own transaction: no ledger is ever open and not yet what it should be."""
                if made is not None:
                    made.sign_from_here(writer)
                if encrypted:
                    writer.remember(vault.BODIES, vault.ENCRYPTED)

            book.append([opening], within=settle)
            if made is None:
                notary.forget(place)
            else:
                made.acknowledge(book.store)
                book.notary = made
        except BaseException:  # nothing was acknowledged yet, and half a ledger would be in the way
            book.close()
            door.discard(place, name)
            with suppress(OSError):
                left.path.unlink()
            raise
        return book

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.store.close()
        if self.notary is not None:
            self.notary.close()

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
        """The body of an event as plain values; ``{}`` where it has none, it was erased, or its key is not here."""
        sealed = self.opened(self.store.body(position))
        return dict(orjson.loads(sealed.text)) if sealed else {}

    def opened(self, body: AnyBody | None) -> SealedBody | None:
        """A body in clear; None where there is none, or where it is encrypted under a key that is not here."""
        if not isinstance(body, EncryptedBody):
            return body
        return self.vault.open(body)

    @property
    def vault(self) -> Vault:
        """The keys of encrypted bodies."""
        if self._vault is None:
            from ledger.integrity.vault import Vault

            opening = self.event(1)
            self._vault = Vault(str(opening.data.get("ledger")) if opening else "", self._salt)
        return self._vault

    @property
    def encrypts(self) -> bool:
        """Whether new bodies are encrypted."""
        if self._encrypts is None:
            from ledger.integrity.vault import BODIES, ENCRYPTED

            self._encrypts = self.store.setting(BODIES) == ENCRYPTED
        return self._encrypts

    def effective(self, entry: str) -> tuple[str, dict[str, Any]] | None:
        """(event name, author fields after corrections) of an entry id; None where there is none."""
        stream = [codec.decode(row) for row in self.store.stream(entry.partition("@")[0])]
        return effective(stream, entry)

    def directory(self, at: int | None = None) -> Directory:
        """The registry as of the head, or as of an earlier position."""
        if at is not None:
            return Directory.fold(
                pair
                for pair in map(self._registry_pair, self.store.registry_rows())
                if pair[0].position <= at
            )
        directory = self._directory or Directory()
        for recorded, body in map(self._registry_pair, self.store.registry_rows(directory.position)):
            directory.apply(recorded, body)
        self._directory = directory
        return directory

    def registry(self) -> Iterator[tuple[Recorded, bytes, dict[str, Any]]]:
        """The events of which a directory is folded: each decoded, its leaf, and its body in clear."""
        for row, body in self.store.registry_rows():
            recorded, values = self._registry_pair((row, body))
            yield recorded, row.state, values

    def _registry_pair(self, pair: tuple[StoredRow, AnyBody | None]) -> tuple[Recorded, dict[str, Any]]:
        row, body = pair
        sealed = self.opened(body)
        return codec.decode(row), orjson.loads(sealed.text) if sealed else {}

    # -- appending ---------------------------------------------------------------------------------

    @put_off()
    def append(
        self,
        drafts: Sequence[Draft],
        *,
        expected: int | None = None,
        actor: str | None = None,
        dry_run: bool = False,
        tolerant: bool = False,
        within: Callable[[Writer], None] | None = None,
    ) -> list[Receipt]:
        """Record a batch, whole or not at all, and say what became of each draft.

        ``expected`` is the position the head must have (``Conflict`` otherwise). ``tolerant`` turns the
        refusal of one draft into a receipt with status ``conflict`` or ``rejected`` and records the rest.
        ``within`` is called in the same transaction, after the batch was written.
        ``dry_run`` decides everything and records nothing. Raises ``Unverified`` where the record no longer holds what
        it is known to have held.
        """
        from ledger.appending import prepare_all  # with the models, which reading does without

        prepared = prepare_all(drafts, tolerant=tolerant)
        try:
            with self.store.writer() as writer:
                if self.notary is not None:
                    self.notary.check(writer)
                receipts = self._decide(
                    writer, prepared, expected, actor, tolerant, last=within is None and not dry_run
                )
                if dry_run:
                    raise _DryRun
                if within is not None:
                    within(writer)
                head = writer.head() if self.notary is not None else None
        except _DryRun:
            self._directory = self._whole_at = None
        except BaseException:
            self._directory = self._whole_at = None
            raise
        else:
            if self.notary is not None:
                self.notary.acknowledge(self.store, head)
        return receipts

    def _decide(
        self,
        writer: Writer,
        prepared: Sequence[Prepared | Receipt],
        expected: int | None,
        actor: str | None,
        tolerant: bool,
        *,
        last: bool,
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
        vault = self.vault if head.size and self.encrypts else None
        if vault is not None:
            vault.refresh()  # keys are renewed inside the lock only, so that what is found now holds for the batch
        known = self._directory if self._whole_at == head.size else None
        directory = self.directory() if known is None else known
        batch = Batch(writer, directory, recorded, actor, head.size, self._salt, self.opened, vault)
        receipts = batch.take_all(prepared, tolerant=tolerant)
        if batch.rows:
            writer.insert(batch.rows, batch.recorded, last=last)
        self._whole_at = head.size + len(batch.rows)  # what the batch registers is in it
        return receipts


class _DryRun(Exception):
    pass


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()
