"""The campaigns of faults, each with few trials; ``python -m tests.faults --full`` runs them whole."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.faults.disk import Disk, Op

ROOT = Path(__file__).parents[1]
COUNTS = {
    "kill": 8,
    "replay": 3,
    "power": 60,
    "inject": 40,
    "full": 4,
    "flips": 80,
    "misuse": 18,
    "server": 4,
}


@pytest.mark.parametrize("campaign", COUNTS)
def test_a_campaign_of_faults_keeps_its_promises(campaign, tmp_path) -> None:
    command = [sys.executable, "-m", "tests.faults", campaign, "--count", str(COUNTS[campaign]), "--json"]
    done = subprocess.run(
        [*command, "--dir", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-4000:]
    figures = json.loads(done.stdout)
    assert figures
    assert all(one["trials"] or one["skipped"] for one in figures)


def test_a_synced_file_survives_and_an_unsynced_write_may_not() -> None:
    disk = Disk("/disk")
    ops = [
        Op("name", 1, "/disk/a"),
        Op("write", 1, at=0, data=b"x" * 600),
        Op("sync", 1),
        Op("sync", path="/disk"),
    ]
    for op in (*ops, Op("write", 1, at=0, data=b"y" * 600)):
        disk.feed(op)
    left = {disk.cut(Random(seed))["/disk/a"] for seed in range(200)}
    assert left == {b"x" * 600, b"y" * 512 + b"x" * 88, b"y" * 600}


def test_a_name_is_sure_only_once_its_folder_was_synced() -> None:
    disk = Disk("/disk")
    for op in (Op("name", 1, "/disk/a"), Op("write", 1, data=b"x"), Op("sync", 1)):
        disk.feed(op)
    assert {"/disk/a" in disk.cut(Random(seed)) for seed in range(50)} == {True, False}
    disk.feed(Op("sync", path="/disk"))
    disk.feed(Op("unname", path="/disk/a"))
    assert {"/disk/a" in disk.cut(Random(seed)) for seed in range(50)} == {True, False}
    disk.feed(Op("sync", path="/disk"))
    assert "/disk/a" not in disk.cut(Random(1))


def test_a_length_may_come_before_the_bytes_it_covers() -> None:
    disk = Disk("/disk")
    for op in (Op("name", 1, "/disk/a"), Op("sync", path="/disk"), Op("write", 1, data=b"x" * 512)):
        disk.feed(op)
    left = {disk.cut(Random(seed))["/disk/a"] for seed in range(200)}
    assert left == {b"", b"x" * 512, bytes(512)}


def test_a_rename_takes_the_place_of_the_other_name_or_does_not() -> None:
    disk = Disk("/disk")
    for node, path in ((1, "/disk/a"), (2, "/disk/b")):
        for op in (Op("name", node, path), Op("write", node, data=b"%d" % node), Op("sync", node)):
            disk.feed(op)
    disk.feed(Op("sync", path="/disk"))
    disk.feed(Op("rename", path="/disk/b", to="/disk/a"))
    left = {tuple(sorted(disk.cut(Random(seed)).items())) for seed in range(50)}
    assert left == {
        (("/disk", None), ("/disk/a", b"1"), ("/disk/b", b"2")),
        (("/disk", None), ("/disk/a", b"2")),
    }
