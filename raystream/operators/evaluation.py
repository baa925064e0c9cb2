"""Evaluate expressions on rows; the step's error policy handles rows that cannot be computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import polars as pl

from raystream.expressions.compiled import Compiled
from raystream.expressions.halves import by_halves, reasons
from raystream.expressions.polars_tree import COMPUTE_ERRORS


class Errors(Protocol):
    """The error policy of a step."""

    def without(self, frame: pl.DataFrame, reasons: pl.Series) -> pl.DataFrame:
        """The rows without a reason; the policy handles the others."""
        ...


PARTS_ONCE = pl.QueryOptFlags.none(comm_subexpr_elim=True)
"""What several expressions of a step share is computed once; nothing else is rearranged."""


def columns_of(
    frame: pl.DataFrame, values: Sequence[pl.Expr], expressions: Sequence[Compiled], *, keep: bool
) -> pl.DataFrame:
    """The columns that a step computes.

    Args:
        frame: The rows.
        values: One expression for each column, with its name.
        expressions: What they were compiled from.
        keep: The other columns stay.
    """
    if any(each.opaque for each in expressions):
        return frame.with_columns(values) if keep else frame.select(values)
    lazy = frame.lazy()
    made = lazy.with_columns(values) if keep else lazy.select(values)
    return made.collect(optimizations=PARTS_ONCE)


def _is_counted(kind: pl.DataType) -> bool:
    """Whether values are whole numbers, or times that are kept as such."""
    return kind.is_integer() or isinstance(kind, pl.Datetime | pl.Date)


class Evaluation:
    """Computes all rows at once, after finding the rows that cannot be computed.

    Args:
        expressions: The expressions.
        compute: Rows with hidden columns -> output of the step.
    """

    def __init__(
        self, expressions: Sequence[Compiled], compute: Callable[[pl.DataFrame], pl.DataFrame]
    ) -> None:
        errors = [each.error for each in expressions if each.error is not None]
        self._error = pl.coalesce(errors) if errors else None
        failing = [each for each in expressions if each.error is not None]
        known = [each.never for each in failing if each.never is not None]
        self._never = known if len(known) == len(failing) else []
        self._reads = sorted({name for each in failing for name in each.reads})
        self._compute = compute

    def of(self, frame: pl.DataFrame, errors: Errors) -> pl.DataFrame:
        """Compute the rows that can be computed.

        Args:
            frame: User columns and hidden columns.
            errors: Handles the others.
        """
        if self._error is not None and not self._all_fit(frame):
            told = self._reasons(frame, self._error)
            if told.null_count() < frame.height:
                frame = errors.without(frame, told)
        try:
            return self._compute(frame)
        except COMPUTE_ERRORS as error:
            return self._compute(errors.without(frame, self._alone(frame, error)))

    def _reasons(self, frame: pl.DataFrame, error: pl.Expr) -> pl.Series:
        """Why rows fail; a strict cast within an rs.col expression raises before that is known."""
        told = []
        for part, raised in by_halves(frame, lambda f: f.select(error.alias("reason")).to_series()):
            told.append(pl.Series("reason", [raised], pl.String()) if part is None else part)
        return pl.concat(told) if told else pl.Series("reason", [], pl.String())

    def _all_fit(self, frame: pl.DataFrame) -> bool:
        """Whether the least and greatest values of the columns prove that no row can fail."""
        if not self._never:
            return False
        names = [name for name in self._reads if _is_counted(frame.schema[name])]
        if not names:
            return all(never({}) for never in self._never)
        counts = [pl.col(name).to_physical() for name in names]
        ends = (
            frame.select(count.min().alias(str(n)) for n, count in enumerate(counts)).row(0),
            frame.select(count.max().alias(str(n)) for n, count in enumerate(counts)).row(0),
        )
        limits = {n: (low or 0, high or 0) for n, low, high in zip(names, *ends, strict=True)}
        return all(never(limits) for never in self._never)

    def _alone(self, frame: pl.DataFrame, error: BaseException) -> pl.Series:
        """Why each row fails: an rs.col expression only reports that one of them does."""
        found = reasons(frame, self._computed)
        if found.null_count() == frame.height:
            raise error
        return found

    def _computed(self, frame: pl.DataFrame) -> pl.Series:
        self._compute(frame)
        return pl.Series([None] * frame.height, dtype=pl.Null)
