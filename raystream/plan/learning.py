"""Learn return types of undeclared functions by calling them with a few rows before a run.

So every column of every edge has one type, the same in all subtasks, and then in all later runs:
it is kept with the checkpoint (plan/restore.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace

import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import TIME, Batch
from raystream.data.beyond_python import beyond_python
from raystream.data.inference import column_type, widened
from raystream.data.made_rows import made_rows
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, RaystreamError
from raystream.graph.logical import Edge, Node
from raystream.graph.policies import ErrorPolicy
from raystream.ids import HIDDEN, StepName, SubtaskId
from raystream.operators.operator import Output, create
from raystream.operators.step import Step, UserCode
from raystream.operators.trial import Tried
from raystream.operators.user_code import defined_at
from raystream.plan.schemas import node_outputs, read_columns, typed, with_columns
from raystream.time.clock import VirtualClock
from raystream.time.watermark import END_OF_TIME, Watermark

PORTIONS = ((0, 100), (100, None))
"""Rows of a source that functions are called with; the second only if the first do not suffice."""

_NOTHING = Tried({}, None, 0, "", None)

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
    """Return types of functions; see `Step.typed` for their form.

    Args:
        nodes: All that are used, in topological order.
        reads: Columns of each undeclared Read.
        known: Types kept in the last checkpoint: they do not change.
        rows_of: Called only if a function's types are unknown.
        strict: Unknown types are an error even if the sources hold no rows.

    Raises:
        ConfigurationError: a function returns nothing that reveals its columns; names its line and
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
        self._sources: dict[int, Sequence[pl.DataFrame]] = {}
        self._made: dict[int, list[dict[str, pl.DataFrame]]] = {}

    def run(self) -> dict[StepName, Schema]:
        """Step by step, in topological order."""
        for node in self._nodes:
            inputs = [self._schemas[edge] for edge in node.inputs]
            mine = self._known_of(node)
            is_known = any(schema.open for schema in inputs) or not inputs
            if not is_known and mine.step.resolved(inputs).untyped():
                mine = self._learn(mine)
            for tag, schema in node_outputs(mine, inputs).items():
                self._schemas[Edge(node.id, tag)] = schema
            self._by_id[node.id] = mine
        return self._found

    def _known_of(self, node: Node) -> Node:
        """The node with the columns of a read, or the types kept in the last checkpoint."""
        if node.step.source is not None:
            payload = node.step.schema or self._reads.get(node.name) or Schema({}, open=True)
            return with_columns(node, read_columns(node.step, payload))
        mine = typed(node, self._known)
        if mine is not node:
            self._found[node.name] = self._known[node.name]
        return mine

    # -- one function ----------------------------------------------------------------------------

    def _learn(self, node: Node) -> Node:
        (edge,) = node.inputs
        schema, every, seen, unclear = self._schemas[edge], list[Tried](), 0, ""
        made_up = made_rows(schema).with_columns(pl.lit(0, pl.Int64).alias(TIME))
        for number in range(len(PORTIONS) + 1):
            real = number < len(PORTIONS)
            frame = self._portion(edge, number) if real else made_up
            frame = _computable(node, schema, frame)
            one = _tried(node.step, frame.select(schema.names())) if frame.height else _NOTHING
            every.append(one)
            seen += frame.height if real else 0
            try:
                told, lacking = _told(every, schema)
            except ConfigurationError as error:
                raise error.placed(error.where or str(node.origin)) from None
            unclear = unclear or lacking
            if told is not None:
                self._found[node.name] = told
                typed_node = typed(node, self._found)
                self._keep(typed_node, every[: len(PORTIONS)])
                return typed_node
        reasons = [*(one.reason for one in every[:-1]), unclear, every[-1].reason]
        reason = next(filter(None, reasons), "it gave no row")
        return self._unknown(node, reason, seen)

    def _keep(self, node: Node, every: Sequence[Tried]) -> None:
        """Keep the function's results, in its types: the input of the next function."""
        (edge,) = node.inputs
        schema, made = self._schemas[edge], self._made.setdefault(node.id, [])
        for number, one in enumerate(every):
            frame = _computable(node, schema, self._portion(edge, number))
            same = one.replayed and typed(replace(node, step=one.replayed), self._found)
            made.append(_worked(same, [schema], [frame]) if same else {})

    def _unknown(self, node: Node, reason: str, rows: int) -> Node:
        if not self._strict and not self._has_rows(node):
            return node
        places = [defined_at(function) for function in node.step.user_functions()]
        what = f"step {node.name!r}: the types of what its function gives are not known: {reason}"
        tried_with = f"the {rows} rows it was tried with" if rows else "a made-up row"
        advice = f"(seen with {tried_with}) {node.step.how_to_declare()}"
        raise ConfigurationError(what, str(node.origin) or next(iter(places), ""), advice)

    def _has_rows(self, node: Node) -> bool:
        """Whether a source of this step holds rows, even if all are filtered out before it."""
        if node.step.source is not None:
            return any(frame.height for frame in self._sources.get(node.id, ()))
        return any(self._has_rows(self._by_id[edge.source]) for edge in node.inputs)

    # -- rows on their way ---------------------------------------------------------------------

    def _portion(self, edge: Edge, number: int) -> pl.DataFrame:
        """A few rows of an output, hidden columns with them."""
        made = self._made.setdefault(edge.source, [])
        while len(made) <= number:
            made.append(self._rows(self._by_id[edge.source], len(made)))
        frame = made[number].get(edge.tag)
        return self._schemas[edge].empty() if frame is None else frame

    def _rows(self, node: Node, number: int) -> dict[str, pl.DataFrame]:
        if node.step.source is not None:
            if node.id not in self._sources:
                self._sources[node.id] = _cut(self._rows_of(node))
            frames = self._sources[node.id]
            return {"main": frames[number]} if frames else {}
        inputs = [self._schemas[edge] for edge in node.inputs]
        if node.step.sink is not None or any(schema.open for schema in inputs):
            return {}
        return _worked(node, inputs, [self._portion(edge, number) for edge in node.inputs])


