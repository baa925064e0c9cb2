"""What is computed over the rows before each row, beside aggregates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from raystream.graph.aggregates import Aggregate


@dataclass(frozen=True, slots=True)
class RowNumber:
    """Number of the row among those of its key, from 1."""


@dataclass(frozen=True, slots=True)
class Lag:
    """Value of an earlier row of the key; null if there is none.

    Args:
        value: SQL text or pl.Expr, of that row.
        by: How many rows before.
    """

    value: Any
    by: int = 1


OverFunction = Aggregate | RowNumber | Lag
