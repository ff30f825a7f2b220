"""A view made by many is the view made by one, byte for byte, however places are put into buckets."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast
from unittest import mock

import psutil
import pytest
from hypothesis import given

from ledger.book import Ledger
from ledger.buckets import writing
from ledger.buckets.folder import Folder
from ledger.errors import LedgerError
from ledger.events import EvidenceKind
from ledger.store import door
from projections import making
from projections.cluster import plan
from projections.cluster.engines import Engine, Processes
from projections.cluster.hearing import Range, Seat
from projections.cluster.rebuild import Cluster
from projections.cluster.recipe import Recipe
from projections.cluster.tasks import Order, Result, Task, judge
from projections.envelopes.shape import EVIDENCE_KINDS
from projections.lessons import Ask
from projections.registry import Loaded, load
from projections.view import file_name
from projections.views import Views
from tests import clusters
from tests.bench import generator
from tests.bench.stage import batched, empty
from tests.clusters import Scheduler
from tests.projections.worlds import Paper, World, claim, date, laws, moment, told, worlds

TALLY = load("tally")
SMALL = {"ROWS": 3, "HOT": 2, "FEW": 3, "HEARD": 60}


@dataclass
class Here:
    """Does the tasks in this process, in the order given; keeps what it was given. ``most``: then comes a Ctrl-C."""

    most: int | None = None
    name: str = "here"
    workers: int = 2
    asked: list[Task] = field(default_factory=list)

    def run(self, order: Order, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
        for task in tasks:
            if len(self.asked) == self.most:
                raise KeyboardInterrupt
            self.asked.append(task)
            yield task, judge(order, task)

    @contextmanager
    def pupils(self, order: Order, ranges: Sequence[Range]) -> Iterator[Ask]:
        with TemporaryDirectory() as scratch:
            seats = [Seat(replace(order, scratch=scratch), one) for one in ranges]
            yield lambda what, *given: [seat.ask(what, *given) for seat in seats]


# -- worlds in memory ----------------------------------------------------------------------------------------


def made(paper: Paper, folder: Path, loaded: Loaded, cluster: Cluster | None = None) -> bytes:
    """The bytes of a view that is made from nothing."""
    views = Views(cast(Ledger, paper), folder, cluster=cluster)
    views.beliefs(loaded, paper.size, paper.directory(), replay=True)
    views.close()
    return (folder / file_name(loaded)).read_bytes()


def assert_same(world: World, loaded: Loaded = TALLY, buckets: int = 3) -> list[Task]:
    """By one, by many out of an export, and by many out of the ledger: the same bytes. The tasks of the export."""
    paper = Paper(world.shelf(hashed=True))
    by_parts, directly = Here(), Here()
    with (
        TemporaryDirectory() as name,
        mock.patch.multiple(plan, **SMALL),
        mock.patch.object(making, "_AT_ONCE", 4),
        mock.patch.object(writing, "_PART", 3),
        mock.patch.object(door, "open_store", return_value=paper),
    ):
        folder = Path(name)
        parts = Folder(str(folder / "parts"))
        writing.export(cast(Any, paper), "", parts, buckets)
        expected = made(paper, folder / "one", loaded)
        assert made(paper, folder / "parts-of", loaded, Cluster(by_parts, folder, parts)) == expected
        assert made(paper, folder / "direct", loaded, Cluster(directly, folder)) == expected
    return by_parts.asked


@laws(0.5)
@given(worlds())
def test_by_many_is_as_by_one_in_every_world(world: World) -> None:
    assert_same(world)


@laws(0.1)
@given(worlds())
def test_by_many_is_as_by_one_under_a_logic_that_learns(world: World) -> None:
    assert_same(world, load("hmm"))


def test_a_hot_place_is_split_by_question(tmp_path: Path) -> None:
    bridge = told("question-opened", "bridge-of-it", question="ford", states=["dry", "wet"], text="?")
    hot = [claim("army", "UA", n, f"a{n}") for n in range(6)]
    hot += [claim("monitor", "dry", n, f"f{n}", question="ford") for n in range(6)]
    tasks = assert_same(World.of(bridge, *hot, claim("army", "RU", 1, "v", place="village")))
    asked = [one.questions for one in tasks if "town" in one.families]
    assert ("control",) in asked and ("ford",) in asked and len(asked) == 3
    assert [one.rows for one in tasks] == sorted((one.rows for one in tasks), reverse=True)


def test_merged_places_are_judged_together_wherever_their_rows_lie() -> None:
    merge = told("place-merged", "merge", moment(70), place="hamlet", into="village")
    claims = [claim("army", "UA", 1, "a", place="hamlet"), claim("monitor", "RU", 2, "b", place="village")]
    tasks = assert_same(World.of(*claims, merge), buckets=64)
    assert [one.families for one in tasks if one.rows] == [("village",)]


def test_an_entry_that_a_correction_moves_is_heard_where_it_was_moved_to() -> None:
    moved = told("entry-corrected", "fix", moment(70), target="#a", changes={"place": "hamlet"})
    tasks = assert_same(World.of(claim("army", "UA", 1, "a", place="village"), moved), buckets=64)
    [hamlet] = [one.source for one in tasks if "hamlet" in one.families]
    assert list(hamlet.guests) == ["village"]


def test_evidence_elsewhere_is_heard_with_all_that_was_said_of_it() -> None:
    film = told("evidence-reported", "film", moment(61), source="witness", place="village", state="UA",
                published=date(3))  # fmt: skip
    older = told("evidence-reported", "older", moment(60), source="blogger", place="hamlet", state="UA",
                 published=date(2))  # fmt: skip
    again = told("evidence-reported", "again", moment(62), source="monitor", place="village", state="UA",
                 published=date(4), based_on=["#older"])  # fmt: skip
    leans = claim("army", "UA", 5, "leans", at=moment(63), based_on=["#film", "#again"])
    doubts = claim("brigade", None, 6, "doubts", at=moment(64), place="hamlet", act="doubts", target="#film")
    void = told("evidence-voided", "void", moment(65), target="#older", by="desk", ruled=date(30))
    tasks = assert_same(World.of(older, film, again, leans, doubts, void), buckets=64)
    [town] = [one.source for one in tasks if "town" in one.families]
    guests = town.guests
    assert {home: len(positions) for home, positions in guests.items()} == {"hamlet": 3, "village": 2}


def test_looks_at_whole_displays_reach_every_bucket() -> None:
    shows = [claim("map", "UA", 1, f"on-{n}", place=place, standing=True)
             for n, place in enumerate(("town", "village", "hamlet"))]  # fmt: skip
    look = told("display-observed", "look", source="map", published=date(9))
    assert_same(World.of(*shows, look), buckets=64)


def test_a_ledger_that_says_nothing_of_any_place_has_one_task() -> None:
    [task] = assert_same(World.of())
    assert (task.families, task.rows) == ((), 0)


def test_every_kind_of_evidence_has_a_number_that_hangs_on_nothing_else() -> None:
    assert EvidenceKind.__args__ == EVIDENCE_KINDS  # type: ignore[attr-defined]


# -- ledgers in files ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of some hundred claims."""
    path = tmp_path_factory.mktemp("cluster") / "book.db"
    with empty(path) as ledger:
        for batch in batched(generator.drafts(400, places=20), 500):
            ledger.append(batch)
    return path


