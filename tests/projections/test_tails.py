"""What is recorded more makes the tail of its place anew, and scores when somebody asks for them; no answer tells."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.book import Ledger
from ledger.clocks import instant_key
from projections.beliefs import Beliefs
from projections.registry import Loaded
from projections.tails import WHOLE, tail_of
from projections.view import file_name
from projections.views import Views
from tests.projections.test_kept_open import REVISED, TALLY, Growing, Held, held
from tests.projections.test_lessons import LOADED as EAGER
from tests.projections.worlds import (
    TIGHT,
    ZERO,
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

Rows = dict[str, list[tuple[object, ...]]]


class Book:
    """A world whose events are recorded one by one, with one view of a logic open all the while."""

    def __init__(self, world: World, folder: Path, loaded: Loaded = TALLY, size: int | None = None) -> None:
        self.shelf, self.loaded = world.shelf(hashed=True), loaded
        self.paper = Growing(self.shelf, size or len(world.told) - len(world.entries))
        self.folder = folder
        self.views = self.paper.views(folder)
        self.beliefs = self.caught_up(self.paper.size)

    def caught_up(self, size: int) -> Beliefs:
        """The view after so many events."""
        self.paper.size = size
        self.beliefs = self.views.beliefs(self.loaded, size, self.paper.directory())
        return self.beliefs

    def sizes(self) -> Iterator[int]:
        yield from range(self.paper.size + 1, len(self.shelf.events) + 1)

    def rows(self) -> Rows:
        """What the view holds once its scores were asked for."""
        self.beliefs.score()
        return told_by(self.folder / file_name(self.loaded), ("spot", "score"))

    def afresh(self) -> Rows:
        """The same judged and scored whole, by what the view had learnt."""
        known = instant_key(self.shelf.events[self.paper.size - 1].recorded)
        taught = replace(self.loaded, logic=self.beliefs.logic)
        maker = self.views.maker(taught, self.paper.size, self.paper.directory(), known)
        made = maker.make(list(maker.roots()))
        return {"spot": sorted(made.spots, key=repr), "score": sorted(made.scores, key=repr)}

    @property
    def knots(self) -> int:
        """How many knots were made so far."""
        return self.views._workshop.knots


# -- laws ---------------------------------------------------------------------------------------------------


@laws(0.5)
@given(st.one_of(worlds(TIGHT, least=8), worlds(REVISED, least=8)), st.data())
def test_claims_learnt_of_in_any_order_make_the_view_that_one_replay_makes(world: World, data) -> None:
    with tempfile.TemporaryDirectory() as folder:
        book = Book(world, Path(folder))
        for size in book.sizes():
            book.caught_up(size)
            if data.draw(st.booleans()):
                assert book.rows() == book.afresh(), size
        assert book.rows() == book.afresh()


@laws(0.4)
@given(worlds(TIGHT, least=8), st.data())
def test_so_they_do_where_sources_come_to_be_heard_otherwise_several_times(world: World, data) -> None:
    first = len(world.told) - len(world.entries)
    taught_by = data.draw(st.integers(first, len(world.told)))
    with tempfile.TemporaryDirectory() as folder:
        book = Book(world, Path(folder), EAGER, taught_by)
        for size in book.sizes():
            book.caught_up(size)
            assert book.rows() == book.afresh(), size


# -- how much is made anew ----------------------------------------------------------------------------------

DAYS = 60
DAILY = World.of(
    *(
        claim(("army", "witness")[day % 2], ("UA", "RU")[day // 5 % 2], day, at=moment(day))
        for day in range(DAYS)
    )
)


def made_of(world: World, folder: Path, loaded: Loaded = TALLY) -> list[int]:
    """How many knots each event behind ``DAILY`` has made, of the town and its two parts."""
    book = Book(DAILY + world.entries, folder, loaded, len(DAILY.told))
    found = []
    for size in book.sizes():
        before = book.knots
        book.caught_up(size)
        found.append(book.knots - before)
        assert book.rows() == book.afresh()
    return found


def late(*events) -> World:
    return World(events)


# What was learnt last is in force from tomorrow on, which is a knot more.
@pytest.mark.parametrize(("loaded", "made"), [(TALLY, [3, 3]), (EAGER, [6, 3])], ids=["tally", "hmm"])
def test_a_claim_of_today_makes_the_knots_of_today(tmp_path: Path, loaded: Loaded, made: list[int]) -> None:
    today = claim("monitor", "RU", DAYS - 1, "today", at=moment(DAYS))
    tomorrow = claim("monitor", "RU", DAYS + 1, "tomorrow", at=moment(DAYS + 1))
    assert made_of(late(today, tomorrow), tmp_path, loaded) == made


def test_a_claim_known_late_makes_the_knots_since_it_was_known(tmp_path: Path) -> None:
    heard_of_late = claim("monitor", "RU", DAYS - 20, "late", at=moment(DAYS), published=date(DAYS - 10))
    assert made_of(late(heard_of_late), tmp_path) == [30]


def test_a_claim_of_long_ago_that_is_published_today_makes_the_knots_of_today(tmp_path: Path) -> None:
    old = claim("monitor", "RU", 3, "old", at=moment(DAYS), published=date(DAYS - 1), valid=date(3))
    assert made_of(late(old), tmp_path) == [3]


def test_a_correction_makes_the_whole_place_anew(tmp_path: Path) -> None:
    fixed = told("entry-corrected", "fixed", moment(DAYS), target="#army-UA-0", changes={"state": "RU"})
    assert made_of(late(fixed), tmp_path) == [3 * DAYS]


def test_what_is_taken_back_today_stood_until_today(tmp_path: Path) -> None:
    back = told(
        "entry-retracted", "back", moment(DAYS), target="#army-UA-0", source="army", said=date(DAYS - 1)
    )
    assert made_of(late(back), tmp_path) == [3]


def test_a_map_that_shows_the_place_only_now_brings_its_older_looks_along(tmp_path: Path) -> None:
    looked = told("display-observed", "looked", moment(DAYS + 5), source="map", said=date(DAYS + 5))
    shown = claim("map", "UA", DAYS + 20, "shown", at=moment(DAYS + 20), standing=True)
    assert made_of(late(looked, shown), tmp_path) == [0, 3 * (DAYS + 2)]


def test_elsewhere_nothing_is_made_anew(tmp_path: Path) -> None:
    assert made_of(late(claim("army", "UA", 5, "far", at=moment(DAYS), place="hamlet")), tmp_path) == [1]


# -- when what is new was known -----------------------------------------------------------------------------


def recorded(*events):
    """The last of some events as recorded."""
    return Shelf(World.of(*events).told, hashed=True).events[-1]


SAID = claim("witness", "UA", 4, "said", at=moment(30))
FILM = told("evidence-reported", "film", moment(30), source="monitor", place="town", state="UA", said=date(4))
RULED = told(
    "claim-adjudicated", "ruled", moment(31), target="#said", verdict="true", ruled=date(9), by="monitor"
)


@pytest.mark.parametrize(
    ("events", "day"),
    [
        ((SAID,), ZERO + 4),
        ((claim("witness", "UA", 4, published=date(12), at=moment(30)),), ZERO + 12),
        ((claim("witness", "UA", f"{date(4)}/{date(7)}", at=moment(30)),), ZERO + 7),
        ((FILM,), ZERO + 4),
        ((told("display-observed", "look", moment(30), source="map", said=date(8)),), ZERO + 8),
        ((SAID, RULED), ZERO + 9),
        ((FILM, told("evidence-voided", "void", moment(31), target="#film")), ZERO + 31),
        ((SAID, told("entry-retracted", "back", moment(31), target="#said", source="witness", said=date(6))), ZERO + 6),
        ((SAID, RULED, told("entry-retracted", "unruled", moment(32), target="#ruled", source="monitor")), WHOLE),
        ((SAID, told("entry-corrected", "fixed", moment(31), target="#said", changes={"said": date(5)})), WHOLE),
        ((told("sources-linked", "linked", moment(31), sources=["army", "brigade"]),), WHOLE),
        ((told("place-merged", "one", moment(31), place="hamlet", into="town"),), WHOLE),
    ],
    ids=lambda one: "" if isinstance(one, int) else one[-1].label,
)  # fmt: skip
def test_the_tail_begins_when_the_event_was_known_or_is_everything(events, day: int) -> None:
    assert tail_of(recorded(*events)) == day


# -- scores -------------------------------------------------------------------------------------------------


def score_rows(one: Held) -> list[tuple[object, ...]]:
    return told_by(one.folder / "held" / file_name(TALLY), ("score",))["score"]


def beliefs(one: Held) -> Beliefs:
    return one.views.beliefs(TALLY, one.ledger.store.head().size, one.ledger.directory())


SPOKEN = claim("monitor", "RU", 5, "spoken", at=moment(20))


def test_catching_up_scores_nobody_until_somebody_asks(tmp_path: Path) -> None:
    with held(tmp_path) as one:
        one.check()
        before = score_rows(one)
        one.scribe.tell([SPOKEN])
        found = beliefs(one)
        assert score_rows(one) == before
        assert found.scores()["monitor"].utterances == 1
        assert score_rows(one) != before
        one.check()


def test_a_view_left_without_scores_by_one_process_gets_them_in_another(tmp_path: Path) -> None:
    with held(tmp_path) as one:
        one.check()
        one.scribe.tell([SPOKEN])
        beliefs(one)
        with Ledger.open(one.folder / "book.db", readonly=True) as ledger:
            views = Views(ledger, one.folder / "held")
            other = views.beliefs(TALLY, ledger.store.head().size, ledger.directory())
            assert other.scores()["monitor"].utterances == 1
            views.close()
        one.check()


def test_scores_asked_of_beliefs_that_another_process_brought_further_are_those_of_the_view(
    tmp_path: Path,
) -> None:
    with held(tmp_path) as one:
        one.check()
        one.scribe.tell([SPOKEN])
        found = beliefs(one)
        one.scribe.tell([claim("monitor", "RU", 6, "spoken again", at=moment(21), place="village")])
        with Ledger.open(one.folder / "book.db", readonly=True) as ledger:
            views = Views(ledger, one.folder / "held")
            views.beliefs(TALLY, ledger.store.head().size, ledger.directory())
            views.close()
        assert found.scores()["monitor"].utterances == 2
        one.check()


def test_before_a_replay_the_old_view_is_scored_so_that_a_grade_that_stays_is_not_shown_as_moved(
    tmp_path: Path,
) -> None:
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(DAILY.told)
        with scribe.desk() as desk:
            desk.beliefs.score()
        scribe.tell([SPOKEN])
        with scribe.desk() as desk:
            assert desk.beliefs.loaded.logic.id == "tally@1"
        with scribe.desk() as desk, desk.views.before(desk.asked) as old:
            view = desk.views.beliefs(desk.asked, desk.head, desk.directory, replay=True)
            assert old is not None and old.scores() == view.scores()
