"""A folder of parts, on this machine or wherever fsspec leads; the packages for it are an extra."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from ledger.errors import LedgerError, Unverified, Usage, WriteFailed

REMEDY = "install the extra: pip install 'claim-ledger[cluster]'"
_AT_ONCE = 1 << 22


def arrow() -> ModuleType:
    """pyarrow with its Parquet part. Raises ``Usage`` where it is not installed."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise Usage("Parquet parts need another package, pyarrow", remedy=REMEDY) from None
    return pyarrow  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Folder:
    """A folder by its path or URL."""

    url: str

    @property
    def _there(self) -> tuple[Any, str]:
        if "://" not in self.url:
            return None, self.url
        try:
            import fsspec
        except ImportError:
            raise Usage("a folder at a URL needs another package, fsspec", remedy=REMEDY) from None
        try:
            return fsspec.core.url_to_fs(self.url)  # type: ignore[no-any-return]
        except (ImportError, ValueError) as error:
            raise Usage(
                f"no folder can be reached there ({_why(error)})",
                where=self.url,
                remedy="give a path, or a URL that fsspec knows and its package for it",
            ) from None
        except Exception as error:  # of whichever package
            raise LedgerError(
                f"no folder can be reached there ({_why(error)})",
                where=self.url,
                remedy="check the address, and what it takes to be let in",
            ) from None

    def path(self, name: str) -> str:
        """Where a file of the folder lies, for messages."""
        return f"{self.url.rstrip('/')}/{name}"

    def open(self, name: str) -> Any:
        """A file to be read, with ``seek``. Raises ``LedgerError`` where it cannot be."""
        fs, path = self._there
        remedy = "every worker must reach the folder under this name; `claims export --parquet` writes it"
        with self._reached(name, "read", LedgerError, remedy):
            return open(f"{path}/{name}", "rb") if fs is None else fs.open(f"{path}/{name}", "rb")

    def read(self, name: str) -> bytes | None:
        """The bytes of a file; None where there is none."""
        fs, path = self._there
        with self._reached(name, "read", LedgerError), suppress(FileNotFoundError, NotADirectoryError):
            return Path(path, name).read_bytes() if fs is None else bytes(fs.cat_file(f"{path}/{name}"))
        return None

    def write(self, name: str, data: bytes) -> None:
        """A file, whole or not at all."""
        fs, path = self._there
        with self._reached(name, "written", WriteFailed, "check the folder's rights and free space"):
            if fs is not None:
                fs.makedirs(path, exist_ok=True)
                fs.pipe_file(f"{path}/{name}", data)
                return
            target = Path(path, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{name}.partial")
            _write_through(beside, data)
            beside.replace(target)

    def digest(self, name: str) -> str:
        """Hex SHA-256 of a file."""
        digest = hashlib.sha256()
        with self._reached(name, "read", LedgerError), self.open(name) as file:
            while some := file.read(_AT_ONCE):
                digest.update(some)
        return digest.hexdigest()

    @contextmanager
    def _reached(
        self, name: str, done: str, kind: type[LedgerError], remedy: str | None = None
    ) -> Iterator[None]:
        """Whatever fails in the block: which file could not be read or written, and why."""
        try:
            yield
        except LedgerError:
            raise
        except Exception as error:
            if "://" not in self.url and not isinstance(error, OSError):
                raise  # on this machine nothing else comes of files; packages for others have errors of their own
            raise kind(f"cannot be {done} ({_why(error)})", where=self.path(name), remedy=remedy) from None


def damaged(what: str, where: str) -> Unverified:
    """A part that is not as it was written."""
    return Unverified(what, where=where, remedy="export again, into another folder")


def _why(error: Exception) -> str:
    said = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0]
    return str(said or type(error).__name__)


def _write_through(path: Path, data: bytes) -> None:
    import os

    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
