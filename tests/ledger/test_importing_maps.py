"""Maps: every mistake in one is found before a row is read, in one line that says what is known instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ledger.errors import BadDate, BadEvent, BadMap, LedgerError
from ledger.importing import load, parse, shipped
from ledger.importing.mapping import MappedRow, Mapper, slug

BASE = """
schema = "claims-map/1"
[columns]
place = "town"
claimant = "who"
state = "holder"
published = "day"
"""
ROW = {"town": "Lyman", "who": "Blog", "holder": "RU", "day": "2025-12-16"}


def mapped(more: str, row: dict[str, Any] | None = None, **cells: Any) -> MappedRow:
    found = Mapper(parse(BASE + more, "m")).row({**(ROW if row is None else row), **cells})
    assert found is not None
    return found


# -- maps that cannot be -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("schema = ", "not TOML"),
        ("[columns\n", "not TOML"),
        ('schema = "a"\nschema = "b"', "not TOML"),
        ("", "no schema"),
        ('schema = "claims-map/2"', "'claims-map/2' is not known"),
        (BASE.replace("claims-map/1", "nonsense"), "'nonsense' is not known"),
        (BASE.replace("[columns]", "[colums]"), "Did you mean 'columns'?"),
        (BASE.replace("place", "plaice"), "Did you mean 'place'?"),
        (BASE + 'stat = "x"', "Did you mean 'state'?"),
        (BASE.replace('claimant = "who"', ""), "no claimant"),
        (BASE.replace('place = "town"', ""), "no place"),
        (BASE.replace('state = "holder"', ""), "no state"),
        (BASE + '[constants]\nplace = "x"', "place is given twice"),
        (BASE + '[templates]\nstate = "{x}"', "state is given twice"),
        (BASE + "[dates.valid]\nformats = ['%Q']", "[dates.valid]"),
        (BASE + "[dates.valid]\nformats = ['%d %B']", "has no year"),
        (BASE + "[dates.vaild]\nformats = ['%Y']", "Did you mean 'valid'?"),
        (BASE + '[dates.valid]\nrelative_to = "said"', "which the map does not fill"),
        (BASE + '[dates.published]\nrelative_to = "published"', "cannot hang on"),
        (BASE + '[dates.valid]\nrelative_to = "today"', "dates.valid.relative_to"),
        (BASE + '[dates.valid]\nformat = ["%Y"]', "dates.valid.format: no such field"),
        (BASE + "[values.colour]\nx = 'y'", "[values] knows no 'colour'"),
        (BASE + "[values.state]\nx = 3", "values.state.x"),
        (BASE + "[split]\nstate = ';'", "[split] knows no 'state'"),
        (BASE + "[register.town]\nid = 'x'", "[register] knows no 'town'"),
        (BASE + "[register.place]\nregoin = 'x'", "Did you mean 'region'?"),
        (BASE + "[require]\nday = { matches = '[' }", "no regular expression"),
        (BASE + "[list]\nobserve_whole = true", "standing = true"),
        (BASE.replace("[columns]", "standing = true\n[columns]") + 'key = "k"', "cannot fill key"),
        ("standing = true\n" + BASE.replace("published", "said"), "needs published"),
        (BASE.replace('"holder"', '["holder", "x"]'), "[columns] state takes one value"),
        (BASE + '[constants]\nact = "says"', "'says' is none of"),
        (BASE + '[constants]\nvalid = "2025-02-30"', "[constants] valid"),
        (BASE.replace("[columns]", 'delimiter = ";;"\n[columns]'), "delimiter"),
    ],
    ids=range(34),
)
def test_a_map_that_cannot_be_used_is_refused_in_one_line(text: str, what: str) -> None:
    with pytest.raises(BadMap) as caught:
        parse(text, "my.toml")
    said = str(caught.value)
    assert said.startswith("my.toml: ")
    assert what in said
    assert "\n" not in said
    assert caught.value.exit_code == 2


def test_a_column_that_is_not_there_is_named_with_the_likely_one_and_all_others() -> None:
    with pytest.raises(BadMap) as caught:
        parse(BASE, "m").check_columns(["town", "who", "holders", "day"], "m.toml")
    assert str(caught.value) == (
        "m.toml: [columns] state: the data has no column 'holder'. "
        "Did you mean 'holders'? Columns: town, who, holders, day"
    )


@pytest.mark.parametrize(
    "more",
    [
        '[templates]\nkey = "{nowhere}"',
        '[skip]\nnowhere = "x"',
        '[require]\nnowhere = "x"',
        '[register.place]\nlat = "{nowhere}"',
        '[columns.via]\nx = "y"',
    ],
    ids=range(5),
)
def test_every_mention_of_a_column_is_checked(more: str) -> None:
    with pytest.raises(BadMap, match=r"nowhere|via"):
        parse(BASE + more, "m").check_columns(ROW, "m")


def test_a_map_that_is_nowhere_is_refused_with_those_that_are_shipped() -> None:
    with pytest.raises(BadMap, match=r"Did you mean 'simple'\? Give a path, or .*wikipedia_22towns"):
        load("simpel")


@pytest.mark.parametrize("name", ["../maps/simple", "simple.toml/..", "/etc/passwd", "."])
def test_a_shipped_map_is_found_by_its_name_alone(name: str) -> None:
    with pytest.raises(BadMap):
        load(name)


def test_a_map_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadMap, match="cannot be read"):
        load(tmp_path / "m.toml")


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_map_can_be_used(name: str) -> None:
    assert load(name).fields


# -- rows ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "cells", "what"),
    [
        ("", {"town": " "}, "place is missing (the column 'town' is empty)"),
        ("", {"who": ""}, "claimant is missing"),
        ("", {"day": "2025-13-01"}, "published: "),
        ("", {"day": "yesterday"}, "published: "),
        ("", {"holder": ["RU"]}, "the column 'holder' holds a list"),
        ("", {"holder": {"is": "RU"}}, "the column 'holder' holds an object"),
        ("[values.state]\nUkraine = 'UA'", {"holder": "Ukriane"}, "Did you mean 'Ukraine'? Known: Ukraine"),
        ("[values.act]\nsaid = 'asserts'\n[templates]\nact = '{verb}'", {"verb": "sang"}, "Known: said"),
        ("[templates]\nact = '{verb}'", {"verb": "sings"}, "act: 'sings' is none of asserts"),
        ("[require]\nholder = ['UA']", {}, "holder is 'RU', the map insists on 'UA'"),
        ("[require]\nday = { matches = '2024.*' }", {}, "insists on 2024.*"),
        ("[dates.published]\nformats = ['%d %B %Y']", {}, "fits none of the formats"),
        ("[dates.published]\nformats = ['%d %B %Y']", {"day": "31 February 2025"}, "does not exist"),
        ("[templates]\nvalid = '{v}'\n[dates.valid]\nrelative_to = 'published'", {"v": "soonish"}, "valid: "),
    ],
    ids=range(14),
)
def test_a_row_that_cannot_be_read_says_which_field_and_why(
    more: str, cells: dict[str, Any], what: str
) -> None:
    with pytest.raises((BadEvent, BadDate)) as caught:
        mapped(more, **cells)
    assert what in str(caught.value)


def test_a_hostile_cell_is_shown_cut_and_visible() -> None:
    with pytest.raises(LedgerError) as caught:
        mapped("[values.state]\nx = 'UA'", holder="\x1b]52;c;" + "A" * 5000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_a_row_that_the_map_skips_is_no_row() -> None:
    mapper = Mapper(parse(BASE + "[skip]\nholder = ['RU', 'draft']", "m"))
    assert mapper.row(ROW) is None
    assert mapper.row({**ROW, "holder": "UA"}) is not None


def test_what_was_written_is_kept_for_everything_that_was_changed_and_nothing_else() -> None:
    row = mapped(
        "[values.state]\nRussia = 'RU'\n[templates]\nvalid = '{when}'\n[dates.valid]\nformats = ['%d %b %Y']",
        holder="Russia",
        when="7 Dec 2025",
    )
    assert row.fields == {"state": "RU", "published": "2025-12-16", "valid": "2025-12-07"}
    assert row.written == {"state": "Russia", "valid": "7 Dec 2025"}


def test_a_default_stands_for_values_the_table_does_not_list() -> None:
    table = "[values.state]\nRussia = 'RU'\n'*' = 'contested'"
    assert mapped(table, holder="who knows").fields["state"] == "contested"
    assert mapped(table, holder="*").fields["state"] == "contested"
    assert mapped(table.replace("'contested'", "'*'"), holder="UA").fields["state"] == "UA"


def test_a_value_may_be_mapped_to_nothing() -> None:
    row = mapped("[templates]\nextent = '{e}'\n[values.extent]\n'n/a' = ''", e="n/a")
    assert "extent" not in row.fields
    assert row.written == {"extent": "n/a"}


def test_words_for_dates_hang_on_the_date_they_are_told_to() -> None:
    more = "[templates]\nsaid = '{s}'\n[dates.said]\nrelative_to = 'published'"
    assert mapped(more, s="yesterday").fields["said"] == "2025-12-15"
    assert mapped(more, s="2025-12-01").fields["said"] == "2025-12-01"


def test_the_first_date_format_that_fits_counts() -> None:
    more = "[dates.published]\nformats = ['%d %B %Y', '%d-%b-%y', 'edtf']"
    for written in ("16 December 2025", "16-Dec-25", "2025-12-16"):
        assert mapped(more, day=written).fields["published"] == "2025-12-16"


def test_carriers_come_from_columns_and_split_cells_in_order_without_the_empty_ones() -> None:
    text = BASE.replace("[columns]", "[columns]\nvia = ['agency', 'outlets']") + "[split]\nvia = ';'"
    row = Mapper(parse(text, "m")).row({**ROW, "agency": "", "outlets": "TASS; Example ;"})
    assert row is not None
    assert [ref.text for ref in row.via] == ["TASS", "Example"]


def test_carriers_may_be_a_list_in_json() -> None:
    text = BASE.replace("[columns]", "[columns]\nvia = 'v'")
    row = Mapper(parse(text, "m")).row({**ROW, "v": ["TASS", "Example"]})
    assert row is not None
    assert [ref.text for ref in row.via] == ["TASS", "Example"]


def test_a_template_with_an_empty_cell_is_empty() -> None:
    text = BASE.replace('place = "town"', "") + "[templates]\nplace = 'geonames:{id}'"
    found = Mapper(parse(text, "m")).row({**ROW, "id": "703656"})
    assert found is not None
    assert found.place.text == "geonames:703656"
    with pytest.raises(BadEvent, match="place is missing"):
        Mapper(parse(text, "m")).row({**ROW, "id": ""})


def test_a_template_reaches_cells_and_nothing_else() -> None:
    row = mapped("[templates]\nnote = '{town.__class__} {0} {town!r}'")
    assert row.body == {}
    assert mapped("[templates]\nnote = '{town}'", town="{who}").body == {"note": "{who}"}


def test_numbers_and_truths_of_json_are_text_as_they_were_written() -> None:
    more = "[templates]\nshare = '{s}'\nnegated = '{n}'\nkey = '{k}'"
    row = mapped(more, s="0.5", n=True, k=7)
    assert row.fields["share"] == "0.5"
    assert row.fields["negated"] == "true"
    assert row.fields["key"] == "7"


# -- ids made of names ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("Russian MoD", "russian-mod"),
        ("Štefan’s Blog!", "stefan-s-blog"),
        ("A  --  B", "a-b"),
        ("ǅ 7", "dz-7"),
    ],
)
def test_an_id_is_made_of_the_letters_of_a_name(name: str, id: str) -> None:
    assert slug(name) == id


def test_names_whose_letters_are_lost_get_ids_that_differ() -> None:
    ids = {slug(name) for name in ("Купянск", "Изюм", "Група Захід", "Група Схід", "x" * 99, "x" * 98, "")}
    assert len(ids) == 7
    assert all(id.isascii() for id in ids)
