"""Inputs of aggregates per row: values and conditions, checked, as columns of the batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import polars as pl

from raystream.data.batch import HIDDEN
from raystream.errors import ConfigurationError
from raystream.expressions.compiled import Compiled, compiled
from raystream.expressions.polars_tree import COMPUTE_ERRORS
from raystream.graph.aggregates import ARGS, PICKS, Aggregate, AggregateKind
from raystream.operators.evaluation import Errors, Evaluation

_VALUE, _WHERE, _BY = f"{HIDDEN}val:", f"{HIDDEN}whr:", f"{HIDDEN}by:"
_OF_ROWS = PICKS | ARGS
_OF_NUMBERS = (
    AggregateKind.SUM,
    AggregateKind.MEAN,
    AggregateKind.VARIANCE,
    AggregateKind.STDDEV,
    AggregateKind.QUANTILE,
)
_COMPARED = (AggregateKind.COUNT_DISTINCT, AggregateKind.APPROX_COUNT_DISTINCT)
_ORDERED = (
    AggregateKind.MIN,
    AggregateKind.MAX,
    AggregateKind.ARG_MIN,
    AggregateKind.ARG_MAX,
    AggregateKind.TOP_K,
)


@dataclass(frozen=True, slots=True)
class Taken:
    """The input of one aggregate.

    Args:
        column: Holds its values, null if they are not counted (for values of one row: all
            values); None: every row counts.
        dtype: Their type.
        where: For values of one row: the column of the rows to consider; None: all.
        by: For arg_min and arg_max: the column of what is least or greatest.
        inputs: For aggregates of the user: the columns of their values, null if not counted.
    """

    column: str | None
    dtype: pl.DataType
    where: str | None = None
    by: str | None = None
    inputs: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str | None, ...]:
        """All that it reads."""
        return self.column, self.where, self.by, *self.inputs

    @property
    def read(self) -> list[str]:
        """The columns of its values."""
        return list(self.inputs) or [self.column or ""]


class Values:
    """Values and conditions of all aggregates of a window.

    They become columns before rows are grouped, so that a constant is one value for each row.

    Args:
        aggregates: Output name -> aggregate.
        columns: Columns of the rows.

    Raises:
        ConfigurationError: a value or condition that cannot be used; names the aggregate.
    """

    def __init__(
        self, aggregates: Mapping[str, Aggregate], columns: Mapping[str, pl.DataType]
    ) -> None:
        self._columns = columns
        self._adds: list[pl.Expr] = []
        self._masked: dict[str, tuple[Compiled, Compiled]] = {}
        self._computed: list[Compiled] = []
        self._made = {
            each[1:-1]
            for name, asked in aggregates.items()
            for each in asked.expressions
            if isinstance(each, str) and each.startswith(f'"_{name}_')
        }
        self.taken = {name: self._take(name, asked) for name, asked in aggregates.items()}
        self._evaluation = Evaluation(self._computed, self.of)

    def computed(self, frame: pl.DataFrame, errors: Errors) -> pl.DataFrame:
        """The rows that can be computed, with the inputs of aggregates added.

        Args:
            frame: User columns and hidden columns.
            errors: Handles the rows that cannot be computed.
        """
        return self._evaluation.of(frame, errors) if self._adds or self._masked else frame

    def of(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows with the inputs of aggregates added.

        Raises:
            polars.exceptions.PolarsError: an rs.col expression cannot be computed for some row.
        """
        masked = [
            pl.when(where.value).then(value.value).alias(column)
            for column, (value, where) in self._masked.items()
        ]
        try:
            return frame.with_columns(*self._adds, *masked)
        except COMPUTE_ERRORS:
            return self._where_true(frame.with_columns(self._adds))

    def _where_true(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Polars computes both sides of a condition: if it is not true a value may be wrong."""
        columns = []
        for column, (value, where) in self._masked.items():
            true = frame.select(where.value.alias(column)).to_series().fill_null(value=False)
            found = frame.filter(true).with_columns(value.value.alias(column)).get_column(column)
            place = pl.when(true).then(true.cast(pl.Int64).cum_sum() - 1)
            columns.append(found.gather(pl.select(place.alias(column)).to_series()))
        return frame.with_columns(columns)

    def _take(self, name: str, asked: Aggregate) -> Taken:
        where = None if asked.where is None else _condition(name, asked, self._columns)
        if asked.kind is AggregateKind.USER:
            return self._of_user(name, asked, where)
        value = self._value(name, asked)
        by = None if asked.by is None else compiled(asked.by, self._columns)
        _check_types(name, asked, value, by)
        if where is not None:
            self._computed.append(where)
        self._note_errors(value, where)
        self._note_errors(by, where)
        if asked.kind in _OF_ROWS and value is not None:
            condition = None if where is None else self._add(_WHERE + name, where.value)
            order = None if by is None else self._add(_BY + name, _one_zero(by))
            return Taken(self._column(name, value), value.dtype, condition, order)
        return self._counted(name, value, where)

    def _value(self, name: str, asked: Aggregate) -> Compiled | None:
        if asked.of_whole_row:
            return self._whole()
        if asked.value is None and asked.kind is not AggregateKind.COUNT:
            what = f"{name}: {asked.kind} of nothing"
            raise ConfigurationError(what, what_to_do=f"write {asked.kind}(column)")
        return None if asked.value is None else compiled(asked.value, self._columns)

    def _of_user(self, name: str, asked: Aggregate, where: Compiled | None) -> Taken:
        """The inputs of an aggregate of the user, null where the condition is not true."""
        if where is not None:
            self._computed.append(where)
        values = [compiled(written, self._columns) for written in asked.inputs]
        columns = []
        for number, value in enumerate(values or [self._whole()]):
            self._note_errors(value, where)
            column = f"{HIDDEN}val{number}:{name}"
            columns.append(column)
            if where is None:
                self._add(column, value.value)
            else:
                self._masked[column] = value, where
        return Taken(None, pl.Null(), inputs=tuple(columns))

    def _whole(self) -> Compiled:
        """The row as a struct."""
        whole = [pl.col(column) for column in self._columns if self._is_users(column)]
        return compiled(pl.struct(whole), self._columns)

    def _is_users(self, column: str) -> bool:
        """Not of the engine, nor made of a function of the row (api.computed_aggregates)."""
        return not column.startswith(HIDDEN) and column not in self._made

    def _counted(self, name: str, value: Compiled | None, where: Compiled | None) -> Taken:
        if value is None and where is None:
            return Taken(None, pl.Boolean())
        if value is None or where is None:
            known = value if value is not None else where
            assert known is not None
            if value is not None:
                return Taken(self._column(name, value), value.dtype)
            only_true = pl.when(known.value).then(pl.lit(True))  # noqa: FBT003 - a literal column
            return Taken(self._add(_VALUE + name, only_true), pl.Boolean())
        self._masked[_VALUE + name] = value, where
        return Taken(_VALUE + name, value.dtype)

    def _column(self, name: str, value: Compiled) -> str:
        if value.value.meta.is_column():
            return value.value.meta.output_name()
        return self._add(_VALUE + name, value.value)

    def _add(self, column: str, value: pl.Expr) -> str:
        self._adds.append(value.alias(column))
        return column

    def _note_errors(self, value: Compiled | None, where: Compiled | None) -> None:
        """A value is used only if the condition is true, and only then can it be wrong."""
        if value is not None and value.error is not None and where is not None:
            value = replace(value, error=pl.when(where.value).then(value.error))
        if value is not None:
            self._computed.append(value)


def _condition(name: str, asked: Aggregate, columns: Mapping[str, pl.DataType]) -> Compiled:
    found = compiled(asked.where, columns)
    if found.dtype != pl.Boolean:
        what = f"{name}: where is {found.dtype}, not true or false"
        raise ConfigurationError(what, what_to_do="write a condition such as where amount > 0")
    return found


def _one_zero(value: Compiled) -> pl.Expr:
    """-0.0 and 0.0 are equal."""
    zero = pl.when(value.value == 0).then(0.0).otherwise(value.value)  # x + 0.0 may be left out
    return zero if value.dtype.is_float() else value.value


def _check_types(name: str, asked: Aggregate, value: Compiled | None, by: Compiled | None) -> None:
    compared = by if asked.kind in ARGS else value
    if compared is not None:
        _check_type(name, asked.kind, compared.dtype, distinct=asked.distinct)


def _check_type(name: str, kind: AggregateKind, dtype: pl.DataType, *, distinct: bool) -> None:
    number = dtype.is_numeric() or dtype == pl.Boolean
    if kind in _OF_NUMBERS and not number:
        what = f"{name}: {kind} of {dtype}"
        raise ConfigurationError(what, what_to_do="give a column of numbers")
    unordered = dtype.is_nested() or dtype == pl.Object
    if (kind in _COMPARED or distinct) and unordered:
        what = f"{name}: {kind} of {dtype}, whose values are not compared"
        raise ConfigurationError(what, what_to_do="give one of its fields, or a text of it")
    if kind in _ORDERED and unordered:
        what = f"{name}: {kind} of {dtype}, which has no order"
        advice = "give one of its fields, its length, or a text of it"
        raise ConfigurationError(what, what_to_do=advice)
