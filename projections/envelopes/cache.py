"""The cache of envelopes: one SQLite file beside the ledger, records in chunks by place.

It holds nothing that the ledger does not, and is never trusted over it: it carries the ledger's id, the
position it has reached, the root hashes of the ledger's tree there and the fingerprint of the code that read
it, and each chunk a checksum. Where any of that does not fit it is thrown away and made again. It grows by batches, each
one a transaction, so that a crash at any moment costs a batch at most.

Records are numpy rows (``shape.dtype``); SQLite reads them through memory-mapped pages.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ledger.codec import Recorded, decode
from projections.anchor import Anchor, anchored, fits
from projections.envelopes.reading import EVERYWHERE, Batch, Codes, Fated, Lookup, Reader
from projections.envelopes.shape import SIZE

if TYPE_CHECKING:
    from ledger.store.base import Store
    from projections.envelopes.quick import Quick

#: Events a transaction: some 200 MB of work at most while they are read.
BATCH = 131_072

#: So few leaves are read one by one: before many are read at once, every name there is must be learnt.
_FEW = 64

#: Chunks of one place are put together when there are more of them.
_CHUNKS = 96

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS name (code INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS chunk (
  place INTEGER NOT NULL, first INTEGER NOT NULL, rows INTEGER NOT NULL, sum INTEGER NOT NULL,
  records BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS chunk_place ON chunk (place, first);
CREATE TABLE IF NOT EXISTS fate (
  position INTEGER PRIMARY KEY, place INTEGER NOT NULL, at INTEGER NOT NULL, entry TEXT NOT NULL,
  target TEXT NOT NULL, name TEXT NOT NULL, recorded TEXT NOT NULL, data BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS fate_place ON fate (place);
CREATE TABLE IF NOT EXISTS more (position INTEGER PRIMARY KEY, place INTEGER NOT NULL, data BLOB NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS more_place ON more (place);
CREATE TABLE IF NOT EXISTS moved (
  place INTEGER NOT NULL, position INTEGER NOT NULL, home INTEGER NOT NULL,
  PRIMARY KEY (place, position)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS doubt (
  evidence TEXT NOT NULL, position INTEGER NOT NULL, place INTEGER NOT NULL,
  PRIMARY KEY (evidence, position)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lean (
  evidence TEXT NOT NULL, place INTEGER NOT NULL, by TEXT NOT NULL,
  PRIMARY KEY (evidence, place, by)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS shown (
  source INTEGER NOT NULL, place INTEGER NOT NULL, PRIMARY KEY (source, place)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS asked (
  place INTEGER NOT NULL, question INTEGER NOT NULL, PRIMARY KEY (place, question)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bad (
  position INTEGER PRIMARY KEY, entry TEXT NOT NULL, error TEXT NOT NULL) STRICT;
"""


class Mark(NamedTuple):
    """How far a cache has come in whose ledger, and the fingerprint of the code that read it."""

    anchor: Anchor
    code: str

    @property
    def position(self) -> int:
        return self.anchor.position


class Damaged(Exception):
    """What the cache holds is not what was put there."""


