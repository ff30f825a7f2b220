"""The Kupyansk fixture is what its README says: whole, valid, and appended without a refusal."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from ledger import codec
from ledger.book import Draft, Ledger, Receipt, entry_id
from ledger.clocks import instant_key, span
from ledger.errors import AmbiguousName

FIXTURE = Path(__file__).parents[1] / "fixtures" / "kupyansk"
KUPYANSK = "geonames:703656"

#: The 33 reports: a piece of the URL that each one's lines must carry.
REPORTS = [
    "devdiscourse.com",
    "news.liga.net",
    "themoscowtimes.com",
    "themoscowtimes.com",
    "news-ukraine.ru",
    "inforos.com",
    "24newnews.ru",
    "articles/2025/11/21",
    "articles/2025/11/21",
    "tgrthaber.com",
    "tass.com/politics/2052535",
    "tass.com/defense/2055465",
    "lb.ua",
    "lb.ua",
    "lb.ua",
    "babel.ua",
    "regionews.ua",
    "ukrinform.de",
    "deutschsprechen.net",
    "capitoldaily.news",
    "capitoldaily.news",
    "news-pravda.com",
    "news-pravda.com",
    "blisty.cz",
    "tass.com/politics/2061657",
    "africadigitalnewsnewyork.com",
    "notes.citeam.org",
    "unn.ua",
    "unn.ua",
    "menafn.com",
    "menafn.com",
    "libertatea.ro",
    "eurocom.bg",
]


@dataclass(frozen=True)
class Line:
    number: int
    label: str | None
    fields: dict[str, Any]
    draft: Draft

    @property
    def body(self) -> dict[str, Any]:
        return self.draft.body.model_dump(exclude_defaults=True) if self.draft.body else {}


@cache
def load() -> tuple[Line, ...]:
    """Every line with its labels resolved. A reference to a label that comes later is a ``KeyError``."""
    ids: dict[str, str] = {}

    def resolve(value: Any) -> Any:
        if isinstance(value, list):
            return [resolve(one) for one in value]
        return ids[value[1:]] if isinstance(value, str) and value.startswith("&") else value

    lines = []
    for number, text in enumerate((FIXTURE / "events.jsonl").read_text(encoding="utf-8").splitlines(), 1):
        fields = json.loads(text)
        name, label, body = fields.pop("type"), fields.pop("as", None), fields.pop("body", None)
        fields = {field: resolve(value) for field, value in fields.items()}
        draft = Draft.of(name, fields, body)
        if label is not None:
            assert label not in ids, f"line {number}: {label} names two lines"
            ids[label] = entry_id(draft.event)
        lines.append(Line(number, label, fields, draft))
    return tuple(lines)


def labelled() -> dict[str, Line]:
    return {line.label: line for line in load() if line.label is not None}


def readme_rows() -> dict[str, list[str]]:
    """The README's table of the two articles: S1 … S16 → labels."""
    text = (FIXTURE / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (S\d+) \|[^|]*\|([^|]*)\|$", text, re.MULTILINE)
    return {row: re.findall(r"`([^`]+)`", lines) for row, lines in rows}


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger.create(
        tmp_path / "kupyansk.db", ledger="kupyansk", clock=lambda: datetime(2026, 2, 1, tzinfo=UTC)
    )


def append(book: Ledger) -> dict[str, Receipt]:
    receipts = book.append([line.draft for line in load()])
    return {line.label or str(line.number): receipt for line, receipt in zip(load(), receipts, strict=True)}


def test_every_line_is_valid_and_in_its_stored_form() -> None:
    """What a line gives is what the leaf will hold: no default written out, no date to be tidied."""
    for line in load():
        assert codec.author_data(line.draft.event) == line.fields, f"line {line.number}"


def test_no_two_lines_are_the_same_entry() -> None:
    opening = Counter(entry_id(line.draft.event) for line in load() if line.draft.event.OPENS)
    assert [entry for entry, count in opening.items() if count > 1] == []


def test_every_report_has_a_line_with_its_url() -> None:
    for number, address in enumerate(REPORTS, 1):
        own = [line for label, line in labelled().items() if label.startswith(f"r{number:02d}-")]
        assert own, f"report {number} has no line"
        assert all(address in line.body["url"] for line in own)


def test_every_row_of_the_articles_has_its_lines() -> None:
    rows = readme_rows()
    assert list(rows) == [f"S{number}" for number in range(1, 17)]
    for row, labels in rows.items():
        assert labels, f"{row} has no line"
        assert set(labels) <= labelled().keys(), row
    told = {label for labels in rows.values() for label in labels}
    assert {label for label in labelled() if re.match(r"s\d\d-", label)} <= told


def test_nothing_is_quoted() -> None:
    """The fixture holds facts in our own words, and of the sources no more than single phrases."""
    for line in load():
        assert not {"quote", "title"} & line.body.keys(), f"line {line.number}"
        assert all(len(text.split()) < 10 for text in line.body.get("as_written", {}).values())


def test_every_claim_has_a_note_or_the_words_behind_it() -> None:
    for label, line in labelled().items():
        if line.draft.event.TYPE in ("claim-reported/1", "evidence-reported/1"):
            assert line.body.get("note"), label


def test_every_link_and_every_judgement_gives_its_reason() -> None:
    reasoned = ("sources-linked/1", "entry-corrected/1", "claim-adjudicated/1")
    for line in load():
        if line.draft.event.TYPE in reasoned:
            assert line.body.get("reason"), f"line {line.number}"


def test_every_line_is_recorded(book: Ledger) -> None:
    receipts = append(book)
    assert {receipt.status for receipt in receipts.values()} == {"new"}
    assert {label: receipt.entry for label, receipt in receipts.items() if label in labelled()}.items() >= {
        label: entry_id(line.draft.event) for label, line in labelled().items() if line.draft.event.OPENS
    }.items()


def test_appended_twice_nothing_is_new(book: Ledger) -> None:
    append(book)
    assert {receipt.status for receipt in append(book).values()} == {"already"}


def test_only_the_misdated_claim_raises_a_doubt_of_its_year(book: Ledger) -> None:
    receipts = append(book)
    doubted = {label: receipt.warnings for label, receipt in receipts.items() if receipt.warnings}
    assert list(doubted) == ["s01-sharov-vn"]
    for doubt in doubted["s01-sharov-vn"]:
        assert doubt.wrong == receipts["s01-sharov-vn"].entry
        assert doubt.changes == {"said": "2025-12-16", "valid": "2025-12-16"}
    assert {doubt.right for doubt in doubted["s01-sharov-vn"]} == {
        receipts["s01-sharov-bluewin"].entry,
        receipts["r20-sharov-capitoldaily"].entry,
    }


def test_the_corrections_do_what_the_doubt_proposed(book: Ledger) -> None:
    """Afterwards the press officer's reports agree in all that makes an utterance."""
    receipts = append(book)
    same = ("claimant", "act", "place", "extent", "state", "said", "valid")
    reports = []
    for label in ("s01-sharov-vn", "s01-sharov-bluewin", "r20-sharov-capitoldaily"):
        effective = book.effective(receipts[label].entry)
        assert effective is not None
        reports.append({field: effective[1].get(field) for field in same})
    assert reports[0] == reports[1] == reports[2]
    november = book.effective(receipts["s02-november-vn"].entry)
    assert november is not None
    assert (november[1]["said"], november[1]["valid"]) == ("2025-11", "2025-11")


def test_in_2024_only_what_was_misdated_is_known_and_nothing_once_corrected(book: Ledger) -> None:
    receipts = append(book)
    until = instant_key("2024-12-20")

    def known(data: dict[str, Any]) -> bool:
        clock = data.get("published") or data.get("said")
        assert clock is not None, "an entry without a clock is known only when recorded"
        return instant_key(clock) <= until

    speaking = ("claim-reported/1", "evidence-reported/1", "display-observed/1")
    lines = {label: line for label, line in labelled().items() if line.draft.event.TYPE in speaking}
    before = {label for label, line in lines.items() if known(line.fields)}
    assert before == {"s01-sharov-vn", "s02-november-vn"}
    assert {lines[label].fields["state"] for label in before} == {"RU"}
    for label in lines:
        effective = book.effective(receipts[label].entry)
        assert effective is not None
        assert not known(effective[1]), label


def test_the_corrections_stand_side_by_side(book: Ledger) -> None:
    receipts = append(book)
    first, second = (receipts[label].position for label in ("s11-correct-november", "s11-correct-sharov"))
    assert first is not None
    assert second == first + 1


def test_names_in_every_script_lead_to_one_town_and_homonyms_are_asked_about(book: Ledger) -> None:
    append(book)
    directory = book.directory()
    for name in ("Kupyansk", "kupiansk", "Kupjansk", "Куп'янськ", "Куп’янськ", "Купʼянськ", "Купянск"):
        assert directory.resolve_place(name) == KUPYANSK
    assert directory.resolve_place("wikidata:Q889555") == KUPYANSK
    assert directory.resolve_place("Radkivka, Kharkiv oblast") == "geonames:813242"
    assert directory.resolve_place("Радковка, Sumy") == "wikidata:Q4388058"
    for name in ("Radkivka", "Lyman", "Лиман", "Huliaipole", "Holubivka"):
        with pytest.raises(AmbiguousName):
            directory.resolve_place(name)
    for name in ("Zelensky", "Zelenskyy", "Zelenskyi", "Зеленський"):
        assert directory.resolve_source(name) == "zelensky"
    for name in ("Sapad", "Western Group of Forces", "Group West"):
        assert directory.resolve_source(name) == "group-west"


def test_every_source_answers_to_its_own_names_alone(book: Ledger) -> None:
    append(book)
    directory = book.directory()
    for source in directory.sources.values():
        assert {directory.resolve_source(name) for name in source.names} == {source.id}


def test_a_corps_and_its_brigade_are_one_voice_and_the_armies_are_two(book: Ledger) -> None:
    append(book)
    directory = book.directory()
    day = span("2025-12-12").lo
    assert directory.linked("khartiia-brigade", day) == {"khartiia", "khartiia-brigade", "obolienskyi", "ngu"}
    assert directory.linked("sharov", day) == {"sharov", "group-west", "ru-mod", "gerasimov"}
    assert directory.linked("kovalenko", day) == {"kovalenko", "ccd"}
    for source in ("putin", "syrskyi", "afu-general-staff", "podolyaka"):
        assert directory.linked(source, day) == {source}
