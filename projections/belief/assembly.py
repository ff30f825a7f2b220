"""From a case to a chain: what each piece of testimony says, and when it began or ceased to count.

An assembly hears happenings in the order in which they became known, and keeps the chain of ``tally@1`` as it
stood after each. Stopping at K gives what was known by K; stopping after each day gives the diagonal that
look-ups are answered from. The rules in words:

* An utterance counts once, whoever carried it. Carriers weigh nothing.
* A repeat of what the same side (or the same voice) had implied within the copy window is tempered by the
  copy rate; by a linked voice it adds nothing.
* A denial says "not X", a doubt half of that; a concession is an assertion by the source's own row; a
  prediction says nothing of the present.
* A part-claim says "part X". What is said of a named part reaches the whole as a part-claim; what is said of
  the whole reaches its parts.
* A standing source is a sticky display: a change is an utterance, no change while it is being looked at is
  evidence too, a withdrawal is a change to showing nothing. It testifies up to its last observation.
* Doubted evidence is discounted, voided evidence is gone, and so is what leaned on it.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np

from ledger.errors import LedgerError
from projections.belief.base import Logic
from projections.belief.chain import Chain
from projections.belief.chain import Display as Held
from projections.belief.displays import Display, Run, Step
from projections.belief.happenings import Counts, Happening, happenings
from projections.belief.labels import (
    Label,
    Vector,
    display_rates,
    implies,
    repeated,
    ruled,
    ruled_out,
)
from projections.belief.motion import motion
from projections.belief.reading import Contribution, read, spread
from projections.belief.spoken import Logs
from projections.belief.voices import Voice, assumed
from projections.case import Case, Ruling, Testimony

#: The largest factor a logic may give: far beyond any use, and no sum of weights overflows.
_LOUDEST = 1_000_000

#: A ruling that a state held throughout an interval is looked at anew every day (an assumption).
RULING_RATE = 1.0

Key = tuple[Any, ...]
"""A key of the chain: ``("said" | "verdict" | "ruling", entry)`` or ``("shown", entry, first day)``."""


@dataclass(slots=True)
class _Spoken:
    """An utterance that counts now: what it says, and the earlier one it repeats (if it does)."""

    piece: Testimony
    label: Label
    group: tuple[str, str]
    temper: float
    repeats: str | None = None


class Utterance(NamedTuple):
    """An utterance or piece of evidence that counts, for whoever learns from it: on which days it speaks, how
    loud, and how much of it is copied. ``copied``: 1 where an earlier claim of its circle within the window
    implies it, 2 where one came before that does not, else 0. ``lasts``: it speaks of a whole stretch."""

    piece: Testimony
    label: Label
    days: list[int]
    weight: float
    copied: int
    copy_rate: float
    lasts: bool


class Alternates(NamedTuple):
    """What is said and held under the chain's keys in place of what is, were some pieces left out."""

    said: dict[Any, Contribution]
    held: dict[Any, Held]


class Poison(Exception):
    """A user's function raised on a piece of testimony."""

    def __init__(self, piece: Testimony, error: Exception) -> None:
        self.piece = piece
        self.error = error
        super().__init__(f"{type(error).__name__}: {error}")


def weights_of(case: Case, logic: Logic) -> dict[int, float]:
    """A logic's own factor on every piece of a case that says anything, by position; ``Poison`` where it raises."""
    found = {}
    for piece in case.testimony:
        drawn = piece.kind == "withdrawal"
        if piece.kind != "observation" and (
            drawn or read(piece, case.states, logic.params).label is not None
        ):
            found[piece.position] = _weight(piece, case, logic)
    return found


def _weight(piece: Testimony, case: Case, logic: Logic) -> float:
    if logic.weigh is None:
        return 1.0
    try:
        factor = float(logic.weigh(piece, case.source(piece.source)))
    except LedgerError:
        raise
    except Exception as error:
        raise Poison(piece, error) from error
    if not 0 <= factor <= _LOUDEST:
        raise Poison(piece, ValueError(f"weigh gave {factor!r}, not a number from 0 to {_LOUDEST:,}"))
    return factor


def _lasts(piece: Testimony) -> bool:
    """Whether a piece speaks of every day of a stretch."""
    return piece.valid_kind in ("throughout", "since")


