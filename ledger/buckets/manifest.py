"""What a folder of parts says of itself: whose ledger, how far, and every part with its checksum.

::

    {"schema": "buckets/1", "ledger": …, "buckets": 64, "position": 1234, "root": hex,
     "parts": [{"name", "kind": "rows" | "ties", "bucket": 3 or null, "rows", "first", "last", "bytes", "sha256"}]}

``bucket`` is null for what stands at no place: the registry, looks at whole displays, promotions. The manifest is written
last, so that parts which it does not name are left-overs of an export that was broken off, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Literal

import orjson

from ledger.buckets.folder import Folder, damaged
from ledger.errors import LedgerError, Unverified
from ledger.integrity.proof import Tree
from ledger.store.base import Store

SCHEMA = "buckets/1"
NAME = "manifest.json"
#: Buckets where nobody says how many; a bucket should hold far less than a worker's memory.
BUCKETS = 64
MOST = 4_096


@dataclass(frozen=True)
class Part:
    """One file. ``first`` and ``last`` are the positions between which all of its rows stand."""

    name: str
    kind: Literal["rows", "ties"]
    bucket: int | None
    rows: int
    first: int
    last: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """``root`` in hex, over the first ``position`` leaves."""

    ledger: str
    buckets: int
    position: int
    root: str
    parts: tuple[Part, ...] = ()

    def rows(self, bucket: int | None) -> list[Part]:
        """The parts of a bucket, in order of position."""
        return [one for one in self.parts if one.kind == "rows" and one.bucket == bucket]

    def ties(self) -> list[Part]:
        return [one for one in self.parts if one.kind == "ties"]

    def to_json(self) -> bytes:
        values = {"schema": SCHEMA} | asdict(self)
        return orjson.dumps(values, option=orjson.OPT_INDENT_2) + b"\n"


@lru_cache(maxsize=65_536)
def bucket_of(place: str, buckets: int) -> int:
    """The bucket of a place as written: SHA-256 of its UTF-8, the first eight bytes, modulo."""
    digest = hashlib.sha256(place.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % buckets


def read(folder: Folder) -> Manifest | None:
    """The manifest of a folder; None where there is none. Raises ``Unverified`` for one that makes no sense."""
    raw = folder.read(NAME)
    if raw is None:
        return None
    try:
        return _parsed(orjson.loads(raw), folder.path(NAME))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        raise damaged("is no manifest of parts", folder.path(NAME)) from None


def _parsed(values: dict[str, Any], where: str) -> Manifest:
    schema = values["schema"]
    if schema != SCHEMA:
        if not str(schema).startswith("buckets/"):
            raise ValueError(schema)
        raise LedgerError(
            f"the parts are of another version ({schema}; this one knows {SCHEMA})",
            where=where,
            remedy="export into another folder, or install the version that wrote them",
        )
    parts = tuple(Part(**one) for one in values["parts"])
    texts = [values["ledger"], values["root"], *(one.sha256 for one in parts), *(one.name for one in parts)]
    numbers = [values["buckets"], values["position"], *(one.rows for one in parts)]
    if not all(type(one) is str for one in texts) or not all(type(one) is int for one in numbers):
        raise ValueError("a field of another type")
    if any("/" in one.name or one.name.startswith(".") for one in parts):
        raise ValueError("a part outside of the folder")
    if not 1 <= values["buckets"] <= MOST:
        raise ValueError("so many buckets")
    return Manifest(values["ledger"], values["buckets"], values["position"], values["root"], parts)


def required(folder: Folder) -> Manifest:
    """The manifest of a folder that must have one."""
    found = read(folder)
    if found is None:
        raise LedgerError(
            "there is no export here (no manifest.json)",
            where=folder.url,
            remedy=f"`claims export --parquet {folder.url}` makes one",
        )
    return found


def check(found: Manifest, folder: Folder, store: Store, ledger: str) -> None:
    """Refuse a folder that was made from another ledger, or from another history of this one."""
    if found.ledger != ledger:
        raise Unverified(
            f"the parts are of another ledger ({found.ledger}, not {ledger})",
            where=folder.url,
            remedy="name another folder",
        )
    size = store.head().size
    if found.position > size:
        raise Unverified(
            f"the parts reach #{found.position}, the ledger ends at #{size}",
            where=folder.url,
            remedy="`claims verify` says whether the ledger lost events; else name another folder",
        )
    if root_at(store, found.position) != found.root:
        raise Unverified(
            f"the parts have another root at #{found.position} than the ledger",
            where=folder.url,
            remedy="`claims verify` says whether the ledger was changed; else name another folder",
        )


def root_at(store: Store, position: int) -> str:
    """The root over the first leaves, in hex."""
    head = store.head()
    return (head.root if head.size == position else Tree(head.size, store.hashes).root(position)).hex()


def total(parts: Iterable[Part]) -> tuple[int, int]:
    """(rows, bytes) of some parts."""
    some = list(parts)
    return sum(one.rows for one in some if one.kind == "rows"), sum(one.bytes for one in some)
