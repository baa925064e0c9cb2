"""Aggregates by functions of the user: only these run per row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from raystream.data.rows import fit_values
from raystream.graph.user_aggregates import RowAggregate
from raystream.operators.function_time import in_functions
from raystream.operators.user_code import Raised, raised, user_code
from raystream.operators.window.encoded import decoded, encoded
from raystream.operators.window.numbers import Answer


class RowMeasure:
    """What was added to each group is kept as bytes.

    Args:
        name: Output column, for messages.
        user: The functions.
    """

    def __init__(self, name: str, user: RowAggregate) -> None:
        self._name, self._user = name, user

    def partial(self, rows: pl.DataFrame, groups: pl.Series, count: int) -> pl.Series:
        """What is added to each group.

        Args:
            rows: The values of each row, by column.
            groups: Number of the group of each row, from 0, rising.
            count: How many groups there are.

        Raises:
            UserCodeError: a function raised.
        """
        user, add = self._user, self._user.add
        with user_code(user.init), in_functions():
            found = [user.init() for _ in range(count)]
        with user_code(add), in_functions():
            for group, values in zip(groups.to_list(), self._arguments(rows), strict=True):
                if values is not None:
                    found[group] = add(found[group], *values)
        return self._kept(found)

    def merged(self, partials: pl.Series, groups: pl.Series) -> pl.Series:
        """The partials of each group together.

        Raises:
            UserCodeError: a function raised.
        """
        merge = self._user.merge
        found: list[Any] = []
        with user_code(merge), in_functions():
            for group, kept in zip(groups.to_list(), partials.to_list(), strict=True):
                if group < len(found):
                    found[group] = merge(found[group], self._read(kept))
                else:
                    found.append(self._read(kept))
        return self._kept(found)

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """The results; a group whose result is wrong has a reason."""
        results: list[Any] = []
        reasons: dict[int, str] = {}
        with in_functions():
            for number, kept in enumerate(frame.get_column(column).to_list()):
                try:
                    added = self._read(kept)
                    results.append(added if self._user.result is None else self._user.result(added))
                except Exception as error:  # noqa: BLE001 - whatever the user's code raises
                    told = raised(self._user.result or self._user.init, error)
                    reasons[number] = f"{told.reason} ({told.where})"
                    results.append(None)
        series, bad = fit_values(self._name, results, self._user.returns)
        reasons |= bad
        if series is None:
            results = [None if n in bad else result for n, result in enumerate(results)]
            series, _ = fit_values(self._name, results, self._user.returns)
        assert series is not None
        told_ = [None if (r := reasons.get(n)) is None else f"{self._name}: {r}"
                 for n in range(frame.height)]  # fmt: skip
        return Answer(series, reasons=pl.Series(told_, dtype=pl.String()) if reasons else None)

    def failing(self, rows: pl.DataFrame) -> dict[int, Raised]:
        """Rows that cannot be added to nothing, by number."""
        found = {}
        for index, values in enumerate(self._arguments(rows)):
            if values is not None:
                try:
                    self._user.add(self._user.init(), *values)
                except Exception as error:  # noqa: BLE001 - whatever the user's code raises
                    found[index] = raised(self._user.add, error, index)
        return found

    def _arguments(self, rows: pl.DataFrame) -> Iterable[Sequence[Any] | None]:
        """Values of each row; None: one of them is null."""
        columns = [column.to_list() for column in rows.get_columns()]
        for values in zip(*columns, strict=True):
            yield None if any(value is None for value in values) else values

    def _read(self, kept: bytes | None) -> Any:
        return self._user.init() if kept is None else decoded(kept)

    def _kept(self, found: list[Any]) -> pl.Series:
        with user_code(self._user.add):
            return pl.Series([encoded(each) for each in found], dtype=pl.Binary())
