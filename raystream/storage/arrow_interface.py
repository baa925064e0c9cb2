"""The Arrow C data interface, as far as handing mapped memory to Polars needs it.

Structures and rules: https://arrow.apache.org/docs/format/CDataInterface.html
"""

from __future__ import annotations

import ctypes
from typing import Any

import polars as pl


class ArrowSchema(ctypes.Structure):
    """Type of an array."""


class ArrowArray(ctypes.Structure):
    """Length and buffers of an array."""


class _ArrowStream(ctypes.Structure):
    """Arrays of one type."""


_SchemaRelease = ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowSchema))
_ArrayRelease = ctypes.CFUNCTYPE(None, ctypes.POINTER(ArrowArray))
_StreamSchema = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(_ArrowStream), ctypes.POINTER(ArrowSchema)
)

ArrowSchema._fields_ = [  # noqa: SLF001 - ctypes' way for structures that refer to themselves
    ("format", ctypes.c_char_p),
    ("name", ctypes.c_char_p),
    ("metadata", ctypes.c_void_p),
    ("flags", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrowSchema))),
    ("dictionary", ctypes.POINTER(ArrowSchema)),
    ("release", _SchemaRelease),
    ("private_data", ctypes.c_void_p),
]
ArrowArray._fields_ = [  # noqa: SLF001
    ("length", ctypes.c_int64),
    ("null_count", ctypes.c_int64),
    ("offset", ctypes.c_int64),
    ("n_buffers", ctypes.c_int64),
    ("n_children", ctypes.c_int64),
    ("buffers", ctypes.POINTER(ctypes.c_void_p)),
    ("children", ctypes.POINTER(ctypes.POINTER(ArrowArray))),
    ("dictionary", ctypes.POINTER(ArrowArray)),
    ("release", _ArrayRelease),
    ("private_data", ctypes.c_void_p),
]
_ArrowStream._fields_ = [  # noqa: SLF001
    ("get_schema", _StreamSchema),
    ("get_next", ctypes.c_void_p),
    ("get_last_error", ctypes.c_void_p),
    ("release", ctypes.c_void_p),
    ("private_data", ctypes.c_void_p),
]

_capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_new_capsule = ctypes.pythonapi.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]

_in_use: dict[int, list[Any]] = {}
"""What arrays that somebody holds refer to."""


def schema_of(frame: pl.DataFrame) -> Any:
    """Pointer to the type of a frame as one struct, as Polars exports it."""
    exporter: Any = frame.to_struct("frame")
    capsule = exporter.__arrow_c_stream__()
    stream = _ArrowStream.from_address(_capsule_pointer(capsule, b"arrow_array_stream"))
    schema = ArrowSchema()
    if stream.get_schema(ctypes.byref(stream), ctypes.byref(schema)):
        message = f"no Arrow schema of {frame.schema}"
        raise TypeError(message)
    return ctypes.pointer(schema)


def schema_capsule(schema: Any) -> Any:
    """The consumer moves the structure out before the next line runs."""
    return _new_capsule(ctypes.addressof(schema.contents), b"arrow_schema", None)


def array_capsule(array: ArrowArray, keep: list[Any]) -> Any:
    """An array whose memory `keep` holds until the consumer releases it."""
    keep.append(array)
    array.release = _release
    array.private_data = id(keep)
    for each in keep:
        if isinstance(each, ArrowArray) and each is not array:
            each.release = _release_child
    _in_use[id(keep)] = keep
    return _new_capsule(ctypes.addressof(array), b"arrow_array", None)


def _released(array: Any) -> None:
    _in_use.pop(array.contents.private_data, None)
    array.contents.release = _ArrayRelease()


def _child_released(array: Any) -> None:
    array.contents.release = _ArrayRelease()


_release, _release_child = _ArrayRelease(_released), _ArrayRelease(_child_released)
