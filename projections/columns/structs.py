"""The kernel's arrays as compiled code takes them: one reference for each group, in place of its many arrays.

Imported in compiled mode only: numba knows these types by this module.
"""

from __future__ import annotations

from typing import Any

from numba import types
from numba.experimental import structref

from projections.columns import shapes


def _struct(shape: Any) -> Any:
    """A structure of numba with the fields of a named tuple."""

    class Type(types.StructRef):
        def preprocess_fields(self, fields: Any) -> Any:
            return tuple((name, types.unliteral(one)) for name, one in fields)

    Type.__name__ = Type.__qualname__ = f"{shape.__name__}Type"
    Type.__module__ = __name__
    globals()[Type.__name__] = Type
    structref.register(Type)

    class Proxy(structref.StructRefProxy):
        def __new__(cls, *arrays: Any) -> Any:
            return structref.StructRefProxy.__new__(cls, *arrays)

    Proxy.__name__ = Proxy.__qualname__ = shape.__name__
    Proxy.__module__ = __name__
    structref.define_proxy(Proxy, Type, list(shape._fields))
    return Proxy


Pieces = _struct(shapes.Pieces)
Asked = _struct(shapes.Asked)
Motions = _struct(shapes.Motions)
Chain = _struct(shapes.Chain)
Hearing = _struct(shapes.Hearing)
Scenario = _struct(shapes.Scenario)
