"""One block of a record examined: 4,096 events or the fewer at its end. What it finds can be put together in order.

A block begins where the tree's subtrees of that size begin, so that its own root, or the roots of the perfect subtrees
of its first events (its *peaks*), are all that is needed of it to make the root of the whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any

import orjson

from ledger import codec
from ledger.errors import LedgerError, Unverified
from ledger.events import is_registry
from ledger.integrity.checkpoint import Checkpoint
from ledger.integrity.glance import Glance, compiled, glance, named_by, parents
from ledger.integrity.proof import STEP
from ledger.store.base import AnyBody, EncryptedBody, SealedBody, Store

HEIGHT = 12
BLOCK = 1 << HEIGHT

Opener = Callable[[AnyBody | None], SealedBody | None]
"""Gives a body in clear; None where its key is not here. Raises ``Unverified`` where the key does not open it."""

_BODY, _KEY = b'"body":"', b'"key":"'
_BODY_FIRST = b'{"body":"'
_COMMITTED = len(_BODY_FIRST) + 64  # bytes of a leaf that begins so, up to the end of its commitment


@dataclass(slots=True)
class Examined:
    """What one block comes to. ``peaks``: the roots of its perfect subtrees, the largest first. ``promised``: each
    checkpoint that ends in it, with the peaks of the events up to there. ``named``: the sum of ``glance.named_by`` over
    its rows. The lists are faults, in words; ``missing`` and ``redacted`` are entries with the positions at which a body is
    missing, or was erased."""

    count: int
    peaks: tuple[bytes, ...] = ()
    promised: list[tuple[Checkpoint, tuple[bytes, ...]]] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    tree: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)
    beside: list[str] = field(default_factory=list)
    missing: dict[str, int] = field(default_factory=dict)
    redacted: dict[str, int] = field(default_factory=dict)
    compared: int = 0
    plain: int = 0
    encrypted: int = 0
    unopened: int = 0
    keys: int = 0
    named: int = 0


_Raw = tuple[Any, ...]
_POSITION, _STREAM, _VERSION, _TOPIC, _STATE, _LEAF, _SALT, _TEXT, _CIPHER, _SEALED = range(10)


@dataclass(frozen=True, slots=True)
class Task:
    """The events from ``first`` to ``last``, and the checkpoints whose size lies in between. ``deep``: their marks are
    made anew as well. ``key``: that of ``named_by``. ``fast``: a glance may do."""

    first: int
    last: int
    promised: Sequence[Checkpoint]
    key: bytes
    deep: bool = False
    fast: bool = False


def examine(store: Store, task: Task, *, opened: Opener) -> Examined:
    """Examine a block."""
    if task.fast and not task.deep and compiled():
        columns = store.raw_columns(task.first, task.last)
        seen = glance(columns, task.first, task.last, task.key) if columns else None
        if seen is not None:
            return _sound(store, task, seen)
    return _row_by_row(store, task, opened)


def _sound(store: Store, task: Task, seen: Glance) -> Examined:
    """A block of which every row is known to be as its bytes say."""
    count = task.last - task.first + 1
    block = Examined(count, compared=seen.bodies, plain=seen.bodies, named=seen.named)
    _tree(block, store, task, seen.hashes)
    special = seen.of_types(lambda topic: any(_kind(topic)))
    _beside(
        block,
        store,
        task,
        [(task.first + at, seen.stream(at), topic, seen.state(at)) for at, topic in special],
        [(task.first + at, seen.state(at)) for at in seen.keyed],
    )
    return block


def _row_by_row(store: Store, task: Task, opened: Opener) -> Examined:
    first, last = task.first, task.last
    found = store.raw_rows(first, last)
    block = Examined(len(found))
    states = [row[_STATE] for row in found]
    if not set(map(type, states)) <= {bytes}:
        block.rows.append(f"between #{first} and #{last} there are bytes of another type than was written")
        block.count = 0  # none that a tree could be made of
        return block
    hashes = [sha256(b"\0" + state).digest() for state in states]
    if [row[_POSITION] for row in found] != list(range(first, last + 1)):
        _gaps(block, found, first, last)
    if [row[_LEAF] for row in found] != hashes:
        for row, made in zip(found, hashes, strict=True):
            if row[_LEAF] != made:
                block.rows.append(f"#{row[0]}: its bytes do not have the hash beside them")
    _columns(block, found)
    block.named = sum(
        named_by(task.key, str(row[_STREAM]).encode(errors="replace"), row[_VERSION], row[_POSITION])
        for row in found
        if type(row[_VERSION]) is int
    )
    _tree(block, store, task, b"".join(hashes))
    _bodies(block, found, opened)
    special = {topic for topic in {row[_TOPIC] for row in found} if any(_kind(topic))}
    _beside(
        block,
        store,
        task,
        [(row[_POSITION], row[_STREAM], row[_TOPIC], row[_STATE]) for row in found if row[_TOPIC] in special],
        [(row[_POSITION], row[_STATE]) for row in found if _KEY in row[_STATE]],
    )
    if task.deep:
        _marks(block, store, found, first, last)
    return block


def _gaps(block: Examined, found: Sequence[_Raw], first: int, last: int) -> None:
    there = {row[0] for row in found}
    absent = [at for at in range(first, last + 1) if at not in there]
    named = ", ".join(f"#{at}" for at in absent[:3])
    block.rows.append(f"{len(absent)} events are missing: {named}{' …' if len(absent) > 3 else ''}")


def _columns(block: Examined, found: Sequence[_Raw]) -> None:
    """Stream, type and version are a leaf's last words, since its keys are sorted."""
    block.rows += [
        f"#{row[0]}: its columns contradict its bytes"
        for row in found
        if not row[4].endswith(f',"stream":"{row[1]}","type":"{row[3]}","version":{row[2]}}}'.encode())
    ]


