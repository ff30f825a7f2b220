"""Time stamps (RFC 3161) over checkpoints: somebody else vouches that a checkpoint was there at a time.

Optional: needs the extra ``stamp``. A stamp lies in the folder ``DB.stamps`` as two files, the note that was stamped and
the authority's answer. Only the hash of the note goes to the authority.
"""

from __future__ import annotations

import http.client
import stat
import urllib.error
import urllib.request
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.errors import LedgerError, Unverified, Usage, WriteFailed
from ledger.integrity.audit import Check
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.note import PublicKey
from ledger.places import Location, beside

_LONGEST = 1 << 20
_PATIENCE = 30.0  # seconds


def folder(database: Location) -> Path:
    """Where the stamps of a ledger lie."""
    path = beside(database)
    return path.with_name(f"{path.name}.stamps")


def plain_file(path: Path) -> bool:
    """Whether something in that folder is a file of the size of a stamp, and stands there itself."""
    found = path.lstat()
    return stat.S_ISREG(found.st_mode) and found.st_size <= _LONGEST


def stamp(database: Location, note: bytes, url: str) -> Path:
    """Have an authority stamp a checkpoint's note, and keep its answer; the file of it.

    Raises ``Usage`` for an address that is none or without the extra, ``LedgerError`` where the authority gives no stamp
    for this note, ``WriteFailed``.
    """
    client = _client()
    if not url.startswith(("http://", "https://")):
        raise Usage(f"{url!r} is no address of a time stamp authority", remedy="it begins with https://")
    request = (
        client.TimestampRequestBuilder().data(note).nonce(nonce=True).cert_request(cert_request=True).build()
    )
    answer = _ask(url, request.as_bytes())
    try:
        response = client.decode_timestamp_response(answer)
        fits = response.tst_info.message_imprint.message == request.message_imprint.message
        fits = (
            fits and response.tst_info.nonce == request.nonce and response.status == client.PKIStatus.GRANTED
        )
    except ValueError as error:
        raise LedgerError(
            f"it gave no time stamp ({error})", where=url, remedy="Try another authority"
        ) from None
    if not fits:
        raise LedgerError(
            "its answer is for something else, or refuses", where=url, remedy="Try another authority"
        )
    where = folder(database)
    path = where / f"{sha256(note).hexdigest()[:16]}.tsr"
    try:
        where.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".note").write_bytes(note)
        path.write_bytes(answer)
    except OSError as error:
        raise WriteFailed(
            f"cannot be written ({error.strerror})", where=str(path), remedy="Check its folder"
        ) from None
    return path


def checks(database: Location, trusted: Sequence[PublicKey], roots: bytes) -> list[Check]:
    """What the stamps of a database are worth, a check each; ``roots`` are the certificates to trust, in PEM."""
    client = _client()
    from cryptography import x509

    try:
        certificates = x509.load_pem_x509_certificates(roots)
    except ValueError:
        raise Usage(
            "there are no certificates in it", where="--stamps", remedy="give the authority's, in PEM"
        ) from None
    found = sorted(filter(plain_file, folder(database).glob("*.tsr")))
    if not found:
        return [Check("time stamps", None, "there are none")]
    return [_check(client, path, trusted, certificates) for path in found]


def _check(client: Any, path: Path, trusted: Sequence[PublicKey], certificates: Sequence[Any]) -> Check:
    name = f"time stamp {path.stem}"
    try:
        if not plain_file(path.with_suffix(".note")):
            raise ValueError("there is no checkpoint beside it")
        note = path.with_suffix(".note").read_bytes()
        checkpoint = Checkpoint.parse(note, *trusted)
        response = client.decode_timestamp_response(path.read_bytes())
        builder = client.VerifierBuilder()
        for one in certificates:
            builder = builder.add_root_certificate(one)
        builder.build().verify_message(response, note)
    except (OSError, ValueError, Unverified, client.VerificationError) as error:
        return Check(name, False, str(error))
    return Check(name, True, f"{checkpoint} was there at {response.tst_info.gen_time.isoformat()}")


def _ask(url: str, request: bytes) -> bytes:
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        query = urllib.request.Request(url, data=request, headers=headers)
        with urllib.request.urlopen(query, timeout=_PATIENCE) as answer:
            return bytes(answer.read(_LONGEST))
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise LedgerError(
            f"cannot be asked ({reason})", where=url, remedy="Try again, or another authority"
        ) from None


def _client() -> Any:
    try:
        import rfc3161_client
    except ImportError:
        raise Usage(
            "time stamps need another package", remedy="install the extra: pip install 'claim-ledger[stamp]'"
        ) from None
    return rfc3161_client
