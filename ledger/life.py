"""One entry as it stands: what was recorded, what corrections made of it, and what befell it.

A read-out for people. Belief never asks here: it folds the events themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ledger.book import Ledger
from ledger.codec import Recorded
from ledger.effective import apply_changes


@dataclass(frozen=True, slots=True)
class Life:
    """``recorded`` is the event itself; ``data`` and ``body`` are its fields after corrections. ``erased``
    says that it had a body which is gone, ``locked`` that it has one whose key is not here. ``befell`` are later events
    about it, in order."""

    recorded: Recorded
    data: dict[str, Any]
    body: dict[str, Any]
    erased: bool
    locked: bool
    befell: tuple[Recorded, ...]


def life(ledger: Ledger, entry: str) -> Life:
    """The life of an entry given by id, abbreviated id or ``#N``. Raises ``UnknownName``.

    What befell ``x@2`` is what names it as its target; what befell ``x`` is all the rest of its stream.
    """
    entry = ledger.find(entry)
    stream = ledger.history(entry)
    own = next(one for one in stream if one.entry == entry)
    later = [one for one in stream if one.version > own.version]
    if own.version > 1:
        later = [one for one in later if one.data.get("target") == entry]
    data, body = own.data, ledger.body(own.position)
    stored = ledger.store.body(own.position)
    erased = own.body is not None and stored is None
    locked = stored is not None and ledger.opened(stored) is None
    for one in later:
        if one.name == "entry-corrected" and one.data["target"] == entry:
            data = apply_changes(data, one.data.get("changes", {}))
            body = apply_changes(body, ledger.body(one.position).get("changes", {}))
    return Life(own, data, body, erased, locked, tuple(later))
