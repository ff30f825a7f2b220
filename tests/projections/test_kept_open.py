"""A view that is held open while its ledger grows says what a view made from nothing says, event after event."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.book import Ledger
from ledger.codec import Recorded, decode
from ledger.directory import Directory
from ledger.events import BY_NAME
from projections.registry import Loaded, load
from projections.view import file_name
from projections.views import Views
from tests.projections.worlds import (
    Menu,
    Paper,
    Scribe,
    Shelf,
    World,
    claim,
    date,
    laws,
    moment,
    told,
    told_by,
    worlds,
)

TALLY = load()
VIEW = file_name(TALLY)
#: Everything a view holds, what look-ups need among it.
ALL_OF_IT = ("spot", "score", "choked", "spelling", "redated", "meta")
#: Events that seldom come by chance, each with much to act upon.
REVISED = Menu(
    kinds=(
        *("claim", "evidence", "display", "look at all", "look", "doubt", "doubt"),
        *("correction", "correction", "retraction", "adjudication", "void", "merge", "link", "registration"),
    ),
    most=14,
)


class Growing(Paper):
    """A shelf that is told event by event, with one directory for as long as it is open, as a ledger has."""

    def __init__(self, shelf: Shelf, size: int) -> None:
        super().__init__(shelf, size)
        self._open = Directory()

    def directory(self, at: int | None = None) -> Directory:
        for row in self.rows(self._open.position + 1):
            one = decode(row)
            if _registers(one):
                self._open.apply(one, {})
        return self._open


def _registers(one: Recorded) -> bool:
    befalls = one.name == "entry-corrected" and one.stream.partition(":")[0] in ("place", "source")
    return BY_NAME[one.name].REGISTRY or befalls


def fresh(shelf: Shelf, size: int) -> dict[str, list[tuple[object, ...]]]:
    """The rows of a view made from nothing of so many events."""
    with tempfile.TemporaryDirectory() as folder:
        views = Paper(shelf, size).views(Path(folder))
        views.beliefs(TALLY, size, shelf.directory(size))
        views.close()
        return told_by(Path(folder, VIEW), ALL_OF_IT)


def caught_up(views: Views, paper: Paper, root: Path) -> dict[str, list[tuple[object, ...]]]:
    views.beliefs(TALLY, paper.size, paper.directory()).score()
    return told_by(root / VIEW, ALL_OF_IT)


# -- laws ---------------------------------------------------------------------------------------------------


@laws(0.7)
@given(st.one_of(worlds(least=4), worlds(REVISED, least=8)), st.data())
def test_after_every_event_it_holds_the_rows_of_a_fresh_view(world: World, data) -> None:
    shelf = world.shelf(hashed=True)
    first = len(world.told) - len(world.entries)
    with tempfile.TemporaryDirectory() as folder:
        paper = Growing(shelf, first)
        views = paper.views(Path(folder))
        for size in range(first, len(world.told) + 1):
            paper.size = size
            if size > first and data.draw(st.integers(1, 4)) == 1:
                continue
            assert caught_up(views, paper, Path(folder)) == fresh(shelf, size), size
        views.close()


@laws(0.2)
@given(worlds(REVISED, least=8), st.data())
def test_two_that_take_turns_at_one_file_do_not_notice_each_other(world: World, data) -> None:
    shelf = world.shelf(hashed=True)
    first = len(world.told) - len(world.entries)
    with tempfile.TemporaryDirectory() as folder:
        papers = Growing(shelf, first), Growing(shelf, first)
        both = [paper.views(Path(folder)) for paper in papers]
        for size in range(first, len(world.told) + 1):
            n = data.draw(st.integers(0, 1))
            papers[n].size = size
            assert caught_up(both[n], papers[n], Path(folder)) == fresh(shelf, size), size
        for views in both:
            views.close()


# -- one of each sort -----------------------------------------------------------------------------------------


class Held:
    """A ledger file that is written to while one ``Views`` of it is open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.scribe = Scribe(folder / "book.db")
        self.scribe.tell(BEFORE.told)
        self.ledger = Ledger.open(folder / "book.db", readonly=True)
        self.views = Views(self.ledger, folder / "held")
        self.made = 0

    def close(self) -> None:
        self.views.close()
        self.ledger.close()
        self.scribe.book.close()

    def check(self, loaded: Loaded = TALLY) -> None:
        """Catch up, and compare with a view made from nothing."""
        self.made += 1
        root = self.folder / f"fresh-{self.made}"
        with Ledger.open(self.folder / "book.db", readonly=True) as ledger:
            other = Views(ledger, root)
            other.beliefs(loaded, ledger.store.head().size, ledger.directory())
            other.close()
        self.views.beliefs(loaded, self.ledger.store.head().size, self.ledger.directory()).score()
        name = file_name(loaded)
        tables = ALL_OF_IT if loaded is TALLY else ALL_OF_IT[:3]
        assert told_by(self.folder / "held" / name, tables) == told_by(root / name, tables)


