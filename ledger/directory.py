"""Who and where: the places, sources, parties, questions and links a ledger has registered.

A directory is a fold over the registry events alone, so it is small and quick to build, for the newest
position or for any earlier one. It resolves spellings to ids and follows merges. It knows no claim.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ledger.clocks import span
from ledger.codec import Recorded
from ledger.errors import UnknownName
from ledger.names import NameIndex

CONTESTED = "contested"
CONTROL = "control"


@dataclass(slots=True)
class Place:
    """A settlement, a part of one, or a region. ``described`` holds attributed figures as
    (attribute, value, source id or None, published or None)."""

    id: str
    names: list[str]
    aliases: list[str] = field(default_factory=list)
    kind: str | None = None
    parent: str | None = None
    region: str | None = None
    lat: str | None = None
    lon: str | None = None
    precision: int | None = None
    described: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.names[0] if self.names else self.id


@dataclass(slots=True)
class Source:
    """Anyone who says or carries claims. ``names`` is empty where they were erased."""

    id: str
    kind: str = "other"
    side: str | None = None
    names: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.names[0] if self.names else self.id


@dataclass(frozen=True, slots=True)
class Link:
    """Sources that speak with one voice from day ``lo`` to day ``hi`` (ordinals; None is open)."""

    sources: frozenset[str]
    lo: int | None
    hi: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """``states`` in order of precedence; ``parties`` those of them that are parties."""

    id: str
    states: tuple[str, ...]
    parties: tuple[str, ...]
    text: str | None = None


class Directory:
    """The registry as it stood after ``position``. Feed it registry events in order through ``apply``."""

    def __init__(self) -> None:
        self._log: list[tuple[Recorded, dict[str, Any]]] = []
        self._reset()

    def _reset(self) -> None:
        self.position = 0
        self.ledger: str | None = None
        self.title: str | None = None
        self.parties: dict[str, str] = {}
        self.places: dict[str, Place] = {}
        self.sources: dict[str, Source] = {}
        self.links: list[Link] = []
        self._opened: dict[str, tuple[tuple[str, ...], str | None]] = {}
        self._merged_places: dict[str, str] = {}
        self._merged_sources: dict[str, str] = {}
        self._forget()

    def _forget(self) -> None:
        for name in ("_place_index", "_source_index", "_children", "_place_ids"):
            self.__dict__.pop(name, None)

    @classmethod
    def fold(cls, events: Iterable[tuple[Recorded, dict[str, Any]]]) -> Directory:
        directory = cls()
        for recorded, body in events:
            directory.apply(recorded, body)
        return directory

    # -- folding -----------------------------------------------------------------------------------

    def apply(self, recorded: Recorded, body: dict[str, Any]) -> None:
        """Take in one registry event (or a correction of one) with its body, ``{}`` where erased."""
        if recorded.name == "entry-corrected":
            self._correct(recorded, body)
        else:
            self._log.append((recorded, body))
            self._take(recorded, body)
        self.position = recorded.position

    def _correct(self, correction: Recorded, body: dict[str, Any]) -> None:
        target = correction.data["target"]
        log, self._log = self._log, []
        self._reset()
        for recorded, old in log:
            if recorded.entry == target:
                data = {**recorded.data, **correction.data.get("changes", {})}
                recorded.data = {name: value for name, value in data.items() if value is not None}
                old = {**old, **body.get("changes", {})}
            self._log.append((recorded, old))
            self._take(recorded, old)

    def _take(self, recorded: Recorded, body: dict[str, Any]) -> None:
        handler = _HANDLERS.get(recorded.name)
        if handler is not None:
            handler(self, recorded.data, body)
            self._forget()
        self.position = recorded.position

    def _ledger_opened(self, data: dict[str, Any], _: dict[str, Any]) -> None:
        self.ledger, self.title = data["ledger"], data.get("title")

    def _question_opened(self, data: dict[str, Any], _: dict[str, Any]) -> None:
        self._opened[data["question"]] = (tuple(data.get("states", ())), data.get("text"))

    def _party_named(self, data: dict[str, Any], _: dict[str, Any]) -> None:
        self.parties[data["party"]] = data.get("name") or data["party"]

    def _place(self, data: dict[str, Any], _: dict[str, Any]) -> None:
        place = self.places.setdefault(data["place"], Place(data["place"], []))
        place.names += [name for name in data.get("names", ()) if name not in place.names]
        place.aliases += [alias for alias in data.get("aliases", ()) if alias not in place.aliases]
        for name in ("kind", "parent", "region", "lat", "lon", "precision"):
            if data.get(name) is not None:
                setattr(place, name, data[name])
        if data.get("attribute"):
            place.described.append(
                (data["attribute"], data.get("value", ""), data.get("source"), data.get("published"))
            )

    def _place_merged(self, data: dict[str, Any], _: dict[str, Any]) -> None:
        self._merged_places[data["place"]] = data["into"]

    def _source(self, data: dict[str, Any], body: dict[str, Any]) -> None:
        source = self.sources.setdefault(data["source"], Source(data["source"]))
        source.names += [name for name in body.get("names", ()) if name not in source.names]
        source.aliases += [alias for alias in data.get("aliases", ()) if alias not in source.aliases]
        source.kind = data.get("kind") or source.kind
        source.side = None if data.get("no_side") else data.get("side") or source.side

    def _source_merged(self, data: dict[str, Any], _: dict[str, Any]) -> None:
        self._merged_sources[data["source"]] = data["into"]

    def _linked(self, data: dict[str, Any], _: dict[str, Any]) -> None:
        when = span(data["valid"]) if data.get("valid") else None
        members = frozenset(data["sources"])
        if data.get("unlink"):
            self.links = [link for link in self.links if not members >= link.sources]
        else:
            self.links.append(Link(members, when.lo if when else None, when.hi if when else None))

    # -- merges, links and states --------------------------------------------------------------------

    def place_id(self, place: str) -> str:
        """The id that answers for ``place`` after merges and aliases; itself where unknown."""
        place = self._place_ids.get(place, place)
        seen = {place}
        while (into := self._merged_places.get(place)) is not None and into not in seen:
            place = into
            seen.add(place)
        return place

    @cached_property
    def _place_ids(self) -> dict[str, str]:
        return {alias: place.id for place in self.places.values() for alias in place.aliases}

    def source_id(self, source: str) -> str:
        """The id that answers for ``source`` after merges; itself where unknown."""
        seen = {source}
        while (into := self._merged_sources.get(source)) is not None and into not in seen:
            source = into
            seen.add(source)
        return source

    def aliases_of(self, place: str) -> tuple[str, ...]:
        """The other ids of a place, under which it may have been spoken of."""
        found = self.places.get(place)
        return tuple(one for one in found.aliases if self.place_id(one) == place) if found else ()

    def merged_ids(self) -> set[str]:
        """Ids of places and sources for which another answers."""
        return {*self._merged_places, *self._merged_sources}

    def merged_into(self, place: str) -> list[str]:
        """``place`` and every id that was merged into it."""
        return [place, *(old for old in self._merged_places if old != place and self.place_id(old) == place)]

    def merged_sources_into(self, source: str) -> list[str]:
        """The id that answers for ``source``, and every id merged into that."""
        into = self.source_id(source)
        return [into, *(old for old in self._merged_sources if old != into and self.source_id(old) == into)]

    def linked(self, source: str, day: int | None = None) -> frozenset[str]:
        """Those who speak with one voice with ``source`` on ``day`` (any day if None), itself included."""
        source = self.source_id(source)
        voice = {source}
        frontier = [source]
        while frontier:
            one = frontier.pop()
            for link in self.links:
                members = {self.source_id(member) for member in link.sources}
                outside = day is not None and (
                    (link.lo is not None and day < link.lo) or (link.hi is not None and day > link.hi)
                )
                if one in members and not outside:
                    frontier.extend(members - voice)
                    voice |= members
        return frozenset(voice)

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        children: dict[str, list[str]] = {}
        for place in self.places.values():
            if place.kind == "part" and place.parent is not None:
                children.setdefault(self.place_id(place.parent), []).append(place.id)
        return {parent: tuple(sorted(parts)) for parent, parts in children.items()}

    def parts(self, place: str) -> tuple[str, ...]:
        """The named parts of a place (kind ``part``), sorted by id."""
        return self._children.get(self.place_id(place), ())

    def whole(self, place: str) -> str | None:
        """The place that ``place`` is a named part of, None where it is none."""
        found = self.places.get(self.place_id(place))
        if found is None or found.kind != "part" or found.parent is None:
            return None
        return self.place_id(found.parent)

    @property
    def questions(self) -> dict[str, Question]:
        """Every question that may be asked; ``control`` is always one of them."""
        names = [CONTROL, *(name for name in self._opened if name != CONTROL)]
        return {name: self.question(name) for name in names}

    def question(self, question: str) -> Question:
        """Its states. Raises ``UnknownName`` for a question nobody opened."""
        if question not in self._opened and question != CONTROL:
            known = ", ".join([CONTROL, *(q for q in self._opened if q != CONTROL)])
            raise UnknownName(
                f"no question {question!r}", remedy=f"Known: {known}; open one with `claims question`"
            )
        states, text = self._opened.get(question, ((), None))
        if not states:
            states = (*self.parties, CONTESTED)
        parties = tuple(state for state in states if state in self.parties)
        return Question(question, states, parties, text)

    # -- names -------------------------------------------------------------------------------------

    @cached_property
    def _place_index(self) -> NameIndex:
        index = NameIndex()
        for place in self.places.values():
            parent = self.places.get(place.parent) if place.parent else None
            hint = ", ".join(part for part in (place.kind, place.region or (parent and parent.name)) if part)
            for name in place.names:
                index.add(place.id, name, place.name, hint)
            for alias in place.aliases:
                index.alias(alias, place.id)
        for old, new in self._merged_places.items():
            index.alias(old, new)
        return index

    @cached_property
    def _source_index(self) -> NameIndex:
        index = NameIndex()
        for source in self.sources.values():
            hint = ", ".join(part for part in (source.kind, source.side) if part)
            for name in source.names or [source.id]:
                index.add(source.id, name, source.name, hint)
            for alias in source.aliases:
                index.alias(alias, source.id)
        for old, new in self._merged_sources.items():
            index.alias(old, new)
        return index

    def resolve_place(self, text: str) -> str:
        """Any registered spelling, script or id → canonical id. ``UnknownName``/``AmbiguousName`` else."""
        return self.place_id(self._place_index.resolve(text, what="place"))

    def resolve_source(self, text: str) -> str:
        """Any registered spelling or id of a source → canonical id."""
        return self.source_id(self._source_index.resolve(text, what="source"))

    def resolve_state(self, question: str, text: str) -> str:
        """A state of a question by id or by the party's name, in any case."""
        asked = self.question(question)
        for state in asked.states:
            if text.casefold() in (state.casefold(), self.parties.get(state, state).casefold()):
                return state
        raise UnknownName(
            f"no state {text!r} of the question {question!r}",
            remedy=f"States: {', '.join(asked.states)}; name a new party with `claims party`",
        )

    def complete_place(self, prefix: str) -> list[tuple[str, str]]:
        """(name, hint) pairs for shell completion."""
        return self._place_index.complete(prefix)

    def complete_source(self, prefix: str) -> list[tuple[str, str]]:
        """(name, hint) pairs for shell completion."""
        return self._source_index.complete(prefix)


_HANDLERS = {
    "ledger-opened": Directory._ledger_opened,
    "question-opened": Directory._question_opened,
    "party-named": Directory._party_named,
    "place-registered": Directory._place,
    "place-described": Directory._place,
    "place-merged": Directory._place_merged,
    "source-registered": Directory._source,
    "source-described": Directory._source,
    "source-merged": Directory._source_merged,
    "sources-linked": Directory._linked,
}
