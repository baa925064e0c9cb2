"""The answer of a whole graph by other code: all rows at once, plain Python, no watermarks.

Steps are known by their words and fields alone, so that no code of an operator is shared.

Of rows that change earlier ones it gives those that are left: the last of each key.

It knows no late rows: the input must not be out of order by more than the source allows.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import polars as pl

from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.logical import Edge, LogicalGraph, Node
from raystream.graph.windows import Hopping, Tumbling, Window
from raystream.ids import HIDDEN, StepName
from raystream.verify.event_time import time_of
from raystream.verify.joins import asof_join, interval_join, join, window_join
from raystream.verify.local_windows import local_windows_of
from raystream.verify.process import processed

Row = dict[str, Any]
_TIME, _WANTED, _TAG = f"{HIDDEN}time", f"{HIDDEN}wanted", f"{HIDDEN}tag"


def evaluate(
    graph: LogicalGraph, inputs: Mapping[StepName, Sequence[Mapping[str, Any]]]
) -> dict[StepName, list[Row]]:
    """Final rows of every sink.

    Args:
        graph: What the user described.
        inputs: Rows per Read step, by its name.

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
        if node.step.word == "process":
            results |= _by_tag(node, rows)
            rows = results[Edge(node.id)]
        results[Edge(node.id)] = rows
        if node.step.sink is not None:
            sinks[node.name] = [_visible(row) for row in rows]
    return sinks


def _read(node: Node, inputs: Mapping[StepName, Sequence[Mapping[str, Any]]]) -> list[Row]:
    if node.name not in inputs:
        what = f"no rows for source {node.name!r}"
        raise ConfigurationError(what, str(node.origin), f"there are: {', '.join(inputs)}")
    step: Any = node.step
    if step.event_time is None:
        return [{**row, _TIME: row.get(_TIME)} for row in inputs[node.name]]
    return [{**row, _TIME: time_of(step, dict(row))} for row in inputs[node.name]]


def _apply(node: Node, inputs: list[list[Row]]) -> list[Row]:
    """One step over all its rows; a table from verb to function."""
    if node.step.word not in _STEPS:
        what = f"no evaluation of {node.step.word}"
        raise ConfigurationError(what, str(node.origin))
    return _STEPS[node.step.word](node.step, *inputs)


def _visible(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith(HIDDEN)}


def column(expression: Any, rows: Sequence[Row]) -> list[Any]:
    """Values of an expression (SQL text, Polars expression or callable), one per row."""
    if not rows:
        return []
    if callable(expression) and not isinstance(expression, pl.Expr):
        return [expression(_visible(row)) for row in rows]
    frame = pl.DataFrame(list(rows), infer_schema_length=None)
    wanted = compiled(expression, frame.schema).value
    return frame.with_columns(wanted.alias(_WANTED)).get_column(_WANTED).to_list()


def _filter(step: Any, rows: list[Row]) -> list[Row]:
    kept = column(step.condition, rows)
    return [row for row, keep in zip(rows, kept, strict=True) if keep]


def _select(step: Any, rows: list[Row]) -> list[Row]:
    columns = {_name(wanted): _values(wanted, rows) for wanted in step.columns}
    columns |= {name: column(written, rows) for name, written in step.computed.items()}
    return [
        {_TIME: row[_TIME], **{name: values[number] for name, values in columns.items()}}
        for number, row in enumerate(rows)
    ]


def _name(wanted: Any) -> str:
    return wanted if isinstance(wanted, str) else str(wanted.meta.output_name())


def _values(wanted: Any, rows: list[Row]) -> list[Any]:
    return [row[wanted] for row in rows] if isinstance(wanted, str) else column(wanted, rows)


def _with_columns(step: Any, rows: list[Row]) -> list[Row]:
    return _add(step.columns, rows)


def _add(columns: Mapping[str, Any], rows: list[Row]) -> list[Row]:
    added = {name: column(expression, rows) for name, expression in columns.items()}
    return [
        {**row, **{name: values[number] for name, values in added.items()}}
        for number, row in enumerate(rows)
    ]


def _drop(step: Any, rows: list[Row]) -> list[Row]:
    return [{n: v for n, v in row.items() if n not in step.columns} for row in rows]


