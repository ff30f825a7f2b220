"""Pictures: well-formed, the same bytes each time, and nothing in a text is taken for markup."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.intervals import Bin, Estimate
from projections.pictures import FEW_DAYS, Panel, reliability_diagram
from tests.projections.worlds import laws

SVG = "{http://www.w3.org/2000/svg}"


def one_bin(
    n: int, rows: int, share: float = 0.5, low: float | None = None, high: float | None = None
) -> Bin:
    sure = n / 10 + 0.05 if rows else None
    return Bin(n / 10, (n + 1) / 10, rows, sure, Estimate(share if rows else None, low, high))


def bins(*counts: int) -> list[Bin]:
    return [one_bin(n, counts[n] if n < len(counts) else 0) for n in range(10)]


def drawn(
    *panels: Panel, title: str = "Title", caption: str = "caption", columns: int = 2
) -> ElementTree.Element:
    return ElementTree.fromstring(reliability_diagram(title, caption, panels, columns))


def all_of(picture: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    return [one for one in picture.iter() if one.get("class") == kind]


def texts(picture: ElementTree.Element) -> list[str]:
    return [one.text or "" for one in picture.iter(f"{SVG}text")]


def test_every_believed_bin_has_a_point_and_a_count() -> None:
    picture = drawn(Panel("tally@1, filter", "60 days", bins(0, 10, 20, 0, 30)))
    assert len(all_of(picture, "point")) == 3
    assert len(all_of(picture, "count")) == 3
    assert {"10", "20", "30", "tally@1, filter", "60 days"} <= set(texts(picture))


def test_a_point_lies_where_its_confidence_and_share_say() -> None:
    """The diagonal gives the measure: its ends are (0, 0) and (1, 1)."""
    picture = drawn(Panel("a", "b", [one_bin(2, 50, share=0.75)]))
    (even,) = all_of(picture, "even")
    x1, y1, x2, y2 = (float(even.get(name) or "") for name in ("x1", "y1", "x2", "y2"))
    (point,) = all_of(picture, "point")
    assert float(point.get("cx") or "") == pytest.approx(x1 + 0.25 * (x2 - x1), abs=0.01)
    assert float(point.get("cy") or "") == pytest.approx(y1 + 0.75 * (y2 - y1), abs=0.01)


def test_an_interval_is_drawn_where_there_is_one() -> None:
    panel = Panel("a", "b", [one_bin(2, 50, 0.5, 0.25, 1.0), one_bin(3, 50)])
    assert len(all_of(drawn(panel), "range")) == 1


def test_a_point_of_few_days_is_hollow_and_not_on_the_line() -> None:
    picture = drawn(Panel("a", "b", bins(FEW_DAYS - 1, FEW_DAYS, 2 * FEW_DAYS)))
    assert (len(all_of(picture, "few")), len(all_of(picture, "point"))) == (1, 2)
    (line,) = all_of(picture, "line")
    assert len((line.get("points") or "").split()) == 2


def test_where_nothing_is_believed_the_picture_says_so() -> None:
    picture = drawn(Panel("a", "b", bins()))
    assert "nothing is believed of any day" in texts(picture)
    assert not all_of(picture, "point") + all_of(picture, "count") + all_of(picture, "line")


@pytest.mark.parametrize(("panels", "columns", "rows"), [(1, 2, 1), (2, 2, 1), (3, 2, 2), (4, 2, 2)])
def test_panels_stand_in_rows(panels: int, columns: int, rows: int) -> None:
    picture = drawn(*[Panel(f"panel {n}", "", bins(10)) for n in range(panels)], columns=columns)
    groups = list(picture.iter(f"{SVG}g"))
    assert len(groups) == panels
    assert len({(one.get("transform") or "").split()[1] for one in groups}) == rows


def test_nothing_reaches_beyond_the_edge() -> None:
    picture = drawn(Panel("a", "b", [one_bin(n, 10**n, share=n % 2, low=0, high=1) for n in range(10)]))
    width, height = (float(picture.get(name) or "") for name in ("width", "height"))
    for group in picture.iter(f"{SVG}g"):
        for name, most in (("x", width), ("cx", width), ("x2", width), ("y", height), ("cy", height)):
            assert all(0 <= float(one.get(name) or 0) <= most for one in group.iter())


HOSTILE = '</text><script>alert("1")</script>&lt;\u202egpj.\x1b[31m\ud800'


def test_a_hostile_name_is_text_and_nothing_else() -> None:
    said = reliability_diagram(HOSTILE, HOSTILE, [Panel(HOSTILE[:40], HOSTILE, bins(10))], 2)
    assert "<script" not in said
    assert "\x1b" not in said and "\u202e" not in said
    said.encode("utf-8")
    assert not list(ElementTree.fromstring(said).iter(f"{SVG}script"))


def test_a_long_name_is_cut() -> None:
    shown = texts(drawn(Panel("x" * 500, "", bins(10))))
    assert max(map(len, shown)) < 60


def test_a_picture_needs_no_other_file() -> None:
    said = reliability_diagram("a", "b", [Panel("a", "b", bins(10))], 2)
    assert "href" not in said and "url(" not in said and "@import" not in said
    assert said.count("http") == 1, "the namespace of SVG alone"


counts = st.lists(st.integers(0, 10**7), min_size=10, max_size=10)


@laws(0.5)
@given(st.lists(counts, min_size=1, max_size=3), st.text(max_size=20))
def test_the_same_numbers_are_the_same_bytes_and_always_well_formed(panels, title) -> None:
    made = [
        reliability_diagram(title, title, [Panel(title, title, bins(*one)) for one in panels], 2)
        for _ in range(2)
    ]
    assert made[0] == made[1]
    ElementTree.fromstring(made[0].encode("utf-8"))
