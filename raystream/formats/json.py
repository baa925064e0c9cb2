"""JSON: one object per payload. Typed decode straight to columns, text by column expression.

Decode is msgspec into a generated Struct of only the fields that are needed, then attribute lists,
then one frame: half the cost of any columnar JSON reader on small records (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypedDict

import msgspec
import polars as pl

from raystream.data.inference import from_inner, infer_schema
from raystream.data.rows import columns_to_frame, misfit_reason
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.formats.base import Decoded, RejectedRow
from raystream.formats.timestamps import TimestampText

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, TypeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Json:
    """The JSON format; keys of the output are in the order of the columns.

    Args:
        timestamps: Column name -> how its time is written as text: `iso8601` or a strptime
            pattern. Other times are epoch milliseconds.

    >>> decoder = Json().decoder(Schema.of({"n": "int"}))
    >>> decoder.decode([b'{"n": 1}', b'x']).rejected
    (RejectedRow(index=1, reason='not JSON: invalid character (byte 0)'),)
    """

    timestamps: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """`json`."""
        return "json"

    def decoder(self, schema: Schema) -> JsonDecoder:
        """Decoder for exactly these columns.

        Raises:
            ConfigurationError: a column has a type that JSON does not have.
        """
        return JsonDecoder(schema, TimestampText.of(self.timestamps, schema))

    def encoder(self, schema: Schema) -> JsonEncoder:
        """Encoder for rows of this schema.

        Raises:
            ConfigurationError: a column has a type that JSON does not have.
        """
        return JsonEncoder(schema, TimestampText.of(self.timestamps, schema))

    def infer(self, payloads: Sequence[bytes | None]) -> Schema | None:
        """Schema learnt from samples; payloads that are no JSON object tell nothing."""
        rows = [row for row in map(_anything, payloads) if isinstance(row, dict)]
        schema = infer_schema(rows)
        if schema is None or not self.timestamps:
            return schema
        times = {n: pl.Int64() for n in schema.columns if n in self.timestamps}
        return Schema({**schema.columns, **times})


class JsonDecoder:
    """Payloads -> columns of `schema`."""

    def __init__(self, schema: Schema, times: TimestampText) -> None:
        self.schema = schema
        self._times = times
        self._raw = times.as_text(schema)
        fields, self._names = _fields(self._raw)
        row: Any = msgspec.defstruct("Row", fields, gc=False)
        self._decode = msgspec.json.Decoder(row).decode
        self._attributes = [attrgetter(name) for name in self._names]

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """Decode all at once; if one offends, find the offenders one by one."""
        try:
            rows = list(map(self._decode, payloads))  # type: ignore[arg-type]
        except _UNREADABLE:
            return self._decode_each(payloads)
        frame = self._frame(rows)
        return self._decode_each(payloads) if frame is None else self._with_times(frame, [])

    def _frame(self, rows: list[Any]) -> pl.DataFrame | None:
        if not self._names:
            return pl.DataFrame(height=len(rows))
        return columns_to_frame(self._raw, [list(map(get, rows)) for get in self._attributes])

    def _decode_each(self, payloads: Sequence[bytes | None]) -> Decoded:
        rows, rejected = [], []
        for index, payload in enumerate(payloads):
            row, reason = self._one(payload)
            if reason is None:
                rows.append(row)
            else:
                rejected.append(RejectedRow(index, reason))
        frame = self._frame(rows)
        if frame is None:
            frame = self._raw.empty()
        return self._with_times(frame, rejected)

    def _one(self, payload: bytes | None) -> tuple[Any, str | None]:
        if payload is None:
            return None, "record without a value"
        try:
            row = self._decode(payload)
        except msgspec.ValidationError as error:
            return None, str(error).replace(" - at `$.", " - at `").replace(" - at `$`", "")
        except _UNREADABLE as error:
            return None, f"not JSON: {str(error).removeprefix('JSON is malformed: ')}"
        pairs = zip(self._raw.columns, self._attributes, strict=True)
        return row, misfit_reason({name: get(row) for name, get in pairs}, self._raw)

    def _with_times(self, frame: pl.DataFrame, rejected: list[RejectedRow]) -> Decoded:
        if not self._times.columns:
            return Decoded(frame, tuple(rejected))
        return self._times.parse(frame, rejected)


class JsonEncoder:
    """Columns -> one JSON object per row; NaN and infinities are written as null."""

    def __init__(self, schema: Schema, times: TimestampText) -> None:
        _fields(schema)
        self._times = times
        self._names = schema.names()

    def encode(self, frame: pl.DataFrame) -> Sequence[bytes]:
        """One payload per row."""
        if not self._names:
            return [b"{}"] * frame.height
        text = self._times.format(frame) if self._times.columns else frame
        row = pl.struct(self._names).struct.json_encode().cast(pl.Binary)
        encoded: list[bytes] = text.select(row).to_series().to_list()
        return encoded


def _fields(schema: Schema) -> tuple[list[Any], list[str]]:
    """Fields of the generated Struct; attribute names are ours, any text may be a JSON key."""
    fields: list[Any] = []
    names = [f"f{number}" for number in range(len(schema.columns))]
    for attribute, (name, dtype) in zip(names, schema.columns.items(), strict=True):
        kind = _python_type(dtype, name)
        if name in schema.required:
            fields.append((attribute, kind, msgspec.field(name=name)))
        else:
            fields.append((attribute, kind | None, msgspec.field(name=name, default=None)))
    required = [f for f in fields if f[2].default is msgspec.NODEFAULT]
    optional = [f for f in fields if f[2].default is not msgspec.NODEFAULT]
    return required + optional, names


def _python_type(dtype: pl.DataType, column: str) -> Any:
    if isinstance(dtype, pl.List):
        return list[_python_type(from_inner(dtype), column) | None]  # type: ignore[misc]
    if isinstance(dtype, pl.Struct):
        inner = {f.name: _python_type(_instance(f.dtype), column) | None for f in dtype.fields}
        make: Callable[..., Any] = TypedDict  # type: ignore[assignment]
        return make("Nested", inner, total=False)
    for test, kind in _KINDS:
        if test(dtype):
            return kind
    what = f"column {column!r}: JSON has no {dtype}"
    raise ConfigurationError(what, what_to_do="cast it to a string or a number")


_KINDS: Sequence[tuple[Callable[[pl.DataType], bool], type]] = (
    (lambda d: d.is_integer(), int),
    (lambda d: d.is_float(), float),
    (lambda d: d == pl.String, str),
    (lambda d: d == pl.Boolean, bool),
)


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found


def _anything(payload: bytes | None) -> Any:
    try:
        return msgspec.json.decode(payload or b"")
    except _UNREADABLE:
        return None