def _rename(step: Any, rows: list[Row]) -> list[Row]:
    return [{step.columns.get(name, name): value for name, value in row.items()} for row in rows]


def _dedupe(step: Any, rows: list[Row]) -> list[Row]:
    if step.last:
        return _last(step, rows)
    passed: dict[tuple[Any, ...], int] = {}
    found = []
    for row in rows:
        key = tuple(_comparable(row[name]) for name in step.columns)
        until = passed.get(key)
        if until is None or (step.within_ms is not None and row[_TIME] - step.within_ms > until):
            passed[key] = row[_TIME]
            found.append(row)
    return found


def _top(step: Any, rows: list[Row]) -> list[Row]:
    """The first rows of each key when all have come; no key is forgotten."""
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[tuple(_comparable(row[name]) for name in step.keys)].append(row)
    found = []
    for members in groups.values():
        ordered = members
        for order in reversed(step.by):
            ordered = _sorted(ordered, order.column, descending=order.descending)
        for place, row in enumerate(ordered[: step.number]):
            found.append(row if step.rank is None else {**row, step.rank: place + 1})
    return found


def _sorted(rows: list[Row], name: str, *, descending: bool) -> list[Row]:
    """Nulls last, NaN greatest; equal rows stay in order."""
    known = [row for row in rows if row[name] is not None]
    odd = [row for row in known if row[name] != row[name]]  # noqa: PLR0124
    usual = [row for row in known if row[name] == row[name]]  # noqa: PLR0124
    usual.sort(key=lambda row: row[name], reverse=descending)  # stable, reversed too
    nulls = [row for row in rows if row[name] is None]
    return [*odd, *usual, *nulls] if descending else [*usual, *odd, *nulls]


def _last(step: Any, rows: list[Row]) -> list[Row]:
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        key = tuple(_comparable(row[name]) for name in step.columns)
        if (
            key not in found
            or found[key][_TIME] is None
            or row[_TIME] is not None
            and (row[_TIME] >= found[key][_TIME])
        ):
            found[key] = row
    return list(found.values())


def _comparable(value: Any) -> Any:
    """NaN is one value; lists and objects by what is in them."""
    if isinstance(value, list):
        return tuple(map(_comparable, value))
    if isinstance(value, dict):
        return tuple((name, _comparable(inner)) for name, inner in value.items())
    return "NaN" if value != value else value  # noqa: PLR0124


def _map(step: Any, rows: list[Row]) -> list[Row]:
    return [{_TIME: row[_TIME], **step.function(_visible(row))} for row in rows]


def _flat_map(step: Any, rows: list[Row]) -> list[Row]:
    return [{_TIME: row[_TIME], **new} for row in rows for new in step.function(_visible(row))]


def _filter_rows(step: Any, rows: list[Row]) -> list[Row]:
    return [row for row in rows if step.function(_visible(row))]


def _process(step: Any, rows: list[Row]) -> list[Row]:
    """The rows of all outputs, with their tags."""
    times = [(_visible(row), row[_TIME]) for row in rows]
    made = processed(step.process, step.keys, times, skips=step.errors != "fail")
    return [{_TIME: time, _TAG: tag or "main", **row} for tag, row, time in made]


def _by_tag(node: Node, rows: list[Row]) -> dict[Edge, list[Row]]:
    step: Any = node.step
    found: dict[Edge, list[Row]] = {Edge(node.id, tag): [] for tag in ("main", *step.tagged)}
    for row in rows:
        found[Edge(node.id, row.pop(_TAG))].append(row)
    return found


def _map_batches(step: Any, rows: list[Row]) -> list[Row]:
    if step.batch_format != "polars":
        what = f"map_batches with batch_format {step.batch_format!r} is not evaluated"
        raise ConfigurationError(what)
    if not rows:
        return []
    frame = step.function(pl.DataFrame([_visible(row) for row in rows], infer_schema_length=None))
    made: list[Row] = frame.to_dicts()
    times = [row[_TIME] for row in rows] if len(made) == len(rows) else [None] * len(made)
    return [{_TIME: time, **row} for time, row in zip(times, made, strict=True)]


def _with_event_time(step: Any, rows: list[Row]) -> list[Row]:
    return [{**row, _TIME: time_of(step, row)} for row in rows]


