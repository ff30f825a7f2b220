"""``claims show``: one entry whole."""

from __future__ import annotations

from typing import Any

from ledger.book import Ledger
from ledger.codec import Recorded
from ledger.commands import common
from ledger.commands import options as opt
from ledger.commands.summaries import summary
from ledger.life import Life, life


def show(
    entry: opt.EntryArgument,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Show an entry whole: its stamp, its fields as recorded and as corrected, its body, what befell it.

    ENTRY is an id, its beginning (six characters or more), or a position such as '#17'.
    """
    chosen = common.chosen_format(format, json)
    with common.open_ledger(db, readonly=True) as ledger:
        lived = life(ledger, _as_position(entry))
        answer = _answer(ledger, lived)
        lines = _lines(ledger, lived, answer)
    if chosen is common.Format.table:
        for line in lines:
            print(line)
    else:
        common.emit(answer, [answer], tuple(answer), chosen)


def _as_position(entry: str) -> str:
    """A bare number is a position, because a shell takes an unquoted ``#17`` for a comment."""
    return f"#{entry}" if entry.isascii() and entry.isdecimal() else entry


def _answer(ledger: Ledger, lived: Life) -> dict[str, Any]:
    one = lived.recorded
    row = ledger.store.row(one.position)
    return {
        "schema": "show/1",
        **_stamp(one),
        "stream": one.stream,
        "version": one.version,
        "leaf_hash": row.leaf_hash.hex() if row else None,
        "body_hash": one.body,
        "erased": lived.erased,
        "locked": lived.locked,
        "fields": one.data,
        "corrected": lived.data if lived.data != one.data else None,
        "body": lived.body,
        "befell": [
            {**_stamp(later), "fields": later.data, "body": ledger.body(later.position)}
            for later in lived.befell
        ],
    }


def _stamp(one: Recorded) -> dict[str, Any]:
    return {
        "entry": one.entry,
        "type": one.type,
        "position": one.position,
        "recorded": one.recorded,
        "actor": one.actor,
    }


def _lines(ledger: Ledger, lived: Life, answer: dict[str, Any]) -> list[str]:
    one, directory = lived.recorded, ledger.directory()
    lines = [
        f"#{one.position} {one.entry} {one.type}",
        summary(one, directory),
        _pair("recorded", f"{one.recorded}{f' by {one.actor}' if one.actor else ''}"),
        _pair("leaf", answer["leaf_hash"]),
    ]
    for name, value in one.data.items():
        now = lived.data.get(name)
        lines.append(_pair(name, value if now == value else f"{common.cell(value)} → {common.cell(now)}"))
    lines += [
        _pair(name, f"→ {common.cell(now)}") for name, now in lived.data.items() if name not in one.data
    ]
    if lived.erased:
        lines.append(_pair("body", "erased"))
    if lived.locked:
        lines.append(_pair("body", "encrypted, and its key is not here (CLAIMS_KEYS names the folder)"))
    for name, value in lived.body.items():
        lines.append(_pair(name.replace("_", " "), value))
    for later in lived.befell:
        words = summary(later, directory)
        reason = ledger.body(later.position).get("reason")
        lines.append(f"then #{later.position} {later.name}: {words}{f' ({reason})' if reason else ''}")
    return [common.cell(line) for line in lines]


def _pair(name: str, value: Any) -> str:
    return f"  {name}: {common.cell(value)}"
