"""A voice's shares lean on its group's, and the group's on what was expected."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from projections.learning.pooling import best_logs, group_shares, likeness
from tests.projections.learning_worlds import GROUPS, LABELS, VOICES, rows


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.3, 4.0, 50.0]), st.sampled_from([0.5, 20.0, 1e4]))
def test_a_step_of_the_group_never_makes_its_voices_less_likely(seed, strength, group_strength):
    rng = np.random.default_rng(seed)
    counts = rng.gamma(0.3, 30.0, (VOICES, LABELS))
    prior, now = rows(rng, GROUPS, LABELS), rows(rng, GROUPS, LABELS)
    group = np.arange(VOICES) % GROUPS

    def objective(shares):
        logs = best_logs(strength * shares[group], counts)
        likely = (counts * logs).sum() + likeness(strength, shares[group], logs)
        return likely + likeness(group_strength, prior, np.log(shares))

    found = group_shares(counts, group, now, strength, prior, group_strength)
    assert objective(found) >= objective(now) - 1e-9 * abs(objective(now))


def test_who_says_much_does_not_speak_for_the_group_alone():
    """A thousand utterances of one voice against ten of each of nine others."""
    counts = np.array([[1000.0, 0.0]] + [[0.0, 10.0]] * 9)
    shares = np.full((1, 2), 0.5)
    for _ in range(200):
        shares = group_shares(counts, np.zeros(10, np.int64), shares, 4.0, np.full((1, 2), 0.5), 1.0)
    assert shares[0, 1] > 0.6
