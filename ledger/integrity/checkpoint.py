"""Checkpoints: what a ledger says of itself at one size, signed. C2SP's tlog-checkpoint. Pure.

claim-ledger/LEDGER/0123abcd        the origin: who signs; also the name of the key
1234                                how many events
BASE64                              the root over them (RFC 9162)
after ORIGIN SIZE BASE64            only where the ledger went on under a new origin: what it goes on from

— ORIGIN BASE64
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from ledger.errors import Unverified
from ledger.integrity.note import Note, PublicKey, sign
from ledger.integrity.tree import HASH_BYTES

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``origin`` signs that its first ``size`` events have ``root`` (32 bytes). ``extension`` are lines that follow."""

    origin: str
    size: int
    root: bytes
    extension: tuple[str, ...] = ()

    def text(self) -> bytes:
        """The text that is signed."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode(), *self.extension)
        return "".join(f"{line}\n" for line in lines).encode()

    def signed(self, key: PublicKey, private: Ed25519PrivateKey) -> bytes:
        """The whole note."""
        return sign(self.text(), key, private)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """The text taken apart, which is not to say that anybody signed it. Raises ``Unverified`` for one that is not
        in its one form."""
        lines = text.decode(errors="replace").split("\n")
        if len(lines) < 4 or lines.pop() or not all(lines):
            raise Unverified("a checkpoint has an origin, a size and a root, a line each")
        origin, size, encoded, *extension = lines
        if not _SIZE.fullmatch(size):
            raise Unverified("the second line of a checkpoint is a size")
        try:
            root = base64.b64decode(encoded, validate=True)
        except (ValueError, binascii.Error):
            root = b""
        found = cls(origin, int(size), root, tuple(extension))
        if len(root) != HASH_BYTES or found.text() != text:
            raise Unverified(f"the third line of a checkpoint is a root of {HASH_BYTES} bytes in base64")
        return found

    @classmethod
    def parse(cls, raw: bytes, *keys: PublicKey) -> Self:
        """A note that one of ``keys`` signed. The key's name must be the origin. Raises ``Unverified``."""
        note = Note.parse(raw)
        found = cls.read(note.text)
        if note.check(*keys).name != found.origin:
            raise Unverified(f"the origin {found.origin} is not the name of the key that signed it")
        return found

    def follows(self, other: Checkpoint) -> Checkpoint:
        """The same under the words that it goes on from ``other``, which was signed under another origin."""
        root = base64.b64encode(other.root).decode()
        return Checkpoint(self.origin, self.size, self.root, (f"after {other.origin} {other.size} {root}",))

    def __str__(self) -> str:
        return f"{self.origin} at #{self.size}, root {self.root.hex()}"
