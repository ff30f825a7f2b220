"""What a disk may hold after a power cut, given the operations before it.

A model that is stricter than the usual file systems, and kept to what POSIX grants:

* What ``fsync`` or ``fdatasync`` of a file covered is there: its bytes and its length, but not its name.
* Each write since then is, for itself, dropped, kept, or torn: a random number of its 512-byte sectors from the
  front arrived. Later writes may survive earlier ones. Truncations are kept or dropped.
* The length is metadata of its own: it may be any that the file had since its last sync, whatever became of the
  bytes. What a longer length covers and no write filled is zeros.
* Making, renaming and removing a name is sure once its *folder* was synced. Before that they survive in their
  order up to a random point (a journalling file system keeps the order; ext4 would also make them sure by the
  sync of any file, which is not counted on here). So a removed rollback journal can come back, which is what
  SQLite's ``synchronous=EXTRA`` guards against.
* Overwriting part of a sector never harms the rest of it (SQLite assumes this as well).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

SECTOR = 512


class Op(NamedTuple):
    """One recorded operation. ``kind`` says which of the others it fills: ``write`` (node, at, data), ``size``
    (node, at), ``sync`` (node), ``name`` (node, path), ``folder`` (node, path), ``unname`` (path), ``rename``
    (path, to), ``said`` (data: what the process printed)."""

    kind: str
    node: int = 0
    path: str = ""
    to: str = ""
    at: int = 0
    data: bytes = b""


@dataclass(slots=True)
class _File:
    sure: bytearray = field(default_factory=bytearray)
    pending: list[Op] = field(default_factory=list)

    def sync(self) -> None:
        for op in self.pending:
            _apply(self.sure, op)
        self.pending.clear()

    def after(self, chance: Random) -> bytes:
        """The bytes that a cut now leaves."""
        left, lengths = bytearray(self.sure), {len(self.sure)}
        longest = len(self.sure)
        usual = chance.choice(("dropped", "kept", "any", "any", "any"))
        for op in self.pending:
            longest = op.at if op.kind == "size" else max(longest, op.at + len(op.data))
            lengths.add(longest)
            fate = chance.choice(("dropped", "kept", "torn")) if usual == "any" else usual
            if fate == "kept" or (fate == "torn" and op.kind == "size"):
                _apply(left, op)
            elif fate == "torn":
                _apply(left, op._replace(data=_torn(op, chance)))
        if usual == "any" and len(lengths) > 1 and chance.random() < 0.5:
            length = chance.choice(sorted(lengths))
            left = left[:length] + bytes(max(0, length - len(left)))
        return bytes(left)


def _torn(op: Op, chance: Random) -> bytes:
    """The sectors from the front that arrived: none to all of them."""
    first = SECTOR - op.at % SECTOR
    ends = [0, *range(first, len(op.data), SECTOR), len(op.data)]
    return op.data[: chance.choice(ends)]


def _apply(content: bytearray, op: Op) -> None:
    if op.kind == "size":
        del content[op.at :]
        content.extend(bytes(op.at - len(content)))
    elif op.data:
        content.extend(bytes(max(0, op.at - len(content))))
        content[op.at : op.at + len(op.data)] = op.data


@dataclass(slots=True)
class _Folder:
    """Names that are sure, and what was done to names since. A name leads to the number of a node."""

    sure: dict[str, int] = field(default_factory=dict)
    pending: list[Op] = field(default_factory=list)

    def sync(self) -> None:
        for op in self.pending:
            _rename(self.sure, op)
        self.pending.clear()

    def after(self, chance: Random) -> dict[str, int]:
        names = dict(self.sure)
        for op in self.pending[: chance.randint(0, len(self.pending))]:
            _rename(names, op)
        return names


def _rename(names: dict[str, int], op: Op) -> None:
    name = Path(op.path).name
    if op.kind in ("name", "folder"):
        names[name] = op.node
    elif op.kind == "unname":
        names.pop(name, None)
    elif name in names:
        names[Path(op.to).name] = names.pop(name)


class Disk:
    """The disk below one folder, which is there from the beginning. Feed it operations, then ask for cuts."""

    def __init__(self, root: str, folders: Sequence[str] = ()) -> None:
        self._root = root
        self._nodes: dict[int, _File | _Folder] = {0: _Folder()}
        self._folders = {root: 0}
        for number, path in enumerate(folders, 1):  # made before the recording, and sure
            self._folder(str(Path(path).parent)).sure[Path(path).name] = -number
            self._nodes[-number] = _Folder()
            self._folders[path] = -number

    def feed(self, op: Op) -> None:
        match op.kind:
            case "write" | "size":
                self._node(op.node).pending.append(op)
            case "sync":
                if op.path in self._folders:
                    self._folder(op.path).sync()
                else:
                    self._node(op.node).sync()
            case "name" | "unname" | "rename" | "folder":
                if op.kind == "rename" and Path(op.path).parent != Path(op.to).parent:
                    raise ValueError("a rename from one folder to another is not modelled")
                if op.kind == "folder":
                    self._nodes[op.node] = _Folder()
                    self._folders[op.path] = op.node
                self._folder(str(Path(op.path).parent)).pending.append(op)

    def _folder(self, path: str) -> _Folder:
        found = self._nodes[self._folders[path]]
        assert isinstance(found, _Folder)
        return found

    def _node(self, number: int) -> _File | _Folder:
        return self._nodes.setdefault(number, _File())

    def cut(self, chance: Random) -> dict[str, bytes | None]:
        """Path → bytes of every file that is left, None for a folder."""
        left: dict[str, bytes | None] = {}
        self._walk(0, self._root, chance, left)
        return left

    def _walk(self, number: int, path: str, chance: Random, left: dict[str, bytes | None]) -> None:
        node = self._node(number)
        if isinstance(node, _File):
            left[path] = node.after(chance)
            return
        left[path] = None
        for name, child in sorted(node.after(chance).items()):
            self._walk(child, f"{path}/{name}", chance, left)
