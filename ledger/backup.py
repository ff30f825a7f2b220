"""A whole ledger as lines of text, and back: the same bytes, positions, leaf hashes and root.

The first line is a header, every other one an event::

    {"schema":"export/1","ledger":…,"size":…,"root":hex}
    {"position":1,"stream":…,"version":1,"topic":…,"leaf":"the stored bytes",
     "salt":base64 or null,"body":"the bytes of the body" or null}
    a body that is encrypted: "salt":null,"body":null,"key":its name,"sealed":base64

Leaf and body are the stored bytes as text, never serialised anew. What the store keeps beside them (hashes,
keys, marks) is not written: it follows from them. Reading trusts nothing: a line that a ledger of ours could
not have held is refused, and nothing named by the data is imported.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import ValidationError

from ledger import codec
from ledger.appending import new_row
from ledger.codec import Recorded
from ledger.errors import BadEvent, Conflict, Unverified
from ledger.events import BY_TYPE, Body
from ledger.integrity.vault import BODIES, ENCRYPTED
from ledger.rules import explain_validation
from ledger.store.base import AnyBody, EncryptedBody, NewRow, SealedBody, Store, StoredRow, Writer
from ledger.text import visible_json

SCHEMA = "export/1"
_AT_ONCE = 2_000
_BYTES_AT_ONCE = 1 << 24
_RECORDED = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_REMEDY = "Nothing was restored; use another copy of the export"


@dataclass(frozen=True, slots=True)
class Header:
    """What an export says of itself in its first line. ``root`` in small hex digits."""

    ledger: str
    size: int
    root: str


def header(store: Store) -> Header:
    """The header of an export made now."""
    head = store.head()
    opening = store.row(1)
    ledger = codec.decode(opening).data.get("ledger") if opening else None
    return Header(str(ledger or ""), head.size, head.root.hex())


def dump(store: Store, first: Header) -> Iterator[bytes]:
    """The lines of an export up to a header, streamed, each with its line end."""
    yield _line({"schema": SCHEMA, "ledger": first.ledger, "size": first.size, "root": first.root})
    bodies = store.bodies(1, first.size)
    body = next(bodies, None)
    for row in store.rows(1, first.size):
        while body is not None and body[0] < row.position:
            body = next(bodies, None)
        stored = body[1] if body is not None and body[0] == row.position else None
        yield _line(
            {
                "position": row.position,
                "stream": row.stream,
                "version": row.version,
                "topic": row.topic,
                "leaf": _text(row.state, row.position),
                **_body_fields(stored, row.position),
            }
        )


def _body_fields(stored: AnyBody | None, position: int) -> dict[str, str | None]:
    match stored:
        case SealedBody(salt, text):
            return {"salt": base64.b64encode(salt).decode(), "body": _text(text, position)}
        case EncryptedBody(key, sealed):
            return {"salt": None, "body": None, "key": key, "sealed": base64.b64encode(sealed).decode()}
    return {"salt": None, "body": None}


def _line(values: dict[str, Any]) -> bytes:
    return visible_json(orjson.dumps(values)) + b"\n"


def _text(stored: bytes, position: int) -> str:
    try:
        return stored.decode()
    except UnicodeDecodeError:
        raise Unverified("the stored bytes are no text", where=f"#{position}") from None


# -- back -----------------------------------------------------------------------------------------------


def load(lines: Iterable[bytes], store: Store, accept: Callable[[Header], None] = lambda _: None) -> Header:
    """Write an export into an empty store, in one transaction, and return its header, which ``accept`` may refuse.

    Raises ``Unverified`` for anything that is not as it was exported, and then leaves the store empty. A body
    may be missing only where ``entry-redacted`` says so, and must be where it does.
    """
    stream = iter(lines)
    found = _header(next(stream, b""))
    with store.writer() as writer:
        if writer.head().size:
            raise Unverified("the store to restore into is not empty")
        loading = _Loading(writer, found)
        while some := _some(stream):
            loading.take(some)
        loading.finish()
        accept(found)
    return found


def _some(stream: Iterator[bytes]) -> list[bytes]:
    """The next lines: at most so many, and not much more than so many bytes of them."""
    some: list[bytes] = []
    weight = 0
    while len(some) < _AT_ONCE and weight < _BYTES_AT_ONCE and (line := next(stream, None)) is not None:
        some.append(line)
        weight += len(line)
    return some


def _header(line: bytes) -> Header:
    values = _object(line, "line 1")
    if str(values.get("schema")).startswith("export-redacted/"):
        raise Unverified(
            "the export was redacted: without its texts it cannot be restored",
            where="line 1",
            remedy="Use one that was made without --redacted",
        )
    if values.get("schema") != SCHEMA:
        raise _broken(f"is no {SCHEMA}: the first line has no such schema", "line 1")
    ledger, size, root = values.get("ledger"), values.get("size"), values.get("root")
    if not (isinstance(ledger, str) and type(size) is int and size > 0 and isinstance(root, str)):
        raise _broken("the header does not name ledger, size and root", "line 1")
    return Header(ledger, size, root)


@dataclass(slots=True)
class _Loading:
    """One restore while the lock is held."""

    writer: Writer
    header: Header
    position: int = 0
    recorded: str = ""
    #: Bodies that are missing so far, entry → position; an ``entry-redacted`` takes its target out.
    missing: dict[str, int] = field(default_factory=dict)
    encrypted: bool = False

    def take(self, lines: list[bytes]) -> None:
        rows: list[NewRow] = []
        redactions: list[tuple[int, str]] = []
        known: set[tuple[str, int]] = set()
        for line in lines:
            self.position += 1
            recorded, row = self._read(line)
            self._check_order(recorded, known)
            known.add((recorded.stream, recorded.version))
            if recorded.body is not None and row.body is None:
                self.missing[recorded.entry] = self.position
            if recorded.name == "entry-redacted":
                redactions.append((self.position, recorded.data["target"]))
            rows.append(row)
            self.encrypted = self.encrypted or isinstance(row.body, EncryptedBody)
        try:
            self.writer.insert(rows, self.recorded)
        except Conflict as error:
            raise _broken(error.what, f"#{self.position - len(rows) + 1} to #{self.position}") from None
        for position, target in redactions:
            self._check_erased(position, target)

    def _read(self, line: bytes) -> tuple[Recorded, NewRow]:
        where = f"#{self.position}"
        values = _object(line, where)
        texts = [values.get(name) for name in ("stream", "topic", "leaf")]
        if values.get("position") != self.position:
            raise _broken(f"position {values.get('position')!r} stands where {where} is due", where)
        if not all(isinstance(text, str) for text in texts) or type(values.get("version")) is not int:
            raise _broken("stream, version, topic or leaf is missing", where)
        try:
            state = values["leaf"].encode()
        except UnicodeEncodeError:
            raise _broken("the leaf is no text", where) from None
        stored = StoredRow(self.position, values["stream"], values["version"], values["topic"], state, b"")
        recorded = event_of(stored)
        return recorded, new_row(recorded, stored.topic, state, _sealed(values, recorded))

    def _check_order(self, recorded: Recorded, known: set[tuple[str, int]]) -> None:
        where = f"#{recorded.position}"
        if recorded.recorded < self.recorded:
            raise _broken("it was recorded before the event ahead of it", where)
        self.recorded = recorded.recorded
        if recorded.position == 1 and recorded.data.get("ledger") != self.header.ledger:
            raise _broken(f"it does not open the ledger {self.header.ledger!r}", where)
        before = recorded.version - 1
        if not before or (recorded.stream, before) in known:
            return
        if not any(row.version == before for row in self.writer.stream(recorded.stream)):
            raise _broken(f"version {before} of {recorded.stream} is missing before it", where)

    def _check_erased(self, position: int, target: str) -> None:
        """A redaction promised that the body is gone, so it must not come back."""
        if self.missing.pop(target, None) is not None:
            return
        stream, _, version = target.partition("@")
        wanted = int(version or 1)
        for row in self.writer.stream(stream):
            if row.version == wanted and self.writer.body(row.position) is not None:
                raise _broken(f"its body was erased by #{position}, yet here it is", f"#{row.position}")

    def finish(self) -> None:
        """Compare with what the header promised."""
        for entry, position in self.missing.items():
            raise _broken(
                f"the body of {entry} is missing, and nothing says that it was erased", f"#{position}"
            )
        if self.position != self.header.size:
            raise _broken(f"{self.position} events where the header counts {self.header.size}", "the end")
        if self.encrypted:  # what comes after is encrypted as well
            self.writer.remember(BODIES, ENCRYPTED)
        root = self.writer.head().root.hex()
        if root != self.header.root:
            raise _broken(f"the root is {root}, the header says {self.header.root}", "the end")


def event_of(row: StoredRow) -> Recorded:
    """The event of a leaf. Raises ``Unverified`` for one that this program could not have written."""
    where = f"#{row.position}"
    if len(row.state) > codec.MAX_LEAF:
        raise _broken(f"the leaf takes more than {codec.MAX_LEAF:,} bytes", where)
    recorded = codec.decode(row)
    model = BY_TYPE.get(recorded.type)
    if model is None:
        raise Unverified(f"no event type {recorded.type!r}", where=where, remedy="Use a newer claim-ledger")
    try:
        canonical = codec.canonical(orjson.loads(row.state)) == row.state
        model.model_validate(recorded.data)
    except (BadEvent, RecursionError, orjson.JSONDecodeError) as error:
        raise _broken(f"the leaf has no canonical form ({error})", where) from None
    except ValidationError as error:
        raise _broken(f"{recorded.name}: {explain_validation(error)}", where) from None
    if not canonical or not _stamped(recorded):
        raise _broken("the leaf is not in its one canonical form", where)
    return recorded


def _stamped(recorded: Recorded) -> bool:
    """Whether the fields of the stamp are as they are written."""
    return (
        recorded.version >= 1
        and isinstance(recorded.recorded, str)
        and _RECORDED.fullmatch(recorded.recorded) is not None
        and isinstance(recorded.actor, str | None)
        and isinstance(recorded.body, str | None)
    )


def _sealed(values: dict[str, Any], recorded: Recorded) -> AnyBody | None:
    where = f"#{recorded.position}"
    if "sealed" in values:
        return _encrypted(values, recorded)
    salt, text = values.get("salt"), values.get("body")
    if salt is None and text is None:
        return None
    if not (isinstance(salt, str) and isinstance(text, str)):
        raise _broken("of salt and body one is missing", where)
    try:
        sealed = SealedBody(base64.b64decode(salt, validate=True), text.encode())
    except ValueError:
        raise _broken("salt or body is damaged", where) from None
    if recorded.body is None:
        raise _broken("it has a body that its leaf does not know of", where)
    if codec.commitment(sealed.salt, sealed.text) != recorded.body:
        raise _broken("the body is not the one its leaf commits to", where)
    try:
        Body.model_validate(orjson.loads(sealed.text))
    except (orjson.JSONDecodeError, ValidationError):
        raise _broken("the body has other fields than a body has", where) from None
    return sealed


def _encrypted(values: dict[str, Any], recorded: Recorded) -> EncryptedBody:
    """An encrypted body is taken as it is: without its key nobody can compare it with its leaf."""
    where = f"#{recorded.position}"
    key, text = values.get("key"), values["sealed"]
    if not (isinstance(key, str) and isinstance(text, str)) or recorded.body is None:
        raise _broken("it has an encrypted body that names no key, or that its leaf does not know of", where)
    try:
        return EncryptedBody(key, base64.b64decode(text, validate=True))
    except ValueError:
        raise _broken("the encrypted body is damaged", where) from None


def _object(line: bytes, where: str) -> dict[str, Any]:
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError:
        values = None
    if not isinstance(values, dict):
        raise _broken("the line is no JSON object, or was cut off", where)
    return values


def _broken(what: str, where: str) -> Unverified:
    return Unverified(what, where=where, remedy=_REMEDY)


__all__ = ["SCHEMA", "Header", "dump", "event_of", "header", "load"]
