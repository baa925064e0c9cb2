"""Verbs that choose, compute and rename columns."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any

from raystream.api.arguments import checked
from raystream.api.expressions import (
    check_visible,
    column_name,
    expression,
    is_expression,
    named,
    output_name,
)
from raystream.api.origin import wrong
from raystream.api.samples.shown import Shown
from raystream.api.verb_options import policy_of
from raystream.operators.drop.step import Drop
from raystream.operators.rename.step import Rename
from raystream.operators.select.step import Select


class ColumnVerbs(Shown):
    """Verbs of a stream that leave its rows, with other columns."""

    @checked
    def select(
        self,
        *columns: Any,
        errors: str = "fail",
        name: str | None = None,
        parallelism: int | None = None,
        **computed: Any,
    ) -> typing.Self:
        """Keep only these columns; unless all key columns are kept, the stream loses its key.

        Args:
            columns: Names, rs.col expressions (their output names are the new columns), or a dict
                like `computed` for columns called `errors`, `name` or `parallelism`.
            computed: New columns behind the others: SQL text or rs.col expressions.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"shop": "a", "price": 2, "n": 3}]))
        >>> rows.select("shop", total="price * n").collect().to_dicts()
        [{'shop': 'a', 'total': 6}]
        """
        kept, new = _chosen(columns, computed)
        if not kept and not new:
            text = "select needs a column"
            raise wrong(text, 'write .select("name")')
        names = {_name(each) for each in kept} | new.keys()
        key = self._key if names.issuperset(self._key) else ()
        return self._then(Select(kept, policy_of(errors), new), name, parallelism, key)

    @checked
    def drop(
        self, *columns: str, name: str | None = None, parallelism: int | None = None
    ) -> typing.Self:
        """Drop these columns; a stream that loses a key column loses its key.

        Args:
            columns: Names.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"shop": "a", "n": 1}]))
        >>> rows.drop("shop").collect().to_dicts()
        [{'n': 1}]
        """
        names = tuple(column_name(column, "drop") for column in columns)
        if not names:
            text = "drop needs a column"
            raise wrong(text, 'write .drop("name")')
        key = self._key if set(names).isdisjoint(self._key) else ()
        return self._then(Drop(names), name, parallelism, key)

    @checked
    def rename(
        self,
        columns: Mapping[str, str] | None = None,
        /,
        *,
        name: str | None = None,
        parallelism: int | None = None,
        **more: str,
    ) -> typing.Self:
        """Give columns other names; they keep their places, and the key its columns.

        Args:
            columns: Old name -> new name. Needed only for columns called `name` or `parallelism`,
                or that are no Python identifiers; others are keywords.
            more: Further columns.

        >>> rows = rs.Pipeline("example").read(rs.Rows([{"shop": "a", "n": 1}]))
        >>> rows.rename(n="number").collect().to_dicts()
        [{'shop': 'a', 'number': 1}]
        """
        every = {**named(columns, "rename", 'old="new"'), **more}
        if not every:
            text = "rename needs a column"
            raise wrong(text, 'write .rename(old="new")')
        new = [column_name(each, "rename") for each in every.values()]
        check_visible([*every, *new], "rename")
        twice = next((each for each in new if new.count(each) > 1), None)
        if twice is not None:
            text = f"rename: two columns would be called {twice!r}"
            raise wrong(text, "give one of them another name")
        key = tuple(every.get(each, each) for each in self._key)
        return self._then(Rename(every), name, parallelism, key)


def _chosen(
    columns: tuple[Any, ...], computed: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """What a select keeps, and what it computes.

    Raises:
        ConfigurationError: something that is no column, or two columns of one name.
    """
    kept = tuple(each for each in columns if not isinstance(each, Mapping))
    named = [*(each for each in columns if isinstance(each, Mapping)), computed]
    names = [_name(each) for each in kept] + [name for group in named for name in group]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        text = f"select: there are two columns {twice!r}"
        raise wrong(text, "give one of them another name")
    check_visible(names, "select")
    new = {
        column_name(n, "select"): expression(v, f"select({n}=)")
        for group in named
        for n, v in group.items()
    }
    return kept, new


def _name(column: Any) -> str:
    """Output name of a name or expression.

    Raises:
        ConfigurationError: neither of them, or an expression without one name.
    """
    return output_name(column, "select") if is_expression(column) else column_name(column, "select")
