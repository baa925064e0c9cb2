"""Times written as text: columns of epoch milliseconds to text of a pattern and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from raystream.data.schema import Schema, no_column
from raystream.formats.base import Decoded, RejectedRow

_ISO_IN = "%+"
_ISO_OUT = "%Y-%m-%dT%H:%M:%S%.3fZ"


@dataclass(frozen=True, slots=True)
class TimestampText:
    """Which columns are times in text, and how they are written (`iso8601` or a pattern)."""

    columns: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, declared: Mapping[str, str], schema: Schema) -> TimestampText:
        """Those of the declared columns that `schema` has.

        Raises:
            ConfigurationError: a declared column is not a time (Int64 epoch ms) in the schema.
        """
        columns = {name: how for name, how in declared.items() if name in schema.columns}
        for name in columns:
            if schema.columns[name] != pl.Int64:
                raise no_column(name, [n for n, d in schema.columns.items() if d == pl.Int64])
        return cls(columns)

    def as_text(self, schema: Schema) -> Schema:
        """The schema with those columns as strings: what is in the payload."""
        text = {name: pl.String() for name in self.columns}
        return Schema({**schema.columns, **text}, schema.required, schema.key)

    def parse(self, frame: pl.DataFrame, rejected: list[RejectedRow]) -> Decoded:
        """Text -> epoch ms; `frame` holds the payloads that are not yet rejected."""
        parsed = frame.with_columns(_parse(name, how) for name, how in self.columns.items())
        bad = pl.any_horizontal(
            [(frame[name].is_not_null() & parsed[name].is_null()) for name in self.columns]
        )
        offenders = frame.select(bad.alias("bad")).to_series()
        if not offenders.any():
            return Decoded(parsed, tuple(rejected))
        gone = {reject.index for reject in rejected}
        total = frame.height + len(gone)
        indexes = [index for index in range(total) if index not in gone]
        for row in offenders.arg_true().to_list():
            rejected.append(RejectedRow(indexes[row], self._reason(frame.row(row, named=True))))
        return Decoded(parsed.filter(~offenders), tuple(sorted(rejected, key=lambda r: r.index)))

    def format(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Epoch ms -> text."""
        return frame.with_columns(_format(name, how) for name, how in self.columns.items())

    def _reason(self, row: Mapping[str, object]) -> str:
        written = ", ".join(f"{name}={row[name]!r}" for name in self.columns)
        return f"not a time as declared: {written}"


def _parse(name: str, how: str) -> pl.Expr:
    pattern = _ISO_IN if how == "iso8601" else how
    text = pl.col(name).str
    if how == "iso8601" or "%z" in pattern or "%:z" in pattern:
        time = text.to_datetime(pattern, time_unit="ms", time_zone="UTC", strict=False)
    else:
        time = text.to_datetime(pattern, time_unit="ms", strict=False)
    return time.dt.epoch("ms").alias(name)


def _format(name: str, how: str) -> pl.Expr:
    pattern = _ISO_OUT if how == "iso8601" else how
    time = pl.col(name).cast(pl.Datetime("ms"))
    if "%z" in pattern or "%:z" in pattern:
        time = time.dt.replace_time_zone("UTC")
    return time.dt.strftime(pattern).alias(name)
