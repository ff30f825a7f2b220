"""What an answer says beside the probability, and why each claim that weighs nothing does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.book import Draft, Ledger
from projections.wording import words
from tests.conftest import CommandLine
from tests.projections.worlds import World, claim, end, moment, told

Row = dict[str, Any]
DAY = "2025-12-16"


def line(rows: list[Row], claimant: str, **wanted: Any) -> Row:
    """The one row of a claimant."""
    [found] = [
        row
        for row in rows
        if row["claimant"] == claimant and all(row[key] == value for key, value in wanted.items())
    ]
    return found


@pytest.fixture
def town(claims: CommandLine, tmp_path: Path) -> Callable[..., Any]:
    """A small ledger of one town: ``town("append", ...)``."""
    db = tmp_path / "town.db"

    def ask(*args: object, ok: int = 0) -> Any:
        return claims(*args, db=db, ok=ok)

    claims("init", db)
    for party in ("UA", "RU"):
        ask("party", party)
    ask("place", "town", "--name", "Town")
    for name, kind, side in (
        ("brigade", "military-unit", "UA"),
        ("corps", "military-unit", "UA"),
        ("ministry", "official", "RU"),
        ("map", "map", None),
        ("watcher", "osint", None),
        ("paper", "outlet", None),
    ):
        ask("source", name, "--kind", kind, *(("--side", side) if side else ()))
    return ask


def says(town: Callable[..., Any], by: str, state: str, *more: object, day: str = DAY) -> str:
    answer = town("append", "town", state, "--by", by, "--said", day, "--published", day, *more)
    return str(answer["receipts"][0]["entry"])


# -- why not -----------------------------------------------------------------------------------------------------


def test_a_carrier_is_ignored_as_a_carrier(script: CommandLine, demo: Path) -> None:
    ignored = script("why", DAY, "Kupyansk", db=demo)["ignored"]
    reason = line(ignored, "tass", act="carries")["reason"]
    assert reason.startswith("carrier of ") and "sharov" in reason


def test_a_prediction_is_ignored_as_one(claims: CommandLine, demo: Path) -> None:
    ignored = claims("why", DAY, "Kupyansk", "--known-by", "2026-02-01", db=demo)["ignored"]
    assert line(ignored, "sharov", act="predicts")["reason"] == "a prediction says nothing of the present"


def test_whatever_weighs_nothing_says_why(claims: CommandLine, demo: Path) -> None:
    for day, more in ((DAY, ()), ("2026-01-05", ()), (DAY, ("--known-by", "2026-02-01"))):
        for row in claims("why", day, "Kupyansk", *more, db=demo)["ignored"]:
            assert row["reason"], row


def test_a_retracted_claim_is_ignored_as_retracted(town: Callable[..., Any]) -> None:
    entry = says(town, "ministry", "RU")
    says(town, "watcher", "UA")
    town("retract", entry, "--by", "ministry", "--said", DAY, "--published", DAY)
    answer = town("why", DAY, "town")
    assert line(answer["ignored"], "ministry")["reason"] == "retracted by its author"
    assert not [row for name in ("for", "against") for row in answer[name] if row["claimant"] == "ministry"]


def test_a_display_replaced_by_a_later_one_is_marked_as_superseded(town: Callable[..., Any]) -> None:
    old = says(town, "map", "RU", "--standing", day="2025-12-10")
    new = says(town, "map", "UA", "--standing", day="2025-12-14")
    answer = town("why", DAY, "town")
    rows = [row for name in ("for", "against", "ignored") for row in answer[name]]
    marked = {row["utterance"]: row["reason"] for row in rows}
    assert marked[old] == f"superseded on 2025-12-14 by {new}"
    assert marked[new] is None
    before = town("why", "2025-12-12", "town")
    assert "superseded" not in str(before)


def test_a_display_looked_at_again_is_ignored_as_unchanged(town: Callable[..., Any]) -> None:
    says(town, "map", "RU", "--standing", day="2025-12-10")
    says(town, "map", "RU", "--standing", day="2025-12-14")
    [row] = town("why", DAY, "town")["ignored"]
    assert row["reason"].startswith("unchanged")


def test_a_corrected_claim_counts_as_what_it_was_corrected_to(town: Callable[..., Any]) -> None:
    entry = says(town, "watcher", "RU")
    town("correct", entry, "--set", "state=UA", "--reason", "misheard")
    answer = town("why", DAY, "town")
    rows = [row for name in ("for", "against", "ignored") for row in answer[name]]
    assert [(row["utterance"], row["state"]) for row in rows] == [(entry, "UA")]


@pytest.mark.parametrize("later", ["false", "unverifiable"])
def test_a_later_ruling_takes_the_place_of_an_earlier_one(town: Callable[..., Any], later: str) -> None:
    entry = says(town, "watcher", "RU")
    town("judge", entry, "true", "--ruled", DAY)
    first = town("as-of", DAY, "town")["answers"][0]["probabilities"]["RU"]
    town("judge", entry, later, "--ruled", DAY)
    second = town("as-of", DAY, "town")["answers"][0]["probabilities"]["RU"]
    assert second < first
    answer = town("why", DAY, "town", "--state", "RU")
    rows = [row for name in ("for", "against", "ignored") for row in answer[name]]
    ruled = [row for row in rows if row["reason"] == f"an analyst's ruling on {entry}"]
    assert len(ruled) == (later == "false")


def test_an_erased_body_takes_nothing_from_a_belief() -> None:
    said = claim("witness", "UA", 5, "c")
    erased = told("entry-redacted", "gone", moment(62), target="#c", by="desk")
    kept, redacted = (World.of(said, *more).shelf().case() for more in ((), (erased,)))
    assert [piece.id for piece in redacted.testimony] == [piece.id for piece in kept.testimony]
    assert redacted.poisoned == []
    assert all(piece.known <= end(60) for piece in redacted.testimony)


def test_a_claim_whose_text_was_erased_says_so_and_weighs_the_same(copied: Path, claims: CommandLine) -> None:
    before = claims("why", "2025-12-16", "Kupyansk", db=copied)
    entry = before["for"][0]["utterance"]
    with Ledger.open(copied) as ledger:
        [receipt] = ledger.append([Draft.of("entry-redacted", {"target": entry, "by": "desk"})])
    assert receipt.status == "new"
    after = claims("why", "2025-12-16", "Kupyansk", db=copied)
    assert f"redacted at #{receipt.position}" in after["for"][0]["reason"]
    assert [row["weight"] for row in after["for"]] == [row["weight"] for row in before["for"]]
    cut = claims("why", "2025-12-16", "Kupyansk", "--recorded-by", f"#{before['position']}", db=copied)
    assert cut["for"][0]["reason"] == before["for"][0]["reason"]


# -- origins -----------------------------------------------------------------------------------------------------


def test_linked_sources_are_one_origin_and_the_second_repeats_the_first(town: Callable[..., Any]) -> None:
    first = says(town, "brigade", "UA")
    second = says(town, "corps", "UA")
    apart = town("as-of", DAY, "town")["answers"][0]
    town("link", "brigade", "corps")
    linked = town("as-of", DAY, "town")["answers"][0]
    assert (apart["origins"], linked["origins"]) == (2, 1)
    assert linked["claims"] == 2
    assert linked["probabilities"]["UA"] < apart["probabilities"]["UA"]
    ignored = town("why", DAY, "town")["ignored"]
    one, other = sorted((first, second))
    assert [(row["utterance"], row["reason"]) for row in ignored] == [(other, f"repeats {one}")]
    assert ignored[0]["weight"] == 0


def test_a_link_that_was_over_by_then_leaves_two_origins(town: Callable[..., Any]) -> None:
    says(town, "brigade", "UA")
    says(town, "corps", "UA")
    town("link", "brigade", "corps", "--valid", "2024-01-01/2024-12-31")
    assert town("as-of", DAY, "town")["answers"][0]["origins"] == 2


def test_real_brigade_and_corps_are_one_voice(claims: CommandLine, demo: Path) -> None:
    answer = claims("why", DAY, "Radkivka, Kharkiv Oblast", db=demo)
    assert answer["answer"]["origins"] == 1
    rows = [row for name in ("for", "against", "ignored") for row in answer[name]]
    voices = [row for row in rows if row["claimant"] in ("khartiia", "khartiia-brigade")]
    assert sum(bool(row["weight"]) for row in voices) == 1
    assert any("repeats" in (row["reason"] or "") for row in voices)


# -- words -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "term"),
    [
        (0.00, 0.05, "almost no chance"),
        (0.05, 0.20, "very unlikely"),
        (0.20, 0.45, "unlikely"),
        (0.45, 0.55, "roughly even chance"),
        (0.55, 0.80, "likely"),
        (0.80, 0.95, "very likely"),
        (0.95, 1.00, "almost certain"),
    ],
)
def test_the_terms_of_icd_203_have_their_bands(low: float, high: float, term: str) -> None:
    assert words(low) == words((low + high) / 2) == words(high - 1e-9) == term
    assert words(high) != term or high == 1.0


def test_an_answer_says_how_old_its_newest_claim_is(script: CommandLine, demo: Path) -> None:
    [answer] = script("as-of", "2026-03-01", "Kupyansk", db=demo)["answers"]
    assert answer["words"] == words(answer["probabilities"][answer["believed"]])
    assert answer["confidence"] in ("low", "moderate", "high")
    assert answer["age_days"] > 30 and answer["newest_claim"] < "2026-02-01"
    table = script.run("as-of", "2026-03-01", "Kupyansk", db=demo).out
    head, row = table.splitlines()[1:3]
    assert head.split("  ")[-1].strip() == "age days"
    assert row.split()[-1] == str(answer["age_days"])


def test_where_nothing_speaks_it_is_unknown_and_has_no_age(claims: CommandLine, demo: Path) -> None:
    [answer] = claims("as-of", "2022-06-01", "Kupyansk", db=demo)["answers"]
    told_ = (answer["believed"], answer["words"], answer["confidence"], answer["age_days"])
    assert told_ == ("unknown", "unknown", "none", None)


def test_all_places_at_once_say_the_same_as_one(claims: CommandLine, demo: Path) -> None:
    every = claims("as-of", "2026-01-05", db=demo)["answers"]
    for one in every:
        assert claims("as-of", "2026-01-05", one["place"]["id"], db=demo)["answers"] == [one]
