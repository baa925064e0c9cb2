"""Windows of rows that are counted, from panes: partials of so many rows of a key each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.ids import HIDDEN
from raystream.operators.window.aggregates import Aggregation
from raystream.state.keys import Rows, expand

_GROUP = f"{HIDDEN}group"


@dataclass(frozen=True, slots=True)
class Counting:
    """How windows are made of panes.

    Args:
        rows: Rows of a pane.
        panes: Panes of a window; None: all so far.
    """

    rows: int
    panes: int | None

    def windows(
        self, aggregation: Aggregation, panes: pl.DataFrame, key: Rows, ends: Rows
    ) -> pl.DataFrame:
        """Partials of the windows that end with these panes.

        Args:
            aggregation: What is computed.
            panes: By key, rising.
            key: Number of the key of each, rising.
            ends: Positions of panes.
        """
        if not len(ends):
            return panes.clear()
        if self.panes is None:
            return prefixes(aggregation, panes, key)[ends]
        low = np.maximum(np.searchsorted(key, key[ends]), ends - self.panes + 1)
        counts = ends + 1 - low
        group = pl.Series(_GROUP, np.repeat(np.arange(len(ends)), counts), pl.Int64())
        members = panes[expand(low, counts)].with_columns(group)
        return aggregation.merge(members, _GROUP).drop(_GROUP)


def prefixes(aggregation: Aggregation, panes: pl.DataFrame, key: Rows) -> pl.DataFrame:
    """Each pane with all of its key before it, in log2 n merges (Hillis, Steele 1986).

    Other columns are those of one of the panes.
    """
    count, step = len(key), 1
    place = np.arange(count) - np.searchsorted(key, key)
    while count and step <= int(place.max()):
        longer = np.flatnonzero(place >= step)
        numbers = pl.Series(_GROUP, np.concatenate([np.arange(count), longer]), pl.Int64())
        both = pl.concat([panes, panes[longer - step]]).with_columns(numbers)
        panes = aggregation.merge(both, _GROUP).drop(_GROUP).select(panes.columns)
        step *= 2
    return panes
