"""Erasing the text of an entry: what hangs on it, and how it is done so that no byte is left.

What is erased is the *body*: quote, note, title, address, names, the words as written. The envelope that belief needs
stays, and so does the proof: a leaf holds a salted hash of the body, and without salt and body that hash says nothing.

In one transaction ``entry-redacted`` is appended, body and salt are deleted, and where bodies are encrypted what else
was under the same key is sealed under a new one. After it the old key is thrown away, so that copies and backups lose
the text as well, and the file is rewritten. Each step can be repeated: whoever was interrupted does the same again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ledger import codec
from ledger.book import Draft, Ledger, Receipt
from ledger.codec import Recorded
from ledger.errors import LedgerError, Locked, Unverified
from ledger.integrity.vault import owner_of
from ledger.life import life
from ledger.store.base import EncryptedBody, Writer

_NAMING = {
    "source": ("claimant", "source", "via", "sources"),
    "place": ("place", "parent"),
    "party": ("state", "side"),
}


@dataclass(frozen=True, slots=True)
class Erased:
    """One body that goes: whose it is, and its fields."""

    entry: str
    position: int
    name: str
    body: dict[str, Any]
    gone: bool


@dataclass(frozen=True, slots=True)
class Dependent:
    """An entry that leans on one whose text goes: how, and where it stands."""

    entry: str
    position: int
    name: str
    how: str


@dataclass(frozen=True, slots=True)
class Preview:
    """What a redaction would do. ``erased``: the entry's own body first, then those of its corrections, which repeat
    its text. ``kept``: the envelope, which stays. ``dependents``: entries that name it; ``named`` counts those that name
    the source, place or party it registers. ``resealed``: bodies of the same source that get a new key, None where
    bodies are not encrypted."""

    entry: str
    erased: tuple[Erased, ...]
    kept: dict[str, Any]
    dependents: tuple[Dependent, ...]
    named: int
    resealed: int | None

    @property
    def positions(self) -> list[int]:
        return [one.position for one in self.erased]

    @property
    def nothing_left(self) -> bool:
        return all(one.gone for one in self.erased)


def preview(ledger: Ledger, entry: str) -> Preview:
    """What redacting ``entry`` (an id, its beginning, or ``#N``) would do. Nothing is written.

    Raises ``UnknownName``; ``LedgerError`` where the entry never had a body. Reads the whole record once, since anything
    may name the entry.
    """
    lived = life(ledger, entry)
    own = lived.recorded
    own_entry = own.entry
    stream = ledger.history(own_entry)
    repeats = [one for one in stream if one.name == "entry-corrected" and one.data.get("target") == own_entry]
    erased = tuple(_erased(ledger, one) for one in (own, *repeats) if one.body is not None)
    if own.body is None:
        raise LedgerError(
            f"#{own.position} {own.entry} has no body: all of it is envelope, which stays for ever",
            remedy="Retract or correct it; what must not be kept for ever belongs into the body",
        )
    dependents, named = _leaning(ledger, own)
    return Preview(own_entry, erased, own.data, tuple(dependents), named, _resealed(ledger, erased))


def _erased(ledger: Ledger, one: Recorded) -> Erased:
    return Erased(
        one.entry, one.position, one.name, ledger.body(one.position), ledger.store.body(one.position) is None
    )


def _leaning(ledger: Ledger, own: Recorded) -> tuple[list[Dependent], int]:
    """Entries that name this one, and how many name what it registers."""
    wanted, (kind, _, id) = own.entry.encode(), own.stream.partition(":")
    fields = _NAMING.get(kind, ()) if own.version == 1 else ()
    named, found = 0, []
    for position, state in ledger.store.leaves():
        if position == own.position:
            continue
        if wanted in state:
            one = codec.decode_leaf(position, state)
            how = _how(one, own)
            if how and one.name != "entry-redacted":
                found.append(Dependent(one.entry, position, one.name, how))
        if fields and id.encode() in state:
            data = codec.decode_leaf(position, state).data
            named += any(id == data.get(field) or id in _many(data.get(field)) for field in fields)
    return found, named


def _many(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else ()


def _how(one: Recorded, own: Recorded) -> str | None:
    for field in ("target", "based_on"):
        value = one.data.get(field)
        if value == own.entry or own.entry in _many(value):
            return field
    return None


def _resealed(ledger: Ledger, erased: Sequence[Erased]) -> int | None:
    if not ledger.encrypts:
        return None
    gone = {one.position for one in erased}
    used = {body.key for one in erased if isinstance(body := ledger.store.body(one.position), EncryptedBody)}
    return sum(1 for at, body in _under(ledger, used) if at not in gone)


def _under(ledger: Ledger, names: set[str]) -> Iterator[tuple[int, EncryptedBody]]:
    """The bodies that are sealed under some keys."""
    if not names:
        return
    for at, body in ledger.store.bodies():
        if isinstance(body, EncryptedBody) and body.key in names:
            yield at, body


def redact(
    ledger: Ledger,
    plan: Preview,
    *,
    by: str | None = None,
    ground: str | None = None,
    actor: str | None = None,
) -> list[Receipt]:
    """Carry out what ``plan`` previews; what became of each ``entry-redacted``. Done before: only swept again.

    Raises ``LedgerError`` where another body's key is missing (it could not be sealed anew, and would be lost), and
    ``Locked`` where the text is erased from the record but others still use the file, so that it could not be
    rewritten: then the same again.
    """
    owner = _owner(ledger, plan)
    receipts: list[Receipt] = []
    if not plan.nothing_left:
        drafts = [
            Draft.of("entry-redacted", {"target": one.entry, "by": by, "ground": ground})
            for one in plan.erased
            if not one.gone
        ]
        receipts = ledger.append(
            drafts, actor=actor, within=lambda writer: _erase(ledger, writer, plan, owner)
        )
    _sweep(ledger, owner)
    return receipts


def _owner(ledger: Ledger, plan: Preview) -> str:
    first = ledger.history(plan.entry)[0]
    return owner_of(first.name, first.data)


def _erase(ledger: Ledger, writer: Writer, plan: Preview, owner: str) -> None:
    """Inside the transaction: the bodies go, and what shared their key gets another."""
    bodies = [writer.body(at) for at in plan.positions]
    used = {body.key for body in bodies if isinstance(body, EncryptedBody)}
    writer.erase(plan.positions)
    if not used:
        return
    others = [(at, body) for at, body in _under(ledger, used) if at not in set(plan.positions)]
    fresh = []
    ledger.vault.renew(owner)
    for at, body in others:
        clear = ledger.vault.open(body)
        if clear is None:
            raise LedgerError(
                f"the key {body.key} is not here, and #{at} needs it as well: erasing it would lose that text too",
                remedy="Put the key back (CLAIMS_KEYS names its folder), then do the same again",
            )
        fresh.append((at, ledger.vault.seal(owner, clear)))
    writer.reseal(fresh)


def _sweep(ledger: Ledger, owner: str) -> None:
    """After the commit: keys that seal nothing any more are thrown away, and the file is rewritten."""
    if ledger.encrypts:
        used = {body.key for _, body in ledger.store.bodies() if isinstance(body, EncryptedBody)}
        newest = ledger.vault.newest(owner)
        for name in ledger.vault.generations(owner):
            if name != newest and name not in used:
                ledger.vault.forget(name)
    try:
        ledger.store.compact()
    except Locked as error:
        raise Locked(
            "the text is erased from the record, but somebody is using the file, which still holds its bytes",
            where=error.where,
            remedy="Do the same again when nobody is",
        ) from None


def check_gone(ledger: Ledger, plan: Preview) -> None:
    """That nothing is left where it was erased. Raises ``Unverified``."""
    left = [at for at in plan.positions if ledger.store.body(at) is not None]
    if left:
        raise Unverified(f"the body of #{left[0]} is still there")
