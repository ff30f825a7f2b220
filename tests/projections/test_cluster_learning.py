"""What many learn is what one learns, byte for byte, whoever hears and counts what, and whoever dies of it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, cast
from unittest import mock

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.book import Ledger
from ledger.buckets import writing
from ledger.buckets.folder import Folder
from ledger.errors import LedgerError
from projections.cluster import plan
from projections.cluster.engines import Dask, Engine, Processes
from projections.cluster.hearing import Range
from projections.cluster.rebuild import Cluster
from projections.cluster.tasks import Order
from projections.columns.testimony import Families
from projections.learning.slots import slot_of
from projections.lessons import Ask
from projections.registry import Loaded, load
from projections.view import file_name
from projections.views import Views
from tests import clusters
from tests.bench import generator
from tests.bench.stage import batched, empty
from tests.projections.test_cluster import Here, assert_same
from tests.projections.test_lessons import LOADED
from tests.projections.test_pupils import spread
from tests.projections.worlds import TIGHT, World, claim, date, laws, moment, told, worlds

HMM = load("hmm")


# -- worlds in memory ----------------------------------------------------------------------------------------


@laws(0.05)
@given(st.one_of(worlds(TIGHT, least=6), worlds(least=6)))
def test_many_learn_what_one_learns_in_every_world(world: World) -> None:
    assert_same(world, LOADED)


def test_so_it_is_with_places_merged_entries_moved_parts_and_looks_at_whole_displays() -> None:
    east = told("place-registered", "east", place="town/east", names=["East"], kind="part", parent="town")
    maps = [claim("map", "UA", 1, f"on-{n}", place=place, standing=True, at=moment(2, n))
            for n, place in enumerate(("town", "village", "hamlet"))]  # fmt: skip
    looks = [told("display-observed", f"look-{day}", moment(day, 20), source="map", published=date(day))
             for day in range(5, 17, 4)]  # fmt: skip
    said = [claim("brigade", "RU", day, f"b{day}", place=place, at=moment(day, 21))
            for day in range(4, 17, 3) for place in ("hamlet", "town/east")]  # fmt: skip
    leans = claim("witness", "UA", 15, "leans", at=moment(26, 3), based_on=["#film"])
    film = told("evidence-reported", "film", moment(26, 2), source="witness", place="village", state="UA",
                published=date(14))  # fmt: skip
    away = told("entry-corrected", "away", moment(27), target="#b4", changes={"place": "village"})
    merge = told("place-merged", "merge", moment(28), place="hamlet", into="town")
    entries = sorted([*spread(14).entries, *maps, *looks, *said, film, leans, away], key=lambda one: one.at)
    assert_same(World.of(east, *entries, merge), LOADED, buckets=64)


def test_from_too_few_utterances_nothing_is_learnt() -> None:
    assert_same(World.of(claim("army", "UA", 1, "a"), claim("monitor", "RU", 2, "b")), HMM)
    assert_same(World.of(), LOADED)


# -- ledgers in files ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of some hundred claims."""
    path = tmp_path_factory.mktemp("learning") / "book.db"
    with empty(path) as ledger:
        for batch in batched(generator.drafts(200, places=12), 500):
            ledger.append(batch)
    return path


