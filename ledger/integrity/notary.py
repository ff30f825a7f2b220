"""Signs what a ledger says of itself after every append, and refuses to go on from a record that was cut or changed.

Before an append, inside the write lock: the record must hold, unchanged, all that its last checkpoint vouches for.
After the commit: a checkpoint of the newest head goes into the file beside the database. Only then is the append
acknowledged. Of writers that commit at the same time one may sign for all.

A copy of the last checkpoint also lies with the keys, one for every path of a database, so that an old backup that was
put in place of the database together with its checkpoints is found out on the machine that knew it longer.
"""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from ledger import codec
from ledger.errors import LedgerError, Unverified, Usage
from ledger.integrity import keys
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.journal import Appending, Journal, Tail, is_beginning
from ledger.integrity.note import Note, PublicKey
from ledger.integrity.proof import Tree
from ledger.places import Location, beside
from ledger.settings import lock_timeout

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from ledger.store.base import Head, Reader, Store, Writer

#: Settings of the store: the key that signs now, and all that ever did, a line each, the newest last.
SIGNED, ORIGINS = "signed", "origins"
_REMEDY = "Put back the newer files; where they are lost, `claims checkpoint --new-origin` goes on from here and says so"


SEALED = "sealed"
"""The setting that closes a copy: the position it was closed at."""


def refuse_sealed(reader: Reader, path: Location) -> None:
    """Raise ``LedgerError`` for a closed copy, which is never written to."""
    sealed = reader.setting(SEALED)
    if sealed is not None:
        raise LedgerError(
            f"is a copy that was sealed at #{sealed}: nothing can be appended to it",
            where=str(path),
            remedy="Append to the ledger it was made from",
        )


def signing_key(reader: Reader) -> PublicKey | None:
    """The key that a ledger says it is signed with; None where it is not signed."""
    text = reader.setting(SIGNED)
    return _stored(text) if text else None


def all_keys(reader: Reader) -> list[PublicKey]:
    """Every key that ever signed it, the newest last."""
    return [_stored(line) for line in (reader.setting(ORIGINS) or "").splitlines()]


def _stored(text: str) -> PublicKey:
    try:
        return PublicKey.parse(text)
    except Usage:
        raise Unverified("the name of the key that signs it is damaged") from None