@pytest.fixture(scope="module")
def parts(book: Path) -> Folder:
    """Its export."""
    folder = Folder(str(book.parent / "parts"))
    with Ledger.open(book, readonly=True) as ledger:
        writing.export(ledger.store, "bench", folder, 5)
    return folder


def replayed(book: Path, folder: Path, engine: Engine | None = None, parts: Folder | None = None) -> bytes:
    """The bytes of a view made by an engine, in many small tasks."""
    cluster = None if engine is None else Cluster(engine, book, parts)
    with Ledger.open(book, readonly=True) as ledger, mock.patch.multiple(plan, ROWS=40, FEW=40):
        views = Views(ledger, folder, cluster=cluster)
        views.beliefs(TALLY, ledger.store.head().size, ledger.directory(), replay=True)
        views.close()
    return (folder / file_name(TALLY)).read_bytes()


@pytest.fixture(scope="module")
def expected(book: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return replayed(book, tmp_path_factory.mktemp("one"))


def test_workers_killed_in_mid_run_change_nothing(book, parts, expected, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CLAIMS_KERNEL", "plain")
    killed = []

    @dataclass(frozen=True)
    class Murderous(Processes):
        def run(self, order: Order, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result]]:
            for found in super().run(order, tasks):
                if not killed:
                    [victim, *_] = [
                        one for one in psutil.Process().children() if "spawn_main" in str(one.cmdline())
                    ]
                    victim.kill()
                    killed.append(victim)
                yield found

    assert replayed(book, tmp_path, Murderous(2), parts) == expected
    assert len(killed) == 1


def test_one_pool_does_all_the_tasks_while_nobody_dies(book, parts, expected, tmp_path, monkeypatch) -> None:
    from projections.cluster import engines

    monkeypatch.setenv("CLAIMS_KERNEL", "plain")
    with mock.patch.object(engines, "Pool", side_effect=engines.Pool) as pool:
        assert replayed(book, tmp_path, Processes(1), parts) == expected
    assert pool.call_count == 1


def dies(*_: object) -> None:
    os._exit(1)


def test_workers_that_always_die_are_given_up(book, parts, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("projections.cluster.engines.judge", dies)
    monkeypatch.setattr("projections.cluster.engines._DEATHS", 2)
    with pytest.raises(LedgerError, match=r"killed 2 times.*--workers") as caught:
        replayed(book, tmp_path, Processes(1), parts)
    assert "what was done is kept" in str(caught.value)


def test_what_was_broken_off_goes_on_where_it_was(book, parts, expected, tmp_path) -> None:
    first, second = Here(most=3), Here()
    with pytest.raises(KeyboardInterrupt):
        replayed(book, tmp_path, first, parts)
    assert replayed(book, tmp_path, second, parts) == expected
    assert not {one.key for one in first.asked} & {one.key for one in second.asked}
    assert len(second.asked) > 3
    assert [one.name for one in tmp_path.iterdir() if one.name.endswith(".spool")] == []


def test_what_one_began_another_engine_ends(book, parts, expected, tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        replayed(book, tmp_path, Here(most=2), parts)
    assert replayed(book, tmp_path, Here()) == expected
    with pytest.raises(KeyboardInterrupt):
        replayed(book, tmp_path, Here(most=2), parts)
    assert replayed(book, tmp_path) == expected


def test_an_export_made_in_steps_holds_what_one_made_at_once_holds(book, expected, tmp_path) -> None:
    from ledger.buckets import manifest, reading

    class Cut:
        """The ledger as it was earlier."""

        def __init__(self, store: Any, size: int) -> None:
            self.store, self.size = store, size

        def __getattr__(self, name: str) -> Any:
            return getattr(self.store, name)

        def head(self) -> Any:
            from ledger.integrity.tree import Frontier
            from ledger.store.base import Head

            hashes = (row.leaf_hash for row in self.store.rows(1, self.size))
            return Head(self.size, Frontier.empty().extend(hashes), None)

    steps, once = Folder(str(tmp_path / "steps")), Folder(str(tmp_path / "once"))
    with Ledger.open(book, readonly=True) as ledger:
        size = ledger.store.head().size
        for cut in (1, size // 3, size // 2, size - 1, size, size):
            found, _ = writing.export(cast(Any, Cut(ledger.store, cut)), "bench", steps, 5)
        whole, _ = writing.export(ledger.store, "bench", once, 5)
        leaves = dict(ledger.store.leaves())
    rows = [part for part in found.parts if part.kind == "rows"]
    assert (found.position, found.root) == (whole.position, whole.root)
    assert dict(reading.everything(steps, rows)) == leaves
    ties = [
        sorted(map(str, reading.ties(folder, one.ties()).to_pylist()))
        for folder, one in ((steps, found), (once, whole))
    ]
    assert ties[0] == ties[1]
    assert manifest.required(steps) == found
    assert replayed(book, tmp_path / "views", Here(), steps) == expected


def test_a_part_that_changes_while_it_is_in_use_is_found_by_its_pages(book, tmp_path) -> None:
    from ledger.buckets import manifest, reading

    folder = Folder(f"file://{tmp_path}/parts")
    with Ledger.open(book, readonly=True) as ledger:
        found, _ = writing.export(ledger.store, "bench", folder, 1)
    [part] = found.rows(0)
    assert len(dict(reading.everything(folder, [part]))) == part.rows
    path = tmp_path / "parts" / part.name
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)
    with pytest.raises(LedgerError, match="the part cannot be read") as caught:
        dict(reading.everything(folder, [part]))
    assert str(caught.value).startswith(f"file://{tmp_path}/parts/{part.name}: ")
    reading._compared.clear()
    with pytest.raises(LedgerError, match="its checksum differs"):
        dict(reading.everything(folder, [part]))
    assert manifest.required(folder) == found


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("pyarrow", ("export", "--parquet", "parts")),
        ("distributed", ("replay", "--engine", "dask", "--scheduler", "tcp://127.0.0.1:1")),
        ("fsspec", ("export", "--parquet", "memory://parts")),
    ],
)
def test_without_the_extra_it_says_what_to_install(missing, command, claims, demo, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    said = claims.run(*command, db=demo, ok=2)
    assert missing in said.err
    assert said.err.endswith("Install the extra: pip install 'claim-ledger[cluster]'\n")


def test_a_logic_file_goes_along_only_where_the_user_named_it(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("CLAIMS_LOGICS", str(tmp_path / "logics"))
    file = tmp_path / "mine.py"
    file.write_text(
        "from projections import Logic\nlogic = Logic('mine', 1, weigh=lambda piece, source: 0.5)\n"
    )
    named = load(str(file))
    recipe = Recipe.of(named)
    assert recipe.file == ("mine.py", file.read_bytes())
    assert recipe.logic().weigh is not None
    kept = Loaded(named.logic, named.fingerprint, file=file, kept=True)
    assert Recipe.of(kept).file is None
    assert Recipe.of(TALLY).file is None


def test_a_worker_with_other_code_says_so_in_one_line() -> None:
    from projections.cluster import recipe

    recipe._known.clear()
    for changed, said in (
        ({"code": "0" * 64}, "has other code behind tally@1"),
        ({"name": "other"}, "lacks the logic other@1"),
        ({"name": "mine", "own": True}, r"lacks the file of mine@1 .*--logic FILE.py"),
    ):
        with pytest.raises(LedgerError, match=said) as caught:
            replace(Recipe.of(TALLY), **changed).logic()  # type: ignore[arg-type]
        assert str(caught.value).startswith(f"worker {os.getpid()} on ")


# -- by the console script -----------------------------------------------------------------------------------


def views_of(db: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in Path(f"{db}.views").glob("tally*.db")}


def test_replay_by_processes_prints_what_a_local_one_prints(script, copied, tmp_path) -> None:
    local = script.run("replay", db=copied)
    before = views_of(copied)
    shutil.rmtree(f"{copied}.views")
    assert script.run("export", "--parquet", tmp_path / "parts", db=copied).err.count("169 new") == 1
    many = script.run(
        "replay", "--engine", "processes", "--workers", 2, "--from", tmp_path / "parts", db=copied
    )
    assert (many.out, views_of(copied)) == (local.out, before)
    assert script.run("export", "--parquet", tmp_path / "parts", db=copied).err.count(" 0 new") == 1


def test_ctrl_c_ends_the_workers_and_leaves_what_was_done(book, parts, expected, tmp_path) -> None:
    code = (
        "import sys\nfrom projections.cluster import plan\nplan.ROWS = plan.FEW = 40\n"
        "from projections.cli import run\nif __name__ == '__main__':\n    sys.exit(run(sys.argv[1:]))\n"
    )
    main = tmp_path / "main.py"
    main.write_text(code)
    command = [
        sys.executable,
        str(main),
        "replay",
        "--engine",
        "processes",
        "--workers",
        "2",
        "--from",
        parts.url,
    ]
    env = os.environ | {"CLAIMS_VIEWS": str(tmp_path / "views"), "CLAIMS_KERNEL": "plain"}
    running = subprocess.Popen(
        [*command, "--db", str(book)], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    folder = tmp_path / "views" / book.name
    until = time.monotonic() + 60
    while not list(folder.glob(".*.spool")) and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.5)
    workers = psutil.Process(running.pid).children(recursive=True)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    assert (running.returncode, out) == (130, ""), err
    assert err.splitlines()[-1].startswith("claims: interrupted")
    assert "Traceback" not in err
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []
    assert replayed(book, folder, Here(), parts) == expected


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scheduler]:
    with clusters.running(tmp_path_factory.mktemp("dask")) as scheduler:
        yield scheduler


def test_replay_by_dask(dask, script, claims, copied) -> None:
    """In one test, since workers take their time to start: no workers, the same answer, a worker killed, a logic lacking."""
    engine = ("replay", "--engine", "dask", "--scheduler", dask.address)
    local = script.run("replay", db=copied)
    before = views_of(copied)
    shutil.rmtree(f"{copied}.views")
    with mock.patch("projections.cluster.engines._FIRST", 0):
        said = claims.run(*engine, db=copied, ok=1)
    assert f"{dask.address}: the scheduler has no workers. Start some: `dask worker" in said.err
    victim = dask.worker()
    dask.worker()
    seen = []

    def kill(*_: object) -> None:
        if not seen:
            victim.kill()
        seen.append(1)

    with (
        mock.patch.multiple(plan, ROWS=1, FEW=1),
        mock.patch("projections.cluster.spool.Spool.put", autospec=True, side_effect=_then(kill)),
    ):
        many = claims.run(*engine, db=copied)
    assert (many.out, views_of(copied)) == (local.out, before)
    assert len(seen) > 3
    file = claims.folder / "halves.py"
    file.write_text(
        "from projections import Logic\nl = Logic('halves', 1, weigh=lambda piece, source: 0.5)\n"
    )
    said = claims.run(*engine[:-1], dask.worker_address(), db=copied, ok=1)
    assert "no scheduler can be reached there (a worker listens)" in said.err
    by_file = claims(*engine, "--logic", "halves.py", db=copied)
    assert claims("replay", "--logic", "halves.py", db=copied)["digest"] == by_file["digest"]
    file.write_text(
        "from projections import Logic\nl = Logic('thirds', 1, weigh=lambda piece, source: 0.3)\n"
    )
    claims("replay", "--logic", "halves.py", db=copied)
    file.unlink()
    lacking = claims.run(*engine, "--logic", "thirds", db=copied, ok=1)
    assert "worker tcp://127.0.0.1:" in lacking.err and "lacks the file of thirds@1" in lacking.err
    assert lacking.err.strip().endswith("Name the file itself (--logic FILE.py), which sends it along")


def _then(after: Any) -> Any:
    from projections.cluster.spool import Spool

    put = Spool.put

    def both(*given: Any) -> None:
        put(*given)
        after()

    return both
