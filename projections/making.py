"""Making what a view keeps: every spot of some families judged, by the kernel or, where a logic asks for what
the kernel does not know, by the reference.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from ledger.codec import Recorded
from ledger.directory import Directory
from projections import blobs
from projections.belief.assembly import Poison, weights_of
from projections.belief.base import Logic
from projections.case import Case
from projections.credibility import score
from projections.envelopes.cache import Envelopes
from projections.envelopes.reading import ENTRIES, EVERYWHERE, FATES, Codes
from projections.envelopes.shape import PACK
from projections.record import Record, Spot
from projections.tails import Kept

if TYPE_CHECKING:
    from projections.columns.judging import Judge, Judged
    from projections.columns.testimony import Builder
    from projections.columns.testimony import Spot as Heard

__all__ = ["Made", "Maker", "Spot", "Workshop", "jobs", "reshapes", "touched_by"]

#: Records judged at a time: some hundred megabytes while it lasts.
_AT_ONCE = 120_000

#: Events up to which it is sooner told to a builder what is new than made again.
_FEW = 1_000

#: Registry events after which every belief may differ, not only those of places touched.
_RESHAPING = frozenset(
    (
        "party-named",
        "question-opened",
        "place-merged",
        "source-merged",
        "source-described",
        "sources-linked",
        "place-described",
    )
)


@dataclass(slots=True)
class Made:
    """Rows of a view: spots, scores and what could not be read, each in order of place and question."""

    spots: list[tuple[str, str, int, int | None, int | None, bytes]] = field(default_factory=list)
    scores: list[tuple[str, str, str, bytes]] = field(default_factory=list)
    bad: list[tuple[str, str, int, str, str]] = field(default_factory=list)

    def extend(self, other: Made) -> None:
        """Put the rows of others behind these."""
        self.spots += other.spots
        self.scores += other.scores
        self.bad += other.bad


class Workshop:
    """What makers of views find ready from one catch-up to the next, so that one more claim costs what that
    claim costs and not a look at the whole ledger.

    ``event`` gives the event at a position, ``first`` the first event of a stream. ``ahead``: about how many records
    there are to judge in all, where others share the work and this one sees a part of them at a time. ``judged``: records
    judged so far; ``knots``: knots made so far.
    """

    def __init__(
        self,
        event: Callable[[int], Recorded | None],
        first: Callable[[str], Recorded | None],
        ahead: int = 0,
    ) -> None:
        self.event, self.first, self.ahead = event, first, ahead
        self.judged = self.knots = 0
        self._builder: Builder | None = None

    def builder(self, envelopes: Envelopes, directory: Directory) -> Builder:
        """A builder of testimony that knows all that the cache holds."""
        from projections.columns.testimony import Builder

        mark, kept = envelopes.mark(), self._builder
        head = mark.position if mark else 0
        if kept is None or not kept.fits(envelopes, directory) or not 0 <= head - kept.position <= _FEW:
            kept = self._builder = Builder(envelopes, directory, self.event, self.first)
        for position in range(kept.position + 1, head + 1):
            recorded = self.event(position)
            if recorded is not None:
                kept.take(recorded)
        return kept

    def kernel(self, records: int) -> Any:
        """The kernel to judge so many records with. A process that judges a few again and again has the compiled
        one loaded in the end, though it would not for the first of them, and uses it from then on; it is compiled
        for the sake of many only."""
        from projections.columns.modes import ENOUGH, READY, chosen

        self.judged += records
        if self.ahead >= ENOUGH:
            return chosen(self.ahead)
        loaded = "projections.columns._compiled_scoring" in sys.modules
        return chosen(max(records, READY if loaded else min(self.judged, ENOUGH - 1)))


class Maker:
    """Makes the rows of one logic's view, from a cache that has reached the head.

    ``known`` is the moment up to which sources are scored.
    """

    def __init__(
        self, workshop: Workshop, envelopes: Envelopes, directory: Directory, logic: Logic, known: int
    ) -> None:
        self.workshop, self.event, self.first = workshop, workshop.event, workshop.first
        self.envelopes, self.directory, self.logic, self.known = envelopes, directory, logic, known

    @cached_property
    def builder(self) -> Builder:
        return self.workshop.builder(self.envelopes, self.directory)

    @cached_property
    def codes(self) -> Codes:
        """The cache's names and codes."""
        return self.envelopes.codes

    @property
    def families(self) -> Any:
        return self.builder.families

    def roots(self) -> dict[str, int]:
        """Every family, with how many records it has."""
        return self.builder.roots()

    def jobs(self, roots: dict[str, int]) -> Iterator[list[str]]:
        """Families put together until there are enough of their records."""
        return jobs(roots)

    def make(
        self,
        roots: Sequence[str],
        kept: Kept | None = None,
        *,
        scored: bool = True,
        questions: Container[str] | None = None,
    ) -> Made:
        """Judge every spot of some families; of what is ``kept`` only the tail. Scores are left out on request, and so
        are spots on other ``questions`` than those given."""
        made = Made()
        if self.known_to_the_kernel():
            self._by_kernel(roots, made, kept, scored, questions)
        else:
            self._by_reference(roots, made, scored, questions)
        made.bad.sort()
        return made

    def score(self, roots: Sequence[str]) -> Made:
        """The scores of every spot of some families, and when they are due; spots have no data."""
        if not self.known_to_the_kernel() or self.logic.weigh is not None:
            return self.make(roots)
        import numpy as np

        made = Made()
        with np.errstate(over="ignore"):
            judge = self.judge(roots, self.logic)
            for spot in sorted(judge.testimony.spots, key=lambda one: (one.place, one.question)):
                sources, scores, due = judge.score(spot)
                made.spots.append((spot.place, spot.question, 0, None, due, b""))
                self._keep_scores(spot.place, spot.question, sources, scores, made)
        return made

    def known_to_the_kernel(self) -> bool:
        """Whether the kernel can judge: else the reference does."""
        return self.builder.tables.known_to_the_kernel(self.logic.params)

    def _by_kernel(
        self,
        roots: Sequence[str],
        made: Made,
        kept: Kept | None,
        scored: bool,
        questions: Container[str] | None = None,
    ) -> None:
        import numpy as np

        with np.errstate(over="ignore"):
            judge = self.judge(roots, self.logic)
            testimony = judge.testimony
            for spot in sorted(testimony.spots, key=lambda one: (one.place, one.question)):
                if questions is not None and spot.question not in questions:
                    continue
                if self.logic.weigh is None:
                    standing = kept(spot.place, spot.question) if kept and not self.logic.believe else None
                    self._keep(judge.judge(spot, standing=standing, scored=scored), made)
                else:
                    self._weighed(judge, spot, made, scored)
        for place, found in sorted(testimony.bad.items()):
            for one in found:
                made.bad.append((place, "", one.position, one.id, one.error))

    def judge(self, roots: Sequence[str], logic: Logic) -> Judge:
        """The kernel's judge of some families' testimony under a logic."""
        from projections.columns.judging import Judge

        kernel = self.workshop.kernel(sum(self._sizes(roots)))
        testimony = self.builder.testimony(roots, kernel)
        return Judge(testimony, self.directory, logic, self.known, kernel)

    def _weighed(self, judge: Judge, spot: Heard, made: Made, scored: bool) -> None:
        """Judge a spot as a logic weighs it. The logic is shown each piece as it stands in the case, with all that ever
        came to it, so that nothing it made of a spot earlier need stand; where it raises on one, the reference judges,
        which quarantines it."""
        case = self.case(spot.place, spot.question)
        try:
            factors = weights_of(case, self.logic)
        except Poison:
            self._judged(case, made, scored, known_bad=True)
        else:
            self._keep(judge.judge(spot, factors, scored=scored), made)

    def case(self, place: str, question: str) -> Case:
        """All there is of a spot, for the reference."""
        head = self.envelopes.mark()
        return self._record.case(place, question, self.directory, head.position if head else 0)

    @cached_property
    def _record(self) -> Record:
        return Record(self.envelopes, self.event, self.first)

    def _sizes(self, roots: Sequence[str]) -> Iterator[int]:
        for root in roots:
            for one in self.families.ids(root):
                if one in self.builder.recorded:
                    yield self.envelopes.count(self.builder.recorded[one])

    def _keep(self, judged: Judged, made: Made) -> None:
        spot = judged.place, judged.question
        if self.logic.believe is not None:
            # A logic that judges by itself has no filter to take knots from: it is asked afresh each time.
            judged.whole, judged.beliefs = judged.whole[:0], judged.beliefs[:0]
            judged.rates, judged.sightings, judged.shown_by = judged.rates[:0], judged.sightings[:0], []
            judged.first = None
        knots = len(judged.whole)
        made.spots.append((*spot, knots, judged.first, judged.due, blobs.pack(judged)))
        self.workshop.knots += knots - judged.stood
        self._keep_scores(*spot, judged.sources, judged.scores, made)

    def _keep_scores(self, place: str, question: str, sources: list[str], scores: Any, made: Made) -> None:
        if sources:
            order = sorted(range(len(sources)), key=sources.__getitem__)
            names = orjson.dumps([sources[n] for n in order]).decode()
            made.scores.append((place, question, names, scores[order].astype("<i4").tobytes()))

    # -- by the reference ----------------------------------------------------------------------------------

    def _by_reference(
        self, roots: Sequence[str], made: Made, scored: bool, questions: Container[str] | None = None
    ) -> None:
        asked = [one for one in self.directory.questions if questions is None or one in questions]
        for place in sorted(place for root in roots for place in self.families.members(root)):
            for question in asked:
                case = self.case(place, question)
                if case.testimony or case.rulings or case.poisoned:
                    self._judged(case, made, scored)

    def _judged(self, case: Case, made: Made, scored: bool, *, known_bad: bool = False) -> None:
        """Judge a case by the reference. ``known_bad``: what could not be read is quarantined already."""
        import numpy as np

        from projections.belief.happenings import happenings
        from projections.belief.tally import DAY_US, EPOCH, diagonal
        from projections.columns.judging import SCORES, Judged

        knots, assembly = diagonal(case, self.logic)
        later = [one.known for one in happenings(case) if one.known > self.known]
        learnt = self.logic.learnt.by(case.question, self.known) if self.logic.learnt else None
        now = not later and assembly.estimate is learnt
        scores = score(case, self.logic, self.known, assembly if now else None) if scored else {}
        due = later + [
            ends
            for piece in case.testimony
            if piece.act == "predicts" and (ends := (piece.hi - EPOCH) * DAY_US) > self.known
        ]
        size = len(case.states)
        shown = sorted({source for knot in knots for source, _ in knot.displays})
        whole = [(k.since, k.at if k.belief else 0, k.origins, k.claims, k.newest or 0) for k in knots]
        judged = Judged(
            case.place,
            case.question,
            np.array(whole, np.int64).reshape(-1, 5),
            np.array([k.belief or (0.0,) * size for k in knots]).reshape(-1, size),
            np.array([k.rates or (0.0,) * size for k in knots]).reshape(-1, size),
            np.array(_sightings(knots, shown), np.int64).reshape(-1, 3),
            shown,
            list(scores),
            np.array([list(one.to_dict().values()) for one in scores.values()], np.int64).reshape(-1, SCORES),
            min(assembly.chain.days, default=None),
            min(due, default=None),
        )
        self._keep(judged, made)
        spot = case.place, case.question
        if not known_bad:
            made.bad += [(*spot, *one) for one in case.poisoned]
        made.bad += [(*spot, one.piece.position, one.piece.id, str(one)) for one in assembly.poisoned]

    # -- what there is no place for ------------------------------------------------------------------------

    def strange(self, roots: Sequence[str] | None = None) -> list[tuple[str, str, int, str, str]]:
        """Entries on questions nobody opened: on places of some families and on no place, or all there are; in order."""
        names, found, opened = self.codes.names, [], self.directory.questions
        for place, question in self._spoken_of(roots):
            if names[question] in opened:
                continue
            for at, packed in self.envelopes.positions(place):
                if PACK.unpack(packed)[7] == question and (first := self.event(at)) is not None:
                    error = f"no question {names[question]!r} was opened"
                    found.append((names[place], names[question], at, first.entry, error))
        return sorted(found)

    def _spoken_of(self, roots: Sequence[str] | None) -> Iterator[tuple[int, int]]:
        """(place, question) of everything recorded for some families and for no place."""
        if roots is None:
            yield from self.envelopes.spoken_of()
            return
        for place in (EVERYWHERE, *(one for root in roots for one in self.families.ids(root))):
            code = self.codes.get(place)
            if code is not None:
                yield from self.envelopes.db.execute(
                    "SELECT place, question FROM asked WHERE place = ?", (code,)
                ).fetchall()


