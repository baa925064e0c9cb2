"""Column types as people write them, as JSON, and as Polars knows them."""

from __future__ import annotations

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
}
"""The words of a declared schema. Times are whole epoch milliseconds."""

_PYTHON: Mapping[Any, pl.DataType] = {
    int: pl.Int64(),
    float: pl.Float64(),
    str: pl.String(),
    bool: pl.Boolean(),
    bytes: pl.Binary(),
}

_NOT_NULL = "not null"


def parse_type(declared: Any, column: str) -> tuple[pl.DataType, bool]:
    """Type of a declared column, and whether it was declared not null.

    Args:
        declared: A word (`"int"`, `"int not null"`), a Python type (`int`, `list[str]`,
            `Optional[float]`, `Annotated[int, "not null"]`) or a Polars type.
        column: Name of the column, for the message.

    Raises:
        ConfigurationError: it is none of these.

    >>> parse_type("int not null", "ts")
    (Int64, True)
    >>> parse_type(list[str], "tags")
    (List(String), False)
    """
    if isinstance(declared, str):
        return _from_word(declared, column)
    if get_origin(declared) is Annotated:
        inner, *notes = get_args(declared)
        dtype, required = parse_type(inner, column)
        return dtype, required or _NOT_NULL in notes
    return _from_object(declared, column), False


def _from_word(declared: str, column: str) -> tuple[pl.DataType, bool]:
    word = " ".join(declared.lower().split())
    required = word.endswith(_NOT_NULL)
    name = word.removesuffix(_NOT_NULL).strip()
    if name not in NAMES:
        raise _unknown(declared, column)
    return NAMES[name], required


def _from_object(declared: Any, column: str) -> pl.DataType:
    if isinstance(declared, pl.DataType):
        return declared
    if isinstance(declared, type) and issubclass(declared, pl.DataType):
        return declared()
    if declared in _PYTHON:
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
    return ConfigurationError(what, what_to_do=f"write one of {', '.join(NAMES)}")


def to_json(dtype: pl.DataType) -> Any:
    """A column type as a JSON value; `from_json` reads it back.

    Raises:
        ConfigurationError: the type cannot be kept with a checkpoint.

    >>> to_json(pl.List(pl.Int64()))
    {'list': 'Int64'}
    """
    if isinstance(dtype, pl.List):
        return {"list": to_json(_instance(dtype.inner))}
    if isinstance(dtype, pl.Struct):
        return {"struct": [[f.name, to_json(_instance(f.dtype))] for f in dtype.fields]}
    if isinstance(dtype, pl.Datetime):
        return {"datetime": [dtype.time_unit, dtype.time_zone]}
    if isinstance(dtype, pl.Duration):
        return {"duration": dtype.time_unit}
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
    if kind == "datetime":
        return pl.Datetime(rest[0], rest[1])
    return pl.Duration(rest)


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found
