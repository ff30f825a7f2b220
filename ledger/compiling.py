"""Compiled code that calls the C libraries which Python itself is linked to.

Importing what is made with this raises ``ImportError`` where a library, one of its functions, or a folder to keep compiled
code in is not to be had; whoever wants it then does without.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import llvmlite.binding
import numpy as np
from numba import njit, types

ADDRESS = types.uintp
BYTES = types.Array(types.uint8, 1, "C", readonly=True)
WRITTEN = types.uint8[::1]
SPANS, NUMBERS = types.int64[:, ::1], types.int64[::1]


@njit
def beyond(address, many):
    """The address so many bytes further on. numba would add the two as floats, which are exact up to 2**53 alone."""
    return address + np.uintp(many)


def linked(module: ModuleType, functions: Mapping[str, Any]) -> list[Any]:
    """Functions of the library that an extension module is linked to, by name and signature, for use in compiled code.

    Raises ``ImportError`` where the module is built into Python, or the library lacks one of them.
    """
    file = getattr(module, "__file__", None)
    if file is None:
        raise ImportError(f"{module.__name__} is built into Python", name=module.__name__)
    llvmlite.binding.load_library_permanently(file)
    found = []
    for name, signature in functions.items():
        if llvmlite.binding.address_of_symbol(name) is None:
            raise ImportError(f"{name} is not to be had", name=name)
        found.append(types.ExternalFunction(name, signature))
    return found


def kept(signature: Any) -> Any:
    """Compile a function for one signature, and keep it on the disk. Raises ``ImportError`` where it cannot be kept."""
    try:
        return njit(signature, cache=True)
    except RuntimeError as error:  # numba found no folder to keep it in
        raise ImportError(str(error)) from None
