"""The first rows of windows, as columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from raystream.data.schema import Schema
from raystream.ids import HIDDEN
from raystream.operators.top.columns import check_order
from raystream.operators.window_apply.columns import other_columns

if TYPE_CHECKING:
    from raystream.operators.window_top.step import WindowTop

_PLACE = f"{HIDDEN}standing"


def check(step: WindowTop, schema: Schema) -> None:
    """Refuse an order by columns that do not exist, or have none.

    Raises:
        ConfigurationError: that, or the rank is a column already.
    """
    check_order(step.keys, step.by, step.rank, schema)


def returned(step: WindowTop, schema: Schema) -> Schema:
    """All columns but the key and bounds of windows, and the rank."""
    kept = other_columns(step.keys, schema)
    rank = {} if step.rank is None else {step.rank: pl.Int64()}
    return Schema({**kept, **rank}, (schema.required & kept.keys()) | rank.keys())


def first_rows(step: WindowTop, rows: pl.DataFrame, window: str) -> pl.DataFrame:
    """The first rows of each window, in their order.

    Args:
        step: Says which.
        rows: In the order of event time.
        window: Column with the number of their window.
    """
    by = [pl.col(window), *(pl.col(each.column) for each in step.by)]
    descending = [False, *(each.descending for each in step.by)]
    ordered = rows.sort(by, descending=descending, nulls_last=True, maintain_order=True)
    place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64()).over(window)
    ranked = ordered.with_columns(place.alias(step.rank or _PLACE))
    return ranked.filter(pl.col(step.rank or _PLACE) <= step.number)
