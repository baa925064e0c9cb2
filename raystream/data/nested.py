"""What types hold within lists and objects."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl


def holds(dtype: Any, test: Callable[[pl.DataType], bool]) -> bool:
    """Whether a type, or one within its lists and objects, passes a test.

    >>> holds(pl.List(pl.Struct({"x": pl.Float64()})), lambda kind: kind.is_float())
    True
    """
    kind: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    if isinstance(kind, pl.List | pl.Array):
        return holds(kind.inner, test)
    if isinstance(kind, pl.Struct):
        return any(holds(field.dtype, test) for field in kind.fields)
    return test(kind)
