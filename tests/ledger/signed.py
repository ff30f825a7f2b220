"""A signed ledger of some length, made through ``Ledger`` once and copied for every test that writes into it.

Two parties, two places, two sources and claims with texts, keys and marks; a claim that was corrected, and one whose
text was erased. It is long enough for inner nodes of the tree at two heights.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from ledger import redaction
from ledger.book import Draft, Ledger
from ledger.integrity.journal import Journal
from ledger.integrity.notary import Notary
from ledger.store.sqlite.schema import _TRIGGERS
from tests.copies import copy_ledger

CLAIMS = 262
FIRST = 8  # the position of the first claim
ERASED = FIRST + 2
CORRECTED = FIRST + 3
_KEYS = os.environ["CLAIMS_KEYS"]
_KEPT = TemporaryDirectory(prefix="claims-signed-")


def claim(number: int, **body: str) -> Draft:
    """A claim that differs from all others by its key."""
    data = {"claimant": "s:1", "place": "p:1", "state": "RU", "said": "2025-01-02", "key": f"k{number}"}
    return Draft.of("claim-reported", data, body or {"quote": f"words {number}"})


def begun(path: Path, **how: bool) -> Ledger:
    """A new ledger with what claims name in it; open."""
    made = Ledger.create(path, ledger="test", **how)
    made.append(
        [
            Draft.of("party-named", {"party": "RU"}),
            Draft.of("party-named", {"party": "UA"}),
            Draft.of("place-registered", {"place": "p:1", "names": ["Town"]}),
            Draft.of("place-registered", {"place": "p:2", "names": ["Village"]}),
            Draft.of("source-registered", {"source": "s:1"}, {"names": ["Spokesman"]}),
            Draft.of("source-registered", {"source": "s:2"}, {"names": ["Agency"]}),
        ]
    )
    return made


@cache
def _original(encrypted: bool) -> Path:
    path = Path(_KEPT.name) / f"{'encrypted' if encrypted else 'clear'}.db"
    keys = mock.patch.dict(
        os.environ, CLAIMS_KEYS=_KEYS
    )  # whatever folder the test that comes first works with
    with keys, begun(path, encrypted=encrypted) as made:
        made.append([claim(number) for number in range(8)])
        for number in range(8, 12):
            made.append([claim(number)])
        made.append([claim(number) for number in range(12, CLAIMS)])
        third, fourth = (made.event(at) for at in (ERASED, CORRECTED))
        assert third and fourth
        redaction.redact(made, redaction.preview(made, third.entry))
        made.append(
            [
                Draft.of(
                    "entry-corrected",
                    {"target": fourth.entry, "changes": {"said": "2025-01-03"}},
                    {"reason": "misread"},
                )
            ]
        )
    return path


def signed(folder: Path, *, encrypted: bool = False) -> Path:
    """A copy of the ledger, with its checkpoints, in a folder."""
    return copy_ledger(_original(encrypted), folder / "signed.db")


def plain(path: Path) -> sqlite3.Connection:
    """The database, without any of our code."""
    return sqlite3.connect(path, isolation_level=None)


@contextmanager
def behind_its_back(path: Path) -> Iterator[sqlite3.Connection]:
    """The database without its triggers, which are put back; what is done in the block shows nowhere but in the data."""
    with closing(plain(path)) as raw:
        raw.execute("PRAGMA ignore_check_constraints = ON")
        for name in _TRIGGERS:
            raw.execute(f"DROP TRIGGER {name}")
        yield raw
        for sql in _TRIGGERS.values():
            raw.execute(sql)


def journal_of(path: Path) -> Path:
    return Journal(path).path


def notary_of(path: Path) -> Notary:
    """The notary of a ledger at a path."""
    with Ledger.open(path, readonly=True) as ledger:
        found = Notary.of(ledger.store, path)
    assert found is not None
    return found
