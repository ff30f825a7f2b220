"""What is told: observations, repeats, wire copies, denials, doubts, predictions, displays and rulings.

First everything is gathered with the day on which it was published, then it is written down in that order,
when what answers an earlier claim can name it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tests.bench.generator import Entry
from tests.bench.simulation.drawing import map_id, map_side, shown
from tests.bench.simulation.given import Given
from tests.bench.simulation.ground import CONTESTED, PARTIES, STATES, Floats, Ground, day_text
from tests.bench.simulation.voices import Voice

DESK = "own:desk"
_ANSWERED = 20  # days for which a claim is answered
_COPIES_MOST = 12


@dataclass(frozen=True, slots=True)
class Utterance:
    """A claim before it is written down. Days count from ``START``; ``state`` indexes ``STATES``."""

    published: int
    voice: int
    place: int
    state: int
    seen: int
    act: str = "asserts"
    part: bool = False
    dated: str | None = None


def registry(given: Given, known: Ground, speaking: Sequence[Voice]) -> Iterator[Entry]:
    """Parties, sources and places."""
    for party in PARTIES:
        yield Entry("party-named", {"party": party}, None)
    yield Entry("source-registered", {"source": DESK, "kind": "analyst"}, None)
    for voice in speaking:
        yield _registered(voice.id, voice.kind, voice.side)
    for n in range(given.maps):
        yield _registered(map_id(n), "map", map_side(n))
    for place, name, x, y in zip(known.ids, known.names, known.x, known.y, strict=True):
        data = {"place": place, "names": [name], "kind": "settlement", "precision": 1}
        yield Entry(
            "place-registered", data | {"lat": f"{48 + y / 111:.5f}", "lon": f"{37 + x / 74:.5f}"}, None
        )


def _registered(source: str, kind: str, side: int | None) -> Entry:
    data: dict[str, Any] = {"source": source, "kind": kind}
    return Entry("source-registered", data if side is None else data | {"side": PARTIES[side]}, None)


def told(given: Given, known: Ground, speaking: Sequence[Voice], rng: np.random.Generator) -> Iterator[Entry]:
    """All events but the registry, in the order of publication."""
    talk, drawn, ruled = rng.spawn(3)
    teller = _Teller(given, known, speaking, talk)
    said = list(teller.observations())
    said += [copy for one in said for copy in teller.copies(one)]
    said += [answer for one in said for answer in teller.doubts(one)]
    events = [(one.published, 0, one) for one in said if one.published < given.days]
    events += [(day, 1, entry) for day, entry in shown(given, known, drawn)]
    events += [(day, 2, entry) for day, entry in _rulings(given, known, ruled)]
    for _, _, one in sorted(events, key=lambda event: event[:2]):
        if isinstance(one, Entry):
            yield one
        else:
            yield from teller.written(one)


def _rulings(given: Given, known: Ground, rng: np.random.Generator) -> Iterator[tuple[int, Entry]]:
    """Some place-days ruled on, weeks later, nearly always rightly."""
    n, days = known.states.shape
    chosen = rng.choice(n * days, size=round(given.ruled * n * days), replace=False)
    for number, (place, day) in enumerate(zip(*divmod(chosen, days), strict=True)):
        late = int(rng.uniform(*given.ruled_late))
        wrong, by = rng.random() < given.ruled_wrong, int(rng.integers(1, len(STATES)))
        state = (known.states[place, day] + by * wrong) % len(STATES)
        if day + late < days:
            data = {"place": known.ids[place], "state": STATES[state], "valid": day_text(day), "by": DESK}
            data |= {"ruled": day_text(day + late), "key": f"ruling-{number}"}
            yield day + late, Entry("state-ruled", data, None)


class _Teller:
    def __init__(
        self, given: Given, known: Ground, speaking: Sequence[Voice], rng: np.random.Generator
    ) -> None:
        self.given, self.known, self.speaking, self.rng = given, known, speaking, rng
        covers = np.stack([voice.covers for voice in speaking])
        self.odds = covers / covers.sum(axis=0)
        self.outlets = [voice.id for voice in speaking if voice.kind == "outlet"]
        self._said: dict[tuple[int, int], Utterance] = {}
        self._recent: dict[tuple[int, int], tuple[int, str]] = {}
        self._written: set[str] = set()

    # -- what is said ------------------------------------------------------------------------------

    def observations(self) -> Iterator[Utterance]:
        """What sources see for themselves, or pretend to, and bring themselves to say."""
        counts = self.rng.poisson(_volume(self.given, self.known, self.rng))
        for day in range(counts.shape[1]):
            for place in np.flatnonzero(counts[:, day]):
                for voice in self.rng.choice(
                    len(self.speaking), size=counts[place, day], p=self.odds[:, place]
                ):
                    one = self._observed(int(voice), int(place), day)
                    if one is not None:
                        self._said[int(voice), int(place)] = one
                        yield one

    def _observed(self, number: int, place: int, day: int) -> Utterance | None:
        voice, rng, given = self.speaking[number], self.rng, self.given
        published = day + rng.geometric(1 / (1 + voice.late)) - 1
        last = self._said.get((number, place))
        if last is not None and day - last.seen <= given.memory and rng.random() < voice.stubborn:
            return replace(last, published=int(published), seen=day)
        truth = self.known.states[place, max(0, day - voice.lag)]
        state = int(rng.choice(len(STATES), p=voice.rows[truth]))
        if voice.side is not None and state == 1 - voice.side and rng.random() < voice.reticence:
            return None
        one = Utterance(int(published), number, place, state, day, dated=self._dated())
        return self._worded(one, voice.side)

    def _dated(self) -> str | None:
        draw = self.rng.random()
        if draw < self.given.undated:
            return None
        return str(self.rng.choice(["about", "some"])) if draw > 1 - self.given.vague else "exact"

    def _worded(self, one: Utterance, side: int | None) -> Utterance:
        """How a perceived state is put; a state of A or B may be foretold, denied or told of a part."""
        given, draw = self.given, self.rng.random()
        if one.state == CONTESTED:
            if draw >= given.contest_in_parts:
                return one
            party = int(self.rng.integers(2)) if side is None else side
            return (
                replace(one, state=party, part=True)
                if draw < 0.7 * given.contest_in_parts
                else (replace(one, state=1 - party, act="denies"))
            )
        if draw < given.as_denial:
            return replace(one, state=1 - one.state, act="denies")
        if draw < given.as_denial + given.as_part:
            return replace(one, part=True)
        if one.state == side and draw > 1 - given.predicts:
            return replace(one, act="predicts", dated=None)
        if side is not None and one.state == 1 - side and self.rng.random() < given.concedes:
            return replace(one, act="concedes")
        return one

    def copies(self, one: Utterance) -> Iterator[Utterance]:
        """Repeats by others of the same side who saw nothing and do not say whom they have it from."""
        given, side = self.given, self.speaking[one.voice].side
        if one.act == "predicts" or not given.copies:
            return
        others = [n for n, voice in enumerate(self.speaking) if voice.side == side and n != one.voice]
        weights: Floats = np.array([self.speaking[n].covers.mean() for n in others])
        many = min(self.rng.geometric(1 / (1 + given.copies)) - 1, _COPIES_MOST, np.count_nonzero(weights))
        for n in self.rng.choice(others, size=many, replace=False, p=weights / weights.sum()):
            published = one.published + int(self.rng.geometric(1 / (1 + given.copy_late)) - 1)
            act = "asserts" if one.act == "concedes" else one.act
            copy = replace(one, voice=int(n), published=published, act=act)
            anew = self.rng.random() < given.copy_anew
            yield replace(copy, seen=published, dated="exact") if anew else copy

    def doubts(self, one: Utterance) -> Iterator[Utterance]:
        """Somebody of the other side doubts what was said."""
        side = self.speaking[one.voice].side
        if (
            side is None
            or one.act != "asserts"
            or one.state != side
            or self.rng.random() >= self.given.doubts
        ):
            return
        against = [n for n, voice in enumerate(self.speaking) if voice.side == 1 - side]
        published = one.published + int(self.rng.integers(0, 3))
        voice = int(self.rng.choice(against))
        yield replace(one, voice=voice, published=published, seen=published, act="doubts", dated=None)

    # -- how it is written down ----------------------------------------------------------------------

    def written(self, one: Utterance) -> Iterator[Entry]:
        """The claim, and sometimes the same once more from an outlet that says whose it is."""
        data: dict[str, Any] = {
            "claimant": self.speaking[one.voice].id,
            "place": self.known.ids[one.place],
            "state": STATES[one.state],
            "said": day_text(one.published),
            "published": day_text(one.published),
            **({"act": one.act} if one.act != "asserts" else {}),
            **({"extent": "part"} if one.part else {}),
            **self._valid(one),
        }
        if one.act in ("denies", "doubts"):
            day, entry = self._recent.get((one.place, one.state), (-_ANSWERED, ""))
            if entry and one.published - day < _ANSWERED and self.rng.random() < self.given.answers:
                data["target"] = entry
        entry = Entry("claim-reported", data, None)
        if entry.id in self._written:  # said twice a day in the same words: once
            return
        self._written.add(entry.id)
        if one.act in ("asserts", "concedes") and not one.part:
            self._recent[one.place, one.state] = (one.published, entry.id)
        yield entry
        if self.rng.random() < self.given.wire:
            carried = Entry("claim-reported", data | {"via": [str(self.rng.choice(self.outlets))]}, None)
            if carried.data["via"] != [data["claimant"]]:
                yield carried

    def _valid(self, one: Utterance) -> dict[str, str]:
        if one.dated is None:
            return {}
        if one.dated == "exact":
            return {"valid": day_text(one.seen)}
        if one.dated == "about":
            return {"valid": f"{day_text(one.seen)}~"}
        first = one.seen - int(self.rng.integers(1, 6))
        last = min(one.published, one.seen + int(self.rng.integers(0, 4)))
        return {"valid": f"{day_text(first)}/{day_text(max(last, one.seen))}"}


def _volume(given: Given, known: Ground, rng: np.random.Generator) -> Floats:
    """Claims expected of each place on each day, shape (places, days)."""
    usual = given.volume * rng.lognormal(0, given.volume_spread, len(known.names)) / 365.25
    fresh = np.zeros(known.states.shape, dtype=bool)
    turned = known.states[:, 1:] != known.states[:, :-1]
    for after in range(7):
        fresh[:, 1 + after :] |= turned[:, : turned.shape[1] - after]
    busy = np.where(known.states == CONTESTED, given.busy_contested, 1.0)
    return np.asarray(usual[:, None] * np.where(fresh, np.maximum(busy, given.busy_change), busy))
