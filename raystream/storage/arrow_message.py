"""The one record batch of an Arrow IPC file or stream: where its buffers lie.

Reads just the FlatBuffers that lead there (Arrow columnar format, "Serialization and Interprocess
Communication"): footer -> block -> message -> record batch, or one message after the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_Bytes = npt.NDArray[np.uint8]
_Longs = npt.NDArray[np.int64]

_MAGIC = b"ARROW1"
_FOOTER_BATCHES = 3
_KIND, _HEADER, _BODY = 1, 2, 3
_LENGTH, _NODES, _BUFFERS, _COMPRESSION, _VARIADIC = 0, 1, 2, 3, 4
_SCHEMA, _RECORD_BATCH = 1, 3
_PREFIX = 8
"""Bytes in front of a message: a marker, and its length."""


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
    return _batch(file, _root(file, start + _PREFIX), start + size)


def batch_of_stream(stream: _Bytes) -> tuple[RecordBatch, int]:
    """Find the record batch of a stream that has one, and where the message of the schema ends.

    Raises:
        ValueError: it is no such stream, or is compressed.
    """
    kind, _, after_schema, _ = _message(stream, 0)
    kind_of_rows, at, body, end = _message(stream, after_schema)
    ended = len(stream) - end < _PREFIX or not _int(stream, end + 4)
    if (kind, kind_of_rows) != (_SCHEMA, _RECORD_BATCH) or not ended:
        message = "no stream of one record batch"
        raise ValueError(message)
    if _field(stream, _table(stream, _field(stream, at, _HEADER)), _COMPRESSION):
        message = "the record batch is compressed"
        raise ValueError(message)
    found = _batch(stream, at, body)
    beyond = (found.buffers < 0).any() or (found.buffers.sum(axis=1) > end - body).any()
    if end > len(stream) or beyond:
        message = "buffers beyond the end of the stream"
        raise ValueError(message)
    return found, after_schema


def _message(stream: _Bytes, start: int) -> tuple[int, int, int, int]:
    """Kind of the message there, its position, that of its body, and where this ends."""
    if len(stream) < start + 2 * _PREFIX or _int(stream, start) != -1:
        message = "no Arrow IPC stream"
        raise ValueError(message)
    at = _root(stream, start + _PREFIX)
    body = start + _PREFIX + _int(stream, start + 4)
    kind = _field(stream, at, _KIND)
    return (
        int(stream[kind]) if kind else 0,
        at,
        body,
        body + _long(stream, _field(stream, at, _BODY)),
    )


def _batch(file: _Bytes, message: int, body: int) -> RecordBatch:
    batch = _table(file, _field(file, message, _HEADER))
    return RecordBatch(
        _long(file, _field(file, batch, _LENGTH)),
        body,
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
