"""Imports as a whole: every row accounted for, batches whole, interruptions harmless, rehearsals without trace."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ledger import rules
from ledger.book import Draft, Ledger, Receipt
from ledger.errors import BadMap, Locked, NoLedger, Usage
from ledger.importing import Interrupted, Tally, import_file, prepare
from ledger.importing.rehearsal import RehearsalStore
from ledger.store.base import NewRow, Store
from ledger.store.contract import LookupContract
from ledger.store.sqlite.store import SqliteStore

HEADER = "place,state,by,via,published,said,valid,act,url,title,quote\n"
ROW = "Lyman,RU,Blog,TASS;Example Times,2025-12-16,yesterday,end of November,,https://x.example,T,Q\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.create(tmp_path / "l.db", ledger="test") as book:
        book.append([Draft.of("party-named", {"party": party}) for party in ("UA", "RU")])
        yield book


def load(book: Ledger, text: str, map_file: Any = "simple", **more: Any) -> Tally:
    more = {"register": True, **more}
    records, translator = prepare(io.BytesIO(text.encode()), kind="csv", map_file=map_file, name="f.csv")
    return import_file(book, records, translator, **more)


def size(book: Ledger) -> int:
    return book.store.head().size


def numbered(count: int) -> str:
    return HEADER + "".join(ROW.replace("Lyman", f"Town {n}") for n in range(count))


# -- one table -----------------------------------------------------------------------------------------


def test_the_simple_map_makes_a_claim_of_a_row_with_all_it_names(ledger: Ledger) -> None:
    tally = load(ledger, HEADER + ROW)
    assert (tally.rows, tally.new, tally.registered) == (1, 1, 4)
    *_, claim = ledger.events()
    assert claim.data == {
        "claimant": "blog",
        "via": ["tass", "example-times"],
        "place": "lyman",
        "state": "RU",
        "published": "2025-12-16",
        "said": "2025-12-15",
        "valid": claim.data["valid"],
    }
    assert claim.data["valid"].startswith("2025-11-2")
    body = ledger.body(claim.position)
    assert (body["url"], body["title"], body["quote"]) == ("https://x.example", "T", "Q")
    assert body["as_written"] == {
        "said": "yesterday",
        "valid": "end of November",
        "place": "Lyman",
        "claimant": "Blog",
        "via": "TASS ← Example Times",
    }
    assert {source.kind for source in ledger.directory().sources.values()} == {"other", "outlet"}


def test_a_row_that_withdraws_ends_the_standing_claim(ledger: Ledger) -> None:
    load(ledger, HEADER + ROW + "Lyman,,Blog,,2025-12-17,,,withdraws,,,\n")
    *_, last = ledger.events()
    assert last.name == "claim-withdrawn"
    assert last.data == {"source": "blog", "place": "lyman", "published": "2025-12-17"}


def test_the_same_table_twice_adds_nothing(ledger: Ledger) -> None:
    load(ledger, numbered(5))
    before = size(ledger)
    again = load(ledger, numbered(5))
    assert (again.new, again.already, again.registered) == (0, 5, 0)
    assert size(ledger) == before


def test_a_state_may_be_given_by_the_name_of_the_party(ledger: Ledger) -> None:
    ledger.append([Draft.of("party-named", {"party": "MM", "name": "Myanmar"})])
    load(ledger, HEADER + ROW.replace("RU", "MYANMAR"))
    *_, claim = ledger.events()
    assert claim.data["state"] == "MM"
    assert ledger.body(claim.position)["as_written"]["state"] == "MYANMAR"


@pytest.mark.parametrize(
    ("row", "what"),
    [
        (ROW.replace("RU", "XX"), "no state 'XX'"),
        (ROW.replace("2025-12-16", "2025-12-32"), "published: "),
        (ROW.replace("yesterday", "2026-01-01"), "lies after published"),
        (ROW.replace("yesterday", "when it rained"), "said: "),
        (ROW.replace("Lyman", ""), "place is missing"),
        (ROW.replace(",,https", ",sings,https"), "act: 'sings' is none of"),
        (ROW.replace("Lyman", "x" * 500), "names"),
        ("Lyman,RU\n", "2 cells, the header 11"),
        (ROW.replace("Lyman", "Ly\x00man"), "NUL"),
    ],
    ids=range(9),
)
def test_a_bad_row_costs_itself_and_says_why(ledger: Ledger, row: str, what: str) -> None:
    tally = load(ledger, HEADER + row + ROW.replace("Lyman", "Izium"))
    assert (tally.rows, tally.new, tally.rejected) == (2, 1, 1)
    assert tally.rejects[0].line == 2
    assert what in tally.rejects[0].reason
    assert str(tally.rejects[0]).startswith("f.csv:2: ")
    assert tally.exit_code == 4


def test_what_a_rejected_row_would_have_needed_costs_one_reject_not_two(
    ledger: Ledger, tmp_path: Path
) -> None:
    shipped = Path(__file__).parents[2] / "ledger" / "maps" / "simple.toml"
    (tmp_path / "m.toml").write_text(
        shipped.read_text("utf-8").replace('kind = "other"', 'side = "ZZ"'), "utf-8"
    )
    tally = load(ledger, HEADER + ROW + ROW.replace("Lyman", "Izium"), tmp_path / "m.toml")
    assert (tally.rows, tally.new, tally.rejected) == (2, 0, 2)
    assert all("no party 'ZZ'" in one.reason for one in tally.rejects)


def test_without_register_unknown_names_are_rejected_with_the_remedy(ledger: Ledger) -> None:
    tally = load(ledger, HEADER + ROW, register=False)
    assert (tally.new, tally.rejected, tally.registered) == (0, 1, 0)
    assert "no place 'Lyman'" in tally.rejects[0].reason
    assert "import with --register" in tally.rejects[0].reason


def test_a_homonym_is_asked_about_and_never_registered_over(ledger: Ledger) -> None:
    for place in ("geonames:1", "geonames:2"):
        ledger.append([Draft.of("place-registered", {"place": place, "names": ["Lyman"]})])
    tally = load(ledger, HEADER + ROW)
    assert "geonames:1 (Lyman); geonames:2 (Lyman)" in tally.rejects[0].reason
    assert set(ledger.directory().places) == {"geonames:1", "geonames:2"}


def test_places_of_one_name_are_told_apart_by_the_ids_of_the_file(ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(
        'schema = "claims-map/1"\n[columns]\nplace = "name"\nclaimant = "by"\nstate = "state"\n'
        '[register.place]\nid = "geonames:{id}"\nlat = "{lat}"\nlon = "{lon}"\nregion = "{region}"\n'
        'aliases = ["wikidata:{q}"]\n[register.source]\nkind = "{kind}"\n[values.kind]\nmap = "map"\n',
        "utf-8",
    )
    table = (
        "name,id,lat,lon,region,q,by,kind,state\n"
        "Radkivka,813242,49.75,37.59,Kharkiv,Q4388057,M,map,RU\n"
        "Radkivka,695000,49.75,37.59,Sumy,,M,map,UA\n"
    )
    tally = load(ledger, table, tmp_path / "m.toml")
    assert (tally.new, tally.registered) == (2, 3), tally.rejects
    places = ledger.directory().places
    assert set(places) == {"geonames:813242", "geonames:695000"}
    assert places["geonames:813242"].aliases == ["wikidata:Q4388057"]
    assert places["geonames:695000"].region == "Sumy"
    assert ledger.directory().sources["m"].kind == "map"
    assert load(ledger, table, tmp_path / "m.toml").already == 2


def test_a_map_with_a_column_the_table_has_not_is_refused_before_any_row(ledger: Ledger) -> None:
    with pytest.raises(BadMap, match=r"no column 'by'\. .*Columns: place, state"):
        load(ledger, HEADER.replace(",by,", ",who,") + ROW)


def test_a_csv_without_a_map_is_refused_with_those_that_are_shipped() -> None:
    with pytest.raises(Usage, match="simple, wikipedia_22towns"):
        prepare(io.BytesIO(b"a\n1\n"), kind="csv")


def test_json_lines_may_be_mapped_too(ledger: Ledger, tmp_path: Path) -> None:
    names = HEADER.strip().split(",")
    row = dict(zip(names, ROW.strip().split(","), strict=True)) | {"via": ["TASS"], "more": {"x": [1]}}
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps(row) + "\n[]\n", "utf-8")
    tally = import_file(ledger, *prepare(path, map_file="simple"), register=True)
    assert (tally.new, tally.rejected) == (1, 1)
    assert tally.rejects[0].file == str(path)


# -- the rejects file ----------------------------------------------------------------------------------


def test_rejected_rows_are_written_as_json_lines_that_lose_nothing(ledger: Ledger) -> None:
    out = io.StringIO()
    bad = ROW.replace("RU", "XX").replace(",Q\n", ",\x1b[2J\u202e\u0085Купянск\n")
    load(ledger, HEADER + ROW + bad + "1,2\n", rejects=out)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert set(first) == {"file", "line", "reason", "row"}
    assert (first["file"], first["line"], second["line"]) == ("f.csv", 3, 4)
    assert first["row"]["quote"] == "\x1b[2J\u202e\u0085Купянск"
    assert second["row"] == "1,2"
    assert not {"\x1b", "\u202e", "\u0085"} & set(out.getvalue())
    assert "Купянск" in out.getvalue()


def test_rejects_come_in_the_order_of_the_file_whoever_refused_them(ledger: Ledger) -> None:
    rows = [
        "1\n",
        ROW.replace("RU", "XX"),
        "Lyman,RU,,,,,,,,,\n",
        ROW.replace("yesterday", "2026-01-01"),
        "2\n",
    ]
    tally = load(ledger, HEADER + "".join(rows))
    assert [one.line for one in tally.rejects] == [2, 3, 4, 5, 6]


def test_all_rejects_are_counted_and_written_and_the_first_hundred_remembered(ledger: Ledger) -> None:
    out = io.StringIO()
    tally = load(ledger, HEADER + "x\n" * 300, rejects=out)
    assert (tally.rejected, len(tally.rejects), out.getvalue().count("\n")) == (300, 100, 300)


def test_a_conflict_is_counted_and_written_apart_from_a_reject(ledger: Ledger) -> None:
    load(ledger, HEADER + ROW)
    tally = load(ledger, HEADER + ROW.replace("x.example", "y.example"))
    assert (tally.conflicting, tally.rejected, tally.exit_code) == (1, 0, 1)
    assert "with other content (url)" in tally.rejects[0].reason


# -- batches and interruptions -------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [1, 2, 3, 7, 100])
def test_the_size_of_a_batch_changes_nothing(ledger: Ledger, batch: int, tmp_path: Path) -> None:
    with Ledger.create(tmp_path / "whole.db", ledger="test") as whole:
        whole.append([Draft.of("party-named", {"party": party}) for party in ("UA", "RU")])
        load(whole, numbered(7))
        load(ledger, numbered(7), batch=batch)
        ids = {(event.entry, event.type, str(event.data)) for event in whole.events()}
        assert {(event.entry, event.type, str(event.data)) for event in ledger.events()} == ids


def test_a_batch_is_bounded_in_bytes_as_well(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.importing.run._BATCH_CHARACTERS", 300)
    seen: list[int] = []
    load(ledger, numbered(6), progress=lambda tally: seen.append(tally.rows))
    assert seen == [2, 4, 6]


def test_progress_is_told_after_every_batch(ledger: Ledger) -> None:
    seen: list[tuple[int, int]] = []
    load(ledger, numbered(5), batch=2, progress=lambda tally: seen.append((tally.rows, tally.new)))
    assert seen == [(2, 2), (4, 4), (5, 5)]


def _interrupting(at: int, real: Callable[..., list[Receipt]]) -> Callable[..., list[Receipt]]:
    """``Ledger.append`` that is interrupted before its ``at``-th call."""
    calls = 0

    def append(drafts: Sequence[Draft], **more: Any) -> list[Receipt]:
        nonlocal calls
        calls += 1
        if calls == at:
            raise KeyboardInterrupt
        return real(drafts, **more)

    return append


@pytest.mark.parametrize("at", range(1, 7))
def test_an_interrupted_import_keeps_whole_batches_and_goes_on_when_repeated(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "append", _interrupting(at, ledger.append))
        with pytest.raises(KeyboardInterrupt) as caught:
            load(ledger, numbered(6), batch=2)
    assert isinstance(caught.value, Interrupted)
    tally = caught.value.tally
    assert tally.new % 2 == 0
    assert tally.new == sum(event.name == "claim-reported" for event in ledger.events())
    again = load(ledger, numbered(6), batch=2)
    assert (again.new, again.already) == (6 - tally.new, tally.new)
    assert load(ledger, numbered(6)).already == 6


def test_an_interruption_inside_a_batch_leaves_nothing_of_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = size(ledger)

    real, checked = rules.check, list[str]()

    def stop_at_the_third_claim(event: Any, *more: Any) -> None:
        real(event, *more)
        checked.append(event.TYPE)
        if checked.count("claim-reported/1") == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ledger.rules.check", stop_at_the_third_claim)
        with pytest.raises(Interrupted) as caught:
            load(ledger, numbered(5))
    assert caught.value.tally.new == 0
    assert {event.name for event in ledger.events(before + 1)} == {"place-registered", "source-registered"}
    assert load(ledger, numbered(5)).new == 5


def test_a_locked_ledger_stops_the_import_and_is_no_reject(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(*_: Any, **__: Any) -> None:
        raise Locked("another process is using it")

    monkeypatch.setattr(ledger, "append", locked)
    with pytest.raises(Locked):
        load(ledger, HEADER + ROW)


def test_who_imported_is_recorded(ledger: Ledger) -> None:
    load(ledger, HEADER + ROW, actor="desk-3")
    assert {event.actor for event in ledger.events(4)} == {"desk-3"}


# -- dry runs ------------------------------------------------------------------------------------------


def test_a_dry_run_counts_as_the_real_one_does_and_leaves_no_byte(ledger: Ledger, tmp_path: Path) -> None:
    table = numbered(5) + ROW.replace("Lyman", "Town 1") + ROW.replace("RU", "XX") + "1\n"
    files = {path: path.read_bytes() for path in tmp_path.iterdir()}
    dry = load(ledger, table, dry_run=True, batch=2)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == files
    real = load(ledger, table, batch=2)
    assert dry == real
    assert (real.new, real.already, real.rejected) == (5, 1, 2)


def test_a_dry_run_of_what_is_recorded_finds_it(ledger: Ledger) -> None:
    load(ledger, numbered(5))
    assert load(ledger, numbered(6), dry_run=True).already == 5


def test_a_dry_run_takes_no_lock_and_needs_no_right_to_write(ledger: Ledger, tmp_path: Path) -> None:
    load(ledger, numbered(1))
    with ledger.store.writer(), Ledger.open(tmp_path / "l.db", readonly=True) as reader:
        assert load(reader, numbered(3), dry_run=True).new == 2


def test_a_dry_run_without_a_ledger_makes_none(tmp_path: Path) -> None:
    with pytest.raises(NoLedger):
        Ledger.open(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_what_others_append_during_a_rehearsal_is_not_seen(tmp_path: Path) -> None:
    def row(stream: str, version: int = 1, **more: Any) -> NewRow:
        return NewRow(stream, version, "claim-reported/1", b"{}", **more)

    below = SqliteStore.create(tmp_path / "s.db")
    with below.writer() as writer:
        writer.insert([row("a", key="k", marks=(1,), registry=True)], "2025-01-01T00:00:00.000000Z")
    store = RehearsalStore(below)
    with below.writer() as writer:
        rows = [row("a", 2, marks=(1,)), row("b", key="l", marks=(2,), registry=True)]
        writer.insert(rows, "2025-01-02T00:00:00.000000Z")
    assert store.head().size == 1
    assert [found.position for found in store.stream("a")] == [1]
    assert (store.row(2), store.marked(1), store.marked(2)) == (None, [1], [])
    assert (store.position_of_key("l"), store.first_positions(["a", "b"])) == (None, {"a": 1})
    assert [found.position for found in store.rows()] == [1]
    assert [found.position for found, _ in store.registry_rows()] == [1]
    with store.writer() as rehearsed:
        assert rehearsed.insert([row("b", key="l", marks=(2,))], "2025-01-03T00:00:00.000000Z") == range(2, 3)
    assert (store.marked(2), store.position_of_key("l"), store.first_positions(["b"])) == ([2], 2, {"b": 2})
    assert store.head().root != below.head().root
    store.close()
    below.close()


class TestRehearsalStore(LookupContract):
    """What is only rehearsed is looked up like what was recorded."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> Iterator[None]:
        self.below = SqliteStore.create(tmp_path / "below.db")
        self.stores: list[RehearsalStore] = []
        yield
        for store in self.stores:
            store.close()
        assert self.below.head().size == 0
        self.below.close()

    def make_store(self) -> Store:
        self.stores.append(RehearsalStore(self.below))
        return self.stores[-1]


