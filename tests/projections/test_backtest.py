"""Backtests: what is scored is what the answers themselves say, and the command tells it truly."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path
from statistics import fmean
from typing import Any
from xml.etree import ElementTree

import pytest

from ledger.errors import FAILED, UNKNOWN, USAGE, BadDate, Usage
from projections.answers import as_of
from projections.backtest import Backtest, answer, backtest, check_names
from projections.commands.backtest import LABELS
from projections.intervals import MEASURES
from projections.registry import load
from projections.truth import Truth, read_truth
from tests.conftest import CommandLine
from tests.projections.worlds import ZERO, Scribe, World, claim, date, moment, told

NOW = 90

WORLD = World.of(
    claim("witness", "UA", 2),
    claim("army", "UA", 6),
    claim("ministry", "RU", 20, valid=date(18)),
    claim("witness", "RU", 21),
    claim("monitor", "RU", 26),
    claim("agency", "RU", 26, place="village"),
    claim("map", "RU", 9, standing=True, place="village"),
    told("display-observed", "look", source="map", said=date(40)),
    claim("witness", "contested", 12, place="hamlet"),
    claim("army", "destroyed", 5, question="bridge"),
)

#: The town changes hands on day 18, the village never does, the hamlet is told of once, a part of the town never.
LINES = [
    *(f"Town,{date(day)},{'UA' if day < 18 else 'RU'}" for day in range(40)),
    *(f"Village,{date(day)},RU" for day in range(5, 35, 3)),
    *(f"Hamlet,{date(day)},{'contested' if day < 20 else 'UA'}" for day in (10, 13, 20, 30)),
    *(f"Town north,{date(day)},RU" for day in (1, 2)),
]

OWN = """
from projections import Logic


def believe(case, day, known):
    late = len(case.testimony) > 2
    return {"RU": 0.75, "UA": 0.25} if late else {"UA": 1.0}


logic = Logic("own", 1, believe=believe)
"""
DEAF = """
from projections import Logic

logic = Logic("deaf", 1, weigh=lambda piece, source: 0.0)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("backtest")
    with Scribe(path / "book.db") as scribe:
        scribe.tell(WORLD.told)
    write(path / "truth.csv", LINES)
    (path / "own.py").write_text(OWN)
    (path / "deaf.py").write_text(DEAF)
    return path


@pytest.fixture(scope="module")
def desk(folder: Path):
    with desk_at(folder) as desk:
        yield desk


def desk_at(folder: Path, logic: str | None = None):
    from projections.desk import Desk

    return Desk(folder / "book.db", now=moment(NOW), logic=logic)


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("\n".join(["place,day,state", *lines, ""]), "utf-8")
    return path


def truth(desk, folder: Path, lines: list[str] | None = None, question="control") -> Truth:
    path = folder / "truth.csv" if lines is None else write(folder / "other.csv", lines)
    return read_truth(path, desk.directory, question, ZERO + NOW)


def ran(desk, folder: Path, logics=None, lines=None, known: str | None = None) -> Backtest:
    return backtest(desk, logics or [desk.loaded], truth(desk, folder, lines), "control", desk.known(known))


def figures(done: Backtest, n: int = 0) -> dict[str, float]:
    return done.results[n].measured.point


# -- what is scored ------------------------------------------------------------------------------------------


def answered(desk, place: str, day: str, known_by: str | None) -> dict[str, Any]:
    clocks = desk.clocks(day, known_by, None)
    return as_of(desk, clocks, [desk.directory.resolve_place(place)], "control")["answers"][0]


@pytest.mark.parametrize(("mode", "known"), [(0, None), (1, date(NOW)), (1, date(22))])
def test_the_figures_are_those_of_the_answers_themselves(desk, folder, mode, known) -> None:
    """As of each true day: by its end as filter, by the moment of hindsight otherwise."""
    scored = []
    for place, day, state in (line.split(",") for line in LINES):
        found = answered(desk, place, day, known)
        p = found["probabilities"] or dict.fromkeys(("UA", "RU", "contested"), 1 / 3)
        squared = sum((p[one] - (one == state)) ** 2 for one in p)
        scored.append((found["believed"] != "unknown", found["believed"] == state, squared))
    known_days, right, squared = zip(*scored, strict=True)
    point = figures(ran(desk, folder, known=known), mode)
    assert point["coverage"] == pytest.approx(fmean(known_days))
    assert point["accuracy"] == pytest.approx(fmean(right))
    assert point["brier"] == pytest.approx(fmean(squared), abs=1e-9)


