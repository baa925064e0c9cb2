"""CSV: one line per payload, columns by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO

import polars as pl

from raystream.data.rows import missing_required
from raystream.data.schema import Schema, no_column
from raystream.formats.base import Decoded, RejectedRow


@dataclass(frozen=True, slots=True)
class Csv:
    """Lines of fields.

    Args:
        columns: Names of all fields of a line, in order; empty: those of the schema.
        delimiter: One character between fields.

    >>> Csv().decoder(Schema.of({"n": "int", "s": "string"})).decode([b"1,x"]).frame.rows()
    [(1, 'x')]
    """

    columns: tuple[str, ...] = ()
    delimiter: str = ","

    @property
    def name(self) -> str:
        """`csv`."""
        return "csv"

    def decoder(self, schema: Schema) -> CsvDecoder:
        """Decoder for these columns of the line.

        Raises:
            ConfigurationError: a column of the schema is not in the line.
        """
        fields = self.columns or tuple(schema.names())
        for name in schema.columns:
            if name not in fields:
                raise no_column(name, fields)
        return CsvDecoder(schema, fields, self.delimiter)

    def encoder(self, schema: Schema) -> CsvEncoder:
        """Encoder: one line per row, without line end and without header."""
        return CsvEncoder(self.delimiter)

    def infer(self, payloads: Sequence[bytes | None]) -> Schema | None:
        """Schema learnt from lines; without `columns` the first payload is the header."""
        lines = [payload for payload in payloads if payload]
        if not lines or (not self.columns and len(lines) < 2):
            return None
        frame = pl.read_csv(
            b"\n".join(lines),
            has_header=not self.columns,
            new_columns=list(self.columns) or None,
            separator=self.delimiter,
        )
        numbers = {n: d for n, d in frame.schema.items() if d in (pl.Int64, pl.Float64, pl.Boolean)}
        return Schema({name: numbers.get(name, pl.String()) for name in frame.columns})


class CsvDecoder:
    """Lines -> columns of `schema`. An empty field is null, `""` is an empty string."""

    def __init__(self, schema: Schema, fields: Sequence[str], delimiter: str) -> None:
        self.schema = schema
        self._fields = list(fields)
        self._delimiter = delimiter
        self._types = [schema.columns.get(name, pl.String()) for name in fields]

    def decode(self, payloads: Sequence[bytes | None]) -> Decoded:
        """Decode all at once; if one offends, find the offenders one by one."""
        if not payloads:
            return Decoded(self.schema.empty())
        if None not in payloads:
            frame = self._read(payloads)  # type: ignore[arg-type]
            if isinstance(frame, pl.DataFrame):
                return Decoded(frame)
        return self._decode_each(payloads)

    def _decode_each(self, payloads: Sequence[bytes | None]) -> Decoded:
        frames, rejected = [self.schema.empty()], []
        for index, payload in enumerate(payloads):
            frame = "record without a value" if payload is None else self._read([payload])
            if isinstance(frame, str):
                rejected.append(RejectedRow(index, frame))
            else:
                frames.append(frame)
        return Decoded(pl.concat(frames), tuple(rejected))

    def _read(self, lines: Sequence[bytes]) -> pl.DataFrame | str:
        try:
            frame = pl.read_csv(
                b"\n".join(lines),
                has_header=False,
                schema=dict(zip(self._fields, self._types, strict=True)),
                separator=self._delimiter,
                raise_if_empty=False,
            )
        except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
            return f"not CSV of this schema: {str(error).splitlines()[0]}"
        if frame.height != len(lines):
            return "not one line of CSV"
        if missing_required(frame, self.schema):
            nulls = [n for n in sorted(self.schema.required) if frame.get_column(n).null_count()]
            return f"null in {', '.join(nulls)}"
        return frame.select(self.schema.names())


class CsvEncoder:
    """Rows -> lines."""

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter

    def encode(self, frame: pl.DataFrame) -> Sequence[bytes]:
        """One payload per row; a text with a line end is quoted."""
        lines = self._write(frame).split(b"\n")
        if len(lines) == frame.height:
            return lines
        return [self._write(frame.slice(index, 1)) for index in range(frame.height)]

    def _write(self, frame: pl.DataFrame) -> bytes:
        buffer = BytesIO()
        frame.write_csv(buffer, include_header=False, separator=self._delimiter)
        return buffer.getvalue().removesuffix(b"\n")
