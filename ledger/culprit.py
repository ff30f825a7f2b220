"""After a command came to grief on something that no program of ours writes: which row of the ledger it was.

Reading trusts that a row's fields have the types they were recorded with. Where somebody wrote rows of his own into
the file, that costs the answer, and what is said must name the row instead of the line of code that met it.
"""

from __future__ import annotations

import orjson
from pydantic import ValidationError

from ledger.backup import event_of
from ledger.errors import LedgerError, Unverified
from ledger.events import Body
from ledger.places import Location
from ledger.store.base import SealedBody
from ledger.store.door import open_store

_REMEDY = "Keep this file as evidence, and restore a backup or an export"


def culprit(path: Location) -> LedgerError | None:
    """The first row that this program could not have written, as an error; None where there is none."""
    try:
        with open_store(path, readonly=True) as store:
            for row in store.rows():
                event_of(row)
            for position, body in store.bodies():
                _check(position, body)
    except LedgerError as error:
        where = ": ".join(filter(None, (str(path), error.where)))
        return Unverified(error.what, where=where, remedy=_REMEDY)
    return None


def _check(position: int, body: object) -> None:
    if isinstance(body, SealedBody):
        try:
            Body.model_validate(orjson.loads(body.text))
        except (orjson.JSONDecodeError, ValidationError):
            raise Unverified("the body has other fields than a body has", where=f"#{position}") from None
