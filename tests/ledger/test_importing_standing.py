"""Standing lists: what a change of a display adds, and that looking twice never adds anything."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.book import Draft, Ledger
from ledger.codec import Recorded
from ledger.importing import MapTranslator, Tally, import_file, open_records, parse

MAP = """
schema = "claims-map/1"
standing = true
[constants]
claimant = "list"
[columns]
place = "place"
state = "state"
published = "seen"
valid = "as_of"
act = "act"
url = "url"
[values.state]
Ukraine = "UA"
Russia = "RU"
Contested = "contested"
[values.act]
"" = "asserts"
gone = "withdraws"
[dates.valid]
formats = ["%d %B %Y", "%d %b %Y", "edtf"]
"""
COLUMNS = ("seen", "place", "state", "as_of", "act", "url")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with small(tmp_path / "l.db") as book:
        yield book


def small(path: Path) -> Ledger:
    book = Ledger.create(path, ledger="test")
    drafts = [Draft.of("party-named", {"party": party}) for party in ("UA", "RU")]
    drafts.append(Draft.of("source-registered", {"source": "list", "kind": "list"}))
    drafts += [Draft.of("place-registered", {"place": p, "names": [p.title()]}) for p in ("lyman", "izium")]
    book.append(drafts)
    return book


def show(book: Ledger, *rows: tuple[str, ...], rules: str = MAP) -> Tally:
    """Import rows of (seen, state, as_of, act, url) for Lyman; ``Place:state`` for another town."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for seen, state, *rest in rows:
        place, _, state = ("Lyman:" + state).rpartition(":")
        writer.writerow([seen, place.removeprefix("Lyman:"), state, *rest, *[""] * (3 - len(rest))])
    records = open_records(io.BytesIO(out.getvalue().encode()), "csv", name="list.csv")
    return import_file(book, records, MapTranslator(parse(rules, "m"), columns=records.columns))


def shown(book: Ledger) -> list[Recorded]:
    """What was recorded after the registry."""
    return list(book.events(7))


def names(book: Ledger) -> list[str]:
    return [event.name for event in shown(book)]


MAY1, MAY2, MAY3, MAY9 = (f"2022-05-0{day}T12:00:00Z" for day in (1, 2, 3, 9))


# -- what a row adds -----------------------------------------------------------------------------------


def test_the_first_row_is_a_standing_claim_of_the_day_it_speaks_of(ledger: Ledger) -> None:
    show(ledger, (MAY2, "Russia", "1 May 2022", "", "https://x.example"))
    [claim] = shown(ledger)
    assert claim.data == {
        "claimant": "list",
        "place": "lyman",
        "state": "RU",
        "standing": True,
        "valid": "2022-05-01",
        "published": MAY2,
    }
    assert ledger.body(claim.position) == {
        "url": "https://x.example",
        "as_written": {"place": "Lyman", "state": "Russia", "valid": "1 May 2022"},
    }


def test_without_a_day_of_its_own_a_claim_speaks_of_the_day_it_was_seen(ledger: Ledger) -> None:
    show(ledger, ("2022-05-02T01:00:00+03:00", "Russia"))
    assert shown(ledger)[0].data["valid"] == "2022-05-01"


def test_another_state_is_another_standing_claim(ledger: Ledger) -> None:
    show(ledger, (MAY1, "Russia"), (MAY9, "Ukraine"))
    assert [event.data["state"] for event in shown(ledger)] == ["RU", "UA"]


def test_two_ways_to_write_a_date_are_no_change(ledger: Ledger) -> None:
    rows = [(MAY1, "Russia", "1 May 2022"), (MAY2, "Russia", "01 May 2022"), (MAY3, "Russia", "2022-05-01")]
    tally = show(ledger, *rows)
    assert (tally.new, tally.unchanged) == (1, 2)


def test_another_url_or_remark_is_no_change(ledger: Ledger) -> None:
    tally = show(ledger, (MAY1, "Russia", "", "", "https://a.example"), (MAY2, "Russia", "", "", "b"))
    assert (tally.new, tally.unchanged) == (1, 1)


