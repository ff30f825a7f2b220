"""What every store must do, as tests that ship with the package.

Subclass ``StoreContract`` in a test module, say how a store is made and opened again, and pytest (or anything
else that calls methods named ``test_…``) runs the rest::

    class TestMyStore(StoreContract):
        def make_store(self): ...
        def reopen(self, *, timeout=60.0): ...
        def files(self): ...

Nothing but plain ``assert`` is needed. Most cases say what must *not* happen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

from ledger.errors import Conflict, LedgerError, Locked
from ledger.integrity.tree import EMPTY_ROOT, leaf_hash
from ledger.store.base import EncryptedBody, Head, NewRow, SealedBody, Store, StoredRow

CLOCK = "2025-11-22T09:00:00.000000Z"
LATER = "2025-11-22T09:00:01.000000Z"


def root_by_definition(leaves: Sequence[bytes]) -> bytes:
    """The root over leaf hashes, word for word as RFC 9162, 2.1.1 defines it, and as slow."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = root_by_definition(leaves[:split]), root_by_definition(leaves[split:])
    return sha256(b"\x01" + left + right).digest()


def new(name: int | str, version: int = 1, **beside: object) -> NewRow:
    """A row like any other; ``beside`` takes a body, a key, marks, registry, or another state."""
    row = {"topic": "claim-reported/1", "state": f'{{"{name}":{version}}}'.encode(), **beside}
    return NewRow(stream=f"claim:{name}", version=version, **row)  # type: ignore[arg-type]


def sealed(text: str = '{"quote":"taken"}', salt: bytes = b"s" * 32) -> SealedBody:
    """A body with its salt."""
    return SealedBody(salt, text.encode())


def append(store: Store, *rows: NewRow, recorded: str = CLOCK, last: bool = False) -> range:
    """One batch in one transaction."""
    with store.writer() as writer:
        return writer.insert(rows, recorded, last=last)


@contextmanager
def refused(*errors: type[BaseException]) -> Iterator[list[BaseException]]:
    """The block must raise one of ``errors``; it is put into the list that the block gets."""
    caught: list[BaseException] = []
    try:
        yield caught
    except errors as error:
        caught.append(error)
    if not caught:
        raise AssertionError(f"nothing raised {' or '.join(error.__name__ for error in errors)}")


def everything(store: Store) -> tuple[Head, list[StoredRow], list[object], list[object], list[object]]:
    """All there is to see of a small store; two states are the same when these are equal."""
    rows = list(store.rows())
    bodies: list[object] = list(store.bodies())
    registry: list[object] = list(store.registry_rows())
    beside: list[object] = [store.marked(7), store.position_of_key("k"), store.find_streams("", 1_000)]
    return store.head(), rows, bodies, registry, beside


