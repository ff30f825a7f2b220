"""Canonical bytes in and out.

The leaf is one JSON object in the subset where sorted-key orjson equals RFC 8785: strings, booleans,
null, integers within ±(2⁵³−1), ASCII keys, no floats. It is written once and never serialised again to be
verified. Its keys:

``stream`` and ``version``  where the event stands; version 1 begins the stream
``type``                    stable name and version, ``claim-reported/1``
``recorded``                UTC with microseconds and ``Z``, set by the ledger
``actor``                   who appended it; absent where nobody was named
``data``                    the author fields that differ from their defaults
``body``                    hex commitment to the erasable body; absent where there is none

The position is not in the leaf: it is the leaf's index plus one.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import orjson

from ledger.errors import BadEvent, Unverified
from ledger.store.base import StoredRow
from ledger.upcast import upcast

if TYPE_CHECKING:
    from ledger.events import Body, Event

MAX_LEAF = 65_535
MAX_INT = 2**53 - 1
BODY_DOMAIN = b"claim-ledger/body/v1\n"
ID_DOMAIN = b"claim-ledger/id/v1\n"


def canonical(value: Any) -> bytes:
    """The canonical JSON bytes of a value. Raises ``BadEvent`` outside the subset."""
    if not _plain(value):
        _check(value, "")
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except (orjson.JSONEncodeError, RecursionError) as error:
        raise BadEvent(f"cannot be written as JSON: {error}") from None


def _plain(value: Any) -> bool:
    """The quick look that nearly every value passes; what does not is looked at by ``_check``, which can say
    where the fault lies."""
    kind = type(value)
    if kind is dict:
        for name, inner in value.items():
            if type(name) is not str or not name.isascii():
                return False
            if type(inner) is not str and not _plain(inner):
                return False
        return True
    if kind is list or kind is tuple:
        return all(type(inner) is str or _plain(inner) for inner in value)
    if kind is int:
        return bool(-MAX_INT <= value <= MAX_INT)
    return bool(kind is str or kind is bool or value is None)


def _check(value: Any, path: str) -> None:
    if isinstance(value, str) or value is None or isinstance(value, bool):
        return
    if isinstance(value, int):
        if not -MAX_INT <= value <= MAX_INT:
            raise BadEvent(f"{path or 'value'} is an integer beyond 2^53-1", remedy="write it as text")
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            if not isinstance(name, str) or not name.isascii():
                raise BadEvent(f"{path or 'object'} has a key that is not ASCII text: {name!r}")
            _check(inner, f"{path}.{name}" if path else name)
        return
    if isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _check(inner, f"{path}[{index}]")
        return
    kind = "a float" if isinstance(value, float) else type(value).__name__
    raise BadEvent(f"{path or 'value'} is {kind}", remedy="write decimals as text")


def author_data(event: Event) -> dict[str, Any]:
    """The author fields that differ from their defaults, as JSON values."""
    return event.model_dump(mode="json", exclude_defaults=True)


def body_bytes(body: Body) -> bytes:
    """Canonical bytes of a body."""
    return canonical(body.model_dump(mode="json", exclude_defaults=True))


def commitment(salt: bytes, text: bytes) -> str:
    """What the leaf holds of a body: hex SHA-256 over domain, 32-byte salt and canonical bytes."""
    return hashlib.sha256(BODY_DOMAIN + salt + text).hexdigest()


def derived_id(prefix: str, topic: str, data: dict[str, Any]) -> str:
    """The id of an entry: its kind's letter and 128 bits of a hash over type name and author fields.

    The version of the type is left out, so that the same act keeps its id when a type grows.
    """
    name = topic.partition("/")[0]
    digest = hashlib.sha256(ID_DOMAIN + canonical({"type": name, "data": data})).hexdigest()
    return prefix + digest[:32]


def encode(
    *,
    stream: str,
    version: int,
    topic: str,
    recorded: str,
    data: dict[str, Any],
    actor: str | None = None,
    body: str | None = None,
) -> bytes:
    """The leaf's bytes. Raises ``BadEvent`` where they would pass 65,535 bytes."""
    leaf: dict[str, Any] = {
        "stream": stream,
        "version": version,
        "type": topic,
        "recorded": recorded,
        "data": data,
    }
    if actor is not None:
        leaf["actor"] = actor
    if body is not None:
        leaf["body"] = body
    state = canonical(leaf)
    if len(state) > MAX_LEAF:
        raise BadEvent(
            f"the event takes {len(state):,} bytes, more than {MAX_LEAF:,}",
            remedy="put long text into the quote or the note",
        )
    return state


class Fields:
    """Author fields read by name, defaults filled in: what a projection's handler is given.

    Light on purpose: a replay makes one for every event, and validation was done at the door.
    """

    __slots__ = ("_data", "_name")

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self._name = name
        self._data = data

    def __getattr__(self, field: str) -> Any:
        try:
            return self._data[field]
        except KeyError:
            return _default(self._name, field)

    def to_dict(self) -> dict[str, Any]:
        """The stored fields, without those that equal their default."""
        return dict(self._data)

    def __repr__(self) -> str:
        return f"{self._name}({self._data!r})"


_DEFAULTS: dict[str, dict[str, Any]] = {}


def _default(name: str, field: str) -> Any:
    defaults = _DEFAULTS.get(name)
    if defaults is None:
        from ledger.events import BY_NAME

        model = BY_NAME.get(name)
        fields = model.model_fields if model else {}
        defaults = {
            field: info.get_default(call_default_factory=True)
            for field, info in fields.items()
            if not info.is_required()
        }
        _DEFAULTS[name] = defaults
    try:
        return defaults[field]
    except KeyError:
        raise AttributeError(f"{name} has no field {field!r}") from None


class Recorded:
    """One event with its stamp, decoded and upcast. ``name`` is the type without its version."""

    __slots__ = ("actor", "body", "data", "name", "position", "recorded", "stream", "type", "version")

    def __init__(self, position: int, leaf: dict[str, Any]) -> None:
        self.position = position
        self.stream: str = leaf["stream"]
        self.version: int = leaf["version"]
        self.recorded: str = leaf["recorded"]
        self.actor: str | None = leaf.get("actor")
        self.body: str | None = leaf.get("body")
        self.type, self.data = upcast(leaf["type"], leaf["data"])
        self.name = self.type.partition("/")[0]
        if type(self.data) is not dict or type(self.recorded) is not str:
            raise TypeError("no author fields, or no time")

    @property
    def entry(self) -> str:
        """The id others target: the stream for its first event, ``stream@version`` for later ones."""
        return self.stream if self.version == 1 else f"{self.stream}@{self.version}"

    @property
    def fields(self) -> Fields:
        return Fields(self.name, self.data)

    def __repr__(self) -> str:
        return f"#{self.position} {self.entry} {self.type} {self.data!r}"


def decode_leaf(position: int, state: bytes) -> Recorded:
    """Read one leaf without the columns beside it. Raises ``Unverified`` where its bytes are none."""
    try:
        return Recorded(position, orjson.loads(state))
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise Unverified("the stored bytes are no event", where=f"#{position}") from None


def decode(row: StoredRow) -> Recorded:
    """Read one stored row. Raises ``Unverified`` where bytes and columns disagree or are no leaf."""
    where = f"#{row.position}"
    try:
        leaf = orjson.loads(row.state)
        same = (leaf["stream"], leaf["version"], leaf["type"]) == (row.stream, row.version, row.topic)
        recorded = Recorded(row.position, leaf)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        raise Unverified("the stored bytes are no event", where=where) from None
    if not same:
        raise Unverified("the columns contradict the stored bytes", where=where)
    return recorded
