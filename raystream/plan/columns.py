"""Which columns a step needs of its input: what the source must decode, and no more."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from raystream.expressions.parser import parse
from raystream.expressions.problem import BadExpression
from raystream.expressions.tree import columns_of
from raystream.graph.logical import Edge, Node
from raystream.graph.policies import ErrorPolicy
from raystream.graph.steps import (
    Drop,
    Filter,
    HasErrors,
    KeyBy,
    Read,
    Select,
    Union,
    WindowAggregate,
    WithColumns,
    WithEventTime,
)

Needed = frozenset[str] | None
"""Names of columns, or None: all of them."""


def roots(written: Any, columns: Iterable[str] = ()) -> Needed:
    """Columns that an expression reads; None if that depends on the columns there are.

    Args:
        written: SQL text, pl.Expr or function.
        columns: Columns that exist: text that is exactly one of them is that column.

    >>> sorted(roots("status >= 400 and path like '/api/%'"))
    ['path', 'status']
    >>> roots(pl.all()) is None
    True
    """
    if isinstance(written, str):
        known = frozenset(columns)
        if written in known:
            return frozenset([written])
        try:
            return columns_of(parse(written), known)
        except BadExpression:  # a column called like a word of SQL, not known yet
            return None
    if not isinstance(written, pl.Expr) or written.meta.has_multiple_outputs():
        return None
    return frozenset(written.meta.root_names())


def needed_by_reads(
    nodes: tuple[Node, ...], columns: Mapping[Edge, Iterable[str]]
) -> dict[int, Needed]:
    """For each Read (by node id) the columns that the steps behind it need.

    Args:
        nodes: In topological order.
        columns: Columns of each output, as far as known.
    """
    asked: dict[Edge, Needed] = {}
    for node in reversed(nodes):
        wanted = asked.get(Edge(node.id), frozenset())
        late = asked.get(Edge(node.id, "late"), frozenset())
        for edge in node.inputs:
            mine = _of_input(node, wanted, late, columns.get(edge, ()))
            asked[edge] = _either(asked.get(edge, frozenset()), mine)
    reads = (node for node in nodes if isinstance(node.step, Read))
    return {node.id: asked.get(Edge(node.id), frozenset()) for node in reads}


def _of_input(node: Node, wanted: Needed, late: Needed, columns: Iterable[str]) -> Needed:
    known = tuple(columns)
    if isinstance(node.step, HasErrors) and node.step.errors is ErrorPolicy.DLQ:
        return None  # a dead letter is the whole row
    match node.step:
        case Filter(condition=condition):
            return _either(wanted, roots(condition, known))
        case Select(columns=selected):
            names = [frozenset([c]) if isinstance(c, str) else roots(c) for c in selected]
            return _all(names)
        case WithColumns(columns=made):
            rest = None if wanted is None else wanted - set(made)
            return _all([rest, *(roots(value, known) for value in made.values())])
        case WithEventTime(event_time=time):
            return _either(wanted, _of_time(time, known))
        case Drop(columns=dropped):
            return _either(wanted, frozenset(dropped))
        case KeyBy(keys=keys, computed=computed):
            rest = None if wanted is None else (wanted | set(keys)) - set(computed)
            return _all([rest, *(roots(value, known) for value in computed.values())])
        case Union():
            return None  # inputs must stay alike
        case WindowAggregate(keys=keys, aggregates=aggregates):
            given = [v for a in aggregates.values() for v in (a.value, a.where) if v is not None]
            return _all([late, frozenset(keys), *(roots(value, known) for value in given)])
        case _:
            return None


def _of_time(written: Any, known: tuple[str, ...]) -> Needed:
    """As `roots`; a path into a column reads the column."""
    first = written.partition(".")[0] if isinstance(written, str) else ""
    if written not in known and first in known:
        return frozenset([first])
    return roots(written, known)


def _either(one: Needed, other: Needed) -> Needed:
    return None if one is None or other is None else one | other


def _all(parts: Iterable[Needed]) -> Needed:
    found: Needed = frozenset()
    for part in parts:
        found = _either(found, part)
    return found
