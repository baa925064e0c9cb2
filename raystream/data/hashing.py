"""The owner of a key: a column hash of the key columns decides the subtask, never Python's hash.

The hash of Polars is stable only within one Polars version: a checkpoint keeps HASH_NAME and
POLARS_VERSION, and a restore under others redistributes all rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import polars as pl

from raystream.data.frames import narrowed
from raystream.data.keys import canonical_type

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

HASH_NAME = "polars-row-hash-2"
"""Name of this way to find an owner; another way gets another name."""

POLARS_VERSION = pl.__version__
"""Version whose hash this is; must be the same on all nodes."""

_SEED = 0x5EED

_FEW = 2
"""Up to so many owners a filter each is the faster way."""


def row_hashes(frame: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """Hash of the key of each row, UInt64: equal keys (null, NaN, -0.0 too) have one hash.

    Args:
        frame: Rows with the key columns.
        keys: Names of the key columns, in the order of the key; at least one.
    """
    columns = narrowed(frame, keys)
    casts = [
        pl.col(name).cast(kind)
        for name, was in columns.schema.items()
        if (kind := _hashed_type(was)) != was
    ]
    return (columns.with_columns(casts) if casts else columns).hash_rows(_SEED)


def _hashed_type(dtype: pl.DataType) -> pl.DataType:
    """Integers of 64 bits, since narrow negative ones have other hashes; texts of categories."""
    if dtype in (pl.Int8, pl.Int16, pl.Int32):
        return pl.Int64()
    return canonical_type(dtype)


def owners(frame: pl.DataFrame, keys: Sequence[str], parallelism: int) -> pl.Series:
    """Subtask that owns each row: UInt64, 0 <= owner < parallelism.

    Rows with equal keys have one owner; null is a key like any other. Without keys all rows belong
    to subtask 0.

    Args:
        frame: Rows with the key columns.
        keys: Names of the key columns, in the order of the key.
        parallelism: Number of subtasks.

    >>> owners(pl.DataFrame({"k": ["a", "a"]}), ["k"], 4).n_unique()
    1
    """
    if not keys or parallelism == 1:
        return pl.repeat(0, frame.height, dtype=pl.UInt64, eager=True)
    return row_hashes(frame, keys) % parallelism


def partition(
    frame: pl.DataFrame, keys: Sequence[str], parallelism: int
) -> list[pl.DataFrame | None]:
    """The rows of each subtask, in their order; None where there are none.

    Args:
        frame: Rows with the key columns.
        keys: Names of the key columns, in the order of the key.
        parallelism: Number of subtasks, and length of the result.
    """
    if not keys or parallelism == 1 or not frame.height:
        return [_or_none(frame), *[None] * (parallelism - 1)]
    owner = owners(frame, keys, parallelism)
    if parallelism <= _FEW:
        return [_or_none(frame.filter(owner == index)) for index in range(parallelism)]
    narrow = pl.UInt16 if parallelism <= 2**16 else pl.UInt32
    return _sliced(frame, owner.cast(narrow).to_numpy(), parallelism)


def _sliced(
    frame: pl.DataFrame, owner: npt.NDArray[np.unsignedinteger], parallelism: int
) -> list[pl.DataFrame | None]:
    """Sorted by owner and cut: one pass, however many owners there are (a filter each: p passes).

    A stable sort of 16-bit numbers is a radix sort, and keeps the order of the rows of an owner.
    """
    import numpy as np  # a third of the start of `raystream validate`

    ordered = frame[np.argsort(owner, kind="stable").astype(np.uint32)]
    counts = np.bincount(owner, minlength=parallelism)
    starts = (np.cumsum(counts) - counts).tolist()
    cuts = zip(starts, counts.tolist(), strict=True)
    return [_or_none(ordered.slice(start, count)) for start, count in cuts]


def _or_none(frame: pl.DataFrame) -> pl.DataFrame | None:
    return frame if frame.height else None
