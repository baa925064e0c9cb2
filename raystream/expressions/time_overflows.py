"""Times and durations of rs.col expressions that leave 64 bits, or the years 1 to 9999."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import polars as pl

from raystream.expressions.polars_tree import Columns, Node, dtype, expression, name, shown, tree
from raystream.expressions.values import FLOAT, WIDE, Fault

_DAY = 86_400 * 10**9
_UNITS = {"ms": 10**6, "us": 10**3, "ns": 1}
_WORDS = {"Milliseconds": 10**6, "Microseconds": 10**3, "Nanoseconds": 1}
_TOTALS = {"TotalNanoseconds": 1, "TotalMicroseconds": 10**3, "TotalMilliseconds": 10**6}
_PARTS = (7 * _DAY, _DAY, 3600 * 10**9, 60 * 10**9, 10**9, 10**6, 10**3, 1)
"""Nanoseconds of what pl.duration takes: weeks, days, hours, minutes, seconds, ms, us, ns."""
_STEPPING = ("OffsetBy", "Truncate", "Round")
_NULLS_ON_WISH = ("ReplaceTimeZone",)
_STEP = r"^-?(\d{1,6}(y|q|mo|w|d|h|m|s|i)|\d{1,12}(ms|us|ns)){1,3}$"
_NANOSECONDS = (-(2**63), 2**63 - 1)
_YEARS = (
    (datetime(1, 1, 1) - datetime(1970, 1, 1)).days * _DAY,  # noqa: DTZ001
    (datetime(9999, 12, 31) - datetime(1970, 1, 1)).days * _DAY + _DAY - 1,  # noqa: DTZ001
)
"""The years 1 to 9999, in nanoseconds since 1970."""


def faults(node: Node, columns: Columns) -> Iterator[Fault]:
    """Rows for which this node, not its parts, gives no time, or one that does not fit.

    Args:
        node: An operator, function or aggregate.
        columns: Columns that exist.
    """
    [(kind, body)] = node.items()
    if kind == "BinaryExpr":
        found = list(_of_operator(node, columns))
    elif kind == "Function":
        found = list(_of_function(node, columns))
    else:
        found = []
    for outside in found:
        yield Fault(outside, f"time out of range in {shown(node)}")


def _of_operator(node: Node, columns: Columns) -> Iterator[pl.Expr]:
    body = node["BinaryExpr"]
    left, right = dtype(body["left"], columns), dtype(body["right"], columns)
    if not (left.is_temporal() or right.is_temporal()):
        return
    kind, parts = dtype(node, columns), (body["left"], body["right"])
    if body["op"] in ("Plus", "Minus") and left.is_temporal() and right.is_temporal():
        sign = 1 if body["op"] == "Plus" else -1
        one, two = _nanoseconds(parts[0], left), _nanoseconds(parts[1], right)
        yield _outside(one + sign * two, kind)
        if kind == pl.Date():  # hours beside a date would be left off
            yield two % _DAY != 0 if isinstance(right, pl.Duration) else one % _DAY != 0
    elif isinstance(kind, pl.Duration):
        yield from _scaled(body, kind, left, right)


def _scaled(body: Any, kind: pl.DataType, left: Any, right: Any) -> Iterator[pl.Expr]:
    """A duration times or by a number; by zero it is null, as whole numbers are."""
    number, of = (body["right"], left) if isinstance(left, pl.Duration) else (body["left"], right)
    duration = body["left"] if of is left else body["right"]
    about = expression(duration).to_physical().cast(FLOAT)
    factor = expression(number).cast(FLOAT) if not isinstance(right, type(left)) else None
    if factor is None or body["op"] not in ("Multiply", "TrueDivide"):
        return
    about = about * factor if body["op"] == "Multiply" else about / factor
    yield ((about.abs() >= 2.0**63) | about.is_nan()) & (factor != 0)


def _of_function(node: Node, columns: Columns) -> Iterator[pl.Expr]:
    body = node["Function"]
    family, member = name(body["function"])
    first = expression(body["input"][0])
    if family in ("Negate", "Abs") and isinstance(dtype(node, columns), pl.Duration):
        yield first.to_physical() == -(2**63)
    elif family == "SumHorizontal" and isinstance(dtype(node, columns), pl.Duration):
        wide = [_nanoseconds(part, dtype(part, columns)) for part in body["input"]]
        yield _outside(pl.sum_horizontal(wide), dtype(node, columns))
    elif (family, member) == ("StringExpr", "Strptime"):
        yield from _read(node, columns)
    elif (family, member) == ("TemporalExpr", "Duration"):
        unit = _WORDS[body["function"]["TemporalExpr"]["Duration"]]
        sums = [expression(p).cast(FLOAT) * n for p, n in zip(body["input"], _PARTS, strict=True)]
        yield pl.sum_horizontal(sums).abs() / unit >= 2.0**63
    elif family == "TemporalExpr" and member in _TOTALS:
        exact = _nanoseconds(body["input"][0], dtype(body["input"][0], columns))
        yield (exact // _TOTALS[member]).cast(
            pl.Int64, strict=False
        ).is_null() & exact.is_not_null()
    elif family == "TemporalExpr":
        yield from _of_time(node, member or "", columns)


def _of_time(node: Node, member: str, columns: Columns) -> Iterator[pl.Expr]:
    """A function of a time: given one of those years, it gives such a one, and not null."""
    inputs, kind = node["Function"]["input"], dtype(node, columns)
    own = dtype(inputs[0], columns)
    if not isinstance(own, pl.Datetime | pl.Date):
        return
    yield _outside(_nanoseconds(inputs[0], own), own)
    if member in _STEPPING:
        yield ~expression(inputs[1]).str.contains(_STEP)
        yield _stepped(node, own)
    elif isinstance(kind, pl.Datetime):
        yield _outside(_nanoseconds(node, kind), kind)
    if member not in _NULLS_ON_WISH:
        given = pl.all_horizontal([expression(part).is_not_null() for part in inputs])
        yield given & expression(node).is_null()


def _stepped(node: Node, own: Any) -> pl.Expr:
    """Computed in microseconds, where it cannot wrap."""
    body = node["Function"]
    first = expression(body["input"][0])
    if not isinstance(own, pl.Datetime):
        return _outside(_nanoseconds(node, own), own)
    coarse = tree(first.dt.cast_time_unit("us"))
    inputs = [coarse, *body["input"][1:]]
    twin = expression({"Function": {"input": inputs, "function": body["function"]}})
    return _outside(twin.to_physical().cast(WIDE) * 10**3, own)


def _read(node: Node, columns: Columns) -> Iterator[pl.Expr]:
    """Text read as nanoseconds wraps: read as microseconds it does not."""
    kind = dtype(node, columns)
    if isinstance(kind, pl.Datetime) and kind.time_unit == "ns":
        coarse = json.loads(json.dumps(node).replace('"Nanoseconds"', '"Microseconds"'))
        yield _outside(expression(coarse).to_physical().cast(WIDE) * 10**3, kind)


def _nanoseconds(node: Node, kind: Any) -> pl.Expr:
    value = expression(node).to_physical().cast(WIDE)
    if isinstance(kind, pl.Datetime | pl.Duration):
        return value * _UNITS[kind.time_unit]
    return value * _DAY if kind == pl.Date() else value


def _outside(exact: pl.Expr, kind: Any) -> pl.Expr:
    """Whether nanoseconds are more than the type can hold."""
    low, high = _NANOSECONDS
    if isinstance(kind, pl.Duration):
        low, high = (end * _UNITS[kind.time_unit] for end in _NANOSECONDS)
    elif kind == pl.Date() or (isinstance(kind, pl.Datetime) and kind.time_unit != "ns"):
        low, high = _YEARS
    return (exact < pl.lit(low, WIDE)) | (exact > pl.lit(high, WIDE))
