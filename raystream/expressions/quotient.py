"""Quotients by IEEE 754: Polars multiplies by 1/c where it divides several rows by one number c.

So 3 / 10 would be 0.30000000000000004 among other rows, and 0.3 alone or after a replay.
"""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from raystream.errors import ConfigurationError
from raystream.expressions.polars_tree import Columns, Node, dtype, expression, shown, tree


def quotient(left: pl.Expr, right: pl.Expr, kind: Any = pl.Float64) -> pl.Expr:
    """`left / right` as floats.

    >>> frame = pl.DataFrame({"a": [3.0, 6.0]})
    >>> frame.select(quotient(pl.col("a"), pl.lit(10.0)))["a"].to_list()
    [0.3, 0.6]
    >>> frame.select(quotient(pl.col("a"), pl.lit(0.0)))["a"].to_list()
    [inf, inf]
    """
    if left.meta.root_names() and not right.meta.root_names():
        right = _in_every_row(left, right, kind)
    return left / right


def _in_every_row(left: pl.Expr, right: pl.Expr, kind: Any) -> pl.Expr:
    """Times 1, which keeps the sign of zero: for Polars 0.0 - 0.0 of a column is -0.0."""
    return right.cast(kind) * left.is_null().is_not_null().cast(kind)


def exact_quotients(written: pl.Expr, columns: Columns) -> pl.Expr:
    """An rs.col expression whose quotients by one number are those of IEEE 754.

    Args:
        written: What the user wrote.
        columns: Columns that exist.

    Raises:
        ConfigurationError: a whole list or object is divided by one number.
    """
    node = tree(written)
    if '"TrueDivide"' not in json.dumps(node):
        return written
    return expression(_exact(node, columns))


def _exact(node: Node, columns: Columns) -> Node:
    if isinstance(node, list):
        return [_exact(part, columns) for part in node]
    if not isinstance(node, dict):
        return node
    node = {key: _exact(part, columns) for key, part in node.items()}
    body = node.get("BinaryExpr")
    if not isinstance(body, dict) or body["op"] != "TrueDivide" or not _by_one_number(body):
        return node
    of_items = _reads(body["left"]) == {"Element"}
    if not of_items:
        kind = dtype(node, columns)
        if kind.is_nested():
            what = f"{shown(node)}: the last digit of a quotient of whole lists or objects differs"
            raise ConfigurationError(what, what_to_do="divide in list.eval, or one field")
        if not kind.is_float():
            return node
    else:
        kind = pl.Float64()
    right = _in_every_row(expression(body["left"]), expression(body["right"]), kind)
    return {"BinaryExpr": {**body, "right": tree(right)}}


def _by_one_number(body: Any) -> bool:
    return bool(_reads(body["left"])) and not _reads(body["right"])


def _reads(node: Node) -> set[str]:
    """Kinds of leaves that have a value of each row."""
    text = json.dumps(node)
    return {word for word in ("Column", "Element", "Selector", "Field") if f'"{word}"' in text}
