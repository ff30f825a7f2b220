"""What an envelope looks like in the cache: one fixed-width record an entry.

A record holds what a belief logic may weigh, dates already turned into days (ordinals) and moments
(microseconds since 1970), names into codes. It is as recorded: corrections, merges and links are applied by
whoever reads it. What seldom occurs (long attribution chains, evidence leant on) stands beside it by position.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Any, Final

#: Bumped whenever a record means something else than before.
VERSION: Final = 1

# What an entry is.
CLAIM, EVIDENCE, DISPLAY, WITHDRAWAL, OBSERVATION, RULING = range(6)
KINDS: Final = ("claim", "evidence", "display", "withdrawal", "observation", "ruling")

ACTS: Final = ("asserts", "denies", "doubts", "concedes", "predicts")
ASSERTS, DENIES, DOUBTS, CONCEDES, PREDICTS = range(5)

EVIDENCE_KINDS: Final = ("footage", "geolocation", "imagery", "document", "other")

VALID_KINDS: Final = ("at", "throughout", "since", "within")
AT, THROUGHOUT, SINCE, WITHIN = range(4)

# Flags of a record.
NEGATED: Final = 1
PART: Final = 2
MORE: Final = 4  # something of it stands beside, under its position
SPEAKS_OF_EVIDENCE: Final = 8  # its target's id is that of evidence
TARGETED: Final = 16

#: No name, no state, no place.
NONE: Final = -1

#: How many carriers a record has room for.
CARRIERS: Final = 3

#: In place of the day something was said, where none is certain: such reports never fold by themselves.
ALONE: Final = -(1 << 62)

# Marks of the very text of a date: of a day its ordinal, of a moment to the second its microseconds, each from
# here on; of any other text a digest between them and their opposites.
DAY_MARK: Final = 1 << 61
MOMENT_MARK: Final = 3 << 60

FIELDS: Final = (
    ("position", "i8"),
    ("known", "i8"),  # when it could be known
    ("saying", "i8"),  # the day said if it is one exact day; for displays a mark of the date's very text
    ("id", "16u1"),
    ("target", "16u1"),
    ("place", "i4"),
    ("source", "i4"),
    ("question", "i4"),
    ("state", "i4"),
    ("via", "3i4"),
    ("lo", "i4"),  # first and last day spoken of
    ("hi", "i4"),
    ("said", "i4"),  # the latest day on which it may have been said
    ("kind", "u1"),
    ("act", "u1"),  # of evidence: its kind's code
    ("valid_kind", "u1"),
    ("flags", "u1"),
)
PACK: Final = struct.Struct("<qqq16s16siiiiiiiiiiBBBB")
SIZE: Final = PACK.size


@lru_cache(maxsize=1)
def dtype() -> Any:
    """The record as a numpy type of ``SIZE`` bytes."""
    import numpy as np

    kinds = {"16u1": ("u1", (16,)), "3i4": ("<i4", (3,))}
    fields = [(name, *kinds[kind]) if kind in kinds else (name, f"<{kind}") for name, kind in FIELDS]
    made = np.dtype(fields)
    assert made.itemsize == SIZE
    return made