def _cut(rows: pl.DataFrame | None) -> Sequence[pl.DataFrame]:
    """The rows in portions; a later one is used if the earlier ones do not reveal the types."""
    return () if rows is None else [rows[first:until] for first, until in PORTIONS]


def _told(every: Sequence[Tried], schema: Schema) -> tuple[Schema | None, str]:
    """The types, if known for all columns; else the reason."""
    if not any(one.rows for one in every):
        return None, ""
    frames = [one.frame for one in every if one.frame is not None]
    types: dict[str, pl.DataType]
    if frames:
        types = {name: _known_type(name, frames) for name in frames[-1].columns}
    else:
        names = {name: None for one in every for name in one.values}
        values = {n: [v for one in every for v in one.values.get(n, ())] for n in names}
        types = {name: column_type(name, given) for name, given in values.items()}
    known = {name: widened(dtype, schema.columns.get(name)) for name, dtype in types.items()}
    lacking = [name for name, dtype in known.items() if dtype is None]
    if lacking:
        return None, f"column {lacking[0]!r} was null in every row"
    return (Schema({n: d for n, d in known.items() if d is not None}) if known else None), ""


def _known_type(name: str, frames: Sequence[pl.DataFrame]) -> pl.DataType:
    found = [frame.schema[name] for frame in frames if name in frame.schema]
    return next((dtype for dtype in found if dtype != pl.Null), found[-1])


def _computable(node: Node, schema: Schema, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows that functions can see: convertible to dicts, with the expressions of a key_by."""
    batches = node.step.user_code is UserCode.BATCHES
    lost = None if batches else beyond_python(frame)
    if lost is not None:
        frame = frame.filter(lost.is_null())
    before = node.step.before_functions()
    if before is None or not frame.height:
        return frame
    number = f"{HIDDEN}number"
    rows = frame.with_columns(pl.int_range(frame.height).alias(number))
    kept = _worked(replace(node, step=before), [schema], [rows]).get("main")
    return frame.clear() if kept is None else frame[kept[number]]


def _tried(step: Step, user: pl.DataFrame) -> Tried:
    try:
        return step.tried(user)
    except RaystreamError as error:
        return Tried({}, None, 0, error.what, None)


# -- an operator that runs by itself ---------------------------------------------------------


class _CollectedOutput(Output):
    def __init__(self) -> None:
        self.frames: dict[str, list[pl.DataFrame]] = {}

    def emit(self, batch: Batch, tag: str = "") -> None:
        self.frames.setdefault(tag or "main", []).append(batch.frame)

    def consumed(self, tag: str) -> bool:
        return False


def _worked(
    node: Node, inputs: Sequence[Schema], frames: Sequence[pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    """Output of one step for some rows, by tag; empty if it fails: the run reports that."""
    step = node.step.resolved(inputs)
    if step.only_looks:
        return {"main": frames[0]}
    if not any(frame.height for frame in frames) or step.untyped():
        return {}
    if step.errors is not None:
        step = step.but(errors=ErrorPolicy.SKIP)
    try:
        return _output(step, inputs[0], node.name, frames)
    except Exception:  # noqa: BLE001 - reported by the run; here there are just no rows
        return {}


def _output(
    step: Step, schema: Schema, name: StepName, frames: Sequence[pl.DataFrame]
) -> dict[str, pl.DataFrame]:
    operator, collected = create(step), _CollectedOutput()
    me = SubtaskId(name, 0)
    clock = VirtualClock()
    ctx = SubtaskContext("sample", "00000000", 0, name, me, 1, clock, _Nothing(), keys=schema.key)
    operator.open(ctx, collected)
    for port, frame in enumerate(frames):
        if frame.height:
            operator.process(Batch(frame), port)
    if step.keeps_state:
        operator.on_watermark(Watermark(END_OF_TIME))
        while operator.has_more():
            operator.proceed()
    return {tag: pl.concat(made, how="vertical") for tag, made in collected.frames.items()}


class _Nothing(Executor):
    """Executor for steps that are tried: they have nothing to wait for."""
