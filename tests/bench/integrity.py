"""What it costs that nothing can be changed unnoticed: signed appends, proofs kept, the record verified."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from random import Random
from time import perf_counter
from typing import Any
from unittest import mock

from ledger.book import Ledger
from ledger.integrity import notary, verifying
from ledger.integrity.proof import Tree, check_inclusion
from ledger.integrity.tree import HASH_BYTES, Frontier
from ledger.store.sqlite import recorder as sqlite_recorder
from tests.bench import append, generator, stage
from tests.bench.figures import Figure, figure, forget_peak, peak_rss_mb, timed
from tests.bench.generator import WRITTEN, entries
from tests.bench.stage import Stage

DEFAULT = 100_000
_ROUNDS = 5
_SINGLES = 300
_IMPORTED = 20_000
_PROOFS = 500
_ZEROS = bytes(HASH_BYTES)


def run(on: Stage, claims: int) -> list[Figure]:
    """``claims`` is the size of the ledger that is appended to, verified and proved from."""
    path = on.copy(claims)
    figures = [stage.sizes(path, claims, "integrity"), _append(on, path, claims), _import(on, claims)]
    path = on.ledger(claims)
    return [*figures, _verify(path, claims), *_proofs(path, claims)]


def _append(on: Stage, path: Path, claims: int) -> Figure:
    """One event an append, acknowledged when its checkpoint is on the disk."""
    with Ledger.open(path, clock=lambda: WRITTEN) as ledger:
        assert ledger.notary is not None
        durable = "/".join(ledger.store.durability())  # type: ignore[attr-defined]
        singles = min(_SINGLES, max(20, claims // 2))
        with stage.bare(on.path("bare.db"), ledger) as raw:
            ours, bare = append._interleaved(ledger, raw, claims, singles, 1)
    what = (
        f"one event an append, its checkpoint signed and synced ({durable}); floor: bare INSERT and COMMIT of the same"
        f" bytes; {_ROUNDS} interleaved rounds of {singles}"
    )
    return figure("integrity", "append-signed", what, claims, ours, bare, count=singles)


def _import(on: Stage, claims: int) -> Figure:
    """A bulk import with hashes, tree and checkpoints, and the same with none of them."""
    count = min(_IMPORTED, claims)
    ours, bare = [], []
    for _ in range(3):
        ours.append(_imported(on, count))
        with _without_proofs():
            bare.append(_imported(on, count, signed=False))
    what = (
        f"{count:,} claims imported, {stage.BATCH} an append, with leaf hashes, tree and a signed checkpoint each;"
        " floor: the same with neither hashes nor tree nor checkpoints; median of 3 interleaved rounds"
    )
    return figure("integrity", "import-proofs", what, count, ours, bare, count=count)


def _imported(on: Stage, count: int, *, signed: bool = True) -> float:
    path, salts, taken = on.path("proofs.db"), Random(generator.SEED), 0.0
    with Ledger.create(
        path, ledger="bench", signed=signed, clock=lambda: WRITTEN, salt=salts.randbytes
    ) as ledger:
        for batch in stage.batched(entries(count)):
            drafts = [entry.draft() for entry in batch]
            taken += timed(lambda drafts=drafts: ledger.append(drafts))  # type: ignore[misc]
    return taken


@contextmanager
def _without_proofs() -> Iterator[None]:
    """The recorder as it would be without a tree: every hash is zeros, and none is made."""

    def grown(self: Frontier, leaves: Sequence[bytes], step: int) -> tuple[Frontier, list[Any]]:
        size = self.size + len(leaves)
        return Frontier(size, (_ZEROS,) * size.bit_count()), []

    def unhashed(state: bytes) -> bytes:
        return _ZEROS

    with (
        mock.patch.object(sqlite_recorder, "leaf_hash", unhashed),  # a mock's own calls would cost more
        mock.patch.object(Frontier, "grown", grown),
    ):
        yield


def _verify(path: Path, claims: int) -> Figure:
    """All that `claims verify` checks, against reading the same bytes and hashing each once."""
    ours, bare = [], []
    forget_peak()
    with Ledger.open(path, readonly=True) as ledger:
        size = ledger.store.head().size
        for _ in range(3):
            start = perf_counter()
            checks = verifying.verify(ledger, path)
            ours.append(perf_counter() - start)
            wrong = [f"{one.name}: {one.detail}" for one in checks if one.ok is False]
            if wrong:
                raise RuntimeError(f"the ledger does not verify: {wrong}")
            bare.append(timed(lambda: _bare_hash(ledger.store, size)))
    what = (
        f"{size:,} events verified: rows, columns, tree, bodies, keys, indexes, checkpoints; floor: rows and bodies read"
        " and hashed once, in one process; median of 3 rounds, of which the first loads the compiled code"
    )
    return figure("integrity", "verify", what, claims, ours, bare, count=size, peak=peak_rss_mb())


def _bare_hash(store: Any, size: int) -> None:
    gc.disable()
    try:
        for first in range(1, size + 1, 4096):
            for row in store.raw_rows(first, first + 4095):
                sha256(b"\0" + row[4]).digest()
                if row[6] is not None:
                    sha256(row[6] + row[7]).digest()
    finally:
        gc.enable()


def _proofs(path: Path, claims: int) -> list[Figure]:
    """Inclusion proofs of events drawn at random: made from the file, and checked from nothing but themselves."""
    chance = Random(generator.SEED)
    making, checking = [], []
    with Ledger.open(path, readonly=True) as ledger:
        store = ledger.store
        assert notary.signing_key(store) is not None
        head = store.head()
        for _ in range(_PROOFS):
            index = chance.randrange(head.size)
            row = store.row(index + 1)
            assert row is not None
            start = perf_counter()
            path_up = Tree(head.size, store.hashes).inclusion(index)
            making.append(perf_counter() - start)
            start = perf_counter()
            check_inclusion(row.leaf_hash, index, head.size, path_up, head.root)
            checking.append(perf_counter() - start)
    made = f"an inclusion proof of {len(path_up)} hashes made from the file, median of {_PROOFS} at random"
    checked = f"the same proofs checked, median of {_PROOFS}"
    return [
        figure("integrity", "proof-made", made, claims, making, count=1),
        figure("integrity", "proof-checked", checked, claims, checking, count=1),
    ]
