"""Where whole numbers of rs.col expressions leave their type: Polars wraps them without a word."""

from __future__ import annotations

import io
import json
import operator
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from raystream.expressions.bounds import Within, always_in, computed, of_column, of_number
from raystream.expressions.row_wise import below, serialized
from raystream.expressions.values import FLOAT, WIDE, Fault

Columns = Mapping[str, pl.DataType]

_OPERATIONS: Mapping[str, tuple[str, Callable[[pl.Expr, pl.Expr], pl.Expr]]] = {
    "Plus": ("+", operator.add),
    "Minus": ("-", operator.sub),
    "Multiply": ("*", operator.mul),
}
_FIRST_OF = ("FillNull", "Coalesce")
"""Functions that take what is behind the first only where that is null."""


def overflows(expression: pl.Expr, columns: Columns) -> tuple[Fault, ...]:
    """Rows for which a sum, difference or product does not fit its type; innermost first.

    What is not chosen (`when`, `coalesce`) cannot fail. Within lists nothing is checked.

    >>> [fault.reason for fault in overflows(pl.col("a") * 2, {"a": pl.Int64()})]
    ['integer overflow in [(col("a")) * (dyn int: 2)]']
    """
    text = serialized(expression)
    if not any(f'"{name}"' in text for name in _OPERATIONS):
        return ()
    if pl.DataFrame(schema=dict(columns)).select(expression).width != 1:
        return ()  # several columns at once
    return tuple(_faults(json.loads(text), columns, None))


def _faults(node: Any, columns: Columns, when: pl.Expr | None) -> Iterator[Fault]:
    if not isinstance(node, dict):
        return
    [(kind, body)] = node.items()
    if kind in ("Column", "Literal", "Selector", "Field", "AnonymousFunction"):
        return
    if kind == "Ternary":
        chosen = _expression(body["predicate"]).fill_null(value=False)
        yield from _faults(body["predicate"], columns, when)
        yield from _faults(body["truthy"], columns, _and(when, chosen))
        yield from _faults(body["falsy"], columns, _and(when, ~chosen))
    elif kind == "Function":
        yield from _of_function(body, columns, when)
    else:
        for part in [body["expr"]] if kind in ("Eval", "StructEval") else below(kind, body):
            yield from _faults(part, columns, when)
    if kind == "BinaryExpr" and body["op"] in _OPERATIONS:
        yield from _overflow(node, columns, when)


def _of_function(body: Any, columns: Columns, when: pl.Expr | None) -> Iterator[Fault]:
    first_of = any(name in json.dumps(body["function"]) for name in _FIRST_OF)
    for part in body["input"]:
        yield from _faults(part, columns, when)
        if first_of:
            when = _and(when, _expression(part).is_null())


def _overflow(node: Any, columns: Columns, when: pl.Expr | None) -> Iterator[Fault]:
    body, whole = node["BinaryExpr"], _expression(node)
    sign, operation = _OPERATIONS[body["op"]]
    [dtype] = pl.DataFrame(schema=dict(columns)).select(whole).dtypes
    if not dtype.is_integer() or dtype in (pl.Int128(), pl.UInt128()):
        return
    left, right = (_expression(body[side]) for side in ("left", "right"))
    wide = operation(left.cast(WIDE), right.cast(WIDE))
    about = operation(left.cast(FLOAT), right.cast(FLOAT)).abs()
    outside = (about > 2.0**100) | (wide.is_not_null() & wide.cast(dtype, strict=False).is_null())
    low, high = pl.select(dtype.min().alias("l"), dtype.max().alias("h")).row(0)  # type: ignore[attr-defined]
    never = always_in(_within(node, columns), low, high)
    shown = " ".join(str(whole).split())
    yield Fault(_and(when, outside), f"integer overflow in {shown}", never)


def _within(node: Any, columns: Columns) -> Within | None:
    [(kind, body)] = node.items()
    if kind == "Column" and columns[body].is_integer():
        return of_column(body)
    if kind == "Literal":
        number = _expression(node).meta
        value = pl.select(_expression(node)).item() if number.is_literal() else None
        return of_number(value) if type(value) is int else None
    if kind == "BinaryExpr" and body["op"] in _OPERATIONS:
        sign = _OPERATIONS[body["op"]][0]
        return computed(sign, _within(body["left"], columns), _within(body["right"], columns))
    return None


def _and(when: pl.Expr | None, other: pl.Expr) -> pl.Expr:
    return other if when is None else when & other


def _expression(node: Any) -> pl.Expr:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pl.Expr.deserialize(io.StringIO(json.dumps(node)), format="json")
