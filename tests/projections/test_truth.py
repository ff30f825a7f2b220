"""Truth files: what is taken, and what is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import AmbiguousName, BadDate, LedgerError, UnknownName, Usage
from projections.truth import Truth, read_truth
from tests.projections.worlds import ZERO, Shelf, World, date, told

WORLD = World.of(
    told("place-registered", "twin-1", place="own:twin-1", names=["Twin"], region="East"),
    told("place-registered", "twin-2", place="own:twin-2", names=["Twin"], region="West"),
    told("place-described", "village-too", place="village", names=["Село"]),
    told("place-merged", "merged", place="hamlet", into="town"),
)
DIRECTORY = Shelf(WORLD.told).directory()


def read(tmp_path: Path, *lines: str, header: str = "place,day,state", question="control", **told) -> Truth:
    file = tmp_path / "truth.csv"
    file.write_text("\n".join([header, *lines, ""]), "utf-8")
    return read_truth(file, DIRECTORY, question, ZERO + 30, **told)


def refused(tmp_path: Path, *lines: str, line: int, kind: type[LedgerError] = Usage, **told) -> str:
    with pytest.raises(kind) as caught:
        read(tmp_path, *lines, **told)
    assert caught.value.where == f"{tmp_path / 'truth.csv'}:{line}"
    assert caught.value.remedy, "a refusal says what to do next"
    return str(caught.value)


# -- taken ---------------------------------------------------------------------------------------------------


def test_places_and_days_come_in_order(tmp_path) -> None:
    found = read(tmp_path, f"Village,{date(3)},RU", f"Town,{date(2)},UA", f"Town,{date(1)},RU")
    assert found.places == {"town": {ZERO + 1: "RU", ZERO + 2: "UA"}, "village": {ZERO + 3: "RU"}}
    assert list(found.places) == ["town", "village"]
    assert list(found.places["town"]) == [ZERO + 1, ZERO + 2]
    assert (found.rows, found.days) == (3, (ZERO + 1, ZERO + 3))


@pytest.mark.parametrize("spelling", ["village", "VILLAGE", " Village ", "Село", "СЕЛО"])
def test_any_registered_spelling_of_a_place_will_do(tmp_path, spelling) -> None:
    assert list(read(tmp_path, f"{spelling},{date(0)},UA").places) == ["village"]


def test_a_place_that_was_merged_is_the_one_it_was_merged_into(tmp_path) -> None:
    assert list(read(tmp_path, f"Hamlet,{date(0)},UA").places) == ["town"]


def test_a_homonym_may_be_told_by_its_region(tmp_path) -> None:
    assert list(read(tmp_path, f'"Twin, West",{date(0)},UA').places) == ["own:twin-2"]


def test_other_columns_and_another_order_do_not_matter(tmp_path) -> None:
    found = read(tmp_path, f"UA,seen by me,Town,{date(0)}", header="state,note,place,day")
    assert found.places == {"town": {ZERO: "UA"}}


def test_states_are_those_of_the_question_in_any_case(tmp_path) -> None:
    assert read(tmp_path, f"Town,{date(0)},Destroyed", question="bridge").places == {
        "town": {ZERO: "destroyed"}
    }


def test_a_moment_is_its_day_in_utc(tmp_path) -> None:
    assert read(tmp_path, f"Town,{date(3)}T23:30:00-02:00,UA").places == {"town": {ZERO + 4: "UA"}}


def test_the_same_row_twice_counts_once(tmp_path) -> None:
    found = read(tmp_path, f"Town,{date(0)},UA", f"town,{date(0)},ua", f"Hamlet,{date(0)},UA")
    assert (found.rows, found.repeated) == (1, 2)


def test_a_byte_order_mark_and_blank_lines_are_passed_over(tmp_path) -> None:
    (tmp_path / "truth.csv").write_bytes(f"\ufeffplace,day,state\r\n\r\nTown,{date(0)},UA\r\n".encode())
    assert read_truth(tmp_path / "truth.csv", DIRECTORY, "control", ZERO).rows == 1


def test_today_has_begun_and_may_have_a_truth(tmp_path) -> None:
    assert read(tmp_path, f"Town,{date(30)},UA").rows == 1


# -- refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", ["place", "day", "state"])
def test_a_missing_column_is_named(tmp_path, missing) -> None:
    header = "place,day,state".replace(missing, "other")
    said = refused(tmp_path, f"Town,{date(0)},UA", line=1, header=header)
    assert f"no column {missing!r}" in said and header.replace(",", ", ") in said


def test_a_file_without_a_header_is_refused_by_its_first_row(tmp_path) -> None:
    said = refused(tmp_path, line=1, header=f"Town,{date(0)},UA")
    assert "there is no column 'place'" in said


@pytest.mark.parametrize("lines", [[], ["", ""], [",,"]])
def test_a_file_without_rows_is_refused(tmp_path, lines) -> None:
    with pytest.raises(Usage, match="no rows"):
        read(tmp_path, *lines)


def test_an_empty_file_is_refused(tmp_path) -> None:
    (tmp_path / "truth.csv").write_bytes(b"")
    with pytest.raises(Usage, match="no header"):
        read_truth(tmp_path / "truth.csv", DIRECTORY, "control", ZERO)


def test_a_file_that_is_not_there_is_refused(tmp_path) -> None:
    with pytest.raises(Usage, match="No such file"):
        read_truth(tmp_path / "truth.csv", DIRECTORY, "control", ZERO)


def test_semicolons_are_named_with_what_to_do_here(tmp_path) -> None:
    said = refused(tmp_path, f"Town;{date(0)};UA", line=1, header="place;day;state")
    assert "commas" in said and "map" not in said


def test_a_packed_file_is_named_with_what_to_do_here(tmp_path) -> None:
    (tmp_path / "truth.csv").write_bytes(b"\x1f\x8b\x08\x00 and so on")
    with pytest.raises(Usage, match="claims backtest -"):
        read_truth(tmp_path / "truth.csv", DIRECTORY, "control", ZERO)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Town,2025-02-30,UA", "does not exist"),
        ("Town,2025-13-01,UA", "2025-13-01"),
        ("Town,2025-11,UA", "not one exact day"),
        ("Town,2025-10-21~,UA", "not one exact day"),
        ("Town,2025-10-21/2025-10-22,UA", "not one exact day"),
        ("Town,2025-10-XX,UA", "not one exact day"),
        ("Town,yesterday,UA", "yesterday"),
        ("Town,21.10.2025,UA", "21.10.2025"),
        ("Town,45951,UA", "45951"),
        (f"Town,{date(31)},UA", "yet to come"),
        ("Town,9999-12-31,UA", "yet to come"),
    ],
)
def test_what_is_no_day_gone_by_is_refused(tmp_path, line, said) -> None:
    assert said in refused(tmp_path, f"Town,{date(0)},UA", line, line=3, kind=BadDate)


@pytest.mark.parametrize("question", ["control", "bridge"])
def test_a_state_that_the_question_has_not_is_refused_with_those_it_has(tmp_path, question) -> None:
    said = refused(tmp_path, f"Town,{date(0)},taken", line=2, kind=UnknownName, question=question)
    assert "States: " in said


def test_unknown_is_no_state_of_the_truth(tmp_path) -> None:
    refused(tmp_path, f"Town,{date(0)},unknown", line=2, kind=UnknownName)


def test_an_unknown_place_is_refused_with_a_suggestion(tmp_path) -> None:
    said = refused(tmp_path, f"Town,{date(0)},UA", f"Vilage,{date(0)},UA", line=3, kind=UnknownName)
    assert "Did you mean village (Village" in said and "--skip-unknown" in said


def test_a_homonym_is_refused_even_where_the_unknown_is_left_out(tmp_path) -> None:
    refused(tmp_path, f"Twin,{date(0)},UA", line=2, kind=AmbiguousName, skip_unknown=True)


@pytest.mark.parametrize(
    ("line", "empty"), [(",2025-10-21,UA", "place"), ("Town,,UA", "day"), ("Town,2025-10-21, ", "state")]
)
def test_an_empty_cell_is_refused(tmp_path, line, empty) -> None:
    assert f"the {empty} is empty" in refused(tmp_path, line, line=2)


def test_a_row_of_another_width_is_refused(tmp_path) -> None:
    assert "2 cells" in refused(tmp_path, f"Town,{date(0)}", line=2)


def test_bytes_that_are_no_utf8_are_refused(tmp_path) -> None:
    (tmp_path / "truth.csv").write_bytes(b"place,day,state\n\xca\xf3\xef,2025-10-21,UA\n")
    with pytest.raises(Usage, match=r"truth.csv:2: .* is not UTF-8"):
        read_truth(tmp_path / "truth.csv", DIRECTORY, "control", ZERO + 30)


@pytest.mark.parametrize("other", ["Town", "town", "Hamlet"])
def test_a_truth_that_contradicts_itself_is_refused_with_both_lines(tmp_path, other) -> None:
    lines = [f"Town,{date(0)},UA", f"Village,{date(0)},RU", f"{other},{date(0)},RU"]
    said = refused(tmp_path, *lines, line=4)
    assert f"Town is RU on {date(0)} here, and UA in line 2" in said


def test_a_quoted_line_break_does_not_shift_the_lines_named(tmp_path) -> None:
    lines = [f'Town,{date(0)},UA,"two\nlines"', "Town,2025-02-30,UA,x"]
    refused(tmp_path, *lines, line=4, kind=BadDate, header="place,day,state,note")


# -- leaving out ---------------------------------------------------------------------------------------------


def test_rows_on_unknown_places_can_be_left_out_and_are_counted(tmp_path) -> None:
    lines = [f"Town,{date(0)},UA", f"Atlantis,{date(0)},RU", f"Atlantis,{date(1)},RU", f"Ys,{date(0)},RU"]
    found = read(tmp_path, *lines, skip_unknown=True)
    assert (found.rows, found.skipped, found.unknown) == (1, 3, {"Atlantis": 2, "Ys": 1})


def test_where_all_rows_would_be_left_out_the_file_is_refused(tmp_path) -> None:
    with pytest.raises(Usage, match=r"no row is on a place that the ledger knows \(1 left out\)"):
        read(tmp_path, f"Atlantis,{date(0)},RU", skip_unknown=True)


@pytest.mark.parametrize(("line", "kind"), [("Ys,2025-02-30,RU", BadDate), ("Ys,2025-10-20,XX", UnknownName)])
def test_a_mistake_in_a_row_that_would_be_left_out_is_still_refused(tmp_path, line, kind) -> None:
    refused(tmp_path, line, line=2, kind=kind, skip_unknown=True)
