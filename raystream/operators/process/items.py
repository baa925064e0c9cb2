"""Lists of structs as tuples of values and back: without a dict for each item."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

_CELL = "cell"


def items_of(column: pl.Series) -> Iterator[list[tuple[Any, ...]] | None]:
    """The items of each list, as tuples of their fields; None: there is no list.

    >>> column = pl.Series([[{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], None])
    >>> list(items_of(column))
    [[(1, 'x'), (2, 'y')], None]
    """
    sizes = column.list.len()
    flat = column.filter(sizes > 0).explode()
    fields = [field.to_list() for field in flat.struct.unnest().get_columns()]
    rows, at = list(zip(*fields, strict=True)), 0
    for size in sizes.to_list():
        yield None if size is None else rows[at : at + size]
        at += size or 0


def lists_of(
    name: str, cells: Sequence[Collection[tuple[Any, ...]]], dtype: pl.DataType
) -> pl.Series:
    """The column of lists, none of them empty.

    >>> dtype = pl.List(pl.Struct({"a": pl.Int64(), "b": pl.String()}))
    >>> lists_of("s", [[(1, "x"), (2, "y")], [(3, "z")]], dtype).to_list()[1]
    [{'a': 3, 'b': 'z'}]
    """
    assert isinstance(dtype, pl.List)
    assert isinstance(dtype.inner, pl.Struct)
    rows = list(chain.from_iterable(cells))
    items = pl.DataFrame(
        pl.Series(field.name, [row[at] for row in rows], field.dtype, strict=True)
        for at, field in enumerate(dtype.inner.fields)
    )
    cell = np.repeat(np.arange(len(cells)), [len(each) for each in cells])
    numbered = items.to_struct(name).to_frame().with_columns(pl.Series(_CELL, cell))
    return numbered.group_by(_CELL, maintain_order=True).agg(name).get_column(name)
