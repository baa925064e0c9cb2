"""The functions of rows, from the rows of their keys in order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from raystream.data.batch import ORDER, TIME
from raystream.graph.over import RowNumber
from raystream.operators.over.columns import GROUP, ROW, Reads
from raystream.operators.over.step import Over
from raystream.operators.window.aggregates import Finished
from raystream.state.keys import Rows, expand

PAIRS = 1_000_000
"""Rows that are aggregated at once, those of overlapping frames counted again."""


def computed(
    step: Over,
    reads: Reads,
    rows: pl.DataFrame,
    key: Rows,
    new: Rows,
    totals: Finished | None = None,
) -> Finished:
    """The functions of some rows, as columns.

    Args:
        step: The step.
        reads: What the functions take.
        rows: Rows with their values, by sequence, then in order, with ROW and TIME.
        key: Number of the sequence of each, rising.
        new: Positions of those whose functions are computed.
        totals: The aggregates, if they are over all rows so far.
    """
    first = np.searchsorted(key, key[new])
    parts: list[pl.DataFrame] = []
    reasons: list[pl.Series] = []
    cut = 0
    if totals is not None:
        cut, parts = totals.cut, [totals.frame.select(*step.aggregates)]
        reasons = [] if totals.reasons is None else [totals.reasons]
    elif step.aggregates:
        low, high = _frames(step, rows, key, new)
        ordered = rows.with_columns(pl.col(ROW).cast(pl.Int128()).alias(ORDER))
        for begin, end in _chunks(high - low):
            counts = (high - low)[begin:end]
            members = ordered[expand(low[begin:end], counts)]
            group = pl.Series(GROUP, np.repeat(np.arange(end - begin), counts), pl.Int64())
            partials = reads.aggregation.partial(members.with_columns(group), [GROUP])
            finished = reads.aggregation.finish(partials.sort(GROUP))
            cut += finished.cut
            parts.append(finished.frame.select(*step.aggregates))
            none = pl.Series("reason", [None], pl.String()).new_from_index(0, end - begin)
            reasons.append(none if finished.reasons is None else finished.reasons)
    columns = {} if not parts else {s.name: s for s in pl.concat(parts).get_columns()}
    for name, lag in step.lags.items():
        at = np.where(new - lag.by >= first, new - lag.by, -1)
        index = pl.select(pl.when(pl.Series(at) >= 0).then(pl.Series(at))).to_series()
        columns[name] = rows.get_column(reads.lagged[name]).gather(index).alias(name)
    for name, function in step.functions.items():
        if isinstance(function, RowNumber):
            columns[name] = rows.get_column(ROW)[new].alias(name)
    frame = pl.DataFrame([columns[name] for name in step.functions])
    return Finished(frame, pl.concat(reasons) if reasons else None, cut)


def _frames(step: Over, rows: pl.DataFrame, key: Rows, new: Rows) -> tuple[Rows, Rows]:
    """First row of the frame of each new row, and the one behind its last."""
    if step.rows is not None:
        return np.maximum(np.searchsorted(key, key[new]), new - step.rows + 1), new + 1
    assert step.range_ms is not None, "aggregates have a frame"
    time = rows.get_column(TIME).to_numpy()
    known, rank = np.unique(time, return_inverse=True)
    place, width = key * (len(known) + 1) + rank, len(known) + 1
    low = key[new] * width + np.searchsorted(known, time[new] - step.range_ms)
    return np.searchsorted(place, low), np.searchsorted(place, place[new], side="right")


def _chunks(counts: Rows) -> Iterator[tuple[int, int]]:
    """Ranges of rows that have about PAIRS rows in their frames."""
    sums = np.concatenate([[0], np.cumsum(counts)])
    begin = 0
    while begin < len(counts):
        end = int(np.searchsorted(sums, sums[begin] + PAIRS, side="right")) - 1
        end = max(begin + 1, end)
        yield begin, end
        begin = end
