"""Joined rows, assembled from the rows of both streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from raystream.data.batch import TIME
from raystream.data.schema import Schema
from raystream.operators.joins.columns import Pairs, joined_schema, right_names
from raystream.operators.joins.kinds import JoinKind
from raystream.state.keys import Rows

Halves = tuple[pl.DataFrame, pl.DataFrame]
"""Left and right rows."""

NOBODY = -1
"""In place of the number of a row: nulls."""


class JoinedRows:
    """Makes frames of joined rows.

    Args:
        left: Columns of the left stream.
        right: Columns of the right stream.
        on: Key columns.
        kind: Which join.
        suffix: Of right columns whose names the left stream has, too.

    >>> left, right = Schema.of({"k": "int", "a": "int"}), Schema.of({"k": "int", "a": "int"})
    >>> rows = JoinedRows(left, right, [("k", "k")], JoinKind.FULL, "_b")
    >>> one = pl.DataFrame({"k": [1], "a": [2], TIME: [5]})
    >>> rows.of(one, one.with_columns(pl.lit(7, pl.Int64).alias(TIME))).rows()
    [(1, 2, 2, 7)]
    >>> rows.of(None, one).rows()
    [(1, None, 2, 5)]
    """

    def __init__(self, left: Schema, right: Schema, on: Pairs, kind: JoinKind, suffix: str) -> None:
        self._kind = kind
        self._types = joined_schema(left, right, on, kind, suffix).columns
        self._names = right_names(left.names(), right.names(), on, suffix) if kind.pairs else {}
        self._left = left.names()
        self._merged = [mine for mine, theirs in on if mine == theirs]

    def of(self, left: pl.DataFrame | None, right: pl.DataFrame | None) -> pl.DataFrame:
        """Rows side by side; None: all null. Event time is the later one of both."""
        columns: dict[str, pl.Series | None] = dict.fromkeys(self._types)
        if right is not None:
            mine = {name: name for name in self._merged} if left is None else {}
            columns |= {new: right[name] for name, new in {**mine, **self._names}.items()}
        if left is not None:
            columns |= {name: left[name] for name in self._left}
        time = _later(left, right)
        made = [_typed(columns[name], name, kind, len(time)) for name, kind in self._types.items()]
        return pl.DataFrame([*made, time])


def _typed(column: pl.Series | None, name: str, kind: pl.DataType, rows: int) -> pl.Series:
    if column is None:
        return pl.Series(name, [None], dtype=kind).new_from_index(0, rows)
    return (column if column.dtype == kind else column.cast(kind)).alias(name)


def _later(left: pl.DataFrame | None, right: pl.DataFrame | None) -> pl.Series:
    if left is None or right is None:
        only = left if left is not None else right
        assert only is not None
        return only[TIME]
    return pl.Series(TIME, np.maximum(left[TIME].to_numpy(), right[TIME].to_numpy()))


def keys_as(
    rows: pl.DataFrame, mine: Sequence[str], theirs: Sequence[str], types: Mapping[str, Any]
) -> pl.DataFrame:
    """Keys of one stream as those of the other; null where no key of that type is equal.

    >>> keys_as(pl.DataFrame({"a": [7, 300]}), ["a"], ["b"], {"b": pl.Int8()})["b"].to_list()
    [7, None]
    """
    found = [rows[name].alias(new) for name, new in zip(mine, theirs, strict=True)]
    return pl.DataFrame(
        [s if s.dtype == types[s.name] else s.cast(types[s.name], strict=False) for s in found]
    )


def side_by_side(left: Rows, right: Rows, halves: Halves, rows: JoinedRows) -> pl.DataFrame:
    """Rows by the numbers of their halves, in that order.

    Args:
        left: Numbers of left rows, or NOBODY.
        right: Numbers of right rows.
        halves: The rows that the numbers are of.
        rows: Assembles them.
    """
    mine, theirs = halves
    both = np.flatnonzero((left >= 0) & (right >= 0))
    only = np.flatnonzero(right < 0), np.flatnonzero(left < 0)
    parts = [
        (both, rows.of(mine[left[both]], theirs[right[both]])) if len(both) else None,
        (only[0], rows.of(mine[left[only[0]]], None)) if len(only[0]) else None,
        (only[1], rows.of(None, theirs[right[only[1]]])) if len(only[1]) else None,
    ]
    there = [part for part in parts if part is not None]
    if len(there) == 1:
        return there[0][1]
    back = np.argsort(np.concatenate([at for at, _ in there]))
    return pl.concat([frame for _, frame in there], rechunk=True)[back]