class LookupContract:
    """What every store must tell an audit and a writer of what it holds: of one that is only rehearsed on as well."""

    def make_store(self) -> Store:
        """A new, empty store in a place of its own."""
        raise NotImplementedError

    def test_leaves_can_be_had_at_some_positions_alone(self) -> None:
        store = self.make_store()
        append(store, *(new(n) for n in range(6)))
        leaves = dict(store.leaves())
        assert list(store.leaves_at([2, 3, 6])) == [(at, leaves[at]) for at in (2, 3, 6)]
        assert list(store.leaves_at([0, 5, 7, 2**70])) == [(5, leaves[5])]
        assert list(store.leaves_at([])) == []

    def test_raw_rows_are_the_rows_with_whatever_body_they_have(self) -> None:
        store = self.make_store()
        bodies = [None, sealed("text", b"t" * 32), EncryptedBody("key", b"\x00\xff")]
        append(store, *(new(n, body=body) for n, body in enumerate(bodies)))
        rows = list(store.rows())
        beside = [(None,) * 4, (b"t" * 32, b"text", None, None), (None, None, "key", b"\x00\xff")]
        assert [tuple(row) for row in store.raw_rows(1, 3)] == [
            (*row, *more) for row, more in zip(rows, beside, strict=True)
        ]
        assert [row[0] for row in store.raw_rows(2, 99)] == [2, 3]
        assert list(store.raw_rows(3, 2)) == list(store.raw_rows(4, 9)) == []

    def test_columns_are_the_rows_or_nothing(self) -> None:
        store = self.make_store()
        append(store, *(new(n, body=sealed(f"text {n}") if n % 3 else None) for n in range(1, 9)))
        store.read_through()
        assert store.raw_columns(1, 9) is store.raw_columns(9, 10) is None
        columns = store.raw_columns(2, 8)
        if columns is None:
            return
        rows = list(store.raw_rows(2, 8))
        bodied = [row for row in rows if row[6] is not None]
        texts = columns.texts.tobytes()
        spans = zip(columns.hashes, columns.streams, columns.topics, columns.states, strict=True)
        assert [[texts[begin:end] for begin, end in row] for row in spans] == [
            [leaf, stream.encode(), topic.encode(), state] for _, stream, _, topic, state, leaf, *_ in rows
        ]
        assert {texts[begin - 1] for begin, _ in columns.states} == {0}
        assert columns.versions.tolist() == [row[2] for row in rows]
        bodies = columns.bodies.tobytes()
        assert [bodies[begin:end] for begin, end in columns.sealed] == [row[6] + row[7] for row in bodied]
        assert columns.bodied.tolist() == [row[0] for row in bodied]

    def test_an_encrypted_body_is_in_no_column(self) -> None:
        store = self.make_store()
        append(store, new(1), new(2, body=EncryptedBody("key", b"\x00\xff")))
        assert store.raw_columns(1, 2) is None

    def test_an_encrypted_body_comes_back_as_it_was(self) -> None:
        store = self.make_store()
        body = EncryptedBody("a-1", bytes(range(256)))
        append(store, new(1, body=sealed()), new(2, body=body), new(3, body=body, registry=True))
        assert store.body(2) == body
        assert list(store.bodies()) == [(1, sealed()), (2, body), (3, body)]
        assert [found for _, found in store.registry_rows()] == [body]

    def test_positions_of_keys_are_found_for_any_number_of_them(self) -> None:
        store = self.make_store()
        append(store, *(new(n, key=f"k{n}" if n % 2 else None) for n in range(1_200)))
        asked = [f"k{n}" for n in range(1_200)] + ["", "K1", "\ud800", "k1"]
        assert store.positions_of_keys(asked) == {f"k{n}": n + 1 for n in range(1, 1_200, 2)}
        assert store.positions_of_keys([]) == {}

    def test_keys_are_counted_up_to_a_position(self) -> None:
        store = self.make_store()
        append(store, new(1, key="a"), new(2), new(3, key=""), new(4, key="b"))
        assert [store.key_count(last) for last in (0, 1, 2, 3, 4, 99)] == [0, 1, 1, 2, 3, 3]
        assert store.key_count() == 3

    def test_marks_are_told_by_position_each_once(self) -> None:
        store = self.make_store()
        append(store, new(1, marks=(9, 2**63 - 1)), new(2), new(3, marks=(7, 0, 7)))
        assert list(store.marks()) == [(1, 9), (1, 2**63 - 1), (3, 0), (3, 7)]
        assert list(store.marks(2)) == list(store.marks(3, 3)) == [(3, 0), (3, 7)]
        assert list(store.marks(1, 2)) == [(1, 9), (1, 2**63 - 1)]
        assert list(store.marks(4)) == list(store.marks(3, 2)) == []

    def test_positions_of_marks_are_found_for_any_number_of_them(self) -> None:
        store = self.make_store()
        append(store, *(new(n, marks=(n, 5_000 + n % 2)) for n in range(1_200)))
        append(store, new("last", marks=(3, 2**63 - 1)))
        found = store.positions_marked([*range(1_200), 5_001, 2**63 - 1, 9_999])
        assert found == {
            **{n: [n + 1, 1_201] if n == 3 else [n + 1] for n in range(1_200)},
            5_001: list(range(2, 1_201, 2)),
            2**63 - 1: [1_201],
        }
        assert store.positions_marked([9_999]) == store.positions_marked([]) == {}

    def test_registered_positions_are_told_within_a_window(self) -> None:
        store = self.make_store()
        append(store, *(new(n, registry=n % 3 == 0) for n in range(1, 11)))
        assert list(store.registered()) == [3, 6, 9]
        assert list(store.registered(4, 6)) == list(store.registered(6, 8)) == [6]
        assert list(store.registered(10)) == list(store.registered(6, 5)) == []

    def test_a_store_that_nobody_touched_finds_no_fault_with_itself(self) -> None:
        store = self.make_store()
        assert list(store.faults()) == []
        append(
            store, *(new(n, key=str(n), marks=(n, 2**63 - 1 - n), body=sealed(str(n))) for n in range(300))
        )
        assert list(store.faults()) == []

    def test_what_nobody_set_is_not_set(self) -> None:
        store = self.make_store()
        assert store.setting("nothing") is None
        assert store.setting("") is None


