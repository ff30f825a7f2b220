"""Rows of a table to drafts by a map: names looked up, newcomers registered, displays compared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from ledger import rules
from ledger.book import Draft
from ledger.clocks import instant_key, span
from ledger.directory import Directory
from ledger.errors import BadEvent, LedgerError
from ledger.importing import standing
from ledger.importing.displays import Displays
from ledger.importing.mapping import MappedRow, Mapper, Ref
from ledger.importing.maps import Map
from ledger.importing.naming import Naming
from ledger.importing.reading import Raw
from ledger.importing.run import BAD_ROW, Desk, Item

_CHAIN = " ← "
_Mapped = tuple[int, Raw, MappedRow]


class MapTranslator:
    """Rows by a map. ``columns`` are the input's, where it has a header: ``BadMap`` where one is missing."""

    def __init__(self, rules: Map, *, columns: Iterable[str] | None = None, where: str = "map") -> None:
        if columns is not None:
            rules.check_columns(columns, where)
        self._map = rules
        self._mapper = Mapper(rules)
        self._displays: Displays | None = None
        self._days: set[tuple[str, str, int | None]] = set()

    def begin(self, desk: Desk) -> None:
        if self._map.standing:
            self._displays = Displays(desk.ledger, flip_back_hours=self._map.list_rules.flip_back_hours)
        for party, names in self._map.register_as.get("party", {}).items() if desk.register else ():
            if party not in desk.directory.parties:
                draft = Draft.of("party-named", {"party": party, "name": names[0] if names else None})
                desk.add(Item(0, {}, draft, registers=True))

    def take(self, rows: Sequence[tuple[int, Raw]], desk: Desk) -> None:
        mapped: list[_Mapped] = []
        for line, raw in rows:
            try:
                row = self._mapper.row(raw)
            except BAD_ROW as error:
                desk.reject(line, error, raw)
                continue
            if row is None:
                desk.tally.skipped += 1
            else:
                mapped.append((line, raw, row))
        naming = Naming(desk.directory)
        if desk.register:
            mapped = self._register(mapped, naming, desk)
            naming = Naming(desk.directory)
        for line, raw, row in mapped:
            try:
                self._draft(line, raw, row, naming, desk)
            except BAD_ROW as error:
                desk.reject(line, error, raw)

    def _register(self, rows: list[_Mapped], naming: Naming, desk: Desk) -> list[_Mapped]:
        """Make known what the rows name and the ledger does not know; the rows that still make sense."""
        kept: list[_Mapped] = []
        coming: set[tuple[bool, str]] = set()
        failed: dict[tuple[bool, str], LedgerError] = {}
        for line, raw, row in rows:
            try:
                for ref in row.refs:
                    newcomer = ref.newcomer
                    if newcomer is None or _thing(ref) in coming or naming.is_known(ref):
                        continue
                    draft = naming.registration(ref, newcomer)
                    refused = partial(failed.__setitem__, _thing(ref))
                    desk.add(Item(line, raw, draft, registers=True, refused=refused))
                    coming.add(_thing(ref))
            except BAD_ROW as error:
                desk.reject(line, error, raw)
            else:
                kept.append((line, raw, row))
        desk.flush()
        return [one for one in kept if not self._failed(one, failed, desk)]

    def _failed(self, one: _Mapped, failed: dict[tuple[bool, str], LedgerError], desk: Desk) -> bool:
        line, raw, row = one
        errors = [failed[_thing(ref)] for ref in row.refs if _thing(ref) in failed]
        if errors:
            desk.reject(line, errors[0], raw)
        return bool(errors)

    # -- drafts ------------------------------------------------------------------------------------

    def _draft(self, line: int, raw: Raw, row: MappedRow, naming: Naming, desk: Desk) -> None:
        fields, body = _resolved(row, naming)
        if self._displays is not None:
            self._draft_standing(line, raw, _seen(row, fields, body, naming.directory), desk)
        elif row.act == "withdraws":
            desk.add(Item(line, raw, Draft.of("claim-withdrawn", _withdrawing(fields), body)))
        else:
            desk.add(Item(line, raw, Draft.of("claim-reported", {**fields, "act": row.act}, body)))

    def _draft_standing(self, line: int, raw: Raw, seen: standing.Row, desk: Desk) -> None:
        assert self._displays is not None
        decision = self._displays.decide(seen)
        if decision.draft is None:
            desk.tally.unchanged += 1
        else:
            displays, key = self._displays, (seen.source, seen.place, seen.question)
            desk.add(Item(line, raw, decision.draft, refused=lambda _: displays.forget(*key)))
        if self._map.list_rules.observe_whole:
            self._observe_whole(line, raw, seen, desk)

    def _observe_whole(self, line: int, raw: Raw, seen: standing.Row, desk: Desk) -> None:
        day = (seen.source, seen.question, span(seen.published).hi)
        if day not in self._days:
            self._days.add(day)
            draft = standing.whole_observed(seen.source, seen.question, seen.via, seen.published)
            desk.add(Item(line, raw, draft))


