"""Old event types to new ones, one step a function, chained.

A step takes the ``data`` object of the old type and returns that of the next. It is pure, never reads
bodies, and stays here for ever. Old bytes are kept under ``fixtures/upcasts`` and read by a test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Data = dict[str, Any]
Step = Callable[[Data], Data]


def _claim_reported_0(old: Data) -> Data:
    """Before the first release a claim named its ``agency`` and ``outlet`` apart and had one ``date`` for
    both what it speaks of and when it was said. The chain of attribution replaced the first, two clocks
    the second."""
    new = {name: value for name, value in old.items() if name not in ("agency", "outlet", "date")}
    via = [old[name] for name in ("agency", "outlet") if old.get(name)]
    if via:
        new["via"] = via
    if "date" in old:
        new.setdefault("valid", old["date"])
        new.setdefault("said", old["date"])
    return new


#: Old type → (next type, step).
STEPS: dict[str, tuple[str, Step]] = {
    "claim-reported/0": ("claim-reported/1", _claim_reported_0),
}


def newest(topic: str) -> str:
    """The type that ``topic`` leads to."""
    while topic in STEPS:
        topic, _ = STEPS[topic]
    return topic


def upcast(topic: str, data: Data) -> tuple[str, Data]:
    """The newest type that ``topic`` leads to, with its data. Types without a step pass unchanged."""
    while topic in STEPS:
        topic, step = STEPS[topic]
        data = step(data)
    return topic, data
