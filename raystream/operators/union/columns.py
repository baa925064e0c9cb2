"""The columns of a union: those of all inputs, by name, in the order of the first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from raystream.data.schema import Schema
from raystream.data.widen import widest
from raystream.errors import ConfigurationError


def output_schema(inputs: Sequence[Schema]) -> Schema:
    """Columns of the inputs; not null only if it is so in all, keyed only if all have the same key.

    A column has the narrowest type that holds the values of all inputs exactly.

    Raises:
        ConfigurationError: names differ, or no type holds a column of all inputs.
    """
    first = inputs[0]
    for other in inputs[1:]:
        if other.columns.keys() != first.columns.keys():
            raise different(first, other, "bring them into one shape with select")
    columns = {name: _type(name, inputs) for name in first.columns}
    required = frozenset.intersection(*(schema.required for schema in inputs))
    key = first.key if all(schema.key == first.key for schema in inputs) else ()
    return Schema(columns, required, key)


def _type(name: str, inputs: Sequence[Schema]) -> pl.DataType:
    found = widest([schema.columns[name] for schema in inputs])
    if found is not None:
        return found
    first, kind = inputs[0], inputs[0].columns[name]
    other = next(each for each in inputs if widest([kind, each.columns[name]]) is None)
    what = f"no type holds every {kind} and every {other.columns[name]}"
    raise different(first, other, f"{what} exactly: cast column {name!r} with with_columns")


def widened(inputs: Sequence[Schema], columns: Mapping[str, pl.DataType]) -> dict[str, list[str]]:
    """Columns that get a wider type: the types that they have in the inputs.

    Args:
        inputs: Columns of the inputs.
        columns: Of the output.
    """
    kinds = {name: [schema.columns[name] for schema in inputs] for name in columns}
    return {
        name: list(dict.fromkeys(str(kind) for kind in each if kind != columns[name]))
        for name, each in kinds.items()
        if any(kind != columns[name] for kind in each)
    }


def different(first: Schema, other: Schema, advice: str) -> ConfigurationError:
    """The error for two inputs that do not fit together."""
    what = f"union of different columns: {_text(first)} and {_text(other)}"
    return ConfigurationError(what, what_to_do=advice)


def _text(schema: Schema) -> str:
    return "(" + ", ".join(f"{name} {dtype}" for name, dtype in schema.columns.items()) + ")"
