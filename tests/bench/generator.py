"""A synthetic ledger of any size: the same seed and size give the same entries, one after another.

Two parties, five hundred sources, and places of which one is hot (a twentieth of all claims) and most are
quiet. What holds is a hidden state that flips now and then; sources report it the way sources do, late,
vaguely, through carriers and in favour of their side. Beside claims there are map displays with looks at
them, evidence, corrections, retractions and rulings in small shares. Nothing is kept but a little of each
place.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from random import Random
from typing import Any, NamedTuple

from ledger import events
from ledger.book import Draft
from ledger.drafts import stream_of

SEED = 20_251_120
START = dt.date(2022, 3, 1)
DAYS = 1_096
#: When the synthetic ledger was written, for whoever injects a clock: after all that was published.
WRITTEN = dt.datetime(2025, 3, 2, 12, tzinfo=dt.UTC)

PARTIES = ("RU", "UA")
STATES = (*PARTIES, "contested")
HOT = "own:place-1"
HOT_SHARE = 0.05
_TAIL = 0.8  # exponent of the skewed rest
_MAPS = 4
_LOOKED = 0.1  # how often a look at an unchanged display of one place is recorded

_LATIN = "ba ve gor du zhi za ki lo ma ni pol ra si ta fe kha che shu yar sta"
_CYRILLIC = "ба ве гор ду жи за кі ло ма ні пол ра си та фе ха че шу яр ста"
_KINDS = (  # (kind, how many of five hundred, how often each is quoted)
    ("map", _MAPS, 12.0),
    ("official", 20, 6.0),
    ("military-unit", 60, 1.5),
    ("agency", 16, 4.0),
    ("outlet", 160, 0.5),
    ("milblogger", 120, 1.5),
    ("osint", 50, 1.2),
    ("eyewitness", 40, 0.2),
    ("analyst", 30, 0.5),
)
_SIDED = {"official": 0.9, "military-unit": 1.0, "agency": 0.6, "outlet": 0.4, "milblogger": 0.8}
_ACTS = (("asserts", 0.80), ("denies", 0.07), ("doubts", 0.04), ("concedes", 0.03), ("predicts", 0.06))
_VIA = tuple(accumulate((0.35, 0.40, 0.20, 0.05)))  # how many carriers, from none to three
_LAGS = tuple(accumulate((50, 25, 10, 5)))  # days from saying to publishing, from none to three
_PROSE = (
    "units forces village outskirts assault pushed back confirmed spokesman evening footage street "
    "advanced group flag bridge repelled northern southern entered cleared according brigade map"
)
_WORDS = tuple(_PROSE.split())
_SYLLABLES = tuple(zip(_LATIN.split(), _CYRILLIC.split(), strict=True))


class Entry(NamedTuple):
    """One event in plain values: its type's name, its author fields and its body."""

    name: str
    data: dict[str, Any]
    body: dict[str, Any] | None

    def draft(self) -> Draft:
        """Validated, ready to be appended."""
        return Draft.of(self.name, self.data, self.body)

    def stored(self) -> dict[str, Any]:
        """The author fields that differ from their defaults: what a leaf holds of them."""
        defaults, data = _defaults(self.name), self.data
        usual = [name for name, value in data.items() if name in defaults and defaults[name] == value]
        return {name: value for name, value in data.items() if name not in usual} if usual else data

    @property
    def id(self) -> str:
        """The stream in which it will stand."""
        return stream_of(events.BY_NAME[self.name], self.stored())  # type: ignore[arg-type]


@cache
def _defaults(name: str) -> dict[str, Any]:
    fields = events.BY_NAME[name].model_fields.items()
    return {
        field: one.get_default(call_default_factory=True) for field, one in fields if not one.is_required()
    }


@dataclass(slots=True)
class _Source:
    id: str
    kind: str
    side: str | None


@dataclass(slots=True)
class _Place:
    id: str
    truth: int
    parts: list[str] = field(default_factory=list)
    shown: dict[str, int] = field(default_factory=dict)
    claim: tuple[str, str, dt.date] | None = None  # a recent one: id, claimant, day said
    evidence: str | None = None


