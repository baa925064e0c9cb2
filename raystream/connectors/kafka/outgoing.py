"""Rows of a frame as Kafka messages: payloads, keys, timestamps, headers, column by column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import polars as pl

from raystream.connectors.base import DeadLetters, WriteOptions
from raystream.connectors.columns import nulled_of
from raystream.connectors.kafka.clients import Messages
from raystream.connectors.kafka.key_texts import text_of, values_of
from raystream.connectors.kafka.record_headers import check_headers, headers_of
from raystream.data.batch import HIDDEN, MESSAGE_KEY
from raystream.data.changes import CHANGE, RowKind
from raystream.data.fit import holds_ns
from raystream.data.left_out import redacted
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError, DataError
from raystream.formats.base import Format

HEADER_PREFIX = "raystream."
"""Headers of a dead letter: raystream.reason, raystream.origin, raystream.topic, ..."""

ToMessages = Callable[[pl.DataFrame], Messages]
_Keys = Callable[[pl.DataFrame], Sequence[bytes | str | None] | None]


def to_messages(
    format: Format,  # noqa: A002 - the word users know
    options: WriteOptions,
    key: str | None,
    timestamp: str | None,
    headers: Sequence[str] = (),
) -> ToMessages:
    """How to convert frames of this schema to messages.

    Args:
        format: Of the payload.
        options: Schema, key columns, whether the message key is passed through.
        key: Column that becomes the message key instead of the key columns.
        timestamp: Column with the record timestamp, epoch ms; None: now.
        headers: Columns that become headers, and are not part of the payload.

    Columns that only the first rows reveal (`options.schema.open`) are fixed by the first frame.

    Raises:
        ConfigurationError: a named column does not exist, or the format cannot write the columns.
    """
    if set(options.schema.columns) == set(DeadLetters().columns):
        return _dead_letters
    if options.schema.open:
        return _told_by_rows(format, options, key, timestamp, headers)
    for name in (key, timestamp):
        if name is not None and name not in options.schema.columns:
            known = ", ".join(options.schema.names())
            what = f"the rows to write have no column {name!r}"
            raise ConfigurationError(what, what_to_do=f"columns: {known}")
    if timestamp is not None:
        _check_time(timestamp, options.schema.columns[timestamp])
    check_headers(headers, options.schema.columns)
    rest = {n: t for n, t in options.schema.columns.items() if n not in headers}
    encoder = format.encoder(Schema(rest) if headers else options.schema)
    keys = _keys_of(options, key)

    def convert(frame: pl.DataFrame) -> Messages:
        apart = [n for n in frame.columns if n.startswith(HIDDEN) or n in headers]
        values = encoder.encode(
            frame.drop(apart)
        )  # select would lose the rows where no column is left
        if options.upserts:
            values = _with_tombstones(values, frame)
        times = None if timestamp is None else _times(frame.get_column(timestamp))
        named = headers_of(frame, headers) if headers else None
        made = keys(frame)
        if options.upserts:
            _check_keys(made, frame)
        return Messages(values, made, times, named, nulled_of(encoder))

    return convert


def _with_tombstones(values: Sequence[bytes | None], frame: pl.DataFrame) -> list[bytes | None]:
    """A key without a value: brokers remove it from a compacted topic."""
    gone = frame.get_column(CHANGE) == RowKind.DELETE.value
    return [None if removed else value for value, removed in zip(values, gone, strict=True)]


def _check_keys(keys: Sequence[bytes | str | None] | None, frame: pl.DataFrame) -> None:
    """Nothing could remove a record without a key, and compacted topics refuse it."""
    if keys is None or None not in keys:
        return
    what = 'changes="upsert": the key of a row is null, and a record without a key replaces none'
    row = frame.row(list(keys).index(None), named=True)
    shown = redacted({name: value for name, value in row.items() if not name.startswith(HIDDEN)})
    raise DataError(what, f"row {shown}", "filter these rows out, or give them another key")


def _check_time(name: str, dtype: pl.DataType) -> None:
    if not dtype.is_integer() and not isinstance(dtype, pl.Datetime):
        what = f"timestamp: column {name!r} is {dtype}, not whole epoch milliseconds"
        raise ConfigurationError(what, what_to_do="name a column of epoch milliseconds")


def _told_by_rows(
    format: Format,  # noqa: A002 - the word users know
    options: WriteOptions,
    key: str | None,
    timestamp: str | None,
    headers: Sequence[str] = (),
) -> ToMessages:
    fixed: list[ToMessages] = []

    def convert(frame: pl.DataFrame) -> Messages:
        if not fixed:
            columns = options.told_by(Schema.of_frame(frame.schema))
            fixed.append(to_messages(format, columns, key, timestamp, headers))
        return fixed[0](frame)

    return convert


def _keys_of(options: WriteOptions, key: str | None) -> _Keys:
    columns = (key,) if key is not None else options.schema.key
    for name in columns:
        dtype = options.schema.columns.get(name, pl.Null())
        if dtype.is_nested() and holds_ns(dtype):
            what = f"key {name!r} holds nanoseconds within {dtype}, which have no form there"
            raise ConfigurationError(what, what_to_do="cast them to microseconds")
    if len(columns) == 1:
        return lambda frame: _single(frame.get_column(columns[0]))
    if columns:
        return lambda frame: _several(frame, columns)
    if options.message_key:
        return lambda frame: frame.get_column(MESSAGE_KEY).to_list()
    return lambda frame: None


def _single(column: pl.Series) -> list[bytes | str | None]:
    """A single key column is written as text, without quotes; bytes stay as they are."""
    if column.dtype == pl.Binary:
        return column.to_list()
    if column.dtype.is_nested():
        return [None if v is None else msgspec.json.encode(v) for v in values_of(column)]
    return text_of(column).to_list()


def _several(frame: pl.DataFrame, columns: Sequence[str]) -> list[bytes | str | None]:
    """Several key columns are written as a JSON array, in the order of `key_by`."""
    encode = msgspec.json.encode
    values = [values_of(frame.get_column(name)) for name in columns]
    return [encode(row) for row in zip(*values, strict=True)]


def _times(column: pl.Series) -> list[int | None]:
    """Null means now; 0 would too, for librdkafka: it is refused instead of changed."""
    times = _timestamps(column)
    if (times == 0).any():
        what = f"timestamp: column {column.name!r} holds 0, 1970-01-01T00:00:00Z"
        advice = "Kafka's C client takes 0 for `now`: write another time, or null for now"
        raise DataError(what, f"row {times.index_of(0)} of a batch", advice)
    return times.to_list()


def _timestamps(column: pl.Series) -> pl.Series:
    times = column.dt.epoch("ms") if isinstance(column.dtype, pl.Datetime) else column
    return times.cast(pl.Int64)


def _dead_letters(frame: pl.DataFrame) -> Messages:
    """Raw record unchanged, its own key and time, and where and why in the headers."""
    rows = zip(
        frame.get_column("reason").to_list(),
        frame.get_column("origin").to_list(),
        frame.get_column("headers").to_list(),
        frame.get_column("record_headers").to_list(),
        strict=True,
    )
    return Messages(
        frame.get_column("value").to_list(),
        frame.get_column("key").to_list(),
        # librdkafka writes no 0: a millisecond beside it is nearer than now
        _timestamps(frame.get_column("timestamp")).replace(0, 1).to_list(),
        [_headers(*row) for row in rows],
    )


def _headers(
    reason: str, origin: str, parts: Sequence[Any], original: Sequence[Any] | None
) -> list[tuple[str, str | bytes | None]]:
    """The headers of the record unchanged, then ours."""
    kept = [(header["name"], header["value"]) for header in original or ()]
    named = [("reason", reason), ("origin", origin)]
    named += [(part["name"], part["value"]) for part in parts or ()]
    ours = [(HEADER_PREFIX + n, None if v is None else v.encode()) for n, v in named]
    return [*kept, *ours]
