"""Roles with no more rights than their work takes: who reads, who appends, who owns.

Three roles that nobody logs in as; people and programs are made members (``GRANT desk_appender TO anna``).

========= ====================================================================================
role      may
========= ====================================================================================
reader    read
appender  read; insert; and change the one row of the head, which a trigger lets only grow
owner     all of it: erase bodies, say who signs, rewrite tables. The tables are its own
========= ====================================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg

from ledger.errors import Usage
from ledger.store.postgres import shelf
from ledger.store.postgres.errors import translate
from ledger.store.postgres.pool import LedgerDatastore
from ledger.store.postgres.schema import TABLES

if TYPE_CHECKING:
    from ledger.places import Server

_PREFIX = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,50}")
_INSERTED = tuple(table for table in TABLES if table not in ("ledger_head", "ledger_setting"))


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the three."""

    reader: str
    appender: str
    owner: str

    @classmethod
    def named(cls, prefix: str) -> Roles:
        """Their names under a prefix. Raises ``Usage`` for one that cannot be part of a name."""
        if not _PREFIX.fullmatch(prefix):
            raise Usage(
                f"{prefix!r} cannot begin the names of roles",
                where="--roles",
                remedy="small letters, digits and _, at most 51, not beginning with pg_",
            )
        return cls(f"{prefix}_reader", f"{prefix}_appender", f"{prefix}_owner")


def make(server: Server, roles: Roles, *, timeout: float) -> None:
    """Make the roles where there are none yet, and give them their rights on a ledger, in one transaction; done again
    it changes nothing. Raises ``LedgerError`` for a role that may not do that."""
    datastore = LedgerDatastore(server, readonly=False, timeout=timeout)
    try:
        with datastore.locked() as (connection, _):
            for name in (roles.reader, roles.appender, roles.owner):
                there = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone()
                if there is None:
                    connection.execute(f'CREATE ROLE "{name}" NOLOGIN')
            connection.execute(
                f'GRANT "{roles.owner}" TO CURRENT_USER'
            )  # who gives a thing away must be one who gets it
            shelf.hand_over(connection, server.schema, roles.owner, (roles.reader, roles.appender))
            for statement in _statements(server.schema, roles):
                connection.execute(statement)
            connection.execute("COMMIT")
    except psycopg.Error as error:
        raise translate(error, datastore.where, writing=True) from error
    finally:
        datastore.close()


def _statements(schema: str, roles: Roles) -> list[str]:
    tables = ", ".join(TABLES)
    return [
        f'REVOKE ALL ON SCHEMA "{schema}" FROM PUBLIC',
        f"REVOKE ALL ON {tables} FROM PUBLIC",
        f'GRANT USAGE ON SCHEMA "{schema}" TO "{roles.reader}", "{roles.appender}"',
        f'GRANT SELECT ON {tables} TO "{roles.reader}", "{roles.appender}"',
        f'GRANT INSERT ON {", ".join(_INSERTED)} TO "{roles.appender}"',
        f'GRANT UPDATE (size, frontier, recorded, marks) ON ledger_head TO "{roles.appender}"',
        f'ALTER SCHEMA "{schema}" OWNER TO "{roles.owner}"',
        *(f'ALTER TABLE {table} OWNER TO "{roles.owner}"' for table in TABLES),
        *(f'ALTER FUNCTION {name}() OWNER TO "{roles.owner}"' for name in ("ledger_refuse", "ledger_grow")),
    ]
