"""What a batch of changes does to the rows that are kept: which are added, which taken back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.data.batch import TIME
from raystream.ids import HIDDEN
from raystream.operators.changing.groups import NUMBER, numbers
from raystream.state.change_table import ID, SIGN
from raystream.state.keys import Mask, Rows

_RANK, _THERE = f"{HIDDEN}rank", f"{HIDDEN}there"


@dataclass(frozen=True, slots=True)
class News:
    """How a batch changes the rows that are kept.

    Args:
        added: New rows.
        gone: Kept rows that are there no more.
        unknown: How many rows were taken back that are not there.
    """

    added: pl.DataFrame
    gone: pl.DataFrame
    unknown: int


def news_of(rows: pl.DataFrame, kept: pl.DataFrame, columns: Sequence[str]) -> News:
    """Additions and retractions in their order, against the rows that are kept.

    Equal rows are told apart by their event time, where a retraction has that of one of them.

    Args:
        rows: Of a batch, with SIGN.
        kept: The rows of their keys that are kept, with ID.
        columns: In which a retraction equals the row that it takes back.

    >>> kept = pl.DataFrame({"n": [5], TIME: [1], ID: [7]})
    >>> rows = pl.DataFrame({"n": [5, 6, 6], TIME: [1, 2, 2], SIGN: [-1, 1, -1]})
    >>> found = news_of(rows, kept, ["n"])
    >>> found.added.height, found.gone[ID].to_list(), found.unknown
    (0, [7], 0)
    """
    every = numbers(pl.concat([rows.select(columns), kept.select(columns)]), columns)
    mine, theirs = every[: rows.height], every[rows.height :]
    groups = int(mine.max()) + 1
    there = np.bincount(theirs[theirs < groups], minlength=groups)
    total, least = _summed(mine, rows[SIGN].to_numpy().astype(np.int64), groups)
    unknown = -np.minimum(there + least, 0)  # those taken back when none was there
    change = total + unknown
    added = _last(rows, mine, np.maximum(change, 0))
    gone = _first(rows, mine, kept, theirs, np.maximum(-change, 0))
    return News(added, gone, int(unknown.sum()))


def _summed(number: Rows, sign: Rows, groups: int) -> tuple[Rows, Rows]:
    """Per group the sum of its signs, and the least of all sums of its first ones."""
    order = np.argsort(number, kind="stable")
    running = np.cumsum(sign[order])
    starts = np.searchsorted(number[order], np.arange(groups))
    before = np.concatenate([[0], running])[starts]
    ends = np.append(starts[1:], len(order)) - 1
    least = np.minimum.reduceat(running, starts) - before
    return running[ends] - before, least


def _last(rows: pl.DataFrame, number: Rows, wanted: Rows) -> pl.DataFrame:
    """Of the rows that are added, the last ones of each group, as many as wanted."""
    added = np.flatnonzero(rows[SIGN].to_numpy() == 1)
    rank = _rank(number[added[::-1]])[::-1]
    return rows[added[rank < wanted[number[added]]]]


def _first(
    rows: pl.DataFrame, mine: Rows, kept: pl.DataFrame, theirs: Rows, wanted: Rows
) -> pl.DataFrame:
    """Of the rows that are kept, as many as wanted, first those with the time of a retraction."""
    at = np.flatnonzero(theirs < len(wanted))
    at = at[wanted[theirs[at]] > 0]
    times, back = kept[TIME].to_numpy()[at], rows[SIGN].to_numpy() == -1
    meant = pl.DataFrame({NUMBER: mine[back], TIME: rows[TIME].to_numpy()[back]})
    here = pl.DataFrame({NUMBER: theirs[at], TIME: times})
    other = ~_found(_ranked(here), _ranked(meant))
    order = np.lexsort((kept[ID].to_numpy()[at], other, theirs[at]))
    at = at[order]
    return kept[at[_rank(theirs[at]) < wanted[theirs[at]]]]


def _ranked(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.int_range(pl.len()).over(NUMBER, TIME).alias(_RANK))


def _found(rows: pl.DataFrame, among: pl.DataFrame) -> Mask:
    """Whether each row is among the others."""
    there = among.with_columns(pl.lit(value=True).alias(_THERE))
    names = among.columns
    joined = rows.join(there, names, "left", maintain_order="left")
    found: Mask = joined[_THERE].fill_null(value=False).to_numpy()
    return found


def _rank(values: Rows) -> Rows:
    """i64[n]: how many equal values are in front of each.

    >>> _rank(np.array([5, 7, 5, 5])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    fresh = np.concatenate([[True], ordered[1:] != ordered[:-1]])[: len(order)]
    starts = np.flatnonzero(fresh)
    found = np.empty(len(order), np.int64)
    found[order] = np.arange(len(order)) - np.repeat(starts, np.diff(np.append(starts, len(order))))
    return found
