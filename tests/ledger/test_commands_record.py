"""Commands that record: what they put into an event, and what they say became of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import CommandLine
from tests.ledger.small import TOWN, Small


@pytest.fixture
def small(claims: CommandLine, tmp_path: Path) -> Small:
    return Small(claims, tmp_path)


def test_an_append_records_author_fields_in_the_envelope_and_words_in_the_body(small: Small) -> None:
    entry = small.entry(
        *("append", "Купянск", "not-RU", "--by", "Institute", "--via", "TASS,ru-mod", "--act", "concedes"),
        *("--said", "2025-11-20", "--valid", "2025-11-20~", "--published", "2025-11-21", "--extent", "part"),
        *("--share", "0.5", "--url", "https://example.org", "--title", "T", "--quote", "Q", "--note", "N"),
    )
    shown = small.show(entry)
    assert shown["fields"] == {
        "claimant": "isw",
        "via": ["tass", "ru-mod"],
        "act": "concedes",
        "place": TOWN,
        "state": "RU",
        "negated": True,
        "extent": "part",
        "share": "0.5",
        "valid": "2025-11-20~",
        "said": "2025-11-20",
        "published": "2025-11-21",
    }
    written = {"place": "Купянск"}
    expected = {"url": "https://example.org", "title": "T", "quote": "Q", "note": "N", "as_written": written}
    assert shown["body"] == expected


def test_the_same_claim_again_is_already_recorded_whatever_spelling_was_typed(small: Small) -> None:
    first = small.run("append", "Kupyansk", "RU", "--by", "ru-mod", "--said", "2025-11-20").out
    again = small.run("append", "Купянск", "russia", "--by", "Ministry", "--said", "2025-11-20").out
    assert first.startswith(f"recorded as #{small.size} c-")
    assert again == first.replace("recorded", "already recorded").replace(" as ", " at ")


def test_a_dry_run_says_what_would_be_and_records_nothing(small: Small) -> None:
    said = small.run("append", "Kupyansk", "RU", "--by", "ru-mod", "--dry-run")
    assert said.out.startswith(f"would be recorded as #{small.EVENTS + 1} ")
    assert small.size == small.EVENTS


def test_a_claim_that_differs_by_the_year_alone_is_recorded_and_warned_about(small: Small) -> None:
    right = small.claim("--published", "2025-11-20")
    said = small.run(
        "append", "Kupyansk", "RU", "--by", "ru-mod", "--said", "2024-11-20", "--published", "2025-11-21"
    )
    assert "differ by the year only" in said.err
    assert right[:14] in said.err
    assert "claims correct" in said.err


def test_words_for_a_date_are_read_against_the_day_of_the_report_and_the_rule_is_told(small: Small) -> None:
    said = small.run(
        "append", "Kupyansk", "RU", "--by", "ru-mod", "--said", "Friday", "--published", "2025-12-16"
    )
    assert "said: read as 2025-12-12" in said.err
    assert small.show(f"#{small.size}")["body"]["as_written"]["said"] == "Friday"


def test_a_name_that_mixes_scripts_is_kept_and_pointed_out(small: Small) -> None:
    disguised = "Kупянск"  # with a Latin K
    small.run("place", TOWN, "--name", disguised)
    said = small.run("append", disguised, "RU", "--by", "ru-mod")
    assert "mixes Latin with Cyrillic" in said.err
    assert small.show(f"#{small.size}")["body"]["as_written"]["place"] == disguised


def test_evidence_of_a_target_needs_no_state(small: Small) -> None:
    claim = small.claim()
    entry = small.entry(
        *("evidence", "Kupyansk", "--by", "isw", "--kind", "imagery", "--target", claim[:12]),
        *("--valid", "2025-11-21"),
    )
    fields = small.show(entry)["fields"]
    assert fields["target"] == claim
    assert "state" not in fields


def test_a_denial_of_a_target_needs_no_state(small: Small) -> None:
    claim = small.claim()
    entry = small.entry("append", "Kupyansk", "--by", "isw", "--act", "denies", "--target", claim)
    assert small.show(entry)["fields"]["target"] == claim


def test_the_same_place_again_says_that_nothing_is_new(small: Small) -> None:
    said = small.run("place", TOWN, "--name", "Kupyansk", "--kind", "town")
    assert said.out == f"nothing new: already recorded at #4 place:{TOWN}\n"
    assert small.size == small.EVENTS


def test_a_place_that_exists_is_described_with_only_what_is_new(small: Small) -> None:
    said = small.run(
        "place", TOWN, "--name", "Kupyansk", "--name", "Куп'янськ", "--alias", "wikidata:Q889555"
    )
    assert said.out.startswith("described: recorded as #")
    fields = small.show(f"#{small.size}")["fields"]
    assert fields == {"place": TOWN, "names": ["Куп'янськ"], "aliases": ["wikidata:Q889555"]}
    assert small.claim() == small.entry(
        "append", "wikidata:Q889555", "RU", "--by", "ru-mod", "--said", "2025-11-20"
    )


def test_a_new_place_with_a_figure_is_registered_and_described_at_once(small: Small) -> None:
    said = small.run(
        *("place", "lyman", "--name", "Lyman", "--parent", "Izium", "--lat", "48.99", "--lon", "37.81"),
        *("--attribute", "population", "--value", "20000", "--source", "TASS", "--published", "2025-12"),
    )
    assert [line.split(":")[0] for line in said.out.splitlines()] == ["registered", "described"]
    figure = small.show(f"#{small.size}")["fields"]
    assert figure["source"] == "tass"
    assert figure["value"] == "20000"


def test_a_merged_place_answers_by_the_other_ones_id(small: Small) -> None:
    small.run("place", "kupiansk-2", "--name", "Kupiansk", "--merge-into", "Kupyansk")
    entry = small.entry("append", "Kupiansk", "RU", "--by", "ru-mod")
    assert small.show(entry)["fields"]["place"] == TOWN


def test_names_of_a_source_lie_in_the_body_and_its_id_in_the_envelope(small: Small) -> None:
    small.run("source", "s-17", "--name", "Jane Doe", "--kind", "eyewitness")
    shown = small.show("source:s-17")
    assert shown["fields"] == {"source": "s-17", "kind": "eyewitness"}
    assert shown["body"] == {"names": ["Jane Doe"]}


def test_side_none_takes_a_side_away(small: Small) -> None:
    small.run("source", "ru-mod", "--side", "none")
    assert small.show(f"#{small.size}")["fields"] == {"source": "ru-mod", "no_side": True}
    assert small.run("source", "ru-mod", "--side", "none").out.startswith("nothing new")


def test_a_side_may_be_given_by_the_partys_name(small: Small) -> None:
    small.run("source", "isw", "--side", "ukraine")
    assert small.show(f"#{small.size}")["fields"]["side"] == "UA"


def test_a_link_does_not_depend_on_the_order_of_the_sources(small: Small) -> None:
    assert small.entry("link", "tass", "ru-mod") == small.entry("link", "Ministry", "TASS")


def test_looking_again_without_a_date_means_now_and_is_a_new_act_each_second(small: Small) -> None:
    said = small.run("observe", "isw")
    assert "taken as now" in said.err
    assert "published" in small.show(f"#{small.size}")["fields"]
    assert "place" not in small.show(f"#{small.size}")["fields"]


def test_a_withdrawal_names_source_and_place(small: Small) -> None:
    entry = small.entry("withdraw", "Institute", "Kupyansk", "--published", "2025-12-13")
    assert small.show(entry)["fields"] == {"source": "isw", "place": TOWN, "published": "2025-12-13"}


def test_an_opened_question_can_be_asked(small: Small) -> None:
    small.run("question", "bridge", "--state", "standing", "--state", "destroyed", "--text", "The bridge?")
    entry = small.entry("append", "Kupyansk", "destroyed", "--by", "isw", "--question", "bridge")
    assert small.show(entry)["fields"]["question"] == "bridge"


def test_who_appended_is_kept_beside_the_event(small: Small) -> None:
    assert small.show(small.claim("--actor", "anna"))["actor"] == "anna"


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (("append", "Kupyanks", "RU", "--by", "tass"), 3, "Did you mean"),
        (("append", "Kupyansk", "RU", "--by", "nobody"), 3, "no source 'nobody'"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--via", "isw,nobody"), 3, "no source 'nobody'"),
        (("append", "Kupyansk", "XX", "--by", "tass"), 3, "States: RU, UA, contested"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--question", "dam"), 3, "no question 'dam'"),
        (("append", "Kupyansk", "--by", "tass", "--act", "denies", "--target", "c-0000000"), 3, "no entry"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--based-on", "#1"), 2, "not evidence"),
        (("append", "Kupyansk", "--by", "tass"), 2, "needs a state"),
        (("append", "Kupyansk", "RU"), 2, "--by"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--act", "shouts"), 2, "'denies', 'doubts'"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--extent", "half"), 2, "'whole' or 'part'"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--share", "2"), 2, "between 0 and 1"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--said", "2025-02-30"), 2, "--said"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--valid", "soonish"), 2, "--valid"),
        (
            ("append", "Kupyansk", "RU", "--by", "tass", "--published", "2025-12-05/2025-12-01"),
            2,
            "backwards",
        ),
        (
            ("append", "Kupyansk", "RU", "--by", "tass", "--said", "2025-12-20", "--published", "2025-12-16"),
            2,
            "nothing is published before it is said",
        ),
        (("append", "Kupyansk", "RU", "--by", "tass", "--standing", "--act", "doubts"), 2, "standing"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--expected", "3"), 1, "not at #3"),
        (("append", "Kupyansk", "RU", "--by", "tass", "--json", "--format", "csv"), 2, "contradict"),
        (("evidence", "Kupyansk", "--by", "tass", "--kind", "rumour"), 2, "'imagery'"),
        (("observe", "nobody"), 3, "no source"),
        (("withdraw", "isw", "Nowhere"), 3, "no place"),
        (("link", "tass"), 2, "two or more"),
        (("link", "tass", "TASS"), 2, "two or more"),
        (("party", "contested"), 2, "cannot name a party"),
        (("party", "RU", "--name", "Other"), 1, "claims correct party:RU"),
        (("party", "no blanks"), 2, "right form"),
        (("question", "q", "--state", "one"), 2, "at least two"),
        (("place", "new"), 3, "--name"),
        (("place", "new", "--name", "N", "--lat", "91"), 2, "lat 91"),
        (("place", "new", "--name", "N", "--precision", "9"), 2, "precision"),
        (("place", "new", "--name", "N", "--parent", "Nowhere"), 3, "no place 'Nowhere'"),
        (("place", "new", "--name", "N", "--attribute", "population"), 2, "go together"),
        (("place", "new", "--name", "N", "--source", "tass"), 2, "--attribute"),
        (("place", TOWN, "--merge-into", TOWN), 1, "one already"),
        (("source", "new", "--kind", "rumour"), 2, "'milblogger'"),
        (("source", "new", "--side", "XX"), 3, "claims party XX"),
        (("source", "typo", "--merge-into", "tass"), 3, "no source with the id 'typo'"),
        (("source", "new", "--name", "N", "--merge-into", "tass", "--key", "k"), 2, "--key names one act"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_one_line_with_its_exit_code(
    small: Small, args: tuple[str, ...], code: int, says: str
) -> None:
    assert says in small.refuses(*args, code=code)


def test_a_key_stands_for_one_content_only(small: Small) -> None:
    small.claim("--key", "k1")
    line = small.refuses("append", "Kupyansk", "UA", "--by", "ru-mod", "--key", "k1", code=1)
    assert f"#{small.size}" in line


def test_two_places_of_one_name_are_never_guessed_between(small: Small) -> None:
    small.run("place", "izium-2", "--name", "Izium", "--region", "Elsewhere")
    line = small.refuses("append", "Izium", "RU", "--by", "tass", code=3)
    assert "izium-2" in line
    small.run("append", "Izium, Elsewhere", "RU", "--by", "tass")
