"""The file of checkpoints beside a database: signed notes one behind the other, an empty line after each.

It only grows. A note is on the disk (fdatasync) before the append it vouches for is acknowledged, so that a database
that lost what was acknowledged is found out. What a crash left half written at the end was never acknowledged; it is
told from damage by its bytes: it must be the beginning of the very note that would have been written.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from ledger.disk import make_folder, sync_path
from ledger.errors import Locked, Unverified, WriteFailed
from ledger.places import Location, beside

END = b"\n\n"
_DASH = "\u2014 ".encode()
_TAIL = 1 << 17  # bytes read from the end: longer than any note of ours
_LONGEST_LINE = 1 << 16


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the file: the last whole note (None in an empty file), where it ends, and what follows it."""

    note: bytes | None
    end: int
    rest: bytes


class Journal:
    """The checkpoint file of the ledger at ``database``."""

    def __init__(self, database: Location) -> None:
        path = beside(database)
        self.path = path.with_name(f"{path.name}.checkpoints")
        self._file: BinaryIO | None = None
        self._turn = threading.Lock()

    def exists(self) -> bool:
        """Whether there is anything of that name, be it a link that leads nowhere."""
        return os.path.lexists(self.path)

    def tail(self) -> Tail:
        """The end of the file. Raises ``Unverified`` where there is none."""
        with self._opened() as file:
            return _tail(file, self.path)

    def notes(self) -> Iterator[bytes]:
        """Every whole note, in order; a half one at the end is left out."""
        with self._opened() as file:
            yield from _notes(file, str(self.path))

    @contextmanager
    def appending(self, timeout: float) -> Iterator[Appending]:
        """The file, locked against others who append; made where there is none. It stays open from one time to the
        next, unless another has taken its place. Raises ``WriteFailed`` or ``Locked``."""
        if not self._turn.acquire(
            timeout=timeout
        ):  # the file's own lock keeps other processes out, not other threads
            raise _waited(self.path, timeout)
        try:
            file, new = self._kept()
            _lock(file, self.path, timeout)
            try:
                yield Appending(file, self.path, new)
            finally:
                _unlock(file)
        finally:
            self._turn.release()

    def close(self) -> None:
        """Let go of the file. Harmless when done twice."""
        if self._file is not None:
            with suppress(OSError):  # every note in it is on the disk since it was written
                self._file.close()
            self._file = None

    def _kept(self) -> tuple[BinaryIO, bool]:
        """The open file, and whether it was made just now."""
        try:
            there = os.lstat(self.path)
        except FileNotFoundError:
            there = None
        except OSError as error:
            raise unwritten(self.path, error) from error
        if self._file is not None:
            kept = os.fstat(self._file.fileno())
            if there is not None and (kept.st_dev, kept.st_ino) == (there.st_dev, there.st_ino):
                return self._file, False
            self.close()
        try:
            make_folder(self.path.parent)  # it is there, unless the ledger lies on a server
            self._file = _plain(self.path, "ab+", os.O_RDWR | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            raise unwritten(self.path, error) from error
        return self._file, there is None

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            file = _plain(self.path, "rb", os.O_RDONLY)
        except FileNotFoundError:
            raise Unverified(
                "the ledger is signed, but its checkpoints are gone",
                where=str(self.path),
                remedy="Put them back; where they are lost, `claims checkpoint --new-origin` goes on without",
            ) from None
        except OSError as error:
            raise Unverified(f"cannot be read ({error.strerror})", where=str(self.path)) from error
        with file:
            yield file


class Appending:
    """The checkpoint file while this process alone appends to it."""

    def __init__(self, file: BinaryIO, path: Path, new: bool) -> None:
        self._file = file
        self._path = path
        self._new = new

    def size(self) -> int:
        """How long the file is now, in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def tail(self) -> Tail:
        return _tail(self._file, self._path)

    def append(self, note: bytes, after: int) -> None:
        """Write a note behind the first ``after`` bytes, which drops what a crash left there, and see it to the disk.
        Raises ``WriteFailed``; the file then ends where it did."""
        handle = self._file.fileno()
        try:
            os.ftruncate(handle, after)
            data = note + b"\n"
            while data:
                data = data[os.write(handle, data) :]
            _datasync(handle)
            if self._new:
                sync_path(self._path.parent)
        except OSError as error:
            try:
                os.ftruncate(handle, after)
            except OSError:
                pass  # the next append finds a beginning, and drops it
            raise unwritten(self._path, error) from error


def is_beginning(rest: bytes, expected: Callable[[int], bytes | None], origin: str) -> bool:
    """Whether what follows the last whole note can be one that a crash cut off: the beginning of the note that
    ``expected`` gives for the size it names (None where there is no such size), or of one whose size is cut off too.
    A disk may have grown the file and not filled it: zeros at the end count as not written."""
    rest = rest.rstrip(b"\0")
    head = f"{origin}\n".encode()
    if len(rest) <= len(head):
        return head.startswith(rest)
    size, line_end, _ = rest[len(head) :].partition(b"\n")
    if not rest.startswith(head) or not size.isdigit() or len(size) > 19:
        return False
    note = expected(int(size)) if line_end else None
    return (note is not None and (note + b"\n").startswith(rest)) if line_end else True


def unwritten(path: Path, error: OSError) -> WriteFailed:
    """The checkpoint is not on the disk, so nothing may be acknowledged."""
    return WriteFailed(
        f"the checkpoint could not be written ({error.strerror}): nothing is acknowledged",
        where=str(path),
        remedy="Free some space or mend the rights, then do the same again: what is already recorded is recognised",
    )


def _plain(path: Path, mode: str, flags: int) -> BinaryIO:
    """The file, opened, where it is one and stands here itself. A link could lead to somebody's other file, a pipe
    would be waited for, a device never ends. Raises ``Unverified`` for these, else ``OSError``."""
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise _no_file(path) from None
        raise
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _no_file(path)
    return cast(BinaryIO, open(handle, mode))


def _no_file(path: Path) -> Unverified:
    return Unverified(
        "the checkpoints are a link, a folder, a pipe or a device, which is not followed",
        where=str(path),
        remedy="Put the file itself there, or name the ledger where both lie (--db)",
    )


def _tail(file: BinaryIO, path: Path) -> Tail:
    length = file.seek(0, os.SEEK_END)
    begin = max(0, length - _TAIL)
    file.seek(begin)
    data = file.read(length - begin)
    end = _end_of_note(data, len(data))
    if end is None:
        if begin:
            raise Unverified("the file ends in something that is no checkpoint", where=str(path))
        return Tail(None, 0, data)
    before = _end_of_note(data, end - len(END))
    if before is None and begin:
        raise Unverified("the file ends in a checkpoint that is longer than any", where=str(path))
    return Tail(data[before or 0 : end - 1], begin + end, data[end:])


def _end_of_note(data: bytes, stop: int) -> int | None:
    """Where the last whole note before ``stop`` ends: an empty line after a signature."""
    while (at := data.rfind(END, 0, stop)) >= 0:
        line = data.rfind(b"\n", 0, at) + 1
        if data.startswith(_DASH, line):
            return at + len(END)
        stop = at + 1
    return None


def _notes(file: BinaryIO, where: str) -> Iterator[bytes]:
    note: list[bytes] = []
    while line := file.readline(_LONGEST_LINE):
        if line == b"\n" and note and note[-1].startswith(_DASH):
            yield b"".join(note)
            note = []
        else:
            note.append(line)
            if len(note) > 64:
                raise Unverified("there is something in it that is no checkpoint", where=where)


def _lock(file: BinaryIO, path: Path, timeout: float) -> None:
    """Wait for the others; the lock goes with the file."""
    try:
        import fcntl
    except ImportError:  # where there are no such locks, the database's own is all there is
        return
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise _waited(path, timeout) from None
        time.sleep(0.0005)


def _waited(path: Path, timeout: float) -> Locked:
    return Locked(
        f"somebody else has been writing a checkpoint for {timeout:g} s: nothing is acknowledged",
        where=str(path),
        remedy="Wait for it, then do the same again: what is already recorded is recognised",
    )


def _unlock(file: BinaryIO) -> None:
    try:
        import fcntl
    except ImportError:
        return
    if not file.closed:
        fcntl.flock(file, fcntl.LOCK_UN)


def _datasync(handle: int) -> None:
    (getattr(os, "fdatasync", None) or os.fsync)(handle)
