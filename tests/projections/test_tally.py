"""Answers of ``tally@1``: against enumeration of every history, and case by case."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.linalg import expm

from projections.belief.base import UNKNOWN, Logic
from projections.belief.labels import NOTHING, Label, States, emissions, implies, standing
from projections.belief.motion import generator
from projections.belief.params import Params
from projections.belief.tally import TALLY, believed, explain, judge
from tests.projections.worlds import (
    BRIDGE,
    CONTESTED,
    ZERO,
    Shelf,
    Told,
    World,
    claim,
    date,
    end,
    laws,
    moment,
    told,
)

PARAMS = Params()
STATES = States.control(("UA", "RU"))
SIDES = {"army": 0, "brigade": 0, "ministry": 1, "witness": None, "map": None, "chart": 0}
LAST = 6


def shelf(*events: Told, parties=("UA", "RU")) -> Shelf:
    return World.of(*events, parties=parties).shelf()


# -- every history counted ---------------------------------------------------------------------------------
#
# Slow and plain: what each piece says is worked out from the rules as they are documented, every path of states
# over every day is listed with its probability, and the answer is a sum over paths.


class Heard:
    """Evidence by day, and how fast displays would give themselves away between a day and the next."""

    def __init__(self) -> None:
        self.said: dict[int, np.ndarray] = {}
        self.rates: dict[int, np.ndarray] = {}

    def say(self, day: int, loglik: np.ndarray) -> None:
        self.said[day] = self.said.get(day, np.zeros(3)) + loglik

    def show(self, first: int, last: int, loglik: np.ndarray, rate: float) -> None:
        for day in range(first, last):
            self.rates[day] = self.rates.get(day, np.zeros(3)) + rate * (1 - np.exp(loglik))

    def answer(self, day: int, hindsight: bool) -> np.ndarray | None:
        """P(state on a day), by enumeration; None before anything speaks."""
        speaking = [on for on, logs in self.said.items() if np.ptp(logs) > 0]
        first = min([*speaking, *self.rates], default=None)
        if first is None or first > day:
            return None
        last = max(day, *speaking, *(on + 1 for on in self.rates)) if hindsight else day
        q = generator(STATES, PARAMS)
        paths = np.array(list(itertools.product(range(3), repeat=last - first + 1)))
        weight = np.full(len(paths), 1 / 3)
        for column, on in enumerate(range(first, last + 1)):
            if column:
                step = expm(q - np.diag(self.rates.get(on - 1, np.zeros(3))))
                weight *= step[paths[:, column - 1], paths[:, column]]
            weight *= np.exp(self.said.get(on, np.zeros(3)))[paths[:, column]]
        p = np.array([weight[paths[:, day - first] == state].sum() for state in range(3)])
        return p / p.sum()


def label_of(data: Mapping) -> Label:
    state = STATES.index(data["state"])
    if data.get("negated") or data.get("act") in ("denies", "doubts"):
        return Label("not", state)
    return Label("part" if data.get("extent") == "part" else "is", state)


def hear(world: World, known: int) -> Heard:
    """Everything said by a day, by the rules in words."""
    heard = Heard()
    earlier: list[tuple[Told, Label]] = []
    spoken = [one for one in world.entries if one.name == "claim-reported" and not one.data.get("standing")]
    for one in sorted(spoken, key=lambda one: (one.data["said"], one.label)):
        if said_on(one) <= known and one.data.get("act") != "predicts":
            _hear_claim(heard, one, earlier)
            earlier.append((one, label_of(one.data)))
    for source in ("map", "chart"):
        _hear_display(heard, source, world, known)
    for one in world.entries:
        if one.name == "state-ruled" and days(one.data["ruled"])[0] <= known:
            loglik = np.full(3, np.log(PARAMS.ruled_out))
            loglik[STATES.index(one.data["state"])] = np.log(PARAMS.ruled)
            first, last = days(one.data["valid"])
            if one.data.get("valid_kind") == "throughout":
                heard.say(first, loglik)
                heard.show(first, last, loglik, 1.0)
            else:
                for on in range(first, last + 1):
                    heard.say(on, loglik / (last - first + 1))
        elif one.name == "claim-adjudicated" and known >= LAST and one.data["verdict"] != "unverifiable":
            _hear_verdict(heard, one, world)
    return heard


def _hear_verdict(heard: Heard, one: Told, world: World) -> None:
    """A claim ruled true is its state ruled so; ruled false, it takes its state away and says nothing else."""
    claimed = next(other for other in world.entries if f"#{other.label}" == one.data["target"]).data
    label, true = label_of(claimed), one.data["verdict"] == "true"
    spoken_of = [label.state, 2] if label.kind == "part" else [label.state]
    loglik = np.zeros(3)
    if (label.kind != "not") == true:
        loglik[:] = np.log(PARAMS.ruled_out)
        loglik[spoken_of] = np.log(PARAMS.ruled)
    else:
        loglik[spoken_of] = np.log(PARAMS.ruled_out)
    first, last = days(claimed.get("valid", claimed["said"]))
    if claimed.get("valid_kind") == "throughout":
        last = first
    for on in range(first, last + 1):
        heard.say(on, loglik / (last - first + 1))


def days(text: str) -> tuple[int, int]:
    """First and last day of the world that a date or an interval names."""
    first, _, last = text.partition("/")
    ends = [dt.date.fromisoformat(one).toordinal() - ZERO for one in (first, last or first)]
    return ends[0], ends[1]


def said_on(one: Told) -> int:
    return days(one.data["said"])[0]


def _hear_claim(heard: Heard, one: Told, earlier: list[tuple[Told, Label]]) -> None:
    data, label = one.data, label_of(one.data)
    temper = PARAMS.doubt_exponent if data.get("act") == "doubts" else 1.0
    plain = emissions(STATES, SIDES[data["claimant"]], PARAMS)[label]
    loglik = plain * temper
    own = 1.0
    if any(_foretold(other, said, one, label) for other, said in earlier):
        own = 1 - PARAMS.copy_rate  # what is only repeated was not looked at again
        loglik = np.log(PARAMS.copy_rate + own * np.exp(loglik))
    first, last = days(data.get("valid", data["said"]))
    if data.get("valid_kind") == "throughout":
        heard.say(first, loglik)
        heard.show(first, last, plain, PARAMS.throughout_rate * temper * own)
        return
    for on in range(first, last + 1):
        heard.say(on, loglik / (last - first + 1))


def _foretold(other: Told, said: Label, one: Told, label: Label) -> bool:
    """Whether an earlier utterance by the same side, or by the same neutral source, implies this one."""
    mine, theirs = one.data["claimant"], other.data["claimant"]
    together = mine == theirs or (SIDES[mine] is not None and SIDES[mine] == SIDES[theirs])
    if other.data.get("act") == "doubts" and one.data.get("act") != "doubts":
        return False
    return together and implies(said, label, STATES)


def _hear_display(heard: Heard, source: str, world: World, known: int) -> None:
    """What is shown is heard when it is drawn, and as long as it was seen to stay."""
    shown, drawn, seen = None, 0, 0
    table = standing(STATES, SIDES[source], PARAMS)
    items = [one for one in world.entries if source in (one.data.get("claimant"), one.data.get("source"))]
    for one in sorted(items, key=said_on):
        on = said_on(one)
        if on > known:
            break
        label = label_of(one.data) if one.name == "claim-reported" else NOTHING
        if one.name == "display-observed":
            label = shown
        if shown is None and label in (None, NOTHING):
            continue
        if label != shown:
            if shown is not None:
                heard.show(drawn, on, table[shown], PARAMS.standing_rate)
            heard.say(on, table[label])
            shown, drawn = label, on
        seen = on
    if shown is not None:
        heard.show(drawn, seen, table[shown], PARAMS.standing_rate)


@st.composite
def tiny(draw: st.DrawFn) -> World:
    """Up to four pieces within a week, told at once when it was over."""
    events: list[Told] = []
    for n in range(draw(st.integers(1, 4))):
        said = draw(st.integers(0, LAST))
        kind = draw(st.sampled_from(("claim", "claim", "claim", "display", "look", "withdrawal", "ruling")))
        state = draw(st.sampled_from(STATES.names))
        label = f"p{n}"
        if kind == "claim":
            events.append(draw(spot(label, state, said)))
        elif kind == "display":
            source = draw(st.sampled_from(("map", "chart")))
            events.append(claim(source, state, said, label, act="asserts", standing=True))
        elif kind == "ruling":
            last = draw(st.integers(said, LAST))
            data = {"place": "town", "state": state, "ruled": date(LAST)}
            long = {"valid_kind": "throughout"} if draw(st.booleans()) else {}
            valid = date(said) if last == said else f"{date(said)}/{date(last)}"
            events.append(told("state-ruled", label, **data, **long, valid=valid))
        else:
            name = "display-observed" if kind == "look" else "claim-withdrawn"
            data = {"source": draw(st.sampled_from(("map", "chart"))), "place": "town", "said": date(said)}
            events.append(told(name, label, **data))
    claims = [one for one in events if one.name == "claim-reported" and one.data["act"] != "predicts"]
    if claims and draw(st.booleans()):
        verdict = draw(st.sampled_from(("true", "false", "unverifiable")))
        data = {"target": f"#{claims[0].label}", "verdict": verdict, "ruled": date(LAST)}
        events.append(told("claim-adjudicated", "verdict", **data))
    return World.of(*events)


@st.composite
def spot(draw: st.DrawFn, label: str, state: str, said: int) -> Told:
    act = draw(st.sampled_from(("asserts", "asserts", "denies", "doubts", "concedes", "predicts")))
    data = {"act": act}
    if act == "asserts" and draw(st.booleans()):
        data |= {"extent": "part"} if state != CONTESTED and draw(st.booleans()) else {"negated": True}
    if draw(st.integers(1, 3)) == 1:
        first = draw(st.integers(0, LAST))
        last = draw(st.integers(first, LAST))
        data["valid"] = date(first) if last == first else f"{date(first)}/{date(last)}"
        if last > first and draw(st.booleans()):
            data["valid_kind"] = "throughout"
    source = draw(st.sampled_from(("army", "brigade", "ministry", "witness")))
    return claim(source, state, said, label, **data)


@laws(2)
@given(tiny(), st.integers(0, LAST), st.integers(0, LAST))
def test_beliefs_are_sums_over_every_history(world: World, day: int, known: int) -> None:
    # Reports of one utterance fold, and one display shows one thing a day: the oracle knows neither rule.
    voices = [(one.data.get("claimant") or one.data.get("source"), one.data.get("said"))
              for one in world.entries if "ruled" not in one.data]  # fmt: skip
    assume(len(set(voices)) == len(voices))
    hindsight = known > day
    expected = hear(world, known).answer(day, hindsight)
    verdict = world.shelf().judge(day, known)
    if expected is None:
        assert verdict.believed == UNKNOWN
    else:
        assert list(verdict.probabilities.values()) == pytest.approx(expected.tolist(), abs=1e-9)


# -- reading the answer --------------------------------------------------------------------------------------


def test_before_anything_is_known_nothing_is_believed() -> None:
    told_late = shelf(claim("witness", "UA", 10, valid=date(1)))
    verdict = told_late.judge(9)
    assert (verdict.believed, verdict.origins, verdict.claims, verdict.newest) == (UNKNOWN, 0, 0, None)
    assert told_late.judge(10).believed == "UA"


def test_before_the_first_day_spoken_of_nothing_is_believed_even_in_hindsight() -> None:
    one = shelf(claim("witness", "UA", 10))
    assert one.judge(9, known=40).believed == UNKNOWN
    assert one.judge(10, known=40).believed == "UA"


def test_an_ignored_claim_alone_makes_nothing_known() -> None:
    assert shelf(claim("ministry", "RU", 3, act="predicts")).judge(5).believed == UNKNOWN


def test_among_equals_the_first_state_is_believed() -> None:
    even = shelf(claim("army", "UA", 3, act="doubts"), claim("ministry", "RU", 3, act="doubts"))
    verdict = even.judge(3)
    assert verdict.probabilities["UA"] == pytest.approx(verdict.probabilities["RU"], abs=1e-12)
    assert believed(STATES, np.array([0.4, 0.4 + 1e-14, 0.2 - 1e-14])) == "UA"
    assert believed(STATES, np.array([0.1, 0.45, 0.45])) == "RU"


def test_a_question_without_parties_is_answered_by_neutral_rows() -> None:
    bridge = shelf(
        claim("army", "destroyed", 2, question="bridge"),
        claim("ministry", "destroyed", 3, question="bridge"),
        claim("witness", "damaged", 4, question="bridge"),
    )
    verdict = bridge.judge(4, question="bridge")
    assert tuple(verdict.probabilities) == BRIDGE
    assert verdict.believed == "destroyed"
    assert verdict.origins == 3
    assert bridge.judge(4).believed == UNKNOWN


def test_the_parties_have_no_side_in_a_question_without_parties() -> None:
    one = shelf(claim("army", "destroyed", 2, question="bridge"))
    other = shelf(claim("witness", "destroyed", 2, question="bridge"))
    assert one.judge(2, question="bridge").probabilities == other.judge(2, question="bridge").probabilities


def test_a_third_party_named_later_takes_its_share_at_every_moment() -> None:
    world = World.of(claim("army", "UA", 2, at=moment(3)), told("party-named", "pmc", moment(9), party="PMC"))
    named = world.shelf()
    before = len(named.events) - 1
    assert tuple(named.judge(2, position=before).probabilities) == ("UA", "RU", CONTESTED)
    assert tuple(named.judge(2).probabilities) == ("UA", "RU", "PMC", CONTESTED)
    three = World.of(claim("army", "UA", 2, at=moment(3)), parties=("UA", "RU", "PMC")).shelf()
    assert named.judge(2).probabilities == pytest.approx(three.judge(2).probabilities, abs=1e-12)


def test_beliefs_fade_with_time() -> None:
    one = shelf(claim("witness", "UA", 1))
    beliefs = [one.p("UA", day) for day in (1, 20, 200)]
    assert beliefs == sorted(beliefs, reverse=True)


# -- reasons --------------------------------------------------------------------------------------------------


def test_reasons_name_what_counts_for_and_against_and_what_was_ignored() -> None:
    town = shelf(
        claim("ministry", "RU", 1, "capture"),
        claim("blogger", "RU", 2, "denial", act="denies"),
        claim("ministry", "RU", 2, "promise", act="predicts"),
        claim("ministry", "RU", 2, "again", via=["agency", "outlet"]),
    )
    why = explain(town.case(), TALLY, ZERO + 3, end(3), "RU")
    weights = {one.piece.id: one for one in why.heard}
    assert weights["c-capture"].weight > 0 > weights["c-denial"].weight
    assert weights["c-again"].reason == "repeats c-capture"
    assert [one.piece.id for one in why.ignored] == ["c-promise"]


def test_what_speaks_of_a_later_day_is_listed_without_weight() -> None:
    town = shelf(claim("witness", "UA", 1), claim("army", "UA", 1, "soon", valid=date(9)))
    why = explain(town.case(), TALLY, ZERO + 3, end(3))
    assert [(one.piece.id, one.reason) for one in why.ignored] == [("c-soon", "speaks of a later day")]


def test_of_an_unknown_place_there_are_no_weights() -> None:
    why = explain(shelf(claim("witness", "UA", 9)).case(), TALLY, ZERO + 3, end(3))
    assert (why.verdict.believed, why.heard, why.total) == (UNKNOWN, (), 0.0)


def test_a_day_with_very_many_claims_has_finite_reasons() -> None:
    crowd = [claim("army", "UA", 3, f"c{n}", valid=date(n % 3)) for n in range(600)]
    crowd += [claim("witness", "RU", n % 5, f"w{n}", extent="part") for n in range(5)]
    why = explain(shelf(*crowd).case(), TALLY, ZERO + 9, end(9))
    assert np.isfinite([why.total, *(one.weight for one in why.heard)]).all()


# -- a user's own logic ---------------------------------------------------------------------------------------


def own(**functions) -> Logic:
    return Logic("own", 1, **functions)


def test_a_user_may_turn_a_source_off() -> None:
    town = shelf(claim("witness", "UA", 1), claim("ministry", "RU", 2))
    deaf = own(weigh=lambda piece, source: 0.0 if source.kind == "official" else 1.0)
    assert town.judge(3, logic=deaf).claims == 1
    alone = shelf(claim("witness", "UA", 1))
    assert town.judge(3, logic=deaf).probabilities == alone.judge(3).probabilities


def test_a_factor_of_two_hears_a_piece_twice() -> None:
    town = shelf(claim("witness", "UA", 1))
    once, twice = (explain(town.case(), own(weigh=lambda *_, n=n: n), ZERO + 1, end(1)) for n in (1, 2))
    assert twice.heard[0].weight == pytest.approx(2 * once.heard[0].weight)


@pytest.mark.parametrize("nonsense", [-1.0, float("nan"), float("inf"), "much", None])
def test_a_factor_that_is_none_quarantines_the_piece(nonsense) -> None:
    town = shelf(claim("witness", "UA", 1), claim("ministry", "RU", 2, "odd"))
    verdict = town.judge(3, logic=own(weigh=lambda piece, _: nonsense if piece.id == "c-odd" else 1.0))
    assert verdict.probabilities == shelf(claim("witness", "UA", 1)).judge(3).probabilities
    (note,) = verdict.notes
    assert f"#{len(town.events)} c-odd is quarantined" in note


def test_a_logic_of_ones_own_answers_in_place_of_the_filter() -> None:
    town = shelf(claim("witness", "UA", 1), claim("ministry", "RU", 8))
    seen = []

    def believe(case, day, known):
        seen.append([piece.id for piece in case.testimony])
        return {"UA": 0.2, "RU": 0.5, CONTESTED: 0.3}

    verdict = town.judge(5, logic=own(believe=believe))
    assert (verdict.believed, verdict.claims) == ("RU", 1)
    assert seen == [["c-witness-UA-1"]]


@pytest.mark.parametrize(
    "nonsense",
    [{}, {"UA": 1.5, "RU": -0.5}, {"UA": 0.5}, {"UA": 0.5, "Mars": 0.5}, {"UA": float("nan")}, None, "UA", 3],
)
def test_a_logic_that_answers_nonsense_is_quarantined(nonsense) -> None:
    verdict = shelf(claim("witness", "UA", 1)).judge(5, logic=own(believe=lambda *_: nonsense))
    assert verdict.believed == UNKNOWN
    assert "quarantined" in verdict.notes[0]


def test_a_logic_of_ones_own_is_not_shown_what_became_of_things_later() -> None:
    town = shelf(
        claim("witness", "UA", 1, "taken-back"),
        told("entry-retracted", "r", target="#taken-back", source="witness", said=date(9)),
        told("claim-adjudicated", "j", target="#taken-back", verdict="true", ruled=date(8)),
    )
    seen = []

    def believe(case, day, known):
        (piece,) = case.testimony
        seen.append((piece.retracted, piece.verdicts))
        return {"UA": 1.0}

    judge(town.case(), own(believe=believe), ZERO + 5, end(5))
    assert seen == [(None, [])]
    assert judge(town.case(), own(believe=believe), ZERO + 9, end(9)).believed == UNKNOWN


def test_reasons_of_a_logic_of_ones_own_are_what_leaving_a_piece_out_would_change() -> None:
    town = shelf(claim("witness", "UA", 1), claim("ministry", "RU", 2, "capture"))

    def count(case, day, known):
        votes = [1 + sum(piece.state == name for piece in case.testimony) for name in STATES.names]
        return dict(zip(STATES.names, np.array(votes) / sum(votes), strict=True))

    why = explain(town.case(), own(believe=count), ZERO + 3, end(3), "RU")
    assert not why.additive
    weights = {one.piece.id: one.weight for one in why.heard}
    assert weights["c-capture"] == pytest.approx(np.log(2))
