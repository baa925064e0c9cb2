"""Frames as Arrow IPC files that are mapped into memory, not read.

Polars copies whatever it reads from an IPC file. The Arrow C data interface takes foreign memory as
it is, so the buffers of the file are handed over where they lie: nothing is read before it is used,
and the kernel takes the pages back when memory is short.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from raystream.data.ipc import from_ipc
from raystream.storage.arrow_interface import (
    ArrowArray,
    array_capsule,
    schema_capsule,
    schema_of,
)
from raystream.storage.arrow_message import RecordBatch, batch_of_stream, record_batch

_NAME = "frame"

_ALIGNED = 64
"""Of buffers, in bytes; numbers of 128 bits elsewhere would be copied."""

_END_OF_STREAM = b"\xff\xff\xff\xff\x00\x00\x00\x00"


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame as an uncompressed Arrow IPC file of one record batch.

    Args:
        frame: Columns of the types that `is_mappable` allows.
        path: Of the file.

    Raises:
        OSError: the file cannot be written.
    """
    newest = pl.CompatLevel.newest()
    with path.open("wb") as file:
        # A clone, as in data/ipc.py: writing locks the frame object.
        frame.clone().write_ipc(
            file, compression="uncompressed", compat_level=newest, record_batch_size=frame.height
        )


def map_frame(path: Path, schema: pl.Schema) -> pl.DataFrame:
    """The frame in a file of `write_frame`, which is deleted when nobody uses the rows any more.

    Args:
        path: The file.
        schema: Of the frame.

    >>> from tempfile import TemporaryDirectory
    >>> frame = pl.DataFrame({"k": ["a", None], "n": [1, 2]})
    >>> with TemporaryDirectory() as folder:
    ...     write_frame(frame, Path(folder, "one"))
    ...     map_frame(Path(folder, "one"), frame.schema).rows()
    [('a', 1), (None, 2)]
    """
    file = _Mapped(path)
    return _frame(file, schema, record_batch(file.bytes))


def map_stream(stream: bytes, path: Path) -> pl.DataFrame:
    """Write an Arrow IPC stream to a file as it is, and map its frame, as `map_frame` does.

    Args:
        stream: A stored segment.
        path: Of the file.

    Raises:
        ValueError: the stream is not of one record batch, or has columns that cannot be mapped.
        OSError: the file cannot be written.
    """
    batch, schema_end = batch_of_stream(np.frombuffer(stream, np.uint8))
    schema = from_ipc(stream[:schema_end] + _END_OF_STREAM).schema
    if not all(is_mappable(kind) for kind in schema.values()):
        message = "columns without a plain layout"
        raise ValueError(message)
    moved = -batch.body % _ALIGNED
    with path.open("wb") as file:
        file.write(bytes(moved))
        file.write(stream)
    return _frame(_Mapped(path), schema, replace(batch, body=batch.body + moved))


def _frame(file: _Mapped, schema: pl.Schema, batch: RecordBatch) -> pl.DataFrame:
    return pl.Series(_NAME, _Exported(file, schema, batch)).struct.unnest()


def is_mappable(kind: Any) -> bool:
    """Whether a column of this type has a plain layout; categories refer to a dictionary."""
    if isinstance(kind, pl.Struct):
        return all(is_mappable(field.dtype) for field in kind.fields)
    if isinstance(kind, pl.List | pl.Array):
        return is_mappable(kind.inner)
    return not isinstance(kind, pl.Categorical | pl.Enum | pl.Object | pl.Null)


def _delete(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - may run while the interpreter ends


class _Mapped:
    """A file in memory, which is deleted when nobody uses its bytes any more."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        weakref.finalize(self.map, _delete, str(path))
        self.bytes = np.frombuffer(self.map, np.uint8)


class _Exported:
    """An exporter of the Arrow C data interface whose buffers are those of a file."""

    def __init__(self, file: _Mapped, schema: pl.Schema, batch: RecordBatch) -> None:
        self._file, self._schema, self._batch = file, schema, batch

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[Any, Any]:
        """Capsules of schema and array."""
        schema = schema_of(pl.DataFrame(schema=self._schema))
        memory = self._file.bytes
        keep: list[Any] = [self._file.map, memory, schema]
        arrays = _Arrays(self._batch, memory.ctypes.data, keep)
        array = arrays.next(schema.contents, is_root=True)
        return schema_capsule(schema), array_capsule(array, keep)


class _Arrays:
    """Builds the tree of arrays; nodes and buffers of a record batch are in its order."""

    def __init__(self, batch: RecordBatch, base: int, keep: list[Any]) -> None:
        self._nodes = iter(batch.nodes.tolist())
        self._buffers = iter(batch.buffers.tolist())
        self._variadic = iter(batch.variadic.tolist())
        self._rows = batch.rows
        self._base, self._keep = base + batch.body, keep

    def next(self, schema: Any, *, is_root: bool = False) -> ArrowArray:
        """The array of a column, with those inside it; the root is the frame as one struct."""
        array = ArrowArray()
        rows, nulls = (self._rows, 0) if is_root else next(self._nodes)
        found = [None] if is_root else list(self._buffers_of(schema.format.decode()))
        array.length, array.null_count, array.n_buffers = rows, nulls, len(found)
        array.buffers = (ctypes.c_void_p * max(1, len(found)))(*found)
        children = [self.next(schema.children[i].contents) for i in range(schema.n_children)]
        array.n_children = len(children)
        pointers = [ctypes.pointer(child) for child in children]
        array.children = (ctypes.POINTER(ArrowArray) * max(1, len(children)))(*pointers)
        self._keep += [array.buffers, array.children, *children]
        return array

    def _buffers_of(self, kind: str) -> Iterator[int | None]:
        """Addresses; an empty one has none."""
        if kind in ("vu", "vz"):
            yield from self._view_buffers()
            return
        for _ in range(_count(kind)):
            yield self._address(*next(self._buffers))

    def _view_buffers(self) -> Iterator[int | None]:
        """Validity, views, data of any number, and the sizes of the data, which no file holds."""
        for _ in range(2):
            yield self._address(*next(self._buffers))
        data = [next(self._buffers) for _ in range(next(self._variadic))]
        for offset, size in data:
            yield self._base + offset if size else self._base
        sizes = np.array([size for _, size in data] or [0], np.int64)
        self._keep.append(sizes)
        yield sizes.ctypes.data

    def _address(self, offset: int, size: int) -> int | None:
        return self._base + offset if size else None


def _count(kind: str) -> int:
    """Buffers of an Arrow format but views."""
    if kind.startswith(("+s", "+w")):
        return 1
    return 3 if kind in ("u", "U", "z", "Z") else 2
