"""What must hold before an event may be recorded: everything it names exists, and it fits its target.

Pure: the ledger hands in the directory and a way to look at earlier entries. Each refusal says what is
wrong and what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from pydantic import ValidationError

from ledger import events as ev
from ledger.clocks import span
from ledger.directory import CONTESTED, Directory
from ledger.effective import apply_changes
from ledger.errors import BadDate, BadEvent, Conflict, UnknownName

#: (event name, effective data) of an entry id, or None where there is none.
Lookup = Callable[[str], "tuple[str, dict[str, Any]] | None"]


def check(event: ev.Event, directory: Directory, lookup: Lookup) -> None:
    """Raise ``UnknownName``, ``BadDate``, ``BadEvent`` or ``Conflict`` unless ``event`` may be recorded."""
    _check_names(event, directory)
    _check_clocks(event)
    _check_coordinates(event)
    specific = _CHECKS.get(type(event))
    if specific is not None:
        specific(event, directory, lookup)


def explain_validation(error: ValidationError) -> str:
    """Pydantic's complaints in one line: ``field: what`` joined by semicolons."""
    parts = []
    for one in error.errors(include_url=False, include_context=False):
        field = ".".join(str(part) for part in one["loc"]) or "event"
        message = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            message = "no such field"
        elif one["type"] == "string_pattern_mismatch" and isinstance(one.get("input"), str):
            message = f"{one['input']!r} is not of the right form"
        parts.append(f"{field}: {message}")
    return "; ".join(parts)


def _check_names(event: ev.Event, directory: Directory) -> None:
    registering = isinstance(event, ev.PlaceRegistered | ev.SourceRegistered)
    told = vars(event)  # asking an event itself for a field that its type lacks takes a hundred times as long
    place = told.get("place")
    if place is not None and not isinstance(event, ev.PlaceRegistered):
        _known(place, directory.places, "place", "claims place")
    for name in ("claimant", "source"):
        source = told.get(name)
        if source is not None and not isinstance(event, ev.SourceRegistered):
            _known(source, directory.sources, "source", "claims source")
    for source in told.get("via", ()):
        _known(source, directory.sources, "source", "claims source")
    parent = told.get("parent")
    if parent is not None:
        _known(parent, directory.places, "place", "claims place")
    side = told.get("side")
    if side is not None and side not in directory.parties:
        raise UnknownName(f"no party {side!r}", remedy=f"name it first: `claims party {side}`")
    if registering:
        return
    question, state = told.get("question"), told.get("state")
    if question is not None and not isinstance(event, ev.QuestionOpened):
        asked = directory.question(question)
        if state is not None and state not in asked.states:
            raise UnknownName(
                f"no state {state!r} of the question {question!r}",
                remedy=f"States: {', '.join(asked.states)}",
            )


def _known(name: str, registered: dict[str, Any], what: str, command: str) -> None:
    if name not in registered:
        raise UnknownName(f"no {what} with the id {name!r}", remedy=f"register it first: `{command} {name}`")


def _check_clocks(event: ev.Event) -> None:
    told = vars(event)
    said, published = told.get("said"), told.get("published")
    for clock in ("said", "published", "ruled"):
        text = told.get(clock)
        if text and span(text).hi is None:
            raise BadDate(
                f"{clock} {text} has no end", remedy="write the latest day on which it may have been"
            )
    if said and published:
        first, last = span(said).lo, span(published).hi
        if first is not None and last is not None and first > last:
            raise BadDate(
                f"said {said} lies after published {published}",
                remedy="one of the two is wrong: nothing is published before it is said",
            )


def _check_coordinates(event: ev.Event) -> None:
    for name, most in (("lat", 90), ("lon", 180)):
        value = vars(event).get(name)
        if value is not None and abs(float(value)) > most:
            raise BadEvent(f"{name} {value} lies outside -{most} to {most}", remedy="degrees, latitude first")


def _check_party(event: ev.Event, _: Directory, __: Lookup) -> None:
    party = cast(ev.PartyNamed, event).party
    if party.casefold() in _NO_PARTY or party.startswith("not-"):
        raise BadEvent(f"{party!r} cannot name a party: it means something else already")


#: Words of the command line and of answers that a party's id would be taken for.
_NO_PARTY = (CONTESTED, "unknown", "none")


