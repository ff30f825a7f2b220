"""The closed set of events: what can be written into a ledger, and nothing else.

An event holds its *author fields* only: what the person or program that appended it supplies. Position,
recorded time, actor and hashes are the ledger's stamp and live in ``ledger.codec``. Events are frozen,
named in the past tense, and refuse fields they do not know.

Three rules keep old ledgers readable for ever:

* A default is never changed. Fields that equal their default are left out of the stored bytes.
* A field is never renamed or removed. A new shape is a new type (``claim-reported/2``) with an upcast.
* Quoted or personal text (URL, title, quote, note, names of sources, dates and places as written) belongs
  in the ``Body``, which can be erased; the event commits to it by a salted hash alone.

Clocks: ``valid`` (when is it supposed to have been so), ``said`` (when did the claimant say it),
``published`` (when could the world know), ``ruled`` (when did an analyst decide); all EDTF. ``recorded``
(when did the ledger know) is stamped, never supplied.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from ledger.clocks import normalise
from ledger.errors import BadDate

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,126}$")]
EntryId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,126}(@[1-9][0-9]*)?$")]


def _edtf(text: str) -> str:
    try:
        return normalise(text)
    except BadDate as error:  # the models know which field it was
        raise ValueError(str(error)) from None


Edtf = Annotated[str, StringConstraints(min_length=4, max_length=120), AfterValidator(_edtf)]
Decimal = Annotated[str, StringConstraints(pattern=r"^-?[0-9]{1,9}(\.[0-9]{1,9})?$")]
Line = Annotated[str, StringConstraints(min_length=1, max_length=400)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]

Act = Literal["asserts", "denies", "doubts", "concedes", "predicts"]
Extent = Literal["whole", "part"]
ValidKind = Literal["at", "throughout", "since", "within"]
EvidenceKind = Literal["footage", "geolocation", "imagery", "document", "other"]
SourceKind = Literal[
    "official",
    "military-unit",
    "agency",
    "outlet",
    "milblogger",
    "osint",
    "map",
    "list",
    "eyewitness",
    "analyst",
    "other",
]


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Body(Frozen):
    """The erasable part of an entry: whatever quotes, names or points at people and pages.

    ``as_written`` keeps the words behind a normalised value, by field name (``place``, ``valid``,
    ``share``, ``state`` …). ``changes`` holds corrections to another entry's body fields.
    """

    names: tuple[Line, ...] = ()
    url: Text | None = None
    title: Text | None = None
    quote: Text | None = None
    note: Text | None = None
    reason: Text | None = None
    content_sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    as_written: dict[str, Line] = Field(default_factory=dict)
    changes: dict[str, Any] = Field(default_factory=dict)


class Event(Frozen):
    """What every event shares. ``key`` is the author's own name for the act: the same key twice is the
    same act, the same key with other content is a conflict."""

    TYPE: ClassVar[str]
    #: True where the event begins a stream of its own; otherwise it befalls an existing entry.
    OPENS: ClassVar[bool] = True
    #: Prefix of the derived id of an entry; None where the id is the author's (a place, a source).
    PREFIX: ClassVar[str | None] = None
    #: True where the event names a place, source, party, question or link.
    REGISTRY: ClassVar[bool] = False

    key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None


class LedgerOpened(Event):
    """A ledger began. ``ledger`` names it for ever, so that two copies can be told from two ledgers."""

    TYPE = "ledger-opened/1"
    REGISTRY = True
    ledger: Id
    title: Line | None = None


class QuestionOpened(Event):
    """A question may be asked of places. ``states`` in order of precedence when probabilities tie;
    empty means: the parties as named, then ``contested``."""

    TYPE = "question-opened/1"
    REGISTRY = True
    question: Id
    states: tuple[Id, ...] = ()
    text: Line | None = None

    @model_validator(mode="after")
    def _distinct(self) -> QuestionOpened:
        if len(set(self.states)) != len(self.states) or len(self.states) == 1:
            raise ValueError("states must be at least two, each once")
        return self


class PartyNamed(Event):
    """A side to the contest. Its id becomes a state of every question that asks for the parties."""

    TYPE = "party-named/1"
    REGISTRY = True
    party: Id
    name: Line | None = None


class PlaceRegistered(Event):
    """A place exists under this canonical id. Coordinates are decimal degrees (WGS 84) as text;
    ``precision`` is UCDP's where-precision, 1 (exact) to 7. A named part of a place is itself a place,
    of kind ``part``, with the whole as its parent."""

    TYPE = "place-registered/1"
    REGISTRY = True
    place: Id
    names: tuple[Line, ...] = Field(min_length=1)
    aliases: tuple[Id, ...] = ()
    kind: Id | None = None
    parent: Id | None = None
    region: Line | None = None
    lat: Decimal | None = None
    lon: Decimal | None = None
    precision: Annotated[int, Field(ge=1, le=7)] | None = None


class PlaceDescribed(Event):
    """Somebody described a place: more spellings or ids, or a figure such as ``population``. Not a claim
    on any question. ``source`` says who said so, None where it is our own record."""

    TYPE = "place-described/1"
    OPENS = False
    REGISTRY = True
    place: Id
    names: tuple[Line, ...] = ()
    aliases: tuple[Id, ...] = ()
    kind: Id | None = None
    parent: Id | None = None
    region: Line | None = None
    lat: Decimal | None = None
    lon: Decimal | None = None
    precision: Annotated[int, Field(ge=1, le=7)] | None = None
    attribute: Id | None = None
    value: Line | None = None
    source: Id | None = None
    via: tuple[Id, ...] = ()
    valid: Edtf | None = None
    said: Edtf | None = None
    published: Edtf | None = None


class PlaceMerged(Event):
    """Two ids turned out to be one place: everything said of ``place`` is read as said of ``into``."""

    TYPE = "place-merged/1"
    OPENS = False
    REGISTRY = True
    place: Id
    into: Id


class SourceRegistered(Event):
    """Somebody who says or carries claims. ``side`` is a party or None. Names lie in the body, because a
    source may be a person at risk; the id may be opaque."""

    TYPE = "source-registered/1"
    REGISTRY = True
    source: Id
    kind: SourceKind = "other"
    side: Id | None = None
    aliases: tuple[Id, ...] = ()


class SourceDescribed(Event):
    """More is known of a source: further spellings (in the body), ids, its kind or side. Like a
    correction it speaks of our record and therefore acts at every moment asked about."""

    TYPE = "source-described/1"
    OPENS = False
    REGISTRY = True
    source: Id
    kind: SourceKind | None = None
    side: Id | None = None
    no_side: bool = False
    aliases: tuple[Id, ...] = ()


class SourceMerged(Event):
    """Two ids turned out to be one source."""

    TYPE = "source-merged/1"
    OPENS = False
    REGISTRY = True
    source: Id
    into: Id


class SourcesLinked(Event):
    """Sources that speak with one voice (brigade and corps, ministry and agency), over ``valid`` if given.
    Linked sources are one origin, not several witnesses. ``unlink`` ends an earlier link."""

    TYPE = "sources-linked/1"
    PREFIX = "l-"
    REGISTRY = True
    sources: tuple[Id, ...] = Field(min_length=2)
    valid: Edtf | None = None
    unlink: bool = False


class ClaimReported(Event):
    """A claimant is reported to have said something of a place. Nobody vouches that it is true.

    ``via`` is the attribution chain from the claimant outward; its last member published the report.
    ``negated`` turns the proposition round ("not RU's": how "encircled by RU" is recorded).
    ``standing`` marks what a map or list displays until it changes. ``share`` is the part of the place
    meant, 0 to 1. ``target`` is the entry denied or doubted, ``based_on`` the evidence the claim leans on.
    ``marks`` are remarks of the recorder (``flip-back-48h``), never an argument for belief.
    """

    TYPE = "claim-reported/1"
    PREFIX = "c-"
    claimant: Id
    via: tuple[Id, ...] = ()
    act: Act = "asserts"
    question: Id = "control"
    place: Id
    extent: Extent = "whole"
    share: Decimal | None = None
    state: Id | None = None
    negated: bool = False
    standing: bool = False
    valid: Edtf | None = None
    valid_kind: ValidKind = "at"
    said: Edtf | None = None
    published: Edtf | None = None
    target: EntryId | None = None
    based_on: tuple[EntryId, ...] = ()
    marks: tuple[Id, ...] = ()

    @model_validator(mode="after")
    def _proposition(self) -> ClaimReported:
        if self.state is None and (self.target is None or self.act not in ("denies", "doubts")):
            raise ValueError("a claim needs a state, unless it denies or doubts a target")
        if self.negated and self.act in ("denies", "doubts"):
            raise ValueError("the denial of a negation is an assertion: assert the state instead")
        if self.standing and self.act != "asserts":
            raise ValueError("what is displayed is asserted: standing goes with 'asserts' only")
        if self.share is not None and not 0 <= float(self.share) <= 1:
            raise ValueError("share is a fraction between 0 and 1")
        return self


class DisplayObserved(Event):
    """A standing source was looked at again and shows what it showed before. ``place`` None means its
    whole display. ``valid`` is the day it speaks of, where the display names one."""

    TYPE = "display-observed/1"
    PREFIX = "o-"
    source: Id
    via: tuple[Id, ...] = ()
    question: Id = "control"
    place: Id | None = None
    valid: Edtf | None = None
    said: Edtf | None = None
    published: Edtf | None = None


class ClaimWithdrawn(Event):
    """A standing source stopped displaying a state of a place: neither a denial nor a retraction."""

    TYPE = "claim-withdrawn/1"
    PREFIX = "w-"
    source: Id
    via: tuple[Id, ...] = ()
    question: Id = "control"
    place: Id
    valid: Edtf | None = None
    said: Edtf | None = None
    published: Edtf | None = None
    marks: tuple[Id, ...] = ()


class EvidenceReported(Event):
    """Footage, imagery or a geolocation, with the place and time it shows. It shows presence, not
    control: ``state`` is whose presence, None where it shows none. ``target`` is the entry it bears on."""

    TYPE = "evidence-reported/1"
    PREFIX = "e-"
    source: Id
    via: tuple[Id, ...] = ()
    kind: EvidenceKind = "footage"
    question: Id = "control"
    place: Id
    extent: Extent = "part"
    state: Id | None = None
    negated: bool = False
    valid: Edtf | None = None
    said: Edtf | None = None
    published: Edtf | None = None
    target: EntryId | None = None
    based_on: tuple[EntryId, ...] = ()


class EvidenceVoided(Event):
    """An analyst found evidence to be worthless (staged, elsewhere, old): it and all that leans on it go."""

    TYPE = "evidence-voided/1"
    OPENS = False
    target: EntryId
    by: Id | None = None
    ruled: Edtf | None = None


class EntryCorrected(Event):
    """Our record, or the date an outlet printed, was wrong. ``changes`` maps author fields of the target
    to their right values (None empties a field). Acts at every moment asked about, except behind
    ``--recorded-by``. Changes to body fields lie in this event's own body."""

    TYPE = "entry-corrected/1"
    OPENS = False
    target: EntryId
    changes: dict[str, Any] = Field(default_factory=dict)
    by: Id | None = None


