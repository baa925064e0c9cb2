"""A stream: the object that every verb is called on and returns."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import checked, chosen
from raystream.api.change_verbs import ChangeVerbs
from raystream.api.event_time import new_event_time, units_at
from raystream.api.expressions import (
    check_visible,
    expression,
    named,
)
from raystream.api.join_verbs import JoinVerbs
from raystream.api.key_columns import check_function, key_columns
from raystream.api.origin import at_call, wrong
from raystream.api.peers import no_verb
from raystream.api.pipeline import Pipeline
from raystream.api.process_verbs import ProcessVerbs
from raystream.api.row_columns import returned, returned_types
from raystream.api.verb_options import (
    check_dead_letters,
    check_late,
    check_step,
    declared_or_annotated,
    key_behind,
    policy_of,
    row_columns,
)
from raystream.api.window_verbs import WindowVerbs
from raystream.api.windows import emission
from raystream.errors import ConfigurationError
from raystream.graph.logical import Edge
from raystream.graph.policies import Emit, WatermarkStrategy
from raystream.graph.windows import CountWindow, GlobalWindow, Session, Window
from raystream.operators.filter.step import Filter
from raystream.operators.inspect.step import Inspect
from raystream.operators.key_by.step import KeyBy
from raystream.operators.map_batches.step import MapBatches
from raystream.operators.rows.step import FilterRows, FlatMap, Map
from raystream.operators.step import Step
from raystream.operators.union.step import Union
from raystream.operators.with_columns.step import WithColumns
from raystream.units import Duration, milliseconds

if TYPE_CHECKING:
    from raystream.api.keyed import KeyedStream
    from raystream.api.windowed import WindowedStream

Row = dict[str, Any]


class Stream(JoinVerbs, ProcessVerbs, ChangeVerbs, WindowVerbs):
    """A stream of rows; every verb adds a step to the pipeline and returns the stream behind it.

    Every verb takes `name=` (identity of the step in checkpoints) and `parallelism=` (its
    subtasks; default: as the step above). Verbs that compute take `errors=`: what happens to a row
    that cannot be computed, because a function raises or returns something that does not fit:
    `fail` (the job), `skip` (counted as skipped_rows) or `dlq` (the stream's `.errors` has these
    rows as dead letters, in the same transactions as all others).

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"shop": "a", "n": 1}, {"shop": "b", "n": 2}]))
    >>> rows.filter("n > 1").with_columns(double="n * 2").collect().to_dicts()
    [{'shop': 'b', 'n': 2, 'double': 4}]
    """

    def __init__(self, pipeline: Pipeline, edge: Edge, key: tuple[str, ...] = ()) -> None:
        self._pipeline = pipeline
        self._edge = edge
        self._key = key
        self._dead: tuple[Edge, ...] = (Edge(edge.source, "errors"),)

    def __repr__(self) -> str:
        """Name of the step that produces these rows."""
        tag = "" if self._edge.tag == "main" else f".{self._edge.tag}"
        try:
            name = self._pipeline.node(self._edge).name
        except ConfigurationError:
            name = "of a step that was replaced"
        return f"<{type(self).__name__} {name}{tag}>"

    if not TYPE_CHECKING:  # type checkers must report wrong verbs themselves

        def __getattr__(self, name: str) -> Any:
            """Only called for missing attributes: the error names the verb probably meant."""
            raise no_verb(name, dir(type(self)))

    @checked
    def filter(
        self,
        condition: Any,
        *,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Keep the rows for which `condition` is true.

        Args:
            condition: SQL text (`"status >= 400"`), an rs.col expression, or a function of the
                row (a dict).

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 2}]))
        >>> rows.filter("n > 1").collect().rows()
        [(2,)]
        """
        policy = policy_of(errors)
        if callable(condition):
            return self._then(FilterRows(condition, policy), name, parallelism)
        return self._then(Filter(expression(condition, "filter"), policy), name, parallelism)

    @checked
    def with_event_time(
        self,
        event_time: Any,
        *,
        watermark: WatermarkStrategy | None = None,
        event_time_unit: str | None = None,
        time_zone: str | None = None,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Assign another event time; new watermarks start here, those from above end here.

        Args:
            event_time: As for `Pipeline.read`.
            watermark: Of all rows of a subtask together.
            event_time_unit: As for `Pipeline.read`. None: what the schema of the source declares
                for this column, if it is still as it was read, else `ms`.
            time_zone: As for `Pipeline.read`.
            errors: Rows without a time: `fail`, `skip`, or `dlq`.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"shipped_at": 1_700_000_000}]))
        >>> shipped = rows.with_event_time("shipped_at", event_time_unit="s")
        >>> shipped.window(rs.tumbling("1m")).agg(n=rs.count()).collect()["window_start"].to_list()
        [1699999980000]
        """
        units = units_at(self._pipeline, self._edge)
        made = new_event_time(event_time, watermark, event_time_unit, units, time_zone, errors)
        return self._then(made, name, parallelism)

    @checked
    def with_columns(
        self,
        columns: Mapping[str, Any] | None = None,
        /,
        *,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
        **more: Any,
    ) -> typing.Self:
        """Add or replace columns.

        Args:
            columns: Column name -> SQL text, rs.col expression or function of the row. Needed only
                for columns called `errors`, `name` or `parallelism`; others are keywords.
            more: Further columns.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"price": 3, "quantity": 2}]))
        >>> rows.with_columns(total="price * quantity", one=lambda row: 1).collect().rows()
        [(3, 2, 6, 1)]
        """
        every = {**named(columns, "with_columns", 'total="price * quantity"'), **more}
        if not every:
            text = "with_columns needs a column"
            raise wrong(text, 'write .with_columns(total="price * quantity")')
        check_visible(every, "with_columns")
        functions = {n: v for n, v in every.items() if callable(v)}
        written = {n: v for n, v in every.items() if n not in functions}
        values = {n: expression(v, f"with_columns({n}=)") for n, v in written.items()}
        policy, stream = policy_of(errors), self
        if values:
            stream = stream._then(WithColumns(values, policy), name, parallelism)
        if functions:
            step, first = row_columns(functions, policy), stream._dead if values else ()
            stream = stream._then(step, None if values else name, parallelism)
            stream._dead = (*first, *stream._dead)
        return stream

    @checked
    def map(
        self,
        function: Callable[[Row], Row],
        *,
        schema: Any = None,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Map each row (a dict) to another.

        Args:
            function: dict -> dict.
            schema: Columns of the new rows; also taken from a return annotation that is a
                TypedDict or dataclass. Default: learnt by calling it before the run.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"name": "Ada"}]))
        >>> rows.map(lambda row: {"name": row["name"].upper()}).collect().to_dicts()
        [{'name': 'ADA'}]
        """
        check_function(function, "map")
        columns = declared_or_annotated(schema, returned(function))
        return self._then(Map(function, columns, errors=policy_of(errors)), name, parallelism)

    @checked
    def flat_map(
        self,
        function: Callable[[Row], Any],
        *,
        schema: Any = None,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Map each row (a dict) to any number of rows.

        Args:
            function: dict -> iterable of dicts.
            schema: As for `map`; a return annotation is for example `Iterator[Order]`.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"text": "to be"}]))
        >>> rows.flat_map(lambda row: ({"word": w} for w in row["text"].split())).collect().rows()
        [('to',), ('be',)]
        """
        check_function(function, "flat_map")
        inner = typing.get_args(returned(function))
        columns = declared_or_annotated(schema, inner[0] if inner else None)
        return self._then(FlatMap(function, columns, policy_of(errors)), name, parallelism)

    @checked
    def map_batches(
        self,
        function: Callable[[Any], Any],
        *,
        batch_format: str = "polars",
        schema: Any = None,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Map each batch of rows (a frame) to another.

        If the returned frame has as many rows as before, row i stays the same record: it keeps its
        event time and message key. Otherwise rows take the latest event time and have no message
        key.

        Args:
            function: Frame -> frame.
            batch_format: `polars`, `pandas` or `pyarrow`.
            schema: Columns of the new rows. Default: learnt by calling it before the run.
            errors: See Stream. If the function raises and this is not `fail`, it is called again
                for parts of the batch, to find the rows.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 2}]))
        >>> rows.map_batches(lambda frame: frame.with_columns(rs.col("n") * 10)).collect().rows()
        [(10,), (20,)]
        """
        check_function(function, "map_batches")
        kind = chosen(batch_format, "batch_format", ["polars", "pandas", "pyarrow"])
        step = MapBatches(function, kind, declared_or_annotated(schema, None), policy_of(errors))
        return self._then(step, name, parallelism)

    @checked
    def inspect(
        self,
        function: Callable[[Any], object],
        *,
        batch_format: str | None = None,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Call a function with each row (a dict), and pass the rows unchanged.

        For debugging: it runs in the subtasks, what it prints is in `raystream logs`. It sees a row
        again after a restart; a function that raises fails the job.

        Args:
            function: Called for its effect; what it returns is ignored.
            batch_format: `polars`, `pandas` or `pyarrow`: called with each batch, not each row.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 1}, {"n": 2}]))
        >>> rows.inspect(print).filter("n > 1").collect().rows()
        {'n': 1}
        {'n': 2}
        [(2,)]
        """
        check_function(function, "inspect")
        if batch_format is not None:
            chosen(batch_format, "batch_format", ["polars", "pandas", "pyarrow"])
        return self._then(Inspect(function, batch_format), name, parallelism)

    @checked
    def union(
        self, *others: Stream, name: str | None = None, parallelism: int | None = None
    ) -> Stream:
        """Merge rows of this and other streams; columns are matched by name, whatever their order.

        A column has the narrowest type that holds every value of all streams exactly: Int32 and
        Int64 are Int64; Int64 and Float64 are refused. `explain` names the columns that get wider.

        Args:
            others: Streams of the same pipeline.

        >>> p = rs.Pipeline("example")
        >>> a, b = p.read(rs.Rows([{"n": 1}]), name="a"), p.read(rs.Rows([{"n": 2}]), name="b")
        >>> sorted(a.union(b).collect().rows())
        [(1,), (2,)]
        """
        edges = [stream._edge for stream in (self, *self._alike(others, "union"))]
        same = all(other._key == self._key for other in others)
        edge = self._pipeline.add(Union(), edges, name=name, parallelism=parallelism)
        return self._like(edge, self._key if same else ())

    @checked
    def key_by(
        self,
        *keys: Any,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
        **computed: Any,
    ) -> KeyedStream:
        """Set the key: rows with equal keys go to the same subtask, and it is the message key.

        `key_by()` without columns removes the key: a window behind it has one group for all rows.
        The rows of `agg` are still keyed as those in front of it.

        Args:
            keys: Column names, rs.col expressions, or a function of the row (its column is
                called `key`). None: no key.
            computed: Keys to compute under a name: an rs.col expression or a function of the row.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"shop": "a"}] * 3))
        >>> counts = rows.key_by("shop").window(rs.tumbling("1m")).agg(n=rs.count())
        >>> counts.select("shop", "n").collect().rows()
        [('a', 3)]
        """
        from raystream.api.keyed import KeyedStream

        named = key_columns(keys, computed)
        check_visible([n for n, v in named.items() if v is not None], "key_by")
        computed = {n: v for n, v in named.items() if v is not None}
        told = returned_types({n: v for n, v in computed.items() if callable(v)})
        types = {n: t for n, t in told.items() if t is not None}
        step = KeyBy(tuple(named), computed, policy_of(errors), types)
        edge = self._pipeline.add(step, (self._edge,), name=name, parallelism=parallelism)
        return KeyedStream(self._pipeline, edge, step.keys)

    @checked
    def window(
        self,
        window: Window | Session | CountWindow | GlobalWindow,
        *,
        emit: str | Emit = "on_close",
        allowed_lateness: Duration = "0s",
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
    ) -> WindowedStream:
        """Cut event time into windows, per key; without key_by one group for all rows.

        Args:
            window: `rs.tumbling("1m")`, `rs.hopping("10m", "1m")`, `rs.cumulative("1d", "1h")`,
                `rs.session("10m")`, `rs.count_window(100)`, `rs.global_window(rs.trigger(..))`.
            emit: `"on_close"`: one row per key and window, when the window is over.
                `rs.early("1s")`: also rows with `final` = false while it is open.
                `"on_update"`: its row changes with every batch (docs/changes.md).
            allowed_lateness: How long after its end a window still accepts late rows.
            errors: See Stream; for rows whose aggregates cannot be computed.
            name: Identity of the aggregation in checkpoints.
            parallelism: Subtasks of the aggregation.

        >>> source = rs.Rows([{"ts": 1}, {"ts": 60_001}])
        >>> rows = rs.Pipeline("example").read(source, event_time="ts")
        >>> rows.window(rs.tumbling("1m")).agg(n=rs.count()).collect().rows()
        [(0, 60000, 1), (60000, 120000, 1)]
        """
        from raystream.api.windowed import WindowedStream, aggregation

        with at_call():
            lateness = milliseconds(allowed_lateness, "allowed_lateness")
        base = aggregation(self._key, window, emission(emit), lateness, policy_of(errors))
        return WindowedStream(self._pipeline, self._edge, base, name, parallelism)

    @property
    def errors(self) -> Stream:
        """Records of a read, or rows of a step, that `errors="dlq"` diverts.

        Raises:
            ConfigurationError: the step has no such policy, so there would be none.

        >>> source = rs.Payloads([b"not JSON"])
        >>> bad = rs.Pipeline("example").read(source, schema={"n": "int"}, errors="dlq").errors
        >>> bad.collect()["reason"].to_list()
        ['not JSON: ...']
        """
        check_dead_letters(self._pipeline.node(self._dead[0]).step, self._edge)
        first, *others = (Stream(self._pipeline, edge) for edge in self._dead)
        return first.union(*others) if others else first

    @property
    def late(self) -> Stream:
        """Rows that came too late for their window.

        Raises:
            ConfigurationError: this is not the stream returned by agg.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"ts": 1}]), event_time="ts")
        >>> rows.window(rs.tumbling("1m")).agg(n=rs.count()).late.collect().height
        0
        """
        check_late(self._pipeline.node(self._edge).step, self._edge)
        return Stream(self._pipeline, Edge(self._edge.source, "late"))

    @checked
    def step(
        self, step: Step, *others: Stream, name: str | None = None, parallelism: int | None = None
    ) -> typing.Self:
        """Apply a verb of another package, by its step; see docs/extending.md.

        Args:
            step: A value of a subclass of `raystream.operators.step.Step`.
            others: Further inputs, for a step that reads several.

        >>> from raystream.operators.drop.step import Drop
        >>> rows = rs.Pipeline("example").read(rs.Rows([{"a": 1, "b": 2}]))
        >>> rows.step(Drop(("a",))).collect().rows()
        [(2,)]
        """
        check_step(step, len(others))
        streams = self._alike([self, *others], "step")
        edges = [stream._edge for stream in streams]
        edge = self._pipeline.add(step, edges, name=name, parallelism=parallelism)
        return self._like(edge, key_behind(step, [stream._key for stream in streams]))

    def _side(self, tag: str) -> Stream:
        return Stream(self._pipeline, Edge(self._edge.source, tag))

    def _tags(self) -> Sequence[str]:
        main = self._edge.tag == "main"
        return self._pipeline.node(self._edge).step.tags() if main else ()

    def _alike(self, streams: Sequence[Stream], verb: str) -> Sequence[Stream]:
        for other in streams:
            if not isinstance(other, Stream) or other._pipeline is not self._pipeline:
                text = f"{verb} takes streams of the same pipeline, not {other!r}"
                raise wrong(text)
        return streams

    def _then(
        self,
        step: Step,
        name: str | None,
        parallelism: int | None,
        key: tuple[str, ...] | None = None,
    ) -> typing.Self:
        edge = self._pipeline.add(step, (self._edge,), name=name, parallelism=parallelism)
        return self._like(edge, self._key if key is None else key)

    def _like(self, edge: Edge, key: tuple[str, ...]) -> typing.Self:
        return type(self)(self._pipeline, edge, key)
