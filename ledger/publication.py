"""A ledger for others to read: without any body, and with coordinates rounded if need be. It cannot be restored.

The first line is a header, every other one an event::

    {"schema":"export-redacted/1","ledger":…,"size":…,"root":hex,"decimals":null or a number}
    {"position":1,"stream":…,"version":1,"topic":…,"leaf":"the stored bytes" or null,"leaf_hash":hex,"data":null or {…}}

Whoever reads it can hash every leaf and make the root from the hashes. Only where a coordinate was rounded is the leaf left
out; its hash and the author fields, rounded, stand in its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import orjson

from ledger import codec
from ledger.backup import Header
from ledger.store.base import Store
from ledger.text import visible_json

SCHEMA = "export-redacted/1"
DECIMALS = 1
"""To a tenth of a degree: about 11 km north to south."""
_COORDINATES = ("lat", "lon")


def dump(store: Store, first: Header, decimals: int | None) -> Iterator[bytes]:
    """The lines up to a header, streamed, each with its line end. ``decimals`` None leaves coordinates as they are."""
    head = {
        "schema": SCHEMA,
        "ledger": first.ledger,
        "size": first.size,
        "root": first.root,
        "decimals": decimals,
    }
    yield _line(head)
    for row in store.rows(1, first.size):
        data = None
        if decimals is not None and (b'"lat"' in row.state or b'"lon"' in row.state):
            data = rounded(codec.decode(row).data, decimals)
        yield _line(
            {
                "position": row.position,
                "stream": row.stream,
                "version": row.version,
                "topic": row.topic,
                "leaf": None if data is not None else row.state.decode("utf-8", "backslashreplace"),
                "leaf_hash": row.leaf_hash.hex(),
                "data": data,
            }
        )


def rounded(data: dict[str, Any], decimals: int) -> dict[str, Any]:
    """Author fields with their coordinates, and those of a correction, to so many decimals of a degree."""
    step = Decimal(1).scaleb(-decimals)
    found: dict[str, Any] = {}
    for name, value in data.items():
        if name in _COORDINATES and value is not None:
            value = str(Decimal(value).quantize(step, ROUND_HALF_EVEN))
        elif name == "changes":
            value = rounded(value, decimals)
        found[name] = value
    return found


def _line(values: dict[str, Any]) -> bytes:
    return visible_json(orjson.dumps(values)) + b"\n"
