"""Panels: the believed state of every place on every day, as the answers themselves have it."""

from __future__ import annotations

import csv
import io
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from ledger.errors import INTERRUPTED, BadDate, UnknownName, Usage, WriteFailed
from projections.answers import as_of
from projections.belief.base import UNKNOWN, jsonable
from projections.panels import Panel, every_place, panel, write
from tests.conftest import CommandLine
from tests.projections.worlds import Scribe, World, claim, date, moment, told

WORLD = World.of(
    claim("witness", "UA", 2),
    claim("ministry", "RU", 8, valid=date(4)),
    claim("map", "RU", 9, standing=True, place="village"),
    told("display-observed", "look", source="map", said=date(15)),
    claim("army", "destroyed", 5, question="bridge"),
)
PLACES = ["town", "village", "hamlet"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    path = tmp_path_factory.mktemp("panel") / "book.db"
    with Scribe(path) as scribe:
        scribe.tell(WORLD.told)
        with scribe.desk(now=moment(70)) as desk:
            yield desk


def rows(desk, days: str, *, every="day", known_by="then", places=PLACES, question="control"):
    return list(panel(desk, places, question, days, every, known_by).rows)


def span(first: int, last: int) -> str:
    return f"{date(first)}..{date(last)}"


def answered(desk, row, known_by=None, question="control") -> dict:
    clocks = desk.clocks(row["day"], known_by, None)
    return as_of(desk, clocks, [row["place"]], question)["answers"][0]


def test_a_panel_has_a_row_for_every_place_and_day_in_order(desk) -> None:
    found = rows(desk, span(0, 3))
    assert [(row["place"], row["day"]) for row in found] == [(p, date(n)) for p in PLACES for n in range(4)]
    assert list(found[0]) == list(panel(desk, PLACES, "control", span(0, 3), "day", "then").columns)


@pytest.mark.parametrize("question", ["control", "bridge"])
def test_known_then_a_row_is_what_as_of_says_of_its_day(desk, question) -> None:
    for row in rows(desk, span(0, 20), question=question):
        answer = answered(desk, row, question=question)
        assert row["believed"] == answer["believed"]
        expected = answer["probabilities"] or {name[2:]: None for name in row if name.startswith("p_")}
        assert {name[2:]: p for name, p in row.items() if name.startswith("p_")} == expected
        assert row["known_by"] == f"{row['day']}T23:59:59.999999Z"


@pytest.mark.parametrize("known", [5, 12, 60])
def test_known_by_a_moment_a_row_is_what_as_of_says_in_hindsight(desk, known) -> None:
    for row in rows(desk, span(0, 20), known_by=date(known)):
        answer = answered(desk, row, date(known))
        assert row["believed"] == answer["believed"]
        for state, p in answer["probabilities"].items():
            assert row[f"p_{state}"] == jsonable(p)
        assert row["known_by"] == f"{date(known)}T23:59:59.999999Z"


def test_where_nothing_is_known_a_row_is_empty(desk) -> None:
    (row,) = rows(desk, span(1, 1), places=["town"])
    assert (row["believed"], row["p_UA"]) == (UNKNOWN, None)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        ("day", ["2025-10-30", "2025-10-31", "2025-11-01", "2025-11-02", "2025-11-03"]),
        ("2", ["2025-10-30", "2025-11-01", "2025-11-03"]),
        ("week", ["2025-10-30"]),
        ("month", ["2025-10-30", "2025-11-01"]),
    ],
)
def test_the_steps_of_a_panel(desk, every, expected) -> None:
    found = rows(desk, "2025-10-30..2025-11-03", every=every, places=["town"])
    assert [row["day"] for row in found] == expected


def test_a_month_is_taken_whole(desk) -> None:
    found = rows(desk, "2025-11..2025-11", places=["town"])
    assert (found[0]["day"], found[-1]["day"]) == ("2025-11-01", "2025-11-30")


def test_a_year_and_words_are_taken_whole_as_well(desk) -> None:
    assert rows(desk, "2024..2024", places=["town"])[0]["day"] == "2024-01-01"
    found = rows(desk, "last month..last month", places=["town"])
    assert (found[0]["day"], found[-1]["day"]) == ("2025-11-01", "2025-11-30")


@pytest.mark.parametrize("last", ["2025-12", "2025", "today", "now"])
def test_a_period_that_has_not_ended_goes_up_to_today(desk, last) -> None:
    assert rows(desk, f"2025-12-01..{last}", places=["town"])[-1]["day"] == date(70) == "2025-12-29"


