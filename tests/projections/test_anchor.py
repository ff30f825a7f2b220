"""What was made from a ledger is known by position and root, and fits no other history."""

from __future__ import annotations

from dataclasses import replace

import pytest

from projections.anchor import Anchor, anchored, fits
from tests.projections.worlds import Paper, Shelf, World, claim

ID = "made-up"
SAYINGS = [claim("witness", "UA", day) for day in range(1, 8)]


def paper(*told: object, size: int | None = None) -> Paper:
    shelf: Shelf = World.of(*told).shelf()  # type: ignore[arg-type]
    return Paper(shelf, size)


@pytest.fixture
def store() -> Paper:
    return paper(*SAYINGS)


def test_an_anchor_fits_the_ledger_it_was_taken_from(store: Paper) -> None:
    assert fits(anchored(store, ID, store.size), store, ID, store.size)


@pytest.mark.parametrize("more", range(1, 8))
def test_an_anchor_fits_the_ledger_after_it_has_grown(store: Paper, more: int) -> None:
    short = Paper(store.shelf, store.size - more)
    anchor = anchored(short, ID, short.size)
    assert anchor.roots
    assert fits(anchor, store, ID, store.size)


def test_roots_are_told_from_an_earlier_anchor(store: Paper) -> None:
    short = Paper(store.shelf, store.size - 3)
    before = anchored(short, ID, short.size)
    assert anchored(store, ID, store.size - 1).roots == ""
    later = anchored(store, ID, store.size - 1, before)
    assert later.roots
    assert fits(later, store, ID, store.size)


def test_the_beginning_of_a_ledger_is_an_anchor_too(store: Paper) -> None:
    nothing = paper(size=0)
    assert fits(anchored(nothing, ID, 0), store, ID, store.size)


def test_another_history_with_the_same_row_there_does_not_fit(store: Paper) -> None:
    at = store.size - 2
    anchor = anchored(Paper(store.shelf, at), ID, at)
    rows = list(store.shelf.rows)
    store.shelf.rows[at - 3] = rows[at - 3]._replace(leaf_hash=bytes(32))
    assert store.row(at) == rows[at - 1]
    assert not fits(anchor, store, ID, store.size)


@pytest.mark.parametrize(
    "lie",
    [
        {"ledger": "another"},
        {"position": 3},
        {"leaf": "00" * 32},
        {"roots": "00" * 32},
        {"roots": "zz"},
        {"roots": "00" * 31},
    ],
    ids=str,
)
def test_an_anchor_that_lies_does_not_fit(store: Paper, lie: dict[str, object]) -> None:
    anchor = anchored(store, ID, store.size)
    assert not fits(replace(anchor, **lie), store, ID, store.size)  # type: ignore[arg-type]


def test_an_anchor_of_a_longer_ledger_does_not_fit(store: Paper) -> None:
    short = Paper(store.shelf, store.size - 1)
    assert not fits(anchored(store, ID, store.size), short, ID, short.size)


def test_an_anchor_to_which_others_have_gone_on_meanwhile_fits(store: Paper) -> None:
    assert fits(anchored(store, ID, store.size), store, ID, store.size - 1)


def test_without_roots_the_row_alone_decides(store: Paper) -> None:
    anchor = Anchor(ID, 3, anchored(store, ID, 3).leaf)
    assert fits(anchor, store, ID, store.size)
