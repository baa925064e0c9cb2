"""StateTable: rows whose integers have other widths than those that are kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import polars as pl
import pytest

from raystream.context import SubtaskContext
from raystream.errors import ConfigurationError
from raystream.ids import SubtaskId
from raystream.operators.tables import StateTable
from raystream.state.fold import Fold
from raystream.state.window_table import WindowTable
from raystream.time.clock import VirtualClock


def opened() -> StateTable[WindowTable]:
    made = partial(WindowTable, ["k"], pane="pane", fold=Fold({"n": "sum"}))
    table = StateTable("panes", ["k"], made)
    where = SubtaskId("chain", 0)
    background = ThreadPoolExecutor(1)
    ctx = SubtaskContext("job", "0" * 8, 1, "step", where, 1, VirtualClock(), background)
    table.open(ctx)
    return table


def rows(kind: pl.DataType, keys: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"k": pl.Series(keys, dtype=kind), "pane": [0] * len(keys), "n": [1] * len(keys)}
    )


def test_wider_integers_make_the_table_wider_and_narrower_ones_fit() -> None:
    state = opened()
    every = ((pl.Int8(), [1, 2]), (pl.Int32(), [2, 70_000]), (pl.Int16(), [1]), (pl.UInt64(), [2]))
    for kind, keys in every:
        table, fitted = state.fitted(rows(kind, keys))
        table.append(fitted)
    assert state.table is not None
    found = state.table.select(0, 1)
    assert dict(found.select("k", "n").rows()) == {1: 2, 2: 3, 70_000: 1}


def test_columns_in_another_order_are_put_in_order() -> None:
    state = opened()
    state.fitted(rows(pl.Int64(), [1]))
    _, fitted = state.fitted(rows(pl.Int64(), [1]).select("n", "k", "pane"))
    assert fitted.columns == ["k", "pane", "n"]


def test_another_type_or_column_is_refused() -> None:
    state = opened()
    state.fitted(rows(pl.Int64(), [1]))
    other = rows(pl.Int64(), [1]).with_columns(pl.col("k").cast(pl.String))
    with pytest.raises(ConfigurationError, match="have 'k' of type Int64, which is String now"):
        state.fitted(other)
    with pytest.raises(ConfigurationError, match="have a column 'n', which no row has now"):
        state.fitted(rows(pl.Int64(), [1]).drop("n"))
