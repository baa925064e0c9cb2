"""The answer of a whole graph by other code: all rows at once, plain Python, no watermarks.

Steps are known by their words and fields alone, so that no code of an operator is shared.

Of rows that change earlier ones it gives those that are left: the last of each key.

It knows no late rows: the input must not be out of order by more than the source allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from raystream.errors import ConfigurationError
from raystream.graph.logical import Edge, LogicalGraph, Node
from raystream.ids import StepName
from raystream.verify import columns, keyed, windows
from raystream.verify.event_time import time_of
from raystream.verify.joins import asof_join, interval_join, join, lookup
from raystream.verify.over import over
from raystream.verify.process import processed, processed_with
from raystream.verify.rows import TAG, TIME, Row, visible

_UNKNOWN: Mapping[Edge, Sequence[str]] = {}


def evaluate(
    graph: LogicalGraph,
    inputs: Mapping[StepName, Sequence[Mapping[str, Any]]],
    columns: Mapping[Edge, Sequence[str]] = _UNKNOWN,
) -> dict[StepName, list[Row]]:
    """Final rows of every sink.

    Args:
        graph: What the user described.
        inputs: Rows per Read step, by its name.
        columns: Names per output of a step, for joins with an input that has no rows: nothing else
            tells which columns are null in the rows of the other. Default: those of the rows.

    Returns:
        Rows per Write step, by its name; of unspecified order.

    Raises:
        ConfigurationError: A Read step got no rows.
    """
    results: dict[Edge, list[Row]] = {}
    sinks: dict[StepName, list[Row]] = {}
    for node in graph.nodes:
        given = [results.get(edge, []) for edge in node.inputs]
        rows = _read(node, inputs) if node.step.source is not None else _apply(node, given)
        if node.step.word in ("process", "process_with", "split"):
            results |= _by_tag(node, rows)
            rows = results[Edge(node.id)]
        nulls = dict.fromkeys(columns.get(Edge(node.id), ()))
        results[Edge(node.id)] = [{**nulls, **row} for row in rows] if nulls else rows
        if node.step.sink is not None:
            sinks[node.name] = [visible(row) for row in given[0]]
    return sinks


def _read(node: Node, inputs: Mapping[StepName, Sequence[Mapping[str, Any]]]) -> list[Row]:
    if node.name not in inputs:
        what = f"no rows for source {node.name!r}"
        raise ConfigurationError(what, str(node.origin), f"there are: {', '.join(inputs)}")
    step: Any = node.step
    if step.event_time is None:
        return [{**row, TIME: row.get(TIME)} for row in inputs[node.name]]
    return [{**row, TIME: time_of(step, dict(row))} for row in inputs[node.name]]


def _apply(node: Node, inputs: list[list[Row]]) -> list[Row]:
    """One step over all its rows; a table from verb to function."""
    if node.step.word not in _STEPS:
        what = f"no evaluation of {node.step.word}"
        raise ConfigurationError(what, str(node.origin))
    return _STEPS[node.step.word](node.step, *inputs)


def _process(step: Any, rows: list[Row]) -> list[Row]:
    """The rows of all outputs, with their tags."""
    times = [(visible(row), row[TIME]) for row in rows]
    made = processed(step.process, step.keys, times, skips=step.errors != "fail")
    return [{TIME: time, TAG: tag or "main", **row} for tag, row, time in made]


def _process_with(step: Any, left: list[Row], right: list[Row]) -> list[Row]:
    """The same for two streams."""
    skips = step.errors != "fail"
    inputs = [[(visible(row), row[TIME]) for row in rows] for rows in (left, right)]
    made = processed_with(step.process, (step.keys, step.others), inputs, skips=skips)
    return [{TIME: time, TAG: tag or "main", **row} for tag, row, time in made]


def _by_tag(node: Node, rows: list[Row]) -> dict[Edge, list[Row]]:
    step: Any = node.step
    found: dict[Edge, list[Row]] = {Edge(node.id, tag): [] for tag in ("main", *step.tags())}
    for row in rows:
        found[Edge(node.id, row.pop(TAG))].append(row)
    return found


_STEPS: Mapping[str, Callable[..., list[Row]]] = {
    "filter": columns.filtered,
    "select": columns.select,
    "split": columns.split,
    "with_columns": columns.with_columns,
    "drop": columns.drop,
    "dedupe": keyed.dedupe,
    "top": keyed.top,
    "latest": keyed.latest,
    "rename": columns.rename,
    "map": columns.mapped,
    "flat_map": columns.flat_map,
    "filter_rows": columns.filter_rows,
    "map_batches": columns.map_batches,
    "inspect": columns.same,
    "over": over,
    "process": _process,
    "process_with": _process_with,
    "with_event_time": columns.with_event_time,
    "with_processing_time": columns.with_processing_time,
    "interval_join": interval_join,
    "asof_join": asof_join,
    "join": join,
    "lookup": lookup,
    "window_join": windows.window_join,
    "union": columns.union,
    "key_by": columns.key_by,
    "window_aggregate": windows.window_aggregate,
    "window_apply": windows.window_apply,
    "window_reduce": windows.window_reduce,
    "window_top": windows.window_top,
    "reduce": keyed.reduced,
    "group_aggregate": windows.group_aggregate,
    "session_aggregate": windows.session_aggregate,
    "global_aggregate": windows.global_aggregate,
    "write": columns.same,
}


def readers(graph: LogicalGraph) -> Iterable[StepName]:
    """Names of the Read steps, which `evaluate` wants rows for."""
    return [node.name for node in graph.nodes if node.step.source is not None]
