"""The mapping file: which column means which field. Its shape, and everything that can be wrong with it.

Pure: ``ledger.importing.shelf`` finds the file. A map is TOML of the schema ``claims-map/1``; an example with
comments is ``ledger/maps/simple.toml``. Keys:

``standing``, ``delimiter``   the rows are what a map or a list displays, in time; what parts the cells
``[constants]``               field = the same value for every row
``[columns]``                 field = the column it stands in; a list of columns for ``via``
``[templates]``               field = text with ``{column}`` in it
``[split]``                   via = what parts several carriers in one cell
``[values.FIELD]``            raw = normal; ``"*"`` for all others (``"*" = "*"`` leaves them as they are)
``[dates.FIELD]``             formats = strptime forms; relative_to = the clock that "on Friday" hangs on
``[skip]``, ``[require]``     column = value, values or ``{matches = regex}``: rows left out, rows insisted on
``[register.KIND]``           what a place, source, via or party that is not known yet is registered as
``[list]``                    for standing maps: flip_back_hours, observe_whole
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from ledger.clocks import normalise, parse_formats
from ledger.errors import BadDate, BadMap
from ledger.importing.terms import ACTS, DATES, FIELDS, SCHEMA, SLUG, complaints, near
from ledger.rules import explain_validation
from ledger.text import visible

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def _listed(value: Any) -> Any:
    if isinstance(value, bool):
        return (str(value).lower(),)
    return (str(value),) if isinstance(value, str | int | float) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DateRule(Strict):
    """How a date is written. Without ``formats`` it is EDTF, or words where ``relative_to`` is given."""

    formats: tuple[str, ...] = ()
    relative_to: Literal["published", "said"] | None = None


class Pattern(Strict):
    """A cell that matches a regular expression as a whole."""

    matches: str

    @model_validator(mode="after")
    def _compiles(self) -> Pattern:
        try:
            re.compile(self.matches)
        except re.error as error:
            raise ValueError(f"{self.matches!r} is no regular expression: {error}") from None
        return self

    def fits(self, cell: str) -> bool:
        return re.fullmatch(self.matches, cell) is not None


class OneOf(Strict):
    """A cell that is one of some values."""

    values: tuple[str, ...]

    def fits(self, cell: str) -> bool:
        return cell in self.values

    @property
    def matches(self) -> str:
        return " or ".join(map(repr, self.values))


def _filter(value: Any) -> Any:
    return {"values": _listed(value)} if isinstance(value, str | list) else value


def _sort_of_filter(value: Any) -> str:
    return (
        "one-of" if isinstance(value, OneOf) or (isinstance(value, dict) and "values" in value) else "pattern"
    )


Filter = Annotated[
    Annotated[OneOf, Tag("one-of")] | Annotated[Pattern, Tag("pattern")],
    Discriminator(_sort_of_filter),
    BeforeValidator(_filter),
]


class ListRules(Strict):
    """How a display is read. A state that comes back within ``flip_back_hours`` is marked. With
    ``observe_whole`` each UTC day that has a row is recorded as a day on which the whole list was seen:
    right for a file of changes, in which silence means that nothing changed."""

    flip_back_hours: int = Field(default=48, ge=0, le=8760)
    observe_whole: bool = False


class Map(Strict):
    """A mapping file that has been read. Use ``parse`` or ``load``."""

    constants: dict[str, Texts] = {}
    columns: dict[str, Texts] = {}
    templates: dict[str, str] = {}
    split: dict[str, Annotated[str, Field(min_length=1)]] = {}
    values: dict[str, dict[str, str]] = {}
    dates: dict[str, DateRule] = {}
    skip: dict[str, Filter] = {}
    require: dict[str, Filter] = {}
    register_as: dict[str, dict[str, Texts]] = Field(default={}, alias="register")
    list_rules: ListRules = Field(default=ListRules(), alias="list")
    schema_name: str = Field(alias="schema")
    standing: bool = False
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","

    @model_validator(mode="after")
    def _fits_together(self) -> Map:
        for complaint in complaints(self):
            raise ValueError(complaint)
        return self

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that the map fills, in their own order."""
        filled = self.constants.keys() | self.columns.keys() | self.templates.keys()
        return tuple(field for field in FIELDS if field in filled)

    def used_columns(self) -> Iterator[tuple[str, str]]:
        """(where in the map, column) of every column it names."""
        for field, columns in self.columns.items():
            yield from ((f"[columns] {field}", column) for column in columns)
        for field, template in self.templates.items():
            yield from ((f"[templates] {field}", column) for column in placeholders(template))
        for table, filters in (("skip", self.skip), ("require", self.require)):
            yield from ((f"[{table}]", column) for column in filters)
        for kind, fields in self.register_as.items():
            for field, templates in fields.items() if kind != "party" else ():
                for column in (name for template in templates for name in placeholders(template)):
                    if column != SLUG:
                        yield f"[register.{kind}] {field}", column

    def check_columns(self, columns: Iterable[str], where: str) -> None:
        """Raise ``BadMap`` where the map names a column that the data does not have."""
        known = tuple(columns)
        for place, column in self.used_columns():
            if column not in known:
                what = f"{place}: the data has no column {visible(column, keep_newlines=False)!r}"
                raise BadMap(what, where=where, remedy=f"{near(column, known)}Columns: {', '.join(known)}")


def placeholders(template: str) -> list[str]:
    """The columns a template asks for."""
    return _PLACEHOLDER.findall(template)


def fill(template: str, cells: dict[str, str]) -> str:
    """A template with the cells put in; nothing at all where one of them is empty."""
    if not all(cells.get(column) for column in placeholders(template)):
        return ""
    return _PLACEHOLDER.sub(lambda match: cells[match[1]], template).strip()


# -- reading -------------------------------------------------------------------------------------------


def parse(text: str, where: str) -> Map:
    """A map from its text. Raises ``BadMap`` in one line: where, what, and what is known instead."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadMap(f"not TOML: {error}", where=where, remedy="mend that line") from None
    known = [info.alias or name for name, info in Map.model_fields.items()]
    for name in tables:
        if name not in known:
            raise BadMap(f"no table or key {name!r} in a map", where=where, remedy=_known(name, known))
    if "schema" not in tables:
        raise BadMap("no schema", where=where, remedy=f'begin the map with `schema = "{SCHEMA}"`')
    try:
        read = Map.model_validate(tables)
    except ValidationError as error:
        raise BadMap(explain_validation(error).removeprefix("event: "), where=where) from None
    _check_formats(read, where)
    _check_constants(read, where)
    return read


def _known(name: str, known: list[str]) -> str:
    return f"{near(name, known)}Known: {', '.join(known)}"


def _check_formats(read: Map, where: str) -> None:
    """Find a bad date format now, not at the first row that meets it."""
    for field, rule in read.dates.items():
        for form in rule.formats:
            try:
                parse_formats("0", [form])
            except BadDate:
                pass  # "0" is no date, which is all that was to be expected
            except BadMap as error:
                raise BadMap(f"[dates.{field}] {error.what}", where=where, remedy=error.remedy) from None


def _check_constants(read: Map, where: str) -> None:
    """A wrong constant would reject every row; it is the map that is wrong."""
    for field, values in read.constants.items():
        if field == "act" and values[0] not in ACTS:
            raise BadMap(f"[constants] act: {values[0]!r} is none of {', '.join(ACTS)}", where=where)
        if field in DATES:
            try:
                normalise(values[0])
            except BadDate as error:
                raise BadMap(f"[constants] {field}: {error.what}", where=where, remedy=error.remedy) from None
