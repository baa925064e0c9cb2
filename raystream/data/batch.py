"""A batch: a Polars frame whose hidden columns (ids.HIDDEN in front) carry what is not the user's.

Hidden columns travel with their rows through every operator: `select`, `drop` and `map` never
lose event time, as a record of Flink never loses its timestamp.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from raystream.ids import HIDDEN as HIDDEN  # noqa: PLC0414 - re-export

TIME = f"{HIDDEN}time"
"""Int64, epoch ms: the event time of the row. In every batch before a window."""

ORDER = f"{HIDDEN}order"
"""Int128: place of the record a row came from, greater the later it is in its partition; null where
no single record is known. Only where the plan needs it (runtime/row_order.py)."""

PLACE = f"{HIDDEN}place"
"""Int64: number of the record a row came from in this subtask, for errors of functions that run in
the chain of a source (runtime/origins.py). It never leaves the chain."""

IS_FINAL = f"{HIDDEN}final"
"""Boolean: nothing replaces this row any more. Only behind a window that emits early rows."""

MESSAGE_KEY = f"{HIDDEN}key"
"""Binary, nullable: key of the record a row came from; only where the plan needs it."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows.

    Args:
        frame: User columns and hidden columns.
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        """Number of rows."""
        return self.frame.height

    def user_columns(self) -> list[str]:
        """Names of the columns the user sees, in order."""
        return [name for name in self.frame.columns if not name.startswith(HIDDEN)]

    def user_frame(self) -> pl.DataFrame:
        """The frame as the user sees it."""
        return self.frame.select(self.user_columns())
