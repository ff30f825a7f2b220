"""Wikipedia's list of towns: the traps that are really in it, on the sample and, where it is at hand, on all."""

from __future__ import annotations

import csv
import io
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.book import Draft, Ledger
from ledger.codec import Recorded
from ledger.errors import BadMap
from ledger.importing import Tally, import_file, prepare

FIXTURES = Path(__file__).parents[2] / "fixtures"
SAMPLE = FIXTURES / "wikipedia" / "sample.csv"
WHOLE = Path(os.environ.get("CLAIMS_SHARED", "/nonexistent")) / "data" / "wikipedia_22towns.csv"
MAP = "wikipedia_22towns"
KUPIANSK = "wikidata:Q889555"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "l.db", ledger="test") as book:
        yield book


def load(book: Ledger, source: Path | io.BytesIO = SAMPLE, *, register: bool = True) -> Tally:
    records, translator = prepare(source, kind="csv", map_file=MAP, name="towns.csv")
    with records:
        return import_file(book, records, translator, register=register)


def of(book: Ledger, place: str) -> list[Recorded]:
    """What was recorded of a place, corrections of it included."""
    events = list(book.events())
    ids = {event.entry for event in events if event.data.get("place") == place}
    return [e for e in events if e.entry in ids or e.data.get("target") in ids]


def test_the_sample_is_accounted_for_row_by_row(ledger: Ledger) -> None:
    tally = load(ledger)
    assert (tally.rows, tally.unchanged, tally.rejected, tally.conflicting) == (40, 17, 5, 0)
    places = sum(1 for e in ledger.events() if e.name == "display-observed" and "place" in e.data)
    assert places == 3
    assert (tally.events["claim-reported"], tally.events["claim-withdrawn"]) == (11, 2)
    assert tally.events["entry-corrected"] == 2
    assert 11 + 2 + 2 + places + 17 + 5 == 40


def test_the_sample_imported_again_adds_nothing(ledger: Ledger) -> None:
    first, size = load(ledger), ledger.store.head().size
    again = load(ledger)
    assert (again.new, again.registered, again.already) == (0, 0, first.new)
    assert ledger.store.head().size == size


def test_shifted_columns_are_rejected_with_line_and_reason(ledger: Ledger) -> None:
    tally = load(ledger)
    assert all("page_update is '" in one.reason for one in tally.rejects)
    assert {one.row["seen_at_utc"] for one in tally.rejects} == {"2022-04-02T22:16:29Z"}
    with SAMPLE.open(encoding="utf-8") as lines:
        shifted = [n for n, line in enumerate(lines, 1) if line.startswith("2022-04-02T22:16:29Z")]
    assert [one.line for one in tally.rejects] == shifted


def test_a_shift_is_found_by_the_day_alone_as_well(ledger: Ledger) -> None:
    with SAMPLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        row["page_update"] = ""
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    tally = load(ledger, io.BytesIO(out.getvalue().encode()))
    assert tally.rejected == 5
    assert all("valid: 'https://" in one.reason for one in tally.rejects)


def test_the_quarrel_over_how_to_write_a_date_adds_nothing(ledger: Ledger) -> None:
    load(ledger)
    assert not [e for e in of(ledger, KUPIANSK) if e.data.get("published", "").startswith("2022-10-11")]


def test_a_proclaimed_republic_is_read_as_russia_and_kept_as_written(ledger: Ledger) -> None:
    load(ledger)
    first = of(ledger, "wikidata:Q2416423")[1]
    assert first.data["state"] == "RU"
    assert ledger.body(first.position)["as_written"]["state"] == "Donetsk PR"


def test_a_town_taken_off_the_list_is_withdrawn_and_a_flip_is_marked(ledger: Ledger) -> None:
    load(ledger)
    said = [(e.name, e.data.get("marks")) for e in of(ledger, "wikidata:Q2416423")][1:5]
    assert said == [
        ("claim-reported", None),
        ("claim-withdrawn", None),
        ("claim-reported", None),
        ("claim-withdrawn", ["flip-back-48h"]),
    ]


