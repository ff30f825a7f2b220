"""The ledger: append, read, resolve. Everything that writes goes through ``Ledger.append``.

An append is decided inside the write lock: what the batch names must exist, what is already recorded is
said so, what contradicts an earlier entry is refused, and ``recorded`` never goes back. The clock and the
source of salts are injected, so that nothing in here depends on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import ValidationError

from ledger import codec, events, rules, twins
from ledger.clocks import utc_text
from ledger.codec import Recorded
from ledger.directory import Directory
from ledger.errors import BadEvent, Conflict, LedgerError, UnknownName, Unverified
from ledger.store.base import NewRow, Reader, SealedBody, Store, StoredRow, Writer

Status = Literal["new", "already", "already-redacted", "conflict", "rejected"]

#: Streams of events that have neither an author's id nor a derived one.
_FIXED_STREAMS = {"ledger-opened": "ledger", "logic-promoted": "logic"}
_NAMED_STREAMS = {"question-opened": "question", "party-named": "party"}
_OTHERWISE = "give a --key to record it as another report, or `claims correct` the entry"


@dataclass(frozen=True, slots=True)
class Draft:
    """An event about to be appended, with the text that goes into its erasable body."""

    event: events.Event
    body: events.Body | None = None

    @classmethod
    def of(cls, name: str, data: dict[str, Any], body: dict[str, Any] | None = None) -> Draft:
        """Build from plain values. Raises ``BadEvent`` with all that does not fit, in one line."""
        model = events.BY_NAME.get(name.partition("/")[0])
        if model is None or ("/" in name and name != model.TYPE):
            raise BadEvent(f"no event type {name!r}", remedy=f"Types: {', '.join(events.BY_NAME)}")
        try:
            event = model.model_validate(data)
            return cls(event, events.Body.model_validate(body) if body else None)
        except ValidationError as error:
            raise BadEvent(f"{name}: {rules.explain_validation(error)}") from None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one draft. ``position`` and ``entry`` are where it stands (or would stand)."""

    status: Status
    entry: str
    position: int | None = None
    warnings: tuple[twins.YearDoubt, ...] = ()
    error: LedgerError | None = None

    @property
    def words(self) -> str:
        """One line for people."""
        if self.status == "new":
            return f"recorded as #{self.position} {self.entry}"
        if self.status == "already":
            return f"already recorded at #{self.position} {self.entry}"
        if self.status == "already-redacted":
            return f"already recorded (redacted) at #{self.position} {self.entry}"
        return str(self.error)


@dataclass(slots=True)
class _Prepared:
    """A draft with everything that can be computed outside the lock."""

    event: events.Event
    topic: str
    data: dict[str, Any]
    body: bytes | None
    stream: str

    @property
    def name(self) -> str:
        return self.topic.partition("/")[0]


@dataclass(slots=True)
class _Seen:
    """One event of a stream as the batch sees it: stored already, or earlier in the batch."""

    position: int
    recorded: Recorded
    body: bytes | None
    erased: bool


@dataclass(slots=True)
class _Batch:
    """The state of one append while the lock is held."""

    writer: Writer
    directory: Directory
    recorded: str
    actor: str | None
    size: int
    rows: list[NewRow] = field(default_factory=list)
    streams: dict[str, list[_Seen]] = field(default_factory=dict)
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    marks: dict[int, list[Recorded]] = field(default_factory=dict)


class _DryRun(Exception):
    pass


def now() -> datetime:
    """The machine's clock, used where none is injected."""
    return datetime.now(UTC)


def random_bytes(count: int) -> bytes:
    """The machine's randomness, used where no source of salts is injected."""
    return os.urandom(count)


def entry_id(event: events.Event) -> str:
    """The id under which an opening event will stand; for others, the stream they befall."""
    return _stream_of(event, codec.author_data(event))


