"""Frames as Arrow IPC bytes, for channels and checkpoints; never a pickle.

A pickled slice drags its whole parent along (100 rows were 18.8 MB); Arrow IPC writes the slice.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import cast

import polars as pl
from polars.io.ipc import functions

_NEWEST = pl.CompatLevel.newest()


def to_ipc(frame: pl.DataFrame) -> bytes:
    """The frame as an uncompressed Arrow IPC stream. Other threads may use the frame meanwhile.

    >>> from_ipc(to_ipc(pl.DataFrame({"n": [1, 2]})))["n"].to_list()
    [1, 2]
    """
    buffer = BytesIO()
    # Writing locks the frame object and asks for the GIL for each piece; another thread that asks
    # the same object for its height waits for that lock with the GIL: neither continues. A clone
    # (no copy of data) is a frame object that nobody else knows.
    frame.clone().write_ipc_stream(buffer, compat_level=_NEWEST)
    return buffer.getvalue()


def from_ipc(data: bytes | bytearray | memoryview) -> pl.DataFrame:
    """The inverse of `to_ipc`.

    Raises:
        polars.exceptions.PolarsError: the bytes are no Arrow IPC stream.
    """
    return _read(BytesIO(data))


def _reader() -> Callable[[BytesIO], pl.DataFrame]:
    """Polars' reader without its checks of arguments: half of the time for a few hundred rows."""
    inner = getattr(functions, "_read_ipc_stream_impl", None)
    return pl.read_ipc_stream if inner is None else cast("Callable[[BytesIO], pl.DataFrame]", inner)


_read = _reader()
