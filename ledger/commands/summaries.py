"""One line for people on what an event says. Names instead of ids where the directory has them."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.codec import Recorded
from ledger.commands.common import cell
from ledger.directory import Directory

_CLOCKS = ("valid", "said", "published", "ruled")
_TOLD = {"claim-reported", "display-observed", "claim-withdrawn", "evidence-reported", "state-ruled"}


def summary(recorded: Recorded, directory: Directory) -> str:
    """What the event says, dates last."""
    data = recorded.data
    parts = _told(recorded, directory) if recorded.name in _TOLD else _plain(recorded)
    return ", ".join([" ".join(filter(None, parts)), *_dates(data)]).strip(", ")


def _told(recorded: Recorded, directory: Directory) -> list[str]:
    """Events that speak of a place: who, through whom, what, where."""
    data = recorded.data
    speaker = data.get("claimant") or data.get("source") or data.get("by") or ""
    chain = [_source(directory, one) for one in (speaker, *data.get("via", ())) if one]
    place = data.get("place")
    verb = {
        "claim-reported": f"{data.get('act', 'asserts')}{' (standing)' if data.get('standing') else ''}",
        "display-observed": "unchanged",
        "claim-withdrawn": "withdrawn",
        "evidence-reported": data.get("kind", "footage"),
        "state-ruled": "ruled",
    }[recorded.name]
    state = data.get("state", "")
    part = " in part" if recorded.name == "claim-reported" and data.get("extent") == "part" else ""
    return [
        f"{' ← '.join(chain)}:" if chain else "",
        verb,
        _place(directory, place) if place else "(all)",
        f"{'not-' if data.get('negated') else ''}{state}{part}",
        f"({data['question']})" if "question" in data else "",
        f"→ {data['target'][:14]}" if "target" in data else "",
    ]


def _plain(recorded: Recorded) -> list[str]:
    """The fields themselves, without what the entry's id says already."""
    parts = []
    for name, value in recorded.data.items():
        if name in (*_CLOCKS, "key", "target") or recorded.stream == f"{name}:{value}":
            continue
        if isinstance(value, dict):
            value = ", ".join(f"{field} := {cell(new)}".rstrip() for field, new in value.items())
        parts.append(f"{name} {cell(value)}")
    return ["; ".join(parts)]


def _dates(data: Mapping[str, str]) -> list[str]:
    return [f"{clock} {data[clock]}" for clock in _CLOCKS if clock in data]


def _place(directory: Directory, id: str) -> str:
    place = directory.places.get(id)
    return place.name if place else id


def _source(directory: Directory, id: str) -> str:
    source = directory.sources.get(id)
    return source.name if source else id
