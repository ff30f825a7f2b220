"""Bodies encrypted under a key for every source, so that to throw the key away is to erase them in every copy.

The keys lie in the folder of keys, under ``bodies``, never in the database nor in an export. A body is sealed with
AES-256-GCM: 12 bytes of nonce, then the ciphertext over its salt and text, with the key's name as associated data.

A key's name is its owner's, hashed, the number of the generation, and eight hex digits of the key's own hash: where keys
are missing others are made beside them, and no two keys ever have one name.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ledger.disk import sync_file, sync_path
from ledger.errors import Unverified, WriteFailed
from ledger.integrity import keys
from ledger.store.base import AnyBody, EncryptedBody, SealedBody

#: The store's setting that says so, and its value.
BODIES, ENCRYPTED = "bodies", "encrypted"
#: Whose key an entry's body takes that no source said.
NOBODY = "ledger"
_NONCE, _SALT, _KEY = 12, 32, 32
_NAME = re.compile(r"[0-9a-f]{32}-[1-9][0-9]{0,8}-[0-9a-f]{8}")


class Vault:
    """The keys of one ledger's bodies. ``random`` gives so many random bytes."""

    def __init__(self, ledger: str, random: Callable[[int], bytes]) -> None:
        self._ledger = ledger
        self._random = random
        self._known: dict[str, bytes] = {}
        self._newest: dict[str, str] = {}

    def seal(self, owner: str, body: SealedBody) -> EncryptedBody:
        """A body under the newest key of its owner, which is made where there is none. Raises ``WriteFailed``."""
        name = self._newest.get(owner) or self.newest(owner) or self.renew(owner)
        self._newest[owner] = name
        return self._seal(name, body)

    def open(self, body: AnyBody | None) -> SealedBody | None:
        """The body in clear; None where there is none or its key is not here. Raises ``Unverified`` where the key does
        not open it."""
        if not isinstance(body, EncryptedBody):
            return body
        key = self._key(body.key)
        if key is None:
            return None
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce, sealed = body.sealed[:_NONCE], body.sealed[_NONCE:]
        try:
            clear = AESGCM(key).decrypt(nonce, sealed, body.key.encode())
        except (InvalidTag, ValueError):
            raise Unverified(f"an encrypted body was changed: its key {body.key} does not open it") from None
        return SealedBody(clear[:_SALT], clear[_SALT:])

    def newest(self, owner: str) -> str | None:
        """The name of an owner's newest key; None where there is none."""
        return max(self.generations(owner), key=lambda name: (_generation(name), name), default=None)

    def renew(self, owner: str) -> str:
        """Make another key for an owner, and give its name."""
        before, key = self.newest(owner), self._random(_KEY)
        name = f"{self._stem(owner)}-{_generation(before) + 1 if before else 1}-{_fingerprint(key)}"
        keys.write_secret(self._place(name), key.hex().encode() + b"\n")
        self._known[name] = key
        self._newest[owner] = name
        return name

    def refresh(self) -> None:
        """Look again which keys are the newest: somebody else may have renewed one, and thrown the old one away."""
        self._newest.clear()

    def forget(self, name: str) -> None:
        """Throw a key away: what it sealed is gone for ever, in every copy. Overwritten before it is removed, which
        helps where the file system writes in place."""
        self._known.pop(name, None)
        path = self._place(name)
        try:
            with path.open("r+b") as file:
                file.write(b"0" * path.stat().st_size)
                file.flush()
                sync_file(file)
            path.unlink()
            sync_path(path.parent)
        except FileNotFoundError:
            return
        except OSError as error:
            raise WriteFailed(f"the key cannot be erased ({error.strerror})", where=str(path)) from None

    def has(self, name: str) -> bool:
        return self._key(name) is not None

    def generations(self, owner: str) -> list[str]:
        """The names of all of an owner's keys that are here."""
        found = self._folder.glob(f"{self._stem(owner)}-*.key")
        return sorted(path.stem for path in found if _NAME.fullmatch(path.stem))

    def _seal(self, name: str, body: SealedBody) -> EncryptedBody:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key, nonce = self._key(name), self._random(_NONCE)
        assert key is not None
        return EncryptedBody(name, nonce + AESGCM(key).encrypt(nonce, body.salt + body.text, name.encode()))

    def _key(self, name: str) -> bytes | None:
        if name in self._known:
            return self._known[name]
        if not _NAME.fullmatch(name):  # it comes out of the database, and becomes a path
            return None
        try:
            key = bytes.fromhex(self._place(name).read_text("ascii").strip())
        except (OSError, ValueError):
            return None
        if len(key) != _KEY or not name.endswith(_fingerprint(key)):
            return None
        self._known[name] = key
        return key

    def _stem(self, owner: str) -> str:
        return sha256(f"{self._ledger}\n{owner}".encode()).hexdigest()[:32]

    @property
    def _folder(self) -> Path:
        return keys.folder() / "bodies"

    def _place(self, name: str) -> Path:
        return self._folder / f"{name}.key"


def _generation(name: str) -> int:
    return int(name.split("-")[1])


def _fingerprint(key: bytes) -> str:
    return sha256(key).hexdigest()[:8]


def owner_of(name: str, data: dict[str, object]) -> str:
    """Whose key the body of an entry takes: the source that said it; ``NOBODY`` where none did."""
    field = {"claim-reported": "claimant"}.get(name, "source")
    owner = data.get(field) if name not in ("place-described", "place-registered") else None
    return owner if isinstance(owner, str) else NOBODY
