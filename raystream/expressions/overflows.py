"""Where values of rs.col expressions leave their type: Polars wraps them without a word."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import polars as pl

from raystream.errors import ConfigurationError
from raystream.expressions import inexact, number_overflows, polars_tree, time_overflows
from raystream.expressions.polars_tree import Columns, Node, below, expression, name
from raystream.expressions.values import Fault

_LEAVES = ("Column", "Literal", "Selector", "Field", "AnonymousFunction")
_FIRST_OF = ("FillNull", "Coalesce")
"""Functions that take what is behind the first only where that is null."""
_SUMS = frozenset("CumProd Product Diff PctChange Interpolate RollingExpr EwmSum".split())
"""Functions over the items of a list whose numbers are not looked at."""


def overflows(written: pl.Expr, columns: Columns) -> tuple[Fault, ...]:
    """Rows for which a part does not fit its type; innermost first.

    What is not chosen (`when`, `coalesce`) cannot fail.

    Raises:
        ConfigurationError: it has a part of which that cannot be told.

    >>> [fault.reason for fault in overflows(pl.col("a") * 2, {"a": pl.Int64()})]
    ['integer overflow in [(col("a")) * (dyn int: 2)]']
    """
    node = polars_tree.tree(written)
    if isinstance(node, dict) and list(node) == ["Column"]:
        return ()
    return tuple(_faults(node, columns, None, 0))


def _faults(node: Node, columns: Columns, when: pl.Expr | None, depth: int) -> Iterator[Fault]:
    if not isinstance(node, dict):
        return
    [(kind, body)] = node.items()
    if kind == "Literal":
        number_overflows.check_literal(body)
    if kind in _LEAVES:
        return
    yield from _within(kind, body, columns, when, depth)
    for fault in _own(node, columns):
        yield replace(fault, when=_and(when, fault.when))


def _within(
    kind: str, body: Any, columns: Columns, when: pl.Expr | None, depth: int
) -> Iterator[Fault]:
    """Faults of the parts."""
    parts = [(part, when) for part in below(kind, body)]
    if kind == "Ternary":
        chosen = expression(body["predicate"]).fill_null(value=False)
        conditions = (when, _and(when, chosen), _and(when, ~chosen))
        parts = [(part, c) for (part, _), c in zip(parts, conditions, strict=True)]
    elif kind == "Function":
        parts = _of_function(body, when)
    elif kind in ("Eval", "StructEval"):
        parts = [(body["expr"], when)]
    for part, condition in parts:
        yield from _faults(part, columns, condition, depth)
        for fault in inexact.faults(kind, body, part, columns):
            yield replace(fault, when=_and(condition, fault.when))
    if kind == "Eval":
        yield from _of_items(body, columns, when, depth)
    elif kind == "StructEval":
        for part in body["evaluation"]:
            taken = polars_tree.with_fields(part, expression(body["expr"]))
            yield from _faults(taken, columns, when, depth)


def _of_function(body: Any, when: pl.Expr | None) -> list[tuple[Node, pl.Expr | None]]:
    first_of = name(body["function"])[0] in _FIRST_OF
    parts = []
    for part in body["input"]:
        parts.append((part, when))
        if first_of:
            when = _and(when, expression(part).is_null())
    return parts


def _own(node: Node, columns: Columns) -> Iterator[Fault]:
    """Faults of a node itself."""
    [(kind, body)] = node.items()
    if kind == "Cast" and body["options"] == "Overflowing":
        what = f"{polars_tree.shown(node)} changes numbers that do not fit"
        raise ConfigurationError(what, what_to_do="leave out wrap_numerical=True")
    if kind in ("BinaryExpr", "Function", "Agg"):
        yield from number_overflows.faults(node, columns)
        yield from time_overflows.faults(node, columns)


def _of_items(body: Any, columns: Columns, when: pl.Expr | None, depth: int) -> Iterator[Fault]:
    """Faults of what a list evaluates: a row fails if one of its items does."""
    items, column = expression(body["expr"]), polars_tree.item(depth)
    kind = polars_tree.dtype(body["expr"], columns)
    if not isinstance(kind, pl.List | pl.Array):
        return
    items = items.arr.to_list() if isinstance(kind, pl.Array) else items
    inner = kind.inner() if isinstance(kind.inner, type) else kind.inner
    evaluated = polars_tree.with_items(body["evaluation"], column)
    _check_known(body["evaluation"], expression(body["expr"]))
    for fault in _faults(evaluated, {**columns, column: inner}, None, depth + 1):
        told = polars_tree.with_elements(polars_tree.tree(fault.when), column)
        looked = {"expr": polars_tree.tree(items), "evaluation": told, "variant": "List"}
        fails = expression({"Eval": looked}).list.any().fill_null(value=False)
        yield Fault(_and(when, fails), fault.reason)


def _check_known(evaluated: Node, items: pl.Expr) -> None:
    text = json.dumps(evaluated)
    found = next((word for word in sorted(_SUMS) if f'"{word}"' in text), None)
    if found is not None:
        what = f"whether numbers fit is not known of {found} over items of {items}"
        raise ConfigurationError(what, what_to_do="use .map(..) for it")


def _and(when: pl.Expr | None, other: pl.Expr) -> pl.Expr:
    return other if when is None else when & other