def test_a_row_that_names_no_day_moves_none(ledger: Ledger) -> None:
    tally = show(ledger, (MAY1, "Russia", "1 May 2022"), (MAY9, "Russia", ""))
    assert (tally.new, tally.unchanged) == (1, 1)


def test_a_later_day_of_the_same_state_is_an_observation(ledger: Ledger) -> None:
    show(ledger, (MAY1, "Russia", "1 May 2022"), (MAY3, "Russia", "3 May 2022"))
    assert names(ledger) == ["claim-reported", "display-observed"]
    assert shown(ledger)[1].data == {
        "source": "list",
        "place": "lyman",
        "published": MAY3,
        "valid": "2022-05-03",
    }


def test_an_earlier_day_corrects_the_claim_in_force(ledger: Ledger) -> None:
    show(ledger, (MAY3, "Russia", "3 May 2022"), (MAY9, "Russia", "1 May 2022"))
    claim, correction = shown(ledger)
    assert correction.name == "entry-corrected"
    assert correction.data["target"] == claim.entry
    assert correction.data["changes"] == {"valid": "2022-05-01"}
    assert ledger.effective(claim.entry) == ("claim-reported", {**claim.data, "valid": "2022-05-01"})


def test_an_earlier_day_corrects_the_observation_that_brought_the_later_one(ledger: Ledger) -> None:
    show(
        ledger,
        (MAY1, "Russia", "1 May 2022"),
        (MAY3, "Russia", "3 May 2022"),
        (MAY9, "Russia", "2 May 2022"),
    )
    claim, observation, correction = shown(ledger)
    assert correction.data["target"] == observation.entry
    assert ledger.effective(claim.entry) == ("claim-reported", claim.data)


def test_the_day_seen_gives_way_to_an_earlier_day_that_is_named_later(ledger: Ledger) -> None:
    show(ledger, (MAY3, "Russia"), (MAY9, "Russia", "1 May 2022"))
    assert shown(ledger)[1].data["changes"] == {"valid": "2022-05-01"}


def test_a_day_taken_back_and_given_again_is_observed_again(ledger: Ledger) -> None:
    show(
        ledger,
        (MAY1, "Russia", "1 May 2022"),
        (MAY2, "Russia", "30 April 2022"),
        (MAY3, "Russia", "1 May 2022"),
    )
    assert names(ledger) == ["claim-reported", "entry-corrected", "display-observed"]


def test_a_town_that_is_listed_no_more_is_withdrawn(ledger: Ledger) -> None:
    show(ledger, (MAY1, "Russia"), (MAY9, "", "", "gone"))
    assert shown(ledger)[1].data == {
        "source": "list",
        "place": "lyman",
        "published": MAY9,
        "valid": "2022-05-09",
    }


def test_a_town_withdrawn_twice_is_withdrawn_once(ledger: Ledger) -> None:
    tally = show(ledger, (MAY1, "Russia"), (MAY2, "", "", "gone"), (MAY9, "", "", "gone"))
    assert (tally.new, tally.unchanged) == (2, 1)


def test_what_was_never_shown_cannot_be_withdrawn(ledger: Ledger) -> None:
    tally = show(ledger, (MAY1, "", "", "gone"))
    assert tally.rejects[0].reason.startswith("list withdraws what it was never seen to show of lyman")


def test_a_town_listed_again_as_before_is_a_claim_again(ledger: Ledger) -> None:
    show(ledger, (MAY1, "Russia"), (MAY2, "", "", "gone"), (MAY9, "Russia"))
    assert names(ledger) == ["claim-reported", "claim-withdrawn", "claim-reported"]


