"""``claims replay``: read the whole ledger again under a logic, and show what it changes."""

from __future__ import annotations

from typing import Any

from ledger.commands import common
from ledger.errors import LedgerError, Usage
from projections import compare
from projections.commands import common as asking
from projections.commands.diff import names_of, show
from projections.desk import Desk
from projections.engine import Projection, Quarantined
from projections.registry import load


def replay(
    logic: asking.LogicOption = None,
    question: common.QuestionOption = "control",
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Build the views of a logic from the ledger's first event, and show which places and days are believed
    otherwise than before.

    --logic FILE.py replays a logic of your own beside the installed one, and the projections in it. Nothing
    is promoted: later questions use it where --logic names it. Events it cannot take are quarantined and
    listed with their position.
    """
    chosen = common.chosen_format(format, json)
    with asking.open_desk(db, logic) as desk:
        desk.directory.question(question)
        loaded = desk.loaded
        with desk.views.before(loaded) as old:
            view = desk.views.beliefs(loaded, desk.head, desk.directory, replay=True)
            base = load()
            if loaded.logic.id != base.logic.id:
                desk.views.beliefs(base, desk.head, desk.directory, replay=_stale(desk, base))
                answer = compare.between_logics(desk, base, loaded, question)
            else:
                answer = compare.between_logics(desk, base, loaded, question, old=old)
        quarantined = [*desk.views.quarantined(), *view.quarantined()]
        folded: list[dict[str, Any]] = []
        for projection in loaded.projections:
            state, bad = _folded(desk, projection)
            quarantined += bad
            folded.append({"name": projection.name, "version": projection.version, "state": state})
        names = names_of(desk)
    answer = answer | {
        "schema": "replay/1",
        "events": answer["position"],
        "quarantined": [
            {"position": one.position, "entry": one.entry, "error": one.error} for one in quarantined
        ],
        "projections": folded,
    }
    footing = [f"quarantined #{one.position} {one.entry[:14]}: {one.error}" for one in quarantined]
    footing += [f"{one['name']}@{one['version']}: {common.cell(one['state'])}" for one in folded]
    heading = [f"replayed {answer['events']} events under {loaded.logic.id} {loaded.fingerprint[:8]}"]
    show(answer, names, chosen, heading=heading, footing=footing)


def _folded(desk: Desk, projection: Projection[Any]) -> tuple[object, list[Quarantined]]:
    """The state of a user's projection. What its code raises outside of a handler is a mistake of the file."""
    try:
        return desk.views.folded(projection, desk.head, desk.loaded.file, replay=True)
    except LedgerError:
        raise
    except Exception as error:
        raise Usage(
            f"{projection.id} cannot be folded and kept: {type(error).__name__}: {error}",
            where=str(desk.loaded.file),
            remedy="A state is JSON values, or give the Projection a save and a load",
        ) from None


def _stale(desk: Any, base: Any) -> bool:
    stamp = desk.views.stamps().get(base.logic.id)
    return stamp is not None and stamp.fingerprint != base.fingerprint
