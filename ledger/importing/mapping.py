"""From a raw row to the author fields of an event, by the rules of a map. Pure; knows no ledger.

Whatever a table of values or a date format turns into something else is kept as it was written, in the
body. A row that the map cannot read raises; a row that the map leaves out gives None.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from ledger.clocks import normalise, parse_formats, resolve_relative
from ledger.errors import BadDate, BadEvent
from ledger.importing.maps import Map, fill, placeholders
from ledger.importing.terms import ACTS, BODY, DATES, LISTS, SLUG, near
from ledger.text import visible

_LONGEST_LINE = 400  # of what is kept as written
_LONGEST_SLUG = 60
_REMEMBERED = 1 << 14


@dataclass(frozen=True, slots=True)
class Newcomer:
    """How a place or source is to be registered should the ledger not know it.

    ``sure`` says that the file gives the id itself; otherwise the name has to lead to it.
    """

    id: str
    names: tuple[str, ...]
    fields: dict[str, Any] = field(compare=False)
    sure: bool


@dataclass(frozen=True, slots=True)
class Ref:
    """A place or source as a row names it. ``written`` is what stands in the file, None for a constant."""

    field: str
    text: str
    written: str | None
    newcomer: Newcomer | None = None

    @property
    def is_place(self) -> bool:
        return self.field == "place"


@dataclass(frozen=True, slots=True)
class MappedRow:
    """A row after mapping: names not yet looked up, everything else normal."""

    act: str
    place: Ref
    claimant: Ref
    via: tuple[Ref, ...]
    fields: dict[str, Any]
    body: dict[str, Any]
    written: dict[str, str]

    @property
    def refs(self) -> tuple[Ref, ...]:
        return (self.place, self.claimant, *self.via)


@dataclass(slots=True)
class _Reading:
    """One row while it is being read."""

    raw: dict[str, Any]
    cells: dict[str, str]
    fields: dict[str, Any] = field(default_factory=dict)
    written: dict[str, str] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)  # fields that a table of values named explicitly


class Mapper:
    """Applies one map to row after row."""

    def __init__(self, rules: Map) -> None:
        self.rules = rules
        self._columns = sorted({column for _, column in rules.used_columns()})
        later = [name for name, rule in rules.dates.items() if rule.relative_to]
        single = [name for name in rules.fields if name not in LISTS]
        self._order = [name for name in single if name not in later] + [n for n in later if n in single]
        self._dates: dict[tuple[str, str, str], str] = {}
        self._newcomers: dict[tuple[str | None, ...], Newcomer | None] = {}
        self._asked = {
            kind: sorted(
                {c for texts in fields.values() for t in texts for c in placeholders(t) if c != SLUG}
            )
            for kind, fields in rules.register_as.items()
        }

    def row(self, raw: dict[str, Any]) -> MappedRow | None:
        """The row as the map reads it; None where the map leaves it out.

        Raises ``BadEvent`` or ``BadDate``, naming the field and what is wrong with it.
        """
        lists = self.rules.columns.get("via", ())
        reading = _Reading(raw, {c: _text(c, raw.get(c), listed=c in lists) for c in self._columns})
        if any(rule.fits(reading.cells[column]) for column, rule in self.rules.skip.items()):
            return None
        for column, rule in self.rules.require.items():
            if not rule.fits(reading.cells[column]):
                shown = visible(reading.cells[column][:80], keep_newlines=False)
                raise BadEvent(f"{column} is {shown!r}, the map insists on {rule.matches}")
        for name in self._order:
            self._single(reading, name)
        return self._finish(reading)

    # -- fields ------------------------------------------------------------------------------------

    def _single(self, reading: _Reading, name: str) -> None:
        constant = self.rules.constants.get(name)
        if constant is not None:
            if constant and constant[0]:
                reading.fields[name] = normalise(constant[0]) if name in DATES else constant[0]
            return
        written = self._written(reading, name)
        normal = self._by_table(reading, name, written)
        if normal and name in DATES:
            normal = self._date(reading, name, normal)
        if normal:
            reading.fields[name] = normal
        if written and normal != written and name not in BODY:
            reading.written[name] = _one_line(written)

    def _written(self, reading: _Reading, name: str) -> str:
        if name in self.rules.templates:
            return fill(self.rules.templates[name], reading.cells)
        return reading.cells[self.rules.columns[name][0]]

    def _by_table(self, reading: _Reading, name: str, written: str) -> str:
        table = self.rules.values.get(name)
        if table is None or (not written and "" not in table):
            return written
        if written in table and written != "*":
            reading.known.add(name)
            return table[written]
        if "*" in table:
            return written if table["*"] == "*" else table["*"]
        known = [value for value in table if value]
        raise BadEvent(
            f"{name}: {_shown(written)} is not in [values.{name}]",
            remedy=f"{near(written, known)}Known: {', '.join(known)}",
        )

    def _date(self, reading: _Reading, name: str, written: str) -> str:
        rule = self.rules.dates.get(name)
        against = str(reading.fields.get(rule.relative_to, "")) if rule and rule.relative_to else ""
        found = self._dates.get((name, written, against))
        if found is None:
            try:
                found = _read_date(written, rule.formats if rule else (), against)
            except BadDate as error:
                raise BadDate(f"{name}: {error.what}", remedy=error.remedy) from None
            if len(self._dates) >= _REMEMBERED:
                self._dates.clear()
            self._dates[(name, written, against)] = found
        return found

    # -- putting together --------------------------------------------------------------------------

    def _finish(self, reading: _Reading) -> MappedRow:
        fields = reading.fields
        act = fields.pop("act", "asserts")
        if act not in ACTS:
            raise BadEvent(f"act: {_shown(act)} is none of {', '.join(ACTS)}")
        place, claimant = self._ref(reading, "place"), self._ref(reading, "claimant")
        via = tuple(self._carriers(reading))
        body = {name: fields.pop(name) for name in BODY if name in fields}
        for name in ("place", "claimant"):
            fields.pop(name, None)
            reading.written.pop(name, None)
        return MappedRow(act, place, claimant, via, fields, body, reading.written)

    def _ref(self, reading: _Reading, name: str) -> Ref:
        text = reading.fields.get(name, "")
        constant = name in self.rules.constants
        written = text if constant else self._written(reading, name)
        kind = "place" if name == "place" else "source"
        newcomer = self._newcomer(reading, kind, written, text if name in reading.known else None)
        if newcomer is not None and newcomer.sure:
            text = newcomer.id
        if not text:
            where = "" if constant else f" ({_origin(self.rules, name)} is empty)"
            raise BadEvent(f"{name} is missing{where}")
        return Ref(name, text, None if constant else written, newcomer)

    def _carriers(self, reading: _Reading) -> list[Ref]:
        refs = []
        for name in self._via(reading):
            normal = self._by_table(reading, "via", name)
            if normal:
                constant = "via" in self.rules.constants
                newcomer = self._newcomer(reading, "via", normal, None)
                text = newcomer.id if newcomer is not None and newcomer.sure else normal
                refs.append(Ref("via", text, None if constant else name, newcomer))
        return refs

    def _via(self, reading: _Reading) -> list[str]:
        """The carriers a row names, from the claimant outward."""
        if "via" in self.rules.constants:
            return list(self.rules.constants["via"])
        cells: list[str] = []
        for column in self.rules.columns.get("via", ()):
            value = reading.raw.get(column)
            cells += value if isinstance(value, list) else [reading.cells[column]]
        if "via" in self.rules.templates:
            cells = [fill(self.rules.templates["via"], reading.cells)]
        parts = self.rules.split.get("via")
        names = [name for cell in cells for name in (cell.split(parts) if parts else (cell,))]
        return [name.strip() for name in names if name.strip()]

    # -- what may have to be registered ------------------------------------------------------------

    def _newcomer(self, reading: _Reading, kind: str, name: str, mapped: str | None) -> Newcomer | None:
        tables = self.rules.register_as.get(kind)
        if tables is None:
            return None
        key = (kind, name, mapped, *(reading.cells[column] for column in self._asked[kind]))
        if key not in self._newcomers:
            if len(self._newcomers) >= _REMEMBERED:
                self._newcomers.clear()
            self._newcomers[key] = self._make_newcomer(tables, reading, kind, name, mapped)
        return self._newcomers[key]

    def _make_newcomer(
        self, tables: dict[str, Any], reading: _Reading, kind: str, name: str, mapped: str | None
    ) -> Newcomer | None:
        cells = {**reading.cells, SLUG: slug(name)} if name else reading.cells
        filled = {
            field: tuple(text for template in templates if (text := fill(template, cells)))
            for field, templates in tables.items()
        }
        names = filled.pop("names", ()) or ((name,) if name else ())
        ids = filled.pop("id", ())
        aliases = filled.pop("aliases", ())
        fields: dict[str, Any] = {key: texts[0] for key, texts in filled.items() if texts}
        for field_name in ("kind", "side") if kind != "place" else ():
            if any(map(placeholders, tables.get(field_name, ()))):
                fields[field_name] = self._by_table(reading, field_name, fields.get(field_name, ""))
        fields = {key: value for key, value in {**fields, "aliases": aliases}.items() if value}
        own = any(placeholders(template) != [SLUG] for template in tables.get("id", ()))
        id = ids[0] if ids else mapped or (slug(name) if name else "")
        return Newcomer(id, names, fields, sure=bool(mapped or (ids and own))) if id else None


def slug(name: str) -> str:
    """An id made of a name: its ASCII letters and digits, with a few hash digits where others were lost."""
    parts = unicodedata.normalize("NFKD", name).casefold()
    plain = "".join(letter for letter in parts if not unicodedata.combining(letter))
    kept = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST_SLUG].strip("-")
    lost = any(letter.isalnum() and not letter.isascii() for letter in plain)
    if kept and not lost and len(plain) <= _LONGEST_SLUG:
        return kept
    digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
    return f"{kept}-{digest}" if kept else f"n-{digest}"


def _read_date(written: str, formats: tuple[str, ...], against: str) -> str:
    if formats:
        try:
            return parse_formats(written, formats)
        except BadDate:
            if not against:
                raise
    return resolve_relative(written, against=against)[0] if against else normalise(written)


def _text(column: str, value: Any, *, listed: bool) -> str:
    """A cell as text: JSON's scalars as they are written."""
    if value is None or (listed and isinstance(value, list) and all(isinstance(v, str) for v in value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int):
        return str(value).strip()
    raise BadEvent(f"the column {column!r} holds {'a list' if isinstance(value, list) else 'an object'}")


def _origin(rules: Map, name: str) -> str:
    if name in rules.templates:
        return f"the template {rules.templates[name]!r}"
    return f"the column {rules.columns[name][0]!r}"


def _shown(text: str) -> str:
    return repr(visible(text if len(text) <= 80 else f"{text[:79]}…", keep_newlines=False))


def _one_line(text: str) -> str:
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 1]}…"