@pytest.mark.parametrize("every", ["0", "-1", "fortnight", "1.5", "", "²", "٣", "1e3", "9" * 5000])
def test_a_step_that_is_none_is_refused(desk, every) -> None:
    with pytest.raises(Usage, match="no step"):
        panel(desk, PLACES, "control", span(0, 3), every, "then")


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (span(3, 0), "lies after"),
        (span(0, 71), "yet to come"),
        (span(71, 72), "yet to come"),
        (f"{date(0)}..2026", "yet to come"),
        ("2026-01..2026-02", "yet to come"),
        (f"{date(0)}..tomorrow", "yet to come"),
        ("2025-11/2025-12..2025-12-01", "more than one day"),
        ("2025-11-01~..2025-12-01", "not exact"),
        ("2025-11-01", "no range"),
        ("2025-11-01..", "no range"),
        ("2025-02-30..2025-03-01", "2025-02-30"),
    ],
)
def test_a_range_that_cannot_be_is_refused(desk, days, said) -> None:
    with pytest.raises(Usage, match=said):
        panel(desk, PLACES, "control", days, "day", "then")


def test_knowledge_to_come_is_refused(desk) -> None:
    with pytest.raises(BadDate, match="future"):
        panel(desk, PLACES, "control", span(0, 3), "day", date(90))


def test_a_panel_ends_today_with_what_is_known_by_now(desk) -> None:
    (row,) = rows(desk, span(70, 70), places=["town"])
    assert row["known_by"] == f"{date(70)}T12:00:00.000000Z"


def test_a_panel_of_a_logic_of_ones_own_asks_it_every_day(tmp_path) -> None:
    (tmp_path / "own.py").write_text(
        "from projections import Logic\n"
        "def believe(case, day, known):\n"
        "    late = len(case.testimony) > 1\n"
        "    return {'RU': 1.0} if late else {'UA': 1.0}\n"
        "logic = Logic('own', 1, believe=believe)\n"
    )
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(WORLD.told)
        with scribe.desk(now=moment(70), logic=str(tmp_path / "own.py")) as desk:
            then = rows(desk, span(1, 9), places=["town"])
            later = rows(desk, span(1, 9), places=["town"], known_by=date(20))
    assert [row["believed"] for row in then] == [UNKNOWN, *["UA"] * 6, "RU", "RU"]
    assert [row["believed"] for row in later] == [UNKNOWN, *["RU"] * 8]


def test_without_places_a_panel_is_of_every_registered_place_in_order_of_name(desk) -> None:
    assert every_place(desk) == ["hamlet", "town", "town/north", "town/south", "village"]
    assert {row["place"] for row in rows(desk, span(9, 9), places=every_place(desk))} == {
        *("hamlet", "town", "town/north", "town/south", "village")
    }


def test_a_place_that_was_merged_has_no_rows_of_its_own(tmp_path) -> None:
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell((*WORLD.told, told("place-merged", "m", place="hamlet", into="town")))
        with scribe.desk() as desk:
            assert every_place(desk) == ["town", "town/north", "town/south", "village"]


def test_a_panel_is_made_a_place_at_a_time(desk) -> None:
    """What is not asked for is not made: memory does not grow with the places."""
    table = panel(desk, ["town", "no such place"] * 1000, "control", span(0, 5), "day", "then")
    assert isinstance(table.blocks, Iterator)
    assert next(table.blocks).place == "town"


def test_a_panel_tells_how_far_it_has_come(desk) -> None:
    told_so_far: list[tuple[int, int]] = []
    table = panel(
        desk, PLACES, "control", span(0, 5), "day", "then", lambda what, n, of: told_so_far.append((n, of))
    )
    list(table.rows)
    assert told_so_far == [(0, 3), (1, 3), (2, 3), (3, 3)]


# -- files ---------------------------------------------------------------------------------------------------

FORMS = ("csv", "jsonl", "parquet")


def needs(form: str) -> None:
    if form == "parquet":
        pytest.importorskip("pyarrow.parquet")


def test_a_panel_as_csv_jsonl_and_parquet_says_the_same(desk, tmp_path, capsys) -> None:
    def table():
        return panel(desk, PLACES, "control", span(0, 9), "day", "then")

    expected = list(table().rows)
    write(table(), "csv", tmp_path / "panel.csv")
    lines = list(csv.DictReader((tmp_path / "panel.csv").open(encoding="utf-8")))
    assert lines == [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in expected
    ]
    write(table(), "jsonl", None)
    assert [orjson.loads(line) for line in io.StringIO(capsys.readouterr().out)] == expected
    parquet = pytest.importorskip("pyarrow.parquet")
    write(table(), "parquet", tmp_path / "panel.parquet")
    read = parquet.read_table(tmp_path / "panel.parquet").to_pylist()
    assert read == expected