@pytest.mark.parametrize(
    ("back", "marks"), [("2022-05-04T12:00:00Z", ["flip-back-48h"]), ("2022-05-04T12:00:01Z", None)]
)
def test_a_state_that_comes_back_within_48_hours_and_not_later_is_marked(
    ledger: Ledger, back: str, marks: list[str] | None
) -> None:
    tally = show(ledger, (MAY1, "Russia"), (MAY2, "Ukraine"), (back, "Russia"))
    assert [event.data.get("marks") for event in shown(ledger)] == [None, None, marks]
    assert tally.marked == (marks is not None)


def test_a_third_state_within_48_hours_is_not_marked(ledger: Ledger) -> None:
    assert show(ledger, (MAY1, "Russia"), (MAY2, "Ukraine"), (MAY3, "Contested")).marked == 0


def test_a_town_removed_and_back_within_48_hours_is_marked(ledger: Ledger) -> None:
    show(ledger, (MAY1, "Russia"), (MAY2, "", "", "gone"), (MAY3, "Russia"), (MAY9, "", "", "gone"))
    assert [event.data.get("marks") for event in shown(ledger)] == [None, None, ["flip-back-48h"], None]


def test_a_mark_counts_from_the_change_not_from_the_last_look(ledger: Ledger) -> None:
    tally = show(
        ledger,
        (MAY1, "Russia"),
        (MAY2, "Ukraine", "2 May 2022"),
        ("2022-05-08T12:00:00Z", "Ukraine", "8 May 2022"),
        (MAY9, "Russia"),
    )
    assert tally.marked == 0


def test_the_hours_of_a_flip_back_are_the_maps_to_say(ledger: Ledger) -> None:
    rules = MAP + "[list]\nflip_back_hours = 24\n"
    show(ledger, (MAY1, "Russia"), (MAY2, "Ukraine"), (MAY3, "Russia"), rules=rules)
    assert shown(ledger)[2].data["marks"] == ["flip-back-24h"]


def test_days_on_which_a_file_of_changes_has_rows_are_days_the_whole_list_was_seen(ledger: Ledger) -> None:
    rules = MAP + "[list]\nobserve_whole = true\n"
    rows = [(MAY1, "Russia"), ("2022-05-01T20:00:00Z", "Izium:Ukraine"), (MAY9, "Russia")]
    assert show(ledger, *rows, rules=rules).unchanged == 1
    whole = [event.data for event in shown(ledger) if event.name == "display-observed"]
    assert whole == [{"source": "list", "published": MAY1}, {"source": "list", "published": MAY9}]
    assert show(ledger, *rows, rules=rules).new == 0


# -- rows that cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (("2022-05-01T12:00:00Z", "Russia", "3 May 2022"), "lies after the row was seen"),
        (("2022-05-01T12:00:00Z", "Russia", "https://x.example"), "valid: 'https://x.example' is not a date"),
        (("2022-05-01T12:00:00Z", "Rusia"), "not in [values.state]"),
        (("2022-05-01T12:00:00Z", ""), "a claim needs a state"),
        (("", "Russia"), "published is missing"),
        (("2022-05-01/..", "Russia"), "has no end"),
        (("2022-05-01T12:00:00Z", "Moscow:Russia"), "no place 'Moscow'"),
        (("2022-05-01T12:00:00Z", "Russia", "", "doubts"), "not in [values.act]"),
    ],
    ids=range(8),
)
def test_a_row_that_cannot_be_is_rejected_and_does_not_count_as_shown(
    ledger: Ledger, row: tuple[str, ...], what: str
) -> None:
    tally = show(ledger, row, (MAY9, "Russia"))
    assert (tally.rejected, tally.new) == (1, 1)
    assert what in tally.rejects[0].reason
    assert tally.rejects[0].line == 2


def test_a_day_of_grace_is_given_for_time_zones(ledger: Ledger) -> None:
    assert show(ledger, ("2022-05-01T22:00:00Z", "Russia", "2 May 2022")).new == 1


def test_rows_out_of_order_are_rejected_with_the_remedy(ledger: Ledger) -> None:
    tally = show(ledger, (MAY9, "Russia"), (MAY1, "Ukraine"), ("2022-05-10T12:00:00Z", "Ukraine"))
    assert (tally.new, tally.rejected) == (2, 1)
    assert "oldest first" in tally.rejects[0].reason


