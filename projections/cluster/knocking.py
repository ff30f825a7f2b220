"""Asking at an address whether a Dask scheduler answers, before a client is made for it.

A client tries again and again where nobody listens, waits for ever where somebody does who never answers, and
complains once more when it is taken away.
"""

from __future__ import annotations

import asyncio
import socket
from importlib import import_module

from ledger.errors import Usage


def knock(address: str, seconds: float) -> None:
    """Connect to ``scheme://host:port``, ask as Dask does who is there, and go. Raises ``Usage`` for what is no address;
    ``OSError`` (a timeout is one), ``ValueError`` or ``TypeError`` (of certificates) where no scheduler answers."""
    addressing, registry = (import_module(f"distributed.comm.{name}") for name in ("addressing", "registry"))
    try:
        scheme, rest = addressing.parse_address(address)
        registry.get_backend(scheme)
        host, port = addressing.parse_host_port(rest)
        if not host or not 0 < port < 1 << 16:
            raise ValueError(rest)
    except ValueError:
        raise Usage(
            "is no address of a scheduler",
            where=address,
            remedy="write tcp://HOST:8786, as `dask scheduler` says it",
        ) from None
    # Refused at once, where Dask would try until the time is up.
    socket.create_connection((host, port), seconds).close()
    try:
        found = asyncio.run(asyncio.wait_for(_who(address, seconds), seconds))
    except TimeoutError:
        raise TimeoutError(f"somebody listens, and did not answer in {seconds:g} seconds") from None
    except import_module("distributed.comm").CommClosedError:
        raise ConnectionError("somebody listens, and hung up") from None
    except (OSError, TypeError):
        raise
    except Exception:  # whatever came was taken for lengths, and for what has such lengths
        raise ValueError("somebody else listens") from None
    if found != "Scheduler":
        raise ValueError(f"a {found.lower()} listens")


async def _who(address: str, seconds: float) -> str:
    """The kind of Dask's server that answers: ``Scheduler``, ``Worker``, ``Nanny``."""
    comm, core, security = (import_module(f"distributed.{name}") for name in ("comm", "core", "security"))
    certificates = security.Security().get_connection_args("client")
    connection = await comm.connect(address, timeout=seconds, **certificates)
    try:
        return str((await core.send_recv(connection, op="identity"))["type"])
    finally:
        connection.abort()