def test_parquet_has_numbers_as_numbers_and_row_groups_of_bounded_size(desk, tmp_path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = panel(desk, PLACES * 400, "control", span(0, 69), "day", "then")
    write(table, "parquet", tmp_path / "panel.parquet")
    file = parquet.ParquetFile(tmp_path / "panel.parquet")
    assert [str(one) for one in file.schema_arrow.types] == [*["string"] * 4, *["double"] * 3, "string"]
    assert file.metadata.num_rows == 3 * 400 * 70
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    assert len(sizes) == 2 and max(sizes) < 60_000


@pytest.mark.parametrize("form", FORMS)
def test_a_panel_of_no_places_is_still_a_table(desk, tmp_path, form) -> None:
    needs(form)
    write(panel(desk, [], "control", span(0, 9), "day", "then"), form, tmp_path / "panel")
    assert (tmp_path / "panel").exists()


def breaking(desk, error: BaseException) -> Panel:
    """A panel that breaks off after its first place."""
    table = panel(desk, PLACES, "control", span(0, 9), "day", "then")

    def blocks():
        yield next(table.blocks)
        raise error

    return replace(table, blocks=blocks())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), UnknownName("gone")])
@pytest.mark.parametrize("before", [None, b"an older panel"])
def test_what_breaks_off_a_panel_leaves_no_half_file(desk, tmp_path, form, error, before) -> None:
    needs(form)
    out = tmp_path / "panel.out"
    if before is not None:
        out.write_bytes(before)
    with pytest.raises(type(error)):
        write(breaking(desk, error), form, out)
    assert [path.name for path in tmp_path.iterdir()] == ([] if before is None else ["panel.out"])
    assert before is None or out.read_bytes() == before


@pytest.mark.parametrize("form", FORMS)
def test_a_full_disk_is_said_so_and_leaves_nothing(desk, tmp_path, form) -> None:
    needs(form)
    full = OSError(28, "No space left on device")
    with pytest.raises(WriteFailed, match=r"No space left"):
        write(breaking(desk, full), form, tmp_path / "panel.out")
    assert list(tmp_path.iterdir()) == []


def test_a_panel_through_a_link_replaces_what_it_leads_to_and_keeps_its_rights(desk, tmp_path) -> None:
    (tmp_path / "real.csv").write_text("old")
    (tmp_path / "real.csv").chmod(0o640)
    (tmp_path / "link.csv").symlink_to("real.csv")
    write(panel(desk, ["town"], "control", span(0, 1), "day", "then"), "csv", tmp_path / "link.csv")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("place,name,day,known_by")
    assert stat.S_IMODE((tmp_path / "real.csv").stat().st_mode) == 0o640


def test_a_panel_into_a_device_goes_there(desk) -> None:
    write(panel(desk, ["town"], "control", span(0, 1), "day", "then"), "csv", Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


def test_names_from_outside_are_made_visible_and_run_by_no_spreadsheet(tmp_path, capsys) -> None:
    name = "=HYPERLINK(1)\x1b[31m"
    world = World.of(told("place-registered", "evil", place="own:evil", names=[name]))
    with Scribe(tmp_path / "book.db") as scribe:
        scribe.tell(world.told)
        with scribe.desk() as desk:
            for form in ("csv", "jsonl"):
                write(panel(desk, ["own:evil"], "control", span(0, 0), "day", "then"), form, None)
                said = capsys.readouterr().out
                assert "\x1b" not in said
                assert ("'=HYPERLINK" in said) == (form == "csv")


# -- the command ---------------------------------------------------------------------------------------------


def test_without_a_place_the_command_writes_every_registered_place(claims: CommandLine, demo: Path) -> None:
    said = claims.run("panel", "2025-12-16..2025-12-16", db=demo).out
    found = [row["place"] for row in csv.DictReader(io.StringIO(said))]
    assert sorted(found) == sorted(one["id"] for one in claims("places", db=demo)["places"])


def test_a_place_named_twice_is_written_once(claims: CommandLine, demo: Path) -> None:
    said = claims.run("panel", "2025-12-16..2025-12-16", "Kupyansk", "Купянск", db=demo).out
    assert len(said.splitlines()) == 2


def test_a_panel_that_nobody_reads_to_the_end_is_no_error(demo: Path, tmp_path: Path) -> None:
    script = Path(sys.executable).with_name("claims")
    line = f"'{script}' panel 2000-01-01..2025-12-31 --db '{demo}' | head -n 2; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(done.stdout.splitlines()) == 2


@pytest.mark.parametrize("form", FORMS)
def test_an_interrupted_command_leaves_no_half_panel(demo: Path, tmp_path: Path, form: str) -> None:
    needs(form)
    script = Path(sys.executable).with_name("claims")
    words = ["panel", "0001-01-01..2025-12-31", "--db", demo, "--format", form, "-o", "p.out"]
    running = subprocess.Popen([script, *words], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("p.out.*.partial")):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == INTERRUPTED
    assert said.splitlines()[-1].startswith("claims: interrupted")
    assert list(tmp_path.iterdir()) == []
