"""JSON: one object per payload. Typed decode straight to columns, text by column expression.

Decode is msgspec into a generated Struct of only the fields that are needed, then attribute lists,
then one frame: half the cost of any columnar JSON reader on small records (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from operator import attrgetter, itemgetter
from typing import Any, TypedDict

import msgspec
import polars as pl

from raystream.data.inference import from_inner, infer_schema
from raystream.data.rows import columns_to_frame, misfits, not_of_type
from raystream.data.schema import Schema
from raystream.errors import ConfigurationError
from raystream.formats.base import Decoded, RejectedRow
from raystream.formats.json_numbers import JsonNumbers
from raystream.formats.native_json import NativeJson, obstacle
from raystream.formats.not_finite import holds_floats, not_finite
from raystream.formats.timestamps import Texts, unwritable, without

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, TypeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Json:
    """The JSON format; keys of the output are in the order of the columns.

    Datetimes are ISO 8601 text, decimals text (or numbers, when read), dates, times and durations
    ISO text, bytes base64; see docs/formats.md.

    Args:
        timestamps: How times are written. One word for all datetime columns: `iso8601`, or `s`,
            `ms`, `us`, `ns` for whole numbers since 1970. Or column name -> such a word, or for a
            column of epoch milliseconds `iso8601` or a strptime pattern, if it is text.
        nan: What NaN and infinities are, which JSON lacks: written as `null` and counted
            (`nan_as_null` of the sink), or `fail`.

    >>> decoder = Json().decoder(Schema.of({"n": "int"}))
    >>> decoder.decode([b'{"n": 1}', b'x']).rejected
    (RejectedRow(index=1, reason='not JSON: invalid character (byte 0)'),)
    """

    timestamps: Mapping[str, str] | str = field(default_factory=dict)
    nan: str = "null"

    def __post_init__(self) -> None:
        """Check `nan`."""
        if self.nan not in ("null", "fail"):
            what = f"nan: {self.nan!r} is not a way to write NaN in JSON"
            raise ConfigurationError(what, what_to_do="write 'null' or 'fail'")

    @property
    def name(self) -> str:
        """`json`."""
        return "json"

    def decoder(self, schema: Schema) -> JsonDecoder:
        """Decoder for exactly these columns.

        Raises:
            ConfigurationError: a column has a type that JSON does not have.
        """
        return JsonDecoder(schema, Texts(schema, self.timestamps))

    def encoder(self, schema: Schema) -> JsonEncoder:
        """Encoder for rows of this schema.

        Raises:
            ConfigurationError: a column has a type that JSON does not have.
        """
        return JsonEncoder(schema, Texts(schema, self.timestamps), self.nan)

    def infer(self, payloads: Sequence[bytes | None]) -> Schema | None:
        """Schema learnt from samples; payloads that are no JSON object tell nothing."""
        rows = [row for row in map(_anything, payloads) if isinstance(row, dict)]
        schema = infer_schema(rows)
        if schema is None or isinstance(self.timestamps, str):
            return schema
        times = {n: pl.Int64() for n in schema.columns if n in self.timestamps}
        return Schema({**schema.columns, **times})


class JsonDecoder:
    """Payloads -> columns of `schema`.

    `native` decodes what it is sure of in Rust; None: `not_native` says why it does not.
    """

    def __init__(self, schema: Schema, texts: Texts) -> None:
        self.schema = schema
        self._texts = texts
        self._raw = texts.raw()
        self._names = self._raw.names()
        self._decode, self._attributes = _decoder(self._raw)
        self._numbers = JsonNumbers(self._raw.columns)
        self.not_native = obstacle(self._raw)
        self.native = (
            None if self.not_native else NativeJson(self._raw, self.decode_here, texts.read)
        )

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """Decode all at once; natively, where that can be."""
        return self.decode_here(payloads) if self.native is None else self.native.decode(payloads)

    def decode_here(self, payloads: Sequence[bytes | None]) -> Decoded:
        """Decode in Python; continue behind each one that offends."""
        rejected: list[RejectedRow] = []
        try:
            rows = list(map(self._decode, payloads))  # type: ignore[arg-type]
        except _UNREADABLE:
            rows = self._good(payloads, rejected)
        if not self._names:
            return Decoded(pl.DataFrame(height=len(rows)), tuple(rejected))
        columns = [list(map(get, rows)) for get in self._attributes]
        frame = columns_to_frame(self._raw, columns)
        if frame is None:
            frame = self._fitting(columns, rejected)
        frame = self._unchanged(frame, payloads, rejected)
        return self._texts.read(frame, rejected)

    def _unchanged(
        self, frame: pl.DataFrame, payloads: Sequence[bytes | None], rejected: list[RejectedRow]
    ) -> pl.DataFrame:
        """The rows none of whose numbers became another; the others are added to `rejected`."""
        kept: Any = payloads
        if rejected:
            gone = {reject.index for reject in rejected}
            kept = [payload for index, payload in enumerate(payloads) if index not in gone]
        reasons = self._numbers.changed(frame, kept)
        if not reasons:
            return frame
        found = without(frame, reasons, rejected)
        rejected[:] = found.rejected
        return found.frame

    def _good(self, payloads: Sequence[bytes | None], rejected: list[RejectedRow]) -> list[Any]:
        rows: list[Any] = []
        source = iter(payloads)
        while True:
            try:
                rows.extend(map(self._decode, source))  # type: ignore[arg-type]
            except _UNREADABLE as error:  # rows are kept up to it, and the iterator is behind it
                index = len(rows) + len(rejected)
                rejected.append(RejectedRow(index, _why(payloads[index], error)))
            else:
                return rows

    def _fitting(self, columns: list[list[Any]], rejected: list[RejectedRow]) -> pl.DataFrame:
        """The rows all of whose values fit their columns; the others are added to `rejected`."""
        reasons: dict[int, str] = {}
        for (name, dtype), values in zip(self._raw.columns.items(), columns, strict=True):
            for row in misfits(values, dtype):
                reasons.setdefault(row, not_of_type(name, values[row], dtype))
        kept = [[v for row, v in enumerate(values) if row not in reasons] for values in columns]
        frame = columns_to_frame(self._raw, kept)
        assert frame is not None
        gone = {reject.index for reject in rejected}
        total = len(columns[0]) + len(gone)
        records = [index for index in range(total) if index not in gone]
        rejected += [RejectedRow(records[row], reason) for row, reason in reasons.items()]
        rejected.sort(key=lambda reject: reject.index)
        return frame


def _why(payload: bytes | None, error: Exception) -> str:
    if payload is None:
        return "record without a value"
    if payload.startswith(_MARKS):
        return "not JSON: a byte order mark in front of it"
    if isinstance(error, msgspec.ValidationError):
        return str(error).replace(" - at `$.", " - at `").replace(" - at `$`", "")
    return f"not JSON: {str(error).removeprefix('JSON is malformed: ')}"


class JsonEncoder:
    """Columns -> one JSON object per row; NaN and infinities are null, or an error."""

    def __init__(self, schema: Schema, texts: Texts, nan: str) -> None:
        _fields(texts.raw())
        self._texts = texts
        self._names = schema.names()
        self._floats = [name for name, dtype in schema.columns.items() if holds_floats(dtype)]
        self._strict = nan == "fail"
        self._nulled = 0

    def encode(self, frame: pl.DataFrame) -> Sequence[bytes]:
        """One payload per row.

        Raises:
            DataError: there is no form for a value.
        """
        if not self._names:
            return [b"{}"] * frame.height
        for name in self._floats:
            self._look(frame.get_column(name))
        rows = self._texts.write(frame).to_struct()  # by name, `*` would be all columns
        encoded: list[bytes] = rows.struct.json_encode().cast(pl.Binary).to_list()
        return encoded

    def nulled(self) -> int:
        """How many values were written as null since the last call."""
        since, self._nulled = self._nulled, 0
        return since

    def _look(self, column: pl.Series) -> None:
        number = not_finite(column)
        if number and self._strict:
            rows = (row for row in range(len(column)) if not_finite(column.slice(row, 1)))
            raise unwritable(column, next(rows), "JSON has no NaN and no infinity")
        self._nulled += number


_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")

Decode = Callable[[bytes], Any]


def _decoder(schema: Schema) -> tuple[Decode, list[Callable[[Any], Any]]]:
    """What decodes one object, and how each column is got of it.

    A Struct, whose attribute names are ours. Keys with quotes, backslashes or control characters it
    does not take: then each field is decoded by itself.
    """
    if any(_special(name) for name in schema.columns):
        return _ByName(schema).decode, [itemgetter(place) for place in range(len(schema.columns))]
    fields, names = _fields(schema)
    row: Any = msgspec.defstruct("Row", fields, gc=False)
    return msgspec.json.Decoder(row).decode, [attrgetter(name) for name in names]


def _special(name: str) -> bool:
    return any(letter in '"\\' or letter < " " for letter in name)


class _ByName:
    """Decodes objects with keys of any characters, field by field."""

    def __init__(self, schema: Schema) -> None:
        self._object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        self._fields: list[tuple[str, Decode, bool]] = []
        for name, dtype in schema.columns.items():
            kind, required = _python_type(dtype, name), name in schema.required
            field: Any = msgspec.json.Decoder(kind if required else kind | None).decode
            self._fields.append((name, field, required))

    def decode(self, payload: bytes) -> list[Any]:
        """The values of the columns, in their order."""
        found = self._object(payload)
        return [self._value(found.get(field[0]), *field) for field in self._fields]

    def _value(self, raw: Any, name: str, decode: Decode, required: bool) -> Any:
        if raw is None:
            if required:
                what = f"Object missing required field `{name}`"
                raise msgspec.ValidationError(what)
            return None
        try:
            return decode(raw)
        except msgspec.ValidationError as error:
            what = f"{str(error).partition(' - at ')[0]} - at `{name}`"
            raise msgspec.ValidationError(what) from None


def _fields(schema: Schema) -> tuple[list[Any], list[str]]:
    """Fields of the generated Struct."""
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
    (lambda d: d.is_decimal(), Decimal),
)


def _instance(dtype: Any) -> pl.DataType:
    found: pl.DataType = dtype() if isinstance(dtype, type) else dtype
    return found


def _anything(payload: bytes | None) -> Any:
    try:
        return msgspec.json.decode(payload or b"")
    except _UNREADABLE:
        return None
