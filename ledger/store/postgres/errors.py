"""PostgreSQL's errors in our words: what went wrong, where, and what helps. No password is ever in them."""

from __future__ import annotations

import psycopg
from psycopg import errors as pg

from ledger.errors import Conflict, LedgerError, Locked, NoLedger, Unverified, Usage, WriteFailed

_AGAIN = "Do the same again: what is already recorded is recognised"
_LONGEST = 300
_EVIDENCE = "Keep the database as evidence, and restore a backup or an export"

#: Ways in which a connection fails: what the server or libpq says, what helps.
_UNREACHED = (
    ("password", "Check user and password (PGPASSWORD, or a password file)"),
    ("no pg_hba.conf entry", "Ask the server's owner to let this user in"),
    ("role ", "Name a role that exists: postgresql://ROLE@HOST/DATABASE"),
    ("could not translate host name", "Check the host's name"),
    ("invalid", "Check the address: postgresql://USER@HOST:PORT/DATABASE"),
    ("the database system is", "The server is starting or stopping: try again in a moment"),
    ("too many", "Wait until others let go of their connections, then try again"),
)


def lost(error: psycopg.Error) -> bool:
    """Whether the connection is gone, so that nobody knows what became of what was under way."""
    if isinstance(error, pg.AdminShutdown | pg.CrashShutdown | pg.IdleInTransactionSessionTimeout):
        return True
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and error.sqlstate is None


def unreached(error: psycopg.Error, where: str) -> LedgerError:
    """No connection could be made."""
    if isinstance(error, psycopg.ProgrammingError):  # libpq repeats the address, and with it the password
        said = str(error)
        named = said if said.startswith("invalid URI query parameter") else "libpq cannot read it"
        return Usage(
            f"is no address of a PostgreSQL database ({named.strip()})",
            where=where,
            remedy="write postgresql://USER@HOST:PORT/DATABASE, and special characters as %XX",
        )
    text = str(error)
    if 'database "' in text and "does not exist" in text:
        return NoLedger(
            "there is no such database", where=where, remedy="Make it first, for example with createdb"
        )
    remedy = next(
        (help for said, help in _UNREACHED if said in text), "Start the server, or check its address"
    )
    return LedgerError(f"the server cannot be asked ({_one_line(error)})", where=where, remedy=remedy)


def translate(error: psycopg.Error, where: str, *, writing: bool) -> Exception:
    """The error of ours for one of PostgreSQL's."""
    if lost(error):
        if writing:
            return WriteFailed(
                f"the connection was lost, and nothing is acknowledged ({_one_line(error)})",
                where=where,
                remedy=_AGAIN,
            )
        return LedgerError(
            f"the connection was lost ({_one_line(error)})", where=where, remedy="Try again in a moment"
        )
    match error:
        case pg.LockNotAvailable() | pg.DeadlockDetected():
            return Locked("somebody else is using it", where=where, remedy="Wait for it, then try again")
        case pg.UniqueViolation():
            return Conflict(f"already recorded ({_one_line(error)})", where=where)
        case pg.InsufficientPrivilege():
            return not_allowed(_one_line(error), where)
        case pg.UndefinedTable() | pg.UndefinedColumn() | pg.UndefinedFunction():
            return Unverified(
                f"a table is not as it was made ({_one_line(error)})", where=where, remedy=_EVIDENCE
            )
        case pg.DataCorrupted() | pg.IndexCorrupted():
            return Unverified(f"the database is damaged ({_one_line(error)})", where=where, remedy=_EVIDENCE)
        case pg.ReadOnlySqlTransaction():
            return WriteFailed(
                "can only be read here", where=where, remedy="Write to the server that takes writes"
            )
        case pg.DiskFull() | pg.OutOfMemory():
            return WriteFailed(
                f"could not write: {_one_line(error)}", where=where, remedy=f"Free some space. {_AGAIN}"
            )
        case psycopg.IntegrityError() | psycopg.DataError() | pg.ProgramLimitExceeded() | pg.RaiseException():
            return WriteFailed(f"a row does not fit the table ({_one_line(error)})", where=where)
        case _ if writing:
            return WriteFailed(f"could not write: {_one_line(error)}", where=where, remedy=_AGAIN)
        case _:
            return LedgerError(f"could not read: {_one_line(error)}", where=where)


def not_allowed(what: str, where: str) -> LedgerError:
    """The role that was connected as has fewer rights than this takes."""
    return LedgerError(
        f"this role may not do that ({what})",
        where=where,
        remedy="Connect as a role that may: `claims init --roles` makes a reader, an appender and an owner",
    )


def _one_line(error: psycopg.Error) -> str:
    """What the server said, without the place in our statement and without libpq's own preamble."""
    said = error.diag.message_primary or str(error).strip()
    text = " ".join((said.splitlines() or [type(error).__name__])[-1 if "FATAL" in said else 0].split())
    text = text.rpartition("FATAL: ")[2].strip() or type(error).__name__
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
