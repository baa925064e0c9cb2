"""Made-up rows of given columns, each another, null among them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl

HEIGHT = 6


def sample(columns: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Rows to try an expression on.

    >>> sample({"a": pl.Int64()})["a"].to_list()
    [3, 1, None, 2, 2, 7]
    """
    made = [_series(name, dtype) for name, dtype in columns.items()]
    return pl.DataFrame(made) if made else pl.DataFrame()


def _series(name: str, dtype: pl.DataType) -> pl.Series:
    values = [None if n == 2 else _value(dtype, n) for n in range(HEIGHT)]
    return pl.Series(name, values, dtype, strict=False)


_NUMBERS = (3, 1, 0, 2, 2, 7)


def _value(dtype: Any, number: int) -> Any:
    n = _NUMBERS[number]
    if isinstance(dtype, pl.List | pl.Array):
        size = dtype.shape[0] if isinstance(dtype, pl.Array) else n % 3
        return [_value(dtype.inner, (number + k) % HEIGHT) for k in range(size)]
    if isinstance(dtype, pl.Struct):
        return {field.name: _value(field.dtype, number) for field in dtype.fields}
    if dtype.is_integer():
        return n
    if dtype.is_float():
        return n + 0.5
    if dtype.is_decimal():
        return Decimal(n)
    at = datetime(2024, 3, n, 10, n, tzinfo=UTC) if n else datetime(2024, 1, 1, tzinfo=UTC)
    if isinstance(dtype, pl.Datetime):
        return at if dtype.time_zone else at.replace(tzinfo=None)
    if isinstance(dtype, pl.Enum):
        return dtype.categories[n % len(dtype.categories)] if len(dtype.categories) else None
    of_kind: dict[Any, Any] = {
        pl.Boolean: bool(n % 2),
        pl.Date: date(2024, 1, n + 1),
        pl.Time: time(n, n),
        pl.Duration: timedelta(hours=n),
        pl.Binary: str(n).encode(),
        pl.Null: None,
    }
    for kind, value in of_kind.items():
        if dtype == kind:
            return value
    return str(n)
