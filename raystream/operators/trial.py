"""Call a function once with a few rows: its results reveal its types, and become its output.

Functions may be costly or have side effects, so no row is passed to one twice before the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.operators.user_code import Raised

Values = Mapping[str, Sequence[Any]]
"""Values of each column, from the rows that the function returned."""


@dataclass(frozen=True, slots=True)
class Tried:
    """Results of the user's functions of a step: of one call, or of one for each row.

    Args:
        values: Of each column that the functions return.
        frame: The same if the function returns columns itself.
        rows: Number of rows returned.
        reason: Why it returned none, or no columns; empty if there is nothing to report.
        replayed: The step, with functions that return the same again, in the same order, once.
    """

    values: Values
    frame: pl.DataFrame | None
    rows: int
    reason: str
    replayed: Any


class Replayed:
    """Returns, call by call, what a function returned before.

    Args:
        results: Its results.
        bad: Its exceptions, with the row of each.

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
    """Outcome of each row: a result, or an exception."""
    whole = list(results)
    for one in bad:
        whole.insert(one.index, one)
    return whole
