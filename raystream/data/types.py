"""Column types as people write them, as JSON, and as Polars knows them."""

from __future__ import annotations

import datetime
import decimal
import re
import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any, get_args, get_origin

import polars as pl

from raystream.errors import ConfigurationError

NAMES: Mapping[str, pl.DataType] = {
    "int": pl.Int64(),
    "float": pl.Float64(),
    "string": pl.String(),
    "bool": pl.Boolean(),
    "binary": pl.Binary(),
    "timestamp_ms": pl.Int64(),
    "timestamp_s": pl.Int64(),
    "timestamp_us": pl.Int64(),
    "timestamp_ns": pl.Int64(),
    "iso8601": pl.String(),
    "date": pl.Date(),
    "time": pl.Time(),
    "datetime": pl.Datetime("us"),
    "timestamp": pl.Datetime("us", "UTC"),
    "duration": pl.Duration("us"),
    "bytes": pl.Binary(),
}
"""The words of a declared schema, beside `decimal(p, s)`; docs/formats.md says what they read.

`timestamp_ms` is whole epoch milliseconds; `datetime` has no zone, `timestamp` is UTC.
"""

DECIMAL = r"(?:decimal|numeric) ?\( ?([1-9]|[12][0-9]|3[0-8]) ?(?:, ?([0-9]|[12][0-9]|3[0-8]) ?)?\)"
"""`decimal(p, s)`: p digits, 1 to 38, s of them behind the point (without s: none)."""

_PYTHON: Mapping[Any, pl.DataType] = {
    int: pl.Int64(),
    float: pl.Float64(),
    str: pl.String(),
    bool: pl.Boolean(),
    bytes: pl.Binary(),
    decimal.Decimal: pl.Decimal(38, 9),
    datetime.datetime: pl.Datetime("us"),
    datetime.date: pl.Date(),
    datetime.time: pl.Time(),
    datetime.timedelta: pl.Duration("us"),
}

_NOT_NULL = "not null"

_UNITS = {"timestamp_s": "s", "timestamp_ms": "ms", "timestamp_us": "us", "timestamp_ns": "ns"}


def declared_unit(declared: Any) -> str | None:
    """The unit of event time that a declared type says; None: none.

    >>> declared_unit("timestamp_s not null"), declared_unit("iso8601"), declared_unit(int)
    ('s', 'iso8601', None)
    """
    notes = get_args(declared) if get_origin(declared) is Annotated else (declared,)
    for note in notes:
        word = (
            " ".join(note.lower().split()).removesuffix(_NOT_NULL) if isinstance(note, str) else ""
        )
        found = _UNITS.get(word.strip(), "iso8601" if word.strip() == "iso8601" else None)
        if found is not None:
            return found
    return None


def parse_type(declared: Any, column: str) -> tuple[pl.DataType, bool]:
    """Type of a declared column, and whether it was declared not null.

    Args:
        declared: A word (`"int"`, `"int not null"`, `"decimal(18,2)"`), a Python type (`int`,
            `list[str]`, `Optional[float]`, `Annotated[int, "not null"]`,
            `Annotated[Decimal, "decimal(18,2)"]`) or a Polars type.
        column: Name of the column, for the message.

    Raises:
        ConfigurationError: it is none of these.

    >>> parse_type("int not null", "ts")
    (Int64, True)
    >>> parse_type(list[str], "tags")
    (List(String), False)
    >>> parse_type("decimal(18,2) not null", "price")
    (Decimal(precision=18, scale=2), True)
    """
    if isinstance(declared, str):
        return _from_word(declared, column)
    if get_origin(declared) is Annotated:
        inner, *notes = get_args(declared)
        words = [note for note in notes if isinstance(note, str) and note != _NOT_NULL]
        exact = inner is decimal.Decimal and bool(words)
        dtype, required = parse_type(words[0] if exact else inner, column)
        return dtype, required or _NOT_NULL in notes
    return _from_object(declared, column), False


def _from_word(declared: str, column: str) -> tuple[pl.DataType, bool]:
    word = " ".join(declared.lower().split())
    required = word.endswith(_NOT_NULL)
    name = word.removesuffix(_NOT_NULL).strip()
    found = re.fullmatch(DECIMAL, name)
    if found:
        return _decimal(int(found[1]), int(found[2] or 0), declared, column), required
    if name not in NAMES:
        raise _unknown(declared, column)
    return NAMES[name], required


