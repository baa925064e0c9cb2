"""Aggregates over all rows of a key up to each row: one accumulator per key goes on.

The partial of each row is merged with those before it by doubling: after n rounds a row has those
of 2^n rows, so a batch costs as many merges as its longest sequence has digits.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from raystream.data.batch import ORDER
from raystream.operators.over.columns import GROUP, ROW
from raystream.operators.window.aggregates import Aggregation, Finished
from raystream.state.keys import Rows


def running(
    aggregation: Aggregation,
    rows: pl.DataFrame,
    sequence: Rows,
    new: Rows,
    before: tuple[Rows, pl.DataFrame],
) -> tuple[Finished, pl.DataFrame]:
    """The aggregates of new rows, and the accumulator behind each.

    Args:
        aggregation: What is computed.
        rows: Rows with their values, by sequence, then in order, with ROW.
        sequence: Number of the sequence of each, rising.
        new: Positions of those whose aggregates are computed.
        before: Sequences that go on, and their accumulators.
    """
    members = rows[new].with_columns(
        pl.col(ROW).cast(pl.Int128()).alias(ORDER),
        pl.Series(GROUP, np.arange(len(new)), pl.Int64()),
    )
    partials = aggregation.partial(members, [GROUP]).sort(GROUP).drop(GROUP)
    goes_on, kept = before
    every = pl.concat([kept.select(partials.columns), partials]) if len(goes_on) else partials
    of = np.concatenate([goes_on, sequence[new]])
    order = np.argsort(of, kind="stable")
    summed = _scanned(aggregation, every[order], of[order])
    back = np.argsort(order, kind="stable")[len(goes_on) :]
    accumulated = summed[back]
    return aggregation.finish(accumulated), accumulated


def _scanned(aggregation: Aggregation, rows: pl.DataFrame, sequence: Rows) -> pl.DataFrame:
    """Each row merged with those of its sequence before it."""
    number = np.arange(len(sequence))
    rank = number - np.searchsorted(sequence, sequence)
    distance = 1
    while (rank >= distance).any():
        later = np.flatnonzero(rank >= distance)
        group = pl.Series(GROUP, np.tile(np.arange(len(later)), 2), pl.Int64())
        both = pl.concat([rows[later - distance], rows[later]]).with_columns(group)
        merged = aggregation.merge(both, GROUP).select(rows.columns)
        rest = np.flatnonzero(rank < distance)
        back = np.argsort(np.concatenate([rest, later]))
        rows = pl.concat([rows[rest], merged])[back]
        distance *= 2
    return rows
