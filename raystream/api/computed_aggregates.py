"""Aggregates as the user writes them: checked, their functions of the row made columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from raystream.api.expressions import check_visible
from raystream.api.origin import wrong
from raystream.api.pipeline import Pipeline, declared
from raystream.api.row_columns import RowColumns, returned_value
from raystream.graph.aggregates import Aggregate
from raystream.graph.logical import Edge
from raystream.graph.policies import ErrorPolicy
from raystream.operators.rows.step import Map


def check_aggregates(verb: str, every: Mapping[str, Any], advice: Callable[[str], str]) -> None:
    """Refuse what is no aggregate.

    Args:
        verb: For messages.
        every: Output column -> what the user gave.
        advice: What helps, by column.

    Raises:
        ConfigurationError: a hidden name, or not an aggregate.
    """
    check_visible(every, verb)
    for column, value in every.items():
        if not isinstance(value, Aggregate):
            text = f"{verb}({column}=) takes an aggregate, not {value!r}"
            raise wrong(text, advice(column))


def with_computed(
    pipeline: Pipeline, edge: Edge, every: Mapping[str, Aggregate], errors: ErrorPolicy
) -> tuple[Edge, dict[str, Aggregate]]:
    """Turn functions of the row inside aggregates into columns in front of the step.

    Returns:
        The rows with these columns, and the aggregates of columns.
    """
    functions: dict[str, Callable[[dict[str, Any]], Any]] = {}
    resolved = {}
    for column, aggregate in every.items():
        made: dict[str, Any] = {}
        for part in ("value", "where", "by"):
            written = getattr(aggregate, part)
            if callable(written):
                functions[f"_{column}_{part}"], made[part] = written, f'"_{column}_{part}"'
        inputs = list(aggregate.inputs)
        for number, written in enumerate(inputs):
            if callable(written):
                part = f"_{column}_{number}"
                functions[part], inputs[number] = written, f'"{part}"'
        resolved[column] = replace(aggregate, inputs=tuple(inputs), **made)
    if not functions:
        return edge, resolved
    told = {
        name: bool if name.endswith("_where") else returned_value(function)
        for name, function in functions.items()
    }
    known = declared({n: t for n, t in told.items() if t is not None}).columns
    adds = {name: known.get(name) for name in functions}
    return pipeline.add(Map(RowColumns(functions), None, adds, errors), (edge,)), resolved