def test_days_to_detect_are_those_on_which_the_answers_reach_the_bound(desk, folder) -> None:
    days = range(18, 40)
    reached = next(d for d in days if answered(desk, "Town", date(d), None)["probabilities"]["RU"] >= 0.7)
    done = ran(desk, folder, lines=LINES[:40])
    assert figures(done)["days_to_detect_mean"] == reached - 18
    assert figures(done)["detected"] == 1.0


def test_hindsight_detects_nothing_and_filter_counts_the_changes(desk, folder) -> None:
    found = answer(desk, ran(desk, folder), "control")
    then, later = found["results"]
    assert found["truth"]["changes"] == 2
    assert then["changes_detected"] == 1
    assert later["changes_detected"] is None
    assert later["detected"] == {"value": None, "low": None, "high": None}


def test_a_day_of_which_nothing_is_known_counts_as_wrong_and_is_counted(desk, folder) -> None:
    found = answer(desk, ran(desk, folder, lines=[f"Village,{date(0)},RU"]), "control")["results"][0]
    assert (found["rows"], found["unknown"], found["coverage"]["value"]) == (1, 1, 0.0)
    assert found["accuracy"]["value"] == 0.0
    assert found["brier"]["value"] == pytest.approx(2 / 3)
    assert found["ece"]["value"] is None


def test_the_order_of_the_rows_does_not_matter(desk, folder) -> None:
    known = date(NOW - 1)
    one = answer(desk, ran(desk, folder, known=known), "control")
    other = answer(desk, ran(desk, folder, lines=LINES[::-1], known=known), "control")
    assert one == other


def test_a_named_part_is_scored_by_what_is_said_of_the_whole(desk, folder) -> None:
    lines = [f"Town north,{date(day)},UA" for day in (8, 9)]
    assert figures(ran(desk, folder, lines=lines))["coverage"] == 1.0


def test_another_question_is_scored_by_its_own_states(desk, folder) -> None:
    lines = [f"Town,{date(day)},destroyed" for day in (6, 7)]
    rows = truth(desk, folder, lines, question="bridge")
    done = backtest(desk, [desk.loaded], rows, "bridge", desk.known(None))
    assert done.states == ("standing", "damaged", "destroyed")
    assert figures(done)["accuracy"] == 1.0


def test_a_logic_that_judges_by_itself_is_asked_every_day(desk, folder) -> None:
    own = load(str(folder / "own.py"))
    done = ran(desk, folder, [own], lines=[f"Town,{date(day)},RU" for day in (3, 25)])
    assert figures(done)["accuracy"] == 0.5
    assert figures(done)["brier"] == pytest.approx((2.0 + 2 * 0.25**2) / 2)
    assert figures(done, 1)["accuracy"] == 1.0, "in hindsight all is known on the first day"


def test_a_logic_that_hears_nobody_believes_nothing(desk, folder) -> None:
    found = answer(desk, ran(desk, folder, [load(str(folder / "deaf.py"))]), "control")
    assert found["results"][0]["coverage"]["value"] == 0.0
    assert "deaf@1 believes nothing of any of these days (filter)" in found["notes"]


def test_two_logics_are_scored_as_each_alone_and_then_compared(desk, folder) -> None:
    own = load(str(folder / "own.py"))
    both = ran(desk, folder, [desk.loaded, own], known=date(NOW - 1))
    alone = ran(desk, folder, [own], known=date(NOW - 1))
    assert figures(both, 2) == pytest.approx(figures(alone, 0), nan_ok=True)
    differences = answer(desk, both, "control")["differences"]
    assert [(one["logic"]["name"], one["against"]["name"], one["mode"]) for one in differences] == [
        ("own", "tally", "filter"),
        ("own", "tally", "hindsight"),
    ]
    gap = figures(both, 2)["brier"] - figures(both, 0)["brier"]
    assert differences[0]["brier"]["value"] == pytest.approx(gap)


def test_every_further_logic_is_compared_with_the_first(desk, folder) -> None:
    logics = [desk.loaded, load(str(folder / "own.py")), load(str(folder / "deaf.py"))]
    pairs = ran(desk, folder, logics).differences()
    assert [(one.loaded.logic.name, other.loaded.logic.name) for one, other in pairs] == [
        ("own", "tally"),
        ("own", "tally"),
        ("deaf", "tally"),
        ("deaf", "tally"),
    ]


