"""What a logic that learns is taught before a view of it is made: estimates from all the ledger holds.

The ledger's testimony is heard once, in the order in which it became known; wherever an estimate is due
(``learning.schedule``) what was heard so far is written down, and learnt from. Estimates are kept in the view
that was judged by them. New events are judged by those; a replay learns anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from projections.belief.assembly import Assembly, Poison, weights_of
from projections.belief.voices import Estimate, Learnt
from projections.case import states_of
from projections.envelopes.shape import CLAIM, DISPLAY, EVIDENCE
from projections.learning.estimating import Taught, estimate
from projections.learning.reference import rows_of
from projections.learning.schedule import turns
from projections.learning.transcript import Rows, Transcript

if TYPE_CHECKING:
    from projections.columns.judging import Judge
    from projections.columns.testimony import Spot
    from projections.making import Maker

Tell = Callable[[str, int, int], None]
"""(what, done, of) while it goes on."""


def learn(maker: Maker, tell: Tell) -> Learnt:
    """Everything a logic learns from what its maker's cache holds."""
    due = _schedule(maker)
    heard = {(question, moment): Transcript() for question, moments in due.items() for moment in moments}
    roots = maker.roots()
    done, total = 0, max(1, sum(roots.values()))
    for some in maker.jobs(roots) if heard else ():
        tell("hearing what is learnt from", done, total)
        done += sum(roots[root] for root in some)
        for question, rows in _told(maker, some, due):
            for moment, spot in zip(due[question], rows, strict=True):
                heard[question, moment].add(spot)
    found: dict[str, list[Estimate]] = {question: [] for question in due}
    taught = dict.fromkeys(due, Taught())
    for n, ((question, moment), transcript) in enumerate(heard.items()):
        tell("learning", n, len(heard))
        if not transcript.spots:
            continue  # what was known by then says nothing of the question
        made, taught[question] = _estimate(maker, question, moment, transcript, taught[question])
        found[question].append(made)
        transcript.spots.clear()
    tell("learning", len(heard), len(heard))
    return Learnt({question: tuple(estimates) for question, estimates in found.items() if estimates})


def _schedule(maker: Maker) -> dict[str, list[int]]:
    """Question → the moments at which an estimate of it is due."""
    codes, questions = maker.codes, list(maker.directory.questions)
    known: dict[str, list[Any]] = {question: [] for question in questions}
    for place in maker.envelopes.places():
        records = maker.envelopes.records([place])
        speaks = np.isin(records["kind"], (CLAIM, EVIDENCE, DISPLAY))
        for question in questions:
            if question in codes:
                known[question].append(records["known"][speaks & (records["question"] == codes[question])])
    return {
        question: turns(np.concatenate(some), maker.logic.params) for question, some in known.items() if some
    }


def _estimate(
    maker: Maker, question: str, moment: int, transcript: Transcript, before: Taught
) -> tuple[Estimate, Taught]:
    directory, states = maker.directory, states_of(maker.directory, question)
    mark = maker.envelopes.mark()

    def relation(source: str) -> int | None:
        found = directory.sources.get(source)
        return states.parties.index(found.side) if found and found.side in states.parties else None

    names = maker.builder.codes.names
    position = mark.position if mark else 0
    return estimate(transcript, names, relation, states, maker.logic.params, moment, position, before)


def _told(maker: Maker, roots: Sequence[str], due: dict[str, list[int]]) -> Iterator[tuple[str, list[Rows]]]:
    """(question, what was heard before each moment due) of every spot of some families."""
    if not maker.known_to_the_kernel():
        yield from _told_by_the_reference(maker, roots, due)
        return
    with np.errstate(over="ignore"):
        judge = maker.judge(roots, replace(maker.logic, learnt=None))
        for spot in sorted(judge.testimony.spots, key=lambda one: (one.place, one.question)):
            if due.get(spot.question):
                yield spot.question, _heard(maker, judge, spot, due[spot.question])


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
    maker: Maker, roots: Sequence[str], due: dict[str, list[int]]
) -> Iterator[tuple[str, list[Rows]]]:
    logic = replace(maker.logic, learnt=None)
    for place in sorted(place for root in roots for place in maker.families.members(root)):
        for question, moments in due.items():
            case = maker.case(place, question)
            if moments and (case.testimony or case.rulings):
                heard = (Assembly.known_by(case, logic, moment - 1) for moment in moments)
                yield question, [rows_of(one, maker.builder.codes) for one in heard]


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
