"""Nothing that came from outside may steer a terminal, hide in a line or run in a spreadsheet."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.text import csv_safe, homoglyphs, mixed_script, visible

# Every code point, surrogates included: hypothesis leaves those out by default.
ANY_TEXT = st.text(st.integers(0, 0x10FFFF).map(chr))
# Format characters that have a shape of their own.
SIGNS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]8;;http://evil\x07link", "\\x1b]8;;http://evil\\x07link"),
        ("\x9b2J", "\\x9b2J"),
        ("back\x08space", "back\\x08space"),
        ("over\rwritten", "over\\x0dwritten"),
        ("column\tshift", "column\\x09shift"),
        ("nul\x00", "nul\\x00"),
        ("del\x7f", "del\\x7f"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066isolate\u2069", "\\u2066isolate\\u2069"),
        ("mark\u200e\u200f\u061c", "mark\\u200e\\u200f\\u061c"),
        ("zero\u200bwidth\u200d", "zero\\u200bwidth\\u200d"),
        ("soft\u00adhyphen", "soft\\xadhyphen"),
        ("line\u2028paragraph\u2029", "line\\u2028paragraph\\u2029"),
        ("\ufeffbom", "\\ufeffbom"),
        ("tag\U000e0041\U000e007f", "tag\\U000e0041\\U000e007f"),
        ("smuggled\U000e0101", "smuggled\\U000e0101"),
        ("lone\ud83d", "lone\\ud83d"),
        ("filler\u3164", "filler\\u3164"),
    ],
)
def test_a_character_that_steers_or_hides_is_written_out(hostile: str, shown: str) -> None:
    assert visible(hostile) == shown


@pytest.mark.parametrize(
    "harmless",
    [
        "",
        "Kupiansk",
        "Куп'янськ, 90 %",
        "Куп’янськ",
        "中文",
        "é e\u0301",
        "🙂",
        "❤\ufe0f",
        "a\u00a0b",
        "\\x1b",
    ],
)
def test_ordinary_text_of_any_script_is_left_alone(harmless: str) -> None:
    assert visible(harmless) == harmless


def test_a_newline_survives_only_where_lines_are_wanted() -> None:
    assert visible("one\ntwo\x1b") == "one\ntwo\\x1b"
    assert visible("one\ntwo", keep_newlines=False) == "one\\x0atwo"


@given(ANY_TEXT, st.booleans())
def test_no_control_or_format_character_is_ever_left(text: str, keep_newlines: bool) -> None:
    left = {c for c in visible(text, keep_newlines=keep_newlines) if c not in SIGNS}
    left -= {"\n"} if keep_newlines else set()
    assert {unicodedata.category(c) for c in left}.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})


@given(ANY_TEXT)
def test_what_is_visible_can_be_printed_and_stays_as_it_is(text: str) -> None:
    shown = visible(text)
    assert shown.encode("utf-8").decode("utf-8") == shown
    assert visible(shown) == shown


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        "  =1",
        "\u00a0=1",
        "-",
    ],
)
def test_text_a_spreadsheet_would_run_gets_an_apostrophe(cell: str) -> None:
    assert csv_safe(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "Kupiansk", "1-2", "a=b", "'=1", "0.5", " ", "2025-12-16"])
def test_other_text_is_not_prefixed(cell: str) -> None:
    assert csv_safe(cell) == cell


@pytest.mark.parametrize("cell", [-1.5, -1, 0, None, True])
def test_numbers_are_not_text(cell: float | None) -> None:
    assert csv_safe(cell) is cell


@given(ANY_TEXT)
def test_no_cell_begins_like_a_formula(text: str) -> None:
    assert csv_safe(text)[:1] not in set("=+-@\t\r＝＋－＠")


@pytest.mark.parametrize(
    "disguised",
    ["Kупянск", "Kуpiansk", "Куpіansk", "Zelenѕky", "ΤASS"],
)
def test_a_word_of_two_alphabets_is_flagged(disguised: str) -> None:
    assert mixed_script(f"near {disguised} today")
    assert homoglyphs(f"near {disguised} today") == (disguised,)


@pytest.mark.parametrize(
    "honest",
    [
        "",
        "Kupiansk",
        "Куп'янськ",
        "Kupiansk (Куп'янськ)",
        "Су-34",
        "IT-компанія",
        "Aθήνα".replace("A", "Α"),
        "Łódź",
    ],
)
def test_words_of_one_alphabet_side_by_side_are_not_flagged(honest: str) -> None:
    assert not mixed_script(honest)