def _union(step: Any, *inputs: list[Row]) -> list[Row]:
    return [row for rows in inputs for row in rows]


def _window_join(step: Any, left: list[Row], right: list[Row]) -> list[Row]:
    """A row per row and window; then windows are keys like others."""
    inputs = [[row | _bounds(w) for row in rows for w in windows_of(step.window, row[_TIME])]
              for rows in (left, right)]  # fmt: skip
    return window_join(step, *inputs)


def _bounds(window: tuple[int, int]) -> Row:
    return dict(zip(("window_start", "window_end"), window, strict=True))


def _same(step: Any, rows: list[Row]) -> list[Row]:
    return rows


def _key_by(step: Any, rows: list[Row]) -> list[Row]:
    return _add(step.computed, rows) if step.computed else rows


def _group_aggregate(step: Any, rows: list[Row]) -> list[Row]:
    """The last row of each key, as if all rows were one batch; no key is forgotten."""
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        groups[tuple(_comparable(row[name]) for name in step.keys)].append(number)
    values = _values_of(step, rows)
    times = [row[_TIME] for row in rows]
    return [
        {
            _TIME: max((times[m] for m in members if times[m] is not None), default=None),
            **{name: rows[members[0]][name] for name in step.keys},
            **{
                name: _finish(asked, members, times, *values[name])
                for name, asked in step.aggregates.items()
            },
        }
        for members in groups.values()
    ]


def _values_of(step: Any, rows: list[Row]) -> dict[str, tuple[Any, Any]]:
    """Values and conditions of the aggregates, per row."""
    return {
        name: (
            None if asked.value is None else column(asked.value, rows),
            None if asked.where is None else column(asked.where, rows),
        )
        for name, asked in step.aggregates.items()
    }


def _aggregate(step: Any, rows: list[Row]) -> list[Row]:
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        key = tuple(row[name] for name in step.keys)
        for start, end in windows_of(step.window, row[_TIME]):
            groups[(*key, start, end)].append(number)
    values = _values_of(step, rows)
    names = (*step.keys, "window_start", "window_end")
    times = [row[_TIME] for row in rows]
    return [
        {
            _TIME: group[-1] - 1,
            **dict(zip(names, group, strict=True)),
            **{
                name: _finish(asked, members, times, *values[name])
                for name, asked in step.aggregates.items()
            },
        }
        for group, members in groups.items()
    ]


def _session_aggregate(step: Any, rows: list[Row]) -> list[Row]:
    """By key and time: a row farther than the reach of all before begins a session."""
    keys: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        keys[tuple(_comparable(row[name]) for name in step.keys)].append(number)
    values, times = _values_of(step, rows), [row[_TIME] for row in rows]
    found = []
    for members in keys.values():
        for session, reach in _sessions(step.window, rows, members):
            of_key = {name: rows[members[0]][name] for name in step.keys}
            bounds = {"window_start": min(times[m] for m in session), "window_end": reach}
            made = {
                name: _finish(asked, session, times, *values[name])
                for name, asked in step.aggregates.items()
            }
            found.append({_TIME: reach - 1, **of_key, **bounds, **made})
    return found


def _sessions(window: Any, rows: list[Row], members: list[int]) -> list[tuple[list[int], int]]:
    """Rows of each session of one key, and its end."""
    found: list[tuple[list[int], int]] = []
    for number in sorted(members, key=lambda m: rows[m][_TIME]):
        row = rows[number]
        end = row[_TIME] + (window.gap_ms or _milliseconds(row[window.column]))
        if found and row[_TIME] <= found[-1][1]:
            before, reach = found.pop()
            found.append(([*before, number], max(reach, end)))
        else:
            found.append(([number], end))
    return found


def _milliseconds(gap: Any) -> int:
    return gap // timedelta(milliseconds=1) if isinstance(gap, timedelta) else int(gap)