class Notary:
    """Signs for one ledger at ``path`` with ``key``. Made by ``of`` or ``begin``."""

    def __init__(self, path: Location, key: PublicKey) -> None:
        self.path = path
        self.key = key
        self.journal = Journal(path)
        self._private: Ed25519PrivateKey | None = None
        self._read: tuple[int, Checkpoint] | None = None
        self._compared = False
        self._latest: int | None = None  # the open file of what was signed last

    @classmethod
    def of(cls, reader: Reader, path: Location) -> Notary | None:
        """The notary of a database; None for one that was never signed. Raises ``Unverified`` for one that says so
        of itself while its checkpoints are there, or the folder of keys knows better."""
        key = signing_key(reader)
        if key is not None:
            return cls(path, key)
        refuse_disowned(reader, path)
        if Journal(path).exists():
            raise Unverified(
                "there are checkpoints, but the ledger says that it is not signed",
                where=str(Journal(path).path),
                remedy="Move them away if they belong to another ledger, then `claims checkpoint --new-origin`",
            )
        return None

    def sign_from_here(self, writer: Writer) -> None:
        """Write down in the store that this key signs it, after all that did before."""
        writer.remember(SIGNED, str(self.key))
        writer.remember(ORIGINS, "\n".join(map(str, (*all_keys(writer), self.key))))

    # -- before and after an append ------------------------------------------------------------------

    def check(self, reader: Reader) -> None:
        """Inside the write lock: that nothing which was vouched for is missing or changed, and that the key is here.
        Raises ``Unverified`` (nothing may be written) or ``LedgerError`` (no key)."""
        if self._private is None:
            self._private = keys.load(self.key)
        if not self.unbegun(reader):
            self.compare(reader, self.last())
        if not self._compared:
            known = self.known_here()
            if known is not None:
                self.compare(reader, known, "the copy of it that lies with the keys")
            else:
                refuse_disowned(reader, self.path)
            self._compared = True

    def unbegun(self, reader: Reader) -> bool:
        """Whether it holds its opening alone and was never signed: whoever made it died before the first checkpoint.
        The next append signs it."""
        if self.journal.exists():
            tail = self.journal.tail()
            if tail.note is not None or not self.torn(tail, reader):
                return False
        return reader.head().size <= 1 and self.known_here() is None

    def compare(self, reader: Reader, checkpoint: Checkpoint, which: str = "its last checkpoint") -> None:
        """That the record begins with what a checkpoint vouches for. Raises ``Unverified`` with both roots."""
        head = reader.head()
        if head.size < checkpoint.size:
            raise Unverified(
                f"the ledger ends at #{head.size}, root {head.root.hex()}, and {which} vouches for #{checkpoint.size}, "
                f"root {checkpoint.root.hex()}: events are missing",
                where=str(self.path),
                remedy=_REMEDY,
            )
        root = head.root
        if head.size > checkpoint.size:
            root = Tree(head.size, reader.hashes).root(checkpoint.size)
        if root != checkpoint.root:
            raise Unverified(
                f"at #{checkpoint.size} the ledger has the root {root.hex()}, and {which} vouches for "
                f"{checkpoint.root.hex()}: it was changed, or it is another",
                where=str(self.path),
                remedy=_REMEDY,
            )

    def acknowledge(self, store: Store, head: Head | None = None) -> Checkpoint:
        """After the commit: a checkpoint on the disk of ``head``, else of the newest, or of a newer one; nothing is
        written where there is one. Raises ``WriteFailed`` or ``Locked``: then nothing may be acknowledged."""
        head = head or store.head()
        with self.journal.appending(lock_timeout()) as file:
            end, last = self._end(file, store)
            if last is not None and last.size >= head.size:
                return last
            checkpoint = Checkpoint(self.key.name, head.size, head.root)
            note = self._signed(checkpoint)
            file.append(note, end)
            self._read = (end + len(note) + 1, checkpoint)
        self._remember(note)
        return checkpoint

    def _end(self, file: Appending, store: Store) -> tuple[int, Checkpoint | None]:
        """Where the next note goes, and the last one there is; None where there is none, or where what follows it was
        cut off, so that another is due."""
        if self._read is not None and self._read[0] == file.size():
            return self._read
        tail = file.tail()
        if tail.rest and not self.torn(tail, store):
            raise Unverified(
                "what follows the last checkpoint is none, nor the beginning of one",
                where=str(self.journal.path),
                remedy=_REMEDY,
            )
        last = self._parsed(tail.note) if tail.note else None
        return tail.end, None if tail.rest else last

    def close(self) -> None:
        """Let go of files. Harmless when done twice."""
        self.journal.close()
        if self._latest is not None:
            with suppress(OSError):
                os.close(self._latest)
            self._latest = None

    # -- what is there -------------------------------------------------------------------------------

    def last(self) -> Checkpoint:
        """The last whole checkpoint of the file, its signature checked. Raises ``Unverified``."""
        size = self.journal.path.lstat().st_size if self.journal.exists() else -1
        if self._read is not None and self._read[0] == size:
            return self._read[1]
        tail = self.journal.tail()
        if tail.note is None:
            raise Unverified(
                "the ledger is signed, but there is no checkpoint",
                where=str(self.journal.path),
                remedy=_REMEDY,
            )
        found = self._parsed(tail.note)
        if not tail.rest:
            self._read = (tail.end, found)
        return found

    def known_here(self) -> Checkpoint | None:
        """The last checkpoint that was signed here for this path, as the folder of keys remembers it."""
        try:
            return Checkpoint.parse(_memory(self.path).read_bytes(), self.key)
        except (OSError, Unverified):
            return None  # it is not synced, so a crash may have cut it; a ledger of another origin stood here before

    def torn(self, tail: Tail, store: Reader) -> bool:
        """Whether what follows the last whole note is one that a crash cut off. Needs the private key to tell for
        sure; without it only the text is compared."""
        head = store.head()

        def expected(size: int) -> bytes | None:
            if not 0 < size <= head.size:
                return None
            root = head.root if size == head.size else Tree(head.size, store.hashes).root(size)
            checkpoint = Checkpoint(self.key.name, size, root)
            try:
                return self._signed(checkpoint)
            except LedgerError:
                text = checkpoint.text()
                return text + tail.rest[len(text) :] if tail.rest.startswith(text) else text

        return is_beginning(tail.rest, expected, self.key.name)

    def _parsed(self, note: bytes) -> Checkpoint:
        try:
            return Checkpoint.parse(note, self.key)
        except Unverified as error:
            raise Unverified(
                f"the last checkpoint is damaged: {error.what}", where=str(self.journal.path), remedy=_REMEDY
            ) from None

    def _signed(self, checkpoint: Checkpoint) -> bytes:
        if self._private is None:
            self._private = keys.load(self.key)
        return checkpoint.signed(self.key, self._private)

    def _remember(self, note: bytes) -> None:
        """Written in place and not synced, and no harm where it cannot be or is cut off: it is one guard more."""
        with suppress(OSError):
            if self._latest is None:
                path = _memory(self.path)
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._latest = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
            os.lseek(self._latest, 0, os.SEEK_SET)
            os.write(self._latest, note)
            os.ftruncate(self._latest, len(note))


