"""From the tree to typed columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.data.schema import no_column
from raystream.expressions import casts, logic, objects
from raystream.expressions.bounds import of_column
from raystream.expressions.problem import Problem
from raystream.expressions.registry import function
from raystream.expressions.table import Arguments, called
from raystream.expressions.tree import Call, Case, Cast, Column, Field, Literal, Node, dotted
from raystream.expressions.values import Typed, literal
from raystream.expressions.written import written


def typed(node: Node, columns: Mapping[str, pl.DataType]) -> Typed:
    """The tree as columns, with type and faults.

    Args:
        node: The tree.
        columns: Columns that exist.

    Raises:
        Problem: a column or function that does not exist, types that do not fit.
    """
    found = _typed(node, columns)
    return found if found.name else replace(found, name=written(node))


def _typed(node: Node, columns: Mapping[str, pl.DataType]) -> Typed:
    match node:
        case Literal():
            return _literal(node)
        case Column(name=name, at=at):
            return _column(name, at, columns)
        case Field(of=of, name=name, at=at):
            path = dotted(node)
            if path is not None and path in columns:
                return _column(path, at, columns)
            return objects.field(typed(of, columns), name, at)
        case Cast(of=of, type=kind, at=at, safe=safe):
            return casts.cast(typed(of, columns), kind, at, safe=safe)
        case Case():
            return _case(node, columns)
        case Call():
            return _call(node, columns)


def _literal(node: Literal) -> Typed:
    if node.kind == "side":
        return Typed(pl.lit(node.value), pl.String(), node.at, (), node.value, str(node.value))
    if node.kind == "star":
        message = "* stands for all rows; it belongs to count(*)"
        raise Problem(message, node.at)
    if node.kind:
        return casts.time_literal(str(node.value), node.kind, node.at)
    return literal(node.value, node.at)


def _column(name: str, at: int, columns: Mapping[str, pl.DataType]) -> Typed:
    if name not in columns or name.startswith(HIDDEN):
        error = no_column(name, columns)
        raise Problem(error.what, at, error.what_to_do)
    found = columns[name]
    dtype = found() if isinstance(found, type) else found
    within = of_column(name) if dtype.is_integer() else None
    return Typed(pl.col(name), dtype, at, name=name, within=within)


def _case(node: Case, columns: Mapping[str, pl.DataType]) -> Typed:
    branches = [
        (logic.condition(typed(when, columns)), typed(then, columns))
        for when, then in node.branches
    ]
    otherwise = literal(None, node.at) if node.otherwise is None else typed(node.otherwise, columns)
    return logic.choice(branches, otherwise, node.at)


def _call(node: Call, columns: Mapping[str, pl.DataType]) -> Typed:
    found = function(node.name, node.at)
    parts = tuple(typed(part, columns) for part in node.arguments)
    return called(found, Arguments(parts, node.at, node.name, written(node)))
