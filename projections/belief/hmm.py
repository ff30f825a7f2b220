"""``hmm@1``: the filter of ``tally@1`` over tables that are learnt from the ledger.

How each source speaks is estimated on a declared schedule of known time by anchored EM with hierarchical pooling
(``projections.learning``): its confusion between states, how much of its repeats is copied, how often it
redraws what it displays; then one temperature for all, from analysts' rulings alone. What speaks, and what an
answer is made of, is what it is for ``tally@1``, so the same reasons are given.
"""

from __future__ import annotations

from projections.belief.base import Logic

HMM = Logic(
    "hmm", 1, summary="how each source speaks is learnt: anchored EM, copying, temperature", learns=True
)
