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
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from ledger.errors import LedgerError
from projections.belief.base import Logic
from projections.belief.chain import Chain
from projections.belief.displays import Display
from projections.belief.happenings import Counts, Happening, happenings
from projections.belief.labels import (
    Label,
    Table,
    Vector,
    display_rates,
    emissions,
    implies,
    repeated,
    ruled,
    ruled_out,
    standing,
)
from projections.belief.motion import motion
from projections.belief.reading import Contribution, read, spread
from projections.case import Case, Ruling, Testimony

#: A ruling that a state held throughout an interval is looked at anew every day (an assumption).
RULING_RATE = 1.0

Key = tuple[Any, ...]
"""A key of the chain: ``("said" | "verdict" | "ruling", entry)`` or ``("shown", source, n)``."""


@dataclass(slots=True)
class _Spoken:
    """An utterance that counts now: what it says, and the earlier one it repeats (if it does)."""

    piece: Testimony
    label: Label
    group: tuple[str, str]
    temper: float
    repeats: str | None = None


class Poison(Exception):
    """A user's function raised on a piece of testimony."""

    def __init__(self, piece: Testimony, error: Exception) -> None:
        self.piece = piece
        self.error = error
        super().__init__(f"{type(error).__name__}: {error}")


class Assembly:
    """The chain of one case as knowledge grows. ``heard`` and ``ignored`` explain every piece."""

    def __init__(self, case: Case, logic: Logic) -> None:
        self.case = case
        self.logic = logic
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
        self.displays: dict[str, Display] = {}
        self._void: set[str] = set()
        self._doubted: set[str] = set()
        self._leaning: dict[str, list[Testimony]] = {}
        self._voices: dict[tuple[str, int], frozenset[str]] = {}

    @classmethod
    def known_by(cls, case: Case, logic: Logic, known: int) -> Assembly:
        """The assembly of everything known by a moment (microseconds since 1970)."""
        assembly = cls(case, logic)
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
                self._doubted.add(what.id)
                self._again(what)
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
        for evidence in piece.based_on:
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
            insort(self._groups.setdefault(spoken.group, []), (piece.order, piece.id))
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
        if self.logic.weigh is None:
            return 1.0
        try:
            factor = float(self.logic.weigh(piece, self.case.source(piece.source)))
        except LedgerError:
            raise
        except Exception as error:
            raise Poison(piece, error) from error
        if not np.isfinite(factor) or factor < 0:
            raise Poison(piece, ValueError(f"weigh gave {factor!r}, not a finite number of 0 or more"))
        return factor

    # -- utterances ------------------------------------------------------------------------------------

    def _group(self, piece: Testimony) -> tuple[str, str]:
        """Whose repeats these are: the side's, or the voice's where there is no side."""
        side = self.case.source(piece.source).side
        if side in self.states.parties:
            return ("side", side or "")
        return ("voice", min(self._voice(piece.source, piece.said_day)))

    def _voice(self, source: str, day: int) -> frozenset[str]:
        found = self._voices.get((source, day))
        if found is None:
            found = self.case.directory.linked(source, day)
            self._voices[(source, day)] = found
        return found

    def _table(self, piece: Testimony) -> Table:
        return emissions(self.states, self.case.relation(piece.source), self.params)

    def _place(self, spoken: _Spoken) -> None:
        """Put an utterance or a piece of evidence into the chain as it counts now."""
        piece = spoken.piece
        earlier = self._earlier(spoken) if piece.kind == "claim" else None
        self._follow(spoken, earlier)
        factor = spoken.temper * self._evidence_factor(piece)
        loglik = self._table(piece)[spoken.label] * factor
        said = self._contribution(piece, self._copied(spoken, earlier, loglik))
        self.chain.set(("said", piece.id), said)
        if piece.valid_kind in ("throughout", "since") and piece.hi > piece.lo and factor > 0:
            rates = display_rates(self._table(piece)[spoken.label], self.params.throughout_rate * factor)
            self.chain.hold(("said", piece.id), piece.lo, piece.hi, rates)

    def _copied(self, spoken: _Spoken, earlier: str | None, loglik: Vector) -> Vector:
        if earlier is None:
            return loglik
        return repeated(loglik, self._copy_rate(spoken, self._spoken[earlier]))

    def _copy_rate(self, spoken: _Spoken, earlier: _Spoken) -> float:
        mine, theirs = spoken.piece, earlier.piece
        if mine.source != theirs.source and theirs.source in self._voice(mine.source, mine.said_day):
            return 1.0
        return self.params.copy_rate

    def _earlier(self, spoken: _Spoken, without: Collection[str] = ()) -> str | None:
        """The utterance this one repeats: the nearest earlier one of the group that implies it within the
        window; one by a linked voice goes first."""
        piece = spoken.piece
        group = self._groups.get(spoken.group, [])
        voice = self._voice(piece.source, piece.said_day)
        found = None
        for i in range(bisect_left(group, (piece.order, piece.id)) - 1, -1, -1):
            order, other = group[i]
            if order[0] < piece.said_day - self.params.copy_window:
                break
            if other in without:
                continue
            earlier = self._spoken[other]
            if not self._foretells(earlier, spoken):
                continue
            if earlier.piece.source != piece.source and earlier.piece.source in voice:
                return other
            found = found or other
            if len(voice) == 1:
                break
        return found

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
        group = self._groups.get(spoken.group, [])
        for i in range(bisect_left(group, (piece.order, piece.id)) + 1, len(group)):
            order, other = group[i]
            if order[0] > piece.said_day + self.params.copy_window:
                break
            later = self._spoken[other]
            if self._foretells(spoken, later):
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
        group = self._groups.get(spoken.group, [])
        if (piece.order, piece.id) in group:
            group.remove((piece.order, piece.id))
        self._follow(spoken, None)
        del self._spoken[piece.id]
        for other in self._followers.pop(piece.id, set()).copy():
            later = self._spoken[other]
            later.repeats = None
            self._place(later)

    def _contribution(self, piece: Testimony, loglik: Vector) -> Contribution:
        """Spread over the days an imprecise date may mean: an approximation, exact for one day."""
        if piece.valid_kind in ("throughout", "since"):
            return [(piece.lo, loglik)]
        return spread(piece.lo, piece.hi, loglik, self.params.imprecise_points)

    # -- evidence ------------------------------------------------------------------------------------

    def _evidence_factor(self, piece: Testimony) -> float:
        factor = 1.0
        for evidence in (piece.id, *piece.based_on):
            if evidence in self._void:
                return 0.0
            if evidence in self._doubted:
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
            self.remarks[piece.id] = leant + ("voided" if void else "doubted")
            if void:
                self._unsay(spoken)
                self._ignore(piece, self.remarks[piece.id])
            else:
                self._place(spoken)

    # -- displays ------------------------------------------------------------------------------------

    def _show(self, piece: Testimony) -> None:
        if piece.kind == "display" and read(piece, self.states, self.params).label is None:
            self._ignore(piece, "shows no state of the question")
            return
        self.displays.setdefault(piece.source, Display()).add(piece)
        self._redraw(piece.source)

    def _unshow(self, piece: Testimony) -> None:
        display = self.displays.get(piece.source)
        if display is not None:
            display.remove(piece)
            self._redraw(piece.source)
        self._ignore(piece, "retracted by its author")

    def _redraw(self, source: str) -> None:
        """Rebuild what one display says: a contribution at each change, and a hold up to the next change
        or the last observation."""
        display = self.displays[source]
        for key in display.owner:
            self.chain.drop(key)
        display.owner = {}
        unchanged: list[Testimony] = []
        table = standing(self.states, self.case.relation(source), self.params)
        for n, run in enumerate(display.runs(self._label, unchanged)):
            factor = self._weigh(run.piece)
            if factor == 0:
                self._ignore(run.piece, f"given no weight by {self.logic.id}")
                continue
            self.ignored.pop(run.piece.id, None)
            self._listen(run.piece)
            key = ("shown", source, n)
            display.owner[key] = run.piece
            self.chain.set(key, [(run.start, table[run.label] * factor)])
            if run.end > run.start:
                rates = display_rates(table[run.label], self.params.standing_rate * factor)
                self.chain.hold(key, run.start, run.end, rates)
        for piece in unchanged:
            self._ignore(piece, "unchanged: what was displayed before goes on")

    def _label(self, piece: Testimony) -> Label | None:
        return read(piece, self.states, self.params).label

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

    # -- what an answer needs --------------------------------------------------------------------------

    def piece_of(self, key: Any) -> Testimony | None:
        """The testimony behind a key of the chain; None for a ruling on the state."""
        kind, name = key[0], key[1]
        if kind == "shown":
            return self.displays[name].owner.get(key)
        if kind == "verdict":
            return self.ignored[name][0] if name in self.ignored else self.heard.get(name)
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

    def displaying(self) -> tuple[tuple[str, int], ...]:
        """(standing source, day it was last observed) of those that show something of the place."""
        return tuple(
            (source, display.last_observed)
            for source, display in sorted(self.displays.items())
            if display.shows is not None
        )

    def keys_of(self, pieces: Collection[str]) -> set[Any]:
        """The chain's keys that would be missing without some testimony."""
        keys: set[Any] = {(kind, piece) for piece in pieces for kind in ("said", "verdict")}
        for display in self.displays.values():
            keys.update(key for key, owner in display.owner.items() if owner.id in pieces)
        return keys

    def alternates(self, pieces: Collection[str]) -> dict[Any, Contribution]:
        """What repeats of the left-out utterances would say instead, had those never been made."""
        found: dict[Any, Contribution] = {}
        for piece in pieces:
            for follower in self._followers.get(piece, ()):
                if follower in pieces:
                    continue
                spoken = self._spoken[follower]
                earlier = self._earlier(spoken, pieces)
                factor = spoken.temper * self._evidence_factor(spoken.piece)
                loglik = self._table(spoken.piece)[spoken.label] * factor
                said = self._contribution(spoken.piece, self._copied(spoken, earlier, loglik))
                found[("said", follower)] = said
        return found

    def repeats(self, piece: str) -> str | None:
        """The id of the utterance that a piece repeats, None where it is the first of its kind."""
        spoken = self._spoken.get(piece)
        return spoken.repeats if spoken else None
