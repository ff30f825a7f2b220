"""One door for logics and projections, ours and theirs.

Installed ones announce themselves under the entry point group ``claim_ledger.logics``; a user's own is one
Python file. Its fingerprint is a hash over the code that decides beliefs, the parameter table and, for a
file, the file's bytes: two views with the same name, version and fingerprint were made by the same logic.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tomllib
import traceback
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import orjson

from ledger.errors import ReplayDue, UnknownName, Usage
from projections import promotion
from projections.belief.base import Logic
from projections.engine import Projection

if TYPE_CHECKING:
    from ledger.book import Ledger

GROUP = "claim_ledger.logics"
DEFAULT = "tally"

#: What beliefs depend on; a change in any of these files makes every view due for a replay.
_CODE = (
    "ledger/upcast.py",
    "ledger/clocks.py",
    "ledger/dates.py",
    "ledger/effective.py",
    "ledger/directory.py",
    "projections/anchor.py",
    "projections/case.py",
    "projections/record.py",
    "projections/credibility.py",
    "projections/timing.py",
    "projections/engine.py",
    "projections/belief/assembly.py",
    "projections/belief/base.py",
    "projections/belief/chain.py",
    "projections/belief/displays.py",
    "projections/belief/happenings.py",
    "projections/belief/hmm.py",
    "projections/belief/labels.py",
    "projections/belief/motion.py",
    "projections/belief/odds.py",
    "projections/belief/params.py",
    "projections/belief/reading.py",
    "projections/belief/spoken.py",
    "projections/belief/tally.py",
    "projections/belief/voices.py",
    "projections/belief/whatif.py",
    "projections/blobs.py",
    "projections/columns/diagonal.py",
    "projections/columns/folding.py",
    "projections/columns/gathering.py",
    "projections/columns/hearing.py",
    "projections/columns/judging.py",
    "projections/columns/modes.py",
    "projections/columns/motion.py",
    "projections/columns/opening.py",
    "projections/columns/scoring.py",
    "projections/columns/shapes.py",
    "projections/columns/standing.py",
    "projections/columns/tables.py",
    "projections/columns/testimony.py",
    "projections/columns/structs.py",
    "projections/envelopes/cache.py",
    "projections/envelopes/leaves.py",
    "projections/envelopes/quick.py",
    "projections/envelopes/reading.py",
    "projections/envelopes/shape.py",
    "projections/learning/calibration.py",
    "projections/learning/corpus.py",
    "projections/learning/em.py",
    "projections/learning/estimating.py",
    "projections/learning/evidence.py",
    "projections/learning/expectation.py",
    "projections/learning/gaps.py",
    "projections/learning/model.py",
    "projections/learning/notes.py",
    "projections/learning/pooling.py",
    "projections/learning/reference.py",
    "projections/learning/scan.py",
    "projections/learning/schedule.py",
    "projections/learning/slots.py",
    "projections/learning/transcript.py",
    "projections/lessons.py",
    "projections/making.py",
    "projections/neighbours.py",
    "projections/overdue.py",
    "projections/tails.py",
)


@dataclass(frozen=True)
class Loaded:
    """A logic with its fingerprint (64 hex digits), the projections found beside it, its file if any, and the file
    that its parameters were changed by."""

    logic: Logic
    fingerprint: str
    projections: tuple[Projection[Any], ...] = ()
    file: Path | None = None
    kept: bool = False
    params: Path | None = None

    @property
    def given(self) -> str:
        """A mark of the parameters that a file put in place of the logic's own; nothing where none did."""
        if self.params is None:
            return ""
        values = orjson.dumps(self.logic.params.to_dict(), option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(values).hexdigest()[:16]

    @property
    def spec(self) -> str:
        """What to write behind ``--logic`` to get it."""
        if self.kept:
            return f"{self.logic.id}+{self.fingerprint[:12]}" if self.params else self.logic.id
        named = self.logic.id if self.file is None else str(self.file)
        return f"{named} --params {self.params}" if self.params else named

    def to_dict(self) -> dict[str, Any]:
        """The shape in which answers name their logic."""
        return {
            "name": self.logic.name,
            "version": self.logic.version,
            "fingerprint": self.fingerprint[:16],
        }


@lru_cache(maxsize=1)
def code_fingerprint() -> str:
    """Hex SHA-256 over the files that decide beliefs."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for name in _CODE:
        content = (root / name).read_bytes()
        digest.update(f"{name}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def fingerprint(logic: Logic | Projection[Any], file: Path | None = None) -> str:
    """Hex SHA-256 of code, parameters and the user's file."""
    parts: dict[str, Any] = {"id": logic.id, "code": code_fingerprint()}
    if isinstance(logic, Logic):
        parts["params"] = orjson.dumps(logic.params.to_dict(), option=orjson.OPT_SORT_KEYS).decode()
    if file is not None:
        parts["file"] = hashlib.sha256(file.read_bytes()).hexdigest()
    return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def load(spec: str | None = None) -> Loaded:
    """The logic that ``--logic`` names: ``tally``, ``tally@1``, ``my_rules.py`` or ``my_rules.py:name``; each may end
    in ``:FILE.toml``, which changes its parameters."""
    spec = spec or DEFAULT
    named, colon, params = spec.rpartition(":")
    if colon and params.endswith(".toml"):
        return reassumed(load(named or None), Path(params))
    path, _, chosen = spec.partition(".py:")
    if chosen or spec.endswith(".py"):
        return _from_file(Path(f"{path}.py" if chosen else spec), chosen or None)
    found = by_name(spec)
    if found is not None:
        return found
    known = ", ".join(logic.id for logic in installed())
    raise UnknownName(f"no logic {spec!r}", remedy=f"Installed: {known}; or give a FILE.py")


def by_name(text: str) -> Loaded | None:
    """A logic that is installed, or of which this user keeps a copy: ``NAME``, ``NAME@VERSION``, each with ``+`` and
    the beginning of a fingerprint. Never a path: the name may come out of a ledger."""
    named, _, mark = text.partition("+")
    name, _, version = named.partition("@")
    for logic in installed():
        if logic.name == name and version in ("", str(logic.version)):
            loaded = Loaded(logic, fingerprint(logic))
            if loaded.fingerprint.startswith(mark):
                return loaded
    return _kept(named, mark) or _kept_params(named, mark)


def _kept(named: str, mark: str) -> Loaded | None:
    """A logic of a file that was replayed before, by name; the newest copy where there are several."""
    for path in reversed(promotion.kept(named, mark)):
        loaded = _from_file(path, named.partition("@")[0])
        if path.with_suffix(".toml").is_file():
            loaded = reassumed(loaded, path.with_suffix(".toml"))
        if loaded.fingerprint.startswith(mark):
            return replace(loaded, kept=True)
    return None


def reassumed(loaded: Loaded, file: Path) -> Loaded:
    """A logic with some of its parameters put in place by a TOML file: its keys are those of ``claims logic --params``.
    Raises ``Usage`` for a file that cannot be read, an unknown name or an impossible value."""
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise Usage(
            f"cannot read it ({why})", where=str(file), remedy="give the path of a TOML file"
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise Usage(
            f"no TOML: {error}", where=str(file), remedy="write `name = value`, a line each"
        ) from None
    try:
        logic = replace(loaded.logic, params=loaded.logic.params.replace(**values))
    except Usage as error:
        raise Usage(error.what, where=str(file), remedy=error.remedy) from None
    return replace(loaded, logic=logic, fingerprint=fingerprint(logic, loaded.file), params=file)


def _kept_params(named: str, mark: str) -> Loaded | None:
    """An installed logic under parameters that it was replayed with before."""
    if not mark:
        return None
    for logic in installed():
        if named in (logic.id, logic.name):
            for path in reversed(promotion.kept(logic.id, mark, ".toml")):
                loaded = reassumed(Loaded(logic, fingerprint(logic)), path)
                if loaded.fingerprint.startswith(mark):
                    return replace(loaded, kept=True)
    return None


def promoted(ledger: Ledger) -> Loaded | None:
    """The logic that a ledger has live, None where none was promoted. Raises ``ReplayDue`` where its code is not
    here any more, or was changed."""
    one = promotion.live(ledger)
    if one is None:
        return None
    found = by_name(f"{one.id}+{one.fingerprint}")
    if found is not None:
        return found
    for logic in installed():
        if logic.id == one.id:
            raise ReplayDue(
                f"{one.id} is live as {one.fingerprint[:12]} (since #{one.position}), installed is"
                f" {fingerprint(logic)[:12]}",
                remedy=f"`claims replay --logic {one.id} --promote` goes on with what is installed;"
                f" `--logic {one.id}` asks it",
            )
    if promotion.kept(one.id, one.fingerprint):
        raise ReplayDue(
            f"{one.id} {one.fingerprint[:12]} is live (since #{one.position}); its file is here, but the program"
            " around it was changed since",
            remedy=f"`claims replay --logic {one.id} --promote` goes on with it; `--logic tally` asks the default",
        )
    raise ReplayDue(
        f"{one.id} {one.fingerprint[:12]} is live (since #{one.position}), but its code is not on this machine",
        remedy="`claims replay --logic FILE.py` with its file makes it known here; or ask with --logic tally",
    )


@lru_cache(maxsize=1)
def installed() -> tuple[Logic, ...]:
    """Every installed logic, by name and version."""
    found = [point.load() for point in entry_points(group=GROUP)]
    return tuple(sorted((one for one in found if isinstance(one, Logic)), key=lambda one: one.id))


def _from_file(path: Path, chosen: str | None) -> Loaded:
    module = _run(path)
    logics = [one for one in vars(module).values() if isinstance(one, Logic)]
    own = list({id(one): one for one in logics if one not in installed()}.values())
    found = [one for one in vars(module).values() if isinstance(one, Projection)]
    projections = list({id(one): one for one in found}.values())
    _check_names(path, own, projections)
    if chosen is not None:
        named = [one for one in own if chosen in (one.name, one.id)]
        if not named:
            known = ", ".join(one.id for one in own) or "none"
            raise UnknownName(f"{path} defines no logic {chosen!r}", remedy=f"It defines: {known}")
        own = named
    if len(own) > 1:
        names = ", ".join(one.id for one in own)
        raise Usage(f"{path} defines several logics: {names}", remedy=f"say which: {path}:{own[0].name}")
    if not own and not projections:
        raise Usage(
            f"{path} defines neither a Logic nor a Projection",
            remedy="`from projections import Logic` and assign one at the top level",
        )
    logic = own[0] if own else load(DEFAULT).logic
    mark = fingerprint(logic, path) if own else fingerprint(logic)
    return Loaded(logic, mark, tuple(projections), path)


def _check_names(path: Path, logics: list[Logic], projections: list[Projection[Any]]) -> None:
    """Views are kept by name: one that is no plain name, or another's, would be kept in the wrong place."""
    taken = {"record@1", *(one.id for one in installed())}
    named: list[Logic | Projection[Any]] = [*logics, *projections]
    for one in named:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*@[0-9]+", one.id):
            raise Usage(
                f"{path}: {one.id!r} is no name", remedy="use letters, digits, '.', '_', '-'; a whole version"
            )
        if one.id in taken:
            raise Usage(f"{path}: the name {one.id} is taken", remedy="give yours another name or version")
        taken.add(one.id)


def _run(path: Path) -> ModuleType:
    if not path.is_file():
        raise Usage(f"no logic file {path}", remedy="give the path of an existing FILE.py")
    name = f"_claims_logic_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    try:
        # Compiled here and not imported: the bytes that are run are those of the fingerprint, never a cached copy.
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except (Exception, SystemExit) as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
        line = getattr(error, "lineno", None) or (frames[-1].lineno if frames else None)
        where = f"{path}:{line}" if line else str(path)
        raise Usage(f"{type(error).__name__}: {error}", where=where, remedy="mend the file") from None
    return module
