"""Groups of rows by key: numbers of keys, copies of rows, and columns of the state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from raystream.ids import HIDDEN
from raystream.state.keys import Rows

ALL = f"{HIDDEN}all"
"""Int8: the key of a group of all rows, in the state."""

SEEN = f"{HIDDEN}seen"
"""Int64: greatest event time of the rows that a group got; the state is forgotten by it."""

NUMBER = f"{HIDDEN}number"
"""Int64: number of a key among those of the batch."""

COPIES = f"{HIDDEN}copies"
"""Int64: how many equal rows one stands for."""

_ROW = f"{HIDDEN}row"


def numbers(rows: pl.DataFrame, by: Sequence[str]) -> Rows:
    """i64[n]: number of the key of each row, in the order in which keys come.

    >>> numbers(pl.DataFrame({"k": ["b", "a", "b"]}), ["k"]).tolist()
    [0, 1, 0]
    """
    found = np.zeros(rows.height, np.int64)
    keys = rows.select(by).with_row_index(_ROW).group_by(by, maintain_order=True).agg(_ROW)
    each = keys.select(_ROW).with_row_index(NUMBER).explode(_ROW)
    found[each.get_column(_ROW).to_numpy()] = each.get_column(NUMBER).to_numpy()
    return found


def unfolded(rows: pl.DataFrame) -> pl.DataFrame:
    """Each row as often as COPIES says.

    >>> unfolded(pl.DataFrame({"n": [5, 7], COPIES: [1, 2]}))["n"].to_list()
    [5, 7, 7]
    """
    return rows[np.repeat(np.arange(rows.height), rows.get_column(COPIES).to_numpy())]
