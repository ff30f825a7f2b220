"""Sums over slots: the same to the last bit whoever adds up which of them, and in whatever order."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.learning.calibration import Ruled
from projections.learning.corpus import Corpus
from projections.learning.em import fit, infer, learn
from projections.learning.expectation import Counts, expect
from projections.learning.gaps import Gaps
from projections.learning.model import Fit, Model
from projections.learning.scan import CHUNK
from projections.learning.slots import SLOTS, Part, Tree, added, aligned, merged, slot_of
from tests.projections.learning_worlds import VOICES, World, world, worlds
from tests.projections.worlds import laws

#: Each slot by the worker that has it.
partitions = st.integers(1, 5).flatmap(
    lambda many: st.lists(st.integers(0, many - 1), min_size=SLOTS, max_size=SLOTS)
)


def ruled(told: World, seed: int) -> World:
    """The world with some of its steps ruled on."""
    rng = np.random.default_rng(seed)
    judged = np.flatnonzero(rng.random(len(told.corpus.day)) < 0.3)
    so = rng.random((len(judged), told.corpus.size)) < 0.5
    return told._replace(corpus=replace(told.corpus, judged_step=judged, judged_states=so))


def scattered(told: World, seed: int) -> Corpus:
    """The corpus with its spots in slots drawn at random."""
    slot = np.sort(np.random.default_rng(seed).integers(0, SLOTS, told.corpus.spots))
    return replace(told.corpus, slot=slot, slots=SLOTS)


def held(corpus: Corpus, first: int, slots: int) -> Corpus:
    """What somebody has who holds only some slots of a corpus."""
    mine = np.flatnonzero((corpus.slot >= first) & (corpus.slot < first + slots))
    part = corpus.part(mine)
    return replace(part, slot=part.slot - first, slots=slots)


def counted(corpus: Corpus, model: Model, given: Fit) -> Counts:
    return expect(corpus, Gaps.of(corpus, model.motion), given)


def same(one: Counts, other: Counts) -> bool:
    return all(np.array_equal(getattr(one, name.name), getattr(other, name.name)) for name in fields(Counts))


class Workers:
    """Corpora of the slots that each worker has, cut as small as they must be or smaller, answering in any order."""

    def __init__(self, corpus: Corpus, model: Model, owner: list[int], random) -> None:
        self.random, self.model = random, model
        self.held: list[tuple[int, Corpus, Gaps, Ruled]] = []
        for worker in sorted(set(owner)):
            mine = [slot for slot in range(SLOTS) if owner[slot] == worker]
            most = random.choice((1, 4, SLOTS))
            for first, many in aligned(mine, lambda first, many, most=most: many <= most):
                part = held(corpus, first, many)
                self.held.append((first, part, Gaps.of(part, model.motion), Ruled.of(part, model)))

    def expect(self, given: Fit) -> Counts:
        parts = [Part(first, part.slots, expect(part, gaps, given)) for first, part, gaps, _ in self.held]
        self.random.shuffle(parts)
        return merged(pickle.loads(pickle.dumps(parts)))

    def surprise(self, given: Fit, temperature: float) -> float:
        parts = [
            Part(first, part.slots, ruled.surprise(self.model, given, temperature))
            for first, part, _, ruled in self.held
        ]
        self.random.shuffle(parts)
        return merged(parts)


# -- laws -----------------------------------------------------------------------------------------------------


@laws(0.5)
@given(worlds(), st.integers(0, 2**32 - 1), partitions, st.randoms(use_true_random=False))
def test_whoever_counts_which_slots_counts_the_same_to_the_last_bit(told, seed, owner, random):
    corpus = scattered(told, seed)
    workers = Workers(corpus, told.model, owner, random)
    assert same(workers.expect(told.fit), counted(corpus, told.model, told.fit))


@laws(0.5)
@given(worlds(), st.integers(0, 2**32 - 1), partitions, st.randoms(use_true_random=False))
def test_rulings_surprise_the_same_whoever_holds_them(told, seed, owner, random):
    told = ruled(told, seed)
    corpus = scattered(told, seed)
    workers = Workers(corpus, told.model, owner, random)
    whole = Ruled.of(corpus, told.model).surprise(told.model, told.fit, 1.7)
    assert workers.surprise(told.fit, 1.7) == whole


@laws(0.5)
@given(worlds(), st.integers(0, 2**32 - 1), partitions, st.randoms(use_true_random=False))
def test_what_is_learnt_from_workers_is_what_is_learnt_here_to_the_last_bit(told, seed, owner, random):
    corpus = scattered(told, seed)
    workers = Workers(corpus, told.model, owner, random)
    there = learn(workers.expect, told.model, corpus.spots, iterations=3)
    here = fit(corpus, told.model, iterations=3)
    assert there.trace == here.trace
    for name in ("logs", "group_logs", "copy_logs", "group_copy", "refresh", "prior_logs"):
        assert np.array_equal(getattr(there, name), getattr(here, name))


@given(worlds(), st.integers(0, 2**32 - 1))
def test_counting_by_slots_is_counting_all_at_once(told, seed):
    corpus = scattered(told, seed)
    whole, by_slots = (counted(one, told.model, told.fit) for one in (told.corpus, corpus))
    for name in fields(Counts):
        a, b = getattr(whole, name.name), getattr(by_slots, name.name)
        np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-12)


def counted_in_loops(told: World) -> tuple[np.ndarray, np.ndarray]:
    """Own utterances and copies, by definition, where nothing is displayed."""
    corpus, given = told.corpus, told.fit
    beliefs = infer(corpus, replace(told.model, prior=np.exp(given.prior_logs)), given, 1.0).smoothed
    labels = np.zeros_like(given.logs)
    copies = np.zeros((len(given.logs), 2))
    for i, step in enumerate(corpus.step):
        voice, label = corpus.voice[i], corpus.label[i]
        heard = corpus.weight[i] * beliefs[step]
        rate, own = given.copy_rate[voice], np.exp(given.logs[voice, :, label])
        copied = rate * (corpus.copied[i] == 1) / (rate * (corpus.copied[i] == 1) + (1 - rate) * own)
        copied = copied * (corpus.copied[i] > 0)
        labels[voice, :, label] += heard * (1 - copied)
        if corpus.copied[i]:
            copies[voice] += [(heard * copied).sum(), (heard * (1 - copied)).sum()]
    return labels, copies


@given(worlds(displays=0), st.integers(0, 2**32 - 1))
def test_what_is_counted_is_what_counting_one_by_one_gives(told, seed):
    found = counted(scattered(told, seed), told.model, told.fit)
    labels, copies = counted_in_loops(told)
    np.testing.assert_allclose(found.labels, labels, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.copies, copies, rtol=1e-9, atol=1e-12)
    assert found.opening.sum() == pytest.approx((np.diff(told.corpus.first) > 0).sum())


@given(worlds(), st.integers(0, 2**32 - 1))
def test_what_is_believed_of_a_spot_hangs_on_no_other_spot(told, seed):
    whole = infer(told.corpus, told.model, told.fit)
    for spot, (lo, hi) in enumerate(pairwise(told.corpus.first)):
        alone = infer(told.corpus.part(np.array([spot])), told.model, told.fit)
        assert np.array_equal(alone.filtered, whole.filtered[lo:hi])
        assert np.array_equal(alone.smoothed, whole.smoothed[lo:hi])


@pytest.mark.parametrize("size", [1, 3, 9])
def test_so_it_is_with_spots_of_many_chunks(size):
    rng = np.random.default_rng(size)
    told = world(3, size)
    lengths = [3 * CHUNK + 5, 1, 0, CHUNK, CHUNK + 1, 7, 2 * CHUNK]
    first = np.concatenate([[0], np.cumsum(lengths)])
    n = 2 * first[-1]
    corpus = Corpus(
        size=size,
        first=first,
        day=np.concatenate([np.sort(rng.choice(900, length, replace=False)) for length in lengths]),
        step=rng.integers(0, first[-1], n),
        voice=rng.integers(0, VOICES, n),
        label=rng.integers(0, 4, n),
        weight=np.ones(n),
    )
    whole = infer(corpus, told.model, told.fit)
    for spot, (lo, hi) in enumerate(pairwise(first)):
        alone = infer(corpus.part(np.array([spot])), told.model, told.fit)
        assert np.array_equal(alone.smoothed, whole.smoothed[lo:hi])


# -- the tree ---------------------------------------------------------------------------------------------------


numbers = st.lists(st.floats(-1e6, 1e6), min_size=SLOTS, max_size=SLOTS)


@given(numbers, partitions, st.randoms(use_true_random=False))
def test_slots_are_added_in_one_order(by_slot, owner, random):
    stack = np.array(by_slot)
    parts = [Part(slot, 1, by_slot[slot]) for slot in range(SLOTS)]
    random.shuffle(parts)
    ranges = [
        one
        for worker in sorted(set(owner))
        for one in aligned([slot for slot in range(SLOTS) if owner[slot] == worker])
    ]
    random.shuffle(ranges)
    some = [Part(first, many, added(stack[first : first + many])) for first, many in ranges]
    slots = np.arange(SLOTS)
    tree = Tree.of(slots, slots * 0, SLOTS, 1).sums(stack[None])
    assert merged(parts) == merged(some) == added(stack) == tree[0, 0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(0, 200))
def test_a_tree_adds_every_thing_as_the_slots_that_have_it_are_added(seed, things, n):
    rng = np.random.default_rng(seed)
    slot, thing, number = rng.integers(0, SLOTS, n), rng.integers(0, things, n), rng.uniform(-1, 1, (2, n))
    tree = Tree.of(slot, thing, SLOTS, things)
    assert tree.things.tolist() == sorted(set(thing.tolist()))
    for column, sums in zip(number, tree.sums(number), strict=True):
        for at, one in enumerate(tree.things.tolist()):
            mine = thing == one
            assert sums[at] == added(np.bincount(slot[mine], column[mine], SLOTS))


@given(partitions)
def test_aligned_ranges_are_the_slots_they_are_made_of(owner):
    mine = [slot for slot in range(SLOTS) if owner[slot] == 0]
    found = aligned(mine)
    assert sorted(slot for first, many in found for slot in range(first, first + many)) == mine


def test_all_slots_are_one_range():
    assert aligned(range(SLOTS)) == [(0, SLOTS)]


@pytest.mark.parametrize(
    "lie",
    [
        [],
        [(0, 32)],
        [(0, 32), (32, 16)],
        [(0, 64), (0, 64)],
        [(0, 64), (32, 32)],
        [(0, 32), (0, 32)],
        [(0, 32), (0, 32), (32, 32)],
    ],
    ids=str,
)
def test_a_slot_that_is_missing_or_was_counted_twice_is_found_out(lie):
    with pytest.raises(ValueError, match="slots"):
        merged(Part(first, many, 1.0) for first, many in lie)


@pytest.mark.parametrize(("first", "many"), [(0, 3), (1, 2), (-1, 1), (64, 1), (0, 0), (0, 128)])
def test_slots_that_are_no_subtree_are_refused(first, many):
    with pytest.raises(ValueError, match="no subtree"):
        Part(first, many, 1.0)


def test_only_the_halves_of_a_subtree_are_merged():
    for one, other in (((1, 1), (2, 1)), ((0, 1), (2, 1)), ((0, 2), (2, 1)), ((0, 1), (0, 1))):
        with pytest.raises(ValueError, match="halves"):
            Part(*one, 1.0).merge(Part(*other, 1.0))


def test_a_family_has_the_same_slot_for_ever():
    """By SHA-256 of its id: another slot would be another order of summing."""
    assert [slot_of(root) for root in ("", "town", "own:place-0", "Куп'янськ")] == [20, 62, 1, 41]
