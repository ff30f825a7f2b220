"""One door to both stores: a ledger is opened and made where a place says, in a file or on a server.

psycopg is imported only for a place on a server; who keeps ledgers in files never needs it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.errors import LedgerError, NoLedger, Usage
from ledger.places import Location, Server
from ledger.settings import lock_timeout

if TYPE_CHECKING:
    from ledger.store.base import Head
    from ledger.store.postgres.store import PostgresStore
    from ledger.store.sqlite.store import SqliteStore

    AnyStore = PostgresStore | SqliteStore


def open_store(place: Location, *, readonly: bool = False) -> AnyStore:
    """Open what is there; never creates. Raises ``NoLedger``, ``Unverified``, and ``Usage`` without the extra."""
    if isinstance(place, Server):
        return _postgres().open(place, readonly=readonly, timeout=lock_timeout())
    from ledger.store.sqlite.store import SqliteStore

    return SqliteStore.open(place, readonly=readonly, timeout=lock_timeout())


def create_store(place: Location) -> AnyStore:
    """Make an empty store. Raises ``LedgerError`` where something is in the way."""
    if isinstance(place, Server):
        return _postgres().create(place, timeout=lock_timeout())
    from ledger.store.sqlite.store import SqliteStore

    return SqliteStore.create(place, timeout=lock_timeout())


def empty_store(place: Location) -> AnyStore:
    """A new store; or one that is there and holds nothing, because whoever made it died before its opening."""
    try:
        return create_store(place)
    except NoLedger:
        raise
    except LedgerError:
        if not holds_nothing(place):
            raise
        return open_store(place)


def holds_nothing(place: Location) -> bool:
    """Whether there is a ledger at a place in which nothing was recorded yet."""
    try:
        with open_store(place, readonly=True) as store:
            return store.head().size == 0
    except LedgerError:
        return False


def exists(place: Location) -> bool:
    """Whether there is something at a place, be it a ledger or not. Raises ``LedgerError`` where that cannot be told."""
    if not isinstance(place, Server):
        return place.exists()
    try:
        with open_store(place, readonly=True):
            return True
    except NoLedger:
        return False


def discard(place: Location, ledger: str | None = None, *, head: Head | None = None) -> None:
    """Take away a ledger that nobody was told of. On a server, only while it is empty, holds no more than the opening of
    ``ledger``, or stands at ``head``: somebody else may have made theirs meanwhile."""
    if not isinstance(place, Server):
        place.unlink(missing_ok=True)
        return
    try:
        with _postgres().open(place, timeout=lock_timeout()) as store:
            store.discard(ledger, head)
    except LedgerError:
        return  # it is not there, or cannot be told


def make_roles(place: Location, prefix: str, *, dry_run: bool = False) -> list[str]:
    """Make the roles of a ledger on a server; their names: reader, appender, owner. Raises ``Usage`` for a file, or a
    prefix that is none, which ``dry_run`` does and no more."""
    if not isinstance(place, Server):
        raise Usage(
            "a file has no roles",
            where="--roles",
            remedy="give the rights of the file, or name postgresql://…",
        )
    _postgres()
    from ledger.store.postgres import roles as postgres_roles

    roles = postgres_roles.Roles.named(prefix)
    if not dry_run:
        postgres_roles.make(place, roles, timeout=lock_timeout())
    return [roles.reader, roles.appender, roles.owner]


def _postgres() -> type[PostgresStore]:
    try:
        from ledger.store.postgres.store import PostgresStore
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in (
            "psycopg",
            "psycopg_pool",
            "psycopg_binary",
            "psycopg_c",
            "",
        ):
            raise
        raise Usage(
            "a ledger on a PostgreSQL server needs another package",
            remedy="install the extra: pip install 'claim-ledger[postgres]'",
        ) from None
    return PostgresStore
