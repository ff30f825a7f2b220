"""Who listens where a Dask scheduler should."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from ledger.errors import Usage
from projections.cluster.knocking import knock
from tests.conftest import CommandLine

pytest.importorskip("distributed")

AT_ONCE = 5.0
GONE = "somebody listens, and (hung up|did not answer)"


@contextmanager
def listening(answer: Callable[[socket.socket], object]) -> Iterator[str]:
    """The address of somebody on this machine who does that to whoever comes."""
    kept = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                kept.append(door.accept()[0])
                with suppress(OSError):
                    answer(kept[-1])

    with closing(socket.create_server(("127.0.0.1", 0))) as door:
        threading.Thread(target=serve, daemon=True).start()
        yield f"tcp://127.0.0.1:{door.getsockname()[1]}"
    for one in kept:
        one.close()


def test_somebody_who_never_answers_is_not_waited_for() -> None:
    with listening(lambda one: None) as address, pytest.raises(TimeoutError, match=r"in 0\.5 seconds"):
        knock(address, 0.5)


def test_somebody_who_hangs_up_is_no_scheduler() -> None:
    """At times Dask does not notice, and it is as if nobody answered."""
    with listening(lambda one: one.close()) as address, pytest.raises(OSError, match=GONE):
        knock(address, 1.0)


@pytest.mark.parametrize("greeting", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 9, b"\xff" * 64, b"\x00" * 64])
def test_somebody_who_speaks_something_else_is_no_scheduler(greeting: bytes) -> None:
    with (
        listening(lambda one: one.sendall(greeting)) as address,
        pytest.raises(ValueError, match="somebody else listens"),
    ):
        knock(address, AT_ONCE)


def test_nobody_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        knock(f"tcp://127.0.0.1:{port}", AT_ONCE)


@pytest.mark.parametrize(
    "address",
    [
        "nonsense",
        "",
        "8786",
        "tcp://",
        "tcp://:8786",
        "tcp://h:port",
        "tcp://h:0",
        "tcp://h:65536",
        "tcp://h:1/status",
        "tcp://[::1",
        "ftp://h:1",
        "http://h:8787/status",
    ],
)
def test_what_is_no_address_is_refused_before_anybody_is_asked(address: str) -> None:
    with pytest.raises(Usage, match="is no address of a scheduler"):
        knock(address, AT_ONCE)


def test_the_command_line_says_so_in_one_line(claims: CommandLine, demo: str) -> None:
    engine = ("replay", "--db", demo, "--engine", "dask", "--scheduler")
    said = claims.run(*engine, "nonsense", ok=2)
    assert (
        said.err
        == "claims: nonsense: is no address of a scheduler. Write tcp://HOST:8786, as `dask scheduler` says it\n"
    )
    with listening(lambda one: one.close()) as address:
        said = claims.run(*engine, address, ok=1)
    assert re.match(rf"claims: {address}: no scheduler can be reached there \({GONE}", said.err)
    assert said.err.count("\n") == 1