def _stream_of(event: events.Event, data: dict[str, Any]) -> str:
    name = event.TYPE.partition("/")[0]
    if event.PREFIX is not None:
        return codec.derived_id(event.PREFIX, event.TYPE, data)
    if name in _FIXED_STREAMS:
        return _FIXED_STREAMS[name]
    if name in _NAMED_STREAMS:
        kind = _NAMED_STREAMS[name]
        return f"{kind}:{data[kind]}"
    if "target" in data:
        return str(data["target"]).partition("@")[0]
    kind = "place" if name.startswith("place") else "source"
    return f"{kind}:{data[kind]}"


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

        return cls(SqliteStore.open(Path(path), readonly=readonly), **injected)

    @classmethod
    def create(
        cls, path: str | Path, *, ledger: str | None = None, title: str | None = None, **injected: Any
    ) -> Ledger:
        """Make a new file and record ``ledger-opened``. ``ledger`` defaults to a random id."""
        from ledger.store.sqlite import SqliteStore

        salt = injected.get("salt", os.urandom)
        name = ledger or f"ledger-{salt(16).hex()}"
        opening = Draft.of("ledger-opened", {"ledger": name, "title": title})  # before there is a file
        book = cls(SqliteStore.create(Path(path)), **injected)
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
        from ledger.errors import AmbiguousName

        raise AmbiguousName(
            f"{beginning!r} begins several ids: {', '.join(matches)}", remedy="give more of it"
        )

    def body(self, position: int) -> dict[str, Any]:
        """The body of an event as plain values; ``{}`` where it has none or it was erased."""
        sealed = self.store.body(position)
        return dict(orjson.loads(sealed.text)) if sealed else {}

    def effective(self, entry: str) -> tuple[str, dict[str, Any]] | None:
        """(event name, author fields after corrections) of an entry id; None where there is none."""
        return _effective(self.store, entry)

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
        prepared = [self._prepare(draft) for draft in drafts]
        try:
            with self.store.writer() as writer:
                receipts = self._append(writer, prepared, expected, actor, tolerant)
                if dry_run:
                    raise _DryRun
        except _DryRun:
            self._directory = None
        except BaseException:
            self._directory = None
            raise
        return receipts

    def _prepare(self, draft: Draft) -> _Prepared:
        data = codec.author_data(draft.event)
        body = codec.body_bytes(draft.body) if draft.body is not None else None
        if body == b"{}":
            body = None
        return _Prepared(draft.event, draft.event.TYPE, data, body, _stream_of(draft.event, data))

    def _append(
        self,
        writer: Writer,
        prepared: Sequence[_Prepared],
        expected: int | None,
        actor: str | None,
        tolerant: bool,
    ) -> list[Receipt]:
        head = writer.head()
        if expected is not None and head.size != expected:
            raise Conflict(
                f"the ledger stands at #{head.size}, not at #{expected}",
                remedy="look at what was added (`claims log`) and append again",
            )
        moment = utc_text(self.clock())
        batch = _Batch(
            writer, self.directory(), max(moment, head.recorded or moment), actor, head.size
        )  # a clock set back never takes the ledger back with it
        self._load_streams(batch, prepared)
        receipts = []
        for one in prepared:
            try:
                receipts.append(self._take(batch, one))
            except LedgerError as error:
                if not tolerant or isinstance(error, Unverified):
                    raise
                status: Status = "conflict" if isinstance(error, Conflict) else "rejected"
                receipts.append(Receipt(status, one.stream, error=error))
        if batch.rows:
            writer.insert(batch.rows, batch.recorded)
        return receipts

    def _load_streams(self, batch: _Batch, prepared: Sequence[_Prepared]) -> None:
        """Look up in one go which of the batch's own entries exist already."""
        opening = list({one.stream for one in prepared if one.event.OPENS})
        present = batch.writer.first_positions(opening)
        for stream in opening:
            if stream not in present:
                batch.streams[stream] = []

    def _stream(self, batch: _Batch, stream: str) -> list[_Seen]:
        seen = batch.streams.get(stream)
        if seen is None:
            seen = [_seen(batch.writer, row) for row in batch.writer.stream(stream)]
            batch.streams[stream] = seen
        return seen

    def _take(self, batch: _Batch, one: _Prepared) -> Receipt:
        known = self._by_key(batch, one) or self._already(batch, one)
        if known is not None:
            return known
        seen = self._stream(batch, one.stream)
        if not seen and not one.event.OPENS and one.name != "logic-promoted":
            raise UnknownName(f"no entry {one.stream!r}", remedy="`claims log` lists the ids")
        rules.check(one.event, batch.directory, lambda entry: self._lookup(batch, entry))
        warnings = self._year_doubts(batch, one) if one.name == "claim-reported" else ()
        recorded = self._write(batch, one, len(seen) + 1)
        return Receipt("new", recorded.entry, recorded.position, warnings)

    def _by_key(self, batch: _Batch, one: _Prepared) -> Receipt | None:
        key = one.event.key
        if key is None:
            return None
        position = batch.writer.position_of_key(key)
        if position is not None:
            row = batch.writer.row(position)
            assert row is not None
            stream = row.stream
            seen = next(s for s in self._stream(batch, stream) if s.position == position)
        elif key in batch.keys:
            stream, position = batch.keys[key]
            seen = next(s for s in self._stream(batch, stream) if s.position == position)
        else:
            return None
        if seen.recorded.name == one.name and seen.recorded.data == one.data and _same_body(seen, one):
            return _already(seen)
        raise Conflict(
            f"the key {key!r} stands at #{position} with other content",
            remedy=f"`claims show #{position}` shows it; use another key, or correct that entry",
        )

    def _already(self, batch: _Batch, one: _Prepared) -> Receipt | None:
        for seen in self._stream(batch, one.stream):
            if seen.recorded.name != one.name:
                continue
            if seen.recorded.data == one.data and _same_body(seen, one):
                return _already(seen)
            if seen.recorded.version == 1 and one.event.OPENS:
                raise Conflict(
                    f"{one.stream} is recorded at #{seen.position} with other content"
                    f" ({', '.join(_differences(seen, one))})",
                    remedy=_OTHERWISE if one.event.PREFIX else f"`claims correct {one.stream}` to change it",
                )
        return None

    def _lookup(self, batch: _Batch, entry: str) -> tuple[str, dict[str, Any]] | None:
        base, _, version = entry.partition("@")
        seen = self._stream(batch, base)
        index = int(version) if version else 1
        if index > len(seen):
            return None
        return _effective_of([one.recorded for one in seen], entry, index)

    def _year_doubts(self, batch: _Batch, one: _Prepared) -> tuple[twins.YearDoubt, ...]:
        doubts = {}
        for mark in twins.twin_marks(one.data):
            candidates = [self._recorded_at(batch, p) for p in batch.writer.marked(mark)]
            for other in [*candidates, *batch.marks.get(mark, ())]:
                effective = self._lookup(batch, other.entry)
                if effective is not None:
                    other.data = effective[1]
                doubt = twins.year_doubt(one.stream, one.data, other)
                if doubt is not None:
                    doubts[other.entry] = doubt
        return tuple(doubts.values())

    def _recorded_at(self, batch: _Batch, position: int) -> Recorded:
        row = batch.writer.row(position)
        if row is None:
            raise Unverified("a mark leads to no event", where=f"#{position}")
        return codec.decode(row)

    def _write(self, batch: _Batch, one: _Prepared, version: int) -> Recorded:
        sealed = SealedBody(self._salt(32), one.body) if one.body is not None else None
        state = codec.encode(
            stream=one.stream,
            version=version,
            topic=one.topic,
            recorded=batch.recorded,
            data=one.data,
            actor=batch.actor,
            body=codec.commitment(sealed.salt, sealed.text) if sealed else None,
        )
        position = batch.size + len(batch.rows) + 1
        recorded = Recorded(position, orjson.loads(state))
        row = new_row(recorded, one.topic, state, sealed)
        batch.rows.append(row)
        self._stream(batch, one.stream).append(_Seen(position, recorded, one.body, False))
        if one.event.key is not None:
            batch.keys[one.event.key] = (one.stream, position)
        for mark in row.marks:
            batch.marks.setdefault(mark, []).append(Recorded(position, orjson.loads(state)))
        if row.registry:
            batch.directory.apply(recorded, orjson.loads(one.body) if one.body else {})
        return recorded


