"""Where a ledger lies: in a file, or in a schema of a PostgreSQL server.

What belongs to a ledger and never lies in its database (checkpoints, stamps, views) lies beside the file; for one on a
server in the user's data folder, under a name made of host, port, database and schema. A password is never shown.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from urllib.parse import parse_qsl, quote, unquote, urlencode

from ledger.errors import Usage

SCHEMA = "claims"
_URL = re.compile(
    r"(?P<scheme>postgres(?:ql)?)://(?:(?P<who>.*)@)?(?P<host>[^/?#]*)(?:/(?P<db>[^?#]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_ADDRESS = re.compile(r"postgres(?:ql)?://?[^:@/\s]*")
_PASSWORD = re.compile(r"\b([A-Za-z][A-Za-z0-9+.-]{1,20}://[^:@/\s]*):[^@/\s]*@")
_NAMED_PASSWORD = re.compile(r"([?&](?:ssl)?password=)[^&\s)]*")
_NAME = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,62}")
#: What is meant as an address, and is none: another scheme, or a slash too few (on Windows, ``C:`` is a drive).
_OTHER = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://|postgres(?:ql)?:", re.IGNORECASE)
_SHOWN = ("host", "port", "dbname", "service")


@dataclass(frozen=True)
class Server:
    """A ledger on a server. ``conninfo`` is what libpq is given, with the password if there is one; ``schema`` holds
    the ledger's tables. As text it is the URL without the password, and without what else libpq was told."""

    conninfo: str = field(repr=False)
    schema: str
    shown: str

    def __str__(self) -> str:
        return self.shown

    @classmethod
    def parse(cls, url: str) -> Server:
        """Read ``postgresql://[user[:password]@][host][:port][/database][?schema=NAME&…]``; all but ``schema`` is
        libpq's own. Raises ``Usage``."""
        found = _URL.fullmatch(url)
        if found is None:
            raise Usage(
                "is no address of a PostgreSQL database",
                where="postgresql://…",
                remedy="write postgresql://USER@HOST/DATABASE",
            )
        asked = parse_qsl(found["query"] or "", keep_blank_values=True)
        named = [value for name, value in asked if name == "schema"]
        if len(named) > 1:
            raise Usage(
                "a ledger has one schema, and the address names several",
                where="?schema=",
                remedy="leave one of them",
            )
        schema = named[0] if named else SCHEMA
        if not _NAME.fullmatch(schema):
            raise Usage(
                f"{schema!r} cannot be the name of a ledger's schema",
                where="?schema=",
                remedy="small letters, digits and _, at most 63, not beginning with pg_",
            )
        rest = [(name, value) for name, value in asked if name != "schema"]
        user = (found["who"] or "").partition(":")[0]
        where = f"{user}@{found['host']}" if user else found["host"]
        path = f"/{found['db']}" if found["db"] else ""
        told = [(name, value) for name, value in rest if name in _SHOWN]
        told += [("schema", schema)] if schema != SCHEMA else []
        who = f"{found['who']}@" if found["who"] is not None else ""
        return cls(
            conninfo=f"postgresql://{who}{found['host']}{path or '/'}{_query(rest)}",
            schema=schema,
            shown=f"postgresql://{where}{path or '/'}{_query(told)}",
        )

    @cached_property
    def beside(self) -> Path:
        """A path in the user's data folder that no file has; what belongs to the ledger lies beside it."""
        found = _URL.fullmatch(self.shown)
        assert found is not None
        asked = dict(parse_qsl(found["query"] or ""))
        host, _, port = found["host"].rpartition("@")[2].partition(":")
        host = host or asked.get("host") or os.environ.get("PGHOST") or "local"
        port = port or asked.get("port") or os.environ.get("PGPORT") or "5432"
        database = unquote(found["db"] or "") or asked.get("dbname") or os.environ.get("PGDATABASE") or ""
        names = "\n".join((unquote(host), port, database, asked.get("service", ""), self.schema))
        mark = sha256(names.encode(errors="surrogateescape")).hexdigest()[:12]
        words = re.sub(r"[^A-Za-z0-9_-]+", "-", f"{database or 'database'}-{self.schema}")[:60]
        return data_folder() / "postgres" / f"{words}-{mark}"


Location = Path | Server


def location(text: str | Path | Server) -> Location:
    """What a flag, a variable or a settings file named. Raises ``Usage`` for an address that is none."""
    if not isinstance(text, str):
        return text
    if text.startswith(("postgresql://", "postgres://")):
        return Server.parse(text)
    if found := _OTHER.match(text):
        raise Usage(
            f"{found[0]}… is neither a file nor an address that is known",  # no more of it: a password may follow
            where="the ledger",
            remedy="name a file, or write postgresql://USER@HOST/DATABASE",
        )
    return Path(text)


def masked(text: str) -> str:
    """A text without the passwords of the addresses in it."""
    return re.sub(r"\S+", _masked, text)


def _masked(found: re.Match[str]) -> str:
    word = found[0]
    if address := _ADDRESS.search(word):
        # Whatever stands before the last @ may be of the password, slashes too.
        begun, end = address.end(), word.rfind("@")
        if word[begun : begun + 1] == ":" and end > begun:
            word = word[:begun] + word[end:]
        word = _NAMED_PASSWORD.sub(r"\1…", word)
    return _PASSWORD.sub(r"\1@", word)


def beside(place: Location) -> Path:
    """The path beside which lies what belongs to a ledger: the database's own, where it is a file."""
    return place.beside if isinstance(place, Server) else place


def data_folder() -> Path:
    """The user's folder for what this program keeps."""
    base = os.environ.get("XDG_DATA_HOME")
    if base:
        return Path(base) / "claim-ledger"
    from platformdirs import user_data_path

    return user_data_path("claim-ledger")


def _query(pairs: list[tuple[str, str]]) -> str:
    return f"?{urlencode(pairs, quote_via=quote, safe='/,:')}" if pairs else ""
