"""Writing parts: each new leaf into the bucket of its place, and what ties places to each other beside them.

First every row is put into a file of its bucket as it comes; then each such file is sorted by place and written as
Parquet. No more than one bucket's new rows, and of a great one a stretch of them, are in memory at a time.

*Ties* are what the judge of one place has to know of another. Who reads them decides what is heard where:

========= =============================================== ==========================
kind      ``stream`` (at ``home``)                        ``to``
========= =============================================== ==========================
stands    a piece of evidence, where it was recorded      ""
befell    an entry that something befell                  ""
leans     an entry that leans on evidence                 the evidence
speaks    an entry whose target is evidence               the evidence
moved     an entry that a correction gave another place   the place
========= =============================================== ==========================

They are taken from every version that an entry ever had, so that too much is tied and never too little.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from ledger.buckets import manifest as manifests
from ledger.buckets.folder import Folder, arrow, damaged
from ledger.buckets.manifest import Manifest, Part, bucket_of
from ledger.errors import Unverified, Usage
from ledger.store.base import Store
from ledger.upcast import STEPS, upcast

Tell = Callable[[int, int], None]

#: Rows put into their buckets at a time, and the most that are sorted and written as one part.
_AT_ONCE = 131_072
_PART = 262_144
#: Rows of a row group: few enough that reading one place does not read many others.
GROUP = 16_384

ENTRIES = frozenset(
    ("claim-reported", "evidence-reported", "display-observed", "claim-withdrawn", "state-ruled")
)


class Tie(NamedTuple):
    """``position`` is the entry's own; of ``befell`` that of what befell it."""

    kind: str
    position: int
    stream: str
    home: str
    to: str


class Row(NamedTuple):
    """A leaf with what it is found by. ``place`` is "" for what stands at none, ``question`` for what asks none."""

    place: str
    question: str
    position: int
    stream: str
    version: int
    type: str
    leaf: bytes


def schemas() -> tuple[Any, Any]:
    """Of rows and of ties."""
    pa = arrow()
    text, number = pa.string(), pa.int64()
    rows = [
        ("place", text),
        ("question", text),
        ("position", number),
        ("stream", text),
        ("version", pa.int32()),
    ]
    rows += [("type", text), ("leaf", pa.binary())]
    ties = [("kind", text), ("position", number), ("stream", text), ("home", text), ("to", text)]
    return pa.schema(rows), pa.schema(ties)


def export(
    store: Store, ledger: str, folder: Folder, buckets: int | None = None, tell: Tell | None = None
) -> tuple[Manifest, Manifest | None]:
    """Bring a folder up to the ledger's head; (its manifest, the one before, None where it was empty).

    ``tell`` is called with (events put into their buckets, events in all). Raises ``Unverified`` where the folder was made
    from something else, ``Usage`` for another number of buckets than it has.
    """
    before = manifests.read(folder)
    if before is not None:
        manifests.check(before, folder, store, ledger)
        if buckets not in (None, before.buckets):
            raise Usage(
                f"the folder has {before.buckets} buckets, not {buckets}",
                where=folder.url,
                remedy="leave --buckets out, or export into another folder",
            )
    head = store.head()
    position = before.position if before else 0
    found = before or Manifest(ledger, buckets or manifests.BUCKETS, 0, "")
    if before is None or head.size > position:
        new = _Export(
            store, folder, found.buckets, position, head.size, tell or (lambda done, of: None)
        ).parts()
        found = replace(found, position=head.size, root=head.root.hex(), parts=(*found.parts, *new))
        folder.write(manifests.NAME, found.to_json())
    return found, before


