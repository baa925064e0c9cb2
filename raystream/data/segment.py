"""An immutable piece of state; what an incremental checkpoint uploads once."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows of state that never change.

    Args:
        id: Unique within the step and subtask over all attempts (`<attempt>-<counter>`).
        frame: The rows.
    """

    id: str
    frame: pl.DataFrame