class EntryRetracted(Event):
    """The one who said it took it back. Not a correction (we were wrong), not a denial (another says)."""

    TYPE = "entry-retracted/1"
    OPENS = False
    target: EntryId
    source: Id
    via: tuple[Id, ...] = ()
    said: Edtf | None = None
    published: Edtf | None = None


class ClaimAdjudicated(Event):
    """An analyst ruled on one claim. Evidence of great weight, not a clamp; a later ruling reverses it."""

    TYPE = "claim-adjudicated/1"
    OPENS = False
    target: EntryId
    verdict: Literal["true", "false", "unverifiable"]
    by: Id | None = None
    ruled: Edtf | None = None


class StateRuled(Event):
    """An analyst ruled that a place was in a state at, or throughout, a time."""

    TYPE = "state-ruled/1"
    PREFIX = "r-"
    question: Id = "control"
    place: Id
    state: Id
    valid: Edtf
    valid_kind: Literal["at", "throughout"] = "at"
    by: Id | None = None
    ruled: Edtf | None = None


class EntryRedacted(Event):
    """The body of an entry was erased on purpose; its envelope and the proof stay."""

    TYPE = "entry-redacted/1"
    OPENS = False
    target: EntryId
    by: Id | None = None
    ground: Line | None = None


class LogicPromoted(Event):
    """From here on answers come from this logic unless another is asked for. ``diff`` is the SHA-256 of
    the difference that was shown when it was promoted."""

    TYPE = "logic-promoted/1"
    OPENS = False
    logic: Id
    version: int
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{8,64}$")]
    at_position: int
    diff: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")] | None = None
    rollback: bool = False