def _thing(ref: Ref) -> tuple[bool, str]:
    """What a reference would be registered as: whether it is a place, and the id."""
    return ref.is_place, ref.newcomer.id if ref.newcomer else ref.text


def _resolved(row: MappedRow, naming: Naming) -> tuple[dict[str, Any], dict[str, Any]]:
    """Author fields with ids for names, and the body with what was written for each."""
    fields, written = dict(row.fields), dict(row.written)
    for name, ref in (("place", row.place), ("claimant", row.claimant)):
        fields[name] = naming.find(ref)
        if ref.written and ref.written != fields[name]:
            written[name] = ref.written[:400]
    fields["via"] = tuple(naming.find(ref) for ref in row.via)
    if any(ref.written and ref.written != id for ref, id in zip(row.via, fields["via"], strict=True)):
        written["via"] = _CHAIN.join(_as_written(ref) for ref in row.via)[:400]
    state = fields.get("state")
    if state is not None:
        fields["state"] = naming.directory.resolve_state(fields.get("question", "control"), state)
        if fields["state"] != state:
            written.setdefault("state", state)
    return fields, {**row.body, **({"as_written": written} if written else {})}


def _as_written(ref: Ref) -> str:
    return ref.written or ref.text


def _withdrawing(fields: dict[str, Any]) -> dict[str, Any]:
    """The author fields of a withdrawal: it says of no state."""
    kept = ("via", "question", "place", "valid", "said", "published", "key")
    return {"source": fields["claimant"], **{name: fields[name] for name in kept if name in fields}}


def _seen(row: MappedRow, fields: dict[str, Any], body: dict[str, Any], directory: Directory) -> standing.Row:
    """A row of a display. All that can be wrong with it alone is found here, before it is compared: a row
    that is refused later must not count as shown."""
    if row.act not in ("asserts", "withdraws"):
        raise BadEvent(f"act: a display asserts or withdraws, it cannot be that it {row.act}")
    if "published" not in fields:
        raise BadEvent("published is missing: when was the display seen?")
    at = instant_key(fields["published"])
    if row.act == "withdraws":
        draft = Draft.of("claim-withdrawn", _withdrawing(fields), body)
    else:
        draft = Draft.of("claim-reported", {**fields, "standing": True}, body)
    rules.check(draft.event, directory, lambda _: None)
    event: Any = draft.event
    shown = None
    if row.act == "asserts":
        shown = standing.Shown(event.state, event.extent, event.share, event.negated)
    return standing.Row(
        source=fields["claimant"],
        place=fields["place"],
        question=event.question,
        via=event.via,
        shown=shown,
        valid=event.valid,
        published=event.published,
        at=at,
        said=event.said,
        valid_kind=getattr(event, "valid_kind", "at"),
        body=tuple(body.items()),
    )