def _tree(block: Examined, store: Store, task: Task, hashes: bytes) -> None:
    before, count = task.first - 1, len(hashes) // 32
    levels = [hashes]  # the nodes of each height, one behind the other
    while len(levels[-1]) > 32:
        levels.append(parents(levels[-1], fast=task.fast))
    for height in range(STEP, min(len(levels) - 1, HEIGHT) + 1, STEP):
        begin, nodes = before >> height, levels[height]
        if b"".join(store.hashes(height, begin, begin + len(nodes) // 32)) != nodes:
            block.tree.append(
                f"a node of the tree at height {height}, number {begin} or soon after, is another"
            )

    def peaks(count: int) -> tuple[bytes, ...]:
        ends = ((height, count >> height) for height in range(HEIGHT, -1, -1) if count >> height & 1)
        return tuple(levels[height][32 * end - 32 : 32 * end] for height, end in ends)

    block.peaks = peaks(count)
    block.promised = [(one, peaks(one.size - before)) for one in task.promised if one.size - before <= count]


def _bodies(block: Examined, found: Sequence[_Raw], opened: Opener) -> None:
    """A leaf with a body begins with its commitment, since keys are sorted and few events name an actor."""
    plain = [row for row in found if row[_SALT] is not None]
    try:
        made = [
            _BODY_FIRST + sha256(codec.BODY_DOMAIN + row[_SALT] + row[_TEXT]).hexdigest().encode()
            for row in plain
        ]
    except TypeError:
        block.bodies.append("a body has other types than were written")
        return
    block.compared = len(plain)
    if [row[_STATE][:_COMMITTED] for row in plain] != made:
        for row, one in zip(plain, made, strict=True):
            if row[_STATE][:_COMMITTED] != one:
                block.compared -= 1
                _other_body(block, row, opened)
    block.plain = len(plain)
    block.bodies += [
        f"#{row[0]}: it has two bodies, in clear and encrypted" for row in plain if row[_CIPHER] is not None
    ]
    if len(plain) < len(found):
        for row in found:
            if row[_SALT] is None:
                _other_body(block, row, opened)


def _other_body(block: Examined, row: _Raw, opened: Opener) -> None:
    """A row without a body in clear, or whose leaf does not begin with the commitment to it."""
    position, stream, version, _, state, _, salt, text, cipher, sealed = row
    promised = _commitment(state) if _BODY in state else None
    where = f"#{position}"
    if salt is None and cipher is None:
        if promised is not None:
            block.missing[stream if version == 1 else f"{stream}@{version}"] = position
        return
    if promised is None:
        block.bodies.append(f"{where}: there is a body that its event does not know of")
        return
    body: AnyBody | None = SealedBody(salt, text) if salt is not None else EncryptedBody(str(cipher), sealed)
    try:
        block.encrypted += isinstance(body, EncryptedBody)
        body = opened(body)
        if body is None:
            block.unopened += 1
            return
        assert isinstance(body, SealedBody)
        block.compared += 1
        if codec.commitment(body.salt, body.text) != promised:
            block.bodies.append(f"{where}: its body is not the one it commits to")
    except Unverified as error:
        block.bodies.append(f"{where}: {error.what}")
    except TypeError:
        block.bodies.append(f"{where}: its body has other types than were written")


def _commitment(state: bytes) -> str | None:
    try:
        found = orjson.loads(state).get("body")
    except (orjson.JSONDecodeError, AttributeError):
        return None
    return str(found) if found is not None else None


@cache
def _kind(topic: object) -> tuple[bool, bool]:
    """Of a type: whether it registers something in some stream, and whether it erases."""
    if not isinstance(topic, str):
        return False, False
    name = topic.partition("/")[0]
    return is_registry(name, "ledger"), name == "entry-redacted"


def _beside(
    block: Examined,
    store: Store,
    task: Task,
    special: Iterable[tuple[int, str, str, bytes]],
    keyed: Iterable[tuple[int, bytes]],
) -> None:
    """What is kept beside the events. ``special``: (position, stream, type, bytes) of those whose type may register
    or erases; ``keyed``: (position, bytes) of those that may have a key."""
    first, last = task.first, task.last
    registered: list[int] = []
    for position, stream, topic, state in special:
        registers, erases = _kind(topic)
        if registers and is_registry(topic.partition("/")[0], stream):
            registered.append(position)
        if erases:
            target = target_of(state)
            if target is None:
                block.rows.append(f"#{position}: it erases nothing that can be told")
            else:
                block.redacted[target] = position
    keys = {key: at for at, state in keyed if (key := _field(state, "key")) is not None}
    block.keys = len(keys)
    if keys and store.positions_of_keys(list(keys)) != keys:
        block.beside.append(
            f"between #{first} and #{last} the keys that are looked up are not those of the events"
        )
    if list(store.registered(first, last)) != registered:
        block.beside.append(f"between #{first} and #{last} the list of what is registered is another")


def target_of(state: bytes) -> str | None:
    """The entry that a stored event names as its target; None for bytes that name none."""
    return _field(state, "target")


def _field(state: bytes, name: str) -> str | None:
    try:
        found = orjson.loads(state)["data"].get(name)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        return None
    return found if isinstance(found, str) else None


def _marks(block: Examined, store: Store, found: Sequence[_Raw], first: int, last: int) -> None:
    from ledger.appending import new_row

    made: list[tuple[int, int]] = []
    for position, _, _, topic, state, *_ in found:
        try:
            recorded = codec.decode_leaf(position, state)
            made += sorted((position, mark) for mark in set(new_row(recorded, topic, state, None).marks))
        except (LedgerError, KeyError):
            block.rows.append(f"#{position}: the stored bytes are no event")
    if list(store.marks(first, last)) != made:
        block.beside.append(
            f"between #{first} and #{last} the marks by which twins are found are not the events'"
        )
