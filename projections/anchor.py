"""Where in a ledger something made from it stands: the key by which a cache or a view is known to fit.

Keyed by position and by the tree over all rows up to there (RFC 9162). Whatever does not fit was made from
another ledger, from another history of this one, or from a longer one, and is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ledger.errors import Unverified
from ledger.integrity.tree import Frontier

if TYPE_CHECKING:
    from ledger.store.base import Store


@dataclass(frozen=True, slots=True)
class Anchor:
    """``leaf`` is the hex hash of the row at ``position``. ``roots`` are those of the perfect subtrees up to
    there in hex (``Frontier.to_bytes``); empty where rows were added while it was made, so that none told them."""

    ledger: str
    position: int
    leaf: str
    roots: str = ""


def anchored(store: Store, ledger: str, position: int, before: Anchor | None = None) -> Anchor:
    """The anchor of a position; ``before`` is an earlier one that fits, from which its roots can be told."""
    row, head = store.row(position), store.head()
    frontier = None
    if head.size == position:
        frontier = head.frontier
    elif before is not None and before.roots and before.position <= position:
        frontier = _extended(before, store, position)
    return Anchor(
        ledger, position, row.leaf_hash.hex() if row else "", frontier.to_bytes().hex() if frontier else ""
    )


def fits(anchor: Anchor, store: Store, ledger: str, head: int) -> bool:
    """Whether what stands at an anchor was made from the first rows of this ledger as it is now. It may be ahead
    of ``head`` where others have gone on meanwhile."""
    if anchor.ledger != ledger:
        return False
    row = store.row(anchor.position)
    if (row.leaf_hash.hex() if row else "") != anchor.leaf:
        return False
    now = store.head()
    if anchor.position > max(head, now.size):
        return False
    if not anchor.roots:
        return True
    try:
        return _extended(anchor, store, now.size).root() == now.root
    except (Unverified, ValueError):
        return False


def _extended(anchor: Anchor, store: Store, position: int) -> Frontier:
    frontier = Frontier.from_bytes(anchor.position, bytes.fromhex(anchor.roots))
    if position == anchor.position:
        return frontier
    return frontier.extend(row.leaf_hash for row in store.rows(anchor.position + 1, position))
