"""What goes into an append and what comes out of it: drafts and receipts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ledger import codec, twins
from ledger.errors import BadEvent, LedgerError

if TYPE_CHECKING:  # the models and pydantic cost half the start of a look-up, which needs neither
    from ledger import events

Status = Literal["new", "already", "already-redacted", "already-locked", "conflict", "rejected"]

#: Streams of events that have neither an author's id nor a derived one.
_FIXED_STREAMS = {"ledger-opened": "ledger", "logic-promoted": "logic"}
_NAMED_STREAMS = {"question-opened": "question", "party-named": "party"}


@dataclass(frozen=True, slots=True)
class Draft:
    """An event about to be appended, with the text that goes into its erasable body."""

    event: events.Event
    body: events.Body | None = None

    @classmethod
    def of(cls, name: str, data: dict[str, Any], body: dict[str, Any] | None = None) -> Draft:
        """Build from plain values. Raises ``BadEvent`` with all that does not fit, in one line."""
        from pydantic import ValidationError

        from ledger import events, rules

        model = events.BY_NAME.get(name.partition("/")[0])
        if model is None or ("/" in name and name != model.TYPE):
            raise BadEvent(f"no event type {name!r}", remedy=f"Types: {', '.join(events.BY_NAME)}")
        try:
            event = model.model_validate(data)
            return cls(event, events.Body.model_validate(body) if body else None)
        except ValidationError as error:
            raise BadEvent(f"{name}: {rules.explain_validation(error)}") from None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of one draft. ``position`` and ``entry`` are where it stands (or would stand)."""

    status: Status
    entry: str
    position: int | None = None
    warnings: tuple[twins.YearDoubt, ...] = ()
    error: LedgerError | None = None

    @property
    def words(self) -> str:
        """One line for people."""
        if self.status == "new":
            return f"recorded as #{self.position} {self.entry}"
        if self.status == "already":
            return f"already recorded at #{self.position} {self.entry}"
        if self.status == "already-redacted":
            return f"already recorded (redacted) at #{self.position} {self.entry}"
        if self.status == "already-locked":
            return f"already recorded (its text is encrypted, and the key is not here) at #{self.position} {self.entry}"
        return str(self.error)


def entry_id(event: events.Event) -> str:
    """The id under which an opening event will stand; for others, the stream they befall."""
    return stream_of(event, codec.author_data(event))


def stream_of(event: events.Event, data: dict[str, Any]) -> str:
    """The stream an event stands in: its own derived id, the author's id, or that of the entry it befalls."""
    name = event.TYPE.partition("/")[0]
    if event.PREFIX is not None:
        return codec.derived_id(event.PREFIX, event.TYPE, data)
    if name in _FIXED_STREAMS:
        return _FIXED_STREAMS[name]
    if name in _NAMED_STREAMS:
        kind = _NAMED_STREAMS[name]
        return f"{kind}:{data[kind]}"
    if "target" in data:
        return str(data["target"]).partition("@")[0]
    kind = "place" if name.startswith("place") else "source"
    return f"{kind}:{data[kind]}"
