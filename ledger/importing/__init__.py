"""Bringing files into a ledger: JSONL in its own line format, or CSV and JSONL through a map.

    records, translator = prepare("towns.csv", map_file="wikipedia_22towns")
    with records:
        tally = import_file(ledger, records, translator, register=True)

``prepare`` raises ``Usage`` for what cannot be read and ``BadMap`` for a map that does not fit;
``import_file`` returns a ``Tally`` in which every row is accounted for.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from ledger.errors import Usage
from ledger.importing.by_line import LineTranslator
from ledger.importing.by_map import MapTranslator
from ledger.importing.lines import Caps, Reject
from ledger.importing.maps import Map, parse
from ledger.importing.reading import Kind, Record, Records, guess_kind, open_records
from ledger.importing.run import Interrupted, RejectedRow, Tally, Translator, import_file
from ledger.importing.shelf import load, shipped

__all__ = [
    "Caps",
    "Interrupted",
    "LineTranslator",
    "Map",
    "MapTranslator",
    "Record",
    "Records",
    "Reject",
    "RejectedRow",
    "Tally",
    "Translator",
    "guess_kind",
    "import_file",
    "load",
    "open_records",
    "parse",
    "prepare",
    "shipped",
]

_DEFAULT_CAPS = Caps()


def prepare(
    source: str | Path | BinaryIO,
    *,
    kind: Kind | None = None,
    map_file: str | Path | Map | None = None,
    name: str | None = None,
    caps: Caps = _DEFAULT_CAPS,
) -> tuple[Records, MapTranslator | LineTranslator]:
    """Open an input and fit a map to it.

    ``source`` is a path, ``-`` for standard input, or a binary stream. ``kind`` defaults to what the name or
    the map suggests; ``map_file`` is a path, a shipped map's name, or a map. Without one, JSONL is read in
    the ledger's own format. Raises ``Usage`` and ``BadMap``.
    """
    rules = map_file if isinstance(map_file, Map) or map_file is None else load(map_file)
    chosen = kind or guess_kind(source if isinstance(source, str | Path) else "-", mapped=rules is not None)
    if rules is None and chosen == "csv":
        known = ", ".join(shipped())
        raise Usage("a CSV needs a map", where=str(name or source), remedy=f"--map FILE, or one of: {known}")
    delimiter = rules.delimiter if rules is not None else ","
    records = open_records(source, chosen, name=name, delimiter=delimiter, caps=caps)
    if rules is None:
        return records, LineTranslator()
    where = "map" if isinstance(map_file, Map) else str(map_file)
    try:
        return records, MapTranslator(rules, columns=records.columns, where=where)
    except BaseException:
        records.close()
        raise