def places_for(claims: int) -> int:
    """How many places: five thousand for a million claims, and as many claims a place below that."""
    return max(20, min(5_000, claims // 200))


def entries(
    claims: int, *, places: int | None = None, seed: int = SEED, bodies: bool = True
) -> Iterator[Entry]:
    """The registry, then ``claims`` claims with all that belongs to them, in the order of publication."""
    return _World(claims, places or places_for(claims), Random(seed), bodies).entries()


def drafts(
    claims: int, *, places: int | None = None, seed: int = SEED, bodies: bool = True
) -> Iterator[Draft]:
    """The same as drafts."""
    return (entry.draft() for entry in entries(claims, places=places, seed=seed, bodies=bodies))


class _World:
    def __init__(self, claims: int, places: int, rng: Random, bodies: bool) -> None:
        self.claims, self.rng, self.bodies = claims, rng, bodies
        self.sources = [
            _Source(f"own:{kind}-{n}", kind, self._side(kind))
            for kind, count, _ in _KINDS
            for n in range(1, count + 1)
        ]
        self.carriers = [s.id for s in self.sources if s.kind in ("agency", "outlet")]
        self.maps = [source for source in self.sources if source.kind == "map"]
        self._source_odds = self._skewed_sources()
        self.places = [_Place(f"own:place-{n}", rng.randrange(3)) for n in range(1, places + 1)]
        tail = [rank**-_TAIL for rank in range(2, places + 1)]
        scale = (1 - HOT_SHARE) / sum(tail) if tail else 0.0
        self._place_odds = list(accumulate([HOT_SHARE, *(scale * weight for weight in tail)]))
        self.made = 0

    def _side(self, kind: str) -> str | None:
        sided = self.rng.random() < _SIDED.get(kind, 0.0)
        return self.rng.choice(PARTIES) if sided else None

    def _skewed_sources(self) -> list[float]:
        weights = [w / n**0.7 for _, count, w in _KINDS for n in range(1, count + 1)]
        return list(accumulate(weights))

    # -- the registry ------------------------------------------------------------------------------

    def entries(self) -> Iterator[Entry]:
        for party in PARTIES:
            yield Entry("party-named", {"party": party}, None)
        for source in self.sources:
            data: dict[str, Any] = {"source": source.id, "kind": source.kind}
            if source.side is not None:
                data["side"] = source.side
            number = source.id.rpartition("-")[2]
            yield Entry("source-registered", data, {"names": [f"{source.kind.title()} No {number}"]})
        for rank in range(len(self.places)):
            yield from self._registered(rank)
        units = [source.id for source in self.sources if source.kind == "military-unit"]
        for n in range(0, 20, 2):
            yield Entry("sources-linked", {"sources": units[n : n + 2]}, None)
        for day in range(DAYS):
            yield from self._day(day)

    def _registered(self, rank: int) -> Iterator[Entry]:
        place = self.places[rank]
        latin, cyrillic = _names(rank)
        data = {
            "place": place.id,
            "names": [latin, cyrillic],
            "kind": "settlement",
            "region": f"Region {rank % 7}",
            "lat": f"{46 + rank % 500 / 100:.4f}",
            "lon": f"{33 + rank % 700 / 100:.4f}",
            "precision": 1,
        }
        yield Entry("place-registered", data, None)
        for n in range(3 if rank == 0 else rank % 25 == 1):
            part = f"{place.id}-part-{n + 1}"
            place.parts.append(part)
            names = [f"{latin} quarter {n + 1}"]
            yield Entry(
                "place-registered", {"place": part, "names": names, "kind": "part", "parent": place.id}, None
            )

    # -- one day -----------------------------------------------------------------------------------

    def _day(self, number: int) -> Iterator[Entry]:
        day = START + dt.timedelta(days=number)
        for _ in range(1 + len(self.places) // 150):
            self.rng.choice(self.places).truth = self.rng.randrange(3)
        quota = self.claims * (number + 1) // DAYS - self.claims * number // DAYS
        seen: set[tuple[Any, ...]] = set()
        while quota:
            source = self.sources[_drawn(self.rng, self._source_odds)]
            place = self.places[_drawn(self.rng, self._place_odds)]
            if source.kind == "map":
                if self._unchanged(source, place) and self.rng.random() > _LOOKED:
                    continue
                entry = self._displayed(source, place, day)
            else:
                entry = self._claim(source, place, day, seen)
            yield entry
            if entry.name == "claim-reported":
                quota -= 1
                self.made += 1
                self._remember(entry, place, day)
                yield from self._beside(source, place, day)
        yield from self._looks(number, day)

    def _looks(self, number: int, day: dt.date) -> Iterator[Entry]:
        """Each map as a whole is looked at weekly, in a small ledger more seldom."""
        every = max(7, round(200 * DAYS / max(self.claims, 1)))
        for n, source in enumerate(self.maps):
            if number % every == n % every:
                yield Entry("display-observed", {"source": source.id, "published": day.isoformat()}, None)

    def _unchanged(self, source: _Source, place: _Place) -> bool:
        return place.shown.get(source.id) == place.truth

    def _displayed(self, source: _Source, place: _Place, day: dt.date) -> Entry:
        """A map changes what it displays of a place, stops displaying it, or was looked at there."""
        when = self._instant(day)
        if self._unchanged(source, place):
            data: dict[str, Any] = {"source": source.id, "place": place.id, "published": when}
            return Entry("display-observed", data, None)
        if source.id in place.shown and self.rng.random() < 0.1:
            del place.shown[source.id]
            return Entry("claim-withdrawn", {"source": source.id, "place": place.id, "published": when}, None)
        place.shown[source.id] = place.truth
        data = {
            "claimant": source.id,
            "place": place.id,
            "state": STATES[place.truth],
            "standing": True,
            "published": when,
        }
        return Entry("claim-reported", data, self._body("https://map.example/", day))

    def _claim(self, source: _Source, place: _Place, day: dt.date, seen: set[tuple[Any, ...]]) -> Entry:
        rng = self.rng
        act = _pick(rng, _ACTS)
        where = rng.choice(place.parts) if place.parts and rng.random() < 0.15 else place.id
        data: dict[str, Any] = {"claimant": source.id, "place": where, "state": self._said(source, place)}
        if act != "asserts":
            data["act"] = act
        elif data["state"] != "contested" and rng.random() < 0.02:
            data["negated"] = True
        if carriers := _drawn(rng, _VIA):
            data["via"] = rng.sample(self.carriers, carriers)
        if rng.random() < 0.15:
            data["extent"] = "part"
            if rng.random() < 0.2:
                data["share"] = f"0.{rng.randrange(1, 10)}"
        data["published"] = self._instant(day) if rng.random() < 0.4 else day.isoformat()
        said = day - dt.timedelta(days=self._lag())
        self._dated(data, said)
        if act in ("denies", "doubts") and rng.random() < 0.3:
            target = place.evidence if rng.random() < 0.1 else place.claim and place.claim[0]
            if target:
                data["target"] = target
        if place.evidence and rng.random() < 0.02:
            data["based_on"] = [place.evidence]
        if rng.random() < 0.05:
            data["key"] = f"feed-{self.made}"
        same = (source.id, where, act, data["state"], data["published"], tuple(data.get("via", ())))
        if same in seen:
            data["key"] = f"again-{self.made}"
        seen.add(same)
        return Entry("claim-reported", data, self._body("https://outlet.example/", day))

    def _dated(self, data: dict[str, Any], said: dt.date) -> None:
        """When it was said, and when it is supposed to have been so: often left out, sometimes vague."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.85:
            data["said"] = said.isoformat()
        elif draw < 0.88:
            data["said"] = f"{said:%Y-%m}"
        draw = rng.random()
        if draw < 0.40:
            data["valid"] = said.isoformat()
        elif draw < 0.50:
            data["valid"] = (said - dt.timedelta(days=1)).isoformat()
        elif draw < 0.54:
            data["valid"] = f"{said.isoformat()}~"
        elif draw < 0.57:
            data["valid"] = f"{said - dt.timedelta(days=rng.randrange(2, 12))}/{said}"
        elif draw < 0.59:
            data["valid"], data["valid_kind"] = f"{said - dt.timedelta(days=9)}/..", "since"
        elif draw < 0.60:
            data["valid"], data["valid_kind"] = f"{said - dt.timedelta(days=6)}/{said}", "throughout"

    def _lag(self) -> int:
        """Days from saying to publishing: mostly none or few, seldom weeks."""
        draw = self.rng.random()
        if draw < 0.90:
            return _drawn(self.rng, _LAGS)
        return self.rng.randrange(4, 11) if draw < 0.97 else self.rng.randrange(11, 91)

    def _said(self, source: _Source, place: _Place) -> str:
        if source.side is not None and self.rng.random() < 0.6:
            return source.side
        if self.rng.random() < 0.8:
            return STATES[place.truth]
        return self.rng.choice(STATES)

    # -- what goes with a claim --------------------------------------------------------------------

    def _remember(self, entry: Entry, place: _Place, day: dt.date) -> None:
        """Now and then a claim is kept in mind, to be denied, corrected, taken back or ruled on."""
        if self.rng.random() < 0.04:
            place.claim = (entry.id, entry.data["claimant"], day)

    def _beside(self, source: _Source, place: _Place, day: dt.date) -> Iterator[Entry]:
        draw = self.rng.random()
        if draw < 0.03:
            entry = self._evidence(source, place, day)
            place.evidence = entry.id
            yield entry
        elif draw < 0.0305 and place.evidence:
            target, place.evidence = place.evidence, None
            yield Entry("evidence-voided", {"target": target, "ruled": day.isoformat()}, {"reason": "staged"})
        elif draw < 0.0320:
            data = {"place": place.id, "state": STATES[place.truth], "valid": day.isoformat()}
            yield Entry("state-ruled", {**data, "ruled": day.isoformat(), "key": f"rule-{self.made}"}, None)
        elif draw < 0.0420 and place.claim:
            (target, claimant, said), place.claim = place.claim, None
            yield self._fate(target, claimant, said, day)

    def _fate(self, target: str, claimant: str, said: dt.date, day: dt.date) -> Entry:
        draw = self.rng.random()
        if draw < 0.35:
            valid = (said - dt.timedelta(days=self.rng.randrange(1, 5))).isoformat()
            changes: dict[str, Any] = {"valid": valid, "valid_kind": None}
            return Entry("entry-corrected", {"target": target, "changes": changes}, {"reason": "misread"})
        if draw < 0.60:
            data = {"target": target, "source": claimant, "published": day.isoformat()}
            return Entry("entry-retracted", data, None)
        verdict = self.rng.choice(("true", "true", "false", "unverifiable"))
        data = {"target": target, "verdict": verdict, "ruled": day.isoformat()}
        return Entry("claim-adjudicated", data, {"reason": "compared with imagery"})

    def _evidence(self, source: _Source, place: _Place, day: dt.date) -> Entry:
        data: dict[str, Any] = {
            "source": source.id,
            "place": place.id,
            "kind": self.rng.choice(("footage", "footage", "geolocation", "imagery")),
            "valid": day.isoformat(),
            "published": self._instant(day),
        }
        if self.rng.random() < 0.8:
            data["state"] = self._said(source, place)
        return Entry("evidence-reported", data, self._body("https://video.example/", day))

    def _instant(self, day: dt.date) -> str:
        rest, second = divmod(self.rng.randrange(86_400), 60)
        return f"{day.isoformat()}T{rest // 60:02d}:{rest % 60:02d}:{second:02d}Z"

    def _body(self, site: str, day: dt.date) -> dict[str, Any] | None:
        if not self.bodies:
            return None
        rng = self.rng
        body: dict[str, Any] = {
            "url": f"{site}{day.isoformat()}/{rng.randrange(10**9):09d}",
            "title": _prose(rng, 7),
        }
        if rng.random() < 0.6:
            body["quote"] = _prose(rng, 24)
        if rng.random() < 0.5:
            body["as_written"] = {"place": rng.choice(_WORDS), "said": f"{day:%d %B}"}
        return body


def _drawn(rng: Random, odds: Sequence[float]) -> int:
    """An index by cumulated odds: what ``rng.choices`` draws, without its lists."""
    return bisect(odds, rng.random() * odds[-1], 0, len(odds) - 1)


def _prose(rng: Random, count: int) -> str:
    """Some words, as ``rng.choices`` draws them."""
    random, many = rng.random, len(_WORDS)
    return " ".join([_WORDS[int(random() * many)] for _ in range(count)])


def _pick(rng: Random, shares: tuple[tuple[str, float], ...]) -> str:
    draw = rng.random()
    for name, share in shares:
        draw -= share
        if draw < 0:
            return name
    return shares[-1][0]


def _names(number: int) -> tuple[str, str]:
    """A name of its own for every number, in two scripts."""
    syllables: list[tuple[str, str]] = []
    while number or len(syllables) < 2:
        number, digit = divmod(number, len(_SYLLABLES))
        syllables.append(_SYLLABLES[digit])
    latin, cyrillic = map("".join, zip(*syllables, strict=True))
    return f"{latin}ka".title(), f"{cyrillic}ка".title()