def test_two_logics_of_one_name_are_refused(desk) -> None:
    with pytest.raises(Usage, match="two logics are called tally@1"):
        check_names([desk.loaded, load("tally")])


# -- notes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "note"),
    [
        (LINES[:10], "one place only"),
        (LINES, "4 places only: the intervals are rough"),
        (LINES[:10], "the truth never changes"),
    ],
)
def test_what_makes_a_figure_weak_is_noted(desk, folder, lines, note) -> None:
    notes = answer(desk, ran(desk, folder, lines=lines), "control")["notes"]
    assert any(note in one for one in notes)


def test_days_after_the_moment_of_hindsight_are_noted_as_foreseen(desk, folder) -> None:
    notes = answer(desk, ran(desk, folder, known=date(30)), "control")["notes"]
    assert any(one.startswith("10 of 56 days lie after the moment of hindsight") for one in notes)
    assert not any("foresees" in one for one in answer(desk, ran(desk, folder), "control")["notes"])


def test_a_moment_of_hindsight_to_come_is_refused(desk, folder) -> None:
    with pytest.raises(BadDate, match="future"):
        ran(desk, folder, known=date(NOW + 5))


# -- the command ---------------------------------------------------------------------------------------------

DEMO = [
    "Kupyansk,2025-09-10,UA",
    "Купянск,2025-11-25,UA",
    "Kupyansk,2025-12-16,UA",
    "Kindrashivka,2025-12-14,UA",
    '"Radkivka, Kharkiv oblast",2025-12-14,UA',
    '"Huliaipole, Zaporizhzhia",2025-12-30,RU',
]


@pytest.fixture
def true(tmp_path: Path) -> Path:
    return write(tmp_path / "true.csv", DEMO)


def test_the_shape_of_the_answer(claims: CommandLine, demo: Path, true: Path) -> None:
    found = claims("backtest", true, "--known-by", "2026-01-31", db=demo)
    assert list(found) == [
        *("schema", "known_by", "recorded_by", "position", "root", "question", "states", "logics", "truth"),
        *("assumptions", "results", "differences", "notes"),
    ]
    assert found["schema"] == "backtest/1"
    assert found["known_by"] == "2026-01-31T23:59:59.999999Z"
    assert found["truth"] == {
        "rows": 6,
        "places": 4,
        "first_day": "2025-09-10",
        "last_day": "2025-12-30",
        "states": {"RU": 1, "UA": 5, "contested": 0},
        "changes": 0,
        "place_years": pytest.approx(97 / 365.25),
        "repeated": 0,
        "skipped": 0,
    }
    assert [(one["logic"]["name"], one["mode"]) for one in found["results"]] == [
        ("tally", "filter"),
        ("tally", "hindsight"),
    ]
    for one in found["results"]:
        assert list(one) == [
            *("logic", "mode", "rows", "places", "unknown"),
            *MEASURES,
            *("changes_detected", "flips", "flips_false", "bins"),
        ]
        assert all(set(one[name]) == {"value", "low", "high"} for name in MEASURES)
        assert len(one["bins"]) == 10
        assert sum(bar["rows"] for bar in one["bins"]) == one["rows"] - one["unknown"]
    assert found["logics"] == [found["results"][0]["logic"]]
    assert set(found["logics"][0]) == {"name", "version", "fingerprint"}
    assert found["differences"] == []


def test_the_same_question_twice_gives_the_same_bytes(claims: CommandLine, demo: Path, true: Path) -> None:
    asked = ("backtest", true, "--known-by", "2026-01-31", "--json")
    assert claims.run(*asked, db=demo).out == claims.run(*asked, db=demo).out


def test_jsonl_has_a_line_a_result_and_a_line_a_difference(
    claims: CommandLine, demo: Path, true: Path, folder: Path
) -> None:
    logics = f"tally,{folder / 'deaf.py'}"
    asked = ("backtest", true, "--logic", logics, "--known-by", "2026-01-31")
    lines = claims.run(*asked, "--format", "jsonl", db=demo).out.splitlines()
    whole = claims(*asked, db=demo)
    assert [json.loads(line) for line in lines] == [*whole["results"], *whole["differences"]]
    assert len(lines) == 6


