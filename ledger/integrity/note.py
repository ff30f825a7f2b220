"""Signed notes: text with Ed25519 signatures under it, as C2SP's signed-note defines them. Pure functions.

    the text, one or more lines, each ended
    (an empty line)
    — NAME BASE64(4-byte key id ‖ 64-byte signature)

A key is known by its name and its id, the first four bytes of SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key). In print it
is ``NAME+ID in hex+BASE64(0x01 ‖ public key)``, which is what other tools of the kind read.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Self

from ledger.errors import Unverified, Usage
from ledger.text import visible

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_ED25519 = b"\x01"
_KEY_ID, _PUBLIC, _SIGNATURE = 4, 32, 64
_LONGEST = 1 << 16  # bytes of a note: room for far more than sixteen signatures
_DASH = "\u2014 "


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A name and the 32 bytes of an Ed25519 public key. Raises ``ValueError`` for a name that a note cannot hold."""

    name: str
    public: bytes

    def __post_init__(self) -> None:
        if not _is_name(self.name) or len(self.public) != _PUBLIC:
            raise ValueError(f"{self.name!r} is no name of a key, or the key has not {_PUBLIC} bytes")

    @property
    def id(self) -> bytes:
        """The four bytes that signatures name it by."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:_KEY_ID]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The key that ``str`` printed. Raises ``Usage`` for anything else."""
        try:
            name, id, encoded = text.strip().split("+", 2)  # the base64 may hold a plus, the name holds none
            raw = base64.b64decode(encoded, validate=True)
            key = cls(name, raw[1:])
            if raw[:1] != _ED25519 or bytes.fromhex(id) != key.id:
                raise ValueError
        except (ValueError, binascii.Error):
            raise Usage(
                f"{text.strip()[:120]!r} is no public key",
                remedy="it looks like NAME+0123abcd+BASE64; `claims checkpoint --key` prints it",
            ) from None
        return key

    def verifies(self, signature: bytes, text: bytes) -> bool:
        """Whether the 64 bytes are this key's signature under ``text``."""
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signature:
    """One line under a note: whose it claims to be, and its bytes."""

    name: str
    id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A note taken apart. ``text`` ends with a line end; that it is signed is still to be checked."""

    text: bytes
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Take a note apart. Raises ``Unverified`` for anything that is none, to the last byte."""
        if len(raw) > _LONGEST:
            raise Unverified(f"a note of {len(raw):,} bytes is longer than any")
        try:
            whole = raw.decode()
        except UnicodeDecodeError:
            raise Unverified("the note is no UTF-8") from None
        if visible(whole) != whole:  # it is printed as it is, to be kept byte for byte
            raise Unverified("the note holds control characters, or others that cannot be seen")
        text, blank, under = whole.rpartition("\n\n")
        if not blank or not text or not under.endswith("\n"):
            raise Unverified("there is no signature under the note, or it was cut off")
        return cls(f"{text}\n".encode(), tuple(map(_signature, under[:-1].split("\n"))))

    def check(self, *keys: PublicKey) -> PublicKey:
        """The first of ``keys`` that signed it. Raises ``Unverified`` where none did, or where a signature that is
        said to be of one of them is not."""
        known = {(key.name, key.id): key for key in keys}
        signed: PublicKey | None = None
        for one in self.signatures:
            key = known.get((one.name, one.id))
            if key is None:
                continue
            if len(one.signature) != _SIGNATURE or not key.verifies(one.signature, self.text):
                raise Unverified(f"the signature of {key.name} does not fit the text above it")
            signed = signed or key
        if signed is None:
            names = ", ".join(f"{one.name}+{one.id.hex()}" for one in self.signatures)
            raise Unverified(f"signed by {names}, not by {' or '.join(map(_short, keys)) or 'any known key'}")
        return signed


def sign(text: bytes, key: PublicKey, private: Ed25519PrivateKey) -> bytes:
    """The whole note: ``text``, which ends with a line end, and the signature under it. The same text and key
    always give the same bytes (RFC 8032)."""
    if not text.endswith(b"\n"):
        raise ValueError("the text of a note ends with a line end")
    signature = base64.b64encode(key.id + private.sign(text))
    return text + f"\n{_DASH}{key.name} ".encode() + signature + b"\n"


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    exact = base64.b64encode(raw).decode() == encoded  # unused bits of the last letter have one spelling only
    if not (line.startswith(_DASH) and space and _is_name(name) and len(raw) > _KEY_ID and exact):
        raise Unverified("a line under the note is no signature")
    return Signature(name, raw[:_KEY_ID], raw[_KEY_ID:])


def _is_name(name: str) -> bool:
    return (
        bool(name)
        and "+" not in name
        and not any(map(str.isspace, name))
        and name.isprintable()
        and visible(name) == name
    )


def _short(key: PublicKey) -> str:
    return f"{key.name}+{key.id.hex()}"