_REGISTERED = ("place", "source", "party", "question", "ledger")


def new_row(recorded: Recorded, topic: str, state: bytes, body: SealedBody | None) -> NewRow:
    """An event with all that the store keeps beside it, worked out from the event alone."""
    registry = events.BY_NAME[recorded.name].REGISTRY or (
        recorded.name in ("entry-corrected", "entry-redacted")
        and recorded.stream.partition(":")[0] in _REGISTERED
    )
    marks = twins.marks_of(recorded.name, recorded.data)
    key = recorded.data.get("key")
    return NewRow(recorded.stream, recorded.version, topic, state, body, key, marks, registry)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal()


def _registry_pair(pair: tuple[StoredRow, SealedBody | None]) -> tuple[Recorded, dict[str, Any]]:
    row, sealed = pair
    return codec.decode(row), orjson.loads(sealed.text) if sealed else {}


def _seen(reader: Reader, row: StoredRow) -> _Seen:
    recorded = codec.decode(row)
    sealed = reader.body(row.position) if recorded.body else None
    return _Seen(
        row.position, recorded, sealed.text if sealed else None, bool(recorded.body) and sealed is None
    )


def _same_body(seen: _Seen, one: _Prepared) -> bool:
    return seen.erased or seen.body == one.body or _meant(seen.body) == _meant(one.body)


def _meant(body: bytes | None) -> dict[str, Any]:
    """A body without how the normalised fields were written: another spelling is no other content."""
    fields = dict(orjson.loads(body)) if body else {}
    fields.pop("as_written", None)
    return fields


def _already(seen: _Seen) -> Receipt:
    return Receipt("already-redacted" if seen.erased else "already", seen.recorded.entry, seen.position)


def _differences(seen: _Seen, one: _Prepared) -> list[str]:
    mine = {**one.data, **(orjson.loads(one.body) if one.body else {})}
    theirs = {**seen.recorded.data, **(orjson.loads(seen.body) if seen.body else {})}
    return sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))


def _effective(reader: Reader, entry: str) -> tuple[str, dict[str, Any]] | None:
    base, _, version = entry.partition("@")
    stream = [codec.decode(row) for row in reader.stream(base)]
    index = int(version) if version else 1
    return _effective_of(stream, entry, index) if index <= len(stream) else None


def _effective_of(stream: Sequence[Recorded], entry: str, index: int) -> tuple[str, dict[str, Any]]:
    target = stream[index - 1]
    data = target.data
    for later in stream[index:]:
        if later.name == "entry-corrected" and later.data["target"] == entry:
            data = rules.apply_changes(data, later.data.get("changes", {}))
    return target.name, data
