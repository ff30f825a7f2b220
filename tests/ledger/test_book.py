"""The ledger's own promises, seen from outside: once, whole, in order, and never backwards."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from ledger import codec
from ledger.book import Draft, Ledger
from ledger.errors import BadEvent, Conflict, UnknownName
from ledger.upcast import upcast

OLD = Path(__file__).parent.parent.parent / "fixtures" / "upcasts" / "claim-reported-0.json"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    moments = iter(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=n) for n in range(1_000))
    book = Ledger.create(
        tmp_path / "a.db", ledger="test", clock=lambda: next(moments), salt=lambda n: b"\x01" * n
    )
    book.append(
        [
            Draft.of("party-named", {"party": "RU"}),
            Draft.of("party-named", {"party": "UA"}),
            Draft.of("place-registered", {"place": "p:1", "names": ["Town"]}),
            Draft.of("source-registered", {"source": "s"}, {"names": ["Spokesman"]}),
        ]
    )
    return book


def claim(state: str = "RU", body: dict[str, str] | None = None, **more: object) -> Draft:
    return Draft.of(
        "claim-reported",
        {"claimant": "s", "place": "p:1", "state": state, "said": "2025-01-02", **more},
        body,
    )


def test_the_same_claim_is_recorded_once_whoever_says_so_again(ledger: Ledger) -> None:
    first, again = ledger.append([claim()])[0], ledger.append([claim()])[0]
    assert (first.status, again.status, again.position) == ("new", "already", first.position)
    assert again.words == f"already recorded at #{first.position} {first.entry}"


def test_the_same_claim_twice_in_one_batch_is_recorded_once(ledger: Ledger) -> None:
    assert [one.status for one in ledger.append([claim(), claim()])] == ["new", "already"]


def test_the_same_id_with_another_body_is_refused_and_nothing_of_the_batch_stays(ledger: Ledger) -> None:
    ledger.append([claim(body={"url": "https://a.example"})])
    size = ledger.store.head().size
    with pytest.raises(Conflict, match="url"):
        ledger.append([claim("UA"), claim(body={"url": "https://b.example"})])
    assert ledger.store.head().size == size


def test_a_key_is_recorded_once_and_refused_with_other_content(ledger: Ledger) -> None:
    assert ledger.append([claim(key="k")])[0].status == "new"
    assert ledger.append([claim(key="k")])[0].status == "already"
    with pytest.raises(Conflict, match="'k' stands at"):
        ledger.append([claim("UA", key="k")])


def test_a_head_that_is_not_where_it_was_expected_is_refused(ledger: Ledger) -> None:
    size = ledger.store.head().size
    with pytest.raises(Conflict, match=f"stands at #{size}, not at #{size + 3}"):
        ledger.append([claim()], expected=size + 3)
    assert ledger.append([claim()], expected=size)[0].status == "new"


def test_a_dry_run_decides_everything_and_records_nothing(ledger: Ledger) -> None:
    root = ledger.store.head().root
    assert ledger.append([claim()], dry_run=True)[0].status == "new"
    assert ledger.store.head().root == root
    with pytest.raises(UnknownName):
        ledger.append([claim("XX")], dry_run=True)


def test_recorded_never_goes_back_when_the_clock_does(tmp_path: Path) -> None:
    moments = iter([datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)])
    with Ledger.create(tmp_path / "b.db", clock=lambda: next(moments)) as book:
        book.append([Draft.of("party-named", {"party": "RU"})])
        first, second = (one.recorded for one in book.events())
    assert first == second == "2026-01-02T00:00:00.000000Z"


def test_an_id_does_not_depend_on_what_lies_in_the_body(ledger: Ledger) -> None:
    plain = ledger.append([claim()], dry_run=True)[0]
    noted = ledger.append([claim(body={"note": "seen twice"})], dry_run=True)[0]
    assert plain.entry == noted.entry


def test_a_tolerant_batch_keeps_what_is_good_and_names_what_is_not(ledger: Ledger) -> None:
    unwritable = claim("UA", said="2025-01-03", body={"as_written": {"plače": "x"}})  # type: ignore[dict-item]
    receipts = ledger.append([claim("XX"), unwritable, claim()], tolerant=True)
    assert [one.status for one in receipts] == ["rejected", "rejected", "new"]


def test_an_identical_correction_is_recorded_once(ledger: Ledger) -> None:
    entry = ledger.append([claim()])[0].entry
    correction = Draft.of("entry-corrected", {"target": entry, "changes": {"said": "2025-01-03"}})
    first, again = ledger.append([correction])[0], ledger.append([correction])[0]
    assert first.entry == f"{entry}@2"
    assert (again.status, again.position) == ("already", first.position)
    assert ledger.effective(entry) == (
        "claim-reported",
        {"claimant": "s", "place": "p:1", "state": "RU", "said": "2025-01-03"},
    )


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ({"state": None}, "needs a state"),
        ({"act": "denies", "negated": True}, "assert the state instead"),
        ({"act": "denies", "standing": True}, "asserted"),
        ({"share": "1.5"}, "between 0 and 1"),
        ({"position": 7}, "no such field"),
        ({"recorded": "2025-01-01"}, "no such field"),
        ({"said": "2025-02-30"}, "2025-02-30"),
    ],
)
def test_author_fields_that_make_no_claim_are_refused(data: dict[str, object], complaint: str) -> None:
    with pytest.raises(BadEvent, match=complaint):
        claim(**data)  # type: ignore[arg-type]


def test_old_bytes_are_read_as_the_newest_shape() -> None:
    """A leaf of a shape from before the first release, kept as the bytes it was."""
    leaf = orjson.loads(OLD.read_bytes())
    topic, data = upcast(leaf["type"], leaf["data"])
    assert topic == "claim-reported/1"
    assert data["via"] == ["tass", "portal"]
    assert data["said"] == data["valid"] == "2025-12-16"
    assert Draft.of(topic, data).event.TYPE == "claim-reported/1"


def test_the_stored_bytes_are_canonical_and_hold_only_what_was_given(ledger: Ledger) -> None:
    import rfc8785

    ledger.append([claim(body={"quote": "«Купянск»"})], actor="me")
    row = list(ledger.store.rows())[-1]
    leaf = orjson.loads(row.state)
    assert rfc8785.dumps(leaf) == row.state
    assert set(leaf) == {"actor", "body", "data", "recorded", "stream", "type", "version"}
    assert "quote" not in row.state.decode()
    sealed = ledger.store.body(row.position)
    assert sealed is not None
    assert codec.commitment(sealed.salt, sealed.text) == leaf["body"]
