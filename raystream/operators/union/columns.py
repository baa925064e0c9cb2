"""The columns of a union: those common to all inputs."""

from __future__ import annotations

from collections.abc import Sequence

from raystream.data.schema import Schema
from raystream.errors import ConfigurationError


def output_schema(inputs: Sequence[Schema]) -> Schema:
    """Columns of the inputs; not null only if it is so in all, keyed only if all have the same key.

    Raises:
        ConfigurationError: names, order or types differ.
    """
    first = inputs[0]
    for other in inputs[1:]:
        if list(other.columns.items()) != list(first.columns.items()):
            what = f"union of different columns: {_text(first)} and {_text(other)}"
            raise ConfigurationError(what, what_to_do="bring them into one shape with select")
    required = frozenset.intersection(*(schema.required for schema in inputs))
    key = first.key if all(schema.key == first.key for schema in inputs) else ()
    return Schema(first.columns, required, key)


def _text(schema: Schema) -> str:
    return "(" + ", ".join(f"{name} {dtype}" for name, dtype in schema.columns.items()) + ")"
