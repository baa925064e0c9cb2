"""RowOrder: the place of each row in its split, as an increasing number; for `first` and `last`.

Rows are counted per split from the start of the job, and the counts are stored with its positions:
after a restart a row has the same place as before. Rows of two splits are ordered by a hash of the
split's name: any order will do that is the same in every run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import polars as pl

from raystream.data.batch import ORDER
from raystream.ids import SplitId


class RowOrder:
    """Adds data.batch.ORDER to the rows of a source subtask.

    Args:
        headers: Headers of all former subtasks.
    """

    def __init__(self, headers: Sequence[Mapping[str, Any]]) -> None:
        self._counts: dict[SplitId, int] = {}
        for header in headers:
            for split, count in header.get("rows", {}).items():
                self._counts[split] = max(count, self._counts.get(split, 0))

    def placed(self, frame: pl.DataFrame, runs: Sequence[tuple[SplitId, int]]) -> pl.DataFrame:
        """The rows with their places.

        Args:
            frame: Rows, run by run.
            runs: Split and number of rows.
        """
        if not frame.height:
            return frame.with_columns(pl.lit(None, pl.Int128).alias(ORDER))
        places = [self._places(split, number) for split, number in runs if number]
        return frame.hstack([pl.concat(places).alias(ORDER)])

    def header(self) -> dict[SplitId, int]:
        """Number of rows of each split that have a place."""
        return dict(self._counts)

    def _places(self, split: SplitId, number: int) -> pl.Series:
        start = self._counts.get(split, 0)
        self._counts[split] = start + number
        rows = pl.int_range(start, start + number, dtype=pl.Int64, eager=True)
        return rows.cast(pl.Int128) + pl.Series([_rank(split) << 64], dtype=pl.Int128)


def _rank(split: SplitId) -> int:
    return int.from_bytes(blake2b(str(split).encode(), digest_size=7).digest())
