"""A stream cut into windows, on which `agg` says what to compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from raystream.api.computed_aggregates import check_aggregates, with_computed
from raystream.api.expressions import named
from raystream.api.key_columns import check_function
from raystream.api.keyed import KeyedStream
from raystream.api.origin import wrong
from raystream.api.peers import no_verb_of_window
from raystream.api.pipeline import Pipeline, declared
from raystream.graph.aggregates import Aggregate
from raystream.graph.logical import Edge
from raystream.graph.policies import Early, Emit, ErrorPolicy, OnClose
from raystream.graph.windows import (
    CountWindow,
    Cumulative,
    GlobalWindow,
    Hopping,
    Session,
    Tumbling,
)
from raystream.operators.global_window.step import GlobalAggregate
from raystream.operators.session.step import SessionAggregate
from raystream.operators.window.step import WindowAggregate
from raystream.operators.window_apply.step import WindowApply


class WindowedStream:
    """Returned by `.window(..)`; `.agg(..)` and `.apply(..)` are its verbs."""

    def __init__(
        self,
        pipeline: Pipeline,
        edge: Edge,
        base: WindowAggregate | SessionAggregate | GlobalAggregate,
        name: str | None,
        parallelism: int | None,
    ) -> None:
        self._pipeline = pipeline
        self._edge = edge
        self._base = base
        self._name = name
        self._parallelism = parallelism

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Only called for missing attributes: the error names what was probably meant."""
            raise no_verb_of_window(name, dir(type(self)))

    def agg(
        self, aggregates: Mapping[str, Aggregate] | None = None, /, **columns: Aggregate
    ) -> KeyedStream:
        """One row per key and window: the key columns, `window_start`, `window_end`, these columns.

        With `emit=rs.early(..)` also the column `final`, except for sessions. Late rows are in
        `.late` of the result.

        Args:
            aggregates: The same as a mapping, for names that are not Python identifiers.
            columns: Output column -> `rs.count()`, `rs.sum("amount")`, ..

        Raises:
            ConfigurationError: not an aggregate, or a column that already exists.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"ts": 1, "n": 2}] * 3), event_time="ts")
        >>> rows.window(rs.tumbling("1m")).agg(n=rs.count(), total=rs.sum("n")).collect().to_dicts()
        [{'window_start': 0, 'window_end': 60000, 'n': 3, 'total': 6}]
        """
        every = {**named(aggregates, "agg", "n=rs.count()"), **columns}
        self._check(every)
        edge, resolved = with_computed(self._pipeline, self._edge, every, self._base.errors)
        step = replace(self._base, aggregates=resolved)
        made = self._pipeline.add(step, (edge,), name=self._name, parallelism=self._parallelism)
        stream = KeyedStream(self._pipeline, made, self._base.keys)
        if edge != self._edge:  # columns for functions were added
            stream._dead = (Edge(edge.source, "errors"), *stream._dead)
        return stream

    def apply(self, function: Callable[[Any], Any], *, schema: Any) -> KeyedStream:
        """Rows that a function makes of the rows of each key and closed window: frame -> frame.

        The result has the key columns, `window_start`, `window_end`, and the columns returned. Late
        rows are in `.late` of it.

        Args:
            function: Called with a Polars frame: the columns of the rows, in the order of event
                time, and `window_start`, `window_end`. It returns a frame of any height. If it
                raises, all rows of the window go by `errors=`.
            schema: Columns that it returns.

        Raises:
            ConfigurationError: a window without end, or with another emission than on close.

        >>> source = rs.Rows([{"ts": 7}, {"ts": 3}])
        >>> rows = rs.Pipeline("example").read(source, event_time="ts")
        >>> def span(frame):
        ...     return frame.select(ms=rs.col("ts").last() - rs.col("ts").first())
        >>> rows.window(rs.tumbling("1m")).apply(span, schema={"ms": "int"}).collect().rows()
        [(0, 60000, 4)]
        """
        check_function(function, "apply")
        base, returns = self._base, declared(schema)
        if isinstance(base, GlobalAggregate) or not isinstance(base.emit, OnClose):
            text = "apply is for windows of event time that are emitted when they close"
            raise wrong(text, "leave emit out; for counted rows write .agg(..)")
        if isinstance(base.window, Session) and base.window.column is not None:
            text = "apply takes sessions with a fixed gap"
            raise wrong(text, 'write rs.session("30m")')
        lateness = base.allowed_lateness_ms
        step = WindowApply(base.keys, base.window, function, returns, lateness, base.errors)
        edge = self._pipeline.add(
            step, (self._edge,), name=self._name, parallelism=self._parallelism
        )
        return KeyedStream(self._pipeline, edge, base.keys)

    def _check(self, every: Mapping[str, Any]) -> None:
        if not every:
            text = "agg needs an output column"
            raise wrong(text, "write .agg(count=rs.count())")
        reserved = {*self._base.keys, "window_start", "window_end"}
        if isinstance(self._base, WindowAggregate) and isinstance(self._base.emit, Early):
            reserved |= {"final"}
        check_aggregates("agg", every, _advice)
        for column in every:
            if column in reserved:
                text = f"agg: the output has a column {column!r} already"
                raise wrong(text, "give the aggregate another name")


def aggregation(
    key: tuple[str, ...], window: Any, emit: Emit, lateness_ms: int, errors: ErrorPolicy
) -> WindowAggregate | SessionAggregate | GlobalAggregate:
    """The step of a window, without aggregates.

    Raises:
        ConfigurationError: not a window, or with options that it has not.
    """
    if isinstance(window, CountWindow | GlobalWindow):
        if not isinstance(emit, OnClose) or lateness_ms:
            text = "window: emit and allowed_lateness are for windows of event time"
            raise wrong(text, "leave them out, or write rs.global_window(rs.trigger(..))")
        return GlobalAggregate(key, window, {}, errors)
    if isinstance(window, Session):
        return SessionAggregate(key, window, {}, lateness_ms, errors, emit=emit)
    if not isinstance(window, Tumbling | Hopping | Cumulative):
        text = f"window takes a window, not {window!r}"
        raise wrong(
            text,
            'write rs.tumbling("1m"), rs.hopping(..), rs.cumulative(..), rs.session(..), '
            "rs.count_window(..), rs.global_window(..)",
        )
    return WindowAggregate(key, window, {}, emit, lateness_ms, errors)


def _advice(column: str) -> str:
    if column in ("name", "parallelism", "emit", "allowed_lateness", "errors"):
        return f"the keywords of agg are output columns; write .window(.., {column}=..)"
    return f"for example {column}=rs.count()"
