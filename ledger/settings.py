"""Where a setting comes from: flag, then environment, then the project's file, then the user's, then default.

The project's file is ``claims.toml`` in the working folder or the nearest one above it; the user's is
``config.toml`` in the platform's configuration folder. Both may hold ``db``, ``actor``, ``logic``, ``format`` and
``keys`` (the folder of signing keys). ``db`` is a file, or ``postgresql://…``. A logic that is a file is not taken from a
project's file, which may be a stranger's. A relative ``db`` or ``keys`` in a file is relative to that file.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger.errors import Usage
from ledger.places import Location, Server, location

NAMES = ("db", "actor", "logic", "format", "keys")
#: Tried in the working folder when nothing names a ledger.
DEFAULT_FILES = ("claims.db", "demo.db")
_LONGEST_WAIT = 86_400.0


def setting(name: str, flag: str | None = None, environ: Mapping[str, str] | None = None) -> str | None:
    """The value of a setting, None where nobody set it. Raises ``Usage`` for a broken file."""
    if flag is not None:
        return flag
    environ = os.environ if environ is None else environ
    variable = environ.get(f"CLAIMS_{name.upper()}")
    if variable:
        return variable
    project = _project_file(Path.cwd())
    for path in (project, _user_file()):
        if path is not None and path.is_file():
            value = _read(path).get(name)
            if value is not None:
                if name == "logic" and path == project and ".py" in value:
                    raise Usage(
                        f"a project's file may not name code to run ({value!r}): whoever sends a folder would run it",
                        where=str(path),
                        remedy="give --logic, or name it in your own config",
                    )
                if name in ("db", "keys") and "://" not in value and not value.startswith("~"):
                    return str(path.parent / value)
                return str(value)
    return None


def database(flag: Location | str | None = None) -> Location:
    """The ledger to use: as set, else ``claims.db`` or ``demo.db`` where one exists, else ``claims.db``. Raises
    ``Usage`` for an address of a server that is none."""
    if isinstance(flag, Server):
        return flag
    chosen = setting("db", str(flag) if flag is not None else None)
    if chosen is not None:
        return location(chosen)
    return next((Path(name) for name in DEFAULT_FILES if Path(name).exists()), Path(DEFAULT_FILES[0]))


def lock_timeout() -> float:
    """Seconds to wait while somebody else writes: ``CLAIMS_LOCK_TIMEOUT``, else a minute. Raises ``Usage``."""
    text = os.environ.get("CLAIMS_LOCK_TIMEOUT") or "60"
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _LONGEST_WAIT:  # NaN as well is neither
        raise Usage(
            f"{text!r} is no number of seconds", where="CLAIMS_LOCK_TIMEOUT", remedy="write 60, or 0.5"
        )
    return seconds


def _project_file(start: Path) -> Path | None:
    for folder in (start, *start.parents):
        candidate = folder / "claims.toml"
        if candidate.is_file():
            return candidate
    return None


def _user_file() -> Path | None:
    base = os.environ.get("XDG_CONFIG_HOME")
    if base:
        return Path(base) / "claim-ledger" / "config.toml"
    from platformdirs import user_config_path

    return user_config_path("claim-ledger") / "config.toml"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Usage(f"cannot be read: {error}", where=str(path), remedy="mend or remove the file") from None
    unknown = sorted(set(values) - set(NAMES))
    if unknown:
        raise Usage(
            f"unknown setting {unknown[0]!r}", where=str(path), remedy=f"Settings: {', '.join(NAMES)}"
        )
    for name, value in values.items():
        if not isinstance(value, str):
            raise Usage(f"{name} is no text", where=str(path), remedy=f'write {name} = "…"')
    return values
