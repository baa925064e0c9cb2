"""ChangeTable: a TimeTable whose rows may be taken back, and count something of their own.

Nothing is looked up to change a row: a row is the sum of its entries. The first adds it (SIGN 1), a
last one takes it back (SIGN -1), those between them only add to its COUNT. Merges sum them up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from raystream.ids import HIDDEN
from raystream.state.keys import Rows
from raystream.state.run import Run
from raystream.state.time_table import Found, TimeTable

ID = f"{HIDDEN}id"
"""Int64: number of the row, the same in all of its entries."""

SIGN = f"{HIDDEN}sign"
"""Int8: 1 adds the row, -1 takes it back, 0 only counts."""

COUNT = f"{HIDDEN}count"
"""Int64: what the entry adds to the count of the row."""

ENTRY = {ID: pl.Int64(), SIGN: pl.Int8(), COUNT: pl.Int64()}
"""Columns of an entry beside those of the row."""


class ChangeTable(TimeTable):
    """Entries of rows; all entries of a row have the same values, keys and time.

    >>> columns = {"k": pl.String(), "t": pl.Int64(), **ENTRY}
    >>> table = ChangeTable(["k"], columns, time="t", width=0, prefix="0")
    >>> row = pl.DataFrame({"k": ["a"], "t": [1], ID: [7], SIGN: [1], COUNT: [2]})
    >>> row = row.cast({SIGN: pl.Int8})
    >>> table.append(row)
    >>> table.append(row.with_columns(pl.lit(0, pl.Int8()).alias(SIGN)))
    >>> asked, low, high = pl.DataFrame({"k": ["a"]}), np.array([0]), np.array([9])
    >>> table.rows_of(asked, low, high)[1][COUNT].to_list()
    [4]
    >>> table.append(row.with_columns(pl.lit(-1, pl.Int8()).alias(SIGN)))
    >>> table.rows_of(asked, low, high)[1].height
    0
    """

    def rows_of(self, keys: pl.DataFrame, low: Rows, high: Rows) -> Found:
        """The rows of key i with low[i] <= time <= high[i], and their counts; see `fetch`."""
        who, rows = self.fetch(keys, low, high)
        sign = rows[SIGN].to_numpy()
        if (sign == 1).all():
            return who, rows
        order, starts = _groups(rows[ID].to_numpy(), sign, who)
        live = np.add.reduceat(sign[order], starts) == 1
        counts = np.add.reduceat(rows[COUNT].to_numpy()[order], starts)[live]
        first = order[starts][live & (sign[order[starts]] == 1)]
        return who[first], rows[first].with_columns(pl.Series(COUNT, counts, pl.Int64()))

    def _reduced(self, runs: Sequence[Run], *, whole: bool) -> Run | None:
        run = super()._reduced(runs, whole=whole)
        if run is None or (run.frame[SIGN] == 1).all():
            return run
        sign = run.frame[SIGN].to_numpy()
        order, starts = _groups(run.frame[ID].to_numpy(), sign)
        added = sign[order[starts]] == 1
        gone = np.minimum.reduceat(sign[order], starts) == -1
        counts = np.add.reduceat(run.frame[COUNT].to_numpy()[order], starts)
        keep = ~(added & gone) & (added | (not whole))  # of the oldest, nothing older is added
        at = order[starts][keep]
        signs = np.where(added, 1, np.where(gone, -1, 0))[keep]
        back = np.argsort(at)  # as the run was ordered
        sums = signs[back], counts[keep][back]
        frame = run.frame[at[back]].with_columns(
            pl.Series(SIGN, sums[0], pl.Int8()), pl.Series(COUNT, sums[1], pl.Int64())
        )
        buckets = run.bucket_of_rows()[at[back]] if self._width else None
        return Run.of(frame, run.hashes[at[back]], buckets) if len(at) else None


def _groups(ids: Rows, sign: Rows, who: Rows | None = None) -> tuple[Rows, Rows]:
    """Entries row by row, the one that adds it first, and where each row starts."""
    order = np.lexsort((-sign, ids) if who is None else (-sign, ids, who))
    fresh = ids[order][1:] != ids[order][:-1]
    if who is not None:
        fresh |= who[order][1:] != who[order][:-1]
    return order, np.concatenate([[0], np.flatnonzero(fresh) + 1])
