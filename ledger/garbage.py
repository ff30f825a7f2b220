"""Python's search for cycles among what is no longer used, put off while much is made that has none.

The search looks at what was made since the last, and now and then at all that there is. Where events go through by the
hundred thousand, none of which refers to itself, it takes a third of the time.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def put_off() -> Iterator[None]:
    """No search within the block but for ``look``; afterwards as before it. What has no cycles is freed all the same."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def look() -> None:
    """Search among what was made since the last time: for cycles that errors leave behind, which hold what they saw."""
    gc.collect(1)
