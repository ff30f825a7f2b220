"""The numeric kernel in two modes: plain Python, and compiled by numba. One source, the same numbers.

Compiling takes a while the first time on a machine (its result is kept), and loading what was compiled takes
part of a second; a few hundred claims are heard sooner in plain Python. Both modes are the same file
executed twice, so that nothing can be true of one only.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from functools import lru_cache
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
_PARTS = ("motion", "hearing", "opening", "diagonal", "scoring", "folding")


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
    if wanted == "compiled" or leaves >= (LEAVES_READY if _compiled_before(*_READER) else LEAVES):
        return leaf_reader(True)
    return None


def _compiled_before(folder: Path = _HERE, part: str = "scoring", function: str = "score") -> bool:
    """Whether what numba compiles is kept on this machine already."""
    if _name(part, compiled=True) in sys.modules:
        return True
    kept = [folder / "__pycache__"]
    return any(next(one.glob(f"{part}.{function}-*.nbi"), None) for one in kept)


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
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    vars(module).update(known)
    if compiled:
        import numba

        njit: Any = numba.njit
        settings = {"cache": True, "error_model": "numpy", "no_cfunc_wrapper": True}
        # Nothing allocated inside: without counting references, what is passed on costs nothing.
        vars(module)["jit"] = njit(**settings, no_cpython_wrapper=True)
        vars(module)["inner"] = njit(**settings, no_cpython_wrapper=True, _nrt=False)
        vars(module)["entry"] = njit(**settings)
    else:
        vars(module)["jit"] = vars(module)["inner"] = vars(module)["entry"] = plain_jit
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