def jobs(roots: dict[str, int]) -> Iterator[list[str]]:
    """Families put together until there are enough of their records."""
    some: list[str] = []
    count = 0
    for root, records in roots.items():
        if some and count + records > _AT_ONCE:
            yield some
            some, count = [], 0
        some.append(root)
        count += records
    if some:
        yield some


def _sightings(knots: Sequence[blobs.Knot], shown: list[str]) -> list[tuple[int, int, int]]:
    """(display, since, day last observed) wherever it changed."""
    found, before = [], dict.fromkeys(shown, 0)
    for knot in knots:
        now = dict.fromkeys(shown, 0) | dict(knot.displays)
        for n, name in enumerate(shown):
            if now[name] != before[name]:
                found.append((n, knot.since, now[name]))
        before = now
    return found


def reshapes(recorded: Recorded) -> bool:
    """Whether beliefs of places that the event does not name may differ after it."""
    if recorded.name == "place-described":
        return "kind" in recorded.data or "parent" in recorded.data
    if recorded.name == "entry-corrected":
        return recorded.stream.partition(":")[0] in ("place", "source", "party", "question")
    return recorded.name in _RESHAPING


def touched_by(recorded: Recorded, maker: Maker, first: Callable[[str], Recorded | None]) -> set[str]:
    """Families whose beliefs an event may change, by their roots."""
    try:
        return {maker.families.root(place) for place in _places(recorded, maker, first) if place}
    except (KeyError, TypeError, AttributeError):  # quarantined by the cache already
        return set()