def test_other_towns_may_come_in_any_order(ledger: Ledger) -> None:
    assert show(ledger, (MAY9, "Russia"), (MAY1, "Izium:Ukraine")).new == 2


def test_one_instant_shows_one_thing(ledger: Ledger) -> None:
    tally = show(ledger, (MAY1, "Russia"), (MAY1, "Ukraine"), (MAY1, "Russia"))
    assert (tally.new, tally.already, tally.rejected) == (1, 1, 1)
    assert "two rows show lyman differently" in tally.rejects[0].reason


def test_what_is_recorded_for_an_instant_is_not_contradicted(ledger: Ledger) -> None:
    show(ledger, (MAY1, "Russia"), (MAY9, "Ukraine"))
    tally = show(ledger, (MAY1, "Contested"))
    assert (tally.new, tally.conflicting) == (0, 1)
    assert "other content" in tally.rejects[0].reason


# -- twice ---------------------------------------------------------------------------------------------

SAGA = [
    (MAY1, "Russia"),
    ("2022-05-01T13:00:00Z", "Izium:Contested", "30 April 2022"),
    (MAY2, "Russia", "30 April 2022"),
    (MAY3, "Ukraine", "3 May 2022"),
    ("2022-05-04T00:00:00Z", "Russia", "3 May 2022"),
    ("2022-05-05T00:00:00Z", "Russia", "5 May 2022"),
    ("2022-05-06T00:00:00Z", "Russia", "4 May 2022"),
    ("2022-05-07T00:00:00Z", "", "", "gone"),
    ("2022-05-08T00:00:00Z", "Russia", "4 May 2022"),
]


def test_a_file_imported_again_adds_nothing(ledger: Ledger) -> None:
    first = show(ledger, *SAGA)
    size = ledger.store.head().size
    again = show(ledger, *SAGA)
    assert (again.new, again.already, again.unchanged) == (0, first.new, first.unchanged)
    assert ledger.store.head().size == size


@pytest.mark.parametrize("cut", range(len(SAGA) + 1))
def test_a_file_that_grew_adds_what_one_import_would_have(ledger: Ledger, cut: int, tmp_path: Path) -> None:
    show(ledger, *SAGA[:cut])
    show(ledger, *SAGA)
    with small(tmp_path / "other.db") as other:
        show(other, *SAGA)
        assert [e.data for e in shown(ledger)] == [e.data for e in shown(other)]


@pytest.mark.parametrize("cut", range(len(SAGA) + 1))
def test_the_rest_of_a_file_alone_adds_what_the_whole_would_have(
    ledger: Ledger, cut: int, tmp_path: Path
) -> None:
    show(ledger, *SAGA[:cut])
    show(ledger, *SAGA[cut:])
    with small(tmp_path / "other.db") as other:
        show(other, *SAGA)
        assert [e.data for e in shown(ledger)] == [e.data for e in shown(other)]


def test_an_older_file_imported_later_adds_what_lies_before_and_disturbs_nothing(ledger: Ledger) -> None:
    show(ledger, (MAY9, "Russia", "9 May 2022"))
    tally = show(ledger, (MAY1, "Ukraine", "1 May 2022"))
    assert (tally.new, tally.already) == (1, 0)
    again = show(ledger, (MAY1, "Ukraine", "1 May 2022"), (MAY9, "Russia", "9 May 2022"))
    assert (again.new, again.already) == (0, 2)


def test_marks_that_more_knowledge_would_set_do_not_record_a_row_anew(ledger: Ledger) -> None:
    show(ledger, (MAY3, "Russia"))
    show(ledger, (MAY1, "Russia"), (MAY2, "Ukraine"))
    again = show(ledger, (MAY1, "Russia"), (MAY2, "Ukraine"), (MAY3, "Russia"))
    assert (again.new, again.already, again.conflicting) == (0, 3, 0)


