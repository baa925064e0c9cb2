"""Whether a Python value is a value of a column's type, without any conversion that changes it."""

from __future__ import annotations

import datetime
import decimal
import fractions
import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import polars as pl

_NONE = type(None)

FOREIGN = (Exception, pl.exceptions.PanicException)
"""What a value of a user's function may raise when it is looked at, or make Polars raise."""

_EXACT: Sequence[tuple[type[pl.DataType], frozenset[type]]] = (
    (pl.String, frozenset({str, _NONE})),
    (pl.Boolean, frozenset({bool, _NONE})),
    (pl.Binary, frozenset({bytes, _NONE})),
    (pl.Float64, frozenset({float, _NONE})),
    (pl.Date, frozenset({datetime.date, _NONE})),
    (pl.Null, frozenset({_NONE})),
)
_INTEGERS = frozenset({int, _NONE})


def kinds_of(values: Iterable[Any]) -> frozenset[type]:
    """Python types of some values."""
    return frozenset(map(type, values))


def are_as_read(kinds: frozenset[type], dtype: pl.DataType) -> bool:
    """Whether values of these Python types come out of such a column just as they went in."""
    if dtype.is_integer():
        return kinds <= _INTEGERS
    return any(isinstance(dtype, kind) and kinds <= known for kind, known in _EXACT)


def kinds_fit(kinds: frozenset[type], values: Iterable[Any], dtype: pl.DataType) -> bool:
    """Whether all values, of these Python types, are of the type of a column; see `fits`."""
    if dtype.is_integer() and kinds <= _INTEGERS:
        return True  # what is too large is told when the column is made
    if any(isinstance(dtype, kind) and kinds <= known for kind, known in _EXACT):
        return True
    return all(value is None or fits(value, dtype) for value in values)


def fits(value: Any, dtype: pl.DataType) -> bool:
    """Whether a value, not None, is of a type.

    An integer fits a float column if the float is exactly it; a whole number or a decimal fits a
    decimal column that has its digits; a datetime one that has its unit, with a zone only where
    the column has one; a date, being midnight, a datetime column without zone. A bool is no
    integer, and nothing else is converted.

    >>> fits(3, pl.Float64()), fits(2**53 + 1, pl.Float64()), fits(True, pl.Int64())
    (True, False, False)
    >>> fits({"a": 1}, pl.Struct({"a": pl.Float64()})), fits({"b": 1}, pl.Struct({"a": pl.Int64()}))
    (True, False)
    """
    try:
        return _fits(value, dtype)
    except FOREIGN:
        return False


