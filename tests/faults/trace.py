"""Every file operation of a process below one folder, recorded with strace and read into ``disk.Op``.

The process may have threads but no children, and names files by absolute paths. What it prints is recorded in the
same order, so that it is known what was acknowledged when.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tests.faults.disk import Op

_CALLS = (
    "open,openat,creat,close,dup,dup2,dup3,write,pwrite64,writev,pwritev,pwritev2,lseek,fsync,fdatasync,"
    "sync_file_range,ftruncate,truncate,fallocate,unlink,unlinkat,rename,renameat,renameat2,link,linkat,"
    "symlink,symlinkat,mkdir,mkdirat,rmdir,copy_file_range,sendfile,fcntl"
)
_LINE = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
#: SQLite's index of a log in memory: made anew by the first who opens the database, so no part of the record.
_IGNORED = ("-shm",)


def missing() -> str | None:
    """Why nothing can be traced here, None where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, check=False)
    return None if tried.returncode == 0 else "strace may not trace here"


def record(command: Sequence[str], root: Path, log: Path, environ: Mapping[str, str]) -> list[Op]:
    """Run a command and return its operations below ``root``. Raises ``RuntimeError`` where it fails."""
    strace = ["strace", "-f", "-qq", "-xx", "-s", "10000000", "-e", f"trace={_CALLS}", "-e", "signal=none"]
    done = subprocess.run(
        [*strace, "-o", str(log), *command],
        env={**environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(f"{command[-1]} ended with {done.returncode}: {done.stderr[-500:]}")
    with log.open() as lines:
        return list(_Reading(str(root)).read(_whole(lines)))


def _whole(lines: Iterable[str]) -> Iterator[str]:
    """Lines that a switch between threads tore apart are put together again, where they ended."""
    begun: dict[str, str] = {}
    for line in lines:
        thread, _, rest = line.partition(" ")
        if "<unfinished ...>" in rest:
            begun[thread] = line.partition("<unfinished ...>")[0].rstrip()
        elif "resumed>" in rest:
            yield begun.pop(thread) + rest.partition("resumed>")[2]
        else:
            yield line


class _Reading:
    """Follows descriptors, lengths and places in files through the lines of one trace."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: dict[int, str] = {1: "stdout"}  # descriptor → path, of those that matter
        self._appends: dict[int, bool] = {}
        self._places: dict[int, int] = {}
        self._names: dict[str, int] = {}  # path → node
        self._nodes: dict[int, int] = {}  # descriptor → node
        self._lengths: dict[int, int] = {}
        self._last = 0

    def read(self, lines: Iterable[str]) -> Iterator[Op]:
        for line in lines:
            found = _LINE.match(line)
            if found is None or int(found[3]) < 0:
                continue
            call, arguments, result = found[1], found[2], int(found[3])
            yield from self._one(call, arguments, result)

    def _one(self, call: str, arguments: str, result: int) -> Iterator[Op]:
        paths = [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]
        if call in ("open", "openat", "creat"):
            yield from self._opened(paths[0].decode(), arguments, result, call)
        elif call in ("mkdir", "mkdirat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2"):
            yield from self._named(call, [path.decode() for path in paths])
        elif call in ("link", "linkat") and self._ours(paths[1].decode()):
            node = self._names[paths[1].decode()] = self._names[paths[0].decode()]
            yield Op("name", node, paths[1].decode())
        elif call in ("link", "linkat", "symlink", "symlinkat", "truncate"):
            if any(self._ours(path.decode()) for path in paths):
                raise ValueError(f"{call} is not modelled")
        else:
            descriptor = int(arguments.split(",")[0])
            if call == "close":
                self._open.pop(descriptor, None)
            elif descriptor in self._open:
                yield from self._used(call, descriptor, arguments, b"".join(paths), result)

    def _ours(self, path: str) -> bool:
        return path.startswith(self._root) and not path.endswith(_IGNORED)

    def _opened(self, path: str, arguments: str, descriptor: int, call: str) -> Iterator[Op]:
        self._open.pop(descriptor, None)
        if not self._ours(path):
            return
        self._open[descriptor] = path
        self._appends[descriptor], self._places[descriptor] = "O_APPEND" in arguments, 0
        if (
            Path(path).is_dir()
            or "O_DIRECTORY" in arguments
            or ("O_CREAT" not in arguments and path not in self._names)
        ):
            self._nodes[descriptor] = 0
            return
        if path not in self._names:
            self._last += 1
            self._names[path], self._lengths[self._last] = self._last, 0
            yield Op("name", self._last, path)
        node = self._nodes[descriptor] = self._names[path]
        if "O_TRUNC" in arguments or call == "creat":
            yield from self._sized(node, 0)

    def _sized(self, node: int, length: int) -> Iterator[Op]:
        if self._lengths[node] != length:
            self._lengths[node] = length
            yield Op("size", node, at=length)

    def _named(self, call: str, paths: list[str]) -> Iterator[Op]:
        if not any(map(self._ours, paths)):
            return
        if call.startswith("mkdir"):
            self._last += 1
            yield Op("folder", self._last, paths[0])
        elif call.startswith("rename"):
            self._names[paths[1]] = self._names.pop(paths[0])
            yield Op("rename", path=paths[0], to=paths[1])
        else:
            self._names.pop(paths[0], None)
            yield Op("unname", path=paths[0])

    def _used(self, call: str, descriptor: int, arguments: str, data: bytes, result: int) -> Iterator[Op]:
        path = self._open[descriptor]
        if path == "stdout":
            if call == "write":
                yield Op("said", data=data[:result])
            return
        node = self._nodes[descriptor]
        if call in ("fsync", "fdatasync"):
            yield Op("sync", node, path)
        elif call == "lseek":
            self._places[descriptor] = result
        elif call in ("pwrite64", "pwritev", "pwritev2"):
            yield from self._written(node, int(arguments.rsplit(",", 1)[1]), data[:result])
        elif call in ("write", "writev"):
            at = self._lengths[node] if self._appends[descriptor] else self._places[descriptor]
            self._places[descriptor] = at + result
            yield from self._written(node, at, data[:result])
        elif call == "ftruncate":
            yield from self._sized(node, int(arguments.split(",")[1]))
        elif call == "fallocate":
            mode, at, length = (
                int(part, 0) if part.strip().isdigit() else -1 for part in arguments.split(",")[1:]
            )
            if mode != 0:
                raise ValueError("this fallocate is not modelled")
            yield from self._sized(node, max(self._lengths[node], at + length))
        elif call != "fcntl":
            raise ValueError(f"{call} is not modelled")

    def _written(self, node: int, at: int, data: bytes) -> Iterator[Op]:
        self._lengths[node] = max(self._lengths[node], at + len(data))
        yield Op("write", node, at=at, data=data)
