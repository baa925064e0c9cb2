"""What the user wrote where a value is computed, checked against the columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.data.schema import no_column
from raystream.errors import ConfigurationError
from raystream.expressions.bounds import Limits
from raystream.expressions.build import typed
from raystream.expressions.overflows import overflows
from raystream.expressions.parser import parse
from raystream.expressions.problem import Problem, bad
from raystream.expressions.quotient import exact_quotients
from raystream.expressions.row_wise import check_row_wise
from raystream.expressions.tree import columns_of
from raystream.expressions.values import Fault


@dataclass(frozen=True, slots=True)
class Compiled:
    """An expression that can run.

    Args:
        value: Never raises for a row; without meaning where `error` is not null.
        dtype: Type of the value.
        reads: Columns it reads.
        constant: It reads no column: one value for all rows.
        error: String, null where the row can be computed, else the reason. None: no row can fail.
        opaque: Given as rs.col(..), which may hold functions of the user.
        never: Tells from least and greatest of the integer columns that it reads that no row fails.
    """

    value: pl.Expr
    dtype: pl.DataType
    reads: frozenset[str]
    constant: bool
    error: pl.Expr | None = None
    never: Callable[[Limits], bool] | None = None
    opaque: bool = False


def compiled(written: Any, columns: Mapping[str, pl.DataType]) -> Compiled:
    """An expression, checked: it reads columns that exist, has a type, and looks at its row only.

    Text that is exactly a column's name is that column, whatever SQL thinks of the word.

    Args:
        written: SQL text or pl.Expr.
        columns: Columns that exist, with their types.

    Raises:
        ConfigurationError: it cannot be computed; a BadExpression says where in the text.

    >>> found = compiled("price * qty", {"price": pl.Int64(), "qty": pl.Int64()})
    >>> found.dtype, sorted(found.reads), found.constant
    (Int64, ['price', 'qty'], False)
    >>> pl.select(price=2**62, qty=2).select(found.error).item()
    'integer overflow in price * qty'
    """
    if isinstance(written, pl.Expr):
        dtype = check_row_wise(written, columns)
        value = exact_quotients(written, columns)
        reads = frozenset(written.meta.root_names())
        faults = overflows(written, columns)
        told, never = _error(faults), _never(faults)
        return Compiled(value, dtype, reads, not reads, told, never, opaque=True)
    if not isinstance(written, str):
        what = f"{written!r} is not an expression"
        raise ConfigurationError(what, what_to_do="write SQL text or rs.col(...)")
    if written in columns:
        dtype = columns[written]
        return Compiled(pl.col(written), dtype, frozenset([written]), constant=False)
    if written.isidentifier() and written.lower() not in ("true", "false", "null"):
        error = no_column(written, columns)
        raise bad(written, Problem(error.what, 0, error.what_to_do))
    return _of_text(written, columns)


def _of_text(text: str, columns: Mapping[str, pl.DataType]) -> Compiled:
    tree = parse(text)
    try:
        found = typed(tree, columns)
    except Problem as problem:
        raise bad(text, problem) from None
    except RecursionError:
        raise bad(text, Problem("the expression is too long", 0, "compute parts first")) from None
    reads = columns_of(tree, frozenset(columns))
    error = _error(found.faults)
    if not reads and error is not None:
        _check_constant(text, error)
        error = None
    constant, never = not reads, _never(found.faults)
    return Compiled(found.value, found.dtype, reads, constant, error=error, never=never)


def _never(faults: Sequence[Fault]) -> Callable[[Limits], bool] | None:
    known = [fault.never for fault in faults if fault.never is not None]
    if not faults or len(known) < len(faults):
        return None
    return lambda limits: all(never(limits) for never in known)


def _error(faults: Sequence[Fault]) -> pl.Expr | None:
    """The reason of the first fault of each row."""
    if not faults:
        return None
    chosen: Any = pl
    for fault in faults:
        chosen = chosen.when(fault.when).then(pl.lit(fault.reason))
    found: pl.Expr = chosen.otherwise(pl.lit(None, pl.String()))
    return found


def _check_constant(text: str, error: pl.Expr) -> None:
    reason = pl.select(error).item()
    if reason is not None:
        raise bad(text, Problem(reason, 0))