class StoreContract(LookupContract):
    """The suite. ``make_store`` gives an empty store, ``reopen`` another handle on the one made last, ``files`` what is
    on the disk of it.

    Closing what they gave out is the subclass's own business.
    """

    def reopen(self, *, timeout: float = 60.0) -> Store:
        """The place of the last ``make_store`` once more; its writers wait ``timeout`` seconds at most."""
        raise NotImplementedError

    def files(self) -> Iterable[bytes]:
        """The content of every file that the place of the last ``make_store`` consists of. Asked last in a test: what was
        given out may be closed by it."""
        raise NotImplementedError

    # -- the record ---------------------------------------------------------------------------------

    def test_the_last_rows_of_a_block_are_there_when_it_is_left(self) -> None:
        store = self.make_store()
        append(store, new("a"))
        with store.writer() as writer:
            at = writer.insert([new("b", key="k"), new("c", body=sealed())], CLOCK, last=True)
            told = writer.head()
        assert list(at) == [2, 3]
        assert store.head() == told
        assert [row.stream for row in store.rows()] == ["claim:a", "claim:b", "claim:c"]
        assert store.positions_of_keys(["k"]) == {"k": 2}
        assert list(store.bodies()) == [(3, sealed())]

    def test_nothing_is_written_of_last_rows_that_are_refused_or_left_by_an_error(self) -> None:
        store = self.make_store()
        append(store, new("a", key="k"))
        before = store.head()
        for rows in ([new("b"), new("a")], [new("b", key="k")], [new("b"), new("b")]):
            with refused(Conflict), store.writer() as writer:
                writer.insert(rows, CLOCK, last=True)
        with refused(KeyError), store.writer() as writer:
            writer.insert([new("b")], CLOCK, last=True)
            raise KeyError
        assert store.head() == before
        assert [row.stream for row in store.rows()] == ["claim:a"]
        append(store, new("b"))

    def test_the_index_of_streams_is_told_in_its_order(self) -> None:
        store = self.make_store()
        assert list(store.raw_index(fast=False)) == list(store.raw_index(fast=True)) == []
        append(store, *(new(n) for n in (3, 1, 2)), new(1, version=2), new(1, version=10), new(1, version=3))
        rows = sorted((row.stream.encode(), row.version, row.position) for row in store.rows())
        for fast in (False, True):
            found: list[tuple[bytes, int, int]] = []
            for names in store.raw_index(fast=fast):
                streams = [names.texts[begin:end].tobytes() for begin, end in names.streams]
                found += zip(streams, names.versions.tolist(), names.positions.tolist(), strict=True)
            assert found == rows

    def test_an_empty_store_has_an_empty_head(self) -> None:
        store = self.make_store()
        head = store.head()
        assert (head.size, head.root, head.recorded) == (0, EMPTY_ROOT, None)
        assert everything(store)[1:] == ([], [], [], [[], None, []])

    def test_positions_are_dense_from_one(self) -> None:
        store = self.make_store()
        assert append(store, new(1)) == range(1, 2)
        assert append(store, new(2), new(3)) == range(2, 4)
        assert [row.position for row in store.rows()] == [1, 2, 3]
        assert store.head().size == 3

    def test_bytes_and_texts_come_back_unchanged(self) -> None:
        store = self.make_store()
        states = [b"", b"\x00", bytes(range(256)), b"\xff\xfe", b"x" * 65_535, "{'Куп’янськ'}".encode()]
        streams = ["claim:'; DROP TABLE x--", "a b%_\\", "Куп’янськ", "\u202eevil", "😀", " ", "\t\n"]
        rows = [NewRow(streams[n], n + 1, f"тип/{n}", state) for n, state in enumerate(states)]
        append(store, *rows)
        for position, row in enumerate(rows, 1):
            there = (position, row.stream, row.version, row.topic, row.state, leaf_hash(row.state))
            assert store.row(position) == StoredRow(*there)
            assert store.stream(row.stream) == [StoredRow(*there)]

    def test_the_clock_of_the_last_append_stands_in_the_head(self) -> None:
        store = self.make_store()
        append(store, new(1), recorded=CLOCK)
        append(store, new(2), recorded=LATER)
        assert store.head().recorded == LATER

    def test_the_frontier_is_the_definition_s_at_every_size(self) -> None:
        store = self.make_store()
        leaves: list[bytes] = []
        for size in range(1, 20):
            append(store, new(size))
            leaves.append(leaf_hash(new(size).state))
            head = store.head()
            assert (head.size, head.root) == (size, root_by_definition(leaves))

    def test_the_root_does_not_depend_on_how_rows_were_batched(self) -> None:
        rows = [new(n) for n in range(37)]
        one = self.make_store()
        append(one, *rows)
        many = self.make_store()
        with many.writer() as writer:
            for at in range(0, len(rows), 5):
                writer.insert(rows[at : at + 5], CLOCK)
        assert one.head() == many.head()
        assert one.head().root == root_by_definition([row.leaf_hash for row in one.rows()])

    def test_everything_is_there_after_opening_again(self) -> None:
        store = self.make_store()
        append(store, new(1, body=sealed(), key="k", marks=(7,), registry=True), new(2))
        before = everything(store)
        store.close()
        assert everything(self.reopen()) == before

    def test_closing_twice_does_no_harm(self) -> None:
        store = self.make_store()
        store.close()
        store.close()

    # -- reading ------------------------------------------------------------------------------------

    def test_a_stream_is_read_in_version_order(self) -> None:
        store = self.make_store()
        append(store, new("a", 2), new("b"), new("a", 1), new("a", 10))
        assert [(row.version, row.position) for row in store.stream("claim:a")] == [(1, 3), (2, 1), (10, 4)]
        assert store.stream("claim:") == []

    def test_a_window_of_rows_has_both_its_ends_whatever_the_batch(self) -> None:
        store = self.make_store()
        append(store, *(new(n) for n in range(1, 12)))
        for batch in (1, 2, 3, 11, 500):
            for start, stop in ((1, None), (4, None), (1, 11), (3, 3), (2, 9), (9, 99), (-5, 2)):
                there = [row.position for row in store.rows(start, stop, batch=batch)]
                assert there == list(range(max(start, 1), min(stop or 11, 11) + 1)), (start, stop, batch)

    def test_a_window_beyond_the_rows_is_empty(self) -> None:
        store = self.make_store()
        append(store, new(1), new(2))
        for start, stop in ((3, None), (3, 99), (2, 1), (1, 0), (2**70, None), (2**70, 2**71)):
            assert list(store.rows(start, stop)) == []
        assert len(list(store.rows(-(2**70), 2**70))) == 2

    def test_a_position_that_cannot_be_is_not_there(self) -> None:
        store = self.make_store()
        append(store, new(1, body=sealed()))
        for position in (0, -1, 2, 2**63 - 1, 2**63, 10**30):
            assert store.row(position) is None
            assert store.body(position) is None

    def test_a_text_that_cannot_be_encoded_is_not_there(self) -> None:
        store = self.make_store()
        append(store, new(1))
        assert store.stream("\ud800") == []
        assert store.find_streams("\udcff") == []
        assert store.first_positions(["\ud800", "claim:1"]) == {"claim:1": 1}
        assert store.position_of_key("\ud800") is None

    def test_first_positions_are_found_for_any_number_of_streams(self) -> None:
        store = self.make_store()
        append(store, new("late", 2), *(new(n) for n in range(1_200)))
        asked = [f"claim:{n}" for n in range(-300, 1_200)] + ["claim:late", "claim:5"]
        found = store.first_positions(asked)
        assert found == {f"claim:{n}": n + 2 for n in range(1_200)}
        assert store.first_positions([]) == {}

    def test_abbreviated_ids_are_taken_literally_and_in_order(self) -> None:
        store = self.make_store()
        append(store, new("b"), new("a"), new("a", 2), new("a%"), new("A"), new("a_c"), new("ab"), new("é"))
        assert store.find_streams("claim:a") == ["claim:a", "claim:a%", "claim:a_c", "claim:ab"]
        assert store.find_streams("claim:a%") == ["claim:a%"]
        assert store.find_streams("claim:a_") == ["claim:a_c"]
        assert store.find_streams("claim:", 2) == ["claim:A", "claim:a"]
        assert store.find_streams("claim:z") == store.find_streams("claim:", 0) == []

    def test_a_key_leads_to_its_row(self) -> None:
        store = self.make_store()
        append(store, new(1), new(2, key="k"), new(3, key=""))
        assert (store.position_of_key("k"), store.position_of_key("")) == (2, 3)
        assert store.position_of_key("K") is None

    def test_marks_lead_to_all_their_rows_in_order(self) -> None:
        store = self.make_store()
        append(store, new(1, marks=(7, 2**63 - 1)), new(2), new(3, marks=(0, 7, 7)))
        assert (store.marked(7), store.marked(0), store.marked(2**63 - 1)) == ([1, 3], [3], [1])
        assert store.marked(8) == []

    def test_registry_rows_come_with_their_bodies_and_without_the_others(self) -> None:
        store = self.make_store()
        append(
            store, new(1, body=sealed("one")), new(2, registry=True), new(3, registry=True, body=sealed("b"))
        )
        assert [(row.position, body) for row, body in store.registry_rows()] == [(2, None), (3, sealed("b"))]
        assert [row for row, _ in store.registry_rows(2)] == [store.row(3)]
        assert list(store.registry_rows(3)) == list(store.registry_rows(2**70)) == []

    def test_many_registry_rows_come_in_order(self) -> None:
        store = self.make_store()
        append(store, *(new(n, registry=n % 2 == 0, body=sealed(str(n))) for n in range(1, 2_001)))
        there = list(store.registry_rows())
        assert [row.position for row, _ in there] == list(range(2, 2_001, 2))
        assert all(body == sealed(str(row.position)) for row, body in there)

    def test_bodies_are_read_by_position_and_by_window(self) -> None:
        store = self.make_store()
        append(store, *(new(n, body=sealed(str(n)) if n != 3 else None) for n in range(1, 6)))
        assert store.body(2) == sealed("2")
        assert store.body(3) is None
        assert [position for position, _ in store.bodies()] == [1, 2, 4, 5]
        assert list(store.bodies(2, 4)) == [(2, sealed("2")), (4, sealed("4"))]
        assert list(store.bodies(6)) == list(store.bodies(4, 3)) == []

    # -- the tree, settings, erasing ----------------------------------------------------------------

    def test_leaf_hashes_are_given_by_number_from_nought(self) -> None:
        store = self.make_store()
        append(store, *(new(n) for n in range(20)))
        made = [leaf_hash(new(n).state) for n in range(20)]
        assert list(store.hashes(0, 0, 20)) == made
        assert list(store.hashes(0, 3, 5)) == made[3:5]
        assert list(store.hashes(0, 18, 99)) == made[18:]
        assert list(store.hashes(0, 5, 5)) == list(store.hashes(0, 20, 30)) == []

    def test_kept_nodes_are_the_definition_s_however_rows_were_batched(self) -> None:
        rows = [new(n) for n in range(300)]
        leaves = [leaf_hash(row.state) for row in rows]
        for width in (300, 7, 64):
            store = self.make_store()
            with store.writer() as writer:
                for at in range(0, len(rows), width):
                    writer.insert(rows[at : at + width], CLOCK)
                    size = min(at + width, len(rows))
                    assert list(writer.hashes(4, 0, 99)) == _roots(leaves[:size], 16)
            assert list(store.hashes(4, 0, 99)) == _roots(leaves, 16)
            assert list(store.hashes(8, 0, 99)) == _roots(leaves, 256)
            assert list(store.hashes(4, 3, 5)) == _roots(leaves, 16)[3:5]
            assert list(store.hashes(12, 0, 99)) == []

    def test_nodes_that_a_refused_batch_would_have_made_are_not_there(self) -> None:
        store = self.make_store()
        append(store, *(new(n) for n in range(10)))
        with refused(Conflict):
            append(store, *(new(n) for n in range(10, 40)), new(3))
        with refused(RuntimeError), store.writer() as writer:
            writer.insert([new(n) for n in range(10, 40)], CLOCK)
            assert len(writer.hashes(4, 0, 9)) == 2
            raise RuntimeError
        assert list(store.hashes(4, 0, 9)) == []
        append(store, *(new(n) for n in range(10, 16)))
        assert list(store.hashes(4, 0, 9)) == [store.head().root]

    def test_a_setting_is_there_after_opening_again_and_the_last_one_holds(self) -> None:
        store = self.make_store()
        for value in ("one", "", "two\nlines «—»"):
            with store.writer() as writer:
                writer.remember("name", value)
                assert writer.setting("name") == value
            assert store.setting("name") == self.reopen().setting("name") == value
        assert store.setting("Name") is None

    def test_a_setting_of_a_block_that_failed_is_not_set(self) -> None:
        store = self.make_store()
        with store.writer() as writer:
            writer.remember("name", "before")
        with refused(RuntimeError), store.writer() as writer:
            writer.remember("name", "after")
            raise RuntimeError
        assert store.setting("name") == "before"

    def test_an_erased_body_is_gone_and_everything_else_is_there(self) -> None:
        store = self.make_store()
        cipher = EncryptedBody("k", b"sealed")
        append(
            store,
            new(1, body=sealed("one")),
            new(2, body=cipher, key="k"),
            new(3, body=sealed("three")),
            new(4),
        )
        before, head = list(store.rows()), store.head()
        with store.writer() as writer:
            writer.erase([1, 2, 4, 99, -1])
            assert writer.body(1) is None
        assert list(store.bodies()) == list(self.reopen().bodies()) == [(3, sealed("three"))]
        assert (list(store.rows()), store.head(), store.position_of_key("k")) == (before, head, 2)
        assert list(store.faults()) == []

    def test_an_erasure_of_a_block_that_failed_erases_nothing(self) -> None:
        store = self.make_store()
        append(store, new(1, body=sealed("one")))
        with refused(RuntimeError), store.writer() as writer:
            writer.erase([1])
            raise RuntimeError
        assert store.body(1) == sealed("one")

    def test_nothing_that_was_erased_is_left_when_the_files_were_rewritten(self) -> None:
        store = self.make_store()
        text = "erased words " * 1_000
        append(store, new(1, body=sealed(text)), new(2, body=sealed("kept words")))
        before = everything(store)[:2]
        with store.writer() as writer:
            writer.erase([1])
        store.compact()
        store.compact()
        assert everything(store)[:2] == before
        assert store.body(2) == sealed("kept words")
        assert append(store, new(3)) == range(3, 4)
        assert not any(b"erased words" in one for one in self.files())

    def test_a_body_that_was_sealed_anew_stands_where_the_old_one_stood(self) -> None:
        store = self.make_store()
        append(store, new(1, body=EncryptedBody("a", b"1")), new(2, body=EncryptedBody("a", b"2")))
        with store.writer() as writer:
            writer.reseal([(2, EncryptedBody("b", b"22"))])
        assert list(store.bodies()) == [(1, EncryptedBody("a", b"1")), (2, EncryptedBody("b", b"22"))]

    def test_nothing_is_sealed_where_nothing_stood(self) -> None:
        store = self.make_store()
        append(store, new(1), new(2, body=sealed()))
        with store.writer() as writer:
            writer.reseal(
                [(1, EncryptedBody("a", b"1")), (2, EncryptedBody("a", b"2")), (9, EncryptedBody("a", b"9"))]
            )
        assert list(store.bodies()) == [(2, sealed())]

    def test_a_writer_that_is_dead_neither_erases_nor_remembers(self) -> None:
        store = self.make_store()
        append(store, new(1, body=sealed()))
        with store.writer() as writer:
            pass
        uses: list[Callable[[], object]] = [
            lambda: writer.erase([1]),
            lambda: writer.remember("a", "b"),
            lambda: writer.setting("a"),
        ]
        for use in uses:
            with refused(LedgerError):
                use()
        assert (store.body(1), store.setting("a")) == (sealed(), None)

    # -- what must not happen -----------------------------------------------------------------------

    def _leaves_nothing_behind(self, *rows: NewRow, error: type[BaseException] = Conflict) -> str:
        """Refused as a batch of its own, and again inside a writer that goes on; returns the message."""
        store = self.make_store()
        append(store, new("first", key="k", marks=(7,), body=sealed(), registry=True))
        before = everything(store)
        with refused(error) as caught:
            append(store, *rows)
        assert everything(store) == before
        with store.writer() as writer:
            assert writer.insert([new("kept")], LATER) == range(2, 3)
            with refused(error):
                writer.insert(rows, LATER)
            assert writer.head().size == 2
            assert writer.insert([new("more")], LATER) == range(3, 4)
        assert [row.stream for row in store.rows()] == ["claim:first", "claim:kept", "claim:more"]
        assert store.head().root == root_by_definition([row.leaf_hash for row in store.rows()])
        assert everything(store)[2:4] == before[2:4]
        return str(caught[0])

    def test_a_taken_version_is_refused_and_leaves_nothing_behind(self) -> None:
        message = self._leaves_nothing_behind(
            new("x", key="y", marks=(7,), body=sealed(), registry=True), new("first", state=b"other")
        )
        assert "claim:first" in message
        assert "#1" in message

    def test_a_taken_version_is_refused_even_with_the_same_bytes(self) -> None:
        self._leaves_nothing_behind(new("first"))

    def test_a_version_twice_in_one_batch_is_refused(self) -> None:
        assert "claim:x" in self._leaves_nothing_behind(new("x"), new("y"), new("x"))

    def test_a_taken_key_is_refused_and_leaves_nothing_behind(self) -> None:
        message = self._leaves_nothing_behind(new("x", marks=(7,), body=sealed()), new("y", key="k"))
        assert "'k'" in message
        assert "#1" in message

    def test_a_key_twice_in_one_batch_is_refused(self) -> None:
        assert "'again'" in self._leaves_nothing_behind(new("x", key="again"), new("y", key="again"))

    def test_a_version_below_one_is_refused(self) -> None:
        store = self.make_store()
        for version in (0, -1):
            with refused(LedgerError):
                append(store, new(1, version=version))
        assert store.head().size == 0

    def test_a_salt_of_another_length_is_refused(self) -> None:
        self._leaves_nothing_behind(new("x", body=sealed(salt=b"short")), error=LedgerError)

    def test_a_stream_that_cannot_be_encoded_is_refused(self) -> None:
        self._leaves_nothing_behind(new("x"), NewRow("claim:\ud800", 1, "t", b"{}"), error=Exception)

    def test_an_exception_in_the_block_rolls_everything_back(self) -> None:
        store = self.make_store()
        append(store, new("first"))
        before = everything(store)
        for error in (RuntimeError, KeyboardInterrupt, Conflict):
            with refused(error), store.writer() as writer:
                writer.insert([new("x", key="k", marks=(7,), body=sealed(), registry=True)], LATER)
                raise error("no")
            assert everything(store) == before
            assert everything(self.reopen()) == before

    def test_a_rollback_leaves_no_gap(self) -> None:
        store = self.make_store()
        for _ in range(3):
            with refused(RuntimeError), store.writer() as writer:
                assert writer.insert([new("x"), new("y")], CLOCK) == range(1, 3)
                raise RuntimeError
        assert append(store, new("z")) == range(1, 2)

    def test_no_rows_change_nothing(self) -> None:
        store = self.make_store()
        append(store, new(1), recorded=CLOCK)
        before = everything(store)
        assert append(store, recorded=LATER) == range(2, 2)
        assert everything(store) == before

    def test_a_writer_is_dead_after_its_block(self) -> None:
        store = self.make_store()
        with store.writer() as writer:
            pass
        for use in (writer.head, lambda: writer.insert([new(1)], CLOCK), lambda: writer.row(1)):
            with refused(LedgerError):
                use()
        assert store.head().size == 0

    # -- several at once ----------------------------------------------------------------------------

    def test_a_writer_sees_its_own_rows_and_readers_the_old_head(self) -> None:
        store = self.make_store()
        other = self.reopen()
        append(store, new(1))
        before = everything(store)
        with store.writer() as writer:
            writer.insert([new(2, key="k", marks=(7,), body=sealed())], LATER)
            assert (writer.head().size, writer.position_of_key("k"), writer.marked(7)) == (2, 2, [2])
            assert (writer.row(2), writer.body(2)) == (writer.stream("claim:2")[0], sealed())
            assert writer.first_positions(["claim:1", "claim:2"]) == {"claim:1": 1, "claim:2": 2}
            assert everything(other) == everything(store) == before
        assert everything(other)[0] == store.head() != before[0]

    def _second_writer_waits(self, first: Store, second: Store) -> None:
        seen: list[int] = []

        def write() -> None:
            with second.writer() as writer:
                seen.append(writer.head().size)
                writer.insert([new("second")], LATER)

        with first.writer() as writer:
            thread = _started(write)
            thread.join(0.2)
            assert thread.is_alive(), "the second writer did not wait"
            writer.insert([new("first")], CLOCK)
        thread.join(30)
        assert seen == [1], "the second writer must see what the first one wrote"
        assert [row.stream for row in first.rows()] == ["claim:first", "claim:second"]

    def test_a_second_writer_waits_for_the_first(self) -> None:
        store = self.make_store()
        self._second_writer_waits(store, self.reopen())

    def test_a_second_writer_of_the_same_handle_waits_too(self) -> None:
        store = self.make_store()
        self._second_writer_waits(store, store)

    def test_a_writer_that_waits_does_not_keep_readers_out(self) -> None:
        store = self.make_store()
        with store.writer() as writer:
            writer.insert([new(1)], CLOCK)
            thread = _started(lambda: append(store, new(2)))
            thread.join(0.2)
            assert store.head().size == 0
        thread.join(30)
        assert store.head().size == 2

    def test_waiting_too_long_is_locked_and_changes_nothing(self) -> None:
        store = self.make_store()
        impatient = self.reopen(timeout=0.2)
        with store.writer() as writer:
            writer.insert([new(1)], CLOCK)
            with refused(Locked), impatient.writer():
                raise AssertionError("two writers at once")
        assert append(impatient, new(2)) == range(2, 3)

    def test_a_half_read_scan_neither_blocks_a_writer_nor_sees_its_rows(self) -> None:
        store = self.make_store()
        append(store, *(new(n) for n in range(6)))
        scan = store.rows(batch=2)
        next(scan)
        append(self.reopen(timeout=2.0), new("meanwhile"))
        assert [row.position for row in scan] == [2, 3, 4, 5, 6]

    def test_several_handles_append_without_a_gap_or_a_loss(self) -> None:
        store = self.make_store()
        handles = [self.reopen() for _ in range(3)]
        failed: list[BaseException] = []

        def work(number: int, handle: Store) -> Callable[[], None]:
            def run() -> None:
                try:
                    for n in range(20):
                        append(handle, new(f"{number}-{n}"))
                except BaseException as error:
                    failed.append(error)

            return run

        for thread in [_started(work(n, handle)) for n, handle in enumerate(handles)]:
            thread.join(60)
        rows = list(store.rows())
        assert not failed
        assert [row.position for row in rows] == list(range(1, 61))
        assert len({row.stream for row in rows}) == 60
        assert store.head().root == root_by_definition([row.leaf_hash for row in rows])


def _roots(leaves: Sequence[bytes], width: int) -> list[bytes]:
    """The roots of the perfect subtrees of so many leaves."""
    whole = len(leaves) // width
    return [root_by_definition(leaves[at * width : (at + 1) * width]) for at in range(whole)]


def _started(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
