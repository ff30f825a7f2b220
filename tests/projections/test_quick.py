"""Leaves read from their bytes come to what the reader of every leaf makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.codec import decode
from ledger.errors import Unverified
from projections.columns.modes import leaf_reader
from projections.envelopes.cache import _chunks_of
from projections.envelopes.quick import Quick, Texts
from projections.envelopes.reading import Batch, Codes, Reader, mark_of
from projections.envelopes.shape import PACK
from tests.projections.worlds import Paper, World, laws, worlds

Leaf = tuple[int, bytes]

CLAIM = "c-0123456789abcdef0123456789abcdef"
EVIDENCE = "e-0123456789abcdef0123456789abcdef"
RECORDED = "2025-12-20T10:00:00.000000Z"
DATES = (
    "2025-12-16", "2025-12-16~", "2025-12-16?", "2025-12-16%", "2025-12", "2025", "2025-12-1X", "2025-02-29",
    "2024-02-29", "1900-02-29", "2000-02-29", "2025-13-01", "2025-00-10", "2025-04-31", "2025-12-00", "0000-01-01",
    "0001-01-01", "9999-12-31", "2025-12-16T10:00:00Z", "2025-12-16T24:00:00Z", "2025-12-16T10:60:00Z",
    "2025-12-16 10:00:00Z", "2025-12-16T10:00:00.5Z", "2025-12-16T10:00:00+02:00", "2025-12-21", "2025-12-20",
    "2025-12-16/2025-12-18", "2025-12-18/2025-12-16", "2025-12-16/..", "../2025-12-16", "2025-12-16/", "2025-12/..",
    "2025-11/2025-12", "2025-12-16~/2025-12-18", "2025-12-16/2025-12", "", "soon", "2025-12-166", "２０２５-12-16",
)  # fmt: skip
AT_FIRST = 16
NAMES = ("alpha", "beta", "Купянськ", "a" * 300, "", 'say "so"', "line\nbreak", "back\\slash")


def claim(position: int = 1, **data: Any) -> Leaf:
    """A leaf that claims something; ``leaf_…`` names replace parts of the leaf itself."""
    leaf: dict[str, Any] = {
        "body": "ab" * 32,
        "data": {"claimant": "alpha", "place": "beta", "state": "UA"} | data,
        "recorded": RECORDED,
        "stream": CLAIM,
        "type": "claim-reported/1",
        "version": 1,
    }
    return position, orjson.dumps(leaf, option=orjson.OPT_SORT_KEYS)


def raw(position: int, data: str, head: str = "", recorded: str = RECORDED, stream: str = CLAIM) -> Leaf:
    text = (
        f'{{{head}"data":{{{data}}},"recorded":"{recorded}","stream":"{stream}",'
        '"type":"claim-reported/1","version":1}'
    )
    return position, text.encode("utf-8", "surrogateescape")


def numbered(leaves: list[Leaf]) -> list[Leaf]:
    return [(n, state) for n, (_, state) in enumerate(leaves, 1)]


def quick_reader(lookup: Any = lambda stream: ()) -> Quick:
    return Quick(Reader(Codes(), lookup), leaf_reader(False), AT_FIRST)


def read_both(leaves: list[Leaf], lookup: Any = lambda stream: ()) -> tuple[Batch, Batch]:
    slow, quick = Reader(Codes(), lookup), quick_reader(lookup)
    expected, found = slow.read(leaves), quick.read(leaves)
    assert list(_chunks_of(found)) == list(_chunks_of(expected))
    assert quick.reader.codes.names == slow.codes.names
    for name in ("fates", "more", "moved", "doubts", "leans", "shown", "asked", "bad"):
        assert getattr(found, name) == getattr(expected, name), name
    return expected, found


def learnt(leaves: list[Leaf]) -> list[Leaf]:
    """The same after enough leaves for the first group to be over and every name to be known."""
    known = [claim(1, place=name, claimant=name, via=[name]) for name in NAMES]
    known += [claim(1, act=act, question="control", valid_kind="at") for act in ("asserts", "denies")]
    return numbered([*known, *(claim() for _ in range(AT_FIRST - len(known))), *leaves])


def test_the_usual_claim_is_read_from_its_bytes() -> None:
    _, found = read_both(learnt([claim(said="2025-12-16", published="2025-12-17", via=["beta", "alpha"])]))
    assert len(found.rows) == 1
    values = PACK.unpack(found.rows.tobytes())
    assert values[0] == AT_FIRST + 1


@pytest.mark.parametrize("clock", ["said", "published", "valid"])
@pytest.mark.parametrize("date", DATES)
def test_every_date_means_the_same(clock: str, date: str) -> None:
    odd = claim(**{clock: date})
    plain = {"said": "2025-12-15", "published": "2025-12-15"} if clock == "valid" else {}
    kinds = [
        claim(**plain, **{clock: date}, valid_kind=kind)
        for kind in ("at", "throughout", "since", "within", "of")
    ]
    shown = claim(**plain, **{clock: date}, standing=True)
    # Twice, so that a date met once is looked up the second time.
    leaves = learnt([odd, *kinds, shown])
    read_both(numbered([*leaves, *[claim() for _ in range(2 * AT_FIRST)], odd, *kinds, shown]))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_the_same(name: str) -> None:
    fields = ("place", "claimant", "state", "question", "act", "extent", "target", "actor", "note")
    read_both(learnt([claim(**{field: name}) for field in fields] + [claim(via=[name, "alpha"])]))


ODD = {
    "nothing said": '"claimant":"alpha","place":"beta"',
    "empty": "",
    "a name twice": '"claimant":"alpha","place":"beta","place":"alpha"',
    "names out of order": '"place":"beta","claimant":"alpha"',
    "null": '"claimant":"alpha","place":"beta","said":null,"state":null',
    "a number for a name": '"claimant":7,"place":"beta"',
    "a list for a name": '"claimant":["alpha"],"place":"beta"',
    "no place": '"claimant":"alpha"',
    "via nobody": '"claimant":"alpha","place":"beta","via":[]',
    "via four": '"claimant":"alpha","place":"beta","via":["a","b","c","d"]',
    "via null": '"claimant":"alpha","place":"beta","via":null',
    "via a number": '"claimant":"alpha","place":"beta","via":[1]',
    "negated by text": '"claimant":"alpha","negated":"true","place":"beta"',
    "negated": '"claimant":"alpha","negated":true,"place":"beta","standing":false',
    "negated by a number": '"claimant":"alpha","negated":1,"place":"beta"',
    "a field of no interest": '"claimant":"alpha","note":"x","place":"beta","share":42',
    "a nested field": '"claimant":"alpha","note":{"place":"alpha"},"place":"beta"',
    "a fraction": '"claimant":"alpha","place":"beta","share":0.5',
    "below nothing": '"claimant":"alpha","place":"beta","share":-5',
    "an escape": '"claimant":"al\\u0070ha","place":"beta"',
    "a quote": '"claimant":"al\\"pha","place":"beta"',
    "space": '"claimant": "alpha","place":"beta"',
    "based on nothing": '"based_on":[],"claimant":"alpha","place":"beta"',
    "based on evidence": f'"based_on":["{EVIDENCE}"],"claimant":"alpha","place":"beta"',
    "against evidence": f'"act":"denies","claimant":"alpha","place":"beta","target":"{EVIDENCE}"',
    "of evidence": f'"act":"concedes","claimant":"alpha","place":"beta","target":"{EVIDENCE}"',
    "of a claim": f'"act":"denies","claimant":"alpha","place":"beta","target":"{CLAIM}"',
    "of an odd target": '"act":"denies","claimant":"alpha","place":"beta","target":"c-0123"',
    "of upper-case hex": f'"claimant":"alpha","place":"beta","target":"{CLAIM.upper()}"',
    "a longer act": '"act":"deniesx","claimant":"alpha","place":"beta"',
    "a longer field": '"claimant":"alpha","place":"beta","places":"alpha","published_":"2025"',
    "a comma at the end": '"claimant":"alpha","place":"beta",',
}


def _refusal(reader: Reader | Quick, leaves: list[Leaf]) -> str | None:
    try:
        reader.read(leaves)
    except Unverified as refused:
        return str(refused)
    return None


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_an_odd_leaf_is_read_alike_or_refused_alike(data: str) -> None:
    leaves = learnt([claim(), raw(1, data), claim()])
    slow, quick = Reader(Codes(), lambda _: ()), quick_reader()
    assert _refusal(quick, leaves) == _refusal(slow, leaves)
    if _refusal(slow, leaves) is None:
        read_both(leaves)


@pytest.mark.parametrize(
    "leaf",
    [
        raw(1, '"claimant":"alpha","place":"beta"', head='"actor":"me",'),
        raw(1, '"claimant":"alpha","place":"beta"', head='"actor":"me","body":"00",'),
        raw(1, '"claimant":"alpha","place":"beta"', head='"actor":7,'),
        raw(1, '"claimant":"alpha","place":"beta"', recorded="2025-12-20T10:00:00.00000xZ"),
        raw(1, '"claimant":"alpha","place":"beta"', recorded="2025-12-32T10:00:00.000000Z"),
        raw(1, '"claimant":"alpha","place":"beta"', stream=CLAIM.replace("c-", "d-")),
        raw(1, '"claimant":"alpha","place":"beta"', stream=CLAIM.replace("a", "A")),
        raw(1, '"claimant":"alpha","place":"beta"', stream=CLAIM.replace("a", "g")),
    ],
)
def test_an_odd_frame_is_read_alike(leaf: Leaf) -> None:
    read_both(learnt([leaf, claim()]))


def test_bytes_that_are_no_text_are_refused_by_both() -> None:
    leaves = learnt([claim(), raw(1, '"claimant":"al\udcffpha","place":"beta"')])
    for reader in (
        Reader(Codes(), lambda _: ()),
        quick_reader(),
    ):
        with pytest.raises(Unverified, match="no event"):
            reader.read(leaves)


def test_a_gap_between_positions_is_no_hindrance() -> None:
    read_both([(position * 3, state) for position, state in learnt([claim(), claim()])])


def test_a_table_of_texts_finds_every_text_after_it_has_grown() -> None:
    kernel = leaf_reader(False)
    texts = Texts(kernel.learn)
    names = [f"name {n}" for n in range(3_000)]
    with np.errstate(over="ignore"):
        for name in names:
            texts.add(name)
    for n, name in enumerate(names[:50] + names[-50:]):
        number = n if n < 50 else 2_900 + n
        at, length = texts.spans[number]
        assert bytes(texts.arena[at : at + length]).decode() == name


def test_marks_of_different_texts_differ() -> None:
    marks = [mark_of(date) for date in (*DATES[:7], "2025-12-16T10:00:00Z", "1970-01-01T00:00:00Z", None)]
    assert len(set(marks)) == len(marks)


@laws()
@given(worlds())
def test_a_ledger_is_read_alike(world: World) -> None:
    shelf = world.shelf()
    paper = Paper(shelf)
    leaves = list(paper.leaves(1, len(shelf.events)))
    read_both(leaves, lambda stream: [decode(row) for row in paper.stream(stream)])


FIELDS = st.fixed_dictionaries(
    {"claimant": st.sampled_from(NAMES[:3]), "place": st.sampled_from(NAMES[:3])},
    optional={
        "said": st.sampled_from(DATES[:27]),
        "published": st.sampled_from(DATES[:27]),
        "valid": st.sampled_from(DATES[:35]),
        "valid_kind": st.sampled_from(("at", "throughout", "since", "within")),
        "standing": st.booleans(),
        "negated": st.booleans(),
        "act": st.sampled_from(("asserts", "denies", "doubts", "concedes", "predicts")),
        "extent": st.sampled_from(("whole", "part")),
        "target": st.sampled_from((CLAIM, EVIDENCE)),
        "via": st.lists(st.sampled_from(NAMES[:3]), min_size=1, max_size=4),
        "state": st.sampled_from(("UA", "RU")),
        "question": st.sampled_from(("control", "bridge")),
    },
)


@laws()
@given(st.lists(FIELDS, min_size=1, max_size=20))
def test_claims_of_any_fields_are_read_alike(some: list[dict[str, Any]]) -> None:
    read_both(learnt([claim(state="RU", question="bridge"), *(claim(**one) for one in some)]))