def test_what_lies_below_a_rehearsal_and_what_is_rehearsed_are_told_in_one_order(tmp_path: Path) -> None:
    below = SqliteStore.create(tmp_path / "s.db")
    rows = [
        NewRow(f"c:{n}", 1, "t/1", b"%d" % n, key=f"k{n}", marks=(n, n + 1), registry=n % 2 == 0)
        for n in range(6)
    ]
    with below.writer() as writer:
        writer.insert(rows[:3], "2025-01-01T00:00:00.000000Z")
    store = RehearsalStore(below)
    with store.writer() as rehearsed:
        rehearsed.insert(rows[3:], "2025-01-02T00:00:00.000000Z")
    whole = SqliteStore.create(tmp_path / "whole.db")
    with whole.writer() as writer:
        writer.insert(rows, "2025-01-02T00:00:00.000000Z")
    for look in (
        *(
            lambda one: list(one.marks(2, 5)),
            lambda one: list(one.registered()),
            lambda one: one.key_count(4),
        ),
        *(
            lambda one: list(map(tuple, one.raw_rows(2, 5))),
            lambda one: one.positions_of_keys(["k1", "k4", "k9"]),
        ),
        *(lambda one: one.head(), lambda one: one.key_count(), lambda one: list(one.marks())),
    ):
        assert look(store) == look(whole)
    for closing in (store, below, whole):
        closing.close()
