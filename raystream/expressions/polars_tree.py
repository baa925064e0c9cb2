"""The tree of an rs.col expression: Polars tells it as JSON, and makes an expression of it again."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from typing import Any

import polars as pl

Columns = Mapping[str, pl.DataType]
Node = Any
"""A node: the word of a leaf, or one key, its kind, with what it holds."""

COMPUTE_ERRORS = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
"""What Polars raises of values that it cannot compute; a panic is no Exception."""

_INPUTS = ("expr", "input", "by", "idx", "offset", "length")

_ITEM = "\0item"
"""Column that stands for the items while what a list evaluates is looked at."""


def tree(expression: pl.Expr) -> Node:
    """The tree of an expression.

    >>> tree(pl.col("a") + 1)["BinaryExpr"]["op"]
    'Plus'
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return json.loads(expression.meta.serialize(format="json"))


def expression(node: Node) -> pl.Expr:
    """The expression of a tree."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pl.Expr.deserialize(io.StringIO(json.dumps(node)), format="json")


def dtypes(node: Node, columns: Columns) -> list[pl.DataType]:
    """Types of what a node gives: one, but for selectors of several columns."""
    return pl.DataFrame(schema=dict(columns)).select(expression(node)).dtypes


def dtype(node: Node, columns: Columns) -> pl.DataType:
    """The one type of what a node gives."""
    return dtypes(node, columns)[0]


def shown(node: Node) -> str:
    """A node as Polars writes it, in one line."""
    text = " ".join(str(expression(node)).split()).replace(_ITEM, "element")
    return text if len(text) <= 120 else f"{text[:117]}..."


def below(kind: str, body: Any) -> list[Node]:
    """The nodes below one that is not a function."""
    match kind:
        case "BinaryExpr":
            return [body["left"], body["right"]]
        case "Cast" | "RenameAlias":
            return [body["expr"]]
        case "Ternary":
            return [body["predicate"], body["truthy"], body["falsy"]]
        case "Alias":
            return [body[0]]
        case "StructEval":
            return [body["expr"], *body["evaluation"]]
        case _:
            return _found(body)


def _found(body: Any) -> list[Node]:
    """Nodes in what a kind holds of which no more is known."""
    if isinstance(body, list):
        return [node for part in body for node in _found(part)]
    if isinstance(body, dict) and not (len(body) == 1 and next(iter(body))[:1].isupper()):
        return [node for key in _INPUTS if key in body for node in _found(body[key])]
    return [body]


def name(function: Any) -> tuple[str, str | None]:
    """Family and member of a function: `("ListExpr", "Sum")`, `("Abs", None)`."""
    if isinstance(function, str):
        return function, None
    [(family, member)] = function.items()
    if isinstance(member, str):
        return family, member
    if isinstance(member, dict) and len(member) == 1:
        return family, next(iter(member))
    return family, None


def item(depth: int) -> str:
    """Name of the column that stands for the items of a list within so many lists."""
    return f"{_ITEM}{depth}"


def with_items(node: Node, column: str) -> Node:
    """What a list evaluates, with a column for its items."""
    return _replaced(node, lambda n: {"Column": column} if n in ("Element", _UNNAMED) else n)


def with_elements(node: Node, column: str) -> Node:
    """The same back: items of the list where that column stands."""
    return _replaced(node, lambda n: "Element" if n == {"Column": column} else n)


def with_fields(node: Node, of: pl.Expr) -> Node:
    """What an object evaluates, with its fields taken out of it."""

    def field(found: Node) -> Node:
        if isinstance(found, dict) and list(found) == ["Field"]:
            return tree(of.struct.field(found["Field"][0]))
        return found

    return _replaced(node, field)


_UNNAMED = {"Column": ""}


def _replaced(node: Node, change: Any) -> Node:
    found = change(node)
    if found is not node:
        return found
    if isinstance(node, list):
        return [_replaced(part, change) for part in node]
    if isinstance(node, dict):  # what a list within evaluates has items of its own
        inner = {key: key != "evaluation" or "variant" not in node for key in node}
        return {k: _replaced(v, change) if inner[k] else v for k, v in node.items()}
    return node