def _fits(value: Any, dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.List):
        inner = _instance(dtype.inner)
        return is_list(value) and all(item is None or _fits(item, inner) for item in value)
    if isinstance(dtype, pl.Array):
        whole = is_list(value) and len(value) == dtype.size
        return whole and _fits(value, pl.List(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return isinstance(value, Mapping) and _fields_fit(value, dtype)
    return _plain_fits(value, dtype) and _polars_takes(as_plain(value, dtype), dtype)


def as_plain(value: Any, dtype: pl.DataType) -> Any:
    """A value that fits as Polars takes it, also within.

    Dates are midnights where the type wants those, arrays lists, numbers of numpy Python's.
    """
    if isinstance(dtype, pl.Datetime) and type(value) is datetime.date:
        return datetime.datetime.combine(value, datetime.time())
    if isinstance(dtype, pl.List | pl.Array) and is_list(value):
        return [as_plain(item, _instance(dtype.inner)) for item in value]
    if isinstance(dtype, pl.Struct) and isinstance(value, Mapping):
        fields = {field.name: _instance(field.dtype) for field in dtype.fields}
        return {n: as_plain(v, fields[n]) if n in fields else v for n, v in value.items()}
    return value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value


_KINDS: Mapping[type, type] = {
    int: int, float: float, str: str, bool: bool, bytes: bytes, dict: dict, list: list, tuple: list,
}  # fmt: skip


def kind_of(value: Any) -> type:
    """The plain type that a value is one of: a number of numpy is an int, a tuple a list.

    >>> import enum
    >>> kind_of(enum.IntEnum("Level", "LOW").LOW), kind_of((1, 2)), kind_of({1})
    (<class 'int'>, <class 'list'>, <class 'set'>)
    """
    known = _KINDS.get(type(value))
    if known is not None:
        return known
    if hasattr(value, "dtype") and type(value).__name__ in ("bool", "bool_"):
        return bool
    if is_list(value):
        return list
    if _is_span(value):
        return type(value)
    return next((kind for base, kind in _BASES if isinstance(value, base)), type(value))


_BASES: Sequence[tuple[type, type]] = (
    (Integral, int),
    (Real, float),
    (str, str),
    (decimal.Decimal, decimal.Decimal),
    (datetime.datetime, datetime.datetime),
    (datetime.date, datetime.date),
    (datetime.time, datetime.time),
    (datetime.timedelta, datetime.timedelta),
    (Mapping, dict),
)


def shown(value: Any) -> str:
    """A value for a message, cut short."""
    try:
        text = repr(value)
    except FOREIGN:
        text = f"a {type(value).__name__} that cannot be shown"
    return text if len(text) <= 40 else text[:37] + "..."


def _fields_fit(value: Mapping[str, Any], dtype: pl.Struct) -> bool:
    fields = {field.name: _instance(field.dtype) for field in dtype.fields}
    return all(
        name in fields and (item is None or _fits(item, fields[name]))
        for name, item in value.items()
    )


def _plain_fits(value: Any, dtype: pl.DataType) -> bool:
    if kind_of(value) is bool or dtype == pl.Boolean:
        return kind_of(value) is bool and dtype == pl.Boolean
    if dtype.is_integer():
        return _is_whole(value)
    if dtype.is_float():
        return isinstance(value, Real) and not _is_span(value) and _is_float(value, dtype)
    if isinstance(dtype, pl.Decimal):
        return (_is_whole(value) or isinstance(value, decimal.Decimal)) and _has_digits(
            value, dtype
        )
    if isinstance(dtype, pl.Datetime):
        return isinstance(value, datetime.date) and _is_moment(value, dtype)
    if isinstance(dtype, pl.Duration):
        return isinstance(value, datetime.timedelta) and (
            dtype.time_unit != "ms" or value.microseconds % 1000 == 0
        )
    if dtype == pl.Date:
        return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
    if dtype == pl.Time:
        return isinstance(value, datetime.time) and value.tzinfo is None
    if dtype == pl.Binary:
        return isinstance(value, bytes | bytearray | memoryview)
    return isinstance(value, str) or not isinstance(dtype, pl.String | pl.Categorical | pl.Enum)


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not _is_span(value)


def _is_span(value: Any) -> bool:
    """Numpy registers its durations as integers."""
    return getattr(getattr(value, "dtype", None), "kind", "") == "m"


def _is_float(value: Any, dtype: pl.DataType) -> bool:
    if isinstance(value, Integral):
        try:
            as_float = float(value)
        except OverflowError:
            return False
        if int(as_float) != int(value):
            return False
    number = float(value)
    if isinstance(value, fractions.Fraction) and fractions.Fraction(number) != value:
        return False
    if dtype != pl.Float32 or not math.isfinite(number):
        return True
    return bool(pl.Series([number], dtype=pl.Float32).cast(pl.Float64)[0] == number)


def _has_digits(value: Any, dtype: pl.Decimal) -> bool:
    number = decimal.Decimal(int(value)) if isinstance(value, Integral) else value
    if not number.is_finite():
        return False
    _, digits, exponent = number.normalize(decimal.Context(prec=100)).as_tuple()
    assert isinstance(exponent, int)
    scale = max(0, -exponent)
    whole = max(0, len(digits) + exponent)
    return scale <= dtype.scale and whole + dtype.scale <= (dtype.precision or 38)


def _is_moment(value: datetime.date, dtype: pl.Datetime) -> bool:
    if not isinstance(value, datetime.datetime):
        return dtype.time_zone is None
    zoned = value.tzinfo is not None
    exact = dtype.time_unit != "ms" or value.microsecond % 1000 == 0
    return exact and zoned == (dtype.time_zone is not None)


def _polars_takes(value: Any, dtype: pl.DataType) -> bool:
    if value is None:  # NaT of numpy is no text
        return False
    try:
        made = pl.Series([value], dtype=dtype, strict=True)
    except FOREIGN:
        return False
    return made.dtype == dtype


def is_list(value: Any) -> bool:
    """Whether it is a list, a tuple or an array of numpy; a named tuple has fields, and is none."""
    if type(value) in (list, tuple):
        return True
    array = (
        hasattr(value, "tolist") and hasattr(value, "__len__") and getattr(value, "ndim", None) != 0
    )
    return bool(array) and not isinstance(value, str | bytes)


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
