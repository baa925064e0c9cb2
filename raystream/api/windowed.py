"""A stream cut into windows, on which `agg` says what to compute."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from raystream.api.change_verbs import order_of
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
from raystream.operators.window_reduce.step import WindowReduce
from raystream.operators.window_top.step import WindowTop


class WindowedStream:
    """Returned by `.window(..)`; `.agg(..)`, `.apply(..)`, `.reduce(..)`, `.top(..)` follow."""

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
        keys, window, lateness, errors = self._closing("apply")
        step = WindowApply(keys, window, function, declared(schema), lateness, errors)
        return self._added(step)

    def reduce(self, function: Callable[[dict[str, Any], dict[str, Any]], Any]) -> KeyedStream:
        """The rows of each key and closed window in one row, by a function of two rows.

        It is called with the row so far and the next one, in the order of event time, and returns a
        row with the same columns; a window of one row gives that row. The result has the key
        columns, `window_start`, `window_end`, and the other columns of the rows. Late rows are in
        `.late` of it.

        Args:
            function: Called with two rows (dicts). If it raises, all rows of the window go by
                `errors=`.

        Raises:
            ConfigurationError: a window without end, or with another emission than on close.

        >>> source = rs.Rows([{"ts": 7, "n": 1}, {"ts": 3, "n": 5}])
        >>> rows = rs.Pipeline("example").read(source, event_time="ts")
        >>> rows.window(rs.tumbling("1m")).reduce(max_of_n := lambda one, other: max(
        ...     one, other, key=lambda row: row["n"])).collect().to_dicts()
        [{'window_start': 0, 'window_end': 60000, 'ts': 3, 'n': 5}]
        """
        check_function(function, "reduce")
        keys, window, lateness, errors = self._closing("reduce")
        options = {"allowed_lateness_ms": lateness, "errors": errors}
        return self._added(WindowReduce(keys, window, reducer=function, **options))

    def top(self, number: int, *, by: str | Sequence[str], rank: str | None = None) -> KeyedStream:
        """The first rows, in an order, of each key and closed window: Flink's Window Top-N.

        The result has the key columns, `window_start`, `window_end`, the other columns of the rows,
        and the rank; rows are only added. Of equal rows those with the lesser event time are first.
        Without `key_by` these are the first of all rows of a window. Late rows are in `.late`.

        Args:
            number: How many rows.
            by: Columns, as for `top` without a window: `"price"` the greatest first, `"price asc"`.
            rank: Column for the place of a row, from 1.

        Raises:
            ConfigurationError: a window without end, or with another emission than on close.

        >>> bids = [{"ts": 7, "n": 1}, {"ts": 3, "n": 5}, {"ts": 9, "n": 4}]
        >>> rows = rs.Pipeline("example").read(rs.Rows(bids), event_time="ts")
        >>> best = rows.window(rs.tumbling("1m")).top(2, by="n", rank="place")
        >>> best.select("n", "place").collect().rows()
        [(5, 1), (4, 2)]
        """
        order = order_of(number, by, rank)
        keys, window, lateness, errors = self._closing("top")
        options = {"allowed_lateness_ms": lateness, "errors": errors}
        step = WindowTop(keys, window, number=number, by=order, rank=rank, **options)
        return self._added(step)

    def _closing(self, verb: str) -> tuple[Any, ...]:
        """Key, window, lateness and policy, if it is a window that closes once."""
        base = self._base
        if isinstance(base, GlobalAggregate) or not isinstance(base.emit, OnClose):
            text = f"{verb} is for windows of event time that are emitted when they close"
            raise wrong(text, "leave emit out; for counted rows write .agg(..)")
        if isinstance(base.window, Session) and base.window.column is not None:
            text = f"{verb} takes sessions with a fixed gap"
            raise wrong(text, 'write rs.session("30m")')
        return base.keys, base.window, base.allowed_lateness_ms, base.errors

    def _added(self, step: WindowApply) -> KeyedStream:
        edge = self._pipeline.add(
            step, (self._edge,), name=self._name, parallelism=self._parallelism
        )
        return KeyedStream(self._pipeline, edge, self._base.keys)

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
