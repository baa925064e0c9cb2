"""Turn the arguments of `key_by` (names, expressions, functions) into key columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raystream.api.expressions import column_name, expression, is_expression, output_name
from raystream.api.origin import wrong


def key_columns(keys: tuple[Any, ...], computed: Mapping[str, Any]) -> dict[str, Any]:
    """Map each key column to how it is computed, None if the column exists.

    Args:
        keys: Column names, rs.col expressions, or functions of the row.
        computed: Keys to compute under a name.

    Raises:
        ConfigurationError: not a key, or two keys with the same name; at the user's line.
    """
    named: dict[str, Any] = {}
    for key in keys:
        if isinstance(key, str):
            column, value = column_name(key, "key_by"), None
        elif is_expression(key):
            column = output_name(key, "key_by")
            value = None if key.meta.is_column() else key
        else:
            check_function(key, "key_by")
            column, value = "key", key
        if column in named:
            text = f"key_by: two keys are called {column!r}"
            raise wrong(text, "write key_by(first=.., second=..)")
        named[column] = value
    for column, value in computed.items():
        named[column] = value if callable(value) else expression(value, f"key_by({column}=)")
    return named


def check_function(value: object, verb: str) -> None:
    """Refuse what is not callable.

    Raises:
        ConfigurationError: at the user's line.
    """
    if not callable(value):
        text = f"{verb} takes a function, not {value!r}"
        raise wrong(text, f"write .{verb}(lambda row: ..)")