EVENTS: tuple[type[Event], ...] = (
    LedgerOpened,
    QuestionOpened,
    PartyNamed,
    PlaceRegistered,
    PlaceDescribed,
    PlaceMerged,
    SourceRegistered,
    SourceDescribed,
    SourceMerged,
    SourcesLinked,
    ClaimReported,
    DisplayObserved,
    ClaimWithdrawn,
    EvidenceReported,
    EvidenceVoided,
    EntryCorrected,
    EntryRetracted,
    ClaimAdjudicated,
    StateRuled,
    EntryRedacted,
    LogicPromoted,
)

#: Stable name with version → class. Nothing outside this table is ever instantiated from stored bytes.
BY_TYPE: dict[str, type[Event]] = {event.TYPE: event for event in EVENTS}
#: Stable name without version → class: what a projection's handlers are keyed by.
BY_NAME: dict[str, type[Event]] = {event.TYPE.partition("/")[0]: event for event in EVENTS}

_REGISTERED = ("place", "source", "party", "question", "ledger")
_BY_STREAM = ("entry-corrected", "entry-redacted")


def is_registry(name: str, stream: str) -> bool:
    """Whether an event of this name in this stream names a place, a source, a party, a question, a link or the ledger,
    or changes what one that does says."""
    event = BY_NAME.get(name)
    if event is None:
        return False
    return event.REGISTRY or (name in _BY_STREAM and stream.partition(":")[0] in _REGISTERED)
