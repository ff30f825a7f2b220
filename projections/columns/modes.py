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

_HERE = Path(__file__).parent


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


def _compiled_before() -> bool:
    """Whether what numba compiles is kept on this machine already."""
    if f"{__package__}._compiled_scoring" in sys.modules:
        return True
    kept = [_HERE / "__pycache__"]
    return any(next(folder.glob("scoring.score-*.nbi"), None) for folder in kept)


@lru_cache(maxsize=2)
def kernel(compiled: bool) -> SimpleNamespace:
    """Every function of the kernel, compiled or not."""
    mode = "compiled" if compiled else "plain"
    known: dict[str, Any] = {"compiled": compiled}
    for part in _PARTS:
        module = _load(f"projections.columns._{mode}_{part}", _HERE / f"{part}.py", compiled, known)
        known.update((name, one) for name, one in vars(module).items() if _made_here(one, module))
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
        vars(module)["jit"] = njit(**settings, no_cpython_wrapper=True)
        vars(module)["inner"] = njit(**settings, no_cpython_wrapper=True, _nrt=False)
        vars(module)["entry"] = njit(**settings)
    else:
        vars(module)["jit"] = vars(module)["inner"] = vars(module)["entry"] = plain_jit
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
