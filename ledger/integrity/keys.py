"""Where signing keys lie: a folder of the user's, never the database's.

One file a key, in PEM, readable by its owner alone, named after the origin it signs for. ``CLAIMS_KEYS`` or ``keys`` in
a settings file names the folder; else it is the user's own data folder.

The key stops whoever gets hold of the database, a backup of it or the disk it lies on from changing the record
unnoticed. It does not stop its owner, nor anybody who can read this folder: they can sign anything anew. Against them
only a checkpoint helps that was given away before.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ledger.disk import make_folder, sync_path
from ledger.errors import LedgerError, Usage, WriteFailed
from ledger.integrity.note import PublicKey
from ledger.places import data_folder
from ledger.settings import setting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: Said wherever a key is made.
PROTECTS = (
    "it shows a change made by whoever has the database but not the key",
    "it does not bind who has the key: give checkpoints away (`claims checkpoint`), on paper or by mail",
)


def folder() -> Path:
    """The folder of keys, whether it is there or not."""
    chosen = setting("keys")
    if chosen is not None:
        return Path(chosen).expanduser()
    return data_folder() / "keys"


def place_of(name: str) -> Path:
    """The file that holds, or would hold, the private key of an origin."""
    return folder() / f"{quote(name, safe='')}.key"


def make(ledger: str, beside: Path) -> tuple[PublicKey, Path]:
    """Make a key for a ledger and put it into the folder, flushed to the disk; its public half and where it lies.

    The name, which is the origin of its checkpoints, is ``claim-ledger/LEDGER/`` and eight hex digits of the key, so
    that no two keys sign under one origin. ``beside`` is the database: a folder of keys beside it is refused
    (``Usage``), since whoever copied the one would have the other. Raises ``WriteFailed``.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    where = folder()
    if where.resolve() == beside.parent.resolve():
        raise Usage(
            "the keys would lie in the database's own folder",
            where=str(where),
            remedy="name another one in CLAIMS_KEYS",
        )
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key = PublicKey(f"claim-ledger/{ledger}/{public[:4].hex()}", public)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_secret(place_of(key.name), pem)
    return key, place_of(key.name)


def load(key: PublicKey) -> Ed25519PrivateKey:
    """The private half of a public key. Raises ``LedgerError`` where it is not there, or is another."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = place_of(key.name)
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    except FileNotFoundError:
        raise _absent(path, "the key that signs this ledger is not here") from None
    except (OSError, ValueError, TypeError) as error:
        raise _absent(
            path, f"the key cannot be read ({getattr(error, 'strerror', None) or 'no PEM'})"
        ) from None
    if not isinstance(private, Ed25519PrivateKey) or private.public_key().public_bytes_raw() != key.public:
        raise _absent(path, "this is not the key that signs this ledger")
    return private


def is_here(key: PublicKey) -> bool:
    """Whether the private half lies in the folder."""
    try:
        load(key)
    except LedgerError:
        return False
    return True


def write_secret(path: Path, data: bytes) -> None:
    """A new file that only its owner may read, in a folder that only its owner may enter; flushed to the disk before
    it has its name. Raises ``WriteFailed``."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        make_folder(path.parent)
        partial.unlink(missing_ok=True)  # of a process that died, and had the same number
        file = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(file, data)
            os.fsync(file)
        finally:
            os.close(file)
        os.link(partial, path)
        sync_path(path.parent)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.exists():
            raise WriteFailed(
                "there is a key already", where=str(path), remedy="Move it out of the way"
            ) from None
        raise WriteFailed(
            f"the key cannot be written ({error.strerror})",
            where=str(path),
            remedy="Name a folder of your own in CLAIMS_KEYS",
        ) from None
    finally:
        with suppress(OSError):
            partial.unlink()


def _absent(path: Path, what: str) -> LedgerError:
    return LedgerError(
        f"{what}; nothing was recorded",
        where=str(path),
        remedy="Put it back or name its folder in CLAIMS_KEYS; where it is lost, `claims checkpoint --new-origin`",
    )


def public_of(name: str) -> list[PublicKey]:
    """The public half of the key that lies here for an origin; empty where there is none."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        private = serialization.load_pem_private_key(place_of(name).read_bytes(), None)
        assert isinstance(private, Ed25519PrivateKey)
        return [PublicKey(name, private.public_key().public_bytes_raw())]
    except (OSError, ValueError, TypeError, AssertionError):
        return []