class Envelopes:
    """One open cache file."""

    def __init__(self, path: Path | str) -> None:
        self.path = path
        self.db = sqlite3.connect(path, isolation_level=None, timeout=60.0)
        self.db.executescript(
            "PRAGMA synchronous = OFF; PRAGMA mmap_size = 268435456; PRAGMA cache_size = -16384;" + _SCHEMA
        )
        self._codes: Codes | None = None

    def close(self) -> None:
        self.db.close()

    # -- what is in it ---------------------------------------------------------------------------------

    def mark(self) -> Mark | None:
        """None while nothing was read into it."""
        meta = dict(self.db.execute("SELECT name, value FROM meta"))
        if "position" not in meta:
            return None
        anchor = Anchor(meta["ledger"], int(meta["position"]), meta["leaf"], meta.get("roots", ""))
        return Mark(anchor, meta["code"])

    @property
    def codes(self) -> Codes:
        """Names and their codes; what others have added meanwhile is added here."""
        if self._codes is None:
            self._codes = Codes()
        known = len(self._codes.names)
        for (text,) in self.db.execute("SELECT text FROM name WHERE code >= ? ORDER BY code", (known,)):
            self._codes[text]
        return self._codes

    def places(self) -> dict[int, int]:
        """Place code → how many records, ``EVERYWHERE`` among them."""
        return dict(self.db.execute("SELECT place, sum(rows) FROM chunk GROUP BY place ORDER BY place"))

    def spoken_of(self) -> list[tuple[int, int]]:
        """(place, question) of everything recorded, or moved by a correction."""
        return list(self.db.execute("SELECT place, question FROM asked"))

    def leaning(self, evidence: str) -> set[int]:
        """Places where something leans on some evidence."""
        return {one for (one,) in self.db.execute("SELECT place FROM lean WHERE evidence = ?", (evidence,))}

    def evidence_leaning(self, evidence: str) -> set[str]:
        """Other evidence that leans on some evidence."""
        found = self.db.execute("SELECT by FROM lean WHERE evidence = ? AND by <> ''", (evidence,))
        return {one for (one,) in found}

    def count(self, place: int) -> int:
        """How many records a place has."""
        (count,) = self.db.execute(
            "SELECT coalesce(sum(rows), 0) FROM chunk WHERE place = ?", (place,)
        ).fetchone()
        return int(count)

    def showing(self, source: int) -> set[int]:
        """Places of which a standing source ever displayed something."""
        return {one for (one,) in self.db.execute("SELECT place FROM shown WHERE source = ?", (source,))}

    def records(self, places: Sequence[int]) -> Any:
        """The records of some places, a structured array in order of place as given, then of position."""
        import numpy as np

        from projections.envelopes.shape import dtype

        blobs = [blob for place in places for blob in self._chunks(place)]
        return np.frombuffer(b"".join(blobs), dtype=dtype())

    def _chunks(self, place: int) -> Iterator[bytes]:
        found = self.db.execute("SELECT sum, records FROM chunk WHERE place = ? ORDER BY first", (place,))
        for total, blob in found:
            if zlib.crc32(blob) != total:
                raise Damaged(f"a chunk of place {place}")
            yield blob

    def positions(self, place: int) -> Iterator[tuple[int, bytes]]:
        """(position, packed record) of a place, without numpy."""
        for blob in self._chunks(place):
            for at in range(0, len(blob), SIZE):
                yield int.from_bytes(blob[at : at + 8], "little"), blob[at : at + SIZE]

    def fates(self, place: int) -> list[Fated]:
        """What befell the entries recorded for a place, in order."""
        found = self.db.execute("SELECT * FROM fate WHERE place = ? ORDER BY position", (place,))
        return [Fated(*row) for row in found]

    def more(self, place: int) -> list[tuple[int, bytes]]:
        """(position, JSON of what its record has no room for)."""
        return list(self.db.execute("SELECT position, data FROM more WHERE place = ?", (place,)))

    def moved(self, place: int) -> list[tuple[int, int]]:
        """(position, place it was recorded for) of what a correction moved here."""
        return list(self.db.execute("SELECT position, home FROM moved WHERE place = ?", (place,)))

    def doubts(self, evidence: str) -> list[tuple[int, int]]:
        """(position, place) of claims that speak against some evidence."""
        return list(self.db.execute("SELECT position, place FROM doubt WHERE evidence = ?", (evidence,)))

    def every_doubt(self) -> Iterator[tuple[str, int, int]]:
        return self.db.execute("SELECT evidence, position, place FROM doubt ORDER BY position")

    def every_move(self) -> list[tuple[int, int, int]]:
        return list(self.db.execute("SELECT place, position, home FROM moved ORDER BY position"))

    def bad(self) -> list[tuple[int, str, str]]:
        """(position, entry, error) of events that could not be read."""
        return list(self.db.execute("SELECT position, entry, error FROM bad ORDER BY position"))

    # -- growing ---------------------------------------------------------------------------------------

    def catch_up(
        self,
        store: Store,
        head: int,
        code: str,
        ledger: str,
        progress: Callable[[int, int], None] = lambda done, of: None,
    ) -> None:
        """Read the ledger from where the cache stands to ``head``, a batch a transaction.

        A cache that does not fit (another ledger's, a longer one's, another code's) is emptied first. One that
        others have taken further meanwhile is left as it is.
        """
        mark = self.mark()
        if mark is not None and not (mark.code == code and fits(mark.anchor, store, ledger, head)):
            self.clear()
            mark = None
        position = mark.position if mark else 0
        if mark is not None and position >= head:
            return

        def lookup(stream: str) -> list[Recorded]:
            return [decode(row) for row in store.stream(stream)]

        reader = self._reader(lookup, head - position)
        begun = position
        while position < head or mark is None:
            last = min(head, position + BATCH - position % BATCH)
            progress(position - begun, head - begun)
            batch = reader.read(store.leaves(position + 1, last))
            reached = anchored(store, ledger, last, mark.anchor if mark else None)
            self._write(batch, Mark(reached, code), position)
            mark = self.mark()
            position = mark.position if mark else 0
            if self._codes is None:
                reader = self._reader(lookup, head - position)
        progress(head - begun, head - begun)

    def fill(self, leaves: Iterable[tuple[int, bytes]], count: int, lookup: Lookup, mark: Mark) -> None:
        """Read so many leaves of a ledger, in order, into an empty cache, which then stands at a mark as if it had
        read all up to there."""
        stream, position = iter(leaves), 0
        reader = self._reader(lookup, count)
        while some := list(islice(stream, BATCH)):
            at = Mark(Anchor(mark.anchor.ledger, some[-1][0], ""), mark.code)
            self._write(reader.read(some), at, position)
            position = at.position
        self._write(Batch(), mark, position)

    def _reader(self, lookup: Lookup, leaves: int) -> Reader | Quick:
        """What reads so many leaves soonest."""
        from projections.columns.modes import reading

        reader = Reader(self.codes, lookup)
        kernel = reading(leaves) if leaves > _FEW else None
        if kernel is None:
            return reader
        from projections.envelopes.quick import Quick

        return Quick(reader, kernel)

    def clear(self) -> None:
        with self._transaction():
            for table in (
                "meta",
                "name",
                "chunk",
                "fate",
                "more",
                "moved",
                "doubt",
                "lean",
                "shown",
                "asked",
                "bad",
            ):
                self.db.execute(f"DELETE FROM {table}")
        self._codes = None

    def _transaction(self) -> _Transaction:
        return _Transaction(self.db)

    def _write(self, batch: Batch, mark: Mark, expected: int) -> None:
        codes = self.codes
        with self._transaction():
            now = self.mark()
            if (now.position if now else 0) != expected:
                self._codes = None  # another process was quicker, and gave out codes of its own
                return
            known = self.db.execute("SELECT coalesce(max(code), -1) + 1 FROM name").fetchone()[0]
            self.db.executemany(
                "INSERT INTO name VALUES (?, ?)", enumerate(islice(codes.names, known, None), known)
            )
            self.db.executemany("INSERT INTO chunk VALUES (?, ?, ?, ?, ?)", _chunks_of(batch))
            self.db.executemany("INSERT OR REPLACE INTO fate VALUES (?, ?, ?, ?, ?, ?, ?, ?)", batch.fates)
            self.db.executemany(
                "INSERT OR REPLACE INTO more VALUES (?, ?, ?)",
                [(position, place, data) for position, place, data in batch.more],
            )
            self.db.executemany("INSERT OR IGNORE INTO moved VALUES (?, ?, ?)", batch.moved)
            self.db.executemany("INSERT OR IGNORE INTO doubt VALUES (?, ?, ?)", batch.doubts)
            self.db.executemany("INSERT OR IGNORE INTO lean VALUES (?, ?, ?)", sorted(batch.leans))
            self.db.executemany("INSERT OR IGNORE INTO shown VALUES (?, ?)", sorted(batch.shown))
            self.db.executemany("INSERT OR IGNORE INTO asked VALUES (?, ?)", sorted(batch.asked))
            self.db.executemany("INSERT OR REPLACE INTO bad VALUES (?, ?, ?)", batch.bad)
            if batch.rows is None and len(batch.records) < 1_000:
                for place in {place for place, _, _ in batch.records}:
                    self._put_together(place)
            at = mark.anchor
            values = {"ledger": at.ledger, "position": str(at.position), "leaf": at.leaf, "roots": at.roots}
            self.db.executemany(
                "INSERT OR REPLACE INTO meta VALUES (?, ?)", [*values.items(), ("code", mark.code)]
            )

    def _put_together(self, place: int) -> None:
        (count,) = self.db.execute("SELECT count(*) FROM chunk WHERE place = ?", (place,)).fetchone()
        if count > _CHUNKS:
            blob = b"".join(self._chunks(place))
            self.db.execute("DELETE FROM chunk WHERE place = ?", (place,))
            first = int.from_bytes(blob[:8], "little")
            self.db.execute(
                "INSERT INTO chunk VALUES (?, ?, ?, ?, ?)",
                (place, first, len(blob) // SIZE, zlib.crc32(blob), blob),
            )


class _Transaction:
    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    def __enter__(self) -> None:
        self.db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        self.db.execute("COMMIT" if kind is None else "ROLLBACK")


def _chunks_of(batch: Batch) -> Iterable[tuple[int, int, int, int, bytes]]:
    """(place, first position, records, checksum, records packed), places in order."""
    if batch.rows is None:
        return _chunked(batch.records)
    return _sorted_out(batch)


def _sorted_out(batch: Batch) -> Iterable[tuple[int, int, int, int, bytes]]:
    """``_chunked`` where most records are rows of an array."""
    import numpy as np

    from projections.envelopes.shape import dtype

    others = np.frombuffer(b"".join([packed for _, _, packed in batch.records]), dtype=dtype())
    records = np.concatenate([batch.rows.reshape(-1).view(dtype()), others])
    records = records[np.lexsort((records["position"], records["place"]))]
    begins = [*np.flatnonzero(np.diff(records["place"], prepend=-1)).tolist(), len(records)]
    for begin, end in pairwise(begins):
        blob = records[begin:end].tobytes()
        yield (
            int(records["place"][begin]),
            int(records["position"][begin]),
            end - begin,
            zlib.crc32(blob),
            blob,
        )


def _chunked(records: list[tuple[int, int, bytes]]) -> Iterable[tuple[int, int, int, int, bytes]]:
    """Records of one place put together, places in order."""
    by_place: dict[int, list[bytes]] = {}
    firsts: dict[int, int] = {}
    for place, position, packed in records:
        found = by_place.get(place)
        if found is None:
            by_place[place] = [packed]
            firsts[place] = position
        else:
            found.append(packed)
    for place in sorted(by_place):
        blob = b"".join(by_place[place])
        yield place, firsts[place], len(blob) // SIZE, zlib.crc32(blob), blob


__all__ = ["BATCH", "EVERYWHERE", "Damaged", "Envelopes", "Mark"]
