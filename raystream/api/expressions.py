"""What the user may write for a computed value: SQL text, an rs.col expression, a function."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from raystream.api.origin import origin_of_call, wrong
from raystream.ids import HIDDEN


def is_expression(value: Any) -> bool:
    """Whether this is a Polars expression; does not import Polars to find out."""
    kind = type(value)
    return kind.__name__ == "Expr" and kind.__module__.startswith("polars")


def expression(value: Any, what: str) -> Any:
    """Return SQL text (checked for syntax) or a Polars expression unchanged.

    Args:
        value: What the user wrote.
        what: What it is for: `filter`, `count(where=)`.

    Raises:
        ConfigurationError: it is neither, or invalid SQL.
    """
    if isinstance(value, str):
        if not value.isidentifier():  # a column name may be an SQL keyword, such as order
            check_sql(value, what)
        return value
    if is_expression(value):
        return value
    kind = type(value).__name__
    text = f"{what} takes SQL text or an rs.col expression, not {kind}"
    raise wrong(text, "for example \"status >= 400\" or rs.col('status') >= 400")


def check_sql(text: str, what: str) -> None:
    """Parse SQL text.

    Raises:
        ConfigurationError: it does not parse.
    """
    from raystream.expressions.problem import BadExpression
    from raystream.expressions.syntax import check_text, may_be_name

    if may_be_name(text):
        return
    try:
        check_text(text)
    except BadExpression as error:
        error.what = f"{what}: {error.what}"
        raise error.placed(str(origin_of_call())) from None


def check_visible(names: Iterable[str], verb: str) -> None:
    """Refuse new column names that are reserved for the engine.

    Raises:
        ConfigurationError: a name begins with the prefix of hidden columns.
    """
    for name in names:
        if name.startswith(HIDDEN):
            text = f"{verb}: {name!r} cannot be the name of a column"
            raise wrong(text, f"names that begin with {HIDDEN!r} are raystream's own")


def named(columns: Any, verb: str, example: str) -> Mapping[str, Any]:
    """Return what was passed by name as a dict, in front of keywords.

    Raises:
        ConfigurationError: an expression without a name, or something that is not a dict.
    """
    if columns is None:
        return {}
    if not isinstance(columns, Mapping):
        text = f"{verb} takes columns by name, not {type(columns).__name__}"
        raise wrong(text, f"write .{verb}({example})")
    return columns


def column_name(value: Any, verb: str) -> str:
    """Check a column name.

    Raises:
        ConfigurationError: not a non-empty string.
    """
    if not isinstance(value, str) or not value:
        text = f"{verb} takes column names, not {value!r}"
        raise wrong(text, f'write .{verb}("name")')
    return value


def output_name(value: Any, verb: str) -> str:
    """Output name of an expression.

    Raises:
        ConfigurationError: the expression has none.
    """
    name = value.meta.output_name(raise_if_undetermined=False)
    if not name:
        text = f"{verb}: the expression {value} has no one name"
        raise wrong(text, "give it one with .alias('name')")
    return str(name)
