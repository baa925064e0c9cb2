"""Aggregates over the rows before each row: `.over(..)`, `rs.row_number()`, `rs.lag(..)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import checked
from raystream.api.computed_aggregates import with_computed
from raystream.api.expressions import check_visible, expression, named
from raystream.api.origin import wrong
from raystream.api.peers import no_verb_of_window
from raystream.api.pipeline import Pipeline
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.logical import Edge
from raystream.graph.over import Lag, OverFunction, RowNumber
from raystream.operators.over.step import Over

if TYPE_CHECKING:
    from raystream.api.stream import Stream


@checked
def row_number() -> RowNumber:
    """Number of the row among those of its key, from 1; for `.over(..)`.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"ts": 5}, {"ts": 3}]), event_time="ts")
    >>> rows.over().agg(number=rs.row_number()).collect().rows()
    [(3, 1), (5, 2)]
    """
    return RowNumber()


@checked
def lag(value: Any, by: int = 1) -> Lag:
    """Value of an earlier row of the key, null if there is none; for `.over(..)`.

    Args:
        value: SQL text, an rs.col expression or a function of the row.
        by: How many rows before.

    Raises:
        ConfigurationError: `by` is not 1 or more.

    >>> rows = rs.Pipeline("example").read(rs.Rows([{"ts": 5}, {"ts": 3}]), event_time="ts")
    >>> rows.over().agg(before=rs.lag("ts")).collect().rows()
    [(3, None), (5, 3)]
    """
    if by < 1:
        text = f"lag takes a row before, not {by}"
        raise wrong(text, "write 1 or more; aggregates see the row itself")
    return Lag(value if callable(value) else expression(value, "lag"), by)


class OverStream:
    """Returned by `.over(..)`; `.agg(..)` is its only verb."""

    def __init__(
        self,
        pipeline: Pipeline,
        stream: Stream,
        base: Over,
        name: str | None,
        parallelism: int | None,
    ) -> None:
        self._pipeline, self._stream, self._base = pipeline, stream, base
        self._name, self._parallelism = name, parallelism

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Only called for missing attributes: the error names what was probably meant."""
            raise no_verb_of_window(name, dir(type(self)))

    def agg(
        self, functions: Mapping[str, OverFunction] | None = None, /, **columns: OverFunction
    ) -> Stream:
        """Each row with these columns; late rows are in `.late` of the result.

        Args:
            functions: The same as a mapping, for names that are not Python identifiers.
            columns: Output column -> `rs.mean("price")`, `rs.row_number()`, `rs.lag("price")`, ..

        Raises:
            ConfigurationError: not such a function.

        >>> rows = [{"ts": 1, "n": 4}, {"ts": 2, "n": 6}, {"ts": 3, "n": 7}]
        >>> stream = rs.Pipeline("example").read(rs.Rows(rows), event_time="ts")
        >>> stream.over(rows=2).agg(sum=rs.sum("n")).select("n", "sum").collect().rows()
        [(4, 4), (6, 10), (7, 13)]
        """
        every = {**named(functions, "agg", "n=rs.count()"), **columns}
        check_visible(every, "agg")
        if not every:
            text = "agg needs an output column"
            raise wrong(text, "write .agg(number=rs.row_number())")
        for column, value in every.items():
            self._check(column, value)
        edge, resolved = self._computed(every)
        step = replace(self._base, functions=resolved)
        made = self._pipeline.add(step, (edge,), name=self._name, parallelism=self._parallelism)
        stream = self._stream._like(made, self._stream._key)
        if edge != self._stream._edge:  # columns for functions were added
            stream._dead = (Edge(edge.source, "errors"), *stream._dead)
        return stream.drop(*_added(every)) if edge != self._stream._edge else stream

    def _check(self, column: str, value: Any) -> None:
        if not isinstance(value, Aggregate | RowNumber | Lag):
            text = (
                f"agg({column}=) takes an aggregate, rs.row_number() or rs.lag(..), not {value!r}"
            )
            raise wrong(text, f"for example {column}=rs.row_number()")

    def _computed(self, every: Mapping[str, OverFunction]) -> tuple[Edge, dict[str, OverFunction]]:
        """Functions of the row inside functions become columns in front of the step."""
        lags = {n: one for n, one in every.items() if isinstance(one, Lag)}
        asked = {n: one for n, one in every.items() if isinstance(one, Aggregate)}
        asked |= {n: Aggregate(AggregateKind.FIRST, lag.value) for n, lag in lags.items()}
        edge, found = with_computed(self._pipeline, self._stream._edge, asked, self._base.errors)
        resolved: dict[str, OverFunction] = {**every, **found}
        return edge, resolved | {n: Lag(found[n].value, lag.by) for n, lag in lags.items()}


def _added(every: Mapping[str, OverFunction]) -> list[str]:
    """The columns that with_computed adds."""
    found = []
    for name, one in every.items():
        if not isinstance(one, RowNumber) and callable(one.value):
            found.append(f"_{name}_value")
        if isinstance(one, Aggregate):
            found += [f"_{name}_{part}" for part in ("where", "by") if callable(getattr(one, part))]
            found += [f"_{name}_{n}" for n, each in enumerate(one.inputs) if callable(each)]
    return found
