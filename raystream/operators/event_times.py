"""Event time of rows: a column, a field within one, or an expression, in some unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from raystream.data.batch import HIDDEN, TIME
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.expressions.compiled import compiled
from raystream.expressions.halves import by_halves
from raystream.formats.moments import Unit
from raystream.operators.event_time import TimedStep
from raystream.time.limits import LATEST_MS


@dataclass(frozen=True, slots=True)
class Timed:
    """Event time of some rows.

    Args:
        times: Int64, epoch ms; null if it is not within the years 1 to 9999, and
            `formats.moments.TOO_LATE` if it is later.
        values: The values it was computed from.
        unit: Of the values.
        errors: String, null if the value could be computed; None: it always can.
    """

    times: pl.Series
    values: pl.Series
    unit: Unit
    errors: pl.Series | None = None

    def unusable(self) -> pl.Series:
        """Boolean: rows without a valid event time."""
        return (self.times > LATEST_MS).fill_null(value=True)

    def reason(self, row: int) -> str:
        """Why the time of this row cannot be used."""
        told = None if self.errors is None else self.errors[row]
        return f"event time: {told}" if told is not None else self.unit.reason(self.values[row])


_TOLD = f"{HIDDEN}why"
_NOTHING = pl.Struct({TIME: pl.Null(), _TOLD: pl.String()})


class EventTimes:
    """Computes the event time of rows.

    Args:
        written: A column, a path into one (`meta.ts`), SQL text or an rs.col expression.
        unit: Of its values.
        columns: Columns of the rows, with their types.

    Raises:
        ConfigurationError: no such column, or it holds no times.

    >>> times = EventTimes("meta.ts", Unit("s"), {"meta": pl.Struct({"ts": pl.Int64()})})
    >>> times.of(pl.DataFrame({"meta": [{"ts": 7}]})).times.to_list()
    [7000]
    """

    def __init__(self, written: Any, unit: Unit, columns: Mapping[str, pl.DataType]) -> None:
        self._unit = unit
        self._column = written if isinstance(written, str) and written in columns else None
        known = {name: dtype for name, dtype in columns.items() if name != TIME}
        self._value, dtype, self.reads, self._error = _expression(written, known)
        unit.check(dtype, str(written))

    def of(self, frame: pl.DataFrame) -> Timed:
        """Event time of each row."""
        if self._column is not None:
            values = frame.get_column(self._column)
            return Timed(self._unit.epoch_ms(values).alias(TIME), values, self._unit)
        values, errors = self._computed(frame)
        times = self._unit.epoch_ms(values)
        if errors.null_count() < len(errors):
            times = times.set(errors.is_not_null(), None)
        return Timed(times.alias(TIME), values, self._unit, errors)

    def _computed(self, frame: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
        """Values, and why rows have none; a strict cast of an rs.col expression raises for them."""
        parts = list(by_halves(frame, self._both))
        [dtype] = {part.dtype for part, _ in parts if part is not None} or {_NOTHING}
        both = [
            pl.Series([{TIME: None, _TOLD: raised}], dtype=dtype) if part is None else part
            for part, raised in parts
        ]
        found = pl.concat(both)
        return found.struct.field(TIME), found.struct.field(_TOLD)

    def _both(self, frame: pl.DataFrame) -> pl.Series:
        error = pl.lit(None, pl.String()) if self._error is None else self._error
        made = frame.with_columns(self._value.alias(TIME), error.alias(_TOLD))
        return made.select(TIME, _TOLD).to_struct()


def _expression(
    written: Any, columns: Mapping[str, pl.DataType]
) -> tuple[pl.Expr, pl.DataType, frozenset[str], pl.Expr | None]:
    path = _path(written, columns)
    if path is not None:
        return (*path, None)
    try:
        found = compiled(written, columns)
    except ConfigurationError as error:
        text = f"event_time: {error.what}"
        raise ConfigurationError(text, error.where, error.what_to_do) from None
    return found.value, found.dtype, found.reads, found.error


def _path(
    written: Any, columns: Mapping[str, pl.DataType]
) -> tuple[pl.Expr, pl.DataType, frozenset[str]] | None:
    """A field within an object: `meta.ts`; a column with exactly that name takes precedence."""
    if not isinstance(written, str) or written in columns or "." not in written:
        return None
    first, *rest = written.split(".")
    if not isinstance(columns.get(first), pl.Struct):
        return None
    value, dtype = pl.col(first), columns[first]
    for name in rest:
        fields = {f.name: f.dtype for f in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        if name not in fields:
            text = f"event_time: {written!r}: there is no field {name!r}"
            near = f"it has {', '.join(fields)}" if fields else "it is not an object"
            raise ConfigurationError(text, what_to_do=near)
        value, inner = value.struct.field(name), fields[name]
        dtype = inner() if isinstance(inner, type) else inner
    return value, dtype, frozenset([first])


def times_of(step: TimedStep, schema: Schema) -> EventTimes:
    """How to compute event time from these columns.

    Raises:
        ConfigurationError: no such column, or it holds no times.
    """
    unit = Unit(step.event_time_unit, step.time_zone)
    return EventTimes(step.event_time, unit, schema.columns)
