"""Types learnt from samples: an inferred number is an integer only if all samples are integers."""

from __future__ import annotations

import datetime
import decimal
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.data.nested import holds
from raystream.data.schema import Schema
from raystream.data.values import kind_of
from raystream.errors import ConfigurationError


class NoColumns(ConfigurationError):  # noqa: N818 - says what was found
    """There are records, but none of them tells columns.

    Args:
        records: How many were looked at.
        where: The source.
    """

    def __init__(self, records: int, where: str) -> None:
        what = f"none of the first {records} records tells which columns there are"
        super().__init__(what, where, "declare them: p.read(.., schema={..})")


_PLAIN: Mapping[type, pl.DataType] = {
    bool: pl.Boolean(),
    int: pl.Int64(),
    float: pl.Float64(),
    str: pl.String(),
    bytes: pl.Binary(),
    datetime.date: pl.Date(),
    datetime.time: pl.Time(),
    datetime.timedelta: pl.Duration("us"),
}

_UNKNOWN = pl.Null()


def infer_schema(rows: Iterable[Mapping[str, Any]]) -> Schema | None:
    """Schema of sample rows; columns in the order in which they are first seen, all nullable.

    Where samples disagree the type that most of them have wins (the others will not fit); a column
    that is always null becomes a string.

    Returns:
        The schema, or None if there is no row with a column.

    >>> infer_schema([{"n": 1, "x": 2}, {"n": 3, "x": 0.5}]).columns
    {'n': Int64, 'x': Float64}
    """
    samples: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            if isinstance(name, str) and not name.startswith(HIDDEN):
                samples.setdefault(name, []).append(value)
    if not samples:
        return None
    return Schema({name: _settled(infer_type(values)) for name, values in samples.items()})


def infer_type(values: Iterable[Any]) -> pl.DataType:
    """Type of some values of one column; `pl.Null` if all are null."""
    present = [value for value in values if value is not None]
    kinds = Counter(kind_of(value) for value in present)
    if not kinds:
        return _UNKNOWN
    kind = _common(kinds)
    chosen = [value for value in present if kind_of(value) is kind]
    if kind is dict:
        return _struct(chosen)
    if kind is list:
        return pl.List(infer_type([item for value in chosen for item in value]))
    if kind is decimal.Decimal:
        return _decimal(chosen)
    if kind is datetime.datetime:
        return _moment(chosen)
    return _PLAIN.get(kind, pl.Object())


def _common(kinds: Counter[type]) -> type:
    """The kind that all values are of, else that of most; the others will not fit."""
    for both, wider in _WIDER.items():
        if set(kinds) == both:
            return wider
    return kinds.most_common(1)[0][0]


_WIDER: Mapping[frozenset[type], type] = {
    frozenset({int, float}): float,
    frozenset({int, decimal.Decimal}): decimal.Decimal,
    frozenset({datetime.date, datetime.datetime}): datetime.datetime,
}


def _decimal(values: Sequence[decimal.Decimal]) -> pl.DataType:
    """As many digits behind the point as any has; more than there can be do not fit."""
    exponents = [value.as_tuple().exponent for value in values]
    digits = [-exponent for exponent in exponents if isinstance(exponent, int)]
    return pl.Decimal(38, min(38, max([0, *digits])))


def _moment(values: Sequence[datetime.datetime]) -> pl.DataType:
    """The zone that all have, UTC if they have several; without one where most have none."""
    zones = Counter(None if v.tzinfo is None else getattr(v.tzinfo, "key", "UTC") for v in values)
    if 2 * zones[None] >= len(values):
        return pl.Datetime("us")
    named = [zone for zone in zones if zone is not None]
    return pl.Datetime("us", named[0] if len(named) == 1 else "UTC")


def column_type(name: str, values: Iterable[Any]) -> pl.DataType:
    """The same, for what a user's function gives.

    Raises:
        ConfigurationError: no column can hold such values.
    """
    given = list(values)
    found = infer_type(given)
    if not _holds_objects(found):
        return found
    kinds = sorted({type(value).__name__ for value in given if value is not None})
    what = f"column {name!r}: no column can hold {' and '.join(kinds)}"
    raise ConfigurationError(what, what_to_do="give text, numbers, times, lists or dicts")


def _holds_objects(dtype: pl.DataType) -> bool:
    return holds(dtype, lambda kind: kind == pl.Object)


def widened(dtype: pl.DataType | None, before: pl.DataType | None) -> pl.DataType | None:
    """A type learnt from samples, completed by that of the column it probably came from.

    Args:
        dtype: As learnt; null where no sample told it.
        before: Type of the column of the same name before; None: there was none.

    Returns:
        The type; None if a part of it is not known.

    >>> widened(pl.Null(), pl.Int64()), widened(pl.List(pl.Null()), None)
    (Int64, None)
    """
    if dtype is None or dtype == _UNKNOWN:
        return before
    if isinstance(dtype, pl.List):
        old = from_inner(before) if isinstance(before, pl.List) else None
        inner = widened(from_inner(dtype), old)
        return None if inner is None else pl.List(inner)
    if not isinstance(dtype, pl.Struct):
        return dtype
    if isinstance(before, pl.Struct) and not _says_more(dtype, before):
        return before
    return None if any(field.dtype == _UNKNOWN for field in dtype.fields) else dtype


def _says_more(dtype: pl.Struct, before: pl.Struct) -> bool:
    """Whether a field is new, or of another type; text may be a field that was always null."""
    old = {field.name: field.dtype for field in before.fields}
    return any(
        field.name not in old or field.dtype not in (old[field.name], _UNKNOWN, pl.String)
        for field in dtype.fields
    )


def _struct(values: list[Mapping[str, Any]]) -> pl.DataType:
    fields: dict[str, list[Any]] = {}
    for value in values:
        for name, item in value.items():
            fields.setdefault(name, []).append(item)
    if not all(isinstance(name, str) for name in fields):
        return pl.Object()
    if not fields:
        return _UNKNOWN
    return pl.Struct({name: _settled(infer_type(items)) for name, items in fields.items()})


def _settled(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.List):
        return pl.List(_settled(from_inner(dtype)))
    return pl.String() if dtype == _UNKNOWN else dtype


def from_inner(dtype: pl.List) -> pl.DataType:
    """The type of a list's items, as an instance."""
    return _instance(dtype.inner)


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