def _places(recorded: Recorded, maker: Maker, first: Callable[[str], Recorded | None]) -> set[str]:
    envelopes, codes, names = maker.envelopes, maker.codes, maker.codes.names
    if recorded.name == "place-registered":
        # What was said of the whole reaches its new part.
        return {recorded.data["place"]} if recorded.data.get("parent") else set()
    if recorded.name in ENTRIES:
        entry, versions = recorded, [recorded.data]
    elif recorded.name in FATES:
        found = first(recorded.stream)
        if found is None or found.name not in ENTRIES:
            return set()
        entry, versions = found, _versions(found, maker)
    else:
        return set()
    places = _stood(versions)
    if EVERYWHERE in places:
        for source in _texts(versions, "source"):
            for one in maker.directory.merged_sources_into(source):
                if one in codes:
                    places |= {names[code] for code in envelopes.showing(codes[one])}
    if entry.name == "evidence-reported" and recorded is not entry:
        places |= {names[code] for code in _leaning(envelopes, entry.stream)}
    for target in _texts(versions, "target"):
        if target.startswith("e-") and (evidence := first(target)) is not None:
            places |= _stood(_versions(evidence, maker))
            places |= {names[code] for code in _leaning(envelopes, target)}
    return places


def _versions(entry: Recorded, maker: Maker) -> list[dict[str, Any]]:
    """The author fields an entry was recorded with, and what each correction made of them: whatever befalls it
    now concerns every place where it ever stood."""
    versions, home = [entry.data], entry.data.get("place") or EVERYWHERE
    for one in maker.envelopes.fates(maker.codes[home]) if home in maker.codes else ():
        if one.at == entry.position and one.name == "entry-corrected":
            changes = orjson.loads(one.data).get("changes")
            if isinstance(changes, dict):
                versions.append({**versions[-1], **changes})
    return versions


def _stood(versions: Sequence[dict[str, Any]]) -> set[str]:
    """The places of an entry, ``EVERYWHERE`` where it named none."""
    nowhere = {EVERYWHERE} if any(not one.get("place") for one in versions) else set()
    return nowhere | _texts(versions, "place")


def _texts(versions: Sequence[dict[str, Any]], name: str) -> set[str]:
    return {one[name] for one in versions if isinstance(one.get(name), str)}


def _leaning(envelopes: Envelopes, evidence: str) -> set[int]:
    """Places where something leans on evidence, be it through other evidence."""
    found: set[int] = set()
    more, seen = [evidence], {evidence}
    while more:
        one = more.pop()
        found |= envelopes.leaning(one)
        for other in envelopes.evidence_leaning(one):
            if other not in seen:
                seen.add(other)
                more.append(other)
    return found
