"""A folder of parts that cannot be reached, read or written."""

from __future__ import annotations

import sys
from pathlib import Path

import fsspec
import orjson
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from ledger.buckets import manifest
from ledger.buckets.folder import Folder
from ledger.errors import LedgerError, Unverified, WriteFailed


class Refused(Exception):
    """What a package for somebody's cloud raises, which is no ``OSError``."""


class Cloud(MemoryFileSystem):
    """A folder that lets nobody in."""

    protocol = "refusing"

    def _open(self, *args: object, **kwargs: object) -> object:
        raise Refused("no credentials\nTraceback: a page of it")

    cat_file = pipe_file = _open


@pytest.fixture
def cloud() -> Folder:
    fsspec.register_implementation("refusing", Cloud, clobber=True)
    return Folder("refusing://desk/parts")


def test_what_another_package_raises_is_one_line(cloud: Folder) -> None:
    for does in (lambda: cloud.read("a"), lambda: cloud.open("a"), lambda: cloud.digest("a")):
        with pytest.raises(LedgerError) as caught:
            does()
        assert caught.value.what == "cannot be read (no credentials)"
        assert caught.value.where == "refusing://desk/parts/a"
    with pytest.raises(WriteFailed, match=r"cannot be written \(no credentials\)"):
        cloud.write("a", b"")


def test_a_file_that_is_not_there_is_none_to_read_and_an_error_to_open(tmp_path: Path) -> None:
    for folder in (Folder(str(tmp_path)), Folder(f"file://{tmp_path}"), Folder("memory://nothing")):
        assert folder.read("a") is None
        with pytest.raises(LedgerError, match="cannot be read"):
            folder.open("a")


@pytest.mark.skipif(sys.platform == "win32", reason="a folder cannot be opened there at all")
def test_a_folder_in_a_file_s_place_is_said(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for folder in (Folder(str(tmp_path)), Folder(f"file://{tmp_path}")):
        with pytest.raises(LedgerError, match="Is a directory"):
            folder.read("a")


def test_a_mistake_of_ours_is_not_taken_for_the_folder_s(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        Folder(str(tmp_path)).write("a", 3)  # type: ignore[arg-type]


def test_parts_of_a_later_version_are_told_from_damaged_ones(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write(manifest.NAME, orjson.dumps({"schema": "buckets/2"}))
    with pytest.raises(
        LedgerError, match=r"of another version \(buckets/2; this one knows buckets/1\)"
    ) as caught:
        manifest.read(folder)
    assert not isinstance(caught.value, Unverified)
    for schema in ("parts/1", "buckets", None, 3):
        folder.write(manifest.NAME, orjson.dumps({"schema": schema}))
        with pytest.raises(Unverified, match="is no manifest"):
            manifest.read(folder)
