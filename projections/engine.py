"""Projections: named, versioned, pure folds over the events of a ledger.

::

    tally = Projection("claims-per-source", version=1, initial=Counter)

    @tally.on("claim-reported")
    def count(counts, claim, recorded):
        counts[claim.claimant] += 1
        return counts

A handler gets the state, the author fields (defaults filled in) and the whole recorded event; it returns the
next state, or None when it changed the state in place. It knows no clock, no randomness and no files. Events
nobody asked for pass by. An event on which a handler raises is quarantined: its position and the error are
kept, the state stays as it was before it, and the fold goes on.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, is_dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

from ledger.codec import Fields, Recorded

S = TypeVar("S")
Handler = Callable[[Any, Fields, Recorded], Any]


@dataclass(frozen=True, slots=True)
class Quarantined:
    """An event that a projection or logic could not take, and why."""

    position: int
    entry: str
    error: str


class Projection(Generic[S]):
    """A fold: ``initial`` makes the empty state, handlers by event type take it onwards.

    ``save`` turns a state into JSON values and ``load`` turns them back; by default the state is saved as it
    is and loaded through the type of ``initial()``.
    """

    def __init__(
        self,
        name: str,
        version: int = 1,
        *,
        initial: Callable[[], S],
        save: Callable[[S], Any] | None = None,
        load: Callable[[Any], S] | None = None,
        summary: str = "",
    ) -> None:
        self.name = name
        self.version = version
        self.initial = initial
        self.summary = summary
        self._save = save
        self._load = load
        self._handlers: dict[str, Handler] = {}

    @property
    def id(self) -> str:
        return f"{self.name}@{self.version}"

    @property
    def listens_to(self) -> frozenset[str]:
        """Names of the event types it has handlers for."""
        return frozenset(self._handlers)

    def on(self, *types: Any) -> Callable[[Handler], Handler]:
        """Register a handler for event types, given by class or by name (``claim-reported``)."""

        def register(handler: Handler) -> Handler:
            for one in types:
                name = one if isinstance(one, str) else one.TYPE
                self._handlers[name.partition("/")[0]] = handler
            return handler

        return register

    def step(self, state: S, recorded: Recorded) -> S:
        """The state after one event; the same state where nobody asked for it."""
        handler = self._handlers.get(recorded.name)
        if handler is None:
            return state
        following = handler(state, recorded.fields, recorded)
        return state if following is None else following

    def save(self, state: S) -> Any:
        return self._save(state) if self._save else state

    def load(self, saved: Any) -> S:
        if self._load:
            return self._load(saved)
        empty = self.initial()
        if isinstance(empty, int | float | str | bool) or empty is None:
            return saved  # type: ignore[no-any-return]
        if isinstance(empty, dict):  # counters and dictionaries with a default stay what they are
            empty.clear()
            dict.update(empty, saved)
            return empty
        kind: Callable[..., S] = type(empty)
        return kind(**saved) if is_dataclass(empty) else kind(saved)

    def keeps(self, state: S, loaded: S) -> bool:
        """Whether a state is the same after it was saved and loaded (JSON knows text as keys only)."""
        return bool(self.save(state) == self.save(loaded) if self._save else state == loaded)


#: Events between two copies of the state, which a poison event is undone from.
_BATCH = 20_000


def fold(
    projection: Projection[S], events: Iterable[Recorded], state: S | None = None
) -> tuple[S, list[Quarantined]]:
    """Replay ``events`` from ``state`` (empty if None); returns the state and what was quarantined.

    A handler that raises half-way through changing the state in place leaves no trace: what was folded since
    the last copy of the state is folded again without the event.
    """
    current = projection.initial() if state is None else state
    bad: list[Quarantined] = []
    wanted = (recorded for recorded in events if recorded.name in projection.listens_to)
    while batch := list(islice(wanted, _BATCH)):
        current = _fold_batch(projection, batch, current, bad)
    return current, bad


def _fold_batch(projection: Projection[S], batch: list[Recorded], state: S, bad: list[Quarantined]) -> S:
    before, begun = copy.deepcopy(state), 0
    for n, recorded in enumerate(batch):
        try:
            state = projection.step(state, recorded)
        except Exception as error:
            bad.append(Quarantined(recorded.position, recorded.entry, f"{type(error).__name__}: {error}"))
            state = before
            for good in batch[begun:n]:
                state = projection.step(state, good)
            before, begun = copy.deepcopy(state), n + 1
    return state
