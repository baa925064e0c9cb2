"""What steps do to small frames many times per batch, past the engine of expressions.

A call of Polars' `select`, `drop` or `with_columns` builds and runs a plan: 0.1 ms however few the
rows are. The same with columns that are there costs a fifth or less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_MOST = 2**32 - 1


def narrowed(frame: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """Some columns, in this order.

    >>> narrowed(pl.DataFrame({"a": [1], "b": [2], "c": [3]}), ["c", "a"]).row(0)
    (3, 1)
    """
    wanted = list(names)
    return frame[wanted] if wanted else frame.select()


def replaced(frame: pl.DataFrame, columns: Sequence[pl.Series]) -> pl.DataFrame:
    """With these columns: in place of those that have their names, else behind the others.

    >>> frame = pl.DataFrame({"a": [1], "b": [2]})
    >>> replaced(frame, [pl.Series("c", [3]), pl.Series("a", [4])]).row(0, named=True)
    {'a': 4, 'b': 2, 'c': 3}
    """
    found = frame.clone()
    for column in columns:
        if column.name in found.columns:
            found.replace_column(found.columns.index(column.name), column)
        else:
            found.insert_column(found.width, column)
    return found


def gathered(frame: pl.DataFrame, rows: npt.NDArray[np.int64]) -> pl.DataFrame:
    """The rows of these numbers, none of them negative; numbers in the type of Polars' own index.

    >>> import numpy as np
    >>> gathered(pl.DataFrame({"a": [5, 6, 7]}), np.array([2, 0]))["a"].to_list()
    [7, 5]
    """
    if frame.height > _MOST:
        return frame[rows]
    return frame[pl.Series(values=rows.astype("uint32", copy=False))]


def constant(name: str, value: object, kind: pl.DataType, rows: int) -> pl.Series:
    """A column of equal values.

    >>> constant("a", 7, pl.Int8(), 2).to_list()
    [7, 7]
    """
    return pl.Series(name, [value], dtype=kind).new_from_index(0, rows)
