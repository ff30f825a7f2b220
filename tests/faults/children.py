"""The command line in a forked child: the same code as the console script, without the start of Python."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

import orjson

from projections.cli import COMMANDS, run
from tests.faults.ground import Ack, Ground

_CRASHED = 70


@dataclass(slots=True)
class Ended:
    """How a command ended: its wait status and its streams."""

    status: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        return os.WIFSIGNALED(self.status)

    @property
    def code(self) -> int:
        return os.waitstatus_to_exitcode(self.status)

    def receipts(self) -> list[Ack]:
        """What it acknowledged with ``--json``; a receipt that was not printed whole is none."""
        try:
            return [(one["position"], one["entry"]) for one in orjson.loads(self.out)["receipts"]]
        except (orjson.JSONDecodeError, KeyError):
            return []

    def rudeness(self) -> str | None:
        """What is wrong with how it failed: anything but one line that begins with the program's name."""
        said = [line for line in self.err.splitlines() if line.strip()]
        if "Traceback" in self.err:
            return f"a traceback: {said[-1]}"
        if not self.killed and self.code and (len(said) != 1 or not said[0].startswith("claims: ")):
            return f"exit {self.code}, and said {self.err!r}"
        return None


class Command:
    """``claims ARGV`` in a child. It begins when ``go`` is called, after ``before`` was run in it."""

    def __init__(self, here: Ground, *argv: object, before: Callable[[], object] | None = None) -> None:
        self._out, self._err = here.folder / "stdout", here.folder / "stderr"
        self._status: int | None = None
        import_module(COMMANDS.get(str(argv[0]), "projections.cli"))  # here, so that it is done once
        waiting, self._going = os.pipe()
        self.id = os.fork()
        if not self.id:
            os.close(self._going)
            self._run(list(map(str, argv)), waiting, before)
        os.close(waiting)

    def go(self) -> Command:
        os.write(self._going, b"go")
        return self

    def kill(self) -> None:
        """kill -9; one that has ended already stays what it is."""
        if self._status is None:
            os.kill(self.id, signal.SIGKILL)

    def kill_after(self, seconds: float) -> None:
        """kill -9 when so much time is over, unless it ends before."""
        until = time.monotonic() + seconds
        while self._status is None and (left := until - time.monotonic()) > 0:
            ended, status = os.waitpid(self.id, os.WNOHANG)
            if ended:
                self._status = status
                os.close(self._going)
            time.sleep(min(left, 0.005))
        self.kill()

    def wait(self) -> Ended:
        """Its end, and what it said until then."""
        if self._status is None:
            _, self._status = os.waitpid(self.id, 0)
            os.close(self._going)
        return Ended(self._status, self._out.read_text(), self._err.read_text())

    def _run(self, argv: list[str], waiting: int, before: Callable[[], object] | None) -> None:
        code = _CRASHED
        try:
            for stream, path in ((1, self._out), (2, self._err)):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), stream)
            sys.stdout, sys.stderr = (os.fdopen(stream, "w", encoding="utf-8") for stream in (1, 2))
            if before is not None:
                before()
            os.read(waiting, 2)
            code = run(argv)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)  # nothing of the parent's is to be ended here


def said_by(here: Ground, *argv: object, before: Callable[[], object] | None = None) -> Ended:
    """Run a command to its end."""
    return Command(here, *argv, before=before).go().wait()
