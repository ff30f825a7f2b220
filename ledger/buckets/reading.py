"""Reading parts: the rows of some places, and single rows of others.

Every part is compared with its checksum once a process; each page that is read has one of its own besides.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from ledger.buckets.folder import Folder, arrow, damaged
from ledger.buckets.manifest import Part
from ledger.buckets.writing import Row, Tie, schemas

#: Where the columns stand that rows are found by.
_PLACE, _POSITION = (Row._fields.index(one) for one in ("place", "position"))

#: Parts whose bytes were compared: (folder, name, checksum).
_compared: set[tuple[str, str, str]] = set()


def leaves(
    folder: Folder, parts: Iterable[Part], places: Collection[str], guests: Mapping[str, Collection[int]]
) -> Iterator[tuple[int, bytes]]:
    """(position, leaf) of everything that lies in some parts for some places; of other places what stands at some
    positions (``guests``)."""
    pa = arrow()
    wanted, homes = sorted(places), sorted(guests)
    within = {home: sorted(positions) for home, positions in guests.items()}
    single = pa.array(sorted({at for positions in guests.values() for at in positions}), pa.int64())
    named = pa.array(wanted, pa.string())
    for part in parts:
        opened = _opened(folder, part)
        for group in range(opened.metadata.num_row_groups):
            row_group = opened.metadata.row_group(group)
            here, stand = row_group.column(_PLACE), row_group.column(_POSITION)
            near = any(_among(stand, within[home]) for home in _found(here, homes))
            if not (near or _found(here, wanted)):
                continue
            table = _read(folder, part, opened, group, ["place", "position", "leaf"])
            mask = pa.compute.is_in(table["place"], named)
            if near:
                mask = pa.compute.or_(mask, pa.compute.is_in(table["position"], single))
            found = table.filter(mask)
            yield from zip(found["position"].to_pylist(), found["leaf"].to_pylist(), strict=True)


def everything(folder: Folder, parts: Iterable[Part]) -> Iterator[tuple[int, bytes]]:
    """(position, leaf) of whole parts."""
    for part in parts:
        opened = _opened(folder, part)
        for group in range(opened.metadata.num_row_groups):
            table = _read(folder, part, opened, group, ["position", "leaf"])
            yield from zip(table["position"].to_pylist(), table["leaf"].to_pylist(), strict=True)


def counts(folder: Folder, parts: Iterable[Part]) -> dict[str, dict[str, int]]:
    """Place → question → rows; what befell entries asks nothing, ""."""
    pa = arrow()
    found: dict[str, dict[str, int]] = {}
    for part in parts:
        opened = _opened(folder, part)
        for group in range(opened.metadata.num_row_groups):
            table = _read(folder, part, opened, group, ["place", "question"])
            grouped = pa.TableGroupBy(table, ["place", "question"]).aggregate([([], "count_all")])
            for one in grouped.to_pylist():
                of = found.setdefault(one["place"], {})
                of[one["question"]] = of.get(one["question"], 0) + one["count_all"]
    return found


def ties(folder: Folder, parts: Iterable[Part]) -> Any:
    """All ties as one Arrow table."""
    pa = arrow()
    tables = [
        _read(folder, part, opened, group, list(Tie._fields))
        for part in parts
        for opened in [_opened(folder, part)]
        for group in range(opened.metadata.num_row_groups)
    ]
    return pa.concat_tables(tables) if tables else schemas()[1].empty_table()


def _opened(folder: Folder, part: Part) -> Any:
    """A part, open; its bytes are those that were written."""
    key = folder.url, part.name, part.sha256
    if key not in _compared:
        if folder.digest(part.name) != part.sha256:
            raise damaged("the part is not as it was written (its checksum differs)", folder.path(part.name))
        _compared.add(key)
    pa = arrow()
    try:
        opened = pa.parquet.ParquetFile(folder.open(part.name), page_checksum_verification=True)
    except pa.ArrowException as error:
        raise damaged(f"the part cannot be read ({_line(error)})", folder.path(part.name)) from None
    if opened.schema_arrow.names != schemas()[part.kind == "ties"].names:
        raise damaged("the part has other columns than parts have", folder.path(part.name))
    return opened


def _read(folder: Folder, part: Part, opened: Any, group: int, columns: list[str]) -> Any:
    pa = arrow()
    try:
        return opened.read_row_group(group, columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise damaged(f"the part cannot be read ({_line(error)})", folder.path(part.name)) from None


def _found(column: Any, wanted: list[Any]) -> list[Any]:
    """Which of some values, given in order, a column of a row group may hold."""
    bounds = column.statistics
    if bounds is None or not bounds.has_min_max:
        return wanted
    return wanted[bisect_left(wanted, bounds.min) : bisect_right(wanted, bounds.max)]


def _among(column: Any, wanted: list[Any]) -> bool:
    return bool(_found(column, wanted))


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
