"""A closed copy of a ledger: one database file, its checkpoints, its public key, all read-only.

It verifies from a CD, a write-protected stick or an archive, with no key and no network. Nothing can be appended to it.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from ledger.book import Ledger
from ledger.disk import sync_path
from ledger.errors import LedgerError, Unverified, WriteFailed
from ledger.integrity.journal import Journal
from ledger.integrity.notary import SEALED, Notary, signing_key
from ledger.integrity.stamps import folder as stamps_of
from ledger.integrity.stamps import plain_file
from ledger.integrity.verifying import verify
from ledger.places import Location, Server
from ledger.store.sqlite import schema as sqlite_schema
from ledger.store.sqlite.store import SqliteStore


def seal(path: Location, target: Path) -> list[Path]:
    """Make the copy of the ledger at ``path``, verify it, and give the files it consists of.

    Raises ``LedgerError`` where something is in the way or the ledger is not signed, ``Unverified`` where what was
    copied does not verify, ``WriteFailed``. What was begun is then taken away again.
    """
    if isinstance(path, Server):
        raise LedgerError(
            "lies on a server, and only a ledger in a file can be sealed",
            where=str(path),
            remedy="Copy it into a file first: `claims move`",
        )
    key_file = target.with_name(f"{target.name}.key")
    files = [target, Journal(target).path, key_file]
    for one in files:
        if one.exists():
            raise LedgerError(
                "already exists", where=str(one), remedy="Choose another name, or remove it first"
            )
    try:
        with Ledger.open(path, readonly=True) as ledger:
            _copy(ledger, path, target, key_file)
        files += _copied_stamps(stamps_of(path), stamps_of(target))
        _check(target)
        for one in files:
            sync_path(one)
            one.chmod(0o444)
        sync_path(target.parent)
    except sqlite3.Error as error:
        _remove(target, files)
        raise WriteFailed(
            f"cannot be written ({error})", where=str(target), remedy="Check its folder"
        ) from None
    except OSError as error:
        _remove(target, files)
        raise WriteFailed(
            f"cannot be written ({error.strerror})",
            where=str(target),
            remedy="Check the folder's rights and free space",
        ) from None
    except BaseException:
        _remove(target, files)
        raise
    return files


def _copy(ledger: Ledger, path: Path, target: Path, key_file: Path) -> None:
    key = signing_key(ledger.store)
    if key is None:
        raise LedgerError(
            "the ledger is not signed, so that a copy of it would prove nothing",
            where=str(path),
            remedy="Begin with `claims checkpoint --new-origin`",
        )
    notary = Notary(path, key)
    if notary.last().size < ledger.store.head().size:
        notary.acknowledge(ledger.store)
    assert isinstance(ledger.store, SqliteStore)
    ledger.store.copy_to(target)
    shutil.copyfile(notary.journal.path, Journal(target).path)
    key_file.write_text(f"{key}\n", encoding="utf-8")
    with SqliteStore.open(target) as copy, copy.writer() as writer:
        writer.remember(SEALED, str(writer.head().size))
    raw = sqlite3.connect(sqlite_schema.uri(target, "rw"), uri=True)
    try:  # a write-ahead log could not be read from where nothing can be written
        raw.execute("PRAGMA journal_mode = DELETE")
    finally:
        raw.close()


def _copied_stamps(folder: Path, target: Path) -> list[Path]:
    """The time stamps, which are handed out with the rest: only files of that kind, and none that a link leads to."""
    copied: list[Path] = []
    if folder.is_symlink() or not folder.is_dir():
        return copied
    target.mkdir()
    for one in sorted(folder.iterdir()):
        if one.suffix in (".tsr", ".note") and plain_file(one):
            shutil.copyfile(one, target / one.name, follow_symlinks=False)
            copied.append(target / one.name)
    return copied


def _check(target: Path) -> None:
    with Ledger.open(target, readonly=True) as copy:
        failed = [f"{one.name}: {one.detail}" for one in verify(copy, target) if one.ok is False]
    if failed:
        raise Unverified(
            f"the copy does not verify: {'; '.join(failed)}",
            where=str(target),
            remedy="Nothing was made; look at the ledger with `claims verify`",
        )


def _remove(target: Path, files: list[Path]) -> None:
    for one in files:
        one.unlink(missing_ok=True)
    shutil.rmtree(stamps_of(target), ignore_errors=True)
