"""A function called once with a few rows: what it gave tells its types, and is what comes out.

Functions may cost or have side effects, so no row is given to one twice before the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.operators.user_code import Raised

Values = Mapping[str, Sequence[Any]]
"""Values of each column, from whatever rows the function gave."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What one call, or one for each row, of the user's functions of a step gave.

    Args:
        values: Of each column that the functions make.
        frame: The same where the function gives columns itself.
        rows: How many rows it gave.
        reason: Why it gave none, or no columns; empty if nothing is to be said.
        replayed: The step, with functions that give the same again, in the same order, once.
    """

    values: Values
    frame: pl.DataFrame | None
    rows: int
    reason: str
    replayed: Any


class Replayed:
    """Gives, call by call, what a function gave before.

    Args:
        results: What it gave.
        bad: What it raised, and for which row.

    >>> again = Replayed([1, 3], [])
    >>> again({}), again({})
    (1, 3)
    """

    def __init__(self, results: Sequence[Any], bad: Sequence[Raised]) -> None:
        self._outcomes = iter(_in_order(results, bad))

    def __call__(self, row: Any) -> Any:
        """The next outcome.

        Raises:
            Exception: as the function did.
        """
        outcome = next(self._outcomes)
        if isinstance(outcome, Raised):
            raise outcome.cause
        return outcome


def _in_order(results: Iterable[Any], bad: Sequence[Raised]) -> list[Any]:
    """What came of each row: a result, or what was raised."""
    whole = list(results)
    for one in bad:
        whole.insert(one.index, one)
    return whole
