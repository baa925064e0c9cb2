"""Expressions over the rows of a step: rows that cannot be computed go by the step's policy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import polars as pl

from raystream.expressions.compiled import Compiled


class Errors(Protocol):
    """What a step does with rows that it cannot compute."""

    def without(self, frame: pl.DataFrame, reasons: pl.Series) -> pl.DataFrame:
        """The rows without a reason; the others go by the policy."""
        ...


class Evaluation:
    """Computes all rows at once; which rows cannot be computed is known before.

    Args:
        expressions: What is computed.
        compute: Rows with hidden columns -> what the step gives.
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
        """What is computed of the rows that can be.

        Args:
            frame: User columns and hidden columns.
            errors: Takes the others.
        """
        if self._error is not None and not self._all_fit(frame):
            reasons = frame.select(self._error.alias("reason")).to_series()
            if reasons.null_count() < frame.height:
                frame = errors.without(frame, reasons)
        try:
            return self._compute(frame)
        except pl.exceptions.PolarsError as error:
            return self._compute(errors.without(frame, self._alone(frame, error)))

    def _all_fit(self, frame: pl.DataFrame) -> bool:
        """Whether the least and the greatest of the columns tell that no row can fail."""
        if not self._never:
            return False
        names = [name for name in self._reads if frame.schema[name].is_integer()]
        if not names:
            return all(never({}) for never in self._never)
        ends = (
            frame.select(pl.col(name).min().alias(f"{name} least") for name in names).row(0),
            frame.select(pl.col(name).max().alias(f"{name} most") for name in names).row(0),
        )
        limits = {n: (low or 0, high or 0) for n, low, high in zip(names, *ends, strict=True)}
        return all(never(limits) for never in self._never)

    def _alone(self, frame: pl.DataFrame, error: pl.exceptions.PolarsError) -> pl.Series:
        """Why each row fails: an rs.col expression tells only that one of them does."""
        reasons = [self._reason(frame[number : number + 1]) for number in range(frame.height)]
        if all(reason is None for reason in reasons):
            raise error
        return pl.Series("reason", reasons, pl.String())

    def _reason(self, row: pl.DataFrame) -> str | None:
        try:
            self._compute(row)
        except pl.exceptions.PolarsError as error:
            return str(error).splitlines()[0]
        return None
