"""How a logic hears each source: what it assumes of its kind, or what it has learnt of itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from ledger.clocks import instant_text
from projections.belief.base import jsonable
from projections.belief.labels import NOTHING, Label, States, Table
from projections.belief.voices import Voice, assumed
from projections.case import states_of
from projections.desk import Desk


def voices(desk: Desk, question: str, known: int, sources: list[str] | None = None) -> dict[str, Any]:
    """Every source, or some, as the desk's logic hears it by a moment (schema ``voices/1``).

    ``says`` and ``shows`` map each label to its probability under each state; ``learnt`` tells which of the two was
    learnt of the source itself, and is not only that of its group.
    """
    logic, states = desk.loaded.logic, states_of(desk.directory, question)
    estimate = logic.learnt.by(question, known) if logic.learnt else None
    rows = []
    living = [one for one in sorted(desk.directory.sources) if desk.directory.source_id(one) == one]
    for source in living if sources is None else sources:
        side = desk.directory.sources[source].side
        relation = states.parties.index(side) if side in states.parties else None
        if estimate is None:
            voice = assumed(states, relation, logic.params)
        else:
            voice = estimate.voice(states, source, relation)
        rows.append(
            {
                "source": source,
                "name": desk.directory.sources[source].name,
                "side": side,
                "learnt": {
                    "says": estimate is not None and source in estimate.spoken,
                    "shows": estimate is not None and source in estimate.shown,
                },
                **_told(voice, states),
            }
        )
    header = desk.header("voices/1") | {"question": question, "as_of": instant_text(known)}
    header["learnt_before"] = instant_text(estimate.known) if estimate else None
    header["learnt_at"] = estimate.position if estimate else None
    header["temperature"] = estimate.temperature if estimate else 1.0
    return header | {"voices": rows}


def _told(voice: Voice, states: States) -> dict[str, Any]:
    return {
        "copies": jsonable(voice.copy_rate),
        "looks_again": jsonable(voice.standing_rate),
        "says": _shares(voice.spoken, states),
        "shows": _shares(voice.shown, states),
    }


def _shares(table: Table, states: States) -> dict[str, dict[str, float]]:
    """Label → state → how much of what such a source says under it is heard as just that, tempered."""
    return {
        _named(label, states): jsonable(dict(zip(states.names, np.exp(logs).tolist(), strict=True)))
        for label, logs in table.items()
    }


def _named(label: Label, states: States) -> str:
    if label == NOTHING:
        return "nothing"
    name = states.names[label.state]
    return {"is": name, "not": f"not-{name}", "part": f"part-{name}"}[label.kind]
