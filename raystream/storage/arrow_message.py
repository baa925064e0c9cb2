"""The one record batch of an Arrow IPC file: where its buffers lie.

Reads just the FlatBuffers that lead there (Arrow columnar format, "Serialization and Interprocess
Communication"): footer -> block -> message -> record batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Bytes = npt.NDArray[np.uint8]
_Longs = npt.NDArray[np.int64]

_MAGIC = b"ARROW1"
_FOOTER_BATCHES, _MESSAGE_HEADER = 3, 2
_LENGTH, _NODES, _BUFFERS, _VARIADIC = 0, 1, 2, 4


@dataclass(frozen=True, slots=True)
class RecordBatch:
    """Layout of a record batch.

    Args:
        rows: Number of rows.
        body: Where the body begins in the file.
        nodes: i64[n, 2]: length and number of nulls of each array, in pre-order.
        buffers: i64[m, 2]: offset in the body and length of each buffer.
        variadic: i64[v]: number of data buffers of each array of views.
    """

    rows: int
    body: int
    nodes: _Longs
    buffers: _Longs
    variadic: _Longs


def record_batch(file: _Bytes) -> RecordBatch:
    """Find the record batch of a file that has one.

    Raises:
        ValueError: it is no such file.
    """
    if len(file) < 16 or file[-6:].tobytes() != _MAGIC:
        message = "no Arrow IPC file"
        raise ValueError(message)
    footer = _root(file, len(file) - 10 - _int(file, len(file) - 10))
    blocks = _vector(file, _field(file, footer, _FOOTER_BATCHES), 3)
    if len(blocks) != 1:
        message = f"{len(blocks)} record batches instead of one"
        raise ValueError(message)
    start, size = int(blocks[0, 0]), int(blocks[0, 1]) & 0xFFFF_FFFF
    message_at = _root(file, start + 8)  # behind the marker of continuation and the length
    batch = _table(file, _field(file, message_at, _MESSAGE_HEADER))
    return RecordBatch(
        _long(file, _field(file, batch, _LENGTH)),
        start + size,
        _vector(file, _field(file, batch, _NODES), 2),
        _vector(file, _field(file, batch, _BUFFERS), 2),
        _vector(file, _field(file, batch, _VARIADIC), 1).reshape(-1),
    )


def _int(file: _Bytes, at: int) -> int:
    return int(file[at : at + 4].view(np.int32)[0])


def _long(file: _Bytes, at: int) -> int:
    return int(file[at : at + 8].view(np.int64)[0]) if at else 0


def _root(file: _Bytes, at: int) -> int:
    return at + _int(file, at)


def _table(file: _Bytes, at: int) -> int:
    return at + _int(file, at)


def _field(file: _Bytes, table: int, number: int) -> int:
    """Position of a field of a table; 0: it has its default."""
    entries = table - _int(file, table)
    at = entries + 4 + 2 * number
    if 4 + 2 * number >= int(file[entries : entries + 2].view(np.uint16)[0]):
        return 0
    offset = int(file[at : at + 2].view(np.uint16)[0])
    return table + offset if offset else 0


def _vector(file: _Bytes, at: int, width: int) -> _Longs:
    """i64[n, width]: a vector of structs of 64-bit numbers (or of what fills as many)."""
    if not at:
        return np.empty((0, width), np.int64)
    start = at + _int(file, at)
    size = _int(file, start) * width * 8
    return file[start + 4 : start + 4 + size].copy().view(np.int64).reshape(-1, width)
