"""How fast the learning engine is at size: one iteration of EM and the filter alone, from arrays in memory.

Claims are drawn: very unequal places (the hottest has a twentieth of all), voices of three groups who are right
as often as the belief table expects, days over ten years, a tenth of all claims repeats. ``floor`` is a weighted
vote over the same arrays: two passes of ``numpy.bincount``.
"""

from __future__ import annotations

from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from projections.belief.labels import States
from projections.belief.params import Params
from projections.learning.corpus import Corpus
from projections.learning.em import fit, infer
from projections.learning.estimating import model_of

CLAIMS, PLACES, VOICES, DAYS, ROUNDS = 1_000_000, 2_000, 500, 3_650, 3
STATES = States.control(("A", "B"))
#: The hottest place's share of all claims.
HOTTEST = 0.05
#: Seconds of one iteration, and microseconds a claim of the filter, aimed at for a million claims on one core.
AIMS = {"one EM iteration": 2.0, "filter": 3.0}


def corpus(claims: int = CLAIMS, seed: int = 0) -> tuple[Corpus, np.ndarray]:
    """The claims drawn, and the group of each voice."""
    rng = np.random.default_rng(seed)
    share = rng.pareto(1.2, PLACES) + 0.05
    share *= (1 - HOTTEST) / share[1:].sum()
    share[0] = HOTTEST
    place = rng.choice(PLACES, claims, p=share / share.sum())
    key = np.sort(place * DAYS + rng.integers(0, DAYS, claims))
    steps, step = np.unique(key, return_inverse=True)
    group = rng.integers(0, len(STATES.parties) + 1, VOICES)
    voice = rng.integers(0, VOICES, claims)
    truth = rng.integers(0, len(STATES), len(steps))[step.reshape(-1)]
    right = rng.random(claims) < 0.8
    found = Corpus(
        size=len(STATES),
        first=np.searchsorted(steps, np.arange(PLACES + 1) * DAYS),
        day=steps % DAYS,
        step=step.reshape(-1),
        voice=voice,
        label=np.where(right, truth, rng.integers(0, len(STATES), claims)),
        weight=np.ones(claims),
        copied=(rng.random(claims) < 0.1).astype(np.int8),
    )
    return found, group


def figures(claims: int = CLAIMS) -> list[dict[str, Any]]:
    """A row for one iteration of EM and one for the filter; ``seconds`` are medians of three rounds."""
    made, group = corpus(claims)
    model = model_of(STATES, Params(), group)
    made.evidence  # noqa: B018 - the sparse form is made once, and not in every iteration
    learnt = fit(made, model, iterations=1)
    floor = median(_timed(lambda: _vote(made)) for _ in range(ROUNDS))
    two = median(_timed(lambda: fit(made, model, learnt, 2)) for _ in range(ROUNDS))
    one = median(_timed(lambda: fit(made, model, learnt, 1)) for _ in range(ROUNDS))
    filtered = median(_timed(lambda: infer(made, model, learnt, smooth=False)) for _ in range(ROUNDS))
    rows = []
    for what, seconds in (("one EM iteration", max(two - one, 0.0)), ("filter", filtered)):
        each = 1e6 * seconds / claims
        aim = AIMS[what] if what == "filter" else AIMS[what] * 1e6 / CLAIMS
        rows.append(
            {
                "bench": "belief",
                "set": f"speed/{claims:,} claims, {PLACES:,} places, {VOICES} voices",
                "mode": what,
                "method": "hmm@1",
                "seconds": seconds,
                "microseconds_a_claim": each,
                "floor": floor,
                "ratio": seconds / floor,
                "aim": {"microseconds_a_claim": aim},
                "what": f"{each:.2f} µs a claim (≤{aim:g}); {seconds / floor:.0f} × a weighted vote",
            }
        )
    return rows


def _vote(made: Corpus) -> np.ndarray:
    """Shares of what was said at every step, each claim by its weight."""
    size = len(STATES)
    votes = np.bincount(made.step * size + made.label, made.weight, len(made.day) * size).reshape(-1, size)
    return np.asarray(votes / np.bincount(made.step, made.weight, len(made.day))[:, None])


def _timed(work: Any) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
