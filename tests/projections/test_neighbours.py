"""Neighbours: what is believed nearby counts for a place where it is asked for, in every answer alike."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ledger.directory import Directory, Place
from ledger.errors import DIFFERENT, USAGE
from projections.belief.params import Params
from projections.neighbours import Around, Chart, Kept, pull
from tests.conftest import CommandLine

Line = dict[str, Any]

DAY, LATER = "2025-06-10", "2025-07-15"
STATES = ("RU", "UA", "contested")
#: A degree of latitude is 111.195 km, of longitude there 73.
LAT = {"alpha": 49.0, "bravo": 49.03, "charlie": 49.08, "echo": 50.5, "silent": 49.01}
PARTS = {"alpha/east": (49.0, 37.01), "alpha/west": (49.0, 36.99)}
#: Those within reach of each other of which something is believed.
POINTS = {name: (LAT[name], 37.0) for name in ("alpha", "bravo", "charlie")} | PARTS
J = 1.0


def place(name: str, **more: Any) -> Line:
    where = {"lat": f"{LAT[name]:.5f}", "lon": "37.0"} if name in LAT else {}
    return {"type": "place-registered", "place": name, "names": [name.title()], **where, **more}


def said(claimant: str, where: str, state: str, day: str, published: str | None = None, **more: Any) -> Line:
    given = {
        "claimant": claimant,
        "place": where,
        "state": state,
        "valid": day,
        "published": published or day,
    }
    return {"type": "claim-reported", **given, **more}


def source(name: str, side: str | None = None) -> Line:
    given = {"side": side} if side else {}
    return {
        "type": "source-registered",
        "source": name,
        "kind": "official",
        "body": {"names": [name]},
    } | given


#: Alpha with a part of its own, two neighbours that are believed, one of which nothing is said (silent), one
#: merged into bravo, a region, one far away, one without coordinates.
LINES = [
    {"type": "party-named", "party": "RU"},
    {"type": "party-named", "party": "UA"},
    source("army", "UA"),
    source("ministry", "RU"),
    source("witness"),
    source("monitor"),
    place("land", kind="oblast", lat="49.0", lon="37.02"),
    place("alpha", kind="town", parent="land"),
    place("alpha/east", kind="part", parent="alpha", lat="49.0", lon="37.01"),
    place("alpha/west", kind="part", parent="alpha", lat="49.0", lon="36.99"),
    *(place(name, parent="land") for name in ("bravo", "charlie", "silent", "echo", "bare")),
    place("bravo-too", lat="49.03", lon="37.001"),
    {"type": "place-merged", "place": "bravo-too", "into": "bravo"},
    said("witness", "alpha", "UA", "2025-06-01"),
    said("army", "alpha", "UA", "2025-06-05"),
    said("witness", "bravo", "RU", "2025-06-03"),
    said("ministry", "bravo", "RU", "2025-06-08"),
    said("monitor", "charlie", "RU", "2025-06-06"),
    said("ministry", "alpha/east", "RU", "2025-06-07"),
    said("monitor", "echo", "RU", "2025-06-04"),
    said("witness", "bare", "RU", "2025-06-04"),
    said("monitor", "land", "RU", "2025-06-04"),
    said("monitor", "alpha", "RU", "2025-06-09", published="2025-07-01"),
    said("monitor", "bravo", "RU", "2025-06-12", published="2025-07-02"),
    said("army", "charlie", "UA", "2025-07-10"),
]


def mirrored(lines: list[Line]) -> list[Line]:
    swap = {"RU": "UA", "UA": "RU"}
    fields = ("state", "side", "party")
    return [
        line | {name: swap.get(line[name], line[name]) for name in fields if name in line} for line in lines
    ]


def told(claims: CommandLine, folder: Path, lines: list[Line]) -> Path:
    """A ledger with these lines in it."""
    folder.mkdir(exist_ok=True)
    db, file = folder / "front.db", folder / "lines.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    claims("init", db)
    claims("import", "--from", "jsonl", file, db=db)
    (folder / "near.toml").write_text(f"coupling = {J}\n")
    claims("replay", "--params", folder / "near.toml", db=db)
    return db


@pytest.fixture(scope="module")
def front(claims: CommandLine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return told(claims, tmp_path_factory.mktemp("front"), LINES)


@pytest.fixture(scope="module")
def near(front: Path) -> tuple[str, Path]:
    return "--params", front.parent / "near.toml"


def believed(claims: CommandLine, db: Path, where: str, *words: object, day: str = DAY) -> dict[str, Any]:
    return claims("as-of", day, where, *words, db=db)["answers"][0]


def chances(answer: dict[str, Any]) -> list[float]:
    return [answer["probabilities"][state] for state in STATES]


def by_definition(
    own: list[float], near: list[tuple[float, list[float]]], reach: float = 12.0
) -> list[float]:
    """The step of mean field as it is written down; ``near`` has (km, belief)."""
    weights = [math.exp(-2 * km / reach) for km, _ in near]
    total = sum(weights)
    raw = [
        p
        * math.exp(
            J * sum(w / total * (other[k] - 1 / 3) for w, (_, other) in zip(weights, near, strict=True))
        )
        for k, p in enumerate(own)
    ]
    return [one / sum(raw) for one in raw]


def km(one: str, other: str) -> float:
    return haversine(POINTS[one], POINTS[other])


def haversine(one: tuple[float, float], other: tuple[float, float]) -> float:
    (a, b), (c, d) = ([math.radians(degrees) for degrees in at] for at in (one, other))
    h = math.sin((c - a) / 2) ** 2 + math.cos(a) * math.cos(c) * math.sin((d - b) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(h))


# -- what it does --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [(), ("--known-by", LATER), ("--without", "ministry")])
def test_a_belief_is_its_own_one_times_what_its_neighbours_say(claims, front, near, words) -> None:
    alone = {name: chances(believed(claims, front, name, *words)) for name in POINTS}
    for name, own in alone.items():
        family = name.partition("/")[0]
        others = [(km(name, one), p) for one, p in alone.items() if one.partition("/")[0] != family]
        expected = by_definition(own, others)
        assert chances(believed(claims, front, name, *words, *near)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--known-by", LATER),
        ("--recorded-by", "#20"),
        ("--without", "ministry"),
    ],
)
def test_many_places_are_believed_as_each_alone(claims, front, near, words) -> None:
    for day in (DAY, LATER):
        together = claims("as-of", day, *words, *near, db=front)["answers"]
        assert together
        for one in together:
            assert one == believed(claims, front, one["place"]["id"], *words, *near, day=day)


def test_more_places_than_are_looked_up_singly_are_believed_as_each_alone(claims, tmp_path) -> None:
    more = [place(f"hamlet-{n}", lat=f"{49 + n / 100:.2f}", lon="37.05") for n in range(12)]
    claimed = [said("witness", f"hamlet-{n}", STATES[n % 3], "2025-06-02") for n in range(12)]
    db = told(claims, tmp_path, [*LINES, *more, *claimed])
    near = "--params", tmp_path / "near.toml"
    together = claims("as-of", DAY, *near, db=db)["answers"]
    assert len(together) > 12
    assert together == [believed(claims, db, one["place"]["id"], *near) for one in together]
    assert together != claims("as-of", DAY, db=db)["answers"]


def test_as_of_panel_backtest_and_why_say_the_same(claims, front, near, tmp_path) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text(f"place,day,state\nAlpha,{DAY},UA\n")
    spec = f"tally:{near[1]}"
    scores = {one["mode"]: one for one in claims("backtest", truth, "--logic", spec, db=front)["results"]}
    for mode, words in (("filter", ()), ("hindsight", ("--known-by", "now"))):
        answer = believed(claims, front, "alpha", *words, *near)
        reasons = claims("why", DAY, "alpha", *words, *near, db=front)
        known = ("--known-by", "now" if words else "then")
        text = claims.run("panel", f"{DAY}..{DAY}", "alpha", *known, *near, db=front).out
        [row] = csv.DictReader(io.StringIO(text))
        assert reasons["answer"] == answer
        assert [float(row[f"p_{state}"]) for state in STATES] == pytest.approx(chances(answer), abs=1e-9)
        assert scores[mode]["log_loss"]["value"] == pytest.approx(-math.log(answer["probabilities"]["UA"]))
        p = answer["probabilities"]
        odds = math.log(p[reasons["state"]] / p[reasons["rival"]])
        assert reasons["total"] == pytest.approx(odds, abs=1e-8)
        assert answer != believed(claims, front, "alpha", *words)


def test_reasons_add_up_with_the_neighbours_part(claims, front, near) -> None:
    for name in ("alpha", "bravo", "charlie", "alpha/east"):
        for state in STATES:
            one = claims("why", DAY, name, "--state", state, *near, db=front)
            weights = [line["weight"] for line in (*one["for"], *one["against"])]
            parts = [line["weight"] for line in one["neighbours"]]
            assert math.fsum(parts) == pytest.approx(one["neighbours_sum"], abs=1e-9)
            sum_ = one["prior"] + math.fsum(weights) + one["staleness"] + one["neighbours_sum"]
            assert sum_ == pytest.approx(one["total"], abs=2e-9)
            assert math.fsum(line["share"] for line in one["neighbours"]) == pytest.approx(1)


def test_why_names_each_neighbour_with_its_distance_and_belief(claims, front, near) -> None:
    lines = claims("why", DAY, "alpha", *near, db=front)["neighbours"]
    assert [line["place"] for line in lines] == ["bravo", "charlie"]
    for line in lines:
        own = believed(claims, front, line["place"])
        assert (line["believed"], line["probabilities"]) == (own["believed"], own["probabilities"])
        assert line["km"] == pytest.approx(km("alpha", line["place"]), abs=1e-3)
    said = claims.run("why", DAY, "alpha", *near, db=front).out
    assert "neighbour  " in said
    assert "  neighbours -" in said


def test_a_timeline_believes_what_as_of_does(claims, front, near) -> None:
    told = claims("timeline", "alpha", *near, db=front)
    for run in told["believed"]:
        for day, p in ((run["from"], run["p_first"]), (run["to"], run["p_last"])):
            answer = believed(claims, front, "alpha", *near, day=day)
            assert answer["believed"] == run["believed"]
            assert answer["probabilities"][run["believed"]] == pytest.approx(p, abs=1e-9)
    for change in told["when_did_we_know"]["changes"]:
        for day in (change["from"], change["to"]):
            answer = believed(claims, front, "alpha", "--known-by", "now", *near, day=day)
            assert answer["believed"] == change["state"]


def test_a_timeline_goes_on_as_long_as_something_arrives_nearby(claims, front, near) -> None:
    alone, beside = (claims("timeline", "alpha", *words, db=front) for words in ((), near))
    assert alone["believed"][-1]["to"] == "2025-07-01"
    assert beside["believed"][-1]["to"] == "2025-07-10"


def test_places_now_are_what_as_of_says_of_today(claims, front, near) -> None:
    listed = {one["id"]: one["believed"] for one in claims("places", *near, db=front)["places"]}
    now = {one["place"]["id"]: one["believed"] for one in claims("as-of", "now", *near, db=front)["answers"]}
    assert now.items() <= listed.items()


# -- what differs --------------------------------------------------------------------------------------------


def assert_adds_up(change: dict[str, Any]) -> None:
    parts = [change[name] for name in ("prior", "staleness", "remainder", "neighbours")]
    parts += [one["change"] for one in change["claims"]] + [change["others"]["change"]]
    assert math.fsum(parts) == pytest.approx(change["log_odds"]["change"], abs=1e-9)


def assert_answered(claims: CommandLine, db: Path, change: dict[str, Any], sides: list[tuple]) -> None:
    """Both sides of a change are what as-of says of that day."""
    for name, words in zip(("before", "after"), sides, strict=True):
        answer = believed(claims, db, change["place"]["id"], *words, day=change["day"])
        assert answer["probabilities"] == pytest.approx(change[name], abs=1e-9)
        p = answer["probabilities"]
        odds = math.log(p[change["state"]] / p[change["against"]]) if p else 0.0
        assert change["log_odds"][name] == pytest.approx(odds, abs=1e-8)


def test_a_difference_of_logics_has_the_neighbours_as_a_term(claims, front, near, tmp_path) -> None:
    strong = tmp_path / "strong.toml"
    strong.write_text("coupling = 8.0\n")
    claims("replay", "--params", strong, db=front, ok=0)
    found = claims("diff", "--logic", f"tally..tally:{strong}", db=front, ok=DIFFERENT)["changes"]
    assert found
    for change in found:
        assert_adds_up(change)
        assert_answered(claims, front, change, [(), ("--params", strong)])
        assert abs(change["neighbours"]) > 0.1
        assert change["claims"] == []


def test_a_difference_as_csv_has_the_term_only_where_neighbours_count(claims, front, near) -> None:
    for logic, named in ((f"tally:{near[1]}", True), ("tally", False)):
        words = ("diff", "2025-06-04..now", "--logic", logic, "--format", "csv")
        header = claims.run(*words, db=front, ok=DIFFERENT).out.splitlines()[0].split(",")
        assert ("neighbours" in header) is named


def test_a_difference_by_a_source_has_its_part_nearby(claims, front, near) -> None:
    spec = f"tally:{near[1]}"
    found = claims("diff", "--logic", spec, "--without", "witness", db=front, ok=DIFFERENT)["changes"]
    assert any(change["neighbours"] for change in found)
    for change in found:
        assert_adds_up(change)
        assert_answered(claims, front, change, [near, (*near, "--without", "witness")])


@pytest.mark.parametrize("times", ["2025-06-04..2025-06-30", "2025-06-30..now", "2025-06-09..2025-07-05"])
def test_a_difference_of_times_has_the_neighbours_as_a_term(claims, front, near, times) -> None:
    first, second = times.split("..")
    spec = f"tally:{near[1]}"
    found = claims("diff", times, "--logic", spec, db=front, ok=DIFFERENT)["changes"]
    for change in found:
        assert_adds_up(change)
        assert_answered(claims, front, change, [(*near, "--known-by", one) for one in (first, second)])


def test_a_time_that_brought_something_only_nearby_changes_a_place(claims, tmp_path) -> None:
    lines = [*LINES[:12], said("witness", "alpha", "contested", "2025-06-01")]
    lines += [said("witness", "bravo", "UA", f"2025-06-{day:02}", "2025-07-02") for day in (3, 9)]
    db = told(claims, tmp_path, lines)
    file = tmp_path / "strong.toml"
    file.write_text("coupling = 20.0\n")
    claims("replay", "--params", file, db=db, ok=0)
    found = claims("diff", "2025-06-20..now", "--logic", f"tally:{file}", db=db, ok=DIFFERENT)["changes"]
    mine = [change for change in found if change["place"]["id"] == "alpha"]
    assert mine
    for change in mine:
        assert_adds_up(change)
        assert change["claims"] == []
        assert change["neighbours"]


def test_what_is_supposed_nearby_counts(claims, front, near, tmp_path) -> None:
    file = tmp_path / "what.jsonl"
    file.write_text(
        "".join(f"{json.dumps(said('army', 'bravo', 'UA', day))}\n" for day in (DAY, "2025-06-09"))
    )
    plain, answer = (believed(claims, front, "alpha", *words, *near) for words in ((), ("--with", file)))
    change = [answer["probabilities"][state] - plain["probabilities"][state] for state in STATES]
    assert [answer["change"][state] for state in STATES] == pytest.approx(change, abs=1e-9)
    assert answer["change"]["UA"] > 0.001
    reasons = claims("why", DAY, "alpha", "--with", file, *near, db=front)
    assert reasons["answer"]["probabilities"] == answer["probabilities"]
    spec = f"tally:{near[1]}"
    found = claims("diff", "--with", file, "--logic", spec, db=front, ok=DIFFERENT)["changes"]
    for one in found:
        assert_adds_up(one)
        assert_answered(claims, front, one, [near, ("--with", file, *near)])


OWN = """
from projections import Logic, Params