@pytest.mark.parametrize(
    "changes", [{"state": "contested"}, {"valid": "2022-04-15"}, {"valid": "2022-05-02"}]
)
def test_what_a_person_corrected_is_not_recorded_anew(ledger: Ledger, changes: dict[str, Any]) -> None:
    show(ledger, *SAGA)
    claim = shown(ledger)[0]
    ledger.append([Draft.of("entry-corrected", {"target": claim.entry, "changes": changes})])
    again = show(ledger, *SAGA)
    assert (again.new, again.conflicting) == (0, 0)


def test_a_state_repaired_by_hand_and_in_the_map_is_not_recorded_anew(ledger: Ledger) -> None:
    wrong = MAP.replace('Russia = "RU"', 'Russia = "contested"')
    rows = [(MAY1, "Russia", "1 May 2022"), (MAY2, "Russia", "1 May 2022"), (MAY9, "Ukraine")]
    show(ledger, *rows, rules=wrong)
    changes = {"state": "RU"}
    ledger.append([Draft.of("entry-corrected", {"target": shown(ledger)[0].entry, "changes": changes})])
    again = show(ledger, *rows)
    assert (again.new, again.already, again.unchanged, again.conflicting) == (0, 1, 2, 0)


def test_a_retraction_of_a_display_does_not_record_it_anew(ledger: Ledger) -> None:
    show(ledger, *SAGA)
    claim = shown(ledger)[0]
    ledger.append([Draft.of("entry-retracted", {"target": claim.entry, "source": "list"})])
    assert show(ledger, *SAGA).new == 0


_day = st.integers(1, 9)
_row = st.tuples(
    st.sampled_from(["Russia", "Ukraine", "Izium:Russia", "Izium:Ukraine", "gone", "Izium:gone"]),
    st.one_of(st.just(0), _day),
    st.integers(1, 60),
)


def _timed(rows: list[tuple[str, int, int]]) -> list[tuple[str, ...]]:
    """Rows with rising instants, ten hours or so apart, and days of April that jump about."""
    hours = 0
    timed: list[tuple[str, ...]] = []
    for state, day, step in rows:
        hours += step
        seen = f"2022-05-{1 + hours // 24:02d}T{hours % 24:02d}:00:00Z" if hours < 31 * 24 else None
        if seen is None:
            break
        as_of = f"2022-04-{day:02d}" if day else ""
        place = "Izium:" if state.startswith("Izium") else ""
        what = state.removeprefix("Izium:")
        timed.append((seen, place, as_of, "gone") if what == "gone" else (seen, place + what, as_of))
    return timed


_examples = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@_examples
@given(st.lists(_row, max_size=14), st.data())
def test_however_a_file_is_cut_the_record_is_the_same_and_twice_is_once(
    rows: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    timed = _timed(rows)
    cut = data.draw(st.integers(0, len(timed)))
    with (
        TemporaryDirectory() as folder,
        small(Path(folder) / "a.db") as whole,
        small(Path(folder) / "b.db") as parts,
    ):
        first = show(whole, *timed)
        again = show(whole, *timed)
        show(parts, *timed[:cut])
        show(parts, *timed[cut:])
        show(parts, *timed)
        assert again.new == again.conflicting == 0
        assert again.rejected == first.rejected
        assert [e.data for e in shown(parts)] == [e.data for e in shown(whole)]


@_examples
@given(st.lists(_row, max_size=16), st.data())
def test_whatever_is_recorded_already_a_file_imported_twice_in_a_row_adds_nothing_the_second_time(
    rows: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    timed = _timed(rows)
    with TemporaryDirectory() as folder, small(Path(folder) / "a.db") as book:
        for _ in range(3):
            kept = data.draw(st.lists(st.booleans(), min_size=len(timed), max_size=len(timed)))
            part = [row for row, keep in zip(timed, kept, strict=True) if keep]
            first = show(book, *part)
            again = show(book, *part)
            assert again.new == 0
            assert (again.rejected, again.conflicting) == (first.rejected, first.conflicting)