def test_csv_has_a_line_a_figure_with_its_numbers_in_full(
    claims: CommandLine, demo: Path, true: Path, folder: Path
) -> None:
    logics = f"tally,{folder / 'deaf.py'}"
    asked = ("backtest", true, "--logic", logics, "--known-by", "2026-01-31")
    rows = list(csv.DictReader(io.StringIO(claims.run(*asked, "--format", "csv", db=demo).out)))
    whole = claims(*asked, db=demo)
    assert len(rows) == 4 * (2 + len(MEASURES)) + 2 * len(MEASURES)
    for one in [*whole["results"], *whole["differences"]]:
        for name in MEASURES:
            (row,) = [
                row
                for row in rows
                if (row["logic"], row["mode"], row["measure"])
                == (f"{one['logic']['name']}@1", one["mode"], name)
                and bool(row["against"]) == ("against" in one)
            ]
            for part in ("value", "low", "high"):
                assert (float(row[part]) if row[part] else None) == one[name][part]


def test_a_negative_difference_stays_a_number_in_csv(
    claims: CommandLine, demo: Path, true: Path, folder: Path
) -> None:
    logics = f"tally,{folder / 'deaf.py'}"
    said = claims.run("backtest", true, "--logic", logics, "--format", "csv", db=demo).out
    assert ",coverage,-" in said
    assert "'-" not in said


def test_the_table_has_a_line_a_measure_and_says_what_it_rests_on(
    claims: CommandLine, demo: Path, true: Path, folder: Path
) -> None:
    logics = f"tally,{folder / 'deaf.py'}"
    said = claims.run("backtest", true, "--logic", logics, db=demo).out.splitlines()
    assert said[0].startswith(
        "6 days of 4 places, 2025-09-10 to 2025-12-30, true changes: 0 | hindsight known by"
    )
    assert said[1].startswith("A: tally@1 ") and said[2].startswith("B: deaf@1 ")
    assert said[3].split("  ")[0] == "measure"
    assert "B − A filter" in said[3]
    assert [line.split("  ")[0] for line in said[4:15]] == list(LABELS.values())
    assert any(line.startswith("accuracy") and "*" in line for line in said)
    assert said[-1] == "* the interval of the difference leaves 0 out"
    assert any("4 places only" in line for line in said)


def test_every_measure_has_a_label() -> None:
    assert list(LABELS) == list(MEASURES)


def test_truth_may_come_through_a_pipe(claims: CommandLine, demo: Path, true: Path) -> None:
    asked = ("--known-by", "2026-01-31")
    piped = claims("backtest", "-", *asked, db=demo, stdin=true.read_text("utf-8"))
    assert piped == claims("backtest", true, *asked, db=demo)


def test_an_unreadable_pipe_is_named(claims: CommandLine, demo: Path) -> None:
    said = claims.run("backtest", "-", db=demo, stdin="place,day,state\nYs,2025-12-16,UA\n", ok=UNKNOWN)
    assert said.err.startswith("claims: -:2: no place 'Ys'")


def test_rows_left_out_are_named_on_stderr_and_counted_in_the_answer(
    claims: CommandLine, demo: Path, tmp_path: Path
) -> None:
    lines = [*DEMO, *(f"Ys {n},2025-12-16,UA" for n in range(7)), "Ys 0,2025-12-17,UA"]
    path = write(tmp_path / "some.csv", lines)
    said = claims.run("backtest", path, "--skip-unknown", "--json", db=demo)
    assert said.err == (
        "note: 8 rows left out, for the ledger does not know their places (7):"
        " Ys 0 (2), Ys 1 (1), Ys 2 (1), Ys 3 (1), Ys 4 (1), …\n"
    )
    assert (said.json["truth"]["rows"], said.json["truth"]["skipped"]) == (6, 8)
    assert claims.run("backtest", path, db=demo, ok=UNKNOWN).out == ""


def test_a_ledger_that_knows_no_logic_of_that_name_is_not_read(
    claims: CommandLine, demo: Path, tmp_path: Path
) -> None:
    said = claims.run("backtest", "nowhere.csv", "--logic", "tally,nobody", db=demo, ok=UNKNOWN)
    assert "no logic 'nobody'" in said.err


@pytest.mark.parametrize("logic", ["tally,", ",tally", ",", "tally,,tally", " "])
def test_an_empty_name_of_a_logic_is_refused(claims: CommandLine, demo: Path, true: Path, logic) -> None:
    assert "--logic" in claims.run("backtest", true, "--logic", logic, db=demo, ok=USAGE).err


