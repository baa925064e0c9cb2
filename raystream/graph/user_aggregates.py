"""Aggregates of the user: functions that add, merge and give a result; or column expressions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, eq=False)
class RowAggregate:
    """An aggregate by functions of the user.

    Args:
        init: () -> what nothing has been added to; a new object each time.
        add: (added so far, value, ..) -> the same with this row.
        merge: (one, other) -> both together.
        result: added -> what is given; None: it is given itself.
        returns: Polars type of what is given.
        name: For people, and to compare with a checkpoint.
    """

    init: Callable[[], Any]
    add: Callable[..., Any]
    merge: Callable[[Any, Any], Any]
    result: Callable[[Any], Any] | None
    returns: Any
    name: str


@dataclass(frozen=True, slots=True, eq=False)
class ColumnAggregate:
    """An aggregate by expressions over columns.

    Args:
        inputs: Names of what `partial` reads, in the order in which they are given.
        partial: Partial column -> expression over the rows of a group.
        merge: The same columns -> expression over the partials of a group.
        result: Expression of the merged columns.
        name: For people, and to compare with a checkpoint.
    """

    inputs: tuple[str, ...]
    partial: Mapping[str, Any]
    merge: Mapping[str, Any]
    result: Any
    name: str


UserAggregate = RowAggregate | ColumnAggregate
