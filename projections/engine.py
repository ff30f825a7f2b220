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
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, is_dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic, TypeVar

from ledger.codec import Fields, Recorded, decode_leaf
from ledger.upcast import newest

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


#: Events between the first two copies of the state, which a poison event is undone from.
_BATCH = 20_000

#: Event → those behind a position, up to where a stretch ends. Asked for again where one of them raised.
_Stretch = Callable[[int], Iterable[Recorded]]


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
        current = _fold_stretch(projection, partial(_behind, batch), current, bad)
    return current, bad


def _behind(batch: list[Recorded], position: int) -> list[Recorded]:
    return batch[bisect_right(batch, position, key=lambda one: one.position) :]


def fold_leaves(
    projection: Projection[S],
    leaves: Callable[[int, int], Iterable[tuple[int, bytes]]],
    position: int,
    head: int,
    state: S | None = None,
) -> tuple[S, list[Quarantined]]:
    """The same over stored bytes, of which only those are read that the projection listens to.

    ``leaves(start, stop)`` gives (position, bytes) as ``Store.leaves`` does; ``state`` is the one at
    ``position``. Raises ``Unverified`` for bytes that are no event. Each stretch between two copies of the
    state is as long as all before it, so that copying a state that grows costs no more than making it.
    """
    current = projection.initial() if state is None else state
    bad: list[Quarantined] = []
    first = at = position
    while at < head:
        last = min(head, at + max(_BATCH, at - first))
        current = _fold_stretch(projection, partial(_told, projection, leaves, last), current, bad, at)
        at = last
    return current, bad


def _told(
    projection: Projection[Any],
    leaves: Callable[[int, int], Iterable[tuple[int, bytes]]],
    last: int,
    position: int,
) -> Iterator[Recorded]:
    names = projection.listens_to
    for begin in range(position + 1, last + 1, _BATCH):
        for at, leaf in _perhaps_told(names, leaves(begin, min(last, begin + _BATCH - 1))):
            recorded = decode_leaf(at, leaf)
            if recorded.name in names:
                yield recorded


def _perhaps_told(names: frozenset[str], leaves: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """The leaves without those that are surely of other types, by the end of their bytes.

    Canonical bytes end in the type and the version. Where the bytes are JSON, nothing else can end like that:
    each of the quotes is unescaped and the brace is the last, so the type stands in the outermost object, and
    behind any other of that name. What ends differently is read in full.
    """
    asked: dict[bytes, bool] = {}
    for pair in leaves:
        leaf = pair[1]
        if leaf.endswith(_OPENING):
            topic = leaf[leaf.rfind(_TYPE) + len(_TYPE) : -len(_OPENING)]
            wanted = asked.get(topic)
            if wanted is None:
                wanted = not _PLAIN.fullmatch(topic) or newest(topic.decode()).partition("/")[0] in names
                if len(asked) < _TYPES:
                    asked[topic] = wanted
            if not wanted:
                continue
        yield pair


_TYPE, _OPENING = b',"type":"', b'","version":1}'
_PLAIN = re.compile(rb"[a-z0-9-]+/[0-9]+")
_TYPES = 1_000  # far more than there are; a bound for bytes that are no events


def _fold_stretch(
    projection: Projection[S], events: _Stretch, state: S, bad: list[Quarantined], since: int = 0
) -> S:
    before = copy.deepcopy(state)
    step = projection.step
    for recorded in events(since):
        try:
            state = step(state, recorded)
        except Exception as error:
            bad.append(Quarantined(recorded.position, recorded.entry, f"{type(error).__name__}: {error}"))
            state = before
            for good in events(since):
                if good.position == recorded.position:
                    break
                state = step(state, good)
            before, since = copy.deepcopy(state), recorded.position
    return state
