"""The lists of docs/expressions.md, made from the table: `python -m tests.expressions.page`."""

from __future__ import annotations

from pathlib import Path

from raystream.expressions.casts import TYPES
from raystream.expressions.registry import FUNCTIONS
from raystream.expressions.table import Function, call_form

PAGE = Path(__file__).parents[2] / "docs" / "expressions.md"
BEGIN, END = "<!-- from the table: begin -->\n", "<!-- from the table: end -->\n"


def lists() -> str:
    """Every function and operator, by group, with what DuckDB does otherwise; and every type."""
    groups: dict[str, list[Function]] = {}
    for function in FUNCTIONS:
        groups.setdefault(function.group, []).append(function)
    parts = [f"### {group}\n\n{_table(functions)}" for group, functions in groups.items()]
    types = ", ".join(f"`{word}`" for word in (*TYPES, "decimal(p,s)", "numeric(p,s)", "varchar(n)", "timestamp(p)"))  # fmt: skip
    return "\n".join([*parts, f"### Types of CAST\n\n{types}\n"])


def _table(functions: list[Function]) -> str:
    rows = ["| written | meaning | DuckDB otherwise |", "|---|---|---|", *map(_row, functions)]
    return "\n".join(rows) + "\n"


def _row(function: Function) -> str:
    form = call_form(function).replace("|", "\\|")
    also = ", ".join(f"`{name}`" for name in function.also)
    meaning = function.meaning + (f" Also {also}." if also else "")
    return f"| `{form}` | {meaning.replace('|', chr(92) + '|')} | {function.differs.replace('|', chr(92) + '|')} |"


def whole(text: str) -> str:
    """The page with the lists as they are now."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + lists() + END + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(whole(PAGE.read_text()))
