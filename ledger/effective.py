"""What corrections make of an entry's author fields. Light on purpose: every look-up may need it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ledger.codec import Recorded


def apply_changes(data: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Author fields after a correction; None empties a field."""
    return {name: value for name, value in {**data, **changes}.items() if value is not None}


def effective(stream: Sequence[Recorded], entry: str) -> tuple[str, dict[str, Any]] | None:
    """(event name, author fields as corrected) of ``entry``, from the whole stream it stands in in order of
    version; None where the stream does not reach so far."""
    version = entry.partition("@")[2]
    index = int(version) if version else 1
    if not 1 <= index <= len(stream):
        return None
    target = stream[index - 1]
    data = target.data
    for later in stream[index:]:
        if later.name == "entry-corrected" and later.data["target"] == entry:
            data = apply_changes(data, later.data.get("changes", {}))
    return target.name, data
