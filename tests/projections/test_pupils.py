"""Learning from what others hold: estimates are the same to the last bit, whoever hears and counts what."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.clocks import instant_key
from ledger.codec import decode
from projections.belief.voices import Learnt
from projections.envelopes.reading import EVERYWHERE
from projections.lessons import Pupil, alone, learn
from projections.making import Maker
from projections.views import Views
from tests.projections.test_learning_slots import partitions
from tests.projections.test_lessons import EAGER, LOADED, liar
from tests.projections.worlds import TIGHT, Paper, Shelf, World, date, laws, moment, told, worlds


def silent(what: str, done: int, of: int) -> None:
    """Nobody wants to know how far it is."""


def opened(shelf: Shelf, folder: Path, names: list[str] | None = None) -> tuple[Views, Maker]:
    """A maker that has read a shelf; ``names`` get the first codes of its cache."""
    paper = Paper(shelf)
    views = paper.views(folder)
    if names is not None:
        cache = views._opened_cache()
        rows = list(enumerate([EVERYWHERE, *names]))
        cache.db.executemany("INSERT INTO name (code, text) VALUES (?, ?)", rows)
    head = len(shelf.events)
    row = paper.row(head)
    assert row is not None
    maker = views.maker(LOADED, head, shelf.directory(), instant_key(decode(row).recorded))
    maker.logic = EAGER
    return views, maker


def written(learnt: Learnt) -> list[Any]:
    """Estimates down to their bytes."""
    return [
        (question, one.known, one.position, one.heard, one.logs.tobytes(), one.rates.tobytes(),
         list(one.spoken.items()), list(one.shown.items()), one.temperature)
        for question, estimates in learnt.estimates.items()
        for one in estimates
    ]  # fmt: skip


class Workers:
    """Pupils elsewhere: each with a cache of its own, whose codes are in an order of its own, asked by what can be
    pickled, and keeping its notes on disk between one question and the next."""

    def __init__(self, shelf: Shelf, folder: Path, owner: list[int], random: Any) -> None:
        self.random = random
        self.views, self.pupils, self.asked = [], [], list[str]()
        for worker in sorted(set(owner)):
            names = opened_names(shelf, folder / "names")
            random.shuffle(names)
            (folder / str(worker)).mkdir()
            views, maker = opened(shelf, folder / str(worker), names)
            assert list(maker.codes.names)[: len(names) + 1] == [EVERYWHERE, *names]
            self.views.append(views)
            self.pupils.append(Pupil(maker, [slot for slot, one in enumerate(owner) if one == worker]))

    def __call__(self, what: str, *asked: Any) -> Iterable[Any]:
        self.asked.append(what)
        some = list(self.pupils)
        self.random.shuffle(some)
        for pupil in some:
            answer = getattr(pupil, what)(*pickle.loads(pickle.dumps(asked)))
            pupil.notes = pickle.loads(pickle.dumps(pupil.notes))
            yield pickle.loads(pickle.dumps(answer))

    def close(self) -> None:
        for one in self.views:
            one.close()


def opened_names(shelf: Shelf, folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    views, maker = opened(shelf, folder)
    names = [one for one in maker.builder.codes.names if one != EVERYWHERE]
    views.close()
    return names


@laws(0.2)
@given(st.one_of(worlds(TIGHT, least=6), worlds(least=6)), partitions, st.randoms(use_true_random=False))
def test_whoever_hears_and_counts_what_the_same_is_learnt_to_the_last_bit(
    world: World, owner: list[int], random: Any
) -> None:
    shelf = world.shelf(hashed=True)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        views, maker = opened(shelf, Path(one))
        workers = Workers(shelf, Path(other), owner, random)
        here, there = learn(maker, silent), learn(maker, silent, workers)
        views.close()
        workers.close()
    assert written(there) == written(here)


def spread(days: int = 40) -> World:
    """Liars and witnesses at three places, so in three slots, a map, and rulings."""
    places = ("town", "village", "hamlet")
    said = [
        one
        for n, place in enumerate(places)
        for one in liar(days).change(lambda e, n=n, place=place: moved(e, n, place)).entries
    ]
    looks = [
        told("display-observed", f"look{n}-{day}", moment(day, 14), source="map", place=place,
             question="control", state=("UA", "RU", "contested")[day // 9 % 3], observed=date(day))
        for n, place in enumerate(places)
        for day in range(n, days, 4)
    ]  # fmt: skip
    rulings = [
        told("state-ruled", f"r{n}-{day}", moment(day, 13), place=place, state="UA", valid=date(day), by="desk",
             question="control", ruled=date(day))
        for n, place in enumerate(places)
        for day in range(n, days, 5)
    ]  # fmt: skip
    return World.of(*sorted([*said, *looks, *rulings], key=lambda one: one.at))


def moved(one: Any, n: int, place: str) -> Any:
    return replace(one, label=f"{one.label}-{n}", data=one.data | {"place": place})


@pytest.mark.parametrize("workers", [1, 2, 5, 64])
def test_so_it_is_with_liars_maps_and_rulings_in_several_slots(tmp_path: Path, workers: int) -> None:
    shelf = spread().shelf(hashed=True)
    views, maker = opened(shelf, tmp_path)
    here = learn(maker, silent)
    owner = [Random(workers).randrange(workers) for _ in range(64)]
    (tmp_path / "there").mkdir()
    others = Workers(shelf, tmp_path / "there", owner, Random(1))
    assert written(learn(maker, silent, others)) == written(here)
    estimates = here.estimates["control"]
    assert len(estimates) > 5 and estimates[-1].temperature != 1.0
    assert {"expect", "surprise"} < set(others.asked)
    views.close()
    others.close()


def test_what_goes_down_and_comes_up_is_no_larger_than_what_is_learnt(tmp_path: Path) -> None:
    """However many days are told of."""
    sizes = []
    for days in (40, 80):
        shelf = spread(days).shelf(hashed=True)
        (tmp_path / str(days)).mkdir()
        views, maker = opened(shelf, tmp_path / str(days))
        pupil, largest = Pupil(maker), 0

        def ask(what: str, *asked: Any, pupil: Pupil = pupil) -> list[Any]:
            nonlocal largest
            answers = list(alone(pupil)(what, *asked))
            if what in ("heard", "expect", "surprise"):
                largest = max(largest, len(pickle.dumps(asked)), len(pickle.dumps(answers)))
            return answers

        learn(maker, silent, ask)
        sizes.append(largest)
        views.close()
    assert sizes[1] < 1.2 * sizes[0] < 20_000


def test_a_slot_that_nobody_has_is_found_out(tmp_path: Path) -> None:
    views, maker = opened(liar().shelf(hashed=True), tmp_path)
    with pytest.raises(ValueError, match="slots"):
        learn(maker, silent, alone(Pupil(maker, range(63))))
    views.close()


def test_nothing_is_kept_of_what_was_learnt_from(tmp_path: Path) -> None:
    views, maker = opened(liar().shelf(hashed=True), tmp_path)
    pupil = Pupil(maker)
    learn(maker, silent, alone(pupil))
    assert len(pickle.dumps(pupil.notes)) < 10_000
    views.close()


def test_the_first_voices_are_those_known_before(tmp_path: Path) -> None:
    """So that learning goes on from what was learnt of each; new ones come behind them by their ids."""
    views, maker = opened(spread().shelf(hashed=True), tmp_path)
    estimates = learn(maker, silent).estimates["control"]
    orders = [
        [name for _, name in sorted([(n, (one, False)) for one, n in each.spoken.items()]
                                    + [(n, (one, True)) for one, n in each.shown.items()])]
        for each in estimates
    ]  # fmt: skip
    for before, after in pairwise(orders):
        assert after[: len(before)] == before
        assert after[len(before) :] == sorted(after[len(before) :])
    assert np.isfinite(estimates[-1].logs).all()
    views.close()
