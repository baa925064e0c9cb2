"""An immutable piece of state; what an incremental checkpoint uploads once."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl


@dataclass(frozen=True, slots=True)
class Segment:
    """Rows of state that never change; two segments of the same id are the same.

    Args:
        id: Unique within the step and subtask over all attempts (`<attempt>-<counter>`).
        frame: The rows.
        disk: Bytes of the file that they are mapped from; 0: they are in memory.
    """

    id: str
    frame: pl.DataFrame = field(compare=False)
    disk: int = field(default=0, compare=False)
