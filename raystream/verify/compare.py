"""Two answers as multisets: what is missing, what is there twice, what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

Row = dict[str, Any]

FLOAT_DIGITS = 6
"""Floats are compared after rounding: the order of a sum is nobody's promise."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How an answer differs from the right one.

    Args:
        expected: Number of right rows.
        actual: Number of rows found.
        missing: Right rows that were not found (and have no wrong row in their place).
        duplicated: Rows that are right, but once too often.
        wrong: Rows that are nowhere in the right answer.
    """

    expected: int
    actual: int
    missing: tuple[Row, ...] = ()
    duplicated: tuple[Row, ...] = ()
    wrong: tuple[Row, ...] = ()

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.missing or self.duplicated or self.wrong)

    def __str__(self) -> str:
        """`0 missing, 0 duplicated, 0 wrong`."""
        return (
            f"{len(self.missing)} missing, {len(self.duplicated)} duplicated, "
            f"{len(self.wrong)} wrong"
        )


def compare(
    expected: pl.DataFrame, actual: Sequence[Mapping[str, Any]] | pl.DataFrame, keys: Sequence[str]
) -> Comparison:
    """Compare an answer with the right one; order does not matter.

    Args:
        expected: The right answer; its columns are compared, others in `actual` are ignored.
        actual: The answer found. A row that lacks a column, or has a value that is not of the
            column's type, is wrong.
        keys: Columns that tell which right row a wrong one stands for.

    >>> right = pl.DataFrame({"ip": ["a", "b"], "count": [1, 2]})
    >>> print(compare(right, [{"ip": "a", "count": 1}, {"ip": "b", "count": 3}], ["ip"]))
    0 missing, 0 duplicated, 1 wrong
    """
    names = expected.columns
    found = actual.to_dicts() if isinstance(actual, pl.DataFrame) else actual
    right = Counter(_rounded(row) for row in expected.iter_rows())
    seen = Counter(_rounded(tuple(row.get(n) for n in names)) for row in found)
    missing, surplus = right - seen, seen - right
    duplicated = [row for row in surplus.elements() if row in right]
    wrong = [row for row in surplus.elements() if row not in right]
    return Comparison(
        expected.height,
        len(found),
        _rows(names, _without_a_wrong_one(missing, wrong, [names.index(k) for k in keys])),
        _rows(names, duplicated),
        _rows(names, wrong),
    )


def _without_a_wrong_one(
    missing: Counter[tuple[Any, ...]], wrong: Sequence[tuple[Any, ...]], places: Sequence[int]
) -> list[tuple[Any, ...]]:
    """Missing rows, less those that a wrong row of the same key stands for."""
    stand_ins = Counter(tuple(row[place] for place in places) for row in wrong)
    left = []
    for row in missing.elements():
        key = tuple(row[place] for place in places)
        if stand_ins[key]:
            stand_ins[key] -= 1
        else:
            left.append(row)
    return left


def _rounded(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_value(value) for value in row)


def _value(value: Any) -> Any:
    """Rounded, hashable, and true told apart from 1 (which Python holds to be equal)."""
    if isinstance(value, float):
        return round(value, FLOAT_DIGITS)
    if value is None or (isinstance(value, str | bytes | int) and not isinstance(value, bool)):
        return value
    return repr(value)


def _rows(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> tuple[Row, ...]:
    return tuple(dict(zip(names, row, strict=True)) for row in rows)
