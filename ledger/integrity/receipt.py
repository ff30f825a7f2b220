"""Receipts: that one event stands in the record, in a form that can be checked without the ledger. Pure.

The form is C2SP's tlog-proof, version 1: the event's index, the path from its leaf to the root, and the signed
checkpoint that vouches for the root. ``extra`` holds the event's own stored bytes, unless they are left out; nothing
vouches for that line, so a check hashes what it holds and believes only the hash.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Self

from ledger.errors import Unverified
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.note import PublicKey
from ledger.integrity.proof import check_inclusion
from ledger.integrity.tree import leaf_hash

HEADER = "c2sp.org/tlog-proof@v1"
_INDEX = re.compile(r"index (0|[1-9][0-9]{0,18})")
_LONGEST = 1 << 18
_DEEPEST = 64


@dataclass(frozen=True, slots=True)
class Receipt:
    """``index`` from 0 (the position less one); ``path`` of 32-byte hashes; ``checkpoint`` the whole signed note;
    ``leaf`` the event's stored bytes, None where they were left out."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    leaf: bytes | None = None

    def to_bytes(self) -> bytes:
        """The receipt's file."""
        lines = [HEADER]
        if self.leaf is not None:
            lines.append(f"extra {base64.b64encode(self.leaf).decode()}")
        lines += [f"index {self.index}", *(base64.b64encode(one).decode() for one in self.path), "", ""]
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        """Take a receipt apart. Raises ``Unverified`` for anything that is none."""
        if len(raw) > _LONGEST:
            raise Unverified("this is no receipt: it is too long")
        head, blank, checkpoint = raw.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            lines = []
        if not blank or lines[:1] != [HEADER]:
            raise Unverified(f"this is no receipt: it does not begin with {HEADER}")
        rest = lines[1:]
        leaf = _base64(rest.pop(0)[6:]) if rest and rest[0].startswith("extra ") else None
        index = _INDEX.fullmatch(rest.pop(0)) if rest else None
        if index is None or len(rest) > _DEEPEST:
            raise Unverified("the receipt names no index, or more hashes than any tree is high")
        return cls(int(index[1]), tuple(map(_base64, rest)), checkpoint, leaf)

    def check(self, *keys: PublicKey, leaf: bytes | None = None) -> Checkpoint:
        """The checkpoint, after making sure that one of ``keys`` signed it and that the event stands under it.

        ``leaf`` are the event's stored bytes where the receipt does not hold them. Raises ``Unverified``.
        """
        state = self.leaf if leaf is None else leaf
        if state is None:
            raise Unverified("the receipt does not hold the event, so that it cannot be checked by itself")
        if leaf is not None and self.leaf not in (None, leaf):
            raise Unverified("the receipt is for another event")
        checkpoint = Checkpoint.parse(self.checkpoint, *keys)
        check_inclusion(leaf_hash(state), self.index, checkpoint.size, self.path, checkpoint.root)
        return checkpoint


def _base64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raw = b""
    if not raw or base64.b64encode(raw).decode() != text:
        raise Unverified("a line of the receipt is no base64")
    return raw
