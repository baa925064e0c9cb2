"""Whole numbers of rs.col expressions that leave their type."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import polars as pl

from raystream.data.nested import holds
from raystream.errors import ConfigurationError
from raystream.expressions.bounds import Within, always_in, computed, of_column, of_number
from raystream.expressions.polars_tree import Columns, Node, dtype, expression, name, shown, tree
from raystream.expressions.values import FLOAT, WIDE, Fault

OPERATIONS: Mapping[str, tuple[str, Callable[[Any, Any], Any]]] = {
    "Plus": ("+", operator.add),
    "Minus": ("-", operator.sub),
    "Multiply": ("*", operator.mul),
}
_QUOTIENTS = ("FloorDivide", "TruncDivide", "Modulus")
_WIDEST = (pl.Int128(), pl.UInt128())
_EXACT = 2**53
"""Whole numbers up to this are exact as floats."""


def faults(node: Node, columns: Columns) -> Iterator[Fault]:
    """Rows for which this node, not its parts, gives a whole number that does not fit.

    Args:
        node: An operator, function or aggregate.
        columns: Columns that exist.

    Raises:
        ConfigurationError: arithmetic on whole lists or objects.
    """
    [(kind, body)] = node.items()
    if kind == "BinaryExpr":
        yield from _of_operator(node, columns)
    elif kind == "Agg":
        yield from _of_sum(node, body, columns)
    else:
        yield from _of_function(node, columns)


def check_literal(body: Any) -> None:
    """Refuse a whole number beyond 64 bits that is written out: Polars makes null of it.

    Raises:
        ConfigurationError: it is one.
    """
    number = body.get("Dyn", {}).get("Int") if isinstance(body, dict) else None
    if number is not None and not -(2**63) <= number < 2**64:
        what = f"{number} does not fit 64 bits"
        raise ConfigurationError(what, what_to_do=f"write {float(number)!r}, a float")


def limits(of: pl.DataType) -> tuple[int, int]:
    """Least and greatest value of a type of whole numbers."""
    low, high = pl.select(of.min().alias("l"), of.max().alias("h")).row(0)  # type: ignore[attr-defined]
    return low, high


def _of_operator(node: Node, columns: Columns) -> Iterator[Fault]:
    body, kind = node["BinaryExpr"], dtype(node, columns)
    if body["op"] not in (*OPERATIONS, *_QUOTIENTS):
        return
    if kind.is_nested() and holds(kind, _wraps):
        what = f"{shown(node)} is not checked for numbers that do not fit"
        raise ConfigurationError(what, what_to_do="compute with one field, or with list.eval")
    if not kind.is_integer():
        return
    if body["op"] in OPERATIONS:
        yield _overflow(node, kind, columns)
    elif body["op"] != "Modulus" and kind.is_signed_integer():
        left, right = expression(body["left"]), expression(body["right"])
        least = (left == pl.lit(limits(kind)[0], kind)) & (right == -1)
        yield Fault(least, _reason(node))


def _wraps(leaf: pl.DataType) -> bool:
    return leaf.is_integer() or leaf.is_temporal()


def _overflow(node: Node, kind: pl.DataType, columns: Columns) -> Fault:
    body = node["BinaryExpr"]
    operation = OPERATIONS[body["op"]][1]
    left, right = expression(body["left"]), expression(body["right"])
    about = operation(left.cast(FLOAT), right.cast(FLOAT))
    if kind in _WIDEST:
        low, high = limits(kind)  # near the ends a float does not tell: those are refused too
        return Fault((about < low * 0.99) | (about > high * 0.99), _reason(node))
    wide = operation(left.cast(WIDE), right.cast(WIDE))
    outside = (about.abs() > 2.0**100) | _outside(wide, kind)
    return Fault(outside, _reason(node), always_in(_within(node, columns), *limits(kind)))


def _outside(wide: pl.Expr, kind: pl.DataType) -> pl.Expr:
    return wide.is_not_null() & wide.cast(kind, strict=False).is_null()


def _reason(node: Node) -> str:
    return f"integer overflow in {shown(node)}"


def _of_function(node: Node, columns: Columns) -> Iterator[Fault]:
    body = node["Function"]
    family, member = name(body["function"])
    parts = [expression(part) for part in body["input"]]
    found: pl.Expr | None = None
    match family, member:
        case (("Negate" | "Abs"), _):
            yield from _of_sign(node, columns)
        case "Pow", "Generic":
            found = _of_power(node, parts, columns)
        case (("SumHorizontal" | "MeanHorizontal"), _):
            found = _of_row(body, parts, columns)
        case (("ListExpr" | "ArrayExpr"), ("Sum" | "Diff" | "Dot")):
            found = _of_list(node, parts, columns)
        case "CumSum", _:
            found = _of_running(node, parts[0], columns)
        case "Replace", _:
            _check_replaced(node, parts, columns)
        case "RoundSF", _ if dtype(node, columns).is_integer():
            found = parts[0].cast(WIDE).abs() > _EXACT
        case _:
            pass
    if found is not None:
        yield Fault(found, _reason(node))


def _check_replaced(node: Node, parts: list[pl.Expr], columns: Columns) -> None:
    """New values take the type of the old: 1.5 would become 1."""
    if not parts[2].meta.is_literal():
        return
    given = pl.select(parts[2]).to_series().explode()
    kept = given.cast(dtype(node, columns), strict=False)
    if not kept.cast(given.dtype, strict=False).equals(given):
        what = f"new values of {shown(node)} do not fit the type {dtype(node, columns)}"
        raise ConfigurationError(what, what_to_do="use replace_strict(.., default=..), or cast")


def _of_sign(node: Node, columns: Columns) -> Iterator[Fault]:
    kind = dtype(node, columns)
    if not kind.is_signed_integer():
        return
    [part] = node["Function"]["input"]
    low, high = limits(kind)
    never = always_in(_within(part, columns), low + 1, high)
    yield Fault(expression(part) == pl.lit(low, kind), _reason(node), never)


def _of_power(node: Node, parts: list[pl.Expr], columns: Columns) -> pl.Expr | None:
    """Powers of whole numbers beside the ends are further from them than a float tells."""
    kind = dtype(node, columns)
    if not kind.is_integer():
        return None
    low, high = (float(end) for end in limits(kind))
    about = parts[0].cast(FLOAT).pow(parts[1].cast(FLOAT))
    if kind in _WIDEST:
        return (about < low * 0.99) | (about > high * 0.99)
    return (about < low) | (about >= high + 1)


def _of_row(body: Any, parts: list[pl.Expr], columns: Columns) -> pl.Expr | None:
    function = {"SumHorizontal": {"ignore_nulls": True}}
    kind = dtype({"Function": {"input": body["input"], "function": function}}, columns)
    if kind.is_nested() and holds(kind, _wraps):
        what = "sums of whole lists or objects are not checked for numbers that do not fit"
        raise ConfigurationError(what, what_to_do="add up one field, or use .map(..)")
    if not kind.is_integer():
        return None
    if kind in _WIDEST:
        about = pl.sum_horizontal([part.cast(FLOAT) for part in parts])
        return about.abs() > limits(pl.Int128())[1] * 0.99
    return _outside(pl.sum_horizontal([part.cast(WIDE) for part in parts]), kind)


def _of_list(node: Node, parts: list[pl.Expr], columns: Columns) -> pl.Expr | None:
    """The same function over the items as wide numbers, and whether what it gives fits."""
    kind = dtype(node, columns)
    inner = kind.inner if isinstance(kind, pl.List | pl.Array) else kind
    kind = inner() if isinstance(inner, type) else inner
    if not _wraps(kind):
        return None
    if kind.is_temporal() or kind in _WIDEST:
        what = f"whether numbers fit is not known of {shown(node)}"
        raise ConfigurationError(what, what_to_do="use .map(..) for it")
    body = node["Function"]
    wide = [tree(_widened(p, n, columns)) for p, n in zip(parts, body["input"], strict=True)]
    found = expression({"Function": {"input": wide, "function": body["function"]}})
    if dtype(node, columns).is_nested():
        low, high = limits(kind)
        return (found.list.min() < low) | (found.list.max() > high)
    return _outside(found, kind)


def _widened(part: pl.Expr, node: Node, columns: Columns) -> pl.Expr:
    kind = dtype(node, columns)
    if isinstance(kind, pl.Array):
        return part.cast(pl.Array(WIDE, kind.size))
    return part.cast(pl.List(WIDE)) if isinstance(kind, pl.List) else part


def _of_sum(node: Node, body: Any, columns: Columns) -> Iterator[Fault]:
    """A sum over the items of a list."""
    kind = dtype(node, columns)
    if "Sum" not in body or not _wraps(kind):
        return
    if not kind.is_integer() or kind in _WIDEST:
        what = f"whether numbers fit is not known of {shown(node)}"
        raise ConfigurationError(what, what_to_do="use .map(..) for it")
    yield Fault(_outside(expression(body["Sum"]).cast(WIDE).sum(), kind), _reason(node))


def _of_running(node: Node, part: pl.Expr, columns: Columns) -> pl.Expr | None:
    kind = dtype(node, columns)
    return _outside(part.cast(WIDE).cum_sum(), kind) if kind.is_integer() else None


def _within(node: Node, columns: Columns) -> Within | None:
    if not isinstance(node, dict):
        return None
    [(kind, body)] = node.items()
    if kind == "Column" and columns[body].is_integer() and "\0" not in body:
        return of_column(body)
    if kind == "Literal":
        number = expression(node).meta
        value = pl.select(expression(node)).item() if number.is_literal() else None
        return of_number(value) if type(value) is int else None
    if kind == "BinaryExpr" and body["op"] in OPERATIONS:
        sign = OPERATIONS[body["op"]][0]
        return computed(sign, _within(body["left"], columns), _within(body["right"], columns))
    return None
