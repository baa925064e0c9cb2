"""Columns that are written as text: which ones, how, and both ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from raystream.data.schema import Schema, no_column
from raystream.data.values import shown
from raystream.errors import ConfigurationError, DataError
from raystream.formats import text_types
from raystream.formats.base import Decoded, RejectedRow

_ISO = "iso8601"
_ISO_IN = "%+"
_ISO_OUT = "%Y-%m-%dT%H:%M:%S%.3fZ"

_FURTHEST_MS = 94_000_000 * 86_400_000

Change = Callable[[pl.Expr], pl.Expr]


@dataclass(frozen=True, slots=True)
class _Text:
    """One column: type of what is in the payload, and how it is read and written."""

    raw: pl.DataType
    read: Change
    write: Change


class Texts:
    """The columns of a schema that are not in the payload as they are in the frame.

    Args:
        schema: All columns.
        timestamps: Column -> `iso8601`, an epoch unit (datetime columns) or a pattern (columns of
            epoch ms); or one word for all datetime columns.

    Raises:
        ConfigurationError: a named column is not a time, or a word is none.
    """

    def __init__(self, schema: Schema, timestamps: Mapping[str, str] | str) -> None:
        self.schema = schema
        self._texts: dict[str, _Text] = {}
        for name, dtype in schema.columns.items():
            how = timestamps if isinstance(timestamps, str) else timestamps.get(name)
            text = _text(name, dtype, how, alone=not isinstance(timestamps, str), schema=schema)
            if text is not None:
                self._texts[name] = text

    def raw(self) -> Schema:
        """The schema of what is in the payload."""
        raw = {name: text.raw for name, text in self._texts.items()}
        return Schema({**self.schema.columns, **raw}, self.schema.required, self.schema.key)

    def read(self, frame: pl.DataFrame, rejected: Sequence[RejectedRow]) -> Decoded:
        """Payload columns -> columns of the schema.

        Args:
            frame: Rows of the payloads that are not rejected.
            rejected: The others, by index.
        """
        if not self._texts:
            return Decoded(frame, tuple(rejected))
        columns, reasons = dict[str, pl.Series](), dict[int, str]()
        for column in frame.get_columns():
            text = self._texts.get(column.name)
            values = column if text is None else text_types.applied(text.read, column)
            columns[column.name] = values
            if text is not None:
                for row in text_types.lost(column, values).arg_true().to_list():
                    reasons.setdefault(row, self._reason(column, row))
        made = pl.DataFrame(columns)
        return without(made, reasons, rejected) if reasons else Decoded(made, tuple(rejected))

    def write(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Columns of the schema, in its order -> payload columns.

        Raises:
            DataError: there is no form for a value.
        """
        columns = [frame.get_column(name) for name in self.schema.columns]
        texts = [self._texts.get(column.name) for column in columns]
        return pl.DataFrame(
            {
                column.name: column if text is None else written(text.write, column)
                for column, text in zip(columns, texts, strict=True)
            }
        )

    def _reason(self, column: pl.Series, row: int) -> str:
        dtype = self.schema.columns[column.name]
        kind = "time as declared" if dtype == pl.Int64 else f"{dtype}"
        return f"column {column.name!r}: {str(column[row])[:40]!r} is not a {kind}"


def written(write: Change, column: pl.Series) -> pl.Series:
    """A column as it is in payloads.

    Raises:
        DataError: there is no form for a value: a time beyond the unit or the years of text.
    """
    values = text_types.applied(write, column)
    gone = text_types.lost(column, values)
    if gone.any():
        row = int(gone.arg_true()[0])
        raise unwritable(column, row, "it is beyond what the text or number can hold")
    return values


def unwritable(column: pl.Series, row: int, why: str) -> DataError:
    """The error for a value that the format of a sink has no form for."""
    value = column.slice(row, 1).to_physical().to_list()[0]  # Python lacks what is far away
    what = f"column {column.name!r}: {shown(value)} cannot be written: {why}"
    advice = "filter such rows before the sink, or replace the value"
    return DataError(what, f"row {row} of a batch", advice)


def without(
    frame: pl.DataFrame, reasons: Mapping[int, str], rejected: Sequence[RejectedRow]
) -> Decoded:
    """The rows that have no reason against them; the others become records of the decode call.

    Args:
        frame: Rows of the payloads that are not rejected yet.
        reasons: Row of the frame -> why it is rejected now.
        rejected: What was rejected before.
    """
    gone = {reject.index for reject in rejected}
    records = [index for index in range(frame.height + len(gone)) if index not in gone]
    found = [RejectedRow(records[row], reason) for row, reason in reasons.items()]
    keep = pl.Series([row not in reasons for row in range(frame.height)], dtype=pl.Boolean)
    return Decoded(frame.filter(keep), tuple(sorted([*rejected, *found], key=lambda r: r.index)))


def _text(
    name: str, dtype: pl.DataType, how: str | None, *, alone: bool, schema: Schema
) -> _Text | None:
    if how is not None and alone and dtype == pl.Int64:
        return _Text(pl.String(), lambda text: _parse(text, how), lambda time: _format(time, how))
    if how is not None and alone and not isinstance(dtype, pl.Datetime):
        times = [n for n, d in schema.columns.items() if d in (pl.Int64, pl.Datetime)]
        raise no_column(name, times)
    if how not in (None, _ISO, *text_types.EPOCH_UNITS):
        what = f"timestamps: {how!r} is not a way to write a datetime"
        advice = f"write one of {', '.join((_ISO, *text_types.EPOCH_UNITS))}"
        raise ConfigurationError(what, what_to_do=advice)
    epoch = None if how == _ISO else how
    if not text_types.is_text(dtype):
        return None
    return _Text(
        text_types.raw(dtype, epoch),
        lambda text: text_types.read(text, dtype, epoch),
        lambda value: text_types.write(value, dtype, epoch),
    )


def _parse(column: pl.Expr, how: str) -> pl.Expr:
    pattern = _ISO_IN if how == _ISO else how
    text = column.str
    if how == _ISO or "%z" in pattern or "%:z" in pattern:
        time = text.to_datetime(pattern, time_unit="ms", time_zone="UTC", strict=False)
    else:
        time = text.to_datetime(pattern, time_unit="ms", strict=False)
    return time.dt.epoch("ms")


def _format(column: pl.Expr, how: str) -> pl.Expr:
    pattern = _ISO_OUT if how == _ISO else how
    known = column.is_between(-_FURTHEST_MS, _FURTHEST_MS)
    time = pl.when(known).then(column).cast(pl.Datetime("ms"))
    if "%z" in pattern or "%:z" in pattern:
        time = time.dt.replace_time_zone("UTC")
    return time.dt.strftime(pattern)