def believe(case, day, known):
    sure = min(0.9, 0.4 + 0.2 * len(case.testimony))
    return {case.testimony[-1].state: sure, "contested": 1 - sure}


logic = Logic("own", 1, believe=believe, params=Params().replace(coupling=COUPLING))
"""


def test_a_logic_that_judges_by_itself_has_neighbours_too(claims, front, tmp_path) -> None:
    files = [tmp_path / "alone.py", tmp_path / "near.py"]
    for file, strength in zip(files, ("0", "2"), strict=True):
        file.write_text(OWN.replace("COUPLING", strength).replace('"own"', f'"{file.stem}"'))
    alone, near = (("--logic", file) for file in files)
    for words in ((), ("--known-by", LATER), ("--without", "monitor")):
        answer = believed(claims, front, "alpha", *words, *near)
        assert answer != believed(claims, front, "alpha", *words, *alone)
        reasons = claims("why", DAY, "alpha", *words, *near, db=front)
        assert reasons["answer"]["probabilities"] == answer["probabilities"]
        assert reasons["neighbours_sum"]
        assert len(claims("as-of", DAY, *words, *near, db=front)["answers"]) > 3
    row = claims.run("panel", f"{DAY}..{DAY}", "alpha", *near, db=front).out.splitlines()[1].split(",")
    own = chances(believed(claims, front, "alpha", *near))
    assert [float(p) for p in row[4:7]] == pytest.approx(own, abs=1e-9)
    for words in (("2025-06-09..now", *near), ("--without", "army", *near)):
        for change in claims("diff", *words, db=front, ok=DIFFERENT)["changes"]:
            assert_adds_up(change)


def test_a_logic_that_learns_has_neighbours_too(claims, front, near) -> None:
    spec = f"hmm:{near[1]}"
    claims("replay", "--logic", spec, db=front)
    plain = believed(claims, front, "alpha", *near)
    answer = believed(claims, front, "alpha", "--logic", spec)
    assert answer["probabilities"] == pytest.approx(plain["probabilities"], abs=0.2)
    reasons = claims("why", DAY, "alpha", "--logic", spec, db=front)
    assert reasons["answer"]["probabilities"] == pytest.approx(answer["probabilities"], abs=1e-9)
    assert reasons["neighbours_sum"]


# -- who counts ----------------------------------------------------------------------------------------------


def test_off_it_is_as_if_it_were_not_there(claims, front, tmp_path) -> None:
    off = tmp_path / "off.toml"
    off.write_text("coupling = 0\ncoupling_reach = 12.0\n")
    for words in (
        ("as-of", DAY),
        ("as-of", DAY, "--known-by", LATER),
        ("why", DAY, "alpha"),
        ("timeline", "alpha"),
        ("places",),
    ):
        plain, told = (claims.run(*words, *more, "--json", db=front).out for more in ((), ("--params", off)))
        if words[0] == "timeline":  # the moment of asking is in it
            plain, told = (json.dumps(json.loads(one) | {"known_by": None}) for one in (plain, told))
        assert told == plain
        assert "neighbours" not in plain


def test_neighbours_alone_make_no_belief(claims, front, near) -> None:
    answer = believed(claims, front, "silent", *near)
    assert (answer["believed"], answer["probabilities"]) == ("unknown", {})
    reasons = claims("why", DAY, "silent", *near, db=front)
    assert (reasons["neighbours"], reasons["neighbours_sum"], reasons["total"]) == ([], 0, 0)
    assert believed(claims, front, "alpha", *near, day="2025-05-20")["believed"] == "unknown"


def test_who_believes_nothing_yet_is_no_neighbour(claims, front, near) -> None:
    lines = claims("why", "2025-06-04", "alpha", *near, db=front)["neighbours"]
    assert [(line["place"], line["share"]) for line in lines] == [("bravo", 1.0)]
    assert claims("why", "2025-06-02", "alpha", *near, db=front)["neighbours"] == []


@pytest.mark.parametrize("name", ["bare", "echo", "land"])
def test_without_coordinates_far_away_or_a_region_of_it_a_place_has_no_say(claims, front, near, name) -> None:
    listed = [line["place"] for line in claims("why", DAY, "alpha", *near, db=front)["neighbours"]]
    assert name not in listed
    if name != "land":
        assert believed(claims, front, name, *near) == believed(claims, front, name)


def test_a_part_and_its_whole_are_no_neighbours_but_have_the_same_ones(claims, front, near) -> None:
    lines = claims("why", DAY, "alpha/east", *near, db=front)["neighbours"]
    assert {line["place"] for line in lines} == {"bravo", "charlie"}
    listed = {line["place"] for line in claims("why", DAY, "bravo", *near, db=front)["neighbours"]}
    assert listed == {"alpha", "alpha/east", "alpha/west", "charlie"}


def test_swapping_the_parties_mirrors_what_neighbours_do(claims, front, near, tmp_path) -> None:
    other = told(claims, tmp_path, mirrored(LINES))
    for name in ("alpha", "bravo", "charlie"):
        p, q = (chances(believed(claims, db, name, *near)) for db in (front, other))
        assert [p[1], p[0], p[2]] == pytest.approx(q, abs=1e-9)


@pytest.mark.parametrize(
    "line",
    ["coupling = -0.5", "coupling = inf", 'coupling = "much"', "coupling_reach = 0", "coupling = true"],
)
def test_impossible_values_are_refused(claims, front, tmp_path, line) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(f"{line}\n")
    said = claims.run("as-of", DAY, "alpha", "--params", file, db=front, ok=USAGE)
    assert said.err.count("\n") == 1
    assert line.split()[0] in said.err


# -- the core ------------------------------------------------------------------------------------------------


def scattered(count: int) -> Directory:
    rng = np.random.default_rng(7)
    directory = Directory()
    for n, (lat, lon) in enumerate(
        zip(rng.uniform(-2, 2, count), rng.uniform(-181, -179, count), strict=True)
    ):
        lon = lon if lon >= -180 else lon + 360
        directory.places[f"p{n}"] = Place(f"p{n}", [f"P{n}"], lat=f"{lat:.5f}", lon=f"{lon:.5f}")
    return directory


def test_neighbours_are_those_within_reach_across_the_date_line_too() -> None:
    directory = scattered(300)
    chart = Chart(directory, 40.0)
    for one in directory.places.values():
        expected = {
            other.id: km
            for other in directory.places.values()
            if other is not one and (km := haversine(where(one), where(other))) <= 40
        }
        found = {near.place: near.km for near in chart.near(one.id)}
        assert found == pytest.approx(expected, abs=1e-6)


def where(place: Place) -> tuple[float, float]:
    assert place.lat is not None and place.lon is not None
    return float(place.lat), float(place.lon)


def test_a_reach_around_the_world_has_everybody_in_it() -> None:
    chart = Chart(scattered(20), 30_000.0)
    assert len(chart.near("p0")) == 19


def test_weights_sum_to_one_over_those_who_believe_something() -> None:
    silent = np.full((2, 3), np.nan)
    sure = np.array([[1.0, 0.0, 0.0], [np.nan] * 3])
    even = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    found = pull([silent, sure, even], [5.0, 3.0, 1.0], (2, 3))
    assert found == pytest.approx(np.array([[0.75, 0.25, 0.0], [0.0, 0.0, 1.0]]) - 1 / 3)
    assert pull([silent], [1.0], (2, 3)) == pytest.approx(np.zeros((2, 3)))


def test_where_neighbours_do_not_count_nobody_is_looked_for() -> None:
    around = Around(scattered(5), Params())
    assert not around
    assert around.near("p0") == ()
    assert around._chart is None


def test_what_is_kept_has_a_bound() -> None:
    kept, asked = Kept[int](10), []

    def find(n: int) -> int:
        asked.append(n)
        return n

    for n in (1, 2, 3, 3, 1):
        kept.get(n, lambda n=n: find(n), lambda _: 4)
    assert asked == [1, 2, 3, 1]
