"""The kernel compiled and the kernel in plain Python: one source, the same views.

Compiling takes a minute or two where it was not done before, so that it is done where ``CLAIMS_TEST_COMPILED`` is
set, as on the build server.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest

from ledger.book import Ledger
from projections.columns import modes
from projections.envelopes.shape import VERSION
from projections.registry import load
from projections.view import file_name
from projections.views import Views
from tests.bench import generator
from tests.bench.stage import batched, empty
from tests.projections.worlds import scores_in


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("modes") / "book.db"
    with empty(path) as ledger:
        for batch in batched(generator.drafts(150, places=6), 500):
            ledger.append(batch)
    return path


def view(book: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> Path:
    monkeypatch.setenv("CLAIMS_KERNEL", mode)
    with Ledger.open(book, readonly=True) as ledger:
        views = Views(ledger, folder / mode)
        views.beliefs(load("tally"), ledger.store.head().size, ledger.directory())
        views.close()
    return folder / mode / file_name(load("tally"))


def envelopes_in(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / f"envelopes@{VERSION}.db")) as db:
        return [*db.execute("SELECT * FROM chunk ORDER BY place, first"), *db.execute("SELECT * FROM name")]


@pytest.mark.skipif(not os.environ.get("CLAIMS_TEST_COMPILED"), reason="CLAIMS_TEST_COMPILED is not set")
def test_both_modes_believe_and_score_alike(book, tmp_path, monkeypatch) -> None:
    plain, compiled = (view(book, tmp_path, monkeypatch, mode) for mode in ("plain", "compiled"))
    assert scores_in(plain) == scores_in(compiled)
    assert envelopes_in(plain.parent) == envelopes_in(compiled.parent)
    with Ledger.open(book, readonly=True) as ledger:
        found = []
        for mode in ("plain", "compiled"):
            views = Views(ledger, tmp_path / mode)
            beliefs = views.beliefs(load("tally"), ledger.store.head().size, ledger.directory())
            found.append({spot: beliefs.knots(*spot) for spot in beliefs.spots()})
            views.close()
    assert found[0].keys() == found[1].keys()
    assert found[0] == found[1]


@pytest.mark.parametrize("source", range(len(modes._sources())))
def test_what_was_compiled_of_other_sources_is_not_used(monkeypatch, tmp_path, source) -> None:
    # numba looks at the file of a function only, and not at those of the functions that it calls.
    copies = [tmp_path / path.name for path in modes._sources()]
    for path, copy in zip(modes._sources(), copies, strict=True):
        copy.write_bytes(path.read_bytes())
    monkeypatch.setattr(modes, "_sources", lambda: copies)
    before = modes.kept_folder.__wrapped__()
    assert before == modes.kept_folder.__wrapped__()
    copies[source].write_bytes(copies[source].read_bytes() + b"#")
    assert modes.kept_folder.__wrapped__() != before


def test_only_the_newest_of_what_was_compiled_before_is_kept(tmp_path) -> None:
    for n in range(4):
        (tmp_path / f"{n}").mkdir()
        os.utime(tmp_path / f"{n}", (n, n))
    modes._prune(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["3"]


@pytest.fixture
def unloaded(monkeypatch) -> None:
    """Nothing is loaded: where a kernel is, later tests of this process would take it for compiled, and compile it."""
    monkeypatch.setattr(modes, "kernel", lambda compiled: SimpleNamespace(compiled=compiled))


@pytest.mark.usefixtures("unloaded")
@pytest.mark.parametrize(("wanted", "compiled"), [("plain", False), ("compiled", True)])
def test_the_environment_chooses_the_mode(monkeypatch, wanted, compiled) -> None:
    monkeypatch.setenv("CLAIMS_KERNEL", wanted)
    assert modes.chosen(1).compiled is compiled
    assert modes.chosen(10**9).compiled is compiled


@pytest.mark.usefixtures("unloaded")
def test_a_small_ledger_is_not_worth_compiling_for(monkeypatch) -> None:
    monkeypatch.delenv("CLAIMS_KERNEL", raising=False)
    assert modes.chosen(10).compiled is False
    assert modes.chosen(10**7).compiled is True
