"""rs.col expressions are Polars': only such that look at their own row have one meaning here."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from raystream.data.schema import no_column
from raystream.errors import ConfigurationError
from raystream.expressions.polars_tree import COMPUTE_ERRORS, below, name, tree
from raystream.expressions.quotient import exact_quotients
from raystream.expressions.sample import sample

_FAMILIES = frozenset(
    "StringExpr BinaryExpr TemporalExpr StructExpr ListExpr ArrayExpr Trigonometry Pow "
    "CategoricalExpr Business ExtensionExpr".split()
)
"""Families of functions that look at one row, but for those of _NEVER."""
_NEVER = frozenset({"ConcatVertical", "Sample"})
_SINGLE = frozenset(
    "Abs Negate Round RoundSF Truncate Floor Ceil Clip Atan2 Sign FillNull Coalesce AsStruct Log "
    "Log1p Exp Replace ReplaceStrict Hash SumHorizontal MeanHorizontal MinHorizontal MaxHorizontal "
    "ToPhysical Reinterpret Cut BinIntervals RepeatBy SetSortedFlag".split()
)
_MEMBERS: Mapping[str, frozenset[str]] = {
    "Boolean": frozenset(
        "IsNull IsNotNull IsFinite IsInfinite IsNan IsNotNan IsIn IsBetween IsClose AllHorizontal "
        "AnyHorizontal Not".split()
    ),
    "Bitwise": frozenset(
        "CountOnes CountZeros LeadingOnes LeadingZeros TrailingOnes TrailingZeros".split()
    ),
    "Range": frozenset({"IntRanges", "DateRanges", "DatetimeRanges", "TimeRanges"}),
}
_NODES = frozenset(
    "Column Literal BinaryExpr Cast Ternary Alias Function Field Selector KeepName RenameAlias "
    "Eval StructEval".split()
)
_WORDS: Mapping[str, str] = {"Over": "over", "Agg": "an aggregate", "Len": "len", "Gather": "get"}


def check_row_wise(expression: pl.Expr, columns: Mapping[str, pl.DataType]) -> pl.DataType:
    """The type of an expression that reads columns that exist and looks at its row only.

    Args:
        expression: What the user built with rs.col.
        columns: Columns that exist, with their types.

    Raises:
        ConfigurationError: it does not.
    """
    for root in expression.meta.root_names():
        if root not in columns and root not in {"*", ""} and not root.startswith("^"):
            raise no_column(root, columns)
    for why in _beyond(tree(expression), columns):
        raise _refused(expression, why)
    dtype = _type(expression, columns)
    if not _same_alone(exact_quotients(expression, columns), columns):
        raise _refused(expression, "it gives other values for the same row among other rows")
    return dtype


def _refused(expression: pl.Expr, why: str) -> ConfigurationError:
    shown = " ".join(str(expression).split())
    shown = shown if len(shown) <= 120 else f"{shown[:117]}..."
    what = f"{shown} looks beyond its row: {why}"
    advice = "an expression sees one row at a time; aggregate with window(...).agg(...)"
    return ConfigurationError(what, what_to_do=advice)


def _beyond(node: Any, columns: Mapping[str, pl.DataType]) -> Iterator[str]:
    """What in the expression may look beyond its row, in words."""
    if isinstance(node, str):
        if node != "Element":
            yield _WORDS.get(node, node)
        return
    [(kind, body)] = node.items()
    if kind == "AnonymousFunction":
        yield "what a Python function in it does is not known; use .map(..) or .map_batches(..)"
    elif kind not in _NODES:
        yield _WORDS.get(kind, kind.lower())
    elif kind == "Literal" and "Series" in body:
        yield "it holds a whole series of values"
    elif kind == "Function":
        yield from _of_function(body, columns)
    elif kind == "Eval":  # what is evaluated sees the items of one list
        yield from _beyond(body["expr"], columns)
        if "Cumulative" in body["variant"]:
            yield "cumulative_eval"
        if "AnonymousFunction" in json.dumps(body["evaluation"]):
            yield "what a Python function in it does is not known"
    elif kind not in ("Column", "Literal", "Selector", "Field"):
        for part in below(kind, body):
            yield from _beyond(part, columns)


def _of_function(body: Mapping[str, Any], columns: Mapping[str, pl.DataType]) -> Iterator[str]:
    family, member = name(body["function"])
    if not _allowed(family, member):
        inner = member if family in _FAMILIES or family in _MEMBERS else None
        yield _words(inner or family)
    inputs = body["input"]
    if member == "IsIn" and not _is_list(inputs[1], columns):
        yield "is_in of a column looks at all its values"
    if family in ("Business", "TemporalExpr") and "Business" in (family, member or ""):
        inputs = inputs[:2]
    for part in inputs:
        yield from _beyond(part, columns)


def _is_list(node: Any, columns: Mapping[str, pl.DataType]) -> bool:
    if not isinstance(node, dict):
        return False
    if "Column" in node:
        return isinstance(columns.get(node["Column"]), pl.List | pl.Array)
    return "Column" not in json.dumps(node) and "Series" not in json.dumps(node)


def _allowed(family: str, member: str | None) -> bool:
    if family in _FAMILIES:
        return member not in _NEVER
    if family in _MEMBERS:
        return member in _MEMBERS[family]
    return family in _SINGLE


def _words(name: str) -> str:
    """`IsFirstDistinct` -> `is_first_distinct`."""
    spaced = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    return spaced.strip("_")


def _type(expression: pl.Expr, columns: Mapping[str, pl.DataType]) -> pl.DataType:
    try:
        found = pl.DataFrame(schema=dict(columns)).select(expression).schema  # a lazy one sees less
    except COMPUTE_ERRORS as error:
        what = str(error).splitlines()[0]
        raise ConfigurationError(what, what_to_do="check types and columns") from error
    if len(found) > 1:
        what = f"{expression} gives {len(found)} columns: {', '.join(found)}"
        raise ConfigurationError(what, what_to_do="write an expression for each column")
    return next(iter(found.values()), pl.Null())


def _same_alone(expression: pl.Expr, columns: Mapping[str, pl.DataType]) -> bool:
    """Whether rows give the same alone as among others: a net below the list of names above."""
    if not expression.meta.root_names():
        return True
    rows = sample({name: columns[name] for name in columns if name in expression.meta.root_names()})
    try:
        whole = rows.select(expression)
        alone = pl.concat([rows[n : n + 1].select(expression) for n in range(rows.height)])
        backwards = rows.reverse().select(expression).reverse()
    except COMPUTE_ERRORS:
        return True  # a strict cast of these values; real ones may be others
    return whole.height == rows.height and whole.equals(alone) and whole.equals(backwards)