def test_blanks_around_the_comma_do_not_matter(
    claims: CommandLine, demo: Path, true: Path, folder: Path
) -> None:
    found = claims("backtest", true, "--logic", f"tally , {folder / 'deaf.py'}", db=demo)
    assert [one["name"] for one in found["logics"]] == ["tally", "deaf"]


def test_a_view_made_by_other_code_is_not_used(
    claims: CommandLine, copied: Path, true: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "deaf.py"
    rules.write_text(DEAF)
    claims.run("backtest", true, "--logic", f"tally,{rules}", db=copied)
    rules.write_text(DEAF + "\n# changed\n")
    said = claims.run("backtest", true, "--logic", f"tally,{rules}", db=copied, ok=FAILED)
    assert "built by other logic" in said.err and "claims replay --logic" in said.err


def test_what_a_logic_chokes_on_is_mentioned(
    claims: CommandLine, copied: Path, true: Path, tmp_path: Path
) -> None:
    rules = tmp_path / "sick.py"
    rules.write_text(
        "from projections import Logic\nlogic = Logic('sick', 1, weigh=lambda piece, source: 1 / 0)\n"
    )
    said = claims.run("backtest", true, "--logic", f"tally,{rules}", db=copied)
    assert "quarantined under sick@1" in said.err and "quarantined under tally" not in said.err


def test_the_installed_script_says_the_same(
    claims: CommandLine, script: CommandLine, demo: Path, true: Path
) -> None:
    asked = ("backtest", true, "--known-by", "2026-01-31", "--json")
    assert script.run(*asked, db=demo).out == claims.run(*asked, db=demo).out


# -- the diagram ---------------------------------------------------------------------------------------------


def test_a_diagram_is_drawn_beside_the_answer(
    claims: CommandLine, demo: Path, true: Path, folder: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.svg"
    asked = ("backtest", true, "--known-by", "2026-01-31", "--logic", f"tally,{folder / 'deaf.py'}")
    said = claims.run(*asked, "--diagram", picture, "--json", db=demo)
    assert said.json["schema"] == "backtest/1"
    root = ElementTree.fromstring(picture.read_text("utf-8"))
    titles = [one.text for one in root.iter("{http://www.w3.org/2000/svg}text") if one.get("class") == "name"]
    assert titles == ["tally@1, filter", "tally@1, hindsight", "deaf@1, filter", "deaf@1, hindsight"]
    before = picture.read_bytes()
    claims.run(*asked, "--diagram", picture, "--json", db=demo)
    assert picture.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["picture.svg", "true.csv"]


@pytest.mark.parametrize(
    "name", ["picture.png", "picture.pdf", "picture", "picture.svg.gz", "picture.svgz", ".", ".."]
)
def test_another_kind_of_picture_is_refused_before_anything_is_done(
    claims: CommandLine, demo: Path, tmp_path: Path, name: str
) -> None:
    said = claims.run("backtest", "nowhere.csv", "--diagram", tmp_path / name, db=demo, ok=USAGE)
    assert "drawn as SVG" in said.err
    assert list(tmp_path.iterdir()) == []


def test_a_diagram_is_not_drawn_over_the_truth(claims: CommandLine, demo: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "truth.svg", DEMO)
    before = path.read_bytes()
    claims.run("backtest", path, "--diagram", path, db=demo, ok=USAGE)
    assert path.read_bytes() == before


def test_a_diagram_over_a_folder_is_refused(
    claims: CommandLine, demo: Path, true: Path, tmp_path: Path
) -> None:
    (tmp_path / "folder.svg").mkdir()
    said = claims.run("backtest", true, "--diagram", tmp_path / "folder.svg", db=demo, ok=FAILED)
    assert "Is a directory" in said.err


# -- from outside --------------------------------------------------------------------------------------------


def test_backtests_need_no_drawing_library(demo: Path, true: Path, tmp_path: Path) -> None:
    """A picture costs nobody an import: what is loaded is what the answer needs."""
    code = (
        "import sys\nfrom projections.cli import run\n"
        f"run(['backtest', {str(true)!r}, '--db', {str(demo)!r}, '--diagram', {str(tmp_path / 'p.svg')!r}])\n"
        "assert not {'matplotlib', 'PIL', 'pyarrow', 'pandas', 'sklearn'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
