"""The ledger's own lines: names and labels looked up within the file, bad lines refused one by one."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.book import Draft, Ledger
from ledger.codec import Recorded
from ledger.importing import Tally, import_file, prepare

CLAIM = {
    "type": "claim-reported",
    "claimant": "TASS",
    "place": "Kupyansk",
    "state": "RU",
    "said": "2025-11-20",
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "l.db", ledger="test") as book:
        town = {"place": "geonames:703656", "names": ["Kupyansk", "Купянск"], "aliases": ["wikidata:Q889555"]}
        book.append(
            [
                *(Draft.of("party-named", {"party": party}) for party in ("UA", "RU")),
                Draft.of("place-registered", town),
                Draft.of("source-registered", {"source": "tass", "kind": "agency"}, {"names": ["TASS"]}),
            ]
        )
        yield book


def load(book: Ledger, *lines: dict[str, Any] | bytes, **more: Any) -> Tally:
    raw = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    records, translator = prepare(io.BytesIO(raw), kind="jsonl", name="lines.jsonl")
    return import_file(book, records, translator, **more)


def added(book: Ledger) -> list[Recorded]:
    return list(book.events(6))


# -- names ---------------------------------------------------------------------------------------------


def test_names_are_looked_up_and_kept_as_written(ledger: Ledger) -> None:
    assert load(ledger, {**CLAIM, "place": "купянск", "via": ["TASS"]}).new == 1
    [claim] = added(ledger)
    assert claim.data["place"] == "geonames:703656"
    assert (claim.data["claimant"], claim.data["via"]) == ("tass", ["tass"])
    assert ledger.body(claim.position) == {
        "as_written": {"place": "купянск", "claimant": "TASS", "via": "TASS"}
    }


def test_an_exact_id_is_taken_as_it_is(ledger: Ledger) -> None:
    load(ledger, {**CLAIM, "place": "geonames:703656", "claimant": "tass"})
    assert ledger.body(6) == {}


def test_an_exact_id_stays_itself_when_the_place_was_merged(ledger: Ledger) -> None:
    line = {**CLAIM, "place": "old"}
    ledger.append([Draft.of("place-registered", {"place": "old", "names": ["Old"]})])
    load(ledger, line)
    ledger.append([Draft.of("place-merged", {"place": "old", "into": "geonames:703656"})])
    assert load(ledger, line).already == 1


def test_what_the_author_wrote_down_goes_before_what_was_looked_up(ledger: Ledger) -> None:
    load(ledger, {**CLAIM, "body": {"as_written": {"place": "the town"}, "quote": "…"}})
    assert ledger.body(6)["as_written"] == {"place": "the town", "claimant": "TASS"}


def test_a_name_sees_the_lines_before_it(ledger: Ledger) -> None:
    tally = load(
        ledger,
        {"type": "place-registered", "place": "lyman", "names": ["Lyman"]},
        {"type": "source-registered", "source": "blog", "body": {"names": ["A Blog"]}},
        {**CLAIM, "place": "Lyman", "claimant": "a blog"},
        {**CLAIM, "place": "lyman", "claimant": "blog"},
    )
    assert (tally.new, tally.already, tally.rejected) == (3, 1, 0)


def test_a_homonym_among_the_lines_before_is_not_overlooked(ledger: Ledger) -> None:
    tally = load(
        ledger,
        {"type": "place-registered", "place": "kupyansk-2", "names": ["Kupyansk"]},
        CLAIM,
    )
    assert (tally.new, tally.rejected) == (1, 1)
    assert "geonames:703656 (Kupyansk); kupyansk-2 (Kupyansk)" in tally.rejects[0].reason


def test_a_name_does_not_see_the_lines_behind_it(ledger: Ledger) -> None:
    lyman = {"type": "place-registered", "place": "lyman", "names": ["Lyman"]}
    assert load(ledger, {**CLAIM, "place": "Lyman"}, lyman).rejected == 1


def test_names_that_nothing_before_them_touches_cost_no_batch_of_their_own(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    real = ledger.append

    def append(drafts: Any, **more: Any) -> Any:
        sizes.append(len(drafts))
        return real(drafts, **more)

    monkeypatch.setattr(ledger, "append", append)
    lyman = {"type": "place-registered", "place": "lyman", "names": ["Lyman"]}
    load(ledger, lyman, *({**CLAIM, "key": str(n)} for n in range(9)))
    assert sizes == [1, 9]


def test_every_kind_of_name_is_looked_up(ledger: Ledger) -> None:
    tally = load(
        ledger,
        {
            "type": "place-registered",
            "place": "north",
            "names": ["North"],
            "kind": "part",
            "parent": "Kupyansk",
        },
        {"type": "place-described", "place": "Kupyansk", "names": ["Kupjansk"], "source": "TASS"},
        {"type": "source-registered", "source": "ria", "body": {"names": ["RIA"]}},
        {"type": "sources-linked", "sources": ["TASS", "RIA"]},
        {"type": "source-merged", "source": "RIA", "into": "TASS"},
        {"type": "display-observed", "source": "TASS"},
        {"type": "place-registered", "place": "copy", "names": ["Copy"]},
        {"type": "place-merged", "place": "Copy", "into": "Kupyansk"},
    )
    assert (tally.new, tally.rejected) == (8, 0), tally.rejects


# -- labels --------------------------------------------------------------------------------------------


def test_a_label_stands_for_the_entry_of_its_line(ledger: Ledger) -> None:
    footage = {"type": "evidence-reported", "as": "film", "source": "TASS", "place": "Kupyansk"}
    tally = load(
        ledger,
        footage,
        {**CLAIM, "as": "capture", "based_on": ["&film"]},
        {"type": "claim-adjudicated", "target": "&capture", "verdict": "false", "as": "ruling"},
        {"type": "entry-corrected", "target": "&ruling", "changes": {"verdict": "unverifiable"}},
    )
    assert (tally.new, tally.rejected) == (4, 0), tally.rejects
    film, capture, ruling, correction = added(ledger)
    assert capture.data["based_on"] == [film.entry]
    assert (ruling.data["target"], correction.data["target"]) == (capture.entry, ruling.entry)
    assert ruling.entry == f"{capture.entry}@2"


def test_labels_work_again_when_everything_is_recorded_already(ledger: Ledger) -> None:
    lines = [{**CLAIM, "as": "x"}, {"type": "claim-adjudicated", "target": "&x", "verdict": "false"}]
    load(ledger, *lines)
    assert load(ledger, *lines).already == 2


@pytest.mark.parametrize(
    ("lines", "line", "what"),
    [
        ([{**CLAIM, "target": "&later"}, {**CLAIM, "as": "later"}], 1, "no line before this one"),
        ([{**CLAIM, "as": "x"}, {**CLAIM, "as": "x", "state": "UA"}], 2, "taken by line 1"),
        ([{**CLAIM, "as": "x", "place": "Atlantis"}, {**CLAIM, "target": "&x"}], 2, "line 1, labelled 'x'"),
        ([{**CLAIM, "as": ""}], 1, '"as" is no text'),
        ([{**CLAIM, "as": 7}], 1, '"as" is no text'),
        ([{**CLAIM, "target": "&"}], 1, "labelled ''"),
    ],
    ids=range(6),
)
def test_a_label_that_leads_nowhere_rejects_its_line(
    ledger: Ledger, lines: list[dict[str, Any]], line: int, what: str
) -> None:
    tally = load(ledger, *lines)
    assert any(one.line == line and what in one.reason for one in tally.rejects), tally.rejects


def test_a_label_whose_line_the_ledger_refused_is_said_to_be_so(ledger: Ledger) -> None:
    tally = load(
        ledger,
        {"type": "claim-adjudicated", "target": "c-none", "verdict": "true", "as": "x"},
        {"type": "entry-corrected", "target": "&x", "changes": {"by": "me"}},
    )
    assert "line 1, labelled 'x', was rejected" in tally.rejects[1].reason


# -- lines that cannot be ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ({}, 'no "type"'),
        ({"type": None}, 'no "type"'),
        ({"type": "claim-report"}, "Did you mean 'claim-reported'?"),
        ({**CLAIM, "type": "claim-reported/2"}, "no event type"),
        ({**CLAIM, "type": "builtins:exec"}, "no event type"),
        ({"type": "ledger-opened", "ledger": "mine"}, "`claims init`"),
        ({"type": "entry-redacted", "target": "c-x"}, "`claims redact`"),
        ({"type": "logic-promoted", "logic": "x"}, "--promote"),
        ({**CLAIM, "body": []}, "rejected"),
        ({**CLAIM, "body": "text"}, '"body" is no object'),
        ({**CLAIM, "body": {"colour": "red"}}, "colour: no such field"),
        ({**CLAIM, "recorded": "2020-01-01"}, "no field 'recorded'"),
        ({**CLAIM, "position": 1}, "no field 'position'"),
        ({**CLAIM, "_type_": "x"}, "no field '_type_'"),
        ({**CLAIM, "place": 7}, "place"),
        ({**CLAIM, "place": ""}, "place"),
        ({**CLAIM, "place": ["Kupyansk"]}, "place"),
        ({**CLAIM, "place": {"id": "x"}}, "place"),
        ({**CLAIM, "via": "TASS"}, "via"),
        ({**CLAIM, "state": "XX"}, "no state 'XX'"),
        ({**CLAIM, "said": "2025-02-30"}, "February"),
        ({**CLAIM, "place": "Kupiyansk"}, "Did you mean geonames:703656"),
        ({**CLAIM, "body": {"as_written": {"місце": "x"}}}, "not ASCII"),
        ({**CLAIM, "body": {"note": "x" * 1_000_001}}, "note"),
    ],
    ids=range(24),
)
def test_a_line_that_cannot_be_costs_itself(ledger: Ledger, line: dict[str, Any], what: str) -> None:
    tally = load(ledger, line, CLAIM)
    if what == "rejected":  # an empty list is an empty body
        assert tally.rejected == 0
        return
    assert (tally.new, tally.rejected) == (1, 1)
    assert tally.rejects[0].line == 1
    assert what in tally.rejects[0].reason


def test_decimals_may_be_numbers_where_decimals_are_meant(ledger: Ledger) -> None:
    place = b'{"type": "place-registered", "place": "x", "names": ["X"], "lat": 49.70610, "lon": 37}'
    share = json.dumps(CLAIM).encode()[:-1] + b', "share": 0.50}'
    assert load(ledger, place, share).new == 2
    assert (added(ledger)[0].data["lat"], added(ledger)[0].data["lon"]) == ("49.70610", "37")
    assert added(ledger)[1].data["share"] == "0.50"


@pytest.mark.parametrize(
    "more", [b'"question": 1.5', b'"key": 1e3', b'"share": 1e-1', b'"body": {"note": 0.1}']
)
def test_other_numbers_with_a_fraction_are_refused(ledger: Ledger, more: bytes) -> None:
    tally = load(ledger, json.dumps(CLAIM).encode()[:-1] + b", " + more + b"}")
    assert (tally.new, tally.rejected) == (0, 1)


def test_keys_that_stock_transcoders_stumble_over_are_kept_verbatim(ledger: Ledger) -> None:
    odd = {"_type_": "uuid_hex", "_data_": "no uuid"}
    load(ledger, {**CLAIM, "body": {"as_written": odd}})
    assert ledger.body(6)["as_written"].items() >= odd.items()
    assert load(ledger, {**CLAIM, "body": {"as_written": odd}}).already == 1


def test_sql_and_markup_in_any_field_are_text(ledger: Ledger) -> None:
    nasty = "'); DROP TABLE stored_events; -- <script>{{7*7}}"
    load(ledger, {**CLAIM, "key": nasty, "body": {"note": nasty, "quote": "\x1b[2J\u202e"}})
    assert added(ledger)[0].data["key"] == nasty
    assert ledger.body(6)["quote"] == "\x1b[2J\u202e"


def test_a_misprinted_year_is_reported_and_nothing_merged(ledger: Ledger) -> None:
    other = {**CLAIM, "said": "2024-11-20", "published": "2024-11-21"}
    tally = load(ledger, {**CLAIM, "published": "2025-11-21"}, other)
    assert (tally.new, tally.doubted) == (2, 1)
    assert "differ by the year only" in str(tally.year_doubts[0])


def test_homoglyphs_in_new_names_are_flagged_and_kept(ledger: Ledger) -> None:
    tally = load(ledger, {"type": "place-registered", "place": "x", "names": ["Kупянск"]})
    assert tally.homoglyphs == ["Kупянск"]
    assert ledger.directory().places["x"].names == ["Kупянск"]


def test_the_demo_of_the_project_is_such_a_file(tmp_path: Path) -> None:
    demo = Path(__file__).parents[2] / "fixtures" / "kupyansk" / "events.jsonl"
    with Ledger.create(tmp_path / "demo.db") as book:
        first = import_file(book, *prepare(demo))
        assert (first.rejected, first.conflicting) == (0, 0)
        again = import_file(book, *prepare(demo))
        assert (again.new, again.already) == (0, first.new)