def windows_of(window: Window, time: int) -> list[tuple[int, int]]:
    """The windows that a time belongs to: (start, end), end exclusive.

    >>> windows_of(Hopping(size_ms=20, slide_ms=10), 25)
    [(20, 40), (10, 30)]
    >>> from raystream.graph.windows import Cumulative
    >>> windows_of(Cumulative(max_size_ms=30, step_ms=10), 12)
    [(0, 20), (0, 30)]
    """
    if window.time_zone is not None:
        return local_windows_of(window, time)
    if isinstance(window, Tumbling):
        start = time - (time - window.offset_ms) % window.size_ms
        return [(start, start + window.size_ms)]
    if isinstance(window, Hopping):
        last = time - (time - window.offset_ms) % window.slide_ms
        starts = range(last, time - window.size_ms, -window.slide_ms)
        return [(start, start + window.size_ms) for start in starts]
    start = time - (time - window.offset_ms) % window.max_size_ms
    ends = range(start + window.step_ms, start + window.max_size_ms + 1, window.step_ms)
    return [(start, end) for end in ends if time < end]


def _finish(
    asked: Aggregate,
    members: Sequence[int],
    times: Sequence[int],
    values: Sequence[Any] | None,
    where: Sequence[Any] | None,
) -> Any:
    chosen = [number for number in members if where is None or where[number]]
    if values is None:
        return len(chosen)
    if asked.kind in (AggregateKind.FIRST, AggregateKind.LAST):
        counted = sorted(chosen, key=lambda number: times[number])
    else:
        counted = [number for number in chosen if values[number] is not None]
    return _AGGREGATES[asked.kind]([values[number] for number in counted])


def _mean(values: Sequence[Any]) -> Any:
    """Of decimals with six digits behind the point at least, halves away from zero."""
    if not isinstance(values[0], Decimal):
        return sum(values) / len(values)
    digits = max(6, *(-int(value.as_tuple().exponent) for value in values))
    exact = Fraction(sum(map(Fraction, values)), len(values)) * 10**digits
    rounded = math.floor(abs(exact) + Fraction(1, 2))
    return Decimal(rounded if exact >= 0 else -rounded).scaleb(-digits)


def _variance(values: Sequence[Any]) -> float | None:
    """Divided by n - 1."""
    if len(values) < 2:
        return None
    finite = all(math.isfinite(value) for value in values)
    return statistics.variance(map(float, values)) if finite else math.nan


def _greatest(values: Sequence[Any]) -> Any:
    """NaN is greater than every number."""
    odd = [value for value in values if value != value]  # noqa: PLR0124 - only NaN is not itself
    return odd[0] if odd else max(values)


def _least(values: Sequence[Any]) -> Any:
    usual = [value for value in values if value == value]  # noqa: PLR0124 - only NaN is not itself
    return min(usual) if usual else values[0]


def _or_none(function: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
    return lambda values: function(values) if values else None


_AGGREGATES: Mapping[AggregateKind, Callable[[Sequence[Any]], Any]] = {
    AggregateKind.COUNT: len,
    AggregateKind.SUM: sum,
    AggregateKind.MIN: _or_none(_least),
    AggregateKind.MAX: _or_none(_greatest),
    AggregateKind.MEAN: _or_none(_mean),
    AggregateKind.FIRST: _or_none(lambda values: values[0]),
    AggregateKind.LAST: _or_none(lambda values: values[-1]),
    AggregateKind.COUNT_DISTINCT: lambda values: len({_comparable(value) for value in values}),
    AggregateKind.VARIANCE: _variance,
    AggregateKind.STDDEV: lambda values: (
        math.sqrt(_variance(values) or 0.0) if len(values) > 1 else None
    ),
}

_STEPS: Mapping[str, Callable[..., list[Row]]] = {
    "filter": _filter,
    "select": _select,
    "with_columns": _with_columns,
    "drop": _drop,
    "dedupe": _dedupe,
    "top": _top,
    "rename": _rename,
    "map": _map,
    "flat_map": _flat_map,
    "filter_rows": _filter_rows,
    "map_batches": _map_batches,
    "inspect": _same,
    "process": _process,
    "with_event_time": _with_event_time,
    "interval_join": interval_join,
    "asof_join": asof_join,
    "join": join,
    "window_join": _window_join,
    "union": _union,
    "key_by": _key_by,
    "window_aggregate": _aggregate,
    "group_aggregate": _group_aggregate,
    "session_aggregate": _session_aggregate,
    "write": _same,
}


def readers(graph: LogicalGraph) -> Iterable[StepName]:
    """Names of the Read steps, which `evaluate` wants rows for."""
    return [node.name for node in graph.nodes if node.step.source is not None]
