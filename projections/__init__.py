"""What we make of the record: folds over a ledger's events, and the beliefs read off them.

A logic of your own is one file that imports from here::

    from projections import Logic

    def maps_only(piece, source):
        return 1.0 if source.kind == "map" else 0.0

    logic = Logic("maps-only", version=1, weigh=maps_only)
"""

from projections.belief.base import Logic
from projections.belief.params import Params
from projections.engine import Projection

__all__ = ["Logic", "Params", "Projection"]