def _memory(path: Location) -> Path:
    """Where the folder of keys keeps the last checkpoint that was signed for a path."""
    name = sha256(os.fsencode(os.path.realpath(beside(path)))).hexdigest()[:32]
    return keys.folder() / "latest" / name


def forget(path: Location) -> None:
    """Another ledger stands at this path now, and it is not signed."""
    with suppress(OSError):
        _memory(path).unlink()


def disowned(reader: Reader, path: Location) -> Checkpoint | None:
    """The last checkpoint that was signed here for this path and this ledger, under an origin of which the ledger says
    nothing; None where there is no such. Whoever has the file but not the key can make it say that it was never signed,
    or that another key signs it."""
    try:
        note = _memory(path).read_bytes()
        origin = Checkpoint.read(Note.parse(note).text).origin
        known = Checkpoint.parse(note, *keys.public_of(origin))
    except (OSError, Unverified):
        return None
    opening = reader.row(1)
    if opening is None or any(key.name == origin for key in all_keys(reader)):
        return None
    ledger = codec.decode(opening).data.get("ledger")
    return known if origin.rpartition("/")[0] == f"claim-ledger/{ledger}" else None


def refuse_disowned(reader: Reader, path: Location) -> None:
    """Raise ``Unverified`` for a ledger that was signed here and says nothing of it."""
    known = disowned(reader, path)
    if known is not None:
        raise Unverified(
            f"it was signed here by {known}, and says nothing of it", where=str(path), remedy=_REMEDY
        )


def make(path: Location, ledger: str) -> Notary:
    """A notary with a new key. Nothing is signed yet, and no store knows of it."""
    key, _ = keys.make(ledger, beside(path))
    return Notary(path, key)


def begin(store: Store, path: Location, ledger: str) -> tuple[Notary, Checkpoint]:
    """Sign a ledger from here on under a new origin with a new key; the notary and the first checkpoint.

    Where there was an origin before, the first checkpoint says which one and what it had vouched for last, whatever
    became of that since. The record itself is taken as it is.
    """
    made = make(path, ledger)
    key = made.key
    head = store.head()
    checkpoint = Checkpoint(key.name, head.size, head.root)
    with made.journal.appending(lock_timeout()) as file:
        tail = file.tail()
        forgotten = disowned(store, path)
        if tail.note is not None:
            checkpoint = checkpoint.follows(Checkpoint.read(Note.parse(tail.note).text))
        elif forgotten is not None:  # the file is gone, and the folder of keys remembers
            checkpoint = checkpoint.follows(forgotten)
        note = made._signed(checkpoint)
        file.append(note, tail.end)
    with store.writer() as writer:
        made.sign_from_here(writer)
    made._remember(note)
    return made, checkpoint
