"""What a logic that learns is taught before a view of it is made: estimates from all the ledger holds.

The ledger's testimony is heard once, in the order in which it became known; wherever an estimate is due
(``learning.schedule``) what was heard so far is written down, and learnt from. Estimates are kept in the view
that was judged by them. New events are judged by those; a replay learns anew.

Who hears and counts are *pupils*, each in charge of some slots (``learning.slots``); who learns puts the same question
to all of them and adds up what they say. Here that is one pupil with every slot. Another engine has one wherever its
families of places lie, and gives ``learn`` a way to ask them: estimates are the same to the last bit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import orjson

from ledger.directory import Directory
from projections.belief.assembly import Assembly, Poison, weights_of
from projections.belief.labels import States
from projections.belief.params import Params
from projections.belief.voices import Estimate, Learnt
from projections.case import states_of
from projections.envelopes.reading import EVERYWHERE
from projections.envelopes.shape import CLAIM, DISPLAY, EVIDENCE
from projections.learning.estimating import Taught, estimate
from projections.learning.expectation import Counts
from projections.learning.model import Fit
from projections.learning.notes import Heard, Lesson, Notes
from projections.learning.reference import rows_of
from projections.learning.schedule import Arrivals, arrivals, due
from projections.learning.slots import SLOTS, Part, merged, slot_of
from projections.learning.transcript import Rows

if TYPE_CHECKING:
    from projections.columns.judging import Judge
    from projections.columns.testimony import Spot
    from projections.making import Maker

Tell = Callable[[str, int, int], None]
"""(what, done, of) while it goes on."""

Schedule = dict[str, list[int]]
"""Question → the moments at which an estimate of it is due, ascending."""


class Ask(Protocol):
    """Puts a question to every pupil: a method of ``Pupil`` by its name, and what to call it with. Gives the answer of
    each, in any order; together the pupils have every slot once."""

    def __call__(self, what: str, *given: Any) -> Iterable[Any]: ...


def learn(maker: Maker, tell: Tell, ask: Ask | None = None) -> Learnt:
    """Everything a logic learns from what its maker's cache holds, or from what the pupils that it asks have."""
    mark = maker.envelopes.mark()
    position = mark.position if mark else 0
    ask = ask or alone(Pupil(maker, tell=tell))
    return learn_from(ask, maker.directory, maker.logic.params, position, tell)


def learn_from(ask: Ask, directory: Directory, params: Params, position: int, tell: Tell) -> Learnt:
    """What the pupils asked have to teach, of a ledger up to a position: who learns needs no leaf of it."""
    every = Class(ask)
    schedule = every.schedule(directory, params)
    every.hear(schedule)
    states = {question: states_of(directory, question) for question in schedule}
    turns = [(question, moment) for question, moments in schedule.items() for moment in moments]
    found: dict[str, list[Estimate]] = {question: [] for question in schedule}
    taught = dict.fromkeys(schedule, Taught())
    for n, (question, moment) in enumerate(turns):
        tell("learning", n, len(turns))
        heard = every.heard(question, moment)
        if heard.spots:  # else what was known by then says nothing of the question
            relation, before = _relation(directory, states[question]), taught[question]
            made, taught[question] = estimate(
                every, heard, question, relation, states[question], params, moment, position, before
            )
            found[question].append(made)
        every.forget(question, moment)
    tell("learning", len(turns), len(turns))
    return Learnt({question: tuple(estimates) for question, estimates in found.items() if estimates})


def _relation(directory: Directory, states: States) -> Callable[[str], int | None]:
    """The number of the party that a source is on the side of; None where it is on none's."""

    def relation(source: str) -> int | None:
        found = directory.sources.get(source)
        return states.parties.index(found.side) if found and found.side in states.parties else None

    return relation


