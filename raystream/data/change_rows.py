"""Changes as columns: what takes rows back, the log, upserts."""

from __future__ import annotations

import polars as pl

from raystream.data.changes import CHANGE, OP, RowKind


def is_gone() -> pl.Expr:
    """Whether a row takes another back: an update before, or a delete.

    >>> pl.DataFrame({CHANGE: [0, 1, 2, 3]}).select(is_gone()).to_series().to_list()
    [False, True, False, True]
    """
    return pl.col(CHANGE).is_in([RowKind.UPDATE_BEFORE.value, RowKind.DELETE.value])


def as_log(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows with the name of their kind in a first column `op`.

    >>> as_log(pl.DataFrame({CHANGE: [1, 2], "n": [3, 4]}))["op"].to_list()
    ['update_before', 'update_after']
    """
    names = {kind.value: kind.name.lower() for kind in RowKind}
    op = frame.get_column(CHANGE).replace_strict(names, return_dtype=pl.String()).alias(OP)
    return frame.drop(CHANGE).insert_column(0, op)


def as_upserts(frame: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """The rows without those that a following row of the same key replaces.

    What is left is an UPDATE_AFTER that sets the row of its key, or a DELETE that removes it.

    >>> rows = pl.DataFrame({CHANGE: [1, 2, 1, 2], "k": ["a", "a", "a", "b"]})
    >>> as_upserts(rows, ["k"]).rows()
    [(2, 'a'), (3, 'a'), (2, 'b')]
    """
    same = pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).shift(-1)) for name in key)
    following = pl.col(CHANGE).shift(-1) == RowKind.UPDATE_AFTER.value
    replaced = (pl.col(CHANGE) == RowKind.UPDATE_BEFORE.value) & following & same
    kind = pl.when(is_gone()).then(RowKind.DELETE.value).otherwise(RowKind.UPDATE_AFTER.value)
    kept = frame.filter(~replaced.fill_null(value=False))
    return kept.with_columns(kind.cast(pl.Int8()).alias(CHANGE))
