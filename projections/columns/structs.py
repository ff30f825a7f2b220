"""The kernel's arrays as compiled code takes them: the address of a table of plain arrays for each group.

A group of arrays is handed on as one pointer, and an array taken out of it is only borrowed: whoever calls the
kernel keeps the arrays alive. Counting the references to each array instead took more than half of the kernel's
time. Imported in compiled mode only: numba knows these types by this module.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate
from numba.extending import (
    NativeValue,
    infer_getattr,
    lower_getattr_generic,
    models,
    register_model,
    typeof_impl,
    unbox,
)
from numba.np import arrayobj

import projections.columns.shapes as shapes

_WORD = 8
_WIDTH = 4
"""Words for each array in the table: its address, and up to three lengths."""
_NUMBERS = {np.dtype(np.int64).char: types.int64, np.dtype(np.float64).char: types.float64}


class GroupType(types.Type):
    """A group of C-contiguous arrays by name."""

    def __init__(self, name: str, fields: tuple[tuple[str, types.Array], ...]) -> None:
        self.fields = dict(fields)
        self.order = list(self.fields)
        super().__init__(name=f"{name}({fields})")


@register_model(GroupType)
class _GroupModel(models.OpaqueModel):
    """An address and nothing else."""


class Group:
    """Base of the groups: the arrays by name, and the table that compiled code reads."""

    _fields: tuple[str, ...] = ()
    _types: ClassVar[dict[tuple[tuple[str, int], ...], GroupType]] = {}

    __slots__ = ("_arrays", "_table", "address", "kind")

    def __init__(self, *arrays: Any) -> None:
        table = np.zeros((len(arrays), _WIDTH), np.int64)
        for row, array in zip(table, arrays, strict=True):
            assert array.flags.c_contiguous, "the kernel takes arrays in C order"
            row[0] = array.ctypes.data
            row[1 : 1 + array.ndim] = array.shape
        kinds = tuple([(one.dtype.char, one.ndim) for one in arrays])
        kind = self._types.get(kinds)
        if kind is None:
            fields = [types.Array(_NUMBERS[char], ndim, "C") for char, ndim in kinds]
            kind = GroupType(type(self).__name__, tuple(zip(self._fields, fields, strict=True)))
            self._types[kinds] = kind
        self.kind = kind
        self._arrays, self._table, self.address = arrays, table, table.ctypes.data

    def __getattr__(self, name: str) -> Any:
        if name in self._fields:
            return self._arrays[self._fields.index(name)]
        raise AttributeError(name)


@typeof_impl.register(Group)
def _typeof_group(value: Group, _: Any) -> GroupType:
    return value.kind


@unbox(GroupType)
def _unbox_group(_: GroupType, value: Any, c: Any) -> NativeValue:
    held = c.pyapi.object_getattr_string(value, "address")
    address = c.pyapi.long_as_voidptr(held)
    c.pyapi.decref(held)
    return NativeValue(address, is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred()))


@infer_getattr
class _GroupAttributes(AttributeTemplate):
    key = GroupType

    def generic_resolve(self, typ: GroupType, attr: str) -> Any:  # type: ignore[override]
        return typ.fields.get(attr)


@lower_getattr_generic(GroupType)
def _array_of_group(context: Any, builder: Any, kind: GroupType, value: Any, name: str) -> Any:
    wanted = kind.fields[name]
    word = ir.IntType(8 * _WORD)
    words = builder.bitcast(value, word.as_pointer())
    at = kind.order.index(name) * _WIDTH

    def load(n: int) -> Any:
        loaded = builder.load(builder.gep(words, [ir.Constant(ir.IntType(32), at + n)]))
        # Nothing in the kernel writes to the table, so that one reading does for a whole loop.
        loaded.set_metadata("invariant.load", builder.module.add_metadata([]))
        return loaded

    array = arrayobj.make_array(wanted)(context, builder)
    shape = [load(1 + axis) for axis in range(wanted.ndim)]
    strides: list[Any] = []
    step = ir.Constant(word, _WORD)
    for length in reversed(shape):
        strides.insert(0, step)
        step = builder.mul(step, length)
    arrayobj.populate_array(
        array,
        data=builder.inttoptr(load(0), array.data.type),
        shape=shape,
        strides=strides,
        itemsize=ir.Constant(word, _WORD),
        meminfo=None,
    )
    return array._getvalue()


def _group(shape: Any) -> Any:
    """A group with the fields of a named tuple."""
    fields = {"_fields": shape._fields, "_types": {}, "__slots__": (), "__module__": __name__}
    return type(shape.__name__, (Group,), fields)


Pieces = _group(shapes.Pieces)
Asked = _group(shapes.Asked)
Motions = _group(shapes.Motions)
Chain = _group(shapes.Chain)
Hearing = _group(shapes.Hearing)
Scenario = _group(shapes.Scenario)