def _check_targets(event: ev.Event, _: Directory, lookup: Lookup) -> None:
    target = vars(event).get("target")
    if target is not None:
        _target(target, lookup)
    for leaned_on in vars(event).get("based_on", ()):
        name, _data = _target(leaned_on, lookup)
        if name != "evidence-reported":
            raise BadEvent(f"based_on {leaned_on} is a {name}, not evidence")


def _target(entry: str, lookup: Lookup) -> tuple[str, dict[str, Any]]:
    found = lookup(entry)
    if found is None:
        raise UnknownName(f"no entry {entry!r}", remedy="`claims log` lists the ids")
    return found


def _check_correction(event: ev.Event, directory: Directory, lookup: Lookup) -> None:
    correction = cast(ev.EntryCorrected, event)
    name, data = _target(correction.target, lookup)
    fixed = {"key"} | {field for field in ("party", "question", "ledger") if name.startswith(field)}
    if name in ("place-registered", "source-registered"):
        fixed.add(name.partition("-")[0])
    for field in correction.changes:
        if field in fixed:
            raise BadEvent(f"{field} of a {name} can't be corrected", remedy="record a new entry instead")
    corrected = apply_changes(data, correction.changes)
    try:
        repaired = ev.BY_NAME[name].model_validate(corrected)
    except ValidationError as error:
        raise BadEvent(f"the corrected {name} would not be valid: {explain_validation(error)}") from None
    _check_names(repaired, directory)
    _check_clocks(repaired)
    _check_coordinates(repaired)


def _check_retraction(event: ev.Event, directory: Directory, lookup: Lookup) -> None:
    retraction = cast(ev.EntryRetracted, event)
    name, data = _target(retraction.target, lookup)
    if ev.BY_NAME[name].REGISTRY:
        raise BadEvent(f"a {name} has no author who could take it back", remedy="correct it instead")
    author = data.get("claimant") or data.get("source") or data.get("by")
    if author is None:
        raise BadEvent(f"a {name} has no author who could take it back", remedy="correct it instead")
    if directory.source_id(author) != directory.source_id(retraction.source):
        raise Conflict(
            f"{retraction.source} did not say {retraction.target} ({author} did)",
            remedy="what another says against it is a denial: `claims append … --act denies --target`",
        )


def _needs(kind: str, what: str) -> Callable[[ev.Event, Directory, Lookup], None]:
    def check_target(event: ev.Event, _: Directory, lookup: Lookup) -> None:
        target = cast(Any, event).target
        name, _data = _target(target, lookup)
        if name != kind:
            raise BadEvent(f"{target} is a {name}, not {what}")

    return check_target


def _check_ruling(event: ev.Event, _: Directory, lookup: Lookup) -> None:
    ruling = cast(ev.ClaimAdjudicated, event)
    _needs("claim-reported", "a claim")(event, _, lookup)
    _name, data = _target(ruling.target, lookup)
    if ruling.verdict != "unverifiable" and data.get("state") is None:
        raise BadEvent(f"{ruling.target} states nothing of a place", remedy="rule on the evidence it doubts")


def _check_merge(event: ev.Event, directory: Directory, _: Lookup) -> None:
    if isinstance(event, ev.PlaceMerged):
        _known(event.into, directory.places, "place", "claims place")
        old, into = directory.place_id(event.place), directory.place_id(event.into)
    else:
        merged = cast(ev.SourceMerged, event)
        _known(merged.into, directory.sources, "source", "claims source")
        old, into = directory.source_id(merged.source), directory.source_id(merged.into)
    if old == into:
        raise Conflict(f"{old} and {into} are one already", remedy="there is nothing to merge")


def _check_link(event: ev.Event, directory: Directory, _: Lookup) -> None:
    for source in cast(ev.SourcesLinked, event).sources:
        _known(source, directory.sources, "source", "claims source")


_CHECKS: dict[type[ev.Event], Callable[[ev.Event, Directory, Lookup], None]] = {
    ev.PartyNamed: _check_party,
    ev.ClaimReported: _check_targets,
    ev.EvidenceReported: _check_targets,
    ev.EvidenceVoided: _needs("evidence-reported", "evidence"),
    ev.EntryCorrected: _check_correction,
    ev.EntryRetracted: _check_retraction,
    ev.ClaimAdjudicated: _check_ruling,
    ev.EntryRedacted: _check_targets,
    ev.PlaceMerged: _check_merge,
    ev.SourceMerged: _check_merge,
    ev.SourcesLinked: _check_link,
}