def _decimal(precision: int, scale: int, declared: str, column: str) -> pl.DataType:
    if scale <= precision:
        return pl.Decimal(precision, scale)
    what = f"column {column!r}: {declared!r} has more digits behind the point than digits"
    raise ConfigurationError(what, what_to_do="write decimal(18,2): 18 digits, 2 of them behind it")


def _from_object(declared: Any, column: str) -> pl.DataType:
    if isinstance(declared, pl.DataType):
        return declared
    if isinstance(declared, type) and issubclass(declared, pl.DataType):
        return declared()
    if isinstance(declared, type) and declared in _PYTHON:
        return _PYTHON[declared]
    return _from_generic(declared, column)


def _from_generic(declared: Any, column: str) -> pl.DataType:
    origin = get_origin(declared)
    if origin in (typing.Union, types.UnionType):
        others = [part for part in get_args(declared) if part is not type(None)]
        if len(others) == 1:
            return parse_type(others[0], column)[0]
    if origin is list:
        return pl.List(parse_type(get_args(declared)[0], column)[0])
    fields = getattr(declared, "__annotations__", None)
    if isinstance(declared, type) and fields:
        hints = typing.get_type_hints(declared, include_extras=True)
        return pl.Struct({name: parse_type(hint, column)[0] for name, hint in hints.items()})
    raise _unknown(declared, column)


def _unknown(declared: Any, column: str) -> ConfigurationError:
    what = f"column {column!r}: {declared!r} is not a type"
    return ConfigurationError(what, what_to_do=f"write one of {', '.join(NAMES)}, decimal(18,2)")


def to_json(dtype: pl.DataType) -> Any:
    """A column type as a JSON value; `from_json` reads it back.

    Raises:
        ConfigurationError: the type cannot be kept with a checkpoint.

    >>> to_json(pl.List(pl.Int64()))
    {'list': 'Int64'}
    """
    if isinstance(dtype, pl.List):
        return {"list": to_json(_instance(dtype.inner))}
    if isinstance(dtype, pl.Array) and len(dtype.shape) == 1:
        return {"array": [to_json(_instance(dtype.inner)), dtype.size]}
    if isinstance(dtype, pl.Enum):
        return {"enum": dtype.categories.to_list()}
    if isinstance(dtype, pl.Struct):
        return {"struct": [[f.name, to_json(_instance(f.dtype))] for f in dtype.fields]}
    if isinstance(dtype, pl.Datetime):
        return {"datetime": [dtype.time_unit, dtype.time_zone]}
    if isinstance(dtype, pl.Duration):
        return {"duration": dtype.time_unit}
    if isinstance(dtype, pl.Decimal):
        return {"decimal": [dtype.precision, dtype.scale]}
    name = str(dtype)
    if isinstance(getattr(pl, name, None), type):
        return name
    what = f"columns of type {name} cannot be kept with a checkpoint"
    raise ConfigurationError(what, what_to_do="cast them to string or a number")


def from_json(value: Any) -> pl.DataType:
    """The inverse of `to_json`."""
    if isinstance(value, str):
        return _instance(getattr(pl, value))
    kind, rest = next(iter(value.items()))
    if kind == "list":
        return pl.List(from_json(rest))
    if kind == "struct":
        return pl.Struct({name: from_json(inner) for name, inner in rest})
    if kind == "array":
        return pl.Array(from_json(rest[0]), rest[1])
    if kind == "enum":
        return pl.Enum(rest)
    if kind == "datetime":
        return pl.Datetime(rest[0], rest[1])
    if kind == "decimal":
        return pl.Decimal(rest[0], rest[1])
    return pl.Duration(rest)


def word_of(dtype: pl.DataType) -> str | None:
    """The word for a type, None if there is none.

    >>> word_of(pl.Float64()), word_of(pl.Decimal(18, 2)), word_of(pl.List(pl.Int64()))
    ('float', 'decimal(18,2)', None)
    """
    if isinstance(dtype, pl.Decimal):
        return f"decimal({dtype.precision},{dtype.scale})"
    return next((word for word, known in NAMES.items() if known == dtype), None)


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
