"""What a join asks of a pair beside equal keys, and how long its rows are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from raystream.ids import HIDDEN
from raystream.state.keys import Mask, Rows
from raystream.time.watermark import END_OF_TIME

UNTIL = f"{HIDDEN}until"
"""Int64, epoch ms: no partner of the row can come once the watermark is past it."""

FOREVER = 2**61
"""A time that no watermark reaches before the end."""

Range = tuple[Rows, Rows]


class Condition(ABC):
    """Which pairs of rows with equal keys meet, by event time.

    Attributes:
        width: Slots of the tables of both inputs, ms; see TimeTable.
        extra: Columns that left rows are stored with, beside their own.
    """

    width: tuple[int, int] = (0, 0)
    extra: Mapping[str, pl.DataType] = {}

    @abstractmethod
    def timed(self, frame: pl.DataFrame, port: int) -> pl.DataFrame:
        """Add UNTIL and the extra columns; a null in one of them: the row meets nothing."""

    @abstractmethod
    def reach(self, rows: pl.DataFrame, port: int) -> Range:
        """First and last UNTIL that partners of these rows have."""

    def meet(self, left: pl.DataFrame, right: pl.DataFrame) -> Mask | None:
        """Whether the pairs within reach really meet; None: all do."""
        return None

    def behind(self, watermark: int, *, left: bool, right: bool) -> int:
        """The least event time of pairs to come, and of rows without a match that are given.

        Args:
            watermark: What has been reached.
            left: Whether rows of the left stream are given by themselves.
            right: Whether those of the right stream are.
        """
        return watermark


def clipped(times: npt.NDArray[np.int64]) -> Rows:
    """Times that sums cannot overflow.

    >>> clipped(np.array([2**63 - 1, 5])).tolist() == [FOREVER, 5]
    True
    """
    found: Rows = np.clip(times, -FOREVER, FOREVER)
    return found


assert FOREVER < END_OF_TIME
