"""What we make of the record: folds over a ledger's events, and the beliefs read off them.

A logic of your own is one file that imports from here::

    from projections import Logic

    def maps_only(piece, source):
        return 1.0 if source.kind == "map" else 0.0

    logic = Logic("maps-only", version=1, weigh=maps_only)
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from projections.belief.base import Logic
    from projections.belief.params import Params
    from projections.engine import Projection

__all__ = ["Logic", "Params", "Projection"]

_HOME = {"Logic": "belief.base", "Params": "belief.params", "Projection": "engine"}


def __getattr__(name: str) -> Any:
    """Import on first use: a look-up must not pay for what only a logic needs."""
    if name in _HOME:
        from importlib import import_module

        return getattr(import_module(f"projections.{_HOME[name]}"), name)
    raise AttributeError(f"module 'projections' has no attribute {name!r}")