class Assembly:
    """The chain of one case as knowledge grows. ``heard`` and ``ignored`` explain every piece.

    Sources are heard by what the logic had learnt of them by ``known`` (microseconds since 1970).
    """

    def __init__(self, case: Case, logic: Logic, known: int) -> None:
        self.case = case
        self.logic = logic
        self.estimate = logic.learnt.by(case.question, known) if logic.learnt else None
        self.states = case.states
        self.params = logic.params
        self.chain = Chain(motion(case.states, logic.params))
        self.heard: dict[str, Testimony] = {}
        self.counts = Counts()
        self.ignored: dict[str, tuple[Testimony, str]] = {}
        self.poisoned: list[Poison] = []
        self.remarks: dict[str, str] = {}
        self._spoken: dict[str, _Spoken] = {}
        self._groups: dict[tuple[str, str], list[tuple[tuple[int, int, str], str]]] = {}
        self._followers: dict[str, set[str]] = {}
        self.displays: dict[tuple[str, str], Display] = {}
        self.unchanged: set[str] = set()
        self._factors: dict[str, float] = {}
        self._stretches: dict[str, set[int]] = {}
        self._void: set[str] = set()
        self._doubted: dict[str, set[str]] = {}
        self._leaning: dict[str, list[Testimony]] = {}
        self._leant = {
            piece.id: piece.based_on
            for piece in (*case.testimony, *case.beside.values())
            if piece.kind == "evidence" and piece.based_on
        }
        self._voices: dict[tuple[str, int], frozenset[str]] = {}
        directory = case.directory
        self._linked = {directory.source_id(one) for link in directory.links for one in link.sources}

    @classmethod
    def known_by(cls, case: Case, logic: Logic, known: int) -> Assembly:
        """The assembly of everything known by a moment (microseconds since 1970)."""
        assembly = cls(case, logic, known)
        for happening in happenings(case):
            if happening.known > known:
                break
            assembly.take(happening)
        return assembly

    def take(self, happening: Happening) -> None:
        """Let one happening become known."""
        what = happening.what
        try:
            if happening.act == "heard":
                self._hear(what)
            elif happening.act == "retracted":
                self._retract(what)
            elif happening.act == "adjudicated":
                self._adjudicate(*what)
            elif happening.act == "doubted":
                evidence, doubt = what
                self._doubted.setdefault(evidence.id, set()).add(doubt)
                self._again(evidence)
            elif happening.act == "dispelled":
                evidence, doubt = what
                self._doubted[evidence.id].discard(doubt)
                self._again(evidence)
            elif happening.act == "voided":
                self._void.add(what.id)
                self._again(what)
            elif happening.act == "ruled":
                self._rule(what)
            else:
                self.chain.drop(("ruling", what.id))
        except Poison as poison:
            self.poisoned.append(poison)
            self._ignore(poison.piece, f"quarantined: {self.logic.id} raised {poison}")

    # -- hearing -------------------------------------------------------------------------------------

    def _hear(self, piece: Testimony) -> None:
        if piece.kind in ("display", "withdrawal", "observation"):
            self._show(piece)
            return
        label, temper, reason = read(piece, self.states, self.params)
        if label is None:
            self._ignore(piece, reason)
            return
        factor = self._weigh(piece)
        if factor == 0:
            self._ignore(piece, f"given no weight by {self.logic.id}")
            return
        temper *= factor
        for evidence in self._grounds(piece)[1:]:
            self._leaning.setdefault(evidence, []).append(piece)
        if self._evidence_factor(piece) == 0:
            self._ignore(piece, "leans on evidence that was voided")
            return
        spoken = _Spoken(piece, label, self._group(piece), temper)
        self._spoken[piece.id] = spoken
        self._listen(piece)
        if reason:
            self.remarks[piece.id] = reason
        if piece.kind == "claim":
            for group in self._circles(spoken):
                insort(self._groups.setdefault(group, []), (piece.order, piece.id))
        self._place(spoken)
        if piece.kind == "claim":
            self._retell(spoken)

    def _ignore(self, piece: Testimony, reason: str | None) -> None:
        self._unlisten(piece)
        self.ignored[piece.id] = (piece, reason or "says nothing of the question")

    def _listen(self, piece: Testimony) -> None:
        if piece.id not in self.heard:
            self.heard[piece.id] = piece
            self.counts.add(piece, min(self._voice(piece.source, piece.said_day)))

    def _unlisten(self, piece: Testimony) -> None:
        if self.heard.pop(piece.id, None) is not None:
            self.counts.remove(piece, min(self._voice(piece.source, piece.said_day)))

    def _weigh(self, piece: Testimony) -> float:
        return _weight(piece, self.case, self.logic)

    # -- utterances ------------------------------------------------------------------------------------

    def _group(self, piece: Testimony) -> tuple[str, str]:
        """Whose repeats these are: the side's, or the source's own where it has none."""
        side = self.case.source(piece.source).side
        if side in self.states.parties:
            return ("side", side or "")
        return ("source", piece.source)

    def _voice(self, source: str, day: int) -> frozenset[str]:
        if source not in self._linked:
            return frozenset((source,))
        found = self._voices.get((source, day))
        if found is None:
            found = self.case.directory.linked(source, day)
            self._voices[(source, day)] = found
        return found

    def _heard_as(self, source: str) -> Voice:
        relation = self.case.relation(source)
        if self.estimate is None:
            return assumed(self.states, relation, self.params)
        return self.estimate.voice(self.states, source, relation)

    def _place(self, spoken: _Spoken) -> None:
        """Put an utterance or a piece of evidence into the chain as it counts now."""
        earlier = self._earlier(spoken) if spoken.piece.kind == "claim" else None
        self._follow(spoken, earlier)
        key = ("said", spoken.piece.id)
        self.chain.set(key, self._says(spoken, earlier))
        held = self._holds(spoken, earlier)
        if held is not None:
            self.chain.hold(key, *held)

    def _says(self, spoken: _Spoken, earlier: str | None, without: Collection[str] = ()) -> Contribution:
        """What an utterance or a piece of evidence contributes."""
        factor = spoken.temper * self._evidence_factor(spoken.piece, without)
        loglik = self._heard_as(spoken.piece.source).spoken[spoken.label] * factor
        return self._contribution(spoken.piece, self._copied(spoken, earlier, loglik))

    def _holds(self, spoken: _Spoken, earlier: str | None, without: Collection[str] = ()) -> Held | None:
        """How a claim throughout an interval is a display over it; None for every other."""
        piece = spoken.piece
        if not _lasts(piece) or piece.hi <= piece.lo:
            return None
        # What is only repeated was not looked at again.
        own = 1.0 if earlier is None else 1.0 - self._copy_rate(spoken, self._spoken[earlier])
        factor = spoken.temper * self._evidence_factor(piece, without) * own
        rates = self._heard_as(piece.source).unsaid[spoken.label] * (self.params.throughout_rate * factor)
        return Held(piece.lo, piece.hi, tuple(rates.tolist()))

    def _copied(self, spoken: _Spoken, earlier: str | None, loglik: Vector) -> Vector:
        if earlier is None:
            return loglik
        return repeated(loglik, self._copy_rate(spoken, self._spoken[earlier]))

    def _copy_rate(self, spoken: _Spoken, earlier: _Spoken) -> float:
        mine, theirs = spoken.piece, earlier.piece
        if mine.source != theirs.source and theirs.source in self._voice(mine.source, mine.said_day):
            return 1.0
        return self._heard_as(mine.source).copy_rate

    def _circles(self, spoken: _Spoken) -> set[tuple[str, str]]:
        """Where an utterance is looked for: among its group's and, if its source is linked, among its own."""
        if spoken.piece.source in self._linked:
            return {spoken.group, ("source", spoken.piece.source)}
        return {spoken.group}

    def _earlier(self, spoken: _Spoken, without: Collection[str] = ()) -> str | None:
        """The utterance this one repeats: the nearest earlier one by a linked voice that implies it within the
        window, else by its group."""
        piece = spoken.piece
        for linked in sorted(self._voice(piece.source, piece.said_day) - {piece.source}):
            found = self._nearest(spoken, ("source", linked), without)
            if found is not None:
                return found
        return self._nearest(spoken, spoken.group, without)

    def _nearest(self, spoken: _Spoken, group: tuple[str, str], without: Collection[str]) -> str | None:
        piece = spoken.piece
        said = self._groups.get(group, [])
        for i in range(bisect_left(said, (piece.order, piece.id)) - 1, -1, -1):
            order, other = said[i]
            if order[0] < piece.said_day - self.params.copy_window:
                break
            if other not in without and self._foretells(self._spoken[other], spoken):
                return other
        return None

    def _foretells(self, earlier: _Spoken, later: _Spoken) -> bool:
        """Whether whoever said the earlier has said the later with it; a doubt is no denial yet."""
        if earlier.piece.act == "doubts" and later.piece.act != "doubts":
            return False
        return implies(earlier.label, later.label, self.states)

    def _follow(self, spoken: _Spoken, earlier: str | None) -> None:
        if spoken.repeats is not None:
            self._followers.get(spoken.repeats, set()).discard(spoken.piece.id)
        spoken.repeats = earlier
        if earlier is not None:
            self._followers.setdefault(earlier, set()).add(spoken.piece.id)

    def _retell(self, spoken: _Spoken) -> None:
        """An utterance learnt late turns later ones that it implies into repeats."""
        piece = spoken.piece
        circles = {spoken.group}
        if piece.source in self._linked:
            circles |= {("source", linked) for linked in self.case.directory.linked(piece.source)}
        for circle in sorted(circles):
            said = self._groups.get(circle, [])
            for i in range(bisect_left(said, (piece.order, piece.id)), len(said)):
                order, other = said[i]
                if order[0] > piece.said_day + self.params.copy_window:
                    break
                later = self._spoken[other]
                if other != piece.id and self._foretells(spoken, later):
                    self._place(later)

    def _retract(self, piece: Testimony) -> None:
        if piece.kind in ("display", "withdrawal", "observation"):
            self._unshow(piece)
            return
        spoken = self._spoken.get(piece.id)
        if spoken is not None:
            self._unsay(spoken)
        self._ignore(piece, "retracted by its author")

    def _unsay(self, spoken: _Spoken) -> None:
        piece = spoken.piece
        self.chain.drop(("said", piece.id))
        for circle in self._circles(spoken):
            said = self._groups.get(circle, [])
            if (piece.order, piece.id) in said:
                said.remove((piece.order, piece.id))
        self._follow(spoken, None)
        del self._spoken[piece.id]
        for other in self._followers.pop(piece.id, set()).copy():
            later = self._spoken[other]
            later.repeats = None
            self._place(later)

    def _contribution(self, piece: Testimony, loglik: Vector) -> Contribution:
        """Spread over the days an imprecise date may mean: an approximation, exact for one day."""
        if _lasts(piece):
            return [(piece.lo, loglik)]
        return spread(piece.lo, piece.hi, loglik, self.params.imprecise_points)

    # -- evidence ------------------------------------------------------------------------------------

    def _grounds(self, piece: Testimony) -> list[str]:
        """The piece and all evidence that it leans on, be it through other evidence."""
        grounds = [piece.id]
        leant = list(piece.based_on)
        while leant:
            one = leant.pop()
            if one not in grounds:
                grounds.append(one)
                leant += self._leant.get(one, ())
        return grounds

    def _evidence_factor(self, piece: Testimony, without: Collection[str] = ()) -> float:
        factor = 1.0
        for evidence in self._grounds(piece):
            if evidence in self._void:
                return 0.0
            if evidence not in without and self._doubted.get(evidence, set()).difference(without):
                factor *= self.params.doubted_evidence
        return factor

    def _again(self, evidence: Testimony) -> None:
        """Evidence was doubted or voided: it and all that leans on it is weighed anew."""
        for piece in (evidence, *self._leaning.get(evidence.id, ())):
            spoken = self._spoken.get(piece.id)
            if spoken is None:
                continue
            void = self._evidence_factor(piece) == 0
            leant = "" if piece is evidence else f"leans on {evidence.id}, which was "
            doubted = "doubted" if self._doubted.get(evidence.id) else "doubted, but the doubt was taken back"
            self.remarks[piece.id] = leant + ("voided" if void else doubted)
            if void:
                self._unsay(spoken)
                self._ignore(piece, self.remarks[piece.id])
            else:
                self._place(spoken)

    # -- displays ------------------------------------------------------------------------------------

    def _show(self, piece: Testimony) -> None:
        if piece.kind == "display":
            label, _, remark = read(piece, self.states, self.params)
            if label is None:
                self._ignore(piece, remark)
                return
        if piece.kind != "observation":
            self._factors[piece.id] = self._weigh(piece)  # before the display knows of it: it may raise
        steps = [self._step(self.displays.setdefault(key, Display()), piece) for key in self._seen_in(piece)]
        if not any(step.longer or step.begun for step in steps):
            self._ignore(piece, "the display showed nothing of the place before")

    def _seen_in(self, piece: Testimony) -> list[tuple[str, str]]:
        """The displays an item belongs to: one for each place a source displays; a look at all it displays
        belongs to every one of them."""
        if piece.place:
            return [(piece.source, piece.place)]
        return [key for key in self.displays if key[0] == piece.source]

    def _step(self, display: Display, piece: Testimony) -> Step:
        label = read(piece, self.states, self.params).label if piece.kind == "display" else None
        step = display.take(piece, label)
        if step.longer is not None:
            self._lengthen(step.longer, step.since)
        if step.begun is not None:
            self._draw(step.begun)
        elif step.longer is not None:
            self.unchanged.add(piece.id)
            self._ignore(piece, "unchanged: what was displayed before goes on")
        return step

    def _draw(self, run: Run) -> None:
        """A change of a display is an utterance."""
        self.unchanged.discard(run.piece.id)
        factor = self._factors[run.piece.id]
        if factor == 0:
            self._ignore(run.piece, f"given no weight by {self.logic.id}")
            return
        self.ignored.pop(run.piece.id, None)
        self._listen(run.piece)
        self._stretches[run.piece.id] = {run.start}
        self.chain.set(("shown", run.piece.id, run.start), [(run.start, self._shown_as(run) * factor)])

    def _lengthen(self, run: Run, since: int) -> None:
        """That it did not change from ``since`` to its end is evidence, too; a stretch of its own, so that the
        chain is refiltered from there only."""
        factor = self._factors.get(run.piece.id, 0.0)
        if run.end > since and factor > 0:
            voice = self._heard_as(run.piece.source)
            rates = voice.unshown[run.label] * (voice.standing_rate * factor)
            self._stretches[run.piece.id].add(since)
            self.chain.hold(("shown", run.piece.id, since), since, run.end, rates)

    def _shown_as(self, run: Run) -> Vector:
        return self._heard_as(run.piece.source).shown[run.label]

    def _unshow(self, piece: Testimony) -> None:
        """Draw displays again as if an item had never been in them."""
        for name in self._seen_in(piece):
            display = self.displays.pop(name, Display())
            for run in display.runs:
                for key in self._shown_keys(run):
                    self.chain.drop(key)
                self._unlisten(run.piece)
            again = self.displays.setdefault(name, Display())
            for item in display.items:
                if item.id != piece.id:
                    self._step(again, item)
        self._ignore(piece, "retracted by its author")

    def _shown_keys(self, run: Run) -> list[Key]:
        """The chain's keys of a run: one for its drawing, one for each stretch it was seen unchanged."""
        days = self._stretches.get(run.piece.id, ())
        return [("shown", run.piece.id, day) for day in days]

    # -- rulings -------------------------------------------------------------------------------------

    def _adjudicate(self, piece: Testimony, verdict: str) -> None:
        """A later ruling on the same claim takes the place of an earlier one."""
        key = ("verdict", piece.id)
        label, _, _ = read(piece, self.states, self.params)
        if verdict == "unverifiable" or label is None:
            self.chain.drop(key)
            return
        self.chain.set(key, self._contribution(piece, self._verdict_vector(label, verdict == "true")))

    def _verdict_vector(self, label: Label, true: bool) -> Vector:
        if label.kind == "part":
            some = ruled(self.states, label.state, self.params)
            some[-1] = some[label.state]
            none = np.where(some == some[label.state], ruled_out(self.states, 0, self.params)[0], 0.0)
            return some if true else none
        if (label.kind == "is") == true:
            return ruled(self.states, label.state, self.params)
        return ruled_out(self.states, label.state, self.params)

    def _rule(self, ruling: Ruling) -> None:
        if ruling.state not in self.states:
            return
        vector = ruled(self.states, self.states.index(ruling.state), self.params)
        key = ("ruling", ruling.id)
        if ruling.valid_kind == "throughout":
            self.chain.set(key, [(ruling.lo, vector)])
            if ruling.hi > ruling.lo:
                self.chain.hold(key, ruling.lo, ruling.hi, display_rates(vector, RULING_RATE))
            return
        self.chain.set(key, spread(ruling.lo, ruling.hi, vector, self.params.imprecise_points))

    # -- what is learnt from ---------------------------------------------------------------------------

    def utterances(self) -> Iterator[Utterance]:
        """What was said and counts, in no order."""
        for spoken in self._spoken.values():
            piece, earlier = spoken.piece, spoken.repeats
            copied, rate = 0, 0.0
            if earlier is not None:
                copied, rate = 1, self._copy_rate(spoken, self._spoken[earlier])
            elif piece.kind == "claim" and self._came_before(spoken):
                copied = 2
            days = [day for day, _ in self._contribution(piece, np.zeros(len(self.states)))]
            weight = spoken.temper * self._evidence_factor(piece)
            yield Utterance(piece, spoken.label, days, weight, copied, rate, _lasts(piece))

    def _came_before(self, spoken: _Spoken) -> bool:
        """Whether another utterance of its group came within the window before."""
        piece, said = spoken.piece, self._groups.get(spoken.group, [])
        at = bisect_left(said, (piece.order, piece.id)) - 1
        return at >= 0 and said[at][0][0] >= piece.said_day - self.params.copy_window

    def drawn(self) -> Iterator[tuple[Run, float]]:
        """What standing sources show or showed, with the weight of each."""
        for display in self.displays.values():
            for run in display.runs:
                if self._factors.get(run.piece.id, 0.0) > 0:
                    yield run, self._factors[run.piece.id]

    def ruled(self) -> Iterator[tuple[int, int, dict[int, Logs]]]:
        """What analysts ruled: (first and last day where it was so throughout, else twice the first; by day, in
        nats)."""
        rulings = {ruling.id: ruling for ruling in self.case.rulings}
        for key, by_day in self.chain.spoken.contributions.items():
            kind, name = cast("Key", key)[:2]
            if kind in ("verdict", "ruling") and by_day:
                one = rulings.get(name) if kind == "ruling" else None
                lo = min(by_day)
                yield lo, one.hi if one and one.valid_kind == "throughout" else lo, by_day

    # -- what an answer needs --------------------------------------------------------------------------

    def piece_of(self, key: Any) -> Testimony | None:
        """The testimony behind a key of the chain; None for a ruling on the state."""
        kind, name = key[0], key[1]
        if kind == "verdict" and name in self.ignored:
            return self.ignored[name][0]
        return self.heard.get(name)

    def origins(self, day: int) -> tuple[int, int, int | None]:
        """(independent voices, utterances, newest day said) among what speaks of days up to ``day``."""
        voices: set[str] = set()
        claims, newest = 0, None
        for piece in self.heard.values():
            if piece.lo <= day:
                claims += 1
                voices.add(min(self._voice(piece.source, piece.said_day)))
                newest = max(piece.said_day, newest or 0)
        return len(voices), claims, newest

    def standing(self) -> dict[str, Display]:
        """Standing source → its display that shows something: of the place itself, else of its whole or part."""
        found: dict[str, Display] = {}
        for (source, place), display in sorted(self.displays.items(), key=lambda one: one[0]):
            if display.shows is not None and (source not in found or place == self.case.place):
                found[source] = display
        return found

    def displaying(self) -> tuple[tuple[str, int], ...]:
        """(standing source, day it was last observed) of those that show something of the place."""
        return tuple((source, display.last_observed) for source, display in self.standing().items())

    def keys_of(self, pieces: Collection[str]) -> set[Any]:
        """The chain's keys that would be missing without some testimony."""
        keys: set[Any] = {(kind, piece) for piece in pieces for kind in ("said", "verdict")}
        for piece in pieces:
            keys.update(("shown", piece, day) for day in self._stretches.get(piece, ()))
        return keys

    def alternates(self, pieces: Collection[str]) -> Alternates:
        """What others would say instead, had the left-out pieces never been made: repeats of them, what leans
        on them where they were doubted, and the evidence that they alone doubted."""
        touched = {follower for piece in pieces for follower in self._followers.get(piece, ())}
        for evidence, doubters in self._doubted.items():
            if doubters and (evidence in pieces or not doubters.difference(pieces)):
                touched.update((evidence, *(one.id for one in self._leaning.get(evidence, ()))))
        said: dict[Any, Contribution] = {}
        held: dict[Any, Held] = {}
        for other in sorted(touched):
            spoken = self._spoken.get(other)
            if other in pieces or spoken is None:
                continue
            earlier = self._earlier(spoken, pieces) if spoken.piece.kind == "claim" else None
            said["said", other] = self._says(spoken, earlier, pieces)
            holds = self._holds(spoken, earlier, pieces)
            if holds is not None:
                held["said", other] = holds
        return Alternates(said, held)

    def repeats(self, piece: str) -> str | None:
        """The id of the utterance that a piece repeats, None where it is the first of its kind."""
        spoken = self._spoken.get(piece)
        return spoken.repeats if spoken else None