@pytest.fixture(scope="module")
def parts(book: Path) -> Folder:
    """Its export."""
    folder = Folder(str(book.parent / "parts"))
    with Ledger.open(book, readonly=True) as ledger:
        writing.export(ledger.store, "bench", folder, 5)
    return folder


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that start soon."""
    monkeypatch.setenv("CLAIMS_KERNEL", "plain")


def replayed(
    book: Path,
    folder: Path,
    engine: Engine | None = None,
    parts: Folder | None = None,
    loaded: Loaded = HMM,
) -> bytes:
    """The bytes of a view made by an engine, learnt in several ranges."""
    cluster = None if engine is None else Cluster(engine, book, parts)
    with Ledger.open(book, readonly=True) as ledger, mock.patch.multiple(plan, FEW=60):
        views = Views(ledger, folder, cluster=cluster)
        views.beliefs(loaded, ledger.store.head().size, ledger.directory(), replay=True)
        views.close()
    return (folder / file_name(loaded)).read_bytes()


@pytest.fixture(scope="module")
def expected(book: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return replayed(book, tmp_path_factory.mktemp("one"))


Meddle = Callable[[str, int], None]
"""(what was asked, how many answers there were to it so far): called before each answer."""


@dataclass
class Learning:
    """An engine whose workers learn; tasks are done in this process. ``meddle`` may do harm between answers."""

    engine: Engine
    meddle: Meddle = lambda what, answers: None
    name: str = "learning"
    asked: list[str] = field(default_factory=list)
    ranges: list[Range] = field(default_factory=list)

    @property
    def workers(self) -> int:
        return self.engine.workers

    def run(self, order: Order, tasks: Sequence[Any]) -> Iterator[Any]:
        return Here().run(order, tasks)

    @contextmanager
    def pupils(self, order: Order, ranges: Sequence[Range]) -> Iterator[Ask]:
        self.ranges = list(ranges)
        with self.engine.pupils(order, ranges) as ask:

            def asking(what: str, *given: Any) -> Iterable[Any]:
                self.asked.append(what)
                for n, found in enumerate(ask(what, *given)):
                    self.meddle(what, n)
                    yield found

            yield asking


def spawned() -> list[psutil.Process]:
    """Workers of ours that live."""
    found = []
    for one in psutil.Process().children():
        with suppress(psutil.NoSuchProcess):  # or a zombie
            found += [one] if "spawn_main" in str(one.cmdline()) else []
    return found


def test_three_processes_learn_from_the_ledger_itself(book, expected, tmp_path) -> None:
    learning = Learning(Processes(3))
    assert replayed(book, tmp_path, learning) == expected
    assert len(learning.ranges) >= 3
    assert learning.asked.count("expect") > 20
    assert spawned() == []
    assert sorted(chain.from_iterable(one.slots for one in learning.ranges)) == list(range(64))


def test_processes_killed_while_they_hear_and_in_the_midst_of_em_change_nothing(
    book, parts, expected, tmp_path
) -> None:
    killed: list[str] = []

    def kill(what: str, answers: int) -> None:
        if what in ("hear", "expect") and what not in killed and answers == 1:
            killed.append(what)
            victim = spawned()[0]
            victim.kill()
            victim.wait()

    assert replayed(book, tmp_path, Learning(Processes(2), kill), parts) == expected
    assert killed == ["hear", "expect"]


def test_processes_that_die_again_and_again_are_given_up(book, parts, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("projections.cluster.engines._DEATHS", 2)

    def kill(what: str, answers: int) -> None:
        if what == "expect":
            for victim in spawned():
                victim.kill()
                victim.wait()

    with pytest.raises(LedgerError, match=r"killed 2 times, \d+ ranges .*--workers") as caught:
        replayed(book, tmp_path, Learning(Processes(1), kill), parts)
    assert "what was done is kept" in str(caught.value)
    assert spawned() == []


def test_ctrl_c_in_the_midst_of_em_leaves_no_process_and_no_file(
    book, parts, expected, tmp_path, monkeypatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))

    def interrupt(what: str, answers: int) -> None:
        if what == "expect":
            raise KeyboardInterrupt

    before = spawned()
    with pytest.raises(KeyboardInterrupt):
        replayed(book, tmp_path / "views", Learning(Processes(2), interrupt), parts)
    until = time.monotonic() + 20.0  # what was told to end may take a moment on a busy machine
    while (left := [one for one in spawned() if one not in before]) and time.monotonic() < until:
        time.sleep(0.1)
    assert left == []
    assert list((tmp_path / "tmp").iterdir()) == []
    assert replayed(book, tmp_path / "views", Here(), parts) == expected


def test_what_was_learnt_is_not_learnt_again(book, parts, expected, tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        replayed(book, tmp_path, Here(most=0), parts)

    class Deaf(Here):
        def pupils(self, order: Order, ranges: Sequence[Range]) -> Any:
            raise AssertionError("it was learnt already")

    assert replayed(book, tmp_path, Deaf(), parts) == expected


def test_dask_learns_and_a_worker_killed_in_the_midst_of_em_changes_nothing(
    book, parts, expected, tmp_path
) -> None:
    killed: list[str] = []
    with clusters.running(tmp_path) as scheduler:
        victim = scheduler.worker()
        scheduler.worker()
        engine = Dask(scheduler.address)
        until = time.monotonic() + 60
        while engine.workers < 2 and time.monotonic() < until:
            time.sleep(0.1)

        def kill(what: str, answers: int) -> None:
            if what == "expect" and not killed:
                killed.append(what)
                victim.kill()

        learning = Learning(engine, kill)
        assert replayed(book, tmp_path / "parts", learning, parts) == expected
        assert killed and len(learning.ranges) >= 2
        assert replayed(book, tmp_path / "direct", Learning(engine)) == expected
        assert list(tmp_path.rglob("claims-range-*")) == []


def test_a_logic_of_ones_own_learns_on_workers_that_have_never_seen_its_file(book, parts, tmp_path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from projections import Logic\n"
        "l = Logic('mine', 1, weigh=lambda piece, source: 0.5 if source.side else 1.0, learns=True)\n"
    )
    mine = load(str(file))
    local = replayed(book, tmp_path / "one", loaded=mine)
    learning = Learning(Processes(1))
    assert replayed(book, tmp_path / "many", learning, parts, mine) == local
    assert "expect" in learning.asked


# -- the plan and the seats ----------------------------------------------------------------------------------


def test_every_family_lies_whole_in_the_range_of_its_slot(book, parts) -> None:
    with Ledger.open(book, readonly=True) as ledger, mock.patch.multiple(plan, FEW=20):
        families = Families(ledger.directory())
        survey = plan.of_folder(parts, ledger, "bench", ledger.store.head().size)
        for workers in (1, 2, 5):
            found = plan.ranges(survey, ledger.directory(), workers)
            assert len(found) >= workers
            assert sum(one.rows for one in found) == sum(survey.rows.values())
            for one in found:
                roots = map(families.root, cast(Any, one.source).places)
                assert {slot_of(root) for root in roots} <= {*one.slots}
        with mock.patch.object(plan, "FEW", 1_000_000):
            assert [one.many for one in plan.ranges(survey, ledger.directory(), 5)] == [64]
        with mock.patch.object(plan, "HEARD", 1):
            assert max(one.many for one in plan.ranges(survey, ledger.directory(), 1) if one.rows) == 1