class Class:
    """All pupils together, as the one that learns sees them."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask

    def schedule(self, directory: Directory, params: Params) -> Schedule:
        """When estimates are due, by all that ever became known."""
        known: dict[str, Arrivals] = {question: Arrivals() for question in directory.questions}
        for some in self.ask("arrivals"):
            for question, days in some.items():
                known[question] += days
        return {question: due(days, params) for question, days in known.items()}

    def hear(self, schedule: Schedule) -> None:
        """Have all write down what was heard before each moment due."""
        list(self.ask("hear", schedule))

    def heard(self, question: str, moment: int) -> Heard:
        """Who spoke before a moment."""
        heard: Heard = merged(self._parts("heard", question, moment))
        return heard

    def expect(self, lesson: Lesson, fit: Fit) -> Counts:
        """What is expected to have happened under a fit."""
        counts: Counts = merged(self._parts("expect", lesson, fit))
        return counts

    def surprise(self, lesson: Lesson, fit: Fit, temperature: float) -> float:
        """How surprising the rulings are under a temperature, in nats."""
        nats: float = merged(self._parts("surprise", lesson, fit, temperature))
        return nats

    def forget(self, question: str, moment: int) -> None:
        """What was heard before a moment is needed no more."""
        list(self.ask("forget", question, moment))

    def _parts(self, what: str, *given: Any) -> Iterator[Part[Any]]:
        return chain.from_iterable(self.ask(what, *given))


def alone(pupil: Pupil) -> Ask:
    """Asking the one pupil there is."""
    return lambda what, *given: [getattr(pupil, what)(*given)]


class Pupil:
    """Hears and counts what lies in some slots; its maker's cache holds all that concerns them. It is quick where these
    make few aligned ranges, since each is a pass of its own: a quarter of all slots, say, and not every fourth.

    What it is asked and what it answers can be pickled, and is no larger than a fit; what it has written down stays
    with it (``notes``).
    """

    def __init__(self, maker: Maker, slots: Collection[int] = range(SLOTS), tell: Tell | None = None) -> None:
        self.maker, self.slots = maker, frozenset(slots)
        self.tell = tell or (lambda what, done, of: None)
        directory, params = maker.directory, maker.logic.params
        states = {question: states_of(directory, question) for question in directory.questions}
        self.notes = Notes(states, params, slots=self.slots)

    def arrivals(self) -> dict[str, Arrivals]:
        """Question → when what lies in these slots became known."""
        codes, envelopes = self.maker.codes, self.maker.envelopes
        known: dict[str, list[Any]] = {one: [] for one in self.maker.directory.questions if one in codes}
        for place in envelopes.places():
            if self._mine(codes.names[place]):
                records = envelopes.records([place])
                speaks = np.isin(records["kind"], (CLAIM, EVIDENCE, DISPLAY))
                for question, some in known.items():
                    some.append(records["known"][speaks & (records["question"] == codes[question])])
        return {question: arrivals(np.concatenate(some)) for question, some in known.items() if some}

    def hear(self, schedule: Schedule) -> None:
        """Write down what was heard before each moment due."""
        if not any(schedule.values()):
            return
        roots = {root: many for root, many in self.maker.roots().items() if slot_of(root) in self.slots}
        done, total = 0, max(1, sum(roots.values()))
        for some in self.maker.jobs(roots):
            self.tell("hearing what is learnt from", done, total)
            done += sum(roots[root] for root in some)
            for place, question, rows in _told(self.maker, some, schedule):
                slot = slot_of(self.maker.families.root(place))
                for moment, spot in zip(schedule[question], rows, strict=True):
                    self.notes.write(question, moment, slot, place, spot)
        self.notes.names = list(self.maker.builder.codes.names)

    def heard(self, question: str, moment: int) -> list[Part[Heard]]:
        return self.notes.heard(question, moment)

    def expect(self, lesson: Lesson, fit: Fit) -> list[Part[Counts]]:
        return self.notes.expect(lesson, fit)

    def surprise(self, lesson: Lesson, fit: Fit, temperature: float) -> list[Part[float]]:
        return self.notes.surprise(lesson, fit, temperature)

    def forget(self, question: str, moment: int) -> None:
        self.notes.forget(question, moment)

    def _mine(self, place: str) -> bool:
        """Looks at whole displays are counted once, with the slot that their empty name has."""
        if len(self.slots) == SLOTS:
            return True
        return slot_of(place if place == EVERYWHERE else self.maker.families.root(place)) in self.slots


def _told(maker: Maker, roots: Sequence[str], schedule: Schedule) -> Iterator[tuple[str, str, list[Rows]]]:
    """(place, question, what was heard before each moment due) of every spot of some families."""
    if not maker.known_to_the_kernel():
        yield from _told_by_the_reference(maker, roots, schedule)
        return
    with np.errstate(over="ignore"):
        judge = maker.judge(roots, replace(maker.logic, learnt=None))
        for spot in judge.testimony.spots:
            if schedule.get(spot.question):
                yield spot.place, spot.question, _heard(maker, judge, spot, schedule[spot.question])


def _heard(maker: Maker, judge: Judge, spot: Spot, moments: list[int]) -> list[Rows]:
    if maker.logic.weigh is None:
        return judge.heard_before(spot, moments)
    case = maker.case(spot.place, spot.question)
    try:
        return judge.heard_before(spot, moments, weights_of(case, maker.logic))
    except Poison:
        return [
            rows_of(Assembly.known_by(case, maker.logic, moment - 1), maker.builder.codes)
            for moment in moments
        ]


def _told_by_the_reference(
    maker: Maker, roots: Sequence[str], schedule: Schedule
) -> Iterator[tuple[str, str, list[Rows]]]:
    logic = replace(maker.logic, learnt=None)
    for place in sorted(place for root in roots for place in maker.families.members(root)):
        for question, moments in schedule.items():
            case = maker.case(place, question)
            if moments and (case.testimony or case.rulings):
                heard = (Assembly.known_by(case, logic, moment - 1) for moment in moments)
                yield place, question, [rows_of(one, maker.builder.codes) for one in heard]


# -- kept in a view ------------------------------------------------------------------------------------------


def save(db: sqlite3.Connection, learnt: Learnt) -> None:
    """Keep estimates in a view, inside whoever's transaction."""
    rows = []
    for question, estimates in learnt.estimates.items():
        for one in estimates:
            voices = orjson.dumps([one.spoken, one.shown]).decode()
            shape = orjson.dumps(one.logs.shape).decode()
            blobs = one.logs.tobytes(), one.rates.tobytes()
            rows.append(
                (question, one.known, one.position, one.heard, one.temperature, voices, shape, *blobs)
            )
    db.executemany("INSERT INTO estimate VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)


def load(db: sqlite3.Connection) -> Learnt:
    """The estimates that a view was judged by."""
    found: dict[str, list[Estimate]] = {}
    for question, known, position, heard, temperature, voices, shape, logs, rates in db.execute(
        "SELECT * FROM estimate ORDER BY question, known"
    ):
        spoken, shown = orjson.loads(voices)
        found.setdefault(question, []).append(
            Estimate(
                known=known,
                position=position,
                heard=heard,
                logs=np.frombuffer(logs).reshape(orjson.loads(shape)),
                rates=np.frombuffer(rates).reshape(-1, 2),
                spoken=spoken,
                shown=shown,
                temperature=temperature,
            )
        )
    return Learnt({question: tuple(estimates) for question, estimates in found.items()})