BEFORE = World.of(
    claim("witness", "UA", 1, "said", at=moment(1)),
    claim("ministry", "RU", 2, "other", at=moment(2)),
    claim("army", "UA", 2, "far", at=moment(2), place="hamlet"),
    claim("map", "UA", 1, "drawn", at=moment(2), standing=True),
    claim("chart", "RU", 1, "drawn too", at=moment(2), standing=True, place="village"),
    told("evidence-reported", "film", moment(3), source="monitor", place="town", state="UA", said=date(2)),
    told(
        "evidence-reported", "image", moment(3), source="monitor", place="village", state="RU", said=date(2)
    ),
)

ONE_OF_EACH = (
    claim("brigade", "UA", 3, "again", at=moment(3)),
    claim("army", "RU", 3, "leant", at=moment(3), based_on=["#film"]),
    claim("army", "RU", 3, "leant afar", at=moment(3), place="hamlet", based_on=["#image"]),
    claim("blogger", None, 4, "doubted", at=moment(4), act="doubts", target="#film"),
    claim("blogger", None, 4, "denied", at=moment(4), act="denies", target="#image", place="village"),
    told("display-observed", "look", moment(5), source="map", said=date(5)),
    told("display-observed", "look here", moment(5), source="chart", place="village", said=date(5)),
    told("entry-corrected", "fixed", moment(6), target="#said", changes={"said": date(2), "state": "RU"}),
    told("entry-corrected", "moved", moment(6), target="#other", changes={"place": "village"}),
    told("entry-corrected", "moved back", moment(7), target="#other", changes={"place": "town"}),
    told("entry-corrected", "shown", moment(7), target="#drawn", changes={"claimant": "chart"}),
    told("entry-corrected", "redoubted", moment(7), target="#denied", changes={"target": "#film"}),
    told("display-observed", "look again", moment(8), source="chart", said=date(8)),
    told("entry-corrected", "looked later", moment(8), target="#look", changes={"said": date(7)}),
    told("claim-adjudicated", "ruled", moment(9), target="#again", verdict="false", ruled=date(9)),
    told("entry-retracted", "taken back", moment(9), target="#far", source="army", said=date(9)),
    told("evidence-voided", "staged", moment(10), target="#film", ruled=date(10)),
    told("state-ruled", "judged", moment(10), place="town", state="UA", valid=date(9), ruled=date(10)),
    told("claim-withdrawn", "undrawn", moment(11), source="chart", place="village", said=date(11)),
    told("entry-retracted", "not looked", moment(11), target="#look again", source="chart", said=date(11)),
    told("sources-linked", "linked", moment(12), sources=["army", "brigade"]),
    claim("brigade", "RU", 12, "as one", at=moment(12)),
    told("source-registered", "newcomer", moment(13), source="guard", kind="official", side="UA"),
    claim("guard", "UA", 13, "first word", at=moment(13)),
    told(
        "place-registered", "east", moment(13), place="town/east", names=["East"], kind="part", parent="town"
    ),
    claim("guard", "RU", 13, "of a part", at=moment(14), place="town/east"),
    told("source-merged", "same man", moment(14), source="monitor", into="witness"),
    claim("monitor", "UA", 14, "under an old name", at=moment(14)),
    told("place-merged", "same place", moment(15), place="hamlet", into="town"),
    claim("army", "UA", 15, "of the old place", at=moment(15), place="hamlet"),
    told("party-named", "third", moment(16), party="PMC"),
    claim("agency", "PMC", 16, "of the third", at=moment(16)),
    claim("witness", "UA", 30, "foretold", at=moment(17), act="predicts", valid=date(40)),
    claim("agency", "UA", 50, "long after", at=moment(50), place="village"),
)


