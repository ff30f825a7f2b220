"""The decisions of one append, made while the write lock is held.

What a batch names must exist, what is already recorded is said so, what contradicts an earlier entry is
refused. Later drafts of a batch see what earlier ones would record.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson

from ledger import codec, events, rules, twins
from ledger.codec import Recorded
from ledger.directory import Directory
from ledger.drafts import Draft, Receipt, Status, stream_of
from ledger.effective import effective
from ledger.errors import Conflict, LedgerError, UnknownName, Unverified
from ledger.integrity.vault import Vault, owner_of
from ledger.store.base import AnyBody, NewRow, SealedBody, StoredRow, Writer

_OTHERWISE = "give a --key to record it as another report, or `claims correct` the entry"


@dataclass(slots=True)
class Prepared:
    """A draft with everything that can be computed outside the lock."""

    event: events.Event
    topic: str
    data: dict[str, Any]
    body: bytes | None
    stream: str
    marks: tuple[int, ...]  # under which a claim's twins of another year are found

    @property
    def name(self) -> str:
        return self.topic.partition("/")[0]


Hidden = Literal["erased", "encrypted"]


@dataclass(slots=True)
class _Seen:
    """One event of a stream as the batch sees it: stored already, or earlier in the batch."""

    position: int
    recorded: Recorded
    body: bytes | None
    #: Why the body cannot be compared: it was erased, or it is encrypted under a key that is not here.
    hidden: Hidden | None


def prepare_all(drafts: Sequence[Draft], *, tolerant: bool) -> list[Prepared | Receipt]:
    """Everything about the drafts that needs no lock. ``tolerant`` turns one that cannot be written into a
    receipt, else its fault is raised."""
    prepared: list[Prepared | Receipt] = []
    for draft in drafts:
        try:
            prepared.append(_prepare(draft))
        except LedgerError as error:
            if not tolerant:
                raise
            prepared.append(Receipt("rejected", draft.event.TYPE, error=error))
    return prepared


def _prepare(draft: Draft) -> Prepared:
    data = codec.author_data(draft.event)
    body = codec.body_bytes(draft.body) if draft.body is not None else None
    if body == b"{}":
        body = None
    stream = stream_of(draft.event, data)
    marks = twins.twin_marks(data) if draft.event.TYPE.startswith("claim-reported/") else ()
    return Prepared(draft.event, draft.event.TYPE, data, body, stream, marks)


@dataclass(slots=True)
class Batch:
    """One append while the lock is held. ``recorded`` is its clock, ``size`` the head it began at; ``opened`` gives a
    body in clear, and ``vault`` encrypts new ones where there is one."""

    writer: Writer
    directory: Directory
    recorded: str
    actor: str | None
    size: int
    salt: Callable[[int], bytes]
    opened: Callable[[AnyBody | None], SealedBody | None]
    vault: Vault | None = None
    rows: list[NewRow] = field(default_factory=list)
    _streams: dict[str, list[_Seen]] = field(default_factory=dict)
    _keys: dict[str, tuple[str, int]] = field(default_factory=dict)
    _marks: dict[int, list[Recorded]] = field(default_factory=dict)
    _stored_keys: dict[str, int] = field(default_factory=dict)
    _stored_marks: dict[int, list[int]] = field(default_factory=dict)

    def take_all(self, prepared: Sequence[Prepared | Receipt], *, tolerant: bool) -> list[Receipt]:
        """Decide on every draft. ``tolerant`` turns a refusal into a receipt, else it is raised."""
        self._look_up([one for one in prepared if isinstance(one, Prepared)])
        receipts = []
        for one in prepared:
            if isinstance(one, Receipt):
                receipts.append(one)
                continue
            try:
                receipts.append(self._take(one))
            except LedgerError as error:
                if not tolerant or isinstance(error, Unverified):
                    raise
                status: Status = "conflict" if isinstance(error, Conflict) else "rejected"
                receipts.append(Receipt(status, one.stream, error=error))
        return receipts

    def _look_up(self, prepared: Sequence[Prepared]) -> None:
        """Find in one go what the store knows of the batch: its own entries, keys and marks. Nobody else writes while the
        lock is held, so that it stays true."""
        keys = {one.event.key for one in prepared if one.event.key is not None}
        self._stored_keys = self.writer.positions_of_keys(list(keys)) if keys else {}
        marks = {mark for one in prepared for mark in one.marks}
        self._stored_marks = self.writer.positions_marked(list(marks)) if marks else {}
        opening = list({one.stream for one in prepared if one.event.OPENS})
        present = self.writer.first_positions(opening)
        for stream in opening:
            if stream not in present:
                self._streams[stream] = []

    def _stream(self, stream: str) -> list[_Seen]:
        seen = self._streams.get(stream)
        if seen is None:
            seen = [self._seen(row) for row in self.writer.stream(stream)]
            self._streams[stream] = seen
        return seen

    def _take(self, one: Prepared) -> Receipt:
        known = self._by_key(one) or self._already(one)
        if known is not None:
            return known
        seen = self._stream(one.stream)
        if not seen and not one.event.OPENS and one.name != "logic-promoted":
            raise UnknownName(f"no entry {one.stream!r}", remedy="`claims log` lists the ids")
        rules.check(one.event, self.directory, self._lookup)
        warnings = self._year_doubts(one)
        recorded = self._write(one, len(seen) + 1)
        return Receipt("new", recorded.entry, recorded.position, warnings)

    def _by_key(self, one: Prepared) -> Receipt | None:
        key = one.event.key
        if key is None:
            return None
        position = self._stored_keys.get(key)
        if position is not None:
            row = self.writer.row(position)
            assert row is not None
            stream = row.stream
            seen = next(s for s in self._stream(stream) if s.position == position)
        elif key in self._keys:
            stream, position = self._keys[key]
            seen = next(s for s in self._stream(stream) if s.position == position)
        else:
            return None
        if seen.recorded.name == one.name and seen.recorded.data == one.data and _same_body(seen, one):
            return _already(seen)
        raise Conflict(
            f"the key {key!r} stands at #{position} with other content",
            remedy=f"`claims show #{position}` shows it; use another key, or correct that entry",
        )

    def _already(self, one: Prepared) -> Receipt | None:
        for seen in self._stream(one.stream):
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

    def _lookup(self, entry: str) -> tuple[str, dict[str, Any]] | None:
        stream = self._stream(entry.partition("@")[0])
        return effective([one.recorded for one in stream], entry)

    def _year_doubts(self, one: Prepared) -> tuple[twins.YearDoubt, ...]:
        doubts = {}
        for mark in one.marks:
            candidates = [self._recorded_at(p) for p in self._stored_marks.get(mark, ())]
            for other in [*candidates, *self._marks.get(mark, ())]:
                effective = self._lookup(other.entry)
                if effective is not None:
                    other.data = effective[1]
                doubt = twins.year_doubt(one.stream, one.data, other)
                if doubt is not None:
                    doubts[other.entry] = doubt
        return tuple(doubts.values())

    def _recorded_at(self, position: int) -> Recorded:
        row = self.writer.row(position)
        if row is None:
            raise Unverified("a mark leads to no event", where=f"#{position}")
        return codec.decode(row)

    def _write(self, one: Prepared, version: int) -> Recorded:
        sealed = SealedBody(self.salt(32), one.body) if one.body is not None else None
        state = codec.encode(
            stream=one.stream,
            version=version,
            topic=one.topic,
            recorded=self.recorded,
            data=one.data,
            actor=self.actor,
            body=codec.commitment(sealed.salt, sealed.text) if sealed else None,
        )
        position = self.size + len(self.rows) + 1
        leaf = orjson.loads(state)
        recorded = Recorded(position, leaf)
        row = new_row(recorded, one.topic, state, self._kept(one, sealed), one.marks)
        self.rows.append(row)
        self._stream(one.stream).append(_Seen(position, recorded, one.body, None))
        if one.event.key is not None:
            self._keys[one.event.key] = (one.stream, position)
        for mark in row.marks:
            self._marks.setdefault(mark, []).append(Recorded(position, leaf))
        if row.registry:
            self.directory.apply(recorded, orjson.loads(one.body) if one.body else {})
        return recorded

    def _kept(self, one: Prepared, sealed: SealedBody | None) -> AnyBody | None:
        """The body as the store keeps it: under the key of whoever said the entry that the stream begins with."""
        if self.vault is None or sealed is None:
            return sealed
        first = self._stream(one.stream)[:1]
        name, data = (first[0].recorded.name, first[0].recorded.data) if first else (one.name, one.data)
        return self.vault.seal(owner_of(name, data), sealed)

    def _seen(self, row: StoredRow) -> _Seen:
        recorded = codec.decode(row)
        stored = self.writer.body(row.position) if recorded.body else None
        sealed = self.opened(stored)
        hidden: Hidden | None = None
        if recorded.body and sealed is None:
            hidden = "erased" if stored is None else "encrypted"
        return _Seen(row.position, recorded, sealed.text if sealed else None, hidden)


def new_row(
    recorded: Recorded,
    topic: str,
    state: bytes,
    body: AnyBody | None,
    twin_marks: tuple[int, ...] | None = None,
) -> NewRow:
    """An event with all that the store keeps beside it, worked out from the event alone. ``twin_marks``: those of
    a claim, where they are known already."""
    registry = events.is_registry(recorded.name, recorded.stream)
    marks = twins.marks_of(recorded.name, recorded.data, twin_marks)
    key = recorded.data.get("key")
    return NewRow(recorded.stream, recorded.version, topic, state, body, key, marks, registry)


def _same_body(seen: _Seen, one: Prepared) -> bool:
    return seen.hidden is not None or seen.body == one.body or _meant(seen.body) == _meant(one.body)


def _meant(body: bytes | None) -> dict[str, Any]:
    """A body without how the normalised fields were written: another spelling is no other content."""
    fields = dict(orjson.loads(body)) if body else {}
    fields.pop("as_written", None)
    return fields


def _already(seen: _Seen) -> Receipt:
    status: dict[Hidden | None, Status] = {
        None: "already",
        "erased": "already-redacted",
        "encrypted": "already-locked",
    }
    return Receipt(status[seen.hidden], seen.recorded.entry, seen.position)


def _differences(seen: _Seen, one: Prepared) -> list[str]:
    mine = {**one.data, **(orjson.loads(one.body) if one.body else {})}
    theirs = {**seen.recorded.data, **(orjson.loads(seen.body) if seen.body else {})}
    return sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
