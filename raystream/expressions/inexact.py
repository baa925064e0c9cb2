"""Parts of rs.col expressions that Polars brings to one type, though some values change by that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl

from raystream.errors import ConfigurationError
from raystream.expressions.polars_tree import Columns, Node, dtype, dtypes, expression, name, shown
from raystream.expressions.values import FLOAT, WIDE, Fault

_TOGETHER = frozenset(
    "Coalesce FillNull MaxHorizontal MinHorizontal SumHorizontal MeanHorizontal IsBetween".split()
)
"""Functions whose inputs are brought to one type."""
_COMPARISONS = frozenset("Eq NotEq Lt LtEq Gt GtEq EqValidity NotEqValidity".split())
_UNITS = {"ms": 10**6, "us": 10**3, "ns": 1}


def faults(kind: str, body: Any, part: Node, columns: Columns) -> Iterator[Fault]:
    """Rows in which a part of an operator, choice or function changes beside its neighbours.

    A whole number beyond 2**53 beside a float (where it is chosen, not computed with), and a time
    of a finer unit beside one of a coarser.

    Args:
        kind: Kind of the node.
        body: What it holds.
        part: One of its parts.
        columns: Columns that exist.
    """
    together = _together(kind, body)
    if part not in together or len(together) < 2:
        return
    types = [each for other in together for each in dtypes(other, columns)]
    own = dtype(part, columns)
    if kind != "BinaryExpr" and own.is_integer() and any(each.is_float() for each in types):
        value = expression(part)
        changes = value.cast(FLOAT).cast(WIDE, strict=False) != value.cast(WIDE)
        yield Fault(changes, f"{shown(part)} is no float without a change")
    coarsest = max((_unit(each) for each in types), default=1)
    if _unit(own) and _unit(own) < coarsest:
        yield from _finer(part, coarsest // _unit(own))


def _together(kind: str, body: Any) -> list[Node]:
    """The parts that are brought to one type."""
    if kind == "Ternary":
        return [body["truthy"], body["falsy"]]
    if kind == "BinaryExpr" and body["op"] in (*_COMPARISONS, "Plus", "Minus"):
        return [body["left"], body["right"]]
    if kind != "Function":
        return []
    family, member = name(body["function"])
    return body["input"] if _TOGETHER & {family, member} else []


def _unit(kind: pl.DataType) -> int:
    """Nanoseconds of the unit of a timestamp or a duration; 0 of other types."""
    if isinstance(kind, pl.Datetime | pl.Duration):
        return _UNITS[kind.time_unit]
    return 0


def _finer(part: Node, times: int) -> Iterator[Fault]:
    value = expression(part)
    changes = value.to_physical() % times != 0
    if value.meta.is_literal():
        if pl.select(changes).item():
            what = f"{shown(part)} is finer than the times beside it"
            raise ConfigurationError(what, what_to_do='cast those with .dt.cast_time_unit("us")')
        return
    yield Fault(changes, f"{shown(part)} is finer than the times beside it")
