"""The years 1 to 9999: beyond them calendars end, and Polars stops the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import polars as pl

from raystream.expressions.bounds import Limits, always_in, of_column

if TYPE_CHECKING:
    from raystream.expressions.values import Typed

FIRST_MS, LAST_MS = -62_135_596_800_000, 253_402_300_799_999
"""Years 1 to 9999, in epoch ms."""

_DAY_MS = 86_400_000
_PER_MS = {"ms": 1, "us": 1000}


def inside(value: pl.Expr) -> pl.Expr:
    """A timestamp; null beyond the years."""
    return pl.when(value.dt.epoch("ms").is_between(FIRST_MS, LAST_MS)).then(value)


def may_be_far(part: Typed) -> bool:
    """Whether a value can be beyond them at all: nanoseconds end before."""
    dtype = part.dtype
    if part.in_calendar:
        return False
    return dtype == pl.Date or (isinstance(dtype, pl.Datetime) and dtype.time_unit != "ns")


def near(part: Typed) -> pl.Expr:
    """A date or timestamp; null beyond the years."""
    if not may_be_far(part):
        return part.value
    low, high = _ends(part)
    return pl.when(part.value.to_physical().is_between(low, high)).then(part.value)


def always_near(part: Typed) -> Callable[[Limits], bool] | None:
    """Whether all times of a column are; not known of what is computed."""
    if not part.value.meta.is_column():
        return None
    return always_in(of_column(part.value.meta.output_name()), *_ends(part))


def _ends(part: Typed) -> tuple[int, int]:
    if part.dtype == pl.Date:
        return FIRST_MS // _DAY_MS, LAST_MS // _DAY_MS
    per = _PER_MS[getattr(part.dtype, "time_unit", "us")]
    return FIRST_MS * per, LAST_MS * per + per - 1
