"""Values that Python has no objects for: nanoseconds, and times far away."""

from __future__ import annotations

from typing import Any

import polars as pl

from raystream.data.nested import holds
from raystream.data.values import FOREIGN

_DAY = 86_400
_PER_SECOND = {"ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_DAY, _LAST_DAY = -719_162, 2_932_896
"""0001-01-01 and 9999-12-31."""
_LONGEST_DAYS = 999_999_999
"""Of a timedelta."""
_TIMES = (pl.Date, pl.Datetime, pl.Time, pl.Duration)


def beyond_python(frame: pl.DataFrame) -> pl.Series | None:
    """Why a row cannot be a dict of Python's values; None: each can.

    >>> frame = pl.DataFrame({"t": [1000, 1001]}).cast(pl.Datetime("ns"))
    >>> beyond_python(frame).to_list()
    [None, "column 't' has nanoseconds, which datetime has not"]
    >>> frame = pl.DataFrame({"d": [-719_162, -719_163]}).cast(pl.Date)
    >>> beyond_python(frame).to_list()
    [None, "column 'd' has a time that Python has not: it ends at the years 1 and 9999"]
    """
    found: pl.Series | None = None
    for name, dtype in frame.schema.items():
        if not holds(dtype, _is_time):
            continue
        column = frame[name]
        for test, words in _TESTS:
            lost = _any_of(column, test)
            if lost.any():
                what = f"column {name!r} {words}"
                mine = pl.select(pl.when(lost).then(pl.lit(what))).to_series()
                found = mine if found is None else found.zip_with(found.is_not_null(), mine)
    return found


def shown_rows(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows as dicts for people and dead letters: what Python has no object for is text.

    >>> shown_rows(pl.DataFrame({"d": [-719_162, -719_528]}).cast(pl.Date))
    [{'d': datetime.date(1, 1, 1)}, {'d': '0000-01-01'}]
    """
    try:
        return frame.to_dicts()
    except FOREIGN:
        columns = [_shown(column) for column in frame.get_columns()]
        return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def _shown(column: pl.Series) -> list[Any]:
    try:
        return column.to_list()
    except FOREIGN:
        if len(column) > 1:
            middle = len(column) // 2
            return [*_shown(column[:middle]), *_shown(column[middle:])]
        return [_shown_one(column)]


def _shown_one(column: pl.Series) -> Any:
    """The only value of a column, which Python cannot hold as it is."""
    if isinstance(column.dtype, pl.Struct):
        return {name: _shown(column.struct.field(name))[0] for name in column.struct.fields}
    if isinstance(column.dtype, pl.List | pl.Array):
        return _shown(column.explode())
    try:
        return column.cast(pl.String).to_list()[0]
    except FOREIGN:  # Polars has no text for a time some 260,000 years away
        return f"{column.to_physical()[0]} ({column.dtype})"


def _any_of(column: pl.Series, test: Any) -> pl.Series:
    """Whether a value, at any depth, passes the test of a column of times."""
    if isinstance(column.dtype, pl.Struct):
        found = pl.repeat(False, len(column), eager=True)
        for name in column.struct.fields:
            found = found | _any_of(column.struct.field(name), test)
        return found
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if isinstance(column.dtype, pl.List):
        numbers = pl.int_range(len(column), eager=True)
        items = pl.DataFrame({"number": numbers, "item": column}).explode("item")
        return numbers.is_in(items["number"].filter(_any_of(items["item"], test)).implode())
    if not _is_time(column.dtype):
        return pl.repeat(False, len(column), eager=True)
    told: pl.Series = test(column)
    return told.fill_null(value=False)


def _is_time(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Array):
        return holds(dtype, _is_time)
    return isinstance(dtype, _TIMES)


def _has_nanoseconds(column: pl.Series) -> pl.Series:
    """Whether a value has nanoseconds within its microseconds."""
    if column.dtype != pl.Time and getattr(column.dtype, "time_unit", "") != "ns":
        return pl.repeat(False, len(column), eager=True)
    return column.to_physical() % 1000 != 0


def _is_far(column: pl.Series) -> pl.Series:
    """Whether a moment or span is beyond those of Python."""
    dtype = column.dtype
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        far = _beyond(column, _FIRST_DAY, _LAST_DAY)  # Python goes by way of UTC
        near = _beyond(column, _FIRST_DAY + 1, _LAST_DAY - 1) & ~far
        if not near.any():
            return far
        shown = column.set(~near, None).dt.replace_time_zone(None)  # what clocks there show
        return far | _beyond(shown, _FIRST_DAY, _LAST_DAY)
    if isinstance(dtype, pl.Duration):
        return _beyond(column, -_LONGEST_DAYS, _LONGEST_DAYS)
    if dtype == pl.Time:
        return pl.repeat(False, len(column), eager=True)
    return _beyond(column, _FIRST_DAY, _LAST_DAY)


def _beyond(column: pl.Series, first: int, last: int) -> pl.Series:
    """Whether a value is before the first day or behind the last one."""
    unit: str = getattr(column.dtype, "time_unit", "")
    size = _DAY * _PER_SECOND[unit] if unit else 1
    count = column.to_physical().cast(pl.Int64)
    low, high = first * size, (last + 1) * size - 1
    if low < -(2**63) or high >= 2**63:
        return pl.repeat(False, len(column), eager=True)
    return ((count < low) | (count > high)).fill_null(value=False)


_TESTS: tuple[tuple[Any, str], ...] = (
    (_has_nanoseconds, "has nanoseconds, which datetime has not"),
    (_is_far, "has a time that Python has not: it ends at the years 1 and 9999"),
)
