"""Which of some rows could not be recorded, since what it is called is taken; the database only says that one could not."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.errors import Conflict
from ledger.store.base import NewRow, Reader


def conflict(reader: Reader, rows: Sequence[NewRow], where: str) -> Conflict | None:
    """The first row whose (stream, version) or key is taken, by an earlier one of the same batch or by what is recorded."""
    seen: set[object] = set()
    for row in rows:
        name = (row.stream, row.version)
        at = next((old.position for old in reader.stream(row.stream) if old.version == row.version), None)
        if at or name in seen:
            return _taken(f"{row.stream} version {row.version}", at, where)
        seen.add(name)
        if row.key is None:
            continue
        at = reader.position_of_key(row.key)
        if at or row.key in seen:
            return _taken(f"the key {row.key!r}", at, where)
        seen.add(row.key)
    return None


def _taken(what: str, at: int | None, where: str) -> Conflict:
    by = f"recorded at #{at}" if at else "taken by another row of the same batch"
    return Conflict(f"{what} is already {by}", where=where)
