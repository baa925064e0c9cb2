"""Which columns an expression reads, so that the source decodes only those."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from raystream.graph.aggregates import Aggregate

Needed = frozenset[str] | None
"""Names of columns, or None: all of them."""

Columns = Sequence[Collection[str]]
"""Names of the columns of each input, as far as known."""


def roots(written: Any, columns: Iterable[str] = ()) -> Needed:
    """Columns that an expression reads; None if that depends on the existing columns.

    Args:
        written: SQL text, pl.Expr or function.
        columns: Existing columns: text that is exactly one of them is that column.

    >>> sorted(roots("status >= 400 and path like '/api/%'"))
    ['path', 'status']
    >>> roots(rs.col("n") + 1), roots(len) is None
    (frozenset({'n'}), True)
    """
    if isinstance(written, str):
        return _of_text(written, frozenset(columns))
    meta = getattr(written, "meta", None)  # of a pl.Expr
    if meta is None or meta.has_multiple_outputs():
        return None
    return frozenset(meta.root_names())


def of_aggregates(aggregates: Iterable[Aggregate], columns: Iterable[str] = ()) -> Needed:
    """Columns that aggregates read; None if one gives a whole row.

    >>> sorted(of_aggregates([rs.sum("a", where="b > 1"), rs.count("c")]))
    ['a', 'b', 'c']
    >>> of_aggregates([rs.arg_max("price")]) is None
    True
    """
    known = list(columns)
    found: list[Needed] = []
    for each in aggregates:
        found += [None] if each.of_whole_row else [roots(one, known) for one in each.expressions]
    return every(found)


def _of_text(written: str, known: frozenset[str]) -> Needed:
    from raystream.expressions.parser import parse
    from raystream.expressions.problem import BadExpression
    from raystream.expressions.tree import columns_of

    if written in known:
        return frozenset([written])
    try:
        return columns_of(parse(written), known)
    except BadExpression:  # a column named like an SQL keyword, not known yet
        return None


def roots_of_time(written: Any, known: Iterable[str]) -> Needed:
    """Like `roots`, for an event time: a path into a column reads the column.

    >>> roots_of_time("at.when", ["at"])
    frozenset({'at'})
    """
    columns = frozenset(known)
    first = written.partition(".")[0] if isinstance(written, str) else ""
    if written not in columns and first in columns:
        return frozenset([first])
    return roots(written, columns)


def either(one: Needed, other: Needed) -> Needed:
    """Columns of both.

    >>> either(frozenset("a"), None) is None
    True
    """
    return None if one is None or other is None else one | other


def every(parts: Iterable[Needed]) -> Needed:
    """Columns of all.

    >>> every([])
    frozenset()
    """
    found: Needed = frozenset()
    for part in parts:
        found = either(found, part)
    return found
