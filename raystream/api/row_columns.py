"""Columns computed by a function of the row, as one row function."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_PLAIN = (int, float, str, bool, bytes)


@dataclass(frozen=True, slots=True)
class RowColumns:
    """Adds `name: function(row)` for each function to a row.

    >>> RowColumns({"double": lambda row: 2 * row["n"]})({"n": 4})
    {'n': 4, 'double': 8}
    """

    functions: Mapping[str, Callable[[dict[str, Any]], Any]]

    @property
    def described(self) -> str:
        """Text for `explain`.

        >>> RowColumns({"size": len}).described
        'with size = len(row)'
        """
        named = {
            name: getattr(function, "__name__", type(function).__name__).strip("<>")
            for name, function in self.functions.items()
        }
        return "with " + ", ".join(f"{column} = {name}(row)" for column, name in named.items())

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return the row with the computed columns."""
        return {**row, **{name: function(row) for name, function in self.functions.items()}}


def returned(function: Callable[..., Any]) -> Any:
    """The annotated return type of a function, or None."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation that cannot be read is ignored
        return None
    return hints.get("return")


def returned_value(function: Callable[..., Any]) -> Any:
    """The annotated return type if it is the type of a plain column, or None.

    >>> def size(row) -> int | None: ...
    >>> returned_value(size)
    <class 'int'>
    """
    found = returned(function)
    parts = [part for part in typing.get_args(found) if part is not type(None)]
    if typing.get_origin(found) in (typing.Union, types.UnionType) and len(parts) == 1:
        found = parts[0]
    return found if found in _PLAIN else None


def returned_types(functions: Mapping[str, Callable[[dict[str, Any]], Any]]) -> dict[str, Any]:
    """Annotated type of each column that a function computes; None if it has no annotation."""
    told = {column: returned_value(function) for column, function in functions.items()}
    if not any(told.values()):
        return dict.fromkeys(functions)
    from raystream.data.schema import Schema

    known = Schema.of({c: t for c, t in told.items() if t is not None}).columns
    return {column: known.get(column) for column in functions}
