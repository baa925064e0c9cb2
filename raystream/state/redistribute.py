"""Select rows of old state that belong to one subtask: after a rescale, or with another hash."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from raystream.data.hashing import owners
from raystream.data.ipc import from_ipc, to_ipc


def owned(frame: pl.DataFrame, keys: Sequence[str], index: int, parallelism: int) -> pl.DataFrame:
    """The rows whose key is owned by subtask `index` of `parallelism`, in their order.

    Copied: rows filtered by Polars keep all texts of the whole frame in memory.

    >>> frame = pl.DataFrame({"k": ["a", "b", "c"]})
    >>> sum(owned(frame, ["k"], i, 2).height for i in range(2))
    3
    """
    return from_ipc(to_ipc(frame.filter(owners(frame, keys, parallelism) == index)))
