"""Corpora, models and fits that cannot be, named by the lie they tell."""

from __future__ import annotations

import numpy as np
import pytest

from projections.learning.corpus import Corpus
from projections.learning.em import fit, infer
from projections.learning.model import Model
from tests.projections.learning_worlds import world


def small(**changes):
    """A corpus of two spots with two steps and one, changed so that it lies."""
    arrays = {
        "size": 2,
        "first": np.array([0, 2, 3]),
        "day": np.array([1, 5, 2]),
        "step": np.array([0, 2]),
        "voice": np.array([0, 1]),
        "label": np.array([0, 1]),
        "weight": np.ones(2),
        "held_voice": np.array([0]),
        "held_label": np.array([0]),
        "held_weight": np.ones(1),
        "held_from": np.array([0]),
        "held_to": np.array([1]),
    }
    return Corpus(**{**arrays, **changes})


@pytest.mark.parametrize(
    "lie",
    [
        {"size": 0},
        {"first": np.array([0, 2])},
        {"first": np.array([1, 2, 3])},
        {"first": np.array([0, 3, 2, 3])},
        {"day": np.array([5, 5, 2])},
        {"step": np.array([0, 3])},
        {"step": np.array([-1, 0])},
        {"step": np.array([0])},
        {"weight": np.array([1.0, 0.0])},
        {"weight": np.array([1.0, np.nan])},
        {"copied": np.array([0, 3], np.int8)},
        {"copied": np.array([0], np.int8)},
        {"fixed": np.zeros((2, 2))},
        {"fixed": np.full((3, 2), -np.inf)},
        {"held_to": np.array([2])},
        {"held_to": np.array([0])},
        {"held_to": np.array([9])},
        {"held_weight": np.array([-1.0])},
        {"judged_step": np.array([0])},
        {"judged_step": np.array([3]), "judged_states": np.ones((1, 2), bool)},
    ],
    ids=str,
)
def test_a_corpus_that_cannot_be_is_refused(lie):
    small()
    with pytest.raises(ValueError, match=r"\w"):
        small(**lie)


@pytest.mark.parametrize(
    "lie",
    [
        {"rows": np.full((1, 2, 2), 0.4)},
        {"rows": np.array([[[1.0, 0.0], [0.5, 0.5]]])},
        {"group": np.array([0, 1])},
        {"generator": np.zeros((3, 3))},
        {"prior": np.array([1.0, 0.0])},
        {"strength": 0.0},
        {"strength": np.inf},
        {"refresh_prior": (0.0, 1.0)},
        {"temperature_prior": (1.0, 0.0)},
    ],
    ids=str,
)
def test_a_model_that_cannot_be_is_refused(lie):
    honest = {
        "rows": np.full((1, 2, 2), 0.5),
        "group": np.zeros(2, np.int64),
        "generator": np.zeros((2, 2)),
        "prior": np.full(2, 0.5),
    }
    Model(**honest)
    with pytest.raises(ValueError, match=r"\w"):
        Model(**{**honest, **lie})


def test_a_label_that_a_group_never_utters_is_refused_when_uttered():
    never = np.array([[[0.5, 0.5, 0.0]] * 2, [[0.4, 0.3, 0.3]] * 2])
    model = Model(rows=never, group=np.array([0, 1]), generator=np.zeros((2, 2)), prior=np.full(2, 0.5))
    fit(small(label=np.array([0, 2])), model)
    with pytest.raises(ValueError, match="never utters"):
        fit(small(label=np.array([2, 1])), model)


def test_a_fit_of_another_model_is_refused():
    a, b = world(1, 3), world(1, 2)
    with pytest.raises(ValueError, match="another model"):
        infer(a.corpus, a.model, b.fit)
    with pytest.raises(ValueError, match="states"):
        fit(a.corpus, b.model)
