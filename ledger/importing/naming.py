"""From a place or source as a row names it to the id under which it is registered. Pure; never a guess."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from ledger.book import Draft
from ledger.directory import Directory, Place, Source
from ledger.errors import AmbiguousName, UnknownName
from ledger.importing.mapping import Newcomer, Ref
from ledger.names import fold


class Naming:
    """Looks up the names of one batch. What was found, or not found, is remembered; so is why not, because
    the search for a likely spelling costs more than all the rest of a row."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._found: dict[Ref, str | UnknownName] = {}

    def find(self, ref: Ref) -> str:
        """The id a reference means: an exact id, else a registered spelling, else the id its name would get.

        Raises ``UnknownName`` or ``AmbiguousName``.
        """
        found = self._found.get(ref)
        if found is None:
            try:
                found = self._find(ref)
            except UnknownName as error:
                found = error
            self._found[ref] = found
        if isinstance(found, UnknownName):
            raise found
        return found

    def _find(self, ref: Ref) -> str:
        known = self._known(ref)
        if ref.text in known:
            return ref.text  # before any merge is followed, so that a row keeps its id for ever
        resolve = self.directory.resolve_place if ref.is_place else self.directory.resolve_source
        if ref.newcomer is None or self._is_spelling(ref):
            return resolve(ref.text)
        if ref.newcomer.id in known:
            return ref.newcomer.id
        try:
            return resolve(ref.text)
        except UnknownName as error:
            name = f" ({ref.written})" if ref.written and ref.written != ref.text else ""
            raise UnknownName(
                f"{error.what}{name}", remedy=f"{error.remedy}; or import with --register"
            ) from None

    def is_known(self, ref: Ref) -> bool:
        """Whether a reference leads somewhere. Raises ``AmbiguousName`` where it leads to several."""
        if ref.text in self._known(ref) or (ref.newcomer and ref.newcomer.id in self._known(ref)):
            return True
        if not self._is_spelling(ref):
            return False
        self.find(ref)
        return True

    def _known(self, ref: Ref) -> dict[str, Place] | dict[str, Source]:
        return self.directory.places if ref.is_place else self.directory.sources

    def _is_spelling(self, ref: Ref) -> bool:
        """Whether something is registered under this name or alias, with or without a hint behind it."""
        text = ref.text.partition(",")[0].partition("(")[0]
        index = self._place_names if ref.is_place else self._source_names
        return ref.text in index or fold(ref.text) in index or fold(text) in index

    @cached_property
    def _place_names(self) -> dict[str, list[Place | Source]]:
        return _by_name(self.directory.places.values())

    @cached_property
    def _source_names(self) -> dict[str, list[Place | Source]]:
        return _by_name(self.directory.sources.values())

    # -- registering -------------------------------------------------------------------------------

    def registration(self, ref: Ref, newcomer: Newcomer) -> Draft:
        """What registers a newcomer. Raises ``AmbiguousName`` where it may be one that is registered already,
        and ``BadEvent`` where its fields are none."""
        self._check_is_new(ref, newcomer)
        if ref.is_place:
            place = {"place": newcomer.id, "names": newcomer.names, **newcomer.fields}
            return Draft.of("place-registered", place)
        kind = {"kind": "outlet"} if ref.field == "via" else {}
        source = {"source": newcomer.id, **kind, **newcomer.fields}
        return Draft.of("source-registered", source, {"names": newcomer.names})

    def _check_is_new(self, ref: Ref, newcomer: Newcomer) -> None:
        """Two ids of one register (``geonames:1``, ``geonames:2``) are two things, whatever their names. Ids
        of different registers may be one thing; making it two would split what is said of it."""
        index = self._place_names if ref.is_place else self._source_names
        scheme = _scheme(newcomer.id)
        for name in newcomer.names:
            for one in index.get(fold(name), ()):
                if scheme and any(_scheme(id) == scheme for id in (one.id, *one.aliases)):
                    continue
                command = f"claims {'place' if ref.is_place else 'source'} {one.id} --alias {newcomer.id}"
                raise AmbiguousName(
                    f"{newcomer.id} ({name}) may be {one.id}, which has the same name",
                    remedy=f"if so: `{command}`; else register it by hand",
                )


def _by_name(things: Iterable[Place | Source]) -> dict[str, list[Place | Source]]:
    index: dict[str, list[Place | Source]] = {}
    for thing in things:
        for name in {*map(fold, thing.names), thing.id, *thing.aliases}:
            index.setdefault(name, []).append(thing)
    return index


def _scheme(id: str) -> str:
    """The register an id comes from: what stands before its colon, nothing where there is none."""
    before, colon, _ = id.partition(":")
    return before if colon else ""
