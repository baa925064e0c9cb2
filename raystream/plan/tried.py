"""A function called once with a few rows: what it gave tells its types, and is what comes out.

Functions may cost or have side effects, so no row is given to one twice before the run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from raystream.data.rows import to_rows
from raystream.errors import RaystreamError
from raystream.graph.steps import FlatMap, KeyBy, Map, MapBatches
from raystream.operators.map_batches.operator import frame_of
from raystream.operators.rows.operator import Listed, own_rows
from raystream.operators.user_code import Raised, called

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


def tried(step: Any, user: pl.DataFrame) -> Tried:
    """Call the functions of a step.

    Args:
        step: A Map, FlatMap, KeyBy or MapBatches whose types are not known.
        user: The user's columns of some rows.
    """
    try:
        if isinstance(step, MapBatches):
            return _tried_batch(step, user)
        if isinstance(step, KeyBy):
            return _tried_keys(step, user)
        return _tried_rows(step, user)
    except RaystreamError as error:
        return Tried({}, None, 0, error.what, None)


def functions_of(step: KeyBy) -> dict[str, Callable[[Any], Any]]:
    """The keys that the user's functions compute."""
    return {n: f for n, f in step.computed.items() if callable(f) and not isinstance(f, pl.Expr)}


def _tried_batch(step: MapBatches, user: pl.DataFrame) -> Tried:
    frame = frame_of(step, user)
    same = replace(step, function=lambda _: frame, batch_format="polars")
    return Tried({}, frame, frame.height, "", same)


def _tried_rows(step: Map | FlatMap, user: pl.DataFrame) -> Tried:
    flat = isinstance(step, FlatMap)
    function = Listed(step.function) if flat else step.function
    results, bad = called(function, to_rows(user), go_on=True, keep=iter if flat else own_rows)
    given = [row for each in results for row in each] if flat else results
    made = [row for row in given if isinstance(row, dict)]
    reason = bad[0].reason if bad else ""
    if not made and given:
        reason = f"the function gave {type(given[0]).__name__}, not a dict"
    columns: dict[str, list[Any]] = {}
    for row in made:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    if isinstance(step, Map) and step.adds is not None:
        columns = {name: columns[name] for name in step.adds if name in columns}
    same = replace(step, function=_Replayed(_in_order(results, bad)))
    return Tried(columns, None, len(made), reason, same)


def _tried_keys(step: KeyBy, user: pl.DataFrame) -> Tried:
    rows = to_rows(user)
    values: dict[str, list[Any]] = {}
    same: dict[str, Any] = {}
    reason = ""
    for name, function in functions_of(step).items():
        values[name], bad = called(function, rows, go_on=True)
        same[name] = _Replayed(_in_order(values[name], bad))
        reason = reason or (bad[0].reason if bad else "")
    found = {} if any(not made for made in values.values()) else values
    whole = replace(step, computed={**step.computed, **same})
    return Tried(found, None, len(rows) if found else 0, reason, whole)


def _in_order(results: Sequence[Any], bad: Sequence[Raised]) -> list[Any]:
    """What came of each row: a result, or what was raised."""
    whole = list(results)
    for one in bad:
        whole.insert(one.index, one)
    return whole


class _Replayed:
    """Gives, call by call, what a function gave before."""

    def __init__(self, outcomes: Iterable[Any]) -> None:
        self._outcomes = iter(outcomes)

    def __call__(self, row: Any) -> Any:
        outcome = next(self._outcomes)
        if isinstance(outcome, Raised):
            raise outcome.cause
        return outcome