class _Export:
    """One stretch of a ledger on its way into a folder."""

    def __init__(
        self, store: Store, folder: Folder, buckets: int, position: int, head: int, tell: Tell
    ) -> None:
        self.store, self.folder, self.buckets = store, folder, buckets
        self.position, self.head, self.tell = position, head, tell
        self.pa = arrow()
        self.schema, self.tied = schemas()

    def parts(self) -> list[Part]:
        with tempfile.TemporaryDirectory(prefix="claims-export-") as scratch:
            spilt, ties = self._spill(Path(scratch))
            made = [
                part for bucket in sorted(spilt, key=_order) for part in self._bucket(bucket, spilt[bucket])
            ]
            if ties.exists():
                made.append(self._write("ties", None, self._table(ties), ""))
        return made

    # -- into buckets ----------------------------------------------------------------------------------------

    def _spill(self, scratch: Path) -> tuple[dict[int | None, Path], Path]:
        """The new rows in a file a bucket, and their ties in another."""
        spilt: dict[int | None, Path] = {}
        writers: dict[int | None, Any] = {}
        ties, writer = scratch / "ties", None
        leaves = self.store.leaves(self.position + 1, self.head)
        done, of = 0, self.head - self.position
        with ExitStack() as stack:
            while some := list(islice(leaves, _AT_ONCE)):
                self.tell(done, of)
                done += len(some)
                by_bucket: dict[int | None, list[Row]] = {}
                tied: list[Tie] = []
                for position, leaf in some:
                    row = self._row(position, leaf, tied)
                    bucket = bucket_of(row.place, self.buckets) if row.place else None
                    by_bucket.setdefault(bucket, []).append(row)
                for bucket, rows in by_bucket.items():
                    if bucket not in writers:
                        spilt[bucket] = scratch / f"{bucket}"
                        writers[bucket] = stack.enter_context(self._spilling(spilt[bucket], self.schema))
                    writers[bucket].write_batch(_batch(self.pa, rows, self.schema))
                if tied:
                    writer = writer or stack.enter_context(self._spilling(ties, self.tied))
                    writer.write_batch(_batch(self.pa, tied, self.tied))
        self.tell(of, of)
        if done != of:
            raise Unverified(
                f"{done:,} of {of:,} new events could be read", remedy="`claims verify` says more"
            )
        return spilt, ties

    def _spilling(self, path: Path, schema: Any) -> Any:
        options = self.pa.ipc.IpcWriteOptions(compression="lz4")
        return self.pa.ipc.new_stream(str(path), schema, options=options)

    def _row(self, position: int, leaf: bytes, ties: list[Tie]) -> Row:
        try:
            values = orjson.loads(leaf)
            stream, version, topic = values["stream"], values["version"], values["type"]
            data = values["data"]
            if topic in STEPS:
                topic, data = upcast(topic, data)
            name = topic.partition("/")[0]
        except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
            raise Unverified(
                "the stored bytes are no event", where=f"#{position}", remedy="`claims verify` says more"
            ) from None
        question = None
        try:
            if version != 1:
                first, place = self._first(stream)
                if place is not None:
                    _befell(ties, position, first, stream, place, data)
            else:
                place = data.get("place") or "" if name in ENTRIES else None
                if place is not None:
                    question = data.get("question", "control")
                    if name == "evidence-reported":
                        ties.append(Tie("stands", position, stream, place, ""))
                    if "based_on" in data or "target" in data:
                        _refers(ties, position, stream, place, data)
        except (TypeError, AttributeError):  # who reads it sets it aside
            place = None
        if type(place) is not str:
            place = ""
        if type(question) is not str:
            question = ""
        return Row(place, question, position, stream, version, values["type"], leaf)

    def _first(self, stream: str) -> tuple[int, str | None]:
        """Where the entry of a stream stands, and the place for which it was recorded; None where it is no entry."""
        rows = self.store.stream(stream)
        if not rows:
            return 0, None
        first = orjson.loads(rows[0].state)
        topic, data = upcast(first["type"], first["data"])
        entry = topic.partition("/")[0] in ENTRIES
        return rows[0].position, str(data.get("place") or "") if entry else None

    # -- into parts ------------------------------------------------------------------------------------------

    def _bucket(self, bucket: int | None, path: Path) -> Iterator[Part]:
        """The new rows of a bucket as parts, each sorted by place; several where they are very many."""
        batches: list[Any] = []
        count = written = 0
        with self.pa.ipc.open_stream(str(path)) as stream:
            for batch in stream:
                batches.append(batch)
                count += len(batch)
                if count >= _PART:
                    yield self._sorted(bucket, batches, f"-{written}")
                    batches, count, written = [], 0, written + 1
        if batches:
            yield self._sorted(bucket, batches, f"-{written}" if written else "")

    def _sorted(self, bucket: int | None, batches: list[Any], more: str) -> Part:
        table = self.pa.Table.from_batches(batches, self.schema)
        batches.clear()
        order = self.pa.compute.sort_indices(
            table.select(["place", "position"]),
            sort_keys=[("place", "ascending"), ("position", "ascending")],
        )
        return self._write("rows", bucket, table.take(order), more)

    def _table(self, path: Path) -> Any:
        with self.pa.ipc.open_stream(str(path)) as stream:
            return stream.read_all()

    def _write(self, kind: Any, bucket: int | None, table: Any, more: str) -> Part:
        """One part, written and hashed. Its name says what is in it and up to where."""
        import hashlib

        what = "ties" if kind == "ties" else "nowhere" if bucket is None else f"b{bucket:04d}"
        name = f"{what}-{self.position + 1:012d}-{self.head:012d}{more}.parquet"
        sink = self.pa.BufferOutputStream()
        texts = [one for one in ("place", "question", "type", "kind", "home") if one in table.column_names]
        self.pa.parquet.write_table(
            table,
            sink,
            row_group_size=GROUP,
            compression="zstd",
            use_dictionary=texts,
            write_statistics=True,
            write_page_checksum=True,
        )
        raw = sink.getvalue().to_pybytes()
        self.folder.write(name, raw)
        bounds = self.pa.compute.min_max(table["position"])
        return Part(
            name,
            kind,
            bucket,
            table.num_rows,
            bounds["min"].as_py(),
            bounds["max"].as_py(),
            len(raw),
            hashlib.sha256(raw).hexdigest(),
        )


def _order(bucket: int | None) -> int:
    return -1 if bucket is None else bucket


def _batch(pa: Any, rows: Iterable[Any], schema: Any) -> Any:
    columns = zip(*rows, strict=True)
    try:
        arrays = [pa.array(column, one.type) for column, one in zip(columns, schema, strict=True)]
    except (UnicodeEncodeError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise damaged(f"an event has a name that is no text ({error})", "the ledger") from None
    return pa.record_batch(arrays, schema=schema)


def _befell(ties: list[Tie], position: int, first: int, stream: str, home: str, data: dict[str, Any]) -> None:
    """What befell an entry, and where a correction takes it."""
    ties.append(Tie("befell", position, stream, home, ""))
    changes = data.get("changes")
    if not isinstance(changes, dict):
        return
    place = changes.get("place")
    if isinstance(place, str) and place != home:
        ties.append(Tie("moved", first, stream, home, place))
    _refers(ties, first, stream, home, changes)


def _refers(ties: list[Tie], position: int, stream: str, home: str, data: dict[str, Any]) -> None:
    based, target = data.get("based_on"), data.get("target")
    for one in based if isinstance(based, list) else ():
        ties.append(Tie("leans", position, stream, home, str(one)))
    if isinstance(target, str) and target.startswith("e-"):
        ties.append(Tie("speaks", position, stream, home, target))
