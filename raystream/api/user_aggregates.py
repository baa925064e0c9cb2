"""`rs.aggregate(..)` and `rs.aggregate_columns(..)`: aggregates of the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from raystream.api.arguments import checked
from raystream.api.expressions import expression, is_expression
from raystream.api.origin import wrong
from raystream.api.row_columns import returned
from raystream.graph.aggregates import Aggregate, AggregateKind
from raystream.graph.user_aggregates import ColumnAggregate, RowAggregate
from raystream.graph.user_aggregates import UserAggregate as Kind


class UserAggregate:
    """Returned by `rs.aggregate` and `rs.aggregate_columns`: calling it gives an output column.

    Args:
        kind: What it computes.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind

    def __call__(self, *values: Any, where: Any = None) -> Aggregate:
        """An output column of `agg`.

        Args:
            values: What it is computed of, in order: SQL text, rs.col expressions or functions of
                the row; a row with a null among them does not count. None, for functions: `add`
                gets the row as a dict.
            where: Only rows for which it is true.

        Raises:
            ConfigurationError: not an expression, or too many or too few of them.
        """
        name, kind = self.kind.name, self.kind
        inputs = tuple(_checked(each, name) for each in values)
        if isinstance(kind, ColumnAggregate) and len(inputs) != len(kind.inputs):
            takes = f"{len(kind.inputs)} values ({', '.join(kind.inputs)})"
            text = f"{name} takes {takes}, not {len(inputs)}"
            raise wrong(text)
        condition = _checked(where, f"{name}(where=)")
        return Aggregate(AggregateKind.USER, where=condition, inputs=inputs, user=kind)


@checked
def aggregate(
    init: Callable[[], Any],
    add: Callable[..., Any],
    merge: Callable[[Any, Any], Any],
    result: Callable[[Any], Any] | None = None,
    *,
    returns: Any = None,
    name: str = "aggregate",
) -> UserAggregate:
    """An aggregate by functions, for windows, sessions and aggregates without a window.

    Rows are added in any order and in parts that are merged in any order, so the result must not
    depend on it. What was added is kept in checkpoints: it is made of numbers, text, bytes, dates,
    tuples, lists, sets and dicts. The functions run for every row, in Python; `aggregate_columns`
    is much faster.

    Args:
        init: Gives what nothing has been added to, such as `lambda: (0.0, 0)`.
        add: Gets this and the values of a row, and returns the same with this row.
        merge: Gets two of them, and returns both together.
        result: Gets it, and returns what is given; None: it is given itself.
        returns: Type of what is given, as in a schema, if `result` (or `add`) is not annotated.
        name: For messages, and to tell it apart in checkpoints.

    Raises:
        ConfigurationError: the type of the result is not known.

    >>> product = rs.aggregate(lambda: 1, lambda n, x: n * x, lambda a, b: a * b, returns="int")
    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 2}, {"n": 5}, {"n": 3}]))
    >>> rows.window(rs.tumbling("1d")).agg(p=product("n")).collect()["p"].to_list()
    [30]
    """
    found = returned(result or add) if returns is None else returns
    if found is None:
        text = f"{name}: the type of its result is not known"
        raise wrong(text, 'write returns="float", or annotate what the function returns')
    dtype, _ = _type(found, name)
    return UserAggregate(RowAggregate(init, add, merge, result, dtype, name))


@checked
def aggregate_columns(
    partial: Mapping[str, Any],
    merge: Mapping[str, Any],
    result: Any,
    *,
    inputs: tuple[str, ...] | None = None,
    name: str = "aggregate_columns",
) -> UserAggregate:
    """An aggregate by Polars expressions over columns.

    Args:
        partial: Column -> expression over the rows of a group: one value, as `rs.col("x").sum()`.
        merge: The same columns -> expression over several such values, as `rs.col("x").sum()`.
        result: Expression of the merged columns.
        inputs: Names of the columns that `partial` reads, in the order in which they are given;
            default: as they occur in `partial`.
        name: For messages, and to tell it apart in checkpoints.

    Raises:
        ConfigurationError: not expressions, or `merge` has other columns than `partial`.

    >>> geometric = rs.aggregate_columns(
    ...     {"logs": rs.col("x").log().sum(), "n": rs.col("x").count()},
    ...     {"logs": rs.col("logs").sum(), "n": rs.col("n").sum()},
    ...     (rs.col("logs") / rs.col("n")).exp().round(6),
    ... )
    >>> rows = rs.Pipeline("example").read(rs.Rows([{"n": 2.0}, {"n": 8.0}]))
    >>> rows.window(rs.tumbling("1d")).agg(mean=geometric("n")).collect()["mean"].to_list()
    [4.0]
    """
    for part, each in (*partial.items(), *merge.items(), ("result", result)):
        if not is_expression(each):
            text = f"{name}: {part} is not a Polars expression"
            raise wrong(text, "for example rs.col('x').sum()")
    if not partial or set(partial) != set(merge):
        text = f"{name}: partial has {', '.join(partial) or 'nothing'}, merge {', '.join(merge)}"
        raise wrong(text, "give both the same columns")
    read = [root for each in partial.values() for root in each.meta.root_names()]
    names = tuple(dict.fromkeys(read)) if inputs is None else inputs
    if not names:
        text = f"{name}: partial reads no column"
        raise wrong(text, "write rs.col('x').len() for the number of rows")
    missing = [each for each in read if each not in names]
    if missing:
        text = f"{name}: partial reads {missing[0]!r}, which is none of its inputs"
        raise wrong(text)
    ordered = {column: merge[column] for column in partial}
    return UserAggregate(ColumnAggregate(names, dict(partial), ordered, result, name))


def _checked(value: Any, what: str) -> Any:
    return value if value is None or callable(value) else expression(value, what)


def _type(written: Any, name: str) -> Any:
    from raystream.data.types import parse_type

    return parse_type(written, name)
