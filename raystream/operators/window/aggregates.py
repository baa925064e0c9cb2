"""How aggregates are computed: per batch (partial), merged, and finished.

Nulls are not counted, except by `first` and `last`, which return the value of a row as it is.
Without any value `count` and `sum` are 0, the others null. Sums of integers and booleans are
Int64, of decimals decimal(38), all others Float64; a result that does not fit has a reason
instead. NaN is a value: sums and means with it are NaN, and it is greater than every number, as in
SQL.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from raystream.context import SubtaskContext
from raystream.data.batch import HIDDEN, TIME
from raystream.data.beyond_python import beyond_python
from raystream.data.frames import gathered, narrowed
from raystream.errors import ConfigurationError
from raystream.graph.aggregates import ARGS, PICKS, Aggregate, AggregateKind
from raystream.graph.policies import ErrorPolicy
from raystream.graph.user_aggregates import RowAggregate
from raystream.operators.row_errors import RowErrors, reject_raised
from raystream.operators.window.distinct_sketch import DistinctMeasure
from raystream.operators.window.lists import list_measure
from raystream.operators.window.numbers import Answer, mean_of, sum_of, summed
from raystream.operators.window.picks import PLACES, Pick, picks, relabelled, upgraded
from raystream.operators.window.quantiles import QuantileMeasure
from raystream.operators.window.spread import spread, spread_ways, variance_of
from raystream.operators.window.user_columns import ColumnMeasure
from raystream.operators.window.user_rows import RowMeasure
from raystream.operators.window.values import Taken, Values
from raystream.operators.window.wholes import WholeMeasure
from raystream.state.fold import Fold, Way
from raystream.state.keys import stable_order_small

ROWS = f"{HIDDEN}rows"
"""Int64: number of rows in a partial."""

_MAIN, _HIGH, _NUMBER = f"{HIDDEN}agg:", f"{HIDDEN}hi:", f"{HIDDEN}num:"
_GROUP = f"{HIDDEN}group"
_SUMS = (AggregateKind.SUM, AggregateKind.MEAN)
_NULL_OF_NONE = {AggregateKind.MIN, AggregateKind.MAX, AggregateKind.USER} | PICKS | ARGS
_PLACE = f"{HIDDEN}nth"


@dataclass(frozen=True, slots=True)
class Finished:
    """Merged partials as output rows.

    Args:
        frame: The input, and the aggregates.
        reasons: Why a row cannot be emitted, null if it can; None: all can.
        cut: How many lists do not have all values.
    """

    frame: pl.DataFrame
    reasons: pl.Series | None
    cut: int = 0

    def count_cut(self, ctx: SubtaskContext) -> None:
        """Count the lists that do not have all values."""
        if self.cut:
            ctx.count("cut_lists", self.cut)


class Aggregation:
    """All aggregates of a window, compiled.

    Args:
        aggregates: Output name -> aggregate.
        columns: Columns of the rows, or None if only partials are merged.

    Raises:
        ConfigurationError: a value or condition that cannot be used.
    """

    def __init__(
        self, aggregates: Mapping[str, Aggregate], columns: Mapping[str, pl.DataType] | None
    ) -> None:
        self._asked = aggregates
        self._picks = picks(aggregates, _MAIN)
        self._lists = {n: m for n, a in aggregates.items() if (m := list_measure(a)) is not None}
        measures = {name: measure_of(name, asked) for name, asked in aggregates.items()}
        self._wholes = {name: each for name, each in measures.items() if each is not None}
        self._values = None if columns is None else Values(aggregates, columns)
        self._kept: Mapping[str, pl.DataType] | None = None
        if columns is not None:
            rows = pl.DataFrame(schema={**columns, TIME: pl.Int64})
            partials = self.partial(self.with_values(rows), [pl.lit(0).alias(_GROUP)])
            self._kept = partials.drop(_GROUP).schema
            self._check_wholes(self._kept)

    def computed(self, rows: pl.DataFrame, errors: RowErrors) -> pl.DataFrame:
        """The rows that can be aggregated, with their values; `errors` handles the others."""
        found = self._readable(self._known().computed(rows, errors), errors)
        if errors.policy is ErrorPolicy.FAIL:
            return found  # they raise when they are added
        for name, user in self._wholes.items():
            if isinstance(user, RowMeasure):
                told = user.failing(found.select(self._known().taken[name].inputs))
                found = reject_raised(errors, found, told) if told else found
        return found

    def _readable(self, rows: pl.DataFrame, errors: RowErrors) -> pl.DataFrame:
        """The rows whose values functions of the user can see."""
        for name, user in self._wholes.items():
            if isinstance(user, RowMeasure):
                for values in self._seen(name, rows):
                    lost = beyond_python(values)
                    if lost is not None:
                        return self._readable(errors.without(rows, lost), errors)
        return rows

    def _seen(self, name: str, rows: pl.DataFrame) -> list[pl.DataFrame]:
        """The values that a function sees, under the names that the user gave them."""
        taken, written = self._known().taken[name].inputs, self._asked[name].inputs
        if not written:
            return [rows.get_column(taken[0]).struct.unnest()]
        pairs = zip(taken, written, strict=True)
        return [rows.select(pl.col(column).alias(str(shown))) for column, shown in pairs]

    def with_values(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Same, for rows that can all be aggregated."""
        return self._known().of(rows)

    def partial(self, frame: pl.DataFrame, by: Sequence[str | pl.Expr]) -> pl.DataFrame:
        """One row of partials per group of rows (with TIME) with their values."""
        taken = self._known().taken
        parts = [part for name, one in taken.items() for part in self._partial(frame, name, one)]
        ranked = [self._ranked(pick, frame, taken) for pick in self._picks]
        rows = frame.with_columns(ranks for ranks, _ in ranked)
        parts += [pick.chosen() for pick in self._picks]
        if self._wholes:
            rows = rows.with_row_index(_PLACE)
            parts.append(pl.col(_PLACE))
        grouped = rows.group_by(by).agg([*parts, pl.len().cast(pl.Int64).alias(ROWS)])
        if self._wholes:
            grouped = self._of_wholes(frame, grouped, taken)
        for pick, (_, columns) in zip(self._picks, ranked, strict=True):
            chosen = columns.select(pl.all().gather(grouped.get_column(pick.rank)))
            grouped = grouped.drop(pick.rank).hstack(chosen)
        return grouped

    def _of_wholes(
        self, frame: pl.DataFrame, grouped: pl.DataFrame, taken: Mapping[str, Taken]
    ) -> pl.DataFrame:
        """Add the partials of all groups at once; _PLACE lists the rows of each group."""
        places = grouped.get_column(_PLACE)
        sizes = places.list.len().to_numpy()
        groups = pl.Series(np.repeat(np.arange(grouped.height, dtype=np.uint32), sizes))
        rows = frame[places.explode()]
        return grouped.drop(_PLACE).with_columns(
            measure.partial(rows.select(taken[name].read), groups, grouped.height).alias(
                _MAIN + name
            )
            for name, measure in self._wholes.items()
        )

    def _check_wholes(self, kept: Mapping[str, pl.DataType]) -> None:
        for name, user in self._wholes.items():
            if isinstance(user, ColumnMeasure):
                user.check(kept[_MAIN + name])

    def fold(self, types: Mapping[str, pl.DataType]) -> Fold:
        """How partials of these columns are merged."""
        ways: dict[str, Way] = {ROWS: "sum"}
        for name in self._asked:
            ways |= self._ways(name, types)
        return Fold(ways, [pick.choice() for pick in self._picks])

    def merge(self, frame: pl.DataFrame, group: str) -> pl.DataFrame:
        """One row of partials per group, rising.

        Args:
            frame: Partials, and other columns that depend on `group`.
            group: Column of small numbers, at least 0.
        """
        groups = frame[group].to_numpy()
        order = stable_order_small(groups)
        begins = np.append(np.True_, np.diff(groups[order]) != 0)[: len(order)]
        fold = self.fold(frame.schema)
        folded = set(fold.columns)
        others = narrowed(frame, [name for name in frame.columns if name not in folded])
        return gathered(others, order[begins]).hstack(fold(frame, order, begins))

    def finish(self, frame: pl.DataFrame) -> Finished:
        """Add the aggregates of merged partials."""
        answers = {name: self._answer(name, frame) for name in self._asked}
        columns = [answer.values.alias(name) for name, answer in answers.items()]
        cut = sum(int(a.cut.sum()) for a in answers.values() if a.cut is not None)
        return Finished(frame.hstack(columns), self._unfit(answers), cut)

    @property
    def reads(self) -> frozenset[str]:
        """Columns of rows with their values that `partial` reads, beside TIME."""
        taken = self._known().taken.values()
        return frozenset(name for one in taken for name in one.columns if name is not None)

    @property
    def kept(self) -> Mapping[str, pl.DataType] | None:
        """Types of the partial columns, if those of the rows are known."""
        return self._kept

    def restored(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Convert partials of older versions to the current form; new aggregates start empty.

        Raises:
            ConfigurationError: an older partial cannot be turned into what is kept now.
        """
        frame = self._with_new(frame)
        sums = [
            _MAIN + name
            for name, asked in self._asked.items()
            if asked.kind in _SUMS and name not in self._lists
        ]
        wider = [n for n in sums if frame.schema[n] in (pl.Int64, pl.UInt64)]
        found = upgraded(frame.with_columns(pl.col(wider).cast(pl.Int128)), self._picks)
        kept = self._kept or {}
        for name in sums:
            if found.schema[name] != kept.get(name, found.schema[name]):
                raise _other_sum(name.removeprefix(_MAIN), found.schema[name], kept[name])
        return found.drop(self._dropped(found.columns))

    def _dropped(self, columns: Sequence[str]) -> list[str]:
        """Partial columns of aggregates that are not computed any more."""
        known = {_MAIN + name for name in self._asked} | {ROWS}
        known |= {mark + name for name in self._asked for mark in (_HIGH, _NUMBER)}
        known |= {column for pick in self._picks for column in pick.places}
        marks = (_MAIN, _HIGH, _NUMBER, *PLACES)
        return [name for name in columns if name.startswith(marks) and name not in known]

    def _with_new(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Aggregates missing in the state start with no rows: 0 or null."""
        kept = self._kept or {}
        frame = relabelled(frame, self._picks)
        adds = []
        for name, asked in self._asked.items():
            of_name = [n for n in (_MAIN + name, _HIGH + name, _NUMBER + name) if n in kept]
            if _MAIN + name not in frame.columns:
                adds += [_nothing(asked.kind, kept[column]).alias(column) for column in of_name]
        for pick in self._picks:
            if all(main in (add.meta.output_name() for add in adds) for main in pick.columns):
                adds += [pl.lit(None, kept[n]).alias(n) for n in pick.places if n in kept]
        return frame.with_columns(adds) if adds else frame

    def _known(self) -> Values:
        assert self._values is not None, "only partials are merged here"
        return self._values

    def _ranked(
        self, pick: Pick, frame: pl.DataFrame, taken: Mapping[str, Taken]
    ) -> tuple[pl.Series, pl.DataFrame]:
        of = {name: taken[name].column or "" for name in pick.columns.values()}
        leader = taken[pick.leader]
        return pick.ranked(frame, of, leader.where, leader.by)

    def _partial(self, rows: pl.DataFrame, name: str, taken: Taken) -> list[pl.Expr]:
        main, column = _MAIN + name, taken.column
        if name in self._wholes:
            return []  # of all groups at once
        if column is None:
            return [pl.len().cast(pl.Int64).alias(main)]
        if name in self._lists:
            return [self._lists[name].partial(rows, column).alias(main)]
        value = pl.col(column)
        match self._asked[name].kind:
            case AggregateKind.COUNT:
                return [value.count().cast(pl.Int64).alias(main)]
            case AggregateKind.SUM:
                return summed(rows, column, main, _HIGH + name)
            case AggregateKind.MEAN:
                number = value.count().cast(pl.Int64).alias(_NUMBER + name)
                return [*summed(rows, column, main, _HIGH + name), number]
            case AggregateKind.MIN:
                return [value.min().alias(main)]
            case AggregateKind.MAX:
                return [_greatest(value, taken.dtype).alias(main)]
            case AggregateKind.VARIANCE | AggregateKind.STDDEV:
                return spread(column, main, _HIGH + name, _NUMBER + name)
            case _:
                return []  # with the row that a Pick chooses

    def _ways(self, name: str, types: Mapping[str, pl.DataType]) -> Mapping[str, Way]:
        """Sums of partials fit their type: 128 bits, or a float (numbers.py)."""
        main, high, number = _MAIN + name, _HIGH + name, _NUMBER + name
        if name in self._wholes:
            return {main: self._wholes[name].merged}
        if name in self._lists:
            return {main: self._lists[name].merged(pl.col(main))}
        match self._asked[name].kind:
            case AggregateKind.COUNT:
                return {main: "sum"}
            case AggregateKind.SUM | AggregateKind.MEAN:
                return {part: "sum" for part in (main, high, number) if part in types}
            case AggregateKind.MIN:
                return {main: "min"}
            case AggregateKind.MAX:
                return {main: pl.col(main).nan_max() if types[main].is_float() else "max"}
            case AggregateKind.VARIANCE | AggregateKind.STDDEV:
                return spread_ways(main, high, number)
            case _:
                return {}

    def _answer(self, name: str, frame: pl.DataFrame) -> Answer:
        main, high = _MAIN + name, _HIGH + name
        if name in self._wholes:
            return self._wholes[name].answer(frame, main)
        if name in self._lists:
            return self._lists[name].answer(frame, main)
        match self._asked[name].kind:
            case AggregateKind.SUM:
                return sum_of(frame, main, high)
            case AggregateKind.MEAN:
                return mean_of(frame, main, high, _NUMBER + name)
            case AggregateKind.VARIANCE:
                return variance_of(frame, main, _NUMBER + name)
            case AggregateKind.STDDEV:
                return Answer(variance_of(frame, main, _NUMBER + name).values.sqrt())
            case _:
                return Answer(frame.get_column(main))

    def _unfit(self, answers: Mapping[str, Answer]) -> pl.Series | None:
        reasons: list[pl.Expr] = [
            pl.when(answer.wrong).then(pl.lit(self._too_large(name, answer.values.dtype)))
            for name, answer in answers.items()
            if answer.wrong is not None and answer.wrong.any()
        ]
        reasons += [pl.lit(a.reasons) for a in answers.values() if a.reasons is not None]
        return pl.select(pl.coalesce(reasons).alias("reason")).to_series() if reasons else None

    def _too_large(self, name: str, dtype: pl.DataType) -> str:
        words = "a 64-bit integer" if dtype == pl.Int64 else str(dtype)
        return f"{name}: the {self._asked[name].kind} does not fit {words}"


def measure_of(name: str, asked: Aggregate) -> WholeMeasure | None:
    """How an aggregate is computed of all groups at once; None: it is not.

    Args:
        name: Output column.
        asked: The aggregate.
    """
    if isinstance(asked.user, RowAggregate):
        return RowMeasure(name, asked.user)
    if asked.user is not None:
        return ColumnMeasure(name, asked.user)
    if asked.kind is AggregateKind.QUANTILE:
        return QuantileMeasure(0.5 if asked.quantile is None else asked.quantile)
    return DistinctMeasure() if asked.kind is AggregateKind.APPROX_COUNT_DISTINCT else None


def _nothing(kind: AggregateKind, dtype: pl.DataType) -> pl.Expr:
    """The partial of no rows."""
    if isinstance(dtype, pl.List) and kind not in _NULL_OF_NONE:
        return pl.lit(pl.Series([[]], dtype=dtype)).first()
    return pl.lit(None if kind in _NULL_OF_NONE else 0).cast(dtype)


def _greatest(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    return value.nan_max() if dtype.is_float() else value.max()


def _other_sum(name: str, was: pl.DataType, now: pl.DataType) -> ConfigurationError:
    what = f"{name}: the checkpoint has a sum of {was}, the job makes one of {now}"
    advice = (
        "give the step another name and run once with --allow-non-restored-state, or start with "
        "--from-scratch"
    )
    return ConfigurationError(what, what_to_do=advice)
