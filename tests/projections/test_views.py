"""Materialised views: the same however they came about, and never trusted over the ledger."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import ReplayDue, WriteFailed
from ledger.events import BY_TYPE
from ledger.store.base import NewRow
from projections.belief.tally import judge
from projections.credibility import score
from projections.desk import Desk, views_folder
from projections.record import TYPES
from projections.registry import load
from tests.projections.worlds import (
    DAYS,
    TIGHT,
    ZERO,
    Paper,
    Scribe,
    Shelf,
    World,
    claim,
    close,
    date,
    end,
    laws,
    moment,
    registry,
    told,
    told_by,
    worlds,
)

TALLY = load()
dense = st.one_of(worlds(least=4), worlds(TIGHT, least=6))


def built(shelf: Shelf, root: Path, stops: list[int] | None = None) -> Path:
    """The view of a shelf, caught up at every stop."""
    for stop in [*(stops or []), len(shelf.events)]:
        views = Paper(shelf, stop).views(root)
        views.beliefs(TALLY, stop, shelf.directory(stop))
        views.close()
    return root / "tally@1.db"


# -- laws ---------------------------------------------------------------------------------------------------


@laws(0.4)
@given(dense, st.data())
def test_a_view_caught_up_bit_by_bit_is_the_view_built_at_once(world: World, data) -> None:
    shelf = world.shelf()
    first = len(world.told) - len(world.entries)
    stops = data.draw(st.lists(st.integers(first, len(world.told)), min_size=1, max_size=6, unique=True))
    with tempfile.TemporaryDirectory() as folder:
        bit_by_bit = built(shelf, Path(folder, "one"), sorted(stops))
        at_once = built(shelf, Path(folder, "two"))
        assert told_by(bit_by_bit) == told_by(at_once)


@laws(0.2)
@given(dense)
def test_two_replays_make_the_same_bytes(world: World) -> None:
    shelf = world.shelf()
    with tempfile.TemporaryDirectory() as folder:
        one, other = (built(shelf, Path(folder, name)) for name in ("one", "two"))
        assert one.read_bytes() == other.read_bytes()
        assert (one.parent / "record@1.db").read_bytes() == (other.parent / "record@1.db").read_bytes()


@laws(0.2)
@given(dense, st.integers(-2, DAYS + 20))
def test_what_a_view_says_is_what_is_judged_and_scored_from_scratch(world: World, day: int) -> None:
    shelf = world.shelf()
    with tempfile.TemporaryDirectory() as folder:
        path = built(shelf, Path(folder))
        rows = told_by(path)
        views = Paper(shelf).views(Path(folder))
        beliefs = views.beliefs(TALLY, len(shelf.events), shelf.directory())
        for place, question in shelf.spots():
            case = shelf.case(place, question)
            known = end_of_last(shelf)
            stored = {row[2]: orjson.loads(row[3]) for row in rows["score"] if row[:2] == (place, question)}
            assert stored == {
                source: one.to_dict() for source, one in score(case, TALLY.logic, known).items()
            }
            assert beliefs.spots(question) == sorted(set(beliefs.spots(question)))
        views.close()


def end_of_last(shelf: Shelf) -> int:
    from ledger.clocks import instant_key

    return instant_key(shelf.events[-1].recorded)
