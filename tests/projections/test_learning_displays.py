"""What stays up between the steps: time spent in each state, and how often displays are silently redrawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from projections.learning.corpus import Corpus
from projections.learning.em import fit
from projections.learning.gaps import Gaps
from projections.learning.model import Model
from tests.projections.learning_worlds import world


@pytest.mark.parametrize("motion", ["reversible", "any"])
@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 3, 5]))
def test_time_spent_in_a_gap_is_the_integral_over_it(motion, seed, size):
    told = world(seed, size, motion=motion)
    gaps = Gaps.of(told.corpus, told.model.motion)
    assume(len(gaps.shown))
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0, 0.5, (told.corpus.evidence.shown.shape[0], size))
    entering, leaving = rng.dirichlet(np.ones(size), (2, len(gaps.shown)))
    found = gaps.occupied(rates, entering, leaving)
    at = gaps.shown[0]
    dt = float(told.corpus.gap[at])
    g = told.model.generator - np.diag(rates[told.corpus.evidence.combination[at]])
    nodes, weights = np.polynomial.legendre.leggauss(60)
    through = expm(g * ((nodes + 1) * dt / 2)[:, None, None])  # the nodes lie symmetrically
    time = np.einsum("s,i,siz,szj,j->z", weights * dt / 2, entering[0], through, through[::-1], leaving[0])
    time /= entering[0] @ expm(g * dt) @ leaving[0]
    np.testing.assert_allclose(found[0], time, rtol=1e-8)


def test_a_display_that_is_often_redrawn_is_learnt_to_be():
    """One voice redraws every 2 days, one every 40, for a year."""
    rates = []
    for every in (2, 40):
        days = np.arange(0, 361, every)
        n = len(days)
        corpus = Corpus(
            size=2,
            first=np.array([0, n]),
            day=days,
            step=np.arange(n),
            voice=np.zeros(n, np.int64),
            label=np.arange(n) % 2,
            weight=np.ones(n),
            held_voice=np.zeros(n - 1, np.int64),
            held_label=np.arange(n - 1) % 2,
            held_weight=np.ones(n - 1),
            held_from=np.arange(n - 1),
            held_to=np.arange(1, n),
        )
        q = np.array([[-0.05, 0.05], [0.05, -0.05]])
        half = np.array([[[0.8, 0.2], [0.2, 0.8]]])
        model = Model(rows=half, group=np.zeros(1, np.int64), generator=q, prior=np.full(2, 0.5))
        rates.append(fit(corpus, model).refresh[0])
    assert rates[0] > 0.3 > 0.1 > rates[1]


def displayed(rates, seed, spots=60, days=400):
    """Two states; each voice looks at every spot at its own rate and shows what it sees, right 9 times in 10."""
    rng = np.random.default_rng(seed)
    said, held, steps, first = [], [], [], [0]
    for _ in range(spots):
        z = np.logical_xor.accumulate(rng.random(days) < 0.01).astype(int)
        looks = rng.random((len(rates), days)) < -np.expm1(-np.array(rates))[:, None]
        looks[:, 0] = True
        seen = np.where(rng.random((len(rates), days)) < 0.9, z, 1 - z)
        drawn = [
            (voice, day, seen[voice, day])
            for voice in range(len(rates))
            for day in np.flatnonzero(looks[voice])
        ]
        drawn = [one for i, one in enumerate(drawn) if not i or one[::2] != drawn[i - 1][::2]]
        turns = sorted({day for _, day, _ in drawn} | {days - 1})
        at = {day: first[-1] + i for i, day in enumerate(turns)}
        for i, (voice, day, label) in enumerate(drawn):
            said.append((at[day], voice, label))
            on = i + 1 < len(drawn) and drawn[i + 1][0] == voice
            held.append((voice, label, at[day], at[drawn[i + 1][1] if on else days - 1]))
        steps += turns
        first.append(len(steps))
    step, voice, label = np.array(said).T
    who, what, start, end = np.array([one for one in held if one[2] < one[3]]).T
    return Corpus(
        size=2,
        first=np.array(first),
        day=np.array(steps),
        step=step,
        voice=voice,
        label=label,
        weight=np.ones(len(step)),
        held_voice=who,
        held_label=what,
        held_weight=np.ones(len(who)),
        held_from=start,
        held_to=end,
    )


@pytest.mark.parametrize("assumed", [0.02, 0.5])
def test_how_often_a_map_is_looked_at_is_found_though_most_looks_leave_no_trace(assumed):
    rates = (0.03, 0.1, 0.3)
    model = Model(
        rows=np.array([[[0.8, 0.2], [0.2, 0.8]]]),
        group=np.zeros(3, np.int64),
        generator=np.array([[-0.01, 0.01], [0.01, -0.01]]),
        prior=np.full(2, 0.5),
        refresh_prior=(assumed, 5.0),
    )
    learnt = fit(displayed(rates, 1), model, iterations=60)
    np.testing.assert_allclose(learnt.refresh, rates, rtol=0.25)
    np.testing.assert_allclose(np.exp(learnt.logs)[:, [0, 1], [0, 1]], 0.9, atol=0.04)
