"""From the value of a step to its operator and its output columns; operators are loaded lazily."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from raystream.data.schema import Schema
from raystream.graph import steps
from raystream.operators.operator import Operator

_MODULES: Mapping[type, tuple[str, str]] = {
    steps.Filter: ("filter.operator", "Filter"),
    steps.Select: ("select.operator", "Select"),
    steps.WithColumns: ("with_columns.operator", "WithColumns"),
    steps.Drop: ("drop.operator", "Drop"),
    steps.MapBatches: ("map_batches.operator", "MapBatches"),
    steps.KeyBy: ("key_by.operator", "KeyBy"),
    steps.RowFunctions: ("rows.operator", "RowFunctions"),
    steps.WindowLocal: ("window.local", "WindowLocal"),
    steps.WindowGlobal: ("window.operator", "WindowGlobal"),
    steps.WithEventTime: ("with_event_time.operator", "WithEventTime"),
    steps.Union: ("union.operator", "Union"),
}

_ROW_FUNCTIONS = (steps.Map, steps.FlatMap, steps.FilterRows)


def create(step: steps.Step) -> Operator:
    """A new operator for one subtask.

    A single Map, FlatMap or FilterRows becomes RowFunctions of one; a WindowAggregate that was not
    split by the planner becomes a WindowGlobal over rows. Read and Write are not operators.

    Raises:
        TypeError: the step has no operator.
    """
    step = _normal(step)
    if type(step) not in _MODULES:
        what = f"{type(step).__name__} has no operator"
        raise TypeError(what)
    module, name = _MODULES[type(step)]
    operator: Operator = getattr(import_module(f"raystream.operators.{module}"), name)(step)
    return operator


def output_schema(step: steps.Step, inputs: Sequence[Schema]) -> Schema:
    """Columns that a step puts out.

    Args:
        step: The step; of a WindowGlobal the inputs are those of its WindowAggregate, before any
            WindowLocal (partials have hidden columns only).
        inputs: Columns of its inputs, in order.

    Returns:
        The columns; an open schema where only the first output of the user's function tells them.

    Raises:
        ConfigurationError: the step does not fit the columns; without `where`.
        TypeError: the step has no operator.
    """
    step = _normal(step)
    if any(schema.open for schema in inputs):
        return _behind_open(step, inputs[0])
    if isinstance(step, steps.Union):
        return _function("union.operator")(step, inputs)
    if isinstance(step, steps.WindowGlobal):
        return _function("window.operator")(step.aggregate, inputs[0])
    if type(step) not in _MODULES:
        what = f"{type(step).__name__} has no operator"
        raise TypeError(what)
    return _function(_MODULES[type(step)][0])(step, inputs[0])


def _normal(step: steps.Step) -> steps.Step:
    if isinstance(step, _ROW_FUNCTIONS):
        return steps.RowFunctions((step,))
    if isinstance(step, steps.WindowAggregate):
        return steps.WindowGlobal(step, pre_aggregated=False)
    return step


def _behind_open(step: steps.Step, schema: Schema) -> Schema:
    """Nothing can be checked yet; what was declared is known all the same."""
    if isinstance(step, steps.RowFunctions | steps.MapBatches):
        return _function(_MODULES[type(step)][0])(step, schema)
    if isinstance(step, steps.KeyBy):
        return Schema({}, key=step.keys, open=True)
    if isinstance(step, steps.WindowGlobal | steps.WindowLocal):
        return Schema({}, key=step.aggregate.keys, open=True)
    keeps_key = isinstance(step, steps.Filter | steps.WithColumns | steps.WithEventTime)
    return Schema({}, key=schema.key if keeps_key else (), open=True)


def _function(module: str) -> Callable[[Any, Any], Schema]:
    found: Callable[[Any, Any], Schema] = import_module(
        f"raystream.operators.{module}"
    ).output_schema
    return found
