"""Everything that can be said about a ledger's integrity from where one stands: the record, its checkpoints, its keys.

``audit`` looks at the record; here are the signatures over it, what is known of it elsewhere, and how it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ledger.errors import LedgerError, Unverified
from ledger.integrity import audit, keys
from ledger.integrity.audit import Check, Faults
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.journal import Journal
from ledger.integrity.notary import SEALED, Notary, all_keys, refuse_disowned, signing_key
from ledger.integrity.note import Note, PublicKey
from ledger.places import Location

if TYPE_CHECKING:
    from ledger.book import Ledger


@dataclass(slots=True)
class Signed:
    """The checkpoints beside a ledger: those of the origin that signs now, those of earlier ones, what is wrong."""

    current: list[Checkpoint] = field(default_factory=list)
    earlier: list[Checkpoint] = field(default_factory=list)
    faults: Faults = field(default_factory=Faults)
    notes: list[str] = field(default_factory=list)


def verify(
    ledger: Ledger,
    path: Location,
    *,
    given: Sequence[Checkpoint] = (),
    deep: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Check]:
    """Every check there is, in the order in which they are told. ``given`` are checkpoints from elsewhere whose
    signatures were checked. ``ok`` is False for what does not hold and None for what nobody promised. Nothing is
    written."""
    store = ledger.store
    try:
        key = signing_key(store)
        signed = checkpoints(ledger, path, key) if key else None
    except LedgerError as error:
        return [
            *audit.record(ledger, given, source=path, deep=deep),
            Check("checkpoints", False, str(error)),
        ]
    known = Notary(path, key).known_here() if key else None
    promised = [*(signed.current if signed else ()), *given, *([known] if known else ())]
    checks = audit.record(
        ledger,
        sorted(promised, key=lambda one: one.size),
        source=path,
        deep=deep,
        progress=progress,
    )
    checks.append(_checkpoints(signed, path))
    if signed is not None and signed.earlier:
        checks.append(_earlier(ledger, signed.earlier))
    checks.append(_key(ledger, path, key, known))
    checks += _kept(ledger)
    return checks


def checkpoints(ledger: Ledger, path: Location, key: PublicKey) -> Signed:
    """Read and check every checkpoint beside a ledger; ``key`` is the one that signs now."""
    found = Signed()
    known = all_keys(ledger.store)
    journal = Journal(path)
    if Notary(path, key).unbegun(ledger.store):
        found.notes.append("whoever made the ledger was cut off before the first; the next append signs it")
        return found
    if not journal.exists():
        found.faults.add("the ledger is signed, but its checkpoints are gone")
        return found
    before: Checkpoint | None = None
    for number, one in enumerate(_parsed(journal, known, found), 1):
        if before is not None:
            _follow(found, number, before, one)
        (found.current if one.origin == key.name else found.earlier).append(one)
        before = one
    if before is None:
        found.faults.add("there is no checkpoint")
    elif before.origin != key.name:
        found.faults.add(f"the last checkpoint is of {before.origin}, the ledger is signed by {key.name}")
    tail = journal.tail()
    if tail.rest:
        if Notary(path, key).torn(tail, ledger.store):
            found.notes.append("the last one was cut off while it was written, and never acknowledged")
        else:
            found.faults.add("what follows the last one is no checkpoint, nor the beginning of one")
    return found


def _parsed(journal: Journal, known: Sequence[PublicKey], found: Signed) -> Iterator[Checkpoint]:
    for number, note in enumerate(journal.notes(), 1):
        try:
            yield Checkpoint.parse(note, *known)
        except Unverified as error:
            found.faults.add(f"checkpoint {number}: {error.what}")


def _follow(found: Signed, number: int, before: Checkpoint, one: Checkpoint) -> None:
    """A checkpoint must follow on the one before it: it grows, or says what it goes on from."""
    if one.origin != before.origin:
        said = f"after {before.origin} {before.size} "
        if not any(line.startswith(said) for line in one.extension):
            found.faults.add(f"checkpoint {number}: a new origin that does not say what it goes on from")
    elif one.size < before.size:
        found.faults.add(f"checkpoint {number} is for #{one.size}, behind #{before.size} before it")


def _checkpoints(signed: Signed | None, path: Location) -> Check:
    if signed is None:
        if Journal(path).exists():
            return Check("checkpoints", False, "there are some, but the ledger says that it is not signed")
        return Check("checkpoints", None, "not signed: whoever can write the file can change it unnoticed")
    count, last = len(signed.current), signed.current[-1] if signed.current else None
    words = [f"{count:,} of {last.origin}, the last at #{last.size}" if last else "none", *signed.notes]
    return signed.faults.check("checkpoints", "; ".join(words))


def _earlier(ledger: Ledger, earlier: Sequence[Checkpoint]) -> Check:
    """What was signed under earlier origins. That it does not hold is why there is a new one, or is news."""
    from ledger.integrity.proof import Tree

    head = ledger.store.head()
    tree = Tree(head.size, ledger.store.hashes)
    last = {one.origin: one for one in earlier}
    words = []
    for one in last.values():
        holds = one.size <= head.size and tree.root(one.size) == one.root
        words.append(
            f"{one} {'holds' if holds else 'DOES NOT HOLD: the record was cut or changed before the origin changed'}"
        )
    return Check("earlier origins", None, "; ".join(words))


def _key(ledger: Ledger, path: Location, key: PublicKey | None, known: Checkpoint | None) -> Check:
    try:
        refuse_disowned(ledger.store, path)
    except LedgerError as error:
        return Check("key", False, error.what)
    if key is None:
        return Check("key", None, "none")
    if not keys.is_here(key):
        return Check(
            "key",
            None,
            f"{key} is not among the keys here: that it is the right one must be known from elsewhere",
        )
    return Check(
        "key",
        True,
        f"{key}, and its private half is here{f'; it last signed #{known.size} here' if known else ''}",
    )


def _kept(ledger: Ledger) -> list[Check]:
    """How the record is kept."""
    checks = []
    store = ledger.store
    sealed = store.setting(SEALED)
    if sealed is not None:
        size = store.head().size
        checks.append(Check("sealed", sealed == str(size), f"closed at #{sealed}, ends at #{size}"))
    durability = getattr(store, "durability", None)
    if durability is not None:
        reason = getattr(store, "durability_reason", "")
        checks.append(Check("durability", None, f"{'/'.join(durability())}: {reason}"))
    return checks


def parse_given(raw: bytes, trusted: Sequence[PublicKey]) -> Checkpoint:
    """A checkpoint from elsewhere that one of the trusted keys signed. Raises ``Unverified``."""
    text = raw.replace(b"\r\n", b"\n").strip(b"\n") + b"\n"  # mail and editors do this to line ends
    Note.parse(text)
    return Checkpoint.parse(text, *trusted)
