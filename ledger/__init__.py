"""What was said, by whom, when; and that nobody changed it since.

``Ledger`` appends and reads; ``Draft`` is an event on its way in; events are in ``ledger.events``. Nothing
here interprets a claim: that is what ``projections`` is for, and it is never imported from here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ledger.book import Draft, Ledger, Receipt

__all__ = ["Draft", "Ledger", "Receipt"]


def __getattr__(name: str) -> Any:
    """Import on first use: a look-up must not pay for what only an append needs."""
    if name in __all__:
        from ledger import book

        return getattr(book, name)
    raise AttributeError(f"module 'ledger' has no attribute {name!r}")
