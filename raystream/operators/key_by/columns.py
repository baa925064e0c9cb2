"""The columns that key_by computes."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.keys import canonical_type
from raystream.data.schema import Schema
from raystream.expressions.compiled import Compiled, compiled
from raystream.operators.expressions import check_columns, naming
from raystream.operators.key_by.step import KeyBy, is_function


def output_schema(step: KeyBy, schema: Schema) -> Schema:
    """The columns, keyed; open if a function computes a key of unknown type.

    Raises:
        ConfigurationError: a key is not a column.
    """
    existing = [name for name in step.keys if name not in step.computed]
    check_columns(existing, schema.columns)
    if step.untyped():
        return Schema({}, key=step.keys, open=True)
    made = {name: found.dtype for name, found in compiled_keys(step, schema.columns).items()}
    made |= {name: step.types[name] for name in step.key_functions()}
    columns = {**schema.columns, **made}
    columns |= {name: canonical_type(columns[name]) for name in step.keys}
    return Schema(columns, schema.required - set(step.computed), step.keys)


def compiled_keys(step: KeyBy, columns: Mapping[str, pl.DataType]) -> dict[str, Compiled]:
    """The keys that are expressions, compiled.

    Raises:
        ConfigurationError: one names a missing column or does not fit its types.
    """
    expressions = {n: how for n, how in step.computed.items() if not is_function(how)}
    with naming("key_by"):
        return {name: compiled(how, columns) for name, how in expressions.items()}
