"""The numeric kernel in two modes: plain Python, and compiled by numba. One source, the same numbers.

Compiling takes a while the first time on a machine (its result is kept), and loading what was compiled takes
part of a second; a few hundred claims are heard sooner in plain Python. Both modes are the same file
executed twice, so that nothing can be true of one only.

What is compiled is kept beside copies of the sources, in a folder of the user's caches that is named by all of
them together: numba itself looks at the file of a function, and not at those of the functions that it calls.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import shutil
import sys
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

#: From so many records on it pays to compile first, which takes about a minute.
ENOUGH = 20_000
#: The same where it was compiled before and has only to be loaded.
READY = 300

#: From so many leaves on it pays to compile what reads them; and where that was done before.
LEAVES, LEAVES_READY = 300_000, 30_000

_HERE = Path(__file__).parent
_READER = _HERE.parent / "envelopes", "leaves", "read_claims"


def plain_jit(function: Any) -> Any:
    """Leave a function as it is."""
    return function


#: In the order in which each may use those before it.
_PARTS = ("motion", "hearing", "opening", "diagonal", "scoring", "gathering", "folding")


def chosen(records: int) -> SimpleNamespace:
    """The kernel in the mode that is sooner done with so many records; ``CLAIMS_KERNEL`` (``plain`` or
    ``compiled``) chooses one for all."""
    wanted = os.environ.get("CLAIMS_KERNEL")
    if wanted in ("plain", "compiled"):
        return kernel(wanted == "compiled")
    return kernel(records >= (READY if _compiled_before() else ENOUGH))


def reading(leaves: int) -> SimpleNamespace | None:
    """What reads the usual leaves of a ledger, compiled; None where so few are sooner read without."""
    wanted = os.environ.get("CLAIMS_KERNEL")
    if wanted == "plain":
        return None
    if wanted == "compiled" or leaves >= (LEAVES_READY if _compiled_before(*_READER[1:]) else LEAVES):
        return leaf_reader(True)
    return None


def _compiled_before(part: str = "scoring", function: str = "score") -> bool:
    """Whether what numba compiles is kept on this machine already."""
    if _name(part, compiled=True) in sys.modules:
        return True
    kept = kept_folder() / "__pycache__"
    return next(kept.glob(f"{part}.{function}-*.nbi"), None) is not None


@lru_cache(maxsize=1)
def kept_folder() -> Path:
    """Where compiled code of just these sources is kept, for this Python and this numba."""
    from platformdirs import user_cache_path

    digest = hashlib.sha256(f"{sys.version} {metadata.version('numba')}".encode())
    for path in _sources():
        digest.update(path.name.encode() + path.read_bytes())
    return user_cache_path("claim-ledger") / "kernel" / digest.hexdigest()[:16]


def _sources() -> list[Path]:
    inlined = [_HERE / "shapes.py", _HERE / "structs.py", _HERE.parent / "envelopes" / "shape.py"]
    return [*(_HERE / f"{part}.py" for part in _PARTS), _READER[0] / f"{_READER[1]}.py", *inlined]


def _prune(folder: Path) -> None:
    """Throw away what was compiled of older sources, but for the newest."""
    older = sorted((one for one in folder.glob("*") if one.is_dir()), key=lambda one: one.stat().st_mtime)
    for one in older[:-1]:
        shutil.rmtree(one, ignore_errors=True)


def _copied(path: Path) -> Path | None:
    """A copy of a source in that folder; None where nothing can be written there."""
    folder = kept_folder()
    copy = folder / path.name
    try:
        if not copy.exists():
            if not folder.exists():
                _prune(folder.parent)
            folder.mkdir(parents=True, exist_ok=True)
            beside = copy.with_name(f".{path.name}.{os.getpid()}")
            beside.write_bytes(path.read_bytes())
            beside.replace(copy)
    except OSError:
        return None
    return copy


@lru_cache(maxsize=2)
def leaf_reader(compiled: bool) -> SimpleNamespace:
    """The functions of ``envelopes.leaves``, compiled or not."""
    return SimpleNamespace(**_loaded([(_READER[0], _READER[1])], compiled))


def _name(part: str, *, compiled: bool) -> str:
    return f"{__package__}._{'compiled' if compiled else 'plain'}_{part}"


def _loaded(parts: list[tuple[Path, str]], compiled: bool) -> dict[str, Any]:
    known: dict[str, Any] = {"compiled": compiled}
    for folder, part in parts:
        module = _load(_name(part, compiled=compiled), folder / f"{part}.py", compiled, known)
        known.update((name, one) for name, one in vars(module).items() if _made_here(one, module))
    return known


@lru_cache(maxsize=2)
def kernel(compiled: bool) -> SimpleNamespace:
    """Every function of the kernel, compiled or not."""
    known = _loaded([(_HERE, part) for part in _PARTS], compiled)
    if compiled:
        known["structs"] = importlib.import_module("projections.columns.structs")
    else:
        known["structs"] = importlib.import_module("projections.columns.shapes")
    return SimpleNamespace(**known)


def _made_here(one: object, module: ModuleType) -> bool:
    function = getattr(one, "py_func", one)
    return callable(function) and getattr(function, "__module__", None) == module.__name__


def _load(name: str, path: Path, compiled: bool, known: dict[str, Any]) -> ModuleType:
    copy = _copied(path) if compiled else None
    kept = copy is not None
    spec = importlib.util.spec_from_file_location(name, copy or path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update(known)
    if compiled:
        import numba

        njit: Any = numba.njit
        settings = {"cache": kept, "error_model": "numpy", "no_cfunc_wrapper": True}
        # Nothing allocated inside: without counting references, what is passed on costs nothing.
        vars(module)["jit"] = njit(**settings, no_cpython_wrapper=True)
        vars(module)["inner"] = njit(**settings, no_cpython_wrapper=True, _nrt=False)
        vars(module)["entry"] = njit(**settings)
    else:
        vars(module)["jit"] = vars(module)["inner"] = vars(module)["entry"] = plain_jit
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
