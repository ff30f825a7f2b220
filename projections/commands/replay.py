"""``claims replay``: read the whole ledger again under a logic, and show what it changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ledger.book import Ledger
from ledger.buckets.folder import Folder
from ledger.commands import common
from ledger.errors import LedgerError, ReplayDue, Usage
from ledger.places import Location
from ledger.settings import setting
from projections import compare, promotion
from projections.commands import common as asking
from projections.commands.diff import names_of, show
from projections.desk import Desk
from projections.engine import Projection, Quarantined
from projections.registry import Loaded, installed, load, promoted

if TYPE_CHECKING:
    from projections.cluster.rebuild import Cluster


def replay(
    logic: asking.LogicOption = None,
    params: asking.ParamsOption = None,
    promote: Annotated[
        bool, typer.Option("--promote", help="Let it answer from now on; recorded in the ledger.")
    ] = False,
    rollback: Annotated[
        bool, typer.Option("--rollback", help="Let the logic before the live one answer again.")
    ] = False,
    engine: Annotated[
        str,
        typer.Option("--engine", help="Who does it: local, processes (of this machine) or dask."),
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDR",
            help="With --engine dask: its address, tcp://HOST:8786.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            max=256,
            help="With --engine processes: how many; one a core unless told.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FOLDER",
            help="What workers read: an export (`claims export --parquet`) in place of the ledger.",
            show_default=False,
        ),
    ] = None,
    share: Annotated[
        bool,
        typer.Option("--share", help="On a server: keep the view there, for all who may read the ledger."),
    ] = False,
    question: common.QuestionOption = "control",
    actor: Annotated[str | None, typer.Option("--actor", help="Who promotes it.", show_default=False)] = None,
    db: common.DbOption = None,
    format: common.FormatOption = None,
    json: common.JsonOption = False,
) -> None:
    """Build the views of a logic from the ledger's first event, and show which places and days are believed
    otherwise than under the live logic.

    --logic FILE.py replays a logic of your own beside the installed one, and the projections in it; a copy is
    kept, so that it can be asked for by name. Nothing is promoted without --promote: later questions use it
    where --logic names it. Interrupted, it goes on where it was. Events it cannot take are quarantined and
    listed with their position. --engine lets others do the work; what comes out is the same, byte for byte. --share
    keeps the view beside a ledger on a server; whoever has none yet takes it from there.
    """
    chosen = common.chosen_format(format, json)
    by = _others(engine, scheduler, workers, source)
    if rollback:
        if promote or logic or share:
            raise Usage(
                "--rollback stands alone",
                remedy="`claims replay --rollback`; `claims logic list` shows to what",
            )
        _roll_back(db, actor, chosen)
        return
    with asking.open_desk(db, logic or _live_spec(db), params) as desk:
        desk.views.cluster = by(desk.path)
        if share:
            _may_share(desk)
        desk.directory.question(question)
        loaded = desk.asked
        base = _base(desk)
        with desk.views.before(loaded) as old:
            view = desk.views.beliefs(loaded, desk.head, desk.directory, replay=True)
            if loaded.fingerprint != base.fingerprint:
                desk.views.beliefs(base, desk.head, desk.directory, replay=_stale(desk, base))
                answer = compare.between_logics(desk, base, loaded, question)
            else:
                answer = compare.between_logics(desk, base, loaded, question, old=old)
        if share:
            common.say(f"shared: {desk.views.share(loaded)}, up to #{desk.head}")
        if loaded.file is not None and loaded.logic not in installed():
            promotion.keep(loaded.file, loaded.logic.id, loaded.fingerprint)
        quarantined = [*desk.views.quarantined(), *view.quarantined()]
        folded: list[dict[str, Any]] = []
        for projection in loaded.projections:
            state, bad = _folded(desk, projection)
            quarantined += bad
            folded.append({"name": projection.name, "version": projection.version, "state": state})
        names = names_of(desk)
        head = desk.head
    answer = answer | {
        "schema": "replay/1",
        "events": answer["position"],
        "quarantined": [
            {"position": one.position, "entry": one.entry, "error": one.error} for one in quarantined
        ],
        "projections": folded,
        "promoted": None,
    }
    footing = [f"quarantined #{one.position} {one.entry[:14]}: {one.error}" for one in quarantined]
    footing += [f"{one['name']}@{one['version']}: {common.cell(one['state'])}" for one in folded]
    if promote:
        with common.open_ledger(db) as ledger:
            answer["promoted"] = _promote(ledger, loaded, head, answer["digest"], actor)
        footing.append(f"{loaded.logic.id} is live since #{answer['promoted']['position']}")
    heading = [f"replayed {answer['events']} events under {loaded.logic.id} {loaded.fingerprint[:8]}"]
    show(answer, names, chosen, heading=heading, footing=footing)


def _may_share(desk: Desk) -> None:
    """Before the work, and not after it."""
    if desk.views.shared is None:
        raise Usage(
            "the views of a file lie beside it",
            where="--share",
            remedy="leave it out, or `claims move` to a server",
        )
    desk.views.shared.check()


def _others(
    name: str, scheduler: str | None, workers: int | None, source: str | None
) -> Callable[[Location], Cluster | None]:
    """Who makes the views of a ledger, by where it lies; None where that is us."""
    if (name, scheduler, workers, source) == ("local", None, None, None):
        return lambda place: None
    from projections.cluster.engines import chosen_engine
    from projections.cluster.rebuild import Cluster

    engine = chosen_engine(name, scheduler, workers, source)
    folder = Folder(source) if source else None
    return lambda place: None if engine is None else Cluster(engine, place, folder)


def _promote(ledger: Ledger, loaded: Loaded, head: int, digest: str, actor: str | None) -> dict[str, Any]:
    logic = loaded.logic
    recorded = promotion.promote(
        ledger, logic.name, logic.version, loaded.fingerprint, head, digest, setting("actor", actor)
    )
    return loaded.to_dict() | {"position": recorded.position, "diff": digest}


def _roll_back(db: str | None, actor: str | None, chosen: common.Format) -> None:
    """One append; refused where the logic that would answer then is not here."""
    with common.open_ledger(db) as ledger:
        default = load()
        found = promotion.stack(promotion.history(ledger))
        if len(found) > 1:
            load(f"{found[-2].id}+{found[-2].fingerprint}")
        ends = default.logic.name, default.logic.version, default.fingerprint
        recorded = promotion.roll_back(ledger, ends, setting("actor", actor))
        before = found[-1]
    answer = {
        "schema": "rollback/1",
        "position": recorded.position,
        "from": {"name": before.logic, "version": before.version, "fingerprint": before.fingerprint[:16]},
        "to": {
            "name": recorded.data["logic"],
            "version": recorded.data["version"],
            "fingerprint": recorded.data["fingerprint"][:16],
        },
    }
    to = f"{recorded.data['logic']}@{recorded.data['version']}"
    rows = [{"position": recorded.position, "from": before.id, "to": to}]
    common.emit(answer, rows, ("position", "from", "to"), chosen)


def _live_spec(db: str | None) -> str | None:
    """What to replay where nothing is named: the live logic, in the code that is here now."""
    if setting("logic") is not None:
        return None
    with common.open_ledger(db, readonly=True) as ledger:
        one = promotion.live(ledger)
    return one.id if one else None


def _base(desk: Desk) -> Loaded:
    """What a replayed logic is compared with: the live one; the default where its code is not here."""
    try:
        return promoted(desk.ledger) or load()
    except ReplayDue as error:
        common.say(f"note: compared with the default: {error}")
        return load()


def _folded(desk: Desk, projection: Projection[Any]) -> tuple[object, list[Quarantined]]:
    """The state of a user's projection. What its code raises outside of a handler is a mistake of the file."""
    try:
        return desk.views.folded(projection, desk.head, desk.asked.file, replay=True)
    except LedgerError:
        raise
    except Exception as error:
        raise Usage(
            f"{projection.id} cannot be folded and kept: {type(error).__name__}: {error}",
            where=str(desk.asked.file),
            remedy="A state is JSON values, or give the Projection a save and a load",
        ) from None


def _stale(desk: Any, base: Any) -> bool:
    made = [one.fingerprint for one in desk.views.stamps() if one.logic == base.logic.id]
    return bool(made) and base.fingerprint not in made
