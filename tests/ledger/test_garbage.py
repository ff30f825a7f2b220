"""The search for cycles, put off."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress

import pytest

from ledger.garbage import look, put_off


class Knot:
    """Refers to itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before():
    searching = gc.isenabled()
    yield
    (gc.enable if searching else gc.disable)()


@pytest.mark.parametrize("searching", [True, False])
def test_it_is_afterwards_as_it_was_before(searching: bool) -> None:
    (gc.enable if searching else gc.disable)()
    with suppress(KeyError), put_off():
        assert not gc.isenabled()
        with put_off():
            assert not gc.isenabled()
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled() is searching


def test_what_errors_left_behind_goes_when_somebody_looks() -> None:
    with put_off():
        gone = weakref.ref(Knot())
        assert [[] for _ in range(100_000)] and gone() is not None
        look()
        assert gone() is None