def test_an_hour_of_contest_and_back_is_marked(ledger: Ledger) -> None:
    load(ledger)
    [flip] = [e for e in of(ledger, KUPIANSK) if e.data.get("marks")]
    assert (flip.data["state"], flip.data["published"]) == ("UA", "2022-09-13T19:12:34Z")


def test_the_day_that_moved_on_and_back_is_an_observation_corrected(ledger: Ledger) -> None:
    load(ledger)
    observation, correction = of(ledger, KUPIANSK)[-2:]
    assert (observation.name, observation.data["valid"]) == ("display-observed", "2022-09-29")
    assert correction.data["target"] == observation.entry
    assert correction.data["changes"] == {"valid": "2022-09-10"}


def test_the_cited_page_lies_in_the_erasable_body_and_the_remarks_nowhere(ledger: Ledger) -> None:
    load(ledger)
    claim = of(ledger, KUPIANSK)[1]
    assert ledger.body(claim.position)["url"].startswith("https://www.pravda.com.ua/")
    leaves = b"".join(row.state for row in ledger.store.rows())
    assert b"https" not in leaves


def test_without_register_the_rows_are_rejected_with_the_remedy(ledger: Ledger) -> None:
    tally = load(ledger, register=False)
    assert (tally.new, tally.rejected) == (0, 40)
    assert "import with --register" in tally.rejects[0].reason


def test_without_register_it_fits_a_ledger_that_knows_the_town_by_another_id(ledger: Ledger) -> None:
    ledger.append(
        [
            *(Draft.of("party-named", {"party": party}) for party in ("UA", "RU")),
            Draft.of("source-registered", {"source": "wikipedia-towns", "kind": "list"}),
            Draft.of(
                "place-registered",
                {"place": "geonames:703656", "names": ["Kupyansk"], "aliases": ["wikidata:Q889555"]},
            ),
        ]
    )
    tally = load(ledger, register=False)
    assert {e.data["place"] for e in ledger.events(6) if "place" in e.data} == {"geonames:703656"}
    assert all("Vuhledar" in str(one) or "page_update" in one.reason for one in tally.rejects)


def test_a_namesake_under_a_foreign_id_is_asked_about_not_split(ledger: Ledger) -> None:
    ledger.append([Draft.of("place-registered", {"place": "geonames:703656", "names": ["Kupiansk"]})])
    tally = load(ledger)
    assert "may be geonames:703656, which has the same name" in tally.rejects[0].reason
    assert "--alias wikidata:Q889555" in tally.rejects[0].reason
    assert KUPIANSK not in ledger.directory().places


def test_the_map_refuses_a_table_with_other_columns() -> None:
    with pytest.raises(BadMap, match=r"no column 'change'. Columns: name"):
        prepare(io.BytesIO(b"name\nx\n"), kind="csv", map_file=MAP)


@pytest.mark.skipif(not WHOLE.is_file(), reason="CLAIMS_SHARED names no folder with the whole table")
def test_the_whole_table_is_accounted_for_and_twice_is_once(ledger: Ledger) -> None:
    tally = load(ledger, WHOLE)
    of_places = Counter(e.name for e in ledger.events() if e.data.get("place") or e.name == "entry-corrected")
    del of_places["place-registered"]
    assert of_places == {
        "claim-reported": 170,
        "display-observed": 60,
        "claim-withdrawn": 3,
        "entry-corrected": 13,
    }
    assert (tally.rows, tally.unchanged, tally.rejected) == (661, 400, 15)
    assert sum(of_places.values()) + tally.unchanged + tally.rejected == 661
    assert (tally.registered, tally.marked, tally.conflicting) == (25, 67, 0)
    size = ledger.store.head().size
    again = load(ledger, WHOLE)
    assert (again.new, again.already, again.unchanged) == (0, tally.new, 400)
    assert ledger.store.head().size == size
