"""Many spellings of one place lead to one id; one spelling of many places leads to a question."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import AmbiguousName, UnknownName
from ledger.names import NameIndex, fold

KUPIANSK = "geonames:703656"
RADKIVKA_KHARKIV, RADKIVKA_SUMY = "wikidata:Q4388057", "wikidata:Q4388058"

PLACES = [
    (
        KUPIANSK,
        "Kupiansk",
        "town, Kharkiv oblast",
        ["Kupiansk", "Kupyansk", "Kup'iansk", "Куп'янськ", "Купянск"],
    ),
    ("wikidata:Q12115849", "Kupiansk-Vuzlovyi", "town, Kharkiv oblast", ["Kupiansk-Vuzlovyi"]),
    (RADKIVKA_KHARKIV, "Radkivka", "village, Kharkiv oblast", ["Radkivka", "Radkovka"]),
    (RADKIVKA_SUMY, "Radkivka", "village, Sumy oblast", ["Radkivka", "Radkovka"]),
    ("wikidata:Q2234641", "Lyman", "town, Donetsk oblast", ["Lyman", "Liman", "Krasnyi Lyman"]),
    ("wikidata:Q4261667", "Lyman", "village, Luhansk oblast", ["Lyman", "Liman"]),
    ("wikidata:Q4261659", "Lyman", "village, Kharkiv oblast", ["Lyman"]),
    ("wikidata:Q4261661", "Lyman", "village, Kharkiv oblast", ["Lyman"]),
    ("wikidata:Q640649", "Huliaipole", "city, Zaporizhzhia oblast", ["Huliaipole", "Гуляйполе"]),
]


@pytest.fixture
def index() -> NameIndex:
    filled = NameIndex()
    for id, label, hint, names in PLACES:
        for name in names:
            filled.add(id, name, label, hint)
    filled.alias("wikidata:Q889555", KUPIANSK)
    return filled


@pytest.mark.parametrize(
    "spelling",
    [
        "Kupiansk", "KUPIANSK", " kupyansk ", "Kup'iansk", "Kup’iansk", "Kup´iansk", "Kup′iansk",
        "Kup`iansk", "Куп'янськ", "Купʼянськ", "Куп’янськ", "КУП’ЯНСЬК", "Куп″янськ", "Куп＇янськ",
        'Куп"янськ', "Купянськ", "Купянск", "Kupi\u0301ansk", "Kupi\u00adansk", KUPIANSK,
        "wikidata:Q889555",
    ],
)  # fmt: skip
def test_every_spelling_apostrophe_and_id_finds_the_town(index: NameIndex, spelling: str) -> None:
    assert index.resolve(spelling) == KUPIANSK


@pytest.mark.parametrize(
    "unregistered", ["Kupjansk", "Kupansk", "Купьянск", "Kupiansk City", "Kupians", "", "'"]
)
def test_a_spelling_nobody_registered_is_not_romanised_into_a_match(
    index: NameIndex, unregistered: str
) -> None:
    with pytest.raises(UnknownName) as error:
        index.resolve(unregistered)
    assert error.value.exit_code == 3


def test_a_misspelling_is_answered_with_a_suggestion(index: NameIndex) -> None:
    with pytest.raises(UnknownName, match=rf"Did you mean {KUPIANSK} \(Kupiansk, town, Kharkiv oblast\)"):
        index.resolve("Kupjansk")


def test_suggestions_are_never_more_than_three(index: NameIndex) -> None:
    with pytest.raises(UnknownName) as error:
        index.resolve("Lymann")
    assert str(error.value).count("wikidata:") == 3


def test_nothing_alike_gets_no_suggestion_but_the_next_command(index: NameIndex) -> None:
    with pytest.raises(UnknownName, match="`claims sources` lists those known"):
        index.resolve("Xyz", what="source")


def test_a_name_disguised_with_letters_of_two_alphabets_is_told(index: NameIndex) -> None:
    with pytest.raises(UnknownName, match="mixes Latin with Cyrillic"):
        index.resolve("Kупянск")


def test_two_radkivkas_are_asked_about_and_not_guessed(index: NameIndex) -> None:
    with pytest.raises(AmbiguousName) as error:
        index.resolve("Radkivka")
    message = str(error.value)
    assert error.value.exit_code == 3
    assert f"{RADKIVKA_KHARKIV} (Radkivka, village, Kharkiv oblast)" in message
    assert f"{RADKIVKA_SUMY} (Radkivka, village, Sumy oblast)" in message
    assert "Use the id" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "id"),
    [
        ("Radkivka, Kharkiv oblast", RADKIVKA_KHARKIV),
        ("radkivka, KHARKIV", RADKIVKA_KHARKIV),
        ("Radkivka (Kharkiv region)", RADKIVKA_KHARKIV),
        ("Radkovka (Sumy)", RADKIVKA_SUMY),
        ("Radkivka, village, Sumy oblast", RADKIVKA_SUMY),
        ("Lyman, Donetsk", "wikidata:Q2234641"),
        ("Lyman (town)", "wikidata:Q2234641"),
        ("Krasnyi-Lyman", "wikidata:Q2234641"),
    ],
)
def test_a_region_or_kind_beside_the_name_chooses_among_homonyms(
    index: NameIndex, text: str, id: str
) -> None:
    assert index.resolve(text) == id


@pytest.mark.parametrize(
    "text", ["Lyman", "Lyman, Kharkiv", "Lyman, village", "Lyman (village, Kharkiv oblast)"]
)
def test_a_hint_that_leaves_two_lymans_is_not_enough(index: NameIndex, text: str) -> None:
    with pytest.raises(AmbiguousName):
        index.resolve(text)


@pytest.mark.parametrize(
    "text", ["Radkivka, Poltava", "Radkivka, Donetsk oblast", "Kupiansk, Sumy", "Radkivka ()"]
)
def test_a_hint_that_fits_nobody_is_no_excuse_to_take_another(index: NameIndex, text: str) -> None:
    with pytest.raises(UnknownName, match="Of that name there is") as error:
        index.resolve(text)
    assert not isinstance(error.value, AmbiguousName)


def test_a_registered_name_with_a_comma_is_a_name_first() -> None:
    index = NameIndex()
    index.add("a", "Washington, D.C.", "Washington", "city")
    index.add("b", "Washington", "Washington", "state")
    assert index.resolve("washington, d.c.") == "a"


def test_an_id_goes_before_a_name() -> None:
    index = NameIndex()
    index.add("tass", "TASS", "TASS", "agency")
    index.add("other", "tass", "Other", "blog")
    assert index.resolve("tass") == "tass"
    with pytest.raises(AmbiguousName):
        index.resolve("Tass")


def test_an_id_is_found_in_any_case_where_no_name_competes() -> None:
    index = NameIndex()
    index.add("RU", "Russia", "Russia")
    assert index.resolve("ru", what="party") == "RU"


def test_merged_ids_and_their_names_lead_over_every_step_to_the_last(index: NameIndex) -> None:
    index.alias(RADKIVKA_SUMY, "geonames:1")
    index.alias("geonames:1", RADKIVKA_KHARKIV)
    assert index.resolve(RADKIVKA_SUMY) == RADKIVKA_KHARKIV
    assert index.resolve("geonames:1") == RADKIVKA_KHARKIV
    assert index.resolve("Radkivka") == RADKIVKA_KHARKIV  # one place now, so no longer ambiguous


def test_a_circle_of_merges_does_not_hang(index: NameIndex) -> None:
    index.alias(RADKIVKA_SUMY, RADKIVKA_KHARKIV)
    index.alias(RADKIVKA_KHARKIV, RADKIVKA_SUMY)
    assert index.resolve(RADKIVKA_SUMY) in (RADKIVKA_SUMY, RADKIVKA_KHARKIV)


def test_an_alias_of_something_never_registered_is_unknown(index: NameIndex) -> None:
    index.alias("wikidata:Q1", "geonames:999")
    with pytest.raises(UnknownName):
        index.resolve("wikidata:Q1")


def test_the_last_label_and_hint_of_a_thing_count(index: NameIndex) -> None:
    index.add(RADKIVKA_SUMY, "Radkivka", "Radkivka (Sumy)", "hamlet, Sumy oblast")
    assert index.label(RADKIVKA_SUMY) == "Radkivka (Sumy)"
    assert index.resolve("Radkivka, hamlet") == RADKIVKA_SUMY


def test_completion_offers_names_with_their_hints(index: NameIndex) -> None:
    assert index.complete("kup") == [
        ("Kupiansk", "town, Kharkiv oblast"),
        ("Kupiansk-Vuzlovyi", "town, Kharkiv oblast"),
        ("Kupyansk", "town, Kharkiv oblast"),
    ]
    assert index.complete("Купʼ")[0][0] == "Купянск"
    assert index.complete("nothing like it") == []


def test_everything_completion_offers_resolves(index: NameIndex) -> None:
    offered = index.complete("")
    assert ("Radkivka, village, Sumy oblast", "village, Sumy oblast") in offered
    assert ("wikidata:Q4261659", "Lyman, village, Kharkiv oblast") in offered
    for name, _ in offered:
        index.resolve(name)


def test_completion_of_an_id_begins_at_its_colon(index: NameIndex) -> None:
    assert index.complete("geonames:70") == [(KUPIANSK, "town, Kharkiv oblast")]
    assert index.complete("geo") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Купʼянськ", "КУП’ЯНСЬК"),
        ("Kupiansk–Vuzlovyi", "kupiansk_vuzlovyi"),
        ("Łódź", "lodz"),
        ("Zelenskyy", "ZELENSKYY"),
        ("Straße", "STRASSE"),
        ("Ґалаґан", "Галаган"),
        ("Đà Nẵng", "da nang"),
        ("Ｋｕｐｉａｎｓｋ", "Kupiansk"),
        ("İzmir", "izmir"),
    ],
)
def test_typography_is_folded_away(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Kupiansk", "Купянск"),
        ("Kupiansk", "Kupyansk"),
        ("Лиман", "Ліман"),
        ("かき", "がき"),
        ("Huliaipole", "Huliai pole"),
    ],
)
def test_different_letters_stay_different(one: str, other: str) -> None:
    assert fold(one) != fold(other)


@given(st.text())
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text())
def test_folding_does_not_look_at_case(text: str) -> None:
    # Not every character comes back from upper case; those that do must fold alike.
    if text.upper().casefold() == text.casefold():
        assert fold(text.upper()) == fold(text)


@given(st.text(min_size=1))
def test_whatever_is_registered_is_found_or_has_no_letters(name: str) -> None:
    index = NameIndex()
    index.add("id:1", name, "One")
    assert index.candidates(name) == (["id:1"] if fold(name) or name.strip() == "id:1" else [])
