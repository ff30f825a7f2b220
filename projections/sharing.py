"""Views of a ledger on a server that its owner made once for everybody: each version in a schema of its own.

Look-ups read a file on this machine, as with any ledger. Where there is none yet, the shared view of just this logic is
copied into one, if it fits the record; what was recorded since is added as ever. A view is no part of the record, and
nothing signs it: who does not trust the ledger's owner replays.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ledger.places import Location, Server
from projections import lookup
from projections.anchor import Anchor

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ledger.store.postgres.shelf import Shelf, Table
    from projections.registry import Loaded
    from projections.view import View
    from projections.views import Progress

#: Tables of a view, but for what marks one that is being made.
_TABLES = ("meta", "quarantine", "spot", "score", "estimate", "choked", "unscored", "spelling", "redated")


class Shared:
    """What is shared of the views of one ledger on a server."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def fetch(
        self,
        loaded: Loaded,
        path: Path,
        empty: Callable[[Path], View],
        fits: Callable[[Anchor], bool],
        tell: Progress,
    ) -> bool:
        """Copy the shared view of a logic to where there is none; whether there was one that fits. ``empty`` makes one
        with its tables and no rows."""
        from ledger.store.postgres import shelf

        with shelf.kept(self.server, _mark(loaded)) as found:
            if found is None or found.label != _label(loaded):
                return False
            part = path.with_name(f".{path.name}.{os.getpid()}.fetched")
            part.unlink(missing_ok=True)
            view = empty(part)
            try:
                with view.transaction():
                    if not _copied(found, view, lambda: _is_of(view, loaded, fits), tell):
                        return False
                view.close()
                os.replace(part, path)
                return True
            except sqlite3.DatabaseError:  # rows that are none of such a view
                return False
            finally:
                view.close()
                part.unlink(missing_ok=True)

    def check(self) -> None:
        """Raise ``LedgerError`` for a role that may not share."""
        from ledger.store.postgres import shelf

        shelf.check(self.server)

    def share(self, loaded: Loaded, view: View) -> str:
        """Keep a view on the server for everybody; the name of its schema. Raises ``LedgerError`` for a role that may
        not."""
        from ledger.store.postgres import shelf

        return shelf.put(self.server, _mark(loaded), _label(loaded), _contents(view.db))


def of(place: Location) -> Shared | None:
    """What may be shared of a ledger's views; None for a file, beside which they lie."""
    return Shared(place) if isinstance(place, Server) else None


def _copied(found: Shelf, view: View, wanted: Callable[[], bool], tell: Progress) -> bool:
    """Copy all rows; False where the view is not the ``wanted`` one."""
    done = 0
    for table in _TABLES:
        columns = [name for name, _ in _columns(view.db, table)]
        put = f"INSERT OR REPLACE INTO {table} VALUES ({', '.join('?' * len(columns))})"
        for some in found.rows(table, columns) if columns else ():
            view.db.executemany(put, some)
            done += len(some)
            tell("fetching the shared view", done, done)
        if table == "meta":
            if not wanted():
                return False
            if view.db.execute("SELECT 1 FROM meta WHERE name = 'lookup'").fetchone():
                for statement in lookup.TABLES:
                    view.db.execute(statement)
    return True


def _is_of(view: View, loaded: Loaded, fits: Callable[[Anchor], bool]) -> bool:
    stamp = view.stamp()
    return stamp is not None and stamp.fingerprint == loaded.fingerprint and fits(stamp.anchor)


def _mark(loaded: Loaded) -> str:
    return f"{loaded.logic.id}\n{loaded.fingerprint}\n{loaded.given}"


def _label(loaded: Loaded) -> str:
    return f"claim-ledger view {loaded.logic.id} {loaded.fingerprint}"


def _contents(db: sqlite3.Connection) -> Iterator[Table]:
    from ledger.store.postgres.shelf import Table

    for name in _TABLES:
        columns = _columns(db, name)
        if columns:
            yield Table(name, columns, db.execute(f"SELECT * FROM {name} ORDER BY 1"))


def _columns(db: sqlite3.Connection, table: str) -> Sequence[tuple[str, str]]:
    """The columns of a table, each with its type; none where there is no such table."""
    return [(name, kind) for _, name, kind, *_ in db.execute(f"PRAGMA table_info({table})")]