@contextmanager
def held(folder: Path) -> Iterator[Held]:
    found = Held(folder)
    try:
        yield found
    finally:
        found.close()


def test_one_event_of_each_sort_after_another(tmp_path) -> None:
    with held(tmp_path) as one:
        one.check()
        for event in ONE_OF_EACH:
            one.scribe.tell([event])
            one.check()


def test_views_of_two_logics_share_what_is_kept(tmp_path) -> None:
    (tmp_path / "mine.py").write_text(
        "from projections import Logic\n"
        "from projections.belief.params import Params\n"
        "MINE = Logic('mine', 1, Params().replace(copy_rate=0.9))\n"
    )
    mine = load(str(tmp_path / "mine.py"))
    with held(tmp_path) as one:
        for n, event in enumerate(ONE_OF_EACH[:18]):
            one.scribe.tell([event])
            if n % 3 != 1:
                one.check(mine)
            if n % 3 != 2:
                one.check()


def test_a_claim_leaves_everything_ready_that_the_next_one_needs(tmp_path, monkeypatch) -> None:
    made: list[object] = []
    monkeypatch.setattr(
        "projections.columns.tables.asked", _counted("projections.columns.tables.asked", made)
    )
    with held(tmp_path) as one:
        one.check()
        # The first that name somebody for the first time; those behind them name nobody new.
        one.scribe.tell(ONE_OF_EACH[:4])
        one.views.beliefs(TALLY, one.ledger.store.head().size, one.ledger.directory())
        before = one.views._workshop._builder
        made.clear()
        for event in ONE_OF_EACH[4:20]:
            one.scribe.tell([event])
            one.views.beliefs(TALLY, one.ledger.store.head().size, one.ledger.directory())
        assert one.views._workshop._builder is before
        assert made == []
        one.check()


def _counted(name: str, calls: list[object]):
    module, _, function = name.rpartition(".")
    real = getattr(__import__(module, fromlist=[function]), function)

    def counting(*arguments):
        calls.append(arguments)
        return real(*arguments)

    return counting


def read_again(one: Held) -> None:
    head = one.ledger.store.head().size
    one.views.envelopes(head).clear()
    one.views.envelopes(head)


def replayed(one: Held) -> None:
    one.views.beliefs(TALLY, one.ledger.store.head().size, one.ledger.directory(), replay=True)


def replayed_by_another(one: Held) -> None:
    with Ledger.open(one.folder / "book.db", readonly=True) as ledger:
        views = Views(ledger, one.folder / "held")
        head = ledger.store.head().size
        views.envelopes(head).clear()
        views.envelopes(head)
        views.beliefs(TALLY, ledger.store.head().size, ledger.directory(), replay=True)
        views.close()


def thrown_away(one: Held) -> None:
    shutil.rmtree(one.folder / "held")


@pytest.mark.parametrize("meanwhile", [read_again, replayed, replayed_by_another, thrown_away])
def test_it_goes_on_whatever_becomes_of_its_files(tmp_path, meanwhile) -> None:
    with held(tmp_path) as one:
        one.check()
        for n, event in enumerate(ONE_OF_EACH[:12]):
            one.scribe.tell([event])
            if n in (2, 5, 6):
                meanwhile(one)
            one.check()
