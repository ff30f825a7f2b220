"""Where maps are found: at a path, or among those that come with the ledger."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from ledger.errors import BadMap
from ledger.importing.maps import Map, parse
from ledger.importing.terms import near


def shipped() -> tuple[str, ...]:
    """The names of the maps that come with the ledger, in order."""
    files = (resources.files("ledger") / "maps").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


def load(name: str | Path) -> Map:
    """A map by its path, or by the name of one that is shipped. Raises ``BadMap``."""
    where = str(name)
    if Path(name).is_file():
        try:
            return parse(Path(name).read_text("utf-8"), where)
        except (OSError, UnicodeDecodeError) as error:
            raise BadMap(f"cannot be read: {error}", where=where) from None
    if where in shipped():
        return parse((resources.files("ledger") / "maps" / f"{where}.toml").read_text("utf-8"), where)
    known = shipped()
    remedy = f"{near(where, known)}Give a path, or one that is shipped: {', '.join(known)}"
    raise BadMap(f"no map {where!r}", remedy=remedy)
