"""One temperature for all evidence, asked of those who ruled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from projections.learning.calibration import calibrated
from projections.learning.corpus import Corpus
from projections.learning.em import expected, infer
from projections.learning.model import Model


def echoes(things, echo, seed=0, ruled=1.0):
    """Each thing has three voices right 7 times in 10, and each voice ``echo`` others that only repeat it."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 2, things)
    called = np.where(rng.random((things, 3)) < 0.7, truth[:, None], 1 - truth[:, None])
    labels = np.repeat(called, echo, axis=1)
    n = labels.size
    judged = np.flatnonzero(rng.random(things) < ruled)
    corpus = Corpus(
        size=2,
        first=np.arange(things + 1),
        day=np.zeros(things, np.int64),
        step=np.repeat(np.arange(things), 3 * echo),
        voice=np.zeros(n, np.int64),
        label=labels.ravel(),
        weight=np.ones(n),
        judged_step=judged,
        judged_states=np.eye(2, dtype=bool)[truth[judged]],
    )
    right = np.array([[[0.7, 0.3], [0.3, 0.7]]])
    model = Model(rows=right, group=np.zeros(1, np.int64), generator=np.zeros((2, 2)), prior=np.full(2, 0.5))
    return corpus, model


def test_evidence_counted_five_times_is_divided_by_about_five():
    corpus, model = echoes(2000, 5)
    assert calibrated(corpus, model, expected(model)).temperature == pytest.approx(5, rel=0.15)


def test_honest_evidence_is_left_as_it_is():
    corpus, model = echoes(2000, 1)
    assert calibrated(corpus, model, expected(model)).temperature == pytest.approx(1, rel=0.15)


def test_without_rulings_the_temperature_is_the_declared_default():
    corpus, model = echoes(50, 5, ruled=0.0)
    model = replace(model, temperature_prior=(1.5, 2.0))
    assert calibrated(corpus, model, expected(model)).temperature == 1.5


def test_a_few_rulings_move_it_little_and_less_the_more_the_default_is_worth():
    corpus, model = echoes(12, 5)
    found = [
        calibrated(corpus, replace(model, temperature_prior=(1.0, worth)), expected(model)).temperature
        for worth in (0.5, 5.0, 500.0)
    ]
    assert found[0] > found[1] > found[2] > 0.99
    assert found[2] < 1.05


def test_a_ruling_is_scored_without_itself():
    """Rulings that outweigh everything would make any temperature look right."""
    corpus, model = echoes(500, 5)
    fixed = np.where(corpus.judged_states, 0.0, -50.0)
    told = replace(corpus, fixed=fixed[np.searchsorted(corpus.judged_step, np.arange(500))])
    a, b = (calibrated(each, model, expected(model)).temperature for each in (corpus, told))
    assert a == b


def test_a_ruling_may_leave_several_states_open():
    corpus, model = echoes(100, 5)
    open_ruling = replace(corpus, judged_states=np.ones_like(corpus.judged_states))
    assert calibrated(open_ruling, model, expected(model)).temperature == pytest.approx(1.0, rel=0.02)


def test_an_answer_is_tempered_by_what_was_calibrated():
    corpus, model = echoes(500, 5)
    fit = calibrated(corpus, model, expected(model))
    tempered, plain = infer(corpus, model, fit), infer(corpus, model, fit, temperature=1.0)
    assert (tempered.smoothed.max(axis=1) < plain.smoothed.max(axis=1)).all()
    np.testing.assert_array_equal(
        tempered.smoothed, infer(corpus, model, fit, temperature=fit.temperature).smoothed
    )
