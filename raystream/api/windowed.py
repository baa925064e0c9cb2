"""A stream cut into windows, on which `agg` says what to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from raystream.api.computed_aggregates import check_aggregates, with_computed
from raystream.api.expressions import named
from raystream.api.keyed import KeyedStream
from raystream.api.origin import wrong
from raystream.api.peers import no_verb_of_window
from raystream.api.pipeline import Pipeline
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


class WindowedStream:
    """Returned by `.window(..)`; `.agg(..)` is its only verb."""

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
