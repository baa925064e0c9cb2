"""Aggregates by Polars expressions of the user: all groups at once."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.errors import ConfigurationError
from raystream.graph.user_aggregates import ColumnAggregate
from raystream.operators.window.numbers import Answer

_GROUP, _RESULT = f"{HIDDEN}group", f"{HIDDEN}result"


class ColumnMeasure:
    """The partial columns of a group are kept as one struct; null: no row counted.

    Args:
        name: Output column, for messages.
        user: The expressions.
    """

    def __init__(self, name: str, user: ColumnAggregate) -> None:
        self._name, self._user = name, user

    def partial(self, rows: pl.DataFrame, groups: pl.Series, count: int) -> pl.Series:
        """Partials of each group.

        Args:
            rows: The values of each row, a column per input.
            groups: Number of the group of each row, from 0, rising.
            count: How many groups there are.
        """
        named = rows.rename(dict(zip(rows.columns, self._user.inputs, strict=True)))
        rows = named.with_columns(groups.alias(_GROUP)).drop_nulls()
        return self._by_group(rows, count, self._user.partial)

    def merged(self, partials: pl.Series, groups: pl.Series) -> pl.Series:
        """Those of several partials of each group."""
        fields = partials.struct.unnest().with_columns(groups.alias(_GROUP))
        count = 0 if not len(groups) else int(groups[-1]) + 1
        return self._by_group(fields.filter(partials.is_not_null()), count, self._user.merge)

    def answer(self, frame: pl.DataFrame, column: str) -> Answer:
        """The results; null where no row counted."""
        partials = frame.get_column(column)
        fields = partials.struct.unnest().with_columns(partials.is_not_null().alias(_GROUP))
        result = pl.when(_GROUP).then(self._user.result).alias(_RESULT)
        return Answer(fields.select(result).to_series())

    def check(self, kept: pl.DataType) -> None:
        """Refuse expressions whose merged columns have other types than their partials.

        Raises:
            ConfigurationError: these, or one whose result is no single value.
        """
        assert isinstance(kept, pl.Struct)
        none = pl.Series([], dtype=kept)
        again = self.merged(none, pl.Series([], dtype=pl.UInt32())).dtype
        if again != kept:
            what = f"{self._name}: {self._user.name} merges {_types(kept)} to {_types(again)}"
            raise ConfigurationError(what, what_to_do="cast, so that both have the same types")

    def _by_group(self, rows: pl.DataFrame, count: int, wanted: Mapping[str, pl.Expr]) -> pl.Series:
        """A struct per group, null for groups without rows."""
        columns = [each.alias(column) for column, each in wanted.items()]
        found = rows.group_by(_GROUP, maintain_order=True).agg(columns)
        packed = found.select(_GROUP, pl.struct(pl.exclude(_GROUP)).alias(_RESULT))
        every = pl.int_range(count, dtype=pl.UInt32, eager=True).alias(_GROUP).to_frame()
        return every.join(packed, on=_GROUP, how="left", maintain_order="left")[_RESULT]


def _types(dtype: pl.DataType) -> str:
    fields = dtype.fields if isinstance(dtype, pl.Struct) else []
    return ", ".join(f"{field.name} {field.dtype}" for field in fields)
