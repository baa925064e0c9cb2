"""Verbs whose rows change earlier ones, and how such rows are written."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raystream.api.arguments import checked, chosen
from raystream.api.computed_aggregates import check_aggregates, with_computed
from raystream.api.ends import checked_sink
from raystream.api.expressions import check_visible, column_name, named
from raystream.api.origin import wrong
from raystream.api.state_verbs import StateVerbs
from raystream.api.verb_options import policy_of
from raystream.data.changes import ChangesMode
from raystream.graph.aggregates import Aggregate
from raystream.graph.logical import Edge
from raystream.operators.group_aggregate.step import GroupAggregate
from raystream.operators.top.step import Order, Top
from raystream.operators.write.step import Write
from raystream.units import Duration, milliseconds

if TYPE_CHECKING:
    from raystream.api.keyed import KeyedStream

_OPTIONS = ("ttl", "errors", "name", "parallelism")


class ChangeVerbs(StateVerbs):
    """Verbs that give changes, and `write`."""

    _key: tuple[str, ...]
    _dead: tuple[Edge, ...]

    def aggregate(
        self,
        aggregates: Mapping[str, Aggregate] | None = None,
        /,
        *,
        ttl: Duration | None = None,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
        **columns: Aggregate,
    ) -> KeyedStream:
        """Aggregate all rows of each key, without a window; rows of the result change.

        A key has one row: its key columns and these aggregates. More rows of the key replace it by
        another, once per batch: the result is a stream of changes, see docs/changes.md. Without
        `key_by` there is one row for all rows.

        Args:
            aggregates: The same as a mapping, for other names, such as `ttl` or `name`.
            ttl: A key without a row for so long in event time is forgotten, such as "1d": a
                later row starts anew. Default: never; state grows with the number of keys.
            errors: See Stream; also for a result that does not fit its type.
            name: Identity of the step in checkpoints.
            parallelism: Subtasks.
            columns: Output column -> `rs.count()`, `rs.sum("amount")`, ..

        Raises:
            ConfigurationError: not an aggregate, or a column that already exists.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"k": "a", "n": 2}, {"k": "a", "n": 3}]))
        >>> rows.key_by("k").aggregate(n=rs.count(), total=rs.sum("n")).collect().to_dicts()
        [{'op': 'insert', 'k': 'a', 'n': 2, 'total': 5}]
        """
        from raystream.api.keyed import KeyedStream

        every = {**named(aggregates, "aggregate", "n=rs.count()"), **columns}
        if not every:
            text = "aggregate needs an output column"
            raise wrong(text, "write .aggregate(n=rs.count())")
        check_aggregates("aggregate", every, _advice)
        for column in every:
            if column in self._key:
                text = f"aggregate: the output has a column {column!r} already"
                raise wrong(text, "give the aggregate another name")
        reach, policy = None if ttl is None else milliseconds(ttl, "ttl"), policy_of(errors)
        edge, resolved = with_computed(self._pipeline, self._edge, every, policy)
        step = GroupAggregate(self._key, resolved, reach, policy)
        made = self._pipeline.add(step, (edge,), name=name, parallelism=parallelism)
        stream = KeyedStream(self._pipeline, made, self._key)
        if edge != self._edge:  # columns for functions were added
            stream._dead = (Edge(edge.source, "errors"), *stream._dead)
        return stream

    @checked
    def top(
        self,
        number: int,
        *,
        by: str | Sequence[str],
        rank: str | None = None,
        ttl: Duration | None = None,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> typing.Self:
        """Keep the first rows of each key in an order; later rows push out earlier ones.

        The result is a stream of changes, see docs/changes.md. Of equal rows those that came first
        are first. Without `key_by` these are the first of all rows.

        Args:
            number: How many rows of a key.
            by: Columns, each the greatest first (`"price"`) or, with ` asc`, the smallest first
                (`"price asc"`). Nulls come last.
            rank: Column for the place of a row, from 1. With it a place is a row that changes (and
                can be upserted by key and rank); without it rows come and go.
            ttl: A key without a row for so long in event time is forgotten, such as "1d".
            name: Identity of the step in checkpoints.
            parallelism: Subtasks.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"k": "a", "n": n} for n in (3, 1, 2)]))
        >>> rows.key_by("k").top(2, by="n", rank="rank").collect().rows()
        [('insert', 'a', 3, 1), ('insert', 'a', 2, 2)]
        """
        order = order_of(number, by, rank)
        reach = None if ttl is None else milliseconds(ttl, "ttl")
        return self._then(Top(self._key, number, order, rank, reach), name, parallelism)

    @checked
    def write(
        self,
        sink: Any,
        *,
        changes: str | None = None,
        name: str | None = None,
        parallelism: int | None = None,
    ) -> None:
        """Write the rows to a sink.

        Args:
            sink: `kafka.topic(..)`, `rs.Files(..)`, `rs.Collect()`.
            changes: How rows that change earlier ones are written, see docs/changes.md: `upsert`
                (the last row of a key counts; Kafka: the message key, and a delete is a record
                without a value) or `log` (every change is a row, with its kind in a column `op`).
            name: Identity of the sink in checkpoints and transactions.
            parallelism: Subtasks that write.

        >>> p = rs.Pipeline("example")
        >>> p.read(rs.Rows([{"n": 1}])).write(rs.Collect(), name="out")
        """
        sink = checked_sink(sink)
        mode = None if changes is None else chosen(changes, "changes", ChangesMode)
        step = Write(sink, mode)
        self._pipeline.add(step, (self._edge,), name=name, parallelism=parallelism)


def order_of(number: int, by: str | Sequence[str], rank: str | None) -> tuple[Order, ...]:
    """The order of a top.

    Raises:
        ConfigurationError: there is none, or other options are wrong.
    """
    if number < 1:
        text = f"top takes 1 row or more, not {number}"
        raise wrong(text)
    order = tuple(_order(each) for each in ([by] if isinstance(by, str) else by))
    if not order:
        text = "top needs an order"
        raise wrong(text, 'write .top(3, by="price")')
    if rank is not None:
        check_visible([rank], "top")
    return order


def _order(text: str) -> Order:
    """`price`, `price desc` or `price asc`."""
    column, _, direction = text.strip().rpartition(" ")
    if direction.lower() in ("asc", "desc") and column:
        return Order(column_name(column.strip(), "top"), direction.lower() == "desc")
    return Order(column_name(text.strip(), "top"))


def _advice(column: str) -> str:
    if column in _OPTIONS:
        return f"for a column of that name write .aggregate({{{column!r}: rs.count()}})"
    return f"for example {column}=rs.count()"
