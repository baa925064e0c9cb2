"""What functions without declared columns give: they are called with a few rows before a run.

So every column of every edge has one type, the same in all subtasks, and from then on in all runs:
it is kept with the checkpoint (plan/restore.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.inference import widened
from raystream.data.made_rows import made_rows
from raystream.data.rows import to_rows
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, RaystreamError
from raystream.graph.logical import Edge, Node
from raystream.graph.policies import ErrorPolicy
from raystream.graph.steps import (
    FilterRows,
    FlatMap,
    HasErrors,
    KeyBy,
    Map,
    MapBatches,
    Read,
    RowFunctions,
    WindowAggregate,
    Write,
)
from raystream.ids import StepName, SubtaskId
from raystream.operators.base import Output
from raystream.operators.map_batches import frame_of
from raystream.operators.registry import create
from raystream.operators.rows import as_row
from raystream.operators.user_code import called, defined_at
from raystream.plan.schemas import node_outputs, read_columns, resolved_step, typed
from raystream.time.clock import VirtualClock
from raystream.time.watermark import END_OF_TIME, Watermark

ROWS = 100
"""Rows that a function is called with; all that were read if these do not tell a type."""

RowsOf = Callable[[Node], pl.DataFrame | None]
"""A few rows of a Read with its hidden columns; None: there are none now."""


def learn_functions(
    nodes: Sequence[Node],
    reads: Mapping[StepName, Schema],
    known: Mapping[StepName, Schema],
    rows_of: RowsOf,
    *,
    strict: bool,
) -> dict[StepName, Schema]:
    """Types of what functions give; see `plan.schemas.typed` for their form.

    Args:
        nodes: All that are used, in topological order.
        reads: Columns of each Read that nobody declared.
        known: Types that the last checkpoint keeps: they stay.
        rows_of: Asked only where a function's types are not known.
        strict: What cannot be known is an error also where there are no rows.

    Raises:
        ConfigurationError: a function gives nothing that tells its columns; names its line and
            says how to declare them.
    """
    return _Learning(nodes, reads, known, rows_of, strict=strict).run()


class _Learning:
    def __init__(
        self,
        nodes: Sequence[Node],
        reads: Mapping[StepName, Schema],
        known: Mapping[StepName, Schema],
        rows_of: RowsOf,
        *,
        strict: bool,
    ) -> None:
        self._nodes = nodes
        self._reads = reads
        self._found: dict[StepName, Schema] = {}
        self._known = known
        self._rows_of = rows_of
        self._strict = strict
        self._schemas: dict[Edge, Schema] = {}
        self._by_id = {node.id: node for node in nodes}
        self._frames: dict[Edge, pl.DataFrame] = {}
        self._dry: set[int] = set()

    def run(self) -> dict[StepName, Schema]:
        """Step by step, in topological order."""
        for node in self._nodes:
            inputs = [self._schemas[edge] for edge in node.inputs]
            mine = self._of_read(node) if isinstance(node.step, Read) else typed(node, self._known)
            if mine is not node and not isinstance(node.step, Read):
                self._found[node.name] = self._known[node.name]
            if is_untyped(resolved_step(mine.step, inputs)) and not any(s.open for s in inputs):
                mine = self._learn(mine)
            for tag, schema in node_outputs(mine, inputs).items():
                self._schemas[Edge(node.id, tag)] = schema
            self._by_id[node.id] = mine
        return self._found

    def _of_read(self, node: Node) -> Node:
        step: Any = node.step
        payload = step.schema or self._reads.get(node.name) or Schema({}, open=True)
        return replace(node, step=replace(step, schema=read_columns(step, payload)))

    # -- one function ----------------------------------------------------------------------------

    def _learn(self, node: Node) -> Node:
        (edge,) = node.inputs
        schema, rows = self._schemas[edge], self._frame(edge)
        failed: list[str] = []
        given = [rows.head(ROWS)] if rows.height else []
        given += [rows] if rows.height > ROWS else []
        given += [made_rows(schema).with_columns(pl.lit(0, pl.Int64).alias(TIME))]
        if not any(self._gave(node, each, schema, failed) for each in given):
            return self._unknown(node, schema, failed, rows.height)
        return typed(node, self._found)

    def _gave(self, node: Node, frame: pl.DataFrame, schema: Schema, failed: list[str]) -> bool:
        """Whether the function told all its columns."""
        user = frame.select(schema.names())
        try:
            told, reason = _told(node.step, user)
        except RaystreamError as error:
            told, reason = None, error.what
        if reason:
            failed.append(reason)
        if not told:
            return False
        complete = {name: widened(dtype, schema.columns.get(name)) for name, dtype in told.items()}
        lacking = [name for name, dtype in complete.items() if dtype is None]
        if lacking:
            failed.append(f"column {lacking[0]!r} was null in every row")
            return False
        self._found[node.name] = Schema({n: d for n, d in complete.items() if d is not None})
        return True

    def _unknown(self, node: Node, schema: Schema, failed: list[str], rows: int) -> Node:
        if not self._strict and not rows:
            return node
        step: Any = node.step
        functions = getattr(step, "computed", None) or {"": getattr(step, "function", None)}
        places = [defined_at(f) for f in functions.values() if callable(f)]
        reason = failed[0] if failed else "it gave no row"
        what = f"step {node.name!r}: the types of what its function gives are not known: {reason}"
        tried = f"the {rows} rows it was tried with" if rows else "a made-up row"
        advice = f"(seen with {tried}) {_how(step)}"
        raise ConfigurationError(what, str(node.origin) or next(iter(places), ""), advice)

    # -- rows on their way ---------------------------------------------------------------------

    def _frame(self, edge: Edge) -> pl.DataFrame:
        """A few rows of an output, hidden columns with them."""
        if edge.source not in self._dry:
            self._dry.add(edge.source)
            node = self._by_id[edge.source]
            made = self._rows(node)
            for tag, frame in made.items():
                self._frames[Edge(node.id, tag)] = frame
        if edge not in self._frames:
            self._frames[edge] = self._schemas[edge].empty()
        return self._frames[edge]

    def _rows(self, node: Node) -> dict[str, pl.DataFrame]:
        if isinstance(node.step, Read):
            frame = self._rows_of(node)
            return {} if frame is None else {"main": frame}
        inputs = [self._schemas[edge] for edge in node.inputs]
        frames = [self._frame(edge) for edge in node.inputs]
        step: Any = resolved_step(node.step, inputs)
        if isinstance(step, Write) or not any(frame.height for frame in frames):
            return {}
        if isinstance(step, HasErrors):
            step = replace(step, errors=ErrorPolicy.SKIP)
        try:
            return _worked(step, inputs[0], node.name, frames)
        except Exception:  # noqa: BLE001 - told when it runs; here it only tells no rows
            return {}


def is_untyped(step: object) -> bool:
    """Whether only a call of the user's function tells the columns.

    >>> is_untyped(Map(dict)), is_untyped(Map(dict, {"n": "int"}))
    (True, False)
    """
    if isinstance(step, Map | FlatMap | MapBatches):
        return step.schema is None
    return isinstance(step, KeyBy) and not set(_functions(step)) <= step.types.keys()


def _functions(step: KeyBy) -> dict[str, Callable[[Any], Any]]:
    return {n: f for n, f in step.computed.items() if callable(f) and not isinstance(f, pl.Expr)}


def _told(step: Any, user: pl.DataFrame) -> tuple[dict[str, pl.DataType | None], str]:
    """Type of each column as the function gives it, and why rows gave none."""
    if isinstance(step, MapBatches):
        return dict(frame_of(step, user).schema), ""
    rows = to_rows(user)
    if isinstance(step, KeyBy):
        return _told_keys(step, rows)
    results, bad = called(step.function, rows, go_on=True)
    if isinstance(step, FlatMap):
        results, more = called(list, results, go_on=True)
        bad += more
        results = [row for each in results for row in each]
    made = [row for result in results if (row := as_row(result)) is not None]
    reason = bad[0].reason if bad else ""
    if not made and results:
        reason = f"the function gave {type(results[0]).__name__}, not a dict"
    columns: dict[str, list[Any]] = {}
    for row in made:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    if isinstance(step, Map) and step.adds is not None:
        columns = {name: columns[name] for name in step.adds if name in columns}
    return {name: _type(values) for name, values in columns.items()}, reason


def _told_keys(step: KeyBy, rows: list[Any]) -> tuple[dict[str, pl.DataType | None], str]:
    found: dict[str, pl.DataType | None] = {}
    for name, function in _functions(step).items():
        results, bad = called(function, rows, go_on=True)
        if not results:
            return {}, bad[0].reason if bad else ""
        found[name] = step.types.get(name) or _type(results)
    return found, ""


def _type(values: list[Any]) -> pl.DataType:
    from raystream.data.inference import infer_type

    return infer_type(values)


def _how(step: object) -> str:
    if isinstance(step, KeyBy):
        return "declare it: annotate what the function returns, as in def key(row) -> str"
    if isinstance(step, Map) and step.adds is not None:
        return "declare it: annotate what the function returns, as in def total(row) -> float"
    if isinstance(step, MapBatches):
        return 'declare them: schema={"id": "int", ..}'
    return 'declare them: schema={"id": "int", ..}, or annotate the return with a TypedDict'


# -- an operator that runs by itself ---------------------------------------------------------


class _Tray(Output):
    def __init__(self) -> None:
        self.frames: dict[str, list[pl.DataFrame]] = {}

    def emit(self, batch: Batch, tag: str = "") -> None:
        self.frames.setdefault(tag or "main", []).append(batch.frame)

    def consumed(self, tag: str) -> bool:
        return False


def _worked(
    step: Any, schema: Schema, name: StepName, frames: Sequence[pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """What one step makes of some rows."""
    if isinstance(step, Map | FlatMap | FilterRows):
        step = RowFunctions((step,))
    operator, tray = create(step), _Tray()
    me = SubtaskId(name, 0)
    clock = VirtualClock()
    ctx = SubtaskContext("sample", "00000000", 0, name, me, 1, clock, _Nothing(), keys=schema.key)
    operator.open(ctx, tray)
    for frame in frames:
        if frame.height:
            operator.process(Batch(frame))
    if isinstance(step, WindowAggregate):
        operator.on_watermark(Watermark(END_OF_TIME))
        while operator.has_more():
            operator.proceed()
    return {tag: pl.concat(made, how="vertical") for tag, made in tray.frames.items()}


class _Nothing(Executor):
    """No step that is tried has anything to wait for."""
