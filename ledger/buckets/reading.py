"""Reading parts: the rows of some places, and single rows of others; every part is compared with its checksum once a process."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator
from typing import Any

from ledger.buckets.folder import Folder, arrow, damaged
from ledger.buckets.manifest import Part
from ledger.buckets.writing import Tie

#: Parts whose bytes were compared: (folder, name, checksum).
_compared: set[tuple[str, str, str]] = set()


def leaves(
    folder: Folder, parts: Iterable[Part], places: Collection[str], positions: Collection[int] = ()
) -> Iterator[tuple[int, bytes]]:
    """(position, leaf) of everything that lies in some parts for some places, and at some positions besides."""
    pa = arrow()
    wanted, single = sorted(places), sorted(positions)
    for part in parts:
        opened = _opened(folder, part)
        for group in range(opened.metadata.num_row_groups):
            row_group = opened.metadata.row_group(group)
            if not (_among(row_group.column(0), wanted) or _among(row_group.column(1), single)):
                continue
            table = _read(folder, part, opened, group, ["place", "position", "leaf"])
            mask = pa.compute.is_in(table["place"], pa.array(wanted, pa.string()))
            if single:
                alone = pa.compute.is_in(table["position"], pa.array(single, pa.int64()))
                mask = pa.compute.or_(mask, alone)
            found = table.filter(mask)
            yield from zip(found["position"].to_pylist(), found["leaf"].to_pylist(), strict=True)


def everything(folder: Folder, parts: Iterable[Part]) -> Iterator[tuple[int, bytes]]:
    """(position, leaf) of whole parts."""
    for part in parts:
        opened = _opened(folder, part)
        for group in range(opened.metadata.num_row_groups):
            table = _read(folder, part, opened, group, ["position", "leaf"])
            yield from zip(table["position"].to_pylist(), table["leaf"].to_pylist(), strict=True)


def counts(folder: Folder, parts: Iterable[Part]) -> dict[str, int]:
    """Place → rows, of what befell its entries as well."""
    pa = arrow()
    found: dict[str, int] = {}
    for part in parts:
        opened = _opened(folder, part)
        for group in range(opened.metadata.num_row_groups):
            table = _read(folder, part, opened, group, ["place"])
            for one in pa.compute.value_counts(table["place"].combine_chunks()).to_pylist():
                found[one["values"]] = found.get(one["values"], 0) + one["counts"]
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
    from ledger.buckets.writing import schemas

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
        return pa.parquet.ParquetFile(folder.open(part.name))
    except pa.ArrowException as error:
        raise damaged(f"the part cannot be read ({_line(error)})", folder.path(part.name)) from None


def _read(folder: Folder, part: Part, opened: Any, group: int, columns: list[str]) -> Any:
    pa = arrow()
    try:
        return opened.read_row_group(group, columns=columns, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise damaged(f"the part cannot be read ({_line(error)})", folder.path(part.name)) from None


def _among(column: Any, wanted: list[Any]) -> bool:
    """Whether a column of a row group may hold one of some values, which are in order."""
    if not wanted:
        return False
    bounds = column.statistics
    if bounds is None or not bounds.has_min_max:
        return True
    at = bisect_left(wanted, bounds.min)
    return at < len(wanted) and bool(wanted[at] <= bounds.max)


def _line(error: Exception) -> str:
    return str(error).partition("\n")[0]
