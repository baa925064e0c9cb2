"""Frame handling shared by all sources that have no Kafka record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from raystream.connectors.base import ReadOptions
from raystream.data.batch import MESSAGE_KEY, TIME
from raystream.data.changes import OP, ReadChanges, RowKind
from raystream.data.rows import columns_to_frame, misfit_reason, missing_required, to_frame
from raystream.data.schema import Schema
from raystream.formats.base import Decoded, Decoder, Encoder, Format, RejectedRow
from raystream.formats.csv import Csv
from raystream.formats.json import Json, JsonEncoder
from raystream.formats.unknown_fields import UnknownFields


def decode_schema(options: ReadOptions) -> Schema:
    """The columns to decode; a column of event time is never null."""
    needed = {options.event_time} & options.schema.columns.keys() if options.event_time else set()
    return replace(options.schema, required=options.schema.required | needed)


def record_decoder(form: Format, options: ReadOptions, schema: Schema) -> Decoder:
    """The decoder for records that hold all columns, of which the plan may need only a few.

    Args:
        form: Of the records.
        options: What the plan needs.
        schema: The columns to decode.
    """
    if options.changes is ReadChanges.DEBEZIUM:
        return _debezium(form, options, schema)
    if options.changes is ReadChanges.LOG:
        return _change_log(form, options, schema)
    if isinstance(form, Csv) and options.record:
        return form.of_line(tuple(options.record)).decoder(schema)
    decoder = form.decoder(schema)
    if isinstance(form, Json) and options.record:
        return Watching(decoder, UnknownFields(options.record))
    return decoder


def formats_of_changes(form: str) -> tuple[str, ...]:
    """Values of `changes=` with which payloads of a format can be read.

    >>> formats_of_changes("json"), formats_of_changes("raw")
    (('debezium', 'log'), ())
    """
    return (ReadChanges.DEBEZIUM.value, ReadChanges.LOG.value) if form == "json" else ()


def _debezium(form: Format, options: ReadOptions, schema: Schema) -> Decoder:
    """Envelopes; of a row that is removed often only the key is there."""
    from raystream.formats.debezium import DebeziumDecoder

    plain, keys = replace(options, changes=None), frozenset(options.key) & schema.columns.keys()
    rows = record_decoder(form, plain, Schema(schema.columns, schema.required | keys))
    removed = record_decoder(form, plain, Schema(schema.columns, keys))
    return DebeziumDecoder(rows, removed, timed=options.event_time is None)


def _change_log(form: Format, options: ReadOptions, schema: Schema) -> Decoder:
    from raystream.formats.change_log import LogDecoder, with_op

    record = {OP: pl.String(), **options.record} if options.record else {}
    plain = replace(options, changes=None, record=record)
    return LogDecoder(record_decoder(form, plain, with_op(schema)), keyed=bool(options.key))


def nulled_of(encoder: Encoder) -> int:
    """Number of values an encoder wrote as null since the last call; see formats.json."""
    return encoder.nulled() if isinstance(encoder, JsonEncoder) else 0


class Watching:
    """A decoder that reports fields which no column takes."""

    def __init__(self, decoder: Decoder, fields: UnknownFields) -> None:
        self.schema = decoder.schema
        self.decoder = decoder
        self.fields = fields

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """Decode these, and look at some of them."""
        decoded, unknown = self.decoder.decode(payloads), self.fields.look(payloads)
        return replace(decoded, unknown=unknown) if unknown else decoded


def index_of_row(row: int, left_out: Sequence[int]) -> int:
    """Number of the record that became row `row`, if some records became none.

    Args:
        row: Index in the decoded frame.
        left_out: Indexes of the rejected records, rising.

    >>> [index_of_row(row, [0, 2]) for row in range(3)]
    [1, 3, 4]
    """
    index = row
    for gone in left_out:
        if gone > index:
            break
        index += 1
    return index


def add_hidden(frame: pl.DataFrame, options: ReadOptions, now_ms: int) -> pl.DataFrame:
    """Add the hidden columns that the plan needs.

    Args:
        frame: Decoded user columns.
        options: What the plan needs.
        now_ms: Record time of every row, epoch ms, used if no column holds event time.
    """
    hidden = []
    if options.event_time is None:
        now = pl.lit(now_ms, dtype=pl.Int64)
        known = pl.col(TIME).fill_null(now) if TIME in frame.columns else now
        hidden.append(known.alias(TIME))
    if options.message_key:
        hidden.append(pl.lit(None, dtype=pl.Binary).alias(MESSAGE_KEY))
    return frame.with_columns(hidden) if hidden else frame


def decode_rows(
    rows: Sequence[Any], schema: Schema, record: Mapping[str, Any] | None = None
) -> Decoded:
    """Columns of dict rows; what does not fit is rejected.

    Args:
        rows: Dicts; anything else is rejected.
        schema: Columns wanted; other keys of a row are ignored.
        record: All columns: keys not among them are reported as unknown. None: no report.

    >>> [row.reason for row in decode_rows([{"n": "one"}, 7], Schema({"n": pl.Int64()})).rejected]
    ["column 'n': 'one' is not Int64", 'not a row but int']
    """
    if all(isinstance(row, Mapping) for row in rows):
        frame = columns_to_frame(schema, [[row.get(n) for row in rows] for n in schema.columns])
        if frame is not None and not missing_required(frame, schema):
            return Decoded(frame, unknown=_unknown(rows, record))
    return replace(_one_by_one(rows, schema), unknown=_unknown(rows, record))


def decode_changes(rows: Sequence[Any], options: ReadOptions) -> Decoded:
    """Columns of dict rows and CHANGE, by their `op` (a word of RowKind); without one a row sets.

    >>> options = ReadOptions(Schema({"n": pl.Int64()}), changes=ReadChanges.UPSERT, key=("n",))
    >>> decode_changes([{"n": 1}, {"op": "delete", "n": 1}], options).frame.rows()
    [(1, 2), (1, 3)]
    """
    from raystream.formats.parts import Part, nothing, together

    schema, keyed = decode_schema(options), bool(options.key)
    relaxed = Schema(schema.columns, schema.required & set(options.key))
    groups: dict[RowKind | None, list[int]] = {RowKind.UPDATE_AFTER: []}
    rejected = []
    for index, row in enumerate(rows):
        op = row.get(OP, RowKind.UPDATE_AFTER) if isinstance(row, Mapping) else None
        if op in _KINDS:
            groups.setdefault(_KINDS[op][keyed], []).append(index)
        else:
            rejected.append(RejectedRow(index, f"op {op!r} is unknown" if op else "not a row"))
    parts = []
    for kind, places in groups.items():
        wanted = relaxed if kind is RowKind.DELETE else schema
        record = {OP: pl.String(), **options.record} if options.record else None
        decoded = decode_rows([rows[index] for index in places], wanted, record)
        if kind is None:
            decoded = nothing(schema, len(places))
        parts.append(Part(places, decoded, kind))
    return together(parts, rejected).decoded


_KINDS: Mapping[Any, tuple[RowKind, RowKind | None]] = {
    RowKind.UPDATE_AFTER: (RowKind.INSERT, RowKind.UPDATE_AFTER),
    "insert": (RowKind.INSERT, RowKind.UPDATE_AFTER),
    "update_after": (RowKind.INSERT, RowKind.UPDATE_AFTER),
    "update_before": (RowKind.DELETE, None),
    "delete": (RowKind.DELETE, RowKind.DELETE),
}
"""By the word of a row: what it does without a key, and by key."""


def _unknown(rows: Sequence[Any], record: Mapping[str, Any] | None) -> dict[str, int]:
    if not record:
        return {}
    more = (row.keys() - record.keys() for row in rows if isinstance(row, Mapping))
    return dict(Counter(str(name) for names in more for name in names))


def _one_by_one(rows: Sequence[Any], schema: Schema) -> Decoded:
    good, rejected = [], []
    for index, row in enumerate(rows):
        reason = _reason(row, schema)
        if reason is None:
            good.append(_wanted(row, schema))
        else:
            rejected.append(RejectedRow(index, reason))
    return Decoded(to_frame(good, schema).frame, tuple(rejected))


def _reason(row: Any, schema: Schema) -> str | None:
    if not isinstance(row, Mapping):
        return f"not a row but {type(row).__name__}"
    return misfit_reason(_wanted(row, schema), schema)


def _wanted(row: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    return {name: row.get(name) for name in schema.columns}
